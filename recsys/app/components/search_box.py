"""A search box that suggests movies while typing, as a Streamlit component. `Catalog.search` finds the matches."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import streamlit as st

from recsys.app.i18n.translate import say
from recsys.app.session import Loaded

HERE = Path(__file__).parent
N_FOUND = 8
MOST_TYPED = 100
"""Characters of the query that are used; longer queries only cost time."""

_component = st.components.v2.component(
    "recsys.search_box",
    html=(HERE / "search_box.html").read_text(encoding="utf-8"),
    css=(HERE / "search_box.css").read_text(encoding="utf-8"),
    js=(HERE / "search_box.js").read_text(encoding="utf-8"),
)


def search_box(loaded: Loaded, label: str, *, key: str, on_pick: Callable[[Any], None]) -> None:
    """Draw the box; `on_pick` is called with the id of the chosen movie.

    Typing reruns only the box; choosing a movie reruns the whole page.
    """
    _box(loaded, label, key, on_pick)


@st.fragment
def _box(loaded: Loaded, label: str, key: str, on_pick: Callable[[Any], None]) -> None:
    catalog, counts = loaded.model.catalog, loaded.model.n_ratings
    asked = str(st.session_state.get(key, {}).get("typed") or "")
    rows = catalog.search(asked[:MOST_TYPED], N_FOUND, counts).tolist() if asked else []
    result = _component(
        key=key,
        data={
            "label": label,
            "placeholder": say("Type a title …"),
            "asked": asked,
            "found": [
                [
                    row,
                    str(catalog.labels[row]),
                    say("{count} ratings", count=f"{counts[row]:,}") if loaded.has_ratings else "",
                ]
                for row in rows
            ],
            "nothing": say("No title matches “{title}”.", title=asked[:40]),
        },
        on_typed_change=lambda: None,
        on_picked_change=lambda: None,
    )
    row = result.picked
    if isinstance(row, int) and 0 <= row < len(catalog):
        on_pick(loaded.id_of(row))
        st.rerun()
