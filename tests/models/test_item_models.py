"""EASE and ItemKNN against plain NumPy, and the storage of item weights."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from recsys.dataset.catalog import Catalog
from recsys.dataset.dataset import Dataset
from recsys.dataset.interactions import Interactions
from recsys.dataset.weighting import Weighting
from recsys.errors import InputError
from recsys.models import EASE, ItemKNN, ItemWeights, Learner
from recsys.models import ease as ease_module
from recsys.models.fitted import Stored

RNG = np.random.default_rng(6)
DENSE = (RNG.random((25, 15)) < 0.3) * RNG.integers(1, 6, (25, 15))
DATA = Interactions(DENSE, [f"u{i}" for i in range(25)], [f"m{i}" for i in range(15)])


def weights_of(learner: Learner) -> tuple[np.ndarray, np.ndarray]:
    """What was learned as a dense array, and the weights of the ratings that it was learned from."""
    model = learner.fit(Dataset(DATA, Catalog.of(DATA.item_ids)))
    assert isinstance(model.fitted, ItemWeights)
    found = model.fitted.weights
    found = found.toarray() if sp.issparse(found) else found
    return found, model.weighting.apply(DATA.matrix).toarray().astype(np.float64)


def test_ease_is_the_ridge_regression_of_each_item_on_all_others() -> None:
    found, x = weights_of(EASE(regularization=2.0))
    for item in range(15):
        others = np.delete(np.arange(15), item)
        gram = x[:, others].T @ x[:, others] + 2.0 * np.eye(14)
        expected = np.linalg.solve(gram, x[:, others].T @ x[:, item])
        np.testing.assert_allclose(found[others, item], expected, atol=1e-5)
        assert found[item, item] == 0


def test_ease_refuses_more_items_than_fit_into_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ease_module, "MOST_ITEMS", 14)
    with pytest.raises(InputError, match=r"too large for 15 items \(at most 14\); train ials, or leave out rare items"):
        weights_of(EASE())


@pytest.mark.parametrize("similarity", ["cosine", "bm25"])
def test_itemknn_keeps_the_largest_similarities(similarity: str) -> None:
    found, x = weights_of(ItemKNN(n_neighbours=4, shrinkage=3.0, similarity=similarity))  # type: ignore[arg-type]
    if similarity == "bm25":
        weighted = Interactions(x, DATA.user_ids, DATA.item_ids)
        x = Weighting(scheme="bm25").fit(weighted).apply(weighted.matrix).toarray().astype(np.float64)
    lengths = np.linalg.norm(x, axis=0)
    expected = x.T @ x / (np.outer(lengths, lengths) + 3.0)
    np.fill_diagonal(expected, 0)
    for item in range(15):
        kept = np.flatnonzero(found[:, item])
        assert len(kept) == min(4, np.count_nonzero(expected[:, item]))
        np.testing.assert_allclose(found[kept, item], expected[kept, item], rtol=1e-5)
        left_out = np.delete(expected[:, item], kept)
        assert left_out.max() <= found[kept, item].min() + 1e-6


def test_item_weights_are_dense_when_more_than_a_quarter_is_filled_and_must_fit() -> None:
    ids = ["a", "b", "c", "d"]
    assert sp.issparse(ItemWeights(sp.csr_matrix(np.eye(4)), ids).weights)
    assert not sp.issparse(ItemWeights(sp.csr_matrix(np.tri(4)), ids).weights)
    with pytest.raises(InputError, match=r"shape \(4, 4\) do not fit 3 item ids"):
        ItemWeights(np.eye(4), ids[:3])
    with pytest.raises(InputError, match="finite"):
        ItemWeights(np.full((4, 4), np.nan), ids)


@pytest.mark.parametrize("weights", [sp.csr_matrix(np.diag([1, 2, 3], 1)), np.tri(4)], ids=["sparse", "dense"])
def test_item_weights_survive_a_round_trip_through_tables(weights: object) -> None:
    ids = np.array(["a", "b", "c", "d"], dtype=object)
    fitted = ItemWeights(weights, ids)
    back = ItemWeights.from_stored(Stored(fitted.to_tables(), {}, ids, False, EASE()))
    assert back.item_ids.tolist() == ids.tolist()
    assert sp.issparse(back.weights) == sp.issparse(fitted.weights)
    np.testing.assert_array_equal(*(w.toarray() if sp.issparse(w) else w for w in (back.weights, fitted.weights)))
    if sp.issparse(weights):
        with pytest.raises(InputError, match="items that the list of items does not have"):
            ItemWeights.from_stored(Stored(fitted.to_tables(), {}, ids[:3], False, EASE()))
