"""The movie selected on the map or in the list, kept for the session, and the panel that shows it."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from recsys.app.components.stars import stars
from recsys.app.escape import plain
from recsys.app.i18n.translate import say
from recsys.app.pages.items import genres_and_count
from recsys.app.session import Loaded
from recsys.recommend.topn import similar

N_SIMILAR = 10


def select(loaded: Loaded, item: Any) -> None:
    """Select a movie; None removes the selection."""
    st.session_state[_key(loaded)] = item


def selected_row(loaded: Loaded) -> int | None:
    """Row of the selected movie; None without one, or if the model does not have it."""
    rows = loaded.known_rows([st.session_state.get(_key(loaded))])
    return rows[0][1] if rows else None


def similar_rows(loaded: Loaded) -> list[int]:
    """Rows of the movies most similar to the selected one by cosine, the most similar first."""
    row = selected_row(loaded)
    if row is None:
        return []
    return [found for _, found in loaded.known_rows(_similar(loaded, row)["item_id"].tolist())]


def draw_selected(loaded: Loaded) -> None:
    """Draw the panel of the selected movie: genres, stars, similar movies."""
    row = selected_row(loaded)
    if row is None:
        return
    model, item = loaded.model, loaded.id_of(row)
    with st.container(border=True, key="selected"):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"**{plain(model.catalog.labels[row])}**", width="stretch")
            st.button(say("Close"), type="tertiary", icon=":material/close:", on_click=select, args=(loaded, None))
        st.caption(plain(genres_and_count(loaded, row)))
        with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
            stars(loaded, item, where="selected")
            if st.button(say("Details"), type="tertiary", icon=":material/arrow_forward:"):
                st.switch_page(st.session_state["pages"]["movie"], query_params={"movie": str(item)})
        if not model.space.item_directions[row].any():
            st.caption(say("There is not enough data on this movie to find similar ones."))
            return
        table = _similar(loaded, row)
        titles, similarity = say("Similar movies"), say("similarity")
        st.dataframe(
            pd.DataFrame(
                {
                    "#": table["rank"],
                    titles: list(model.catalog.label_of(table["item_id"].tolist())),
                    similarity: table["similarity"],
                }
            ),
            hide_index=True,
            column_config={
                "#": st.column_config.NumberColumn(width=35),
                titles: st.column_config.TextColumn(width="large"),
                similarity: st.column_config.ProgressColumn(
                    width=90, min_value=0.0, max_value=1.0, format="%.2f",
                    help=say("Cosine similarity; 1 means the same direction in the space"),
                ),
            },
        )  # fmt: skip


def _similar(loaded: Loaded, row: int) -> pd.DataFrame:
    """The `N_SIMILAR` items most similar to one, by cosine."""
    return similar(loaded.model, loaded.model.item_ids[row], N_SIMILAR)


def _key(loaded: Loaded) -> str:
    return f"selected-{loaded.data_name}"
