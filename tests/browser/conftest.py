"""Shared by the browser tests: one Chromium, and one app over models of MovieLens 100K, for all of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from driver import CHROMIUM, browsing, chromium, open_app, serving


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder needs a browser."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker("browser")
            if CHROMIUM is None:
                item.add_marker(pytest.mark.skip(reason="no Chromium here (Debian: apt-get install chromium)"))


@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
    """One Chromium for the tests of a file; playwright can run only once at a time."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as running, chromium(running) as opened:
        yield opened


@pytest.fixture(scope="session")
def address(app_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving(app_models, tmp_path_factory.mktemp("log") / "app.log") as where:
        yield where


@pytest.fixture
def page(browser, address: str) -> Iterator[object]:
    """The page "For you", 1280 wide and light."""
    with browsing(browser) as opened:
        open_app(opened, address)
        yield opened
