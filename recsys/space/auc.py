"""The area under the ROC curve (AUC) of attributes along directions, with confidence interval and p value."""

from __future__ import annotations

import numpy as np
from scipy.stats import norm, rankdata


def auc(values: np.ndarray, carries: np.ndarray) -> np.ndarray:
    """The probability that a random item with an attribute has a greater value than one without it; ties count half.

    values (n, k) floats, carries (n, m) bool → (m, k) float64; NaN where all items or none have the attribute.
    Computed from rank sums (Mann & Whitney 1947), which are exact in float64.
    """
    ranks = rankdata(values, axis=0)
    inside = carries.sum(axis=0)[:, None].astype(np.float64)
    outside = len(values) - inside
    wins = carries.T.astype(np.float64) @ ranks - inside * (inside + 1) / 2
    pairs = inside * outside
    result: np.ndarray = np.divide(wins, pairs, out=np.full(wins.shape, np.nan), where=pairs > 0)
    return result


def auc_interval(area: float, n_carriers: int, n_others: int, level: float = 0.95) -> tuple[float, float]:
    """Confidence interval of an AUC by method 5 of Newcombe (2006): all θ whose standard error covers the distance to
    the measured AUC.

    Var(θ) = θ(1−θ) [1 + (n−1) ((1−θ)/(2−θ) + θ/(1+θ))] / (n_carriers · n_others), n their mean (Hanley & McNeil 1982).
    Unlike the Wald interval it does not collapse to a point at an AUC of 1, so few items keep a wide interval.
    Returns (NaN, NaN) when there are no carriers or no others.
    """
    if min(n_carriers, n_others) < 1 or np.isnan(area):
        return float("nan"), float("nan")
    theta = np.union1d(np.linspace(0, 1, 4001), [area])  # the interval may be narrower than the grid
    n = (n_carriers + n_others) / 2
    spread = 1 + (n - 1) * ((1 - theta) / (2 - theta) + theta / (1 + theta))
    error = np.sqrt(theta * (1 - theta) * spread / (n_carriers * n_others))
    inside = theta[np.abs(theta - area) <= norm.ppf((1 + level) / 2) * error + 1e-12]
    return float(min(inside.min(), area)), float(max(inside.max(), area))


def auc_p_value(area: np.ndarray, n_carriers: np.ndarray, n: int) -> np.ndarray:
    """One-sided p value of AUCs (…, m, k) of attributes with `n_carriers` (m,) of n items, against random carriers.

    Normal approximation of the rank sum. A NaN has p value 1.
    """
    n_carriers = n_carriers[:, None].astype(np.float64)
    pairs = np.maximum(n_carriers * (n - n_carriers), 1)
    p_values: np.ndarray = np.nan_to_num(norm.sf((area - 0.5) / np.sqrt((n + 1) / (12 * pairs))), nan=1.0)
    return p_values
