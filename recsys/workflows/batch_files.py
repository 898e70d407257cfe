"""The folder of one batch of recommendations: the request, the result, and the lists as Parquet and CSV.

A batch is its folder: `request.json` says what was asked for, `result.json` what was made. The folder alone is enough
to find and resume a batch after the app was restarted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq
from pydantic import BaseModel, Field

from recsys import atomic, store
from recsys.errors import InputError, UnknownId, quoted
from recsys.workflows.batch_output import has_formulas

LISTS, CSV, REJECTED = "recommendations.parquet", "recommendations.csv", "recommendations.rejected.parquet"
REQUEST, RESULT, USERS = "request.json", "result.json", "users"
BATCH_NAME = re.compile(r"[0-9a-f]{32}")

T = TypeVar("T")


@dataclass(frozen=True)
class Request:
    """What was asked for.

    model         folder of the model
    data          prepared folder
    k             length of each list
    exclude_seen  whether movies that a user has rated are left out
    users         name of the file in the folder `users` that lists the users; None: all users in the data
    """

    model: Path
    data: Path
    k: Annotated[int, Field(ge=1)]
    exclude_seen: bool
    users: str | None = None

    def __post_init__(self) -> None:
        if self.users is not None and not store.is_safe_name(self.users):
            raise InputError(f"users: {quoted(self.users)} is no name of a file of a batch")

    def to_json(self) -> dict[str, Any]:
        """The content of `request.json`."""
        return {key: str(value) if isinstance(value, Path) else value for key, value in vars(self).items()}


class _Result(BaseModel):
    """The content of `result.json`: `RecommendedBatch.to_json`, and what a spreadsheet would run."""

    out: str
    users: store.Count
    rows: store.Count
    k: store.Count
    origin: dict[str, store.Count]
    resumed_parts: store.Count
    rejected_users: store.Count
    rejected_file: str | None = None
    has_formulas: bool


def find_batch(root: Path, name: str) -> Path | None:
    """The folder of a batch under `root`; None if there is no such batch or `name` is not the name of one."""
    folder = root / name if BATCH_NAME.fullmatch(name) else None
    return folder if folder is not None and not folder.is_symlink() and (folder / REQUEST).is_file() else None


def holds_only_a_batch(folder: Path) -> bool:
    """Whether every file in the folder of a batch is one that a batch writes, by its name."""
    return all(_is_of_a_batch(path) for path in folder.iterdir())


def _is_of_a_batch(path: Path) -> bool:
    target = atomic.target_of(path) or path  # of a lock or temporary file
    if path.is_symlink():
        return False
    if path.is_dir():
        inside = list(path.iterdir())
        if target.name == USERS:  # one list, perhaps with its lock and a temporary file
            names = {(atomic.target_of(file) or file).name for file in inside}
            return len(names) <= 1 and all(file.is_file() and not file.is_symlink() for file in inside)
        return target.name in (LISTS, f".{LISTS}.parts") and all(map(store.is_part, inside))
    return target.name in (REQUEST, RESULT, LISTS, CSV, REJECTED, f".{LISTS}.parts")


def read_request(folder: Path) -> Request:
    """What a batch was asked for. Raises InputError for a file that cannot be read."""
    return _checked(Request, folder / REQUEST)


def read_result(folder: Path) -> dict[str, Any] | None:
    """The result of a finished batch; None while it is not finished. Raises InputError for a file that cannot be
    read."""
    path = folder / RESULT
    return _checked(_Result, path).model_dump(exclude_unset=True) if path.is_file() else None


def _checked(kind: type[T], path: Path) -> T:
    stored = store.read_json(path)
    try:
        return store.checked(kind, stored)
    except InputError as error:
        raise InputError(f"{path}: cannot be read ({error}); start a new batch") from None


def write_csv(table: Path, out: Path) -> bool:
    """Write a Parquet table as CSV, one batch of rows in memory at a time.

    Returns whether any text starts like a formula, which a spreadsheet would run.
    """
    found = False
    with (
        pq.ParquetFile(table) as file,
        store.new_file(out) as temporary,
        pyarrow.csv.CSVWriter(temporary, file.schema_arrow) as writer,
    ):
        for rows in file.iter_batches():
            writer.write_batch(rows)
            found |= has_formulas(rows)
    return found


def first_rows(folder: Path, n: int) -> pd.DataFrame:
    """The first n rows of a finished batch. Raises InputError if its files are gone."""
    with _open_lists(folder) as file:
        for rows in file.iter_batches(batch_size=n):
            return rows.to_pandas()
        return file.schema_arrow.empty_table().to_pandas()


def rows_of_user(folder: Path, user: str) -> pd.DataFrame:
    """The list of one user, given as typed.

    Raises UnknownId for a user who is not in the batch, InputError if its files are gone.
    """
    with _open_lists(folder) as file:
        kind = file.schema_arrow.field("user_id").type
        wanted = pa.array([user.strip()])
        try:
            wanted = wanted.cast(kind)
        except pa.ArrowInvalid:
            raise UnknownId.of("user", [user]) from None
        for number in range(file.num_row_groups):
            if _may_contain(file, number, wanted[0].as_py()):
                rows = file.read_row_group(number)
                found = rows.filter(pc.equal(rows["user_id"], wanted[0]))
                if len(found):
                    return found.to_pandas()
    raise UnknownId.of("user", [user])


def unused_lines(folder: Path) -> pd.DataFrame | None:
    """Lines of the list of users that were not used: file, line, reason, text; None if all were used."""
    path = folder / REJECTED
    if not path.is_file():
        return None
    with _reading():
        return pq.read_table(path).to_pandas()


def _may_contain(file: pq.ParquetFile, number: int, user: Any) -> bool:
    statistics = file.metadata.row_group(number).column(0).statistics
    return statistics is None or not statistics.has_min_max or statistics.min <= user <= statistics.max


@contextmanager
def _open_lists(folder: Path) -> Iterator[pq.ParquetFile]:
    with _reading(), pq.ParquetFile(folder / LISTS) as file:
        yield file


@contextmanager
def _reading() -> Iterator[None]:
    try:
        yield
    except (OSError, pa.ArrowException, UnicodeDecodeError):
        raise InputError("the files of this batch are gone or damaged; start a new batch") from None
