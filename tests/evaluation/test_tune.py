"""Tuning: it searches the declared settings on the validation part only, and can be continued."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import sys
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp

from recsys.dataset.catalog import Catalog
from recsys.dataset.dataset import Dataset
from recsys.dataset.interactions import Interactions
from recsys.dataset.split import HoldOut, hold_out
from recsys.dataset.weighting import Weighting
from recsys.errors import InputError, RecsysError, SettingError, Unavailable
from recsys.evaluation.ranking import rank_quality
from recsys.evaluation.tune import tune
from recsys.models import EASE, IALS, MODELS, Blend, ItemKNN, Popular, with_settings

FIXED = {"n_factors": 8, "epochs": 3}


@pytest.fixture(scope="module")
def small() -> tuple[list[HoldOut], Catalog]:
    rng = np.random.default_rng(3)
    dense = (rng.random((80, 30)) < np.where(np.arange(30) % 2 == np.arange(80)[:, None] % 2, 0.5, 0.05)) * 4.0
    data = Interactions(sp.csr_matrix(dense), [f"u{i}" for i in range(80)], [f"i{i}" for i in range(30)])
    return [hold_out(data, "random", part="validation")], Catalog.of(data.item_ids)


def test_every_searched_range_contains_the_default() -> None:
    for learner in MODELS.values():
        for name, (low, high) in learner.search_space({}).items():
            assert low <= getattr(learner(), name, 1.0) <= high, f"{learner.name}.{name}"
            assert low > 0, "the search is on a logarithmic scale"
    assert set(IALS.search_space({"nu": 1.0})) == {"regularization", "alpha0"}


def test_the_best_settings_are_better_than_the_default_and_reproduce_their_metric(ml100k: Dataset) -> None:
    split = hold_out(ml100k.interactions, "random", part="validation")
    fixed = {"n_factors": 16, "epochs": 3, "alpha0": 1.0, "nu": 1.0}
    found = tune(IALS, [split], ml100k.catalog, n_trials=12, fixed=fixed)
    assert found.value > found.default + 0.005  # the default λ is far too large with ν = 1
    assert found.params.keys() == fixed.keys() | {"regularization"}
    again = IALS(**found.params).fit(Dataset(split.train, ml100k.catalog))
    assert rank_quality(again, split, auc=False)["ndcg@10"] == pytest.approx(found.value)
    assert found.trials[0]["regularization"] == IALS().regularization
    assert found.value == max(trial["value"] for trial in found.trials)


def test_the_weights_of_a_blend_are_searched_and_its_parts_trained_once(small, monkeypatch) -> None:
    splits, catalog = small
    trained, learn = [], IALS._learn
    monkeypatch.setattr(IALS, "_learn", lambda self, *given: trained.append(self) or learn(self, *given))
    fixed = {"of": "ials,als", "ials.n_factors": 4, "als.n_factors": 4}
    found = tune(Blend, splits, catalog, n_trials=6, fixed=fixed)
    assert len(trained) == 1 and found.params.keys() == fixed.keys() | {"weight.als"}
    again = with_settings(Blend, found.params).fit(Dataset(splits[0].train, catalog))
    assert rank_quality(again, splits[0], auc=False)["ndcg@10"] == pytest.approx(found.value)


def test_several_draws_are_averaged(small: tuple[list[HoldOut], Catalog], ml100k: Dataset) -> None:
    splits = [hold_out(ml100k.interactions, "random", part="validation", draw=draw) for draw in range(2)]
    fixed = {"n_factors": 8, "epochs": 2}
    both = tune(IALS, splits, ml100k.catalog, n_trials=1, fixed=fixed).value
    each = [tune(IALS, [split], ml100k.catalog, n_trials=1, fixed=fixed).value for split in splits]
    assert both == pytest.approx(sum(each) / 2) and each[0] != each[1]


def test_a_study_is_continued_from_its_file(small: tuple[list[HoldOut], Catalog], tmp_path: Path) -> None:
    study = tmp_path / "new" / "study.sqlite"
    first = tune(IALS, *small, n_trials=3, fixed=FIXED, study=study)
    more = tune(IALS, *small, n_trials=5, fixed=FIXED, study=study)
    assert more.trials[:3] == first.trials
    assert len(more.trials) == 5
    same = tune(IALS, *small, n_trials=4, fixed=FIXED, study=study)
    assert same.trials == more.trials  # enough were there already
    assert tune(IALS, *small, n_trials=3, fixed=FIXED).trials == first.trials  # the same seed, the same search


def test_a_study_of_another_search_is_refused(small: tuple[list[HoldOut], Catalog], tmp_path: Path) -> None:
    split, catalog = small
    study = tmp_path / "study.sqlite"
    tune(IALS, split, catalog, n_trials=1, fixed=FIXED, study=study)
    for other in (
        lambda: tune(EASE, split, catalog, n_trials=1, study=study),
        lambda: tune(IALS, split, catalog, n_trials=1, fixed=FIXED | {"nu": 1.0}, study=study),
        lambda: tune(IALS, split, catalog, n_trials=1, fixed=FIXED, study=study, metric="auc"),
        lambda: tune(IALS, split, catalog, n_trials=1, fixed=FIXED, study=study, weighting=Weighting(2.0)),
    ):
        with pytest.raises(InputError, match="belongs to another search"):
            other()
    (tmp_path / "noise").write_bytes(b"SQLite format 3" + bytes(range(200)))
    with pytest.raises(InputError, match="cannot be used as a study"):
        tune(IALS, split, catalog, n_trials=1, fixed=FIXED, study=tmp_path / "noise")


def test_the_weighting_is_searched_on_demand(small: tuple[list[HoldOut], Catalog]) -> None:
    found = tune(ItemKNN, *small, n_trials=12, search_weighting=True, seed=1)
    assert found.trials[0]["weighting"] == Weighting().scheme
    assert len({trial["weighting"] for trial in found.trials}) > 1


def test_settings_that_cannot_be_trained_get_0_and_the_search_continues(
    small: tuple[list[HoldOut], Catalog], monkeypatch: pytest.MonkeyPatch
) -> None:
    fit = EASE.fit

    def picky(self: EASE, *arguments: object) -> object:
        if self.regularization != EASE().regularization:
            raise SettingError("too small for these data")
        return fit(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(EASE, "fit", picky)
    found = tune(EASE, *small, n_trials=4)
    assert [trial["value"] for trial in found.trials[1:]] == [0, 0, 0]
    assert found.params == {"regularization": EASE().regularization}


def test_the_time_limit_allows_at_least_one_trial(small: tuple[list[HoldOut], Catalog]) -> None:
    assert len(tune(IALS, *small, n_trials=50, minutes=1e-9, fixed=FIXED).trials) == 1


def test_without_searchable_settings_or_optuna_it_is_refused(
    small: tuple[list[HoldOut], Catalog], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SettingError, match="'popular' has nothing to tune"):
        tune(Popular, *small)
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(Unavailable, match=r"pip install 'recsys-atlas\[tune\]'"):
        tune(IALS, *small)


def test_ratings_that_cannot_be_used_are_refused_before_a_study_is_made(
    small: tuple[list[HoldOut], Catalog], tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="no ratings of 99 or more to train on"):
        tune(IALS, *small, weighting=Weighting(99.0), study=tmp_path / "study.sqlite")
    assert not list(tmp_path.iterdir())
    with pytest.raises(InputError, match="no settings could be trained: there are no ratings of 99"):
        tune(IALS, *small, n_trials=2, weighting=Weighting(99.0), search_weighting=True)


def test_a_metric_that_is_undefined_ends_the_search() -> None:
    everything = Interactions(np.ones((4, 3)), np.arange(4), np.arange(3))  # nothing to rank besides what is held out
    split = hold_out(everything, "random")
    with pytest.raises(InputError, match="auc is undefined for every user"):
        tune(ItemKNN, [split], Catalog.of(everything.item_ids), metric="auc", n_trials=2)


def test_a_study_may_have_any_name_and_damage_is_one_line(small: tuple[list[HoldOut], Catalog], tmp_path: Path) -> None:
    study = tmp_path / "what?is=100%20.sqlite"
    tune(IALS, *small, n_trials=1, fixed=FIXED, study=study)
    assert [path.name for path in tmp_path.iterdir()] == [study.name]
    for damage in (
        "DROP TABLE trials",
        "UPDATE trial_params SET distribution_json = '{'",
        "UPDATE trial_params SET param_value = 1e300",
        "UPDATE study_user_attributes SET value_json = '['",
        "UPDATE trials SET state = 'ELSE'",
    ):
        broken = tmp_path / "broken.sqlite"
        shutil.copy(study, broken)
        with contextlib.closing(sqlite3.connect(broken)) as database:
            database.execute(damage)
            database.commit()
        try:
            tune(IALS, *small, n_trials=1, fixed=FIXED, study=broken)
        except RecsysError as error:
            assert str(broken) in str(error) and "\n" not in str(error)
        else:
            assert damage.startswith("DROP"), damage  # the search starts again


@pytest.mark.parametrize("metric", ["ndcg@0", "ndcg@", "ndcg@²", "ndcg@٣", "ndcg@010", "ndcg@9999999"])
def test_the_length_in_a_metric_is_a_number(small: tuple[list[HoldOut], Catalog], metric: str) -> None:
    with pytest.raises(SettingError, match="unknown metric"):
        tune(IALS, *small, metric=metric)


def test_bounds_of_a_search(small: tuple[list[HoldOut], Catalog]) -> None:
    for wrong in ({"seed": 2**32}, {"n_trials": 0}, {"n_trials": 10**9}, {"minutes": float("nan")}):
        with pytest.raises(SettingError, match="must be between"):
            tune(IALS, *small, **wrong)  # type: ignore[arg-type]
    last = tune(IALS, *small, n_trials=2, fixed=FIXED, seed=2**32 - 1)
    assert len(last.trials) == 2
