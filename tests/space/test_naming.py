"""Verified names are found; chance, popularity and the year alone give none."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import mannwhitneyu
from sklearn.metrics import roc_auc_score

from recsys.dataset.attributes import Attributes
from recsys.dataset.catalog import Catalog
from recsys.space.auc import auc, auc_interval
from recsys.space.naming import name_ends

RNG = np.random.default_rng(3)
N = 600
ALL = np.ones(N, dtype=bool)


def attributes(carries: np.ndarray, kinds: list[str], years=None, counts=None) -> Attributes:
    names = tuple(f"{kind} {at}" for at, kind in enumerate(kinds))
    years = RNG.integers(1930, 2000, N).astype(float) if years is None else years
    counts = RNG.integers(20, 1000, N) if counts is None else counts
    catalog = Catalog.of(range(N), years=[None if np.isnan(year) else int(year) for year in years])
    return Attributes(catalog, counts, True, names, tuple(kinds), carries)  # type: ignore[arg-type]


def test_auc_equals_mann_whitney_u() -> None:
    values, carries = RNG.integers(0, 9, (80, 3)).astype(float), RNG.random((80, 4)) < 0.3
    found = auc(values, carries)
    for a in range(4):
        for v in range(3):
            u = mannwhitneyu(values[carries[:, a], v], values[~carries[:, a], v]).statistic
            assert found[a, v] == pytest.approx(u / (carries[:, a].sum() * (~carries[:, a]).sum()))
            assert found[a, v] == pytest.approx(roc_auc_score(carries[:, a], values[:, v]))
    assert np.isnan(auc(values, np.zeros((80, 1), dtype=bool))).all()


def test_the_interval_has_its_nominal_coverage() -> None:
    """Normal scores with means one apart have AUC Φ(1/√2) = .7602; 95 of 100 intervals contain it."""
    inside = 0
    for _ in range(300):
        high, low = RNG.normal(1, 1, 15), RNG.normal(0, 1, 40)
        area = float((high[:, None] > low[None]).mean())
        bounds = auc_interval(area, 15, 40)
        inside += bounds[0] <= 0.7602 <= bounds[1]
    assert 0.91 <= inside / 300 <= 0.99
    assert auc_interval(1.0, 2, 2)[0] < 0.5, "two against two prove nothing"
    assert auc_interval(1.0, 200, 200)[0] > 0.97
    low, high = auc_interval(0.99993, 20_000, 20_000)
    assert 0.9995 < low <= 0.99993 <= high <= 1


def test_a_verified_name_is_given_to_its_end_only() -> None:
    carries = RNG.random((N, 6)) < 0.15
    along = np.column_stack([RNG.normal(size=N) + 2 * carries[:, 2], RNG.normal(size=N) - 2 * carries[:, 4]])
    (low, high), (low2, high2) = name_ends(along, attributes(carries, ["genre"] * 6), ALL)
    assert [n.attribute for n in high] == ["genre 2"] and low == []
    assert [n.attribute for n in low2] == ["genre 4"] and high2 == []
    assert high[0].auc == pytest.approx(roc_auc_score(carries[:, 2], along[:, 0]), abs=0.02)
    assert high[0].auc_low < high[0].auc < high[0].auc_high and high[0].q < 0.01
    assert high[0].carriers == carries[:, 2].sum()


def test_random_attributes_give_no_name() -> None:
    """Sixty-four random directions against sixty attributes, many of them rare."""
    carries = RNG.random((N, 60)) < np.linspace(0.02, 0.3, 60)
    names = name_ends(RNG.normal(size=(N, 64)), attributes(carries, ["genre"] * 60), ALL)
    assert names == [([], [])] * 64


def test_an_attribute_that_popularity_or_the_year_predicts_is_not_a_name() -> None:
    years = RNG.integers(1930, 2000, N).astype(float)
    counts = RNG.integers(20, 1000, N)
    old, loved = years < 1950, counts > 800
    carries = np.column_stack([old, loved])
    along = np.column_stack([-years + RNG.normal(0, 5, N), counts + RNG.normal(0, 80, N)]).astype(float)
    as_genres = name_ends(along, attributes(carries, ["genre", "genre"], years, counts), ALL)
    assert as_genres == [([], [])] * 2, "a genre that only says when a movie was made, or how often it was seen"
    (_, high), (_, high2) = name_ends(along, attributes(carries, ["decade", "popularity"], years, counts), ALL)
    assert [n.attribute for n in high] == ["decade 0"] and [n.attribute for n in high2] == ["popularity 1"]


def test_only_the_given_items_count() -> None:
    carries = RNG.random((N, 3)) < 0.2
    along = (RNG.normal(size=N) + 3 * carries[:, 1])[:, None]
    half = np.arange(N) < N // 2
    along[~half] = RNG.normal(size=(N // 2, 1)) * 100
    [(_, high)] = name_ends(along, attributes(carries, ["genre"] * 3), half)
    assert [n.attribute for n in high] == ["genre 1"] and high[0].carriers == carries[half, 1].sum()
    assert name_ends(along, attributes(carries, ["genre"] * 3), ALL) == [([], [])]
