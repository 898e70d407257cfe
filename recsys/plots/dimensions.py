"""Pictures of axes: where one movie lies on each, genres × axes, a line and a plane of movies. Arrays and words in,
Plotly figures out; words come from outside, in any language."""

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
"""Grey letters that are read on white and on near-black alike."""
WIDEST = 3.5
"""Standard deviations that a strip shows; what lies farther out stands at its end."""
STRIP_HEIGHT, CELL_HEIGHT = 82, 27
MOST_LETTERS = 26
BANDWIDTH = 0.2


@dataclass(frozen=True, eq=False)
class Strip:
    """One axis, and where a movie lies on it.

    low, high  what the ends are called
    note       how far the name holds, in a few words
    position   of the movie, in standard deviations
    values     (n,) of the movies it is held against; NaN are left out
    said       what is said when the movie is pointed at
    """

    low: str
    high: str
    note: str
    position: float
    values: np.ndarray
    said: str


def position_strips(strips: Sequence[Strip]) -> go.Figure:
    """One row an axis: all movies as a quiet hill, one movie as a diamond with its value beside it."""
    figure = go.Figure()
    grid = np.linspace(-WIDEST, WIDEST, 141)
    for at, strip in enumerate(strips):
        base = -float(at)
        figure.add_scatter(
            x=[*grid, *grid[::-1]], y=[*(base + 0.4 * hill(strip.values, grid)), *np.full(len(grid), base)],
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
            hovertext=hover(strip.said), hovertemplate="%{hovertext}<extra></extra>",
        )  # fmt: skip
        for words, x, side, y, size in (
            (strip.low, 0, "left", base + 0.55, 14),
            (strip.high, 1, "right", base + 0.55, 14),
            (strip.note, 0, "left", base - 0.16, 12),
        ):
            small = {"color": SMALL} if size == 12 else {}
            most = MOST_LETTERS if size == 14 else 80
            figure.add_annotation(
                x=x, xref="paper", xanchor=side, y=y, yanchor="middle", showarrow=False, font={"size": size} | small,
                text=hover(_shortened(words, most)),
            )  # fmt: skip
    figure.add_vline(x=0, line={"color": QUIET, "width": 1, "dash": "dot"})
    figure.update_xaxes(range=[-WIDEST - 0.1, WIDEST + 0.1], visible=False, fixedrange=True)
    figure.update_yaxes(range=[-len(strips) + 0.68, 0.78], visible=False, fixedrange=True)
    return _dressed(figure, max(1, len(strips)) * STRIP_HEIGHT + 6)


def hill(values: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """How dense values (n,) lie along an even grid (m,): (m,) float64 with 1 at the top, 0 of none.

    A histogram smoothed by a normal curve of width `BANDWIDTH`; what lies outside counts at the end.
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
    values: np.ndarray, rows: Sequence[str], columns: Sequence[str], said: Sequence[Sequence[str]]
) -> go.Figure:
    """A table of values (rows, columns) as colours, orange below zero and purple above, the values written in.

    said  of each cell, when it is pointed at
    """
    reach = float(np.nanmax(np.abs(values))) if np.isfinite(values).any() else 1.0
    scale = [(at / (len(DIVERGING) - 1), colour) for at, colour in enumerate(DIVERGING)]
    figure = go.Figure(
        go.Heatmap(
            z=values, x=[str(at) for at in range(len(columns))], y=[str(at) for at in range(len(rows))],
            zmin=-reach, zmax=reach, zmid=0, colorscale=scale, xgap=1, ygap=1,
            text=[[signed(value) if np.isfinite(value) else "" for value in row] for row in values],
            texttemplate="%{text}", customdata=[[hover(words) for words in row] for row in said],
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
    return _dressed(figure, CELL_HEIGHT * len(rows) + 230)


def lift_bars(names: Sequence[str], lifts: np.ndarray, said: Sequence[str]) -> go.Figure:
    """How many times as much of each thing as is usual, (n,) above 0: bars from 1, to the right for more, the first on
    top. On a logarithmic scale, so that twice and half are as long."""
    long = np.log2(lifts)
    figure = go.Figure(
        go.Bar(
            x=long, y=[str(at) for at in range(len(names))], orientation="h", text=[f"{lift:.2f}×" for lift in lifts],
            textposition="outside", cliponaxis=False, hovertext=[hover(words) for words in said],
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
    return _dressed(figure, 60 + 26 * len(names)).update_layout(bargap=0.35)


def movie_line(positions: np.ndarray, labels: Sequence[str], low: str, high: str) -> go.Figure:
    """Movies on one line, from its low end below to its high end above: places (n,) in standard deviations, titles."""
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
    return _dressed(figure, 430)


def movie_plane(places: np.ndarray, labels: Sequence[str], across: tuple[str, str], up: tuple[str, str]) -> go.Figure:
    """Movies on a plane of two axes: places (n, 2) in standard deviations, titles, and what the ends are called."""
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
    return _dressed(figure, 430).update_layout(margin={"l": 10, "r": 10, "t": 30, "b": 30})


def signed(value: float) -> str:
    """A value with its sign, one digit: "+1.2", "−0.3", "0.0"."""
    rounded = round(float(value), 1)
    return "0.0" if rounded == 0 else f"{'+' if rounded > 0 else '−'}{abs(rounded):.1f}"


def _written(labels: Sequence[str], most: int) -> list[str]:
    return [hover(_shortened(label, most)) for label in labels]


def _shortened(words: str, most: int) -> str:
    return words if len(words) <= most else words[: most - 1].rstrip(" ,") + "…"


def _dressed(figure: go.Figure, height: int) -> go.Figure:
    clear: dict[str, Any] = {"paper_bgcolor": "rgba(0,0,0,0)", "plot_bgcolor": "rgba(0,0,0,0)"}
    return figure.update_layout(height=height, margin={"l": 4, "r": 4, "t": 4, "b": 4}, dragmode=False, **clear)
