"""Dataset statistics agree with pandas on MovieLens 100K; edge cases."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from recsys.dataset.catalog import Catalog
from recsys.dataset.dataset import Dataset
from recsys.dataset.interactions import NO_TIME, Interactions
from recsys.dataset.statistics import DatasetStatistics, dataset_statistics, density_of, rating_values, smallest_share


@pytest.fixture(scope="module")
def rows(ml100k: Dataset) -> pd.DataFrame:
    """One row per rating, counted without the library."""
    data, coo = ml100k.interactions, ml100k.interactions.matrix.tocoo()
    return pd.DataFrame(
        {
            "user": data.user_ids[coo.row],
            "item": data.item_ids[coo.col],
            "rating": coo.data.astype(float),
            "time": pd.to_datetime(data.timestamps, unit="s"),
        }
    )


@pytest.fixture(scope="module")
def statistics(ml100k: Dataset) -> DatasetStatistics:
    return dataset_statistics(ml100k.interactions, ml100k.catalog)


def small(times: list[int] | None = None) -> Interactions:
    matrix = sp.csr_matrix(np.array([[5, 3, 0], [4, 0, 0]], dtype=np.float32))
    return Interactions(matrix, ["a", "b"], ["x", "y", "z"], None if times is None else np.array(times))


def test_counts_of_movies_and_users_agree_with_pandas(statistics: DatasetStatistics, rows: pd.DataFrame) -> None:
    assert statistics.of_items.tolist() == rows["item"].value_counts().tolist()
    assert statistics.of_users.tolist() == rows["user"].value_counts().tolist()
    assert statistics.n_ratings == 100_000
    assert statistics.filled == pytest.approx(100_000 / (943 * 1682))
    assert statistics.few_rated == pytest.approx((rows["item"].value_counts() < 20).mean())


def test_the_long_tail_agrees_with_pandas(statistics: DatasetStatistics, rows: pd.DataFrame) -> None:
    counts = rows["item"].value_counts()
    expected = ((counts.cumsum() < 80_000).sum() + 1) / len(counts)
    assert smallest_share(statistics.of_items, 0.8) == pytest.approx(expected)
    assert expected < 0.4  # there is a long tail
    assert 0.8 <= statistics.share_of_top(expected) < 0.801
    assert (statistics.share_of_top(0), statistics.share_of_top(1)) == (0, 1)
    assert smallest_share(np.full(10, 7), 0.8) == 0.8  # the control: uniform counts
    assert smallest_share(np.zeros(3), 0.8) == 0.0


def test_values_genres_and_years_agree_with_pandas(
    statistics: DatasetStatistics, rows: pd.DataFrame, ml100k: Dataset
) -> None:
    expected = rows["rating"].value_counts().sort_index()
    assert statistics.values["value"].tolist() == expected.index.tolist()
    assert statistics.values["ratings"].tolist() == expected.tolist()
    assert statistics.mean == pytest.approx(rows["rating"].mean())
    assert (statistics.values["low"] == statistics.values["high"]).all()
    items = pd.DataFrame({"item": ml100k.catalog.item_ids, "genre": [list(g) for g in ml100k.catalog.items["genres"]]})
    joined = rows.merge(items.explode("genre"), on="item").groupby("genre")["rating"].agg(["size", "mean"])
    genres = statistics.genres.set_index("genre")
    assert genres["ratings"].to_dict() == joined["size"].to_dict()
    assert genres["mean"].to_dict() == pytest.approx(joined["mean"].to_dict())
    assert genres["ratings"].is_monotonic_decreasing
    assert genres.at["Drama", "movies"] == (items["genre"].map(lambda names: "Drama" in names)).sum()
    years = ml100k.catalog.items["year"].dropna().value_counts()
    counted = statistics.years.set_index("year")["movies"]
    assert counted[counted > 0].to_dict() == years.to_dict()
    assert statistics.median_year == ml100k.catalog.items["year"].dropna().quantile(0.5, interpolation="lower")
    assert statistics.most_common_rating["value"] == rows["rating"].mode()[0]


def test_ratings_by_week_and_by_month_agree_with_pandas(
    statistics: DatasetStatistics, rows: pd.DataFrame, ml100k: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    def counted(periods: pd.DataFrame) -> dict[str, int]:
        present = periods[periods["ratings"] > 0]
        return {str(start.date()): int(n) for start, n in zip(present["start"], present["ratings"], strict=True)}

    def expected(rule: str) -> dict[str, int]:
        by = rows["time"].dt.to_period(rule).dt.start_time.value_counts()
        return {str(start.date()): int(n) for start, n in by.items()}

    assert statistics.step == "week" and counted(statistics.periods) == expected("W-SUN")  # Monday to Sunday
    start, n = statistics.peak_period
    assert {str(start.date()): n}.items() <= expected("W-SUN").items() and n == max(expected("W-SUN").values())
    assert [str(day) for day in statistics.span] == [str(rows["time"].min().date()), str(rows["time"].max().date())]
    monkeypatch.setattr("recsys.dataset.statistics.MONTHLY_FROM", 30)
    monthly = dataset_statistics(ml100k.interactions, ml100k.catalog)
    assert monthly.step == "month" and counted(monthly.periods) == expected("M")


def test_ratings_without_times_are_counted_and_left_out() -> None:
    catalog = Catalog.of(["x", "y", "z"])
    none = dataset_statistics(small(), catalog)
    assert (none.periods, none.span, none.untimed) == (None, None, 3)
    some = dataset_statistics(small([86_400 * 10, int(NO_TIME), 86_400 * 30]), catalog)
    assert some.untimed == 1 and int(some.periods["ratings"].sum()) == 2
    assert dataset_statistics(small([int(NO_TIME)] * 3), catalog).periods is None
    assert none.genres.empty and none.years.empty
    assert none.median_year is None and none.peak_period is None


def test_the_density_of_cells_agrees_with_the_sorted_matrix(ml100k: Dataset, statistics: DatasetStatistics) -> None:
    full = ml100k.interactions.matrix.toarray() > 0
    users = np.argsort(-full.sum(axis=1), kind="stable")
    items = np.argsort(-full.sum(axis=0), kind="stable")
    full = full[users][:, items]
    density = statistics.density
    assert density.share.shape == (100, 100)
    for row, column in ((0, 0), (0, 99), (37, 12), (99, 99), (99, 0)):
        cell = full[
            density.users[row] : density.users[row + 1], density.items[column] : density.items[column + 1]
        ]  # sliced from the dense matrix
        assert density.share[row, column] == pytest.approx(cell.mean())
    sizes = np.outer(np.diff(density.users), np.diff(density.items))
    assert (density.share * sizes).sum() == pytest.approx(100_000)
    shuffled = np.random.default_rng(0).permutation(full.ravel()).reshape(full.shape)
    assert density.share[0, 0] > 5 * density_of(sp.csr_matrix(shuffled.astype(np.float32))).share[0, 0]


def test_a_small_matrix_has_one_cell_per_user_and_movie() -> None:
    density = density_of(small().matrix)
    np.testing.assert_allclose(density.share, [[1, 1, 0], [1, 0, 0]])


def test_many_distinct_ratings_are_counted_in_bins() -> None:
    values = np.random.default_rng(0).uniform(0, 10, 5000).astype(np.float32)
    found = rating_values(values)
    assert len(found) == 20 and found["ratings"].sum() == 5000
    assert found["value"].iloc[0] == pytest.approx(0.25, abs=0.01)
    assert found["low"].iloc[0] == values.min() and found["high"].iloc[-1] == values.max()
    assert (found["low"].iloc[1:].to_numpy() == found["high"].iloc[:-1].to_numpy()).all()


def test_the_mean_is_that_of_the_ratings_not_of_the_bins() -> None:
    marks = np.random.default_rng(0).integers(1, 102, (60, 30)).astype(np.float32)
    data = Interactions(sp.csr_matrix(marks), range(60), range(30))
    found = dataset_statistics(data, Catalog.of(range(30)))
    assert found.mean == pytest.approx(marks.mean(dtype=np.float64))
    shown = (found.values["value"] * found.values["ratings"]).sum() / found.n_ratings
    assert abs(shown - found.mean) > 0.3  # the control: the mean of the bins differs
