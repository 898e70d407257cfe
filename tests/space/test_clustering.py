"""Clusters: planted clusters are found and named, those of MovieLens are verified, random data has none."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score, roc_auc_score, silhouette_samples, silhouette_score

from recsys.dataset.attributes import Attributes
from recsys.dataset.catalog import Catalog
from recsys.dataset.dataset import Dataset
from recsys.dataset.interactions import Interactions
from recsys.errors import InputError, RecsysError, SettingError, UnknownId, Unsupported
from recsys.evaluation.serialization import from_json
from recsys.models import IALS, Model, Popular
from recsys.space.axis import UNNAMED
from recsys.space.clustering import AS_GOOD, MIN_SHARE, STABLE_CLUSTER, best_jaccards, find_clusters, silhouettes
from recsys.space.embedding import EmbeddingSpace
from recsys.space.evidence import ClusteringEvidence
from recsys.space.item_clusters import NO_CLUSTER, ItemClusters
from recsys.space.naming import name_ends

SIZES = (110, 80, 60, 50, 40)


def made(vectors: np.ndarray, genres=None, counts=None, has_bias: bool = False) -> tuple[EmbeddingSpace, Attributes]:
    n = len(vectors)
    rng = np.random.default_rng(5)
    counts = rng.integers(20, 900, n) if counts is None else counts
    ids = [f"m{i}" for i in range(n)]
    catalog = Catalog.of(ids, [f"Film {i}" for i in range(n)], list(rng.integers(1930, 2000, n)), genres)
    return EmbeddingSpace(vectors, ids, has_bias=has_bias), Attributes.of(catalog, counts)


def groups(sizes=SIZES, d: int = 12, noise: float = 0.12, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Vectors around the first axes in random order and with random lengths; and the group of each."""
    rng = np.random.default_rng(seed)
    group = rng.permutation(np.repeat(np.arange(len(sizes)), sizes))
    vectors = np.eye(d)[group] + rng.normal(scale=noise, size=(len(group), d))
    return vectors * rng.uniform(0.1, 9, (len(group), 1)), group


@pytest.fixture(scope="module")
def found(ml100k_model: Model) -> ItemClusters:
    return find_clusters(ml100k_model.space, ml100k_model.attributes)


@pytest.mark.parametrize("method", ["kmeans", "hdbscan", "auto"])
def test_planted_clusters_are_found_counted_and_named(method) -> None:
    vectors, group = groups()
    kinds = ["Western", "Horror", "Musical", "War", "Drama"]
    genres = [[kinds[g]] for g in group]
    clusters = find_clusters(*made(vectors, genres), method, numbers=(2, 3, 4, 5, 6, 8, 12))
    assert clusters.n_clusters == 5 and min(clusters.stability) > 0.95 and clusters.silhouette > 0.8
    inside = clusters.labels != NO_CLUSTER
    assert adjusted_rand_score(group[inside], clusters.labels[inside]) == 1 and inside.mean() > 0.95
    assert clusters.names == ("Western", "Horror", "Musical", "War", "Drama"), "by size, greatest first"
    assert clusters.title(1) == "Horror"
    np.testing.assert_allclose(clusters.centres, np.eye(12)[:5], atol=0.1)


def test_random_vectors_have_no_clusters_and_no_names() -> None:
    """The control: random directions and random genres."""
    rng = np.random.default_rng(1)
    genres = [[("Western", "Horror", "Musical")[k]] for k in rng.integers(0, 3, 500)]
    clusters = find_clusters(*made(rng.normal(size=(500, 32)), genres), "kmeans")
    assert clusters.silhouette < 0.06 and np.mean(clusters.stability) < 0.35
    assert set(clusters.names) == {UNNAMED} and clusters.title(2) == "cluster 3"


