"""iALS: it minimizes the documented objective, and does not overfit with more factors."""

from __future__ import annotations

import dataclasses
import itertools
from functools import cache

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.optimize import minimize

from recsys.dataset.dataset import Dataset
from recsys.dataset.interactions import Interactions
from recsys.dataset.split import HoldOut, hold_out
from recsys.dataset.weighting import Weighting
from recsys.errors import SettingError
from recsys.evaluation.ranking import rank_quality
from recsys.models import ALS, IALS
from recsys.models.ials import CAUTION, COMMON, CONTRAST
from recsys.space.embedding import EmbeddingSpace


def plain_objective(model: IALS, space: EmbeddingSpace, data: Interactions) -> float:
    """The objective in the docstring of IALS, over all pairs, in double precision."""
    w = data.matrix.toarray().astype(np.float64)
    x, y = space.user_factors.astype(np.float64), space.item_factors.astype(np.float64)
    scores = x @ y.T
    by_user = ((w > 0).sum(1) + model.alpha0 * data.n_items) ** model.nu
    by_item = ((w > 0).sum(0) + model.alpha0 * data.n_users) ** model.nu
    penalty = by_user @ (x**2).sum(1) + by_item @ (y**2).sum(1)
    return (w * (1 - scores) ** 2).sum() + model.alpha0 * (scores**2).sum() + model.regularization * penalty


@pytest.fixture(scope="module")
def data() -> Interactions:
    rng = np.random.default_rng(1)
    dense = (rng.random((50, 35)) < 0.25) * rng.uniform(0.3, 2, (50, 35))
    return Interactions(sp.csr_matrix(dense), [f"u{i}" for i in range(50)], [f"i{i}" for i in range(35)])


