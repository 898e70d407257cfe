"""The page of the embedding report: it shows the numbers of the report, loads nothing, and escapes all outside text."""

from __future__ import annotations

import importlib
import json
import re
from copy import deepcopy
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest
import scipy.sparse as sp
from plotly.offline import get_plotlyjs

from recsys.dataset.catalog import Catalog
from recsys.dataset.dataset import Dataset
from recsys.dataset.interactions import Interactions
from recsys.evaluation.compression import Compression, Curve, Point
from recsys.evaluation.interval import Interval
from recsys.evaluation.report import EmbeddingReport, embedding_report
from recsys.evaluation.serialization import from_json
from recsys.models import IALS
from recsys.plots.report import AxisEnds, report_page

HOSTILE = """</script><script>alert(1)</script><img src=x onerror='alert("2")'> & "quoted" it's"""
FIGURES = ["figure-retrieval", "figure-genres", "figure-dimensions"]
NONE = "–"
Report = dict[str, Any]


def page_of(report: Report, **more: Any) -> str:
    """The page of a report that is given as plain values."""
    return report_page(from_json(EmbeddingReport, json.dumps(report)), **more)


def measured(n: int, given: tuple[str, ...] = ()) -> Report:
    """Measures of the nth representation, as plain values; no two numbers are equal."""
    part = n / 1000
    answers = {"n_questions": 1234, "n_pairs": 30, "hits@10": 0.21 + part, "mrr": 0.1}
    answers |= {"chance": 0.0107, "neighbour_hits@10": 0.11 + part}
    return {
        "dimensions": 1060 + n,
        "genre_retrieval": {
            "precision": 0.731 + part, "jaccard": 0.4, "chance": 0.371 + part, "chance_jaccard": 0.2, "n_queries": 939,
        },
        "tag_retrieval": {
            "precision": 0.531 + part, "jaccard": 0.4, "chance": 0.271 + part, "chance_jaccard": 0.2, "n_queries": 939,
        },
        "genre_auc": 0.871 + part,
        "genre_auc_of": {"Comedy": 0.801 + part, "Film-Noir": 0.951 + part},
        "decade_auc": 0.921 + part,
        "mean_rating_r2": 0.615 + n / 100,
        "clusters": {"silhouette": 0.185 + n / 100, "nmi": 0.225 + n / 100, "chance_nmi": 0.045 + n / 100},
        "analogies": answers | {"by_kind": {}},
        "effective_rank": 51.6 + n,
        "isotropy": 0.365 + n / 100,
        "told": list(given),
    }  # fmt: skip


@pytest.fixture
def report() -> Report:
    names = ["ials", "genres (one-hot)", "titles (bag of words)", "ratings (PCA)", "random"]
    given = {1: ("genre_retrieval", "genre_auc", "clusters", "analogies"), 2: ("analogies", "tag_retrieval")}
    return {
        "model": "ials",
        "hyperparameters": {"n_factors": 64, "alpha0": 0.25, "solver": "cg"},
        "confidence": {"min_rating": None, "weighting": "log"},
        "data": {"name": "ml-small", "n_users": 12_943, "n_items": 1682, "n_ratings": 100_000},
        "judged_items": 1939,
        "seed": 42,
        "representations": {name: measured(n, given.get(n, ())) for n, name in enumerate(names)},
        "divergence": {"users ‖ items": 2.345, "items ‖ users": 2.716, "js": 0.3462, "js_control": 0.0012},
        "smoothness": {"share": 0.5871, "chance": 0.2934, "n_points": 3000},
        "dimensions": [
            {"n_factors": 2, "ndcg@10": 0.3, "low": 0.28, "high": 0.33, "error": 0.96, "least_error": 0.72},
            {"n_factors": 8, "ndcg@10": 0.41, "low": 0.4, "high": 0.43, "error": 0.81, "least_error": 0.63},
        ],
        "seeds": {
            "n": 3, "overlap@10": 0.9447, "least_overlap@10": 0.9122, "chance_overlap@10": 0.0104,
            "cka": 0.99899, "least_cka": 0.98765,
        },
    }  # fmt: skip


