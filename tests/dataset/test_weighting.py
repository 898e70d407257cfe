"""Weightings: the formulas, and that new users get the same weights as training users."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from implicit.nearest_neighbours import bm25_weight

from recsys.dataset.interactions import Interactions
from recsys.dataset.weighting import Weighting
from recsys.errors import InputError, SettingError

RNG = np.random.default_rng(3)
DENSE = RNG.integers(1, 6, size=(9, 30)) * (RNG.random((9, 30)) < 0.3)
DATA = Interactions(DENSE, [f"u{i}" for i in range(9)], [f"m{i}" for i in range(30)])


@pytest.mark.parametrize("scheme", ["binary", "rating", "log", "bm25"])
def test_weights_have_mean_one_and_new_users_get_the_same_weights(scheme) -> None:
    weighting = Weighting(scheme=scheme).fit(DATA)
    weights = weighting.apply(DATA.matrix)
    assert weights.data.mean() == pytest.approx(1, rel=1e-5)
    np.testing.assert_array_equal(weights.indices, DATA.matrix.indices)
    np.testing.assert_allclose(weighting.apply(DATA.matrix[4]).toarray(), weights[4].toarray(), rtol=1e-6)


def test_weights_follow_the_formulas() -> None:
    ratings = DATA.matrix.data
    np.testing.assert_allclose(Weighting(scheme="binary").fit(DATA).apply(DATA.matrix).data, 1)
    rated = Weighting(scheme="rating").fit(DATA).apply(DATA.matrix).data
    np.testing.assert_allclose(rated, ratings / ratings.mean(), rtol=1e-5)
    logged = Weighting(scheme="log").fit(DATA).apply(DATA.matrix).data
    np.testing.assert_allclose(logged, np.log1p(ratings) / np.log1p(ratings).mean(), rtol=1e-5)


def test_bm25_agrees_with_implicit_with_items_as_documents() -> None:
    ours = Weighting(scheme="bm25").fit(DATA).apply(DATA.matrix)
    theirs = sp.csr_matrix(bm25_weight(DATA.matrix.T, K1=100, B=0.8)).T.toarray()
    np.testing.assert_allclose(ours.toarray(), theirs / theirs[theirs != 0].mean(), rtol=1e-4)


def test_a_minimum_rating_leaves_out_lower_ones() -> None:
    weights = Weighting(min_rating=4).fit(DATA).apply(DATA.matrix)
    np.testing.assert_array_equal(weights.toarray() > 0, DENSE >= 4)


def test_settings_and_ratings_without_weights_are_refused() -> None:
    with pytest.raises(SettingError, match="use binary, rating, log, bm25"):
        Weighting(scheme="none")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="no ratings of 9 or more"):
        Weighting(min_rating=9).fit(DATA)
    below_zero = Interactions(np.array([[-1.0, 2.0]]), ["u"], ["a", "b"])
    with pytest.raises(InputError, match="the lowest is -1"):
        Weighting(scheme="rating").fit(below_zero)


@pytest.mark.parametrize("value", [1e-45, 1e-30, 1e30, 3e38])
@pytest.mark.parametrize("scheme", ["binary", "rating", "log", "bm25"])
def test_ratings_of_any_size_have_finite_weights_with_mean_one_or_one_line(scheme, value: float) -> None:
    data = Interactions(DATA.matrix * np.float32(value / 5), DATA.user_ids, DATA.item_ids)
    try:
        weighting = Weighting(scheme=scheme).fit(data)
        weights = weighting.apply(data.matrix).data
    except InputError as error:
        assert "\n" not in str(error) and scheme != "binary" and value in (1e-45, 3e38)  # 1e-45 / 5 is 0
    else:
        assert np.isfinite(weights).all() and weights.mean() == pytest.approx(1, rel=1e-3)
        assert np.isfinite(weighting.item_totals).all()


def test_a_rating_out_of_proportion_is_refused() -> None:
    weighting = Weighting(scheme="rating").fit(DATA)
    with pytest.raises(InputError, match=r"a rating of 1e\+30 is too large beside the ratings of training"):
        weighting.apply(sp.csr_matrix(np.eye(1, 30) * 1e30))


@pytest.mark.parametrize("least", [float("nan"), float("-inf"), 1e39, True, "3", [3]])
def test_a_minimum_rating_is_a_finite_number(least) -> None:
    with pytest.raises(SettingError, match="min_rating must be"):
        Weighting(min_rating=least)


def test_weights_above_the_mean_of_their_user_tell_dislikes_where_they_follow_the_rating() -> None:
    matrix = sp.csr_matrix(np.array([[5.0, 1, 0, 0], [0, 0, 0, 0], [0, 3, 3, 3]]))
    data = Interactions(matrix, ["a", "b", "c"], [1, 2, 3, 4])
    for scheme in ("log", "rating"):
        fitted = Weighting(scheme=scheme).fit(data)  # type: ignore[arg-type]
        weights = fitted.apply(matrix)
        above = fitted.above_mean(weights)
        assert above[0] == pytest.approx(weights.data[0] - (weights.data[:2].sum() + 5) / 7) and above[0] > 0 > above[1]
        assert (above[2:] == above[2]).all() and abs(above[2]) < 0.05  # three equal ratings say nothing
        assert fitted.tells_dislikes
    for scheme in ("binary", "bm25"):
        fitted = Weighting(scheme=scheme).fit(data)  # type: ignore[arg-type]
        assert not fitted.tells_dislikes and not fitted.above_mean(fitted.apply(matrix)).any()
