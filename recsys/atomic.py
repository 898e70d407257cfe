"""Files and folders that are written whole or not at all.

A writer of NAME

    1. takes the lock `.NAME.recsys-lock`, which the operating system releases when the process ends;
    2. removes what writers that were killed left behind: `.NAME.PID-HEX.recsys-tmp`;
    3. writes to a temporary name and flushes it to disk;
    4. renames it to NAME and flushes the folder that contains it.

A crash before step 4 leaves the old file or folder, a crash after it the new one. On Linux a folder that exists is
exchanged with its successor by one system call. Where the file system cannot do that, the old folder is first renamed
to `.NAME.recsys-old`; a process that is killed before the second rename leaves no NAME, and the next reader or writer
renames it back.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import os
import re
import secrets
import shutil
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from threading import local

from recsys.errors import InputError

WAIT = 30.0
"""Seconds to wait for another writer of a single file, which takes milliseconds."""

_SUFFIXES = r"(?:recsys-lock|recsys-old|\d+-[0-9a-f]{8}\.recsys-tmp)"
_held = local()
"""The locks of each thread: a function that holds a lock may call another one that needs it."""


@contextmanager
def lock(path: Path, wait: float = 0.5, on_wait: Callable[[], None] | None = None) -> Iterator[None]:
    """Be the only writer of a file or folder, among all processes and threads, and remove what killed writers left.

    wait     seconds to wait for another writer
    on_wait  called once before waiting

    The same thread may take a lock again. Creates the parent folder, and removes it at the end if it is empty. Raises
    InputError when another writer still holds the lock, or when the folder cannot be written.
    """
    if path.name in ("", ".."):
        raise InputError(f"{path}: is no name of a file or folder to write; name one")
    held: set[Path] = _held.__dict__.setdefault("paths", set())
    with _one_line(path):
        target = path.parent.resolve() / path.name
        created = [folder for folder in path.parents if not folder.exists()]
    if target in held:
        yield
        return
    with _one_line(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = _acquire(path, target, wait, on_wait)
    held.add(target)
    try:
        with _one_line(path):
            _recover(target)
        yield
    finally:
        held.discard(target)
        # Errors here, as on a disk that became read-only, would hide the first one; an unused lock file does no harm.
        with contextlib.suppress(OSError):
            _lock_file(target).unlink(missing_ok=True)
        os.close(descriptor)
        with contextlib.suppress(OSError):  # a new folder in which nothing was written; others are not empty
            for folder in created:
                folder.rmdir()


@contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """A temporary path to write to. At the end it is flushed and renamed to `path`; after an error it is removed.

    Raises InputError when `path` is a folder or a device, or cannot be written.
    """
    check_file(path)
    with lock(path, WAIT), _one_line(path):
        temporary = temporary_path(path)
        try:
            yield temporary
            flush(temporary)
            temporary.replace(path)
            flush(path.parent)
        finally:
            _remove(temporary)


def check_file(path: Path) -> None:
    """Raise InputError if something that is not a regular file has the name of a file to write.

    Renaming would replace a pipe or a device by a file: as root, `--out /dev/null` would take that device from every
    program of the machine.
    """
    with _one_line(path):
        mode = path.stat().st_mode if path.exists() else stat.S_IFREG
    if stat.S_ISDIR(mode):
        raise InputError(f"{path}: is a folder; name a file to write to")
    if not stat.S_ISREG(mode):
        raise InputError(f"{path}: is not a regular file and will not be replaced; name another file to write to")


@contextmanager
def new_folder(folder: Path, check: Callable[[], None] | None = None) -> Iterator[Path]:
    """A temporary folder to fill. At the end it is flushed and replaces `folder`; after an error it is removed.

    check  called before the replacement; an exception prevents it

    Raises InputError when the folder cannot be written.
    """
    with lock(folder), _one_line(folder):
        temporary = temporary_path(folder)
        try:
            temporary.mkdir()
            yield temporary
            for path in (*temporary.rglob("*"), temporary):
                flush(path)
            if check is not None:
                check()
            replace_folder(temporary, folder)
        finally:
            _remove(temporary)


def replace_folder(new: Path, folder: Path) -> None:
    """Give a folder the name of another one in the same parent, which it replaces if it exists. The old one, which then
    has the name `new`, is removed."""
    if not folder.exists():
        new.rename(folder)
        flush(folder.parent)
        return
    if not _exchange(new, folder):
        old = old_path(folder)
        folder.rename(old)
        try:
            new.rename(folder)
        except OSError:
            old.rename(folder)
            raise
        flush(folder.parent)
        old.rename(new)
    flush(folder.parent)
    _remove(new)


def remove_folder(folder: Path, target: Path) -> None:
    """Remove a folder that belongs to `target`, a name in the same parent whose lock the caller holds. A process that
    is killed meanwhile leaves the whole folder or none; the next writer of `target` removes the rest."""
    temporary = temporary_path(target)
    folder.rename(temporary)
    flush(folder.parent)
    _remove(temporary)


def restore(folder: Path) -> None:
    """Rename `.NAME.recsys-old` back to NAME if a writer was killed between the two renames of a replacement."""
    if not folder.exists() and old_path(folder).is_dir():
        with lock(folder, WAIT):  # taking the lock restores it
            pass


def leftovers(folder: Path) -> list[Path]:
    """Lock and temporary files in a folder whose writer is not running any more, sorted."""
    found = []
    for path in sorted(folder.iterdir()):
        target = target_of(path)
        if target is not None and not is_locked(target):
            found.append(path)
    return found


def target_of(path: Path) -> Path | None:
    """The file or folder that a lock or temporary file belongs to; None for other files."""
    found = re.fullmatch(rf"\.(.+)\.{_SUFFIXES}", path.name, re.DOTALL)
    return None if found is None else path.with_name(found[1])


def is_locked(path: Path) -> bool:
    """Whether a process is writing the file or folder. Changes nothing."""
    try:
        descriptor = os.open(_lock_file(path), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def flush(path: Path) -> None:
    """Force a file or folder to disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def temporary_path(path: Path) -> Path:
    """A new name next to `path`, which the next writer of `path` recognises and removes."""
    return path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.recsys-tmp")


