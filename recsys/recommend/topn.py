"""Ranked lists: recommendations for known and new users, the reasons for them, and similar items. No I/O."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, get_args

import numpy as np
import pandas as pd
import scipy.sparse as sp

from recsys.dataset.interactions import Interactions, as_ids, rows_of
from recsys.errors import InputError
from recsys.models import COLD, Model, UserBatch
from recsys.space.embedding import Metric
from recsys.topk import NONE, top_k


def batch_of_users(
    model: Model, interactions: Interactions, user_ids: Sequence[Any] | np.ndarray | None = None
) -> UserBatch:
    """Users of a dataset: all of them, or those with the given ids.

    Users from training get their stored vectors, the others are folded in. The data may have other users and items than
    the training data; ratings of items that the model does not have are ignored. Raises UnknownId for a user who is not
    in the data, InputError where the model needs timestamps that are missing.
    """
    rows = None if user_ids is None else interactions.user_rows(user_ids)
    if not np.array_equal(interactions.item_ids, model.item_ids):
        aligned = interactions.with_items(model.item_ids)
        if interactions.n_ratings and not aligned.n_ratings:
            raise InputError("the data have no item in common with the model; name the data that belong to it")
        interactions = aligned
    ids = interactions.user_ids if rows is None else interactions.user_ids[rows]
    return model.fitted.batch(ids, model.ratings_of(interactions, rows), model.weighting)


def batch_of_ratings(model: Model, ratings: Mapping[Any, float], user_id: Any = "you") -> UserBatch:
    """One new user, from their ratings: item id → rating, the oldest first.

    Raises UnknownId for an item that the model does not have, InputError for a rating that is not a finite number.
    """
    items = as_ids(list(ratings))
    try:
        values = np.array([float(r) for r in ratings.values()], dtype=np.float32)
    except (TypeError, ValueError):
        raise InputError("ratings must be finite numbers") from None
    if not np.isfinite(values).all():
        raise InputError("ratings must be finite numbers")
    known = model.catalog.index
    columns = rows_of(known, items, "item") if len(items) else np.empty(0, np.int64)
    matrix = sp.csr_matrix((values, columns, [0, len(columns)]), shape=(1, len(known)))
    if not model.fitted.uses_order:
        matrix.sum_duplicates()
    return model.fitted.batch(np.array([user_id], dtype=object), matrix, model.weighting, is_new=True)


def best_items(
    model: Model,
    batch: UserBatch,
    k: int = 10,
    *,
    exclude_seen: bool = True,
    allowed: np.ndarray | None = None,
    n_threads: int = 1,
) -> tuple[np.ndarray, np.ndarray]:
    """The k best items of each user as arrays: columns int32 and scores float32, both (n, min(k, n_items)), best first.

    exclude_seen  leave out the items that the user has rated
    allowed       (n_items,) bool: the candidates for every user, such as the movies of a genre

    Columns are positions in `model.item_ids`. Rows with fewer than k candidates are padded with `NONE` and -inf. Cold
    users get the most popular items, scored by their share of all ratings, or nothing where rating counts are unknown.
    The docstring of each learner says what its scores mean. Raises InputError for k below 1.
    """
    if k < 1:
        raise InputError(f"the number of recommendations must be at least 1, not {k}")
    n_items = len(model.item_ids)
    k, seen = min(k, n_items), batch.ratings if exclude_seen else None
    columns, scores = model.fitted.top_k(batch, model.weighting, k, exclude=seen, allowed=allowed, n_threads=n_threads)
    cold = np.flatnonzero(batch.origin == COLD)
    if len(cold) and model.n_ratings.any():
        shares = _popularity(model)
        columns[cold], scores[cold] = top_k(
            lambda rows: np.broadcast_to(shares, (rows.stop - rows.start, n_items)),
            len(cold),
            n_items,
            k,
            exclude=None if seen is None else seen[cold],
            allowed=allowed,
            n_threads=n_threads,
        )
    elif len(cold):  # popularity is unknown, so there is nothing to recommend
        columns[cold], scores[cold] = NONE, -np.inf
    return columns, scores


def recommend(
    model: Model,
    batch: UserBatch,
    k: int = 10,
    *,
    exclude_seen: bool = True,
    allowed: np.ndarray | None = None,
    n_threads: int = 1,
) -> pd.DataFrame:
    """`best_items` as a table: columns user_id, rank (1 = best), item_id, score; users in the order of the batch.

    Users with fewer than k candidates get fewer rows.
    """
    columns, scores = best_items(model, batch, k, exclude_seen=exclude_seen, allowed=allowed, n_threads=n_threads)
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
    """Scores of every item for each user, (n, n_items) float32, possibly read-only. For cold users, the popularity."""
    scores = model.fitted.score(batch, model.weighting)
    cold = batch.origin == COLD
    if cold.any():
        scores[cold] = _popularity(model)
    return scores


def _popularity(model: Model) -> np.ndarray:
    """The share of each item in all ratings, (n_items,) float32."""
    shares: np.ndarray = (model.n_ratings / max(int(model.n_ratings.sum()), 1)).astype(np.float32)
    return shares


def explain(
    model: Model,
    batch: UserBatch,
    item_ids: Sequence[Any] | np.ndarray,
    top: int | None = 3,
    among: Collection[Any] | None = None,
) -> list[list[tuple[Any, float]]]:
    """Why each item is recommended to the one user of `batch`: the rated items that add most to its score.

    Returns, for each of `item_ids`, up to `top` pairs (rated item id, share of the score), largest first, positive
    shares only. With `top` None, all rated items, also those with negative shares, so that the shares add up to the
    score; the `contributions` of each learner says how exactly. `among` are the rated items that may be named, by
    default all. The lists are empty for a cold user, and for a model whose scores do not depend on the user's ratings.

    Raises InputError for a batch of several users, UnknownId for an item that the model does not have.
    """
    if len(batch) != 1:
        raise InputError(f"an explanation is for one user, not {len(batch)}")
    if batch.origin[0] == COLD:
        return [[] for _ in item_ids]
    found = model.fitted.contributions(batch, model.weighting, rows_of(model.catalog.index, item_ids, "item"))
    if found is None:
        return [[] for _ in item_ids]
    rated, shares = model.item_ids[found.rated_rows], found.shares
    if among is not None:
        may_be_named = np.array([item in among for item in rated.tolist()], dtype=bool)
        rated, shares = rated[may_be_named], shares[may_be_named]
    reasons = []
    for column in shares.T:
        best = np.argsort(-column, kind="stable")[:top]
        reasons.append([(rated[row], float(column[row])) for row in best if top is None or column[row] > 0])
    return reasons


def similar(model: Model, item_id: Any, k: int = 10, metric: Metric = "cosine") -> pd.DataFrame:
    """The k items most similar to one item: columns rank, item_id, similarity.

    Raises UnknownId for an unknown item, Unsupported for a model without vectors, SettingError for an unknown metric,
    InputError for an item with a zero vector.
    """
    if not model.space.item_directions[model.space.item_rows([item_id])].any():
        raise InputError(f"{model.catalog.label_of([item_id])[0]} has a zero vector, to which nothing is similar")
    ids, similarity = model.space.neighbours([item_id], k, metric)
    return pd.DataFrame(
        {"rank": np.arange(1, ids.shape[1] + 1, dtype=np.int32), "item_id": ids[0], "similarity": similarity[0]}
    )


def similar_side_by_side(model: Model, item_id: Any, k: int = 10) -> tuple[pd.DataFrame, float]:
    """The k items most similar to one item by each metric, and how strongly vector length depends on popularity.

    Returns a table with columns metric, rank, item_id, similarity, n_ratings; and Spearman's rank correlation between
    the lengths of the item vectors and their numbers of ratings (0 if either is constant). Cosine ignores length, the
    dot product favors long vectors, Euclidean distance favors vectors of the same length. Raises UnknownId for an
    unknown item, Unsupported for a model without vectors.
    """
    from scipy.stats import spearmanr  # slow to import

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
