"""Maps preserve neighbourhoods, place new vectors near similar items, and stay aligned after a refit."""

from __future__ import annotations

import sys
from typing import get_args

import numba
import numpy as np
import pytest
from sklearn.manifold import trustworthiness

from recsys.errors import InputError, SettingError
from recsys.models import DEFAULT_MODEL, MODELS, Model
from recsys.recommend.topn import batch_of_ratings
from recsys.space.axis import Axis
from recsys.space.embedding import EmbeddingSpace
from recsys.space.item_map import DEFAULT_MAP, FIDELITY, ItemMap, MapMethod
from recsys.space.layout import align, land, make_map

LAID_OUT = [method for method in get_args(MapMethod) if method != "axes"]
MOVED = [method for method in LAID_OUT if method != "pca"]
MEASURED = set(FIDELITY) - {"alignment_residual"}


def clusters(n: int = 120, has_bias: bool = False) -> tuple[EmbeddingSpace, np.ndarray]:
    """Three groups of directions in eight dimensions, with random lengths."""
    rng = np.random.default_rng(1)
    group = np.arange(n) % 3
    vectors = 4 * np.eye(8)[group] + rng.normal(size=(n, 8)) * 0.5
    vectors *= rng.uniform(0.2, 5, size=(n, 1))
    if has_bias:
        vectors[:, -1] = rng.normal(size=n) * 100
    return EmbeddingSpace(vectors, np.arange(n), has_bias=has_bias), group


@pytest.mark.slow
@pytest.mark.parametrize("method", LAID_OUT)
def test_the_same_seed_gives_the_same_bytes_and_global_state_is_unchanged(method) -> None:
    space, _ = clusters()
    before = numba.get_num_threads(), np.random.get_state()[1].tobytes()  # noqa: NPY002
    made = make_map(space, method)
    again = make_map(space, method)
    assert made.coordinates.tobytes() == again.coordinates.tobytes()
    assert made.fidelity == again.fidelity
    assert make_map(space, method, seed=7, previous=made).coordinates.tobytes() == (
        make_map(space, method, seed=7, previous=made).coordinates.tobytes()
    )
    assert before == (numba.get_num_threads(), np.random.get_state()[1].tobytes())  # noqa: NPY002


@pytest.mark.parametrize("method", LAID_OUT)
@pytest.mark.parametrize("has_bias", [False, True])
def test_similar_items_are_close_whatever_their_popularity(method, has_bias: bool) -> None:
    space, group = clusters(has_bias=has_bias)
    positions = make_map(space, method).coordinates
    nearest = np.argsort(((positions[:, None] - positions[None]) ** 2).sum(2), axis=1)[:, 1:6]
    assert (group[nearest] == group[:, None]).mean() > 0.95
    assert np.abs(positions).max() == pytest.approx(1)
    np.testing.assert_allclose(positions.mean(axis=0), 0, atol=0.2)


@pytest.mark.parametrize("method", LAID_OUT)
def test_every_map_has_its_fidelity(method, capfd) -> None:
    space, _ = clusters()
    item_map = make_map(space, method)
    assert set(item_map.fidelity) == MEASURED
    there = trustworthiness(
        space.item_directions.astype(np.float64), item_map.coordinates, n_neighbors=15, metric="cosine"
    )
    assert item_map.fidelity["trustworthiness"] == pytest.approx(there, abs=1e-4)
    assert item_map.fidelity["landing_error"] < 0.15
    assert capfd.readouterr() == ("", "")  # the libraries have much to say


def test_pca_places_every_item_at_its_own_position() -> None:
    space, _ = clusters()
    item_map = make_map(space, "pca")
    np.testing.assert_allclose(land(item_map, space, space.item_factors), item_map.coordinates, atol=1e-4)


@pytest.mark.parametrize("method", LAID_OUT)
def test_a_new_vector_is_placed_among_similar_items(method) -> None:
    space, group = clusters()
    item_map = make_map(space, method)
    newcomer = np.eye(8)[[1]] * 37.0
    place = land(item_map, space, newcomer.astype(np.float32))[0]
    nearest = np.argsort(((item_map.coordinates - place) ** 2).sum(1))[:10]
    assert (group[nearest] == 1).all()


