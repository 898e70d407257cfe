"""Comparison of two ranked lists, and of two models' lists for many users. No I/O."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from recsys.dataset.interactions import Interactions
from recsys.errors import InputError, SettingError
from recsys.models import Model
from recsys.recommend.topn import batch_of_users, recommend

PERSISTENCE = 0.9
"""The value of the example by Webber et al.: the first ten ranks carry 86 % of the weight."""


@dataclass(frozen=True, eq=False)
class Comparison:
    """The result of comparing two ranked lists a and b.

    items         one row per item, first those of `a` in order, then those that only `b` has. Columns: item_id, rank_a
                  and rank_b (Int32, from 1, missing if the item is not on the list), moved (Int32, rank_a − rank_b)
    overlap       number of common items / length of the longer list
    rank_biased   see `rank_biased_overlap`
    popularity_a  mean popularity of the items of `a`, NaN for an empty list; popularity_b likewise
    """

    items: pd.DataFrame
    overlap: float
    rank_biased: float
    popularity_a: float
    popularity_b: float


def rank_biased_overlap(a: Sequence[Any] | np.ndarray, b: Sequence[Any] | np.ndarray, p: float = PERSISTENCE) -> float:
    """The agreement of two rankings, weighted towards the first ranks: 1 for equal rankings, 0 for disjoint ones.

    The measure models a reader who goes on to the next rank with probability p, and is the expected share of common
    items at the depth where the reader stops. With X_d the number of items common to both lists down to depth d, and
    s ≤ l the lengths of the lists, it is

        (1 − p)/p · ( Σ_{d=1..l} X_d/d · p^d + Σ_{d=s+1..l} X_s (d − s)/(s d) · p^d ) + ((X_l − X_s)/l + X_s/s) · p^l

    Webber, Moffat & Zobel, "A similarity measure for indefinite rankings", TOIS 28(4), 2010, equation 32: extrapolated
    beyond the ends of the lists, which may have different lengths. Two empty lists are equal; an empty and a non-empty
    list are disjoint. Raises InputError for a list that contains an item twice, SettingError for p outside (0, 1).
    """
    if not 0 < p < 1:
        raise SettingError(f"the persistence p of rank-biased overlap must be between 0 and 1, not {p:g}")
    short, long = sorted((list(a), list(b)), key=len)
    if len(set(short)) < len(short) or len(set(long)) < len(long):
        raise InputError("a ranked list contains an item twice")
    s, n = len(short), len(long)
    if s == 0:
        return float(n == 0)
    depths = np.arange(1, n + 1)
    depth_of = {item: depth for depth, item in enumerate(short, 1)}
    # An item is common from the depth at which both lists contain it.
    met = [max(depth, depth_of[item]) for depth, item in enumerate(long, 1) if item in depth_of]
    common = np.bincount(met, minlength=n + 1)[1:].cumsum()
    at_s, weights = common[s - 1], p**depths
    tail = at_s * np.maximum(depths - s, 0) / (s * depths)
    seen = ((common / depths + tail) * weights).sum() * (1 - p) / p
    return float(seen + ((common[-1] - at_s) / n + at_s / s) * p**n)


def compare_lists(
    a: Sequence[Any] | np.ndarray,
    b: Sequence[Any] | np.ndarray,
    popularity: pd.Series,
    p: float = PERSISTENCE,
) -> Comparison:
    """Compare two ranked lists of item ids.

    popularity  by item id, such as the share of users who rated the item; items without one are left out of the means

    Raises InputError for a list that contains an item twice, SettingError for p outside (0, 1).
    """
    rank_biased = rank_biased_overlap(a, b, p)
    first = pd.Series(np.arange(1, len(a) + 1), index=pd.Index(a, dtype=object), dtype="Int32")
    second = pd.Series(np.arange(1, len(b) + 1), index=pd.Index(b, dtype=object), dtype="Int32")
    union = first.index.append(second.index[~second.index.isin(first.index)])
    items = pd.DataFrame(
        {"item_id": union, "rank_a": first.reindex(union).array, "rank_b": second.reindex(union).array}
    )
    items["moved"] = items["rank_a"] - items["rank_b"]
    n_common, longer = int(items["moved"].notna().sum()), max(len(a), len(b))
    return Comparison(
        items,
        n_common / longer if longer else 1.0,
        rank_biased,
        float(popularity.reindex(list(a)).mean()),
        float(popularity.reindex(list(b)).mean()),
    )


def compare_models(
    a: Model,
    b: Model,
    interactions: Interactions,
    user_ids: Sequence[Any] | np.ndarray,
    k: int = 10,
    p: float = PERSISTENCE,
) -> pd.DataFrame:
    """Compare the lists of two models for each of some users.

    Returns one row per user with the columns user_id, overlap, rank_biased, popularity_a, popularity_b. The lists have
    k items that the user has not rated. Popularity is the share of the users of `interactions` who rated an item,
    averaged over the list. Raises UnknownId for a user who is not in the data.
    """
    popularity = popularity_of(interactions)
    lists = [_lists(model, interactions, user_ids, k) for model in (a, b)]
    rows = []
    for user in interactions.user_ids[interactions.user_rows(user_ids)].tolist():
        found = compare_lists(lists[0].get(user, []), lists[1].get(user, []), popularity, p)
        rows.append((user, found.overlap, found.rank_biased, found.popularity_a, found.popularity_b))
    return pd.DataFrame(rows, columns=["user_id", "overlap", "rank_biased", "popularity_a", "popularity_b"])


def popularity_of(interactions: Interactions) -> pd.Series:
    """The share of all users who rated each item: float64, by item id."""
    counts = interactions.matrix.getnnz(axis=0)
    return pd.Series(counts / max(interactions.n_users, 1), index=interactions.item_index)


def expected_overlap(k: int, n_items: int) -> float:
    """Expected number of common items of two independent random lists of k out of n_items: k² / n_items."""
    return k * k / max(n_items, 1)


def sample_users(interactions: Interactions, n: int, seed: int = 42) -> np.ndarray:
    """Ids of n random users without repetition, in the order of the data; all users if there are no more than n."""
    if interactions.n_users <= n:
        return interactions.user_ids
    rows = np.random.default_rng(seed).choice(interactions.n_users, n, replace=False)
    return interactions.user_ids[np.sort(rows)]


def _lists(
    model: Model, interactions: Interactions, user_ids: Sequence[Any] | np.ndarray, k: int
) -> dict[Any, list[Any]]:
    table = recommend(model, batch_of_users(model, interactions, user_ids), k)
    return {user: rows["item_id"].tolist() for user, rows in table.groupby("user_id", sort=False)}
