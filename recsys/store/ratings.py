"""Interactions ↔ interactions.parquet, one row group at a time: neither direction holds a second copy of the table.

Integers that rise within a user (item ids) or stay close together (user ids, times) are stored as packed differences:
smaller than dictionaries with Snappy, and decoded four times as fast.
"""

from __future__ import annotations

from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import scipy.sparse as sp

from recsys.dataset.interactions import NO_TIME, Interactions, index_of
from recsys.errors import InputError, quoted
from recsys.ingest.validation import LATEST_TIME
from recsys.store.schema import ID, Column, open_columns
from recsys.threads import one_ahead

INTERACTIONS = "interactions.parquet"
RATING_COLUMNS = {
    "user_id": Column(ID),
    "item_id": Column(ID),
    "rating": Column(pa.float32()),
    "timestamp": Column(pa.int64(), is_nullable=True, low=0, high=LATEST_TIME),
}

GROUP_ROWS = 2**20
"""Rows of a row group."""
RESULT_BYTES = 16
"""Bytes per rating in memory: int32 column, float32 rating, int64 time."""
SPARE_IDS = 2**20
"""Ids that lie close together are looked up in an array: up to this many unused numbers between them."""


def write_ratings(path: Path, interactions: Interactions) -> None:
    """Write user_id, item_id, rating and timestamp, sorted by user and item. Not atomic: use it inside `new_folder`.

    The same interactions give the same bytes.
    """
    user_ids, item_ids = pa.array(interactions.user_ids), pa.array(interactions.item_ids)
    schema = pa.schema(
        [("user_id", user_ids.type), ("item_id", item_ids.type), ("rating", pa.float32()), ("timestamp", pa.int64())]
    )
    packed = [field.name for field in schema if field.type == pa.int64()]
    with pq.ParquetWriter(
        path,
        schema,
        use_dictionary=[field.name for field in schema if field.name not in packed],
        column_encoding=dict.fromkeys(packed, "DELTA_BINARY_PACKED"),
    ) as writer:
        for columns in one_ahead(_groups(interactions, user_ids, item_ids)):
            writer.write_table(pa.table(columns, schema), row_group_size=GROUP_ROWS)


def _groups(interactions: Interactions, user_ids: pa.Array, item_ids: pa.Array) -> Iterator[list[pa.Array]]:
    """The columns of each row group."""
    matrix, times = interactions.matrix, interactions.timestamps
    starts = matrix.indptr
    for begin in range(0, matrix.nnz, GROUP_ROWS):
        end = min(begin + GROUP_ROWS, matrix.nnz)
        first, last = np.searchsorted(starts, [begin, end - 1], side="right") - 1
        lengths = np.diff(np.clip(starts[first : last + 2], begin, end))
        users = np.repeat(np.arange(first, last + 1, dtype=np.int32), lengths)
        part = pa.nulls(end - begin, pa.int64())
        if times is not None:
            part = pa.array(times[begin:end], mask=times[begin:end] == NO_TIME)
        yield [
            user_ids.take(pa.array(users)),
            item_ids.take(pa.array(matrix.indices[begin:end])),
            pa.array(matrix.data[begin:end], pa.float32()),
            part,
        ]


