"""What makes a row of a rating file usable, and what is said of one that is not. Knows no files, only columns."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from recsys.dataset.interactions import NO_TIME

MAX_LINE_BYTES = 2**20
LATEST_TIME = 4_102_444_800
"""2100-01-01 in seconds: a later time is a number in another unit, or a mistake."""

REJECTED = pa.schema([("file", pa.string()), ("line", pa.int64()), ("reason", pa.string()), ("text", pa.string())])

MISSING_WORDS = ("", "nan", "null", "none", "na", "n/a", "<na>", "\\n")

Role = Literal["user", "item", "rating", "time"]
ROLES: tuple[Role, ...] = ("user", "item", "rating", "time")
ID_ROLES: tuple[Role, ...] = ("user", "item")


@dataclass(frozen=True)
class Rules:
    """What makes a single row usable.

    scale  lowest and highest rating allowed; None allows every finite number
    ids    integer, string, or auto: integer when most ids in the first block are whole numbers
    """

    scale: tuple[float, float] | None = None
    ids: Literal["auto", "integer", "string"] = "auto"


BLANK = -1  # an empty line is no row: neither used nor rejected
OK, FIELDS, UTF8, LONG = 0, 1, 2, 3
USER_MISSING, USER_NOT_INTEGER, ITEM_MISSING, ITEM_NOT_INTEGER = 4, 5, 6, 7
RATING_MISSING, RATING_NOT_FINITE, RATING_OFF_SCALE, TIME_SENSELESS = 8, 9, 10, 11


def reasons(rules: Rules) -> dict[int, str]:
    """Reason numbers → words."""
    low, high = rules.scale or (-np.inf, np.inf)
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
        TIME_SENSELESS: "time makes no sense (not a date or seconds from 1970 to 2100)",
    }


def check_rows(
    columns: dict[Role, pa.Array], integer: frozenset[Role], rules: Rules
) -> tuple[pa.Array, pa.Array, np.ndarray, np.ndarray, np.ndarray]:
    """Text columns → users, items, ratings, times, and for each row the reason it can't be used (`OK`: it can).

    Rows keep their number; what a bad row's values became means nothing. `integer` names the ids that are integers.
    """
    n = len(columns["user"])
    reason = np.zeros(n, dtype=np.int8)

    def mark(where: np.ndarray, code: int) -> None:
        reason[(reason == 0) & where] = code

    damaged = np.zeros(n, dtype=bool)
    for role in ID_ROLES:
        damaged |= bools(pc.match_substring(columns[role], "\ufffd"))
    mark(damaged, UTF8)
    ids = []
    for role, missing, wrong in (("user", USER_MISSING, USER_NOT_INTEGER), ("item", ITEM_MISSING, ITEM_NOT_INTEGER)):
        column = columns[role]
        mark(is_missing(column), missing)
        if role in integer:
            typed, good = integers(column)
            mark(~good, wrong)
        else:
            typed = pc.utf8_trim_whitespace(column)
        ids.append(typed)
    rating, time = columns.get("rating"), columns.get("time")
    if rating is None:
        ratings = np.ones(n, dtype=np.float32)
    else:
        values = pd.to_numeric(pd.Series(rating.to_numpy(zero_copy_only=False), dtype=object), errors="coerce")
        with np.errstate(over="ignore"):
            ratings = values.to_numpy(np.float64).astype(np.float32)
        mark(is_missing(rating), RATING_MISSING)
        mark(~np.isfinite(ratings), RATING_NOT_FINITE)
    times = np.full(n, NO_TIME, dtype=np.int64) if time is None else parse_times(time)
    mark(off_scale(ratings, rules), RATING_OFF_SCALE)
    mark(senseless(times), TIME_SENSELESS)
    return ids[0], ids[1], ratings, times, reason


INTEGER = re.compile(r"[+-]?\d{1,18}(?:\.0*)?")


def integers(column: pa.Array) -> tuple[pa.Array, np.ndarray]:
    """Text → int64 (0 where it is none) and which were whole numbers; "7.0" is 7, as pandas writes it."""
    good = pc.fill_null(pc.match_substring_regex(column, rf"^\s*{INTEGER.pattern}\s*$"), False)
    digits = pc.replace_substring_regex(pc.utf8_trim_whitespace(column), r"\.0*$", "")
    digits = pc.utf8_ltrim(digits, "+")
    return pc.if_else(good, digits, "0").cast(pa.int64()), bools(good)


def parse_times(column: pa.Array) -> np.ndarray:
    """Seconds since 1970, UTC, from whole or broken numbers or ISO 8601 dates; what can't be read becomes −2."""
    values = pd.Series(column.to_numpy(zero_copy_only=False), dtype=object)
    seconds = pd.to_numeric(values, errors="coerce").to_numpy(np.float64)
    times = np.full(len(values), -2, dtype=np.int64)
    number = np.isfinite(seconds) & (seconds >= 0) & (seconds < LATEST_TIME)
    times[number] = seconds[number].astype(np.int64)
    worded = ~np.isfinite(seconds) & ~is_missing(column)
    if worded.any():
        dates = pd.to_datetime(values[worded], errors="coerce", utc=True, format="ISO8601")
        known = dates.notna().to_numpy()
        stamps = dates[known].dt.as_unit("s").astype("int64").to_numpy()
        times[np.flatnonzero(worded)[known]] = np.where(stamps < 0, -2, stamps)
    times[is_missing(column)] = NO_TIME
    return times


def is_missing(column: pa.Array) -> np.ndarray:
    """Which values are empty or a word for nothing."""
    words = pc.utf8_lower(pc.utf8_trim_whitespace(column))
    return bools(pc.is_in(words, value_set=pa.array(MISSING_WORDS)))


def untidy(column: pa.Array) -> bool:
    """Whether string ids need the thorough way: blanks around them, or words that mean missing."""
    return bool(pc.any(pc.match_substring_regex(column, r"^\s|\s$")).as_py()) or bool(is_missing(column).any())


def off_scale(ratings: np.ndarray, rules: Rules) -> np.ndarray:
    """Which ratings are outside the scale."""
    if rules.scale is None:
        return np.zeros(len(ratings), dtype=bool)
    low, high = np.array(rules.scale, dtype=np.float32)
    return (ratings < low) | (ratings > high)


def senseless(times: np.ndarray) -> np.ndarray:
    """Which times, where there is one, are no seconds between 1970 and 2100."""
    return ((times < 0) & (times != NO_TIME)) | (times >= LATEST_TIME)


def bools(column: pa.Array) -> np.ndarray:
    """A mask as NumPy has it; null is False."""
    return np.asarray(pc.fill_null(column, False).to_numpy(zero_copy_only=False), dtype=bool)
