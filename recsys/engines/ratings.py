"""Read files of ratings on Spark's workers, section by section, with the code that reads them without Spark."""

from __future__ import annotations

import dataclasses
from collections.abc import Generator, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from recsys.dataset.origins import Spelling
from recsys.engines.tasks import TaskFailed, in_order
from recsys.ingest.blocks import Block
from recsys.ingest.layout import Columns, FileLayout
from recsys.ingest.ratings import Section, read_blocks, read_section, sections_of
from recsys.ingest.sources import ReadBlocks
from recsys.ingest.validation import Role, Validation

_COLUMNS = ("users", "items", "ratings", "times")


@contextmanager
def reader(context: Any, folder: Path) -> Iterator[ReadBlocks]:
    """A function that reads as `recsys.ingest.ratings.read_blocks` does, and yields the same blocks. What is not read
    to its end is cancelled.

    folder  for intermediate files; all workers see it, and the files of ratings, under the same path
    """
    with ExitStack() as stack:

        def read(
            path: Path, columns: Columns, validation: Validation, spelling: Mapping[Role, Spelling] | None = None
        ) -> Iterator[Block]:
            blocks = _read(context, folder, path, columns, validation, spelling)
            stack.callback(blocks.close)
            return blocks

        yield read


def _read(
    context: Any,
    folder: Path,
    path: Path,
    columns: Columns,
    validation: Validation,
    spelling: Mapping[Role, Spelling] | None,
) -> Generator[Block, None, None]:
    found = sections_of(path, columns, validation, spelling)
    if found is None:  # compressed text can only be read from its beginning
        yield from read_blocks(path, columns, validation, spelling)
        return
    layout, sections = found
    settings = {"layout": dataclasses.asdict(layout), "validation": dataclasses.asdict(validation)}
    tasks = [{"path": str(path.resolve()), "section": section, **settings} for section in sections]
    line = 1
    try:
        for result in in_order(context, f"{__name__}:read_on_worker", tasks, folder):
            blocks, n_lines = _unpacked(result.read_bytes(), layout)
            result.unlink()
            for block in blocks:
                yield _moved(block, line - 1)
            line += n_lines
    except TaskFailed as error:  # the same error, with the line in the file and the path as the user wrote it
        read_section(path, sections[error.number], layout, validation, line)
        raise


def read_on_worker(task: Mapping[str, Any], shared: bytes, out: Path) -> None:
    """Read one section and write its blocks. Raises InputError."""
    of_layout, of_validation = task["layout"], task["validation"]
    layout = FileLayout(**of_layout | {"names": tuple(of_layout["names"])})
    scale = of_validation["scale"]
    validation = Validation(None if scale is None else tuple(scale), of_validation["ids"])
    blocks, n_lines = read_section(Path(task["path"]), Section(*task["section"]), layout, validation)
    with pa.OSFile(str(out), "wb") as file:
        for block in blocks:
            for table in _packed(block, n_lines):
                with pa.ipc.new_stream(file, table.schema) as stream:
                    stream.write_table(table)
        if not blocks:
            _write_count(file, n_lines)


def _write_count(file: pa.OSFile, n_lines: int) -> None:
    with pa.ipc.new_stream(file, pa.schema([], {"n_lines": str(n_lines)})):
        pass


def _packed(block: Block, n_lines: int) -> tuple[pa.Table, pa.Table]:
    """The usable rows and the rejected rows of a block. A range of lines is in the metadata of the first table."""
    facts = {"n_lines": str(n_lines), "bytes_read": str(block.bytes_read)}
    columns = {name: getattr(block, name) for name in _COLUMNS}
    if isinstance(block.lines, range):
        facts["first_line"] = str(block.lines.start)
    else:
        columns["lines"] = block.lines
    return pa.table(columns).replace_schema_metadata(facts), block.rejected


def _unpacked(content: bytes, layout: FileLayout) -> tuple[list[Block], int]:
    """The blocks of a section and its number of lines."""
    blocks, n_lines = [], 0
    with pa.BufferReader(content) as file:
        while file.tell() < len(content):
            rows = pa.ipc.open_stream(file).read_all()
            facts = {name.decode(): int(value) for name, value in rows.schema.metadata.items()}
            n_lines = facts["n_lines"]
            if not rows.schema.names:
                break
            rejected = pa.ipc.open_stream(file).read_all()
            users, items, ratings, times = (_single(rows[name]) for name in _COLUMNS)
            lines: range | np.ndarray
            if "lines" in rows.schema.names:
                lines = _single(rows["lines"]).to_numpy()
            else:
                lines = range(facts["first_line"], facts["first_line"] + len(rows))
            usable = users, items, ratings.to_numpy(), times.to_numpy(), lines
            blocks.append(Block(*usable, rejected, facts["bytes_read"], layout.spelling))
    return blocks, n_lines


def _single(column: pa.ChunkedArray) -> pa.Array:
    """A column of one chunk, or of none, as an array."""
    return column.chunk(0) if column.num_chunks else pa.array([], column.type)


def _moved(block: Block, n: int) -> Block:
    """The block with the lines of its rows `n` further on."""
    if n == 0:
        return block
    lines = block.lines
    moved = range(lines.start + n, lines.stop + n) if isinstance(lines, range) else lines + n
    at = block.rejected.schema.get_field_index("line")
    numbers = pa.array(block.rejected["line"].to_numpy() + n)
    return block._replace(lines=moved, rejected=block.rejected.set_column(at, block.rejected.schema.field(at), numbers))
