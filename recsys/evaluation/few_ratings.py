"""Quality from few ratings: new users of whom only a few ratings are known. Does no I/O.

What a visitor of the app sees after rating some movies. Held-out ratings count by their value on the scale of the data,
from its lowest rating a to its highest b:

    liked     a + ¾ (b − a) or more: 4 or 5 stars of 1 … 5
    disliked  a + ⅓ (b − a) or less: 1 or 2 stars of 1 … 5

    ndcg      of the liked ones, as in `recsys.evaluation.ranking`; undefined for users without any
    harm      share of the list that is disliked

Without a scale, where all ratings are equal, all are liked.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from recsys.dataset.interactions import select_entries
from recsys.dataset.split import FewKnown
from recsys.evaluation.interval import Interval, bootstrap, intervals, paired
from recsys.evaluation.ranking import hits_of, metrics_at
from recsys.models import Model
from recsys.recommend.topn import best_items
from recsys.topk import NONE, canonical

LIKED, DISLIKED = 3 / 4, 1 / 3


@dataclass(frozen=True)
class FewRatings:
    """Quality with `n_known` known ratings of each new user.

    ndcg, harm            means over users with their 95 % intervals; see the top of the module
    ndcg_lead, harm_lead  mean over users of the first model's value minus this model's, paired; None for the first
                          model itself
    """

    n_known: int
    ndcg: Interval
    harm: Interval
    ndcg_lead: Interval | None
    harm_lead: Interval | None


def rank_from_few(model: Model, split: FewKnown, k: int = 10, *, n_threads: int = 1) -> pd.DataFrame:
    """Measure a model that was trained on `split.train`: one row per user, columns `ndcg from n` and `harm from n` for
    each number n of known ratings, float64."""
    if not split.known:
        return pd.DataFrame()
    low, high = (float(bound(split.train.matrix.data)) for bound in (np.min, np.max))
    truth = canonical(split.truth)
    liked = select_entries(truth, truth.data >= low + LIKED * (high - low))
    disliked = select_entries(truth, (truth.data <= low + DISLIKED * (high - low)) & (high > low))
    n_liked = np.diff(liked.indptr)
    never_listed = canonical(list(split.known.values())[-1].matrix)
    columns = {}
    for number, known in split.known.items():
        batch = model.fitted.batch(known.user_ids, model.ratings_of(known), model.weighting, is_new=True)
        # Known ratings are not listed; of those known at a larger number there are at most as many as the list is
        # longer than k.
        longer = min(k + max(split.known), len(model.item_ids))
        lists, _ = best_items(model, batch, longer, n_threads=n_threads)
        lists = _without(lists, hits_of(lists, never_listed))[:, :k]
        ndcg = metrics_at(hits_of(lists, liked), np.maximum(n_liked, 1), k)["ndcg"]
        columns[f"ndcg from {number}"] = np.where(n_liked > 0, ndcg, np.nan)
        columns[f"harm from {number}"] = hits_of(lists, disliked).sum(axis=1) / k
    return pd.DataFrame(columns)


def few_ratings(users: pd.DataFrame, first: pd.DataFrame | None) -> tuple[FewRatings, ...]:
    """The means of `rank_from_few`, and their paired differences from the first model's (None: this is the first)."""
    if users.empty:
        return ()
    means = intervals(bootstrap(users))
    leads = {} if first is None else intervals(paired(first, users))
    numbers = [int(metric.removeprefix("ndcg from ")) for metric in means if metric.startswith("ndcg from ")]
    return tuple(
        FewRatings(
            n,
            means[f"ndcg from {n}"],
            means[f"harm from {n}"],
            leads.get(f"ndcg from {n}"),
            leads.get(f"harm from {n}"),
        )
        for n in numbers
    )


def _without(lists: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Lists of item rows (n, k) with the masked items left out, and `NONE` at the end."""
    kept = np.where(mask, NONE, lists)
    order = np.argsort(kept == NONE, axis=1, kind="stable")
    return np.take_along_axis(kept, order, axis=1)
