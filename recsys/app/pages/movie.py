"""The page "Movie": one movie, what is like it, where it lies on every axis and on the map, and who likes it."""

from __future__ import annotations

import math
import shlex
from typing import Any, Literal

import numpy as np
import pandas as pd
import streamlit as st

from recsys.app.axis_text import ends_of, evidence_in_short, named_axes, title_of, too_few_known
from recsys.app.components.memory import keep_memory, memory_of
from recsys.app.components.movie_map import Marks, movie_map
from recsys.app.components.search_box import search_box
from recsys.app.components.stars import stars
from recsys.app.escape import plain
from recsys.app.i18n.translate import named, say
from recsys.app.notices import explain_missing_data, explain_missing_vectors
from recsys.app.session import Loaded, loaded_model
from recsys.dataset.attributes import WELL_KNOWN
from recsys.dataset.genre_affinity import PRIOR_USERS, GenreAffinity
from recsys.dataset.interactions import Interactions, index_of, rows_of
from recsys.errors import UnknownId
from recsys.evaluation.report import mean_ratings
from recsys.plots.dimensions import Strip, lift_bars, position_strips, signed
from recsys.recommend.topn import similar_side_by_side
from recsys.space.profile import item_positions, positions_along, share_below

URL = "movie"
ASKED = "movie"
"""The name of the movie's id in a link."""
PLOT = {"displayModeBar": False}
Kind = Literal["secondary", "tertiary"]
Width = Literal["content", "stretch"]
N_ALIKE = 10
N_STARTERS = 8
MOST_TAGS = 12
MOST_MARKED = 30
FEWEST_FANS = 5
STANDS_OUT = 1.1
"""Times as much of a genre as everybody from which on it is worth a sentence."""


def page() -> None:
    """Draw the page."""
    _body(loaded_model())


@st.fragment
def _body(loaded: Loaded) -> None:
    """All that depends on the movie."""
    row = _asked(loaded)
    if row is None:
        st.header(say("Movie"), anchor=False)
    search_box(
        loaded,
        say("Find a movie"),
        key=f"movie-search-{loaded.data_name}",
        on_pick=lambda item: open_movie(loaded, item),
    )
    if row is None:
        _start(loaded)
    else:
        _about(loaded, row)
        if not loaded.maps:
            explain_missing_vectors()
        elif not loaded.model.space.item_directions[row].any():
            st.info(say("Nobody's ratings say anything of this movie yet, so nothing is like it."))
        else:
            table = _neighbours(loaded, row)
            left, right = st.columns(2, gap="large")
            with left:
                _positions(loaded, row)
            with right:
                _on_the_map(loaded, row, table)
                _who_likes_it(loaded, row)
    keep_memory(loaded)


def open_movie(loaded: Loaded, item: Any) -> None:
    """Show this movie; the address of the page carries it."""
    st.query_params[ASKED] = str(item)


def _asked(loaded: Loaded) -> int | None:
    """Row of the movie that the address names, so that a browser's way back works; says so where there is none."""
    text = st.query_params.get(ASKED, "").strip()
    if not text:
        return None
    try:
        row = int(rows_of(loaded.model.catalog.index, [text], "item")[0])
        if str(loaded.model.item_ids[row]) != text:  # 007 and 1e3 are numbers, but no id of a link
            raise UnknownId.of("item", [text])
    except UnknownId:
        st.warning(say("No movie here has the id {id}.", id=plain(text[:40])))
        return None
    return row


# --- without a movie --------------------------------------------------------------------------------------------


def _start(loaded: Loaded) -> None:
    """A few to begin with, and the map to pick one from."""
    st.markdown(say("Begin with one that many people know:"))
    with st.container(horizontal=True, gap="small", key="movie-starters"):
        for row in _starters(loaded):
            _link(loaded, row, key=f"start-{row}", type="secondary")
    if loaded.maps:
        _map(loaded, Marks(rated=_rated(loaded)), height=520)
        st.caption(say("Or click a dot: near ones are alike."))


def _starters(loaded: Loaded) -> list[int]:
    """Rows of well-known movies of different genres."""
    seen: set[str] = set()
    rows: list[int] = []
    for row in np.argsort(-loaded.model.n_ratings, kind="stable")[:300].tolist():
        genres = set(loaded.model.catalog.items["genres"][row])
        if genres - seen or not genres:
            rows.append(row)
            seen |= genres
        if len(rows) == N_STARTERS:
            break
    return rows


