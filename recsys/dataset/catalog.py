"""Catalog: what the items are called, and how a person's spelling finds them. Knows no ratings and no files."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from rapidfuzz import fuzz, process

from recsys.dataset.interactions import as_ids, index_of, rows_of
from recsys.errors import AmbiguousTitle, InputError, UnknownId
from recsys.topk import NONE

COLUMNS = ("item_id", "title", "year", "genres", "tags")

ARTICLES = (
    "The A An Le La Les L' Un Une Des Il Lo I Gli Uno Una El Los Las Der Die Das Den Det De Het Een Ein Eine "
    "O Os As Um Uma En Ett"
).split()
"""Articles that MovieLens puts behind a title: "Matrix, The"."""

MOST_NEAR = 1000
"""Names that are compared letter by letter with what was typed: those that share most pairs of letters with it."""

_YEAR = re.compile(r"^(?P<title>.*?)\s*\(\s*(?P<year>(?:18|19|20)\d\d)\s*(?:[-–]\s*(?:\d{4})?\s*)?\)\s*$", re.S)
_BARE_YEAR = re.compile(r"^(?P<title>.*\S)\s+(?P<year>(?:18|19|20)\d\d)$", re.S)
_TRAILING_ARTICLE = re.compile(
    rf",\s+(?P<article>{'|'.join(re.escape(a) for a in sorted(ARTICLES, key=len, reverse=True))})"
    r"(?=\s*(?:$|\(|\)))",
    re.IGNORECASE,
)
_AKA = re.compile(r"^a\.?k\.?a\.?\s+", re.I)
_INTEGER = re.compile(r"[+-]?\d{1,18}")
_PUNCTUATION = re.compile(r"[^\w\s]|_")
_LEADING_ARTICLE = re.compile(r"^(?:the|a|an)\s+(?=\S)")


def split_year(title: str) -> tuple[str, int | None]:
    """Split "Matrix, The (1999)" into ("Matrix, The", 1999); without a year at the end: (title, None)."""
    match = _YEAR.match(title.strip())
    if match is None or not match["title"]:
        return title.strip(), None
    return match["title"].strip(), int(match["year"])


def article_first(title: str) -> str:
    """Turn "Matrix, The" into "The Matrix", and the title in brackets behind it likewise."""

    def turn(part: str) -> str:
        match = _TRAILING_ARTICLE.search(part)
        if match is None or part[match.end() :].strip():
            return part
        article, rest = match["article"], part[: match.start()]
        return f"{article}{rest}" if article.endswith("'") else f"{article} {rest}"

    if ", " not in title:
        return title
    outside, bracket, inside = title.partition(" (")
    if not bracket or not title.endswith(")"):
        return turn(title)
    return f"{turn(outside)} ({turn(inside[:-1])})"


def search_key(text: str) -> str:
    """A title as it is compared: no case, accents, punctuation or leading English article."""
    plain = article_first(text)
    if plain.isascii():
        plain = plain.casefold()
    else:
        plain = unicodedata.normalize("NFKD", plain).casefold()
        plain = "".join(c for c in plain if not unicodedata.combining(c))
    plain = _PUNCTUATION.sub(" ", plain.replace("&", " and ").replace("'", "").replace("’", ""))
    plain = " ".join(plain.split())
    return _LEADING_ARTICLE.sub("", plain)


@dataclass(frozen=True, eq=False)
class Catalog:
    """One row per item, in the order of the matrix's columns.

    items  DataFrame with the columns item_id, title (str), year (Int16, missing allowed), genres and tags
           (tuples of str); other columns are refused, so that everyone can rely on these.

    Raises InputError when a column is missing or an id stands twice.
    """

    items: pd.DataFrame

    def __post_init__(self) -> None:
        if tuple(self.items.columns) != COLUMNS:
            raise InputError(f"a catalogue has the columns {', '.join(COLUMNS)}, not {list(self.items.columns)}")
        items = self.items.reset_index(drop=True)
        items["year"] = items["year"].astype("Int16")
        for column in ("genres", "tags"):
            items[column] = [tuple(values) for values in items[column]]
        object.__setattr__(self, "items", items)
        if not self.index.is_unique:
            raise InputError(
                f"item id {self.index[self.index.duplicated()].tolist()[0]!r} stands twice in the catalogue"
            )

    @classmethod
    def of(
        cls,
        item_ids: Sequence[Any] | np.ndarray,
        titles: Sequence[str] | None = None,
        years: Sequence[int | None] | None = None,
        genres: Sequence[Sequence[str]] | None = None,
        tags: Sequence[Sequence[str]] | None = None,
    ) -> Catalog:
        """A catalogue from columns; what is not given is empty, and a title falls back to the id."""
        ids = as_ids(item_ids)
        n = len(ids)
        return cls(
            pd.DataFrame(
                {
                    "item_id": ids,
                    "title": pd.array([str(t) for t in (ids if titles is None else titles)], dtype="str"),
                    "year": pd.array([None] * n if years is None else list(years), dtype="Int16"),
                    "genres": pd.Series([()] * n if genres is None else [tuple(g) for g in genres], dtype=object),
                    "tags": pd.Series([()] * n if tags is None else [tuple(t) for t in tags], dtype=object),
                }
            )
        )

    def __len__(self) -> int:
        return len(self.items)

    @cached_property
    def item_ids(self) -> np.ndarray:
        return as_ids(self.items["item_id"].to_numpy())

    @cached_property
    def index(self) -> pd.Index:
        return index_of(self.item_ids)

    @cached_property
    def labels(self) -> np.ndarray:
        """Titles with their years, "The Matrix (1999)", as a person reads them: (n_items,) str objects."""
        years = self.items["year"]
        titles = self.items["title"].to_numpy(dtype=object)
        return np.array([t if pd.isna(y) else f"{t} ({y})" for t, y in zip(titles, years, strict=True)], dtype=object)

    @cached_property
    def years(self) -> np.ndarray:
        """(n_items,) float64, NaN where unknown."""
        return self.items["year"].astype("float64").to_numpy(dtype=np.float64, na_value=np.nan)

    @cached_property
    def genre_names(self) -> tuple[str, ...]:
        """All genres, by how many items carry them, most first; ties by name."""
        counts = self.items["genres"].explode().value_counts()
        return tuple(sorted((str(g) for g in counts.index), key=lambda g: (-int(counts[g]), g)))

    def take(self, item_ids: Sequence[Any] | np.ndarray) -> Catalog:
        """The catalogue of `item_ids` in their order; an id without a row gets one titled by its id."""
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
        """The labels of some ids. Raises UnknownId."""
        return list(self.labels[rows_of(self.index, item_ids, "item")])

    @cached_property
    def _names(self) -> _Names:
        return _Names.of(self.items["title"])

    @cached_property
    def _genre_masks(self) -> dict[str, np.ndarray]:
        """Genre without case → which items carry it, (n_items,) bool."""
        masks = {name.casefold(): np.zeros(len(self), dtype=bool) for name in self.genre_names}
        for row, genres in enumerate(self.items["genres"]):
            for genre in genres:
                masks[genre.casefold()][row] = True
        return masks

    def where(self, genres: Sequence[str] = (), years: tuple[int | None, int | None] | None = None) -> np.ndarray:
        """Items that carry any of the genres and are of these years, (n_items,) bool: candidates for a list.

        genres  without regard to case; none given means all
        years   first and last, both included; None at an end leaves it open. An item of unknown year passes only
                where both ends are open.

        Raises UnknownId for a genre that no item carries, InputError for a range that runs backwards.
        """
        passes = np.ones(len(self), dtype=bool)
        if len(genres):
            unknown = [genre for genre in genres if genre.casefold() not in self._genre_masks]
            if unknown:
                raise UnknownId(f"no genre is called {unknown[0]!r}; there are {', '.join(self.genre_names) or 'none'}")
            passes = np.logical_or.reduce([self._genre_masks[genre.casefold()] for genre in genres])
        low, high = years or (None, None)
        if low is not None and high is not None and low > high:
            raise InputError(f"the years run from {low} back to {high}: put the earlier one first")
        if low is not None:
            passes = passes & (self.years >= low)  # NaN, the unknown year, compares as False
        if high is not None:
            passes = passes & (self.years <= high)
        return passes

    def match(
        self,
        titles: Sequence[str],
        years: Sequence[int | None] | np.ndarray | pd.Series | None = None,
        popularity: np.ndarray | None = None,
    ) -> np.ndarray:
        """The rows of titles from elsewhere, (n,) int64, −1 where there is none: a wrong match is worse than none.

        titles      in anybody's spelling; what `search_key` forgives is forgiven, slips of spelling are not. A title
                    of a catalogue's item may be the whole or a part in brackets.
        years       of each title, NaN or None where unknown; without one a year in brackets behind the title counts.
                    Release years differ between countries: one year off still fits, more never does. An item
                    without a year fits any.
        popularity  (n_items,), more is better known

        Of several items that fit, the nearest year wins, then a whole title over one in brackets, then the more
        popular. Without `popularity` different movies that fit equally well are no match.
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
            year = year if np.isnan(given_year) else given_year
            found[at] = self._match(title, year, popularity)
        return found

    def _match(self, title: str, year: float | None, popularity: np.ndarray | None) -> int:
        """The row of one title, or −1."""
        whole, parts = _names_of(title)
        names = [whole] if year is None else [whole, *sorted(parts)]  # "Part 1" is a name only beside a year
        for name in names:
            fits = []
            for row in self._names.exact.get(name, []):
                off = 0.0 if year is None else abs(self.years[row] - year)
                if off <= 1 or np.isnan(off):
                    fits.append(((2.0 if np.isnan(off) else off, self._names.whole[row] != name), row))
            if not fits:
                continue
            best = min(fit for fit, _ in fits)
            rows = [row for fit, row in fits if fit == best]
            if popularity is not None:
                return max(rows, key=lambda row: (popularity[row], -row))
            return rows[0] if len(set(self.labels[rows])) == 1 else NONE
        return NONE

    def search(self, text: str, limit: int = 10, popularity: np.ndarray | None = None) -> np.ndarray:
        """Rows whose titles fit what was typed, best first, at most `limit`; empty when nothing is near.

        Case, accents, punctuation, a leading or trailing article and a missing year are forgiven, and so are
        small slips of spelling, where fewer than `limit` titles have what was typed in them, at the beginning or (from
        three letters on) of a later word. `popularity` (n_items,), more is better known, orders what fits equally well.
        """
        rows, scores = self._matches(text, limit)
        if popularity is None:
            order = np.lexsort((rows, -scores))
        else:
            # A better-known movie may pass a slightly better spelling, never a much better one.
            order = np.lexsort((rows, -popularity[rows], -np.round(scores / 10)))
        return rows[order][:limit]

    def id_of(self, title_or_id: object, popularity: np.ndarray | None = None) -> int | str:
        """The original id of the item that a title or an id names; the same rules and errors as `row_of`."""
        item_id = self.item_ids[self.row_of(title_or_id, popularity)]
        return str(item_id) if isinstance(item_id, str) else int(item_id)

    def row_of(self, title_or_id: object, popularity: np.ndarray | None = None) -> int:
        """The row of the item that a title or an id names.

        title_or_id  a title as `search_key` compares titles, with or without its year ("matrix", "Sabrina (1954)"); or
                     an original id. A string is tried as a whole title, then as an id, then as one of the names of a
                     title with brackets, so "1917" is the movie of that title rather than item 1917. Anything but a
                     string is an id.
        popularity   (n_items,), larger is more popular; decides between items of the same title and year, which
                     otherwise go to the first

        Raises UnknownId, with similar titles, when nothing matches, and AmbiguousTitle, with the candidates, when
        items of different titles or years do.
        """
        if not isinstance(title_or_id, str):
            return int(rows_of(self.index, [title_or_id], "item")[0])
        text = title_or_id
        exact = self._names.exact
        rows = exact.get(search_key(text), [])
        title, year = _typed_year(text)
        if year is not None and not rows:
            rows = [r for r in exact.get(search_key(title), []) if self.items["year"][r] == year]
        if search_key(text) not in {self._names.whole[r] for r in rows} and (row := self._row_of_id(text)) is not None:
            return row
        if not rows:
            near = self.labels[self.search(text, 5, popularity)]
            raise UnknownId(f"no movie is called {text!r}" + (f"; did you mean {_either(near)}?" if len(near) else ""))
        # "Nikita" is the movie of that title before the one that has it in brackets.
        rows = [r for r in rows if search_key(self.items["title"][r]) == search_key(title)] or rows
        if len(set(self.labels[rows])) > 1:
            raise AmbiguousTitle(f"{text!r} fits several movies: say {_either(self.labels[rows[:6]])}")
        return rows[0] if popularity is None else max(rows, key=lambda r: (popularity[r], -r))

    def _row_of_id(self, text: str) -> int | None:
        """The row of an id written as text, or None."""
        typed = text.strip()
        if self.index.dtype == np.int64 and not _INTEGER.fullmatch(typed):
            return None
        wanted = np.array([typed], dtype=object).astype(self.item_ids.dtype)
        row = int(self.index.get_indexer(index_of(wanted))[0])
        return row if row >= 0 else None

    def _matches(self, text: str, limit: int) -> tuple[np.ndarray, np.ndarray]:
        """Distinct rows that fit `text`, and how well: 0 … 130."""
        title, year = _typed_year(text)
        wanted, names = search_key(title), self._names
        if not wanted:
            return np.empty(0, dtype=np.int64), np.empty(0)
        begun = names.beginning_with(wanted)
        at, scores = begun, np.full(len(begun), 90.0)
        short = np.flatnonzero(names.lengths[begun] < 1.5 * len(wanted))  # WRatio gives no longer name more than 90
        scores[short] = np.maximum(90, names.likeness(wanted, begun[short]))
        if len(np.unique(names.rows[begun])) < limit:
            near = np.setdiff1d(names.near(wanted), begun)
            likeness = names.likeness(wanted, near)
            at = np.concatenate([begun, near[likeness >= 70]])
            scores = np.concatenate([scores, likeness[likeness >= 70]])
        rows, keys = names.rows[at], [names.keys[number] for number in at]
        scores += [20 if key == wanted else 5 if key.startswith(wanted) else 0 for key in keys]
        if year is not None:
            scores += np.where(self.years[rows] == year, 10, -10)
        best = np.lexsort((-scores, rows))
        rows, first = np.unique(rows[best], return_index=True)
        return rows, scores[best][first]


