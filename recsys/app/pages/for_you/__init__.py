"""The page "For you": rate movies, get recommendations with reasons, and see them on the map.

It can also show another user's list. The left column holds ratings, controls and the list, the right one the map.
"""

from __future__ import annotations

import streamlit as st

from recsys.app.components.memory import keep_memory
from recsys.app.i18n.translate import say
from recsys.app.notices import explain_missing_vectors
from recsys.app.pages.for_you.controls import draw_controls
from recsys.app.pages.for_you.map_panel import draw_map
from recsys.app.pages.for_you.recommendations import draw_recommendations
from recsys.app.pages.for_you.selected import draw_selected
from recsys.app.pages.for_you.user import choose_user
from recsys.app.session import Loaded, loaded_model

URL = ""


def page() -> None:
    """Draw the page."""
    loaded = loaded_model()
    n_movies, data = len(loaded.model.catalog), loaded.model.data
    st.header(say("For you"), anchor=False)
    st.caption(
        say(
            "{movies:,} movies · {ratings:,} ratings by {users:,} people",
            movies=n_movies,
            ratings=data.get("n_ratings", 0),
            users=data.get("n_users", 0),
        )
        if loaded.has_ratings
        else say("{movies:,} movies", movies=n_movies)
    )
    _body(loaded)


@st.fragment
def _body(loaded: Loaded) -> None:
    """Everything that depends on a rating; a rating reruns only this part."""
    left, right = st.columns([5, 6], gap="large")
    with left:
        viewer = choose_user(loaded)
        controls = draw_controls(loaded, viewer)
        table = draw_recommendations(loaded, viewer, controls)
    with right.container(key="map-column"):
        if loaded.maps:
            draw_map(loaded, viewer, table)
            draw_selected(loaded)
        else:
            explain_missing_vectors()
    keep_memory(loaded)
