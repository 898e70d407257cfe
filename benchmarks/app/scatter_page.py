"""A page with only a scatter plot of the large model, drawn by one of three components: what `scatter` measures.

Run by Streamlit. Environment: `SCATTER` is the component, `SCATTER_MODEL` the model folder, and `SCATTER_DOTS` the most
points that plotly and deck.gl draw. All three get the same positions, sizes, colours, titles and marks, and their best
settings: a constant key, plotly's `uirevision`, deck.gl's orthographic view.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pydeck
import streamlit as st

from recsys.app.components.movie_map import Marks, movie_map
from recsys.app.session import Loaded, load_model
from recsys.plots.colours import Colouring, by_genre

N_MARKS = 12
HEIGHT = 620
WIDTH = 700


@st.cache_resource
def points(folder: str) -> tuple[Loaded, Colouring, pd.DataFrame]:
    """The model, and a row per point: x, y, size (radius in pixels), colour, title; the index is the item row."""
    loaded = load_model(Path(folder))
    colouring = by_genre(loaded.model.catalog)
    counts = loaded.model.n_ratings
    dots = pd.DataFrame(loaded.maps["tsne"].coordinates, columns=["x", "y"]).astype("float32")
    dots["size"] = (1 + 2 * np.sqrt(counts / counts.max())).round(2).astype("float32")
    dots["colour"] = np.array(colouring.palette)[colouring.codes]
    dots["title"] = loaded.model.catalog.labels
    dots = dots[dots["x"].notna()]  # items without a vector have no position
    return loaded, colouring, dots.iloc[: int(os.environ["SCATTER_DOTS"])]


def by_plotly(dots: pd.DataFrame, marked: np.ndarray) -> int:
    """Number of points selected in Streamlit's plotly chart, by click, box or lasso."""
    figure = go.Figure()
    for rows, marker in (
        (dots, {"size": 2 * dots["size"], "color": dots["colour"], "opacity": 0.7}),
        (dots.loc[marked], {"size": 16, "color": "#a01c1c", "symbol": "diamond"}),
    ):
        figure.add_scattergl(
            x=rows["x"], y=rows["y"], text=rows["title"], marker=marker, mode="markers",
            hovertemplate="%{text}<extra></extra>",
        )  # fmt: skip
    figure.update_layout(
        height=HEIGHT, width=WIDTH, showlegend=False, dragmode="pan", uirevision="stays",
        xaxis_visible=False, yaxis_visible=False, margin={"l": 0, "r": 0, "t": 0, "b": 0},
    )  # fmt: skip
    chosen = st.plotly_chart(
        figure, key="scatter", width=WIDTH, on_select="rerun", selection_mode=("points", "box", "lasso"),
        config={"scrollZoom": True},
    )  # fmt: skip
    return len(chosen["selection"]["points"])


def by_deck(dots: pd.DataFrame, marked: np.ndarray) -> int:
    """Number of points selected in Streamlit's deck.gl chart, by click."""

    def layer(name: str, rows: pd.DataFrame, radius: Any, colour: Any) -> pydeck.Layer:
        return pydeck.Layer(
            "ScatterplotLayer", rows, id=name, get_position=["x", "y"], get_radius=radius,
            radius_units=pydeck.types.String("pixels"),  # a plain string would be a column name
            get_fill_color=colour, pickable=True,
        )  # fmt: skip

    whole = dots[["x", "y", "size", "title"]].assign(
        rgb=[[int(colour[at : at + 2], 16) for at in (1, 3, 5)] for colour in dots["colour"]]
    )
    places = dots[["x", "y"]].to_numpy()
    low, high = np.nanmin(places, axis=0), np.nanmax(places, axis=0)
    zoom = float(np.log2(min(WIDTH, HEIGHT) / (high - low).max()))
    deck = pydeck.Deck(
        [layer("dots", whole, "size", "rgb"), layer("marks", whole.loc[marked], 8, [160, 28, 28])],
        views=[pydeck.View(type="OrthographicView", controller=True)],
        initial_view_state=pydeck.ViewState(target=((low + high) / 2).tolist(), zoom=zoom),  # type: ignore[arg-type]
        map_provider=None,
        tooltip={"text": "{title}"},  # type: ignore[arg-type]
    )
    chosen = st.pydeck_chart(
        deck, key="scatter", width=WIDTH, height=HEIGHT, on_select="rerun", selection_mode="multi-object"
    )
    return sum(map(len, chosen["selection"]["objects"].values()))


def by_ours(loaded: Loaded, colouring: Colouring, marked: np.ndarray) -> int:
    """Number of movies selected in our component, by click, Enter or lasso."""

    def click(item: Any) -> None:
        st.session_state["chosen"] = 1

    def region(outline: np.ndarray | None) -> None:
        st.session_state["chosen"] = 0 if outline is None else int(loaded.maps["tsne"].inside(outline).sum())

    marks = Marks(recommended=[(int(row), "marked") for row in marked])
    with st.container(width=WIDTH):
        movie_map(
            loaded, loaded.maps["tsne"], colouring, marks, key="scatter", on_click=click, on_region=region,
            height=HEIGHT,
        )  # fmt: skip
    return int(st.session_state.get("chosen", 0))


def main() -> None:
    """Draw the page."""
    st.set_page_config(layout="wide")
    loaded, colouring, dots = points(os.environ["SCATTER_MODEL"])
    draws = st.session_state.setdefault("draws", 0)
    if st.button("Other marks"):
        draws = st.session_state["draws"] = draws + 1
    marked = np.random.default_rng(draws).choice(dots.index, N_MARKS, replace=False)
    way = os.environ["SCATTER"]
    if way == "ours":
        chosen = by_ours(loaded, colouring, marked)
    else:
        chosen = (by_plotly if way == "plotly" else by_deck)(dots, marked)
    st.text(f"chosen: {chosen}")


main()
