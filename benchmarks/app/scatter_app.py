"""Serves `scatter_page.py` with the arrays that our map fetches, as `app.py` serves the app."""

from pathlib import Path

import streamlit as st

from recsys.app.blobs import ROUTES

app = st.App(Path(__file__).with_name("scatter_page.py"), routes=ROUTES)
