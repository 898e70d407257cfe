"""Two ranked lists side by side, and two models' lists for many users: what they share. Knows no files, no screen."""

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
"""Webber et al.'s own example: the first ten places carry 86 % of the weight."""


@dataclass(frozen=True, eq=False)
class Comparison:
    """Two ranked lists held against each other.

    items         one row an item of either list, those of `a` in order, then those that only `b` has: item_id, rank_a
                  and rank_b (Int32, from 1, missing where the list lacks it), moved (Int32: places up from `a` to `b`)
    overlap       items in both / length of the longer list
    rank_biased   rank-biased overlap, see `rank_biased_overlap`
    popularity_a  mean popularity of the items of `a`, NaN for an empty list; likewise `popularity_b`
    """

    items: pd.DataFrame
    overlap: float
    rank_biased: float
    popularity_a: float
    popularity_b: float


def rank_biased_overlap(a: Sequence[Any] | np.ndarray, b: Sequence[Any] | np.ndarray, p: float = PERSISTENCE) -> float:
    """How much two rankings agree, the first places most: 1 the same, 0 nothing in common.

    A reader looks at the next place with probability p; what counts is the mean share in common at the depth where
    they stop. With X_d the items common to both down to depth d, s ≤ l the lengths of the lists, it is

        (1 − p)/p · ( Σ_{d=1..l} X_d/d · p^d + Σ_{d=s+1..l} X_s (d − s)/(s d) · p^d ) + ((X_l − X_s)/l + X_s/s) · p^l

    Webber, Moffat & Zobel, "A similarity measure for indefinite rankings", TOIS 28(4), 2010, equation 32: extrapolated
    beyond what is seen, for lists of different lengths too. Two empty lists are the same, an empty one and another
    have nothing in common. Raises InputError for a list with an item twice, SettingError for p outside (0, 1).
    """
    if not 0 < p < 1:
        raise SettingError(f"the persistence p of rank-biased overlap is between 0 and 1, not {p:g}")
    short, long = sorted((list(a), list(b)), key=len)
    if len(set(short)) < len(short) or len(set(long)) < len(long):
        raise InputError("a ranked list has an item twice")
    s, n = len(short), len(long)
    if s == 0:
        return float(n == 0)
    depths = np.arange(1, n + 1)
    place = {item: depth for depth, item in enumerate(short, 1)}
    # An item is common from the depth on at which both lists have shown it.
    met = [max(depth, place[item]) for depth, item in enumerate(long, 1) if item in place]
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
    """Hold two ranked lists of item ids against each other.

    popularity  by item id, such as the share of users who rated it; items that it lacks do not count

    Raises as `rank_biased_overlap` does.
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
    """The lists of two models for the same users: user_id, overlap, rank_biased, popularity_a, popularity_b.

    A row a user; the lists are of k items that the user has not rated. Popularity is the mean share of the users of
    `interactions` who rated an item of the list. Raises UnknownId for a user who is not in the data.
    """
    popularity = popularity_of(interactions)
    lists = [_lists(model, interactions, user_ids, k) for model in (a, b)]
    rows = []
    for user in interactions.user_ids[interactions.user_rows(user_ids)].tolist():
        found = compare_lists(lists[0].get(user, []), lists[1].get(user, []), popularity, p)
        rows.append((user, found.overlap, found.rank_biased, found.popularity_a, found.popularity_b))
    return pd.DataFrame(rows, columns=["user_id", "overlap", "rank_biased", "popularity_a", "popularity_b"])


def popularity_of(interactions: Interactions) -> pd.Series:
    """The share of the users who rated each item, float64, by item id."""
    counts = interactions.matrix.getnnz(axis=0)
    return pd.Series(counts / max(interactions.n_users, 1), index=interactions.item_index)


def expected_overlap(k: int, n_items: int) -> float:
    """Expected number of common items of two independent random lists of k out of n_items: k² / n_items."""
    return k * k / max(n_items, 1)


def sample_users(interactions: Interactions, n: int, seed: int = 42) -> np.ndarray:
    """Ids of n users drawn without repetition, in the order of the data; of all where there are no more than n."""
    if interactions.n_users <= n:
        return interactions.user_ids
    rows = np.random.default_rng(seed).choice(interactions.n_users, n, replace=False)
    return interactions.user_ids[np.sort(rows)]


def _lists(
    model: Model, interactions: Interactions, user_ids: Sequence[Any] | np.ndarray, k: int
) -> dict[Any, list[Any]]:
    table = recommend(model, batch_of_users(model, interactions, user_ids), k)
    return {user: rows["item_id"].tolist() for user, rows in table.groupby("user_id", sort=False)}
