"""Charts of quality: they plot the measured values, and nothing is distinguished by colour alone."""

from __future__ import annotations

import numpy as np
import pytest

from recsys.evaluation.evaluate import ActivityGroup
from recsys.evaluation.report import DimensionQuality
from recsys.plots.quality import Dot, bars_by_popularity, dimension_curve, dots_with_intervals, lines_by_activity

GROUPS = [ActivityGroup(20, 3, 3, 0.2, 0.1, 0.35), ActivityGroup(20, 4, 9, 0.4, 0.3, 0.5)]


def test_the_best_model_is_on_top_and_ours_has_its_own_shape() -> None:
    dots = [Dot("ials", 0.4, 0.35, 0.5, True), Dot("<b>x</b>", 0.6, 0.5, 0.7), Dot("popular", 0.1, None, None)]
    figure = dots_with_intervals(dots, "nDCG@10")
    assert [trace.x[0] for trace in figure.data] == [0.1, 0.4, 0.6]  # Plotly draws from the bottom up
    ours = figure.data[1]
    assert ours.y[0] == "<b>ials</b>" and figure.data[2].y[0] == "&lt;b&gt;x&lt;/b&gt;"
    assert ours.marker.symbol != figure.data[0].marker.symbol == figure.data[2].marker.symbol
    assert (ours.x[0] - ours.error_x.arrayminus[0], ours.x[0] + ours.error_x.array[0]) == pytest.approx((0.35, 0.5))
    assert figure.data[0].error_x.array[0] == 0 and "0.400 (0.350 … 0.500)" in ours.hovertemplate


def test_lines_differ_by_dash_and_marker_and_groups_are_named() -> None:
    figure = lines_by_activity({"a": GROUPS, "b": GROUPS, "c": GROUPS}, "a", across="known", up="nDCG")
    assert len({trace.line.dash for trace in figure.data}) == len({trace.marker.symbol for trace in figure.data}) == 3
    assert list(figure.layout.xaxis.ticktext) == ["3", "4–9"]
    assert list(figure.data[1].y) == [0.2, 0.4]
    assert list(figure.data[1].error_y.array) == pytest.approx([0.15, 0.1])


def test_bars_differ_by_pattern_and_show_their_shares() -> None:
    figure = bars_by_popularity(
        {"rated": [0.3, 0.3, 0.4], "ials": [0.9, 0.08, 0.02]}, ["1 a", "2 b", "3 c"], "ials", "x"
    )
    assert [list(trace.x) for trace in figure.data] == [[0.3, 0.9], [0.3, 0.08], [0.4, 0.02]]
    assert len({trace.marker.pattern.shape for trace in figure.data}) == 3
    assert list(figure.data[0].y) == ["rated", "<b>ials</b>"]
    assert list(figure.data[2].text) == ["40%", ""]  # 2% is too narrow for a label


def test_the_curve_marks_the_chosen_number_at_its_position() -> None:
    rows = [DimensionQuality(d, v, v - 0.1, v + 0.05, None, 0.5) for d, v in ((1, 0.2), (8, 0.4), (64, 0.5))]
    figure = dimension_curve(rows, 8, here="here")
    assert list(figure.data[0].x) == [1, 8, 64] and list(figure.data[0].y) == [0.2, 0.4, 0.5]
    assert figure.layout.shapes[0].x0 == 8
    note = figure.layout.annotations[0]
    assert note.text == "here" and note.x == pytest.approx(np.log10(8))  # annotations of a log axis take the logarithm
    assert not dimension_curve(rows).layout.shapes
    assert len(dimension_curve([], 8).data[0].x) == 0
