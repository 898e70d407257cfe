"""A batch that is not running: its lists, or why there are none."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from recsys.app.escape import plain
from recsys.app.i18n.translate import named, say
from recsys.app.owner import told
from recsys.app.pages.batch.ownership import draw_discard, is_own
from recsys.app.session import load_model
from recsys.dataset.catalog import Catalog
from recsys.errors import InputError, RecsysError
from recsys.models import COLD, FOLDED_IN
from recsys.workflows import batch_jobs
from recsys.workflows.batch_files import (
    CSV,
    LISTS,
    Request,
    first_rows,
    read_request,
    read_result,
    rows_of_user,
    unused_lines,
)

PREVIEW_ROWS = 100
MAX_ID_LENGTH = 60
"""Characters of an unknown id that a message repeats."""


def draw_outcome(folder: Path) -> None:
    """Draw a batch that is not active: its lists, its error, or how to resume it."""
    job = batch_jobs.QUEUE.find(folder)
    try:
        request, result = read_request(folder), read_result(folder)
    except InputError as error:
        st.error(told(error))
        return
    if result is not None:
        _draw_result(folder, request, result)
    elif job is not None and job.state == "failed":
        if job.error:
            st.error(say("This batch cannot be generated: {why}", why=plain(job.error)))
        else:
            st.error(say("Internal error. See the server log for details."))
        if job.done:
            _draw_resume(folder)
        else:
            draw_discard(folder, say("Discard"))
    else:
        if job is not None and job.total:
            words = say("Stopped after {done:,} of {total:,} users.", done=job.done, total=job.total)
        else:
            words = say("Stopped before it finished.")
        kept = (
            say("The finished part is kept: resume the batch, or discard it.")
            if is_own(folder)
            else say("Only the session that started it can resume it.")
        )
        st.warning(words + " " + kept)
        _draw_resume(folder)


def _draw_resume(folder: Path) -> None:
    if not is_own(folder):
        return
    with st.container(horizontal=True):
        st.button(
            say("Resume"),
            type="primary",
            icon=":material/resume:",
            on_click=_resume,
            args=(folder,),
            key="batch-resume",
        )
        draw_discard(folder, say("Discard"))


def _resume(folder: Path) -> None:
    batch_jobs.QUEUE.start(folder)


def _draw_result(folder: Path, request: Request, result: dict[str, Any]) -> None:
    st.subheader(say("Recommendations"), anchor=False)
    seen = say("without rated movies") if request.exclude_seen else say("including rated movies")
    about = say("Movies per user: {k}, {seen}; model: {model}", k=request.k, seen=seen, model=plain(request.model.name))
    st.caption(about)
    origin = result["origin"]
    with st.container(horizontal=True, gap="large"):
        st.metric(say("Users"), f"{result['users']:,}", width="content")
        st.metric(say("Rows"), f"{result['rows']:,}", width="content")
        if FOLDED_IN in origin:
            st.metric(
                say("New users"),
                f"{origin[FOLDED_IN]:,}",
                help=say(
                    "They are not in the training data. Their vectors were computed from their ratings (fold-in)."
                ),
                width="content",
            )
        if COLD in origin:
            st.metric(
                say("No usable ratings"),
                f"{origin[COLD]:,}",
                help=say("They get the most popular movies."),
                width="content",
            )
    _draw_unused_lines(folder)
    name = f"{request.model.name}-top-{request.k}"
    with st.container(horizontal=True, vertical_alignment="center"):
        for file, kind, mime in ((LISTS, "Parquet", "application/vnd.apache.parquet"), (CSV, "CSV", "text/csv")):
            path = folder / file
            if path.is_file():
                st.download_button(
                    f"{kind} · {_size_text(path.stat().st_size)}",
                    partial(path.open, "rb"),
                    file_name=f"{name}{path.suffix}",
                    mime=mime,
                    icon=":material/download:",
                    on_click="ignore",
                    key=f"batch-download-{kind.lower()}",
                )
        draw_discard(folder, say("Delete"))
    if result.get("has_formulas"):
        st.caption(say("Some ids start with =, +, - or @. A spreadsheet may run these CSV cells as formulas."))
    st.caption(
        say(
            "Columns: user_id, rank (1 is best), item_id, score. The files are kept for one day; anyone with "
            "this page's address can download them."
        )
    )
    st.fragment(_draw_preview)(folder, request, result["rows"])


def _draw_unused_lines(folder: Path) -> None:
    """Lines of the list of users that were not used, with reasons."""
    lines = unused_lines(folder)
    if lines is None:
        return
    st.warning(say("Lines of your list that were not used: {n:,}. All other users got recommendations.", n=len(lines)))
    with st.expander(say("Lines not used")):
        st.dataframe(
            pd.DataFrame(
                {
                    say("line"): lines["line"],
                    say("text"): lines["text"],
                    say("reason"): [named(reason) for reason in lines["reason"]],
                }
            ),
            hide_index=True,
            alt=say("Lines not used"),
        )


def _draw_preview(folder: Path, request: Request, n_rows: int) -> None:
    """A table of the first rows, or of one user's rows, with titles."""
    user = st.text_input(
        say("Look up a user"),
        placeholder=say("User id"),
        icon=":material/search:",
        key="batch-lookup",
    )
    try:
        rows = rows_of_user(folder, user) if user.strip() else first_rows(folder, PREVIEW_ROWS)
    except InputError as error:
        st.error(told(error))
        return
    except RecsysError:
        st.warning(say("{user} is not in this batch.", user=plain(user[:MAX_ID_LENGTH])))
        return
    ids = rows["item_id"].to_numpy()
    try:
        catalog = load_model(request.model).model.catalog
    except (RecsysError, OSError):
        st.caption(say("The model no longer exists, so ids are shown instead of titles."))
        catalog = Catalog.of(pd.unique(ids))
    items = catalog.take(pd.unique(ids)).items.set_index("item_id").loc[ids]
    table = pd.DataFrame(
        {
            say("user"): rows["user_id"].astype(str),
            "#": rows["rank"],
            say("title"): items["title"].to_numpy(),
            say("year"): items["year"].array,
            say("genres"): [", ".join(map(named, genres)) for genres in items["genres"]],
            say("score"): rows["score"],
        }
    )
    st.dataframe(
        table,
        hide_index=True,
        column_config={
            say("user"): st.column_config.TextColumn(width="small"),
            "#": st.column_config.NumberColumn(width=40),
            say("title"): st.column_config.TextColumn(width="large"),
            say("year"): st.column_config.NumberColumn(format="%d", width="small"),
            say("score"): st.column_config.NumberColumn(format="%.3f", width="small"),
        },
        alt=say("Recommendations"),
    )
    if not user.strip() and len(table) < n_rows:
        st.caption(say("First {n:,} of {all:,} rows.", n=len(table), all=n_rows))


def _size_text(n_bytes: int) -> str:
    for unit in ("B", "kB", "MB"):
        if n_bytes < 1000:
            return f"{n_bytes:.0f} {unit}" if unit == "B" or n_bytes >= 10 else f"{n_bytes:.1f} {unit}"
        n_bytes /= 1000  # type: ignore[assignment]
    return f"{n_bytes:.1f} GB"
