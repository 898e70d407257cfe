"""Batches made behind the pages: each in a folder of its own, two at a time, to be watched, stopped and taken up again.

Knows the stage that makes the lists; knows no screen. A batch is its folder: what was asked for is in `request.json`,
what came of it in `result.json`, so that it can be found again after the app was started anew.
"""

from __future__ import annotations

import dataclasses
import re
import secrets
import shutil
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from threading import Condition, Thread
from typing import Any, Literal

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from recsys import store
from recsys.errors import InputError, RecsysError, UnknownId
from recsys.ingest.users import read_user_ids
from recsys.workflows import recommend as recommend_workflow

MOST_AT_ONCE = 2
"""Batches that run at once, over all sessions: each takes a core."""
MOST_ROWS = 10_000_000
"""Of a batch made here: some 100 MB as Parquet and 300 MB as CSV, which a browser still takes."""
KEPT_SECONDS = 24 * 3600
"""A batch is removed when another one begins and nothing has changed in its folder for so long."""
KEPT_OF_A_SESSION = 3
"""Batches that a session keeps: its earlier ones are removed when it begins another."""
GRACE_SECONDS = 60.0
"""A batch whose reader has gone goes on for so long: a reloaded page or a broken connection is back by then."""

LISTS, CSV, REQUEST, RESULT, USERS = (
    "recommendations.parquet",
    "recommendations.csv",
    "request.json",
    "result.json",
    "users",
)
_NAME = re.compile(r"[0-9a-f]{32}")
_FORMULA = r"^[=+\-@]"
_PARQUET = (".parquet", ".pq")

State = Literal["waiting", "running", "done", "stopped", "failed"]


class TooManyRows(InputError):
    """More rows than are made here; in a terminal there is no such limit."""


class Cancelled(Exception):
    """Raised out of a progress callback to end a batch between two blocks."""


@dataclass(frozen=True)
class Request:
    """What was asked for.

    model         folder of the model
    data          prepared folder
    k             length of each list
    exclude_seen  whether what a user has rated is left out
    users         name of the file in the folder `users` that lists whom to recommend to; None: everyone in the data
    """

    model: Path
    data: Path
    k: int
    exclude_seen: bool
    users: str | None = None


# --- folders ----------------------------------------------------------------------------------------------------


def new_batch(
    root: Path, request: Request, n_users: int, listed: tuple[str, bytes] | None = None, now: float | None = None
) -> Path:
    """Make the folder of a new batch under `root`, under a name nobody can guess; old ones are removed first.

    n_users  users in the data
    listed   name and content of a list of users, text or Parquet as `read_user_ids` reads them

    Raises InputError, and leaves nothing behind, for a list that holds no user ids or cannot be read, more than
    `MOST_ROWS` rows (TooManyRows), and a folder that cannot be written.
    """
    remove_old(root, time.time() if now is None else now)
    folder = root / secrets.token_hex(16)
    try:
        if listed is not None:
            request = dataclasses.replace(request, users=_safe(listed[0]))
            path = folder / USERS / str(request.users)
            with store.new_file(path) as temporary:
                temporary.write_bytes(listed[1])
            n_users = min(n_users, len(read_user_ids(path)[0]))
        if n_users * request.k > MOST_ROWS:
            raise TooManyRows(
                f"{n_users:,} users with {request.k:,} movies each are more than {MOST_ROWS:,} rows; "
                "name fewer, or run recsys recommend in a terminal"
            )
        plain = {key: str(value) if isinstance(value, Path) else value for key, value in vars(request).items()}
        store.write_json(folder / REQUEST, plain)
    except RecsysError as error:
        shutil.rmtree(folder, ignore_errors=True)
        kind = TooManyRows if isinstance(error, TooManyRows) else InputError
        raise kind(_without_folder(error, folder)) from None
    return folder


def find_batch(root: Path, name: str) -> Path | None:
    """The folder of a batch by its name, whatever an address may say; None where there is none."""
    folder = root / name if _NAME.fullmatch(name) else None
    return folder if folder is not None and not folder.is_symlink() and (folder / REQUEST).is_file() else None


def request_of(folder: Path) -> Request:
    """What a batch was asked for. Raises InputError for a file that cannot be read."""
    stored = store.read_json(folder / REQUEST)
    try:
        return Request(**{**stored, "model": Path(stored["model"]), "data": Path(stored["data"])})
    except (KeyError, TypeError) as error:
        raise InputError(f"{folder / REQUEST}: cannot be read ({error}); begin a new batch") from None


def result_of(folder: Path) -> dict[str, Any] | None:
    """The result of a finished batch; None while it is not finished. Raises InputError."""
    return store.read_json(folder / RESULT) if (folder / RESULT).is_file() else None


