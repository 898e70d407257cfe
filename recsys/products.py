"""Exact top-k by inner product: a few queries by NumPy, many by `InnerProducts`, with the same result.

Arranging the vectors and loading numba take longer than a few products.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sp

from recsys.topk import NONE

if TYPE_CHECKING:
    from recsys.inner_products import InnerProducts

FEW_PRODUCTS = 2**18
"""Up to this many products are computed by NumPy, unless the vectors are arranged already."""
LANES = 16
"""Sums that a product is made of; see `recsys.tiles.dot`."""


class Products:
    """Vectors whose largest inner products with queries are asked for.

    vectors  (n, d) float32, which must not change
    """

    def __init__(self, vectors: np.ndarray) -> None:
        self._vectors = np.asarray(vectors, dtype=np.float32)

    @cached_property
    def arranged(self) -> InnerProducts:
        """The vectors arranged for many queries; computed on first access."""
        from recsys.inner_products import InnerProducts  # loads numba

        return InnerProducts(self._vectors)

    def top_k(
        self,
        queries: np.ndarray,
        k: int,
        *,
        exclude: sp.csr_matrix | None = None,
        allowed: np.ndarray | None = None,
        n_threads: int = 1,
    ) -> tuple[np.ndarray, np.ndarray]:
        """As `InnerProducts.top_k`."""
        is_few = len(queries) * len(self._vectors) <= FEW_PRODUCTS
        if "arranged" in self.__dict__ or not is_few or k < 1:
            return self.arranged.top_k(queries, k, exclude=exclude, allowed=allowed, n_threads=n_threads)
        columns = np.full((len(queries), k), NONE, dtype=np.int32)
        scores = np.full((len(queries), k), -np.inf, dtype=np.float32)
        for row, query in enumerate(np.asarray(queries, dtype=np.float32)):
            is_candidate = np.ones(len(self._vectors), dtype=bool) if allowed is None else np.array(allowed, dtype=bool)
            if exclude is not None:
                is_candidate[exclude.indices[exclude.indptr[row] : exclude.indptr[row + 1]]] = False
            candidates = self._contenders(query, k, is_candidate)
            found = _products(self._vectors[candidates], query)
            order = np.argsort(-found, kind="stable")[:k]  # NaN comes last
            order = order[~np.isnan(found[order])]
            columns[row, : len(order)], scores[row, : len(order)] = candidates[order], found[order]
        return columns, scores

    @cached_property
    def _lengths(self) -> np.ndarray:
        return np.linalg.norm(self._vectors.astype(np.float64), axis=1)

    def _contenders(self, query: np.ndarray, k: int, is_candidate: np.ndarray) -> np.ndarray:
        """Rows of the candidates that can be among the k best, ascending.

        NumPy's products differ from those of `_products` by rounding alone: by less than 2 (d + 2) 2⁻²⁴ |q| |v| and the
        d smallest numbers, unless a sum overflows. What the k-th best may be too high by does not exclude anything.
        """
        d = len(query)
        with np.errstate(all="ignore"):
            products = (self._vectors @ query).astype(np.float64)
            sizes = self._lengths * np.linalg.norm(query.astype(np.float64))
            errors = 4 * (d + 2) * 2.0**-24 * sizes + d * 2.0**-148
            is_bounded = sizes < np.finfo(np.float32).max / 4
            lowest = np.where(is_bounded & is_candidate, products - errors, -np.inf)
            highest = np.where(is_bounded, products + errors, np.inf)
        kth = np.partition(lowest, -k)[-k] if k <= len(lowest) else -np.inf
        return np.flatnonzero(is_candidate & (highest >= kth))


def _products(vectors: np.ndarray, query: np.ndarray) -> np.ndarray:
    """The products of n vectors with a query, (n,) float32, by the operations of `recsys.tiles.dot`: 16 sums by fused
    multiply-add, then a tree."""
    sums = np.zeros((LANES, len(vectors)), dtype=np.float32)
    with np.errstate(all="ignore"):
        for dimension, weight in enumerate(query):
            lane = dimension % LANES
            sums[lane] = _multiply_add(vectors[:, dimension], weight, sums[lane])
        size = LANES
        while size > 1:
            size //= 2
            sums = sums[:size] + sums[size:]
    return sums[0]


def _multiply_add(values: np.ndarray, weight: np.float32, addends: np.ndarray) -> np.ndarray:
    """values · weight + addends, (n,) float32, rounded once, as the processor's instruction does.

    The product of two float32 is exact in float64. Their sum is rounded to odd: where it is not exact, to the neighbour
    whose last bit is 1. Rounding that to float32 gives the correctly rounded result; rounding to nearest twice would
    not (Boldo & Melquiond 2008, "Emulation of FMA and Correctly Rounded Sums").
    """
    products = values.astype(np.float64) * np.float64(weight)
    totals = products + addends
    rounded = totals - products
    errors = (products - (totals - rounded)) + (addends - rounded)
    bits = totals.view(np.int64)
    is_even_neighbour = (errors != 0) & (bits & 1 == 0) & np.isfinite(totals)
    bits += np.where(is_even_neighbour, np.where((errors > 0) == (totals > 0), 1, -1), 0)
    result: np.ndarray = totals.astype(np.float32)
    return result
