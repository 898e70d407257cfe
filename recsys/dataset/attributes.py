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


@dataclass(frozen=True, eq=False)
class Attributes:
    """Which items carry which attribute.

    names      (m,) such as "Horror", "1940s", "widely seen"; one name may be of two kinds ("horror" as a tag)
    kinds      (m,) genre, tag, decade or popularity
    carries    (n_items, m) bool
    years      (n_items,) float64, NaN where unknown
    n_ratings  (n_items,) int64

    Raises InputError when the parts do not fit together.
    """

    names: tuple[str, ...]
    kinds: tuple[Kind, ...]
    carries: np.ndarray
    years: np.ndarray
    n_ratings: np.ndarray

    def __post_init__(self) -> None:
        shape = (len(self.n_ratings), len(self.names))
        if self.carries.shape != shape or len(self.kinds) != shape[1] or len(self.years) != shape[0]:
            raise InputError(f"attributes of shape {self.carries.shape} do not fit {shape[0]} items, {shape[1]} names")

    @classmethod
    def of(cls, catalog: Catalog, n_ratings: np.ndarray, fewest_tagged: int = 5) -> Attributes:
        """Everything the catalogue and the rating counts say. Tags are compared without case; those that fewer than
        `fewest_tagged` items carry are left out: they tell nothing, and there may be tens of thousands."""
        genres = [[g for g in row if g.casefold() not in NO_GENRE] for row in catalog.items["genres"]]
        tags = [sorted({tag.casefold() for tag in row}) for row in catalog.items["tags"]]
        n_tagged = Counter(tag for row in tags for tag in row)
        tags = [[tag for tag in row if n_tagged[tag] >= fewest_tagged] for row in tags]
        years = catalog.years
        decades = [[] if np.isnan(year) else [f"{int(year) // 10 * 10}s"] for year in years]
        rated = n_ratings[n_ratings >= WELL_KNOWN] if (n_ratings >= WELL_KNOWN).any() else n_ratings
        low, high = np.quantile(rated, [TAIL, 1 - TAIL]) if len(rated) else (0, 0)
        seen = [[WIDELY_SEEN] * int(n > high) + [LITTLE_SEEN] * int(n < low) for n in n_ratings]
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
        return cls(tuple(names), tuple(kinds), carries, years, np.asarray(n_ratings, dtype=np.int64))

    def __len__(self) -> int:
        return len(self.names)

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
        found = np.zeros(len(self.n_ratings), dtype=bool)
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
        return Attributes(names, kinds, self.carries[:, kept], self.years, self.n_ratings)


def well_known(n_ratings: np.ndarray, fewest: int = WELL_KNOWN) -> np.ndarray:
    """Items with at least `fewest` ratings, (n_items,) bool: those whose vector can be judged.

    Raises InputError where they are fewer than 50: nothing said of so few would hold.
    """
    known = np.asarray(n_ratings) >= fewest
    if known.sum() < 50:
        raise InputError(f"only {known.sum()} items have {fewest} ratings or more; fifty are needed to say what holds")
    return known


def _columns(lists: list[list[str]]) -> dict[str, np.ndarray]:
    """Name → which items carry it, (n,) bool; names sorted."""
    columns = {name: np.zeros(len(lists), dtype=bool) for name in sorted({name for row in lists for name in row})}
    for at, row in enumerate(lists):
        for name in row:
            columns[name][at] = True
    return columns
