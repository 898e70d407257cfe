"""Reading rating files a block at a time: columns of the usable rows, and the other rows with their reasons.

Knows nothing of titles, of repeated ratings or of the matrix: every rule here looks at one row alone. A block is
first read as the types it should have; only a block where that fails is read again as text, to tell row by row why.
"""

from __future__ import annotations

import os
import re
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, BinaryIO, Literal, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from recsys.dataset.interactions import NO_TIME
from recsys.errors import InputError
from recsys.ingest.layout import Columns, Form, find_roles, integer_roles, sniff
from recsys.ingest.validation import (
    BLANK,
    FIELDS,
    LONG,
    MAX_LINE_BYTES,
    OK,
    REJECTED,
    Role,
    Rules,
    bools,
    check_rows,
    integers,
    off_scale,
    parse_times,
    reasons,
    senseless,
    untidy,
)

BLOCK_BYTES = 16 * 2**20


class Block(NamedTuple):
    """Some rows of a file, in order: the usable ones as columns of one length, and the others with reasons.

    users, items  dictionary arrays of int64 or string;  lines whole numbers, from 1 on in the file
    ratings       float32;  times  int64 seconds, `NO_TIME` where missing
    """

    users: pa.Array
    items: pa.Array
    ratings: np.ndarray
    times: np.ndarray
    lines: range | np.ndarray
    rejected: pa.Table
    bytes_read: int


def read_ratings(path: Path, columns: Columns, rules: Rules) -> Iterator[Block]:
    """Blocks of a CSV, TSV, `::`-separated or Parquet file, gzip allowed for text.

    Raises InputError for a file that is not there, is empty, is not what its name says, or has no column that can
    be the user or the item.
    """
    if not path.exists():
        raise InputError(f"{path}: no such file")
    if path.is_dir():
        raise InputError(f"{path}: is a folder, not a file of ratings")
    read = _read_parquet if path.suffix.lower() in (".parquet", ".pq") else _read_text
    try:
        yield from read(path, columns, rules)
    except (OSError, pa.ArrowException) as error:
        raise InputError(f"{path}: cannot be read to its end: {_first_line(error)}") from None


# --- text files -------------------------------------------------------------------------------------------------


def _read_text(path: Path, columns: Columns, rules: Rules) -> Iterator[Block]:
    with pa.input_stream(str(path), compression="detect") as stream:
        first = stream.read(BLOCK_BYTES)
        if first[:2] in (b"\xff\xfe", b"\xfe\xff"):
            raise InputError(f"{path}: is UTF-16 text; save it as UTF-8")
        first = first.removeprefix(b"\xef\xbb\xbf")
        form = sniff(first, path, columns, rules)

        def parse(piece: Piece) -> Block:
            block = _typed_block(piece, form, rules)
            return _encoded(_text_block(path, piece, form, rules) if block is None else block)

        yield from _side_by_side(parse, _chunks(stream, first, form.has_header))


class Piece(NamedTuple):
    """Some whole lines of a file: how much was read by then, the number of the first line, how many lines, the text."""

    read: int
    line: int
    n_lines: int
    text: bytes


def _encoded(block: Block) -> Block:
    """Ids as codes into the block's own few distinct ones: half the memory, and done side by side."""
    return block._replace(users=block.users.dictionary_encode(), items=block.items.dictionary_encode())


