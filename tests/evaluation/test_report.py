"""Every number of the embedding report on MovieLens 100K, computed a second way; its rules on small synthetic data.

The second way never calls the function under test: plain loops, other routines, or the expected value of what the
report draws at random. The vectors of the baselines are recomputed here too. Reports are compared as the plain values
that are stored.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.linalg
import scipy.sparse as sp
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.linear_model import RidgeCV
from sklearn.metrics import r2_score, roc_auc_score
from sklearn.model_selection import KFold, StratifiedKFold, cross_val_predict
from sklearn.neighbors import NearestNeighbors
from threadpoolctl import threadpool_limits

from recsys.dataset.attributes import Attributes
from recsys.dataset.catalog import Catalog
from recsys.dataset.dataset import Dataset
from recsys.dataset.interactions import Interactions
from recsys.dataset.split import hold_out
from recsys.dataset.titles import search_key
from recsys.errors import InputError, Unsupported
from recsys.evaluation.analogies import title_pairs
from recsys.evaluation.report import GIVEN, EmbeddingReport, by_dimension, embedding_report, mean_ratings, space_report
from recsys.evaluation.serialization import from_json
from recsys.models import IALS, Model, Popular, with_settings
from recsys.models.blend import Blend
from recsys.space.embedding import EmbeddingSpace

pytestmark = pytest.mark.slow

SEED = 42
GENRES, TITLES, WORDS = "genres (one-hot)", "titles (bag of words)", "titles, genres, tags (TF-IDF)"
RAW, COMPONENTS, RANDOM = "ratings (raw rows)", "ratings (PCA)", "random"
EVERY = ("ials", GENRES, TITLES, WORDS, RAW, COMPONENTS, RANDOM)
Report = dict[str, Any]


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """In many small decompositions the threads of the linear algebra mostly wait for each other."""
    with threadpool_limits(1):
        yield


@pytest.fixture(scope="module")
def steps() -> list[tuple[int, int]]:
    """The progress calls of `report`, which fills this list."""
    return []


@pytest.fixture(scope="module")
def report(ml100k, ml100k_model, steps) -> Report:
    return embedding_report(
        ml100k_model,
        ml100k.interactions,
        dimensions=(1, 2, 8),
        n_seeds=2,
        seed=SEED,
        progress=lambda done, total: steps.append((done, total)),
    ).to_json()


@pytest.fixture(scope="module")
def evaluated(ml100k) -> np.ndarray:
    """Rows of the movies with at least twenty ratings, by a plain count."""
    times = Counter(ml100k.interactions.matrix.indices.tolist())
    return np.array([row for row in range(ml100k.interactions.n_items) if times[row] >= 20])


@pytest.fixture(scope="module")
def n_ratings(ml100k) -> np.ndarray:
    return (ml100k.interactions.matrix.toarray() > 0).sum(axis=0)


@pytest.fixture(scope="module")
def vectors(ml100k, ml100k_model) -> dict[str, np.ndarray]:
    """All representations, dense, recomputed: bags of words by dictionaries, components by the SVD of a full matrix."""
    items = ml100k.catalog.items
    titles = [search_key(title).split() for title in items["title"]]
    genres = [[f"genre {g}" for g in row if g != "unknown"] for row in items["genres"]]
    both = [words + more for words, more in zip(titles, genres, strict=True)]
    df = Counter(token for row in both for token in set(row))
    rarity = {token: 1 + math.log((1 + len(both)) / (1 + n)) for token, n in df.items()}
    rated = (ml100k.interactions.matrix.toarray().T > 0).astype(float)
    left, strengths, _ = scipy.linalg.svd(rated - rated.mean(axis=0), full_matrices=False)
    return {
        "ials": ml100k_model.space.item_factors.astype(float),
        GENRES: bag(genres),
        TITLES: bag(titles),
        WORDS: unit(bag(both, rarity)),
        RAW: rated,
        COMPONENTS: left[:, :64] * strengths[:64],
        RANDOM: np.random.default_rng(SEED).standard_normal((len(items), 64)),
    }


@pytest.fixture(scope="module")
def genres(ml100k, evaluated) -> dict[str, np.ndarray]:
    """Genre → which evaluated movies have it, for genres of at least ten of them."""
    return common({g for row in ml100k.catalog.items["genres"] for g in row} - {"unknown"}, ml100k, evaluated)


def common(names: set[str], ml100k, evaluated: np.ndarray) -> dict[str, np.ndarray]:
    carried = [set(ml100k.catalog.items["genres"].iloc[row]) for row in evaluated]
    columns = {name: np.array([name in row for row in carried]) for name in sorted(names)}
    return {name: column for name, column in columns.items() if 10 <= column.sum() <= len(evaluated) - 10}


def bag(rows: list[list[str]], weight: dict[str, float] | None = None) -> np.ndarray:
    place = {token: at for at, token in enumerate(sorted({token for row in rows for token in row}))}
    table = np.zeros((len(rows), len(place)))
    for row, tokens in enumerate(rows):
        for token in tokens:
            table[row, place[token]] += 1 if weight is None else weight[token]
    return table


def unit(vectors: np.ndarray) -> np.ndarray:
    lengths = np.sqrt((vectors**2).sum(axis=1, keepdims=True))
    return vectors / np.where(lengths > 0, lengths, 1)


def with_direction(vectors: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which of `rows` have a nonzero vector, and these vectors at length 1."""
    there = vectors[rows].any(axis=1)
    return there, unit(vectors[rows][there])


