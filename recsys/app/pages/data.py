"""The page "Data": the training data of the model, and how ratings are distributed over users and movies."""

from __future__ import annotations

from typing import Any

import numpy as np
import streamlit as st

from recsys import store
from recsys.app.chart import show_chart
from recsys.app.escape import plain
from recsys.app.i18n.translate import named, say
from recsys.app.notices import explain_missing_data
from recsys.app.owner import told
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
MAX_REJECTED_ROWS = 100
MAX_GENRES = 20
HEAD_SHARE = 0.8
"""The page says how few movies and users account for this share of all ratings."""


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
        statistics = _statistics(loaded.interactions, loaded)
    _tiles(loaded.interactions, statistics)
    _import(loaded)
    _tail(statistics)
    _over_time(statistics)
    _values_and_genres(statistics)
    _density(statistics)


@st.cache_resource(
    show_spinner=False, max_entries=4, hash_funcs={Interactions: lambda interactions: interactions.fingerprint}
)
def _statistics(interactions: Interactions, _loaded: Loaded) -> DatasetStatistics:
    """`dataset_statistics`, cached for all sessions and all models of the same data."""
    catalog = _loaded.model.catalog
    if not np.array_equal(catalog.item_ids, interactions.item_ids):  # prepared again since training
        catalog = store.load_catalog(_loaded.data_folder)  # type: ignore[arg-type]
    return dataset_statistics(interactions, catalog)


# --- import -----------------------------------------------------------------------------------------------


def _tiles(interactions: Interactions, statistics: DatasetStatistics) -> None:
    with st.container(horizontal=True, key="data-tiles"):
        for label, value, meaning in (
            (say("Ratings"), f"{interactions.n_ratings:,}", None),
            (say("Users"), f"{interactions.n_users:,}", None),
            (say("Movies"), f"{interactions.n_items:,}", None),
            (
                say("Density"),
                f"{100 * statistics.filled:.2g}%",
                say("The share of all user–movie pairs that have a rating; the model predicts the rest."),
            ),
            (say("Time span"), _span(statistics), None),
        ):
            st.metric(label, value, help=meaning, border=True)


def _span(statistics: DatasetStatistics) -> str:
    if statistics.span is None:
        return "–"
    first, last = (str(day.astype("datetime64[M]")) for day in statistics.span)
    return first if first == last else f"{first} – {last}"


def _import(loaded: Loaded) -> None:
    """What `recsys prepare` read, kept and rejected."""
    st.subheader(say("Import"), anchor=False)
    assert loaded.data_folder is not None
    try:
        report = store.read_report(loaded.data_folder)
    except InputError as error:
        st.warning(told(error), icon=":material/warning:")
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
        rows = prepare_workflow.rejected_rows(loaded.data_folder, MAX_REJECTED_ROWS)
    except InputError as error:
        st.warning(told(error), icon=":material/warning:")
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


# --- distributions ---------------------------------------------------------------------------------------------


def _tail(statistics: DatasetStatistics) -> None:
    st.subheader(say("The long tail"), anchor=False)
    share = smallest_share(statistics.of_items, HEAD_SHARE)
    users = smallest_share(statistics.of_users, HEAD_SHARE)
    st.markdown(
        say(
            "**{share:.0%} of the movies get {tail:.0%} of the ratings.** {few:.0%} have fewer than {least} "
            "ratings, too few for reliable statements about them. {users:.0%} of the users gave {tail:.0%} of "
            "the ratings.",
            share=share, tail=HEAD_SHARE, few=statistics.few_rated, least=FEW_RATINGS, users=users,
        )
    )  # fmt: skip
    left, right = st.columns(2, gap="medium")
    with left:
        st.markdown("**" + say("Ratings of the most popular movies") + "**")
        show_chart(
            long_tail(
                statistics.of_items, (share, statistics.share_of_top(share)),
                across=say("movies, most rated first"), up=say("share of all ratings"),
                note=say("{share:.0%} of the movies", share=share),
            ),
            key="tail-chart", alt=say("Share of all ratings that go to the most popular movies"),
        )  # fmt: skip
        st.caption(say("Dotted: if all movies were rated equally often."))
    with right:
        st.markdown("**" + say("Ratings per user") + "**")
        show_chart(
            users_histogram(statistics.of_users, across=say("ratings per user"), up=say("users")),
            key="users-chart", alt=say("Number of users by their number of ratings"),
        )  # fmt: skip
        st.caption(
            say(
                "Half of the users gave {median:,.0f} ratings or more; the most active gave {most:,}.",
                median=float(np.median(statistics.of_users)), most=int(statistics.of_users[0]),
            )
        )  # fmt: skip


