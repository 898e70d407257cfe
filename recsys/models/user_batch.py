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
    ratings   CSR (n, n_items) of raw ratings: the items each user has seen, columns in the order of the model's items
    vectors   (n, d) float32; None for a model without vectors
    origin    (n,) str: "stored" (vector from training), "folded in" (vector computed from the ratings) or "cold"
              (no usable ratings: the user gets the most popular items)
    """

    user_ids: np.ndarray
    ratings: sp.csr_matrix
    vectors: np.ndarray | None
    origin: np.ndarray

    def __len__(self) -> int:
        return len(self.user_ids)

    def __getitem__(self, rows: slice | np.ndarray) -> UserBatch:
        """Some of the users: a slice, or an array of row numbers in any order."""
        vectors = None if self.vectors is None else self.vectors[rows]
        return UserBatch(self.user_ids[rows], self.ratings[rows], vectors, self.origin[rows])
