"""Measuring from the page: one measurement at a time, with a progress bar."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from threading import Lock

import pandas as pd
import streamlit as st

from recsys.app.escape import plain
from recsys.app.i18n.translate import say
from recsys.app.notices import explain_missing_data, show_command
from recsys.app.owner import is_owner, told
from recsys.app.session import Loaded
from recsys.errors import RecsysError
from recsys.progress import Progress, StartProgress

SLOW = ("vae", "sequence", "blend")
"""Models that take minutes to train, and need an extra that may be missing; the command line compares with them."""
MEASURING = Lock()
"""Held while a session measures: two measurements at once would slow each other and all other users."""


def available_data(loaded: Loaded) -> Path | None:
    """The folder of the training data; None for visitors, and if it is gone, which the page then says."""
    if not is_owner():
        st.caption(say("Only the owner of this page can measure."))
        return None
    if loaded.interactions is None:
        explain_missing_data(loaded)
        return None
    return loaded.data_folder


def show_equivalent_command(*words: str) -> None:
    """Show the command that does the same in a terminal."""
    st.caption(say("Or in a terminal:"))
    show_command(*words)


def run_measurement(measure: Callable[[StartProgress], object], steps: int) -> None:
    """Measure with a progress bar, then draw the page again; an error becomes a message on the page."""
    if not MEASURING.acquire(blocking=False):
        st.info(say("Another measurement is running. Try again when it has finished."), icon=":material/hourglass:")
        return
    try:  # Streamlit may end the script at any call of `st`
        start = pd.Timestamp.now()
        bar = st.progress(0.0, say("Loading the data …"))
        started = 0

        def start_progress(what: str) -> Progress:
            nonlocal started
            before, started = started, started + 1

            def progress(done: int, total: int) -> None:
                bar.progress(min((before + done / max(total, 1)) / steps, 1.0), _stage_text(what))

            progress(0, 1)
            return progress

        try:
            measure(start_progress)
        except (RecsysError, OSError) as error:
            bar.empty()
            st.error(told(error), icon=":material/error:")
            return
    finally:
        MEASURING.release()
    st.session_state["measured-seconds"] = (pd.Timestamp.now() - start).total_seconds()
    st.rerun()


def _stage_text(what: str) -> str:
    """The name of a stage, in the user's language."""
    doing, _, model = what.partition(" ")
    if doing == "training":
        return say("Training {model} …", model=plain(model))
    if doing == "evaluating":
        return say("Evaluating {model} …", model=plain(model))
    return say("Measuring the embedding …")
