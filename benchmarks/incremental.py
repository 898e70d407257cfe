"""Training from yesterday's model beside training anew: quality, seconds, and how far vectors, axes and map moved.

The day is the latest share of the ratings, or a random draw (`random`). A fifth of each user's ratings is held out of
everything. Rows of other data sets and learners that are in RESULTS.md stay there.
Usage: python -m benchmarks.incremental SOURCE NAME SHARE latest|random [LEARNER …]
SOURCE is a prepared folder, or a folder or file of ratings; where there is none, the public data set NAME is fetched.
"""

from __future__ import annotations

import dataclasses
import re
import statistics
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import scipy.sparse as sp

from benchmarks.results import RESULTS, prepared, write_section
from recsys import store
from recsys.dataset.catalog import Catalog
from recsys.dataset.dataset import Dataset
from recsys.dataset.interactions import Interactions, index_of, select_entries
from recsys.dataset.split import HoldOut, hold_out
from recsys.evaluation.interval import bootstrap
from recsys.evaluation.ranking import rank_quality
from recsys.models import MODELS, Model
from recsys.space.discovery import discover, rotated_like
from recsys.space.embedding import EmbeddingSpace
from recsys.space.item_map import ItemMap
from recsys.space.layout import align, make_map
from recsys.threads import n_cores

HEADING = "## Training from yesterday's model"
SEEDS = (1, 2, 3)
LARGE = 10_000_000
"""With more ratings there is one seed only."""
EPOCHS = (1, 2, 3)
MOST_USERS = 20_000
"""Users that are evaluated: all, or a random draw of so many."""
MAPPED = 4_000
"""The map shows so many of yesterday's items, the most rated ones."""
NOT_MEASURED = "–"


def yesterday(today: Interactions, share: float, order: str, seed: int) -> Dataset:
    """The ratings without those of the day, and without users and items that had none before it."""
    if order == "latest":
        assert today.timestamps is not None
        kept = today.timestamps < np.quantile(today.timestamps, 1 - share)
    else:
        kept = np.random.default_rng(seed).random(today.matrix.nnz) >= share
    matrix = select_entries(today.matrix, kept)
    users = np.flatnonzero(np.diff(matrix.indptr))
    items = np.flatnonzero(np.bincount(matrix.indices, minlength=matrix.shape[1]))
    part = Interactions(matrix[users][:, items], today.user_ids[users], today.item_ids[items])
    return Dataset(part, Catalog.of(part.item_ids))


def with_fewer_users(split: HoldOut, seed: int) -> HoldOut:
    """The split with at most `MOST_USERS` users to evaluate."""
    n_users = split.truth.shape[0]
    if n_users <= MOST_USERS:
        return split
    drawn = np.random.default_rng(seed).permutation(n_users) < MOST_USERS
    return dataclasses.replace(split, truth=sp.diags_array(drawn.astype(np.float32)).tocsr() @ split.truth)


def quality(model: Model, split: HoldOut) -> pd.Series:
    """nDCG@10 of each evaluated user, by user id."""
    found = rank_quality(model, split, (10,), auc=False, n_threads=n_cores())
    return found.users.set_index("user_id")["ndcg@10"]


def moved(old: Model, new: Model) -> tuple[float, float, float]:
    """How far the items of `old` moved: the share of their squared length that the new vectors miss, as they are and
    after the best rotation (orthogonal Procrustes), and the median cosine of its axes with those of `axes --like`."""
    rows = new.space.item_index.get_indexer(old.space.item_index)
    at = rows >= 0
    d = old.space.n_factors
    a = old.space.item_factors[at, :d].astype(np.float64)
    b = new.space.item_factors[rows[at], :d].astype(np.float64)
    u, _, v = np.linalg.svd(b.T @ a)
    total = (a**2).sum()
    axes = discover(old.space, old.attributes)
    cosines = rotated_like(new.space, new.attributes, axes.method, (old.space, axes), axes.seed)[1]
    assert cosines is not None
    return ((a - b) ** 2).sum() / total, ((a - b @ (u @ v)) ** 2).sum() / total, float(np.nanmedian(cosines))


def map_of(model: Model, item_ids: np.ndarray, previous: ItemMap | None = None) -> ItemMap:
    """The map that `recsys map` makes, of some items."""
    rows = model.space.item_rows(item_ids)
    space = EmbeddingSpace(model.space.item_factors[rows], item_ids, has_bias=model.space.has_bias)
    return make_map(space, previous=previous, measured=False)


def maps_moved(old: Model, new: dict[str, Model]) -> dict[str, tuple[float, float]]:
    """For each new model the Procrustes residual of its map against that of `old`, made without and with `--like`."""
    item_ids = old.item_ids[np.argsort(-old.n_ratings, kind="stable")[:MAPPED]]
    before = map_of(old, item_ids)
    known = index_of(before.item_ids).get_indexer(index_of(item_ids))
    found = {}
    for way, model in new.items():
        alone, like = map_of(model, item_ids), map_of(model, item_ids, before)
        residual = align(alone.coordinates, known, before.coordinates)[1]
        found[way] = (residual, like.fidelity["alignment_residual"])
    return found


