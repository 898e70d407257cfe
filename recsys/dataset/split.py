"""Hold-out protocols: split ratings into a training part, known ratings of the test users, and held-out ratings.

The validation part of a protocol is the same protocol applied to the training part, so that nothing seen in tuning is
part of the test.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import scipy.sparse as sp

from recsys.dataset.interactions import NO_TIME, Interactions, hashes_of, mixed
from recsys.errors import InputError, SettingError, quoted
from recsys.limits import MOST_LISTED, MOST_RUNS, check_number, check_seed

Protocol = Literal["leave-last-out", "random", "time", "new-users"]
Part = Literal["test", "validation"]

DRAWN = ("random", "new-users")
"""Protocols that draw at random."""
HIDDEN_SHARE = 0.2
"""Held-out share of each user's ratings (random), of all ratings (time), or of the users (new-users)."""
QUERY_SHARE = 0.5
"""Share of a new user's ratings that is known to the model; the rest is held out."""

FEW = (3, 5, 10, 20)
"""Numbers of ratings that a new user may have given."""
LEAST_HIDDEN = 5
"""Held-out ratings of a user that an evaluation from few ratings needs."""
MIN_USERS = 30
"""From fewer evaluated users nothing is concluded: intervals from so few are themselves unreliable."""


@dataclass(frozen=True, eq=False)
class HoldOut:
    """Ratings split for an evaluation.

    train   ratings to train on; the same items in the same order as the original
    known   the test users with their known ratings, which are left out of their lists; users that are not in training
            are folded in from these
    truth   CSR float32 (known.n_users, n_items), the held-out ratings; users without any are not evaluated
    """

    train: Interactions
    known: Interactions
    truth: sp.csr_matrix


def hold_out(
    interactions: Interactions, protocol: Protocol, *, part: Part = "test", seed: int = 42, draw: int = 0
) -> HoldOut:
    """Split ratings by a protocol.

    protocol  leave-last-out  each user's latest rating is held out, of equal times one by a hash of user and item
              random          `HIDDEN_SHARE` of each user's ratings is held out, rounded, at least one
              time            the latest `HIDDEN_SHARE` of all ratings is held out: those after one point in time. Users
                              without earlier ratings are not evaluated
              new-users       `HIDDEN_SHARE` of the users is held out of training (strong generalization). `QUERY_SHARE`
                              of each one's ratings is known, the rest is held out
              A user with a single rating keeps it.
    part      "validation" splits the training part of the test split by the same protocol once more
    draw      number of the validation part, for several of the same training part

    Raises SettingError for an unknown protocol or part, or a draw or seed that does not exist; InputError when the
    protocol needs times that are missing, or when nothing is left to train or evaluate on.
    """
    if protocol not in get_args(Protocol):
        raise SettingError(f"unknown protocol {quoted(protocol)}: use {', '.join(get_args(Protocol))}")
    if part not in get_args(Part):
        raise SettingError(f"unknown part {quoted(part)}: use {', '.join(get_args(Part))}")
    check_seed(seed)
    check_number("draw", draw, 0, MOST_RUNS, whole=True)
    if draw and (part == "test" or protocol not in DRAWN):
        raise SettingError(
            f"protocol {protocol!r} has a single {part} part; only {' and '.join(DRAWN)} have several validation parts"
        )
    rng = np.random.default_rng([seed, get_args(Part).index(part), draw])
    if part == "validation":
        interactions = hold_out(interactions, protocol, seed=seed).train
    split = _new_users(interactions, rng) if protocol == "new-users" else _ratings(interactions, protocol, rng)
    if not split.train.n_ratings or not split.truth.nnz:
        what = "train" if not split.train.n_ratings else "evaluate"
        raise InputError(f"too few ratings: protocol {protocol!r} leaves none to {what} on in the {part} part")
    return split


@dataclass(frozen=True, eq=False)
class FewKnown:
    """New users of whom few ratings are known. At each number of known ratings the users, the held-out ratings and the
    candidates of the lists are the same: everything that is not in `known` at its largest number.

    train  the ratings of the other users
    known  by number of known ratings, ascending: the users with so many ratings each; a smaller number is part of a
           larger one. Empty where too few users have enough ratings
    truth  CSR float32 (n_users, n_items), the held-out ratings
    """

    train: Interactions
    known: dict[int, Interactions]
    truth: sp.csr_matrix


