"""Evaluate and tune: train on a part of the data and measure on what was held out."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recsys import store
from recsys.dataset.dataset import Dataset
from recsys.dataset.split import FEW, Part, Protocol, hold_out
from recsys.dataset.weighting import Weighting
from recsys.errors import InputError
from recsys.evaluation.evaluate import Evaluation, TrainedModel
from recsys.evaluation.evaluate import evaluate as evaluate_learners
from recsys.evaluation.ranking import check_metric
from recsys.evaluation.tune import tune as find_settings
from recsys.models import DEFAULT_MODEL, Learner, Model, with_settings
from recsys.models.ease import MOST_ITEMS as MOST_ITEMS_OF_EASE
from recsys.progress import StartProgress, no_progress
from recsys.threads import n_cores
from recsys.workflows.common import check_data, check_output, learner_called, writing

BASELINES = ("popular", "itemknn", "ease")
"""Models that train quickly; a model worth using beats them."""


@dataclass(frozen=True)
class TunedSettings:
    """The result of a search: the best settings, written to `out`, and the study file for continuing the search.

    n_trials  finished trials, those of earlier runs included
    default   the metric with default settings
    best      the metric with `params`
    params    the best settings; with min_rating and weighting where they were given or searched
    """

    model: str
    protocol: Protocol
    metric: str
    n_trials: int
    default: float
    best: float
    params: Mapping[str, Any]
    out: Path
    study: Path

    def to_json(self) -> dict[str, Any]:
        """Plain values, as `recsys tune --json` prints them."""
        return {
            "model": self.model,
            "protocol": self.protocol,
            "metric": self.metric,
            "trials": self.n_trials,
            "default": self.default,
            "best": self.best,
            "params": dict(self.params),
            "out": str(self.out),
            "study": str(self.study),
        }


def evaluate(
    data: Path,
    *,
    models: Sequence[str] | None = None,
    trained: Path | None = None,
    compare: Sequence[Path] = (),
    protocol: Protocol = "random",
    part: Part = "test",
    k: Sequence[int] = (10,),
    settings: Mapping[str, Any] | None = None,
    weighting: Weighting | None = None,
    seed: int = 42,
    few: Sequence[int] = FEW,
    out: Path | None = None,
    start_progress: StartProgress = no_progress,
) -> Evaluation:
    """Train each model on the training part of a protocol and evaluate it on the held-out ratings.

    models   kinds of models; default: ials, or with `trained` those of `baselines_for`. `settings` apply to a single
             model only
    trained  a model folder: a model with its settings is evaluated first, and its weighting is used for all models.
             The result is stored in the folder as ranking.json
    compare  model folders with the same weighting: models with their settings are evaluated next
    seed     seed of the split
    few      also measure quality from so many known ratings
    out      JSON file for the result, instead of the model's folder; without both nothing is stored
    """
    own = None if trained is None else trained / store.RANKING
    out = out or own
    if out is not None:
        check_output(out, inputs=[data, trained, *compare], own=[own])
    stored = store.load_prepared(data)
    learners: list[Any] = []
    trained_model: TrainedModel | None = None
    if trained is not None:
        if settings or weighting is not None:
            raise InputError(f"settings and weighting are those of {trained}; leave out what would change them")
        model = store.load_model(trained)
        check_data(model, trained, stored, data)
        learners, weighting = [model.learner_anew], model.weighting.settings
        trained_model = TrainedModel(trained.resolve().name, str(model.fingerprint))
        for folder in compare:
            learners.append(_to_compare(folder, weighting, trained, stored, data))
        models = baselines_for(model) if models is None and not compare else models or ()
    elif compare:
        raise InputError("name the model folder to compare with the others by --trained")
    elif models is None:
        models = (DEFAULT_MODEL,)
    if settings and len(models) > 1:
        raise InputError("settings are for one model; evaluate the models one by one, or all with their defaults")
    learners += [with_settings(learner_called(name), settings or {}) for name in models]
    found = evaluate_learners(
        stored,
        learners,
        protocol=protocol,
        part=part,
        k=k,
        weighting=weighting,
        seed=seed,
        few=few,
        progress=start_progress,
    )
    found = dataclasses.replace(found, data=str(data), trained=trained_model)
    if out is not None:
        if trained_model is not None and trained is not None:
            store.check_unchanged(trained, trained_model.fingerprint)
        store.write_json(out, found.to_json())
    return found


def _to_compare(folder: Path, weighting: Weighting, trained: Path, stored: Dataset, data: Path) -> Learner:
    """The untrained learner of another model folder. Raises InputError unless it was trained alike on these data."""
    other = store.load_model(folder)
    check_data(other, folder, stored, data)
    if other.weighting.settings != weighting:
        raise InputError(f"{folder}: weights ratings otherwise than {trained}; train both with the same weighting")
    return other.learner_anew


def baselines_for(model: Model) -> tuple[str, ...]:
    """The kinds of models that a trained one is compared with by default: not its own kind, and none that cannot be
    trained on so many items."""
    too_many = ("ease",) if len(model.item_ids) > MOST_ITEMS_OF_EASE else ()
    return tuple(name for name in BASELINES if name not in (model.learner.name, *too_many))


def tune(
    data: Path,
    out: Path,
    *,
    model: str = DEFAULT_MODEL,
    protocol: Protocol = "random",
    metric: str = "ndcg@10",
    repeats: int = 1,
    n_trials: int = 50,
    minutes: float | None = None,
    settings: Mapping[str, Any] | None = None,
    weighting: Weighting | None = None,
    search_weighting: bool = False,
    seed: int = 42,
    start_progress: StartProgress = no_progress,
) -> TunedSettings:
    """Search for the settings that are best on the validation part of a protocol; write them as JSON for
    `train --params`.

    model     kind of model
    repeats   draws of the validation part; the mean of the metric over them counts
    n_trials  trials in total, those of an interrupted search included
    minutes   stop after this time even if fewer trials are done
    settings  settings that are not searched, with their values

    The trials are stored next to `out` in `<out>.study.sqlite`; an interrupted search continues from there.
    """
    learner = learner_called(model)
    study = out.parent / f"{out.name}.study.sqlite"
    # An existing study is continued, never replaced, and a file that is no study is reported.
    with writing(out, others={study: lambda path: True}, inputs=[data]):
        check_metric(metric)
        stored = store.load_prepared(data)
        splits = [
            hold_out(stored.interactions, protocol, part="validation", seed=seed, draw=draw) for draw in range(repeats)
        ]
        found = find_settings(
            learner,
            splits,
            stored.catalog,
            metric=metric,
            n_trials=n_trials,
            minutes=minutes,
            fixed={name: getattr(with_settings(learner, settings), name) for name in settings} if settings else None,
            weighting=weighting,
            search_weighting=search_weighting,
            study=study,
            seed=seed,
            n_threads=n_cores(),
            progress=start_progress(f"tuning {model}"),
        )
        params = dict(found.params)
        if weighting is not None and weighting.min_rating is not None:
            params["min_rating"] = weighting.min_rating
        if "weighting" not in params and weighting is not None:
            params["weighting"] = weighting.scheme
        store.write_json(out, params)
    return TunedSettings(model, protocol, metric, len(found.trials), found.default, found.value, params, out, study)