def test_clusters_start_from_those_of_an_earlier_model() -> None:
    """Random directions have many equally good clusterings; only the start says which one is found again."""
    rng = np.random.default_rng(1)
    vectors = rng.normal(size=(500, 16))
    space, attributes = made(vectors)
    before = find_clusters(space, attributes, "kmeans", numbers=(9,))
    turned, _ = np.linalg.qr(rng.normal(size=(16, 16)))
    order = rng.permutation(500)[:480]
    moved = (vectors + rng.normal(scale=0.1, size=vectors.shape))[order] @ turned
    later = EmbeddingSpace(moved, space.item_ids[order]), made(vectors[order])[1]
    same = find_clusters(*later, previous=before, seed=7)
    other = find_clusters(*later, "kmeans", numbers=(9,), seed=7)
    agreement = [adjusted_rand_score(before.labels[order], found.labels) for found in (same, other)]
    assert same.n_clusters == 9 and agreement[0] > 0.8 > 0.4 > agreement[1], agreement
    strangers = EmbeddingSpace(vectors, [f"x{i}" for i in range(500)])
    assert find_clusters(strangers, attributes, previous=before).n_clusters == 9


@pytest.mark.slow
def test_movielens_has_clusters_with_verified_names(found: ItemClusters, ml100k_model: Model) -> None:
    model, known = ml100k_model, ml100k_model.attributes.well_known
    assert {"Horror", "Children's"} & set(found.names)
    assert 8 <= found.n_clusters <= 20 and np.mean(found.stability) > STABLE_CLUSTER
    for number, (name, evidence) in enumerate(zip(found.names, found.evidence.clusters, strict=True)):
        genre = name.split(" (")[0]
        carries = np.array([genre in genres for genres in model.catalog.items["genres"]])
        if name == UNNAMED or not carries.any():
            continue
        inside = found.labels == number
        assert carries[inside & known].mean() >= MIN_SHARE and found.stability[number] >= STABLE_CLUSTER
        assert evidence.names[0].n_inside == carries[inside & known].sum()
        along = model.space.item_directions @ found.centres[number]
        assert evidence.names[0].auc == pytest.approx(roc_auc_score(carries[known], along[known]), abs=0.03)


def test_examples_are_well_known_and_near_the_centre(found: ItemClusters, ml100k_model: Model) -> None:
    space, counts = ml100k_model.space, ml100k_model.n_ratings
    horror = found.names.index("Horror")
    rows = found.examples(space, counts, horror, 5)
    assert "A Nightmare on Elm Street (1984)" in ml100k_model.catalog.labels[rows]
    members = found.members(space, horror)
    assert sorted(members) == np.flatnonzero(found.labels == horror).tolist()
    assert (np.diff(space.item_directions[members] @ found.centres[horror]) <= 1e-6).all()
    assert (counts[rows] >= np.quantile(counts[members], 2 / 3)).all()


def test_shuffled_movies_get_no_name(found: ItemClusters, ml100k_model: Model) -> None:
    """The control: the same vectors, clustered as clearly, assigned to other movies."""
    model, known = ml100k_model, np.flatnonzero(ml100k_model.attributes.well_known)
    number = found.n_clusters
    for seed in range(3):
        vectors = model.space.item_factors.copy()
        vectors[known] = vectors[np.random.default_rng(seed).permutation(known)]
        shuffled = dataclasses.replace(model.space, item_factors=vectors)
        clusters = find_clusters(shuffled, model.attributes, "kmeans", numbers=(number,), n_resamples=2)
        assert clusters.silhouette == pytest.approx(found.silhouette, abs=0.03)
        assert max(clusters.stability) > STABLE_CLUSTER
        assert set(clusters.names) == {UNNAMED}


def test_an_unstable_cluster_has_no_name(ml100k_model: Model) -> None:
    clusters = find_clusters(ml100k_model.space, ml100k_model.attributes, "kmeans", numbers=(30,))
    unstable = [n for n in range(30) if clusters.stability[n] < STABLE_CLUSTER]
    assert any(clusters.evidence.clusters[n].names for n in unstable), "they have verified names, but are not stable"
    assert {clusters.names[n] for n in unstable} == {UNNAMED} != set(clusters.names)


