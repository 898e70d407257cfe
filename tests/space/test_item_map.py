"""Items inside an outline on a map."""

from __future__ import annotations

import numpy as np
import pytest

from recsys.errors import InputError
from recsys.space.item_map import ItemMap


def map_of(positions: np.ndarray) -> ItemMap:
    return ItemMap("pca", np.arange(len(positions)), positions, seed=0)


def test_a_square_contains_its_inside() -> None:
    found = map_of(np.array([[0, 0], [0.5, 0.5], [2, 0], [np.nan, np.nan], [-0.9, 0.9]])).inside(
        np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]])
    )
    assert found.tolist() == [True, True, False, False, True]


def test_a_concave_and_a_self_intersecting_outline_follow_the_even_odd_rule() -> None:
    positions = np.array([[0.5, 0.9], [0.1, 0.5], [0.9, 0.5]])
    bay = np.array([[0, 0], [1, 0], [1, 1], [0.5, 0.2], [0, 1]])  # a deep notch from above
    assert map_of(positions).inside(bay).tolist() == [False, True, True]
    bow = np.array([[0, 0], [1, 1], [1, 0], [0, 1]])  # two triangles that touch in the middle
    assert map_of(np.array([[0.1, 0.5], [0.9, 0.5], [0.5, 0.9]])).inside(bow).tolist() == [True, True, False]


def test_a_circle_contains_the_points_within_its_radius() -> None:
    rng = np.random.default_rng(0)
    positions = rng.uniform(-1, 1, (5000, 2)).astype(np.float32)
    turn = np.linspace(0, 2 * np.pi, 400, endpoint=False)
    found = map_of(positions).inside(0.7 * np.column_stack([np.cos(turn), np.sin(turn)]))
    radius = np.linalg.norm(positions, axis=1)
    clear = np.abs(radius - 0.7) > 1e-3  # the outline is a polygon
    assert (found == (radius < 0.7))[clear].all() and found.sum() > 1000


@pytest.mark.parametrize("outline", [np.zeros((2, 2)), np.zeros((4, 3)), np.zeros(6)])
def test_an_invalid_outline_is_refused(outline: np.ndarray) -> None:
    with pytest.raises(InputError, match="three corners"):
        map_of(np.zeros((3, 2))).inside(outline)
