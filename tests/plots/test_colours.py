"""Colours of the dots of a map: every item has one, and it agrees with the legend."""

from __future__ import annotations

import numpy as np
import pytest

from recsys.dataset.catalog import Catalog
from recsys.plots.colours import CIVIDIS, COLOURS, DIVERGING, OTHER_COLOUR, by_axis, by_cluster, by_decade, by_genre
from recsys.space.axis import Axis
from recsys.space.clustering import find_clusters


def shown(colouring, row: int) -> str:
    return colouring.palette[colouring.codes[row]]


def test_a_movie_has_the_colour_of_its_rarest_frequent_genre(ml100k) -> None:
    colouring = by_genre(ml100k.catalog)
    legend = dict(colouring.legend)
    for row in range(0, len(ml100k.catalog), 7):
        genres = set(ml100k.catalog.items["genres"][row])
        frequent = [name for name, _ in colouring.legend[:-1] if name in genres]
        assert shown(colouring, row) == (legend[frequent[-1]] if frequent else OTHER_COLOUR)
    assert list(legend)[-1] == "other"


def test_decades_go_from_dark_to_light_and_the_unknown_are_grey() -> None:
    catalog = Catalog.of([1, 2, 3, 4], years=[1950, 1987, 2004, None])
    colouring = by_decade(catalog)
    places = [CIVIDIS.index(shown(colouring, row)) for row in range(3)]
    assert places == sorted(places) and len(set(places)) == 3
    assert shown(colouring, 3) == OTHER_COLOUR
    assert [name for name, _ in colouring.legend] == ["1950–1979", "1980–1999", "2000s"]


def test_without_years_all_are_grey() -> None:
    colouring = by_decade(Catalog.of([1, 2]))
    assert {shown(colouring, row) for row in range(2)} == {OTHER_COLOUR} and colouring.legend == ()


def test_every_decade_of_movielens_has_a_name_and_a_colour(ml100k) -> None:
    colouring = by_decade(ml100k.catalog)
    legend = dict(colouring.legend)
    years = ml100k.catalog.years
    for row in np.flatnonzero(~np.isnan(years))[::13]:
        name = next(n for n, colour in legend.items() if colour == shown(colouring, row))
        first = int(name[:4])
        last = int(name[5:9]) if "–" in name else first + 9
        assert first <= years[row] <= last


def test_the_ends_of_an_axis_have_the_strongest_colours(ml100k_model) -> None:
    space = ml100k_model.space
    direction = space.item_directions[49]  # Star Wars (1977)
    axis = Axis.from_direction(space, ml100k_model.n_ratings > 20, direction, "a", "far from it", "near it", True, {})
    colouring = by_axis(axis, space)
    positions = axis.positions(space)
    assert shown(colouring, 49) == DIVERGING[-1]
    assert shown(colouring, int(np.nanargmin(positions))) == DIVERGING[0]
    assert shown(colouring, int(np.nanargmin(np.abs(positions)))) == DIVERGING[3]
    assert colouring.ends == ("far from it", "near it")
    known = ~np.isnan(positions)
    order = np.argsort(positions[known], kind="stable")
    assert (np.diff(colouring.codes[known][order].astype(int)) >= 0).all()
    assert (colouring.codes[~known] == 0).all()


def test_similar_clusters_differ_in_colour(ml100k_model) -> None:
    clusters = find_clusters(ml100k_model.space, ml100k_model.attributes, "kmeans", numbers=(12,))
    colouring = by_cluster(clusters)
    colour_of = [shown(colouring, int(np.flatnonzero(clusters.labels == number)[0])) for number in range(12)]
    assert set(colour_of) <= set(COLOURS)
    similarity = clusters.centres @ clusters.centres.T
    np.fill_diagonal(similarity, -2)
    same = [colour_of[n] == colour_of[int(similarity[n].argmax())] for n in range(12)]
    assert sum(same) <= 2  # by chance a seventh of them would be, in the worst case all
    for number in range(12):
        assert len({shown(colouring, int(row)) for row in np.flatnonzero(clusters.labels == number)}) == 1


@pytest.mark.parametrize("colours", [COLOURS, CIVIDIS, DIVERGING])
def test_colours_are_valid_in_browsers(colours: tuple[str, ...]) -> None:
    assert all(len(colour) == 7 and colour[0] == "#" and int(colour[1:], 16) >= 0 for colour in colours)
