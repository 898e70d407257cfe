"""Ranking quality: recommendation lists and scores compared with held-out ratings. Does no I/O.

With the held-out items T of a user, n = |T|, and the list of the k best items the user has not rated, r_p = 1 where the
item at rank p is in T:

    hr         1 if any r_p is 1                       precision   Σ r_p / k
    recall     Σ r_p / min(k, n)                       recall_all  Σ r_p / n
    map        Σ_p r_p · (Σ_{q≤p} r_q / p) / min(k, n) mrr         1 / the first rank with r_p = 1, else 0
    ndcg       Σ_p r_p / log₂(p + 1), divided by the same sum of an ideal list with min(k, n) hits
    auc        share of pairs (one of T, one neither rated nor in T) in the right order, ties half; does not need k

    ndcg_beyond  nDCG without the best-known items: they are neither listed nor counted among T. What a model adds to
                 a list of hits that everybody knows; undefined for users who only have such items in T
    best_known   share of all hits that are such items (of all users together)

and of the lists themselves:

    novelty     mean of −log₂(share of the training users who rated the item): 1 is an item that half of them rated
    popularity  mean of that share
    tail        share of the list in the long tail: outside the most-rated items that have 80 % of all ratings
                (`long_tail`; Abdollahpouri, Burke & Mobasher 2019 call its mean the average percentage of long tail)
    diversity   mean over pairs of 1 − cosine of their genres (items without genres excluded)
    coverage    share of the catalogue that is in at least one list
    gini        inequality of how often items are recommended: 0 all equally often, 1 always the same item

Equal scores are ranked in item order, as everywhere in this library. Users without held-out items are skipped.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numba
import numpy as np
import pandas as pd
import scipy.sparse as sp

from recsys.dataset.catalog import Catalog, one_hot
from recsys.dataset.interactions import select_entries
from recsys.dataset.split import HoldOut
from recsys.errors import InputError, SettingError, quoted
from recsys.evaluation.interval import bootstrap
from recsys.limits import MOST_LISTED, check_number
from recsys.models import COLD, Model, UserBatch
from recsys.recommend.topn import batch_of_users, best_items, score
from recsys.topk import BLOCK_BYTES, NONE, canonical, in_threads, row_blocks

AT_K = ("hr", "recall", "recall_all", "precision", "map", "mrr", "ndcg")
HEAD_TO_TAIL = ("head", "middle", "tail")
N_BEST_KNOWN = 100
"""The most-rated items are the best-known: so many, or a tenth of a smaller catalogue."""
HEAD_SHARE = 0.8
"""The most-rated items with so much of all ratings are the short head, all others the long tail."""
USERS_AT_ONCE = 16_384
"""Users whose vectors and ratings are in memory at a time; scores are computed in much smaller blocks."""
FEW_HIDDEN = 400
"""Up to this many held-out items of a user, comparing each with every score is faster than a search."""


@dataclass(frozen=True, eq=False)
class Ranking:
    """The ranking quality of one model.

    users    one row per evaluated user: user_id, n_known, n_hidden, then `metric@k` and auc, float64; NaN: undefined
    overall  coverage@k, gini@k and best_known@k, which are not means over users
    listed   by k: in how many lists each item is, (n_items,) int64
    skipped  number of users without held-out items
    cold     number of evaluated users without known ratings; they were recommended the most popular items
    seed     seed of the bootstrap
    """

    users: pd.DataFrame
    overall: dict[str, float]
    listed: dict[int, np.ndarray]
    skipped: int
    cold: int
    seed: int

    @property
    def metrics(self) -> pd.DataFrame:
        """The metrics of `users`, without the other columns."""
        return self.users.drop(columns=["user_id", "n_known", "n_hidden"])

    @cached_property
    def summary(self) -> pd.DataFrame:
        """One row per metric, columns metric, mean, low, high: the mean over users with its 95 % bootstrap interval.

        low and high are NaN for metrics that are not means over users. Computed on first access, because a search for
        settings needs only the means.
        """
        means = bootstrap(self.metrics, self.seed)
        extra = pd.DataFrame(
            {"metric": list(self.overall), "mean": list(self.overall.values()), "low": np.nan, "high": np.nan}
        )
        return pd.concat([means, extra], ignore_index=True)

    def __getitem__(self, metric: str) -> float:
        """The mean of a metric, such as `ranking["ndcg@10"]`."""
        return self.overall[metric] if metric in self.overall else float(self.users[metric].mean())


def check_metric(metric: str) -> None:
    """Raise SettingError unless `metric` is auc or `name@k` with a name of `AT_K`: metrics where greater is better."""
    name, at, k = metric.partition("@")
    if metric != "auc" and not (name in AT_K and at and re.fullmatch("[1-9][0-9]{0,5}", k)):
        raise SettingError(
            f"unknown metric {quoted(metric)}: use auc or one of {', '.join(AT_K)} with @k, such as ndcg@10"
        )


def check_lengths(k: Sequence[int]) -> None:
    """Raise SettingError unless there is a length and all are whole numbers from 1 to a million."""
    if not k:
        raise SettingError("name at least one length of the lists")
    for at in k:
        check_number("the length of the lists", at, 1, MOST_LISTED, whole=True)


def rank_quality(
    model: Model,
    split: HoldOut,
    k: Sequence[int] = (10,),
    *,
    auc: bool = True,
    beyond: bool = False,
    allowed: np.ndarray | None = None,
    n_threads: int = 1,
    seed: int = 42,
    progress: Callable[[int, int], None] | None = None,
) -> Ranking:
    """Measure a model that was trained on `split.train`.

    k         lengths of the lists, at least 1
    auc       False saves a pass over all scores
    beyond    True also measures ndcg_beyond and best_known, which takes a second list per user
    allowed   (n_items,) bool: the items that may be listed; None: all. It does not change the AUC
    seed      seed of the bootstrap
    progress  called with (users done, total users)

    Memory is bounded by `USERS_AT_ONCE` users, their lists, and one row of metrics per user. Raises InputError if the
    model was trained on other items than the split has, SettingError for a k that is not a whole number from 1 to a
    million.
    """
    if not np.array_equal(model.item_ids, split.known.item_ids):
        raise InputError("the model was trained on other items than those it is evaluated on")
    check_lengths(k)
    hidden = np.diff(split.truth.indptr)
    evaluated = np.flatnonzero(hidden > 0)
    n_items, longest = len(model.item_ids), min(max(k), len(model.item_ids))
    tables, listed, n_cold = [], {at: np.zeros(n_items, dtype=np.int64) for at in k}, 0
    genres = _genre_directions(model.catalog)
    share = model.n_ratings / max(split.train.n_users, 1)
    is_known, is_tail = best_known(model.n_ratings), long_tail(model.n_ratings)
    others = ~is_known if allowed is None else allowed & ~is_known
    n_hits, n_known_hits = dict.fromkeys(k, 0), dict.fromkeys(k, 0)
    for start in range(0, len(evaluated), USERS_AT_ONCE):
        rows = evaluated[start : start + USERS_AT_ONCE]
        batch = batch_of_users(model, split.known, split.known.user_ids[rows])
        truth = canonical(split.truth[rows])
        lists, areas = _rank(model, batch, truth, longest, auc, allowed, n_threads)
        columns = {
            "user_id": batch.user_ids,
            "n_known": np.diff(batch.ratings.indptr),
            "n_hidden": hidden[rows],
        }
        hits = hits_of(lists, truth)
        for at in k:
            columns |= {f"{name}@{at}": values for name, values in metrics_at(hits, hidden[rows], at).items()}
            shown = lists[:, :at]
            columns |= {f"{name}@{at}": values for name, values in _of_lists(shown, share, is_tail, genres).items()}
            listed[at] += np.bincount(shown[shown != NONE], minlength=n_items)
            n_hits[at] += int(hits[:, :at].sum())
            n_known_hits[at] += int((hits & is_known[lists])[:, :at].sum())
        if beyond:
            columns |= _beyond(model, batch, select_entries(truth, ~is_known[truth.indices]), k, others, n_threads)
        if auc:
            columns["auc"] = areas
        tables.append(pd.DataFrame(columns))
        n_cold += int((batch.origin == COLD).sum())
        if progress is not None:
            progress(start + len(rows), len(evaluated))
    users = pd.concat(tables, ignore_index=True)
    overall = {f"coverage@{at}": float((counts > 0).mean()) for at, counts in listed.items()}
    overall |= {f"gini@{at}": gini(counts) for at, counts in listed.items()}
    if beyond:
        overall |= {f"best_known@{at}": n_known_hits[at] / n_hits[at] if n_hits[at] else np.nan for at in k}
    return Ranking(users, overall, listed, len(hidden) - len(evaluated), n_cold, seed)


def best_known(n_ratings: np.ndarray) -> np.ndarray:
    """The `N_BEST_KNOWN` most-rated items, or a tenth of a smaller catalogue: (n_items,) bool.

    n_ratings  (n_items,) how often each item was rated; equal ones in item order
    """
    n = min(N_BEST_KNOWN, len(n_ratings) // 10)
    chosen = np.zeros(len(n_ratings), dtype=bool)
    chosen[np.argsort(-n_ratings, kind="stable")[:n]] = True
    return chosen


def long_tail(n_ratings: np.ndarray) -> np.ndarray:
    """The items outside the short head: (n_items,) bool.

    n_ratings  (n_items,) how often each item was rated; equal ones in item order

    The head are the fewest items that have `HEAD_SHARE` of all ratings, most-rated first (Celma 2008, "Music
    Recommendation and Discovery in the Long Tail").
    """
    order = np.argsort(-n_ratings, kind="stable")
    before = np.cumsum(n_ratings[order]) - n_ratings[order]
    is_tail = np.empty(len(n_ratings), dtype=bool)
    is_tail[order] = before >= HEAD_SHARE * n_ratings.sum()
    return is_tail


def by_activity(ranking: Ranking, metric: str = "ndcg@10", groups: int = 10) -> pd.DataFrame:
    """Quality by user activity: one row per group of users, those with the fewest known ratings first.

    Users with the same number of known ratings stay together, so the groups are only as equal in size as that allows,
    and there may be fewer than `groups`. Columns: users, fewest, most (known ratings, int64), mean, low, high: the
    metric with its 95 % bootstrap interval. Raises SettingError for a metric that is not a mean over users.
    """
    if metric not in ranking.users or groups < 1:
        raise SettingError(f"cannot group users by activity with metric {metric!r} and {groups} groups")
    known = ranking.users["n_known"].to_numpy()
    cuts = np.unique(np.quantile(known, np.arange(1, groups) / groups, method="inverted_cdf"))
    number = np.unique(np.searchsorted(cuts, known), return_inverse=True)[1]
    rows = []
    for group in range(int(number.max()) + 1):
        inside = number == group
        found = bootstrap(ranking.users.loc[inside, [metric]], ranking.seed).iloc[0]
        rows.append(
            {"users": int(inside.sum()), "fewest": int(known[inside].min()), "most": int(known[inside].max())}
            | {bound: float(found[bound]) for bound in ("mean", "low", "high")}
        )
    return pd.DataFrame(rows)


def by_popularity(listed: np.ndarray, n_ratings: np.ndarray) -> pd.DataFrame:
    """How recommendations are distributed over the head, middle and tail of the catalogue, one row each.

    listed     (n_items,) how often each item was recommended
    n_ratings  (n_items,) how often each item was rated

    Items are sorted by number of ratings and split into three parts with a third of all ratings each, as far as whole
    items allow: the head is a few popular items, the tail many rarely rated ones. Recommending items as often as they
    are rated gives a third to each part. Columns: part, items, ratings, recommendations; the last two are shares.
    """
    total = max(int(n_ratings.sum()), 1)
    order = np.argsort(-n_ratings, kind="stable")
    before = np.cumsum(n_ratings[order]) - n_ratings[order] / 2
    part = np.empty(len(n_ratings), dtype=np.int64)
    part[order] = np.minimum(before * len(HEAD_TO_TAIL) / total, len(HEAD_TO_TAIL) - 1).astype(np.int64)
    part[order[:1]] = 0  # even if one item has more than two thirds of all ratings, it is the head

    def share(counts: np.ndarray) -> np.ndarray:
        return np.bincount(part, weights=counts, minlength=len(HEAD_TO_TAIL)) / max(int(counts.sum()), 1)

    return pd.DataFrame(
        {
            "part": HEAD_TO_TAIL,
            "items": np.bincount(part, minlength=len(HEAD_TO_TAIL)),
            "ratings": share(n_ratings),
            "recommendations": share(listed),
        }
    )


def gini(counts: np.ndarray) -> float:
    """Gini coefficient of non-negative counts, 0 … 1: the mean difference between two of them over twice the mean."""
    ordered = np.sort(np.asarray(counts, dtype=np.float64))
    n, total = len(ordered), ordered.sum()
    if total == 0:
        return 0.0
    return float((2 * np.arange(1, n + 1) - n - 1) @ ordered / (n * total))


def _rank(
    model: Model,
    batch: UserBatch,
    truth: sp.csr_matrix,
    k: int,
    auc: bool,
    allowed: np.ndarray | None,
    n_threads: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Lists (n, k) of item rows, and the AUC of each user (NaN without `auc`), for which every item is scored."""
    lists, _ = best_items(model, batch, k, allowed=allowed, n_threads=n_threads)
    areas = np.full(len(batch), np.nan)
    known = canonical(batch.ratings)

    def measure(rows: slice) -> None:
        block = np.require(score(model, batch[rows]), np.float32, ["C", "W"])  # W: copied if it is read-only
        _areas(
            block, known.indptr[rows.start : rows.stop + 1], known.indices,
            truth.indptr[rows.start : rows.stop + 1], truth.indices, areas[rows],
        )  # fmt: skip

    if auc:
        size = max(1, BLOCK_BYTES // (4 * max(1, len(model.item_ids))))
        in_threads(measure, row_blocks(len(batch), size), n_threads)
    return lists, areas


def _beyond(
    model: Model, batch: UserBatch, truth: sp.csr_matrix, k: Sequence[int], allowed: np.ndarray, n_threads: int
) -> dict[str, np.ndarray]:
    """nDCG of lists of the allowed items only; NaN for users without a held-out one."""
    lists, _ = best_items(model, batch, min(max(k), len(allowed)), allowed=allowed, n_threads=n_threads)
    n_hidden = np.diff(truth.indptr)
    hits, defined = hits_of(lists, truth), n_hidden > 0
    quality = {at: metrics_at(hits, np.maximum(n_hidden, 1), at)["ndcg"] for at in k}
    return {f"ndcg_beyond@{at}": np.where(defined, values, np.nan) for at, values in quality.items()}


def hits_of(lists: np.ndarray, truth: sp.csr_matrix) -> np.ndarray:
    """Whether each listed item is held out for its user: bool (n, k)."""
    n_items = truth.shape[1]
    wanted = np.repeat(np.arange(truth.shape[0], dtype=np.int64), np.diff(truth.indptr)) * n_items + truth.indices
    keys = np.arange(len(lists), dtype=np.int64)[:, None] * n_items + lists
    if not len(wanted):
        return np.zeros(lists.shape, dtype=bool)
    position = np.minimum(np.searchsorted(wanted, keys.ravel()), len(wanted) - 1).reshape(lists.shape)
    return (wanted[position] == keys) & (lists != NONE)


def metrics_at(hits: np.ndarray, n_hidden: np.ndarray, k: int) -> dict[str, np.ndarray]:
    """The metrics of lists cut at k, one value per user; lists are shorter if the catalogue is."""
    hits = hits[:, :k].astype(np.float64)
    ranks = np.arange(1, hits.shape[1] + 1)
    found, ideal = hits.sum(axis=1), np.minimum(k, n_hidden)
    gains = 1 / np.log2(np.arange(2, max(hits.shape[1], ideal.max(initial=1)) + 2))
    first = np.where(found > 0, hits.argmax(axis=1) + 1, np.inf)
    return {
        "hr": (found > 0).astype(np.float64),
        "recall": found / ideal,
        "recall_all": found / n_hidden,
        "precision": found / k,
        "map": (hits * np.cumsum(hits, axis=1) / ranks).sum(axis=1) / ideal,
        "mrr": 1 / first,
        "ndcg": hits @ gains[: hits.shape[1]] / np.cumsum(gains)[ideal - 1],
    }


def _of_lists(
    lists: np.ndarray, share: np.ndarray, is_tail: np.ndarray, genres: np.ndarray | None
) -> dict[str, np.ndarray]:
    """Properties of the lists that do not depend on the held-out items; NaN where undefined."""
    is_item = lists != NONE
    shares = np.where(is_item, share[lists], np.nan)
    known = np.where(shares > 0, shares, np.nan)
    result = {
        "novelty": _row_mean(-np.log2(known)),
        "popularity": _row_mean(shares),
        "tail": _row_mean(np.where(is_item, is_tail[lists], np.nan)),
    }
    diversity = np.full(len(lists), np.nan)
    if genres is not None:
        directions = np.where(is_item[:, :, None], genres[lists], 0)
        n = (directions != 0).any(axis=2).sum(axis=1)  # Σ of all pairs' cosines is |Σ g|² − n, each pair twice
        pairs = n * (n - 1)
        cosines = (directions.sum(axis=1) ** 2).sum(axis=1) - n
        diversity[pairs > 0] = 1 - cosines[pairs > 0] / pairs[pairs > 0]
    return result | {"diversity": diversity}


def _row_mean(values: np.ndarray) -> np.ndarray:
    n = (~np.isnan(values)).sum(axis=1)
    return np.divide(np.nansum(values, axis=1), n, out=np.full(len(values), np.nan), where=n > 0)


def _genre_directions(catalog: Catalog) -> np.ndarray | None:
    """One-hot genres scaled to length 1, (n_items, n_genres) float32, zero for items without; None without genres."""
    names, has_genre = one_hot(catalog.items["genres"])
    if not names:
        return None
    lengths = np.sqrt(np.maximum(has_genre.sum(axis=1), 1))
    return (has_genre / lengths[:, None]).astype(np.float32)


@numba.njit(nogil=True, cache=True)
def _areas(scores, known_start, known, truth_start, truth, areas):  # type: ignore[no-untyped-def]
    """AUC of each row: the share of pairs of a held-out and another item whose held-out item scores higher; ties count
    half. Overwrites the scores.

    Unlike `space.auc`, it excludes the rated items of each user and needs no ranks of all scores.
    """
    for row in range(len(scores)):
        hidden = truth[truth_start[row] : truth_start[row + 1]]
        values = scores[row][hidden]
        n_others = scores.shape[1]
        for items in (hidden, known[known_start[row] : known_start[row + 1]]):
            for item in items:
                n_others -= scores[row, item] != np.inf
                scores[row, item] = np.inf  # neither below nor equal to a held-out one
        if len(hidden) <= FEW_HIDDEN:
            right = _pairs_by_counting(scores[row], values)
        else:
            values.sort()
            right = _pairs_by_search(scores[row], values)
        areas[row] = right / (len(hidden) * n_others) if n_others else np.nan


@numba.njit(nogil=True, cache=True)
def _pairs_by_counting(scores, values):  # type: ignore[no-untyped-def]
    """The number of pairs of one of `values` and a lower score, equal ones count half. The compiler vectorizes it."""
    right = 0.0
    for value in values:
        below, equal = np.int32(0), np.int32(0)
        for at in range(len(scores)):
            below += np.int32(scores[at] < value)
            equal += np.int32(scores[at] == value)
        right += below + 0.5 * equal
    return right


@numba.njit(nogil=True, cache=True)
def _pairs_by_search(scores, values):  # type: ignore[no-untyped-def]
    """The same for sorted values: each score is searched among them."""
    right, n = 0.0, len(values)
    for at in range(len(scores)):
        low, high = 0, n  # values before `low` are lower than the score
        while low < high:
            middle = (low + high) // 2
            if values[middle] < scores[at]:
                low = middle + 1
            else:
                high = middle
        end = low
        while end < n and values[end] == scores[at]:
            end += 1
        right += (n - end) + 0.5 * (end - low)
    return right
