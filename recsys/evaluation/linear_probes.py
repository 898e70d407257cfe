"""Linear probes: how much of an attribute or a number can be read from vectors by a linear model.

A probe is ridge regression on the directions, evaluated on held-out items in 5-fold cross-validation (Alain & Bengio
2017 for the idea). The penalty is chosen for each target by exact leave-one-out error within the training items (PRESS,
Allen 1974). `space.probes` fits the axes that users ask for; here many attributes share one decomposition per fold.
"""

from __future__ import annotations

import numpy as np

from recsys.errors import InputError
from recsys.evaluation.vectors import (
    Vectors,
    checked_attributes,
    compact,
    dense,
    evaluated_directions,
    rarest_attribute,
)
from recsys.space.auc import auc

N_FOLDS = 5
PENALTIES = np.logspace(-3, 3, 9)
"""Ridge penalties to choose from, as multiples of the mean eigenvalue of the training vectors: scale cancels."""
MAX_GRAM = 4000
"""Vectors with more rows and more dimensions than this are first reduced, since a Gram matrix would be too large."""


def probe_auc(vectors: Vectors, carries: np.ndarray, evaluated: np.ndarray, seed: int = 42) -> np.ndarray:
    """AUC of a linear probe for each attribute on held-out items, (m,) float64.

    vectors    (n_items, d) floats, dense or CSR; zero rows are left out
    carries    (n_items, m) bool: which items have which attribute
    evaluated  (n_items,) bool: the items that the probe is trained and evaluated on

    w = (XᵀX + λI)⁻¹ Xᵀy with X and y centred. The folds are the same for all attributes, stratified by each item's
    rarest attribute; one AUC is computed over the held-out values of all folds. NaN where fewer than 2 evaluated items
    have, or lack, the attribute.

    Costs one eigendecomposition of a min(d, items) squared matrix per fold; sparse rows with d < items are made dense.
    Beyond `MAX_GRAM` squared the probe uses the leading dimensions of a truncated SVD instead.
    """
    carries = checked_attributes(carries, evaluated)
    rows, directions = evaluated_directions(vectors, evaluated)
    carried = carries[rows]
    n_in, n_out = carried.sum(axis=0), (~carried).sum(axis=0)
    defined = (n_in >= 2) & (n_out >= 2)
    areas = np.full(carries.shape[1], np.nan)
    if not defined.any():
        return areas
    folds = _folds(rarest_attribute(carried, n_in), seed)
    # Values of different folds are compared, so they need the same location and scale. The training mean is low where
    # a test fold happens to contain many carriers, and a fold with a high penalty has small values: either would push
    # the AUC of uninformative vectors below one half.
    values, _, spread = _held_out(directions, carried[:, defined].astype(np.float64), folds)
    scaled = np.divide(values, spread, out=np.zeros_like(values), where=spread > 0)
    areas[defined] = np.diagonal(auc(scaled, carried[:, defined]))
    return areas


def probe_r2(vectors: Vectors, targets: np.ndarray, evaluated: np.ndarray, seed: int = 42) -> float:
    """Held-out R² of a linear probe for a number: 1 − Σ (y − ŷ)² / Σ (y − ȳ)², over all 5 folds.

    targets  (n_items,) floats such as the mean rating or the year; items with NaN are left out

    Vectors and `evaluated` as in `probe_auc`. Negative: worse than predicting the mean. NaN for a constant target or
    fewer items than folds.
    """
    targets = np.asarray(targets, dtype=np.float64)
    if targets.shape != evaluated.shape:
        raise InputError(f"targets of shape {targets.shape} do not fit {len(evaluated)} items")
    rows, directions = evaluated_directions(vectors, evaluated & ~np.isnan(targets))
    y = targets[rows]
    if len(rows) < N_FOLDS or np.ptp(y) == 0:
        return np.nan
    values, means, _ = _held_out(directions, y[:, None], _folds(np.zeros(len(rows), dtype=np.int64), seed))
    return float(1 - ((y - (values + means)[:, 0]) ** 2).sum() / ((y - y.mean()) ** 2).sum())


