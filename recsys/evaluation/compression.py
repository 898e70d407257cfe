"""Lossy compression: how much of a user's taste passes through a vector of d numbers. Does no I/O.

Models are trained with d = 1, 2, 4, … dimensions on most of the users. The other users are new: half of their ratings
are encoded into a vector, which is decoded into scores of all items. Three measures of the scores:

    known  perplexity of the ratings that were encoded: what the compression loses
    other  perplexity of the user's other ratings: what the vector says beyond the ratings it was made from
    ndcg   nDCG@10 of the other ratings

The scores of different models have different units: parts of a weight, preferences, log-probabilities. A squared error
would favour PCA, which minimizes it, and it depends on how many items a user rated, which `vae` does not encode. The
loss here is logarithmic, as in rate-distortion theory for estimates that are distributions (Courtade & Weissman 2014,
"Multiterminal source coding under logarithmic loss"): scores become the distribution of one item that the user rated,

    p(i | u) = softmax_i(a·s_ui + b·ln(n_i + 1))

with s_ui the score less the user's mean over all items, over the user's standard deviation, and n_i the ratings of i in
training. a and b are those with the least loss on the measured ratings, so each model gets the unit and the weight of
popularity that suit it best; two numbers cannot fit thousands of ratings. The loss is the mean of −ln p over the
ratings of each user, then over users. Its exponential, the perplexity, is the number of equally likely items that
leaves as much uncertainty. For `other`, what is known of a user is left out of the softmax.

`vae` is trained on a loss of this kind, the others are not. So the perplexity shows what a model gains from d, and nDCG
which model is better.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import scipy.optimize
import scipy.sparse as sp
import scipy.special
from sklearn.utils.extmath import randomized_svd

from recsys.dataset.dataset import Dataset
from recsys.dataset.interactions import Interactions
from recsys.dataset.split import HoldOut, hold_out
from recsys.errors import InputError, SettingError, quoted
from recsys.evaluation.interval import Interval, intervals
from recsys.evaluation.ranking import rank_quality
from recsys.evaluation.serialization import json_key, to_json
from recsys.limits import MOST_FACTORS, MOST_SEED, check_number
from recsys.models import MODELS, VAE, Learner, Model, Popular
from recsys.models.fitted import Vectors
from recsys.models.learner import VectorLearner, Watch
from recsys.models.settings import setting
from recsys.progress import Progress, StartProgress, no_progress
from recsys.recommend.topn import batch_of_users
from recsys.space.embedding import EmbeddingSpace
from recsys.topk import canonical, row_blocks

DIMENSIONS = (1, 2, 4, 8, 16, 32, 64, 128)
KINDS = ("pca", "ials", "vae")
MOST_USERS = 1000
"""New users whose perplexity is measured; of more, a random sample."""
SCORES_AT_ONCE = 2**22
BOTTLENECK_VAE = {"variant": "multvae", "hidden": 200, "learning_rate": 0.005, "patience": 25}
"""Mult-VAE trains in seconds where RecVAE takes minutes. Chosen on the validation part of MovieLens 100K at d = 32."""


@dataclass(frozen=True)
class PCA(VectorLearner):
    """Principal components of the weights, not centred: the truncated SVD of the users × items matrix W.

    item_factors = V (n_items, d), the first right singular vectors; user_factors = W V. The product is the matrix of
    rank d with the least squared error (Eckart & Young 1936). New users are projected onto V. A reference for other
    models, so it is not in `MODELS`.
    """

    name: ClassVar[str] = "pca"
    summary: ClassVar[str] = "truncated SVD of the weights"

    n_factors: int = setting(64, "number of dimensions", 1, MOST_FACTORS)
    seed: int = setting(42, "of the randomized SVD", 0, MOST_SEED)

    def _learn(
        self,
        weights: Interactions,
        progress: Progress | None = None,
        watch: Watch | None = None,
        start: EmbeddingSpace | None = None,
    ) -> Vectors:
        components = randomized_svd(weights.matrix, self.n_factors, n_iter=7, random_state=self.seed)[2]
        items = np.ascontiguousarray(components.T, dtype=np.float32)
        return Vectors(EmbeddingSpace(items, weights.item_ids, weights.matrix @ items, weights.user_ids), self)

    def fold_in(self, space: EmbeddingSpace, weights: sp.csr_matrix) -> np.ndarray:
        """The projection W V."""
        return np.asarray(weights @ space.item_factors, dtype=np.float32)

    def contributions(self, space: EmbeddingSpace, weights: sp.csr_matrix, item_rows: np.ndarray) -> np.ndarray:
        """The exact split: each rated item adds its weight times the product of the two item vectors."""
        shares: np.ndarray = space.item_factors[weights.indices] @ space.item_factors[item_rows].T
        return shares * weights.data[:, None]


@dataclass(frozen=True)
class Point:
    """One model with `n_factors` dimensions; see the top of the module."""

    n_factors: int
    known: float
    other: float
    ndcg: Interval = field(metadata=json_key("ndcg@10"))


@dataclass(frozen=True)
class Curve:
    """A kind of model, its settings without the number of dimensions, and its points by number of dimensions."""

    model: str
    settings: dict[str, int | float | str | None]
    points: tuple[Point, ...]


@dataclass(frozen=True, repr=False)
class Compression:
    """Models with bottlenecks of several widths; returned by `compression`.

    fingerprint  of the folder of the stored model that the data and the weighting belong to, or None
    data         name of the data
    seed         of the split
    users        number of new users
    n_items      number of items
    popular      the point of 0 dimensions: popularity alone, with a = 0
    curves       one per kind of model

    Raises InputError for a perplexity that no distribution over the items has, a point without nDCG, or points that are
    not in the order of their dimensions.
    """

    fingerprint: str | None
    data: str
    seed: int
    users: int
    n_items: int
    popular: Point
    curves: tuple[Curve, ...]

    def __post_init__(self) -> None:
        for name, points in [("popular", (self.popular,)), *((curve.model, curve.points) for curve in self.curves)]:
            numbers = [point.n_factors for point in points]
            if not numbers or numbers != sorted(set(numbers)) or numbers[0] < (name != "popular"):
                raise InputError(f"{name}: the numbers of dimensions must be positive and ascend")
            for point in points:
                if not all(1 <= value <= 1.001 * self.n_items for value in (point.known, point.other)):
                    raise InputError(f"{name}: a perplexity is not between 1 and the number of items, {self.n_items}")
                if None in (point.ndcg.mean, point.ndcg.low, point.ndcg.high):
                    raise InputError(f"{name}: nDCG@10 is undefined")

    def to_frame(self) -> pd.DataFrame:
        """One row per model and number of dimensions, popularity first.

        Columns model, n_factors, known, other, ndcg, ndcg_low, ndcg_high.
        """
        rows = [("popular", self.popular)] + [(curve.model, point) for curve in self.curves for point in curve.points]
        return pd.DataFrame(
            [(name, p.n_factors, p.known, p.other, p.ndcg.mean, p.ndcg.low, p.ndcg.high) for name, p in rows],
            columns=["model", "n_factors", "known", "other", "ndcg", "ndcg_low", "ndcg_high"],
        )

    def to_json(self) -> dict[str, Any]:
        """Plain values, as `recsys compression --json` prints them and compression.json stores them."""
        return to_json(self)

    def __repr__(self) -> str:
        return f"Compression: {self.users:,} new users\n{self.to_frame().round(3).to_string(index=False)}"


def kinds_for(model: Model) -> tuple[str, ...]:
    """`KINDS`, and the model's own kind if its number of dimensions is a setting."""
    own = model.learner.name
    return KINDS if own in KINDS or not hasattr(model.learner, "n_factors") else (*KINDS, own)


