"""The page "Movie": facts, similar movies, positions, fans; and the notices when something is missing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from recsys import store
from recsys.app.i18n.translate import KEY, SIMPLIFIED_CHINESE
from recsys.app.pages.movie.facts import rounded_down
from recsys.dataset.dataset import Dataset
from recsys.models import MODELS, Imported
from recsys.recommend.topn import similar_side_by_side
from recsys.space.axis import Axes
from recsys.space.probes import ask
from recsys.space.questions import built_in_questions

NAME = "ml-100k"


@pytest.fixture(scope="module")
def made(ml100k, ml100k_model, tmp_path_factory) -> Path:
    """Models of MovieLens 100K: with axes, without axes and data, and without vectors."""
    root = tmp_path_factory.mktemp("movie-page")
    store.save_prepared(root / "prepared" / NAME, ml100k)
    source = {"name": NAME, "path": str(root / "prepared" / NAME)}
    full = replace(ml100k_model, data={**ml100k_model.data, **source})
    store.save_model(root / "full" / "model", full)
    questions = built_in_questions(full.attributes)[:2]
    store.save_axes(
        root / "full" / "model", Axes("varimax", (), tuple(ask(full.space, full.attributes, q) for q in questions), 42)
    )
    bare = replace(ml100k_model, data={**ml100k_model.data, "name": NAME, "path": str(root / "gone")})
    store.save_model(root / "bare" / "model", bare)
    popular = (
        MODELS["popular"]()
        .fit(Dataset(ml100k.interactions, ml100k.catalog, name=NAME))
        .with_data_path(root / "prepared" / NAME)
    )
    store.save_model(root / "popular" / "model", popular)
    no_counts = np.zeros_like(ml100k_model.n_ratings)
    vectors = replace(ml100k_model, learner=Imported(), n_ratings=no_counts, data={}, dataset=None)
    store.save_model(root / "vectors" / "model", vectors)
    store.save_model(root / "vectors-with-axes" / "model", vectors)
    store.save_axes(
        root / "vectors-with-axes" / "model",
        Axes("varimax", (), tuple(ask(full.space, full.attributes, q) for q in questions), 42),
    )
    return root


def script() -> None:
    from recsys.app.pages import movie

    movie.page()


def opened(made: Path, monkeypatch, which: str = "full", *, chinese: bool = False, **query: str) -> AppTest:
    monkeypatch.setenv("RECSYS_MODELS", str(made / which))
    app = AppTest.from_function(script, default_timeout=60)
    for key, value in query.items():
        app.query_params[key] = value
    if chinese:
        app.session_state[KEY] = SIMPLIFIED_CHINESE
    return run(app)


def run(app: AppTest) -> AppTest:
    app.run()
    assert not app.exception
    return app


def title(app: AppTest) -> str:
    return app.header[0].value.replace("\\", "") if app.header else ""


def words(app: AppTest) -> str:
    return " ".join(element.value.replace("\\", "") for element in [*app.markdown, *app.caption, *app.info])


def test_a_link_opens_a_movie_with_its_facts(made, monkeypatch, ml100k) -> None:
    app = opened(made, monkeypatch, movie="50")
    assert title(app) == "Star Wars (1977)"
    ratings, mean = app.metric
    own = ml100k.interactions.matrix[:, ml100k.catalog.index.get_loc(50)].data
    assert ratings.value == str(len(own))
    assert mean.value == f"{own.mean():.2f}"
    assert "more ratings than any other movie" in words(app)
    assert "people liked it" in words(app)


def test_without_a_movie_it_offers_some_and_a_click_opens_one(made, monkeypatch) -> None:
    app = opened(made, monkeypatch)
    assert title(app) == "Movie"
    starter = next(button for button in app.button if "Toy Story" in button.label)
    starter.click()
    run(app)
    assert title(app) == "Toy Story (1995)"
    assert app.query_params["movie"] == "1"


@pytest.mark.parametrize("wrong", ["99999", "toast", "<b>", "-1", "0050", "5e1", "50.0"])
def test_an_unknown_id_is_reported_and_movies_are_offered(made, monkeypatch, wrong: str) -> None:
    app = opened(made, monkeypatch, movie=wrong)
    assert wrong in app.warning[0].value.replace("\\", "")
    assert any("Toy Story" in button.label for button in app.button)


def test_similar_movies_are_links_and_those_in_all_lists_are_marked(made, monkeypatch, ml100k_model) -> None:
    app = opened(made, monkeypatch, movie="50")
    table, _ = similar_side_by_side(ml100k_model, 50)
    counts = table["item_id"].value_counts()
    for metric in ("cosine", "dot", "euclidean"):
        wanted = table.loc[table["metric"] == metric, "item_id"].tolist()
        buttons = [button for button in app.button if button.key.startswith(f"{metric}-")]
        assert [int(button.key.removeprefix(f"{metric}-")) for button in buttons] == wanted
        for item, button in zip(wanted, buttons, strict=True):
            assert button.label.startswith("● ") == (counts[item] == 3)
    first = table["item_id"].iloc[0]
    app.button(key=f"cosine-{first}").click()
    run(app)
    assert title(app) == ml100k_model.catalog.label_of([first])[0]
    assert app.query_params["movie"] == str(first)


def test_a_movie_with_few_fans_has_no_fan_chart(made, monkeypatch, ml100k_model) -> None:
    rare = ml100k_model.item_ids[ml100k_model.n_ratings.argmin()]
    app = opened(made, monkeypatch, movie=str(rare))
    assert "Too few people liked it to describe their taste" in words(app)


def test_without_well_known_movies_there_is_no_comparison_with_them(ml100k, tmp_path, monkeypatch) -> None:
    some = ml100k.interactions.select(np.random.default_rng(0).random(100_000) < 0.01)
    assert some.matrix.getnnz(axis=0).max() < 20
    store.save_prepared(tmp_path / "few", replace(ml100k, interactions=some))
    model = (
        MODELS["ials"](n_factors=2, epochs=1)
        .fit(Dataset(some, ml100k.catalog, name="few"))
        .with_data_path(tmp_path / "few")
    )
    store.save_model(tmp_path / "few-models" / "model", model)
    best = model.item_ids[model.n_ratings.argmax()]
    app = opened(tmp_path, monkeypatch, "few-models", movie=str(best))
    assert "at least 20 ratings" not in words(app)
    assert "at least 50 are needed" in words(app) and not app.code  # no command: it would fail


def test_shares_are_rounded_down() -> None:
    assert [rounded_down(share) for share in (0.29, 0.57, 0.999, 1.0, 0.0)] == [0.29, 0.57, 0.99, 1.0, 0.0]


def test_a_share_just_below_one_is_not_shown_as_100_percent(made, monkeypatch, ml100k_model) -> None:
    second = ml100k_model.item_ids[np.argsort(-ml100k_model.n_ratings, kind="stable")[1]]
    app = opened(made, monkeypatch, movie=str(second))  # 1680 of the 1681 others have fewer ratings
    assert "more ratings than 99% of movies" in words(app)


def test_the_page_in_chinese(made, monkeypatch) -> None:
    app = opened(made, monkeypatch, movie="50", chinese=True)
    assert [heading.value for heading in app.subheader][:2] == ["相似的电影", "在各条轴上的位置"]


def axes_command(made: Path, which: str) -> str:
    """The command that finds axes of a model without training data."""
    return f"recsys axes --model {made / which / 'model'}"


@pytest.mark.parametrize("which", ["vectors", "vectors-with-axes"])
def test_vectors_without_rating_counts_make_no_claims_about_popularity(made, monkeypatch, ml100k_model, which) -> None:
    start = opened(made, monkeypatch, which)
    assert "Start with one of these:" in words(start)
    app = opened(made, monkeypatch, which, movie="50")
    assert title(app) == "Star Wars (1977)"
    assert not app.metric  # neither a number of ratings nor a mean
    assert not [word for word in ("ratings", "well-known", "popular", "watched") if word in words(app)]
    similar, _ = similar_side_by_side(ml100k_model, 50)
    buttons = [button.label for button in app.button if button.key.startswith("cosine-")]
    assert len(buttons) == 10
    for label, value in zip(buttons, similar["similarity"], strict=False):
        assert label.replace("\\", "").endswith(f":gray[{value:.2f}]]")
    assert [heading.value for heading in app.subheader] == [
        "Similar movies",
        "Position on each axis",
        "Position on the map",
    ]
    assert [code.value for code in app.code] == ([] if which == "vectors-with-axes" else [axes_command(made, which)])
    assert ("Grey: all movies." in words(app)) == (which == "vectors-with-axes")


def test_missing_parts_are_reported(made, monkeypatch) -> None:
    bare = opened(made, monkeypatch, "bare", movie="50")
    assert "recsys axes" in bare.code[0].value
    assert "training data of this model was not found" in words(bare)
    popular = opened(made, monkeypatch, "popular", movie="50")
    assert "no item vectors" in words(popular)
    assert title(popular) == "Star Wars (1977)"
