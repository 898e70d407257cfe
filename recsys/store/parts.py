"""Parts: a Parquet file written in parts, so that an interrupted run can be resumed."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from recsys.store.files import check_replaceable, new_file, read_json, write_json, write_table


class Parts:
    """A Parquet file written in parts, each of which is safely on disk once it is written.

    The parts are in a hidden folder next to the file, together with the plan they belong to. With `resume`, the parts
    of an interrupted run with the same plan are kept. Without it, or with another plan, they are deleted.

    out      the file
    plan     plain values that determine the content, such as fingerprints of the model and the data
    n_found  number of parts that were kept
    """

    def __init__(self, out: Path, plan: Mapping[str, Any], resume: bool) -> None:
        self.out = out
        self.folder = out.with_name(f".{out.name}.parts")
        plan_file = self.folder / "plan.json"
        if not (resume and plan_file.is_file() and read_json(plan_file) == dict(plan)):
            check_replaceable(self.folder, plan_file.name)
            shutil.rmtree(self.folder, ignore_errors=True)
            write_json(plan_file, dict(plan))
        self.n_found = len(list(self.folder.glob("*.parquet")))

    def has(self, number: int) -> bool:
        """Whether the part is already written."""
        return self._part(number).is_file()

    def write(self, number: int, table: pa.Table) -> None:
        """Write one part, atomically."""
        write_table(self._part(number), table)

    def join(self, n_parts: int) -> int:
        """Join the parts into the file, one row group each, and delete them; returns the number of rows."""
        n_rows = 0
        with new_file(self.out) as temporary:
            schema = pq.read_schema(self._part(0)).remove_metadata()
            with pq.ParquetWriter(temporary, schema) as writer:
                for number in range(n_parts):
                    table = pq.read_table(self._part(number)).cast(schema)
                    n_rows += len(table)
                    writer.write_table(table, row_group_size=max(len(table), 1))
        shutil.rmtree(self.folder)
        return n_rows

    def _part(self, number: int) -> Path:
        return self.folder / f"{number:06d}.parquet"
