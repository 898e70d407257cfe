"""Nouns ↔ folders. The only file that knows file names; it writes atomically and reads without trust.

A file or folder appears under its final name only when it is complete and on disk. Nothing is read with pickle or
eval, and a folder that this library did not write is never replaced.
"""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import json
import os
import re
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import scipy.sparse as sp

from recsys.axis import Axes, Axis
from recsys.catalog import Catalog
from recsys.confidence import Confidence, Weigher
from recsys.embeddings import EmbeddingSpace
from recsys.errors import InputError, RecsysError
from recsys.etl import Prepared
from recsys.interactions import NO_TIME, Interactions
from recsys.item_clusters import NO_CLUSTER, ItemClusters
from recsys.item_map import ItemMap
from recsys.models import MODELS, Fitted, ItemScores, ItemWeights, TrainedModel, with_settings

FORMAT_VERSION = 1
LIBRARIES = ("recsys", "implicit", "numpy", "scipy", "pandas", "pyarrow", "numba", "scikit-learn")

INTERACTIONS, ITEMS, USERS = "interactions.parquet", "items.parquet", "users.parquet"
REJECTED, REPORT, MANIFEST = "rejected.parquet", "report.json", "manifest.json"
USER_FACTORS, ITEM_FACTORS, ITEM_SCORES = "user_factors.parquet", "item_factors.parquet", "item_scores.parquet"
ITEM_WEIGHTS = "item_weights.parquet"
MAP = "map-{}.parquet"
AXES, CLUSTERS = "axes.json", "clusters.parquet"
REPORT_PAGE = "report.html"
RANKING = "ranking.json"


@dataclass(frozen=True, eq=False)
class StoredData:
    """A prepared folder, read back."""

    interactions: Interactions
    catalog: Catalog
    report: dict[str, Any]
    path: Path


# --- prepared data ----------------------------------------------------------------------------------------------


def save_prepared(folder: Path, prepared: Prepared) -> None:
    """Write interactions, items, users, rejected rows and the report. Raises InputError if `folder` is not ours."""
    interactions = prepared.interactions
    matrix = interactions.matrix
    users = np.repeat(np.arange(interactions.n_users), np.diff(matrix.indptr))
    times = pa.nulls(matrix.nnz, pa.int64())
    if interactions.timestamps is not None:
        times = pa.array(interactions.timestamps, mask=interactions.timestamps == NO_TIME)
    user_ids, item_ids = pa.array(interactions.user_ids), pa.array(interactions.item_ids)
    table = pa.table(
        {
            "user_id": user_ids.take(pa.array(users)),
            "item_id": item_ids.take(pa.array(matrix.indices)),
            "rating": pa.array(matrix.data, pa.float32()),
            "timestamp": times,
        }
    )
    with new_folder(folder, REPORT) as temporary:
        pq.write_table(table, temporary / INTERACTIONS)
        pq.write_table(_catalog_table(prepared.catalog), temporary / ITEMS)
        pq.write_table(pa.table({"user_id": user_ids}), temporary / USERS)
        pq.write_table(prepared.rejected, temporary / REJECTED)
        _dump(temporary / REPORT, prepared.report)


def load_prepared(folder: Path) -> StoredData:
    """Read a prepared folder. Raises InputError, with what to run, when it is missing or broken."""
    if not (folder / INTERACTIONS).is_file():
        raise InputError(f"{folder}: is not prepared data ({INTERACTIONS} is missing); make it with recsys prepare")
    with _reading(folder, "recsys prepare"):
        catalog = _catalog_of(pq.read_table(folder / ITEMS))
        user_ids = pq.read_table(folder / USERS)["user_id"].combine_chunks()
        table = pq.read_table(folder / INTERACTIONS, columns=["user_id", "item_id", "rating", "timestamp"])
        users = _places(table["user_id"], user_ids, "user")
        items = _places(table["item_id"], pa.array(catalog.item_ids), "item")
        ratings = table["rating"].to_numpy().astype(np.float32, copy=False)
        times = pc.fill_null(table["timestamp"], int(NO_TIME)).to_numpy()
        shape = (len(user_ids), len(catalog))
        key = users.astype(np.int64) * shape[1] + items
        if not (key[1:] > key[:-1]).all():  # another writer may have another order
            order = np.argsort(key, kind="stable")
            users, items, ratings, times = users[order], items[order], ratings[order], times[order]
        starts = np.concatenate([[0], np.cumsum(np.bincount(users, minlength=shape[0]))])
        interactions = Interactions(
            sp.csr_matrix((ratings, items, starts), shape=shape),
            user_ids.to_numpy(zero_copy_only=False),
            catalog.item_ids,
            None if (times == NO_TIME).all() else times,
        )
        return StoredData(interactions, catalog, read_json(folder / REPORT), folder)


