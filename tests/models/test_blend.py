"""A blend: one dot product that is the weighted sum of the standardised scores of its parts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp

from recsys import store
from recsys.dataset.catalog import Catalog
from recsys.dataset.dataset import Dataset
from recsys.dataset.interactions import Interactions
from recsys.dataset.weighting import Weighting
from recsys.errors import InputError, SettingError
from recsys.models import MODELS, Learner, Model, with_settings
from recsys.models.blend import Blend, Training

RNG = np.random.default_rng(3)
MATRIX = (RNG.random((60, 1)) * RNG.random((1, 40)) + 0.2 * RNG.random((60, 40)) > 0.45).astype(np.float32)
MATRIX[np.arange(60), np.arange(60) % 40] = 1
DATA = Interactions(MATRIX, np.arange(60), np.arange(100, 140))
DATASET = Dataset(DATA, Catalog.of(DATA.item_ids))
SETTINGS = {"ials": {"n_factors": 4}, "bpr": {"n_factors": 3, "epochs": 5}, "als": {"n_factors": 5}}
CASES = [("ials,als", "1,0.25"), ("ials,bpr", "2,1"), ("bpr,ials,als", "0.5,1,3")]
"""Without a bias; with a bias at the end; with one in the middle of the layout."""


def blend_of(of: str, weights: str) -> Blend:
    parts = {f"{name}.{field}": value for name in of.split(",") for field, value in SETTINGS[name].items()}
    return with_settings(Blend, {"of": of, "weights": weights, **parts})


def standardised(scores: np.ndarray) -> np.ndarray:
    return (scores - scores.mean(axis=1, keepdims=True)) / scores.std(axis=1, keepdims=True)


def alone(name: str) -> Model:
    return with_settings(MODELS[name], SETTINGS[name]).fit(DATASET)


@pytest.fixture(scope="module", params=CASES, ids=lambda case: case[0])
def blended(request) -> tuple[str, str, Model]:
    of, weights = request.param
    return of, weights, blend_of(of, weights).fit(DATASET)


def expected(of: str, weights: str, ratings=None) -> np.ndarray:
    """The standardised weighted sum, in float64, from models trained alone."""
    total = np.zeros(0)
    for name, weight in zip(of.split(","), weights.split(","), strict=True):
        model = alone(name)
        users = model.space.user_factors if ratings is None else model.fold_in(ratings)
        scores = users.astype(np.float64) @ model.space.item_factors.T.astype(np.float64)
        total = total + float(weight) * standardised(scores) if total.size else float(weight) * standardised(scores)
    return standardised(total)


def test_scores_are_the_weighted_sum_of_standardised_scores(blended) -> None:
    of, weights, model = blended
    found = standardised(model.space.score(model.space.user_factors).astype(np.float64))
    np.testing.assert_allclose(found, expected(of, weights), atol=2e-4)
    if model.space.has_bias:
        assert (model.space.user_factors[:, -1] == 1).all()


def test_new_users_are_folded_in_by_each_part(blended) -> None:
    of, weights, model = blended
    ratings = DATA.matrix[:7]
    found = model.space.score(model.fold_in(ratings)).astype(np.float64)
    np.testing.assert_allclose(standardised(found), expected(of, weights, ratings), atol=2e-4)
    nothing = model.fold_in(sp.csr_matrix((1, DATA.n_items), dtype=np.float32))
    np.testing.assert_array_equal(nothing[0, : model.space.n_factors], 0)


def test_visitors_are_treated_as_each_part_does(blended) -> None:
    of, weights, model = blended
    ratings = DATA.matrix[:5]
    batch = model.fitted.batch(np.arange(5), ratings, model.weighting, is_new=True)
    total = 0
    for name, weight in zip(of.split(","), weights.split(","), strict=True):
        part = alone(name)
        users = part.fitted.batch(np.arange(5), ratings, part.weighting, is_new=True)
        total = total + float(weight) * standardised(part.fitted.score(users, part.weighting).astype(np.float64))
    found = standardised(model.fitted.score(batch, model.weighting).astype(np.float64))
    np.testing.assert_allclose(found, standardised(total), atol=2e-4)
    assert model.counts_dislikes


def test_a_saved_blend_is_the_same(blended, tmp_path: Path) -> None:
    _, _, model = blended
    model.save(tmp_path / "m")
    read = store.load_model(tmp_path / "m")
    np.testing.assert_array_equal(read.space.item_factors, model.space.item_factors)
    np.testing.assert_array_equal(read.fold_in(DATA.matrix), model.fold_in(DATA.matrix))
    assert read.learner == model.learner


def test_other_weights_need_no_training(blended, monkeypatch: pytest.MonkeyPatch) -> None:
    of, _, model = blended
    training = Training(DATASET, Weighting())
    training.fit(blend_of(of, ",".join("1" * len(of.split(",")))))
    monkeypatch.setattr(Learner, "fit", None)
    again = training.fit(model.learner)
    assert again.learner == model.learner and again.data == model.data
    for found, trained in zip(again.fitted.tensors().values(), model.fitted.tensors().values(), strict=True):
        np.testing.assert_array_equal(found, trained)
    np.testing.assert_array_equal(again.space.item_factors, model.space.item_factors)
    np.testing.assert_array_equal(again.space.user_factors, model.space.user_factors)


def test_explanations_sum_to_the_scores_where_those_of_the_parts_do() -> None:
    model = blend_of("ials,als", "1,0.5").fit(DATASET)
    rows = np.arange(DATA.n_items)
    shares = model.fitted.learner.contributions(model.space, DATA.matrix[:1], rows)
    scores = model.space.score(model.fold_in(DATA.matrix[:1]))[0]
    np.testing.assert_allclose(shares.sum(axis=0), scores, atol=1e-3 * np.abs(scores).max())


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"of": "ials,ease"}, "'ease' has no vectors"),
        ({"of": "ials,blend"}, "is no model|has no vectors"),
        ({"of": "ials,what"}, "'what' is no model"),
        ({"of": "ials"}, "two or more different"),
        ({"of": "ials,ials"}, "two or more different"),
        ({"of": "ials,bpr", "weights": "1"}, "weights must be 2 numbers"),
        ({"of": "ials,bpr", "weights": "1,nan"}, "weights must be 2 numbers"),
        ({"of": "ials,bpr", "weights": "1,-1"}, "weights must be 2 numbers"),
        ({"of": "ials,bpr", "weight.als": 1}, "'als' is no part"),
        ({"of": "ials,bpr", "als.epochs": 1}, "'als.epochs=1' is not PART"),
        ({"of": "ials,bpr", "bpr.epochs": "many"}, "epochs must be a whole number"),
        ({"of": "ials,bpr", "bpr.what": "1"}, "no setting 'what'"),
        ({"of": "ials,bpr", "parts": "bpr"}, "'bpr' is not PART"),
    ],
)
def test_wrong_settings_are_named(settings: dict[str, str], says: str) -> None:
    with pytest.raises(SettingError, match=says):
        with_settings(Blend, settings)


def test_arrays_of_another_blend_are_refused() -> None:
    blend = blend_of("ials,bpr", "1,1")
    good = blend.fit(DATASET).fitted.tensors()
    layout, mean = good["layout"], good["ials.mean_user"]
    assert blend.fold_in_rule(good).tensors().keys() == good.keys()
    for wrong in (
        {},
        good | {"layout": layout[:1]},
        good | {"layout": layout * np.float32(1.5)},
        good | {"layout": layout * np.float32(np.nan)},
        good | {"layout": layout + np.array([[0, 2], [0, 0]], dtype=np.float32)},
        good | {"ials.mean_user": mean[1:]},
        good | {"ials.mean_user": mean * np.float32(np.inf)},
        good | {"ials.what": mean},
        good | {"vae.mean.bias": mean},
    ):
        with pytest.raises(InputError):
            blend.fold_in_rule(wrong)
