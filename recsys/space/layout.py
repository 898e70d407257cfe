"""The 2D map: items laid out so that near means alike, and a place on it for anyone's vector.

Works on directions (vectors of length 1, bias left out): what a movie is like, not how popular it is.
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
import scipy.sparse as sp
from sklearn.decomposition import PCA
from threadpoolctl import threadpool_limits

from recsys.dataset.interactions import index_of
from recsys.errors import InputError, SettingError
from recsys.space.axis import Axis
from recsys.space.embedding import EmbeddingSpace
from recsys.space.fidelity import fidelity, landing, sample_rows
from recsys.space.item_map import DEFAULT_MAP, ItemMap, MapMethod
from recsys.topk import top_k

LANDING_NEIGHBOURS = 10
"""Items that pull a newcomer to their place on a map that has no formula."""

LANDING_POWER = 6
"""Each pulls with this power of its cosine. Measured, with the number of neighbours, by leaving items out."""

TRUE_START = 0.9
"""An earlier map with more trustworthiness than this in the new space is settled from where it is; another one (an
unlike model, a map of PCA) only sets the start of a layout from scratch: settling would keep what is wrong in it."""

FEW = 10
"""With fewer items the methods that work by neighbours have none to speak of: their map is that of PCA."""


def make_map(
    space: EmbeddingSpace,
    method: MapMethod = DEFAULT_MAP,
    seed: int = 42,
    *,
    axes: tuple[Axis, Axis] | None = None,
    previous: ItemMap | None = None,
    judged: bool = True,
) -> ItemMap:
    """Lay out the items of a space, and measure how true the layout is. Same vectors and seed: same coordinates.

    pca     the two directions of greatest spread: true to the large, crowded in the small
    tsne    van der Maaten & Hinton 2008 as openTSNE has it, cosine distances, started from the PCA: true to
            neighbourhoods; distances between far groups mean little
    umap    McInnes, Healy & Melville 2018, cosine distances, started from the PCA; needs recsys-atlas[maps]
    pacmap  Wang, Huang, Rudin & Shaposhnik 2021, started from the PCA; needs recsys-atlas[maps]
    axes    across along the first of `axes`, up along the second, in standard deviations

    previous  the map that people know: the new one is turned, mirrored, moved and scaled as a whole to lie as near to
              it as it can (Procrustes) and stays in its frame; tsne, umap and pacmap also start from it, and where it
              is nearly true of this space too, only settle. Of no use to axes, which do not turn

    judged    False leaves the measuring out, which takes longer than a PCA

    The map's `fidelity` has what `recsys.space.fidelity` measures, its landing errors with each item left out of a
    landing of its own, and with `previous` the alignment_residual of `align`. Items whose vector has length 0 get no
    place (NaN). Raises SettingError for an unknown method or one that is not installed, InputError where fewer than
    three items have a vector, `axes` are missing or of another space, or fewer than three items are on both maps.
    """
    if method not in get_args(MapMethod):
        raise SettingError(f"unknown map method {method!r}: use {', '.join(get_args(MapMethod))}")
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
            return replace(made, fidelity=_measured(made, space)) if judged else made
        known, known_places = _known_places(space.item_ids[has_vector], previous)
        places = _pca(directions)
        if method != "pca" and len(directions) >= FEW and np.ptp(directions, axis=0).max() > 0:
            start = places if previous is None else _start(directions, known, known_places)
            is_true = previous is not None and fidelity(directions, start)["trustworthiness"] > TRUE_START
            places = LAYOUTS[method](directions, _spread(start, seed), seed, is_true)
        residual = {}
        if previous is not None:
            places, residual["alignment_residual"] = align(places, known, known_places)
        else:
            places = places - places.mean(axis=0)
            places /= max(float(np.abs(places).max()), 1e-12)
        coordinates[has_vector] = places
        made = ItemMap(method, space.item_ids, coordinates, seed)
        return replace(made, fidelity=(_measured(made, space) if judged else {}) | residual)


def align(places: np.ndarray, rows: np.ndarray, known_places: np.ndarray) -> tuple[np.ndarray, float]:
    """Places (n, 2) turned or mirrored, scaled and moved as a whole so that `rows` of them come near `known_places`.

    Orthogonal Procrustes (Schönemann 1966) on the centred places. The scale makes the rows as wide as the known places
    are: the one of least squares would shrink a map a little at each imperfect fit, night after night.

    Returns the new places, float64, and the residual: the root of the sum of squared distances between these rows and
    the known places, as a share of the known places' own around their middle. 0: the same picture; two unrelated ones
    have about √2. Raises InputError when the known places are all one.
    """
    here, there = places[rows].astype(np.float64), known_places.astype(np.float64)
    middle, goal = here.mean(axis=0), there.mean(axis=0)
    here, there = here - middle, there - goal
    width, known_width = float(np.linalg.norm(here)), float(np.linalg.norm(there))
    if known_width < 1e-9:
        raise InputError("the previous map has all items in one place: there is nothing to align with")
    left, _, right = np.linalg.svd(here.T @ there)
    turn = left @ right * (known_width / max(width, 1e-12))
    residual = float(np.linalg.norm(here @ turn - there) / known_width)
    return (places - middle) @ turn + goal, residual


def land(item_map: ItemMap, space: EmbeddingSpace, vectors: np.ndarray) -> np.ndarray:
    """Places (n, 2) float32 for vectors (n, d) of the same space, without moving anything else.

    PCA and axes are linear in the directions, so their own projection is recovered exactly by least squares. The others
    have no formula: a newcomer comes to the place with the least sum of distances to the nearest items by cosine
    (geometric median), each counting with a power of its cosine. Unlike their mean it keeps to the group where most of
    them are, if one lies elsewhere. A vector of length 0 has no place: NaN, as on the map.
    """
    newcomers, placed = space.directions(vectors), item_map.is_placed
    known, places = space.item_directions[placed], item_map.coordinates[placed]
    if item_map.method in ("pca", "axes"):
        projection = np.linalg.lstsq(_with_ones(known), places.astype(np.float64), rcond=None)[0]
        landed = _with_ones(newcomers) @ projection
    else:
        landed = _pulled(newcomers, known, places)
    landed[~newcomers.any(axis=1)] = np.nan
    return landed.astype(np.float32)


def _measured(item_map: ItemMap, space: EmbeddingSpace) -> dict[str, float]:
    placed = item_map.is_placed
    directions, places = space.item_directions[placed], item_map.coordinates[placed]
    rows = sample_rows(len(directions))
    if item_map.method in ("pca", "axes"):
        landed = land(item_map, space, space.item_factors[placed][rows])
    else:
        landed = _pulled(directions[rows], directions, places, itself=rows)
    return fidelity(directions, places) | landing(directions, places, rows, landed)


def _pulled(
    newcomers: np.ndarray, known: np.ndarray, places: np.ndarray, itself: np.ndarray | None = None
) -> np.ndarray:
    """Weighted geometric median of the places of each newcomer's nearest, (m, 2) float64, by Weiszfeld's steps.

    itself  (m,) row of `known` that each newcomer is, which must not pull it
    """
    exclude = None
    k = min(LANDING_NEIGHBOURS, len(known))
    if itself is not None:
        exclude = sp.csr_matrix(
            (np.ones(len(itself)), (np.arange(len(itself)), itself)), shape=(len(itself), len(known))
        )
        k = min(k, len(known) - 1)
    nearest, cosines = top_k(lambda rows: newcomers[rows] @ known.T, len(newcomers), len(known), k, exclude=exclude)
    there = places[nearest].astype(np.float64)
    weight = np.maximum(cosines.astype(np.float64), 0) ** LANDING_POWER
    weight[weight.sum(axis=1) == 0] = 1  # like nothing here: the middle of what is least unlike
    pull = weight
    for _ in range(50):
        middle = (pull[:, :, None] * there).sum(axis=1) / np.maximum(pull.sum(axis=1), 1e-12)[:, None]
        pull = weight / np.maximum(np.linalg.norm(there - middle[:, None], axis=2), 1e-6)
    return middle


def _known_places(item_ids: np.ndarray, previous: ItemMap | None) -> tuple[np.ndarray, np.ndarray]:
    """Rows of those of the items that `previous` places, and their places there."""
    if previous is None:
        return np.empty(0, dtype=np.int64), np.empty((0, 2))
    there = index_of(previous.item_ids[previous.is_placed]).get_indexer(index_of(item_ids))
    rows = np.flatnonzero(there >= 0)
    if len(rows) < 3:
        raise InputError(f"a map is aligned by at least three items that are on the previous one too, not {len(rows)}")
    return rows, previous.coordinates[previous.is_placed][there[rows]].astype(np.float64)


def _start(directions: np.ndarray, known: np.ndarray, known_places: np.ndarray) -> np.ndarray:
    """Known places for the `known` rows, for the others where they would land among these, (n, 2) float64."""
    places = np.empty((len(directions), 2))
    new = np.ones(len(directions), dtype=bool)
    new[known] = False
    places[known] = known_places
    places[new] = _pulled(directions[new], directions[known], known_places)
    return places


def _both(axes: tuple[Axis, Axis] | None, space: EmbeddingSpace) -> tuple[Axis, Axis]:
    if axes is None or len(axes) != 2 or axes[0].name == axes[1].name:
        raise InputError("a map of axes needs two different axes, the first for across, the second for up")
    for axis in axes:
        if len(axis.direction) != space.n_factors:
            raise InputError(f"{axis.name!r} is of another model: make the axes anew with recsys axes")
    return axes


# --- layouts ----------------------------------------------------------------------------------------------------


def _pca(directions: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore"):  # a space in which all directions are one has no spread to share out
        return PCA(2, svd_solver="full").fit_transform(_two_wide(directions))


def _spread(places: np.ndarray, seed: int) -> np.ndarray:
    """A start (n, 2) float64: centred, as wide as 1 across, never twice the same place, which no force could part."""
    places = places - places.mean(axis=0)
    jitter = np.random.default_rng(seed).normal(scale=1e-2, size=places.shape)
    return places / max(float(places[:, 0].std()), 1e-12) + jitter


def _neighbours(directions: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Exact rows int64 and cosine distances float64 of the k nearest of each, itself left out, both (n, k).

    The libraries' own search is approximate for many items, and not the same on every machine.
    """
    n = len(directions)
    nearest, cosines = top_k(lambda rows: directions[rows] @ directions.T, n, n, k, exclude=sp.eye_array(n).tocsr())
    return nearest.astype(np.int64), np.maximum(1 - cosines.astype(np.float64), 0)


