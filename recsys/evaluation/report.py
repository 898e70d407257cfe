"""The embedding report: everything that can be measured of a space, beside representations that anyone has for nothing.

Gives plain values, as JSON has them; None where something can't be said. `figures/report.py` makes them a page.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from sklearn.utils.extmath import randomized_svd
from threadpoolctl import threadpool_limits

from recsys.dataset.attributes import Attributes, well_known
from recsys.dataset.dataset import Dataset
from recsys.dataset.interactions import Interactions
from recsys.dataset.split import hold_out
from recsys.errors import InputError
from recsys.evaluation.analogies import analogy_quality, title_pairs
from recsys.evaluation.embedding import (
    Vectors,
    baselines,
    clustering,
    divergence,
    effective_rank,
    isotropy,
    linear_cka,
    overlap,
    probe_auc,
    probe_r2,
    retrieval,
)
from recsys.evaluation.ranking import rank_quality
from recsys.models import Model
from recsys.space.embedding import EmbeddingSpace

DIMENSIONS = (1, 2, 4, 8, 16, 32, 64, 128)
N_SEEDS = 3
Progress = Callable[[int, int], None]
TOLD = {
    "genres (one-hot)": ["genre_retrieval", "genre_auc", "clusters", "analogies"],
    "titles (bag of words)": ["analogies"],
    "titles, genres, tags (TF-IDF)": ["genre_retrieval", "tag_retrieval", "genre_auc", "clusters", "analogies"],
}
"""The measures whose answers a representation was given beforehand: there its numbers prove nothing."""


def embedding_report(
    model: Model,
    interactions: Interactions,
    *,
    dimensions: Sequence[int] = DIMENSIONS,
    n_seeds: int = N_SEEDS,
    n_threads: int = 1,
    seed: int = 42,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Measure a model's space and the baselines on the well-known items of its data.

    interactions  what the model was trained on: for the raw rows, mean ratings, and for training again with other
                  numbers of dimensions (quality on the hidden fifth of the random protocol) and other seeds

    Raises Unsupported for a model without vectors, InputError where fewer than fifty items are well known.
    """
    # One BLAS thread: many small products, on which more threads wait for each other, and change the last bits.
    with threadpool_limits(1, "blas"):
        return _plain(_measure_all(model, interactions, dimensions, n_seeds, n_threads, seed, progress))


def _measure_all(
    model: Model,
    interactions: Interactions,
    dimensions: Sequence[int],
    n_seeds: int,
    n_threads: int,
    seed: int,
    progress: Progress | None,
) -> dict[str, Any]:
    space = model.space
    judged = well_known(model.n_ratings)
    if not np.array_equal(interactions.item_ids, model.item_ids):
        interactions = interactions.with_items(model.item_ids)
    representations: dict[str, Vectors] = {
        model.learner.name: space.item_factors[:, : space.n_factors],
        **baselines(model.catalog, interactions.matrix, space.n_factors, seed),
    }
    dimensions = [d for d in dimensions if d < min(interactions.matrix.shape)]  # what `by_dimension` leaves out
    steps = len(representations) + len(dimensions) + n_seeds
    done = 0

    def step() -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress(done, steps)

    attributes = model.attributes
    measured = {}
    for name, vectors in representations.items():
        measured[name] = measure(vectors, model, interactions, attributes, judged, seed)
        measured[name]["told"] = TOLD.get(name, [])
        step()
    users = space.user_factors[space.user_factors[:, : space.n_factors].any(axis=1), : space.n_factors]
    try:
        apart = divergence(users, space.item_factors[judged][:, : space.n_factors], seed=seed)
    except InputError:  # too few users or items with a vector
        apart = dict.fromkeys(("kl_ab", "kl_ba", "js", "js_control"), np.nan)
    return {
        "model": model.learner.name,
        "hyperparameters": dataclasses.asdict(model.learner),
        "confidence": model.weighting.settings.to_json(),
        "data": {key: value for key, value in model.data.items() if key != "path"},
        "judged_items": int(judged.sum()),
        "seed": seed,
        "representations": measured,
        "divergence": {"users ‖ items": apart["kl_ab"], "items ‖ users": apart["kl_ba"]}
        | {"js": apart["js"], "js_control": apart["js_control"]},
        "dimensions": by_dimension(model, interactions, dimensions, n_threads, seed, step),
        "seeds": over_seeds(model, interactions, judged, n_seeds, seed, step),
    }


def measure(
    vectors: Vectors,
    model: Model,
    interactions: Interactions,
    attributes: Attributes,
    judged: np.ndarray,
    seed: int = 42,
) -> dict[str, Any]:
    """All measures of one representation (n_items, d): retrieval, probes, clusters, analogies, shape."""
    genres = attributes.of_kind("genre").common(judged)
    tags = attributes.of_kind("tag").common(judged)
    decades = attributes.of_kind("decade").common(judged)
    pairs = title_pairs(model.catalog, model.n_ratings)
    genre_auc = probe_auc(vectors, genres.carries, judged, seed)
    return {
        "dimensions": vectors.shape[1],
        "genre_retrieval": retrieval(vectors, genres.carries, model.n_ratings, judged, seed=seed),
        "tag_retrieval": retrieval(vectors, tags.carries, model.n_ratings, judged, seed=seed) if len(tags) else None,
        "genre_auc": _mean(genre_auc),
        "genre_auc_of": dict(zip(genres.names, genre_auc.tolist(), strict=True)),
        "decade_auc": _mean(probe_auc(vectors, decades.carries, judged, seed)),
        "mean_rating_r2": probe_r2(vectors, mean_ratings(interactions.matrix), judged, seed),
        "clusters": clustering(vectors, genres.carries, judged, seed=seed),
        "analogies": analogy_quality(vectors, pairs, judged),
        "effective_rank": effective_rank(vectors[judged]),
        "isotropy": isotropy(vectors[judged]),
    }


