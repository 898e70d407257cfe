"""Ratings from Parquet files and DataFrames, as validated blocks of rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from recsys.errors import InputError
from recsys.ingest.blocks import Block, checked_block, rejected_rows, typed_block
from recsys.ingest.layout import Columns, FileLayout, find_roles, integer_roles, plain_names
from recsys.ingest.validation import Role, Validation, parse_integers

ROWS_PER_BLOCK = 2**20
FRAME = "DataFrame"
"""The name of an in-memory table in messages and in the table of rejected rows."""


def read_parquet_blocks(path: Path, columns: Columns, validation: Validation) -> Iterator[Block]:
    """Blocks of a Parquet file, rows counted from 1. Raises InputError for a file or a column that is not usable."""
    try:
        file = pq.ParquetFile(path)
    except (OSError, pa.ArrowInvalid) as error:
        raise InputError(f"{path}: is not a Parquet file: {first_line(error)}") from None
    names = file.schema_arrow.names
    roles = find_roles(str(path), names, plain_names(names), True, columns)
    with file:
        batches = file.iter_batches(batch_size=ROWS_PER_BLOCK, columns=list(roles.values()))
        yield from _blocks(batches, roles, validation, str(path), path.name)


def frame_blocks(frame: pd.DataFrame, columns: Columns, validation: Validation) -> Iterator[Block]:
    """Blocks of a DataFrame, rows counted from 1 whatever its index is.

    Raises InputError for what is not a DataFrame, duplicate column names, or columns that are missing or unusable.
    """
    names = column_names(frame, "ratings")
    roles = find_roles("ratings", names, plain_names(names), True, columns)
    table = arrow_table(frame, list(roles.values()), "ratings")
    yield from _blocks(table.to_batches(max_chunksize=ROWS_PER_BLOCK), roles, validation, "ratings", FRAME)


def column_names(frame: pd.DataFrame, source: str) -> list[str]:
    """The column names of a DataFrame as text. Raises InputError for anything else and for duplicate names."""
    if not isinstance(frame, pd.DataFrame):
        raise InputError(f"{source}: must be a pandas DataFrame, not {type(frame).__name__}")
    names = [str(name) for name in frame.columns]
    if len(set(names)) < len(names):
        duplicate = next(name for name in names if names.count(name) > 1)
        raise InputError(f"{source}: duplicate column {duplicate!r}")
    return names


def arrow_table(frame: pd.DataFrame, names: Sequence[str], source: str) -> pa.Table:
    """Some columns of a DataFrame, by name, as an Arrow table. Columns of mixed types become text."""
    at = {name: position for position, name in enumerate(column_names(frame, source))}
    arrays = []
    for name in names:
        column = frame.iloc[:, at[name]]
        try:
            arrays.append(pa.array(column, from_pandas=True))
        except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError):
            texts = [None if missing else str(value) for value, missing in zip(column, column.isna(), strict=True)]
            arrays.append(pa.array(texts, pa.string()))
    return pa.table(arrays, names=list(names))


def first_line(error: BaseException) -> str:
    """The first line of an error's message, or its type where it has none."""
    return (str(error).splitlines() or [type(error).__name__])[0]


def _blocks(
    batches: Iterable[pa.RecordBatch], roles: dict[Role, str], validation: Validation, source: str, file: str
) -> Iterator[Block]:
    """Blocks of batches with a column for each role; `source` names the table in errors, `file` in rejected rows."""
    layout: FileLayout | None = None
    row = 1
    for batch in batches:
        if layout is None:
            layout = _layout(batch, roles, validation, source)
        typed = _typed_columns(batch, layout)
        block = typed_block(typed, layout, validation) if typed else None
        if block is None:
            text = {role: pc.fill_null(_as_text(batch[name], source, name), "") for role, name in roles.items()}
            block, reasons = checked_block(text, layout, validation)
            bad = np.flatnonzero(reasons)
            shown = pc.binary_join_element_wise(*text.values(), ",").take(pa.array(bad))
            block = block._replace(rejected=rejected_rows(file, bad + row, reasons[bad], shown, validation))
        yield block._replace(lines=np.asarray(block.lines, dtype=np.int64) + row).encoded()
        row += len(batch)


def _layout(batch: pa.RecordBatch, roles: dict[Role, str], validation: Validation, source: str) -> FileLayout:
    def mostly_integer(role: Role) -> bool:
        text = _as_text(batch[roles[role]], source, roles[role])
        n_values = len(batch) - text.null_count
        return bool(parse_integers(pc.fill_null(text, ""))[1].sum() * 2 > n_values) or not n_values

    names = tuple(batch.schema.names)
    return FileLayout("", names, True, roles, integer_roles(roles, mostly_integer, validation))


def _typed_columns(batch: pa.RecordBatch, layout: FileLayout) -> dict[Role, pa.Array] | None:
    """The columns in the types of a block, or None where a column's own type does not convert without loss."""
    wanted = {
        "user": pa.int64() if "user" in layout.integer else pa.string(),
        "item": pa.int64() if "item" in layout.integer else pa.string(),
        "rating": pa.float32(),
        "time": pa.int64(),
    }
    columns: dict[Role, pa.Array] = {}
    for role, name in layout.roles.items():
        column = _seconds(batch[name])
        if pa.types.is_large_string(column.type):
            column = column.cast(pa.string())
        kind = column.type
        numeric = pa.types.is_integer(kind) or (role == "rating" and pa.types.is_floating(kind))
        if not (numeric or (kind == wanted[role])):
            return None
        columns[role] = column.cast(wanted[role], safe=role != "rating")
    return columns


def _seconds(column: pa.Array) -> pa.Array:
    """Dates and timestamps as seconds; other types unchanged."""
    if pa.types.is_timestamp(column.type) or pa.types.is_date(column.type):
        return column.cast(pa.timestamp("s", getattr(column.type, "tz", None)), safe=False).cast(pa.int64())
    return column


def _as_text(column: pa.Array, source: str, name: str) -> pa.Array:
    """A column of ids, numbers or dates as text, for the checks that text files go through."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    try:
        column = _seconds(column)
        if pa.types.is_floating(column.type):  # Arrow writes 12345678901.0 as 1.2345678901e+10, which is no integer
            whole = pc.and_(pc.equal(pc.round(column), column), pc.less(pc.abs(column), 2.0**53))
            integers = pc.if_else(pc.fill_null(whole, False), column, 0.0).cast(pa.int64()).cast(pa.string())
            return pc.if_else(whole, integers, column.cast(pa.string()))
        return column.cast(pa.string())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        raise InputError(f"{source}: column {name!r} holds {column.type}, not ids, numbers or times") from None
