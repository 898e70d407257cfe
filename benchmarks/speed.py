"""Speed of our components and of the usual alternatives; `make bench` writes the tables into RESULTS.md.

    python benchmarks/speed.py parts              CSV → matrix, exact top-k
    python benchmarks/speed.py epochs             one epoch of iALS on an input with the shape of MovieLens 25M
    python benchmarks/speed.py ablation           the same epoch without parts of its kernel
    python benchmarks/speed.py time-to-quality    training time until implicit's final quality is reached
    python benchmarks/speed.py evaluation         all metrics for all users

The inputs are generated and identical in every run. Contenders take turns and medians are compared: read the ratios,
not the seconds.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as pacsv
import scipy.sparse as sp
from ablation import ablation_section
from expand import expand
from implicit.cpu.als import AlternatingLeastSquares
from results import prepared, write_section
from threadpoolctl import threadpool_limits

from recsys.dataset.catalog import Catalog
from recsys.dataset.dataset import Dataset
from recsys.dataset.interactions import Interactions
from recsys.dataset.split import HoldOut, hold_out
from recsys.dataset.weighting import Weighting
from recsys.errors import RecsysError
from recsys.evaluation.ranking import rank_quality
from recsys.ingest import find_source, prepare_ratings
from recsys.models import ALS, IALS, Model, VectorLearner, Vectors
from recsys.space.embedding import EmbeddingSpace
from recsys.topk import top_k

THREADS = os.cpu_count() or 1
EPOCHS = 5
EVALUATED = 5000
"""Users that time to quality is evaluated on; all users are trained on."""
RUNS = 3


def long_tailed(n_users: int, n_items: int, n_ratings: int, seed: int = 0) -> pd.DataFrame:
    """Distinct (user, item) pairs, items drawn from a Zipf distribution, with half-star ratings and timestamps."""
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
    """Median seconds of each; they alternate RUNS times, so that a slow phase of the machine affects all."""
    seconds: list[list[float]] = [[] for _ in contenders]
    for _ in range(RUNS):
        for at, run in enumerate(contenders):
            start = time.perf_counter()
            run()
            seconds[at].append(time.perf_counter() - start)
    return [statistics.median(taken) for taken in seconds]


def prepare_rows() -> list[str]:
    """CSV → validated, sorted matrix, compared with the minimum in pandas."""
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
    """Exact top-10 of 59k movies without seen ones, compared with implicit and plain NumPy."""
    rng = np.random.default_rng(0)
    n_users, n_items, d, k = 16_384, 59_000, 64, 10
    users = rng.normal(size=(n_users, d)).astype(np.float32)
    items = rng.normal(size=(n_items, d)).astype(np.float32)
    seen = sp.random(n_users, n_items, 150 / n_items, format="csr", dtype=np.float32, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        peer = AlternatingLeastSquares(d, num_threads=THREADS)
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
        return top_k(lambda rows: users[rows] @ items.T, n_users, n_items, k, exclude=seen, n_threads=THREADS)[0]

    assert (ours() == by_implicit()).mean() > 0.999  # the same lists, except for ties in the last bit
    taken = in_turn(ours, by_implicit, by_numpy)
    names = ("recsys top_k", "implicit recommend", "NumPy, 512 users at a time")
    return [
        f"| {'exact top-10 of 59,000 items, 64 factors' if at == 0 else ''} | {name} "
        f"| {n_users / seconds:,.0f} users/s | {taken[2] / seconds:.1f} × |"
        for at, (name, seconds) in enumerate(zip(names, taken, strict=True))
    ]


def ials_section(matrix: sp.csr_matrix) -> list[str]:
    """Seconds per epoch and the objective reached, with the same settings for all."""
    transposed = matrix.T.tocsr()
    rows = []
    for d in (64, 128):
        ours = IALS(n_factors=d, regularization=0.003, alpha0=0.1, nu=1.0, epochs=EPOCHS)
        data = Interactions(matrix, np.arange(matrix.shape[0]), np.arange(matrix.shape[1]))
        contenders: list[tuple[str, Callable[[], Iterator[EmbeddingSpace | None]]]] = [
            (f"recsys `ials`, cg_steps {steps}", partial(_our_epochs, replace(ours, cg_steps=steps), data, transposed))
            for steps in (1, 2, 3)
        ]
        contenders += [
            ("irspack iALS, CG, 3 steps", partial(_irspack_epochs, ours, data, "CG")),
            ("implicit ALS, CG, 3 steps", partial(_implicit_epochs, d, data)),
        ]
        if d > 64:
            contenders.append(("irspack iALS++, blocks of 64", partial(_irspack_epochs, ours, data, "IALSPP")))
        seconds, objectives = _side_by_side(contenders, ours, data)
        slowest_peer = seconds[4]
        for at, (name, _) in enumerate(contenders):
            objective = "–" if objectives[at] is None else f"{objectives[at]:,.0f}"
            rows.append(
                f"| {d} | {name} | {seconds[at]:.2f} | {slowest_peer / seconds[at]:.1f} × | "
                f"{seconds[3] / seconds[at]:.1f} × | {objective} |"
            )
            print(rows[-1], file=sys.stderr, flush=True)
    return [
        "## One epoch of ALS on an input with the shape of MovieLens 25M",
        "",
        f"{matrix.shape[0]:,} users × {matrix.shape[1]:,} movies, {matrix.nnz:,} interactions "
        f"(`benchmarks/expand.py`); median of {EPOCHS} epochs, alternating. The objective is that of "
        f"`ials` after {EPOCHS} epochs, lower is better; implicit minimises a different one.",
        "",
        "| factors | library | s per epoch | speedup over implicit | speedup over irspack CG | objective |",
        "|---|---|---|---|---|---|",
        *rows,
    ]


def _our_epochs(learner: IALS, data: Interactions, transposed: sp.csr_matrix) -> Iterator[EmbeddingSpace]:
    """The epochs of `ials` one by one, without the final exact half-step."""
    users, items = learner.sides(data.matrix, transposed)
    x, y = learner.first_vectors(data.n_users, data.n_items)
    while True:
        x, y = learner.epoch(users, items, x, y)
        yield EmbeddingSpace(y, data.item_ids, x, data.user_ids)


def _irspack_epochs(settings: IALS, data: Interactions, solver: str) -> Iterator[EmbeddingSpace]:
    from irspack.recommenders import IALSRecommender

    model = IALSRecommender(
        data.matrix, n_components=settings.n_factors, alpha0=settings.alpha0, reg=settings.regularization,
        nu=settings.nu, solver_type=solver, n_threads=THREADS,
    )  # fmt: skip
    model.start_learning()
    while True:
        model.run_epoch()
        yield EmbeddingSpace(model.get_item_embedding(), data.item_ids, model.get_user_embedding(), data.user_ids)


def _implicit_epochs(d: int, data: Interactions) -> Iterator[None]:
    """implicit cannot run single epochs: training runs in a thread whose callback blocks after each one."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        model = AlternatingLeastSquares(
            factors=d, regularization=30.0, alpha=1.0, iterations=EPOCHS + 1, random_state=0
        )
    turn, done = threading.Semaphore(0), threading.Semaphore(0)

    def after_epoch(*_: object) -> None:
        done.release()
        turn.acquire()

    def run() -> None:
        with threadpool_limits(1, "blas"):
            model.fit(data.matrix * 3.0, show_progress=False, callback=after_epoch)

    threading.Thread(target=run, daemon=True).start()
    done.acquire()  # the first epoch includes the setup, so it is not counted
    while True:
        turn.release()
        done.acquire()
        yield None


