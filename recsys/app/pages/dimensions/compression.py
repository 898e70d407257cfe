"""Lossy compression, in the tab "How many dimensions?": what passes through a few numbers, for several models."""

from __future__ import annotations

import streamlit as st

from recsys import store
from recsys.app.axis_text import enumerated
from recsys.app.chart import show_chart
from recsys.app.escape import plain
from recsys.app.i18n.translate import say
from recsys.app.notices import show_command
from recsys.app.owner import told
from recsys.app.session import Loaded
from recsys.errors import InputError
from recsys.evaluation.compression import Compression, Curve
from recsys.plots.compression import compression_curves

FEW = 8
"""The text compares about so many numbers with the most."""


def draw_compression(loaded: Loaded) -> None:
    """Draw what was measured, or how to measure it. Draws nothing for models that cannot be trained again."""
    if not loaded.is_retrainable:
        return
    st.subheader(say("A taste in a few numbers"), anchor=False)
    try:
        found = store.stored_compression(loaded.folder)
    except InputError as error:
        st.warning(told(error))
        found = None
    if found is None or not found.curves:
        st.info(
            say(
                "How much of a taste fits into a few numbers has not been measured for this model. It takes about two "
                "minutes for 100,000 ratings. To measure it, run this in a terminal:"
            )
        )
        show_command("recsys", "compression", "--model", str(loaded.folder), "--data", str(loaded.data_folder or "DIR"))
        return
    st.markdown(plain(_text(found, loaded.model.learner.name)))
    left, right = st.columns(2, gap="medium")
    none = say("popularity alone")
    with left:
        st.markdown("**" + say("What is remembered") + "**")
        title = say("movies in question (fewer is better)")
        show_chart(
            compression_curves(found, "known", across=say("dimensions"), title=title, none=none),
            key="compression-known",
            alt=say("How many equally likely movies are left to guess from, by number of dimensions, for each model"),
        )
    with right:
        st.markdown("**" + say("What it is worth for recommendations") + "**")
        show_chart(
            compression_curves(found, "ndcg", across=say("dimensions"), title="nDCG@10", none=none),
            key="compression-ndcg",
            alt=say("nDCG@10 by number of dimensions, for each model, with 95% intervals"),
        )
    st.caption(
        say(
            "Half of the ratings of {n:,} viewers, from whom the models have not learned, are turned into numbers. In "
            "the first chart, the numbers are asked for these movies; in the second, for the others. pca: principal "
            "components; ials: matrix factorization; vae: a neural network. Bars: 95% intervals.",
            n=found.users,
        )
    )


def _text(found: Compression, own: str) -> str:
    """The finding in two sentences."""
    by_model = {curve.model: curve for curve in found.curves}
    points = (by_model.get(own) or by_model.get("ials") or found.curves[0]).points
    few = max((point for point in points if point.n_factors <= FEW), key=lambda p: p.n_factors, default=points[0])
    best = [say("{n} for {model}", n=_best(curve), model=curve.model) for curve in found.curves]
    return say(
        "With {few} numbers about you, guessing a movie that you rated is like picking one of {left:,.0f}; with "
        "{many}, one of {least:,.0f}; knowing only what is popular, one of {all:,.0f}. But remembering more is not "
        "recommending better: the number of dimensions with the highest nDCG@10 is {best}.",
        few=few.n_factors,
        left=few.known,
        many=points[-1].n_factors,
        least=points[-1].known,
        all=found.popular.known,
        best=enumerated(best),
    )


def _best(curve: Curve) -> int:
    return max(curve.points, key=lambda point: point.ndcg.mean or 0).n_factors
