"""Points of a space as lists of items: what a vector stands for, and what lies on a straight line between two."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from recsys.errors import InputError
from recsys.limits import MOST_LISTED, check_number
from recsys.space.embedding import EmbeddingSpace
from recsys.topk import NONE

MOST_STEPS = 1000


def decode(space: EmbeddingSpace, vectors: np.ndarray, k: int = 10) -> tuple[np.ndarray, np.ndarray]:
    """The k items with the highest scores for each vector: row numbers and scores, both (n, k').

    vectors  (n, n_factors), or (n, n_factors + 1) with the 1 of the bias dimension; as user vectors

    In the space of a `vae` with variant "multvae", a vector of standard normal numbers is a draw from the prior. Raises
    InputError for other shapes and for numbers that are not finite.
    """
    check_number("k", k, 1, MOST_LISTED, whole=True)
    vectors = np.atleast_2d(np.asarray(vectors, dtype=np.float32))
    if vectors.ndim != 2 or vectors.shape[1] not in (space.n_factors, space.item_factors.shape[1]):
        raise InputError(f"vectors of shape {vectors.shape} do not fit a space of {space.n_factors} dimensions")
    if not np.isfinite(vectors).all():
        raise InputError("a vector to decode must be finite")
    if vectors.shape[1] < space.item_factors.shape[1]:
        vectors = np.hstack([vectors, np.ones((len(vectors), 1), np.float32)])
    return space.inner_products.top_k(vectors, min(k, space.n_items))


def between_items(space: EmbeddingSpace, a: Any, b: Any, steps: int = 5, k: int = 5) -> pd.DataFrame:
    """The items nearest in direction to points on the straight line from item `a` to item `b`, these two left out.

    a, b   original ids
    steps  number of points, evenly spaced, the two ends included

    The line joins the unit vectors. Columns: position (0 at `a`, 1 at `b`), rank, item_id, similarity (cosine with the
    point). Raises UnknownId, InputError for an item with a zero vector or for two with opposite vectors.
    """
    rows = space.item_rows([a, b])
    ends = space.item_directions[rows]
    for row, end in zip(rows, ends, strict=True):
        if not end.any():
            raise InputError(f"item {space.item_ids[row]} has a zero vector, from which no line starts")
    allowed = np.ones(space.n_items, dtype=bool)
    allowed[rows] = False
    positions, points = _line(ends[0], ends[1], steps)
    lengths = np.linalg.norm(points, axis=1, keepdims=True)
    if (lengths < 1e-6).any():
        raise InputError("the two items lie in opposite directions; the line between them has a point without one")
    check_number("k", k, 1, MOST_LISTED, whole=True)
    columns, cosines = space.directions_index.top_k(points / lengths, min(k, space.n_items), allowed=allowed)
    return _table(space, positions, columns, cosines, "similarity")


def between_users(space: EmbeddingSpace, a: Any, b: Any, steps: int = 5, k: int = 5) -> pd.DataFrame:
    """The items with the highest scores for points on the straight line from the vector of user `a` to that of `b`.

    a, b   original ids
    steps  number of points, evenly spaced, the two ends included

    What the users rated is not left out: each point is described by what it likes best. Columns: position, rank,
    item_id, score. Raises UnknownId, Unsupported for a space without user vectors.
    """
    first, last = space.user_factors[space.user_rows([a, b])]
    positions, points = _line(first, last, steps)
    columns, scores = decode(space, points, k)
    return _table(space, positions, columns, scores, "score")


def _line(first: np.ndarray, last: np.ndarray, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Positions from 0 to 1 and the points there, float32."""
    check_number("steps", steps, 2, MOST_STEPS, whole=True)
    positions = np.linspace(0, 1, steps)
    points = (1 - positions[:, None]) * first + positions[:, None] * last
    return positions, points.astype(np.float32)


def _table(
    space: EmbeddingSpace, positions: np.ndarray, columns: np.ndarray, values: np.ndarray, name: str
) -> pd.DataFrame:
    place, rank = np.nonzero(columns != NONE)
    return pd.DataFrame(
        {
            "position": positions[place],
            "rank": rank + 1,
            "item_id": space.item_ids[columns[place, rank]],
            name: values[place, rank],
        }
    )
