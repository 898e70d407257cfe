"""Pruned top-k by inner product agrees with multiplying and sorting everything, on hostile vectors too."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from recsys import inner_products
from recsys.inner_products import InnerProducts
from recsys.products import Products
from recsys.topk import NONE


def plain_top_k(
    scores: np.ndarray, k: int, exclude: sp.csr_matrix | None = None, allowed: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """The reference: sort all candidates, best first, ties to the lower column."""
    columns, best = np.full((len(scores), k), NONE, np.int32), np.full((len(scores), k), -np.inf, np.float32)
    for row, values in enumerate(scores):
        is_candidate = ~np.isnan(values)
        if allowed is not None:
            is_candidate &= allowed
        if exclude is not None:
            is_candidate[exclude.indices[exclude.indptr[row] : exclude.indptr[row + 1]]] = False
        candidates = np.flatnonzero(is_candidate)
        ranked = candidates[np.lexsort((candidates, -values[candidates]))][:k]
        columns[row, : len(ranked)], best[row, : len(ranked)] = ranked, values[ranked]
    return columns, best


def products(queries: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    with np.errstate(all="ignore"):
        return (queries.astype(np.float64) @ vectors.astype(np.float64).T).astype(np.float32)


def whole_numbers(rng: np.random.Generator, n: int, d: int, lengths: str) -> np.ndarray:
    """Small whole numbers, whose products are exact in float32 in every order of summation."""
    vectors = rng.integers(-3, 4, size=(n, d)).astype(np.float32)
    if lengths == "equal":
        vectors = np.sign(vectors) + (vectors == 0)
    elif lengths == "long tail":
        vectors *= np.floor(60 / rng.integers(1, 60, size=n))[:, None]
    elif lengths == "repeated":
        vectors = vectors[rng.integers(0, max(1, n // 5), size=n)]
    vectors[rng.random(n) < 0.1] = 0
    return vectors.astype(np.float32)


@given(
    st.integers(0, 2**32 - 1),
    st.integers(1, 150),
    st.integers(1, 300),
    st.sampled_from([1, 2, 15, 16, 17, 40]),
    st.integers(1, 40),
    st.sampled_from(["any", "equal", "long tail", "repeated"]),
    st.sampled_from([0, 0.3, 1.0]),
    st.sampled_from([None, 0.0, 0.05, 0.7]),
    st.sampled_from([0, 0.05]),
)
def test_it_agrees_with_sorting_everything(
    seed: int, m: int, n: int, d: int, k: int, lengths: str, seen: float, kept: float | None, damaged: float
) -> None:
    rng = np.random.default_rng(seed)
    vectors, queries = whole_numbers(rng, n, d, lengths), whole_numbers(rng, m, d, "any")
    for array in (vectors, queries):
        array[rng.random(array.shape) < damaged / d] = np.nan
        array[rng.random(array.shape) < damaged / d] = np.inf
    exclude = sp.csr_matrix(rng.random((m, n)) < seen) if seen else None
    allowed = None if kept is None else rng.random(n) < kept
    found = InnerProducts(vectors).top_k(queries, k, exclude=exclude, allowed=allowed, n_threads=int(1 + seed % 2))
    expected = plain_top_k(products(queries, vectors), k, exclude, allowed)
    np.testing.assert_array_equal(found[0], expected[0])
    np.testing.assert_array_equal(found[1], expected[1])


@pytest.mark.parametrize("size", [1e-41, 1e-25, 1e-3, 1.0, 1e15])
@pytest.mark.parametrize("d", [3, 64, 100])
def test_nothing_that_rounding_could_lift_into_the_list_is_missing(d: int, size: float) -> None:
    """Close products: the vectors differ from each other by little, so that wrong bounds would lose some."""
    rng = np.random.default_rng(d)
    vectors = (size * (1 + 1e-6 * rng.normal(size=(2000, d)))).astype(np.float32)
    queries = (rng.normal(size=(200, d))).astype(np.float32)
    columns, scores = InnerProducts(vectors).top_k(queries, 10)
    # Each product as the kernel defines it, found by a search that keeps all and so prunes nothing.
    everything = InnerProducts(vectors).top_k(queries, len(vectors))
    alone = np.empty((len(queries), len(vectors)), np.float32)
    np.put_along_axis(alone, everything[0].astype(np.int64), everything[1], axis=1)
    expected = plain_top_k(alone, 10)
    np.testing.assert_array_equal(columns, expected[0])
    np.testing.assert_array_equal(scores, expected[1])
    exact = queries.astype(np.float64) @ vectors.T.astype(np.float64)
    np.testing.assert_allclose(alone, exact, rtol=1e-4, atol=1e-4 * size + 1e-43)


def test_sums_that_overflow_in_other_axes_exclude_nothing() -> None:
    rng = np.random.default_rng(1)
    vectors = (1e19 * np.abs(rng.normal(size=(300, 30))) * rng.choice([1, -1, 0.5], (300, 30))).astype(np.float32)
    alone = np.hstack([InnerProducts(vectors[[at]]).top_k(vectors[:100], 1)[1] for at in range(len(vectors))])
    assert np.isinf(alone).any()
    columns, scores = InnerProducts(vectors).top_k(vectors[:100], 150)
    expected = plain_top_k(np.where(np.isneginf(alone), np.nan, alone), 150)
    for row, best in enumerate(expected[1]):
        n_above = int((best > -np.inf).sum())  # below them: -inf and NaN, which `alone` does not tell apart
        np.testing.assert_array_equal(columns[row, :n_above], expected[0][row, :n_above])
        np.testing.assert_array_equal(scores[row, :n_above], best[:n_above])


def test_the_smallest_numbers_are_not_taken_for_zero() -> None:
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(200, 64)).astype(np.float32)
    vectors[7], vectors[8] = 0, 0
    vectors[8, 0] = 1.4e-45
    queries = np.zeros((2, 64), np.float32)
    queries[0, 0], queries[1, 0] = 1.4e-45, 1e30
    for found in zip(InnerProducts(vectors).top_k(queries, 150), Products(vectors).top_k(queries, 150), strict=True):
        np.testing.assert_array_equal(*found)


def test_a_search_does_not_depend_on_what_else_is_searched(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    vectors = (rng.normal(size=(3000, 50)) * rng.pareto(1, size=(3000, 1))).astype(np.float32)
    queries = rng.normal(size=(500, 50)).astype(np.float32)
    seen = sp.random(500, 3000, 0.02, format="csr", random_state=0)
    index = InnerProducts(vectors)
    whole = index.top_k(queries, 20, exclude=seen)
    monkeypatch.setattr(inner_products, "ROWS", 33)
    pieces = index.top_k(queries, 20, exclude=seen, n_threads=3)
    single = [index.top_k(queries[[at]], 20, exclude=seen[[at]]) for at in range(100)]
    for at in (0, 1):
        assert whole[at].tobytes() == pieces[at].tobytes()
        assert whole[at][:100].tobytes() == b"".join(found[at].tobytes() for found in single)


def test_most_products_of_long_tailed_vectors_are_never_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Short vectors are replaced behind the bounds by ones that win as soon as they are looked at."""
    rng = np.random.default_rng(0)
    vectors = (rng.normal(size=(8000, 32)) / np.arange(1, 8001)[:, None]).astype(np.float32)
    queries = rng.normal(size=(100, 32)).astype(np.float32)
    index = InnerProducts(vectors)
    expected = index.top_k(queries, 10)
    index._vectors[1000:] = 1e9
    assert index.top_k(queries, 10)[0].tobytes() == expected[0].tobytes()
    index._vectors[:1000] = 1e9
    assert index.top_k(queries, 10)[0].tobytes() != expected[0].tobytes()


