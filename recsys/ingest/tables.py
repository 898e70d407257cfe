"""Ratings from Parquet files and DataFrames, as validated blocks of rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from recsys.dataset.origins import Spelling
from recsys.errors import InputError
from recsys.ingest.blocks import SAMPLE_ROWS, Block, checked_block, typed_block, with_types
from recsys.ingest.delimited import BYTES_PER_CHARACTER, first_line
from recsys.ingest.layout import Columns, FileLayout, check_unique, find_roles, plain_names, shortened
from recsys.ingest.validation import MAX_TEXT, Role, Validation, distinct_texts, rejected_rows
from recsys.limits import check_memory

ROWS_PER_BLOCK = 2**18
FRAME = "DataFrame"
"""The name of an in-memory table in messages and in the table of rejected rows."""

BYTES_PER_RATING = 160
"""Memory that preparing needs at its peak for each usable row, besides that for distinct ids: measured 97 bytes without
and 157 with many repeated rows."""


def read_parquet_blocks(
    path: Path, columns: Columns, validation: Validation, spelling: Mapping[Role, Spelling] | None = None
) -> Iterator[Block]:
    """Blocks of a Parquet file, rows counted from 1. Raises InputError for a file or a column that is not usable, and
    for more rows than the memory holds."""
    layout = parquet_layout(path, columns, validation, spelling)
    with open_parquet(path, layout.roles.values()) as file:
        batches = file.iter_batches(batch_size=ROWS_PER_BLOCK, columns=list(layout.roles.values()))
        yield from _blocks(batches, layout, validation, path.name)


def parquet_layout(
    path: Path, columns: Columns, validation: Validation, spelling: Mapping[Role, Spelling] | None = None
) -> FileLayout:
    """The roles of the columns of a Parquet file, and its types by its first rows. Raises InputError as
    `read_parquet_blocks` does."""
    with open_parquet(path) as file:
        names = file.schema_arrow.names
        check_unique(names, str(path))
        roles = find_roles(str(path), names, plain_names(names), True, columns)
        for role, name in roles.items():
            check_type(file.schema_arrow.field(name).type, role, str(path), name)
        n_rows = file.metadata.num_rows
        check_memory(n_rows * BYTES_PER_RATING + largest_group(file), path, f"preparing {n_rows:,} rows")
    with open_parquet(path, roles.values()) as file:
        first = next(file.iter_batches(batch_size=SAMPLE_ROWS, columns=list(roles.values())), None)
    return _layout(first, roles, validation, spelling)


def groups_of_rows(path: Path, n_rows: int) -> list[tuple[int, int]]:
    """Ranges of consecutive row groups of a Parquet file with at least `n_rows` rows each, except the last one."""
    ranges, start, n = [], 0, 0
    with open_parquet(path) as file:
        for group in range(file.metadata.num_row_groups):
            n += file.metadata.row_group(group).num_rows
            if n >= n_rows or group == file.metadata.num_row_groups - 1:
                ranges.append((start, group + 1))
                start, n = group + 1, 0
    return ranges


def read_row_groups(
    path: Path, layout: FileLayout, validation: Validation, start: int, stop: int, first_row: int = 1
) -> tuple[int, Iterator[Block]]:
    """The number of rows of the row groups `start` … `stop`, and their blocks with rows counted from `first_row`."""

    def blocks() -> Iterator[Block]:
        with open_parquet(path, layout.roles.values()) as file:
            batches = file.iter_batches(ROWS_PER_BLOCK, list(range(start, stop)), list(layout.roles.values()))
            yield from _blocks(batches, layout, validation, path.name, first_row)

    with open_parquet(path) as file:
        return sum(file.metadata.row_group(group).num_rows for group in range(start, stop)), blocks()


PARQUET_ERRORS = (OSError, MemoryError, UnicodeDecodeError, pa.ArrowException)
"""What reading a damaged Parquet file raises."""


def open_parquet(path: Path, text_columns: Iterable[str] = ()) -> pq.ParquetFile:
    """A Parquet file, of which `text_columns` are read as dictionaries: a long text that a file repeats is held once.

    Raises InputError for anything else.
    """
    try:
        file = pq.ParquetFile(path, read_dictionary=list(text_columns))
        _ = file.schema_arrow.names, [file.schema.column(at).path for at in range(len(file.schema))]  # UTF-8?
        return file
    except PARQUET_ERRORS as error:
        raise InputError(f"{path}: is not a Parquet file: {first_line(error)}") from None


def largest_group(file: pq.ParquetFile) -> int:
    """Bytes of memory to unpack the largest row group, as the file states them."""
    groups = (file.metadata.row_group(at) for at in range(file.metadata.num_row_groups))
    return max((group.total_byte_size for group in groups), default=0)


def leaf_paths(file: pq.ParquetFile, columns: Iterable[str]) -> dict[int, str]:
    """Positions and paths of the values of these columns, such as "genres.list.element"."""
    wanted = set(columns)
    paths = {at: file.schema.column(at).path for at in range(file.metadata.num_columns)}
    return {at: path for at, path in paths.items() if path in wanted or path.split(".")[0] in wanted}


def column_chunks(file: pq.ParquetFile, columns: Iterable[str], path: Path) -> list[pq.ColumnChunkMetaData]:
    """What a file states of all chunks of these columns. Raises InputError.

    The columns are scanned first: pyarrow ends the process when it is asked for the metadata of a damaged chunk, but
    not when it reads one.
    """
    leaves = leaf_paths(file, columns)
    try:
        file.scan_contents(list(leaves.values()))
        groups = [file.metadata.row_group(number) for number in range(file.metadata.num_row_groups)]
        return [group.column(at) for group in groups for at in leaves]
    except PARQUET_ERRORS as error:
        raise InputError(f"{path}: is a damaged Parquet file: {first_line(error)}") from None


def frame_blocks(frame: pd.DataFrame, columns: Columns, validation: Validation) -> Iterator[Block]:
    """Blocks of a DataFrame, rows counted from 1 whatever its index is.

    Raises InputError for what is not a DataFrame, duplicate column names, or columns that are missing or unusable.
    """
    names = column_names(frame, "ratings")
    roles = find_roles("ratings", names, plain_names(names), True, columns)
    table = arrow_table(frame, list(roles.values()), "ratings")
    for role, name in roles.items():
        check_type(table.field(name).type, role, "ratings", name)
    batches = table.to_batches(max_chunksize=ROWS_PER_BLOCK)
    yield from _blocks(batches, _layout(next(iter(batches), None), roles, validation, None), validation, FRAME)


def column_names(frame: pd.DataFrame, source: str) -> list[str]:
    """The column names of a DataFrame as text. Raises InputError for anything else and for duplicate names."""
    if not isinstance(frame, pd.DataFrame):
        raise InputError(f"{source}: must be a pandas DataFrame, not {type(frame).__name__}")
    names = [str(name) for name in frame.columns]
    check_unique(names, source)
    return names


def arrow_table(frame: pd.DataFrame, names: Sequence[str], source: str) -> pa.Table:
    """Some columns of a DataFrame, by name, as an Arrow table. Columns of mixed types become text."""
    at = {name: position for position, name in enumerate(column_names(frame, source))}
    arrays = []
    for name in names:
        column = frame.iloc[:, at[name]]
        try:
            arrays.append(pa.array(column, from_pandas=True))
        except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, OverflowError):
            texts = [None if missing else str(value) for value, missing in zip(column, column.isna(), strict=True)]
            arrays.append(pa.array(texts, pa.string()))
    return pa.table(arrays, names=list(names))


def is_text_or_number(kind: pa.DataType, or_time: bool) -> bool:
    """Whether a column of this type holds text, numbers or nothing, or, if allowed, times."""
    value = plain_type(kind)
    return (
        is_text(value)
        or pa.types.is_integer(value)
        or pa.types.is_floating(value)
        or pa.types.is_decimal(value)
        or pa.types.is_null(value)
        or (or_time and (pa.types.is_timestamp(value) or pa.types.is_date(value)))
    )


def check_type(kind: pa.DataType, role: str, source: str, name: str) -> None:
    """Raise InputError unless a column's type can hold ids, ratings or times."""
    if not is_text_or_number(kind, or_time=role == "time"):
        raise InputError(
            f"{source}: column {shortened(name)!r} holds {shortened(str(kind))}, not ids, numbers or times"
        )


