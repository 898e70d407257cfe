"""Maps, axes and clusters ↔ files of a model folder."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from recsys.errors import InputError
from recsys.space.axis import Axes, Axis
from recsys.space.item_clusters import NO_CLUSTER, ItemClusters
from recsys.space.item_map import ItemMap
from recsys.store.files import FORMAT_VERSION, read_json, reading, write_json, write_table
from recsys.store.models import fingerprint_of

MAP = "map-{}.parquet"

AXES = "axes.json"

CLUSTERS = "clusters.parquet"


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
    with reading(path, "recsys map"):
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
    with reading(path, "recsys axes"):
        _check_model(stored["model"], model_folder)
        discovered, asked = (tuple(Axis(**axis) for axis in stored[kind]) for kind in ("discovered", "asked"))
        return Axes(stored["method"], discovered, asked, int(stored["seed"]))


def _plain_axis(axis: Axis) -> dict[str, Any]:
    plain = {field.name: getattr(axis, field.name) for field in dataclasses.fields(axis)}
    return plain | {"direction": axis.direction.tolist()}


def _check_model(fingerprint: str, model_folder: Path) -> None:
    if fingerprint != fingerprint_of(model_folder):
        raise InputError("it belongs to another model than the one in this folder")


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
    with reading(path, "recsys clusters"):
        table = pq.read_table(path)
        told = json.loads(table.schema.metadata[b"recsys.clusters"])
        _check_model(told.pop("model"), model_folder)
        labels = pc.fill_null(table["cluster"], NO_CLUSTER).to_numpy()
        for name in ("names", "stability"):
            told[name] = tuple(told[name])
        told["centres"] = np.array(told["centres"], dtype=np.float32)
        return ItemClusters(item_ids=table["item_id"].to_numpy(), labels=labels, **told)
