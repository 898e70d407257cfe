"""How good a representation of items is, for any vectors: learned, counted from words, or random.

Knows no files, no screen and no plots, and not where the vectors come from. Everywhere here

    vectors  (n_items, d) floats, a numpy array or scipy CSR; a row of zeros says nothing and is left out of every mean
    judged   (n_items,) bool: the well-known items, which alone ask and are found
    carries  (n_items, m) bool: which items carry which attribute, such as a genre

and vectors are compared by cosine, that is after scaling to length 1, unless a function says otherwise. What cannot
be said is NaN. The same seed gives the same numbers.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import scipy.sparse as sp
from scipy.spatial import KDTree
from scipy.stats import rankdata
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.metrics import normalized_mutual_info_score, silhouette_score
from threadpoolctl import threadpool_limits

from recsys.dataset.catalog import NO_GENRE, Catalog
from recsys.dataset.titles import search_key
from recsys.errors import InputError, SettingError
from recsys.topk import top_k

Vectors: TypeAlias = np.ndarray | sp.csr_matrix

N_BINS = 20
"""Bins of popularity, equally full, within which chance draws."""
N_FOLDS = 5
PENALTIES = np.logspace(-3, 3, 9)
"""Ridge penalties to choose from, in mean eigenvalues of the training vectors, so that their scale does not matter."""
NARROW, REDUCED = 200, 64
"""Clusters are sought in at most `NARROW` dimensions; what is wider or sparse is first reduced to `REDUCED`."""
N_SHUFFLES = 10
LARGEST_GRAM, LEADING = 4000, 512
"""Sparse vectors with more rows and columns than this are judged by their leading singular values only."""
JITTER = 1e-6
"""Noise that sets equal points apart, in standard deviations: far below any distance that means something."""
N_VOTERS = 30
"""Neighbours that vote on which sample a point is from."""


# ---------------------------------------------------------------------------------------------------- neighbourhoods


def neighbour_rows(vectors: Vectors, judged: np.ndarray, k: int = 10) -> tuple[np.ndarray, np.ndarray]:
    """The k judged items nearest by cosine to each judged item, itself left out, nearest first; exact.

    Rows of zeros neither ask nor are found. Equal cosines come in an order that is random, another for each item,
    and always the same. Returns rows (m,) int64, those that ask, rising, and neighbours (m, k') int32, both as rows
    of `vectors`, with k' = min(k, m − 1).
    """
    if k < 1:
        raise SettingError(f"k must be at least 1, not {k}")
    rows, directions = _judged_directions(vectors, judged)
    n = len(rows)
    k = min(k, n - 1)
    if k < 1:
        return rows, np.empty((n, 0), dtype=np.int32)
    # Most titles share no word, most genres are shared by many: with ties in item order everyone's neighbours would
    # be the first movies of the catalogue, which are famous ones. So the items sit down in a random circle, and
    # each looks round it from its own place: all the others in turn, itself never.
    circle = np.random.default_rng(0).permutation(n)
    seated = directions[circle]
    across = seated.T.tocsr() if not isinstance(seated, np.ndarray) else seated.T

    def cosines(block: slice) -> np.ndarray:
        seats = (np.arange(block.start, block.stop)[:, None] + np.arange(1, n)) % n
        return np.take_along_axis(_dense(seated[block] @ across).astype(np.float32), seats, axis=1)

    steps, _ = top_k(cosines, n, n - 1, k)
    neighbours = np.empty((n, k), dtype=np.int32)
    neighbours[circle] = rows[circle[(np.arange(n)[:, None] + 1 + steps) % n]]
    return rows, neighbours


def retrieval(
    vectors: Vectors, carries: np.ndarray, n_ratings: np.ndarray, judged: np.ndarray, k: int = 10, seed: int = 42
) -> dict[str, float]:
    """Whether an item's neighbours carry what it carries: means over the judged items with at least one attribute.

    precision       share of the k neighbours that share at least one attribute
    jaccard         mean over the k neighbours of |A ∩ B| / |A ∪ B|
    chance          precision, and
    chance_jaccard  jaccard, where each neighbour is replaced by a random judged item, not the one that asks, from its
                    bin of popularity (`N_BINS` quantile bins of n_ratings): what popularity alone would give
    n_queries       items that asked

    n_ratings  (n_items,)
    """
    carries, n_ratings = _attributes(carries, judged), np.asarray(n_ratings)
    if n_ratings.shape != judged.shape:
        raise InputError(f"rating counts of shape {n_ratings.shape} do not fit {len(judged)} items")
    rows, neighbours = neighbour_rows(vectors, judged, k)
    asks = carries[rows].any(axis=1)
    rows, neighbours = rows[asks], neighbours[asks]
    precision, jaccard = _shared(carries, rows, neighbours)
    substitutes = _equally_popular(rows, neighbours, n_ratings, np.flatnonzero(judged), seed)
    chance, chance_jaccard = _shared(carries, rows, substitutes)
    return {
        "precision": precision,
        "jaccard": jaccard,
        "chance": chance,
        "chance_jaccard": chance_jaccard,
        "n_queries": len(rows) if neighbours.shape[1] else 0,
    }


def overlap(a: Vectors, b: Vectors, judged: np.ndarray, k: int = 10) -> float:
    """Mean share of an item's k neighbours that two representations of the same items have in common, 0 … 1.

    Over judged items with a vector in both. Two seeds of one learner: its stability. Two random ones: k / (m − 1).
    """
    if a.shape[0] != b.shape[0]:
        raise InputError(f"representations of {a.shape[0]} and {b.shape[0]} items cannot be compared")
    rows_a, near_a = neighbour_rows(a, judged, k)
    rows_b, near_b = neighbour_rows(b, judged, k)
    _, in_a, in_b = np.intersect1d(rows_a, rows_b, assume_unique=True, return_indices=True)
    width = max(near_a.shape[1], near_b.shape[1])
    if not len(in_a) or not width:
        return np.nan
    common = (near_a[in_a][:, :, None] == near_b[in_b][:, None, :]).sum(axis=(1, 2))
    return float(common.mean() / width)


# ------------------------------------------------------------------------------------------------------------ probes


def probe_auc(vectors: Vectors, carries: np.ndarray, judged: np.ndarray, seed: int = 42) -> np.ndarray:
    """How well a linear probe tells who carries an attribute, on items it has not seen: AUC of each, (m,) float64.

    The probe is ridge regression of the labels on the directions: w = (XᵀX + λI)⁻¹ Xᵀy, X and y centred, λ chosen
    for each attribute by exact leave-one-out within the training items (PRESS, Allen 1974). 5 folds, the same for
    all attributes, stratified by each item's rarest attribute; one AUC over the held-out values of all folds
    (Alain & Bengio 2017 for the idea of a probe). NaN where fewer than 2 judged items carry or lack the attribute.

    Costs an eigendecomposition of min(d, items) squared a fold; sparse rows of d < items are made dense. Where that is
    more than `LARGEST_GRAM` squared, the probe sees the leading `REDUCED` dimensions (truncated SVD) instead.
    """
    carries = _attributes(carries, judged)
    rows, directions = _judged_directions(vectors, judged)
    carried = carries[rows]
    n_in, n_out = carried.sum(axis=0), (~carried).sum(axis=0)
    told = (n_in >= 2) & (n_out >= 2)
    areas = np.full(carries.shape[1], np.nan)
    if not told.any():
        return areas
    folds = _folds(_rarest(carried, n_in), seed)
    # Values of different folds are compared, so they must be alike in place and scale. The training mean is low where
    # a fold happens to hold many carriers, and a fold with a high penalty has small values: left in, either pushes
    # the AUC of vectors that say nothing below one half.
    values, _, spread = _held_out(directions, carried[:, told].astype(np.float64), folds)
    ranks = rankdata(np.divide(values, spread, out=np.zeros_like(values), where=spread > 0), axis=0)
    n_in, n_out = n_in[told], n_out[told]
    areas[told] = ((ranks * carried[:, told]).sum(axis=0) - n_in * (n_in + 1) / 2) / (n_in * n_out)
    return areas


def probe_r2(vectors: Vectors, targets: np.ndarray, judged: np.ndarray, seed: int = 42) -> float:
    """Held-out R² of the probe of `probe_auc` for a number: 1 − Σ (y − ŷ)² / Σ (y − ȳ)², over all 5 folds.

    targets  (n_items,) floats such as the mean rating or the year; NaN is left out. Below 0: worse than the mean.
    NaN for a constant target or fewer items than folds.
    """
    targets = np.asarray(targets, dtype=np.float64)
    if targets.shape != judged.shape:
        raise InputError(f"targets of shape {targets.shape} do not fit {len(judged)} items")
    rows, directions = _judged_directions(vectors, judged & ~np.isnan(targets))
    y = targets[rows]
    if len(rows) < N_FOLDS or np.ptp(y) == 0:
        return np.nan
    values, means, _ = _held_out(directions, y[:, None], _folds(np.zeros(len(rows), dtype=np.int64), seed))
    return float(1 - ((y - (values + means)[:, 0]) ** 2).sum() / ((y - y.mean()) ** 2).sum())


# ---------------------------------------------------------------------------------------------------------- clusters


def clustering(
    vectors: Vectors, carries: np.ndarray, judged: np.ndarray, n_clusters: int = 18, seed: int = 42
) -> dict[str, float]:
    """How clearly the judged items fall into clusters, and whether these are the genres.

    k-means on directions; what is sparse or wider than `NARROW` is first reduced to `REDUCED` dimensions (truncated
    SVD) and scaled to length 1 again.

    silhouette  mean silhouette of those directions by cosine distance (Rousseeuw 1987), −1 … 1
    nmi         normalized mutual information of cluster and main attribute, which is the rarest (among judged items)
                that an item carries; items without any are left out. 0 … 1
    chance_nmi  the same with the cluster labels shuffled: mean of `N_SHUFFLES`. Above 0: some agree by luck
    """
    carries = _attributes(carries, judged)
    rows, directions = _judged_directions(vectors, judged)
    points = _compact(directions, seed)
    there = np.linalg.norm(points, axis=1) > 1e-9  # a row outside the leading dimensions has no direction left
    rows, points = rows[there], unit(points[there])
    n_clusters = min(n_clusters, len(np.unique(points.round(6), axis=0)) if len(rows) else 0)
    result = {"silhouette": np.nan, "nmi": np.nan, "chance_nmi": np.nan}
    if n_clusters < 2:
        return result
    with threadpool_limits(limits=1, user_api="openmp"):  # threads add up centres in any order, so bits would differ
        labels = KMeans(n_clusters, n_init=10, random_state=seed).fit_predict(points)
    if len(np.unique(labels)) < len(rows):
        result["silhouette"] = float(silhouette_score(points, labels, metric="cosine"))
    known = carries[rows].any(axis=1)
    if known.any():
        labels = labels[known]
        genre = _rarest(carries[rows[known]], carries[judged].sum(axis=0))
        rng = np.random.default_rng(seed)
        result["nmi"] = float(normalized_mutual_info_score(genre, labels))
        result["chance_nmi"] = float(
            np.mean([normalized_mutual_info_score(genre, rng.permutation(labels)) for _ in range(N_SHUFFLES)])
        )
    return result


# ------------------------------------------------------------------------------------------------------------- shape


def effective_rank(vectors: Vectors) -> float:
    """How many dimensions are in use: exp(−Σ p log p), p the singular values over their sum (Roy & Vetterli 2007).

    Of the vectors as they are: neither centred nor scaled, long ones count more. 1 for rank one, d for the identity.
    Sparse vectors with more than `LARGEST_GRAM` rows and columns: of the `LEADING` singular values alone, which
    is less than the whole (randomized truncated SVD).
    """
    values = _spectrum(vectors)[1]
    if not values.sum() > 0:
        return np.nan
    shares = values[values > 0] / values.sum()
    return float(np.exp(-(shares * np.log(shares)).sum()))


def isotropy(vectors: Vectors) -> float:
    """Whether the directions point everywhere alike: min Z(c) / max Z(c), Z(c) = Σᵢ exp(c·vᵢ), 0 … 1, 1 is even.

    Mu & Viswanath 2018: c runs over the eigenvectors of VᵀV, V the vectors at length 1. An eigenvector has no sign,
    so both are taken. All in one direction: e⁻². Large sparse vectors: the leading eigenvectors alone, as in
    `effective_rank`.
    """
    directions = unit(vectors)
    directions = directions[lengths(directions) > 0]
    if directions.shape[0] == 0:
        return np.nan
    left, values = _spectrum(directions)
    along = left * values  # c·vᵢ for every item and eigenvector
    sums = np.concatenate([np.exp(along).sum(axis=0), np.exp(-along).sum(axis=0)])
    if len(values) < directions.shape[1] and not _is_large(directions):
        sums = np.append(sums, directions.shape[0])  # eigenvectors that no item has a part in: exp(0) each
    return float(sums.min() / sums.max())


def linear_cka(a: np.ndarray, b: np.ndarray) -> float:
    """Likeness of two representations whatever their rotation: ‖AᵀB‖² / (‖AᵀA‖ ‖BᵀB‖), columns centred, 0 … 1.

    a, b  (n, d) and (n, d') dense, the same items in the rows. Kornblith et al. 2019.
    """
    if a.shape[0] != b.shape[0]:
        raise InputError(f"representations of {a.shape[0]} and {b.shape[0]} items cannot be compared")
    a, b = (np.asarray(v, dtype=np.float64) for v in (a, b))
    a, b = a - a.mean(axis=0), b - b.mean(axis=0)
    size = np.linalg.norm(a.T @ a) * np.linalg.norm(b.T @ b)
    return float(np.linalg.norm(a.T @ b) ** 2 / size) if size > 0 else np.nan


# ------------------------------------------------------------------------------------------------------- divergences


def divergence(a: Vectors, b: Vectors, k: int = 5, n_components: int = 8, seed: int = 42) -> dict[str, float]:
    """How far apart two samples of vectors lie, such as users and items of one space; in nats, 0 is the same.

    Of the directions, projected on the first `n_components` principal components of both samples together: the
    estimators are badly biased in many dimensions. A hidden difference in the other dimensions is not seen.

    kl_ab, kl_ba  D(a‖b), D(b‖a) by `knn_kl`; estimates, they may fall below 0. Samples that share their rows are not
                  independent, and fall further
    js            Jensen–Shannon divergence, 0 … ln 2: samples are drawn to equal size, each point's p = (n + ½)/(K + 1)
                  with n of its K = `N_VOTERS` nearest other points from a; ½ E_a[log 2p] + ½ E_b[log 2(1 − p)],
                  clipped. It errs low: by about 1 / 2K for equal samples (clipped to 0) and for disjoint ones
    js_control    the same for two random halves of those points, not clipped: near 0, a little below, or the estimate
                  is no good

    a, b  (n, d), (m, d). Raises InputError where a sample has no more than k directions.
    """
    if a.shape[1] != b.shape[1]:
        raise InputError(f"vectors of {a.shape[1]} and {b.shape[1]} dimensions lie in different spaces")
    kept = [u[lengths(u) > 0] for u in (unit(a), unit(b))]
    n_a, n_b = (u.shape[0] for u in kept)
    if min(n_a, n_b) <= k:
        raise InputError(f"samples of {n_a} and {n_b} vectors are too few for the {k}th neighbour")
    pooled = sp.vstack([sp.csr_matrix(u) for u in kept], "csr") if any(map(sp.issparse, kept)) else np.vstack(kept)
    rng = np.random.default_rng(seed)
    points = _principal(pooled, n_components, seed)
    points = points + rng.normal(scale=JITTER * (points.std() or 1.0), size=points.shape)
    near_a, near_b = points[:n_a], points[n_a:]
    n = min(n_a, n_b)
    both = np.vstack([near_a[rng.permutation(n_a)[:n]], near_b[rng.permutation(n_b)[:n]]])
    voters = _others(both, min(N_VOTERS, 2 * n - 1))
    from_a = np.arange(2 * n) < n
    return {
        "kl_ab": knn_kl(near_a, near_b, k),
        "kl_ba": knn_kl(near_b, near_a, k),
        "js": float(np.clip(_vote(voters, from_a), 0, np.log(2))),
        "js_control": _vote(voters, rng.permutation(from_a)),
    }


def knn_kl(a: np.ndarray, b: np.ndarray, k: int = 5) -> float:
    """Kullback–Leibler divergence D(P‖Q) in nats from samples a (n, d) of P and b (m, d) of Q.

    d/n · Σᵢ log(νₖ(xᵢ) / ρₖ(xᵢ)) + log(m / (n − 1)), with ρₖ the distance of xᵢ to its kth neighbour in a, itself left
    out, and νₖ that to its kth neighbour in b (Wang, Kulkarni & Verdú 2009). Euclidean; points as they are. Errs low
    where a reaches far beyond the points of b.
    Raises InputError where points are too few, or so many are equal that a distance is 0.
    """
    a, b = (np.asarray(points, dtype=np.float64) for points in (a, b))
    if k < 1 or len(a) <= k or len(b) < k:
        raise InputError(f"samples of {len(a)} and {len(b)} points have no {k}th neighbour")
    own = KDTree(a).query(a, k=[k + 1])[0].ravel()  # the nearest is the point itself
    other = KDTree(b).query(a, k=[k])[0].ravel()
    if not (own.all() and other.all()):
        raise InputError("more than k points are equal: set them apart by a little noise")
    return float(a.shape[1] * np.mean(np.log(other / own)) + np.log(len(b) / (len(a) - 1)))


# --------------------------------------------------------------------------------------------------------- baselines


def baselines(catalog: Catalog, matrix: sp.csr_matrix, n_factors: int = 64, seed: int = 42) -> dict[str, Vectors]:
    """Representations that anyone has without learning, to hold a learned one against; float32, one row an item.

    matrix  CSR (n_users, n_items), columns in the catalogue's order; a stored entry is a rating, whatever its value

    genres (one-hot)              dense
    titles (bag of words)         CSR, counts of the title's words: no case, accents or leading article, no year
    titles, genres, tags (TF-IDF) CSR, those words and whole genres and tags, rare ones weighing more
    ratings (raw rows)            CSR (n_items, n_users), 1 where a user rated the item
    ratings (PCA)                 dense, those rows centred, on their first `n_factors` principal components
    random                        dense, normal noise: what nothing scores
    """
    n_items = len(catalog)
    if matrix.shape[1] != n_items:
        raise InputError(f"a matrix of {matrix.shape[1]} items does not fit a catalogue of {n_items}")
    titles = [search_key(title).split() for title in catalog.items["title"]]
    genres = [[f"genre:{g}" for g in row if g.casefold() not in NO_GENRE] for row in catalog.items["genres"]]
    tags = [[f"tag:{tag}" for tag in sorted({tag.casefold() for tag in row})] for row in catalog.items["tags"]]
    every = [[*words, *g, *t] for words, g, t in zip(titles, genres, tags, strict=True)]
    rated = sp.csr_matrix(matrix.T, dtype=np.float32)
    rated = sp.csr_matrix((np.ones_like(rated.data), rated.indices, rated.indptr), shape=rated.shape)
    return {
        "genres (one-hot)": _dense(_counts(genres)),
        "titles (bag of words)": _counts(titles),
        "titles, genres, tags (TF-IDF)": _counts(every, TfidfVectorizer),
        "ratings (raw rows)": rated,
        "ratings (PCA)": _principal(rated, n_factors, seed).astype(np.float32),
        "random": np.random.default_rng(seed).standard_normal((n_items, n_factors)).astype(np.float32),
    }


# ------------------------------------------------------------------------------------------------------------- parts


def _dense(vectors: Vectors) -> np.ndarray:
    return vectors.toarray() if not isinstance(vectors, np.ndarray) else vectors


def lengths(vectors: Vectors) -> np.ndarray:
    """The length of each row, (n,)."""
    if isinstance(vectors, np.ndarray):
        return np.linalg.norm(vectors, axis=1)
    return np.sqrt(np.asarray(vectors.multiply(vectors).sum(axis=1)).ravel())


def unit(vectors: Vectors) -> Vectors:
    """Rows scaled to length 1, float64, CSR where they were sparse; rows of zeros stay."""
    if vectors.ndim != 2:
        raise InputError(f"vectors of shape {vectors.shape} are not one row an item")
    vectors = sp.csr_matrix(vectors, dtype=np.float64) if sp.issparse(vectors) else np.asarray(vectors, np.float64)
    if not np.isfinite(vectors.data if sp.issparse(vectors) else vectors).all():
        raise InputError("vectors hold values that are not finite")
    norms = lengths(vectors)
    scale = np.divide(1.0, norms, out=np.zeros_like(norms), where=norms > 0)
    return sp.csr_matrix(sp.diags(scale) @ vectors) if sp.issparse(vectors) else vectors * scale[:, None]


def _judged_directions(vectors: Vectors, judged: np.ndarray) -> tuple[np.ndarray, Vectors]:
    """Rows (m,) int64 of the judged items that have a direction, and these directions (m, d) float64."""
    if judged.shape != (vectors.shape[0],) or judged.dtype != bool:
        raise InputError(
            f"judged must be a bool for each of {vectors.shape[0]} items, not {judged.dtype} {judged.shape}"
        )
    chosen = np.flatnonzero(judged)
    directions = unit(vectors[chosen])
    there = lengths(directions) > 0
    return chosen[there], directions[there]


def _attributes(carries: np.ndarray, judged: np.ndarray) -> np.ndarray:
    carries = np.asarray(carries, dtype=bool)
    if carries.ndim != 2 or len(carries) != len(judged):
        raise InputError(f"attributes of shape {carries.shape} do not fit {len(judged)} items")
    return carries


def _rarest(carried: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """The rarest attribute of each row, by `counts` (m,), the first of equals; −1 for none: (n,) int64."""
    if not carried.shape[1]:
        return np.full(len(carried), -1)
    weights = np.where(carried, counts.astype(np.float64), np.inf)
    return np.where(carried.any(axis=1), weights.argmin(axis=1), -1)


def _shared(carries: np.ndarray, rows: np.ndarray, neighbours: np.ndarray) -> tuple[float, float]:
    """Share of pairs with a common attribute, and the mean Jaccard index; every row carries something."""
    if not neighbours.size:
        return np.nan, np.nan
    own, shared, jaccard = carries[rows], 0.0, 0.0
    for column in neighbours.T:  # one rank at a time keeps memory at one row of attributes an item
        other = carries[column]
        common = (own & other).sum(axis=1)
        shared += (common > 0).mean()
        jaccard += (common / (own | other).sum(axis=1)).mean()
    return float(shared / neighbours.shape[1]), float(jaccard / neighbours.shape[1])


def _equally_popular(
    rows: np.ndarray, neighbours: np.ndarray, n_ratings: np.ndarray, judged_rows: np.ndarray, seed: int
) -> np.ndarray:
    """A random judged item in the bin of popularity of each neighbour, never the item that asks; shaped alike."""
    if not neighbours.size:
        return neighbours
    counts = n_ratings[judged_rows]
    edges = np.quantile(counts, np.arange(1, N_BINS) / N_BINS)
    bin_of = np.searchsorted(edges, n_ratings, side="right")
    order = np.argsort(bin_of[judged_rows], kind="stable")
    members, bins = judged_rows[order], bin_of[judged_rows][order]
    first = np.searchsorted(bins, np.arange(N_BINS))
    size = np.bincount(bins, minlength=N_BINS)
    place = np.zeros(len(n_ratings), dtype=np.int64)  # of each judged item within `members`
    place[members] = np.arange(len(members))
    target = bin_of[neighbours]
    asks_here = bin_of[rows][:, None] == target  # the bin also holds the neighbour, so one is always left to draw
    drawn = first[target] + np.random.default_rng(seed).integers(size[target] - asks_here)
    drawn += asks_here & (drawn >= place[rows][:, None])
    return members[drawn]


def _folds(strata: np.ndarray, seed: int) -> np.ndarray:
    """The fold of each row, (n,) int: each stratum is dealt out evenly, in random order."""
    shuffled = np.random.default_rng(seed).permutation(len(strata))
    order = shuffled[np.argsort(strata[shuffled], kind="stable")]
    folds = np.empty(len(strata), dtype=np.int64)
    folds[order] = np.arange(len(strata)) % N_FOLDS
    return folds


def _held_out(directions: Vectors, targets: np.ndarray, folds: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Ridge predictions for the rows of each fold from those of the others.

    directions (n, d), targets (n, m). Returns the predictions without the mean of the training targets, these means,
    and the standard deviations of the same probe's values on its training rows, all (n, m). In the basis of the
    training vectors' principal axes all targets and penalties share one eigendecomposition a fold; it is taken of
    the smaller of XᵀX (d, d) and XXᵀ (n, n).
    """
    if min(directions.shape) > LARGEST_GRAM:
        directions = _compact(directions, seed=0)
    wide = directions.shape[1] > len(folds) * (1 - 1 / N_FOLDS)
    table = _dense(directions @ directions.T) if wide else _dense(directions)
    values, means, spread = (np.zeros_like(targets) for _ in range(3))
    for fold in range(N_FOLDS):
        test = np.flatnonzero(folds == fold)
        train = np.flatnonzero(folds != fold)
        if not len(test) or not len(train):
            continue
        known, asked, squares = (_kernel_axes if wide else _column_axes)(table, train, test)
        y = targets[train]
        means[test] = y.mean(axis=0)
        if not len(squares):  # all training vectors are alike
            continue
        y = y - y.mean(axis=0)
        along = known.T @ y
        penalties = PENALTIES * squares.mean()
        errors = []
        for penalty in penalties:
            residual = y - known @ (along / (squares + penalty)[:, None])
            leverage = 1 / len(train) + known**2 @ (1 / (squares + penalty))  # the first is the intercept's
            errors.append(((residual / np.maximum(1 - leverage, 1e-9)[:, None]) ** 2).sum(axis=0))
        best = penalties[np.argmin(errors, axis=0)]
        weights = along / (squares[:, None] + best)
        values[test] = asked @ weights
        spread[test] = (known @ weights).std(axis=0)
    return values, means, spread


def _column_axes(x: np.ndarray, train: np.ndarray, test: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Training and test rows of x (n, d) on the principal axes of the training rows, and their squared lengths."""
    known = x[train]
    centre = known.mean(axis=0)
    known = known - centre
    squares, axes = _eigen(known.T @ known, len(train))
    return known @ axes, (x[test] - centre) @ axes, squares


def _kernel_axes(kernel: np.ndarray, train: np.ndarray, test: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The same from the inner products of all rows, (n, n)."""
    known, asked = kernel[np.ix_(train, train)], kernel[np.ix_(test, train)]
    centre = known.mean(axis=0)
    squares, axes = _eigen(known - centre - centre[:, None] + centre.mean(), len(train))
    # Centring would also take a constant from each row of `asked`, but every axis sums to 0.
    return axes * np.sqrt(squares), (asked - centre) @ axes / np.sqrt(squares), squares


def _eigen(gram: np.ndarray, before: float = 0) -> tuple[np.ndarray, np.ndarray]:
    """Eigenvalues above rounding error, and their eigenvectors in columns; `before` is the trace before centring."""
    values, axes = np.linalg.eigh(gram)
    kept = values > max(values.max(initial=0), before) * len(gram) * np.finfo(np.float64).eps
    return values[kept], axes[:, kept]


def _is_large(vectors: Vectors) -> bool:
    return sp.issparse(vectors) and min(vectors.shape) > LARGEST_GRAM


def _spectrum(vectors: Vectors) -> tuple[np.ndarray, np.ndarray]:
    """Left singular vectors (n, r) and singular values (r,) above rounding error, not centred; see `effective_rank`."""
    n, d = vectors.shape
    if not sp.issparse(vectors):  # the Gram matrix would be faster, and lose half the digits
        left, values, _ = np.linalg.svd(np.asarray(vectors, np.float64), full_matrices=False)
        kept = values > values.max(initial=0) * max(n, d) * np.finfo(np.float64).eps
        return left[:, kept], values[kept]
    vectors = sp.csr_matrix(vectors, dtype=np.float64)
    if _is_large(vectors):
        svd = TruncatedSVD(LEADING, random_state=0)
        scores = svd.fit_transform(vectors)
        return scores / svd.singular_values_, svd.singular_values_
    if n <= d:
        squares, left = _eigen(_dense(vectors @ vectors.T))
        return left, np.sqrt(squares)
    squares, axes = _eigen(_dense(vectors.T @ vectors))
    values = np.sqrt(squares)
    return vectors @ axes / values, values


def _compact(directions: Vectors, seed: int) -> np.ndarray:
    """Dense vectors narrow enough to be clustered."""
    n, d = directions.shape
    if (d <= NARROW and not sp.issparse(directions)) or min(n, d) <= REDUCED:
        return _dense(directions)
    return TruncatedSVD(REDUCED, random_state=seed).fit_transform(directions)


def _principal(vectors: Vectors, n: int, seed: int) -> np.ndarray:
    """Vectors on their first n principal components, or as many as there are; sparse ones stay so on the way."""
    n = min(n, *vectors.shape)
    if n == 0:
        return np.zeros((vectors.shape[0], 0))
    if not sp.issparse(vectors) or n == min(vectors.shape):
        return PCA(n, svd_solver="full").fit_transform(_dense(vectors).astype(np.float64))
    return PCA(n, svd_solver="arpack", random_state=seed).fit_transform(vectors.astype(np.float64))


def _others(points: np.ndarray, k: int) -> np.ndarray:
    """The k points nearest to each, itself left out: (n, k) int64. No two points may be equal."""
    return KDTree(points).query(points, k=k + 1)[1][:, 1:]


def _vote(voters: np.ndarray, from_a: np.ndarray) -> float:
    """The Jensen–Shannon divergence of `divergence` from each point's voters (n, K), not clipped."""
    p = (from_a[voters].sum(axis=1) + 0.5) / (voters.shape[1] + 1)
    return float((np.log(2 * p[from_a]).mean() + np.log(2 * (1 - p[~from_a])).mean()) / 2)


def _counts(tokens: list[list[str]], vectorizer: type = CountVectorizer) -> sp.csr_matrix:
    """Documents of ready tokens × vocabulary, CSR float32; one empty column where there is no token at all."""
    if not any(tokens):
        return sp.csr_matrix((len(tokens), 1), dtype=np.float32)
    return sp.csr_matrix(vectorizer(analyzer=list, dtype=np.float32).fit_transform(tokens))
