"""Train a model on a prepared folder."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from recsys import store
from recsys.dataset.dataset import Dataset
from recsys.dataset.split import Protocol, hold_out
from recsys.dataset.weighting import Weighting
from recsys.errors import InputError
from recsys.evaluation.ranking import rank_quality
from recsys.models import DEFAULT_MODEL, IALS, Model, with_settings
from recsys.workflows.common import Report, learner_called, quiet


def train(
    data: Path,
    out: Path,
    *,
    model: str = DEFAULT_MODEL,
    settings: Mapping[str, Any] | None = None,
    weighting: Weighting | None = None,
    validate: Protocol | None = None,
    patience: int = 3,
    report: Report = quiet,
) -> dict[str, Any]:
    """Train a model on a prepared folder.

    With `validate`, a first training on that protocol's validation part finds after which epoch quality no longer
    grows (for `patience` epochs); the model is then trained on everything for that many.
    """
    learner = with_settings(learner_called(model), settings or {})
    store.check_replaceable(out, store.MANIFEST)
    stored = store.load_prepared(data)
    curve: list[dict[str, Any]] = []
    if validate is not None:
        curve = _quality_by_epoch(stored, learner, weighting, validate, patience, report)
        learner = learner.replace(epochs=max(curve, key=lambda row: row["ndcg@10"])["epoch"])
    trained = learner.fit(stored, weighting, progress=report(f"training {model}")).with_data_path(data)
    manifest = store.save_model(out, trained)
    done = {key: manifest[key] for key in ("model", "hyperparameters", "confidence", "data")} | {"out": str(out)}
    if getattr(trained.learner, "epochs", None) != getattr(learner, "epochs", None):
        done["interrupted"] = f"after epoch {trained.learner.epochs} of {learner.epochs}"
    return done | ({"validation": curve} if curve else {})


def _quality_by_epoch(
    stored: Dataset,
    learner: Any,
    weighting: Weighting | None,
    protocol: Protocol,
    patience: int,
    report: Report,
) -> list[dict[str, Any]]:
    """One row an epoch, until `patience` epochs have brought nothing: epoch, ndcg@10 and, of ials, the objective."""
    if not hasattr(learner, "epochs"):
        raise InputError(f"{learner.name!r} is solved in one go: there are no epochs to choose from")
    split = hold_out(stored.interactions, protocol, part="validation", seed=learner.seed)
    rows: list[dict[str, Any]] = []

    def watch(epoch: int, model: Model) -> bool:
        quality = rank_quality(model, split, (10,), auc=False, n_threads=os.cpu_count() or 1)
        rows.append({"epoch": epoch, "ndcg@10": quality["ndcg@10"]})
        if isinstance(learner, IALS):
            weights = model.weighting.apply(split.train.matrix)
            rows[-1]["objective"] = learner.objective(model.space, weights)
        best = max(rows, key=lambda row: row["ndcg@10"])
        return epoch - best["epoch"] >= patience

    progress = report(f"validating {learner.name}")
    learner.fit(Dataset(split.train, stored.catalog), weighting, progress=progress, watch=watch)
    return rows
