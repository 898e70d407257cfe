"""The tab "Your own axis": ask for an axis, see whether the space has it, keep it for the session."""

from __future__ import annotations

from functools import partial
from typing import Any

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
from recsys.app.owner import told
from recsys.app.pages.dimensions.axis_facts import facts_of, plane_map
from recsys.app.pages.dimensions.axis_map import draw_chosen_movie, marks_of
from recsys.app.session import MAX_OWN_AXES, Loaded, own_axes
from recsys.app.work import long_work
from recsys.errors import RecsysError
from recsys.plots.colours import by_axis
from recsys.space.axis import Axis
from recsys.space.evidence import ProbeEvidence
from recsys.space.probes import ask
from recsys.space.questions import Question, question_of, question_of_items

MIN_MOVIES = 2
"""Movies that each end needs."""
MAX_MOVIES = 30
"""Movies that an end can have."""
RELIABLE_FROM = 0.75
"""With a lower bound of the AUC below this, the page says that more movies would help."""


@st.fragment
def draw_own_axis(loaded: Loaded) -> None:
    """Draw the tab."""
    st.caption(
        say(
            "Describe a contrast with at least {n} movies at each end, or in words. You get an axis, and a "
            "measure of how reliable it is.",
            n=MIN_MOVIES,
        )
    )
    way = st.segmented_control(
        say("How to describe the axis"), [say("With movies"), say("In words")], default=say("With movies"),
        required=True, key="ask-way", label_visibility="collapsed",
    )  # fmt: skip
    question = _question_in_words(loaded) if way == say("In words") else _question_from_movies(loaded)
    if question is not None:
        _find_axis(loaded, question)
    _draw_answer(loaded)
    _draw_kept_axes(loaded)
    keep_memory(loaded)


def _movies_at(loaded: Loaded, end: str) -> list[Any]:
    """Ids of the movies at an end; callers change this list."""
    return st.session_state.setdefault(f"movies-{end}-{loaded.data_name}", [])


def _question_from_movies(loaded: Loaded) -> Question | None:
    """A form with the movies and the name of each end; the question when the button is pressed, else None."""
    words = {"low": say("One end"), "high": say("The other end")}
    names: dict[str, str] = {}
    for side, end in zip(st.columns(2, gap="medium"), ("low", "high"), strict=True):
        with side, st.container(border=True, key=f"end-{end}"):
            names[end] = st.text_input(
                say("{end}: name", end=words[end]), key=f"name-{end}", max_chars=40, placeholder=say("e.g. cosy"),
                persist_state="session",
            ).strip()  # fmt: skip
            movies = _movies_at(loaded, end)
            search_box(
                loaded,
                say("{end}: add a movie", end=words[end]),
                key=f"add-{end}-{loaded.data_name}",
                on_pick=partial(_add, movies),
            )
            _draw_movies(loaded, end, movies)
    low, high = (dict(loaded.known_rows(_movies_at(loaded, end))) for end in ("low", "high"))
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
    first, second = (names[end] or _default_name(loaded, found) for end, found in (("low", low), ("high", high)))
    if first == second:
        st.warning(say("Give the two ends different names."))
        return None
    return question_of_items(first, second, list(low.values()), list(high.values()), len(loaded.model.catalog))


def _what_is_missing(n_low: int, n_high: int, n_both: int) -> str:
    if n_both:
        return say("A movie is at both ends: remove it from one of them.")
    if min(n_low, n_high) < MIN_MOVIES:
        return say(
            "Each end needs at least {n} movies; there are {low} and {high}. Five or more give a more "
            "reliable axis.",
            n=MIN_MOVIES, low=n_low, high=n_high,
        )  # fmt: skip
    return ""


def _default_name(loaded: Loaded, movies: dict[Any, int]) -> str:
    """The name of an end that the user did not name."""
    title = loaded.model.catalog.items["title"][next(iter(movies.values()))]
    return say("like {title}", title=title)


def _add(movies: list[Any], item: Any) -> None:
    if item not in movies and len(movies) < MAX_MOVIES:
        movies.append(item)


def _draw_movies(loaded: Loaded, end: str, movies: list[Any]) -> None:
    with st.container(horizontal=True, gap="small", key=f"chips-{end}"):
        for item, row in loaded.known_rows(movies):
            label = str(loaded.model.catalog.labels[row])
            st.button(
                plain(label), icon=":material/close:", key=f"take-{end}-{item}", on_click=movies.remove, args=(item,)
            )  # fmt: skip
    if movies:  # not as help: it would open over the box above, where one types on
        st.caption(say("Click a title to remove it."))


def _question_in_words(loaded: Loaded) -> Question | None:
    with st.form("ask-in-words", border=False):
        text = st.text_input(
            say("One end, or two ends separated by `<->`"), key="ask-text", max_chars=200,
            placeholder="Comedy <-> Horror",
            help=say(
                "Genres, tags, decades or titles, separated by commas: `Horror`, `1940s <-> 1990s` or "
                "`Toy Story, Aladdin <-> Se7en, Saw`. A single end is compared with all other movies."
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
        st.warning(told(error))
        return None


def _find_axis(loaded: Loaded, question: Question) -> None:
    try:
        with long_work(say("Finding the axis …")):
            st.session_state[f"answer-{loaded.name}"] = ask(loaded.model.space, loaded.model.attributes, question)
    except RecsysError as error:
        st.session_state.pop(f"answer-{loaded.name}", None)
        st.warning(told(error))


def _draw_answer(loaded: Loaded) -> None:
    """The last axis that was asked for: whether it was found, the evidence, its ends, and a map."""
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
    if (
        axis.is_valid
        and isinstance(evidence, ProbeEvidence)
        and evidence.measure == "auc"
        and evidence.low < RELIABLE_FROM
    ):
        st.caption(
            say("The interval is wide because there are few movies. Add more at each end for a more reliable axis.")
        )
    low, high = ends_of(axis)
    for side, name, titles in zip(st.columns(2), (low, high), facts_of(loaded, axis)[1:], strict=True):
        side.markdown(f"**{plain(name)}**  \n" + "  \n".join(map(plain, titles)))
    own = own_axes(loaded)
    is_kept = any(axis.name == other.name for other in own)
    if len(own) >= MAX_OWN_AXES and not is_kept:
        st.caption(say("You keep {n} axes: remove one to keep another.", n=len(own)))
    elif axis.is_valid and not is_kept:
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
        up = min(others, key=lambda other: abs(axis.cosine(other)))  # adds most to it
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
    draw_chosen_movie(loaded, chosen_key, axes or (axis,))


def _draw_kept_axes(loaded: Loaded) -> None:
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
