"""What measured numbers are said to amount to: intervals apart or not, and answers told beforehand never win."""

from __future__ import annotations

import pytest

from recsys.evaluation.significance import Standing, best_representations, gain, standing, worst_served


def result(low: float, mean: float, high: float) -> dict:
    return {"metrics": {"ndcg@10": {"low": low, "mean": mean, "high": high}}}


def group(low: float, mean: float, high: float) -> dict:
    return {"low": low, "mean": mean, "high": high}


def test_ahead_and_behind_need_intervals_that_are_apart() -> None:
    ours, worse, touching, better = (
        result(0.4, 0.5, 0.6), result(0.1, 0.2, 0.3), result(0.55, 0.65, 0.7), result(0.61, 0.7, 0.8)
    )  # fmt: skip
    assert standing([ours, worse, touching, better, ours], "ndcg@10") == Standing((1,), (2, 4), (3,))
    assert standing([ours], "ndcg@10") == Standing((), (), ())
    with pytest.raises(KeyError):
        standing([ours, worse], "hr@10")


def test_the_worst_served_are_all_neighbours_whose_intervals_overlap() -> None:
    low, alike, high = group(0.28, 0.3, 0.32), group(0.31, 0.33, 0.35), group(0.5, 0.55, 0.6)
    assert worst_served([high, alike, low, alike, high]) == slice(1, 4)
    assert worst_served([low, high, alike]) == slice(0, 1)  # alike, but not next to it
    assert worst_served([low, low, alike]) == slice(0, 3)
    assert gain([low, high], [alike, low]).tolist() == pytest.approx([-0.03, 0.25])


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
