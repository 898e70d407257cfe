"""Discovered axes: verified on MovieLens, unnamed on shuffled vectors; and the split of a score over them."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from recsys.dataset.attributes import Attributes
from recsys.dataset.catalog import Catalog
from recsys.dataset.dataset import Dataset
from recsys.dataset.interactions import Interactions
from recsys.errors import InputError, UnknownId, Unsupported
from recsys.evaluation.stability import discover_axes
from recsys.models import BPR, IALS, Model, Popular
from recsys.space.axis import UNNAMED, Axes
from recsys.space.decompose import split_by_axes
from recsys.space.discovery import STABLE_AXIS
from recsys.space.embedding import EmbeddingSpace
from recsys.space.naming import name_ends


@pytest.fixture(scope="module")
def axes(ml100k_model: Model, ml100k) -> Axes:
    return discover_axes(ml100k_model, ml100k.interactions, n_refits=2)


def test_movielens_has_axes_with_verified_names(axes: Axes, ml100k_model: Model) -> None:
    named = {end for axis in axes.discovered for end in (axis.low, axis.high) if end != UNNAMED}
    assert {"Horror", "Children's, Animation"} <= named
    assert len(axes.discovered) == ml100k_model.space.n_factors
    shares = [axis.evidence.share for axis in axes.discovered]
    assert shares == sorted(shares, reverse=True) and sum(shares) == pytest.approx(1, abs=1e-5)


def test_evidence_can_be_recomputed(axes: Axes, ml100k_model: Model) -> None:
    model, known = ml100k_model, ml100k_model.attributes.well_known
    horror = next(axis for axis in axes.discovered if axis.high == "Horror")
    position = horror.positions(model.space)[known]
    carries = np.array(["Horror" in genres for genres in model.catalog.items["genres"]])[known]
    wins = (position[carries][:, None] > position[~carries][None]).mean()
    assert horror.evidence.high[0].auc == pytest.approx(wins, abs=0.03)
    assert position.mean() == pytest.approx(0, abs=1e-4) and position.std() == pytest.approx(1, abs=1e-4)


def test_an_unstable_axis_has_no_name(axes: Axes) -> None:
    unstable = [axis for axis in axes.discovered if axis.evidence.stability < STABLE_AXIS]
    assert unstable and all((axis.low, axis.high) == (UNNAMED, UNNAMED) and not axis.is_valid for axis in unstable)


def test_shuffled_vectors_get_no_name(ml100k_model: Model) -> None:
    """The control: the same directions, assigned to other movies."""
    space, known = ml100k_model.space, ml100k_model.attributes.well_known
    attributes = Attributes.of(ml100k_model.catalog, ml100k_model.n_ratings)
    for seed in range(3):
        shuffled = space.item_directions[np.random.default_rng(seed).permutation(space.n_items)]
        assert all(ends == ([], []) for ends in name_ends(shuffled.astype(float), attributes, known))


def test_the_same_seed_gives_the_same_axes(ml100k_model: Model, ml100k) -> None:
    first, second = (discover_axes(ml100k_model, ml100k.interactions, n_refits=1) for _ in range(2))
    for one, other in zip(first.discovered, second.discovered, strict=True):
        assert one.direction.tobytes() == other.direction.tobytes() and one.evidence == other.evidence


def test_a_score_is_the_sum_of_its_axes(axes: Axes, ml100k_model: Model) -> None:
    space, rows = ml100k_model.space, np.array([3, 50, 1000])
    shares = split_by_axes(space, axes, space.user_factors[7], rows)
    assert list(shares.index) == [f"axis {n + 1}" for n in range(64)]
    np.testing.assert_allclose(shares.sum(), space.score(space.user_factors[7][None])[0, rows], atol=1e-5)


def test_the_bias_has_its_own_row_in_the_split() -> None:
    rng = np.random.default_rng(0)
    data = Interactions(rng.random((300, 60)) < 0.4, np.arange(300), np.arange(60))
    model = BPR(n_factors=4, epochs=3).fit(Dataset(data, Catalog.of(data.item_ids)))
    found = discover_axes(model, data, n_refits=1)
    assert len(found.discovered) == 4
    shares = split_by_axes(model.space, found, model.space.user_factors[0], np.array([5]))
    assert shares.index[-1] == "popularity"
    assert float(shares.sum().iloc[0]) == pytest.approx(float(model.space.score(model.space.user_factors[:1])[0, 5]))


def test_axes_that_are_not_perpendicular_cannot_split_a_score(ml100k_model: Model, ml100k) -> None:
    skew = discover_axes(ml100k_model, ml100k.interactions, "ica", n_refits=0)
    assert not any(axis.is_valid for axis in skew.discovered), "without refits stability is unknown"
    with pytest.raises(Unsupported, match="right angles"):
        split_by_axes(ml100k_model.space, skew, ml100k_model.space.user_factors[0], np.array([0]))


def test_ends_are_well_known_movies_at_the_extremes(axes: Axes, ml100k_model: Model) -> None:
    model, known = ml100k_model, ml100k_model.attributes.well_known
    horror = next(axis for axis in axes.discovered if axis.high == "Horror")
    low, high = horror.ends(model.space, model.n_ratings, 5, known)
    position = horror.positions(model.space)
    assert position[high].min() > 1 > position[low].max()
    assert (model.n_ratings[np.r_[low, high]] >= np.quantile(model.n_ratings[known], 2 / 3)).all()
    assert "A Nightmare on Elm Street (1984)" in model.catalog.labels[high]


def test_axes_are_found_by_name(axes: Axes) -> None:
    assert axes["axis 2"] is axes.discovered[1]
    with pytest.raises(UnknownId, match="axis 1, axis 2"):
        axes["axis 99"]
    flat = dataclasses.replace(axes.discovered[0], spread=1.0)
    with pytest.raises(InputError, match="the items do not differ along axis"):
        dataclasses.replace(flat, spread=0.0)
    with pytest.raises(InputError, match="length 1"):
        dataclasses.replace(flat, direction=flat.direction * 2)


def test_a_zero_vector_has_no_position(axes: Axes) -> None:
    space = EmbeddingSpace(np.vstack([np.zeros(64), np.ones(64)]), ["a", "b"])
    assert np.isnan(axes.discovered[0].positions(space)).tolist() == [True, False]


def test_models_and_data_without_axes_are_refused(ml100k) -> None:
    small = Interactions(np.ones((30, 8)), np.arange(30), np.arange(8))
    with pytest.raises(InputError, match="only 8 items"):
        discover_axes(IALS(n_factors=2).fit(Dataset(small, Catalog.of(small.item_ids))), small)
    with pytest.raises(Unsupported, match="no user and item vectors"):
        discover_axes(Popular().fit(Dataset(small, Catalog.of(small.item_ids))), small)
