"""Evaluating learners on one split: the result is typed, becomes a table, and reads back from JSON."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pydantic
import pytest
import scipy.sparse as sp

from recsys.dataset.catalog import Catalog
from recsys.dataset.dataset import Dataset
from recsys.dataset.interactions import Interactions
from recsys.dataset.split import few_known, hold_out
from recsys.dataset.weighting import Weighting
from recsys.errors import InputError, SettingError
from recsys.evaluation.evaluate import Evaluation, evaluate
from recsys.evaluation.few_ratings import rank_from_few
from recsys.evaluation.interval import Interval
from recsys.evaluation.ranking import rank_quality
from recsys.evaluation.serialization import from_json
from recsys.models import EASE, IALS, Popular

LEARNERS = (IALS(n_factors=4, epochs=3), Popular(), IALS(n_factors=2, epochs=3))


@pytest.fixture(scope="module")
def data() -> Dataset:
    rng = np.random.default_rng(0)
    same_half = np.arange(30) % 2 == np.arange(250)[:, None] % 2
    watched = rng.random((250, 30)) < np.where(same_half, 0.6, 0.05)
    ratings = Interactions(
        sp.csr_matrix(watched * 4.0), [f"u{row}" for row in range(250)], [f"i{row}" for row in range(30)]
    )
    return Dataset(ratings, Catalog.of(ratings.item_ids), name="two tastes")


@pytest.fixture(scope="module")
def evaluation(data: Dataset) -> Evaluation:
    weighting = Weighting(scheme="binary")
    return evaluate(data, LEARNERS, k=(3, 10), weighting=weighting, few=(1, 3), n_threads=1)


def test_it_measures_what_rank_quality_measures_on_the_same_split(data: Dataset, evaluation: Evaluation) -> None:
    split = hold_out(data.interactions, "random")
    assert (evaluation.train_ratings, evaluation.hidden_ratings) == (split.train.n_ratings, split.truth.nnz)
    assert (evaluation.data, evaluation.protocol, evaluation.part, evaluation.seed) == (
        "two tastes", "random", "test", 42,
    )  # fmt: skip
    for learner, result in zip(LEARNERS, evaluation.results, strict=True):
        model = learner.fit(Dataset(split.train, data.catalog), Weighting(scheme="binary"))
        expected = rank_quality(model, split, (3, 10), beyond=True)
        for name, value in result.metrics.items():
            assert value.mean is None if np.isnan(expected[name]) else value.mean == pytest.approx(expected[name]), name
        assert result.evaluated_users == len(expected.users) and result.hyperparameters == dataclasses.asdict(learner)
        assert sum(group.users for group in result.by_activity) == result.evaluated_users
        assert sum(part.items for part in result.by_popularity) == 30
    ours, popular = (result.metrics["ndcg@10"] for result in evaluation.results[:2])
    assert ours.low > popular.high  # the control: popularity does not know the two halves
    lead = evaluation.results[1].lead_of_first["ndcg@10"]
    assert lead.mean == pytest.approx(ours.mean - popular.mean) and lead.sign == 1
    assert "coverage@10" not in evaluation.results[1].lead_of_first and not evaluation.results[0].lead_of_first


def test_the_table_has_one_row_per_model_and_metric_and_tells_equal_models_apart(evaluation: Evaluation) -> None:
    frame = evaluation.to_frame()
    assert list(frame.columns) == ["model", "metric", "mean", "low", "high", "lead", "lead_low", "lead_high"]
    assert list(dict.fromkeys(frame["model"])) == ["ials (n_factors=4)", "popular", "ials (n_factors=2)"]
    assert len(frame) == sum(len(result.metrics) for result in evaluation.results)
    row = frame.set_index(["model", "metric"]).loc[("popular", "ndcg@3")]
    expected = evaluation.results[1].metrics["ndcg@3"]
    lead = evaluation.results[1].lead_of_first["ndcg@3"]
    assert tuple(row) == (expected.mean, expected.low, expected.high, lead.mean, lead.low, lead.high)
    coverage = frame.set_index(["model", "metric"]).loc[("popular", "coverage@10")]
    assert np.isnan(coverage["low"]) and coverage["mean"] > 0
    diversity = frame[frame["metric"] == "diversity@3"]
    assert diversity["mean"].isna().all()  # the items have no genres


def test_its_text_shows_every_metric_of_every_model(evaluation: Evaluation) -> None:
    text = repr(evaluation)
    assert "random protocol, test part" in text and "ials (n_factors=2)" in text and "coverage@10" in text
    assert str(Interval(0.5, 0.4, 0.6)) == "0.5000 (0.4000 … 0.6000)"
    assert (str(Interval(0.5, None, None)), str(Interval(None, None, None))) == ("0.5000", "–")


def test_it_reads_back_from_strict_json_with_the_keys_on_disk(evaluation: Evaluation) -> None:
    values = evaluation.to_json()
    text = json.dumps(values, allow_nan=False)
    assert from_json(Evaluation, text) == evaluation
    assert values["confidence"] == {"min_rating": None, "weighting": "binary"}
    assert {"judged", "not_judged", "cold", "seconds_to_train"} <= set(values["results"][0])
    for broken in (
        values | {"seed": "42"},
        values | {"protocol": "banana"},
        {key: value for key, value in values.items() if key != "k"},
    ):
        with pytest.raises(pydantic.ValidationError):
            from_json(Evaluation, json.dumps(broken))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"k": ()}, "at least one list length"),
        ({"results": ()}, "at least one list length"),
        ({"k": (3, 7)}, "has no ndcg@7"),
    ],
)
def test_parts_that_do_not_fit_together_are_refused(evaluation: Evaluation, change: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        dataclasses.replace(evaluation, **change)
    first = evaluation.results[0]
    for broken, why in (
        (dataclasses.replace(first, by_popularity=first.by_popularity[:2]), "must have the parts"),
        (dataclasses.replace(first, metrics=first.metrics | {"ndcg@3": Interval(0.5, None, None)}), "no interval"),
        (dataclasses.replace(first, metrics=first.metrics | {"gini@3": Interval(None, None, None)}), "undefined"),
    ):
        with pytest.raises(InputError, match=why):
            dataclasses.replace(evaluation, results=(broken, *evaluation.results[1:]))
    fewer = dataclasses.replace(evaluation.results[1], by_activity=first.by_activity[:1])
    with pytest.raises(InputError, match="other activity groups"):
        dataclasses.replace(evaluation, results=(first, fewer))
    second = evaluation.results[1]
    for broken, why in (
        (dataclasses.replace(second, lead_of_first={}), "is not compared with ials"),
        (dataclasses.replace(second, from_few=first.from_few), "is not compared with ials"),
        (dataclasses.replace(second, from_few=second.from_few[:1]), "other numbers of known ratings"),
    ):
        with pytest.raises(InputError, match=why):
            dataclasses.replace(evaluation, results=(first, broken))


def test_quality_from_few_ratings_is_that_of_models_trained_without_the_users(
    data: Dataset, evaluation: Evaluation
) -> None:
    split = few_known(data.interactions, (1, 3))
    model = LEARNERS[0].fit(Dataset(split.train, data.catalog), Weighting(scheme="binary"))
    expected = rank_from_few(model, split)
    rows = evaluation.results[0].from_few
    assert [row.n_known for row in rows] == [1, 3] and evaluation.few_users == len(expected) >= 30
    assert [row.ndcg.mean for row in rows] == pytest.approx([expected[f"ndcg from {n}"].mean() for n in (1, 3)])
    assert evaluation.results[1].from_few[1].ndcg_lead.sign == 1  # ahead of popularity
    stages: list[str] = []
    new = evaluate(
        data, [EASE()], protocol="new-users", few=(3, 900), progress=lambda stage: stages.append(stage) or print
    )
    assert stages == ["training ease", "evaluating ease"]  # trained without these users once, which is enough
    assert [row.n_known for row in new.results[0].from_few] == [3]


def test_stages_are_reported_and_wrong_input_is_refused(data: Dataset) -> None:
    stages: list[str] = []

    def start(stage: str):
        stages.append(stage)
        return lambda done, total: None

    evaluate(data, [EASE()], progress=start)
    assert stages == ["training ease", "evaluating ease"]
    with pytest.raises(SettingError, match="at least one learner"):
        evaluate(data, [])
    with pytest.raises(SettingError, match="unknown protocol"):
        evaluate(data, [EASE()], protocol="banana")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="needs a timestamp"):
        evaluate(data, [EASE()], protocol="time")
