"""Parse rows of plain numbers straight from the bytes of a block: integer ids, decimal ratings, times in seconds.

The quickest way to read a block. It takes only what every reader would understand in the same way; a block with
anything else (quotes, blanks, exponents, dates, ids that are text, "007", a missing value other than an empty time) is
left to the parsers that follow.
"""

from __future__ import annotations

import numba
import numpy as np
import pyarrow as pa

from recsys.dataset.interactions import NO_TIME
from recsys.ingest.layout import FileLayout
from recsys.ingest.validation import ID_ROLES, MAX_LINE_BYTES, ROLES, Role

_QUOTE, _DASH, _POINT, _ZERO, _NEWLINE, _RETURN = np.frombuffer(b'"-.0\n\r', dtype=np.uint8)
_TEN, _LONG = np.uint8(10), np.uint64(MAX_LINE_BYTES)
_SKIP = -1
_USER, _ITEM, _RATING, _TIME = range(4)
"""The positions of `ROLES`."""
_MOST_ID_DIGITS = 18
_MOST_DIGITS = 15
"""A decimal number of this many digits is a whole number below 2**53 divided by a power of ten: one rounding, as in
every correct parser."""
_POWERS = 10.0 ** np.arange(_MOST_DIGITS + 1)


def parse_plain_rows(text: bytes, n_lines: int, layout: FileLayout) -> dict[Role, pa.Array] | None:
    """Whole lines of text as columns: ids and times int64, ratings float64. None if any row is not plain.

    n_lines  number of lines; the last may have no line break
    """
    if any(layout.spelling[role] == "text" for role in ID_ROLES) or not layout.delimiter:
        return None
    if "time" in layout.roles and not layout.time_is_number:
        return None
    role_of = {name: ROLES.index(role) for role, name in layout.roles.items()}
    roles = np.array([role_of.get(name, _SKIP) for name in layout.names])
    columns: dict[Role, np.ndarray] = {
        role: np.empty(n_lines if role in layout.roles else 0, dtype=np.float64 if role == "rating" else np.int64)
        for role in ROLES
    }
    text = text if text.endswith(b"\n") else text + b"\n"
    delimiter = np.frombuffer(layout.delimiter.encode(), dtype=np.uint8)
    n_rows = _parse(
        np.frombuffer(text, dtype=np.uint8), delimiter[0], len(delimiter), roles, layout.is_csv, *columns.values()
    )
    if n_rows != n_lines:
        return None
    found = {role: pa.array(columns[role]) for role in layout.roles}
    if "time" in found:
        found["time"] = pa.array(columns["time"], mask=columns["time"] == NO_TIME)
    return found


def count_lines(text: bytes) -> int:
    """Number of line breaks in a text."""
    return int(_count(np.frombuffer(text, dtype=np.uint8)))


@numba.njit(cache=True, nogil=True)
def _count(text):  # type: ignore[no-untyped-def]
    n = 0
    for byte in text:
        n += byte == _NEWLINE
    return n


@numba.njit(cache=True, nogil=True)
def _parse(text, delimiter, width, roles, is_csv, users, items, ratings, times):  # type: ignore[no-untyped-def]
    """Fill the columns from text that ends with a line break; the number of rows, or −1 where a row is not plain.

    delimiter, width  its byte, and how many of them are one delimiter
    """
    at, row, last = np.uint64(0), 0, len(roles) - 1  # unsigned: no check for positions from the end
    end, step = np.uint64(len(text)), np.uint64(1)
    while at < end:
        start = at
        for column in range(last + 1):
            role = roles[column]
            if role == _SKIP:
                while text[at] != delimiter and text[at] != _NEWLINE and text[at] != _RETURN:
                    if is_csv and text[at] == _QUOTE:
                        return -1
                    at += step
            else:
                is_negative = text[at] == _DASH
                if is_negative:
                    at += step
                first, number = at, np.int64(0)
                digit = text[at] - _ZERO
                while digit < _TEN:  # unsigned: what comes before "0" is greater
                    number = number * 10 + np.int64(digit)
                    at += step
                    digit = text[at] - _ZERO
                n_digits = np.int64(at - first)
                if role in (_USER, _ITEM):
                    has_unusual_zero = text[first] - _ZERO == 0 and (n_digits > 1 or is_negative)
                    if n_digits == 0 or n_digits > _MOST_ID_DIGITS or has_unusual_zero:
                        return -1
                    if role == _USER:
                        users[row] = -number if is_negative else number
                    else:
                        items[row] = -number if is_negative else number
                elif role == _RATING:
                    n_decimals = np.int64(0)
                    if text[at] == _POINT:
                        at += step
                        first = at
                        digit = text[at] - _ZERO
                        while digit < _TEN:
                            number = number * 10 + np.int64(digit)
                            at += step
                            digit = text[at] - _ZERO
                        n_decimals = np.int64(at - first)
                        if n_decimals == 0:
                            return -1
                    if n_digits == 0 or n_digits + n_decimals > _MOST_DIGITS:
                        return -1
                    value = number / _POWERS[n_decimals]
                    ratings[row] = -value if is_negative else value
                else:
                    if n_digits > _MOST_DIGITS or is_negative:
                        return -1
                    times[row] = number if n_digits else NO_TIME
            if column < last:
                for _ in range(width):
                    if text[at] != delimiter:
                        return -1
                    at += step
        if text[at] == _RETURN:
            at += step
        if text[at] != _NEWLINE or at - start > _LONG:
            return -1
        at += step
        row += 1
    return row
