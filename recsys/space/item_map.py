"""ItemMap: where each item lies on a plane. Knows nothing of how the places were found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np

from recsys.dataset.interactions import as_ids
from recsys.errors import InputError

MapMethod = Literal["pca", "tsne", "umap", "pacmap", "axes"]

DEFAULT_MAP: MapMethod = "tsne"
"""Keeps the most neighbours (recall@15) and the most trust on MovieLens 100K, 1M and latest-small."""

FIDELITY = (
    "trustworthiness",
    "continuity",
    "recall@15",
    "landing_error",
    "landing_recall@15",
    "alignment_residual",
)
"""What can be known of how true a map is; recsys.space.fidelity and recsys.space.layout say what each means."""


@dataclass(frozen=True, eq=False)
class ItemMap:
    """A layout of the items of one model.

    method       how it was made
    item_ids     (n_items,) in the order of the model
    coordinates  (n_items, 2) float32; NaN for an item without a vector (length 0), of which nothing is known: it is
                 on no side of anything. Centred, and the farther axis reaches 1; of a map that was aligned with an
                 earlier one, in the frame of that one; of method "axes", positions along them: standard deviations
    seed         of the layout
    axes         titles of the horizontal and the vertical axis, for method "axes" only
    fidelity     how true the map is, by the names in `FIDELITY`; those that were measured

    Raises InputError when the parts do not fit together.
    """

    method: MapMethod
    item_ids: np.ndarray
    coordinates: np.ndarray
    seed: int
    axes: tuple[str, str] | None = None
    fidelity: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "item_ids", as_ids(self.item_ids))
        coordinates = np.ascontiguousarray(self.coordinates, dtype=np.float32)
        if coordinates.shape != (len(self.item_ids), 2) or np.isinf(coordinates).any():
            raise InputError(
                f"a map needs two coordinates for each of its {len(self.item_ids)} items, not infinite ones"
            )
        object.__setattr__(self, "coordinates", coordinates)
        if self.method not in get_args(MapMethod):
            raise InputError(f"there is no map method {self.method!r}: use {', '.join(get_args(MapMethod))}")
        if self.axes is not None:
            object.__setattr__(self, "axes", tuple(self.axes))
        if self.method != "axes" and self.axes is not None:
            raise InputError(f"a {self.method} map has no axes to be named, not {self.axes}")
        if self.method == "axes" and not (
            self.axes is not None and len(self.axes) == 2 and all(isinstance(name, str) and name for name in self.axes)
        ):
            raise InputError(f"a map of axes needs the names of two, not {self.axes}")
        if not isinstance(self.fidelity, Mapping):
            raise InputError(f"a map's fidelity has a name for each number, not {self.fidelity}")
        fidelity = {name: float(value) for name, value in self.fidelity.items()}
        for name, value in fidelity.items():
            if name not in FIDELITY or not np.isfinite(value):
                raise InputError(f"a map's fidelity cannot have {name} {value}: use {', '.join(FIDELITY)}, finite")
        object.__setattr__(self, "fidelity", fidelity)

    @property
    def is_placed(self) -> np.ndarray:
        """Which items have a place, (n_items,) bool."""
        return np.isfinite(self.coordinates).all(axis=1)

    def inside(self, outline: np.ndarray) -> np.ndarray:
        """Which items lie inside a closed outline (n_corners, 2) in the map's units, (n_items,) bool.

        Even-odd rule: a line from the item to the right crosses the outline an odd number of times (Shimrat 1962).
        Raises InputError for fewer than three corners.
        """
        corners = np.asarray(outline, dtype=np.float64)
        if corners.ndim != 2 or corners.shape[1] != 2 or len(corners) < 3:
            raise InputError(f"an outline has three corners or more, each with two coordinates, not {corners.shape}")
        low, high = corners.min(axis=0), corners.max(axis=0)
        near = np.flatnonzero(((self.coordinates >= low) & (self.coordinates <= high)).all(axis=1))
        x, y = self.coordinates[near].astype(np.float64).T
        odd = np.zeros(len(near), dtype=bool)
        for (x0, y0), (x1, y1) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
            if y0 != y1:
                odd ^= ((y0 > y) != (y1 > y)) & (x < x0 + (y - y0) * (x1 - x0) / (y1 - y0))
        found = np.zeros(len(self.coordinates), dtype=bool)
        found[near] = odd
        return found
