"""Positions of items and genres along axes, and example items for an axis or a plane of two axes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.cluster.hierarchy import leaves_list, linkage, optimal_leaf_ordering
from scipy.spatial.distance import pdist

from recsys.dataset.attributes import Attributes
from recsys.space.axis import Axis
from recsys.space.embedding import EmbeddingSpace, well_known_items

MIN_MOVIES = 10
"""Well-known movies that a genre needs; the mean of fewer is unreliable."""
REACH = 2.0
"""Examples are chosen within this many standard deviations of the mean; few items are farther out."""


def share_below(values: np.ndarray, value: float) -> float:
    """The share of `values` (n,) that are smaller than `value`, 0 … 1, ignoring NaN; 0 when there are none."""
    known = values[~np.isnan(values)]
    return float((known < value).mean()) if len(known) else 0.0


def share_of_variance(space: EmbeddingSpace, attributes: Attributes, axis: Axis) -> float:
    """The share of the variance of the well-known items along an axis, 0 … 1. The axes of a rotation add up to 1.

    Asked axes are not perpendicular, so their shares overlap. Raises InputError when too few items are well known.
    """
    directions = space.item_directions[well_known_items(space, attributes)].astype(np.float64)
    total = directions.var(axis=0).sum()
    return float((directions @ axis.direction.astype(np.float64)).var() / total) if total > 0 else 0.0


def positions_along(space: EmbeddingSpace, axes: Sequence[Axis]) -> np.ndarray:
    """Positions of all items along each axis, (n_items, n_axes) float32, as `Axis.positions` for many axes at once.

    In standard deviations of the well-known items; NaN for an item with a zero vector.
    """
    directions = space.item_directions
    columns = np.array([axis.direction for axis in axes], dtype=np.float32).reshape(len(axes), space.n_factors)
    centres = np.array([axis.centre for axis in axes], dtype=np.float32)
    spreads = np.array([axis.spread for axis in axes], dtype=np.float32)
    positions: np.ndarray = (directions @ columns.T - centres) / spreads
    positions[~directions.any(axis=1)] = np.nan
    return positions


def item_positions(positions: np.ndarray, known: np.ndarray, row: int) -> pd.DataFrame:
    """Positions of one item along several axes, the most extreme first: columns axis, position, below.

    positions  (n_items, n_axes) as `positions_along` returns them
    known      (n_items,) bool, the items that it is compared with
    row        of the item

    axis       column in `positions`
    position   in standard deviations from the mean
    below      share of the known items that are nearer to the low end, 0 … 1

    Empty for an item with a zero vector.
    """
    found = [
        (at, float(position), share_below(positions[known, at], position))
        for at, position in enumerate(positions[row])
        if not np.isnan(position)
    ]
    table = pd.DataFrame(found, columns=["axis", "position", "below"])
    return table.sort_values("position", key=np.abs, ascending=False, kind="stable", ignore_index=True)


def genre_positions(
    space: EmbeddingSpace, attributes: Attributes, axes: Sequence[Axis]
) -> tuple[pd.DataFrame, pd.Series]:
    """The mean position of the well-known movies of each genre along each axis, and the number of these movies.

    Returns a table with one row per genre and one column per axis (its index in `axes`), float64 in standard
    deviations; and the number of movies of each genre, int64. Genres with fewer than `MIN_MOVIES` are left out. Rows
    and columns are ordered by similarity. Raises InputError when too few items are well known.
    """
    known = well_known_items(space, attributes)
    genres = attributes.of_kind("genre")
    carries = genres.carries[known].astype(np.float64)
    n = carries.sum(axis=0)
    enough = n >= MIN_MOVIES
    positions = positions_along(space, axes)[known].astype(np.float64)
    has_position = ~np.isnan(positions)
    with np.errstate(invalid="ignore"):
        means = (carries[:, enough].T @ np.where(has_position, positions, 0)) / (carries[:, enough].T @ has_position)
    names = [name for name, is_kept in zip(genres.names, enough, strict=True) if is_kept]
    table = pd.DataFrame(means, index=pd.Index(names, name="genre"), columns=range(len(axes)))
    return ordered_by_similarity(table), pd.Series(n[enough].astype(np.int64), index=table.index, name="movies")


def ordered_by_similarity(table: pd.DataFrame) -> pd.DataFrame:
    """The same table with rows and columns reordered so that similar ones are adjacent.

    Average linkage with optimal leaf ordering (Bar-Joseph, Gifford & Jaakkola 2001). The direction of an axis is
    arbitrary, so columns are compared by absolute values.
    """
    values = np.nan_to_num(table.to_numpy(dtype=np.float64))
    return table.iloc[_leaves(values), _leaves(np.abs(values.T))]


def _leaves(rows: np.ndarray) -> list[int]:
    if len(rows) < 3 or not rows.shape[1]:
        return list(range(len(rows)))
    distances = pdist(rows)
    leaves: list[int] = leaves_list(optimal_leaf_ordering(linkage(distances, "average"), distances)).tolist()
    return leaves


def examples_along(space: EmbeddingSpace, attributes: Attributes, axis: Axis, n: int = 9) -> np.ndarray:
    """Rows (int64) of at most n example items along an axis, from its low end to its high end.

    The range of `REACH` standard deviations around the mean is divided into n equal steps. Each step is represented by
    the most-rated item in its middle half, if there is one (without rating counts by the first): people recognise
    these, and their titles do not overlap.
    """
    positions = axis.positions(space)
    step = 2 * REACH / n
    found = []
    for middle in np.linspace(-REACH + step / 2, REACH - step / 2, n):
        rows = np.flatnonzero(np.abs(positions - middle) <= step / 4)  # never a NaN
        if len(rows):
            found.append(rows[np.argmax(attributes.n_ratings[rows])])
    return np.array(found, dtype=np.int64)


def examples_on_plane(
    space: EmbeddingSpace,
    attributes: Attributes,
    across: Axis,
    up: Axis,
    cells: tuple[int, int] = (3, 5),
    apart: tuple[float, float] = (1.6, 0.4),
) -> np.ndarray:
    """Rows (int64) of example items on the plane of two axes, at most one per cell, the most-rated first.

    cells  number of cells across and up, over `REACH` standard deviations on either side of the mean
    apart  least distance between two examples, across or up, so that their titles do not overlap
    """
    positions = np.column_stack([axis.positions(space) for axis in (across, up)])
    inside = (np.abs(positions) < REACH).all(axis=1)  # False for NaN
    steps = np.floor((positions[inside] + REACH) / (2 * REACH) * np.array(cells)).astype(np.int64)
    cell_of = np.full(len(positions), -1)
    cell_of[inside] = steps[:, 0] * cells[1] + steps[:, 1]
    found: list[int] = []
    taken: set[int] = set()
    for row in np.argsort(-attributes.n_ratings, kind="stable").tolist():
        if cell_of[row] in taken or cell_of[row] < 0:
            continue
        if all((np.abs(positions[row] - positions[other]) >= apart).any() for other in found):
            found.append(row)
            taken.add(int(cell_of[row]))
        if len(taken) == cells[0] * cells[1]:
            break
    return np.array(found, dtype=np.int64)
