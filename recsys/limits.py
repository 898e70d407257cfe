"""Bounds on what is read from outside: how much memory reading may take, and which files are opened at all.

Compressed files state or hide their true size, and pipes and devices have none. Every reader asks here before it opens
a file and before it allocates memory in proportion to one.
"""

from __future__ import annotations

import os
import resource
import stat
from pathlib import Path

from recsys.errors import InputError, SettingError

MEMORY_VARIABLE = "RECSYS_MAX_MEMORY"
SHARE_OF_MEMORY = 0.8
"""The part of the memory that may be used where the environment variable sets no limit."""

_KINDS = {
    stat.S_IFIFO: "a pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}


def memory_limit() -> int:
    """Bytes of memory that reading may take: `RECSYS_MAX_MEMORY` ("8G", "512 MiB", or a number of bytes), else 80 % of
    the smallest of the machine's memory, the limits of the control group, and what is left of the address space limit
    (`ulimit -v`).

    Raises SettingError for a value of the variable that is not a positive size.
    """
    wanted = os.environ.get(MEMORY_VARIABLE, "").strip()
    if wanted:
        return _parse_size(wanted)
    limits = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"), *_control_group_limits()]
    address_space = resource.getrlimit(resource.RLIMIT_AS)[0]
    if address_space != resource.RLIM_INFINITY:
        limits.append(max(address_space - _address_space_in_use(), 0))
    return int(min(limits) * SHARE_OF_MEMORY)


def check_memory(n_bytes: int, path: Path | str, what: str) -> None:
    """Raise InputError if `what` is done with a file needs more memory than the limit.

    n_bytes  needed at the peak
    what     the work as the error names it, such as "reading 5,000 rows"
    """
    limit = memory_limit()
    if n_bytes > limit:
        raise InputError(
            f"{path}: {what} would need {_size(n_bytes)} of memory, more than the limit of {_size(limit)} "
            f"({MEMORY_VARIABLE} sets it)"
        )


def check_input(path: Path, what: str = "file") -> None:
    """Raise InputError unless `path` is a regular file that this process may read.

    A pipe or a device may never end, and detection of the layout reads a file twice.

    what  the content as the error names it, such as "file of ratings"
    """
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        raise InputError(f"{path}: no such {what}") from None
    except (OSError, ValueError) as error:  # ValueError: a null character in the path
        raise InputError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if stat.S_ISDIR(mode):
        raise InputError(f"{path}: is a folder, not a {what}")
    if not stat.S_ISREG(mode):
        kind = _KINDS.get(stat.S_IFMT(mode), "of another kind")
        raise InputError(f"{path}: is not a regular file but {kind}; save the content to a file and name that")
    if not os.access(path, os.R_OK):
        raise InputError(f"{path}: cannot be read: Permission denied")


def _parse_size(text: str) -> int:
    """A size such as "8G" in bytes."""
    from pydantic import ByteSize, TypeAdapter, ValidationError  # slow to import, and needed with the variable only

    try:
        n_bytes = int(TypeAdapter(ByteSize).validate_python(text))
    except (ValidationError, OverflowError):
        n_bytes = 0
    if n_bytes < 1:
        raise SettingError(f"{MEMORY_VARIABLE}: {text[:60]!r} is not a size of memory; write 8G or 512M")
    return n_bytes


def _control_group_limits() -> list[int]:
    """The memory limits of this process's control group and of those above it, versions 1 and 2."""
    root = Path("/sys/fs/cgroup")
    try:
        lines = Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:  # not Linux
        return []
    limits = []
    for line in lines:
        _, controllers, group = line.split(":", 2)
        if controllers not in ("", "memory"):
            continue
        base, name = (root / "memory", "memory.limit_in_bytes") if controllers else (root, "memory.max")
        folder = base / group.lstrip("/")
        for place in (folder, *folder.parents):
            if place.is_relative_to(base) and (place / name).is_file():
                value = (place / name).read_text(encoding="utf-8").strip()
                limits += [int(value)] if value.isdecimal() else []  # "max" means no limit
    return limits


def _address_space_in_use() -> int:
    """Bytes of address space that this process has mapped; 0 where the system does not say."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[0])
    except OSError:
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def _size(n_bytes: float) -> str:
    """Bytes for people: "1.5 GB"."""
    for unit, size in (("GB", 1e9), ("MB", 1e6)):
        if n_bytes >= size:
            return f"{n_bytes / size:,.1f} {unit}"
    return f"{n_bytes:,.0f} bytes"
