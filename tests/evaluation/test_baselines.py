"""Representations that need no training: their entries, weights and distances."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from recsys.dataset.catalog import Catalog
from recsys.errors import InputError
from recsys.evaluation.baselines import baselines
from recsys.evaluation.retrieval import retrieval


def unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return Catalog.of(
        ["a", "b", "c", "d", "e"],
        titles=["Matrix, The", "The Matrix Reloaded", "Café Noir", "cafe noir", "Alone"],
        years=[1999, 2003, 1999, None, 2001],
        genres=[("Action", "Sci-Fi"), ("Sci-Fi", "Action"), ("Drama",), ("Drama", "unknown"), ("(no genres listed)",)],
        tags=[("Cyber punk",), ("cyber punk", "sequel"), (), (), ()],
    )


RATINGS = sp.csr_matrix(np.array([[5.0, 4, 0, 1, 0], [1, 2, 0, 0, 0], [0, 0, 3, 1, 0], [4, 0, 2, 0, 5]]))


def cosine(vectors: np.ndarray | sp.csr_matrix, i: int, j: int) -> float:
    rows = vectors.toarray() if sp.issparse(vectors) else vectors
    return float(rows[i] @ rows[j] / np.linalg.norm(rows[i]) / np.linalg.norm(rows[j]))


def test_baselines_contain_what_their_names_say(catalog: Catalog) -> None:
    found = baselines(catalog, RATINGS, n_factors=3)
    assert list(found) == [
        "genres (one-hot)", "titles (bag of words)", "titles, genres, tags (TF-IDF)", "ratings (raw rows)",
        "ratings (PCA)", "random",
    ]  # fmt: skip
    assert all(v.shape[0] == 5 and v.dtype == np.float32 for v in found.values())
    genres = found["genres (one-hot)"]
    assert genres.shape == (5, 3)  # placeholders for missing genres are excluded
    assert cosine(genres, 0, 1) == cosine(genres, 2, 3) == pytest.approx(1)
    assert cosine(genres, 0, 2) == 0 and not genres[4].any()
    titles = found["titles (bag of words)"]
    assert cosine(titles, 0, 1) == pytest.approx(1 / np.sqrt(2))  # "matrix" and "matrix reloaded"
    assert cosine(titles, 2, 3) == pytest.approx(1) and cosine(titles, 0, 4) == 0
    assert titles.sum(axis=1).ravel().tolist() == [[1, 2, 2, 2, 1]]  # no year, no leading article
    raw = found["ratings (raw rows)"]
    assert raw.toarray().tolist() == (RATINGS.toarray().T > 0).tolist()
    assert cosine(raw, 0, 1) == pytest.approx(2 / np.sqrt(6))


def test_rare_words_have_more_weight(catalog: Catalog) -> None:
    found = baselines(catalog, RATINGS)["titles, genres, tags (TF-IDF)"].toarray()
    tokens = [
        {"matrix", "genre:Action", "genre:Sci-Fi", "tag:cyber punk"},
        {"matrix", "reloaded", "genre:Action", "genre:Sci-Fi", "tag:cyber punk", "tag:sequel"},
        {"cafe", "noir", "genre:Drama"},
        {"cafe", "noir", "genre:Drama"},
        {"alone"},
    ]
    words = sorted(set.union(*tokens))
    weight = {w: 1 + np.log((1 + 5) / (1 + sum(w in t for t in tokens))) for w in words}
    expected = unit(np.array([[weight[w] * (w in t) for w in words] for t in tokens]))
    assert found @ found.T == pytest.approx(expected @ expected.T, abs=1e-6)
    assert found.shape == (5, len(words))


def test_principal_components_keep_the_distances(catalog: Catalog) -> None:
    binary = (RATINGS.toarray().T > 0).astype(float)
    full = baselines(catalog, RATINGS, n_factors=64)["ratings (PCA)"]
    assert full.shape == (5, 4)  # at most as many as items or users
    centred = binary - binary.mean(axis=0)
    assert full @ full.T == pytest.approx(centred @ centred.T, abs=1e-5)
    few = baselines(catalog, RATINGS, n_factors=2)["ratings (PCA)"]
    u, s, _ = np.linalg.svd(centred, full_matrices=False)
    assert few @ few.T == pytest.approx((u[:, :2] * s[:2] ** 2) @ u[:, :2].T, abs=1e-5)


def test_baselines_are_reproducible_and_random_vectors_depend_on_the_seed(catalog: Catalog) -> None:
    first, again, other = (baselines(catalog, RATINGS, n_factors=3, seed=s) for s in (1, 1, 2))
    for name in first:
        difference = first[name] - again[name]
        assert not (difference.nnz if sp.issparse(difference) else difference.any()), name
    assert first["random"].shape == (5, 3) and (first["random"] != other["random"]).all()


def test_a_catalogue_without_titles_and_genres_has_baselines() -> None:
    bare = baselines(Catalog.of([1, 2, 3], titles=["", "?", "!"]), RATINGS[:, :3])
    assert bare["genres (one-hot)"].shape == bare["titles (bag of words)"].shape == (3, 1)
    evaluated = np.ones(3, dtype=bool)
    found = retrieval(bare["titles (bag of words)"], evaluated[:, None], np.full(3, 20), evaluated)
    assert found.precision is None
    with pytest.raises(InputError, match="does not fit a catalogue"):
        baselines(Catalog.of([1, 2]), RATINGS)


def test_without_ratings_the_baselines_made_of_them_are_left_out(catalog: Catalog) -> None:
    without, full = baselines(catalog, n_factors=3), baselines(catalog, RATINGS, n_factors=3)
    assert list(without) == [name for name in full if not name.startswith("ratings")]
    np.testing.assert_array_equal(without["random"], full["random"])
