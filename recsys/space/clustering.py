"""Clustering of items: how many clusters there are, which items they contain, and their verified names.

The number of clusters is chosen by silhouette among the clusterings that are stable when only a sample of the items is
clustered. `naming.py` describes how a name is verified; only a stable cluster gets one.
"""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable, Sequence
from typing import Literal, get_args

import numpy as np
import scipy.sparse as sp
from sklearn.cluster import HDBSCAN, KMeans
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits

from recsys.dataset.attributes import Attributes
from recsys.dataset.interactions import index_of
from recsys.errors import InputError, SettingError
from recsys.limits import next_seed
from recsys.space.axis import UNNAMED
from recsys.space.embedding import EmbeddingSpace, well_known_items
from recsys.space.evidence import ClusterEvidence, ClusteringEvidence, ClusterName, Name, TriedClustering
from recsys.space.item_clusters import NO_CLUSTER, ClusterMethod, ItemClusters
from recsys.space.naming import name_ends

Choice = Literal["auto", "kmeans", "hdbscan"]

NUMBERS = (6, 8, 10, 12, 16, 20, 24, 30)
"""Numbers of clusters that k-means tries. Fewer than six split movies into old and new at best; more than thirty labels
are not readable on a map."""
FEWEST_ITEMS = (10, 20, 40)
"""Minimum cluster sizes that HDBSCAN tries; for n > `LARGE` well-known items n / `LARGE` times as large."""
MOST_CLUSTERS = 40
"""A clustering by HDBSCAN with more clusters is dropped: so many labels are not readable."""
LEAST_MEAN = 5
"""A number of clusters with fewer well-known items per cluster than this is not tried."""
STABLE_CLUSTER = 0.6
"""Mean Jaccard index from which on a cluster is stable; below .6 it "should not be trusted" (Hennig 2007)."""
AS_GOOD = 0.9
"""Clusterings whose score reaches this share of the best score are considered equally good. The silhouette is nearly
flat over the number of clusters, and another seed changes it by up to a tenth (ML-100K, 16 clusters: .18 to .20)."""
MIN_SHARE = 0.5
"""The share of a cluster that must have the attribute it is named after, because a label is read as true of most."""
SAMPLED = 0.8
"""The share of the items in a resample."""
N_RESAMPLES = 5
N_STARTS, N_STARTS_IF_LARGE = 10, 2
HDBSCAN_DIMENSIONS = 20
"""HDBSCAN clusters after PCA to this number of dimensions. In 64 dimensions all distances are similar and density is
uninformative: on ML-100K and ML-latest-small, PCA to 20 puts 1.5 times as many items into clusters, with a greater
silhouette × share; PCA to 10 is worse on ML-1M."""
HDBSCAN_NEIGHBOURS = 3
"""`min_samples`. Smaller values put more items into clusters; with 5 and 10 silhouette × share was lower."""
LARGE = 10_000
"""With more well-known items than this, `auto` skips HDBSCAN, whose time is quadratic (4 s per fit at this size), and
k-means uses `N_STARTS_IF_LARGE` starts instead of `N_STARTS`."""
OUTER = 0.25
"""An item that is not well known joins a cluster of HDBSCAN if it is nearer to the centre than this share of its
members."""


