"""Steering: move a user towards an end of an axis, within limits, and measure the effect on the list.

A user's vector x moves to x + |x| Σ_j s_j a_j, with a_j the unit directions of the axes and s_j the amounts; at
amount 1 the shift is as long as the user vector. The score of a movie y changes by |x| Σ_j s_j a_j·y, which is an exact
sum over the axes.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from recsys.dataset.attributes import Attributes
from recsys.errors import InputError, SettingError, UnknownId, quoted
from recsys.models import COLD, Model, UserBatch
from recsys.recommend.topn import recommend
from recsys.space.axis import BETWEEN, Axes, Axis
from recsys.space.embedding import EmbeddingSpace
from recsys.space.evidence import ProbeEvidence
from recsys.space.questions import question_of

FARTHEST = 3.0
"""The greatest amount along an axis. Beyond it the list no longer depends on the user."""


@dataclass(frozen=True, eq=False)
class Steered:
    """The effect of steering on the list of one user.

    table   user_id, rank, item_id, score (after steering), taste (score before), rank_before (among all allowed items,
            1 = best), and one column `gain: <axis>` per axis: its contribution to the change of the score
    left    ids of the items that the list of the same length contained before steering and no longer contains
    moved   one row per axis: axis, amount, before, after; the mean position of the list along the axis before and
            after, in standard deviations
    loss    relative loss of the score before steering: 1 − mean taste of the new list / mean taste of the old list;
            NaN where the latter is not positive
    batch   the moved user
    """

    table: pd.DataFrame
    left: list[object]
    moved: pd.DataFrame
    loss: float
    batch: UserBatch


def shifted(model: Model, batch: UserBatch, shifts: Sequence[tuple[Axis, float]]) -> UserBatch:
    """The same users, moved along the axes.

    Raises Unsupported for a model without vectors, SettingError for an amount beyond ±`FARTHEST`, and InputError for a
    user without ratings, who has no vector to move.
    """
    for axis, amount in merged(shifts):
        if not abs(amount) <= FARTHEST:
            raise SettingError(
                f"the amount along {quoted(axis.name)} must be from -{FARTHEST:g} to {FARTHEST:g}, not {amount:g}"
            )
    space = model.space
    assert batch.vectors is not None
    if (batch.origin == COLD).any():
        raise InputError("a user without ratings cannot be steered")
    vectors = batch.vectors.copy()
    lengths = np.linalg.norm(vectors[:, : space.n_factors], axis=1, keepdims=True)
    vectors[:, : space.n_factors] += lengths * _total(shifts, space.n_factors)
    return dataclasses.replace(batch, vectors=vectors)


def steer(
    model: Model,
    batch: UserBatch,
    shifts: Sequence[tuple[Axis, float]],
    k: int = 10,
    *,
    exclude_seen: bool = True,
    allowed: np.ndarray | None = None,
) -> Steered:
    """The list of one user, moved along axes, with the effect of each axis.

    shifts        axes with amounts; amounts along the same line are added
    k             length of the list
    exclude_seen  whether items that the user rated are excluded
    allowed       (n_items,) bool, the items that may be listed; default all

    Raises InputError for a batch of more than one user, and as `shifted` does.
    """
    if len(batch) != 1:
        raise InputError(f"steer takes one user, not {len(batch)}; `shifted` moves several")
    space, shifts = model.space, merged(shifts)
    moved_batch = shifted(model, batch, shifts)
    everything = recommend(model, batch, len(model.item_ids), exclude_seen=exclude_seen, allowed=allowed)
    table = recommend(model, moved_batch, k, exclude_seen=exclude_seen, allowed=allowed)
    before = everything.set_index("item_id")
    rows = space.item_rows(table["item_id"].to_numpy())
    assert batch.vectors is not None
    table["taste"] = before["score"].loc[table["item_id"]].to_numpy()
    table["rank_before"] = before["rank"].loc[table["item_id"]].to_numpy()
    length = float(np.linalg.norm(batch.vectors[0, : space.n_factors]))
    old_rows = space.item_rows(everything["item_id"].to_numpy()[:k])
    moved = []
    for axis, amount in shifts:
        table[f"gain: {axis.name}"] = length * amount * (space.item_factors[rows, : space.n_factors] @ axis.direction)
        positions = axis.positions(space)
        moved.append((axis.name, amount, _mean(positions[old_rows]), _mean(positions[rows])))
    old_taste = float(everything["score"].iloc[:k].mean()) if len(everything) else float("nan")
    return Steered(
        table,
        [item for item in everything["item_id"].iloc[:k] if item not in set(table["item_id"])],
        pd.DataFrame(moved, columns=["axis", "amount", "before", "after"]),
        float(1 - table["taste"].mean() / old_taste) if old_taste > 0 else float("nan"),
        moved_batch,
    )


def merged(shifts: Sequence[tuple[Axis, float]]) -> list[tuple[Axis, float]]:
    """The shifts with each line once: amounts along the same line, in either direction, are added."""
    lines: list[tuple[Axis, float]] = []
    for axis, amount in shifts:
        for at, (other, before) in enumerate(lines):
            cosine = float(axis.direction @ other.direction)
            if abs(cosine) > 1 - 1e-5:
                lines[at] = (other, before + float(np.sign(cosine)) * amount)
                break
        else:
            lines.append((axis, amount))
    return lines


def axis_called(name: str, space: EmbeddingSpace, attributes: Attributes, axes: Axes | None = None) -> Axis:
    """The axis with this name, flipped if `name` is its low end, so that the named end is the high one.

    Looked up in this order: the name of a discovered axis, the name or an end of an asked axis, a question as
    `question_of` parses it, which is then asked. Raises UnknownId when it is none of these.
    """
    wanted = BETWEEN.join(end.strip() for end in name.casefold().replace("<->", "↔").split("↔"))
    for axis in axes.discovered if axes is not None else ():
        if wanted == axis.name:
            return axis
    for axis in axes.asked if axes is not None else ():
        for oriented in (axis, axis.flipped()):
            if wanted in (oriented.name.casefold(), oriented.high.casefold()):
                return oriented
    try:
        question = question_of(name, attributes)
    except UnknownId as error:
        ends = [end for axis in (axes.asked if axes is not None else ()) for end in (axis.low, axis.high)]
        known = f" (ends: {', '.join(ends)})" if ends else ""
        raise UnknownId(f"{quoted(name)} is not an axis or an end of one{known}: {error}") from None
    from recsys.space.probes import ask  # loads scikit-learn

    return ask(space, attributes, question)


def parse_shift(
    text: str, space: EmbeddingSpace, attributes: Attributes, axes: Axes | None = None
) -> tuple[Axis, float]:
    """The axis and the amount in "children's=+1", "Horror=-0.5", "axis 3=2" or "Saw, Se7en <-> Babe=1".

    The text before the last = is a name for `axis_called`. Raises InputError when the text is not AXIS=AMOUNT or the
    axis is not in this space, and UnknownId as `axis_called` does.
    """
    name, equals, number = text.rpartition("=")
    name = name.strip()
    try:
        amount = float(number)
    except ValueError:
        amount = float("nan")
    if not equals or not name or not np.isfinite(amount):
        raise InputError(f'{quoted(text)} is not AXIS=AMOUNT, such as "children\'s=+1"')
    axis = axis_called(name, space, attributes, axes)
    if not axis.is_valid and isinstance(axis.evidence, ProbeEvidence):
        raise InputError(f"{quoted(name)} is not in this space: {axis.evidence.reason}")
    return axis, amount


def _total(shifts: Sequence[tuple[Axis, float]], n_factors: int) -> np.ndarray:
    total = np.zeros(n_factors, dtype=np.float32)
    for axis, amount in shifts:
        if len(axis.direction) != n_factors:
            raise InputError(f"axis {axis.name!r} has {len(axis.direction)} dimensions, this space has {n_factors}")
        total += np.float32(amount) * axis.direction
    return total


def _mean(values: np.ndarray) -> float:
    return float(np.nanmean(values)) if (~np.isnan(values)).any() else float("nan")
