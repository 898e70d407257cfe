"""What the interface says, in the language of its reader. English is the key; `chinese/` holds Simplified Chinese."""

from __future__ import annotations

import re
from typing import Any

import streamlit as st

from recsys.ui.chinese import CHINESE

ENGLISH, SIMPLIFIED_CHINESE = "English", "中文"
LANGUAGES = (ENGLISH, SIMPLIFIED_CHINESE)
KEY = "language"


def choose_language() -> None:
    """The switch between languages; a browser that asks for Chinese gets it unasked. A link carries the choice."""
    first = SIMPLIFIED_CHINESE if (st.context.locale or "").lower().startswith("zh") else ENGLISH
    st.segmented_control(
        "Language · 语言",
        LANGUAGES,
        default=first,
        required=True,
        key=KEY,
        bind="query-params",
        label_visibility="collapsed",
        width="content",
    )


def is_chinese() -> bool:
    """Whether this session reads Chinese."""
    return st.session_state.get(KEY) == SIMPLIFIED_CHINESE


def local(key: str) -> str:
    """A widget's key for this language: Streamlit keeps what a selectbox shows by its words, which a switch changes."""
    return f"{key}-zh" if is_chinese() else key


def say(english: str, **values: Any) -> str:
    """A sentence of the interface in the reader's language, with `{name}` filled in from `values`.

    Values from outside, such as titles, go through `text.plain` first where the sentence is shown as Markdown.
    """
    text = CHINESE.get(english, english) if is_chinese() else english
    return text.format(**values) if values else text


def named(words: str) -> str:
    """The name of a genre, an axis, an end of one or a cluster in the reader's language, as far as it is known there:
    "light ↔ dark" and "Horror, 1980s" are translated part by part."""
    if not is_chinese():
        return words
    if words in CHINESE:
        return CHINESE[words]
    return "".join(CHINESE.get(part, part) for part in re.split(r"( ↔ |, |: | / | \(\d+\))", words))
