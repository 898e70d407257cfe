"""The frame around every page: which pages there are, the language, the model. `app.py` serves it."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from recsys.app.i18n.translate import choose_language, say
from recsys.app.pages import batch, data, dimensions, for_you, movie, quality
from recsys.app.session import choose_model

HERE = Path(__file__).parent
PAGES = (
    ("For you", for_you, ":material/movie:"),
    ("Movie", movie, ":material/local_movies:"),
    ("Dimensions", dimensions, ":material/straighten:"),
    ("Quality", quality, ":material/monitoring:"),
    ("Data", data, ":material/database:"),
    ("Batch", batch, ":material/playlist_play:"),
)


def main() -> None:
    """Draw the frame and the page that was asked for."""
    st.set_page_config(page_title="recsys", page_icon=str(HERE / "icon.svg"), layout="wide")
    st.html(HERE / "style.css")
    with st.container(horizontal=True, horizontal_alignment="right", vertical_alignment="center", key="frame"):
        choose_model()
        choose_language()
    pages = {  # the first is the one at the app's own address
        module.URL: st.Page(module.page, title=say(title), icon=icon, url_path=module.URL or None, default=at == 0)
        for at, (title, module, icon) in enumerate(PAGES)
    }
    st.session_state["pages"] = pages  # for links from one page to another
    st.navigation(list(pages.values()), position="top").run()


if __name__ == "__main__":  # as Streamlit runs it
    main()
