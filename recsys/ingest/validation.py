"""Row validation: which rows of a ratings table are usable, and the reason for rejecting each of the others.

Works on columns in memory and does no I/O. Every check looks at one row alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from recsys.dataset.interactions import NO_TIME
from recsys.dataset.origins import Spelling
from recsys.errors import SettingError
from recsys.ingest import ids
from recsys.ingest.ids import as_mask, is_missing

MAX_LINE_BYTES = 2**20
LATEST_TIME = 4_102_444_800
"""2100-01-01 in seconds. A later timestamp is in another unit, such as milliseconds, or wrong."""
SMALLEST_RATING, LARGEST_RATING = 1e-9, 1e9
"""The size of a rating that is not 0: within these limits float32 can hold squares and sums of ratings."""

MAX_TEXT = 200
"""At most this many characters of a rejected row are kept."""
MAX_TEXT_BYTES = 64 * 2**20
"""When the texts of rejected rows have taken this much memory, further ones are kept without their text."""

REJECTED = pa.schema([("file", pa.string()), ("line", pa.int64()), ("reason", pa.string()), ("text", pa.string())])
"""Columns of the table of rejected rows, as files hold it."""
_WORD = pa.dictionary(pa.int32(), pa.string())
REJECTED_IN_MEMORY = pa.schema([("file", _WORD), ("line", pa.int64()), ("reason", _WORD), ("text", pa.string())])
"""The same with repeated words stored once: 21 bytes a row and its text."""

Role = Literal["user", "item", "rating", "time"]
ROLES: tuple[Role, ...] = ("user", "item", "rating", "time")
ID_ROLES: tuple[Role, ...] = ("user", "item")
IdType = Literal["auto", "integer", "string"]


@dataclass(frozen=True)
class Validation:
    """Settings of row validation.

    scale  lowest and highest valid rating; None (the default) accepts every number that is 0 or 1e-9 to 1e9 in size
    ids    "string"; "integer" ("007" is 7); or "auto" (the default), decided for users and items separately: integer
           when more than half of the ids at the beginning of the data are whole numbers and none of them is written
           like "007"

    Raises SettingError for a scale that does not run from low to high or an unknown type of ids.
    """

    scale: tuple[float, float] | None = None
    ids: IdType = "auto"

    def __post_init__(self) -> None:
        if self.ids not in get_args(IdType):
            raise SettingError(f"unknown type of ids {self.ids!r}: use {', '.join(get_args(IdType))}")
        if self.scale is not None and not (len(self.scale) == 2 and self.scale[0] <= self.scale[1]):
            raise SettingError(f"the rating scale must be a lowest and a highest rating, not {self.scale!r}")


BLANK = -1  # an empty line is not counted as a row
OK, FIELDS, UTF8, LONG = 0, 1, 2, 3
USER_MISSING, USER_NOT_INTEGER, ITEM_MISSING, ITEM_NOT_INTEGER = 4, 5, 6, 7
RATING_MISSING, RATING_NOT_FINITE, RATING_OFF_SCALE, INVALID_TIMESTAMP = 8, 9, 10, 11
USER_UNUSUAL, ITEM_UNUSUAL, RATING_SIZE = 12, 13, 14

_ID_CODES = {
    "user": {ids.MISSING: USER_MISSING, ids.NOT_INTEGER: USER_NOT_INTEGER, ids.UNUSUAL_INTEGER: USER_UNUSUAL},
    "item": {ids.MISSING: ITEM_MISSING, ids.NOT_INTEGER: ITEM_NOT_INTEGER, ids.UNUSUAL_INTEGER: ITEM_UNUSUAL},
}


def rejection_reasons(validation: Validation) -> dict[int, str]:
    """The text of each reason code."""
    low, high = validation.scale or (-np.inf, np.inf)
    return {
        FIELDS: "wrong number of fields",
        UTF8: "id is not valid UTF-8",
        LONG: f"line is longer than {MAX_LINE_BYTES // 1024} KiB",
        USER_MISSING: "user id is missing",
        USER_NOT_INTEGER: "user id is not an integer",
        USER_UNUSUAL: "user id is an integer with leading zeros or a plus sign (--ids decides)",
        ITEM_MISSING: "item id is missing",
        ITEM_NOT_INTEGER: "item id is not an integer",
        ITEM_UNUSUAL: "item id is an integer with leading zeros or a plus sign (--ids decides)",
        RATING_MISSING: "rating is missing",
        RATING_NOT_FINITE: "rating is not a finite number",
        RATING_OFF_SCALE: f"rating is outside {low:g}:{high:g}",
        RATING_SIZE: f"rating is neither 0 nor {SMALLEST_RATING:g} to {LARGEST_RATING:g} in size",
        INVALID_TIMESTAMP: "invalid timestamp (neither a date nor seconds from 1970 to 2100)",
    }


@dataclass(frozen=True, eq=False)
class CheckedRows:
    """n rows after all checks; the values of rejected rows are undefined.

    users, items  (n,) dictionary arrays of int64 or string, each id once in the dictionary
    ratings       (n,) float32
    times         (n,) int64 seconds UTC, `NO_TIME` where missing
    reasons       (n,) int8, `OK` for usable rows
    """

    users: pa.DictionaryArray
    items: pa.DictionaryArray
    ratings: np.ndarray
    times: np.ndarray
    reasons: np.ndarray


def check_rows(
    columns: Mapping[Role, pa.Array],
    spelling: Mapping[Role, Spelling],
    validation: Validation,
    *,
    unquote: bool = False,
) -> CheckedRows:
    """Parse and check text columns of n rows.

    columns   string arrays, or dictionary arrays of strings, by role; rating and time may be absent
    spelling  how users and items are written
    unquote   whether a pair of quotes around a field is removed, as in text whose parser does not
    """
    n = len(columns["user"])
    reasons = np.zeros(n, dtype=np.int8)

    def mark(where: np.ndarray, code: int) -> None:
        reasons[(reasons == OK) & where] = code

    users, wrong_users = checked_ids(columns["user"], spelling["user"], unquote=unquote)
    items, wrong_items = checked_ids(columns["item"], spelling["item"], unquote=unquote)
    mark((wrong_users == ids.DAMAGED) | (wrong_items == ids.DAMAGED), UTF8)
    for role, wrong in (("user", wrong_users), ("item", wrong_items)):
        for code_of_id, code in _ID_CODES[role].items():
            mark(wrong == code_of_id, code)
    ratings = np.ones(n, dtype=np.float32)
    if "rating" in columns:
        values, positions = distinct_texts(columns["rating"], unquote=unquote)
        ratings = as_ratings(_parse_numbers(values))[positions]
        mark(is_missing(values)[positions], RATING_MISSING)
        mark(~np.isfinite(ratings), RATING_NOT_FINITE)
    times = np.full(n, NO_TIME, dtype=np.int64)
    if "time" in columns:
        values, positions = distinct_texts(columns["time"], unquote=unquote)
        times = parse_timestamps(values)[positions]
    mark(outside_scale(ratings, validation), RATING_OFF_SCALE)
    mark(unusual_size(ratings), RATING_SIZE)
    mark(invalid_timestamps(times), INVALID_TIMESTAMP)
    return CheckedRows(users, items, ratings, times, reasons)


def checked_ids(
    column: pa.Array, spelling: Spelling, *, unquote: bool = False
) -> tuple[pa.DictionaryArray, np.ndarray]:
    """A column of ids as text (n,), plain or as a dictionary → the ids as a dictionary array of int64 or string, each
    once, and what is wrong with each row's (n,): a code of `recsys.ingest.ids`."""
    values, positions = distinct_texts(column, unquote=unquote)
    parsed, wrong = ids.check_ids(values, spelling)
    coded = parsed.dictionary_encode()  # two spellings may be one id
    rows = coded.indices.to_numpy()[positions]
    return pa.DictionaryArray.from_arrays(pa.array(rows, pa.int32()), coded.dictionary), wrong[positions]


