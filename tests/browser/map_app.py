"""Serves map_page.py with the arrays that the map fetches, as app.py serves the app."""

from pathlib import Path

import streamlit as st

from recsys.app.blobs import ROUTES

app = st.App(Path(__file__).with_name("map_page.py"), routes=ROUTES)
