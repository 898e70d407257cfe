"""popular: the most rated items, the same for everyone. The baseline, and what cold users get."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from recsys.dataset.interactions import Interactions
from recsys.limits import MOST_SEED
from recsys.models.fitted import ItemScores
from recsys.models.learner import Learner, Watch
from recsys.models.settings import setting
from recsys.progress import Progress


@dataclass(frozen=True)
class Popular(Learner):
    """Ranks items by the number of users who rated them.

    The score of an item is the count of its ratings with a weight above 0 (see `Weighting`), whatever their size. It is
    the same for every user, so there are no vectors and no explanations.

    `fit` returns a `Model` whose scores are (n_items,) float32.

    >>> import pandas as pd
    >>> from recsys.dataset.dataset import Dataset
    >>> ratings = pd.DataFrame({"user_id": [1, 1, 2, 2, 3], "item_id": list("abaca"), "rating": [5, 4, 5, 4, 3]})
    >>> Popular().fit(Dataset.from_frame(ratings)).fitted.scores.tolist()
    [3.0, 1.0, 1.0]
    """

    name: ClassVar[str] = "popular"
    has_vectors: ClassVar[bool] = False
    summary: ClassVar[str] = "the most rated items, the same for everyone"

    seed: int = setting(42, "not used: nothing is random; every model has one", 0, MOST_SEED)

    def _learn(self, weights: Interactions, progress: Progress | None = None, watch: Watch | None = None) -> ItemScores:
        """Counts the weights above 0 of each item."""
        totals = np.bincount(weights.matrix.indices[weights.matrix.data > 0], minlength=weights.n_items).astype(
            np.float32
        )
        if progress is not None:
            progress(1, 1)
        return ItemScores(totals, weights.item_ids)