def _side_by_side(
    contenders: Sequence[tuple[str, Callable[[], Iterator[EmbeddingSpace | None]]]], ours: IALS, data: Interactions
) -> tuple[list[float], list[float | None]]:
    """Median seconds per epoch of each, with alternating epochs, and the objective after the last."""
    running = [start() for _, start in contenders]
    seconds: list[list[float]] = [[] for _ in contenders]
    spaces: list[EmbeddingSpace | None] = [None] * len(contenders)
    for _ in range(EPOCHS):
        for at, epochs in enumerate(running):
            started = time.perf_counter()
            spaces[at] = next(epochs)
            seconds[at].append(time.perf_counter() - started)
    objectives = [None if space is None else ours.objective(space, data.matrix) for space in spaces]
    return [statistics.median(taken) for taken in seconds], objectives


def time_to_quality_section(matrix: sp.csr_matrix) -> list[str]:
    """Training time until the nDCG@100 of implicit after 15 epochs is reached, with a fifth of the ratings held out."""
    data = Interactions(matrix, np.arange(matrix.shape[0]), np.arange(matrix.shape[1]))
    split = hold_out(data, "random")
    some = np.random.default_rng(0).permutation(data.n_users)[:EVALUATED]
    known = Interactions(split.known.matrix[some], split.known.user_ids[some], data.item_ids)
    sample = HoldOut(split.train, known, split.truth[some])
    catalog = Catalog.of(data.item_ids)

    def quality(learner: VectorLearner, space: EmbeddingSpace) -> float:
        model = Model(learner, Vectors(space, learner), weighting, catalog, counts)
        return rank_quality(model, sample, (100,), auc=False, n_threads=THREADS)["ndcg@100"]

    weighting = Weighting().fit(split.train)
    counts = np.bincount(split.train.matrix.indices, minlength=data.n_items).astype(np.int64)
    peer = ALS(epochs=15)
    started = time.perf_counter()
    space = peer._learn(split.train).space
    theirs = time.perf_counter() - started
    goal = quality(peer, space)
    ours = IALS()
    taken, rows = 0.0, []
    users, items = ours.sides(split.train.matrix, split.train.matrix.T.tocsr())
    x, y = ours.first_vectors(data.n_users, data.n_items)
    for epoch in range(1, ours.epochs + 1):
        started = time.perf_counter()
        x, y = ours.epoch(users, items, x, y)
        taken += time.perf_counter() - started
        found = quality(ours, EmbeddingSpace(y, data.item_ids, x, data.user_ids))
        rows.append(f"| recsys `ials` | {epoch} | {taken:.1f} | {found:.4f} | {theirs / taken:.1f} × |")
        print(rows[-1], file=sys.stderr, flush=True)
        if found >= goal and epoch >= 3:
            break
    return [
        "## Time to quality on the same input",
        "",
        f"Default settings of both (`als` uses implicit's kernel), nDCG@100 on {EVALUATED:,} users.",
        "",
        "| model | epochs | s | nDCG@100 | speedup |",
        "|---|---|---|---|---|",
        f"| recsys `als` (implicit's kernel) | 15 | {theirs:.1f} | {goal:.4f} | 1 × |",
        *rows,
    ]


