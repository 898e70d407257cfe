"""Escapes text from outside, such as titles, for HTML pages and for Plotly labels, which are rendered as HTML too."""

from __future__ import annotations

import html


def hover(text: str) -> str:
    """Text for a Plotly label: HTML characters escaped, white space collapsed to one line."""
    return html.escape(" ".join(text.split()), quote=False)


def cell(text: object) -> str:
    """Text for an HTML page, inside an element or a quoted attribute."""
    return html.escape(" ".join(str(text).split()))
