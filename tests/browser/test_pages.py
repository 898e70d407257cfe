"""Every page with its main action, at two widths, light and dark. Screenshots are kept in test-output/."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from driver import (
    ROOT,
    browsing,
    find,
    map_of,
    marked,
    open_app,
    rate,
    recommended,
    serving,
    settle,
    until,
    whole_page,
)

from recsys import store

PICTURES = ROOT / "test-output"


def ends_of_axes(page) -> tuple[str, ...]:
    """The ends of the map's axes, left, right, bottom and top, as its label tells screen readers."""
    label = page.locator("canvas.dots").get_attribute("aria-label")
    return re.search(r"Across: (.+) to (.+)\. Up: (.+) to (.+)\.$", label).groups()


def for_you(page, address: str) -> None:
    """Rate a movie, get a list with reasons."""
    open_app(page, address)
    rate(page, "Toy Story (1995)", 5)
    assert len(recommended(page)) == 10
    page.get_by_text("Because you liked Toy Story (1995)").first.wait_for()


def movie(page, address: str) -> None:
    """Find a movie, then open a similar one."""
    open_app(page, address, "movie?movie=50")
    page.get_by_role("heading", name="Star Wars (1977)").wait_for()
    find(page, "alien", "Alien (1979)", "Find a movie")
    page.get_by_role("heading", name="Alien (1979)").wait_for()
    page.wait_for_url("**movie=183**")
    page.get_by_role("button", name=re.compile("Aliens \\(1986\\)")).first.click()
    page.get_by_role("heading", name="Aliens (1986)").wait_for()
    map_of(page)
    settle(page)
    assert len(marked(page, "similar")) == 10
    for words in ("Cosine", "Dot product", "Euclidean distance", "Who likes it"):
        page.get_by_text(words, exact=True).first.wait_for()


def dimensions(page, address: str) -> None:
    """Read the axes, then look at the plane of two of them."""
    open_app(page, address, "dimensions")
    page.get_by_text("children's ↔ adult").first.wait_for()
    page.get_by_role("tab", name="Plane").click()
    map_of(page)
    settle(page)
    assert len(set(ends_of_axes(page))) == 4


def quality(page, address: str) -> None:
    """Read how the model compares with the baseline, and the users with the lowest quality."""
    open_app(page, address, "quality")
    page.get_by_text("Lowest quality:").wait_for()
    page.locator(".js-plotly-plot").nth(2).wait_for()


def data(page, address: str) -> None:
    """Read the counts and distributions of the data."""
    open_app(page, address, "data")
    page.get_by_text("100,000").first.wait_for()
    page.get_by_role("heading", name="The long tail").wait_for()
    page.locator(".js-plotly-plot").nth(5).wait_for()


def batch(page, address: str) -> None:
    """Generate lists for all users and download them."""
    open_app(page, address, "batch")
    page.get_by_role("button", name="Generate").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Parquet").click()
    assert Path(download.value.path()).read_bytes()[:4] == b"PAR1"


@pytest.mark.parametrize("width", [1280, 420])
@pytest.mark.parametrize("act", [for_you, movie, dimensions, quality, data, batch], ids=lambda act: act.__name__)
def test_the_main_action_of_a_page(browser, address: str, act, width: int) -> None:
    with browsing(browser, width, dark=width == 420) as page:
        act(page, address)
        for look in ("dark", "light") if width == 420 else ("light", "dark"):
            page.emulate_media(color_scheme=look)
            settle(page)
            whole_page(page, PICTURES / f"{act.__name__.replace('_', '-')}-{width}-{look}.png")
            assert page.get_by_test_id("stException").count() == 0
            assert page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth") <= width


def test_every_page_in_chinese(browser, address: str) -> None:
    with browsing(browser) as page:
        for path in ("", "movie?movie=50", "dimensions", "quality", "data", "batch"):
            open_app(page, address, f"{path}{'&' if '?' in path else '?'}language=中文")
            text = page.get_by_test_id("stMain").inner_text()
            assert len(re.findall(r"[\u4e00-\u9fff]", text)) > 20, path
            whole_page(page, PICTURES / f"{path.partition('?')[0] or 'for-you'}-1280-chinese.png")


