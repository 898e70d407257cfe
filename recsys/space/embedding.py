"""EmbeddingSpace: users and items as vectors in one space, and what can be asked of it by arithmetic alone.

Knows nothing of how the vectors were learned, of files or of titles.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd
import scipy.sparse as sp

from recsys.dataset.interactions import as_ids, index_of, rows_of
from recsys.errors import InputError, SettingError
from recsys.topk import NONE, top_k

Metric = Literal["cosine", "dot", "euclidean"]


@dataclass(frozen=True, eq=False)
class EmbeddingSpace:
    """Vectors of users and items; the score of a pair is the dot product of its two rows.

    user_factors  (n_users, d) float32
    item_factors  (n_items, d) float32
    user_ids      (n_users,) int64 or str objects
    item_ids      (n_items,) int64 or str objects
    has_bias      True when the last dimension holds an item's bias (and 1 for every user). It takes part in
                  scores, but is left out of cosine, Euclidean distance, axes and maps: it says how popular an
                  item is, not what it is like.

    Raises InputError when the parts do not fit together or a factor is not finite.
    """

    user_factors: np.ndarray
    item_factors: np.ndarray
    user_ids: np.ndarray
    item_ids: np.ndarray
    has_bias: bool = False

    def __post_init__(self) -> None:
        for kind in ("user", "item"):
            factors = np.ascontiguousarray(getattr(self, f"{kind}_factors"), dtype=np.float32)
            ids = as_ids(getattr(self, f"{kind}_ids"))
            if factors.ndim != 2 or len(factors) != len(ids):
                raise InputError(f"{kind} factors of shape {factors.shape} do not fit {len(ids)} {kind} ids")
            if not np.isfinite(factors).all():
                raise InputError(f"{kind} factors hold values that are not finite: training diverged")
            factors.setflags(write=False)
            object.__setattr__(self, f"{kind}_factors", factors)
            object.__setattr__(self, f"{kind}_ids", ids)
        if self.user_factors.shape[1] != self.item_factors.shape[1]:
            raise InputError(f"users have {self.user_factors.shape[1]} dimensions, items {self.item_factors.shape[1]}")

    @property
    def n_users(self) -> int:
        return len(self.user_ids)

    @property
    def n_items(self) -> int:
        return len(self.item_ids)

    @property
    def n_factors(self) -> int:
        """Dimensions of taste: the bias, where there is one, is not counted."""
        return self.item_factors.shape[1] - self.has_bias

    @cached_property
    def user_index(self) -> pd.Index:
        return index_of(self.user_ids)

    @cached_property
    def item_index(self) -> pd.Index:
        return index_of(self.item_ids)

    def item_rows(self, ids: Sequence[Any] | np.ndarray) -> np.ndarray:
        """Original item ids → row numbers, int64; raises UnknownId naming those that are not here."""
        return rows_of(self.item_index, ids, "item")

    @cached_property
    def item_gram(self) -> np.ndarray:
        """Yᵀ·Y of the item factors, (d, d) float64: every fold-in needs it."""
        return (self.item_factors.T @ self.item_factors).astype(np.float64)

    @cached_property
    def item_directions(self) -> np.ndarray:
        """Item vectors without bias, of length 1, (n_items, n_factors) float32; zero vectors stay zero."""
        return self.directions(self.item_factors)

    def directions(self, vectors: np.ndarray) -> np.ndarray:
        """`vectors` (n, d) of this space without bias, scaled to length 1; zero vectors stay zero."""
        taste = vectors[:, : self.n_factors]
        lengths = np.linalg.norm(taste, axis=1, keepdims=True)
        return np.divide(taste, lengths, out=np.zeros_like(taste), where=lengths > 0)

    def score(self, user_vectors: np.ndarray) -> np.ndarray:
        """Scores of every item for each user vector: (n, d) → (n, n_items) float32."""
        return user_vectors @ self.item_factors.T

    def similarity(self, vectors: np.ndarray, metric: Metric = "cosine") -> np.ndarray:
        """Likeness of every item to each vector, higher is nearer: (n, d) → (n, n_items) float32.

        cosine     angle only, −1 … 1: what a movie is like, whatever its popularity
        dot        length counts: popular movies come first (the bias, which is popularity, is part of it)
        euclidean  minus the distance: near in direction and in length
        """
        if metric == "cosine":
            return self.directions(vectors) @ self.item_directions.T
        if metric == "dot":
            return vectors @ self.item_factors.T
        if metric == "euclidean":
            here, there = vectors[:, : self.n_factors], self.item_factors[:, : self.n_factors]
            squared = (here**2).sum(1)[:, None] + (there**2).sum(1)[None, :] - 2 * (here @ there.T)
            return -np.sqrt(np.maximum(squared, 0))
        raise SettingError(f"unknown metric {metric!r}: use {', '.join(get_args(Metric))}")

    def neighbours(
        self, item_ids: Sequence[Any] | np.ndarray, k: int = 10, metric: Metric = "cosine"
    ) -> tuple[np.ndarray, np.ndarray]:
        """The k items nearest to each of `item_ids`, itself left out, nearest first.

        Returns (ids, likenesses), both (n, k') with k' = min(k, n_items − 1); likenesses are float32 as in
        `similarity`. Raises UnknownId.
        """
        rows = self.item_rows(item_ids)
        itself = sp.csr_matrix((np.ones(len(rows)), (np.arange(len(rows)), rows)), shape=(len(rows), self.n_items))
        k = min(k, self.n_items - 1)
        if k < 1:
            return np.empty((len(rows), 0), dtype=self.item_ids.dtype), np.empty((len(rows), 0), np.float32)
        columns, likeness = top_k(
            lambda block: self.similarity(self.item_factors[rows[block]], metric),
            len(rows),
            self.n_items,
            k,
            exclude=itself,
        )
        return self.item_ids[columns], likeness

    def analogy(self, a: Any, b: Any, c: Any, k: int = 10) -> tuple[np.ndarray, np.ndarray]:
        """`a` is to `b` as `c` is to ?: the k items nearest in direction to b − a + c, without these three.

        Mikolov et al. 2013, 3CosAdd on unit vectors. Returns (ids, cosines), each (k',). Raises UnknownId.
        """
        rows = self.item_rows([a, b, c])
        minus, plus, plus_too = self.item_directions[rows]
        goal = (plus - minus + plus_too)[None, :]
        length = np.linalg.norm(goal)
        cosines = (goal / length if length > 0 else goal) @ self.item_directions.T
        allowed = np.ones(self.n_items, dtype=bool)
        allowed[rows] = False
        columns, likeness = top_k(lambda _: cosines, 1, self.n_items, max(1, min(k, self.n_items)), allowed=allowed)
        found = columns[0] != NONE
        return self.item_ids[columns[0][found]], likeness[0][found]
