"""Take the screenshots of README and docs (`make screenshots`). Needs Chromium and the model of the demo."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from driver import CHROMIUM, ROOT, browsing, chromium, map_of, open_app, rate, serving, settle, whole_page
from playwright.sync_api import Page, sync_playwright

from recsys.ingest.datasets import data_root
from recsys.models import DEFAULT_MODEL
from recsys.workflows import demo as demo_workflow
from recsys.workflows import evaluate as evaluate_workflow
from recsys.workflows import inspect as inspect_workflow

DOCS = ROOT / "docs"
MODEL = f"{demo_workflow.DEMO_DATASET}-{DEFAULT_MODEL}"
RATED = {"Toy Story (1995)": 4, "Alien (1979)": 5, "Blade Runner (1982)": 5, "The Princess Bride (1987)": 4}


def for_you(page: Page, address: str) -> None:
    """Four ratings, the resulting list, and the map."""
    open_app(page, address)
    for title, stars in RATED.items():
        rate(page, title, stars)


def movie(page: Page, address: str) -> None:
    """The page of Alien."""
    open_app(page, address, "movie?movie=183")
    map_of(page)


def plane(page: Page, address: str) -> None:
    """All movies on two axes."""
    open_app(page, address, "dimensions")
    page.get_by_role("tab", name="Plane").click()
    map_of(page)


def genres(page: Page, address: str) -> None:
    """Genres along axes."""
    open_app(page, address, "dimensions")
    page.get_by_role("tab", name="Genres").click()
    page.locator(".js-plotly-plot").first.wait_for()


def batch(page: Page, address: str) -> None:
    """Lists for all users."""
    open_app(page, address, "batch")
    page.get_by_role("button", name="Generate").click()
    page.get_by_role("button", name="Parquet").wait_for()


def opened(path: str) -> Callable[[Page, str], None]:
    """Open a page without further action."""
    return lambda page, address: open_app(page, address, path)


PICTURES: dict[str, tuple[Callable[[Page, str], None], int, int | None, bool]] = {
    "app": (for_you, 1280, 1000, False),
    "app-420-dark": (for_you, 420, 1200, True),
    "app-chinese": (opened("?user=5&language=中文"), 1280, 1000, False),
    "movie": (movie, 1280, None, False),
    "dimensions": (opened("dimensions"), 1280, None, False),
    "dimensions-plane": (plane, 1280, None, True),
    "dimensions-genres": (genres, 1280, None, False),
    "quality": (opened("quality"), 1280, None, False),
    "data": (opened("data"), 1280, None, False),
    "batch": (batch, 1280, None, False),
}
"""File name in docs/: action, width, height (None: the whole page), dark theme."""


def main() -> None:
    """Write one screenshot per page to docs/, and docs/plane.png, the map of two axes that `recsys map` writes."""
    there = data_root().resolve() / "models" / MODEL
    if CHROMIUM is None or not there.is_dir():
        sys.exit(f"screenshots need a Chromium and the model {there}; run recsys demo --no-app first")
    work = Path(tempfile.mkdtemp())
    model = work / "models" / MODEL
    shutil.copytree(there, model)
    data = work / "prepared" / demo_workflow.DEMO_DATASET
    shutil.copytree(data_root().resolve() / "prepared" / demo_workflow.DEMO_DATASET, data)
    os.environ["RECSYS_DATA"] = str(work)  # output folder of the page Batch
    evaluate_workflow.evaluate(data, trained=model)
    inspect_workflow.report_embedding(model, data)
    page_of_plane = work / "plane.html"
    inspect_workflow.map_items(model, axes=["adult", "blockbuster"], out=page_of_plane)
    (model / "map-axes.parquet").unlink()
    DOCS.mkdir(exist_ok=True)
    with (
        serving(work / "models", work / "app.log") as address,
        sync_playwright() as playwright,
        chromium(playwright) as browser,
    ):
        for name, (show, width, height, dark) in PICTURES.items():
            with browsing(browser, width, dark) as page:
                show(page, address)
                settle(page)
                whole_page(page, DOCS / f"{name}.png", height)
                sys.stdout.write(f"docs/{name}.png\n")
        with browsing(browser) as page:
            page.goto(page_of_plane.as_uri())
            page.set_viewport_size({"width": 1260, "height": 920})
            page.locator("#picture").screenshot(path=DOCS / "plane.png")
            sys.stdout.write("docs/plane.png\n")
    shutil.rmtree(work)


if __name__ == "__main__":
    main()
