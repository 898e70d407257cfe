"""Which movie a pointer chooses on the map: the one drawn on top under it, in a catalogue of hand-placed dots."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator

import numpy as np
import pytest
from driver import ROOT, browsing, frame_of, map_of, picture_of, serving, settle, to_screen, until, view_of

from recsys import store
from recsys.space.item_map import ItemMap
from recsys.workflows import prepare as prepare_workflow
from recsys.workflows import train as train_workflow

APP = ROOT / "tests" / "browser" / "map_app.py"
RED, GREEN, BLUE, GREY = "#ff0000", "#00b000", "#0000ff", "#808080"
COLOURS = {RED: (255, 0, 0), GREEN: (0, 176, 0), BLUE: (0, 0, 255)}
HEAP = (150.0, 120.0)

# Title: number of ratings, x, y, colour. One map unit is one CSS pixel. The radius of a dot grows with its number of
# ratings: 6 pixels at 100 ratings, 2 pixels at 1. The better-known movie is drawn on top.
DOTS: dict[str, tuple[int, float, float, str]] = {
    "North-west": (1, -261, 220, GREY),  # the four corners fix the scale
    "North-east": (1, 261, 220, GREY),
    "South-west": (1, -261, -220, GREY),
    "South-east": (1, 261, -220, GREY),
    "Big": (100, -200, 150, RED),
    "Small, covered": (1, -196, 150, BLUE),
    "Small, half covered": (1, -193, 150, GREEN),
    "Same place, known": (60, -100, 150, RED),
    "Same place, unknown": (2, -100, 150, BLUE),
    "Same place, first": (9, -40, 150, RED),
    "Same place, last": (9, -40, 150, BLUE),
    "Alone": (1, 20, 150, RED),
    "Wide": (100, -200, 90, RED),
    "Narrow": (1, -178, 90, BLUE),
    "Diamond": (1, -200, 20, GREY),
    "Under the diamond": (1, -197, 20, BLUE),
    "Between its corners": (1, -193, 27, BLUE),
    "First rank": (1, -100, 20, GREY),
    "Second rank": (1, -92, 20, GREY),
    "Focus": (1, -20, 20, GREY),
    "Beside the focus": (1, -12, 20, GREY),
    "Star": (1, 60, 20, GREY),
    "Between its points": (1, 69, 17, BLUE),
    "Ring": (1, 140, 20, GREY),
    "In the ring": (1, 143, 20, BLUE),
    "On the ring": (1, 147, 20, BLUE),
    "Under you": (1, -200, -80, RED),
    "Trigger": (1, -100, -80, GREY),
    "Newcomer": (1, -97, -80, GREY),
    "Pressed": (1, 0, -80, RED),
    "Released": (1, 3, -80, BLUE),
}
MARKS = {
    "recommended": ["First rank", "Second rank", "Diamond", "Beside the focus"],
    "rated": ["Star"],
    "similar": ["Ring"],
    "focus": "Focus",
    "you": [-185, -80],
    "you_label": "You",
}
SCENE_MARKS = {"": MARKS, "Trigger": {**MARKS, "recommended": [*MARKS["recommended"], "Newcomer"]}}


def dots() -> dict[str, tuple[int, float, float, str]]:
    """`DOTS` and a heap of 40 dots within 24 pixels, several in the same place, several with as many ratings."""
    rng = np.random.default_rng(0)
    heap = {}
    for at in range(40):
        x, y = np.add(HEAP, rng.integers(-12, 13, size=2) if at % 4 else (0, 0))
        colour = list(COLOURS)[at % 3]
        heap[f"Heap {at}"] = int(rng.choice([1, 1, 4, 30, 100])), float(x), float(y), colour
    return DOTS | heap


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a page that shows these dots and says which one was chosen."""
    root = tmp_path_factory.mktemp("map")
    source, folder = root / "raw", root / "models" / "map"
    source.mkdir()
    placed = dots()
    with (source / "movies.csv").open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["movieId", "title", "genres"])
        rows.writerows([f"m{at:03}", title, "Drama"] for at, title in enumerate(placed))
    with (source / "ratings.csv").open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["userId", "movieId", "rating", "timestamp"])
        for at, (n_ratings, *_) in enumerate(placed.values()):
            rows.writerows([f"u{user:03}", f"m{at:03}", 4, 10**9 + user] for user in range(n_ratings))
    prepare_workflow.prepare(str(source), root / "prepared" / "map")
    train_workflow.train(root / "prepared" / "map", folder, settings={"n_factors": 2})
    catalog = store.load_model(folder).catalog
    coordinates = np.array([placed[title][1:3] for title in catalog.labels])
    store.save_map(folder, ItemMap("tsne", catalog.item_ids, coordinates, seed=0))
    colours = {title: colour for title, (_, _, _, colour) in placed.items()}
    (folder / "scene.json").write_text(json.dumps({"colours": colours, "marks": SCENE_MARKS}))
    with serving(folder.parent, root / "app.log", APP) as where:
        yield where


