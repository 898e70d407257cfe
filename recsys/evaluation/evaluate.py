"""Evaluate learners on held-out ratings: train each on the same split and compare their rankings. Does no I/O."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from recsys.dataset.catalog import Catalog
from recsys.dataset.dataset import Dataset
from recsys.dataset.split import FewKnown, HoldOut, Part, Protocol, few_known, hold_out
from recsys.dataset.weighting import Weighting
from recsys.errors import InputError, SettingError
from recsys.evaluation.few_ratings import FewRatings, few_ratings, rank_from_few
from recsys.evaluation.interval import Interval, intervals, paired
from recsys.evaluation.ranking import (
    HEAD_TO_TAIL,
    Ranking,
    best_known,
    by_activity,
    by_popularity,
    check_lengths,
    rank_quality,
)
from recsys.evaluation.serialization import json_key, to_json
from recsys.models import Learner, Model
from recsys.progress import StartProgress, no_progress
from recsys.threads import n_cores


@dataclass(frozen=True)
class ActivityGroup:
    """Quality for the users with `fewest` to `most` known ratings: mean nDCG with its 95 % interval."""

    users: int
    fewest: int
    most: int
    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class PopularityPart:
    """One third of the catalogue by ratings ("head", "middle" or "tail").

    items            number of items
    ratings          share of all training ratings, 0 … 1
    recommendations  share of all recommended items, 0 … 1
    """

    part: str
    items: int
    ratings: float
    recommendations: float


@dataclass(frozen=True)
class EvaluatedModel:
    """The result of one learner.

    seconds_to_train  wall time of the training, seconds
    evaluated_users   users with held-out ratings, over which the means are taken
    skipped_users     users without held-out ratings
    cold_users        evaluated users without known ratings; they were recommended the most popular items
    metrics           by name, such as "ndcg@10" or "auc"; see `recsys.evaluation.ranking` for the definitions
    lead_of_first     for every metric that is a mean over users, the first model's value minus this one's: mean and
                      95 % interval of the differences over the same users. Empty for the first model
    from_few          quality for new users of whom few ratings are known, fewest first
    by_activity       nDCG of user groups, least active first
    by_popularity     head, middle and tail of the catalogue
    """

    model: str
    hyperparameters: dict[str, int | float | str]
    seconds_to_train: float
    evaluated_users: int = field(metadata=json_key("judged"))
    skipped_users: int = field(metadata=json_key("not_judged"))
    cold_users: int = field(metadata=json_key("cold"))
    metrics: dict[str, Interval]
    lead_of_first: dict[str, Interval]
    from_few: tuple[FewRatings, ...]
    by_activity: tuple[ActivityGroup, ...]
    by_popularity: tuple[PopularityPart, ...]


@dataclass(frozen=True)
class TrainedModel:
    """The stored model whose settings the first learner has: its name and the fingerprint of its folder."""

    name: str
    fingerprint: str


@dataclass(frozen=True, repr=False)
class Evaluation:
    """Learners compared on one split; returned by `evaluate`.

    data            name of the dataset, or the folder it was read from
    protocol, part  how the ratings were split, see `hold_out`; `seed` is the seed of the split
    k               lengths of the recommendation lists
    weighting       which ratings counted, and how much
    train_ratings   ratings to train on
    hidden_ratings  held-out ratings
    best_known      number of best-known items, which the metric ndcg_beyond leaves out
    few_users       new users over whom the means of `from_few` are taken; 0 if that was not measured
    trained         the stored model that the first result belongs to, or None
    seconds         wall time of the evaluation, seconds
    results         one per learner, in the given order

    Raises InputError when the parts do not fit together. The docstring of `evaluate` has an example.
    """

    data: str
    protocol: Protocol
    part: Part
    seed: int
    k: tuple[int, ...]
    weighting: Weighting = field(metadata=json_key("confidence"))
    train_ratings: int
    hidden_ratings: int
    best_known: int
    few_users: int
    trained: TrainedModel | None
    seconds: float
    results: tuple[EvaluatedModel, ...]

    def __post_init__(self) -> None:
        if not self.k or not self.results:
            raise InputError("an evaluation needs at least one list length and one result")
        for result in self.results:
            for at in self.k:
                _check_metrics(result, at)
            if [part.part for part in result.by_popularity] != list(HEAD_TO_TAIL):
                raise InputError(f"{result.model}: by_popularity must have the parts {', '.join(HEAD_TO_TAIL)}")
            if len(result.by_activity) != len(self.results[0].by_activity):
                raise InputError(f"{result.model}: has other activity groups than {self.results[0].model}")
            if [few.n_known for few in result.from_few] != [few.n_known for few in self.results[0].from_few]:
                raise InputError(f"{result.model}: has other numbers of known ratings than {self.results[0].model}")
        for result in self.results[1:]:
            leads = [result.lead_of_first.get(f"ndcg@{self.main_k}"), *(few.ndcg_lead for few in result.from_few)]
            if None in leads:
                raise InputError(f"{result.model}: is not compared with {self.results[0].model}")

    @property
    def main_k(self) -> int:
        """The list length of `by_activity` and `by_popularity`: 10 if it is among `k`, else the first."""
        return _main_k(self.k)

    @property
    def labels(self) -> tuple[str, ...]:
        """A name for each result: the model, followed by the settings that differ where a model occurs repeatedly."""
        names = [result.model for result in self.results]
        return tuple(
            result.model if names.count(result.model) == 1 else f"{result.model}{_differences(result, self.results)}"
            for result in self.results
        )

    def to_frame(self) -> pd.DataFrame:
        """One row per model and metric; undefined numbers are NaN.

        Columns model, metric, mean, low, high; lead, lead_low, lead_high: the first model's mean minus this one's, over
        the same users.
        """
        none = Interval(None, None, None)
        rows = [
            (label, metric, *_numbers(value), *_numbers(result.lead_of_first.get(metric, none)))
            for label, result in zip(self.labels, self.results, strict=True)
            for metric, value in result.metrics.items()
        ]
        numbers = ["mean", "low", "high", "lead", "lead_low", "lead_high"]
        frame = pd.DataFrame(rows, columns=["model", "metric", *numbers])
        return frame.astype(dict.fromkeys(numbers, np.float64))

    def to_json(self) -> dict[str, Any]:
        """Plain values, as `recsys evaluate --json` prints them and ranking.json stores them."""
        return to_json(self)

    def __repr__(self) -> str:
        table = pd.DataFrame(
            {label: result.metrics for label, result in zip(self.labels, self.results, strict=True)}
        ).map(str)
        return (
            f"Evaluation: {self.protocol} protocol, {self.part} part, {self.train_ratings:,} training ratings, "
            f"{self.hidden_ratings:,} held out\n{table.to_string()}"
        )


def evaluate(
    data: Dataset,
    learners: Learner | Sequence[Learner],
    *,
    protocol: Protocol = "random",
    part: Part = "test",
    k: int | Sequence[int] = (10,),
    weighting: Weighting | None = None,
    seed: int = 42,
    few: Sequence[int] = (),
    n_threads: int | None = None,
    progress: StartProgress | None = None,
) -> Evaluation:
    """Train each learner on the training part of a split and measure how well it ranks the held-out ratings.

    data       the ratings and the catalogue
    learners   one model, or models to compare, such as `[IALS(), EASE()]`
    protocol   "random" holds out a fifth of each user's ratings, "leave-last-out" each user's latest rating, "time"
               the latest fifth of all ratings, "new-users" half of the ratings of a fifth of the users; see `hold_out`
    part       "test", or "validation": the same protocol applied to the training part of the test split
    k          length of the recommendation lists, at least 1, or several lengths
    weighting  which ratings count as interest, and how much; default `Weighting()`
    seed       seed of the split
    few        also measure quality for new users of whom so many ratings are known, such as (3, 5, 10, 20); see
               `recsys.evaluation.few_ratings`. Unless the protocol is "new-users", every model is trained once more, on
               other users than those it is then measured on. Numbers that too few users have are left out
    n_threads  threads for ranking; default: all processors
    progress   called with the name of each stage; returns a function to call with (steps done, steps in all)

    Means over users come with 95 % bootstrap intervals (Efron 1979, 1,000 resamples); so do the differences between the
    first model and each other one over the same users, which show whether it is better. Metrics, formulas and the
    treatment of ties are documented in `recsys.evaluation.ranking`.

    Raises InputError if the data are too small for the protocol, have no timestamps where it needs them, or training
    fails; SettingError for an unknown protocol or part, a k or seed out of range, or without learners.

    >>> import pandas as pd
    >>> from recsys.models import EASE, Popular
    >>> rows = [(user, item) for user in range(40) for item in range(20) if (user + item) % 2 and (user + 3 * item) % 7]
    >>> data = Dataset.from_frame(pd.DataFrame(rows, columns=["user", "item"]), name="two tastes")
    >>> evaluation = evaluate(data, [EASE(), Popular()], k=(5,), weighting=Weighting(scheme="binary"))
    >>> frame = evaluation.to_frame()
    >>> list(frame.columns), sorted(set(frame["model"]))
    (['model', 'metric', 'mean', 'low', 'high', 'lead', 'lead_low', 'lead_high'], ['ease', 'popular'])
    >>> evaluation.results[1].lead_of_first["ndcg@5"].low > 0.2
    True
    """
    begun = time.perf_counter()
    if not isinstance(data, Dataset):
        raise TypeError(f"evaluate takes a Dataset, not {type(data).__name__}; build one with Dataset.from_frame")
    learners = [learners] if isinstance(learners, Learner) else list(learners)
    if not learners or not all(isinstance(learner, Learner) for learner in learners):
        raise SettingError("name at least one learner to evaluate, such as [IALS(), EASE()]")
    k = (k,) if isinstance(k, int | np.integer) else tuple(k)
    check_lengths(k)
    split = hold_out(data.interactions, protocol, part=part, seed=seed)
    from_few = few_known(data.interactions, few, part=part, seed=seed) if few else None
    if from_few is not None and not from_few.known:
        from_few = None
    n_threads = n_threads or n_cores()
    at, stage = _main_k(k), progress or no_progress
    results: list[EvaluatedModel] = []
    first: _Measured | None = None
    for learner in learners:
        measured = _measured(learner, split, from_few, data.catalog, weighting, k, n_threads, stage)
        results.append(_evaluated(measured, first, at))
        first = first or measured
    assert first is not None
    return Evaluation(
        data=data.name,
        protocol=protocol,
        part=part,
        seed=seed,
        k=tuple(k),
        weighting=weighting or Weighting(),
        train_ratings=split.train.n_ratings,
        hidden_ratings=int(split.truth.nnz),
        best_known=int(best_known(first.model.n_ratings).sum()),
        few_users=len(first.from_few),
        trained=None,
        seconds=round(time.perf_counter() - begun, 1),
        results=tuple(results),
    )


@dataclass(frozen=True, eq=False)
class _Measured:
    """One learner: the model trained on the split, its quality, and that from few ratings, one row per user."""

    model: Model
    seconds: float
    ranking: Ranking
    from_few: pd.DataFrame


def _measured(
    learner: Learner,
    split: HoldOut,
    few: FewKnown | None,
    catalog: Catalog,
    weighting: Weighting | None,
    k: Sequence[int],
    n_threads: int,
    stage: StartProgress,
) -> _Measured:
    """Train one learner on a split and measure it."""
    started = time.perf_counter()
    model = learner.fit(Dataset(split.train, catalog), weighting, progress=stage(f"training {learner.name}"))
    seconds = time.perf_counter() - started
    ranking = rank_quality(
        model, split, k, beyond=True, n_threads=n_threads, progress=stage(f"evaluating {learner.name}")
    )
    if few is None:
        return _Measured(model, seconds, ranking, pd.DataFrame())
    without_users = model
    if few.train.n_users != split.train.n_users:  # not the protocol that excludes these users anyway
        report = stage(f"training {learner.name}")
        without_users = learner.fit(Dataset(few.train, catalog), weighting, progress=report)
    from_few = rank_from_few(without_users, few, _main_k(k), n_threads=n_threads)
    return _Measured(model, seconds, ranking, from_few)


def _evaluated(measured: _Measured, first: _Measured | None, k: int) -> EvaluatedModel:
    """The result of one learner, compared with that of the first one (None: this is the first)."""
    ranking = measured.ranking
    groups = by_activity(ranking, f"ndcg@{k}").itertuples(index=False)
    parts = by_popularity(ranking.listed[k], measured.model.n_ratings).itertuples(index=False)
    lead = {} if first is None else intervals(paired(first.ranking.metrics, ranking.metrics, ranking.seed))
    return EvaluatedModel(
        model=measured.model.learner.name,
        hyperparameters=dataclasses.asdict(measured.model.learner),
        seconds_to_train=round(measured.seconds, 3),
        evaluated_users=len(ranking.users),
        skipped_users=ranking.skipped,
        cold_users=ranking.cold,
        metrics=intervals(ranking.summary),
        lead_of_first=lead,
        from_few=few_ratings(measured.from_few, None if first is None else first.from_few),
        by_activity=tuple(ActivityGroup(*row) for row in groups),
        by_popularity=tuple(PopularityPart(*row) for row in parts),
    )


def _numbers(value: Interval) -> tuple[float | None, float | None, float | None]:
    return value.mean, value.low, value.high


def _main_k(k: Sequence[int]) -> int:
    return 10 if 10 in k else k[0]


def _check_metrics(result: EvaluatedModel, k: int) -> None:
    """Raise InputError unless the metrics that every evaluation has are there, and defined where they always are."""
    for name in ("ndcg", "recall", "precision", "novelty", "coverage", "gini", "ndcg_beyond", "best_known"):
        value = result.metrics.get(f"{name}@{k}")
        if value is None:
            raise InputError(f"{result.model}: has no {name}@{k}")
        if name in ("ndcg", "coverage", "gini") and value.mean is None:
            raise InputError(f"{result.model}: {name}@{k} is undefined")
        if name == "ndcg" and (value.low is None or value.high is None):
            raise InputError(f"{result.model}: {name}@{k} has no interval")


def _differences(result: EvaluatedModel, results: Sequence[EvaluatedModel]) -> str:
    """The settings in which a result differs from others of the same model, such as " (n_factors=8)"."""
    others = [other.hyperparameters for other in results if other.model == result.model]
    settings = [
        f"{name}={value}"
        for name, value in result.hyperparameters.items()
        if any(other.get(name) != value for other in others)
    ]
    return f" ({', '.join(settings)})" if settings else ""
