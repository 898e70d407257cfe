"""The page "Quality": how good the recommendations are, for which users and movies, and what the vectors encode."""

from __future__ import annotations

import streamlit as st

from recsys.app.escape import plain
from recsys.app.i18n.translate import say
from recsys.app.pages.quality.ranking import draw_ranking
from recsys.app.pages.quality.space import draw_space
from recsys.app.session import loaded_model

URL = "quality"


def page() -> None:
    """Draw the page."""
    loaded = loaded_model()
    st.header(say("Quality"), anchor=False)
    st.caption(
        say(
            "How well {model} recommends movies, measured on held-out ratings.",
            model=plain(loaded.name),
        )
    )
    _confirm_measurement()
    draw_ranking(loaded)
    draw_space(loaded)


def _confirm_measurement() -> None:
    """Confirm the last measurement of this session, once."""
    seconds = st.session_state.pop("measured-seconds", None)
    if seconds is not None:
        st.success(say("Measured and saved in {seconds:,.0f} s.", seconds=seconds), icon=":material/check:")
