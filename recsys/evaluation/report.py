"""The embedding report: quality of a space next to representations that need no training. Does no I/O.

`space_report` needs only vectors and attributes; `embedding_report` adds what needs the ratings and retrained models.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from sklearn.utils.extmath import randomized_svd
from threadpoolctl import threadpool_limits

from recsys.dataset.attributes import Attributes
from recsys.dataset.dataset import Dataset
from recsys.dataset.interactions import Interactions
from recsys.dataset.split import hold_out
from recsys.dataset.weighting import Weighting
from recsys.errors import InputError
from recsys.evaluation.analogies import AnalogyQuality, analogy_quality, title_pairs
from recsys.evaluation.baselines import CONTENT, GENRES, TITLES, baselines
from recsys.evaluation.clusters import ClusterQuality, cluster_quality
from recsys.evaluation.divergence import Divergence, divergence
from recsys.evaluation.linear_probes import probe_auc, probe_r2
from recsys.evaluation.ranking import rank_quality
from recsys.evaluation.retrieval import Retrieval, overlap, retrieval
from recsys.evaluation.serialization import json_key, known, to_json
from recsys.evaluation.shape import effective_rank, isotropy, linear_cka
from recsys.evaluation.smoothness import Smoothness, smoothness
from recsys.evaluation.vectors import Vectors
from recsys.limits import MOST_FACTORS, MOST_RUNS, check_number, check_seed, next_seed
from recsys.models import Model
from recsys.progress import Progress
from recsys.space.embedding import EmbeddingSpace

DIMENSIONS = (1, 2, 4, 8, 16, 32, 64, 128)
N_SEEDS = 3

GIVEN: dict[str, tuple[str, ...]] = {
    GENRES: ("genre_retrieval", "genre_auc", "clusters", "analogies"),
    TITLES: ("analogies",),
    CONTENT: ("genre_retrieval", "tag_retrieval", "genre_auc", "clusters", "analogies"),
}
"""The measures whose answers are part of a representation: its numbers prove nothing there."""


@dataclass(frozen=True)
class Representation:
    """All measures of one set of item vectors; None where a measure is undefined.

    dimensions       number of dimensions
    genre_retrieval  do the ten nearest neighbours share a genre
    tag_retrieval    do they share a tag; None without tags
    genre_auc        mean over genres of `genre_auc_of`, the AUC of a linear probe on held-out items
    decade_auc       the same for decades of release
    mean_rating_r2   held-out R² of a linear probe for the mean rating; None without ratings
    clusters         18 k-means clusters compared with the genres
    analogies        sequels and remakes by vector arithmetic
    effective_rank   number of dimensions in use, 1 … dimensions
    isotropy         evenness of the directions, 0 … 1
    given            names of the measures whose answers are part of the representation
    """

    dimensions: int
    genre_retrieval: Retrieval
    tag_retrieval: Retrieval | None
    genre_auc: float | None
    genre_auc_of: dict[str, float | None]
    decade_auc: float | None
    mean_rating_r2: float | None
    clusters: ClusterQuality
    analogies: AnalogyQuality
    effective_rank: float | None
    isotropy: float | None
    given: tuple[str, ...] = field(metadata=json_key("told"))

    @property
    def main_values(self) -> dict[str, float | None]:
        """The main number of each measure, greater is better."""
        return {
            "genre_retrieval": self.genre_retrieval.precision,
            "tag_retrieval": None if self.tag_retrieval is None else self.tag_retrieval.precision,
            "genre_auc": self.genre_auc,
            "decade_auc": self.decade_auc,
            "mean_rating_r2": self.mean_rating_r2,
            "clusters": self.clusters.nmi,
            "analogies": self.analogies.hits,
        }


@dataclass(frozen=True)
class DimensionQuality:
    """The model retrained with `n_factors` dimensions on 80 % of each user's ratings.

    ndcg         nDCG@10 on the other ratings, with its 95 % interval `low` … `high`
    error        |P − XYᵀ|² / |P|², the share of the 0/1 training matrix that the scores leave unexplained; None for a
                 model with a bias, whose scores only define an order
    least_error  the lowest possible error with so many dimensions (truncated SVD; Eckart & Young 1936)
    """

    n_factors: int
    ndcg: float = field(metadata=json_key("ndcg@10"))
    low: float
    high: float
    error: float | None
    least_error: float


@dataclass(frozen=True)
class SeedStability:
    """What stays the same when only the seed changes: mean and minimum over `n` retrained models.

    overlap         share of an item's ten nearest neighbours that are the same
    chance_overlap  the same with random vectors
    cka             linear CKA of the item directions (Kornblith et al. 2019): 1 is equal up to rotation

    All but `chance_overlap` are None for `n` = 0.
    """

    n: int
    overlap: float | None = field(metadata=json_key("overlap@10"))
    least_overlap: float | None = field(metadata=json_key("least_overlap@10"))
    chance_overlap: float | None = field(metadata=json_key("chance_overlap@10"))
    cka: float | None
    least_cka: float | None


@dataclass(frozen=True, repr=False)
class EmbeddingReport:
    """Quality of an embedding space, returned by `space_report` and `embedding_report`.

    model            name of the model; its own row in `representations`
    hyperparameters  settings of the model
    weighting        which ratings counted, and how much; None for vectors without a model
    data             origin of the data: name, fingerprint, n_users, n_items, n_ratings, as far as known
    evaluated_items  number of items that the measures are taken over
    seed             seed of all random choices
    representations  the measured space first, then representations that need no training
    divergence       difference between the distributions of users and items
    smoothness       whether what lies between two items is like both; None with too few genres
    dimensions       quality for each number of dimensions; empty if nothing was retrained
    seeds            agreement between models of different seeds
    fingerprint      of the folder of the stored model, or None

    Raises InputError if `representations` lacks the model itself.
    """

    model: str
    hyperparameters: dict[str, int | float | str | None]
    weighting: Weighting | None = field(metadata=json_key("confidence"))
    data: dict[str, str | int | None]
    evaluated_items: int = field(metadata=json_key("judged_items"))
    seed: int
    representations: dict[str, Representation]
    divergence: Divergence
    smoothness: Smoothness | None
    dimensions: tuple[DimensionQuality, ...]
    seeds: SeedStability
    fingerprint: str | None = None

    def __post_init__(self) -> None:
        if self.model not in self.representations:
            raise InputError(f"the report has no measures of the model {self.model!r} itself")

    @property
    def own(self) -> Representation:
        """The measures of the space itself."""
        return self.representations[self.model]

    def to_frame(self) -> pd.DataFrame:
        """One row per representation and measure, columns representation, measure, value; undefined values are NaN."""
        rows = [
            (name, measure, value)
            for name, representation in self.representations.items()
            for measure, value in representation.main_values.items()
        ]
        return pd.DataFrame(rows, columns=["representation", "measure", "value"]).astype({"value": np.float64})

    def to_json(self) -> dict[str, Any]:
        """Plain values, as `recsys report --json` prints them and report.json stores them."""
        return to_json(self)

    def __repr__(self) -> str:
        table = self.to_frame().pivot(index="representation", columns="measure", values="value")
        table = table.loc[list(self.representations), list(self.own.main_values)]
        return f"EmbeddingReport: {self.model}, {self.evaluated_items:,} items evaluated\n{table.round(3).to_string()}"


def space_report(
    space: EmbeddingSpace,
    attributes: Attributes,
    *,
    name: str = "vectors",
    seed: int = 42,
    progress: Progress | None = None,
) -> EmbeddingReport:
    """Measure a space next to representations made of titles, genres and tags, and random vectors.

    space       item vectors, and users' if there are any; a bias is left out
    attributes  what is known about the same items; measures are taken over `attributes.well_known`
    name        of the space in the report
    progress    called with (steps done, total steps)

    Measures that need ratings or retrained models are undefined: the mean rating, the number of dimensions and other
    seeds. Raises InputError where fewer than fifty items are well known, or the attributes describe other items.
    """
    check_seed(seed)
    with threadpool_limits(1, "blas"):  # see `embedding_report`
        vectors = {name: _item_vectors(space)} | baselines(attributes.catalog, None, space.n_factors, seed)
        step = _counter(progress, len(vectors))
        return EmbeddingReport(
            model=name,
            hyperparameters={},
            weighting=None,
            data={"n_users": space.n_users, "n_items": space.n_items},
            evaluated_items=int(attributes.well_known.sum()),
            seed=seed,
            representations=_measure_all(vectors, attributes, None, seed, step),
            divergence=_user_item_divergence(space, attributes.well_known, seed),
            smoothness=_smoothness(space, attributes, seed),
            dimensions=(),
            seeds=SeedStability(0, None, None, None, None, None),
        )


def embedding_report(
    model: Model,
    interactions: Interactions,
    *,
    dimensions: Sequence[int] = DIMENSIONS,
    n_seeds: int = N_SEEDS,
    n_threads: int = 1,
    seed: int = 42,
    progress: Progress | None = None,
) -> EmbeddingReport:
    """Measure a model's space next to the baselines on the well-known items of its data, and retrain it.

    interactions  the training data of the model: used for the raw rating rows, mean ratings, and retraining with other
                  numbers of dimensions (evaluated on the held-out fifth of the random protocol) and other seeds
    dimensions    numbers of dimensions to retrain with; those that reach the number of users or items are left out, and
                  all of them for a blend
    n_seeds       number of other seeds to retrain with
    progress      called with (steps done, total steps)

    Raises Unsupported for a model without vectors, InputError where fewer than fifty items are well known.
    """
    check_seed(seed)
    check_number("n_seeds", n_seeds, 0, MOST_RUNS, whole=True)
    for d in dimensions:
        check_number("dimensions", d, 1, MOST_FACTORS, whole=True)
    # One BLAS thread: in many small products threads mostly wait for each other, and they change the last bits.
    with threadpool_limits(1, "blas"):
        space, attributes = model.space, model.attributes
        evaluated = attributes.well_known
        if not np.array_equal(interactions.item_ids, model.item_ids):
            interactions = interactions.with_items(model.item_ids)
        vectors = {model.learner.name: _item_vectors(space)} | baselines(
            model.catalog, interactions.matrix, space.n_factors, seed
        )
        dimensions = [d for d in dimensions if d < min(interactions.matrix.shape) and has_n_factors(model)]
        step = _counter(progress, len(vectors) + len(dimensions) + n_seeds)
        return EmbeddingReport(
            model=model.learner.name,
            hyperparameters=dataclasses.asdict(model.learner),
            weighting=model.weighting.settings,
            data={key: value for key, value in model.data.items() if key != "path"},
            evaluated_items=int(evaluated.sum()),
            seed=seed,
            representations=_measure_all(vectors, attributes, mean_ratings(interactions.matrix), seed, step),
            divergence=_user_item_divergence(space, evaluated, seed),
            smoothness=_smoothness(space, attributes, seed),
            dimensions=by_dimension(model, interactions, dimensions, n_threads, seed, step),
            seeds=over_seeds(model, interactions, evaluated, n_seeds, seed, step),
        )


def measure(
    vectors: Vectors,
    attributes: Attributes,
    item_means: np.ndarray | None = None,
    seed: int = 42,
    given: Sequence[str] = (),
) -> Representation:
    """All measures of one representation: retrieval, probes, clusters, analogies, shape.

    vectors     (n_items, d) floats, dense or CSR, rows in the order of the attributes
    item_means  (n_items,) mean rating of each item, NaN where unknown; None without ratings
    given       names of the measures whose answers are part of the representation
    """
    evaluated, n_ratings = attributes.well_known, attributes.n_ratings
    genres, tags, decades = (attributes.of_kind(kind).common(evaluated) for kind in ("genre", "tag", "decade"))
    pairs = title_pairs(attributes.catalog, n_ratings if attributes.has_ratings else None)
    genre_auc = probe_auc(vectors, genres.carries, evaluated, seed)
    return Representation(
        dimensions=vectors.shape[1],
        genre_retrieval=retrieval(vectors, genres.carries, n_ratings, evaluated, seed=seed),
        tag_retrieval=retrieval(vectors, tags.carries, n_ratings, evaluated, seed=seed) if len(tags) else None,
        genre_auc=_mean(genre_auc),
        genre_auc_of={genre: known(area) for genre, area in zip(genres.names, genre_auc, strict=True)},
        decade_auc=_mean(probe_auc(vectors, decades.carries, evaluated, seed)),
        mean_rating_r2=None if item_means is None else known(probe_r2(vectors, item_means, evaluated, seed)),
        clusters=cluster_quality(vectors, genres.carries, evaluated, seed=seed),
        analogies=analogy_quality(vectors, pairs, evaluated),
        effective_rank=known(effective_rank(vectors[evaluated])),
        isotropy=known(isotropy(vectors[evaluated])),
        given=tuple(given),
    )


def mean_ratings(matrix: sp.csr_matrix) -> np.ndarray:
    """Mean rating of each item of a users × items matrix, (n_items,) float64, NaN for items without ratings."""
    counts = np.bincount(matrix.indices, minlength=matrix.shape[1])
    totals = np.bincount(matrix.indices, weights=matrix.data, minlength=matrix.shape[1])
    return np.divide(totals, counts, out=np.full(len(counts), np.nan), where=counts > 0)


def has_n_factors(model: Model) -> bool:
    """Whether the model can be retrained with another number of dimensions; a blend has those of its parts."""
    return hasattr(model.learner, "n_factors")


def by_dimension(
    model: Model,
    interactions: Interactions,
    dimensions: Sequence[int],
    n_threads: int = 1,
    seed: int = 42,
    step: Callable[[], None] = lambda: None,
) -> tuple[DimensionQuality, ...]:
    """Quality by number of dimensions: the model retrained on 80 % of each user's ratings.

    Numbers of dimensions that reach the number of items or users are left out. Raises InputError where no user has two
    ratings, so that nothing can be held out. The model must satisfy `has_n_factors`.
    """
    split = hold_out(interactions, "random", part="test", seed=seed)
    chosen = model.weighting.settings.choose(split.train.matrix)
    seen = sp.csr_matrix((np.ones_like(chosen.data), chosen.indices, chosen.indptr), shape=chosen.shape)
    dimensions = [d for d in dimensions if d < min(seen.shape)]
    singular_values = randomized_svd(seen, max(dimensions, default=1), n_iter=7, random_state=seed)[1]
    rows = []
    for d in dimensions:
        learner = model.learner_anew.replace(n_factors=d)
        trained = learner.fit(Dataset(split.train, model.catalog), model.weighting.settings)
        quality = rank_quality(trained, split, (10,), auc=False, n_threads=n_threads, seed=seed)
        ndcg = quality.summary.set_index("metric").to_dict("index")["ndcg@10"]
        rows.append(
            DimensionQuality(
                n_factors=d,
                ndcg=float(ndcg["mean"]),
                low=float(ndcg["low"]),
                high=float(ndcg["high"]),
                error=None if trained.space.has_bias else reconstruction_error(trained.space, seen),
                least_error=float(1 - (singular_values[:d] ** 2).sum() / seen.nnz),
            )
        )
        step()
    return tuple(rows)


def reconstruction_error(space: EmbeddingSpace, seen: sp.csr_matrix) -> float:
    """|P − XYᵀ|² / |P|² for a 0/1 matrix P (users × items), computed without XYᵀ: |P|² − 2 Σ_P x·y + tr(XᵀX·YᵀY)."""
    x, y = space.user_factors.astype(np.float64), space.item_factors.astype(np.float64)
    users = np.repeat(np.arange(seen.shape[0]), np.diff(seen.indptr))
    explained = 0.0
    for start in range(0, seen.nnz, 2**18):  # bounds the memory of the gathered rows
        block = slice(start, start + 2**18)
        explained += float(np.einsum("nd,nd->", x[users[block]], y[seen.indices[block]]))
    return float((seen.nnz - 2 * explained + ((x.T @ x) * (y.T @ y)).sum()) / seen.nnz)


def over_seeds(
    model: Model,
    interactions: Interactions,
    evaluated: np.ndarray,
    n_seeds: int = N_SEEDS,
    seed: int = 42,
    step: Callable[[], None] = lambda: None,
) -> SeedStability:
    """Retrain the model with `n_seeds` other seeds and compare the item vectors, over the `evaluated` items."""
    own = model.space.item_directions
    overlaps, ckas = [], []
    for number in range(n_seeds):
        learner = model.learner_anew.replace(seed=next_seed(seed, number))
        other = learner.fit(Dataset(interactions, model.catalog), model.weighting.settings).space.item_directions
        overlaps.append(overlap(own, other, evaluated))
        ckas.append(linear_cka(own[evaluated], other[evaluated]))
        step()
    chance = overlap(own, np.random.default_rng(seed).normal(size=own.shape), evaluated)
    return SeedStability(
        n=n_seeds,
        overlap=_mean(overlaps),
        least_overlap=known(min(overlaps, default=np.nan)),
        chance_overlap=known(chance),
        cka=_mean(ckas),
        least_cka=known(min(ckas, default=np.nan)),
    )


def _item_vectors(space: EmbeddingSpace) -> np.ndarray:
    return space.item_factors[:, : space.n_factors]


def _measure_all(
    vectors: Mapping[str, Vectors],
    attributes: Attributes,
    item_means: np.ndarray | None,
    seed: int,
    step: Callable[[], None],
) -> dict[str, Representation]:
    """Each representation measured, in the given order; `step` is called after each."""
    measured = {}
    for name, rows in vectors.items():
        measured[name] = measure(rows, attributes, item_means, seed, GIVEN.get(name, ()))
        step()
    return measured


def _user_item_divergence(space: EmbeddingSpace, evaluated: np.ndarray, seed: int) -> Divergence:
    """Divergence of the users with a vector and the evaluated items; undefined where one side is too small."""
    users = space.user_factors[space.user_factors[:, : space.n_factors].any(axis=1), : space.n_factors]
    try:
        return divergence(users, _item_vectors(space)[evaluated], seed=seed)
    except InputError:
        return Divergence(None, None, None, None)


def _smoothness(space: EmbeddingSpace, attributes: Attributes, seed: int) -> Smoothness | None:
    """Smoothness between the evaluated items; undefined where too few of them have genres."""
    try:
        return smoothness(space, attributes, seed=seed)
    except InputError:
        return None


def _counter(progress: Progress | None, total: int) -> Callable[[], None]:
    """A function that reports one more step done each time it is called."""
    done = 0

    def step() -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress(done, total)

    return step


def _mean(values: Sequence[float] | np.ndarray) -> float | None:
    """The mean of the defined values, None if there are none."""
    defined = np.asarray(values, dtype=np.float64)
    defined = defined[~np.isnan(defined)]
    return float(defined.mean()) if len(defined) else None
