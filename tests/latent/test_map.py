"""The map: near on it means near in the space, and newcomers land where they belong."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.manifold import trustworthiness

from recsys.embeddings import EmbeddingSpace
from recsys.errors import InputError, SettingError
from recsys.latent.map import land, make_map
from recsys.models import ALS, train_model
from recsys.recommend import audience_of_ratings


def clusters(n: int = 120, has_bias: bool = False) -> tuple[EmbeddingSpace, np.ndarray]:
    """Three bundles of directions in eight dimensions, with lengths that say nothing."""
    rng = np.random.default_rng(1)
    group = np.arange(n) % 3
    vectors = 4 * np.eye(8)[group] + rng.normal(size=(n, 8)) * 0.5
    vectors *= rng.uniform(0.2, 5, size=(n, 1))
    if has_bias:
        vectors[:, -1] = rng.normal(size=n) * 100
    return EmbeddingSpace(np.zeros((0, 8)), vectors, np.empty(0, int), np.arange(n), has_bias), group


@pytest.mark.parametrize("method", ["pca", "tsne"])
def test_the_same_seed_gives_the_same_bytes(method) -> None:
    space, _ = clusters()
    assert make_map(space, method).coordinates.tobytes() == make_map(space, method).coordinates.tobytes()


@pytest.mark.parametrize("method", ["pca", "tsne"])
@pytest.mark.parametrize("has_bias", [False, True])
def test_what_is_alike_lies_together_whatever_its_popularity(method, has_bias: bool) -> None:
    space, group = clusters(has_bias=has_bias)
    places = make_map(space, method).coordinates
    nearest = np.argsort(((places[:, None] - places[None]) ** 2).sum(2), axis=1)[:, 1:6]
    assert (group[nearest] == group[:, None]).mean() > 0.95
    assert np.abs(places).max() == pytest.approx(1)
    np.testing.assert_allclose(places.mean(axis=0), 0, atol=0.2)


def test_pca_lands_every_item_on_its_own_place() -> None:
    space, _ = clusters()
    item_map = make_map(space, "pca")
    np.testing.assert_allclose(land(item_map, space, space.item_factors), item_map.coordinates, atol=1e-4)


@pytest.mark.parametrize("method", ["pca", "tsne"])
def test_a_newcomer_lands_among_the_like(method) -> None:
    space, group = clusters()
    item_map = make_map(space, method)
    newcomer = np.eye(8)[[1]] * 37.0
    place = land(item_map, space, newcomer.astype(np.float32))[0]
    nearest = np.argsort(((item_map.coordinates - place) ** 2).sum(1))[:10]
    assert (group[nearest] == 1).all()


@pytest.mark.parametrize("method", ["pca", "tsne"])
def test_odd_spaces_still_get_a_map(method) -> None:
    users, ids = np.zeros((1, 3)), np.arange(30)
    line = EmbeddingSpace(np.zeros((1, 1)), np.linspace(-1, 1, 30)[:, None], [0], ids)
    same = EmbeddingSpace(users, np.ones((30, 3)), [0], ids)
    half = EmbeddingSpace(users, np.vstack([np.zeros((15, 3)), np.eye(3)[np.arange(15) % 3]]), [0], ids)
    few = EmbeddingSpace(users, np.eye(3), [0], ids[:3])
    for space in (line, same, half, few):
        item_map = make_map(space, method)
        assert (item_map.is_placed == space.item_factors.any(axis=1)).all()
        assert np.isfinite(land(item_map, space, space.item_factors[:2])).all()


def test_what_cannot_be_drawn_is_said() -> None:
    space, _ = clusters()
    with pytest.raises(SettingError, match="unknown map method 'globe': use pca, tsne"):
        make_map(space, "globe")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="at least three items with a vector, not 2"):
        make_map(EmbeddingSpace(np.zeros((1, 2)), np.eye(2), [0], [1, 2]), "pca")
    with pytest.raises(InputError, match="not 0"):
        make_map(EmbeddingSpace(np.zeros((1, 2)), np.zeros((9, 2)), [0], np.arange(9)), "pca")


def test_on_movielens_100k_the_map_keeps_neighbourhoods_and_a_fan_lands_near_the_loved(ml100k) -> None:
    model = train_model(ml100k.interactions, ml100k.catalog, ALS())
    item_map = make_map(model.space, "tsne")
    directions = model.space.item_directions
    kept = trustworthiness(directions, item_map.coordinates, n_neighbors=15, metric="cosine")
    shuffled = np.random.default_rng(0).permutation(item_map.coordinates)
    assert kept > 0.9
    assert trustworthiness(directions, shuffled, n_neighbors=15, metric="cosine") < 0.55

    loved = [model.item_ids[model.catalog.find(t, model.n_ratings)] for t in ("alien", "aliens", "blade runner")]
    fan = audience_of_ratings(model, {item: 5.0 for item in loved})
    place = land(item_map, model.space, fan.vectors)[0]
    there = item_map.coordinates[model.space.item_rows(loved)]
    assert np.linalg.norm(there - place, axis=1).max() < 0.3
