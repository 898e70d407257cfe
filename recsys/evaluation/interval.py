"""Interval: a mean over users with its bootstrap interval. Does no I/O."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from recsys.evaluation.serialization import known

N_BOOTSTRAP = 1000
COUNTS_AT_ONCE = 2**21
"""How often each row is drawn, for so many rows of as many resamples as fit, is in memory at a time: 16 MiB."""


@dataclass(frozen=True)
class Interval:
    """A mean over users with its 95 % bootstrap interval.

    All three are None for a metric without defined values; low and high are None for a metric that is not a mean over
    users, such as coverage.
    """

    mean: float | None
    low: float | None
    high: float | None

    @property
    def sign(self) -> int:
        """1 where the whole interval is above 0, −1 where it is below, else 0: neither is shown."""
        if self.low is None or self.high is None:
            return 0
        return int(self.low > 0) - int(self.high < 0)

    def __str__(self) -> str:
        if self.mean is None:
            return "–"
        if self.low is None or self.high is None:
            return f"{self.mean:.4f}"
        return f"{self.mean:.4f} ({self.low:.4f} … {self.high:.4f})"


def bootstrap(values: pd.DataFrame, seed: int = 42, n: int = N_BOOTSTRAP) -> pd.DataFrame:
    """Mean of every column with the 2.5 % and 97.5 % quantiles of the means of `n` resamples of the rows.

    The percentile bootstrap (Efron & Tibshirani 1993, ch. 13). NaN values are left out of a mean. Returns columns
    metric, mean, low, high; a column without values gives NaN. All columns see the same resamples.
    """
    rng = np.random.default_rng(seed)
    table = values.to_numpy(np.float64)
    n_rows, n_columns = table.shape
    present = ~np.isnan(table)
    filled = np.where(present, table, 0.0)
    gaps = ~present.all(axis=0)
    counted = present[:, gaps].astype(np.float64)

    def means(times_drawn: np.ndarray) -> np.ndarray:
        weight = np.full((len(times_drawn), n_columns), float(n_rows))
        weight[:, gaps] = times_drawn @ counted
        return np.divide(times_drawn @ filled, weight, out=np.full(weight.shape, np.nan), where=weight > 0)

    def resampled(n_draws: int) -> np.ndarray:
        drawn = [np.bincount(rng.integers(n_rows, size=n_rows), minlength=n_rows) for _ in range(n_draws)]
        return means(np.array(drawn, dtype=np.float64))

    at_once = max(1, COUNTS_AT_ONCE // n_rows)
    draws = np.concatenate([resampled(min(at_once, n - start)) for start in range(0, n, at_once)])
    low, high = np.full(n_columns, np.nan), np.full(n_columns, np.nan)
    has_values = present.any(axis=0)
    low[has_values], high[has_values] = np.nanquantile(draws[:, has_values], [0.025, 0.975], axis=0)
    mean = means(np.ones((1, n_rows)))[0]
    return pd.DataFrame({"metric": values.columns, "mean": mean, "low": low, "high": high})


def paired(first: pd.DataFrame, other: pd.DataFrame, seed: int = 42) -> pd.DataFrame:
    """Mean of first − other, column by column, with its interval, in the form of `bootstrap`.

    first, other  the same metrics (columns) of the same users (rows) with two models

    Users are resampled, not lists, so what makes a user hard for both models cancels out: the interval is narrower than
    those of the two means, and one that excludes 0 shows a difference even where those two overlap. A user for whom a
    metric is undefined (NaN) with either model does not count.
    """
    return bootstrap(first - other, seed)


def intervals(table: pd.DataFrame) -> dict[str, Interval]:
    """What `bootstrap` returns, by metric."""
    return {str(metric): Interval(known(mean), known(low), known(high)) for metric, mean, low, high in table.to_numpy()}
