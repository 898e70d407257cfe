"""ALS: alternating least squares for implicit feedback, on the kernels of `implicit`."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import scipy.sparse as sp
from threadpoolctl import threadpool_limits

from recsys.dataset.interactions import Interactions
from recsys.limits import MOST_EPOCHS, MOST_FACTORS, MOST_SEED
from recsys.models.fitted import Vectors
from recsys.models.learner import VectorLearner, Watch
from recsys.models.least_squares import NormalEquations
from recsys.models.settings import setting
from recsys.progress import Progress
from recsys.space.embedding import EmbeddingSpace


@dataclass(frozen=True)
class ALS(VectorLearner):
    """Weighted matrix factorization for implicit feedback (Hu, Koren & Volinsky 2008), trained by `implicit`.

    Minimizes, over user vectors x_u and item vectors y_i,

        Σ_{u,i} c_ui (p_ui − x_uᵀ y_i)²  +  λ (Σ_u |x_u|² + Σ_i |y_i|²)

    p_ui is 1 for an observed pair and 0 otherwise. The confidence c_ui is 1 + α · w_ui for an observed pair with weight
    w_ui (see `Weighting`) and 1 otherwise. λ is `regularization`, α is `alpha`. "Collaborative Filtering for Implicit
    Feedback Datasets", ICDM 2008.

    The score x_uᵀ y_i estimates p_ui: near 1 for a sure choice, near 0 for the opposite. Scores are comparable
    between the items of one user, less so between users. There is no bias.

    `fit` returns a `Model` whose space has user factors (n_users, n_factors) and item factors (n_items, n_factors),
    float32. It raises Diverged when the settings are too extreme for the data.

    >>> import pandas as pd
    >>> from recsys.dataset.dataset import Dataset
    >>> ratings = pd.DataFrame({"user_id": [1, 1, 2, 2, 3], "item_id": list("abaca"), "rating": [5, 4, 5, 4, 3]})
    >>> model = ALS(n_factors=2, regularization=0.1).fit(Dataset.from_frame(ratings))
    >>> model.space.user_factors.shape, model.space.item_factors.shape
    ((3, 2), (3, 2))
    """

    name: ClassVar[str] = "als"
    remedy: ClassVar[str] = "lower alpha, or raise regularization"
    summary: ClassVar[str] = "alternating least squares on confidences (Hu et al. 2008)"

    n_factors: int = setting(64, "number of dimensions; more capture finer tastes and take longer", 1, MOST_FACTORS)
    regularization: float = setting(
        30.0,
        "λ: shrinks all vectors; between the best values on validation parts of latest-small (20) and 100K, 1M (60)",
        0,
        1e9,
        search=(1.0, 300.0),
    )
    alpha: float = setting(2.0, "α: what an interaction of weight 1 adds to its confidence", 0, 1e9, search=(0.3, 30.0))
    epochs: int = setting(15, "sweeps over users and items; quality no longer changes after these", 1, MOST_EPOCHS)
    seed: int = setting(42, "of the initial vectors", 0, MOST_SEED)

    def _learn(
        self,
        weights: Interactions,
        progress: Progress | None = None,
        watch: Watch | None = None,
        start: EmbeddingSpace | None = None,
    ) -> Vectors:
        """Ends with an exact solve of the users, so that `fold_in` agrees with it."""
        from implicit.cpu.als import AlternatingLeastSquares  # slow to import

        confidence = self._confidence(weights.matrix).copy()  # implicit rejects read-only arrays
        with threadpool_limits(1, "blas"):  # implicit has its own threads, and its constructor warns about BLAS threads
            model = AlternatingLeastSquares(
                factors=self.n_factors,
                regularization=self.regularization,
                alpha=1.0,  # the matrix already holds the confidences
                iterations=self.epochs,
                random_state=self.seed,
            )
            if start is not None:  # it draws random vectors only where there are none, and changes them in place
                model.user_factors, model.item_factors = start.user_factors.copy(), start.item_factors.copy()

            def vectors() -> Vectors:
                user_factors = model.recalculate_user(np.arange(weights.n_users), confidence)
                space = EmbeddingSpace(model.item_factors.copy(), weights.item_ids, user_factors, weights.user_ids)
                return Vectors(space, self)

            def after_epoch(epoch: int, *_: float) -> None:
                if progress is not None:
                    progress(epoch + 1, self.epochs)
                if watch is not None and watch(epoch + 1, vectors()):
                    raise _Stop

            with suppress(_Stop):
                model.fit(confidence, show_progress=False, callback=after_epoch)
            return vectors()

    def fold_in(self, space: EmbeddingSpace, weights: sp.csr_matrix) -> np.ndarray:
        """The exact minimum for each user with the item factors fixed: x = (YᵀY + Σ (c−1) yyᵀ + λI)⁻¹ Σ c y."""
        weights = sp.csr_matrix(weights)
        vectors = np.zeros((weights.shape[0], space.item_factors.shape[1]), dtype=np.float32)
        for row in np.flatnonzero(np.diff(weights.indptr)):
            vectors[row] = self._equations(space, weights[row]).solve()
        return vectors

    def contributions(self, space: EmbeddingSpace, weights: sp.csr_matrix, item_rows: np.ndarray) -> np.ndarray:
        """The exact split of a folded-in user's scores over the rated items: columns sum to the scores."""
        return self._equations(space, sp.csr_matrix(weights)).contributions(space, item_rows)

    def _equations(self, space: EmbeddingSpace, weights: sp.csr_matrix) -> NormalEquations:
        c = self._confidence(weights).data
        return NormalEquations.of(space, weights.indices, 1.0, c - 1, c, self.regularization)

    def _confidence(self, weights: sp.csr_matrix) -> sp.csr_matrix:
        weights = sp.csr_matrix(weights, dtype=np.float32)
        data = (1 + self.alpha * weights.data).astype(np.float32)
        return sp.csr_matrix((data, weights.indices, weights.indptr), shape=weights.shape)


class _Stop(Exception):
    """Ends the training of `implicit` early: its callback offers no other way."""
