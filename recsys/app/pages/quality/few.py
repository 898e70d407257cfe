"""Quality for new users of whom few ratings are known, as a visitor is."""

from __future__ import annotations

import streamlit as st

from recsys.app.axis_text import joined
from recsys.app.chart import show_chart
from recsys.app.escape import plain
from recsys.app.i18n.translate import say
from recsys.app.pages.quality.groups import labels_of
from recsys.evaluation.evaluate import ActivityGroup, Evaluation
from recsys.evaluation.interval import Interval
from recsys.plots.quality import lines_by_activity


def draw_from_few(found: Evaluation) -> None:
    """Draw quality by number of known ratings, if it was measured."""
    if not found.few_users:
        return
    labels, k = labels_of(found), found.main_k
    st.subheader(say("Quality from few ratings"), anchor=False)
    first, last = found.results[0].from_few[0], found.results[0].from_few[-1]
    st.markdown(
        joined(
            say(
                "With **{few} ratings** of a new user, nDCG@{k} is **{ndcg:.2f}** and **{harm:.1%}** of the "
                "recommended movies are ones that the user dislikes; with {many}, {later:.2f} and {later_harm:.1%}.",
                few=first.n_known, k=k, ndcg=first.ndcg.mean or 0, harm=first.harm.mean or 0,
                many=last.n_known, later=last.ndcg.mean or 0, later_harm=last.harm.mean or 0,
            ),
            *(_standing(found, labels, at) for at in range(1, len(labels))),
        )
    )  # fmt: skip
    _chart(found, labels, k)
    st.caption(
        say(
            "{users:,} users whom the models do not know, with the same held-out ratings at every number of known "
            "ratings. nDCG counts movies rated at least three quarters up the scale (4 of 5 stars) as liked; movies "
            "rated in its lowest third (1 or 2 of 5) are disliked. Bars: 95% intervals.",
            users=found.few_users,
        )
    )


def _standing(found: Evaluation, labels: list[str], at: int) -> str:
    """One sentence: with how many ratings this model is ahead of another one."""
    rows = found.results[at].from_few
    ahead = [str(row.n_known) for row in rows if row.ndcg_lead is not None and row.ndcg_lead.sign > 0]
    behind = [str(row.n_known) for row in rows if row.ndcg_lead is not None and row.ndcg_lead.sign < 0]
    other = plain(labels[at])
    return joined(
        say("Ahead of **{other}** with {numbers} ratings.", other=other, numbers=", ".join(ahead)) if ahead else "",
        say("Behind **{other}** with {numbers} ratings.", other=other, numbers=", ".join(behind)) if behind else "",
        "" if ahead or behind else say("No difference from **{other}** is shown.", other=other),
    )


@st.fragment
def _chart(found: Evaluation, labels: list[str], k: int) -> None:
    names = {"ndcg": f"nDCG@{k}", "harm": say("Disliked share")}
    chosen = st.segmented_control(
        say("Metric"), list(names), default="ndcg", required=True, format_func=names.__getitem__, key="few-metric",
        label_visibility="collapsed",
    ) or "ndcg"  # fmt: skip
    groups = {
        label: [_group(row.n_known, getattr(row, chosen), found.few_users) for row in result.from_few]
        for label, result in zip(labels, found.results, strict=True)
    }
    show_chart(
        lines_by_activity(groups, labels[0], across=say("known ratings per user"), up=names[chosen]),
        key="few-chart",
        alt=say("Quality by known ratings per user, one line per model"),
    )


def _group(n_known: int, value: Interval, users: int) -> ActivityGroup:
    mean, low, high = (value.mean or 0.0 if bound is None else bound for bound in (value.mean, value.low, value.high))
    return ActivityGroup(users, n_known, n_known, mean, low, high)