def open_scene(page, scene: str) -> None:
    page.goto(scene)
    map_of(page)
    settle(page)
    page.mouse.move(1, 1)


@pytest.fixture
def page(browser, scene: str) -> Iterator[object]:
    with browsing(browser) as opened:
        open_scene(opened, scene)
        assert view_of(opened) == {"x": 0, "y": 0, "scale": 1}
        yield opened


def point(page, x: float, y: float) -> str | None:
    """Point at the pixel at map coordinates; returns the title of the tooltip, or None without one."""
    left, top = to_screen(page, x, y)
    page.mouse.move(left + 0.5, top + 0.5)
    return tip_of(page)


def tip_of(page) -> str | None:
    tip = page.locator(".movie-map .tip")
    return tip.locator("strong").inner_text() if tip.is_visible() else None


def n_clicks(page) -> int:
    return int(page.get_by_text("chosen: ").inner_text().rpartition(" ")[2])


def click(page) -> str:
    """Press and release the mouse where it is; returns the title that was chosen."""
    before = n_clicks(page)
    page.mouse.down()
    page.mouse.up()
    return chosen_after(page, before)


def chosen_after(page, before: int) -> str:
    page.get_by_text(f", click {before + 1}").wait_for()
    settle(page)
    return page.get_by_text("chosen: ").inner_text().removeprefix("chosen: ").rpartition(", click")[0]


# Title to choose, where to point, the rule.
POINTS = [
    ("Big", -196, 150, "a dot covers another one, whose centre is nearer"),
    ("Big", -195, 150, "a dot covers two others, whose centres are nearer"),
    ("Small, half covered", -191, 150, "the visible part of a dot that is partly covered"),
    ("Same place, known", -100, 150, "the better-known movie of two in the same place"),
    ("Same place, last", -40, 150, "the last row of two equally known movies in the same place"),
    ("Alone", 30, 150, "the nearest dot within reach"),
    ("Wide", -188, 90, "the nearest edge, though another centre is nearer"),
    ("Diamond", -197, 20, "a mark covers a dot"),
    ("Between its corners", -193, 27, "a dot beside the edge of a diamond"),
    ("Second rank", -96, 20, "the later one of two marks"),
    ("Focus", -16, 20, "the mark of the chosen movie, on top of others"),
    ("Beside the focus", -3, 20, "the visible part of a mark that is partly covered"),
    ("Star", 60, 27, "the arm of a star"),
    ("Between its points", 69, 17, "a dot between two arms of a star"),
    ("In the ring", 143, 20, "a dot inside a ring"),
    ("Ring", 147, 20, "a ring covers a dot"),
    ("Under you", -200, -80, "a dot under the mark of the user, who is no movie"),
]


@pytest.mark.parametrize(("title", "x", "y", "rule"), POINTS, ids=[rule for *_, rule in POINTS])
def test_hover_and_click_choose_what_is_on_top(page, title: str, x: float, y: float, rule: str) -> None:
    assert point(page, x, y) == title, rule
    assert click(page) == title, rule


def test_nothing_within_reach_chooses_nothing(page) -> None:
    before = n_clicks(page)
    assert point(page, 35, 150) is None
    page.mouse.down()
    page.mouse.up()
    assert point(page, 20, 150) == "Alone"
    assert click(page) == "Alone"
    assert n_clicks(page) == before + 1


