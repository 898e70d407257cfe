"""Steering moves the list along the axis, reports the effect exactly, and checks its limits."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from recsys.dataset.attributes import Attributes
from recsys.errors import InputError, SettingError, UnknownId
from recsys.models import Model
from recsys.recommend.steer import parse_shift, shifted, steer
from recsys.recommend.topn import batch_of_ratings, batch_of_users, recommend, score
from recsys.space.axis import Axes
from recsys.space.probes import ask
from recsys.space.questions import built_in_questions


@pytest.fixture(scope="module")
def axes(ml100k_model: Model) -> Axes:
    questions = built_in_questions(Attributes.of(ml100k_model.catalog, ml100k_model.n_ratings))
    asked = tuple(ask(ml100k_model.space, ml100k_model.attributes, question) for question in questions)
    return Axes("varimax", (dataclasses.replace(asked[0], name="axis 1", low="unnamed", high="Horror"),), asked, 42)


def test_the_lists_of_nearly_all_users_move_towards_the_end(axes: Axes, ml100k_model: Model, ml100k) -> None:
    everyone = batch_of_users(ml100k_model, ml100k.interactions)
    before = recommend(ml100k_model, everyone, 20)
    for axis in axes.asked:
        place = axis.positions(ml100k_model.space)
        for amount in (-1.0, 1.0):
            after = recommend(ml100k_model, shifted(ml100k_model, everyone, [(axis, amount)]), 20)
            means = [
                table.assign(at=place[ml100k_model.space.item_rows(table["item_id"].to_numpy())])
                .groupby("user_id", sort=False)["at"]
                .mean()
                for table in (before, after)
            ]
            assert (np.sign(amount) * (means[1] - means[0]) > 0).mean() >= 0.95, (axis.name, amount)


def test_gains_explain_the_new_scores_and_loss_compares_the_lists(axes: Axes, ml100k_model: Model, ml100k) -> None:
    model = ml100k_model
    you = batch_of_users(model, ml100k.interactions, [7])
    shifts = [(axes.asked[0], -1.0), (axes.asked[3], 0.5)]
    done = steer(model, you, shifts, 10)
    gains = done.table[[f"gain: {axis.name}" for axis, _ in shifts]].sum(axis=1)
    np.testing.assert_allclose(done.table["score"], done.table["taste"] + gains, atol=1e-4)
    plain = recommend(model, you, 10)
    assert set(done.left) == set(plain["item_id"]) - set(done.table["item_id"]) and done.left
    full = recommend(model, you, 1682).set_index("item_id")
    assert done.table["rank_before"].tolist() == full["rank"].loc[done.table["item_id"]].tolist()
    assert done.loss == pytest.approx(1 - done.table["taste"].mean() / plain["score"].mean())
    assert 0 < done.loss < 1
    first = done.moved.iloc[0]
    scores = score(model, done.batch)[0, model.space.item_rows(done.table["item_id"])]
    np.testing.assert_allclose(scores, done.table["score"], rtol=1e-5)
    assert first["axis"] == "children's ↔ adult" and first["after"] < first["before"]


def test_amount_zero_changes_nothing(axes: Axes, ml100k_model: Model, ml100k) -> None:
    you = batch_of_users(ml100k_model, ml100k.interactions, [7])
    done = steer(ml100k_model, you, [(axes.asked[0], 0.0)], 10)
    assert done.table["item_id"].tolist() == recommend(ml100k_model, you, 10)["item_id"].tolist()
    assert done.left == [] and done.loss == pytest.approx(0, abs=1e-6)
    assert you.vectors is not None and np.array_equal(you.vectors[0], ml100k_model.space.user_factors[6])


def test_limits_and_users_without_ratings(axes: Axes, ml100k_model: Model, ml100k) -> None:
    you = batch_of_users(ml100k_model, ml100k.interactions, [7, 8])
    for amount in (3.1, -4, float("nan")):
        with pytest.raises(SettingError, match="from -3 to 3"):
            shifted(ml100k_model, you, [(axes.asked[0], amount)])
    with pytest.raises(InputError, match="a user without ratings cannot be steered"):
        shifted(ml100k_model, batch_of_ratings(ml100k_model, {}), [(axes.asked[0], 1.0)])
    with pytest.raises(InputError, match="takes one user, not 2"):
        steer(ml100k_model, you, [(axes.asked[0], 1.0)])


def test_amounts_along_one_line_add_up(axes: Axes, ml100k_model: Model, ml100k) -> None:
    you = batch_of_users(ml100k_model, ml100k.interactions, [7])
    line = axes.asked[0]
    twice = steer(ml100k_model, you, [(line, 2.0), (line.flipped(), 0.5)])
    once = steer(ml100k_model, you, [(line, 1.5)])
    assert twice.table.equals(once.table) and twice.moved.equals(once.moved)
    for beyond in ([(line, 2.0), (line, 2.0)], [(line, -2.0), (line.flipped(), 2.0)]):
        with pytest.raises(SettingError, match=r"from -3 to 3, not -?4"):
            shifted(ml100k_model, you, beyond)


def test_shifts_are_parsed(axes: Axes, ml100k_model: Model) -> None:
    def parsed(text: str) -> tuple[str, float]:
        axis, amount = parse_shift(text, ml100k_model.space, ml100k_model.attributes, axes)
        return axis.name, amount

    assert parsed("children's=+1") == ("adult ↔ children's", 1.0)
    assert parsed("Adult = 0.5") == ("children's ↔ adult", 0.5)
    assert parsed("dark<->light=-2") == ("dark ↔ light", -2.0)
    assert parsed("light <-> dark=-2") == ("light ↔ dark", -2.0)
    assert parsed("axis 1=1") == ("axis 1", 1.0)
    assert parsed("horror=1") == ("not horror ↔ horror", 1.0)


@pytest.mark.parametrize(
    ("text", "error", "words"),
    [
        ("children's", InputError, "is not AXIS=AMOUNT"),
        ("=1", InputError, "is not AXIS=AMOUNT"),
        ("old=fast", InputError, "is not AXIS=AMOUNT"),
        ("old=inf", InputError, "is not AXIS=AMOUNT"),
        ("axis 77=1", UnknownId, "is not an axis or an end of one .*children's, adult"),
        ("Fantasy=1", InputError, "not in this space: only .* of the pairs of held-out movies are in the right order"),
    ],
)
def test_invalid_shifts_are_refused(axes, ml100k_model, text, error, words) -> None:
    with pytest.raises(error, match=words):
        parse_shift(text, ml100k_model.space, ml100k_model.attributes, axes)
