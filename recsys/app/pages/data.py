"""The page "Data": what the model was trained on, and how unevenly ratings spread over people and movies."""

from __future__ import annotations

from typing import Any

import numpy as np
import streamlit as st

from recsys import store
from recsys.app.chart import show_chart
from recsys.app.escape import plain
from recsys.app.i18n.translate import named, say
from recsys.app.notices import explain_missing_data
from recsys.app.session import Loaded, loaded_model
from recsys.dataset.interactions import Interactions
from recsys.dataset.statistics import FEW_RATINGS, DatasetStatistics, dataset_statistics, smallest_share
from recsys.errors import InputError
from recsys.plots.data import (
    density_map,
    genre_bars,
    long_tail,
    rating_bars,
    ratings_over_time,
    users_histogram,
    year_bars,
)
from recsys.workflows import prepare as prepare_workflow

URL = "data"
MOST_EXAMPLES = 100
MOST_GENRES = 20
TAIL = 0.8
"""Of all ratings, the share that is said to go to so few movies."""


def page() -> None:
    """Draw the page."""
    loaded = loaded_model()
    st.header(say("Data"), anchor=False)
    if loaded.interactions is None or loaded.data_folder is None:
        explain_missing_data(loaded)
        return
    st.caption(say("Training data of {model}: {data}.", model=plain(loaded.name), data=plain(loaded.data_folder.name)))
    trained_on = loaded.model.data.get("fingerprint")
    if trained_on is not None and trained_on != loaded.interactions.fingerprint:
        st.warning(
            say(
                "This data was prepared again after {model} was trained and differs from its training data. "
                "Retrain the model to match.",
                model=plain(loaded.name),
            ),
            icon=":material/warning:",
        )
    with st.spinner(say("Counting …")):
        portrait = _portrait(loaded.interactions, loaded)
    _tiles(loaded.interactions, portrait)
    _what_came_in(loaded)
    _tail(portrait)
    _over_time(portrait)
    _values_and_genres(portrait)
    _density(portrait)


@st.cache_resource(
    show_spinner=False, max_entries=4, hash_funcs={Interactions: lambda interactions: interactions.fingerprint}
)
def _portrait(interactions: Interactions, _loaded: Loaded) -> DatasetStatistics:
    """Counted once for all sessions and for every model of the same data."""
    catalog = _loaded.model.catalog
    if not np.array_equal(catalog.item_ids, interactions.item_ids):  # prepared anew since training
        catalog = store.load_prepared(_loaded.data_folder).catalog  # type: ignore[arg-type]
    return dataset_statistics(interactions, catalog)


# --- what came in -----------------------------------------------------------------------------------------------


def _tiles(interactions: Interactions, portrait: DatasetStatistics) -> None:
    with st.container(horizontal=True, key="data-tiles"):
        for label, value, meaning in (
            (say("Ratings"), f"{interactions.n_ratings:,}", None),
            (say("Users"), f"{interactions.n_users:,}", None),
            (say("Movies"), f"{interactions.n_items:,}", None),
            (
                say("Density"),
                f"{100 * portrait.filled:.2g}%",
                say("The share of all user–movie pairs that have a rating; the model predicts the rest."),
            ),
            (say("Time span"), _span(portrait), None),
        ):
            st.metric(label, value, help=meaning, border=True)


def _span(portrait: DatasetStatistics) -> str:
    if portrait.span is None:
        return "–"
    first, last = (str(day.astype("datetime64[M]")) for day in portrait.span)
    return first if first == last else f"{first} – {last}"


def _what_came_in(loaded: Loaded) -> None:
    """What `recsys prepare` read and set aside."""
    st.subheader(say("Import"), anchor=False)
    assert loaded.data_folder is not None
    try:
        report = store.read_json(loaded.data_folder / store.REPORT)
    except InputError as error:
        st.warning(plain(str(error)), icon=":material/warning:")
        return
    read, kept, rejected, repeated = (int(report.get(key, 0)) for key in ("read", "kept", "rejected", "duplicates"))
    st.markdown(
        say(
            "Of **{read:,} rows** in {source}, **{kept:,} were kept**; {rejected:,} were rejected, and "
            "{repeated:,} left out as duplicates (same user and movie as another row).",
            read=read, kept=kept, rejected=rejected, repeated=repeated, source=plain(str(report.get("source", "?"))),
        )
        if rejected or repeated
        else say("All **{read:,} rows** of {source} were kept: no rejects, no duplicates.",
                 read=read, source=plain(str(report.get("source", "?"))))
    )  # fmt: skip
    notes = [
        (
            report.get("items_without_metadata"),
            say("Movies without a title, shown by their id: {n:,}."),
        ),
        (
            report.get("items_described_but_not_rated"),
            say("Movies without ratings, left out: {n:,}."),
        ),
    ]
    for n, words in notes:
        if n:
            st.caption(words.format(n=int(n)))
    if report.get("reasons"):
        _rejected(loaded, report)


