"""Five stars to click; taking them back takes the rating back."""

from __future__ import annotations

from typing import Any

import streamlit as st

from recsys.app.components.memory import memory_of
from recsys.app.session import Loaded


def stars(loaded: Loaded, item: Any, *, where: str) -> None:
    """Show what a person gave a movie, and let them change it. `where` tells apart two sets of stars for one movie.

    Half stars, which exports have, show rounded up; a click gives whole ones.
    """
    key = f"{where}-{loaded.data_name}-{item}"
    memory = memory_of(loaded)
    given = memory.ratings.get(item)
    shown = None if given is None else int(given + 0.5) - 1
    if st.session_state.get(key) != shown:
        st.session_state[key] = shown

    def rate() -> None:
        chosen = st.session_state[key]
        if chosen is None and given is not None and given != int(given):
            chosen = shown  # the click on what is shown for half a star is not to take it back
        memory.rate(item, None if chosen is None else chosen + 1)

    st.feedback("stars", key=key, on_change=rate)
