"""Training that starts from the vectors of an earlier model."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp

from recsys import store
from recsys.dataset.catalog import Catalog
from recsys.dataset.dataset import Dataset
from recsys.dataset.interactions import Interactions
from recsys.dataset.weighting import Weighting
from recsys.errors import InputError, SettingError, Unsupported
from recsys.models import ALS, BPR, EASE, IALS, MLlibALS, Model, VectorLearner
from recsys.models.start import digest_of, starting_space
from recsys.recommend.topn import batch_of_users, recommend
from tests.models.test_contract import DATA, N_GROUPS, N_ITEMS, N_USERS, missing_item

LEARNERS = {
    "ials": IALS(n_factors=4, regularization=0.01),
    "als": ALS(n_factors=4, regularization=1.0, alpha=5.0),
    "bpr": BPR(n_factors=8),
}
ALL = Dataset(DATA, Catalog.of(DATA.item_ids))


def share_found(model: Model, data: Interactions = DATA) -> float:
    """How often the missing item of the checkerboard comes first."""
    table = recommend(model, batch_of_users(model, data), 1)
    return float(np.mean([item == missing_item(user) for user, item in enumerate(table["item_id"])]))


@pytest.fixture(scope="module", params=sorted(LEARNERS))
def learner(request) -> VectorLearner:
    return LEARNERS[request.param]


@pytest.fixture(scope="module")
def yesterday(learner: VectorLearner) -> Model:
    """Without the first four users and items, with others in their place, and in another order."""
    users, items = np.arange(N_USERS - 1, 3, -1), np.arange(N_ITEMS - 1, 3, -1)
    known = DATA.matrix[users][:, items]
    matrix = sp.block_diag([known, sp.csr_matrix(np.ones((2, 3), dtype=np.float32))], format="csr")
    data = Interactions(matrix, [*DATA.user_ids[users], "gone a", "gone b"], [*DATA.item_ids[items], "x", "y", "z"])
    return learner.fit(Dataset(data, Catalog.of(data.item_ids)), Weighting(scheme="binary"))


def test_the_space_stays_the_same_and_a_new_training_has_another(learner: VectorLearner, yesterday: Model) -> None:
    few = learner.replace(epochs=3)
    model = few.fit(ALL, start=yesterday)
    assert share_found(model) == 1
    anew = learner.replace(seed=7).fit(ALL)
    assert share_found(anew) == 1

    def likeness(other: Model) -> float:
        """Mean cosine of the items that yesterday's model also has."""
        rows = [yesterday.item_ids.tolist().index(item) for item in DATA.item_ids[N_GROUPS:]]
        return float(
            (other.space.item_directions[N_GROUPS:] * yesterday.space.item_directions[rows]).sum(axis=1).mean()
        )

    assert likeness(model) > 0.95
    assert likeness(anew) < 0.7


def test_vectors_are_matched_by_id_and_new_ones_are_folded_in(learner: VectorLearner, yesterday: Model) -> None:
    weights = Interactions(Weighting().fit(DATA).apply(DATA.matrix), DATA.user_ids, DATA.item_ids)
    space, old = starting_space(learner, yesterday, weights), yesterday.space
    for row in (4, N_ITEMS - 1):
        known = old.item_ids.tolist().index(DATA.item_ids[row])
        np.testing.assert_array_equal(space.item_factors[row], old.item_factors[known])
    known = old.user_ids.tolist().index("user 7")
    np.testing.assert_array_equal(space.user_factors[7], old.user_factors[known])
    taste = space.item_factors[:, : space.n_factors]
    centres = np.array([taste[N_GROUPS + group :: N_GROUPS].mean(axis=0) for group in range(N_GROUPS)])
    for new in (space.user_factors[:N_GROUPS, : space.n_factors], taste[:N_GROUPS]):  # one of each group
        np.testing.assert_array_equal((new @ centres.T).argmax(axis=1), np.arange(N_GROUPS))