@pytest.mark.parametrize("nu", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("solver", ["cg", "cholesky", "blocks"])
def test_training_decreases_the_objective_to_that_of_plain_numpy(data: Interactions, solver: str, nu: float) -> None:
    model = IALS(n_factors=6, regularization=0.05, nu=nu, epochs=60, solver=solver, block_size=4)  # type: ignore[arg-type]
    seen: list[float] = []
    space = model._learn(data, watch=lambda _, now: bool(seen.append(plain_objective(model, now.space, data)))).space
    assert all(later <= earlier * (1 + 1e-6) for earlier, later in itertools.pairwise(seen))
    assert model.objective(space, data.matrix) == pytest.approx(plain_objective(model, space, data), rel=1e-5)
    reached = plain_minimum(dataclasses.replace(model, solver="cg"), data)
    assert seen[-1] == pytest.approx(reached, rel=5e-3)  # two local minima


@cache
def plain_minimum(model: IALS, data: Interactions) -> float:
    """The objective after as many epochs of plain NumPy, whatever the solver."""
    w = data.matrix.toarray().astype(np.float64)
    rng = np.random.default_rng(model.seed)
    x, y = (rng.standard_normal((n, 6), dtype=np.float32).astype(float) * 0.1 / np.sqrt(6) for n in w.shape)
    for _ in range(model.epochs + 1):
        x = plain_solve(model, w, y)
        y = plain_solve(model, w.T, x)
    return plain_objective(model, EmbeddingSpace(y, data.item_ids, x, data.user_ids), data)


def plain_solve(model: IALS, w: np.ndarray, y: np.ndarray) -> np.ndarray:
    ridge = model.regularization * ((w > 0).sum(1) + model.alpha0 * len(y)) ** model.nu
    shared = model.alpha0 * y.T @ y
    return np.array(
        [
            np.linalg.solve((y.T * row) @ y + shared + r * np.eye(y.shape[1]), y.T @ row)
            for row, r in zip(w, ridge, strict=True)
        ]
    )


def test_exact_epochs_agree_with_plain_numpy_vector_by_vector(data: Interactions) -> None:
    model = IALS(n_factors=6, regularization=0.05, epochs=4, solver="cholesky")
    space = model._learn(data).space
    w = data.matrix.toarray().astype(np.float64)
    rng = np.random.default_rng(model.seed)
    _, y = (rng.standard_normal((n, 6), dtype=np.float32).astype(float) * 0.1 / np.sqrt(6) for n in w.shape)
    for _ in range(4):
        x = plain_solve(model, w, y)
        y = plain_solve(model, w.T, x)
    np.testing.assert_allclose(space.item_factors, y, atol=1e-4)
    np.testing.assert_allclose(space.user_factors, plain_solve(model, w, y), atol=1e-4)


def test_contributions_add_up_to_the_score(data: Interactions) -> None:
    model = IALS(n_factors=6, regularization=0.05, epochs=5)
    space = model._learn(data).space
    ratings = data.matrix[3]
    parts = model.contributions(space, ratings, np.arange(data.n_items))
    assert parts.shape == (ratings.nnz, data.n_items)
    np.testing.assert_allclose(parts.sum(axis=0), space.score(model.fold_in(space, ratings))[0], atol=1e-4)


def test_the_vector_of_a_visitor_minimizes_the_documented_objective(data: Interactions) -> None:
    model = IALS(n_factors=6, regularization=0.05, epochs=5)
    space = model._learn(data).space
    y, common = space.item_factors.astype(float), space.user_factors.mean(axis=0, dtype=float)
    row = data.matrix[3]
    w, rated = row.data.astype(float), y[row.indices]
    above = w - (w.sum() + 5) / (len(w) + 5)
    ridge = model.regularization * (len(w) + model.alpha0 * data.n_items) ** model.nu

    caution = CAUTION / max(len(w), 3)
    base, prior = model.alpha0 / (1 + caution), COMMON * caution * common

    def objective(x: np.ndarray) -> float:
        fit = w @ (1 + CONTRAST * above - rated @ x) ** 2 + base * ((y @ x) ** 2).sum()
        return fit + ridge * ((x - prior) ** 2).sum()

    both = sp.vstack([row, data.matrix[3] * 0, row]).tocsr()
    both.eliminate_zeros()  # the second visitor has rated nothing
    found = model.fold_in_visitors(space, both, np.concatenate([above, above]))
    np.testing.assert_allclose(found[0], minimize(objective, np.zeros(6), tol=1e-10).x, atol=1e-4)
    assert (found[1] == 0).all() and (found[2] == found[0]).all()
    parts = model.visitor_contributions(space, row, above, np.arange(data.n_items)).sum(axis=0)
    matrix = base * y.T @ y + (rated.T * w) @ rated + ridge * np.eye(6)
    of_all = y @ np.linalg.solve(matrix, ridge * prior)  # belongs to no rated item
    np.testing.assert_allclose(parts + of_all, space.score(found[:1])[0], atol=1e-4)


def test_a_visitors_low_rating_lowers_similar_movies_unless_weights_ignore_ratings(ml100k: Dataset) -> None:
    def rank_of_sequel(stars: float, scheme: str) -> int:
        model = models[scheme]
        listed = model.recommend(ratings={"Star Wars (1977)": stars}, k=2000)["title"].tolist()
        return listed.index("Return of the Jedi (1983)")

    schemes = ("log", "binary")
    learner = IALS(n_factors=16, epochs=5)
    models = {scheme: learner.fit(ml100k, Weighting(scheme=scheme)) for scheme in schemes}  # type: ignore[arg-type]
    assert models["log"].counts_dislikes and not models["binary"].counts_dislikes
    assert rank_of_sequel(5, "log") < 10 < 100 < rank_of_sequel(1, "log")
    assert rank_of_sequel(1, "binary") == rank_of_sequel(5, "binary") < 10  # the control: stars are not looked at


def test_a_stored_zero_is_not_an_interaction(data: Interactions) -> None:
    with_zeros = data.matrix.copy()
    with_zeros.data[::3] = 0
    without = with_zeros.copy()
    without.eliminate_zeros()
    model = IALS(n_factors=6)
    spaces = [model._learn(Interactions(m, data.user_ids, data.item_ids)).space for m in (with_zeros, without)]
    assert spaces[0].item_factors.tobytes() == spaces[1].item_factors.tobytes()


def test_users_without_ratings_get_the_zero_vector_and_no_nan(data: Interactions) -> None:
    dense = data.matrix.toarray()
    dense[4] = 0
    dense[:, 7] = 0
    space = IALS(n_factors=6)._learn(Interactions(sp.csr_matrix(dense), data.user_ids, data.item_ids)).space
    assert not space.user_factors[4].any() and not space.item_factors[7].any()


def test_training_without_regularization_is_a_setting_error(data: Interactions) -> None:
    with pytest.raises(SettingError, match="regularization 0 is too small for these data"):
        IALS(n_factors=40, regularization=0.0, alpha0=0.0)._learn(data)


@pytest.fixture(scope="module")
def split(ml100k: Dataset) -> HoldOut:
    return hold_out(ml100k.interactions, "random", part="validation")


def quality(learner: object, ml100k: Dataset, split: HoldOut) -> float:
    return rank_quality(learner.fit(Dataset(split.train, ml100k.catalog)), split, auc=False)["ndcg@10"]  # type: ignore[arg-type]


@pytest.mark.slow
def test_quality_does_not_drop_as_factors_are_added(ml100k: Dataset, split: HoldOut) -> None:
    ours = [quality(IALS(n_factors=d), ml100k, split) for d in (2, 16, 64, 192)]
    assert ours[0] < ours[1] < ours[2]
    assert ours[3] > ours[2] - 0.005
    weak = [quality(ALS(n_factors=d, regularization=1.0, alpha=1.0), ml100k, split) for d in (16, 192)]
    assert weak[1] < weak[0] - 0.01  # control: with too little regularization it does


def test_all_solvers_are_equally_good(ml100k: Dataset, split: HoldOut) -> None:
    found = {
        solver: quality(IALS(n_factors=32, solver=solver, block_size=8), ml100k, split)  # type: ignore[arg-type]
        for solver in ("cg", "cholesky", "blocks")
    }
    assert max(found.values()) - min(found.values()) < 0.01, found


def test_watch_can_stop_training(data: Interactions) -> None:
    whole = dataclasses.replace(IALS(n_factors=4), epochs=3)._learn(data).space
    stopped = IALS(n_factors=4, epochs=9)._learn(data, watch=lambda epoch, _: epoch == 3).space
    assert stopped.item_factors.tobytes() == whole.item_factors.tobytes()