# -------------------------------------------------------------------------------------------------- the whole report


def test_every_number_of_the_report_is_computed_a_second_way(report: Report) -> None:
    """A new number belongs in one of the tests below, then here."""
    assert set(report) == {
        "model", "hyperparameters", "confidence", "data", "judged_items", "seed",
        "representations", "divergence", "smoothness", "dimensions", "seeds", "fingerprint",
    }  # fmt: skip
    assert tuple(report["representations"]) == EVERY
    for measured in report["representations"].values():
        assert set(measured) == {
            "dimensions", "genre_retrieval", "tag_retrieval", "genre_auc", "genre_auc_of", "decade_auc",
            "mean_rating_r2", "clusters", "analogies", "effective_rank", "isotropy", "told",
        }  # fmt: skip
        assert set(measured["genre_retrieval"]) == {"precision", "jaccard", "chance", "chance_jaccard", "n_queries"}
        assert set(measured["clusters"]) == {"silhouette", "nmi", "chance_nmi"}
        answers = {"n_questions", "n_pairs", "hits@10", "mrr", "chance", "neighbour_hits@10"}
        assert set(measured["analogies"]) == answers | {"by_kind"}
        assert {kind: set(found) for kind, found in measured["analogies"]["by_kind"].items()} == {
            "sequel": answers,
            "remake": answers,
        }
    assert set(report["divergence"]) == {"users ‖ items", "items ‖ users", "js", "js_control"}
    for row in report["dimensions"]:
        assert set(row) == {"n_factors", "ndcg@10", "low", "high", "error", "least_error"}
    assert set(report["seeds"]) == {
        "n", "overlap@10", "least_overlap@10", "chance_overlap@10", "cka", "least_cka",
    }  # fmt: skip


def test_the_report_names_its_model_and_data(report: Report, evaluated) -> None:
    assert report["model"] == "ials" and report["seed"] == SEED
    assert report["hyperparameters"]["n_factors"] == 64 and report["hyperparameters"]["alpha0"] == IALS().alpha0
    assert report["confidence"] == {"min_rating": None, "weighting": "log"}
    facts = {key: report["data"][key] for key in ("n_users", "n_items", "n_ratings")}
    assert facts == {"n_users": 943, "n_items": 1682, "n_ratings": 100_000}  # the README of MovieLens 100K
    assert report["judged_items"] == len(evaluated) == 939
    given = {name: tuple(measured["told"]) for name, measured in report["representations"].items()}
    assert {name: measures for name, measures in given.items() if measures} == GIVEN


def test_numbers_of_dimensions_are_the_widths_of_the_vectors(report: Report, vectors) -> None:
    assert {name: measured["dimensions"] for name, measured in report["representations"].items()} == {
        name: made.shape[1] for name, made in vectors.items()
    }


def test_the_report_is_strict_json_and_reads_back(report: Report) -> None:
    text = json.dumps(report, allow_nan=False)
    assert json.loads(text) == report
    assert from_json(EmbeddingReport, text).to_json() == report


def test_progress_counts_every_step(report: Report, steps) -> None:
    total = len(EVERY) + 3 + 2
    assert steps == [(done, total) for done in range(1, total + 1)]


# --------------------------------------------------------------------------------------------------------- retrieval


