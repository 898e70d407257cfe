"""User ids as people type them."""

from __future__ import annotations

import pytest

from recsys.ingest.users import split_user_ids


@pytest.mark.parametrize(
    ("text", "are_integers", "ids"),
    [
        ("7, 3 7\nghost", True, ["7", "3", "7", "ghost"]),
        ("1;2\t3\r\n4,,", True, ["1", "2", "3", "4"]),
        ("Ann Lee, Bob\n Cy ", False, ["Ann Lee", "Bob", "Cy"]),
        (" \n, ", False, []),
        ("", True, []),
    ],
)
def test_ids_are_separated_by_punctuation_and_integers_also_by_spaces(text: str, are_integers: bool, ids) -> None:
    assert split_user_ids(text, are_integers=are_integers) == ids