@dataclasses.dataclass(frozen=True, eq=False)
class _Candidate:
    """One clustering of the n well-known items.

    setting     number of clusters (kmeans) or minimum cluster size (hdbscan)
    labels      (n,) int64, `NO_CLUSTER` for noise
    silhouette  mean over the clustered items
    jaccards    (n_clusters, n_resamples) Jaccard index with the most similar cluster of each resample
    """

    method: ClusterMethod
    setting: int
    labels: np.ndarray
    silhouette: float
    jaccards: np.ndarray

    @property
    def n_clusters(self) -> int:
        return len(self.jaccards)

    @property
    def stability(self) -> float:
        return float(self.jaccards.mean())

    @property
    def n_stable(self) -> int:
        return int((self.jaccards.mean(axis=1) >= STABLE_CLUSTER).sum())

    @property
    def share(self) -> float:
        return float((self.labels != NO_CLUSTER).mean())

    @property
    def is_readable(self) -> bool:
        """At least two clusters and, for hdbscan, at most `MOST_CLUSTERS`."""
        return self.n_clusters >= 2 and (self.method == "kmeans" or self.n_clusters <= MOST_CLUSTERS)

    @property
    def score(self) -> float:
        """Mean silhouette over all items; noise counts 0, like a singleton in Rousseeuw's definition."""
        return self.silhouette * self.share

    def summary(self) -> TriedClustering:
        return TriedClustering(
            method=self.method,
            setting=self.setting,
            n_clusters=self.n_clusters,
            n_stable=self.n_stable,
            silhouette=self.silhouette,
            stability=self.stability,
            share=self.share,
        )


def find_clusters(
    space: EmbeddingSpace,
    attributes: Attributes,
    method: Choice = "auto",
    *,
    numbers: Sequence[int] = NUMBERS,
    n_resamples: int = N_RESAMPLES,
    previous: ItemClusters | None = None,
    seed: int = 42,
    progress: Callable[[int, int], None] | None = None,
) -> ItemClusters:
    """Cluster the items by direction, choose the number of clusters, and name the clusters with a verified name.

    attributes  of the items, rows in the order of the space
    method      kmeans: spherical k-means (Dhillon & Modha 2001) with each of `numbers`; every item is in a cluster.
                hdbscan: Campello, Moulavi & Sander 2013, leaves of the tree, with each of `FEWEST_ITEMS`; dense groups
                only, the other items are noise.
                auto: both; with more than `LARGE` well-known items only kmeans
    numbers     numbers of clusters for k-means; those with fewer than five well-known items per cluster are not tried
    previous    clusters of an earlier model. Their method is kept instead of `method`, and of k-means their number
                instead of `numbers`. K-means starts from their members instead of at random, so that a cluster stays
                recognisable; without items in common it starts as usual. Resamples always start at random
    progress    called with the number of clusterings done and the total

    1. The well-known items are clustered with each setting. A result with fewer than two clusters is dropped, and one
       by HDBSCAN with more than `MOST_CLUSTERS`.
    2. Silhouette: mean over the clustered items, by cosine distance in all dimensions.
    3. Stability: `n_resamples` times 80 % of the items are drawn without replacement and clustered with the same
       setting. Each cluster, restricted to the sample, is compared with the most similar cluster of the sample
       (Jaccard index, |A∩B| / |A∪B|). The mean over the samples is the stability of the cluster, the mean over the
       clusters that of the clustering (Hennig 2007).
    4. Clusterings with stability below .6 are dropped (all but the most stable one if all are). The score is
       silhouette × share of items clustered, that is the mean silhouette with 0 for noise. It is nearly flat and
       favours few clusters, so clusterings that reach nine tenths of the best score are considered equally good. Of
       these the one with the most stable clusters (≥ .6) is chosen, then the greater score, then the fewer clusters.
    5. Every other item with a vector joins the cluster with the nearest centre by cosine; with hdbscan only if it is
       as near as the nearest three quarters of the members. Noise stays noise.
    6. A cluster with stability ≥ .6 gets the verified names of the direction of its centre, at most two (see
       `naming.py`). Only attributes of at least half of its well-known items are considered: the direction towards
       a few rare documentaries can contain a hundred movies that are not documentaries. Clusters with the same name
       get their next verified name in addition; those that are still equal are numbered: "Drama", "Drama (2)".

    Raises SettingError for an invalid setting, and InputError when too few items are well known or fewer than two
    clusters are found.
    """
    if method not in (*get_args(ClusterMethod), "auto"):
        raise SettingError(f"unknown method {method!r}: use {', '.join(get_args(ClusterMethod))} or auto")
    if n_resamples < 1:
        raise SettingError(f"n_resamples must be at least 1, not {n_resamples}: stability needs resamples")
    if not len(numbers) or min(numbers) < 2:
        raise SettingError(f"numbers of clusters must be 2 or more, not {list(numbers)}")
    known = well_known_items(space, attributes)
    directions = space.item_directions[known]
    start = None
    if previous is not None:
        method, numbers = previous.method, (previous.n_clusters,)
        start = _labels_before(space.item_ids[known], previous)
    ways = _ways(method, sorted(set(numbers)), len(directions))
    candidates = []
    # One thread: the order of sums would change the last bits, and with them which centre is nearest.
    with threadpool_limits(1):
        samples = _samples(len(directions), n_resamples, seed)
        for number, (how, setting) in enumerate(ways):
            candidates.append(_candidate(directions, how, setting, samples, seed, start))
            if progress is not None:
                progress(number + 1, len(ways))
        chosen = _chosen([candidate for candidate in candidates if candidate.is_readable])
        labels = _all_labels(space.item_directions, known, chosen)
        order = np.argsort(-np.bincount(labels[labels != NO_CLUSTER], minlength=chosen.n_clusters), kind="stable")
        labels = _renumbered(labels, order)
        chosen = dataclasses.replace(chosen, labels=_renumbered(chosen.labels, order), jaccards=chosen.jaccards[order])
        centres = _centres(directions, chosen.labels)
        names, verified = _names(space.item_directions, labels, centres, chosen, attributes, known, seed)
    evidence = ClusteringEvidence(
        method=chosen.method,
        setting=chosen.setting,
        n_judged=len(directions),
        n_resamples=n_resamples,
        share=chosen.share,
        stability=chosen.stability,
        clusters=_evidence(chosen, labels, verified, attributes, known),
        tried=tuple(candidate.summary() for candidate in candidates if candidate.n_clusters >= 2),
    )
    stability = tuple(float(value) for value in chosen.jaccards.mean(axis=1))
    return ItemClusters(
        chosen.method, space.item_ids, labels, names, centres, chosen.silhouette, stability, evidence, seed
    )


