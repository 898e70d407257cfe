"""Speed of training and evaluation, and of the usual alternatives; `make bench` writes the tables into RESULTS.md.

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
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
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
from recsys.models import ALS, IALS, Model, VectorLearner, Vectors
from recsys.space.embedding import EmbeddingSpace

THREADS = os.cpu_count() or 1
EPOCHS = 5
EVALUATED = 5000
"""Users that time to quality is evaluated on; all users are trained on."""


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
    parser.add_argument("part", choices=("epochs", "ablation", "time-to-quality", "evaluation"))
    parser.add_argument(
        "--ml-1m", type=Path, help="file or folder with the ratings of MovieLens 1M; not downloaded then"
    )
    chosen = parser.parse_args()
    large = partial(large_input, chosen.ml_1m)
    parts: dict[str, Callable[[], list[str]]] = {
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