def test_recovered_clusters_are_stable_and_a_cluster_cut_in_two_is_not() -> None:
    """Five groups in six clusters: the wide one is cut differently in each resample."""
    vectors, group = groups()
    wide = group == 0
    vectors[wide] = np.eye(12)[0] + np.random.default_rng(8).normal(scale=0.25, size=(wide.sum(), 12))
    clusters = find_clusters(*made(vectors), "kmeans", numbers=(6,))
    whole = [len(set(group[clusters.labels == n])) == 1 and not wide[clusters.labels == n].any() for n in range(6)]
    assert sum(whole) == 4 and whole[5] and whole[0], "the halves stand among the others"
    assert all((stability > 0.95) == is_whole for stability, is_whole in zip(clusters.stability, whole, strict=True))


def test_an_attribute_of_few_members_is_not_the_name_of_a_cluster() -> None:
    """All musicals are in one group, but are a fifth of it."""
    vectors, group = groups()
    rare = np.flatnonzero(group == 1)[:16]
    space, attributes = made(vectors, [["Musical"] * int(row in rare) for row in range(len(group))])
    clusters = find_clusters(space, attributes, "kmeans", numbers=(5,))
    along = space.item_directions @ clusters.centres.T
    verified = [[name.attribute for name in high] for _, high in name_ends(along, attributes, attributes.n_ratings > 0)]
    assert verified[1] == ["Musical"] and clusters.names[1] == UNNAMED, "few members have it"


def test_silhouette_equals_scikit_learn(found: ItemClusters, ml100k_model: Model) -> None:
    known = ml100k_model.attributes.well_known
    directions, labels = ml100k_model.space.item_directions[known], found.labels[known]
    assert found.silhouette == pytest.approx(silhouette_score(directions, labels, metric="cosine"), abs=1e-5)
    alone = np.concatenate([[labels.max() + 1], labels[1:]])  # a cluster of one, which has 0
    np.testing.assert_allclose(
        silhouettes(directions, alone), silhouette_samples(directions, alone, metric="cosine"), atol=1e-5
    )


def test_silhouettes_of_equal_vectors_are_1_at_most() -> None:
    vectors = np.random.default_rng(3).normal(size=(2, 16)).astype(np.float32)
    directions = np.repeat(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), 9, axis=0)
    longer = directions * np.float32(1 + 1e-6)  # what rounding in single precision can do
    values = silhouettes(longer, np.repeat([0, 1], 9))
    assert values == pytest.approx(1) and values.max() <= 1


def test_jaccard_indices_computed_by_hand() -> None:
    labels = np.array([0, 0, 0, 0, 1, 1, 1, NO_CLUSTER])
    others = np.array([1, 1, 1, 0, 0, 0, NO_CLUSTER, 1])
    assert best_jaccards(labels, others, 3).tolist() == [3 / 5, 2 / 4, 0]
    assert best_jaccards(labels, np.full(8, NO_CLUSTER), 2).tolist() == [0, 0]


def test_the_choice_follows_the_documented_rule(found: ItemClusters) -> None:
    tried = found.evidence.tried
    assert {way.method for way in tried} == {"kmeans", "hdbscan"}
    assert found.evidence == from_json(ClusteringEvidence, json.dumps(found.evidence.to_json()))
    stable = [way for way in tried if way.stability >= STABLE_CLUSTER]
    best = max(way.silhouette * way.share for way in stable)
    as_good = [way for way in stable if way.silhouette * way.share >= AS_GOOD * best]
    chosen = next(way for way in tried if (way.method, way.setting) == (found.method, found.evidence.setting))
    assert chosen in as_good and chosen.n_stable == max(way.n_stable for way in as_good)
    assert chosen.n_clusters == found.n_clusters and chosen.silhouette == found.silhouette


