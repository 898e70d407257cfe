"""Every number of the embedding report on MovieLens 100K, found a second way; its rules on small data made to order.

The second way never calls the function it judges: plain loops, other routines, or the expected value of what the
report draws at random. Vectors of the baselines are made anew here too.
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

from recsys.dataset.catalog import Catalog
from recsys.dataset.dataset import Dataset
from recsys.dataset.interactions import Interactions
from recsys.dataset.split import hold_out
from recsys.dataset.titles import search_key
from recsys.errors import InputError, Unsupported
from recsys.evaluation.analogies import title_pairs
from recsys.evaluation.report import TOLD, by_dimension, embedding_report, mean_ratings
from recsys.models import IALS, Model, Popular
from recsys.space.embedding import EmbeddingSpace

SEED = 42
GENRES, TITLES, WORDS = "genres (one-hot)", "titles (bag of words)", "titles, genres, tags (TF-IDF)"
RAW, COMPONENTS, RANDOM = "ratings (raw rows)", "ratings (PCA)", "random"
EVERY = ("ials", GENRES, TITLES, WORDS, RAW, COMPONENTS, RANDOM)
Report = dict[str, Any]


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Many small decompositions: on a busy machine the threads of the linear algebra only wait for each other."""
    with threadpool_limits(1):
        yield


@pytest.fixture(scope="module")
def steps() -> list[tuple[int, int]]:
    """What `report` told of its progress; filled by it."""
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
    )


@pytest.fixture(scope="module")
def judged(ml100k) -> np.ndarray:
    """Rows of the movies that twenty users or more rated, by a plain count."""
    times = Counter(ml100k.interactions.matrix.indices.tolist())
    return np.array([row for row in range(ml100k.interactions.n_items) if times[row] >= 20])


@pytest.fixture(scope="module")
def n_ratings(ml100k) -> np.ndarray:
    return (ml100k.interactions.matrix.toarray() > 0).sum(axis=0)


@pytest.fixture(scope="module")
def vectors(ml100k, ml100k_model) -> dict[str, np.ndarray]:
    """All representations, dense, made anew: bags of words by dictionaries, components by the SVD of a full matrix."""
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
def genres(ml100k, judged) -> dict[str, np.ndarray]:
    """Genre → which judged movies carry it, for genres of ten of them or more."""
    return common({g for row in ml100k.catalog.items["genres"] for g in row} - {"unknown"}, ml100k, judged)


def common(names: set[str], ml100k, judged: np.ndarray) -> dict[str, np.ndarray]:
    carried = [set(ml100k.catalog.items["genres"].iloc[row]) for row in judged]
    columns = {name: np.array([name in row for row in carried]) for name in sorted(names)}
    return {name: column for name, column in columns.items() if 10 <= column.sum() <= len(judged) - 10}


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
    """Which of `rows` have a vector at all, and these vectors at length 1."""
    there = vectors[rows].any(axis=1)
    return there, unit(vectors[rows][there])


# -------------------------------------------------------------------------------------------------- the whole report


