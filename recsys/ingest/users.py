"""Read a list of user ids or item ids from a text or Parquet file, or of user ids from standard input."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa

from recsys.errors import InputError
from recsys.ingest.delimited import first_line, read_stream, read_text
from recsys.ingest.ids import clean, ids_of_texts, is_missing
from recsys.ingest.layout import KNOWN_NAMES, split_line
from recsys.ingest.tables import PARQUET_ERRORS, check_type, id_texts, largest_group, open_parquet
from recsys.limits import check_input, check_memory

BYTES_PER_ID = 200
"""Memory for each id that a Parquet file lists."""
STDIN = Path("-")
"""Stands for standard input, which is read as text."""

Role = Literal["user", "item"]


def read_user_ids(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """User ids and their line numbers (int64, from 1), from a text file with one id per line, a Parquet table, or
    `STDIN`.

    A first line that names a user column (`user_id`, …) is a header. Of several columns the user column is read, or the
    first. Ids are read as in ratings; missing ones are skipped. Raises InputError for a file that is missing, not
    readable or without ids.
    """
    return _read_ids(path, "user")


def read_item_ids(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Item ids and their line numbers, as `read_user_ids` reads users. The usual name of the column is `item_id`."""
    return _read_ids(path, "item")


def _read_ids(path: Path, role: Role) -> tuple[np.ndarray, np.ndarray]:
    is_table = path.suffix.lower() in (".parquet", ".pq")
    ids, numbers = _from_parquet(path, role) if is_table else _from_text(path, role)
    listed = np.flatnonzero(~is_missing(ids))
    if not len(listed):
        raise InputError(f"{_name_of(path)}: holds no {role} ids")
    ids = ids.take(pa.array(listed))
    return ids_of_texts(ids) if is_table else np.array(ids.to_pylist(), dtype=object), numbers[listed]


def _name_of(path: Path) -> Path:
    return Path("stdin") if path == STDIN else path


def _from_parquet(path: Path, role: Role) -> tuple[pa.Array, np.ndarray]:
    """Clean ids (n,) and their row numbers (n,), from 1."""
    check_input(path, f"file of {role} ids")
    with open_parquet(path) as file:
        names = file.schema_arrow.names
        name = next((name for name in names if name.lower() in KNOWN_NAMES[role]), names[0] if names else None)
        if name is None:
            raise InputError(f"{path}: holds no {role} ids")
        if names.count(name) > 1:
            raise InputError(f"{path}: duplicate column {name!r}")
        check_type(file.schema_arrow.field(name).type, role, str(path), name)
        n_rows = file.metadata.num_rows
        check_memory(n_rows * BYTES_PER_ID + 3 * largest_group(file), path, f"reading {n_rows:,} {role}s")
    try:
        with open_parquet(path, [name]) as file:
            column = file.read([name])[name]
    except PARQUET_ERRORS as error:
        raise InputError(f"{path}: cannot be read to its end: {first_line(error)}") from None
    ids = id_texts(column, str(path))
    return ids, np.arange(1, len(ids) + 1)


def _from_text(path: Path, role: Role) -> tuple[pa.Array, np.ndarray]:
    """Clean ids (n,) and their line numbers (n,), from 1; lines without the column have an empty id."""
    is_stdin = path == STDIN
    text = read_stream(sys.stdin.buffer, _name_of(path)) if is_stdin else read_text(path, f"file of {role} ids")
    lines = [line.removesuffix("\r") for line in text.split("\n")]
    delimiter = next((d for d in "\t,;|" if d in lines[0]), "\n")
    header = [cell.strip().strip('"').lower() for cell in split_line(lines[0], delimiter)]
    column = next((at for at, cell in enumerate(header) if cell in KNOWN_NAMES[role]), None)
    first = 0 if column is None else 1
    cells = [split_line(line, delimiter) for line in lines[first:]]
    ids = [row[column or 0] if len(row) > (column or 0) else "" for row in cells]
    return clean(pa.array(ids, pa.string()), unquote=delimiter not in (",", ";")), np.arange(
        first + 1, first + 1 + len(ids)
    )


def split_user_ids(text: str, *, are_integers: bool) -> list[str]:
    """User ids from text as typed: separated by commas, semicolons, tabs or line breaks.

    Integers may also be separated by spaces; other ids may contain spaces.
    """
    parts = re.split(r"[\s,;]+" if are_integers else r"[\n,;\t]+", text)
    return [part.strip() for part in parts if part.strip()]
