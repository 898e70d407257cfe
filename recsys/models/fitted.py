"""The results of training: vectors, weights between items, or one score per item.

Each type implements batches of users, scores, contributions and its own tables, so callers need no type checks.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import scipy.sparse as sp

from recsys.dataset.interactions import as_ids, index_of, select_entries
from recsys.dataset.weighting import FittedWeighting
from recsys.errors import InputError, NotFinite
from recsys.limits import LARGEST
from recsys.models.user_batch import COLD, FOLDED_IN, STORED, UserBatch
from recsys.space.embedding import EmbeddingSpace
from recsys.topk import top_k

DISLIKED = -0.2
"""How far below the mean of its visitor a weight counts as a dislike, in mean weights of training: one or two of five
stars. Chosen on the validation part of MovieLens 100K (`benchmarks/low_stars.py`)."""


class FoldIn(Protocol):
    """How a learner with vectors treats users who were not in training."""

    explains_users: ClassVar[bool]

    @property
    def uses_order(self) -> bool:
        """Whether the vectors depend on the order of the entries in each row of the weights: oldest rating first."""

    def fold_in(self, space: EmbeddingSpace, weights: sp.csr_matrix) -> np.ndarray:
        """Vectors (n, d) float32 of users, from their weights (n, n_items), with the item factors fixed.

        A user without weights gets the zero vector (with 1 in the bias dimension, where there is one).
        """

    def contributions(self, space: EmbeddingSpace, weights: sp.csr_matrix, item_rows: np.ndarray) -> np.ndarray:
        """How much each rated item adds to a folded-in user's scores of `item_rows`: (nnz, len(item_rows)) float32.

        weights  CSR (1, n_items), one user; the rows of the result follow `weights.indices`
        """

    def fold_in_visitors(self, space: EmbeddingSpace, weights: sp.csr_matrix, above: np.ndarray) -> np.ndarray:
        """As `fold_in`, for visitors of whom few ratings are known.

        above  (nnz,) float64, by how much each weight is above the user's mean: `FittedWeighting.above_mean`
        """

    def visitor_contributions(
        self, space: EmbeddingSpace, weights: sp.csr_matrix, above: np.ndarray, item_rows: np.ndarray
    ) -> np.ndarray:
        """As `contributions`, for a user vector of `fold_in_visitors`."""

    def tensors(self) -> dict[str, np.ndarray]:
        """What folding in needs besides the vectors, by name: float32 arrays."""

    def check_fits(self, space: EmbeddingSpace) -> None:
        """Raise InputError unless users can be folded into this space."""


def fold_in_liked(rule: FoldIn, space: EmbeddingSpace, weights: sp.csr_matrix, above: np.ndarray) -> np.ndarray:
    """As `FoldIn.fold_in_visitors`, for a model that knows no ratings against an item: dislikes are left out."""
    return rule.fold_in(space, select_entries(weights, above >= DISLIKED))


def liked_contributions(
    rule: FoldIn, space: EmbeddingSpace, weights: sp.csr_matrix, above: np.ndarray, item_rows: np.ndarray
) -> np.ndarray:
    """As `FoldIn.contributions`, for a user vector of `fold_in_liked`: dislikes add nothing."""
    shares = np.zeros((weights.nnz, len(item_rows)), dtype=np.float32)
    liked = above >= DISLIKED
    shares[liked] = rule.contributions(space, select_entries(weights, liked), item_rows)
    return shares


@dataclass(frozen=True, eq=False)
class Contributions:
    """One user's scores, split over the items the user rated.

    rated_rows  (n_rated,) row numbers of the rated items that have a weight
    shares      (n_rated, n) float32: what each rated item adds to the score of each of n items
    """

    rated_rows: np.ndarray
    shares: np.ndarray


@dataclass(frozen=True, eq=False)
class Stored:
    """What a folder holds of a result of training.

    tables    as `Fitted.to_tables` returned them; `recsys.store` has checked their columns and types
    tensors   as `Fitted.tensors` returned them
    item_ids  (n_items,) the catalog's items, for tables that name only some
    has_bias  whether the last dimension of the vectors is the item bias
    learner   the settings it was trained with
    """

    tables: Mapping[str, pa.Table]
    tensors: Mapping[str, np.ndarray]
    item_ids: np.ndarray
    has_bias: bool
    learner: Any


class Fitted(ABC):
    """The result of training, without the settings and the catalog, which the `Model` adds.

    item_ids  (n_items,) int64 or str objects
    TABLES    names of the tables it is stored as, in order; the last one identifies the type
    """

    TABLES: ClassVar[tuple[str, ...]]
    item_ids: np.ndarray

    @property
    def uses_order(self) -> bool:
        """Whether results depend on the order of the entries in each row of a matrix of ratings: oldest first."""
        return False

    @abstractmethod
    def batch(
        self, user_ids: np.ndarray, ratings: sp.csr_matrix, weighting: FittedWeighting, *, is_new: bool = False
    ) -> UserBatch:
        """Users with their vectors (if the type has vectors) and their origin.

        ratings  CSR (n, n_items), raw
        is_new   these are visitors: ignore what is stored under these ids and use the ratings alone
        """

    @abstractmethod
    def score(self, batch: UserBatch, weighting: FittedWeighting) -> np.ndarray:
        """Scores of every item for each user: (n, n_items) float32, possibly read-only."""

    def top_k(
        self,
        batch: UserBatch,
        weighting: FittedWeighting,
        k: int,
        *,
        exclude: sp.csr_matrix | None = None,
        allowed: np.ndarray | None = None,
        n_threads: int = 1,
    ) -> tuple[np.ndarray, np.ndarray]:
        """The k items with the highest scores for each user: row numbers (n, k) and scores (n, k); see `recsys.topk`,
        also for `exclude`, `allowed` and `n_threads`."""
        return top_k(
            lambda rows: self.score(batch[rows], weighting),
            len(batch),
            len(self.item_ids),
            k,
            exclude=exclude,
            allowed=allowed,
            n_threads=n_threads,
        )

    def prepare_top_k(self) -> None:  # noqa: B027 — most types have nothing to prepare
        """Compute now what the first call of `top_k` would compute."""

    @abstractmethod
    def contributions(
        self, batch: UserBatch, weighting: FittedWeighting, item_rows: np.ndarray
    ) -> Contributions | None:
        """The scores of `item_rows` for the one user of `batch`, split over the rated items; None if the scores do
        not depend on the user's ratings."""

    @abstractmethod
    def to_tables(self) -> dict[str, pa.Table]:
        """The tables that store it, by the names in `TABLES`."""

    def tensors(self) -> dict[str, np.ndarray]:
        """Arrays of the model that are not tables, by name: float32. By default none."""
        return {}

    @classmethod
    @abstractmethod
    def from_stored(cls, stored: Stored) -> Self:
        """Read back what `to_tables` and `tensors` returned. Raises InputError for values that do not fit together."""


