"""The tab "Genres": the mean position of each genre along each axis."""

from __future__ import annotations

import streamlit as st

from recsys.app.axis_text import (
    ends_of,
    named_axes,
    title_of,
)
from recsys.app.chart import show_chart
from recsys.app.i18n.translate import named, say
from recsys.app.pages.dimensions.axis_facts import directions_of, explain_missing_axes, genre_table, version_of
from recsys.app.session import Loaded
from recsys.plots.dimensions import heat_map, signed


def draw_genres(loaded: Loaded) -> None:
    """Draw the tab."""
    axes = named_axes(loaded)
    if not axes and explain_missing_axes(loaded):
        return
    if not axes:
        st.info(say("No axis has a name yet."))
        return
    table, n = genre_table(version_of(loaded), directions_of(axes), loaded, axes)
    if table.empty:
        st.info(say("No genre has ten movies with at least 20 ratings."))
        return
    st.caption(
        say(
            "Mean position of each genre along each axis, in standard deviations: purple is towards the "
            "second end, orange towards the first, grey is near the mean of all movies. Only movies with at "
            "least 20 ratings count. Similar genres and similar axes are next to each other."
        )
    )
    ends = [ends_of(axes[int(at)]) for at in table.columns]
    said = [
        [
            say(
                "{genre}, {n} movies: {value} on {low} ↔ {high}",
                genre=named(genre), n=n[genre], value=signed(value), low=low, high=high,
            )
            for value, (low, high) in zip(row, ends, strict=True)
        ]
        for genre, row in zip(table.index, table.to_numpy(), strict=True)
    ]  # fmt: skip
    show_chart(
        heat_map(
            table.to_numpy(), [named(genre) for genre in table.index], [f"{low} → {high}" for low, high in ends], said
        ),
        key="heat-map",
        alt=say("Mean position of each genre along each axis; the table below has the same numbers"),
    )
    with st.expander(say("Show as table"), key="genre-table", on_change="rerun") as rest:
        if rest.open:
            shown = table.set_axis([title_of(axes[int(at)]) for at in table.columns], axis=1)
            shown.insert(0, say("movies"), n)
            st.dataframe(
                shown.rename(index=named).rename_axis(say("genre")).reset_index(),
                hide_index=True,
                column_config={name: st.column_config.NumberColumn(format="%.2f") for name in shown.columns[1:]},
            )
