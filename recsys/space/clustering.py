"""Clusters: which movies lie together, how many such groups there are, and what they are truly called.

The number of clusters is chosen by silhouette among those that come back when only some of the movies are clustered.
What makes a name true is said in `naming.py`; a cluster carries one only if it is stable itself.
"""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable, Sequence
from typing import Any, Literal, get_args

import numpy as np
import scipy.sparse as sp
from sklearn.cluster import HDBSCAN, KMeans
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits

from recsys.dataset.attributes import Attributes
from recsys.errors import InputError, SettingError
from recsys.space.axis import UNNAMED
from recsys.space.embedding import EmbeddingSpace, well_known_items
from recsys.space.item_clusters import NO_CLUSTER, ClusterMethod, ItemClusters
from recsys.space.naming import Name, name_ends

Choice = Literal["auto", "kmeans", "hdbscan"]

NUMBERS = (6, 8, 10, 12, 16, 20, 24, 30)
"""Numbers of clusters k-means tries. Fewer than six split movies into old and new at best; more than thirty labels
cannot be read on a map."""
FEWEST_ITEMS = (10, 20, 40)
"""The least sizes of a cluster that HDBSCAN tries; of n > `LARGE` well-known items n / `LARGE` times as many."""
MOST_CLUSTERS = 40
"""Where HDBSCAN finds more, that way is dropped: so many labels cannot be read."""
LEAST_MEAN = 5
"""A number of clusters that leaves fewer well-known items a cluster than this is not tried."""
STABLE_CLUSTER = 0.6
"""Mean Jaccard from which on a cluster is more than chance: below .6 it "should not be trusted" (Hennig 2007)."""
AS_GOOD = 0.9
"""Silhouettes are nearly flat over the number of clusters, and with another seed the same number has one up to a tenth
lower (ML-100K, 16 clusters: .18 to .20): what reaches this share of the best is as good."""
MOST = 0.5
"""The share of a cluster that must carry what it is called: a label on a group is read as true of most of it."""
SAMPLED = 0.8
"""The share of the items in a sample."""
N_RESAMPLES = 5
N_STARTS, N_STARTS_IF_LARGE = 10, 2
HDBSCAN_DIMENSIONS = 20
"""In 64 dimensions all distances are alike and density says little: on ML-100K and ML-latest-small half as many items
again find a cluster after PCA to 20, with a greater silhouette × share; in 10 more is lost than won on ML-1M."""
HDBSCAN_NEIGHBOURS = 3
"""`min_samples`. The fewer, the more items are in a cluster; with 5 and 10 silhouette × share was lower."""
LARGE = 10_000
"""Beyond so many well-known items `auto` leaves out HDBSCAN, whose time grows with their square (4 s a fit here), and
k-means starts `N_STARTS_IF_LARGE` times instead of `N_STARTS`."""
OUTER = 0.25
"""A little-known item joins a cluster of HDBSCAN if it is nearer to the centre than this share of its members."""


