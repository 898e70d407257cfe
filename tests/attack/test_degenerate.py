"""Degenerate data through every model and every later command: finite numbers, or one line that says why not."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from tests.attack.conftest import EVERYTHING, Attempts, sample
from tests.attack.process import Server
from tests.attack.world import JAX_MODELS, MODELS

VECTORS = ("ials", "als", "bpr", "blend", "vae")
SMALL: dict[str, tuple[object, ...]] = {
    **{model: ("--set", "n_factors=4", "--set", "epochs=2") for model in ("ials", "als", "bpr")},
    "blend": ("--set", "of=ials,bpr", "--set", "ials.n_factors=4", "--set", "bpr.n_factors=3"),
    "vae": JAX_MODELS["vae"],
}
STARS = (1, 2, 3, 4, 5)
STEPS_IN_SAMPLE = 6


def ratings(n_users: int, n_items: int, values: Sequence[float], filled: float = 0.5) -> list[tuple[int, int, float]]:
    """Ratings (user, item, rating) of a random part of all pairs, with the values in turn; one at least of each."""
    rng = np.random.default_rng(1)
    pairs = [
        (user, item)
        for user in range(n_users)
        for item in range(n_items)
        if rng.random() < filled or item == user % n_items or user == item % n_users
    ]
    return [(user, item, values[at % len(values)]) for at, (user, item) in enumerate(pairs)]


DATA = {
    "one user, one item": ratings(1, 1, (4,)),
    "one user": ratings(1, 60, STARS, 1),
    "one item": ratings(60, 1, STARS, 1),
    "two items": ratings(40, 2, STARS),
    "three items": ratings(40, 3, STARS),
    "all ratings alike": ratings(60, 60, (3,)),
    "everything seen": ratings(60, 60, STARS, 1),
    "identical users": [(user, item, 3.0 + item % 3) for user in range(60) for item in range(60)],
    "a rating each": [(user, user, 3.0) for user in range(60)],
    "one very active user": ratings(1, 60, STARS, 1) + [(user, 0, 3.0) for user in range(1, 60)],
    "ratings of 0": ratings(60, 60, (0,)),
    "0 among others": ratings(60, 60, (0, 1, 5)),
    "negative": ratings(60, 60, (-3, -2, -1)),
    "1e30": ratings(60, 60, (1e30,)),
    "-1e30": ratings(60, 60, (-1e30, 1)),
    "1e-30": ratings(60, 60, (1e-30,)),
    "1e-45": ratings(60, 60, (1e-45,)),
    "3.4e38": ratings(60, 60, (3.4e38,)),
    "of all sizes": ratings(60, 60, (1e-45, 1e-30, 1.0, 1e30, 3.4e38)),
    "equal titles": ratings(60, 60, STARS),
    "empty titles": ratings(60, 60, STARS),
    "no genres": ratings(60, 60, STARS),
}
"""Name → ratings."""
TITLES = {"equal titles": "Same (1999)", "empty titles": ""}


def write(folder: Path, name: str) -> None:
    """`ratings.csv` and `items.csv` of a data set."""
    rows = DATA[name]
    with (folder / "ratings.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("user", "item", "rating"), *((f"u{u}", f"i{i}", repr(r)) for u, i, r in rows)])
    with (folder / "items.csv").open("w", newline="") as file:
        items = sorted({item for _, item, _ in rows})
        genres = ("" if name == "no genres" else "Drama|Comedy" if item % 2 else "Horror" for item in items)
        titles = (TITLES.get(name, f"Film {item} ({1950 + item})") for item in items)
        ids = (f"i{item}" for item in items)
        csv.writer(file).writerows([("item_id", "title", "genres"), *zip(ids, titles, genres, strict=True)])


def trainings(model: str) -> Iterator[tuple[object, ...]]:
    """Commands that train a model; by default with the two weightings that differ most."""
    for weighting in ("log", "binary", "rating", "bm25") if EVERYTHING else ("log", "binary"):
        options = ("--out", "model", "--model", model, "--weighting", weighting, *SMALL.get(model, ()))
        yield ("train", "--data", "data", *options)


def later(model: str) -> Iterator[tuple[object, ...]]:
    """Every command that reads a trained model, and those that train on the same data."""
    on, title, small = ("--model", "model"), "Film 0", SMALL.get(model, ())
    yield ("recommend", *on, "--data", "data", "--out", "lists.parquet")
    yield ("recommend", *on, "--data", "data", "--out", "lists.parquet", "--include-seen", "-k", 1000)
    for more in ((), ("--why", "--include-seen")):
        yield ("recommend", *on, "--data", "data", "--user", "u0", *more)
    for stars in ("5", "1e30", "-1e30", "0", "1e-30", "3.4e38", "1e39"):
        yield ("recommend", *on, "--rate", f"{title}={stars}", "--why")
    for protocol in ("random", "leave-last-out", "time", "new-users"):
        yield ("evaluate", "--data", "data", "--model", model, "--protocol", protocol, *small, "-k", 1, "-k", 100)
    yield ("evaluate", "--data", "data", "--trained", "model", "--model", "popular")
    for metric in ("ndcg@10", "auc"):
        search = ("--model", model, *(small if model in ("blend", "vae") else ()), "--metric", metric, "--trials", 2)
        yield ("tune", "--data", "data", "--out", f"{metric}.json", *search)
    if model not in VECTORS:
        return
    yield ("recommend", *on, "--data", "data", "--user", "u0", "--steer", "adult=1")
    yield ("recommend", *on, "--rate", f"{title}=5", "--steer", "Horror=-3")
    for metric in ("cosine", "dot", "euclidean", "all"):
        yield ("similar", title, *on, "--metric", metric)
    yield ("analogy", title, "Film 1", "Film 2", *on)
    yield ("analogy", title, title, title, *on)
    for method in ("pca", "tsne", "umap", "pacmap") if EVERYTHING else ("pca", "tsne"):
        yield ("map", *on, "--method", method)
    for method in ("kmeans", "hdbscan", "auto"):
        yield ("clusters", *on, "--method", method)
    for method in ("varimax", "quartimax", "ica", "nmf", "none"):
        yield ("axes", *on, "--data", "data", "--method", method, "--refits", 1, "--ask", "Horror")
    yield ("map", *on, "--x", "adult", "--y", "Horror", "--out", "map.html")
    yield ("report", *on, "--data", "data", "--dimensions", "1,2", "--seeds", 1)


def fault_of(server: Server, folder: Path, command: tuple[object, ...], as_json: bool) -> tuple[bool, str]:
    """Run a command; returns whether it worked, and what was wrong with it."""
    ran = server.run(folder, *command, *(("--json",) if as_json else ()), seconds=120)
    fault = ran.fault or (f"words on stderr: {ran.err[:200]!r}" if ran.status == 0 and ran.err else "")
    if not fault and ran.status == 0 and as_json:
        json.loads(ran.out, parse_constant=lambda name: fail(f"{name} in the JSON"))
    if not fault and ran.status == 0 and "lists.parquet" in command:
        scores = pq.read_table(folder / "lists.parquet")["score"].to_numpy()
        fault = "" if np.isfinite(scores).all() else "scores that are not finite"
    return ran.status == 0, fault


def fail(words: str) -> None:
    raise AssertionError(words)


def test_degenerate_data(server: Server, attempts: Attempts, tmp_path: Path) -> None:
    pairs = [(name, model) for name in DATA for model in (*MODELS, *(("vae",) if EVERYTHING else ()))]
    for number, (name, model) in enumerate(sample(pairs, 4, seed=3)):
        folder = tmp_path / str(number)
        folder.mkdir()
        write(folder, name)
        prepare = ("prepare", "ratings.csv", "--items", "items.csv", "--out", "data")
        worked, fault = fault_of(server, folder, prepare, False)
        attempts.record(f"{name}: {' '.join(prepare)}", fault)
        for training in trainings(model):
            shutil.rmtree(folder / "model", ignore_errors=True)
            worked, fault = fault_of(server, folder, training, True)
            attempts.record(f"{name}: {' '.join(map(str, training))}", fault)
            steps = sample(list(later(model)), STEPS_IN_SAMPLE, seed=number) if worked else []
            for at, command in enumerate(steps):
                attempts.record(
                    f"{name}: {' '.join(map(str, command))}", fault_of(server, folder, command, at % 2 == 0)[1]
                )
            if worked and not EVERYTHING:
                break
        shutil.rmtree(folder)
    attempts.check("degenerate data", 20)
