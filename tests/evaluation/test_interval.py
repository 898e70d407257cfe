"""Bootstrap intervals: nominal coverage, paired differences, undefined values."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from recsys.evaluation import interval
from recsys.evaluation.interval import Interval, bootstrap, intervals, paired


def test_the_interval_covers_the_mean_at_its_nominal_rate() -> None:
    rng = np.random.default_rng(0)
    covered = 0
    for trial in range(200):
        table = bootstrap(pd.DataFrame({"m": rng.exponential(size=100)}), seed=trial, n=200)
        covered += bool(table.at[0, "low"] <= 1 <= table.at[0, "high"])
    assert 0.88 <= covered / 200 <= 0.98
    empty = bootstrap(pd.DataFrame({"m": [np.nan, np.nan], "n": [1.0, np.nan]}), n=20)
    assert np.isnan(empty.at[0, "mean"]) and empty.at[1, "mean"] == 1


def test_it_agrees_with_resampling_one_by_one_whatever_the_block(monkeypatch: pytest.MonkeyPatch) -> None:
    values = pd.DataFrame({"a": np.random.default_rng(1).random(60), "b": np.arange(60.0)})
    values.loc[::7, "a"] = np.nan
    rng = np.random.default_rng(5)
    means = [values.iloc[rng.integers(60, size=60)].mean() for _ in range(100)]
    expected = pd.DataFrame(means).quantile([0.025, 0.975]).to_numpy().T
    monkeypatch.setattr(interval, "COUNTS_AT_ONCE", 60 * 7)
    found = bootstrap(values, seed=5, n=100)
    np.testing.assert_allclose(found[["low", "high"]].to_numpy(), expected)
    assert found["mean"].tolist() == pytest.approx(values.mean().tolist())


def test_a_paired_difference_is_shown_where_the_two_intervals_overlap_and_chance_is_not() -> None:
    rng = np.random.default_rng(2)
    hard = pd.DataFrame({"ndcg@10": rng.random(400)})  # how hard the users are is common to all models
    better, same = (hard + gain + rng.normal(scale=0.05, size=hard.shape) for gain in (0.02, 0.0))
    alone = [intervals(bootstrap(table))["ndcg@10"] for table in (better, hard)]
    assert alone[0].low < alone[1].high  # type: ignore[operator]
    assert intervals(paired(better, hard))["ndcg@10"].sign == 1
    assert intervals(paired(hard, better))["ndcg@10"].sign == -1
    assert intervals(paired(same, hard))["ndcg@10"].sign == 0
    shuffled = hard.sample(frac=1, random_state=3).reset_index(drop=True)  # the control: other users in the same rows
    assert intervals(paired(better, shuffled))["ndcg@10"].sign == 0
    assert intervals(paired(hard, hard))["ndcg@10"] == Interval(0.0, 0.0, 0.0)
