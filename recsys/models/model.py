"""Model: everything that is needed to recommend, as one thing. Knows no files and no screen."""

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
from recsys.models.fitted import Fitted, vectors_of
from recsys.models.learner import Learner
from recsys.space.embedding import EmbeddingSpace


@dataclass(frozen=True, eq=False)
class Model:
    """What a learner found, with what it takes to use it.

    learner    the settings it was trained with
    fitted     vectors, or item weights or scores for a model without vectors
    weighting    turns anybody's ratings into weights as in training
    catalog    what the items are called, in the order of the vectors
    n_ratings  (n_items,) int64, how often each item was rated in training: its popularity
    data       what it was trained on: name, path, fingerprint, n_users, n_items, n_ratings
    metrics    measured qualities, by name
    dataset    the training data, kept after `fit`; None for a model loaded from disk
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
        if len(self.catalog) != n or len(self.n_ratings) != n or len(self.weighting.item_totals) != n:
            raise InputError(f"the parts of the model do not fit together: {n} items, {len(self.catalog)} titles")

    @property
    def item_ids(self) -> np.ndarray:
        return self.fitted.item_ids

    @property
    def space(self) -> EmbeddingSpace:
        """The vectors; raises Unsupported for a model without any."""
        return vectors_of(self.fitted, self.learner.name)

    @cached_property
    def attributes(self) -> Attributes:
        """What is known of the items besides their vectors; made when first asked for."""
        return Attributes.of(self.catalog, self.n_ratings)

    @property
    def has_space(self) -> bool:
        return isinstance(self.fitted, EmbeddingSpace)

    def with_data_path(self, path: Path) -> Model:
        """The same model with the folder of its training data in `data`, from where `save_model` records it."""
        data = dict(self.data)
        source = {"name": data.pop("name", path.resolve().name), "path": str(path)}
        return dataclasses.replace(self, data=source | data)

    def fold_in_items(self, ratings: sp.csr_matrix) -> np.ndarray:
        """Vectors of items that came after training, from who rated them: (n_new, d) float32.

        ratings  CSR (n_users, n_new), rows in the order of the model's users

        One least-squares step with the user factors fixed, as `fold_in` does it for users with the item factors fixed.
        Raises Unsupported for a model that does not treat both sides alike, InputError for other users.
        """
        space = self.space
        if space.has_bias:
            raise Unsupported(f"{self.learner.name!r} treats users and items differently and can't fold in items")
        if self.weighting.settings.scheme == "bm25":
            raise Unsupported("weighting 'bm25' depends on how often an item was rated in training; train again")
        if ratings.shape[0] != space.n_users:
            raise InputError(f"ratings of {ratings.shape[0]} users do not fit the model's {space.n_users}")
        transposed = EmbeddingSpace(space.user_factors, space.user_ids, space.item_factors, space.item_ids)
        return self.learner.fold_in(transposed, self.weighting.apply(ratings).T.tocsr())
