"""EASE: each item predicted from all others by one ridge regression, in closed form. Steck 2019.

"Embarrassingly Shallow Autoencoders for Sparse Data": minimises |X − X B|² + λ |B|² with the diagonal of B held at 0.
With P = (XᵀX + λ I)⁻¹ the answer is B_ij = −P_ij / P_jj. A score is the sum of B over what a user rated, near 1 for
what they surely watch. It has item-item weights instead of vectors: no map, no axes, no neighbours in a space.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import scipy.linalg.lapack
import scipy.sparse as sp

from recsys.dataset.interactions import Interactions
from recsys.errors import InputError, SettingError, Unsupported
from recsys.models.fitted import Fitted, ItemWeights, item_weights_of
from recsys.models.learner import Learner, Progress, Watch
from recsys.models.settings import setting

MOST_ITEMS = 25_000
"""Items × items in double precision: 5 GB at this size. Beyond it a model with vectors is the better choice."""


@dataclass(frozen=True)
class EASE(Learner):
    """Settings of the model; `fit` returns item-item weights."""

    name: ClassVar[str] = "ease"
    summary: ClassVar[str] = "each item from all others, closed form (Steck 2019)"

    regularization: float = setting(500.0, "λ: good on MovieLens from 100K to 1M", 1e-6, search=(10.0, 3000.0))
    seed: int = setting(42, "kept for uniformity; nothing here is random", 0)

    def _learn(
        self, weights: Interactions, progress: Progress | None = None, watch: Watch | None = None
    ) -> ItemWeights:
        """Solve for the weights. Raises InputError for more than `MOST_ITEMS` items: memory grows with their square."""
        if weights.n_items > MOST_ITEMS:
            raise InputError(
                f"'ease' holds items × items in memory, which is too much for {weights.n_items:,} items "
                f"(at most {MOST_ITEMS:,}); train ials, or leave rare items out with recsys prepare --min-item"
            )
        matrix = weights.matrix.astype(np.float64)
        gram = np.asfortranarray((matrix.T @ matrix).toarray())
        gram[np.diag_indices_from(gram)] += self.regularization
        root, failed = scipy.linalg.lapack.dpotrf(gram, lower=True, overwrite_a=True)
        if failed:
            raise SettingError(f"regularization {self.regularization:g} is too small for these data")
        inverse, _ = scipy.linalg.lapack.dpotri(root, lower=True, overwrite_c=True)
        symmetric = np.tril(inverse) + np.tril(inverse, -1).T
        solution = (-symmetric / np.diag(symmetric)).astype(np.float32)
        np.fill_diagonal(solution, 0)
        if progress is not None:
            progress(1, 1)
        return ItemWeights(solution, weights.item_ids)

    def fold_in(self, space: Fitted, ratings: sp.csr_matrix) -> np.ndarray:
        """Raises Unsupported: there are no vectors; a new user is scored from their ratings like any other."""
        raise Unsupported("'ease' has no vectors; it scores a new user from their ratings as they are")

    def contributions(self, space: Fitted, ratings: sp.csr_matrix, item_rows: np.ndarray) -> np.ndarray:
        """The exact split of a user's scores over the rated items: columns sum to the scores."""
        return item_weights_of(space, self.name).contributions(ratings, item_rows)
