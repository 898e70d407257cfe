"""Smoothness: high where genres vary along a direction, at chance where vectors say nothing about genres."""

from __future__ import annotations

import numpy as np
import pytest

from recsys.dataset.attributes import Attributes
from recsys.dataset.catalog import Catalog
from recsys.errors import InputError, SettingError
from recsys.evaluation.smoothness import smoothness
from recsys.space.embedding import EmbeddingSpace

GENRES = ["Action", "Comedy", "Drama", "Horror"]
N = 200


def attributes(with_genres: bool = True) -> Attributes:
    genres = [[GENRES[i % 4]] if with_genres else [] for i in range(N)]
    catalog = Catalog.of(range(N), [f"Film {i}" for i in range(N)], [None] * N, genres)
    return Attributes.of(catalog, np.full(N, 50))


def space(noise: float) -> EmbeddingSpace:
    rng = np.random.default_rng(1)
    return EmbeddingSpace(np.eye(4)[np.arange(N) % 4] + noise * rng.standard_normal((N, 4)), range(N))


def test_lines_pass_what_is_like_both_ends_and_a_shuffled_space_does_not() -> None:
    smooth = smoothness(space(0.3), attributes(), n_pairs=200)
    random = smoothness(space(100), attributes(), n_pairs=200)
    assert smooth.n_points == 600
    assert smooth.share > random.share + 0.15
    assert abs(random.share - random.chance) < 0.1
    assert smooth.chance < smooth.share - 0.15
    assert smoothness(space(0.3), attributes(), n_pairs=200) == smooth, "the same seed, the same number"


def test_what_cannot_be_measured_is_refused() -> None:
    with pytest.raises(InputError, match="only 0 well-known items have genres"):
        smoothness(space(0.3), attributes(with_genres=False))
    with pytest.raises(SettingError, match="n_pairs"):
        smoothness(space(0.3), attributes(), n_pairs=0)
