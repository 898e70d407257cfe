"""Analogies between movies, generated from titles: "Toy Story is to Toy Story 2 as The Terminator is to ?".

Vectors learned without titles that answer them represent "the sequel of" or "the remake of" as a direction.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import permutations
from typing import Any, Literal, get_args

import numpy as np
import scipy.sparse as sp

from recsys.dataset.catalog import Catalog
from recsys.dataset.titles import article_first, search_key, split_names
from recsys.errors import InputError, SettingError
from recsys.evaluation.serialization import json_key, known
from recsys.evaluation.vectors import Vectors, lengths, unit
from recsys.topk import BLOCK_BYTES, NONE, row_blocks

Kind = Literal["sequel", "remake"]

MAX_SEQUEL_GAP = 30
"""Years. A later second part usually belongs to a newer movie of the same title."""
MIN_REMAKE_GAP, MIN_ONE_WORD_REMAKE_GAP = 5, 20
"""Years. A one-word title such as "Gladiator" is soon used for another story; after 20 years it is mostly a remake."""

MAX_SAME_TITLE = 6
"""Movies of one title, such as "Hamlet"; a title of more movies, such as "Untitled", is uninformative."""

_SECOND_PART = re.compile(r"\s(?:part\s+)?(?:2|ii|two)$", re.IGNORECASE)
"""The end of a second part's title; requiring white space before the number excludes "The Naked Gun 2 1/2"."""


@dataclass(frozen=True)
class Pair:
    """Two movies, as rows of the catalogue, the second made after the first."""

    first: int
    second: int
    kind: Kind


@dataclass(frozen=True)
class Answers:
    """Results of analogy questions; the means are None without questions.

    n_questions     questions asked
    n_pairs         pairs whose vectors are both nonzero
    hits            share of the questions whose answer is among the first k
    mrr             mean reciprocal rank of the answer
    chance          mean of k / the number of candidates of a question: the hits of a random order
    neighbour_hits  hits when only the third movie's neighbours are used (the first two movies excluded as well): the
                    analogy arithmetic contributes only what exceeds this
    """

    n_questions: int
    n_pairs: int
    hits: float | None = field(metadata=json_key("hits@10"))
    mrr: float | None
    chance: float | None
    neighbour_hits: float | None = field(metadata=json_key("neighbour_hits@10"))


@dataclass(frozen=True)
class AnalogyQuality(Answers):
    """Results over all questions, and for each kind of pair."""

    by_kind: dict[Kind, Answers]


def title_pairs(catalog: Catalog, n_ratings: np.ndarray | None = None, min_ratings: int = 20) -> list[Pair]:
    """Sequels and remakes among the movies with at least `min_ratings` ratings.

    n_ratings  (n_items,) number of ratings of each movie; None: all movies

    sequel  "X" and "X 2", "X II", "X Two" or "X Part 2" of a later year, optionally followed by ": a subtitle". Of
            several movies with the title X, the one with the most genres in common counts, then the latest one; if
            there is none, the only movie "X: a subtitle". Of several second parts, the earliest counts.
    remake  two movies of one title, the second at least `MIN_REMAKE_GAP` years later. One-word titles are less
            reliable: `MIN_ONE_WORD_REMAKE_GAP` years, and the same article, since "The Arrival" is not "Arrival".

    The two movies of a pair share a genre if both have any. Titles are compared by `search_key`; for sequels, a title
    in brackets counts as a title too. The rules prefer missing a pair to a false one: ambiguous cases and movies
    without a year are left out. First and second parts are searched among all movies, so that a rarely rated one is
    not replaced by a well-known one. Sequels come before remakes, each in the order of rows. Raises InputError if
    `n_ratings` has the wrong shape.
    """
    pairs = [*_sequels(catalog), *sorted(_remakes(catalog), key=lambda pair: (pair.first, pair.second))]
    if n_ratings is None:
        return pairs
    n_ratings = np.asarray(n_ratings)
    if n_ratings.shape != (len(catalog),):
        raise InputError(f"n_ratings has shape {n_ratings.shape}, but the catalogue has {len(catalog)} items")
    is_known = n_ratings >= min_ratings
    return [pair for pair in pairs if is_known[pair.first] and is_known[pair.second]]


