"""Atomic writes of files and folders, and reads that report damaged files in one line."""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from recsys.errors import InputError, RecsysError

FORMAT_VERSION = 1
"""Version of the files in a model folder."""


def is_safe_name(name: str) -> bool:
    """Whether a name from a user may become the name of a folder.

    Allowed are 1 to 100 letters, digits, `.`, `_` and `-`; the first character is neither `.` nor `-`.
    """
    return re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}", name) is not None


@contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """A temporary path to write to, which is flushed and renamed to `path` at the end, or removed after an error.

    Raises InputError when `path` is a folder or cannot be written.
    """
    _create_folder(path.parent)
    if path.is_dir():
        raise InputError(f"{path}: is a folder; name a file to write to")
    temporary = _temporary_path(path)
    try:
        yield temporary
        flush(temporary)
        temporary.replace(path)
        flush(path.parent)
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror or error}") from None
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def new_folder(folder: Path, marker: str) -> Iterator[Path]:
    """A temporary folder to fill, which is flushed and replaces `folder` at the end, or is removed after an error.

    An existing folder is replaced only if it is empty or contains the file `marker`, which shows that recsys wrote it.
    Raises InputError otherwise, and when the folder cannot be written.
    """
    check_replaceable(folder, marker)
    _create_folder(folder.parent)
    temporary = _temporary_path(folder)
    try:
        temporary.mkdir()
        yield temporary
        for file in temporary.iterdir():
            flush(file)
        flush(temporary)
        if folder.exists():
            old = _temporary_path(folder)
            folder.rename(old)
            temporary.rename(folder)
            shutil.rmtree(old)
        else:
            temporary.rename(folder)
        flush(folder.parent)
    except OSError as error:
        raise InputError(f"{folder}: cannot be written: {error.strerror or error}") from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def check_replaceable(folder: Path, marker: str) -> None:
    """Raise InputError unless `folder` is missing, empty, or contains `marker`. Call it before a long computation."""
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise InputError(f"{folder}: exists and is not a folder; choose another --out")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / marker).is_file():
        raise InputError(f"{folder}: contains other files and will not be replaced; choose another --out")


def write_table(path: Path, table: pa.Table) -> None:
    """Write a table as Parquet, atomically."""
    with new_file(path) as temporary:
        pq.write_table(table, temporary)


def write_json(path: Path, value: Any) -> None:
    """Write a value as JSON, atomically."""
    with new_file(path) as temporary:
        dump_json(temporary, value)


def write_text(path: Path, text: str) -> None:
    """Write text as UTF-8, atomically."""
    with new_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _create_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder}: cannot be created: {error.strerror or error}") from None


def _temporary_path(path: Path) -> Path:
    return path.parent / f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.tmp"


def flush(path: Path) -> None:
    """Force a file or folder to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def dump_json(path: Path, value: Any) -> None:
    """Write a value as indented JSON. Not atomic: use it inside `new_file` or `new_folder`."""
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in a file. Raises InputError when the file cannot be read or contains something else."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read: {str(error).splitlines()[0]}") from None
    if not isinstance(value, dict):
        raise InputError(f"{path}: does not contain a JSON object")
    return value


@contextmanager
def reading(path: Path, remedy: str) -> Iterator[None]:
    """Turn any error from reading a damaged file into an InputError of one line.

    path    the damaged file or folder
    remedy  the command that creates it again
    """
    try:
        yield
    except (OSError, pa.ArrowException, ValueError, KeyError, TypeError, AttributeError, RecsysError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        if isinstance(error, KeyError):
            reason = f"{reason} is missing"
        raise InputError(f"{path}: cannot be read ({reason}); recreate it with {remedy}") from error