def read_ratings(file: BufferedReader, user_ids: np.ndarray, item_ids: np.ndarray) -> Interactions:
    """The ratings of these users and items, in the order of the two arrays of ids.

    Raises InputError for other columns, wrong values, unknown ids, rows that are not sorted by user and item or occur
    twice, and for more rows than the memory holds; pyarrow's exceptions for a damaged file.
    """
    users, items = _Users(user_ids), _Items(item_ids)
    with open_columns(file, INTERACTIONS, RATING_COLUMNS, bytes_per_row=RESULT_BYTES) as (n_rows, groups):
        columns, ratings = np.empty(n_rows, np.int32), np.empty(n_rows, np.float32)
        times = np.empty(n_rows, np.int64)
        begin = end = n_without = 0
        for group in one_ahead(groups):
            begin, end = end, end + len(group)
            columns[begin:end] = items.rows(group["item_id"].combine_chunks())
            heads = users.add(group["user_id"].combine_chunks())
            before = np.concatenate([columns[max(begin - 1, 0) :][:1], columns[begin : end - 1]])
            rises = columns[begin:end] > before
            rises[heads] = True
            if not rises.all():
                raise _unsorted()
            ratings[begin:end] = group["rating"].to_numpy()
            given = group["timestamp"]
            times[begin:end] = (pc.fill_null(given, int(NO_TIME)) if given.null_count else given).to_numpy()
            n_without += given.null_count
    if end != n_rows:
        raise InputError(f"{INTERACTIONS} has {end} rows instead of {n_rows}")
    starts = np.concatenate([[0], np.cumsum(users.counts)]).astype(np.int32 if n_rows < 2**31 else np.int64)
    matrix = sp.csr_matrix((ratings, columns, starts), shape=(len(user_ids), len(item_ids)))
    return Interactions(matrix, user_ids, item_ids, None if n_without == n_rows else times)


class _Users:
    """Counts the rows of each user in `counts`. The rows of a user follow each other, users in the order of the ids."""

    def __init__(self, user_ids: np.ndarray) -> None:
        self.counts = np.zeros(len(user_ids), np.int64)
        self._index = index_of(user_ids)
        self._last = -1

    def add(self, ids: pa.Array) -> np.ndarray:
        """Count the next rows, by their ids. Returns the positions of those whose user is another one than that of the
        row before. Raises InputError for unknown ids and users in another order."""
        values = (ids.indices if pa.types.is_dictionary(ids.type) else ids).to_numpy()
        heads = np.concatenate([[0], np.flatnonzero(values[1:] != values[:-1]) + 1])
        found = ids.take(pa.array(heads)).to_numpy(zero_copy_only=False)
        rows = self._index.get_indexer(index_of(found))
        if (rows < 0).any():
            raise _unknown("user", found[rows < 0][0])
        if rows[0] < self._last or not (rows[1:] > rows[:-1]).all():
            raise _unsorted()
        self.counts[rows] += np.diff(heads, append=len(ids))
        is_known, self._last = rows[0] == self._last, rows[-1]
        return heads[1:] if is_known else heads


class _Items:
    """Finds the row numbers of item ids; by position in an array where the ids are integers close together."""

    def __init__(self, item_ids: np.ndarray) -> None:
        self._known = pa.array(item_ids)
        self._low, self._table = 0, None
        if item_ids.dtype == np.int64 and len(item_ids):
            low, high = int(item_ids.min()), int(item_ids.max())
            if high - low <= len(item_ids) + SPARE_IDS:
                self._low, self._table = low, np.full(high - low + 1, -1, np.int32)
                self._table[item_ids - low] = np.arange(len(item_ids), dtype=np.int32)

    def rows(self, ids: pa.Array) -> np.ndarray:
        """Row numbers, int32. Raises InputError for an unknown id."""
        if self._table is not None and ids.type == pa.int64():
            values = ids.to_numpy()
            places = (values - self._low).view(np.uint64)  # below the lowest id: a number beyond the table
            if places.max() >= len(self._table):
                raise _unknown("item", values[places >= len(self._table)][0])
            rows: np.ndarray = self._table[places.view(np.int64)]
            if rows.min() < 0:
                raise _unknown("item", values[rows < 0][0])
            return rows
        if pa.types.is_dictionary(ids.type):
            found = pc.index_in(ids.dictionary, value_set=self._known).take(ids.indices)
        else:
            found = pc.index_in(ids, value_set=self._known)
        if found.null_count:
            raise _unknown("item", ids.filter(found.is_null())[0].as_py())
        return found.to_numpy()


def _unknown(kind: str, value: object) -> InputError:
    plain = value.item() if isinstance(value, np.generic) else value
    return InputError(f"{INTERACTIONS} contains {kind} {quoted(plain)}, which is not in {kind}s.parquet")


def _unsorted() -> InputError:
    return InputError(f"{INTERACTIONS} is not sorted by user and item")
