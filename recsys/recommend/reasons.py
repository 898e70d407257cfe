"""Reasons for a recommendation: its score split over the rated items and over the axes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from recsys.models import Model, UserBatch
from recsys.recommend.topn import explain
from recsys.space.axis import Axes
from recsys.space.decompose import split_by_axes

REST = 1e-3
"""A remainder below this share of the score is rounding."""


@dataclass(frozen=True)
class RatingShare:
    """What one rated item adds to a score.

    title  None: the part of the score that belongs to no rated item (the bias and the negatives of bpr, what
           ratings of vae and sequence add only together, the common taste in a visitor's vector of ials)
    adds   share of the score, in the units of the score; may be negative
    """

    title: str | None
    adds: float


@dataclass(frozen=True)
class AxisShare:
    """What one axis adds to a score.

    axis  name of the axis, or "popularity" for the item bias
    end   the end of the axis that the user prefers; None for the bias
    adds  share of the score, in the units of the score; may be negative
    """

    axis: str
    end: str | None
    adds: float


@dataclass(frozen=True)
class Reason:
    """The score of one recommended item, split in two ways, each largest share first (the remainder is last).

    ratings  over the rated items; empty if the score does not depend on the user's ratings
    axes     over the discovered axes; empty if there are none that form a rotation
    """

    ratings: tuple[RatingShare, ...] = ()
    axes: tuple[AxisShare, ...] = ()


def reasons(model: Model, batch: UserBatch, table: pd.DataFrame, axes: Axes | None) -> list[Reason]:
    """One reason for each row of a list that was made for the one user of `batch`.

    table  from `recommend`, or from `steer` with the moved user as `batch`: then the shares of the ratings add up to
           the column `taste`, and the shares of the axes to `score`
    axes   the discovered axes of the model, if any
    """
    item_ids = table["item_id"].to_numpy()
    scores = table["taste" if "taste" in table else "score"]
    by_rating = [
        _rating_shares(model, parts, float(score))
        for parts, score in zip(explain(model, batch, item_ids, top=None), scores, strict=True)
    ]
    by_axis: list[tuple[AxisShare, ...]] = [()] * len(table)
    if axes is not None and axes.rotation is not None and batch.vectors is not None:
        by_axis = _axis_shares(model, batch.vectors[0], item_ids, axes, axes.rotation)
    return [Reason(ratings, shares) for ratings, shares in zip(by_rating, by_axis, strict=True)]


def _rating_shares(model: Model, parts: list[tuple[object, float]], score: float) -> tuple[RatingShare, ...]:
    if not parts:
        return ()
    titles = model.catalog.label_of([item for item, _ in parts])
    shares = [RatingShare(title, adds) for title, (_, adds) in zip(titles, parts, strict=True)]
    rest = score - sum(share.adds for share in shares)
    if abs(rest) > REST * max(1.0, abs(score)):
        shares.append(RatingShare(None, rest))
    return tuple(shares)


def _axis_shares(
    model: Model, user_vector: np.ndarray, item_ids: np.ndarray, axes: Axes, rotation: np.ndarray
) -> list[tuple[AxisShare, ...]]:
    table = split_by_axes(model.space, axes, user_vector, model.space.item_rows(item_ids))
    user_positions = user_vector[: model.space.n_factors].astype(np.float64) @ rotation
    ends: list[str | None] = [
        axis.high if position > 0 else axis.low for axis, position in zip(axes.discovered, user_positions, strict=True)
    ]
    ends += [None] * (len(table) - len(ends))
    return [
        tuple(AxisShare(table.index[at], ends[at], float(column[at])) for at in np.argsort(-column, kind="stable"))
        for column in table.to_numpy().T
    ]
