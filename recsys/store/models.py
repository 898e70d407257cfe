"""Models ↔ a folder of a manifest and Parquet files."""

from __future__ import annotations

import dataclasses
import hashlib
import os
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import scipy.sparse as sp

from recsys import __version__
from recsys.dataset.weighting import FittedWeighting, Weighting
from recsys.errors import InputError
from recsys.models import MODELS, Fitted, ItemScores, ItemWeights, Model, with_settings
from recsys.space.embedding import EmbeddingSpace
from recsys.store.files import FORMAT_VERSION, dump_json, is_safe_name, new_folder, read_json, reading
from recsys.store.prepared import ITEMS, catalog_of, catalog_table, row_numbers

LIBRARIES = ("implicit", "numpy", "scipy", "pandas", "pyarrow", "numba", "scikit-learn")

MANIFEST = "manifest.json"

USER_FACTORS = "user_factors.parquet"

ITEM_FACTORS = "item_factors.parquet"

ITEM_SCORES = "item_scores.parquet"

ITEM_WEIGHTS = "item_weights.parquet"


def save_model(folder: Path, model: Model) -> dict[str, Any]:
    """Write manifest, items, and factors (or item weights, or item scores); returns the manifest.

    Raises InputError if `folder` is not ours to replace.
    """
    learner, weighting = model.learner, model.weighting
    items = catalog_table(model.catalog)
    items = items.append_column("n_ratings", pa.array(model.n_ratings, pa.int64()))
    items = items.append_column("rating_total", pa.array(weighting.item_totals, pa.float64()))
    data = dict(model.data)
    if "path" in data:  # relative, so that a data folder can be moved as a whole
        data["path"] = os.path.relpath(Path(data["path"]).resolve(), folder.resolve())
    manifest = {
        "format_version": FORMAT_VERSION,
        "model": learner.name,
        "hyperparameters": dataclasses.asdict(learner),
        "seed": learner.seed,
        "confidence": weighting.settings.to_json() | {"mean_weight": weighting.mean_weight},
        "has_bias": model.has_space and model.space.has_bias,
        "data_fingerprint": data.pop("fingerprint", None),
        "data": data,
        "metrics": model.metrics,
        "library_versions": {"recsys": __version__} | {name: version(name) for name in LIBRARIES},
        "n_threads": os.cpu_count(),
    }
    with new_folder(folder, MANIFEST) as temporary:
        if isinstance(model.fitted, EmbeddingSpace):
            for name, kind, ids, factors in (
                (USER_FACTORS, "user_id", model.fitted.user_ids, model.fitted.user_factors),
                (ITEM_FACTORS, "item_id", model.fitted.item_ids, model.fitted.item_factors),
            ):
                vectors = pa.FixedSizeListArray.from_arrays(pa.array(factors.ravel()), factors.shape[1])
                pq.write_table(pa.table({kind: pa.array(ids), "factors": vectors}), temporary / name)
        elif isinstance(model.fitted, ItemWeights):
            pq.write_table(_weights_table(model.fitted), temporary / ITEM_WEIGHTS)
        else:
            scores = pa.table({"item_id": pa.array(model.item_ids), "score": pa.array(model.fitted.scores)})
            pq.write_table(scores, temporary / ITEM_SCORES)
        pq.write_table(items, temporary / ITEMS)
        dump_json(temporary / MANIFEST, manifest)
    return manifest


