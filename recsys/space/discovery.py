"""Discovered axes: rotate the item vectors, and name the axes whose names are verified.

A name needs two kinds of evidence: held-out items confirm it (see `naming.py`), and the axis is stable, that is, models
trained on other samples of users have the same axis. Stability cannot be computed from vectors alone;
`recsys.evaluation.stability` measures it by refitting the model. Without it every axis is "unnamed".
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import orthogonal_procrustes
from scipy.optimize import linear_sum_assignment
from threadpoolctl import threadpool_limits

from recsys.dataset.attributes import Attributes
from recsys.dataset.interactions import index_of
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
    like: tuple[EmbeddingSpace, Axes] | None = None,
    seed: int = 42,
) -> Axes:
    """Rotate the item vectors and name the axes that are stable and have a verified name; one axis per dimension.

    attributes  of the items, rows in the order of the space
    stability   (n_axes, n_refits) cosine of each axis with its match in each refitted model, 0 … 1, as
                `axis_stability` returns it. None: stability was not measured, and every axis is "unnamed"; the
                names that hold on held-out items are still listed in the evidence
    like        an earlier space and its axes: the new ones take the order and the signs of those they match
    seed        of the rotation (ica, nmf) and the folds

    Raises InputError when too few items are well known, or fewer than the space has dimensions, or when all item
    vectors have the same direction, and as `in_order_of` does; SettingError for an unknown method.
    """
    check_seed(seed)
    with threadpool_limits(1, "blas"):  # several threads would change the order of sums and with it the last bits
        directions, matched = rotated_like(space, attributes, method, like, seed)
        return name_axes(space, attributes, directions, method, stability=stability, like=matched, seed=seed)


def rotated_like(
    space: EmbeddingSpace, attributes: Attributes, method: Method, like: tuple[EmbeddingSpace, Axes] | None, seed: int
) -> tuple[np.ndarray, np.ndarray | None]:
    """The axes (n_factors, n_axes) that `rotate` finds for the well-known items, and None; with `like`, an earlier
    space and its axes, the axes and cosines of `in_order_of`.

    Axes by the same method in as many dimensions are where varimax and quartimax begin, after the rotation between the
    two spaces (orthogonal Procrustes, Schönemann 1966): there are many optima of nearly the same value, and a small
    change of the vectors would lead to another one.
    """
    known = space.item_directions[well_known_items(space, attributes)]
    if like is None:
        return rotate(known, method, seed), None
    earlier, axes = like
    start, (rows, old_rows) = None, _common_items(space, earlier)
    if axes.method == method and len(axes.discovered) == space.n_factors == earlier.n_factors and len(rows):
        turn, _ = orthogonal_procrustes(
            space.item_directions[rows].astype(np.float64), earlier.item_directions[old_rows].astype(np.float64)
        )
        start = turn @ np.array([axis.direction for axis in axes.discovered], dtype=np.float64).T
    return in_order_of(space, rotate(known, method, seed, start), earlier, axes)


def in_order_of(
    space: EmbeddingSpace, directions: np.ndarray, earlier: EmbeddingSpace, axes: Axes
) -> tuple[np.ndarray, np.ndarray]:
    """`directions` (n_factors, n_axes), columns, in the order and with the signs of earlier discovered axes; and the
    absolute cosine of each with the earlier one of its number, (n_axes,) float64, NaN for those without a match.

    The axes are matched one to one (Hungarian algorithm) by the absolute cosine between the centred coordinates of the
    items that both spaces have, so the spaces need no common basis. Axes without a match come last. Raises InputError
    when there are no earlier axes or fewer than two common items.
    """
    if not axes.discovered:
        raise InputError("the earlier model has no discovered axes; create them with recsys axes")
    rows, old_rows = _common_items(space, earlier)
    if len(rows) < 2:
        raise InputError("the earlier model has too few of the items of this one to match axes")
    old = centred(earlier.item_directions[old_rows] @ np.array([axis.direction for axis in axes.discovered]).T)
    new = centred(space.item_directions[rows] @ directions)
    cosines = old.T @ new
    numbers, matches = linear_sum_assignment(-np.abs(cosines))
    signs = np.where(cosines[numbers, matches] < 0, -1.0, 1.0)
    others = np.setdiff1d(np.arange(directions.shape[1]), matches)
    matched = np.concatenate([np.abs(cosines[numbers, matches]), np.full(len(others), np.nan)])
    return np.hstack([directions[:, matches] * signs, directions[:, others]]), matched


def _common_items(space: EmbeddingSpace, earlier: EmbeddingSpace) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the items that are in both spaces, in the first and in the second."""
    if space.item_ids.dtype != earlier.item_ids.dtype:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    rows = earlier.item_index.get_indexer(index_of(space.item_ids))
    return np.flatnonzero(rows >= 0), rows[rows >= 0]


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


def centred(coordinates: np.ndarray) -> np.ndarray:
    """Columns with mean 0 and length 1; a column without variance becomes zeros."""
    coordinates = coordinates.astype(np.float64) - coordinates.mean(axis=0, dtype=np.float64)
    lengths = np.linalg.norm(coordinates, axis=0)
    found: np.ndarray = np.divide(coordinates, lengths, out=np.zeros_like(coordinates), where=lengths > 0)
    return found
