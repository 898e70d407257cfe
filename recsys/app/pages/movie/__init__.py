"""The page "Movie": one movie, similar movies, its position on every axis and on the map, and who likes it."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from recsys.app.components.memory import keep_memory, memory_of
from recsys.app.components.movie_map import Marks, movie_map, rated_marks
from recsys.app.components.search_box import search_box
from recsys.app.escape import plain
from recsys.app.i18n.translate import say
from recsys.app.notices import explain_missing_vectors
from recsys.app.pages.items import starter_rows
from recsys.app.pages.movie.facts import draw_facts
from recsys.app.pages.movie.fans import draw_fans
from recsys.app.pages.movie.link import link_to, open_movie
from recsys.app.pages.movie.position import draw_positions
from recsys.app.pages.movie.similar import draw_similar
from recsys.app.session import Loaded, loaded_model
from recsys.dataset.interactions import rows_of
from recsys.errors import UnknownId

URL = "movie"
N_STARTERS = 8


def page() -> None:
    """Draw the page."""
    _body(loaded_model())


@st.fragment
def _body(loaded: Loaded) -> None:
    """Everything that depends on the movie."""
    row = _row_in_address(loaded)
    if row is None:
        st.header(say("Movie"), anchor=False)
    search_box(
        loaded,
        say("Find a movie"),
        key=f"movie-search-{loaded.data_name}",
        on_pick=open_movie,
    )
    if row is None:
        _draw_start(loaded)
    else:
        draw_facts(loaded, row)
        if not loaded.maps:
            explain_missing_vectors()
        elif not loaded.model.space.item_directions[row].any():
            st.info(say("There is not enough data on this movie to find similar ones."))
        else:
            table = draw_similar(loaded, row)
            left, right = st.columns(2, gap="large")
            with left:
                draw_positions(loaded, row)
            with right:
                _draw_map_of(loaded, row, table)
                if loaded.has_ratings:
                    draw_fans(loaded, row)
    keep_memory(loaded)


def _row_in_address(loaded: Loaded) -> int | None:
    """Row of the movie in the page's address, so that the browser's back button works; warns about an unknown id."""
    text = st.query_params.get("movie", "").strip()
    if not text:
        return None
    try:
        row = int(rows_of(loaded.model.catalog.index, [text], "item")[0])
        if str(loaded.model.item_ids[row]) != text:  # 007 and 1e3 are numbers, but not ids that the app writes
            raise UnknownId.of("item", [text])
    except UnknownId:
        st.warning(say("There is no movie with the id {id}.", id=plain(text[:40])))
        return None
    return row


def _draw_start(loaded: Loaded) -> None:
    """Well-known movies and the map, to choose one from."""
    st.markdown(say("Start with a well-known movie:") if loaded.has_ratings else say("Start with one of these:"))
    with st.container(horizontal=True, gap="small", key="movie-starters"):
        for row in starter_rows(loaded.model, N_STARTERS):
            link_to(loaded, row, key=f"start-{row}", type="secondary")
    if loaded.maps:
        _draw_map(loaded, Marks(rated=rated_marks(loaded, memory_of(loaded).ratings)), height=520)
        st.caption(say("Or click a dot on the map. Nearby dots are similar movies."))


def _draw_map_of(loaded: Loaded, row: int, table: pd.DataFrame) -> None:
    """The movie on the map, with the most similar movies by cosine."""
    st.subheader(say("Position on the map"), anchor=False)
    similar = loaded.known_rows(table.loc[table["metric"] == "cosine", "item_id"].tolist())
    marks = Marks(
        rated=rated_marks(loaded, memory_of(loaded).ratings),
        similar=[(row, say("similar, rank {rank}", rank=at + 1)) for at, (_, row) in enumerate(similar)],
        focus=row,
    )
    _draw_map(loaded, marks, height=560)
    st.caption(say("Rings mark the ten most similar movies (cosine). Click a dot to open that movie."))


def _draw_map(loaded: Loaded, marks: Marks, *, height: int) -> None:
    method = next(method for method in ("tsne", "umap", "pacmap", "pca") if method in loaded.maps)
    movie_map(
        loaded, loaded.maps[method], loaded.by_genre, marks, key=f"movie-map-{loaded.name}", on_click=open_movie,
        height=height,
    )  # fmt: skip
