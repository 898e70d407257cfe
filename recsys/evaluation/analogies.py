"""Analogies between movies, made from their titles by rule: "Toy Story is to Toy Story 2 as The Terminator is to ?".

Whoever answers them without having read a title has put "the sequel of" or "the remake of" into a direction of the
space. Knows no models and no files: titles make the questions, vectors answer them.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Any, Literal, get_args

import numpy as np
import scipy.sparse as sp

from recsys.dataset.catalog import Catalog
from recsys.dataset.titles import article_first, search_key, split_names
from recsys.errors import InputError, SettingError
from recsys.evaluation.embedding import lengths, unit
from recsys.topk import BLOCK_BYTES, NONE, row_blocks

Kind = Literal["sequel", "remake"]

SEQUEL_WITHIN = 30
"""Years. A second part that comes later is most often that of a newer movie of the same title."""
REMADE_AFTER, ONE_WORD_REMADE_AFTER = 5, 20
"""Years. A title of one word, such as "Gladiator", soon names another story; after 20 years it is mostly the same."""

MOST_OF_A_TITLE = 6
"""Movies of one title, such as "Hamlet"; one that more have, such as "Untitled", says nothing."""

_SECOND_PART = re.compile(r"\s(?:part\s+)?(?:2|ii|two)$", re.IGNORECASE)
"""The end of a second part's title; white space before the number keeps "The Naked Gun 2 1/2" out."""


@dataclass(frozen=True)
class Pair:
    """Two movies, as rows of the catalogue, the second made after the first."""

    first: int
    second: int
    kind: Kind


def title_pairs(catalog: Catalog, n_ratings: np.ndarray, fewest: int = 20) -> list[Pair]:
    """Sequels and remakes among the movies with at least `fewest` ratings; n_ratings is (n_items,).

    sequel  "X" and "X 2", "X II", "X Two" or "X Part 2" of a later year, with or without ": a subtitle" behind. Of
            several movies called X that with most genres in common counts, then the last one before; where none is
            called X, the only "X: a subtitle" does. Of several second parts the first one made counts.
    remake  two movies of one title, the second `REMADE_AFTER` years after the first or later. Titles of one word say
            less: `ONE_WORD_REMADE_AFTER` years, and the same article, since "The Arrival" is not "Arrival".

    Two movies of a pair share a genre where both have any. Titles are compared by `search_key`; a title in brackets
    is a name of its movie too when sequels are sought. The rules would rather miss a pair than find a false one: what
    fits two movies equally well is left out, and so are movies without a year. First and second parts are sought
    among all movies: one that is little known is not passed over for another that is well known.
    Sequels come before remakes, each in the order of rows.
    """
    n_ratings = np.asarray(n_ratings)
    if n_ratings.shape != (len(catalog),):
        raise InputError(f"n_ratings has shape {n_ratings.shape}, but the catalogue has {len(catalog)} items")
    known = n_ratings >= fewest
    pairs = [*_sequels(catalog), *sorted(_remakes(catalog), key=lambda pair: (pair.first, pair.second))]
    return [pair for pair in pairs if known[pair.first] and known[pair.second]]


