"""Read vectors that another program made: one row per item (or user), an id and d numbers.

Three layouts are recognized, in Parquet, CSV, TSV and DataFrames:

    item_id, factors          `factors` holds lists of d numbers (what a model folder contains)
    item_id, <d columns>      one numeric column per dimension, in order
    "n d", then "id v1 … vd"  word2vec text format (.txt, .vec), as gensim's `save_word2vec_format` writes it
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from recsys.errors import InputError
from recsys.ingest.delimited import first_line, read_text, rows_of
from recsys.ingest.ids import as_mask, clean, ids_of_texts, is_missing
from recsys.ingest.layout import KNOWN_NAMES, check_unique, listed, plain_names, shortened
from recsys.ingest.tables import (
    PARQUET_ERRORS,
    arrow_table,
    check_type,
    column_chunks,
    column_names,
    id_texts,
    open_parquet,
    plain_type,
)
from recsys.ingest.validation import MAX_TEXT, REJECTED
from recsys.limits import check_input, check_memory

Kind = Literal["item", "user"]

ID_COLUMNS: dict[Kind, tuple[str, ...]] = {
    "item": (*KNOWN_NAMES["item"], "id"),
    "user": (*KNOWN_NAMES["user"], "id"),
}
"""Column names of ids, without regard to case, by preference."""
VECTOR_COLUMN = "factors"
MAX_DIMENSIONS = 4096


@dataclass(frozen=True, eq=False)
class VectorTable:
    """Vectors with their ids, and the rows that could not be used.

    ids       (n,) int64 or str objects, unique
    vectors   (n, d) float32, finite
    rejected  table (file, line, reason, text): rows without an id, with a value that is not a finite number, or with
              an id that an earlier row has. `line` is the line of a text file, the row (from 1) of other sources
    """

    ids: np.ndarray
    vectors: np.ndarray
    rejected: pa.Table


def read_vectors(path: Path, kind: Kind = "item") -> VectorTable:
    """The vectors in a Parquet, CSV, TSV or word2vec text file.

    Raises InputError when the file cannot be read, has no id column or no vectors, does not fit in memory, or when no
    row can be used.
    """
    suffix = path.suffix.lower()
    if suffix in (".parquet", ".pq"):
        return _read_parquet(path, kind)
    text = read_text(path, f"file of {kind} vectors")
    if suffix in (".txt", ".vec"):
        return _read_word2vec(path, text)
    return _read_delimited(path, text, "\t" if suffix == ".tsv" else ",", kind)


def vectors_from_frame(frame: pd.DataFrame, kind: Kind = "item") -> VectorTable:
    """The vectors in a DataFrame: ids in a column named like `ID_COLUMNS` (else in a named or non-default index).

    Raises InputError as `read_vectors` does.
    """
    names = column_names(frame, "vectors")
    frame = frame.set_axis(names, axis=1)
    column = _id_column(names, kind)
    if column is None:
        if isinstance(frame.index, pd.RangeIndex) and frame.index.name is None:
            raise InputError(_no_ids("vectors", names, kind))
        column = " index"
        frame = frame.assign(**{column: frame.index})
        names = [*names, column]
    wanted = [column, VECTOR_COLUMN] if VECTOR_COLUMN in names else names
    return _from_arrow(arrow_table(frame, wanted, "vectors"), column, "DataFrame", "vectors")


def _id_column(names: Sequence[str], kind: Kind) -> str | None:
    """The column that holds the ids."""
    by_name = dict(zip(plain_names(names), names, strict=True))
    return next((by_name[name] for name in ID_COLUMNS[kind] if name in by_name), None)


def _no_ids(where: str, names: Sequence[str], kind: Kind) -> str:
    return (
        f"{where}: no column of {kind} ids; name one of the columns {ID_COLUMNS[kind][0]} "
        f"(the columns are {listed(names)})"
    )


def _read_parquet(path: Path, kind: Kind) -> VectorTable:
    """A Parquet file with a column `factors` of lists, or with numeric columns."""
    check_input(path, f"file of {kind} vectors")
    with open_parquet(path) as file:
        names = file.schema_arrow.names
        check_unique(names, str(path))
        column = _id_column(names, kind)
        if column is None:
            raise InputError(_no_ids(str(path), names, kind))
        wanted = [column, VECTOR_COLUMN] if VECTOR_COLUMN in names else names
        _check_dimensions(len(wanted) - 1, str(path))
        check_type(file.schema_arrow.field(column).type, kind, str(path), column)
        for name in wanted:
            if name != column:
                _check_numbers(file.schema_arrow.field(name).type, str(path), name)
        chunks = column_chunks(file, wanted, path)
        needed = sum(chunk.total_uncompressed_size + chunk.num_values * _BYTES_PER_NUMBER for chunk in chunks)
        check_memory(needed, path, f"reading {file.metadata.num_rows:,} vectors")
    try:
        with open_parquet(path, [column]) as file:
            table = file.read(wanted)
    except PARQUET_ERRORS as error:
        raise InputError(f"{path}: cannot be read to its end: {first_line(error)}") from None
    return _from_arrow(table, column, path.name, str(path))


_BYTES_PER_NUMBER = 40
"""Memory at the peak for each number: in Arrow's types, in float64 and in float32."""