def mean_ratings(matrix: sp.csr_matrix) -> np.ndarray:
    """Mean rating of each item, (n_items,) float64, NaN where nobody rated."""
    counts = np.bincount(matrix.indices, minlength=matrix.shape[1])
    totals = np.bincount(matrix.indices, weights=matrix.data, minlength=matrix.shape[1])
    return np.divide(totals, counts, out=np.full(len(counts), np.nan), where=counts > 0)


def by_dimension(
    model: Model,
    interactions: Interactions,
    dimensions: Sequence[int],
    n_threads: int = 1,
    seed: int = 42,
    step: Callable[[], None] = lambda: None,
) -> list[dict[str, Any]]:
    """What each number of dimensions brings: the model trained anew on four fifths of each user's ratings.

    One row a number: n_factors, ndcg@10 on the hidden fifth with its 95 % interval (low, high), `error`: the share of
    the 0/1 matrix of those four fifths that the scores leave unexplained, |P − XYᵀ|² / |P|² (None for a model with a
    bias, whose scores mean only an order), and `least_error`: the least that any space of so many dimensions leaves
    (truncated SVD; Eckart & Young 1936). Numbers that reach the number of items or users are left out. Raises
    InputError where nobody has two ratings, so that nothing can be hidden.
    """
    split = hold_out(interactions, "random", part="test", seed=seed)
    chosen = model.weighting.settings.choose(split.train.matrix)
    seen = sp.csr_matrix((np.ones_like(chosen.data), chosen.indices, chosen.indptr), shape=chosen.shape)
    dimensions = [d for d in dimensions if d < min(seen.shape)]
    strengths = randomized_svd(seen, max(dimensions, default=1), n_iter=7, random_state=seed)[1]
    rows = []
    for d in dimensions:
        learner = model.learner.replace(n_factors=d)
        trained = learner.fit(Dataset(split.train, model.catalog), model.weighting.settings)
        quality = rank_quality(trained, split, (10,), auc=False, n_threads=n_threads, seed=seed)
        ndcg = quality.summary.set_index("metric").to_dict("index")["ndcg@10"]
        rows.append(
            {
                "n_factors": d,
                "ndcg@10": ndcg["mean"],
                "low": ndcg["low"],
                "high": ndcg["high"],
                "error": None if trained.space.has_bias else reconstruction_error(trained.space, seen),
                "least_error": float(1 - (strengths[:d] ** 2).sum() / seen.nnz),
            }
        )
        step()
    return rows


def reconstruction_error(space: EmbeddingSpace, seen: sp.csr_matrix) -> float:
    """|P − XYᵀ|² / |P|² for a 0/1 matrix P (users × items), without making XYᵀ: |P|² − 2 Σ_P x·y + tr(XᵀX·YᵀY)."""
    x, y = space.user_factors.astype(np.float64), space.item_factors.astype(np.float64)
    users = np.repeat(np.arange(seen.shape[0]), np.diff(seen.indptr))
    met = 0.0
    for start in range(0, seen.nnz, 2**18):  # the gathered rows of a block stay small
        block = slice(start, start + 2**18)
        met += float(np.einsum("nd,nd->", x[users[block]], y[seen.indices[block]]))
    return float((seen.nnz - 2 * met + ((x.T @ x) * (y.T @ y)).sum()) / seen.nnz)


def over_seeds(
    model: Model,
    interactions: Interactions,
    judged: np.ndarray,
    n_seeds: int = N_SEEDS,
    seed: int = 42,
    step: Callable[[], None] = lambda: None,
) -> dict[str, Any]:
    """What stays when only the seed changes: means and least values over `n_seeds` models trained anew.

    overlap  share of an item's ten nearest that are the same; overlap of random vectors beside it
    cka      linear CKA of the item directions (Kornblith et al. 2019): 1 is the same up to a turn
    """
    here = model.space.item_directions
    overlaps, ckas = [], []
    for number in range(n_seeds):
        learner = model.learner.replace(seed=seed + 1 + number)
        other = learner.fit(Dataset(interactions, model.catalog), model.weighting.settings).space.item_directions
        overlaps.append(overlap(here, other, judged))
        ckas.append(linear_cka(here[judged], other[judged]))
        step()
    chance = overlap(here, np.random.default_rng(seed).normal(size=here.shape), judged)
    return {
        "n": n_seeds,
        "overlap@10": _mean(overlaps),
        "least_overlap@10": min(overlaps, default=None),
        "chance_overlap@10": chance,
        "cka": _mean(ckas),
        "least_cka": min(ckas, default=None),
    }


def _mean(values: Sequence[float] | np.ndarray) -> float | None:
    known = np.asarray(values, dtype=np.float64)
    known = known[~np.isnan(known)]
    return float(known.mean()) if len(known) else None


def _plain(value: Any) -> Any:
    """The same in values that JSON has: NaN becomes None."""
    if isinstance(value, Mapping):
        return {str(key): _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return None if value is pd.NA else value
