"""The form of a new batch: for which users, how many movies each."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import streamlit as st

from recsys.app.escape import plain
from recsys.app.i18n.translate import say
from recsys.app.notices import show_command
from recsys.app.pages.batch.ownership import BEGUN, MADE, current_batch, is_own, reader
from recsys.app.pages.batch.progress import LOOK_AGAIN_SECONDS, draw_progress
from recsys.app.pages.batch.result import draw_outcome
from recsys.app.session import Loaded
from recsys.dataset.interactions import Interactions
from recsys.errors import RecsysError
from recsys.ingest.datasets import data_root
from recsys.workflows import batch_jobs
from recsys.workflows.batch_jobs import Request, TooManyRows, new_batch

LONGEST = 1000
"""Movies in a list at most: nobody reads further."""
MOST_MEGABYTES = 20
"""Of an uploaded list: some two million ids."""
K = 10
EVERYONE, TYPED, UPLOADED = "All users", "Chosen users", "Users from a file"


def draw_make(loaded: Loaded, interactions: Interactions) -> None:
    """Draw the form, and the batch of this session or of the address."""
    st.caption(say("Recommendations for many users at once, to download as a file."))
    root = data_root() / "batches"
    folder = current_batch(root)
    _ask(loaded, interactions, root, folder)
    if folder is None:
        reader().folder = None
        return
    if is_own(folder):
        reader().folder = folder
    st.query_params[MADE] = folder.name
    if batch_jobs.DESK.is_active(folder):
        st.fragment(draw_progress, run_every=LOOK_AGAIN_SECONDS)(folder)
    else:
        draw_outcome(folder)


def _ask(loaded: Loaded, interactions: Interactions, root: Path, folder: Path | None) -> None:
    """Ask for whom and how many, and begin; one batch at a time in a session."""
    is_active = folder is not None and batch_jobs.DESK.is_active(folder)
    longest = min(LONGEST, len(loaded.model.item_ids))
    with st.container(border=True):
        choices = st.container(horizontal=True, vertical_alignment="bottom", gap="large")
        who = choices.segmented_control(
            say("Users"),
            (EVERYONE, TYPED, UPLOADED),
            default=EVERYONE,
            required=True,
            format_func=say,
            key="batch-who",
            persist_state="session",
        )
        k = choices.number_input(
            say("Movies per user"),
            min_value=1,
            max_value=longest,
            value=min(K, longest),
            key="batch-k",
            help=say("From 1 to {most}.", most=longest),
            width=160,
            persist_state="session",
        )
        listed = _ask_list(interactions, str(who))
        exclude_seen = st.checkbox(say("Exclude rated movies"), value=True, key="batch-unseen", persist_state="session")
        n_rows = interactions.n_users * int(k)
        is_too_much = who == EVERYONE and n_rows > batch_jobs.MOST_ROWS
        with st.container(horizontal=True, vertical_alignment="center"):
            clicked = st.button(
                say("Generate"),
                type="primary",
                icon=":material/playlist_play:",
                disabled=is_active or is_too_much,
                key="batch-generate",
            )
            if who == EVERYONE and not is_too_much:
                st.caption(say("{users:,} users, up to {rows:,} rows", users=interactions.n_users, rows=n_rows))
        if is_too_much:
            st.warning(
                say(
                    "{rows:,} rows exceed the app's limit of {most:,}. Choose fewer movies, or run this in a terminal:",
                    rows=n_rows,
                    most=batch_jobs.MOST_ROWS,
                )
            )
            _in_a_terminal(loaded, int(k), exclude_seen)
        if clicked and not is_active:
            assert loaded.data_folder is not None
            if who != EVERYONE and listed is None:
                st.error(say("No users given. Enter at least one user id, or choose a file."))
                return
            request = Request(loaded.folder.resolve(), loaded.data_folder.resolve(), int(k), exclude_seen)
            try:
                begun = new_batch(root, request, interactions.n_users, listed)
            except RecsysError as error:
                st.error(say("This batch cannot be generated: {why}", why=plain(str(error))))
                if isinstance(error, TooManyRows):
                    _in_a_terminal(loaded, int(k), exclude_seen, None if listed is None else listed[0])
                return
            batch_jobs.DESK.start(begun)
            st.session_state[MADE] = begun.name
            own = [root / name for name in st.session_state.get(BEGUN, [])]
            st.session_state[BEGUN] = [kept.name for kept in batch_jobs.DESK.keep([*own, begun])]
            st.rerun()


def _in_a_terminal(loaded: Loaded, k: int, exclude_seen: bool, users: str | None = None) -> None:
    """The command that makes what was asked for; `users` is the file that lists for whom."""
    words = ["recsys", "recommend", "--model", str(loaded.folder), "--data", str(loaded.data_folder), "-k", str(k)]
    words += [] if exclude_seen else ["--include-seen"]
    words += [] if users is None else ["--users", users]
    show_command(*words, "--out", "lists.parquet")


def _ask_list(interactions: Interactions, who: str) -> tuple[str, bytes] | None:
    """Name and content of a list of users; None where there is none."""
    example = ", ".join(map(str, interactions.user_ids[:3].tolist()))
    if who == TYPED:
        typed = st.text_area(
            say("User ids, separated by commas or one per line"),
            placeholder=example,
            key="batch-typed",
            height=100,
            persist_state="session",
        )
        # Ids that are numbers hold no blanks, so blanks may stand between them.
        ids = re.split(r"[\s,;]+" if interactions.user_ids.dtype == np.int64 else r"[\n,;\t]+", typed.strip())
        lines = [line.strip() for line in ids if line.strip()]
        return ("list.txt", "\n".join(lines).encode()) if lines else None
    if who == UPLOADED:
        file = st.file_uploader(
            say("Text or CSV file with one user id per line, or a Parquet table"),
            key="batch-file",
            max_upload_size=MOST_MEGABYTES,
            help=say(
                "The column user_id is used if it exists, otherwise the first column. Example ids: {example}.",
                example=example,
            ),
        )
        return None if file is None else (file.name, file.getvalue())
    return None
