"""Representations of items that need no training, for comparison with learned vectors."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer

from recsys.dataset.catalog import NO_GENRE, Catalog
from recsys.dataset.titles import search_key
from recsys.errors import InputError
from recsys.evaluation.vectors import Vectors, dense, principal_components

GENRES, TITLES, CONTENT = "genres (one-hot)", "titles (bag of words)", "titles, genres, tags (TF-IDF)"
RAW_RATINGS, RATINGS_PCA, RANDOM = "ratings (raw rows)", "ratings (PCA)", "random"


def baselines(
    catalog: Catalog, matrix: sp.csr_matrix | None = None, n_factors: int = 64, seed: int = 42
) -> dict[str, Vectors]:
    """Untrained representations, float32, one row per item, by name.

    matrix  CSR (n_users, n_items), columns in the order of the catalogue; every stored entry counts as rated. None: no
            ratings, and the two representations made of them are left out

    genres (one-hot)              dense
    titles (bag of words)         CSR, word counts of the title without case, accents, leading article and year
    titles, genres, tags (TF-IDF) CSR, those words and whole genres and tags, rare ones with more weight
    ratings (raw rows)            CSR (n_items, n_users), 1 where a user rated the item
    ratings (PCA)                 dense, those rows centred, on their first `n_factors` principal components
    random                        dense, normal noise: the level of no information

    Raises InputError if the matrix has another number of items than the catalogue.
    """
    n_items = len(catalog)
    if matrix is not None and matrix.shape[1] != n_items:
        raise InputError(f"a matrix of {matrix.shape[1]} items does not fit a catalogue of {n_items}")
    titles = [search_key(title).split() for title in catalog.items["title"]]
    genres = [[f"genre:{g}" for g in row if g.casefold() not in NO_GENRE] for row in catalog.items["genres"]]
    tags = [[f"tag:{tag}" for tag in sorted({tag.casefold() for tag in row})] for row in catalog.items["tags"]]
    every = [[*words, *g, *t] for words, g, t in zip(titles, genres, tags, strict=True)]
    found: dict[str, Vectors] = {
        GENRES: dense(_counts(genres)),
        TITLES: _counts(titles),
        CONTENT: _counts(every, TfidfVectorizer),
    }
    if matrix is not None:
        rated = sp.csr_matrix(matrix.T, dtype=np.float32)
        rated = sp.csr_matrix((np.ones_like(rated.data), rated.indices, rated.indptr), shape=rated.shape)
        found[RAW_RATINGS] = rated
        found[RATINGS_PCA] = principal_components(rated, n_factors, seed).astype(np.float32)
    found[RANDOM] = np.random.default_rng(seed).standard_normal((n_items, n_factors)).astype(np.float32)
    return found


def _counts(tokens: list[list[str]], vectorizer: type = CountVectorizer) -> sp.csr_matrix:
    """Documents given as tokens × vocabulary, CSR float32; one empty column where there are no tokens at all."""
    if not any(tokens):
        return sp.csr_matrix((len(tokens), 1), dtype=np.float32)
    return sp.csr_matrix(vectorizer(analyzer=list, dtype=np.float32).fit_transform(tokens))
