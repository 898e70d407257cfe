"""Re-ranking: makes the list of one user more novel (less popular items) or more diverse (less similar items). No I/O.

The items with the best scores, `POOL` or `POOL_PER_RANK` times the length of the list, are put in a new order:

    relevance(i)  = (1 − ν) · standardized score(i)  −  ν · standardized log₂(share of all ratings that are of i)
    next item     = argmax over i of  (1 − δ) · relevance(i), scaled to 0 … 1  −  δ · max cosine to an item on the list

ν is the novelty, δ the diversity. This is maximal marginal relevance with λ = 1 − δ (Carbonell & Goldstein, SIGIR
1998).
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from recsys.dataset.interactions import rows_of
from recsys.errors import InputError, SettingError
from recsys.models import Model, UserBatch
from recsys.recommend.topn import recommend

POOL = 200
"""The smallest number of candidates: far more than a list shows, but all of them fit the user's taste."""
POOL_PER_RANK = 20
"""Candidates per rank, for long lists."""


def rerank(
    model: Model,
    batch: UserBatch,
    k: int = 10,
    *,
    novelty: float = 0.0,
    diversity: float = 0.0,
    exclude_seen: bool = True,
    allowed: np.ndarray | None = None,
) -> pd.DataFrame:
    """A list of k items for one user, with the columns of `recommend`: user_id, rank (1 = best), item_id, score.

    novelty    0 … 1: weight of rarity against the score; 1 ranks by rarity alone
    diversity  0 … 1: weight of being different from the items already on the list; 1 ranks by difference alone, after
               the first item

    The column score is the model's own, so it need not decrease along the list. With novelty and diversity 0, the
    result equals that of `recommend`. An item without a vector counts as similar to all others, because nothing is
    known that makes it different.

    Raises SettingError outside 0 … 1, InputError for a batch of several users, Unsupported for diversity with a model
    without vectors.
    """
    for name, amount in (("novelty", novelty), ("diversity", diversity)):
        if not 0 <= amount <= 1:
            raise SettingError(f"{name} must be between 0 and 1, not {amount:g}")
    if len(batch) != 1:
        raise InputError(f"re-ranking is for one user, not for {len(batch)}")
    if novelty == 0 and diversity == 0:
        return recommend(model, batch, k, exclude_seen=exclude_seen, allowed=allowed)
    space = model.space if diversity > 0 else None  # raises Unsupported for a model without vectors
    pool = recommend(model, batch, max(POOL_PER_RANK * k, POOL), exclude_seen=exclude_seen, allowed=allowed)
    rows = rows_of(model.catalog.index, pool["item_id"].to_numpy(), "item")
    known = np.maximum(model.n_ratings[rows], 1) / max(int(model.n_ratings.sum()), 1)
    relevance = (1 - novelty) * _standardized(pool["score"].to_numpy()) - novelty * _standardized(np.log2(known))
    if space is None:
        chosen = np.argsort(-relevance, kind="stable")[:k]
    else:
        chosen = _marginal(relevance, space.directions(space.item_factors[rows]), diversity, min(k, len(pool)))
    table = pool.iloc[chosen].reset_index(drop=True)
    table["rank"] = np.arange(1, len(table) + 1, dtype=np.int32)
    return table


def _marginal(relevance: np.ndarray, directions: np.ndarray, diversity: float, k: int) -> np.ndarray:
    """Row numbers of k items in the order of their marginal relevance.

    relevance   (n,)
    directions  (n, d) item vectors of length 1, or 0 for items without a vector
    """
    span = np.ptp(relevance) if len(relevance) else 0.0
    gain = (1 - diversity) * (relevance - relevance.min()) / span if span > 0 else np.zeros(len(relevance))
    chosen = np.empty(k, dtype=np.int64)
    nearest = np.full(len(relevance), -np.inf)
    is_blank = ~directions.any(axis=1)
    for rank in range(k):
        value = gain - diversity * nearest if rank else relevance.copy()
        value[chosen[:rank]] = -np.inf
        chosen[rank] = np.argmax(value)
        cosines = directions @ directions[chosen[rank]]
        cosines[is_blank] = 1.0
        nearest = np.maximum(nearest, cosines)
    return chosen


def _standardized(values: np.ndarray) -> np.ndarray:
    """Scaled to mean 0 and standard deviation 1; all 0 if the values are equal."""
    values = values.astype(np.float64)
    spread = values.std() if len(values) else 0.0
    return (values - values.mean()) / spread if spread > 0 else np.zeros(len(values))
