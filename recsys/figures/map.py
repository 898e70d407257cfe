"""The map as a Plotly figure: arrays in, figure out. Knows nothing of Streamlit, models or sessions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from scipy.spatial import KDTree

from recsys.axis import UNNAMED
from recsys.catalog import Catalog
from recsys.figures.words import hover
from recsys.item_clusters import ItemClusters
from recsys.item_map import ItemMap

# Okabe & Ito 2008: eight colours that people with any colour vision can tell apart.
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#c9b700")
OTHER_COLOUR = "#999999"
AROUND = 30
"""Dots around an item that tell whether a label of its cluster stands well there."""
MANY_POINTS = 5000
"""Beyond it WebGL draws the points; below, SVG does, which every browser has."""


@dataclass(frozen=True, eq=False)
class Marks:
    """Items that stand out: their rows, and what to say of each when pointed at."""

    rows: np.ndarray
    notes: Sequence[str]


def genre_groups(catalog: Catalog) -> tuple[np.ndarray, list[str]]:
    """A colour group for each item, (n_items,) int, and the groups' names.

    The most frequent genres have a colour each; an item takes the rarest of its own among these, which says most
    about it. The last group is everything else.
    """
    names = list(catalog.genre_names[: len(COLOURS)])
    place = {name: at for at, name in enumerate(names)}
    groups = [max((place[g] for g in genres if g in place), default=len(names)) for genres in catalog.items["genres"]]
    return np.array(groups), [*names, "other"]


def map_figure(
    item_map: ItemMap,
    catalog: Catalog,
    popularity: np.ndarray,
    *,
    rated: Marks,
    recommended: Marks,
    neighbours: Marks,
    focus: int | None = None,
    clusters: ItemClusters | None = None,
    you: np.ndarray | None = None,
    you_label: str = "You",
    height: int = 640,
) -> go.Figure:
    """All items, coloured by genre, with what matters to one user on top, marked by shape as well as by colour.

    popularity  (n_items,) number of ratings: better-known movies are larger
    clusters    named ones stand as labels at their middle
    you         (2,) place of the user, or None
    Every point's customdata is its item's row. Numbers in the diamonds are the ranks of the list beside the map.
    """
    x, y = item_map.coordinates.T
    labels = [hover(label) for label in catalog.labels]
    size = 4 + 7 * np.sqrt(popularity / max(int(popularity.max()), 1))
    figure = go.Figure(dots(item_map, catalog, popularity, size))
    # The clicked dot grows; nothing else fades.
    figure.update_traces(
        selected={"marker": {"size": 18, "color": "#7a3e9d", "opacity": 1}}, unselected={"marker": {"opacity": 0.55}}
    )

    def mark(marks: Marks, name: str, symbol: str, colour: str, size: int, text: Sequence[str] | None = None) -> None:
        if not len(marks.rows):
            return
        figure.add_trace(
            go.Scatter(
                x=x[marks.rows],
                y=y[marks.rows],
                mode="markers" if text is None else "markers+text",
                name=name,
                customdata=marks.rows,
                text=text,
                hovertext=[f"<b>{labels[r]}</b><br>{hover(n)}" for r, n in zip(marks.rows, marks.notes, strict=True)],
                hovertemplate="%{hovertext}<extra></extra>",
                textfont={"size": 9, "color": "#ffffff", "weight": "bold"},
                marker={
                    "symbol": symbol,
                    "size": size,
                    "color": colour,
                    "opacity": 1,
                    "line": {"width": 1.5, "color": "#ffffff"},
                },
                unselected={"marker": {"opacity": 1}},
            )
        )

    mark(neighbours, "alike", "circle-open-dot", "#7a3e9d", 13)
    if focus is not None:
        mark(Marks(np.array([focus]), ["chosen"]), "chosen", "hexagon", "#7a3e9d", 18)
    mark(recommended, "recommended", "diamond", "#8b1a1a", 17, [str(i + 1) for i in range(len(recommended.rows))])
    mark(rated, "rated", "star", "#b8860b", 14)
    if you is not None:  # a ring, so that it hides nothing
        figure.add_trace(
            go.Scatter(
                x=[you[0]],
                y=[you[1]],
                mode="markers+text",
                name=hover(you_label),
                text=[f"<b>{hover(you_label)}</b>"],
                textposition="bottom center",
                textfont={"size": 15, "color": "#d6006c"},
                hoverinfo="skip",
                marker={"symbol": "circle-open", "size": 34, "color": "#d6006c", "line": {"width": 4}},
                unselected={"marker": {"opacity": 1}},
            )
        )
    if clusters is not None and item_map.method != "axes":
        for number, place in cluster_middles(item_map, clusters).items():
            figure.add_annotation(
                x=place[0],
                y=place[1],
                text=f"<b>{hover(short(clusters.names[number]))}</b>",
                showarrow=False,
                font={"size": 14, "color": "#2b2b2b"},
                bgcolor="rgba(255,255,255,.7)",
                captureevents=False,
            )
    bare = {"visible": False, "zeroline": False, "showgrid": False}
    figure.update_layout(
        height=height,
        margin={"l": 0, "r": 0, "t": 0, "b": 0},
        xaxis=bare,
        yaxis={**bare, "scaleanchor": "x"},
        dragmode="pan",
        hovermode="closest",
        clickmode="event+select",
        legend={"orientation": "h", "y": -0.02, "yanchor": "top", "itemsizing": "constant"},
    )
    return figure


def dots(item_map: ItemMap, catalog: Catalog, popularity: np.ndarray, size: np.ndarray) -> list[go.Scatter]:
    """The placed items as traces, one a group of `genre_groups`; customdata is the item's row.

    popularity  (n_items,) number of ratings, said when a dot is pointed at
    size        (n_items,) in pixels
    """
    places, placed = item_map.coordinates, item_map.is_placed
    groups, names = genre_groups(catalog)
    labels = [hover(label) for label in catalog.labels]
    genres = [hover(", ".join(g)) for g in catalog.items["genres"]]
    scatter = go.Scattergl if len(labels) > MANY_POINTS else go.Scatter
    traces = []
    for group, name in enumerate(names):
        rows = np.flatnonzero((groups == group) & placed)
        if not len(rows):
            continue
        traces.append(
            scatter(
                x=places[rows, 0],
                y=places[rows, 1],
                mode="markers",
                name=hover(name),
                customdata=rows,
                text=[f"<b>{labels[r]}</b><br>{genres[r]}<br>{popularity[r]:,} ratings" for r in rows],
                hovertemplate="%{text}<extra></extra>",
                marker={
                    "size": size[rows],
                    "color": group_colour(group, names),
                    "opacity": 0.55,
                    "line": {"width": 0},
                },
            )
        )
    return traces


def cluster_middles(item_map: ItemMap, clusters: ItemClusters) -> dict[int, np.ndarray]:
    """Where the label of each named cluster that has items on the map stands, (2,), by its number.

    At the item that has the most of its own cluster among the dots around it, of equal ones that nearest to the
    cluster's median: a map may tear a cluster apart, and the middle of two pieces belongs to neither.
    """
    placed = np.flatnonzero(item_map.is_placed)
    places, labels = item_map.coordinates[placed], clusters.labels[placed]
    tree = KDTree(places) if len(placed) else None
    middles = {}
    for number, name in enumerate(clusters.names):
        rows = np.flatnonzero(labels == number)
        if name == UNNAMED or not len(rows) or tree is None:
            continue
        around = tree.query(places[rows], k=min(AROUND, len(placed)))[1].reshape(len(rows), -1)
        own = (labels[around] == number).sum(axis=1)
        far = np.linalg.norm(places[rows] - np.median(places[rows], axis=0), axis=1)
        middles[number] = places[rows[np.lexsort((far, -own))[0]]]
    return middles


def short(words: str, most: int = 32) -> str:
    """Words cut to so many letters, with an ellipsis where something is missing."""
    return words if len(words) <= most else words[: most - 1].rstrip() + "…"


def group_colour(group: int, names: Sequence[str]) -> str:
    """The colour of a group of `genre_groups`; the last group, everything else, is grey."""
    return OTHER_COLOUR if group == len(names) - 1 else COLOURS[group]
