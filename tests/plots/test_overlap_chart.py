"""The histogram of shared movies: one bar for each possible number, with its count of users."""

from __future__ import annotations

import numpy as np

from recsys.plots.overlap import overlap_histogram


def test_every_number_of_shared_movies_has_a_bar() -> None:
    figure = overlap_histogram(
        np.array([0, 2, 2, 3]), 4, across="shared", up="users", bar_text=lambda n, users: f"{n}: {users}"
    )
    (bars,) = figure.data
    assert list(bars.x) == [0, 1, 2, 3, 4] and list(bars.y) == [1, 0, 2, 1, 0]
    assert list(bars.text) == ["1", "", "2", "1", ""]
    assert list(bars.hovertext) == ["0: 1", "1: 0", "2: 2", "3: 1", "4: 0"]
    assert (figure.layout.xaxis.title.text, figure.layout.yaxis.title.text) == ("shared", "users")
