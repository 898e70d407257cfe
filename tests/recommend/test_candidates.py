"""One filter of items, with the same meaning for a notebook, the command line and the app."""

from __future__ import annotations

import numpy as np
import pytest

from recsys.errors import InputError, UnknownId
from recsys.models import Model
from recsys.recommend.candidates import Candidates


def test_every_condition_holds(ml100k_model: Model) -> None:
    model, catalog = ml100k_model, ml100k_model.catalog
    assert Candidates().mask(model) is None
    chosen = model.item_ids[:400]
    mask = Candidates(["drama", "Comedy"], (1990, 1995), 5, 50, allow=chosen, deny=chosen[:100]).mask(model)
    genres = [{genre.lower() for genre in found} & {"drama", "comedy"} for found in catalog.items["genres"]]
    expected = [
        bool(genres[row])
        and 1990 <= catalog.years[row] <= 1995
        and 5 <= model.n_ratings[row] <= 50
        and 100 <= row < 400
        for row in range(len(catalog))
    ]
    assert mask is not None and mask.tolist() == expected and 0 < mask.sum() < 100
    nothing = Candidates(allow=[]).mask(model)
    assert nothing is not None and not nothing.any()


def test_recommend_takes_titles_and_keeps_to_the_filter(ml100k_model: Model) -> None:
    best = ml100k_model.recommend(ratings={"Alien": 5}, k=5, max_ratings=100)
    rows = [ml100k_model.catalog.row_of(item) for item in best["item_id"].tolist()]
    assert len(rows) == 5 and ml100k_model.n_ratings[rows].max() <= 100
    first, second = best["title"].tolist()[:2]
    without = ml100k_model.recommend(ratings={"Alien": 5}, k=4, max_ratings=100, deny=[first])
    assert without["title"].tolist() == best["title"].tolist()[1:]
    only = ml100k_model.recommend(ratings={"Alien": 5}, k=4, allow=[second, first])
    assert only["title"].tolist() == [first, second]


def test_what_cannot_be_meant_is_refused(ml100k_model: Model) -> None:
    with pytest.raises(UnknownId, match="no genre 'Dramma'"):
        Candidates(["Dramma"]).mask(ml100k_model)
    with pytest.raises(UnknownId):
        Candidates(deny=[10**9]).mask(ml100k_model)
    with pytest.raises(InputError, match="the least number of ratings, 5, is above the most, 4"):
        Candidates(min_ratings=5, max_ratings=4).mask(ml100k_model)
    with pytest.raises(InputError, match="the model does not know how many ratings"):
        model = ml100k_model
        Candidates(max_ratings=4).mask(
            Model(model.learner, model.fitted, model.weighting, model.catalog, np.zeros_like(model.n_ratings))
        )
