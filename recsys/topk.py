"""Exact top-k selection over blocks of scores, for scores that are no inner products: those have a faster way.

`recsys.inner_products` keeps the best with the same heap. Importing this module does not load numba.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np
import scipy.sparse as sp
from threadpoolctl import ThreadpoolController

NONE = -1
"""Fills the rest of a row that has fewer than k candidates; the score there is -inf."""

BLOCK_BYTES = 32 * 2**20
"""Memory for scores per thread: large enough for BLAS to be fast."""

ScoreBlock = Callable[[slice], np.ndarray]
"""A slice of rows → their scores for all columns, float32 (n rows in the slice, n_columns)."""


@cache
def _blas() -> ThreadpoolController:
    return ThreadpoolController()


def top_k(
    score_block: ScoreBlock,
    n_rows: int,
    n_columns: int,
    k: int,
    *,
    exclude: sp.csr_matrix | None = None,
    allowed: np.ndarray | None = None,
    n_threads: int = 1,
) -> tuple[np.ndarray, np.ndarray]:
    """The k columns with the highest scores in every row, exactly, best first; ties go to the lower column.

    score_block  returns the scores of a slice of rows, float32 (rows, n_columns); NaN excludes a column
    exclude      CSR (n_rows, n_columns): columns stored in a row are excluded there (seen items), zeros included
    allowed      bool (n_columns,): False excludes a column everywhere
    n_threads    blocks of rows computed in parallel, each with one BLAS thread; 1 leaves BLAS's own threads unchanged

    Returns columns int32 (n_rows, k) and scores float32 (n_rows, k). Rows with fewer than k candidates are padded
    with `NONE` and -inf, never with excluded columns. Besides the result it needs `BLOCK_BYTES` of memory per thread.

    Raises ValueError for k < 1 and for shapes that do not match.

    >>> scores = np.array([[0.1, 0.9, 0.5]], dtype=np.float32)
    >>> top_k(lambda rows: scores[rows], n_rows=1, n_columns=3, k=2)[0]
    array([[1, 2]], dtype=int32)
    """
    from recsys.heap import select as select_best  # loads numba

    if k < 1:
        raise ValueError(f"k must be at least 1, not {k}")
    columns = np.full((n_rows, k), NONE, dtype=np.int32)
    scores = np.full((n_rows, k), -np.inf, dtype=np.float32)
    kept = np.ones(n_columns, dtype=bool) if allowed is None else np.ascontiguousarray(allowed, dtype=bool)
    if kept.shape != (n_columns,):
        raise ValueError(f"allowed has shape {kept.shape}, not ({n_columns},)")
    if exclude is None:
        starts, excluded = np.zeros(n_rows + 1, dtype=np.int64), np.empty(0, dtype=np.int32)
    else:
        if exclude.shape != (n_rows, n_columns):
            raise ValueError(f"exclude has shape {exclude.shape}, not ({n_rows}, {n_columns})")
        exclude = canonical(exclude)  # the kernel needs ascending columns
        starts, excluded = exclude.indptr.astype(np.int64), exclude.indices.astype(np.int32, copy=False)

    def select(rows: slice) -> None:
        block = np.ascontiguousarray(score_block(rows), dtype=np.float32)
        select_best(block, starts[rows.start : rows.stop + 1], excluded, kept, columns[rows], scores[rows])

    in_threads(select, row_blocks(n_rows, max(1, BLOCK_BYTES // (4 * max(1, n_columns)))), n_threads)
    return columns, scores


def in_threads(work: Callable[[slice], None], pieces: Iterable[slice], n_threads: int) -> None:
    """Do the work on every piece, in threads that have one BLAS thread each if there are several pieces."""
    pieces = list(pieces)
    if n_threads == 1 or len(pieces) <= 1:
        for rows in pieces:
            work(rows)
    else:
        with _blas().limit(limits=1, user_api="blas"), ThreadPoolExecutor(n_threads) as pool:
            list(pool.map(work, pieces))  # list() re-raises a worker's exception


def one_each(columns: np.ndarray, n_columns: int) -> sp.csr_matrix:
    """CSR (n, n_columns) that excludes one column in each row: an item from its own neighbours."""
    n = len(columns)
    return sp.csr_matrix((np.ones(n, dtype=np.float32), columns, np.arange(n + 1)), shape=(n, n_columns))


def canonical(matrix: sp.csr_matrix) -> sp.csr_matrix:
    """The matrix as CSR with ascending columns and no duplicates; copied only if it is not."""
    matrix = sp.csr_matrix(matrix)
    if not matrix.has_canonical_format:
        matrix = matrix.copy()
        matrix.sum_duplicates()
    return matrix


def row_blocks(n_rows: int, size: int) -> Iterator[slice]:
    """Consecutive slices of at most `size` that cover `n_rows` rows."""
    for start in range(0, n_rows, size):
        yield slice(start, min(start + size, n_rows))
