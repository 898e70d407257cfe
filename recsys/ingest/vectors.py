"""Read vectors that another program made: one row per item (or user), an id and d numbers.

Three layouts are recognized, in Parquet, CSV, TSV and DataFrames:

    item_id, factors          `factors` holds lists of d numbers (what a model folder contains)
    item_id, <d columns>      one numeric column per dimension, in order
    "n d", then "id v1 … vd"  word2vec text format (.txt, .vec), as gensim's `save_word2vec_format` writes it
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from recsys.dataset.interactions import as_ids
from recsys.errors import InputError
from recsys.ingest.items import CANONICAL_INTEGER
from recsys.ingest.layout import KNOWN_NAMES
from recsys.ingest.validation import REJECTED

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

    Raises InputError when the file cannot be read, has no id column or no vectors, or when no row can be used.
    """
    suffix = path.suffix.lower()
    try:
        if suffix in (".parquet", ".pq"):
            table = pq.read_table(path)
            if len(set(table.column_names)) < len(table.column_names):
                raise InputError(f"{path}: column names must be unique, not {', '.join(table.column_names)}")
            return vectors_from_frame(table.to_pandas(), kind, source=path.name, where=str(path))
        if suffix in (".txt", ".vec"):
            return _read_word2vec(path)
        frame, lines = _read_delimited(path, "\t" if suffix == ".tsv" else ",")
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from None
    except (ValueError, csv.Error, pa.ArrowException) as error:  # a UnicodeDecodeError is a ValueError
        raise InputError(f"{path}: cannot be read: {str(error).splitlines()[0]}") from None
    return vectors_from_frame(frame, kind, source=path.name, where=str(path), line_of=lines.__getitem__)


def vectors_from_frame(
    frame: pd.DataFrame,
    kind: Kind = "item",
    *,
    source: str = "DataFrame",
    where: str = "vectors",
    line_of: Callable[[int], int] = lambda row: row + 1,
) -> VectorTable:
    """The vectors in a DataFrame: ids in a column named like `ID_COLUMNS` (else in a named or non-default index).

    source   name of the file, for the table of rejected rows
    where    what error messages call the source
    line_of  line number of a row number

    Raises InputError as `read_vectors` does.
    """
    if not isinstance(frame, pd.DataFrame):
        raise InputError(f"{where}: expected a DataFrame, not {type(frame).__name__}")
    names = [str(name) for name in frame.columns]
    if len(set(names)) < len(names):
        raise InputError(f"{where}: column names must be unique, not {', '.join(names)}")
    by_name = {name.strip().lower().replace(" ", "_"): name for name in names}
    column = next((by_name[name] for name in ID_COLUMNS[kind] if name in by_name), None)
    frame = frame.set_axis(names, axis=1)
    if column is None and isinstance(frame.index, pd.RangeIndex) and frame.index.name is None:
        raise InputError(
            f"{where}: no column of {kind} ids; name one of the columns {ID_COLUMNS[kind][0]} "
            f"(the columns are {', '.join(names[:8])})"
        )
    ids = pd.Series(frame.index if column is None else frame[column]).reset_index(drop=True)
    values = frame if column is None else frame.drop(columns=column)
    if VECTOR_COLUMN in values.columns:
        vectors = _stacked(values[VECTOR_COLUMN], where)
    else:
        if values.shape[1] == 0:
            raise InputError(f"{where}: no vectors; the only column is {column}")
        vectors = np.column_stack(
            [pd.to_numeric(values[name], errors="coerce").to_numpy(np.float64, na_value=np.nan) for name in values]
        )
    return _checked(ids, vectors, source, where, line_of)


