"""Catalog: what the items are called, and how a person's spelling finds them. Knows no ratings and no files."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from rapidfuzz import fuzz, process

from recsys.errors import InputError, UnknownId
from recsys.interactions import as_ids, index_of, rows_of

COLUMNS = ("item_id", "title", "year", "genres", "tags")

ARTICLES = (
    "The A An Le La Les L' Un Une Des Il Lo I Gli Uno Una El Los Las Der Die Das Den Det De Het Een Ein Eine "
    "O Os As Um Uma En Ett"
).split()
"""Articles that MovieLens puts behind a title: "Matrix, The"."""

_YEAR = re.compile(r"^(?P<title>.*?)\s*\(\s*(?P<year>(?:18|19|20)\d\d)\s*(?:[-–]\s*(?:\d{4})?\s*)?\)\s*$", re.S)
_BARE_YEAR = re.compile(r"^(?P<title>.*\S)\s+(?P<year>(?:18|19|20)\d\d)$", re.S)
_TRAILING_ARTICLE = re.compile(
    rf",\s+(?P<article>{'|'.join(re.escape(a) for a in sorted(ARTICLES, key=len, reverse=True))})"
    r"(?=\s*(?:$|\(|\)))",
    re.IGNORECASE,
)
_AKA = re.compile(r"^a\.?k\.?a\.?\s+", re.I)
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
    plain = unicodedata.normalize("NFKD", article_first(text)).casefold()
    plain = "".join(c for c in plain if not unicodedata.combining(c))
    plain = re.sub(r"[^\w\s]|_", " ", plain.replace("&", " and ").replace("'", "").replace("’", ""))
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
    def _names(self) -> tuple[list[str], np.ndarray, dict[str, list[int]]]:
        """Every name an item can be found under, the row of each, and name → rows.

        "Seven (Se7en)" is found as the whole, as "Seven" and as "Se7en".
        """
        keys: list[str] = []
        rows: list[int] = []
        for row, title in enumerate(self.items["title"]):
            names = {search_key(title)}
            outside, bracket, inside = title.partition(" (")
            if bracket:
                names |= {search_key(outside), *(search_key(_AKA.sub("", part)) for part in inside.split("("))}
            for name in sorted(names - {""}):
                keys.append(name)
                rows.append(row)
        exact: dict[str, list[int]] = {}
        for key, row in zip(keys, rows, strict=True):
            exact.setdefault(key, []).append(row)
        return keys, np.array(rows, dtype=np.int64), exact

    def search(self, text: str, limit: int = 10, popularity: np.ndarray | None = None) -> np.ndarray:
        """Rows whose titles fit what was typed, best first, at most `limit`; empty when nothing is near.

        Case, accents, punctuation, a leading or trailing article and a missing year are forgiven, and so are
        small slips of spelling. `popularity` (n_items,), more is better known, orders what fits equally well.
        """
        rows, scores = self._matches(text)
        if popularity is None:
            order = np.lexsort((rows, -scores))
        else:
            # A better-known movie may pass a slightly better spelling, never a much better one.
            order = np.lexsort((rows, -popularity[rows], -np.round(scores / 10)))
        return rows[order][:limit]

    def find(self, text: str, popularity: np.ndarray | None = None) -> int:
        """The row of the one item that `text` names; raises UnknownId, which suggests what was near.

        Items of the same title and year are one and the same to a reader: the most popular (else the first) is it.
        """
        exact = self._names[2]
        rows = exact.get(search_key(text), [])
        title, year = _typed_year(text)
        if year is not None and not rows:
            rows = [r for r in exact.get(search_key(title), []) if self.items["year"][r] == year]
        if not rows:
            near = self.labels[self.search(text, 5, popularity)]
            raise UnknownId(f"no movie is called {text!r}" + (f"; did you mean {_either(near)}?" if len(near) else ""))
        # "Nikita" is the movie of that title before the one that has it in brackets.
        rows = [r for r in rows if search_key(self.items["title"][r]) == search_key(title)] or rows
        if len(set(self.labels[rows])) > 1:
            raise UnknownId(f"{text!r} fits several movies: say {_either(self.labels[rows[:6]])}")
        return rows[0] if popularity is None else max(rows, key=lambda r: (popularity[r], -r))

    def _matches(self, text: str) -> tuple[np.ndarray, np.ndarray]:
        """Distinct rows that fit `text`, and how well: 0 … 130."""
        title, year = _typed_year(text)
        wanted = search_key(title)
        if not wanted:
            return np.empty(0, dtype=np.int64), np.empty(0)
        keys, rows, _ = self._names
        found = process.extract(wanted, keys, scorer=fuzz.WRatio, limit=200, score_cutoff=70)
        found += [
            (key, 90.0, at)
            for at, key in enumerate(keys)
            if key.startswith(wanted) or (len(wanted) > 2 and f" {wanted}" in key)
        ]
        best: dict[int, float] = {}
        for key, score, at in found:
            row = int(rows[at])
            score += 20 if key == wanted else 5 if key.startswith(wanted) else 0
            if year is not None:
                score += 10 if self.items["year"][row] == year else -10
            best[row] = max(best.get(row, 0.0), score)
        return np.array(list(best), dtype=np.int64), np.array(list(best.values()))


def _typed_year(text: str) -> tuple[str, int | None]:
    """The year of "Sabrina (1954)" or "sabrina 1954", as people type it."""
    title, year = split_year(text)
    if year is None and (match := _BARE_YEAR.match(title)):
        return match["title"], int(match["year"])
    return title, year


def _either(labels: Sequence[str] | np.ndarray) -> str:
    quoted = [f'"{label}"' for label in labels]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} or {quoted[-1]}"