def compression(
    model: Model,
    interactions: Interactions,
    *,
    of: Sequence[str] = KINDS,
    dimensions: Sequence[int] = DIMENSIONS,
    seed: int = 42,
    earlier: Compression | None = None,
    keep: Callable[[Compression], None] = lambda _: None,
    n_threads: int = 1,
    progress: StartProgress = no_progress,
) -> Compression:
    """Train models with d = 1, 2, 4, … dimensions and measure what new users' vectors tell.

    model         gives the weighting, and the settings of the models of its kind; others have default settings, and
                  `vae` those of `BOTTLENECK_VAE`
    interactions  the training data of the model
    of            kinds of models: "pca", or a model whose number of dimensions is a setting
    dimensions    numbers of dimensions; those that reach the number of users or items are left out
    seed          of the split: the protocol "new-users", test part
    earlier       what was measured before on the same data: points with the same seed and settings are kept
    keep          called with everything measured so far, after each point
    progress      called with the name of each stage; returns a function to call with (steps done, steps in all)

    Raises SettingError for an unknown kind or one without dimensions, InputError for data too small to split, and
    whatever training raises. An interrupt during training is raised again, also where the learner would keep its best
    epoch.
    """
    check_number("seed", seed, 0, MOST_SEED, whole=True)
    for d in dimensions:
        check_number("dimensions", d, 1, MOST_FACTORS, whole=True)
    learners = {kind: _learner(kind, model) for kind in of}
    split = hold_out(interactions, "new-users", seed=seed)
    dimensions = sorted({d for d in dimensions if d < min(split.train.matrix.shape)})
    measured = _Measured.of(model, split, seed, n_threads)
    if earlier is not None and (earlier.fingerprint, earlier.seed) != (model.fingerprint, seed):
        earlier = None
    curves = {} if earlier is None else {curve.model: curve for curve in earlier.curves}
    found = Compression(
        fingerprint=model.fingerprint,
        data=str(model.data.get("name", "")),
        seed=seed,
        users=split.known.n_users,
        n_items=split.known.n_items,
        popular=measured.popular,
        curves=tuple(curves.values()),
    )
    for kind, learner in learners.items():
        settings = {name: value for name, value in dataclasses.asdict(learner).items() if name != "n_factors"}
        curve = curves.get(kind)
        points = {} if curve is None or curve.settings != settings else {p.n_factors: p for p in curve.points}
        left = [d for d in dimensions if d not in points]
        report = progress(f"training {kind}")
        for at, d in enumerate(left):
            points[d] = measured.point(learner.replace(n_factors=d), d, _part(report, at, len(left)))
            curves[kind] = Curve(kind, settings, tuple(points[n] for n in sorted(points)))
            found = dataclasses.replace(found, curves=tuple(curves.values()))
            keep(found)
        report(1, 1)
    return found


