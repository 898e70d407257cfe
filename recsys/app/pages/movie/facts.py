"""The head of the page: title, genres, number of ratings, mean rating, my rating, tags."""

from __future__ import annotations

import math

import numpy as np
import streamlit as st

from recsys.app.components.memory import memory_of
from recsys.app.components.stars import stars
from recsys.app.escape import plain
from recsys.app.i18n.translate import named, say
from recsys.app.session import Loaded
from recsys.dataset.attributes import WELL_KNOWN
from recsys.dataset.interactions import Interactions
from recsys.evaluation.report import mean_ratings
from recsys.space.profile import share_below

MOST_TAGS = 12


def rounded_down(share: float) -> float:
    """A share 0 … 1 rounded down to whole percent, so that 99.9 % is not shown as 100 %."""
    return math.floor(share * 100 + 1e-9) / 100  # 0.29 * 100 is a little less than 29


def draw_facts(loaded: Loaded, row: int) -> None:
    """Draw the head of the page."""
    items, item = loaded.model.catalog.items, loaded.id_of(row)
    with st.container(key="movie-head", gap="small"):
        st.header(plain(loaded.model.catalog.labels[row]), anchor=False)
        st.caption(plain(" · ".join(map(named, items["genres"][row])) or say("no genre")))
        columns = iter(st.columns(3))
        if loaded.has_ratings:
            with next(columns), st.container(border=True, height="stretch", gap=None):
                _draw_count(loaded, row)
            with next(columns), st.container(border=True, height="stretch", gap=None):
                _draw_mean(loaded, row)
        with next(columns), st.container(border=True, height="stretch", gap="small"):
            st.markdown(f":small[{say('Your rating')}]")
            stars(loaded, item, where="movie")
            if item in memory_of(loaded).ratings:
                st.caption(say("Click the same star again to remove your rating."))
            else:
                st.caption(say("Used for your recommendations; stored only in this browser."))
    if items["tags"][row]:
        tags = ", ".join(sorted({tag.casefold() for tag in items["tags"][row]})[:MOST_TAGS])
        st.caption(plain(say("Tags: {tags}", tags=tags)))


def _draw_count(loaded: Loaded, row: int) -> None:
    counts = loaded.model.n_ratings
    st.metric(say("Ratings"), f"{counts[row]:,}")
    share = share_below(np.delete(counts, row), counts[row])
    st.caption(
        say("more ratings than {share:.0%} of movies", share=rounded_down(share))
        if share < 1
        else say("more ratings than any other movie")
    )


def _draw_mean(loaded: Loaded, row: int) -> None:
    if loaded.interactions is None:
        st.metric(say("Mean rating"), "–")
        st.caption(say("training data not found"))
        return
    means = _means(loaded.interactions, loaded.model.item_ids)
    mean = means[row]
    if np.isnan(mean):
        st.metric(say("Mean rating"), "–")
        return
    st.metric(say("Mean rating"), f"{mean:.2f}")
    compared = loaded.model.n_ratings >= WELL_KNOWN
    compared[row] = False
    if not compared.any():
        return
    share = share_below(means[compared], mean)
    st.caption(
        say("higher than {share:.0%} of movies with at least {n} ratings", share=rounded_down(share), n=WELL_KNOWN)
        if share < 1
        else say("the highest of all movies with at least {n} ratings", n=WELL_KNOWN)
    )


@st.cache_resource(
    show_spinner=False, max_entries=4, hash_funcs={Interactions: lambda interactions: interactions.fingerprint}
)
def _means(interactions: Interactions, item_ids: np.ndarray) -> np.ndarray:
    """Mean rating of each item of the model, (n_items,), NaN for items without ratings."""
    if not np.array_equal(interactions.item_ids, item_ids):
        interactions = interactions.with_items(item_ids)
    return mean_ratings(interactions.matrix)
