"""Words from outside, made safe for pages and Plotly labels, both of which read HTML: titles are data."""

from __future__ import annotations

import html


def hover(words: str) -> str:
    """Words for a Plotly label, which reads some HTML: on one line, letter by letter."""
    return html.escape(" ".join(words.split()), quote=False)


def cell(words: object) -> str:
    """Words for an HTML page, inside an element or a quoted attribute."""
    return html.escape(" ".join(str(words).split()))
