"""The 2D map: items laid out so that near means alike, and a place on it for anyone's vector.

Works on directions (vectors of length 1, bias left out): what a movie is like, not how popular it is.
"""

from __future__ import annotations

from typing import get_args

import numpy as np
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from threadpoolctl import threadpool_limits

from recsys.embeddings import EmbeddingSpace
from recsys.errors import InputError, SettingError
from recsys.item_map import ItemMap, MapMethod
from recsys.topk import top_k

LANDING_NEIGHBOURS = 10
"""Items that pull a newcomer to their place on a map that has no formula."""


def make_map(space: EmbeddingSpace, method: MapMethod = "tsne", seed: int = 42) -> ItemMap:
    """Lay out the items of a space. Same vectors and seed: same coordinates.

    pca   the two directions of greatest spread: true to the large, crowded in the small
    tsne  van der Maaten & Hinton 2008, cosine distances, started from the PCA: true to neighbourhoods; distances
          between far groups mean little

    Items whose vector has length 0 get no place (NaN). Raises SettingError for an unknown method, InputError where
    fewer than three items have a vector.
    """
    if method not in get_args(MapMethod):
        raise SettingError(f"unknown map method {method!r}: use {', '.join(get_args(MapMethod))}")
    has_vector = space.item_directions.any(axis=1)
    directions = space.item_directions[has_vector]
    if len(directions) < 3:
        raise InputError(f"a map needs at least three items with a vector, not {len(directions)}")
    # One thread: the order in which OpenMP adds up forces would change the last bits, and t-SNE magnifies them.
    with threadpool_limits(1):
        with np.errstate(invalid="ignore"):  # a space in which all directions are one has no spread to share out
            places = PCA(2, svd_solver="full").fit_transform(_two_wide(directions))
        if method == "tsne" and len(directions) >= 10:
            # Started from the PCA, as Kobak & Berens 2019 advise, but never from twice the same place: scikit-learn
            # scales by the spread without asking whether there is any, and its tree does not survive the NaN.
            jitter = np.random.default_rng(seed).normal(scale=1e-2, size=places.shape)
            start = 1e-4 * (places / max(float(places[:, 0].std()), 1e-12) + jitter)
            places = TSNE(
                perplexity=min(30.0, (len(directions) - 1) / 3),
                metric="cosine",
                init=start.astype(np.float32),
                random_state=seed,
                n_jobs=1,
            ).fit_transform(directions)
    places = places - places.mean(axis=0)
    coordinates = np.full((space.n_items, 2), np.nan, dtype=np.float32)
    coordinates[has_vector] = places / max(float(np.abs(places).max()), 1e-12)
    return ItemMap(method, space.item_ids, coordinates, seed)


def land(item_map: ItemMap, space: EmbeddingSpace, vectors: np.ndarray) -> np.ndarray:
    """Places (n, 2) float32 for vectors (n, d) of the same space, without moving anything else.

    PCA is linear in the directions, so its own projection is recovered exactly by least squares. t-SNE has no
    formula: a newcomer comes to the mean place of the nearest items by cosine, each pulling with the square of its
    cosine. A zero vector lands in the middle.
    """
    newcomers, placed = space.directions(vectors), item_map.is_placed
    known, places = space.item_directions[placed], item_map.coordinates[placed]
    if item_map.method == "pca":
        projection = np.linalg.lstsq(_with_ones(known), places, rcond=None)[0]
        return (_with_ones(newcomers) @ projection).astype(np.float32)
    nearest, cosines = top_k(
        lambda rows: newcomers[rows] @ known.T, len(newcomers), len(known), min(LANDING_NEIGHBOURS, len(known))
    )
    pull = np.maximum(cosines, 0) ** 2
    pull /= np.maximum(pull.sum(axis=1, keepdims=True), 1e-12)
    return (pull[:, :, None] * places[nearest]).sum(axis=1).astype(np.float32)


def _with_ones(directions: np.ndarray) -> np.ndarray:
    return np.hstack([directions, np.ones((len(directions), 1), dtype=directions.dtype)])


def _two_wide(directions: np.ndarray) -> np.ndarray:
    """A space of one dimension still has a plane: the second is flat."""
    return directions if directions.shape[1] > 1 else np.hstack([directions, np.zeros_like(directions)])
