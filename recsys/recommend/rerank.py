"""Re-ranking: one user's list with more movies that few know, or less of the same. Knows no files and no screen.

The best `POOL` items by the model's score, or 20 a place, are put in another order:

    relevance of i   (1 − ν) · standardised score + ν · standardised −log₂(share of the ratings that are of i)
    next on the list the i with the greatest (1 − δ) · relevance, from 0 to 1 − δ · greatest cosine to an item listed

ν is the novelty, δ the diversity: maximal marginal relevance, Carbonell & Goldstein, SIGIR 1998, with λ = 1 − δ.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from recsys.dataset.interactions import rows_of
from recsys.errors import InputError, SettingError
from recsys.models import Model, UserBatch
from recsys.recommend.topn import recommend

POOL = 200
"""Items to choose from, at least: far beyond what is shown, and still all of them near the user's taste."""
POOL_A_PLACE = 20


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
    """The list of one user, k long: columns user_id, rank (1 = best), item_id, score, as `recommend` has them.

    novelty    0 … 1: how much being known to few counts beside the score; at 1 nothing else does
    diversity  0 … 1: how much being unlike what is already on the list counts; at 1 nothing else does after the first
    score      the model's own, so that it need not fall along the list

    Both at 0 give exactly what `recommend` gives. An item without a vector is taken to be like all others: nothing is
    known of it that could make it different. Raises SettingError outside 0 … 1, InputError for more than one user,
    Unsupported for diversity with a model that has no vectors.
    """
    for name, amount in (("novelty", novelty), ("diversity", diversity)):
        if not 0 <= amount <= 1:
            raise SettingError(f"{name} goes from 0 to 1, not {amount:g}")
    if len(batch) != 1:
        raise InputError(f"a list is re-ranked for one user, not for {len(batch)}")
    if novelty == 0 and diversity == 0:
        return recommend(model, batch, k, exclude_seen=exclude_seen, allowed=allowed)
    space = model.space if diversity > 0 else None  # raises Unsupported for a model without vectors
    pool = recommend(model, batch, max(POOL_A_PLACE * k, POOL), exclude_seen=exclude_seen, allowed=allowed)
    rows = rows_of(model.catalog.index, pool["item_id"].to_numpy(), "item")
    known = np.maximum(model.n_ratings[rows], 1) / max(int(model.n_ratings.sum()), 1)
    relevance = (1 - novelty) * _standardised(pool["score"].to_numpy()) - novelty * _standardised(np.log2(known))
    if space is None:
        chosen = np.argsort(-relevance, kind="stable")[:k]
    else:
        chosen = _marginal(relevance, space.directions(space.item_factors[rows]), diversity, min(k, len(pool)))
    table = pool.iloc[chosen].reset_index(drop=True)
    table["rank"] = np.arange(1, len(table) + 1, dtype=np.int32)
    return table


def _marginal(relevance: np.ndarray, directions: np.ndarray, diversity: float, k: int) -> np.ndarray:
    """Places of k items in the order of their marginal relevance; `directions` (n, d) of length 1, or 0."""
    span = np.ptp(relevance) if len(relevance) else 0.0
    gain = (1 - diversity) * (relevance - relevance.min()) / span if span > 0 else np.zeros(len(relevance))
    chosen = np.empty(k, dtype=np.int64)
    nearest = np.full(len(relevance), -np.inf)
    is_blank = ~directions.any(axis=1)
    for place in range(k):
        value = gain - diversity * nearest if place else relevance.copy()
        value[chosen[:place]] = -np.inf
        chosen[place] = np.argmax(value)
        cosines = directions @ directions[chosen[place]]
        cosines[is_blank] = 1.0
        nearest = np.maximum(nearest, cosines)
    return chosen


def _standardised(values: np.ndarray) -> np.ndarray:
    """Mean 0, standard deviation 1; all 0 where the values are alike."""
    values = values.astype(np.float64)
    spread = values.std() if len(values) else 0.0
    return (values - values.mean()) / spread if spread > 0 else np.zeros(len(values))
