"""Cluster quality: by formula, and on bundles of directions with a known answer."""

from __future__ import annotations

from dataclasses import astuple

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.decomposition import TruncatedSVD
from sklearn.metrics import normalized_mutual_info_score

from recsys.evaluation.clusters import ClusterQuality, cluster_quality


def everyone(n: int) -> np.ndarray:
    return np.ones(n, dtype=bool)


def unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.fixture(scope="module")
def blobs() -> tuple[np.ndarray, np.ndarray]:
    """Six tight bundles of directions, 40 items each (240, 10), with one attribute per bundle (240, 6)."""
    rng = np.random.default_rng(9)
    label = rng.permutation(np.repeat(np.arange(6), 40))
    vectors = np.eye(10)[label] + 0.03 * rng.normal(size=(240, 10))
    return vectors * rng.uniform(0.2, 5, size=(240, 1)), np.eye(6, dtype=bool)[label]  # lengths do not matter


def test_bundles_are_found_and_agree_with_their_attributes_only(blobs) -> None:
    vectors, carries = blobs
    found = cluster_quality(vectors, carries, everyone(240), n_clusters=6)
    assert found.nmi == pytest.approx(1)
    assert found.silhouette > 0.95
    assert found.chance_nmi < 0.1
    assert found == cluster_quality(vectors, carries, everyone(240), n_clusters=6)
    shuffled = cluster_quality(vectors, np.random.default_rng(0).permutation(carries), everyone(240), n_clusters=6)
    assert shuffled.nmi == pytest.approx(found.chance_nmi, abs=0.04)
    noise = cluster_quality(np.random.default_rng(0).normal(size=(240, 10)), carries, everyone(240), n_clusters=6)
    assert noise.silhouette < 0.25 and noise.nmi < 0.15


def test_silhouette_by_hand() -> None:
    """Two pairs of directions at right angles, 60° within a pair: a = 1 − cos 60°, b = the mean distance across."""
    angles = np.deg2rad([0, 60, 180, 240])
    vectors = np.column_stack([np.cos(angles), np.sin(angles)])
    found = cluster_quality(vectors, np.eye(4, dtype=bool), everyone(4), n_clusters=2)
    across = (2 + 1.5) / 2, (1.5 + 2) / 2  # 1 − cos of 180°, 240° and of 120°, 180°
    assert found.silhouette == pytest.approx(np.mean([1 - 0.5 / b for b in across]))
    assert found.nmi == pytest.approx(normalized_mutual_info_score([0, 1, 2, 3], [0, 0, 1, 1]))


def test_the_main_attribute_is_the_rarest_and_wide_vectors_are_reduced_first(blobs) -> None:
    vectors, carries = blobs
    with_common = np.column_stack([everyone(240), carries])  # uninformative: all items have it
    assert cluster_quality(vectors, with_common, everyone(240), n_clusters=6).nmi == pytest.approx(1)
    some = carries.copy()
    some[:100] = False  # left out of the NMI
    assert cluster_quality(vectors, some, everyone(240), n_clusters=6).nmi == pytest.approx(1)
    wide = np.hstack([vectors, 0.01 * np.random.default_rng(0).normal(size=(240, 300))])
    for kind in (np.asarray, sp.csr_matrix):
        found = cluster_quality(kind(wide), carries, everyone(240), n_clusters=6)
        assert found.nmi == pytest.approx(1) and found.silhouette > 0.9


def test_reduced_vectors_are_scaled_to_length_1_again() -> None:
    """Wide vectors give the same result as their reduction, passed as dense vectors."""
    rng = np.random.default_rng(3)
    wide = rng.normal(size=(200, 300)) * rng.uniform(0, 3, size=(200, 1)) + 8 * np.eye(300)[rng.integers(9, size=200)]
    carries = rng.random((200, 6)) < 0.3
    reduced = TruncatedSVD(64, random_state=42).fit_transform(unit(wide))
    expected = cluster_quality(reduced, carries, everyone(200))
    for kind in (np.asarray, sp.csr_matrix):
        found = cluster_quality(kind(wide), carries, everyone(200))
        assert astuple(found) == pytest.approx(astuple(expected))


def test_undefined_clusters() -> None:
    alike = cluster_quality(np.ones((9, 3)), np.eye(9, dtype=bool), everyone(9))
    empty = cluster_quality(np.zeros((9, 3)), np.eye(9, dtype=bool), everyone(9))
    assert alike == empty == ClusterQuality(None, None, None)
    bare = cluster_quality(np.eye(9), np.zeros((9, 2), dtype=bool), everyone(9), n_clusters=3)
    assert bare.nmi is None and bare.silhouette is not None
