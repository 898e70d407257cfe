"""Streamlit entry point: the pages, and the routes that serve large arrays to the maps. `recsys app` runs it."""

from pathlib import Path

import streamlit as st

from recsys.app.blobs import ROUTES

SCRIPT = Path(__file__).parent / "entry" / "script.py"

app = st.App(SCRIPT, routes=ROUTES)
