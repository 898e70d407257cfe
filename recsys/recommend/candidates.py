"""Candidates: which items may be recommended. Arrays in, a mask out; no I/O."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from recsys.dataset.interactions import rows_of
from recsys.errors import InputError
from recsys.models import Model


@dataclass(frozen=True)
class Candidates:
    """A filter of items. An item is a candidate if it passes every condition that is set; without any, all items are.

    genres       it has one of these genres, compared without case
    years        it is from these years, (first, last), both included; None leaves an end open
    min_ratings  it has at least so many ratings in the training data
    max_ratings  it has at most so many: a ceiling of popularity
    allow        its id is one of these
    deny         its id is none of these
    """

    genres: Sequence[str] = ()
    years: tuple[int | None, int | None] | None = None
    min_ratings: int | None = None
    max_ratings: int | None = None
    allow: Sequence[Any] | np.ndarray | None = None
    deny: Sequence[Any] | np.ndarray = ()

    def mask(self, model: Model) -> np.ndarray | None:
        """The candidates among the items of a model, (n_items,) bool; None if no condition is set.

        Raises UnknownId for a genre or an item that the model does not have; InputError when the first year is after
        the last, when the least number of ratings is above the most, or when numbers of ratings are asked for that the
        model does not know.
        """
        bounds = (self.years, self.min_ratings, self.max_ratings, self.allow)
        if not len(self.genres) and not len(self.deny) and all(bound is None for bound in bounds):
            return None
        allowed = model.catalog.where(self.genres, self.years)
        low, high = self.min_ratings, self.max_ratings
        if low is not None and high is not None and low > high:
            raise InputError(f"the least number of ratings, {low:,}, is above the most, {high:,}")
        if (low or high is not None) and not model.n_ratings.any():
            raise InputError("the model does not know how many ratings each item has; leave out that condition")
        if low is not None:
            allowed &= model.n_ratings >= low
        if high is not None:
            allowed &= model.n_ratings <= high
        if self.allow is not None:
            is_listed = np.zeros(len(allowed), dtype=bool)
            is_listed[rows_of(model.catalog.index, self.allow, "item")] = True
            allowed &= is_listed
        if len(self.deny):
            allowed[rows_of(model.catalog.index, self.deny, "item")] = False
        return allowed
