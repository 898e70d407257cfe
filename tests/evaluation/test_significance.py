"""Which differences count as shown: intervals that exclude 0 or do not overlap, and never answers that were given."""

from __future__ import annotations

import pytest

from recsys.evaluation.analogies import AnalogyQuality
from recsys.evaluation.clusters import ClusterQuality
from recsys.evaluation.evaluate import ActivityGroup, EvaluatedModel
from recsys.evaluation.interval import Interval
from recsys.evaluation.report import DimensionQuality, Representation
from recsys.evaluation.retrieval import Retrieval
from recsys.evaluation.significance import (
    Comparison,
    best_dimensions,
    best_representations,
    compare_first,
    gain_by_dimension,
    gain_by_group,
    lowest_quality_groups,
    mean_over_users,
)


def result(low: float, mean: float, high: float) -> EvaluatedModel:
    """A model that the first one leads by so much."""
    return EvaluatedModel("ials", {}, 1.0, 100, 0, 0, {}, {"ndcg@10": Interval(mean, low, high)}, (), (), ())


def group(low: float, mean: float, high: float) -> ActivityGroup:
    return ActivityGroup(10, 1, 5, mean, low, high)


def test_ahead_and_behind_need_an_interval_of_the_difference_that_excludes_0() -> None:
    first, worse, alike, better, touching = (
        result(0, 0, 0), result(0.01, 0.02, 0.03), result(-0.1, 0.2, 0.5), result(-0.3, -0.2, -0.1), result(0, 0.1, 0.2)
    )  # fmt: skip
    assert compare_first([first, worse, alike, better, touching], "ndcg@10") == Comparison((1,), (2, 4), (3,))
    assert compare_first([first], "ndcg@10") == Comparison((), (), ())
    with pytest.raises(KeyError):
        compare_first([first, worse], "coverage@10")


def test_the_lowest_groups_are_adjacent_ones_whose_intervals_overlap() -> None:
    low, alike, high = group(0.28, 0.3, 0.32), group(0.31, 0.33, 0.35), group(0.5, 0.55, 0.6)
    assert lowest_quality_groups([high, alike, low, alike, high]) == slice(1, 4)
    assert lowest_quality_groups([low, high, alike]) == slice(0, 1)  # it overlaps, but is not adjacent
    assert lowest_quality_groups([low, low, alike]) == slice(0, 3)
    assert gain_by_group([low, high], [alike, low]).tolist() == pytest.approx([-0.03, 0.25])


def test_the_mean_of_groups_counts_users() -> None:
    few, many = ActivityGroup(1, 1, 5, 0.8, 0.7, 0.9), ActivityGroup(3, 6, 9, 0.4, 0.3, 0.5)
    assert mean_over_users([few, many]) == pytest.approx(0.5)
    assert mean_over_users([few]) == pytest.approx(0.8)


CURVE = [DimensionQuality(d, q, q - 0.01, q + 0.01, None, 0.5) for d, q in ((1, 0.20), (2, 0.30), (4, 0.34), (8, 0.35))]


def test_gain_from_added_dimensions() -> None:
    found = gain_by_dimension(CURVE)
    assert found["before"].tolist() == [1, 2, 4]
    assert found["each"].tolist() == pytest.approx([0.10, 0.02, 0.0025])
    assert gain_by_dimension(CURVE[:1]).empty


def test_the_best_number_of_dimensions_is_named_with_all_whose_intervals_overlap() -> None:
    assert best_dimensions(CURVE) == (8, (4,))
    assert best_dimensions(CURVE[:2]) == (2, ())
    assert best_dimensions(CURVE[:1]) == (1, ())
    flat = [DimensionQuality(d, 0.1 - d / 1000, 0.05, 0.15, None, 0.5) for d in (1, 2, 4)]
    assert best_dimensions(flat) == (1, (2, 4))  # larger ones too: in noise no number is best
    assert best_dimensions([*CURVE, DimensionQuality(16, 0.34, 0.33, 0.35, None, 0.5)]) == (8, (4, 16))


def test_given_answers_are_never_best() -> None:
    def row(genre: float, r2: float | None, given: tuple[str, ...]) -> Representation:
        return Representation(
            dimensions=8,
            genre_retrieval=Retrieval(genre, 0.1, 0.1, 0.1, 50),
            tag_retrieval=None,
            genre_auc=genre,
            genre_auc_of={},
            decade_auc=None,
            mean_rating_r2=r2,
            clusters=ClusterQuality(0.1, genre, 0.1),
            analogies=AnalogyQuality(0, 0, None, None, None, None, {}),
            effective_rank=4.0,
            isotropy=0.5,
            given=given,
        )

    best = best_representations(
        {
            "genres": row(1.0, 0.1, ("genre_retrieval", "genre_auc")),
            "ials": row(0.7, 0.8, ()),
            "pca": row(0.7001, None, ()),
        }
    )
    assert best["genre_retrieval"] == best["genre_auc"] == {"ials", "pca"}  # equal to three digits
    assert best["clusters"] == {"genres"} and best["mean_rating_r2"] == {"ials"}
    assert best["tag_retrieval"] == best["analogies"] == set()
