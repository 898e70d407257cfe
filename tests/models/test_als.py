"""ALS against a plain NumPy solution of its normal equations."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from recsys.dataset.interactions import Interactions
from recsys.models import ALS

RNG = np.random.default_rng(11)
WEIGHTS = sp.random(50, 30, 0.2, format="csr", random_state=5, dtype=np.float32)
DATA = Interactions(WEIGHTS, range(50), range(30))
LEARNER = ALS(n_factors=6, regularization=0.7, alpha=3.0, epochs=10)


def plain_solve(fixed: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """x = (Σ over all items of c y yᵀ + λI)⁻¹ Σ c p y, written out."""
    weighting = np.where(weights > 0, 1 + LEARNER.alpha * weights, 1.0)
    solved = []
    for c, w in zip(weighting, weights, strict=True):
        normal = (fixed * c[:, None]).T @ fixed + LEARNER.regularization * np.eye(fixed.shape[1])
        solved.append(np.linalg.solve(normal, (fixed * (c * (w > 0))[:, None]).sum(axis=0)))
    return np.array(solved)


def objective(users: np.ndarray, items: np.ndarray, weights: np.ndarray) -> float:
    weighting = np.where(weights > 0, 1 + LEARNER.alpha * weights, 1.0)
    error = weighting * ((weights > 0) - users @ items.T) ** 2
    return float(error.sum() + LEARNER.regularization * ((users**2).sum() + (items**2).sum()))


@pytest.fixture(scope="module")
def space():
    return LEARNER._learn(DATA).space


def test_training_ends_with_an_exact_solve_of_the_users(space) -> None:
    expected = plain_solve(space.item_factors.astype(np.float64), WEIGHTS.toarray().astype(np.float64))
    np.testing.assert_allclose(space.user_factors, expected, atol=1e-4)
    np.testing.assert_allclose(LEARNER.fold_in(space, WEIGHTS), expected, atol=1e-4)


def test_training_approaches_the_plain_numpy_solution(space) -> None:
    weights = WEIGHTS.toarray().astype(np.float64)
    items = RNG.normal(size=(30, 6)) * 0.01
    for _ in range(30):
        users = plain_solve(items, weights)
        items = plain_solve(users, weights.T)
    reached = objective(space.user_factors, space.item_factors, weights)
    nothing_learned = objective(np.zeros((50, 6)), np.zeros((30, 6)), weights)
    best = objective(users, items, weights)
    assert (reached - best) / (nothing_learned - best) < 0.02


def test_contributions_sum_to_the_score(space) -> None:
    user = WEIGHTS[7]
    targets = np.array([0, 3, 17])
    shares = LEARNER.contributions(space, user, targets)
    assert shares.shape == (user.nnz, 3)
    scores = LEARNER.fold_in(space, user) @ space.item_factors[targets].T
    np.testing.assert_allclose(shares.sum(axis=0), scores[0], rtol=1e-4, atol=1e-6)


def test_progress_is_reported_after_every_epoch() -> None:
    calls: list[tuple[int, int]] = []
    LEARNER._learn(DATA, lambda done, total: calls.append((done, total)))
    assert calls == [(epoch, 10) for epoch in range(1, 11)]
