"""Read text tables that fit in memory: items, users, values, vectors. Sizes are bounded, and errors name the line."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa

from recsys.errors import InputError
from recsys.limits import check_input, check_memory, memory_limit

BYTES_PER_CHARACTER = 12
BYTES_PER_LINE = 700
"""Memory that a table needs at its peak for each byte of its text and for each line, as Python objects."""
PIECE_BYTES = 16 * 2**20


def read_text(path: Path, what: str, encodings: tuple[str, ...] = ("utf-8-sig",)) -> str:
    """The text of a regular file, unpacked if its name says it is compressed.

    what       the content as errors name it, such as "file of items"
    encodings  tried in this order

    Raises InputError for a file that is missing, damaged, of another encoding (naming the line), or too large for the
    memory.
    """
    check_input(path, what)
    try:
        stream = pa.input_stream(str(path), compression="detect")
    except (OSError, pa.ArrowException) as error:
        raise InputError(f"{path}: cannot be read: {first_line(error)}") from None
    with stream:
        return read_stream(stream, path, encodings)


def read_stream(stream: BinaryIO, path: Path, encodings: tuple[str, ...] = ("utf-8-sig",)) -> str:
    """The text of an open file, which `path` names in errors; otherwise as `read_text`."""
    limit, pieces, n_bytes, n_lines = memory_limit(), [], 0, 0
    try:
        while piece := stream.read(PIECE_BYTES):
            pieces.append(piece)
            n_bytes += len(piece)
            n_lines += piece.count(b"\n")
            needed = n_bytes * BYTES_PER_CHARACTER + n_lines * BYTES_PER_LINE
            check_memory(needed, path, f"reading {n_lines:,} lines or more", limit)
    except (OSError, pa.ArrowException) as error:
        raise InputError(f"{path}: cannot be read: {first_line(error)}") from None
    body = b"".join(pieces)
    for encoding in encodings:
        try:
            return body.decode(encoding)
        except UnicodeDecodeError as error:
            line = body.count(b"\n", 0, error.start) + 1
    raise InputError(f"{path}: line {line}: is not UTF-8 text; save the file as UTF-8")


def rows_of(
    text: str, path: Path, delimiter: str, *, quoted: bool = True, n_fields: int | None = None
) -> Iterator[tuple[int, list[str]]]:
    """The rows of delimited text with the numbers of their first lines, from 1; blank lines are skipped.

    quoted    whether quotes have the meaning of RFC 4180; a quoted field may then contain line breaks
    n_fields  raise InputError for a row with another number of fields; None: than the first row has; 0: never

    Raises InputError naming the line.
    """
    lines = io.StringIO(text, newline="")
    reader = csv.reader(
        lines, delimiter=delimiter, quoting=csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE, strict=True
    )
    while True:
        line = reader.line_num + 1
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise InputError(f"{path}: line {line}: {error}") from None
        if not row or (len(row) == 1 and not row[0].strip()):
            continue
        n_fields = len(row) if n_fields is None else n_fields
        if n_fields and len(row) != n_fields:
            raise InputError(f"{path}: line {line}: has {len(row):,} fields, not {n_fields:,}")
        yield line, row


MOST_CHARACTERS = 300


def first_line(error: BaseException) -> str:
    """The first line of an error's message, cut to a readable length, or its type where it has none."""
    line = (str(error).splitlines() or [type(error).__name__])[0]
    return line if len(line) <= MOST_CHARACTERS else f"{line[:MOST_CHARACTERS]}…"
