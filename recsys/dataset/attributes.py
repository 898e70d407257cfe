"""Attributes: what is known of items from outside the vectors: genres, tags, decades, how many people rated them.

They name and test the latent space; no vector is ever learned from them. Knows no vectors and no files.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from recsys.dataset.catalog import Catalog
from recsys.errors import InputError, UnknownId

Kind = Literal["genre", "tag", "decade", "popularity"]

NO_GENRE = frozenset({"unknown", "(no genres listed)", "imax"})
"""What MovieLens writes where it has no genre, and a screen format: these say nothing of what a movie is like."""
WIDELY_SEEN, LITTLE_SEEN = "widely seen", "little seen"
TAIL = 0.2
"""The share of the items that counts as widely (little) seen."""
WELL_KNOWN = 20
"""Ratings from which on a vector says more than chance: by these items axes, names and clusters are judged."""


FEWEST_WELL_KNOWN = 50


@dataclass(frozen=True, eq=False)
class Attributes:
    """Which items have which attribute.

    catalog      titles, years and genres, one row per item
    n_ratings    (n_items,) int64, number of ratings of each item; all zeros where unknown
    has_ratings  whether `n_ratings` is known; without it there are no popularity attributes
    names        (m,) such as "Horror", "1940s", "widely seen"; a genre and a tag may share a name
    kinds        (m,) genre, tag, decade or popularity
    carries      (n_items, m) bool, True where an item has an attribute

    Raises InputError when the shapes do not match.
    """

    catalog: Catalog
    n_ratings: np.ndarray
    has_ratings: bool
    names: tuple[str, ...]
    kinds: tuple[Kind, ...]
    carries: np.ndarray

    def __post_init__(self) -> None:
        shape = (len(self.catalog), len(self.names))
        if self.carries.shape != shape or len(self.kinds) != shape[1] or len(self.n_ratings) != shape[0]:
            raise InputError(
                f"attributes of shape {self.carries.shape} and {len(self.n_ratings)} rating counts "
                f"do not fit {shape[0]} items and {shape[1]} names"
            )

    @classmethod
    def of(cls, catalog: Catalog, n_ratings: np.ndarray | None = None, fewest_tagged: int = 5) -> Attributes:
        """All attributes that the catalog and the rating counts give.

        n_ratings      (n_items,) number of ratings of each item, or None where it is unknown
        fewest_tagged  tags of fewer items are left out: there can be tens of thousands, and rare ones carry no
                       information. Tags are compared without case.
        """
        has_ratings = n_ratings is not None
        counts = np.zeros(len(catalog), dtype=np.int64) if n_ratings is None else np.asarray(n_ratings, dtype=np.int64)
        genres = [[g for g in row if g.casefold() not in NO_GENRE] for row in catalog.items["genres"]]
        tags = [sorted({tag.casefold() for tag in row}) for row in catalog.items["tags"]]
        n_tagged = Counter(tag for row in tags for tag in row)
        tags = [[tag for tag in row if n_tagged[tag] >= fewest_tagged] for row in tags]
        decades = [[] if np.isnan(year) else [f"{int(year) // 10 * 10}s"] for year in catalog.years]
        rated = counts[counts >= WELL_KNOWN] if (counts >= WELL_KNOWN).any() else counts
        low, high = np.quantile(rated, [TAIL, 1 - TAIL]) if len(rated) else (0, 0)
        # Without counts all are zero, so no item is above or below the quantiles.
        seen = [[WIDELY_SEEN] * int(n > high) + [LITTLE_SEEN] * int(n < low) for n in counts]
        names: list[str] = []
        kinds: list[Kind] = []
        columns: list[np.ndarray] = []
        kind: Kind
        for kind, lists in (("genre", genres), ("decade", decades), ("popularity", seen), ("tag", tags)):
            for name, column in _columns(lists).items():
                names.append(name)
                kinds.append(kind)
                columns.append(column)
        carries = np.column_stack(columns) if columns else np.zeros((len(catalog), 0), dtype=bool)
        return cls(catalog, counts, has_ratings, tuple(names), tuple(kinds), carries)

    def __len__(self) -> int:
        """The number of attributes, m."""
        return len(self.names)

    @property
    def years(self) -> np.ndarray:
        """(n_items,) float64 year of release, NaN where unknown."""
        return self.catalog.years

    @cached_property
    def well_known(self) -> np.ndarray:
        """Items with at least `WELL_KNOWN` ratings, (n_items,) bool; all items where rating counts are unknown.

        Axes, names and clusters are evaluated on these: the vector of a rarely rated item is mostly noise. Raises
        InputError where there are fewer than 50, too few for any of these measurements.
        """
        known = self.n_ratings >= WELL_KNOWN if self.has_ratings else np.ones(len(self.catalog), dtype=bool)
        if known.sum() < FEWEST_WELL_KNOWN:
            which = f"items have {WELL_KNOWN} ratings or more" if self.has_ratings else "items"
            raise InputError(f"only {known.sum()} {which}; at least {FEWEST_WELL_KNOWN} are needed")
        return known

    def of_kind(self, *kinds: Kind) -> Attributes:
        """Only the attributes of these kinds."""
        return self.take(np.array([kind in kinds for kind in self.kinds], dtype=bool))

    def common(self, items: np.ndarray, fewest: int = 10) -> Attributes:
        """Only the attributes that at least `fewest` of the `items` (bool mask or rows) carry, and as many lack."""
        there = self.carries[items]
        n = there.sum(axis=0)
        return self.take((n >= fewest) & (len(there) - n >= fewest))

    def carriers(self, names: Iterable[str]) -> np.ndarray:
        """Items that carry any of the attributes called so, without regard to case: (n_items,) bool.

        A genre, a decade or a degree of popularity goes before a tag of the same name. Raises UnknownId naming those
        that do not exist.
        """
        found = np.zeros(len(self.catalog), dtype=bool)
        for name in names:
            if name.casefold() not in self._columns_of:
                raise UnknownId(f"no genre, tag, decade or degree of popularity is called {name!r}")
            found |= self.carries[:, self._columns_of[name.casefold()]]
        return found

    def has(self, name: str) -> bool:
        """Whether there is an attribute of this name, without regard to case."""
        return name.casefold() in self._columns_of

    def kind_of(self, name: str) -> Kind:
        """The kind of the attribute of this name. Raises KeyError; ask `has` first."""
        return self.kinds[self._columns_of[name.casefold()]]

    @cached_property
    def _columns_of(self) -> dict[str, int]:
        return {name.casefold(): at for at, name in reversed(list(enumerate(self.names)))}

    def take(self, chosen: np.ndarray) -> Attributes:
        """Only the attributes of a bool mask (m,)."""
        kept = np.flatnonzero(chosen)
        names, kinds = tuple(self.names[at] for at in kept), tuple(self.kinds[at] for at in kept)
        return Attributes(self.catalog, self.n_ratings, self.has_ratings, names, kinds, self.carries[:, kept])


def well_known(n_ratings: np.ndarray, fewest: int = WELL_KNOWN) -> np.ndarray:
    """As `Attributes.well_known`, where there are only rating counts."""
    known = np.asarray(n_ratings) >= fewest
    if known.sum() < FEWEST_WELL_KNOWN:
        raise InputError(
            f"only {known.sum()} items have {fewest} ratings or more; at least {FEWEST_WELL_KNOWN} are needed"
        )
    return known


def _columns(lists: list[list[str]]) -> dict[str, np.ndarray]:
    """Name → which items carry it, (n,) bool; names sorted."""
    columns = {name: np.zeros(len(lists), dtype=bool) for name in sorted({name for row in lists for name in row})}
    for at, row in enumerate(lists):
        for name in row:
            columns[name][at] = True
    return columns