def test_every_item_is_with_its_nearest_centre(found: ItemClusters, ml100k_model: Model) -> None:
    nearest = (ml100k_model.space.item_directions @ found.centres.T).argmax(axis=1)
    assert found.method == "kmeans" and (found.labels == nearest).mean() > 0.999
    assert found.sizes.tolist() == sorted(found.sizes, reverse=True) and found.sizes.sum() == len(found.labels)


def test_hdbscan_leaves_out_noise() -> None:
    """Noise among five groups; a third of it, and eight members of a group, are rarely rated."""
    vectors, group = groups()
    rng = np.random.default_rng(3)
    n = len(vectors)
    vectors = np.vstack([vectors, rng.normal(size=(60, 12))])
    counts = rng.integers(20, 900, len(vectors))
    late, noise = np.flatnonzero(group == 2)[:8], np.arange(n, n + 60, 3)
    counts[np.r_[late, noise]] = 3
    clusters = find_clusters(*made(vectors, counts=counts), "hdbscan")
    outside = clusters.labels == NO_CLUSTER
    assert clusters.method == "hdbscan" and clusters.n_clusters == 5
    assert outside[noise].all() and outside[n:].mean() > 0.5 and outside[:n].mean() < 0.02
    home = np.bincount(clusters.labels[:n][group == 2] + 1).argmax() - 1
    assert (clusters.labels[late] == home).sum() >= 6, "three in four would be expected"
    assert clusters.evidence.share < 1


def test_zero_vectors_and_the_bias_are_in_no_cluster() -> None:
    vectors, group = groups()
    zero = np.array([0, 7, 50])
    vectors[zero] = 0
    popularity = np.random.default_rng(2).normal(scale=50, size=(len(vectors), 1))
    space, attributes = made(np.hstack([vectors, popularity]), has_bias=True)
    attributes.n_ratings[7] = 2
    clusters = find_clusters(space, attributes, numbers=(4, 5, 6), n_resamples=2)
    assert np.flatnonzero(clusters.labels == NO_CLUSTER).tolist() == zero.tolist()
    there = np.setdiff1d(np.arange(len(vectors)), zero)
    assert adjusted_rand_score(group[there], clusters.labels[there]) == 1 and clusters.centres.shape == (5, 12)


@pytest.mark.parametrize(("has_next", "names"), [(True, {"Drama", "Drama, Fantasy"}), (False, {"Drama", "Drama (2)"})])
def test_clusters_with_the_same_name_get_another_or_a_number(has_next: bool, names: set[str]) -> None:
    """Two similar groups, both drama; nearly all of one is fantasy, which is rare elsewhere."""
    vectors, group = groups((120, 100, 90, 80, 70), noise=0.08)
    vectors[group == 1] += np.linalg.norm(vectors[group == 1], axis=1, keepdims=True) * np.eye(12)[0]
    rng = np.random.default_rng(6)
    fantasy = has_next & (rng.random(len(group)) < np.where(group == 0, 0.9, 0.06))
    genres = [["Drama"] * int(g < 2) + ["Fantasy"] * int(f) for g, f in zip(group, fantasy, strict=True)]
    clusters = find_clusters(*made(vectors, genres), "kmeans", numbers=(5,))
    assert {name for name in clusters.names if name != UNNAMED} == names
    assert clusters.names[0] == ("Drama, Fantasy" if has_next else "Drama")


def test_the_same_seed_gives_the_same_bytes(ml100k_model: Model) -> None:
    space, attributes = ml100k_model.space, ml100k_model.attributes
    a, b = (find_clusters(space, attributes, numbers=(8, 16), n_resamples=1, seed=3) for _ in range(2))
    assert (a.labels.tobytes(), a.centres.tobytes()) == (b.labels.tobytes(), b.centres.tobytes())
    assert (a.names, a.stability, a.evidence, a.seed) == (b.names, b.stability, b.evidence, 3)


