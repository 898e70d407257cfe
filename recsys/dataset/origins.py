"""Origins: where each rating of prepared data was read, and the usable rows that are not in the matrix.

With the ratings themselves this is all that adding further files needs, without reading the first ones again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa

from recsys.dataset.catalog import Catalog

Spelling = Literal["text", "canonical", "any"]
"""How ids are written: text, integers in their usual spelling ("7", "7.0"), or integers in any spelling ("007")."""


@dataclass(frozen=True, eq=False)
class Origins:
    """The origins of a dataset's ratings.

    files       names of the files that were read, in order
    first_rows  for each file a number (ascending): a row's position is that number plus its line
    positions   parts that together give the position of each rating, in the order of the matrix
    unused      table of usable rows that are not in the matrix: user_id, item_id, rating, timestamp (−1: missing),
                position, and whether a later rating of the same pair replaced it (otherwise: too few ratings)
    spellings   how the ids of users and of items are written in files: "text", "canonical" or "any"
    ids         the setting that decided this
    text_bytes  bytes of the texts of rejected rows, up to now
    described   the catalog as it was read, with items that were not rated; None: no table of items was read
    """

    files: tuple[str, ...]
    first_rows: tuple[int, ...]
    positions: Sequence[range | np.ndarray]
    unused: pa.Table
    spellings: tuple[Spelling, Spelling]
    ids: Literal["auto", "integer", "string"]
    text_bytes: int
    described: Catalog | None


def located(positions: np.ndarray, first_rows: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """Positions (n,) as numbers of files and lines, int32 and int64; see `Origins.first_rows`."""
    starts = np.array(first_rows, dtype=np.int64)
    files = (np.searchsorted(starts, positions, side="left") - 1).astype(np.int32)  # lines count from 1
    return files, np.asarray(positions, dtype=np.int64) - starts[files]
