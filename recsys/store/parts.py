"""Parts: a Parquet file written in parts, so that an interrupted run can be resumed."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from recsys import atomic
from recsys.errors import InputError
from recsys.store.files import dump_json, open_file, read_json

PLAN = "plan.json"
MOST_PART_BYTES = 2**30
"""A larger file is no part: parts are some ten megabytes, and are read as a whole."""
_PART = re.compile(r"(\d{6})-([0-9a-f]{64})\.parquet")


def is_part(path: Path) -> bool:
    """Whether a file is a part, a plan, or a lock or temporary file of one, by its name."""
    is_ours = path.name == PLAN or _PART.fullmatch(path.name) or atomic.target_of(path) is not None
    return bool(is_ours) and path.is_file() and not path.is_symlink()


class Parts:
    """A Parquet file written in parts, each of which is safely on disk once it is written.

    The parts are in a hidden folder next to the file, together with the plan they belong to. The name of a part
    contains the SHA-256 of the plan, the number of the part and its content, so that a part is recognised neither under
    another number nor under another plan. With `resume`, the parts of an interrupted run with the same plan are kept,
    except damaged ones. Without it, or with another plan, they are deleted. The caller holds the lock of the file.

    out      the file
    plan     plain values that determine the content, such as fingerprints of the model and the data
    n_found  number of parts that were kept

    Raises InputError when the hidden folder contains a file that is not ours.
    """

    def __init__(self, out: Path, plan: Mapping[str, Any], resume: bool) -> None:
        self.out = out
        self.folder = out.with_name(f".{out.name}.parts")
        self._plan = json.dumps(dict(plan), sort_keys=True).encode()
        self._check_ours()
        with atomic.lock(self.folder):  # also removes the lock of a run that was killed while it wrote the plan
            if self.folder.is_dir() and not (resume and self._has_plan(plan)):
                atomic.remove_folder(self.folder, out)
            if not self.folder.is_dir():
                with atomic.new_folder(self.folder) as temporary:
                    dump_json(temporary / PLAN, dict(plan))
        self._parts = self._intact_parts()
        self.n_found = len(self._parts)

    def has(self, number: int) -> bool:
        """Whether the part is already written."""
        return number in self._parts

    def write(self, number: int, table: pa.Table) -> None:
        """Write one part, atomically."""
        buffer = pa.BufferOutputStream()
        pq.write_table(table, buffer)
        content = buffer.getvalue()
        path = self.folder / f"{number:06d}-{self._digest(number, content)}.parquet"
        with atomic.new_file(path) as temporary:
            temporary.write_bytes(content)
        self._parts[number] = path

    def join(self, n_parts: int) -> int:
        """Join the parts into the file, one row group each, and delete them; returns the number of rows.

        Raises InputError when a part was changed meanwhile.
        """
        n_rows = 0
        with atomic.new_file(self.out) as temporary:
            schema = self._read(0).schema.remove_metadata()
            with pq.ParquetWriter(temporary, schema, write_page_checksum=True) as writer:
                for number in range(n_parts):
                    table = self._read(number).cast(schema)
                    n_rows += len(table)
                    writer.write_table(table, row_group_size=max(len(table), 1))
        atomic.remove_folder(self.folder, self.out)
        return n_rows

    def _check_ours(self) -> None:
        if not self.folder.exists() and not self.folder.is_symlink():
            return
        if self.folder.is_symlink() or not self.folder.is_dir():
            raise InputError(f"{self.folder}: is in the way of the parts of {self.out.name}; move it")
        for path in self.folder.iterdir():
            if not is_part(path):
                raise InputError(f"{path}: is no part of {self.out.name}; move it out of that folder")

    def _has_plan(self, plan: Mapping[str, Any]) -> bool:
        try:
            return read_json(self.folder / PLAN) == dict(plan)
        except InputError:  # damaged: it cannot say what the parts belong to
            return False

    def _intact_parts(self) -> dict[int, Path]:
        """The parts on disk by number. A part that is not what was written is deleted, to be made again."""
        parts = {}
        for path in sorted(self.folder.iterdir()):
            found = _PART.fullmatch(path.name)
            if found and self._content(path) is not None:
                parts[int(found[1])] = path
            elif path.name != PLAN:
                path.unlink()
        return parts

    def _read(self, number: int) -> pa.Table:
        path = self._parts[number]
        content = self._content(path)
        if content is None:
            raise InputError(f"{path}: was changed by another program; run this again with --resume")
        return pq.read_table(pa.BufferReader(content))

    def _content(self, path: Path) -> bytes | None:
        """The content of a part; None if it is not what was written."""
        number, digest = path.stem.split("-")
        try:
            if path.stat().st_size > MOST_PART_BYTES:
                return None
            with open_file(path) as file:
                content = file.read(MOST_PART_BYTES)
        except (InputError, OSError):
            return None
        return content if self._digest(int(number), content) == digest else None

    def _digest(self, number: int, content: bytes | pa.Buffer) -> str:
        digest = hashlib.sha256(b"%d %d " % (number, len(self._plan)) + self._plan)
        digest.update(content)
        return digest.hexdigest()
