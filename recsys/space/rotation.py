"""Turning the factors: learned dimensions are arbitrary up to a rotation, which leaves every score as it is.

Here the rotation is chosen so that a movie lies on few axes. Works on directions (vectors of length 1), so that popular
movies, whose vectors are long, do not decide alone.
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from sklearn.decomposition import NMF, FastICA
from threadpoolctl import threadpool_limits

from recsys.errors import InputError, SettingError

Method = Literal["varimax", "quartimax", "ica", "nmf", "none"]
DEFAULT_METHOD: Method = "varimax"
"""Of all methods it names the most axes on MovieLens (19, 8 and 9 of the first 20 on 1M, 100K and latest-small); genres
lie along single axes nearly as clearly as with quartimax (mean AUC .947, .785 and .758 beside .951, .790 and .762)."""


def rotate(directions: np.ndarray, method: Method = DEFAULT_METHOD, seed: int = 42) -> np.ndarray:
    """Columns (d, k) float64 of length 1: the axes found in `directions` (n, d), by share of variance, greatest first.

    varimax    the rotation after which the squares of the coordinates vary most along each axis (Kaiser 1958): each
               axis with few movies
    quartimax  the same without taking each axis's mean square off: each movie on few axes
    ica        independent components (FastICA, Hyvärinen 1999): at right angles only after whitening
    nmf        non-negative factorization (Lee & Seung 1999) of the positive and negative parts side by side; the axes
               are the directions that come nearest to its loadings by least squares
    none       the factors as they were learned

    Every column points to where its coordinates' third moment is positive: the end with the few. With quartimax,
    varimax and none the columns are a rotation. Same input and seed: same bytes. Raises SettingError for an unknown
    method.
    """
    if method not in get_args(Method):
        raise SettingError(f"unknown method {method!r}: use {', '.join(get_args(Method))}")
    if not directions.var(axis=0).any():
        raise InputError("all items point the same way: there are no axes to find")
    if len(directions) <= directions.shape[1]:
        raise InputError(f"{len(directions)} items are too few to turn {directions.shape[1]} dimensions")
    loadings = directions.astype(np.float64)
    d = loadings.shape[1]
    with threadpool_limits(1, "blas"):  # the order of sums would change the last bits
        if method in ("quartimax", "varimax"):
            columns = orthomax(loadings, 1.0 if method == "varimax" else 0.0)
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
        along = loadings @ columns
    columns = columns * np.where((along**3).sum(axis=0) < 0, -1.0, 1.0)
    return columns[:, np.argsort(-along.var(axis=0), kind="stable")]


def orthomax(loadings: np.ndarray, gamma: float, max_steps: int = 2000, tolerance: float = 1e-8) -> np.ndarray:
    """The rotation R (d, d) that maximises Σ_j [Σ_i b_ij⁴ − γ/n (Σ_i b_ij²)²] with B = loadings·R, (n, d).

    γ = 0 is quartimax, γ = 1 varimax. Each step goes to the rotation nearest to the gradient (Jennrich 2001, "A simple
    general procedure for orthogonal rotation"); the criterion never falls.
    """
    rotation = np.eye(loadings.shape[1])
    last = 0.0
    for _ in range(max_steps):
        turned = loadings @ rotation
        squares = turned * turned
        u, singular, vt = np.linalg.svd(loadings.T @ (turned * (squares - gamma * squares.mean(axis=0))))
        rotation = u @ vt
        if singular.sum() <= last * (1 + tolerance):
            break
        last = float(singular.sum())
    return rotation
