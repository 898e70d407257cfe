"""A batch of users: consecutive users share its memory, others are copied."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from recsys.models import UserBatch


def test_a_slice_shares_memory_and_equals_the_rows() -> None:
    ratings = sp.random(50, 20, 0.2, "csr", np.float32, np.random.default_rng(0))
    ratings.sum_duplicates()
    batch = UserBatch(np.arange(50), ratings, np.arange(100.0, dtype=np.float32).reshape(50, 2), np.full(50, "stored"))
    for rows in (slice(7, 30), slice(40, 99), slice(5, 5), slice(None), slice(30, 7), slice(0, 20, 3)):
        part = batch[rows]
        assert (part.ratings.toarray() == ratings.toarray()[rows]).all() and part.ratings.shape[1] == 20
        assert part.user_ids.tolist() == list(range(50))[rows] == (part.vectors[:, 0] / 2).tolist()
    assert np.shares_memory(batch[7:30].ratings.indices, ratings.indices)
    chosen = batch[np.array([40, 3])]
    assert (chosen.ratings.toarray() == ratings.toarray()[[40, 3]]).all() and chosen.user_ids.tolist() == [40, 3]
