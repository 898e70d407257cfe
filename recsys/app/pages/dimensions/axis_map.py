"""A map of all movies with the clicked movie below it, as several tabs show it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import streamlit as st

from recsys.app.axis_text import (
    ends_of,
)
from recsys.app.components.memory import memory_of
from recsys.app.components.movie_map import Marks
from recsys.app.escape import plain
from recsys.app.i18n.translate import named, say
from recsys.app.session import Loaded
from recsys.dataset.interactions import rows_of
from recsys.plots.colours import Colouring, by_cluster
from recsys.plots.dimensions import signed
from recsys.space.axis import Axis

MOST_MARKED = 30


def choose_colouring(loaded: Loaded, key: str) -> Colouring:
    """Ask how the dots are coloured."""
    ways = {
        say("Genre"): lambda: loaded.by_genre,
        say("Year of release"): lambda: loaded.by_decade,
    }
    if loaded.clusters is not None:
        clusters = loaded.clusters
        ways[say("Cluster")] = lambda: by_cluster(clusters)
    return ways[str(st.selectbox(say("Colours"), list(ways), key=key, persist_state="session"))]()


def marks_of(loaded: Loaded, chosen_key: str) -> Marks:
    """The chosen movie, and what the person of this browser rated, the best rated first."""
    ratings = memory_of(loaded).ratings
    mine = sorted(ratings, key=lambda item: -ratings[item])
    rated = [(row, say("rated {stars:g}", stars=ratings[item])) for item, row in known_rows(loaded, mine)[:MOST_MARKED]]
    chosen = known_rows(loaded, [st.session_state.get(chosen_key)])
    return Marks(rated=rated, focus=chosen[0][1] if chosen else None)


def known_rows(loaded: Loaded, items: Sequence[Any]) -> list[tuple[Any, int]]:
    """Those of the items that the model knows, each with its row."""
    index = loaded.model.catalog.index
    known = [item for item in items if item in index]
    return list(zip(known, rows_of(index, known, "item").tolist() if known else [], strict=True))


def chosen_movie(loaded: Loaded, chosen_key: str, axes: Sequence[Axis]) -> None:
    """The movie that was clicked: what it is, where it lies, and the way to its own page."""
    found = known_rows(loaded, [st.session_state.get(chosen_key)])
    if not found:
        st.caption(say("Hover over a dot for its title; click it for its position."))
        return
    item, row = found[0]
    with st.container(border=True, key=f"{chosen_key}-panel", gap="small"):
        st.markdown(f"**{plain(loaded.model.catalog.labels[row])}**")
        genres = " · ".join(map(named, loaded.model.catalog.items["genres"][row])) or say("no genre")
        st.caption(plain(f"{genres} · {say('{count} ratings', count=f'{loaded.model.n_ratings[row]:,}')}"))
        for axis in axes:
            low, high = ends_of(axis)
            position = axis.positions(loaded.model.space)[row]
            if np.isfinite(position):
                st.markdown(f":small[{plain(low)} ↔ {plain(high)}: **{plain(signed(position))}**]")
        pages = st.session_state["pages"]
        st.page_link(
            pages["movie"],
            label=say("All about it"),
            icon=":material/arrow_forward:",
            query_params={"movie": str(item)},
        )
