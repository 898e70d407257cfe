"""Which differences count as shown: non-overlapping intervals only, and never answers that were given as input."""

from __future__ import annotations

import pytest

from recsys.evaluation.evaluate import ActivityGroup, EvaluatedModel, Interval
from recsys.evaluation.significance import (
    Comparison,
    best_representations,
    compare_first,
    gain_by_group,
    lowest_quality_groups,
)


def result(low: float, mean: float, high: float) -> EvaluatedModel:
    metrics = {"ndcg@10": Interval(mean, low, high), "coverage@10": Interval(mean, None, None)}
    return EvaluatedModel("ials", {}, 1.0, 100, 0, 0, metrics, (), ())


def group(low: float, mean: float, high: float) -> ActivityGroup:
    return ActivityGroup(10, 1, 5, mean, low, high)


def test_better_and_worse_need_intervals_that_do_not_overlap() -> None:
    ours, worse, touching, better = (
        result(0.4, 0.5, 0.6), result(0.1, 0.2, 0.3), result(0.55, 0.65, 0.7), result(0.61, 0.7, 0.8)
    )  # fmt: skip
    assert compare_first([ours, worse, touching, better, ours], "ndcg@10") == Comparison((1,), (2, 4), (3,))
    assert compare_first([ours], "ndcg@10") == Comparison((), (), ())
    with pytest.raises(KeyError):
        compare_first([ours, worse], "hr@10")
    with pytest.raises(ValueError, match="without intervals"):
        compare_first([ours, worse], "coverage@10")


def test_the_lowest_groups_are_adjacent_ones_whose_intervals_overlap() -> None:
    low, alike, high = group(0.28, 0.3, 0.32), group(0.31, 0.33, 0.35), group(0.5, 0.55, 0.6)
    assert lowest_quality_groups([high, alike, low, alike, high]) == slice(1, 4)
    assert lowest_quality_groups([low, high, alike]) == slice(0, 1)  # it overlaps, but is not adjacent
    assert lowest_quality_groups([low, low, alike]) == slice(0, 3)
    assert gain_by_group([low, high], [alike, low]).tolist() == pytest.approx([-0.03, 0.25])


def test_what_was_told_beforehand_wins_nothing() -> None:
    def row(genre: float, r2: float | None, told: list[str]) -> dict:
        return {
            "genre_retrieval": {"precision": genre}, "tag_retrieval": None, "genre_auc": genre, "decade_auc": None,
            "mean_rating_r2": r2, "clusters": {"nmi": genre}, "analogies": {"hits@10": None}, "told": told,
        }  # fmt: skip

    best = best_representations(
        {
            "genres": row(1.0, 0.1, ["genre_retrieval", "genre_auc"]),
            "ials": row(0.7, 0.8, []),
            "pca": row(0.7001, None, []),
        }
    )
    assert best["genre_retrieval"] == best["genre_auc"] == {"ials", "pca"}  # alike to three digits
    assert best["clusters"] == {"genres"} and best["mean_rating_r2"] == {"ials"}
    assert best["tag_retrieval"] == best["analogies"] == set()
