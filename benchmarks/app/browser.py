"""Times seen in a browser: the first view, a new list after a rating, frames of the map."""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from playwright.sync_api import Browser, Locator, Page, sync_playwright

from app import large
from app.server import ROOT, Server, serving
from recsys import store
from recsys.models import Model
from recsys.recommend.rerank import rerank
from recsys.recommend.topn import batch_of_ratings, explain

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
WIDE, NARROW = 1280, 420
HEIGHT = 900
PATIENCE = 120_000
"""Milliseconds to wait for something to appear."""
N_VIEWS = 10
N_RATINGS = 30
GIVEN = (5, 50, 200)
"""Numbers of earlier ratings."""
N_IN_PROCESS = 300
DRAG_SECONDS = 2.0
MOST_VIEW, MOST_RATING, MOST_LIBRARY, LEAST_FRAMES = 3.0, 300.0, 20.0, 50.0
"""Goals: seconds, milliseconds, milliseconds (99th percentile), frames per second."""
SOFTWARE = (
    f"Chromium renders in software and shares {large.threads()} cores with the server, so the times are upper bounds."
)

WATCH_VIEW = """
window.seen = {};
const roots = [];
const attach = Element.prototype.attachShadow;
Element.prototype.attachShadow = function (how) {
  const root = attach.call(this, how);
  roots.push(root);
  return root;
};
const look = () => {
  seen.list ??= document.querySelector('[class*=st-key-recommended] strong') ? performance.now() : undefined;
  seen.map ??= roots.some((root) => root.querySelector('.movie-map[data-ready]')) ? performance.now() : undefined;
  if (!seen.list || !seen.map) requestAnimationFrame(look);
};
requestAnimationFrame(look);
"""
"""Injected before any script: milliseconds from navigation until the list and the map are drawn."""

WATCH_RATING = """
([stars, map]) => {
  const first = () => document.querySelector('[class*=st-key-recommended] strong')?.textContent;
  const before = first(), drawn = map.dataset.ready;
  window.answer = {};
  let from = 0;
  stars.addEventListener('pointerdown', () => { from = performance.now(); }, { capture: true, once: true });
  const observer = new MutationObserver(() => {
    if (answer.list || first() === before || !first()) return;
    answer.list = performance.now() - from;
    observer.disconnect();
    const look = () => {
      if (map.dataset.ready !== drawn) answer.map = performance.now() - from;
      else requestAnimationFrame(look);
    };
    look();
  });
  observer.observe(document.body, { subtree: true, childList: true, characterData: true });
}
"""
"""Milliseconds from pressing a star until the first card changes, and until the map shows the change."""

WATCH_FRAMES = """
() => {
  window.frames_seen = [];
  window.moves_seen = 0;
  window.is_watching = true;
  const count = () => { moves_seen += is_watching; };
  for (const kind of ['pointermove', 'wheel']) window.addEventListener(kind, count, { capture: true, passive: true });
  const next = (now) => { frames_seen.push(now); if (is_watching) requestAnimationFrame(next); };
  requestAnimationFrame(next);
}
"""
"""Frame timestamps, and the number of mouse and wheel events that the page handled: at most one per frame."""


@contextmanager
def browsing() -> Iterator[Browser]:
    """The system's Chromium, headless; SwiftShader renders WebGL in software."""
    assert CHROMIUM is not None, "these measurements need a Chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--enable-unsafe-swiftshader", "--disable-background-networking"],
        )
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def fresh_page(browser: Browser, width: int = WIDE, *scripts: str) -> Iterator[Page]:
    """A page with a new browser profile; `scripts` run in it before all others."""
    context = browser.new_context(viewport={"width": width, "height": HEIGHT})
    try:
        for script in scripts:
            context.add_init_script(script)
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        yield page
    finally:
        context.close()


def settle(page: Page) -> None:
    """Wait until the Streamlit script has finished."""
    page.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for()


def open_page(page: Page, server: Server) -> Locator:
    """Open the page For you; returns the map once it is drawn."""
    page.goto(server.url)
    page.locator("[class*=st-key-recommended] strong").first.wait_for()
    drawn = page.locator(".movie-map[data-ready]")
    drawn.wait_for()
    settle(page)
    return drawn


