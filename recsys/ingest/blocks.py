"""Block: a batch of validated rows, the unit in which readers hand over ratings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recsys.dataset.interactions import NO_TIME
from recsys.dataset.origins import Spelling
from recsys.ingest.ids import GOOD, usual_spelling
from recsys.ingest.layout import FileLayout
from recsys.ingest.validation import (
    ID_ROLES,
    LATEST_TIME,
    OK,
    REJECTED_IN_MEMORY,
    Role,
    Validation,
    as_ratings,
    check_rows,
    checked_ids,
    distinct_texts,
    invalid_timestamps,
    is_mostly_numbers,
    outside_scale,
    parse_timestamps,
    unusual_size,
)

SAMPLE_ROWS = 1000
"""The type of the ids is decided by this many rows at the beginning."""


class Block(NamedTuple):
    """Consecutive rows of a source: n usable ones as columns, the others as a table of rejected rows.

    users, items  (n,) dictionary arrays of int64 or string
    ratings       (n,) float32
    times         (n,) int64 seconds UTC, `NO_TIME` where missing
    lines         (n,) line numbers in a text file, row numbers in a table, from 1
    rejected      table with the schema `REJECTED_IN_MEMORY`
    bytes_read    bytes of the file read so far; 0 where unknown
    spelling      how its ids are written
    """

    users: pa.DictionaryArray
    items: pa.DictionaryArray
    ratings: np.ndarray
    times: np.ndarray
    lines: range | np.ndarray
    rejected: pa.Table
    bytes_read: int
    spelling: Mapping[Role, Spelling]


def typed_block(columns: Mapping[Role, pa.Array], layout: FileLayout, validation: Validation) -> Block | None:
    """Columns of n parsed rows as a block, lines counted from 0; None if any row is not usable.

    The fast path. A block that fails is parsed again from text by `checked_block`, which finds the reason of each row.

    columns  ids as dictionary arrays of text, or as int64; ratings as float64; times as float64 seconds, int64 seconds
             or text
    """
    coded = []
    for role in ID_ROLES:
        column = columns[role]
        if column.null_count:
            return None
        if column.type == pa.int64():
            coded.append(column.dictionary_encode())
        else:
            ids, wrong = checked_ids(column, layout.spelling[role], unquote=layout.unquote)
            if (wrong != GOOD).any():
                return None
            coded.append(ids)
    ratings = np.ones(len(columns["user"]), dtype=np.float32)
    if "rating" in columns:
        if columns["rating"].null_count:
            return None
        ratings = as_ratings(columns["rating"].to_numpy())
    times = np.full(len(ratings), NO_TIME, dtype=np.int64)
    if "time" in columns:
        column = columns["time"]
        if pa.types.is_floating(column.type) or pa.types.is_integer(column.type):
            seconds = pc.fill_null(column, 0).to_numpy()
            if not ((seconds >= 0) & (seconds < LATEST_TIME)).all():
                return None
            times = seconds.astype(np.int64)
            if column.null_count:
                times[column.is_null().to_numpy(zero_copy_only=False)] = NO_TIME
        else:
            texts, positions = distinct_texts(column, unquote=layout.unquote)
            times = parse_timestamps(texts)[positions]
    if (
        not np.isfinite(ratings).all()
        or outside_scale(ratings, validation).any()
        or unusual_size(ratings).any()
        or invalid_timestamps(times).any()
    ):
        return None
    return Block(
        coded[0],
        coded[1],
        ratings,
        times,
        range(len(ratings)),
        REJECTED_IN_MEMORY.empty_table(),
        0,
        layout.spelling,
    )


def checked_block(
    columns: Mapping[Role, pa.Array], layout: FileLayout, validation: Validation
) -> tuple[Block, np.ndarray]:
    """Text columns of n rows as a block of the usable ones, lines counted from 0, and the reason codes (n,)."""
    rows = check_rows(columns, layout.spelling, validation, unquote=layout.unquote)
    good = rows.reasons == OK
    keep = pa.array(good)
    block = Block(
        _used_only(rows.users.filter(keep)),
        _used_only(rows.items.filter(keep)),
        rows.ratings[good],
        rows.times[good],
        np.flatnonzero(good),
        REJECTED_IN_MEMORY.empty_table(),
        0,
        layout.spelling,
    )
    return block, rows.reasons


def with_types(
    layout: FileLayout,
    sample: Mapping[Role, pa.Array],
    validation: Validation,
    known: Mapping[Role, Spelling] | None = None,
) -> FileLayout:
    """The layout with the spelling of ids and times, decided by text columns of the first `SAMPLE_ROWS` rows.

    Only rows that are usable whatever the type of ids is decide, so that a bad row changes nothing.

    known  the spelling of ids where other files have decided it
    """
    fixed: dict[str, Spelling] = {"integer": "any", "string": "text"}
    spelling: dict[Role, Spelling] = dict(known or dict.fromkeys(ID_ROLES, fixed.get(validation.ids, "text")))
    if validation.ids == "auto" and known is None:
        as_text = replace(layout, spelling=spelling)
        block, _ = checked_block(sample, as_text, validation)
        if not len(block.ratings):  # none is usable: let the ids decide that are not missing
            block, _ = checked_block({role: sample[role] for role in ID_ROLES}, as_text, Validation())
        spelling = {
            "user": usual_spelling(block.users),
            "item": usual_spelling(block.items),
        }
    has_numbers = "time" in sample and is_mostly_numbers(distinct_texts(sample["time"], unquote=layout.unquote)[0])
    return replace(layout, spelling=spelling, time_is_number=has_numbers)


def single_array(column: pa.ChunkedArray) -> pa.Array:
    """A column as one array."""
    return column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)


def _used_only(column: pa.DictionaryArray) -> pa.DictionaryArray:
    """The column without the values of its dictionary that no row has."""
    used, positions = np.unique(column.indices.to_numpy(), return_inverse=True)
    values = column.dictionary.take(pa.array(used))
    return pa.DictionaryArray.from_arrays(pa.array(positions.astype(np.int32)), values)
