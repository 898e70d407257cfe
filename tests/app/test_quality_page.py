"""The page Quality: measure a model from the page, read the results, and refuse broken ones."""

from __future__ import annotations

import dataclasses
import json
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest
from streamlit.runtime.scriptrunner import StopException
from streamlit.testing.v1 import AppTest

from recsys import store
from recsys.dataset.catalog import Catalog
from recsys.dataset.dataset import Dataset
from recsys.models import IALS, MODELS, MLlibALS
from recsys.workflows import evaluate as evaluate_workflow
from recsys.workflows import inspect as inspect_workflow

pytestmark = pytest.mark.slow

PATIENCE = 120.0


@pytest.fixture(scope="module")
def made(ml100k: Dataset, tmp_path_factory) -> Path:
    """MovieLens 100K with a small model that has been measured, and one without vectors that has not."""
    root = tmp_path_factory.mktemp("quality")
    store.save_prepared(root / "ml-100k", ml100k)
    for name, learner in (("a-ials", IALS(n_factors=8, epochs=4)), ("b-popular", MODELS["popular"]())):
        model = learner.fit(Dataset(ml100k.interactions, ml100k.catalog, name="ml-100k"))
        store.save_model(root / "models" / name, model.with_data_path(root / "ml-100k"))
    folder = root / "models" / "a-ials"
    evaluate_workflow.evaluate(root / "ml-100k", trained=folder, models=["popular", "itemknn"])
    inspect_workflow.report_embedding(folder, root / "ml-100k", dimensions=(2, 8), n_seeds=1)
    return root


@pytest.fixture
def root(made: Path, tmp_path: Path, monkeypatch) -> Path:
    """A copy of it that a test may change."""
    shutil.copytree(made, tmp_path / "q")
    monkeypatch.setenv("RECSYS_MODELS", str(tmp_path / "q" / "models"))
    return tmp_path / "q"


def opened(model: str = "a-ials", language: str | None = None) -> AppTest:
    def script() -> None:
        from recsys.app.pages import quality

        quality.page()

    app = AppTest.from_function(script, default_timeout=PATIENCE)
    app.session_state["model"] = model
    if language is not None:
        app.session_state["language"] = language
    app.run()
    assert not app.exception
    return app


def words(app: AppTest) -> str:
    return "\n".join(
        str(part.value) for kind in ("markdown", "caption", "info", "warning", "error") for part in app.get(kind)
    )


def button(app: AppTest, key: str):
    return app.button(key=key)


def test_results_are_shown_in_words_and_numbers(root: Path) -> None:
    app = opened()
    ranking = json.loads((root / "models" / "a-ials" / store.RANKING).read_text())
    table = app.dataframe[0].value
    assert table["model"].tolist() == ["ials (this model)", "popular", "itemknn"]
    mean = ranking["results"][0]["metrics"]["ndcg@10"]["mean"]
    assert table["ndcg"][0].startswith(f"{mean:.3f} (")
    text = words(app)
    assert "this model is ahead of **popular**" in text
    least = min(ranking["results"][0]["by_activity"], key=lambda group: group["mean"])
    assert "Lowest quality" in text and f"{least['fewest']:,}" in text
    head = ranking["results"][0]["by_popularity"][0]
    assert f"**{head['items']:,} most popular movies**" in text and f"**{head['recommendations']:.0%}**" in text
    assert "a random 20% of each user's ratings" in text and "20,000 ratings of 943 users" in text
    assert f"**{ranking['results'][0]['metrics']['best_known@10']['mean']:.0%}** of its hits are among the 100" in text
    few = ranking["results"][0]["from_few"][0]
    assert f"With **3 ratings** of a new user, nDCG@10 is **{few['ndcg']['mean']:.2f}**" in text
    assert "Ahead of **popular** with" in text
    space = app.dataframe[1].value.set_index("name")
    report = json.loads((root / "models" / "a-ials" / "report.json").read_text())
    assert space.at["genres (one-hot)", "genre_retrieval"] == "1.000 †"
    assert space["genre_retrieval"].str.endswith("★").sum() >= 1
    assert f"{report['representations']['ials']['genre_retrieval']['precision']:.0%} of a movie's ten nearest" in text
    assert len(app.get("plotly_chart")) == 5 and len(app.get("download_button")) == 1