# --- models -----------------------------------------------------------------------------------------------------


def save_model(folder: Path, model: TrainedModel) -> dict[str, Any]:
    """Write manifest, items, and factors (or item weights, or item scores); returns the manifest.

    Raises InputError if `folder` is not ours to replace.
    """
    learner, weigher = model.learner, model.weigher
    items = _catalog_table(model.catalog)
    items = items.append_column("n_ratings", pa.array(model.n_ratings, pa.int64()))
    items = items.append_column("rating_total", pa.array(weigher.item_totals, pa.float64()))
    data = dict(model.data)
    if "path" in data:  # relative, so that a data folder can be moved as a whole
        data["path"] = os.path.relpath(Path(data["path"]).resolve(), folder.resolve())
    manifest = {
        "format_version": FORMAT_VERSION,
        "model": learner.name,
        "hyperparameters": dataclasses.asdict(learner),  # type: ignore[call-overload]
        "seed": learner.seed,
        "confidence": {**dataclasses.asdict(weigher.confidence), "mean_weight": weigher.mean_weight},
        "has_bias": model.has_space and model.space.has_bias,
        "data_fingerprint": data.pop("fingerprint", None),
        "data": data,
        "metrics": model.metrics,
        "library_versions": {name: version(name) for name in LIBRARIES},
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
        _dump(temporary / MANIFEST, manifest)
    return manifest


def load_model(folder: Path) -> TrainedModel:
    """Read a model folder. Raises InputError, with what to run, when it is missing, broken or of another format."""
    manifest = read_manifest(folder)
    with _reading(folder, "recsys train"):
        learner = with_settings(MODELS[manifest["model"]], manifest["hyperparameters"])
        table = pq.read_table(folder / ITEMS)
        catalog = _catalog_of(table)
        fitted: Fitted
        if (folder / ITEM_SCORES).is_file():
            scores = pq.read_table(folder / ITEM_SCORES)
            fitted = ItemScores(scores["score"].to_numpy(), scores["item_id"].to_numpy())
        elif (folder / ITEM_WEIGHTS).is_file():
            fitted = _weights_of(pq.read_table(folder / ITEM_WEIGHTS), catalog.item_ids)
        else:
            user_ids, user_factors = _read_factors(folder / USER_FACTORS, "user_id")
            item_ids, item_factors = _read_factors(folder / ITEM_FACTORS, "item_id")
            fitted = EmbeddingSpace(user_factors, item_factors, user_ids, item_ids, bool(manifest["has_bias"]))
        if not np.array_equal(fitted.item_ids, catalog.item_ids):
            raise InputError(f"{ITEMS} lists other items than the vectors have")
        weighting = dict(manifest["confidence"])
        mean_weight = float(weighting.pop("mean_weight"))
        weigher = Weigher(Confidence(**weighting), mean_weight, table["rating_total"].to_numpy())
        data = {**manifest["data"], "fingerprint": manifest["data_fingerprint"]}
        if "path" in data:
            data["path"] = str((folder / data["path"]).resolve())
        return TrainedModel(learner, fitted, weigher, catalog, table["n_ratings"].to_numpy(), data, manifest["metrics"])


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


def is_safe_name(name: str) -> bool:
    """Whether a name from outside may become the name of a folder: letters, digits, `.`, `_`, `-`; no leading dot."""
    return re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}", name) is not None


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


# --- maps -------------------------------------------------------------------------------------------------------


def save_map(model_folder: Path, item_map: ItemMap) -> Path:
    """Store a map with its model, one file a method; returns its path."""
    path = model_folder / MAP.format(item_map.method)
    write_map(path, item_map)
    return path


