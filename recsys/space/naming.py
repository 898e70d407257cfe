"""Verified names: an attribute becomes the name of a direction only if held-out items confirm it.

The procedure takes the coordinates of the well-known items along each direction and splits the items into five folds:

1. On the other four folds the attribute is enriched at that end: its AUC is at least .75 (the probability that a random
   item with the attribute lies farther out than a random item without it; Mann & Whitney 1947), and it is significant
   with the false discovery rate controlled at 1 % over all directions, ends and attributes (Benjamini & Hochberg 1995).
2. On the held-out fold its AUC is above the AUC of popularity alone and of the year alone, except where the attribute
   itself is a degree of popularity or a decade.
3. Both hold in every fold, in most of five random splits into folds (close cases depend on the split), and the mean AUC
   over the held-out folds is at least .75.

The directions are found without attributes, so only the choice of the attribute needs to be held out. The same
procedure names axes and clusters.
"""

from __future__ import annotations

import numpy as np
from scipy.stats import false_discovery_control

from recsys.dataset.attributes import Attributes
from recsys.space.auc import auc, auc_interval, auc_p_value
from recsys.space.evidence import Name

MIN_AUC = 0.75
FALSE_DISCOVERY_RATE = 0.01
N_FOLDS, N_SPLITS = 5, 5
MAX_NAMES = 2
SECOND_NAME_MARGIN = 0.05
"""A second attribute is added to a name only if its AUC is within this distance of the first one's."""


def name_ends(
    coordinates: np.ndarray, attributes: Attributes, items: np.ndarray, seed: int = 42
) -> list[tuple[list[Name], list[Name]]]:
    """Verified names of the low and the high end of each direction, best first, at most two per end.

    coordinates  (n_items, k) along each direction
    attributes   of all items; those that fewer than ten of `items` have, or lack, are not considered
    items        (n_items,) bool, the items to evaluate on

    Without rating counts (`attributes.has_ratings` is False) popularity is not among the controls.
    """
    values, known = coordinates[items], attributes.common(items)
    names: list[tuple[list[Name], list[Name]]] = [([], []) for _ in range(values.shape[1])]
    if not len(known) or not values.shape[1]:
        return names
    carries = known.carries[items]
    controls, by_definition = _controls(known, items)
    shape = (len(known), values.shape[1])
    passes = np.zeros((2, *shape), dtype=int)
    worst_q = np.zeros((2, *shape))
    held_out = []
    for split in range(N_SPLITS):
        fold = np.random.default_rng([seed, split]).permutation(len(values)) % N_FOLDS
        verified = np.ones((2, *shape), dtype=bool)  # low end, high end
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
            threshold = np.where(by_definition, 0.5, alone_out).max(axis=1)[:, None]
            # A fold without a carrier is no evidence, for or against.
            is_empty = np.isnan(ends_out) | np.isnan(threshold)
            verified &= (q <= FALSE_DISCOVERY_RATE) & (ends >= MIN_AUC) & (is_empty | (ends_out > threshold))
            worst_q = np.maximum(worst_q, q)
            held_out.append(area_out)
        passes += verified
    verified_low, verified_high = passes > N_SPLITS / 2
    with np.errstate(invalid="ignore"):
        mean = np.nanmean(held_out, axis=0)
    for column, (low, high) in enumerate(names):
        for end, is_verified, areas, q in (
            (low, verified_low[:, column], 1 - mean[:, column], worst_q[0, :, column]),
            (high, verified_high[:, column], mean[:, column], worst_q[1, :, column]),
        ):
            found = np.flatnonzero(is_verified & (areas >= MIN_AUC))
            for at in found[np.argsort(-areas[found], kind="stable")]:
                if len(end) < MAX_NAMES and (not end or areas[at] >= end[0].auc - SECOND_NAME_MARGIN):
                    n = int(carries[:, at].sum())
                    bounds = auc_interval(float(areas[at]), n, len(values) - n)
                    end.append(Name(known.names[at], known.kinds[at], float(areas[at]), *bounds, float(q[at]), n))
    return names


def _controls(attributes: Attributes, items: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Popularity (where known) and year of the `items`, (n, c) float64; and for each attribute which of these define
    it, (m, c) bool. Unknown years are replaced by the median."""
    years = attributes.years[items]
    median = 0.0 if np.isnan(years).all() else np.nanmedian(years)
    controls, kinds = [np.where(np.isnan(years), median, years)], ["decade"]
    if attributes.has_ratings:
        controls.insert(0, attributes.n_ratings[items].astype(np.float64))
        kinds.insert(0, "popularity")
    return np.column_stack(controls), np.array([[kind == own for own in kinds] for kind in attributes.kinds])
