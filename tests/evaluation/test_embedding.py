"""Measures of a representation, each against a second way to the same number or data whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.decomposition import TruncatedSVD
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import normalized_mutual_info_score, r2_score, roc_auc_score
from sklearn.model_selection import KFold, StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer

from recsys.dataset.catalog import Catalog
from recsys.errors import InputError, SettingError
from recsys.evaluation import embedding
from recsys.evaluation.embedding import (
    baselines,
    clustering,
    divergence,
    effective_rank,
    isotropy,
    knn_kl,
    linear_cka,
    neighbour_rows,
    overlap,
    probe_auc,
    probe_r2,
    retrieval,
)


def everyone(n: int) -> np.ndarray:
    return np.ones(n, dtype=bool)


def unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


# ---------------------------------------------------------------------------------------------------- neighbourhoods


@pytest.fixture(scope="module")
def items() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Vectors (120, 7) of which two are zero, 100 or so judged, 5 attributes, rating counts."""
    rng = np.random.default_rng(1)
    vectors = rng.normal(size=(120, 7))
    vectors[[3, 50]] = 0
    return vectors, rng.random(120) < 0.85, rng.random((120, 5)) < 0.25, rng.integers(20, 500, 120)


@pytest.mark.parametrize("kind", [np.asarray, sp.csr_matrix])
def test_neighbours_agree_with_a_plain_loop(kind, items) -> None:
    vectors, judged, _, _ = items
    rows, neighbours = neighbour_rows(kind(vectors), judged, k=6)
    expected = [i for i in range(120) if judged[i] and vectors[i].any()]
    assert rows.tolist() == expected and neighbours.dtype == np.int32
    for row, found in zip(rows, neighbours, strict=True):
        cosine = {
            j: vectors[row] @ vectors[j] / np.linalg.norm(vectors[row]) / np.linalg.norm(vectors[j])
            for j in expected
            if j != row
        }
        assert found.tolist() == sorted(cosine, key=lambda j: -cosine[j])[:6]


def test_no_more_neighbours_than_there_are() -> None:
    vectors = np.array([[1.0, 0], [0, 0], [1, 1], [0, 1]])
    rows, neighbours = neighbour_rows(vectors, everyone(4), k=10)
    assert rows.tolist() == [0, 2, 3]
    assert [set(row) for row in neighbours.tolist()] == [{2, 3}, {0, 3}, {0, 2}]
    assert neighbour_rows(vectors, np.array([True, True, False, False]), k=10)[1].shape == (1, 0)
    assert neighbour_rows(vectors * 0, everyone(4))[1].shape == (0, 0)
    with pytest.raises(SettingError, match="at least 1"):
        neighbour_rows(vectors, everyone(4), k=0)


def test_ties_favour_nobody() -> None:
    """In item order the first ten items would be the neighbours of all the others."""
    times_found = np.bincount(neighbour_rows(np.ones((400, 3)), everyone(400), k=10)[1].ravel(), minlength=400)
    assert times_found.tolist() == [10] * 400
    first_half = np.arange(400) < 200  # nor the next in the catalogue, which may be a sequel
    halves = np.column_stack([first_half, ~first_half])
    found = retrieval(np.ones((400, 3)), halves, np.full(400, 20), everyone(400))
    assert found["precision"] == pytest.approx(0.5, abs=0.05)
    nearer = np.ones((400, 2))
    nearer[7:12, 1] = 2  # ties never go before what is truly nearer
    assert {frozenset(row) for row in neighbour_rows(nearer, everyone(400), k=4)[1][7:12].tolist()} == {
        frozenset(set(range(7, 12)) - {i}) for i in range(7, 12)
    }