def analogy_quality(vectors: Vectors, pairs: Sequence[Pair], candidates: np.ndarray, k: int = 10) -> AnalogyQuality:
    """How well vectors answer "a is to b as c is to ?" for every two different pairs (a, b), (c, d) of one kind.

    vectors     (n_items, d), dense or CSR, without a bias
    candidates  (n_items,) bool: the possible answers, such as the well-known items

    Answers are ranked by cosine with b − a + c over unit vectors (3CosAdd; Mikolov et al. 2013, "Linguistic
    regularities in continuous space word representations"), among the candidates except a, b and c; equal cosines by
    row, as in `EmbeddingSpace.analogy`. Questions without a valid answer are skipped: d is a, b or c or not a
    candidate, or one of the four has a zero vector.

    Raises InputError when rows or shapes do not match, SettingError for k below 1.
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
    nonzero = lengths(directions) > 0
    usable = nonzero[ends].all(axis=1)
    kinds = np.array([pair.kind for pair in pairs], dtype=object)
    answers: dict[Kind, np.ndarray] = {
        kind: _ask(directions, ends[usable & (kinds == kind)], candidates) for kind in get_args(Kind)
    }
    n_pairs = {kind: int((usable & (kinds == kind)).sum()) for kind in answers}
    by_kind = {kind: Answers(**_summary(answers[kind], n_pairs[kind], k)) for kind in answers}
    overall = _summary(np.concatenate(list(answers.values())), sum(n_pairs.values()), k)
    return AnalogyQuality(**overall, by_kind=by_kind)


def _years(catalog: Catalog) -> list[int]:
    """Years, 0 where unknown."""
    return [int(year) for year in catalog.items["year"].fillna(0)]


def _share_genre(some: set[str], others: set[str]) -> bool:
    """Whether two movies share a genre; True if the genres of one are unknown."""
    return not some or not others or bool(some & others)


def _best(scores: dict[int, Any]) -> set[int]:
    """The rows with the highest score."""
    highest = max(scores.values())
    return {row for row, score in scores.items() if score == highest}


def _names(title: str) -> list[str]:
    """The titles of a movie: its title without brackets, and the titles in brackets."""
    outside, inside = split_names(title)
    return [article_first(name) for name in (outside, *inside) if name]


def _bases(name: str) -> set[str]:
    """The title before the 2 of a second part: "terminator" of "Terminator 2: Judgment Day"; usually empty."""
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
            if years[second] - years[first] <= MAX_SEQUEL_GAP and _share_genre(genres[first], genres[second]):
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
        key, with_article = search_key(title), search_key(f"the {article_first(title)}")  # it removes one article
        if years[row] and key:
            called[(key, MIN_REMAKE_GAP) if " " in key else (with_article, MIN_ONE_WORD_REMAKE_GAP)].append(row)
    return [
        Pair(first, second, "remake")
        for (_, apart), rows in called.items()
        if len(rows) <= MAX_SAME_TITLE
        for first, second in permutations(rows, 2)
        if years[second] - years[first] >= apart and _share_genre(genres[first], genres[second])
    ]


def _ask(directions: np.ndarray | sp.csr_matrix, ends: np.ndarray, candidates: np.ndarray) -> np.ndarray:
    """Ask the questions of the pairs `ends` (n, 2).

    Returns int64 (n_questions, 3): rank of the answer, its rank among c's neighbours, number of candidates. The length
    of b − a + c does not change the order, so a question ranks by b·x − a·x + c·x: three rows of one product of all
    pairs with all candidates.
    """
    columns = np.flatnonzero(candidates)
    column_of = np.full(len(candidates), NONE)
    column_of[columns] = np.arange(len(columns))
    to_first, to_second = (_product(directions[ends[:, side]], directions[columns]) for side in (0, 1))
    c, d = ends.T
    found = [np.empty((0, 3), dtype=np.int64)]
    for p, (a, b) in enumerate(ends):
        asked = np.flatnonzero(candidates[d] & (d != a) & (d != b) & (d != c))  # skips the pair itself: its d is b
        for block in row_blocks(len(asked), max(1, BLOCK_BYTES // (4 * max(1, len(columns))))):
            q = asked[block]
            answer = column_of[d[q]]
            near = to_first[q]
            goal = near + (to_second[p] - to_first[p])
            for item in (np.full(len(q), a), np.full(len(q), b), c[q]):
                rows = np.flatnonzero(candidates[item])
                near[rows, column_of[item[rows]]] = goal[rows, column_of[item[rows]]] = -np.inf
            found.append(np.column_stack([_ranks(goal, answer), _ranks(near, answer), np.isfinite(goal).sum(axis=1)]))
    return np.concatenate(found)


def _product(some: np.ndarray | sp.csr_matrix, others: np.ndarray | sp.csr_matrix) -> np.ndarray:
    """Dot products of rows, dense; float32 as in `EmbeddingSpace`, so that rounding of float64 does not break ties."""
    product = some @ others.T
    return (product.toarray() if sp.issparse(product) else product).astype(np.float32)


def _ranks(scores: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """The rank, from 1, of the column `wanted` (n,) in each row of scores; equal scores in the order of columns."""
    own = np.take_along_axis(scores, wanted[:, None], axis=1)
    before = np.arange(scores.shape[1]) < wanted[:, None]
    return 1 + ((scores > own) | ((scores == own) & before)).sum(axis=1)


def _summary(answers: np.ndarray, n_pairs: int, k: int) -> dict[str, Any]:
    """The fields of `Answers` from the questions that `_ask` answered."""
    rank, neighbour_rank, n_candidates = answers.T

    def mean(values: np.ndarray) -> float | None:
        return known(values.mean()) if len(values) else None

    return {
        "n_questions": len(answers),
        "n_pairs": n_pairs,
        "hits": mean(rank <= k),
        "mrr": mean(1 / rank),
        "chance": mean(np.minimum(1, k / n_candidates)),
        "neighbour_hits": mean(neighbour_rank <= k),
    }
