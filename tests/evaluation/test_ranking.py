"""Metrics compared with independent implementations (ranx, scikit-learn), and edge cases."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from ranx import Qrels, Run
from ranx import evaluate as ranx_evaluate
from sklearn.metrics import roc_auc_score

from recsys.dataset.catalog import Catalog
from recsys.dataset.dataset import Dataset
from recsys.dataset.interactions import Interactions
from recsys.dataset.split import HoldOut, hold_out
from recsys.errors import InputError, SettingError
from recsys.evaluation import ranking
from recsys.evaluation.ranking import Ranking, best_known, by_activity, by_popularity, gini, long_tail, rank_quality
from recsys.models import IALS, MODELS, Model, Popular, Vectors
from recsys.recommend.topn import batch_of_users, recommend, score
from recsys.space.embedding import EmbeddingSpace

K = (1, 5, 20)


@pytest.fixture(scope="module")
def split(ml100k: Dataset) -> HoldOut:
    return hold_out(ml100k.interactions, "random")


@pytest.fixture(scope="module")
def model(ml100k: Dataset, split: HoldOut) -> Model:
    return IALS(n_factors=16, epochs=3).fit(Dataset(split.train, ml100k.catalog))


@pytest.fixture(scope="module")
def measured(model: Model, split: HoldOut) -> Ranking:
    return rank_quality(model, split, K, n_threads=2)


@pytest.mark.slow
def test_metrics_agree_with_an_independent_library(model: Model, split: HoldOut, measured: Ranking) -> None:
    listed = recommend(model, batch_of_users(model, split.known), max(K))
    run = Run(
        {
            str(user): {str(item): 1.0 / rank for item, rank in zip(rows["item_id"], rows["rank"], strict=True)}
            for user, rows in listed.groupby("user_id")
        }
    )
    truth = split.truth.tocoo()
    qrels: dict[str, dict[str, int]] = {}
    for user, item in zip(split.known.user_ids[truth.row], model.item_ids[truth.col], strict=True):
        qrels.setdefault(str(user), {})[str(item)] = 1
    theirs = {"hr": "hit_rate", "recall_all": "recall", "precision": "precision", "mrr": "mrr", "ndcg": "ndcg"}
    names = [f"{name}@{k}" for name in theirs.values() for k in K]
    found = ranx_evaluate(Qrels(qrels), run, names, return_mean=False)
    by_user = measured.users.set_index(measured.users["user_id"].astype(str)).loc[sorted(qrels)]
    order = sorted(qrels)
    for ours, name in theirs.items():
        for k in K:
            expected = pd.Series(found[f"{name}@{k}"], index=order)
            np.testing.assert_allclose(by_user[f"{ours}@{k}"], expected, atol=1e-6, err_msg=f"{ours}@{k}")
    for k in K:
        n = by_user["n_hidden"]
        np.testing.assert_allclose(by_user[f"recall@{k}"], by_user[f"recall_all@{k}"] * n / np.minimum(n, k))


def test_average_precision_agrees_with_its_definition(split: HoldOut, model: Model, measured: Ranking) -> None:
    listed = recommend(model, batch_of_users(model, split.known), max(K))
    for user in (1, 405, 943):
        row = split.known.user_rows([user])[0]
        hidden = set(model.item_ids[split.truth[row].indices].tolist())
        ranked = listed.loc[listed["user_id"] == user, "item_id"].tolist()
        for k in K:
            precisions = [
                len(hidden & set(ranked[:place])) / place for place in range(1, k + 1) if ranked[place - 1] in hidden
            ]
            expected = sum(precisions) / min(k, len(hidden))
            found = measured.users.set_index("user_id").at[user, f"map@{k}"]
            assert found == pytest.approx(expected, abs=1e-12)


def test_auc_agrees_with_scikit_learn_ties_included(ml100k: Dataset, split: HoldOut, measured: Ranking) -> None:
    popular = Popular().fit(Dataset(split.train, ml100k.catalog))  # counts, so ties everywhere
    for model, areas in ((popular, rank_quality(popular, split).users), (None, measured.users)):
        if model is None:
            continue
        scores = score(model, batch_of_users(model, split.known))
        for row in (0, 100, 942):
            candidates = np.setdiff1d(np.arange(1682), split.known.matrix[row].indices)
            hidden = np.isin(candidates, split.truth[row].indices)
            expected = roc_auc_score(hidden, scores[row, candidates])
            found = areas.set_index("user_id").at[split.known.user_ids[row], "auc"]
            assert found == pytest.approx(expected, abs=1e-9)


def test_a_model_beats_popularity_and_popularity_beats_chance(
    ml100k: Dataset, split: HoldOut, measured: Ranking
) -> None:
    popular = rank_quality(Popular().fit(Dataset(split.train, ml100k.catalog)), split, (20,))
    rng = np.random.default_rng(0)
    shuffled = np.stack([rng.permutation(row) for row in split.train.matrix.toarray()])
    noise = Interactions(shuffled, split.train.user_ids, split.train.item_ids)
    chance = rank_quality(IALS(n_factors=16, epochs=3).fit(Dataset(noise, ml100k.catalog)), split, (20,))
    assert measured["ndcg@20"] > popular["ndcg@20"] + 0.05 > chance["ndcg@20"] + 0.1
    assert measured["auc"] > popular["auc"] > 0.8
    assert abs(chance["auc"] - 0.5) < 0.05
    assert measured["coverage@20"] > 3 * popular["coverage@20"]
    assert measured["gini@20"] < popular["gini@20"]
    assert measured["novelty@20"] > popular["novelty@20"]
    assert measured["popularity@20"] < popular["popularity@20"]


def test_vectors_that_know_the_answer_are_perfect(model: Model, split: HoldOut) -> None:
    def vectors(sign: int) -> Model:
        answers = sign * split.truth.toarray().astype(np.float32)
        items = np.eye(split.truth.shape[1], dtype=np.float32)
        space = EmbeddingSpace(items, model.item_ids, answers, split.known.user_ids)
        return dataclasses.replace(model, fitted=Vectors(space, model.learner))

    perfect = rank_quality(vectors(1), split, K)
    for name in ("hr", "recall", "map", "mrr", "ndcg"):
        for k in K:
            assert perfect[f"{name}@{k}"] == pytest.approx(1)
    assert perfect["auc"] == 1
    assert rank_quality(vectors(-1), split, K)["auc"] == 0


def test_pairs_are_counted_and_searched_alike() -> None:
    rng = np.random.default_rng(0)
    scores = rng.integers(0, 50, 3000).astype(np.float32)  # many ties
    scores[:300] = np.inf  # excluded items
    values = np.sort(rng.integers(0, 50, 500).astype(np.float32))
    pairs = scores[:, None] - values
    expected = (pairs < 0).sum() + 0.5 * (pairs == 0).sum()
    assert ranking._pairs_by_counting(scores, values) == expected == ranking._pairs_by_search(scores, values)


def test_blocks_and_threads_change_nothing(
    monkeypatch: pytest.MonkeyPatch, model: Model, split: HoldOut, measured: Ranking
) -> None:
    monkeypatch.setattr(ranking, "USERS_AT_ONCE", 100)
    pd.testing.assert_frame_equal(rank_quality(model, split, K, n_threads=1).users, measured.users)


def test_diversity_novelty_and_popularity_by_hand() -> None:
    data = Interactions(
        sp.csr_matrix(np.array([[1.0, 1, 0, 0, 0], [1, 1, 1, 0, 0]])), ["a", "b"], ["v", "w", "x", "y", "z"]
    )
    catalog = Catalog.of(data.item_ids, genres=[("Drama",), ("Drama",), ("War", "Drama"), ("Comedy",), ()])
    model = Popular().fit(Dataset(data, catalog))
    split = HoldOut(data, data, sp.csr_matrix(np.array([[0.0, 0, 1, 0, 0], [0, 0, 0, 0, 0]])))
    found = rank_quality(model, split, (2, 3))
    assert found.skipped == 1
    assert found.users["user_id"].tolist() == ["a"]  # the list is x (rated by one of two users), then y and z (by none)
    assert found["popularity@2"] == pytest.approx((0.5 + 0) / 2)
    assert found["novelty@2"] == pytest.approx(1)
    assert found["tail@2"] == 1  # v and w have four of the five ratings, 80 %
    assert found["diversity@2"] == pytest.approx(1)  # War, Drama against Comedy
    assert found["diversity@3"] == pytest.approx(1)  # z has no genre to compare
    assert found["coverage@2"] == pytest.approx(2 / 5)
    assert found["mrr@2"] == 1 and found["auc"] == 1


def test_the_long_tail_is_outside_the_fewest_items_with_four_fifths_of_the_ratings(
    measured: Ranking, model: Model, ml100k: Dataset
) -> None:
    assert long_tail(np.array([1, 4, 0, 5])).tolist() == [True, False, True, False]
    assert long_tail(np.array([2, 2, 2, 2, 2])).tolist() == [False] * 4 + [True]  # equal ones in item order
    tail, n_ratings = long_tail(model.n_ratings), model.n_ratings
    assert n_ratings[~tail].sum() >= 0.8 * n_ratings.sum() > n_ratings[~tail].sum() - n_ratings[~tail].min()
    assert n_ratings[tail].max() <= n_ratings[~tail].min()
    listed = measured.listed[20]
    assert measured["tail@20"] == pytest.approx(listed[tail].sum() / listed.sum())


def test_lists_can_be_longer_than_the_catalogue(model: Model, split: HoldOut) -> None:
    found = rank_quality(model, split, (5000,))
    assert found["recall_all@5000"] == 1
    assert found["precision@5000"] == pytest.approx((np.diff(split.truth.indptr) / 5000).mean())


def test_quality_beyond_the_best_known_movies_leaves_them_out_of_lists_and_answers(
    ml100k: Dataset, split: HoldOut, model: Model
) -> None:
    found = rank_quality(model, split, (5, 10), auc=False, beyond=True)
    is_known = best_known(model.n_ratings)
    assert is_known.sum() == 100 and model.n_ratings[is_known].min() >= model.n_ratings[~is_known].max()
    rest = dataclasses.replace(split, truth=split.truth.multiply(~is_known).tocsr())
    rest.truth.eliminate_zeros()
    alone = rank_quality(model, rest, (5, 10), auc=False, allowed=~is_known)
    both = found.users.merge(alone.users, on="user_id", how="left")
    np.testing.assert_array_equal(both["ndcg_beyond@5"], both["ndcg@5_y"])
    assert found["ndcg_beyond@10"] == pytest.approx(alone["ndcg@10"])
    hits = found.users["precision@10"].sum() * 10
    others = np.sum(rank_quality(model, rest, (10,), auc=False).users["precision@10"]) * 10
    assert found["best_known@10"] == pytest.approx(1 - others / hits)
    popular = rank_quality(Popular().fit(Dataset(split.train, ml100k.catalog)), split, auc=False, beyond=True)
    assert popular["best_known@10"] > 0.99 and popular["ndcg_beyond@10"] < popular["ndcg@10"] / 2


def test_gini_of_known_distributions() -> None:
    assert gini(np.array([3, 3, 3])) == pytest.approx(0)
    assert gini(np.array([0, 0, 0, 8])) == pytest.approx(0.75)
    x = np.array([1.0, 4, 2, 9])
    assert gini(x) == pytest.approx(np.abs(x[:, None] - x).mean() / (2 * x.mean()))


@pytest.mark.slow
def test_new_users_are_folded_in_by_every_personalized_model(ml100k: Dataset) -> None:
    split = hold_out(ml100k.interactions, "new-users")
    popular = rank_quality(Popular().fit(Dataset(split.train, ml100k.catalog)), split)["ndcg@10"]
    for name in sorted(set(MODELS) - {"popular", "vae", "blend", "sequence"}):  # those with JAX take minutes
        model = MODELS[name]().fit(Dataset(split.train, ml100k.catalog))
        assert rank_quality(model, split, auc=False)["ndcg@10"] > popular + 0.03, name


def test_a_model_of_other_items_is_refused(ml100k: Dataset, model: Model) -> None:
    lone = Interactions(sp.csr_matrix(np.ones((2, 2))), ["a", "b"], ["x", "y"])
    with pytest.raises(InputError, match="trained on other items"):
        rank_quality(model, HoldOut(lone, lone, lone.matrix))
    for k in (0, 2**70, 10**9):
        with pytest.raises(SettingError, match=f"between 1 and 1000000, not {k}"):
            rank_quality(model, hold_out(ml100k.interactions, "random"), (k,))
    with pytest.raises(SettingError, match="between 1 and 1000000, not 0"):
        rank_quality(model, hold_out(ml100k.interactions, "random"), (0,))


def test_groups_by_activity_agree_with_pandas_and_keep_equal_users_together(measured: Ranking) -> None:
    found = by_activity(measured, "ndcg@20", 10)
    assert found["users"].sum() == len(measured.users) == 943 and len(found) == 10
    assert found["users"].between(75, 115).all()
    assert (found["fewest"].to_numpy()[1:] > found["most"].to_numpy()[:-1]).all()  # equal numbers share a group
    for row in found.itertuples():
        inside = measured.users[measured.users["n_known"].between(row.fewest, row.most)]
        assert len(inside) == row.users and inside["ndcg@20"].mean() == pytest.approx(row.mean)
        assert row.low < row.mean < row.high
    whole = by_activity(measured, "ndcg@20", 1).iloc[0]
    summary = measured.summary.set_index("metric").loc["ndcg@20"]
    assert [whole[bound] for bound in ("mean", "low", "high")] == pytest.approx(summary.tolist())
    # More ratings are held out for users with more known ratings: in shuffled groups the differences disappear.
    rng = np.random.default_rng(0)
    users = measured.users.assign(n_known=rng.permutation(measured.users["n_known"]))
    shuffled = by_activity(dataclasses.replace(measured, users=users), "ndcg@20", 10)
    assert np.ptp(found["mean"]) > 3 * np.ptp(shuffled["mean"])


def test_users_with_equally_many_ratings_form_one_group(measured: Ranking) -> None:
    alike = dataclasses.replace(measured, users=measured.users.assign(n_known=7))
    assert by_activity(alike, "ndcg@20").to_dict("records")[0].items() >= {"users": 943, "fewest": 7, "most": 7}.items()
    with pytest.raises(SettingError, match="coverage@20"):
        by_activity(measured, "coverage@20")


def test_head_middle_and_tail_have_a_third_of_the_ratings_each(
    ml100k: Dataset, split: HoldOut, measured: Ranking, model: Model
) -> None:
    counts = pd.Series(model.n_ratings).sort_values(ascending=False, kind="stable")
    found = by_popularity(measured.listed[20], model.n_ratings)
    assert found["part"].tolist() == ["head", "middle", "tail"]
    assert found["items"].sum() == 1682 and found["items"].is_monotonic_increasing
    assert found["ratings"].to_numpy() == pytest.approx([1 / 3] * 3, abs=0.005)
    assert found["recommendations"].sum() == pytest.approx(1)
    head = counts.index[: found["items"][0]]
    assert found["ratings"][0] == pytest.approx(counts.loc[head].sum() / 80_000)
    assert found["recommendations"][0] == pytest.approx(measured.listed[20][head].sum() / measured.listed[20].sum())
    # Controls: recommendations as frequent as ratings, the most popular items, all items equally often.
    as_rated = by_popularity(model.n_ratings, model.n_ratings)
    assert as_rated["recommendations"].tolist() == as_rated["ratings"].tolist()
    popular = rank_quality(Popular().fit(Dataset(split.train, ml100k.catalog)), split, (20,), auc=False).listed[20]
    assert by_popularity(popular, model.n_ratings)["recommendations"][0] > found["recommendations"][0]
    at_random = by_popularity(np.ones(1682, dtype=np.int64), model.n_ratings)
    assert at_random["recommendations"][2] > 0.7
    assert by_popularity(np.zeros(1682), np.zeros(1682))["recommendations"].tolist() == [0, 0, 0]
