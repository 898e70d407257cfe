"""The page "For you" in Chromium. Screenshots are kept in test-output/."""

from __future__ import annotations

import json

import numpy as np
import pytest
from driver import (
    ROOT,
    Point,
    browsing,
    dots_in_view,
    frame_of,
    map_of,
    marked,
    nearest,
    open_app,
    picture_of,
    rate,
    recommended,
    settle,
    to_map,
    to_screen,
    until,
    view_of,
    whole_page,
)

PICTURES = ROOT / "test-output"
COLOUR_OF_YOU = (214, 0, 108)


def pixels_of_you(page) -> int:
    """How many pixels of the map have the colour of the mark that shows where the user is."""
    return int((picture_of(page.locator(".movie-map .frame")) == COLOUR_OF_YOU).all(axis=2).sum())


def test_two_ratings_give_recommendations_reasons_and_marks_on_the_map(page) -> None:
    before = recommended(page)
    page.get_by_text("Rate a few movies to make this yours.").wait_for()
    you = page.locator(".movie-map .legend").get_by_text("You", exact=True)
    assert you.count() == pixels_of_you(page) == 0
    rate(page, "Alien (1979)", 5)
    rate(page, "Blade Runner (1982)", 4)

    after = recommended(page)
    assert len(after) == 10 and after != before
    assert "Aliens (1986)" in after
    assert not {"Alien (1979)", "Blade Runner (1982)"} & set(after)
    page.get_by_text("Because you liked Alien (1979)").first.wait_for()
    assert page.get_by_text("Rate a few movies to make this yours.").count() == 0
    assert marked(page, "recommended") == after
    assert set(marked(page, "rated")) == {"Alien (1979)", "Blade Runner (1982)"}
    you.wait_for()
    assert pixels_of_you(page) > 50


def test_ratings_survive_a_reload_and_a_visit_to_another_page(page) -> None:
    rate(page, "Alien (1979)", 5)
    page.get_by_role("button", name="Not for me").first.click()
    page.get_by_text("1 hidden").wait_for()
    settle(page)
    listed = recommended(page)
    page.reload()
    page.locator(".st-key-mine").get_by_text("Alien (1979)").wait_for()
    page.get_by_text("1 hidden").wait_for()
    settle(page)
    assert recommended(page) == listed
    page.get_by_role("link", name="Data").click()
    page.get_by_role("heading", name="Data").first.wait_for()
    page.get_by_role("link", name="For you").click()
    page.locator(".st-key-mine").get_by_text("Alien (1979)").wait_for()
    settle(page)
    assert recommended(page) == listed


def test_a_rating_can_be_changed_and_removed(page) -> None:
    rate(page, "Alien (1979)", 5)
    mine = page.locator(".st-key-mine")
    mine.get_by_role("radio", name="2 out of 5 stars").click()
    page.get_by_text("and you have none yet").wait_for()  # the model counts three stars or more as a like
    settle(page)
    mine.get_by_role("radio", name="2 out of 5 stars").click()  # the same star again removes it
    page.get_by_text("Rate a few movies to make this yours.").wait_for()
    until(page, lambda: not marked(page, "rated"))


def test_start_over_removes_everything_permanently(page) -> None:
    rate(page, "Alien (1979)", 5)
    page.get_by_role("button", name="Start over").click()
    page.get_by_text("Rate a few movies to make this yours.").wait_for()
    settle(page)
    page.reload()
    map_of(page)
    settle(page)
    assert page.get_by_text("Alien (1979)").count() == 0


def test_a_misspelt_title_is_found_by_keyboard(page) -> None:
    box = page.get_by_role("combobox", name="Which movies have you seen?")
    box.fill("blad runer")
    page.get_by_role("option", name="Blade Runner (1982)").wait_for()
    box.press("Enter")
    page.locator(".st-key-found").get_by_text("Blade Runner (1982)").wait_for()
    box.fill("qqqqqq")
    page.get_by_text("No title matches “qqqqqq”.").wait_for()


def test_hidden_movies_leave_the_list_and_can_be_unhidden(page) -> None:
    first, second = recommended(page)[:2]
    page.get_by_role("button", name="Not for me").first.click()
    page.get_by_text("1 hidden").wait_for()
    settle(page)
    assert first not in recommended(page)
    page.get_by_role("button", name="Seen it").first.click()
    page.get_by_text("2 hidden").click()
    settle(page)
    assert second not in recommended(page)
    page.locator(".st-key-found").get_by_text(second).wait_for()  # offered for rating
    page.get_by_role("button", name="Unhide").first.click()
    page.get_by_text("1 hidden").wait_for()
    settle(page)
    assert first in recommended(page) and second not in recommended(page)


