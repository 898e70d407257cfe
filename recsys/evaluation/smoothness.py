"""Smoothness of a space: whether what lies between two items is like both, measured by their genres."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recsys.dataset.attributes import Attributes
from recsys.dataset.catalog import one_hot
from recsys.errors import InputError
from recsys.limits import check_number, check_seed
from recsys.space.embedding import EmbeddingSpace, well_known_items

WAY = (0.25, 0.5, 0.75)
"""Points of each line."""
MOST_PAIRS = 1_000_000


@dataclass(frozen=True)
class Smoothness:
    """Points on straight lines between random pairs of items.

    share     of the points whose ten nearest items are nearer in genre to both ends than those of a point at the same
              place on the line between two other random items
    chance    the same with the vectors dealt to the items at random
    n_points  number of points
    """

    share: float
    chance: float
    n_points: int


def smoothness(
    space: EmbeddingSpace, attributes: Attributes, *, n_pairs: int = 1000, k: int = 10, seed: int = 42
) -> Smoothness:
    """Measure straight lines between pairs of well-known items with genres.

    How near a list is to an item in genre is the mean cosine of the genres (0/1 vectors) of its items and those of the
    item. The ends of a line are not listed. Raises InputError for fewer than 50 well-known items, or when fewer than
    four of them have genres.
    """
    check_number("n_pairs", n_pairs, 1, MOST_PAIRS, whole=True)
    check_seed(seed)
    genres = one_hot(attributes.catalog.items["genres"])[1].astype(np.float32)
    counts = genres.sum(axis=1)
    used = np.flatnonzero(well_known_items(space, attributes) & (counts > 0))
    if len(used) < 4:
        raise InputError(f"only {len(used)} well-known items have genres; at least 4 are needed")
    genres = genres[used] / np.sqrt(counts[used, None])
    rng = np.random.default_rng(seed)
    pairs = np.stack([rng.choice(len(used), 4, replace=False) for _ in range(n_pairs)])
    directions = space.item_directions[used]
    found = _share(directions, genres, pairs, k)
    return Smoothness(found, _share(rng.permutation(directions), genres, pairs, k), n_pairs * len(WAY))


def _share(directions: np.ndarray, genres: np.ndarray, pairs: np.ndarray, k: int) -> float:
    """The share of points that are nearer to both ends.

    pairs  (n, 4): the two ends of a line, and those of another line
    """
    wins = 0
    for way in WAY:
        on_line, elsewhere = (_genres_near(directions, genres, pairs[:, ends], way, k) for ends in ([0, 1], [2, 3]))
        ends = genres[pairs[:, 0]], genres[pairs[:, 1]]
        nearer = [np.einsum("ng,ng->n", end, on_line - elsewhere) > 0 for end in ends]
        wins += int((nearer[0] & nearer[1]).sum())
    return wins / (len(WAY) * len(pairs))


def _genres_near(directions: np.ndarray, genres: np.ndarray, ends: np.ndarray, way: float, k: int) -> np.ndarray:
    """The mean genres (n, n_genres) of the k items nearest to the points at `way` on lines between `ends` (n, 2)."""
    points = (1 - way) * directions[ends[:, 0]] + way * directions[ends[:, 1]]
    cosines = points @ directions.T  # the length of a point does not change the order
    np.put_along_axis(cosines, ends, -np.inf, axis=1)
    nearest = np.argpartition(-cosines, k, axis=1)[:, :k] if k < cosines.shape[1] else np.argsort(-cosines, axis=1)
    result: np.ndarray = genres[nearest].mean(axis=1)
    return result
