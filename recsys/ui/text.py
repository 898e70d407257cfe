"""Titles and other words from outside, made safe to show: they are data, never Markdown, LaTeX or HTML."""

from __future__ import annotations

import re

_MARKDOWN = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~$:&^=@/\"'])")


def plain(words: str) -> str:
    """Words for `st.markdown` and widget labels that come out letter by letter, whatever is in them."""
    return _MARKDOWN.sub(r"\\\1", " ".join(words.split()))
