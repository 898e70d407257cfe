"""Links to a movie: its id in the address of the page, and titles that open it."""

from __future__ import annotations

from typing import Any, Literal

import streamlit as st

from recsys.app.escape import plain
from recsys.app.session import Loaded


def open_movie(item: Any) -> None:
    """Show a movie of this id: the address of the page names it."""
    st.query_params["movie"] = str(item)


def link_to(
    loaded: Loaded,
    row: int,
    *,
    key: str,
    type: Literal["secondary", "tertiary"] = "tertiary",
    prefix: str = "",
    note: str = "",
    width: Literal["content", "stretch"] = "content",
) -> None:
    """A title that opens its movie. `prefix` and `note` are Markdown before and after the title."""
    label = f"{prefix}{plain(loaded.model.catalog.labels[row])}{note}"
    st.button(label, key=key, type=type, width=width, on_click=open_movie, args=(loaded.id_of(row),))