def test_no_number_of_the_report_goes_without_a_second_way(report: Report) -> None:
    """A new number belongs into one of the tests below, then here."""
    assert set(report) == {
        "model", "hyperparameters", "confidence", "data", "judged_items", "seed",
        "representations", "divergence", "dimensions", "seeds",
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


def test_what_the_report_is_about(report: Report, judged) -> None:
    assert report["model"] == "ials" and report["seed"] == SEED
    assert report["hyperparameters"]["n_factors"] == 64 and report["hyperparameters"]["alpha0"] == IALS().alpha0
    assert report["confidence"] == {"min_rating": None, "weighting": "log"}
    facts = {key: report["data"][key] for key in ("n_users", "n_items", "n_ratings")}
    assert facts == {"n_users": 943, "n_items": 1682, "n_ratings": 100_000}  # the README of MovieLens 100K
    assert report["judged_items"] == len(judged) == 939
    assert {name: measured["told"] for name, measured in report["representations"].items() if measured["told"]} == TOLD


def test_numbers_of_dimensions_are_the_widths_of_the_vectors(report: Report, vectors) -> None:
    assert {name: measured["dimensions"] for name, measured in report["representations"].items()} == {
        name: made.shape[1] for name, made in vectors.items()
    }


def test_the_report_is_strict_json(report: Report) -> None:
    text = json.dumps(report, allow_nan=False)
    assert json.loads(text) == report


def test_progress_goes_step_by_step_to_its_end(report: Report, steps) -> None:
    total = len(EVERY) + 3 + 2
    assert steps == [(done, total) for done in range(1, total + 1)]


# --------------------------------------------------------------------------------------------------------- retrieval


def expected_retrieval(
    directions: np.ndarray, carries: np.ndarray, counts: np.ndarray, k: int = 10
) -> dict[str, float]:
    """What `retrieval` gives on average over the order of equal cosines and over the draws of chance: no sampling.

    directions (m, d) of length 1, carries (m, attributes), counts (m,) ratings: of the judged items alone. All judged
    items must have a direction, or the bins of popularity would be others.
    """
    m = len(directions)
    cosines = (directions @ directions.T).round(6)
    np.fill_diagonal(cosines, -2)
    wanted = np.zeros((m, m))  # how likely it is that j is one of the k neighbours of i
    for i in range(m):
        last = np.partition(cosines[i], -k)[-k]
        nearer, equal = cosines[i] > last, cosines[i] == last
        wanted[i] = nearer + equal * (k - nearer.sum()) / equal.sum()
    common = carries.astype(float) @ carries.T
    size = carries.sum(axis=1)
    either = size[:, None] + size - common
    shares, jaccard = (common > 0).astype(float), np.divide(common, either, out=np.zeros((m, m)), where=either > 0)
    # the bin of a movie: how many of the nineteen 5 % quantiles it reaches
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
    name, report: Report, vectors, judged, genres, n_ratings
) -> None:
    found = report["representations"][name]["genre_retrieval"]
    _, directions = with_direction(vectors[name], judged)
    expected = expected_retrieval(directions, np.column_stack(list(genres.values())), n_ratings[judged])
    ties = 0.01 if name in (GENRES, WORDS) else 1e-3 if name == RAW else 2e-4  # equal cosines come in any order
    assert found["n_queries"] == expected["n_queries"] == 939
    assert found["precision"] == pytest.approx(expected["precision"], abs=ties)
    assert found["jaccard"] == pytest.approx(expected["jaccard"], abs=ties)
    assert found["chance"] == pytest.approx(expected["chance"], abs=0.015)  # 9390 draws: 3 standard errors
    assert found["chance_jaccard"] == pytest.approx(expected["chance_jaccard"], abs=0.01)


def test_the_model_knows_genres_that_noise_does_not(report: Report) -> None:
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
def test_genres_are_told_as_well_as_by_another_ridge(name, report: Report, vectors, judged, genres) -> None:
    measured = report["representations"][name]
    areas = measured["genre_auc_of"]
    assert list(areas) == list(genres)
    assert measured["genre_auc"] == pytest.approx(sum(areas.values()) / len(areas))
    there, directions = with_direction(vectors[name], judged)
    expected = {genre: probed(directions, column[there]) for genre, column in genres.items()}
    assert measured["genre_auc"] == pytest.approx(np.mean(list(expected.values())), abs=0.03)
    for genre, column in genres.items():
        if column.sum() >= 100:  # the AUC of a rare genre hangs on the folds
            assert areas[genre] == pytest.approx(expected[genre], abs=0.03 if name != RANDOM else 0.08), genre


@pytest.mark.parametrize("name", ["ials", COMPONENTS, RANDOM])
def test_decades_are_told_as_well_as_by_another_ridge(name, report: Report, vectors, judged, ml100k) -> None:
    years = ml100k.catalog.items["year"].to_numpy(dtype=float, na_value=0)[judged]
    there, directions = with_direction(vectors[name], judged)
    areas = []
    for decade in range(1900, 2000, 10):
        label = np.array([decade <= year < decade + 10 for year in years])
        if 10 <= label.sum() <= len(label) - 10:
            areas.append(probed(directions, label[there]))
    assert len(areas) >= 5
    assert report["representations"][name]["decade_auc"] == pytest.approx(np.mean(areas), abs=0.04)


@pytest.mark.parametrize("name", ["ials", GENRES, COMPONENTS, RANDOM])
def test_mean_ratings_are_explained_as_well_as_by_another_ridge(name, report: Report, vectors, judged, ml100k) -> None:
    there, directions = with_direction(vectors[name], judged)
    target = means_by_pandas(ml100k.interactions)[judged][there]
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
    """I(a; b) over the mean of H(a) and H(b), from the table of how often each two values meet."""
    n = len(a)
    left, right, both = Counter(a), Counter(b), Counter(zip(a, b, strict=True))
    shared = sum(c / n * math.log(c * n / (left[x] * right[y])) for (x, y), c in both.items())
    entropies = [-sum(c / n * math.log(c / n) for c in counts.values()) for counts in (left, right)]
    return 2 * shared / sum(entropies)


def silhouette(directions: np.ndarray, labels: np.ndarray) -> float:
    """Mean of (b − a) / max(a, b): a to the others of the own cluster, b to the nearest other one; 0 where alone."""
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
def test_clusters_by_formula(name, report: Report, vectors, judged, genres) -> None:
    found = report["representations"][name]["clusters"]
    there, directions = with_direction(vectors[name], judged)
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


