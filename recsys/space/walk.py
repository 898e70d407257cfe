"""Points of a space as lists of items: of any vector, of random users, and of points on a line between two."""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np
import pandas as pd

from recsys.errors import InputError, SettingError, Unsupported, quoted
from recsys.limits import MOST_LISTED, check_number, check_seed
from recsys.space.embedding import EmbeddingSpace
from recsys.topk import NONE

Prior = Literal["users", "normal"]

MOST_STEPS = 1000
MOST_SAMPLES = 10_000


def decode(space: EmbeddingSpace, vectors: np.ndarray, k: int = 10) -> tuple[np.ndarray, np.ndarray]:
    """The k items with the highest scores for each vector: row numbers and scores, both (n, k').

    vectors  (n, n_factors), or (n, n_factors + 1) with the 1 of the bias dimension; as user vectors

    Raises InputError for other shapes and for numbers that are not finite.
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


def sample(space: EmbeddingSpace, n: int, *, prior: Prior = "users", seed: int = 42) -> np.ndarray:
    """Vectors of `n` imaginary users, (n, n_factors) float32, for `decode`.

    prior  users   the normal distribution with the mean and the covariance of the user vectors. For `vae` this is the
                   aggregated posterior without its noise, "ex-post density estimation" (Ghosh et al. 2020, "From
                   Variational to Deterministic Autoencoders"); for models without a prior it is an approximation
           normal  standard normal numbers: the prior that `vae` with variant "multvae" is trained with. Its users are
                   not spread like that, so many lists consist of little-known items

    The prior of variant "recvae" consists mostly of the encoder's own output for the user at hand, and cannot be drawn
    from without one. Raises Unsupported for "users" without at least two user vectors, SettingError for another prior,
    or `n` or `seed` out of range.
    """
    check_number("n", n, 1, MOST_SAMPLES, whole=True)
    check_seed(seed)
    rng = np.random.default_rng(seed)
    if prior == "normal":
        return rng.standard_normal((n, space.n_factors), dtype=np.float32)
    if prior != "users":
        raise SettingError(f"unknown prior {quoted(prior)}: use {', '.join(get_args(Prior))}")
    users = space.user_factors[:, : space.n_factors]
    users = users[users.any(axis=1)].astype(np.float64)
    if len(users) < 2:
        raise Unsupported("the space has no user vectors to fit a distribution to; sample with the prior normal")
    mean, covariance = users.mean(axis=0), np.atleast_2d(np.cov(users, rowvar=False))
    return rng.multivariate_normal(mean, covariance, n, check_valid="ignore", method="eigh").astype(np.float32)


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