def _side_by_side(parse: Callable[[Piece], Block], pieces: Iterator[Piece]) -> Iterator[Block]:
    """Blocks in the order of their pieces, parsed by a thread a core, a few ahead of what is taken."""
    n_threads = os.cpu_count() or 1
    waiting: deque[Future[Block]] = deque()
    with ThreadPoolExecutor(n_threads) as pool:
        for piece in pieces:
            waiting.append(pool.submit(parse, piece))
            if len(waiting) > n_threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _chunks(stream: BinaryIO, first: bytes, has_header: bool) -> Iterator[Piece]:
    """The file in pieces of whole lines, its header and pieces without any text left out.

    A line longer than a block is cut down to one byte more than is allowed, for the next stage to reject.
    """
    read, line, rest, block = len(first), 1, b"", first
    if has_header:
        block, line = first.partition(b"\n")[2], 2
    too_long, cutting = b"#" * (MAX_LINE_BYTES + 1) + b"\n", False
    while True:
        if cutting:
            _, newline, block = block.partition(b"\n")
            cutting = not newline
            if newline:
                yield Piece(read, line, 1, too_long)
                line += 1
        text = rest + block
        cut = text.rfind(b"\n") + 1
        text, rest = text[:cut], text[cut:]
        if text:
            n_lines = int(np.count_nonzero(np.frombuffer(text, dtype=np.uint8) == ord("\n")))
            if not text.isspace():
                yield Piece(read, line, n_lines, text)
            line += n_lines
        if len(rest) > BLOCK_BYTES:
            rest, cutting = b"", True
        block = stream.read(BLOCK_BYTES)
        if not block:
            break
        read += len(block)
    if cutting:
        yield Piece(read, line, 1, too_long)
    elif rest.strip():
        yield Piece(read, line, 1, rest)


def _typed_block(piece: Piece, form: Form, rules: Rules) -> Block | None:
    """The quick way: read as types; None when any row resists, or lines and rows don't match one to one."""
    types: dict[str, pa.DataType] = {
        form.roles["user"]: pa.int64() if "user" in form.integer else pa.string(),
        form.roles["item"]: pa.int64() if "item" in form.integer else pa.string(),
    }
    if "rating" in form.roles:
        types[form.roles["rating"]] = pa.float32()
    if "time" in form.roles:
        types[form.roles["time"]] = pa.int64() if "time" in form.integer else pa.string()
    try:
        table = pacsv.read_csv(
            pa.py_buffer(_one_byte_delimiter(piece.text, form)),
            read_options=pacsv.ReadOptions(column_names=form.names, use_threads=False, block_size=4 * 2**20),
            parse_options=pacsv.ParseOptions(delimiter=_delimiter(form), quote_char=_quote(form)),
            convert_options=pacsv.ConvertOptions(
                column_types=types, include_columns=list(types), strings_can_be_null=True
            ),
        ).combine_chunks()
    except pa.ArrowInvalid:
        return None
    if len(table) != piece.n_lines:
        return None
    block = _typed({role: _array(table[name]) for role, name in form.roles.items()}, form, rules)
    return block and block._replace(lines=range(piece.line, piece.line + len(table)), bytes_read=piece.read)


def _typed(columns: dict[Role, pa.Array], form: Form, rules: Rules) -> Block | None:
    """Typed columns as a block, lines counted from 0, if every row is usable; None otherwise."""
    user, item = columns["user"], columns["item"]
    if user.null_count or item.null_count:
        return None
    if ("user" not in form.integer and untidy(user)) or ("item" not in form.integer and untidy(item)):
        return None
    ratings = np.ones(len(user), dtype=np.float32)
    if "rating" in columns:
        if columns["rating"].null_count:
            return None
        ratings = columns["rating"].to_numpy()
    times = np.full(len(user), NO_TIME, dtype=np.int64)
    if "time" in columns:
        column = columns["time"]
        if "time" in form.integer:
            times = pc.fill_null(column, int(NO_TIME)).to_numpy()
            if (times[bools(column.is_valid())] < 0).any():
                return None
        else:
            times = parse_times(pc.fill_null(column, ""))
    if not np.isfinite(ratings).all() or off_scale(ratings, rules).any() or senseless(times).any():
        return None
    return Block(user, item, ratings, times, range(len(user)), REJECTED.empty_table(), 0)