def silhouettes(directions: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Silhouette of each of n unit vectors (n, d) by cosine distance, (n,) float64; labels 0 … k − 1, k ≥ 2.

    (b − a) / max(a, b), with a the mean distance to the other members of the cluster and b to the nearest other
    cluster; 0 for a singleton (Rousseeuw 1987). For unit vectors Σ_j (1 − x·y_j) = m − x·Σ_j y_j, so the sums of the
    clusters suffice: n·k·d steps instead of n²·d.
    """
    sizes = np.bincount(labels).astype(np.float64)
    sums = _sums(directions, labels)
    # To all members of each cluster, the item itself (0) included. Rounding can make it negative for equal vectors.
    distance = np.maximum(sizes - directions.astype(np.float64) @ sums.T, 0)
    rows = np.arange(len(labels))
    inside = distance[rows, labels] / np.maximum(sizes[labels] - 1, 1)
    distance = distance / sizes
    distance[rows, labels] = np.inf
    nearest = distance.min(axis=1)
    widest = np.maximum(inside, nearest)
    values = np.divide(nearest - inside, widest, out=np.zeros(len(labels)), where=widest > 1e-12)
    return np.where(sizes[labels] > 1, values, 0.0)


def best_jaccards(labels: np.ndarray, others: np.ndarray, n_clusters: int) -> np.ndarray:
    """|A∩B| / |A∪B| of each cluster of `labels` with the most similar cluster of `others`, (n_clusters,) float64.

    Both (n,) over the same items, `NO_CLUSTER` for noise. A cluster without items has 0.
    """
    n_others = int(others.max(initial=NO_CLUSTER)) + 1
    if not n_others:
        return np.zeros(n_clusters)
    here, there = labels != NO_CLUSTER, others != NO_CLUSTER
    shared = np.zeros((n_clusters, n_others))
    np.add.at(shared, (labels[here & there], others[here & there]), 1)
    sizes = np.bincount(labels[here], minlength=n_clusters)[:, None]
    either = sizes + np.bincount(others[there], minlength=n_others) - shared
    result: np.ndarray = np.divide(shared, either, out=np.zeros_like(shared), where=either > 0).max(axis=1)
    return result


def _ways(method: Choice, numbers: list[int], n: int) -> list[tuple[ClusterMethod, int]]:
    ways: list[tuple[ClusterMethod, int]] = []
    if method != "hdbscan":
        ways += [("kmeans", number) for number in numbers if number * LEAST_MEAN <= n]
        if not ways:
            raise SettingError(f"{n} well-known items are too few for {numbers[0]} clusters: at most {n // LEAST_MEAN}")
    if method == "hdbscan" or (method == "auto" and n <= LARGE):
        sizes = [round(fewest * max(1.0, n / LARGE)) for fewest in FEWEST_ITEMS]
        ways += [("hdbscan", fewest) for fewest in sizes if 2 * fewest <= n]
    return ways


def _samples(n: int, n_resamples: int, seed: int) -> list[np.ndarray]:
    """Rows of each resample, ascending."""
    rng = np.random.default_rng(seed)
    return [np.sort(rng.choice(n, round(SAMPLED * n), replace=False)) for _ in range(n_resamples)]


def _candidate(
    directions: np.ndarray,
    method: ClusterMethod,
    setting: int,
    samples: list[np.ndarray],
    seed: int,
    start: np.ndarray | None,
) -> _Candidate:
    labels = _cluster(directions, method, setting, seed, start)
    n_clusters = int(labels.max()) + 1
    inside = labels != NO_CLUSTER
    if n_clusters < 2:
        return _Candidate(method, setting, labels, 0.0, np.zeros((n_clusters, len(samples))))
    jaccards = [
        best_jaccards(labels[rows], _cluster(directions[rows], method, setting, next_seed(seed, number)), n_clusters)
        for number, rows in enumerate(samples)
    ]
    silhouette = float(silhouettes(directions[inside], labels[inside]).mean())
    return _Candidate(method, setting, labels, silhouette, np.column_stack(jaccards))


def _labels_before(item_ids: np.ndarray, previous: ItemClusters) -> np.ndarray | None:
    """The cluster that each item was in, (n,), `NO_CLUSTER` for none. None unless each cluster has one of the items."""
    rows = index_of(previous.item_ids).get_indexer(index_of(item_ids))
    labels: np.ndarray = np.where(rows >= 0, previous.labels[rows], NO_CLUSTER)
    return labels if len(np.unique(labels[labels != NO_CLUSTER])) == previous.n_clusters else None


def _cluster(
    directions: np.ndarray, method: ClusterMethod, setting: int, seed: int, start: np.ndarray | None = None
) -> np.ndarray:
    """Labels (n,) int64, 0 … k − 1 without gaps, and `NO_CLUSTER`. K-means starts from the labels `start`."""
    labels = _kmeans(directions, setting, seed, start) if method == "kmeans" else _hdbscan(directions, setting)
    numbers, places = np.unique(labels[labels != NO_CLUSTER], return_inverse=True)
    compact = np.full(len(labels), NO_CLUSTER, dtype=np.int64)
    compact[labels != NO_CLUSTER] = places
    return compact if len(numbers) else np.full(len(labels), NO_CLUSTER, dtype=np.int64)


def _kmeans(directions: np.ndarray, n_clusters: int, seed: int, start: np.ndarray | None = None) -> np.ndarray:
    """Spherical k-means, started from the result of k-means, or from the centres of the items that `start` labels:
    reassign to the nearest unit centre until convergence."""
    with warnings.catch_warnings():
        # With fewer different vectors than clusters some clusters are empty and dropped.
        warnings.simplefilter("ignore", ConvergenceWarning)
        n_starts = N_STARTS if len(directions) <= LARGE else N_STARTS_IF_LARGE
        if start is None:
            labels: np.ndarray = KMeans(n_clusters, n_init=n_starts, random_state=seed).fit_predict(directions)
        else:
            labelled = start != NO_CLUSTER
            labels = (directions @ _centres(directions[labelled], start[labelled]).T).argmax(axis=1)
    for _ in range(100):
        moved = (directions @ _centres(directions, np.unique(labels, return_inverse=True)[1]).T).argmax(axis=1)
        if np.array_equal(moved, labels):
            break
        labels = moved
    return labels


def _hdbscan(directions: np.ndarray, fewest: int) -> np.ndarray:
    """Labels of HDBSCAN on the leading principal components, scaled to length 1 again."""
    n_dimensions = min(HDBSCAN_DIMENSIONS, *directions.shape)
    with np.errstate(invalid="ignore"):  # explained variance is 0 / 0 when all directions are equal
        points = PCA(n_dimensions, svd_solver="full").fit_transform(directions.astype(np.float64))
    points /= np.maximum(np.linalg.norm(points, axis=1, keepdims=True), 1e-12)
    model = HDBSCAN(
        min_cluster_size=fewest,
        min_samples=HDBSCAN_NEIGHBOURS,
        cluster_selection_method="leaf",
        n_jobs=1,
        copy=True,
    )
    labels: np.ndarray = model.fit(points).labels_
    return labels


def _chosen(candidates: list[_Candidate]) -> _Candidate:
    if not candidates:
        raise InputError(f"no clusters found: no setting gave between two and {MOST_CLUSTERS} clusters")
    stable = [candidate for candidate in candidates if candidate.stability >= STABLE_CLUSTER]
    most = max(candidate.stability for candidate in candidates)
    allowed = stable or [candidate for candidate in candidates if candidate.stability == most]
    best = max(candidate.score for candidate in allowed)
    threshold = min(AS_GOOD * best, best)  # a silhouette can be negative
    as_good = [candidate for candidate in allowed if candidate.score >= threshold]
    return max(as_good, key=lambda candidate: (candidate.n_stable, candidate.score, -candidate.n_clusters))


def _all_labels(item_directions: np.ndarray, known: np.ndarray, chosen: _Candidate) -> np.ndarray:
    """(n_items,) int32: the well-known items as clustered, the others by nearest centre."""
    centres = _centres(item_directions[known], chosen.labels)
    cosines = item_directions @ centres.T
    labels: np.ndarray = cosines.argmax(axis=1).astype(np.int32)
    labels[~item_directions.any(axis=1)] = NO_CLUSTER
    if chosen.method == "hdbscan":
        along = cosines[known]
        least = [np.quantile(along[chosen.labels == number, number], OUTER) for number in range(chosen.n_clusters)]
        labels[cosines.max(axis=1) < np.array(least)[labels]] = NO_CLUSTER
    labels[known] = chosen.labels
    return labels


def _renumbered(labels: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Labels with cluster `order[0]` renumbered to 0, and so on."""
    new = np.empty(len(order) + 1, dtype=labels.dtype)
    new[order] = np.arange(len(order))
    new[NO_CLUSTER] = NO_CLUSTER
    result: np.ndarray = new[labels]
    return result


def _sums(directions: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Sum of the directions of each cluster, (n_clusters, d) float64."""
    rows = np.flatnonzero(labels != NO_CLUSTER)
    shape = (int(labels.max()) + 1, len(labels))
    is_member = sp.csr_matrix((np.ones(len(rows)), (labels[rows], rows)), shape=shape)
    result: np.ndarray = is_member @ directions.astype(np.float64)
    return result


def _centres(directions: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Mean direction of each cluster, (n_clusters, d) float32 of length 1."""
    sums = _sums(directions, labels)
    result: np.ndarray = (sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-12)).astype(np.float32)
    return result


def _names(
    item_directions: np.ndarray,
    labels: np.ndarray,
    centres: np.ndarray,
    chosen: _Candidate,
    attributes: Attributes,
    known: np.ndarray,
    seed: int,
) -> tuple[tuple[str, ...], list[list[Name]]]:
    """The name of each cluster, unique except `UNNAMED`; and its verified names, whether it is stable or not."""
    coordinates = item_directions.astype(np.float64) @ centres.T.astype(np.float64)
    members = [known & (labels == number) for number in range(len(centres))]
    of_most = np.array([attributes.carries[inside].mean(axis=0) >= MIN_SHARE for inside in members])

    def common_in(number: int, names: list[Name]) -> list[Name]:
        return [name for name in names if of_most[number, _column(attributes, name)]]

    # Only attributes that are common in some cluster are tested, so that rare names do not displace a common one.
    tested = np.asarray(of_most.any(axis=0))
    ends = name_ends(coordinates, attributes.take(tested), known, seed)
    verified = [common_in(number, high) for number, (_, high) in enumerate(ends)]
    stable = chosen.jaccards.mean(axis=1) >= STABLE_CLUSTER
    words = [_words(names) if is_stable else () for names, is_stable in zip(verified, stable, strict=True)]
    for same in _same_words(words):
        taken = {word.casefold() for word in words[same[0]]}
        others = tested & np.array([name.casefold() not in taken for name in attributes.names], dtype=bool)
        again = name_ends(coordinates, attributes.take(others), known, seed)
        for number in same:
            verified[number] += common_in(number, again[number][1])[:1]
            words[number] = _words(verified[number])
    titles = [", ".join(some) if some else UNNAMED for some in words]
    for same in _same_words(words):
        for place, number in enumerate(same[1:], start=2):
            titles[number] += f" ({place})"
    return tuple(titles), verified


def _words(names: list[Name]) -> tuple[str, ...]:
    """The attributes without repetition: a genre and a tag can differ in case only."""
    return tuple({name.attribute.casefold(): name.attribute for name in reversed(names)}.values())[::-1]


def _same_words(words: list[tuple[str, ...]]) -> list[list[int]]:
    """Groups of two or more clusters with the same words in any order."""
    groups: dict[frozenset[str], list[int]] = {}
    for number, some in enumerate(words):
        if some:
            groups.setdefault(frozenset(word.casefold() for word in some), []).append(number)
    return [numbers for numbers in groups.values() if len(numbers) > 1]


def _column(attributes: Attributes, name: Name) -> int:
    """Column of a name; the kind matters too, because "1990s" can be a tag as well as a decade."""
    columns = zip(attributes.names, attributes.kinds, strict=True)
    return next(at for at, column in enumerate(columns) if column == (name.attribute, name.kind))


def _evidence(
    chosen: _Candidate, labels: np.ndarray, verified: list[list[Name]], attributes: Attributes, known: np.ndarray
) -> tuple[ClusterEvidence, ...]:
    clusters = []
    for number, (jaccards, names) in enumerate(zip(chosen.jaccards, verified, strict=True)):
        members = known & (labels == number)
        stability = float(jaccards.mean())
        columns = [_column(attributes, name) for name in names]
        clusters.append(
            ClusterEvidence(
                size=int((labels == number).sum()),
                n_judged=int(members.sum()),
                stability=stability,
                resamples=tuple(float(value) for value in jaccards),
                is_stable=stability >= STABLE_CLUSTER,
                names=tuple(
                    ClusterName(**name.to_json(), n_inside=int(attributes.carries[members, column].sum()))
                    for name, column in zip(names, columns, strict=True)
                ),
            )
        )
    return tuple(clusters)
