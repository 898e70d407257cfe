"""Read rating files in blocks: usable rows as typed columns, rejected rows with their reasons.

Every check here looks at one row alone; duplicates and the matrix come later. A block is first parsed into its final
types; only a block where that fails is parsed again as text, row by row, to find the reasons.
"""

from __future__ import annotations

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

from recsys.errors import InputError
from recsys.ingest.blocks import Block, checked_block, rejected_rows, single_array, typed_block
from recsys.ingest.layout import Columns, FileLayout, detect_layout
from recsys.ingest.tables import first_line, read_parquet_blocks
from recsys.ingest.validation import BLANK, FIELDS, LONG, MAX_LINE_BYTES, OK, Role, Validation
from recsys.threads import n_cores

BLOCK_BYTES = 16 * 2**20


def read_blocks(path: Path, columns: Columns, validation: Validation) -> Iterator[Block]:
    """Blocks of a CSV, TSV, `::`-separated or Parquet file; text may be compressed with gzip.

    Raises InputError for a file that is missing, empty, damaged or not of the type its name says, or that has no column
    for the user or the item.
    """
    if not path.exists():
        raise InputError(f"{path}: no such file")
    if path.is_dir():
        raise InputError(f"{path}: is a folder, not a file of ratings")
    read = read_parquet_blocks if path.suffix.lower() in (".parquet", ".pq") else _read_text
    try:
        yield from read(path, columns, validation)
    except (OSError, pa.ArrowException) as error:
        raise InputError(f"{path}: cannot be read to its end: {first_line(error)}") from None


def _read_text(path: Path, columns: Columns, validation: Validation) -> Iterator[Block]:
    with pa.input_stream(str(path), compression="detect") as stream:
        first = stream.read(BLOCK_BYTES)
        if first[:2] in (b"\xff\xfe", b"\xfe\xff"):
            raise InputError(f"{path}: is UTF-16 text; save it as UTF-8")
        first = first.removeprefix(b"\xef\xbb\xbf")
        layout = detect_layout(first, path, columns, validation)

        def parse(chunk: Chunk) -> Block:
            block = _fast_block(chunk, layout, validation)
            return (_slow_block(path, chunk, layout, validation) if block is None else block).encoded()

        yield from _parse_in_parallel(parse, _chunks(stream, first, layout.has_header))


class Chunk(NamedTuple):
    """Consecutive whole lines of a file.

    bytes_read  bytes of (uncompressed) text read so far, for progress
    line        number of the first line, from 1
    n_lines     number of lines
    text        the lines with their line breaks
    """

    bytes_read: int
    line: int
    n_lines: int
    text: bytes


