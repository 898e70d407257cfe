"""Comparison of lists: rank-biased overlap calculated by hand, moved items, and models that agree or disagree."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from recsys.dataset.dataset import Dataset
from recsys.errors import InputError, SettingError, UnknownId
from recsys.models import MODELS
from recsys.recommend.compare import (
    compare_lists,
    compare_models,
    expected_overlap,
    popularity_of,
    rank_biased_overlap,
    sample_users,
)
from recsys.recommend.topn import batch_of_users, recommend


def test_rank_biased_overlap_as_calculated_by_hand() -> None:
    # a b c and a c b at p = .9: 1, 1, 3 common items at depths 1, 2, 3; the agreements are 1, 1/2, 1.
    # (.1/.9)(.9·1 + .81·½ + .729·1) + 1·.729 = .226 + .729
    assert rank_biased_overlap("abc", "acb", 0.9) == pytest.approx(0.955, abs=1e-9)
    # b c a and a b c: 0, 1, 3; (.1/.9)(0 + .405 + .729) + .729 = .126 + .729: a change at the top costs more
    assert rank_biased_overlap("bca", "abc", 0.9) == pytest.approx(0.855, abs=1e-9)


def test_rank_biased_overlap_of_lists_of_different_lengths_as_calculated_by_hand() -> None:
    # a b and c a b: s = 2, l = 3, X = 0, 1, 2.
    # (.1/.9)(.81·½ + .729·⅔ + .729·1·1/(2·3)) + ((2 − 1)/3 + ½)·.729 = .1125 + .6075
    assert rank_biased_overlap("ab", "cab", 0.9) == pytest.approx(0.72, abs=1e-9)
    assert rank_biased_overlap("cab", "ab", 0.9) == pytest.approx(0.72, abs=1e-9)
    assert rank_biased_overlap("ab", "abcde", 0.9) == pytest.approx(1.0)  # the longer list starts with the shorter one


def test_rank_biased_overlap_of_equal_and_disjoint_lists_and_invalid_arguments() -> None:
    assert rank_biased_overlap(range(10), range(10)) == pytest.approx(1.0)
    assert rank_biased_overlap(range(10), range(10, 20)) == 0.0
    assert rank_biased_overlap([], []) == 1.0
    assert rank_biased_overlap([], [1]) == 0.0
    with pytest.raises(InputError, match="twice"):
        rank_biased_overlap([1, 1], [1, 2])
    for p in (0.0, 1.0, float("nan")):
        with pytest.raises(SettingError, match="persistence"):
            rank_biased_overlap([1], [1], p)


def test_rank_biased_overlap_is_the_mean_agreement_of_readers_who_stop_early() -> None:
    rng = np.random.default_rng(3)
    a, b = rng.permutation(400), rng.permutation(400)
    stops = rng.geometric(1 - 0.9, 20_000)  # the reader continues with probability p
    agreement = [len(set(a[:d]) & set(b[:d])) / d for d in range(1, 401)]
    drawn = np.mean([agreement[min(stop, 400) - 1] for stop in stops])
    assert rank_biased_overlap(a, b, 0.9) == pytest.approx(drawn, abs=0.005)


def test_comparison_of_two_lists_gives_moved_items_and_popularity() -> None:
    popularity = pd.Series({"w": 0.5, "x": 0.3, "y": 0.1, "z": 0.2})
    found = compare_lists(["w", "x", "y"], ["y", "z", "x"], popularity)
    assert found.items["item_id"].tolist() == ["w", "x", "y", "z"]
    assert found.items["rank_a"].tolist() == [1, 2, 3, pd.NA]
    assert found.items["rank_b"].fillna(0).tolist() == [0, 3, 1, 2]
    assert found.items["moved"].fillna(99).tolist() == [99, -1, 2, 99]
    assert found.overlap == pytest.approx(2 / 3)
    assert (found.popularity_a, found.popularity_b) == (pytest.approx(0.3), pytest.approx(0.2))
    empty = compare_lists([], ["w"], popularity)
    assert (empty.overlap, empty.rank_biased, np.isnan(empty.popularity_a)) == (0.0, 0.0, True)


def test_similar_models_agree_more_than_different_ones(ml100k, ml100k_model) -> None:
    def train(name: str, **settings: int):
        return MODELS[name](**settings).fit(ml100k)

    users = sample_users(ml100k.interactions, 100)
    same, ease, popular = (
        compare_models(ml100k_model, other, ml100k.interactions, users)
        for other in (ml100k_model, train("ease"), train("popular"))
    )
    assert (same["overlap"] == 1).all() and np.allclose(same["rank_biased"], 1)
    for measure in ("overlap", "rank_biased"):
        assert 10 / 1682 < popular[measure].mean() < ease[measure].mean() < 1
    # lists of the most popular items are more popular than personalized ones
    assert popular["popularity_b"].mean() > popular["popularity_a"].mean()


def test_each_row_is_the_comparison_of_one_user(ml100k, ml100k_model) -> None:
    interactions = ml100k.interactions
    popular = MODELS["popular"]().fit(Dataset(interactions, ml100k.catalog))
    row = compare_models(ml100k_model, popular, interactions, ["7"]).iloc[0]
    a, b = (recommend(m, batch_of_users(m, interactions, [7]))["item_id"].tolist() for m in (ml100k_model, popular))
    assert row["overlap"] == len(set(a) & set(b)) / 10
    seen = interactions.matrix.getnnz(axis=0)[interactions.item_rows(b)]
    assert row["popularity_b"] == pytest.approx(seen.mean() / interactions.n_users)
    with pytest.raises(UnknownId, match="99999"):
        compare_models(ml100k_model, popular, interactions, [99999])


def test_the_sample_has_no_repetitions_and_is_reproducible(ml100k) -> None:
    drawn = sample_users(ml100k.interactions, 50)
    assert len(set(drawn.tolist())) == 50 and set(drawn.tolist()) <= set(ml100k.interactions.user_ids.tolist())
    assert sample_users(ml100k.interactions, 50).tolist() == drawn.tolist()
    assert len(sample_users(ml100k.interactions, 10_000)) == ml100k.interactions.n_users
    assert popularity_of(ml100k.interactions).max() == pytest.approx(583 / 943)  # Star Wars


def test_random_lists_share_as_many_items_as_expected() -> None:
    rng = np.random.default_rng(5)
    shared = [
        len({*rng.choice(40, 10, replace=False).tolist()} & {*rng.choice(40, 10, replace=False).tolist()})
        for _ in range(4000)
    ]
    assert expected_overlap(10, 40) == 2.5
    assert np.mean(shared) == pytest.approx(2.5, abs=0.1)
