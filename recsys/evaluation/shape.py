"""The shape of a set of vectors: effective rank, isotropy, and similarity up to rotation (CKA)."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from sklearn.decomposition import TruncatedSVD

from recsys.errors import InputError
from recsys.evaluation.linear_probes import MAX_GRAM, eigenvectors
from recsys.evaluation.vectors import Vectors, dense, lengths, unit

N_LEADING = 512
"""Sparse vectors with more than `MAX_GRAM` rows and dimensions are measured by their leading singular values only."""


def effective_rank(vectors: Vectors) -> float:
    """Number of dimensions in use: exp(−Σ p log p), p the singular values over their sum (Roy & Vetterli 2007).

    vectors  (n, d) floats, dense or CSR, neither centred nor scaled: long vectors count more

    1 for rank one, d for the identity, NaN for zero vectors. For sparse vectors with more than `MAX_GRAM` rows and
    dimensions only the `N_LEADING` largest singular values count (randomized truncated SVD), a lower bound.
    """
    values = _spectrum(vectors)[1]
    if not values.sum() > 0:
        return np.nan
    shares = values[values > 0] / values.sum()
    return float(np.exp(-(shares * np.log(shares)).sum()))


def isotropy(vectors: Vectors) -> float:
    """How evenly directions are distributed: min Z(c) / max Z(c), Z(c) = Σᵢ exp(c·vᵢ), 0 … 1, 1 is uniform.

    Mu & Viswanath 2018: c ranges over the eigenvectors of VᵀV, V the vectors scaled to length 1. An eigenvector has no
    sign, so both signs count. All vectors in one direction: e⁻². NaN without nonzero vectors. Large sparse vectors:
    the leading eigenvectors only, as in `effective_rank`.
    """
    directions = unit(vectors)
    directions = directions[lengths(directions) > 0]
    if directions.shape[0] == 0:
        return np.nan
    left, values = _spectrum(directions)
    along = left * values  # c·vᵢ for every item and eigenvector
    sums = np.concatenate([np.exp(along).sum(axis=0), np.exp(-along).sum(axis=0)])
    if len(values) < directions.shape[1] and not _is_large(directions):
        sums = np.append(sums, directions.shape[0])  # eigenvectors orthogonal to all items: exp(0) each
    return float(sums.min() / sums.max())


def linear_cka(a: np.ndarray, b: np.ndarray) -> float:
    """Similarity of two representations up to rotation: ‖AᵀB‖² / (‖AᵀA‖ ‖BᵀB‖) with centred columns, 0 … 1.

    a, b  (n, d) and (n, d') dense, the same items in the rows

    Kornblith et al. 2019, "Similarity of neural network representations revisited". NaN if either is constant; raises
    InputError for different numbers of rows.
    """
    if a.shape[0] != b.shape[0]:
        raise InputError(f"representations of {a.shape[0]} and {b.shape[0]} items cannot be compared")
    a, b = (np.asarray(v, dtype=np.float64) for v in (a, b))
    a, b = a - a.mean(axis=0), b - b.mean(axis=0)
    size = np.linalg.norm(a.T @ a) * np.linalg.norm(b.T @ b)
    return float(np.linalg.norm(a.T @ b) ** 2 / size) if size > 0 else np.nan


def _is_large(vectors: Vectors) -> bool:
    return sp.issparse(vectors) and min(vectors.shape) > MAX_GRAM


def _spectrum(vectors: Vectors) -> tuple[np.ndarray, np.ndarray]:
    """Left singular vectors (n, r) and singular values (r,) above rounding error, not centred; see `effective_rank`."""
    n, d = vectors.shape
    if not sp.issparse(vectors):  # the Gram matrix would be faster, but lose half of the digits
        left, values, _ = np.linalg.svd(np.asarray(vectors, np.float64), full_matrices=False)
        kept = values > values.max(initial=0) * max(n, d) * np.finfo(np.float64).eps
        return left[:, kept], values[kept]
    vectors = sp.csr_matrix(vectors, dtype=np.float64)
    if _is_large(vectors):
        svd = TruncatedSVD(N_LEADING, random_state=0)
        scores = svd.fit_transform(vectors)
        return scores / svd.singular_values_, svd.singular_values_
    if n <= d:
        squares, left = eigenvectors(dense(vectors @ vectors.T))
        return left, np.sqrt(squares)
    squares, axes = eigenvectors(dense(vectors.T @ vectors))
    values = np.sqrt(squares)
    return vectors @ axes / values, values
