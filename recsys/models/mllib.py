"""mllib: the ALS of Spark's MLlib. Spark trains it; scoring and new users need no Spark."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import scipy.sparse as sp

from recsys.dataset.interactions import Interactions
from recsys.errors import Unsupported
from recsys.limits import MOST_EPOCHS, MOST_FACTORS, MOST_SEED
from recsys.models.fitted import Fitted
from recsys.models.learner import VectorLearner, Watch
from recsys.models.least_squares import NormalEquations
from recsys.models.settings import setting
from recsys.progress import Progress
from recsys.space.embedding import EmbeddingSpace


@dataclass(frozen=True)
class MLlibALS(VectorLearner):
    """Weighted matrix factorization for implicit feedback as Spark's MLlib trains it (`implicitPrefs`).

    Minimizes, over user vectors x_u and item vectors y_i,

        Σ_{u,i} c_ui (p_ui − x_uᵀ y_i)²  +  λ (Σ_u n_u |x_u|² + Σ_i n_i |y_i|²)

    p_ui is 1 for an observed pair and 0 otherwise; c_ui is 1 + α · w_ui for an observed pair with weight w_ui (see
    `Weighting`) and 1 otherwise. n_u and n_i are numbers of observed pairs: this is what differs from `ALS`. Hu, Koren
    & Volinsky 2008; the factors n as in Zhou, Wilkinson, Schreiber & Pan 2008. λ is `regularization` (MLlib: regParam),
    α is `alpha`.

    `recsys train --engine spark` trains it. The score x_uᵀ y_i is as that of `ALS`; there is no bias.
    """

    name: ClassVar[str] = "mllib"
    is_trainable: ClassVar[bool] = False
    starts_from_vectors: ClassVar[bool] = False
    summary: ClassVar[str] = "ALS of Spark's MLlib (recsys train --engine spark)"

    n_factors: int = setting(64, "number of dimensions (MLlib: rank)", 1, MOST_FACTORS)
    regularization: float = setting(
        0.2, "λ, times the number of ratings of a user or item; ranks as `als` does with its default on 100K", 0, 1e9
    )
    alpha: float = setting(2.0, "α: what an interaction of weight 1 adds to its confidence", 0, 1e9)
    epochs: int = setting(15, "sweeps over items and users (MLlib: maxIter)", 1, MOST_EPOCHS)
    seed: int = setting(42, "of the initial vectors", 0, MOST_SEED)

    def _learn(
        self,
        weights: Interactions,
        progress: Progress | None = None,
        watch: Watch | None = None,
        start: EmbeddingSpace | None = None,
    ) -> Fitted:
        raise Unsupported("'mllib' is trained by Spark: recsys train --engine spark")

    def fold_in(self, space: EmbeddingSpace, weights: sp.csr_matrix) -> np.ndarray:
        """The exact minimum for each user with the item factors fixed: x = (YᵀY + Σ (c−1) yyᵀ + λ n I)⁻¹ Σ c y."""
        weights = sp.csr_matrix(weights)
        vectors = np.zeros((weights.shape[0], space.item_factors.shape[1]), dtype=np.float32)
        for row in np.flatnonzero(np.diff(weights.indptr)):
            vectors[row] = self._equations(space, weights[row]).solve()
        return vectors

    def contributions(self, space: EmbeddingSpace, weights: sp.csr_matrix, item_rows: np.ndarray) -> np.ndarray:
        """The exact split of a folded-in user's scores over the rated items: columns sum to the scores."""
        return self._equations(space, sp.csr_matrix(weights)).contributions(space, item_rows)

    def _equations(self, space: EmbeddingSpace, weights: sp.csr_matrix) -> NormalEquations:
        added = self.alpha * weights.data.astype(np.float64)
        ridge = self.regularization * np.count_nonzero(added)
        return NormalEquations.of(space, weights.indices, 1.0, added, np.where(added > 0, 1 + added, 0), ridge)
