"""The errors a user can cause or mend. They know nothing of files, models or the screen.

    RecsysError              the command line prints it in one line and exits with status 2
    ├── InputError           a file, folder, column or value that cannot be used
    ├── SettingError         a setting that is unknown or outside its range
    ├── UnknownId            an id or title that is not in the data
    │   └── AmbiguousTitle   a title that several items share
    ├── Unavailable          a download that could not be had; says what was tried
    └── Unsupported          a model was asked for something it does not have

Anything else that escapes is a bug, shows its traceback and exits with status 1.
"""

from __future__ import annotations

from collections.abc import Iterable

MOST_LETTERS = 60
"""Of an id as it was typed, in an error's one line."""


class RecsysError(Exception):
    """One clear line: what is wrong, where, and what to do."""


class InputError(RecsysError):
    """A file, folder, column or value that cannot be used."""


class SettingError(RecsysError):
    """A setting that does not exist or is outside its documented range."""


class UnknownId(RecsysError):
    """An id or a title that the data does not hold."""

    @classmethod
    def of(cls, kind: str, unknown: Iterable[object], known_example: object = None) -> UnknownId:
        """Name the first few unknown ids, each by its first `MOST_LETTERS`, and count the rest; `kind` is `user` or
        `item`."""
        ids = [i[:MOST_LETTERS] + "…" if isinstance(i, str) and len(i) > MOST_LETTERS else i for i in unknown]
        shown = ", ".join(repr(i) for i in ids[:5])
        more = f" and {len(ids) - 5} more" if len(ids) > 5 else ""
        hint = f" (ids look like {known_example!r})" if known_example is not None else ""
        return cls(f"unknown {kind} id{'s' if len(ids) > 1 else ''}: {shown}{more}{hint}")


class AmbiguousTitle(UnknownId):
    """A title that several items share; the message lists the candidates with their years."""


class Unavailable(RecsysError):
    """A download that could not be had; the message says what was tried and what to do by hand."""


class Unsupported(RecsysError):
    """A model was asked for something it does not have, such as the vectors of a popularity list."""
