"""EmbeddingSpace: scores, neighbours and analogies compared with plain NumPy."""

from __future__ import annotations

import numpy as np
import pytest

from recsys.errors import InputError, SettingError, UnknownId
from recsys.space.embedding import EmbeddingSpace

RNG = np.random.default_rng(7)
ITEMS = RNG.normal(size=(12, 5)).astype(np.float32)
USERS = RNG.normal(size=(4, 5)).astype(np.float32)
IDS = [f"m{9 * i}" for i in range(12)]


def space(has_bias: bool = False) -> EmbeddingSpace:
    return EmbeddingSpace(ITEMS, IDS, USERS, list("abcd"), has_bias)


def plain_similarity(item: int, metric: str, d: int) -> np.ndarray:
    here, all_items = ITEMS[item].astype(np.float64), ITEMS.astype(np.float64)
    if metric == "dot":
        return all_items @ here
    here, all_items = here[:d], all_items[:, :d]
    if metric == "cosine":
        return all_items @ here / np.linalg.norm(all_items, axis=1) / np.linalg.norm(here)
    return -np.linalg.norm(all_items - here, axis=1)


@pytest.mark.parametrize("has_bias", [False, True])
@pytest.mark.parametrize("metric", ["cosine", "dot", "euclidean"])
def test_neighbours_equal_plain_numpy_and_exclude_the_bias_from_cosine(metric, has_bias: bool) -> None:
    ids, similarity = space(has_bias).neighbours([IDS[3], IDS[8]], 5, metric)
    for row, item in enumerate((3, 8)):
        expected = plain_similarity(item, metric, 4 if has_bias else 5)
        expected[item] = -np.inf
        best = np.argsort(-expected)[:5]
        assert ids[row].tolist() == [IDS[i] for i in best]
        np.testing.assert_allclose(similarity[row], expected[best], rtol=1e-4, atol=1e-5)


def test_the_bias_is_part_of_scores() -> None:
    np.testing.assert_allclose(space(True).score(USERS), USERS @ ITEMS.T)
    assert (space(True).n_factors, space(False).n_factors) == (4, 5)


def test_a_small_catalog_returns_all_other_items_once() -> None:
    ids, _ = space().neighbours([IDS[0]], 100)
    assert sorted(ids[0]) == sorted(IDS[1:])
    alone = EmbeddingSpace(ITEMS[:1], IDS[:1], USERS, list("abcd"))
    assert alone.neighbours([IDS[0]])[0].shape == (1, 0)


def test_an_analogy_completes_the_parallelogram() -> None:
    king, queen, man, woman, noise = [1, 1, 0.1], [1, -1, 0.1], [0.1, 1, 1], [0.1, -1, 1], [-1, 0, -1]
    words = ["king", "queen", "man", "woman", "noise"]
    made = EmbeddingSpace(np.array([king, queen, man, woman, noise]), words)
    ids, cosines = made.analogy("king", "queen", "man", k=2)
    assert ids.tolist() == ["woman", "noise"]
    assert cosines[0] > 0.95 > 0 > cosines[1]


def test_zero_vectors_have_no_similarity() -> None:
    items = ITEMS.copy()
    items[2] = 0
    made = EmbeddingSpace(items, IDS, USERS, list("abcd"))
    assert not made.similarity(items[2:3]).any()


def test_invalid_input_is_refused() -> None:
    with pytest.raises(InputError, match="do not match 3 user ids"):
        EmbeddingSpace(ITEMS, IDS, USERS, list("abc"))
    with pytest.raises(InputError, match="user vectors have 4 dimensions, item vectors have 5"):
        EmbeddingSpace(ITEMS, IDS, USERS[:, :4], list("abcd"))
    with pytest.raises(InputError, match="user factors contain values that are not finite"):
        EmbeddingSpace(ITEMS, IDS, USERS * np.nan, list("abcd"))
    with pytest.raises(UnknownId, match="unknown item id: 'm1'"):
        space().neighbours(["m1"])
    with pytest.raises(SettingError, match="use cosine, dot, euclidean"):
        space().neighbours([IDS[0]], metric="manhattan")  # type: ignore[arg-type]


def test_vectors_are_read_only() -> None:
    with pytest.raises(ValueError, match="read-only"):
        space().item_factors[0, 0] = 1
