"""UserBatch: users to recommend to, with their ratings and vectors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

STORED, FOLDED_IN, COLD = "stored", "folded in", "cold"


@dataclass(frozen=True, eq=False)
class UserBatch:
    """Users to recommend to, from training or new.

    user_ids  (n,) original ids
    ratings   CSR (n, n_items) of raw ratings: the items each user has seen, columns in the order of the model's items;
              the entries of a row oldest first if the model uses their order
    vectors   (n, d) float32; None for a model without vectors
    origin    (n,) str: "stored" (vector from training), "folded in" (vector computed from the ratings) or "cold"
              (no usable ratings: the user gets the most popular items)
    visitors  whether the vectors were made from the ratings alone as `fold_in_visitors` does
    """

    user_ids: np.ndarray
    ratings: sp.csr_matrix
    vectors: np.ndarray | None
    origin: np.ndarray
    visitors: bool = False

    def __len__(self) -> int:
        return len(self.user_ids)

    def __getitem__(self, rows: slice | np.ndarray) -> UserBatch:
        """Some of the users: a slice, or an array of row numbers in any order."""
        vectors = None if self.vectors is None else self.vectors[rows]
        ratings = _rows_of(self.ratings, rows) if isinstance(rows, slice) else self.ratings[rows]
        return UserBatch(self.user_ids[rows], ratings, vectors, self.origin[rows], self.visitors)


def _rows_of(matrix: sp.csr_matrix, rows: slice) -> sp.csr_matrix:
    """Consecutive rows of a CSR matrix, which share its memory; SciPy's operators and constructor would copy them."""
    start, stop, step = rows.indices(matrix.shape[0])
    if step != 1 or stop < start:
        return matrix[rows]
    starts = matrix.indptr[start : stop + 1]
    entries = slice(starts[0], starts[-1])
    part = sp.csr_matrix((stop - start, matrix.shape[1]), dtype=matrix.dtype)
    part.data, part.indices, part.indptr = matrix.data[entries], matrix.indices[entries], starts - starts[0]
    if matrix.has_canonical_format:
        part.has_canonical_format = True
    return part