@dataclass(frozen=True, eq=False)
class Vectors(Fitted):
    """User and item vectors, and the rule that gives a new user a vector. The score is the dot product.

    space    the vectors, float32
    learner  computes vectors of new users and splits their scores
    """

    TABLES = ("user_factors", "item_factors")

    space: EmbeddingSpace
    learner: FoldIn
    item_ids: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "item_ids", self.space.item_ids)
        self.learner.check_fits(self.space)

    @property
    def uses_order(self) -> bool:
        """As the rule that folds users in."""
        return self.learner.uses_order

    def batch(
        self, user_ids: np.ndarray, ratings: sp.csr_matrix, weighting: FittedWeighting, *, is_new: bool = False
    ) -> UserBatch:
        """Known users get their stored vectors; the others are folded in. A zero vector means a cold user."""
        space, same_type = self.space, user_ids.dtype == self.space.user_ids.dtype
        if not is_new and same_type and np.array_equal(user_ids, space.user_ids):  # all of them: nothing to look up
            known, vectors = np.ones(len(user_ids), dtype=bool), space.user_factors
        else:
            rows = np.full(len(user_ids), -1)
            if not is_new and same_type:
                rows = space.user_index.get_indexer(index_of(user_ids))
            known = rows >= 0
            vectors = np.empty((len(user_ids), space.item_factors.shape[1]), dtype=np.float32)
            vectors[known] = space.user_factors[rows[known]]
            if not known.all():
                weights = weighting.apply(ratings[~known])
                vectors[~known] = self._folded_in(weights, weighting.above_mean(weights) if is_new else None)
        origin = np.where(known, np.array(STORED, dtype=object), np.array(FOLDED_IN, dtype=object))
        origin[~vectors[:, : space.n_factors].any(axis=1)] = COLD
        return UserBatch(user_ids, ratings, vectors, origin, visitors=is_new)

    def _folded_in(self, weights: sp.csr_matrix, above: np.ndarray | None) -> np.ndarray:
        """Vectors of users, or with `above` of visitors, from their weights. Raises NotFinite where the solution is no
        usable number."""
        vectors: np.ndarray | None
        try:
            with np.errstate(all="ignore"):
                if above is None:
                    vectors = self.learner.fold_in(self.space, weights)
                else:
                    vectors = self.learner.fold_in_visitors(self.space, weights, above)
        except np.linalg.LinAlgError:
            vectors = None
        if vectors is None or not (np.abs(vectors) <= LARGEST).all():
            raise NotFinite("these ratings give a user vector that is not finite; use ratings like those of training")
        return vectors

    def score(self, batch: UserBatch, weighting: FittedWeighting) -> np.ndarray:
        """Dot products of the users' vectors and all item vectors."""
        assert batch.vectors is not None
        return self.space.score(batch.vectors)

    def top_k(
        self,
        batch: UserBatch,
        weighting: FittedWeighting,
        k: int,
        *,
        exclude: sp.csr_matrix | None = None,
        allowed: np.ndarray | None = None,
        n_threads: int = 1,
    ) -> tuple[np.ndarray, np.ndarray]:
        """As `Fitted.top_k`, computing only the products that can matter."""
        assert batch.vectors is not None
        index = self.space.inner_products
        return index.top_k(batch.vectors, k, exclude=exclude, allowed=allowed, n_threads=n_threads)

    def prepare_top_k(self) -> None:
        """Arrange the item vectors."""
        _ = self.space.inner_products.arranged

    def contributions(
        self, batch: UserBatch, weighting: FittedWeighting, item_rows: np.ndarray
    ) -> Contributions | None:
        """The split of a user's scores; how exact it is depends on the learner. None for an imported user vector."""
        if batch.origin[0] == STORED and not self.learner.explains_users:
            return None
        weights = weighting.apply(batch.ratings)
        if batch.visitors:
            above = weighting.above_mean(weights)
            shares = self.learner.visitor_contributions(self.space, weights, above, item_rows)
        else:
            shares = self.learner.contributions(self.space, weights, item_rows)
        return Contributions(weights.indices, shares)

    def to_tables(self) -> dict[str, pa.Table]:
        """user_factors (if there are users) and item_factors: an id and its vector as fixed_size_list<float32>[d]."""
        space = self.space
        tables = {"item_factors": _factors_table("item_id", space.item_ids, space.item_factors)}
        if space.has_users:
            tables = {"user_factors": _factors_table("user_id", space.user_ids, space.user_factors), **tables}
        return tables

    @classmethod
    def from_stored(cls, stored: Stored) -> Self:
        """Read both tables of factors. Only vectors of another program may lack users."""
        tables, learner = stored.tables, stored.learner
        items = tables["item_factors"]
        if "user_factors" not in tables:
            if learner.needs_users:
                raise InputError("user_factors.parquet is missing")
            space = EmbeddingSpace(_factors(items), items["item_id"].to_numpy())
            return cls(space, learner.fold_in_rule(stored.tensors))
        users = tables["user_factors"]
        space = EmbeddingSpace(
            user_factors=_factors(users),
            item_factors=_factors(items),
            user_ids=users["user_id"].to_numpy(),
            item_ids=items["item_id"].to_numpy(),
            has_bias=stored.has_bias,
        )
        return cls(space, learner.fold_in_rule(stored.tensors))

    def tensors(self) -> dict[str, np.ndarray]:
        """What folding in needs besides the vectors."""
        return self.learner.tensors()


