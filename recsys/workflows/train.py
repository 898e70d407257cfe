"""Train a model on a prepared folder."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recsys import store
from recsys.dataset.dataset import Dataset
from recsys.dataset.split import Protocol, hold_out
from recsys.dataset.weighting import Weighting
from recsys.engines.session import Spark, connected
from recsys.engines.tasks import shared_folder
from recsys.errors import InputError, SettingError, quoted
from recsys.models import DEFAULT_MODEL, IALS, Learner, MLlibALS, Model, with_settings
from recsys.models.start import EPOCHS, check_can_start, check_start
from recsys.progress import StartProgress, no_progress
from recsys.threads import n_cores
from recsys.workflows.common import learner_called, writing


@dataclass(frozen=True)
class EpochQuality:
    """Quality on the validation part after an epoch; for ials also the value of the training objective."""

    epoch: int
    ndcg: float
    objective: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain values: epoch, ndcg@10 and, if known, objective."""
        objective = {} if self.objective is None else {"objective": self.objective}
        return {"epoch": self.epoch, "ndcg@10": self.ndcg} | objective


@dataclass(frozen=True)
class Trained:
    """A model stored in the folder `out`.

    model            kind of model
    hyperparameters  all settings of the learner
    weighting        how ratings were weighted: min_rating, weighting (the scheme) and mean_weight
    data             name and path of the data, as the manifest holds them
    interrupted      for training that Ctrl-C ended early: after which epoch
    validation       one entry per epoch, if a validation part chose the number of epochs
    """

    model: str
    hyperparameters: Mapping[str, Any]
    weighting: Mapping[str, Any]
    data: Mapping[str, Any]
    out: Path
    interrupted: str | None = None
    validation: tuple[EpochQuality, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Plain values, as `recsys train --json` prints them."""
        values: dict[str, Any] = {
            "model": self.model,
            "hyperparameters": dict(self.hyperparameters),
            "confidence": dict(self.weighting),
            "data": dict(self.data),
            "out": str(self.out),
        }
        if self.interrupted is not None:
            values["interrupted"] = self.interrupted
        if self.validation:
            values["validation"] = [row.to_json() for row in self.validation]
        return values


def train(
    data: Path,
    out: Path,
    *,
    model: str | None = None,
    settings: Mapping[str, Any] | None = None,
    weighting: Weighting | None = None,
    start: Path | None = None,
    validate: Protocol | None = None,
    patience: int = 3,
    spark: Spark | None = None,
    start_progress: StartProgress = no_progress,
) -> Trained:
    """Train a model on a prepared folder and store it in `out`.

    model      kind of model; default: that of `start`, else ials; with `spark` the one that is trained there, mllib
    settings   of the learner; default: those of `start`, with 3 epochs, else those of the kind
    weighting  default: that of `start`, else `Weighting()`
    start      a model folder, which may be `out`: training starts from its vectors; see `Learner.fit`
    spark      train there; None: in this process

    With `validate`, a first training on the validation part of that protocol finds the epoch after which nDCG@10 has
    not improved for `patience` epochs; the final model is trained on all data for that many epochs.
    """
    if spark is not None:
        if start is not None:
            raise SettingError("--from does not apply to --engine spark, whose ALS cannot start from given vectors")
        return _train_on(spark, data, out, model, settings or {}, weighting, validate)
    if start is not None and validate is not None:
        raise InputError("--validate chooses the epochs of a training from the beginning; leave it out with --from")
    is_replaced = start is not None and start.resolve() == out.resolve()
    with writing(out, store.MODEL, inputs=[data] if is_replaced else [data, start]):
        # Loaded with the lock held: nobody replaces the model to start from between here and the end.
        earlier = None if start is None else store.load_model(start)
        if earlier is None or start is None:
            learner = with_settings(learner_called(model or DEFAULT_MODEL), settings or {})
        else:
            learner = _continued(earlier, start, model, settings or {})
        stored = store.load_prepared(data)
        curve: list[EpochQuality] = []
        if validate is not None:
            curve = _quality_by_epoch(stored, learner, weighting, validate, patience, start_progress)
            learner = learner.replace(epochs=_best(curve).epoch)
        progress = start_progress(f"training {learner.name}")
        trained = learner.fit(stored, weighting, start=earlier, progress=progress).with_data_path(data)
        manifest = store.save_model(out, trained)
    planned, done = getattr(learner, "epochs", None), getattr(trained.learner, "epochs", None)
    interrupted = None if done == planned else f"after epoch {done} of {planned}"
    return _stored(manifest, out, interrupted, tuple(curve))


def _train_on(
    spark: Spark,
    data: Path,
    out: Path,
    model: str | None,
    settings: Mapping[str, Any],
    weighting: Weighting | None,
    validate: Protocol | None,
) -> Trained:
    """`train` on Spark."""
    from recsys.engines.als import fit

    if model not in (None, MLlibALS.name):
        raise SettingError(f"Spark trains the model {MLlibALS.name!r} only, not {quoted(model)}; leave --model out")
    if validate is not None:
        raise SettingError("--validate does not apply to --engine spark, whose ALS cannot be measured between epochs")
    learner = with_settings(MLlibALS, settings)
    with writing(out, store.MODEL, inputs=[data]):
        stored = store.load_prepared(data)
        with shared_folder(out) as folder, connected(spark) as context:
            trained = fit(context, learner, stored, weighting, folder).with_data_path(data)
        return _stored(store.save_model(out, trained), out)


def _stored(
    manifest: Mapping[str, Any],
    out: Path,
    interrupted: str | None = None,
    validation: tuple[EpochQuality, ...] = (),
) -> Trained:
    return Trained(
        manifest["model"],
        manifest["hyperparameters"],
        manifest["confidence"],
        manifest["data"],
        out,
        interrupted,
        validation,
    )


def weighting_of(model: Path) -> Weighting:
    """How a model in a folder weighted its ratings. Raises InputError for anything but a model folder."""
    confidence = store.read_manifest(model)["confidence"]
    return Weighting(confidence["min_rating"], confidence["weighting"])


def _continued(earlier: Model, folder: Path, kind: str | None, settings: Mapping[str, Any]) -> Learner:
    """The learner of a model, with few epochs and some settings changed. Raises SettingError for another kind of
    model or number of factors, Unsupported for one that training cannot start from."""
    if kind is not None and learner_called(kind) is not type(earlier.learner):
        raise SettingError(f"{folder}: is of kind {earlier.learner.name!r}, not {kind!r}; leave out --model or --from")
    check_can_start(earlier.learner)
    values = dataclasses.asdict(earlier.learner) | {"epochs": EPOCHS} | dict(settings)
    learner: Learner = with_settings(type(earlier.learner), values)
    check_start(learner, earlier)  # before the data are read
    return learner


def _best(curve: list[EpochQuality]) -> EpochQuality:
    return max(curve, key=lambda row: row.ndcg)


def _quality_by_epoch(
    stored: Dataset,
    learner: Any,
    weighting: Weighting | None,
    protocol: Protocol,
    patience: int,
    start_progress: StartProgress,
) -> list[EpochQuality]:
    """Train on the training part, measuring after each epoch, until quality has not improved for `patience` epochs."""
    from recsys.evaluation.ranking import rank_quality  # compiles its kernels for validation only

    if not hasattr(learner, "epochs"):
        raise InputError(f"{learner.name!r} has no setting epochs to choose; leave out --validate")
    split = hold_out(stored.interactions, protocol, part="validation", seed=learner.seed)
    rows: list[EpochQuality] = []

    def watch(epoch: int, model: Model) -> bool:
        quality = rank_quality(model, split, (10,), auc=False, n_threads=n_cores())
        objective = None
        if isinstance(learner, IALS):
            objective = learner.objective(model.space, model.weighting.apply(split.train.matrix))
        rows.append(EpochQuality(epoch, quality["ndcg@10"], objective))
        return epoch - _best(rows).epoch >= patience

    progress = start_progress(f"validating {learner.name}")
    learner.fit(Dataset(split.train, stored.catalog), weighting, progress=progress, watch=watch)
    return rows
