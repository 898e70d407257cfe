"""The position of a movie on every named axis: a chart and a table."""

from __future__ import annotations

import numpy as np
import pandas as pd
import streamlit as st

from recsys.app.axis_text import ends_of, evidence_in_short, named_axes, title_of, too_few_known
from recsys.app.chart import show_chart
from recsys.app.escape import plain
from recsys.app.i18n.translate import say
from recsys.app.notices import show_axes_command
from recsys.app.pages.movie.facts import rounded_down
from recsys.app.session import Loaded
from recsys.dataset.attributes import WELL_KNOWN
from recsys.plots.dimensions import Strip, position_strips, signed
from recsys.space.profile import item_positions, positions_along


def draw_positions(loaded: Loaded, row: int) -> None:
    """Draw a strip for each named axis, the most extreme position first."""
    st.subheader(say("Position on each axis"), anchor=False)
    axes = named_axes(loaded)
    if not axes:
        if (why := too_few_known(loaded)) is not None:
            st.info(plain(why))
            return
        st.info(say("There are no named axes yet. To find some, run:"))
        show_axes_command(loaded)
        return
    positions = positions_along(loaded.model.space, axes)
    counts, label = loaded.model.n_ratings, str(loaded.model.catalog.labels[row])
    compared = counts >= WELL_KNOWN if loaded.has_ratings else np.ones(len(counts), dtype=bool)
    table = item_positions(positions, compared, row)
    strips, lines = [], []
    for at, position, share in table.itertuples(index=False):
        axis, below = axes[at], rounded_down(share)
        low, high = ends_of(axis)
        description = say(
            "{title}: {value} standard deviations; closer to “{high}” than {below:.0%} of movies",
            title=label, value=signed(position), high=high, below=below,
        )  # fmt: skip
        strips.append(Strip(low, high, evidence_in_short(axis), position, positions[compared, at], description))
        lines.append((title_of(axis), position, below, evidence_in_short(axis)))
    st.caption(
        say(
            "In standard deviations from the mean, the most extreme first. Grey: movies with at least {n} ratings. "
            "Small print: how well the axis predicts held-out movies.",
            n=WELL_KNOWN,
        )
        if loaded.has_ratings
        else say(
            "In standard deviations from the mean, the most extreme first. Grey: all movies. Small print: how well the "
            "axis predicts held-out movies."
        )
    )
    show_chart(
        position_strips(strips), key="strips",
        alt=say("Position of {title} on each axis; the table below has the same numbers", title=label),
    )  # fmt: skip
    with st.expander(say("Show as table"), key="strips-table", on_change="rerun") as expander:
        if expander.open:
            _draw_table(pd.DataFrame(lines, columns=["axis", "position", "below", "evidence"]))


def _draw_table(table: pd.DataFrame) -> None:
    st.dataframe(
        table,
        hide_index=True,
        column_config={
            "axis": st.column_config.TextColumn(say("axis")),
            "position": st.column_config.NumberColumn(
                say("position"),
                format="%+.2f",
                help=say("in standard deviations; positive values are closer to the second end"),
            ),
            "below": st.column_config.NumberColumn(say("movies closer to the first end"), format="percent"),
            "evidence": st.column_config.TextColumn(say("evidence")),
        },
    )