def colour_on_top(pixel: np.ndarray) -> str | None:
    """The colour of the topmost dot that covers a pixel fully; None if no dot does, or if it is uncertain.

    Dots are drawn with an opacity of 200/256: what is below must be a possible colour.
    """
    opacity = 200 / 256
    below = {colour: (pixel - opacity * np.array(rgb)) / (1 - opacity) for colour, rgb in COLOURS.items()}
    possible = [colour for colour, rgb in below.items() if ((rgb > -20) & (rgb < 275)).all()]
    return possible[0] if len(possible) == 1 else None


@pytest.mark.parametrize("pixel_ratio", [1, 2])
@pytest.mark.parametrize("is_zoomed", [False, True], ids=["whole", "zoomed"])
def test_the_chosen_dot_has_the_colour_under_the_pointer(
    browser, scene: str, pixel_ratio: float, is_zoomed: bool
) -> None:
    with browsing(browser, pixel_ratio=pixel_ratio) as page:
        open_scene(page, scene)
        placed = dots()
        if is_zoomed:
            page.locator("canvas.dots").focus()
            page.mouse.move(*to_screen(page, *HEAP))
            page.mouse.wheel(0, -500)
            until(page, lambda: view_of(page)["scale"] > 1.5)
        page.mouse.move(1, 1)
        until(page, lambda: tip_of(page) is None)
        settle(page)
        picture = picture_of(page)
        middle = np.floor(to_screen(page, *HEAP))
        wrong, n_checked = [], 0
        for dx in range(-24, 25, 2):
            for dy in range(-24, 25, 2):
                x, y = middle[0] + dx + 0.25, middle[1] + dy + 0.25
                colour = colour_on_top(picture[int(y * pixel_ratio), int(x * pixel_ratio)])
                if colour is None:
                    continue
                n_checked += 1
                page.mouse.move(x, y)
                title = tip_of(page)
                if title is None or placed[title][3] != colour:
                    wrong.append((dx, dy, colour, title))
                elif n_checked % 30 == 0:
                    assert click(page) == title
        assert n_checked > 80
        assert not wrong


def test_the_movie_under_the_pointer_when_it_was_pressed_is_chosen(page) -> None:
    assert point(page, -1, -80) == "Pressed"
    before = n_clicks(page)
    page.mouse.down()
    assert point(page, 2, -80) == "Pressed"  # a hand that is not quite steady; the tooltip stays
    page.mouse.up()
    assert chosen_after(page, before) == "Pressed"
    assert point(page, 3, -80) == "Released"


def test_the_tooltip_follows_what_is_drawn_under_a_resting_pointer(page) -> None:
    assert point(page, -101, -80) == "Trigger"
    assert click(page) == "Trigger"  # from now on the map marks another movie in the same place
    until(page, lambda: tip_of(page) == "Newcomer")
    assert click(page) == "Newcomer"
    until(page, lambda: tip_of(page) == "Trigger")


def test_enter_chooses_what_the_tooltip_shows_until_the_mouse_takes_over(page) -> None:
    page.locator("canvas.dots").focus()
    page.keyboard.press("+")
    assert tip_of(page) == "Beside the focus"  # the nearest edge to the centre
    before = n_clicks(page)
    page.keyboard.press("Enter")
    assert chosen_after(page, before) == "Beside the focus"
    assert point(page, -104, 20) == "First rank"
    page.keyboard.press("Enter")
    assert click(page) == "First rank"
    assert n_clicks(page) == before + 2  # the second Enter chose nothing: the cross at the centre was gone


@pytest.mark.parametrize("css", ["transform: scale(.7); transform-origin: 0 0", "zoom: 1.3"])
def test_a_page_that_is_scaled_by_css_is_pointed_at_correctly(page, css: str) -> None:
    page.add_style_tag(content=f"[data-testid=stMain] {{ {css} }}")
    settle(page)
    for title in ("Big", "Alone", "Star", "South-east"):
        assert point(page, *DOTS[title][1:3]) == title
        assert click(page) == title


def test_a_click_on_a_map_that_is_partly_out_of_view_chooses_what_is_under_it(page) -> None:
    page.set_viewport_size({"width": 1280, "height": 420})
    page.add_style_tag(content="[data-testid=stText] { margin-top: 160px }")
    settle(page)
    _, top, _, height = frame_of(page)
    assert top + height > 420
    assert point(page, -200, 150) == "Big"
    assert click(page) == "Big"