def remove_old(root: Path, now: float) -> None:
    """Remove the batches under `root` that nobody has changed for `KEPT_SECONDS`, other than those being made."""
    if not root.is_dir():
        return
    for folder in root.iterdir():
        if _NAME.fullmatch(folder.name) and folder.is_dir() and not folder.is_symlink() and not DESK.is_active(folder):
            try:
                newest = max(path.lstat().st_mtime for path in (folder, *folder.iterdir()))
            except FileNotFoundError:  # another session removes it at this moment
                continue
            if now - newest > KEPT_SECONDS:
                DESK.forget(folder)


def _safe(name: str) -> str:
    """A name from outside if it may be one of a file, else one that says what the file holds."""
    if store.is_safe_name(name):
        return name
    return "users.parquet" if name.lower().endswith(_PARQUET) else "users.txt"


def _without_folder(error: BaseException, folder: Path) -> str:
    """An error's one line without the folder's name, which is nobody's business."""
    return str(error).replace(f"{folder / USERS}/", "").replace(f"{folder}/", "").replace(str(folder), "the batch")


# --- work -------------------------------------------------------------------------------------------------------


class Job:
    """The making of one batch, as seen from any thread.

    state        where it stands; "stopped" can be taken up again, "failed" says why in `error`
    done, total  users who have their list, of how many; total is 0 while model and data are read
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.request = request_of(folder)
        self.state: State = "waiting"
        self.done = self.total = 0
        self.error = ""
        self._is_cancelled = False
        self._ends: float | None = None
        self._began: tuple[float, int] | None = None

    @property
    def is_active(self) -> bool:
        return self.state in ("waiting", "running")

    @property
    def is_left(self) -> bool:
        """Whether its reader has gone and nobody has come back."""
        return self._ends is not None

    def cancel(self) -> None:
        """End it at the next block; the finished parts stay."""
        self._is_cancelled = True

    def leave(self) -> None:
        """Its reader has gone: end it soon, unless they come back and `stay`."""
        self._ends = time.monotonic() + GRACE_SECONDS

    def stay(self) -> None:
        """Its reader is there."""
        self._ends = None

    @property
    def seconds_left(self) -> float | None:
        """At the pace so far; None before there is one."""
        if self._began is None or self.done <= self._began[1]:
            return None
        began, at_first = self._began
        return (time.monotonic() - began) * (self.total - self.done) / (self.done - at_first)

    def run(self) -> None:
        """Make the batch, in the caller's thread. What a user cannot mend goes through, and leaves it failed."""
        self.state = "running"
        outcome: State = "failed"
        try:
            self._check()
            request = self.request
            result = recommend_workflow.recommend_batch(
                request.model,
                request.data,
                self.folder / LISTS,
                k=request.k,
                users=None if request.users is None else self.folder / USERS / request.users,
                exclude_seen=request.exclude_seen,
                resume=True,
                n_threads=1,
                start_progress=lambda _: self._progress,
            )
            has_formulas = write_csv(self.folder / LISTS, self.folder / CSV)
            store.write_json(self.folder / RESULT, {**result.to_json(), "has_formulas": has_formulas})
            outcome = "done"
        except Cancelled:
            outcome = "stopped"
        except (RecsysError, OSError) as error:
            self.error = _without_folder(error, self.folder)
        finally:
            self.state = outcome

    def _progress(self, done: int, total: int) -> None:
        self.done, self.total = done, total
        self._began = self._began or (time.monotonic(), done)
        self._check()

    def _check(self) -> None:
        if self._is_cancelled or (self._ends is not None and time.monotonic() > self._ends):
            raise Cancelled


