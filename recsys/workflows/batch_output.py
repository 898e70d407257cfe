"""Ranked lists of many users (or items) into files: the columns, the formats, and folders of partitions.

Arrays become Arrow tables without a detour through pandas. Does not know where the lists come from.
"""

from __future__ import annotations

import json
import zlib
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from recsys import store
from recsys.errors import InputError, SettingError, quoted
from recsys.topk import NONE

Format = Literal["parquet", "csv", "jsonl"]
SUFFIXES: dict[str, Format] = {
    ".parquet": "parquet",
    ".pq": "parquet",
    ".csv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
}
MOST_PARTITIONS = 10_000
WAITING_PARTS = 2
"""Parts that may wait to be written while further ones are computed: their number bounds the memory."""
FORMULA = r"^[=+\-@]"
"""How a text starts that a spreadsheet would run."""

Arrays = tuple[np.ndarray, np.ndarray]
"""Columns int32 and scores float32, both (n, k), as `recsys.topk.top_k` returns them."""


def format_of(out: Path) -> Format:
    """The format that the suffix of a file stands for; Parquet without a suffix. Raises InputError for another one."""
    suffix = out.suffix.lower()
    if suffix and suffix not in SUFFIXES:
        raise InputError(f"{out}: {quoted(suffix)} is no known format; use .parquet, .csv or .jsonl, or give --format")
    return SUFFIXES.get(suffix, "parquet")


def partition_of(ids: np.ndarray, n_partitions: int) -> np.ndarray:
    """The partition of each id, int64 (n,): CRC-32 (as in zlib) of the id as UTF-8 text, modulo `n_partitions`.

    Equal to `crc32(CAST(user_id AS STRING)) % n` of Spark, Hive and MySQL. Raises SettingError for a number of
    partitions outside 1 … `MOST_PARTITIONS`.
    """
    if not 1 <= n_partitions <= MOST_PARTITIONS:
        raise SettingError(f"the number of partitions is between 1 and {MOST_PARTITIONS:,}, not {n_partitions:,}")
    return np.array([zlib.crc32(str(i).encode()) % n_partitions for i in ids.tolist()], dtype=np.int64)


@dataclass(frozen=True, eq=False)
class Columns:
    """The columns of a table of lists, one row for each owner of a list and rank.

    owner, member, value  names of the columns: who has the list, what is on it, and how good it is
    owners                ids of the owners, in the order of the table
    members               ids of all items; lists contain their row numbers
    owner_titles, member_titles  titles of both; None: no such column. They are named `title`, and `<member>_title`
                          where both are there
    """

    owner: str
    owners: pa.Array
    member: str
    members: pa.Array
    value: str
    owner_titles: pa.Array | None = None
    member_titles: pa.Array | None = None

    def table(self, rows: slice, lists: Arrays) -> pa.Table:
        """The table of the lists of some owners; `NONE` in a list is left out."""
        columns, scores = lists
        n, k = columns.shape
        found = columns != NONE
        is_full = bool(found.all())
        lengths = k if is_full else found.sum(axis=1)
        owners = pa.array(np.repeat(np.arange(rows.start, rows.stop), lengths))
        ranks = np.tile(np.arange(1, k + 1, dtype=np.int32), n)
        if is_full:
            columns, scores = columns.ravel(), scores.ravel()
        else:
            ranks, columns, scores = ranks[found.ravel()], columns[found], scores[found]
        members = pa.array(columns)
        both = self.owner_titles is not None
        parts = {self.owner: self.owners.take(owners)}
        if self.owner_titles is not None:
            parts["title"] = self.owner_titles.take(owners)
        parts["rank"] = pa.array(ranks)
        parts[self.member] = self.members.take(members)
        if self.member_titles is not None:
            parts[f"{self.member.removesuffix('_id')}_title" if both else "title"] = self.member_titles.take(members)
        return pa.table(parts | {self.value: pa.array(scores)})

    @property
    def schema(self) -> pa.Schema:
        """Names and types of the columns."""
        return self.table(slice(0, 0), (np.empty((0, 1), np.int32), np.empty((0, 1), np.float32))).schema


class _Writer(Protocol):
    """A file that tables are appended to."""

    def write_table(self, table: pa.Table) -> None: ...

    def close(self) -> None: ...


class _Parquet:
    """One row group for each table. Scores hardly repeat, so a dictionary of them would only cost time."""

    def __init__(self, path: Path, columns: Columns) -> None:
        schema = columns.schema
        repeating = [name for name in schema.names if name != columns.value]
        self._file = pq.ParquetWriter(path, schema, use_dictionary=repeating, write_page_checksum=True)

    def write_table(self, table: pa.Table) -> None:
        if len(table):
            self._file.write_table(table, row_group_size=len(table))

    def close(self) -> None:
        self._file.close()


class _Csv:
    """RFC 4180 with a header; text is quoted, numbers are not."""

    def __init__(self, path: Path, columns: Columns) -> None:
        self._file = pyarrow.csv.CSVWriter(path, columns.schema)

    def write_table(self, table: pa.Table) -> None:
        self._file.write_table(table)

    def close(self) -> None:
        self._file.close()


