"""Take the README's pictures: `make screenshots`. Needs the models of `recsys demo --no-app` and a Chromium."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from driver import CHROMIUM, ROOT, browsing, open_app, rate, serving
from playwright.sync_api import sync_playwright

from recsys import stages
from recsys.datasets import data_root
from recsys.models import DEFAULT_MODEL

RATED = {"Toy Story (1995)": 4, "Alien (1979)": 5, "Blade Runner (1982)": 5, "The Princess Bride (1987)": 4}


def main() -> None:
    """Write docs/app.png: four ratings, the list they lead to, and the map; docs/plane.png: all movies on two axes."""
    models = data_root().resolve() / "models"
    if CHROMIUM is None or not models.is_dir():
        sys.exit(f"screenshots need a Chromium and the models in {models}; run recsys demo --no-app first")
    work = Path(tempfile.mkdtemp())
    plane = work / "plane.html"
    stages.map_items(models / f"{stages.DEMO_DATASET}-{DEFAULT_MODEL}", axes=["adult", "blockbuster"], out=plane)
    with serving(models, work / "app.log") as address, sync_playwright() as playwright, browsing(playwright) as page:
        open_app(page, address)
        for title, stars in RATED.items():
            rate(page, title, stars)
        page.set_viewport_size({"width": 1280, "height": 1000})
        page.mouse.move(5, 5)
        (ROOT / "docs").mkdir(exist_ok=True)
        page.screenshot(path=ROOT / "docs" / "app.png")
        page.goto(plane.as_uri())
        page.set_viewport_size({"width": 1260, "height": 920})
        page.locator("#picture").screenshot(path=ROOT / "docs" / "plane.png")
        sys.stdout.write("docs/app.png docs/plane.png\n")


if __name__ == "__main__":
    main()