def test_results_in_chinese(root: Path) -> None:
    text = words(opened(language="中文"))
    assert "本模型优于 **popular**" in text and "Lowest quality" not in text and "{" not in text


def test_a_model_is_measured_by_a_click(root: Path) -> None:
    app = opened("b-popular")
    text = words(app)
    assert "have not been evaluated yet" in text and "has no item vectors" in text
    folder = root / "models" / "b-popular"
    (command,) = [block.value for block in app.code]
    assert command.startswith("recsys evaluate --data") and command.endswith("--model itemknn --model ease")
    app.get("button_group")[0].set_value(["itemknn"]).run()
    button(app, "measure-ranking").click().run()
    assert not app.exception and "Measured and saved" in app.success[0].value
    found = store.stored_ranking(folder)
    assert found is not None and [result.model for result in found.results] == ["popular", "itemknn"]
    assert "this model is behind **itemknn**" in words(app)
    app.run()
    assert not app.success  # said once


def test_results_of_another_model_are_refused(root: Path) -> None:
    folder = root / "models" / "b-popular"
    for name in (store.RANKING, "report.json"):
        shutil.copy(root / "models" / "a-ials" / name, folder / name)
    app = opened("b-popular")
    assert len(app.warning) == 1 and "another model" in app.warning[0].value  # its report is not even asked for
    assert not app.dataframe and button(app, "measure-ranking")
    for text, why in (("{", "is not valid JSON"), ("{}", "is not what recsys evaluate")):
        (folder / store.RANKING).write_text(text)
        assert why in opened("b-popular").warning[0].value.replace("\\", "")
    (root / "models" / "a-ials" / "report.json").write_text('{"model": "ials"}')
    assert "is not what recsys report writes" in opened().warning[0].value.replace("\\", "")


def without(*path: str | int):
    """What takes one entry out of a result."""

    def change(found: dict) -> None:
        *way, last = path
        for step in way:
            found = found[step]
        del found[last]

    return change


@pytest.mark.parametrize(
    "change",
    [
        without("k"),
        lambda found: found.update(k=[]),
        lambda found: found.update(protocol="banana"),
        lambda found: found.update(results=[]),
        without("trained", "fingerprint"),
        without("results", 0, "judged"),
        without("results", 1, "metrics", "gini@10"),
        without("results", 0, "by_activity", 0, "fewest"),
        without("results", 0, "by_popularity", 2),
        without("results", 1, "by_activity", 0),
        without("results", 1, "lead_of_first", "ndcg@10"),
        without("results", 1, "from_few", 0),
    ],
)
def test_an_incomplete_ranking_gives_a_one_line_warning(root: Path, change) -> None:
    path = root / "models" / "a-ials" / store.RANKING
    found = store.read_json(path)
    change(found)
    store.write_json(path, found)
    app = opened()
    assert "is not what recsys evaluate --trained writes; measure again" in app.warning[0].value.replace("\\", "")
    assert button(app, "measure-ranking")


@pytest.mark.parametrize(
    "change",
    [
        without("dimensions"),
        without("dimensions", 0, "low"),
        without("divergence", "js_control"),
        without("representations", "ials", "told"),
        without("representations", "random", "genre_retrieval", "chance"),
        lambda found: found.update(representations=["ials"]),
        lambda found: found.update(model=["ials"]),
    ],
)
def test_an_incomplete_report_gives_a_one_line_warning(root: Path, change) -> None:
    path = root / "models" / "a-ials" / "report.json"
    found = store.read_json(path)
    change(found)
    store.write_json(path, found)
    app = opened()
    assert "is not what recsys report writes; measure again" in app.warning[0].value.replace("\\", "")
    assert button(app, "measure-space")


