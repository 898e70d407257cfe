"""The normal equations of one user, in double precision: folding in and explaining, for every model of least squares.

With the item factors Y fixed, such a model gives a user with weights c_i on the rated items the vector x = A⁻¹ b, where

    A = base · YᵀY + Σ_i q_i y_i y_iᵀ + ridge · I        b = Σ_i c_i y_i
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.linalg

from recsys.space.embedding import EmbeddingSpace


@dataclass(frozen=True, eq=False)
class NormalEquations:
    """One user's A (d, d) and, for each rated item, its part c_i·y_i of b: (n_rated, d). Both float64."""

    matrix: np.ndarray
    parts: np.ndarray

    @classmethod
    def of(
        cls,
        space: EmbeddingSpace,
        items: np.ndarray,
        base: float,
        quadratic: np.ndarray,
        linear: np.ndarray,
        ridge: float,
    ) -> NormalEquations:
        """items (n_rated,) are row numbers; quadratic q and linear c have a value for each."""
        rated = space.item_factors[items].astype(np.float64)
        matrix = base * space.item_gram + (rated.T * quadratic.astype(np.float64)) @ rated
        matrix[np.diag_indices_from(matrix)] += ridge
        return cls(matrix, linear.astype(np.float64)[:, None] * rated)

    def solve(self) -> np.ndarray:
        """The user's vector x, (d,) float64."""
        return scipy.linalg.solve(self.matrix, self.parts.sum(axis=0), assume_a="pos")

    def contributions(self, space: EmbeddingSpace, item_rows: np.ndarray) -> np.ndarray:
        """The exact split of the user's scores over the rated items: (n_rated, len(item_rows)), columns sum to the
        scores.

        x = A⁻¹ Σ_j c_j y_j, so score_i = Σ_j c_j · y_iᵀ A⁻¹ y_j (Hu, Koren & Volinsky 2008, section 5).
        """
        solved = scipy.linalg.solve(self.matrix, space.item_factors[item_rows].T.astype(np.float64), assume_a="pos")
        return (self.parts @ solved).astype(np.float32)
