"""Compares scatter plots with 60,000 movies: plotly, deck.gl and our own component.

Drawing times are read from Chromium's screencast, in the same way for all three.
"""

from __future__ import annotations

import base64
import io
import math
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from playwright.sync_api import Locator, Page

from app import large
from app.browser import HEIGHT, PATIENCE, SOFTWARE, WIDE, browsing, frames, pan, settle, turn_wheel
from app.server import serving

PAGE = Path(__file__).with_name("scatter_app.py")
WAYS = {
    "plotly": ("`st.plotly_chart`, Scattergl", ".js-plotly-plot"),
    "deck": ("`st.pydeck_chart`, ScatterplotLayer", "#deckgl-overlay"),
    "ours": ("our `movie_map`", ".movie-map canvas.dots"),
}
QUIET = 2.5
"""Seconds without a new frame after which drawing counts as finished."""
UNLIKE = 40
"""Difference in levels (of 255) from which a pixel counts as changed."""
N_TIMES = 5
ALL, FEW = 100_000, 3000
"""Maximum number of points for timing and for the interaction checks."""
MARK = (160, 28, 28)
"""Colour of marks, the same in all three."""
SLOW = 5000
"""Milliseconds that the slowest of the three needs to redraw in software."""
MOVED = 0.01
"""Share of changed pixels from which the view counts as moved."""


