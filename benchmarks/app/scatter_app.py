"""Serves `scatter_page.py` with the routes that our map needs, like the app's `serve.py`."""

from pathlib import Path

import streamlit as st

from recsys.app.blobs import ROUTES

app = st.App(Path(__file__).with_name("scatter_page.py"), routes=ROUTES)
