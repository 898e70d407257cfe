"""Split a score exactly over the discovered axes."""

from __future__ import annotations

import numpy as np
import pandas as pd

from recsys.errors import Unsupported
from recsys.space.axis import Axes
from recsys.space.embedding import EmbeddingSpace


def split_by_axes(space: EmbeddingSpace, axes: Axes, user_vector: np.ndarray, item_rows: np.ndarray) -> pd.DataFrame:
    """The exact split of one user's scores over the discovered axes.

    user_vector  (d,) of this space
    item_rows    (m,) rows of the scored items

    Returns float64, one row per axis (indexed by name), one column per item row; each column sums to the score. For
    the columns r_j of a rotation x·y = Σ_j (x·r_j)(r_j·y): the user's coordinate along an axis times the item's. The
    contribution of the bias is the last row, "popularity". Raises Unsupported unless the axes are a rotation.
    """
    rotation = axes.rotation
    if rotation is None:
        raise Unsupported(f"axes made by {axes.method!r} are not at right angles and cannot split a score; use varimax")
    d = space.n_factors
    items = space.item_factors[item_rows].astype(np.float64)
    user = np.asarray(user_vector, dtype=np.float64).ravel()
    shares = (user[:d] @ rotation)[:, None] * (items[:, :d] @ rotation).T
    names = [axis.name for axis in axes.discovered]
    if space.has_bias:
        shares = np.vstack([shares, user[d] * items[:, d]])
        names.append("popularity")
    return pd.DataFrame(shares, index=pd.Index(names, name="axis"), columns=item_rows)
