"""Ids in, ranked table out: recommendations for known and new users, neighbours, and the reasons behind them.

Knows no files and no screen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np
import pandas as pd
import scipy.sparse as sp
from scipy.stats import spearmanr

from recsys.dataset.interactions import Interactions, as_ids, index_of, rows_of
from recsys.errors import InputError
from recsys.models import ItemScores, ItemWeights, Model
from recsys.space.embedding import EmbeddingSpace, Metric
from recsys.topk import NONE, top_k

STORED, FOLDED_IN, COLD = "stored", "folded in", "cold"


@dataclass(frozen=True, eq=False)
class UserBatch:
    """Users to recommend to, whoever they are.

    user_ids  (n,) original ids
    ratings   CSR (n, n_items) of raw ratings, columns in the order of the model's items: what they have seen
    vectors   (n, d) float32, or None for a model without vectors
    origin    (n,) str: "stored" (vector from training), "folded in" (computed from the ratings) or "cold" (nothing
              is known of the user: the most popular items are what they get)
    """

    user_ids: np.ndarray
    ratings: sp.csr_matrix
    vectors: np.ndarray | None
    origin: np.ndarray

    def __len__(self) -> int:
        return len(self.user_ids)

    def __getitem__(self, rows: slice) -> UserBatch:
        vectors = None if self.vectors is None else self.vectors[rows]
        return UserBatch(self.user_ids[rows], self.ratings[rows], vectors, self.origin[rows])


def batch_of_users(
    model: Model, interactions: Interactions, user_ids: Sequence[Any] | np.ndarray | None = None
) -> UserBatch:
    """Users of some data, all or those named: with their trained vectors, or folded in if training never saw them.

    The data may have other users and items than the model was trained on; ratings of items that the model does not
    know have no effect. Raises UnknownId for a user who is not in the data.
    """
    rows = np.arange(interactions.n_users) if user_ids is None else interactions.user_rows(user_ids)
    if not np.array_equal(interactions.item_ids, model.item_ids):
        interactions = interactions.with_items(model.item_ids)
    ids, ratings = interactions.user_ids[rows], interactions.matrix[rows]
    places = np.full(len(ids), -1)
    if isinstance(model.fitted, EmbeddingSpace) and ids.dtype == model.fitted.user_ids.dtype:
        places = model.fitted.user_index.get_indexer(index_of(ids))
    return _batch(model, ids, ratings, places)


def batch_of_ratings(model: Model, ratings: Mapping[Any, float], user_id: Any = "you") -> UserBatch:
    """One new user from what they rated: item id → rating. Raises UnknownId, and InputError for a bad rating."""
    items = as_ids(list(ratings))
    values = np.array([float(r) for r in ratings.values()], dtype=np.float32)
    if not np.isfinite(values).all():
        raise InputError("ratings must be finite numbers")
    known = model.catalog.index
    columns = rows_of(known, items, "item") if len(items) else np.empty(0, np.int64)
    matrix = sp.csr_matrix((values, (np.zeros(len(columns), np.int64), columns)), shape=(1, len(known)))
    return _batch(model, np.array([user_id], dtype=object), matrix, np.array([-1]))


def _batch(model: Model, ids: np.ndarray, ratings: sp.csr_matrix, places: np.ndarray) -> UserBatch:
    """Stored vectors for users who have a place among the model's users, folded-in ones for the rest (−1)."""
    if not isinstance(model.fitted, EmbeddingSpace):
        origin = np.full(len(ids), STORED, dtype=object)
        if isinstance(model.fitted, ItemWeights):
            origin[model.weighting.apply(ratings).getnnz(axis=1) == 0] = COLD
        return UserBatch(ids, ratings, None, origin)
    space = model.fitted
    vectors = np.empty((len(ids), space.item_factors.shape[1]), dtype=np.float32)
    known = places >= 0
    vectors[known] = space.user_factors[places[known]]
    if not known.all():
        vectors[~known] = model.learner.fold_in(space, model.weighting.apply(ratings[~known]))
    origin = np.where(known, STORED, FOLDED_IN).astype(object)
    origin[~vectors[:, : space.n_factors].any(axis=1)] = COLD
    return UserBatch(ids, ratings, vectors, origin)


