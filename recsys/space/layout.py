"""2D maps: a layout of the items in which similar items are close, and positions for further vectors.

Maps are computed from directions (vectors of length 1 without bias), so that they do not depend on popularity.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import get_args

import numba
import numpy as np
from sklearn.decomposition import PCA
from threadpoolctl import threadpool_limits

from recsys.dataset.interactions import index_of
from recsys.errors import InputError, SettingError
from recsys.inner_products import InnerProducts
from recsys.limits import check_seed
from recsys.space.axis import Axis
from recsys.space.embedding import EmbeddingSpace
from recsys.space.fidelity import fidelity, landing, sample_rows
from recsys.space.item_map import DEFAULT_MAP, ItemMap, MapMethod
from recsys.topk import one_each

LANDING_NEIGHBOURS = 10
"""Nearest items that determine the position of a new vector on a map without a projection formula."""

LANDING_POWER = 6
"""Their weights are this power of the cosine; tuned, with the number of neighbours, by leaving items out."""

FAITHFUL_START = 0.9
"""An earlier map with more trustworthiness than this in the new space is refined. Any other (a different model, a map
by PCA) only initialises a full layout, because refinement would keep its errors."""

FEW = 10
"""With fewer items the neighbour-based methods return the map of PCA."""


def make_map(
    space: EmbeddingSpace,
    method: MapMethod = DEFAULT_MAP,
    seed: int = 42,
    *,
    axes: tuple[Axis, Axis] | None = None,
    previous: ItemMap | None = None,
    measured: bool = True,
) -> ItemMap:
    """A map of the items of a space, with its fidelity. Same vectors and seed: same coordinates.

    method    pca: the two principal components; preserves the global structure, crowded locally.
              tsne: van der Maaten & Hinton 2008 in openTSNE, cosine distances, initialised by PCA; preserves
              neighbourhoods, distances between distant groups are not meaningful.
              umap: McInnes, Healy & Melville 2018, cosine distances, initialised by PCA; needs recsys-atlas[maps].
              pacmap: Wang, Huang, Rudin & Shaposhnik 2021, initialised by PCA; needs recsys-atlas[maps].
              axes: the first of `axes` horizontally, the second vertically, in standard deviations
    previous  an earlier map: the new map is rotated, reflected, translated and scaled as a whole to match it
              (Procrustes) and stays in its frame; tsne, umap and pacmap are also initialised by it, and only refine it
              when it is faithful to this space. Ignored by axes, which have a fixed orientation
    measured  False skips the fidelity, which takes longer than a PCA

    `fidelity` of the map contains the measures of `recsys.space.fidelity`, with each item placed without its own
    position for the landing errors, and with `previous` the alignment_residual of `align`. Items with a zero vector
    have no position (NaN). Raises SettingError for an unknown method or one that is not installed, and InputError when
    fewer than three items have a vector, `axes` are missing or belong to another space, or fewer than three items are
    on both maps.
    """
    if method not in get_args(MapMethod):
        raise SettingError(f"unknown map method {method!r}: use {', '.join(get_args(MapMethod))}")
    check_seed(seed)
    has_vector = space.item_directions.any(axis=1)
    directions = space.item_directions[has_vector]
    if len(directions) < 3:
        raise InputError(f"a map needs at least three items with a vector, not {len(directions)}")
    coordinates = np.full((space.n_items, 2), np.nan, dtype=np.float32)
    with _one_thread():
        if method == "axes":
            x, y = _both(axes, space)
            coordinates[:] = np.column_stack([x.positions(space), y.positions(space)])
            made = ItemMap(method, space.item_ids, coordinates, seed, (x.title, y.title))
            return replace(made, fidelity=_measured(made, space)) if measured else made
        known, known_positions = _known_positions(space.item_ids[has_vector], previous)
        positions = _pca(directions)
        if method != "pca" and len(directions) >= FEW and np.ptp(directions, axis=0).max() > 0:
            start = positions if previous is None else _start(directions, known, known_positions)
            is_faithful = previous is not None and fidelity(directions, start)["trustworthiness"] > FAITHFUL_START
            positions = LAYOUTS[method](directions, _spread(start, seed), seed, is_faithful)
        residual = {}
        if previous is not None:
            positions, residual["alignment_residual"] = align(positions, known, known_positions)
        else:
            positions = positions - positions.mean(axis=0)
            positions /= max(float(np.abs(positions).max()), 1e-12)
        coordinates[has_vector] = positions
        made = ItemMap(method, space.item_ids, coordinates, seed)
        return replace(made, fidelity=(_measured(made, space) if measured else {}) | residual)


def align(positions: np.ndarray, rows: np.ndarray, known_positions: np.ndarray) -> tuple[np.ndarray, float]:
    """Positions (n, 2) rotated or reflected, scaled and translated so that their `rows` match `known_positions` (m, 2).

    Orthogonal Procrustes (Schönemann 1966) on the centred positions. The scale equalises the norms of both sets; the
    least-squares scale would shrink a map a little with every imperfect fit.

    Returns the new positions, float64, and the residual: the root of the sum of squared distances between the aligned
    and the known positions, divided by that of the known positions to their mean. 0 for the same picture, about √2 for
    two unrelated ones. Raises InputError when all known positions are equal.
    """
    moving, target = positions[rows].astype(np.float64), known_positions.astype(np.float64)
    centre, target_centre = moving.mean(axis=0), target.mean(axis=0)
    moving, target = moving - centre, target - target_centre
    width, target_width = float(np.linalg.norm(moving)), float(np.linalg.norm(target))
    if target_width < 1e-9:
        raise InputError("the previous map has all items at the same position and cannot be aligned with")
    left, _, right = np.linalg.svd(moving.T @ target)
    rotation = left @ right * (target_width / max(width, 1e-12))
    residual = float(np.linalg.norm(moving @ rotation - target) / target_width)
    return (positions - centre) @ rotation + target_centre, residual


def land(item_map: ItemMap, space: EmbeddingSpace, vectors: np.ndarray) -> np.ndarray:
    """Positions (n, 2) float32 of vectors (n, d) of the same space on an existing map (out-of-sample placement).

    The maps by pca and axes are linear in the directions, so least squares recovers their projection exactly. The other
    methods have no projection: a vector is placed at the weighted geometric median of its nearest items by cosine, with
    a power of the cosine as weight. Unlike the mean, the median stays within the group of most of them when one is
    elsewhere. A zero vector has no position (NaN).
    """
    directions, placed = space.directions(vectors), item_map.is_placed
    if item_map.method in ("pca", "axes"):
        rows = np.flatnonzero(placed)[sample_rows(int(placed.sum()))]
        positions = item_map.coordinates[rows].astype(np.float64)
        projection = np.linalg.lstsq(_with_ones(space.item_directions[rows]), positions, rcond=None)[0]
        landed = _with_ones(directions) @ projection
    else:
        nearest = space.directions_index.top_k(directions, min(LANDING_NEIGHBOURS, int(placed.sum())), allowed=placed)
        landed = _median_position(*nearest, item_map.coordinates)
    landed[~directions.any(axis=1)] = np.nan
    found: np.ndarray = landed.astype(np.float32)
    return found


def _measured(item_map: ItemMap, space: EmbeddingSpace) -> dict[str, float]:
    placed = item_map.is_placed
    directions, positions = space.item_directions[placed], item_map.coordinates[placed]
    rows = sample_rows(len(directions))
    if item_map.method in ("pca", "axes"):
        landed = land(item_map, space, space.item_factors[placed][rows])
    else:
        k, others = min(LANDING_NEIGHBOURS, len(directions) - 1), one_each(rows, len(directions))
        landed = _median_position(*InnerProducts(directions).top_k(directions[rows], k, exclude=others), positions)
    return fidelity(directions, positions) | landing(directions, positions, rows, landed)


def _median_position(nearest: np.ndarray, cosines: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Weighted geometric median of the positions of the nearest items, (m, 2) float64, by Weiszfeld's algorithm.

    nearest, cosines  (m, k) rows of `positions`, and the cosines that weight them
    """
    points = positions[nearest].astype(np.float64)
    weight = np.maximum(cosines.astype(np.float64), 0) ** LANDING_POWER
    weight[weight.sum(axis=1) == 0] = 1  # no positive cosine: the unweighted median
    current = weight
    for _ in range(50):
        median = (current[:, :, None] * points).sum(axis=1) / np.maximum(current.sum(axis=1), 1e-12)[:, None]
        current = weight / np.maximum(np.linalg.norm(points - median[:, None], axis=2), 1e-6)
    found: np.ndarray = median
    return found


