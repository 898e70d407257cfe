"""The app in a real browser: serve it, open it, rate in it. Shared by the browser tests and the screenshots."""

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
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Page, Playwright

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
def browsing(playwright: Playwright, width: int = 1280, dark: bool = False) -> Iterator[Page]:
    """A page of the system's Chromium, of that width."""
    browser = playwright.chromium.launch(
        executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    )
    try:
        page = browser.new_page(
            viewport={"width": width, "height": 900}, color_scheme="dark" if dark else "light", device_scale_factor=1
        )
        page.set_default_timeout(PATIENCE)
        yield page
    finally:
        browser.close()


def open_app(page: Page, address: str) -> None:
    """Open the page "For you" and wait until list and map are there."""
    page.goto(address)
    page.get_by_text("Watch next").wait_for()
    page.locator(".js-plotly-plot .scatterlayer .point").first.wait_for()
    settle(page)


def settle(page: Page) -> None:
    """Wait until the app has finished what it was asked."""
    page.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for()


def rate(page: Page, title: str, stars: int) -> None:
    """Type the beginning of a title, take the one that is offered in full, and give it stars."""
    search = page.get_by_role("combobox", name="Which movies have you seen?")
    search.click()
    search.fill(title[:6])
    page.get_by_role("option", name=title, exact=True).click()
    found = page.locator("[class*=st-key-found-]")  # not the stars of another movie that is about to go
    found.get_by_role("radio", name=f"{stars} out of 5 stars").click()
    page.get_by_role("button", name="Start over").wait_for()
    found.wait_for(state="detached")
    settle(page)


def recommended(page: Page) -> list[str]:
    """Titles of the list, in order."""
    cards = page.locator("[data-testid=stMarkdown] strong")
    texts = [text.strip() for text in cards.all_inner_texts()]
    return [text.split(" · ", 1)[1] for text in texts if " · " in text]


def whole_page(page: Page, path: Path) -> None:
    """A picture of all of the page, not only of what fits the window."""
    path.parent.mkdir(parents=True, exist_ok=True)
    height = page.evaluate("document.querySelector('[data-testid=stMain]').scrollHeight")
    size = page.viewport_size
    assert size is not None
    page.set_viewport_size({"width": size["width"], "height": int(height)})
    page.wait_for_function(f"window.innerHeight === {int(height)}")
    settle(page)
    page.screenshot(path=path)
    page.set_viewport_size(size)
