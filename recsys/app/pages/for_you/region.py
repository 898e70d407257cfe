"""The region of the map that recommendations are limited to, kept for the session."""

from __future__ import annotations

import numpy as np
import streamlit as st

from recsys.app.session import Loaded
from recsys.space.item_map import ItemMap


def set_region(loaded: Loaded, item_map: ItemMap, outline: np.ndarray | None) -> None:
    """Limit recommendations to an outline (n, 2) in coordinates of a map; None removes the limit."""
    st.session_state[_key(loaded)] = None if outline is None else (item_map, outline)


def clear_region(loaded: Loaded) -> None:
    """Recommend from the whole map again."""
    st.session_state[_key(loaded)] = None


def region_outline(loaded: Loaded) -> np.ndarray | None:
    """The outline (n, 2) of the region; None without one, or if its map was replaced since it was drawn."""
    item_map, outline = st.session_state.get(_key(loaded)) or (None, None)
    return outline if item_map is not None and item_map is loaded.maps.get(item_map.method) else None


def in_region(loaded: Loaded) -> np.ndarray | None:
    """Which items are in the region, (n_items,) bool; None without a region."""
    outline = region_outline(loaded)
    return None if outline is None else st.session_state[_key(loaded)][0].inside(outline)


def _key(loaded: Loaded) -> str:
    return f"region-{loaded.name}"
