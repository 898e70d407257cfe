"""What a trained model offers besides recommending: vectors of new movies, and the space with its attributes."""

from __future__ import annotations

import re

import numpy as np
import pytest

from recsys.dataset.catalog import Catalog
from recsys.dataset.dataset import Dataset
from recsys.dataset.interactions import Interactions
from recsys.dataset.weighting import Weighting
from recsys.errors import InputError, NotFinite, SettingError, Unsupported
from recsys.models import ALS, BPR, EASE, IALS, ItemScores, ItemWeights, Learner
from recsys.space.embedding import EmbeddingSpace


@pytest.mark.parametrize("learner", [IALS(), ALS()])
def test_a_known_movie_is_folded_in_next_to_its_own_vector(learner, ml100k) -> None:
    model = learner.fit(ml100k)
    rows = np.argsort(-model.n_ratings)[[0, 10, 100, 400]]
    vectors = model.fold_in_items(ml100k.interactions.matrix[:, rows])
    cosines = (model.space.directions(vectors) * model.space.item_directions[rows]).sum(axis=1)
    assert cosines.min() > 0.98
    shuffled = model.fold_in_items(ml100k.interactions.matrix[np.random.default_rng(0).permutation(943)][:, rows])
    assert ((model.space.directions(shuffled) * model.space.item_directions[rows]).sum(axis=1) < 0.9).all(), "control"


def test_a_movie_that_was_not_in_training_is_folded_in_next_to_similar_movies(ml100k) -> None:
    """Aliens, held out of training: its neighbors are the same as when it is in the training data."""
    catalog, interactions = ml100k.catalog, ml100k.interactions
    aliens = catalog.row_of("Aliens (1986)")
    rest = np.delete(np.arange(len(catalog)), aliens)
    less = Interactions(interactions.matrix[:, rest], interactions.user_ids, interactions.item_ids[rest])
    model = IALS().fit(Dataset(less, catalog.take(less.item_ids)))
    vector = model.fold_in_items(interactions.matrix[:, [aliens]])
    near = np.argsort(-(model.space.directions(vector) @ model.space.item_directions.T)[0])[:5]
    assert {"Alien (1979)", "The Terminator (1984)"} <= set(model.catalog.labels[near])


def test_the_space_has_the_attributes_of_the_items_computed_on_first_access() -> None:
    data = Interactions(np.tri(20, 6), np.arange(20), np.arange(6))
    model = IALS(n_factors=2).fit(Dataset(data, Catalog.of(data.item_ids, genres=[("Drama",)] * 6)))
    assert model.space.item_factors is model.fitted.space.item_factors and "attributes" not in vars(model)
    assert model.space.attributes is model.attributes and model.space is model.space
    assert model.attributes.n_ratings.tolist() == data.matrix.getnnz(axis=0).tolist()
    assert model.fitted.space.attributes is None


def test_models_that_cannot_fold_in_items(ml100k) -> None:
    data = Interactions(np.ones((20, 6)), np.arange(20), np.arange(6))
    catalog = Catalog.of(data.item_ids)
    with pytest.raises(Unsupported, match="differently"):
        BPR(n_factors=2, epochs=1).fit(Dataset(data, catalog)).fold_in_items(data.matrix)
    with pytest.raises(Unsupported, match="no user and item vectors"):
        EASE().fit(Dataset(data, catalog)).fold_in_items(data.matrix)
    some = Interactions(np.tri(20, 6), np.arange(20), np.arange(6))
    model = IALS(n_factors=2).fit(Dataset(some, catalog), Weighting(scheme="bm25"))
    with pytest.raises(Unsupported, match="bm25"):
        model.fold_in_items(some.matrix)
    with pytest.raises(InputError, match="3 users"):
        IALS(n_factors=2).fit(Dataset(some, catalog)).fold_in_items(some.matrix[:3])


EXTREME = [
    (BPR(n_factors=2, epochs=3, regularization=1e6), "bpr diverged: .* lower learning_rate or regularization"),
    (ALS(n_factors=2, epochs=2, regularization=0, alpha=1e9), ""),
    (IALS(n_factors=2, epochs=2, regularization=1e6, alpha0=1e6), ""),
    (IALS(n_factors=30, epochs=2, regularization=0, alpha0=0, solver="cholesky"), "too small for these data"),
    (EASE(regularization=1e12), ""),
]


@pytest.mark.parametrize(("learner", "says"), EXTREME)
def test_extreme_settings_give_a_finite_model_or_one_line(learner: Learner, says: str) -> None:
    rng = np.random.default_rng(0)
    data = Interactions(rng.integers(0, 6, (20, 12)).astype(float), np.arange(20), np.arange(12))
    dataset = Dataset(data, Catalog.of(data.item_ids))
    try:
        scores = learner.fit(dataset).recommend(user=[0, 1], k=3, exclude_seen=False)["score"]
    except SettingError as error:
        assert says and re.search(says, str(error))
    else:
        assert not says and np.isfinite(scores).all() and len(scores) == 6


def test_what_is_not_finite_never_becomes_a_model() -> None:
    for broken in (np.nan, np.inf, 1e13):
        values = np.array([1.0, broken, 3.0])
        with pytest.raises(NotFinite):
            ItemWeights(np.diag(values), np.arange(3))
        with pytest.raises(NotFinite):
            EmbeddingSpace(values[:, None], np.arange(3))
        if broken != 1e13:
            with pytest.raises(NotFinite):
                ItemScores(values, np.arange(3))
    with pytest.raises(InputError, match="do not fit 2 item ids"):
        ItemScores(np.ones(3), np.arange(2))


def test_a_training_that_takes_too_much_memory_is_refused_before_it_starts(ml100k, monkeypatch) -> None:
    monkeypatch.setenv("RECSYS_MAX_MEMORY", "20M")
    with pytest.raises(InputError, match=r"als: training on 943 users and 1,682 items would need 129\.1 MB of memory"):
        ALS(n_factors=4096).fit(ml100k)
    with pytest.raises(InputError, match=r"ease: .* would need 90\.5 MB"):
        EASE().fit(ml100k)
