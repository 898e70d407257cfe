"""A page that shows only a map, for test_map.py; run by map_app.py.

The model folder `map` holds the movies and their coordinates, scene.json beside it everything else:
{"colours": {title: colour}, "marks": {title of the movie that was chosen last, or "": keyword arguments of Marks}}.
Marks name movies by title. The text on top reads "chosen: TITLE, click N".
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import streamlit as st

from recsys.app.components.movie_map import Marks, movie_map
from recsys.app.session import load_model, models_root
from recsys.plots.colours import Colouring

WIDTH, HEIGHT = 560, 476
"""CSS pixels of the map; a map of 522 × 440 units then has one pixel per unit."""


@st.cache_resource
def colouring(folder: str) -> Colouring:
    """A colour for each movie, the same object at each rerun."""
    loaded = load_model(models_root() / folder)
    scene = json.loads((loaded.folder / "scene.json").read_text())
    palette = tuple(sorted(set(scene["colours"].values())))
    codes = [palette.index(scene["colours"][title]) for title in loaded.model.catalog.labels]
    return Colouring(np.array(codes, dtype=np.uint8), palette)


def marks_of(scene: dict[str, Any], titles: list[str], chosen: str) -> Marks:
    """The marks to show after a movie was chosen."""
    named = dict(scene["marks"].get(chosen, scene["marks"][""]))
    for kind in ("rated", "recommended", "similar"):
        named[kind] = [(titles.index(title), kind) for title in named.get(kind, ())]
    if "focus" in named:
        named["focus"] = titles.index(named["focus"])
    if "you" in named:
        named["you"] = np.array(named["you"])
    return Marks(**named)


def main() -> None:
    """Draw the page."""
    st.set_page_config(layout="wide")
    loaded = load_model(models_root() / "map")
    scene = json.loads((loaded.folder / "scene.json").read_text())
    titles = loaded.model.catalog.labels.tolist()
    chosen, n_clicks = st.session_state.get("chosen", ""), st.session_state.get("clicks", 0)
    st.text(f"chosen: {chosen}, click {n_clicks}")

    def choose(item: Any) -> None:
        st.session_state["chosen"] = loaded.model.catalog.label_of([item])[0]
        st.session_state["clicks"] = st.session_state.get("clicks", 0) + 1

    with st.container(width=WIDTH):
        movie_map(
            loaded, loaded.maps["tsne"], colouring("map"), marks_of(scene, titles, chosen), key="map", on_click=choose,
            height=HEIGHT,
        )  # fmt: skip


main()
