"""Reasons: the shares of rated items and of axes add up to the score, largest first."""

from __future__ import annotations

import numpy as np
import pytest

from recsys.dataset.catalog import Catalog
from recsys.dataset.dataset import Dataset
from recsys.dataset.interactions import Interactions
from recsys.models import ALS, BPR, EASE, Learner, Model, Popular
from recsys.recommend.reasons import Reason, reasons
from recsys.recommend.steer import steer
from recsys.recommend.topn import batch_of_ratings, recommend
from recsys.space.axis import Axes, Axis

RNG = np.random.default_rng(8)
DENSE = (RNG.random((30, 20)) < 0.3) * RNG.integers(1, 6, (30, 20))
DATA = Interactions(DENSE, [f"u{i}" for i in range(30)], [f"m{i}" for i in range(20)])
TITLES = [f"Film {i}" for i in range(20)]


def train(learner: Learner) -> Model:
    return learner.fit(Dataset(DATA, Catalog.of(DATA.item_ids, TITLES)))


def axes_of(model: Model) -> Axes:
    """A rotation of the space, with ends named after the number of the axis."""
    d = model.space.n_factors
    rotation = np.linalg.qr(np.random.default_rng(1).normal(size=(d, d)))[0]
    found = [
        Axis(f"axis {n}", f"low {n}", f"high {n}", column, 0.0, 1.0, True) for n, column in enumerate(rotation.T, 1)
    ]
    return Axes("varimax", tuple(found), (), 0)


@pytest.mark.parametrize("learner", [ALS(n_factors=4, regularization=1.0), EASE(), BPR(n_factors=4, epochs=20)])
def test_the_shares_of_the_ratings_add_up_to_the_score(learner: Learner) -> None:
    model = train(learner)
    you = batch_of_ratings(model, {"m1": 5.0, "m2": 4.0, "m9": 3.0})
    table = recommend(model, you, 5)
    found = reasons(model, you, table, None)
    for reason, score in zip(found, table["score"], strict=True):
        assert sum(share.adds for share in reason.ratings) == pytest.approx(score, abs=2e-3)
        rated = [share for share in reason.ratings if share.title is not None]
        assert {share.title for share in rated} == {"Film 1", "Film 2", "Film 9"}
        assert [share.adds for share in rated] == sorted((share.adds for share in rated), reverse=True)
        assert reason.axes == ()
    # The bias and the negatives of bpr belong to no rated item, and come last.
    has_rest = [reason.ratings[-1].title is None for reason in found]
    assert any(has_rest) == (learner.name == "bpr")


@pytest.mark.parametrize("learner", [ALS(n_factors=4, regularization=1.0), BPR(n_factors=4, epochs=20)])
def test_the_shares_of_the_axes_add_up_to_the_score(learner: Learner) -> None:
    model = train(learner)
    you, axes = batch_of_ratings(model, {"m1": 5.0, "m2": 4.0}), axes_of(model)
    assert you.vectors is not None
    table = recommend(model, you, 5)
    names = {axis.name for axis in axes.discovered} | ({"popularity"} if learner.name == "bpr" else set())
    for reason, score in zip(reasons(model, you, table, axes), table["score"], strict=True):
        assert sum(share.adds for share in reason.axes) == pytest.approx(score, abs=1e-4)
        assert [share.adds for share in reason.axes] == sorted((share.adds for share in reason.axes), reverse=True)
        assert {share.axis for share in reason.axes} == names
        for share in reason.axes:
            if share.axis == "popularity":
                assert share.end is None
            else:
                side = "high" if you.vectors[0, : model.space.n_factors] @ axes[share.axis].direction > 0 else "low"
                assert share.end == f"{side} {share.axis.removeprefix('axis ')}"


def test_after_steering_the_ratings_explain_the_taste_and_the_axes_the_score() -> None:
    model = train(ALS(n_factors=4, regularization=1.0))
    you, axes = batch_of_ratings(model, {"m1": 5.0, "m2": 4.0}), axes_of(model)
    done = steer(model, you, [(axes["axis 2"], 1.0)], 5)
    found = reasons(model, done.batch, done.table, axes)
    for reason, taste, score in zip(found, done.table["taste"], done.table["score"], strict=True):
        assert sum(share.adds for share in reason.ratings) == pytest.approx(taste, abs=2e-3)
        assert sum(share.adds for share in reason.axes) == pytest.approx(score, abs=1e-4)


def test_scores_that_do_not_depend_on_the_user_have_no_reasons() -> None:
    for model, ratings in ((train(Popular()), {"m1": 5.0}), (train(ALS(n_factors=4)), {})):
        you = batch_of_ratings(model, ratings)
        assert reasons(model, you, recommend(model, you, 3), None) == [Reason()] * 3
