"""What stored JSON and stored tables may contain: one check of each, behind the checksums.

Checksums say that a file is the one that was written. These checks say that it contains what its reader expects, also
where someone else wrote both the file and its checksum.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedReader
from typing import Annotated, Any, Final, Literal, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pydantic
from pydantic import Field

from recsys.errors import InputError, quoted
from recsys.evaluation.serialization import from_json
from recsys.limits import LARGEST, check_memory

T = TypeVar("T")

ID: Final = "id"
"""The type of a column of ids: int64 or string."""
VECTOR: Final = "vector"
"""The type of a column of vectors: fixed_size_list<float32>[d]."""
TEXTS = pa.list_(pa.string())

Count = Annotated[int, Field(ge=0)]
Checksum = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Number = Annotated[float, Field(ge=-LARGEST, le=LARGEST)]
"""A number that float32 holds, with room for products."""


def checked(kind: type[T], value: Any) -> T:
    """A value from JSON as a dataclass or pydantic model. Types are checked strictly; keys that `kind` does not have
    are ignored, because nothing reads them.

    Raises InputError that names the first wrong value by its place, such as "data.n_users: Input should be …", and
    whatever the dataclass raises for values that do not fit together.
    """
    try:
        return from_json(kind, json.dumps(value))
    except pydantic.ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) if isinstance(part, int) else quoted(part)[1:-1] for part in first["loc"])
        raise InputError(f"{place}: {first['msg']}" if place else first["msg"]) from None
    except RecursionError:
        raise InputError("is nested too deeply") from None


@dataclass(frozen=True)
class Column:
    """What a column of a stored table may contain.

    type         `ID`, `VECTOR` or an Arrow type
    is_nullable  whether values may be missing
    is_unique    whether no value may occur twice
    low, high    the inclusive range of numbers; None: any finite number
    """

    type: Literal["id", "vector"] | pa.DataType
    is_nullable: bool = False
    is_unique: bool = False
    low: int | None = None
    high: int | None = None

    def accepts(self, kind: pa.DataType) -> bool:
        """Whether a column may have this Arrow type."""
        if self.type == ID:
            return kind in (pa.int64(), pa.string())
        if self.type == VECTOR:
            return pa.types.is_fixed_size_list(kind) and kind.value_type == pa.float32() and kind.list_size > 0
        return bool(kind == self.type)


Columns = Mapping[str, Column]


def read_columns(file: BufferedReader, name: str, *layouts: Columns) -> pa.Table:
    """A Parquet file, checked: it has exactly the columns of one of the layouts, in their types, and only valid values.

    name  of the file, for messages

    Raises InputError that names the file and the column, also for more data than the memory holds, and pyarrow's
    exceptions for a damaged file.
    """
    with _opened(file, name, layouts) as (parquet, columns, plain):
        check_memory(2 * sum(_bytes_to_read(parquet.metadata)), name, f"reading {parquet.metadata.num_rows:,} rows")
        # One row group after the other: all at once, pyarrow decodes vectors more slowly and in thrice the memory.
        groups = [parquet.read_row_group(at) for at in range(parquet.metadata.num_row_groups)]
        table = pa.concat_tables(groups) if groups else parquet.read()
    table.validate(full=True)  # UTF-8 and positions in dictionaries, which readers of Parquet do not check
    check_memory(2 * sum(map(_decoded_bytes, table.columns)), name, f"reading {len(table):,} rows")
    table = table.cast(plain)
    for column in columns:
        _check_values(table[column], columns[column], f"{name}: column {column}")
    return table


@contextmanager
def open_columns(
    file: BufferedReader, name: str, layout: Columns, *, bytes_per_row: int
) -> Iterator[tuple[int, Iterator[pa.Table]]]:
    """The number of rows of a Parquet file, and its row groups one after the other, checked as by `read_columns`; texts
    stay dictionaries. `is_unique` holds within a row group only.

    bytes_per_row  what the caller keeps of each row, counted against the limit of memory

    Raises InputError and pyarrow's exceptions as `read_columns` does, also while the row groups are read.
    """
    with _opened(file, name, [layout]) as (parquet, columns, _):
        n_rows = parquet.metadata.num_rows
        largest = max(_bytes_to_read(parquet.metadata), default=0)
        check_memory(bytes_per_row * n_rows + 4 * largest, name, f"reading {n_rows:,} rows")

        def groups() -> Iterator[pa.Table]:
            for at in range(parquet.metadata.num_row_groups):
                group = parquet.read_row_group(at)
                group.validate(full=True)
                for column in columns:
                    _check_values(group[column], columns[column], f"{name}: column {column}")
                if len(group):
                    yield group

        yield n_rows, groups()


@contextmanager
def _opened(
    file: BufferedReader, name: str, layouts: Sequence[Columns]
) -> Iterator[tuple[pq.ParquetFile, Columns, pa.Schema]]:
    """A Parquet file that reads texts as dictionaries, the layout it has, and its schema without dictionaries."""
    with pq.ParquetFile(file) as parquet:
        columns = _layout_of(parquet.schema_arrow, name, layouts)
        texts = [
            chunk.path_in_schema
            for chunk in map(parquet.metadata.row_group(0).column, range(parquet.metadata.num_columns))
            if chunk.physical_type == "BYTE_ARRAY"
        ] if parquet.metadata.num_row_groups else []  # fmt: skip
        plain = pa.schema([field.with_metadata(None) for field in parquet.schema_arrow], parquet.schema_arrow.metadata)
    file.seek(0)
    # A text that a file repeats a million times is held once until its size is known.
    with pq.ParquetFile(file, read_dictionary=texts, page_checksum_verification=True) as parquet:
        yield parquet, columns, plain


def _layout_of(schema: pa.Schema, name: str, layouts: Sequence[Columns]) -> Columns:
    """The layout that a table has. Raises InputError when it has none of them."""
    columns = next((layout for layout in layouts if sorted(layout) == sorted(schema.names)), None)
    if columns is None:
        wanted = " or ".join(", ".join(layout) for layout in layouts)
        raise InputError(f"{name}: has the columns {quoted(', '.join(schema.names))[1:-1]} instead of {wanted}")
    for column, rule in columns.items():
        kind = schema.field(column).type
        if not rule.accepts(kind):
            raise InputError(f"{name}: column {column} is of the type {quoted(str(kind))[1:-1]}")
    return columns


def _bytes_to_read(metadata: pq.FileMetaData) -> list[int]:
    """Bytes of memory that the columns of each row group take, texts in dictionaries, as the file states them."""
    widths = {"INT64": 8, "DOUBLE": 8}
    groups = (metadata.row_group(at) for at in range(metadata.num_row_groups))
    chunks = ([group.column(at) for at in range(group.num_columns)] for group in groups)
    return [
        sum(max(chunk.num_values, 0) * widths.get(chunk.physical_type, 4) + _unpacked(chunk) for chunk in group)
        for group in chunks
    ]


def _unpacked(chunk: pq.ColumnChunkMetaData) -> int:
    return max(chunk.total_uncompressed_size, 0) if chunk.physical_type == "BYTE_ARRAY" else 0


def _decoded_bytes(column: pa.ChunkedArray) -> int:
    """Bytes that a column takes without dictionaries."""
    n_bytes = 0
    for chunk in column.chunks:
        values = chunk.values if pa.types.is_list(chunk.type) else chunk
        if pa.types.is_dictionary(values.type):
            lengths = pc.fill_null(pc.binary_length(values.dictionary), 0).to_numpy(zero_copy_only=False)
            rows = pc.fill_null(values.indices, 0).to_numpy(zero_copy_only=False)
            n_bytes += int(lengths[rows].sum(dtype=np.int64)) + 4 * len(rows) if len(lengths) else 0
        n_bytes += chunk.nbytes
    return n_bytes


def _check_values(column: pa.ChunkedArray, rule: Column, place: str) -> None:
    """Raise InputError unless the values of a column obey its rule."""
    if column.null_count and not rule.is_nullable:
        raise InputError(f"{place}: a value is missing")
    values = column
    if rule.type == VECTOR or pa.types.is_list(column.type):
        values = pa.chunked_array([chunk.flatten() for chunk in column.chunks], column.type.value_type)
        if values.null_count:
            raise InputError(f"{place}: a value is missing")
    if pa.types.is_floating(values.type) and not all(_all_finite(chunk) for chunk in values.chunks):
        raise InputError(f"{place}: a value is not a finite number")
    if rule.low is not None or rule.high is not None:
        found = pc.min_max(column).as_py()
        for number in () if found["min"] is None else found.values():
            if (rule.low is not None and number < rule.low) or (rule.high is not None and number > rule.high):
                raise InputError(f"{place}: {number} is out of range")
    if rule.is_unique and not _is_ascending(column) and len(pc.unique(column)) < len(column):
        raise InputError(f"{place}: an id occurs twice")


def _is_ascending(column: pa.ChunkedArray) -> bool:
    """Whether these are whole numbers, each larger than the one before, so that none occurs twice."""
    if column.type != pa.int64() or column.null_count:
        return False
    numbers = column.to_numpy()
    return bool((numbers[1:] > numbers[:-1]).all())


def _all_finite(values: pa.Array) -> bool:
    """Whether all values that are not missing are finite."""
    return bool(np.isfinite(values.drop_null().to_numpy(zero_copy_only=False)).all())
