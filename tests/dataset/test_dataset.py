"""Dataset: ratings and catalog describe the same items in the same order."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from recsys.dataset.catalog import Catalog
from recsys.dataset.dataset import Dataset
from recsys.dataset.interactions import Interactions
from recsys.errors import InputError

RATINGS = Interactions(sp.csr_matrix(np.ones((2, 3), dtype=np.float32)), np.array([1, 2]), np.array([10, 20, 30]))


def test_ratings_and_catalog_are_enough() -> None:
    data = Dataset(RATINGS, Catalog.of([10, 20, 30]))
    assert (data.rejected, dict(data.report), data.name) == (None, {}, "")


@pytest.mark.parametrize("item_ids", [[10, 20], [20, 10, 30], [10, 20, 40], ["10", "20", "30"]])
def test_a_catalog_of_other_items_or_another_order_is_refused(item_ids: list[object]) -> None:
    with pytest.raises(InputError, match="must list the items of the ratings in the same order"):
        Dataset(RATINGS, Catalog.of(item_ids))