@dataclass(frozen=True, eq=False)
class _Names:
    """Every name an item can be found under: the whole title, what stands before a bracket and what stands in it.

    keys     the names as `search_key` has them; rows (n,) int64 the item of each; lengths (n,) in letters
    whole    the whole title of each item
    exact    name → rows
    text     all names, each between line breaks; starts (n,) where each begins
    pairs    CSR (2¹⁶, n) bool: pair of neighbouring letters, the blank around a name among them → names that hold it
    """

    keys: list[str]
    rows: np.ndarray
    lengths: np.ndarray
    whole: list[str]
    exact: dict[str, list[int]]
    text: str
    starts: np.ndarray
    pairs: sp.csr_matrix

    @classmethod
    def of(cls, titles: Iterable[str]) -> _Names:
        keys: list[str] = []
        rows: list[int] = []
        whole: list[str] = []
        exact: dict[str, list[int]] = {}
        for row, title in enumerate(titles):
            name, parts = _names_of(title)
            whole.append(name)
            for key in sorted({name, *parts} - {""}):
                keys.append(key)
                rows.append(row)
                exact.setdefault(key, []).append(row)
        lengths = np.array([len(key) for key in keys], dtype=np.int64)
        starts = 1 + np.cumsum(lengths + 1) - (lengths + 1)
        text = "\n" + "".join(f"{key}\n" for key in keys)
        pairs, owners = _pairs(text), np.repeat(np.arange(len(keys)), lengths + 1)
        held = sp.coo_matrix((np.ones(len(owners), dtype=bool), (pairs, owners)), shape=(2**16, len(keys)))
        return cls(keys, np.array(rows, dtype=np.int64), lengths, whole, exact, text, starts, held.tocsr())

    def beginning_with(self, wanted: str) -> np.ndarray:
        """Names that begin with it or, from three letters on, have a word that does: rising numbers, int64."""
        places = _places(self.text, f"\n{wanted}") + (_places(self.text, f" {wanted}") if len(wanted) > 2 else [])
        return np.unique(np.searchsorted(self.starts, np.array(places, dtype=np.int64) + 1, side="right") - 1)

    def near(self, wanted: str) -> np.ndarray:
        """Names that share most pairs of letters with it, by number and by Dice's share: at most 2 · `MOST_NEAR`."""
        shared = np.zeros(len(self.keys), dtype=np.float32)
        asked = np.unique(_pairs(f"\n{wanted}\n"))
        for pair in asked:
            shared[self.pairs.indices[self.pairs.indptr[pair] : self.pairs.indptr[pair + 1]]] += 1
        n = min(MOST_NEAR, len(shared))
        if not n:
            return np.empty(0, dtype=np.int64)
        by_number = np.argpartition(-shared, n - 1)[:n]
        by_share = np.argpartition(-shared / (self.lengths + 1 + len(asked)), n - 1)[:n]
        either = np.union1d(by_number, by_share)
        return either[shared[either] > 0]

    def likeness(self, wanted: str, numbers: np.ndarray) -> np.ndarray:
        """How like each of these names is to it, 0 … 100 float64: rapidfuzz's WRatio."""
        names = [self.keys[number] for number in numbers]
        return process.cdist([wanted], names, scorer=fuzz.WRatio, dtype=np.float64)[0]


