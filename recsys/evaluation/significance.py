"""What measured numbers amount to: plain values of a stored ranking or report in, comparisons out. Measures nothing.

One thing is ahead of another only where their 95 % intervals are apart. For models judged on the same users that asks
more than a paired test would: whoever is called ahead is, and intervals that overlap do not say that two are alike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

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


FEWEST_JUDGED = 30
"""People below whom nothing is said of which model is better: an interval drawn from so few is itself a guess."""


@dataclass(frozen=True)
class Standing:
    """How the first of several models stands by one metric: places in the list of those it is ahead of, of those whose
    intervals overlap with its own, and of those it is behind."""

    ahead: tuple[int, ...]
    overlapping: tuple[int, ...]
    behind: tuple[int, ...]


def standing(results: Sequence[Mapping[str, Any]], metric: str) -> Standing:
    """Compare the first result with each other by a metric that has intervals. Raises KeyError for one not measured."""
    ours = results[0]["metrics"][metric]
    theirs = {at: result["metrics"][metric] for at, result in enumerate(results) if at}
    ahead = tuple(at for at, value in theirs.items() if ours["low"] > value["high"])
    behind = tuple(at for at, value in theirs.items() if ours["high"] < value["low"])
    return Standing(ahead, tuple(at for at in theirs if at not in ahead + behind), behind)


def worst_served(groups: Sequence[Mapping[str, Any]]) -> slice:
    """Which groups of `by_activity` are served worst: the one with the least mean, and those next to it whose
    intervals overlap with its own."""
    table = pd.DataFrame(groups)
    first = last = int(table["mean"].argmin())
    limit = table["high"][first]
    while first > 0 and table["low"][first - 1] <= limit:
        first -= 1
    while last + 1 < len(table) and table["low"][last + 1] <= limit:
        last += 1
    return slice(first, last + 1)


def gain(ours: Sequence[Mapping[str, Any]], theirs: Sequence[Mapping[str, Any]]) -> pd.Series:
    """How much more one model gives each group of `by_activity` than another, as differences of the means."""
    return pd.DataFrame(ours)["mean"] - pd.DataFrame(theirs)["mean"]


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
