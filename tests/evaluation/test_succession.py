"""A model is compared with its successor on the same held-out ratings: a worse one is found, an equal one is equal."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

from recsys.dataset.dataset import Dataset
from recsys.dataset.interactions import Interactions
from recsys.dataset.split import HoldOut, lasting_hold_out
from recsys.errors import InputError
from recsys.evaluation.ranking import rank_quality
from recsys.evaluation.succession import compare_with_successor
from recsys.models import EASE, IALS, Model, Popular

N_USERS, N_ITEMS = 120, 60


def tastes(n_items: int = N_ITEMS) -> Dataset:
    """Users who rate most movies of their half of the catalogue, and few of the other."""
    rng = np.random.default_rng(0)
    likes = np.arange(N_USERS)[:, None] % 2 == np.arange(N_ITEMS)[None, :] % 2
    users, items = np.nonzero(rng.random((N_USERS, N_ITEMS)) < np.where(likes, 0.6, 0.05))
    keep = items < n_items
    return Dataset.from_frame(pd.DataFrame({"user": users[keep], "item": items[keep], "rating": 4.0}))


@pytest.fixture(scope="module")
def split() -> HoldOut:
    return lasting_hold_out(tastes().interactions, 0.2)


def trained(learner, split: HoldOut) -> Model:
    return learner.fit(Dataset(split.train, tastes().catalog))


def test_a_worse_successor_is_found_and_a_better_one_is_better(split: HoldOut) -> None:
    good, bad = trained(EASE(), split), trained(Popular(), split)
    worse, better = compare_with_successor(good, bad, split), compare_with_successor(bad, good, split)
    assert worse.fall > 0.2 and better.fall < -0.2
    assert worse.gain is not None and worse.gain.high < 0 and better.gain is not None and better.gain.low > 0
    assert worse.before == better.after and worse.users == better.users > 100
    assert worse.ratings == split.truth.nnz and worse.candidates == N_ITEMS
    same = compare_with_successor(good, good, split)  # the control
    assert (same.fall, same.gain.mean, same.gain.low, same.gain.high) == (0, 0, 0, 0)


def test_it_measures_what_an_evaluation_measures(split: HoldOut) -> None:
    model = trained(IALS(n_factors=4, epochs=3), split)
    found, plain = compare_with_successor(None, model, split, k=5), rank_quality(model, split, (5,))
    assert found.before is None and found.gain is None and found.fall == 0
    assert found.after.ndcg.mean == pytest.approx(plain["ndcg@5"])
    assert found.after.coverage == plain["coverage@5"] and found.after.popularity == pytest.approx(
        plain["popularity@5"]
    )


def test_both_rank_the_items_that_both_have(split: HoldOut) -> None:
    """A model that does not have the newest items is not called worse for that."""
    old_data = lasting_hold_out(tastes(N_ITEMS - 10).interactions, 0.2)
    old = EASE().fit(Dataset(old_data.train, tastes(N_ITEMS - 10).catalog))
    new = trained(EASE(), split)
    found = compare_with_successor(old, new, split)
    assert found.candidates == N_ITEMS - 10 and found.ratings == int((split.truth.indices < N_ITEMS - 10).sum())
    assert abs(found.fall) < 0.1
    back = compare_with_successor(new, old, old_data)  # items that are gone, as after preparing anew
    assert back.candidates == N_ITEMS - 10 and back.gain.mean == pytest.approx(-found.gain.mean, abs=0.05)


def test_models_without_common_items_cannot_be_compared(split: HoldOut) -> None:
    model = trained(Popular(), split)
    data = split.train
    others = Interactions(data.matrix, data.user_ids, data.item_ids + 1000)
    stranger = Popular().fit(Dataset(others, dataclasses.replace(tastes()).catalog.of(others.item_ids)))
    with pytest.raises(InputError, match="no held-out rating"):
        compare_with_successor(stranger, model, split)


def test_new_users_whom_no_model_knows_do_not_hide_a_fall(split: HoldOut) -> None:
    rng = np.random.default_rng(1)
    rated = [(user, item, 4.0) for user in range(500) for item in rng.choice(N_ITEMS, 20, replace=False)]
    strangers = pd.DataFrame(rated, columns=["user", "item", "rating"]).assign(user=lambda rows: rows["user"] + 1000)
    flooded = Dataset.from_frame(pd.concat([as_frame(tastes()), strangers]))
    later = lasting_hold_out(flooded.interactions, 0.2)
    old = trained(IALS(n_factors=4), split)
    new = Popular().fit(Dataset(later.train, flooded.catalog))
    known = compare_with_successor(old, new, later)
    everyone = compare_with_successor(trained(EASE(), split), new, later)  # the control: a model that lists no users
    assert known.users <= N_USERS < everyone.users and known.fall > 2 * everyone.fall > 0


def as_frame(data: Dataset) -> pd.DataFrame:
    entries = data.interactions.matrix.tocoo()
    ids = {"user": data.interactions.user_ids[entries.row], "item": data.interactions.item_ids[entries.col]}
    return pd.DataFrame({**ids, "rating": entries.data})