def test_retrieval_agrees_with_sets(items) -> None:
    vectors, judged, carries, n_ratings = items
    found = retrieval(vectors, carries, n_ratings, judged, k=6)
    sets = [set(np.flatnonzero(row).tolist()) for row in carries]
    hits, likeness, n = [], [], 0
    for row, neighbours in zip(*neighbour_rows(vectors, judged, k=6), strict=True):
        if sets[row]:
            n += 1
            hits += [bool(sets[row] & sets[j]) for j in neighbours]
            likeness += [len(sets[row] & sets[j]) / len(sets[row] | sets[j]) for j in neighbours]
    assert found["n_queries"] == n < judged.sum() - 2
    assert found["precision"] == pytest.approx(np.mean(hits))
    assert found["jaccard"] == pytest.approx(np.mean(likeness))
    assert found == retrieval(vectors, carries, n_ratings, judged, k=6)
    assert found["chance"] != retrieval(vectors, carries, n_ratings, judged, k=6, seed=1)["chance"]


def test_chance_is_what_random_items_would_share() -> None:
    rng = np.random.default_rng(0)
    n = 1000
    first = rng.permutation(n) < 300  # 30 % carry the one attribute, all others the second
    carries = np.column_stack([first, ~first])
    near = np.where(carries, 9.0, 0) + rng.normal(size=(n, 2))
    found = retrieval(near, carries, rng.permutation(n) + 20, everyone(n))
    assert found["precision"] > 0.99
    assert found["chance"] == found["chance_jaccard"] == pytest.approx(0.3**2 + 0.7**2, abs=0.02)
    noise = retrieval(rng.normal(size=(n, 8)), carries, rng.permutation(n) + 20, everyone(n))
    assert noise["precision"] == pytest.approx(0.58, abs=0.02)


def test_chance_knows_what_popularity_gives_away() -> None:
    """The attribute is nothing but popularity, and so are the neighbours: no better than chance."""
    rng = np.random.default_rng(0)
    n_ratings = rng.permutation(400) + 20
    popular = n_ratings >= 220
    carries = np.column_stack([popular, ~popular])
    vectors = np.column_stack([np.where(popular, 5.0, -5.0), rng.normal(size=400)])
    found = retrieval(vectors, carries, n_ratings, everyone(400))
    assert found["precision"] == found["chance"] == 1
    unmatched = retrieval(vectors, carries, np.full(400, 20), everyone(400))
    assert unmatched["chance"] == pytest.approx(0.5, abs=0.03)


def test_chance_never_draws_the_item_that_asks() -> None:
    """Each item is alone with its attribute: to share it, one would have to meet itself. Bins hold two items each."""
    rng = np.random.default_rng(3)
    carries = np.eye(40, dtype=bool)
    vectors = np.repeat(rng.normal(size=(20, 5)), 2, axis=0) + 1e-3 * rng.normal(size=(40, 5))
    for seed in range(20):
        found = retrieval(vectors, carries, np.arange(40) + 20, everyone(40), k=3, seed=seed)
        assert found["chance"] == found["precision"] == 0
    judged = everyone(40)
    judged[::4] = False  # who is not judged is not drawn
    carries = np.column_stack([judged, ~judged])
    assert retrieval(vectors, carries, np.arange(40) + 20, judged, k=3)["chance"] == 1


def test_nobody_asks_without_attributes() -> None:
    found = retrieval(np.eye(5), np.zeros((5, 2), dtype=bool), np.full(5, 20), everyone(5))
    assert found.pop("n_queries") == 0
    assert np.isnan(list(found.values())).all()


def test_overlap_by_sets_and_at_its_ends(items) -> None:
    a, judged, _, _ = items
    b = a + 0.5 * np.random.default_rng(2).normal(size=a.shape)
    b[3] = 0
    rows, near_a = neighbour_rows(a, judged, 5)
    near_b = dict(zip(neighbour_rows(b, judged, 5)[0].tolist(), neighbour_rows(b, judged, 5)[1], strict=True))
    shares = [len({*x.tolist()} & {*near_b[row].tolist()}) / 5 for row, x in zip(rows.tolist(), near_a, strict=True)]
    assert overlap(a, b, judged, 5) == pytest.approx(np.mean(shares))
    assert 0.2 < overlap(a, b, judged, 5) < overlap(a, a * 3, judged, 5) == 1
    rng = np.random.default_rng(4)
    x, y = rng.normal(size=(2, 500, 16))
    assert overlap(x, y, everyone(500)) == pytest.approx(10 / 499, abs=0.006)
    assert np.isnan(overlap(x, y * 0, everyone(500)))


