"""Reading rating files in any usual form, a block at a time: columns of good rows, and the bad rows with their reasons.

Knows nothing of titles, of repeated ratings or of the matrix: every rule here looks at one row alone. A block is
first read as the types it should have; only a block where that fails is read again as text, to tell row by row why.
"""

from __future__ import annotations

import os
import re
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO, Literal, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from recsys.errors import InputError
from recsys.interactions import NO_TIME

BLOCK_BYTES = 16 * 2**20
MAX_LINE_BYTES = 2**20
LATEST_TIME = 4_102_444_800
"""2100-01-01 in seconds: a later time is a number in another unit, or a mistake."""

REJECTED = pa.schema([("file", pa.string()), ("line", pa.int64()), ("reason", pa.string()), ("text", pa.string())])

KNOWN_NAMES = {
    "user": ("user_id", "userid", "user", "uid", "reviewerid", "customer_id", "customerid", "member_id", "visitorid"),
    "item": ("item_id", "itemid", "item", "iid", "movie_id", "movieid", "movie", "asin", "product_id", "productid"),
    "rating": ("rating", "ratings", "score", "stars", "value", "preference"),
    "time": ("timestamp", "time", "ts", "date", "datetime", "unixtime", "unix_timestamp", "rated_at", "created_at"),
}
MISSING_WORDS = ("", "nan", "null", "none", "na", "n/a", "<na>", "\\n")

Role = Literal["user", "item", "rating", "time"]
ROLES: tuple[Role, ...] = ("user", "item", "rating", "time")


@dataclass(frozen=True)
class Columns:
    """Which column plays which role: a header's name, or a number from 1 where there is no header; None: find it."""

    user: str | None = None
    item: str | None = None
    rating: str | None = None
    time: str | None = None


@dataclass(frozen=True)
class Rules:
    """What makes a single row usable.

    scale  lowest and highest rating allowed; None allows every finite number
    ids    integer, string, or auto: integer when most ids in the first block are whole numbers
    """

    scale: tuple[float, float] | None = None
    ids: Literal["auto", "integer", "string"] = "auto"


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


@dataclass(frozen=True)
class Form:
    """How a text file is laid out; found by `sniff`."""

    delimiter: str
    names: tuple[str, ...]
    has_header: bool
    roles: dict[Role, str]
    integer_user: bool = True
    integer_item: bool = True
    integer_time: bool = True


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


def check_row(
    user: pa.Array, item: pa.Array, rating: pa.Array | None, time: pa.Array | None, form: Form, rules: Rules
) -> tuple[pa.Array, pa.Array, np.ndarray, np.ndarray, np.ndarray]:
    """Text columns → typed columns and, for each row, the number of the reason it can't be used (0: it can)."""
    n = len(user)
    reason = np.zeros(n, dtype=np.int8)

    def mark(where: np.ndarray, code: int) -> None:
        reason[(reason == 0) & where] = code

    damaged = np.zeros(n, dtype=bool)
    for column in (user, item):
        damaged |= _bools(pc.match_substring(column, "\ufffd"))
    mark(damaged, UTF8)
    ids = []
    for column, integer, missing_code, wrong_code in (
        (user, form.integer_user, USER_MISSING, USER_NOT_INTEGER),
        (item, form.integer_item, ITEM_MISSING, ITEM_NOT_INTEGER),
    ):
        mark(_is_missing(column), missing_code)
        if integer:
            typed, good = _integers(column)
            mark(~good, wrong_code)
        else:
            typed = pc.utf8_trim_whitespace(column)
        ids.append(typed)
    if rating is None:
        ratings = np.ones(n, dtype=np.float32)
    else:
        values = pd.to_numeric(pd.Series(rating.to_numpy(zero_copy_only=False), dtype=object), errors="coerce")
        with np.errstate(over="ignore"):
            ratings = values.to_numpy(np.float64).astype(np.float32)
        mark(_is_missing(rating), RATING_MISSING)
        mark(~np.isfinite(ratings), RATING_NOT_FINITE)
    times = np.full(n, NO_TIME, dtype=np.int64) if time is None else _parse_times(time)
    mark(_off_scale(ratings, rules), RATING_OFF_SCALE)
    mark(_senseless(times), TIME_SENSELESS)
    return ids[0], ids[1], ratings, times, reason


BLANK = -1  # an empty line is no row: neither used nor rejected
FIELDS, UTF8, LONG = 1, 2, 3
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


