"""Charts of a dataset: they plot the given counts, and names from outside are escaped."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from recsys.dataset.statistics import density_of
from recsys.plots.data import density_map, genre_bars, long_tail, rating_bars, users_histogram, year_bars


def test_the_tail_rises_to_one_through_the_marked_point() -> None:
    counts = np.sort(np.random.default_rng(0).zipf(1.5, 5000))[::-1].astype(np.int64)
    curve, _, mark = long_tail(counts, (0.2, 0.8), across="a", up="b", note="20 %").data
    assert len(curve.x) <= 400 and (np.diff(curve.y) >= 0).all() and (np.diff(curve.x) > 0).all()
    assert (curve.x[0], curve.y[0], curve.x[-1], curve.y[-1]) == (0, 0, 1, 1)
    at = 100
    assert curve.y[at] == pytest.approx(counts[: round(curve.x[at] * 5000)].sum() / counts.sum())
    assert (mark.x[0], mark.y[0]) == (0.2, 0.8)


def test_every_user_is_in_one_bar() -> None:
    counts = np.array([700, 41, 40, 39, 20, 1, 1, 2, 3])
    (bars,) = users_histogram(counts, across="a", up="b").data
    found = dict(zip(bars.x, bars.y, strict=True))
    assert sum(bars.y) == len(counts)
    assert found == {"1": 2, "2": 1, "3–4": 1, "5–9": 0, "10–19": 0, "20–39": 2, "40–79": 2, "80–159": 0} | {
        "160–319": 0, "320–639": 0, "640–1,279": 1
    }  # fmt: skip
    assert len(users_histogram(np.empty(0, dtype=np.int64), across="a", up="b").data[0].x) == 0


def test_bars_show_the_counts_and_names_are_escaped() -> None:
    (bars,) = rating_bars(pd.DataFrame({"value": [0.5, 1.0], "ratings": [3, 9]}), across="a", up="b").data
    assert (list(bars.x), list(bars.y)) == (["0.5", "1"], [3, 9])
    genres = pd.DataFrame({"genre": ["<i>", "War"], "movies": [2, 1], "ratings": [9, 0], "mean": [3.5, np.nan]})
    (bars,) = genre_bars(genres, ["<i>", "War"], across="a", mean="m").data
    assert list(bars.y) == ["&lt;i&gt;", "War"] and list(bars.text) == ["3.50 ★", ""]
    (bars,) = year_bars(pd.DataFrame({"year": [1990, 1991], "movies": [1, 0]}), across="a", up="b").data
    assert (list(bars.x), list(bars.y)) == ([1990, 1991], [1, 0])


def test_the_density_map_is_logarithmic_and_empty_cells_are_transparent() -> None:
    matrix = sp.csr_matrix(np.array([[5, 3, 0], [4, 0, 0]], dtype=np.float32))
    text = "{users} {items} {share}"
    (cells,) = density_map(density_of(matrix), across="a", up="b", legend="c", hover_text=text).data
    np.testing.assert_array_equal(cells.z, [[0, 0, np.nan], [0, np.nan, np.nan]])
    np.testing.assert_array_equal(cells.customdata, [[1, 1, 0], [1, 0, 0]])
    assert cells.hovertemplate.startswith("%{y:,.0f} %{x:,.0f} %{customdata")
    assert list(cells.x) == [1, 2, 3] and list(cells.y) == [1, 2]
    for matrix in (sp.csr_matrix((2, 3), dtype=np.float32), sp.csr_matrix(np.ones((2, 3), dtype=np.float32))):
        (cells,) = density_map(density_of(matrix), across="a", up="b", legend="c", hover_text=text).data
        assert (cells.zmin, cells.zmax) == (-1, 0)  # a valid scale even if all cells are equal
