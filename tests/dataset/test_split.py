"""Hold-out protocols: parts are complete and disjoint, and each holds out what it documents."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
import scipy.sparse as sp

from recsys.dataset.dataset import Dataset
from recsys.dataset.interactions import Interactions
from recsys.dataset.split import HIDDEN_SHARE, Protocol, hold_out, lasting_hold_out
from recsys.errors import InputError, SettingError

PROTOCOLS = get_args(Protocol)


def pairs(matrix: sp.csr_matrix, user_ids: np.ndarray) -> set[tuple[object, int]]:
    rows, columns = matrix.nonzero()
    return set(zip(user_ids[rows].tolist(), columns.tolist(), strict=True))


@pytest.mark.parametrize("part", ["test", "validation"])
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_parts_do_not_overlap_and_add_up(ml100k: Dataset, protocol: Protocol, part: str) -> None:
    data = ml100k.interactions
    split = hold_out(data, protocol, part=part)  # type: ignore[arg-type]
    train, known = pairs(split.train.matrix, split.train.user_ids), pairs(split.known.matrix, split.known.user_ids)
    truth, everything = pairs(split.truth, split.known.user_ids), pairs(data.matrix, data.user_ids)
    assert not truth & (train | known)
    assert truth | train | known <= everything
    np.testing.assert_array_equal(split.train.item_ids, data.item_ids)
    if part == "test" and protocol != "time":  # with "time", users without ratings before the cut are not evaluated
        assert truth | train | known == everything
    if protocol == "new-users":
        assert not set(split.train.user_ids.tolist()) & set(split.known.user_ids.tolist())
        assert len(split.known.user_ids) == round(HIDDEN_SHARE * (943 if part == "test" else 754))


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_validation_shares_no_rating_with_the_test(ml100k: Dataset, protocol: Protocol) -> None:
    test = hold_out(ml100k.interactions, protocol)
    validation = hold_out(ml100k.interactions, protocol, part="validation")
    hidden = pairs(test.truth, test.known.user_ids)
    for matrix, ids in (
        (validation.train.matrix, validation.train.user_ids),
        (validation.known.matrix, validation.known.user_ids),
        (validation.truth, validation.known.user_ids),
    ):
        assert not pairs(matrix, ids) & hidden
    if protocol == "new-users":
        assert not set(test.known.user_ids.tolist()) & set(validation.known.user_ids.tolist())


def test_leave_last_out_holds_out_the_latest_rating(ml100k: Dataset) -> None:
    data = ml100k.interactions
    split = hold_out(data, "leave-last-out")
    assert (np.diff(split.truth.indptr) == 1).all()
    assert data.timestamps is not None
    for user in (0, 17, 942):
        begin, end = data.matrix.indptr[user], data.matrix.indptr[user + 1]
        hidden = np.flatnonzero(data.matrix.indices[begin:end] == split.truth[user].indices[0])[0]
        assert data.timestamps[begin + hidden] == data.timestamps[begin:end].max()


def test_time_cuts_all_users_at_one_point(ml100k: Dataset) -> None:
    data = ml100k.interactions
    split = hold_out(data, "time")
    assert split.train.timestamps is not None and data.timestamps is not None
    cut = split.train.timestamps.max()
    assert split.train.n_ratings == (data.timestamps <= cut).sum()
    assert 0.15 < (data.timestamps > cut).mean() <= HIDDEN_SHARE
    assert split.train.matrix[np.diff(split.truth.indptr) > 0].getnnz(axis=1).min() > 0


def test_random_holds_out_a_share_of_each_user_that_depends_on_the_seed(ml100k: Dataset) -> None:
    data = ml100k.interactions
    split = hold_out(data, "random", seed=1)
    np.testing.assert_array_equal(np.diff(split.truth.indptr), np.round(HIDDEN_SHARE * np.diff(data.matrix.indptr)))
    assert (hold_out(data, "random", seed=1).truth != split.truth).nnz == 0
    assert (hold_out(data, "random", seed=2).truth != split.truth).nnz > 1000


def test_draws_hold_out_different_ratings_of_the_same_training_part(ml100k: Dataset) -> None:
    for protocol in ("random", "new-users"):
        test = hold_out(ml100k.interactions, protocol)  # type: ignore[arg-type]
        one, two = (hold_out(ml100k.interactions, protocol, part="validation", draw=draw) for draw in (0, 1))  # type: ignore[arg-type]
        hidden = [pairs(split.truth, split.known.user_ids) for split in (one, two)]
        assert hidden[0] != hidden[1]
        assert not (hidden[0] | hidden[1]) & pairs(test.truth, test.known.user_ids)
    with pytest.raises(SettingError, match="has a single validation part; only random and new-users have several"):
        hold_out(ml100k.interactions, "time", part="validation", draw=1)


def test_a_user_with_one_rating_keeps_it() -> None:
    matrix = sp.csr_matrix(np.array([[1.0, 0, 0], [1, 1, 1], [0, 1, 1]]))
    data = Interactions(matrix, ["a", "b", "c"], ["x", "y", "z"], np.array([5, 1, 9, 9, 3, 2]))
    split = hold_out(data, "leave-last-out")
    assert pairs(split.truth, data.user_ids) == {("b", 2), ("c", 1)}  # of b's equal times, by a hash
    assert pairs(hold_out(data, "random").truth, data.user_ids).isdisjoint({("a", 0)})


def test_data_that_cannot_be_split_are_refused() -> None:
    matrix = sp.csr_matrix(np.ones((1, 1)))
    lone = Interactions(matrix, ["a"], ["x"])
    with pytest.raises(InputError, match="needs a timestamp for every rating, and some are missing"):
        hold_out(lone, "time")
    with pytest.raises(InputError, match="leaves none to evaluate on in the test part"):
        hold_out(lone, "random")
    with pytest.raises(SettingError, match="unknown protocol 'weekly': use leave-last-out, random"):
        hold_out(lone, "weekly")  # type: ignore[arg-type]


@pytest.mark.parametrize("as_text", [False, True], ids=["integers", "texts"])
def test_a_lasting_hold_out_holds_out_the_same_ratings_when_the_data_grow(as_text: bool) -> None:
    rng = np.random.default_rng(0)
    matrix = sp.random(300, 200, 0.2, "csr", np.float32, rng)
    users, items = ([f"{role}{i}" if as_text else i for i in range(n)] for role, n in (("u", 300), ("m", 200)))
    later = Interactions(matrix, users, items)
    rows, columns = np.sort(rng.permutation(300)[:250]), np.sort(rng.permutation(200)[:180])
    earlier = Interactions(matrix[rows][:, columns], [users[u] for u in rows], [items[i] for i in columns])

    def named(data: Interactions, part: sp.csr_matrix) -> set[tuple[object, object]]:
        found = part.tocoo()
        return set(zip(data.user_ids[found.row].tolist(), data.item_ids[found.col].tolist(), strict=True))

    first, second = lasting_hold_out(earlier, 0.1), lasting_hold_out(later, 0.1)
    hidden = named(earlier, first.truth)
    assert hidden <= named(later, second.truth) and not hidden & named(later, second.train.matrix)
    assert named(earlier, first.train.matrix) <= named(later, second.train.matrix)
    assert second.truth.nnz + second.train.n_ratings == later.n_ratings
    assert 0.09 < second.truth.nnz / later.n_ratings < 0.11
    other = hold_out(later, "random", seed=1).truth  # the control: drawn anew, other ratings are held out
    assert len(named(later, other) & hidden) < 0.5 * len(hidden)
    assert len({row.indices.tobytes() for row in second.truth}) > 250, "each user holds out other items"
    assert np.ptp(np.bincount(second.truth.indices, minlength=200)) < 25, "and each item is held out about as often"


def test_a_lasting_hold_out_needs_ratings_on_both_sides() -> None:
    data = Interactions(np.ones((2, 2)), [1, 2], [1, 2])
    with pytest.raises(InputError, match="too few ratings: holding out 0 of them"):
        lasting_hold_out(data, 0.0)
    with pytest.raises(SettingError, match="held-out share must be between 0 and 1"):
        lasting_hold_out(data, 1.5)