@dataclasses.dataclass(frozen=True, eq=False)
class _Candidate:
    """One way to cluster the n well-known items.

    setting     the number of clusters asked for (kmeans), the fewest items of a cluster (hdbscan)
    labels      (n,) int64, `NO_CLUSTER` for noise
    silhouette  mean over the clustered items
    jaccards    (n_clusters, n_resamples): how alike each cluster came back
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
        """At least two clusters, and, unless so many were asked for, no more than people can read."""
        return self.n_clusters >= 2 and (self.method == "kmeans" or self.n_clusters <= MOST_CLUSTERS)

    @property
    def worth(self) -> float:
        """Mean silhouette over all items, one in no cluster counting 0, as Rousseeuw counts an item that is alone."""
        return self.silhouette * self.share

    def plain(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "method": self.method,
            "setting": self.setting,
            "n_clusters": self.n_clusters,
            "n_stable": self.n_stable,
            "silhouette": self.silhouette,
            "stability": self.stability,
            "share": self.share,
        }


def find_clusters(
    space: EmbeddingSpace,
    attributes: Attributes,
    method: Choice = "auto",
    *,
    numbers: Sequence[int] = NUMBERS,
    n_resamples: int = N_RESAMPLES,
    seed: int = 42,
    progress: Callable[[int, int], None] | None = None,
) -> ItemClusters:
    """Cluster the items of a model by direction, choose how many clusters, and name those that deserve it.

    kmeans   spherical k-means (Dhillon & Modha 2001) with each of `numbers`: every item is in a cluster
    hdbscan  Campello, Moulavi & Sander 2013, leaves of the tree, with each of `FEWEST_ITEMS`: dense groups only, the
             rest is noise
    auto     both are tried; of more than `LARGE` well-known items only kmeans

    1. The well-known items are clustered in each way. A way that finds fewer than two clusters is dropped, and
       HDBSCAN where it finds more than `MOST_CLUSTERS`.
    2. Silhouette: mean over the clustered items, by cosine distance in all dimensions.
    3. Stability: `n_resamples` times 80 % of the items are drawn without replacement and clustered in the same way; a
       cluster's share of a sample is compared with the cluster that is most like it there (|A∩B| / |A∪B|, Jaccard),
       and the mean over the samples is the cluster's stability, their mean that of the way (Hennig 2007).
    4. Ways with stability below .6 are out (if all are, all but the most stable). What counts is silhouette × share of
       items clustered, which is the mean silhouette with 0 for noise. It is nearly flat and leans to few clusters, so
       the ways that reach nine tenths of the best are taken to be as good, and the one with the most stable clusters
       (≥ .6) wins: that which finds most groups that are there. Of equal ones the greater silhouette × share, then
       the fewer clusters.
    5. Every other item with a vector goes to the centre nearest by cosine; with hdbscan only if it is as near as the
       nearest three quarters of that cluster's members, else it is in no cluster. Noise stays noise.
    6. A cluster with stability ≥ .6 gets the true names of the direction its centre points in, at most two (see
       `naming.py`), asked only of those attributes that half of its well-known items carry or more: along a centre that
       points to rare documentaries may lie a hundred movies that are none. Of clusters with the same names each adds
       its next true one, if there is one; what is still the same is numbered: "Drama", "Drama (2)".

    numbers   for k-means; those that leave fewer than five well-known items a cluster are not tried
    progress  called with the number of ways tried and of all

    `evidence` holds "tried", every way with its numbers; "method", "setting", "n_judged", "n_resamples", "share" and
    "stability" of the chosen one; "clusters", for each its size, the well-known items in it ("n_judged"), "stability",
    "resamples", "is_stable", the true "names" and how many of its well-known items carry each ("n_inside").

    Raises Unsupported for a model without vectors, SettingError for a setting that cannot be, InputError where fewer
    than fifty items are well known or no two clusters are found.
    """
    if method not in (*get_args(ClusterMethod), "auto"):
        raise SettingError(f"unknown method {method!r}: use {', '.join(get_args(ClusterMethod))} or auto")
    if n_resamples < 1:
        raise SettingError(f"n_resamples must be at least 1, not {n_resamples}: without samples no cluster is stable")
    if not len(numbers) or min(numbers) < 2:
        raise SettingError(f"numbers of clusters must be 2 or more, not {list(numbers)}")
    known = well_known_items(space, attributes)
    directions = space.item_directions[known]
    ways = _ways(method, sorted(set(numbers)), len(directions))
    candidates = []
    # One thread: the order in which sums are added up would change the last bits, and with them who is nearest.
    with threadpool_limits(1):
        samples = _samples(len(directions), n_resamples, seed)
        for number, (how, setting) in enumerate(ways):
            candidates.append(_candidate(directions, how, setting, samples, seed))
            if progress is not None:
                progress(number + 1, len(ways))
        chosen = _chosen([candidate for candidate in candidates if candidate.is_readable])
        labels = _all_labels(space.item_directions, known, chosen)
        order = np.argsort(-np.bincount(labels[labels != NO_CLUSTER], minlength=chosen.n_clusters), kind="stable")
        labels = _renumbered(labels, order)
        chosen = dataclasses.replace(chosen, labels=_renumbered(chosen.labels, order), jaccards=chosen.jaccards[order])
        centres = _centres(directions, chosen.labels)
        names, true_names = _names(space.item_directions, labels, centres, chosen, attributes, known, seed)
    evidence: dict[str, Any] = {
        "method": chosen.method,
        "setting": chosen.setting,
        "n_judged": len(directions),
        "n_resamples": n_resamples,
        "share": chosen.share,
        "stability": chosen.stability,
        "clusters": _evidence(chosen, labels, true_names, attributes, known),
        "tried": [candidate.plain() for candidate in candidates if candidate.n_clusters >= 2],
    }
    stability = tuple(float(value) for value in chosen.jaccards.mean(axis=1))
    return ItemClusters(
        chosen.method, space.item_ids, labels, names, centres, chosen.silhouette, stability, evidence, seed
    )


def silhouettes(directions: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Silhouette of each of n unit vectors (n, d) by cosine distance, (n,) float64; all labels 0 … k − 1, k ≥ 2.

    (b − a) / max(a, b): a the mean distance to the others of its cluster, b to the nearest other cluster; 0 for one
    that is alone (Rousseeuw 1987). Of unit vectors Σ_j (1 − x·y_j) = m − x·Σ_j y_j, so the sums of the clusters are
    enough: n·k·d steps, not n²·d.
    """
    sizes = np.bincount(labels).astype(np.float64)
    sums = _sums(directions, labels)
    distance = sizes - directions.astype(np.float64) @ sums.T  # to all of each cluster, itself (0) among them
    rows = np.arange(len(labels))
    inside = distance[rows, labels] / np.maximum(sizes[labels] - 1, 1)
    distance = distance / sizes
    distance[rows, labels] = np.inf
    nearest = distance.min(axis=1)
    widest = np.maximum(inside, nearest)
    values = np.divide(nearest - inside, widest, out=np.zeros(len(labels)), where=widest > 1e-12)
    return np.where(sizes[labels] > 1, values, 0.0)


