"""The page "Dimensions": what the axes mean, a plane of any two, axes of one's own, and how many it takes."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from recsys import store
from recsys.app.axis_text import (
    ends_of,
    enumerated,
    evidence_in_short,
    evidence_of,
    joined,
    named_axes,
    number_of,
    spoken,
    title_of,
    too_few_known,
    why_not,
)
from recsys.app.components.memory import keep_memory, memory_of
from recsys.app.components.movie_map import Marks, movie_map
from recsys.app.components.search_box import search_box
from recsys.app.escape import plain
from recsys.app.i18n.translate import named, say
from recsys.app.session import Loaded, loaded_model, own_axes
from recsys.dataset.interactions import rows_of
from recsys.errors import InputError, RecsysError
from recsys.plots.colours import Colouring, by_axis, by_cluster
from recsys.plots.dimensions import heat_map, movie_line, movie_plane, signed
from recsys.plots.quality import dimension_curve
from recsys.space.axis import Axis
from recsys.space.item_map import ItemMap
from recsys.space.layout import make_map
from recsys.space.probes import Question, ask, question_of
from recsys.space.profile import along, best_and_overlapping, gains, genre_positions, share_of_variance, spread_over

URL = "dimensions"
PLOT = {"displayModeBar": False}
N_ENDS = 5
"""Movies shown at each end of an axis."""
FEWEST = 2
"""Movies that an end of one's own axis needs."""
MOST = 30
UNSURE = 0.75
"""Where an interval reaches below it, the answer rests on few movies."""
MOST_MARKED = 30


def page() -> None:
    """Draw the page."""
    loaded = loaded_model()
    st.header(say("Dimensions"), anchor=False)
    st.caption(
        say(
            "Every movie is a point in a space that was learned from ratings alone. An axis is a direction through it: "
            "an angle to look at movies, and to recommend from."
        )
    )
    if not loaded.maps:
        st.info(
            say("This model has no vectors, so there is no space to look at. Choose one of the kinds ials, als or bpr.")
        )
        return
    for line in loaded.unreadable:
        st.warning(plain(line))
    titles = [say("Axes"), say("Plane"), say("Your own axis"), say("Genres"), say("How many?")]
    tabs = st.tabs(titles, key="dimensions-tab", bind="query-params")
    for tab, draw in zip(tabs, (_all_axes, _plane, _own_axis, _genres, _how_many), strict=True):
        if tab.open:
            with tab:
                draw(loaded)


def _facts(loaded: Loaded, axis: Axis) -> tuple[float, list[str], list[str]]:
    """The share of the variance along an axis, and the titles at its low and at its high end."""
    return _looked_up(_version(loaded), axis.direction.tobytes(), loaded, axis)


@st.cache_resource(show_spinner=False, max_entries=1000)
def _looked_up(
    version: tuple[str, int], direction: bytes, _loaded: Loaded, _axis: Axis
) -> tuple[float, list[str], list[str]]:
    """Kept for all sessions, by model and direction."""
    model = _loaded.model
    low, high = _axis.ends(model.space, model.n_ratings, N_ENDS)
    return share_of_variance(model, _axis), list(model.catalog.labels[low]), list(model.catalog.labels[high])


@st.cache_resource(show_spinner=False, max_entries=32)
def _of_genres(
    version: tuple[str, int], directions: bytes, _loaded: Loaded, _axes: Sequence[Axis]
) -> tuple[pd.DataFrame, pd.Series]:
    """As `genre_positions`; kept likewise, never to be changed."""
    return genre_positions(_loaded.model, _axes)


@st.cache_resource(show_spinner=False, max_entries=32)
def _on_a_line(version: tuple[str, int], directions: bytes, _loaded: Loaded, _axis: Axis) -> np.ndarray:
    """As `along`; kept likewise."""
    return along(_loaded.model, _axis)