@pytest.mark.parametrize("name", ["ials", TITLES, RAW, COMPONENTS, RANDOM])
def test_analogies_one_by_one_as_a_person_would_ask_them(
    name, report: Report, vectors, judged, ml100k, n_ratings
) -> None:
    """`EmbeddingSpace.analogy` over the judged movies for each two pairs of a kind; so are c's neighbours asked."""
    found = report["representations"][name]["analogies"]
    space = EmbeddingSpace(np.zeros((1, vectors[name].shape[1])), vectors[name][judged], [0], judged)
    pairs = title_pairs(ml100k.catalog, n_ratings)
    rows = []
    for one in pairs:
        for other in pairs:
            if other == one or other.kind != one.kind:
                continue
            a, b, c, d = one.first, one.second, other.first, other.second
            if d in (a, b, c):
                continue
            answers = space.analogy(a, b, c, k=len(judged))[0].tolist()
            near = [item for item in space.neighbours([c], k=12)[0][0].tolist() if item not in (a, b)][:10]
            rows.append((one.kind, 1 + answers.index(d), d in near, 10 / len(set(judged.tolist()) - {a, b, c})))
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
def test_effective_rank_by_singular_values(name, report: Report, vectors, judged) -> None:
    values = np.linalg.svd(vectors[name][judged], compute_uv=False)
    shares = [value / values.sum() for value in values if value > 1e-9 * values[0]]
    expected = math.exp(-sum(share * math.log(share) for share in shares))
    assert report["representations"][name]["effective_rank"] == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("name", ["ials", GENRES, RAW, COMPONENTS, RANDOM])
def test_isotropy_by_a_loop_over_eigenvectors(name, report: Report, vectors, judged) -> None:
    directions = with_direction(vectors[name], judged)[1]
    sums = []
    for vector in scipy.linalg.eigh(directions.T @ directions)[1].T:
        sums += [np.exp(directions @ vector).sum(), np.exp(-(directions @ vector)).sum()]
    assert report["representations"][name]["isotropy"] == pytest.approx(min(sums) / max(sums), rel=1e-4)


def test_noise_is_even_and_fills_all_its_dimensions(report: Report) -> None:
    assert report["representations"][RANDOM]["isotropy"] > 0.95 > report["representations"]["ials"]["isotropy"]
    assert report["representations"][RANDOM]["effective_rank"] == pytest.approx(64, abs=1)


def test_divergence_of_users_and_movies_by_other_neighbours(report: Report, ml100k_model, judged) -> None:
    found = report["divergence"]
    users, items = (unit(v.astype(float)) for v in (ml100k_model.space.user_factors, ml100k_model.space.item_factors))
    users, items = users[users.any(axis=1)], items[judged]
    points = PCA(8, svd_solver="covariance_eigh").fit_transform(np.vstack([users, items]))
    sides = points[: len(users)], points[len(users) :]
    for key, a, b in (("users ‖ items", *sides), ("items ‖ users", *sides[::-1])):
        own = NearestNeighbors(n_neighbors=5).fit(a).kneighbors()[0][:, 4]  # asked without points: itself left out
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
    """The random protocol's split, as dense 0/1 matrices: what was seen, what is hidden."""
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
def test_each_number_of_dimensions_by_plain_loops(at, report: Report, ml100k, hidden, strengths) -> None:
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
    for end, sign in (("low", -1), ("high", 1)):  # the bootstrap's interval is near that of the normal distribution
        normal = np.mean(values) + sign * 1.96 * np.std(values, ddof=1) / math.sqrt(len(values))
        assert row[end] == pytest.approx(normal, abs=0.002)
    unexplained = ((seen - scores.astype(float)) ** 2).sum() / seen.sum()
    assert row["error"] == pytest.approx(unexplained, rel=1e-5)
    assert row["least_error"] == pytest.approx((strengths[d:] ** 2).sum() / seen.sum(), rel=1e-4)
    assert row["least_error"] < row["error"]


def test_more_dimensions_rank_better_and_leave_less(report: Report) -> None:
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


def likeness(a: np.ndarray, b: np.ndarray) -> float:
    """CKA from the two centred matrices of inner products: HSIC(K, L) / √(HSIC(K, K) · HSIC(L, L))."""
    centre = np.eye(len(a)) - 1 / len(a)
    k, m = (centre @ (v @ v.T) @ centre for v in (a, b))
    return float(np.trace(k @ m) / math.sqrt(np.trace(k @ k) * np.trace(m @ m)))


