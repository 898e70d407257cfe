"""A synthetic input with the shape of MovieLens 25M, expanded from a smaller dataset.

Based on the fractal expansions of Belletti et al. 2019, "Scalable Realistic Recommendation Datasets through Fractal
Expansions": every user and item is copied several times, and the block of user copy a and item copy b keeps each
original interaction with a probability that depends on (a, b). The probability decreases with b as a power law and
varies with a, so that copies of a movie differ in popularity and the distribution keeps its long tail. Within a block
the preferences are those of the original.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

USER_COPIES, ITEM_COPIES = 27, 16
KEPT = 24_700_000


def expand(
    matrix: sp.csr_matrix,
    user_copies: int = USER_COPIES,
    item_copies: int = ITEM_COPIES,
    kept: int = KEPT,
    seed: int = 0,
) -> sp.csr_matrix:
    """A binary CSR float32 matrix (users · user_copies, items · item_copies) with about `kept` interactions.

    From `ml-1m` the defaults give 163,080 users × 59,296 movies (empty ones included), 24.7 million interactions.
    Needs about 12 bytes per interaction in addition to the result.
    """
    rng = np.random.default_rng(seed)
    coo = sp.coo_matrix(matrix)
    by_user = rng.lognormal(0.0, 0.7, user_copies)
    by_item = 1.0 / np.arange(1, item_copies + 1) ** 1.2
    wanted = kept / coo.nnz / (by_user[:, None] * by_item).sum()
    for _ in range(50):  # probabilities are capped at 1: rescale the others to reach `kept`
        keep = np.minimum(by_user[:, None] * by_item * wanted, 1.0)
        wanted *= kept / (coo.nnz * keep.sum())
    users, items = [], []
    for a in range(user_copies):
        for b in range(item_copies):
            chosen = np.flatnonzero(rng.random(coo.nnz, dtype=np.float32) < keep[a, b])
            users.append((coo.row[chosen] + a * coo.shape[0]).astype(np.int32))
            items.append((coo.col[chosen] + b * coo.shape[1]).astype(np.int32))
    row, column = np.concatenate(users), np.concatenate(items)
    shape = (coo.shape[0] * user_copies, coo.shape[1] * item_copies)
    expanded = sp.csr_matrix((np.ones(len(row), np.float32), (row, column)), shape=shape)
    expanded.sort_indices()
    return expanded
