"""Block: a batch of validated rows, the unit in which readers hand over ratings."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recsys.dataset.interactions import NO_TIME
from recsys.ingest.layout import FileLayout
from recsys.ingest.validation import (
    OK,
    REJECTED,
    Role,
    Validation,
    as_mask,
    check_rows,
    invalid_timestamps,
    needs_cleaning,
    outside_scale,
    parse_timestamps,
    rejection_reasons,
)


class Block(NamedTuple):
    """Consecutive rows of a source: n usable ones as columns, the others as a table of rejected rows.

    users, items  (n,) int64 or string arrays; dictionary arrays once `encoded`
    ratings       (n,) float32
    times         (n,) int64 seconds UTC, `NO_TIME` where missing
    lines         (n,) line numbers in a text file, row numbers in a table, from 1
    rejected      table with the schema `REJECTED`
    bytes_read    bytes of the file read so far; 0 where unknown
    """

    users: pa.Array
    items: pa.Array
    ratings: np.ndarray
    times: np.ndarray
    lines: range | np.ndarray
    rejected: pa.Table
    bytes_read: int

    def encoded(self) -> Block:
        """With ids as codes into the block's own distinct ids, which halves the memory."""
        return self._replace(users=self.users.dictionary_encode(), items=self.items.dictionary_encode())


def typed_block(columns: dict[Role, pa.Array], layout: FileLayout, validation: Validation) -> Block | None:
    """Columns that already have their final types as a block, lines counted from 0; None if any row is not usable.

    The fast path. A block that fails is parsed again from text by `checked_block`, which finds the reason of each row.
    """
    user, item = columns["user"], columns["item"]
    if user.null_count or item.null_count:
        return None
    if ("user" not in layout.integer and needs_cleaning(user)) or (
        "item" not in layout.integer and needs_cleaning(item)
    ):
        return None
    ratings = np.ones(len(user), dtype=np.float32)
    if "rating" in columns:
        if columns["rating"].null_count:
            return None
        ratings = columns["rating"].to_numpy()
    times = np.full(len(user), NO_TIME, dtype=np.int64)
    if "time" in columns:
        column = columns["time"]
        if "time" in layout.integer:
            times = pc.fill_null(column, int(NO_TIME)).to_numpy()
            if (times[as_mask(column.is_valid())] < 0).any():
                return None
        else:
            times = parse_timestamps(pc.fill_null(column, ""))
    if not np.isfinite(ratings).all() or outside_scale(ratings, validation).any() or invalid_timestamps(times).any():
        return None
    return Block(user, item, ratings, times, range(len(user)), REJECTED.empty_table(), 0)


def checked_block(
    columns: dict[Role, pa.Array], layout: FileLayout, validation: Validation
) -> tuple[Block, np.ndarray]:
    """Text columns of n rows as a block of the usable ones, lines counted from 0, and the reason codes (n,)."""
    users, items, ratings, times, reasons = check_rows(columns, layout.integer, validation)
    good = reasons == OK
    keep = pa.array(good)
    block = Block(
        users.filter(keep),
        items.filter(keep),
        ratings[good],
        times[good],
        np.flatnonzero(good),
        REJECTED.empty_table(),
        0,
    )
    return block, reasons


def rejected_rows(
    file: str, lines: np.ndarray, codes: np.ndarray, texts: list[str | None] | pa.Array, validation: Validation
) -> pa.Table:
    """The table of rejected rows with these line numbers, reason codes and texts."""
    words = rejection_reasons(validation)
    return pa.table([[file] * len(lines), lines, [words[code] for code in codes], texts], schema=REJECTED)


def single_array(column: pa.ChunkedArray) -> pa.Array:
    """A column as one array."""
    return column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
