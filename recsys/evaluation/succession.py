"""A model compared with the one that is to take its place: both recommend to the same users and are measured on the
same held-out ratings. Does no I/O.

Both models must have been trained without the held-out ratings; `recsys.dataset.split.lasting_hold_out` draws such
ratings while the data grow from day to day. The comparison is fair because everything but the models is equal:

    users       those with a held-out and a known rating; with vectors, of these the users that the old model knows, so
                that a flood of new users, whom no model knows well, does not hide what happens to the others
    candidates  the items that both models have, without those that the user has rated
    answers     the held-out ratings of these items

Each model treats a user as it would in use: with the vector it stored, or with one folded in from the known ratings.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from recsys.dataset.interactions import Interactions
from recsys.dataset.split import HoldOut
from recsys.errors import InputError
from recsys.evaluation.interval import Interval, bootstrap, intervals, paired
from recsys.evaluation.ranking import Ranking, rank_quality
from recsys.evaluation.serialization import known
from recsys.models import Model
from recsys.progress import Progress


@dataclass(frozen=True)
class ListQuality:
    """The quality of one model's lists, of the length that the comparison names.

    ndcg        mean over users, with its interval
    popularity  mean share of the users who rated a listed item, 0 … 1; grows when a model turns to popular items
    coverage    share of the catalogue that is in at least one list, 0 … 1
    gini        inequality of how often items are listed: 0 all equally often, 1 always the same ones
    """

    ndcg: Interval
    popularity: float | None
    coverage: float
    gini: float


@dataclass(frozen=True)
class Succession:
    """The result of a comparison.

    k           length of the lists
    users       evaluated users
    ratings     held-out ratings of these users
    candidates  items that both models have
    before      the model that is replaced; None without one
    after       the model that takes its place
    gain        mean over users of the difference in nDCG, after − before, with its interval: users are resampled, not
                lists, so that what makes a user hard for both models cancels out
    """

    k: int
    users: int
    ratings: int
    candidates: int
    before: ListQuality | None
    after: ListQuality
    gain: Interval | None

    @property
    def fall(self) -> float:
        """The share of nDCG that is lost: 0.05 means that the new model reaches 95 % of the old one; negative where it
        is better. 0 where there is nothing to compare with."""
        if self.before is None or not self.before.ndcg.mean or self.after.ndcg.mean is None:
            return 0.0
        return 1 - self.after.ndcg.mean / self.before.ndcg.mean


def compare_with_successor(
    before: Model | None,
    after: Model,
    split: HoldOut,
    *,
    k: int = 10,
    n_threads: int = 1,
    progress: Progress | None = None,
) -> Succession:
    """Compare a model with its successor on the held-out ratings of a split, neither of which was trained on them.

    before    may have other users and items than the split; None: only the successor is measured
    after     trained on `split.train`
    progress  called with (steps done, total steps)

    Raises InputError when no held-out rating is of a user and an item that both models have.
    """
    both = np.ones(len(after.item_ids), dtype=bool) if before is None else after.catalog.index.isin(before.item_ids)
    truth = Interactions(split.truth, split.known.user_ids, split.known.item_ids)
    counted = both[split.truth.indices]
    if before is not None and before.has_space and before.space.has_users:
        is_known = truth.user_index.isin(before.space.user_ids)
        counted &= np.repeat(is_known, np.diff(split.truth.indptr))
    truth = truth.select(counted)
    if not truth.n_ratings:
        raise InputError(
            "no held-out rating is of a user and an item that both models have: they were trained on different data"
        )
    report = progress or (lambda done, total: None)
    report(0, 2)
    new = rank_quality(after, replace(split, truth=truth.matrix), (k,), auc=False, allowed=both, n_threads=n_threads)
    report(1, 2)
    old = None
    if before is not None:
        same = replace(
            split,
            known=split.known.with_items(before.item_ids),
            truth=truth.with_items(before.item_ids).matrix,
        )
        mask = before.catalog.index.isin(after.item_ids)
        old = rank_quality(before, same, (k,), auc=False, allowed=mask, n_threads=n_threads)
    report(2, 2)
    return Succession(
        k,
        len(new.users),
        truth.n_ratings,
        int(both.sum()),
        None if old is None else _quality(old, k),
        _quality(new, k),
        None if old is None else _gain(old, new, f"ndcg@{k}"),
    )


def _quality(found: Ranking, k: int) -> ListQuality:
    ndcg = f"ndcg@{k}"
    return ListQuality(
        intervals(bootstrap(found.users[[ndcg]], found.seed))[ndcg],
        known(found[f"popularity@{k}"]),
        found[f"coverage@{k}"],
        found[f"gini@{k}"],
    )


def _gain(old: Ranking, new: Ranking, metric: str) -> Interval:
    """The mean difference over the users, who are the same in the same order."""
    return intervals(paired(new.users[[metric]], old.users[[metric]], new.seed))[metric]
