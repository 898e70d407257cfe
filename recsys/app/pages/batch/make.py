"""The form of a new batch: for which users, how many movies each."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import streamlit as st

from recsys.app.i18n.translate import say
from recsys.app.notices import show_command
from recsys.app.owner import is_owner, told
from recsys.app.pages.batch.ownership import SHOWN, STARTED, current_batch, is_own, viewer
from recsys.app.pages.batch.progress import REFRESH_SECONDS, draw_progress
from recsys.app.pages.batch.result import draw_outcome
from recsys.app.session import Loaded
from recsys.dataset.interactions import Interactions
from recsys.errors import RecsysError
from recsys.ingest.datasets import data_root
from recsys.ingest.users import split_user_ids
from recsys.workflows import batch_jobs
from recsys.workflows.batch_files import Request
from recsys.workflows.batch_jobs import TooManyRows, new_batch

MAX_K = 1000
"""Longest list that the form offers."""
MAX_UPLOAD_MB = 5
"""Size of an uploaded list of users: about 600,000 ids."""
MAX_TYPED = 100_000
"""Characters of typed user ids."""
K = 10
ALL_USERS, CHOSEN, UPLOADED = "All users", "Chosen users", "Users from a file"


def draw_make(loaded: Loaded, interactions: Interactions) -> None:
    """Draw the form, and below it the current batch: its progress or its result."""
    st.caption(say("Recommendations for many users at once, to download as a file."))
    root = data_root() / "batches"
    folder = current_batch(root)
    if is_owner():
        _form(loaded, interactions, root, folder)
    else:
        st.info(say("Only the owner of this page can generate lists."), icon=":material/key:")
    if folder is None:
        viewer().folder = None
        return
    if is_own(folder):
        viewer().folder = folder
    st.query_params[SHOWN] = folder.name
    if batch_jobs.QUEUE.is_active(folder):
        st.fragment(draw_progress, run_every=REFRESH_SECONDS)(folder)
    else:
        draw_outcome(folder)


def _form(loaded: Loaded, interactions: Interactions, root: Path, folder: Path | None) -> None:
    """The form; starts a batch unless one of this session is active."""
    is_active = folder is not None and batch_jobs.QUEUE.is_active(folder)
    max_k = min(MAX_K, len(loaded.model.item_ids))
    with st.container(border=True):
        choices = st.container(horizontal=True, gap="medium")
        who = choices.segmented_control(
            say("Users"),
            (ALL_USERS, CHOSEN, UPLOADED),
            default=ALL_USERS,
            required=True,
            format_func=say,
            key="batch-who",
            persist_state="session",
        )
        k = choices.number_input(
            say("Movies per user"),
            min_value=1,
            max_value=max_k,
            value=min(K, max_k),
            key="batch-k",
            help=say("From 1 to {most}.", most=max_k),
            width=160,
            persist_state="session",
        )
        listed = _list_of_users(interactions, str(who))
        exclude_seen = st.checkbox(say("Exclude rated movies"), value=True, key="batch-unseen", persist_state="session")
        n_rows = interactions.n_users * int(k)
        is_too_large = who == ALL_USERS and n_rows > batch_jobs.MAX_ROWS
        with st.container(horizontal=True, vertical_alignment="center"):
            clicked = st.button(
                say("Generate"),
                type="primary",
                icon=":material/playlist_play:",
                disabled=is_active or is_too_large,
                key="batch-generate",
            )
            if who == ALL_USERS and not is_too_large:
                st.caption(say("{users:,} users, up to {rows:,} rows", users=interactions.n_users, rows=n_rows))
        if is_too_large:
            st.warning(
                say(
                    "{rows:,} rows exceed the app's limit of {most:,}. Choose fewer movies, or run this in a terminal:",
                    rows=n_rows,
                    most=batch_jobs.MAX_ROWS,
                )
            )
            _show_terminal_command(loaded, int(k), exclude_seen)
        if clicked and not is_active:
            assert loaded.data_folder is not None
            if who != ALL_USERS and listed is None:
                st.error(say("No users given. Enter at least one user id, or choose a file."))
                return
            request = Request(loaded.folder.resolve(), loaded.data_folder.resolve(), int(k), exclude_seen)
            try:
                folder = new_batch(root, request, interactions.n_users, listed)
            except RecsysError as error:
                st.error(say("This batch cannot be generated: {why}", why=told(error)))
                if isinstance(error, TooManyRows):
                    _show_terminal_command(loaded, int(k), exclude_seen, None if listed is None else listed[0])
                return
            batch_jobs.QUEUE.start(folder)
            st.session_state[SHOWN] = folder.name
            own = [root / name for name in st.session_state.get(STARTED, [])]
            st.session_state[STARTED] = [kept.name for kept in batch_jobs.QUEUE.remove_oldest([*own, folder])]
            st.rerun()


def _show_terminal_command(loaded: Loaded, k: int, exclude_seen: bool, users: str | None = None) -> None:
    """Show the command that generates the same lists; `users` is the file that lists the users."""
    words = ["recsys", "recommend", "--model", str(loaded.folder), "--data", str(loaded.data_folder), "-k", str(k)]
    words += [] if exclude_seen else ["--include-seen"]
    words += [] if users is None else ["--users", users]
    show_command(*words, "--out", "lists.parquet")


def _list_of_users(interactions: Interactions, who: str) -> tuple[str, bytes] | None:
    """Name and content of a list of users; None for all users, or if none was given."""
    example = ", ".join(map(str, interactions.user_ids[:3].tolist()))
    if who == CHOSEN:
        typed = st.text_area(
            say("User ids, separated by commas or one per line"),
            placeholder=example,
            key="batch-typed",
            height=100,
            max_chars=MAX_TYPED,
            persist_state="session",
        )
        ids = split_user_ids(typed, are_integers=interactions.user_ids.dtype == np.int64)
        return ("list.txt", "\n".join(ids).encode()) if ids else None
    if who == UPLOADED:
        file = st.file_uploader(
            say("Text or CSV file with one user id per line, or a Parquet table"),
            key="batch-file",
            max_upload_size=MAX_UPLOAD_MB,
            help=say(
                "The column user_id is used if it exists, otherwise the first column. Example ids: {example}.",
                example=example,
            ),
        )
        return None if file is None else (file.name, file.getvalue())
    return None