def expected_retrieval(
    directions: np.ndarray, carries: np.ndarray, counts: np.ndarray, k: int = 10
) -> dict[str, float]:
    """The expected result of `retrieval` over the order of equal cosines and the random draws: no sampling.

    directions (m, d) of length 1, carries (m, attributes), counts (m,) ratings: of the evaluated items only. All of
    them must have a direction, or the popularity bins would differ.
    """
    m = len(directions)
    cosines = (directions @ directions.T).round(6)
    np.fill_diagonal(cosines, -2)
    wanted = np.zeros((m, m))  # probability that j is one of the k neighbours of i
    for i in range(m):
        last = np.partition(cosines[i], -k)[-k]
        nearer, equal = cosines[i] > last, cosines[i] == last
        wanted[i] = nearer + equal * (k - nearer.sum()) / equal.sum()
    common = carries.astype(float) @ carries.T
    size = carries.sum(axis=1)
    either = size[:, None] + size - common
    shares, jaccard = (common > 0).astype(float), np.divide(common, either, out=np.zeros((m, m)), where=either > 0)
    # the bin of a movie: how many of the nineteen 5% quantiles it reaches
    bins = np.array([sum(count >= np.quantile(counts, q / 20) for q in range(1, 20)) for count in counts])
    found = Counter()
    asks = np.flatnonzero(size)
    for i in asks:
        into = np.bincount(bins, weights=wanted[i], minlength=20)
        found["precision"] += wanted[i] @ shares[i] / k
        found["jaccard"] += wanted[i] @ jaccard[i] / k
        for b in np.flatnonzero(into):
            others = (bins == b) & (np.arange(m) != i)
            found["chance"] += into[b] / k * shares[i, others].mean()
            found["chance_jaccard"] += into[b] / k * jaccard[i, others].mean()
    return {name: value / len(asks) for name, value in found.items()} | {"n_queries": len(asks)}


@pytest.mark.parametrize("name", ["ials", GENRES, WORDS, RAW, COMPONENTS, RANDOM])
def test_genres_of_neighbours_by_brute_force_and_chance_by_its_expected_value(
    name, report: Report, vectors, evaluated, genres, n_ratings
) -> None:
    found = report["representations"][name]["genre_retrieval"]
    _, directions = with_direction(vectors[name], evaluated)
    expected = expected_retrieval(directions, np.column_stack(list(genres.values())), n_ratings[evaluated])
    ties = 0.01 if name in (GENRES, WORDS) else 1e-3 if name == RAW else 2e-4  # equal cosines are ordered at random
    assert found["n_queries"] == expected["n_queries"] == 939
    assert found["precision"] == pytest.approx(expected["precision"], abs=ties)
    assert found["jaccard"] == pytest.approx(expected["jaccard"], abs=ties)
    assert found["chance"] == pytest.approx(expected["chance"], abs=0.015)  # 9390 draws: 3 standard errors
    assert found["chance_jaccard"] == pytest.approx(expected["chance_jaccard"], abs=0.01)


def test_neighbours_share_genres_in_the_model_but_not_in_noise(report: Report) -> None:
    ours, noise = (report["representations"][name]["genre_retrieval"] for name in ("ials", RANDOM))
    assert ours["precision"] > ours["chance"] + 0.3
    assert noise["precision"] == pytest.approx(noise["chance"], abs=0.02)
    assert report["representations"][GENRES]["genre_retrieval"]["precision"] == 1


def test_movielens_100k_has_no_tags_to_retrieve(report: Report) -> None:
    assert [measured["tag_retrieval"] for measured in report["representations"].values()] == [None] * len(EVERY)


# ------------------------------------------------------------------------------------------------------------ probes


def probed(directions: np.ndarray, label: np.ndarray) -> float:
    """AUC of scikit-learn's ridge regression on items it has not seen."""
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    ridge = RidgeCV(np.logspace(-2, 2, 9))
    return roc_auc_score(label, cross_val_predict(ridge, directions, label.astype(float), cv=folds.split(label, label)))


@pytest.mark.parametrize("name", ["ials", GENRES, COMPONENTS, RANDOM])
def test_genre_auc_agrees_with_another_ridge(name, report: Report, vectors, evaluated, genres) -> None:
    measured = report["representations"][name]
    areas = measured["genre_auc_of"]
    assert list(areas) == list(genres)
    assert measured["genre_auc"] == pytest.approx(sum(areas.values()) / len(areas))
    there, directions = with_direction(vectors[name], evaluated)
    expected = {genre: probed(directions, column[there]) for genre, column in genres.items()}
    assert measured["genre_auc"] == pytest.approx(np.mean(list(expected.values())), abs=0.03)
    for genre, column in genres.items():
        if column.sum() >= 100:  # the AUC of a rare genre depends on the folds
            assert areas[genre] == pytest.approx(expected[genre], abs=0.03 if name != RANDOM else 0.08), genre


@pytest.mark.parametrize("name", ["ials", COMPONENTS, RANDOM])
def test_decade_auc_agrees_with_another_ridge(name, report: Report, vectors, evaluated, ml100k) -> None:
    years = ml100k.catalog.items["year"].to_numpy(dtype=float, na_value=0)[evaluated]
    there, directions = with_direction(vectors[name], evaluated)
    areas = []
    for decade in range(1900, 2000, 10):
        label = np.array([decade <= year < decade + 10 for year in years])
        if 10 <= label.sum() <= len(label) - 10:
            areas.append(probed(directions, label[there]))
    assert len(areas) >= 5
    assert report["representations"][name]["decade_auc"] == pytest.approx(np.mean(areas), abs=0.04)


