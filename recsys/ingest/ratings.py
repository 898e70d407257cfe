"""Read rating files in blocks: usable rows as typed columns, rejected rows with their reasons.

Every check here looks at one row alone; duplicates and the matrix come later. A block is first parsed into its final
types; only a block where that fails is parsed again as text, row by row, to find the reasons. A row is one line: a
quote that is not closed ends with its line, so that a damaged row never takes others with it.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, BinaryIO, Literal, NamedTuple, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from recsys.dataset.origins import Spelling
from recsys.errors import InputError
from recsys.ingest.blocks import SAMPLE_ROWS, Block, checked_block, single_array, typed_block, with_types
from recsys.ingest.delimited import first_line
from recsys.ingest.digits import count_lines, parse_plain_rows
from recsys.ingest.ids import MISSING_WORDS, as_mask
from recsys.ingest.layout import Columns, FileLayout, detect_layout
from recsys.ingest.tables import (
    PARQUET_ERRORS,
    groups_of_rows,
    parquet_layout,
    read_parquet_blocks,
    read_row_groups,
)
from recsys.ingest.validation import BLANK, FIELDS, LONG, MAX_LINE_BYTES, OK, Role, Validation, rejected_rows
from recsys.limits import check_input
from recsys.threads import n_cores

BLOCK_BYTES = 4 * 2**20
PIECE_BYTES = 2**20
"""A block that has to be parsed as text is parsed in pieces of about this size, to save memory."""
BLOCKS_PER_SECTION = 8
"""Blocks of a text file that are read by one process, where several read a file."""
ROWS_PER_SECTION = 2**20
"""The same for the rows of a Parquet file, at least."""
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
ENDLESS_LINE_BYTES = 256 * 2**20
"""A line as long as this is no damaged row; the file is refused."""

_CODED_TEXT = pa.dictionary(pa.int32(), pa.string())
_NULL_VALUES = sorted({word for name in MISSING_WORDS for word in (name, name.upper(), name.title())} | {"NaN"})


def read_blocks(
    path: Path, columns: Columns, validation: Validation, spelling: Mapping[Role, Spelling] | None = None
) -> Iterator[Block]:
    """Blocks of a CSV, TSV, `::`-separated or Parquet file; text may be compressed with gzip.

    spelling  how ids are written; None: the beginning of the file decides

    Raises InputError for a file that is missing, empty, damaged, no regular file or not of the type its name says, or
    that has no column for the user or the item.
    """
    check_input(path, "file of ratings")
    read = read_parquet_blocks if _is_parquet(path) else _read_text
    try:
        yield from read(path, columns, validation, spelling)
    except PARQUET_ERRORS as error:
        raise InputError(f"{path}: cannot be read to its end: {first_line(error)}") from None


def _read_text(
    path: Path, columns: Columns, validation: Validation, spelling: Mapping[Role, Spelling] | None
) -> Iterator[Block]:
    with pa.input_stream(str(path), compression="detect") as stream:
        first = stream.read(BLOCK_BYTES)
        layout = _layout_of_text(first, path, columns, validation, spelling)
        parse = partial(_parse_chunk, path=path, layout=layout, validation=validation)
        yield from _parse_in_parallel(parse, _chunks(path, stream, first, layout.has_header))


def _layout_of_text(
    first: bytes, path: Path, columns: Columns, validation: Validation, spelling: Mapping[Role, Spelling] | None
) -> FileLayout:
    """The layout of a text file and its types, by its first block."""
    if first[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise InputError(f"{path}: is UTF-16 text; save it as UTF-8")
    first = first.removeprefix(BYTE_ORDER_MARK)
    layout = detect_layout(first, path, columns)
    return with_types(layout, _sample(first, layout), validation, spelling)


def _is_parquet(path: Path) -> bool:
    return path.suffix.lower() in (".parquet", ".pq")


class Section(NamedTuple):
    """Consecutive rows of a file that can be read apart from the others.

    start, stop  bytes of a text file, both at the beginning of a line; row groups of a Parquet file
    """

    start: int
    stop: int


def sections_of(
    path: Path, columns: Columns, validation: Validation, spelling: Mapping[Role, Spelling] | None = None
) -> tuple[FileLayout, list[Section]] | None:
    """A file in sections, for `read_section`, and its layout; None for compressed text, which is read as a whole.

    Raises InputError as `read_blocks` does for what the beginning of the file shows.
    """
    check_input(path, "file of ratings")
    try:
        if _is_parquet(path):
            layout = parquet_layout(path, columns, validation, spelling)
            return layout, [Section(*groups) for groups in groups_of_rows(path, ROWS_PER_SECTION)]
        if _is_compressed(path):
            return None
        with path.open("rb") as file:
            layout = _layout_of_text(file.read(BLOCK_BYTES), path, columns, validation, spelling)
            cuts, size = [0], path.stat().st_size
            for at in range(BLOCKS_PER_SECTION * BLOCK_BYTES, size, BLOCKS_PER_SECTION * BLOCK_BYTES):
                file.seek(at - BLOCK_BYTES)  # where `_chunks` of the whole file cuts, so that the blocks are the same
                behind_line = file.read(BLOCK_BYTES).rfind(b"\n") + 1
                if behind_line:
                    cuts.append(at - BLOCK_BYTES + behind_line)
            return layout, [Section(*pair) for pair in pairwise([*cuts, size])]
    except PARQUET_ERRORS as error:
        raise InputError(f"{path}: cannot be read to its end: {first_line(error)}") from None


def read_section(
    path: Path, section: Section, layout: FileLayout, validation: Validation, first_line_number: int = 1
) -> tuple[list[Block], int]:
    """The blocks of a section, and the number of its lines; lines are counted from `first_line_number`.

    The sections of a file give, one after the other, the blocks of `read_blocks`. Raises InputError.
    """
    try:
        if _is_parquet(path):
            n_rows, blocks = read_row_groups(path, layout, validation, section.start, section.stop, first_line_number)
            return list(blocks), n_rows
        with path.open("rb") as file:
            stream = _SectionOfFile(file, section)
            first = stream.read(BLOCK_BYTES)
            has_header = layout.has_header and section.start == 0
            chunks = _chunks(path, stream, first, has_header, first_line_number, section.start)
            found = [block for chunk in chunks for block in _parse_chunk(chunk, path, layout, validation)]
            return found, stream.n_lines
    except PARQUET_ERRORS as error:
        raise InputError(f"{path}: cannot be read to its end: {first_line(error)}") from None


class _SectionOfFile:
    """A section as a stream. It ends what it reads where reading the whole file in blocks would.

    n_lines  number of line breaks read so far
    """

    def __init__(self, file: BinaryIO, section: Section) -> None:
        file.seek(section.start)
        self._file, self._at, self._stop, self.n_lines = file, section.start, section.stop, 0

    def read(self, size: int) -> bytes:
        """Bytes up to the next multiple of `size`."""
        text = self._file.read(min(self._stop, (self._at // size + 1) * size) - self._at)
        self._at += len(text)
        self.n_lines += count_lines(text)
        return text


def _is_compressed(path: Path) -> bool:
    with pa.input_stream(str(path), compression="detect") as stream:
        return isinstance(stream, pa.CompressedInputStream)


class _Stream(Protocol):
    def read(self, size: int, /) -> bytes: ...


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


def _parse_chunk(chunk: Chunk, path: Path, layout: FileLayout, validation: Validation) -> list[Block]:
    block = _fast_block(chunk, layout, validation)
    if block is not None:
        return [block]
    return [_slow_block(path, piece, layout, validation) for piece in _pieces(chunk)]


def _parse_in_parallel(parse: Callable[[Chunk], list[Block]], chunks: Iterator[Chunk]) -> Iterator[Block]:
    """Blocks in the order of their chunks, parsed by one thread per core, a few ahead of the consumer."""
    n_threads = n_cores()
    waiting: deque[Future[list[Block]]] = deque()
    with ThreadPoolExecutor(n_threads) as pool:
        try:
            for chunk in chunks:
                waiting.append(pool.submit(parse, chunk))
                if len(waiting) > n_threads:
                    yield from waiting.popleft().result()
            while waiting:
                yield from waiting.popleft().result()
        finally:  # the consumer may stop early
            for future in waiting:
                future.cancel()


def _chunks(
    path: Path, stream: _Stream, first: bytes, has_header: bool, line: int = 1, bytes_before: int = 0
) -> Iterator[Chunk]:
    """The file in chunks of whole lines, without its header and without chunks of blank lines only.

    first         what was read of the stream
    line          number of its first line
    bytes_before  bytes of the file before the stream

    A line longer than a block is cut to one byte more than is allowed, so that the next stage rejects it. Raises
    InputError for a line that does not seem to end.
    """
    read, rest, block = bytes_before + len(first), b"", first
    if bytes_before == 0:
        block = first.removeprefix(BYTE_ORDER_MARK)
    if has_header:
        block, line = block.partition(b"\n")[2], line + 1
    too_long, n_cut = b"#" * (MAX_LINE_BYTES + 1) + b"\n", 0
    while True:
        if n_cut:
            cut, newline, block = block.partition(b"\n")
            n_cut += len(cut)
            if n_cut > ENDLESS_LINE_BYTES:
                raise InputError(f"{path}: line {line} is longer than {ENDLESS_LINE_BYTES // 2**20} MiB")
            if newline:
                yield Chunk(read, line, 1, too_long)
                line, n_cut = line + 1, 0
        cut_at = block.rfind(b"\n") + 1
        text = b"".join((rest, memoryview(block)[:cut_at])) if cut_at else b""
        rest = block[cut_at:] if cut_at else rest + block
        if text:
            n_lines = count_lines(text)
            if not text.isspace():
                yield Chunk(read, line, n_lines, text)
            line += n_lines
        if len(rest) > BLOCK_BYTES:
            rest, n_cut = b"", len(rest)
        block = stream.read(BLOCK_BYTES)
        if not block:
            break
        read += len(block)
    if n_cut:
        yield Chunk(read, line, 1, too_long)
    elif rest.strip():
        yield Chunk(read, line, 1, rest)


def _sample(first: bytes, layout: FileLayout) -> dict[Role, pa.Array]:
    """The first rows of a file as text columns; a last line that may be cut off is left out."""
    lines = first.split(b"\n", SAMPLE_ROWS + layout.has_header)
    if len(lines) > SAMPLE_ROWS + layout.has_header or len(first) >= BLOCK_BYTES:
        lines = lines[:-1]
    return _split(b"\n".join(lines[layout.has_header :]), layout).columns


def _fast_block(chunk: Chunk, layout: FileLayout, validation: Validation) -> Block | None:
    """Parse straight into types; None when a row does not parse or lines and rows do not match one to one."""
    columns = parse_plain_rows(chunk.text, chunk.n_lines, layout) or _typed_columns(chunk, layout)
    block = columns and typed_block(columns, layout, validation)
    if not block:
        return None
    return block._replace(lines=range(chunk.line, chunk.line + chunk.n_lines), bytes_read=chunk.bytes_read)


def _typed_columns(chunk: Chunk, layout: FileLayout) -> dict[Role, pa.Array] | None:
    """The columns of the roles as Arrow's parser reads them, in the types that `typed_block` takes."""
    if b"\r" in chunk.text and chunk.text.count(b"\r") != chunk.text.count(b"\r\n"):
        return None  # Arrow takes a single carriage return for the end of a row
    if _may_have_long_lines(chunk.text):
        return None
    types: dict[str, pa.DataType] = {layout.roles["user"]: _CODED_TEXT, layout.roles["item"]: _CODED_TEXT}
    if "rating" in layout.roles:
        types[layout.roles["rating"]] = pa.float64()
    if "time" in layout.roles:
        types[layout.roles["time"]] = pa.float64() if layout.time_is_number else pa.string()
    try:
        table = pacsv.read_csv(
            pa.py_buffer(_one_byte_delimiter(chunk.text, layout)),
            read_options=pacsv.ReadOptions(column_names=layout.names, use_threads=False, block_size=4 * 2**20),
            parse_options=pacsv.ParseOptions(delimiter=_delimiter(layout), quote_char=_quote(layout)),
            convert_options=pacsv.ConvertOptions(
                column_types=types, include_columns=list(types), strings_can_be_null=True, null_values=_NULL_VALUES
            ),
        ).combine_chunks()
    except pa.ArrowInvalid:
        return None
    if len(table) != chunk.n_lines:
        return None
    return {role: single_array(table[name]) for role, name in layout.roles.items()}


