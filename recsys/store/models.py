"""Models ↔ a folder with a manifest and Parquet files."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from recsys import __version__
from recsys.dataset.dataset import Dataset
from recsys.dataset.weighting import FittedWeighting, Weighting
from recsys.errors import InputError
from recsys.models import LEARNERS, Fitted, ItemScores, ItemWeights, Learner, Model, Vectors, with_settings
from recsys.store.artifacts import MODEL, Artifact, new_artifact, open_artifact, read_artifact
from recsys.store.catalog import ITEMS, catalog_of, catalog_table
from recsys.store.files import is_safe_name
from recsys.threads import n_cores

LIBRARIES = ("implicit", "numpy", "scipy", "pandas", "pyarrow", "numba", "scikit-learn")
"""Libraries whose versions the manifest records."""

MANIFEST = MODEL.marker
USER_FACTORS = "user_factors.parquet"
ITEM_FACTORS = "item_factors.parquet"
ITEM_SCORES = "item_scores.parquet"
ITEM_WEIGHTS = "item_weights.parquet"

KINDS: dict[str, type[Fitted]] = {f"{kind.TABLES[-1]}.parquet": kind for kind in (Vectors, ItemWeights, ItemScores)}
"""The file that identifies what a model folder holds, and the type that reads it."""


def save_model(folder: Path, model: Model, others: Mapping[str, pa.Table] | None = None) -> dict[str, Any]:
    """Write the manifest, the items, and the factors, item weights or item scores; returns the manifest.

    others  further tables to store in the folder, by file name

    Raises InputError if `folder` contains anything but a model.
    """
    learner, weighting = model.learner, model.weighting
    items = catalog_table(model.catalog)
    items = items.append_column("n_ratings", pa.array(model.n_ratings, pa.int64()))
    items = items.append_column("rating_total", pa.array(weighting.item_totals, pa.float64()))
    data = dict(model.data)
    if "path" in data:  # relative, so that models and data can be moved together
        data["path"] = os.path.relpath(Path(data["path"]).resolve(), folder.resolve())
    manifest = {
        "model": learner.name,
        "hyperparameters": dataclasses.asdict(learner),
        "seed": learner.seed,
        "confidence": weighting.settings.to_json() | {"mean_weight": weighting.mean_weight},
        "has_bias": model.has_space and model.space.has_bias,
        "data_fingerprint": data.pop("fingerprint", None),
        "data": data,
        "metrics": model.metrics,
        "library_versions": {"recsys": __version__} | {name: version(name) for name in LIBRARIES},
        "n_threads": n_cores(),
    }
    tables = {f"{name}.parquet": table for name, table in model.fitted.to_tables().items()}
    with new_artifact(folder, MODEL, manifest) as temporary:
        for name, table in {**tables, ITEMS: items, **(others or {})}.items():
            pq.write_table(table, temporary / name)
    return manifest


def load_model(folder: str | Path, *, dataset: Dataset | None = None) -> Model:
    """Read a model folder.

    dataset  the data it was trained on: for `recommend(user=…)`, which leaves out what a user has rated, and for
             `axes`, which refits

    Raises InputError, naming the command to run, when the folder is missing, damaged or of another format version, or
    when the dataset is another one.

    >>> import tempfile, pandas as pd
    >>> from recsys.models import Popular
    >>> data = Dataset.from_frame(pd.DataFrame({"user": [1, 1, 2], "item": [10, 20, 10]}))
    >>> folder = Path(tempfile.mkdtemp()) / "popular"
    >>> Popular().fit(data).save(folder)
    >>> load_model(folder, dataset=data).recommend(user=2)["item_id"].tolist()
    [20]
    """
    model = read_artifact(Path(folder).expanduser(), MODEL, _read_model)
    if dataset is not None:
        if model.data["fingerprint"] not in (None, dataset.interactions.fingerprint):
            raise InputError(f"{folder}: was trained on other data than the dataset given with it")
        model = dataclasses.replace(model, dataset=dataset)
    return model


def _read_model(artifact: Artifact) -> Model:
    manifest = _checked_manifest(artifact)
    learner = with_settings(LEARNERS[manifest["model"]], manifest["hyperparameters"])
    table = artifact.table(ITEMS)
    catalog = catalog_of(table)
    fitted = _read_fitted(artifact, learner, catalog.item_ids, bool(manifest["has_bias"]))
    if manifest["data"].get("n_users") and isinstance(fitted, Vectors) and not fitted.space.has_users:
        raise InputError(f"{USER_FACTORS} is missing")
    if not np.array_equal(fitted.item_ids, catalog.item_ids):
        raise InputError(f"{ITEMS} lists other items than the model")
    settings = dict(manifest["confidence"])
    mean_weight, scheme = float(settings.pop("mean_weight")), settings.pop("weighting")
    totals = table["rating_total"].to_numpy()
    weighting = FittedWeighting(Weighting(scheme=scheme, **settings), mean_weight, totals)
    data = {**manifest["data"], "fingerprint": manifest["data_fingerprint"]}
    if "path" in data:
        data["path"] = str((artifact.folder / data["path"]).resolve())
    n_ratings, metrics = table["n_ratings"].to_numpy(), manifest["metrics"]
    return Model(learner, fitted, weighting, catalog, n_ratings, data, metrics, fingerprint=artifact.fingerprint)


def _read_fitted(artifact: Artifact, learner: Learner, item_ids: np.ndarray, has_bias: bool) -> Fitted:
    for name, kind in KINDS.items():
        if artifact.has(name):
            tables = {
                part: artifact.table(f"{part}.parquet") for part in kind.TABLES if artifact.has(f"{part}.parquet")
            }
            return kind.from_tables(tables, item_ids=item_ids, has_bias=has_bias, learner=learner)
    raise InputError(f"none of {', '.join(KINDS)} is there")


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a model folder. Raises InputError for another format version or an unknown model."""
    return _checked_manifest(open_artifact(folder, MODEL))


