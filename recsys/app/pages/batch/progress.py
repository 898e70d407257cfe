"""The progress of a running batch."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from recsys.app.i18n.translate import say
from recsys.app.pages.batch.ownership import is_own, reader
from recsys.workflows import batch_jobs
from recsys.workflows.batch_jobs import MOST_AT_ONCE, Job

LOOK_AGAIN_SECONDS = 0.5


def draw_progress(folder: Path) -> None:
    """How far a batch is, looked at again and again; drawn once more with the whole page when it is over."""
    job = batch_jobs.DESK.find(folder)
    if job is None or not job.is_active:
        st.rerun()
    if job.is_left:  # whoever looks takes over from a reader who has gone, such as their own before a reload
        reader().folder = folder
    job.stay()
    with st.container(border=True, key="batch-progress"):
        if job.state == "waiting":
            st.progress(0.0, text=_waiting_words(job))
        elif job.total == 0:
            st.progress(0.0, text=say("Loading the model and the data …"))
        else:
            words = say("{done:,} of {total:,} users", done=job.done, total=job.total)
            left = job.seconds_left
            if left is not None:
                words += " · " + say("{time} left", time=_span(left))
            st.progress(job.done / job.total, text=words)
        if is_own(folder):
            st.button(
                say("Cancel"),
                icon=":material/stop_circle:",
                on_click=batch_jobs.DESK.cancel,
                args=(job,),
                key="batch-cancel",
            )


def _waiting_words(job: Job) -> str:
    words = say("{n} other batches are running; yours is queued.", n=MOST_AT_ONCE)
    before = batch_jobs.DESK.n_before(job)
    return words + " " + say("{n} more ahead of it.", n=before) if before else words


def _span(seconds: float) -> str:
    if seconds < 90:
        return say("{n} s", n=max(1, round(seconds)))
    if seconds < 5400:
        return say("{n} min", n=round(seconds / 60))
    return say("{n:.1f} h", n=seconds / 3600)