def _text_block(path: Path, piece: Piece, form: Form, rules: Rules) -> Block:
    """The thorough way: every field as text, every row with its line, and a reason for each that can't be used."""
    text = piece.text.decode("utf-8", "replace").encode()
    text = re.sub(rb"\r(?!\n)", b" ", text)
    starts, ends = _line_bounds(text)
    is_long = ends - starts > MAX_LINE_BYTES
    if is_long.any():
        text = b"\n".join(b"" if is_long[at] else text[starts[at] : ends[at]] for at in range(len(starts))) + b"\n"
        starts, ends = _line_bounds(text)
    is_blank = (ends == starts) & ~is_long
    body = _one_byte_delimiter(text, form)
    table, wrong = _parse_text(body, form, _quote(form))
    if len(table) + len(wrong) != len(starts):  # a line break inside quotes: take every line as a row instead
        table, wrong = _parse_text(body, form, False)
    is_wrong = np.zeros(len(starts), dtype=bool)
    is_wrong[[number - 1 for number in wrong]] = True
    at = np.flatnonzero(~is_wrong)
    columns: dict[Role, pa.Array] = {
        role: pc.utf8_trim(_array(table[name]).cast(pa.string()), ' \t\r"') for role, name in form.roles.items()
    }
    users, items, ratings, times, reason = check_rows(columns, form.integer, rules)
    verdict = np.zeros(len(starts), dtype=np.int8)
    verdict[at] = reason
    verdict[is_wrong] = FIELDS
    verdict[is_blank] = BLANK
    verdict[is_long] = LONG
    good = verdict[at] == OK
    bad = np.flatnonzero(verdict > OK)
    shown = [text[starts[row] : min(ends[row], starts[row] + 500)].decode("utf-8", "replace") or None for row in bad]
    rejected = _rejected(path, bad + piece.line, verdict[bad], shown, rules)
    keep = pa.array(good)
    lines = at[good] + piece.line
    return Block(users.filter(keep), items.filter(keep), ratings[good], times[good], lines, rejected, piece.read)


def _parse_text(body: bytes, form: Form, quote: str | Literal[False]) -> tuple[pa.Table, list[int]]:
    """All columns as bytes, and the numbers (from 1) of rows with the wrong number of fields."""
    wrong: list[int] = []

    def skip(row: Any) -> str:
        wrong.append(row.number)
        return "skip"

    table = pacsv.read_csv(
        pa.py_buffer(body),
        read_options=pacsv.ReadOptions(
            column_names=form.names, use_threads=False, block_size=max(len(body) + 1, 2**20)
        ),
        parse_options=pacsv.ParseOptions(
            delimiter=_delimiter(form), quote_char=quote, ignore_empty_lines=False, invalid_row_handler=skip
        ),
        convert_options=pacsv.ConvertOptions(
            column_types={name: pa.string() for name in form.names}, strings_can_be_null=False
        ),
    )
    return table.combine_chunks(), wrong


def _delimiter(form: Form) -> str:
    return "\x1f" if form.delimiter == "::" else form.delimiter


def _one_byte_delimiter(chunk: bytes, form: Form) -> bytes:
    """The CSV reader takes delimiters of one byte; `::` becomes the unit separator, which no rating holds."""
    return chunk.replace(b"::", b"\x1f") if form.delimiter == "::" else chunk


def _quote(form: Form) -> str | Literal[False]:
    return '"' if form.delimiter in (",", ";") else False


def _line_bounds(text: bytes) -> tuple[np.ndarray, np.ndarray]:
    """Where each line starts and ends, without its line break."""
    raw = np.frombuffer(text, dtype=np.uint8)
    breaks = np.flatnonzero(raw == ord("\n"))
    if not text.endswith(b"\n"):
        breaks = np.append(breaks, len(raw))
    starts = np.concatenate([[0], breaks[:-1] + 1])
    before = np.maximum(breaks - 1, 0)
    carriage = (breaks > starts) & (raw[np.minimum(before, len(raw) - 1)] == ord("\r"))
    return starts, breaks - carriage


