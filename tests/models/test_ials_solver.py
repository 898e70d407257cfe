"""The compiled solvers against a plain NumPy solution of the same normal equations."""

from __future__ import annotations

import numba
import numpy as np
import pytest
import scipy.sparse as sp

from recsys.models import ials_solver
from recsys.models.ials_solver import Side, conjugate_gradient, newton, observed_loss
from recsys.models.simd import (
    STEP,
    add_four_rows,
    add_one_row,
    aligned_zeros,
    halve,
    padded,
    square_four_rows,
    square_one_row,
)

ALPHA0 = 0.2


def problem(n_rows: int = 60, n_fixed: int = 45, d: int = 20, seed: int = 0) -> tuple[Side, np.ndarray, np.ndarray]:
    """Weights with rows of every length, from empty to full; the initial vectors of the rows; the fixed side."""
    rng = np.random.default_rng(seed)
    share = np.linspace(0, 1, n_rows)[:, None]
    dense = (rng.random((n_rows, n_fixed)) < share) * rng.uniform(0.2, 3, (n_rows, n_fixed))
    ridge = rng.uniform(0.5, 2, n_rows).astype(np.float32)
    side = Side(sp.csr_matrix(dense, dtype=np.float32), ridge)
    return side, rng.normal(size=(n_rows, d)).astype("f4") / 4, rng.normal(size=(n_fixed, d)).astype("f4") / 2


def plain(side: Side, fixed: np.ndarray, gathered: np.ndarray | None = None) -> np.ndarray:
    """x = (Σ w y yᵀ + α₀ YᵀY + ridge I)⁻¹ Σ w y, one row at a time, in double precision.

    gathered  y in the sums over interactions, if it differs from the fixed factors
    """
    y = (fixed if gathered is None else gathered).astype(np.float64)
    gram = fixed.astype(np.float64).T @ fixed
    weights = side.weights.toarray().astype(np.float64)
    return np.array(
        [
            np.linalg.solve((y.T * w) @ y + ALPHA0 * gram + ridge * np.eye(y.shape[1]), y.T @ w)
            for w, ridge in zip(weights, side.ridge, strict=True)
        ]
    )


def bfloat16(rows: np.ndarray) -> np.ndarray:
    """Rounded to the nearest number whose lower 16 bits are 0."""
    bits = np.ascontiguousarray(rows).view(np.uint32) + np.uint32(0x8000) & np.uint32(0xFFFF0000)
    return bits.view(np.float32)


def scores(rows: np.ndarray, fixed: np.ndarray) -> np.ndarray:
    return rows @ fixed.T


@pytest.mark.parametrize("d", [1, 5, 16, 20, 64])
def test_cholesky_agrees_with_plain_numpy(d: int) -> None:
    side, rows, fixed = problem(d=d)
    np.testing.assert_allclose(newton(side, rows, fixed, ALPHA0, d), plain(side, fixed), atol=1e-4)


@pytest.mark.parametrize("block", [1, 7, 16])
def test_blocks_lead_to_the_same_solution(block: int) -> None:
    side, rows, fixed = problem()
    errors = []
    for _ in range(40):
        rows = newton(side, rows, fixed, ALPHA0, block)
        errors.append(np.abs(rows - plain(side, fixed)).max())
    assert errors[-1] < 1e-4 < errors[0]  # one pass of small blocks is not enough


@pytest.mark.parametrize("d", [1, 5, 20, 64, 128])  # loops over steps of 32 numbers, and unrolled ones
def test_conjugate_gradient_agrees_with_plain_numpy(d: int) -> None:
    side, rows, fixed = problem(d=d)
    popularity = side.weights.getnnz(axis=0).astype(np.float32)
    found, rotated = conjugate_gradient(side, rows, fixed, popularity, ALPHA0, 60)
    assert found.shape == rows.shape and rotated.shape == fixed.shape
    expected = plain(side, rotated, gathered=bfloat16(rotated))
    np.testing.assert_allclose(scores(found, rotated), scores(expected, rotated), atol=1e-4)
    # the exact solution is as near as 8 bits of precision allow
    np.testing.assert_allclose(scores(found, rotated), scores(plain(side, fixed), fixed), atol=5e-3)


def test_the_rotation_changes_no_score_and_makes_the_gram_matrix_diagonal() -> None:
    side, rows, fixed = problem()
    everyone = Side(sp.csr_matrix(np.ones(side.weights.shape, dtype=np.float32)), side.ridge)
    found, rotated = conjugate_gradient(everyone, rows, fixed, np.ones(len(fixed), "f4"), ALPHA0, 0)
    np.testing.assert_allclose(scores(found, rotated), scores(rows, fixed), atol=1e-5)
    gram = rotated.T @ rotated
    np.testing.assert_allclose(gram - np.diag(np.diag(gram)), 0, atol=1e-4)