def _known_positions(item_ids: np.ndarray, previous: ItemMap | None) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the items that have a position on `previous`, and these positions."""
    if previous is None:
        return np.empty(0, dtype=np.int64), np.empty((0, 2))
    found = index_of(previous.item_ids[previous.is_placed]).get_indexer(index_of(item_ids))
    rows = np.flatnonzero(found >= 0)
    if len(rows) < 3:
        raise InputError(f"alignment needs at least three items that are also on the previous map, not {len(rows)}")
    return rows, previous.coordinates[previous.is_placed][found[rows]].astype(np.float64)


def _start(directions: np.ndarray, known: np.ndarray, known_positions: np.ndarray) -> np.ndarray:
    """Known positions for the `known` rows, and for the others their out-of-sample positions, (n, 2) float64."""
    positions = np.empty((len(directions), 2))
    new = np.ones(len(directions), dtype=bool)
    new[known] = False
    positions[known] = known_positions
    nearest = InnerProducts(directions[known]).top_k(directions[new], min(LANDING_NEIGHBOURS, len(known)))
    positions[new] = _median_position(*nearest, known_positions)
    return positions


def _both(axes: tuple[Axis, Axis] | None, space: EmbeddingSpace) -> tuple[Axis, Axis]:
    if axes is None or len(axes) != 2 or axes[0].name == axes[1].name:
        raise InputError("a map along axes needs two different axes, the first horizontal, the second vertical")
    for axis in axes:
        if len(axis.direction) != space.n_factors:
            raise InputError(f"axis {axis.name!r} belongs to another model; run recsys axes again")
    return axes


# --- layouts ----------------------------------------------------------------------------------------------------


def _pca(directions: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore"):  # explained variance is 0 / 0 when all directions are equal
        positions: np.ndarray = PCA(2, svd_solver="full").fit_transform(_at_least_2d(directions))
        return positions


def _spread(positions: np.ndarray, seed: int) -> np.ndarray:
    """Initial positions (n, 2) float64: centred, standard deviation 1 horizontally, and with noise, because equal
    positions would never separate."""
    positions = positions - positions.mean(axis=0)
    jitter = np.random.default_rng(seed).normal(scale=1e-2, size=positions.shape)
    return positions / max(float(positions[:, 0].std()), 1e-12) + jitter


def _neighbours(directions: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows (int64) and cosine distances (float64) of the k nearest of each direction, without itself, both (n, k).

    Exact; the search of the libraries is approximate for many items and differs between machines.
    """
    n = len(directions)
    nearest, cosines = InnerProducts(directions).top_k(directions, k, exclude=one_each(np.arange(n), n))
    return nearest.astype(np.int64), np.maximum(1 - cosines.astype(np.float64), 0)


