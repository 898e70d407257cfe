"""What the interface says, in the language of its reader. English is the key; `chinese/` holds Simplified Chinese."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import streamlit as st

from recsys.app.i18n.zh import CHINESE

ENGLISH, SIMPLIFIED_CHINESE = "English", "中文"
LANGUAGES = (ENGLISH, SIMPLIFIED_CHINESE)
KEY = "language"


def choose_language() -> None:
    """The switch between languages. A link carries Chinese, so one without it is English; a browser that asks for
    Chinese gets it unasked at the bare address."""
    if KEY not in st.session_state:
        wants_chinese = (st.context.locale or "").lower().startswith("zh") and not st.query_params
        is_asked = st.query_params.get(KEY) == SIMPLIFIED_CHINESE
        st.session_state[KEY] = SIMPLIFIED_CHINESE if wants_chinese or is_asked else ENGLISH
    st.segmented_control(
        "Language · 语言", LANGUAGES, required=True, key=KEY, label_visibility="collapsed", width="content",
        persist_state="session",
    )  # fmt: skip
    if is_chinese():
        st.query_params[KEY] = SIMPLIFIED_CHINESE
    else:
        st.query_params.pop(KEY, None)


def is_chinese() -> bool:
    """Whether this session reads Chinese."""
    return st.session_state.get(KEY) == SIMPLIFIED_CHINESE


def local(key: str, options: Iterable[Any]) -> str:
    """The key of a widget that offers options, in this language; what was chosen in another one stays chosen.

    Streamlit keeps what a selectbox shows by its words, which a switch of language changes. Call `chosen` with what
    the widget gives.
    """
    here = f"{key}-zh" if is_chinese() else key
    kept = st.session_state.get(f"chosen-{key}")
    if here not in st.session_state and kept is not None:
        offered = list(options)
        kept = [value for value in kept if value in offered] if isinstance(kept, list) else kept
        if isinstance(kept, list) or kept in offered:
            st.session_state[here] = kept
    return here


def chosen(key: str, value: Any) -> Any:
    """Keep what was chosen in the widget of `local(key, …)`, for the other language and for when the page is back."""
    st.session_state[f"chosen-{key}"] = value
    return value


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