# ------------------------------------------------------------------------------------------------------------ probes


@pytest.fixture(scope="module")
def probed() -> tuple[np.ndarray, np.ndarray]:
    """Vectors (600, 20) and four attributes, from hardly to well told by a direction, with noise."""
    rng = np.random.default_rng(5)
    vectors = rng.normal(size=(600, 20))
    told = unit(vectors) @ rng.normal(size=(20, 4)) + rng.normal(size=(600, 4)) * [0.2, 0.5, 1.5, 4]
    return vectors, told > [np.quantile(column, q) for column, q in zip(told.T, (0.9, 0.8, 0.7, 0.5), strict=True)]


def test_probe_tells_what_is_separable_and_nothing_from_shuffled_labels() -> None:
    rng = np.random.default_rng(6)
    vectors = rng.normal(size=(500, 12))
    carries = np.column_stack([vectors[:, 0] > 0, vectors[:, 1] + vectors[:, 2] > 1])
    assert (probe_auc(vectors, carries, everyone(500)) > 0.97).all()
    shuffled = [probe_auc(vectors, carries[rng.permutation(500)], everyone(500), seed=s) for s in range(20)]
    assert np.mean(shuffled) == pytest.approx(0.5, abs=0.02)


def test_rare_attributes_of_vectors_that_say_nothing_are_told_by_chance() -> None:
    """Folds that differ in mean and penalty pull a pooled AUC below one half: with both left in it is 0.47 here."""
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
    assert found[0] > found[1] + 0.02 > found[2] + 0.04  # the noisier, the worse told


def test_a_fold_agrees_with_ridge_and_its_leave_one_out(probed) -> None:
    """The penalty that leaving out one item after the other finds best, and the predictions it gives."""
    vectors, carries = probed
    x, y = unit(vectors)[:80], carries[:80].astype(float)
    folds = np.arange(80) % 5
    values, means, spread = embedding._held_out(x, y, folds)
    train, test = np.flatnonzero(folds != 2), np.flatnonzero(folds == 2)
    centred = x[train] - x[train].mean(axis=0)
    penalties = embedding.PENALTIES * (np.linalg.svd(centred, compute_uv=False) ** 2).mean()
    errors = np.zeros((len(penalties), 4))
    for at, penalty in enumerate(penalties):
        for left_out in train:
            others = train[train != left_out]
            guess = Ridge(alpha=penalty).fit(x[others], y[others]).predict(x[[left_out]])[0]
            errors[at] += (guess - y[left_out]) ** 2
    best = errors.argmin(axis=0)
    assert len(set(best.tolist())) > 1  # not all the same, or it would prove little
    for column in range(4):
        ridge = Ridge(alpha=penalties[best[column]]).fit(x[train], y[train, column])
        assert (values + means)[test, column] == pytest.approx(ridge.predict(x[test]))
        assert spread[test, column] == pytest.approx(ridge.predict(x[train]).std())


def test_wide_and_sparse_vectors_take_another_way_to_the_same_numbers(probed) -> None:
    vectors, carries = probed
    wide = np.hstack([vectors, np.zeros((600, 700))])  # more columns than items: through the kernel
    expected = probe_auc(vectors, carries, everyone(600))
    for same in (wide, sp.csr_matrix(wide), sp.csr_matrix(vectors)):
        assert probe_auc(same, carries, everyone(600)) == pytest.approx(expected, abs=1e-6)
    target = vectors @ np.arange(20.0)
    assert probe_r2(sp.csr_matrix(wide), target, everyone(600)) == pytest.approx(
        probe_r2(vectors, target, everyone(600)), abs=1e-6
    )


