"""Read one number per item from a CSV file."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pandas as pd

from recsys.errors import InputError, quoted
from recsys.limits import check_input


def read_values(path: Path, item_ids: np.ndarray) -> np.ndarray:
    """The numbers in a CSV file with the columns item_id and value: (n_items,) float64, NaN for items not listed.

    item_ids  (n_items,) original ids; other items in the file are ignored

    Raises InputError, naming the file and line, for a missing column, a value that is not a finite number, a duplicate
    item, or a file that lists none of the items.
    """
    check_input(path, "file of values")
    known = pd.Index(item_ids.astype(str))
    found: dict[str, float] = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            header = [name.strip() for name in next(reader, [])]
            if header.count("item_id") != 1 or header.count("value") != 1:
                raise InputError(
                    f"{path}: line 1: needs the columns item_id and value, not {quoted(', '.join(header))}"
                )
            at_id, at_value = header.index("item_id"), header.index("value")
            for row in reader:
                if not row:
                    continue
                where = f"{path}: line {reader.line_num}"
                if len(row) != len(header):
                    raise InputError(f"{where}: has {len(row)} fields where the header has {len(header)}")
                item, text = row[at_id].strip(), row[at_value].strip()
                try:
                    value = float(text)
                except ValueError:
                    value = float("nan")
                if not np.isfinite(value):
                    raise InputError(f"{where}: {quoted(text)} is not a finite number")
                if item in found:
                    raise InputError(f"{where}: duplicate item {quoted(item)}")
                found[item] = value
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: cannot be read: {str(error).splitlines()[0]}") from None
    rows = known.get_indexer(pd.Index(list(found), dtype=object))
    if not (rows >= 0).any():
        raise InputError(f"{path}: lists no item of this model (ids look like {known[0]!r})")
    values = np.full(len(item_ids), np.nan)
    values[rows[rows >= 0]] = np.array(list(found.values()))[rows >= 0]
    return values
