"""Charts of recommendation quality: measured values in, Plotly figures out. The caller provides translated texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from recsys.evaluation.evaluate import ActivityGroup
from recsys.evaluation.report import DimensionQuality
from recsys.plots.colours import COLOURS, OTHER_COLOUR
from recsys.plots.escape import hover

OURS = COLOURS[0]
QUARTERS = (0, 0.25, 0.5, 0.75, 1)
GRID = "rgba(128,128,128,.22)"
CLEAR = "rgba(0,0,0,0)"
SYMBOLS = ("diamond", "circle-open", "square-open", "triangle-up-open", "x-thin-open", "star-open", "hexagon-open")
DASHES = ("solid", "dot", "dash", "dashdot", "longdash", "longdashdot", "dot")
PART_COLOURS = ("#0072b2", "#56b4e9", "#e69f00")
PART_INK = ("#ffffff", "#000000", "#000000")
PART_PATTERNS = ("", "/", ".")


@dataclass(frozen=True)
class Dot:
    """A measured value with its interval, None if it has none; `ours` is highlighted."""

    label: str
    mean: float
    low: float | None
    high: float | None
    ours: bool = False


def dots_with_intervals(dots: Sequence[Dot], title: str, digits: int = 3) -> go.Figure:
    """One row per model, the best on top: a dot, its 95 % interval as a line, and its value as text."""
    figure = go.Figure()
    ordered = sorted(dots, key=lambda dot: dot.mean)
    for dot in ordered:
        low, high = (dot.mean if bound is None else bound for bound in (dot.low, dot.high))
        colour = OURS if dot.ours else OTHER_COLOUR
        between = "" if dot.low is None else f" ({low:.{digits}f} … {high:.{digits}f})"
        figure.add_scatter(
            x=[dot.mean], y=[_label(dot)], mode="markers", showlegend=False,
            marker={"symbol": "diamond" if dot.ours else "circle", "size": 14 if dot.ours else 10, "color": colour},
            error_x={
                "type": "data", "symmetric": False, "array": [high - dot.mean], "arrayminus": [dot.mean - low],
                "color": colour, "thickness": 3 if dot.ours else 2, "width": 0 if dot.low is None else 5,
            },
            hovertemplate=f"{hover(dot.label)}: {dot.mean:.{digits}f}{between}<extra></extra>",
        )  # fmt: skip
        figure.add_annotation(
            x=high, y=_label(dot), text=f"{dot.mean:.{digits}f}", xanchor="left", xshift=10, showarrow=False
        )
    most = max((dot.mean if dot.high is None else dot.high for dot in dots), default=1.0)
    figure.update_xaxes(title=title, range=[0, 1.15 * most or 1.0])
    return styled(figure, 90 + 38 * len(dots)).update_yaxes(showgrid=False, tickfont={"size": 14}, ticks="")


def lines_by_activity(
    groups: Mapping[str, Sequence[ActivityGroup]], ours: str, *, across: str, up: str, spread: str = "{a}–{b}"
) -> go.Figure:
    """Quality of each model by number of known ratings per user, with 95 % intervals.

    groups  label → its activity groups; the same groups for all
    ours    the label to highlight
    spread  format of a group's name: its fewest and most known ratings
    """
    figure = go.Figure()
    names = [
        str(group.fewest) if group.fewest == group.most else spread.format(a=group.fewest, b=group.most)
        for group in next(iter(groups.values()))
    ]
    for at, (label, rows) in enumerate(groups.items()):
        look = at % len(SYMBOLS)
        colour = OURS if label == ours else (OTHER_COLOUR, *COLOURS[1:])[(at - 1) % len(COLOURS)]
        offset = 0.07 * (at - (len(groups) - 1) / 2)  # so that intervals do not cover each other
        means = [group.mean for group in rows]
        figure.add_scatter(
            x=[position + offset for position in range(len(rows))], y=means, mode="lines+markers",
            name=_bold(label, ours),
            line={"color": colour, "dash": DASHES[look], "width": 3 if label == ours else 2},
            marker={"symbol": SYMBOLS[look], "size": 10, "line": {"width": 2, "color": colour}},
            error_y={
                "type": "data", "symmetric": False, "color": colour, "thickness": 1.2, "width": 3,
                "array": [group.high - group.mean for group in rows],
                "arrayminus": [group.mean - group.low for group in rows],
            },
            customdata=names, hovertemplate=f"{hover(label)}, %{{customdata}}: %{{y:.3f}}<extra></extra>",
        )  # fmt: skip
    figure.update_xaxes(title=across, tickvals=list(range(len(names))), ticktext=names, showgrid=False)
    figure.update_yaxes(title=up, rangemode="tozero")
    return styled(figure, 380)


def bars_by_popularity(shares: Mapping[str, Sequence[float]], parts: Sequence[str], ours: str, up: str) -> go.Figure:
    """One bar per label, split into parts of the catalogue; the shares of each add up to 1, the first label on top."""
    figure = go.Figure()
    labels = [_bold(label, ours) for label in shares]
    for at, part in enumerate(parts):
        values = [row[at] for row in shares.values()]
        figure.add_bar(
            x=values, y=labels, orientation="h", name=hover(part),
            marker={
                "color": PART_COLOURS[at],
                "pattern": {"shape": PART_PATTERNS[at], "fillmode": "overlay", "fgopacity": 0.35, "solidity": 0.15},
            },
            text=[f"{value:.0%}" if value >= 0.06 else "" for value in values], textposition="inside",
            insidetextanchor="middle", textangle=0, textfont={"color": PART_INK[at], "size": 14},
            hovertemplate="%{y} · " + hover(part) + ": %{x:.1%}<extra></extra>",
        )  # fmt: skip
    figure.update_layout(barmode="stack", bargap=0.3)
    figure.update_xaxes(title=up, range=[0, 1.001], tickvals=QUARTERS, tickformat=".0%", showgrid=False)
    figure = styled(figure, 130 + 38 * len(shares))
    return figure.update_yaxes(autorange="reversed", showgrid=False, tickfont={"size": 14}, ticks="")


def dimension_curve(
    rows: Sequence[DimensionQuality],
    chosen: int | None = None,
    *,
    across: str = "dimensions",
    up: str = "nDCG@10",
    here: str = "this model",
) -> go.Figure:
    """Quality by number of dimensions, with 95 % intervals.

    rows    in ascending order of the number of dimensions
    chosen  the number of dimensions of this model, marked with the label `here`
    """
    numbers, means = [row.n_factors for row in rows], [row.ndcg for row in rows]
    figure = go.Figure()
    if chosen is not None and numbers:
        figure.add_vline(x=chosen, line={"color": OTHER_COLOUR, "dash": "dot", "width": 2})
        figure.add_annotation(
            x=np.log10(chosen), y=0, yref="paper", text=hover(here), showarrow=False, yanchor="bottom", yshift=4,
            xanchor="left" if chosen * 2 < max(numbers) else "right", xshift=6 if chosen * 2 < max(numbers) else -6,
        )  # fmt: skip
    figure.add_scatter(
        x=numbers, y=means, mode="lines+markers", showlegend=False,
        line={"color": OURS, "width": 3}, marker={"symbol": "circle", "size": 9},
        error_y={
            "type": "data", "symmetric": False, "color": OURS, "thickness": 1.5, "width": 4,
            "array": [row.high - row.ndcg for row in rows],
            "arrayminus": [row.ndcg - row.low for row in rows],
        },
        customdata=[[row.low, row.high] for row in rows],
        hovertemplate=f"%{{x}} {hover(across)}: %{{y:.3f}} (%{{customdata[0]:.3f}} … %{{customdata[1]:.3f}})"
        "<extra></extra>",
    )  # fmt: skip
    figure.update_xaxes(title=across, type="log", tickvals=numbers, ticktext=list(map(str, numbers)), showgrid=False)
    figure.update_yaxes(title=up, rangemode="tozero")
    return styled(figure, 340)


def styled(figure: go.Figure, height: int) -> go.Figure:
    """Apply the common style of all charts: transparent background, few grid lines, no zooming, space for a legend."""
    figure.update_xaxes(gridcolor=GRID, zeroline=False, title_standoff=10, automargin=True, fixedrange=True)
    figure.update_yaxes(gridcolor=GRID, zeroline=False, title_standoff=10, automargin=True, fixedrange=True)
    figure.update_yaxes(separatethousands=True)
    named = [trace for trace in figure.data if trace.showlegend is not False and trace.name]
    return figure.update_layout(
        height=height,
        margin={"l": 8, "r": 26, "t": 40 if named else 12, "b": 8},
        paper_bgcolor=CLEAR,
        plot_bgcolor=CLEAR,
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "traceorder": "normal"},
        font={"size": 13},
        hoverlabel={"align": "left"},
    )


def _label(dot: Dot) -> str:
    return f"<b>{hover(dot.label)}</b>" if dot.ours else hover(dot.label)


def _bold(label: str, ours: str) -> str:
    return f"<b>{hover(label)}</b>" if label == ours else hover(label)
