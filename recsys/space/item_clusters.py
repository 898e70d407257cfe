"""ItemClusters: the cluster of each item, the names of the clusters, and the evidence for them.

How clusters are found and named is in `clustering.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd

from recsys.dataset.interactions import as_ids
from recsys.errors import InputError, UnknownId
from recsys.space.axis import UNNAMED
from recsys.space.embedding import EmbeddingSpace
from recsys.space.evidence import ClusteringEvidence

ClusterMethod = Literal["kmeans", "hdbscan"]

NO_CLUSTER = -1
"""The label of an item that is in no cluster."""


@dataclass(frozen=True, eq=False)
class ItemClusters:
    """The items of an embedding space in clusters, ordered by size: cluster 0 has the most items.

    method      "kmeans" or "hdbscan"
    item_ids    (n_items,) in the order of the space
    labels      (n_items,) int32, the cluster of each item; `NO_CLUSTER` for an item without a vector, and for noise
                (hdbscan)
    names       (n_clusters,) `UNNAMED` where no name is verified
    centres     (n_clusters, n_factors) float32, mean directions of length 1, without the bias
    silhouette  mean over the well-known items in clusters, by cosine distance, −1 … 1 (Rousseeuw 1987)
    stability   (n_clusters,) 0 … 1: similarity to the best match when a sample of the items is clustered (Hennig 2007)
    evidence    the measurements behind the choice of clusters and names; None where there are none
    seed        of clusters, samples and folds

    Raises InputError when the parts do not match.

    >>> import numpy as np
    >>> centres = np.array([[1.0, 0.0], [0.0, 1.0]])
    >>> labels, names = np.array([0, 0, 1]), ("Horror", UNNAMED)
    >>> found = ItemClusters("kmeans", np.array(["a", "b", "c"]), labels, names, centres, 0.4, (0.9, 0.7))
    >>> found.sizes.tolist(), found.title(1)
    ([2, 1], 'cluster 2')
    """

    method: ClusterMethod
    item_ids: np.ndarray
    labels: np.ndarray
    names: tuple[str, ...]
    centres: np.ndarray
    silhouette: float
    stability: tuple[float, ...]
    evidence: ClusteringEvidence | None = None
    seed: int = 42

    def __post_init__(self) -> None:
        if self.method not in get_args(ClusterMethod):
            raise InputError(f"unknown cluster method {self.method!r}: use {' or '.join(get_args(ClusterMethod))}")
        item_ids = as_ids(self.item_ids)
        centres = np.ascontiguousarray(self.centres, dtype=np.float32)
        n = len(self.names)
        if not n or centres.ndim != 2 or len(centres) != n or len(self.stability) != n:
            raise InputError(
                f"{n} names, centres of shape {centres.shape} and {len(self.stability)} stabilities do not match"
            )
        if self.evidence is not None and len(self.evidence.clusters) not in (0, n):
            raise InputError(f"evidence of {len(self.evidence.clusters)} clusters does not fit {n} clusters")
        if not (np.abs(np.linalg.norm(centres.astype(np.float64), axis=1) - 1) < 1e-3).all():
            raise InputError("the centre of a cluster is not of length 1")
        if not (np.isfinite([self.silhouette, *self.stability]).all() and abs(self.silhouette) <= 1):
            raise InputError(f"invalid silhouette {self.silhouette} or stability {self.stability}")
        given = np.asarray(self.labels)
        if given.shape != item_ids.shape or given.dtype.kind not in "iu":
            raise InputError(f"labels must be one integer for each of the {len(item_ids)} items")
        labels = np.ascontiguousarray(given, dtype=np.int32)
        if ((labels < NO_CLUSTER) | (labels >= n)).any():
            raise InputError(f"labels of {n} clusters must be between {NO_CLUSTER} and {n - 1}")
        sizes = np.bincount(labels[labels != NO_CLUSTER], minlength=n)
        if sizes[-1] == 0 or (np.diff(sizes) > 0).any():
            raise InputError(f"clusters must not be empty and be ordered by size, largest first, not {sizes.tolist()}")
        for name, array in (("item_ids", item_ids), ("labels", labels), ("centres", centres)):
            array.setflags(write=False)
            object.__setattr__(self, name, array)

    @property
    def n_clusters(self) -> int:
        """The number of clusters."""
        return len(self.names)

    @property
    def sizes(self) -> np.ndarray:
        """Number of items of each cluster, (n_clusters,) int64, in descending order."""
        return np.bincount(self.labels[self.labels != NO_CLUSTER], minlength=self.n_clusters)

    def title(self, number: int) -> str:
        """The name of a cluster, or "cluster 7" (counted from 1) where it is unnamed. Raises UnknownId."""
        name = self.names[self._checked(number)]
        return f"cluster {number + 1}" if name == UNNAMED else name

    def members(self, space: EmbeddingSpace, number: int) -> np.ndarray:
        """Rows (int64) of the items of a cluster, nearest to its centre by cosine first. Raises UnknownId."""
        rows = np.flatnonzero(self.labels == self._checked(number))
        return rows[np.argsort(-(space.item_directions[rows] @ self.centres[number]), kind="stable")]

    def examples(self, space: EmbeddingSpace, n_ratings: np.ndarray, number: int, k: int = 5) -> np.ndarray:
        """Rows (int64) of at most k typical items of a cluster, nearest to its centre first. Raises UnknownId.

        Only its most-rated third is used, because unfamiliar items are poor examples.
        """
        rows = self.members(space, number)
        result: np.ndarray = rows[n_ratings[rows] >= np.quantile(n_ratings[rows], 2 / 3)][:k]
        return result

    def to_frame(self) -> pd.DataFrame:
        """One row per item in the order of the space: item_id, cluster (int32, `NO_CLUSTER` for none) and name (the
        title of the cluster; missing for none)."""
        titles = np.array([*(self.title(number) for number in range(self.n_clusters)), None], dtype=object)
        return pd.DataFrame({"item_id": self.item_ids, "cluster": self.labels, "name": titles[self.labels]})

    def to_json(self) -> dict[str, Any]:
        """Everything but items and labels as plain values, as the metadata of `clusters.parquet` store it."""
        return {
            "method": self.method,
            "names": list(self.names),
            "centres": self.centres.tolist(),
            "silhouette": self.silhouette,
            "stability": list(self.stability),
            "evidence": None if self.evidence is None else self.evidence.to_json(),
            "seed": self.seed,
        }

    def _checked(self, number: int) -> int:
        if not 0 <= number < self.n_clusters:
            raise UnknownId(f"there is no cluster {number}: clusters are numbered from 0 to {self.n_clusters - 1}")
        return number