def few_known(
    interactions: Interactions, numbers: Sequence[int] = FEW, *, part: Part = "test", seed: int = 42, draw: int = 0
) -> FewKnown:
    """Hold out users, with a few ratings of each that are known, drawn at random, and the rest held out.

    numbers  of known ratings. Those are left out that fewer than `MIN_USERS` of the held-out users have with
             `LEAST_HIDDEN` more ratings; users with fewer ratings than the largest one left are not evaluated

    The users are those that `hold_out` excludes from training in the protocol "new-users", whose errors it raises too.
    """
    for number in numbers:
        check_number("the number of known ratings", number, 1, MOST_LISTED, whole=True)
    split = hold_out(interactions, "new-users", part=part, seed=seed, draw=draw)
    whole = interactions.of_users(interactions.user_rows(split.known.user_ids))
    n_ratings = np.diff(whole.matrix.indptr)
    left = sorted({number for number in numbers if (n_ratings >= number + LEAST_HIDDEN).sum() >= MIN_USERS})
    users = whole.of_users(np.flatnonzero(n_ratings >= left[-1] + LEAST_HIDDEN) if left else np.empty(0, np.int64))
    rng = np.random.default_rng([seed, get_args(Part).index(part), draw, len(get_args(Protocol))])
    counts = np.diff(users.matrix.indptr)
    order = np.lexsort((rng.random(users.n_ratings), np.repeat(np.arange(users.n_users), counts)))
    known = {number: users.select(_last_of_each(order, counts, np.full(users.n_users, number))) for number in left}
    hidden = ~_last_of_each(order, counts, np.full(users.n_users, left[-1] if left else 0))
    return FewKnown(split.train, known, users.select(hidden).matrix)


def lasting_hold_out(interactions: Interactions, share: float) -> HoldOut:
    """A split that lasts while the data grow: a hash of the ids of user and item alone decides whether a rating is held
    out, so that what is held out of one model is held out of every later one.

    share  of the ratings that is held out, above 0 and below 1. Users all of whose ratings are held out are not
           evaluated

    Raises SettingError for another share, InputError when nothing is left to train or evaluate on.
    """
    check_number("the held-out share", share, 0.0, 1.0)
    of_users, of_items = hashes_of(interactions.user_ids), hashes_of(interactions.item_ids)
    counts = np.diff(interactions.matrix.indptr)
    users = np.repeat(np.arange(interactions.n_users), counts)
    # One more round: the sum of two hashes alone would hold out related sets of items for related users.
    hidden = mixed(of_users[users] + mixed(of_items)[interactions.matrix.indices]) < np.uint64(share * 2.0**64)
    train = interactions.select(~hidden)
    split = HoldOut(train, train, interactions.select(hidden & (np.diff(train.matrix.indptr) > 0)[users]).matrix)
    if not train.n_ratings or not split.truth.nnz:
        raise InputError(f"too few ratings: holding out {share:g} of them leaves none to train or evaluate on")
    return split


def _ratings(interactions: Interactions, protocol: Protocol, rng: np.random.Generator) -> HoldOut:
    """The protocols that hold out ratings of users who are in training."""
    counts = np.diff(interactions.matrix.indptr)
    users = np.repeat(np.arange(interactions.n_users), counts)
    if protocol == "random":
        n_hidden = np.where(counts > 1, np.clip(np.round(HIDDEN_SHARE * counts), 1, counts - 1), 0)
        order = np.lexsort((rng.random(interactions.n_ratings), users))
        hidden = _last_of_each(order, counts, n_hidden)
    else:
        times = _times(interactions, protocol)
        if protocol == "leave-last-out":
            hidden = _last_of_each(interactions.oldest_first(), counts, (counts > 1).astype(int))
        else:
            hidden = times > np.quantile(times, 1 - HIDDEN_SHARE, method="inverted_cdf")
    train = interactions.select(~hidden)
    evaluated = np.diff(train.matrix.indptr) > 0
    return HoldOut(train, train, interactions.select(hidden & evaluated[users]).matrix)


def _new_users(interactions: Interactions, rng: np.random.Generator) -> HoldOut:
    """The protocol that holds out whole users."""
    counts = np.diff(interactions.matrix.indptr)
    n_held = max(1, round(HIDDEN_SHARE * interactions.n_users))
    held = np.zeros(interactions.n_users, dtype=bool)
    held[rng.permutation(interactions.n_users)[:n_held]] = True
    users = np.repeat(np.arange(interactions.n_users), counts)
    n_hidden = np.where(counts > 1, counts - np.maximum(1, np.round(QUERY_SHARE * counts)), 0)
    order = np.lexsort((rng.random(interactions.n_ratings), users))
    hidden = _last_of_each(order, counts, n_hidden)
    return HoldOut(
        interactions.of_users(np.flatnonzero(~held)),
        interactions.select(~hidden).of_users(np.flatnonzero(held)),
        interactions.select(hidden).matrix[held],
    )


def _last_of_each(order: np.ndarray, counts: np.ndarray, n_last: np.ndarray) -> np.ndarray:
    """Mask (nnz,) of the last `n_last[u]` ratings of each user u in `order`, which sorts ratings by user first."""
    position = np.arange(len(order)) - np.repeat(np.cumsum(counts) - counts, counts)
    mask = np.zeros(len(order), dtype=bool)
    mask[order] = position >= np.repeat(counts - n_last, counts)
    return mask


def _times(interactions: Interactions, protocol: Protocol) -> np.ndarray:
    """The timestamps. Raises InputError where any is missing."""
    times = interactions.timestamps
    if times is None or (times == NO_TIME).any():
        raise InputError(
            f"protocol {protocol!r} needs a timestamp for every rating, and some are missing; use random or new-users"
        )
    return times