def _may_have_long_lines(text: bytes) -> bool:
    """Whether a line may be longer than is allowed: a longer one covers a whole window of half that length."""
    window = MAX_LINE_BYTES // 2
    return any(text.find(b"\n", start, start + window) < 0 for start in range(0, len(text) - window, window))


def _pieces(chunk: Chunk) -> Iterator[Chunk]:
    """The chunk in smaller ones."""
    start, line = 0, chunk.line
    while start < len(chunk.text):
        end = chunk.text.find(b"\n", min(start + PIECE_BYTES, len(chunk.text)) - 1) + 1 or len(chunk.text)
        text = chunk.text[start:end]
        n_lines = text.count(b"\n") + (not text.endswith(b"\n"))
        yield Chunk(chunk.bytes_read, line, n_lines, text)
        start, line = end, line + n_lines


def _slow_block(path: Path, chunk: Chunk, layout: FileLayout, validation: Validation) -> Block:
    """Parse every field as text, keep track of each row's line, and give each row that is not usable a reason."""
    rows = _split(chunk.text, layout)
    block, reasons = checked_block(rows.columns, layout, validation)
    codes = rows.codes.copy()
    codes[rows.at] = reasons
    bad = np.flatnonzero(codes > OK)
    shown = pc.utf8_rtrim(rows.lines.take(pa.array(bad)), "\r\n")
    return block._replace(
        lines=rows.at[block.lines] + chunk.line,
        rejected=rejected_rows(path.name, bad + chunk.line, codes[bad], shown, validation),
        bytes_read=chunk.bytes_read,
    )


