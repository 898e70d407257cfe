"""Who the recommendations are for: the person at the browser, or another user of the training data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import streamlit as st

from recsys.app.escape import plain
from recsys.app.i18n.translate import say
from recsys.app.notices import explain_missing_data
from recsys.app.pages.for_you.my_ratings import HIGH, LOW, draw_my_ratings
from recsys.app.session import Loaded
from recsys.errors import UnknownId
from recsys.models import COLD, UserBatch
from recsys.recommend.topn import batch_of_ratings, batch_of_users

ME, ANOTHER = "me", "another"


@dataclass(frozen=True)
class Viewer:
    """The user whose recommendations are shown.

    batch    one user: ratings and vector
    ratings  item id → stars
    label    name of the user's mark on the map
    is_me    whether it is the person at the browser, who may hide movies
    """

    batch: UserBatch
    ratings: dict[Any, float]
    label: str
    is_me: bool

    @property
    def is_cold(self) -> bool:
        """Whether the model can compute nothing from the ratings."""
        return bool(self.batch.origin[0] == COLD)

    @property
    def liked(self) -> set[Any]:
        """Items rated at or above the user's mean; of the person at the browser also all with high stars, and none with
        low ones."""
        mean = float(np.mean(list(self.ratings.values()) or [0.0]))
        least = min(max(mean, LOW + 0.5), HIGH) if self.is_me else mean
        return {item for item, rating in self.ratings.items() if rating >= least}


def choose_user(loaded: Loaded) -> Viewer:
    """Draw the choice of user, then my ratings or the field for another user's id."""
    words = {ME: say("Me"), ANOTHER: say("View as another user")}
    choice = st.segmented_control(
        say("Recommend for"),
        list(words),
        default=ANOTHER if "user" in st.query_params else ME,
        format_func=words.__getitem__,
        required=True,
        key="who",
        width="stretch",
        persist_state="session",
    )
    if choice == ANOTHER:
        return _another_user(loaded)
    ratings = draw_my_ratings(loaded)
    return Viewer(batch_of_ratings(loaded.model, ratings), ratings, say("You"), is_me=True)


def _another_user(loaded: Loaded) -> Viewer:
    nobody = Viewer(batch_of_ratings(loaded.model, {}), {}, say("You"), is_me=False)
    if loaded.interactions is None:
        explain_missing_data(loaded)
        return nobody
    ids = loaded.interactions.user_ids

    def choose_randomly() -> None:
        st.session_state["user"] = str(np.random.default_rng().choice(ids))

    with st.container(horizontal=True, vertical_alignment="bottom"):
        typed = st.text_input(
            say("User id (one of {n:,})", n=len(ids)), str(ids[0]), key="user", bind="query-params"
        ).strip() or str(ids[0])
        st.button(say("Random user"), icon=":material/casino:", on_click=choose_randomly)
    try:
        user = int(typed) if ids.dtype.kind == "i" and typed.lstrip("-").isdecimal() and len(typed) < 19 else typed
        batch = batch_of_users(loaded.model, loaded.interactions, [user])
    except UnknownId:
        st.warning(say("There is no user with the id {id}.", id=plain(typed[:60])))
        return nobody
    items, values = loaded.model.item_ids[batch.ratings.indices], batch.ratings.data
    st.caption(
        say("{n:,} ratings, {mean:.1f} on average", n=len(items), mean=float(np.mean(values)))
        if len(items)
        else say("no ratings")
    )
    ratings = dict(zip(items.tolist(), values.tolist(), strict=True))
    return Viewer(batch, ratings, say("User {id}", id=typed), is_me=False)
