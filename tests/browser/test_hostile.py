"""Titles, genres and ids are shown as plain text: every page with a hostile catalogue."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from driver import (
    ROOT,
    browsing,
    map_of,
    marked,
    open_app,
    rate,
    recommended,
    serving,
    settle,
    to_screen,
    whole_page,
)
from layout import on_grid

from recsys import store
from recsys.workflows import inspect as inspect_workflow
from recsys.workflows import prepare as prepare_workflow
from recsys.workflows import train as train_workflow

PICTURES = ROOT / "test-output"
HOSTILE = [
    "<script>window.hacked = 1</script>",
    "<img src=x onerror='window.hacked = 1'>",
    "**bold** _under_ `code` $x^2$ :red[colour] [link](javascript:window.hacked=1)",
    "*batteries not included",
    "$9.99 and $5",
    "Ünïcödé 🎬 电影 فيلم",
    "عنوان الفيلم من اليمين إلى اليسار",
    "Die unendliche Geschichte der Donaudampfschifffahrtsgesellschaftskapitänswitwe",
    "霸王别姬",
    "Quotes \"double\" 'single' `back` \\back\\slash",
    "long " * 40,
    "x" * 200,
    "# heading",
    "1. list",
    "{braces} {0} %s %(x)s",
    "\u202eoverride\u202c",
    "</script></style><svg onload='window.hacked=1'>",
    "javascript:window.hacked=1//",
    "=cmd|'/c calc'!A0",
    "ordinary",
]
GENRES = [("<b>Bold</b>",), ("Drama", "<i onmouseover='window.hacked=1'>"), (), ("**Comedy**",)]
N_COPIES = 6


def titled(at: int) -> str:
    return HOSTILE[at % len(HOSTILE)] if at < len(HOSTILE) else f"{HOSTILE[at % len(HOSTILE)]} {at // len(HOSTILE)}"


def item_of(at: int) -> str:
    return f"m{at}<script>window.hacked=1</script>"


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of 120 hostile titles, genres and ids, rated by 200 users of four tastes; one row is invalid."""
    rng = np.random.default_rng(0)
    root = tmp_path_factory.mktemp("hostile")
    source, n = root / "raw", N_COPIES * len(HOSTILE)
    source.mkdir()
    items = [item_of(at) for at in range(n)]
    with (source / "movies.csv").open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["movieId", "title", "genres"])
        for at, item in enumerate(items):
            year = "" if at % 3 == 0 else f" ({1950 + at % 60})"
            rows.writerow([item, titled(at) + year, "|".join(GENRES[at % 4]) or "(no genres listed)"])
    taste = rng.integers(4, size=200)
    with (source / "ratings.csv").open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["userId", "movieId", "rating", "timestamp"])
        for user in range(200):
            for at in range(n):
                if rng.random() < (0.6 if at % 4 == taste[user] else 0.12):
                    rows.writerow([f"u{user}'\"<b>", items[at], rng.integers(3, 6), 10**9 + 86400 * at])
        rows.writerow(["<img src=x onerror='window.hacked=1'>", items[0], "<script>window.hacked=1</script>", 1])
    data, model = root / "prepared" / "hostile", root / "models" / "hostile"
    assert prepare_workflow.prepare(str(source), data).report["rejected"] == 1
    train_workflow.train(data, model, settings={"n_factors": 8})
    inspect_workflow.map_items(model)
    inspect_workflow.clusters(model, method="kmeans")
    store.save_map(model, on_grid(store.load_map(model, "tsne")))
    return root / "models"


@pytest.fixture(scope="module")
def hostile(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the app with that model."""
    with serving(models, tmp_path_factory.mktemp("log") / "app.log") as where:
        yield where


def assert_unharmed(page, picture: str) -> None:
    """No title was executed or rendered as markup, the page is not too wide, and no error is shown."""
    settle(page)
    whole_page(page, PICTURES / f"hostile-{picture}.png")
    assert page.evaluate("window.hacked") is None
    main = "[data-testid=stMain]"
    for markup in ("h1:has-text('heading')", "ol", ".katex", "img[src=x]", "svg[onload]", "b", "u", "i[onmouseover]"):
        assert page.locator(f"{main} {markup}").count() == 0, markup
    assert page.locator(f"{main} a[href^=javascript]").count() == 0
    assert page.get_by_test_id("stException").count() == 0
    width = page.viewport_size["width"]
    assert page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth") <= width


@pytest.mark.parametrize("width", [1280, 420])
def test_the_list_the_map_and_the_search(browser, hostile: str, models: Path, width: int) -> None:
    with browsing(browser, width) as page:
        open_app(page, hostile)
        shown = recommended(page)
        assert len(shown) == 10
        rate(page, "ordinary (1969)", 5)
        assert marked(page, "recommended") == recommended(page)
        page.get_by_role("button", name="More like this").first.click()
        page.locator(".st-key-selected").wait_for()
        box = page.get_by_role("combobox", name="Which movies have you seen?")
        box.fill("script window")
        page.get_by_role("option").first.wait_for()
        item_map = store.load_map(models / "hostile", "tsne")
        at = item_map.item_ids.tolist().index(item_of(0))
        map_of(page).scroll_into_view_if_needed()
        page.mouse.move(*to_screen(page, *item_map.coordinates[at].tolist()))
        page.locator(".movie-map .tip strong").wait_for()
        assert page.locator(".movie-map .tip strong").inner_text() == HOSTILE[0]
        assert_unharmed(page, f"for-you-{width}")


@pytest.mark.parametrize("path", ["movie", "dimensions", "dimensions?dimensions-tab=Plane", "quality", "data", "batch"])
def test_every_other_page(browser, hostile: str, path: str) -> None:
    with browsing(browser) as page:
        where = f"{path}?movie=m0%3Cscript%3Ewindow.hacked%3D1%3C%2Fscript%3E" if path == "movie" else path
        open_app(page, hostile, where)
        if path == "movie":
            map_of(page)
            page.get_by_text("<script>window.hacked = 1</script>").first.wait_for()
        assert_unharmed(page, path.replace("?", "-"))


def test_a_batch_shows_titles_as_they_are(browser, hostile: str) -> None:
    with browsing(browser) as page:
        open_app(page, hostile, "batch")
        page.get_by_role("button", name="Generate").click()
        page.get_by_role("button", name="Parquet").wait_for()
        assert_unharmed(page, "batch-made")
