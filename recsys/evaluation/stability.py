"""Discovered axes: turn the factors, see which directions come back on other users, name those that deserve it.

An axis carries names only if it is stable: found again (cosine ≥ .8 between the movies' coordinates, median of the
refits) when the model is trained anew on users drawn with replacement. What makes a name true is said in `naming.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment
from threadpoolctl import threadpool_limits

from recsys.dataset.attributes import well_known
from recsys.dataset.catalog import Catalog
from recsys.dataset.dataset import Dataset
from recsys.dataset.interactions import Interactions
from recsys.models import Model
from recsys.space.axis import UNNAMED, Axes, Axis
from recsys.space.embedding import EmbeddingSpace
from recsys.space.naming import Name, name_ends
from recsys.space.rotation import DEFAULT_METHOD, Method, turn

STABLE = 0.8
N_REFITS = 5


def discover(
    model: Model,
    interactions: Interactions,
    method: Method = DEFAULT_METHOD,
    *,
    n_refits: int = N_REFITS,
    seed: int = 42,
    progress: Callable[[int, int], None] | None = None,
) -> Axes:
    """Turn the factors of a model and name what is true and stable; one axis a dimension.

    interactions  what the model was trained on, for the refits
    n_refits      models trained anew on bootstrapped users; with 0 there is no evidence of stability and no name

    Raises Unsupported for a model without vectors, InputError where fewer than fifty items are well known.
    """
    space, known = model.space, well_known(model.n_ratings)
    with threadpool_limits(1, "blas"):  # the order of sums would change the last bits
        directions = turn(space.item_directions[known], method, seed)
        names = name_ends(space.item_directions.astype(np.float64) @ directions, model.attributes, known, seed)
        cosines = stability(model, interactions, directions, method, n_refits=n_refits, seed=seed, progress=progress)
        return Axes(method, tuple(_axes(space, known, directions, names, cosines)), (), seed)


def _axes(
    space: EmbeddingSpace,
    known: np.ndarray,
    directions: np.ndarray,
    names: list[tuple[list[Name], list[Name]]],
    cosines: np.ndarray,
) -> list[Axis]:
    share = (space.item_directions[known].astype(np.float64) @ directions).var(axis=0)
    share /= space.item_directions[known].astype(np.float64).var(axis=0).sum()
    axes = []
    for number, (low, high) in enumerate(names):
        cosine = float(np.median(cosines[number])) if cosines.shape[1] else float("nan")
        is_stable = cosine >= STABLE
        evidence: dict[str, Any] = {
            "share": float(share[number]),
            "stability": None if np.isnan(cosine) else cosine,
            "refits": [float(value) for value in cosines[number]],
            "is_stable": is_stable,
            "low": [name.plain() for name in low],
            "high": [name.plain() for name in high],
        }
        at_low, at_high = (
            ", ".join(name.attribute for name in end) if is_stable and end else UNNAMED for end in (low, high)
        )
        is_named = (at_low, at_high) != (UNNAMED, UNNAMED)
        direction = directions[:, number]
        axes.append(Axis.through(space, known, direction, f"axis {number + 1}", at_low, at_high, is_named, evidence))
    return axes


def stability(
    model: Model,
    interactions: Interactions,
    directions: np.ndarray,
    method: Method,
    *,
    n_refits: int = N_REFITS,
    seed: int = 42,
    progress: Callable[[int, int], None] | None = None,
) -> np.ndarray:
    """How alike each axis is to its match in models of other users: (n_axes, n_refits) float64, 0 … 1.

    For each refit the users are drawn with replacement, the model is trained with another seed, its factors are turned
    by the same method, and the axes are matched one to one (Hungarian algorithm) by the cosine between the well-known
    items' centred coordinates.
    """
    known = well_known(model.n_ratings)
    here = _centred(model.space.item_directions[known] @ directions)
    cosines = np.zeros((directions.shape[1], n_refits))
    if not np.array_equal(interactions.item_ids, model.item_ids):
        interactions = interactions.with_items(model.item_ids)
    for number in range(n_refits):
        refitted = _refit(model, interactions, seed + 1 + number)
        there = _centred(refitted[known] @ turn(refitted[known], method, seed))
        likeness = np.abs(here.T @ there)
        cosines[:, number] = likeness[linear_sum_assignment(-likeness)]
        if progress is not None:
            progress(number + 1, n_refits)
    return cosines


def _refit(model: Model, interactions: Interactions, seed: int) -> np.ndarray:
    """Item directions of the model trained on as many users, drawn with replacement: (n_items, n_factors)."""
    drawn = np.sort(np.random.default_rng(seed).integers(0, interactions.n_users, interactions.n_users))
    others = Interactions(interactions.matrix[drawn], np.arange(len(drawn)), interactions.item_ids)
    learner = model.learner.replace(seed=seed)
    refitted = learner.fit(Dataset(others, Catalog.of(interactions.item_ids)), model.weighting.settings)
    return refitted.space.item_directions


def _centred(coordinates: np.ndarray) -> np.ndarray:
    """Columns with mean 0 and length 1; a column without spread becomes zeros."""
    coordinates = coordinates.astype(np.float64) - coordinates.mean(axis=0, dtype=np.float64)
    lengths = np.linalg.norm(coordinates, axis=0)
    return np.divide(coordinates, lengths, out=np.zeros_like(coordinates), where=lengths > 0)
