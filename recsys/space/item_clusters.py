"""ItemClusters: which item is in which cluster, what the clusters are called, and the evidence for them.

Knows nothing of how clusters are found or named.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import numpy as np

from recsys.dataset.interactions import as_ids
from recsys.errors import InputError, UnknownId
from recsys.space.axis import UNNAMED
from recsys.space.embedding import EmbeddingSpace

ClusterMethod = Literal["kmeans", "hdbscan"]

NO_CLUSTER = -1
"""The label of an item in no cluster."""


@dataclass(frozen=True, eq=False)
class ItemClusters:
    """The items of one model in clusters, the greatest first: cluster 0 has the most items.

    method      how they were found
    item_ids    (n_items,) in the order of the model
    labels      (n_items,) int32, the number of an item's cluster; `NO_CLUSTER` for an item without a vector, or one
                that HDBSCAN leaves out
    names       one a cluster; `UNNAMED` where no name is true
    centres     (n_clusters, n_factors) float32 of length 1: where a cluster points; the bias is no part of it
    silhouette  mean over the well-known items that are in a cluster, by cosine distance, −1 … 1 (Rousseeuw 1987)
    stability   one a cluster, 0 … 1: how alike it comes back when only some of the items are clustered (Hennig 2007)
    evidence    plain values (str, float, int, bool, None, lists and dicts of them), as JSON has them
    seed        of clusters, samples and folds

    Raises InputError when the parts do not fit together.
    """

    method: ClusterMethod
    item_ids: np.ndarray
    labels: np.ndarray
    names: tuple[str, ...]
    centres: np.ndarray
    silhouette: float
    stability: tuple[float, ...]
    evidence: dict[str, Any] = field(default_factory=dict)
    seed: int = 42

    def __post_init__(self) -> None:
        if self.method not in get_args(ClusterMethod):
            raise InputError(f"clusters are found by {' or '.join(get_args(ClusterMethod))}, not by {self.method!r}")
        item_ids = as_ids(self.item_ids)
        centres = np.ascontiguousarray(self.centres, dtype=np.float32)
        n = len(self.names)
        if not n or centres.ndim != 2 or len(centres) != n or len(self.stability) != n:
            raise InputError(
                f"{n} names, centres of shape {centres.shape} and {len(self.stability)} stabilities are not of the "
                "same clusters"
            )
        if not (np.abs(np.linalg.norm(centres.astype(np.float64), axis=1) - 1) < 1e-3).all():
            raise InputError("the centre of a cluster is not of length 1")
        if not (np.isfinite([self.silhouette, *self.stability]).all() and abs(self.silhouette) <= 1):
            raise InputError(f"a silhouette of {self.silhouette} with stabilities {self.stability} cannot be")
        given = np.asarray(self.labels)
        if given.shape != item_ids.shape or given.dtype.kind not in "iu":
            raise InputError(f"clusters need one whole number for each of their {len(item_ids)} items")
        labels = np.ascontiguousarray(given, dtype=np.int32)
        if ((labels < NO_CLUSTER) | (labels >= n)).any():
            raise InputError(f"labels of {n} clusters go from {NO_CLUSTER} to {n - 1}")
        sizes = np.bincount(labels[labels != NO_CLUSTER], minlength=n)
        if sizes[-1] == 0 or (np.diff(sizes) > 0).any():
            raise InputError(
                f"clusters come by size, greatest first, and none is empty; here they have {sizes.tolist()}"
            )
        for name, array in (("item_ids", item_ids), ("labels", labels), ("centres", centres)):
            array.setflags(write=False)
            object.__setattr__(self, name, array)

    @property
    def n_clusters(self) -> int:
        return len(self.names)

    @property
    def sizes(self) -> np.ndarray:
        """How many items each cluster has, (n_clusters,) int64, falling."""
        return np.bincount(self.labels[self.labels != NO_CLUSTER], minlength=self.n_clusters)

    def title(self, number: int) -> str:
        """What a person reads: the name, or "cluster 7" (counted from 1) where there is none. Raises UnknownId."""
        name = self.names[self._checked(number)]
        return f"cluster {number + 1}" if name == UNNAMED else name

    def members(self, space: EmbeddingSpace, number: int) -> np.ndarray:
        """Rows of the items of a cluster, those nearest to its centre by cosine first, int64. Raises UnknownId."""
        rows = np.flatnonzero(self.labels == self._checked(number))
        return rows[np.argsort(-(space.item_directions[rows] @ self.centres[number]), kind="stable")]

    def examples(self, space: EmbeddingSpace, n_ratings: np.ndarray, number: int, k: int = 5) -> np.ndarray:
        """Rows of at most k items that show what a cluster is, nearest to its centre first, int64. Raises UnknownId.

        Only those in the most-rated third of its items: an example has to be known to say something.
        """
        rows = self.members(space, number)
        return rows[n_ratings[rows] >= np.quantile(n_ratings[rows], 2 / 3)][:k]

    def _checked(self, number: int) -> int:
        if not 0 <= number < self.n_clusters:
            raise UnknownId(f"there is no cluster number {number}: they go from 0 to {self.n_clusters - 1}")
        return number
