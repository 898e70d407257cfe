"""The map of all movies as a Streamlit component: its inputs and its callbacks. `SCRIPTS` draw it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

from recsys.app.axis_text import joined
from recsys.app.blobs import Blob, offer
from recsys.app.i18n.translate import named, say
from recsys.app.session import Loaded
from recsys.plots.colours import Colouring
from recsys.plots.map import short
from recsys.space.axis import Axis
from recsys.space.item_map import ItemMap

HERE = Path(__file__).parent
SCRIPTS = ("map_shapes.js", "map_text.js", "map_picture.js", "movie_map.js")
"""Joined in this order: Streamlit takes one script per component."""
MAX_MARKED = 30
"""Rated movies that are marked; more would hide the map."""

_component = st.components.v2.component(
    "recsys.movie_map",
    html=(HERE / "movie_map.html").read_text(encoding="utf-8"),
    css=(HERE / "movie_map.css").read_text(encoding="utf-8"),
    js="\n".join((HERE / name).read_text(encoding="utf-8") for name in SCRIPTS),
)


@dataclass(frozen=True, eq=False)
class Marks:
    """Items and places that are highlighted, by shape as well as by colour.

    rated, recommended, similar  item rows, each with a line for the tooltip; recommended items are numbered in order
    focus                        row of the selected item
    you, you_label               (2,) map coordinates of the user, and the label to show there
    region                       (n, 2) outline of the selected region, in map coordinates

    Marks are drawn over the dots: similar at the bottom, then rated, recommended, focus and the user on top.
    """

    rated: Sequence[tuple[int, str]] = ()
    recommended: Sequence[tuple[int, str]] = ()
    similar: Sequence[tuple[int, str]] = ()
    focus: int | None = None
    you: np.ndarray | None = None
    you_label: str = ""
    region: np.ndarray | None = None


def rated_marks(loaded: Loaded, ratings: Mapping[Any, float]) -> list[tuple[int, str]]:
    """Marks of at most `MAX_MARKED` rated movies (item id → stars), the best rated first."""
    best = sorted(loaded.known_rows(list(ratings)), key=lambda known: -ratings[known[0]])[:MAX_MARKED]
    return [(row, say("rated {stars:g}", stars=ratings[item])) for item, row in best]


def movie_map(
    loaded: Loaded,
    item_map: ItemMap,
    colouring: Colouring,
    marks: Marks,
    *,
    key: str,
    on_click: Callable[[Any], None],
    on_region: Callable[[np.ndarray | None], None] | None = None,
    axes: tuple[Axis, Axis] | None = None,
    height: int = 620,
) -> None:
    """Draw a map with its legend. Zoom and pan survive reruns as long as `key` does not change.

    on_click   called with the id of the chosen item, before the rerun: the one whose dot or mark is drawn on top under
               the pointer, otherwise the nearest one within 12 pixels
    on_region  called with the outline (n, 2) of a region, in map coordinates, or with None when the region is cleared;
               without this callback there is no lasso
    axes       horizontal and vertical axis, for a map of method "axes": their ends are labelled at the edges
    height     in CSS pixels, at most
    """
    model = loaded.model
    labels = [] if item_map.method == "axes" else loaded.cluster_labels[item_map.method]

    def clicked() -> None:
        row = st.session_state[key].get("clicked")
        if isinstance(row, int) and 0 <= row < len(model.item_ids):
            on_click(loaded.id_of(row))

    def region() -> None:
        outline = outline_of(st.session_state[key].get("region"))
        if on_region is not None:
            on_region(outline)

    _component(
        key=key,
        data={
            "items": offer(loaded.item_facts),
            "coordinates": offer(_coordinates(item_map)),
            "colours": offer(_codes(colouring)),
            "palette": list(colouring.palette),
            "legend": [[named(name), colour] for name, colour in colouring.legend],
            "ends": None if colouring.ends is None else [named(end) for end in colouring.ends],
            "labels": [[short(named(name)), x, y] for name, x, y in labels],
            "marks": {
                "rated": [list(mark) for mark in marks.rated],
                "recommended": [list(mark) for mark in marks.recommended],
                "similar": [list(mark) for mark in marks.similar],
                "focus": marks.focus,
                "you": None if marks.you is None else [float(part) for part in marks.you],
                "youLabel": marks.you_label,
            },
            "region": None if marks.region is None else marks.region.tolist(),
            "takesRegions": on_region is not None,
            "axes": None
            if axes is None
            else {at: [named(axis.low), named(axis.high)] for at, axis in zip("xy", axes, strict=True)},
            "genres": {genre: named(genre) for genre in model.catalog.genre_names},
            "words": _words(axes, loaded.has_ratings),
            "height": height,
        },
        on_clicked_change=clicked,
        on_region_change=region,
    )


@lru_cache(maxsize=32)
def _coordinates(item_map: ItemMap) -> Blob:
    return Blob(np.ascontiguousarray(item_map.coordinates, dtype="<f4").tobytes())


@lru_cache(maxsize=64)
def _codes(colouring: Colouring) -> Blob:
    return Blob(colouring.codes.tobytes())


def outline_of(value: object) -> np.ndarray | None:
    """The outline (n, 2) that the browser sent; None if it has fewer than three corners or is not numeric."""
    try:
        outline = np.array(value, dtype=np.float64)
    except (TypeError, ValueError):
        return None
    if outline.ndim != 2 or outline.shape[1] != 2 or len(outline) < 3 or not np.isfinite(outline).all():
        return None
    return outline


def _words(axes: tuple[Axis, Axis] | None, has_ratings: bool) -> dict[str, str]:
    alt = say(
        "Map of all movies; nearby dots are similar movies. Arrow keys move the map, plus and minus zoom, Enter "
        "selects the movie in the centre."
    )
    if axes is not None:
        left, right, bottom, top = (named(end) for axis in axes for end in (axis.low, axis.high))
        alt = joined(
            alt,
            say("Across: {left} to {right}. Up: {bottom} to {top}.", left=left, right=right, bottom=bottom, top=top),
        )
    return {
        "alt": alt,
        "in": say("Zoom in"),
        "out": say("Zoom out"),
        "whole": say("Show the whole map"),
        "lasso": say("Draw a region to recommend from"),
        "view": say("Recommend from the visible area"),
        "clear": say("Clear selection"),
        "loading": say("Loading the map …"),
        "failed": say("The map could not be loaded; reload the page."),
        "ratings": say("{count} ratings", count="{n}") if has_ratings else "",
        "recommended": say("recommended"),
        "rated": say("rated"),
        "similar": say("similar"),
        "focus": say("selected"),
        "marked": say("Marked on the map"),
    }
