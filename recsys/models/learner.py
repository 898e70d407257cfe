"""What every model promises: settings in, something that scores out. Knows no particular model.

A learner is a frozen dataclass of settings; each field is made with `setting`, which is the one place where its
default, range and reason are written. The command line and the app read them from there.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, TypeVar, get_args, get_origin, get_type_hints

import numpy as np
import scipy.sparse as sp

from recsys.embeddings import EmbeddingSpace
from recsys.errors import InputError, SettingError, Unsupported
from recsys.interactions import Interactions, as_ids

Progress = Callable[[int, int], None]
"""Called with (steps done, steps in all)."""

Watch = Callable[[int, EmbeddingSpace], bool]
"""Called after each epoch with its number and what was learned so far; returns True to stop training there."""


@dataclass(frozen=True, eq=False)
class ItemScores:
    """One score per item, the same for every user: what a learner without vectors may return.

    scores    (n_items,) float32, higher is better
    item_ids  (n_items,) int64 or str objects
    """

    scores: np.ndarray
    item_ids: np.ndarray

    def __post_init__(self) -> None:
        object.__setattr__(self, "scores", np.asarray(self.scores, dtype=np.float32))
        object.__setattr__(self, "item_ids", as_ids(self.item_ids))

    def score(self, n_users: int) -> np.ndarray:
        """Scores of every item for `n_users` users, (n_users, n_items) float32, a read-only view."""
        return np.broadcast_to(self.scores, (n_users, len(self.scores)))


@dataclass(frozen=True, eq=False)
class ItemWeights:
    """What each item says about each other one: a user's scores are the sum over what they rated.

    weights   (n_items, n_items) float32, from the rated item (row) to the scored one (column): a CSR matrix, or an
              array where more than a quarter of it is filled
    item_ids  (n_items,) int64 or str objects
    """

    weights: Any
    item_ids: np.ndarray

    def __post_init__(self) -> None:
        ids, weights = as_ids(self.item_ids), self.weights
        if weights.shape != (len(ids), len(ids)):
            raise InputError(f"item weights of shape {weights.shape} do not fit {len(ids)} item ids")
        if sp.issparse(weights) and weights.nnz > len(ids) ** 2 / 4:
            weights = weights.toarray()
        weights = sp.csr_matrix(weights, dtype=np.float32) if sp.issparse(weights) else np.asarray(weights, np.float32)
        if not np.isfinite(weights.data if sp.issparse(weights) else weights).all():
            raise InputError("item weights hold values that are not finite")
        object.__setattr__(self, "weights", weights)
        object.__setattr__(self, "item_ids", ids)

    def score(self, ratings: sp.csr_matrix) -> np.ndarray:
        """Scores of every item, (n, n_items) float32, from the users' weights (n, n_items)."""
        scores = sp.csr_matrix(ratings, dtype=np.float32) @ self.weights
        return scores.toarray() if sp.issparse(scores) else np.asarray(scores)

    def contributions(self, ratings: sp.csr_matrix, item_rows: np.ndarray) -> np.ndarray:
        """The exact split of one user's scores over the rated items: (nnz, len(item_rows)) float32."""
        ratings = sp.csr_matrix(ratings, dtype=np.float32)
        part = self.weights[ratings.indices][:, item_rows]
        return ratings.data[:, None] * (part.toarray() if sp.issparse(part) else part)


Fitted = EmbeddingSpace | ItemScores | ItemWeights


