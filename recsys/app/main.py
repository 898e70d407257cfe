"""The frame around every page: navigation, choice of model and language."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from recsys.app.i18n.translate import choose_language, say
from recsys.app.owner import draw_sign_in
from recsys.app.pages import batch, data, dimensions, for_you, movie, quality
from recsys.app.session import choose_model

HERE = Path(__file__).parent


def main() -> None:
    """Draw the frame and the requested page."""
    st.set_page_config(page_title="recsys", page_icon=str(HERE / "icon.svg"), layout="wide")
    st.html(HERE / "style.css")
    with st.container(horizontal=True, horizontal_alignment="right", vertical_alignment="center", key="frame"):
        draw_sign_in()
        choose_model()
        choose_language()
    pages = {
        for_you.URL: st.Page(for_you.page, title=say("For you"), icon=":material/movie:", default=True),
        movie.URL: st.Page(movie.page, title=say("Movie"), icon=":material/local_movies:", url_path=movie.URL),
        dimensions.URL: st.Page(
            dimensions.page, title=say("Dimensions"), icon=":material/straighten:", url_path=dimensions.URL
        ),
        quality.URL: st.Page(quality.page, title=say("Quality"), icon=":material/monitoring:", url_path=quality.URL),
        data.URL: st.Page(data.page, title=say("Data"), icon=":material/database:", url_path=data.URL),
        batch.URL: st.Page(batch.page, title=say("Batch"), icon=":material/playlist_play:", url_path=batch.URL),
    }
    st.session_state["pages"] = pages  # for links from one page to another
    st.navigation(list(pages.values()), position="top").run()