@pytest.mark.parametrize("name", ["ials", GENRES, COMPONENTS, RANDOM])
def test_r2_of_mean_ratings_agrees_with_another_ridge(name, report: Report, vectors, evaluated, ml100k) -> None:
    there, directions = with_direction(vectors[name], evaluated)
    target = means_by_pandas(ml100k.interactions)[evaluated][there]
    folds = KFold(5, shuffle=True, random_state=0)
    predicted = cross_val_predict(RidgeCV(np.logspace(-3, 3, 13)), directions, target, cv=folds)
    assert report["representations"][name]["mean_rating_r2"] == pytest.approx(r2_score(target, predicted), abs=0.03)


def means_by_pandas(interactions: Interactions) -> np.ndarray:
    table = interactions.matrix.tocoo()
    frame = pd.DataFrame({"item": table.col, "rating": table.data.astype(float)})
    return frame.groupby("item")["rating"].mean().reindex(range(interactions.n_items)).to_numpy()


def test_mean_ratings_are_those_of_pandas(ml100k) -> None:
    found = mean_ratings(ml100k.interactions.matrix)
    np.testing.assert_allclose(found, means_by_pandas(ml100k.interactions))
    few = mean_ratings(sp.csr_matrix(np.array([[5.0, 0, 1], [2, 0, 0]])))
    np.testing.assert_array_equal(few, [3.5, np.nan, 1])


# ---------------------------------------------------------------------------------------------------------- clusters


def mutual_information(a: list[Any], b: list[Any]) -> float:
    """I(a; b) over the mean of H(a) and H(b), from the contingency table."""
    n = len(a)
    left, right, both = Counter(a), Counter(b), Counter(zip(a, b, strict=True))
    shared = sum(c / n * math.log(c * n / (left[x] * right[y])) for (x, y), c in both.items())
    entropies = [-sum(c / n * math.log(c / n) for c in counts.values()) for counts in (left, right)]
    return 2 * shared / sum(entropies)


def silhouette(directions: np.ndarray, labels: np.ndarray) -> float:
    """Mean of (b − a) / max(a, b): a to the others of its cluster, b to the nearest other cluster; 0 if alone."""
    apart = 1 - directions @ directions.T
    np.fill_diagonal(apart, 0)
    values = []
    for i, own in enumerate(labels):
        to = {label: apart[i, labels == label].sum() for label in set(labels.tolist())}
        size = (labels == own).sum()
        a = to.pop(own) / (size - 1) if size > 1 else 0
        b = min(total / (labels == label).sum() for label, total in to.items())
        values.append((b - a) / max(a, b) if size > 1 else 0)
    return float(np.mean(values))


@pytest.mark.parametrize("name", ["ials", GENRES, COMPONENTS, RANDOM])
def test_clusters_by_formula(name, report: Report, vectors, evaluated, genres) -> None:
    found = report["representations"][name]["clusters"]
    there, directions = with_direction(vectors[name], evaluated)
    labels = KMeans(18, n_init=10, random_state=SEED).fit_predict(directions)
    assert found["silhouette"] == pytest.approx(silhouette(directions, labels), abs=0.01)
    carriers = {genre: int(column.sum()) for genre, column in genres.items()}
    own = [[genre for genre, column in genres.items() if column[at]] for at in np.flatnonzero(there)]
    rarest = [min(row, key=lambda genre: carriers[genre]) if row else None for row in own]
    known = [at for at, genre in enumerate(rarest) if genre is not None]
    rarest, labels = [rarest[at] for at in known], labels[known].tolist()
    assert found["nmi"] == pytest.approx(mutual_information(rarest, labels), abs=0.02)
    rng = np.random.default_rng(0)
    shuffled = [mutual_information(rarest, rng.permutation(labels).tolist()) for _ in range(30)]
    assert found["chance_nmi"] == pytest.approx(np.mean(shuffled), abs=0.005)


# --------------------------------------------------------------------------------------------------------- analogies


