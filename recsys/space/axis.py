"""Axis: a direction in the latent space with two ends, their names, and the evidence for them.

Knows nothing of how a direction is found or tested.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from recsys.errors import InputError, UnknownId
from recsys.space.embedding import EmbeddingSpace

UNNAMED = "unnamed"
BETWEEN = " ↔ "


@dataclass(frozen=True, eq=False)
class Axis:
    """A line through the latent space, from its low end to its high end.

    name       "axis 3" for a discovered one, "children's ↔ adult" for one that was asked for
    low, high  what the ends are called; `UNNAMED` where nothing true was found
    direction  (n_factors,) float32 of length 1, pointing to the high end; the bias is no part of it
    centre     mean coordinate of the well-known items
    spread     its standard deviation, above 0
    is_valid   asked for: the space knows it, held-out items said so; discovered: an end carries a true name
    evidence   plain values (str, float, int, bool, None, lists and dicts of them), as JSON has them

    Raises InputError when the direction is not finite and of length 1, or the spread is not above 0.
    """

    name: str
    low: str
    high: str
    direction: np.ndarray
    centre: float
    spread: float
    is_valid: bool
    evidence: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        direction = np.ascontiguousarray(self.direction, dtype=np.float32)
        if direction.ndim != 1 or not abs(float(np.linalg.norm(direction)) - 1) < 1e-3:
            raise InputError(f"the direction of {self.name!r} is not of length 1")
        if not (self.spread > 0 and np.isfinite([self.centre, self.spread]).all()):
            raise InputError(f"nothing lies along {self.name!r}: its spread is {self.spread}")
        direction.setflags(write=False)
        object.__setattr__(self, "direction", direction)

    @classmethod
    def from_direction(
        cls,
        space: EmbeddingSpace,
        known: np.ndarray,
        direction: np.ndarray,
        name: str,
        low: str,
        high: str,
        is_valid: bool,
        evidence: dict[str, Any],
    ) -> Axis:
        """The axis along `direction` (n_factors,), of any length, measured by the `known` items (bool mask).

        Raises InputError where the direction has no length or the items no spread along it.
        """
        length = float(np.linalg.norm(direction))
        if not length > 0:
            raise InputError(f"nothing in this space lies along {name!r}")
        direction = direction / length
        along = space.item_directions[known] @ direction.astype(np.float32)
        return cls(name, low, high, direction, float(along.mean()), float(along.std()), is_valid, evidence)

    @property
    def title(self) -> str:
        """Both ends, "children's ↔ adult"; with the name of a discovered axis before them."""
        ends = f"{self.low}{BETWEEN}{self.high}"
        return ends if self.name == ends else f"{self.name}: {ends}"

    def cosine(self, other: Axis) -> float:
        """Cosine of the angle between two axes: 0 at right angles, ±1 along the same line."""
        return float(self.direction @ other.direction)

    def flipped(self) -> Axis:
        """The same line seen from its other end: what was low is high."""
        name = f"{self.high}{BETWEEN}{self.low}" if self.name == f"{self.low}{BETWEEN}{self.high}" else self.name
        return replace(self, name=name, low=self.high, high=self.low, direction=-self.direction, centre=-self.centre)

    def positions(self, space: EmbeddingSpace, vectors: np.ndarray | None = None) -> np.ndarray:
        """Where vectors (n, d), by default all items, lie: (n,) float32, 0 the middle, 1 a standard deviation of the
        well-known items; NaN for a vector of length 0."""
        directions = space.item_directions if vectors is None else space.directions(vectors)
        along = (directions @ self.direction - np.float32(self.centre)) / np.float32(self.spread)
        return np.where(directions.any(axis=1), along, np.nan).astype(np.float32)

    def ends(
        self, space: EmbeddingSpace, n_ratings: np.ndarray, k: int = 5, allowed: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Rows of the k items nearest to the low end and to the high end, outermost first, int64.

        Only those in the most-rated third of `allowed` (bool mask, default all with a vector):
        an example has to be known to say something.
        """
        there = space.item_directions.any(axis=1) & (True if allowed is None else allowed)
        if not there.any():
            return np.empty(0, np.int64), np.empty(0, np.int64)
        rows = np.flatnonzero(there & (n_ratings >= np.quantile(n_ratings[there], 2 / 3)))
        order = rows[np.argsort(self.positions(space)[rows], kind="stable")]
        return order[:k], order[::-1][:k]


@dataclass(frozen=True, eq=False)
class Axes:
    """The axes of one model.

    method      how the discovered axes were turned: quartimax, varimax, ica, nmf
    discovered  by share of the well-known items' variance, greatest first. Of an orthogonal method they are as many as
                the space has dimensions, at right angles: together they split every score exactly
    asked       built-in and asked-for axes
    seed        of refits and folds
    """

    method: str
    discovered: tuple[Axis, ...]
    asked: tuple[Axis, ...]
    seed: int

    @property
    def all(self) -> tuple[Axis, ...]:
        return self.asked + self.discovered

    def __getitem__(self, name: str) -> Axis:
        """The axis of that name ("axis 3", "children's ↔ adult"). Raises UnknownId."""
        if name not in self._of_name:
            raise UnknownId(f"there is no axis {name!r}: make it with recsys axes; there are {_some(self._of_name)}")
        return self._of_name[name]

    @cached_property
    def _of_name(self) -> dict[str, Axis]:
        return {axis.name: axis for axis in self.all}

    @cached_property
    def rotation(self) -> np.ndarray | None:
        """The discovered directions as columns, (n_factors, n_factors) float64, if they are a rotation; else None."""
        columns = np.array([axis.direction for axis in self.discovered], dtype=np.float64).T
        if columns.ndim != 2 or columns.shape[0] != columns.shape[1]:
            return None
        is_rotation = np.allclose(columns.T @ columns, np.eye(len(columns)), atol=1e-4)
        return columns if is_rotation else None


def _some(names: Sequence[str] | dict[str, Axis], most: int = 8) -> str:
    listed = list(names)
    return ", ".join(listed[:most]) + (f" and {len(listed) - most} more" if len(listed) > most else "")
