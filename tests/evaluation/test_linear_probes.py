"""Linear probes: compared with scikit-learn, and on data with a known answer."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import r2_score, roc_auc_score
from sklearn.model_selection import KFold, StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer

from recsys.errors import InputError
from recsys.evaluation import linear_probes
from recsys.evaluation.linear_probes import probe_auc, probe_r2


def everyone(n: int) -> np.ndarray:
    return np.ones(n, dtype=bool)


def unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.fixture(scope="module")
def probed() -> tuple[np.ndarray, np.ndarray]:
    """Vectors (600, 20) and four attributes that depend on a direction, with more and more noise."""
    rng = np.random.default_rng(5)
    vectors = rng.normal(size=(600, 20))
    values = unit(vectors) @ rng.normal(size=(20, 4)) + rng.normal(size=(600, 4)) * [0.2, 0.5, 1.5, 4]
    return vectors, values > [np.quantile(column, q) for column, q in zip(values.T, (0.9, 0.8, 0.7, 0.5), strict=True)]


def test_probe_finds_separable_attributes_and_nothing_in_shuffled_labels() -> None:
    rng = np.random.default_rng(6)
    vectors = rng.normal(size=(500, 12))
    carries = np.column_stack([vectors[:, 0] > 0, vectors[:, 1] + vectors[:, 2] > 1])
    assert (probe_auc(vectors, carries, everyone(500)) > 0.97).all()
    shuffled = [probe_auc(vectors, carries[rng.permutation(500)], everyone(500), seed=s) for s in range(20)]
    assert np.mean(shuffled) == pytest.approx(0.5, abs=0.02)


def test_rare_attributes_of_uninformative_vectors_are_at_chance_level() -> None:
    """Folds that differ in mean and penalty bias a pooled AUC downwards: to 0.47 here, if not corrected."""
    areas = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        carries = np.column_stack([rng.permutation(400) < n for n in (12, 20, 40, 60)])
        areas.append(probe_auc(rng.normal(size=(400, 16)), carries, everyone(400), seed))
    assert np.mean(areas) == pytest.approx(0.5, abs=0.015)


def test_probe_agrees_with_logistic_regression(probed) -> None:
    vectors, carries = probed
    found = probe_auc(vectors, carries, everyone(600))
    x = unit(vectors) * np.sqrt(20)
    for column, area in zip(carries.T, found, strict=True):
        folds = StratifiedKFold(5, shuffle=True, random_state=0)
        values = cross_val_predict(LogisticRegression(C=0.1), x, column, cv=folds, method="decision_function")
        assert area == pytest.approx(roc_auc_score(column, values), abs=0.05)
    assert found[0] > found[1] + 0.02 > found[2] + 0.04  # more noise, lower AUC


def test_a_fold_agrees_with_ridge_and_its_leave_one_out(probed) -> None:
    """The penalty with the lowest leave-one-out error, and the predictions it gives."""
    vectors, carries = probed
    x, y = unit(vectors)[:80], carries[:80].astype(float)
    folds = np.arange(80) % 5
    values, means, spread = linear_probes._held_out(x, y, folds)
    train, test = np.flatnonzero(folds != 2), np.flatnonzero(folds == 2)
    centred = x[train] - x[train].mean(axis=0)
    penalties = linear_probes.PENALTIES * (np.linalg.svd(centred, compute_uv=False) ** 2).mean()
    errors = np.zeros((len(penalties), 4))
    for at, penalty in enumerate(penalties):
        for left_out in train:
            others = train[train != left_out]
            guess = Ridge(alpha=penalty).fit(x[others], y[others]).predict(x[[left_out]])[0]
            errors[at] += (guess - y[left_out]) ** 2
    best = errors.argmin(axis=0)
    assert len(set(best.tolist())) > 1  # the penalties differ, or the test would prove little
    for column in range(4):
        ridge = Ridge(alpha=penalties[best[column]]).fit(x[train], y[train, column])
        assert (values + means)[test, column] == pytest.approx(ridge.predict(x[test]))
        assert spread[test, column] == pytest.approx(ridge.predict(x[train]).std())


def test_wide_and_sparse_vectors_give_the_same_numbers(probed) -> None:
    vectors, carries = probed
    wide = np.hstack([vectors, np.zeros((600, 700))])  # more columns than items: through the kernel
    expected = probe_auc(vectors, carries, everyone(600))
    for same in (wide, sp.csr_matrix(wide), sp.csr_matrix(vectors)):
        assert probe_auc(same, carries, everyone(600)) == pytest.approx(expected, abs=1e-6)
    target = vectors @ np.arange(20.0)
    assert probe_r2(sp.csr_matrix(wide), target, everyone(600)) == pytest.approx(
        probe_r2(vectors, target, everyone(600)), abs=1e-6
    )


def test_probe_is_undefined_with_too_few_items(probed) -> None:
    vectors, _ = probed
    carries = np.zeros((600, 4), dtype=bool)
    carries[0, 1] = carries[:2, 2] = True
    carries[:, 3] = np.arange(600) > 0
    assert np.isnan(probe_auc(vectors, carries, everyone(600))).tolist() == [True, True, False, True]
    assert np.isnan(probe_auc(vectors * 0, carries, everyone(600))).all()
    assert probe_auc(np.ones((600, 3)), carries, everyone(600))[2] == 0.5  # all equal: no axis to separate them


def test_only_evaluated_items_take_part_in_a_probe(probed) -> None:
    vectors, carries = probed
    evaluated = np.arange(600) < 400
    spoiled, wrong = vectors.copy(), carries.copy()
    spoiled[400:], wrong[400:] = 1e6, True
    alone = probe_auc(vectors[:400], carries[:400], everyone(400))
    assert probe_auc(spoiled, wrong, evaluated) == pytest.approx(alone, abs=1e-9)


def test_r2_of_a_known_linear_model() -> None:
    rng = np.random.default_rng(7)
    vectors = unit(rng.normal(size=(1500, 6)))
    signal = vectors @ rng.normal(size=6)
    target = signal / signal.std() + rng.normal(size=1500) * 0.5  # R² = 1 / (1 + 0.25)
    assert probe_r2(vectors, signal, everyone(1500)) > 0.999
    assert probe_r2(vectors, target, everyone(1500)) == pytest.approx(0.8, abs=0.03)
    assert probe_r2(vectors, rng.permutation(target), everyone(1500)) == pytest.approx(0, abs=0.02)


def test_r2_agrees_with_ridge(probed) -> None:
    vectors, _ = probed
    rng = np.random.default_rng(8)
    target = unit(vectors) @ rng.normal(size=20) + 3 + rng.normal(size=600) * 0.7
    ridge = make_pipeline(Normalizer(), Ridge(alpha=1.0))
    held_out = cross_val_predict(ridge, vectors, target, cv=KFold(5, shuffle=True, random_state=0))
    assert probe_r2(vectors, target, everyone(600)) == pytest.approx(r2_score(target, held_out), abs=0.02)
    gaps = np.where(np.arange(600) < 450, target, np.nan)
    assert probe_r2(vectors, gaps, everyone(600)) == probe_r2(vectors[:450], target[:450], everyone(450))
    assert np.isnan(probe_r2(vectors, np.full(600, 3.5), everyone(600)))


def test_mismatched_input_is_refused() -> None:
    vectors, evaluated, carries = np.eye(6), everyone(6), np.eye(6, dtype=bool)
    with pytest.raises(InputError, match="attributes of shape"):
        probe_auc(vectors, carries[:5], evaluated)
    with pytest.raises(InputError, match="targets of shape"):
        probe_r2(vectors, np.ones(5), evaluated)
