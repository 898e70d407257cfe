"""EASE: every item predicted from all others by one ridge regression, in closed form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import scipy  # loads scipy.linalg when it is used

from recsys.dataset.interactions import Interactions
from recsys.errors import InputError, SettingError
from recsys.limits import MOST_SEED
from recsys.models.fitted import ItemWeights
from recsys.models.learner import Learner, Watch
from recsys.models.settings import setting
from recsys.progress import Progress

MOST_ITEMS = 25_000
"""The limit on items: the item × item matrix in double precision takes 5 GB at this size."""


@dataclass(frozen=True)
class EASE(Learner):
    """Embarrassingly shallow autoencoder: a linear item-item model in closed form (Steck 2019).

    Minimizes, over the item-item weights B with a diagonal of 0,

        |X − X B|²  +  λ |B|²

    X (n_users, n_items) are the weights of the ratings (see `Weighting`), λ is `regularization`. With
    P = (XᵀX + λ I)⁻¹ the solution is B_ij = −P_ij / P_jj. "Embarrassingly Shallow Autoencoders for Sparse Data",
    WWW 2019.

    A user's score of item j is Σ_i x_ui B_ij over the items i they rated: near 1 for a sure choice. The model has
    item-item weights instead of vectors, so there is no map and there are no axes.

    `fit` returns a `Model` whose weights are (n_items, n_items) float32. It raises InputError for more than
    `MOST_ITEMS` items, because memory grows with their square, and SettingError when the regularization is too small
    for the data.

    >>> import pandas as pd
    >>> from recsys.dataset.dataset import Dataset
    >>> ratings = pd.DataFrame({"user_id": [1, 1, 2, 2, 3], "item_id": list("abaca"), "rating": [5, 4, 5, 4, 3]})
    >>> EASE(regularization=1.0).fit(Dataset.from_frame(ratings)).fitted.weights.diagonal().tolist()
    [0.0, 0.0, 0.0]
    """

    name: ClassVar[str] = "ease"
    has_vectors: ClassVar[bool] = False
    summary: ClassVar[str] = "each item from all others, closed form (Steck 2019)"

    regularization: float = setting(500.0, "λ: good on MovieLens from 100K to 1M", 1e-6, 1e12, search=(10.0, 3000.0))
    seed: int = setting(42, "not used: nothing is random; every model has one", 0, MOST_SEED)

    def memory(self, n_users: int, n_items: int) -> int:
        """Four matrices of items × items in double precision: XᵀX, its inverse, and two triangles."""
        return 4 * 8 * n_items**2

    def _learn(
        self, weights: Interactions, progress: Progress | None = None, watch: Watch | None = None
    ) -> ItemWeights:
        """One Cholesky factorization and inversion, in double precision."""
        if weights.n_items > MOST_ITEMS:
            raise InputError(
                f"'ease' needs an item × item matrix in memory, too large for {weights.n_items:,} items "
                f"(at most {MOST_ITEMS:,}); train ials, or leave out rare items with recsys prepare --min-item"
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
