"""The page "For you" without a browser: the list, its controls, and the notices when something is missing."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from recsys import store
from recsys.app.components.memory import Memory
from recsys.app.session import load_model, models_root
from recsys.dataset.weighting import FittedWeighting
from recsys.models import Model

MAIN = Path(__file__).resolve().parents[2] / "recsys" / "app" / "entry" / "script.py"
ALIEN, STAR_WARS = 183, 50


@pytest.fixture
def app(app_models: Path, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    monkeypatch.setenv("RECSYS_MODELS", str(app_models))
    return AppTest.from_file(str(MAIN), default_timeout=60)


@pytest.fixture(scope="module")
def model(app_models: Path) -> Model:
    return store.load_model(app_models / "ml-100k-ials")


def run(app: AppTest, ratings: dict[int, float] | None = None) -> AppTest:
    if ratings is not None:
        app.session_state["memory-ml-100k"] = Memory(dict(ratings))
    app.run()
    assert not app.exception
    return app


def listed(app: AppTest) -> list[str]:
    """Titles of the cards, without Markdown escapes."""
    cards = [text.value.replace("\\", "") for text in app.markdown if text.value.startswith("**")]
    return [card.split("**")[1].split(" · ", 1)[1] for card in cards if " · " in card.split("**")[1]]


def said(app: AppTest) -> str:
    elements = [*app.caption, *app.info, *app.warning, *app.error, *app.markdown, *app.text]
    return "\n".join(str(element.value).replace("\\", "") for element in elements)


def test_a_new_user_gets_the_most_watched_movies_with_a_notice(app: AppTest, model: Model) -> None:
    run(app)
    best = model.catalog.labels[np.argsort(-model.n_ratings, kind="stable")[:10]]
    assert listed(app) == list(best)
    assert "For now: the most watched." in said(app)
    assert "1,682 movies · 100,000 ratings by 943 people" in said(app)


def test_a_rating_changes_the_list_and_gives_reasons(app: AppTest) -> None:
    run(app, {ALIEN: 5.0})
    assert len(listed(app)) == 10 and "Alien (1979)" not in listed(app)
    assert "Because you liked Alien (1979)" in said(app)
    assert "You rated 1" in said(app)


def test_low_ratings_alone_leave_the_user_cold(app: AppTest) -> None:
    run(app, {ALIEN: 1.0})
    assert "counts 3 stars or more as a like" in said(app)


def test_clicking_stars_rates_a_movie(app: AppTest) -> None:
    run(app)
    starter = next(feedback for feedback in app.feedback if feedback.key == f"starter-ml-100k-{STAR_WARS}")
    starter.set_value(3).run()
    assert app.session_state["memory-ml-100k"].ratings == {STAR_WARS: 4.0}
    assert "Star Wars (1977)" not in listed(app)


def test_not_for_me_hides_a_movie(app: AppTest) -> None:
    run(app, {ALIEN: 5.0})
    first = listed(app)[0]
    button = next(button for button in app.button if str(button.key).startswith("not-"))
    button.click().run()
    assert first not in listed(app) and len(listed(app)) == 10
    assert app.expander[0].label == "1 hidden"


def test_filters_limit_the_list(app: AppTest, model: Model) -> None:
    run(app, {ALIEN: 5.0})
    app.multiselect(key="genres-ml-100k").set_value(["Horror"]).run()
    app.slider(key="years-ml-100k").set_value((1930, 1980)).run()
    rows = [model.catalog.row_of(title) for title in listed(app)]
    assert len(rows) == 10
    assert all("Horror" in model.catalog.items["genres"][row] for row in rows)
    assert all(1930 <= model.catalog.years[row] <= 1980 for row in rows)


def test_filter_values_of_older_data_are_corrected(app: AppTest) -> None:
    app.session_state["years-ml-100k"] = (1900, 2050)
    app.session_state["fewest-ml-100k"] = 123_456
    app.session_state["chosen-genres-ml-100k"] = ["Horror", "No such genre"]
    run(app, {ALIEN: 5.0})
    assert app.slider(key="years-ml-100k").value == (1922, 1998)
    assert app.multiselect(key="genres-ml-100k").value == ["Horror"]
    assert len(listed(app)) == 10


def test_an_empty_list_says_what_to_do(app: AppTest) -> None:
    run(app, {ALIEN: 5.0})
    app.multiselect(key="genres-ml-100k").set_value(["Western"])
    app.slider(key="years-ml-100k").set_value((1922, 1929))
    app.run()
    assert listed(app) == []
    assert "Relax a filter" in said(app)


def test_novelty_and_diversity_change_the_list(app: AppTest, model: Model) -> None:
    run(app, {ALIEN: 5.0})
    unchanged = listed(app)

    def mean_ratings() -> float:
        return float(np.mean([model.n_ratings[model.catalog.row_of(title)] for title in listed(app)]))

    before = mean_ratings()
    app.slider(key="novelty").set_value(0.7).run()
    assert mean_ratings() < before / 2
    app.slider(key="novelty").set_value(0.0)
    app.slider(key="diversity").set_value(0.7).run()
    assert listed(app) != unchanged and listed(app)[0] == unchanged[0]


def test_steering_moves_the_list_towards_the_chosen_end(app: AppTest, model: Model) -> None:
    def for_children() -> int:
        genres = [model.catalog.items["genres"][model.catalog.row_of(title)] for title in listed(app)]
        return sum("Children's" in row for row in genres)

    run(app, {ALIEN: 5.0})
    assert for_children() <= 1
    app.slider(key="steer-ml-100k-ials-children's ↔ adult").set_value(-2.0).run()
    assert for_children() >= 7


def test_the_page_says_where_low_stars_only_hide(app: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    run(app, {ALIEN: 1.0})
    assert "low stars only hide" not in said(app) and "Aliens (1986)" not in listed(app)
    monkeypatch.setattr(Model, "counts_dislikes", False)
    run(app)
    assert "low stars only hide" in said(app)
    run(app, {ALIEN: 3.0})
    assert "low stars only hide" not in said(app)
    monkeypatch.setattr("recsys.app.pages.for_you.my_ratings.LOW", 3)  # the model leaves out what has less than 3
    run(app)
    assert "low stars only hide" in said(app)
    monkeypatch.setattr(FittedWeighting, "tells_dislikes", False)
    run(app)
    assert "even low stars" in said(app)


@pytest.mark.parametrize(("stars", "is_reason"), [(3.0, False), (4.0, True)])
def test_a_movie_below_my_mean_is_no_reason_unless_its_stars_are_high(
    app: AppTest, stars: float, is_reason: bool
) -> None:
    run(app, {ALIEN: stars, STAR_WARS: 5.0})
    reasons = [line for line in said(app).splitlines() if "Because you liked" in line]
    assert len(reasons) == 10 and any("Alien (1979)" in line for line in reasons) == is_reason


def test_only_named_axes_can_be_steered(app: AppTest) -> None:
    run(app, {ALIEN: 5.0})
    labels = [slider.label for slider in app.slider if str(slider.key).startswith("steer-")]
    assert "light ↔ dark" in labels
    assert not any("unnamed" in label for label in labels)


def test_a_region_limits_the_list(app: AppTest, model: Model) -> None:
    run(app, {ALIEN: 5.0})
    item_map = load_model(models_root() / "ml-100k-ials").maps["tsne"]
    low, high = np.nanmin(item_map.coordinates, axis=0), np.nanmedian(item_map.coordinates, axis=0)
    outline = np.array([low, [high[0], low[1]], high, [low[0], high[1]]])
    app.session_state["region-ml-100k-ials"] = (item_map, outline)
    run(app)
    inside = set(model.catalog.labels[item_map.inside(outline)])
    assert len(listed(app)) == 10 and set(listed(app)) <= inside
    assert "Only movies in the region" in said(app)
    another = dataclasses.replace(
        item_map
    )  # the model was retrained: the region belongs to a map that no longer exists
    app.session_state["region-ml-100k-ials"] = (another, outline)
    run(app)
    assert "Only movies in the region" not in said(app)


def test_a_link_shows_another_user(app: AppTest) -> None:
    app.query_params["user"] = "5"
    run(app, {ALIEN: 5.0})
    assert "175 ratings, 2.9 on average" in said(app)
    assert "Because they liked" in said(app)
    assert not [button for button in app.button if str(button.key).startswith("not-")]


@pytest.mark.parametrize("typed", ["nobody", "99999", "", "-1", "1; drop table", "<b>x</b>", "²", "9" * 30])
def test_an_unknown_user_id_is_reported(app: AppTest, typed: str) -> None:
    run(app)
    app.segmented_control(key="who").set_value("another").run()
    app.text_input(key="user").set_value(typed).run()
    assert not app.exception
    if typed:
        assert "There is no user with the id" in app.warning[0].value
    else:  # the first user
        assert not app.warning and "272 ratings" in said(app)


def test_a_model_without_vectors_has_a_list_but_no_map(app: AppTest) -> None:
    app.query_params["model"] = "ml-100k-popular"
    run(app, {ALIEN: 5.0})
    assert len(listed(app)) == 10
    assert "no item vectors" in said(app) and "mood cannot be adjusted" in said(app)


def test_vectors_without_rating_counts_make_no_claims_about_popularity(
    app_models: Path, tmp_path: Path, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    vectors = dataclasses.replace(model, n_ratings=np.zeros_like(model.n_ratings), data={})
    store.save_model(tmp_path / "models" / "vectors", vectors)
    monkeypatch.setenv("RECSYS_MODELS", str(tmp_path / "models"))
    app = AppTest.from_file(str(MAIN), default_timeout=60)
    run(app)
    assert "1,682 movies\n" in said(app) + "\n" and "most watched" not in said(app)
    app.session_state["memory-vectors"] = Memory({ALIEN: 5.0})
    run(app)
    assert "Aliens (1986)" in listed(app) and "Because you liked Alien (1979)" in said(app)
    assert [slider.key for slider in app.slider if slider.key in ("novelty", "diversity")] == ["diversity"]


def test_the_page_in_chinese(app: AppTest) -> None:
    app.query_params["language"] = "中文"
    run(app, {ALIEN: 5.0})
    assert app.header[0].value == "为你推荐"
    assert "因为你喜欢 Alien (1979)" in said(app)
    assert "恐怖" in said(app) or "科幻" in said(app)


def test_broken_files_and_missing_data_are_reported(
    app_models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(app_models / "ml-100k-ials", tmp_path / "models" / "broken")
    folder = tmp_path / "models" / "broken"
    (folder / "map-tsne.parquet").write_bytes(b"no parquet")
    (folder / "clusters.parquet").write_bytes(b"no parquet")
    (folder / "axes.json").write_text("{")
    manifest = (folder / "manifest.json").read_text(encoding="utf-8")
    (folder / "manifest.json").write_text(manifest.replace(str(app_models.parent), str(tmp_path / "gone")))
    monkeypatch.setenv("RECSYS_MODELS", str(tmp_path / "models"))
    app = run(AppTest.from_file(str(MAIN), default_timeout=60), {ALIEN: 5.0})
    assert len(listed(app)) == 10
    assert len(app.warning) == 3
    assert "There are no named axes yet" in said(app)
    app.segmented_control(key="who").set_value("another").run()
    assert "training data of this model was not found" in said(app)


def test_without_a_model_the_page_shows_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECSYS_MODELS", str(tmp_path))
    app = run(AppTest.from_file(str(MAIN), default_timeout=60))
    assert app.title[0].value == "There is no model yet"
    assert "recsys demo" in app.code[0].value
