"""The ratings of the person at the browser: find and rate movies, change ratings, unhide movies."""

from __future__ import annotations

from typing import Any

import streamlit as st

from recsys.app.components.memory import Memory, memory_of
from recsys.app.components.search_box import search_box
from recsys.app.components.stars import stars
from recsys.app.escape import plain
from recsys.app.i18n.translate import say
from recsys.app.pages.for_you.import_ratings import draw_import
from recsys.app.pages.items import starter_rows
from recsys.app.session import Loaded

N_STARTERS = 5
ENOUGH_RATED = 3
"""With fewer ratings, well-known movies are offered."""
N_LISTED = 5
"""Latest ratings that are always listed."""
MOST_LISTED = 200
LOW = 2
"""So many stars or fewer say that a movie was disliked."""
HIGH = 4
"""So many stars or more say that it was liked."""


def draw_my_ratings(loaded: Loaded) -> dict[Any, float]:
    """Draw the panel; returns the ratings of movies that the model has, item id → stars, the latest last."""
    memory = memory_of(loaded)
    index = loaded.model.catalog.index
    search_box(
        loaded,
        say("Which movies have you seen?"),
        key=f"search-{loaded.data_name}",
        on_pick=lambda item: _show_found(loaded, item),
    )
    found = st.session_state.get(_found_key(loaded))
    mine = {item: rating for item, rating in memory.ratings.items() if item in index}
    # Each container exists in every run, even if empty: Streamlit would recreate elements that change their position,
    # and an open popover would close.
    with st.container():
        if found is not None and found in index and found not in mine:
            with st.container(border=True, key="found"):
                _draw_row(loaded, found, where="found")
        elif len(mine) < ENOUGH_RATED:
            _draw_starters(loaded)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(f"**{say('You rated {n}', n=len(mine))}**" if mine else say("No ratings yet"), width="stretch")
        draw_import(loaded, memory)
        if mine or memory.hidden:
            st.button(
                say("Start over"), type="tertiary", icon=":material/restart_alt:", on_click=_start_over, args=(loaded,)
            )
    _draw_rated(loaded, list(mine)[::-1])
    with st.container():
        if not loaded.model.counts_dislikes and (lowest := min(mine.values(), default=LOW + 1)) <= LOW:
            st.caption(_explain_low_stars(loaded, lowest))
    _draw_hidden(loaded, memory)
    return mine


def _explain_low_stars(loaded: Loaded, lowest: float) -> str:
    """What low stars do in a model that does not count them against movies."""
    weighting = loaded.model.weighting
    least = weighting.settings.min_rating
    are_left_out = loaded.model.learner.has_vectors and weighting.tells_dislikes
    if are_left_out or (least is not None and lowest < least):
        return say("With this model, low stars only hide a movie; they do not keep similar ones away.")
    return say("This model takes every rating as interest, even low stars: movies like the one you disliked may rise.")


def mark_seen(loaded: Loaded, item: Any) -> None:
    """Hide a movie because I have seen it, and offer to rate it."""
    memory_of(loaded).hide(item, "seen")
    st.session_state[_found_key(loaded)] = item


def _found_key(loaded: Loaded) -> str:
    return f"found-{loaded.data_name}"


def _start_over(loaded: Loaded) -> None:
    memory_of(loaded).clear()
    st.session_state.pop(_found_key(loaded), None)


def _show_found(loaded: Loaded, item: Any) -> None:
    """Offer a movie that was found for rating; move it to the top of the list if it is already rated."""
    st.session_state[_found_key(loaded)] = item
    memory = memory_of(loaded)
    if item in memory.ratings:
        memory.rate(item, memory.ratings[item])


def _draw_starters(loaded: Loaded) -> None:
    st.caption(
        say("Or start with a few well-known movies:") if loaded.has_ratings else say("Or start with a few of these:")
    )
    with st.container(key="starters"):
        for item in loaded.model.item_ids[starter_rows(loaded.model, N_STARTERS)].tolist():
            _draw_row(loaded, item, where="starter")


def _draw_rated(loaded: Loaded, newest: list[Any]) -> None:
    with st.container(key="mine"):
        for item in newest[:N_LISTED]:
            _draw_row(loaded, item, where="mine")
    with st.container():
        if len(newest) <= N_LISTED:
            return
        n_more = min(len(newest), MOST_LISTED) - N_LISTED
        with st.expander(say("Show {n} more", n=n_more), key="all-mine", on_change="rerun") as more:
            if more.open:
                for item in newest[N_LISTED:MOST_LISTED]:
                    _draw_row(loaded, item, where="mine")


def _draw_hidden(loaded: Loaded, memory: Memory) -> None:
    catalog = loaded.model.catalog
    hidden = [item for item in memory.hidden if item in catalog.index and item not in memory.ratings]
    with st.container():
        if not hidden:
            return
        with st.expander(say("{n} hidden", n=len(hidden)), key="hidden"):
            for item, label in zip(hidden, catalog.label_of(hidden), strict=True):
                with st.container(horizontal=True, vertical_alignment="center"):
                    why = say("seen") if memory.hidden[item] == "seen" else say("not for me")
                    st.markdown(f"{plain(label)}  \n:small[:gray[{why}]]", width="stretch")
                    st.button(
                        say("Unhide"), key=f"unhide-{item}", type="tertiary", on_click=memory.hide, args=(item, None)
                    )


def _draw_row(loaded: Loaded, item: Any, *, where: str) -> None:
    """A title with its stars."""
    (label,) = loaded.model.catalog.label_of([item])
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute", gap="small"):
        st.markdown(plain(label), width="stretch")
        stars(loaded, item, where=where)
