"""Adapters that give other libraries the interface of our learners, so that tuning and evaluation are the same. Needs
`.[bench]`."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import scipy.sparse as sp
from implicit.cpu.bpr import BayesianPersonalizedRanking
from irspack.recommenders import IALSRecommender, RP3betaRecommender, SLIMRecommender
from threadpoolctl import threadpool_limits

from recsys.dataset.interactions import Interactions
from recsys.errors import Unsupported
from recsys.models.fitted import ItemWeights, Vectors
from recsys.models.learner import Learner, VectorLearner, Watch
from recsys.models.settings import setting
from recsys.progress import Progress
from recsys.space.embedding import EmbeddingSpace

THREADS = os.cpu_count() or 1


@dataclass(frozen=True)
class IrspackIALS(VectorLearner):
    """irspack's iALS with conjugate gradient; loss of Rendle et al. 2022."""

    name: ClassVar[str] = "irspack iALS"
    summary: ClassVar[str] = ""

    n_factors: int = setting(64, "")
    regularization: float = setting(0.003, "", search=(3e-4, 1.0))
    alpha0: float = setting(0.1, "", search=(0.003, 1.0))
    nu: float = setting(1.0, "", search=(0.3, 1.0))
    epochs: int = setting(16, "irspack's own default")
    seed: int = setting(42, "")

    def trainer(self, matrix: sp.csr_matrix) -> IALSRecommender:
        """The library's model, untrained."""
        return IALSRecommender(
            matrix,
            n_components=self.n_factors,
            reg=self.regularization,
            alpha0=self.alpha0,
            nu=self.nu,
            train_epochs=self.epochs,
            random_seed=self.seed,
            n_threads=THREADS,
        )

    def _learn(self, weights: Interactions, progress: Progress | None = None, watch: Watch | None = None) -> Vectors:
        """Train; the library's model is kept for fold-in."""
        model = self.trainer(weights.matrix)
        model.start_learning()
        for _ in range(self.epochs):  # `learn` prints a progress bar
            model.run_epoch()
        object.__setattr__(self, "_model", model)
        space = EmbeddingSpace(
            model.get_item_embedding(), weights.item_ids, model.get_user_embedding(), weights.user_ids
        )
        return Vectors(space, self)

    def fold_in(self, space: EmbeddingSpace, weights: sp.csr_matrix) -> np.ndarray:
        """Vectors of new users, computed by the library."""
        return self._model.compute_user_embedding(sp.csr_matrix(weights))  # type: ignore[attr-defined]

    def contributions(self, space: EmbeddingSpace, weights: sp.csr_matrix, item_rows: np.ndarray) -> np.ndarray:
        """Not supported."""
        raise Unsupported(self.name)


@dataclass(frozen=True)
class ImplicitBPR(VectorLearner):
    """implicit's BPR, which draws negatives in proportion to their number of ratings."""

    name: ClassVar[str] = "implicit BPR"
    summary: ClassVar[str] = ""

    n_factors: int = setting(64, "")
    learning_rate: float = setting(0.01, "", search=(0.001, 0.1))
    regularization: float = setting(0.01, "", search=(1e-4, 0.1))
    epochs: int = setting(100, "", search=(10, 200))
    seed: int = setting(42, "")

    def _learn(self, weights: Interactions, progress: Progress | None = None, watch: Watch | None = None) -> Vectors:
        """Train on one thread, for reproducible results."""
        model = BayesianPersonalizedRanking(
            factors=self.n_factors,
            learning_rate=self.learning_rate,
            regularization=self.regularization,
            iterations=self.epochs,
            num_threads=1,
            random_state=self.seed,
        )
        with threadpool_limits(1, "blas"):
            model.fit(weights.matrix, show_progress=False)
        space = EmbeddingSpace(
            model.item_factors, weights.item_ids, model.user_factors, weights.user_ids, has_bias=True
        )
        return Vectors(space, self)

    def fold_in(self, space: EmbeddingSpace, weights: sp.csr_matrix) -> np.ndarray:
        """Not supported by the library: returns zero vectors."""
        return np.zeros((weights.shape[0], space.item_factors.shape[1]), np.float32)

    def contributions(self, space: EmbeddingSpace, weights: sp.csr_matrix, item_rows: np.ndarray) -> np.ndarray:
        """Not supported."""
        raise Unsupported(self.name)


class _ItemModel(Learner):
    """Base class of irspack's item-item models."""

    def recommender(self, matrix: sp.csr_matrix) -> SLIMRecommender | RP3betaRecommender:
        """The library's model, untrained."""
        raise NotImplementedError

    def _learn(
        self, weights: Interactions, progress: Progress | None = None, watch: Watch | None = None
    ) -> ItemWeights:
        """Train and take the weights."""
        return ItemWeights(sp.csr_matrix(self.recommender(weights.matrix).learn().W), weights.item_ids)


@dataclass(frozen=True)
class IrspackSLIM(_ItemModel):
    """Sparse linear item weights by elastic net."""

    name: ClassVar[str] = "irspack SLIM"
    summary: ClassVar[str] = ""

    alpha: float = setting(0.05, "", search=(1e-4, 0.3))
    l1_ratio: float = setting(0.01, "", search=(1e-4, 0.5))
    seed: int = setting(42, "")

    def recommender(self, matrix: sp.csr_matrix) -> SLIMRecommender:
        """Other settings are the library's defaults."""
        return SLIMRecommender(matrix, alpha=self.alpha, l1_ratio=self.l1_ratio, n_threads=THREADS)


@dataclass(frozen=True)
class IrspackRP3beta(_ItemModel):
    """Three-step random walks with a popularity penalty."""

    name: ClassVar[str] = "irspack RP3beta"
    summary: ClassVar[str] = ""

    alpha: float = setting(1.0, "", search=(0.3, 2.0))
    beta: float = setting(0.6, "", search=(0.1, 1.2))
    top_k: int = setting(200, "", search=(10, 1000))
    seed: int = setting(42, "")

    def recommender(self, matrix: sp.csr_matrix) -> RP3betaRecommender:
        """Other settings are the library's defaults."""
        return RP3betaRecommender(matrix, alpha=self.alpha, beta=self.beta, top_k=self.top_k, n_threads=THREADS)