@contextmanager
def app(root: Path) -> Iterator[Server]:
    """The app with the large model."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {"RECSYS_MODELS": str(large.models_of(root))}
        with serving(ROOT / "app.py", Path(folder) / "server.log", environment) as server:
            yield server


# --- the first view ---------------------------------------------------------------------------------------------


def view(root: Path) -> list[str]:
    """Time until list and map are drawn, with a cold and with a warm server."""
    lines = [
        "## The first view",
        "",
        f"The page For you on the large model ({large.size_of(root)}), {WIDE} pixels wide: seconds from navigation "
        f"until the list and the map are drawn, each time with a new browser profile; warm is the median of {N_VIEWS}. "
        f"{SOFTWARE} `python benchmarks/app.py view`",
        "",
        "| server | list | list and map | worst | goal |",
        "|---|---|---|---|---|",
    ]
    with browsing() as browser, app(root) as server:
        cold, *warm = [_view(browser, server) for _ in range(N_VIEWS + 1)]
    lines.append(f"| cold: loads the model first | {cold[0]:.1f} | {cold[1]:.1f} | | |")
    seconds = np.array(warm)
    middle = np.median(seconds, axis=0)
    lines.append(f"| warm | {middle[0]:.2f} | **{middle[1]:.2f}** | {seconds[:, 1].max():.2f} | ≤ {MOST_VIEW:g} |")
    return lines


def _view(browser: Browser, server: Server) -> tuple[float, float]:
    """Seconds until the list, and until list and map."""
    with fresh_page(browser, WIDE, WATCH_VIEW) as page:
        page.goto(server.url)
        page.wait_for_function("() => window.seen && seen.list && seen.map")
        seen = page.evaluate("seen")
        return seen["list"] / 1000, max(seen["list"], seen["map"]) / 1000


# --- a rating ---------------------------------------------------------------------------------------------------


def rating(root: Path) -> list[str]:
    """Time from a rating to the new list, in the browser and in the library alone."""
    model = store.load_model(large.models_of(root) / large.MODEL)
    model.fitted.prepare_top_k()  # as the app does
    lines = [
        "## From a rating to new recommendations",
        "",
        f"The page For you on the large model ({large.size_of(root)}): milliseconds from pressing a star until "
        "the first movie of the list changes in the browser, and until the map shows it. The rated movie is the first "
        f"one of the list, found by typing its title. {N_RATINGS} ratings each. {SOFTWARE} "
        "`python benchmarks/app.py rating`",
        "",
        "| ratings before | list: median | p95 | worst | with the map: median | p95 | goal |",
        "|---|---|---|---|---|---|---|",
    ]
    with browsing() as browser, app(root) as server:
        for given in GIVEN:
            found = np.array(_ratings(browser, server, some_ratings(model, given, seed=given)))
            (median, p95, worst), (with_map, with_map_95, _) = (np.percentile(part, (50, 95, 100)) for part in found.T)
            lines.append(
                f"| {given} | **{median:.0f}** | {p95:.0f} | {worst:.0f} | {with_map:.0f} | {with_map_95:.0f} "
                f"| ≤ {MOST_RATING:.0f} |"
            )
    lines += [
        "",
        f"The library alone, in process: ratings → vector, top-10 list, explanations; {N_IN_PROCESS} different users.",
        "",
        "| ratings | median | p99 | vector | list | explanations | goal for p99 |",
        "|---|---|---|---|---|---|---|",
    ]
    for given in GIVEN:
        parts = _in_process(model, given)
        middle, high = np.percentile(parts.sum(axis=1), (50, 99))
        each = " | ".join(f"{part:.1f}" for part in np.median(parts, axis=0))
        lines.append(f"| {given} | {middle:.1f} | **{high:.1f}** | {each} | ≤ {MOST_LIBRARY:.0f} |")
    return lines


def some_ratings(model: Model, n: int, seed: int) -> dict[int, float]:
    """Ratings of n movies drawn from the 1000 most rated ones."""
    dice = np.random.default_rng(seed)
    rows = dice.choice(np.argsort(-model.n_ratings)[:1000], n, replace=False)
    return {int(model.item_ids[row]): float(dice.integers(3, 6)) for row in rows}


def _ratings(browser: Browser, server: Server, before: dict[int, float]) -> list[tuple[float, float]]:
    """Milliseconds until the list and until the map are updated, for each rating."""
    kept = json.dumps({"ratings": list(before.items()), "hidden": []})
    remember = f"localStorage.setItem('recsys:{large.DATA}', {json.dumps(kept)})"
    found = []
    with fresh_page(browser, WIDE, remember) as page:
        drawn = open_page(page, server)
        page.get_by_text(f"You rated {len(before)}", exact=True).wait_for()
        for number in range(N_RATINGS + 1):
            settle(page)
            head = page.locator("[class*=st-key-recommended] strong").first.inner_text().split(" · ", 1)[1]
            search = page.get_by_role("combobox", name="Which movies have you seen?")
            search.fill(head)
            page.get_by_role("option").filter(has=page.get_by_text(head, exact=True)).click()
            row = page.locator(".st-key-found")
            row.get_by_text(head, exact=True).wait_for()
            settle(page)
            star = row.get_by_role("radio", name="4 out of 5 stars")
            page.evaluate(WATCH_RATING, [row.element_handle(), drawn.element_handle()])
            star.click()
            page.wait_for_function("() => window.answer && answer.list && answer.map")
            answer = page.evaluate("answer")
            if number:  # the first rating is a warm-up
                found.append((answer["list"], answer["map"]))
    return found


def _in_process(model: Model, given: int) -> np.ndarray:
    """Milliseconds for vector, list and explanations, (N_IN_PROCESS, 3)."""
    allowed = np.ones(len(model.item_ids), dtype=bool)
    parts = np.zeros((N_IN_PROCESS + 5, 3))
    for number in range(len(parts)):
        ratings = some_ratings(model, given, seed=number)
        times = [time.perf_counter()]
        batch = batch_of_ratings(model, ratings)
        times.append(time.perf_counter())
        table = rerank(model, batch, 10, allowed=allowed)
        times.append(time.perf_counter())
        explain(model, batch, table["item_id"].to_numpy(), top=2)
        times.append(time.perf_counter())
        parts[number] = np.diff(times) * 1000
    return parts[5:]


# --- frames -----------------------------------------------------------------------------------------------------


def drag(root: Path) -> list[str]:
    """Frames while the map of the large model is dragged and zoomed, on a wide and a narrow page."""
    lines = [
        "## Frames while the map moves",
        "",
        f"The map of the page For you on the large model ({large.size_of(root)}): milliseconds from one frame to the "
        f"next (requestAnimationFrame in the page) during {DRAG_SECONDS:g} s of scripted dragging and of scrolling; "
        f"moves are the events that the page handled, at most one per frame. {SOFTWARE} "
        "`python benchmarks/app.py drag`",
        "",
        "| pixels wide | action | median | p95 | worst | frames per second | moves per second | goal |",
        "|---|---|---|---|---|---|---|---|",
    ]
    with browsing() as browser, app(root) as server:
        for width in (WIDE, NARROW):
            with fresh_page(browser, width) as page:
                canvas = open_page(page, server).locator("canvas.dots")
                canvas.scroll_into_view_if_needed()
                for what, act in (("drag", pan), ("wheel", turn_wheel)):
                    lines.append(f"| {width} | {what} | {frames(page, canvas, act)} | ≥ {LEAST_FRAMES:.0f} |")
    return lines


def frames(page: Page, target: Locator, act: Callable[[Page, float, float, float], None]) -> str:
    """Frame statistics while `act` runs in the middle of an element, as table cells: milliseconds between frames
    (median, 95th percentile, worst), frames and moves per second."""
    box = target.bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.evaluate(WATCH_FRAMES)
    act(page, x, y, min(box["width"], box["height"]) / 4)
    page.evaluate("is_watching = false")
    times = np.diff(np.array(page.evaluate("frames_seen")))
    median, p95, worst = np.percentile(times, (50, 95, 100))
    seconds = times.sum() / 1000
    moves = page.evaluate("moves_seen") / seconds
    return f"{median:.0f} | {p95:.0f} | {worst:.0f} | {len(times) / seconds:.0f} | {moves:.0f}"


def pan(page: Page, x: float, y: float, reach: float) -> None:
    """Drag back and forth."""
    page.mouse.down()
    started = time.perf_counter()
    side = 1
    while time.perf_counter() - started < DRAG_SECONDS:
        page.mouse.move(x + side * reach, y + side * reach / 2, steps=20)
        side = -side
    page.mouse.up()


def turn_wheel(page: Page, x: float, y: float, reach: float) -> None:
    """Zoom in for the first half of the time, out for the second."""
    started = time.perf_counter()
    while (passed := time.perf_counter() - started) < DRAG_SECONDS:
        page.mouse.wheel(0, -40 if passed < DRAG_SECONDS / 2 else 40)
