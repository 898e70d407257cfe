"""Honest names: an attribute becomes the name of a direction only if it is true of movies that were left out when it
was picked.

The rule, for the coordinates of the well-known items along each direction, with the items dealt into five folds:

1. On the other four folds the attribute is enriched at that end: AUC ≥ .75 (the chance that a random carrier lies
   farther out than a random other item; Mann & Whitney 1947), and it survives Benjamini & Hochberg's (1995) control of
   false discoveries over all directions, ends and attributes at 1 %.
2. On the fold that was left out its AUC is above that of knowing only how often, and only in which year, a movie was
   made and rated (where that is not what the attribute says itself).
3. Both hold in every fold, in most of five deals of the items into folds (one deal alone decides close cases by luck),
   and the mean AUC over the held-out folds is ≥ .75.

The directions themselves are found without attributes, so what is held out is only which attribute was picked.

The same rule names axes and clusters. Knows nothing of how directions are found.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy.stats import false_discovery_control

from recsys.dataset.attributes import Attributes
from recsys.space.auc import auc, auc_interval, auc_p_value

LEAST_AUC = 0.75
FALSE_DISCOVERIES = 0.01
N_FOLDS, N_DEALS = 5, 5
MOST_NAMES = 2
NEAR = 0.05
"""A second attribute is named only if its AUC is so near to the first one's."""


@dataclass(frozen=True)
class Name:
    """An attribute that is true of an end: its held-out AUC, 95 % interval, and the greatest q value of the folds."""

    attribute: str
    kind: str
    auc: float
    auc_low: float
    auc_high: float
    q: float
    carriers: int

    def plain(self) -> dict[str, Any]:
        """As JSON has it."""
        return asdict(self)


def name_ends(
    coordinates: np.ndarray, attributes: Attributes, items: np.ndarray, seed: int = 42
) -> list[tuple[list[Name], list[Name]]]:
    """True names of the low and of the high end of each direction, best first, at most two an end.

    coordinates  (n_items, k) along each direction
    attributes   of all items; those that fewer than ten of `items` carry or lack are left out
    items        bool mask of the items to judge by
    """
    values, known = coordinates[items], attributes.common(items)
    names: list[tuple[list[Name], list[Name]]] = [([], []) for _ in range(values.shape[1])]
    if not len(known) or not values.shape[1]:
        return names
    carries = known.carries[items]
    years, counts = known.years[items], known.n_ratings[items].astype(np.float64)
    middle = 0.0 if np.isnan(years).all() else np.nanmedian(years)
    controls = np.column_stack([counts, np.where(np.isnan(years), middle, years)])
    by_definition = np.array([[kind == "popularity", kind == "decade"] for kind in known.kinds])
    shape = (len(known), values.shape[1])
    passes = np.zeros((2, *shape), dtype=int)
    worst_q = np.zeros((2, *shape))
    held_out = []
    for deal in range(N_DEALS):
        fold = np.random.default_rng([seed, deal]).permutation(len(values)) % N_FOLDS
        true = np.ones((2, *shape), dtype=bool)  # low end, high end
        for number in range(N_FOLDS):
            out = fold == number
            n_carriers = carries[~out].sum(axis=0)
            area, area_out = auc(values[~out], carries[~out]), auc(values[out], carries[out])
            ends, ends_out = np.stack([1 - area, area]), np.stack([1 - area_out, area_out])
            p_values = auc_p_value(ends, n_carriers, (~out).sum())
            q = false_discovery_control(p_values.ravel(), method="bh").reshape(ends.shape)
            alone = auc(controls[~out], carries[~out])
            alone_out = auc(controls[out], carries[out])
            alone_out = np.where(alone < 0.5, 1 - alone_out, alone_out)
            bar = np.where(by_definition, 0.5, alone_out).max(axis=1)[:, None]
            # A fold without a carrier says nothing, neither for nor against.
            silent = np.isnan(ends_out) | np.isnan(bar)
            true &= (q <= FALSE_DISCOVERIES) & (ends >= LEAST_AUC) & (silent | (ends_out > bar))
            worst_q = np.maximum(worst_q, q)
            held_out.append(area_out)
        passes += true
    true_low, true_high = passes > N_DEALS / 2
    with np.errstate(invalid="ignore"):
        mean = np.nanmean(held_out, axis=0)
    for column, (low, high) in enumerate(names):
        for end, is_true, areas, q in (
            (low, true_low[:, column], 1 - mean[:, column], worst_q[0, :, column]),
            (high, true_high[:, column], mean[:, column], worst_q[1, :, column]),
        ):
            found = np.flatnonzero(is_true & (areas >= LEAST_AUC))
            for at in found[np.argsort(-areas[found], kind="stable")]:
                if len(end) < MOST_NAMES and (not end or areas[at] >= end[0].auc - NEAR):
                    n = int(carries[:, at].sum())
                    bounds = auc_interval(float(areas[at]), n, len(values) - n)
                    end.append(Name(known.names[at], known.kinds[at], float(areas[at]), *bounds, float(q[at]), n))
    return names
