"""ItemMap: where each item lies on a plane. Knows nothing of how the places were found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from recsys.errors import InputError
from recsys.interactions import as_ids

MapMethod = Literal["pca", "tsne"]


@dataclass(frozen=True, eq=False)
class ItemMap:
    """A layout of the items of one model.

    method       how it was made
    item_ids     (n_items,) in the order of the model
    coordinates  (n_items, 2) float32, centred; the farther axis reaches 1; NaN for an item without a vector (length
                 0), of which nothing is known: it is on no side of anything
    seed         of the layout

    Raises InputError when ids and coordinates do not fit together.
    """

    method: MapMethod
    item_ids: np.ndarray
    coordinates: np.ndarray
    seed: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "item_ids", as_ids(self.item_ids))
        coordinates = np.ascontiguousarray(self.coordinates, dtype=np.float32)
        if coordinates.shape != (len(self.item_ids), 2) or np.isinf(coordinates).any():
            raise InputError(
                f"a map needs two coordinates for each of its {len(self.item_ids)} items, not infinite ones"
            )
        object.__setattr__(self, "coordinates", coordinates)

    @property
    def is_placed(self) -> np.ndarray:
        """Which items have a place, (n_items,) bool."""
        return np.isfinite(self.coordinates).all(axis=1)