def test_filters_limit_the_list(page) -> None:
    page.get_by_role("button", name="Filter").click()
    genres = page.get_by_role("combobox", name="Genres")
    genres.fill("Horror")  # typed: on a busy machine a click can miss an option that is still moving into place
    page.get_by_role("option", name="Horror").wait_for()
    genres.press("Enter")
    cards = "[...document.querySelectorAll('.st-key-recommended [data-testid=stMarkdown]')]"
    page.wait_for_function(f"() => {cards}.length === 10 && {cards}.every(card => card.innerText.includes('Horror'))")


def test_steering_moves_the_list(page) -> None:
    rate(page, "Alien (1979)", 5)
    before = recommended(page)
    page.get_by_role("button", name="Adjust mood").click()
    page.get_by_text("AUC").first.wait_for()  # the evidence for the axis
    slider = page.get_by_role("slider", name="children's ↔ adult")
    for _ in range(4):
        slider.press("ArrowLeft")
    page.wait_for_function(
        "before => !document.querySelector('.st-key-recommended').innerText.includes(before)", arg=f"1 · {before[0]}"
    )
    settle(page)
    assert recommended(page) != before
    genres = " ".join(page.locator(".st-key-recommended [data-testid=stMarkdown]").all_inner_texts())
    assert genres.count("Children's") >= 5


def test_a_lasso_recommends_from_its_region(page, positions: dict[str, Point]) -> None:
    rate(page, "Alien (1979)", 5)
    everywhere = recommended(page)
    clear = page.locator(".movie-map").get_by_role("button", name="Clear selection")
    assert clear.count() == 0
    page.get_by_role("button", name="Draw a region").click()
    left, top, width, height = frame_of(page)
    x, y = left + width / 2, top + height / 2
    page.mouse.move(x - 90, y - 90)
    page.mouse.down()
    for dx, dy in ((90, -90), (90, 90), (-90, 90), (-90, -80)):
        page.mouse.move(x + dx, y + dy, steps=4)
    page.mouse.up()
    page.get_by_text("Only movies in the region you selected on the map.").wait_for()
    settle(page)
    inside = recommended(page)
    assert inside and inside != everywhere
    clear.wait_for()  # the map shows the region
    assert marked(page, "recommended") == inside
    west, north = to_map(page, x - 90, y - 90)
    east, south = to_map(page, x + 90, y + 90)
    assert all(west <= positions[title][0] <= east and south <= positions[title][1] <= north for title in inside)
    whole_page(page, PICTURES / "for-you-region-1280.png")
    page.get_by_test_id("stButton").get_by_role("button", name="Clear selection").click()
    page.get_by_text("Only movies in the region you selected on the map.").wait_for(state="detached")
    settle(page)
    clear.wait_for(state="hidden")
    assert recommended(page) == everywhere


def test_a_click_on_the_map_shows_the_movie_and_keeps_the_zoom(page, positions: dict[str, Point]) -> None:
    left, top, width, height = frame_of(page)
    page.mouse.move(left + width / 2, top + height / 3)
    whole = view_of(page)
    main = page.get_by_test_id("stMain")
    page.mouse.wheel(0, 300)  # scrolls the page, because the map does not have the focus
    until(page, lambda: main.evaluate("main => main.scrollTop") > 0)
    assert view_of(page) == whole
    main.evaluate("main => main.scrollTo(0, 0)")
    page.locator("canvas.dots").focus()
    page.mouse.wheel(0, -300)
    until(page, lambda: view_of(page)["scale"] > 1.5 * whole["scale"])
    view = view_of(page)
    left, top, *_ = frame_of(page)  # the focus may have scrolled the page
    title = nearest(positions, *to_map(page, left + 200, top + 200))
    page.mouse.click(*to_screen(page, *positions[title]))
    page.locator(".st-key-selected strong").get_by_text(title, exact=True).wait_for()
    settle(page)
    assert view_of(page) == view
    assert marked(page, "focus") == [title]
    assert len(marked(page, "similar")) == 10
    page.get_by_role("button", name="Details").click()
    page.get_by_role("heading", name="Movie").or_(page.get_by_role("heading", name=title)).first.wait_for()
    assert "movie=" in page.url


