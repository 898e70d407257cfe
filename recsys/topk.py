"""Exact top-k over arrays: the one kernel that everything ranks with. Knows no ids, files or models."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numba
import numpy as np
import scipy.sparse as sp
from threadpoolctl import ThreadpoolController

NONE = -1
"""Fills the places of a row that has fewer than k candidates left; its score is -inf."""

BLOCK_BYTES = 32 * 2**20
"""Scores held at a time by each thread: large enough for BLAS, small beside any catalogue's factors."""

ScoreBlock = Callable[[slice], np.ndarray]
"""Scores of a slice of rows against all columns, float32 (rows, n_columns)."""


@numba.njit(nogil=True, cache=True)
def _sift_down(scores, columns, position, size):  # type: ignore[no-untyped-def]
    """Restore the heap whose root is the worst kept candidate: lowest score, then highest column."""
    while True:
        child = 2 * position + 1
        if child >= size:
            return
        other = child + 1
        if other < size and (
            scores[other] < scores[child] or (scores[other] == scores[child] and columns[other] > columns[child])
        ):
            child = other
        if scores[child] < scores[position] or (
            scores[child] == scores[position] and columns[child] > columns[position]
        ):
            scores[child], scores[position] = scores[position], scores[child]
            columns[child], columns[position] = columns[position], columns[child]
            position = child
        else:
            return


@numba.njit(nogil=True, cache=True)
def _select(scores, k, excluded_start, excluded, allowed, top_columns, top_scores):  # type: ignore[no-untyped-def]
    """For each row keep the k best columns in a heap, walking the sorted excluded columns alongside."""
    n_rows, n_columns = scores.shape
    for row in range(n_rows):
        best = top_scores[row]
        where = top_columns[row]
        size = 0
        skip = excluded_start[row]
        end = excluded_start[row + 1]
        for column in range(n_columns):
            if skip < end and excluded[skip] == column:
                skip += 1
                continue
            score = scores[row, column]
            if size == k and not score > best[0]:  # columns come in rising order, so an equal score loses
                continue
            if not allowed[column] or np.isnan(score):
                continue
            if size < k:
                child = size
                size += 1
                best[child] = score
                where[child] = column
                while child > 0:
                    parent = (child - 1) // 2
                    if best[parent] < score or (best[parent] == score and where[parent] > column):
                        break
                    best[child], where[child] = best[parent], where[parent]
                    best[parent], where[parent] = score, column
                    child = parent
            else:
                best[0] = score
                where[0] = column
                _sift_down(best, where, 0, size)
        for last in range(size - 1, 0, -1):  # heap sort: the worst goes to the end
            best[0], best[last] = best[last], best[0]
            where[0], where[last] = where[last], where[0]
            _sift_down(best, where, 0, last)


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
    """The k best columns of every row, exactly, best first; ties go to the lower column.

    score_block  gives the scores of a slice of rows, float32 (rows, n_columns); NaN means not a candidate
    exclude      CSR (n_rows, n_columns): its stored entries are no candidates (seen items)
    allowed      bool (n_columns,): columns outside it are no candidates for anyone
    n_threads    blocks of rows computed side by side, each with one BLAS thread; 1 leaves BLAS alone

    Returns columns int32 (n_rows, k) and scores float32 (n_rows, k). A row with fewer than k candidates is
    filled up with `NONE` and -inf: nothing that was filtered ever comes back. Memory is bounded by
    `BLOCK_BYTES` a thread besides the result.
    """
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
        exclude = canonical(exclude)  # the kernel walks along each row's columns in rising order
        starts, excluded = exclude.indptr.astype(np.int64), exclude.indices.astype(np.int32, copy=False)

    def select(rows: slice) -> None:
        block = np.ascontiguousarray(score_block(rows), dtype=np.float32)
        _select(block, k, starts[rows.start : rows.stop + 1], excluded, kept, columns[rows], scores[rows])

    blocks = list(row_blocks(n_rows, max(1, BLOCK_BYTES // (4 * max(1, n_columns)))))
    if n_threads == 1 or len(blocks) == 1:
        for rows in blocks:
            select(rows)
    else:
        with _blas().limit(limits=1, user_api="blas"), ThreadPoolExecutor(n_threads) as pool:
            list(pool.map(select, blocks))  # the list makes a worker's exception ours
    return columns, scores


def canonical(matrix: sp.csr_matrix) -> sp.csr_matrix:
    """As CSR with each row's columns in rising order, none twice; a copy only where it is not so already."""
    matrix = sp.csr_matrix(matrix)
    if not matrix.has_canonical_format:
        matrix = matrix.copy()
        matrix.sum_duplicates()
    return matrix


def row_blocks(n_rows: int, size: int) -> Iterator[slice]:
    """Consecutive slices of at most `size` rows that cover `n_rows`."""
    for start in range(0, n_rows, size):
        yield slice(start, min(start + size, n_rows))