def _link(
    loaded: Loaded,
    row: int,
    *,
    key: str,
    type: Kind = "tertiary",
    sign: str = "",
    note: str = "",
    width: Width = "content",
) -> None:
    """A title that opens its movie."""
    (item,) = loaded.model.item_ids[row : row + 1].tolist()
    label = f"{sign}{plain(loaded.model.catalog.labels[row])}{note}"
    st.button(label, key=key, type=type, width=width, on_click=open_movie, args=(loaded, item))


# --- what it is -------------------------------------------------------------------------------------------------


def _about(loaded: Loaded, row: int) -> None:
    model = loaded.model
    items = model.catalog.items
    (item,) = model.item_ids[row : row + 1].tolist()
    with st.container(key="movie-head", gap="small"):
        st.header(plain(model.catalog.labels[row]), anchor=False)
        st.caption(plain(" · ".join(map(named, items["genres"][row])) or say("no genre")))
        seen, liked, yours = st.columns(3)
        with seen, st.container(border=True, height="stretch", gap=None):
            st.metric(say("Ratings"), f"{model.n_ratings[row]:,}")
            share = share_below(np.delete(model.n_ratings, row), model.n_ratings[row])
            st.caption(
                say("rated by more people than {share:.0%} of the movies", share=_floor(share))
                if share < 1
                else say("rated by more people than any other movie")
            )
        with liked, st.container(border=True, height="stretch", gap=None):
            _mean(loaded, row)
        with yours, st.container(border=True, height="stretch", gap="small"):
            st.markdown(f":small[{say('Your rating')}]")
            stars(loaded, item, where="movie")
            if item in memory_of(loaded).ratings:
                st.caption(say("Click the last star again to take it back."))
            else:
                st.caption(say("It counts for your recommendations, and stays in this browser."))
    if items["tags"][row]:
        tags = ", ".join(sorted({tag.casefold() for tag in items["tags"][row]})[:MOST_TAGS])
        st.caption(plain(say("Tags: {tags}", tags=tags)))


def _mean(loaded: Loaded, row: int) -> None:
    if loaded.interactions is None:
        st.metric(say("Mean rating"), "–")
        st.caption(say("training data not found"))
        return
    means = _means(loaded.interactions, loaded.model.item_ids)
    mean = means[row]
    if np.isnan(mean):
        st.metric(say("Mean rating"), "–")
        return
    st.metric(say("Mean rating"), f"{mean:.2f}")
    judged = loaded.model.n_ratings >= WELL_KNOWN
    judged[row] = False
    if not judged.any():
        return
    share = share_below(means[judged], mean)
    st.caption(
        say("higher than that of {share:.0%} of the movies with {n} ratings or more", share=_floor(share), n=WELL_KNOWN)
        if share < 1
        else say("the highest of the movies with {n} ratings or more", n=WELL_KNOWN)
    )


def _floor(share: float) -> float:
    """In whole percent, rounded down: all but one of a thousand are not all."""
    return math.floor(share * 100 + 1e-9) / 100  # .29 · 100 is a little less than 29


@st.cache_resource(
    show_spinner=False, max_entries=4, hash_funcs={Interactions: lambda interactions: interactions.fingerprint}
)
def _means(interactions: Interactions, item_ids: np.ndarray) -> np.ndarray:
    """Mean rating of each item of the model, (n_items,), NaN where nobody rated."""
    if not np.array_equal(interactions.item_ids, item_ids):
        interactions = interactions.with_items(item_ids)
    return mean_ratings(interactions.matrix)


# --- what is like it --------------------------------------------------------------------------------------------


