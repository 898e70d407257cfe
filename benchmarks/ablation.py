"""What each part of the iALS kernel brings: the kernel of `ials_solver` is rebuilt with parts replaced.

Each part is replaced by plain code: loops that numba vectorizes, float32 rows, no prefetching.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FunctionType
from typing import Any
from unittest import mock

import numba
import numpy as np
import scipy.sparse as sp

from recsys.models import IALS, ials_solver, simd
from recsys.space.embedding import EmbeddingSpace

EPOCHS = 5


@numba.njit(fastmath={"reassoc", "contract"})
def loop_add_one(y, indices, weights, position, x, base, sign, out):  # type: ignore[no-untyped-def]
    """`add_one_row` as plain loops."""
    row, dot = y[indices[position]], np.float32(0)
    for f in range(len(x)):
        dot += row[f] * x[f]
    coefficient = weights[position] * (base + sign * dot)
    for f in range(len(x)):
        out[f] += coefficient * row[f]


@numba.njit
def loop_add_four(y, indices, weights, position, x, base, sign, out):  # type: ignore[no-untyped-def]
    """`add_four_rows` as plain loops."""
    for k in range(4):
        loop_add_one(y, indices, weights, position + k, x, base, sign, out)


@numba.njit(fastmath={"reassoc", "contract"})
def loop_square_one(y, indices, weights, position, x):  # type: ignore[no-untyped-def]
    """`square_one_row` as plain loops."""
    row, dot = y[indices[position]], np.float32(0)
    for f in range(len(x)):
        dot += row[f] * x[f]
    return weights[position] * dot * dot


@numba.njit
def loop_square_four(y, indices, weights, position, x):  # type: ignore[no-untyped-def]
    """`square_four_rows` as plain loops."""
    found = np.float32(0)
    for k in range(4):
        found += loop_square_one(y, indices, weights, position + k, x)
    return found


@numba.njit
def no_prefetch(y, index):  # type: ignore[no-untyped-def]
    """`prefetch_row` that does nothing."""


LOOPS = {
    "add_four_rows": loop_add_four,
    "add_one_row": loop_add_one,
    "square_four_rows": loop_square_four,
    "square_one_row": loop_square_one,
}


def rebuilt(kernel: Any, replaced: dict[str, Any]) -> Any:
    """The compiled function with some of the names it refers to replaced, not cached."""
    plain = kernel.py_func
    options = {key: value for key, value in kernel.targetoptions.items() if key in ("nogil", "fastmath")}
    return numba.njit(**options)(FunctionType(plain.__code__, {**plain.__globals__, **replaced}, plain.__name__))


def float32_rows(n_rows: int, n_columns: int, dtype: type = np.float32) -> np.ndarray:
    """`aligned_zeros` that makes room for float32 rows instead of their halves."""
    return simd.aligned_zeros(n_rows, n_columns * 2 if dtype is np.int32 else n_columns)


@contextmanager
def variant(vectors: bool, half: bool, prefetch: bool) -> Iterator[None]:
    """While active, `conjugate_gradient` uses a kernel with these parts only."""
    replaced = {**({} if vectors else LOOPS), **({} if prefetch else {"prefetch_row": no_prefetch})}
    inner = {name: rebuilt(getattr(ials_solver, name), replaced) for name in ("_sweep", "_squares")}
    with mock.patch.object(ials_solver, "_solve_rows", rebuilt(ials_solver._solve_rows, inner)):
        if half:
            yield
        else:
            with (
                mock.patch.object(ials_solver, "aligned_zeros", float32_rows),
                mock.patch.object(ials_solver, "halve", lambda rows, copy: np.copyto(copy, rows)),
            ):
                yield


VARIANTS = {
    "loops, float32 (no `simd.py`)": (False, False, False),
    "loops, float32, prefetching": (False, False, True),
    "vectors, float32": (True, False, False),
    "vectors, float32, prefetching": (True, False, True),
    "vectors, half precision": (True, True, False),
    "vectors, half precision, prefetching (what `ials` uses)": (True, True, True),
}


def epochs(
    settings: IALS, matrix: sp.csr_matrix, transposed: sp.csr_matrix, parts: tuple[bool, bool, bool]
) -> Iterator:
    """The vectors after each epoch; the kernel is replaced only while an epoch runs."""
    users, items = settings.sides(matrix, transposed)
    x, y = settings.first_vectors(*matrix.shape)
    with variant(*parts):
        settings.epoch(*settings.sides(matrix[:20], matrix[:20].T.tocsr()), x[:20], y)  # compile
        kernels = {name: getattr(ials_solver, name) for name in ("_solve_rows", "aligned_zeros", "halve")}
    while True:
        with mock.patch.multiple(ials_solver, **kernels):
            x, y = settings.epoch(users, items, x, y)
        yield x, y


def ablation_section(matrix: sp.csr_matrix) -> list[str]:
    """Seconds per epoch and the objective of each variant; all take turns."""
    transposed = matrix.T.tocsr()
    rows = []
    for d in (64, 128):
        settings = IALS(n_factors=d, regularization=0.003, alpha0=0.1, nu=1.0, epochs=EPOCHS)
        running = {name: epochs(settings, matrix, transposed, parts) for name, parts in VARIANTS.items()}
        seconds: dict[str, list[float]] = {name: [] for name in VARIANTS}
        last = {}
        for _ in range(EPOCHS):
            for name, run in running.items():
                start = time.perf_counter()
                last[name] = next(run)
                seconds[name].append(time.perf_counter() - start)
        slowest = statistics.median(seconds[next(iter(VARIANTS))][1:])
        for name in VARIANTS:
            x, y = last[name]
            space = EmbeddingSpace(y, np.arange(len(y)), x, np.arange(len(x)))
            taken = statistics.median(seconds[name][1:])
            rows.append(
                f"| {d} | {name} | {taken:.2f} | {slowest / taken:.2f} × | {settings.objective(space, matrix):,.0f} |"
            )
            print(rows[-1], file=sys.stderr, flush=True)
    return [
        "## What each part of the iALS kernel brings",
        "",
        f"`python benchmarks/speed.py ablation`: {matrix.shape[0]:,} users × {matrix.shape[1]:,} movies, "
        f"{matrix.nnz:,} interactions, cg_steps 2; median of {EPOCHS - 1} epochs after the first, alternating. "
        f"The objective is that after {EPOCHS} epochs, lower is better.",
        "",
        "| factors | kernel | s per epoch | speedup | objective |",
        "|---|---|---|---|---|",
        *rows,
    ]
