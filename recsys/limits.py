"""Bounds on what comes from outside: how much memory reading may take, which files are opened at all, which numbers are
accepted.

Compressed files state or hide their true size, and pipes and devices have none. Every reader asks here before it opens
a file and before it allocates memory in proportion to one.
"""

from __future__ import annotations

import math
import os
import resource
import stat
from numbers import Integral, Real
from pathlib import Path
from typing import Any

from recsys.errors import InputError, SettingError, quoted

MEMORY_VARIABLE = "RECSYS_MAX_MEMORY"
SHARE_OF_MEMORY = 0.8
"""The part of the memory that may be used where the environment variable sets no limit."""

MOST_SEED = 2**32 - 1
"""The greatest seed that NumPy's RandomState accepts, hence scikit-learn and implicit."""
MOST_LISTED = 1_000_000
"""The greatest length of a list that can be asked for; a list ends with the catalogue anyway."""
MOST_RUNS = 1_000
"""The greatest number of trainings that one command repeats, such as refits, seeds or draws."""
LARGEST = 1e12
"""The greatest size of a factor or a weight: products and squares of such numbers stay within float32."""
MOST_TRIALS = 100_000
MOST_MINUTES = 60 * 24 * 365
MOST_EPOCHS = 100_000
MOST_FACTORS = 4_096
MOST_RATINGS = 10**12

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


def check_memory(n_bytes: int, path: Path | str, what: str, limit: int | None = None) -> None:
    """Raise InputError if `what` is done with a file needs more memory than the limit.

    n_bytes  needed at the peak
    what     the work as the error names it, such as "reading 5,000 rows"
    limit    None: `memory_limit()`; work that checks as it goes asks for it once, at its beginning
    """
    limit = memory_limit() if limit is None else limit
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


def check_number(
    name: str, value: Any, low: float | None = None, high: float | None = None, *, whole: bool = False
) -> None:
    """Raise SettingError unless a value is a finite number within its inclusive range.

    name   the setting or option as the error names it
    whole  whether it must be a whole number; True and False are none
    """
    if isinstance(value, bool) or not isinstance(value, Integral if whole else Real):
        raise SettingError(f"{name} must be a {'whole ' if whole else ''}number, not {quoted(value)}")
    number: float = value  # type: ignore[assignment]  # Real lacks comparisons
    is_inside = (low is None or number >= low) and (high is None or number <= high)
    if not is_inside or not (isinstance(value, Integral) or math.isfinite(number)):
        plain = value.item() if hasattr(value, "item") else value  # NumPy's repr names the type
        raise SettingError(f"{name} must be {_range(low, high)}, not {quoted(plain)}")


def check_seed(seed: Any) -> None:
    """Raise SettingError unless a value can be a seed: a whole number from 0 to `MOST_SEED`."""
    check_number("seed", seed, 0, MOST_SEED, whole=True)


def next_seed(seed: int, number: int) -> int:
    """The seed of repetition `number`, from 0: the seeds after `seed`, starting over after `MOST_SEED`."""
    return (seed + 1 + number) % (MOST_SEED + 1)


def _range(low: float | None, high: float | None) -> str:
    low_text, high_text = (x if isinstance(x, int | None) else f"{x:g}" for x in (low, high))
    if low is not None and high is not None:
        return f"between {low_text} and {high_text}"
    if low is not None:
        return f"at least {low_text}"
    return f"at most {high_text}" if high is not None else "a finite number"


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