def old_path(folder: Path) -> Path:
    """The name of the old folder between the two renames of a replacement, without an exchange."""
    return folder.with_name(f".{folder.name}.recsys-old")


def _lock_file(path: Path) -> Path:
    return path.with_name(f".{path.name}.recsys-lock")


def _acquire(path: Path, target: Path, wait: float, on_wait: Callable[[], None] | None) -> int:
    """The descriptor of the locked lock file. A lock file is removed by its holder, so that after waiting for one the
    name may belong to another file, or to none: then the wait starts again."""
    file, deadline, n_missing = _lock_file(target), time.monotonic() + wait, 0
    while True:
        try:
            descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)
        except FileNotFoundError:  # another writer had created the parent, wrote nothing, and removed it again
            n_missing += 1
            if n_missing > 100:  # or the parent takes no files, as /proc
                raise
            file.parent.mkdir(parents=True, exist_ok=True)
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_same(descriptor, file):
                return descriptor
        except BlockingIOError:
            if time.monotonic() >= deadline:
                os.close(descriptor)
                raise InputError(
                    f"{path}: another recsys process is writing it; wait until it has finished, or choose another --out"
                ) from None
            if on_wait is not None:
                on_wait()
                on_wait = None
            time.sleep(0.02)
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _is_same(descriptor: int, file: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), file.stat())
    except FileNotFoundError:
        return False


def _recover(target: Path) -> None:
    """Restore or remove what killed writers of `target` left. The caller holds its lock, so that no other one runs."""
    old = old_path(target)
    if old.is_dir() and not old.is_symlink():
        if target.is_dir():
            _remove(old)
        elif not target.exists():
            old.rename(target)
            flush(target.parent)
    pattern = re.compile(rf"\.{re.escape(target.name)}\.\d+-[0-9a-f]{{8}}\.recsys-tmp", re.DOTALL)
    for path in target.parent.iterdir():
        if pattern.fullmatch(path.name):
            _remove(path)


def _remove(path: Path) -> None:
    """Remove a temporary file or folder. What cannot be removed now is left to the next writer: the error that caused
    the removal, if there is one, matters more."""
    with contextlib.suppress(OSError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


@contextmanager
def _one_line(path: Path) -> Iterator[None]:
    """Turn an OSError into an InputError of one line."""
    try:
        yield
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror or error}") from None


RENAME_EXCHANGE, AT_FDCWD = 2, -100
_CANNOT_EXCHANGE = (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP)


def _exchange(one: Path, other: Path) -> bool:
    """Exchange the names of two files or folders in one step, by renameat2(2). False where that is not supported."""
    renameat2 = _renameat2()
    if renameat2 is None:
        return False
    if renameat2(AT_FDCWD, os.fsencode(one), AT_FDCWD, os.fsencode(other), RENAME_EXCHANGE) == 0:
        return True
    number = ctypes.get_errno()
    if number in _CANNOT_EXCHANGE:
        return False
    raise OSError(number, os.strerror(number), str(other))


@cache
def _renameat2() -> Callable[..., int] | None:
    """The function of the C library; None in libraries without it."""
    function = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if function is not None:
        function.argtypes = [ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint]
        function.restype = ctypes.c_int
    return function
