"""Escape titles and other external text, so that it is shown literally and never as Markdown, LaTeX or HTML."""

from __future__ import annotations

import re

# Quotation marks and hyphens inside words have no meaning in Markdown. They stay unescaped because screen readers get
# the source of a widget's label, including backslashes.
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()<>#+.!|~$:&^=@/]|(?<!\w)-|-(?!\w))")


def plain(text: str) -> str:
    """Escape text for `st.markdown` and widget labels; runs of white space become one space."""
    return _MARKDOWN.sub(r"\\\1", " ".join(text.split()))
