"""The tab "Your own axis": ask for an axis, see whether the space has it, keep it for the session."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import streamlit as st

from recsys.app.axis_text import (
    ends_of,
    evidence_in_short,
    evidence_of,
    joined,
    named_axes,
    spoken,
    title_of,
    why_not,
)
from recsys.app.components.memory import keep_memory
from recsys.app.components.movie_map import movie_map
from recsys.app.components.search_box import search_box
from recsys.app.escape import plain
from recsys.app.i18n.translate import say
from recsys.app.pages.dimensions.axis_facts import facts_of, plane_map
from recsys.app.pages.dimensions.axis_map import chosen_movie, known_rows, marks_of
from recsys.app.session import Loaded, own_axes
from recsys.errors import RecsysError
from recsys.plots.colours import by_axis
from recsys.space.axis import Axis
from recsys.space.evidence import ProbeEvidence
from recsys.space.probes import Question, ask, question_of

FEWEST = 2
"""Movies that an end of one's own axis needs."""
MOST = 30
UNSURE = 0.75
"""Where an interval reaches below it, the answer rests on few movies."""


@st.fragment
def draw_own_axis(loaded: Loaded) -> None:
    """Draw the tab."""
    st.caption(
        say(
            "Describe a contrast with at least {n} movies at each end, or in words. You get an axis, and a "
            "measure of how reliable it is.",
            n=FEWEST,
        )
    )
    way = st.segmented_control(
        say("How to describe the axis"), [say("With movies"), say("In words")], default=say("With movies"),
        required=True, key="ask-way", label_visibility="collapsed",
    )  # fmt: skip
    question = _question_in_words(loaded) if way == say("In words") else _question_of_movies(loaded)
    if question is not None:
        _ask(loaded, question)
    _answer(loaded)
    _kept(loaded)
    keep_memory(loaded)


def _handful(loaded: Loaded, end: str) -> list[Any]:
    """The movies collected for an end; the list may be changed."""
    return st.session_state.setdefault(f"handful-{end}-{loaded.data_name}", [])


def _question_of_movies(loaded: Loaded) -> Question | None:
    """Two handfuls of movies, and what the ends are called; the question once it is asked."""
    words = {"low": say("One end"), "high": say("The other end")}
    names: dict[str, str] = {}
    for side, end in zip(st.columns(2, gap="medium"), ("low", "high"), strict=True):
        with side, st.container(border=True, key=f"end-{end}"):
            names[end] = st.text_input(
                say("{end}: name", end=words[end]), key=f"name-{end}", max_chars=40, placeholder=say("e.g. cosy"),
                persist_state="session",
            ).strip()  # fmt: skip
            handful = _handful(loaded, end)
            search_box(
                loaded,
                say("{end}: add a movie", end=words[end]),
                key=f"add-{end}-{loaded.data_name}",
                on_pick=partial(_put, handful),
            )
            _chips(loaded, end, handful)
    low, high = (dict(known_rows(loaded, _handful(loaded, end))) for end in ("low", "high"))
    both = set(low) & set(high)
    missing = _what_is_missing(len(low), len(high), len(both))
    asked = st.button(
        say("Find this axis"),
        type="primary",
        key="ask-movies",
        icon=":material/psychology_alt:",
        disabled=missing != "",
    )
    if missing:
        st.caption(missing)
    if not asked:
        return None
    answer = np.full(len(loaded.model.catalog), np.nan)
    answer[list(low.values())] = 0
    answer[list(high.values())] = 1
    first, second = (names[end] or _first_title(loaded, found) for end, found in (("low", low), ("high", high)))
    if first == second:
        st.warning(say("Give the two ends different names."))
        return None
    return Question(first, second, answer, hand_picked=True)


def _what_is_missing(n_low: int, n_high: int, n_both: int) -> str:
    if n_both:
        return say("A movie is at both ends: remove it from one of them.")
    if min(n_low, n_high) < FEWEST:
        return say(
            "Each end needs at least {n} movies; there are {low} and {high}. Five or more give a more "
            "reliable axis.",
            n=FEWEST, low=n_low, high=n_high,
        )  # fmt: skip
    return ""


def _first_title(loaded: Loaded, handful: dict[Any, int]) -> str:
    """What an end is called that nobody named."""
    title = loaded.model.catalog.items["title"][next(iter(handful.values()))]
    return say("like {title}", title=title)


def _put(handful: list[Any], item: Any) -> None:
    if item not in handful and len(handful) < MOST:
        handful.append(item)


def _chips(loaded: Loaded, end: str, handful: list[Any]) -> None:
    with st.container(horizontal=True, gap="small", key=f"chips-{end}"):
        for item, row in known_rows(loaded, handful):
            label = str(loaded.model.catalog.labels[row])
            st.button(
                plain(label), icon=":material/close:", key=f"take-{end}-{item}", on_click=handful.remove, args=(item,)
            )  # fmt: skip
    if handful:  # not as help: it would open over the box above, where one types on
        st.caption(say("Click a title to remove it."))


