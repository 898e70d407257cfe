"""Interactions convert between original ids and row numbers."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from recsys.dataset.interactions import Interactions
from recsys.errors import InputError, UnknownId


def example() -> Interactions:
    """Two users, three items, four ratings with times; ids that cannot be mistaken for row numbers."""
    matrix = sp.csr_matrix(np.array([[5, 0, 3], [0, 2, 4]], dtype=np.float32))
    return Interactions(matrix, ["ann", "bob"], ["m7", "m3", "m9"], np.array([10, 20, 30, 40]))


def test_ids_are_converted_to_rows_and_back() -> None:
    data = example()
    assert (data.n_users, data.n_items, data.n_ratings) == (2, 3, 4)
    assert data.user_rows(["bob", "ann"]).tolist() == [1, 0]
    assert data.item_ids[data.item_rows(["m9"])].tolist() == ["m9"]


def test_unknown_ids_are_listed_with_an_example_of_a_known_one() -> None:
    with pytest.raises(UnknownId, match=r"unknown user ids: 'cy', 'dee' \(ids look like 'ann'\)"):
        example().user_rows(["cy", "ann", "dee"])
    with pytest.raises(UnknownId, match=r"'x0', 'x1', 'x2', 'x3', 'x4' and 2 more"):
        example().item_rows([f"x{i}" for i in range(7)])
    with pytest.raises(UnknownId) as error:
        example().user_rows(["y" * 2_000_000])
    assert len(str(error.value)) < 120 and "y…'" in str(error.value)


def test_ids_typed_on_a_command_line_are_found() -> None:
    numbers = Interactions(sp.identity(2), [42, 7], [1, 2])
    for beyond in ("99999999999999999999999999", "-9223372036854775809", str(2**63)):
        with pytest.raises(UnknownId, match=f"unknown user id: '{beyond}'"):
            numbers.user_rows([beyond])
    assert numbers.user_rows(["7", "42"]).tolist() == [1, 0]
    words = Interactions(sp.identity(2), ["42", "07"], ["a", "b"])
    assert words.user_rows([42]).tolist() == [0]
    with pytest.raises(UnknownId):
        words.user_rows([7])  # "07" and "7" are different ids


def test_select_keeps_ratings_and_times_together() -> None:
    data = example().select(np.array([False, True, True, False]))
    assert data.matrix.toarray().tolist() == [[0, 0, 3], [0, 2, 0]]
    assert data.timestamps is not None and data.timestamps.tolist() == [20, 30]
    with pytest.raises(InputError, match="a mask of 2 for 4 ratings"):
        example().select(np.array([True, False]))


def test_with_items_reorders_drops_and_adds_columns() -> None:
    data = example().with_items(np.array(["m9", "new", "m7"], dtype=object))
    assert data.matrix.toarray().tolist() == [[3, 0, 5], [4, 0, 0]]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"user_ids": ["ann"]}, "does not fit"),
        ({"item_ids": ["m7", "m7", "m9"]}, "duplicate item id 'm7'"),
        ({"timestamps": np.array([1])}, "1 timestamps for 4 ratings"),
        ({"matrix": sp.csr_matrix(np.array([[np.nan, 0, 1], [0, 2, 4]]))}, "finite"),
    ],
)
def test_shapes_and_values_that_do_not_match_are_refused(change: dict, words: str) -> None:
    data = example()
    parts = {
        "matrix": data.matrix, "user_ids": data.user_ids, "item_ids": data.item_ids, "timestamps": data.timestamps,
    } | change  # fmt: skip
    with pytest.raises(InputError, match=words):
        Interactions(**parts)


def test_duplicate_pairs_with_timestamps_are_refused() -> None:
    twice = sp.csr_matrix((np.ones(2), np.array([0, 0]), np.array([0, 2])), shape=(1, 1))
    with pytest.raises(InputError, match="without duplicate pairs"):
        Interactions(twice, ["a"], ["b"], np.array([1, 2]))


def test_the_fingerprint_depends_on_every_part_of_the_data() -> None:
    data = example()
    assert data.fingerprint == example().fingerprint
    others = [
        Interactions(data.matrix, ["ann", "bo"], data.item_ids, data.timestamps),
        Interactions(data.matrix, data.user_ids, ["m7", "m3", "m8"], data.timestamps),
        Interactions(data.matrix * 2, data.user_ids, data.item_ids, data.timestamps),
        Interactions(data.matrix, data.user_ids, data.item_ids, np.array([10, 20, 30, 41])),
        Interactions(data.matrix, data.user_ids, data.item_ids),
        data.select(np.array([True, True, True, False])),
    ]
    assert len({other.fingerprint for other in others} | {data.fingerprint}) == len(others) + 1


def test_ratings_are_read_in_order_of_time_and_ties_tell_nothing() -> None:
    matrix = np.array([[5, 0, 3, 1], [0, 2, 4, 0]], dtype=np.float32)
    data = Interactions(matrix, ["ann", "bob"], ["m7", "m3", "m9", "m1"], np.array([30, 10, 20, 7, 6]))
    ordered = data.in_order()
    assert ordered.indices.tolist() == [2, 3, 0, 2, 1] and ordered.data.tolist() == [3, 1, 5, 4, 2]
    assert (ordered.toarray() == matrix).all()
    assert data.in_order(np.array([1])).indices.tolist() == [2, 1]
    swapped = data.of_users(np.array([1, 0])).with_items(np.array(["m1", "m9", "m7"], dtype=object))
    assert swapped.user_ids.tolist() == ["bob", "ann"]
    assert swapped.in_order().indices.tolist() == [1, 1, 0, 2]
    for times in (None, np.array([30, 10, 20, 7, -1])):
        with pytest.raises(InputError, match="needs a timestamp for every rating, and some are missing"):
            Interactions(matrix, data.user_ids, data.item_ids, times).in_order()

    everyone = Interactions(np.ones((500, 3)), np.arange(500), ["x", "y", "z"], np.zeros(1500, dtype=np.int64))
    columns = everyone.in_order().indices.reshape(500, 3)
    for place in range(3):  # each of the three comes at each place for about a third of the users
        assert (abs(np.bincount(columns[:, place]) - 500 / 3) < 40).all()
    backwards = everyone.with_items(np.array(["z", "y", "x"], dtype=object)).in_order().indices.reshape(500, 3)
    assert (backwards == 2 - columns).all(), "the order does not depend on that of the columns"
