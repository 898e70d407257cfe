"""Which batch this session shows, and which it may change."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from recsys.app.i18n.translate import say
from recsys.workflows import batch_jobs
from recsys.workflows.batch_files import find_batch
from recsys.workflows.batch_jobs import Viewer

SHOWN = "batch"
"""Key of the shown batch, in the session and in the address."""
STARTED = "started-batches"
"""Key of the names of the batches that this session started. Only it may stop, resume or delete them; anyone with the
address may download them."""


@st.cache_resource(show_spinner=False, scope="session", on_release=Viewer.leave)
def viewer() -> Viewer:
    """The viewer of this session; its batch is abandoned when the session ends."""
    return Viewer()


def is_own(folder: Path) -> bool:
    """Whether this session started the batch."""
    return folder.name in st.session_state.get(STARTED, [])


def current_batch(root: Path) -> Path | None:
    """Folder of the batch of this session, or of the one in the address, which survives a reload."""
    name = st.session_state.get(SHOWN) or st.query_params.get(SHOWN)
    if not name:
        return None
    folder = find_batch(root, name)
    if folder is None:
        forget_batch()
        st.info(say("The batch at this address no longer exists: batches are kept for one day."))
        return None
    st.session_state[SHOWN] = name
    return folder


def forget_batch() -> None:
    """Remove the shown batch from the session and the address."""
    st.session_state.pop(SHOWN, None)
    st.query_params.pop(SHOWN, None)


def draw_discard(folder: Path, label: str) -> None:
    """Draw a button that deletes a batch, for the session that started it."""
    if not is_own(folder):
        return

    def discard() -> None:
        batch_jobs.QUEUE.remove(folder)
        forget_batch()

    st.button(label, type="tertiary", icon=":material/delete:", on_click=discard, key="batch-discard")
