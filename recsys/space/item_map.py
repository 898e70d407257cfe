"""ItemMap: the position of each item on a 2D map. How maps are made is in `layout.py`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
import pandas as pd

from recsys.dataset.attributes import Attributes
from recsys.dataset.interactions import as_ids
from recsys.errors import InputError, Unsupported
from recsys.limits import LARGEST

if TYPE_CHECKING:
    from recsys.space.item_clusters import ItemClusters

MapMethod = Literal["pca", "tsne", "umap", "pacmap", "axes"]

DEFAULT_MAP: MapMethod = "tsne"
"""Has the highest recall@15 and trustworthiness on MovieLens 100K, 1M and latest-small."""

FIDELITY = (
    "trustworthiness",
    "continuity",
    "recall@15",
    "landing_error",
    "landing_recall@15",
    "alignment_residual",
)
"""Measures of how well a map preserves the space; defined in recsys.space.fidelity and recsys.space.layout."""


@dataclass(frozen=True, eq=False)
class ItemMap:
    """A 2D layout of the items of an embedding space.

    method       how the map was made
    item_ids     (n_items,) in the order of the space
    coordinates  (n_items, 2) float32; NaN for an item with a zero vector. Centred, the longer half-axis scaled to 1;
                 after an alignment, in the frame of the earlier map; for method "axes", positions along the axes in
                 standard deviations
    seed         of the layout
    axes         titles of the horizontal and the vertical axis; only for method "axes"
    fidelity     measures of the map by the names in `FIDELITY`; only those that were computed
    attributes   what is known about the items, for `plot`; None for a map read from disk

    Raises InputError when the parts do not match.

    >>> import numpy as np
    >>> item_map = ItemMap("pca", np.array([10, 20]), np.array([[0.5, 1.0], [-0.5, -1.0]]), seed=42)
    >>> item_map.to_frame().to_dict("list")
    {'item_id': [10, 20], 'x': [0.5, -0.5], 'y': [1.0, -1.0]}
    """

    method: MapMethod
    item_ids: np.ndarray
    coordinates: np.ndarray
    seed: int
    axes: tuple[str, str] | None = None
    fidelity: Mapping[str, float] = field(default_factory=dict)
    attributes: Attributes | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "item_ids", as_ids(self.item_ids))
        coordinates = np.ascontiguousarray(self.coordinates, dtype=np.float32)
        if coordinates.shape != (len(self.item_ids), 2) or np.isinf(coordinates).any():
            raise InputError(f"a map needs two finite coordinates for each of its {len(self.item_ids)} items")
        if (np.isnan(coordinates[:, 0]) != np.isnan(coordinates[:, 1])).any() or (np.abs(coordinates) > LARGEST).any():
            raise InputError(f"an item of a map needs two coordinates up to {LARGEST:g} or none")
        object.__setattr__(self, "coordinates", coordinates)
        if self.method not in get_args(MapMethod):
            raise InputError(f"unknown map method {self.method!r}: use {', '.join(get_args(MapMethod))}")
        if self.axes is not None:
            object.__setattr__(self, "axes", tuple(self.axes))
        if self.method != "axes" and self.axes is not None:
            raise InputError(f"a {self.method} map has no axis titles, not {self.axes}")
        if self.method == "axes" and not (
            self.axes is not None and len(self.axes) == 2 and all(isinstance(name, str) and name for name in self.axes)
        ):
            raise InputError(f"a map along axes needs two axis titles, not {self.axes}")
        if not isinstance(self.fidelity, Mapping):
            raise InputError(f"the fidelity of a map must be a mapping of names to numbers, not {self.fidelity}")
        fidelity = {name: float(value) for name, value in self.fidelity.items()}
        for name, value in fidelity.items():
            if name not in FIDELITY or not np.isfinite(value):
                raise InputError(f"invalid map fidelity {name} {value}: use {', '.join(FIDELITY)}, finite")
        object.__setattr__(self, "fidelity", fidelity)

    def plot(self, clusters: ItemClusters | None = None) -> Any:
        """A Plotly figure: a dot per item, larger with more ratings, with titles on hover.

        clusters  their verified names label the map

        Raises Unsupported for a map without `attributes`, such as one read from disk.
        """
        from recsys.plots.picture import picture

        if self.attributes is None:
            raise Unsupported("this map has no titles; draw one made by EmbeddingSpace.map")
        return picture(self, self.attributes.catalog, self.attributes.n_ratings, clusters)

    @property
    def is_placed(self) -> np.ndarray:
        """Whether each item has a position, (n_items,) bool."""
        placed: np.ndarray = np.isfinite(self.coordinates).all(axis=1)
        return placed

    def to_frame(self) -> pd.DataFrame:
        """One row per item in the order of the space: item_id, x, y (float32; NaN without a position)."""
        return pd.DataFrame({"item_id": self.item_ids, "x": self.coordinates[:, 0], "y": self.coordinates[:, 1]})

    def inside(self, outline: np.ndarray) -> np.ndarray:
        """Whether each item is inside a closed polygon (n_corners, 2) in map coordinates, (n_items,) bool.

        Even-odd rule: a ray from the item to the right crosses the outline an odd number of times (Shimrat 1962).
        Raises InputError for fewer than three corners.
        """
        corners = np.asarray(outline, dtype=np.float64)
        if corners.ndim != 2 or corners.shape[1] != 2 or len(corners) < 3:
            raise InputError(
                f"an outline needs at least three corners with two coordinates each, not shape {corners.shape}"
            )
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
