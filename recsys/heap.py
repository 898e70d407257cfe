"""The k best candidates in a heap: compiled for the kernels of `topk` and `inner_products`."""

from __future__ import annotations

import numba
import numpy as np


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
def offer(scores, columns, size, score, column) -> int:  # type: ignore[no-untyped-def]
    """Add a candidate to the heap of the best ones if it is among them; returns the new size. NaN never is."""
    if size == len(scores):
        if score > scores[0] or (score == scores[0] and column < columns[0]):
            scores[0] = score
            columns[0] = column
            _sift_down(scores, columns, 0, size)
        return size
    if np.isnan(score):
        return size
    child = size
    scores[child] = score
    columns[child] = column
    while child > 0:
        parent = (child - 1) // 2
        if scores[parent] < score or (scores[parent] == score and columns[parent] > column):
            break
        scores[child], columns[child] = scores[parent], columns[parent]
        scores[parent], columns[parent] = score, column
        child = parent
    return size + 1


@numba.njit(nogil=True, cache=True)
def sort_heap(scores, columns, size) -> None:  # type: ignore[no-untyped-def]
    """Turn the heap into a list, best first: move the worst to the end."""
    for last in range(size - 1, 0, -1):
        scores[0], scores[last] = scores[last], scores[0]
        columns[0], columns[last] = columns[last], columns[0]
        _sift_down(scores, columns, 0, last)


@numba.njit(nogil=True, cache=True)
def select(scores, excluded_start, excluded, allowed, top_columns, top_scores) -> None:  # type: ignore[no-untyped-def]
    """Keep the k best columns of each row in a heap, stepping through the sorted excluded columns in parallel."""
    n_rows, n_columns = scores.shape
    k = top_scores.shape[1]
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
            if size == k and not score > best[0]:  # columns are visited in ascending order, so an equal score loses
                continue
            if allowed[column]:
                size = offer(best, where, size, score, column)
        sort_heap(best, where, size)
