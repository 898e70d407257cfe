"""DatasetStatistics: the distribution of ratings over users, movies, values, time and genres.

Counted in a few passes over the ratings: 25 million take seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
import scipy.sparse as sp

from recsys.dataset.attributes import WELL_KNOWN
from recsys.dataset.catalog import Catalog
from recsys.dataset.interactions import NO_TIME, Interactions

DAY = 86_400
MONTHLY_FROM = 2 * 366
"""Ratings that span at least this many days are counted by month, others by week."""
FEW_RATINGS = WELL_KNOWN
"""Movies with fewer ratings count as rarely rated; the same limit as `attributes.WELL_KNOWN`."""
MOST_CELLS = 100
MOST_VALUES = 20
"""Up to this many distinct ratings are counted one by one; more are counted in this many bins of equal width."""


@dataclass(frozen=True, eq=False)
class Density:
    """The density of the ratings matrix by cell, with users and movies sorted by number of ratings, most first.

    share   (rows, columns) float64, share of the user-movie pairs in a cell that are rated
    users   (rows + 1,) int64, row r of cells holds the users at positions users[r] to users[r + 1] of that order
    items   (columns + 1,) int64, the same for movies
    """

    share: np.ndarray
    users: np.ndarray
    items: np.ndarray


@dataclass(frozen=True, eq=False)
class DatasetStatistics:
    """Counts of one dataset; see `dataset_statistics`.

    of_items  (n_items,) int64, ratings of each movie, most first
    of_users  (n_users,) int64, ratings of each user, most first
    mean      mean rating; NaN without ratings
    values    DataFrame value, ratings, low, high: frequency of each rating, see `rating_values`
    genres    DataFrame genre, movies, ratings, mean, most rated first; a movie counts for each of its genres
    years     DataFrame year, movies: releases in each year from the first to the last
    periods   DataFrame start (datetime64), ratings: by week or month, zero where there are none; None without times
    step      "week" or "month"
    span      days of the first and the last rating; None without times
    untimed   number of ratings without a time
    density   density of the matrix by cell
    """

    of_items: np.ndarray
    of_users: np.ndarray
    mean: float
    values: pd.DataFrame
    genres: pd.DataFrame
    years: pd.DataFrame
    periods: pd.DataFrame | None
    step: str
    span: tuple[np.datetime64, np.datetime64] | None
    untimed: int
    density: Density

    @property
    def n_ratings(self) -> int:
        """Number of ratings."""
        return int(self.of_items.sum())

    @property
    def filled(self) -> float:
        """Share of all user-movie pairs that are rated."""
        pairs = len(self.of_items) * len(self.of_users)
        return self.n_ratings / pairs if pairs else 0.0

    @cached_property
    def few_rated(self) -> float:
        """Share of movies with fewer than `FEW_RATINGS` ratings."""
        return float((self.of_items < FEW_RATINGS).mean()) if len(self.of_items) else 0.0

    @property
    def most_common_rating(self) -> pd.Series:
        """The row of `values` with the most ratings; the lowest of several. Needs a rating."""
        row: pd.Series = self.values.loc[self.values["ratings"] == self.values["ratings"].max()].iloc[0]
        return row

    @property
    def peak_period(self) -> tuple[pd.Timestamp, int] | None:
        """Start and number of ratings of the period with the most ratings; None without times."""
        if self.periods is None:
            return None
        peak = self.periods.iloc[int(self.periods["ratings"].argmax())]
        return peak["start"], int(peak["ratings"])

    @property
    def median_year(self) -> int | None:
        """Median release year of the movies, the lower of two; None without release years."""
        if self.years.empty:
            return None
        return int(self.years["year"][self.years["movies"].cumsum() * 2 >= self.years["movies"].sum()].iloc[0])

    def share_of_top(self, share: float) -> float:
        """The share of all ratings that the most rated movies have, given their share of all movies, 0 … 1."""
        return float(self.of_items[: round(share * len(self.of_items))].sum() / max(self.n_ratings, 1))


def dataset_statistics(interactions: Interactions, catalog: Catalog) -> DatasetStatistics:
    """The statistics of ratings and of a catalog that lists the same items in the same order."""
    matrix = interactions.matrix
    by_item = np.bincount(matrix.indices, minlength=matrix.shape[1]).astype(np.int64)
    by_user = np.diff(matrix.indptr).astype(np.int64)
    periods, step, span, untimed = _over_time(interactions)
    return DatasetStatistics(
        np.sort(by_item)[::-1],
        np.sort(by_user)[::-1],
        float(matrix.data.mean(dtype=np.float64)) if matrix.nnz else np.nan,
        rating_values(matrix.data),
        by_genre(matrix, catalog),
        by_year(catalog),
        periods,
        step,
        span,
        untimed,
        density_of(matrix),
    )


def smallest_share(counts: np.ndarray, of_all: float = 0.8) -> float:
    """The smallest share of n elements that accounts for `of_all` of the total of `counts` (n,); 0 for a total of 0.

    0.2 at `of_all` = 0.8 is the Pareto principle.
    """
    ordered = np.sort(counts)[::-1]
    if not ordered.sum():
        return 0.0
    enough = int(np.searchsorted(np.cumsum(ordered), of_all * ordered.sum())) + 1
    return min(enough, len(ordered)) / len(ordered)


def rating_values(ratings: np.ndarray) -> pd.DataFrame:
    """The frequency of each rating: value, ratings, low, high, in ascending order.

    More than `MOST_VALUES` distinct ratings are counted in that many bins from low to high, with the middle as value;
    otherwise low and high equal the value.
    """
    counts = pd.Series(ratings).value_counts().sort_index()
    values, numbers = counts.index.to_numpy(np.float64), counts.to_numpy(np.int64)
    low = high = values
    if len(values) > MOST_VALUES:
        numbers, edges = np.histogram(values, MOST_VALUES, weights=numbers)
        low, high = edges[:-1], edges[1:]
    return pd.DataFrame({"value": (low + high) / 2, "ratings": numbers.astype(np.int64), "low": low, "high": high})


def by_genre(matrix: sp.csr_matrix, catalog: Catalog) -> pd.DataFrame:
    """genre, movies, ratings, mean (of its ratings, NaN without any), most rated first."""
    n_items = matrix.shape[1]
    counts = np.bincount(matrix.indices, minlength=n_items)
    totals = np.bincount(matrix.indices, weights=matrix.data, minlength=n_items)
    carries = catalog.genre_matrix.T
    found = pd.DataFrame(
        {"genre": catalog.genre_names, "movies": carries.sum(axis=1), "ratings": carries.astype(np.int64) @ counts}
    )
    found["mean"] = (carries @ totals / found["ratings"]).where(found["ratings"] > 0)
    return found.sort_values(["ratings", "genre"], ascending=[False, True], ignore_index=True)


def by_year(catalog: Catalog) -> pd.DataFrame:
    """year, movies: number of movies released in each year from the first known year to the last."""
    years = catalog.years[~np.isnan(catalog.years)].astype(np.int64)
    if not len(years):
        return pd.DataFrame({"year": years, "movies": years})
    first = int(years.min())
    counts = np.bincount(years - first)
    return pd.DataFrame({"year": np.arange(first, first + len(counts)), "movies": counts})


def density_of(matrix: sp.csr_matrix, most_cells: int = MOST_CELLS) -> Density:
    """The density of the sorted matrix in at most `most_cells` × `most_cells` cells of nearly equal size."""
    n_users, n_items = matrix.shape
    n_rows, n_columns = min(most_cells, n_users), min(most_cells, n_items)
    by_user = np.diff(matrix.indptr)
    users, row_of = _cells(by_user, n_rows)
    items, column_of = _cells(np.bincount(matrix.indices, minlength=n_items), n_columns)
    cell = np.repeat(row_of * n_columns, by_user)
    cell += column_of[matrix.indices]
    counts = np.bincount(cell, minlength=n_rows * n_columns).reshape(n_rows, n_columns)
    return Density(counts / np.outer(np.diff(users), np.diff(items)), users, items)


def _cells(counts: np.ndarray, n_cells: int) -> tuple[np.ndarray, np.ndarray]:
    """Edges of the cells (n_cells + 1,) in descending order of counts, and the cell of each element (n,), both ints."""
    edges = np.linspace(0, len(counts), n_cells + 1).round().astype(np.int64)
    cell_of = np.empty(len(counts), dtype=np.int32)
    cell_of[np.argsort(-counts, kind="stable")] = np.repeat(np.arange(n_cells), np.diff(edges))
    return edges, cell_of


def _over_time(
    interactions: Interactions,
) -> tuple[pd.DataFrame | None, str, tuple[np.datetime64, np.datetime64] | None, int]:
    """Ratings per period, the length of a period, the first and last day, and the number of ratings without a time."""
    times = interactions.timestamps
    if times is None:
        return None, "month", None, interactions.n_ratings
    days = times // DAY if not (times == NO_TIME).any() else times[times != NO_TIME] // DAY
    untimed = interactions.n_ratings - len(days)
    if not len(days):
        return None, "month", None, untimed
    first = int(days.min())
    per_day = np.bincount(days - first)
    dates = (np.arange(len(per_day)) + first).astype("datetime64[D]")
    step = "month" if len(per_day) >= MONTHLY_FROM else "week"
    # Weeks begin on Monday; 1970-01-01 was a Thursday.
    starts = dates.astype("datetime64[M]") if step == "month" else dates - ((dates.astype(np.int64) + 3) % 7)
    found = pd.DataFrame({"start": starts.astype("datetime64[s]"), "ratings": per_day})
    return found.groupby("start", as_index=False).sum(), step, (dates[0], dates[-1]), untimed
