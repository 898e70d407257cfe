"""Attributes: what is known of items besides their vectors: genres, tags, decades and popularity.

They are used to name and test the embedding space. No model is trained on them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from recsys.dataset.catalog import Catalog, one_hot
from recsys.errors import InputError, UnknownId, quoted

Kind = Literal["genre", "tag", "decade", "popularity"]

WIDELY_SEEN, LITTLE_SEEN = "widely seen", "little seen"
TAIL = 0.2
"""The share of items that count as widely (little) seen."""
WELL_KNOWN = 20
"""The number of ratings from which on an item's vector is more signal than noise."""
FEWEST_WELL_KNOWN = 50
"""Fewer well-known items than this are too few for any measurement of the space."""


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

    >>> catalog = Catalog.of([1, 2, 3], ["A", "B", "C"], [1994, 1958, None], [["Horror"], ["Horror", "Comedy"], []])
    >>> attributes = Attributes.of(catalog)
    >>> attributes.names
    ('Comedy', 'Horror', '1950s', '1990s')
    >>> attributes.carriers(["comedy", "1990s"]).tolist()
    [True, True, False]
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
        genres, by_genre = catalog.content_genres, catalog.content_genre_matrix
        order = sorted(range(len(genres)), key=genres.__getitem__)
        tags = [sorted({tag.casefold() for tag in row}) for row in catalog.items["tags"]]
        n_tagged = Counter(tag for row in tags for tag in row)
        decades = [[] if np.isnan(year) else [f"{int(year) // 10 * 10}s"] for year in catalog.years]
        rated = counts[counts >= WELL_KNOWN] if (counts >= WELL_KNOWN).any() else counts
        low, high = np.quantile(rated, [TAIL, 1 - TAIL]) if len(rated) else (0, 0)
        # Without counts all are zero, so that no item is above or below the quantiles.
        seen = [[WIDELY_SEEN] * int(n > high) + [LITTLE_SEEN] * int(n < low) for n in counts]
        groups: list[tuple[Kind, tuple[tuple[str, ...], np.ndarray]]] = [
            ("genre", (tuple(genres[at] for at in order), by_genre[:, order])),
            ("decade", one_hot(decades)),
            ("popularity", one_hot(seen)),
            ("tag", one_hot([[tag for tag in row if n_tagged[tag] >= fewest_tagged] for row in tags])),
        ]
        names = tuple(name for _, (words, _) in groups for name in words)
        kinds = tuple(kind for kind, (words, _) in groups for _ in words)
        carries = np.ascontiguousarray(np.hstack([matrix for _, (_, matrix) in groups]))
        return cls(catalog, counts, has_ratings, names, kinds, carries)

    def __len__(self) -> int:
        """The number of attributes, m."""
        return len(self.names)

    @property
    def years(self) -> np.ndarray:
        """(n_items,) float64 years of release, NaN where unknown."""
        return self.catalog.years

    @cached_property
    def well_known(self) -> np.ndarray:
        """Items with at least `WELL_KNOWN` ratings, (n_items,) bool; all items where rating counts are unknown.

        Axes, names and clusters are evaluated on these: the vector of a rarely rated item is mostly noise. Raises
        InputError where there are fewer than `FEWEST_WELL_KNOWN`.
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
        """Only the attributes that at least `fewest` of the items (bool mask or rows) have and as many do not."""
        selected = self.carries[items]
        n = selected.sum(axis=0)
        return self.take((n >= fewest) & (len(selected) - n >= fewest))

    def carriers(self, names: Iterable[str]) -> np.ndarray:
        """Items that have any of the attributes of these names: (n_items,) bool.

        Case is ignored. A genre, a decade or a popularity takes precedence over a tag of the same name. Raises
        UnknownId for a name that does not exist.
        """
        found = np.zeros(len(self.catalog), dtype=bool)
        for name in names:
            if name.casefold() not in self._columns_of:
                raise UnknownId(f"there is no genre, tag, decade or popularity {quoted(name)}")
            found |= self.carries[:, self._columns_of[name.casefold()]]
        return found

    def has(self, name: str) -> bool:
        """Whether an attribute of this name exists, ignoring case."""
        return name.casefold() in self._columns_of

    def kind_of(self, name: str) -> Kind:
        """The kind of the attribute of this name, ignoring case. Raises KeyError if `has` is False."""
        return self.kinds[self._columns_of[name.casefold()]]

    @cached_property
    def _columns_of(self) -> dict[str, int]:
        return {name.casefold(): at for at, name in reversed(list(enumerate(self.names)))}

    def take(self, chosen: np.ndarray) -> Attributes:
        """Only the attributes of a mask, (m,) bool."""
        kept = np.flatnonzero(chosen)
        names, kinds = tuple(self.names[at] for at in kept), tuple(self.kinds[at] for at in kept)
        return Attributes(self.catalog, self.n_ratings, self.has_ratings, names, kinds, self.carries[:, kept])