@pytest.mark.parametrize("method", LAID_OUT)
def test_degenerate_spaces_still_get_a_map(method) -> None:
    ids = np.arange(30)
    line = EmbeddingSpace(np.linspace(-1, 1, 30)[:, None], ids)
    same = EmbeddingSpace(np.ones((30, 3)), ids)
    half = EmbeddingSpace(np.vstack([np.zeros((15, 3)), np.eye(3)[np.arange(15) % 3]]), ids)
    few = EmbeddingSpace(np.eye(3), ids[:3])
    for space in (line, same, half, few):
        item_map = make_map(space, method)
        assert (item_map.is_placed == space.item_factors.any(axis=1)).all()
        landed = land(item_map, space, space.item_factors[:2])
        np.testing.assert_array_equal(np.isfinite(landed).all(axis=1), space.item_factors[:2].any(axis=1))


# --- two axes ---------------------------------------------------------------------------------------------------


def two_axes(space: EmbeddingSpace) -> tuple[Axis, Axis]:
    known = space.item_directions.any(axis=1)
    rng = np.random.default_rng(5)
    across, up = rng.normal(size=(2, space.n_factors))
    return (
        Axis.from_direction(space, known, across, "calm ↔ wild", "calm", "wild", True, {}),
        Axis.from_direction(space, known, up, "axis 3", "unnamed", "unnamed", False, {}),
    )


def test_a_map_along_axes_has_their_positions_and_places_new_vectors_exactly() -> None:
    space, _ = clusters(has_bias=True)
    factors = space.item_factors.copy()
    factors[4] = 0
    space = EmbeddingSpace(factors, space.item_ids, space.user_factors, space.user_ids, True)
    x, y = two_axes(space)
    item_map = make_map(space, "axes", axes=(x, y))
    assert item_map.axes == ("calm ↔ wild", "axis 3: unnamed ↔ unnamed")
    np.testing.assert_array_equal(item_map.coordinates[:, 0], x.positions(space))
    np.testing.assert_array_equal(item_map.coordinates[:, 1], y.positions(space))
    assert np.flatnonzero(~item_map.is_placed).tolist() == [4]
    assert np.nanmax(np.abs(item_map.coordinates)) > 1  # standard deviations, as the axes count
    newcomers = np.random.default_rng(2).normal(size=(20, 8)).astype(np.float32)
    expected = np.column_stack([x.positions(space, newcomers), y.positions(space, newcomers)])
    np.testing.assert_allclose(land(item_map, space, newcomers), expected, atol=1e-3)
    assert set(item_map.fidelity) == MEASURED
    assert item_map.fidelity["landing_error"] < 1e-4
    assert item_map.fidelity["trustworthiness"] < make_map(space, "tsne").fidelity["trustworthiness"]


def test_a_map_along_axes_needs_two_axes_of_this_space() -> None:
    space, _ = clusters()
    x, y = two_axes(space)
    other = EmbeddingSpace(np.eye(3), np.arange(3))
    with pytest.raises(InputError, match="needs two different axes"):
        make_map(space, "axes")
    with pytest.raises(InputError, match="needs two different axes"):
        make_map(space, "axes", axes=(x, x))
    with pytest.raises(InputError, match="'calm ↔ wild' belongs to another model"):
        make_map(other, "axes", axes=(x, y))


# --- refits -----------------------------------------------------------------------------------------------------


def test_align_undoes_rotation_reflection_translation_and_scale_only() -> None:
    rng = np.random.default_rng(0)
    picture = rng.normal(size=(200, 2))
    turn = np.array([[np.cos(2), -np.sin(2)], [np.sin(2), np.cos(2)]]) @ np.diag([1, -1])
    copy = 0.3 * picture @ turn + [5, -2]
    rows = np.arange(0, 200, 2)
    placed, residual = align(copy, rows, picture[rows])
    np.testing.assert_allclose(placed, picture, atol=1e-9)
    assert residual < 1e-9
    noisy = copy + 0.03 * rng.normal(size=copy.shape)
    assert align(noisy, rows, picture[rows])[1] == pytest.approx(0.1, abs=0.03)
    assert align(rng.normal(size=(200, 2)), rows, picture[rows])[1] > 1


