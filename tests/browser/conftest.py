"""Fixtures of the browser tests: Chromium, and the app over models of MovieLens 100K."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from driver import CHROMIUM, Point, browsing, chromium, open_app, serving
from layout import on_grid

from recsys import store


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder needs a browser."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker("browser")
            if CHROMIUM is None:
                item.add_marker(pytest.mark.skip(reason="no Chromium here (Debian: apt-get install chromium)"))


@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
    """One Chromium for the tests of a file; only one playwright can run at a time."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as running, chromium(running) as opened:
        yield opened


@pytest.fixture(scope="session")
def address(app_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The app over MovieLens 100K. Its t-SNE map differs from machine to machine: use `grid_address` to point at it."""
    with serving(app_models, tmp_path_factory.mktemp("log") / "app.log") as where:
        yield where


@pytest.fixture(scope="session")
def grid_models(app_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The models of `address`, with a map of well-separated dots, the same on every machine."""
    root = tmp_path_factory.mktemp("grid") / "app"
    shutil.copytree(app_models.parent, root)
    models = root / "models"
    folder = models / "ml-100k-ials"
    clusters = store.load_clusters(folder)
    assert clusters is not None
    store.save_map(folder, on_grid(store.load_map(folder, "tsne"), clusters.labels))
    return models


@pytest.fixture(scope="session")
def positions(grid_models: Path) -> dict[str, Point]:
    """Map coordinates of each movie on the map of `grid_address`, by title."""
    folder = grid_models / "ml-100k-ials"
    item_map = store.load_map(folder, "tsne")
    titles = store.load_model(folder).catalog.label_of(item_map.item_ids[item_map.is_placed])
    return dict(zip(titles, map(tuple, item_map.coordinates[item_map.is_placed].tolist()), strict=True))


@pytest.fixture(scope="session")
def grid_address(grid_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The app over `grid_models`."""
    with serving(grid_models, tmp_path_factory.mktemp("log") / "app.log") as where:
        yield where


@pytest.fixture
def page(browser, grid_address: str) -> Iterator[object]:
    """The page "For you", 1280 wide and light, with the map of `positions`."""
    with browsing(browser) as opened:
        open_app(opened, grid_address)
        yield opened
