"""Positions of movies and genres along axes agree with the vectors; a random axis separates little."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from recsys.space.axis import Axis
from recsys.space.probes import ask
from recsys.space.profile import (
    examples_along,
    examples_on_plane,
    genre_positions,
    item_positions,
    ordered_by_similarity,
    positions_along,
    share_below,
    share_of_variance,
)
from recsys.space.questions import question_of
from recsys.space.rotation import rotate


def axis_along(model, direction: np.ndarray, name: str) -> Axis:
    return Axis.from_direction(model.space, model.attributes.well_known, direction, name, "low", "high", True, {})


@pytest.fixture(scope="module")
def horror(ml100k_model) -> Axis:
    return ask(ml100k_model.space, ml100k_model.attributes, question_of("Horror", ml100k_model.attributes))


@pytest.fixture(scope="module")
def child(ml100k_model) -> Axis:
    return ask(ml100k_model.space, ml100k_model.attributes, question_of("Children's", ml100k_model.attributes))


@pytest.fixture(scope="module")
def chance(ml100k_model) -> Axis:
    direction = np.random.default_rng(1).normal(size=ml100k_model.space.n_factors)
    return axis_along(ml100k_model, direction, "chance")


def test_the_cosine_of_axes_is_that_of_their_directions(ml100k_model) -> None:
    one, other = np.random.default_rng(4).normal(size=(2, ml100k_model.space.n_factors))
    along_one, along_other = axis_along(ml100k_model, one, "one"), axis_along(ml100k_model, other, "other")
    expected = one @ other / np.linalg.norm(one) / np.linalg.norm(other)
    assert along_one.cosine(along_other) == pytest.approx(expected, abs=1e-6)
    assert along_one.cosine(along_one.flipped()) == pytest.approx(-1, abs=1e-6)


def test_share_below() -> None:
    assert share_below(np.array([1.0, 2, 3, np.nan]), 3) == pytest.approx(2 / 3)
    assert share_below(np.array([np.nan]), 3) == 0


def test_the_shares_of_all_axes_of_a_rotation_add_up_to_one(ml100k_model) -> None:
    directions = rotate(ml100k_model.space.item_directions[ml100k_model.attributes.well_known], "varimax", 42)
    shares = [
        share_of_variance(ml100k_model.space, ml100k_model.attributes, axis_along(ml100k_model, column, "a"))
        for column in directions.T
    ]
    assert sum(shares) == pytest.approx(1, abs=1e-5)
    assert min(shares) > 0


def test_positions_of_a_movie_follow_its_vector_most_extreme_first(ml100k_model, horror, child, chance) -> None:
    row = ml100k_model.catalog.row_of("Psycho (1960)")
    positions, known = positions_along(ml100k_model.space, [child, chance, horror]), ml100k_model.attributes.well_known
    table = item_positions(positions, known, row)
    assert set(table["axis"]) == {0, 1, 2}
    assert (table["position"].abs().diff().dropna() <= 0).all()
    found = table.set_index("axis").loc[2]
    along_horror = horror.positions(ml100k_model.space)
    assert found["position"] == pytest.approx(along_horror[row], abs=1e-4)
    assert found["below"] == pytest.approx((along_horror[known] < along_horror[row]).mean(), abs=2 / known.sum())
    assert found["below"] > 0.8


def test_a_movie_without_a_vector_has_no_position(ml100k_model, horror) -> None:
    factors = ml100k_model.space.item_factors.copy()
    factors[7] = 0
    unknown = replace(ml100k_model.space, item_factors=factors)
    everything = np.ones(len(factors), dtype=bool)
    assert item_positions(positions_along(unknown, [horror]), everything, 7).empty
    assert len(item_positions(positions_along(ml100k_model.space, [horror]), everything, 7)) == 1


def test_genre_positions_are_means_and_a_random_axis_separates_less(ml100k_model, horror, chance) -> None:
    table, n = genre_positions(ml100k_model.space, ml100k_model.attributes, [horror, chance])
    known = ml100k_model.attributes.well_known
    carries = np.array(["Horror" in genres for genres in ml100k_model.catalog.items["genres"]])
    there = horror.positions(ml100k_model.space)[known & carries]
    assert table.loc["Horror", 0] == pytest.approx(float(there.mean()), abs=1e-5)
    assert n["Horror"] == len(there)
    assert table[0].idxmax() == "Horror"
    assert table.loc["Horror", 0] > 1.5
    assert table[1].abs().max() < table[0].abs().max()
    assert "unknown" not in table.index
    assert n.min() >= 10


def test_similar_rows_and_columns_become_adjacent() -> None:
    blocks = np.kron(np.array([[2.0, 0.1], [-0.1, -3.0]]), np.ones((4, 3)))
    mixed = np.random.default_rng(3)
    rows, columns = mixed.permutation(8), mixed.permutation(6)
    ordered = ordered_by_similarity(pd.DataFrame(blocks[rows][:, columns], index=rows, columns=columns))
    assert (np.diff(np.array(ordered.index) // 4) != 0).sum() == 1
    assert (np.diff(np.array(ordered.columns) // 3) != 0).sum() == 1
    assert (np.diff(rows // 4) != 0).sum() > 1, "the control is not in blocks"


def test_examples_along_an_axis_are_ordered_and_spaced(ml100k_model, child) -> None:
    rows = examples_along(ml100k_model.space, ml100k_model.attributes, child, 7)
    positions = child.positions(ml100k_model.space)[rows]
    assert 5 <= len(rows) <= 7
    assert (np.diff(positions) >= 4 / 7 / 2 - 1e-6).all()
    assert np.median(ml100k_model.n_ratings[rows]) > np.quantile(ml100k_model.n_ratings, 0.9)


def test_examples_on_a_plane_keep_their_distance(ml100k_model, child, horror) -> None:
    rows = examples_on_plane(ml100k_model.space, ml100k_model.attributes, child, horror, (3, 4), (1.5, 0.4))
    places = np.column_stack([axis.positions(ml100k_model.space)[rows] for axis in (child, horror)])
    assert 6 <= len(rows) <= 12
    for at in range(len(rows)):
        for other in range(at):
            assert (np.abs(places[at] - places[other]) >= (1.5, 0.4)).any()
    assert (np.sign(places).min(axis=0) < 0).all() and (np.sign(places).max(axis=0) > 0).all()
