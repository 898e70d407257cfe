"""Discovered axes: rotate the item vectors, and name the axes whose names are verified.

A name needs two kinds of evidence: held-out items confirm it (see `naming.py`), and the axis is stable, that is, models
trained on other samples of users have the same axis. Stability cannot be computed from vectors alone;
`recsys.evaluation.stability` measures it by refitting the model. Without it every axis is "unnamed".
"""

from __future__ import annotations

import numpy as np
from threadpoolctl import threadpool_limits

from recsys.dataset.attributes import Attributes
from recsys.errors import InputError
from recsys.limits import check_seed
from recsys.space.axis import UNNAMED, Axes, Axis
from recsys.space.embedding import EmbeddingSpace, well_known_items
from recsys.space.evidence import DiscoveryEvidence
from recsys.space.naming import name_ends
from recsys.space.rotation import DEFAULT_METHOD, Method, rotate

STABLE_AXIS = 0.8
"""An axis is stable when the median over the refits of the cosine with its match reaches this value."""


def discover(
    space: EmbeddingSpace,
    attributes: Attributes,
    method: Method = DEFAULT_METHOD,
    *,
    stability: np.ndarray | None = None,
    seed: int = 42,
) -> Axes:
    """Rotate the item vectors and name the axes that are stable and have a verified name; one axis per dimension.

    attributes  of the items, rows in the order of the space
    stability   (n_axes, n_refits) cosine of each axis with its match in each refitted model, 0 … 1, as
                `axis_stability` returns it. None: stability was not measured, and every axis is "unnamed"; the
                names that hold on held-out items are still listed in the evidence
    seed        of the rotation (ica, nmf) and the folds

    Raises InputError when too few items are well known, or fewer than the space has dimensions, or when all item
    vectors have the same direction; SettingError for an unknown method.
    """
    check_seed(seed)
    known = well_known_items(space, attributes)
    with threadpool_limits(1, "blas"):  # several threads would change the order of sums and with it the last bits
        directions = rotate(space.item_directions[known], method, seed)
        return name_axes(space, attributes, directions, method, stability=stability, seed=seed)


def name_axes(
    space: EmbeddingSpace,
    attributes: Attributes,
    directions: np.ndarray,
    method: Method,
    *,
    stability: np.ndarray | None = None,
    like: np.ndarray | None = None,
    seed: int = 42,
) -> Axes:
    """The axes along `directions` (n_factors, n_axes), columns as `rotate` returns them, with verified names.

    like  (n_axes,) cosine of each axis with that of an earlier model, NaN where there is none

    Parameters and errors as for `discover`.
    """
    if stability is None:
        stability = np.empty((directions.shape[1], 0))
    if stability.ndim != 2 or len(stability) != directions.shape[1]:
        raise InputError(f"stability of shape {stability.shape} does not match {directions.shape[1]} axes")
    known = well_known_items(space, attributes)
    names = name_ends(space.item_directions.astype(np.float64) @ directions, attributes, known, seed)
    share = (space.item_directions[known].astype(np.float64) @ directions).var(axis=0)
    share /= space.item_directions[known].astype(np.float64).var(axis=0).sum()
    axes = []
    for number, (low, high) in enumerate(names):
        cosine = float(np.median(stability[number])) if stability.shape[1] else float("nan")
        is_stable = cosine >= STABLE_AXIS
        evidence = DiscoveryEvidence(
            share=float(share[number]),
            stability=None if np.isnan(cosine) else cosine,
            refits=tuple(float(value) for value in stability[number]),
            is_stable=is_stable,
            low=tuple(low),
            high=tuple(high),
            like=None if like is None or np.isnan(like[number]) else float(like[number]),
        )
        at_low, at_high = (
            ", ".join(name.attribute for name in end) if is_stable and end else UNNAMED for end in (low, high)
        )
        is_named = (at_low, at_high) != (UNNAMED, UNNAMED)
        axes.append(
            Axis.from_direction(
                space, known, directions[:, number], f"axis {number + 1}", at_low, at_high, is_named, evidence
            )
        )
    return Axes(method, tuple(axes), (), seed)
