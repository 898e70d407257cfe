"""Weighting: turns ratings into weights, which say how strongly a rating indicates interest in an item.

Weights have mean 1 over the training ratings, so that a learner's settings mean the same under every weighting.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np
import scipy.sparse as sp

from recsys.dataset.interactions import Interactions, select_entries
from recsys.errors import InputError, SettingError, quoted
from recsys.limits import LARGEST, check_number

WeightingScheme = Literal["binary", "rating", "log", "bm25"]

BM25_K1 = 100.0
BM25_B = 0.8
PRIOR = 5
"""Weights of 1 that are added to those of a user for their mean."""
FLOAT32_MAX = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class Weighting:
    """Which ratings count as interest, and the weight of each.

    min_rating  ratings below it are left out; None (the default) keeps all: that a user chose to watch and rate a
                movie at all is the strongest signal in MovieLens
    scheme      log     log(1 + rating), the default: it ranks better than binary for every model that uses weights, on
                        validation parts of ML-100K and latest-small
                binary  the same weight for every rating
                rating  proportional to the rating
                bm25    Robertson & Zaragoza 2009 with items as documents and users as terms: rating · (K₁ + 1) /
                        (K₁ · (1 − B + B · item total / mean item total) + rating) · idf(user); popular items and
                        very active users weigh less. K₁ = 100 and B = 0.8 as in `implicit`

    Raises SettingError for an unknown scheme or a minimum that is not a number.

    >>> Weighting(min_rating=3, scheme="binary").to_json()
    {'min_rating': 3, 'weighting': 'binary'}
    """

    min_rating: float | None = None
    scheme: WeightingScheme = field(default="log", metadata={"alias": "weighting"})  # its key in JSON

    def __post_init__(self) -> None:
        if self.scheme not in get_args(WeightingScheme):
            raise SettingError(f"unknown weighting {quoted(self.scheme)}: use {', '.join(get_args(WeightingScheme))}")
        if self.min_rating is not None:
            check_number("min_rating", self.min_rating, -FLOAT32_MAX, FLOAT32_MAX)

    def to_json(self) -> dict[str, float | str | None]:
        """The settings as the manifest and measurements store them: min_rating and weighting (the scheme)."""
        return {"min_rating": self.min_rating, "weighting": self.scheme}

    def fit(self, interactions: Interactions) -> FittedWeighting:
        """Compute the normalization from training ratings. Raises InputError when no rating is left."""
        chosen = self.choose(interactions.matrix)
        if chosen.nnz == 0:
            why = f" of {self.min_rating:g} or more" if self.min_rating is not None else ""
            raise InputError(f"there are no ratings{why} to train on")
        item_totals = np.bincount(chosen.indices, weights=chosen.data, minlength=chosen.shape[1])
        mean = float(_raw_weights(self, chosen, item_totals).mean(dtype=np.float64))
        if not 0 <= mean < np.inf:
            raise InputError(f"the ratings are too large for weighting {self.scheme!r}; use 'binary'")
        if np.float32(mean) == 0:
            raise InputError(f"weighting {self.scheme!r} gives every rating weight 0; use 'binary'")
        return FittedWeighting(self, mean, item_totals)

    def choose(self, ratings: sp.csr_matrix) -> sp.csr_matrix:
        """The ratings that count, unchanged. Raises InputError for ratings of 0 or less unless the scheme is binary."""
        chosen = sp.csr_matrix(ratings, dtype=np.float32)
        if self.min_rating is not None:
            chosen = select_entries(chosen, chosen.data >= self.min_rating)
        if self.scheme != "binary" and chosen.nnz and chosen.data.min() <= 0:
            raise InputError(
                f"weighting {self.scheme!r} needs ratings above 0, but the lowest is {chosen.data.min():g}; "
                "use 'binary', or set a minimum rating above 0"
            )
        return chosen


@dataclass(frozen=True, eq=False)
class FittedWeighting:
    """A Weighting with its normalization from the training ratings, which new users' ratings share.

    mean_weight  mean weight in training before normalization
    item_totals  (n_items,) float64, sum of each item's training ratings

    Raises InputError for a mean weight that is not a finite number above 0, or totals that are not finite.
    """

    settings: Weighting
    mean_weight: float
    item_totals: np.ndarray

    def __post_init__(self) -> None:
        if not 0 < self.mean_weight < np.inf or not np.isfinite(self.item_totals).all():
            raise InputError("the weighting needs a finite mean weight above 0 and finite totals")

    def apply(self, ratings: sp.csr_matrix) -> sp.csr_matrix:
        """Ratings (users × items) → weights of those that count, float32; mean 1 over the training ratings.

        Raises InputError for ratings that are out of all proportion to those of training.
        """
        chosen = self.settings.choose(ratings)
        with np.errstate(all="ignore"):
            weights = _raw_weights(self.settings, chosen, self.item_totals)
            weights /= np.float32(self.mean_weight)
        if not (weights <= LARGEST).all():
            largest = chosen.data.max()
            raise InputError(f"a rating of {largest:g} is too large beside the ratings of training; use the same scale")
        return sp.csr_matrix((weights, chosen.indices, chosen.indptr), shape=chosen.shape)

    def weigh(self, interactions: Interactions) -> Interactions:
        """The weights of `apply` with the same users, items and timestamps."""
        least = self.settings.min_rating
        if least is not None:
            interactions = interactions.select(interactions.matrix.data >= least)
        weights = self.apply(interactions.matrix)
        return Interactions(weights, interactions.user_ids, interactions.item_ids, interactions.timestamps)

    @property
    def tells_dislikes(self) -> bool:
        """Whether a lower rating has a lower weight, whatever the item: not for binary and bm25."""
        return self.settings.scheme in ("log", "rating")

    def above_mean(self, weights: sp.csr_matrix) -> np.ndarray:
        """By how much each weight is above its user's mean: (nnz,) float64, in mean weights of training.

        The mean of a user with n weights is (Σ w + `PRIOR`) / (n + `PRIOR`): with few ratings it stays near 1, the mean
        of all users, so that a single low rating is one below the mean. All 0 where weights do not tell dislikes.
        """
        if not self.tells_dislikes:
            return np.zeros(weights.nnz)
        n = np.diff(weights.indptr)
        users = np.repeat(np.arange(len(n)), n)
        means = (np.bincount(users, weights.data, len(n)) + PRIOR) / (n + PRIOR)
        above: np.ndarray = weights.data - means[users]
        return above


def _raw_weights(settings: Weighting, chosen: sp.csr_matrix, item_totals: np.ndarray) -> np.ndarray:
    """The weight of each stored rating before normalization, (nnz,) float32; not finite where float32 overflows."""
    values = chosen.data
    with np.errstate(all="ignore"):
        if settings.scheme == "binary":
            return np.ones_like(values)
        if settings.scheme == "rating":
            return np.array(values)
        if settings.scheme == "log":
            return np.asarray(np.log1p(values))
        per_user = np.diff(chosen.indptr)
        idf = np.maximum(np.log(chosen.shape[1]) - np.log1p(per_user), 0.0)
        length = 1 - BM25_B + BM25_B * item_totals / item_totals.mean()
        length = length.astype(np.float32)
        weights: np.ndarray = values * (BM25_K1 + 1) / (BM25_K1 * length[chosen.indices] + values)
        weights *= np.repeat(idf.astype(np.float32), per_user)
        return weights
