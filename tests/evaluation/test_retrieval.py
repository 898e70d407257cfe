"""Neighbours, retrieval and overlap: compared with plain loops, and on data with a known answer."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from recsys.errors import InputError, SettingError
from recsys.evaluation.retrieval import Retrieval, neighbour_rows, overlap, retrieval


def everyone(n: int) -> np.ndarray:
    return np.ones(n, dtype=bool)


@pytest.fixture(scope="module")
def items() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Vectors (120, 7) with two zero rows, about 100 evaluated items, 5 attributes, rating counts."""
    rng = np.random.default_rng(1)
    vectors = rng.normal(size=(120, 7))
    vectors[[3, 50]] = 0
    return vectors, rng.random(120) < 0.85, rng.random((120, 5)) < 0.25, rng.integers(20, 500, 120)


@pytest.mark.parametrize("kind", [np.asarray, sp.csr_matrix])
def test_neighbours_agree_with_a_plain_loop(kind, items) -> None:
    vectors, evaluated, _, _ = items
    rows, neighbours = neighbour_rows(kind(vectors), evaluated, k=6)
    expected = [i for i in range(120) if evaluated[i] and vectors[i].any()]
    assert rows.tolist() == expected and neighbours.dtype == np.int32
    for row, found in zip(rows, neighbours, strict=True):
        cosine = {
            j: vectors[row] @ vectors[j] / np.linalg.norm(vectors[row]) / np.linalg.norm(vectors[j])
            for j in expected
            if j != row
        }
        assert found.tolist() == sorted(cosine, key=lambda j: -cosine[j])[:6]


def test_there_are_at_most_as_many_neighbours_as_other_items() -> None:
    vectors = np.array([[1.0, 0], [0, 0], [1, 1], [0, 1]])
    rows, neighbours = neighbour_rows(vectors, everyone(4), k=10)
    assert rows.tolist() == [0, 2, 3]
    assert [set(row) for row in neighbours.tolist()] == [{2, 3}, {0, 3}, {0, 2}]
    assert neighbour_rows(vectors, np.array([True, True, False, False]), k=10)[1].shape == (1, 0)
    assert neighbour_rows(vectors * 0, everyone(4))[1].shape == (0, 0)
    with pytest.raises(SettingError, match="at least 1"):
        neighbour_rows(vectors, everyone(4), k=0)


def test_ties_are_broken_at_random() -> None:
    """In item order, the first ten items would be the neighbours of all others."""
    times_found = np.bincount(neighbour_rows(np.ones((400, 3)), everyone(400), k=10)[1].ravel(), minlength=400)
    assert times_found.tolist() == [10] * 400
    first_half = np.arange(400) < 200  # nor are they the next items of the catalogue, which may be sequels
    halves = np.column_stack([first_half, ~first_half])
    found = retrieval(np.ones((400, 3)), halves, np.full(400, 20), everyone(400))
    assert found.precision == pytest.approx(0.5, abs=0.05)
    nearer = np.ones((400, 2))
    nearer[7:12, 1] = 2  # ties never precede nearer items
    assert {frozenset(row) for row in neighbour_rows(nearer, everyone(400), k=4)[1][7:12].tolist()} == {
        frozenset(set(range(7, 12)) - {i}) for i in range(7, 12)
    }


def test_retrieval_agrees_with_sets(items) -> None:
    vectors, evaluated, carries, n_ratings = items
    found = retrieval(vectors, carries, n_ratings, evaluated, k=6)
    sets = [set(np.flatnonzero(row).tolist()) for row in carries]
    hits, jaccards, n = [], [], 0
    for row, neighbours in zip(*neighbour_rows(vectors, evaluated, k=6), strict=True):
        if sets[row]:
            n += 1
            hits += [bool(sets[row] & sets[j]) for j in neighbours]
            jaccards += [len(sets[row] & sets[j]) / len(sets[row] | sets[j]) for j in neighbours]
    assert found.n_queries == n < evaluated.sum() - 2
    assert found.precision == pytest.approx(np.mean(hits))
    assert found.jaccard == pytest.approx(np.mean(jaccards))
    assert found == retrieval(vectors, carries, n_ratings, evaluated, k=6)
    assert found.chance != retrieval(vectors, carries, n_ratings, evaluated, k=6, seed=1).chance


