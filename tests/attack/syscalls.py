"""Watches the system calls of a process that change files, and stops it, or lets a call fail, at any of them.

Uses the kernel's seccomp notifications (Linux 5.5 or later, x86-64): the process blocks in each of the calls below
until the supervisor answers. A process that is killed while it blocks has not made the call. Calls that concern other
places than the watched folder, such as the terminal, are let through.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import platform
import select
import signal
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

_OPEN_TO_WRITE = os.O_CREAT | os.O_TRUNC
PATH_CALLS = {  # number → name, and the arguments that are (folder descriptor or None, path)
    2: ("open", ((None, 0),)), 85: ("creat", ((None, 0),)), 257: ("openat", ((0, 1),)),
    82: ("rename", ((None, 0), (None, 1))), 264: ("renameat", ((0, 1), (2, 3))), 316: ("renameat2", ((0, 1), (2, 3))),
    83: ("mkdir", ((None, 0),)), 258: ("mkdirat", ((0, 1),)), 84: ("rmdir", ((None, 0),)),
    87: ("unlink", ((None, 0),)), 263: ("unlinkat", ((0, 1),)),
    86: ("link", ((None, 0), (None, 1))), 265: ("linkat", ((0, 1), (2, 3))),
    88: ("symlink", ((None, 1),)), 266: ("symlinkat", ((1, 2),)), 76: ("truncate", ((None, 0),)),
}  # fmt: skip
FILE_CALLS = {  # number → name, and the argument that is the descriptor written to
    1: ("write", 0), 18: ("pwrite64", 0), 20: ("writev", 0), 296: ("pwritev", 0), 328: ("pwritev2", 0),
    74: ("fsync", 0), 75: ("fdatasync", 0), 77: ("ftruncate", 0), 285: ("fallocate", 0), 40: ("sendfile", 0),
    326: ("copy_file_range", 2),
}  # fmt: skip
_FLAGS_ARGUMENT = {2: 1, 257: 2}

_LIBC = ctypes.CDLL(None, use_errno=True)
_SECCOMP, _SET_MODE_FILTER, _NEW_LISTENER = 317, 1, 1 << 3
_SET_NO_NEW_PRIVS = 38
_RECEIVE, _SEND = 0xC0502100, 0xC0182101
_NOTIFY, _ALLOW, _CONTINUE = 0x7FC00000, 0x7FFF0000, 1


def why_unavailable() -> str | None:
    """Why calls cannot be watched here; None if they can."""
    if platform.system() != "Linux" or platform.machine() != "x86_64":
        return "system calls are watched on Linux on x86-64 only"
    available = Path("/proc/sys/kernel/seccomp/actions_avail")
    if not available.is_file() or "user_notif" not in available.read_text().split():
        return "this kernel has no seccomp notifications"
    return None


def install_filter(is_reading: bool = False) -> int:
    """Let the kernel report this process's writing calls; returns the descriptor on which they arrive.

    is_reading  report every opening of a file, not only those that create or empty one
    """
    program: list[tuple[int, int, int, int]] = []
    load, jump_equal, jump_set, answer = 0x20, 0x15, 0x45, 0x06
    by_flags = {} if is_reading else _FLAGS_ARGUMENT
    numbers = [n for n in (*PATH_CALLS, *FILE_CALLS) if n not in by_flags]
    program.append((load, 0, 0, 0))
    for n in numbers:
        program += [(jump_equal, 0, 1, n), (answer, 0, 0, _NOTIFY)]
    for n, argument in by_flags.items():  # only those that create or empty a file
        program += [(jump_equal, 0, 4, n), (load, 0, 0, 16 + 8 * argument), (jump_set, 0, 1, _OPEN_TO_WRITE)]
        program += [(answer, 0, 0, _NOTIFY), (load, 0, 0, 0)]
    program.append((answer, 0, 0, _ALLOW))
    code = b"".join(struct.pack("HBBI", *line) for line in program)
    buffer = ctypes.create_string_buffer(code, len(code))
    header = struct.pack("HxxxxxxQ", len(program), ctypes.addressof(buffer))
    if _LIBC.prctl(_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")
    listener = _LIBC.syscall(_SECCOMP, _SET_MODE_FILTER, _NEW_LISTENER, ctypes.c_char_p(header))
    if listener < 0:
        raise OSError(ctypes.get_errno(), "seccomp")
    return int(listener)


@dataclass(frozen=True)
class Call:
    """One call that changes the watched folder: its number in the run (from 1), name and paths."""

    number: int
    name: str
    paths: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.number} {self.name}({', '.join(self.paths)})"


KILL = -1
Decision = int | None
"""What a supervisor answers: None lets the call happen, an error number makes it fail, KILL ends the process before it
happens."""


def watch(listener: int, pid: int, folder: Path, decide: Callable[[Call], Decision], seconds: float) -> bool:
    """Answer the calls of a process until it ends; returns whether it ended in time. It is killed if it did not.

    decide  called for each call that concerns `folder`, while the process waits in it
    """
    prefix, n = f"{folder}/", 0
    deadline = time.monotonic() + seconds
    poll = select.poll()
    poll.register(listener, select.POLLIN)
    while True:
        events = poll.poll(max(0.0, deadline - time.monotonic()) * 1000)
        if not events:
            kill(pid)
            return False
        if not events[0][1] & select.POLLIN:
            return True
        request = bytearray(80)
        try:
            fcntl.ioctl(listener, _RECEIVE, request)
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.EINTR):  # killed meanwhile
                continue
            raise
        identity, thread, _, number, _, _, *arguments = struct.unpack("QIIiIQ6Q", request)
        decision: Decision = None
        try:
            name, paths = _describe(thread, number, arguments)
        except OSError:  # killed meanwhile
            continue
        if any(f"{path}/".startswith(prefix) for path in paths):
            n += 1
            decision = decide(Call(n, name, tuple(p.removeprefix(prefix) for p in paths)))
        if decision == KILL:
            kill(pid)
            continue
        reply = struct.pack("QqiI", identity, 0, -(decision or 0), 0 if decision else _CONTINUE)
        try:
            fcntl.ioctl(listener, _SEND, reply)
        except OSError as error:
            if error.errno != errno.ENOENT:
                raise


def kill(pid: int) -> None:
    """End a process and what it started, at once."""
    for end in (lambda: os.killpg(pid, signal.SIGKILL), lambda: os.kill(pid, signal.SIGKILL)):
        try:
            end()
            return
        except ProcessLookupError:
            continue


def _describe(thread: int, number: int, arguments: list[int]) -> tuple[str, tuple[str, ...]]:
    if number in FILE_CALLS:
        name, argument = FILE_CALLS[number]
        return name, (str(Path(f"/proc/{thread}/fd/{arguments[argument]}").readlink()),)
    name, places = PATH_CALLS[number]
    return name, tuple(_path(thread, None if at is None else arguments[at], arguments[path]) for at, path in places)


def _path(thread: int, at: int | None, address: int) -> str:
    with open(f"/proc/{thread}/mem", "rb", buffering=0) as memory:  # noqa: PTH123 — no buffering in Path.open's overloads
        memory.seek(address)
        text = memory.read(4096).partition(b"\0")[0]
    if text.startswith(b"/"):
        return os.path.normpath(os.fsdecode(text))
    descriptor = None if at is None else ctypes.c_int32(at & 0xFFFFFFFF).value
    base = f"/proc/{thread}/cwd" if descriptor in (None, -100) else f"/proc/{thread}/fd/{descriptor}"
    return os.path.normpath(Path(base).readlink() / os.fsdecode(text))
