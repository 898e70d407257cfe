"""The Streamlit entry: the pages of `recsys/ui`, and the arrays their maps fetch. Run it with `recsys app`."""

from pathlib import Path

import streamlit as st

from recsys.ui.blobs import ROUTES

app = st.App(Path(__file__).parent / "recsys" / "ui" / "main.py", routes=ROUTES)
