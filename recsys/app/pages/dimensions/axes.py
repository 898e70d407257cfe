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
from recsys.app.pages.dimensions.axis_facts import explain_missing_axes, facts_of
from recsys.app.session import Loaded
from recsys.space.axis import Axis


def draw_axes(loaded: Loaded) -> None:
    """Draw the tab."""
    if explain_missing_axes(loaded):
        return
    assert loaded.axes is not None
    asked = loaded.axes.asked
    known = [axis for axis in named_axes(loaded) if number_of(axis) is None]
    found = [axis for axis in loaded.axes.discovered if axis.is_valid]
    st.subheader(say("Asked for"), anchor=False)
    st.caption(
        say(
            "A question such as “children's or adult?” becomes a direction, if the space knows the answer. AUC: how "
            "often it puts a movie of one kind and one of the other, both unseen, in the right order; .5 is chance, 1 "
            "is always."
        )
    )
    _cards(loaded, known)
    if not known:
        st.write(say("None of the questions that were asked has an answer here."))
    unknown = [axis for axis in asked if not axis.is_valid]
    if unknown:
        st.markdown("**" + say("Not in this space") + "**")
        st.markdown("\n".join(f"- **{plain(title_of(axis))}**: {plain(why_not(axis))}" for axis in unknown))
    st.subheader(say("Discovered"), anchor=False)
    st.caption(
        say(
            "Turned so that each says one thing ({method}), without looking at genres or titles; a name is given "
            "only if it holds on movies set aside and the axis comes back in models of other people.",
            method=loaded.axes.method,
        )
    )
    _cards(loaded, found)
    if not found:
        st.write(say("None carries a name that holds."))
    unnamed = [axis for axis in loaded.axes.discovered if not axis.is_valid]
    if unnamed:
        with st.expander(
            say("Dimensions without a name that holds: {n}", n=len(unnamed)), key="unnamed", on_change="rerun"
        ) as rest:
            if rest.open:
                _unnamed(loaded, unnamed)


def _cards(loaded: Loaded, axes: Sequence[Axis]) -> None:
    """Two beside each other where there is room."""
    for at in range(0, len(axes), 2):
        for side, axis in zip(st.columns(2), axes[at : at + 2], strict=False):
            with side:
                _card(loaded, axis)


def _card(loaded: Loaded, axis: Axis) -> None:
    low, high = ends_of(axis)
    number = number_of(axis)
    along_it, *titles_at = facts_of(loaded, axis)
    share = say("{share:.1%} of the variance", share=along_it)
    if number is not None:
        share = say("axis {n}", n=number) + " · " + share
    with st.container(border=True, gap="small", height="stretch"):
        with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center", gap="small"):
            st.markdown(f"**{plain(low)} ↔ {plain(high)}**", width="content")
            st.markdown(f":small[:gray[{plain(share)}]]", width="content")
        st.markdown(f":small[{plain(evidence_of(axis))}]")
        for side, name, titles in zip(st.columns(2), (low, high), titles_at, strict=True):
            side.markdown(f":small[**{plain(name)}**  \n{plain(', '.join(titles))}]")


def _unnamed(loaded: Loaded, axes: Sequence[Axis]) -> None:
    rows = []
    for axis in axes:
        _, low, high = facts_of(loaded, axis)
        rows.append(
            (number_of(axis), axis.evidence["share"], axis.evidence["stability"], ", ".join(low), ", ".join(high))
        )
    st.dataframe(
        pd.DataFrame(rows, columns=["axis", "share", "stability", "low", "high"]),
        hide_index=True,
        column_config={
            "axis": st.column_config.NumberColumn(say("axis"), width="small"),
            "share": st.column_config.NumberColumn(say("variance"), format="percent", width="small"),
            "stability": st.column_config.NumberColumn(
                say("comes back"),
                format="%.2f",
                width="small",
                help=say("Likeness to its match in models of other people; from .80 on an axis counts as stable."),
            ),
            "low": st.column_config.TextColumn(say("low end"), width="large"),
            "high": st.column_config.TextColumn(say("high end"), width="large"),
        },
    )
