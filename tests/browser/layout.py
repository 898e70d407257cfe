"""A map whose dots are well separated, so that a test can point at each of them on any machine."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from recsys.space.item_map import ItemMap


def on_grid(item_map: ItemMap, groups: np.ndarray | None = None) -> ItemMap:
    """The same items on a square grid, group by group from top to bottom; items without coordinates stay without.

    groups  (n_items,) int, or None to keep the order of the items
    """
    rows = np.flatnonzero(item_map.is_placed)
    if groups is not None:
        rows = rows[np.argsort(groups[rows], kind="stable")]
    side = math.ceil(math.sqrt(len(rows)))
    coordinates = np.full_like(item_map.coordinates, np.nan)
    up, across = np.divmod(np.arange(len(rows)), side)
    coordinates[rows] = np.column_stack([across, -up]) * 2 / side + (-1, 1)
    return replace(item_map, coordinates=coordinates)
