"""Where one movie, and the movies of each genre, lie along the axes; which movies show best what an axis says; and
what added dimensions bring.

Knows no files and no screen.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.cluster.hierarchy import leaves_list, linkage, optimal_leaf_ordering
from scipy.spatial.distance import pdist

from recsys.dataset.attributes import Attributes
from recsys.space.axis import Axis
from recsys.space.embedding import EmbeddingSpace, well_known_items

FEWEST = 10
"""Well-known movies that a genre needs: the mean of fewer says little."""
REACH = 2.0
"""Standard deviations from the middle up to which movies stand for an axis: few are farther out."""


def share_below(values: np.ndarray, value: float) -> float:
    """The share of `values` (n,) that are smaller than `value`, 0 … 1; NaN among them are left out, of none it is 0."""
    known = values[~np.isnan(values)]
    return float((known < value).mean()) if len(known) else 0.0


def share_of_variance(space: EmbeddingSpace, attributes: Attributes, axis: Axis) -> float:
    """The share of the well-known items' variance that lies along an axis, 0 … 1; of all axes of a rotation together 1.

    Asked-for axes are not at right angles: their shares overlap. Raises Unsupported, and InputError where fewer than
    fifty items are well known.
    """
    directions = space.item_directions[well_known_items(space, attributes)].astype(np.float64)
    total = directions.var(axis=0).sum()
    return float((directions @ axis.direction.astype(np.float64)).var() / total) if total > 0 else 0.0


def positions_along(space: EmbeddingSpace, axes: Sequence[Axis]) -> np.ndarray:
    """Where all items lie along each axis, (n_items, n_axes) float32 in standard deviations of the well-known ones; NaN
    for an item without a vector. As `Axis.positions`, for many axes at once. Raises Unsupported."""
    directions = space.item_directions
    turned = np.array([axis.direction for axis in axes], dtype=np.float32).reshape(len(axes), space.n_factors)
    middles = np.array([axis.centre for axis in axes], dtype=np.float32)
    spreads = np.array([axis.spread for axis in axes], dtype=np.float32)
    positions = (directions @ turned.T - middles) / spreads
    positions[~directions.any(axis=1)] = np.nan
    return positions


def places_of(positions: np.ndarray, known: np.ndarray, row: int) -> pd.DataFrame:
    """Where one item lies: columns axis (its column in `positions`), position, below; the farthest out first.

    positions  of all items along some axes, as `positions_along` gives them
    known      bool mask of the items that it is held against
    position   standard deviations from the middle
    below      the share of the known items that lie nearer to the low end, 0 … 1

    Empty for an item without a vector.
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
    """The mean position of each genre's well-known movies along each axis, and how many movies these are.

    Returns a table, one row a genre, one column an axis (its place in `axes`), float64 in standard deviations of the
    well-known items; and the number of movies of each genre, int64. Genres with fewer than `FEWEST` are left out. Rows
    and columns stand so that like ones are neighbours. Raises Unsupported, and InputError where fewer than fifty
    items are well known.
    """
    known = well_known_items(space, attributes)
    genres = attributes.of_kind("genre")
    carries = genres.carries[known].astype(np.float64)
    n = carries.sum(axis=0)
    enough = n >= FEWEST
    positions = positions_along(space, axes)[known].astype(np.float64)
    there = ~np.isnan(positions)
    with np.errstate(invalid="ignore"):
        means = (carries[:, enough].T @ np.where(there, positions, 0)) / (carries[:, enough].T @ there)
    names = [name for name, is_kept in zip(genres.names, enough, strict=True) if is_kept]
    table = pd.DataFrame(means, index=pd.Index(names, name="genre"), columns=range(len(axes)))
    return in_blocks(table), pd.Series(n[enough].astype(np.int64), index=table.index, name="movies")


def in_blocks(table: pd.DataFrame) -> pd.DataFrame:
    """The same table, rows and columns ordered so that like ones are neighbours.

    Average linkage, its leaves ordered to lie as near to their neighbours as they can (Bar-Joseph, Gifford & Jaakkola
    2001). A direction of an axis is a matter of taste, so columns are compared by what they say, whatever the sign.
    """
    values = np.nan_to_num(table.to_numpy(dtype=np.float64))
    return table.iloc[_leaves(values), _leaves(np.abs(values.T))]


def _leaves(rows: np.ndarray) -> list[int]:
    if len(rows) < 3 or not rows.shape[1]:
        return list(range(len(rows)))
    apart = pdist(rows)
    return leaves_list(optimal_leaf_ordering(linkage(apart, "average"), apart)).tolist()


def along(space: EmbeddingSpace, attributes: Attributes, axis: Axis, n: int = 9) -> np.ndarray:
    """Rows of at most n items that show what an axis says, int64, from its low end to its high end.

    The line is cut into n equal steps between `REACH` standard deviations on either side; for each step the best-known
    item in its middle half stands, if there is one: a line that people can read needs movies that they have seen, and
    room between them.
    """
    positions = axis.positions(space)
    step = 2 * REACH / n
    found = []
    for middle in np.linspace(-REACH + step / 2, REACH - step / 2, n):
        rows = np.flatnonzero(np.abs(positions - middle) <= step / 4)  # NaN is near nothing
        if len(rows):
            found.append(rows[np.argmax(attributes.n_ratings[rows])])
    return np.array(found, dtype=np.int64)


def spread_over(
    space: EmbeddingSpace,
    attributes: Attributes,
    across: Axis,
    up: Axis,
    cells: tuple[int, int] = (3, 5),
    apart: tuple[float, float] = (1.6, 0.4),
) -> np.ndarray:
    """Rows of at most one item a cell that show what a plane of two axes says, int64, the best known first.

    The plane is cut into `cells`, across and up, between `REACH` standard deviations on either side. In each the
    best-known item stands that keeps its distance, across or up, from those that stand already: room for its title.
    """
    places = np.column_stack([axis.positions(space) for axis in (across, up)])
    inside = (np.abs(places) < REACH).all(axis=1)  # NaN is not
    steps = np.floor((places[inside] + REACH) / (2 * REACH) * np.array(cells)).astype(np.int64)
    cell_of = np.full(len(places), -1)
    cell_of[inside] = steps[:, 0] * cells[1] + steps[:, 1]
    found: list[int] = []
    taken: set[int] = set()
    for row in np.argsort(-attributes.n_ratings, kind="stable").tolist():
        if cell_of[row] in taken or cell_of[row] < 0:
            continue
        if all((np.abs(places[row] - places[other]) >= apart).any() for other in found):
            found.append(row)
            taken.add(int(cell_of[row]))
        if len(taken) == cells[0] * cells[1]:
            break
    return np.array(found, dtype=np.int64)
