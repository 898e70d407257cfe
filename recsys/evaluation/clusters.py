"""How clearly items fall into clusters, and whether the clusters agree with an attribute such as the genre."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.cluster import KMeans
from sklearn.metrics import normalized_mutual_info_score, silhouette_score
from threadpoolctl import threadpool_limits

from recsys.evaluation.serialization import known
from recsys.evaluation.vectors import Vectors, checked_attributes, compact, evaluated_directions, rarest_attribute, unit

N_SHUFFLES = 10


@dataclass(frozen=True)
class ClusterQuality:
    """Quality of a k-means clustering of directions; None where it is undefined.

    silhouette  mean silhouette by cosine distance (Rousseeuw 1987), −1 … 1
    nmi         normalized mutual information of cluster and main attribute, 0 … 1
    chance_nmi  the same with shuffled cluster labels, mean of `N_SHUFFLES`; above 0, because some agree by chance
    """

    silhouette: float | None
    nmi: float | None
    chance_nmi: float | None


def cluster_quality(
    vectors: Vectors, carries: np.ndarray, evaluated: np.ndarray, n_clusters: int = 18, seed: int = 42
) -> ClusterQuality:
    """Cluster the evaluated items by k-means on their directions, and measure the clusters.

    vectors    (n_items, d) floats, dense or CSR; zero rows are left out
    carries    (n_items, m) bool: which items have which attribute
    evaluated  (n_items,) bool: the items to cluster

    Sparse vectors and those with more than `NARROW` dimensions are first reduced to `REDUCED` (truncated SVD) and
    scaled to length 1 again. The main attribute of an item is the one that the fewest evaluated items have; items
    without any are left out of the mutual information.
    """
    carries = checked_attributes(carries, evaluated)
    rows, directions = evaluated_directions(vectors, evaluated)
    points = compact(directions, seed)
    nonzero = np.linalg.norm(points, axis=1) > 1e-9  # a row outside the leading dimensions has no direction left
    rows, points = rows[nonzero], unit(points[nonzero])
    n_clusters = min(n_clusters, len(np.unique(points.round(6), axis=0)) if len(rows) else 0)
    if n_clusters < 2:
        return ClusterQuality(None, None, None)
    with threadpool_limits(limits=1, user_api="openmp"):  # threads sum centres in any order, which changes bits
        labels = KMeans(n_clusters, n_init=10, random_state=seed).fit_predict(points)
    silhouette = nmi = chance_nmi = None
    if len(np.unique(labels)) < len(rows):
        silhouette = known(silhouette_score(points, labels, metric="cosine"))
    has_attribute = carries[rows].any(axis=1)
    if has_attribute.any():
        labels = labels[has_attribute]
        main = rarest_attribute(carries[rows[has_attribute]], carries[evaluated].sum(axis=0))
        rng = np.random.default_rng(seed)
        nmi = known(normalized_mutual_info_score(main, labels))
        chance_nmi = known(
            np.mean([normalized_mutual_info_score(main, rng.permutation(labels)) for _ in range(N_SHUFFLES)])
        )
    return ClusterQuality(silhouette, nmi, chance_nmi)
