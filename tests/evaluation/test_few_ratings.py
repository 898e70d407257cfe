"""Quality from few ratings: compared with plain sets, and a model that knows the answer."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

from recsys.dataset.dataset import Dataset
from recsys.dataset.split import MIN_USERS, FewKnown, few_known
from recsys.errors import SettingError
from recsys.evaluation.few_ratings import few_ratings, rank_from_few
from recsys.models import IALS, ItemKNN, Model, Popular
from recsys.recommend.topn import batch_of_ratings, best_items


@pytest.fixture(scope="module")
def split(ml100k: Dataset) -> FewKnown:
    return few_known(ml100k.interactions, (20, 3, 5, 2000))


@pytest.fixture(scope="module")
def model(ml100k: Dataset, split: FewKnown) -> Model:
    return IALS(n_factors=8, epochs=4).fit(Dataset(split.train, ml100k.catalog))


def test_users_hidden_ratings_and_candidates_are_the_same_at_every_number(ml100k: Dataset, split: FewKnown) -> None:
    data = ml100k.interactions
    assert list(split.known) == [3, 5, 20]  # nobody has 2,000
    users = split.known[3].user_ids
    assert not set(users) & set(split.train.user_ids) and len(users) >= MIN_USERS
    before = None
    for number, known in split.known.items():
        assert (np.diff(known.matrix.indptr) == number).all() and (known.user_ids == users).all()
        assert before is None or (known.matrix != 0).multiply(before != 0).nnz == before.nnz  # a part of the larger one
        before = known.matrix
    assert abs(before + split.truth - data.matrix[data.user_rows(users)]).nnz == 0
    again, other = few_known(data, (3, 5, 20)), few_known(data, (3, 5, 20), seed=1)
    assert (again.truth != split.truth).nnz == 0 and other.known[3].user_ids.tolist() != users.tolist()
    assert not few_known(data.select(np.arange(data.n_ratings) % 9 == 0), (200,)).known
    with pytest.raises(SettingError, match="number of known ratings"):
        few_known(data, (0,))


def test_likes_and_dislikes_agree_with_sets(model: Model, split: FewKnown) -> None:
    found = rank_from_few(model, split, 10)
    pool, gains = split.known[20].matrix, 1 / np.log2(np.arange(2, 12))
    for row in (0, 7, 100):
        known = split.known[5].matrix[row]
        batch = batch_of_ratings(model, dict(zip(model.item_ids[known.indices], known.data, strict=True)))
        ranked = [item for item in best_items(model, batch, 100)[0][0] if item not in pool[row].indices][:10]
        hidden = split.truth[row]
        hits = np.isin(ranked, hidden.indices[hidden.data >= 4])
        ideal = gains[: min(10, (hidden.data >= 4).sum())].sum()
        assert found.at[row, "ndcg from 5"] == pytest.approx(hits @ gains / ideal)
        assert found.at[row, "harm from 5"] == np.isin(ranked, hidden.indices[hidden.data <= 2]).mean()


def test_more_ratings_help_a_personalized_model_but_not_popularity(
    ml100k: Dataset, model: Model, split: FewKnown
) -> None:
    train = Dataset(split.train, ml100k.catalog)
    ours, popular, knn = (rank_from_few(m, split) for m in (model, Popular().fit(train), ItemKNN().fit(train)))
    assert popular["ndcg from 3"].equals(popular["ndcg from 20"])
    assert ours["ndcg from 20"].mean() > popular["ndcg from 20"].mean() + 0.05
    assert knn["ndcg from 20"].mean() > knn["ndcg from 3"].mean()
    rows = few_ratings(popular, ours)
    assert [row.n_known for row in rows] == [3, 5, 20] and rows[-1].ndcg_lead.sign == 1
    assert rows[0].ndcg_lead.mean == pytest.approx((ours["ndcg from 3"] - popular["ndcg from 3"]).mean())
    assert few_ratings(ours, None)[0].harm_lead is None
    assert few_ratings(pd.DataFrame(), None) == ()


def test_without_a_scale_everything_is_liked(model: Model, split: FewKnown) -> None:
    ones = [matrix.astype(bool).astype(np.float32) for matrix in (split.train.matrix, split.truth)]
    found = rank_from_few(
        model, dataclasses.replace(split, train=dataclasses.replace(split.train, matrix=ones[0]), truth=ones[1])
    )
    assert (found["harm from 3"] == 0).all() and found["ndcg from 3"].notna().all()
