"""How true a map is to the space it shows. Arrays in, numbers out: knows nothing of how a map is made.

Near in the space means a high cosine, near on the map a short distance; an item is no neighbour of its own, and of two
that are equally near the one in the earlier row comes first. Memory is bounded: no n × n matrix is held.
"""

from __future__ import annotations

import numpy as np

from recsys.errors import InputError
from recsys.topk import BLOCK_BYTES, row_blocks, top_k

N_NEIGHBOURS = 15
N_SAMPLE = 2000
N_PAIRS = 10_000


def fidelity(
    directions: np.ndarray,
    coordinates: np.ndarray,
    k: int = N_NEIGHBOURS,
    n_sample: int = N_SAMPLE,
    seed: int = 42,
) -> dict[str, float]:
    """What a map keeps of the neighbourhoods of n items. 1 is perfect; a random map has about .5, .5 and k/n.

    directions   (n, d), rows of length 1
    coordinates  (n, 2), finite

    trustworthiness  Venna & Kaski 2001: 1 less the penalty for items that are among the k nearest on the map only, by
                     how far beyond rank k they are in the space. What looks near, is near
    continuity       Venna & Kaski 2006: the same with space and map exchanged. What is near, looks near
    recall@k         mean share of the k nearest in the space that are among the k nearest on the map

    With more than `n_sample` items, a sample drawn with `seed` is judged, by ranks among all. The measures need k
    below n / 2, so in a smaller map k is lowered to it (the name stays). Raises InputError for fewer than three items.
    """
    n, kept_k = len(directions), _fitting_k(directions, coordinates, k)
    rows = sample_rows(n, n_sample, seed)
    false, missed, kept = 0, 0, 0
    for block in row_blocks(len(rows), _block_rows(n)):
        here = rows[block]
        in_space = _cosines(directions, here)
        on_map = _nearness(coordinates, coordinates[here], here)
        false_ranks = _ranks(in_space, _nearest(on_map, kept_k))
        missed_ranks = _ranks(on_map, _nearest(in_space, kept_k))
        false += int(np.maximum(false_ranks - kept_k, 0).sum())
        missed += int(np.maximum(missed_ranks - kept_k, 0).sum())
        kept += int((missed_ranks <= kept_k).sum())
    worst = len(rows) * kept_k * (2 * n - 3 * kept_k - 1) / 2
    return {
        "trustworthiness": 1 - false / worst,
        "continuity": 1 - missed / worst,
        f"recall@{k}": kept / (len(rows) * kept_k),
    }


def landing(
    directions: np.ndarray,
    coordinates: np.ndarray,
    rows: np.ndarray,
    landed: np.ndarray,
    k: int = N_NEIGHBOURS,
    seed: int = 42,
) -> dict[str, float]:
    """How well newcomers land, judged by items of the map that were landed anew without looking at their own place.

    They still had their say when the map was laid out, so the error flatters: on t-SNE of ML-100K it is .025, and .053
    for a tenth of the items kept off the layout, held against a map that settles with them. The recall does not: .516
    and .517. A map that is linear (pca, axes) lands each item on its own place, error 0.

    directions   (n, d), rows of length 1
    coordinates  (n, 2), finite: the map
    rows         (m,) the items that were landed
    landed       (m, 2) where, found without knowing their own places

    landing_error       median distance between landed and own place, as a share of the median distance of two items
                        drawn at random (with `seed`): 0 is perfect, a random place has about 1
    landing_recall@k    mean share of the item's k nearest in the space among the k items nearest to the landed place

    Raises InputError for fewer than three items.
    """
    n, kept_k = len(directions), _fitting_k(directions, coordinates, k)
    places = coordinates.astype(np.float64)
    one, step = np.random.default_rng(seed).integers([[0], [1]], n, size=(2, N_PAIRS))
    apart = float(np.median(np.linalg.norm(places[one] - places[(one + step) % n], axis=1)))
    missed_by = float(np.median(np.linalg.norm(landed - places[rows], axis=1)))
    kept = 0
    for block in row_blocks(len(rows), _block_rows(n)):
        here = rows[block]
        near = _nearest(_cosines(directions, here), kept_k)
        kept += int((_ranks(_nearness(places, landed[block], here), near) <= kept_k).sum())
    return {
        "landing_error": missed_by / apart if apart > 0 else 0.0,
        f"landing_recall@{k}": kept / (len(rows) * kept_k),
    }


def sample_rows(n: int, n_sample: int = N_SAMPLE, seed: int = 42) -> np.ndarray:
    """Up to `n_sample` of n rows, drawn without repetition, in rising order, int64; all where they are no more."""
    if n <= n_sample:
        return np.arange(n)
    return np.sort(np.random.default_rng(seed).choice(n, n_sample, replace=False))


def _fitting_k(directions: np.ndarray, coordinates: np.ndarray, k: int) -> int:
    n = len(directions)
    if n < 3 or coordinates.shape != (n, 2) or not np.isfinite(coordinates).all():
        raise InputError(
            f"a map is judged by the places of at least three items, all of them finite; here are {n} items"
            f" and places of shape {coordinates.shape}"
        )
    return max(1, min(k, (n - 1) // 2))


def _block_rows(n: int) -> int:
    return max(1, BLOCK_BYTES // (8 * n))


def _cosines(directions: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """(m, n) float32; NaN where an item meets itself."""
    near = (directions[rows] @ directions.T).astype(np.float32)
    near[np.arange(len(rows)), rows] = np.nan
    return near


def _nearness(coordinates: np.ndarray, places: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Minus the squared distance of `places` (m, 2) to all items, (m, n) float32; NaN for the item of that row."""
    across, along = (np.subtract.outer(places[:, at], coordinates[:, at].astype(np.float64)) for at in (0, 1))
    near = -(across**2 + along**2).astype(np.float32)
    near[np.arange(len(rows)), rows] = np.nan
    return near


def _nearest(near: np.ndarray, k: int) -> np.ndarray:
    return top_k(lambda rows: near[rows], near.shape[0], near.shape[1], k)[0]


def _ranks(near: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Place of `columns` (m, k) among all columns of each row of `near` (m, n), from 1; NaN columns don't count."""
    ranks = np.empty(columns.shape, dtype=np.int64)
    for at, column in enumerate(columns.T):
        mine = np.take_along_axis(near, column[:, None].astype(np.int64), axis=1)
        ranks[:, at] = 1 + (near > mine).sum(axis=1)
        ranks[:, at] += ((near == mine) & (np.arange(near.shape[1]) < column[:, None])).sum(axis=1)
    return ranks
