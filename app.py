"""The Streamlit entry: which pages there are. Run it with `recsys app`."""

from pathlib import Path

import streamlit as st

from recsys.ui import for_you

ICON = Path(__file__).parent / "recsys" / "ui" / "icon.svg"

st.set_page_config(page_title="recsys", page_icon=str(ICON), layout="wide")
st.navigation([st.Page(for_you.page, title="For you", icon=":material/movie:", default=True)]).run()
