"""Tables, JSON and text as files: written atomically, and read so that a damaged file gives one line."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from recsys.atomic import new_file
from recsys.errors import InputError, RecsysError, quoted
from recsys.limits import check_input

MOST_JSON_BYTES = 256 * 2**20
"""A larger JSON file is none of ours."""


def is_safe_name(name: str) -> bool:
    """Whether a name from a user may become the name of a folder.

    Allowed are 1 to 100 letters, digits, `.`, `_` and `-`; the first character is neither `.` nor `-`.
    """
    return re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}", name) is not None


def write_table(path: Path, table: pa.Table) -> None:
    """Write a table as Parquet, atomically, with a checksum of every page."""
    with new_file(path) as temporary:
        pq.write_table(table, temporary, write_page_checksum=True)


def write_json(path: Path, value: Any) -> None:
    """Write a value as JSON, atomically."""
    with new_file(path) as temporary:
        dump_json(temporary, value)


def write_text(path: Path, text: str) -> None:
    """Write text as UTF-8, atomically."""
    with new_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def dump_json(path: Path, value: Any) -> None:
    """Write a value as indented JSON. Not atomic: use it inside `new_file` or `new_folder`."""
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in a file. Raises InputError when the file cannot be read or contains something else."""
    return parse_json(read_bytes(path), path)


def parse_json(content: bytes, path: Path) -> dict[str, Any]:
    """The JSON object in the content of the file `path`.

    Raises InputError for anything else, and for what readers of JSON understand differently: numbers that are not
    finite, integers beyond 64 bits, a key that occurs twice.
    """
    try:
        value = json.loads(
            content.decode("utf-8"),
            parse_constant=_finite,
            parse_float=_finite,
            parse_int=_integer,
            object_pairs_hook=_with_unique_keys,
        )
    except RecursionError:
        raise InputError(f"{path}: is not valid JSON: it is nested too deeply") from None
    except ValueError as error:
        raise InputError(f"{path}: is not valid JSON: {str(error).splitlines()[0]}") from None
    if not isinstance(value, dict):
        raise InputError(f"{path}: does not contain a JSON object")
    return value


def metadata_of(table: pa.Table, key: str, path: Path) -> dict[str, Any]:
    """The JSON object in the metadata of a table, which was read from the file `path`. Raises InputError when there is
    none."""
    content = (table.schema.metadata or {}).get(key.encode())
    if content is None:
        raise InputError(f"{path}: has no metadata {key!r}")
    return parse_json(content, path)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{quoted(text)[1:-1]} is not a finite number")
    return number


def _integer(text: str) -> int:
    number = int(text) if len(text) <= 20 else 2**64
    if not -(2**63) <= number < 2**63:
        raise ValueError(f"the integer {quoted(text)[1:-1]} does not fit in 64 bits")
    return number


def _with_unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"the key {quoted(next(key for key in keys if keys.count(key) > 1))} occurs twice")
    return found


def read_bytes(path: Path) -> bytes:
    """The content of a JSON file. Raises InputError when it cannot be read or is larger than `MOST_JSON_BYTES`."""
    with open_file(path) as file:
        try:
            content = file.read(MOST_JSON_BYTES + 1)
        except OSError as error:
            raise InputError(f"{path}: cannot be read: {error.strerror or error}") from None
    if len(content) > MOST_JSON_BYTES:
        raise InputError(f"{path}: is larger than {MOST_JSON_BYTES >> 20} MiB")
    return content


def open_file(path: Path) -> BufferedReader:
    """Open a regular file for reading. Raises InputError when that is not possible: `recsys.limits.check_input`."""
    check_input(path)
    try:
        return path.open("rb")
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from None


_DAMAGE = (
    OSError,
    pa.ArrowException,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,
    RecursionError,
    RecsysError,
)
"""What parsing a damaged file raises."""


@contextmanager
def reading(path: Path, remedy: str) -> Iterator[None]:
    """Turn any error from reading a damaged file into an InputError of one line.

    path    the damaged file or folder
    remedy  the command that creates it again
    """
    try:
        yield
    except _DAMAGE as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        if isinstance(error, KeyError):
            reason = f"{reason} is missing"
        reason = reason.removeprefix(f"{path}: ")
        raise InputError(f"{path}: cannot be read ({reason}); recreate it with {remedy}") from error
