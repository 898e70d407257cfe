"""The page Dimensions: what each tab shows, and its notice when something is missing."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from recsys import store
from recsys.app.i18n.translate import KEY, SIMPLIFIED_CHINESE
from recsys.dataset.dataset import Dataset
from recsys.evaluation.analogies import AnalogyQuality
from recsys.evaluation.clusters import ClusterQuality
from recsys.evaluation.compression import Compression, Curve, Point
from recsys.evaluation.divergence import Divergence
from recsys.evaluation.interval import Interval
from recsys.evaluation.report import EmbeddingReport, Representation, SeedStability
from recsys.evaluation.retrieval import Retrieval
from recsys.evaluation.stability import discover_axes
from recsys.models import MODELS, MLlibALS
from recsys.space.axis import UNNAMED, Axes
from recsys.space.probes import ask
from recsys.space.questions import built_in_questions, question_of

NAME = "ml-100k"
CURVE = [
    {"n_factors": d, "ndcg@10": q, "low": q - 0.01, "high": q + 0.01, "error": None, "least_error": 0.1}
    for d, q in ((1, 0.20), (2, 0.30), (4, 0.342), (8, 0.35))
]


@pytest.fixture(scope="module")
def axes(ml100k, ml100k_model) -> Axes:
    """Axes of the default model: two built-in questions, one that is found, one that is not, and discovered axes."""
    questions = [
        *built_in_questions(ml100k_model.attributes)[:2],
        question_of("Horror", ml100k_model.attributes),
        question_of("Fantasy", ml100k_model.attributes),
    ]
    asked = tuple(ask(ml100k_model.space, ml100k_model.attributes, question) for question in questions)
    assert [axis.is_valid for axis in asked] == [True, True, True, False]
    found = discover_axes(ml100k_model, ml100k.interactions, n_refits=1)
    return Axes(found.method, found.discovered, asked, found.seed)


@pytest.fixture(scope="module")
def made(ml100k, ml100k_model, axes, tmp_path_factory) -> Path:
    """Models of MovieLens 100K: with axes and a report, with neither, and without vectors."""
    root = tmp_path_factory.mktemp("dimensions-page")
    for which in ("full", "bare"):
        store.save_model(root / which / "model", replace(ml100k_model, data={**ml100k_model.data, "name": NAME}))
    full = root / "full" / "model"
    store.save_axes(full, axes)
    write_report(full, CURVE)
    write_compression(full)
    popular = MODELS["popular"]().fit(Dataset(ml100k.interactions, ml100k.catalog, name=NAME))
    store.save_model(root / "popular" / "model", popular)
    return root


def write_report(folder: Path, dimensions: list[dict]) -> None:
    """A report in which everything but the quality by number of dimensions is undefined."""
    undefined = Representation(
        dimensions=64,
        genre_retrieval=Retrieval(None, None, None, None, 0),
        tag_retrieval=None,
        genre_auc=None,
        genre_auc_of={},
        decade_auc=None,
        mean_rating_r2=None,
        clusters=ClusterQuality(None, None, None),
        analogies=AnalogyQuality(0, 0, None, None, None, None, {}),
        effective_rank=None,
        isotropy=None,
        given=(),
    )
    report = EmbeddingReport(
        model="ials",
        hyperparameters={},
        weighting=None,
        data={},
        evaluated_items=0,
        seed=42,
        representations={"ials": undefined},
        divergence=Divergence(None, None, None, None),
        smoothness=None,
        dimensions=(),
        seeds=SeedStability(0, None, None, None, None, None),
        fingerprint=store.fingerprint_of(folder),
    )
    store.write_json(folder / "report.json", report.to_json() | {"dimensions": dimensions})


def write_compression(folder: Path) -> None:
    """What three models tell of users by one, eight and sixteen numbers."""

    def point(d: int, known: float, ndcg: float) -> Point:
        return Point(d, known, known, Interval(ndcg, ndcg - 0.05, ndcg + 0.05))

    curves = tuple(
        Curve(kind, {}, (point(1, least + 400, 0.3), point(8, least + 60, best), point(16, least, 0.6)))
        for kind, least, best in (("pca", 340, 0.64), ("ials", 302, 0.58), ("vae", 244, 0.63))
    )
    fingerprint = store.fingerprint_of(folder)
    found = Compression(fingerprint, NAME, 42, 189, 1682, point(0, 728, 0.37), curves)
    store.write_json(folder / store.COMPRESSION, found.to_json())


def script() -> None:
    import streamlit as st

    from recsys.app.pages import dimensions, movie

    pages = {
        module.URL: st.Page(module.page, title=module.URL, url_path=module.URL, default=module is dimensions)
        for module in (dimensions, movie)
    }
    st.session_state["pages"] = pages
    st.navigation(list(pages.values())).run()


def opened(made: Path, monkeypatch, tab: str = "Axes", which: str = "full", *, chinese: bool = False) -> AppTest:
    monkeypatch.setenv("RECSYS_MODELS", str(made / which))
    app = AppTest.from_function(script, default_timeout=60)
    app.query_params["dimensions-tab"] = tab
    if chinese:
        app.session_state[KEY] = SIMPLIFIED_CHINESE
    return run(app)


def run(app: AppTest) -> AppTest:
    app.run()
    assert not app.exception
    return app


def words(app: AppTest) -> str:
    shown = [*app.markdown, *app.caption, *app.info, *app.success, *app.warning]
    return " ".join(element.value.replace("\\", "") for element in shown)


def test_axes_have_their_evidence_and_unnamed_ones_are_collapsed(made, monkeypatch, axes) -> None:
    app = opened(made, monkeypatch)
    said = words(app)
    for axis in axes.asked[:3]:
        assert f"AUC {axis.evidence.value:.2f}" in said
        assert f"popularity alone reaches {axis.evidence.controls['popularity alone']:.2f}".lower() in said.lower() or (
            "popularity" in axis.evidence.by_definition
        )
    assert "Not found in this space" in said
    assert f"{axes.asked[3].evidence.order:.1%}" in said
    unnamed = sum(axis.low == axis.high == UNNAMED for axis in axes.discovered)
    assert 0 < unnamed < len(axes.discovered)
    assert any(expander.label == f"{unnamed} unnamed dimensions" for expander in app.expander)


def test_a_plane_of_any_two_axes(made, monkeypatch, axes) -> None:
    app = opened(made, monkeypatch, "Plane")
    across, up = app.selectbox(key="x"), app.selectbox(key="y")
    assert across.value == "children's ↔ adult"
    assert len(across.options) == len(axes.all)
    x, y = axes.asked[0], axes.asked[2]
    up.set_value("not Horror ↔ Horror")
    run(app)
    assert f"cosine {float(x.direction @ y.direction):.2f}" in words(app)
    app.selectbox(key="y").set_value("children's ↔ adult")
    run(app)
    assert "two different axes" in words(app)


def test_the_clicked_movie_is_described(made, monkeypatch) -> None:
    app = opened(made, monkeypatch, "Plane")
    app.session_state[f"plane-chosen-{NAME}"] = 50
    run(app)
    assert "Star Wars (1977)" in words(app)


def put(app: AppTest, end: str, items: list[int]) -> None:
    app.session_state[f"movies-{end}-{NAME}"] = items


def test_a_custom_axis_needs_two_movies_at_each_end(made, monkeypatch) -> None:
    app = opened(made, monkeypatch, "Your own axis")
    assert app.button(key="ask-movies").disabled
    put(app, "low", [1, 95])
    put(app, "high", [288])
    run(app)
    assert app.button(key="ask-movies").disabled
    assert "there are 2 and 1" in words(app)
    put(app, "high", [288, 95])
    run(app)
    assert app.button(key="ask-movies").disabled
    assert "both ends" in words(app)
    app.button(key="take-high-95").click()
    run(app)
    assert app.session_state[f"movies-high-{NAME}"] == [288]


def test_a_custom_axis_is_evaluated_kept_and_removed(made, monkeypatch) -> None:
    app = opened(made, monkeypatch, "Your own axis")
    put(app, "low", [1, 95, 71, 99])  # Toy Story, Aladdin, The Lion King, Snow White
    put(app, "high", [288, 183, 185, 200])  # Scream, Alien, Psycho, The Shining
    app.text_input(key="name-low").set_value("cosy")
    app.text_input(key="name-high").set_value("scary")
    run(app)
    app.button(key="ask-movies").click()
    run(app)
    assert "Found it." in words(app)
    assert "on held-out movies (leave-pair-out)" in words(app).lower()
    app.button(key="keep-axis").click()
    run(app)
    (own,) = app.session_state["own-axes-model"]
    assert (own.low, own.high, own.is_valid) == ("cosy", "scary", True)
    assert not [button for button in app.button if button.key == "keep-axis"]
    app.button(key="drop-cosy ↔ scary").click()
    run(app)
    assert app.session_state["own-axes-model"] == []


def ask_in_words(app: AppTest, text: str) -> AppTest:
    app.segmented_control(key="ask-way").set_value("In words")
    run(app)
    app.text_input(key="ask-text").set_value(text)
    next(button for button in app.button if button.label == "Find this axis").click()
    return run(app)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("Comedy <-> Horror", "Found it."),
        ("Fantasy", "Not found in this space."),
        ("no such thing", "no such thing"),
        ("Horror <-> Horror", "no movies that are not also at the other end"),
        ("a <-> b <-> c", "is not a question"),
        ("", "Enter a genre, tag, decade or title"),
    ],
)
def test_a_custom_axis_in_words(made, monkeypatch, text: str, answer: str) -> None:
    assert answer in words(ask_in_words(opened(made, monkeypatch, "Your own axis"), text))


def test_the_gain_from_added_dimensions(made, monkeypatch) -> None:
    app = opened(made, monkeypatch, "How many dimensions?")
    assert "reaches nDCG@10 0.200" in words(app)
    assert "+0.100" in words(app)
    assert "intervals of 4 and 8 dimensions overlap" in words(app) and "highest mean is that of 8" in words(app)
    assert "| 8 | 0.350 | +0.008 | +0.0020 |" in words(app)


def test_a_taste_in_a_few_numbers(made, monkeypatch) -> None:
    app = opened(made, monkeypatch, "How many dimensions?")
    assert "With 8 numbers about you, guessing a movie that you rated is like picking one of 362; with 16" in words(app)
    assert "knowing only what is popular, one of 728" in words(app)
    assert "highest nDCG@10 is 8 for pca, 16 for ials, 8 for vae" in words(app)
    assert "ratings of 189 viewers" in words(app)


def test_without_a_measurement_its_command_is_shown(made, tmp_path, monkeypatch) -> None:
    app = opened(made, monkeypatch, "How many dimensions?", "bare")
    assert any("recsys compression" in code.value for code in app.code)
    folder = tmp_path / "other" / "model"
    shutil.copytree(made / "full" / "model", folder)
    found = store.read_json(folder / store.COMPRESSION)
    store.write_json(folder / store.COMPRESSION, found | {"fingerprint": "0" * 64})
    app = opened(tmp_path, monkeypatch, "How many dimensions?", "other")
    assert "belongs to another model" in words(app) and "viewers" not in words(app)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([(1, 0.10, 0.05), (2, 0.09, 0.05), (64, 0.08, 0.05)], "intervals of 1 to 64 dimensions overlap"),
        ([(1, 0.09, 0.05), (2, 0.10, 0.05), (4, 0.01, 0.01), (64, 0.08, 0.05)], "intervals of 1, 2 and 64 dimensions"),
        ([(1, 0.30, 0.01), (2, 0.10, 0.01)], "Best of those tried: 1**. No other 95% interval overlaps"),
        ([(1, 0.30, 0.01)], "Only one number of dimensions was tried: 1."),
    ],
)
def test_a_number_of_dimensions_is_best_only_if_no_other_interval_overlaps(
    made, tmp_path, monkeypatch, rows, said
) -> None:
    folder = tmp_path / "flat" / "model"
    shutil.copytree(made / "full" / "model", folder)
    curve = [
        {"n_factors": d, "ndcg@10": q, "low": q - near, "high": q + near, "error": None, "least_error": 0.1}
        for d, q, near in rows
    ]
    write_report(folder, curve)
    text = words(opened(tmp_path, monkeypatch, "How many dimensions?", "flat"))
    assert said in text
    assert ("Best of those tried" in text) == ("Best of those tried" in said)
    assert "liked" not in text


def test_an_incomplete_report_gives_a_one_line_warning(made, tmp_path, monkeypatch) -> None:
    folder = tmp_path / "broken" / "model"
    shutil.copytree(made / "full" / "model", folder)
    report = store.read_json(folder / "report.json")
    del report["dimensions"]
    store.write_json(folder / "report.json", report)
    assert "is not what recsys report writes; measure again" in words(
        opened(tmp_path, monkeypatch, "How many dimensions?", "broken")
    )


def test_the_genres_tab_has_a_table(made, monkeypatch) -> None:
    app = opened(made, monkeypatch, "Genres")
    assert "standard deviations" in words(app)
    assert any(expander.label == "Show as table" for expander in app.expander)


@pytest.mark.parametrize(
    ("tab", "missing"),
    [
        ("Axes", "recsys axes"),
        ("Plane", "recsys axes"),
        ("Genres", "recsys axes"),
        ("How many dimensions?", "recsys report"),
    ],
)
def test_missing_results_are_explained_with_a_command(made, monkeypatch, tab: str, missing: str) -> None:
    app = opened(made, monkeypatch, tab, "bare")
    assert missing in app.code[0].value


@pytest.mark.parametrize(("tab", "told"), [("Axes", "no discovered axis"), ("How many dimensions?", "n_factors")])
def test_a_model_of_spark_is_not_retrained(made, tmp_path, monkeypatch, ml100k_model, axes, tab, told) -> None:
    model = replace(ml100k_model, learner=MLlibALS(n_factors=ml100k_model.space.n_factors))
    store.save_model(tmp_path / "spark" / "model", model)
    unnamed = tuple(axis for axis in axes.discovered if not axis.is_valid)
    store.save_axes(tmp_path / "spark" / "model", replace(axes, discovered=unnamed))
    shown = words(opened(tmp_path, monkeypatch, tab, "spark"))
    assert "trained by Spark" in shown and told in shown and "mported vectors" not in shown


def test_without_refits_stability_is_unknown(made, tmp_path, monkeypatch, ml100k_model, axes) -> None:
    store.save_model(tmp_path / "quick" / "model", ml100k_model)
    unknown = tuple(
        replace(axis, is_valid=False, evidence=replace(axis.evidence, stability=None, refits=()))
        for axis in axes.discovered[:2]
    )
    store.save_axes(tmp_path / "quick" / "model", replace(axes, discovered=unknown))
    app = opened(tmp_path, monkeypatch, "Axes", "quick")
    assert "Stability was not measured" in words(app) and "recsys axes" in app.code[0].value


def test_a_model_without_vectors_has_no_tabs(made, monkeypatch) -> None:
    app = opened(made, monkeypatch, which="popular")
    assert "no item vectors" in words(app)
    assert not app.tabs


def test_chinese_has_a_space_before_digits(axes, monkeypatch) -> None:
    import streamlit as st

    from recsys.app.axis_text import ends_of

    monkeypatch.setitem(st.session_state, KEY, SIMPLIFIED_CHINESE)
    axis = axes.asked[2]
    assert ends_of(replace(axis, low="not 1940s", high="1940s")) == ("非 1940 年代", "1940 年代")
    assert ends_of(replace(axis, low=UNNAMED, high="1940s")) == ("非 1940 年代", "1940 年代")
    assert ends_of(replace(axis, low=UNNAMED, high="Horror")) == ("非恐怖", "恐怖")


@pytest.mark.parametrize("tab", ["轴", "平面", "自定义轴", "类型", "需要多少维？"])
def test_each_tab_in_chinese(made, monkeypatch, tab: str) -> None:
    app = opened(made, monkeypatch, tab, chinese=True)
    assert app.header[0].value == "维度"
    assert "完全由评分学得" in words(app)