def _neighbours(loaded: Loaded, row: int) -> pd.DataFrame:
    """The ten most like it by three similarities, side by side; returns the table."""
    model = loaded.model
    table, rho = similar_side_by_side(model, model.item_ids[row], N_ALIKE)
    st.subheader(say("Most like it, by three measures"), anchor=False)
    counts = table["item_id"].value_counts()
    everywhere = set(counts[counts == table["metric"].nunique()].index)
    words = {
        "cosine": (
            say("Cosine"), say("Direction only: what a movie is like, however many people know it."),
            say("cosine, at most 1 · ratings"),
        ),
        "dot": (
            say("Dot product"), say("Length counts too: movies with long vectors come first."),
            say("product · ratings"),
        ),
        "euclidean": (
            say("Euclidean distance"), say("Near in direction and in length: alike, and about as long."),
            say("distance · ratings"),
        ),
    }  # fmt: skip
    for side, (metric, (title, favours, beside)) in zip(st.columns(3, gap="medium"), words.items(), strict=True):
        found = table[table["metric"] == metric]
        with side, st.container(border=True, height="stretch", gap="small", key=f"alike-{metric}"):
            st.markdown(f"**{title}**  \n:small[:gray[{favours}]]")
            st.caption(beside)
            with st.container(gap=None):
                for item, likeness, count in zip(
                    found["item_id"].tolist(), found["similarity"], found["n_ratings"], strict=True
                ):
                    _neighbour(loaded, item, metric, likeness, int(count), is_everywhere=item in everywhere)
    common = say("● in all three lists.") if everywhere else say("None is in all three lists.")
    st.caption(f"{common} {_of_length(rho)}")
    return table


def _neighbour(loaded: Loaded, item: Any, metric: str, likeness: float, count: int, *, is_everywhere: bool) -> None:
    """One of the list: a title that opens its movie, how like it is, and its ratings."""
    row = int(rows_of(loaded.model.catalog.index, [item], "item")[0])
    value = f"{-likeness:.2f}" if metric == "euclidean" else f"{likeness:.2f}"
    _link(
        loaded, row, key=f"{metric}-{item}", sign="● " if is_everywhere else "",
        width="stretch", note=f" :small[:gray[{plain(value)}\u00a0·\u00a0{count:,}]]",
    )  # fmt: skip


def _of_length(rho: float) -> str:
    """What the length of a vector says in this space, in a sentence."""
    if rho >= 0.7:
        return say("Here the more people rated a movie, the longer its vector (rank correlation {rho:.2f}).", rho=rho)
    if rho >= 0.3:
        return say(
            "Here movies that more people rated tend to have longer vectors (rank correlation {rho:.2f}).", rho=rho
        )
    if rho > -0.3:
        return say(
            "Here length has little to do with how many people rated a movie (rank correlation {rho:.2f}).", rho=rho
        )
    return say("Here movies that more people rated tend to have shorter vectors (rank correlation {rho:.2f}).", rho=rho)


# --- where it lies ----------------------------------------------------------------------------------------------


def _positions(loaded: Loaded, row: int) -> None:
    """A strip for each axis that means something, the one it is farthest out on first."""
    st.subheader(say("Where it lies on each axis"), anchor=False)
    axes = named_axes(loaded)
    if not axes:
        if (why := too_few_known(loaded)) is not None:
            st.info(plain(why))
            return
        st.info(say("No axis has a name yet. To look for some:"))
        data = str(loaded.data_folder or "DIR")
        command = shlex.join(["recsys", "axes", "--model", str(loaded.folder), "--data", data])
        st.code(command, language="sh", wrap_lines=True)
        return
    positions = positions_along(loaded.model.space, axes)
    label, known = str(loaded.model.catalog.labels[row]), loaded.model.n_ratings >= WELL_KNOWN
    table = item_positions(positions, known, row)
    strips, lines = [], []
    for at, position, share in table.itertuples(index=False):
        axis, below = axes[at], _floor(share)
        low, high = ends_of(axis)
        said = say(
            "{title}: {value} standard deviations, farther to “{high}” than {below:.0%} of the movies",
            title=label, value=signed(position), high=high, below=below,
        )  # fmt: skip
        strips.append(Strip(low, high, evidence_in_short(axis), position, positions[known, at], said))
        lines.append((title_of(axis), position, below, evidence_in_short(axis)))
    st.caption(
        say(
            "In standard deviations from the middle, the farthest out on top. Grey: the movies with {n} ratings or "
            "more. Small: how well the axis tells movies that it had not seen.",
            n=WELL_KNOWN,
        )
    )
    st.plotly_chart(
        position_strips(strips), config=PLOT, key="strips",
        alt=say("Where {title} lies on each axis; the table below holds the same numbers", title=label),
    )  # fmt: skip
    with st.expander(say("As a table"), key="strips-table", on_change="rerun") as rest:
        if rest.open:
            st.dataframe(
                pd.DataFrame(lines, columns=["axis", "position", "below", "evidence"]),
                hide_index=True,
                column_config={
                    "axis": st.column_config.TextColumn(say("axis")),
                    "position": st.column_config.NumberColumn(
                        say("position"), format="%+.2f", help=say("standard deviations; above 0 towards the second end")
                    ),
                    "below": st.column_config.NumberColumn(say("movies nearer to the first end"), format="percent"),
                    "evidence": st.column_config.TextColumn(say("evidence")),
                },
            )


