"""vae: the encoder, early stopping, interrupts, explanations, and what a stored encoder may contain."""

from __future__ import annotations

import sys
from typing import Any

import jax
import numpy as np
import pytest
import scipy.sparse as sp

from recsys.dataset.catalog import Catalog
from recsys.dataset.dataset import Dataset
from recsys.dataset.interactions import Interactions
from recsys.errors import InputError, NotFinite, Unavailable
from recsys.models import IALS, VAE, Model, Vectors, vae_training
from recsys.models.encoder import Encoder, Variant
from recsys.recommend.topn import batch_of_ratings

N_USERS, N_ITEMS = 60, 20


def groups() -> Dataset:
    """Users and items in four groups; each user rated most items of their group, and a few others."""
    rng = np.random.default_rng(5)
    same = np.arange(N_USERS)[:, None] % 4 == np.arange(N_ITEMS) % 4
    ratings = (rng.random((N_USERS, N_ITEMS)) < np.where(same, 0.8, 0.1)) * rng.integers(1, 6, (N_USERS, N_ITEMS))
    items = [f"i{i}" for i in range(N_ITEMS)]
    return Dataset(Interactions(sp.csr_matrix(ratings), [f"u{u}" for u in range(N_USERS)], items), Catalog.of(items))


DATA = groups()
SMALL: dict[str, Any] = {"n_factors": 4, "hidden": 16, "learning_rate": 0.01, "validation_share": 0.25}


@pytest.fixture(scope="module")
def model() -> Model:
    return VAE(**SMALL, epochs=100, patience=4).fit(DATA)


@pytest.mark.parametrize("variant", ["recvae", "multvae"])
def test_the_encoder_in_numpy_is_the_one_that_jax_trains(variant: Variant) -> None:
    parameters = vae_training.first_parameters(variant, N_ITEMS, 8, 3, seed=1)
    encoder = vae_training.to_encoder(variant, parameters)
    x = DATA.interactions.matrix[:10].toarray()
    expected, _ = jax.jit(vae_training.encode)(parameters["encoder"], x / np.linalg.norm(x, axis=1, keepdims=True))
    space = IALS(n_factors=3, epochs=1).fit(DATA).space
    found = encoder.fold_in(space, sp.csr_matrix(x))
    np.testing.assert_allclose(found[:, :-1], expected, atol=1e-5)
    assert (found[:, -1] == 1).all()
    assert not encoder.fold_in(space, sp.csr_matrix((1, N_ITEMS)))[:, :-1].any(), "without ratings: zero"
    back = Encoder.from_tensors(variant, encoder.tensors())
    np.testing.assert_array_equal(back.fold_in(space, sp.csr_matrix(x)), found)


def test_training_stops_on_held_out_users_and_keeps_the_best_epoch(model: Model) -> None:
    assert model.learner.epochs == 100, "stopping by itself is part of the settings"  # type: ignore[attr-defined]
    n_epochs = []
    stopped = VAE(**SMALL, epochs=100, patience=4).fit(DATA, progress=lambda done, _: n_epochs.append(done))
    assert stopped.space.item_factors.tobytes() == model.space.item_factors.tobytes()
    assert 5 < n_epochs[-2] < n_epochs[-1] == 100
    kept = n_epochs[-2] - 4
    again = VAE(**SMALL, epochs=kept, patience=4).fit(DATA)
    for factors in ("user_factors", "item_factors"):
        assert getattr(again.space, factors).tobytes() == getattr(model.space, factors).tobytes()
    fewer = VAE(**SMALL, epochs=kept - 1, patience=4).fit(DATA)
    assert fewer.space.item_factors.tobytes() != model.space.item_factors.tobytes()


def test_an_interrupt_keeps_the_best_epoch(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    step, n_calls, most = vae_training.step, 0, 3 * 4 * 9  # three epochs of four passes, each of nine steps

    def interrupted(*args: Any) -> Any:
        nonlocal n_calls
        n_calls += 1
        if n_calls > most:
            raise KeyboardInterrupt
        return step(*args)

    monkeypatch.setattr(vae_training, "step", interrupted)
    kept = VAE(**SMALL, epochs=100, patience=4).fit(DATA)
    assert 1 <= kept.learner.epochs <= 3  # type: ignore[attr-defined]
    n_calls, most = 0, 3
    with pytest.raises(KeyboardInterrupt):
        VAE(**SMALL, epochs=100, patience=4).fit(DATA)


def test_an_explanation_is_what_the_score_loses_without_the_rated_item(model: Model) -> None:
    ratings = {"i0": 5.0, "i4": 3.0, "i1": 4.0}
    fitted, columns = model.fitted, np.array([8, 3])
    you = batch_of_ratings(model, ratings)
    found = fitted.contributions(you, model.weighting, columns)
    assert found is not None
    scores = fitted.score(you, model.weighting)[0, columns]
    for row, shares in zip(found.rated_rows, found.shares, strict=True):
        others = {item: rating for item, rating in ratings.items() if item != model.item_ids[row]}
        without = fitted.score(batch_of_ratings(model, others), model.weighting)[0, columns]
        np.testing.assert_allclose(shares, scores - without, atol=1e-5)
    alone = batch_of_ratings(model, {"i0": 5.0})
    found = fitted.contributions(alone, model.weighting, columns)
    assert found is not None
    cold = model.space.item_factors[columns, -1]  # without any rating the bias is left
    np.testing.assert_allclose(found.shares[0], fitted.score(alone, model.weighting)[0, columns] - cold, atol=1e-5)


def test_without_jax_the_error_names_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jax", None)
    with pytest.raises(Unavailable, match=r"^'vae' needs jax: python -m pip install 'recsys-atlas\[deep\]'$"):
        VAE().fit(DATA)


def test_a_stored_encoder_must_be_whole(model: Model) -> None:
    assert isinstance(model.fitted, Vectors)
    tensors, learner = model.fitted.tensors(), model.learner
    assert isinstance(learner, VAE)
    with pytest.raises(InputError, match=r"other arrays than recvae has: layer3\.scale"):
        learner.fold_in_rule({name: array for name, array in tensors.items() if name != "layer3.scale"})
    with pytest.raises(InputError, match="do not fit together"):
        learner.fold_in_rule(tensors | {"layer2.bias": np.zeros(3, np.float32)})
    with pytest.raises(InputError, match="float32"):
        learner.fold_in_rule(tensors | {"mean.bias": np.zeros(4)})
    with pytest.raises(NotFinite):
        learner.fold_in_rule(tensors | {"mean.bias": np.full(4, np.nan, np.float32)})
    with pytest.raises(InputError, match="of 19 items and 4 dimensions, does not fit the vectors, of 20 and 4"):
        Vectors(model.space, learner.fold_in_rule(tensors | {"layer1.weight": tensors["layer1.weight"][1:]}))
    with pytest.raises(InputError, match="'ials' has no encoder"):
        IALS().fold_in_rule(tensors)