class Desk:
    """Takes jobs and runs at most `n_places` at once; the others wait in the order in which they came."""

    def __init__(self, n_places: int) -> None:
        self._n_places = n_places
        self._changed = Condition()
        self._jobs: dict[str, Job] = {}
        self._waiting: deque[Job] = deque()
        self._n_running = 0

    def start(self, folder: Path) -> Job:
        """Make the batch of that folder, or go on with it; one that is being made already is not made twice."""
        with self._changed:
            known = self._jobs.get(folder.name)
            if known is not None and known.is_active:
                return known
            job = self._jobs[folder.name] = Job(folder)
            self._waiting.append(job)
            self._fill()
            return job

    def find(self, folder: Path) -> Job | None:
        """The job of that folder since the app was started, if there was one."""
        return self._jobs.get(folder.name)

    def is_active(self, folder: Path) -> bool:
        """Whether that batch is being made, or waits for it."""
        job = self.find(folder)
        return job is not None and job.is_active

    def n_before(self, job: Job) -> int:
        """How many wait before it."""
        with self._changed:
            return self._waiting.index(job) if job in self._waiting else 0

    def cancel(self, job: Job) -> None:
        """End a job at its next block, or at once where it waits."""
        job.cancel()
        with self._changed:
            if job in self._waiting:
                self._waiting.remove(job)
                job.state = "stopped"
                self._changed.notify_all()

    def forget(self, folder: Path) -> None:
        """Remove a batch that is not being made, with all its files."""
        with self._changed:
            if not self.is_active(folder):
                self._jobs.pop(folder.name, None)
                shutil.rmtree(folder, ignore_errors=True)

    def keep(self, folders: list[Path], most: int = KEPT_OF_A_SESSION) -> list[Path]:
        """Remove the oldest of a session's batches, given in the order in which they began, until `most` are left or
        the rest is being made; returns what is left."""
        idle = [folder for folder in folders if not self.is_active(folder)]
        gone = idle[: max(len(folders) - most, 0)]
        for folder in gone:
            self.forget(folder)
        return [folder for folder in folders if folder not in gone]

    def wait(self, job: Job, seconds: float) -> bool:
        """Wait until a job is over; whether it was in that time."""
        with self._changed:
            return self._changed.wait_for(lambda: not job.is_active, seconds)

    def _fill(self) -> None:
        while self._waiting and self._n_running < self._n_places:
            job = self._waiting.popleft()
            job.state = "running"
            self._n_running += 1
            # A daemon: whoever stops the server does not wait for a batch, and its finished parts are on disk.
            Thread(target=self._run, args=(job,), name=f"batch-{job.folder.name[:8]}", daemon=True).start()

    def _run(self, job: Job) -> None:
        try:
            job.run()
        finally:
            with self._changed:
                self._n_running -= 1
                self._fill()
                self._changed.notify_all()


DESK = Desk(MOST_AT_ONCE)
"""The one desk of the app, for all sessions."""


class Reader:
    """What a session looks at; its end lets go of it."""

    def __init__(self) -> None:
        self.folder: Path | None = None

    def leave(self) -> None:
        """The session has ended."""
        job = None if self.folder is None else DESK.find(self.folder)
        if job is not None:
            job.leave()


# --- what came of it --------------------------------------------------------------------------------------------


def write_csv(table: Path, out: Path) -> bool:
    """Write a Parquet table as CSV, a batch of rows in memory at a time; whether any text in it begins like a formula,
    which spreadsheets run."""
    has_formulas = False
    with (
        pq.ParquetFile(table) as file,
        store.new_file(out) as temporary,
        pyarrow.csv.CSVWriter(temporary, file.schema_arrow) as writer,
    ):
        for rows in file.iter_batches():
            writer.write_batch(rows)
            for column in rows.columns:
                if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
                    has_formulas |= bool(pc.any(pc.match_substring_regex(column, _FORMULA)).as_py())
    return has_formulas


def first_rows(folder: Path, n: int) -> pd.DataFrame:
    """The first n rows of a finished batch, as the file has them. Raises InputError where it is gone."""
    with _lists(folder) as file:
        for rows in file.iter_batches(batch_size=n):
            return rows.to_pandas()
        return file.schema_arrow.empty_table().to_pandas()


def rows_of_user(folder: Path, user: str) -> pd.DataFrame:
    """The list of one user as typed. Raises UnknownId for one who is not in the batch, InputError where it is gone."""
    with _lists(folder) as file:
        kind = file.schema_arrow.field("user_id").type
        wanted = pa.array([user.strip()])
        try:
            wanted = wanted.cast(kind)
        except pa.ArrowInvalid:
            raise UnknownId.of("user", [user]) from None
        for number in range(file.num_row_groups):
            if _may_hold(file, number, wanted[0].as_py()):
                rows = file.read_row_group(number)
                found = rows.filter(pc.equal(rows["user_id"], wanted[0]))
                if len(found):
                    return found.to_pandas()
    raise UnknownId.of("user", [user])


def _may_hold(file: pq.ParquetFile, number: int, user: Any) -> bool:
    statistics = file.metadata.row_group(number).column(0).statistics
    return statistics is None or not statistics.has_min_max or statistics.min <= user <= statistics.max


def set_aside(folder: Path) -> pd.DataFrame | None:
    """Lines of the list of users that could not be used: file, line, reason, text; None where all could."""
    path = folder / f"{Path(LISTS).stem}.rejected.parquet"
    return pq.read_table(path).to_pandas() if path.is_file() else None


def _lists(folder: Path) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(folder / LISTS)
    except (OSError, pa.ArrowException):
        raise InputError("the files of this batch are gone; make it again") from None
