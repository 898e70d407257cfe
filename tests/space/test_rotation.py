"""Rotations keep every score, find simple structure, and give the same bytes for the same input."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from recsys.errors import InputError, SettingError
from recsys.space.rotation import Method, orthomax, rotate

RNG = np.random.default_rng(0)


def simple_structure(n: int = 400, d: int = 6) -> tuple[np.ndarray, np.ndarray]:
    """Items on one axis each, under a random rotation; and that rotation."""
    hidden = np.abs(RNG.normal(1, 0.2, n))[:, None] * np.eye(d)[RNG.integers(0, d, n)] + RNG.normal(0, 0.05, (n, d))
    rotation = np.linalg.qr(RNG.normal(size=(d, d)))[0]
    return hidden @ rotation, rotation


@pytest.mark.parametrize("method", ["quartimax", "varimax", "nmf"])
def test_hidden_axes_are_found(method: Method) -> None:
    items, rotation = simple_structure()
    similarity = np.abs(rotation @ rotate(items, method))
    assert (similarity.max(axis=1) > 0.97).all()
    assert (np.abs(rotation @ rotate(items, "none")).max(axis=1) < 0.97).any(), "the control finds them too"


def test_independent_components_are_found() -> None:
    rotation = np.linalg.qr(RNG.normal(size=(6, 6)))[0]
    similarity = np.abs(rotation @ rotate(RNG.exponential(size=(2000, 6)) @ rotation, "ica"))
    assert (similarity.max(axis=1) > 0.97).all()


@pytest.mark.parametrize("method", get_args(Method))
def test_columns_are_ordered_of_length_one_and_deterministic(method: Method) -> None:
    items = RNG.exponential(size=(400, 6)) @ np.linalg.qr(RNG.normal(size=(6, 6)))[0]
    columns = rotate(items, method)
    np.testing.assert_allclose(np.linalg.norm(columns, axis=0), 1)
    share = (items @ columns).var(axis=0)
    assert (np.diff(share) <= 1e-12).all()
    assert (((items @ columns) ** 3).sum(axis=0) >= 0).all()
    assert rotate(items, method).tobytes() == columns.tobytes()


@pytest.mark.parametrize("method", ["quartimax", "varimax", "none"])
def test_a_rotation_changes_no_score(method: Method) -> None:
    items, users = RNG.normal(size=(300, 8)), RNG.normal(size=(20, 8))
    columns = rotate(items, method)
    np.testing.assert_allclose(columns.T @ columns, np.eye(8), atol=1e-10)
    np.testing.assert_allclose((users @ columns) @ (items @ columns).T, users @ items.T, atol=1e-10)


@pytest.mark.parametrize("gamma", [0.0, 1.0])
def test_in_two_dimensions_it_finds_the_best_angle(gamma: float) -> None:
    items = RNG.normal(size=(200, 2)) * [2, 1] + [0.5, 0]

    def criterion(rotation: np.ndarray) -> float:
        squares = (items @ rotation) ** 2
        return float((squares**2).sum() - gamma * (squares.sum(axis=0) ** 2).sum() / len(items))

    def rotated(angle: float) -> np.ndarray:
        return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])

    best = max(-minimize_scalar(lambda a: -criterion(rotated(a)), bounds=(at, at + 0.2), method="bounded").fun
               for at in np.arange(0, np.pi / 2, 0.2))  # fmt: skip
    assert criterion(orthomax(items, gamma)) == pytest.approx(best, rel=1e-6)


def test_it_finds_an_optimum_near_the_start() -> None:
    rng = np.random.default_rng(2)
    items = rng.normal(size=(60, 20))  # without structure there are several optima
    axes, later = rotate(items), items + rng.normal(scale=0.03, size=items.shape)

    def likeness(found: np.ndarray) -> float:
        """Of the axis with the worst match."""
        return float(np.abs(axes.T @ found).max(axis=1).min())

    assert likeness(rotate(later, start=axes)) > 0.95
    assert likeness(rotate(later)) < 0.7, "the control: a small change leads to another optimum"


def test_invalid_input_is_refused() -> None:
    with pytest.raises(SettingError, match="'promax'"):
        rotate(RNG.normal(size=(30, 3)), "promax")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="too few"):
        rotate(RNG.normal(size=(3, 3)))