@st.cache_resource(show_spinner=False, max_entries=32)
def _on_a_plane(version: tuple[str, int], directions: bytes, _loaded: Loaded, _axes: tuple[Axis, Axis]) -> np.ndarray:
    """As `spread_over`; kept likewise."""
    return spread_over(_loaded.model, *_axes)


def _directions(axes: Sequence[Axis]) -> bytes:
    """What tells axes of one model from others."""
    return b"".join(axis.direction.tobytes() for axis in axes)


def _version(loaded: Loaded) -> tuple[str, int]:
    """What tells a model from others, and from itself before it was trained anew."""
    return str(loaded.folder), (loaded.folder / store.MANIFEST).stat().st_mtime_ns


# --- axes -------------------------------------------------------------------------------------------------------


def _no_axes(loaded: Loaded) -> bool:
    """Whether no axis has been found yet; says what to run."""
    if loaded.axes is not None:
        return False
    if (why := too_few_known(loaded)) is not None:
        st.info(plain(why))
        return True
    st.info(say("Nobody has looked for axes in this model yet. It takes some seconds to a few minutes:"))
    data = str(loaded.data_folder or "DIR")
    st.code(
        shlex.join(["recsys", "axes", "--model", str(loaded.folder), "--data", data]), language="sh", wrap_lines=True
    )
    return True


def _all_axes(loaded: Loaded) -> None:
    if _no_axes(loaded):
        return
    assert loaded.axes is not None
    asked = loaded.axes.asked
    known = [axis for axis in named_axes(loaded) if number_of(axis) is None]
    found = [axis for axis in loaded.axes.discovered if axis.is_valid]
    st.subheader(say("Asked for"), anchor=False)
    st.caption(
        say(
            "A question such as “children's or adult?” becomes a direction, if the space knows the answer. AUC: how "
            "often it puts a movie of one kind and one of the other, both unseen, in the right order; .5 is chance, 1 "
            "is always."
        )
    )
    _cards(loaded, known)
    if not known:
        st.write(say("None of the questions that were asked has an answer here."))
    unknown = [axis for axis in asked if not axis.is_valid]
    if unknown:
        st.markdown("**" + say("Not in this space") + "**")
        st.markdown("\n".join(f"- **{plain(title_of(axis))}**: {plain(why_not(axis))}" for axis in unknown))
    st.subheader(say("Discovered"), anchor=False)
    st.caption(
        say(
            "Turned so that each says one thing ({method}), without looking at genres or titles; a name is given "
            "only if it holds on movies set aside and the axis comes back in models of other people.",
            method=loaded.axes.method,
        )
    )
    _cards(loaded, found)
    if not found:
        st.write(say("None carries a name that holds."))
    unnamed = [axis for axis in loaded.axes.discovered if not axis.is_valid]
    if unnamed:
        with st.expander(
            say("Dimensions without a name that holds: {n}", n=len(unnamed)), key="unnamed", on_change="rerun"
        ) as rest:
            if rest.open:
                _unnamed(loaded, unnamed)


def _cards(loaded: Loaded, axes: Sequence[Axis]) -> None:
    """Two beside each other where there is room."""
    for at in range(0, len(axes), 2):
        for side, axis in zip(st.columns(2), axes[at : at + 2], strict=False):
            with side:
                _card(loaded, axis)


def _card(loaded: Loaded, axis: Axis) -> None:
    low, high = ends_of(axis)
    number = number_of(axis)
    along_it, *titles_at = _facts(loaded, axis)
    share = say("{share:.1%} of the variance", share=along_it)
    if number is not None:
        share = say("axis {n}", n=number) + " · " + share
    with st.container(border=True, gap="small", height="stretch"):
        with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center", gap="small"):
            st.markdown(f"**{plain(low)} ↔ {plain(high)}**", width="content")
            st.markdown(f":small[:gray[{plain(share)}]]", width="content")
        st.markdown(f":small[{plain(evidence_of(axis))}]")
        for side, name, titles in zip(st.columns(2), (low, high), titles_at, strict=True):
            side.markdown(f":small[**{plain(name)}**  \n{plain(', '.join(titles))}]")


