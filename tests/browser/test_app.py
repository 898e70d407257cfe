"""The app as a person uses it, in a real Chromium. Screenshots are kept in test-output/."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from driver import CHROMIUM, ROOT, browsing, open_app, rate, recommended, serving, settle, whole_page

from recsys import store
from recsys.catalog import Catalog
from recsys.interactions import Interactions
from recsys.latent.clusters import find_clusters
from recsys.latent.map import make_map
from recsys.models import ALS, Popular, train_model

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine (Debian: apt-get install chromium)"),
]
playwright_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
Page = playwright_api.Page
PICTURES = ROOT / "test-output"


@pytest.fixture(scope="module")
def playwright() -> Iterator[object]:
    with playwright_api.sync_playwright() as running:
        yield running


@pytest.fixture(scope="module")
def address(ml100k, tmp_path_factory) -> Iterator[str]:
    """The app over a model of MovieLens 100K, with both maps and its data."""
    root = tmp_path_factory.mktemp("app")
    store.save_prepared(root / "prepared" / "ml-100k", ml100k)
    model = train_model(
        ml100k.interactions,
        ml100k.catalog,
        ALS(),
        data={"name": "ml-100k", "path": str(root / "prepared" / "ml-100k")},
    )
    store.save_model(root / "models" / "ml-100k-als", model)
    store.save_map(root / "models" / "ml-100k-als", make_map(model.space, "tsne"))
    store.save_clusters(root / "models" / "ml-100k-als", find_clusters(model, "kmeans", numbers=(16,)))
    with serving(root / "models", root / "app.log") as where:
        yield where


@pytest.fixture
def page(playwright, address) -> Iterator[Page]:
    with browsing(playwright) as opened:
        open_app(opened, address)
        yield opened


def points(page: Page, trace: str) -> int:
    """How many points of a trace the browser has drawn."""
    return page.evaluate(
        """name => {
            const plot = document.querySelector('.js-plotly-plot');
            const at = plot.data.findIndex(trace => trace.name === name);
            return at < 0 ? 0 : plot.querySelectorAll('.scatterlayer .trace')[at].querySelectorAll('.point').length;
        }""",
        trace,
    )


def click_a_dot(page: Page) -> None:
    """Click some dot well inside the frame of the map."""
    place = page.evaluate(
        """() => {
            const plot = document.querySelector('.js-plotly-plot'), frame = plot.getBoundingClientRect();
            for (const dot of plot.querySelectorAll('.scatterlayer .point')) {
                const box = dot.getBoundingClientRect(), x = box.x + box.width / 2, y = box.y + box.height / 2;
                if (x > frame.x + 60 && x < frame.right - 60 && y > frame.y + 60 && y < frame.y + 400) return [x, y];
            }
        }"""
    )
    page.mouse.move(*place)
    page.mouse.click(*place)


def x_range(page: Page) -> list[float]:
    return page.evaluate("document.querySelector('.js-plotly-plot').layout.xaxis.range")


def test_two_ratings_give_recommendations_reasons_and_marks_on_the_map(page: Page) -> None:
    before = recommended(page)
    page.get_by_text("Nothing is known of you yet").wait_for()
    rate(page, "Alien (1979)", 5)
    rate(page, "Blade Runner (1982)", 4)

    after = recommended(page)
    assert len(after) == 10
    assert after != before
    assert "Aliens (1986)" in after
    assert not {"Alien (1979)", "Blade Runner (1982)"} & set(after)
    page.get_by_text("because of Alien (1979)").first.wait_for()
    assert page.get_by_text("Nothing is known of you yet").count() == 0
    assert points(page, "recommended") == 10
    assert points(page, "rated") == 2
    assert points(page, "You") == 1
    assert page.locator(".js-plotly-plot .scatterlayer .point").count() == 1682 + 10 + 2 + 1
    whole_page(page, PICTURES / "for-you-rated-1280.png")


def test_a_rating_can_be_changed_and_taken_back(page: Page) -> None:
    rate(page, "Alien (1979)", 5)
    page.get_by_role("button", name="Start over").click()
    page.get_by_text("Nothing is known of you yet").wait_for()
    settle(page)
    assert points(page, "rated") == 0


def test_a_click_on_the_map_shows_neighbours_and_keeps_the_zoom(page: Page) -> None:
    whole = x_range(page)
    box = page.locator(".js-plotly-plot").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 3)
    page.mouse.wheel(0, -200)
    page.wait_for_function(
        "before => Math.abs(document.querySelector('.js-plotly-plot').layout.xaxis.range[0] - before) > 1e-3",
        arg=whole[0],
    )
    zoomed = x_range(page)
    assert zoomed[1] - zoomed[0] < whole[1] - whole[0]

    click_a_dot(page)
    page.locator("[data-testid=stMarkdown] strong", has_text=re.compile("^Like ")).wait_for()
    page.get_by_test_id("stDataFrame").wait_for()
    settle(page)
    assert x_range(page) == pytest.approx(zoomed)


def test_the_map_names_its_clusters_and_says_how_true_it_is(page: Page) -> None:
    names = page.locator(".annotation-text").all_text_contents()
    assert "Horror" in names and "unnamed" not in names
    assert page.get_by_text("are among its 15 nearest here (trustworthiness 0.9").is_visible()


def test_pointing_at_a_dot_shows_its_title(page: Page) -> None:
    place = page.locator(".js-plotly-plot .scatterlayer .trace").first.locator(".point").first.bounding_box()
    page.mouse.move(place["x"] + place["width"] / 2, place["y"] + place["height"] / 2)
    label = page.locator(".hoverlayer .hovertext")
    label.wait_for()
    assert re.search(r"\(19\d\d\).*ratings", label.text_content())


def test_the_list_leads_to_neighbours_marked_on_the_map(page: Page) -> None:
    page.get_by_role("button", name="Like this").first.click()
    page.locator("[data-testid=stMarkdown] strong", has_text="Like Star Wars (1977)").wait_for()
    settle(page)
    assert points(page, "alike") == 10
    assert points(page, "chosen") == 1


def test_looking_over_a_shoulder_shows_that_users_list_and_stars(page: Page) -> None:
    page.get_by_text("Look over someone's shoulder").click()
    page.get_by_text("272 ratings").wait_for()
    settle(page)
    assert len(recommended(page)) == 10
    assert points(page, "User 1") == 1
    assert points(page, "rated") == 30
    whole_page(page, PICTURES / "for-you-user-1280.png")


def test_both_maps_can_be_looked_at(page: Page) -> None:
    tsne = page.evaluate("document.querySelector('.js-plotly-plot').data[0].x[0]")
    page.get_by_text("overview (PCA)").click()
    page.wait_for_function("x => document.querySelector('.js-plotly-plot').data[0].x[0] !== x", arg=tsne)
    assert page.locator(".js-plotly-plot .scatterlayer .point").count() >= 1682


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_a_narrow_screen_shows_everything_without_sideways_scrolling(playwright, address, dark: bool) -> None:
    with browsing(playwright, width=420, dark=dark) as page:
        open_app(page, address)
        rate(page, "Toy Story (1995)", 5)
        assert len(recommended(page)) == 10
        assert page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth") <= 420
        whole_page(page, PICTURES / f"for-you-420-{'dark' if dark else 'light'}.png")


def test_without_a_model_the_page_says_what_to_run(playwright, tmp_path: Path) -> None:
    with serving(tmp_path, tmp_path / "app.log") as where, browsing(playwright) as page:
        page.goto(where)
        page.get_by_text("There is no model yet").wait_for()
        page.get_by_text("recsys demo --no-app").wait_for()
        whole_page(page, PICTURES / "no-model-1280.png")


def test_a_broken_model_gives_a_page_that_says_what_to_run(playwright, tmp_path: Path) -> None:
    (tmp_path / "broken").mkdir()
    manifest = {"format_version": store.FORMAT_VERSION, "model": "als", "hyperparameters": {}}
    (tmp_path / "broken" / "manifest.json").write_text(json.dumps(manifest))
    with serving(tmp_path, tmp_path / "app.log") as where, browsing(playwright) as page:
        page.goto(where)
        page.get_by_text("The model broken cannot be used").wait_for()
        page.get_by_text("recsys train").first.wait_for()
        assert page.get_by_text("Traceback").count() == 0
        whole_page(page, PICTURES / "broken-model-1280.png")


def test_another_data_set_does_not_take_ratings_for_its_own(playwright, tmp_path: Path) -> None:
    ids = list(range(1, 13))
    for name in ("films", "other"):
        data = Interactions(np.random.default_rng(5).random((30, 12)) < 0.5, list(range(30)), ids)
        catalog = Catalog.of(ids, [f"{name.title()} {i}" for i in ids])
        model = train_model(data, catalog, ALS(n_factors=4, regularization=0.1), data={"name": name})
        store.save_model(tmp_path / name, model)
    with serving(tmp_path, tmp_path / "app.log") as where, browsing(playwright) as page:
        open_app(page, where)
        rate(page, "Films 3", 5)
        assert "Films 3" not in recommended(page)
        page.get_by_role("combobox", name="Model").click()
        page.get_by_role("option", name="other").click()
        page.get_by_text("Nothing is known of you yet").wait_for()
        settle(page)
        assert page.get_by_text("You rated").count() == 0
        page.get_by_role("combobox", name="Model").click()
        page.get_by_role("option", name="films").click()
        page.get_by_text("You rated 1").wait_for()
        settle(page)
        assert "Films 3" not in recommended(page)


HOSTILE = [
    "<script>window.hacked = 1</script>",
    "<img src=x onerror='window.hacked = 1'>",
    "**bold** _under_ `code` $x^2$ :red[colour] [link](javascript:window.hacked=1)",
    "*batteries not included",
    "$9.99 and $5",
    "Ünïcödé 🎬 电影 فيلم",
    "long " * 40,
    "# heading",
    "1. list",
    "ordinary",
]


def test_titles_are_data_whatever_is_in_them(playwright, tmp_path: Path) -> None:
    interactions = Interactions(
        np.array([[1, 1, 1, 1, 1, 0, 0, 0, 0, 1], [0, 0, 0, 1, 1, 1, 1, 1, 1, 1], [1, 0, 1, 0, 1, 0, 1, 0, 1, 0]]),
        ["a", "b", "c"],
        [f"m{i}" for i in range(10)],
    )
    catalog = Catalog.of(interactions.item_ids, HOSTILE, [None, 1990] * 5, [("<b>Bold</b>",)] * 10)
    for learner in (ALS(n_factors=4, regularization=0.1), Popular()):
        store.save_model(tmp_path / learner.name, train_model(interactions, catalog, learner))
    with serving(tmp_path, tmp_path / "app.log") as where, browsing(playwright) as page:
        open_app(page, where)
        page.get_by_role("button", name="Like this").first.click()
        page.locator("[data-testid=stMarkdown] strong", has_text=re.compile("^Like ")).wait_for()
        settle(page)
        assert page.evaluate("window.hacked") is None
        shown = recommended(page)
        assert len(shown) == 10
        for title, year in zip(HOSTILE, [None, 1990] * 5, strict=True):
            assert " ".join(title.split()) + (f" ({year})" if year else "") in shown
        assert (
            page.locator("[data-testid=stMain] h1, [data-testid=stMain] ol, [data-testid=stMain] .katex").count() == 0
        )
        whole_page(page, PICTURES / "hostile-titles-1280.png")
        # A model without vectors has a list and says why there is no map.
        page.get_by_role("combobox", name="Model").click()
        page.get_by_role("option", name="popular").click()
        page.get_by_text("has no vectors").wait_for()
        settle(page)
        assert len(recommended(page)) == 10