def evaluation_section(matrix: sp.csr_matrix) -> list[str]:
    """All metrics for all users of the large input."""
    data = Interactions(matrix, np.arange(matrix.shape[0]), np.arange(matrix.shape[1]))
    split = hold_out(data, "random")
    model = IALS(epochs=2).fit(Dataset(split.train, Catalog.of(data.item_ids)))
    before = _resident()
    started = time.perf_counter()
    found = rank_quality(model, split, (10, 100), n_threads=THREADS)
    seconds = time.perf_counter() - started
    return [
        "## Evaluating every user of the same input",
        "",
        "| job | s | memory in addition to model and data |",
        "|---|---|---|",
        f"| every metric of `recsys evaluate`, including AUC, at 10 and 100: {len(found.users):,} users × "
        f"{data.n_items:,} movies | {seconds:.0f} | {(_peak() - before) / 2**20:.0f} MiB |",
    ]


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def large_input(ml_1m: Path | None = None) -> sp.csr_matrix:
    """`expand` of MovieLens 1M, which is downloaded if it is not prepared yet, or read from a file or folder."""
    return expand(prepared("ml-1m", ml_1m).interactions.matrix)


def main() -> None:
    """Run one benchmark and replace its section of RESULTS.md."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=("parts", "epochs", "ablation", "time-to-quality", "evaluation"))
    parser.add_argument(
        "--ml-1m", type=Path, help="file or folder with the ratings of MovieLens 1M; not downloaded then"
    )
    chosen = parser.parse_args()
    large = partial(large_input, chosen.ml_1m)
    parts: dict[str, Callable[[], list[str]]] = {
        "parts": lambda: [
            "## Reading and ranking",
            "",
            f"Median of {RUNS} alternating runs.",
            "",
            "| job | implementation | speed | relative to the slowest |",
            "|---|---|---|---|",
            *prepare_rows(),
            *top_k_rows(),
        ],
        "epochs": lambda: ials_section(large()),
        "ablation": lambda: ablation_section(large()),
        "time-to-quality": lambda: time_to_quality_section(large()),
        "evaluation": lambda: evaluation_section(large()),
    }
    try:
        write_section(parts[chosen.part]())
    except RecsysError as error:
        sys.exit(f"speed.py: {error}")


if __name__ == "__main__":
    main()
