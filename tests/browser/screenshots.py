"""Take the README's pictures: `make screenshots`. Needs the models of `recsys demo --no-app` and a Chromium."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from driver import CHROMIUM, ROOT, browsing, open_app, rate, serving
from playwright.sync_api import sync_playwright

from recsys.datasets import data_root

RATED = {"Toy Story (1995)": 4, "Alien (1979)": 5, "Blade Runner (1982)": 5, "The Princess Bride (1987)": 4}


def main() -> None:
    """Write docs/app.png: four ratings, the list they lead to, and the map."""
    models = data_root().resolve() / "models"
    if CHROMIUM is None or not models.is_dir():
        sys.exit(f"screenshots need a Chromium and the models in {models}; run recsys demo --no-app first")
    log = Path(tempfile.mkdtemp()) / "app.log"
    with serving(models, log) as address, sync_playwright() as playwright, browsing(playwright) as page:
        open_app(page, address)
        for title, stars in RATED.items():
            rate(page, title, stars)
        page.set_viewport_size({"width": 1280, "height": 1000})
        page.mouse.move(5, 5)
        (ROOT / "docs").mkdir(exist_ok=True)
        page.screenshot(path=ROOT / "docs" / "app.png")
        sys.stdout.write("docs/app.png\n")


if __name__ == "__main__":
    main()
