"""The contract that every model must pass. To add a model, add a line to CASES."""

from __future__ import annotations

import dataclasses
import doctest
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

from recsys import store
from recsys.dataset.catalog import Catalog
from recsys.dataset.dataset import Dataset
from recsys.dataset.interactions import Interactions
from recsys.errors import SettingError, Unsupported
from recsys.models import COLD, FOLDED_IN, MODELS, STORED, Model, VectorLearner, with_settings
from recsys.recommend.topn import batch_of_ratings, batch_of_users, explain, recommend, score

N_USERS, N_ITEMS, N_GROUPS = 40, 24, 4  # rectangular, so that users and items cannot be swapped unnoticed


@dataclass(frozen=True)
class Case:
    """A model with settings that suit a small matrix, and its properties."""

    name: str
    settings: dict[str, Any]
    is_personalized: bool = True
    is_random: bool = True


CASES = {
    "als": Case("als", {"n_factors": 4, "regularization": 1.0, "alpha": 5.0}),  # one factor per group
    "ials": Case("ials", {"n_factors": 4, "regularization": 0.01}),
    "bpr": Case("bpr", {"n_factors": 8}),
    "vae": Case(
        "vae", {"variant": "multvae", "n_factors": 8, "hidden": 32, "learning_rate": 0.01, "epochs": 60, "patience": 0}
    ),
    "sequence": Case(
        "sequence",
        {
            "n_factors": 8,
            "max_length": 6,
            "dropout": 0.5,
            "learning_rate": 0.02,
            "batch_size": 4,
            "epochs": 100,
            "patience": 0,
        },
    ),
    "blend": Case("blend", {"of": "ials,bpr", "ials.n_factors": 4, "ials.regularization": 0.01, "bpr.n_factors": 8}),
    "ease": Case("ease", {"regularization": 1.0}, is_random=False),
    "itemknn": Case("itemknn", {"shrinkage": 0.1}, is_random=False),
    "popular": Case("popular", {}, is_personalized=False, is_random=False),
}


