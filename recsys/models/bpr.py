"""BPR: vectors learned from pairs, "this rather than that". Rendle et al. 2009, on our own compiled kernel.

Maximises, over triples of a user u, an interaction i and an item j they did not rate, ln σ(s_ui − s_uj) − λ/2 · |Θ|²,
where the score s_ui = x_uᵀ y_i + b_i is a ranking value: only differences between the items of one user mean
anything. The item bias b_i is the last dimension of the item vectors, against a 1 in every user vector.

How j is drawn decides what is learned. Drawn evenly over all items, as in the paper, popular items win most of their
pairs and the list may rest on what many people like; drawn as often as it was rated (as in `implicit`), popularity
cancels out and the ranking of a whole catalogue suffers. Here j is drawn evenly, and of several such draws the one
that now scores highest is taken (Zhang et al. 2013, "Optimizing Top-N Collaborative Filtering via Dynamic Negative
Item Sampling"): it stands where it does the most harm.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numba
import numpy as np
import scipy.optimize
import scipy.sparse as sp
from scipy.special import expit

from recsys.dataset.interactions import Interactions
from recsys.models.fitted import Fitted, vectors_of
from recsys.models.learner import Learner, Progress, Watch
from recsys.models.settings import setting
from recsys.space.embedding import EmbeddingSpace

FOLD_IN_NEGATIVES = 1000
"""Unrated items a new user's ratings are held against; a fixed sample, so that folding in is repeatable."""
INIT_STD = 0.01
"""Standard deviation of the first vectors, divided by √n_factors; biases begin at 0."""