class _Rows(NamedTuple):
    """Lines of text, split into fields.

    columns  text of each role, for the n_rows lines that are rows
    at       (n_rows,) the position of each row's line
    codes    (n_lines,) int8: `OK` for rows, else `BLANK`, `FIELDS` or `LONG`
    lines    (n_lines,) strings with their line breaks; those that are too long are empty
    """

    columns: dict[Role, pa.Array]
    at: np.ndarray
    codes: np.ndarray
    lines: pa.Array


def _split(text: bytes, layout: FileLayout) -> _Rows:
    """Split text into lines, and lines into fields."""
    text = text if text.endswith(b"\n") else text + b"\n"
    ends = _line_ends(text)
    is_long = np.diff(ends, prepend=0) > MAX_LINE_BYTES + 1
    if is_long.any():
        starts = ends - np.diff(ends, prepend=0)
        text = b"".join(
            b"\n" if too_long else text[start:end] for start, end, too_long in zip(starts, ends, is_long, strict=True)
        )
    text = re.sub(rb"\r(?!\n)", b" ", text.decode("utf-8", "replace").encode())
    offsets = np.concatenate([[0], _line_ends(text)]).astype(np.int32)
    lines = pa.StringArray.from_buffers(len(ends), pa.py_buffer(offsets), pa.py_buffer(text))
    codes = np.where(as_mask(pc.match_substring_regex(lines, r"^[ \t\n\v\f\r]*$")), BLANK, OK).astype(np.int8)
    if len(layout.names) > 1:  # quicker than the parser, which reports each such row to Python
        codes[(codes == OK) & ~as_mask(pc.match_substring(lines, layout.delimiter))] = FIELDS
    codes[is_long] = LONG
    rows = np.flatnonzero(codes == OK)
    body = text if len(rows) == len(lines) else "".join(lines.take(pa.array(rows)).to_pylist()).encode()
    table, wrong = _parse_text(body, layout)
    if len(table) + len(wrong) != len(rows):  # a quote that is not closed took the next line with it
        table, wrong = _parse_text(_close_quotes(body, layout.delimiter.encode()), layout)
    codes[rows[wrong]] = FIELDS
    columns = {role: single_array(table[name]) for role, name in layout.roles.items()}
    return _Rows(columns, np.flatnonzero(codes == OK), codes, lines)