def test_no_vectors_and_no_queries() -> None:
    columns, scores = InnerProducts(np.empty((0, 3), np.float32)).top_k(np.ones((2, 3), np.float32), 2)
    assert columns.tolist() == [[NONE, NONE]] * 2
    assert np.isneginf(scores).all()
    assert InnerProducts(np.ones((4, 3), np.float32)).top_k(np.empty((0, 3), np.float32), 2)[0].shape == (0, 2)


def test_read_only_arguments_and_later_changes_of_the_vectors() -> None:
    vectors = np.eye(4, dtype=np.float32)
    index = InnerProducts(vectors)
    vectors[:] = 0
    query = np.array([[1, 2, 4, 3]], dtype=np.float32)
    seen = sp.csr_matrix(np.array([[0, 0, 1, 0]]))
    for array in (query, seen.indices, seen.indptr, seen.data):
        array.flags.writeable = False
    assert index.top_k(query, 2, exclude=seen)[0].tolist() == [[3, 1]]


def test_invalid_arguments_are_refused() -> None:
    index, query = InnerProducts(np.ones((3, 2), np.float32)), np.ones((1, 2), np.float32)
    with pytest.raises(ValueError, match="k must be at least 1"):
        index.top_k(query, 0)
    with pytest.raises(ValueError, match="queries have shape"):
        index.top_k(query[:, :1], 1)
    with pytest.raises(ValueError, match="exclude has shape"):
        index.top_k(query, 1, exclude=sp.csr_matrix((2, 3)))
    with pytest.raises(ValueError, match="allowed has shape"):
        index.top_k(query, 1, allowed=np.ones(2, bool))