def _tsne(directions: np.ndarray, start: np.ndarray, seed: int, is_faithful: bool) -> np.ndarray:
    from openTSNE import TSNE
    from openTSNE.affinity import PerplexityBasedNN
    from openTSNE.nearest_neighbors import PrecomputedNeighbors

    n = len(directions)
    perplexity = min(30.0, (n - 1) / 3)
    nearest = PrecomputedNeighbors(*_neighbours(directions, min(n - 1, int(3 * perplexity))))
    affinities = PerplexityBasedNN(perplexity=perplexity, knn_index=nearest, n_jobs=1)
    # A small initialisation (Kobak & Berens 2019), so that the layout is not dominated by it.
    layout = TSNE(perplexity=perplexity, n_jobs=1, random_state=seed).prepare_initial(
        affinities=affinities, initialization=1e-4 * start
    )
    if is_faithful:
        # As wide as finished layouts are (0.7 √n, measured for 400 to 3,700 items), so that the forces are nearly
        # balanced. Early exaggeration would destroy the earlier map.
        layout *= 0.7 * np.sqrt(n / (layout**2).sum(axis=1).mean())
        layout.optimize(250, momentum=0.8, inplace=True)
    else:
        layout.optimize(250, exaggeration=12, momentum=0.8, inplace=True)
        layout.optimize(500, momentum=0.8, inplace=True)
    return np.array(layout)


