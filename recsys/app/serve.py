"""Streamlit entry point: the pages, the routes that serve large arrays to the maps, and what every request passes."""

from pathlib import Path

import streamlit as st
from starlette.middleware import Middleware

from recsys.app.blobs import ROUTES
from recsys.app.guard import Guard

SCRIPT = Path(__file__).parent / "entry" / "script.py"
MIDDLEWARE = [Middleware(Guard)]

app = st.App(SCRIPT, routes=ROUTES, middleware=MIDDLEWARE)
