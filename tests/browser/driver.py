"""Serve the app and operate it in a real browser. Shared by the browser tests and the screenshots."""

from __future__ import annotations

import io
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page, Playwright

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PATIENCE = 30_000
"""Milliseconds to wait for something to appear: generous, for a busy machine; a page takes a second or two."""

Point = tuple[float, float]


@contextmanager
def serving(
    models: Path, log: Path, script: Path = ROOT / "app.py", environment: Mapping[str, str] | None = None
) -> Iterator[str]:
    """Run the app, or another Streamlit script, over a folder of models until the block ends; yields its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with log.open("w") as out:
        command = [sys.executable, "-m", "streamlit", "run", str(script), "--server.port", str(port)]
        command += ["--server.address", "127.0.0.1", "--server.headless", "true"]
        server = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, "RECSYS_MODELS": str(models), **(environment or {})},
            stdout=out,
            stderr=subprocess.STDOUT,
        )
        try:
            address = f"http://127.0.0.1:{port}"
            _wait_for(f"{address}/_stcore/health", server, log)
            yield address
        finally:
            server.terminate()
            server.wait(timeout=20)


def _wait_for(health: str, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            with urllib.request.urlopen(health, timeout=1):
                return
        except OSError:
            if server.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the app did not start:\n{log.read_text()}") from None
            time.sleep(0.1)


@contextmanager
def chromium(playwright: Playwright) -> Iterator[Browser]:
    """The system's Chromium."""
    browser = playwright.chromium.launch(
        executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    )
    try:
        yield browser
    finally:
        browser.close()


@contextmanager
def browsing(
    browser: Browser, width: int = 1280, dark: bool = False, locale: str = "en-GB", pixel_ratio: float = 1
) -> Iterator[Page]:
    """A page with its own storage. Raises AssertionError at the end if a script of the page threw an exception, or if
    the Content-Security-Policy refused something."""
    context = browser.new_context(
        viewport={"width": width, "height": 900},
        color_scheme="dark" if dark else "light",
        device_scale_factor=pixel_ratio,
        locale=locale,
    )
    try:
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda said: errors.append(said.text) if "Content Security Policy" in said.text else None)
        yield page
        assert not errors, errors
    finally:
        context.close()


def open_app(page: Page, address: str, path: str = "") -> None:
    """Open a page of the app and wait until it has settled."""
    page.goto(f"{address}/{path}")
    page.get_by_test_id("stMainBlockContainer").get_by_test_id("stHeading").first.wait_for()
    settle(page)
    if path.partition("?")[0] in ("", "for-you"):
        map_of(page)


def settle(page: Page) -> None:
    """Wait until the script has finished and the browser has drawn its output."""
    page.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for()
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")


def map_of(page: Page) -> Locator:
    """The map, once it is drawn."""
    found = page.locator(".movie-map[data-ready]")
    found.wait_for()
    return found


def until(page: Page, is_true: Callable[[], bool]) -> None:
    """Wait until a condition holds. Raises AssertionError after `PATIENCE`."""
    deadline = time.monotonic() + PATIENCE / 1000
    while not is_true():
        assert time.monotonic() < deadline, "the condition did not become true in time"
        page.wait_for_timeout(20)


def view_of(page: Page) -> dict[str, float]:
    """The part of the map in view: map coordinates x and y at the centre of the frame; scale, CSS pixels per unit."""
    view: dict[str, float] = json.loads(map_of(page).get_attribute("data-view") or "")
    return view


def dots_in_view(page: Page) -> int:
    """How many dots of the map are in view."""
    return int(map_of(page).get_attribute("data-in-view") or "")


def to_screen(page: Page, x: float, y: float) -> Point:
    """Pixels of the page at which map coordinates are drawn."""
    view, (left, top, width, height) = view_of(page), frame_of(page)
    scale = view["scale"] * _transform(page)
    return left + width / 2 + (x - view["x"]) * scale, top + height / 2 - (y - view["y"]) * scale


def to_map(page: Page, x: float, y: float) -> Point:
    """Map coordinates at pixels of the page."""
    view, (left, top, width, height) = view_of(page), frame_of(page)
    scale = view["scale"] * _transform(page)
    return view["x"] + (x - left - width / 2) / scale, view["y"] - (y - top - height / 2) / scale


def _transform(page: Page) -> float:
    """Scale of the CSS transforms around the map, 1 without any."""
    own: float = page.locator(".movie-map canvas.dots").evaluate("canvas => canvas.offsetWidth")
    return frame_of(page)[2] / own


def frame_of(page: Page) -> tuple[float, float, float, float]:
    """Left, top, width and height of the map's picture, in pixels of the page."""
    box = page.locator(".movie-map canvas.dots").bounding_box()
    assert box is not None
    return box["x"], box["y"], box["width"], box["height"]


def nearest(positions: dict[str, Point], x: float, y: float) -> str:
    """Title of the movie whose map coordinates are nearest."""
    return min(positions, key=lambda title: (positions[title][0] - x) ** 2 + (positions[title][1] - y) ** 2)


def marked(page: Page, kind: str) -> list[str]:
    """Titles that the map marks as rated, recommended, similar or focus, as it lists them for screen readers."""
    return map_of(page).locator(f".marked [data-kind={kind}] bdi").all_text_contents()


def picture_of(shown: Page | Locator) -> np.ndarray:
    """Colours of a page or of one element, (height, width, 3) int, in device pixels."""
    return np.asarray(Image.open(io.BytesIO(shown.screenshot())).convert("RGB"), dtype=int)


def find(page: Page, typed: str, title: str, label: str = "Which movies have you seen?") -> None:
    """Type into a search box and choose the suggested title."""
    page.get_by_role("combobox", name=label).fill(typed)
    page.get_by_role("option").filter(has_text=title).first.click()


def rate(page: Page, title: str, stars: int) -> None:
    """Search for a movie and rate it."""
    find(page, title[:6], title)
    found = page.locator(".st-key-found").filter(has_text=title)
    found.get_by_role("radio", name=f"{stars} out of 5 stars").click()
    page.locator(".st-key-mine").get_by_text(title, exact=True).wait_for()
    settle(page)


def recommended(page: Page) -> list[str]:
    """Titles of the list, in order."""
    texts = page.locator(".st-key-recommended [data-testid=stMarkdown] strong").all_inner_texts()
    return [text.strip().split(" · ", 1)[1] for text in texts]


def whole_page(page: Page, path: Path, height: int | None = None) -> None:
    """Save a screenshot of the whole page, or of its first `height` pixels."""
    path.parent.mkdir(parents=True, exist_ok=True)
    page.mouse.move(2, 2)
    page.wait_for_function("() => !document.querySelector('[data-testid=stSkeleton]')")  # charts that are still loading
    height = height or page.evaluate("document.querySelector('[data-testid=stMain]').scrollHeight")
    size = page.viewport_size
    assert size is not None
    page.set_viewport_size({"width": size["width"], "height": int(height)})
    page.wait_for_function(f"window.innerHeight === {int(height)}")
    settle(page)
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    page.screenshot(path=path)
    page.set_viewport_size(size)