def load_model(folder: Path) -> Model:
    """Read a model folder. Raises InputError, with what to run, when it is missing, broken or of another format."""
    manifest = read_manifest(folder)
    with reading(folder, "recsys train"):
        learner = with_settings(MODELS[manifest["model"]], manifest["hyperparameters"])
        table = pq.read_table(folder / ITEMS)
        catalog = catalog_of(table)
        fitted: Fitted
        if (folder / ITEM_SCORES).is_file():
            scores = pq.read_table(folder / ITEM_SCORES)
            fitted = ItemScores(scores["score"].to_numpy(), scores["item_id"].to_numpy())
        elif (folder / ITEM_WEIGHTS).is_file():
            fitted = _weights_of(pq.read_table(folder / ITEM_WEIGHTS), catalog.item_ids)
        else:
            user_ids, user_factors = _read_factors(folder / USER_FACTORS, "user_id")
            item_ids, item_factors = _read_factors(folder / ITEM_FACTORS, "item_id")
            fitted = EmbeddingSpace(item_factors, item_ids, user_factors, user_ids, bool(manifest["has_bias"]))
        if not np.array_equal(fitted.item_ids, catalog.item_ids):
            raise InputError(f"{ITEMS} lists other items than the vectors have")
        settings = dict(manifest["confidence"])
        mean_weight, scheme = float(settings.pop("mean_weight")), settings.pop("weighting")
        totals = table["rating_total"].to_numpy()
        weighting = FittedWeighting(Weighting(scheme=scheme, **settings), mean_weight, totals)
        data = {**manifest["data"], "fingerprint": manifest["data_fingerprint"]}
        if "path" in data:
            data["path"] = str((folder / data["path"]).resolve())
        return Model(learner, fitted, weighting, catalog, table["n_ratings"].to_numpy(), data, manifest["metrics"])


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a model folder, its format and model known. Raises InputError."""
    if not (folder / MANIFEST).is_file():
        raise InputError(f"{folder}: is not a model ({MANIFEST} is missing); make it with recsys train")
    manifest = read_json(folder / MANIFEST)
    if manifest.get("format_version") != FORMAT_VERSION:
        found = manifest.get("format_version")
        raise InputError(f"{folder}: has format {found!r}, this recsys reads {FORMAT_VERSION}; train it again")
    if manifest.get("model") not in MODELS:
        raise InputError(f"{folder}: holds an unknown model {manifest.get('model')!r}; known are {', '.join(MODELS)}")
    return manifest


def list_models(root: Path) -> list[str]:
    """Names of the folders in `root` that hold a model, sorted."""
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
    """A fingerprint of a model folder: the digest of its manifest and factors, for telling whether it changed."""

    digest = hashlib.sha256()
    for name in (MANIFEST, USER_FACTORS, ITEM_FACTORS, ITEM_SCORES, ITEM_WEIGHTS):
        if (folder / name).is_file():
            with (folder / name).open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def _read_factors(path: Path, kind: str) -> tuple[np.ndarray, np.ndarray]:
    table = pq.read_table(path, columns=[kind, "factors"])
    column = table["factors"].combine_chunks()
    if not pa.types.is_fixed_size_list(column.type) or column.null_count:
        raise InputError(f"{path.name}: factors are {column.type}, not lists of one size without gaps")
    flat = column.flatten().to_numpy()
    return table[kind].to_numpy(), flat.reshape(len(table), column.type.list_size)


def _weights_table(fitted: ItemWeights) -> pa.Table:
    """Dense: item_id and its weights as a list, in the order of the items; sparse: item_id, other_id, weight."""
    ids = pa.array(fitted.item_ids)
    if not sp.issparse(fitted.weights):
        lists = pa.FixedSizeListArray.from_arrays(pa.array(fitted.weights.ravel()), max(len(ids), 1))
        return pa.table({"item_id": ids, "weights": lists})
    found = fitted.weights.tocoo()
    return pa.table(
        {
            "item_id": ids.take(pa.array(found.row)),
            "other_id": ids.take(pa.array(found.col)),
            "weight": pa.array(found.data),
        }
    )


def _weights_of(table: pa.Table, item_ids: np.ndarray) -> ItemWeights:
    if "weights" in table.column_names:
        flat = table["weights"].combine_chunks().flatten().to_numpy()
        return ItemWeights(flat.reshape(len(table), -1), table["item_id"].to_numpy())
    known = pa.array(item_ids)
    rows, columns = row_numbers(table["item_id"], known, "item"), row_numbers(table["other_id"], known, "item")
    shape = (len(item_ids), len(item_ids))
    return ItemWeights(sp.csr_matrix((table["weight"].to_numpy(), (rows, columns)), shape=shape), item_ids)
