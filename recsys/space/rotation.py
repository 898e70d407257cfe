"""Rotation of factors to simple structure.

Learned dimensions are arbitrary up to a rotation, which does not change any score. Here the rotation is chosen so that
each item has large coordinates on few axes. It is computed from directions (vectors of length 1); otherwise popular
items, whose vectors are long, would dominate.
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from sklearn.decomposition import NMF, FastICA
from threadpoolctl import threadpool_limits

from recsys.errors import InputError, SettingError

Method = Literal["varimax", "quartimax", "ica", "nmf", "none"]
DEFAULT_METHOD: Method = "varimax"
"""Of all methods it gives the most named axes on MovieLens (19, 8 and 9 of the first 20 on 1M, 100K and latest-small).
Genres align with single axes nearly as well as with quartimax (mean AUC .947, .785 and .758, against .951, .790 and
.762)."""


def rotate(
    directions: np.ndarray, method: Method = DEFAULT_METHOD, seed: int = 42, start: np.ndarray | None = None
) -> np.ndarray:
    """Axes of `directions` (n, d) in columns of length 1, (d, k) float64, by share of variance, greatest first.

    varimax    the rotation that maximises the variance of the squared coordinates along each axis (Kaiser 1958): few
               items per axis
    quartimax  the same without subtracting the mean square of each axis: few axes per item
    ica        independent components (FastICA, Hyvärinen 1999); perpendicular only after whitening
    nmf        non-negative factorization (Lee & Seung 1999) of the positive and negative parts side by side; the axes
               are the least-squares directions of its loadings
    none       the learned dimensions
    start      a rotation (d, d) from which varimax and quartimax search; default the learned dimensions. They find a
               local optimum near it, so axes of an earlier model as `start` give axes that resemble them. Ignored by
               the other methods

    Each column points to the side where the third moment of its coordinates is positive, the side with fewer items.
    With quartimax, varimax and none the columns are a rotation (up to reflection). Same input and seed: same bytes.
    Raises SettingError for an unknown method, and InputError when all directions are equal or there are not more items
    than dimensions.
    """
    if method not in get_args(Method):
        raise SettingError(f"unknown method {method!r}: use {', '.join(get_args(Method))}")
    if not len(directions) or not directions.var(axis=0).any():
        raise InputError("all item vectors have the same direction: there are no axes to find")
    if len(directions) <= directions.shape[1]:
        raise InputError(
            f"{len(directions)} items are too few to rotate {directions.shape[1]} dimensions: there must be more items"
            " than dimensions"
        )
    loadings = directions.astype(np.float64)
    d = loadings.shape[1]
    with threadpool_limits(1, "blas"):  # several threads would change the order of sums and with it the last bits
        if method in ("quartimax", "varimax"):
            columns = orthomax(loadings, 1.0 if method == "varimax" else 0.0, start)
        elif method == "ica":
            columns = FastICA(d, whiten="unit-variance", max_iter=2000, tol=1e-4, random_state=seed).fit(loadings)
            columns = columns.components_.T
        elif method == "nmf":
            halves = np.hstack([np.maximum(loadings, 0), np.maximum(-loadings, 0)])
            strength = NMF(d, init="nndsvda", max_iter=1000, tol=1e-4, random_state=seed).fit_transform(halves)
            columns = np.linalg.lstsq(loadings, strength, rcond=None)[0]
        else:
            columns = np.eye(d)
        columns = columns / np.linalg.norm(columns, axis=0)
        coordinates = loadings @ columns
    columns = columns * np.where((coordinates**3).sum(axis=0) < 0, -1.0, 1.0)
    ordered: np.ndarray = columns[:, np.argsort(-coordinates.var(axis=0), kind="stable")]
    return ordered


def orthomax(
    loadings: np.ndarray,
    gamma: float,
    start: np.ndarray | None = None,
    max_steps: int = 2000,
    tolerance: float = 1e-8,
) -> np.ndarray:
    """The rotation R (d, d) that maximises Σ_j [Σ_i b_ij⁴ − γ/n (Σ_i b_ij²)²] with B = loadings·R, (n, d).

    γ = 0 is quartimax, γ = 1 varimax. Each step takes the rotation nearest to the gradient (Jennrich 2001, "A simple
    general procedure for orthogonal rotation"), which never decreases the criterion. The first one is made from `start`
    (d, d), by default the identity.
    """
    rotation = np.eye(loadings.shape[1]) if start is None else start
    last = 0.0
    for _ in range(max_steps):
        rotated = loadings @ rotation
        squares = rotated * rotated
        u, singular, vt = np.linalg.svd(loadings.T @ (rotated * (squares - gamma * squares.mean(axis=0))))
        rotation = u @ vt
        if singular.sum() <= last * (1 + tolerance):
            break
        last = float(singular.sum())
    return rotation
