"""Recommendations as a person asks for them: titles or ids in, tables with titles out. The methods of `Model` are here.

Every function takes either `user`, an id in the data the model was trained on, or `ratings`, what a new user rated.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from recsys.errors import InputError, quoted
from recsys.models import Model, UserBatch
from recsys.recommend.candidates import Candidates
from recsys.recommend.steer import Steered, parse_shift
from recsys.recommend.steer import steer as steer_batch
from recsys.recommend.topn import batch_of_ratings, batch_of_users, explain, recommend
from recsys.space.axis import Axes, Axis

N_REASONS = 3
"""Rated items listed as reasons for a recommendation."""


def recommend_for(
    model: Model,
    user: Any = None,
    ratings: Mapping[Any, float] | None = None,
    k: int = 10,
    *,
    genres: str | Sequence[str] = (),
    years: tuple[int | None, int | None] | None = None,
    min_ratings: int | None = None,
    max_ratings: int | None = None,
    allow: Sequence[Any] | None = None,
    deny: Sequence[Any] = (),
    exclude_seen: bool = True,
    steer: Mapping[str, float] | None = None,
    with_reasons: bool = False,
    axes: Axes | None = None,
) -> pd.DataFrame:
    """The table of `Model.recommend`."""
    batch = users_of(model, user, ratings, exclude_seen or with_reasons)
    genres = [genres] if isinstance(genres, str) else genres
    listed = None if allow is None else _ids_of(model, allow)
    allowed = Candidates(genres, years, min_ratings, max_ratings, listed, _ids_of(model, deny)).mask(model)
    if steer:
        shifts = shifts_of(model, steer, axes)
        steered = steer_batch(model, batch, shifts, k, exclude_seen=exclude_seen, allowed=allowed)
        table = steered.table
    else:
        table = recommend(model, batch, k, exclude_seen=exclude_seen, allowed=allowed)
    table.insert(list(table.columns).index("item_id") + 1, "title", model.catalog.label_of(table["item_id"].to_numpy()))
    if with_reasons:
        if len(batch) != 1:
            raise InputError(f"reasons are for one user, not {len(batch)}")
        found = explain(model, batch, table["item_id"].to_numpy(), N_REASONS)
        table["reasons"] = pd.Series([_titled(model, parts) for parts in found], index=table.index, dtype=object)
    return table if _is_several(user) else table.drop(columns="user_id")


def steer_for(
    model: Model,
    axes_by_name: Mapping[str, float],
    user: Any = None,
    ratings: Mapping[Any, float] | None = None,
    k: int = 10,
    *,
    exclude_seen: bool = True,
    axes: Axes | None = None,
) -> Steered:
    """The result of `Model.steer`."""
    batch = users_of(model, user, ratings, exclude_seen)
    steered = steer_batch(model, batch, shifts_of(model, axes_by_name, axes), k, exclude_seen=exclude_seen)
    table = steered.table.drop(columns="user_id")
    table.insert(2, "title", model.catalog.label_of(table["item_id"].to_numpy()))
    return replace(steered, table=table)


def explain_for(
    model: Model, item: Any, user: Any = None, ratings: Mapping[Any, float] | None = None, top: int | None = None
) -> pd.DataFrame:
    """The table of `Model.explain`."""
    batch = users_of(model, user, ratings, needs_ratings=True)
    (parts,) = explain(model, batch, [model.catalog.id_of(item, model.n_ratings)], top)
    ids = [item_id for item_id, _ in parts]
    return pd.DataFrame(
        {
            "item_id": pd.Series(ids, dtype=model.item_ids.dtype),
            "title": pd.Series(model.catalog.label_of(ids) if ids else [], dtype="str"),
            "share": pd.Series([share for _, share in parts], dtype=np.float64),
        }
    )


def users_of(model: Model, user: Any, ratings: Mapping[Any, float] | None, needs_ratings: bool = True) -> UserBatch:
    """The users who are asked for: one id, a sequence of ids, or a new user with ratings by title or item id.

    needs_ratings  whether what the users have rated must be known, to leave it out or to explain

    Raises InputError unless exactly one of `user` and `ratings` is given, for two ratings of one item, and for a known
    user whose ratings are needed but not at hand; UnknownId for a user, title or id that is not in the data.
    """
    if (user is None) == (ratings is None):
        raise InputError("give either user=ID or ratings={title: stars}")
    if ratings is not None:
        if not isinstance(ratings, Mapping):
            raise InputError(f"ratings must be a mapping of title or id to stars, not {type(ratings).__name__}")
        return batch_of_ratings(model, ratings_by_id(model, ratings.items()))
    ids = list(user) if _is_several(user) else [user]
    if model.dataset is not None:
        return batch_of_users(model, model.dataset.interactions, ids)
    if needs_ratings or not model.has_space:
        raise InputError(
            "the ratings of known users are not stored with a model; "
            "load it with its data, load_model(folder, dataset=data), or give ratings={title: stars}"
        )
    rows = model.space.user_rows(ids)
    empty = sp.csr_matrix((len(ids), len(model.item_ids)), dtype=np.float32)
    return model.fitted.batch(model.space.user_ids[rows], empty, model.weighting)


def ratings_by_id(model: Model, rated: Iterable[tuple[Any, float]]) -> dict[Any, float]:
    """Ratings by item id, of pairs of a title or id and a rating.

    Raises UnknownId with similar titles for an unknown title, InputError for a movie that is rated twice.
    """
    ratings: dict[Any, float] = {}
    named: dict[Any, Any] = {}
    for name, stars in rated:
        item_id = model.catalog.id_of(name, model.n_ratings)
        if item_id in ratings:
            label = model.catalog.label_of([item_id])[0]
            raise InputError(f"{quoted(named[item_id])} and {quoted(name)} are the same movie, {label!r}: rate it once")
        ratings[item_id], named[item_id] = stars, name
    return ratings


def shifts_of(model: Model, steer: Mapping[str, float], axes: Axes | None) -> list[tuple[Axis, float]]:
    """Axes by name with the amount to move along each. Raises as `parse_shift` does."""
    known = model.built_in_axes if axes is None else axes
    return [parse_shift(f"{name}={amount}", model.space, model.attributes, known) for name, amount in steer.items()]


def _ids_of(model: Model, items: Sequence[Any]) -> list[Any]:
    """Ids of items that are named by title or id."""
    return [model.catalog.id_of(item, model.n_ratings) for item in items]


def _titled(model: Model, parts: Sequence[tuple[Any, float]]) -> tuple[tuple[str, float], ...]:
    titles = model.catalog.label_of([item_id for item_id, _ in parts]) if parts else []
    return tuple((title, share) for title, (_, share) in zip(titles, parts, strict=True))


def _is_several(user: Any) -> bool:
    return isinstance(user, Sequence | np.ndarray | pd.Series | pd.Index) and not isinstance(user, str | bytes)