def test_every_step_reduces_the_error_and_the_preconditioner_helps() -> None:
    side, rows, fixed = problem(n_rows=200, n_fixed=300, d=32)
    fixed = fixed * np.logspace(0, -1.5, 32, dtype=np.float32)  # axes of unequal length, as in trained models
    goal = scores(plain(side, fixed), fixed)
    popularity = side.weights.getnnz(axis=0).astype(np.float32)

    def error(steps: int, popularity: np.ndarray) -> float:
        found, rotated = conjugate_gradient(side, rows, fixed, popularity, ALPHA0, steps)
        return float(np.linalg.norm(scores(found, rotated) - goal))

    errors = [error(steps, popularity) for steps in range(5)]
    assert errors == sorted(errors, reverse=True)
    assert error(2, popularity) < 0.8 * error(2, np.zeros_like(popularity))


def test_the_number_of_threads_does_not_change_the_result(monkeypatch: pytest.MonkeyPatch) -> None:
    side, rows, fixed = problem(n_rows=500)
    popularity = side.weights.getnnz(axis=0).astype(np.float32)
    monkeypatch.setattr(ials_solver, "n_cores", lambda: 1)
    one = conjugate_gradient(side, rows, fixed, popularity, ALPHA0, 3)[0]
    exact = newton(side, rows, fixed, ALPHA0, 8)
    monkeypatch.setattr(ials_solver, "n_cores", lambda: 5)
    assert conjugate_gradient(side, rows, fixed, popularity, ALPHA0, 3)[0].tobytes() == one.tobytes()
    assert newton(side, rows, fixed, ALPHA0, 8).tobytes() == exact.tobytes()


def test_64_bit_indices_give_the_same_result() -> None:
    side, rows, fixed = problem()
    wide = side.weights.copy()
    wide.indices, wide.indptr = wide.indices.astype(np.int64), wide.indptr.astype(np.int64)
    popularity = side.weights.getnnz(axis=0).astype(np.float32)
    found = conjugate_gradient(Side(wide, side.ridge), rows, fixed, popularity, ALPHA0, 3)[0]
    np.testing.assert_array_equal(found, conjugate_gradient(side, rows, fixed, popularity, ALPHA0, 3)[0])


def test_the_observed_loss_is_the_documented_sum() -> None:
    side, rows, fixed = problem()
    dense = side.weights.toarray().astype(np.float64)
    expected = (dense * (1 - scores(rows.astype("f8"), fixed.astype("f8"))) ** 2).sum()
    assert observed_loss(side.weights, rows, fixed) == pytest.approx(expected, rel=1e-6)


def test_rows_start_on_a_cache_line() -> None:
    for shape in ((3, 32), (1, 64), (7, 96)):
        made = aligned_zeros(*shape)
        assert made.shape == shape and made.ctypes.data % 64 == 0 and not made.any()
    assert [padded(d) for d in (1, STEP, STEP + 1)] == [STEP, STEP, 2 * STEP]


@numba.njit
def swept(y, indices, weights, x, out):  # type: ignore[no-untyped-def]
    """The operations on four rows and on the fifth: adds to out, returns the sum of squares."""
    add_four_rows(y, indices, weights, 0, x, np.float32(1), np.float32(-1), out)
    add_one_row(y, indices, weights, 4, x, np.float32(1), np.float32(-1), out)
    return square_four_rows(y, indices, weights, 0, x) + square_one_row(y, indices, weights, 4, x)


@pytest.mark.parametrize("d", [32, 64])
def test_row_operations_agree_with_plain_numpy_on_float32_and_on_halves(d: int) -> None:
    rng = np.random.default_rng(0)
    y, x, weights = (rng.normal(size=size).astype("f4") for size in ((9, d), d, 5))
    indices = np.array([8, 0, 3, 3, 7], np.int32)
    halves = aligned_zeros(9, d // 2, np.int32)
    halve(y, halves)
    for rows, values in ((y, y), (halves, bfloat16(y))):
        out = np.ones(d, np.float32)
        squares = swept(rows, indices, weights, x, out)
        chosen = values[indices].astype("f8")
        np.testing.assert_allclose(out, 1 + (weights * (1 - chosen @ x)) @ chosen, rtol=1e-4, atol=1e-4)
        assert squares == pytest.approx(weights @ (chosen @ x) ** 2, rel=1e-4)