def test_the_map_can_be_used_by_keyboard(page, positions: dict[str, Point]) -> None:
    page.locator("canvas.dots").focus()
    for _ in range(3):
        page.keyboard.press("+")
    page.keyboard.press("ArrowRight")
    tip = page.locator(".movie-map .tip strong")
    tip.wait_for()
    title = tip.inner_text()
    view = view_of(page)
    assert title == nearest(positions, view["x"], view["y"])
    assert title in page.locator(".movie-map .spoken").inner_text()
    page.keyboard.press("Enter")
    page.locator(".st-key-selected strong").get_by_text(title, exact=True).wait_for()


def test_pointing_at_a_dot_shows_its_title(page, positions: dict[str, Point]) -> None:
    left, top, *_ = frame_of(page)
    title = nearest(positions, *to_map(page, left + 300, top + 300))
    page.mouse.move(*to_screen(page, *positions[title]))
    tip = page.locator(".movie-map .tip")
    tip.locator("strong").get_by_text(title, exact=True).wait_for()
    assert "ratings" in tip.inner_text()


def test_labels_thin_out_and_titles_come_with_zoom(page) -> None:
    shown = map_of(page)
    assert int(shown.get_attribute("data-labels")) >= 2
    assert shown.get_attribute("data-titles") == "0"
    assert dots_in_view(page) > 1000
    whole = view_of(page)
    for _ in range(6):
        page.get_by_role("button", name="Zoom in").click()
    until(page, lambda: view_of(page)["scale"] > 12 * whole["scale"])
    assert dots_in_view(page) < 300
    assert int(shown.get_attribute("data-titles")) > 0


def test_the_colours_of_the_map_can_be_chosen(page) -> None:
    for choice, legend in (("Genre", "Drama"), ("Year of release", "1990s"), ("old ↔ new", "new")):
        page.get_by_role("combobox", name="Colours").click()
        page.get_by_role("option", name=choice).first.click()
        page.locator(".movie-map .legend").get_by_text(legend, exact=True).wait_for()


def test_a_link_shows_the_list_of_another_user(browser, grid_address: str) -> None:
    with browsing(browser) as page:
        open_app(page, grid_address, "?user=5")
        page.get_by_text("175 ratings").wait_for()
        assert len(recommended(page)) == 10
        page.locator(".movie-map .legend").get_by_text("User 5", exact=True).wait_for()
        assert len(marked(page, "rated")) == 30
        assert page.get_by_role("button", name="Not for me").count() == 0  # only in my own list
        page.get_by_role("textbox").first.fill("no one")
        page.get_by_role("textbox").first.press("Enter")
        page.get_by_text("no one").last.wait_for()
        settle(page)
        assert page.get_by_text("Traceback").count() == 0


LETTERBOXD = """Date,Name,Year,Letterboxd URI,Rating
2026-01-01,Alien,1979,https://boxd.it/a,5
2026-01-02,"The Good, the Bad and the Ugly",1966,https://boxd.it/b,4.5
2026-01-03,A Film Of Nobody <script>alert(1)</script>,2021,https://boxd.it/c,3
"""


def test_letterboxd_ratings_are_imported_and_unknown_movies_listed(page) -> None:
    page.get_by_role("button", name="Import").click()
    page.get_by_test_id("stFileUploaderDropzoneInput").set_input_files(
        {"name": "ratings.csv", "mimeType": "text/csv", "buffer": LETTERBOXD.encode()}
    )
    page.get_by_text("Letterboxd: found 2 of 3 movies.").wait_for()
    page.keyboard.press("Escape")
    page.get_by_text("You rated 2").wait_for()
    settle(page)
    assert set(marked(page, "rated")) == {"Alien (1979)", "The Good, The Bad and The Ugly (1966)"}


def test_a_file_that_is_not_an_export_is_reported(page) -> None:
    page.get_by_role("button", name="Import").click()
    page.get_by_test_id("stFileUploaderDropzoneInput").set_input_files(
        {"name": "x.csv", "mimeType": "text/csv", "buffer": b"a,b\n1,2\n"}
    )
    page.get_by_text("is not an export from Letterboxd or IMDb").wait_for()