def test_probe_is_silent_where_there_is_too_little_to_tell(probed) -> None:
    vectors, _ = probed
    carries = np.zeros((600, 4), dtype=bool)
    carries[0, 1] = carries[:2, 2] = True
    carries[:, 3] = np.arange(600) > 0
    assert np.isnan(probe_auc(vectors, carries, everyone(600))).tolist() == [True, True, False, True]
    assert np.isnan(probe_auc(vectors * 0, carries, everyone(600))).all()
    assert probe_auc(np.ones((600, 3)), carries, everyone(600))[2] == 0.5  # all alike: no axis to tell by


def test_only_the_judged_take_part_in_a_probe(probed) -> None:
    vectors, carries = probed
    judged = np.arange(600) < 400
    spoiled, wrong = vectors.copy(), carries.copy()
    spoiled[400:], wrong[400:] = 1e6, True
    alone = probe_auc(vectors[:400], carries[:400], everyone(400))
    assert probe_auc(spoiled, wrong, judged) == pytest.approx(alone, abs=1e-9)


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


# ---------------------------------------------------------------------------------------------------------- clusters


@pytest.fixture(scope="module")
def blobs() -> tuple[np.ndarray, np.ndarray]:
    """Six tight bundles of directions, 40 items each (240, 10), and the attribute each is of (240, 6)."""
    rng = np.random.default_rng(9)
    label = rng.permutation(np.repeat(np.arange(6), 40))
    vectors = np.eye(10)[label] + 0.03 * rng.normal(size=(240, 10))
    return vectors * rng.uniform(0.2, 5, size=(240, 1)), np.eye(6, dtype=bool)[label]  # length means nothing


def test_bundles_are_found_and_shuffled_attributes_are_not_theirs(blobs) -> None:
    vectors, carries = blobs
    found = clustering(vectors, carries, everyone(240), n_clusters=6)
    assert found["nmi"] == pytest.approx(1)
    assert found["silhouette"] > 0.95
    assert found["chance_nmi"] < 0.1
    assert found == clustering(vectors, carries, everyone(240), n_clusters=6)
    shuffled = clustering(vectors, np.random.default_rng(0).permutation(carries), everyone(240), n_clusters=6)
    assert shuffled["nmi"] == pytest.approx(found["chance_nmi"], abs=0.04)
    noise = clustering(np.random.default_rng(0).normal(size=(240, 10)), carries, everyone(240), n_clusters=6)
    assert noise["silhouette"] < 0.25 and noise["nmi"] < 0.15


def test_silhouette_by_hand() -> None:
    """Two pairs of directions at right angles, 60° within a pair: a = 1 − cos 60°, b = the mean distance across."""
    angles = np.deg2rad([0, 60, 180, 240])
    vectors = np.column_stack([np.cos(angles), np.sin(angles)])
    found = clustering(vectors, np.eye(4, dtype=bool), everyone(4), n_clusters=2)
    across = (2 + 1.5) / 2, (1.5 + 2) / 2  # 1 − cos of 180°, 240° and of 120°, 180°
    assert found["silhouette"] == pytest.approx(np.mean([1 - 0.5 / b for b in across]))
    assert found["nmi"] == pytest.approx(normalized_mutual_info_score([0, 1, 2, 3], [0, 0, 1, 1]))


def test_the_main_attribute_is_the_rarest_and_wide_vectors_are_reduced_first(blobs) -> None:
    vectors, carries = blobs
    with_common = np.column_stack([everyone(240), carries])  # says nothing, for all carry it
    assert clustering(vectors, with_common, everyone(240), n_clusters=6)["nmi"] == pytest.approx(1)
    some = carries.copy()
    some[:100] = False  # left out of the NMI
    assert clustering(vectors, some, everyone(240), n_clusters=6)["nmi"] == pytest.approx(1)
    wide = np.hstack([vectors, 0.01 * np.random.default_rng(0).normal(size=(240, 300))])
    for kind in (np.asarray, sp.csr_matrix):
        found = clustering(kind(wide), carries, everyone(240), n_clusters=6)
        assert found["nmi"] == pytest.approx(1) and found["silhouette"] > 0.9


