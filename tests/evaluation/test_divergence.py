"""KL and JS divergence: compared with known distributions and a plain loop."""

from __future__ import annotations

from dataclasses import astuple

import numpy as np
import pytest
import scipy.sparse as sp

from recsys.errors import InputError
from recsys.evaluation.divergence import divergence, knn_kl


def kl_of_gaussians(mean: np.ndarray, spread: np.ndarray) -> float:
    """D(N(mean, spread²) ‖ N(0, 1)) for independent coordinates."""
    return float((spread**2 + mean**2 - 1 - 2 * np.log(spread)).sum() / 2)


@pytest.mark.parametrize(
    ("mean", "spread"), [((0, 0), (1, 1)), ((0.5, 0), (1, 1)), ((0, 0), (0.5, 0.7)), ((0.3, -0.5), (0.8, 0.6))]
)
def test_kl_between_gaussians(mean, spread) -> None:
    rng = np.random.default_rng(10)
    a, b = np.array(mean) + np.array(spread) * rng.normal(size=(3000, 2)), rng.normal(size=(3000, 2))
    known = kl_of_gaussians(np.array(mean), np.array(spread))
    assert knn_kl(a, b, 5) == pytest.approx(known, abs=0.06)
    assert knn_kl(a, b[:1500], 5) == pytest.approx(known, abs=0.06)  # samples may have different sizes


def test_kl_is_asymmetric_and_biased_low_in_the_tails_but_less_with_more_points() -> None:
    rng = np.random.default_rng(10)
    mean, spread = np.array([1.0, -0.5]), np.array([1.5, 0.8])
    known = kl_of_gaussians(mean, spread)
    few, many = (
        knn_kl(mean + spread * rng.normal(size=(n, 2)), rng.normal(size=(n, 2)), 1) - known for n in (300, 20_000)
    )
    assert few < many < 0.05
    assert many == pytest.approx(0, abs=0.1)
    wide, narrow = rng.normal(size=(3000, 2)), 0.5 * rng.normal(size=(3000, 2))
    assert knn_kl(wide, narrow) > knn_kl(narrow, wide) + 0.1


def test_kl_by_a_plain_loop() -> None:
    rng = np.random.default_rng(11)
    a, b = rng.normal(size=(40, 3)), rng.normal(size=(25, 3)) + 1
    total = 0.0
    for i in range(40):
        own = sorted(np.linalg.norm(a[i] - a[j]) for j in range(40) if j != i)
        other = sorted(np.linalg.norm(a[i] - y) for y in b)
        total += np.log(other[2] / own[2])
    assert knn_kl(a, b, 3) == pytest.approx(3 / 40 * total + np.log(25 / 39))
    with pytest.raises(InputError, match="no 30th neighbour"):
        knn_kl(a, b, 30)
    with pytest.raises(InputError, match="are equal"):
        knn_kl(np.zeros((9, 2)), b[:, :2], 3)


def test_divergence_is_0_for_equal_and_ln_2_for_disjoint_distributions() -> None:
    rng = np.random.default_rng(12)
    a, same, n = rng.normal(size=(700, 10)), rng.normal(size=(500, 10)), 10
    equal = divergence(a, same)
    assert equal.js < 0.01 and equal.js_control < 0.01
    assert abs(equal.kl_ab) < 0.35 and abs(equal.kl_ba) < 0.35
    apart = divergence(a + 8 * np.eye(n)[0], same - 8 * np.eye(n)[0])
    assert apart.js == pytest.approx(np.log(2), abs=0.02)
    assert apart.js_control < 0.01 and min(apart.kl_ab, apart.kl_ba) > 5
    partly = divergence(a + np.eye(n)[0], same)
    assert equal.js + 0.05 < partly.js < apart.js - 0.2
    assert divergence(a, same) == equal
    lengths = rng.uniform(0.1, 9, size=(700, 1))
    assert astuple(divergence(a * lengths, same)) == pytest.approx(astuple(equal), abs=1e-4)  # only directions count


def test_js_of_overlapping_arcs_is_near_its_integral() -> None:
    """Directions uniform on 0 … 1.2 rad and on 0.6 … 1.8 overlap by half, so JS = ½ ln 2."""
    rng = np.random.default_rng(13)
    arcs = rng.uniform(0, 1.2, 1500), rng.uniform(0.6, 1.8, 1500)
    a, b = (np.column_stack([np.cos(t), np.sin(t)]) for t in arcs)
    found = divergence(a, b)
    assert found.js == pytest.approx(np.log(2) / 2, abs=0.03)
    assert found.js_control < 0.01


def test_equal_and_sparse_points_are_supported() -> None:
    rng = np.random.default_rng(14)
    a, b = (np.eye(6)[rng.integers(6, size=n)] for n in (600, 400))  # repeated points only
    found = divergence(a, b)
    assert np.isfinite(astuple(found)).all() and found.js < 0.05
    assert np.isfinite(astuple(divergence(np.ones((50, 3)), np.ones((40, 3))))).all()
    apart = divergence(sp.csr_matrix(np.eye(6)[rng.integers(3, size=300)]), sp.csr_matrix(b * [0, 0, 0, 1, 1, 1]))
    assert apart.js == pytest.approx(np.log(2), abs=0.02)
    wide_a, wide_b = (sp.random(150, 400, density=0.05, format="csr", random_state=s) for s in (1, 2))
    assert divergence(wide_a, wide_b).js < 0.05
    with pytest.raises(InputError, match="too few"):
        divergence(np.eye(4), np.eye(4))


def test_vectors_of_different_spaces_are_refused() -> None:
    with pytest.raises(InputError, match="different spaces"):
        divergence(np.eye(6), np.eye(6)[:, :5])
