"""Row validation: which rows of a ratings table are usable, and the reason for rejecting each of the others.

Works on columns in memory and does no I/O. Every check looks at one row alone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from recsys.dataset.interactions import NO_TIME
from recsys.errors import SettingError

MAX_LINE_BYTES = 2**20
LATEST_TIME = 4_102_444_800
"""2100-01-01 in seconds. A later timestamp is in another unit, such as milliseconds, or wrong."""

REJECTED = pa.schema([("file", pa.string()), ("line", pa.int64()), ("reason", pa.string()), ("text", pa.string())])
"""Columns of the table of rejected rows."""

MISSING_WORDS = ("", "nan", "null", "none", "na", "n/a", "<na>", "\\n")

Role = Literal["user", "item", "rating", "time"]
ROLES: tuple[Role, ...] = ("user", "item", "rating", "time")
ID_ROLES: tuple[Role, ...] = ("user", "item")
IdType = Literal["auto", "integer", "string"]


@dataclass(frozen=True)
class Validation:
    """Settings of row validation.

    scale  lowest and highest valid rating; None (the default) accepts every finite number
    ids    "integer", "string" or "auto" (the default): integer when more than half of the ids at the beginning of the
           data are whole numbers, decided for users and items separately

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


def rejection_reasons(validation: Validation) -> dict[int, str]:
    """The text of each reason code."""
    low, high = validation.scale or (-np.inf, np.inf)
    return {
        FIELDS: "wrong number of fields",
        UTF8: "id is not valid UTF-8",
        LONG: f"line is longer than {MAX_LINE_BYTES // 1024} KiB",
        USER_MISSING: "user id is missing",
        USER_NOT_INTEGER: "user id is not an integer",
        ITEM_MISSING: "item id is missing",
        ITEM_NOT_INTEGER: "item id is not an integer",
        RATING_MISSING: "rating is missing",
        RATING_NOT_FINITE: "rating is not a finite number",
        RATING_OFF_SCALE: f"rating is outside {low:g}:{high:g}",
        INVALID_TIMESTAMP: "invalid timestamp (neither a date nor seconds from 1970 to 2100)",
    }


def check_rows(
    columns: dict[Role, pa.Array], integer: frozenset[Role], validation: Validation
) -> tuple[pa.Array, pa.Array, np.ndarray, np.ndarray, np.ndarray]:
    """Parse and check text columns of n rows.

    columns  string arrays by role; rating and time may be absent
    integer  the roles whose ids must be whole numbers

    Returns users and items (int64 or string arrays), ratings (float32), times (int64 seconds, `NO_TIME` where missing)
    and reasons (int8, `OK` for usable rows), all of length n. Values of rejected rows are undefined.
    """
    n = len(columns["user"])
    reason = np.zeros(n, dtype=np.int8)

    def mark(where: np.ndarray, code: int) -> None:
        reason[(reason == 0) & where] = code

    damaged = np.zeros(n, dtype=bool)
    for role in ID_ROLES:
        damaged |= as_mask(pc.match_substring(columns[role], "\ufffd"))
    mark(damaged, UTF8)
    ids = []
    for role, missing, wrong in (("user", USER_MISSING, USER_NOT_INTEGER), ("item", ITEM_MISSING, ITEM_NOT_INTEGER)):
        column = columns[role]
        mark(is_missing(column), missing)
        if role in integer:
            parsed, good = parse_integers(column)
            mark(~good, wrong)
        else:
            parsed = pc.utf8_trim_whitespace(column)
        ids.append(parsed)
    rating, time = columns.get("rating"), columns.get("time")
    if rating is None:
        ratings = np.ones(n, dtype=np.float32)
    else:
        values = pd.to_numeric(pd.Series(rating.to_numpy(zero_copy_only=False), dtype=object), errors="coerce")
        with np.errstate(over="ignore"):
            ratings = values.to_numpy(np.float64).astype(np.float32)
        mark(is_missing(rating), RATING_MISSING)
        mark(~np.isfinite(ratings), RATING_NOT_FINITE)
    times = np.full(n, NO_TIME, dtype=np.int64) if time is None else parse_timestamps(time)
    mark(outside_scale(ratings, validation), RATING_OFF_SCALE)
    mark(invalid_timestamps(times), INVALID_TIMESTAMP)
    return ids[0], ids[1], ratings, times, reason


INTEGER = re.compile(r"[+-]?\d{1,18}(?:\.0*)?")


def parse_integers(column: pa.Array) -> tuple[pa.Array, np.ndarray]:
    """Text → int64 array (0 where it is not a whole number) and a mask of whole numbers.

    "7.0" is accepted as 7: pandas writes integer columns with missing values that way.
    """
    good = pc.fill_null(pc.match_substring_regex(column, rf"^\s*{INTEGER.pattern}\s*$"), False)
    digits = pc.replace_substring_regex(pc.utf8_trim_whitespace(column), r"\.0*$", "")
    digits = pc.utf8_ltrim(digits, "+")
    return pc.if_else(good, digits, "0").cast(pa.int64()), as_mask(good)


def parse_timestamps(column: pa.Array) -> np.ndarray:
    """Seconds since 1970 UTC, int64, from numbers (fractions are cut off) or ISO 8601 dates.

    `NO_TIME` where the value is missing, −2 where it cannot be parsed.
    """
    values = pd.Series(column.to_numpy(zero_copy_only=False), dtype=object)
    seconds = pd.to_numeric(values, errors="coerce").to_numpy(np.float64)
    times = np.full(len(values), -2, dtype=np.int64)
    number = np.isfinite(seconds) & (seconds >= 0) & (seconds < LATEST_TIME)
    times[number] = seconds[number].astype(np.int64)
    text = ~np.isfinite(seconds) & ~is_missing(column)
    if text.any():
        dates = pd.to_datetime(values[text], errors="coerce", utc=True, format="ISO8601")
        known = dates.notna().to_numpy()
        stamps = dates[known].dt.as_unit("s").astype("int64").to_numpy()
        times[np.flatnonzero(text)[known]] = np.where(stamps < 0, -2, stamps)
    times[is_missing(column)] = NO_TIME
    return times


def is_missing(column: pa.Array) -> np.ndarray:
    """Mask of values that are empty or one of `MISSING_WORDS`."""
    words = pc.utf8_lower(pc.utf8_trim_whitespace(column))
    return as_mask(pc.is_in(words, value_set=pa.array(MISSING_WORDS)))


def needs_cleaning(column: pa.Array) -> bool:
    """Whether any string id has surrounding blanks or means "missing"."""
    return bool(pc.any(pc.match_substring_regex(column, r"^\s|\s$")).as_py()) or bool(is_missing(column).any())


def outside_scale(ratings: np.ndarray, validation: Validation) -> np.ndarray:
    """Mask of ratings outside the scale."""
    if validation.scale is None:
        return np.zeros(len(ratings), dtype=bool)
    low, high = np.array(validation.scale, dtype=np.float32)
    return np.asarray((ratings < low) | (ratings > high))


def invalid_timestamps(times: np.ndarray) -> np.ndarray:
    """Mask of timestamps that are present but not between 1970 and 2100."""
    return np.asarray(((times < 0) & (times != NO_TIME)) | (times >= LATEST_TIME))


def as_mask(column: pa.Array) -> np.ndarray:
    """A Boolean Arrow array as a NumPy mask; null becomes False."""
    return np.asarray(pc.fill_null(column, False).to_numpy(zero_copy_only=False), dtype=bool)