class Film:
    """The screencast of a page, frame by frame with timestamps, and the bytes received."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.pictures: list[tuple[float, bytes]] = []
        self.n_bytes = 0
        self.session = page.context.new_cdp_session(page)
        self.session.on("Page.screencastFrame", self._keep)
        self.session.on("Network.dataReceived", lambda event: self._count(event["encodedDataLength"]))
        self.session.on(
            "Network.webSocketFrameReceived",
            lambda event: self._count(_length(event["response"]["payloadData"], event["response"]["opcode"])),
        )
        self.session.send("Network.enable")
        self.session.send("Page.startScreencast", {"format": "jpeg", "quality": 80, "everyNthFrame": 1})

    def _keep(self, event: dict[str, Any]) -> None:
        self.pictures.append((event["metadata"]["timestamp"], base64.b64decode(event["data"])))
        self.session.send("Page.screencastFrameAck", {"sessionId": event["sessionId"]})

    def _count(self, n_bytes: float) -> None:
        self.n_bytes += int(n_bytes)

    def rest(self) -> None:
        """Wait until nothing changes any more."""
        while True:
            before = len(self.pictures), self.n_bytes
            self.page.wait_for_timeout(1000 * QUIET)
            if before == (len(self.pictures), self.n_bytes):
                return

    def drawn_after(self, since: float, box: dict[str, float]) -> float:
        """Seconds from `since` until a box of the page (x, y, width, height) is fully drawn.

        Fully drawn: nine tenths of the pixels that changed have their final colour.
        """
        shown = [(at, _part(picture, box)) for at, picture in self.pictures]
        first = next((part for at, part in reversed(shown) if at < since), np.full_like(shown[-1][1], 255))
        last = shown[-1][1]
        changed = np.abs(last - first).max(axis=2) > UNLIKE
        if not changed.any():
            return math.nan
        for at, part in shown:
            if at >= since and (np.abs(part - last).max(axis=2)[changed] <= UNLIKE).mean() >= 0.9:
                return at - since
        return math.nan


def _length(payload: str, opcode: int) -> float:
    return len(payload) * 3 / 4 if opcode == 2 else len(payload)


def _part(picture: bytes, box: dict[str, float]) -> np.ndarray:
    """The pixels inside a box, (height, width, 3) int16."""
    image = Image.open(io.BytesIO(picture)).convert("RGB")
    left, top = int(box["x"]), int(box["y"])
    return np.asarray(image.crop((left, top, left + int(box["width"]), top + int(box["height"]))), dtype=np.int16)


def scatter(root: Path) -> list[str]:
    """Bytes, times, frames and interaction of the three."""
    lines = [
        "## Scatter plots with 60,000 movies",
        "",
        f"Positions, sizes, genre colours and titles of the large model ({large.size_of(root)}); 12 movies are marked. "
        "KiB received over HTTP and the websocket for the first view (including Streamlit's own files) "
        "and for a rerun in which only the marks change; seconds from navigation, and from the click that changes the "
        f"marks, until they are drawn (median of {N_TIMES}). WebGL runs in SwiftShader, which makes plotly and "
        f"deck.gl slower than a graphics card would; our map needs no WebGL. {SOFTWARE} "
        "`python benchmarks/app.py scatter`",
        "",
        "| scatter | KiB first | KiB rerun | s first | s rerun |",
        "|---|---|---|---|---|",
    ]
    moving = [
        "",
        "Frames while the plot is dragged and zoomed, as in “Frames while the map moves”:",
        "",
        "| scatter | action | median ms | p95 | worst | frames per second | moves per second |",
        "|---|---|---|---|---|---|---|",
    ]
    able = [
        "",
        "How points can be selected, and whether zoom and selection survive when the marks change (plotly and deck.gl "
        f"with {FEW:,} points only: with all points, software rendering is too slow to respond):",
        "",
        "| scatter | click | lasso | keys move | keys select | zoom survives | selection survives |",
        "|---|---|---|---|---|---|---|",
    ]
    for way, (words, selector) in WAYS.items():
        with _page(root, way) as open_page:
            first, again = _times(open_page, selector)
            lines.append(
                f"| {words} | {first[0] / 1024:,.0f} | {again[0] / 1024:,.0f} | {first[1]:.2f} | {again[1]:.2f} |"
            )
            page, chart = open_page(selector)
            for what, act in (("drag", pan), ("wheel", turn_wheel)):
                moving.append(f"| {words} | {what} | {frames(page, chart, act)} |")
        with _page(root, way, FEW) as open_page:
            able.append(f"| {words} | {' | '.join(_abilities(way, open_page, selector))} |")
    return lines + moving + able


Open = Callable[..., tuple[Page, Locator]]


@contextmanager
def _page(root: Path, way: str, n_dots: int = ALL) -> Iterator[Open]:
    """A server for one component with its model loaded; yields a function that opens it in a new browser profile."""
    model = large.models_of(root) / large.MODEL
    environment = {"SCATTER": way, "SCATTER_MODEL": str(model), "SCATTER_DOTS": str(n_dots)}
    with (
        tempfile.TemporaryDirectory() as folder,
        browsing() as browser,
        serving(PAGE, Path(folder) / "server.log", environment) as server,
    ):

        def open_page(selector: str, begin: Callable[[Page], None] = lambda _: None) -> tuple[Page, Locator]:
            for context in browser.contexts:  # one page at a time: hidden pages draw as well
                context.close()
            page = browser.new_context(viewport={"width": WIDE, "height": HEIGHT}).new_page()
            page.set_default_timeout(PATIENCE)
            begin(page)
            page.goto(server.url)
            chart = page.locator(selector).first
            chart.wait_for()
            page.get_by_text("chosen: 0").wait_for()
            settle(page)
            return page, chart

        open_page(WAYS[way][1])
        yield open_page


def _times(open_page: Open, selector: str) -> tuple[np.ndarray, np.ndarray]:
    """Median bytes and seconds of the first view and of a change of marks."""
    firsts, agains = [], []
    for _ in range(N_TIMES):
        films: list[Film] = []
        started = time.time()
        page, chart = open_page(selector, lambda page: films.append(Film(page)))  # noqa: B023
        film = films[0]
        film.rest()
        box = chart.bounding_box()
        assert box is not None
        firsts.append((film.n_bytes, film.drawn_after(started, box)))
        film.n_bytes = 0
        started = time.time()
        page.get_by_role("button", name="Other marks").click()
        film.rest()
        agains.append((film.n_bytes, film.drawn_after(started, box)))
    return np.nanmedian(firsts, axis=0), np.nanmedian(agains, axis=0)


# --- what one can do --------------------------------------------------------------------------------------------


def _abilities(way: str, open_page: Open, selector: str) -> list[str]:
    """Yes or no: select by click, by lasso; move and select by keys; zoom and selection survive a change of marks."""

    def drawn() -> tuple[Page, Locator]:
        page, chart = open_page(selector)
        page.wait_for_timeout(SLOW)
        return page, chart

    page, chart = drawn()
    by_click = _click(page, chart)
    choice_stays = by_click and _chosen_after_other_marks(page) > 0
    page, chart = drawn()
    by_lasso = _lasso(way, page, chart)
    page, chart = drawn()
    before = _look(chart)
    chart.click(position={"x": 5, "y": 5})  # focus an empty corner: keys, and the wheel of our map, need focus
    for key in ("+", "+", "ArrowRight", "ArrowRight"):
        page.keyboard.press(key)
    page.wait_for_timeout(SLOW)
    keys_move = _unlike(before, _look(chart)) > MOVED
    page.keyboard.press("Enter")
    keys_choose = _chosen(page) > 0
    page, chart = drawn()
    before = _look(chart)
    chart.click(position={"x": 5, "y": 5})
    chart.hover()
    for _ in range(5):
        page.mouse.wheel(0, -100)
    page.mouse.move(5, 5)
    page.wait_for_timeout(SLOW)
    zoomed = _look(chart)
    _chosen_after_other_marks(page)
    zoom_stays = _unlike(before, zoomed) > MOVED and _unlike(zoomed, _look(chart)) < _unlike(before, zoomed) / 2
    return ["yes" if can else "no" for can in (by_click, by_lasso, keys_move, keys_choose, zoom_stays, choice_stays)]


def _click(page: Page, chart: Locator) -> bool:
    """Whether a click on a mark selects it."""
    box = chart.bounding_box()
    assert box is not None
    is_mark = np.abs(_look(chart) - MARK).max(axis=2) < UNLIKE
    inside = np.lib.stride_tricks.sliding_window_view(is_mark, (5, 5)).all(axis=(2, 3))
    y, x = (np.argwhere(inside)[0] + 2).tolist()
    page.mouse.move(box["x"] + x, box["y"] + y)
    page.wait_for_timeout(SLOW)
    page.mouse.down()
    page.mouse.up()
    return _chosen(page) > 0


def _lasso(way: str, page: Page, chart: Locator) -> bool:
    """Whether the points inside a lasso can be selected; deck.gl in Streamlit has no lasso."""
    if way == "deck":
        return False
    chart.hover()
    page.locator({"plotly": "[data-title='Lasso Select']", "ours": "[data-does=lasso]"}[way]).click()
    box = chart.bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x + 80, y)
    page.mouse.down()
    for step in range(1, 40):
        page.mouse.move(x + 80 * math.cos(step / 6.4), y + 80 * math.sin(step / 6.4))
    page.mouse.up()
    return _chosen(page) > 1


def _chosen_after_other_marks(page: Page) -> int:
    page.get_by_role("button", name="Other marks").click()
    return _chosen(page)


def _chosen(page: Page) -> int:
    """The number of selected movies that the page shows, after waiting for it to update."""
    page.wait_for_timeout(SLOW)
    settle(page)
    return int(page.get_by_text("chosen: ").inner_text().removeprefix("chosen: "))


def _look(chart: Locator) -> np.ndarray:
    image = Image.open(io.BytesIO(chart.screenshot())).convert("RGB")
    return np.asarray(image, dtype=np.int16)


def _unlike(one: np.ndarray, other: np.ndarray) -> float:
    """Share of pixels that differ."""
    return float((np.abs(one - other).max(axis=2) > UNLIKE).mean())
