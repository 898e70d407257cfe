"""Asked-for axes: from a question ("horror?", "these movies or those?") to a direction, if the space knows the answer.

A linear probe on item directions: logistic regression for two kinds of movies, ridge regression for a quantity; both
pulled towards nothing. What is reported is the order of movies that the probe did not see:

    classes   AUC of five folds, or of every pair left out once where the movies are few (Airola et al. 2011)
    quantity  Spearman's correlation over five folds

and beside it what simpler answers reach: how often and when a movie was rated and made, the best single learned
dimension, and the same probe on shuffled answers. Below .75 (AUC, or the share of pairs of a quantity in the right
order, which for two classes is the AUC), with an interval that reaches down to chance, or not above popularity and year
in every fold, the space does not know the answer. A quantity is learned and judged by its ranks: what is asked is an
order.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import kendalltau, norm, rankdata, spearmanr
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.model_selection import KFold, StratifiedKFold
from threadpoolctl import threadpool_limits

from recsys.dataset.attributes import TAIL, Attributes, Kind
from recsys.errors import InputError, UnknownId
from recsys.space.auc import auc, auc_interval
from recsys.space.axis import BETWEEN, Axis
from recsys.space.embedding import EmbeddingSpace, well_known_items

KNOWN = 0.75
STRENGTH = 0.01
"""C of the logistic regression on directions times √d, whose coordinates have mean square 1. Held-out AUC of the genres
of ML-100K, ML-1M and latest-small changes by less than .01 between .003 and .1."""
RIDGES = np.logspace(-1, 4, 11)
MOST_PAIRS = 100
"""Up to so many pairs each is left out once; above, five folds."""
N_FOLDS = 5


@dataclass(frozen=True, eq=False)
class Question:
    """What is asked of the space.

    low, high      what the ends are called
    answer         (n_items,) float64: 0 at the low end, 1 at the high end, or a quantity; NaN where there is no answer
    is_quantity    graded by rank, not two classes
    by_definition  controls that are part of the question and prove nothing against it: "popularity", "year"
    chosen         items were picked one by one, so that all count, not only the well-known ones
    """

    low: str
    high: str
    answer: np.ndarray
    is_quantity: bool = False
    by_definition: tuple[str, ...] = ()
    chosen: bool = False

    @property
    def name(self) -> str:
        return f"{self.low}{BETWEEN}{self.high}"


# --- questions --------------------------------------------------------------------------------------------------

CHILDREN = ("Children's", "Children")
ADULT = ("Crime", "Drama", "Film-Noir", "Horror", "Thriller", "War")
LIGHT = ("Animation", "Children's", "Children", "Comedy", "Musical", "Romance")
DARK = ("Crime", "Film-Noir", "Horror", "Mystery", "Thriller", "War")
SPECTACLE = ("Action", "Adventure", "Animation", "Children's", "Children", "Fantasy", "Horror", "Sci-Fi", "Thriller")
SERIOUS = ("Documentary", "Drama", "Film-Noir", "Romance")


def built_in_questions(attributes: Attributes) -> list[Question]:
    """The four axes that every movie lover knows; one whose movies the catalogue can't tell is left out.

    children's ↔ adult         genre Children's; no Children's or Animation, but Crime, Drama, Film-Noir, Horror,
                               Thriller or War
    art-house ↔ blockbuster    of the well-known movies: the less-rated half that are Drama, Documentary, Film-Noir or
                               Romance and nothing made for spectacle (Action, Adventure, Animation, Children's,
                               Fantasy, Horror, Sci-Fi, Thriller); the most-rated fifth that are some of the latter
    light ↔ dark               only light genres (Animation, Children's, Comedy, Musical, Romance); only dark ones
                               (Crime, Film-Noir, Horror, Mystery, Thriller, War); Drama and the others on either side
    old ↔ new                  the year, as a quantity
    """
    counts = attributes.n_ratings
    known = attributes.well_known

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
    return [question for question in questions if _can_be_asked(question, known)]


def question_of(text: str, attributes: Attributes) -> Question:
    """A question as a person writes it: "Horror", "Comedy <-> Horror", "Toy Story, Aladdin <-> Saw, Se7en".

    Each side is a genre, tag, decade or title, or several, parted by commas (or by semicolons, where a title has
    commas); one side alone is held against all other movies. Raises UnknownId naming what is neither, InputError where
    both sides are the same.
    """
    sides = [side.strip() for side in text.replace("↔", "<->").split("<->")]
    if len(sides) > 2 or not all(sides):
        raise InputError(f"{text!r} is no question: write ONE END, or ONE END <-> OTHER END")
    masks, chosen = [], False
    kinds: set[Kind] = set()
    for side in sides:
        mask, is_titles, of_kinds = _side(side, attributes)
        masks.append(mask)
        chosen |= is_titles
        kinds |= of_kinds
    by_definition = (("popularity",) if "popularity" in kinds else ()) + (("year",) if "decade" in kinds else ())
    if len(sides) == 1:
        return _classes(f"not {sides[0]}", sides[0], ~masks[0], masks[0], by_definition)
    if not (masks[0] & ~masks[1]).any() or not (masks[1] & ~masks[0]).any():
        raise InputError(f"an end of {text!r} has no movies that the other has not")
    low, high = masks[0] & ~masks[1], masks[1] & ~masks[0]
    return _classes(sides[0], sides[1], low, high, by_definition, chosen)


def graded_question(low: str, high: str, values: np.ndarray) -> Question:
    """A quantity for each item, (n_items,) float, NaN where unknown: how strongly a tag applies, a length, a budget."""
    return Question(low, high, np.asarray(values, dtype=np.float64), is_quantity=True)


def question_of_items(low: str, high: str, low_rows: Sequence[int], high_rows: Sequence[int], n_items: int) -> Question:
    """Two ends given by rows of items, of n_items in all. Raises InputError for an item at both ends."""
    if set(low_rows) & set(high_rows):
        raise InputError("an item is at both ends; remove it from one of them")
    at_low, at_high = np.zeros(n_items, dtype=bool), np.zeros(n_items, dtype=bool)
    at_low[list(low_rows)], at_high[list(high_rows)] = True, True
    return _classes(low, high, at_low, at_high, chosen=True)


def _classes(
    low: str,
    high: str,
    at_low: np.ndarray,
    at_high: np.ndarray,
    by_definition: tuple[str, ...] = (),
    chosen: bool = False,
) -> Question:
    answer = np.full(len(at_low), np.nan)
    answer[at_low] = 0
    answer[at_high] = 1
    return Question(low, high, answer, by_definition=by_definition, chosen=chosen)


def _can_be_asked(question: Question, known: np.ndarray) -> bool:
    answers = question.answer[known & ~np.isnan(question.answer)]
    if question.is_quantity:
        return len(np.unique(answers)) >= 10
    return min((answers == 0).sum(), (answers == 1).sum()) >= 10


def _side(text: str, attributes: Attributes) -> tuple[np.ndarray, bool, set[Kind]]:
    """Items of one side (bool mask), whether titles were named, and the kinds of the attributes that were."""
    parts = [text] if ";" not in text and _is_one(text, attributes) else text.split(";" if ";" in text else ",")
    mask, titles = np.zeros(len(attributes.catalog), dtype=bool), False
    kinds: set[Kind] = set()
    for part in (p.strip() for p in parts if p.strip()):
        if attributes.has(part):
            mask |= attributes.carriers([part])
            kinds.add(attributes.kind_of(part))
        else:
            try:
                mask[attributes.catalog.row_of(part, attributes.n_ratings)] = True
            except UnknownId as error:
                raise UnknownId(f"{part!r} is no genre, tag or decade, and {error}") from None
            titles = True
    return mask, titles, kinds


def _is_one(text: str, attributes: Attributes) -> bool:
    if attributes.has(text):
        return True
    try:
        attributes.catalog.row_of(text, attributes.n_ratings)
    except UnknownId:
        return False
    return True


# --- answers ----------------------------------------------------------------------------------------------------


def ask(space: EmbeddingSpace, attributes: Attributes, question: Question, seed: int = 42) -> Axis:
    """The axis that answers a question best, and the evidence whether the space knows the answer.

    The evidence holds: measure ("auc" or "spearman"), value with its 95 % interval (low, high), order (what is held
    against .75), folds, n_low and n_high (or n), and controls. Raises InputError where there are fewer than two movies
    an end.
    """
    known = well_known_items(space, attributes)
    there = ~np.isnan(question.answer) & space.item_directions.any(axis=1)
    items = np.flatnonzero(there if question.chosen else there & known)
    answer = question.answer[items]
    features = _features(space.item_directions[items])
    fewest = min((answer == 0).sum(), (answer == 1).sum())
    if question.is_quantity and len(np.unique(answer)) < 10:
        raise InputError(f"{question.name}: fewer than ten different values for well-known movies")
    if not question.is_quantity and fewest < 2:
        raise InputError(f"{question.name}: each end needs two movies with enough ratings, not {fewest}")
    with threadpool_limits(1):
        if question.is_quantity:
            evidence = _judge_quantity(question, features, answer, _controls(attributes, items), seed)
        else:
            evidence = _judge_classes(question, features, answer > 0.5, _controls(attributes, items), seed)
        direction = _fit(features, answer, question.is_quantity)
        is_valid = evidence["order"] >= KNOWN and evidence["beats_chance"] and evidence["beats_controls"]
        return Axis.from_direction(
            space, known, direction, question.name, question.low, question.high, is_valid, evidence | {"question": True}
        )


def _features(directions: np.ndarray) -> np.ndarray:
    """Directions times √d: coordinates of mean square 1, whatever the dimension. Turning the space changes no fit."""
    return directions.astype(np.float64) * np.sqrt(directions.shape[1])


def _fit(features: np.ndarray, answer: np.ndarray, is_quantity: bool) -> np.ndarray:
    """The probe's direction, (n_factors,) float64."""
    if is_quantity:
        return RidgeCV(RIDGES).fit(features, _ranks(answer)).coef_
    return _classifier().fit(features, answer > 0.5).coef_[0]


def _classifier() -> LogisticRegression:
    return LogisticRegression(C=STRENGTH, class_weight="balanced", max_iter=5000)


def _controls(attributes: Attributes, items: np.ndarray) -> dict[str, np.ndarray]:
    years = attributes.years[items]
    middle = np.nanmedian(years) if not np.isnan(years).all() else 0.0
    return {
        "popularity": attributes.n_ratings[items].astype(np.float64),
        "year": np.where(np.isnan(years), middle, years),
    }


def _judge_classes(
    question: Question, features: np.ndarray, answer: np.ndarray, controls: dict[str, np.ndarray], seed: int
) -> dict[str, Any]:
    n_high = int(answer.sum())
    n_low = len(answer) - n_high
    by_pairs = n_low * n_high <= MOST_PAIRS
    if by_pairs:
        area, fold_areas, fold = _leave_pair_out(features, answer), [], np.zeros(len(answer), dtype=int)
        shuffled = _leave_pair_out(features, _shuffled(answer, seed))
    else:
        n_folds = min(N_FOLDS, n_low, n_high)
        splits = list(StratifiedKFold(n_folds, shuffle=True, random_state=seed).split(features, answer))
        values, fold = _out_of_fold(features, answer, splits)
        area = _area(values, answer)
        fold_areas = [_area(values[out], answer[out]) for _, out in splits]
        mixed = _shuffled(answer, seed)
        splits = list(StratifiedKFold(n_folds, shuffle=True, random_state=seed).split(features, mixed))
        shuffled = _area(_out_of_fold(features, mixed, splits)[0], mixed)
    low, high = auc_interval(area, n_high, n_low)
    alone = {name: _area(values, answer) for name, values in controls.items()}
    beats = True
    for name, control in controls.items():
        sign = 1.0 if alone[name] >= 0.5 else -1.0
        if name in question.by_definition:
            continue
        if by_pairs:
            beats &= area > max(alone[name], 1 - alone[name])
        else:
            beats &= all(
                own > _area(sign * control[fold == number], answer[fold == number])
                for number, own in enumerate(fold_areas)
            )
    raw = auc(features, answer[:, None])[0]
    return {
        "measure": "auc",
        "value": area,
        "low": low,
        "high": high,
        "order": area,
        "folds": fold_areas,
        "n_low": n_low,
        "n_high": n_high,
        "controls": {
            **{f"{name} alone": max(value, 1 - value) for name, value in alone.items()},
            "best raw dimension": float(np.maximum(raw, 1 - raw).max()),
            "shuffled": shuffled,
        },
        "by_definition": list(question.by_definition),
        "beats_chance": low > 0.5,
        "beats_controls": bool(beats),
    }


def _judge_quantity(
    question: Question, features: np.ndarray, answer: np.ndarray, controls: dict[str, np.ndarray], seed: int
) -> dict[str, Any]:
    splits = list(KFold(N_FOLDS, shuffle=True, random_state=seed).split(features))

    def held_out(values: np.ndarray) -> np.ndarray:
        predicted = np.empty(len(values))
        for inside, out in splits:
            predicted[out] = RidgeCV(RIDGES).fit(features[inside], _ranks(values[inside])).predict(features[out])
        return predicted

    predicted, mixed = held_out(answer), _shuffled(answer, seed)
    rho = _spearman(predicted, answer)
    folds = [_spearman(predicted[out], answer[out]) for _, out in splits]
    alone = {name: _spearman(values, answer) for name, values in controls.items()}
    beats = all(
        own > abs(_spearman(controls[name][out], answer[out]))
        for name in controls
        if name not in question.by_definition
        for own, (_, out) in zip(folds, splits, strict=True)
    )
    low, high = spearman_interval(rho, len(answer))
    raw = [abs(_spearman(column, answer)) for column in features.T]
    return {
        "measure": "spearman",
        "value": rho,
        "low": low,
        "high": high,
        "order": share_in_order(predicted, answer),
        "folds": folds,
        "n": len(answer),
        "controls": {
            **{f"{name} alone": abs(value) for name, value in alone.items()},
            "best raw dimension": max(raw),
            "shuffled": _spearman(held_out(mixed), mixed),
        },
        "by_definition": list(question.by_definition),
        "beats_chance": low > 0,
        "beats_controls": bool(beats),
    }


def share_in_order(predicted: np.ndarray, answer: np.ndarray) -> float:
    """The share of pairs with different answers that `predicted` puts in the right order, ties half, 0 … 1.

    (1 + Somers' D) / 2, D from Kendall's τ_b by taking off only the answer's ties; for two classes this is the AUC.
    """
    tau = kendalltau(predicted, answer).statistic
    untied = [_untied_pairs(values) for values in (predicted, answer)]
    return float((1 + tau * np.sqrt(untied[0] / untied[1])) / 2) if untied[1] and np.isfinite(tau) else 0.5


def _untied_pairs(values: np.ndarray) -> float:
    counts = np.unique(values, return_counts=True)[1].astype(np.float64)
    return float((len(values) ** 2 - (counts**2).sum()) / 2)


def _ranks(values: np.ndarray) -> np.ndarray:
    """Ranks with mean 0 and variance 1; zeros where all are one."""
    ranks = rankdata(values)
    spread = ranks.std()
    return (ranks - ranks.mean()) / spread if spread > 0 else np.zeros(len(ranks))


def spearman_interval(rho: float, n: int, level: float = 0.95) -> tuple[float, float]:
    """Fisher's z with the standard error √((1 + ρ²/2)/(n − 3)) of Bonett & Wright (2000)."""
    if n <= 3 or abs(rho) >= 1:
        return rho, rho
    reach = norm.ppf((1 + level) / 2) * np.sqrt((1 + rho**2 / 2) / (n - 3))
    return float(np.tanh(np.arctanh(rho) - reach)), float(np.tanh(np.arctanh(rho) + reach))


def _out_of_fold(
    features: np.ndarray, answer: np.ndarray, splits: Sequence[tuple[np.ndarray, np.ndarray]]
) -> tuple[np.ndarray, np.ndarray]:
    """Decision values of movies the probe did not see, and the fold each was in."""
    values, fold = np.empty(len(answer)), np.empty(len(answer), dtype=int)
    for number, (inside, out) in enumerate(splits):
        values[out] = _classifier().fit(features[inside], answer[inside]).decision_function(features[out])
        fold[out] = number
    return values, fold


def _leave_pair_out(features: np.ndarray, answer: np.ndarray) -> float:
    """Each pair of a low and a high movie left out once: the share that the probe of the others orders right."""
    right, pairs = 0.0, [(i, j) for i in np.flatnonzero(~answer) for j in np.flatnonzero(answer)]
    for low, high in pairs:
        inside = np.ones(len(answer), dtype=bool)
        inside[[low, high]] = False
        if answer[inside].all() or not answer[inside].any():
            raise InputError("each end needs two movies")
        at_low, at_high = _classifier().fit(features[inside], answer[inside]).decision_function(features[[low, high]])
        right += 1.0 if at_high > at_low else 0.5 if at_high == at_low else 0.0
    return right / len(pairs)


def _area(values: np.ndarray, answer: np.ndarray) -> float:
    return float(auc(values[:, None], answer[:, None])[0, 0])


def _spearman(a: np.ndarray, b: np.ndarray) -> float:
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return 0.0
    return float(spearmanr(a, b).statistic)


def _shuffled(answer: np.ndarray, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).permutation(answer)


def built_in_axes(space: EmbeddingSpace, attributes: Attributes, seed: int = 42) -> tuple[Axis, ...]:
    """The answers to the built-in questions that can be asked of this model."""
    answers = []
    for question in built_in_questions(attributes):
        with suppress(InputError):  # a space of one dimension has nothing along some of them
            answers.append(ask(space, attributes, question, seed))
    return tuple(answers)
