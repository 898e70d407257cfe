"""Charts of axes: they draw the given values, and titles are escaped."""

from __future__ import annotations

import numpy as np
import pytest

from recsys.plots.dimensions import (
    WIDEST,
    Strip,
    density,
    heat_map,
    lift_bars,
    movie_line,
    movie_plane,
    position_strips,
    signed,
)


@pytest.mark.parametrize(("value", "words"), [(1.25, "+1.2"), (-0.31, "−0.3"), (0.04, "0.0"), (-0.04, "0.0")])
def test_values_are_written_with_their_sign(value: float, words: str) -> None:
    assert signed(value) == words


def test_the_density_is_highest_where_most_values_are() -> None:
    grid = np.linspace(-3, 3, 121)
    values = np.concatenate([np.random.default_rng(0).normal(1, 0.3, 5000), [np.nan, 99, -99]])
    found = density(values, grid)
    assert found.max() == 1
    assert abs(grid[found.argmax()] - 1) < 0.2
    assert found[grid < -1.5].max() < 0.05
    assert not density(np.array([np.nan]), grid).any()


def test_a_strip_marks_the_movie_and_shows_its_value_even_beyond_the_range() -> None:
    values = np.random.default_rng(0).normal(size=500)
    strips = [Strip("a", "b", "note", 0.5, values, "said"), Strip("<i>", "d", "note", 9.0, values, "<b>far</b>")]
    figure = position_strips(strips)
    marks = [trace for trace in figure.data if trace.mode == "markers+text"]
    assert [trace.x[0] for trace in marks] == [0.5, WIDEST]
    assert "+9.0" in marks[1].text[0]
    assert marks[1].hovertext == "&lt;b&gt;far&lt;/b&gt;"
    assert "&lt;i&gt;" in [note.text for note in figure.layout.annotations]
    assert marks[0].y[0] > marks[1].y[0], "the first is on top"


def test_a_heat_map_has_zero_in_the_middle_and_shows_its_values() -> None:
    figure = heat_map(np.array([[0.5, -2.0], [np.nan, 0.0]]), ["r", "s"], ["x", "y"], [["1", "2"], ["3", "4"]])
    (trace,) = figure.data
    assert (trace.zmin, trace.zmid, trace.zmax) == (-2, 0, 2)
    assert [list(row) for row in trace.text] == [["+0.5", "−2.0"], ["", "0.0"]]
    assert list(figure.layout.yaxis.ticktext) == ["r", "s"]


def test_double_and_half_have_bars_of_the_same_length() -> None:
    (trace,) = lift_bars(["a", "b", "c"], np.array([2.0, 1.0, 0.5]), ["", "", ""]).data
    assert list(trace.x) == pytest.approx([1, 0, -1])
    assert trace.text[0] == "2.00×"


def test_titles_are_escaped() -> None:
    line = movie_line(np.array([0.0]), ["<b>Bold</b>"], "low", "high")
    plane = movie_plane(np.array([[0.0, 1.0]]), ["<b>Bold</b>"], ("w", "e"), ("s", "n"))
    assert line.data[1].text == ("&lt;b&gt;Bold&lt;/b&gt;",)
    assert plane.data[0].text == ("&lt;b&gt;Bold&lt;/b&gt;",)
    assert {"<b>↑ n</b>", "<b>w</b>"} & {note.text for note in plane.layout.annotations} == {"<b>↑ n</b>"}
