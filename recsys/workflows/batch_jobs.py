"""Batches in the background: a queue that runs a few at a time, and jobs that can be watched, stopped and resumed.

Calls the workflow that makes the lists; does not import the app. `batch_files` says what is in the folder of a batch.
"""

from __future__ import annotations

import dataclasses
import io
import secrets
import shutil
import time
from collections import deque
from pathlib import Path
from threading import Condition, Thread
from typing import Literal

import pyarrow as pa
import pyarrow.parquet as pq

from recsys import store
from recsys.errors import InputError, RecsysError
from recsys.ingest.users import read_user_ids
from recsys.workflows import recommend as recommend_workflow
from recsys.workflows.batch_files import (
    CSV,
    LISTS,
    REQUEST,
    RESULT,
    USERS,
    Request,
    find_batch,
    holds_only_a_batch,
    read_request,
    write_csv,
)

MAX_RUNNING = 2
"""Batches that run at once, over all sessions: each occupies one core."""
MAX_ROWS = 10_000_000
"""Rows of one batch: about 100 MB as Parquet and 300 MB as CSV, which a browser can still download."""
MAX_PER_SESSION = 3
"""Batches that a session keeps: starting another one removes its oldest."""
KEPT_SECONDS = 24 * 3600
"""A batch that has not changed for this long is removed when another one starts."""
GRACE_SECONDS = 60.0
"""A job continues for this long after its viewer left: time to reload the page or restore a connection."""
MAX_LISTED = 1_000_000
"""Lines or rows of a list of users."""
MAX_COLUMNS, MAX_UNPACKED_BYTES = 100, 64 * 2**20
"""Of a Parquet list of users, by its metadata."""
LINE_SEPARATORS = tuple(
    separator.encode() for separator in ("\n", "\r", "\v", "\f", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029")
)
"""Where `str.splitlines` splits."""
PARQUET_SUFFIXES = (".parquet", ".pq")

State = Literal["waiting", "running", "done", "stopped", "failed"]


class TooManyRows(InputError):
    """More rows than `MAX_ROWS`; the command line has no such limit."""


class Cancelled(Exception):
    """Raised in a progress callback to end a batch between two blocks."""


def new_batch(
    root: Path, request: Request, n_users: int, listed: tuple[str, bytes] | None = None, now: float | None = None
) -> Path:
    """Create the folder of a new batch under `root`, with a random name that cannot be guessed; remove old batches.

    n_users  users in the data
    listed   name and content of a list of users, text or Parquet as `read_user_ids` reads them
    now      seconds since 1970; default: the current time

    Raises InputError for a list without user ids or that cannot be read, TooManyRows for more than `MAX_ROWS` rows,
    and InputError for a folder that cannot be written. In each case nothing is left on disk.
    """
    remove_old(root, time.time() if now is None else now)
    folder = root / secrets.token_hex(16)
    try:
        if listed is not None:
            request = dataclasses.replace(request, users=_safe_name(listed[0]))
            _check_size(listed[1], str(request.users))
            path = folder / USERS / str(request.users)
            with store.new_file(path) as temporary:
                temporary.write_bytes(listed[1])
            n_users = min(n_users, len(read_user_ids(path)[0]))
        if n_users * request.k > MAX_ROWS:
            raise TooManyRows(
                f"{n_users:,} users with {request.k:,} movies each are more than {MAX_ROWS:,} rows; "
                "list fewer users, or run recsys recommend in a terminal"
            )
        store.write_json(folder / REQUEST, request.to_json())
    except RecsysError as error:
        shutil.rmtree(folder, ignore_errors=True)
        kind = TooManyRows if isinstance(error, TooManyRows) else InputError
        raise kind(_without_folder(error, folder)) from None
    return folder


def remove_old(root: Path, now: float) -> None:
    """Remove the batches under `root` that have not changed for `KEPT_SECONDS`, except those that are active.

    Folders that are no batches, or that hold any other file, stay.
    """
    if not root.is_dir():
        return
    for folder in root.iterdir():
        if find_batch(root, folder.name) is None or QUEUE.is_active(folder):
            continue
        try:
            newest = max(path.lstat().st_mtime for path in (folder, *folder.iterdir()))
            is_removed = now - newest > KEPT_SECONDS and holds_only_a_batch(folder)
        except FileNotFoundError:  # another session is removing it
            continue
        if is_removed:
            QUEUE.remove(folder)


def _check_size(content: bytes, name: str) -> None:
    """Raise InputError for a list of users that would need much memory to read: a few bytes can stand for millions of
    rows. Looks at the metadata of a Parquet file, and counts the lines of others."""
    if not name.lower().endswith(PARQUET_SUFFIXES):
        n_rows = sum(content.count(separator) for separator in LINE_SEPARATORS)
    else:
        try:
            metadata = pq.read_metadata(io.BytesIO(content))
        except (OSError, pa.ArrowException):  # `read_user_ids` reports it
            return
        n_rows = metadata.num_rows
        groups = (metadata.row_group(at) for at in range(metadata.num_row_groups))
        n_bytes = sum(group.total_byte_size for group in groups)
        if metadata.num_columns > MAX_COLUMNS or n_bytes > MAX_UNPACKED_BYTES:
            raise InputError(
                f"{name}: has {metadata.num_columns:,} columns and {n_bytes / 2**20:,.0f} MiB unpacked; "
                f"at most {MAX_COLUMNS} and {MAX_UNPACKED_BYTES >> 20} are accepted"
            )
    if n_rows > MAX_LISTED:
        raise InputError(f"{name}: lists {n_rows:,} users, at most {MAX_LISTED:,}")


def _safe_name(name: str) -> str:
    """The name of an uploaded file if it is safe as a file name, else a fixed name with the same type."""
    if store.is_safe_name(name):
        return name
    return "users.parquet" if name.lower().endswith(PARQUET_SUFFIXES) else "users.txt"


def _without_folder(error: BaseException, folder: Path) -> str:
    """The message of an error without the path of the batch, which must not reach the browser."""
    return str(error).replace(f"{folder / USERS}/", "").replace(f"{folder}/", "").replace(str(folder), "the batch")


class Job:
    """One run of a batch. Its attributes may be read from any thread.

    state        a "stopped" job can be resumed; a "failed" one has its reason in `error`, empty for an internal error
    done, total  users with a finished list, and all users; total is 0 while model and data are loaded
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.request = read_request(folder)
        self.state: State = "waiting"
        self.done = self.total = 0
        self.error = ""
        self._is_cancelled = False
        self._deadline: float | None = None
        self._start: tuple[float, int] | None = None

    @property
    def is_active(self) -> bool:
        return self.state in ("waiting", "running")

    @property
    def is_abandoned(self) -> bool:
        """Whether its viewer has left and has not returned."""
        return self._deadline is not None

    def cancel(self) -> None:
        """End the job at the next block; finished parts stay on disk."""
        self._is_cancelled = True

    def viewer_left(self) -> None:
        """End the job after `GRACE_SECONDS`, unless `viewer_returned` is called before."""
        self._deadline = time.monotonic() + GRACE_SECONDS

    def viewer_returned(self) -> None:
        """Withdraw `viewer_left`."""
        self._deadline = None

    @property
    def seconds_left(self) -> float | None:
        """Estimate from the speed of this run; None before the first block is finished."""
        if self._start is None or self.done <= self._start[1]:
            return None
        started, done_before = self._start
        return (time.monotonic() - started) * (self.total - self.done) / (self.done - done_before)

    def run(self) -> None:
        """Run the batch in the caller's thread. An unexpected exception propagates and leaves the job failed."""
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
        self._start = self._start or (time.monotonic(), done)
        self._check()

    def _check(self) -> None:
        if self._is_cancelled or (self._deadline is not None and time.monotonic() > self._deadline):
            raise Cancelled


class JobQueue:
    """Runs at most `max_running` jobs at once, each in a thread; the others wait in the order they were started."""

    def __init__(self, max_running: int) -> None:
        self._max_running = max_running
        self._changed = Condition()
        self._jobs: dict[str, Job] = {}
        self._waiting: deque[Job] = deque()
        self._n_running = 0

    def start(self, folder: Path) -> Job:
        """Run the batch of a folder, or resume it; returns the existing job if the batch is active."""
        with self._changed:
            known = self._jobs.get(folder.name)
            if known is not None and known.is_active:
                return known
            job = self._jobs[folder.name] = Job(folder)
            self._waiting.append(job)
            self._fill()
            return job

    def find(self, folder: Path) -> Job | None:
        """The latest job of a folder in this process, if there was one."""
        return self._jobs.get(folder.name)

    def is_active(self, folder: Path) -> bool:
        """Whether the batch of a folder is running or waiting."""
        job = self.find(folder)
        return job is not None and job.is_active

    def n_ahead(self, job: Job) -> int:
        """Number of jobs that wait ahead of this one."""
        with self._changed:
            return self._waiting.index(job) if job in self._waiting else 0

    def cancel(self, job: Job) -> None:
        """End a running job at its next block, and a waiting one at once."""
        job.cancel()
        with self._changed:
            if job in self._waiting:
                self._waiting.remove(job)
                job.state = "stopped"
                self._changed.notify_all()

    def remove(self, folder: Path) -> None:
        """Delete the folder of a batch and its job, unless the batch is active."""
        with self._changed:
            if not self.is_active(folder):
                self._jobs.pop(folder.name, None)
                shutil.rmtree(folder, ignore_errors=True)

    def remove_oldest(self, folders: list[Path], limit: int = MAX_PER_SESSION) -> list[Path]:
        """Remove the oldest of a session's batches, given oldest first, until at most `limit` are left; active batches
        are kept. Returns the folders that are left."""
        idle = [folder for folder in folders if not self.is_active(folder)]
        removed = idle[: max(len(folders) - limit, 0)]
        for folder in removed:
            self.remove(folder)
        return [folder for folder in folders if folder not in removed]

    def wait(self, job: Job, seconds: float) -> bool:
        """Wait until a job has ended; returns whether it ended within `seconds`."""
        with self._changed:
            return self._changed.wait_for(lambda: not job.is_active, seconds)

    def _fill(self) -> None:
        while self._waiting and self._n_running < self._max_running:
            job = self._waiting.popleft()
            job.state = "running"
            self._n_running += 1
            # A daemon thread does not delay the end of the server; finished parts are on disk.
            Thread(target=self._run, args=(job,), name=f"batch-{job.folder.name[:8]}", daemon=True).start()

    def _run(self, job: Job) -> None:
        try:
            job.run()
        finally:
            with self._changed:
                self._n_running -= 1
                self._fill()
                self._changed.notify_all()


QUEUE = JobQueue(MAX_RUNNING)
"""The queue of the app, shared by all sessions."""


class Viewer:
    """The batch that a session watches; `leave` is called when the session ends."""

    def __init__(self) -> None:
        self.folder: Path | None = None

    def leave(self) -> None:
        """Start the grace period of the watched job, if there is one."""
        job = None if self.folder is None else QUEUE.find(self.folder)
        if job is not None:
            job.viewer_left()
