"""Fidelity of a 2D map to the embedding space: how many neighbourhoods it preserves. Arrays in, numbers out.

Neighbours in the space are ranked by cosine, neighbours on the map by distance. An item is not its own neighbour; ties
go to the earlier row. Memory is bounded: no n × n matrix is allocated.
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
    """How well a map preserves the neighbourhoods of n items. 1 is perfect; a random map has about .5, .5 and k/n.

    directions   (n, d), rows of length 1
    coordinates  (n, 2), finite

    trustworthiness  Venna & Kaski 2001: 1 minus a penalty for items that are among the k nearest on the map only,
                     proportional to how far beyond rank k they are in the space. High: near on the map implies similar
    continuity       Venna & Kaski 2006: the same with space and map exchanged. High: similar implies near on the map
    recall@k         mean share of the k nearest items in the space that are among the k nearest on the map

    With more than `n_sample` items a sample, drawn with `seed`, is evaluated, with ranks among all items. The measures
    need k < n / 2, so k is reduced for a smaller map (the name is kept). Raises InputError for fewer than three items.
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
    """Quality of out-of-sample placement, measured on items of the map that were placed again without their own
    position.

    These items took part in the layout, so the error is optimistic: on t-SNE of ML-100K it is .025, compared with .053
    for a tenth of the items that were held out of the layout (relative to a map that was settled with them). The recall
    is not: .516 and .517. A linear map (pca, axes) places each item exactly, with error 0.

    directions   (n, d), rows of length 1
    coordinates  (n, 2), finite: the map
    rows         (m,) the items that were placed again
    landed       (m, 2) their new positions

    landing_error       median distance between new and own position, relative to the median distance between two
                        random items (drawn with `seed`): 0 is perfect, a random position has about 1
    landing_recall@k    mean share of the item's k nearest in the space among the k items nearest to the new position

    Raises InputError for fewer than three items.
    """
    n, kept_k = len(directions), _fitting_k(directions, coordinates, k)
    positions = coordinates.astype(np.float64)
    one, step = np.random.default_rng(seed).integers([[0], [1]], n, size=(2, N_PAIRS))
    apart = float(np.median(np.linalg.norm(positions[one] - positions[(one + step) % n], axis=1)))
    missed_by = float(np.median(np.linalg.norm(landed - positions[rows], axis=1)))
    kept = 0
    for block in row_blocks(len(rows), _block_rows(n)):
        here = rows[block]
        near = _nearest(_cosines(directions, here), kept_k)
        kept += int((_ranks(_nearness(positions, landed[block], here), near) <= kept_k).sum())
    return {
        "landing_error": missed_by / apart if apart > 0 else 0.0,
        f"landing_recall@{k}": kept / (len(rows) * kept_k),
    }


def sample_rows(n: int, n_sample: int = N_SAMPLE, seed: int = 42) -> np.ndarray:
    """Up to `n_sample` of n rows, drawn without replacement, ascending, int64; all rows when there are no more."""
    if n <= n_sample:
        return np.arange(n)
    return np.sort(np.random.default_rng(seed).choice(n, n_sample, replace=False))


def _fitting_k(directions: np.ndarray, coordinates: np.ndarray, k: int) -> int:
    n = len(directions)
    if n < 3 or coordinates.shape != (n, 2) or not np.isfinite(coordinates).all():
        raise InputError(
            f"fidelity needs finite coordinates of at least three items, not {n} items with coordinates of shape"
            f" {coordinates.shape}"
        )
    return max(1, min(k, (n - 1) // 2))


def _block_rows(n: int) -> int:
    return max(1, BLOCK_BYTES // (8 * n))


def _cosines(directions: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """(m, n) float32 with NaN for the pair of an item with itself."""
    near = (directions[rows] @ directions.T).astype(np.float32)
    near[np.arange(len(rows)), rows] = np.nan
    result: np.ndarray = near
    return result


def _nearness(coordinates: np.ndarray, points: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Negative squared distance of `points` (m, 2) to all items, (m, n) float32 with NaN for the item in `rows`."""
    across, along = (np.subtract.outer(points[:, at], coordinates[:, at].astype(np.float64)) for at in (0, 1))
    near = -(across**2 + along**2).astype(np.float32)
    near[np.arange(len(rows)), rows] = np.nan
    result: np.ndarray = near
    return result


def _nearest(near: np.ndarray, k: int) -> np.ndarray:
    return top_k(lambda rows: near[rows], near.shape[0], near.shape[1], k)[0]


def _ranks(near: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Ranks (from 1) of `columns` (m, k) among all columns of each row of `near` (m, n); NaN columns are ignored."""
    ranks = np.empty(columns.shape, dtype=np.int64)
    for at, column in enumerate(columns.T):
        mine = np.take_along_axis(near, column[:, None].astype(np.int64), axis=1)
        ranks[:, at] = 1 + (near > mine).sum(axis=1)
        ranks[:, at] += ((near == mine) & (np.arange(near.shape[1]) < column[:, None])).sum(axis=1)
    return ranks
