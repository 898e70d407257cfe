"""The page "For you": say who you are, see what to watch, and where you stand among the movies."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from recsys.errors import RecsysError
from recsys.figures.map import Marks, map_figure
from recsys.item_map import ItemMap
from recsys.latent.map import land
from recsys.recommend import COLD, Audience, audience_of, audience_of_ratings, explain, recommend, similar
from recsys.ui.session import Loaded, choose_model
from recsys.ui.text import plain

N_RECOMMENDED = 10
N_ALIKE = 10
N_STARTERS = 5
MOST_OPTIONS = 5000
"""Titles offered while typing: the best known. Any other is found by typing it whole and pressing Enter."""
MOST_MARKED = 30
"""Rated movies marked on the map, the best rated: more would hide it."""

MAP_NAMES = {
    "tsne": "neighbourhoods (t-SNE)",
    "umap": "neighbourhoods (UMAP)",
    "pacmap": "neighbourhoods (PaCMAP)",
    "axes": "two axes",
    "pca": "overview (PCA)",
}
MAP_HINT = "Drag to move, scroll to zoom, point at a dot for its title, click it to see what is like it."


def page() -> None:
    """Draw the page."""
    loaded = choose_model()
    model = loaded.model
    st.header("For you", anchor=False)
    st.caption(
        f"{len(model.catalog):,} movies · {model.data.get('n_ratings', 0):,} ratings of "
        f"{model.data.get('n_users', 0):,} people · {plain(loaded.name)}"
    )
    left, right = st.columns([5, 6], gap="large")
    with left.container(gap="small"):
        audience, ratings, name = _who(loaded)
        table = recommend(model, audience, N_RECOMMENDED)
        _list(loaded, audience, table)
    with right:
        _map(loaded, audience, ratings, table, name)
        _alike(loaded)


# --- who --------------------------------------------------------------------------------------------------------


def _who(loaded: Loaded) -> tuple[Audience, dict[Any, float], str]:
    """Whom to recommend to, what they rated (item id → stars), and what to call them on the map."""
    ways = ["Rate movies yourself", "Look over someone's shoulder"]
    way = st.segmented_control("Who are you?", ways, default=ways[0], required=True, key="who", width="stretch")
    if way == ways[0]:
        ratings = _rate(loaded)
        return audience_of_ratings(loaded.model, ratings), ratings, "You"
    return _someone(loaded)


def _someone(loaded: Loaded) -> tuple[Audience, dict[Any, float], str]:
    if loaded.interactions is None:
        st.warning("The data this model was trained on is not where it was, so there is nobody to look at.")
        return audience_of_ratings(loaded.model, {}), {}, "You"
    interactions = loaded.interactions
    offered = interactions.user_ids[:MOST_OPTIONS].tolist()
    user = st.selectbox(
        f"One of {interactions.n_users:,} people",
        offered,
        key="user",
        accept_new_options=True,
        help="Choose an id, or type one.",
    )
    try:
        audience = audience_of(loaded.model, interactions, [user])
    except RecsysError as error:
        st.warning(plain(str(error)))
        return audience_of_ratings(loaded.model, {}), {}, "You"
    ids, stars = loaded.model.item_ids[audience.ratings.indices], audience.ratings.data
    st.caption(f"{len(ids):,} ratings, {np.mean(stars):.1f} on average" if len(ids) else "no ratings")
    return audience, dict(zip(ids.tolist(), stars.tolist(), strict=True)), f"User {user}"


def _rate(loaded: Loaded) -> dict[Any, float]:
    """Search and rate; returns item id → stars of the movies that this model knows."""
    catalog, ratings = loaded.model.catalog, _memory(loaded)["ratings"]
    order = np.argsort(-loaded.model.n_ratings, kind="stable")
    options = [int(row) for row in order[:MOST_OPTIONS]]
    found = st.selectbox(
        "Which movies have you seen?",
        options,
        index=None,
        format_func=lambda row: str(catalog.labels[row]) if isinstance(row, int) else str(row),
        placeholder="Type a title …",
        accept_new_options=True,
        key=f"search-{st.session_state.get('searches', 0)}",
    )
    rows: list[int] = []
    if isinstance(found, int):
        rows = [found]
    elif found is not None:
        rows = [int(row) for row in catalog.search(found, 5, loaded.model.n_ratings)]
        if not rows:
            st.caption(f"Nothing here is called anything like “{plain(found)}”.")
    for row in rows:
        _stars(loaded, row, "found")
    mine = [item for item in ratings if item in catalog.index]
    if not mine and not rows:
        st.caption("Or begin with some that many people know:")
        for row in _starters(loaded, order):
            _stars(loaded, row, "starter")
    if mine:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"**You rated {len(mine)}**")
            st.button("Start over", type="tertiary", icon=":material/restart_alt:", on_click=ratings.clear)
        for row in loaded.model.catalog.index.get_indexer(pd.Index(mine[::-1]))[:50]:
            _stars(loaded, int(row), "mine")
    return {item: float(ratings[item]) for item in mine}


def _starters(loaded: Loaded, order: np.ndarray) -> list[int]:
    """Well-known movies of different genres, to begin with."""
    seen: set[str] = set()
    starters: list[int] = []
    for row in order[:200]:
        genres = set(loaded.model.catalog.items["genres"][row])
        if genres - seen or not genres:
            starters.append(int(row))
            seen |= genres
        if len(starters) == N_STARTERS:
            break
    return starters


def _stars(loaded: Loaded, row: int, where: str) -> None:
    """A title with five stars to click; taking the stars back takes the rating back."""
    (item,) = loaded.model.item_ids[row : row + 1].tolist()
    key = f"{where}-{loaded.data_name}-{item}"
    ratings = _memory(loaded)["ratings"]
    if where == "mine" or key not in st.session_state:
        st.session_state[key] = int(ratings[item]) - 1 if item in ratings else None

    def rate() -> None:
        stars = st.session_state[key]
        ratings.pop(item, None)  # rated anew, it goes to the end
        if stars is not None:
            ratings[item] = stars + 1
        if where == "found":  # an answered search is empty again
            st.session_state["searches"] = st.session_state.get("searches", 0) + 1

    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute", gap="small"):
        st.markdown(plain(loaded.model.catalog.labels[row]), width="stretch")
        st.feedback("stars", key=key, on_change=rate)


# --- what to watch ----------------------------------------------------------------------------------------------


def _list(loaded: Loaded, audience: Audience, table: pd.DataFrame) -> None:
    model = loaded.model
    st.subheader("Watch next", anchor=False)
    cold = audience.origin[0] == COLD
    if cold:
        st.caption(f"{_why_cold(loaded, audience)}, so these are simply the most watched. Rate a movie or two.")
    if table.empty:
        st.info("There is nothing left to recommend: everything here has been seen.")
        return
    items = model.catalog.take(table["item_id"].to_numpy())
    reasons = explain(model, audience, table["item_id"].to_numpy(), top=2)
    scores = table["score"].to_numpy()
    for at, item in enumerate(table["item_id"].tolist()):
        because = ", ".join(model.catalog.label_of([rated for rated, _ in reasons[at]]))
        about = [plain(", ".join(items.items["genres"][at]) or "no genre")]
        if not cold:
            about.append(f"score {scores[at]:.2f}")
        lines = [f"**{at + 1} · {plain(items.labels[at])}**", f":small[:gray[{' · '.join(about)}]]"]
        if because:
            lines.append(f":small[because of {plain(because)}]")
        with st.container(border=True, horizontal=True, vertical_alignment="center", gap="small", wrap=False):
            st.markdown("  \n".join(lines), width="stretch")
            st.button(
                "Like this",
                key=f"like-{item}",
                type="tertiary",
                icon=":material/hub:",
                help="Show what is most like it",
                on_click=_focus_on,
                args=(loaded, item),
            )


def _why_cold(loaded: Loaded, audience: Audience) -> str:
    least = loaded.model.weigher.confidence.min_rating
    if audience.ratings.nnz and least is not None:
        return f"This model takes {least:g} stars or more as liking, and you gave none"
    return "Nothing is known of you yet"


# --- the map ----------------------------------------------------------------------------------------------------


def _map(loaded: Loaded, audience: Audience, ratings: dict[Any, float], table: pd.DataFrame, name: str) -> None:
    model = loaded.model
    for line in loaded.unreadable:
        st.warning(plain(line))
    if not loaded.maps:
        st.info(f"A model of the kind {plain(model.learner.name)} has no vectors, so there is no map to draw.")
        return
    methods = [m for m in MAP_NAMES if m in loaded.maps]
    method = methods[0]
    if len(methods) > 1:
        method = st.segmented_control(
            "Map", methods, default=methods[0], required=True, format_func=MAP_NAMES.__getitem__, key="map-method"
        )
    item_map = loaded.maps[str(method)]
    known = [item for item in sorted(ratings, key=lambda i: -ratings[i])][:MOST_MARKED]
    marked = _row_of(loaded, "marked")
    alike: list[Any] = []
    if marked is not None:
        alike = similar(model, model.item_ids[marked], N_ALIKE)["item_id"].tolist()
    you = None
    if audience.vectors is not None and audience.origin[0] != COLD:
        you = land(item_map, model.space, audience.vectors)[0]
    figure = map_figure(
        item_map,
        model.catalog,
        model.n_ratings,
        rated=Marks(_rows(loaded, known), [f"rated {ratings[item]:g}" for item in known]),
        recommended=Marks(_rows(loaded, table["item_id"]), [f"recommended, rank {rank}" for rank in table["rank"]]),
        neighbours=Marks(_rows(loaded, alike), [f"alike, rank {rank + 1}" for rank in range(len(alike))]),
        focus=marked,
        clusters=loaded.clusters,
        you=you,
        you_label=name,
    )
    st.plotly_chart(
        figure,
        key="map",
        on_select=lambda: _clicked(loaded),
        selection_mode="points",
        config={"scrollZoom": True, "displaylogo": False, "modeBarButtonsToRemove": ["select2d", "lasso2d"]},
        alt="All movies as dots on a plane; near dots are alike. Your ratings, recommendations and you are marked.",
    )
    st.caption(f"{MAP_HINT} {_truth_of(item_map)}")


def _truth_of(item_map: ItemMap) -> str:
    """How far a map can be believed, in a sentence; nothing where it was not measured."""
    if "recall@15" not in item_map.fidelity:
        return ""
    kept = item_map.fidelity["recall@15"]
    along = f"Across: {plain(item_map.axes[0])}. Up: {plain(item_map.axes[1])}. " if item_map.axes else ""
    return (
        f"{along}Of a movie's 15 nearest, {kept:.0%} are among its 15 nearest here (trustworthiness "
        f"{item_map.fidelity['trustworthiness']:.2f})."
    )


def _clicked(loaded: Loaded) -> None:
    """A click on a movie of the map chooses it; a click beside it keeps what was chosen."""
    points = st.session_state["map"]["selection"]["points"]
    row = clicked_row(points, len(loaded.model.item_ids))
    if row is not None:
        _focus_on(loaded, loaded.model.item_ids.tolist()[row], mark=False)


def clicked_row(points: list[dict[str, Any]], n_items: int) -> int | None:
    """The item row that a selection event names in its customdata, or None."""
    for point in points:
        value = point.get("customdata")
        value = value[0] if isinstance(value, list | tuple) and value else value
        if isinstance(value, int | float) and 0 <= value < n_items:
            return int(value)
    return None


def _focus_on(loaded: Loaded, item: Any, mark: bool = True) -> None:
    """Choose a movie, or none; `mark` also draws it and what is like it on the map.

    Streamlit draws a changed figure anew and so forgets where the map was moved to; a click on the map therefore
    changes nothing on it but the dot that was clicked, which Plotly enlarges by itself.
    """
    memory = _memory(loaded)
    memory["focus"] = item
    if mark:
        memory["marked"] = item


def _row_of(loaded: Loaded, what: str) -> int | None:
    """Row of the movie that is remembered as `focus` or `marked`, if there is one and this model knows it."""
    item = _memory(loaded)[what]
    rows = loaded.model.catalog.index.get_indexer(pd.Index([item])) if item is not None else [-1]
    return int(rows[0]) if rows[0] >= 0 else None


def _memory(loaded: Loaded) -> dict[str, Any]:
    """What this session has rated and chosen, for each data set apart: 183 is another movie in another one."""
    blank: dict[str, Any] = {"ratings": {}, "focus": None, "marked": None}
    return st.session_state.setdefault(f"memory-{loaded.data_name}", blank)


def _rows(loaded: Loaded, items: Any) -> np.ndarray:
    return loaded.model.space.item_rows(np.asarray(items)) if len(items) else np.empty(0, dtype=np.int64)


def _alike(loaded: Loaded) -> None:
    """What is most like the chosen movie."""
    focus = _row_of(loaded, "focus")
    if focus is None or not loaded.model.has_space:
        return
    model = loaded.model
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"**Like {plain(model.catalog.labels[focus])}**", width="stretch")
            st.button("Close", type="tertiary", icon=":material/close:", on_click=_focus_on, args=(loaded, None))
        if model.catalog.items["genres"][focus]:
            st.caption(plain(", ".join(model.catalog.items["genres"][focus])))
        table = similar(model, model.item_ids[focus], N_ALIKE)
        items = model.catalog.take(table["item_id"].to_numpy())
        st.dataframe(
            pd.DataFrame(
                {
                    "#": table["rank"],
                    "title": list(items.labels),
                    "similarity": table["similarity"],
                    "genres": [", ".join(g) for g in items.items["genres"]],
                }
            ),
            hide_index=True,
            column_config={
                "#": st.column_config.NumberColumn(width=40),
                "similarity": st.column_config.ProgressColumn(
                    "cosine",
                    width="small",
                    min_value=0.0,
                    max_value=1.0,
                    format="%.2f",
                    help="1: the same direction in the space",
                ),
            },
        )