@pytest.mark.parametrize("name", ["ials", TITLES])
def test_analogies_agree_with_asking_them_one_by_one(
    name, report: Report, vectors, evaluated, ml100k, n_ratings
) -> None:
    """`EmbeddingSpace.analogy` over the evaluated movies for each two pairs of a kind, and `neighbours` of c."""
    found = report["representations"][name]["analogies"]
    space = EmbeddingSpace(vectors[name][evaluated], evaluated)
    pairs = title_pairs(ml100k.catalog, n_ratings)
    near_to = {pair.first: space.neighbours([pair.first], k=12)[0][0].tolist() for pair in pairs}
    rows = []
    for one in pairs:
        for other in pairs:
            if other == one or other.kind != one.kind:
                continue
            a, b, c, d = one.first, one.second, other.first, other.second
            if d in (a, b, c):
                continue
            answers = space.analogy(a, b, c, k=len(evaluated))[0].tolist()
            near = [item for item in near_to[c] if item not in (a, b)][:10]
            rows.append((one.kind, 1 + answers.index(d), d in near, 10 / len(set(evaluated.tolist()) - {a, b, c})))
    asked = pd.DataFrame(rows, columns=["kind", "place", "near", "chance"])
    for kind, numbers in {"all": found, **found["by_kind"]}.items():
        some = asked if kind == "all" else asked[asked["kind"] == kind]
        assert numbers["n_questions"] == len(some)
        assert numbers["n_pairs"] == sum(kind in ("all", pair.kind) for pair in pairs)
        assert numbers["hits@10"] == pytest.approx((some["place"] <= 10).mean())
        assert numbers["mrr"] == pytest.approx((1 / some["place"]).mean(), abs=2e-4)
        assert numbers["neighbour_hits@10"] == pytest.approx(some["near"].mean())
        assert numbers["chance"] == pytest.approx(some["chance"].mean())


# ------------------------------------------------------------------------------------------------------------- shape


@pytest.mark.parametrize("name", EVERY)
def test_effective_rank_by_singular_values(name, report: Report, vectors, evaluated) -> None:
    values = np.linalg.svd(vectors[name][evaluated], compute_uv=False)
    shares = [value / values.sum() for value in values if value > 1e-9 * values[0]]
    expected = math.exp(-sum(share * math.log(share) for share in shares))
    assert report["representations"][name]["effective_rank"] == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("name", ["ials", GENRES, RAW, COMPONENTS, RANDOM])
def test_isotropy_by_a_loop_over_eigenvectors(name, report: Report, vectors, evaluated) -> None:
    directions = with_direction(vectors[name], evaluated)[1]
    sums = []
    for vector in scipy.linalg.eigh(directions.T @ directions)[1].T:
        sums += [np.exp(directions @ vector).sum(), np.exp(-(directions @ vector)).sum()]
    assert report["representations"][name]["isotropy"] == pytest.approx(min(sums) / max(sums), rel=1e-4)


def test_noise_is_isotropic_and_uses_all_dimensions(report: Report) -> None:
    assert report["representations"][RANDOM]["isotropy"] > 0.95 > report["representations"]["ials"]["isotropy"]
    assert report["representations"][RANDOM]["effective_rank"] == pytest.approx(64, abs=1)


def test_divergence_agrees_with_another_neighbour_search(report: Report, ml100k_model, evaluated) -> None:
    found = report["divergence"]
    users, items = (unit(v.astype(float)) for v in (ml100k_model.space.user_factors, ml100k_model.space.item_factors))
    users, items = users[users.any(axis=1)], items[evaluated]
    points = PCA(8, svd_solver="covariance_eigh").fit_transform(np.vstack([users, items]))
    sides = points[: len(users)], points[len(users) :]
    for key, a, b in (("users ‖ items", *sides), ("items ‖ users", *sides[::-1])):
        own = NearestNeighbors(n_neighbors=5).fit(a).kneighbors()[0][:, 4]  # excludes the point itself
        other = NearestNeighbors(n_neighbors=5).fit(b).kneighbors(a)[0][:, 4]
        expected = 8 * np.mean(np.log(other / own)) + math.log(len(b) / (len(a) - 1))
        assert found[key] == pytest.approx(expected, abs=1e-4)
        assert found[key] > 0
    n = min(map(len, sides))
    both = np.vstack([side[np.random.default_rng(1).permutation(len(side))[:n]] for side in sides])
    votes = NearestNeighbors(n_neighbors=30).fit(both).kneighbors()[1] < n
    p = (votes.sum(axis=1) + 0.5) / 31
    expected = np.mean([np.log(2 * p[:n]).mean(), np.log(2 * (1 - p[n:])).mean()])
    assert found["js"] == pytest.approx(expected, abs=0.005)
    assert 0 < found["js"] < math.log(2)
    assert -0.05 < found["js_control"] < 0.01


# -------------------------------------------------------------------------------------------------------- dimensions


@pytest.fixture(scope="module")
def hidden(ml100k):
    """The split of the random protocol, as dense 0/1 matrices: seen and held-out ratings."""
    split = hold_out(ml100k.interactions, "random", part="test", seed=SEED)
    return split, split.train.matrix.toarray() > 0, split.truth.toarray() > 0


@pytest.fixture(scope="module")
def strengths(hidden) -> np.ndarray:
    return np.linalg.svd(hidden[1].astype(float), compute_uv=False)


