"""What a picture of a map is made of: dots, and where the names of clusters stand. Knows nothing of models."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go
from scipy.spatial import KDTree

from recsys.dataset.catalog import Catalog
from recsys.plots.colours import genre_groups, group_colour
from recsys.plots.escape import hover
from recsys.space.axis import UNNAMED
from recsys.space.item_clusters import ItemClusters
from recsys.space.item_map import ItemMap

AROUND = 30
"""Dots around an item that tell whether a label of its cluster stands well there."""
MANY_POINTS = 5000
"""Beyond it WebGL draws the points; below, SVG does, which every browser has."""


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
