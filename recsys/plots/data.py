"""Charts of a dataset: counts in, Plotly figures out. The caller provides translated texts."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from recsys.dataset.statistics import Density
from recsys.plots.colours import COLOURS
from recsys.plots.escape import hover
from recsys.plots.quality import QUARTERS, styled

BAR, MARK = COLOURS[0], COLOURS[5]
MAX_POINTS = 400
"""Points of a curve: enough to look smooth, few enough to be sent with every rerun."""


def long_tail(of_items: np.ndarray, marked: tuple[float, float], *, across: str, up: str, note: str) -> go.Figure:
    """Cumulative share of the ratings by share of the movies, most rated first.

    of_items  (n_items,) number of ratings of each movie, in descending order
    marked    point of the curve to mark (share of movies, share of ratings), labelled with `note`
    """
    reached = np.concatenate([[0], np.cumsum(of_items)]) / max(int(of_items.sum()), 1)
    at = np.unique(np.geomspace(1, len(reached), MAX_POINTS).astype(np.int64)) - 1
    movies = at / max(len(of_items), 1)
    figure = go.Figure()
    figure.add_scatter(
        x=movies, y=reached[at], mode="lines", line={"color": BAR, "width": 3}, showlegend=False,
        fill="tozeroy", fillcolor="rgba(0,114,178,.12)", hovertemplate="%{x:.1%} → %{y:.1%}<extra></extra>",
    )  # fmt: skip
    figure.add_scatter(
        x=[0, 1], y=[0, 1], mode="lines", line={"color": "rgba(128,128,128,.7)", "dash": "dot", "width": 1.5},
        showlegend=False, hoverinfo="skip",
    )  # fmt: skip
    figure.add_scatter(
        x=[marked[0]], y=[marked[1]], mode="markers", showlegend=False, hoverinfo="skip",
        marker={"symbol": "diamond", "size": 13, "color": MARK},
    )  # fmt: skip
    figure.add_annotation(
        x=marked[0], y=marked[1], text=hover(note), showarrow=False, xanchor="left", yanchor="top", xshift=12, yshift=-6
    )
    figure.update_xaxes(title=across, tickformat=".0%", tickvals=QUARTERS, range=[0, 1.001], showgrid=False)
    figure.update_yaxes(title=up, tickformat=".0%", range=[0, 1.02])
    return styled(figure, 340)


def users_histogram(of_users: np.ndarray, *, across: str, up: str) -> go.Figure:
    """Number of users by number of ratings, in bins that double in width."""
    most = int(of_users.max()) if len(of_users) else 1
    edges = [1, 2, 3, 5, 10]
    while edges[-1] <= most:
        edges.append(2 * edges[-1])
    counts, _ = np.histogram(of_users, edges)
    there = np.flatnonzero(counts)
    shown = range(there[0], there[-1] + 1) if len(there) else range(0)
    names = [f"{a:,}" if b - a == 1 else f"{a:,}–{b - 1:,}" for a, b in pairwise(edges)]
    return _bars([names[at] for at in shown], counts[shown.start : shown.stop], across, up, 340)


def ratings_over_time(periods: pd.DataFrame, *, across: str, up: str, shown_as: str) -> go.Figure:
    """Ratings per period, as an area. `shown_as` is the d3 format of a period in the tooltip, such as %B %Y."""
    figure = go.Figure()
    figure.add_scatter(
        x=periods["start"], y=periods["ratings"], mode="lines", line={"color": BAR, "width": 2, "shape": "hvh"},
        fill="tozeroy", fillcolor="rgba(0,114,178,.18)", showlegend=False,
        hovertemplate=f"%{{x|{shown_as}}}: %{{y:,}}<extra></extra>",
    )  # fmt: skip
    figure.update_xaxes(title=across, tickformat="%Y-%m", showgrid=False)
    figure.update_yaxes(title=up, rangemode="tozero")
    return styled(figure, 300)


def rating_bars(values: pd.DataFrame, *, across: str, up: str) -> go.Figure:
    """Number of ratings by value."""
    return _bars([f"{value:g}" for value in values["value"].round(2)], values["ratings"].to_numpy(), across, up, 280)


def genre_bars(genres: pd.DataFrame, names: list[str], *, across: str, mean: str) -> go.Figure:
    """Ratings per genre, most on top; `names` are the translated genres, `mean` is the name of the number at the end of
    a bar."""
    shares = genres["ratings"]
    figure = go.Figure()
    figure.add_bar(
        x=shares, y=[hover(name) for name in names], orientation="h", marker_color=BAR, showlegend=False,
        text=["" if np.isnan(value) else f"{value:.2f} ★" for value in genres["mean"]], textposition="outside",
        cliponaxis=False, customdata=np.column_stack([genres["movies"], genres["mean"]]),
        hovertemplate="%{y}: %{x:,} · %{customdata[0]:,} · " + hover(mean) + " %{customdata[1]:.2f}<extra></extra>",
    )  # fmt: skip
    figure.update_xaxes(title=across, range=[0, 1.18 * float(shares.max() or 1)])
    figure = styled(figure, 90 + 24 * len(genres))
    return figure.update_yaxes(autorange="reversed", showgrid=False, ticks="", dtick=1)


def year_bars(years: pd.DataFrame, *, across: str, up: str) -> go.Figure:
    """Number of movies by year of release."""
    figure = go.Figure()
    figure.add_bar(
        x=years["year"], y=years["movies"], marker_color=BAR, showlegend=False,
        hovertemplate="%{x}: %{y:,}<extra></extra>",
    )  # fmt: skip
    figure.update_xaxes(title=across, showgrid=False, tickformat="d")
    figure.update_yaxes(title=up)
    return styled(figure, 280).update_layout(bargap=0.15)


def density_map(density: Density, *, across: str, up: str, legend: str, hover_text: str) -> go.Figure:
    """The rating matrix in cells, coloured by the logarithm of their density; empty cells are transparent.

    hover_text  tooltip of a cell, with {users} and {items}, the middle of its ranks, and {share}
    """
    with np.errstate(divide="ignore"):
        shade = np.where(density.share > 0, np.log10(density.share), np.nan)
    text = hover_text.format(users="%{y:,.0f}", items="%{x:,.0f}", share="%{customdata:.2~p}")
    lowest = min(int(np.floor(np.nanmin(shade))), -1) if density.share.any() else -1
    ticks = list(range(lowest, 1))
    figure = go.Figure()
    figure.add_heatmap(
        z=shade, x=_middles(density.items), y=_middles(density.users),
        colorscale="Cividis", zmin=lowest, zmax=0, customdata=density.share,
        hovertemplate=f"{text}<extra></extra>",
        colorbar={
            "title": {"text": legend, "side": "top"}, "tickvals": ticks,
            "ticktext": [_percent(10.0**tick) for tick in ticks],
            "orientation": "h", "y": 1.01, "yanchor": "bottom", "thickness": 12, "len": 1, "x": 0.5,
        },
    )  # fmt: skip
    figure.update_xaxes(title=across, showgrid=False)
    figure.update_yaxes(title=up, showgrid=False, autorange="reversed")
    figure = styled(figure, 600).update_layout(margin={"t": 70})
    return figure.update_xaxes(title_standoff=32)


def _middles(edges: np.ndarray) -> np.ndarray:
    """The middle rank of each cell, counted from 1."""
    return (edges[1:] + edges[:-1] + 1) / 2


def _percent(share: float) -> str:
    return f"{100 * share:.3g}%"


def _bars(names: list[str], counts: np.ndarray, across: str, up: str, height: int) -> go.Figure:
    figure = go.Figure()
    figure.add_bar(x=names, y=counts, marker_color=BAR, showlegend=False, hovertemplate="%{x}: %{y:,}<extra></extra>")
    figure.update_xaxes(title=across, type="category", showgrid=False)
    figure.update_yaxes(title=up)
    return styled(figure, height).update_layout(bargap=0.12)
