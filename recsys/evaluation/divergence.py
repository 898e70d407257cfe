"""How different two samples of vectors are, such as the users and the items of one space: KL and JS divergence."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import scipy.sparse as sp
from scipy.spatial import KDTree

from recsys.errors import InputError
from recsys.evaluation.serialization import json_key
from recsys.evaluation.vectors import Vectors, lengths, principal_components, unit

JITTER = 1e-6
"""Noise that separates equal points, in standard deviations: far below any meaningful distance."""
N_VOTERS = 30
"""Neighbours that vote on which sample a point belongs to."""


@dataclass(frozen=True)
class Divergence:
    """Divergence of samples a and b in nats, 0 for the same distribution; in the report a are users and b are items.

    kl_ab, kl_ba  estimates of D(a‖b) and D(b‖a); they can be below 0
    js            Jensen–Shannon divergence, 0 … ln 2
    js_control    the same estimate for two random halves of the points: near 0, or the estimate is unreliable

    All None where a sample is too small.
    """

    kl_ab: float | None = field(metadata=json_key("users ‖ items"))
    kl_ba: float | None = field(metadata=json_key("items ‖ users"))
    js: float | None
    js_control: float | None


def divergence(a: Vectors, b: Vectors, k: int = 5, n_components: int = 8, seed: int = 42) -> Divergence:
    """Estimate how different the directions of two samples of vectors are.

    a, b  (n, d) and (m, d), dense or CSR; zero rows are left out

    Directions are projected on the first `n_components` principal components of both samples together, because the
    estimators are badly biased in many dimensions. Differences in the other dimensions are not detected.

    The KL divergences are estimated by `knn_kl`. Samples that share rows are not independent, which lowers the
    estimate. For the Jensen–Shannon divergence, samples are drawn to equal size, and each point gets
    p = (n + ½)/(K + 1), with n of its K = `N_VOTERS` nearest other points from a; the estimate is
    ½ E_a[log 2p] + ½ E_b[log 2(1 − p)], clipped to 0 … ln 2 (the control is not clipped). It is biased low: by about
    1 / 2K for equal samples and for disjoint ones.

    Raises InputError where the dimensions differ, or a sample has no more than k nonzero vectors.
    """
    if a.shape[1] != b.shape[1]:
        raise InputError(f"vectors of {a.shape[1]} and {b.shape[1]} dimensions belong to different spaces")
    kept = [u[lengths(u) > 0] for u in (unit(a), unit(b))]
    n_a, n_b = (u.shape[0] for u in kept)
    if min(n_a, n_b) <= k:
        raise InputError(f"samples of {n_a} and {n_b} vectors are too few for the {k}th neighbour")
    pooled = sp.vstack([sp.csr_matrix(u) for u in kept], "csr") if any(map(sp.issparse, kept)) else np.vstack(kept)
    rng = np.random.default_rng(seed)
    points = principal_components(pooled, n_components, seed)
    points = points + rng.normal(scale=JITTER * (points.std() or 1.0), size=points.shape)
    near_a, near_b = points[:n_a], points[n_a:]
    n = min(n_a, n_b)
    both = np.vstack([near_a[rng.permutation(n_a)[:n]], near_b[rng.permutation(n_b)[:n]]])
    voters = _others(both, min(N_VOTERS, 2 * n - 1))
    from_a = np.arange(2 * n) < n
    return Divergence(
        kl_ab=knn_kl(near_a, near_b, k),
        kl_ba=knn_kl(near_b, near_a, k),
        js=float(np.clip(_vote(voters, from_a), 0, np.log(2))),
        js_control=_vote(voters, rng.permutation(from_a)),
    )


def knn_kl(a: np.ndarray, b: np.ndarray, k: int = 5) -> float:
    """Kullback–Leibler divergence D(P‖Q) in nats from samples a (n, d) of P and b (m, d) of Q.

    d/n · Σᵢ log(νₖ(xᵢ) / ρₖ(xᵢ)) + log(m / (n − 1)), with ρₖ the distance of xᵢ to its kth neighbour in a, itself
    excluded, and νₖ the distance to its kth neighbour in b (Wang, Kulkarni & Verdú 2009). Euclidean distance, points
    unscaled. Biased low where a extends far beyond the points of b.

    Raises InputError where there are too few points, or so many equal ones that a distance is 0.
    """
    a, b = (np.asarray(points, dtype=np.float64) for points in (a, b))
    if k < 1 or len(a) <= k or len(b) < k:
        raise InputError(f"samples of {len(a)} and {len(b)} points have no {k}th neighbour")
    own = KDTree(a).query(a, k=[k + 1])[0].ravel()  # the nearest is the point itself
    other = KDTree(b).query(a, k=[k])[0].ravel()
    if not (own.all() and other.all()):
        raise InputError("more than k points are equal: separate them by a little noise")
    return float(a.shape[1] * np.mean(np.log(other / own)) + np.log(len(b) / (len(a) - 1)))


def _others(points: np.ndarray, k: int) -> np.ndarray:
    """The k points nearest to each, itself excluded: (n, k) int64. No two points may be equal."""
    return KDTree(points).query(points, k=k + 1)[1][:, 1:]


def _vote(voters: np.ndarray, from_a: np.ndarray) -> float:
    """The Jensen–Shannon estimate of `divergence` from each point's voters (n, K), not clipped."""
    p = (from_a[voters].sum(axis=1) + 0.5) / (voters.shape[1] + 1)
    return float((np.log(2 * p[from_a]).mean() + np.log(2 * (1 - p[~from_a])).mean()) / 2)
