"""The area under the ROC curve (AUC) of attributes along directions, with its confidence interval and p value."""

from __future__ import annotations

import numpy as np
from scipy.stats import norm, rankdata


def auc(values: np.ndarray, carries: np.ndarray) -> np.ndarray:
    """The chance that a random carrier has the greater value than a random other item, ties half.

    values (n, k), carries bool (n, m) → (m, k) float64; NaN where all or none carry. Mann & Whitney 1947.
    """
    ranks = rankdata(values, axis=0)
    inside = carries.sum(axis=0)[:, None].astype(np.float64)
    outside = len(values) - inside
    wins = carries.T.astype(np.float64) @ ranks - inside * (inside + 1) / 2
    pairs = inside * outside
    return np.divide(wins, pairs, out=np.full(wins.shape, np.nan), where=pairs > 0)


def auc_interval(area: float, n_carriers: int, n_others: int, level: float = 0.95) -> tuple[float, float]:
    """The interval of an AUC by Newcombe's (2006) method 5: those θ whose own standard error reaches the one measured.

    Var(θ) = θ(1−θ) [1 + (n−1) ((1−θ)/(2−θ) + θ/(1+θ))] / (n_carriers · n_others), n their mean (Hanley & McNeil 1982).
    It does not shrink to a point at an AUC of 1, so that a perfect order of few movies keeps its doubt.
    """
    if min(n_carriers, n_others) < 1 or np.isnan(area):
        return float("nan"), float("nan")
    theta = np.union1d(np.linspace(0, 1, 4001), [area])  # the interval may be finer than the grid
    n = (n_carriers + n_others) / 2
    spread = 1 + (n - 1) * ((1 - theta) / (2 - theta) + theta / (1 + theta))
    error = np.sqrt(theta * (1 - theta) * spread / (n_carriers * n_others))
    inside = theta[np.abs(theta - area) <= norm.ppf((1 + level) / 2) * error + 1e-12]
    return float(min(inside.min(), area)), float(max(inside.max(), area))


def auc_p_value(area: np.ndarray, n_carriers: np.ndarray, n: int) -> np.ndarray:
    """One-sided, that an AUC as great comes from carriers drawn at random; normal approximation. NaN counts as 1."""
    n_carriers = n_carriers[:, None].astype(np.float64)
    pairs = np.maximum(n_carriers * (n - n_carriers), 1)
    return np.nan_to_num(norm.sf((area - 0.5) / np.sqrt((n + 1) / (12 * pairs))), nan=1.0)