def _tsne(directions: np.ndarray, start: np.ndarray, seed: int, is_true: bool) -> np.ndarray:
    from openTSNE import TSNE
    from openTSNE.affinity import PerplexityBasedNN
    from openTSNE.nearest_neighbors import PrecomputedNeighbors

    n = len(directions)
    perplexity = min(30.0, (n - 1) / 3)
    nearest = PrecomputedNeighbors(*_neighbours(directions, min(n - 1, int(3 * perplexity))))
    affinities = PerplexityBasedNN(perplexity=perplexity, knn_index=nearest, n_jobs=1)
    # Small, as Kobak & Berens 2019 advise: only then do the forces of the space outweigh those of the start.
    layout = TSNE(perplexity=perplexity, n_jobs=1, random_state=seed).prepare_initial(
        affinities=affinities, initialization=1e-4 * start
    )
    if is_true:
        # As wide as finished layouts are (0.7 √n, measured for 400 to 3,700 items): the forces are near balance, and
        # there is no need of early exaggeration, which would tear up what people know.
        layout *= 0.7 * np.sqrt(n / (layout**2).sum(axis=1).mean())
        layout.optimize(250, momentum=0.8, inplace=True)
    else:
        layout.optimize(250, exaggeration=12, momentum=0.8, inplace=True)
        layout.optimize(500, momentum=0.8, inplace=True)
    return np.array(layout)


