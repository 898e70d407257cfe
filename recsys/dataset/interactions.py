"""Interactions: the ratings matrix with the original ids of its rows and columns.

Original ids are used outside the library, row numbers inside; this module is the only place that converts them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from recsys.errors import InputError, UnknownId, quoted

NO_TIME = np.int64(-1)
"""Marks a missing timestamp; valid ones are seconds since 1970 and never negative."""


def as_ids(ids: Any) -> np.ndarray:
    """Ids in the two types that the library uses: int64 when all are integers, else an object array of str."""
    array = np.asarray(ids)
    if array.size == 0:
        return array.astype(np.int64) if array.dtype.kind not in "OUST" else array.astype(object)
    if array.dtype.kind in "iu":
        return array.astype(np.int64)
    return np.array([str(i) for i in array.tolist()], dtype=object)


def index_of(ids: np.ndarray) -> pd.Index[Any]:
    """A lookup table id → row that keeps the type of the ids."""
    index: pd.Index[Any] = pd.Index(ids, dtype=ids.dtype)
    return index


def rows_of(index: pd.Index[Any], ids: Sequence[Any] | np.ndarray, kind: str) -> np.ndarray:
    """Row numbers of `ids` in `index`: int64, in the shape of `ids`.

    Numbers and text are converted into each other, since ids from a command line are text: "42" finds 42 and 42 finds
    "42". Raises UnknownId, naming the ids that are missing; `kind` is "user" or "item".
    """
    wanted = as_ids(ids)
    if index.dtype == np.int64 and wanted.dtype == object:
        as_numbers = pd.to_numeric(pd.Series(wanted), errors="coerce")
        if as_numbers.notna().all() and (as_numbers % 1 == 0).all() and (as_numbers.abs() < 2**63).all():
            wanted = as_numbers.to_numpy(np.int64)
    elif index.dtype == object and wanted.dtype == np.int64:
        wanted = wanted.astype(str).astype(object)
    rows = index.get_indexer(index_of(wanted))
    missing = rows < 0
    if missing.any():
        raise UnknownId.of(kind, wanted[missing].tolist(), index[:1].tolist()[0] if len(index) else None)
    return rows.astype(np.int64)


def select_entries(matrix: sp.csr_matrix, mask: np.ndarray) -> sp.csr_matrix:
    """The stored entries of a CSR matrix where `mask` holds, (nnz,) bool in the order of `matrix.data`; same shape."""
    kept_before = np.concatenate([[0], np.cumsum(mask)])
    return sp.csr_matrix((matrix.data[mask], matrix.indices[mask], kept_before[matrix.indptr]), shape=matrix.shape)


def hashes_of(ids: np.ndarray) -> np.ndarray:
    """A hash of each id, (n,) uint64: the same in every process and for every version of a library."""
    if ids.dtype == np.int64:
        return mixed(ids.view(np.uint64))
    digests = b"".join(hashlib.blake2b(name.encode(), digest_size=8).digest() for name in ids.tolist())
    return np.frombuffer(digests, dtype="<u8").astype(np.uint64)


def mixed(numbers: np.ndarray) -> np.ndarray:
    """The finalizer of SplitMix64 (Steele, Lea & Flood 2014): uint64 → uint64, every bit depends on every bit."""
    found = numbers + np.uint64(0x9E3779B97F4A7C15)
    found = (found ^ (found >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    found = (found ^ (found >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return found ^ (found >> np.uint64(31))


@dataclass(frozen=True, eq=False)
class Interactions:
    """A ratings matrix with the ids of its rows and columns.

    matrix      scipy CSR, float32, users × items, column indices sorted, no duplicate pairs
    user_ids    (n_users,) int64 or str objects; row number → original id
    item_ids    (n_items,) int64 or str objects; column number → original id
    timestamps  (nnz,) int64 seconds UTC in the order of `matrix.data`, `NO_TIME` where missing; or None

    Raises InputError when the shapes do not match, an id is duplicated, a rating is not finite, or a matrix with
    timestamps is not in canonical CSR form.

    >>> data = Interactions(np.array([[5, 0, 3], [0, 2, 4]]), ["ann", "bob"], [10, 20, 30])
    >>> data.n_ratings, data.user_rows(["bob"]).tolist(), data.item_rows([30, 10]).tolist()
    (4, [1], [2, 0])
    """

    matrix: sp.csr_matrix
    user_ids: np.ndarray
    item_ids: np.ndarray
    timestamps: np.ndarray | None = None

    def __post_init__(self) -> None:
        matrix = sp.csr_matrix(self.matrix, dtype=np.float32)
        if not matrix.has_canonical_format:
            if self.timestamps is not None:
                raise InputError("interactions with timestamps need sorted rows without duplicate pairs")
            matrix = matrix.copy()
            matrix.sum_duplicates()
        object.__setattr__(self, "matrix", matrix)
        object.__setattr__(self, "user_ids", as_ids(self.user_ids))
        object.__setattr__(self, "item_ids", as_ids(self.item_ids))
        if matrix.shape != (len(self.user_ids), len(self.item_ids)):
            raise InputError(
                f"a matrix of {matrix.shape[0]} × {matrix.shape[1]} does not fit "
                f"{len(self.user_ids)} user ids and {len(self.item_ids)} item ids"
            )
        if not np.isfinite(matrix.data).all():
            raise InputError("ratings must be finite numbers")
        if self.timestamps is not None:
            times = np.asarray(self.timestamps, dtype=np.int64)
            if times.shape != matrix.data.shape:
                raise InputError(f"{times.size} timestamps for {matrix.nnz} ratings")
            object.__setattr__(self, "timestamps", times)
        for kind, index in (("user", self.user_index), ("item", self.item_index)):
            if not index.is_unique:
                raise InputError(f"duplicate {kind} id {quoted(index[index.duplicated()].tolist()[0])}")

    @property
    def n_users(self) -> int:
        """Number of rows."""
        return int(self.matrix.shape[0])

    @property
    def n_items(self) -> int:
        """Number of columns."""
        return int(self.matrix.shape[1])

    @property
    def n_ratings(self) -> int:
        """Number of stored entries; a rating of 0 is one."""
        return int(self.matrix.nnz)

    @cached_property
    def user_index(self) -> pd.Index[Any]:
        """Original user id → row."""
        return index_of(self.user_ids)

    @cached_property
    def item_index(self) -> pd.Index[Any]:
        """Original item id → column."""
        return index_of(self.item_ids)

    def user_rows(self, ids: Sequence[Any] | np.ndarray) -> np.ndarray:
        """Original user ids → row numbers, int64. Raises UnknownId naming the missing ones."""
        return rows_of(self.user_index, ids, "user")

    def item_rows(self, ids: Sequence[Any] | np.ndarray) -> np.ndarray:
        """Original item ids → column numbers, int64. Raises UnknownId naming the missing ones."""
        return rows_of(self.item_index, ids, "item")

    def select(self, mask: np.ndarray) -> Interactions:
        """The ratings where `mask` holds, (nnz,) bool in the order of `matrix.data`; same users and items."""
        mask = np.asarray(mask, dtype=bool)
        if mask.shape != self.matrix.data.shape:
            raise InputError(f"a mask of {mask.size} for {self.n_ratings} ratings")
        times = None if self.timestamps is None else self.timestamps[mask]
        return Interactions(select_entries(self.matrix, mask), self.user_ids, self.item_ids, times)

    def of_users(self, rows: np.ndarray, user_ids: np.ndarray | None = None) -> Interactions:
        """Some of the users, with all items.

        rows      (n,) row numbers, in any order; a repeated one needs new ids
        user_ids  (n,) their ids; None: those they have
        """
        times = None if self.timestamps is None else self.timestamps[self._entries(rows)]
        ids = self.user_ids[rows] if user_ids is None else user_ids
        return Interactions(self.matrix[rows], ids, self.item_ids, times)

    def in_order(self, rows: np.ndarray | None = None) -> sp.csr_matrix:
        """The ratings of all users, or of some: CSR with the entries of each row as `oldest_first` sorts them.

        rows  (n,) row numbers

        Raises InputError where a timestamp is missing.
        """
        entries = self.oldest_first(rows)
        counts = np.diff(self.matrix.indptr)[slice(None) if rows is None else rows]
        starts = np.concatenate([[0], np.cumsum(counts)])
        shape = (len(counts), self.n_items)
        return sp.csr_matrix((self.matrix.data[entries], self.matrix.indices[entries], starts), shape=shape)

    def oldest_first(self, rows: np.ndarray | None = None) -> np.ndarray:
        """The places in `matrix.data` of the ratings of all users, or of some, one user after the other, each from the
        oldest to the latest: int64.

        Ratings of the same second are in the order of a hash of user and item, so that it tells nothing: in the order
        of the columns, a model would learn that the next item is further right.

        Raises InputError where a timestamp is missing.
        """
        rows = np.arange(self.n_users) if rows is None else rows
        entries = self._entries(rows)
        times = None if self.timestamps is None else self.timestamps[entries]
        if len(entries) == 0:
            return entries
        if times is None or (times == NO_TIME).any():
            raise InputError(
                "the order of the ratings is unknown: it needs a timestamp for every rating, and some are missing"
            )
        users = np.repeat(np.arange(len(rows)), np.diff(self.matrix.indptr)[rows])
        ties = mixed(hashes_of(self.user_ids[rows])[users] + self._item_hashes[self.matrix.indices[entries]])
        return entries[np.lexsort((ties, times, users))]

    @cached_property
    def _item_hashes(self) -> np.ndarray:
        return mixed(hashes_of(self.item_ids))

    def _entries(self, rows: np.ndarray) -> np.ndarray:
        """The places in `matrix.data` of the ratings of some users, int64, one user after the other."""
        counts = np.diff(self.matrix.indptr).astype(np.int64)[rows]
        ends = np.cumsum(counts)
        return np.repeat(self.matrix.indptr[rows] - (ends - counts), counts) + np.arange(counts.sum())

    def with_items(self, item_ids: np.ndarray) -> Interactions:
        """The same users with the columns `item_ids`, in that order.

        New items get empty columns, items that are not listed are dropped. Use it to apply a model to data other than
        its training data.
        """
        ids = as_ids(item_ids)
        target = index_of(ids)
        column = target.get_indexer(self.item_index)
        coo = self.matrix.tocoo()
        kept = np.flatnonzero(column[coo.col] >= 0)
        moved = sp.csr_matrix((kept, (coo.row[kept], column[coo.col[kept]])), shape=(self.n_users, len(target)))
        moved.sort_indices()  # SciPy 1.13 leaves them as they come
        times = None if self.timestamps is None else self.timestamps[moved.data]
        matrix = sp.csr_matrix((self.matrix.data[moved.data], moved.indices, moved.indptr), shape=moved.shape)
        return Interactions(matrix, self.user_ids, ids, times)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 (hex) of ids, ratings and timestamps: equal data have equal fingerprints."""
        digest = hashlib.sha256()
        for ids in (self.user_ids, self.item_ids):
            digest.update(f"{ids.dtype.kind}{len(ids)}".encode())
            digest.update(ids.tobytes() if ids.dtype.kind == "i" else "\0".join(ids).encode())
        parts = [(self.matrix.indptr, "<i8"), (self.matrix.indices, "<i4"), (self.matrix.data, "<f4")]
        if self.timestamps is not None:
            parts.append((self.timestamps, "<i8"))
        for array, kind in parts:
            digest.update(np.ascontiguousarray(array, dtype=kind).data)
        return digest.hexdigest()
