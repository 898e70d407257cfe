"""Similar movies by three measures, side by side."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from recsys.app.escape import plain
from recsys.app.i18n.translate import say
from recsys.app.pages.movie.link import link_to
from recsys.app.session import Loaded
from recsys.dataset.interactions import rows_of
from recsys.recommend.topn import similar_side_by_side

N_SIMILAR = 10


def draw_similar(loaded: Loaded, row: int) -> pd.DataFrame:
    """Draw the three lists; returns the table of `similar_side_by_side`."""
    model = loaded.model
    table, rho = similar_side_by_side(model, model.item_ids[row], N_SIMILAR)
    st.subheader(say("Similar movies"), anchor=False)
    counts = table["item_id"].value_counts()
    everywhere = set(counts[counts == table["metric"].nunique()].index)
    words = {
        "cosine": (
            say("Cosine"), say("Direction only: ignores how well known a movie is."), say("cosine, at most 1"),
        ),
        "dot": (
            say("Dot product"), say("Direction and length: favours movies with long vectors."), say("dot product"),
        ),
        "euclidean": (
            say("Euclidean distance"), say("Close in direction and in length."), say("distance"),
        ),
    }  # fmt: skip
    for side, (metric, (title, explanation, value)) in zip(st.columns(3, gap="medium"), words.items(), strict=True):
        found = table[table["metric"] == metric]
        with side, st.container(border=True, height="stretch", gap="small", key=f"similar-{metric}"):
            st.markdown(f"**{title}**  \n:small[:gray[{explanation}]]")
            st.caption(f"{value} · {say('number of ratings')}" if loaded.has_ratings else value)
            with st.container(gap=None):
                for item, similarity, count in zip(
                    found["item_id"].tolist(), found["similarity"], found["n_ratings"], strict=True
                ):
                    _draw_item(loaded, item, metric, similarity, int(count), is_everywhere=item in everywhere)
    common = say("● in all three lists.") if everywhere else say("No movie is in all three lists.")
    st.caption(f"{common} {_explain_length(rho)}" if loaded.has_ratings else common)
    return table


def _draw_item(loaded: Loaded, item: Any, metric: str, similarity: float, count: int, *, is_everywhere: bool) -> None:
    """A title that opens its movie, its similarity, and its number of ratings."""
    row = int(rows_of(loaded.model.catalog.index, [item], "item")[0])
    note = plain(f"{-similarity:.2f}" if metric == "euclidean" else f"{similarity:.2f}")
    if loaded.has_ratings:
        note += f"\u00a0·\u00a0{count:,}"
    link_to(
        loaded, row, key=f"{metric}-{item}", prefix="● " if is_everywhere else "", note=f" :small[:gray[{note}]]",
        width="stretch",
    )  # fmt: skip


def _explain_length(rho: float) -> str:
    """How the length of vectors relates to the number of ratings; `rho` is Spearman's correlation of the two."""
    if rho >= 0.7:
        return say("In this model, movies with more ratings have longer vectors (rank correlation {rho:.2f}).", rho=rho)
    if rho >= 0.3:
        return say(
            "In this model, movies with more ratings tend to have longer vectors (rank correlation {rho:.2f}).", rho=rho
        )
    if rho > -0.3:
        return say(
            "In this model, the length of a vector has little to do with the number of ratings (rank correlation "
            "{rho:.2f}).",
            rho=rho,
        )
    return say(
        "In this model, movies with more ratings tend to have shorter vectors (rank correlation {rho:.2f}).", rho=rho
    )
