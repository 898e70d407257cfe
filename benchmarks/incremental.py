"""Training from yesterday's model beside training anew: quality, seconds, and how far the space moved.

The day is the latest share of the ratings, or a random draw (`random`). One rating per user is held out of everything.
Usage: python -m benchmarks.incremental FOLDER_OR_FILE NAME SHARE latest|random [LEARNER …]
"""

from __future__ import annotations

import statistics
import sys
import time
from pathlib import Path

import numpy as np
from scipy.optimize import linear_sum_assignment

from benchmarks.results import prepared, write_section
from recsys import store
from recsys.dataset.catalog import Catalog
from recsys.dataset.dataset import Dataset
from recsys.dataset.interactions import Interactions, select_entries
from recsys.dataset.split import HoldOut, hold_out
from recsys.evaluation.ranking import rank_quality
from recsys.models import MODELS, Learner, Model
from recsys.space.rotation import rotate
from recsys.threads import n_cores

SEEDS = (1, 2, 3)
MOVED = ("anew", "from, 3")


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


def quality(model: Model, split: HoldOut) -> float:
    """nDCG@10."""
    found: float = rank_quality(model, split, (10,), auc=False, n_threads=n_cores())["ndcg@10"]
    return found


def moved(old: Model, new: Model) -> tuple[float, float, float]:
    """How far the items of `old` moved: the share of their squared length that the new vectors miss, as they are and
    after the best rotation (orthogonal Procrustes), and the median cosine of matched varimax axes."""
    rows = new.space.item_index.get_indexer(old.space.item_index)
    at = rows >= 0
    d = old.space.n_factors
    a = old.space.item_factors[at, :d].astype(np.float64)
    b = new.space.item_factors[rows[at], :d].astype(np.float64)
    u, _, v = np.linalg.svd(b.T @ a)
    known = np.argsort(-old.n_ratings[at])[:2000]
    one, two = (space @ rotate(space[known], "varimax", 0) for space in (a, b))
    one, two = (x[known] - x[known].mean(axis=0) for x in (one, two))
    cosines = np.abs((one / np.linalg.norm(one, axis=0)).T @ (two / np.linalg.norm(two, axis=0)))
    pairs = linear_sum_assignment(-cosines)
    total = (a**2).sum()
    return ((a - b) ** 2).sum() / total, ((a - b @ (u @ v)) ** 2).sum() / total, float(np.median(cosines[pairs]))


def measure(data: Dataset, share: float, order: str, name: str) -> list[str]:
    """Rows of the table for one learner: the median of the seeds, and the mean difference to training anew."""
    found: dict[str, list[tuple[float, ...]]] = {}
    for seed in SEEDS:
        split = hold_out(data.interactions, "random", seed=seed)
        today = Dataset(split.train, data.catalog)
        learner = MODELS[name]().replace(seed=seed)
        old = learner.fit(yesterday(split.train, share, order, seed))
        ways: dict[str, tuple[Learner, Model | None]] = {"anew": (learner.replace(seed=seed + 100), None)}
        ways |= {f"from, {n}": (learner.replace(epochs=n), old) for n in (1, 2, 3)}
        for way, (how, start) in ways.items():
            began = time.perf_counter()
            model = how.fit(today, start=start)
            seconds = time.perf_counter() - began
            shift = moved(old, model) if way in MOVED else (np.nan,) * 3
            found.setdefault(way, []).append((quality(model, split), seconds, *shift))
    rows = []
    for way, values in found.items():
        ndcg, seconds, raw, best, cosine = (statistics.mean(column) for column in zip(*values, strict=True))
        gaps = [one[0] - anew[0] for one, anew in zip(values, found["anew"], strict=True)]
        gap = "" if way == "anew" else f"{statistics.mean(gaps):+.4f} ({min(gaps):+.4f} … {max(gaps):+.4f})"
        rows.append(f"| {name} | {way} | {ndcg:.4f} | {gap} | {seconds:.2f} | {raw:.3f} | {best:.3f} | {cosine:.3f} |")
    return rows


def main() -> None:
    source, name, share, order, *names = sys.argv[1:]
    folder = Path(source)
    data = store.load_prepared(folder) if (folder / store.INTERACTIONS).is_file() else prepared(name, folder)
    lines = [
        "## Training from yesterday's model",
        "",
        f"`python -m benchmarks.incremental`; {name}, the day: {float(share):.1%} of the ratings ({order}); means of "
        f"{len(SEEDS)} seeds, paired: the same split and the same yesterday. 20 % of each user's ratings are held out. "
        "*anew*: default settings and another seed. *from, n*: n epochs. Moved: share of the squared length of "
        "yesterday's item vectors that the new ones miss, as they are and after the best rotation; median cosine of "
        "matched varimax axes (nan: not measured).",
        "",
        "| learner | training | nDCG@10 | beside anew (lowest … highest) | seconds | moved | after rotation | axes |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for learner in names or ["ials", "als", "bpr"]:
        lines += measure(data, float(share), order, learner)
    write_section(lines)


if __name__ == "__main__":
    main()
