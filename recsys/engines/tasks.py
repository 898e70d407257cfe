"""Run work on Spark's workers and hand over the results in the order of the tasks, each as soon as it is there.

Tasks and results are exchanged through a folder that all machines see: results are as large as the input, and would
not fit into the memory of Spark's driver.
"""

from __future__ import annotations

import json
import shutil
import time
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import recsys
from recsys import atomic
from recsys.engines import remote
from recsys.errors import InputError, RecsysError

POLL_SECONDS = 0.02


class TaskFailed(RecsysError):
    """The input of a task is at fault. `number` is that of the task."""

    def __init__(self, number: int, message: str) -> None:
        super().__init__(message)
        self.number = number


@contextmanager
def shared_folder(out: Path) -> Iterator[Path]:
    """A temporary folder next to an output, whose lock the caller holds. The next writer of the output removes it if
    this process is killed."""
    folder = atomic.temporary_path(out.parent.resolve() / out.name)
    try:
        folder.mkdir()
    except OSError as error:
        raise InputError(f"{out}: cannot be written: {error.strerror}") from None
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def in_order(
    context: Any, work: str, tasks: Sequence[Mapping[str, Any]], folder: Path, shared: bytes = b""
) -> Iterator[Path]:
    """The files with the results of tasks, in their order. The caller may remove each.

    work    "module:function", called as `function(task, shared, path)`: it writes its result to the path
    tasks   plain values
    folder  for the results; all workers see it
    shared  sent to each worker once

    Raises TaskFailed where the work raised a RecsysError, Spark's exceptions, and InputError when a result is not to be
    seen on this machine. What still runs is cancelled when the iterator is closed.
    """
    if not tasks:
        return
    from pyspark.cloudpickle import register_pickle_by_value

    register_pickle_by_value(remote)
    name, digest = _send_package(context)
    group, n = folder.name, len(tasks)
    results = [folder / f"{number:06d}" for number in range(n)]
    broadcast = context.broadcast(shared)
    call = remote.run_task
    lines = [json.dumps([dict(task), str(out)]) for task, out in zip(tasks, results, strict=True)]

    def run_one(line: str) -> None:
        from pyspark import SparkFiles

        task, out = json.loads(line)
        call(SparkFiles.get(name), digest, work, task, broadcast.value, out)

    def run_all() -> None:
        context.setJobGroup(group, work, interruptOnCancel=False)
        context.parallelize(lines, n).foreach(run_one)

    with ThreadPoolExecutor(1) as pool:
        job = pool.submit(run_all)
        try:
            for number, path in enumerate(results):
                while not _is_there(path, number):
                    if job.done():
                        job.result()
                        if not _is_there(path, number):
                            raise InputError(
                                f"{path.parent.parent}: the results of Spark's workers do not appear on this machine; "
                                "choose an --out in a folder that all machines share"
                            )
                    time.sleep(POLL_SECONDS)
                yield path
            job.result()
        finally:
            if not job.done():
                context.cancelJobGroup(group)
            broadcast.unpersist()


def _is_there(path: Path, number: int) -> bool:
    failed = path.with_name(path.name + remote.FAILED)
    if failed.exists():
        raise TaskFailed(number, failed.read_text(encoding="utf-8"))
    return path.exists()


def _send_package(context: Any) -> tuple[str, str]:
    """Send recsys to the workers as a zip file, once a session; its name, and the digest of the package.

    The file stays for the session: a worker that joins later fetches all that were sent.
    """
    from pyspark import SparkFiles

    package = Path(recsys.__file__).parent
    digest = remote.digest_of(package)
    folder = Path(SparkFiles.getRootDirectory(), "sent")
    archive = folder / f"recsys-{digest[:16]}.zip"
    if not archive.exists():
        folder.mkdir(exist_ok=True)
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
            for path in sorted(package.rglob("*")):
                if path.is_file() and "__pycache__" not in path.parts:
                    file.write(path, Path("recsys") / path.relative_to(package))
        context.addFile(str(archive))
    return archive.name, digest
