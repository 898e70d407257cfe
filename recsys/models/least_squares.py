"""The normal equations of one user, in double precision: fold-in and explanations of least-squares models.

With the item factors Y fixed, the vector of a user is x = A⁻¹ b, where

    A = base · YᵀY + Σ_i q_i y_i y_iᵀ + ridge · I        b = Σ_i c_i y_i

and the sums run over the items that the user rated.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy  # loads scipy.linalg when it is used

from recsys.space.embedding import EmbeddingSpace


@dataclass(frozen=True, eq=False)
class NormalEquations:
    """The equations of one user.

    matrix  (d, d) float64, A
    parts   (n_rated, d) float64, the terms c_i·y_i of b
    prior   (d,) float64, a further term of b that belongs to no rated item; None: there is none
    """

    matrix: np.ndarray
    parts: np.ndarray
    prior: np.ndarray | None = None

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
        """Set up the equations.

        items              (n_rated,) row numbers of the rated items
        quadratic, linear  (n_rated,) their q_i and c_i
        """
        rated = space.item_factors[items].astype(np.float64)
        matrix = base * space.item_gram + (rated.T * quadratic.astype(np.float64)) @ rated
        matrix[np.diag_indices_from(matrix)] += ridge
        return cls(matrix, linear.astype(np.float64)[:, None] * rated)

    def solve(self) -> np.ndarray:
        """The user's vector x, (d,) float64."""
        right = self.parts.sum(axis=0)
        if self.prior is not None:
            right = right + self.prior
        solution: np.ndarray = scipy.linalg.solve(self.matrix, right, assume_a="pos")
        return solution

    def contributions(self, space: EmbeddingSpace, item_rows: np.ndarray) -> np.ndarray:
        """The exact split of the user's scores over the rated items: (n_rated, len(item_rows)) float32.

        x = A⁻¹ Σ_j c_j y_j, so score_i = Σ_j c_j · y_iᵀ A⁻¹ y_j (Hu, Koren & Volinsky 2008, section 5). Columns sum to
        the scores, without what the prior adds.
        """
        solved = scipy.linalg.solve(self.matrix, space.item_factors[item_rows].T.astype(np.float64), assume_a="pos")
        shares: np.ndarray = self.parts @ solved
        return shares.astype(np.float32)
