"""A histogram of how many movies two lists share, as a Plotly figure. Words come from outside, in any language."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import plotly.graph_objects as go

from recsys.plots.colours import COLOURS
from recsys.plots.quality import styled


def overlap_histogram(
    common: np.ndarray, k: int, *, across: str, up: str, bar_text: Callable[[int, int], str]
) -> go.Figure:
    """Number of users by the number of movies that two lists share.

    common    (n_users,) int, 0 … k: movies that both lists of a user contain
    across    title of the horizontal axis, `up` of the vertical one
    bar_text  text of a bar, shown on hover, from its number of movies and its number of users
    """
    counts = np.bincount(common, minlength=k + 1).tolist()
    figure = go.Figure(
        go.Bar(
            x=list(range(k + 1)),
            y=counts,
            marker={"color": COLOURS[0]},
            text=[f"{count:,}" if count else "" for count in counts],
            textposition="outside",
            cliponaxis=False,
            hovertext=[bar_text(n, count) for n, count in enumerate(counts)],
            hoverinfo="text",
        )
    )
    figure.update_layout(bargap=0.15, showlegend=False)
    figure.update_xaxes(title=across, dtick=1, showgrid=False)
    figure.update_yaxes(title=up, nticks=4, rangemode="tozero")
    return styled(figure, 280).update_layout(margin={"t": 24})
