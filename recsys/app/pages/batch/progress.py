"""The progress of a running batch."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from recsys.app.i18n.translate import say
from recsys.app.pages.batch.ownership import is_own, viewer
from recsys.workflows import batch_jobs
from recsys.workflows.batch_jobs import MAX_RUNNING, Job

REFRESH_SECONDS = 0.5
"""Interval between two updates of the progress bar."""


def draw_progress(folder: Path) -> None:
    """Draw the progress of an active batch; runs as a fragment, and reruns the page when the batch has ended."""
    job = batch_jobs.QUEUE.find(folder)
    if job is None or not job.is_active:
        st.rerun()
    if job.is_abandoned:  # for example after a reload: this session takes over
        viewer().folder = folder
    job.viewer_returned()
    with st.container(border=True, key="batch-progress"):
        if job.state == "waiting":
            st.progress(0.0, text=_queue_text(job))
        elif job.total == 0:
            st.progress(0.0, text=say("Loading the model and the data …"))
        else:
            words = say("{done:,} of {total:,} users", done=job.done, total=job.total)
            left = job.seconds_left
            if left is not None:
                words += " · " + say("{time} left", time=_duration_text(left))
            st.progress(job.done / job.total, text=words)
        if is_own(folder):
            st.button(
                say("Cancel"),
                icon=":material/stop_circle:",
                on_click=batch_jobs.QUEUE.cancel,
                args=(job,),
                key="batch-cancel",
            )


def _queue_text(job: Job) -> str:
    words = say("{n} other batches are running; yours is queued.", n=MAX_RUNNING)
    n_ahead = batch_jobs.QUEUE.n_ahead(job)
    return words + " " + say("{n} more ahead of it.", n=n_ahead) if n_ahead else words


def _duration_text(seconds: float) -> str:
    if seconds < 90:
        return say("{n} s", n=max(1, round(seconds)))
    if seconds < 5400:
        return say("{n} min", n=round(seconds / 60))
    return say("{n:.1f} h", n=seconds / 3600)
