"""A Plotly figure on a page."""

from __future__ import annotations

import plotly.graph_objects as go
import streamlit as st


def show_chart(figure: go.Figure, *, key: str, alt: str) -> None:
    """Show a figure without Plotly's toolbar; `alt` describes it to a screen reader."""
    st.plotly_chart(figure, config={"displayModeBar": False}, key=key, alt=alt)