def sniff(first: bytes, path: Path, columns: Columns, rules: Rules) -> Form:
    """Find delimiter, header, roles and types from the beginning of a file. Raises InputError."""
    head = first[: min(len(first), 2**18)].decode("utf-8", "replace").replace("\r\n", "\n").replace("\r", "\n")
    lines = [line for line in head.split("\n")[:1000] if line.strip()]
    if not lines:
        raise InputError(f"{path}: is empty")
    if "\0" in lines[0]:
        raise InputError(f"{path}: is not a text file; ratings come as CSV, TSV or Parquet")
    if len(lines[0].encode()) >= min(2**18, MAX_LINE_BYTES):
        raise InputError(f"{path}: line 1 is longer than any header or rating can be")
    delimiter = max(("::", "\t", ",", ";", "|"), key=lambda d: (lines[0].count(d), d == "::"))
    if not lines[0].count(delimiter):
        delimiter = " " if lines[0].strip().count(" ") >= 1 and path.suffix.lower() != ".csv" else ","
    cells = [cell.strip().strip('"').strip() for cell in lines[0].split(delimiter)]
    plain = [cell.split(":")[0].strip().lower().replace(" ", "_") for cell in cells]  # "user_id:token" in RecBole files
    known = {name for names in KNOWN_NAMES.values() for name in names}
    mapped = [name for name in (columns.user, columns.item, columns.rating, columns.time) if name]
    asked = {name.lower() for name in mapped if not name.isdigit()}  # numbers stand for places, not for names
    has_header = any(name in known for name in plain) or any(cell.lower() in asked for cell in cells)
    if not has_header and not any(_is_number(cell) for cell in cells):
        has_header = True  # words in every column of the first line, none of them known
    names = tuple(cells) if has_header else tuple(str(i + 1) for i in range(len(cells)))
    if len(set(names)) < len(names):
        raise InputError(f"{path}: line 1: column {next(n for n in names if names.count(n) > 1)!r} stands twice")
    roles = find_roles(path, names, plain, has_header, columns)
    body = lines[1:] if has_header else lines
    form = Form(delimiter, names, has_header, roles)
    sample = [line.split(delimiter) for line in body]

    def column(role: Role) -> list[str]:
        at = names.index(roles[role])
        return [row[at].strip().strip('"').strip() for row in sample if len(row) > at]

    def whole(role: Role) -> bool:
        values = [v for v in column(role) if v.lower() not in MISSING_WORDS]
        return sum(bool(_INTEGER.fullmatch(v)) for v in values) * 2 > len(values) or not values

    if "time" in roles:
        form = replace(form, integer_time=whole("time"))
    if rules.ids == "auto":
        return replace(form, integer_user=whole("user"), integer_item=whole("item"))
    return replace(form, integer_user=rules.ids == "integer", integer_item=rules.ids == "integer")


def find_roles(
    path: Path, names: Sequence[str], plain: Sequence[str], has_header: bool, columns: Columns
) -> dict[Role, str]:
    """Which of the columns is the user, the item, the rating, the time. Raises InputError."""
    roles: dict[Role, str] = {}
    for role in ROLES:
        asked = getattr(columns, role)
        if asked is not None:
            matches = [n for n in names if n == asked] or [n for n in names if n.lower() == asked.lower()]
            if not matches:
                raise InputError(f"{path}: there is no column {asked!r}; the columns are {', '.join(names)}")
            roles[role] = matches[0]
    free = [name for name in names if name not in roles.values()]
    for role in ROLES:
        if role in roles:
            continue
        if has_header:
            fits = [n for n, p in zip(names, plain, strict=True) if n in free and p in KNOWN_NAMES[role]]
            fits.sort(key=lambda n: KNOWN_NAMES[role].index(plain[list(names).index(n)]))
        else:  # user, item, rating, time is the order of every published file
            fits = [n for n in free if n == str(ROLES.index(role) + 1)]
        if fits:
            roles[role] = fits[0]
            free.remove(fits[0])
    for role in ("user", "item"):
        if role not in roles:
            raise InputError(
                f"{path}: cannot tell which column holds the {role}; the columns are {', '.join(names)}: "
                f"name it with --{role}-col"
            )
    return roles