def distinct_texts(column: pa.Array, *, unquote: bool = False) -> tuple[pa.Array, np.ndarray]:
    """A column of text (n,), plain or as a dictionary → the clean texts that occur in it, and the position of each
    row's text in them (n,). Null becomes empty."""
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    texts, positions = column.dictionary, column.indices
    if positions.null_count or texts.null_count:
        positions = pc.fill_null(positions, len(texts))
        texts = pa.concat_arrays([pc.fill_null(texts, ""), pa.array([""], texts.type)])
    at = positions.to_numpy()
    if len(texts) > len(at):  # the dictionary of a whole file
        used, at = np.unique(at, return_inverse=True)
        texts = texts.take(pa.array(used))
    return ids.clean(texts, unquote=unquote), at


_NUMBER = r"^[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?$"
_LONGEST_NUMBER = 400


def _parse_numbers(texts: pa.Array) -> np.ndarray:
    """Clean texts as float64, NaN where they are not decimal numbers."""
    is_number = as_mask(
        pc.and_(pc.match_substring_regex(texts, _NUMBER), pc.less_equal(pc.binary_length(texts), _LONGEST_NUMBER))
    )
    numbers = np.full(len(texts), np.nan)
    numbers[is_number] = [float(text) for text in texts.filter(pa.array(is_number)).to_pylist()]
    return numbers