def _over_time(statistics: DatasetStatistics) -> None:
    st.subheader(say("Ratings over time"), anchor=False)
    periods, peak = statistics.periods, statistics.peak_period
    if periods is None or peak is None:
        st.info(say("These ratings have no timestamps."))
        return
    monthly = statistics.step == "month"
    when = peak[0].strftime("%Y-%m" if monthly else "%Y-%m-%d")
    st.markdown(
        say("Per month. The peak is {when}, with {n:,} ratings.", when=when, n=peak[1])
        if monthly
        else say("Per week. The peak is the week of {when}, with {n:,} ratings.", when=when, n=peak[1])
    )
    show_chart(
        ratings_over_time(
            periods, across="", up=say("ratings per month") if monthly else say("ratings per week"),
            shown_as="%Y-%m" if monthly else "%Y-%m-%d",
        ),
        key="time-chart", alt=say("Number of ratings over time"),
    )  # fmt: skip
    if statistics.untimed:
        st.caption(say("Ratings without a timestamp, left out: {n:,}.", n=statistics.untimed))


def _values_and_genres(statistics: DatasetStatistics) -> None:
    left, right = st.columns(2, gap="large")
    with left:
        _values(statistics)
        _years(statistics)
    with right:
        _genres(statistics)


def _values(statistics: DatasetStatistics) -> None:
    st.subheader(say("Distribution of ratings"), anchor=False)
    values, most = statistics.values, statistics.most_common_rating
    share = float(most["ratings"]) / max(statistics.n_ratings, 1)
    st.markdown(
        say(
            "The mean is {mean:.2f}; the most common rating is {value:g}, in {share:.0%} of all ratings.",
            mean=statistics.mean, value=float(most["value"]), share=share,
        )
        if most["low"] == most["high"]
        else say(
            "The mean is {mean:.2f}; the most common range is {low:g} to {high:g}, in {share:.0%} of all ratings.",
            mean=statistics.mean, low=round(float(most["low"]), 2), high=round(float(most["high"]), 2), share=share,
        )
    )  # fmt: skip
    show_chart(
        rating_bars(values, across=say("rating"), up=say("ratings")),
        key="values-chart",
        alt=say("Number of times each rating was given"),
    )


def _genres(statistics: DatasetStatistics) -> None:
    st.subheader(say("Genres"), anchor=False)
    if statistics.genres.empty:
        st.info(say("These movies have no genres."))
        return
    genres = statistics.genres.head(MAX_GENRES)
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


def _years(statistics: DatasetStatistics) -> None:
    st.subheader(say("Movies by release year"), anchor=False)
    years = statistics.years
    if years.empty:
        st.info(say("The release years of these movies are unknown."))
        return
    st.markdown(
        say(
            "From {first} to {last}; half of the movies are from {median} or later.",
            first=int(years["year"].iloc[0]),
            last=int(years["year"].iloc[-1]),
            median=statistics.median_year,
        )
    )
    show_chart(
        year_bars(years, across="", up=say("movies")),
        key="years-chart",
        alt=say("Number of movies released each year"),
    )


def _density(statistics: DatasetStatistics) -> None:
    st.subheader(say("Density of the rating matrix"), anchor=False)
    density = statistics.density
    st.markdown(
        say(
            "Rows are users, the most active at the top; columns are movies, the most rated on the left. In "
            "the top left cell, **{full:.0%}** of the pairs are rated; overall it is {filled:.2g}%, and "
            "{empty:.0%} of the cells have no rating.",
            full=float(density.share[0, 0]), filled=100 * statistics.filled, empty=float((density.share == 0).mean()),
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