def test_repeated_alignment_does_not_shrink_the_map() -> None:
    rng = np.random.default_rng(0)
    first = positions = rng.normal(size=(100, 2))
    for _ in range(50):
        positions, _ = align(positions + 0.3 * rng.normal(size=(100, 2)), np.arange(100), positions)
    assert positions.std() == pytest.approx(first.std(), rel=1e-6)


def refit(space: EmbeddingSpace, noise: float, n_new: int = 0) -> EmbeddingSpace:
    """The same items retrained: another basis, noise on the vectors, and `n_new` random items before the others."""
    rng = np.random.default_rng(9)
    turn = np.linalg.qr(rng.normal(size=(space.n_factors, space.n_factors)))[0]
    lengths = np.linalg.norm(space.item_factors, axis=1, keepdims=True)
    factors = (space.item_factors + noise * lengths * rng.normal(size=space.item_factors.shape)) @ turn
    ids = np.concatenate([np.arange(-n_new, 0), space.item_ids])
    new = space.item_factors[:n_new] @ turn  # each new item is like one of the first
    return EmbeddingSpace(np.vstack([new, factors]), ids, space.user_factors, space.user_ids)


@pytest.mark.parametrize("method", LAID_OUT)
def test_a_refit_keeps_the_layout_and_reports_the_residual(method) -> None:
    space, group = clusters()
    before = make_map(space, method)
    after = make_map(refit(space, 0.02, n_new=6), method, previous=before)
    old = after.coordinates[6:]
    moved = np.linalg.norm(old - before.coordinates, axis=1)
    assert np.median(moved) < 0.15
    there = before.coordinates.astype(np.float64)
    expected = np.sqrt((moved.astype(np.float64) ** 2).sum() / ((there - there.mean(axis=0)) ** 2).sum())
    assert after.fidelity["alignment_residual"] == pytest.approx(expected, abs=1e-4)
    assert set(after.fidelity) == set(FIDELITY)
    nearest = np.argsort(((old[None] - after.coordinates[:6, None]) ** 2).sum(2), axis=1)[:, :5]
    assert (group[nearest] == group[:6, None]).mean() > 0.9  # the new items are among their like


def test_an_unfaithful_previous_map_is_not_refined() -> None:
    space, _ = clusters()
    noise = np.random.default_rng(0).uniform(-1, 1, size=(120, 2))
    alone = make_map(space, "tsne").fidelity["trustworthiness"]
    from_noise = make_map(space, "tsne", previous=ItemMap("tsne", space.item_ids, noise, 1))
    assert from_noise.fidelity["trustworthiness"] > alone - 0.02
    assert from_noise.fidelity["alignment_residual"] > 0.5


def test_impossible_alignments_are_refused() -> None:
    space, _ = clusters()
    before = make_map(space, "pca")
    others = EmbeddingSpace(space.item_factors, space.item_ids + 118, space.user_factors, space.user_ids)
    with pytest.raises(InputError, match="at least three items that are also on the previous map, not 2"):
        make_map(others, "pca", previous=before)
    one_place = ItemMap("pca", space.item_ids, np.ones((120, 2)), 1)
    with pytest.raises(InputError, match="all items at the same position"):
        make_map(space, "pca", previous=one_place)


# --- what cannot be ---------------------------------------------------------------------------------------------


def test_impossible_maps_are_refused() -> None:
    space, _ = clusters()
    with pytest.raises(SettingError, match="unknown map method 'globe': use pca, tsne, umap, pacmap, axes"):
        make_map(space, "globe")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="at least three items with a vector, not 2"):
        make_map(EmbeddingSpace(np.eye(2), [1, 2]), "pca")
    with pytest.raises(InputError, match="not 0"):
        make_map(EmbeddingSpace(np.zeros((9, 2)), np.arange(9)), "pca")


