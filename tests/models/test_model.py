"""What a trained model can do besides recommending: vectors for movies that came after training."""

from __future__ import annotations

import numpy as np
import pytest

from recsys.dataset.catalog import Catalog
from recsys.dataset.dataset import Dataset
from recsys.dataset.interactions import Interactions
from recsys.dataset.weighting import Weighting
from recsys.errors import InputError, Unsupported
from recsys.models import ALS, BPR, EASE, IALS


@pytest.mark.parametrize("learner", [IALS(), ALS()])
def test_a_known_movie_folds_in_next_to_itself(learner, ml100k) -> None:
    model = learner.fit(ml100k)
    rows = np.argsort(-model.n_ratings)[[0, 10, 100, 400]]
    vectors = model.fold_in_items(ml100k.interactions.matrix[:, rows])
    cosines = (model.space.directions(vectors) * model.space.item_directions[rows]).sum(axis=1)
    assert cosines.min() > 0.98
    shuffled = model.fold_in_items(ml100k.interactions.matrix[np.random.default_rng(0).permutation(943)][:, rows])
    assert ((model.space.directions(shuffled) * model.space.item_directions[rows]).sum(axis=1) < 0.9).all(), "control"


def test_a_movie_training_never_saw_lands_among_its_like(ml100k) -> None:
    """Aliens, left out of training: its nearest are what it is nearest to when it is there."""
    catalog, interactions = ml100k.catalog, ml100k.interactions
    aliens = catalog.row_of("Aliens (1986)")
    rest = np.delete(np.arange(len(catalog)), aliens)
    less = Interactions(interactions.matrix[:, rest], interactions.user_ids, interactions.item_ids[rest])
    model = IALS().fit(Dataset(less, catalog.take(less.item_ids)))
    vector = model.fold_in_items(interactions.matrix[:, [aliens]])
    near = np.argsort(-(model.space.directions(vector) @ model.space.item_directions.T)[0])[:5]
    assert {"Alien (1979)", "The Terminator (1984)"} <= set(model.catalog.labels[near])


def test_models_that_cannot_say_so(ml100k) -> None:
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
