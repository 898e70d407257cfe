"""Streamlit entry point: the pages, and the routes that serve large arrays to the maps. `recsys app` runs it."""

from pathlib import Path

import streamlit as st

from recsys.app.blobs import ROUTES

MAIN = Path(__file__).parent / "main.py"

app = st.App(MAIN, routes=ROUTES)
