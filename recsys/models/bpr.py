"""BPR: Bayesian personalized ranking, on a compiled kernel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import scipy  # loads scipy.optimize and scipy.special when they are used
import scipy.sparse as sp

from recsys.dataset.interactions import Interactions
from recsys.limits import MOST_EPOCHS, MOST_FACTORS, MOST_SEED
from recsys.models.fitted import Vectors
from recsys.models.learner import VectorLearner, Watch
from recsys.models.settings import setting
from recsys.progress import Progress
from recsys.space.embedding import EmbeddingSpace

FOLD_IN_NEGATIVES = 1000
"""Unrated items that folding in compares a user's items with; a fixed sample, so that it is reproducible."""
INIT_STD = 0.01
"""Standard deviation of the initial vectors times √n_factors; biases start at 0."""
START_RATE = 0.1
"""Part of the learning rate that training from a model begins with: the full rate would undo what was learned. Of 0.03
to 1, 0.1 and 0.2 are best on validation parts of latest-small: for one day's ratings, ten days in turn, ten at once."""


@dataclass(frozen=True)
class BPR(VectorLearner):
    """Bayesian personalized ranking: vectors learned from pairs of items (Rendle et al. 2009).

    Maximizes, over triples of a user u, an item i the user interacted with and an item j they did not,

        ln σ(s_ui − s_uj)  −  λ/2 · |Θ|²        with  s_ui = x_uᵀ y_i + b_i

    Θ are the vectors x_u, y_i and biases b_i of the triple, σ the logistic function, λ `regularization`. "BPR: Bayesian
    Personalized Ranking from Implicit Feedback", UAI 2009. An interaction with a weight above 0 counts as a like; the
    size of the weight is not used.

    The choice of j decides what is learned. If j is drawn uniformly from all items, as in the paper, popular items win
    most of their pairs, and the list may rest on what many people like. If j is drawn as often as it was rated (as in
    `implicit`), popularity cancels out and the ranking of the whole catalog suffers. Here j is the item with the
    highest score among `candidates` uniform draws: the one whose rank is most wrong (Zhang, Chen, Wang & Yu 2013,
    "Optimizing Top-N Collaborative Filtering via Dynamic Negative Item Sampling", SIGIR).

    The score s_ui is a ranking value: only differences between the items of one user have a meaning.

    `fit` returns a `Model` whose space has user factors (n_users, n_factors + 1) and item factors
    (n_items, n_factors + 1), float32. The last dimension is the item bias, with 1 in every user vector. Training uses
    one thread. It raises Diverged when the settings are too extreme for the data.

    >>> import pandas as pd
    >>> from recsys.dataset.dataset import Dataset
    >>> ratings = pd.DataFrame({"user_id": [1, 1, 2, 2, 3], "item_id": list("abaca"), "rating": [5, 4, 5, 4, 3]})
    >>> space = BPR(n_factors=2).fit(Dataset.from_frame(ratings)).space
    >>> space.user_factors.shape, space.item_factors.shape, space.has_bias
    ((3, 3), (3, 3), True)
    """

    name: ClassVar[str] = "bpr"
    remedy: ClassVar[str] = "lower learning_rate or regularization"
    summary: ClassVar[str] = "Bayesian personalized ranking from pairs (Rendle et al. 2009)"

    n_factors: int = setting(64, "number of dimensions, not counting the bias", 1, MOST_FACTORS)
    learning_rate: float = setting(
        0.1, "initial step size of the stochastic gradient; decreases linearly to 0", 1e-6, 10, search=(0.01, 0.3)
    )
    regularization: float = setting(0.03, "λ: shrinks vectors and biases", 0, 1e6, search=(1e-4, 0.1))
    candidates: int = setting(
        4, "items drawn for j, of which the one with the highest score is used", 1, 1000, search=(1, 16)
    )
    epochs: int = setting(
        50, "passes, each over as many triples as there are interactions", 1, MOST_EPOCHS, search=(10, 200)
    )
    seed: int = setting(42, "of the initial vectors and the sampled triples", 0, MOST_SEED)

    def _learn(
        self,
        weights: Interactions,
        progress: Progress | None = None,
        watch: Watch | None = None,
        start: EmbeddingSpace | None = None,
    ) -> Vectors:
        """Stochastic gradient ascent over the interactions in a seeded random order, on one thread."""
        from recsys.models.bpr_epoch import epoch as run_epoch  # loads numba

        likes = _likes(weights.matrix)
        rng = np.random.default_rng(self.seed)
        d, first_rate = self.n_factors, self.learning_rate
        if start is None:
            x = np.ones((weights.n_users, d + 1), dtype=np.float32)
            y = np.zeros((weights.n_items, d + 1), dtype=np.float32)
            for factors in (x, y):
                factors[:, :d] = rng.standard_normal((len(factors), d), dtype=np.float32) * (INIT_STD / np.sqrt(d))
        else:
            x, y = start.user_factors.copy(), start.item_factors.copy()
            first_rate *= START_RATE

        def vectors() -> Vectors:
            space = EmbeddingSpace(y.copy(), weights.item_ids, x.copy(), weights.user_ids, has_bias=True)
            return Vectors(space, self)

        users = np.repeat(np.arange(likes.shape[0], dtype=np.int32), np.diff(likes.indptr))
        for epoch in range(self.epochs):
            rate = first_rate * (1 - epoch / self.epochs)
            run_epoch(
                rng.permutation(likes.nnz), users, likes.indptr, likes.indices, x, y,
                rate, self.regularization, self.candidates, rng,
            )  # fmt: skip
            if progress is not None:
                progress(epoch + 1, self.epochs)
            if watch is not None and watch(epoch + 1, vectors()):
                break
        return vectors()

    def fold_in(self, space: EmbeddingSpace, weights: sp.csr_matrix) -> np.ndarray:
        """The user vectors that are best for the objective, with item vectors and biases fixed.

        Minimizes the mean of −ln σ(s_i − s_j) over the user's items i and a fixed sample of up to
        `FOLD_IN_NEGATIVES` other items j, plus λ/2 · |x|²: convex, solved by L-BFGS. Stochastic training stops
        before the optimum, so the stored vector of a known user is close to this one, not equal.
        """
        likes = _likes(weights)
        vectors = np.zeros((likes.shape[0], space.item_factors.shape[1]), dtype=np.float32)
        vectors[:, -1] = 1
        for row in range(likes.shape[0]):
            liked = likes.indices[likes.indptr[row] : likes.indptr[row + 1]]
            if len(liked) and len(liked) < space.n_items:
                vectors[row, :-1] = self._solve(space, liked)[0]
        return vectors

    def fold_in_items(self, space: EmbeddingSpace, weights: sp.csr_matrix) -> np.ndarray:
        """First vectors of new items: in the mean direction of the users who like them, as long as the median item,
        with the median bias. Training moves them from there.
        """
        likes = _likes(weights)
        taste = space.item_factors[:, :-1]
        length = float(np.median(np.linalg.norm(taste, axis=1)))
        vectors = np.full(
            (likes.shape[0], space.item_factors.shape[1]), np.median(space.item_factors[:, -1]), np.float32
        )
        sums = np.asarray(likes @ space.user_factors[:, :-1])
        norms = np.linalg.norm(sums, axis=1, keepdims=True)
        vectors[:, :-1] = np.divide(sums * length, norms, out=np.zeros_like(sums), where=norms > 0)
        return vectors

    def contributions(self, space: EmbeddingSpace, weights: sp.csr_matrix, item_rows: np.ndarray) -> np.ndarray:
        """What each liked item adds to the scores of `item_rows`; the rest comes from the bias and the negatives.

        At the optimum of `fold_in`, x = 1/λ · (Σ_i a_i y_i − Σ_j b_j y_j) with a_i the mean of 1 − σ(s_i − s_j)
        over the negatives, so the share of liked item i in the score of t is a_i · y_iᵀ y_t / λ.
        """
        weights = sp.csr_matrix(weights)
        share = np.zeros((weights.nnz, len(item_rows)), dtype=np.float32)
        counts = np.flatnonzero(weights.data > 0)
        liked = weights.indices[counts]
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
        penalty = max(self.regularization, 1e-6)  # without a penalty, separable data have no optimum
        n_pairs = bias_gap.size

        def loss(x: np.ndarray) -> tuple[float, np.ndarray]:
            gap = (liked_y @ x)[:, None] - (other_y @ x)[None, :] + bias_gap
            miss = scipy.special.expit(-gap)
            value = np.logaddexp(0, -gap).mean() + penalty / 2 * x @ x
            slope = (miss.sum(0) @ other_y - miss.sum(1) @ liked_y) / n_pairs + penalty * x
            return value, slope

        x = scipy.optimize.minimize(loss, np.zeros(items.shape[1] - 1), jac=True, method="L-BFGS-B").x
        gap = (liked_y @ x)[:, None] - (other_y @ x)[None, :] + bias_gap
        return x, scipy.special.expit(-gap).sum(1) / n_pairs / penalty


def _likes(weights: sp.csr_matrix) -> sp.csr_matrix:
    """The interactions with a weight above 0, as ones."""
    likes = sp.csr_matrix(weights, dtype=np.float32, copy=True)
    likes.data = (likes.data > 0).astype(np.float32)
    likes.eliminate_zeros()
    return likes
