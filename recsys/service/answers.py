"""Answers: from a checked request and what is served to what is sent. No HTTP."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from recsys.errors import InputError, quoted
from recsys.models import Model, UserBatch
from recsys.recommend.candidates import Candidates
from recsys.recommend.steer import steer
from recsys.recommend.topn import batch_of_ratings, best_items, explain, similar
from recsys.service.schema import (
    AxesOut,
    AxisOut,
    Health,
    Item,
    Items,
    Neighbour,
    Neighbours,
    Rated,
    ReasonOut,
    Recommendation,
    Recommendations,
    Wish,
)
from recsys.service.served import Served
from recsys.space.embedding import Metric
from recsys.topk import NONE

N_REASONS = 3
"""Rated movies listed as reasons for a recommendation."""


def recommend(served: Served, wish: Wish) -> Recommendations:
    """The list that a request asks for. Raises RecsysError for what cannot be answered."""
    model = served.model
    if (wish.user is None) == (wish.ratings is None):
        raise InputError("give either user or ratings")
    if wish.user is not None:
        batch = served.batch_of_user(wish.user, wish.exclude_seen or wish.explain)
    else:
        batch = batch_of_ratings(model, _ratings(served, wish.ratings or {}))
    candidates = Candidates(
        wish.genres,
        wish.years,
        wish.min_ratings,
        wish.max_ratings,
        None if wish.allow is None else _ids(served, wish.allow),
        _ids(served, wish.deny),
    )
    allowed = candidates.mask(model)
    if wish.steer:
        found, batch_now = _steered(served, batch, wish, allowed)
    else:
        found, batch_now = _best(model, batch, wish, allowed), batch
    if wish.explain:
        reasons = explain(model, batch_now, [row.item_id for row in found], N_REASONS)
        found = [
            row.model_copy(update={"reasons": _reasons(model, parts)})
            for row, parts in zip(found, reasons, strict=True)
        ]
    return Recommendations(origin=batch.origin[0], model=served.fingerprint, recommendations=found)


def similar_to(served: Served, name: int | str, k: int, metric: Metric) -> Neighbours:
    """The movies most similar to one. Raises RecsysError."""
    model = served.model
    row = served.row_of(name)
    table = similar(model, model.item_ids[row], k, metric)
    ids = table["item_id"].to_numpy()
    titles = model.catalog.label_of(ids) if len(ids) else []
    return Neighbours(
        item_id=_plain(model.item_ids[row]),
        title=model.catalog.labels[row],
        metric=metric,
        model=served.fingerprint,
        similar=[
            Neighbour(rank=rank, item_id=_plain(item), title=title, similarity=float(value))
            for rank, (item, title, value) in enumerate(zip(ids, titles, table["similarity"], strict=True), 1)
        ],
    )


def find(served: Served, text: str, limit: int) -> Items:
    """The movies with titles like a text, best first."""
    rows = served.model.catalog.search(text, limit, served.model.n_ratings)
    return Items(total=len(rows), items=[item_at(served, int(row)) for row in rows])


def page_of_items(served: Served, offset: int, limit: int) -> Items:
    """Movies of the catalogue, in its order."""
    total = len(served.model.item_ids)
    return Items(
        total=total, items=[item_at(served, row) for row in range(min(offset, total), min(offset + limit, total))]
    )


def item_at(served: Served, row: int) -> Item:
    """The movie of a row."""
    model, years = served.model, served.model.catalog.years
    title, genres, tags = (served.columns[name][row] for name in ("title", "genres", "tags"))
    return Item(
        item_id=_plain(model.item_ids[row]),
        title=title,
        year=None if math.isnan(years[row]) else int(years[row]),
        genres=list(genres),
        tags=list(tags),
        n_ratings=int(model.n_ratings[row]),
    )


def axes_of(served: Served) -> AxesOut:
    """What `steer` takes; nothing for a model without vectors."""
    if served.axes is None:
        return AxesOut(axes=[], genres=[])
    axes = [
        AxisOut(name=axis.name, low=axis.low, high=axis.high, is_valid=axis.is_valid)
        for axis in (*served.axes.asked, *served.axes.discovered)
    ]
    return AxesOut(axes=axes, genres=list(served.model.catalog.content_genres))


def health_of(served: Served, problem: str | None) -> Health:
    """What is served, and what keeps something newer from being served."""
    return Health(
        status="ok",
        model=served.model.learner.name,
        fingerprint=served.fingerprint,
        loaded_at=served.loaded_at.isoformat(timespec="seconds"),
        n_items=len(served.model.item_ids),
        n_users=served.n_users,
        knows_ratings=served.interactions is not None,
        problem=problem,
    )


def _best(model: Model, batch: UserBatch, wish: Wish, allowed: np.ndarray | None) -> list[Recommendation]:
    columns, scores = best_items(model, batch, wish.k, exclude_seen=wish.exclude_seen, allowed=allowed)
    rows = columns[0][columns[0] != NONE]
    ids, labels = model.item_ids[rows].tolist(), model.catalog.labels[rows]
    return [
        Recommendation.model_construct(rank=rank, item_id=item, title=title, score=score)
        for rank, (item, title, score) in enumerate(zip(ids, labels, scores[0].tolist(), strict=False), 1)
    ]


def _steered(
    served: Served, batch: UserBatch, wish: Wish, allowed: np.ndarray | None
) -> tuple[list[Recommendation], UserBatch]:
    """The list of the moved user, and that user."""
    model = served.model
    _ = model.space  # raises Unsupported for a model without vectors
    shifts = [(served.axis(name), amount) for name, amount in wish.steer.items()]
    steered = steer(model, batch, shifts, wish.k, exclude_seen=wish.exclude_seen, allowed=allowed)
    table = steered.table
    labels = model.catalog.label_of(table["item_id"].to_numpy()) if len(table) else []
    gains = [str(name) for name in table if str(name).startswith("gain: ")]
    rows = []
    for row, title in zip(table.to_dict("records"), labels, strict=True):
        rows.append(
            Recommendation(
                rank=int(row["rank"]),
                item_id=_plain(row["item_id"]),
                title=title,
                score=float(row["score"]),
                taste=float(row["taste"]),
                rank_before=int(row["rank_before"]),
                gains={name.removeprefix("gain: "): float(row[name]) for name in gains},
            )
        )
    return rows, steered.batch


def _ratings(served: Served, given: dict[str, float] | list[Rated]) -> dict[Any, float]:
    """Ratings by item id. Raises UnknownId for an unknown movie, InputError for one that is rated twice."""
    pairs: Iterable[tuple[int | str, float]] = (
        given.items() if isinstance(given, dict) else ((one.item, one.rating) for one in given)
    )
    model, ratings = served.model, {}
    for name, stars in pairs:
        row = served.row_of(name)
        item = model.item_ids[row]
        if item in ratings:
            raise InputError(f"{quoted(name)} is rated twice, as {quoted(model.catalog.labels[row])}; rate it once")
        ratings[item] = stars
    return ratings


def _ids(served: Served, names: Sequence[int | str]) -> np.ndarray:
    rows = np.array([served.row_of(name) for name in names], dtype=np.int64)
    ids: np.ndarray = served.model.item_ids[rows]
    return ids


def _reasons(model: Model, parts: list[tuple[Any, float]]) -> list[ReasonOut]:
    titles = model.catalog.label_of([item for item, _ in parts]) if parts else []
    return [
        ReasonOut(item_id=_plain(item), title=title, share=share)
        for title, (item, share) in zip(titles, parts, strict=True)
    ]


def _plain(item_id: Any) -> int | str:
    return item_id if isinstance(item_id, str) else int(item_id)