@pytest.mark.parametrize(("method", "library"), [("umap", "umap-learn"), ("pacmap", "pacmap")])
def test_a_method_that_is_not_installed_names_the_extra(method, library: str, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, library.removesuffix("-learn"), None)
    with pytest.raises(SettingError, match=rf"the {method} map needs {library}: pip install 'recsys-atlas\[maps\]'"):
        make_map(clusters()[0], method)


def test_parts_of_a_map_must_match() -> None:
    ids, positions = [1, 2], np.zeros((2, 2))
    for wrong, words in (
        ({"method": "globe"}, "unknown map method 'globe'"),
        ({"coordinates": np.zeros((3, 2))}, "two finite coordinates for each of its 2 items"),
        ({"coordinates": np.full((2, 2), np.inf)}, "two finite coordinates"),
        ({"axes": ("a", "b")}, "a pca map has no axis titles"),
        ({"method": "axes"}, "needs two axis titles, not None"),
        ({"method": "axes", "axes": ("a",)}, "needs two axis titles"),
        ({"method": "axes", "axes": ("a", 3)}, "needs two axis titles"),
        ({"fidelity": {"beauty": 1.0}}, "invalid map fidelity beauty 1.0"),
        ({"fidelity": {"continuity": np.nan}}, "invalid map fidelity continuity nan"),
        ({"fidelity": [1.0]}, "must be a mapping of names to numbers"),
    ):
        with pytest.raises(InputError, match=words):
            ItemMap(**({"method": "pca", "item_ids": ids, "coordinates": positions, "seed": 1} | wrong))


# --- MovieLens --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def real_map(ml100k_model: Model) -> ItemMap:
    return make_map(ml100k_model.space)


@pytest.mark.slow
def test_on_movielens_100k_the_map_is_faithful_and_a_user_is_near_their_favourites(ml100k_model, real_map) -> None:
    directions = ml100k_model.space.item_directions
    kept = trustworthiness(directions, real_map.coordinates, n_neighbors=15, metric="cosine")
    shuffled = np.random.default_rng(0).permutation(real_map.coordinates)
    assert kept > 0.95
    assert trustworthiness(directions, shuffled, n_neighbors=15, metric="cosine") < 0.55
    assert real_map.fidelity["trustworthiness"] == pytest.approx(kept, abs=1e-3)
    assert real_map.fidelity["landing_error"] < 0.05

    titles = ("alien", "aliens", "blade runner")
    loved = [ml100k_model.catalog.id_of(title, ml100k_model.n_ratings) for title in titles]
    fan = batch_of_ratings(ml100k_model, {item: 5.0 for item in loved})
    place = land(real_map, ml100k_model.space, fan.vectors)[0]
    there = real_map.coordinates[ml100k_model.space.item_rows(loved)]
    assert np.linalg.norm(there - place, axis=1).max() < 0.3


def test_on_movielens_100k_the_default_is_better_than_pca(ml100k_model, real_map) -> None:
    assert real_map.method == DEFAULT_MAP
    pca = make_map(ml100k_model.space, "pca").fidelity
    for measure in ("trustworthiness", "continuity", "recall@15"):
        assert real_map.fidelity[measure] > pca[measure] + 0.02


@pytest.mark.slow
def test_on_movielens_100k_a_retrained_model_keeps_the_orientation(ml100k, ml100k_model, real_map) -> None:
    again = MODELS[DEFAULT_MODEL](seed=7).fit(ml100k).space

    def moved(positions: np.ndarray) -> float:
        return float(np.median(np.linalg.norm(positions - real_map.coordinates, axis=1)))

    kept = make_map(again, previous=real_map)
    anew = make_map(again).coordinates
    only_aligned, residual = align(anew, np.arange(len(anew)), real_map.coordinates)
    assert moved(kept.coordinates) < 0.5 * moved(only_aligned)
    assert moved(only_aligned) < moved(anew)
    assert kept.fidelity["alignment_residual"] < 0.5 * residual
    assert kept.fidelity["trustworthiness"] > real_map.fidelity["trustworthiness"] - 0.01
