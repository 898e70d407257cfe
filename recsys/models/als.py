"""ALS: alternating least squares for implicit feedback. Hu, Koren & Volinsky 2008, on `implicit`'s kernels.

Minimises, over user vectors x_u and item vectors y_i, the sum over all pairs of

    c_ui · (p_ui − x_uᵀ y_i)²   +   λ · (Σ_u |x_u|² + Σ_i |y_i|²)

where p_ui is 1 for an interaction and 0 otherwise, and the confidence c_ui is 1 + α · weight for an interaction and 1
otherwise. A score is an estimate of p_ui: about 1 for what a user surely watches, about 0 for what they don't; it is
comparable between the items of one user, less so between users. There is no bias.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import scipy.sparse as sp
from implicit.cpu.als import AlternatingLeastSquares
from threadpoolctl import threadpool_limits

from recsys.dataset.interactions import Interactions
from recsys.models.fitted import Fitted, vectors_of
from recsys.models.learner import Learner, Progress, Watch
from recsys.models.least_squares import NormalEquations
from recsys.models.settings import setting
from recsys.space.embedding import EmbeddingSpace


@dataclass(frozen=True)
class ALS(Learner):
    """Settings of the model; `fit` returns the vectors."""

    name: ClassVar[str] = "als"
    summary: ClassVar[str] = "alternating least squares on confidences (Hu et al. 2008)"

    n_factors: int = setting(64, "dimensions of taste; more fit finer tastes and cost more time", 1, 4096)
    regularization: float = setting(
        30.0,
        "λ: pulls all vectors towards 0; between what validation favours on latest-small (20) and on 100K, 1M (60)",
        0,
        search=(1.0, 300.0),
    )
    alpha: float = setting(2.0, "α: what an interaction of weight 1 adds to the confidence of 1", 0, search=(0.3, 30.0))
    epochs: int = setting(15, "sweeps over users and items; quality has settled by then", 1)
    seed: int = setting(42, "of the initial vectors", 0)

    def _learn(
        self, weights: Interactions, progress: Progress | None = None, watch: Watch | None = None
    ) -> EmbeddingSpace:
        """Learn from weights (users × items). Ends with exact user half-step, so that `fold_in` agrees with it."""
        confidence = self._confidence(weights.matrix).copy()  # implicit refuses arrays it might not write to
        with threadpool_limits(1, "blas"):  # implicit has threads of its own, and its constructor warns of others
            model = AlternatingLeastSquares(
                factors=self.n_factors,
                regularization=self.regularization,
                alpha=1.0,  # the confidences are given whole
                iterations=self.epochs,
                random_state=self.seed,
            )

            def space() -> EmbeddingSpace:
                user_factors = model.recalculate_user(np.arange(weights.n_users), confidence)
                return EmbeddingSpace(model.item_factors.copy(), weights.item_ids, user_factors, weights.user_ids)

            def after_epoch(epoch: int, *_: float) -> None:
                if progress is not None:
                    progress(epoch + 1, self.epochs)
                if watch is not None and watch(epoch + 1, space()):
                    raise _Stop

            with suppress(_Stop):
                model.fit(confidence, show_progress=False, callback=after_epoch)
            return space()

    def fold_in(self, space: Fitted, ratings: sp.csr_matrix) -> np.ndarray:
        """One exact least-squares step with the item factors fixed: x = (YᵀY + Σ (c−1) yyᵀ + λI)⁻¹ Σ c y."""
        space = vectors_of(space, self.name)
        ratings = sp.csr_matrix(ratings)
        vectors = np.zeros((ratings.shape[0], space.item_factors.shape[1]), dtype=np.float32)
        for row in np.flatnonzero(np.diff(ratings.indptr)):
            vectors[row] = self._equations(space, ratings[row]).solve()
        return vectors

    def contributions(self, space: Fitted, ratings: sp.csr_matrix, item_rows: np.ndarray) -> np.ndarray:
        """The exact split of a folded-in user's scores over the rated items: columns sum to the scores."""
        space = vectors_of(space, self.name)
        return self._equations(space, sp.csr_matrix(ratings)).contributions(space, item_rows)

    def _equations(self, space: EmbeddingSpace, ratings: sp.csr_matrix) -> NormalEquations:
        c = self._confidence(ratings).data
        return NormalEquations.of(space, ratings.indices, 1.0, c - 1, c, self.regularization)

    def _confidence(self, weights: sp.csr_matrix) -> sp.csr_matrix:
        weights = sp.csr_matrix(weights, dtype=np.float32)
        data = (1 + self.alpha * weights.data).astype(np.float32)
        return sp.csr_matrix((data, weights.indices, weights.indptr), shape=weights.shape)


class _Stop(Exception):
    """Ends `implicit`'s training early: its callback has no other way."""