def _rejected(path: Path, lines: np.ndarray, verdicts: np.ndarray, texts: Any, rules: Rules) -> pa.Table:
    words = reasons(rules)
    return pa.table([[path.name] * len(lines), lines, [words[code] for code in verdicts], texts], schema=REJECTED)


# --- Parquet ----------------------------------------------------------------------------------------------------


def _read_parquet(path: Path, columns: Columns, rules: Rules) -> Iterator[Block]:
    try:
        file = pq.ParquetFile(path)
    except (OSError, pa.ArrowInvalid) as error:
        raise InputError(f"{path}: is not a Parquet file: {_first_line(error)}") from None
    names = file.schema_arrow.names
    plain = [name.strip().lower().replace(" ", "_") for name in names]
    roles = find_roles(path, names, plain, True, columns)
    form: Form | None = None
    row = 1
    with file:
        for batch in file.iter_batches(batch_size=2**20, columns=list(roles.values())):
            if form is None:
                form = _parquet_form(batch, roles, rules, path)
            quick = _parquet_types(batch, form)
            block = _typed(quick, form, rules) if quick else None
            if block is None:
                text = {role: pc.fill_null(_as_text(batch[name], path, name), "") for role, name in roles.items()}
                users, items, ratings, times, reason = check_rows(text, form.integer, rules)
                good, bad = reason == OK, np.flatnonzero(reason > OK)
                shown = pc.binary_join_element_wise(*text.values(), ",").take(pa.array(bad))
                keep = pa.array(good)
                rejected = _rejected(path, bad + row, reason[bad], shown, rules)
                block = Block(
                    users.filter(keep),
                    items.filter(keep),
                    ratings[good],
                    times[good],
                    np.flatnonzero(good),
                    rejected,
                    0,
                )
            yield _encoded(block._replace(lines=np.asarray(block.lines, dtype=np.int64) + row))
            row += len(batch)


def _parquet_form(batch: pa.RecordBatch, roles: dict[Role, str], rules: Rules, path: Path) -> Form:
    def whole(role: Role) -> bool:
        text = _as_text(batch[roles[role]], path, roles[role])
        n_values = len(batch) - text.null_count
        return bool(integers(pc.fill_null(text, ""))[1].sum() * 2 > n_values) or not n_values

    return Form("", tuple(batch.schema.names), True, roles, integer_roles(roles, whole, rules))


def _parquet_types(batch: pa.RecordBatch, form: Form) -> dict[Role, pa.Array] | None:
    """The columns in the types a block wants, where the file's own types allow it without loss."""
    wanted = {
        "user": pa.int64() if "user" in form.integer else pa.string(),
        "item": pa.int64() if "item" in form.integer else pa.string(),
        "rating": pa.float32(),
        "time": pa.int64(),
    }
    columns: dict[Role, pa.Array] = {}
    for role, name in form.roles.items():
        column = _seconds(batch[name])
        kind = column.type
        numeric = pa.types.is_integer(kind) or (role == "rating" and pa.types.is_floating(kind))
        if not (numeric or (kind == wanted[role])):
            return None
        columns[role] = column.cast(wanted[role], safe=role != "rating")
    return columns


def _seconds(column: pa.Array) -> pa.Array:
    """Dates and timestamps as seconds; anything else as it is."""
    if pa.types.is_timestamp(column.type) or pa.types.is_date(column.type):
        return column.cast(pa.timestamp("s", getattr(column.type, "tz", None)), safe=False).cast(pa.int64())
    return column


def _as_text(column: pa.Array, path: Path, name: str) -> pa.Array:
    """Any id, number or date column as text, so that one set of rules serves every kind of file."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    try:
        return _seconds(column).cast(pa.string())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        raise InputError(f"{path}: column {name!r} holds {column.type}, not ids, numbers or times") from None


def _array(column: pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
