"""Origins ↔ three files of a prepared folder, which only `recsys prepare --append` reads."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pydantic import BaseModel, Field

from recsys.dataset.dataset import Dataset
from recsys.dataset.interactions import NO_TIME
from recsys.dataset.origins import Origins, located
from recsys.errors import InputError
from recsys.ingest.validation import LATEST_TIME
from recsys.store.artifacts import Artifact
from recsys.store.catalog import CATALOG, catalog_of, catalog_table
from recsys.store.files import metadata_of
from recsys.store.schema import ID, Column, Count, checked

ORIGINS = "origins.parquet"
UNUSED = "unused.parquet"
DESCRIBED = "described.parquet"

_KEY = "origins"
_MOST_FILES, _MOST_LINES = 2**20, 2**40
_PLACE = {
    "file": Column(pa.int32(), low=0, high=_MOST_FILES),
    "line": Column(pa.int64(), low=1, high=_MOST_LINES),
}
_UNUSED = {
    "user_id": Column(ID),
    "item_id": Column(ID),
    "rating": Column(pa.float32()),
    "timestamp": Column(pa.int64(), is_nullable=True, low=0, high=LATEST_TIME),
    **_PLACE,
    "replaced": Column(pa.bool_()),
}
_ROWS_PER_GROUP = 2**20

_Spelling = Literal["text", "canonical", "any"]


class _Head(BaseModel):
    files: Annotated[list[str], Field(min_length=1, max_length=_MOST_FILES)]
    spellings: tuple[_Spelling, _Spelling]
    ids: Literal["auto", "integer", "string"]
    text_bytes: Count


def write_origins(folder: Path, origins: Origins) -> None:
    """Write the origins into a new folder: file and line of each rating, packed as differences."""
    head = {
        "files": origins.files,
        "spellings": origins.spellings,
        "ids": origins.ids,
        "text_bytes": origins.text_bytes,
    }
    schema = pa.schema([("file", pa.int32()), ("line", pa.int64())], {_KEY: json.dumps(head)})
    packed = dict.fromkeys(schema.names, "DELTA_BINARY_PACKED")
    with pq.ParquetWriter(folder / ORIGINS, schema, use_dictionary=False, column_encoding=packed) as writer:
        for positions in _groups(origins.positions):
            files, lines = located(positions, origins.first_rows)
            writer.write_table(pa.table({"file": files, "line": lines}, schema=schema), _ROWS_PER_GROUP)
    unused = origins.unused
    files, lines = located(unused["position"].to_numpy(), origins.first_rows)
    times = unused["timestamp"].to_numpy()
    table = unused.select(["user_id", "item_id", "rating"])
    for name, column in (
        ("timestamp", pa.array(times, mask=times == NO_TIME)),
        ("file", pa.array(files)),
        ("line", pa.array(lines)),
        ("replaced", unused["replaced"]),
    ):
        table = table.append_column(name, column)
    pq.write_table(table, folder / UNUSED)
    if origins.described is not None:
        pq.write_table(catalog_table(origins.described), folder / DESCRIBED)


def _groups(parts: Sequence[range | np.ndarray]) -> Iterator[np.ndarray]:
    """The numbers in consecutive parts, as many at a time as a row group holds."""
    waiting: list[np.ndarray] = []
    n_waiting = 0
    for part in parts:
        start = 0
        while start < len(part):
            piece = np.asarray(part[start : start + _ROWS_PER_GROUP - n_waiting])
            waiting.append(piece)
            start, n_waiting = start + len(piece), n_waiting + len(piece)
            if n_waiting == _ROWS_PER_GROUP:
                yield np.concatenate(waiting)
                waiting, n_waiting = [], 0
    if waiting:
        yield np.concatenate(waiting)


def read_origins(artifact: Artifact, data: Dataset) -> Origins:
    """The origins of the data in an open artifact. Raises InputError where it has none, or they do not fit the data."""
    if not artifact.has(ORIGINS):
        raise InputError("it does not say where its rows came from, as data of older versions")
    table, unused = artifact.table(ORIGINS, _PLACE), artifact.table(UNUSED, _UNUSED)
    head = checked(_Head, metadata_of(table, _KEY, Path(ORIGINS)))
    if len(table) != data.interactions.n_ratings:
        raise InputError(f"{ORIGINS} has {len(table):,} rows for {data.interactions.n_ratings:,} ratings")
    for name, of_data in (("user_id", data.interactions.user_ids), ("item_id", data.interactions.item_ids)):
        if (unused.schema.field(name).type == pa.int64()) != (of_data.dtype == np.int64):
            raise InputError(f"{UNUSED}: column {name} has ids of another type than the ratings")
    most = [pc.max(part[name]).as_py() or 0 for name in ("line", "file") for part in (table, unused)]
    n_lines, last_file = max(most[:2]), max(most[2:])
    if last_file >= len(head.files):
        raise InputError(f"{ORIGINS}: file {last_file} is not one of the {len(head.files)} files")
    first_rows = tuple(number * n_lines for number in range(len(head.files)))
    positions, of_unused = (_positions(part, n_lines, len(head.files)) for part in (table, unused))
    times = pc.fill_null(unused["timestamp"], int(NO_TIME))
    rows = pa.table(
        {
            **{name: unused[name] for name in ("user_id", "item_id", "rating")},
            "timestamp": times,
            "position": pa.array(of_unused),
            "replaced": unused["replaced"],
        }
    )
    described = catalog_of(artifact.table(DESCRIBED, CATALOG)) if artifact.has(DESCRIBED) else None
    return Origins(
        tuple(head.files), first_rows, [positions], rows, head.spellings, head.ids, head.text_bytes, described
    )


def _positions(table: pa.Table, n_lines: int, n_files: int) -> np.ndarray:
    """File and line as one number, in as few bytes as it needs."""
    kind = np.int32 if n_lines * n_files < 2**31 else np.int64
    found = table["line"].to_numpy().astype(kind)
    found += table["file"].to_numpy().astype(kind, copy=False) * kind(n_lines)
    return found
