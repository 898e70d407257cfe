"""What runs first in a task on a Spark worker: it makes this version of recsys importable and calls the work.

Spark sends this module as code, because a worker need not have recsys. So it uses the standard library only.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import os
import shutil
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

FAILED = ".failed"
"""Suffix of the file that a task writes instead of its result when its input is at fault."""


def digest_of(package: Path) -> str:
    """SHA-256 (hex) of the Python files of a package."""
    digest = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(package).as_posix()}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()


def use_package(archive: str, digest: str) -> None:
    """Make `recsys` importable in this process, in the version with that digest.

    archive  path of the zip file with the package, used unless the worker has the same version
    """
    found = importlib.util.find_spec("recsys")
    if found is not None and found.origin is not None and digest_of(Path(found.origin).parent) == digest:
        return
    if "recsys" in sys.modules:
        raise RuntimeError("the worker has already loaded another version of recsys")
    folder = Path(archive).with_suffix("")
    if not folder.is_dir():
        unpacked = Path(tempfile.mkdtemp(dir=folder.parent))
        with zipfile.ZipFile(archive) as file:
            file.extractall(unpacked)
        try:
            unpacked.rename(folder)
        except OSError:  # another process of this worker was faster
            shutil.rmtree(unpacked)
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()


def run_task(archive: str, digest: str, work: str, task: dict[str, Any], shared: bytes, out: str) -> None:
    """Do the work on one task, and give its file the name `out` when it is complete.

    work    "module:function"; the function is called with the task, the shared bytes and the path to write to
    shared  the same for all tasks

    For a `RecsysError`, `out` + `FAILED` is written with its message.
    """
    use_package(archive, digest)
    module, function = work.split(":")
    call = getattr(importlib.import_module(module), function)
    errors = importlib.import_module("recsys.errors")
    temporary = f"{out}.{os.getpid()}-{os.urandom(4).hex()}"
    try:
        call(task, shared, Path(temporary))
    except errors.RecsysError as error:
        Path(temporary).write_text(str(error), encoding="utf-8")
        out += FAILED
    Path(temporary).replace(out)
