"""Axes that are asked for: from a question ("horror?", "these movies or those?") to a direction with evidence.

A linear probe is fitted on item directions: L2-regularised logistic regression for two classes, ridge regression on
ranks for a quantity. It is evaluated on items that it was not fitted on:

    classes   AUC over five folds, or over every pair left out once where items are few (Airola et al. 2011)
    quantity  Spearman's rank correlation over five folds

The evidence also holds what simpler predictors reach: popularity, year, the best single learned dimension, and the same
probe on shuffled answers. The space does not contain the answer when less than 75 % of the held-out pairs are in the
right order (for two classes this share is the AUC), when the interval includes chance, or when the probe is not better
than popularity and year in every fold.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import numpy as np
from scipy.stats import kendalltau, norm, rankdata, spearmanr
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.model_selection import KFold, StratifiedKFold
from threadpoolctl import threadpool_limits

from recsys.dataset.attributes import Attributes
from recsys.errors import InputError
from recsys.space.auc import auc, auc_interval
from recsys.space.axis import Axis
from recsys.space.embedding import EmbeddingSpace, well_known_items
from recsys.space.evidence import ProbeEvidence
from recsys.space.questions import MIN_VALUES, Question, built_in_questions

LOGISTIC_C = 0.01
"""C of the logistic regression on directions times √d, whose coordinates have mean square 1. The held-out AUC of genres
on ML-100K, ML-1M and ML-latest-small changes by less than .01 between C = .003 and C = .1."""
RIDGE_PENALTIES = np.logspace(-1, 4, 11)
MAX_PAIRS = 100
"""Up to this number of pairs, each is left out once; with more, five folds are used."""
N_FOLDS = 5


def ask(space: EmbeddingSpace, attributes: Attributes, question: Question, seed: int = 42) -> Axis:
    """The axis that answers a question best, with the evidence whether the space contains the answer.

    attributes  of the items, rows in the order of the space
    seed        of the folds and the shuffled control

    `Axis.is_valid` is the verdict and `Axis.evidence.reason` says why it is negative. Without rating counts popularity
    is not a control, and all items with a vector count as well known. Raises InputError when an end has fewer than two
    movies, a quantity fewer than ten different values, or no direction fits the answers.
    """
    known = well_known_items(space, attributes)
    answered = ~np.isnan(question.answer) & space.item_directions.any(axis=1)
    items = np.flatnonzero(answered if question.hand_picked else answered & known)
    answer = question.answer[items]
    features = _features(space.item_directions[items])
    if question.is_quantity and len(np.unique(answer)) < MIN_VALUES:
        raise InputError(f"{question.name}: well-known movies have fewer than ten different values")
    fewest = min((answer == 0).sum(), (answer == 1).sum())
    if not question.is_quantity and fewest < 2:
        raise InputError(f"{question.name}: each end needs two movies with enough ratings, not {fewest}")
    controls = _controls(attributes, items)
    with threadpool_limits(1):
        if question.is_quantity:
            evidence = _evaluate_quantity(question, features, answer, controls, seed)
        else:
            evidence = _evaluate_classes(question, features, answer > 0.5, controls, seed)
        direction = _fit(features, answer, question.is_quantity)
        return Axis.from_direction(
            space, known, direction, question.name, question.low, question.high, evidence.is_valid, evidence
        )


def built_in_axes(space: EmbeddingSpace, attributes: Attributes, seed: int = 42) -> tuple[Axis, ...]:
    """The axes of all built-in questions for which the catalog has enough items."""
    axes = []
    for question in built_in_questions(attributes):
        with suppress(InputError):  # for example in a space of one dimension
            axes.append(ask(space, attributes, question, seed))
    return tuple(axes)


def _features(directions: np.ndarray) -> np.ndarray:
    """Directions times √d: coordinates with mean square 1 in any dimension. A rotation does not change a fit."""
    result: np.ndarray = directions.astype(np.float64) * np.sqrt(directions.shape[1])
    return result


def _fit(features: np.ndarray, answer: np.ndarray, is_quantity: bool) -> np.ndarray:
    """The direction of the probe, (n_factors,) float64."""
    if is_quantity:
        coefficients: np.ndarray = RidgeCV(RIDGE_PENALTIES).fit(features, _ranks(answer)).coef_
    else:
        coefficients = _classifier().fit(features, answer > 0.5).coef_[0]
    return coefficients


def _classifier() -> LogisticRegression:
    return LogisticRegression(C=LOGISTIC_C, class_weight="balanced", max_iter=5000)


def _controls(attributes: Attributes, items: np.ndarray) -> dict[str, np.ndarray]:
    """Popularity, where it is known, and year of the items; unknown years are replaced by the median."""
    years = attributes.years[items]
    median = np.nanmedian(years) if not np.isnan(years).all() else 0.0
    controls = {"year": np.where(np.isnan(years), median, years)}
    if attributes.has_ratings:
        controls = {"popularity": attributes.n_ratings[items].astype(np.float64), **controls}
    return controls


def _evaluate_classes(
    question: Question, features: np.ndarray, answer: np.ndarray, controls: dict[str, np.ndarray], seed: int
) -> ProbeEvidence:
    n_high = int(answer.sum())
    n_low = len(answer) - n_high
    by_pairs = n_low * n_high <= MAX_PAIRS
    fold_areas: list[float]
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
    return ProbeEvidence(
        measure="auc",
        value=area,
        low=low,
        high=high,
        order=area,
        folds=tuple(fold_areas),
        n_low=n_low,
        n_high=n_high,
        controls={
            **{f"{name} alone": max(value, 1 - value) for name, value in alone.items()},
            "best raw dimension": float(np.maximum(raw, 1 - raw).max()),
            "shuffled": shuffled,
        },
        by_definition=question.by_definition,
        beats_chance=low > 0.5,
        beats_controls=bool(beats),
    )


def _evaluate_quantity(
    question: Question, features: np.ndarray, answer: np.ndarray, controls: dict[str, np.ndarray], seed: int
) -> ProbeEvidence:
    splits = list(KFold(N_FOLDS, shuffle=True, random_state=seed).split(features))

    def held_out(values: np.ndarray) -> np.ndarray:
        predicted = np.empty(len(values))
        for inside, out in splits:
            probe = RidgeCV(RIDGE_PENALTIES).fit(features[inside], _ranks(values[inside]))
            predicted[out] = probe.predict(features[out])
        return predicted

    predicted, mixed = held_out(answer), _shuffled(answer, seed)
    rho = _spearman(predicted, answer)
    folds = tuple(_spearman(predicted[out], answer[out]) for _, out in splits)
    alone = {name: _spearman(values, answer) for name, values in controls.items()}
    beats = all(
        own > abs(_spearman(controls[name][out], answer[out]))
        for name in controls
        if name not in question.by_definition
        for own, (_, out) in zip(folds, splits, strict=True)
    )
    low, high = spearman_interval(rho, len(answer))
    raw = [abs(_spearman(column, answer)) for column in features.T]
    return ProbeEvidence(
        measure="spearman",
        value=rho,
        low=low,
        high=high,
        order=concordance(predicted, answer),
        folds=folds,
        n=len(answer),
        controls={
            **{f"{name} alone": abs(value) for name, value in alone.items()},
            "best raw dimension": max(raw),
            "shuffled": _spearman(held_out(mixed), mixed),
        },
        by_definition=question.by_definition,
        beats_chance=low > 0,
        beats_controls=bool(beats),
    )


def concordance(predicted: np.ndarray, answer: np.ndarray) -> float:
    """The share of pairs with different answers that `predicted` orders correctly, ties half, 0 … 1. Both (n,).

    (1 + Somers' D) / 2, with D computed from Kendall's τ_b by removing only the ties of the answer; for two classes
    this is the AUC.
    """
    tau = kendalltau(predicted, answer).statistic
    untied = [_untied_pairs(values) for values in (predicted, answer)]
    return float((1 + tau * np.sqrt(untied[0] / untied[1])) / 2) if untied[1] and np.isfinite(tau) else 0.5


def _untied_pairs(values: np.ndarray) -> float:
    counts = np.unique(values, return_counts=True)[1].astype(np.float64)
    return float((len(values) ** 2 - (counts**2).sum()) / 2)


def _ranks(values: np.ndarray) -> np.ndarray:
    """Ranks with mean 0 and variance 1; zeros where all values are equal."""
    ranks: np.ndarray = rankdata(values)
    spread = ranks.std()
    return (ranks - ranks.mean()) / spread if spread > 0 else np.zeros(len(ranks))


def spearman_interval(rho: float, n: int, level: float = 0.95) -> tuple[float, float]:
    """Confidence interval of a rank correlation: Fisher's z with the standard error √((1 + ρ²/2)/(n − 3)) of Bonett &
    Wright (2000). A single point for n ≤ 3 or |ρ| = 1."""
    if n <= 3 or abs(rho) >= 1:
        return rho, rho
    reach = norm.ppf((1 + level) / 2) * np.sqrt((1 + rho**2 / 2) / (n - 3))
    return float(np.tanh(np.arctanh(rho) - reach)), float(np.tanh(np.arctanh(rho) + reach))


def _out_of_fold(
    features: np.ndarray, answer: np.ndarray, splits: Sequence[tuple[np.ndarray, np.ndarray]]
) -> tuple[np.ndarray, np.ndarray]:
    """Decision values of the items in the fold that the probe was not fitted on, and the fold of each item."""
    values, fold = np.empty(len(answer)), np.empty(len(answer), dtype=int)
    for number, (inside, out) in enumerate(splits):
        values[out] = _classifier().fit(features[inside], answer[inside]).decision_function(features[out])
        fold[out] = number
    return values, fold


def _leave_pair_out(features: np.ndarray, answer: np.ndarray) -> float:
    """Share of the pairs of a low and a high item that a probe fitted without the pair orders correctly."""
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
