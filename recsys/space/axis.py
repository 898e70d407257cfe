"""Axis: a direction in the embedding space with two ends, their names, and the evidence for the names.

How a direction is found and tested is in `discovery.py` and `probes.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from recsys.errors import InputError, UnknownId, quoted
from recsys.space.embedding import EmbeddingSpace
from recsys.space.evidence import AxisEvidence, DiscoveryEvidence

UNNAMED = "unnamed"
BETWEEN = " ↔ "


@dataclass(frozen=True, eq=False)
class Axis:
    """A line through the embedding space, from a low end to a high end.

    name       "axis 3" for a discovered axis, "children's ↔ adult" for one that was asked for
    low, high  names of the ends; `UNNAMED` where no name is verified
    direction  (n_factors,) float32 of length 1, towards the high end, without the bias
    centre     mean coordinate of the well-known items
    spread     standard deviation of their coordinates, above 0
    is_valid   asked for: held-out items confirm it; discovered: at least one end has a verified name
    evidence   the measurements behind `is_valid` and the names; None where the axis was not tested

    Raises InputError when the direction is not finite or not of length 1, or the spread is not above 0.

    >>> import numpy as np
    >>> space = EmbeddingSpace(np.array([[1.0, 0.0], [0.0, 1.0], [0.6, 0.8]]), ["Babe", "Alien", "Gremlins"])
    >>> axis = Axis("light ↔ dark", "light", "dark", np.array([0.0, 1.0]), centre=0.6, spread=0.4, is_valid=True)
    >>> axis.positions(space).round(2).tolist()
    [-1.5, 1.0, 0.5]
    """

    name: str
    low: str
    high: str
    direction: np.ndarray
    centre: float
    spread: float
    is_valid: bool
    evidence: AxisEvidence | None = None

    def __post_init__(self) -> None:
        direction = np.ascontiguousarray(self.direction, dtype=np.float32)
        if direction.ndim != 1 or not abs(float(np.linalg.norm(direction)) - 1) < 1e-3:
            raise InputError(f"the direction of axis {quoted(self.name)} is not of length 1")
        if not (self.spread > 0 and np.isfinite([self.centre, self.spread]).all()):
            raise InputError(f"the items do not differ along axis {quoted(self.name)}: its spread is {self.spread}")
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
        evidence: AxisEvidence | None = None,
    ) -> Axis:
        """The axis along `direction` (n_factors,), of any length, with centre and spread of the `known` items.

        known  (n_items,) bool

        Raises InputError when the direction is zero or the known items do not differ along it.
        """
        length = float(np.linalg.norm(direction))
        if not length > 0:
            raise InputError(f"the space has no direction for axis {quoted(name)}")
        direction = direction / length
        coordinates = space.item_directions[known] @ direction.astype(np.float32)
        centre, spread = float(coordinates.mean()), float(coordinates.std())
        return cls(name, low, high, direction, centre, spread, is_valid, evidence)

    @property
    def title(self) -> str:
        """Both ends, as "children's ↔ adult"; for a discovered axis preceded by its name."""
        ends = f"{self.low}{BETWEEN}{self.high}"
        return ends if self.name == ends else f"{self.name}: {ends}"

    def cosine(self, other: Axis) -> float:
        """Cosine of the angle between two axes: 0 at right angles, ±1 along the same line."""
        return float(self.direction @ other.direction)

    def flipped(self) -> Axis:
        """The same line in the opposite direction: low and high end exchanged."""
        name = f"{self.high}{BETWEEN}{self.low}" if self.name == f"{self.low}{BETWEEN}{self.high}" else self.name
        return replace(self, name=name, low=self.high, high=self.low, direction=-self.direction, centre=-self.centre)

    def positions(self, space: EmbeddingSpace, vectors: np.ndarray | None = None) -> np.ndarray:
        """Positions of vectors (n, d), by default of all items, along the axis, (n,) float32.

        In standard deviations of the well-known items, 0 at their mean; NaN for a zero vector.
        """
        directions = space.item_directions if vectors is None else space.directions(vectors)
        positions = (directions @ self.direction - np.float32(self.centre)) / np.float32(self.spread)
        return np.where(directions.any(axis=1), positions, np.nan).astype(np.float32)

    def ends(
        self, space: EmbeddingSpace, n_ratings: np.ndarray, k: int = 5, allowed: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Rows (int64) of the k items nearest to the low end and to the high end, outermost first.

        n_ratings  (n_items,)
        allowed    (n_items,) bool; default all items with a vector

        Only the most-rated third of `allowed` is used, because unfamiliar items are poor examples.
        """
        candidates = space.item_directions.any(axis=1) & (True if allowed is None else allowed)
        if not candidates.any():
            return np.empty(0, np.int64), np.empty(0, np.int64)
        rows = np.flatnonzero(candidates & (n_ratings >= np.quantile(n_ratings[candidates], 2 / 3)))
        order = rows[np.argsort(self.positions(space)[rows], kind="stable")]
        return order[:k], order[::-1][:k]

    def to_json(self) -> dict[str, Any]:
        """The axis as plain values, as `axes.json` stores it."""
        return {
            "name": self.name,
            "low": self.low,
            "high": self.high,
            "direction": self.direction.tolist(),
            "centre": self.centre,
            "spread": self.spread,
            "is_valid": self.is_valid,
            "evidence": {} if self.evidence is None else self.evidence.to_json(),
        }


