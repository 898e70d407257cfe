"""Charts of axes: positions of one movie, genres × axes, movies on a line and on a plane.

Arrays in, Plotly figures out. The caller provides translated texts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go

from recsys.plots.colours import COLOURS, DIVERGING
from recsys.plots.escape import hover

MARK, DOT, QUIET = COLOURS[5], COLOURS[0], "rgba(128,128,128,.35)"
SMALL = "#858585"
"""A grey for small text, readable on white and on near-black."""
WIDEST = 3.5
"""Standard deviations that a strip shows; values beyond are drawn at its end."""
STRIP_HEIGHT, CELL_HEIGHT = 82, 27
MAX_CHARACTERS = 26
BANDWIDTH = 0.2


@dataclass(frozen=True, eq=False)
class Strip:
    """An axis and the position of one movie on it.

    low, high   names of the ends
    note        short evidence for the names
    position    of the movie, in standard deviations
    values      (n,) positions of the movies to compare with; NaN are left out
    hover_text  shown when the pointer is over the movie
    """

    low: str
    high: str
    note: str
    position: float
    values: np.ndarray
    hover_text: str


def position_strips(strips: Sequence[Strip]) -> go.Figure:
    """One row per axis: the density of all movies in grey, and one movie as a diamond with its value."""
    figure = go.Figure()
    grid = np.linspace(-WIDEST, WIDEST, 141)
    for at, strip in enumerate(strips):
        base = -float(at)
        figure.add_scatter(
            x=[*grid, *grid[::-1]], y=[*(base + 0.4 * density(strip.values, grid)), *np.full(len(grid), base)],
            mode="lines", fill="toself", fillcolor=QUIET, line={"width": 0}, hoverinfo="skip", showlegend=False,
        )  # fmt: skip
        figure.add_scatter(
            x=[-WIDEST, WIDEST], y=[base, base], mode="lines", line={"color": QUIET, "width": 1}, hoverinfo="skip",
            showlegend=False,
        )  # fmt: skip
        place = float(np.clip(strip.position, -WIDEST, WIDEST))
        figure.add_scatter(
            x=[place], y=[base + 0.09], mode="markers+text", showlegend=False,
            text=[f"<b>{signed(strip.position)}</b>"], textposition="middle left" if place > 2 else "middle right",
            textfont={"size": 13}, cliponaxis=False,
            marker={"symbol": "diamond", "size": 13, "color": MARK, "line": {"width": 1.5, "color": "#ffffff"}},
            hovertext=hover(strip.hover_text), hovertemplate="%{hovertext}<extra></extra>",
        )  # fmt: skip
        for words, x, side, y, size in (
            (strip.low, 0, "left", base + 0.55, 14),
            (strip.high, 1, "right", base + 0.55, 14),
            (strip.note, 0, "left", base - 0.16, 12),
        ):
            small = {"color": SMALL} if size == 12 else {}
            most = MAX_CHARACTERS if size == 14 else 80
            figure.add_annotation(
                x=x, xref="paper", xanchor=side, y=y, yanchor="middle", showarrow=False, font={"size": size} | small,
                text=hover(_shortened(words, most)),
            )  # fmt: skip
    figure.add_vline(x=0, line={"color": QUIET, "width": 1, "dash": "dot"})
    figure.update_xaxes(range=[-WIDEST - 0.1, WIDEST + 0.1], visible=False, fixedrange=True)
    figure.update_yaxes(range=[-len(strips) + 0.68, 0.78], visible=False, fixedrange=True)
    return _styled(figure, max(1, len(strips)) * STRIP_HEIGHT + 6)


def density(values: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """Density of values (n,) on an even grid (m,): (m,) float64 with maximum 1, all 0 without values.

    A histogram smoothed with a Gaussian kernel of width `BANDWIDTH`; values outside the grid count at its ends.
    """
    known = np.clip(values[~np.isnan(values)], grid[0], grid[-1])
    if not len(known):
        return np.zeros(len(grid))
    step = grid[1] - grid[0]
    counts = np.bincount(np.round((known - grid[0]) / step).astype(np.int64), minlength=len(grid)).astype(np.float64)
    apart = np.arange(-len(grid) + 1, len(grid)) * step
    smooth = np.convolve(counts, np.exp(-0.5 * (apart / BANDWIDTH) ** 2), mode="full")[
        len(grid) - 1 : 2 * len(grid) - 1
    ]
    return smooth / smooth.max()


def heat_map(
    values: np.ndarray, rows: Sequence[str], columns: Sequence[str], hover_texts: Sequence[Sequence[str]]
) -> go.Figure:
    """A table of values (rows, columns) as colours with the values as text, orange below zero and purple above.

    hover_texts  of each cell
    """
    reach = float(np.nanmax(np.abs(values))) if np.isfinite(values).any() else 1.0
    scale = [(at / (len(DIVERGING) - 1), colour) for at, colour in enumerate(DIVERGING)]
    figure = go.Figure(
        go.Heatmap(
            z=values, x=[str(at) for at in range(len(columns))], y=[str(at) for at in range(len(rows))],
            zmin=-reach, zmax=reach, zmid=0, colorscale=scale, xgap=1, ygap=1,
            text=[[signed(value) if np.isfinite(value) else "" for value in row] for row in values],
            texttemplate="%{text}", customdata=[[hover(text) for text in row] for row in hover_texts],
            hovertemplate="%{customdata}<extra></extra>",
            colorbar={"orientation": "h", "y": 0, "yanchor": "top", "thickness": 10, "len": 0.6, "ypad": 12},
        )
    )  # fmt: skip
    figure.update_xaxes(
        side="top", tickvals=[str(at) for at in range(len(columns))], tickangle=-90, fixedrange=True, showgrid=False,
        ticktext=[hover(_shortened(name, 34)) for name in columns], ticks="", showline=False, zeroline=False,
    )  # fmt: skip
    figure.update_yaxes(
        autorange="reversed", tickvals=[str(at) for at in range(len(rows))], fixedrange=True, showgrid=False,
        ticktext=[hover(name) for name in rows], ticks="", showline=False, zeroline=False,
    )  # fmt: skip
    return _styled(figure, CELL_HEIGHT * len(rows) + 230)


def lift_bars(names: Sequence[str], lifts: np.ndarray, hover_texts: Sequence[str]) -> go.Figure:
    """Lift of each name, (n,) above 0: bars from 1, to the right for more, the first on top. The scale is logarithmic,
    so that double and half have bars of the same length."""
    long = np.log2(lifts)
    figure = go.Figure(
        go.Bar(
            x=long, y=[str(at) for at in range(len(names))], orientation="h", text=[f"{lift:.2f}×" for lift in lifts],
            textposition="outside", cliponaxis=False, hovertext=[hover(text) for text in hover_texts],
            hovertemplate="%{hovertext}<extra></extra>",
            marker={"color": [COLOURS[0] if lift >= 1 else COLOURS[1] for lift in lifts]},
        )
    )  # fmt: skip
    reach = max(0.4, float(np.abs(long).max())) * 1.35
    ticks = [tick for tick in (0.125, 0.25, 0.5, 0.8, 1, 1.25, 2, 4, 8, 16) if abs(np.log2(tick)) <= reach]
    if reach > 2:
        ticks = [tick for tick in ticks if tick not in (0.8, 1.25)]
    figure.update_xaxes(
        range=[-reach, reach], tickvals=np.log2(ticks), ticktext=[f"{tick:g}×" for tick in ticks], fixedrange=True,
        zeroline=True, gridcolor=QUIET,
    )  # fmt: skip
    figure.update_yaxes(
        autorange="reversed", tickvals=[str(at) for at in range(len(names))], ticktext=[hover(name) for name in names],
        fixedrange=True, showgrid=False, ticks="", showline=False,
    )  # fmt: skip
    return _styled(figure, 60 + 26 * len(names)).update_layout(bargap=0.35)


def movie_line(positions: np.ndarray, labels: Sequence[str], low: str, high: str) -> go.Figure:
    """Movies on a vertical line with the low end at the bottom: positions (n,) in standard deviations, and titles."""
    figure = go.Figure()
    figure.add_scatter(
        x=[0, 0], y=[-2.3, 2.3], mode="lines", line={"color": QUIET, "width": 2}, hoverinfo="skip", showlegend=False
    )
    figure.add_scatter(
        x=np.zeros(len(positions)), y=positions, mode="markers+text", text=_written(labels, 34), showlegend=False,
        textposition="middle right", textfont={"size": 13}, marker={"size": 10, "color": DOT}, cliponaxis=False,
        hovertext=[hover(label) for label in labels], hovertemplate="%{hovertext}: %{y:.1f}<extra></extra>",
    )  # fmt: skip
    for words, y in ((f"↑ {high}", 2.6), (f"↓ {low}", -2.6)):
        figure.add_annotation(x=0, y=y, text=f"<b>{hover(words)}</b>", showarrow=False, xanchor="left", xshift=-8)
    figure.update_xaxes(range=[-0.06, 1], visible=False, fixedrange=True)
    figure.update_yaxes(range=[-2.85, 2.85], visible=False, fixedrange=True)
    return _styled(figure, 430)


def movie_plane(places: np.ndarray, labels: Sequence[str], across: tuple[str, str], up: tuple[str, str]) -> go.Figure:
    """Movies on a plane of two axes: positions (n, 2) in standard deviations, titles, and the names of the ends."""
    figure = go.Figure()
    figure.add_scatter(
        x=places[:, 0], y=places[:, 1], mode="markers+text", text=_written(labels, 19), showlegend=False,
        textposition="top center", textfont={"size": 12}, marker={"size": 8, "color": DOT}, cliponaxis=False,
        hovertext=[hover(label) for label in labels], hovertemplate="%{hovertext}<extra></extra>",
    )  # fmt: skip
    for name, axis in (("xaxis", "x"), ("yaxis", "y")):
        figure.update_layout(
            {name: {"range": [-2.6, 2.6], "showgrid": False, "fixedrange": True, "showticklabels": False}}
        )
        figure.add_shape(
            type="line", line={"color": QUIET, "width": 2}, layer="below",
            **({"x0": -2.6, "x1": 2.6, "y0": 0, "y1": 0} if axis == "x" else {"x0": 0, "x1": 0, "y0": -2.6, "y1": 2.6}),
        )  # fmt: skip
    figure.update_xaxes(zeroline=False)
    figure.update_yaxes(zeroline=False)
    for words, x, y, side in (
        (f"↑ {up[1]}", 0.5, 1.06, "center"),
        (f"↓ {up[0]}", 0.5, -0.06, "center"),
        (f"← {across[0]}", 0.0, -0.06, "left"),
        (f"{across[1]} →", 1.0, -0.06, "right"),
    ):
        figure.add_annotation(
            x=x, y=y, xref="paper", yref="paper", text=f"<b>{hover(words)}</b>", showarrow=False, xanchor=side
        )
    return _styled(figure, 430).update_layout(margin={"l": 10, "r": 10, "t": 30, "b": 30})


def signed(value: float) -> str:
    """A value with sign and one digit: "+1.2", "−0.3", "0.0"."""
    rounded = round(float(value), 1)
    return "0.0" if rounded == 0 else f"{'+' if rounded > 0 else '−'}{abs(rounded):.1f}"


def _written(labels: Sequence[str], most: int) -> list[str]:
    return [hover(_shortened(label, most)) for label in labels]


def _shortened(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1].rstrip(" ,") + "…"


def _styled(figure: go.Figure, height: int) -> go.Figure:
    clear: dict[str, Any] = {"paper_bgcolor": "rgba(0,0,0,0)", "plot_bgcolor": "rgba(0,0,0,0)"}
    return figure.update_layout(height=height, margin={"l": 4, "r": 4, "t": 4, "b": 4}, dragmode=False, **clear)
