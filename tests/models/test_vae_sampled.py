"""vae with many items: the sampled softmax, Adam on rows, and a training that samples."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
import optax
import pytest
import scipy.sparse as sp

from recsys.dataset.catalog import Catalog
from recsys.dataset.dataset import Dataset
from recsys.dataset.interactions import Interactions
from recsys.dataset.split import hold_out
from recsys.evaluation.ranking import rank_quality
from recsys.models import VAE, Model, Popular, vae_sampled
from recsys.models.encoder import Variant
from recsys.models.row_adam import RowAdam
from recsys.models.vae_sampled import inclusion, sampled_softmax

N_USERS, N_ITEMS, WIDTH = 6, 30, 5


def a_batch() -> tuple[np.ndarray, np.ndarray, sp.csr_matrix]:
    """Vectors of users and items, and weights."""
    rng = np.random.default_rng(0)
    x, y = (rng.normal(size=(n, WIDTH)).astype(np.float32) for n in (N_USERS, N_ITEMS))
    weights = (rng.random((N_USERS, N_ITEMS)) < 0.2) * rng.random((N_USERS, N_ITEMS))
    weights[:, 3] = 1
    return x, y, sp.csr_matrix(weights, dtype=np.float32)


def whole(x: jax.Array, y: jax.Array, weights: np.ndarray) -> jax.Array:
    return -(jax.nn.log_softmax(x @ y.T) * weights).sum()


def test_a_sample_of_all_items_is_the_whole_softmax() -> None:
    x, y, weights = a_batch()
    found = sampled_softmax(x, y, weights, np.arange(N_ITEMS), np.ones(N_ITEMS))
    expected, (by_users, by_items) = jax.value_and_grad(whole, (0, 1))(x, y, weights.toarray())
    assert found.loss.sum() == pytest.approx(float(expected), rel=1e-5)
    np.testing.assert_allclose(found.users, by_users, atol=1e-5)
    np.testing.assert_allclose(found.items, by_items, atol=1e-5)
    assert found.rows.tolist() == list(range(N_ITEMS))


def test_the_expected_normalizer_is_the_sum_over_all_items() -> None:
    x, y, weights = a_batch()
    probabilities = inclusion(np.arange(N_ITEMS), 12)
    assert probabilities.sum() == pytest.approx(12)
    assert probabilities.max() <= 1
    rng, n_draws = np.random.default_rng(1), 1000
    totals = np.asarray(weights.sum(axis=1)).ravel()
    own = np.asarray(weights.multiply(x @ y.T).sum(axis=1)).ravel()
    exact = np.exp(x @ y.T).sum(axis=1)
    corrected, plain = np.zeros((2, N_USERS))
    for _ in range(n_draws):
        sampled = np.flatnonzero(rng.random(N_ITEMS) < probabilities)
        for sums, p in ((corrected, probabilities[sampled]), (plain, np.ones(len(sampled)))):
            loss = sampled_softmax(x, y, weights, sampled, p, ()).loss
            sums += np.exp((loss + own) / totals) / exact / n_draws
    np.testing.assert_allclose(corrected, 1, atol=0.1)
    assert plain.max() < 0.9, "the control, without the correction"


def test_rows_are_trained_by_adam_and_others_stay() -> None:
    rng = np.random.default_rng(2)
    start = rng.normal(size=(4, 3)).astype(np.float32)
    adam, rows = RowAdam(start.copy()), np.array([0, 3])
    expected, optimizer = start[rows], optax.adam(0.1)
    state = optimizer.init(expected)
    for _ in range(5):
        gradient = rng.normal(size=(2, 3)).astype(np.float32)
        adam.step(rows, gradient, 0.1)
        change, state = optimizer.update(gradient, state)
        expected = optax.apply_updates(expected, change)
    np.testing.assert_allclose(adam.values[rows], expected, atol=1e-5)
    np.testing.assert_array_equal(adam.values[1:3], start[1:3])


@pytest.fixture(scope="module")
def data() -> Dataset:
    """Users and items in eight groups; popular and rare items in each."""
    rng = np.random.default_rng(5)
    same = np.arange(300)[:, None] % 8 == np.arange(160) % 8
    popular = 1 / (1 + np.arange(160) // 8)
    ratings = rng.random((300, 160)) < np.where(same, 0.9, 0.03) * popular**0.5
    items = [f"i{i}" for i in range(160)]
    found = sp.csr_matrix(ratings * 5.0)
    return Dataset(Interactions(found, [f"u{u}" for u in range(300)], items), Catalog.of(items))


@pytest.mark.parametrize("variant", ["recvae", "multvae"])
def test_sampling_ranks_about_as_well_as_the_whole_softmax(data: Dataset, variant: Variant) -> None:
    split = hold_out(data.interactions, "new-users")
    train = Dataset(split.train, data.catalog)
    exact = VAE(variant, n_factors=8, hidden=16, learning_rate=0.01, batch_size=24, patience=0, epochs=16, sampled=0)

    def quality(model: Model) -> float:
        return float(rank_quality(model, split, auc=False)["ndcg@10"])

    first, again = (exact.replace(sampled=30).fit(train) for _ in range(2))
    assert first.space.item_factors.tobytes() == again.space.item_factors.tobytes()
    assert first.space.user_factors.tobytes() == again.space.user_factors.tobytes()
    sampled = quality(first)
    assert sampled > quality(Popular().fit(train)) + 0.1
    if variant == "multvae":  # to compile recvae once more takes seconds
        assert sampled > quality(exact.fit(train)) - 0.04


def test_an_epoch_is_a_part_of_the_users_of_many(data: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vae_sampled, "EPOCH_USERS", 100)
    seen: list[int] = []

    def softmax(x: np.ndarray, *others: Any) -> vae_sampled.Softmax:
        seen.append(len(x))
        return sampled_softmax(x, *others)

    monkeypatch.setattr(vae_sampled, "sampled_softmax", softmax)
    learner = VAE("multvae", n_factors=8, hidden=16, batch_size=50, patience=0, epochs=3, sampled=30)
    n_users: list[int] = []
    learner.fit(data, progress=lambda *_: n_users.append(sum(seen)))
    assert n_users == [100, 200, 300, 300]
