"""What measured numbers show: which differences between models, groups and representations are supported by the data.

Two values are called different only if their 95 % intervals do not overlap. For models evaluated on the same users this
is stricter than a paired test: a reported difference is significant, but overlapping intervals do not show that two
models are equally good. Measures nothing itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from recsys.evaluation.evaluate import ActivityGroup, EvaluatedModel, Interval
from recsys.evaluation.report import DimensionQuality, Representation

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


def mean_over_users(groups: Sequence[ActivityGroup]) -> float:
    """Mean of several activity groups together: each group counts by its number of users."""
    return sum(group.mean * group.users for group in groups) / sum(group.users for group in groups)


def gain_by_group(ours: Sequence[ActivityGroup], theirs: Sequence[ActivityGroup]) -> pd.Series:
    """Difference of the means, ours − theirs, for each of the same activity groups."""
    return pd.Series([mine.mean - other.mean for mine, other in zip(ours, theirs, strict=True)], dtype=float)


def gain_by_dimension(rows: Sequence[DimensionQuality]) -> pd.DataFrame:
    """Gain in nDCG@10 from added dimensions: columns before, after, gain, each (gain per added dimension).

    rows  in ascending order of the number of dimensions
    """
    n, quality = [row.n_factors for row in rows], np.array([row.ndcg for row in rows], dtype=np.float64)
    table = pd.DataFrame({"before": n[:-1], "after": n[1:], "gain": np.diff(quality)})
    return table.assign(each=table["gain"] / (table["after"] - table["before"]))


def best_dimensions(rows: Sequence[DimensionQuality]) -> tuple[int, tuple[int, ...]]:
    """The number of dimensions with the highest mean nDCG@10, and the others whose intervals overlap with its own, in
    the order of the rows: none of them is shown to be worse. Needs at least one row."""
    best = max(rows, key=lambda row: row.ndcg)
    overlapping = (row.n_factors for row in rows if row is not best and row.high >= best.low)
    return best.n_factors, tuple(overlapping)


def best_representations(representations: Mapping[str, Representation]) -> dict[str, set[str]]:
    """For each measure of `Representation.main_values`, the names of the best representations.

    Ties to three digits count as equal. Representations that were given the answers of a measure are excluded from it.
    """
    best: dict[str, set[str]] = {}
    for measure in next(iter(representations.values())).main_values:
        values = {
            name: round(value, 3)
            for name, row in representations.items()
            if measure not in row.given and (value := row.main_values[measure]) is not None
        }
        best[measure] = {name for name, value in values.items() if value == max(values.values())}
    return best


def _bounds(value: Interval) -> tuple[float, float]:
    if value.low is None or value.high is None:
        raise ValueError("a metric without intervals cannot be compared")
    return value.low, value.high
