"""Titles and other words from outside, made safe to show: they are data, never Markdown, LaTeX or HTML."""

from __future__ import annotations

import re

# Quotation marks mean nothing in Markdown, nor does a hyphen inside a word: a screen reader, which gets the label of a
# widget as it is written, is spared their backslashes.
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()<>#+.!|~$:&^=@/]|(?<!\w)-|-(?!\w))")


def plain(words: str) -> str:
    """Words for `st.markdown` and widget labels that come out letter by letter, whatever is in them."""
    return _MARKDOWN.sub(r"\\\1", " ".join(words.split()))