@dataclass(frozen=True, eq=False)
class ItemWeights(Fitted):
    """A weight from each item to each other item. A user's score of an item is the sum over the items they rated.

    weights   (n_items, n_items) float32, from the rated item (row) to the scored item (column): a CSR matrix, or an
              array when more than a quarter of the entries are filled
    item_ids  (n_items,) int64 or str objects

    Raises InputError for another shape, NotFinite for weights that are not finite or beyond ±1e12.
    """

    TABLES = ("item_weights",)

    weights: Any
    item_ids: np.ndarray

    def __post_init__(self) -> None:
        ids, weights = as_ids(self.item_ids), self.weights
        if weights.shape != (len(ids), len(ids)):
            raise InputError(f"item weights of shape {weights.shape} do not fit {len(ids)} item ids")
        if sp.issparse(weights) and weights.nnz > len(ids) ** 2 / 4:
            weights = weights.toarray()
        weights = sp.csr_matrix(weights, dtype=np.float32) if sp.issparse(weights) else np.asarray(weights, np.float32)
        if not (np.abs(weights.data if sp.issparse(weights) else weights) <= LARGEST).all():
            raise NotFinite(f"item weights must be finite numbers, up to {LARGEST:g}")
        object.__setattr__(self, "weights", weights)
        object.__setattr__(self, "item_ids", ids)

    def batch(
        self, user_ids: np.ndarray, ratings: sp.csr_matrix, weighting: FittedWeighting, *, is_new: bool = False
    ) -> UserBatch:
        """Users without vectors: every user is scored from their ratings; users without any are cold."""
        origin = np.full(len(user_ids), STORED, dtype=object)
        origin[weighting.apply(ratings).getnnz(axis=1) == 0] = COLD
        return UserBatch(user_ids, ratings, None, origin)

    def score(self, batch: UserBatch, weighting: FittedWeighting) -> np.ndarray:
        """The users' weights times the item weights."""
        scores = weighting.apply(batch.ratings) @ self.weights
        return scores.toarray() if sp.issparse(scores) else np.asarray(scores)

    def contributions(self, batch: UserBatch, weighting: FittedWeighting, item_rows: np.ndarray) -> Contributions:
        """The exact split: the shares of an item add up to its score."""
        weights = weighting.apply(batch.ratings)
        part = self.weights[weights.indices][:, item_rows]
        part = part.toarray() if sp.issparse(part) else part
        return Contributions(weights.indices, weights.data[:, None] * part)

    def to_tables(self) -> dict[str, pa.Table]:
        """Dense: item_id and its row of weights as a list. Sparse: item_id, other_id, weight for each entry."""
        ids = pa.array(self.item_ids)
        if not sp.issparse(self.weights):
            lists = pa.FixedSizeListArray.from_arrays(pa.array(self.weights.ravel()), max(len(ids), 1))
            return {"item_weights": pa.table({"item_id": ids, "weights": lists})}
        entries = self.weights.tocoo()
        return {
            "item_weights": pa.table(
                {
                    "item_id": ids.take(pa.array(entries.row)),
                    "other_id": ids.take(pa.array(entries.col)),
                    "weight": pa.array(entries.data),
                }
            )
        }

    @classmethod
    def from_stored(cls, stored: Stored) -> Self:
        """Read the dense or the sparse form, whichever is there."""
        table = stored.tables["item_weights"]
        if "weights" in table.column_names:
            flat = table["weights"].combine_chunks().flatten().to_numpy()
            return cls(flat.reshape(len(table), -1), table["item_id"].to_numpy())
        known = pa.array(stored.item_ids)
        rows, columns = (pc.index_in(table[name], value_set=known) for name in ("item_id", "other_id"))
        if rows.null_count or columns.null_count:
            raise InputError("item_weights has items that the list of items does not have")
        entries = (table["weight"].to_numpy(), (rows.to_numpy(), columns.to_numpy()))
        weights = sp.csr_matrix(entries, shape=(len(known), len(known)))
        weights.sum_duplicates()  # not every SciPy does so by itself
        if weights.nnz < len(table):
            raise InputError("item_weights: a pair of items occurs twice")
        return cls(weights, stored.item_ids)


