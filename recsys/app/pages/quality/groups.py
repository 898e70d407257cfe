"""Quality by user activity, and recommendations by movie popularity."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from recsys.app.chart import show_chart
from recsys.app.escape import plain
from recsys.app.i18n.translate import say
from recsys.dataset.split import MIN_USERS
from recsys.evaluation.evaluate import ActivityGroup, Evaluation
from recsys.evaluation.significance import gain_by_group, lowest_quality_groups, mean_over_users
from recsys.plots.quality import bars_by_popularity, lines_by_activity


def labels_of(found: Evaluation) -> list[str]:
    """Labels of the evaluated models; the first is this model."""
    names = found.labels
    return [say("{model} (this model)", model=names[0]), *names[1:]]


def draw_activity(found: Evaluation) -> None:
    """Draw quality by user activity."""
    labels, k = labels_of(found), found.main_k
    st.subheader(say("Quality by user activity"), anchor=False)
    ours = found.results[0].by_activity
    n_users = found.results[0].evaluated_users
    if n_users < MIN_USERS:
        st.caption(say("Evaluated users: {n:,}. That is too few to compare groups of users.", n=n_users))
        return
    if len(ours) < 2:
        st.caption(say("All users have equally many ratings, so there are no groups to compare."))
        return
    st.markdown(_lowest_text(ours, k))
    _chart_of_activity(found, labels, k)
    st.caption(
        say(
            "Users in ten groups by their number of known ratings; users with the same number stay together. "
            "More ratings are held out for users who rated more, which makes hits easier: compare the models "
            "within a group, not only the groups. Bars: 95% intervals."
        )
    )


def _lowest_text(ours: Sequence[ActivityGroup], k: int) -> str:
    """One sentence: the groups with the lowest quality, and the group with the highest."""
    worst = ours[lowest_quality_groups(ours)]
    best = max(ours, key=lambda group: group.mean)
    if len(worst) == len(ours):
        return say("No group has clearly lower quality than the others.")
    users = sum(group.users for group in worst)
    return say(
        "Lowest quality: the **{users:,} users with {fewest:,} to {most:,} known ratings**, nDCG@{k} "
        "{mean:.2f}. Highest: users with {best_fewest:,} to {best_most:,}, {best:.2f}.",
        users=users, fewest=worst[0].fewest, most=worst[-1].most, k=k, mean=mean_over_users(worst),
        best_fewest=best.fewest, best_most=best.most, best=best.mean,
    )  # fmt: skip


@st.fragment
def _chart_of_activity(found: Evaluation, labels: list[str], k: int) -> None:
    results = found.results
    others = list(range(1, len(results)))
    shown = [at for at in others if results[at].model == "popular"] or others[:1]
    if len(others) > 1:
        shown = st.pills(
            say("Compare with"), others, selection_mode="multi", default=shown, format_func=labels.__getitem__,
            key="activity-models",
        )  # fmt: skip
    groups = {labels[at]: results[at].by_activity for at in [0, *sorted(shown)]}
    for at in sorted(shown)[:1] if len(shown) == 1 else []:
        more = gain_by_group(results[0].by_activity, results[at].by_activity)
        least = results[0].by_activity[int(more.argmin())]
        st.caption(
            say(
                "Smallest gain over {other}: {gain:+.2f}, for users with {fewest:,} to {most:,} known ratings.",
                other=plain(labels[at]), fewest=least.fewest, most=least.most, gain=float(more.min()),
            )
        )  # fmt: skip
    show_chart(
        lines_by_activity(groups, labels[0], across=say("known ratings per user"), up=f"nDCG@{k}"),
        key="activity-chart",
        alt=say("Quality by known ratings per user, one line per model"),
    )  # fmt: skip


def draw_popularity(found: Evaluation) -> None:
    """Draw recommendations by movie popularity."""
    labels, k = labels_of(found), found.main_k
    st.subheader(say("Recommendations by popularity"), anchor=False)
    head, middle, tail = found.results[0].by_popularity
    st.markdown(
        say(
            "The **{n_head:,} most popular movies** have {of_head:.0%} of all ratings and get **{head:.0%}** "
            "of this model's recommendations; the **{n_tail:,} least popular** have {of_tail:.0%} and get "
            "**{tail:.0%}**.",
            n_head=head.items, of_head=head.ratings, head=head.recommendations,
            n_tail=tail.items, of_tail=tail.ratings, tail=tail.recommendations,
        )
    )  # fmt: skip
    ours = found.results[0].metrics
    if (share := ours[f"best_known@{k}"].mean) is not None and (rest := ours[f"ndcg_beyond@{k}"].mean) is not None:
        st.markdown(
            say(
                "**{share:.0%}** of its hits are among the {n:,} best-known movies. Without these, nDCG@{k} is "
                "**{rest:.2f}** instead of {ndcg:.2f}.",
                share=share, n=found.best_known, k=k, rest=rest, ndcg=ours[f"ndcg@{k}"].mean,
            )
        )  # fmt: skip
    parts = [
        say("{n:,} most popular", n=head.items),
        say("{n:,} in the middle", n=middle.items),
        say("{n:,} least popular", n=tail.items),
    ]
    shares = {say("all ratings"): [part.ratings for part in (head, middle, tail)]}
    for label, result in zip(labels, found.results, strict=True):
        shares[label] = [part.recommendations for part in result.by_popularity]
    show_chart(
        bars_by_popularity(shares, parts, labels[0], say("share of ratings or recommendations")),
        key="popularity-chart",
        alt=say("Share of each model's recommendations that go to popular and to obscure movies"),
    )  # fmt: skip
    st.caption(
        say(
            "Movies are sorted by number of ratings and split into three parts with about a third of all "
            "ratings each. {coverage:.0%} of the movies are in at least one list. Gini coefficient of how "
            "often each is recommended: {gini:.2f} (0: all equally often, 1: always the same movie).",
            coverage=ours[f"coverage@{k}"].mean, gini=ours[f"gini@{k}"].mean,
        )
    )  # fmt: skip