def _names_of(title: str) -> tuple[str, set[str]]:
    """The whole title as a key, and its parts: "Seven (Se7en)" is also called "Seven" and "Se7en"."""
    outside, bracket, inside = title.partition(" (")
    if not bracket:
        return search_key(title), set()
    return search_key(title), {search_key(outside), *(search_key(_AKA.sub("", part)) for part in inside.split("("))}


def _places(text: str, part: str) -> list[int]:
    """Where `part` begins in `text`."""
    places, at = [], text.find(part)
    while at >= 0:
        places.append(at)
        at = text.find(part, at + 1)
    return places


def _pairs(text: str) -> np.ndarray:
    """Each two neighbouring letters as a number below 2¹⁶, (len(text) − 1,); rare pairs may share one."""
    letters = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")
    return (letters[:-1] * 257 + letters[1:]) % 2**16


def _typed_year(text: str) -> tuple[str, int | None]:
    """The year of "Sabrina (1954)" or "sabrina 1954", as people type it."""
    title, year = split_year(text)
    if year is None and (match := _BARE_YEAR.match(title)):
        return match["title"], int(match["year"])
    return title, year


def _either(labels: Sequence[str] | np.ndarray) -> str:
    quoted = [f'"{label}"' for label in labels]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} or {quoted[-1]}"
