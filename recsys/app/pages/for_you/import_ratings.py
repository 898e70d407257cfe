"""Import ratings that a person exported from Letterboxd or IMDb."""

from __future__ import annotations

import streamlit as st

from recsys.app.components.memory import Memory
from recsys.app.i18n.translate import say
from recsys.app.owner import told
from recsys.app.session import Loaded
from recsys.app.work import long_work
from recsys.errors import RecsysError
from recsys.ingest.exports import MAX_BYTES, read_export


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
            st.session_state[key] = (file.file_id, export, rows >= 0)
            st.rerun(scope="fragment")
        _, export, found = st.session_state[key]
        st.success(say("{site}: found {found} of {n} movies.", site=export.site, found=int(found.sum()), n=len(found)))
        if not found.all():
            st.caption(say("Not in this collection:"))
            st.dataframe(
                export.ratings.loc[~found, ["title", "year", "stars"]].rename(
                    columns={"title": say("title"), "year": say("year"), "stars": say("stars")}
                ),
                hide_index=True,
                height=220,
            )
        if export.unusable:
            st.caption(say("Skipped lines: {n:,}.", n=export.unusable))
            st.dataframe(export.rejected.select(["line", "reason", "text"]), hide_index=True, height=160)
