"""Model: everything that is needed to recommend, in one object. No I/O."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

from recsys.dataset.attributes import Attributes
from recsys.dataset.catalog import Catalog
from recsys.dataset.dataset import Dataset
from recsys.dataset.interactions import Interactions
from recsys.dataset.weighting import FittedWeighting
from recsys.errors import InputError, Unsupported
from recsys.models.fitted import Fitted, Vectors
from recsys.models.learner import Learner, VectorLearner
from recsys.space.axis import Axes
from recsys.space.embedding import EmbeddingSpace, Metric

if TYPE_CHECKING:
    import pandas as pd

    from recsys.recommend.steer import Steered
    from recsys.space.rotation import Method


@dataclass(frozen=True, eq=False)
class Model:
    """A trained model: what a learner found, and what is needed to use it.

    learner    the settings it was trained with
    fitted     what was learned: vectors, item weights or item scores
    weighting  turns anyone's ratings into weights, as in training
    catalog    the items, in the order of the vectors
    n_ratings  (n_items,) int64, the number of ratings of each item in training
    data       where it comes from: name, path, fingerprint, n_users, n_items, n_ratings; for training that started from
               a model also started_from, its fingerprint (`digest_of` its vectors if it was not loaded), and
               epochs_anew (see `learner_anew`)
    metrics    measured quality, by the name of the metric
    dataset    the training data, kept by `fit`; None for a model loaded from disk
    fingerprint  of the folder it was loaded from, a SHA-256 (hex); None for a model that was not loaded

    Raises InputError when the parts describe different numbers of items.

    >>> import pandas as pd
    >>> from recsys.models.ials import IALS
    >>> ratings = pd.DataFrame({"user": list("aabbc"), "item": [1, 2, 1, 3, 2], "rating": [5, 4, 5, 4, 3]})
    >>> items = pd.DataFrame({"item_id": [1, 2, 3], "title": ["Alien (1979)", "Aliens (1986)", "Heat (1995)"]})
    >>> model = IALS(n_factors=2, epochs=3).fit(Dataset.from_frame(ratings, items))
    >>> model.recommend(user="a", k=5)["title"].tolist()
    ['Heat (1995)']
    >>> model.recommend(ratings={"alien": 5, "Heat": 4}, k=1)["item_id"].tolist()
    [2]
    >>> model.explain("Aliens", ratings={"Alien": 5})["title"].tolist()
    ['Alien (1979)']
    """

    learner: Learner
    fitted: Fitted
    weighting: FittedWeighting
    catalog: Catalog
    n_ratings: np.ndarray
    data: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    dataset: Dataset | None = None
    fingerprint: str | None = None

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
    def learner_anew(self) -> Learner:
        """The settings to train such a model from random vectors.

        Those of `learner`; but training that started from a model took few epochs, so the number is that of the model
        at the beginning of the chain.
        """
        epochs = self.data.get("epochs_anew")
        has_epochs = epochs is not None and hasattr(self.learner, "epochs")
        return self.learner.replace(epochs=epochs) if has_epochs else self.learner

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
        return self._vectors.space.with_attributes(partial(_attributes_of, self))

    @property
    def counts_dislikes(self) -> bool:
        """Whether low ratings of a visitor count against similar items. Else they only keep the rated item itself out
        of the list."""
        return self.learner.counts_dislikes and self.weighting.tells_dislikes

    @cached_property
    def built_in_axes(self) -> Axes:
        """The built-in axes (children's ↔ adult, …); computed on first access. Raises Unsupported without vectors."""
        from recsys.space.probes import built_in_axes

        return Axes("", (), built_in_axes(self.space, self.attributes), 0)

    @cached_property
    def attributes(self) -> Attributes:
        """What is known about the items besides their vectors; computed on first access."""
        return Attributes.of(self.catalog, self.n_ratings if self.n_ratings.any() else None)

    def ratings_of(self, interactions: Interactions, rows: np.ndarray | None = None) -> sp.csr_matrix:
        """Ratings of users as `Fitted.batch` expects them: CSR, the entries of each row from the oldest to the latest
        if the model uses their order.

        rows  (n,) row numbers of some users; None: all

        Raises InputError where the model needs timestamps that are missing.
        """
        if self.fitted.uses_order:
            return interactions.in_order(rows)
        return interactions.matrix if rows is None else interactions.matrix[rows]

    def fold_in(self, ratings: sp.csr_matrix) -> np.ndarray:
        """Vectors of users who were not in training: (n, d) float32.

        ratings  CSR (n, n_items) of raw ratings, columns in the order of the model's items; for `sequence` the entries
                 of each row from the oldest to the latest, as `Interactions.in_order` returns them

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
        if space.has_bias or not isinstance(self._vectors.learner, VectorLearner):
            raise Unsupported(f"{self.learner.name!r} treats users and items differently; it cannot fold in items")
        if self.weighting.settings.scheme == "bm25":
            raise Unsupported("weighting 'bm25' needs rating counts from training, which new items lack; retrain")
        if ratings.shape[0] != space.n_users:
            raise InputError(f"ratings of {ratings.shape[0]} users do not fit the {space.n_users} users of the model")
        transposed = EmbeddingSpace(space.user_factors, space.user_ids, space.item_factors, space.item_ids)
        return self._vectors.learner.fold_in(transposed, self.weighting.apply(ratings).T.tocsr())

    # --- for notebooks: titles or ids in, tables with titles out; the work is done by the modules named here ---

    def recommend(
        self,
        user: Any = None,
        ratings: Mapping[Any, float] | None = None,
        k: int = 10,
        *,
        genres: str | Sequence[str] = (),
        years: tuple[int | None, int | None] | None = None,
        min_ratings: int | None = None,
        max_ratings: int | None = None,
        allow: Sequence[Any] | None = None,
        deny: Sequence[Any] = (),
        exclude_seen: bool = True,
        steer: Mapping[str, float] | None = None,
        explain: bool = False,
        axes: Axes | None = None,
    ) -> pd.DataFrame:
        """The k best items for a user: columns rank (1 = best), item_id, title, score.

        user          id of a user of the training data; a sequence of ids adds the column user_id
        ratings       instead: what a new user rated, title or item id → rating
        genres        only items of this genre, or with one of these genres
        years         only items of these years, (first, last), both included; None leaves an end open
        min_ratings, max_ratings  only items with at least, or at most, so many ratings in the training data
        allow         only these items, each a title or an id
        deny          none of these
        exclude_seen  leave out what the user has rated
        steer         move one user along axes: name of an axis or of its end → amount, −3 … 3. Adds the columns taste
                      (the score before), rank_before and one "gain: AXIS" per axis
        explain       for one user: adds the column reasons, up to three (title, share of the score) of rated items
        axes          discovered axes to steer along by name; the built-in ones are always known

        The score is defined in the docstring of the learner. Users without usable ratings get the most popular items.
        Fewer rows are returned when there are fewer candidates.

        Raises InputError unless exactly one of `user` and `ratings` is given, or when the ratings of a known user are
        not at hand (load the model with its dataset); UnknownId or AmbiguousTitle for a user, title, genre or axis.
        """
        from recsys.recommend.queries import recommend_for

        return recommend_for(
            self,
            user,
            ratings,
            k,
            genres=genres,
            years=years,
            min_ratings=min_ratings,
            max_ratings=max_ratings,
            allow=allow,
            deny=deny,
            exclude_seen=exclude_seen,
            steer=steer,
            with_reasons=explain,
            axes=axes,
        )

    def similar(self, item: Any, k: int = 10, metric: Metric = "cosine") -> pd.DataFrame:
        """The k items most similar to one: columns rank, item_id, title, similarity. See `EmbeddingSpace.similar`.

        Raises Unsupported for a model without vectors.
        """
        return self.space.similar(item, k, metric)

    def explain(
        self, item: Any, user: Any = None, ratings: Mapping[Any, float] | None = None, top: int | None = None
    ) -> pd.DataFrame:
        """The score of one item for one user, split over the items they rated: columns item_id, title, share.

        item            a title or an id
        user, ratings   as for `recommend`
        top             only the largest positive shares; None: all, so that they add up to the score (for `bpr`, `vae`
                        and `sequence`, and for `ratings` with `ials`, up to a remainder that belongs to no rated item)

        The table is empty for a model that does not use a user's ratings. Raises as `recommend` does.
        """
        from recsys.recommend.queries import explain_for

        return explain_for(self, item, user, ratings, top)

    def steer(
        self,
        axes_by_name: Mapping[str, float],
        user: Any = None,
        ratings: Mapping[Any, float] | None = None,
        k: int = 10,
        *,
        exclude_seen: bool = True,
        axes: Axes | None = None,
    ) -> Steered:
        """Move one user along axes and say what changed: the new list, what dropped out, and what it cost.

        axes_by_name  name of an axis or of its end → amount, −3 … 3; at 1 the shift is as long as the user's vector

        Other parameters and errors as for `recommend`; also Unsupported for a model without vectors.
        """
        from recsys.recommend.queries import steer_for

        return steer_for(self, axes_by_name, user, ratings, k, exclude_seen=exclude_seen, axes=axes)

    def axes(self, method: Method = "varimax", *, n_refits: int = 5, seed: int = 42) -> Axes:
        """Discover the axes of the space and name those that are verified and stable; test the built-in axes.

        n_refits  models trained on bootstrapped users, to measure which axes are stable: this many times the training
                  time. With 0, and for imported vectors, every discovered axis stays "unnamed"

        Raises Unsupported for a model without vectors, InputError for one that was loaded without its dataset.
        """
        from recsys.evaluation.stability import discover_axes

        if n_refits == 0 or not self.learner.is_trainable:
            return self.space.axes(method, seed=seed)
        if self.dataset is None:
            raise InputError("stability is measured by refitting: load the model with load_model(folder, dataset=data)")
        found = discover_axes(self, self.dataset.interactions, method, n_refits=n_refits, seed=seed)
        return dataclasses.replace(found, asked=self.built_in_axes.asked)

    def save(self, folder: str | Path) -> None:
        """Write the model to a folder of Parquet files and a manifest; `recsys.load_model` reads it.

        A folder that contains a model and nothing else is replaced. Raises InputError for any other folder that is not
        empty.
        """
        from recsys.store.models import save_model

        save_model(Path(folder).expanduser(), self)

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


def _attributes_of(model: Model) -> Attributes:
    """A function of the module rather than a lambda, so that a model can be pickled."""
    return model.attributes
