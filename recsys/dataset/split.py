"""Hold-out protocols: what a model may learn from, what is known of the users it is judged on, and what is hidden.

Knows no model and no metric. The validation part of a protocol is the same protocol applied once more to the training
part, so what tuning sees is never part of the test.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import scipy.sparse as sp

from recsys.dataset.interactions import NO_TIME, Interactions
from recsys.errors import InputError, SettingError

Protocol = Literal["leave-last-out", "random", "time", "new-users"]
Part = Literal["test", "validation"]

DRAWN = ("random", "new-users")
"""Protocols that leave something to chance."""
HIDDEN_SHARE = 0.2
"""Of each user's ratings (random), of all ratings (time), of the users (new-users)."""
QUERY_SHARE = 0.5
"""Of a new user's ratings, shown to the model; the rest is hidden."""


@dataclass(frozen=True, eq=False)
class HoldOut:
    """One way of splitting ratings for a test.

    train   what a model may learn from; same items in the same order as the whole
    known   the users it is judged on with what is known of them: their vectors are computed from it if training did not
            see them, and it is left out of their lists
    truth   CSR float32 (known.n_users, n_items): what is hidden; users without any are not judged
    """

    train: Interactions
    known: Interactions
    truth: sp.csr_matrix


def hold_out(
    interactions: Interactions, protocol: Protocol, *, part: Part = "test", seed: int = 42, draw: int = 0
) -> HoldOut:
    """Split by a protocol; `part` "validation" splits the training part of the test split by the same protocol again.

    Several validation parts of the same training part come with other numbers of `draw`.

    leave-last-out  each user's latest rating is hidden (of equal times the last in item order); one who has only one
                    keeps it
    random          `HIDDEN_SHARE` of each user's ratings is hidden, rounded, at least one; one who has only one keeps
    it time            the latest `HIDDEN_SHARE` of all ratings is hidden: everything after one moment. Users who have
                    nothing before it are not judged: nothing is known of them
    new-users       `HIDDEN_SHARE` of the users is kept from training altogether (strong generalization). Of each one's
                    ratings, `QUERY_SHARE` is known and the rest hidden

    Raises InputError where the protocol needs times that the data hasn't, or nothing is left to learn or to judge.
    """
    if protocol not in get_args(Protocol):
        raise SettingError(f"unknown protocol {protocol!r}: use {', '.join(get_args(Protocol))}")
    if part not in get_args(Part):
        raise SettingError(f"unknown part {part!r}: use {', '.join(get_args(Part))}")
    if draw and (part == "test" or protocol not in DRAWN):
        raise SettingError(
            f"protocol {protocol!r} has one {part} part only; {' and '.join(DRAWN)} can draw several to tune on"
        )
    rng = np.random.default_rng([seed, get_args(Part).index(part), draw])
    if part == "validation":
        interactions = hold_out(interactions, protocol, seed=seed).train
    split = _new_users(interactions, rng) if protocol == "new-users" else _ratings(interactions, protocol, rng)
    if not split.train.n_ratings or not split.truth.nnz:
        what = "to learn from" if not split.train.n_ratings else "to judge by"
        raise InputError(f"protocol {protocol!r} leaves nothing {what} in the {part} part of so few ratings")
    return split


def _ratings(interactions: Interactions, protocol: Protocol, rng: np.random.Generator) -> HoldOut:
    """The protocols that hide ratings of users whom training sees."""
    counts = np.diff(interactions.matrix.indptr)
    users = np.repeat(np.arange(interactions.n_users), counts)
    if protocol == "random":
        n_hidden = np.where(counts > 1, np.clip(np.round(HIDDEN_SHARE * counts), 1, counts - 1), 0)
        order = np.lexsort((rng.random(interactions.n_ratings), users))
        hidden = _last_of_each(order, counts, n_hidden)
    else:
        times = _times(interactions, protocol)
        if protocol == "leave-last-out":
            order = np.lexsort((times, users))  # stable: equal times stay in item order
            hidden = _last_of_each(order, counts, (counts > 1).astype(int))
        else:
            hidden = times > np.quantile(times, 1 - HIDDEN_SHARE, method="inverted_cdf")
    train = interactions.select(~hidden)
    judged = np.diff(train.matrix.indptr) > 0
    return HoldOut(train, train, interactions.select(hidden & judged[users]).matrix)


def _new_users(interactions: Interactions, rng: np.random.Generator) -> HoldOut:
    counts = np.diff(interactions.matrix.indptr)
    n_held = max(1, round(HIDDEN_SHARE * interactions.n_users))
    held = np.zeros(interactions.n_users, dtype=bool)
    held[rng.permutation(interactions.n_users)[:n_held]] = True
    users = np.repeat(np.arange(interactions.n_users), counts)
    n_hidden = np.where(counts > 1, counts - np.maximum(1, np.round(QUERY_SHARE * counts)), 0)
    order = np.lexsort((rng.random(interactions.n_ratings), users))
    hidden = _last_of_each(order, counts, n_hidden)
    return HoldOut(
        _users(interactions, ~held),
        _users(interactions.select(~hidden), held),
        interactions.select(hidden).matrix[held],
    )


def _last_of_each(order: np.ndarray, counts: np.ndarray, n_last: np.ndarray) -> np.ndarray:
    """Mask (nnz,) of the last `n_last[u]` ratings of each user u in `order`, which sorts ratings by user first."""
    place = np.arange(len(order)) - np.repeat(np.cumsum(counts) - counts, counts)
    mask = np.zeros(len(order), dtype=bool)
    mask[order] = place >= np.repeat(counts - n_last, counts)
    return mask


def _times(interactions: Interactions, protocol: Protocol) -> np.ndarray:
    times = interactions.timestamps
    if times is None or (times == NO_TIME).any():
        raise InputError(
            f"protocol {protocol!r} needs the time of every rating, which these data do not have; "
            "use random or new-users"
        )
    return times


def _users(interactions: Interactions, chosen: np.ndarray) -> Interactions:
    """The chosen users (bool mask) with all items; times are left behind."""
    return Interactions(interactions.matrix[chosen], interactions.user_ids[chosen], interactions.item_ids)