def _read_delimited(path: Path, delimiter: str) -> tuple[pd.DataFrame, list[int]]:
    """The rows of a text file as text, with their line numbers. A row of another length than the header is emptied, so
    that it is rejected: its values could belong to any column."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, delimiter=delimiter, strict=True)
        names = [name.strip() for name in next(reader, [])]
        if not names:
            raise InputError(f"{path}: is empty")
        rows, lines = [], []
        for row in reader:
            if row:
                rows.append(row if len(row) == len(names) else [*row[:1], *[""] * (len(names) - 1)])
                lines.append(reader.line_num)
    return pd.DataFrame(rows, columns=names, dtype=str), lines


def _stacked(column: pd.Series, where: str) -> np.ndarray:
    """A column of lists as a matrix, (n, d) float64; a list of another length than most becomes NaN."""
    lists = [np.asarray(value, dtype=object).ravel() if np.ndim(value) else np.empty(0, object) for value in column]
    lengths = np.array([len(values) for values in lists])
    if not lengths.any():
        raise InputError(f"{where}: column {VECTOR_COLUMN} holds no lists of numbers")
    d = int(np.bincount(lengths[lengths > 0]).argmax())
    vectors = np.full((len(lists), d), np.nan)
    for row, values in enumerate(lists):
        if len(values) == d:
            vectors[row] = pd.to_numeric(pd.Series(values), errors="coerce")
    return vectors


def _read_word2vec(path: Path) -> VectorTable:
    """word2vec text: the number of vectors and of dimensions, then an id and its numbers per line."""
    with path.open(encoding="utf-8-sig") as file:
        head = file.readline().split()
        if len(head) != 2 or not all(part.isdecimal() for part in head):
            raise InputError(
                f"{path}: line 1: expected the number of vectors and of dimensions, as word2vec writes them"
            )
        d = int(head[1])
        if not 1 <= d <= MAX_DIMENSIONS:
            raise InputError(f"{path}: line 1: {d} dimensions are outside 1 … {MAX_DIMENSIONS}")
        ids: list[str] = []
        rows: list[list[float]] = []
        lines: list[int] = []
        for number, line in enumerate(file, start=2):
            if not line.strip():
                continue
            lines.append(number)
            parts = line.rstrip("\n").rstrip(" ").rsplit(" ", d)
            ids.append(parts[0])
            try:
                rows.append([float(part) for part in parts[1:]] if len(parts) == d + 1 else [np.nan] * d)
            except ValueError:
                rows.append([np.nan] * d)
    if len(rows) < int(head[0]):
        raise InputError(f"{path}: line 1 announces {int(head[0]):,} vectors, but there are {len(rows):,}")
    return _checked(pd.Series(ids), np.array(rows).reshape(len(rows), d), path.name, str(path), lines.__getitem__)


def _checked(
    ids: pd.Series, vectors: np.ndarray, source: str, where: str, line_of: Callable[[int], int]
) -> VectorTable:
    if vectors.shape[1] > MAX_DIMENSIONS:
        raise InputError(f"{where}: {vectors.shape[1]:,} dimensions are more than {MAX_DIMENSIONS:,}")
    if ids.dtype.kind == "f" and (ids.dropna() % 1 == 0).all():  # integers with a gap, as pandas reads them
        ids = ids.astype("Int64")
    text = ids.astype("str").fillna("").str.strip()
    has_id = (ids.notna() & (text != "")).to_numpy(dtype=bool)
    with np.errstate(over="ignore"):
        single = vectors.astype(np.float32)
    is_finite = np.isfinite(single).all(axis=1)
    usable = has_id & is_finite
    repeated = np.zeros(len(ids), dtype=bool)
    repeated[usable] = text[usable].duplicated().to_numpy()
    reasons = np.select(
        [~has_id, ~is_finite, repeated],
        ["id is missing", "a value is not a finite number", "id repeats an earlier row"],
        "",
    )
    bad = np.flatnonzero(~usable | repeated)
    rejected = pa.table(
        [[source] * len(bad), [line_of(int(row)) for row in bad], reasons[bad].tolist(), text[bad].tolist()],
        schema=REJECTED,
    )
    kept = usable & ~repeated
    if not kept.any():
        first = f"; line {line_of(int(bad[0]))}: {reasons[bad[0]]}" if len(bad) else ""
        raise InputError(f"{where}: none of the {len(ids):,} rows can be used{first}")
    whole = text[kept].str.fullmatch(CANONICAL_INTEGER).to_numpy(dtype=bool).all()
    return VectorTable(text[kept].to_numpy(np.int64) if whole else as_ids(text[kept].tolist()), single[kept], rejected)
