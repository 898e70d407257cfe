"""Maps ↔ Parquet files of a model folder."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from recsys.errors import InputError
from recsys.space.item_map import ItemMap, MapMethod
from recsys.store.files import metadata_of, open_file, reading, write_table
from recsys.store.models import check_fingerprint, check_unchanged
from recsys.store.schema import ID, Checksum, Column, Count, checked, read_columns

MAP = "map-{}.parquet"
"""File name of a map, by its method."""
COLUMNS = {
    "item_id": Column(ID, is_unique=True),
    "x": Column(pa.float32(), is_nullable=True),
    "y": Column(pa.float32(), is_nullable=True),
}
METADATA = "recsys.map"


@dataclass(frozen=True)
class _Stored:
    """The metadata of the file of a map; see `ItemMap`."""

    model: Checksum | None
    method: MapMethod
    seed: Count
    axes: tuple[str, str] | None
    fidelity: dict[str, float]


def save_map(model_folder: Path, item_map: ItemMap, fingerprint: str | None = None) -> Path:
    """Store a map with its model, one file per method; returns the path.

    fingerprint  of the model that the map was computed from; None: the one in the folder

    Raises InputError when the folder contains another model by now.
    """
    path = model_folder / MAP.format(item_map.method)
    write_map(path, item_map, check_unchanged(model_folder, fingerprint))
    return path


def write_map(path: Path, item_map: ItemMap, fingerprint: str | None = None) -> None:
    """Write a map as Parquet: item_id, x, y (null for items without a position).

    The rest goes into the file's metadata, with the fingerprint of the model.
    """
    metadata = {
        "model": fingerprint,
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
    ).replace_schema_metadata({METADATA: json.dumps(metadata)})
    write_table(path, table)


def load_map(model_folder: Path, method: str, fingerprint: str | None = None) -> ItemMap:
    """The stored map of a model.

    fingerprint  of the model as it was loaded; None: of the model in the folder

    Raises InputError, naming the command to run, when it is missing or damaged, or belongs to another model.
    """
    path = model_folder / MAP.format(method)
    if method not in list_maps(model_folder):
        raise InputError(f"{model_folder}: has no {method} map; create it with recsys map --method {method}")
    with reading(path, "recsys map"):
        item_map, stored = _read(path)
        check_fingerprint(stored, model_folder, fingerprint)
        if item_map.method != method:
            raise InputError(f"it is a {item_map.method} map")
    return item_map


def read_map(path: Path) -> ItemMap:
    """The map in a file, of any model. Raises InputError, naming the command to run, when the file is damaged."""
    with reading(path, "recsys map"):
        return _read(path)[0]


def _read(path: Path) -> tuple[ItemMap, str | None]:
    """The map in a file, and the fingerprint of its model."""
    with open_file(path) as file:
        table = read_columns(file, path.name, COLUMNS)
    stored = checked(_Stored, metadata_of(table, METADATA, path))
    coordinates = np.column_stack([table["x"].to_numpy(), table["y"].to_numpy()])
    item_ids = table["item_id"].to_numpy()
    return ItemMap(stored.method, item_ids, coordinates, stored.seed, stored.axes, stored.fidelity), stored.model


def list_maps(model_folder: Path) -> list[str]:
    """The methods of the maps stored with a model, sorted."""
    start, end = MAP.split("{}")
    return sorted(path.name[len(start) : -len(end)] for path in model_folder.glob(MAP.format("*")))
