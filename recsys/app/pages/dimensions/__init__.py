"""The page "Dimensions": what the axes mean, a plane of two of them, your own axis, genres, and how many are needed."""

from __future__ import annotations

import streamlit as st

from recsys.app.i18n.translate import say
from recsys.app.notices import explain_missing_vectors
from recsys.app.owner import told
from recsys.app.pages.dimensions.axes import draw_axes
from recsys.app.pages.dimensions.dimension_count import draw_dimension_count
from recsys.app.pages.dimensions.genres import draw_genres
from recsys.app.pages.dimensions.own_axis import draw_own_axis
from recsys.app.pages.dimensions.plane import draw_plane
from recsys.app.session import loaded_model

URL = "dimensions"


def page() -> None:
    """Draw the page."""
    loaded = loaded_model()
    st.header(say("Dimensions"), anchor=False)
    st.caption(
        say(
            "Each movie is a point in a space. An axis is a direction in that space, such as “children's ↔ adult”: "
            "it orders the movies, and it can steer your recommendations. No genre was used to place the movies."
        )
        if not loaded.is_imported
        else say(
            "Each movie is a point in a space. An axis is a direction in that space, such as “children's ↔ adult”: "
            "it orders the movies, and it can steer your recommendations."
        )
    )
    if not loaded.maps:
        explain_missing_vectors()
        return
    for line in loaded.unreadable:
        st.warning(told(line))
    titles = [say("Axes"), say("Plane"), say("Your own axis"), say("Genres"), say("How many dimensions?")]
    tabs = st.tabs(titles, key="dimensions-tab", bind="query-params")
    draws = (draw_axes, draw_plane, draw_own_axis, draw_genres, draw_dimension_count)
    for tab, draw in zip(tabs, draws, strict=True):
        if tab.open:
            with tab:
                draw(loaded)
