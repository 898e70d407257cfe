"""Who likes a movie: the genres that its fans like more, and less, than all users do."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from recsys.app.chart import show_chart
from recsys.app.escape import plain
from recsys.app.i18n.translate import named, say
from recsys.app.notices import explain_missing_data
from recsys.app.session import Loaded
from recsys.dataset.genre_affinity import PRIOR_USERS, GenreAffinity
from recsys.dataset.interactions import Interactions, index_of
from recsys.plots.dimensions import lift_bars

FEWEST_FANS = 5
STANDS_OUT = 1.1
"""Lift from which on the first genre is named in the sentence."""


def draw_fans(loaded: Loaded, row: int) -> None:
    """Draw a sentence and a bar for each genre."""
    st.subheader(say("Who likes it"), anchor=False)
    if loaded.interactions is None:
        explain_missing_data(loaded)
        return
    with st.spinner(say("Counting ratings …")):
        fans = _fans(loaded.interactions, loaded)
    item = loaded.id_of(row)
    if item not in index_of(loaded.interactions.item_ids):
        st.info(say("The training data has no ratings of this movie."))
        return
    table = fans.profile(item)
    n = int(table["n"].iloc[0]) if len(table) else 0
    if n < FEWEST_FANS:
        st.info(say("Too few people liked it to describe their taste: {n}.", n=n))
        return
    st.markdown(_sentence(table, n))
    descriptions = [
        say(
            "{genre}: {share:.1%} of what its fans like, {everyone:.1%} for all users; ratio {lift:.2f}, shrunk "
            "towards 1",
            genre=named(str(line.genre)), share=line.share, everyone=line.everyone, lift=line.lift,
        )
        for line in table.itertuples()
    ]  # fmt: skip
    show_chart(
        lift_bars([named(genre) for genre in table["genre"]], table["lift"].to_numpy(), descriptions), key="fans",
        alt=say(
            "How much more its fans like each genre than all users do: from {first} to {last}",
            first=named(table["genre"].iloc[0]), last=named(table["genre"].iloc[-1]),
        ),
    )  # fmt: skip
    st.caption(
        say(
            "Fans rated the movie at or above their own mean. Bars: a genre's share of what they like, relative to its "
            "share for all users; the movie itself is excluded. Ratios are shrunk towards 1, more so with fewer fans."
        )
    )


def _sentence(table: pd.DataFrame, n: int) -> str:
    """What the fans have in common. `table` is that of `GenreAffinity.profile`, n the number of fans."""
    first = table.iloc[0]
    if first["lift"] >= STANDS_OUT:
        return say(
            "{n:,} people liked it. Of the other movies they like, {share:.1%} are {genre}; for all users it is "
            "{everyone:.1%}.",
            n=n, share=first["share"], everyone=first["everyone"], genre=plain(named(first["genre"])),
        )  # fmt: skip
    if n >= PRIOR_USERS:
        return say("{n:,} people liked it. They like the same genres as everyone.", n=n)
    return say("{n:,} people liked it: too few to tell their taste from everyone's.", n=n)


@st.cache_resource(
    show_spinner=False,
    max_entries=2,
    hash_funcs={Interactions: lambda interactions: interactions.fingerprint, Loaded: lambda loaded: loaded.name},
)
def _fans(interactions: Interactions, loaded: Loaded) -> GenreAffinity:
    return GenreAffinity.of(interactions, loaded.model.catalog)