def test_progress_counts_the_clusterings() -> None:
    seen: list[tuple[int, int]] = []
    vectors, _ = groups()
    find_clusters(*made(vectors), "kmeans", numbers=(4, 5), n_resamples=1, progress=lambda *at: seen.append(at))
    assert seen == [(1, 2), (2, 2)]


@pytest.mark.parametrize(
    ("settings", "error", "words"),
    [
        ({"method": "ward"}, SettingError, "unknown method 'ward': use kmeans, hdbscan or auto"),
        ({"numbers": ()}, SettingError, "must be 2 or more"),
        ({"numbers": (5, 1)}, SettingError, "must be 2 or more"),
        ({"numbers": (100,)}, SettingError, "too few for 100 clusters: at most 68"),
        ({"n_resamples": 0}, SettingError, "at least 1"),
    ],
)
def test_invalid_settings_are_refused(settings, error: type[RecsysError], words: str) -> None:
    with pytest.raises(error, match=words) as caught:
        find_clusters(*made(groups()[0]), **settings)
    assert "\n" not in str(caught.value)


def test_data_without_clusters_are_refused() -> None:
    small = Interactions(np.ones((30, 8)), np.arange(30), np.arange(8))
    data = Dataset(small, Catalog.of(small.item_ids))
    tiny, popular = IALS(n_factors=2).fit(data), Popular().fit(data)
    with pytest.raises(InputError, match="only 8 items"):
        find_clusters(tiny.space, tiny.attributes)
    with pytest.raises(Unsupported, match="no user and item vectors"):
        find_clusters(popular.space, popular.attributes)
    for method in ("auto", "hdbscan"):
        with pytest.raises(InputError, match="no clusters found"):
            find_clusters(*made(np.tile([0.3, 0.4, 0.5], (80, 1))), method)  # type: ignore[arg-type]


def test_one_dimension_has_two_clusters() -> None:
    """One dimension has only two directions, whatever number of clusters is requested."""
    clusters = find_clusters(*made(np.linspace(-3, 5, 90)[:, None]))
    assert clusters.n_clusters == 2 and clusters.silhouette == pytest.approx(1)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"method": "auto"}, "unknown cluster method 'auto'"),
        ({"names": ("one",)}, "do not match"),
        ({"names": (), "stability": (), "centres": np.zeros((0, 3))}, "do not match"),
        ({"stability": (1.0,)}, "do not match"),
        ({"stability": (1.0, np.nan)}, "invalid silhouette"),
        ({"silhouette": 1.5}, "invalid silhouette 1.5"),
        ({"centres": np.ones((2, 3))}, "not of length 1"),
        ({"centres": np.full((2, 3), np.nan)}, "not of length 1"),
        ({"labels": np.array([0, 0, 1])}, "one integer for each of the 4 items"),
        ({"labels": np.array([0, 0, 1, 0.5])}, "one integer"),
        ({"labels": np.array([0, 0, 1, 2])}, "between -1 and 1"),
        ({"labels": np.array([0, 0, 1, -2])}, "between -1 and 1"),
        ({"labels": np.array([0, 1, 1, -1])}, "largest first"),
        ({"labels": np.array([0, 0, 0, -1])}, "must not be empty"),
    ],
)
def test_parts_that_do_not_match_are_refused(wrong, words: str) -> None:
    parts = {
        "method": "kmeans",
        "item_ids": np.array(["a", "b", "c", "d"]),
        "labels": np.array([0, 0, 1, NO_CLUSTER]),
        "names": ("Horror", UNNAMED),
        "centres": np.eye(3)[:2],
        "silhouette": 0.2,
        "stability": (0.9, 0.4),
    }
    good = ItemClusters(**parts)
    assert (good.title(0), good.title(1)) == ("Horror", "cluster 2") and good.labels.dtype == np.int32
    for number in (2, -1):
        with pytest.raises(UnknownId, match="from 0 to 1"):
            good.title(number)
    with pytest.raises(InputError, match=words):
        ItemClusters(**{**parts, **wrong})
