"""A map of all movies with the clicked movie below it, as several tabs show it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import streamlit as st

from recsys.app.axis_text import (
    ends_of,
)
from recsys.app.components.memory import memory_of
from recsys.app.components.movie_map import Marks, rated_marks
from recsys.app.escape import plain
from recsys.app.i18n.translate import say
from recsys.app.pages.items import genres_and_count
from recsys.app.session import Loaded
from recsys.plots.colours import Colouring
from recsys.plots.dimensions import signed
from recsys.space.axis import Axis


def choose_colouring(loaded: Loaded, key: str) -> Colouring:
    """A select box for the colours of the dots."""
    colourings = {say("Genre"): loaded.by_genre, say("Year of release"): loaded.by_decade}
    if loaded.by_cluster is not None:
        colourings[say("Cluster")] = loaded.by_cluster
    return colourings[str(st.selectbox(say("Colours"), list(colourings), key=key, persist_state="session"))]


def marks_of(loaded: Loaded, chosen_key: str) -> Marks:
    """Marks for the clicked movie and for the movies rated in this browser, the best rated first."""
    chosen = loaded.known_rows([st.session_state.get(chosen_key)])
    return Marks(rated=rated_marks(loaded, memory_of(loaded).ratings), focus=chosen[0][1] if chosen else None)


def draw_chosen_movie(loaded: Loaded, chosen_key: str, axes: Sequence[Axis]) -> None:
    """The clicked movie: title, genres, its position on each axis, and a link to its page."""
    found = loaded.known_rows([st.session_state.get(chosen_key)])
    if not found:
        st.caption(say("Hover over a dot for its title; click it for its position."))
        return
    item, row = found[0]
    with st.container(border=True, key=f"{chosen_key}-panel", gap="small"):
        st.markdown(f"**{plain(loaded.model.catalog.labels[row])}**")
        st.caption(plain(genres_and_count(loaded, row)))
        for axis in axes:
            low, high = ends_of(axis)
            position = axis.positions(loaded.model.space)[row]
            if np.isfinite(position):
                st.markdown(f":small[{plain(low)} ↔ {plain(high)}: **{plain(signed(position))}**]")
        pages = st.session_state["pages"]
        st.page_link(
            pages["movie"],
            label=say("Details"),
            icon=":material/arrow_forward:",
            query_params={"movie": str(item)},
        )
