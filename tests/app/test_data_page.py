"""The page Data: MovieLens 100K, data with rejected rows and without timestamps, and missing data."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from recsys import store
from recsys.dataset.dataset import Dataset
from recsys.dataset.weighting import Weighting
from recsys.models import MODELS
from recsys.workflows import prepare as prepare_workflow

PATIENCE = 60.0
HOSTILE = "u1,**bold** $x$ <b>t</b>,"


@pytest.fixture(scope="module")
def made(ml100k: Dataset, tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("data-page")
    store.save_prepared(root / "ml-100k", ml100k)
    rows = [f"u{n % 9},m{n % 7},{1 + n % 5}" for n in range(63)]
    (root / "r.csv").write_text("\n".join(["user_id,item_id,rating", *rows, HOSTILE, "u1,m1,9", rows[0]]) + "\n")
    prepare_workflow.prepare(str(root / "r.csv"), root / "own", scale=(1, 5))
    for name in ("ml-100k", "own"):
        stored = store.load_prepared(root / name)
        model = MODELS["popular"]().fit(stored)
        store.save_model(root / "models" / name, model.with_data_path(root / name))
    return root


@pytest.fixture
def root(made: Path, tmp_path: Path, monkeypatch) -> Path:
    shutil.copytree(made, tmp_path / "d")
    monkeypatch.setenv("RECSYS_MODELS", str(tmp_path / "d" / "models"))
    return tmp_path / "d"


def opened(model: str, language: str | None = None) -> AppTest:
    def script() -> None:
        from recsys.app.pages import data

        data.page()

    app = AppTest.from_function(script, default_timeout=PATIENCE)
    app.session_state["model"] = model
    if language is not None:
        app.session_state["language"] = language
    app.run()
    assert not app.exception
    return app


def words(app: AppTest) -> str:
    return "\n".join(str(part.value) for kind in ("markdown", "caption", "info", "warning") for part in app.get(kind))


def test_movielens_is_described_in_words(root: Path) -> None:
    app = opened("ml-100k")
    tiles = {tile.label: tile.value for tile in app.metric}
    assert tiles == {
        "Ratings": "100,000", "Users": "943", "Movies": "1,682", "Density": "6.3%",
        "Time span": "1997-09 – 1998-04",
    }  # fmt: skip
    text = words(app)
    assert "All **100,000 rows**" in text and "no rejects, no duplicates" in text
    assert "**32% of the movies get 80% of the ratings.** 44% have fewer than 20 ratings" in text
    assert "The mean is 3.53; the most common rating is 4, in 34% of all ratings." in text
    assert "Most ratings: Drama." in text and "From 1922 to 1998" in text and "Per week" in text
    assert len(app.get("plotly_chart")) == 7 and not app.dataframe and not app.warning


def test_genres_are_translated_to_chinese(root: Path) -> None:
    text = words(opened("ml-100k", "中文"))
    assert "评分最多的是剧情" in text and "32% 的电影得到 80% 的评分" in text and "The mean is" not in text


def test_rejected_rows_are_counted_and_shown_verbatim(root: Path) -> None:
    app = opened("own")
    report = store.read_json(root / "own" / store.REPORT)
    text = words(app)
    assert "**66 rows**" in text and "2 were rejected, and 1 left out as duplicates" in text
    reasons, rows = (table.value for table in app.dataframe)
    assert dict(zip(reasons["reason"], reasons["rows"], strict=True)) == report["reasons"]
    assert rows.loc[rows["reason"] == "rating is missing", ["line", "text"]].to_numpy().tolist() == [[65, HOSTILE]]
    assert HOSTILE not in text
    assert (
        "have no timestamps" in text
        and "have no genres" in text
        and "release years of these movies are unknown" in text
    )
    assert {tile.label: tile.value for tile in app.metric}["Time span"] == "–"


def test_a_scale_of_a_hundred_steps_has_its_exact_mean_and_a_most_common_range(root: Path) -> None:
    marks = np.random.default_rng(0).integers(0, 101, 3000)
    rows = [f"u{n // 50},m{n % 50},{mark}" for n, mark in enumerate(marks)]
    (root / "h.csv").write_text("\n".join(["user_id,item_id,rating", *rows]) + "\n")
    prepare_workflow.prepare(str(root / "h.csv"), root / "hundred", scale=(0, 100))
    stored = store.load_prepared(root / "hundred")
    model = MODELS["popular"]().fit(stored, Weighting(scheme="binary")).with_data_path(root / "hundred")
    store.save_model(root / "models" / "hundred", model)
    text = words(opened("hundred"))
    assert f"The mean is {marks.mean():.2f}; the most common range is" in text
    counts = np.histogram(marks, 20)[0]
    assert f"in {counts.max() / 3000:.0%} of all ratings" in text and "most common rating" not in text


def test_data_prepared_again_after_training_give_a_warning(root: Path) -> None:
    assert not opened("own").warning
    prepare_workflow.prepare(str(root / "r.csv"), root / "own", scale=(1, 4))
    app = opened("own")
    assert "prepared again after own was trained" in app.warning[0].value


def test_an_unreadable_file_of_rejected_rows_gives_a_warning(root: Path) -> None:
    (root / "own" / store.REJECTED).write_bytes(b"no parquet")
    app = opened("own")
    assert "cannot be read" in app.warning[0].value and len(app.get("plotly_chart")) == 4


def test_missing_data_give_the_command_to_prepare_them(root: Path) -> None:
    shutil.rmtree(root / "own")
    app = opened("own")
    assert "training data of this model was not found" in app.info[0].value and "recsys prepare" in app.code[0].value
    assert not app.metric
