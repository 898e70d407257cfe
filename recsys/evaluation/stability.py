"""Stability of discovered axes: refit the model on other samples of users and compare the axes.

An axis that appears only in one sample of users describes that sample, not the items. `space/discovery.py` names an
axis only when it is stable.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.optimize import linear_sum_assignment
from threadpoolctl import threadpool_limits

from recsys.dataset.catalog import Catalog
from recsys.dataset.dataset import Dataset
from recsys.dataset.interactions import Interactions
from recsys.limits import MOST_RUNS, check_number, check_seed, next_seed
from recsys.models import Model
from recsys.space.axis import Axes
from recsys.space.discovery import centred, name_axes, rotated_like
from recsys.space.embedding import EmbeddingSpace, well_known_items
from recsys.space.rotation import DEFAULT_METHOD, Method, rotate

N_REFITS = 5


def discover_axes(
    model: Model,
    interactions: Interactions,
    method: Method = DEFAULT_METHOD,
    *,
    n_refits: int = N_REFITS,
    like: tuple[EmbeddingSpace, Axes] | None = None,
    seed: int = 42,
    progress: Callable[[int, int], None] | None = None,
) -> Axes:
    """The axes of a model with their stability: `discover` with refits; one axis per dimension.

    interactions  the training data of the model; the refits sample its users
    n_refits      number of refitted models; with 0 stability is not measured and no axis is named
    like          an earlier space and its axes: the new ones take the order and the signs of those they match
    progress      called with the number of refits done and the total

    Raises Unsupported for a model without vectors, and InputError as `discover` does.
    """
    check_seed(seed)
    check_number("n_refits", n_refits, 0, MOST_RUNS, whole=True)
    space, attributes = model.space, model.attributes
    with threadpool_limits(1, "blas"):  # several threads would change the order of sums and with it the last bits
        directions, matched = rotated_like(space, attributes, method, like, seed)
        cosines = axis_stability(
            model, interactions, directions, method, n_refits=n_refits, seed=seed, progress=progress
        )
        return name_axes(space, attributes, directions, method, stability=cosines, like=matched, seed=seed)


def axis_stability(
    model: Model,
    interactions: Interactions,
    directions: np.ndarray,
    method: Method,
    *,
    n_refits: int = N_REFITS,
    seed: int = 42,
    progress: Callable[[int, int], None] | None = None,
) -> np.ndarray:
    """Similarity of each axis to its match in refitted models: (n_axes, n_refits) float64, 0 … 1.

    directions  (n_factors, n_axes), the axes of `model` in columns

    Each refit trains the model, with another seed, on a bootstrap sample of the users (drawn with replacement) and
    rotates its vectors by the same method. The axes of both models are matched one to one (Hungarian algorithm) by
    the absolute cosine between the centred coordinates of the well-known items.
    """
    known = well_known_items(model.space, model.attributes)
    original = centred(model.space.item_directions[known] @ directions)
    cosines = np.zeros((directions.shape[1], n_refits))
    if not np.array_equal(interactions.item_ids, model.item_ids):
        interactions = interactions.with_items(model.item_ids)
    for number in range(n_refits):
        refitted = _refit(model, interactions, next_seed(seed, number))
        other = centred(refitted[known] @ rotate(refitted[known], method, seed))
        similarity = np.abs(original.T @ other)
        cosines[:, number] = similarity[linear_sum_assignment(-similarity)]
        if progress is not None:
            progress(number + 1, n_refits)
    return cosines


def _refit(model: Model, interactions: Interactions, seed: int) -> np.ndarray:
    """Item directions (n_items, n_factors) of the model trained on a bootstrap sample of the users."""
    drawn = np.sort(np.random.default_rng(seed).integers(0, interactions.n_users, interactions.n_users))
    sample = interactions.of_users(drawn, np.arange(len(drawn)))
    learner = model.learner_anew.replace(seed=seed)
    refitted = learner.fit(Dataset(sample, Catalog.of(interactions.item_ids)), model.weighting.settings)
    return refitted.space.item_directions