def plain_type(kind: pa.DataType) -> pa.DataType:
    """The type of the values of a dictionary or extension type; other types unchanged."""
    while pa.types.is_dictionary(kind) or isinstance(kind, pa.BaseExtensionType):
        kind = kind.value_type if pa.types.is_dictionary(kind) else kind.storage_type
    return kind


def is_text(kind: pa.DataType) -> bool:
    """Whether a type holds strings, or bytes that may be UTF-8 text, as old writers of Parquet store it."""
    return bool(
        pa.types.is_string(kind)
        or pa.types.is_large_string(kind)
        or pa.types.is_string_view(kind)
        or pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
    )


def _layout(
    first: pa.RecordBatch | None,
    roles: Mapping[Role, str],
    validation: Validation,
    spelling: Mapping[Role, Spelling] | None,
) -> FileLayout:
    """The layout of a table with a column for each role, and its types by its first rows."""
    layout = FileLayout("", tuple(roles.values()), True, roles)
    if first is None:
        return layout
    sample = {role: as_text(plain_column(first.column(name)).slice(0, SAMPLE_ROWS)) for role, name in roles.items()}
    return with_types(layout, sample, validation, spelling)


def _blocks(
    batches: Iterable[pa.RecordBatch], layout: FileLayout, validation: Validation, file: str, row: int = 1
) -> Iterator[Block]:
    """Blocks of batches with a column for each role; `file` names the table in rejected rows.

    row  number of the first row
    """
    for batch in batches:
        columns = {role: plain_column(batch.column(name)) for role, name in layout.roles.items()}
        typed = _typed_columns(columns, layout)
        block = typed_block(typed, layout, validation) if typed else None
        if block is None:
            texts = {role: as_text(column) for role, column in columns.items()}
            block, reasons = checked_block(texts, layout, validation)
            bad = np.flatnonzero(reasons)
            shown = pc.binary_join_element_wise(*(_shown(text, bad) for text in texts.values()), ",")
            block = block._replace(rejected=rejected_rows(file, bad + row, reasons[bad], shown, validation))
        yield block._replace(lines=np.asarray(block.lines, dtype=np.int64) + row)
        row += len(batch)


