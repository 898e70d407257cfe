"""Questions to an embedding space: two ends with the items at each, or a quantity. `probes.py` answers them.

A question is built in, written as text ("Horror", "Comedy <-> Western", "Dumbo, Aladdin <-> Heat"), or given by items.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from recsys.dataset.attributes import TAIL, Attributes, Kind
from recsys.errors import InputError, UnknownId, quoted
from recsys.space.axis import BETWEEN

MIN_VALUES = 10
"""Number of different values that a quantity needs, and of items per end that a built-in question needs."""


@dataclass(frozen=True, eq=False)
class Question:
    """A question to an embedding space.

    low, high      names of the ends
    answer         (n_items,) float64: 0 for the low end, 1 for the high end, or a quantity; NaN where unknown
    is_quantity    whether `answer` is a quantity, evaluated by rank, instead of two classes
    by_definition  controls that are part of the question and prove nothing against it: "popularity", "year"
    hand_picked    whether the items were picked one by one, so that all count and not only the well-known ones
    """

    low: str
    high: str
    answer: np.ndarray
    is_quantity: bool = False
    by_definition: tuple[str, ...] = ()
    hand_picked: bool = False

    @property
    def name(self) -> str:
        """Name of the axis that answers the question."""
        return f"{self.low}{BETWEEN}{self.high}"


CHILDREN = ("Children's", "Children")
ADULT = ("Crime", "Drama", "Film-Noir", "Horror", "Thriller", "War")
LIGHT = ("Animation", "Children's", "Children", "Comedy", "Musical", "Romance")
DARK = ("Crime", "Film-Noir", "Horror", "Mystery", "Thriller", "War")
SPECTACLE = ("Action", "Adventure", "Animation", "Children's", "Children", "Fantasy", "Horror", "Sci-Fi", "Thriller")
SERIOUS = ("Documentary", "Drama", "Film-Noir", "Romance")


def built_in_questions(attributes: Attributes) -> list[Question]:
    """Four axes that most moviegoers know. Those for which the catalog has too few items are left out.

    children's ↔ adult         genre Children's; against Crime, Drama, Film-Noir, Horror, Thriller or War without
                               Children's or Animation
    art-house ↔ blockbuster    the less-rated half of the well-known movies with Drama, Documentary, Film-Noir or
                               Romance and without a spectacle genre (Action, Adventure, Animation, Children's,
                               Fantasy, Horror, Sci-Fi, Thriller); against the most-rated fifth with a spectacle genre.
                               Needs rating counts
    light ↔ dark               light genres only (Animation, Children's, Comedy, Musical, Romance); against dark genres
                               only (Crime, Film-Noir, Horror, Mystery, Thriller, War); other genres count for neither
    old ↔ new                  the year, as a quantity

    Raises InputError when too few items are well known.
    """
    counts, known = attributes.n_ratings, attributes.well_known

    def any_of(names: tuple[str, ...]) -> np.ndarray:
        return attributes.carriers([name for name in names if attributes.has(name)])

    half, top = np.quantile(counts[known], [0.5, 1 - TAIL])
    children, spectacle = any_of(CHILDREN), any_of(SPECTACLE)
    questions = [
        _classes("children's", "adult", children, any_of(ADULT) & ~children & ~any_of(("Animation",))),
        _classes(
            "art-house",
            "blockbuster",
            any_of(SERIOUS) & ~spectacle & (counts <= half),
            spectacle & (counts > top),
            by_definition=("popularity",),
        ),
        _classes("light", "dark", any_of(LIGHT) & ~any_of(DARK), any_of(DARK) & ~any_of(LIGHT)),
        Question("old", "new", attributes.years, is_quantity=True, by_definition=("year",)),
    ]
    return [question for question in questions if _has_answers(question, known)]


def question_of(text: str, attributes: Attributes) -> Question:
    """A question from text: "Horror", "Comedy <-> Horror", "Toy Story, Aladdin <-> Saw, Se7en".

    Each side is a genre, tag, decade, title or original id, or several separated by commas (by semicolons when a title
    contains a comma). A single side is compared with all other movies. Raises UnknownId for a name that is none of
    these, and InputError when the text has no two sides or an end has no movies of its own.
    """
    sides = [side.strip() for side in text.replace("↔", "<->").split("<->")]
    if len(sides) > 2 or not all(sides):
        raise InputError(f"{quoted(text)} is not a question: write ONE END, or ONE END <-> OTHER END")
    masks, hand_picked = [], False
    kinds: set[Kind] = set()
    for side in sides:
        mask, has_titles, kinds_of_side = _side(side, attributes)
        masks.append(mask)
        hand_picked |= has_titles
        kinds |= kinds_of_side
    by_definition = (("popularity",) if "popularity" in kinds else ()) + (("year",) if "decade" in kinds else ())
    if len(sides) == 1:
        return _classes(f"not {sides[0]}", sides[0], ~masks[0], masks[0], by_definition)
    low, high = masks[0] & ~masks[1], masks[1] & ~masks[0]
    if not low.any() or not high.any():
        raise InputError(f"an end of {quoted(text)} has no movies that are not also at the other end")
    return _classes(sides[0], sides[1], low, high, by_definition, hand_picked)


def graded_question(low: str, high: str, values: np.ndarray) -> Question:
    """A question about a quantity, (n_items,) float, NaN where unknown: relevance of a tag, running time, budget."""
    return Question(low, high, np.asarray(values, dtype=np.float64), is_quantity=True)


def question_of_items(low: str, high: str, low_rows: Sequence[int], high_rows: Sequence[int], n_items: int) -> Question:
    """Two ends given by rows of items, of n_items in all. Raises InputError for an item at both ends."""
    if set(low_rows) & set(high_rows):
        raise InputError("an item is at both ends; remove it from one of them")
    at_low, at_high = np.zeros(n_items, dtype=bool), np.zeros(n_items, dtype=bool)
    at_low[list(low_rows)], at_high[list(high_rows)] = True, True
    return _classes(low, high, at_low, at_high, hand_picked=True)


def _classes(
    low: str,
    high: str,
    at_low: np.ndarray,
    at_high: np.ndarray,
    by_definition: tuple[str, ...] = (),
    hand_picked: bool = False,
) -> Question:
    answer = np.full(len(at_low), np.nan)
    answer[at_low] = 0
    answer[at_high] = 1
    return Question(low, high, answer, by_definition=by_definition, hand_picked=hand_picked)


def _has_answers(question: Question, known: np.ndarray) -> bool:
    answers = question.answer[known & ~np.isnan(question.answer)]
    if question.is_quantity:
        return len(np.unique(answers)) >= MIN_VALUES
    return bool(min((answers == 0).sum(), (answers == 1).sum()) >= MIN_VALUES)


def _side(text: str, attributes: Attributes) -> tuple[np.ndarray, bool, set[Kind]]:
    """Items of one side (n_items,) bool, whether it names titles, and the kinds of attributes that it names."""
    separator = ";" if ";" in text else ","
    parts = [text] if separator == "," and _is_one_name(text, attributes) else text.split(separator)
    mask, has_titles = np.zeros(len(attributes.catalog), dtype=bool), False
    kinds: set[Kind] = set()
    for part in (p.strip() for p in parts if p.strip()):
        if attributes.has(part):
            mask |= attributes.carriers([part])
            kinds.add(attributes.kind_of(part))
        else:
            try:
                mask[attributes.catalog.row_of(part, attributes.n_ratings)] = True
            except UnknownId as error:
                raise UnknownId(f"{quoted(part)} is not a genre, tag or decade, and {error}") from None
            has_titles = True
    return mask, has_titles, kinds


def _is_one_name(text: str, attributes: Attributes) -> bool:
    if attributes.has(text):
        return True
    try:
        attributes.catalog.row_of(text, attributes.n_ratings)
    except UnknownId:
        return False
    return True
