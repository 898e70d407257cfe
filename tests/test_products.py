"""A few products by NumPy are those of the compiled search, bit by bit; their number decides which is used."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import scipy.sparse as sp

from recsys import products, tiles
from recsys.inner_products import InnerProducts
from recsys.products import Products
from recsys.topk import one_each

RNG = np.random.default_rng(9)


@pytest.mark.parametrize(("n", "d"), [(1, 1), (300, 16), (500, 7), (2000, 65)])
@pytest.mark.parametrize("kind", ["any", "repeated", "hostile", "overflowing"])
def test_few_products_are_those_of_the_compiled_search(n: int, d: int, kind: str) -> None:
    vectors = RNG.standard_normal((n, d)).astype(np.float32)
    if kind == "repeated":
        vectors = vectors[RNG.integers(0, n // 3 + 1, n)]
    elif kind == "hostile":
        vectors *= RNG.choice([0, 1e-30, 1, 1e18, np.inf, np.nan], (n, 1), p=[0.2, 0.1, 0.4, 0.2, 0.05, 0.05])
    elif kind == "overflowing":
        vectors *= RNG.choice([1e19, -1e19], (n, d))
    queries = np.vstack([vectors[:2], np.zeros((1, d), np.float32)])
    kept = RNG.random(n) < 0.9
    seen = sp.csr_matrix(one_each(np.zeros(len(queries), np.int64), n))
    for options in ({}, {"allowed": kept}, {"exclude": seen}):
        index = Products(vectors)
        columns, scores = index.top_k(queries, 12, **options)
        assert "arranged" not in vars(index)
        expected_columns, expected_scores = InnerProducts(vectors).top_k(queries, 12, **options)
        np.testing.assert_array_equal(columns, expected_columns)
        np.testing.assert_array_equal(scores.view(np.int32), expected_scores.view(np.int32))


def test_a_product_next_to_the_middle_of_two_numbers_is_rounded_once() -> None:
    vectors, queries = np.zeros((2, 1, 17), np.float32)
    vectors[0, [0, 16]] = 1 + 2**-23, (1 + 2**-18) * 2**-24
    queries[0, [0, 16]] = 1, 1 - 2**-18  # in all 1 + 2⁻²³ + 2⁻²⁴ - 2⁻⁶⁰: float64 has no room for the last term
    for index in (Products(vectors), InnerProducts(vectors)):
        assert index.top_k(queries, 1)[1][0, 0] == np.float32(1 + 2**-23)


def test_products_have_as_many_sums_as_the_compiled_search() -> None:
    assert products.LANES == tiles.LANES


def test_many_products_arrange_the_vectors_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(products, "FEW_PRODUCTS", 40)
    index = Products(RNG.standard_normal((20, 3)))
    index.top_k(np.ones((2, 3), np.float32), 2)
    assert "arranged" not in vars(index)
    index.top_k(np.ones((3, 3), np.float32), 2)
    arranged = index.arranged
    index.top_k(np.ones((1, 3), np.float32), 2)
    assert index.arranged is arranged


def test_one_query_of_a_space_loads_no_compiler() -> None:
    script = (
        "import sys, numpy as np\n"
        "from recsys.space.embedding import EmbeddingSpace\n"
        "import recsys.models\n"
        "space = EmbeddingSpace(np.eye(3), [1, 2, 3])\n"
        "for metric in ('cosine', 'dot', 'euclidean'): space.neighbours([2], 2, metric)\n"
        "space.analogy(1, 2, 3)\n"
        "print([name for name in ('numba', 'scipy.special', 'sklearn', 'implicit') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
