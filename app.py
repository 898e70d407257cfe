"""Serves the app from a checkout: `streamlit run app.py`. An installed package runs `recsys app`."""

import streamlit as st

from recsys.app.serve import MAIN, ROUTES

app = st.App(MAIN, routes=ROUTES)
