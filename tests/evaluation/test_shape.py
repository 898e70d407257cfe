"""Effective rank, isotropy and CKA: by formula, and of matrices with a known answer."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from recsys.errors import InputError
from recsys.evaluation import shape
from recsys.evaluation.shape import effective_rank, isotropy, linear_cka


def unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_effective_rank_of_known_matrices() -> None:
    assert effective_rank(np.eye(7)) == pytest.approx(7)
    assert effective_rank(np.outer(np.arange(1, 30), [1.0, 2, 3])) == pytest.approx(1)
    assert effective_rank(np.diag([3.0, 1.0])) == pytest.approx(np.exp(-(0.75 * np.log(0.75) + 0.25 * np.log(0.25))))
    assert np.isnan(effective_rank(np.zeros((4, 3))))


@pytest.mark.parametrize("size", [(80, 30), (30, 80)])
def test_sparse_and_dense_vectors_have_the_same_shape(size, monkeypatch: pytest.MonkeyPatch) -> None:
    matrix = sp.random(*size, density=0.2, format="csr", random_state=0)
    assert effective_rank(matrix) == pytest.approx(effective_rank(matrix.toarray()))
    assert isotropy(matrix) == pytest.approx(isotropy(matrix.toarray()))
    whole = effective_rank(matrix)
    monkeypatch.setattr(shape, "MAX_GRAM", 20)
    monkeypatch.setattr(shape, "N_LEADING", 25)
    values = np.linalg.svd(matrix.toarray(), compute_uv=False)[:25]
    shares = values / values.sum()
    assert effective_rank(matrix) == pytest.approx(np.exp(-(shares * np.log(shares)).sum()), rel=1e-3)
    assert effective_rank(matrix) < whole
    assert 0 < isotropy(matrix) <= 1


def test_isotropy_of_known_directions() -> None:
    basis = np.vstack([np.eye(5), -np.eye(5)])
    assert isotropy(basis * np.arange(1, 11)[:, None]) == pytest.approx(1)  # lengths do not matter
    one_way = isotropy(np.tile([2.0, 0, 0], (50, 1)))
    assert one_way == pytest.approx(np.exp(-2))
    rng = np.random.default_rng(0)
    even, leaning = rng.normal(size=(2000, 8)), rng.normal(size=(2000, 8)) + np.eye(8)[0] * 2
    assert isotropy(even) > 0.9 > 0.5 > isotropy(leaning) > one_way
    assert np.isnan(isotropy(np.zeros((3, 2))))


def test_isotropy_by_the_formula() -> None:
    vectors = np.random.default_rng(2).normal(size=(60, 4)) + 0.5
    v = unit(vectors)
    sums = [np.exp(sign * v @ c).sum() for c in np.linalg.eigh(v.T @ v)[1].T for sign in (1, -1)]
    assert isotropy(vectors) == pytest.approx(min(sums) / max(sums))


def test_cka_of_rotated_and_of_independent_vectors() -> None:
    rng = np.random.default_rng(3)
    a, b = rng.normal(size=(300, 10)) * np.arange(1, 11), rng.normal(size=(300, 6))
    rotation = np.linalg.qr(rng.normal(size=(10, 10)))[0]
    assert linear_cka(a, a) == pytest.approx(1)
    assert linear_cka(a, 3 * a @ rotation + 7) == pytest.approx(1)
    assert linear_cka(a, b) < 0.1
    centre = np.eye(300) - 1 / 300  # by the definition, HSIC of the two kernels
    k, m = centre @ a @ a.T @ centre, centre @ b @ b.T @ centre
    assert linear_cka(a, b) == pytest.approx((k * m).sum() / np.sqrt((k * k).sum() * (m * m).sum()))
    assert np.isnan(linear_cka(a, np.ones((300, 2))))


def test_vectors_of_different_items_cannot_be_compared() -> None:
    with pytest.raises(InputError, match="cannot be compared"):
        linear_cka(np.eye(6), np.eye(6)[:5])
