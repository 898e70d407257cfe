"""Read one number per item from a CSV file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa

from recsys.dataset.interactions import index_of
from recsys.errors import InputError
from recsys.ingest.delimited import read_text, rows_of
from recsys.ingest.ids import clean, in_type_of
from recsys.ingest.layout import listed, shortened


def read_values(path: Path, item_ids: np.ndarray) -> np.ndarray:
    """The numbers in a CSV file with the columns item_id and value: (n_items,) float64, NaN for items not listed.

    item_ids  (n_items,) original ids; other items in the file are ignored

    Raises InputError, naming the file and line, for a missing column, a value that is not a finite number, a duplicate
    item, or a file that lists none of the items.
    """
    rows = rows_of(read_text(path, "file of values"), path, ",")
    header = [name.strip() for name in next(rows, (1, [""]))[1]]
    if header.count("item_id") != 1 or header.count("value") != 1:
        raise InputError(f"{path}: line 1: needs the columns item_id and value, not {listed(header)}")
    at_id, at_value = header.index("item_id"), header.index("value")
    lines, texts, numbers = [], [], []
    for line, row in rows:
        try:
            value = float(row[at_value])
        except ValueError:
            value = float("nan")
        if not np.isfinite(value):
            raise InputError(f"{path}: line {line}: {shortened(row[at_value].strip())!r} is not a finite number")
        lines.append(line)
        texts.append(row[at_id])
        numbers.append(value)
    ids, fits = in_type_of(clean(pa.array(texts, pa.string())), item_ids, any_spelling=False)
    found: dict[object, float] = {}
    for line, item, fit, value in zip(lines, ids.tolist(), fits, numbers, strict=True):
        if fit and item in found:
            raise InputError(f"{path}: line {line}: duplicate item {shortened(str(item))!r}")
        if fit:
            found[item] = value
    positions = index_of(item_ids).get_indexer(index_of(np.array(list(found), dtype=item_ids.dtype)))
    if not (positions >= 0).any():
        raise InputError(f"{path}: lists no item of this model (ids look like {item_ids.tolist()[0]!r})")
    values = np.full(len(item_ids), np.nan)
    values[positions[positions >= 0]] = np.array(list(found.values()))[positions >= 0]
    return values
