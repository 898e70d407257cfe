"""Read a list of user ids from a text or Parquet file."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pyarrow as pa

from recsys.errors import InputError
from recsys.ingest.delimited import first_line, read_text
from recsys.ingest.ids import clean, ids_of_texts, is_missing
from recsys.ingest.layout import KNOWN_NAMES, split_line
from recsys.ingest.tables import PARQUET_ERRORS, check_type, id_texts, largest_group, open_parquet
from recsys.limits import check_input, check_memory

BYTES_PER_USER = 200
"""Memory for each user that a Parquet file lists."""


def read_user_ids(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """User ids and their line numbers (int64, from 1), from a text file with one id per line or a Parquet table.

    A first line that names a user column (`user_id`, …) is a header. Of several columns the user column is read, or the
    first. Ids are read as in ratings; missing ones are skipped. Raises InputError for a file that is missing, not
    readable or without ids.
    """
    is_table = path.suffix.lower() in (".parquet", ".pq")
    ids, numbers = _from_parquet(path) if is_table else _from_text(path)
    listed = np.flatnonzero(~is_missing(ids))
    if not len(listed):
        raise InputError(f"{path}: holds no user ids")
    ids = ids.take(pa.array(listed))
    return ids_of_texts(ids) if is_table else np.array(ids.to_pylist(), dtype=object), numbers[listed]


def _from_parquet(path: Path) -> tuple[pa.Array, np.ndarray]:
    """Clean ids (n,) and their row numbers (n,), from 1."""
    check_input(path, "file of user ids")
    with open_parquet(path) as file:
        names = file.schema_arrow.names
        name = next((name for name in names if name.lower() in KNOWN_NAMES["user"]), names[0] if names else None)
        if name is None:
            raise InputError(f"{path}: holds no user ids")
        if names.count(name) > 1:
            raise InputError(f"{path}: duplicate column {name!r}")
        check_type(file.schema_arrow.field(name).type, "user", str(path), name)
        n_rows = file.metadata.num_rows
        check_memory(n_rows * BYTES_PER_USER + 3 * largest_group(file), path, f"reading {n_rows:,} users")
    try:
        with open_parquet(path, [name]) as file:
            column = file.read([name])[name]
    except PARQUET_ERRORS as error:
        raise InputError(f"{path}: cannot be read to its end: {first_line(error)}") from None
    ids = id_texts(column, str(path))
    return ids, np.arange(1, len(ids) + 1)


def _from_text(path: Path) -> tuple[pa.Array, np.ndarray]:
    """Clean ids (n,) and their line numbers (n,), from 1; lines without the column have an empty id."""
    lines = [line.removesuffix("\r") for line in read_text(path, "file of user ids").split("\n")]
    delimiter = next((d for d in "\t,;|" if d in lines[0]), "\n")
    header = [cell.strip().strip('"').lower() for cell in split_line(lines[0], delimiter)]
    column = next((at for at, cell in enumerate(header) if cell in KNOWN_NAMES["user"]), None)
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