def _question_in_words(loaded: Loaded) -> Question | None:
    with st.form("ask-in-words", border=False):
        text = st.text_input(
            say("One end, or two ends separated by <->"), key="ask-text", max_chars=200,
            placeholder="Comedy <-> Horror",
            help=say(
                "Genres, tags, decades or titles, separated by commas: Horror; 1940s <-> 1990s; Toy Story, "
                "Aladdin <-> Se7en, Saw. A single end is compared with all other movies."
            ),
        ).strip()  # fmt: skip
        asked = st.form_submit_button(say("Find this axis"), type="primary", icon=":material/psychology_alt:")
    genres = loaded.model.catalog.genre_names[:12]
    if genres:
        st.caption(plain(say("Examples: {genres}", genres=", ".join(genres))))
    if not asked:
        return None
    if not text:
        st.warning(say("Enter a genre, tag, decade or title, such as Horror."))
        return None
    try:
        return question_of(text, loaded.model.attributes)
    except RecsysError as error:
        st.warning(plain(str(error)))
        return None


def _ask(loaded: Loaded, question: Question) -> None:
    try:
        with st.spinner(say("Finding the axis …")):
            st.session_state[f"answer-{loaded.name}"] = ask(loaded.model.space, loaded.model.attributes, question)
    except RecsysError as error:
        st.session_state.pop(f"answer-{loaded.name}", None)
        st.warning(plain(str(error)))


def _answer(loaded: Loaded) -> None:
    """What the space said last: whether it knows, why one may believe it, the ends, and the map along it."""
    axis = st.session_state.get(f"answer-{loaded.name}")
    if not isinstance(axis, Axis) or len(axis.direction) != loaded.model.space.n_factors:
        return
    st.subheader(plain(title_of(axis)), anchor=False)
    if axis.is_valid:
        st.success(say("Found it."), icon=":material/check_circle:")
    else:
        st.warning(joined(say("Not found in this space."), plain(why_not(axis))), icon=":material/help:")
    st.markdown(plain(evidence_of(axis)))
    evidence = axis.evidence
    if axis.is_valid and isinstance(evidence, ProbeEvidence) and evidence.measure == "auc" and evidence.low < UNSURE:
        st.caption(
            say("The interval is wide because there are few movies. Add more at each end for a more reliable axis.")
        )
    low, high = ends_of(axis)
    for side, name, titles in zip(st.columns(2), (low, high), facts_of(loaded, axis)[1:], strict=True):
        side.markdown(f"**{plain(name)}**  \n" + "  \n".join(map(plain, titles)))
    own = own_axes(loaded)
    is_kept = any(axis.name == other.name for other in own)
    if axis.is_valid and not is_kept:
        st.button(
            say("Keep for this session"), key="keep-axis", icon=":material/bookmark_add:", on_click=own.append,
            args=(axis,), help=say("You can then steer your recommendations along it, and choose it in the "
                                   "tab “Plane”."),
        )  # fmt: skip
    chosen_key = f"own-chosen-{loaded.data_name}"
    shown = loaded.maps["tsne"] if "tsne" in loaded.maps else loaded.maps["pca"]
    others = [other for other in named_axes(loaded) if other.name != axis.name]
    ways = [say("Colours on the map"), *([say("The horizontal axis of a plane")] if others else [])]
    way = st.segmented_control(say("Show it as"), ways, default=ways[0], required=True, key="own-look")
    axes = None
    if way == say("The horizontal axis of a plane"):
        up = min(others, key=lambda other: abs(float(other.direction @ axis.direction)))  # says most beside it
        shown, axes = plane_map(loaded, axis, up), (axis, up)
    movie_map(
        loaded,
        shown,
        by_axis(spoken(axis), loaded.model.space),
        marks_of(loaded, chosen_key),
        key=f"own-map-{loaded.name}-{'plane' if axes else 'map'}",
        on_click=lambda item: st.session_state.update({chosen_key: item}),
        axes=None if axes is None else (spoken(axes[0]), spoken(axes[1])),
    )
    chosen_movie(loaded, chosen_key, axes or (axis,))


def _kept(loaded: Loaded) -> None:
    own = own_axes(loaded)
    if not own:
        return
    st.markdown("**" + say("Kept for this session") + "**")
    for axis in list(own):
        with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
            st.markdown(f"{plain(title_of(axis))}  \n:small[:gray[{plain(evidence_in_short(axis))}]]", width="stretch")
            st.button(
                say("Remove"), key=f"drop-{axis.name}", type="tertiary", icon=":material/close:",
                on_click=own.remove, args=(axis,),
            )  # fmt: skip
