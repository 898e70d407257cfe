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

    def with_items(self, item_ids: np.ndarray) -> Interactions:
        """The same users with the columns `item_ids`, in that order and without timestamps.

        New items get empty columns, items that are not listed are dropped. Use it to apply a model to data other than
        its training data.
        """
        ids = as_ids(item_ids)
        target = index_of(ids)
        column = target.get_indexer(self.item_index)
        coo = self.matrix.tocoo()
        keep = column[coo.col] >= 0
        matrix = sp.csr_matrix(
            (coo.data[keep], (coo.row[keep], column[coo.col[keep]])), shape=(self.n_users, len(target))
        )
        return Interactions(matrix, self.user_ids, ids)

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