def best_jaccards(labels: np.ndarray, others: np.ndarray, n_clusters: int) -> np.ndarray:
    """|A∩B| / |A∪B| of each cluster of `labels` with the one of `others` that is most like it, (n_clusters,) float64.

    Both (n,) over the same items, `NO_CLUSTER` where there is none; a cluster without an item here has 0.
    """
    n_others = int(others.max(initial=NO_CLUSTER)) + 1
    if not n_others:
        return np.zeros(n_clusters)
    here, there = labels != NO_CLUSTER, others != NO_CLUSTER
    shared = np.zeros((n_clusters, n_others))
    np.add.at(shared, (labels[here & there], others[here & there]), 1)
    sizes = np.bincount(labels[here], minlength=n_clusters)[:, None]
    either = sizes + np.bincount(others[there], minlength=n_others) - shared
    return np.divide(shared, either, out=np.zeros_like(shared), where=either > 0).max(axis=1)


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
    """Rows of each sample, rising."""
    rng = np.random.default_rng(seed)
    return [np.sort(rng.choice(n, round(SAMPLED * n), replace=False)) for _ in range(n_resamples)]


def _candidate(
    directions: np.ndarray, method: ClusterMethod, setting: int, samples: list[np.ndarray], seed: int
) -> _Candidate:
    labels = _cluster(directions, method, setting, seed)
    n_clusters = int(labels.max()) + 1
    inside = labels != NO_CLUSTER
    if n_clusters < 2:
        return _Candidate(method, setting, labels, 0.0, np.zeros((n_clusters, len(samples))))
    jaccards = [
        best_jaccards(labels[rows], _cluster(directions[rows], method, setting, seed + 1 + number), n_clusters)
        for number, rows in enumerate(samples)
    ]
    silhouette = float(silhouettes(directions[inside], labels[inside]).mean())
    return _Candidate(method, setting, labels, silhouette, np.column_stack(jaccards))


