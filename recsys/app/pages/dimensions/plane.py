"""The tab "Plane": all movies along two axes."""

from __future__ import annotations

import streamlit as st

from recsys.app.axis_text import (
    joined,
    spoken,
    title_of,
)
from recsys.app.components.memory import keep_memory
from recsys.app.components.movie_map import movie_map
from recsys.app.i18n.translate import say
from recsys.app.pages.dimensions.axis_facts import all_axes, explain_missing_axes, plane_map
from recsys.app.pages.dimensions.axis_map import choose_colouring, draw_chosen_movie, marks_of
from recsys.app.session import Loaded
from recsys.space.axis import Axis


@st.fragment
def draw_plane(loaded: Loaded) -> None:
    """Draw the tab."""
    axes = {title_of(axis): axis for axis in all_axes(loaded)}
    if len(axes) < 2 and explain_missing_axes(loaded):
        return
    if len(axes) < 2:
        st.info(say("A plane needs two axes."))
        return
    titles = list(axes)
    across_box, up_box, colour_box = st.columns([2, 2, 1])
    across = across_box.selectbox(say("Horizontal axis"), titles, index=0, key="x", bind="query-params")
    up = up_box.selectbox(say("Vertical axis"), titles, index=1, key="y", bind="query-params")
    with colour_box:
        colouring = choose_colouring(loaded, "plane-colour")
    if across == up:
        st.info(say("Choose two different axes."))
        return
    x, y = axes[str(across)], axes[str(up)]
    chosen_key = f"plane-chosen-{loaded.data_name}"
    movie_map(
        loaded,
        plane_map(loaded, x, y),
        colouring,
        marks_of(loaded, chosen_key),
        key=f"plane-{loaded.name}",
        on_click=lambda item: st.session_state.update({chosen_key: item}),
        axes=(spoken(x), spoken(y)),
    )
    st.caption(
        joined(
            say("Units: standard deviations of the movies with at least 20 ratings. The lines mark the means."),
            _similarity_text(x, y),
        )
    )
    draw_chosen_movie(loaded, chosen_key, (x, y))
    keep_memory(loaded)


def _similarity_text(x: Axis, y: Axis) -> str:
    """How similar two axes are, in a sentence."""
    cosine = x.cosine(y)
    if abs(cosine) < 0.2:
        return say(
            "The axes are nearly perpendicular (cosine {cosine:.2f}): they measure different things.", cosine=cosine
        )
    if abs(cosine) < 0.6:
        return say("The axes overlap partly (cosine {cosine:.2f}).", cosine=cosine)
    return say("The axes measure nearly the same (cosine {cosine:.2f}).", cosine=cosine)
