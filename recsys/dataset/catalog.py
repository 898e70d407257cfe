"""Catalog: title, year, genres and tags of every item, and the item that a title or an id names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from recsys.dataset.interactions import as_ids, index_of, rows_of
from recsys.dataset.title_search import TitleIndex
from recsys.dataset.titles import search_key, search_keys, split_typed_year, split_year
from recsys.errors import MOST_LETTERS, AmbiguousTitle, InputError, UnknownId, quoted
from recsys.topk import NONE

COLUMNS = ("item_id", "title", "year", "genres", "tags")

MISSING_GENRES = frozenset({"", "unknown", "(no genres listed)", "unkonwn"})
"""Values that mean that an item has no genre; the last is a misspelling in RecBole's files."""
NO_GENRE = MISSING_GENRES | {"imax"}
"""Genre names, in lower case, that describe no content: missing values and a screen format."""

_INTEGER = re.compile(r"[+-]?\d{1,18}")


@dataclass(frozen=True, eq=False)
class Catalog:
    """One row per item, in the order of the matrix's columns.

    items  DataFrame with exactly the columns item_id, title (str), year (Int16, missing allowed), genres and tags
           (tuples of str)

    Raises InputError for other columns and for duplicate ids.

    >>> catalog = Catalog.of([10, 20], ["The Matrix", "Amélie"], [1999, 2001], [["Action", "Sci-Fi"], ["Romance"]])
    >>> catalog.id_of("amelie"), catalog.id_of("Matrix, The (1999)"), catalog.id_of(10)
    (20, 10, 10)
    >>> catalog.where(genres=["sci-fi"]).tolist()
    [True, False]
    """

    items: pd.DataFrame

    def __post_init__(self) -> None:
        if tuple(self.items.columns) != COLUMNS:
            raise InputError(f"a catalog has the columns {', '.join(COLUMNS)}, not {', '.join(map(str, self.items))}")
        items = self.items.reset_index(drop=True)
        items["year"] = items["year"].astype("Int16")
        for column in ("genres", "tags"):
            if any(isinstance(values, str) for values in items[column]):
                raise InputError(f"{column} of an item must be a list of words, not one text")
            items[column] = [tuple(values) for values in items[column]]
        object.__setattr__(self, "items", items)
        if not self.index.is_unique:
            repeated = self.index[self.index.duplicated()].tolist()[0]
            raise InputError(f"duplicate item id {quoted(repeated)} in the catalog")

    @classmethod
    def of(
        cls,
        item_ids: Sequence[Any] | np.ndarray,
        titles: Sequence[str] | None = None,
        years: Sequence[int | None] | None = None,
        genres: Sequence[Sequence[str]] | None = None,
        tags: Sequence[Sequence[str]] | None = None,
    ) -> Catalog:
        """A catalog from columns of one length. Without titles the ids serve as titles; other columns may be empty."""
        ids = as_ids(item_ids)
        n = len(ids)
        return cls(
            pd.DataFrame(
                {
                    "item_id": ids,
                    "title": pd.array([str(t) for t in (ids if titles is None else titles)], dtype="str"),
                    "year": pd.array([None] * n if years is None else list(years), dtype="Int16"),
                    "genres": pd.Series([()] * n if genres is None else list(genres), dtype=object),
                    "tags": pd.Series([()] * n if tags is None else list(tags), dtype=object),
                }
            )
        )

    def __len__(self) -> int:
        """The number of items."""
        return len(self.items)

    @cached_property
    def item_ids(self) -> np.ndarray:
        """(n_items,) original ids, int64 or str objects."""
        return as_ids(self.items["item_id"].to_numpy())

    @cached_property
    def index(self) -> pd.Index[Any]:
        """Original id → row."""
        return index_of(self.item_ids)

    @cached_property
    def labels(self) -> np.ndarray:
        """(n_items,) titles with their years, such as "The Matrix (1999)": str objects."""
        years = self.items["year"]
        titles = self.items["title"].to_numpy(dtype=object)
        return np.array([t if pd.isna(y) else f"{t} ({y})" for t, y in zip(titles, years, strict=True)], dtype=object)

    @cached_property
    def years(self) -> np.ndarray:
        """(n_items,) float64 years of release, NaN where unknown."""
        return self.items["year"].astype("float64").to_numpy(dtype=np.float64, na_value=np.nan)

    @cached_property
    def genre_names(self) -> tuple[str, ...]:
        """All genres, the most frequent first, ties by name."""
        counts = self.items["genres"].explode().value_counts()
        return tuple(sorted((str(g) for g in counts.index), key=lambda g: (-int(counts[g]), g)))

    @cached_property
    def genre_matrix(self) -> np.ndarray:
        """(n_items, n_genres) bool, True where an item has a genre; columns in the order of `genre_names`."""
        names, matrix = one_hot(self.items["genres"])
        return matrix[:, [names.index(name) for name in self.genre_names]]

    @cached_property
    def content_genres(self) -> tuple[str, ...]:
        """`genre_names` without those in `NO_GENRE`."""
        return tuple(name for name in self.genre_names if name.casefold() not in NO_GENRE)

    @cached_property
    def content_genre_matrix(self) -> np.ndarray:
        """The columns of `genre_matrix` for `content_genres`: (n_items, n_content_genres) bool."""
        kept = [name.casefold() not in NO_GENRE for name in self.genre_names]
        return self.genre_matrix[:, np.array(kept, dtype=bool)]

    def take(self, item_ids: Sequence[Any] | np.ndarray) -> Catalog:
        """The catalog of `item_ids`, in their order; an id that is not here gets a row with its id as title."""
        ids = as_ids(item_ids)
        items = self.items.set_axis(self.index).reindex(index_of(ids))
        known = items["item_id"].notna()
        return Catalog.of(
            ids,
            list(items["title"].where(known, ids.astype(str))),
            list(items["year"]),
            [genres if here else () for genres, here in zip(items["genres"], known, strict=True)],
            [tags if here else () for tags, here in zip(items["tags"], known, strict=True)],
        )

    def label_of(self, item_ids: Sequence[Any] | np.ndarray) -> list[str]:
        """The labels of these original ids. Raises UnknownId."""
        return list(self.labels[rows_of(self.index, item_ids, "item")])

    def where(self, genres: Sequence[str] = (), years: tuple[int | None, int | None] | None = None) -> np.ndarray:
        """Items that have any of the genres and are from these years: (n_items,) bool.

        genres  without regard to case; empty means any genre or none
        years   first and last year, both included; None leaves an end open. Items of unknown year match only when both
                ends are open.

        Raises UnknownId for a genre that no item has, InputError when the first year is after the last.
        """
        matches: np.ndarray = np.ones(len(self), dtype=bool)
        if len(genres):
            columns: list[int] = []
            for genre in genres:
                found = [at for at, name in enumerate(self.genre_names) if name.casefold() == genre.casefold()]
                if not found:
                    raise UnknownId(
                        f"there is no genre {quoted(genre)}; the genres are {', '.join(self.genre_names) or 'none'}"
                    )
                columns += found
            matches = np.asarray(self.genre_matrix[:, columns].any(axis=1))
        low, high = years or (None, None)
        if not all(isinstance(year, int | float | np.number | None) for year in (low, high)):
            raise InputError(f"years must be a pair of numbers, such as (1980, 1989), not {quoted(years)}")
        if low is not None and high is not None and low > high:
            raise InputError(f"the first year, {low}, is after the last, {high}")
        if low is not None:
            matches = matches & (self.years >= low)  # False for NaN, the unknown year
        if high is not None:
            matches = matches & (self.years <= high)
        return matches

    def row_of(self, title_or_id: object, popularity: np.ndarray | None = None) -> int:
        """The row of the item that a title or an id names.

        title_or_id  a title, compared as `search_key` does, with or without its year ("matrix", "Sabrina (1954)"); or
                     an original id. A string is tried as a whole title, then as an id, then as a part of a title
                     (before or in brackets): "1917" is the movie of that title rather than item 1917. Anything but a
                     string is an id.
        popularity   (n_items,), larger is more popular; decides between items of the same title and year, of which
                     otherwise the first is taken

        Raises UnknownId, with similar titles, when nothing matches, and AmbiguousTitle, with the candidates, when items
        of different titles or years do.
        """
        if not isinstance(title_or_id, str):
            return int(rows_of(self.index, [title_or_id], "item")[0])
        text, exact = title_or_id, self._titles.exact
        rows = exact.get(search_key(text), [])
        title, year = split_typed_year(text)
        if year is not None and not rows:
            rows = [r for r in exact.get(search_key(title), []) if self.items["year"][r] == year]
        if search_key(text) not in {self._titles.whole[r] for r in rows} and (row := self._row_of_id(text)) is not None:
            return row
        if not rows:
            similar = self.labels[self.search(text, 5, popularity)]
            hint = f"; did you mean {_alternatives(similar)}?" if len(similar) else ""
            raise UnknownId(f"no movie is called {quoted(text)}{hint}")
        # "Nikita" is the movie of that title rather than one that has it in brackets.
        rows = [r for r in rows if search_key(self.items["title"][r]) == search_key(title)] or rows
        if len(set(self.labels[rows])) > 1:
            raise AmbiguousTitle(f"{quoted(text)} matches several movies: use {_alternatives(self.labels[rows[:6]])}")
        return rows[0] if popularity is None else max(rows, key=lambda r: (popularity[r], -r))

    def id_of(self, title_or_id: object, popularity: np.ndarray | None = None) -> int | str:
        """The original id of the item that a title or an id names; the same rules and errors as `row_of`."""
        item_id = self.item_ids[self.row_of(title_or_id, popularity)]
        return str(item_id) if isinstance(item_id, str) else int(item_id)

    def search(self, text: str, limit: int = 10, popularity: np.ndarray | None = None) -> np.ndarray:
        """Rows of the titles most similar to `text`, best first: (at most limit,) int64; empty when none is similar.

        Case, accents, punctuation, leading or trailing articles and a missing year are ignored. Titles that contain the
        text at the beginning or (from three letters on) of a later word come first; misspellings are found where there
        are fewer than `limit` of those. `popularity` (n_items,), larger is more popular, orders titles of about the
        same similarity.
        """
        rows, scores = self._titles.similar(text, limit, self.years)
        if popularity is None:
            order = np.lexsort((rows, -scores))
        else:  # a more popular movie may pass a slightly better match, never a much better one
            order = np.lexsort((rows, -popularity[rows], -np.round(scores / 10)))
        return rows[order][:limit]

    def match(
        self,
        titles: Sequence[str],
        years: Sequence[int | None] | np.ndarray | pd.Series[Any] | None = None,
        popularity: np.ndarray | None = None,
    ) -> np.ndarray:
        """The rows of titles from another source: (n,) int64, −1 where there is no certain match.

        titles      in any spelling that `search_key` makes equal; misspellings do not match. A title of the catalog
                    matches as a whole or by a part in brackets.
        years       (n,) NaN or None where unknown; a year in brackets behind the title is used where it is not given.
                    Release years differ between countries, so one year of difference is accepted. An item without a
                    year matches any.
        popularity  (n_items,), larger is more popular

        Of several items that match, the nearest year wins, then a whole title over a part, then the more popular item.
        Without `popularity`, different movies that match equally well give −1. Raises InputError for another number of
        years than titles.
        """
        wanted = np.full(len(titles), np.nan)
        if years is not None:
            given = pd.Series(list(years), dtype=object)
            wanted = pd.to_numeric(given, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
        if len(wanted) != len(titles):
            raise InputError(f"{len(wanted)} years for {len(titles)} titles")
        found = np.full(len(titles), NONE, dtype=np.int64)
        for at, (text, given_year) in enumerate(zip(titles, wanted, strict=True)):
            title, year = split_year(str(text))
            found[at] = self._match(title, year if np.isnan(given_year) else given_year, popularity)
        return found

    def _match(self, title: str, year: float | None, popularity: np.ndarray | None) -> int:
        """The row of one title, or −1."""
        whole, parts = search_keys(title)
        names = [whole] if year is None else [whole, *sorted(parts)]  # "Part 1" alone is no name without a year
        for name in names:
            fits = []
            for row in self._titles.exact.get(name, []):
                off = 0.0 if year is None else abs(self.years[row] - year)
                if off <= 1 or np.isnan(off):
                    fits.append(((2.0 if np.isnan(off) else off, self._titles.whole[row] != name), row))
            if not fits:
                continue
            best = min(fit for fit, _ in fits)
            rows = [row for fit, row in fits if fit == best]
            if popularity is not None:
                return max(rows, key=lambda row: (popularity[row], -row))
            return rows[0] if len(set(self.labels[rows])) == 1 else NONE
        return NONE

    def _row_of_id(self, text: str) -> int | None:
        """The row of an id written as text, or None."""
        typed = text.strip()
        if self.index.dtype == np.int64 and not _INTEGER.fullmatch(typed):
            return None
        wanted = np.array([typed], dtype=object).astype(self.item_ids.dtype)
        row = int(self.index.get_indexer(index_of(wanted))[0])
        return row if row >= 0 else None

    @cached_property
    def _titles(self) -> TitleIndex:
        return TitleIndex.of(self.items["title"])


def one_hot(lists: Sequence[Iterable[str]] | pd.Series[Any]) -> tuple[tuple[str, ...], np.ndarray]:
    """The distinct words of n lists, sorted, and (n, n_words) bool: True where a list contains a word."""
    names = tuple(sorted({name for row in lists for name in row}))
    column_of = {name: column for column, name in enumerate(names)}
    matrix = np.zeros((len(lists), len(names)), dtype=bool)
    for at, row in enumerate(lists):
        for name in row:
            matrix[at, column_of[name]] = True
    return names, matrix


def _alternatives(labels: Sequence[str] | np.ndarray) -> str:
    """Labels in quotation marks, long ones cut, with "or" before the last."""
    marked = [f'"{label if len(label) <= MOST_LETTERS else label[:MOST_LETTERS] + "…"}"' for label in labels]
    return marked[0] if len(marked) == 1 else f"{', '.join(marked[:-1])} or {marked[-1]}"