def _unnamed(loaded: Loaded, axes: Sequence[Axis]) -> None:
    rows = []
    for axis in axes:
        _, low, high = _facts(loaded, axis)
        rows.append(
            (number_of(axis), axis.evidence["share"], axis.evidence["stability"], ", ".join(low), ", ".join(high))
        )
    st.dataframe(
        pd.DataFrame(rows, columns=["axis", "share", "stability", "low", "high"]),
        hide_index=True,
        column_config={
            "axis": st.column_config.NumberColumn(say("axis"), width="small"),
            "share": st.column_config.NumberColumn(say("variance"), format="percent", width="small"),
            "stability": st.column_config.NumberColumn(
                say("comes back"),
                format="%.2f",
                width="small",
                help=say("Likeness to its match in models of other people; from .80 on an axis counts as stable."),
            ),
            "low": st.column_config.TextColumn(say("low end"), width="large"),
            "high": st.column_config.TextColumn(say("high end"), width="large"),
        },
    )


# --- the plane --------------------------------------------------------------------------------------------------


@st.fragment
def _plane(loaded: Loaded) -> None:
    axes = {title_of(axis): axis for axis in _every_axis(loaded)}
    if len(axes) < 2 and _no_axes(loaded):
        return
    if len(axes) < 2:
        st.info(say("A plane needs two axes."))
        return
    titles = list(axes)
    across_box, up_box, colour_box = st.columns([2, 2, 1])
    across = across_box.selectbox(say("Across"), titles, index=0, key="x", bind="query-params")
    up = up_box.selectbox(say("Up"), titles, index=1, key="y", bind="query-params")
    with colour_box:
        colouring = _colouring(loaded, "plane-colour")
    if across == up:
        st.info(say("Choose two different axes: along one and the same all movies lie on a line."))
        return
    x, y = axes[str(across)], axes[str(up)]
    chosen_key = f"plane-chosen-{loaded.data_name}"
    movie_map(
        loaded,
        _positions(loaded, x, y),
        colouring,
        _marks(loaded, chosen_key),
        key=f"plane-{loaded.name}",
        on_click=lambda item: st.session_state.update({chosen_key: item}),
        axes=(spoken(x), spoken(y)),
    )
    st.caption(
        joined(
            say("In standard deviations of the movies with 20 ratings or more; the lines cross in the middle."),
            _turned(x, y),
        )
    )
    _panel(loaded, chosen_key, (x, y))
    keep_memory(loaded)


def _every_axis(loaded: Loaded) -> list[Axis]:
    """All axes, those that mean something first."""
    good = named_axes(loaded)
    names = {axis.name for axis in good}
    rest = loaded.axes.all if loaded.axes is not None else ()
    return [*good, *(axis for axis in rest if axis.name not in names)]


def _turned(x: Axis, y: Axis) -> str:
    """How far two axes say the same, in a sentence."""
    cosine = float(x.direction @ y.direction)
    if abs(cosine) < 0.2:
        return say(
            "The two are nearly at right angles (cosine {cosine:.2f}): they say different things.", cosine=cosine
        )
    if abs(cosine) < 0.6:
        return say("The two are partly alike (cosine {cosine:.2f}).", cosine=cosine)
    return say("The two say nearly the same (cosine {cosine:.2f}).", cosine=cosine)


def _positions(loaded: Loaded, x: Axis, y: Axis) -> ItemMap:
    return _made(_version(loaded), _directions([x, y]), loaded, (x, y))


@st.cache_resource(show_spinner=False, max_entries=32)
def _made(version: tuple[str, int], directions: bytes, _loaded: Loaded, _axes: tuple[Axis, Axis]) -> ItemMap:
    """Positions along two axes; kept for all sessions, by model and directions."""
    return make_map(_loaded.model.space, "axes", axes=_axes, judged=False)