def checkerboard() -> Interactions:
    """Users and items in four groups. Each user rated all items of their group except one, and nothing else.

    So the item that should be recommended first is known. Group g has the users and items whose number is g modulo 4.
    The order in which a user rated is random.
    """
    matrix = np.zeros((N_USERS, N_ITEMS), dtype=np.float32)
    for user in range(N_USERS):
        own = np.arange(user % N_GROUPS, N_ITEMS, N_GROUPS)
        matrix[user, np.delete(own, (user // N_GROUPS) % len(own))] = 1 + user % 5
    board = sp.csr_matrix(matrix)
    for array in (board.data, board.indices, board.indptr):  # like a matrix that was read from a file
        array.setflags(write=False)
    times = np.random.default_rng(0).permutation(board.nnz)
    return Interactions(board, [f"user {u}" for u in range(N_USERS)], [f"item {i:02}" for i in range(N_ITEMS)], times)


def missing_item(user: int) -> str:
    own = np.arange(user % N_GROUPS, N_ITEMS, N_GROUPS)
    return f"item {own[(user // N_GROUPS) % len(own)]:02}"


DATA = checkerboard()


def train(case: Case, data: Interactions = DATA, **changed: Any) -> Model:
    learner = with_settings(MODELS[case.name], case.settings | changed)
    return learner.fit(Dataset(data, Catalog.of(data.item_ids)))


@pytest.fixture(scope="module", params=sorted(MODELS))
def case(request) -> Case:
    assert request.param in CASES, f"add a line to CASES for {request.param!r}"
    return CASES[request.param]


@pytest.fixture(scope="module")
def model(case: Case) -> Model:
    return train(case)


def test_the_known_answer_comes_first(case: Case, model: Model) -> None:
    table = recommend(model, batch_of_users(model, DATA), 1).set_index("user_id")["item_id"]
    expected = {f"user {u}": missing_item(u) for u in range(N_USERS)}
    if case.is_personalized:
        assert table.to_dict() == expected
    else:  # the most rated item that the user has not seen; ties go to the first
        counts = DATA.matrix.getnnz(axis=0)
        for user in range(N_USERS):
            unseen = np.flatnonzero(DATA.matrix[user].toarray()[0] == 0)
            assert table[f"user {user}"] == DATA.item_ids[unseen[np.argmax(counts[unseen])]]


def test_a_model_of_a_shuffled_matrix_does_not_find_the_answer(case: Case) -> None:
    if not case.is_personalized:
        pytest.skip("not personalized")
    rng = np.random.default_rng(0)
    shuffled = sp.csr_matrix(np.stack([rng.permutation(row) for row in DATA.matrix.toarray()]))
    data = Interactions(shuffled, DATA.user_ids, DATA.item_ids, DATA.timestamps)
    model = train(case, data)
    first = recommend(model, batch_of_users(model, data), 1)["item_id"]
    assert np.mean([item == missing_item(user) for user, item in enumerate(first)]) < 0.3


def test_seen_items_are_excluded_unless_requested(model: Model) -> None:
    table = recommend(model, batch_of_users(model, DATA), N_ITEMS)
    seen = {(DATA.user_ids[u], DATA.item_ids[i]) for u, i in zip(*DATA.matrix.nonzero(), strict=True)}
    recommended = set(zip(table["user_id"], table["item_id"], strict=True))
    assert not recommended & seen
    assert len(recommended) == len(table) == N_USERS * N_ITEMS - len(seen)
    everything = recommend(model, batch_of_users(model, DATA), N_ITEMS, exclude_seen=False)
    assert len(everything.drop_duplicates(["user_id", "item_id"])) == N_USERS * N_ITEMS


def test_k_larger_than_the_catalog_gives_all_candidates(model: Model) -> None:
    table = recommend(model, batch_of_users(model, DATA, ["user 3"]), 1000)
    assert len(table) == N_ITEMS - DATA.matrix[3].nnz
    assert table["rank"].tolist() == list(range(1, len(table) + 1))
    assert np.isfinite(table["score"]).all()
    assert (np.diff(table["score"]) <= 0).all()


def test_only_allowed_items_are_recommended(model: Model) -> None:
    allowed = np.zeros(N_ITEMS, dtype=bool)
    allowed[[2, 5]] = True
    table = recommend(model, batch_of_users(model, DATA), 10, allowed=allowed)
    assert set(table["item_id"]) <= {"item 02", "item 05"}


def test_a_cold_user_gets_the_most_popular_items(case: Case, model: Model) -> None:
    cold = batch_of_ratings(model, {})
    table = recommend(model, cold, 5)
    counts = DATA.matrix.getnnz(axis=0)
    if case.name == "bpr":  # its learned biases approximate popularity
        assert cold.origin[0] == COLD
    assert counts[DATA.item_rows(table["item_id"].to_numpy())].tolist() == sorted(counts, reverse=True)[:5]


def test_one_rating_is_enough_to_find_the_group(case: Case, model: Model) -> None:
    table = recommend(model, batch_of_ratings(model, {"item 01": 5.0}), 5)
    assert "item 01" not in set(table["item_id"])
    if case.is_personalized:
        assert {int(item[-2:]) % N_GROUPS for item in table["item_id"]} == {1}


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(case: Case, model: Model) -> None:
    again, other = train(case), train(case, seed=7)
    if not model.has_space:
        everyone = batch_of_users(model, DATA)
        assert score(again, everyone).tobytes() == score(model, everyone).tobytes()
        return
    for factors in ("user_factors", "item_factors"):
        assert getattr(again.space, factors).tobytes() == getattr(model.space, factors).tobytes()
        if case.is_random:
            assert getattr(other.space, factors).tobytes() != getattr(model.space, factors).tobytes()


def test_a_model_scores_the_same_after_saving_and_loading(model: Model, tmp_path: Path) -> None:
    store.save_model(tmp_path / "model", model)
    loaded = store.load_model(tmp_path / "model")
    assert loaded.learner == model.learner
    np.testing.assert_array_equal(
        score(loaded, batch_of_users(loaded, DATA)), score(model, batch_of_users(model, DATA))
    )
    you, you_too = batch_of_ratings(model, {"item 01": 5.0}), batch_of_ratings(loaded, {"item 01": 5.0})
    np.testing.assert_array_equal(score(loaded, you_too), score(model, you))


def test_folding_in_a_known_user_gives_the_same_list(case: Case, model: Model) -> None:
    if not model.has_space:
        with pytest.raises(Unsupported, match=f"'{case.name}' has no user and item vectors"):
            model.fold_in(DATA.matrix)
        assert not isinstance(model.learner, VectorLearner)
        with pytest.raises(Unsupported, match=f"'{case.name}' has no user and item vectors"):
            _ = model.space
        return
    vectors = model.fold_in(DATA.matrix)
    assert vectors.shape == model.space.user_factors.shape
    assert vectors.dtype == np.float32
    if case.name in ("als", "ials"):
        np.testing.assert_allclose(vectors, model.space.user_factors, atol=1e-4)
    strangers = Interactions(DATA.matrix, [f"new {u}" for u in range(N_USERS)], DATA.item_ids, DATA.timestamps)
    batch = batch_of_users(model, strangers)
    assert set(batch.origin) == {FOLDED_IN}
    assert set(batch_of_users(model, DATA).origin) == {STORED}
    assert recommend(model, batch, 1)["item_id"].tolist() == [missing_item(u) for u in range(N_USERS)]


def test_what_a_visitor_dislikes_is_no_interest(model: Model) -> None:
    if not model.learner.has_vectors or model.counts_dislikes:
        pytest.skip("without vectors, or with ratings against items")
    liked, both = ({"item 01": 5.0, "item 05": 5.0} | low for low in ({}, {"item 02": 1.0}))
    batch = batch_of_ratings(model, both)
    np.testing.assert_array_equal(batch.vectors, batch_of_ratings(model, liked).vectors)
    found = model.fitted.contributions(batch, model.weighting, np.arange(N_ITEMS))
    assert found is not None
    is_low = model.item_ids[found.rated_rows] == "item 02"
    assert is_low.sum() == 1 and not found.shares[is_low].any() and found.shares[~is_low].any()


def test_reasons_come_from_the_users_own_ratings(case: Case, model: Model) -> None:
    you = batch_of_ratings(model, {"item 01": 5.0, "item 05": 4.0, "item 02": 3.0})
    reasons = explain(model, you, ["item 09"], top=2)[0]
    if case.is_personalized:
        assert {item for item, _ in reasons} == {"item 01", "item 05"}
        assert reasons[0][1] >= reasons[1][1] > 0
    else:
        assert reasons == []
        assert model.fitted.contributions(you, model.weighting, np.array([9])) is None


def test_fewer_users_than_factors_are_enough(case: Case) -> None:
    data = Interactions(sp.csr_matrix(np.array([[1.0, 1, 0], [0, 1, 1]])), ["a", "b"], ["x", "y", "z"], np.arange(4))
    model = train(case, data)
    assert recommend(model, batch_of_users(model, data), 5)["item_id"].tolist() == ["z", "x"]


def test_settings_outside_their_range_are_refused(case: Case) -> None:
    learner = MODELS[case.name]
    with pytest.raises(SettingError, match="seed must be between 0 and 4294967295, not -1"):
        with_settings(learner, {"seed": -1})
    with pytest.raises(SettingError, match=r"seed must be a whole number, not '1\.5'"):
        with_settings(learner, {"seed": "1.5"})
    with pytest.raises(SettingError, match=f"{case.name} has no setting 'sead'; its settings are "):
        with_settings(learner, {"sead": 1})
    assert with_settings(learner, {"seed": "7"}).seed == 7
    for field in dataclasses.fields(learner):
        assert field.metadata["reason"], f"{case.name}.{field.name} needs a reason"
        if field.metadata["low"] is not None and field.type == "float":
            with pytest.raises(SettingError, match=field.name):
                with_settings(learner, {field.name: float("nan")})


@pytest.mark.parametrize("ratings", [DATA, DATA.matrix, DATA.matrix.toarray(), None], ids=lambda x: type(x).__name__)
def test_fit_refuses_anything_but_a_dataset(case: Case, ratings: Any) -> None:
    learner = with_settings(MODELS[case.name], case.settings)
    with pytest.raises(TypeError, match=rf"fit takes a Dataset, not {type(ratings).__name__}.*Dataset\.from_frame"):
        learner.fit(ratings)


def test_fit_refuses_weights_beside_the_dataset(case: Case) -> None:
    data = Dataset(DATA, Catalog.of(DATA.item_ids))
    with pytest.raises(TypeError, match="weighting must be a Weighting, not csr_matrix"):
        with_settings(MODELS[case.name], case.settings).fit(data, DATA.matrix)  # type: ignore[arg-type]


def test_the_model_keeps_its_dataset_and_its_provenance(case: Case, model: Model, tmp_path: Path) -> None:
    assert model.dataset is not None and model.dataset.interactions is DATA
    counts = {"n_users": N_USERS, "n_items": N_ITEMS, "n_ratings": DATA.n_ratings}
    assert list(model.data.items()) == [("fingerprint", DATA.fingerprint), *counts.items()]
    found = model.with_data_path(tmp_path / "board")
    assert list(found.data)[:3] == ["name", "path", "fingerprint"]
    assert (found.data["name"], found.data["path"]) == ("board", str(tmp_path / "board"))
    store.save_model(tmp_path / "model", found)
    assert list(store.read_manifest(tmp_path / "model")["data"]) == ["name", "path", "n_users", "n_items", "n_ratings"]
    loaded = store.load_model(tmp_path / "model")
    assert loaded.dataset is None and loaded.data == found.data


def test_the_docstring_of_the_learner_has_an_example_that_runs(case: Case) -> None:
    module = sys.modules[MODELS[case.name].__module__]
    done = doctest.testmod(module)
    assert done.attempted > 0 and done.failed == 0
    docstring = MODELS[case.name].__doc__ or ""
    assert "float32" in docstring and "score" in docstring
