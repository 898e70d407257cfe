"""Streamlit entry point: the pages, the routes that serve large arrays to the maps, and what every request passes."""

from pathlib import Path

import streamlit as st
from starlette.middleware import Middleware
from streamlit import net_util

from recsys.app.blobs import ROUTES
from recsys.app.guard import Guard

SCRIPT = Path(__file__).parent / "entry" / "script.py"
MIDDLEWARE = [Middleware(Guard)]

# A websocket with the origin of another site would make Streamlit ask a server on the internet for the address of this
# machine, and block all sessions meanwhile. It does not ask when it has an answer; no host is called "?".
net_util._external_ip = "?"

app = st.App(SCRIPT, routes=ROUTES, middleware=MIDDLEWARE)
