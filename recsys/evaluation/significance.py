"""What measured numbers show: which differences between models, groups and representations are supported by the data.

Two values are called different only if their 95 % intervals do not overlap. For models evaluated on the same users this
is stricter than a paired test: a reported difference is significant, but overlapping intervals do not show that two
models are equally good. Measures nothing itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from recsys.evaluation.evaluate import ActivityGroup, EvaluatedModel, Interval

SCORES = {
    "genre_retrieval": "precision",
    "tag_retrieval": "precision",
    "genre_auc": None,
    "decade_auc": None,
    "mean_rating_r2": None,
    "clusters": "nmi",
    "analogies": "hits@10",
}
"""Measures of a representation that are better when greater, and the number that counts where there are several."""

MIN_USERS = 30
"""With fewer evaluated users no model is called better: intervals from so few users are themselves unreliable."""


@dataclass(frozen=True)
class Comparison:
    """The first of several models compared with each other one by one metric: positions of the others in the list."""

    better_than: tuple[int, ...]
    overlapping: tuple[int, ...]
    worse_than: tuple[int, ...]


def compare_first(results: Sequence[EvaluatedModel], metric: str) -> Comparison:
    """Compare the first result with each other one. Raises KeyError for a metric that was not measured, ValueError for
    one without intervals."""
    low, high = _bounds(results[0].metrics[metric])
    others = {at: _bounds(result.metrics[metric]) for at, result in enumerate(results) if at}
    better_than = tuple(at for at, (_, other_high) in others.items() if low > other_high)
    worse_than = tuple(at for at, (other_low, _) in others.items() if high < other_low)
    overlapping = tuple(at for at in others if at not in better_than + worse_than)
    return Comparison(better_than, overlapping, worse_than)


def lowest_quality_groups(groups: Sequence[ActivityGroup]) -> slice:
    """The activity group with the lowest mean, extended to adjacent groups whose intervals overlap with its own."""
    first = last = min(range(len(groups)), key=lambda at: groups[at].mean)
    limit = groups[first].high
    while first > 0 and groups[first - 1].low <= limit:
        first -= 1
    while last + 1 < len(groups) and groups[last + 1].low <= limit:
        last += 1
    return slice(first, last + 1)


def gain_by_group(ours: Sequence[ActivityGroup], theirs: Sequence[ActivityGroup]) -> pd.Series:
    """Difference of the means, ours − theirs, for each of the same activity groups."""
    return pd.Series([mine.mean - other.mean for mine, other in zip(ours, theirs, strict=True)], dtype=float)


def _bounds(value: Interval) -> tuple[float, float]:
    if value.low is None or value.high is None:
        raise ValueError("a metric without intervals cannot be compared")
    return value.low, value.high


def value_of(row: Mapping[str, Any], measure: str) -> float | None:
    """The number that counts of one measure of a representation; None where it could not be measured."""
    found, key = row[measure], SCORES.get(measure)
    return found if key is None or found is None else found[key]


def best_representations(representations: Mapping[str, Mapping[str, Any]]) -> dict[str, set[str]]:
    """For each measure of `SCORES`, who is best (to three digits, so there may be several) among the representations
    that were not told the answers beforehand."""
    best = {}
    for measure in SCORES:
        values = {
            name: round(value, 3)
            for name, row in representations.items()
            if measure not in row["told"] and (value := value_of(row, measure)) is not None
        }
        best[measure] = {name for name, value in values.items() if value == max(values.values())}
    return best
