"""The tab "How many dimensions?": one axis, two axes, the gain from each added dimension, and lossy compression."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import streamlit as st

from recsys import store
from recsys.app.axis_text import (
    ends_of,
    enumerated,
    joined,
    named_axes,
    too_few_known,
)
from recsys.app.chart import show_chart
from recsys.app.escape import plain
from recsys.app.i18n.translate import say
from recsys.app.notices import show_command
from recsys.app.owner import told
from recsys.app.pages.dimensions.axis_facts import directions_of, movies_along, movies_over, version_of
from recsys.app.pages.dimensions.compression import draw_compression
from recsys.app.session import Loaded
from recsys.errors import InputError
from recsys.evaluation.report import DimensionQuality, has_n_factors
from recsys.evaluation.significance import best_dimensions, gain_by_dimension
from recsys.plots.dimensions import movie_line, movie_plane
from recsys.plots.quality import dimension_curve
from recsys.space.axis import Axis


def draw_dimension_count(loaded: Loaded) -> None:
    """Draw the tab."""
    axes = named_axes(loaded)
    try:
        found = store.stored_report(loaded.folder)
    except InputError as error:
        st.warning(told(error))
        found = None
    rows = found.dimensions if found is not None else ()
    quality = {row.n_factors: row.ndcg for row in rows}
    if axes:
        left, right = st.columns(2, gap="large")
        with left:
            _line(loaded, axes[0], quality)
        if len(axes) > 1:
            with right:
                _small_plane(loaded, axes[0], axes[1], quality)
    st.subheader(say("{d} dimensions", d=loaded.model.space.n_factors), anchor=False)
    st.markdown(
        say(
            "This model describes every movie by {d} numbers. Two movies can be close in one dimension and "
            "far apart in another; a user's taste is a direction across all of them.",
            d=loaded.model.space.n_factors,
        )
    )
    _gain(loaded, rows)
    draw_compression(loaded)


def _gain(loaded: Loaded, rows: Sequence[DimensionQuality]) -> None:
    """The gain from added dimensions, or why it is unknown."""
    if not rows and (why := too_few_known(loaded)) is not None:
        st.info(plain(why))
        return
    if not rows and loaded.is_imported:
        st.info(say("The gain from added dimensions is measured by retraining, which imported vectors do not allow."))
        return
    if not rows and not loaded.is_retrainable:
        st.info(
            say(
                "The gain from added dimensions is measured by retraining. This model was trained by Spark: train it "
                "again with recsys train --engine spark --set n_factors=…"
            )
        )
        return
    if not rows and not has_n_factors(loaded.model):
        st.info(say("A blend has the dimensions of its parts. Their gain is measured on each part, trained alone."))
        return
    if not rows:
        st.info(
            say(
                "The gain from added dimensions has not been measured for this model. To measure it, run "
                "this in a terminal:"
            )
        )
        data = str(loaded.data_folder or "DIR")
        show_command("recsys", "report", "--model", str(loaded.folder), "--data", data)
        return
    st.markdown(_best_text(rows))
    curve, table = st.columns(2, gap="medium")
    with curve:
        show_chart(
            dimension_curve(rows, loaded.model.space.n_factors, across=say("dimensions"), here=say("this model")),
            key="dimension-curve",
            alt=say("nDCG@10 by number of dimensions, with 95% intervals"),
        )
    with table:
        _gain_table(rows)
    st.caption(
        say(
            "nDCG@10: how well the top ten match the held-out ratings; 1 is perfect. For each number of "
            "dimensions, the model was retrained on 80% of each user's ratings and evaluated on the rest."
        )
    )


def _line(loaded: Loaded, axis: Axis, quality: dict[int, float]) -> None:
    low, high = ends_of(axis)
    st.subheader(say("One axis: a line"), anchor=False)
    words = say("All movies, ordered from {low} to {high}.", low=low, high=high)
    if 1 in quality:
        words = joined(words, say("A model with one dimension reaches nDCG@10 {value:.3f}.", value=quality[1]))
    st.markdown(plain(words))
    rows = movies_along(version_of(loaded), directions_of([axis]), loaded, axis)
    labels = list(loaded.model.catalog.labels[rows])
    show_chart(
        movie_line(axis.positions(loaded.model.space)[rows], labels, low, high),
        key="line",
        alt=say("From {low} to {high}: {titles}", low=low, high=high, titles=", ".join(labels)),
    )  # fmt: skip


def _small_plane(loaded: Loaded, across: Axis, up: Axis, quality: dict[int, float]) -> None:
    st.subheader(say("Two axes: a plane"), anchor=False)
    words = say("A second axis separates movies that are close on the first.")
    if 1 in quality and 2 in quality:
        gained = quality[2] - quality[1]
        words = joined(
            words, say("A model with two dimensions reaches {value:.3f} ({gain:+.3f}).", value=quality[2], gain=gained)
        )
    st.markdown(plain(words))
    rows = movies_over(version_of(loaded), directions_of([across, up]), loaded, (across, up))
    space, labels = loaded.model.space, loaded.model.catalog.items["title"].iloc[rows].tolist()
    places = np.column_stack([axis.positions(space)[rows] for axis in (across, up)])
    show_chart(
        movie_plane(places, labels, ends_of(across), ends_of(up)), key="small-plane",
        alt=say("Well-known movies on a plane of two axes: {titles}", titles=", ".join(labels)),
    )  # fmt: skip


def _best_text(rows: Sequence[DimensionQuality]) -> str:
    """Which number of dimensions is best, if the intervals tell, in a sentence."""
    best, overlapping = best_dimensions(rows)
    if len(rows) == 1:
        return say("Only one number of dimensions was tried: {best}.", best=best)
    if not overlapping:
        return say("**Best of those tried: {best}**. No other 95% interval overlaps with its own.", best=best)
    tried = [row.n_factors for row in rows]
    places = sorted(tried.index(n) for n in (best, *overlapping))
    first, last = tried[places[0]], tried[places[-1]]
    others = enumerated([str(tried[at]) for at in places[:-1]])
    is_a_run = len(places) > 2 and places == list(range(places[0], places[-1] + 1))
    numbers = (
        say("{first} to {last}", first=first, last=last)
        if is_a_run
        else say("{others} and {last}", others=others, last=last)
    )
    return say(
        "**The 95% intervals of {numbers} dimensions overlap**, so none of these is clearly the best. The "
        "highest mean is that of {best}.",
        numbers=numbers, best=best,
    )  # fmt: skip


def _gain_table(rows: Sequence[DimensionQuality]) -> None:
    """The gain from added dimensions, as a Markdown table."""
    heads = [say("dimensions"), "nDCG@10", say("gain"), say("per dimension")]
    lines = [" | ".join(heads), "--: | --: | --: | --:", f"{rows[0].n_factors} | {rows[0].ndcg:.3f} | | "]
    for row, step in zip(rows[1:], gain_by_dimension(rows).to_dict("records"), strict=True):
        gained, each = round(step["gain"], 3) + 0.0, round(step["each"], 4) + 0.0  # + 0 makes −0 a 0
        lines.append(f"{row.n_factors} | {row.ndcg:.3f} | {gained:+.3f} | {each:+.4f}")
    st.markdown("\n".join(f"| {line} |" for line in lines))
