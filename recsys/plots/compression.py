"""Charts of lossy compression: several models by number of dimensions. The caller provides translated texts."""

from __future__ import annotations

import math
from typing import Literal

import plotly.graph_objects as go

from recsys.evaluation.compression import Compression, Point
from recsys.plots.colours import COLOURS, OTHER_COLOUR
from recsys.plots.escape import hover
from recsys.plots.quality import styled

Measure = Literal["known", "other", "ndcg"]
SYMBOLS = ("circle", "diamond", "square", "triangle-up")
DASHES = ("dash", "solid", "dot", "dashdot")
HEIGHT = 340
TICKS = tuple(digit * 10**power for power in range(6) for digit in (1, 2, 3, 5))


def compression_curves(found: Compression, measure: Measure, *, across: str, title: str, none: str = "") -> go.Figure:
    """One line per model over the number of dimensions; a dotted line for popularity alone, with the label `none`.

    measure  "known" or "other", perplexities on a logarithmic scale, or "ndcg" with its 95 % intervals
    """
    figure = go.Figure()
    popular = _value(found.popular, measure)
    figure.add_hline(y=popular, line={"color": OTHER_COLOUR, "dash": "dot", "width": 2})
    digits = 3 if measure == "ndcg" else 0
    for at, curve in enumerate(found.curves):
        colour, points = COLOURS[at % len(COLOURS)], curve.points
        values = [_value(point, measure) for point in points]
        figure.add_scatter(
            x=[point.n_factors for point in points], y=values, mode="lines+markers", name=hover(curve.model),
            line={"color": colour, "dash": DASHES[at % len(DASHES)], "width": 3},
            marker={"symbol": SYMBOLS[at % len(SYMBOLS)], "size": 9},
            hovertemplate=f"{hover(curve.model)}, %{{x}} {hover(across)}: %{{y:.{digits}f}}<extra></extra>",
        )  # fmt: skip
        if measure == "ndcg":
            highs = [float(point.ndcg.high or 0) - value for point, value in zip(points, values, strict=True)]
            lows = [value - float(point.ndcg.low or 0) for point, value in zip(points, values, strict=True)]
            figure.data[-1].error_y = {
                "type": "data", "symmetric": False, "array": highs, "arrayminus": lows, "thickness": 1, "width": 3,
                "color": colour,
            }  # fmt: skip
    numbers = sorted({point.n_factors for curve in found.curves for point in curve.points})
    figure.update_xaxes(title=across, type="log", tickvals=numbers, ticktext=list(map(str, numbers)), showgrid=False)
    figure.update_yaxes(title=title)
    if measure == "ndcg":
        figure.update_yaxes(rangemode="tozero")
    else:
        every = [popular, *(_value(point, measure) for curve in found.curves for point in curve.points)]
        ticks = [tick for tick in TICKS if 0.9 * min(every) <= tick <= 1.1 * max(every)]
        figure.update_yaxes(type="log", tickvals=ticks, ticktext=[f"{tick:,}" for tick in ticks])
    if none:
        figure.add_annotation(
            x=1, xref="paper", y=popular if measure == "ndcg" else math.log10(popular), text=hover(none),
            showarrow=False, xanchor="right", yanchor="bottom",
        )  # fmt: skip
    return styled(figure, HEIGHT)


def _value(point: Point, measure: Measure) -> float:
    """A point without nDCG does not exist: `Compression` refuses it."""
    return float(point.ndcg.mean or 0) if measure == "ndcg" else float(getattr(point, measure))
