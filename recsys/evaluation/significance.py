"""What measured numbers show: which differences between models, groups and representations are supported by the data.

Two models evaluated on the same users are called different if the 95 % interval of their paired difference excludes 0;
groups of users and numbers of dimensions, only if their intervals do not overlap. That no difference is shown does not
mean that two are equally good. Measures nothing itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from recsys.evaluation.evaluate import ActivityGroup, EvaluatedModel
from recsys.evaluation.report import DimensionQuality, Representation


@dataclass(frozen=True)
class Comparison:
    """The first of several models compared with each other one by one metric: positions of the others in the list."""

    ahead_of: tuple[int, ...]
    not_shown: tuple[int, ...]
    behind: tuple[int, ...]


def compare_first(results: Sequence[EvaluatedModel], metric: str) -> Comparison:
    """Compare the first result with each other one. Raises KeyError for a metric that is not a mean over users."""
    signs = {at: result.lead_of_first[metric].sign for at, result in enumerate(results) if at}
    ahead_of, not_shown, behind = (tuple(at for at in signs if signs[at] == sign) for sign in (1, 0, -1))
    return Comparison(ahead_of, not_shown, behind)


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