def _umap(directions: np.ndarray, start: np.ndarray, seed: int, is_faithful: bool) -> np.ndarray:
    try:
        from umap import UMAP
    except ImportError:
        raise SettingError("the umap map needs umap-learn: pip install 'recsys-atlas[maps]'") from None
    k = min(15, len(directions) - 1)
    nearest, distances = _neighbours(directions, k - 1)
    itself = np.arange(len(directions))[:, None]
    found = (np.hstack([itself, nearest]), np.hstack([np.zeros_like(itself), distances]).astype(np.float32), None)
    layout = UMAP(
        metric="cosine",
        n_neighbors=k,
        min_dist=0.0,  # preserves more neighbours than the default 0.1
        init=start.astype(np.float32),
        random_state=seed,
        n_jobs=1,
        precomputed_knn=found,
        **({"learning_rate": 0.1, "n_epochs": 200} if is_faithful else {}),  # refine only
    )
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "precomputed_knn", UserWarning)  # it warns that it cannot transform new data
        positions: np.ndarray = layout.fit_transform(_at_least_2d(directions))
        return positions


def _pacmap(directions: np.ndarray, start: np.ndarray, seed: int, is_faithful: bool) -> np.ndarray:
    try:
        import pacmap
    except ImportError:
        raise SettingError("the pacmap map needs pacmap: pip install 'recsys-atlas[maps]'") from None
    log = logging.getLogger("pacmap")
    level = log.level
    log.setLevel(logging.ERROR)  # it warns about the fixed seed
    try:
        positions: np.ndarray = pacmap.PaCMAP(random_state=seed).fit_transform(_at_least_2d(directions), init=start)
        return positions
    finally:
        log.setLevel(level)


LAYOUTS: dict[str, Callable[[np.ndarray, np.ndarray, int, bool], np.ndarray]] = {
    "tsne": _tsne,
    "umap": _umap,
    "pacmap": _pacmap,
}
"""Iterative methods: (directions, start, seed, whether the start is a faithful map) → positions (n, 2)."""


@contextmanager
def _one_thread() -> Iterator[None]:
    """Several threads would change the order of sums and with it the last bits, which the layouts amplify."""
    n_threads = numba.get_num_threads()
    numba.set_num_threads(1)
    try:
        with threadpool_limits(1):
            yield
    finally:
        numba.set_num_threads(n_threads)


def _with_ones(directions: np.ndarray) -> np.ndarray:
    return np.hstack([directions.astype(np.float64), np.ones((len(directions), 1))])


def _at_least_2d(directions: np.ndarray) -> np.ndarray:
    """Directions with a second column of zeros in a space of one dimension."""
    return directions if directions.shape[1] > 1 else np.hstack([directions, np.zeros_like(directions)])