AXES = [
    AxisEnds("axis 1", "Horror", "Comedy", ("Alien (1979)", "Psycho (1960)"), ("Toy Story (1995)",)),
]


class Read(HTMLParser):
    """What a browser reads: tags with attributes, scripts, table rows as (class, text), and all text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.rows: list[list[tuple[str, str]]] = []
        self.text = ""
        self._inside, self._in_cell = "", False
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag in ("script", "style"):
            self._inside = tag
            self.scripts += [""] if tag == "script" else []
        elif tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append((dict(attrs).get("class") or "", ""))
            self._in_cell = True

    def handle_endtag(self, tag: str) -> None:
        if tag == self._inside:
            self._inside = ""
        elif tag in ("td", "th"):
            self._in_cell = False

    def handle_data(self, data: str) -> None:
        if self._inside == "script":
            self.scripts[-1] += data
        elif not self._inside:
            self.text += data
            if self._in_cell:
                kind, words = self.rows[-1][-1]
                self.rows[-1][-1] = (kind, words + data)

    def row(self, first: str) -> dict[str, tuple[str, str]]:
        """A row of the table of representations: heading → (class, text)."""
        heads = next(row for row in self.rows if row[0][1] == "representation")
        found = next(row for row in self.rows if row[0][1] == first)
        return {head: one for (_, head), one in zip(heads, found, strict=True)}

    def figures(self) -> dict[str, tuple[Any, Any]]:
        """Name of a figure → its traces and layout, from the scripts that draw them."""
        found = {}
        for script in self.scripts:
            call = re.search(r"Plotly\.newPlot\(\s*", script)
            if script == get_plotlyjs() or call is None:
                continue
            rest, values = script[call.end() :], []
            for _ in range(3):
                value, end = json.JSONDecoder().raw_decode(rest)
                values.append(value)
                rest = rest[end:].lstrip().removeprefix(",").lstrip()
            found[values[0]] = (values[1], values[2])
        return found


def strings(value: Any) -> list[str]:
    """All strings in JSON values, without keys."""
    if isinstance(value, dict):
        return [text for part in value.values() for text in strings(part)]
    if isinstance(value, list):
        return [text for part in value for text in strings(part)]
    return [value] if isinstance(value, str) else []


def without_library(page: str) -> str:
    assert page.count(get_plotlyjs()) == 1
    return page.replace(get_plotlyjs(), "")


def addresses(page: str) -> list[str]:
    """Everything in a page, except the inlined library, that could make a browser fetch something."""
    patterns = r"\bsrc\s*=|\bhref\s*=|@import|url\(|\bcdn\b|https?://|[\"'(=]//\w"
    found = re.findall(patterns, without_library(page), re.IGNORECASE)
    for tag, attributes in Read(page).tags:
        if tag in ("link", "img", "iframe", "object", "embed", "base", "audio", "video", "form"):
            found.append(tag)
        found += set(attributes) & {"src", "href", "data", "srcset", "action"}
    return found


# --- content ----------------------------------------------------------------------------------------------------


def test_the_page_loads_nothing(report: Report) -> None:
    page = page_of(report, axes=AXES, map_figure=go.Figure(go.Scatter(x=[1], y=[2], text=["Alien (1979)"])))
    assert addresses(page) == []
    for bait in (
        '<script src="https://cdn.plot.ly/plotly.js"></script>',
        "<link href=//fonts.org/x>",
        "@import 'x.css'",
    ):
        assert addresses(page.replace("<body>", f"<body>{bait}"))


def test_the_page_is_complete(report: Report) -> None:
    page = page_of(report, axes=AXES)
    assert page.startswith("<!doctype html>") and page.endswith("</html>\n")
    read = Read(page)
    assert ("meta", {"charset": "utf-8"}) in read.tags
    assert [
        attributes["id"] for _, attributes in read.tags if "plotly-graph-div" in (attributes.get("class") or "")
    ] == (FIGURES)
    assert page.encode("utf-8").decode("utf-8") == page


def test_every_representation_has_a_row_with_its_numbers(report: Report) -> None:
    read = Read(page_of(report))
    for n, name in enumerate(report["representations"]):
        assert {head: text for head, (_, text) in read.row(name).items()} == {
            "representation": name,
            "dim.": f"1,06{n}",
            "same genre": f"0.73{1 + n} (0.37{1 + n})",
            "same tag": f"0.53{1 + n} (0.27{1 + n})",
            "genre AUC": f"0.87{1 + n}",
            "decade AUC": f"0.92{1 + n}",
            "mean rating R²": f"{0.615 + n / 100:.2f}",
            "silhouette": f"{0.185 + n / 100:.2f}",
            "NMI genre": f"{0.225 + n / 100:.2f} ({0.045 + n / 100:.2f})",
            "analogies": f"{0.21 + n / 1000:.2f} ({0.11 + n / 1000:.2f})",
            "eff. rank": str(52 + n),
            "isotropy": f"{0.365 + n / 100:.2f}",
        }
    ours = [attributes for tag, attributes in read.tags if tag == "tr" and attributes]
    assert ours == [{"class": "ours"}]


def test_without_tags_there_is_no_tag_column(report: Report) -> None:
    for row in report["representations"].values():
        row["tag_retrieval"] = None
    row = Read(page_of(report)).row("ials")
    assert "same tag" not in row and row["genre AUC"][1] == "0.871"  # no column moved


def test_given_answers_are_struck_out_and_nothing_else(report: Report) -> None:
    page = page_of(report)
    read = Read(page)
    heads = {
        "genre_retrieval": {"same genre"},
        "tag_retrieval": {"same tag"},
        "genre_auc": {"genre AUC"},
        "clusters": {"silhouette", "NMI genre"},
        "analogies": {"analogies"},
    }
    for name, row in report["representations"].items():
        struck = {head for head, (kind, _) in read.row(name).items() if kind == "given"}
        assert struck == set().union(*(heads[measure] for measure in row["told"])), name
    assert len(re.findall(r"<td class=given><s>[^<]+</s>", page)) == 5 + 2, "the chance is not struck out"
    assert sum(kind == "given" for row in read.rows for kind, _ in row) == 5 + 2


def test_the_main_findings_are_in_sentences(report: Report) -> None:
    text = " ".join(Read(page_of(report)).text.split())
    for words in (
        "Embedding report: ml-small, ials",
        "1,682 movies, 12,943 users, 100,000 ratings; evaluated on the 1,939 movies",
        "n_factors=64, alpha0=0.25, solver=cg",
        "73% of a movie's ten nearest neighbours share a genre with it; of random movies of similar popularity, 37% do",
        "predicts a genre with AUC 0.871 and a decade with AUC 0.921",
        "use 51.6 of 1060 dimensions",
        "for 21% of 1,234 such questions the answer is in the top ten; with the third movie's neighbours alone, for "
        "11%; by chance, for 1.1%",
        "for 59% of the points, the ten nearest movies are nearer in genre to both ends",
        "With the vectors dealt to the movies at random, for 29%.",
        "94% of a movie's ten nearest neighbours stay the same (between random vectors: 1.0%)",
        "Models retrained with another seed: 3.",
    ):
        assert words in text


def test_seeds_divergence_and_axes_have_tables(report: Report) -> None:
    rows = [tuple(text for _, text in row) for row in Read(page_of(report, axes=AXES)).rows]
    assert set(rows) >= {
        ("overlap@10, mean", "0.945"),
        ("overlap@10, minimum", "0.912"),
        ("overlap@10 with random vectors", "0.010"),
        ("CKA, mean", "0.9990"),
        ("CKA, minimum", "0.9877"),
        ("KL(users ‖ movies)", "2.35"),
        ("KL(movies ‖ users)", "2.72"),
        ("JS", "0.346"),
        ("JS, control", "0.001"),
        ("axis 1", "HorrorAlien (1979), Psycho (1960)", "ComedyToy Story (1995)"),
    }
    assert not any("axis" in row for row in Read(page_of(report)).rows)


def test_the_figures_hold_the_numbers_of_the_report(report: Report) -> None:
    figures = Read(page_of(report)).figures()
    assert list(figures) == FIGURES
    bars, chance = figures["figure-retrieval"][0]
    assert dict(zip(bars["y"], bars["x"], strict=True)) == {
        name: row["genre_retrieval"]["precision"] for name, row in report["representations"].items()
    }
    assert dict(zip(chance["y"], chance["x"], strict=True)) == {
        name: row["genre_retrieval"]["chance"] for name, row in report["representations"].items()
    }
    colours = dict(zip(bars["y"], bars["marker"]["color"], strict=True))
    assert colours["ials"] not in (colours["random"], colours["genres (one-hot)"])
    assert (
        colours["genres (one-hot)"] != colours["random"] == colours["titles (bag of words)"]
    )  # given only the answers of analogies
    for trace in figures["figure-genres"][0]:
        areas = report["representations"][trace["name"]]["genre_auc_of"]
        assert dict(zip(trace["x"], trace["y"], strict=True)) == areas
        assert trace["x"] == ["Film-Noir", "Comedy"]  # highest AUC first
    quality, error, least = figures["figure-dimensions"][0]
    assert quality["x"] == error["x"] == least["x"] == [2, 8]
    assert quality["y"] == [0.3, 0.41] and error["y"] == [0.96, 0.81] and least["y"] == [0.72, 0.63]
    assert quality["error_y"]["array"] == pytest.approx([0.03, 0.02])
    assert quality["error_y"]["arrayminus"] == pytest.approx([0.02, 0.01])


def test_compression_is_shown_where_it_was_measured(report: Report) -> None:
    ndcg = Interval(0.5, 0.4, 0.6)
    points = (Point(1, 600.0, 500.0, ndcg), Point(2, 300.0, 250.0, ndcg))
    found = Compression(None, "tiny", 42, 31, 1682, Point(0, 700.0, 650.0, ndcg), (Curve(HOSTILE, {}, points),))
    read = Read(page_of(report, compression=found))
    figures = read.figures()
    assert [name for name in figures if name not in FIGURES] == [
        "figure-known",
        "figure-other",
        "figure-compressed-ndcg",
    ]
    [line], layout = figures["figure-known"]
    assert (line["x"], line["y"]) == ([1, 2], [600, 300]) and layout["shapes"][0]["y0"] == 700
    [line], _ = figures["figure-compressed-ndcg"]
    assert line["error_y"]["array"] == pytest.approx([0.1, 0.1])
    assert "without the 31 users it is measured on" in read.text
    assert "<img" not in without_library(page_of(report, compression=found))
    assert "Lossy compression" not in Read(page_of(report)).text


def test_a_given_map_is_shown(report: Report) -> None:
    figure = go.Figure(go.Scatter(x=[1], y=[2], text=["Alien (1979)"]))
    read = Read(page_of(report, map_figure=figure, map_note="t-SNE <b>of</b> the movies"))
    assert list(read.figures()) == [*FIGURES, "figure-map"]
    assert "t-SNE <b>of</b> the movies" in read.text


# --- missing values ---------------------------------------------------------------------------------------------


def nothing_known(value: Any) -> Any:
    """The same report with every measure undefined."""
    if isinstance(value, dict):
        return {key: nothing_known(part) for key, part in value.items()}
    return None if isinstance(value, float) else value


def test_undefined_measures_are_dashes(report: Report) -> None:
    kept = deepcopy(report["dimensions"])
    report = nothing_known(report) | {"dimensions": kept, "smoothness": None}
    read = Read(page_of(report, axes=AXES))
    for head, (_, text) in read.row("ials").items():
        if head == "representation" or head == "dim.":
            continue
        pair = head in ("same genre", "same tag", "NMI genre", "analogies")
        assert text == (f"{NONE} ({NONE})" if pair else NONE), head
    rows = dict(tuple(text for _, text in row) for row in read.rows if len(row) == 2)
    assert len(rows) == 9 and set(rows.values()) == {NONE}
    assert f"{NONE} of a movie's ten nearest" in read.text and f"with AUC {NONE}" in read.text
    assert "None" not in read.text.replace("alpha0=None", "") and "nan" not in read.text
    assert read.figures()["figure-genres"][0][0]["x"] == []  # no genre has a value, so there are no points


def test_one_representation_without_tags_is_a_dash_among_others(report: Report) -> None:
    report["representations"]["random"]["tag_retrieval"] = None
    read = Read(page_of(report))
    assert read.row("random")["same tag"][1] == NONE and read.row("ials")["same tag"][1] == "0.531 (0.271)"


def test_without_questions_seeds_and_dimensions_their_parts_are_left_out(report: Report) -> None:
    for row in report["representations"].values():
        row["analogies"] |= {"n_questions": 0, "hits@10": None, "neighbour_hits@10": None}
    report["seeds"] = {"n": 0} | dict.fromkeys(list(report["seeds"])[1:])
    report["dimensions"] = []
    report["data"] = {}
    read = Read(page_of(report))
    assert "such questions" not in read.text and "another seed" not in read.text
    assert "Stability across seeds" not in read.text and "Quality by number of dimensions" not in read.text
    assert "unnamed data, ials" in read.text
    assert "an unknown number of movies, an unknown number of users, an unknown number of ratings" in read.text
    assert read.row("ials")["analogies"][1] == f"{NONE} ({NONE})"
    assert list(read.figures()) == FIGURES[:2]


def test_a_report_of_vectors_alone_has_a_page(report: Report) -> None:
    """Without ratings there are no ratings to name, and neither baselines nor charts that are made of them."""
    del report["data"]["n_ratings"], report["representations"]["ratings (PCA)"]
    report |= {"confidence": None, "dimensions": [], "hyperparameters": {}}
    read = Read(page_of(report))
    text = " ".join(read.text.split())
    assert "an unknown number of ratings; evaluated on the 1,939 movies." in text
    assert list(read.figures()) == FIGURES[:2]
    assert [trace["name"] for trace in read.figures()["figure-genres"][0]] == ["ials", "random"]


# --- text from outside ------------------------------------------------------------------------------------------


@pytest.fixture
def hostile(report: Report) -> str:
    """A page with markup in all text from outside: model, data, settings, genre, axis, movies, map."""
    report["representations"] = {
        HOSTILE if name == "ials" else name: row for name, row in report["representations"].items()
    }
    report["model"] = report["data"]["name"] = report["hyperparameters"]["solver"] = HOSTILE
    for row in report["representations"].values():
        row["genre_auc_of"][HOSTILE] = 0.7
    axis = AxisEnds(HOSTILE, HOSTILE, HOSTILE, (HOSTILE,), (HOSTILE, "x"))
    figure = go.Figure(go.Scatter(x=[1], y=[2], text=[HOSTILE], hovertext=[HOSTILE]))
    return page_of(report, axes=[axis], map_figure=figure, map_note=HOSTILE)


def test_hostile_text_stays_text(hostile: str, report: Report) -> None:
    read, tame = Read(hostile), Read(page_of(report, axes=AXES, map_figure=go.Figure()))
    assert [tag for tag, _ in read.tags] == [tag for tag, _ in tame.tags]
    assert not {name for _, attributes in read.tags for name in attributes if name.startswith("on")}
    words = " ".join(HOSTILE.split())
    assert f"Embedding report: {words}, {words}" in read.text and f"solver={words}" in read.text
    assert read.row(words)["genre AUC"][1] == "0.871"
    assert read.rows[-1] == [("", words), ("words", words + words), ("words", f"{words}{words}, x")]
    assert words in read.text.rpartition("Map")[2]
    assert "<script>alert" not in without_library(hostile) and "<img" not in without_library(hostile)


def test_hostile_text_ends_no_script_and_is_escaped_in_figures(hostile: str) -> None:
    """Each script ends where the page ends it, after a complete call; labels, read as HTML by Plotly, are escaped."""
    read = Read(hostile)
    assert list(read.figures()) == [*FIGURES, "figure-map"]
    for script in read.scripts:
        assert "</script" not in script.lower() and "<!--" not in script.replace(get_plotlyjs(), "")
    assert hostile.lower().count("</script") == len(read.scripts)
    ours = {name: strings(list(parts)) for name, parts in read.figures().items() if name != "figure-map"}
    for name in ("figure-retrieval", "figure-genres"):
        assert any("&lt;script&gt;alert(1)" in text for text in ours[name])
    for text in (text for texts in ours.values() for text in texts):
        assert not re.search(r"<(?!/?extra>)", text), text


# --- in a real browser ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def real_page() -> str:
    """The page of a real report on little data: 60 movies of two genres, 120 users."""
    rng = np.random.default_rng(0)
    dark, gloomy = np.arange(60) % 2 == 0, np.arange(120) < 60
    watched = rng.random((120, 60)) < np.where(gloomy[:, None] == dark, 0.7, 0.1)
    matrix = sp.csr_matrix(np.where(watched, rng.integers(1, 6, watched.shape), 0).astype(np.float32))
    items = [f"m{row}" for row in range(60)]
    genres = [("Horror",) if is_dark else ("Comedy",) for is_dark in dark]
    catalog = Catalog.of(items, [f"A movie named {row}" for row in range(60)], [1999] * 60, genres, genres)
    interactions = Interactions(matrix, [f"u{row}" for row in range(120)], items)
    model = IALS(n_factors=4, epochs=3).fit(Dataset(interactions, catalog, name="little"))
    found = embedding_report(model, interactions, dimensions=(1, 2, 4), n_seeds=1)
    figure = go.Figure(go.Scatter(x=[0, 1], y=[0, 1], mode="markers", text=["a", "b"]))
    return report_page(found, axes=AXES, map_figure=figure)


def test_the_page_of_a_real_report_is_complete(real_page: str) -> None:
    read = Read(real_page)
    assert list(read.figures()) == [*FIGURES, "figure-map"]
    assert "1.000" in read.row("ials")["genre AUC"][1]
    assert read.row("ials")["decade AUC"][1] == NONE  # all of 1999


@pytest.mark.browser
@pytest.mark.parametrize("width", [420, 1280])
def test_a_browser_draws_it_offline_without_errors(
    width: int, real_page: str, hostile: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    playwright_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    driver = importlib.import_module("driver")
    if driver.CHROMIUM is None:
        pytest.skip("no Chromium on this machine (Debian: apt-get install chromium)")
    with (
        playwright_api.sync_playwright() as running,
        driver.chromium(running) as browser,
        driver.browsing(browser, width) as page,
    ):
        page.context.set_offline(True)
        complaints: list[str] = []
        asked: list[str] = []
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: (complaints.append(f"alert {dialog.message}"), dialog.dismiss()))
        page.on("request", lambda request: asked.append(request.url))
        for name, text in (("real", real_page), ("hostile", hostile)):
            file = tmp_path / f"{name}.html"
            file.write_text(text, encoding="utf-8")
            page.goto(file.as_uri())
            page.wait_for_function("document.querySelectorAll('.js-plotly-plot .main-svg').length >= 4")
            drawn = page.evaluate(
                "[...document.querySelectorAll('.plotly-graph-div')].map(div =>"
                " [div.id, div.querySelectorAll('.main-svg .trace').length, div.getBoundingClientRect().width])"
            )
            assert [row[0] for row in drawn] == [*FIGURES, "figure-map"]
            assert all(n_traces > 0 and 0 < wide <= width for _, n_traces, wide in drawn), drawn
            if name == "real":  # a word longer than the window may overflow
                assert page.evaluate("document.documentElement.scrollWidth") <= width
                assert page.evaluate("document.body.scrollWidth") <= width
        assert complaints == []
        assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []
