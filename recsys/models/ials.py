"""iALS: alternating least squares with an explicit weight for unobserved pairs, on compiled kernels."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
import scipy.sparse as sp

from recsys.dataset.interactions import Interactions
from recsys.errors import SettingError
from recsys.limits import MOST_EPOCHS, MOST_FACTORS, MOST_SEED
from recsys.models.fitted import Vectors
from recsys.models.learner import VectorLearner, Watch
from recsys.models.least_squares import NormalEquations
from recsys.models.settings import setting
from recsys.models.start import turned_to
from recsys.progress import Progress
from recsys.space.embedding import EmbeddingSpace

if TYPE_CHECKING:
    from recsys.models.ials_solver import Side  # methods import the solver when they are called: it loads numba

Solver = Literal["cg", "cholesky", "blocks"]

CONTRAST, CAUTION, COMMON = 6.0, 10.0, 0.05
"""How visitors are treated, see `IALS`: γ, c and ρ. Chosen on validation users of ML-100K and latest-small
(`benchmarks/visitors.py`): more contrast lowers the share of disliked movies further and costs nDCG at few ratings."""
LEAST_MEASURED = 3
"""They were chosen for visitors with so many ratings or more."""


@dataclass(frozen=True)
class IALS(VectorLearner):
    """Implicit alternating least squares with frequency-scaled regularization (Rendle, Krichene, Zhang & Koren 2022).

    Minimizes, over user vectors x_u and item vectors y_i,

        Σ_{(u,i)∈S} w_ui (1 − x_uᵀ y_i)²  +  α₀ Σ_{u,i} (x_uᵀ y_i)²
        +  λ Σ_u (|I_u| + α₀ |I|)^ν |x_u|²  +  λ Σ_i (|U_i| + α₀ |U|)^ν |y_i|²

    S are the observed pairs with weights w_ui > 0 (see `Weighting`), I all items, U all users, I_u the items of user
    u, U_i the users of item i. λ is `regularization`, α₀ `alpha0`, ν `nu`. The more often a user or an item occurs, the
    more its vector is regularized, so quality does not drop as factors are added. "Revisiting the Performance of iALS
    on Item Recommendation Benchmarks", RecSys 2022.

    A visitor, of whom a few ratings S are known and no more, has the vector that minimizes

        Σ_{i∈S} w_i (1 + γ (w_i − w̄) − xᵀ y_i)²  +  α₀ / (1 + c/n) Σ_i (xᵀ y_i)²  +  λ (|S| + α₀ |I|)^ν |x − ρ c/n x̄|²

    with n = max(|S|, 3), the visitor's mean weight w̄ (`FittedWeighting.above_mean`), the mean user vector x̄, and the
    constants γ (`CONTRAST`), c (`CAUTION`) and ρ (`COMMON`). A rating below the mean pushes away. The fewer ratings
    there are, the less it means that the others are missing, and the more the common taste counts. In training
    γ = c = 0, because ratings of any value are to be predicted: that someone watches a movie at all is the strongest
    signal.

    The score x_uᵀ y_i estimates whether the user has seen the item or will: near 1 for a sure choice, near 0 for the
    opposite. Scores are comparable between the items of one user, less so between users. There is no bias.

    `fit` returns a `Model` whose space has user factors (n_users, n_factors) and item factors (n_items, n_factors),
    float32. It raises SettingError when the regularization is too small for the data. An interrupt (Ctrl-C) after the
    first epoch ends training and keeps the last complete epoch.

    >>> import pandas as pd
    >>> from recsys.dataset.dataset import Dataset
    >>> ratings = pd.DataFrame({"user_id": [1, 1, 2, 2, 3], "item_id": list("abaca"), "rating": [5, 4, 5, 4, 3]})
    >>> model = IALS(n_factors=2).fit(Dataset.from_frame(ratings))
    >>> model.space.user_factors.shape, model.space.item_factors.shape
    ((3, 2), (3, 2))
    """

    name: ClassVar[str] = "ials"
    counts_dislikes: ClassVar[bool] = True
    remedy: ClassVar[str] = "lower alpha0, or use a regularization nearer to its default"
    summary: ClassVar[str] = "alternating least squares, frequency-scaled (Rendle et al. 2022)"

    n_factors: int = setting(64, "number of dimensions; more capture finer tastes and take longer", 1, MOST_FACTORS)
    regularization: float = setting(
        0.35, "λ: shrinks all vectors; with ν = ½ one value suits data of any size", 0, 1e6, search=(3e-4, 1.0)
    )
    alpha0: float = setting(
        0.2, "α₀: weight of an unobserved pair; the mean observed weight is 1", 0, 1e6, search=(0.003, 1.0)
    )
    nu: float = setting(
        0.5, "ν: how much more frequent users and items are regularized; 1 in the paper", 0, 2, search=(0.3, 1.0)
    )
    epochs: int = setting(15, "sweeps over users and items", 1, MOST_EPOCHS)
    init_std: float = setting(0.1, "initial vectors are drawn from N(0, (init_std / √n_factors)²)", 1e-6, 10)
    solver: Solver = setting("cg", "cg: fastest; cholesky: exact; blocks: iALS++, for hundreds of factors")
    cg_steps: int = setting(
        2, "conjugate gradient steps per half-epoch; after a few epochs as good as exact solutions", 1, 100
    )
    block_size: int = setting(64, "dimensions solved at once by the solver 'blocks'", 1, MOST_FACTORS)
    seed: int = setting(42, "of the initial vectors", 0, MOST_SEED)

    def _learn(
        self,
        weights: Interactions,
        progress: Progress | None = None,
        watch: Watch | None = None,
        start: EmbeddingSpace | None = None,
    ) -> Vectors:
        """Weights of 0 count as unobserved. Ends with an exact solve of the users, so that `fold_in` agrees with it."""
        by_user = _positive(weights.matrix)
        users, items = self.sides(by_user, by_user.T.tocsr())
        if start is None:
            x, y = self.first_vectors(weights.n_users, weights.n_items)
        else:
            x, y = start.user_factors, start.item_factors

        def vectors() -> Vectors:
            # The solver 'cg' turns the axes in every epoch; no score depends on them, but whoever reads the space does.
            found = y if start is None else turned_to(y, start.item_factors)
            exact = self._newton(users, np.zeros_like(x), found, self.n_factors)
            space = EmbeddingSpace(found, weights.item_ids, exact, weights.user_ids)
            return Vectors(space, self)

        for epoch in range(1, self.epochs + 1):
            try:
                x, y = self.epoch(users, items, x, y)
            except KeyboardInterrupt:
                if epoch == 1:
                    raise
                break
            if progress is not None:
                progress(epoch, self.epochs)
            if watch is not None and watch(epoch, vectors()):
                break
        return vectors()

    def sides(self, by_user: sp.csr_matrix, by_item: sp.csr_matrix) -> tuple[Side, Side]:
        """Both orientations of the same positive weights, CSR float32, with the regularization of each row."""
        from recsys.models.ials_solver import Side

        return Side(by_user, self._ridge(by_user)), Side(by_item, self._ridge(by_item))

    def first_vectors(self, n_users: int, n_items: int) -> tuple[np.ndarray, np.ndarray]:
        """Initial user and item vectors, float32, drawn from N(0, (init_std / √n_factors)²) with the seed."""
        rng = np.random.default_rng(self.seed)
        scale = np.float32(self.init_std / np.sqrt(self.n_factors))
        x, y = (rng.standard_normal((n, self.n_factors), dtype=np.float32) * scale for n in (n_users, n_items))
        return x, y

    def objective(self, space: EmbeddingSpace, weights: sp.csr_matrix) -> float:
        """The value of the objective that training minimizes, for these vectors and weights (users × items)."""
        from recsys.models.ials_solver import observed_loss

        x, y = space.user_factors, space.item_factors
        by_user = _positive(weights)
        unobserved = ((x.T @ x).astype(np.float64) * (y.T @ y)).sum()
        penalty = sum(
            float(self._ridge(side) @ np.einsum("nd,nd->n", factors, factors, dtype=np.float64))
            for side, factors in ((by_user, x), (by_user.T.tocsr(), y))
        )
        return observed_loss(by_user, x, y) + self.alpha0 * float(unobserved) + penalty

    def fold_in(self, space: EmbeddingSpace, weights: sp.csr_matrix) -> np.ndarray:
        """The exact minimum for each user with the item factors fixed; for a known user, the stored vector."""
        from recsys.models.ials_solver import Side

        weights = _positive(weights)
        start = np.zeros((weights.shape[0], space.item_factors.shape[1]), dtype=np.float32)
        side = Side(weights, self._ridge(weights))
        return self._newton(side, start, space.item_factors, start.shape[1], space.item_gram)

    def contributions(self, space: EmbeddingSpace, weights: sp.csr_matrix, item_rows: np.ndarray) -> np.ndarray:
        """The exact split of a folded-in user's scores over the rated items: columns sum to the scores."""
        weights = sp.csr_matrix(weights)
        values = np.maximum(weights.data, 0)
        ridge = float(self._ridge(_positive(weights))[0])
        equations = NormalEquations.of(space, weights.indices, self.alpha0, values, values, ridge)
        return equations.contributions(space, item_rows)

    def fold_in_visitors(self, space: EmbeddingSpace, weights: sp.csr_matrix, above: np.ndarray) -> np.ndarray:
        """The exact minimum for each visitor; see the docstring of the class."""
        weights = sp.csr_matrix(weights)
        vectors = np.zeros((weights.shape[0], space.item_factors.shape[1]), dtype=np.float32)
        for row in np.flatnonzero(np.diff(weights.indptr)):
            part = slice(weights.indptr[row], weights.indptr[row + 1])
            vectors[row] = self._visitor(space, weights.indices[part], weights.data[part], above[part]).solve()
        return vectors

    def visitor_contributions(
        self, space: EmbeddingSpace, weights: sp.csr_matrix, above: np.ndarray, item_rows: np.ndarray
    ) -> np.ndarray:
        """The exact split, up to what the common taste adds, which belongs to no rated item. The share of a movie rated
        below the mean may be negative."""
        return self._visitor(space, weights.indices, weights.data, above).contributions(space, item_rows)

    def _visitor(
        self, space: EmbeddingSpace, items: np.ndarray, weights: np.ndarray, above: np.ndarray
    ) -> NormalEquations:
        values = np.maximum(weights, 0).astype(np.float64)
        n_rated = max(int((values > 0).sum()), 1)
        ridge = self.regularization * (n_rated + self.alpha0 * space.n_items) ** self.nu
        caution = CAUTION / max(n_rated, LEAST_MEASURED)
        base = self.alpha0 / (1 + caution)
        equations = NormalEquations.of(space, items, base, values, values * (1 + CONTRAST * above), ridge)
        return replace(equations, prior=ridge * COMMON * caution * space.mean_user)

    def epoch(self, users: Side, items: Side, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """One sweep over users and items; returns new vectors and leaves its arguments unchanged."""
        from recsys.models.ials_solver import conjugate_gradient

        if self.solver == "cg":
            x, y = conjugate_gradient(users, x, y, items.counts, self.alpha0, self.cg_steps)
            y, x = conjugate_gradient(items, y, x, users.counts, self.alpha0, self.cg_steps)
            return x, y
        block = self.n_factors if self.solver == "cholesky" else min(self.block_size, self.n_factors)
        x = self._newton(users, x, y, block)
        return x, self._newton(items, y, x, block)

    def _newton(
        self, side: Side, rows: np.ndarray, fixed: np.ndarray, block: int, gram: np.ndarray | None = None
    ) -> np.ndarray:
        from recsys.models.ials_solver import SingularMatrix, newton

        try:
            return newton(side, rows, fixed, self.alpha0, block, gram)
        except SingularMatrix:
            raise SettingError(f"regularization {self.regularization:g} is too small for these data") from None

    def _ridge(self, weights: sp.csr_matrix) -> np.ndarray:
        """λ (|I_u| + α₀ |I|)^ν of every row, float32; works for both orientations."""
        frequency = np.diff(weights.indptr) + self.alpha0 * weights.shape[1]
        ridge: np.ndarray = self.regularization * frequency**self.nu
        return ridge.astype(np.float32)


def _positive(weights: sp.csr_matrix) -> sp.csr_matrix:
    """The weights above 0, float32: a stored zero is not an interaction."""
    weights = sp.csr_matrix(weights, dtype=np.float32)
    if weights.nnz and weights.data.min() <= 0:
        weights = weights.copy()
        weights.data = np.maximum(weights.data, 0)
        weights.eliminate_zeros()
    return weights
