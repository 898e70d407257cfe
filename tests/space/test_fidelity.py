"""Fidelity equals scikit-learn and the definition, and is low for a random map."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.manifold import trustworthiness

from recsys.errors import InputError
from recsys.space import fidelity as judge
from recsys.space.fidelity import fidelity, landing, sample_rows


def directions_of(n: int, d: int = 6) -> np.ndarray:
    vectors = np.random.default_rng(3).normal(size=(n, d))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def circle(n: int) -> np.ndarray:
    """Directions in a plane: as positions, they preserve every neighbourhood."""
    angle = np.sort(np.random.default_rng(0).uniform(0, 2 * np.pi, n))
    return np.column_stack([np.cos(angle), np.sin(angle)])


def plain_ranks(distances: np.ndarray) -> np.ndarray:
    """Rank of each column in each row, from 1, itself last."""
    distances = distances.astype(np.float64)
    np.fill_diagonal(distances, np.inf)
    return distances.argsort(axis=1, kind="stable").argsort(axis=1) + 1


@pytest.mark.parametrize("k", [1, 5, 15])
def test_fidelity_equals_sklearn_and_the_definition(k: int) -> None:
    directions = directions_of(150)
    for positions in (directions[:, :2], np.random.default_rng(0).normal(size=(150, 2))):
        found = fidelity(directions, positions, k)
        there = trustworthiness(directions.astype(np.float64), positions, n_neighbors=k, metric="cosine")
        assert found["trustworthiness"] == pytest.approx(there, abs=1e-5)

        in_space = plain_ranks(1 - directions.astype(np.float64) @ directions.T)
        on_map = plain_ranks(((positions[:, None].astype(np.float64) - positions[None]) ** 2).sum(axis=2))
        missed = (on_map - k)[(in_space <= k) & (on_map > k)].sum()
        assert found["continuity"] == pytest.approx(1 - missed * 2 / (150 * k * (300 - 3 * k - 1)), abs=1e-5)
        both = ((in_space <= k) & (on_map <= k)).sum()
        assert found[f"recall@{k}"] == pytest.approx(both / (150 * k), abs=1e-3)


def test_a_perfect_map_has_ones_and_a_random_map_chance_values() -> None:
    true = fidelity(circle(300), 7 * circle(300) + 3)
    assert true == {"trustworthiness": 1, "continuity": 1, "recall@15": 1}
    random = fidelity(directions_of(1000), np.random.default_rng(1).normal(size=(1000, 2)))
    assert random["trustworthiness"] == pytest.approx(0.5, abs=0.02)
    assert random["continuity"] == pytest.approx(0.5, abs=0.02)
    assert random["recall@15"] == pytest.approx(15 / 999, abs=0.005)


def test_trustworthiness_and_continuity_measure_different_errors() -> None:
    """A ring projected onto a line gets false neighbours; a ring cut open loses some."""
    ring = circle(400)
    folded = np.column_stack([ring[:, 0], np.zeros(400)])
    invented = fidelity(ring, folded)
    assert invented["trustworthiness"] < 0.8 < 0.95 < invented["continuity"]
    angle = np.arctan2(ring[:, 1], ring[:, 0])
    cut = fidelity(ring, np.column_stack([angle, np.zeros(400)]))
    assert cut["continuity"] < 0.995 < cut["trustworthiness"]


def test_a_sample_estimates_all_items_and_blocks_do_not_matter(monkeypatch) -> None:
    directions = directions_of(1500)
    positions = directions[:, :2]
    exact = fidelity(directions, positions)
    sampled = fidelity(directions, positions, n_sample=500)
    assert sampled == fidelity(directions, positions, n_sample=500)
    assert sampled != exact
    assert sampled == pytest.approx(exact, abs=0.02)
    monkeypatch.setattr(judge, "BLOCK_BYTES", 8 * 1500 * 7)  # seven rows at a time
    assert fidelity(directions, positions, n_sample=500) == pytest.approx(sampled, abs=1e-5)
    assert (np.diff(sample_rows(1500, 500)) > 0).all()
    assert sample_rows(3).tolist() == [0, 1, 2]


def test_landing_is_perfect_at_the_own_position_and_poor_at_random() -> None:
    ring, rows = circle(400), np.arange(0, 400, 3)
    at_home = landing(ring, ring, rows, ring[rows])
    assert at_home == {"landing_error": 0, "landing_recall@15": 1}
    near = landing(ring, ring, rows, ring[rows] + 0.01)
    assert near["landing_error"] == pytest.approx(0.01, abs=0.001)  # half of all pairs on a circle are √2 apart
    assert near["landing_recall@15"] > 0.9
    anywhere = landing(ring, ring, rows, np.random.default_rng(0).permutation(ring)[: len(rows)])
    assert anywhere["landing_error"] > 0.7
    assert anywhere["landing_recall@15"] < 0.15


@pytest.mark.parametrize("n", [3, 4, 5, 16, 30])
def test_small_maps_use_fewer_neighbours(n: int) -> None:
    assert fidelity(circle(n), circle(n)) == {"trustworthiness": 1, "continuity": 1, "recall@15": 1}
    assert landing(circle(n), circle(n), np.arange(n), circle(n))["landing_error"] == 0


def test_items_at_one_position_are_not_a_good_map() -> None:
    found = fidelity(directions_of(300), np.zeros((300, 2)))
    assert max(found["trustworthiness"], found["continuity"]) < 0.6
    assert landing(directions_of(300), np.zeros((300, 2)), np.arange(9), np.zeros((9, 2)))["landing_error"] == 0


def test_invalid_input_is_refused() -> None:
    with pytest.raises(InputError, match="at least three items"):
        fidelity(circle(2), circle(2))
    with pytest.raises(InputError, match="finite coordinates of at least three items"):
        fidelity(circle(4), np.full((4, 2), np.nan))
    with pytest.raises(InputError, match=r"not 4 items with coordinates of shape \(5, 2\)"):
        landing(circle(4), circle(5), np.arange(2), circle(2))