def write_map(path: Path, item_map: ItemMap) -> None:
    """Write a map as Parquet: item_id, x, y (null: no place); the rest of it is in the file's metadata."""
    made = {
        "method": item_map.method,
        "seed": item_map.seed,
        "axes": item_map.axes,
        "fidelity": dict(item_map.fidelity),
    }
    table = pa.table(
        {
            "item_id": pa.array(item_map.item_ids),
            "x": pa.array(item_map.coordinates[:, 0], from_pandas=True),
            "y": pa.array(item_map.coordinates[:, 1], from_pandas=True),
        }
    ).replace_schema_metadata({"recsys.map": json.dumps(made)})
    write_table(path, table)


def load_map(model_folder: Path, method: str) -> ItemMap:
    """The stored map of a model. Raises InputError, with what to run, when it is missing or broken."""
    path = model_folder / MAP.format(method)
    if method not in list_maps(model_folder):
        raise InputError(f"{model_folder}: has no {method} map; make it with recsys map --method {method}")
    return read_map(path)


def read_map(path: Path) -> ItemMap:
    """The map in a file. Raises InputError, with what to run, when it is missing or broken."""
    with _reading(path, "recsys map"):
        table = pq.read_table(path)
        made = json.loads(table.schema.metadata[b"recsys.map"])
        places = np.column_stack([table["x"].to_numpy(), table["y"].to_numpy()])
        return ItemMap(
            made["method"],
            table["item_id"].to_numpy(),
            places,
            int(made["seed"]),
            None if made["axes"] is None else tuple(made["axes"]),
            made["fidelity"],
        )


def list_maps(model_folder: Path) -> list[str]:
    """Methods of the maps that are stored with a model, sorted."""
    start, end = MAP.split("{}")
    return sorted(path.name[len(start) : -len(end)] for path in model_folder.glob(MAP.format("*")))


# --- axes -------------------------------------------------------------------------------------------------------


def save_axes(model_folder: Path, axes: Axes) -> Path:
    """Store the axes with their model, as JSON; returns the file's path."""
    path = model_folder / AXES
    write_json(
        path,
        {
            "format_version": FORMAT_VERSION,
            "model": fingerprint_of(model_folder),
            "method": axes.method,
            "seed": axes.seed,
            "discovered": [_plain_axis(axis) for axis in axes.discovered],
            "asked": [_plain_axis(axis) for axis in axes.asked],
        },
    )
    return path


def load_axes(model_folder: Path) -> Axes | None:
    """The axes stored with a model; None where there are none yet. Raises InputError when they are broken."""
    path = model_folder / AXES
    if not path.is_file():
        return None
    stored = read_json(path)
    with _reading(path, "recsys axes"):
        _check_model(stored["model"], model_folder)
        discovered, asked = (tuple(Axis(**axis) for axis in stored[kind]) for kind in ("discovered", "asked"))
        return Axes(stored["method"], discovered, asked, int(stored["seed"]))


def read_values(path: Path, item_ids: np.ndarray) -> np.ndarray:
    """A quantity of items from a CSV file with the columns item_id and value: (n_items,) float64, NaN where not given.

    Items that are not among `item_ids` are passed over. Raises InputError naming file and line of what can't be read.
    """
    known = pd.Index(item_ids.astype(str))
    found: dict[str, float] = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            header = [name.strip() for name in next(reader, [])]
            if header.count("item_id") != 1 or header.count("value") != 1:
                raise InputError(f"{path}: line 1: needs the columns item_id and value, not {', '.join(header)}")
            at_id, at_value = header.index("item_id"), header.index("value")
            for row in reader:
                if not row:
                    continue
                where = f"{path}: line {reader.line_num}"
                if len(row) != len(header):
                    raise InputError(f"{where}: has {len(row)} fields where the header has {len(header)}")
                item, text = row[at_id].strip(), row[at_value].strip()
                try:
                    value = float(text)
                except ValueError:
                    value = float("nan")
                if not np.isfinite(value):
                    raise InputError(f"{where}: {text!r} is not a finite number")
                if item in found:
                    raise InputError(f"{where}: item {item!r} stands there twice")
                found[item] = value
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: cannot be read: {str(error).splitlines()[0]}") from None
    rows = known.get_indexer(pd.Index(list(found), dtype=object))
    if not (rows >= 0).any():
        raise InputError(f"{path}: names no item of this model (ids look like {known[0]!r})")
    values = np.full(len(item_ids), np.nan)
    values[rows[rows >= 0]] = np.array(list(found.values()))[rows >= 0]
    return values