@pytest.mark.parametrize("genres", [("Drama",), ()])
def test_a_catalog_with_one_genre_or_none_has_a_report(root: Path, ml100k: Dataset, genres) -> None:
    items = ml100k.catalog.items
    catalog = Catalog.of(items["item_id"].to_numpy(), list(items["title"]), genres=[genres] * len(items))
    store.save_prepared(root / "plain", dataclasses.replace(ml100k, catalog=catalog))
    folder = root / "models" / "c-plain"
    model = IALS(n_factors=4, epochs=2).fit(Dataset(ml100k.interactions, catalog, name="plain"))
    store.save_model(folder, model.with_data_path(root / "plain"))
    inspect_workflow.report_embedding(folder, root / "plain", dimensions=(2,), n_seeds=0)
    text = words(opened("c-plain"))
    assert (
        "Quality by number of dimensions" in text and "None" not in text and "share a genre with it; among" not in text
    )


def test_few_evaluated_users_allow_no_conclusion(root: Path) -> None:
    path = root / "models" / "a-ials" / store.RANKING
    found = store.read_json(path)
    for result in found["results"]:
        result["judged"] = 29
    store.write_json(path, found)
    text = words(opened())
    assert "Evaluated users: 29. That is too few to tell which model is better." in text
    assert "ahead of" not in text and "Lowest quality" not in text and "equally many ratings" not in text


def test_a_difference_that_is_not_shown_is_not_called_equal(root: Path) -> None:
    path = root / "models" / "a-ials" / store.RANKING
    found = store.read_json(path)
    found["results"][1]["lead_of_first"]["ndcg@10"]["low"] = -0.01
    store.write_json(path, found)
    text = words(opened())
    assert "No difference from **popular** in nDCG@10 is shown." in text and "level" not in text


def test_without_data_results_are_shown_but_nothing_can_be_measured(root: Path) -> None:
    shutil.rmtree(root / "ml-100k")
    app = opened()
    assert len(app.dataframe) == 2  # what was measured before still shows
    assert not app.button and "training data of this model was not found" in words(app)


@pytest.mark.parametrize(("language", "told"), [(None, "trained by Spark"), ("中文", "由 Spark 训练")])
def test_a_model_of_spark_is_not_retrained(root: Path, language: str | None, told: str) -> None:
    model = store.load_model(root / "models" / "a-ials")
    store.save_model(root / "models" / "c-mllib", dataclasses.replace(model, learner=MLlibALS(n_factors=8)))
    app = opened("c-mllib", language)
    assert told in words(app) and "mported vectors" not in words(app)
    assert button(app, "measure-space")  # the report of a space needs no training


def test_one_session_measures_at_a_time(root: Path) -> None:
    from recsys.app.pages.quality import measure

    started, release = threading.Event(), threading.Event()

    def measuring(_: object) -> None:
        started.set()
        assert release.wait(PATIENCE)

    app = opened("b-popular")
    app.get("button_group")[0].set_value(["itemknn"]).run()
    other_session = threading.Thread(target=measure.run_measurement, args=(measuring, 1))
    other_session.start()
    try:
        assert started.wait(PATIENCE)
        button(app, "measure-ranking").click().run()
        assert not app.exception and not app.success
        assert any("Another measurement is running" in info.value for info in app.info)
        assert store.stored_ranking(root / "models" / "b-popular") is None
    finally:
        release.set()
        other_session.join(PATIENCE)
    button(app, "measure-ranking").click().run()
    assert "Measured and saved" in app.success[0].value
    assert store.stored_ranking(root / "models" / "b-popular") is not None


def test_a_session_that_ends_before_it_measures_leaves_the_place_free(monkeypatch: pytest.MonkeyPatch) -> None:
    from recsys.app.pages.quality import measure

    def ended(*_: object) -> None:
        raise StopException

    monkeypatch.setattr(measure.st, "progress", ended)
    with pytest.raises(StopException):
        measure.run_measurement(lambda _: None, 1)
    assert not measure.MEASURING.locked()


def test_an_error_while_measuring_is_a_one_line_message(root: Path, ml100k: Dataset) -> None:
    app = opened("b-popular")
    half = ml100k.interactions.select(np.arange(100_000) % 2 == 0)
    store.save_prepared(root / "ml-100k", dataclasses.replace(ml100k, interactions=half))  # while the page is open
    button(app, "measure-ranking").click().run()
    assert not app.exception and not app.success
    assert "is not the data that" in app.error[0].value and "was trained on" in app.error[0].value
    button(app, "measure-ranking").click().run()
    assert app.error  # whoever failed has left the place free
    assert store.stored_ranking(root / "models" / "b-popular") is None