def _check_numbers(kind: pa.DataType, where: str, name: str) -> None:
    """Raise InputError unless a column holds numbers, or lists of them if it is the vector column."""
    value = plain_type(kind)
    if name == VECTOR_COLUMN:
        is_list = pa.types.is_list(value) or pa.types.is_large_list(value) or pa.types.is_fixed_size_list(value)
        value = plain_type(value.value_type) if is_list else None
    if value is None or not (pa.types.is_integer(value) or pa.types.is_floating(value) or pa.types.is_null(value)):
        expected = "lists of numbers" if name == VECTOR_COLUMN else "numbers"
        raise InputError(f"{where}: column {shortened(name)!r} holds {shortened(str(kind))}, not {expected}")


def _check_dimensions(n: int, where: str) -> None:
    if n < 1:
        raise InputError(f"{where}: no vectors; the only column holds ids")
    if n > MAX_DIMENSIONS:
        raise InputError(f"{where}: {n:,} dimensions are more than {MAX_DIMENSIONS:,}")


def _from_arrow(table: pa.Table, column: str, source: str, where: str) -> VectorTable:
    """The vectors of a table in memory with ids in `column`; row numbers count from 1."""
    ids = id_texts(table[column], where)
    names = [name for name in table.column_names if name != column]
    _check_dimensions(len(names), where)
    for name in names:
        _check_numbers(table.field(name).type, where, name)
    if VECTOR_COLUMN in names:
        vectors = _stacked(table[VECTOR_COLUMN], where)
    else:
        vectors = np.column_stack([_numbers(table[name]) for name in names])
    return _checked(ids, vectors, source, where, lambda row: row + 1)


def _numbers(column: pa.ChunkedArray) -> np.ndarray:
    """A numeric column as float64, NaN where null."""
    return np.asarray(pc.fill_null(column.cast(pa.float64(), safe=False), np.nan).to_numpy(), dtype=np.float64)


def _stacked(column: pa.ChunkedArray, where: str) -> np.ndarray:
    """A column of lists as a matrix, (n, d) float64; a list of another length than most becomes NaN."""
    lengths = pc.fill_null(pc.list_value_length(column), 0).to_numpy().astype(np.int64)
    if not lengths.any():
        raise InputError(f"{where}: column {VECTOR_COLUMN} holds no lists of numbers")
    counts = np.unique_counts(lengths[lengths > 0])
    d = int(counts.values[counts.counts.argmax()])
    _check_dimensions(d, where)
    fits = lengths == d
    flat = _numbers(pc.list_flatten(column.filter(pa.array(fits & column.is_valid().to_numpy()))))
    vectors = np.full((len(lengths), d), np.nan)
    vectors[fits] = flat.reshape(-1, d)
    return vectors


