"""The tab "Axes": every axis with its evidence."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from recsys.app.axis_text import (
    ends_of,
    evidence_of,
    named_axes,
    number_of,
    title_of,
    why_not,
)
from recsys.app.escape import plain
from recsys.app.i18n.translate import say
from recsys.app.notices import show_axes_command
from recsys.app.pages.dimensions.axis_facts import explain_missing_axes, facts_of
from recsys.app.session import Loaded
from recsys.space.axis import Axis
from recsys.space.evidence import DiscoveryEvidence


def draw_axes(loaded: Loaded) -> None:
    """Draw the tab."""
    if explain_missing_axes(loaded):
        return
    assert loaded.axes is not None
    asked = loaded.axes.asked
    known = [axis for axis in named_axes(loaded) if number_of(axis) is None]
    found = [axis for axis in loaded.axes.discovered if axis.is_valid]
    st.subheader(say("Axes found for a question"), anchor=False)
    st.caption(
        say(
            "Each of these axes answers a question such as “children's or adult?”. AUC: how often the axis "
            "orders two held-out movies, one of each kind, correctly; 0.5 is chance, 1 is perfect."
        )
    )
    _cards(loaded, known)
    if not known:
        st.write(say("No axis was found for any of the questions."))
    unknown = [axis for axis in asked if not axis.is_valid]
    if unknown:
        st.markdown("**" + say("Not found in this space") + "**")
        st.markdown("\n".join(f"- **{plain(title_of(axis))}**: {plain(why_not(axis))}" for axis in unknown))
    st.subheader(say("Discovered axes"), anchor=False)
    st.caption(
        say(
            "Found by rotation ({method}), without genres or titles. An axis is named only when the name is "
            "verified on held-out movies and the axis is stable when the model is retrained on other users.",
            method=loaded.axes.method,
        )
    )
    _cards(loaded, found)
    if not found and loaded.is_imported:
        st.write(say("Imported vectors cannot be retrained, so no discovered axis can be verified."))
    elif not found and not loaded.is_retrainable:
        st.write(
            say("This model was trained by Spark and cannot be retrained here, so no discovered axis can be verified.")
        )
    elif not found and all(_discovery(axis).stability is None for axis in loaded.axes.discovered):
        st.write(say("Stability was not measured, so no discovered axis can be verified. To measure it, run:"))
        show_axes_command(loaded)
    elif not found:
        st.write(say("No axis has a verified name."))
    unnamed = [axis for axis in loaded.axes.discovered if not axis.is_valid]
    if unnamed:
        with st.expander(say("{n} unnamed dimensions", n=len(unnamed)), key="unnamed", on_change="rerun") as rest:
            if rest.open:
                _unnamed(loaded, unnamed)


def _cards(loaded: Loaded, axes: Sequence[Axis]) -> None:
    """Two cards per row."""
    for at in range(0, len(axes), 2):
        for side, axis in zip(st.columns(2), axes[at : at + 2], strict=False):
            with side:
                _card(loaded, axis)


def _card(loaded: Loaded, axis: Axis) -> None:
    low, high = ends_of(axis)
    number = number_of(axis)
    along_it, *titles_at = facts_of(loaded, axis)
    share = say("{share:.1%} of variance", share=along_it)
    if number is not None:
        share = say("axis {n}", n=number) + " · " + share
    with st.container(border=True, gap="small", height="stretch"):
        with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center", gap="small"):
            st.markdown(f"**{plain(low)} ↔ {plain(high)}**", width="content")
            st.markdown(f":small[:gray[{plain(share)}]]", width="content")
        st.markdown(f":small[{plain(evidence_of(axis))}]")
        for side, name, titles in zip(st.columns(2), (low, high), titles_at, strict=True):
            side.markdown(f":small[**{plain(name)}**  \n{plain(', '.join(titles))}]")


def _discovery(axis: Axis) -> DiscoveryEvidence:
    """The evidence of a discovered axis."""
    assert isinstance(axis.evidence, DiscoveryEvidence)
    return axis.evidence


def _unnamed(loaded: Loaded, axes: Sequence[Axis]) -> None:
    rows = []
    for axis in axes:
        _, low, high = facts_of(loaded, axis)
        evidence = _discovery(axis)
        rows.append((number_of(axis), evidence.share, evidence.stability, ", ".join(low), ", ".join(high)))
    table = pd.DataFrame(rows, columns=["axis", "share", "stability", "low", "high"])
    st.dataframe(
        table.dropna(axis="columns", how="all"),  # without retraining there is no stability
        hide_index=True,
        column_config={
            "axis": st.column_config.NumberColumn(say("axis"), width="small"),
            "share": st.column_config.NumberColumn(say("variance"), format="percent", width="small"),
            "stability": st.column_config.NumberColumn(
                say("stability"),
                format="%.2f",
                width="small",
                help=say(
                    "Similarity to the matching axis after retraining on other users; an axis is stable from 0.80."
                ),
            ),
            "low": st.column_config.TextColumn(say("low end"), width="large"),
            "high": st.column_config.TextColumn(say("high end"), width="large"),
        },
    )
