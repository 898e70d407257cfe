"""Vectors from elsewhere: without rating counts, users or trained model, and in degenerate shapes."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

from recsys.dataset.attributes import Attributes
from recsys.dataset.catalog import Catalog
from recsys.errors import InputError, Unsupported
from recsys.models import Model
from recsys.recommend.steer import parse_shift
from recsys.space.axis import UNNAMED, Axes, Axis
from recsys.space.clustering import find_clusters
from recsys.space.discovery import STABLE_AXIS, discover, in_order_of
from recsys.space.embedding import EmbeddingSpace, well_known_items
from recsys.space.evidence import DiscoveryEvidence, ProbeEvidence
from recsys.space.item_clusters import NO_CLUSTER
from recsys.space.layout import make_map
from recsys.space.probes import ask
from recsys.space.profile import examples_along, examples_on_plane, genre_positions, share_of_variance
from recsys.space.questions import built_in_questions, question_of

N = 240
GENRES = ("Horror", "Comedy", "Western", "Musical")


def planted(d: int = 8, seed: int = 0, rows: int = N) -> tuple[EmbeddingSpace, Attributes]:
    """Four genres around the first four axes; a catalog without years or tags, and no rating counts."""
    rng = np.random.default_rng(seed)
    group = np.arange(rows) % 4
    vectors = rng.normal(scale=0.15, size=(rows, d))
    vectors[np.arange(rows), group % d] += 1
    ids = [f"m{row}" for row in range(rows)]
    attributes = Attributes.of(Catalog.of(ids, [f"Film {i}" for i in range(rows)], genres=[[GENRES[g]] for g in group]))
    return EmbeddingSpace(vectors, ids, attributes=attributes), attributes


def test_without_rating_counts_all_items_count_and_popularity_is_not_a_control() -> None:
    space, attributes = planted()
    assert not attributes.has_ratings and well_known_items(space, attributes).all()
    axis = ask(space, attributes, question_of("Horror", attributes))
    assert axis.is_valid and axis.evidence.value > 0.95
    assert "popularity alone" not in axis.evidence.controls and "shuffled" in axis.evidence.controls
    assert (axis.evidence.n_low, axis.evidence.n_high) == (180, 60)
    assert [question.name for question in built_in_questions(attributes)] == ["light ↔ dark"], "no years, no popularity"
    clusters = find_clusters(space, attributes, "kmeans", numbers=(4, 6), n_resamples=2)
    assert sorted(clusters.names) == sorted(GENRES)
    assert examples_along(space, attributes, axis, 5).size and share_of_variance(space, attributes, axis) > 0.1
    comedy = ask(space, attributes, question_of("Comedy", attributes))
    assert examples_on_plane(space, attributes, axis, comedy).size
    table, n = genre_positions(space, attributes, [axis])
    assert table[0].idxmax() == "Horror" and n["Horror"] == 60


def test_without_stability_every_axis_is_unnamed_and_the_evidence_says_so() -> None:
    space, attributes = planted()
    axes = discover(space, attributes)
    assert {(axis.low, axis.high, axis.is_valid) for axis in axes.discovered} == {(UNNAMED, UNNAMED, False)}
    for axis in axes.discovered:
        assert isinstance(axis.evidence, DiscoveryEvidence)
        assert axis.evidence.stability is None and axis.evidence.refits == () and not axis.evidence.is_stable
    held_out = {name.attribute for axis in axes.discovered for name in (*axis.evidence.low, *axis.evidence.high)}
    assert held_out == set(GENRES), "the names that hold on held-out items are listed"
    stable = discover(space, attributes, stability=np.full((8, 3), STABLE_AXIS))
    named = {end for axis in stable.discovered for end in (axis.low, axis.high)} - {UNNAMED}
    assert {word for end in named for word in end.split(", ")} == set(GENRES)
    with pytest.raises(InputError, match=r"stability of shape \(3, 8\) does not match 8 axes"):
        discover(space, attributes, stability=np.ones((3, 8)))


def test_horror_is_not_found_in_random_projections_and_the_reason_is_given(ml100k_model: Model, ml100k) -> None:
    attributes = Attributes.of(ml100k_model.catalog)
    n_words = 50
    words = np.random.default_rng(0).integers(0, n_words, (len(attributes.catalog), 6))
    projection = np.random.default_rng(1).normal(size=(n_words, 32))
    space = EmbeddingSpace(projection[words].sum(axis=1), ml100k_model.item_ids, attributes=attributes)
    axis = ask(space, attributes, question_of("Horror", attributes))
    assert isinstance(axis.evidence, ProbeEvidence) and not axis.is_valid
    assert axis.evidence.reason.startswith("only ") and axis.evidence.reason.endswith("are in the right order")
    with pytest.raises(InputError, match=r"'Horror' is not in this space: only [456]\d% of the pairs"):
        parse_shift("Horror=1", space, attributes)
    found = ask(ml100k_model.space, attributes, question_of("Horror", attributes))
    assert found.is_valid and found.evidence.reason == "", "the control: learned vectors have the axis"


def test_zero_vectors_take_part_in_nothing() -> None:
    space, attributes = planted()
    factors = space.item_factors.copy()
    factors[::10] = 0
    space = dataclasses.replace(space, item_factors=factors)
    zero = np.arange(0, N, 10)
    assert np.flatnonzero(~well_known_items(space, attributes)).tolist() == zero.tolist()
    axis = ask(space, attributes, question_of("Horror", attributes))
    assert axis.is_valid and axis.evidence.n_high + axis.evidence.n_low == N - len(zero)
    assert np.isnan(axis.positions(space)[zero]).all()
    assert (find_clusters(space, attributes, "kmeans", numbers=(4,)).labels[zero] == NO_CLUSTER).all()
    assert not make_map(space, "pca", measured=False).is_placed[zero].any()
    positions = discover(space, attributes).discovered[0].positions(space)
    assert np.isnan(positions[zero]).all() and positions[1::10].mean() != 0
    nothing = dataclasses.replace(space, item_factors=np.zeros_like(factors))
    for refused in (
        lambda: discover(nothing, attributes),
        lambda: find_clusters(nothing, attributes),
        lambda: ask(nothing, attributes, question_of("Horror", attributes)),
        lambda: make_map(nothing, "pca"),
    ):
        with pytest.raises(InputError) as caught:
            refused()
        assert "\n" not in str(caught.value)


def test_vectors_of_constant_length_give_the_same_axes_as_vectors_of_any_length() -> None:
    space, attributes = planted()
    lengths = np.random.default_rng(3).uniform(0.1, 9, (N, 1))
    scaled = dataclasses.replace(space, item_factors=space.item_factors * lengths.astype(np.float32))
    unit = dataclasses.replace(space, item_factors=space.item_directions)
    for one, other in zip(discover(unit, attributes).discovered, discover(scaled, attributes).discovered, strict=True):
        np.testing.assert_allclose(one.direction, other.direction, atol=1e-4)


def test_one_dimension_has_a_map_and_clusters_and_answers() -> None:
    space, attributes = planted(d=1)
    mixed = dataclasses.replace(space, item_factors=np.where(np.arange(N) % 4 == 0, 1.0, -1.0)[:, None])
    axis = ask(mixed, attributes, question_of("Horror", attributes))
    assert axis.is_valid and axis.evidence.value == 1
    assert len(discover(mixed, attributes).discovered) == 1
    assert make_map(mixed, "tsne", measured=False).is_placed.all()
    assert find_clusters(mixed, attributes, "kmeans", numbers=(2,)).n_clusters == 2
    same = dataclasses.replace(mixed, item_factors=np.ones((N, 1)))
    with pytest.raises(InputError, match="same direction"):
        discover(same, attributes)
    with pytest.raises(InputError, match=r"the items do not differ along axis|the space has no direction for axis"):
        ask(same, attributes, question_of("Horror", attributes))


def test_fewer_items_than_dimensions_are_refused_by_discovery_only() -> None:
    space, attributes = planted(d=100, rows=80)
    with pytest.raises(InputError, match="80 items are too few to rotate 100 dimensions"):
        discover(space, attributes)
    assert ask(space, attributes, question_of("Horror", attributes)).evidence.value > 0.9
    assert make_map(space, "pca", measured=False).is_placed.all()
    assert find_clusters(space, attributes, "kmeans", numbers=(4,)).n_clusters == 4


def test_too_few_items_are_refused_in_one_line() -> None:
    space, attributes = planted(rows=30)
    with pytest.raises(InputError, match="only 30 items"):
        discover(space, attributes)
    with pytest.raises(InputError, match="attributes of 30 items do not match 240 vectors"):
        discover(planted()[0], attributes)


def test_a_space_without_users_says_so_when_they_are_needed() -> None:
    space, _ = planted()
    assert (space.n_users, space.has_users, space.user_factors.shape) == (0, False, (0, 8))
    with pytest.raises(Unsupported, match="no user vectors"):
        space.user_rows(["u1"])
    with pytest.raises(InputError, match="given together"):
        EmbeddingSpace(space.item_factors, space.item_ids, np.ones((1, 8)))
    with pytest.raises(InputError, match="the attributes describe other items"):
        EmbeddingSpace(space.item_factors[::-1], space.item_ids[::-1], attributes=space.attributes)
    with pytest.raises(InputError, match="item ids are not unique: 'm0'"):
        EmbeddingSpace(space.item_factors, ["m0"] * N)
    with pytest.raises(InputError, match="at least one dimension besides the bias"):
        EmbeddingSpace(np.ones((3, 1)), [1, 2, 3], has_bias=True)


def test_results_as_data_frames() -> None:
    space, attributes = planted()
    item_map = make_map(space, "pca", measured=False).to_frame()
    assert list(item_map.columns) == ["item_id", "x", "y"] and item_map["item_id"].tolist() == list(space.item_ids)
    factors = space.item_factors.copy()
    factors[5] = 0
    clusters = find_clusters(dataclasses.replace(space, item_factors=factors), attributes, "kmeans", numbers=(4,))
    frame = clusters.to_frame()
    assert list(frame.columns) == ["item_id", "cluster", "name"]
    assert frame.loc[5, "cluster"] == NO_CLUSTER and pd.isna(frame.loc[5, "name"])
    assert frame.loc[4, "name"] == "Horror" == clusters.title(frame.loc[4, "cluster"])
    found = discover(space, attributes)
    axes = dataclasses.replace(found, asked=(ask(space, attributes, question_of("Horror", attributes)),)).to_frame()
    assert axes["axis"].tolist()[:2] == ["not Horror ↔ Horror", "axis 1"] and len(axes) == 9
    first, second = axes.iloc[0], axes.iloc[1]
    assert (
        first["is_valid"] and first["measure"] == "auc" and first["value_low"] <= first["value"] <= first["value_high"]
    )
    assert pd.isna(first["share"]) and pd.isna(second["stability"]) and axes["share"].iloc[1:].sum() == pytest.approx(1)


def test_axes_take_the_order_and_signs_of_those_they_match() -> None:
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((60, 4)) * [4, 3, 2, 1]
    turn = np.linalg.qr(rng.standard_normal((4, 4)))[0]
    ids = np.arange(60)
    earlier = EmbeddingSpace(vectors[:50], ids[:50])
    space = EmbeddingSpace((vectors @ turn)[10:], ids[10:])
    axes = Axes("none", tuple(Axis(f"axis {n}", "", "", row, 0, 1, False) for n, row in enumerate(np.eye(4))), (), 0)
    mixed = turn.T[:, [2, 0, 3, 1]] * [1, -1, -1, 1]
    found, cosines = in_order_of(space, mixed, earlier, axes)
    np.testing.assert_allclose(found, turn.T, atol=1e-6)
    np.testing.assert_allclose(cosines, 1, atol=1e-6)
    strangers = in_order_of(EmbeddingSpace(rng.standard_normal((50, 4)), ids[10:]), mixed, earlier, axes)[1]
    assert (strangers < 0.6).all(), "the control: other vectors of the same items"
    two = dataclasses.replace(axes, discovered=axes.discovered[2:])
    found, cosines = in_order_of(space, mixed, earlier, two)
    np.testing.assert_allclose(found[:, :2], turn.T[:, 2:], atol=1e-6)
    assert np.isnan(cosines).tolist() == [False, False, True, True]
    with pytest.raises(InputError, match="too few of the items"):
        in_order_of(space, mixed, EmbeddingSpace(vectors, ids + 100), axes)
    with pytest.raises(InputError, match="no discovered axes"):
        in_order_of(space, mixed, earlier, dataclasses.replace(axes, discovered=()))