def _rejected(loaded: Loaded, report: dict[str, Any]) -> None:
    assert loaded.data_folder is not None
    reasons = report.get("reasons", {})
    st.dataframe(
        {"reason": [named(reason) for reason in reasons], "rows": list(reasons.values())},
        hide_index=True, width="content", key="rejected-reasons",
        column_config={
            "reason": st.column_config.TextColumn(say("Reason")),
            "rows": st.column_config.NumberColumn(say("Rows"), format="localized"),
        },
    )  # fmt: skip
    try:
        rows = prepare_workflow.rejected_rows(loaded.data_folder, MOST_EXAMPLES)
    except InputError as error:
        st.warning(plain(str(error)), icon=":material/warning:")
        return
    with st.expander(say("Show the first {n:,} of these rows", n=len(rows)), icon=":material/search:"):
        st.dataframe(
            rows, hide_index=True, width="stretch", key="rejected-rows",
            column_config={
                "file": st.column_config.TextColumn(say("File")),
                "line": st.column_config.NumberColumn(say("Line"), format="localized"),
                "reason": st.column_config.TextColumn(say("Reason")),
                "text": st.column_config.TextColumn(say("Text")),
            },
        )  # fmt: skip


# --- how it spreads ---------------------------------------------------------------------------------------------


def _tail(portrait: DatasetStatistics) -> None:
    st.subheader(say("The long tail"), anchor=False)
    share = smallest_share(portrait.of_items, TAIL)
    users = smallest_share(portrait.of_users, TAIL)
    st.markdown(
        say(
            "**{share:.0%} of the movies get {tail:.0%} of the ratings.** {few:.0%} have fewer than {least} "
            "ratings, too few for reliable statements about them. {users:.0%} of the users gave {tail:.0%} of "
            "the ratings.",
            share=share, tail=TAIL, few=portrait.few_rated, least=FEW_RATINGS, users=users,
        )
    )  # fmt: skip
    left, right = st.columns(2, gap="medium")
    with left:
        st.markdown("**" + say("Ratings of the most popular movies") + "**")
        reached = float(portrait.of_items[: round(share * len(portrait.of_items))].sum() / max(portrait.n_ratings, 1))
        show_chart(
            long_tail(
                portrait.of_items, (share, reached),
                across=say("movies, most rated first"), up=say("share of all ratings"),
                note=say("{share:.0%} of the movies", share=share),
            ),
            key="tail-chart", alt=say("Share of all ratings that go to the most popular movies"),
        )  # fmt: skip
        st.caption(say("Dotted: if all movies were rated equally often."))
    with right:
        st.markdown("**" + say("Ratings per user") + "**")
        show_chart(
            users_histogram(portrait.of_users, across=say("ratings per user"), up=say("users")),
            key="users-chart", alt=say("Number of users by their number of ratings"),
        )  # fmt: skip
        st.caption(
            say(
                "Half of the users gave {median:,.0f} ratings or more; the most active gave {most:,}.",
                median=float(np.median(portrait.of_users)), most=int(portrait.of_users[0]),
            )
        )  # fmt: skip