def _read_delimited(path: Path, text: str, delimiter: str, kind: Kind) -> VectorTable:
    """Text with a header. A row of another length than the header is rejected: its values could belong to any
    column."""
    rows = rows_of(text, path, delimiter, n_fields=0)
    names = [name.strip() for name in next(rows, (1, []))[1]]
    if not names:
        raise InputError(f"{path}: is empty")
    check_unique(names, f"{path}: line 1")
    column = _id_column(names, kind)
    if column is None:
        raise InputError(_no_ids(str(path), names, kind))
    at, d = names.index(column), len(names) - 1
    _check_dimensions(d, str(path))

    def split() -> Iterator[tuple[int, str, list[str]]]:
        for line, row in rows:
            if len(row) == len(names):
                yield line, row[at], row[:at] + row[at + 1 :]
            else:
                yield line, row[at] if len(row) > at else "", []

    return _from_texts(split(), d, path)


def _read_word2vec(path: Path, text: str) -> VectorTable:
    """word2vec text: the number of vectors and of dimensions, then an id and its numbers per line."""
    lines = enumerate(text.split("\n"), start=1)
    head = next(lines)[1].split()
    if len(head) != 2 or not all(part.isascii() and part.isdecimal() and len(part) < 19 for part in head):
        raise InputError(f"{path}: line 1: expected the number of vectors and of dimensions, as word2vec writes them")
    n, d = int(head[0]), int(head[1])
    if not 1 <= d <= MAX_DIMENSIONS:
        raise InputError(f"{path}: line 1: {d} dimensions are outside 1 … {MAX_DIMENSIONS}")

    def split() -> Iterator[tuple[int, str, list[str]]]:
        for number, line in lines:
            if line.strip():
                item, *numbers = line.rstrip(" \r").rsplit(" ", d)
                yield number, item, numbers

    found = _from_texts(split(), d, path)
    n_found = len(found.ids) + len(found.rejected)
    if n_found < n:
        raise InputError(f"{path}: line 1 announces {n:,} vectors, but there are {n_found:,}")
    return found


def _from_texts(rows: Iterator[tuple[int, str, list[str]]], d: int, path: Path) -> VectorTable:
    """The vectors of rows (line, id, numbers as text); rows with another number of numbers than d are rejected."""
    ids: list[str] = []
    lines: list[int] = []
    numbers = array("d")
    unusable = array("d", [np.nan]) * d
    for line, item, cells in rows:
        lines.append(line)
        ids.append(item)
        try:
            numbers.extend(array("d", map(float, cells)) if len(cells) == d else unusable)
        except ValueError:
            numbers.extend(unusable)
    vectors = np.frombuffer(numbers, dtype=np.float64).reshape(len(ids), d)
    return _checked(pa.array(ids, pa.string()), vectors, path.name, str(path), lines.__getitem__)


def _checked(ids: pa.Array, vectors: np.ndarray, source: str, where: str, line_of: Callable[[int], int]) -> VectorTable:
    """The rows that can be used, and the others with their reasons."""
    texts = clean(pc.fill_null(ids, ""))
    has_id, is_damaged = ~is_missing(texts), as_mask(pc.match_substring(texts, "\ufffd"))
    with np.errstate(over="ignore", invalid="ignore"):
        single = vectors.astype(np.float32)
    is_finite = np.isfinite(single).all(axis=1)
    usable = has_id & ~is_damaged & is_finite
    kept = np.flatnonzero(usable)
    found = ids_of_texts(texts.take(pa.array(kept)))
    repeats = pd.Series(found).duplicated().to_numpy(dtype=bool)
    repeated = np.zeros(len(texts), dtype=bool)
    repeated[kept[repeats]] = True
    reasons = np.select(
        [~has_id, is_damaged, ~is_finite, repeated],
        ["id is missing", "id is not valid UTF-8", "a value is not a finite number", "id repeats an earlier row"],
        "",
    )
    bad = np.flatnonzero(~usable | repeated)
    if not (usable & ~repeated).any():
        first = f"; line {line_of(int(bad[0]))}: {reasons[bad[0]]}" if len(bad) else ""
        raise InputError(f"{where}: none of the {len(texts):,} rows can be used{first}")
    shown = pc.utf8_slice_codeunits(texts.take(pa.array(bad)), 0, MAX_TEXT)
    rejected = pa.table(
        [[source] * len(bad), [line_of(int(row)) for row in bad], reasons[bad].tolist(), shown], schema=REJECTED
    )
    return VectorTable(found[~repeats], single[kept[~repeats]], rejected)