def _parse_in_parallel(parse: Callable[[Chunk], Block], chunks: Iterator[Chunk]) -> Iterator[Block]:
    """Blocks in the order of their chunks, parsed by one thread per core, a few ahead of the consumer."""
    n_threads = n_cores()
    waiting: deque[Future[Block]] = deque()
    with ThreadPoolExecutor(n_threads) as pool:
        for chunk in chunks:
            waiting.append(pool.submit(parse, chunk))
            if len(waiting) > n_threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _chunks(stream: BinaryIO, first: bytes, has_header: bool) -> Iterator[Chunk]:
    """The file in chunks of whole lines, without its header and without chunks of blank lines only.

    A line longer than a block is cut to one byte more than is allowed, so that the next stage rejects it.
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
                yield Chunk(read, line, 1, too_long)
                line += 1
        text = rest + block
        cut = text.rfind(b"\n") + 1
        text, rest = text[:cut], text[cut:]
        if text:
            n_lines = int(np.count_nonzero(np.frombuffer(text, dtype=np.uint8) == ord("\n")))
            if not text.isspace():
                yield Chunk(read, line, n_lines, text)
            line += n_lines
        if len(rest) > BLOCK_BYTES:
            rest, cutting = b"", True
        block = stream.read(BLOCK_BYTES)
        if not block:
            break
        read += len(block)
    if cutting:
        yield Chunk(read, line, 1, too_long)
    elif rest.strip():
        yield Chunk(read, line, 1, rest)


def _fast_block(chunk: Chunk, layout: FileLayout, validation: Validation) -> Block | None:
    """Parse straight into types; None when a row does not parse or lines and rows do not match one to one."""
    types: dict[str, pa.DataType] = {
        layout.roles["user"]: pa.int64() if "user" in layout.integer else pa.string(),
        layout.roles["item"]: pa.int64() if "item" in layout.integer else pa.string(),
    }
    if "rating" in layout.roles:
        types[layout.roles["rating"]] = pa.float32()
    if "time" in layout.roles:
        types[layout.roles["time"]] = pa.int64() if "time" in layout.integer else pa.string()
    try:
        table = pacsv.read_csv(
            pa.py_buffer(_one_byte_delimiter(chunk.text, layout)),
            read_options=pacsv.ReadOptions(column_names=layout.names, use_threads=False, block_size=4 * 2**20),
            parse_options=pacsv.ParseOptions(delimiter=_delimiter(layout), quote_char=_quote(layout)),
            convert_options=pacsv.ConvertOptions(
                column_types=types, include_columns=list(types), strings_can_be_null=True
            ),
        ).combine_chunks()
    except pa.ArrowInvalid:
        return None
    if len(table) != chunk.n_lines:
        return None
    columns = {role: single_array(table[name]) for role, name in layout.roles.items()}
    block = typed_block(columns, layout, validation)
    return block and block._replace(lines=range(chunk.line, chunk.line + len(table)), bytes_read=chunk.bytes_read)


def _slow_block(path: Path, chunk: Chunk, layout: FileLayout, validation: Validation) -> Block:
    """Parse every field as text, keep track of each row's line, and give each row that is not usable a reason."""
    text = chunk.text.decode("utf-8", "replace").encode()
    text = re.sub(rb"\r(?!\n)", b" ", text)
    starts, ends = _line_bounds(text)
    is_long = ends - starts > MAX_LINE_BYTES
    if is_long.any():
        text = b"\n".join(b"" if is_long[at] else text[starts[at] : ends[at]] for at in range(len(starts))) + b"\n"
        starts, ends = _line_bounds(text)
    is_blank = (ends == starts) & ~is_long
    body = _one_byte_delimiter(text, layout)
    table, wrong = _parse_text(body, layout, _quote(layout))
    if len(table) + len(wrong) != len(starts):  # a line break inside quotes: parse every line as a row instead
        table, wrong = _parse_text(body, layout, False)
    is_wrong = np.zeros(len(starts), dtype=bool)
    is_wrong[[number - 1 for number in wrong]] = True
    at = np.flatnonzero(~is_wrong)
    columns: dict[Role, pa.Array] = {
        role: pc.utf8_trim(single_array(table[name]).cast(pa.string()), ' \t\r"') for role, name in layout.roles.items()
    }
    block, reasons = checked_block(columns, layout, validation)
    codes = np.zeros(len(starts), dtype=np.int8)
    codes[at] = reasons
    codes[is_wrong] = FIELDS
    codes[is_blank] = BLANK
    codes[is_long] = LONG
    usable = codes[at[block.lines]] == OK  # blank and overlong lines parse as rows, too
    keep = pa.array(usable)
    bad = np.flatnonzero(codes > OK)
    shown = [text[starts[row] : min(ends[row], starts[row] + 500)].decode("utf-8", "replace") or None for row in bad]
    return Block(
        block.users.filter(keep),
        block.items.filter(keep),
        block.ratings[usable],
        block.times[usable],
        at[block.lines][usable] + chunk.line,
        rejected_rows(path.name, bad + chunk.line, codes[bad], shown, validation),
        chunk.bytes_read,
    )


def _parse_text(body: bytes, layout: FileLayout, quote: str | Literal[False]) -> tuple[pa.Table, list[int]]:
    """All columns as text, and the numbers (from 1) of rows with the wrong number of fields."""
    wrong: list[int] = []

    def skip(row: Any) -> str:
        wrong.append(row.number)
        return "skip"

    table = pacsv.read_csv(
        pa.py_buffer(body),
        read_options=pacsv.ReadOptions(
            column_names=layout.names, use_threads=False, block_size=max(len(body) + 1, 2**20)
        ),
        parse_options=pacsv.ParseOptions(
            delimiter=_delimiter(layout), quote_char=quote, ignore_empty_lines=False, invalid_row_handler=skip
        ),
        convert_options=pacsv.ConvertOptions(
            column_types={name: pa.string() for name in layout.names}, strings_can_be_null=False
        ),
    )
    return table.combine_chunks(), wrong


def _delimiter(layout: FileLayout) -> str:
    return "\x1f" if layout.delimiter == "::" else layout.delimiter


def _one_byte_delimiter(text: bytes, layout: FileLayout) -> bytes:
    """Text with `::` replaced by the unit separator: Arrow's CSV reader takes delimiters of one byte only."""
    return text.replace(b"::", b"\x1f") if layout.delimiter == "::" else text


def _quote(layout: FileLayout) -> str | Literal[False]:
    return '"' if layout.delimiter in (",", ";") else False


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
