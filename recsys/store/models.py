"""Models ↔ a folder with a manifest and Parquet files."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import Field

from recsys import __version__
from recsys.dataset.dataset import Dataset
from recsys.dataset.weighting import FittedWeighting, Weighting
from recsys.errors import InputError, SettingError, quoted
from recsys.limits import MOST_EPOCHS
from recsys.models import LEARNERS, Fitted, ItemScores, ItemWeights, Learner, Model, Vectors
from recsys.models.fitted import Stored
from recsys.store.artifacts import MODEL, Artifact, new_artifact, open_artifact, read_artifact
from recsys.store.catalog import CATALOG, ITEMS, catalog_of, catalog_table
from recsys.store.files import is_safe_name, reading
from recsys.store.schema import ID, VECTOR, Checksum, Column, Columns, Count, checked
from recsys.store.tensors import read_tensors, write_tensors
from recsys.threads import n_cores

LIBRARIES = ("implicit", "numpy", "scipy", "pandas", "pyarrow", "numba", "scikit-learn")
"""Libraries whose versions the manifest records."""

MANIFEST = MODEL.marker
_ROWS_PER_GROUP = 2**16
"""A vector takes hundreds of bytes, and pyarrow needs several times the memory of a row group to decode it."""
USER_FACTORS = "user_factors.parquet"
ITEM_FACTORS = "item_factors.parquet"
ITEM_SCORES = "item_scores.parquet"
ITEM_WEIGHTS = "item_weights.parquet"
TENSORS = "encoder.safetensors"
"""What a model needs besides its tables: the encoder of `vae` or `sequence`."""

KINDS: dict[str, type[Fitted]] = {f"{kind.TABLES[-1]}.parquet": kind for kind in (Vectors, ItemWeights, ItemScores)}
"""The file that identifies what a model folder holds, and the type that reads it."""

MODEL_ITEMS = CATALOG | {"n_ratings": Column(pa.int64(), low=0), "rating_total": Column(pa.float64())}
LAYOUTS: dict[str, tuple[Columns, ...]] = {
    USER_FACTORS: ({"user_id": Column(ID, is_unique=True), "factors": Column(VECTOR)},),
    ITEM_FACTORS: ({"item_id": Column(ID, is_unique=True), "factors": Column(VECTOR)},),
    ITEM_SCORES: ({"item_id": Column(ID, is_unique=True), "score": Column(pa.float32())},),
    ITEM_WEIGHTS: (
        {"item_id": Column(ID, is_unique=True), "weights": Column(VECTOR)},
        {"item_id": Column(ID), "other_id": Column(ID), "weight": Column(pa.float32())},
    ),
}
"""The columns of the files of what was learned."""


@dataclass(frozen=True)
class _Confidence:
    """How ratings were weighted; see `FittedWeighting`."""

    min_rating: float | None
    weighting: str
    mean_weight: float


@dataclass(frozen=True)
class _Source:
    """The origin of a model; see `Model.data`. A path is relative to the model folder. Whatever it names is only ever
    read as prepared data, which the marker of that folder must confirm."""

    name: str | None = None
    path: Annotated[str, Field(min_length=1, max_length=4096, pattern=r"^[^\x00]*$")] | None = None
    n_users: Count | None = None
    n_items: Count | None = None
    n_ratings: Count | None = None
    started_from: Checksum | None = None
    epochs_anew: Annotated[int, Field(ge=1, le=MOST_EPOCHS)] | None = None


@dataclass(frozen=True)
class Manifest:
    """The content of manifest.json besides what identifies the folder.

    Raises InputError for an unknown model.
    """

    model: str
    hyperparameters: dict[str, int | float | str]
    seed: Count
    confidence: _Confidence
    has_bias: bool
    data_fingerprint: Checksum | None
    data: _Source
    metrics: dict[str, float]
    library_versions: dict[str, str]
    n_threads: Count

    def __post_init__(self) -> None:
        if self.model not in LEARNERS:
            raise InputError(f"model: {quoted(self.model)} is unknown; known models: {', '.join(LEARNERS)}")

    @property
    def learner(self) -> Learner:
        """The settings of the model. Raises InputError unless all are there and within their ranges."""
        kind = LEARNERS[self.model]
        names = {field.name for field in dataclasses.fields(kind)}
        differing = sorted(names ^ set(self.hyperparameters))
        if differing:
            what = "is missing" if differing[0] in names else f"is no setting of {self.model}"
            raise InputError(f"hyperparameters: {quoted(differing[0])} {what}")
        try:
            return kind(**self.hyperparameters)
        except SettingError as error:
            raise InputError(f"hyperparameters: {error}") from None

    @property
    def origin(self) -> dict[str, Any]:
        """The origin as `Model.data` holds it, without what is unknown."""
        return {key: value for key, value in vars(self.data).items() if value is not None}


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
    tensors = model.fitted.tensors()
    with new_artifact(folder, MODEL, manifest) as temporary:
        for name, table in {**tables, ITEMS: items, **(others or {})}.items():
            repetitive = [field.name for field in table.schema if not pa.types.is_fixed_size_list(field.type)]
            pq.write_table(table, temporary / name, row_group_size=_ROWS_PER_GROUP, use_dictionary=repetitive)
        if tensors:
            write_tensors(temporary / TENSORS, tensors)
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
    manifest = _manifest_of(artifact)
    learner, source = manifest.learner, manifest.data
    with ThreadPoolExecutor(1) as pool:  # factors are checked and decoded while the catalog is built
        learned = pool.submit(_learned_tables, artifact)
        table = artifact.table(ITEMS, MODEL_ITEMS)
        catalog = catalog_of(table)
        kind, tables = learned.result()
    tensors = read_tensors(artifact, TENSORS) if artifact.has(TENSORS) else {}
    fitted = kind.from_stored(Stored(tables, tensors, catalog.item_ids, manifest.has_bias, learner))
    if not np.array_equal(fitted.item_ids, catalog.item_ids):
        raise InputError(f"{ITEMS} lists other items than the model")
    if isinstance(fitted, Vectors) and source.n_users not in (None, fitted.space.n_users):
        raise InputError(f"{USER_FACTORS} is missing or holds another number of users than {source.n_users}")
    if source.n_items not in (None, len(catalog)):
        raise InputError(f"{ITEMS} lists {len(catalog)} items instead of {source.n_items}")
    given = manifest.confidence
    settings = Weighting(given.min_rating, given.weighting)  # type: ignore[arg-type]  # it checks the scheme
    weighting = FittedWeighting(settings, given.mean_weight, table["rating_total"].to_numpy())
    data = manifest.origin | {"fingerprint": manifest.data_fingerprint}
    if source.path is not None:
        # Both ends were resolved when the path was stored, so ".." needs no look at the disk, where links may loop.
        data["path"] = os.path.normpath(artifact.folder.resolve() / source.path)
    n_ratings = table["n_ratings"].to_numpy()
    return Model(
        learner, fitted, weighting, catalog, n_ratings, data, manifest.metrics, fingerprint=artifact.fingerprint
    )


def _learned_tables(artifact: Artifact) -> tuple[type[Fitted], dict[str, pa.Table]]:
    """What was learned: the type, and its tables that are there, by name."""
    kind = next((kind for name, kind in KINDS.items() if artifact.has(name)), None)
    if kind is None:
        raise InputError(f"none of {', '.join(KINDS)} is there")
    files = {name: f"{name}.parquet" for name in kind.TABLES}
    return kind, {name: artifact.table(file, *LAYOUTS[file]) for name, file in files.items() if artifact.has(file)}


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a model folder, checked. Raises InputError for anything else."""
    artifact = open_artifact(folder, MODEL)
    with reading(folder, MODEL.command):
        _manifest_of(artifact)
    return artifact.marker


def n_factors_of(folder: Path) -> int:
    """The number of dimensions of a model's item vectors, without the bias, from the schema of the file alone.

    Raises InputError for a model without vectors.
    """
    artifact = open_artifact(folder, MODEL)
    with artifact.open(ITEM_FACTORS) as file:
        size: int = pq.read_schema(file).field("factors").type.list_size
    return size - _manifest_of(artifact).has_bias


def _manifest_of(artifact: Artifact) -> Manifest:
    try:
        return checked(Manifest, artifact.content)
    except InputError as error:
        raise InputError(f"{MANIFEST}: {error}") from None


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
