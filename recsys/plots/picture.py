"""A map as a figure to share outside the app: every movie a dot, titles of the most rated ones, named clusters.

Arrays in, a Plotly figure or an HTML page out.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from plotly.offline import get_plotlyjs

from recsys.dataset.catalog import Catalog
from recsys.plots.escape import cell, hover
from recsys.plots.map import cluster_label_positions, dots, short
from recsys.space.axis import BETWEEN
from recsys.space.item_clusters import ItemClusters
from recsys.space.item_map import ItemMap

INK = "#2b2b2b"
WIDTH, HEIGHT = 1200, 780
"""Size in pixels for which labels are placed; narrower screens scroll."""
LETTER, LINE = 6.3, 16
"""Width of a character and height of a line of a label, in pixels."""
MAX_TITLES = 70
OUTSIDE = 0.005
"""Share of the dots on either side of a plane of axes that may be outside the frame; zooming out shows them."""


def picture(
    item_map: ItemMap,
    catalog: Catalog,
    popularity: np.ndarray,
    clusters: ItemClusters | None = None,
    *,
    max_titles: int = MAX_TITLES,
) -> go.Figure:
    """The map as a figure: dots coloured by genre and sized by popularity, with as many titles as fit.

    popularity  (n_items,) number of ratings

    A map along two axes shows the names of their ends at its edges; any other map shows the names of the clusters.
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
    _titles(figure, places, placed, catalog, popularity, ranges, taken, max_titles)
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
    """The figure as one HTML page that works offline."""
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
    """Left and right, bottom and top of the frame, with a margin; a plane of axes excludes the outermost dots."""
    share = OUTSIDE if along_axes else 0.0
    low, high = np.quantile(places, [share, 1 - share], axis=0) if len(places) else (np.zeros(2), np.ones(2))
    margin = 0.07 * np.maximum(high - low, 1e-6)
    return [[float(a - m), float(b + m)] for a, b, m in zip(low, high, margin, strict=True)]


def _cluster_names(
    figure: go.Figure, item_map: ItemMap, clusters: ItemClusters, ranges: list[list[float]]
) -> list[tuple[float, float, float, float]]:
    """Add the names of the clusters without overlap; returns their boxes."""
    boxes: list[tuple[float, float, float, float]] = []
    for number, place in cluster_label_positions(item_map, clusters).items():
        name = short(clusters.names[number])
        x, y = _pixels(place[None], ranges)[0]
        half = 0.5 * len(name) * 1.35 * LETTER
        middle = float(np.clip(x, half, WIDTH - half))
        for steps in (0, -1, 1, -2, 2):  # overlapping names move up or down; the smaller cluster gives way
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
    """Add the names of the ends of both axes at the edges of the frame; returns their boxes."""
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
    """Add titles next to dots without overlap, as many as fit, the most rated of every part of the frame first."""
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
        gap = "\u2002"  # text starts at the centre of the dot
        shown_words = [gap + hover(words[row]) if side == "middle right" else hover(words[row]) + gap for row in rows]
        figure.add_trace(
            go.Scatter(
                x=places[rows, 0], y=places[rows, 1], mode="text", text=shown_words,
                textposition=side, textfont={"size": 11.5, "color": INK}, hoverinfo="skip", showlegend=False,
                cliponaxis=True,
            )
        )  # fmt: skip


def _by_cell(placed: np.ndarray, pixels: np.ndarray, popularity: np.ndarray) -> np.ndarray:
    """Rows in the order in which titles are tried: the most rated of each grid cell, then the second of each, …"""
    order = placed[np.argsort(-popularity[placed], kind="stable")]
    cells = (pixels[order] // (WIDTH / 8, HEIGHT / 8)).astype(int)
    seen: dict[tuple[int, int], int] = {}
    rounds = np.empty(len(order), dtype=int)
    for at, (across, down) in enumerate(cells.tolist()):
        rounds[at] = seen[across, down] = seen.get((across, down), -1) + 1
    return order[np.argsort(rounds, kind="stable")]


def _pixels(places: np.ndarray, ranges: list[list[float]]) -> np.ndarray:
    """Positions in pixels from the upper left corner of the frame, (n, 2)."""
    (left, right), (bottom, top) = ranges
    across = (places[:, 0] - left) / (right - left) * WIDTH
    down = (top - places[:, 1]) / (top - bottom) * HEIGHT
    return np.column_stack([across, down])


def _overlap(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