def recommend(
    model: Model,
    batch: UserBatch,
    k: int = 10,
    *,
    exclude_seen: bool = True,
    allowed: np.ndarray | None = None,
    n_threads: int = 1,
) -> pd.DataFrame:
    """The k best items for each user: columns user_id, rank (1 = best), item_id, score; users in their order.

    exclude_seen  leave out what the user has rated
    allowed       bool (n_items,): candidates for anyone, such as the movies of a genre

    A user for whom fewer candidates are left gets fewer rows, never a filtered item. A cold user gets the most
    popular items, scored by the share of all ratings. What a score means is said in each model's file.
    """
    if k < 1:
        raise InputError(f"the number of recommendations is at least 1, not {k}")
    columns, scores = top_k(
        lambda rows: score(model, batch[rows]),
        len(batch),
        len(model.item_ids),
        min(k, len(model.item_ids)),
        exclude=batch.ratings if exclude_seen else None,
        allowed=allowed,
        n_threads=n_threads,
    )
    found = columns != NONE
    return pd.DataFrame(
        {
            "user_id": np.repeat(batch.user_ids, found.sum(axis=1)),
            "rank": (np.broadcast_to(np.arange(1, columns.shape[1] + 1, dtype=np.int32), columns.shape)[found]),
            "item_id": model.item_ids[columns[found]],
            "score": scores[found],
        }
    )


def score(model: Model, batch: UserBatch) -> np.ndarray:
    """Scores of every item for each user, (n, n_items) float32; popularity for those of whom nothing is known."""
    if isinstance(model.fitted, ItemScores):
        return model.fitted.score(len(batch))
    if isinstance(model.fitted, ItemWeights):
        scores = model.fitted.score(model.weighting.apply(batch.ratings))
    else:
        assert batch.vectors is not None
        scores = model.fitted.score(batch.vectors)
    cold = batch.origin == COLD
    if cold.any():
        scores[cold] = model.n_ratings / max(int(model.n_ratings.sum()), 1)
    return scores


def explain(
    model: Model, batch: UserBatch, item_ids: Sequence[Any] | np.ndarray, top: int | None = 3
) -> list[list[tuple[Any, float]]]:
    """Why each item is recommended to the one user of `batch`: the rated items that add most to its score.

    Returns, for each of `item_ids`, up to `top` pairs (rated item id, share added to the score), greatest first, only
    those that add something; with `top` None all rated items, those that take away too, so that the shares add up to
    the score. How exact the split is, each model's `contributions` says. A model that does not look at a user's ratings
    has no reasons of this kind: the lists are empty. Raises UnknownId.
    """
    if len(batch) != 1:
        raise InputError(f"an explanation is for one user, not {len(batch)}")
    if isinstance(model.fitted, ItemScores) or batch.origin[0] == COLD:
        return [[] for _ in item_ids]
    weights = model.weighting.apply(batch.ratings)
    shares = model.learner.contributions(model.fitted, weights, rows_of(model.catalog.index, item_ids, "item"))
    rated = model.item_ids[weights.indices]
    reasons = []
    for column in shares.T:
        best = np.argsort(-column, kind="stable")[:top]
        reasons.append([(rated[row], float(column[row])) for row in best if top is None or column[row] > 0])
    return reasons


def similar(model: Model, item_id: Any, k: int = 10, metric: Metric = "cosine") -> pd.DataFrame:
    """The k items most like one: columns rank, item_id, similarity. Raises UnknownId, Unsupported, SettingError."""
    ids, likeness = model.space.neighbours([item_id], k, metric)
    return pd.DataFrame(
        {"rank": np.arange(1, ids.shape[1] + 1, dtype=np.int32), "item_id": ids[0], "similarity": likeness[0]}
    )


def similar_side_by_side(model: Model, item_id: Any, k: int = 10) -> tuple[pd.DataFrame, float]:
    """The k items most like one by each metric, and how far a vector's length goes with popularity.

    Returns one table, columns metric, rank, item_id, similarity, n_ratings; and Spearman's correlation between the
    items' lengths and their numbers of ratings. Cosine leaves length out; the dot product favours long vectors;
    Euclidean distance favours those as long as the item's own. Raises UnknownId, Unsupported.
    """
    tables = []
    for metric in get_args(Metric):
        table = similar(model, item_id, k, metric)
        table.insert(0, "metric", metric)
        tables.append(table)
    found = pd.concat(tables, ignore_index=True)
    found["n_ratings"] = model.n_ratings[model.space.item_rows(found["item_id"].to_numpy())]
    lengths = np.linalg.norm(model.space.item_factors[:, : model.space.n_factors], axis=1)
    is_flat = np.ptp(lengths) == 0 or np.ptp(model.n_ratings) == 0
    return found, 0.0 if is_flat else float(spearmanr(lengths, model.n_ratings).statistic)
