"""The lists of two models compared, for one user and over many."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from recsys import store
from recsys.app.chart import show_chart
from recsys.app.escape import plain
from recsys.app.i18n.translate import say
from recsys.app.notices import show_command
from recsys.app.owner import told
from recsys.app.pages.batch.make import K
from recsys.app.session import Loaded, load_model, models_root
from recsys.app.work import long_work
from recsys.dataset.interactions import Interactions
from recsys.errors import RecsysError
from recsys.plots.overlap import overlap_histogram
from recsys.recommend.compare import (
    Comparison,
    compare_lists,
    compare_models,
    expected_overlap,
    popularity_of,
    sample_users,
)
from recsys.recommend.topn import batch_of_users, recommend

MAX_OFFERED = 5000
"""User ids in the drop-down list; others can be typed."""
SAMPLE_SIZE = 500
"""Users over whom two models are compared."""


def draw_compare(loaded: Loaded, interactions: Interactions) -> None:
    """Draw the comparison of two models of the same data."""
    st.caption(say("What two models trained on the same data recommend to the same user."))
    names = store.models_trained_on(models_root(), loaded.data_name)
    if len(names) < 2:
        st.info(
            say(
                "Only one model was trained on {data}. Train another one to compare:",
                data=plain(loaded.data_name),
            )
        )
        kind = "ease" if loaded.model.learner.name != "ease" else "ials"
        out = models_root() / f"{loaded.data_name}-{kind}"
        show_command("recsys", "train", "--data", str(loaded.data_folder), "--model", kind, "--out", str(out))
        return
    left, right = st.columns(2, gap="medium")
    others = [name for name in names if name != loaded.name]
    a = left.selectbox(say("Model A"), names, index=names.index(loaded.name), key="compare-a", bind="query-params")
    b = right.selectbox(say("Model B"), names, index=names.index(others[0]), key="compare-b", bind="query-params")
    if a == b:
        st.info(say("Choose two different models."))
        return
    try:
        pair = load_model(models_root() / str(a)), load_model(models_root() / str(b))
    except (RecsysError, OSError) as error:
        st.error(told(error))
        return
    st.fragment(_compare_user)(pair, interactions)
    _compare_sample(pair, interactions)


def _compare_user(pair: tuple[Loaded, Loaded], interactions: Interactions) -> None:
    user = st.selectbox(
        say("User"),
        interactions.user_ids[:MAX_OFFERED].tolist(),
        key="compare-user",
        bind="query-params",
        accept_new_options=True,
        help=say("Choose a user id, or type any of the {n:,}.", n=interactions.n_users),
        width=220,
    )
    try:
        lists = [
            recommend(one.model, batch_of_users(one.model, interactions, [user]), K)["item_id"].tolist() for one in pair
        ]
    except RecsysError as error:
        st.error(told(error))
        return
    found = compare_lists(lists[0], lists[1], _popularity(interactions))
    _draw_metrics(found, max(map(len, lists)))
    for column, one, here, there in zip(
        st.columns(2, gap="medium"), pair, ("rank_a", "rank_b"), ("rank_b", "rank_a"), strict=True
    ):
        with column.container(border=True, gap="small"):
            letter = "A" if here == "rank_a" else "B"
            st.markdown(f"**{letter} · {plain(one.name)}**")
            listed = found.items.dropna(subset=[here]).sort_values(here)
            labels = one.model.catalog.label_of(listed["item_id"].tolist())
            for label, row in zip(labels, listed.to_dict("records"), strict=True):
                with st.container(
                    horizontal=True, horizontal_alignment="distribute", vertical_alignment="center", wrap=False
                ):
                    st.markdown(f"{row[here]} · {plain(label)}", width="stretch")
                    st.markdown(_badge(row, here == "rank_b", there), width="content")
    st.caption(say("✓ in both lists · ▲ ▼ ranks up or down from A to B · ○ only in this list"))


@st.cache_resource(
    show_spinner=False, max_entries=4, hash_funcs={Interactions: lambda interactions: interactions.fingerprint}
)
def _popularity(interactions: Interactions) -> pd.Series:
    """`popularity_of`, cached for all sessions."""
    return popularity_of(interactions)


def _badge(row: Mapping[Hashable, Any], in_b: bool, there: str) -> str:
    """Badge of one row: whether the other list has the movie, and how far its rank moved."""
    if pd.isna(row[there]):
        return f":gray-badge[○ {say('only here')}]"
    if not in_b:
        return f":blue-badge[✓ {say('rank {rank} in B', rank=row[there])}]"
    moved = int(row["moved"])
    if moved == 0:
        return f":blue-badge[✓ {say('same rank')}]"
    return f":green-badge[✓ ▲ {moved}]" if moved > 0 else f":orange-badge[✓ ▼ {-moved}]"


def _draw_metrics(found: Comparison, k: int) -> None:
    with st.container(horizontal=True, gap="large"):
        st.metric(
            say("In both lists"),
            say("{n} of {k}", n=round(found.overlap * k), k=k),
            help=say("Movies in both lists (overlap@{k}).", k=k),
            width="content",
        )
        st.metric(
            say("Rank-biased overlap"),
            f"{found.rank_biased:.2f}",
            help=say(
                "Agreement of the two rankings, weighted towards the top: 1 means the same list, 0 means "
                "nothing in common (p = 0.9)."
            ),
            width="content",
        )
        popular = say("The share of users who rated a movie, averaged over the list.")
        st.metric(say("Popularity A"), _percent(found.popularity_a), help=popular, width="content")
        st.metric(
            say("Popularity B"),
            _percent(found.popularity_b),
            None
            if np.isnan(found.popularity_a - found.popularity_b)
            else say("{points:+.1f} points", points=100 * (found.popularity_b - found.popularity_a)),
            delta_color="off",
            help=popular,
            width="content",
        )


def _percent(share: float) -> str:
    return "–" if np.isnan(share) else f"{share:.1%}"


def _compare_sample(pair: tuple[Loaded, Loaded], interactions: Interactions) -> None:
    a, b = pair
    which = tuple((str(one.folder), (one.folder / store.MANIFEST).stat().st_mtime_ns) for one in pair)
    with long_work(say("Comparing the lists …")):
        rows = _compared(a, b, interactions, (*which, interactions.fingerprint))
    st.subheader(
        say("Random sample of {n:,} users", n=len(rows))
        if len(rows) < interactions.n_users
        else say("All {n:,} users", n=len(rows)),
        anchor=False,
    )
    common = (rows["overlap"] * K).round().astype(int)
    st.caption(
        say(
            "On average, {common:.1f} of {k} movies are in both lists (rank-biased overlap {rbo:.2f}); two "
            "random lists would share {chance:.2f}. Mean popularity: {a} of all users rated a movie in A's "
            "lists, {b} one in B's.",
            common=common.mean(),
            k=K,
            rbo=rows["rank_biased"].mean(),
            chance=expected_overlap(K, len(a.model.item_ids)),
            a=_percent(rows["popularity_a"].mean()),
            b=_percent(rows["popularity_b"].mean()),
        )
    )
    show_chart(
        overlap_histogram(
            common.to_numpy(),
            K,
            across=say("movies in both lists (of {k})", k=K),
            up=say("users"),
            bar_text=lambda n, users: say("{n} of {k} in both lists: {users:,} users", n=n, k=K, users=users),
        ),
        key="compare-spread",
        alt=say("Number of users by the number of movies in both lists, of {k}.", k=K),
    )


@st.cache_resource(show_spinner=False, max_entries=16)
def _compared(_a: Loaded, _b: Loaded, _interactions: Interactions, which: tuple[Any, ...]) -> pd.DataFrame:
    """The comparison over a sample of users, cached by `which` (models and data). Do not modify it."""
    return compare_models(_a.model, _b.model, _interactions, sample_users(_interactions, SAMPLE_SIZE), K)
