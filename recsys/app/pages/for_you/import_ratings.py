"""Import ratings that a person exported from Letterboxd or IMDb."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
import pyarrow as pa
import streamlit as st

from recsys.app.components.memory import Memory
from recsys.app.i18n.translate import say
from recsys.app.owner import told
from recsys.app.session import Loaded
from recsys.app.work import long_work
from recsys.errors import RecsysError
from recsys.ingest.exports import MAX_BYTES, read_export

MAX_SHOWN = 1000
"""Movies that were not found, as many as the session keeps."""


@dataclass(frozen=True, eq=False)
class Imported:
    """What the session keeps of a file: the site, how many movies it rates and how many of them the collection lacks,
    the first of these, and the lines that were skipped, as in `Export`."""

    site: str
    n: int
    n_missing: int
    missing: pd.DataFrame
    rejected: pa.Table
    unusable: int


def draw_import(loaded: Loaded, memory: Memory) -> None:
    """Draw the popover with the upload; ratings of a file are added to `memory` once, then the fragment reruns."""
    with st.popover(say("Import"), icon=":material/upload:", type="tertiary"):
        st.markdown(
            say(
                "Import your ratings from Letterboxd (Settings → Data → Export: ratings.csv, or the whole zip) or IMDb "
                "(Your ratings → Export). They are stored only in this browser."
            )
        )
        file = st.file_uploader(
            say("Ratings file"),
            type=["csv", "zip"],
            key=f"import-{loaded.data_name}",
            max_upload_size=MAX_BYTES // 2**20,
        )
        if file is None:
            return
        key = f"imported-{loaded.data_name}"
        if st.session_state.get(key, (None,))[0] != file.file_id:  # import once per file, not once per rerun
            try:
                with long_work(say("Reading the file …")):
                    export = read_export(file.getvalue(), file.name[:100])
                    rows = export.match(loaded.model.catalog, loaded.model.n_ratings)
            except RecsysError as error:
                st.error(told(error))
                return
            for row, given in zip(rows, export.ratings["stars"], strict=True):
                if row >= 0:
                    memory.rate(loaded.id_of(row), float(given))
            missing = export.ratings.loc[rows < 0, ["title", "year", "stars"]]
            shown = missing[:MAX_SHOWN].astype({"title": object})  # a slice of text would keep the text of all rows
            imported = Imported(export.site, len(rows), len(missing), shown, export.rejected, export.unusable)
            st.session_state[key] = (file.file_id, imported)
            st.rerun(scope="fragment")
        _draw_imported(st.session_state[key][1])


def _draw_imported(imported: Imported) -> None:
    n_found = imported.n - imported.n_missing
    st.success(say("{site}: found {found} of {n} movies.", site=imported.site, found=n_found, n=imported.n))
    if imported.n_missing:
        st.caption(say("Not in this collection:"))
        st.dataframe(
            imported.missing.rename(columns={"title": say("title"), "year": say("year"), "stars": say("stars")}),
            hide_index=True,
            height=220,
        )
    if imported.unusable:
        st.caption(say("Skipped lines: {n:,}.", n=imported.unusable))
        st.dataframe(imported.rejected.select(["line", "reason", "text"]), hide_index=True, height=160)