def analogy_quality(
    vectors: np.ndarray | sp.csr_matrix, pairs: Sequence[Pair], candidates: np.ndarray, k: int = 10
) -> dict[str, Any]:
    """How well vectors answer "a is to b as c is to ?" for every two different pairs (a, b), (c, d) of one kind.

    vectors     (n_items, d), dense or CSR, without a bias
    candidates  (n_items,) bool: what may be an answer, such as the well-known items

    The answer is ranked by the cosine with b − a + c over unit vectors, 3CosAdd (Mikolov et al. 2013, "Linguistic
    regularities in continuous space word representations"), among the candidates without a, b and c; equal cosines in
    the order of rows, as in `EmbeddingSpace.analogy`. Not asked is what has no answer: d is a, b or c, is no
    candidate, or one of the four has a zero vector.

    n_questions         questions asked
    n_pairs             pairs without a zero vector
    hits@k              share of the questions whose answer d is among the first k
    mrr                 mean of 1 / the place of d
    chance              mean of k / the number of candidates a question has: hits@k of a random order
    neighbour_hits@k    hits@k when c alone is asked for its neighbours, a and b left out as well: what is not above
                        this is not the arithmetic's merit
    by_kind             the same for each kind of pair

    Values are NaN when there is no question. Raises InputError when rows or shapes do not fit.
    """
    if k < 1:
        raise SettingError(f"k must be at least 1, not {k}")
    n_items = vectors.shape[0]
    candidates = np.asarray(candidates, dtype=bool)
    if candidates.shape != (n_items,):
        raise InputError(f"candidates have shape {candidates.shape}, but there are vectors of {n_items} items")
    ends = np.array([(pair.first, pair.second) for pair in pairs], dtype=np.int64).reshape(-1, 2)
    if len(ends) and (ends.min() < 0 or ends.max() >= n_items):
        raise InputError(f"a pair has a row outside the {n_items} items: it was made from another catalogue")
    directions = unit(vectors)
    there = lengths(directions) > 0
    usable = there[ends].all(axis=1)
    kinds = np.array([pair.kind for pair in pairs], dtype=object)
    asked = {kind: _ask(directions, ends[usable & (kinds == kind)], candidates) for kind in get_args(Kind)}
    n_pairs = {kind: int((usable & (kinds == kind)).sum()) for kind in asked}
    everything = _summary(np.concatenate(list(asked.values())), sum(n_pairs.values()), k)
    return everything | {"by_kind": {kind: _summary(asked[kind], n_pairs[kind], k) for kind in asked}}


def _years(catalog: Catalog) -> list[int]:
    """Years, 0 where there is none."""
    return [int(year) for year in catalog.items["year"].fillna(0)]


def _alike(some: set[str], others: set[str]) -> bool:
    """Whether two movies share a genre, as far as it is known."""
    return not some or not others or bool(some & others)


def _best(merits: dict[int, Any]) -> set[int]:
    """The row of the greatest merit, or all rows that share it."""
    greatest = max(merits.values())
    return {row for row, merit in merits.items() if merit == greatest}


def _names(title: str) -> list[str]:
    """What a movie is called: its title without brackets, and the titles in brackets."""
    outside, inside = split_names(title)
    return [article_first(name) for name in (outside, *inside) if name]


def _bases(name: str) -> set[str]:
    """What stands before the 2 of a second part: "terminator" of "Terminator 2: Judgment Day"; mostly nothing."""
    openings = [name, *(name[: colon.start()].rstrip() for colon in re.finditer(":", name))]
    return {search_key(o[: match.start()]) for o in openings if (match := _SECOND_PART.search(o))} - {""}


def _sequels(catalog: Catalog) -> list[Pair]:
    years, genres = _years(catalog), [set(names) for names in catalog.items["genres"]]
    called: defaultdict[str, set[int]] = defaultdict(set)
    subtitled: defaultdict[str, set[int]] = defaultdict(set)
    bases: defaultdict[int, set[str]] = defaultdict(set)
    for row, title in enumerate(catalog.items["title"]):
        for name in _names(title) if years[row] else ():
            called[search_key(name)].add(row)
            if ":" in name:
                subtitled[search_key(name.partition(":")[0])].add(row)
            bases[row] |= _bases(name)
    seconds_of: defaultdict[int, set[int]] = defaultdict(set)
    for second in bases:
        firsts: set[int] = set()
        for base in bases[second]:
            before = {row for row in called[base] if years[row] < years[second]}
            if before:
                firsts |= _best({row: (len(genres[row] & genres[second]), years[row]) for row in before})
            else:
                firsts |= {row for row in subtitled[base] if years[row] < years[second]}
        for first in firsts if len(firsts) == 1 else ():
            if years[second] - years[first] <= SEQUEL_WITHIN and _alike(genres[first], genres[second]):
                seconds_of[first].add(second)
    pairs = []
    for first in sorted(seconds_of):
        earliest = _best({row: -years[row] for row in seconds_of[first]})
        if len(earliest) == 1:
            pairs.append(Pair(first, earliest.pop(), "sequel"))
    return pairs