def test_a_link_restores_the_plane(browser, address: str) -> None:
    with browsing(browser) as page:
        open_app(page, address, "dimensions?dimensions-tab=Plane&model=ml-100k-ials")
        map_of(page)
        page.get_by_role("combobox", name=re.compile("Vertical axis")).click()
        page.get_by_role("option", name="old ↔ new").click()
        page.wait_for_function("() => decodeURIComponent(location.search).includes('old')")
        until(page, lambda: ends_of_axes(page)[2:] == ("old", "new"))
        ends, link = ends_of_axes(page), page.url
    with browsing(browser) as other:
        other.goto(link)
        map_of(other)
        settle(other)
        assert ends_of_axes(other) == ends


def test_a_new_axis_can_be_used_to_adjust_recommendations(browser, address: str) -> None:
    with browsing(browser) as page:
        open_app(page, address)
        rate(page, "Alien (1979)", 5)
        page.get_by_role("link", name="Dimensions").click()
        page.get_by_role("tab", name="Your own axis").click()
        page.get_by_text("there are 0 and 0").wait_for()
        ends = {
            "One end": ("Dumbo (1941)", "Snow White and the Seven Dwarfs (1937)", "Aladdin (1992)", "Pinocchio (1940)"),
            "The other end": ("Heat (1995)", "GoodFellas (1990)", "Seven (Se7en) (1995)", "Alien 3 (1992)"),
        }
        for end, titles in ends.items():
            for title in titles:
                find(page, title.split(" (")[0], title, f"{end}: add a movie")
                page.get_by_role("button", name=title).wait_for()
        page.get_by_role("button", name="Find this axis").click()
        page.get_by_text("Found it").wait_for()
        map_of(page)
        settle(page)
        whole_page(page, PICTURES / "own-axis-1280.png")
        page.get_by_role("button", name="Keep").click()
        settle(page)
        page.get_by_role("link", name="For you").click()
        map_of(page)
        page.get_by_role("button", name="Adjust mood").click()
        page.get_by_role("slider", name=re.compile("Dumbo")).wait_for()


def test_without_a_model_every_page_shows_the_command(browser, tmp_path: Path) -> None:
    with serving(tmp_path, tmp_path / "app.log") as where, browsing(browser) as page:
        for path in ("", "movie", "dimensions", "quality", "data", "batch"):
            page.goto(f"{where}/{path}")
            page.get_by_text("There is no model yet").wait_for()
            page.get_by_text("recsys demo --no-app").wait_for()
        whole_page(page, PICTURES / "no-model-1280.png")


def test_a_broken_model_is_reported_with_a_command(browser, tmp_path: Path) -> None:
    (tmp_path / "broken").mkdir()
    manifest = {"format_version": store.FORMAT_VERSION, "model": "als", "hyperparameters": {}}
    (tmp_path / "broken" / "manifest.json").write_text(json.dumps(manifest))
    with serving(tmp_path, tmp_path / "app.log") as where, browsing(browser) as page:
        page.goto(where)
        page.get_by_text("The model broken cannot be used").wait_for()
        page.get_by_text("recsys train").first.wait_for()
        assert page.get_by_text("Traceback").count() == 0
        whole_page(page, PICTURES / "broken-model-1280.png")


def test_a_map_that_cannot_be_loaded_is_reported(browser, address: str) -> None:
    with browsing(browser) as page:
        page.route("**/blob/**", lambda route: route.fulfill(status=404, body="gone"))
        page.goto(address)
        page.get_by_text("The map could not be loaded").wait_for()
        assert len(recommended(page)) == 10


def test_a_link_to_a_page_opens_it_on_a_fresh_server(browser, grid_models: Path, tmp_path: Path) -> None:
    with serving(grid_models, tmp_path / "app.log") as fresh, browsing(browser) as page:
        open_app(page, fresh, "dimensions")
        page.get_by_role("heading", name="Dimensions", exact=True).wait_for()
        page.get_by_role("tab", name="Plane").click()  # a "Page not found" dialog would cover it
        assert page.get_by_role("dialog").count() == 0