def measure(data: Dataset, share: float, order: str, name: str, label: str) -> list[str]:
    """Rows of the table for one learner: means over the seeds."""
    ndcg: dict[str, list[pd.Series]] = {}
    seconds: dict[str, list[float]] = {}
    shifts: dict[str, list[tuple[float, float, float]]] = {}
    maps: dict[str, tuple[float, float]] = {}
    last = f"from, {EPOCHS[-1]}"
    for seed in SEEDS if data.interactions.n_ratings < LARGE else SEEDS[:1]:
        split = hold_out(data.interactions, "random", seed=seed)
        today = Dataset(split.train, data.catalog)
        split = with_fewer_users(split, seed)
        learner = MODELS[name]().replace(seed=seed)
        old = learner.fit(yesterday(today.interactions, share, order, seed))
        ways = {"anew": (learner.replace(seed=seed + 100), None)}
        ways |= {f"from, {n}": (learner.replace(epochs=n), old) for n in EPOCHS}
        models = {}
        for way, (how, start) in ways.items():
            began = time.perf_counter()
            model = how.fit(today, start=start)
            seconds.setdefault(way, []).append(time.perf_counter() - began)
            ndcg.setdefault(way, []).append(quality(model, split))
            if way in ("anew", last):
                shifts.setdefault(way, []).append(moved(old, model))
                models[way] = model
            print(name, seed, way, f"{ndcg[way][-1].mean():.4f}", file=sys.stderr, flush=True)
        if seed == SEEDS[0]:
            maps = maps_moved(old, models)
    rows = []
    for way, values in ndcg.items():
        gap = ""
        if way != "anew":
            gaps = pd.concat(values, axis=1).sub(pd.concat(ndcg["anew"], axis=1)).mean(axis=1)
            found = bootstrap(gaps.to_frame("gap")).iloc[0]
            gap = f"{found['mean']:+.4f} ({found['low']:+.4f} … {found['high']:+.4f})"
        cells = [label, name, way, f"{statistics.mean(one.mean() for one in values):.4f}", gap]
        cells += [f"{statistics.mean(seconds[way]):.2f}"]
        if way in shifts:
            cells += [f"{statistics.mean(column):.3f}" for column in zip(*shifts[way], strict=True)]
            cells += [f"{residual:.2f}" for residual in maps[way]]
        else:
            cells += [NOT_MEASURED] * 5
        rows.append(f"| {' | '.join(cells)} |")
    return rows


def main() -> None:
    """Measure one data set and replace its rows."""
    source, name, share, order, *names = sys.argv[1:]
    folder = Path(source)
    is_prepared = (folder / store.INTERACTIONS).is_file()
    data = store.load_prepared(folder) if is_prepared else prepared(name, folder if folder.exists() else None)
    label = f"{name}, {order} {float(share):.1%}"
    rows = []
    for learner in names or ["ials", "als", "bpr"]:
        rows += measure(data, float(share), order, learner, label)
    old = re.search(rf"^{HEADING}\n(.*?)(?=^## |\Z)", RESULTS.read_text(encoding="utf-8"), re.M | re.S)
    new = {tuple(row.split("|")[1:4]) for row in rows}
    kept = [row for row in (old[1] if old else "").splitlines() if re.match(r"\| \S+, (latest|random) ", row)]
    lines = [
        HEADING,
        "",
        "`python -m benchmarks.incremental`; data: what counts as the day, the latest ratings or a random draw. Means "
        f"of {len(SEEDS)} seeds (one with over {LARGE:,} ratings), paired: the same split and the same yesterday. A "
        f"fifth of each user's ratings is held out; all users are evaluated, at most {MOST_USERS:,}. *anew*: default "
        "settings and another seed. *from, n*: n epochs. Beside anew: mean difference in nDCG@10, with the 95 % "
        "interval of a bootstrap over users. Seconds of `fit`. Moved: share of the squared length of yesterday's item "
        "vectors that the new ones miss, as they are and after the best rotation. Axes: median cosine with yesterday's "
        "axes, found as `axes --like` does. Map: Procrustes residual of the map "
        f"(t-SNE of the {MAPPED:,} most rated movies, one seed) against yesterday's, without and with `--like`; 0: the "
        "same picture, 1.41: unrelated ones.",
        "",
        "| data | learner | training | nDCG@10 | beside anew | s | moved | rotated | axes | map | map `--like` |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
        *(row for row in kept if tuple(row.split("|")[1:4]) not in new),
        *rows,
    ]
    write_section(lines)


if __name__ == "__main__":
    main()