@dataclass(frozen=True, eq=False)
class Axes:
    """The axes of one embedding space.

    method      how the discovered axes were rotated: varimax, quartimax, ica, nmf, none
    discovered  ordered by share of the variance of the well-known items, greatest first, or as the axes
                of an earlier model. An orthogonal method gives as many axes as the space has dimensions;
                they are perpendicular and split every score exactly
    asked       built-in axes and axes that were asked for
    seed        of the rotation, the refits and the folds

    >>> import numpy as np
    >>> asked = Axis("light ↔ dark", "light", "dark", np.array([0.0, 1.0]), centre=0.0, spread=1.0, is_valid=True)
    >>> axes = Axes("varimax", (), (asked,), seed=42)
    >>> axes["light ↔ dark"].high
    'dark'
    """

    method: str
    discovered: tuple[Axis, ...]
    asked: tuple[Axis, ...]
    seed: int

    @property
    def all(self) -> tuple[Axis, ...]:
        """The asked axes, then the discovered ones."""
        return self.asked + self.discovered

    def __getitem__(self, name: str) -> Axis:
        """The axis with this name ("axis 3", "children's ↔ adult"). Raises UnknownId."""
        if name not in self._by_name:
            raise UnknownId(
                f"there is no axis {quoted(name)}: make it with recsys axes; there are {_some(self._by_name)}"
            )
        return self._by_name[name]

    def to_frame(self) -> pd.DataFrame:
        """One row per axis: axis, low, high, is_valid, measure, value, value_low, value_high, share, stability.

        measure           "auc" or "spearman": the quality on held-out items; None where nothing was verified
        value             of an asked axis its measure; of a discovered axis the AUC of its best verified name
        value_low, _high  95 % interval of the value
        share             share of the variance along a discovered axis, 0 … 1; NaN for an asked one
        stability         of a discovered axis, 0 … 1; NaN where it was not measured
        """
        columns = "axis low high is_valid measure value value_low value_high share stability".split()
        return pd.DataFrame([_row(axis) for axis in self.all], columns=columns)

    @cached_property
    def _by_name(self) -> dict[str, Axis]:
        return {axis.name: axis for axis in self.all}

    @cached_property
    def rotation(self) -> np.ndarray | None:
        """The discovered directions in columns, (n_factors, n_factors) float64; None if they are not a rotation."""
        columns = np.array([axis.direction for axis in self.discovered], dtype=np.float64).T
        if columns.ndim != 2 or columns.shape[0] != columns.shape[1]:
            return None
        is_rotation = np.allclose(columns.T @ columns, np.eye(len(columns)), atol=1e-4)
        return columns if is_rotation else None


def _row(axis: Axis) -> tuple[Any, ...]:
    evidence, nan = axis.evidence, float("nan")
    measured: tuple[Any, ...] = (None, nan, nan, nan, nan, nan)
    if isinstance(evidence, DiscoveryEvidence):
        best = max((*evidence.low, *evidence.high), key=lambda name: name.auc, default=None)
        value = (None, nan, nan, nan) if best is None else ("auc", best.auc, best.auc_low, best.auc_high)
        measured = (*value, evidence.share, nan if evidence.stability is None else evidence.stability)
    elif evidence is not None:
        measured = (evidence.measure, evidence.value, evidence.low, evidence.high, nan, nan)
    return (axis.name, axis.low, axis.high, axis.is_valid, *measured)


def _some(names: Sequence[str] | dict[str, Axis], most: int = 8) -> str:
    listed = list(names)
    return ", ".join(listed[:most]) + (f" and {len(listed) - most} more" if len(listed) > most else "")
