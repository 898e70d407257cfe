"""Five stars to rate a movie with."""

from __future__ import annotations

from typing import Any

import streamlit as st

from recsys.app.components.memory import memory_of
from recsys.app.session import Loaded


def stars(loaded: Loaded, item: Any, *, where: str) -> None:
    """Draw the stars of a movie; clicking the current star again removes the rating.

    where  distinguishes several sets of stars for one movie on a page

    Half stars, which imported ratings have, are shown rounded up; a click sets whole stars.
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
            chosen = shown  # a click on the star shown for a half star rounds it up; it does not remove it
        memory.rate(item, None if chosen is None else chosen + 1)

    st.feedback("stars", key=key, on_change=rate)