def _on_the_map(loaded: Loaded, row: int, table: pd.DataFrame) -> None:
    """Its place among all, with its neighbours by cosine."""
    st.subheader(say("Its place on the map"), anchor=False)
    alike = table.loc[table["metric"] == "cosine", "item_id"].tolist()
    rows = loaded.model.space.item_rows(alike).tolist() if alike else []
    marks = Marks(
        rated=_rated(loaded),
        alike=[(place, say("alike, rank {rank}", rank=at + 1)) for at, place in enumerate(rows)],
        focus=row,
    )
    _map(loaded, marks, height=560)
    st.caption(say("Rings: its ten neighbours by cosine. Click a dot to see that movie."))


def _who_likes_it(loaded: Loaded, row: int) -> None:
    """The genres that its fans like more than everybody does, and those they like less."""
    st.subheader(say("Who likes it"), anchor=False)
    if loaded.interactions is None:
        explain_missing_data(loaded)
        return
    with st.spinner(say("Counting …")):
        fans = _fans(loaded.interactions, loaded)
    (item,) = loaded.model.item_ids[row : row + 1].tolist()
    if item not in index_of(loaded.interactions.item_ids):
        st.info(say("The data hold no ratings of it."))
        return
    table = fans.profile(item)
    n = int(table["n"].iloc[0]) if len(table) else 0
    if n < FEWEST_FANS:
        st.info(say("Too few people like it to say what they have in common: {n}.", n=n))
        return
    first, last = table.iloc[0], table.iloc[-1]
    st.markdown(
        say(
            "{n:,} people rated it at or above their own mean. Of what else they like, {share:.1%} is {genre}, "
            "{everyone:.1%} for everybody.",
            n=n, share=first["share"], everyone=first["everyone"], genre=plain(named(first["genre"])),
        )
        if first["lift"] >= STANDS_OUT
        else say("{n:,} people rated it at or above their own mean. They like the genres that everybody likes.", n=n)
        if n >= PRIOR_USERS
        else say("{n:,} people rated it at or above their own mean: too few to tell their taste from everybody's.", n=n)
    )  # fmt: skip
    said = [
        say(
            "{genre}: {share:.1%} of what its fans like, {everyone:.1%} for everybody; "
            "{lift:.2f} times, drawn towards 1",
            genre=named(str(line.genre)), share=line.share, everyone=line.everyone, lift=line.lift,
        )
        for line in table.itertuples()
    ]  # fmt: skip
    st.plotly_chart(
        lift_bars([named(genre) for genre in table["genre"]], table["lift"].to_numpy(), said),
        config=PLOT, key="fans",
        alt=say(
            "How much more its fans like each genre than everybody: from {first} to {last}",
            first=named(first["genre"]), last=named(last["genre"]),
        ),
    )  # fmt: skip
    st.caption(
        say(
            "How many times as often a genre stands among what its fans like as among what everybody likes, the movie "
            "itself left out. Drawn towards 1, the more so the fewer the fans."
        )
    )


@st.cache_resource(
    show_spinner=False,
    max_entries=2,
    hash_funcs={Interactions: lambda interactions: interactions.fingerprint, Loaded: lambda loaded: loaded.name},
)
def _fans(interactions: Interactions, loaded: Loaded) -> GenreAffinity:
    return GenreAffinity.of(interactions, loaded.model.catalog)


def _map(loaded: Loaded, marks: Marks, *, height: int) -> None:
    method = next(method for method in ("tsne", "umap", "pacmap", "pca") if method in loaded.maps)
    movie_map(
        loaded, loaded.maps[method], loaded.by_genre, marks, key=f"movie-map-{loaded.name}",
        on_click=lambda item: open_movie(loaded, item), height=height,
    )  # fmt: skip


def _rated(loaded: Loaded) -> list[tuple[int, str]]:
    """What the person of this browser rated, the best rated first, as marks."""
    ratings, index = memory_of(loaded).ratings, loaded.model.catalog.index
    mine = sorted((item for item in ratings if item in index), key=lambda item: -ratings[item])[:MOST_MARKED]
    return [
        (row, say("rated {stars:g}", stars=ratings[item]))
        for item, row in zip(mine, rows_of(index, mine, "item").tolist() if mine else [], strict=True)
    ]
