"""Serves the app from a checkout: `streamlit run app.py`. An installed package runs `recsys app`."""

import streamlit as st

from recsys.app.serve import MIDDLEWARE, ROUTES, SCRIPT

app = st.App(SCRIPT, routes=ROUTES, middleware=MIDDLEWARE)
