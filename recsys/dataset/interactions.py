"""Interactions: who rated what. The only border between the ids of the outside and the row numbers inside.

Knows nothing of files, titles or models.
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

from recsys.errors import InputError, UnknownId

NO_TIME = np.int64(-1)
"""Marks a missing timestamp; valid ones are seconds since 1970 and never negative."""


def as_ids(ids: Any) -> np.ndarray:
    """Ids as the library keeps them: int64 when all are integers, else an object array of str."""
    array = np.asarray(ids)
    if array.size == 0:
        return array.astype(np.int64) if array.dtype.kind not in "OUST" else array.astype(object)
    if array.dtype.kind in "iu":
        return array.astype(np.int64)
    return np.array([str(i) for i in array.tolist()], dtype=object)


def index_of(ids: np.ndarray) -> pd.Index:
    """A look-up table of ids that keeps their type: id → row."""
    return pd.Index(ids, dtype=ids.dtype)


def rows_of(index: pd.Index, ids: Sequence[Any] | np.ndarray, kind: str) -> np.ndarray:
    """Row numbers (int64, shape of `ids`) of `ids` in `index`; raises UnknownId naming those it lacks.

    Ids typed on a command line are strings: "42" finds 42 where ids are integers, and 42 finds "42".
    """
    wanted = as_ids(ids)
    if index.dtype == np.int64 and wanted.dtype == object:
        as_numbers = pd.to_numeric(pd.Series(wanted), errors="coerce")
        if as_numbers.notna().all() and (as_numbers % 1 == 0).all():
            wanted = as_numbers.to_numpy(np.int64)
    elif index.dtype == object and wanted.dtype == np.int64:
        wanted = wanted.astype(str).astype(object)
    rows = index.get_indexer(index_of(wanted))
    missing = rows < 0
    if missing.any():
        raise UnknownId.of(kind, wanted[missing].tolist(), index[:1].tolist()[0] if len(index) else None)
    return rows.astype(np.int64)


@dataclass(frozen=True, eq=False)
class Interactions:
    """A ratings matrix with the ids of its rows and columns.

    matrix      scipy CSR, float32, users × items, column indices sorted, no pair twice
    user_ids    (n_users,) int64 or str objects; row number → original id
    item_ids    (n_items,) int64 or str objects; column number → original id
    timestamps  (nnz,) int64 seconds UTC in the order of `matrix.data`, `NO_TIME` where missing; or None

    Raises InputError when the parts do not fit together.
    """

    matrix: sp.csr_matrix
    user_ids: np.ndarray
    item_ids: np.ndarray
    timestamps: np.ndarray | None = None

    def __post_init__(self) -> None:
        matrix = sp.csr_matrix(self.matrix, dtype=np.float32)
        if not matrix.has_canonical_format:
            if self.timestamps is not None:
                raise InputError("interactions with timestamps need sorted rows without repeated pairs")
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
                raise InputError(f"{kind} id {index[index.duplicated()].tolist()[0]!r} stands twice")

    @property
    def n_users(self) -> int:
        return self.matrix.shape[0]

    @property
    def n_items(self) -> int:
        return self.matrix.shape[1]

    @property
    def n_ratings(self) -> int:
        return self.matrix.nnz

    @cached_property
    def user_index(self) -> pd.Index:
        return index_of(self.user_ids)

    @cached_property
    def item_index(self) -> pd.Index:
        return index_of(self.item_ids)

    def user_rows(self, ids: Sequence[Any] | np.ndarray) -> np.ndarray:
        """Original user ids → row numbers, int64; raises UnknownId naming those that are not here."""
        return rows_of(self.user_index, ids, "user")

    def item_rows(self, ids: Sequence[Any] | np.ndarray) -> np.ndarray:
        """Original item ids → column numbers, int64; raises UnknownId naming those that are not here."""
        return rows_of(self.item_index, ids, "item")

    def select(self, mask: np.ndarray) -> Interactions:
        """The ratings where `mask` holds (bool, (nnz,), ordered as `matrix.data`); same users and items."""
        mask = np.asarray(mask, dtype=bool)
        if mask.shape != self.matrix.data.shape:
            raise InputError(f"a mask of {mask.size} for {self.n_ratings} ratings")
        kept_before = np.concatenate([[0], np.cumsum(mask)])
        matrix = sp.csr_matrix(
            (self.matrix.data[mask], self.matrix.indices[mask], kept_before[self.matrix.indptr]),
            shape=self.matrix.shape,
        )
        times = None if self.timestamps is None else self.timestamps[mask]
        return Interactions(matrix, self.user_ids, self.item_ids, times)

    def with_items(self, item_ids: np.ndarray) -> Interactions:
        """The same users, columns in the order of `item_ids`: unknown ones are empty, others fall away.

        Timestamps are left behind. This is how data meets a model that was trained on other data.
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
        """SHA-256 (hex) over ids, ratings and times: equal data have equal fingerprints."""
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
