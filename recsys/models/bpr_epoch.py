"""The compiled kernel of BPR."""

from __future__ import annotations

import numba
import numpy as np


@numba.njit(nogil=True, cache=True, fastmath={"reassoc", "contract"})
def epoch(order, users, indptr, items, x, y, rate, penalty, candidates, rng) -> None:  # type: ignore[no-untyped-def]
    """One pass over the interactions, each with one unrated item; updates x and y in place; the bias is last."""
    d = x.shape[1] - 1
    n_items = len(y)
    rate, penalty = np.float32(rate), np.float32(penalty)
    for at in order:
        u, i = users[at], items[at]
        rated = items[indptr[u] : indptr[u + 1]]
        if len(rated) == n_items:
            continue
        j, best = -1, np.float32(0)
        for _ in range(candidates):
            other = rng.integers(0, n_items)
            at_rated = np.searchsorted(rated, other)
            while at_rated < len(rated) and rated[at_rated] == other:
                other = rng.integers(0, n_items)
                at_rated = np.searchsorted(rated, other)
            score = y[other, d]
            if candidates > 1:
                for f in range(d):
                    score += x[u, f] * y[other, f]
            if j < 0 or score > best:
                j, best = other, score
        gap = y[i, d] - y[j, d]
        for f in range(d):
            gap += x[u, f] * (y[i, f] - y[j, f])
        pull = rate / (np.float32(1) + np.exp(gap))
        shrink = np.float32(1) - rate * penalty
        for f in range(d):
            xf, yi, yj = x[u, f], y[i, f], y[j, f]
            x[u, f] = shrink * xf + pull * (yi - yj)
            y[i, f] = shrink * yi + pull * xf
            y[j, f] = shrink * yj - pull * xf
        y[i, d] = shrink * y[i, d] + pull
        y[j, d] = shrink * y[j, d] - pull
