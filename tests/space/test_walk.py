"""Walks: both ends are where they should be, the middle is between them, and a decoded vector is a user's list."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from recsys.errors import InputError, SettingError, UnknownId, Unsupported
from recsys.space.embedding import EmbeddingSpace
from recsys.space.walk import sample

ANGLES = np.deg2rad([0, 10, 30, 45, 60, 80, 90, 180])
ITEMS = pd.DataFrame({"item_id": range(8), "title": [f"Film {i}" for i in range(8)]})


def space(users: bool = True, bias: bool = False) -> EmbeddingSpace:
    """Items on a circle, item 7 opposite to item 0; two users with the tastes of items 0 and 6."""
    lengths = np.array([3, 1, 1, 5, 1, 1, 1, 1])[:, None]
    vectors = np.column_stack([np.cos(ANGLES), np.sin(ANGLES)]) * lengths
    of_users = vectors[[0, 6]]
    if bias:
        vectors, of_users = np.column_stack([vectors, 9 * (ANGLES > 3)]), np.column_stack([of_users, [1, 1]])
    named = EmbeddingSpace.from_frame(pd.DataFrame({"item_id": range(8), "x": 1.0, "y": 0.0}), ITEMS)
    some = (of_users, ["ann", "bob"]) if users else (None, None)
    known = named.attributes
    assert known is not None
    return EmbeddingSpace(vectors, range(8), *some, has_bias=bias, attributes=known)  # type: ignore[arg-type]


def test_a_walk_between_items_goes_by_direction_and_leaves_out_its_ends() -> None:
    table = space().walk("Film 0", "Film 6", steps=3, k=2)
    assert list(table) == ["position", "rank", "item_id", "title", "similarity"]
    assert table["position"].tolist() == [0, 0, 0.5, 0.5, 1, 1]
    assert table["item_id"].tolist() == [1, 2, 3, 2, 5, 4]  # item 0 is longer, yet the middle is at 45 degrees
    assert table["similarity"].tolist() == pytest.approx(np.cos(np.deg2rad([10, 30, 0, 15, 10, 30])), abs=1e-6)


def test_a_walk_between_users_lists_what_scores_best() -> None:
    table = space().walk("ann", "bob", steps=3, k=1, users=True)
    assert table["title"].tolist() == ["Film 3", "Film 3", "Film 3"]  # the longest vector
    assert table["score"].iloc[1] > 0
    with pytest.raises(Unsupported, match="no user vectors"):
        space(users=False).walk("ann", "bob", users=True)
    with pytest.raises(UnknownId):
        space().walk("ann", "eve", users=True)


def test_a_decoded_user_vector_is_the_list_of_the_user() -> None:
    biased = space(bias=True)
    taste, whole = biased.decode(np.array([1.0, 0.0]), k=8), biased.decode(np.array([1.0, 0.0, 1.0]), k=8)
    pd.testing.assert_frame_equal(taste, whole)
    scores = biased.score(np.array([[1.0, 0.0, 1.0]], dtype=np.float32))[0]
    assert taste["item_id"].iloc[0] == 7 == np.argmax(scores)
    assert taste["score"].tolist() == sorted(scores, reverse=True)


def test_what_cannot_be_walked_is_refused() -> None:
    with pytest.raises(InputError, match="opposite directions"):
        space().walk("Film 0", "Film 7", steps=3)
    with pytest.raises(SettingError, match="steps must be between 2 and 1000, not 1"):
        space().walk("Film 0", "Film 1", steps=1)
    with pytest.raises(SettingError, match="k must be"):
        space().decode(np.zeros(2), k=0)
    with pytest.raises(InputError, match="do not fit a space of 2 dimensions"):
        space().decode(np.zeros(5))
    with pytest.raises(InputError, match="must be finite"):
        space().decode(np.array([np.nan, 0]))
    empty = EmbeddingSpace(np.array([[1.0, 0], [0, 0]]), ["a", "b"])
    from recsys.space.walk import between_items

    with pytest.raises(InputError, match="zero vector"):
        between_items(empty, "a", "b")


def test_a_sample_is_spread_like_the_users() -> None:
    rng = np.random.default_rng(0)
    users = rng.normal(size=(500, 2)) @ [[2.0, 0.0], [1.5, 0.5]] + [3.0, -1.0]
    crowd = EmbeddingSpace(np.eye(2), ["a", "b"], users, np.arange(500))
    drawn = sample(crowd, 5000, seed=1)
    np.testing.assert_allclose(drawn.mean(axis=0), users.mean(axis=0), atol=0.15)
    np.testing.assert_allclose(np.cov(drawn.T), np.cov(users.T), rtol=0.1, atol=0.1)
    np.testing.assert_array_equal(sample(crowd, 3, seed=1), drawn[:3], "the first viewers do not depend on the number")
    normal = sample(crowd, 5000, prior="normal")
    assert abs(normal.mean()) < 0.1 and normal.std() == pytest.approx(1, abs=0.05)


def test_viewers_are_lists_of_titles() -> None:
    table = space().sample(3, 2, seed=5)
    assert list(table.columns) == ["viewer", "rank", "item_id", "title", "score"]
    assert table["viewer"].tolist() == [1, 1, 2, 2, 3, 3] and table["rank"].tolist() == [1, 2] * 3
    assert table["title"].str.startswith("Film ").all()


def test_what_cannot_be_sampled_is_refused() -> None:
    with pytest.raises(Unsupported, match="no user vectors"):
        space(users=False).sample()
    assert len(space(users=False).sample(1, 1, prior="normal")) == 1
    with pytest.raises(SettingError, match="unknown prior"):
        space().sample(prior="other")  # type: ignore[arg-type]
    with pytest.raises(SettingError, match="n must be"):
        space().sample(0)