def perplexity(
    scores: Callable[[slice], np.ndarray],
    n_ratings: np.ndarray,
    truth: sp.csr_matrix,
    left_out: sp.csr_matrix | None = None,
    *,
    by_popularity: bool = False,
) -> float:
    """exp of the mean loss of the rated items, with the a and b that minimize it; see the top of the module.

    scores         called with a range of users: their scores, (n, n_items)
    n_ratings      (n_items,) ratings of each item in training
    truth          CSR (n_users, n_items), at least one rating of each user
    left_out       CSR of the same shape: items that are no choice for a user
    by_popularity  a = 0: popularity alone
    """
    blocks = list(row_blocks(truth.shape[0], max(1, SCORES_AT_ONCE // truth.shape[1])))
    popularity = np.log(n_ratings + 1.0)

    def loss(chosen: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        """Mean loss, its gradient (2,) and its second derivatives (2, 2) for (a, b)."""
        total, gradient, curvature = 0.0, np.zeros(2), np.zeros((2, 2))
        for block in blocks:
            features = np.empty((2, *truth[block].shape))
            features[0], features[1] = _standardized(scores(block)), popularity
            exponents = np.tensordot(chosen, features, 1)
            if left_out is not None:
                exponents[left_out[block].nonzero()] = -np.inf
            logs = exponents - scipy.special.logsumexp(exponents, axis=1, keepdims=True)
            shares = np.exp(logs)
            counts = np.diff(truth[block].indptr)
            users, items = np.repeat(np.arange(len(counts)), counts), truth[block].indices
            weights = 1 / np.repeat(counts, counts)
            means = np.einsum("fui,ui->fu", features, shares)
            total -= (weights * logs[users, items]).sum()
            gradient += means.sum(axis=1) - features[:, users, items] @ weights
            curvature += np.einsum("fui,gui,ui->fg", features, features, shares, optimize=True) - means @ means.T
        n = truth.shape[0]
        return total / n, gradient / n, curvature / n

    free = np.array([not by_popularity, True])

    def of_free(values: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        chosen = np.zeros(2)
        chosen[free] = values
        value, gradient, curvature = loss(chosen)
        return value, gradient[free], curvature[np.ix_(free, free)]

    return float(np.exp(_least(of_free, np.array([0.0, 1.0])[free])))


def _least(function: Callable[[np.ndarray], tuple[float, np.ndarray, np.ndarray]], start: np.ndarray) -> float:
    """The least value of a convex function of two numbers, which returns its value, gradient and second derivatives."""
    best = scipy.optimize.minimize(
        lambda x: function(x)[:2], start, jac=True, hess=lambda x: function(x)[2], method="trust-exact"
    )
    return float(best.fun)


def _standardized(scores: np.ndarray) -> np.ndarray:
    """Scores less each user's mean, over each user's standard deviation; zeros where all are equal."""
    centred = scores - scores.mean(axis=1, keepdims=True, dtype=np.float64)
    spread = centred.std(axis=1, keepdims=True)
    return np.divide(centred, spread, out=np.zeros_like(centred), where=spread > 0)


@dataclass(frozen=True, eq=False)
class _Measured:
    """The new users, and what measures a model on them.

    known, other  the ratings of those whose perplexity is measured, float32 CSR
    """

    like: Model
    split: HoldOut
    known: Interactions
    other: sp.csr_matrix
    popular: Point
    seed: int
    n_threads: int

    @classmethod
    def of(cls, model: Model, split: HoldOut, seed: int, n_threads: int) -> _Measured:
        counts = [np.diff(matrix.indptr) for matrix in (split.known.matrix, split.truth)]
        rows = np.flatnonzero((counts[0] > 0) & (counts[1] > 0))
        if len(rows) > MOST_USERS:
            rows = np.sort(np.random.default_rng(seed).choice(rows, MOST_USERS, replace=False))
        known = Interactions(split.known.matrix[rows], split.known.user_ids[rows], split.known.item_ids)
        other = canonical(split.truth[rows])
        by_popularity = Popular().fit(Dataset(split.train, model.catalog), model.weighting.settings)
        unfinished = cls(model, split, known, other, Point(0, 1.0, 1.0, Interval(None, None, None)), seed, n_threads)
        return dataclasses.replace(unfinished, popular=unfinished._measure(by_popularity, 0))

    def point(self, learner: Learner, n_factors: int, progress: Progress) -> Point:
        """Train a learner on the other users and measure it. Raises KeyboardInterrupt if training was interrupted."""
        data = Dataset(self.split.train, self.like.catalog)
        trained = learner.fit(data, self.like.weighting.settings, progress=progress)
        if trained.learner != learner:  # Ctrl-C ended it: it records the epochs it completed
            raise KeyboardInterrupt
        return self._measure(trained, n_factors)

    def _measure(self, model: Model, n_factors: int) -> Point:
        batch = batch_of_users(model, self.known)

        def scores(rows: slice) -> np.ndarray:
            return model.fitted.score(batch[rows], model.weighting)

        quality = rank_quality(model, self.split, (10,), auc=False, n_threads=self.n_threads, seed=self.seed)
        counts, is_popular = model.n_ratings, n_factors == 0
        return Point(
            n_factors,
            perplexity(scores, counts, canonical(self.known.matrix), by_popularity=is_popular),
            perplexity(scores, counts, self.other, self.known.matrix, by_popularity=is_popular),
            intervals(quality.summary)["ndcg@10"],
        )


def _learner(kind: str, model: Model) -> Any:
    """The learner of a kind, with the settings that its curve is measured with."""
    if kind == "pca":
        return PCA()
    made = MODELS.get(kind)
    if made is None or not made.has_vectors or "n_factors" not in {f.name for f in dataclasses.fields(made)}:
        raise SettingError(f"{quoted(kind)} has no number of dimensions to vary; use pca or a model with n_factors")
    if made is VAE:
        return VAE(**BOTTLENECK_VAE)  # type: ignore[arg-type]
    return model.learner_anew if model.learner.name == kind else made()


def _part(report: Progress, at: int, n: int) -> Progress:
    """The progress of one of `n` trainings as part of all of them."""
    return lambda done, total: report(at * 100 + round(100 * done / max(total, 1)), n * 100)
