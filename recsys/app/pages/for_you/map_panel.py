"""The map beside the list: rated, recommended and similar movies, and where the user is."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from recsys.app.axis_text import joined, named_axes, spoken, title_of
from recsys.app.components.movie_map import Marks, movie_map, rated_marks
from recsys.app.i18n.translate import chosen, local, say
from recsys.app.owner import told
from recsys.app.pages.for_you.region import clear_region, region_outline, set_region
from recsys.app.pages.for_you.selected import select, selected_row, similar_rows
from recsys.app.pages.for_you.user import Viewer
from recsys.app.session import Loaded
from recsys.plots.colours import Colouring, by_axis
from recsys.space.item_map import ItemMap
from recsys.space.layout import land


def draw_map(loaded: Loaded, viewer: Viewer, table: pd.DataFrame) -> None:
    """Draw the map below the choice of method and colours.

    table  the recommendations, best first
    """
    for line in loaded.unreadable:
        st.warning(told(line))
    with st.container(horizontal=True, vertical_alignment="bottom"):
        item_map = _choose_map(loaded)
        colouring = _choose_colouring(loaded)
    you = None
    if viewer.batch.vectors is not None and not viewer.is_cold and item_map.method != "axes":
        you = land(item_map, loaded.model.space, viewer.batch.vectors)[0]
    recommended = loaded.known_rows(table["item_id"].tolist())
    marks = Marks(
        rated=rated_marks(loaded, viewer.ratings),
        recommended=[(row, say("recommended, rank {rank}", rank=at + 1)) for at, (_, row) in enumerate(recommended)],
        similar=[(row, say("similar, rank {rank}", rank=at + 1)) for at, row in enumerate(similar_rows(loaded))],
        focus=selected_row(loaded),
        you=you,
        you_label=viewer.label,
        region=region_outline(loaded),
    )
    movie_map(
        loaded,
        item_map,
        colouring,
        marks,
        key=f"map-{loaded.name}",
        on_click=lambda item: select(loaded, item),
        on_region=lambda outline: set_region(loaded, item_map, outline),
    )
    _draw_caption(item_map)


def _choose_map(loaded: Loaded) -> ItemMap:
    methods = [method for method in ("tsne", "umap", "pacmap", "axes", "pca") if method in loaded.maps]
    words = {
        "tsne": say("Similarity map"),
        "umap": say("Similarity map (UMAP)"),
        "pacmap": say("Similarity map (PaCMAP)"),
        "axes": say("Two axes"),
        "pca": say("Simple projection"),
    }
    key = f"method-{loaded.name}"
    method = st.selectbox(
        say("Map"), methods, format_func=words.__getitem__, key=local(key, methods),
        on_change=clear_region, args=(loaded,),
    )  # fmt: skip
    return loaded.maps[str(chosen(key, method))]


def _choose_colouring(loaded: Loaded) -> Colouring:
    unnamed = [axis for axis in (loaded.axes.all if loaded.axes is not None else ()) if not axis.is_valid]
    axes = {f"axis {axis.name}": axis for axis in (*named_axes(loaded), *unnamed)}
    words = {"cluster": say("Cluster"), "genre": say("Genre"), "decade": say("Year of release")}
    words |= {name: title_of(axis) for name, axis in axes.items()}
    options = [name for name in words if name != "cluster" or loaded.by_cluster is not None]
    key = f"colour-{loaded.name}"
    option = chosen(key, st.selectbox(say("Colours"), options, format_func=words.__getitem__, key=local(key, options)))
    if option == "cluster" and loaded.by_cluster is not None:
        return loaded.by_cluster
    if option in axes:
        return by_axis(spoken(axes[str(option)]), loaded.model.space)
    return loaded.by_decade if option == "decade" else loaded.by_genre


def _draw_caption(item_map: ItemMap) -> None:
    """How to use the map, and how well it preserves neighbours where that was measured."""
    usage = say(
        "Drag to move. Click, then scroll to zoom. Hover over a dot for its title; click it for similar movies."
    )
    if "recall@15" not in item_map.fidelity:
        st.caption(usage)
        return
    kept, trust = item_map.fidelity["recall@15"], item_map.fidelity["trustworthiness"]
    st.caption(
        joined(usage, say("{kept:.0%} of a movie's closest matches are also its neighbours here.", kept=kept)),
        help=say(
            "Mean share of a movie's 15 nearest neighbours in the full space that are also among its 15 nearest on the "
            "map. Trustworthiness: {trust:.2f}.",
            trust=trust,
        ),
    )