def _folds(strata: np.ndarray, seed: int) -> np.ndarray:
    """The fold of each row, (n,) int: the rows of each stratum are spread evenly over the folds, in random order."""
    shuffled = np.random.default_rng(seed).permutation(len(strata))
    order = shuffled[np.argsort(strata[shuffled], kind="stable")]
    folds = np.empty(len(strata), dtype=np.int64)
    folds[order] = np.arange(len(strata)) % N_FOLDS
    return folds


def _held_out(directions: Vectors, targets: np.ndarray, folds: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Ridge predictions for the rows of each fold from the rows of the others.

    directions (n, d), targets (n, m). Returns the predictions without the mean of the training targets, these means,
    and the standard deviations of the same probe's values on its training rows, all (n, m). On the principal axes of
    the training vectors, all targets and penalties share one eigendecomposition per fold; it is taken of the smaller of
    XᵀX (d, d) and XXᵀ (n, n).
    """
    if min(directions.shape) > MAX_GRAM:
        directions = compact(directions, seed=0)
    wide = directions.shape[1] > len(folds) * (1 - 1 / N_FOLDS)
    table = dense(directions @ directions.T) if wide else dense(directions)
    values, means, spread = (np.zeros_like(targets) for _ in range(3))
    for fold in range(N_FOLDS):
        test = np.flatnonzero(folds == fold)
        train = np.flatnonzero(folds != fold)
        if not len(test) or not len(train):
            continue
        train_x, test_x, squares = (_kernel_axes if wide else _column_axes)(table, train, test)
        y = targets[train]
        means[test] = y.mean(axis=0)
        if not len(squares):  # all training vectors are equal
            continue
        y = y - y.mean(axis=0)
        along = train_x.T @ y
        penalties = PENALTIES * squares.mean()
        errors = []
        for penalty in penalties:
            residual = y - train_x @ (along / (squares + penalty)[:, None])
            leverage = 1 / len(train) + train_x**2 @ (1 / (squares + penalty))  # the first term is the intercept's
            errors.append(((residual / np.maximum(1 - leverage, 1e-9)[:, None]) ** 2).sum(axis=0))
        best = penalties[np.argmin(errors, axis=0)]
        weights = along / (squares[:, None] + best)
        values[test] = test_x @ weights
        spread[test] = (train_x @ weights).std(axis=0)
    return values, means, spread


def _column_axes(x: np.ndarray, train: np.ndarray, test: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Training and test rows of x (n, d) on the principal axes of the training rows, and their squared lengths."""
    train_x = x[train]
    centre = train_x.mean(axis=0)
    train_x = train_x - centre
    squares, axes = eigenvectors(train_x.T @ train_x, len(train))
    return train_x @ axes, (x[test] - centre) @ axes, squares


def _kernel_axes(kernel: np.ndarray, train: np.ndarray, test: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """As `_column_axes`, from the inner products of all rows, (n, n)."""
    within, across = kernel[np.ix_(train, train)], kernel[np.ix_(test, train)]
    centre = within.mean(axis=0)
    squares, axes = eigenvectors(within - centre - centre[:, None] + centre.mean(), len(train))
    # Centring would also subtract a constant from each row of `across`, but every axis sums to 0.
    return axes * np.sqrt(squares), (across - centre) @ axes / np.sqrt(squares), squares


def eigenvectors(gram: np.ndarray, before: float = 0) -> tuple[np.ndarray, np.ndarray]:
    """Eigenvalues above rounding error, and their eigenvectors in columns; `before` is the trace before centring."""
    values, axes = np.linalg.eigh(gram)
    kept = values > max(values.max(initial=0), before) * len(gram) * np.finfo(np.float64).eps
    return values[kept], axes[:, kept]
