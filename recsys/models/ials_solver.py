"""The solver of iALS: one half-epoch, which solves all rows of one side with the other side fixed. Compiled.

Row u has the interactions S_u. With the fixed factors Y its vector x minimizes

    Σ_{i∈S_u} w_ui (1 − x·y_i)²  +  α₀ Σ_i (x·y_i)²  +  ridge_u |x|²

The normal equations are A_u x = b_u with A_u = Σ w_ui y_i y_iᵀ + α₀ YᵀY + ridge_u I and b_u = Σ w_ui y_i.

Rows are solved independently, so the result does not depend on the number of threads or on their timing.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numba
import numpy as np
import scipy.sparse as sp
from threadpoolctl import threadpool_limits

from recsys.models.simd import (
    add_four_rows,
    add_one_row,
    aligned_zeros,
    halve,
    padded,
    prefetch_row,
    square_four_rows,
    square_one_row,
)
from recsys.threads import n_cores

AHEAD = 32
"""How many rows ahead a row is prefetched: enough to hide the latency of memory."""
BLOCK = 1024
"""Number of rows that are rotated together."""
CHUNKS_PER_THREAD = 32
"""Many small pieces of work balance the load between threads."""
ROW_COST = 40
"""The fixed cost of a row, in interactions: used to balance the pieces."""
FEW_ROWS = 16
"""Up to this many rows are solved without starting threads."""
GATHERED = 256
"""Number of rows that the direct solver copies together before it multiplies them."""


@dataclass(frozen=True, eq=False)
class Side:
    """One orientation of the weights: its rows are solved, the columns are fixed.

    weights  CSR (n_rows, n_fixed) float32
    ridge    (n_rows,) float32, the regularization of each row
    """

    weights: sp.csr_matrix
    ridge: np.ndarray

    @cached_property
    def counts(self) -> np.ndarray:
        """(n_rows,) float32: the number of interactions of each row."""
        counts: np.ndarray = np.diff(self.weights.indptr)
        return counts.astype(np.float32)


class SingularMatrix(Exception):
    """The normal equations of a row have no unique solution, because there is no regularization."""


def conjugate_gradient(
    side: Side, rows: np.ndarray, fixed: np.ndarray, popularity: np.ndarray, alpha0: float, steps: int
) -> tuple[np.ndarray, np.ndarray]:
    """A few steps of preconditioned conjugate gradient for every row, starting from its current vector.

    rows, fixed  (n, d) float32 factors of the side to solve and of the fixed side
    popularity   (n_fixed,) float32, the number of interactions of each fixed row
    steps        each costs one pass over the row's interactions; the initial residual costs one more

    Returns new (rows, fixed), both multiplied by the same rotation, which changes no score. In the principal axes of
    the fixed side YᵀY is diagonal, so a product with it costs d instead of d² operations, and a diagonal
    preconditioner, α₀ g + ridge + (Σ w) · E[y²] with E the mean over interactions, is close to A_u⁻¹.
    """
    d = fixed.shape[1]
    values, axes = np.linalg.eigh((fixed.T @ fixed).astype(np.float64))
    axes = axes[:, ::-1].astype(np.float32)
    gram = np.zeros(padded(d), np.float32)
    gram[:d] = np.maximum(values[::-1], 0)
    x, y = (aligned_zeros(len(side_rows), len(gram)) for side_rows in (rows, fixed))
    halves = aligned_zeros(len(y), len(gram) // 2, np.int32)

    def rotate_rows(start: int) -> None:
        piece = slice(start, start + BLOCK)
        np.matmul(rows[piece], axes, out=x[piece, :d])

    def rotate_fixed(start: int) -> np.ndarray:
        piece = slice(start, start + BLOCK)
        np.matmul(fixed[piece], axes, out=y[piece, :d])
        halve(y[piece], halves[piece])
        squares: np.ndarray = popularity[piece] @ np.square(y[piece])
        return squares

    def solve(piece: slice) -> None:
        _solve_rows(
            piece.start, piece.stop, matrix.indptr, matrix.indices, matrix.data,
            x, halves, gram, spread, side.ridge, a0, steps,
        )  # fmt: skip

    matrix, a0, threads = side.weights, np.float32(alpha0), n_cores()
    with threadpool_limits(1, "blas"), ThreadPoolExecutor(threads) as pool:
        list(pool.map(rotate_rows, range(0, len(x), BLOCK)))
        squares = sum(pool.map(rotate_fixed, range(0, len(y), BLOCK)))
        spread = (squares / max(popularity.sum(), 1)).astype(np.float32)
        list(pool.map(solve, _pieces(side.counts, threads * CHUNKS_PER_THREAD)))
    return x[:, :d], y[:, :d]


def newton(
    side: Side,
    rows: np.ndarray,
    fixed: np.ndarray,
    alpha0: float,
    block_size: int,
    gram: np.ndarray | None = None,
) -> np.ndarray:
    """Solve every row by Cholesky decomposition, `block_size` dimensions at a time; returns new rows (n, d) float32.

    With block_size ≥ d the result is the exact solution, wherever the row starts. Smaller blocks are solved one after
    the other, starting from the current vector; they cost d · block_size instead of d² per interaction: Rendle et al.
    2021, "iALS++: Speeding up Matrix Factorization with Subspace Optimization".

    gram  YᵀY (d, d), if it is known already

    Raises SingularMatrix when a system of equations is singular.
    """
    x, y = np.array(rows, dtype=np.float32, order="C"), np.ascontiguousarray(fixed, dtype=np.float32)
    gram = np.float32(alpha0) * (y.T @ y if gram is None else gram.astype(np.float32))
    matrix = side.weights
    longest = int(side.counts.max(initial=0))

    def solve(piece: slice) -> None:
        _newton_rows(
            piece.start, piece.stop, matrix.indptr, matrix.indices, matrix.data,
            x, y, gram, side.ridge, min(block_size, y.shape[1]), longest,
        )  # fmt: skip

    threads = n_cores()
    try:
        if len(x) <= FEW_ROWS:  # interactive use: starting threads would take longer
            solve(slice(0, len(x)))
            return x
        with threadpool_limits(1, "blas"), ThreadPoolExecutor(threads) as pool:
            list(pool.map(solve, _pieces(side.counts, threads * CHUNKS_PER_THREAD)))
    except np.linalg.LinAlgError:
        raise SingularMatrix from None
    return x


def observed_loss(weights: sp.csr_matrix, rows: np.ndarray, fixed: np.ndarray) -> float:
    """Σ w_ui (1 − x_u·y_i)² over the interactions, summed in double precision."""
    return float(_observed_loss(weights.indptr, weights.indices, weights.data, rows, fixed))


def _pieces(counts: np.ndarray, n: int) -> list[slice]:
    """Up to n non-empty slices of rows of about equal cost."""
    cost = np.concatenate([[0.0], np.cumsum(counts + ROW_COST, dtype=np.float64)])
    cuts = np.searchsorted(cost, np.linspace(0, cost[-1], n + 1))
    cuts[0], cuts[-1] = 0, len(counts)
    return [slice(a, b) for a, b in pairwise(cuts.tolist()) if b > a]


@numba.njit(nogil=True, cache=True)
def _sweep(begin, end, last, y, indices, weights, x, base, sign, out):  # type: ignore[no-untyped-def]
    """out += Σ w · (base + sign · y·x) · y over the interactions begin … end; prefetches rows up to `last`."""
    position = begin
    while position + 4 <= end:
        if position + AHEAD + 4 <= last:
            for k in range(4):
                prefetch_row(y, indices[position + AHEAD + k])  # type: ignore[call-arg]
        add_four_rows(y, indices, weights, position, x, base, sign, out)
        position += 4
    while position < end:
        add_one_row(y, indices, weights, position, x, base, sign, out)
        position += 1


@numba.njit(nogil=True, cache=True)
def _squares(begin, end, y, indices, weights, x):  # type: ignore[no-untyped-def]
    """Σ w · (y·x)² over the interactions begin … end."""
    found, position = np.float32(0), begin
    while position + 4 <= end:
        found += square_four_rows(y, indices, weights, position, x)
        position += 4
    while position < end:
        found += square_one_row(y, indices, weights, position, x)
        position += 1
    return found


@numba.njit(nogil=True, cache=True, fastmath={"reassoc", "contract"})
def _solve_rows(start, stop, indptr, indices, weights, x_all, y, gram, spread, ridge, a0, steps):  # type: ignore[no-untyped-def]
    """Conjugate gradient for the rows start … stop, one by one; rows without interactions become 0."""
    d = x_all.shape[1]
    one, zero = np.float32(1), np.float32(0)
    scratch = np.empty((5, d), np.float32)
    residual, direction, product, inverse, shared = scratch[0], scratch[1], scratch[2], scratch[3], scratch[4]
    last = np.int64(indptr[stop])
    for row in range(start, stop):
        begin, end = np.int64(indptr[row]), np.int64(indptr[row + 1])
        x = x_all[row]
        if begin == end:
            x[:] = zero
            continue
        total = zero
        for position in range(begin, end):
            total += weights[position]
        for f in range(d):
            shared[f] = a0 * gram[f] + ridge[row]
            residual[f] = -shared[f] * x[f]
        _sweep(begin, end, last, y, indices, weights, x, one, -one, residual)
        slope = zero
        for f in range(d):
            diagonal = shared[f] + total * spread[f]
            inverse[f] = one / diagonal if diagonal > zero else zero
            direction[f] = residual[f] * inverse[f]
            slope += residual[f] * direction[f]
        for step in range(steps):
            for f in range(d):
                product[f] = shared[f] * direction[f]
            if step + 1 < steps:
                _sweep(begin, end, end, y, indices, weights, direction, zero, one, product)
            curvature = zero
            for f in range(d):
                curvature += direction[f] * product[f]
            if step + 1 == steps:  # no further step needs the product itself
                curvature += _squares(begin, end, y, indices, weights, direction)
            if not (curvature > zero and slope > zero):  # the row is solved
                break
            length = slope / curvature
            before, slope = slope, zero
            for f in range(d):
                x[f] += length * direction[f]
                residual[f] -= length * product[f]
                slope += residual[f] * residual[f] * inverse[f]
            for f in range(d):
                direction[f] = residual[f] * inverse[f] + slope / before * direction[f]


@numba.njit(nogil=True, cache=True, fastmath={"reassoc", "contract"})
def _newton_rows(start, stop, indptr, indices, weights, x_all, y, gram, ridge, block, longest):  # type: ignore[no-untyped-def]
    """The exact solution of one block of dimensions after the other, for the rows start … stop."""
    d = y.shape[1]
    zero = np.float32(0)
    scores = np.empty(longest, np.float32)
    near = np.empty((GATHERED, block), np.float32)
    near_weighted = np.empty((GATHERED, block), np.float32)
    for row in range(start, stop):
        begin, end = indptr[row], indptr[row + 1]
        x = x_all[row]
        if begin == end:
            x[:] = zero
            continue
        for k in range(end - begin):
            score = zero
            for f in range(d):
                score += y[indices[begin + k], f] * x[f]
            scores[k] = score
        for low in range(0, d, block):
            width = min(block, d - low)
            matrix = np.empty((width, width), np.float32)
            pull = np.empty(width, np.float32)
            for a in range(width):
                pull[a] = -ridge[row] * x[low + a]
                for f in range(d):
                    pull[a] -= gram[low + a, f] * x[f]
                for b in range(width):
                    matrix[a, b] = gram[low + a, low + b]
                matrix[a, a] += ridge[row]
            for first in range(begin, end, GATHERED):
                n = min(GATHERED, end - first)
                for k in range(n):
                    weight = weights[first + k]
                    miss = weight * (np.float32(1) - scores[first - begin + k])
                    for a in range(width):
                        value = y[indices[first + k], low + a]
                        near[k, a] = value
                        near_weighted[k, a] = weight * value
                        pull[a] += miss * value
                if width == block:
                    matrix += np.dot(near_weighted[:n].T, near[:n])
                else:
                    matrix += np.dot(
                        np.ascontiguousarray(near_weighted[:n, :width]).T, np.ascontiguousarray(near[:n, :width])
                    )
            root = np.linalg.cholesky(matrix)
            for a in range(width):
                value = pull[a]
                for b in range(a):
                    value -= root[a, b] * pull[b]
                pull[a] = value / root[a, a]
            for a in range(width - 1, -1, -1):
                value = pull[a] / root[a, a]
                pull[a] = value
                for b in range(a):
                    pull[b] -= root[a, b] * value
            for a in range(width):
                x[low + a] += pull[a]
            if low + width < d:
                for k in range(end - begin):
                    change = zero
                    for a in range(width):
                        change += y[indices[begin + k], low + a] * pull[a]
                    scores[k] += change


@numba.njit(nogil=True, cache=True)
def _observed_loss(indptr, indices, weights, x_all, y):  # type: ignore[no-untyped-def]
    loss = 0.0
    for row in range(len(indptr) - 1):
        for position in range(indptr[row], indptr[row + 1]):
            score = 0.0
            for f in range(y.shape[1]):
                score += x_all[row, f] * y[indices[position], f]
            loss += weights[position] * (1.0 - score) ** 2
    return loss
