"""itemknn: what people who rated this also rated. Sarwar et al. 2001; Deshpande & Karypis 2004.

The likeness of items i and j is c_i·c_j / (|c_i| |c_j| + shrinkage), with c_i the column of item i: its users'
weights, as they are (cosine) or after BM25, which counts users who rate everything for less. A score is the sum of an
item's likeness to what the user rated, over its `n_neighbours` nearest items. Item-item weights instead of vectors:
no map, no axes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import scipy.sparse as sp

from recsys.dataset.interactions import Interactions
from recsys.dataset.weighting import Weighting
from recsys.errors import Unsupported
from recsys.models.fitted import Fitted, ItemWeights, item_weights_of
from recsys.models.learner import Learner, Progress, Watch
from recsys.models.settings import setting
from recsys.topk import NONE, top_k

Likeness = Literal["cosine", "bm25"]


@dataclass(frozen=True)
class ItemKNN(Learner):
    """Settings of the model; `fit` returns item-item weights."""

    name: ClassVar[str] = "itemknn"
    summary: ClassVar[str] = "people who rated this also rated (Deshpande & Karypis 2004)"

    n_neighbours: int = setting(300, "items that may speak for an item", 1, search=(20, 1000))
    shrinkage: float = setting(10.0, "makes a likeness that rests on few users smaller", 0, search=(0.1, 300.0))
    likeness: Likeness = setting("cosine", "of columns as they are, or after BM25")
    seed: int = setting(42, "kept for uniformity; nothing here is random", 0)

    def _learn(
        self, weights: Interactions, progress: Progress | None = None, watch: Watch | None = None
    ) -> ItemWeights:
        """Find each item's nearest ones, a block of items at a time: memory is bounded by the result."""
        matrix = weights.matrix
        if self.likeness == "bm25":
            matrix = Weighting(scheme="bm25").fit(weights).apply(matrix)
        columns = matrix.T.tocsr()
        lengths = np.sqrt(np.asarray(columns.multiply(columns).sum(axis=1), dtype=np.float64)).ravel()
        n = len(lengths)

        def likeness(rows: slice) -> np.ndarray:
            products = (columns[rows] @ matrix).toarray()
            if progress is not None:
                progress(rows.stop, n)
            norms = lengths[rows, None] * lengths + self.shrinkage
            return np.divide(products, norms, out=np.zeros_like(products), where=norms > 0, casting="unsafe")

        itself = sp.identity(n, dtype=np.float32, format="csr")
        nearest, values = top_k(likeness, n, n, min(self.n_neighbours, n), exclude=itself)
        found = (nearest != NONE) & (values > 0)
        scored = np.repeat(np.arange(n), found.sum(axis=1))
        similarity = sp.csr_matrix((values[found], (nearest[found], scored)), shape=(n, n))
        return ItemWeights(similarity, weights.item_ids)

    def fold_in(self, space: Fitted, ratings: sp.csr_matrix) -> np.ndarray:
        """Raises Unsupported: there are no vectors; a new user is scored from their ratings like any other."""
        raise Unsupported("'itemknn' has no vectors; it scores a new user from their ratings as they are")

    def contributions(self, space: Fitted, ratings: sp.csr_matrix, item_rows: np.ndarray) -> np.ndarray:
        """The exact split of a user's scores over the rated items: columns sum to the scores."""
        return item_weights_of(space, self.name).contributions(ratings, item_rows)
