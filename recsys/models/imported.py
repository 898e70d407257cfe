"""imported: item vectors (and optionally user vectors) that another program learned.

The score of a pair is the dot product of its two vectors. A user without a stored vector gets the weighted mean of the
vectors of the items they rated,

    x = Σ_i w_i y_i / Σ_i w_i,

where w_i is the weight of the rating (`import-vectors` weights in proportion to the rating). There is nothing to train:
`recsys import-vectors` makes such a model, `train` does not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import scipy.sparse as sp

from recsys.dataset.interactions import Interactions
from recsys.errors import Unsupported
from recsys.limits import MOST_SEED
from recsys.models.fitted import Fitted
from recsys.models.learner import VectorLearner, Watch
from recsys.models.settings import setting
from recsys.progress import Progress
from recsys.space.embedding import EmbeddingSpace


@dataclass(frozen=True)
class Imported(VectorLearner):
    """Vectors of another program. It has no settings and cannot be trained.

    >>> import numpy as np, scipy.sparse as sp
    >>> from recsys.space.embedding import EmbeddingSpace
    >>> space = EmbeddingSpace(np.array([[1, 0], [0, 1], [1, 1]]), ["a", "b", "c"])
    >>> Imported().fold_in(space, sp.csr_matrix([[3.0, 1.0, 0.0]])).tolist()
    [[0.75, 0.25]]
    """

    name: ClassVar[str] = "imported"
    is_trainable: ClassVar[bool] = False
    needs_users: ClassVar[bool] = False
    explains_users: ClassVar[bool] = False
    starts_from_vectors: ClassVar[bool] = False
    summary: ClassVar[str] = "vectors of another program (recsys import-vectors)"

    seed: int = setting(42, "present in every model; nothing here is random", 0, MOST_SEED)

    def _learn(
        self,
        weights: Interactions,
        progress: Progress | None = None,
        watch: Watch | None = None,
        start: EmbeddingSpace | None = None,
    ) -> Fitted:
        raise Unsupported("'imported' is not a model to train; recsys import-vectors makes one from a file of vectors")

    def fold_in(self, space: EmbeddingSpace, weights: sp.csr_matrix) -> np.ndarray:
        """The weighted mean of the rated items' vectors, (n, d) float32; the zero vector for a user without weights."""
        weights = sp.csr_matrix(weights, dtype=np.float64)
        totals = np.asarray(weights.sum(axis=1), dtype=np.float64)
        sums: np.ndarray = weights @ space.item_factors.astype(np.float64)
        means = np.divide(sums, totals, out=np.zeros_like(sums), where=totals > 0)
        return np.asarray(means, dtype=np.float32)

    def contributions(self, space: EmbeddingSpace, weights: sp.csr_matrix, item_rows: np.ndarray) -> np.ndarray:
        """The exact split of a folded-in user: rated item i adds w_i / Σ w · y_i·y_j to item j's score.

        Nothing is known of how a stored user vector came about, so scores of stored users are not split.
        """
        weights = sp.csr_matrix(weights, dtype=np.float64)
        shares = weights.data / weights.data.sum()
        products = space.item_factors[weights.indices].astype(np.float64) @ space.item_factors[item_rows].T
        return np.asarray(shares[:, None] * products, dtype=np.float32)