def _typed_block(piece: Piece, form: Form, rules: Rules) -> Block | None:
    """The quick way: read as types; None when any row resists, or lines and rows don't match one to one."""
    types: dict[str, pa.DataType] = {
        form.roles["user"]: pa.int64() if form.integer_user else pa.string(),
        form.roles["item"]: pa.int64() if form.integer_item else pa.string(),
    }
    if "rating" in form.roles:
        types[form.roles["rating"]] = pa.float32()
    if "time" in form.roles:
        types[form.roles["time"]] = pa.int64() if form.integer_time else pa.string()
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
    for column, integer in ((user, form.integer_user), (item, form.integer_item)):
        if column.null_count or (not integer and _untidy(column)):
            return None
    ratings = np.ones(len(user), dtype=np.float32)
    if "rating" in columns:
        if columns["rating"].null_count:
            return None
        ratings = columns["rating"].to_numpy()
    times = np.full(len(user), NO_TIME, dtype=np.int64)
    if "time" in columns:
        column = columns["time"]
        if form.integer_time:
            times = pc.fill_null(column, int(NO_TIME)).to_numpy()
            if (times[_bools(column.is_valid())] < 0).any():
                return None
        else:
            times = _parse_times(pc.fill_null(column, ""))
    if not np.isfinite(ratings).all() or _off_scale(ratings, rules).any() or _senseless(times).any():
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
    users, items, ratings, times, reason = check_row(
        columns["user"], columns["item"], columns.get("rating"), columns.get("time"), form, rules
    )
    verdict = np.zeros(len(starts), dtype=np.int8)
    verdict[at] = reason
    verdict[is_wrong] = FIELDS
    verdict[is_blank] = BLANK
    verdict[is_long] = LONG
    good = verdict[at] == 0
    bad = np.flatnonzero(verdict > 0)
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
                users, items, ratings, times, reason = check_row(
                    text["user"], text["item"], text.get("rating"), text.get("time"), form, rules
                )
                good, bad = reason == 0, np.flatnonzero(reason)
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
        if rules.ids != "auto":
            return rules.ids == "integer"
        text = _as_text(batch[roles[role]], path, roles[role])
        return bool(_integers(pc.fill_null(text, ""))[1].sum() * 2 > len(batch) - text.null_count)

    return Form("", tuple(batch.schema.names), True, roles, whole("user"), whole("item"))


def _parquet_types(batch: pa.RecordBatch, form: Form) -> dict[Role, pa.Array] | None:
    """The columns in the types a block wants, where the file's own types allow it without loss."""
    wanted = {
        "user": pa.int64() if form.integer_user else pa.string(),
        "item": pa.int64() if form.integer_item else pa.string(),
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


# --- values -----------------------------------------------------------------------------------------------------

_INTEGER = re.compile(r"[+-]?\d{1,18}(?:\.0*)?")


def _integers(column: pa.Array) -> tuple[pa.Array, np.ndarray]:
    """Text → int64 (0 where it is none) and which were whole numbers; "7.0" is 7, as pandas writes it."""
    good = pc.fill_null(pc.match_substring_regex(column, rf"^\s*{_INTEGER.pattern}\s*$"), False)
    digits = pc.replace_substring_regex(pc.utf8_trim_whitespace(column), r"\.0*$", "")
    digits = pc.utf8_ltrim(digits, "+")
    return pc.if_else(good, digits, "0").cast(pa.int64()), _bools(good)


def _parse_times(column: pa.Array) -> np.ndarray:
    """Seconds since 1970, UTC, from whole or broken numbers or ISO 8601 dates; what can't be read becomes −2."""
    values = pd.Series(column.to_numpy(zero_copy_only=False), dtype=object)
    seconds = pd.to_numeric(values, errors="coerce").to_numpy(np.float64)
    times = np.full(len(values), -2, dtype=np.int64)
    number = np.isfinite(seconds) & (seconds >= 0) & (seconds < LATEST_TIME)
    times[number] = seconds[number].astype(np.int64)
    worded = ~np.isfinite(seconds) & ~_is_missing(column)
    if worded.any():
        dates = pd.to_datetime(values[worded], errors="coerce", utc=True, format="ISO8601")
        known = dates.notna().to_numpy()
        stamps = dates[known].dt.as_unit("s").astype("int64").to_numpy()
        times[np.flatnonzero(worded)[known]] = np.where(stamps < 0, -2, stamps)
    times[_is_missing(column)] = NO_TIME
    return times


def _is_missing(column: pa.Array) -> np.ndarray:
    words = pc.utf8_lower(pc.utf8_trim_whitespace(column))
    return _bools(pc.is_in(words, value_set=pa.array(MISSING_WORDS)))


def _untidy(column: pa.Array) -> bool:
    """Whether string ids need the thorough way: blanks around them, or words that mean missing."""
    return bool(pc.any(pc.match_substring_regex(column, r"^\s|\s$")).as_py()) or bool(_is_missing(column).any())


def _off_scale(ratings: np.ndarray, rules: Rules) -> np.ndarray:
    if rules.scale is None:
        return np.zeros(len(ratings), dtype=bool)
    low, high = np.array(rules.scale, dtype=np.float32)
    return (ratings < low) | (ratings > high)


def _senseless(times: np.ndarray) -> np.ndarray:
    return ((times < 0) & (times != NO_TIME)) | (times >= LATEST_TIME)


def _array(column: pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)


def _bools(column: pa.Array) -> np.ndarray:
    return np.asarray(pc.fill_null(column, False).to_numpy(zero_copy_only=False), dtype=bool)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