def test_chance_is_the_overlap_of_random_items() -> None:
    rng = np.random.default_rng(0)
    n = 1000
    first = rng.permutation(n) < 300  # 30% have the first attribute, all others the second
    carries = np.column_stack([first, ~first])
    near = np.where(carries, 9.0, 0) + rng.normal(size=(n, 2))
    found = retrieval(near, carries, rng.permutation(n) + 20, everyone(n))
    assert found.precision > 0.99
    assert found.chance == found.chance_jaccard == pytest.approx(0.3**2 + 0.7**2, abs=0.02)
    noise = retrieval(rng.normal(size=(n, 8)), carries, rng.permutation(n) + 20, everyone(n))
    assert noise.precision == pytest.approx(0.58, abs=0.02)


def test_chance_includes_the_effect_of_popularity() -> None:
    """Attribute and neighbours both depend on popularity only: no better than chance."""
    rng = np.random.default_rng(0)
    n_ratings = rng.permutation(400) + 20
    popular = n_ratings >= 220
    carries = np.column_stack([popular, ~popular])
    vectors = np.column_stack([np.where(popular, 5.0, -5.0), rng.normal(size=400)])
    found = retrieval(vectors, carries, n_ratings, everyone(400))
    assert found.precision == found.chance == 1
    unmatched = retrieval(vectors, carries, np.full(400, 20), everyone(400))
    assert unmatched.chance == pytest.approx(0.5, abs=0.03)


def test_chance_never_draws_the_query() -> None:
    """Each item has an attribute of its own, so only the query itself could share it. Bins hold two items each."""
    rng = np.random.default_rng(3)
    carries = np.eye(40, dtype=bool)
    vectors = np.repeat(rng.normal(size=(20, 5)), 2, axis=0) + 1e-3 * rng.normal(size=(40, 5))
    for seed in range(20):
        found = retrieval(vectors, carries, np.arange(40) + 20, everyone(40), k=3, seed=seed)
        assert found.chance == found.precision == 0
    evaluated = everyone(40)
    evaluated[::4] = False  # only evaluated items are drawn
    carries = np.column_stack([evaluated, ~evaluated])
    assert retrieval(vectors, carries, np.arange(40) + 20, evaluated, k=3).chance == 1


def test_items_without_attributes_are_no_queries() -> None:
    found = retrieval(np.eye(5), np.zeros((5, 2), dtype=bool), np.full(5, 20), everyone(5))
    assert found == Retrieval(None, None, None, None, 0)


def test_overlap_agrees_with_sets_and_is_1_for_the_same_vectors(items) -> None:
    a, evaluated, _, _ = items
    b = a + 0.5 * np.random.default_rng(2).normal(size=a.shape)
    b[3] = 0
    rows, near_a = neighbour_rows(a, evaluated, 5)
    near_b = dict(zip(neighbour_rows(b, evaluated, 5)[0].tolist(), neighbour_rows(b, evaluated, 5)[1], strict=True))
    shares = [len({*x.tolist()} & {*near_b[row].tolist()}) / 5 for row, x in zip(rows.tolist(), near_a, strict=True)]
    assert overlap(a, b, evaluated, 5) == pytest.approx(np.mean(shares))
    assert 0.2 < overlap(a, b, evaluated, 5) < overlap(a, a * 3, evaluated, 5) == 1
    rng = np.random.default_rng(4)
    x, y = rng.normal(size=(2, 500, 16))
    assert overlap(x, y, everyone(500)) == pytest.approx(10 / 499, abs=0.006)
    assert np.isnan(overlap(x, y * 0, everyone(500)))


def test_mismatched_input_is_refused() -> None:
    vectors, evaluated, carries = np.eye(6), everyone(6), np.eye(6, dtype=bool)
    with pytest.raises(InputError, match="evaluated must be a bool"):
        neighbour_rows(vectors, np.arange(6))
    with pytest.raises(InputError, match="not finite"):
        neighbour_rows(vectors * np.nan, evaluated)
    with pytest.raises(InputError, match="rating counts"):
        retrieval(vectors, carries, np.ones(5), evaluated)
    with pytest.raises(InputError, match="cannot be compared"):
        overlap(vectors, vectors[:5], evaluated)
