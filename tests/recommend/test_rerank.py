"""Re-ranking: more novel or more diverse lists, and what that costs."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from recsys.dataset.catalog import Catalog
from recsys.dataset.dataset import Dataset
from recsys.dataset.interactions import Interactions
from recsys.errors import InputError, SettingError, Unsupported
from recsys.models import BPR, EASE, IALS, Model, Popular
from recsys.recommend.rerank import rerank
from recsys.recommend.topn import batch_of_ratings, batch_of_users, recommend

N_USERS = 100


@pytest.fixture(scope="module")
def batch(ml100k: Dataset, ml100k_model: Model):
    users = np.random.default_rng(5).permutation(ml100k.interactions.user_ids)[:N_USERS]
    return batch_of_users(ml100k_model, ml100k.interactions, users)


def lists(model: Model, batch, **options: float) -> list[np.ndarray]:
    """Row numbers of the ten items of each user."""
    tables = [rerank(model, batch[at : at + 1], 10, **options) for at in range(len(batch))]
    return [model.catalog.index.get_indexer(pd.Index(table["item_id"])) for table in tables]


def popularity(model: Model, found: list[np.ndarray]) -> np.ndarray:
    return np.array([model.n_ratings[rows].mean() for rows in found])


def similarity(model: Model, found: list[np.ndarray]) -> np.ndarray:
    """Mean cosine between the items of each list."""
    return np.array([(space @ space.T)[np.triu_indices(10, 1)].mean()
                     for space in (model.space.item_directions[rows] for rows in found)])  # fmt: skip


def test_without_novelty_and_diversity_the_list_equals_that_of_recommend(ml100k_model: Model, batch) -> None:
    allowed = ml100k_model.catalog.where(["Drama"], (1980, None))
    for filters in ({}, {"allowed": allowed}, {"exclude_seen": False}):
        for at in range(5):
            you = batch[at : at + 1]
            pd.testing.assert_frame_equal(
                rerank(ml100k_model, you, 7, **filters), recommend(ml100k_model, you, 7, **filters)
            )


def test_more_novelty_gives_less_popular_movies(ml100k_model: Model, batch) -> None:
    before = popularity(ml100k_model, lists(ml100k_model, batch))
    for amount in (0.25, 0.5, 1.0):
        after = popularity(ml100k_model, lists(ml100k_model, batch, novelty=amount))
        assert (after <= before).mean() > 0.95
        assert after.mean() < before.mean()
        before = after
    alike = similarity(ml100k_model, lists(ml100k_model, batch, diversity=0.5)).mean()
    # Control: novelty alone does not reduce similarity as diversity does.
    assert similarity(ml100k_model, lists(ml100k_model, batch, novelty=0.25)).mean() > alike


def test_more_diversity_gives_less_similar_movies(ml100k_model: Model, batch) -> None:
    first = before = similarity(ml100k_model, lists(ml100k_model, batch))
    for amount in (0.25, 0.5, 1.0):
        after = similarity(ml100k_model, lists(ml100k_model, batch, diversity=amount))
        assert (after <= before + 1e-6).mean() > 0.8
        assert after.mean() < before.mean()
        before = after
    assert (after < first).all()


def test_the_list_is_still_close_to_the_users_taste(ml100k_model: Model, batch) -> None:
    for options in ({"novelty": 1.0}, {"diversity": 1.0}, {"novelty": 0.5, "diversity": 0.5}):
        for at in range(5):
            you = batch[at : at + 1]
            table = rerank(ml100k_model, you, 10, **options)
            pool = recommend(ml100k_model, you, 200).set_index("item_id")["score"]
            assert table["item_id"].is_unique and len(table) == 10
            assert table["rank"].tolist() == list(range(1, 11))
            assert table["score"].tolist() == pool[table["item_id"]].tolist()
            assert not set(table["item_id"]) & set(ml100k_model.item_ids[you.ratings.indices])


def test_a_diverse_list_starts_with_the_best_item_and_respects_filters(ml100k_model: Model, batch) -> None:
    allowed = ml100k_model.catalog.where(["Western"])
    you = batch[:1]
    best = recommend(ml100k_model, you, 1, allowed=allowed)["item_id"][0]
    table = rerank(ml100k_model, you, 200, diversity=1.0, allowed=allowed)
    assert table["item_id"][0] == best
    assert 10 < len(table) <= allowed.sum()
    assert allowed[ml100k_model.catalog.index.get_indexer(pd.Index(table["item_id"]))].all()
    assert rerank(ml100k_model, you, 5, novelty=0.5, diversity=0.5, allowed=np.zeros(len(allowed), dtype=bool)).empty


@pytest.mark.parametrize("options", [{"novelty": -0.1}, {"novelty": 1.1}, {"diversity": 2.0}, {"diversity": np.nan}])
def test_values_outside_their_range_are_refused(ml100k_model: Model, batch, options: dict) -> None:
    with pytest.raises(SettingError, match=f"{next(iter(options))} must be between 0 and 1"):
        rerank(ml100k_model, batch[:1], **options)
    with pytest.raises(InputError, match="for one user, not for 100"):
        rerank(ml100k_model, batch, novelty=0.5)


DENSE = np.array([[5, 5, 0, 0, 0, 0], [5, 5, 0, 0, 0, 0], [5, 0, 4, 4, 0, 0], [0, 0, 4, 4, 3, 0], [0, 0, 4, 0, 3, 0]])
SMALL = Interactions(DENSE, [f"u{i}" for i in range(5)], [f"m{i}" for i in range(6)])


def test_models_without_vectors_support_novelty_but_not_diversity() -> None:
    for learner in (EASE(), Popular()):
        model = learner.fit(Dataset(SMALL, Catalog.of(SMALL.item_ids)))
        you = batch_of_ratings(model, {"m4": 5.0})
        assert rerank(model, you, 5, novelty=1.0)["item_id"].iloc[0] == "m5"  # without ratings
        with pytest.raises(Unsupported):
            rerank(model, you, 5, diversity=0.5)


def test_a_cold_user_gets_a_reranked_list() -> None:
    model = BPR(n_factors=2, epochs=5).fit(Dataset(SMALL, Catalog.of(SMALL.item_ids)))
    cold = batch_of_ratings(model, {})
    assert rerank(model, cold, 6)["item_id"].tolist()[0] == "m0"
    assert set(rerank(model, cold, 6, novelty=0.3, diversity=0.7)["item_id"]) == set(SMALL.item_ids)


def test_an_item_without_a_vector_does_not_count_as_different() -> None:
    model = IALS(n_factors=2).fit(Dataset(SMALL, Catalog.of(SMALL.item_ids)))
    assert not model.space.item_directions[5].any()  # without ratings
    you = batch_of_ratings(model, {"m0": 5.0})
    assert rerank(model, you, 5, diversity=0.9)["item_id"].iloc[-1] == "m5"
