"""Which batch this session shows, and which it may change."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from recsys.app.i18n.translate import say
from recsys.workflows import batch_jobs
from recsys.workflows.batch_jobs import Reader, find_batch

MADE = "made"
"""The batch that is shown, in the session and in the address."""
BEGUN = "begun"
"""Names of the batches that this session began: it alone may stop or remove them; who has the link reads."""


@st.cache_resource(show_spinner=False, scope="session", on_release=Reader.leave)
def reader() -> Reader:
    """Lets the batch go when the session ends."""
    return Reader()


def is_own(folder: Path) -> bool:
    """Whether this session began that batch."""
    return folder.name in st.session_state.get(BEGUN, [])


def current_batch(root: Path) -> Path | None:
    """The batch of this session, or the one that the address names, so that a reload finds it again."""
    name = st.session_state.get(MADE) or st.query_params.get(MADE)
    if not name:
        return None
    folder = find_batch(root, name)
    if folder is None:
        let_go()
        st.info(say("The batch at this address no longer exists: batches are kept for one day."))
        return None
    st.session_state[MADE] = name
    return folder


def let_go() -> None:
    """Show no batch any more."""
    st.session_state.pop(MADE, None)
    st.query_params.pop(MADE, None)


def draw_discard(folder: Path, label: str) -> None:
    """Draw a button that deletes a batch, for the session that started it."""
    if not is_own(folder):
        return

    def discard() -> None:
        batch_jobs.DESK.forget(folder)
        let_go()

    st.button(label, type="tertiary", icon=":material/delete:", on_click=discard, key="batch-discard")