def _colouring(loaded: Loaded, key: str) -> Colouring:
    ways = {
        say("Genre"): lambda: loaded.by_genre,
        say("Year of release"): lambda: loaded.by_decade,
    }
    if loaded.clusters is not None:
        clusters = loaded.clusters
        ways[say("Cluster")] = lambda: by_cluster(clusters)
    return ways[str(st.selectbox(say("Colours"), list(ways), key=key, persist_state="session"))]()


def _marks(loaded: Loaded, chosen_key: str) -> Marks:
    """The chosen movie, and what the person of this browser rated, the best rated first."""
    ratings = memory_of(loaded).ratings
    mine = sorted(ratings, key=lambda item: -ratings[item])
    rated = [(row, say("rated {stars:g}", stars=ratings[item])) for item, row in _rows(loaded, mine)[:MOST_MARKED]]
    chosen = _rows(loaded, [st.session_state.get(chosen_key)])
    return Marks(rated=rated, focus=chosen[0][1] if chosen else None)


def _rows(loaded: Loaded, items: Sequence[Any]) -> list[tuple[Any, int]]:
    """Those of the items that the model knows, each with its row."""
    index = loaded.model.catalog.index
    known = [item for item in items if item in index]
    return list(zip(known, rows_of(index, known, "item").tolist() if known else [], strict=True))


def _panel(loaded: Loaded, chosen_key: str, axes: Sequence[Axis]) -> None:
    """The movie that was clicked: what it is, where it lies, and the way to its own page."""
    found = _rows(loaded, [st.session_state.get(chosen_key)])
    if not found:
        st.caption(say("Point at a dot for its title; click it to see where it lies."))
        return
    item, row = found[0]
    with st.container(border=True, key=f"{chosen_key}-panel", gap="small"):
        st.markdown(f"**{plain(loaded.model.catalog.labels[row])}**")
        genres = " · ".join(map(named, loaded.model.catalog.items["genres"][row])) or say("no genre")
        st.caption(plain(f"{genres} · {say('{count} ratings', count=f'{loaded.model.n_ratings[row]:,}')}"))
        for axis in axes:
            low, high = ends_of(axis)
            position = axis.positions(loaded.model.space)[row]
            if np.isfinite(position):
                st.markdown(f":small[{plain(low)} ↔ {plain(high)}: **{plain(signed(position))}**]")
        pages = st.session_state["pages"]
        st.page_link(
            pages["movie"],
            label=say("All about it"),
            icon=":material/arrow_forward:",
            query_params={"movie": str(item)},
        )


# --- one's own axis ---------------------------------------------------------------------------------------------