class _JsonLines:
    """One JSON object for each row, with the columns as keys."""

    def __init__(self, path: Path, columns: Columns) -> None:
        self._file: IO[bytes] = path.open("wb")

    def write_table(self, table: pa.Table) -> None:
        pieces: list[pa.Array | str] = []
        for name, column in zip(table.column_names, table.columns, strict=True):
            pieces += [f"{',' if pieces else '{'}{json.dumps(name)}:", _json_texts(column.combine_chunks())]
        lines = pc.binary_join_element_wise(*pieces, "}\n", "")
        for chunk in lines.chunks if isinstance(lines, pa.ChunkedArray) else [lines]:
            if len(chunk):  # the texts of an array follow each other in one buffer
                starts = np.frombuffer(chunk.buffers()[1], np.int32)[chunk.offset : chunk.offset + len(chunk) + 1]
                self._file.write(memoryview(chunk.buffers()[2])[starts[0] : starts[-1]])

    def close(self) -> None:
        self._file.close()


def _json_texts(column: pa.Array) -> pa.Array:
    """The values of a column as JSON."""
    if not pa.types.is_string(column.type):
        return column.cast(pa.string())
    coded = column.dictionary_encode()
    texts = pa.array([json.dumps(text, ensure_ascii=False) for text in coded.dictionary.to_pylist()], pa.string())
    return texts.take(coded.indices)


_WRITERS: dict[Format, Callable[[Path, Columns], _Writer]] = {"parquet": _Parquet, "csv": _Csv, "jsonl": _JsonLines}


def has_formulas(table: pa.Table | pa.RecordBatch) -> bool:
    """Whether any text in a table starts like a formula, which a spreadsheet would run."""
    texts = (column for column in table.columns if pa.types.is_string(column.type))
    return any(bool(pc.any(pc.match_substring_regex(column, FORMULA)).as_py()) for column in texts)


@dataclass(frozen=True)
class Segment:
    """A file, and the rows of `Columns.owners` whose lists it holds."""

    path: Path
    owners: slice


class Output:
    """Files that are written one after the other, from lists in the order of the owners. Not atomic by itself.

    segments    cover all owners, in order
    n_rows      rows written so far
    has_formulas  of a CSV file, whether any text starts like a formula
    """

    def __init__(self, segments: Sequence[Segment], columns: Columns, kind: Format) -> None:
        self._segments, self._columns, self._kind = deque(segments), columns, kind
        self._open: _Writer | None = None
        self.n_rows = 0
        self.has_formulas = False

    def write(self, owners: slice, lists: Arrays) -> None:
        """Append the lists of the next owners."""
        start = owners.start
        while start < owners.stop:
            segment = self._segments[0]
            stop = min(owners.stop, segment.owners.stop)
            rows = slice(start - owners.start, stop - owners.start)
            table = self._columns.table(slice(start, stop), (lists[0][rows], lists[1][rows]))
            if self._open is None:
                segment.path.parent.mkdir(exist_ok=True)
                self._open = _WRITERS[self._kind](segment.path, self._columns)
            self._open.write_table(table)
            self.n_rows += len(table)
            self.has_formulas |= self._kind == "csv" and has_formulas(table)
            if stop == segment.owners.stop:
                self.close()
                self._segments.popleft()
            start = stop

    def close(self) -> None:
        """Close the file that is open, if one is."""
        if self._open is not None:
            self._open.close()
            self._open = None


def write_in_parts(
    output: Output, parts: store.Parts, blocks: Sequence[slice], k: int, compute: Callable[[slice], Arrays]
) -> None:
    """Compute the lists of each block of owners that is not among the parts, and write all of them in order.

    A block is written, as a part and to the output, while the next ones are computed. An exception in `compute` ends
    the run after the blocks that are already computed have become parts.
    """

    def finish(number: int, lists: Arrays) -> None:
        if not parts.has(number):
            parts.write(number, b"".join(array.tobytes() for array in lists))
        output.write(blocks[number], lists)

    with ExitStack() as stack:
        stack.callback(output.close)
        pool = stack.enter_context(ThreadPoolExecutor(1))  # leaving it waits for what was submitted
        waiting: deque[Future[None]] = deque()
        for number, owners in enumerate(blocks):
            n = owners.stop - owners.start
            lists = _lists_of(parts.read(number), n, k) if parts.has(number) else compute(owners)
            waiting.append(pool.submit(finish, number, lists))
            if len(waiting) > WAITING_PARTS:
                waiting.popleft().result()
        for future in waiting:
            future.result()


def _lists_of(content: bytes, n: int, k: int) -> Arrays:
    columns = np.frombuffer(content, np.int32, n * k).reshape(n, k)
    return columns, np.frombuffer(content, np.float32, n * k, offset=columns.nbytes).reshape(n, k)


def partitions_in(folder: Path, sizes: np.ndarray, kind: Format) -> Iterator[Segment]:
    """The files of a folder of partitions that have owners: `part=NUMBER/recommendations.SUFFIX`.

    sizes  (n_partitions,) number of owners in each; the owners are sorted by partition
    """
    stops = np.cumsum(sizes)
    for number in np.flatnonzero(sizes):
        rows = slice(int(stops[number] - sizes[number]), int(stops[number]))
        yield Segment(folder / f"part={number}" / f"recommendations.{kind}", rows)