def _over_time(portrait: DatasetStatistics) -> None:
    st.subheader(say("Ratings over time"), anchor=False)
    if portrait.periods is None:
        st.info(say("These ratings have no timestamps."))
        return
    monthly = portrait.step == "month"
    periods = portrait.periods
    peak = int(periods["ratings"].argmax())
    peak_day = periods["start"].iloc[peak].strftime("%Y-%m" if monthly else "%Y-%m-%d")
    n_peak = int(periods["ratings"].iloc[peak])
    st.markdown(
        say("Per month. The peak is {when}, with {n:,} ratings.", when=peak_day, n=n_peak)
        if monthly
        else say("Per week. The peak is the week of {when}, with {n:,} ratings.", when=peak_day, n=n_peak)
    )
    show_chart(
        ratings_over_time(
            periods, across="", up=say("ratings per month") if monthly else say("ratings per week"),
            shown_as="%Y-%m" if monthly else "%Y-%m-%d",
        ),
        key="time-chart", alt=say("Number of ratings over time"),
    )  # fmt: skip
    if portrait.untimed:
        st.caption(say("Ratings without a timestamp, left out: {n:,}.", n=portrait.untimed))


def _values_and_genres(portrait: DatasetStatistics) -> None:
    left, right = st.columns(2, gap="large")
    with left:
        _values(portrait)
        _years(portrait)
    with right:
        _genres(portrait)


def _values(portrait: DatasetStatistics) -> None:
    st.subheader(say("Distribution of ratings"), anchor=False)
    values = portrait.values
    most = values.loc[values["ratings"] == values["ratings"].max()].iloc[0]
    share = float(most["ratings"]) / max(portrait.n_ratings, 1)
    st.markdown(
        say(
            "The mean is {mean:.2f}; the most common rating is {value:g}, in {share:.0%} of all ratings.",
            mean=portrait.mean, value=float(most["value"]), share=share,
        )
        if most["low"] == most["high"]
        else say(
            "The mean is {mean:.2f}; the most common range is {low:g} to {high:g}, in {share:.0%} of all ratings.",
            mean=portrait.mean, low=round(float(most["low"]), 2), high=round(float(most["high"]), 2), share=share,
        )
    )  # fmt: skip
    show_chart(
        rating_bars(values, across=say("rating"), up=say("ratings")),
        key="values-chart",
        alt=say("Number of times each rating was given"),
    )


def _genres(portrait: DatasetStatistics) -> None:
    st.subheader(say("Genres"), anchor=False)
    if portrait.genres.empty:
        st.info(say("These movies have no genres."))
        return
    genres = portrait.genres.head(MOST_GENRES)
    names = [named(str(genre)) for genre in genres["genre"]]
    st.markdown(
        say(
            "Most ratings: {genre}. A movie counts in each of its genres; the number at the end of a bar is "
            "the mean rating.",
            genre=plain(names[0]),
        )
    )
    show_chart(
        genre_bars(genres, names, across=say("ratings"), mean=say("mean")),
        key="genres-chart",
        alt=say("Ratings by genre, with the mean rating of each"),
    )


def _years(portrait: DatasetStatistics) -> None:
    st.subheader(say("Movies by release year"), anchor=False)
    years = portrait.years
    if years.empty:
        st.info(say("The release years of these movies are unknown."))
        return
    reached = years["year"][years["movies"].cumsum() * 2 >= years["movies"].sum()]
    st.markdown(
        say(
            "From {first} to {last}; half of the movies are from {median} or later.",
            first=int(years["year"].iloc[0]),
            last=int(years["year"].iloc[-1]),
            median=int(reached.iloc[0]),
        )
    )
    show_chart(
        year_bars(years, across="", up=say("movies")),
        key="years-chart",
        alt=say("Number of movies released each year"),
    )


def _density(portrait: DatasetStatistics) -> None:
    st.subheader(say("Density of the rating matrix"), anchor=False)
    density = portrait.density
    st.markdown(
        say(
            "Rows are users, the most active at the top; columns are movies, the most rated on the left. In "
            "the top left cell, **{full:.0%}** of the pairs are rated; overall it is {filled:.2g}%, and "
            "{empty:.0%} of the cells have no rating.",
            full=float(density.share[0, 0]), filled=100 * portrait.filled, empty=float((density.share == 0).mean()),
        )
    )  # fmt: skip
    show_chart(
        density_map(
            density, across=say("movies, most rated first"), up=say("users, most active first"),
            legend=say("share of rated pairs"),
            hover_text=say("users near rank {users}<br>movies near rank {items}<br>{share} rated"),
        ),
        key="density-chart",
        alt=say("Share of rated pairs, users by activity and movies by popularity"),
    )  # fmt: skip
    st.caption(say("Users and movies are grouped into at most 100 cells each; cells without a rating are blank."))
