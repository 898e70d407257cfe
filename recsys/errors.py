"""The exceptions of the library, all caused by input or settings that the user can correct.

    RecsysError              the command line prints it in one line and exits with status 2
    ├── InputError           a file, folder, column or value that cannot be used
    │   └── NotFinite        vectors, weights or scores that are no numbers, or too large to compute with
    ├── SettingError         a setting that does not exist or is outside its range
    │   └── Diverged         settings with which training does not arrive at numbers
    ├── UnknownId            an id or title that is not in the data
    │   └── AmbiguousTitle   a title that several items share
    ├── Unavailable          a download failed from every source
    └── Unsupported          a model does not support the operation

Any other exception is a bug: the command line shows its traceback and exits with status 1.
"""

from __future__ import annotations

from collections.abc import Iterable

MOST_LETTERS = 60
"""Longer values from outside are cut to this length in error messages."""


def quoted(value: object) -> str:
    r"""A value from outside for an error message: its `repr`, with a long one cut to `MOST_LETTERS` characters.

    >>> quoted("a\x1b"), quoted("x" * 1000)[-5:]
    ("'a\\x1b'", "xxx…'")
    """
    if isinstance(value, str):
        return repr(value if len(value) <= MOST_LETTERS else value[:MOST_LETTERS] + "…")
    if isinstance(value, int) and value.bit_length() > 4 * MOST_LETTERS:
        return f"an integer of {value.bit_length()} bits"
    text = repr(value)
    return text if len(text) <= MOST_LETTERS else text[:MOST_LETTERS] + "…"


class RecsysError(Exception):
    """Base class. The message is one line: what is wrong, where, and what to do."""


class InputError(RecsysError):
    """A file, folder, column or value that cannot be used."""


class SettingError(RecsysError):
    """A setting that does not exist or is outside its documented range."""


class NotFinite(InputError):
    """Vectors, weights or scores that are NaN, infinite, or too large to compute with."""


class Diverged(SettingError):
    """Training ended in numbers that are not finite; the message says which settings to change."""


class UnknownId(RecsysError):
    """An id or title that is not in the data."""

    @classmethod
    def of(cls, kind: str, unknown: Iterable[object], known_example: object = None) -> UnknownId:
        """An error that lists the first five unknown ids and counts the rest.

        kind           "user" or "item"
        known_example  an id that exists, shown as an example
        """
        ids = list(unknown)
        shown = ", ".join(quoted(i) for i in ids[:5])
        more = f" and {len(ids) - 5} more" if len(ids) > 5 else ""
        hint = f" (ids look like {quoted(known_example)})" if known_example is not None else ""
        return cls(f"unknown {kind} id{'s' if len(ids) > 1 else ''}: {shown}{more}{hint}")


class AmbiguousTitle(UnknownId):
    """A title that several items share; the message lists the candidates with their years."""


class Unavailable(RecsysError):
    """A download failed; the message says what was tried and how to place the file by hand."""


class Unsupported(RecsysError):
    """A model does not support the operation, such as the vectors of a popularity list."""
