"""How fast the parts are beside what people would use instead, in one run: `make bench` writes RESULTS.md.

The inputs are made here, the same at every run: ratings with long-tailed popularity as a CSV file, and random vectors
of the size of MovieLens 25M's catalogue. Ratios count, not seconds: each pair is run in turn, the medians compared.
"""

from __future__ import annotations

import os
import platform
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as pacsv
import scipy.sparse as sp
from implicit.cpu.als import AlternatingLeastSquares
from threadpoolctl import threadpool_limits

from recsys.etl import find_source, prepare_ratings
from recsys.topk import top_k

RUNS = 3
RESULTS = Path(__file__).with_name("RESULTS.md")


def long_tailed(n_users: int, n_items: int, n_ratings: int, seed: int = 0) -> pd.DataFrame:
    """Distinct (user, item) pairs, items drawn by Zipf's law, with half-star ratings and times."""
    rng = np.random.default_rng(seed)
    weight = 1 / np.arange(1, n_items + 1) ** 0.8
    pairs = np.unique(
        rng.integers(n_users, size=n_ratings) * n_items + rng.choice(n_items, n_ratings, p=weight / weight.sum())
    )
    rng.shuffle(pairs)
    return pd.DataFrame(
        {
            "userId": pairs // n_items + 1,
            "movieId": pairs % n_items + 1,
            "rating": rng.integers(1, 11, size=len(pairs)) / 2,
            "timestamp": rng.integers(800_000_000, 1_500_000_000, size=len(pairs)),
        }
    )


def in_turn(*contenders: Callable[[], object]) -> list[float]:
    """Median seconds of each, run one after the other RUNS times, so that a slow spell of the machine hits all."""
    seconds: list[list[float]] = [[] for _ in contenders]
    for _ in range(RUNS):
        for at, run in enumerate(contenders):
            start = time.perf_counter()
            run()
            seconds[at].append(time.perf_counter() - start)
    return [statistics.median(taken) for taken in seconds]


def prepare_rows() -> list[str]:
    """CSV → checked, ordered matrix, beside pandas doing the least that is needed."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ratings.csv"
        ratings = long_tailed(40_000, 20_000, 6_000_000)
        pacsv.write_csv(pa.Table.from_pandas(ratings, preserve_index=False), path)

        def by_pandas() -> sp.csr_matrix:
            table = pd.read_csv(path).drop_duplicates(["userId", "movieId"], keep="last")
            users, items = pd.factorize(table["userId"], sort=True)[0], pd.factorize(table["movieId"], sort=True)[0]
            return sp.csr_matrix((table["rating"].astype("f4"), (users, items)))

        ours, pandas = in_turn(lambda: prepare_ratings(find_source(path)), by_pandas)
        n = len(ratings)
        return [
            f"| {path.stat().st_size / 1e6:,.0f} MB CSV, {n:,} ratings → matrix | recsys prepare (every row checked) "
            f"| {n / ours / 1e6:.1f} M rows/s | {pandas / ours:.1f} × |",
            f"| | pandas (no checks) | {n / pandas / 1e6:.1f} M rows/s | 1 × |",
        ]


def top_k_rows() -> list[str]:
    """Exact top-10 of 59k movies, seen ones removed, beside implicit and plain NumPy."""
    rng = np.random.default_rng(0)
    n_users, n_items, d, k = 16_384, 59_000, 64, 10
    users = rng.normal(size=(n_users, d)).astype(np.float32)
    items = rng.normal(size=(n_items, d)).astype(np.float32)
    seen = sp.random(n_users, n_items, 150 / n_items, format="csr", dtype=np.float32, random_state=0)
    threads = os.cpu_count() or 1
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        peer = AlternatingLeastSquares(d, num_threads=threads)
    peer.user_factors, peer.item_factors = users, items

    def by_implicit() -> np.ndarray:
        with threadpool_limits(1, "blas"):
            return peer.recommend(np.arange(n_users), seen, N=k)[0]

    def by_numpy() -> np.ndarray:
        found = np.empty((n_users, k), dtype=np.int64)
        for start in range(0, n_users, 512):
            scores = users[start : start + 512] @ items.T
            block = seen[start : start + 512].tocoo()
            scores[block.row, block.col] = -np.inf
            best = np.argpartition(-scores, k, axis=1)[:, :k]
            order = np.argsort(-np.take_along_axis(scores, best, 1), axis=1)
            found[start : start + 512] = np.take_along_axis(best, order, 1)
        return found

    def ours() -> np.ndarray:
        return top_k(lambda rows: users[rows] @ items.T, n_users, n_items, k, exclude=seen, n_threads=threads)[0]

    assert (ours() == by_implicit()).mean() > 0.999  # the same lists, but for ties in the last bit
    taken = in_turn(ours, by_implicit, by_numpy)
    names = ("recsys top_k", "implicit recommend", "NumPy, 512 users at a time")
    return [
        f"| {'exact top-10 of 59,000 items, 64 factors' if at == 0 else ''} | {name} "
        f"| {n_users / seconds:,.0f} users/s | {taken[2] / seconds:.1f} × |"
        for at, (name, seconds) in enumerate(zip(names, taken, strict=True))
    ]


def main() -> None:
    """Measure and write RESULTS.md."""
    lines = [
        "# Measured speed",
        "",
        f"By `make bench`: median of {RUNS} runs in turn, {os.cpu_count()} cores ({platform.machine()}), "
        f"Python {platform.python_version()}. Ratios count; the seconds are those of one machine on one day.",
        "",
        "| job | who | speed | beside the slowest |",
        "|---|---|---|---|",
        *prepare_rows(),
        *top_k_rows(),
    ]
    RESULTS.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(RESULTS.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