def _checked_manifest(artifact: Artifact) -> dict[str, Any]:
    manifest = artifact.marker
    if not isinstance(manifest.get("model"), str) or manifest["model"] not in LEARNERS:
        raise InputError(
            f"{artifact.folder}: unknown model {str(manifest.get('model'))[:60]!r}; known models: {', '.join(LEARNERS)}"
        )
    return manifest


def list_models(root: Path) -> list[str]:
    """Names of the folders in `root` that contain a model, sorted."""
    if not root.is_dir():
        return []
    return sorted(entry.name for entry in root.iterdir() if is_safe_name(entry.name) and (entry / MANIFEST).is_file())


def models_trained_on(root: Path, data_name: str) -> list[str]:
    """Names of the models in `root` that were trained on the data of that name, sorted. Models with a manifest that
    cannot be read are left out."""
    names = []
    for name in list_models(root):
        try:
            manifest = read_manifest(root / name)
        except InputError:
            continue
        if manifest["data"].get("name", name) == data_name:
            names.append(name)
    return names


def fingerprint_of(folder: Path) -> str:
    """The fingerprint of the model in a folder: a SHA-256 (hex) that changes when the model does."""
    return open_artifact(folder, MODEL).fingerprint


def check_fingerprint(stored: object, model_folder: Path, fingerprint: str | None) -> None:
    """Raise InputError unless a stored fingerprint is that of the model.

    fingerprint  of the model as it was loaded; None: of the model that is in the folder now
    """
    if stored != (fingerprint or fingerprint_of(model_folder)):
        raise InputError("it belongs to another model than the one in this folder")


def check_unchanged(model_folder: Path, fingerprint: str | None) -> str:
    """The fingerprint of the model in a folder. Raises InputError when it is not the one given, that of the model as it
    was loaded: then another process replaced the model, and what was computed from it must not be stored there."""
    found = fingerprint_of(model_folder)
    if fingerprint not in (None, found):
        raise InputError(f"{model_folder}: another process replaced the model meanwhile; run this again")
    return found