def test_the_model_says_what_it_started_from_and_how_to_train_it_anew(
    learner: VectorLearner, yesterday: Model, tmp_path: Path
) -> None:
    yesterday.save(tmp_path / "m")
    stored = store.load_model(tmp_path / "m")
    few = learner.replace(epochs=2)
    model = few.fit(ALL, start=stored)
    assert model.data["started_from"] == stored.fingerprint
    assert model.weighting.settings == Weighting(scheme="binary")
    assert (model.learner, model.learner_anew) == (few, learner)
    model.save(tmp_path / "m")
    manifest = json.loads((tmp_path / "m" / "manifest.json").read_text())
    assert (manifest["data"]["started_from"], manifest["data"]["epochs_anew"]) == (stored.fingerprint, learner.epochs)
    again = few.fit(ALL, start=stored)
    np.testing.assert_array_equal(again.space.item_factors, model.space.item_factors)
    np.testing.assert_array_equal(again.space.user_factors, model.space.user_factors)
    third = few.fit(ALL, Weighting(), start=store.load_model(tmp_path / "m"))
    assert third.learner_anew == learner  # also at the end of a chain
    assert third.weighting.settings == Weighting()
    of_unsaved = few.fit(ALL, start=model)
    assert of_unsaved.data["started_from"] == digest_of(model.space) != digest_of(stored.space)
    of_unsaved.save(tmp_path / "m")
    assert store.load_model(tmp_path / "m").data["started_from"] == digest_of(model.space)


def test_what_cannot_be_a_start_is_refused(learner: VectorLearner, yesterday: Model) -> None:
    other = next(each for each in LEARNERS.values() if each.name != learner.name)
    with pytest.raises(SettingError, match="of kind"):
        other.fit(ALL, start=yesterday)
    with pytest.raises(SettingError, match="n_factors is 5, the model to start from has"):
        learner.replace(n_factors=5).fit(ALL, start=yesterday)
    with pytest.raises(Unsupported, match="'ease' cannot start from a model"):
        EASE().fit(ALL, start=yesterday)
    with pytest.raises(Unsupported, match="'mllib' cannot start from a model"):
        MLlibALS(n_factors=yesterday.space.n_factors).fit(ALL, start=yesterday)
    numbers = Interactions(DATA.matrix, DATA.user_ids, np.arange(N_ITEMS))
    with pytest.raises(InputError, match="item ids are text in the model to start from, whole numbers in these data"):
        learner.fit(Dataset(numbers, Catalog.of(numbers.item_ids)), start=yesterday)
    numbers = Interactions(DATA.matrix, np.arange(N_USERS), DATA.item_ids)
    with pytest.raises(InputError, match="user ids are text in the model to start from, whole numbers in these data"):
        learner.fit(Dataset(numbers, Catalog.of(numbers.item_ids)), start=yesterday)
    strangers = Interactions(DATA.matrix, DATA.user_ids, [f"other {i}" for i in range(N_ITEMS)])
    with pytest.raises(InputError, match="none of the items"):
        learner.fit(Dataset(strangers, Catalog.of(strangers.item_ids)), start=yesterday)


def test_the_model_to_start_from_counts_as_memory(learner: VectorLearner, yesterday: Model, monkeypatch) -> None:
    monkeypatch.setenv("RECSYS_MAX_MEMORY", str(learner.memory(N_USERS, N_ITEMS)))
    learner.replace(epochs=1).fit(ALL)
    with pytest.raises(InputError, match="more than the limit"):
        learner.replace(epochs=1).fit(ALL, start=yesterday)


def test_new_users_and_items_that_share_nothing_with_the_known_ones_get_vectors(
    learner: VectorLearner, yesterday: Model
) -> None:
    apart = sp.block_diag([DATA.matrix, np.ones((3, 2), dtype=np.float32)], format="csr")
    data = Interactions(apart, [*DATA.user_ids, "p", "q", "r"], [*DATA.item_ids, "v", "w"])
    few = learner.replace(epochs=3)
    model = few.fit(Dataset(data, Catalog.of(data.item_ids)), start=yesterday)
    taste = np.linalg.norm(model.space.item_factors[:, : model.space.n_factors], axis=1)
    assert (taste[-2:] > taste.max() / 100).all()
    again = few.fit(Dataset(data, Catalog.of(data.item_ids)), start=yesterday)
    assert again.space.item_factors.tobytes() == model.space.item_factors.tobytes()


def test_training_goes_on_where_all_users_are_new(learner: VectorLearner, yesterday: Model) -> None:
    data = Interactions(DATA.matrix, [f"new {u}" for u in range(N_USERS)], DATA.item_ids)
    model = learner.replace(epochs=3).fit(Dataset(data, Catalog.of(data.item_ids)), start=yesterday)
    assert share_found(model, data) > 0.9