def test_what_stays_with_other_seeds_by_sets_and_gram_matrices(report: Report, ml100k, ml100k_model, judged) -> None:
    here = unit(ml100k_model.space.item_factors.astype(float)[judged])
    others = [unit(IALS(seed=seed).fit(ml100k).space.item_factors.astype(float)[judged]) for seed in (43, 44)]
    found = report["seeds"]
    overlaps, ckas = [same(here, other) for other in others], [likeness(here, other) for other in others]
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
    """Half of the users watch the dark half of the movies, the others the light half, and each a little of the other.

    Genre and tag are those halves; ids are strings; titles say nothing. Dark movies have 4 or 5 stars, light ones 2 or
    3, or all have `rating`.
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
    return embedding_report(model, interactions, dimensions=dimensions, n_seeds=1, **more)


@pytest.fixture(scope="module")
def small() -> tuple[Interactions, Model, Report]:
    interactions, catalog = two_tastes()
    model = (
        IALS(n_factors=4, epochs=5).fit(Dataset(interactions, catalog, name="two tastes")).with_data_path(Path("/x"))
    )
    return interactions, model, small_report(interactions, model)


def test_tags_are_retrieved_where_there_are_tags(small) -> None:
    interactions, model, found = small
    tags = found["representations"]["ials"]["tag_retrieval"]
    assert tags["precision"] > 0.99  # neighbours are of one half
    assert 0.5 < tags["chance"] < 0.7  # a bin holds four movies, and the neighbour itself is one of them
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


def test_two_tastes_are_found_and_noise_knows_nothing_of_them(small) -> None:
    ours, noise = (small[2]["representations"][name] for name in ("ials", RANDOM))
    assert ours["genre_auc"] == 1 and ours["genre_auc_of"] == {"Comedy": 1, "Horror": 1}
    assert ours["mean_rating_r2"] > 0.9 > 0.2 > noise["mean_rating_r2"]
    assert ours["clusters"]["nmi"] > ours["clusters"]["chance_nmi"] + 0.2
    assert abs(noise["genre_auc"] - 0.5) < 0.2
    assert ours["decade_auc"] is None  # all of one decade: nothing to tell
    assert ours["analogies"]["n_questions"] == 0 and ours["analogies"]["hits@10"] is None  # nobody has a sequel


def test_the_path_of_the_data_stays_at_home(small) -> None:
    assert small[2]["data"]["name"] == "two tastes" and "path" not in small[2]["data"]


def test_the_same_seed_gives_the_same_report_and_another_seed_another(small) -> None:
    interactions, model, found = small
    assert small_report(interactions, model) == found
    other = small_report(interactions, model, seed=7)
    assert other["representations"][RANDOM] != found["representations"][RANDOM]
    assert other["dimensions"] != found["dimensions"]
    shape = "effective_rank"  # what no chance has a part in
    assert other["representations"]["ials"][shape] == found["representations"]["ials"][shape]


def test_the_order_of_columns_does_not_matter(small) -> None:
    interactions, model, found = small
    turned = interactions.with_items(interactions.item_ids[::-1])
    assert turned.item_ids[0] == "m079"
    assert small_report(turned, model) == found


def test_what_cannot_be_said_is_none_and_the_rest_is_said() -> None:
    interactions, catalog = two_tastes(rating=4.0)
    found = small_report(interactions, IALS(n_factors=4, epochs=5).fit(Dataset(interactions, catalog)))
    assert [measured["mean_rating_r2"] for measured in found["representations"].values()] == [None] * len(EVERY)
    assert found["representations"]["ials"]["genre_auc"] == 1
    json.dumps(found, allow_nan=False)


def test_without_seeds_or_dimensions_the_rest_is_measured(small) -> None:
    interactions, model, found = small
    bare = embedding_report(model, interactions, dimensions=(), n_seeds=0)
    assert bare["dimensions"] == [] and bare["representations"] == found["representations"]
    assert bare["seeds"]["n"] == 0 and bare["seeds"]["cka"] is None and bare["seeds"]["least_overlap@10"] is None
    json.dumps(bare, allow_nan=False)


def test_numbers_of_dimensions_that_reach_the_matrix_are_left_out_and_progress_still_ends(small) -> None:
    interactions, model, _ = small
    assert [row["n_factors"] for row in by_dimension(model, interactions, (1, 79, 80, 500))] == [1, 79]
    told: list[tuple[int, int]] = []
    found = small_report(interactions, model, (1, 80, 500), progress=lambda done, total: told.append((done, total)))
    assert [row["n_factors"] for row in found["dimensions"]] == [1]
    assert told[-1][0] == told[-1][1] == len(told)


def test_a_model_without_vectors_has_no_space_to_report() -> None:
    interactions, catalog = two_tastes()
    with pytest.raises(Unsupported, match="popular"):
        embedding_report(Popular().fit(Dataset(interactions, catalog)), interactions)


def test_of_fewer_than_fifty_well_known_movies_nothing_is_said() -> None:
    interactions, catalog = two_tastes(n_items=49)
    model = IALS(n_factors=4, epochs=2).fit(Dataset(interactions, catalog))
    with pytest.raises(InputError, match="only 49 items"):
        embedding_report(model, interactions)