def test_what_is_reduced_is_scaled_again() -> None:
    """Clusters of wide vectors are those of their reduction at length 1, given as dense vectors."""
    rng = np.random.default_rng(3)
    wide = rng.normal(size=(200, 300)) * rng.uniform(0, 3, size=(200, 1)) + 8 * np.eye(300)[rng.integers(9, size=200)]
    carries = rng.random((200, 6)) < 0.3
    reduced = TruncatedSVD(64, random_state=42).fit_transform(unit(wide))
    expected = clustering(reduced, carries, everyone(200))
    for kind in (np.asarray, sp.csr_matrix):
        assert clustering(kind(wide), carries, everyone(200)) == pytest.approx(expected)


def test_clusters_that_cannot_be() -> None:
    alike = clustering(np.ones((9, 3)), np.eye(9, dtype=bool), everyone(9))
    empty = clustering(np.zeros((9, 3)), np.eye(9, dtype=bool), everyone(9))
    assert np.isnan([*alike.values(), *empty.values()]).all()
    bare = clustering(np.eye(9), np.zeros((9, 2), dtype=bool), everyone(9), n_clusters=3)
    assert np.isnan(bare["nmi"]) and not np.isnan(bare["silhouette"])


# ------------------------------------------------------------------------------------------------------------- shape


def test_effective_rank_of_known_matrices() -> None:
    assert effective_rank(np.eye(7)) == pytest.approx(7)
    assert effective_rank(np.outer(np.arange(1, 30), [1.0, 2, 3])) == pytest.approx(1)
    assert effective_rank(np.diag([3.0, 1.0])) == pytest.approx(np.exp(-(0.75 * np.log(0.75) + 0.25 * np.log(0.25))))
    assert np.isnan(effective_rank(np.zeros((4, 3))))


@pytest.mark.parametrize("shape", [(80, 30), (30, 80)])
def test_sparse_shape_is_the_dense_one(shape, monkeypatch: pytest.MonkeyPatch) -> None:
    matrix = sp.random(*shape, density=0.2, format="csr", random_state=0)
    assert effective_rank(matrix) == pytest.approx(effective_rank(matrix.toarray()))
    assert isotropy(matrix) == pytest.approx(isotropy(matrix.toarray()))
    whole = effective_rank(matrix)
    monkeypatch.setattr(embedding, "LARGEST_GRAM", 20)
    monkeypatch.setattr(embedding, "LEADING", 25)
    values = np.linalg.svd(matrix.toarray(), compute_uv=False)[:25]
    shares = values / values.sum()
    assert effective_rank(matrix) == pytest.approx(np.exp(-(shares * np.log(shares)).sum()), rel=1e-3)
    assert effective_rank(matrix) < whole
    assert 0 < isotropy(matrix) <= 1


def test_isotropy_of_known_directions() -> None:
    basis = np.vstack([np.eye(5), -np.eye(5)])
    assert isotropy(basis * np.arange(1, 11)[:, None]) == pytest.approx(1)  # lengths do not count
    one_way = isotropy(np.tile([2.0, 0, 0], (50, 1)))
    assert one_way == pytest.approx(np.exp(-2))
    rng = np.random.default_rng(0)
    even, leaning = rng.normal(size=(2000, 8)), rng.normal(size=(2000, 8)) + np.eye(8)[0] * 2
    assert isotropy(even) > 0.9 > 0.5 > isotropy(leaning) > one_way
    assert np.isnan(isotropy(np.zeros((3, 2))))


def test_isotropy_by_the_formula() -> None:
    vectors = np.random.default_rng(2).normal(size=(60, 4)) + 0.5
    v = unit(vectors)
    sums = [np.exp(sign * v @ c).sum() for c in np.linalg.eigh(v.T @ v)[1].T for sign in (1, -1)]
    assert isotropy(vectors) == pytest.approx(min(sums) / max(sums))


