"""The page "For you": say who you are, see what to watch and why, and where you stand among the movies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from recsys.app.axis_text import ends_of, evidence_in_short, named_axes, spoken, title_of
from recsys.app.components.memory import Hidden, Memory, keep_memory, memory_of
from recsys.app.components.movie_map import Marks, movie_map
from recsys.app.components.search_box import search_box
from recsys.app.components.stars import stars
from recsys.app.escape import plain
from recsys.app.i18n.translate import chosen, local, named, say
from recsys.app.notices import explain_missing_data, explain_missing_vectors
from recsys.app.session import Loaded, loaded_model
from recsys.errors import RecsysError, UnknownId
from recsys.ingest.exports import MAX_BYTES, read_export
from recsys.models import COLD, UserBatch
from recsys.plots.colours import Colouring, by_axis
from recsys.recommend.rerank import rerank
from recsys.recommend.steer import FARTHEST, shifted
from recsys.recommend.topn import batch_of_ratings, batch_of_users, explain, similar
from recsys.space.axis import Axis
from recsys.space.item_map import ItemMap
from recsys.space.layout import land

URL = ""
YOURSELF, SOMEONE = "yourself", "someone"
N_RECOMMENDED = 10
N_ALIKE = 10
N_STARTERS = 5
ENOUGH_RATED = 3
"""Ratings from which on nobody needs to be offered well-known movies."""
N_LISTED = 5
"""Ratings that are listed before one asks for all."""
MOST_LISTED = 200
MOST_MARKED = 30
"""Rated movies marked on the map, the best rated: more would hide it."""


@dataclass(frozen=True)
class Wishes:
    """What the list is to be like, besides to the taste of its reader."""

    allowed: np.ndarray
    novelty: float = 0.0
    diversity: float = 0.0
    shifts: tuple[tuple[Axis, float], ...] = ()


def page() -> None:
    """Draw the page."""
    loaded = loaded_model()
    model = loaded.model
    st.header(say("For you"), anchor=False)
    st.caption(
        say(
            "{movies:,} movies · {ratings:,} ratings of {users:,} people",
            movies=len(model.catalog),
            ratings=model.data.get("n_ratings", 0),
            users=model.data.get("n_users", 0),
        )
        + f" · {plain(loaded.name)}"
    )
    _body(loaded)


@st.fragment
def _body(loaded: Loaded) -> None:
    """All that a rating changes: drawn anew in one go, the frame around it is not."""
    left, right = st.columns([5, 6], gap="large")
    with left:
        batch, rated, label = _who(loaded)
        wishes = _wishes(loaded, batch)
        table = _list(loaded, batch, wishes)
    with right.container(key="beside"):
        if loaded.maps:
            _map(loaded, batch, rated, table, label)
            _chosen(loaded)
        else:
            explain_missing_vectors()
    keep_memory(loaded)


# --- who --------------------------------------------------------------------------------------------------------


def _who(loaded: Loaded) -> tuple[UserBatch, dict[Any, float], str]:
    """Whom to recommend to, what they rated (item id → stars), and what to call them on the map."""
    words = {YOURSELF: say("Rate movies"), SOMEONE: say("Look over a shoulder")}
    way = st.segmented_control(
        say("Who are you?"),
        list(words),
        default=SOMEONE if "user" in st.query_params else YOURSELF,
        format_func=words.__getitem__,
        required=True,
        key="who",
        width="stretch",
        persist_state="session",
    )
    return _yourself(loaded) if way == YOURSELF else _someone(loaded)


def _yourself(loaded: Loaded) -> tuple[UserBatch, dict[Any, float], str]:
    memory = memory_of(loaded)
    search_box(
        loaded,
        say("Which movies have you seen?"),
        key=f"search-{loaded.data_name}",
        on_pick=lambda item: _find(loaded, item),
    )
    found = st.session_state.get(f"found-{loaded.data_name}")
    mine = {item: rating for item, rating in memory.ratings.items() if item in loaded.model.catalog.index}
    # Every part is there at every run, if only empty: what moved in the page would be made anew, and an open popover
    # would close.
    with st.container():
        if found is not None and found in loaded.model.catalog.index and found not in mine:
            with st.container(border=True, key="found"):
                _row(loaded, found, where="found")
        elif len(mine) < ENOUGH_RATED:
            st.caption(say("Or begin with some that many people know:"))
            with st.container(key="starters"):
                for item in _starters(loaded):
                    _row(loaded, item, where="starter")
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(f"**{say('You rated {n}', n=len(mine))}**" if mine else say("Nothing rated yet"), width="stretch")
        _import(loaded, memory)
        if mine or memory.hidden:
            st.button(
                say("Start over"), type="tertiary", icon=":material/restart_alt:", on_click=_start_over, args=(loaded,)
            )
    _mine(loaded, memory, mine)
    return batch_of_ratings(loaded.model, mine), mine, say("You")


def _start_over(loaded: Loaded) -> None:
    memory_of(loaded).clear()
    st.session_state.pop(f"found-{loaded.data_name}", None)


def _find(loaded: Loaded, item: Any) -> None:
    """A movie that was found is rated, or its rating changed."""
    st.session_state[f"found-{loaded.data_name}"] = item
    memory = memory_of(loaded)
    if item in memory.ratings:  # to the head of the list
        memory.rate(item, memory.ratings[item])


def _mine(loaded: Loaded, memory: Memory, mine: dict[Any, float]) -> None:
    """What was rated, the latest first, and what is hidden."""
    newest = list(mine)[::-1]
    with st.container(key="mine"):
        for item in newest[:N_LISTED]:
            _row(loaded, item, where="mine")
    rest_of_mine, left_out = st.container(), st.container()
    if len(newest) > N_LISTED:
        more = min(len(newest), MOST_LISTED) - N_LISTED
        with rest_of_mine.expander(say("{n} before these", n=more), key="all-mine", on_change="rerun") as rest:
            if rest.open:
                for item in newest[N_LISTED:MOST_LISTED]:
                    _row(loaded, item, where="mine")
    hidden = [item for item in memory.hidden if item in loaded.model.catalog.index and item not in memory.ratings]
    if hidden:
        with left_out.expander(say("{n} left out of the list", n=len(hidden)), key="hidden"):
            for item, label in zip(hidden, loaded.model.catalog.label_of(hidden), strict=True):
                with st.container(horizontal=True, vertical_alignment="center"):
                    why = say("seen") if memory.hidden[item] == "seen" else say("not for me")
                    st.markdown(f"{plain(label)}  \n:small[:gray[{why}]]", width="stretch")
                    st.button(
                        say("Bring back"), key=f"back-{item}", type="tertiary", on_click=memory.hide, args=(item, None)
                    )


def _row(loaded: Loaded, item: Any, *, where: str) -> None:
    """A title with its stars."""
    (label,) = loaded.model.catalog.label_of([item])
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute", gap="small"):
        st.markdown(plain(label), width="stretch")
        stars(loaded, item, where=where)


def _starters(loaded: Loaded) -> list[Any]:
    """Well-known movies of different genres, to begin with."""
    catalog = loaded.model.catalog
    seen: set[str] = set()
    starters: list[int] = []
    for row in np.argsort(-loaded.model.n_ratings, kind="stable")[:200]:
        genres = set(catalog.items["genres"][row])
        if genres - seen or not genres:
            starters.append(int(row))
            seen |= genres
        if len(starters) == N_STARTERS:
            break
    return catalog.item_ids[starters].tolist()


def _import(loaded: Loaded, memory: Memory) -> None:
    """Take ratings over from Letterboxd or IMDb."""
    with st.popover(say("Import"), icon=":material/upload:", type="tertiary"):
        st.markdown(
            say(
                "Your ratings from Letterboxd (Settings → Data → Export: ratings.csv, or the whole zip) or IMDb "
                "(Your ratings → Export). They are stored in your browser only."
            )
        )
        file = st.file_uploader(
            say("Ratings file"),
            type=["csv", "zip"],
            key=f"import-{loaded.data_name}",
            max_upload_size=MAX_BYTES // 2**20,
        )
        if file is None:
            return
        name = f"imported-{loaded.data_name}"
        if st.session_state.get(name, (None,))[0] != file.file_id:  # once a file, not once a rerun
            try:
                export = read_export(file.getvalue(), file.name)
            except RecsysError as error:
                st.error(plain(str(error)))
                return
            rows = export.match(loaded.model.catalog, loaded.model.n_ratings)
            for row, given in zip(rows, export.ratings["stars"], strict=True):
                if row >= 0:
                    memory.rate(loaded.model.item_ids[row : row + 1].tolist()[0], float(given))
            st.session_state[name] = (file.file_id, export, rows >= 0)
            st.rerun(scope="fragment")
        _, export, known = st.session_state[name]
        st.success(
            say("{site}: {found} of {n} movies are known here.", site=export.site, found=int(known.sum()), n=len(known))
        )
        if not known.all():
            st.caption(say("Not known here:"))
            st.dataframe(
                export.ratings.loc[~known, ["title", "year", "stars"]].rename(
                    columns={"title": say("title"), "year": say("year"), "stars": say("stars")}
                ),
                hide_index=True,
                height=220,
            )
        if len(export.rejected):
            st.caption(say("Lines that could not be used:"))
            st.dataframe(export.rejected.select(["line", "reason", "text"]), hide_index=True, height=160)


def _someone(loaded: Loaded) -> tuple[UserBatch, dict[Any, float], str]:
    nobody: tuple[UserBatch, dict[Any, float], str] = batch_of_ratings(loaded.model, {}), {}, say("You")
    if loaded.interactions is None:
        explain_missing_data(loaded)
        return nobody
    ids = loaded.interactions.user_ids

    def anyone() -> None:
        st.session_state["user"] = str(np.random.default_rng().choice(ids))

    with st.container(horizontal=True, vertical_alignment="bottom"):
        typed = st.text_input(
            say("One of {n:,} people: type an id", n=len(ids)), str(ids[0]), key="user", bind="query-params"
        ).strip() or str(ids[0])
        st.button(say("Someone else"), icon=":material/casino:", on_click=anyone)
    try:
        user = int(typed) if ids.dtype.kind == "i" and typed.lstrip("-").isdecimal() and len(typed) < 19 else typed
        batch = batch_of_users(loaded.model, loaded.interactions, [user])
    except UnknownId:
        st.warning(say("There is nobody with the id {id}.", id=plain(typed[:60])))
        return nobody
    items, values = loaded.model.item_ids[batch.ratings.indices], batch.ratings.data
    st.caption(
        say("{n:,} ratings, {mean:.1f} on average", n=len(items), mean=float(np.mean(values)))
        if len(items)
        else say("no ratings")
    )
    return batch, dict(zip(items.tolist(), values.tolist(), strict=True)), say("User {id}", id=typed)


# --- what the list is to be like --------------------------------------------------------------------------------


def _wishes(loaded: Loaded, batch: UserBatch) -> Wishes:
    """Filters, the sliders, and the axes to steer along; each in a popover, so that the list stays in view."""
    catalog, counts = loaded.model.catalog, loaded.model.n_ratings
    known = catalog.years[~np.isnan(catalog.years)]
    with st.container(horizontal=True, gap="small"):
        with st.popover(say("Filter"), icon=":material/filter_alt:"):
            key, offered = f"genres-{loaded.data_name}", list(catalog.genre_names)
            genres = chosen(key, st.multiselect(say("Genres"), offered, key=local(key, offered), format_func=named))
            years = None
            if len(known) and known.min() < known.max():
                first, last = int(known.min()), int(known.max())
                key = f"years-{loaded.data_name}"
                if key in st.session_state:  # chosen for the same data as they were before
                    low, high = st.session_state[key]
                    if not first <= low <= high <= last:
                        st.session_state[key] = (first, last)
                between = st.slider(say("Years"), first, last, (first, last), key=key, persist_state="session")
                years = between if between != (first, last) else None
            key, steps = f"fewest-{loaded.data_name}", _steps(int(counts.max()))
            if st.session_state.get(key, 0) not in steps:
                st.session_state[key] = 0
            fewest = st.select_slider(say("At least this many ratings"), steps, key=key, persist_state="session")
        with st.popover(say("Surprise"), icon=":material/auto_awesome:"):
            novelty = st.slider(
                say("Novelty"),
                0.0, 1.0, 0.0, 0.1, key="novelty", persist_state="session",
                help=say("To the right, movies that fewer people know."),
            )  # fmt: skip
            diversity = 0.0
            if loaded.model.has_space:
                diversity = st.slider(
                    say("Diversity"),
                    0.0, 1.0, 0.0, 0.1, key="diversity", persist_state="session",
                    help=say("To the right, movies that are less like each other."),
                )  # fmt: skip
        shifts = _steering(loaded, batch)
    allowed = catalog.where(genres, years) & (counts >= fewest)
    allowed[[row for _, row in _rows(loaded, list(_hidden(loaded)))]] = False
    region = _region(loaded)
    if region is not None:
        allowed &= region
    return Wishes(allowed, novelty, diversity, shifts)


def _hidden(loaded: Loaded) -> dict[Any, Hidden]:
    if st.session_state.get("who") == SOMEONE:
        return {}
    index = loaded.model.catalog.index
    return {item: why for item, why in memory_of(loaded).hidden.items() if item in index}


def _steps(most: int) -> list[int]:
    """0, 1, 2, 5, 10, … up to the count of the best-known movie."""
    return [0] + [step * 10**power for power in range(8) for step in (1, 2, 5) if step * 10**power <= most]


def _steering(loaded: Loaded, batch: UserBatch) -> tuple[tuple[Axis, float], ...]:
    axes = named_axes(loaded)
    shifts = []
    with st.popover(say("Steer"), icon=":material/explore:"):
        if not loaded.model.has_space:
            st.caption(say("A model without vectors cannot be steered."))
        elif not axes:
            st.markdown(say("No axis has a name yet. Find them with"))
            st.code(f"recsys axes --model {loaded.folder} --data {loaded.data_folder or 'DIR'}", language="sh")
        elif batch.origin[0] == COLD:
            st.caption(say("There is nothing to steer until something is known of your taste."))
        else:
            st.caption(say("Move your taste along an axis; 1 is as far as the taste itself is strong."))
            for axis in axes:
                amount = st.slider(
                    plain(" ↔ ".join(ends_of(axis))), -FARTHEST, FARTHEST, 0.0, 0.5, format="%+.1f",
                    key=f"steer-{loaded.name}-{axis.name}", persist_state="session",
                )  # fmt: skip
                st.caption(say("{evidence} on movies it had not seen", evidence=evidence_in_short(axis)))
                if amount:
                    shifts.append((axis, amount))
    return tuple(shifts)


# --- what to watch ----------------------------------------------------------------------------------------------


def _list(loaded: Loaded, batch: UserBatch, wishes: Wishes) -> pd.DataFrame:
    """The list, drawn; returns it."""
    model = loaded.model
    cold = batch.origin[0] == COLD
    moved = shifted(model, batch, wishes.shifts) if wishes.shifts and not cold else batch
    table = rerank(
        model, moved, N_RECOMMENDED, novelty=wishes.novelty, diversity=wishes.diversity, allowed=wishes.allowed
    )
    st.subheader(say("Watch next"), anchor=False)
    if cold:
        st.caption(_why_cold(loaded, batch))
    if _outline(loaded) is not None:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.caption(say("Only from the region you drew on the map."), width="stretch")
            st.button(say("Everywhere again"), type="tertiary", on_click=_set_region, args=(loaded, None, None))
    if table.empty:
        st.info(say("There is nothing left to recommend. Loosen a filter, or give up the region."))
        return table
    items = model.catalog.take(table["item_id"].to_numpy())
    reasons = explain(model, batch, table["item_id"].to_numpy(), top=2)
    with st.container(key="recommended", gap="small"):
        for at, item in enumerate(table["item_id"].tolist()):
            because = model.catalog.label_of([rated for rated, _ in reasons[at]]) if reasons[at] else []
            _card(loaded, item, f"{at + 1} · {items.labels[at]}", items.items["genres"][at], because)
    return table


def _card(loaded: Loaded, item: Any, title: str, genres: Sequence[str], because: Sequence[str]) -> None:
    lines = [f"**{plain(title)}**", f":small[:gray[{plain(' · '.join(map(named, genres)) or say('no genre'))}]]"]
    if because:
        lines.append(f":small[{say('because of {titles}', titles=plain(', '.join(because)))}]")
    memory = memory_of(loaded)
    with st.container(border=True, gap=None):
        st.markdown("  \n".join(lines))
        with st.container(horizontal=True, gap="small"):
            if loaded.model.has_space:
                st.button(
                    say("More like this"), key=f"like-{item}", type="tertiary", icon=":material/hub:",
                    on_click=_choose, args=(loaded, item),
                )  # fmt: skip
            if st.session_state.get("who") != SOMEONE:
                st.button(
                    say("Not for me"), key=f"not-{item}", type="tertiary", icon=":material/block:",
                    on_click=memory.hide, args=(item, "not for me"), help=say("Leave it out from now on"),
                )  # fmt: skip
                st.button(
                    say("Seen it"), key=f"seen-{item}", type="tertiary", icon=":material/visibility:",
                    on_click=_seen, args=(loaded, item), help=say("Leave it out, and rate it if you like"),
                )  # fmt: skip


def _seen(loaded: Loaded, item: Any) -> None:
    memory_of(loaded).hide(item, "seen")
    st.session_state[f"found-{loaded.data_name}"] = item


def _why_cold(loaded: Loaded, batch: UserBatch) -> str:
    least = loaded.model.weighting.settings.min_rating
    if batch.ratings.nnz and least is not None:
        return say(
            "This model takes {least:g} stars or more as liking, and you gave none, so these are simply the most "
            "watched. Rate a movie or two.",
            least=least,
        )
    return say("Nothing is known of you yet, so these are simply the most watched. Rate a movie or two.")


# --- the map ----------------------------------------------------------------------------------------------------


def _map(loaded: Loaded, batch: UserBatch, rated: dict[Any, float], table: pd.DataFrame, label: str) -> None:
    model = loaded.model
    for line in loaded.unreadable:
        st.warning(plain(line))
    item_map, colouring = _ways_to_look(loaded)
    best = sorted((item for item in rated), key=lambda item: -rated[item])[:MOST_MARKED]
    focus = _chosen_row(loaded)
    alike = [] if focus is None else similar(model, model.item_ids[focus], N_ALIKE)["item_id"].tolist()
    you = None
    if batch.vectors is not None and batch.origin[0] != COLD and item_map.method != "axes":
        you = land(item_map, model.space, batch.vectors)[0]
    marks = Marks(
        rated=[(row, say("rated {stars:g}", stars=rated[item])) for item, row in _rows(loaded, best)],
        recommended=[
            (row, say("recommended, rank {rank}", rank=at + 1))
            for at, (_, row) in enumerate(_rows(loaded, table["item_id"].tolist()))
        ],
        alike=[(row, say("alike, rank {rank}", rank=at + 1)) for at, (_, row) in enumerate(_rows(loaded, alike))],
        focus=focus,
        you=you,
        you_label=label,
        region=_outline(loaded),
    )
    movie_map(
        loaded,
        item_map,
        colouring,
        marks,
        key=f"map-{loaded.name}",
        on_click=lambda item: _choose(loaded, item),
        on_region=lambda outline: _set_region(loaded, item_map, outline),
    )
    st.caption(
        say(
            "Drag to move, click and then scroll to zoom; point at a dot for its title, click it to see what is like "
            "it."
        )
        + " "
        + _truth_of(item_map)
    )


def _ways_to_look(loaded: Loaded) -> tuple[ItemMap, Colouring]:
    """The map and its colours, as chosen above it."""
    methods = [method for method in ("tsne", "umap", "pacmap", "axes", "pca") if method in loaded.maps]
    model = loaded.model
    unnamed = [axis for axis in (loaded.axes.all if loaded.axes is not None else ()) if not axis.is_valid]
    axes = {f"axis {axis.name}": axis for axis in (*named_axes(loaded), *unnamed)}
    ways = [*(["cluster"] if loaded.clusters is not None else []), "genre", "decade", *axes]
    words = {"cluster": say("Cluster"), "genre": say("Genre"), "decade": say("Year of release")}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        names = {
            "tsne": say("Neighbourhoods (t-SNE)"),
            "umap": say("Neighbourhoods (UMAP)"),
            "pacmap": say("Neighbourhoods (PaCMAP)"),
            "axes": say("Two axes"),
            "pca": say("Overview (PCA)"),
        }
        key = f"method-{loaded.name}"
        method = chosen(
            key,
            st.selectbox(
                say("Map"), methods, format_func=names.__getitem__, key=local(key, methods),
                on_change=_set_region, args=(loaded, None, None),
            ),
        )  # fmt: skip
        key = f"colour-{loaded.name}"
        way = chosen(
            key,
            st.selectbox(
                say("Colours"),
                ways,
                format_func=lambda way: words[way] if way in words else title_of(axes[way]),
                key=local(key, ways),
            ),
        )
    item_map = loaded.maps[str(method)]
    if way == "cluster" and loaded.by_cluster is not None:
        return item_map, loaded.by_cluster
    if way in axes:
        return item_map, by_axis(spoken(axes[str(way)]), model.space)
    return item_map, loaded.by_decade if way == "decade" else loaded.by_genre


def _truth_of(item_map: ItemMap) -> str:
    """How far a map can be believed, in a sentence; nothing where it was not measured."""
    if "recall@15" not in item_map.fidelity:
        return ""
    return say(
        "Of a movie's 15 nearest, {kept:.0%} are among its 15 nearest here (trustworthiness {trust:.2f}).",
        kept=item_map.fidelity["recall@15"],
        trust=item_map.fidelity["trustworthiness"],
    )


def _set_region(loaded: Loaded, item_map: ItemMap | None, outline: np.ndarray | None) -> None:
    """Recommend from inside an outline on a map, or (None) from everywhere."""
    st.session_state[f"region-{loaded.name}"] = None if item_map is None or outline is None else (item_map, outline)


def _outline(loaded: Loaded) -> np.ndarray | None:
    """The outline that holds, if one was drawn on a map that is still there."""
    item_map, outline = st.session_state.get(f"region-{loaded.name}") or (None, None)
    return outline if item_map is not None and item_map is loaded.maps.get(item_map.method) else None


def _region(loaded: Loaded) -> np.ndarray | None:
    """Which movies lie in the region that was drawn, bool (n_items,); None where there is none."""
    outline = _outline(loaded)
    return None if outline is None else st.session_state[f"region-{loaded.name}"][0].inside(outline)


# --- the chosen movie -------------------------------------------------------------------------------------------


def _choose(loaded: Loaded, item: Any) -> None:
    st.session_state[f"chosen-{loaded.data_name}"] = item


def _chosen_row(loaded: Loaded) -> int | None:
    """Row of the chosen movie, if there is one and this model knows it."""
    rows = _rows(loaded, [st.session_state.get(f"chosen-{loaded.data_name}")])
    return rows[0][1] if rows else None


def _rows(loaded: Loaded, items: Sequence[Any]) -> list[tuple[Any, int]]:
    """Those of the items that the model knows, each with its row."""
    found = loaded.model.catalog.index.get_indexer(pd.Index(list(items), dtype=object if not len(items) else None))
    return [(item, int(row)) for item, row in zip(items, found, strict=True) if row >= 0]


def _chosen(loaded: Loaded) -> None:
    """The panel of the movie that was clicked: what it is, stars, and what is most like it."""
    row = _chosen_row(loaded)
    if row is None:
        return
    model = loaded.model
    (item,) = model.item_ids[row : row + 1].tolist()
    with st.container(border=True, key="chosen"):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"**{plain(model.catalog.labels[row])}**", width="stretch")
            st.button(say("Close"), type="tertiary", icon=":material/close:", on_click=_choose, args=(loaded, None))
        genres = " · ".join(map(named, model.catalog.items["genres"][row])) or say("no genre")
        st.caption(plain(f"{genres} · {say('{count} ratings', count=f'{model.n_ratings[row]:,}')}"))
        with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
            stars(loaded, item, where="chosen")
            if st.button(say("All about it"), type="tertiary", icon=":material/arrow_forward:"):
                st.switch_page(st.session_state["pages"]["movie"], query_params={"movie": str(item)})
        if not model.space.item_directions[row].any():
            st.caption(say("Nobody's ratings say anything of this movie yet, so nothing is like it."))
            return
        table = similar(model, item, N_ALIKE)
        items = model.catalog.take(table["item_id"].to_numpy())
        st.dataframe(
            pd.DataFrame(
                {
                    "#": table["rank"],
                    say("most like it"): list(items.labels),
                    say("cosine"): table["similarity"],
                }
            ),
            hide_index=True,
            column_config={
                "#": st.column_config.NumberColumn(width=35),
                say("most like it"): st.column_config.TextColumn(width="large"),
                say("cosine"): st.column_config.ProgressColumn(
                    width=90,
                    min_value=0.0,
                    max_value=1.0,
                    format="%.2f",
                    help=say("1: the same direction in the space"),
                ),
            },
        )
