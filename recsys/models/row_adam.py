"""The compiled kernels of `vae` for many items: Adam on some rows of a matrix, and scores of pairs."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numba
import numpy as np

from recsys.threads import n_cores

DECAY, SQUARE_DECAY, EPSILON = 0.9, 0.999, 1e-8
"""Adam's, as in the paper and in optax."""
PIECES_PER_THREAD = 8
FEW_ROWS = 32
"""Up to this many rows are done without starting threads."""


class RowAdam:
    """A matrix whose rows are trained by Adam, each only in the steps in which it has a gradient ("lazy" Adam).

    A step costs in proportion to the rows it is given. Kingma & Ba 2015, "Adam: A Method for Stochastic Optimization";
    as `torch.optim.SparseAdam` and LazyAdam of TensorFlow Addons, the averages of the other rows do not decay, and the
    correction of their bias counts all steps.

    values  (n, d) float32, changed in place
    """

    def __init__(self, values: np.ndarray) -> None:
        self.values = values
        self._means, self._squares = np.zeros_like(values), np.zeros_like(values)
        self._n_steps = 0

    def step(self, rows: np.ndarray, gradient: np.ndarray, rate: float) -> None:
        """One step with the gradient (len(rows), d) float32 of these rows, of which none is there twice."""
        self._n_steps += 1
        scale = np.float32(rate / (1 - DECAY**self._n_steps))
        correction = np.float32(1 / (1 - SQUARE_DECAY**self._n_steps))
        in_pieces(len(rows), _adam, rows, gradient, self.values, self._means, self._squares, scale, correction)


def pair_scores(indptr: np.ndarray, indices: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The dot products x_u·y_i of the pairs (u, i) of a CSR matrix, (nnz,) float32, in its order."""
    out = np.empty(len(indices), np.float32)
    in_pieces(len(indptr) - 1, _pair_scores, indptr, indices, x, y, out)
    return out


def in_pieces(n_rows: int, kernel: Any, *arguments: Any) -> None:
    """Call `kernel(start, stop, *arguments)` for parts of the rows, by as many threads as there are cores."""
    if n_rows <= FEW_ROWS:
        kernel(0, n_rows, *arguments)
        return
    threads = n_cores()
    ends = np.linspace(0, n_rows, threads * PIECES_PER_THREAD + 1).astype(int)
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(lambda start, stop: kernel(start, stop, *arguments), ends[:-1], ends[1:]))


@numba.njit(nogil=True, cache=True, fastmath={"reassoc", "contract"})
def _adam(start, stop, rows, gradient, values, means, squares, scale, correction) -> None:  # type: ignore[no-untyped-def]
    decay, square_decay, epsilon = np.float32(DECAY), np.float32(SQUARE_DECAY), np.float32(EPSILON)
    one = np.float32(1)
    for at in range(start, stop):
        row = rows[at]
        for f in range(values.shape[1]):
            g = gradient[at, f]
            mean = decay * means[row, f] + (one - decay) * g
            square = square_decay * squares[row, f] + (one - square_decay) * g * g
            means[row, f], squares[row, f] = mean, square
            values[row, f] -= scale * mean / (np.sqrt(square * correction) + epsilon)


@numba.njit(nogil=True, cache=True, fastmath={"reassoc", "contract"})
def _pair_scores(start, stop, indptr, indices, x, y, out) -> None:  # type: ignore[no-untyped-def]
    for user in range(start, stop):
        for at in range(indptr[user], indptr[user + 1]):
            score = np.float32(0)
            for f in range(x.shape[1]):
                score += x[user, f] * y[indices[at], f]
            out[at] = score
