"""Model: everything that is needed to recommend, in one object. No I/O."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from recsys.dataset.attributes import Attributes
from recsys.dataset.catalog import Catalog
from recsys.dataset.dataset import Dataset
from recsys.dataset.weighting import FittedWeighting
from recsys.errors import InputError, Unsupported
from recsys.models.fitted import Fitted, Vectors
from recsys.models.learner import Learner
from recsys.space.embedding import EmbeddingSpace


@dataclass(frozen=True, eq=False)
class Model:
    """A trained model: what a learner found, and what is needed to use it.

    learner    the settings it was trained with
    fitted     what was learned: vectors, item weights or item scores
    weighting  turns anyone's ratings into weights, as in training
    catalog    the items, in the order of the vectors
    n_ratings  (n_items,) int64, the number of ratings of each item in training
    data       where it comes from: name, path, fingerprint, n_users, n_items, n_ratings
    metrics    measured quality, by the name of the metric
    dataset    the training data, kept by `fit`; None for a model loaded from disk

    Raises InputError when the parts describe different numbers of items.
    """

    learner: Learner
    fitted: Fitted
    weighting: FittedWeighting
    catalog: Catalog
    n_ratings: np.ndarray
    data: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    dataset: Dataset | None = None

    def __post_init__(self) -> None:
        n = len(self.fitted.item_ids)
        found = {
            "titles": len(self.catalog),
            "rating counts": len(self.n_ratings),
            "rating totals": len(self.weighting.item_totals),
        }
        wrong = [f"{count} {part}" for part, count in found.items() if count != n]
        if wrong:
            raise InputError(f"the parts of the model do not fit together: {n} items, but {', '.join(wrong)}")

    @property
    def item_ids(self) -> np.ndarray:
        """Original ids of the items, (n_items,), in the order of the catalog."""
        return self.fitted.item_ids

    @property
    def has_space(self) -> bool:
        """Whether the model has vectors."""
        return isinstance(self.fitted, Vectors)

    @cached_property
    def space(self) -> EmbeddingSpace:
        """The vectors, with the attributes of the items. Raises Unsupported for a model without vectors."""
        return self._vectors.space.with_attributes(lambda: self.attributes)

    @cached_property
    def attributes(self) -> Attributes:
        """What is known about the items besides their vectors; computed on first access."""
        return Attributes.of(self.catalog, self.n_ratings)

    def fold_in(self, ratings: sp.csr_matrix) -> np.ndarray:
        """Vectors of users who were not in training: (n, d) float32.

        ratings  CSR (n, n_items) of raw ratings, columns in the order of the model's items

        A user without usable ratings gets the zero vector (with 1 in the bias dimension, where there is one). Raises
        Unsupported for a model without vectors.
        """
        vectors = self._vectors
        return vectors.learner.fold_in(vectors.space, self.weighting.apply(ratings))

    def fold_in_items(self, ratings: sp.csr_matrix) -> np.ndarray:
        """Vectors of items that were not in training, from the users who rated them: (n_new, d) float32.

        ratings  CSR (n_users, n_new) of raw ratings, rows in the order of the model's users

        One least-squares step with the user factors fixed, as `fold_in` does for users with the item factors fixed.
        Raises Unsupported for a model that does not treat users and items alike, InputError for another number of
        users.
        """
        space = self._vectors.space
        if space.has_bias:
            raise Unsupported(f"{self.learner.name!r} treats users and items differently; it cannot fold in items")
        if self.weighting.settings.scheme == "bm25":
            raise Unsupported("weighting 'bm25' needs rating counts from training, which new items lack; retrain")
        if ratings.shape[0] != space.n_users:
            raise InputError(f"ratings of {ratings.shape[0]} users do not fit the {space.n_users} users of the model")
        transposed = EmbeddingSpace(space.user_factors, space.user_ids, space.item_factors, space.item_ids)
        return self._vectors.learner.fold_in(transposed, self.weighting.apply(ratings).T.tocsr())

    def with_data_path(self, path: Path) -> Model:
        """The same model with the folder of its training data recorded in `data`.

        The name of the folder is used as the name of the data, unless the dataset had one.
        """
        data = dict(self.data)
        source = {"name": data.pop("name", path.resolve().name), "path": str(path)}
        return dataclasses.replace(self, data=source | data)

    @property
    def _vectors(self) -> Vectors:
        if not isinstance(self.fitted, Vectors):
            raise Unsupported(f"{self.learner.name!r} has no user and item vectors; train ials, als or bpr for that")
        return self.fitted
