"""Colours of the dots of a map, by genre, cluster, decade or axis. Arrays in, colours out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from recsys.dataset.catalog import Catalog
from recsys.space.axis import Axis
from recsys.space.embedding import EmbeddingSpace
from recsys.space.item_clusters import NO_CLUSTER, ItemClusters

# Okabe & Ito 2008: colours that people with any colour vision can distinguish.
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#c9b700")
OTHER_COLOUR = "#999999"
CIVIDIS = ("#00306f", "#3f4d6b", "#666970", "#8a8678", "#b4a66c", "#dfc95b", "#fee838")
"""Nuñez, Anderton & Renslow 2018: perceptually ordered for any colour vision, and in greyscale."""
DIVERGING = ("#b35806", "#e08214", "#f0b060", "#b9b9c4", "#998ec3", "#7355a4", "#542788")
"""Orange to purple after Brewer's PuOr, with a darker middle that is visible on white and on black."""
SATURATED = 2.0
"""Standard deviations along an axis at which the colour scale ends."""


@dataclass(frozen=True, eq=False)
class Colouring:
    """A colour for each item.

    codes    (n_items,) uint8: indices into `palette`
    palette  hexadecimal colours; the first is for items without a value
    legend   name and colour of each category; empty for a colour scale, and where the map itself shows the names
    ends     the meaning of the first and the last colour of a scale, or None
    """

    codes: np.ndarray
    palette: tuple[str, ...]
    legend: tuple[tuple[str, str], ...] = ()
    ends: tuple[str, str] | None = None


def genre_groups(catalog: Catalog) -> tuple[np.ndarray, list[str]]:
    """A colour group for each item, (n_items,) int, and the groups' names.

    The most frequent genres have a colour each; an item with several of them gets the rarest, which is the most
    informative. The last group is "other".
    """
    names = list(catalog.genre_names[: len(COLOURS)])
    place = {name: at for at, name in enumerate(names)}
    groups = [max((place[g] for g in genres if g in place), default=len(names)) for genres in catalog.items["genres"]]
    return np.array(groups), [*names, "other"]


def group_colour(group: int, names: Sequence[str]) -> str:
    """The colour of a group of `genre_groups`; the last group, "other", is grey."""
    return OTHER_COLOUR if group == len(names) - 1 else COLOURS[group]


def by_genre(catalog: Catalog) -> Colouring:
    """Colours for the seven most frequent genres; an item gets the rarest of its own; all other items are grey."""
    groups, names = genre_groups(catalog)
    last = len(names) - 1
    legend = [(name, COLOURS[at]) for at, name in enumerate(names[:-1])] + [(names[-1], OTHER_COLOUR)]
    codes = np.where(groups == last, 0, groups + 1).astype(np.uint8)
    return Colouring(codes, (OTHER_COLOUR, *COLOURS[:last]), tuple(legend))


def by_cluster(clusters: ItemClusters) -> Colouring:
    """Similar clusters get different colours; the map itself shows their names.

    Greedy: from the largest cluster down, each takes the colour whose most similar cluster so far is least similar.
    """
    similarity = clusters.centres @ clusters.centres.T
    chosen = np.zeros(clusters.n_clusters, dtype=np.int64)
    for number in range(clusters.n_clusters):
        nearest = [
            max((similarity[number, other] for other in range(number) if chosen[other] == colour), default=-2.0)
            for colour in range(len(COLOURS))
        ]
        chosen[number] = int(np.argmin(nearest))
    codes = np.where(clusters.labels == NO_CLUSTER, 0, chosen[clusters.labels] + 1).astype(np.uint8)
    return Colouring(codes, (OTHER_COLOUR, *COLOURS))


def by_decade(catalog: Catalog) -> Colouring:
    """The year of release in up to seven steps of whole decades; grey where it is unknown."""
    years = catalog.years
    known = ~np.isnan(years)
    if not known.any():
        return Colouring(np.zeros(len(years), dtype=np.uint8), (OTHER_COLOUR, *CIVIDIS))
    decades = years // 10 * 10
    there = np.unique(decades[known])
    steps = there[np.unique(np.linspace(0, len(there) - 1, min(len(CIVIDIS), len(there))).round().astype(np.int64))]
    place = np.searchsorted(steps, np.where(known, decades, steps[0]), side="right") - 1
    shades = (
        np.linspace(0, len(CIVIDIS) - 1, len(steps)).round().astype(np.int64) if len(steps) > 1 else np.zeros(1, int)
    )
    names = [
        f"{step:.0f}s" if at + 1 == len(steps) or steps[at + 1] == step + 10 else f"{step:.0f}–{steps[at + 1] - 1:.0f}"
        for at, step in enumerate(steps)
    ]
    codes = np.where(known, shades[place] + 1, 0).astype(np.uint8)
    legend = tuple((name, CIVIDIS[shade]) for name, shade in zip(names, shades, strict=True))
    return Colouring(codes, (OTHER_COLOUR, *CIVIDIS), legend)


def by_axis(axis: Axis, space: EmbeddingSpace) -> Colouring:
    """The position of each item along an axis, in seven steps up to ±2 standard deviations; grey without a vector."""
    positions = axis.positions(space)
    known = ~np.isnan(positions)
    share = (np.clip(np.where(known, positions, 0), -SATURATED, SATURATED) + SATURATED) / (2 * SATURATED)
    steps = np.minimum((share * len(DIVERGING)).astype(np.int64), len(DIVERGING) - 1)
    codes = np.where(known, steps + 1, 0).astype(np.uint8)
    return Colouring(codes, (OTHER_COLOUR, *DIVERGING), ends=(axis.low, axis.high))