def _umap(directions: np.ndarray, start: np.ndarray, seed: int, is_true: bool) -> np.ndarray:
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
        min_dist=0.0,  # keeps more neighbours than the usual 0.1
        init=start.astype(np.float32),
        random_state=seed,
        n_jobs=1,
        precomputed_knn=found,
        **({"learning_rate": 0.1, "n_epochs": 200} if is_true else {}),  # settle, don't stir
    )
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "precomputed_knn", UserWarning)  # it could not land newcomers: we do
        return layout.fit_transform(_two_wide(directions))


def _pacmap(directions: np.ndarray, start: np.ndarray, seed: int, is_true: bool) -> np.ndarray:
    try:
        import pacmap
    except ImportError:
        raise SettingError("the pacmap map needs pacmap: pip install 'recsys-atlas[maps]'") from None
    log = logging.getLogger("pacmap")
    level = log.level
    log.setLevel(logging.ERROR)  # it warns that a seed was set
    try:
        return pacmap.PaCMAP(random_state=seed).fit_transform(_two_wide(directions), init=start)
    finally:
        log.setLevel(level)


LAYOUTS: dict[str, Callable[[np.ndarray, np.ndarray, int, bool], np.ndarray]] = {
    "tsne": _tsne,
    "umap": _umap,
    "pacmap": _pacmap,
}
"""(directions, start, seed, whether the start is nearly true) → places (n, 2): methods that move items step by step."""


@contextmanager
def _one_thread() -> Iterator[None]:
    """On several threads the order of adding up forces would change the last bits, and the layouts magnify them."""
    n_threads = numba.get_num_threads()
    numba.set_num_threads(1)
    try:
        with threadpool_limits(1):
            yield
    finally:
        numba.set_num_threads(n_threads)


def _with_ones(directions: np.ndarray) -> np.ndarray:
    return np.hstack([directions.astype(np.float64), np.ones((len(directions), 1))])


def _two_wide(directions: np.ndarray) -> np.ndarray:
    """A space of one dimension still has a plane: the second is flat."""
    return directions if directions.shape[1] > 1 else np.hstack([directions, np.zeros_like(directions)])