def ndcg_of_each_user(scores: np.ndarray, seen: np.ndarray, truth: np.ndarray) -> list[float]:
    values = []
    for user in np.flatnonzero(truth.any(axis=1)):
        order = [item for item in np.argsort(-scores[user], kind="stable").tolist() if not seen[user, item]][:10]
        gain = sum(1 / math.log2(place + 2) for place, item in enumerate(order) if truth[user, item])
        ideal = sum(1 / math.log2(place + 2) for place in range(min(10, int(truth[user].sum()))))
        values.append(gain / ideal)
    return values


@pytest.mark.parametrize("at", [0, 1, 2])
def test_each_number_of_dimensions_agrees_with_plain_loops(at, report: Report, ml100k, hidden, strengths) -> None:
    row = report["dimensions"][at]
    d = (1, 2, 8)[at]
    assert row["n_factors"] == d
    split, seen, truth = hidden
    assert not (seen & truth).any() and (seen | truth).sum() == 100_000
    space = IALS(n_factors=d).fit(Dataset(split.train, ml100k.catalog)).space
    assert space.item_factors.shape == (1682, d)
    scores = space.user_factors @ space.item_factors.T
    values = ndcg_of_each_user(scores, seen, truth)
    assert row["ndcg@10"] == pytest.approx(np.mean(values), abs=1e-4)
    assert row["low"] < row["ndcg@10"] < row["high"]
    for end, sign in (("low", -1), ("high", 1)):  # the bootstrap interval is close to the normal one
        normal = np.mean(values) + sign * 1.96 * np.std(values, ddof=1) / math.sqrt(len(values))
        assert row[end] == pytest.approx(normal, abs=0.002)
    unexplained = ((seen - scores.astype(float)) ** 2).sum() / seen.sum()
    assert row["error"] == pytest.approx(unexplained, rel=1e-5)
    assert row["least_error"] == pytest.approx((strengths[d:] ** 2).sum() / seen.sum(), rel=1e-4)
    assert row["least_error"] < row["error"]


def test_more_dimensions_rank_better_and_explain_more(report: Report) -> None:
    rows = report["dimensions"]
    assert [row["ndcg@10"] for row in rows] == sorted(row["ndcg@10"] for row in rows)
    for key in ("error", "least_error"):
        assert [row[key] for row in rows] == sorted((row[key] for row in rows), reverse=True)


# ------------------------------------------------------------------------------------------------------------- seeds


def nearest(directions: np.ndarray) -> list[set[int]]:
    cosines = directions @ directions.T
    np.fill_diagonal(cosines, -2)
    return [set(np.argsort(-row)[:10].tolist()) for row in cosines]


def same(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.mean([len(x & y) / 10 for x, y in zip(nearest(a), nearest(b), strict=True)]))


def similarity(a: np.ndarray, b: np.ndarray) -> float:
    """CKA from the two centred matrices of inner products: HSIC(K, L) / √(HSIC(K, K) · HSIC(L, L))."""
    centre = np.eye(len(a)) - 1 / len(a)
    k, m = (centre @ (v @ v.T) @ centre for v in (a, b))
    return float(np.trace(k @ m) / math.sqrt(np.trace(k @ k) * np.trace(m @ m)))


def test_seed_stability_agrees_with_sets_and_gram_matrices(report: Report, ml100k, ml100k_model, evaluated) -> None:
    here = unit(ml100k_model.space.item_factors.astype(float)[evaluated])
    others = [unit(IALS(seed=seed).fit(ml100k).space.item_factors.astype(float)[evaluated]) for seed in (43, 44)]
    found = report["seeds"]
    overlaps, ckas = [same(here, other) for other in others], [similarity(here, other) for other in others]
    assert found["n"] == 2
    assert found["overlap@10"] == pytest.approx(np.mean(overlaps), abs=2e-4)
    assert found["least_overlap@10"] == pytest.approx(min(overlaps), abs=2e-4)
    assert found["cka"] == pytest.approx(np.mean(ckas), abs=1e-5)
    assert found["least_cka"] == pytest.approx(min(ckas), abs=1e-5)
    noise = unit(np.random.default_rng(5).normal(size=here.shape))
    assert found["chance_overlap@10"] == pytest.approx(same(here, noise), abs=0.004)
    assert found["chance_overlap@10"] == pytest.approx(10 / 938, abs=0.004)


# -------------------------------------------------------------------------------------- small data with known answers