def _cluster(directions: np.ndarray, method: ClusterMethod, setting: int, seed: int) -> np.ndarray:
    """Labels (n,) int64, 0 … k − 1 without a gap, and `NO_CLUSTER`."""
    labels = _kmeans(directions, setting, seed) if method == "kmeans" else _hdbscan(directions, setting)
    numbers, places = np.unique(labels[labels != NO_CLUSTER], return_inverse=True)
    compact = np.full(len(labels), NO_CLUSTER, dtype=np.int64)
    compact[labels != NO_CLUSTER] = places
    return compact if len(numbers) else np.full(len(labels), NO_CLUSTER, dtype=np.int64)


def _kmeans(directions: np.ndarray, n_clusters: int, seed: int) -> np.ndarray:
    """Spherical k-means: from where k-means ends, to the nearest centre of length 1, until nobody moves."""
    with warnings.catch_warnings():
        # Fewer different vectors than clusters: the empty ones are left out, and the number found is what counts.
        warnings.simplefilter("ignore", ConvergenceWarning)
        n_starts = N_STARTS if len(directions) <= LARGE else N_STARTS_IF_LARGE
        labels = KMeans(n_clusters, n_init=n_starts, random_state=seed).fit_predict(directions)
    for _ in range(100):
        moved = (directions @ _centres(directions, np.unique(labels, return_inverse=True)[1]).T).argmax(axis=1)
        if np.array_equal(moved, labels):
            break
        labels = moved
    return labels


def _hdbscan(directions: np.ndarray, fewest: int) -> np.ndarray:
    """Labels of HDBSCAN on the leading principal components, scaled to length 1 again."""
    n_dimensions = min(HDBSCAN_DIMENSIONS, *directions.shape)
    with np.errstate(invalid="ignore"):  # a space in which all directions are one has no spread to share out
        points = PCA(n_dimensions, svd_solver="full").fit_transform(directions.astype(np.float64))
    points /= np.maximum(np.linalg.norm(points, axis=1, keepdims=True), 1e-12)
    return (
        HDBSCAN(
            min_cluster_size=fewest,
            min_samples=HDBSCAN_NEIGHBOURS,
            cluster_selection_method="leaf",
            n_jobs=1,
            copy=True,
        )
        .fit(points)
        .labels_
    )


def _chosen(candidates: list[_Candidate]) -> _Candidate:
    if not candidates:
        raise InputError(
            "the items do not fall into clusters: no way of clustering found two of them, or a number that can be read"
        )
    stable = [candidate for candidate in candidates if candidate.stability >= STABLE_CLUSTER]
    most = max(candidate.stability for candidate in candidates)
    allowed = stable or [candidate for candidate in candidates if candidate.stability == most]
    best = max(candidate.worth for candidate in allowed)
    bar = min(AS_GOOD * best, best)  # a silhouette may be below 0
    as_good = [candidate for candidate in allowed if candidate.worth >= bar]
    return max(as_good, key=lambda candidate: (candidate.n_stable, candidate.worth, -candidate.n_clusters))


def _all_labels(item_directions: np.ndarray, known: np.ndarray, chosen: _Candidate) -> np.ndarray:
    """(n_items,) int32: the well-known items as they were clustered, the others with the nearest centre."""
    centres = _centres(item_directions[known], chosen.labels)
    cosines = item_directions @ centres.T
    labels = cosines.argmax(axis=1).astype(np.int32)
    labels[~item_directions.any(axis=1)] = NO_CLUSTER
    if chosen.method == "hdbscan":
        along = cosines[known]
        least = [np.quantile(along[chosen.labels == number, number], OUTER) for number in range(chosen.n_clusters)]
        labels[cosines.max(axis=1) < np.array(least)[labels]] = NO_CLUSTER
    labels[known] = chosen.labels
    return labels