def test_cka_of_rotations_and_of_strangers() -> None:
    rng = np.random.default_rng(3)
    a, b = rng.normal(size=(300, 10)) * np.arange(1, 11), rng.normal(size=(300, 6))
    rotation = np.linalg.qr(rng.normal(size=(10, 10)))[0]
    assert linear_cka(a, a) == pytest.approx(1)
    assert linear_cka(a, 3 * a @ rotation + 7) == pytest.approx(1)
    assert linear_cka(a, b) < 0.1
    centre = np.eye(300) - 1 / 300  # by the definition, HSIC of the two kernels
    k, m = centre @ a @ a.T @ centre, centre @ b @ b.T @ centre
    assert linear_cka(a, b) == pytest.approx((k * m).sum() / np.sqrt((k * k).sum() * (m * m).sum()))
    assert np.isnan(linear_cka(a, np.ones((300, 2))))


# ------------------------------------------------------------------------------------------------------- divergences


def kl_of_gaussians(mean: np.ndarray, spread: np.ndarray) -> float:
    """D(N(mean, spread²) ‖ N(0, 1)) for independent coordinates."""
    return float((spread**2 + mean**2 - 1 - 2 * np.log(spread)).sum() / 2)


@pytest.mark.parametrize(
    ("mean", "spread"), [((0, 0), (1, 1)), ((0.5, 0), (1, 1)), ((0, 0), (0.5, 0.7)), ((0.3, -0.5), (0.8, 0.6))]
)
def test_kl_between_gaussians(mean, spread) -> None:
    rng = np.random.default_rng(10)
    a, b = np.array(mean) + np.array(spread) * rng.normal(size=(3000, 2)), rng.normal(size=(3000, 2))
    known = kl_of_gaussians(np.array(mean), np.array(spread))
    assert knn_kl(a, b, 5) == pytest.approx(known, abs=0.06)
    assert knn_kl(a, b[:1500], 5) == pytest.approx(known, abs=0.06)  # samples need not be of one size


def test_kl_goes_one_way_and_errs_low_far_out_but_less_with_more_points() -> None:
    rng = np.random.default_rng(10)
    mean, spread = np.array([1.0, -0.5]), np.array([1.5, 0.8])
    known = kl_of_gaussians(mean, spread)
    few, many = (
        knn_kl(mean + spread * rng.normal(size=(n, 2)), rng.normal(size=(n, 2)), 1) - known for n in (300, 20_000)
    )
    assert few < many < 0.05
    assert many == pytest.approx(0, abs=0.1)
    wide, narrow = rng.normal(size=(3000, 2)), 0.5 * rng.normal(size=(3000, 2))
    assert knn_kl(wide, narrow) > knn_kl(narrow, wide) + 0.1


def test_kl_by_a_plain_loop() -> None:
    rng = np.random.default_rng(11)
    a, b = rng.normal(size=(40, 3)), rng.normal(size=(25, 3)) + 1
    total = 0.0
    for i in range(40):
        own = sorted(np.linalg.norm(a[i] - a[j]) for j in range(40) if j != i)
        other = sorted(np.linalg.norm(a[i] - y) for y in b)
        total += np.log(other[2] / own[2])
    assert knn_kl(a, b, 3) == pytest.approx(3 / 40 * total + np.log(25 / 39))
    with pytest.raises(InputError, match="no 30th neighbour"):
        knn_kl(a, b, 30)
    with pytest.raises(InputError, match="are equal"):
        knn_kl(np.zeros((9, 2)), b[:, :2], 3)


def test_divergence_is_nothing_between_equals_and_ln_2_between_strangers() -> None:
    rng = np.random.default_rng(12)
    a, same, n = rng.normal(size=(700, 10)), rng.normal(size=(500, 10)), 10
    equal = divergence(a, same)
    assert equal["js"] < 0.01 and equal["js_control"] < 0.01
    assert abs(equal["kl_ab"]) < 0.35 and abs(equal["kl_ba"]) < 0.35
    apart = divergence(a + 8 * np.eye(n)[0], same - 8 * np.eye(n)[0])
    assert apart["js"] == pytest.approx(np.log(2), abs=0.02)
    assert apart["js_control"] < 0.01 and min(apart["kl_ab"], apart["kl_ba"]) > 5
    partly = divergence(a + np.eye(n)[0], same)
    assert equal["js"] + 0.05 < partly["js"] < apart["js"] - 0.2
    assert divergence(a, same) == equal
    lengths = rng.uniform(0.1, 9, size=(700, 1))
    assert divergence(a * lengths, same) == pytest.approx(equal, abs=1e-4)  # only directions count


