"""What an id is: the one definition of trimming, quoting, missing words and the spelling of integers.

Every reader uses it: ratings on the fast and on the thorough path, tables of items, lists of users, values, vectors.

    trimming   Unicode white space around an id does not belong to it
    quoting    a comma or a semicolon separates fields as RFC 4180 says, and its parser removes the quotes. In text with
               another delimiter one pair of quotes around a whole field is removed, and `""` inside stands for `"`
    missing    an empty id and `MISSING_WORDS`, without regard to case
    damaged    an id with U+FFFD, which stands for bytes that were not valid UTF-8: different ids may look the same
    integers   "7" and "7.0" (as pandas writes a column with gaps) are 7. Other spellings ("007", "+7", "-0") are 7 only
               where the user asks for integers; otherwise they could merge ids that the source tells apart
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recsys.dataset.origins import Spelling

MISSING_WORDS = ("", "nan", "null", "none", "na", "n/a", "<na>", "\\n")

GOOD, DAMAGED, MISSING, NOT_INTEGER, UNUSUAL_INTEGER = range(5)
"""What `check_ids` says of an id."""

_ANY_INTEGER = r"[+-]?[0-9]+(?:\.0*)?"
_CANONICAL_INTEGER = r"(?:0|-?[1-9][0-9]*)(?:\.0*)?"
_QUOTED = r'(?s)^"(?:[^"]|"")*"$'


def clean(column: pa.Array, *, unquote: bool = False) -> pa.Array:
    """Text fields (n,) without surrounding white space and, with `unquote`, without one pair of surrounding quotes."""
    column = pc.utf8_trim_whitespace(column)
    if unquote:
        quoted = pc.match_substring_regex(column, _QUOTED)
        if pc.any(quoted).as_py():
            inside = pc.replace_substring(pc.utf8_slice_codeunits(column, 1, -1), '""', '"')
            column = pc.if_else(quoted, pc.utf8_trim_whitespace(inside), column)
    return column


def is_missing(column: pa.Array) -> np.ndarray:
    """Mask (n,) of clean texts that are empty or one of `MISSING_WORDS`."""
    return as_mask(pc.is_in(pc.utf8_lower(column), value_set=pa.array(MISSING_WORDS)))


def check_ids(column: pa.Array, spelling: Spelling) -> tuple[pa.Array, np.ndarray]:
    """Clean texts (n,) without nulls → ids (n,) int64 or string, and what is wrong with each (int8, `GOOD` if nothing).

    The id of a text that is not good is undefined.
    """
    wrong = np.zeros(len(column), dtype=np.int8)
    ids = column
    if spelling != "text":
        ids, is_integer, is_canonical = parse_integers(column)
        wrong[~is_integer] = NOT_INTEGER
        if spelling == "canonical":
            wrong[is_integer & ~is_canonical] = UNUSUAL_INTEGER
    wrong[is_missing(column)] = MISSING
    wrong[as_mask(pc.match_substring(column, "\ufffd"))] = DAMAGED
    return ids, wrong


def parse_integers(column: pa.Array) -> tuple[pa.Array, np.ndarray, np.ndarray]:
    """Clean texts (n,) → int64 array (0 where none), the mask of 64-bit integers, and the mask of those in their usual
    spelling."""
    try:
        numbers = column.cast(pa.int64())
        if pc.all(pc.equal(numbers.cast(pa.string()), column)).as_py() is not False:  # the common case, without regex
            return numbers, np.ones(len(column), dtype=bool), np.ones(len(column), dtype=bool)
    except pa.ArrowInvalid:
        pass  # at least one is not a plain integer
    matches = as_mask(pc.match_substring_regex(column, rf"^{_ANY_INTEGER}$"))
    texts = column.filter(pa.array(matches)).to_pylist()
    values = [int(text.split(".")[0]) if len(text) < 4000 else 2**63 for text in texts]
    fits = np.array([-(2**63) <= value < 2**63 for value in values], dtype=bool)
    is_integer = np.zeros(len(column), dtype=bool)
    is_integer[matches] = fits
    numbers_of = np.zeros(len(column), dtype=np.int64)
    numbers_of[is_integer] = [value for value in values if -(2**63) <= value < 2**63]
    is_canonical = is_integer & as_mask(pc.match_substring_regex(column, rf"^{_CANONICAL_INTEGER}$"))
    return pa.array(numbers_of), is_integer, is_canonical


def usual_spelling(column: pa.DictionaryArray) -> Spelling:
    """How most of some good ids (n,), clean texts in a dictionary, are written: "canonical" or "text".

    Text as soon as one of them is an integer in an unusual spelling, such as "007": the source then tells ids apart
    that are the same number. "canonical" for no ids.
    """
    _, is_integer, is_canonical = parse_integers(column.dictionary)
    if (is_integer & ~is_canonical).any():
        return "text"
    n_integers = int(is_integer[column.indices.to_numpy()].sum())
    return "canonical" if n_integers * 2 > len(column) or not len(column) else "text"


def ids_of_texts(texts: pa.Array) -> np.ndarray:
    """Clean texts (n,) as ids (n,): int64 when all are integers as this library writes them, else str objects."""
    try:
        numbers = texts.cast(pa.int64())
    except pa.ArrowInvalid:
        numbers = None
    if numbers is not None and len(texts) and pc.all(pc.equal(numbers.cast(pa.string()), texts)).as_py():
        return np.asarray(numbers.to_numpy())
    return np.array(texts.to_pylist(), dtype=object)


def in_type_of(texts: pa.Array, ids: np.ndarray, *, any_spelling: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """Clean texts (n,) in the type of `ids`, and the mask (n,) of those that can have it.

    any_spelling  whether "007" is the integer 7
    """
    if ids.dtype == object:
        return np.array(texts.to_pylist(), dtype=object), np.ones(len(texts), dtype=bool)
    numbers, is_integer, is_canonical = parse_integers(texts)
    return np.asarray(numbers.to_numpy()), is_integer if any_spelling else is_canonical


def as_mask(column: pa.Array) -> np.ndarray:
    """A Boolean Arrow array as a NumPy mask; null becomes False."""
    return np.asarray(pc.fill_null(column, False).to_numpy(zero_copy_only=False), dtype=bool)
