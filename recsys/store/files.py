"""Safe files and folders: atomic writes, and reads that turn damage into one clear error."""

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


def is_safe_name(name: str) -> bool:
    """Whether a name from outside may become the name of a folder: letters, digits, `.`, `_`, `-`; no leading dot."""
    return re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}", name) is not None


@contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """A temporary path to write to; on leaving it is flushed and renamed to `path`, on error removed."""
    _make_folder(path.parent)
    if path.is_dir():
        raise InputError(f"{path}: is a folder; name a file to write to")
    temporary = _beside(path)
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
    """A temporary folder to fill; on leaving it is flushed and takes the place of `folder`, on error removed.

    An existing folder is replaced only if it is empty or holds the file `marker`, which says that we wrote it.
    """
    check_replaceable(folder, marker)
    _make_folder(folder.parent)
    temporary = _beside(folder)
    try:
        temporary.mkdir()
        yield temporary
        for file in temporary.iterdir():
            flush(file)
        flush(temporary)
        if folder.exists():
            old = _beside(folder)
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
    """Raise InputError unless `folder` is free, empty, or one of ours: to be asked before long work begins."""
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise InputError(f"{folder}: is in the way and not a folder; choose another --out")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / marker).is_file():
        raise InputError(f"{folder}: holds other files and will not be replaced; choose another --out")


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


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder}: cannot be made: {error.strerror or error}") from None


def _beside(path: Path) -> Path:
    return path.parent / f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.tmp"


def flush(path: Path) -> None:
    """Force a file or folder to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def dump_json(path: Path, value: Any) -> None:
    """Write a value as indented JSON; not atomic, for use inside `new_file` and `new_folder`."""
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in a file. Raises InputError when there is none."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read: {str(error).splitlines()[0]}") from None
    if not isinstance(value, dict):
        raise InputError(f"{path}: does not hold a JSON object")
    return value


@contextmanager
def reading(path: Path, remedy: str) -> Iterator[None]:
    """Turn whatever a damaged file raises into one line that says which it is and how to make it anew."""
    try:
        yield
    except (OSError, pa.ArrowException, ValueError, KeyError, TypeError, RecsysError) as error:
        words = str(error).splitlines()[0] if str(error) else type(error).__name__
        if isinstance(error, KeyError):
            words = f"{words} is missing"
        raise InputError(f"{path}: cannot be read ({words}); make it again with {remedy}") from error
