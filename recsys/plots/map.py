"""Parts of a map figure: the dots, and the positions of the cluster names."""

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

N_NEIGHBOURS = 30
"""Dots around an item that are checked for membership in its cluster."""
MAX_SVG_POINTS = 5000
"""More points than this are drawn with WebGL; fewer with SVG, which every browser supports."""


def dots(item_map: ItemMap, catalog: Catalog, popularity: np.ndarray, size: np.ndarray) -> list[go.Scatter]:
    """The placed items as traces, one per group of `genre_groups`; customdata is the item's row.

    popularity  (n_items,) number of ratings, shown on hover
    size        (n_items,) diameter of the dots in pixels
    """
    places, placed = item_map.coordinates, item_map.is_placed
    groups, names = genre_groups(catalog)
    labels = [hover(label) for label in catalog.labels]
    genres = [hover(", ".join(g)) for g in catalog.items["genres"]]
    scatter = go.Scattergl if len(labels) > MAX_SVG_POINTS else go.Scatter
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


def cluster_label_positions(item_map: ItemMap, clusters: ItemClusters) -> dict[int, np.ndarray]:
    """Position (2,) of the label of each named cluster with items on the map, by cluster number.

    The label is placed at the item with the most items of its cluster among its neighbours on the map, ties broken by
    distance to the cluster's median: a map can tear a cluster apart, and the middle of two pieces belongs to neither.
    """
    placed = np.flatnonzero(item_map.is_placed)
    places, labels = item_map.coordinates[placed], clusters.labels[placed]
    tree = KDTree(places) if len(placed) else None
    positions = {}
    for number, name in enumerate(clusters.names):
        rows = np.flatnonzero(labels == number)
        if name == UNNAMED or not len(rows) or tree is None:
            continue
        around = tree.query(places[rows], k=min(N_NEIGHBOURS, len(placed)))[1].reshape(len(rows), -1)
        own = (labels[around] == number).sum(axis=1)
        far = np.linalg.norm(places[rows] - np.median(places[rows], axis=0), axis=1)
        positions[number] = places[rows[np.lexsort((far, -own))[0]]]
    return positions


def short(text: str, most: int = 32) -> str:
    """Text shortened to `most` characters, with an ellipsis if something was cut."""
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"