def test_the_address_holds_the_chosen_model(browser, grid_address: str) -> None:
    with browsing(browser) as page:
        open_app(page, grid_address)
        rate(page, "Alien (1979)", 5)
        page.get_by_role("combobox", name="Model").click()
        page.get_by_role("option", name="ml-100k-popular").click()
        page.get_by_text("This model has no item vectors").wait_for()
        settle(page)
        assert "model=ml-100k-popular" in page.url
        page.locator(".st-key-mine").get_by_text(
            "Alien (1979)"
        ).wait_for()  # ratings belong to the data set, not to a model
        link = page.url
    with browsing(browser) as other:
        other.goto(link)
        other.get_by_text("This model has no item vectors").wait_for()


def test_damaged_ratings_in_the_browser_are_skipped(browser, grid_address: str) -> None:
    with browsing(browser) as page:
        page.goto(grid_address)
        page.evaluate("localStorage.setItem('recsys:ml-100k', '{\"ratings\": [[1, 99], \"x\", [183, 5]]}')")
        open_app(page, grid_address)
        page.locator(".st-key-mine").get_by_text("Alien (1979)").wait_for()
        page.get_by_text("You rated 1").wait_for()


def test_a_chinese_browser_gets_chinese(browser, grid_address: str) -> None:
    with browsing(browser, locale="zh-CN") as page:
        open_app(page, grid_address)
        page.get_by_role("heading", name="为你推荐").wait_for()
        assert page.get_by_test_id("stAlert").count() == 0
        page.wait_for_url(lambda url: "language=" in url)  # the link says so
        page.get_by_text("English", exact=True).click()
        page.get_by_role("heading", name="For you").wait_for()


def test_switching_the_language_keeps_the_chosen_map(page) -> None:
    tsne = map_of(page).get_attribute("data-coordinates")
    page.get_by_role("combobox", name="Map").click()
    page.get_by_role("option", name="Simple projection").click()
    page.locator(f".movie-map:not([data-coordinates='{tsne}'])").wait_for()
    pca = map_of(page).get_attribute("data-coordinates")
    page.get_by_text("中文", exact=True).click()
    page.get_by_role("heading", name="为你推荐").wait_for()
    page.locator(".movie-map .legend").get_by_text("推荐").wait_for()
    assert map_of(page).get_attribute("data-coordinates") == pca


def test_the_map_stays_in_view_beside_a_long_list(page) -> None:
    page.locator("[data-testid=stMain]").evaluate("main => main.scrollTo(0, 900)")
    frame = page.locator(".movie-map .frame").bounding_box()
    assert frame["y"] > 0


def test_enter_waits_for_the_matches_of_the_latest_query(page) -> None:
    box = page.get_by_role("combobox", name="Which movies have you seen?")
    box.fill("star wars")
    page.get_by_role("option", name="Star Wars (1977)").wait_for()
    box.fill("toy story")
    box.press("Enter")
    page.locator(".st-key-found").get_by_text("Toy Story (1995)").wait_for()
    box.press_sequentially("toy story")  # the same again
    page.get_by_role("option", name="Toy Story (1995)").wait_for()


def kept(page) -> dict:
    return json.loads(page.evaluate("localStorage.getItem('recsys:ml-100k')"))


def test_ratings_stay_in_the_browser(page) -> None:
    rate(page, "Alien (1979)", 4)
    page.wait_for_function("localStorage.getItem('recsys:ml-100k') !== null")
    assert kept(page)["ratings"] == [[183, 4.0]]


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_map_follows_the_theme(browser, grid_address: str, dark: bool) -> None:
    with browsing(browser, dark=dark) as page:
        open_app(page, grid_address)
        picture = picture_of(page.locator(".movie-map .frame"))
        assert bool(np.median(picture, axis=(0, 1)).sum() < 384) is dark


def test_two_tabs_share_ratings(browser, grid_address: str) -> None:
    with browsing(browser) as page:
        open_app(page, grid_address)
        other = page.context.new_page()
        open_app(other, grid_address)
        rate(page, "Alien (1979)", 5)
        other.locator(".st-key-mine").get_by_text("Alien (1979)").wait_for()
        settle(other)
        rate(other, "Toy Story (1995)", 4)
        page.locator(".st-key-mine").get_by_text("Toy Story (1995)").wait_for()
        other.wait_for_function("JSON.parse(localStorage.getItem('recsys:ml-100k')).ratings.length === 2")