@dataclass(frozen=True)
class BPR(Learner):
    """Settings of the model; `fit` returns the vectors. Weights are not used: an interaction is a like."""

    name: ClassVar[str] = "bpr"
    summary: ClassVar[str] = "Bayesian personalized ranking from pairs (Rendle et al. 2009)"

    n_factors: int = setting(64, "dimensions of taste, besides the bias", 1, 4096)
    learning_rate: float = setting(
        0.1, "first step of the stochastic gradient; it falls to 0", 1e-6, 10, search=(0.01, 0.3)
    )
    regularization: float = setting(0.03, "λ: pulls vectors and biases towards 0", 0, search=(1e-4, 0.1))
    candidates: int = setting(
        4, "items drawn for j, of which the one that scores highest is taken", 1, 1000, search=(1, 16)
    )
    epochs: int = setting(50, "passes over as many triples as there are interactions", 1, search=(10, 200))
    seed: int = setting(42, "of the initial vectors and the sampled triples", 0)

    def _learn(
        self, weights: Interactions, progress: Progress | None = None, watch: Watch | None = None
    ) -> EmbeddingSpace:
        """Learn from the interactions with a weight above 0, in order of a seeded shuffle, on one thread."""
        likes = _likes(weights.matrix)
        rng = np.random.default_rng(self.seed)
        d = self.n_factors
        x = np.ones((weights.n_users, d + 1), dtype=np.float32)
        y = np.zeros((weights.n_items, d + 1), dtype=np.float32)
        for factors in (x, y):
            factors[:, :d] = rng.standard_normal((len(factors), d), dtype=np.float32) * (INIT_STD / np.sqrt(d))

        def space() -> EmbeddingSpace:
            return EmbeddingSpace(y.copy(), weights.item_ids, x.copy(), weights.user_ids, has_bias=True)

        users = np.repeat(np.arange(likes.shape[0], dtype=np.int32), np.diff(likes.indptr))
        for epoch in range(self.epochs):
            rate = self.learning_rate * (1 - epoch / self.epochs)
            _epoch(
                rng.permutation(likes.nnz), users, likes.indptr, likes.indices, x, y,
                rate, self.regularization, self.candidates, rng,
            )  # fmt: skip
            if progress is not None:
                progress(epoch + 1, self.epochs)
            if watch is not None and watch(epoch + 1, space()):
                break
        return space()

    def fold_in(self, space: Fitted, ratings: sp.csr_matrix) -> np.ndarray:
        """The user vector that BPR's own objective prefers, item vectors and biases fixed.

        Minimises the mean of −ln σ(s_i − s_j) over the user's items i and a fixed sample of up to
        `FOLD_IN_NEGATIVES` other items j, plus λ/2 · |x|²: convex, solved by L-BFGS. Stochastic training stops
        before its own optimum, so a known user's stored vector is near this one, not equal to it.
        """
        space = vectors_of(space, self.name)
        likes = _likes(ratings)
        vectors = np.zeros((likes.shape[0], space.item_factors.shape[1]), dtype=np.float32)
        vectors[:, -1] = 1
        for row in range(likes.shape[0]):
            liked = likes.indices[likes.indptr[row] : likes.indptr[row + 1]]
            if len(liked) and len(liked) < space.n_items:
                vectors[row, :-1] = self._solve(space, liked)[0]
        return vectors

    def contributions(self, space: Fitted, ratings: sp.csr_matrix, item_rows: np.ndarray) -> np.ndarray:
        """What each liked item adds to the scores of `item_rows`; the bias and the negatives make up the rest.

        At the optimum of `fold_in`, x = 1/λ · (Σ_i a_i y_i − Σ_j b_j y_j) with a_i the mean of 1 − σ(s_i − s_j)
        over the negatives, so the share of liked item i in the score of t is a_i · y_iᵀ y_t / λ.
        """
        space = vectors_of(space, self.name)
        ratings = sp.csr_matrix(ratings)
        share = np.zeros((ratings.nnz, len(item_rows)), dtype=np.float32)
        counts = np.flatnonzero(ratings.data > 0)
        liked = ratings.indices[counts]
        if len(liked) and len(liked) < space.n_items:
            pull = self._solve(space, liked)[1]
            taste = space.item_factors[:, :-1]
            share[counts] = pull[:, None] * (taste[liked] @ taste[item_rows].T)
        return share

    def _solve(self, space: EmbeddingSpace, liked: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The folded-in vector (d,) and the pull a_i / λ of each liked item (n_liked,)."""
        others = np.setdiff1d(np.arange(space.n_items), liked, assume_unique=True)
        if len(others) > FOLD_IN_NEGATIVES:
            others = np.random.default_rng(self.seed).choice(others, FOLD_IN_NEGATIVES, replace=False)
        items = space.item_factors.astype(np.float64)
        liked_y, other_y = items[liked, :-1], items[others, :-1]
        bias_gap = items[liked, -1][:, None] - items[others, -1][None, :]
        penalty = max(self.regularization, 1e-6)  # without any, a separable user has no optimum
        n_pairs = bias_gap.size

        def loss(x: np.ndarray) -> tuple[float, np.ndarray]:
            gap = (liked_y @ x)[:, None] - (other_y @ x)[None, :] + bias_gap
            miss = expit(-gap)
            value = np.logaddexp(0, -gap).mean() + penalty / 2 * x @ x
            slope = (miss.sum(0) @ other_y - miss.sum(1) @ liked_y) / n_pairs + penalty * x
            return value, slope

        x = scipy.optimize.minimize(loss, np.zeros(items.shape[1] - 1), jac=True, method="L-BFGS-B").x
        gap = (liked_y @ x)[:, None] - (other_y @ x)[None, :] + bias_gap
        return x, expit(-gap).sum(1) / n_pairs / penalty


def _likes(ratings: sp.csr_matrix) -> sp.csr_matrix:
    """Interactions with a weight above 0, as ones, with 32-bit indices as the kernel wants them."""
    likes = sp.csr_matrix(ratings, dtype=np.float32, copy=True)
    likes.data = (likes.data > 0).astype(np.float32)
    likes.eliminate_zeros()
    return likes


@numba.njit(nogil=True, cache=True, fastmath={"reassoc", "contract"})
def _epoch(order, users, indptr, items, x, y, rate, penalty, candidates, rng):  # type: ignore[no-untyped-def]
    """One pass over the interactions, each against one unrated item; x, y are changed in place, bias last."""
    d = x.shape[1] - 1
    n_items = len(y)
    rate, penalty = np.float32(rate), np.float32(penalty)
    for at in order:
        u, i = users[at], items[at]
        rated = items[indptr[u] : indptr[u + 1]]
        if len(rated) == n_items:
            continue
        j, best = -1, np.float32(0)
        for _ in range(candidates):
            other = rng.integers(0, n_items)
            place = np.searchsorted(rated, other)
            while place < len(rated) and rated[place] == other:
                other = rng.integers(0, n_items)
                place = np.searchsorted(rated, other)
            score = y[other, d]
            if candidates > 1:
                for f in range(d):
                    score += x[u, f] * y[other, f]
            if j < 0 or score > best:
                j, best = other, score
        gap = y[i, d] - y[j, d]
        for f in range(d):
            gap += x[u, f] * (y[i, f] - y[j, f])
        pull = rate / (np.float32(1) + np.exp(gap))
        shrink = np.float32(1) - rate * penalty
        for f in range(d):
            xf, yi, yj = x[u, f], y[i, f], y[j, f]
            x[u, f] = shrink * xf + pull * (yi - yj)
            y[i, f] = shrink * yi + pull * xf
            y[j, f] = shrink * yj - pull * xf
        y[i, d] = shrink * y[i, d] + pull
        y[j, d] = shrink * y[j, d] - pull
