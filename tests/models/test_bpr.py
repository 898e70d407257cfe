"""BPR: fold-in minimizes the documented objective, and only likes count."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from recsys.dataset.dataset import Dataset
from recsys.dataset.interactions import Interactions
from recsys.dataset.split import hold_out
from recsys.evaluation.ranking import rank_quality
from recsys.models import BPR, Popular

RNG = np.random.default_rng(2)
LIKES = sp.csr_matrix((RNG.random((60, 40)) < 0.2).astype(np.float32))
LEARNER = BPR(n_factors=5, learning_rate=0.05, regularization=0.02, epochs=50)


@pytest.fixture(scope="module")
def space():
    return LEARNER._learn(Interactions(LIKES, range(60), range(40))).space


def test_the_bias_is_the_last_dimension(space) -> None:
    assert space.has_bias
    assert space.item_factors.shape == (40, 6)
    assert (space.user_factors[:, -1] == 1).all()


def plain_objective(x: np.ndarray, items: np.ndarray, liked: np.ndarray) -> float:
    others = np.setdiff1d(np.arange(len(items)), liked)
    scores = items[:, :-1] @ x + items[:, -1]
    gaps = scores[liked][:, None] - scores[others][None, :]
    return float(np.log1p(np.exp(-gaps)).mean() + LEARNER.regularization / 2 * (x @ x))


def test_folding_in_finds_the_minimum_of_the_stated_objective(space) -> None:
    vector = LEARNER.fold_in(space, LIKES[3])[0]
    assert vector[-1] == 1
    items, liked = space.item_factors.astype(np.float64), LIKES[3].indices
    x = vector[:-1].astype(np.float64)
    here = plain_objective(x, items, liked)
    for _ in range(50):
        assert plain_objective(x + RNG.normal(size=5) * 0.05, items, liked) > here
    assert plain_objective(np.zeros(5), items, liked) > here


def test_lists_of_folded_in_users_are_far_closer_to_their_stored_lists_than_to_those_of_others(space) -> None:
    folded, stored = space.score(LEARNER.fold_in(space, LIKES)), space.score(space.user_factors)

    def overlap(a: np.ndarray, b: np.ndarray) -> float:
        tops = [set(np.argsort(-x)[:10]) & set(np.argsort(-y)[:10]) for x, y in zip(a, b, strict=True)]
        return float(np.mean([len(top) for top in tops])) / 10

    assert overlap(folded, stored) > 0.6
    assert overlap(folded, stored) > overlap(folded, np.roll(stored, 1, axis=0)) + 0.2


def test_contributions_leave_out_only_the_bias_and_the_negatives(space) -> None:
    user, targets = LIKES[3], np.array([1, 2, 30])
    shares = LEARNER.contributions(space, user, targets)
    items, liked = space.item_factors.astype(np.float64), user.indices
    others = np.setdiff1d(np.arange(40), liked)
    vector = LEARNER.fold_in(space, user)[0].astype(np.float64)
    scores = items @ vector
    miss = 1 / (1 + np.exp(scores[liked][:, None] - scores[others][None, :]))
    pushed = (miss.sum(axis=0) / miss.size / LEARNER.regularization) @ items[others, :-1]
    whole = shares.sum(axis=0) - items[targets, :-1] @ pushed + items[targets, -1]
    np.testing.assert_allclose(whole, scores[targets], atol=2e-3)


def test_stored_zeros_and_negative_weights_are_not_likes() -> None:
    noisy = LIKES.copy().tolil()
    zeros = np.argwhere(LIKES.toarray() == 0)[::7]
    for user, item in zeros:
        noisy[user, item] = -1
    noisy = noisy.tocsr()
    noisy.data[noisy.data < 0] = np.where(np.arange((noisy.data < 0).sum()) % 2, 0, -1)
    plain = LEARNER._learn(Interactions(LIKES, range(60), range(40))).space
    same = LEARNER._learn(Interactions(noisy, range(60), range(40))).space
    assert same.item_factors.tobytes() == plain.item_factors.tobytes()
    assert LEARNER.fold_in(plain, noisy[3]).tobytes() == LEARNER.fold_in(plain, LIKES[3]).tobytes()


@pytest.mark.slow
def test_it_ranks_the_whole_catalog_far_better_than_popularity(ml100k: Dataset) -> None:
    split = hold_out(ml100k.interactions, "random", part="validation")
    found = {
        name: rank_quality(learner.fit(Dataset(split.train, ml100k.catalog)), split, auc=False)["ndcg@10"]
        for name, learner in (("four", BPR()), ("one", BPR(candidates=1)), ("popular", Popular()))
    }
    assert found["four"] > found["one"] + 0.01 > found["popular"] + 0.06, found


def test_a_user_who_rated_everything_gets_finite_vectors() -> None:
    everything = LIKES.toarray()
    everything[5] = 1
    space = LEARNER._learn(Interactions(sp.csr_matrix(everything), range(60), range(40))).space
    assert np.isfinite(space.user_factors).all()
