"""The top-k kernel agrees with plain NumPy and never returns excluded items."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import scipy.sparse as sp

from recsys import topk
from recsys.topk import NONE, top_k


def plain_top_k(scores: np.ndarray, k: int, exclude: sp.csr_matrix | None, allowed: np.ndarray | None):
    """The reference: sort all candidates, best first, ties to the lower column."""
    columns = np.full((len(scores), k), NONE, dtype=np.int32)
    best = np.full((len(scores), k), -np.inf, dtype=np.float32)
    for row, values in enumerate(scores):
        candidates = [
            c
            for c in range(scores.shape[1])
            if not np.isnan(values[c])
            and (allowed is None or allowed[c])
            and (exclude is None or c not in exclude.indices[exclude.indptr[row] : exclude.indptr[row + 1]])
        ]
        ranked = sorted(candidates, key=lambda c: (-values[c], c))[:k]
        columns[row, : len(ranked)] = ranked
        best[row, : len(ranked)] = values[ranked]
    return columns, best


@pytest.mark.parametrize("seed", range(30))
def test_it_agrees_with_sorting_everything(seed: int, monkeypatch) -> None:
    rng = np.random.default_rng(seed)
    n_rows, n_columns, k = rng.integers(1, 40), rng.integers(1, 60), int(rng.integers(1, 70))
    scores = rng.integers(-4, 4, size=(n_rows, n_columns)).astype(np.float32)  # few values: many ties
    scores[rng.random(scores.shape) < 0.05] = np.nan
    scores[rng.random(scores.shape) < 0.05] = -np.inf
    exclude = sp.random(n_rows, n_columns, 0.3, format="csr", random_state=seed) if seed % 2 else None
    allowed = rng.random(n_columns) < 0.8 if seed % 3 else None
    monkeypatch.setattr(topk, "BLOCK_BYTES", 4 * n_columns * int(rng.integers(1, 10)))
    found = top_k(
        lambda rows: scores[rows], n_rows, n_columns, k, exclude=exclude, allowed=allowed, n_threads=int(1 + seed % 3)
    )
    expected = plain_top_k(scores, k, exclude, allowed)
    np.testing.assert_array_equal(found[0], expected[0])
    np.testing.assert_array_equal(found[1], expected[1])


def test_short_rows_are_padded_not_filled_with_excluded_columns() -> None:
    scores = np.array([[5.0, 4.0, 3.0]], dtype=np.float32)
    seen = sp.csr_matrix(np.array([[1.0, 0.0, 1.0]]))
    columns, best = top_k(lambda rows: scores[rows], 1, 3, 3, exclude=seen)
    assert columns.tolist() == [[1, NONE, NONE]]
    assert best.tolist() == [[4.0, -np.inf, -np.inf]]


def test_a_stored_zero_excludes_too() -> None:
    seen = sp.csr_matrix((np.zeros(1, dtype=np.float32), np.array([0]), np.array([0, 1])), shape=(1, 2))
    columns, _ = top_k(lambda rows: np.array([[2.0, 1.0]], dtype=np.float32), 1, 2, 2, exclude=seen)
    assert columns.tolist() == [[1, NONE]]


def test_unsorted_exclusions_work() -> None:
    seen = sp.csr_matrix((np.ones(2), np.array([3, 0]), np.array([0, 2])), shape=(1, 4))
    columns, _ = top_k(lambda rows: np.array([[4.0, 3, 2, 1]], dtype=np.float32), 1, 4, 4, exclude=seen)
    assert columns.tolist() == [[1, 2, NONE, NONE]]


def test_calls_from_many_threads_agree() -> None:
    rng = np.random.default_rng(0)
    users, items = rng.normal(size=(300, 8)).astype("f4"), rng.normal(size=(500, 8)).astype("f4")

    def run(_: int) -> bytes:
        return top_k(lambda rows: users[rows] @ items.T, 300, 500, 10, n_threads=2)[0].tobytes()

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(run, range(32)))) == 1


def test_invalid_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match="k must be at least 1"):
        top_k(lambda rows: np.zeros((1, 2), "f4"), 1, 2, 0)
    with pytest.raises(ValueError, match="exclude has shape"):
        top_k(lambda rows: np.zeros((1, 2), "f4"), 1, 2, 1, exclude=sp.csr_matrix((2, 2)))
    with pytest.raises(ValueError, match="allowed has shape"):
        top_k(lambda rows: np.zeros((1, 2), "f4"), 1, 2, 1, allowed=np.ones(3, bool))