def _parse_text(body: bytes, layout: FileLayout) -> tuple[pa.Table, np.ndarray]:
    """The columns of the roles as text, and the positions of rows with the wrong number of fields."""
    wanted = list(layout.roles.values())
    if not body:
        return pa.table({name: pa.array([], pa.string()) for name in wanted}), np.empty(0, dtype=np.int64)
    wrong: list[int] = []

    def skip(row: Any) -> str:
        wrong.append(row.number - 1)
        return "skip"

    body = _one_byte_delimiter(body, layout)
    table = pacsv.read_csv(
        pa.py_buffer(body),
        read_options=pacsv.ReadOptions(
            column_names=layout.names, use_threads=False, block_size=max(len(body) + 1, 2**20)
        ),
        parse_options=pacsv.ParseOptions(
            delimiter=_delimiter(layout), quote_char=_quote(layout), ignore_empty_lines=False, invalid_row_handler=skip
        ),
        convert_options=pacsv.ConvertOptions(
            column_types=dict.fromkeys(wanted, pa.string()), include_columns=wanted, strings_can_be_null=False
        ),
    )
    return table.combine_chunks(), np.array(wrong, dtype=np.int64)


def _close_quotes(text: bytes, delimiter: bytes) -> bytes:
    """The same lines, with a quote at the end of each in which a quoted field is not closed."""
    d = re.escape(delimiter)
    field = rb'(?:"(?:[^"]|"")*+"[^%b]*+|[^"%b][^%b]*+|)' % (d, d, d)
    is_closed = re.compile(rb"%b(?:%b%b)*+" % (field, d, field), re.DOTALL).fullmatch
    lines = (line.removesuffix(b"\r") for line in text.removesuffix(b"\n").split(b"\n"))
    return b"".join(line + (b"\n" if b'"' not in line or is_closed(line) else b'"\n') for line in lines)


def _delimiter(layout: FileLayout) -> str:
    return "\x1f" if layout.delimiter == "::" else layout.delimiter


def _one_byte_delimiter(text: bytes, layout: FileLayout) -> bytes:
    """Text with `::` replaced by the unit separator: Arrow's CSV reader takes delimiters of one byte only."""
    return text.replace(b"::", b"\x1f") if layout.delimiter == "::" else text


def _quote(layout: FileLayout) -> str | Literal[False]:
    return '"' if layout.is_csv else False


def _line_ends(text: bytes) -> np.ndarray:
    """The position behind each line break, int64."""
    return np.flatnonzero(np.frombuffer(text, dtype=np.uint8) == ord("\n")) + 1
