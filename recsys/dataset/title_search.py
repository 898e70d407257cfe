"""TitleIndex: looks up titles by exact name and finds the most similar ones to a query."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from rapidfuzz import fuzz, process

from recsys.dataset.titles import search_key, search_keys, split_typed_year

MOST_COMPARED = 1000
"""Names that are compared letter by letter with the query: those that share most pairs of letters with it."""
FEWEST_SIMILARITY = 70
"""The lowest WRatio (0 … 100) at which a name counts as similar to the query."""


@dataclass(frozen=True, eq=False)
class TitleIndex:
    """Every name of every item: the whole title, the part before a bracket and the names in brackets.

    keys     n names in the form of `search_key`
    rows     (n,) int64, the item of each name
    lengths  (n,) int64, letters of each name
    whole    the key of each item's whole title
    exact    name → rows of the items that have it
    text     all names between line breaks, for substring search; starts (n,) is where each begins
    pairs    CSR (2¹⁶, n) bool: hashed pair of neighbouring letters, with the line breaks around a name → names
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
    def of(cls, titles: Iterable[str]) -> TitleIndex:
        """Index titles, one per item."""
        keys: list[str] = []
        rows: list[int] = []
        whole: list[str] = []
        exact: dict[str, list[int]] = {}
        for row, title in enumerate(titles):
            name, parts = search_keys(title)
            whole.append(name)
            for key in sorted({name, *parts} - {""}):
                keys.append(key)
                rows.append(row)
                exact.setdefault(key, []).append(row)
        lengths = np.array([len(key) for key in keys], dtype=np.int64)
        starts = 1 + np.cumsum(lengths + 1) - (lengths + 1)
        text = "\n" + "".join(f"{key}\n" for key in keys)
        pairs, owners = _letter_pairs(text), np.repeat(np.arange(len(keys)), lengths + 1)
        contained = sp.coo_matrix((np.ones(len(owners), dtype=bool), (pairs, owners)), shape=(2**16, len(keys)))
        return cls(keys, np.array(rows, dtype=np.int64), lengths, whole, exact, text, starts, contained.tocsr())

    def similar(self, text: str, limit: int, years: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Distinct rows whose titles are similar to `text`, ascending, and scores from 0 to 130.

        Names that begin with the text, or (from three letters on) have a later word that does, come first. Only where
        they belong to fewer than `limit` items are names compared by spelling.

        years  (n_items,) float64: a year in `text` raises the score of items of that year and lowers the others
        """
        title, year = split_typed_year(text)
        query = search_key(title)
        if not query:
            return np.empty(0, dtype=np.int64), np.empty(0)
        prefixed = self._with_prefix(query)
        numbers, scores = prefixed, np.full(len(prefixed), 90.0)
        short = np.flatnonzero(self.lengths[prefixed] < 1.5 * len(query))  # WRatio is at most 90 for longer names
        scores[short] = np.maximum(90, self._similarities(query, prefixed[short]))
        if len(np.unique(self.rows[prefixed])) < limit:
            others = np.setdiff1d(self._candidates(query), prefixed)
            similarities = self._similarities(query, others)
            numbers = np.concatenate([prefixed, others[similarities >= FEWEST_SIMILARITY]])
            scores = np.concatenate([scores, similarities[similarities >= FEWEST_SIMILARITY]])
        rows, keys = self.rows[numbers], [self.keys[number] for number in numbers]
        scores += [20 if key == query else 5 if key.startswith(query) else 0 for key in keys]
        if year is not None:
            scores += np.where(years[rows] == year, 10, -10)
        best = np.lexsort((-scores, rows))
        rows, first = np.unique(rows[best], return_index=True)
        return rows, scores[best][first]

    def _with_prefix(self, query: str) -> np.ndarray:
        """Names that begin with the query or, from three letters on, have a word that does: ascending int64."""
        found = _positions(self.text, f"\n{query}") + (_positions(self.text, f" {query}") if len(query) > 2 else [])
        return np.unique(np.searchsorted(self.starts, np.array(found, dtype=np.int64) + 1, side="right") - 1)

    def _candidates(self, query: str) -> np.ndarray:
        """Names that share most letter pairs with the query, by count and by Dice coefficient.

        At most 2 · `MOST_COMPARED` of them, ascending.
        """
        shared = np.zeros(len(self.keys), dtype=np.float32)
        asked = np.unique(_letter_pairs(f"\n{query}\n"))
        for pair in asked:
            shared[self.pairs.indices[self.pairs.indptr[pair] : self.pairs.indptr[pair + 1]]] += 1
        n = min(MOST_COMPARED, len(shared))
        if not n:
            return np.empty(0, dtype=np.int64)
        by_count = np.argpartition(-shared, n - 1)[:n]
        by_share = np.argpartition(-shared / (self.lengths + 1 + len(asked)), n - 1)[:n]
        either = np.union1d(by_count, by_share)
        return either[shared[either] > 0]

    def _similarities(self, query: str, numbers: np.ndarray) -> np.ndarray:
        """rapidfuzz's WRatio of the query with each of these names, 0 … 100 float64."""
        names = [self.keys[number] for number in numbers]
        return np.asarray(process.cdist([query], names, scorer=fuzz.WRatio, dtype=np.float64)[0])


def _positions(text: str, part: str) -> list[int]:
    """Every position at which `part` begins in `text`."""
    found, at = [], text.find(part)
    while at >= 0:
        found.append(at)
        at = text.find(part, at + 1)
    return found


def _letter_pairs(text: str) -> np.ndarray:
    """Each two neighbouring letters hashed to a number below 2¹⁶, (len(text) − 1,); rare pairs may collide."""
    letters = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")
    pairs: np.ndarray = (letters[:-1] * 257 + letters[1:]) % 2**16
    return pairs
