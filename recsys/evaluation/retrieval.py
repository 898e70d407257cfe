"""Nearest-neighbour retrieval: do an item's neighbours share its attributes, and do two spaces agree on neighbours?

Vectors are compared by cosine. Everywhere here

    vectors    (n_items, d) floats, a NumPy array or SciPy CSR; zero rows are left out of every mean
    evaluated  (n_items,) bool: the items that queries and results are restricted to, usually the well-known ones
    carries    (n_items, m) bool: which items have which attribute, such as a genre

The same seed gives the same numbers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recsys.errors import InputError, SettingError
from recsys.evaluation.serialization import known
from recsys.evaluation.vectors import Vectors, checked_attributes, dense, evaluated_directions
from recsys.topk import top_k

N_BINS = 20
"""Popularity bins of equal size, within which the chance level draws its items."""


@dataclass(frozen=True)
class Retrieval:
    """How often an item's neighbours share its attributes; None where no item has an attribute.

    precision       share of the k neighbours that share at least one attribute with the query
    jaccard         mean over the k neighbours of |A ∩ B| / |A ∪ B|
    chance          the precision, and
    chance_jaccard  the Jaccard index, of random items of the same popularity
    n_queries       number of queries: evaluated items with at least one attribute
    """

    precision: float | None
    jaccard: float | None
    chance: float | None
    chance_jaccard: float | None
    n_queries: int


def neighbour_rows(vectors: Vectors, evaluated: np.ndarray, k: int = 10) -> tuple[np.ndarray, np.ndarray]:
    """The k evaluated items nearest by cosine to each evaluated item, the item itself excluded, nearest first; exact.

    Items with a zero vector are neither queries nor results. Equal cosines are ordered at random, differently for each
    query but the same in every call. Returns rows (m,) int64, the queries in ascending order, and neighbours (m, k')
    int32, both as rows of `vectors`, with k' = min(k, m − 1). Raises SettingError for k below 1.
    """
    if k < 1:
        raise SettingError(f"k must be at least 1, not {k}")
    rows, directions = evaluated_directions(vectors, evaluated)
    n = len(rows)
    k = min(k, n - 1)
    if k < 1:
        return rows, np.empty((n, 0), dtype=np.int32)
    # Sparse representations have many ties: most titles share no word, most genres are shared by many movies. With
    # ties in item order, the first movies of the catalogue, which are well known, would be everybody's neighbours. So
    # items are placed on a random circle, and each query breaks ties by position on the circle after its own.
    circle = np.random.default_rng(0).permutation(n)
    on_circle = directions[circle]
    across = on_circle.T.tocsr() if not isinstance(on_circle, np.ndarray) else on_circle.T

    def cosines(block: slice) -> np.ndarray:
        positions = (np.arange(block.start, block.stop)[:, None] + np.arange(1, n)) % n
        return np.take_along_axis(dense(on_circle[block] @ across).astype(np.float32), positions, axis=1)

    steps, _ = top_k(cosines, n, n - 1, k)
    neighbours = np.empty((n, k), dtype=np.int32)
    neighbours[circle] = rows[circle[(np.arange(n)[:, None] + 1 + steps) % n]]
    return rows, neighbours


def retrieval(
    vectors: Vectors, carries: np.ndarray, n_ratings: np.ndarray, evaluated: np.ndarray, k: int = 10, seed: int = 42
) -> Retrieval:
    """Attribute retrieval of the evaluated items with at least one attribute, by their k nearest neighbours.

    n_ratings  (n_items,) number of ratings of each item

    The chance level replaces each neighbour by a random evaluated item other than the query from the neighbour's
    popularity bin (one of `N_BINS` quantile bins of `n_ratings`): what popularity alone would achieve. Raises
    InputError if shapes do not match.
    """
    carries, n_ratings = checked_attributes(carries, evaluated), np.asarray(n_ratings)
    if n_ratings.shape != evaluated.shape:
        raise InputError(f"rating counts of shape {n_ratings.shape} do not fit {len(evaluated)} items")
    rows, neighbours = neighbour_rows(vectors, evaluated, k)
    is_query = carries[rows].any(axis=1)
    rows, neighbours = rows[is_query], neighbours[is_query]
    precision, jaccard = _shared(carries, rows, neighbours)
    substitutes = _equally_popular(rows, neighbours, n_ratings, np.flatnonzero(evaluated), seed)
    chance, chance_jaccard = _shared(carries, rows, substitutes)
    n_queries = len(rows) if neighbours.shape[1] else 0
    return Retrieval(known(precision), known(jaccard), known(chance), known(chance_jaccard), n_queries)


def overlap(a: Vectors, b: Vectors, evaluated: np.ndarray, k: int = 10) -> float:
    """Mean share of an item's k neighbours that two representations of the same items have in common, 0 … 1.

    Averaged over the evaluated items with a vector in both, NaN if there are none. For two seeds of one learner it
    measures stability; for two random representations it is k / (m − 1). Raises InputError for different numbers of
    items.
    """
    if a.shape[0] != b.shape[0]:
        raise InputError(f"representations of {a.shape[0]} and {b.shape[0]} items cannot be compared")
    rows_a, near_a = neighbour_rows(a, evaluated, k)
    rows_b, near_b = neighbour_rows(b, evaluated, k)
    _, in_a, in_b = np.intersect1d(rows_a, rows_b, assume_unique=True, return_indices=True)
    width = max(near_a.shape[1], near_b.shape[1])
    if not len(in_a) or not width:
        return np.nan
    common = (near_a[in_a][:, :, None] == near_b[in_b][:, None, :]).sum(axis=(1, 2))
    return float(common.mean() / width)


def _shared(carries: np.ndarray, rows: np.ndarray, neighbours: np.ndarray) -> tuple[float, float]:
    """Share of query-neighbour pairs with a common attribute, and their mean Jaccard index; every query has one."""
    if not neighbours.size:
        return np.nan, np.nan
    own, shared, jaccard = carries[rows], 0.0, 0.0
    for column in neighbours.T:  # one rank at a time bounds memory to one row of attributes per item
        other = carries[column]
        common = (own & other).sum(axis=1)
        shared += (common > 0).mean()
        jaccard += (common / (own | other).sum(axis=1)).mean()
    return float(shared / neighbours.shape[1]), float(jaccard / neighbours.shape[1])


def _equally_popular(
    rows: np.ndarray, neighbours: np.ndarray, n_ratings: np.ndarray, evaluated_rows: np.ndarray, seed: int
) -> np.ndarray:
    """A random evaluated item from the popularity bin of each neighbour, never the query; shaped like `neighbours`."""
    if not neighbours.size:
        return neighbours
    counts = n_ratings[evaluated_rows]
    edges = np.quantile(counts, np.arange(1, N_BINS) / N_BINS)
    bin_of = np.searchsorted(edges, n_ratings, side="right")
    order = np.argsort(bin_of[evaluated_rows], kind="stable")
    members, bins = evaluated_rows[order], bin_of[evaluated_rows][order]
    first = np.searchsorted(bins, np.arange(N_BINS))
    size = np.bincount(bins, minlength=N_BINS)
    position = np.zeros(len(n_ratings), dtype=np.int64)  # of each evaluated item within `members`
    position[members] = np.arange(len(members))
    target = bin_of[neighbours]
    query_is_here = bin_of[rows][:, None] == target  # the bin holds the neighbour too, so one is left
    drawn = first[target] + np.random.default_rng(seed).integers(size[target] - query_is_here)
    drawn += query_is_here & (drawn >= position[rows][:, None])
    return members[drawn]
