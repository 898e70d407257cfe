"""The sentences of the interface in the chosen language. The English sentence is the key; `zh/` has the Chinese."""

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
    """Draw the choice of language. The address of the page holds the choice if it is Chinese.

    A browser that prefers Chinese gets it at an address without a query; any other address without it is English.
    """
    if KEY not in st.session_state:
        wants_chinese = (st.context.locale or "").lower().startswith("zh") and not st.query_params
        is_in_address = st.query_params.get(KEY) == SIMPLIFIED_CHINESE
        st.session_state[KEY] = SIMPLIFIED_CHINESE if wants_chinese or is_in_address else ENGLISH
    st.segmented_control(
        "Language · 语言", LANGUAGES, required=True, key=KEY, label_visibility="collapsed", width="content",
        persist_state="session",
    )  # fmt: skip
    if is_chinese():
        st.query_params[KEY] = SIMPLIFIED_CHINESE
    else:
        st.query_params.pop(KEY, None)


def is_chinese() -> bool:
    """Whether the language of this session is Chinese."""
    return st.session_state.get(KEY) == SIMPLIFIED_CHINESE


def local(key: str, options: Iterable[Any]) -> str:
    """The key of a selection widget in the current language; keeps the choice when the language changes.

    Streamlit identifies an option of a selectbox by its text, which depends on the language. Pass the widget's value
    to `chosen`.
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
    """Store the value of the widget of `local(key, …)` for the other language and for later visits to the page."""
    st.session_state[f"chosen-{key}"] = value
    return value


def say(english: str, **values: Any) -> str:
    """A sentence of the interface in the current language, with `{name}` filled in from `values`.

    External values, such as titles, must go through `escape.plain` if the sentence is shown as Markdown.
    """
    text = CHINESE.get(english, english) if is_chinese() else english
    return text.format(**values) if values else text


def named(name: str) -> str:
    """The name of a genre, axis, end of an axis or cluster in the current language.

    Compound names such as "light ↔ dark" and "Horror, 1980s" are translated part by part; unknown parts stay English.
    """
    if not is_chinese():
        return name
    if name in CHINESE:
        return CHINESE[name]
    return "".join(CHINESE.get(part, part) for part in re.split(r"( ↔ |, |: | / | \(\d+\))", name))