def _plain_axis(axis: Axis) -> dict[str, Any]:
    plain = {field.name: getattr(axis, field.name) for field in dataclasses.fields(axis)}
    return plain | {"direction": axis.direction.tolist()}


def _check_model(fingerprint: str, model_folder: Path) -> None:
    if fingerprint != fingerprint_of(model_folder):
        raise InputError("it belongs to another model than the one in this folder")


# --- clusters ---------------------------------------------------------------------------------------------------


def save_clusters(model_folder: Path, clusters: ItemClusters) -> Path:
    """Store the clusters with their model: item_id, cluster (null: in none); the rest is in the file's metadata."""
    path = model_folder / CLUSTERS
    told = {
        field.name: getattr(clusters, field.name)
        for field in dataclasses.fields(clusters)
        if field.name not in ("item_ids", "labels")
    }
    told["centres"] = clusters.centres.tolist()
    told["model"] = fingerprint_of(model_folder)
    table = pa.table(
        {
            "item_id": pa.array(clusters.item_ids),
            "cluster": pa.array(clusters.labels, mask=clusters.labels == NO_CLUSTER),
        }
    ).replace_schema_metadata({"recsys.clusters": json.dumps(told, ensure_ascii=False, allow_nan=False)})
    write_table(path, table)
    return path


def load_clusters(model_folder: Path) -> ItemClusters | None:
    """The clusters stored with a model; None where there are none yet. Raises InputError when they are broken."""
    path = model_folder / CLUSTERS
    if not path.is_file():
        return None
    with _reading(path, "recsys clusters"):
        table = pq.read_table(path)
        told = json.loads(table.schema.metadata[b"recsys.clusters"])
        _check_model(told.pop("model"), model_folder)
        labels = pc.fill_null(table["cluster"], NO_CLUSTER).to_numpy()
        for name in ("names", "stability"):
            told[name] = tuple(told[name])
        told["centres"] = np.array(told["centres"], dtype=np.float32)
        return ItemClusters(item_ids=table["item_id"].to_numpy(), labels=labels, **told)


# --- batches ----------------------------------------------------------------------------------------------------


class Parts:
    """A Parquet file written in parts, each safe on disk when done, so that a broken run can be taken up again.

    The parts lie in a hidden folder beside the file, with the plan they belong to. With `resume`, parts of the same
    plan are kept; of another plan, or without `resume`, they are thrown away.
    """

    def __init__(self, out: Path, plan: Mapping[str, Any], resume: bool) -> None:
        self.out = out
        self.folder = out.with_name(f".{out.name}.parts")
        plan_file = self.folder / "plan.json"
        if not (resume and plan_file.is_file() and read_json(plan_file) == dict(plan)):
            check_replaceable(self.folder, plan_file.name)
            shutil.rmtree(self.folder, ignore_errors=True)
            write_json(plan_file, dict(plan))
        self.n_found = len(list(self.folder.glob("*.parquet")))

    def has(self, number: int) -> bool:
        return self._part(number).is_file()

    def write(self, number: int, table: pa.Table) -> None:
        write_table(self._part(number), table)

    def join(self, n_parts: int) -> int:
        """Join the parts into the file, a row group each, and remove them; returns the number of rows."""
        n_rows = 0
        with new_file(self.out) as temporary:
            schema = pq.read_schema(self._part(0)).remove_metadata()
            with pq.ParquetWriter(temporary, schema) as writer:
                for number in range(n_parts):
                    table = pq.read_table(self._part(number)).cast(schema)
                    n_rows += len(table)
                    writer.write_table(table, row_group_size=max(len(table), 1))
        shutil.rmtree(self.folder)
        return n_rows

    def _part(self, number: int) -> Path:
        return self.folder / f"{number:06d}.parquet"


# --- safe files and folders -------------------------------------------------------------------------------------


@contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """A temporary path to write to; on leaving it is flushed and renamed to `path`, on error removed."""
    _make_folder(path.parent)
    if path.is_dir():
        raise InputError(f"{path}: is a folder; name a file to write to")
    temporary = _beside(path)
    try:
        yield temporary
        _flush(temporary)
        temporary.replace(path)
        _flush(path.parent)
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror or error}") from None
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def new_folder(folder: Path, marker: str) -> Iterator[Path]:
    """A temporary folder to fill; on leaving it is flushed and takes the place of `folder`, on error removed.

    An existing folder is replaced only if it is empty or holds the file `marker`, which says that we wrote it.
    """
    check_replaceable(folder, marker)
    _make_folder(folder.parent)
    temporary = _beside(folder)
    try:
        temporary.mkdir()
        yield temporary
        for file in temporary.iterdir():
            _flush(file)
        _flush(temporary)
        if folder.exists():
            old = _beside(folder)
            folder.rename(old)
            temporary.rename(folder)
            shutil.rmtree(old)
        else:
            temporary.rename(folder)
        _flush(folder.parent)
    except OSError as error:
        raise InputError(f"{folder}: cannot be written: {error.strerror or error}") from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def check_replaceable(folder: Path, marker: str) -> None:
    """Raise InputError unless `folder` is free, empty, or one of ours: to be asked before long work begins."""
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise InputError(f"{folder}: is in the way and not a folder; choose another --out")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / marker).is_file():
        raise InputError(f"{folder}: holds other files and will not be replaced; choose another --out")


def write_table(path: Path, table: pa.Table) -> None:
    """Write a table as Parquet, atomically."""
    with new_file(path) as temporary:
        pq.write_table(table, temporary)


def write_json(path: Path, value: Any) -> None:
    """Write a value as JSON, atomically."""
    with new_file(path) as temporary:
        _dump(temporary, value)


def write_text(path: Path, text: str) -> None:
    """Write text as UTF-8, atomically."""
    with new_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder}: cannot be made: {error.strerror or error}") from None


def _beside(path: Path) -> Path:
    return path.parent / f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.tmp"


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _dump(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in a file. Raises InputError when there is none."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read: {str(error).splitlines()[0]}") from None
    if not isinstance(value, dict):
        raise InputError(f"{path}: does not hold a JSON object")
    return value


@contextmanager
def _reading(path: Path, remedy: str) -> Iterator[None]:
    """Turn whatever a damaged file raises into one line that says which it is and how to make it anew."""
    try:
        yield
    except (OSError, pa.ArrowException, ValueError, KeyError, TypeError, RecsysError) as error:
        words = str(error).splitlines()[0] if str(error) else type(error).__name__
        if isinstance(error, KeyError):
            words = f"{words} is missing"
        raise InputError(f"{path}: cannot be read ({words}); make it again with {remedy}") from error


# --- tables -----------------------------------------------------------------------------------------------------


def _catalog_table(catalog: Catalog) -> pa.Table:
    items = catalog.items
    years = items["year"]
    return pa.table(
        {
            "item_id": pa.array(catalog.item_ids),
            "title": pa.array(items["title"].tolist(), pa.string()),
            "year": pa.array(years.fillna(0).astype("int16").to_numpy(), mask=years.isna().to_numpy(dtype=bool)),
            "genres": pa.array([list(g) for g in items["genres"]], pa.list_(pa.string())),
            "tags": pa.array([list(t) for t in items["tags"]], pa.list_(pa.string())),
        }
    )


def _catalog_of(table: pa.Table) -> Catalog:
    columns = {name: table[name].to_pylist() for name in ("title", "year", "genres", "tags")}
    return Catalog.of(
        table["item_id"].to_numpy(),
        columns["title"],
        columns["year"],
        [g or () for g in columns["genres"]],
        [t or () for t in columns["tags"]],
    )


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
    rows, columns = _places(table["item_id"], known, "item"), _places(table["other_id"], known, "item")
    shape = (len(item_ids), len(item_ids))
    return ItemWeights(sp.csr_matrix((table["weight"].to_numpy(), (rows, columns)), shape=shape), item_ids)


def _places(ids: pa.ChunkedArray, known: pa.Array, kind: str) -> np.ndarray:
    """Row numbers of ids, int32. Raises InputError for one that is not known."""
    places = pc.index_in(ids, value_set=known)
    if places.null_count:
        lost = ids.filter(places.is_null())[0].as_py()
        raise InputError(f"{INTERACTIONS} names {kind} {lost!r}, whom {kind}s.parquet does not list")
    return places.to_numpy()