@dataclass(frozen=True, eq=False)
class ItemScores(Fitted):
    """One score per item, the same for every user.

    scores    (n_items,) float32, higher is better
    item_ids  (n_items,) int64 or str objects

    Raises InputError for another number of scores, NotFinite for scores that are not finite.
    """

    TABLES = ("item_scores",)

    scores: np.ndarray
    item_ids: np.ndarray

    def __post_init__(self) -> None:
        scores, ids = np.asarray(self.scores, dtype=np.float32), as_ids(self.item_ids)
        if scores.shape != ids.shape:
            raise InputError(f"scores of shape {scores.shape} do not fit {len(ids)} item ids")
        if not np.isfinite(scores).all():
            raise NotFinite("item scores must be finite numbers")
        object.__setattr__(self, "scores", scores)
        object.__setattr__(self, "item_ids", ids)

    def batch(
        self, user_ids: np.ndarray, ratings: sp.csr_matrix, weighting: FittedWeighting, *, is_new: bool = False
    ) -> UserBatch:
        """Users without vectors; all are treated alike."""
        return UserBatch(user_ids, ratings, None, np.full(len(user_ids), STORED, dtype=object))

    def score(self, batch: UserBatch, weighting: FittedWeighting) -> np.ndarray:
        """The same scores for every user, a read-only view."""
        return np.broadcast_to(self.scores, (len(batch), len(self.scores)))

    def contributions(self, batch: UserBatch, weighting: FittedWeighting, item_rows: np.ndarray) -> None:
        """None: the scores do not depend on the user's ratings."""
        return None

    def to_tables(self) -> dict[str, pa.Table]:
        """item_scores: item_id, score."""
        return {"item_scores": pa.table({"item_id": pa.array(self.item_ids), "score": pa.array(self.scores)})}

    @classmethod
    def from_stored(cls, stored: Stored) -> Self:
        """Read the table of scores."""
        table = stored.tables["item_scores"]
        return cls(table["score"].to_numpy(), table["item_id"].to_numpy())


def _factors_table(kind: str, ids: np.ndarray, factors: np.ndarray) -> pa.Table:
    vectors = pa.FixedSizeListArray.from_arrays(pa.array(factors.ravel()), factors.shape[1])
    return pa.table({kind: pa.array(ids), "factors": vectors})


def _factors(table: pa.Table) -> np.ndarray:
    """Vectors of a table of factors, (n, d) float32."""
    column = table["factors"].combine_chunks()
    factors: np.ndarray = column.flatten().to_numpy().reshape(len(table), column.type.list_size)
    return factors