@st.fragment
def _own_axis(loaded: Loaded) -> None:
    st.caption(
        say(
            "Ask the space whether it knows a difference that you have in mind. Put {n} movies or more on either "
            "side, or ask in words; it answers with a direction, and says how far to trust it.",
            n=FEWEST,
        )
    )
    way = st.segmented_control(
        say("How do you ask?"), [say("With movies"), say("In words")], default=say("With movies"), required=True,
        key="ask-way", label_visibility="collapsed",
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
                say("{end}: its name", end=words[end]), key=f"name-{end}", max_chars=40, placeholder=say("e.g. cosy"),
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
    low, high = (dict(_rows(loaded, _handful(loaded, end))) for end in ("low", "high"))
    both = set(low) & set(high)
    missing = _what_is_missing(len(low), len(high), len(both))
    asked = st.button(
        say("Ask the space"), type="primary", key="ask-movies", icon=":material/psychology_alt:", disabled=missing != ""
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
    return Question(first, second, answer, chosen=True)


def _what_is_missing(n_low: int, n_high: int, n_both: int) -> str:
    if n_both:
        return say("A movie stands at both ends: take it away from one.")
    if min(n_low, n_high) < FEWEST:
        return say(
            "Each end needs {n} movies or more; there are {low} and {high}. Five or more make the answer surer.",
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
        for item, row in _rows(loaded, handful):
            label = str(loaded.model.catalog.labels[row])
            st.button(
                plain(label), icon=":material/close:", key=f"take-{end}-{item}", on_click=handful.remove, args=(item,)
            )  # fmt: skip
    if handful:  # not as help: it would open over the box above, where one types on
        st.caption(say("Click a title to take it away."))


def _question_in_words(loaded: Loaded) -> Question | None:
    with st.form("ask-in-words", border=False):
        text = st.text_input(
            say("One end, or two with <-> between"), key="ask-text", max_chars=200,
            placeholder="Comedy <-> Horror",
            help=say(
                "Genres, tags, decades or titles, several parted by commas: Horror; 1940s <-> 1990s; Toy Story, "
                "Aladdin <-> Se7en, Saw. One end alone is held against all other movies."
            ),
        ).strip()  # fmt: skip
        asked = st.form_submit_button(say("Ask the space"), type="primary", icon=":material/psychology_alt:")
    genres = loaded.model.catalog.genre_names[:12]
    if genres:
        st.caption(plain(say("For instance: {genres}", genres=", ".join(genres))))
    if not asked:
        return None
    if not text:
        st.warning(say("Write what to ask for, such as Horror."))
        return None
    try:
        return question_of(text, loaded.model.catalog, loaded.model.attributes)
    except RecsysError as error:
        st.warning(plain(str(error)))
        return None


def _ask(loaded: Loaded, question: Question) -> None:
    try:
        with st.spinner(say("Asking …")):
            st.session_state[f"answer-{loaded.name}"] = ask(loaded.model, question)
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
        st.success(say("The space knows this."), icon=":material/check_circle:")
    else:
        st.warning(joined(say("Not in this space."), plain(why_not(axis))), icon=":material/help:")
    st.markdown(plain(evidence_of(axis)))
    if axis.is_valid and axis.evidence["low"] < UNSURE and axis.evidence["measure"] == "auc":
        st.caption(say("The interval is wide, for the movies are few: more at each end would make the answer surer."))
    low, high = ends_of(axis)
    for side, name, titles in zip(st.columns(2), (low, high), _facts(loaded, axis)[1:], strict=True):
        side.markdown(f"**{plain(name)}**  \n" + "  \n".join(map(plain, titles)))
    own = own_axes(loaded)
    is_kept = any(axis.name == other.name for other in own)
    if axis.is_valid and not is_kept:
        st.button(
            say("Keep it for this session"), key="keep-axis", icon=":material/bookmark_add:", on_click=own.append,
            args=(axis,), help=say("To steer along it on the page “For you”, and to choose it for the plane."),
        )  # fmt: skip
    chosen_key = f"own-chosen-{loaded.data_name}"
    shown = loaded.maps["tsne"] if "tsne" in loaded.maps else loaded.maps["pca"]
    others = [other for other in named_axes(loaded) if other.name != axis.name]
    ways = [say("Coloured on the map"), *([say("Across a plane")] if others else [])]
    way = st.segmented_control(say("How to look at it"), ways, default=ways[0], required=True, key="own-look")
    axes = None
    if way == say("Across a plane"):
        up = min(others, key=lambda other: abs(float(other.direction @ axis.direction)))  # says most beside it
        shown, axes = _positions(loaded, axis, up), (axis, up)
    movie_map(
        loaded,
        shown,
        by_axis(spoken(axis), loaded.model.space),
        _marks(loaded, chosen_key),
        key=f"own-map-{loaded.name}-{'plane' if axes else 'map'}",
        on_click=lambda item: st.session_state.update({chosen_key: item}),
        axes=None if axes is None else (spoken(axes[0]), spoken(axes[1])),
    )
    _panel(loaded, chosen_key, axes or (axis,))


def _kept(loaded: Loaded) -> None:
    own = own_axes(loaded)
    if not own:
        return
    st.markdown("**" + say("Kept for this session") + "**")
    for axis in list(own):
        with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
            st.markdown(f"{plain(title_of(axis))}  \n:small[:gray[{plain(evidence_in_short(axis))}]]", width="stretch")
            st.button(
                say("Let it go"), key=f"drop-{axis.name}", type="tertiary", icon=":material/close:",
                on_click=own.remove, args=(axis,),
            )  # fmt: skip


# --- genres -----------------------------------------------------------------------------------------------------


def _genres(loaded: Loaded) -> None:
    axes = named_axes(loaded)
    if not axes and _no_axes(loaded):
        return
    if not axes:
        st.info(say("No axis has a name yet."))
        return
    table, n = _of_genres(_version(loaded), _directions(axes), loaded, axes)
    if table.empty:
        st.info(say("No genre has ten movies that are known well enough."))
        return
    st.caption(
        say(
            "Where the movies of a genre lie on average, in standard deviations: purple towards the second end of an "
            "axis, orange towards the first, near nothing where the axis does not part the genre from others. Movies "
            "with 20 ratings or more; genres and axes stand beside those that are like them."
        )
    )
    ends = [ends_of(axes[int(at)]) for at in table.columns]
    said = [
        [
            say(
                "{genre}, {n} movies: {value} from {low} to {high}",
                genre=named(genre), n=n[genre], value=signed(value), low=low, high=high,
            )
            for value, (low, high) in zip(row, ends, strict=True)
        ]
        for genre, row in zip(table.index, table.to_numpy(), strict=True)
    ]  # fmt: skip
    st.plotly_chart(
        heat_map(
            table.to_numpy(), [named(genre) for genre in table.index], [f"{low} → {high}" for low, high in ends], said
        ),
        config=PLOT,
        key="heat-map",
        alt=say("Mean position of each genre along each axis; the table below holds the same numbers"),
    )
    with st.expander(say("As a table"), key="genre-table", on_change="rerun") as rest:
        if rest.open:
            shown = table.set_axis([title_of(axes[int(at)]) for at in table.columns], axis=1)
            shown.insert(0, say("movies"), n)
            st.dataframe(
                shown.rename(index=named).rename_axis(say("genre")).reset_index(),
                hide_index=True,
                column_config={name: st.column_config.NumberColumn(format="%.2f") for name in shown.columns[1:]},
            )


# --- how many ---------------------------------------------------------------------------------------------------


def _how_many(loaded: Loaded) -> None:
    axes = named_axes(loaded)
    try:
        found = store.stored_report(loaded.folder)
    except InputError as error:
        st.warning(plain(str(error)))
        found = None
    rows = found["dimensions"] if found is not None else []
    quality = {row["n_factors"]: row["ndcg@10"] for row in rows}
    if axes:
        left, right = st.columns(2, gap="large")
        with left:
            _line(loaded, axes[0], quality)
        if len(axes) > 1:
            with right:
                _small_plane(loaded, axes[0], axes[1], quality)
    st.subheader(say("{d} axes", d=loaded.model.space.n_factors), anchor=False)
    st.markdown(
        say(
            "This model places every movie along {d} axes at once. Each is an angle to recommend from: two movies may "
            "agree in one and differ in the next, and a taste is a direction through all of them.",
            d=loaded.model.space.n_factors,
        )
    )
    if not rows and (why := too_few_known(loaded)) is not None:
        st.info(plain(why))
        return
    if not rows:
        st.info(say("How much each added dimension brings has not been measured for this model. To measure it:"))
        data = str(loaded.data_folder or "DIR")
        st.code(
            shlex.join(["recsys", "report", "--model", str(loaded.folder), "--data", data]),
            language="sh",
            wrap_lines=True,
        )
        return
    st.markdown(_which_is_best(rows))
    curve, table = st.columns(2, gap="medium")
    curve.plotly_chart(
        dimension_curve(rows, loaded.model.space.n_factors, across=say("dimensions"), here=say("this model")),
        config=PLOT,
        key="dimension-curve",
        alt=say("nDCG@10 by the number of dimensions, with 95 % intervals"),
    )
    with table:
        _added(rows)
    st.caption(
        say(
            "nDCG@10: how well the ten best of a list fit what people rated and the model had not seen, 1 at best. "
            "For each number the model was trained anew on four fifths of each person's ratings and judged by the rest."
        )
    )


def _line(loaded: Loaded, axis: Axis, quality: dict[int, float]) -> None:
    low, high = ends_of(axis)
    st.subheader(say("One axis: a line"), anchor=False)
    words = say("All movies in one order, from {low} to {high}.", low=low, high=high)
    if 1 in quality:
        words = joined(words, say("A model of one dimension reaches nDCG@10 {value:.3f}.", value=quality[1]))
    st.markdown(plain(words))
    rows = _on_a_line(_version(loaded), _directions([axis]), loaded, axis)
    labels = list(loaded.model.catalog.labels[rows])
    st.plotly_chart(
        movie_line(axis.positions(loaded.model.space)[rows], labels, low, high),
        config=PLOT, key="line",
        alt=say("From {low} to {high}: {titles}", low=low, high=high, titles=", ".join(labels)),
    )  # fmt: skip


def _small_plane(loaded: Loaded, across: Axis, up: Axis, quality: dict[int, float]) -> None:
    st.subheader(say("Two axes: a plane"), anchor=False)
    words = say("A second axis parts what the first has mixed.")
    if 1 in quality and 2 in quality:
        gained = quality[2] - quality[1]
        words = joined(
            words, say("A model of two dimensions reaches {value:.3f}: {gain:+.3f}.", value=quality[2], gain=gained)
        )
    st.markdown(plain(words))
    rows = _on_a_plane(_version(loaded), _directions([across, up]), loaded, (across, up))
    space, labels = loaded.model.space, loaded.model.catalog.items["title"].iloc[rows].tolist()
    places = np.column_stack([axis.positions(space)[rows] for axis in (across, up)])
    st.plotly_chart(
        movie_plane(places, labels, ends_of(across), ends_of(up)), config=PLOT, key="small-plane",
        alt=say("Well-known movies on a plane of two axes: {titles}", titles=", ".join(labels)),
    )  # fmt: skip


def _which_is_best(rows: Sequence[dict[str, Any]]) -> str:
    """Which number of dimensions is best, if one can say so, in a sentence."""
    best, overlapping = best_and_overlapping(rows)
    if len(rows) == 1:
        return say("Only one number of dimensions was tried: {best}.", best=best)
    if not overlapping:
        return say("**Best of those tried: {best}**, by more than luck: no other 95 % interval reaches its.", best=best)
    tried = [row["n_factors"] for row in rows]
    places = sorted(tried.index(n) for n in (best, *overlapping))
    first, last = tried[places[0]], tried[places[-1]]
    others = enumerated([str(tried[at]) for at in places[:-1]])
    is_a_run = len(places) > 2 and places == list(range(places[0], places[-1] + 1))
    numbers = (
        say("{first} to {last}", first=first, last=last)
        if is_a_run
        else say("{others} and {last}", others=others, last=last)
    )
    return say(
        "**The 95 % intervals of {numbers} dimensions overlap**: which of them is best cannot be said. The highest "
        "mean is that of {best}.",
        numbers=numbers, best=best,
    )  # fmt: skip


def _added(rows: Sequence[dict[str, Any]]) -> None:
    """What added dimensions bring, as a table."""
    heads = [say("dimensions"), "nDCG@10", say("gained"), say("by each added")]
    lines = [" | ".join(heads), "--: | --: | --: | --:", f"{rows[0]['n_factors']} | {rows[0]['ndcg@10']:.3f} | | "]
    for row, step in zip(rows[1:], gains(rows).to_dict("records"), strict=True):
        gained, each = round(step["gain"], 3) + 0.0, round(step["each"], 4) + 0.0  # + 0 makes −0 a 0
        lines.append(f"{row['n_factors']} | {row['ndcg@10']:.3f} | {gained:+.3f} | {each:+.4f}")
    st.markdown("\n".join(f"| {line} |" for line in lines))
