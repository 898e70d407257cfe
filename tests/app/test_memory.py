"""Ratings and hidden movies: changes, storage in the browser, and invalid input from a browser."""

from __future__ import annotations

import json

import pytest

from recsys.app.components.memory import MOST_KEPT, Memory


def test_a_rating_is_set_changed_and_removed() -> None:
    memory = Memory()
    memory.rate(1, 3)
    memory.rate(2, 5)
    memory.rate(1, 4.5)
    assert list(memory.ratings.items()) == [(2, 5.0), (1, 4.5)]  # the latest last
    memory.rate(2, None)
    assert memory.ratings == {1: 4.5}
    assert memory.is_changed


def test_rating_unhides_a_movie_that_was_not_for_me() -> None:
    memory = Memory()
    memory.hide("a", "not for me")
    memory.rate("a", 4)
    assert memory.hidden == {}
    memory.hide("b", "seen")
    memory.rate("b", 4)
    memory.rate("b", None)
    assert memory.hidden == {"b": "seen"}  # still seen
    memory.hide("b", None)
    assert memory.hidden == {}


def test_json_round_trip() -> None:
    memory = Memory({183: 4.0, 7: 0.5}, {5: "seen", 6: "not for me"})
    back = Memory.of_json(memory.to_json())
    assert list(back.ratings.items()) == [(183, 4.0), (7, 0.5)]
    assert back.hidden == memory.hidden
    assert not back.is_changed
    of_strings = Memory.of_json(Memory({"tt1": 5.0}).to_json())
    assert of_strings.ratings == {"tt1": 5.0}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[" * 100_000,
        '{"ratings": [[' + "1" * 5000 + ", 3]]}",
        "null",
        "[]",
        "3",
        '"ratings"',
        '{"ratings": 3}',
        '{"ratings": {"1": 2}}',
        '{"hidden": [[]]}',
        '{"ratings": [[1, NaN], [2, Infinity], [3, "5"], [4, true], [5, 6], [6, 0], [7, null], [[8], 4], [true, 4]]}',
        '{"hidden": [[1, "<script>"], [{}, "seen"], [null, "seen"], ["a"]]}',
    ],
    ids=lambda text: text[:20],
)
def test_invalid_entries_are_skipped(text: str) -> None:
    memory = Memory.of_json(text)
    assert (memory.ratings, memory.hidden) == ({}, {})


def test_valid_entries_beside_invalid_ones_are_kept() -> None:
    memory = Memory.of_json('{"ratings": [[1, 9], [2, 4]], "hidden": "none", "more": 1}')
    assert memory.ratings == {2: 4.0}


def test_at_most_most_kept_are_read() -> None:
    memory = Memory.of_json(json.dumps({"ratings": [[n, 3] for n in range(MOST_KEPT + 50)]}))
    assert len(memory.ratings) == MOST_KEPT


def test_later_entries_win_and_the_others_stay() -> None:
    kept, later = Memory({1: 3.0, 2: 4.0}, {5: "seen"}), Memory({2: 1.0, 5: 5.0}, {1: "not for me"})
    both = kept.with_later(later)
    assert both.ratings == {2: 1.0, 5: 5.0}
    assert both.hidden == {1: "not for me", 5: "seen"}
    assert both.is_changed and not kept.is_changed
    assert kept.ratings == {1: 3.0, 2: 4.0}