def _remakes(catalog: Catalog) -> list[Pair]:
    years, genres = _years(catalog), [set(names) for names in catalog.items["genres"]]
    called: defaultdict[tuple[str, int], list[int]] = defaultdict(list)
    for row, title in enumerate(catalog.items["title"]):
        key, with_article = search_key(title), search_key(f"the {article_first(title)}")  # it takes off one article
        if years[row] and key:
            called[(key, REMADE_AFTER) if " " in key else (with_article, ONE_WORD_REMADE_AFTER)].append(row)
    return [
        Pair(first, second, "remake")
        for (_, apart), rows in called.items()
        if len(rows) <= MOST_OF_A_TITLE  # a title that many movies have names none of them
        for first, second in permutations(rows, 2)
        if years[second] - years[first] >= apart and _alike(genres[first], genres[second])
    ]


def _ask(directions: np.ndarray | sp.csr_matrix, ends: np.ndarray, candidates: np.ndarray) -> np.ndarray:
    """Questions of the pairs `ends` (n, 2): place of the answer, its place among c's neighbours, candidates left.

    Returns int64 (n_questions, 3). A goal's length does not change an order, so that a question ranks by
    b·x − a·x + c·x: three rows of one product of all pairs with all candidates.
    """
    columns = np.flatnonzero(candidates)
    column_of = np.full(len(candidates), NONE)
    column_of[columns] = np.arange(len(columns))
    to_first, to_second = (_product(directions[ends[:, side]], directions[columns]) for side in (0, 1))
    c, d = ends.T
    found = [np.empty((0, 3), dtype=np.int64)]
    for p, (a, b) in enumerate(ends):
        asked = np.flatnonzero(candidates[d] & (d != a) & (d != b) & (d != c))  # its own d is b: not asked
        for block in row_blocks(len(asked), max(1, BLOCK_BYTES // (4 * max(1, len(columns))))):
            q = asked[block]
            answer = column_of[d[q]]
            near = to_first[q]
            goal = near + (to_second[p] - to_first[p])
            for item in (np.full(len(q), a), np.full(len(q), b), c[q]):
                rows = np.flatnonzero(candidates[item])
                near[rows, column_of[item[rows]]] = goal[rows, column_of[item[rows]]] = -np.inf
            found.append(np.column_stack([_places(goal, answer), _places(near, answer), np.isfinite(goal).sum(axis=1)]))
    return np.concatenate(found)


def _product(some: np.ndarray | sp.csr_matrix, others: np.ndarray | sp.csr_matrix) -> np.ndarray:
    """Dot products of rows, dense; float32 as in `EmbeddingSpace`, so that the last bits of float64 break no ties."""
    product = some @ others.T
    return (product.toarray() if sp.issparse(product) else product).astype(np.float32)


def _places(scores: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """The place, from 1, of the column `wanted` (n,) in each row of scores; equal scores in the order of columns."""
    own = np.take_along_axis(scores, wanted[:, None], axis=1)
    before = np.arange(scores.shape[1]) < wanted[:, None]
    return 1 + ((scores > own) | ((scores == own) & before)).sum(axis=1)


def _summary(answers: np.ndarray, n_pairs: int, k: int) -> dict[str, Any]:
    """Means over the questions that `_ask` answered."""
    place, neighbour_place, n_left = answers.T
    values = {
        f"hits@{k}": place <= k,
        "mrr": 1 / place,
        "chance": np.minimum(1, k / n_left),
        f"neighbour_hits@{k}": neighbour_place <= k,
    }
    means = {name: float(value.mean()) if len(answers) else np.nan for name, value in values.items()}
    return {"n_questions": len(answers), "n_pairs": n_pairs} | means
