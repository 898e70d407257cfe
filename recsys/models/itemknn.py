"""itemknn: item-based nearest neighbors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import scipy.sparse as sp

from recsys.dataset.interactions import Interactions
from recsys.dataset.weighting import Weighting
from recsys.limits import MOST_SEED
from recsys.models.fitted import ItemWeights
from recsys.models.learner import Learner, Watch
from recsys.models.settings import setting
from recsys.progress import Progress
from recsys.topk import NONE, top_k

Similarity = Literal["cosine", "bm25"]


@dataclass(frozen=True)
class ItemKNN(Learner):
    """Item-based nearest neighbors (Sarwar, Karypis, Konstan & Riedl 2001; Deshpande & Karypis 2004).

    The similarity of items i and j is

        c_iᵀ c_j / (|c_i| |c_j| + shrinkage)

    c_i (n_users,) is the column of item i in the weights of the ratings (see `Weighting`): as it is ("cosine"), or
    after BM25 weighting ("bm25"), which gives users who rate everything less weight. "Item-Based Top-N Recommendation
    Algorithms", TOIS 22(1).

    A user's score of an item is the sum of their weights times the similarity of that item to each rated one, over its
    `n_neighbours` most similar items. The model has item-item weights instead of vectors, so there is no map and there
    are no axes.

    `fit` returns a `Model` whose weights are (n_items, n_items) float32, sparse unless more than a quarter is filled.

    >>> import pandas as pd
    >>> from recsys.dataset.dataset import Dataset
    >>> ratings = pd.DataFrame({"user_id": [1, 1, 2, 2, 3], "item_id": list("abaca"), "rating": [5, 4, 5, 4, 3]})
    >>> ItemKNN(n_neighbours=2).fit(Dataset.from_frame(ratings)).fitted.weights.shape
    (3, 3)
    """

    name: ClassVar[str] = "itemknn"
    has_vectors: ClassVar[bool] = False
    summary: ClassVar[str] = "people who rated this also rated (Deshpande & Karypis 2004)"

    n_neighbours: int = setting(300, "the most similar items that count towards a score", 1, 10**6, search=(20, 1000))
    shrinkage: float = setting(10.0, "lowers similarities that rest on few users", 0, 1e12, search=(0.1, 300.0))
    similarity: Similarity = setting("cosine", "cosine of the columns as they are, or after BM25 weighting")
    seed: int = setting(42, "not used: nothing is random; every model has one", 0, MOST_SEED)

    def memory(self, n_users: int, n_items: int) -> int:
        """Three copies of the neighbours of all items: an index and a similarity each."""
        return 3 * 8 * n_items * min(self.n_neighbours, n_items)

    def _learn(
        self, weights: Interactions, progress: Progress | None = None, watch: Watch | None = None
    ) -> ItemWeights:
        """Computes the similarities of a block of items at a time, so that memory is bounded by the result."""
        matrix = weights.matrix
        if self.similarity == "bm25":
            matrix = Weighting(scheme="bm25").fit(weights).apply(matrix)
        columns = matrix.T.tocsr()
        lengths = np.sqrt(np.asarray(columns.multiply(columns).sum(axis=1), dtype=np.float64)).ravel()
        n = len(lengths)

        def similarities(rows: slice) -> np.ndarray:
            products = (columns[rows] @ matrix).toarray()
            if progress is not None:
                progress(rows.stop, n)
            norms = lengths[rows, None] * lengths + self.shrinkage
            found: np.ndarray = np.divide(
                products, norms, out=np.zeros_like(products), where=norms > 0, casting="unsafe"
            )
            return found

        self_pairs = sp.identity(n, dtype=np.float32, format="csr")
        nearest, values = top_k(similarities, n, n, min(self.n_neighbours, n), exclude=self_pairs)
        kept = (nearest != NONE) & (values > 0)
        scored = np.repeat(np.arange(n), kept.sum(axis=1))
        similar = sp.csr_matrix((values[kept], (nearest[kept], scored)), shape=(n, n))
        return ItemWeights(similar, weights.item_ids)
