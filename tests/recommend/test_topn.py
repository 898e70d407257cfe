"""Batches of users and ranked lists, including data that do not match the model."""

from __future__ import annotations

import numpy as np
import pytest

from recsys.dataset.catalog import Catalog
from recsys.dataset.dataset import Dataset
from recsys.dataset.interactions import Interactions
from recsys.errors import InputError, UnknownId, Unsupported
from recsys.models import ALS, BPR, COLD, FOLDED_IN, STORED, Model, Popular
from recsys.recommend.topn import batch_of_ratings, batch_of_users, explain, recommend, score, similar
from recsys.space.embedding import EmbeddingSpace

RNG = np.random.default_rng(8)
DENSE = (RNG.random((30, 20)) < 0.3) * RNG.integers(1, 6, (30, 20))
DATA = Interactions(DENSE, [f"u{i}" for i in range(30)], [f"m{i}" for i in range(20)])


@pytest.fixture(scope="module")
def model() -> Model:
    return ALS(n_factors=4, regularization=1.0).fit(Dataset(DATA, Catalog.of(DATA.item_ids)))


def test_scores_are_dot_products_of_the_stored_rows(model: Model) -> None:
    table = recommend(model, batch_of_users(model, DATA, ["u7"]), 3)
    vector = model.space.user_factors[7]
    rows = model.space.item_rows(table["item_id"].to_numpy())
    np.testing.assert_allclose(table["score"], model.space.item_factors[rows] @ vector, rtol=1e-5)


def test_users_are_in_the_requested_order(model: Model) -> None:
    table = recommend(model, batch_of_users(model, DATA, ["u9", "u2"]), 2)
    assert table["user_id"].tolist() == ["u9", "u9", "u2", "u2"]
    with pytest.raises(UnknownId, match="unknown user id: 'ghost'"):
        batch_of_users(model, DATA, ["u1", "ghost"])


def test_data_may_have_other_users_and_items_than_the_model(model: Model) -> None:
    other = Interactions(np.array([[5.0, 0, 4, 0], [0, 3, 0, 0]]), ["new", "only unknown"], ["m3", "m99", "m1", "m98"])
    batch = batch_of_users(model, other)
    assert batch.origin.tolist() == [FOLDED_IN, COLD]
    table = recommend(model, batch, 20)
    assert not {"m1", "m3"} & set(table[table.user_id == "new"]["item_id"])
    popular = np.argsort(-model.n_ratings, kind="stable")
    expected = [model.item_ids[row] for row in popular]
    assert table[table.user_id == "only unknown"]["item_id"].tolist() == expected


def test_a_new_user_is_folded_in_even_with_a_known_id(model: Model) -> None:
    stored = batch_of_users(model, DATA, ["u3"])
    new = batch_of_ratings(model, {"m0": 5.0}, user_id="u3")
    assert (stored.origin[0], new.origin[0]) == (STORED, FOLDED_IN)
    assert not np.array_equal(stored.vectors, new.vectors)


def test_invalid_ratings_are_refused(model: Model) -> None:
    with pytest.raises(UnknownId, match="unknown item id: 'm77'"):
        batch_of_ratings(model, {"m77": 5})
    with pytest.raises(InputError, match="finite"):
        batch_of_ratings(model, {"m1": float("nan")})
    with pytest.raises(InputError, match="at least 1"):
        recommend(model, batch_of_users(model, DATA), 0)


def test_ratings_below_the_threshold_count_as_seen_but_are_not_reasons() -> None:
    from recsys.dataset.weighting import Weighting

    model = ALS(n_factors=4, regularization=1.0).fit(Dataset(DATA, Catalog.of(DATA.item_ids)), Weighting(min_rating=3))
    you = batch_of_ratings(model, {"m1": 5.0, "m2": 1.0})
    assert "m2" not in set(recommend(model, you, 20)["item_id"])
    assert [[item for item, _ in reasons] for reasons in explain(model, you, ["m5", "m6"])] in (
        [["m1"], ["m1"]], [["m1"], []], [[], ["m1"]], [[], []],
    )  # fmt: skip
    only_low = batch_of_ratings(model, {"m2": 1.0})
    assert only_low.origin[0] == COLD


def test_reasons_sum_to_the_score(model: Model) -> None:
    you = batch_of_ratings(model, {"m1": 5.0, "m2": 4.0, "m9": 3.0})
    target = recommend(model, you, 1)["item_id"].iloc[0]
    found = model.fitted.contributions(you, model.weighting, model.space.item_rows([target]))
    assert found is not None and model.item_ids[found.rated_rows].tolist() == ["m1", "m2", "m9"]
    assert found.shares.sum() == pytest.approx(score(model, you)[0, model.space.item_rows([target])[0]], rel=1e-4)
    listed = explain(model, you, [target], top=3)[0]
    assert [share for _, share in listed] == sorted((share for _, share in listed), reverse=True)
    with pytest.raises(InputError, match="for one user, not 30"):
        explain(model, batch_of_users(model, DATA), [target])


def test_similar_items(model: Model) -> None:
    table = similar(model, "m4", 5)
    assert table.columns.tolist() == ["rank", "item_id", "similarity"]
    assert "m4" not in set(table["item_id"]) and len(table) == 5
    pop = Popular().fit(Dataset(DATA, Catalog.of(DATA.item_ids)))
    with pytest.raises(Unsupported, match="no user and item vectors"):
        similar(pop, "m4")


@pytest.mark.slow
def test_neighbours_share_genres_far_beyond_chance_on_movielens_100k(ml100k) -> None:
    counts = np.bincount(ml100k.interactions.matrix.indices, minlength=1682)
    known = np.flatnonzero(counts >= 100)
    genres = [set(g) for g in ml100k.catalog.items["genres"]]

    def shared(space) -> float:
        ids, _ = space.neighbours(space.item_ids[known], 10)
        return float(
            np.mean(
                [
                    len(genres[row] & genres[other]) / max(len(genres[row] | genres[other]), 1)
                    for row, near in zip(known, ids, strict=True)
                    for other in space.item_rows(near)
                ]
            )
        )

    for learner in (ALS(), BPR(epochs=60)):
        model = learner.fit(ml100k)
        rng = np.random.default_rng(0)
        control = EmbeddingSpace(rng.permutation(model.space.item_factors), model.item_ids)
        assert shared(model.space) > 1.5 * shared(control)
        aliens = model.catalog.id_of("aliens")
        alien = model.catalog.id_of("alien")
        assert similar(model, alien, 3)["item_id"].iloc[0] == aliens
