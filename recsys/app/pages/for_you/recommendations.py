"""The list of recommendations, with reasons and buttons."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
import streamlit as st

from recsys.app.components.memory import memory_of
from recsys.app.escape import plain
from recsys.app.i18n.translate import named, say
from recsys.app.pages.for_you.controls import Controls
from recsys.app.pages.for_you.my_ratings import mark_seen
from recsys.app.pages.for_you.region import clear_region, region_outline
from recsys.app.pages.for_you.selected import select
from recsys.app.pages.for_you.user import Viewer
from recsys.app.session import Loaded
from recsys.recommend.rerank import rerank
from recsys.recommend.steer import shifted
from recsys.recommend.topn import explain

N_RECOMMENDED = 10
N_REASONS = 2


def draw_recommendations(loaded: Loaded, viewer: Viewer, controls: Controls) -> pd.DataFrame:
    """Draw the list; returns the table of `rerank`."""
    model, batch = loaded.model, viewer.batch
    moved = shifted(model, batch, controls.shifts) if controls.shifts and not viewer.is_cold else batch
    table = rerank(
        model, moved, N_RECOMMENDED, novelty=controls.novelty, diversity=controls.diversity, allowed=controls.allowed
    )
    st.subheader(say("Watch next"), anchor=False)
    if viewer.is_cold:
        st.caption(_explain_cold(loaded, viewer))
    if region_outline(loaded) is not None:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.caption(say("Only movies in the region you selected on the map."), width="stretch")
            st.button(say("Clear selection"), type="tertiary", on_click=clear_region, args=(loaded,))
    if table.empty and viewer.is_cold and not loaded.has_ratings:
        return table
    if table.empty:
        st.info(say("No movies are left to recommend. Relax a filter or clear the selection on the map."))
        return table
    ids = table["item_id"].to_numpy()
    items = model.catalog.take(ids)
    reasons = explain(model, batch, ids, top=N_REASONS, among=viewer.liked)
    with st.container(key="recommended", gap="small"):
        for at, item in enumerate(ids.tolist()):
            liked = model.catalog.label_of([rated for rated, _ in reasons[at]]) if reasons[at] else []
            _draw_card(loaded, viewer, item, f"{at + 1} · {items.labels[at]}", items.items["genres"][at], liked)
    return table


def _draw_card(
    loaded: Loaded, viewer: Viewer, item: Any, title: str, genres: Sequence[str], liked: Sequence[str]
) -> None:
    lines = [f"**{plain(title)}**", f":small[:gray[{plain(' · '.join(map(named, genres)) or say('no genre'))}]]"]
    if liked:
        titles = plain(say(" and ").join(liked))
        reason = (
            say("Because you liked {titles}", titles=titles)
            if viewer.is_me
            else say("Because they liked {titles}", titles=titles)
        )
        lines.append(f":small[{reason}]")
    with st.container(border=True, gap=None):
        st.markdown("  \n".join(lines))
        with st.container(horizontal=True, gap="small"):
            if loaded.model.has_space:
                st.button(
                    say("More like this"), key=f"like-{item}", type="tertiary", icon=":material/hub:",
                    on_click=select, args=(loaded, item),
                )  # fmt: skip
            if viewer.is_me:
                st.button(
                    say("Not for me"), key=f"not-{item}", type="tertiary", icon=":material/block:",
                    on_click=memory_of(loaded).hide, args=(item, "not for me"),
                    help=say("Stop recommending this movie"),
                )  # fmt: skip
                st.button(
                    say("Seen it"), key=f"seen-{item}", type="tertiary", icon=":material/visibility:",
                    on_click=mark_seen, args=(loaded, item),
                    help=say("Stop recommending this movie, and rate it if you like"),
                )  # fmt: skip


def _explain_cold(loaded: Loaded, viewer: Viewer) -> str:
    """Why the list is not personal."""
    if not loaded.has_ratings:
        return say("Rate a few movies to make this yours.")
    if not viewer.is_me:
        return say("This user has no ratings that the model can use. For now: the most watched.")
    least = loaded.model.weighting.settings.min_rating
    if viewer.batch.ratings.nnz and least is not None:
        return say(
            "This model counts {least:g} stars or more as a like, and you have none yet. For now: the most watched.",
            least=least,
        )
    return say("Rate a few movies to make this yours. For now: the most watched.")
