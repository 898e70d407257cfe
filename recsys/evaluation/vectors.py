"""Helpers for vectors of items, dense or sparse: lengths, directions, reduction to fewer dimensions."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import scipy.sparse as sp
from sklearn.decomposition import PCA, TruncatedSVD

from recsys.errors import InputError

Vectors: TypeAlias = np.ndarray | sp.csr_matrix
"""(n, d) floats, one row per item."""

NARROW, REDUCED = 200, 64
"""Vectors that are sparse or have more than `NARROW` dimensions are reduced to `REDUCED` before they are clustered."""


def dense(vectors: Vectors) -> np.ndarray:
    """Vectors as a NumPy array, (n, d)."""
    return vectors.toarray() if not isinstance(vectors, np.ndarray) else vectors


def lengths(vectors: Vectors) -> np.ndarray:
    """Euclidean length of each row, (n,)."""
    if isinstance(vectors, np.ndarray):
        return np.linalg.norm(vectors, axis=1)
    return np.sqrt(np.asarray(vectors.multiply(vectors).sum(axis=1)).ravel())


def unit(vectors: Vectors) -> Vectors:
    """Rows scaled to length 1, float64, CSR if they were sparse; zero rows stay zero.

    Raises InputError unless the vectors are two-dimensional and finite.
    """
    if vectors.ndim != 2:
        raise InputError(f"vectors of shape {vectors.shape} are not one row an item")
    vectors = sp.csr_matrix(vectors, dtype=np.float64) if sp.issparse(vectors) else np.asarray(vectors, np.float64)
    if not np.isfinite(vectors.data if sp.issparse(vectors) else vectors).all():
        raise InputError("vectors hold values that are not finite")
    norms = lengths(vectors)
    scale = np.divide(1.0, norms, out=np.zeros_like(norms), where=norms > 0)
    return sp.csr_matrix(sp.diags(scale) @ vectors) if sp.issparse(vectors) else vectors * scale[:, None]


def evaluated_directions(vectors: Vectors, evaluated: np.ndarray) -> tuple[np.ndarray, Vectors]:
    """The evaluated items with a nonzero vector: their rows (m,) int64 and their directions (m, d) float64.

    Raises InputError unless `evaluated` is a bool array with one entry per item.
    """
    if evaluated.shape != (vectors.shape[0],) or evaluated.dtype != bool:
        raise InputError(
            f"evaluated must be a bool for each of {vectors.shape[0]} items, not {evaluated.dtype} {evaluated.shape}"
        )
    chosen = np.flatnonzero(evaluated)
    directions = unit(vectors[chosen])
    there = lengths(directions) > 0
    return chosen[there], directions[there]


def checked_attributes(carries: np.ndarray, evaluated: np.ndarray) -> np.ndarray:
    """Attributes as a bool array (n_items, m). Raises InputError for another shape."""
    carries = np.asarray(carries, dtype=bool)
    if carries.ndim != 2 or len(carries) != len(evaluated):
        raise InputError(f"attributes of shape {carries.shape} do not fit {len(evaluated)} items")
    return carries


def rarest_attribute(carried: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """The rarest attribute of each row, by `counts` (m,), ties by position; −1 for none: (n,) int64."""
    if not carried.shape[1]:
        return np.full(len(carried), -1)
    weights = np.where(carried, counts.astype(np.float64), np.inf)
    return np.where(carried.any(axis=1), weights.argmin(axis=1), -1)


def compact(directions: Vectors, seed: int) -> np.ndarray:
    """Dense vectors with few enough dimensions to be clustered (truncated SVD)."""
    n, d = directions.shape
    if (d <= NARROW and not sp.issparse(directions)) or min(n, d) <= REDUCED:
        return dense(directions)
    return TruncatedSVD(REDUCED, random_state=seed).fit_transform(directions)


def principal_components(vectors: Vectors, n: int, seed: int) -> np.ndarray:
    """Vectors on their first n principal components, or as many as there are; sparse ones are not made dense."""
    n = min(n, *vectors.shape)
    if n == 0:
        return np.zeros((vectors.shape[0], 0))
    if not sp.issparse(vectors) or n == min(vectors.shape):
        return PCA(n, svd_solver="full").fit_transform(dense(vectors).astype(np.float64))
    squares = sp.csr_matrix(vectors).power(2)
    if np.allclose(squares.mean(axis=0), np.square(vectors.mean(axis=0))):
        return np.zeros((vectors.shape[0], n))  # all rows are equal: there is no component to find
    return PCA(n, svd_solver="arpack", random_state=seed).fit_transform(vectors.astype(np.float64))