def test_js_of_overlapping_arcs_is_near_its_integral() -> None:
    """Directions uniform on 0 … 1.2 rad and on 0.6 … 1.8: they share half, so JS = ½ ln 2."""
    rng = np.random.default_rng(13)
    arcs = rng.uniform(0, 1.2, 1500), rng.uniform(0.6, 1.8, 1500)
    a, b = (np.column_stack([np.cos(t), np.sin(t)]) for t in arcs)
    found = divergence(a, b)
    assert found["js"] == pytest.approx(np.log(2) / 2, abs=0.03)
    assert found["js_control"] < 0.01


def test_equal_and_sparse_points_are_no_trouble() -> None:
    rng = np.random.default_rng(14)
    a, b = (np.eye(6)[rng.integers(6, size=n)] for n in (600, 400))  # nothing but repeated points
    found = divergence(a, b)
    assert np.isfinite(list(found.values())).all() and found["js"] < 0.05
    assert np.isfinite(list(divergence(np.ones((50, 3)), np.ones((40, 3))).values())).all()
    apart = divergence(sp.csr_matrix(np.eye(6)[rng.integers(3, size=300)]), sp.csr_matrix(b * [0, 0, 0, 1, 1, 1]))
    assert apart["js"] == pytest.approx(np.log(2), abs=0.02)
    wide_a, wide_b = (sp.random(150, 400, density=0.05, format="csr", random_state=s) for s in (1, 2))
    assert divergence(wide_a, wide_b)["js"] < 0.05
    with pytest.raises(InputError, match="too few"):
        divergence(np.eye(4), np.eye(4))


# --------------------------------------------------------------------------------------------------------- baselines


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return Catalog.of(
        ["a", "b", "c", "d", "e"],
        titles=["Matrix, The", "The Matrix Reloaded", "Café Noir", "cafe noir", "Alone"],
        years=[1999, 2003, 1999, None, 2001],
        genres=[("Action", "Sci-Fi"), ("Sci-Fi", "Action"), ("Drama",), ("Drama", "unknown"), ("(no genres listed)",)],
        tags=[("Cyber punk",), ("cyber punk", "sequel"), (), (), ()],
    )


RATINGS = sp.csr_matrix(np.array([[5.0, 4, 0, 1, 0], [1, 2, 0, 0, 0], [0, 0, 3, 1, 0], [4, 0, 2, 0, 5]]))


def cosine(vectors: np.ndarray | sp.csr_matrix, i: int, j: int) -> float:
    rows = vectors.toarray() if sp.issparse(vectors) else vectors
    return float(rows[i] @ rows[j] / np.linalg.norm(rows[i]) / np.linalg.norm(rows[j]))


def test_baselines_hold_what_they_say(catalog: Catalog) -> None:
    found = baselines(catalog, RATINGS, n_factors=3)
    assert list(found) == [
        "genres (one-hot)", "titles (bag of words)", "titles, genres, tags (TF-IDF)", "ratings (raw rows)",
        "ratings (PCA)", "random",
    ]  # fmt: skip
    assert all(v.shape[0] == 5 and v.dtype == np.float32 for v in found.values())
    genres = found["genres (one-hot)"]
    assert genres.shape == (5, 3)  # what is no genre is none
    assert cosine(genres, 0, 1) == cosine(genres, 2, 3) == pytest.approx(1)
    assert cosine(genres, 0, 2) == 0 and not genres[4].any()
    titles = found["titles (bag of words)"]
    assert cosine(titles, 0, 1) == pytest.approx(1 / np.sqrt(2))  # matrix against matrix, reloaded
    assert cosine(titles, 2, 3) == pytest.approx(1) and cosine(titles, 0, 4) == 0
    assert titles.sum(axis=1).ravel().tolist() == [[1, 2, 2, 2, 1]]  # no year, no leading article
    raw = found["ratings (raw rows)"]
    assert raw.toarray().tolist() == (RATINGS.toarray().T > 0).tolist()
    assert cosine(raw, 0, 1) == pytest.approx(2 / np.sqrt(6))


