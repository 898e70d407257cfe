"""Read a list of user ids from a text or Parquet file."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from recsys.dataset.interactions import as_ids
from recsys.errors import InputError
from recsys.ingest.layout import KNOWN_NAMES


def read_user_ids(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """User ids and their line numbers (int64, from 1), from a text file with one id per line or a Parquet table.

    A first line that names a user column (`user_id`, …) is a header. Of several columns the user column is read, or the
    first. Empty lines are skipped. Raises InputError for a file that is missing, not readable or without ids.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file of user ids")
    if path.suffix.lower() in (".parquet", ".pq"):
        try:
            table = pq.read_table(path)
        except (OSError, pa.ArrowException) as error:
            raise InputError(f"{path}: is not a Parquet file: {str(error).splitlines()[0]}") from None
        names = [n for n in table.column_names if n.lower() in KNOWN_NAMES["user"]] or table.column_names[:1]
        if not names or not len(table):
            raise InputError(f"{path}: holds no user ids")
        column = table[names[0]]
        rows = np.flatnonzero(column.is_valid().to_numpy()) + 1
        return as_ids(column.drop_null().to_numpy()), rows
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as text: {str(error).splitlines()[0]}") from None
    delimiter = next((d for d in "\t,;|" if lines and d in lines[0]), None)
    header = [cell.strip().strip('"').lower() for cell in (lines[0].split(delimiter) if lines else [])]
    column_at = next((at for at, cell in enumerate(header) if cell in KNOWN_NAMES["user"]), None)
    first = 0 if column_at is None else 1
    ids, numbers = [], []
    for number, line in enumerate(lines[first:], first + 1):
        cells = line.split(delimiter) if delimiter else [line]
        cell = cells[column_at or 0].strip().strip('"') if len(cells) > (column_at or 0) else ""
        if cell:
            ids.append(cell)
            numbers.append(number)
    if not ids:
        raise InputError(f"{path}: holds no user ids")
    return np.array(ids, dtype=object), np.array(numbers, dtype=np.int64)


def split_user_ids(text: str, *, are_integers: bool) -> list[str]:
    """User ids from text as typed: separated by commas, semicolons, tabs or line breaks.

    Integers may also be separated by spaces; other ids may contain spaces.
    """
    parts = re.split(r"[\s,;]+" if are_integers else r"[\n,;\t]+", text)
    return [part.strip() for part in parts if part.strip()]
