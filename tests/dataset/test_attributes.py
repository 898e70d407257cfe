"""Attributes made of a catalog and rating counts."""

from __future__ import annotations

import numpy as np
import pytest

from recsys.dataset.attributes import LITTLE_SEEN, WIDELY_SEEN, Attributes
from recsys.dataset.catalog import Catalog
from recsys.errors import InputError, UnknownId

CATALOG = Catalog.of(
    ["a", "b", "c", "d"],
    ["A", "B", "C", "D"],
    [1994, 1899, None, 2000],
    [["Horror", "Comedy"], ["unknown"], ["(no genres listed)", "IMAX"], ["Comedy"]],
    [["Pixar", "pixar"], ["horror"], [], []],
)
COUNTS = np.array([500, 30, 25, 3])
ATTRIBUTES = Attributes.of(CATALOG, COUNTS, fewest_tagged=1)


def test_all_kinds_are_present_and_missing_genres_are_not() -> None:
    kinds = dict(zip(ATTRIBUTES.names, ATTRIBUTES.kinds, strict=True))
    assert kinds == {
        "Comedy": "genre",
        "Horror": "genre",
        "horror": "tag",
        "pixar": "tag",
        "1890s": "decade",
        "1990s": "decade",
        "2000s": "decade",
        LITTLE_SEEN: "popularity",
        WIDELY_SEEN: "popularity",
    }


def test_carriers_ignore_case_and_prefer_genres_to_tags() -> None:
    assert ATTRIBUTES.carriers(["comedy"]).tolist() == [True, False, False, True]
    assert ATTRIBUTES.carriers(["HORROR"]).tolist() == [True, False, False, False], "the genre, not the tag"
    assert ATTRIBUTES.carriers(["1890s", "2000s"]).tolist() == [False, True, False, True]
    assert ATTRIBUTES.carriers([WIDELY_SEEN]).tolist() == [True, False, False, False]
    assert ATTRIBUTES.carriers([LITTLE_SEEN]).tolist() == [False, False, True, True]
    assert np.isnan(ATTRIBUTES.years[2]) and ATTRIBUTES.years[1] == 1899
    with pytest.raises(UnknownId, match="'Noir'"):
        ATTRIBUTES.carriers(["Comedy", "Noir"])


def test_common_keeps_attributes_that_enough_items_have_and_lack() -> None:
    common = ATTRIBUTES.common(np.ones(4, dtype=bool), fewest=2)
    assert common.names == ("Comedy", LITTLE_SEEN)
    assert ATTRIBUTES.of_kind("tag").names == ("horror", "pixar")


def test_well_known_items_are_those_with_twenty_ratings_or_more() -> None:
    counts = np.r_[np.full(50, 20), np.full(100, 19)]
    catalog = Catalog.of(range(150))
    assert Attributes.of(catalog, counts).well_known.tolist() == (counts >= 20).tolist()
    assert Attributes.of(Catalog.of(range(60)), np.full(60, 20)).well_known.all()
    counts[0] = 19
    with pytest.raises(InputError, match="only 49 items have 20 ratings or more; at least 50 are needed"):
        _ = Attributes.of(catalog, counts).well_known


def test_without_rating_counts_no_attribute_is_of_popularity_and_every_item_counts_as_well_known() -> None:
    unrated = Attributes.of(CATALOG, fewest_tagged=1)
    assert not unrated.has_ratings and unrated.n_ratings.tolist() == [0, 0, 0, 0]
    assert set(unrated.kinds) == {"genre", "tag", "decade"}
    assert len(unrated) == len(ATTRIBUTES) - 2
    assert Attributes.of(Catalog.of(range(50))).well_known.all()
    with pytest.raises(InputError, match="only 4 items; at least 50 are needed"):
        _ = unrated.well_known


def test_shapes_that_do_not_match_are_refused() -> None:
    with pytest.raises(InputError, match="do not fit 4 items"):
        Attributes(CATALOG, COUNTS[:3], True, (), (), np.zeros((4, 0), dtype=bool))


def test_a_decade_takes_precedence_over_a_tag_of_the_same_name() -> None:
    catalog = Catalog.of(["a", "b"], ["A", "B"], [1994, 1991], [[], []], [["1990s"], []])
    assert Attributes.of(catalog, np.array([50, 60]), fewest_tagged=1).carriers(["1990s"]).tolist() == [True, True]
