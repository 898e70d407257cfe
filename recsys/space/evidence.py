"""Evidence: the measurements behind the names of axes and clusters, as plain frozen values.

`to_json` returns what `axes.json` and `clusters.parquet` store, in the same key order.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, TypeAlias

from recsys.errors import InputError

MIN_ORDER = 0.75
"""Share of held-out pairs in the right order from which on the space is said to contain the answer to a question."""


@dataclass(frozen=True)
class Name:
    """An attribute that is verified as the name of one end of a direction.

    attribute          such as "Horror"
    kind               genre, tag, decade or popularity
    auc                mean AUC over the held-out folds: the probability that a random item with the attribute lies
                       farther towards this end than a random item without it
    auc_low, auc_high  95 % interval of the AUC
    q                  greatest q value (false discovery rate) over the folds
    carriers           number of items evaluated on that have the attribute
    """

    attribute: str
    kind: str
    auc: float
    auc_low: float
    auc_high: float
    q: float
    carriers: int

    def to_json(self) -> dict[str, Any]:
        """The fields as plain values."""
        return asdict(self)


@dataclass(frozen=True)
class DiscoveryEvidence:
    """Evidence of a discovered axis.

    share      share of the variance of the well-known items along the axis, 0 … 1
    stability  median of `refits`; None when stability was not measured
    refits     cosine with the matching axis of each refitted model, 0 … 1
    is_stable  whether `stability` reaches `STABLE_AXIS`; only then the axis gets a name
    low, high  verified names of both ends, best first, whether the axis is stable or not
    like       cosine with the axis of the same number of an earlier model, 0 … 1; None where there is none
    """

    share: float
    stability: float | None
    refits: tuple[float, ...]
    is_stable: bool
    low: tuple[Name, ...]
    high: tuple[Name, ...]
    like: float | None = None

    def to_json(self) -> dict[str, Any]:
        """The fields as plain values; `like` only where it is known."""
        like = {} if self.like is None else {"like": self.like}
        return like | {
            "share": self.share,
            "stability": self.stability,
            "refits": list(self.refits),
            "is_stable": self.is_stable,
            "low": [name.to_json() for name in self.low],
            "high": [name.to_json() for name in self.high],
        }


@dataclass(frozen=True)
class ProbeEvidence:
    """Evidence of an axis that was asked for: how well a probe orders items that it was not fitted on.

    measure         "auc" for two classes, "spearman" for a quantity
    value           the measure on held-out items, all folds together; `low` and `high` are its 95 % interval
    order           share of pairs in the right order, 0 … 1: the AUC, or for a quantity (1 + Somers' D) / 2
    folds           the measure in each fold; empty when every pair was left out once
    n_low, n_high   number of items at each end (two classes); None for a quantity
    n               number of items (quantity); None for two classes
    controls        the measure of simpler predictors: "popularity alone", "year alone" (where known), "best raw
                    dimension", "shuffled" (the same probe on shuffled answers)
    by_definition   controls that are part of the question and prove nothing against it
    beats_chance    whether the interval excludes chance
    beats_controls  whether the probe is better than popularity and year, in every fold

    Raises InputError without the control "shuffled".
    """

    measure: Literal["auc", "spearman"]
    value: float
    low: float
    high: float
    order: float
    folds: tuple[float, ...]
    controls: Mapping[str, float]
    by_definition: tuple[str, ...]
    beats_chance: bool
    beats_controls: bool
    n_low: int | None = None
    n_high: int | None = None
    n: int | None = None

    def __post_init__(self) -> None:
        if "shuffled" not in self.controls:
            raise InputError("the evidence of an axis lacks the control 'shuffled'")

    @property
    def is_valid(self) -> bool:
        """Whether the space contains the answer: enough pairs in order, better than chance and than the controls."""
        return self.order >= MIN_ORDER and self.beats_chance and self.beats_controls

    @property
    def reason(self) -> str:
        """Why the space does not contain the answer, in a few words; empty when it does."""
        if self.order < MIN_ORDER:
            return f"only {self.order:.0%} of the pairs of held-out movies are in the right order"
        if not self.beats_chance:
            return "there are too few movies to rule out chance"
        return "" if self.beats_controls else "popularity or the year alone predicts it as well"

    def to_json(self) -> dict[str, Any]:
        """The fields as plain values, with `question` to tell them from those of a discovered axis."""
        counts = {"n_low": self.n_low, "n_high": self.n_high} if self.n is None else {"n": self.n}
        return {
            "measure": self.measure,
            "value": self.value,
            "low": self.low,
            "high": self.high,
            "order": self.order,
            "folds": list(self.folds),
            **counts,
            "controls": dict(self.controls),
            "by_definition": list(self.by_definition),
            "beats_chance": self.beats_chance,
            "beats_controls": self.beats_controls,
            "question": True,
        }


AxisEvidence: TypeAlias = DiscoveryEvidence | ProbeEvidence


@dataclass(frozen=True)
class ClusterName(Name):
    """A name of a cluster.

    n_inside  number of well-known items of the cluster that have the attribute
    """

    n_inside: int = 0


@dataclass(frozen=True)
class ClusterEvidence:
    """Evidence of one cluster.

    size       number of items
    n_judged   number of well-known items
    stability  mean of `resamples`, 0 … 1
    resamples  Jaccard index with the most similar cluster of each sample
    is_stable  whether `stability` reaches `STABLE_CLUSTER`; only then the cluster gets a name
    names      verified names, best first, whether the cluster is stable or not
    """

    size: int
    n_judged: int
    stability: float
    resamples: tuple[float, ...]
    is_stable: bool
    names: tuple[ClusterName, ...]

    def to_json(self) -> dict[str, Any]:
        """The fields as plain values."""
        return asdict(self) | {"resamples": list(self.resamples), "names": [name.to_json() for name in self.names]}


@dataclass(frozen=True)
class TriedClustering:
    """One clustering that was tried.

    method      "kmeans" or "hdbscan"
    setting     number of clusters (kmeans) or least size of a cluster (hdbscan)
    n_clusters  number of clusters found; `n_stable` of them are stable
    silhouette  mean over the clustered items, by cosine distance
    stability   mean stability of the clusters
    share       share of the well-known items in a cluster
    """

    method: str
    setting: int
    n_clusters: int
    n_stable: int
    silhouette: float
    stability: float
    share: float

    def to_json(self) -> dict[str, Any]:
        """The fields as plain values."""
        return asdict(self)


@dataclass(frozen=True)
class ClusteringEvidence:
    """Evidence of a clustering.

    method, setting   of the clustering that was chosen, as in `TriedClustering`
    n_judged          number of well-known items, on which clusterings are compared
    n_resamples       number of samples for stability
    share, stability  of the clustering that was chosen
    clusters          one entry per cluster
    tried             all clusterings that found two clusters or more
    """

    method: str
    setting: int
    n_judged: int
    n_resamples: int
    share: float
    stability: float
    clusters: tuple[ClusterEvidence, ...] = field(default=())
    tried: tuple[TriedClustering, ...] = field(default=())

    def to_json(self) -> dict[str, Any]:
        """The fields as plain values."""
        return {
            "method": self.method,
            "setting": self.setting,
            "n_judged": self.n_judged,
            "n_resamples": self.n_resamples,
            "share": self.share,
            "stability": self.stability,
            "clusters": [cluster.to_json() for cluster in self.clusters],
            "tried": [way.to_json() for way in self.tried],
        }
