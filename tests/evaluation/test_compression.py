"""Lossy compression: known answers, the control of popularity, and runs that are interrupted and continued."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
import scipy.optimize
import scipy.sparse as sp

from recsys.dataset.catalog import Catalog
from recsys.dataset.dataset import Dataset
from recsys.dataset.interactions import Interactions
from recsys.errors import InputError, SettingError
from recsys.evaluation.compression import PCA, Compression, compression, kinds_for, perplexity
from recsys.evaluation.serialization import from_json
from recsys.models import BPR, IALS, Model

N_USERS, N_ITEMS, N_TASTES = 120, 40, 4


@pytest.fixture(scope="module")
def data() -> Dataset:
    """Four tastes of ten items each; a user rates most items of one taste, so three numbers describe everyone."""
    rng = np.random.default_rng(0)
    same = np.arange(N_USERS)[:, None] % N_TASTES == np.arange(N_ITEMS) % N_TASTES
    matrix = sp.csr_matrix((same & (rng.random(same.shape) < 0.8)) * np.float32(4))
    ratings = Interactions(matrix, np.arange(N_USERS), np.arange(N_ITEMS))
    return Dataset(ratings, Catalog.of(ratings.item_ids), name="tastes")


@pytest.fixture(scope="module")
def model(data: Dataset) -> Model:
    return IALS(n_factors=4, epochs=5).fit(data)


@pytest.fixture(scope="module")
def found(data: Dataset, model: Model) -> Compression:
    return compression(model, data.interactions, of=("pca", "ials"), dimensions=(1, 4, 4096))


def test_four_tastes_pass_through_four_numbers_and_not_through_one(found: Compression) -> None:
    assert found.users == N_USERS // 5 and found.popular.n_factors == 0
    assert found.popular.known > 0.9 * N_ITEMS, "popularity says nothing here: all forty items are in question"
    for curve in found.curves:
        one, four = curve.points
        assert (one.n_factors, four.n_factors) == (1, 4), "4096 dimensions do not fit 40 items"
        assert one.known > 15 and one.other > 10
        assert four.known == pytest.approx(N_ITEMS / N_TASTES, rel=0.15), "the ten items of one taste are in question"
        assert four.other < 8, "of these ten, the known ones are out of the question"
        assert four.ndcg.mean > one.ndcg.mean + 0.2


def test_perplexity_is_the_least_over_scale_and_popularity() -> None:
    rng = np.random.default_rng(1)
    scores, counts = rng.normal(size=(6, 9)), rng.integers(1, 50, 9)
    truth = sp.csr_matrix((rng.random((6, 9)) < 0.4) | (np.arange(9) == 0), dtype=np.float32)
    out = sp.csr_matrix(np.arange(9) == np.full((6, 1), 8), dtype=np.float32)
    truth = sp.csr_matrix(truth.multiply(1 - out.toarray()))

    def loss(chosen: np.ndarray) -> float:
        total = 0.0
        for row in range(6):
            s = (scores[row] - scores[row].mean()) / scores[row].std()
            p = np.exp(chosen[0] * s + chosen[1] * np.log(counts + 1)) * (out.toarray()[row] == 0)
            total -= np.mean(np.log(p[truth[row].indices] / p.sum()))
        return total / 6

    least = scipy.optimize.minimize(loss, [0.0, 0.0], method="Nelder-Mead", options={"xatol": 1e-8, "fatol": 1e-12})
    assert perplexity(lambda rows: scores[rows], counts, truth, out) == pytest.approx(np.exp(least.fun), rel=1e-6)
    alone = scipy.optimize.minimize_scalar(lambda b: loss(np.array([0.0, b])))
    found = perplexity(lambda rows: scores[rows], counts, truth, out, by_popularity=True)
    assert found == pytest.approx(np.exp(alone.fun), rel=1e-6)
    assert perplexity(lambda rows: scores[rows], np.ones(9), truth, by_popularity=True) == pytest.approx(9)


def test_pca_is_the_truncated_svd(data: Dataset) -> None:
    space = PCA(n_factors=3).fit(data).space
    weights = data.interactions.matrix.toarray() / data.interactions.matrix.data.mean()
    u, s, v = np.linalg.svd(weights)
    best = (u[:, :3] * s[:3]) @ v[:3]
    np.testing.assert_allclose(space.user_factors @ space.item_factors.T, best, atol=1e-4)


def test_an_interrupted_run_keeps_its_points_and_the_next_one_adds_the_others(
    data: Dataset, model: Model, found: Compression
) -> None:
    kept: list[Compression] = []

    def stop(part: Compression) -> None:
        kept.append(part)
        if len(kept) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        compression(model, data.interactions, of=("pca", "ials"), dimensions=(1, 4), keep=stop)
    assert [len(curve.points) for curve in kept[-1].curves] == [2, 1]
    again: list[Compression] = []
    whole = compression(
        model, data.interactions, of=("pca", "ials"), dimensions=(1, 4), earlier=kept[-1], keep=again.append
    )
    assert len(again) == 1 and whole == found
    other = compression(model, data.interactions, of=("pca",), dimensions=(1,), seed=1, earlier=whole)
    assert [curve.model for curve in other.curves] == ["pca"] and len(other.curves[0].points) == 1


def test_ctrl_c_inside_a_training_is_not_taken_for_its_end(data: Dataset, model: Model, monkeypatch) -> None:
    complete = IALS.fit
    monkeypatch.setattr(IALS, "fit", lambda self, *a, **k: complete(self.replace(epochs=1), *a, **k))
    kept: list[Compression] = []
    with pytest.raises(KeyboardInterrupt):
        compression(model, data.interactions, of=("ials",), dimensions=(1,), keep=kept.append)
    assert not kept


def test_stored_values_are_read_back_and_impossible_ones_refused(found: Compression) -> None:
    value = found.to_json()
    assert from_json(Compression, json.dumps(value)) == found
    assert len(found.to_frame()) == 5 and found.to_frame()["known"].notna().all()
    point = found.curves[0].points[0]
    for wrong in (
        dataclasses.replace(point, known=0.5),
        dataclasses.replace(point, other=2.0 * N_ITEMS),
        dataclasses.replace(point, n_factors=0),
        dataclasses.replace(point, ndcg=dataclasses.replace(point.ndcg, mean=None)),
    ):
        with pytest.raises(InputError):
            dataclasses.replace(found, curves=(dataclasses.replace(found.curves[0], points=(wrong,)),))


def test_kinds_without_dimensions_are_refused(data: Dataset, model: Model) -> None:
    for kind in ("ease", "blend", "nothing"):
        with pytest.raises(SettingError, match="no number of dimensions"):
            compression(model, data.interactions, of=(kind,))
    assert kinds_for(model) == ("pca", "ials", "vae")
    assert kinds_for(BPR(n_factors=2, epochs=1).fit(data)) == ("pca", "ials", "vae", "bpr")