class Learner(Protocol):
    """A model before it has seen data. `ratings` and `interactions` hold weights (see `Confidence`)."""

    name: ClassVar[str]
    summary: ClassVar[str]

    @property
    def seed(self) -> int: ...

    def fit(self, interactions: Interactions, progress: Progress | None = None, watch: Watch | None = None) -> Fitted:
        """Learn from the weighted interactions. Same data, seed and thread count: same bytes.

        A model that is solved in one go has no epochs, and never calls `watch`.
        """
        ...

    def fold_in(self, space: Fitted, ratings: sp.csr_matrix) -> np.ndarray:
        """Vectors (n, d) float32 of users who were not in training, from their weights (n, n_items).

        A row without ratings gives the zero vector (and the bias, where there is one). Raises Unsupported for
        a learner without vectors.
        """
        ...

    def contributions(self, space: Fitted, ratings: sp.csr_matrix, item_rows: np.ndarray) -> np.ndarray:
        """How much each rated item adds to the scores of `item_rows`: (nnz, len(item_rows)) float32.

        `ratings` is one user, (1, n_items); rows follow `ratings.indices`. Each model says what its split leaves
        out. Raises Unsupported for a learner without vectors.
        """
        ...


def setting(
    default: Any,
    reason: str,
    low: float | None = None,
    high: float | None = None,
    *,
    search: tuple[float, float] | None = None,
) -> Any:
    """A dataclass field with its default, its inclusive range and the reason for the default.

    search  where tuning looks for a better value, on a logarithmic scale; None: it is not tuned
    """
    metadata = {"reason": reason, "low": low, "high": high, "search": search}
    return dataclasses.field(default=default, metadata=metadata)


def check_settings(learner: Any) -> None:
    """Raise SettingError, naming the field and its range, for the first value that is outside it."""
    types = get_type_hints(type(learner))
    for field in dataclasses.fields(learner):
        value, kind = getattr(learner, field.name), types[field.name]
        if kind is int and (isinstance(value, bool) or not isinstance(value, int | np.integer)):
            raise SettingError(f"{field.name} must be a whole number, not {value!r}")
        if kind is float and (isinstance(value, bool) or not isinstance(value, int | float | np.number)):
            raise SettingError(f"{field.name} must be a number, not {value!r}")
        if kind in (int, float):
            low, high = field.metadata.get("low"), field.metadata.get("high")
            if not np.isfinite(value) or (low is not None and value < low) or (high is not None and value > high):
                raise SettingError(f"{field.name} is {value}, outside {_range(low, high)}")
        if get_origin(kind) is not None and get_args(kind) and value not in get_args(kind):
            raise SettingError(f"{field.name} must be one of {', '.join(map(repr, get_args(kind)))}, not {value!r}")


L = TypeVar("L")


def with_settings(learner: type[L], settings: Mapping[str, Any]) -> L:
    """Make a learner from named settings; strings, as typed on a command line, are read by the field's type.

    Raises SettingError for an unknown name or a value that does not fit.
    """
    types = get_type_hints(learner)
    names = [field.name for field in dataclasses.fields(learner)]  # type: ignore[arg-type]
    values: dict[str, Any] = {}
    for name, value in settings.items():
        if name not in names:
            raise SettingError(f"{learner.name} has no setting {name!r}; it has {', '.join(names)}")  # type: ignore[attr-defined]
        kind = types[name]
        if isinstance(value, str) and kind in (int, float):
            try:
                value = kind(value)
            except ValueError:
                kind_name = "whole number" if kind is int else "number"
                raise SettingError(f"{name} must be a {kind_name}, not {value!r}") from None
        elif kind is float and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        values[name] = value
    return learner(**values)


def item_weights_of(fitted: Fitted, name: str) -> ItemWeights:
    """The item weights, if the model has them; raises Unsupported naming the model otherwise."""
    if not isinstance(fitted, ItemWeights):
        raise Unsupported(f"{name!r} has no item weights")
    return fitted


def vectors_of(space: Fitted, name: str) -> EmbeddingSpace:
    """The space, if the model has one; raises Unsupported naming the model otherwise."""
    if not isinstance(space, EmbeddingSpace):
        raise Unsupported(f"{name!r} has no user and item vectors; train ials, als or bpr for that")
    return space


def _range(low: float | None, high: float | None) -> str:
    if low is None:
        return f"… {high:g}"
    return f"{low:g} … {high:g}" if high is not None else f"{low:g} …"
