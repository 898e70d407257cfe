"""One call from a map to a picture worth looking at: every movie a dot, the best known with their titles, clusters
named.

Arrays in, a Plotly figure or an HTML page out; for people who share a map, outside the app.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from plotly.offline import get_plotlyjs

from recsys.dataset.catalog import Catalog
from recsys.plots.escape import cell, hover
from recsys.plots.map import cluster_middles, dots, short
from recsys.space.axis import BETWEEN
from recsys.space.item_clusters import ItemClusters
from recsys.space.item_map import ItemMap

INK = "#2b2b2b"
WIDTH, HEIGHT = 1200, 780
"""The size in pixels for which labels are placed; a narrower screen scrolls."""
LETTER, LINE = 6.3, 16
"""Pixels that a letter and a line of a label take."""
MOST_TITLES = 70
OUTSIDE = 0.005
"""Of the dots, so many on either side of a plane of axes may lie outside the frame; people can zoom out."""


def picture(
    item_map: ItemMap,
    catalog: Catalog,
    popularity: np.ndarray,
    clusters: ItemClusters | None = None,
    *,
    most_titles: int = MOST_TITLES,
) -> go.Figure:
    """The map as a figure: dots coloured by genre, their size by popularity (n_items,), titles where there is room.

    A map along two axes says at its edges what each end is called; any other map carries the names of the clusters.
    """
    places, placed = item_map.coordinates, np.flatnonzero(item_map.is_placed)
    ranges = _ranges(places[placed], item_map.method == "axes")
    size = 3 + 11 * np.sqrt(popularity / max(int(popularity.max()), 1))
    figure = go.Figure(dots(item_map, catalog, popularity, size))
    taken: list[tuple[float, float, float, float]] = []
    if item_map.method != "axes" and clusters is not None:
        taken += _cluster_names(figure, item_map, clusters, ranges)
    elif item_map.axes is not None:
        taken += _end_names(figure, item_map.axes)
    _titles(figure, places, placed, catalog, popularity, ranges, taken, most_titles)
    axis = {"visible": item_map.method == "axes", "showgrid": False, "showticklabels": False}
    figure.update_layout(
        width=WIDTH,
        height=HEIGHT,
        margin={"l": 8, "r": 8, "t": 8, "b": 8},
        paper_bgcolor="#ffffff",
        plot_bgcolor="#ffffff",
        font={"color": INK, "size": 12, "family": "system-ui, sans-serif"},
        xaxis={**axis, "range": ranges[0], "zeroline": True, "zerolinecolor": "#c8c8c8"},
        yaxis={**axis, "range": ranges[1], "zeroline": True, "zerolinecolor": "#c8c8c8"},
        dragmode="pan",
        hovermode="closest",
        legend={"orientation": "h", "y": -0.01, "yanchor": "top", "itemsizing": "constant"},
    )
    return figure


def picture_page(figure: go.Figure, title: str, notes: Sequence[str] = ()) -> str:
    """The figure as one HTML page that opens without a network."""
    config = {"displaylogo": False, "scrollZoom": True}
    inside = figure.to_html(full_html=False, include_plotlyjs=False, div_id="picture", config=config)
    lines = "".join(f"<p>{cell(note)}</p>" for note in notes)
    style = (
        "body { font: 15px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 1240px; padding: 1rem; "
        "color: #1c1c1c; background: #fff } .wide { overflow-x: auto } p { color: #5a5a5a; margin: .25rem 0 } "
        "h1 { font-size: 1.3rem; margin: 0 0 .5rem; overflow-wrap: anywhere } "
    )
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{cell(title)}</title>\n<style>{style}</style>\n<script>{get_plotlyjs()}</script>\n</head>\n"
        f"<body>\n<h1>{cell(title)}</h1>\n<div class=wide>{inside}</div>\n{lines}\n</body>\n</html>\n"
    )


def _ranges(places: np.ndarray, along_axes: bool) -> list[list[float]]:
    """Left and right, bottom and top of the frame, with a margin; of a plane of axes without the farthest few."""
    share = OUTSIDE if along_axes else 0.0
    low, high = np.quantile(places, [share, 1 - share], axis=0) if len(places) else (np.zeros(2), np.ones(2))
    margin = 0.07 * np.maximum(high - low, 1e-6)
    return [[float(a - m), float(b + m)] for a, b, m in zip(low, high, margin, strict=True)]


def _cluster_names(
    figure: go.Figure, item_map: ItemMap, clusters: ItemClusters, ranges: list[list[float]]
) -> list[tuple[float, float, float, float]]:
    """Names where most of their clusters are, none over another; returns the boxes they take."""
    boxes: list[tuple[float, float, float, float]] = []
    for number, place in cluster_middles(item_map, clusters).items():
        name = short(clusters.names[number])
        x, y = _pixels(place[None], ranges)[0]
        half = 0.5 * len(name) * 1.35 * LETTER
        middle = float(np.clip(x, half, WIDTH - half))
        for steps in (0, -1, 1, -2, 2):  # a name that would cover another moves up or down; the smaller one gives way
            at = y + steps * 2 * LINE
            box = (middle - half, at - LINE, middle + half, at + LINE)
            if not any(_overlap(box, other) for other in boxes):
                boxes.append(box)
                figure.add_annotation(
                    x=place[0], y=place[1], xshift=middle - x, yshift=y - at, text=f"<b>{hover(name)}</b>",
                    showarrow=False, font={"size": 17, "color": INK}, bgcolor="rgba(255,255,255,.75)",
                )  # fmt: skip
                break
    return boxes


def _end_names(figure: go.Figure, axes: tuple[str, str]) -> list[tuple[float, float, float, float]]:
    """What each end of the two axes is called, at the edges of the frame."""
    (left, _, right), (bottom, _, top) = (re.sub(r"^axis \d+: ", "", name).partition(BETWEEN) for name in axes)
    boxes = []
    for words, x, y, at, anchor in (
        (f"← {left}", 0.0, 0.5, "left", "bottom"),
        (f"{right} →", 1.0, 0.5, "right", "bottom"),
        (f"↓ {bottom}", 0.5, 0.0, "center", "bottom"),
        (f"↑ {top}", 0.5, 1.0, "center", "top"),
    ):
        figure.add_annotation(
            x=x, y=y, xref="paper", yref="paper", xanchor=at, yanchor=anchor, text=f"<b>{hover(words)}</b>",
            showarrow=False, font={"size": 19, "color": INK}, bgcolor="rgba(255,255,255,.8)",
        )  # fmt: skip
        wide, high = len(words) * 11.0, 30.0
        start = {"left": 0.0, "right": WIDTH - wide, "center": (WIDTH - wide) / 2}[at]
        floor = (1 - y) * HEIGHT - (high if anchor == "bottom" else 0)
        boxes.append((start, floor, start + wide, floor + high))
    return boxes


def _titles(
    figure: go.Figure,
    places: np.ndarray,
    placed: np.ndarray,
    catalog: Catalog,
    popularity: np.ndarray,
    ranges: list[list[float]],
    taken: list[tuple[float, float, float, float]],
    most: int,
) -> None:
    """Titles beside dots, as many as find room, none over another: the best known of every part of the frame first."""
    pixels = _pixels(places, ranges)
    sides: dict[str, list[int]] = {"middle right": [], "middle left": []}
    titles = [str(title) for title in catalog.items["title"]]
    words = [short(title) for title in titles]
    shown = 0
    for row in _by_cell(placed, pixels, popularity):
        if shown == most:
            break
        x, y = pixels[row]
        wide = len(words[row]) * LETTER + 2 * LETTER
        for side in sides:
            start = x if side == "middle right" else x - wide
            box = (start, y - LINE / 2, start + wide, y + LINE / 2)
            inside = box[0] >= 0 and box[2] <= WIDTH and box[1] >= 0 and box[3] <= HEIGHT
            if inside and not any(_overlap(box, other) for other in taken):
                taken.append(box)
                sides[side].append(int(row))
                shown += 1
                break
    for side, rows in sides.items():
        gap = "\u2002"  # the text begins at the middle of the dot
        shown_words = [gap + hover(words[row]) if side == "middle right" else hover(words[row]) + gap for row in rows]
        figure.add_trace(
            go.Scatter(
                x=places[rows, 0], y=places[rows, 1], mode="text", text=shown_words,
                textposition=side, textfont={"size": 11.5, "color": INK}, hoverinfo="skip", showlegend=False,
                cliponaxis=True,
            )
        )  # fmt: skip


def _by_cell(placed: np.ndarray, pixels: np.ndarray, popularity: np.ndarray) -> np.ndarray:
    """Rows in the order in which they are offered a title: the best known of each cell of a grid, then the second, …"""
    order = placed[np.argsort(-popularity[placed], kind="stable")]
    cells = (pixels[order] // (WIDTH / 8, HEIGHT / 8)).astype(int)
    seen: dict[tuple[int, int], int] = {}
    turns = np.empty(len(order), dtype=int)
    for at, (across, down) in enumerate(cells.tolist()):
        turns[at] = seen[across, down] = seen.get((across, down), -1) + 1
    return order[np.argsort(turns, kind="stable")]


def _pixels(places: np.ndarray, ranges: list[list[float]]) -> np.ndarray:
    """Places in the frame as pixels from its upper left corner, (n, 2)."""
    (left, right), (bottom, top) = ranges
    across = (places[:, 0] - left) / (right - left) * WIDTH
    down = (top - places[:, 1]) / (top - bottom) * HEIGHT
    return np.column_stack([across, down])


def _overlap(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