def test_words_weigh_by_rarity(catalog: Catalog) -> None:
    found = baselines(catalog, RATINGS)["titles, genres, tags (TF-IDF)"].toarray()
    tokens = [
        {"matrix", "genre:Action", "genre:Sci-Fi", "tag:cyber punk"},
        {"matrix", "reloaded", "genre:Action", "genre:Sci-Fi", "tag:cyber punk", "tag:sequel"},
        {"cafe", "noir", "genre:Drama"},
        {"cafe", "noir", "genre:Drama"},
        {"alone"},
    ]
    words = sorted(set.union(*tokens))
    weight = {w: 1 + np.log((1 + 5) / (1 + sum(w in t for t in tokens))) for w in words}
    expected = unit(np.array([[weight[w] * (w in t) for w in words] for t in tokens]))
    assert found @ found.T == pytest.approx(expected @ expected.T, abs=1e-6)
    assert found.shape == (5, len(words))


def test_principal_components_keep_the_distances(catalog: Catalog) -> None:
    binary = (RATINGS.toarray().T > 0).astype(float)
    full = baselines(catalog, RATINGS, n_factors=64)["ratings (PCA)"]
    assert full.shape == (5, 4)  # as many as there are
    centred = binary - binary.mean(axis=0)
    assert full @ full.T == pytest.approx(centred @ centred.T, abs=1e-5)
    few = baselines(catalog, RATINGS, n_factors=2)["ratings (PCA)"]
    u, s, _ = np.linalg.svd(centred, full_matrices=False)
    assert few @ few.T == pytest.approx((u[:, :2] * s[:2] ** 2) @ u[:, :2].T, abs=1e-5)


def test_baselines_are_the_same_again_and_random_by_seed(catalog: Catalog) -> None:
    first, again, other = (baselines(catalog, RATINGS, n_factors=3, seed=s) for s in (1, 1, 2))
    for name in first:
        difference = first[name] - again[name]
        assert not (difference.nnz if sp.issparse(difference) else difference.any()), name
    assert first["random"].shape == (5, 3) and (first["random"] != other["random"]).all()


def test_a_catalogue_of_ids_alone_has_baselines_too() -> None:
    bare = baselines(Catalog.of([1, 2, 3], titles=["", "?", "!"]), RATINGS[:, :3])
    assert bare["genres (one-hot)"].shape == bare["titles (bag of words)"].shape == (3, 1)
    judged = everyone(3)
    assert np.isnan(retrieval(bare["titles (bag of words)"], judged[:, None], np.full(3, 20), judged)["precision"])
    with pytest.raises(InputError, match="does not fit a catalogue"):
        baselines(Catalog.of([1, 2]), RATINGS)


# ------------------------------------------------------------------------------------------------------- wrong input


def test_what_does_not_fit_is_refused() -> None:
    vectors, judged, carries = np.eye(6), everyone(6), np.eye(6, dtype=bool)
    with pytest.raises(InputError, match="judged must be a bool"):
        neighbour_rows(vectors, np.arange(6))
    with pytest.raises(InputError, match="not finite"):
        neighbour_rows(vectors * np.nan, judged)
    with pytest.raises(InputError, match="attributes of shape"):
        probe_auc(vectors, carries[:5], judged)
    with pytest.raises(InputError, match="rating counts"):
        retrieval(vectors, carries, np.ones(5), judged)
    with pytest.raises(InputError, match="targets of shape"):
        probe_r2(vectors, np.ones(5), judged)
    for compare in (lambda: linear_cka(vectors, vectors[:5]), lambda: overlap(vectors, vectors[:5], judged)):
        with pytest.raises(InputError, match="cannot be compared"):
            compare()
    with pytest.raises(InputError, match="different spaces"):
        divergence(vectors, vectors[:, :5])