def _typed_columns(columns: Mapping[Role, pa.Array], layout: FileLayout) -> dict[Role, pa.Array] | None:
    """The columns in the types that `typed_block` takes, or None where a column's own type does not convert without
    loss."""
    typed: dict[Role, pa.Array] = {}
    for role, column in columns.items():
        kind = plain_type(column.type)
        if role in ("user", "item"):
            if pa.types.is_integer(kind) and kind == column.type and layout.spelling[role] != "text":
                try:
                    typed[role] = column.cast(pa.int64())
                except pa.ArrowInvalid:  # an unsigned integer above 2**63 − 1
                    return None
            elif is_text(kind):
                typed[role] = as_text(column)
            else:
                return None
        elif pa.types.is_dictionary(column.type) or not (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
            return None
        else:
            typed[role] = column.cast(pa.float64(), safe=False) if role == "rating" else column
    return typed


def plain_column(column: pa.Array) -> pa.Array:
    """A column without extension types, and with dates and timestamps as seconds."""
    if isinstance(column, pa.ExtensionArray):
        return plain_column(column.storage)
    if pa.types.is_dictionary(column.type):
        return pa.DictionaryArray.from_arrays(column.indices, plain_column(column.dictionary))
    if pa.types.is_timestamp(column.type) or pa.types.is_date(column.type):
        return column.cast(pa.timestamp("s", getattr(column.type, "tz", None)), safe=False).cast(pa.int64())
    return column


def as_text(column: pa.Array) -> pa.Array:
    """A plain column of text, numbers or seconds as strings, or as a dictionary array of strings, for the checks that
    text files go through. Bytes that are not UTF-8 become U+FFFD."""
    if pa.types.is_dictionary(column.type):
        return pa.DictionaryArray.from_arrays(column.indices, as_text(column.dictionary))
    kind = column.type
    if pa.types.is_floating(kind):  # Arrow writes 12345678901.0 as 1.2345678901e+10, which is no integer
        column = column.cast(pa.float32()) if pa.types.is_float16(kind) else column
        whole = pc.and_(pc.equal(pc.round(column), column), pc.less(pc.abs(column), 2.0**53))
        integers = pc.if_else(pc.fill_null(whole, False), column, 0.0).cast(pa.int64()).cast(pa.string())
        return pc.if_else(whole, integers, column.cast(pa.string()))
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        try:
            return column.cast(pa.string())
        except pa.ArrowInvalid:
            values = column.to_pylist()
            return pa.array([None if v is None else v.decode("utf-8", "replace") for v in values], pa.string())
    return column.cast(pa.string())


def id_texts(column: pa.ChunkedArray, source: str) -> pa.Array:
    """A column of ids as strings (n,), empty where null. Raises InputError if they do not fit in memory."""
    parts = []
    n_bytes = 0
    for chunk in column.chunks:
        texts, positions = distinct_texts(as_text(plain_column(chunk)))
        n_bytes += int(pc.binary_length(texts).to_numpy()[positions].sum())
        check_memory(n_bytes * BYTES_PER_CHARACTER, source, "reading its ids")
        parts.append(texts.take(pa.array(positions)))
    return pa.concat_arrays(parts) if parts else pa.array([], pa.string())


def _shown(column: pa.Array, rows: np.ndarray) -> pa.Array:
    """The texts of some rows for the table of rejected rows, each cut to what is kept."""
    texts, positions = distinct_texts(column)
    return pc.utf8_slice_codeunits(texts, 0, MAX_TEXT).take(pa.array(positions[rows]))
