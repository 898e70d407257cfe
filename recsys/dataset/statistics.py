"""A portrait of the data: how ratings spread over users, movies, values, years and genres. Knows no model and no file.

Everything is counted in a few passes over the ratings, so that 25 million of them take seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
import scipy.sparse as sp

from recsys.dataset.catalog import Catalog
from recsys.dataset.interactions import NO_TIME, Interactions

DAY = 86_400
MONTHLY_FROM = 2 * 366
"""Days of ratings from which on they are counted by month, and by week below."""
FEW_RATINGS = 20
"""Below it hardly anything can be told of a movie; `attributes.well_known` draws the same line."""
MOST_CELLS = 100
MOST_VALUES = 20
"""Different ratings that are shown one by one; where there are more, in so many steps of equal width."""


@dataclass(frozen=True, eq=False)
class Density:
    """How full the ratings matrix is, in cells: users with most ratings first, movies with most ratings first.

    share   (rows, columns) float64: of the user-movie pairs in a cell, the share that is rated
    users   (rows + 1,) int64: cell r holds the users from place users[r] to users[r + 1] in that order
    items   (columns + 1,) int64, the same for movies
    """

    share: np.ndarray
    users: np.ndarray
    items: np.ndarray


@dataclass(frozen=True, eq=False)
class Portrait:
    """What `portrait_of` counted.

    of_items  (n_items,) int64: ratings of each movie, most first
    of_users  (n_users,) int64: ratings of each user, most first
    mean      of all ratings; NaN without any
    values    value, ratings, low, high: how often each rating was given, as `rating_values` counts them
    genres    genre, movies, ratings, mean: most rated first; a movie counts for each of its genres
    years     year, movies: of release, each year from the first to the last
    periods   start (datetime64), ratings: by week or month, gaps as zeros; None where no rating has a time
    step      "week" or "month"
    span      days from the first rating to the last, and None without times
    untimed   ratings without a time
    density   the matrix, seen from afar
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
        return int(self.of_items.sum())

    @property
    def filled(self) -> float:
        """The share of all user-movie pairs that is rated."""
        pairs = len(self.of_items) * len(self.of_users)
        return self.n_ratings / pairs if pairs else 0.0

    @cached_property
    def few_rated(self) -> float:
        """The share of movies with fewer than `FEW_RATINGS` ratings."""
        return float((self.of_items < FEW_RATINGS).mean()) if len(self.of_items) else 0.0


def portrait_of(interactions: Interactions, catalog: Catalog) -> Portrait:
    """Count the data; `catalog` lists the same items in the same order. Pure: the arguments are left as they are."""
    matrix = interactions.matrix
    by_item = np.bincount(matrix.indices, minlength=matrix.shape[1]).astype(np.int64)
    by_user = np.diff(matrix.indptr).astype(np.int64)
    periods, step, span, untimed = _over_time(interactions)
    return Portrait(
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
    """The smallest share of things that together hold `of_all` of the counts (n,): .2 is Pareto's rule; 0 of none."""
    ordered = np.sort(counts)[::-1]
    if not ordered.sum():
        return 0.0
    enough = int(np.searchsorted(np.cumsum(ordered), of_all * ordered.sum())) + 1
    return min(enough, len(ordered)) / len(ordered)


def rating_values(ratings: np.ndarray) -> pd.DataFrame:
    """How often each rating was given: value, ratings, low, high, lowest first.

    Where there are more than `MOST_VALUES` different ones, in so many steps from low to high, value being the middle;
    else low and high are the value itself.
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
    of_item = pd.DataFrame(
        {
            "genre": [list(genres) for genres in catalog.items["genres"]],
            "ratings": np.bincount(matrix.indices, minlength=n_items),
            "total": np.bincount(matrix.indices, weights=matrix.data, minlength=n_items),
        }
    )
    each = of_item.explode("genre").dropna(subset="genre")
    found = each.groupby("genre").agg(movies=("ratings", "size"), ratings=("ratings", "sum"), total=("total", "sum"))
    found["mean"] = (found["total"] / found["ratings"]).where(found["ratings"] > 0)
    found = found.drop(columns="total").reset_index()
    return found.sort_values(["ratings", "genre"], ascending=[False, True], ignore_index=True)


def by_year(catalog: Catalog) -> pd.DataFrame:
    """year, movies: how many were released each year from the first that is known to the last."""
    years = catalog.years[~np.isnan(catalog.years)].astype(np.int64)
    if not len(years):
        return pd.DataFrame({"year": years, "movies": years})
    first = int(years.min())
    counts = np.bincount(years - first)
    return pd.DataFrame({"year": np.arange(first, first + len(counts)), "movies": counts})


def density_of(matrix: sp.csr_matrix, most_cells: int = MOST_CELLS) -> Density:
    """The matrix, sorted by activity and popularity, in at most `most_cells` × `most_cells` cells of equal size."""
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
    """Edges of the cells (n_cells + 1,) in the order of falling counts, and the cell of each thing (n,), both ints."""
    edges = np.linspace(0, len(counts), n_cells + 1).round().astype(np.int64)
    cell_of = np.empty(len(counts), dtype=np.int32)
    cell_of[np.argsort(-counts, kind="stable")] = np.repeat(np.arange(n_cells), np.diff(edges))
    return edges, cell_of


def _over_time(
    interactions: Interactions,
) -> tuple[pd.DataFrame | None, str, tuple[np.datetime64, np.datetime64] | None, int]:
    """Ratings a period, what a period is, the first and the last day, and how many ratings have no time."""
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
    # Weeks begin on Monday; day 0 of the calendar was a Thursday.
    starts = dates.astype("datetime64[M]") if step == "month" else dates - ((dates.astype(np.int64) + 3) % 7)
    found = pd.DataFrame({"start": starts.astype("datetime64[s]"), "ratings": per_day})
    return found.groupby("start", as_index=False).sum(), step, (dates[0], dates[-1]), untimed
