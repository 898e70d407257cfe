"""What a model can be after it has learned: vectors, weights between items, or one score an item.

All but the vectors, which have a file of their own (`recsys/embeddings.py`), are here. Knows no particular model.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp

from recsys.dataset.interactions import as_ids
from recsys.errors import InputError, Unsupported
from recsys.space.embedding import EmbeddingSpace


@dataclass(frozen=True, eq=False)
class ItemScores:
    """One score per item, the same for every user: what a learner without vectors may return.

    scores    (n_items,) float32, higher is better
    item_ids  (n_items,) int64 or str objects
    """

    scores: np.ndarray
    item_ids: np.ndarray

    def __post_init__(self) -> None:
        object.__setattr__(self, "scores", np.asarray(self.scores, dtype=np.float32))
        object.__setattr__(self, "item_ids", as_ids(self.item_ids))

    def score(self, n_users: int) -> np.ndarray:
        """Scores of every item for `n_users` users, (n_users, n_items) float32, a read-only view."""
        return np.broadcast_to(self.scores, (n_users, len(self.scores)))


@dataclass(frozen=True, eq=False)
class ItemWeights:
    """What each item says about each other one: a user's scores are the sum over what they rated.

    weights   (n_items, n_items) float32, from the rated item (row) to the scored one (column): a CSR matrix, or an
              array where more than a quarter of it is filled
    item_ids  (n_items,) int64 or str objects
    """

    weights: Any
    item_ids: np.ndarray

    def __post_init__(self) -> None:
        ids, weights = as_ids(self.item_ids), self.weights
        if weights.shape != (len(ids), len(ids)):
            raise InputError(f"item weights of shape {weights.shape} do not fit {len(ids)} item ids")
        if sp.issparse(weights) and weights.nnz > len(ids) ** 2 / 4:
            weights = weights.toarray()
        weights = sp.csr_matrix(weights, dtype=np.float32) if sp.issparse(weights) else np.asarray(weights, np.float32)
        if not np.isfinite(weights.data if sp.issparse(weights) else weights).all():
            raise InputError("item weights hold values that are not finite")
        object.__setattr__(self, "weights", weights)
        object.__setattr__(self, "item_ids", ids)

    def score(self, ratings: sp.csr_matrix) -> np.ndarray:
        """Scores of every item, (n, n_items) float32, from the users' weights (n, n_items)."""
        scores = sp.csr_matrix(ratings, dtype=np.float32) @ self.weights
        return scores.toarray() if sp.issparse(scores) else np.asarray(scores)

    def contributions(self, ratings: sp.csr_matrix, item_rows: np.ndarray) -> np.ndarray:
        """The exact split of one user's scores over the rated items: (nnz, len(item_rows)) float32."""
        ratings = sp.csr_matrix(ratings, dtype=np.float32)
        part = self.weights[ratings.indices][:, item_rows]
        return ratings.data[:, None] * (part.toarray() if sp.issparse(part) else part)


Fitted = EmbeddingSpace | ItemScores | ItemWeights


def item_weights_of(fitted: Fitted, name: str) -> ItemWeights:
    """The item weights, if the model has them; raises Unsupported naming the model otherwise."""
    if not isinstance(fitted, ItemWeights):
        raise Unsupported(f"{name!r} has no item weights")
    return fitted


def vectors_of(space: Fitted, name: str) -> EmbeddingSpace:
    """The space, if the model has one; raises Unsupported naming the model otherwise."""
    if not isinstance(space, EmbeddingSpace):
        raise Unsupported(f"{name!r} has no user and item vectors; train ials, als or bpr for that")
    return space
