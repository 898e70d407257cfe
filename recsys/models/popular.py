"""popular: the items that most people chose, for everyone alike. The baseline and the cold start."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import scipy.sparse as sp

from recsys.dataset.interactions import Interactions
from recsys.errors import Unsupported
from recsys.models.fitted import Fitted, ItemScores
from recsys.models.learner import Learner, Progress, Watch
from recsys.models.settings import setting


@dataclass(frozen=True)
class Popular(Learner):
    """It has no vectors: `fit` returns ItemScores, which count each item's interactions, whatever their weight."""

    name: ClassVar[str] = "popular"
    summary: ClassVar[str] = "the most watched, for everyone alike"

    seed: int = setting(42, "kept for uniformity; nothing here is random", 0)

    def _learn(self, weights: Interactions, progress: Progress | None = None, watch: Watch | None = None) -> ItemScores:
        """Count each item's interactions with a weight above 0."""
        totals = np.bincount(weights.matrix.indices[weights.matrix.data > 0], minlength=weights.n_items).astype(
            np.float32
        )
        if progress is not None:
            progress(1, 1)
        return ItemScores(totals, weights.item_ids)

    def fold_in(self, space: Fitted, ratings: sp.csr_matrix) -> np.ndarray:
        """Raises Unsupported: there are no vectors, and none are needed to recommend to a new user."""
        raise Unsupported("'popular' has no vectors; it recommends the same to a new user as to everyone")

    def contributions(self, space: Fitted, ratings: sp.csr_matrix, item_rows: np.ndarray) -> np.ndarray:
        """Raises Unsupported: a user's ratings have no part in these scores."""
        raise Unsupported("'popular' does not look at a user's ratings, so none of them contributes")