def as_ratings(numbers: np.ndarray) -> np.ndarray:
    """Numbers as float32; what is too large becomes infinite."""
    with np.errstate(over="ignore", invalid="ignore"):
        return numbers.astype(np.float32)


def parse_timestamps(texts: pa.Array) -> np.ndarray:
    """Clean texts as seconds since 1970 UTC, int64: numbers (fractions are cut off) or ISO 8601 dates.

    `NO_TIME` where the value is missing, −2 where it cannot be parsed.
    """
    seconds = _parse_numbers(texts)
    times = np.full(len(texts), -2, dtype=np.int64)
    valid = (seconds >= 0) & (seconds < LATEST_TIME)
    times[valid] = seconds[valid].astype(np.int64)
    is_date = np.isnan(seconds) & as_mask(pc.match_substring_regex(texts, r"^[0-9]{4}"))  # pandas also parses "now"
    if is_date.any():
        words = pd.Series(texts.filter(pa.array(is_date)).to_pylist(), dtype=object)
        dates = pd.to_datetime(words, errors="coerce", utc=True, format="ISO8601")
        known = dates.notna().to_numpy()
        stamps = dates[known].dt.as_unit("s").astype("int64").to_numpy()
        times[np.flatnonzero(is_date)[known]] = np.where(stamps < 0, -2, stamps)
    times[is_missing(texts)] = NO_TIME
    return times


def is_mostly_numbers(texts: pa.Array) -> bool:
    """Whether more than half of the clean texts that are not missing are numbers; True for none."""
    n_values = int((~is_missing(texts)).sum())
    return not n_values or int(np.isfinite(_parse_numbers(texts)).sum()) * 2 > n_values


def outside_scale(ratings: np.ndarray, validation: Validation) -> np.ndarray:
    """Mask of ratings outside the scale."""
    if validation.scale is None:
        return np.zeros(len(ratings), dtype=bool)
    low, high = np.array(validation.scale, dtype=np.float32)
    return np.asarray((ratings < low) | (ratings > high))


def unusual_size(ratings: np.ndarray) -> np.ndarray:
    """Mask of float32 ratings that are too large or too close to 0 to compute with."""
    size = np.abs(ratings)
    return np.asarray((size > np.float32(LARGEST_RATING)) | ((size < np.float32(SMALLEST_RATING)) & (size != 0)))


def invalid_timestamps(times: np.ndarray) -> np.ndarray:
    """Mask of timestamps that are present but not between 1970 and 2100."""
    return np.asarray(((times < 0) & (times != NO_TIME)) | (times >= LATEST_TIME))


def rejected_rows(file: str, lines: np.ndarray, codes: np.ndarray, texts: pa.Array, validation: Validation) -> pa.Table:
    """The table of rejected rows, with the schema `REJECTED_IN_MEMORY`.

    lines, codes  (n,) line numbers and reason codes
    texts         (n,) strings, which are cut to `MAX_TEXT` characters; null or empty: not known
    """
    words = rejection_reasons(validation)
    code_at = np.full(max(words) + 1, -1, dtype=np.int32)
    code_at[list(words)] = np.arange(len(words))
    shown = pc.utf8_slice_codeunits(texts, 0, MAX_TEXT)
    return rejected_table(
        file, lines, pa.array(code_at[codes]), list(words.values()), pc.if_else(pc.equal(shown, ""), None, shown)
    )


def rejected_table(file: str, lines: np.ndarray, positions: pa.Array, reasons: list[str], texts: pa.Array) -> pa.Table:
    """A table with the schema `REJECTED_IN_MEMORY`; `positions` says which of the `reasons` each row has."""
    return pa.table(
        [
            pa.DictionaryArray.from_arrays(pa.array(np.zeros(len(lines), dtype=np.int32)), pa.array([file])),
            pa.array(lines, pa.int64()),
            pa.DictionaryArray.from_arrays(positions.cast(pa.int32()), pa.array(reasons, pa.string())),
            texts,
        ],
        schema=REJECTED_IN_MEMORY,
    )


def reason_counts(rejected: pa.Table) -> dict[str, int]:
    """The number of rows of each reason, sorted by reason."""
    counts = pc.value_counts(rejected["reason"].unify_dictionaries()).to_pylist()
    return dict(sorted((count["values"], count["counts"]) for count in counts))
