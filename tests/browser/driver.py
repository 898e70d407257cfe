"""The app in a real browser: serve it, open it, rate in it. Shared by the browser tests, screenshots and benchmarks."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page, Playwright

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PATIENCE = 30_000
"""Milliseconds to wait for something to appear: long, for a machine that is busy; a page takes a second or two."""


@contextmanager
def serving(models: Path, log: Path) -> Iterator[str]:
    """The address of an app that serves the models of a folder; it ends with the block."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with log.open("w") as out:
        command = [sys.executable, "-m", "streamlit", "run", str(ROOT / "app.py"), "--server.port", str(port)]
        command += ["--server.address", "127.0.0.1", "--server.headless", "true", "--server.fileWatcherType", "none"]
        server = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, "RECSYS_MODELS": str(models)},
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
def browsing(browser: Browser, width: int = 1280, dark: bool = False, locale: str = "en-GB") -> Iterator[Page]:
    """A page of that width that remembers nothing of others. What its scripts complain of is an error at the end."""
    context = browser.new_context(
        viewport={"width": width, "height": 900},
        color_scheme="dark" if dark else "light",
        device_scale_factor=1,
        locale=locale,
    )
    try:
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        complaints: list[str] = []
        page.on("pageerror", lambda error: complaints.append(str(error)))
        yield page
        assert not complaints, complaints
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
    """Wait until the app has finished what it was asked, and the browser has drawn it."""
    page.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for()
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")


def map_of(page: Page) -> Locator:
    """The map, once it is drawn."""
    found = page.locator(".movie-map[data-ready]")
    found.wait_for()
    return found


def on_map(page: Page, question: str, argument: Any = None) -> Any:
    """Ask the map itself: a JavaScript expression in which `map` is it, and `argument` what is given."""
    return map_of(page).evaluate(f"(root, argument) => {{ const map = root.movieMap; return {question}; }}", argument)


def marked(page: Page, kind: str) -> list[str]:
    """Titles that the map marks as rated, recommended or alike."""
    return on_map(page, "map.data.marks[argument].map(([row]) => map.items.titles[row])", kind)


def find(page: Page, typed: str, title: str, label: str = "Which movies have you seen?") -> None:
    """Type into a search box and take the title that is offered."""
    page.get_by_role("combobox", name=label).fill(typed)
    page.get_by_role("option").filter(has_text=title).first.click()


def rate(page: Page, title: str, stars: int) -> None:
    """Find a movie by the beginning of its title and give it stars."""
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
    """A picture of all of the page, not only of what fits the window; or of so many pixels of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    page.mouse.move(2, 2)
    page.wait_for_function("() => !document.querySelector('[data-testid=stSkeleton]')")  # charts that are on their way
    height = height or page.evaluate("document.querySelector('[data-testid=stMain]').scrollHeight")
    size = page.viewport_size
    assert size is not None
    page.set_viewport_size({"width": size["width"], "height": int(height)})
    page.wait_for_function(f"window.innerHeight === {int(height)}")
    settle(page)
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    page.screenshot(path=path)
    page.set_viewport_size(size)