def two_tastes(n_items: int = 80, n_users: int = 160, rating: float | None = None) -> tuple[Interactions, Catalog]:
    """Half of the users mostly watch the dark half of the movies, the others mostly the light half.

    Genres and tags are these halves; ids are strings; titles are uninformative. Dark movies have 4 or 5 stars, light
    ones 2 or 3, unless all have `rating`.
    """
    rng = np.random.default_rng(0)
    dark, gloomy = np.arange(n_items) % 2 == 0, np.arange(n_users) < n_users // 2
    watched = rng.random((n_users, n_items)) < np.where(gloomy[:, None] == dark, 0.7, 0.05)
    stars = np.where(dark, 4, 2) + rng.integers(2, size=watched.shape) if rating is None else rating
    matrix = sp.csr_matrix(np.where(watched, stars, 0).astype(np.float32))
    items = [f"m{row:03}" for row in range(n_items)]
    catalog = Catalog.of(
        items,
        [f"{'abcdefghij'[row % 10]}{'klmnopqrst'[row // 10 % 10]}" for row in range(n_items)],
        [1990 + row // 10 for row in range(n_items)],
        [("Horror",) if is_dark else ("Comedy",) for is_dark in dark],
        [("Bleak",) if is_dark else ("sunny",) for is_dark in dark],
    )
    return Interactions(matrix, [f"u{row:03}" for row in range(n_users)], items), catalog


def small_report(interactions: Interactions, model: Model, dimensions: tuple[int, ...] = (1, 2), **more: Any) -> Report:
    return embedding_report(model, interactions, dimensions=dimensions, n_seeds=1, **more).to_json()


@pytest.fixture(scope="module")
def small() -> tuple[Interactions, Model, Report]:
    interactions, catalog = two_tastes()
    model = (
        IALS(n_factors=4, epochs=5).fit(Dataset(interactions, catalog, name="two tastes")).with_data_path(Path("/x"))
    )
    return interactions, model, small_report(interactions, model)


def test_tags_are_measured_if_there_are_any(small) -> None:
    interactions, model, found = small
    tags = found["representations"]["ials"]["tag_retrieval"]
    assert tags["precision"] > 0.99  # neighbours belong to the same half
    assert 0.5 < tags["chance"] < 0.7  # a bin holds four movies, the neighbour among them
    assert tags["n_queries"] == 80
    dark = np.arange(80) % 2 == 0
    for name, vectors in {"ials": model.space.item_factors, RAW: interactions.matrix.toarray().T > 0}.items():
        expected = expected_retrieval(
            unit(vectors.astype(float)), np.column_stack([dark, ~dark]), (interactions.matrix.toarray() > 0).sum(axis=0)
        )
        measured = found["representations"][name]["tag_retrieval"]
        assert measured["precision"] == pytest.approx(expected["precision"], abs=0.005)
        assert measured["jaccard"] == pytest.approx(expected["jaccard"], abs=0.005)
        assert measured["chance"] == pytest.approx(expected["chance"], abs=0.05)
        assert measured["chance_jaccard"] == pytest.approx(expected["chance_jaccard"], abs=0.05)
        assert measured == found["representations"][name]["genre_retrieval"]  # the tags are the genres
    assert "tag_retrieval" in found["representations"][WORDS]["told"]
    assert found["representations"][RANDOM]["tag_retrieval"]["precision"] == pytest.approx(0.5, abs=0.1)


def test_two_tastes_are_found_but_not_in_noise(small) -> None:
    ours, noise = (small[2]["representations"][name] for name in ("ials", RANDOM))
    assert ours["genre_auc"] == 1 and ours["genre_auc_of"] == {"Comedy": 1, "Horror": 1}
    assert ours["mean_rating_r2"] > 0.9 > 0.2 > noise["mean_rating_r2"]
    assert ours["clusters"]["nmi"] > ours["clusters"]["chance_nmi"] + 0.2
    assert abs(noise["genre_auc"] - 0.5) < 0.2
    assert ours["decade_auc"] is None  # all movies are of one decade
    assert ours["analogies"]["n_questions"] == 0 and ours["analogies"]["hits@10"] is None  # there are no sequels


def test_the_path_of_the_data_is_not_part_of_the_report(small) -> None:
    assert small[2]["data"]["name"] == "two tastes" and "path" not in small[2]["data"]


def test_the_same_seed_gives_the_same_report_and_another_seed_another(small) -> None:
    interactions, model, found = small
    assert small_report(interactions, model) == found
    other = small_report(interactions, model, seed=7)
    assert other["representations"][RANDOM] != found["representations"][RANDOM]
    assert other["dimensions"] != found["dimensions"]
    shape = "effective_rank"  # does not depend on the seed
    assert other["representations"]["ials"][shape] == found["representations"]["ials"][shape]


def test_the_order_of_columns_does_not_matter(small) -> None:
    interactions, model, found = small
    reversed_items = interactions.with_items(interactions.item_ids[::-1])
    assert reversed_items.item_ids[0] == "m079"
    assert small_report(reversed_items, model) == found


def test_undefined_measures_are_none_and_the_others_are_measured() -> None:
    interactions, catalog = two_tastes(rating=4.0)
    found = small_report(interactions, IALS(n_factors=4, epochs=5).fit(Dataset(interactions, catalog)))
    assert [measured["mean_rating_r2"] for measured in found["representations"].values()] == [None] * len(EVERY)
    assert found["representations"]["ials"]["genre_auc"] == 1
    json.dumps(found, allow_nan=False)


def test_without_seeds_or_dimensions_the_rest_is_measured(small) -> None:
    interactions, model, found = small
    bare = embedding_report(model, interactions, dimensions=(), n_seeds=0).to_json()
    assert bare["dimensions"] == [] and bare["representations"] == found["representations"]
    assert bare["seeds"]["n"] == 0 and bare["seeds"]["cka"] is None and bare["seeds"]["least_overlap@10"] is None
    json.dumps(bare, allow_nan=False)


def test_a_blend_is_measured_without_other_numbers_of_dimensions(small) -> None:
    interactions, model, _ = small
    blend = with_settings(Blend, {"of": "ials,als", "ials.n_factors": 3, "als.n_factors": 2})
    found = small_report(interactions, blend.fit(Dataset(interactions, model.catalog)))
    assert found["dimensions"] == [] and found["seeds"]["n"] == 1
    assert found["representations"]["blend"]["genre_auc"] == 1


def test_too_many_dimensions_are_left_out_and_progress_still_ends(small) -> None:
    interactions, model, _ = small
    assert [row.n_factors for row in by_dimension(model, interactions, (1, 79, 80, 500))] == [1, 79]
    steps: list[tuple[int, int]] = []
    found = small_report(interactions, model, (1, 80, 500), progress=lambda done, total: steps.append((done, total)))
    assert [row["n_factors"] for row in found["dimensions"]] == [1]
    assert steps[-1][0] == steps[-1][1] == len(steps)


def test_a_model_without_vectors_has_no_report() -> None:
    interactions, catalog = two_tastes()
    with pytest.raises(Unsupported, match="popular"):
        embedding_report(Popular().fit(Dataset(interactions, catalog)), interactions)


def test_fewer_than_fifty_well_known_movies_are_refused() -> None:
    interactions, catalog = two_tastes(n_items=49)
    model = IALS(n_factors=4, epochs=2).fit(Dataset(interactions, catalog))
    with pytest.raises(InputError, match="only 49 items"):
        embedding_report(model, interactions)


def test_a_space_alone_is_measured_like_the_model_without_what_needs_ratings(small) -> None:
    _, model, found = small
    steps: list[tuple[int, int]] = []
    alone = space_report(
        model.space, model.attributes, name="ials", progress=lambda done, total: steps.append((done, total))
    )
    assert list(alone.representations) == ["ials", GENRES, TITLES, WORDS, RANDOM]
    assert steps == [(done, 5) for done in range(1, 6)]
    measured = alone.to_json()
    for name, row in measured["representations"].items():
        assert row == found["representations"][name] | {"mean_rating_r2": None}, name
    assert measured["divergence"] == found["divergence"] and measured["judged_items"] == found["judged_items"]
    assert alone.dimensions == () and alone.seeds.n == 0 and alone.weighting is None
    assert from_json(EmbeddingReport, json.dumps(measured)) == alone


def test_vectors_without_rating_counts_are_measured_on_all_items() -> None:
    _, catalog = two_tastes()
    dark = np.arange(80) % 2 == 0
    vectors = np.column_stack([dark, ~dark]) + 0.1 * np.random.default_rng(0).standard_normal((80, 2))
    alone = space_report(EmbeddingSpace(vectors, catalog.item_ids), Attributes.of(catalog))
    own = alone.own
    assert alone.evaluated_items == own.genre_retrieval.n_queries == 80
    assert own.genre_retrieval.precision == 1 and own.genre_auc == 1
    assert own.genre_retrieval.chance == pytest.approx(0.5, abs=0.05)  # all movies are equally popular
    noise = alone.representations[RANDOM].genre_retrieval.precision
    assert noise == pytest.approx(0.5, abs=0.1)
    assert alone.divergence.js is None and own.mean_rating_r2 is None  # neither users nor ratings


def test_the_report_as_a_table(small) -> None:
    report = from_json(EmbeddingReport, json.dumps(small[2]))
    frame = report.to_frame()
    assert list(frame.columns) == ["representation", "measure", "value"]
    assert len(frame) == len(EVERY) * 7
    table = frame.pivot(index="representation", columns="measure", values="value")
    assert table.at["ials", "genre_auc"] == 1 and np.isnan(table.at["ials", "decade_auc"])
    assert "EmbeddingReport: ials, 80 items evaluated" in repr(report) and "mean_rating_r2" in repr(report)