def _renumbered(labels: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Labels after cluster `order[0]` became cluster 0, and so on."""
    new = np.empty(len(order) + 1, dtype=labels.dtype)
    new[order] = np.arange(len(order))
    new[NO_CLUSTER] = NO_CLUSTER
    return new[labels]


def _sums(directions: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Sum of the directions of each cluster, (n_clusters, d) float64."""
    rows = np.flatnonzero(labels != NO_CLUSTER)
    shape = (int(labels.max()) + 1, len(labels))
    return sp.csr_matrix((np.ones(len(rows)), (labels[rows], rows)), shape=shape) @ directions.astype(np.float64)


def _centres(directions: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Mean direction of each cluster, (n_clusters, d) float32 of length 1."""
    sums = _sums(directions, labels)
    return (sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-12)).astype(np.float32)


def _names(
    item_directions: np.ndarray,
    labels: np.ndarray,
    centres: np.ndarray,
    chosen: _Candidate,
    attributes: Attributes,
    known: np.ndarray,
    seed: int,
) -> tuple[tuple[str, ...], list[list[Name]]]:
    """What each cluster is called, no two alike but `UNNAMED`; and the names that are true of it, stable or not."""
    coordinates = item_directions.astype(np.float64) @ centres.T.astype(np.float64)
    members = [known & (labels == number) for number in range(len(centres))]
    of_most = np.array([attributes.carries[inside].mean(axis=0) >= MOST for inside in members])

    def true_of(number: int, names: list[Name]) -> list[Name]:
        return [name for name in names if of_most[number, _column(attributes, name)]]

    # Only what some cluster may be called is asked about, so that two rare names don't stand before a common one.
    asked = np.asarray(of_most.any(axis=0))
    ends = name_ends(coordinates, attributes.take(asked), known, seed)
    true_names = [true_of(number, high) for number, (_, high) in enumerate(ends)]
    stable = chosen.jaccards.mean(axis=1) >= STABLE_CLUSTER
    words = [_words(names) if is_stable else () for names, is_stable in zip(true_names, stable, strict=True)]
    for same in _alike(words):
        taken = {word.casefold() for word in words[same[0]]}
        others = asked & np.array([name.casefold() not in taken for name in attributes.names], dtype=bool)
        again = name_ends(coordinates, attributes.take(others), known, seed)
        for number in same:
            true_names[number] += true_of(number, again[number][1])[:1]
            words[number] = _words(true_names[number])
    titles = [", ".join(some) if some else UNNAMED for some in words]
    for same in _alike(words):
        for place, number in enumerate(same[1:], start=2):
            titles[number] += f" ({place})"
    return tuple(titles), true_names


def _words(names: list[Name]) -> tuple[str, ...]:
    """The attributes, each once: a genre and a tag may differ in case only."""
    return tuple({name.attribute.casefold(): name.attribute for name in reversed(names)}.values())[::-1]


def _alike(words: list[tuple[str, ...]]) -> list[list[int]]:
    """Numbers of the clusters that have the same words, in whatever order; only where there are two or more."""
    groups: dict[frozenset[str], list[int]] = {}
    for number, some in enumerate(words):
        if some:
            groups.setdefault(frozenset(word.casefold() for word in some), []).append(number)
    return [numbers for numbers in groups.values() if len(numbers) > 1]


def _column(attributes: Attributes, name: Name) -> int:
    """By kind, too: there may be a tag "1990s" beside the decade."""
    columns = zip(attributes.names, attributes.kinds, strict=True)
    return next(at for at, column in enumerate(columns) if column == (name.attribute, name.kind))


def _evidence(
    chosen: _Candidate, labels: np.ndarray, true_names: list[list[Name]], attributes: Attributes, known: np.ndarray
) -> list[dict[str, Any]]:
    clusters = []
    for number, (jaccards, names) in enumerate(zip(chosen.jaccards, true_names, strict=True)):
        members = known & (labels == number)
        stability = float(jaccards.mean())
        columns = [_column(attributes, name) for name in names]
        clusters.append(
            {
                "size": int((labels == number).sum()),
                "n_judged": int(members.sum()),
                "stability": stability,
                "resamples": [float(value) for value in jaccards],
                "is_stable": stability >= STABLE_CLUSTER,
                "names": [
                    {**name.plain(), "n_inside": int(attributes.carries[members, column].sum())}
                    for name, column in zip(names, columns, strict=True)
                ],
            }
        )
    return clusters
