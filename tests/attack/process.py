"""Runs command lines in children of a warm process, whole, with a time limit, or watched call by call."""

from __future__ import annotations

import json
import os
import resource
import select
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from tests.attack.syscalls import Call, Decision, kill, watch

TIMEOUT = 20.0
"""Seconds after which a command counts as hanging."""
ONE_THREAD = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL", "NUMBA")}


@dataclass(frozen=True)
class Ran:
    """How a command ended.

    status  exit status; negative: the number of the signal that ended it; None: it did not end in time
    """

    argv: tuple[str, ...]
    status: int | None
    out: str
    err: str
    max_rss: int

    @property
    def fault(self) -> str:
        """What is wrong with how it ended, empty if it is right: status 0, or status 2 and one line on stderr."""
        if self.status is None:
            return f"no end within {TIMEOUT:.0f} s"
        lines = self.err.strip().splitlines()
        if "Traceback" in self.err:
            return f"traceback: {lines[-1][:300]}"
        if self.status == 2 and (len(lines) != 1 or not lines[0].startswith("recsys: ")):
            return f"{len(lines)} lines: {self.err[:300]!r}"
        if self.status == 2 and self.out:
            return f"output before the error: {self.out[:100]!r}"
        if self.status not in (0, 2):
            return f"status {self.status}: {self.err[-300:]!r}"
        return ""


class Running:
    """A command that runs."""

    def __init__(self, server: Server, pid: int, argv: tuple[str, ...], out: IO[bytes], err: IO[bytes]) -> None:
        self._server, self.pid, self._argv, self._out, self._err = server, pid, argv, out, err
        self._descriptor = os.pidfd_open(pid)

    def ended(self, seconds: float) -> bool:
        """Wait for its end; returns whether it came within `seconds`."""
        return bool(select.select([self._descriptor], [], [], seconds)[0])

    def kill(self) -> None:
        """End it with SIGKILL."""
        kill(self.pid)

    def result(self, seconds: float = TIMEOUT, in_time: bool = True) -> Ran:
        """How it ended; it is killed if it does not end within `seconds`."""
        if not self.ended(seconds):
            in_time = False
            self.kill()
        os.close(self._descriptor)
        end = self._server.ask({"do": "wait", "pid": self.pid})
        texts = []
        for file in (self._out, self._err):
            file.seek(0)
            texts.append(file.read().decode(errors="replace"))
            file.close()
        return Ran(self._argv, end["status"] if in_time else None, texts[0], texts[1], end["max_rss"])


class Server:
    """The warm process. Close it at the end."""

    def __init__(self) -> None:
        here = {**os.environ, **ONE_THREAD, "NO_PROXY": "127.0.0.1"}
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, str(Path(__file__).with_name("server.py")), str(theirs.fileno())],
                pass_fds=[theirs.fileno()], env=here,
            )  # fmt: skip
        self._control.settimeout(300)
        self._control.recv(1 << 20)

    def close(self) -> None:
        """End the process."""
        self._control.close()
        self._process.wait(10)

    def mapped(self) -> int:
        """The address space that the process has mapped, in bytes."""
        return int(Path(f"/proc/{self._process.pid}/statm").read_text().split()[0]) * resource.getpagesize()

    def ask(self, request: dict[str, Any], descriptors: tuple[int, ...] = ()) -> dict[str, Any]:
        """Send a request to the process and return its answer."""
        socket.send_fds(self._control, [json.dumps(request).encode()], list(descriptors))
        answer: dict[str, Any] = json.loads(self._control.recv(1 << 20))
        return answer

    def start(
        self,
        cwd: Path,
        *argv: object,
        settings: Mapping[str, int] | None = None,
        memory: int | None = None,
        listener: socket.socket | None = None,
        reading: bool = False,
        **env: str,
    ) -> Running:
        """Start a command in the folder `cwd`.

        settings  constants of modules to change: "module:NAME" to value
        memory    the most address space it may use, in bytes
        listener  where the descriptor goes on which its calls are reported
        reading   report every opening of a file too
        """
        out, err = tempfile.TemporaryFile(), tempfile.TemporaryFile()  # noqa: SIM115 — closed by `Running.result`
        words = tuple(map(str, argv))
        request = {
            "do": "start", "argv": words, "cwd": str(cwd), "memory": memory,
            "settings": dict(settings or {}),
            "reading": reading, "env": {"COLUMNS": "200", "RECSYS_DATA": str(cwd / "root"), **env},
        }  # fmt: skip
        descriptors = (out.fileno(), err.fileno(), *(() if listener is None else (listener.fileno(),)))
        pid = self.ask(request, descriptors)["pid"]
        return Running(self, pid, words, out, err)

    def run(self, cwd: Path, *argv: object, seconds: float = TIMEOUT, **options: Any) -> Ran:
        """Run a command to its end; `options` are those of `start`."""
        return self.start(cwd, *argv, **options).result(seconds)

    def watched(
        self,
        cwd: Path,
        *argv: object,
        decide: Callable[[Call, Running], Decision],
        seconds: float = TIMEOUT,
        **options: Any,
    ) -> Ran:
        """Run a command; `decide` is asked before each call that changes something in the folder `cwd`."""
        ours, theirs = socket.socketpair()
        with ours, theirs:
            running = self.start(cwd, *argv, listener=theirs, **options)
            theirs.close()
            ours.settimeout(10)
            _, (listener,), _, _ = socket.recv_fds(ours, 1, 1)
        try:
            in_time = watch(listener, running.pid, cwd, lambda call: decide(call, running), seconds)
        finally:
            os.close(listener)
        return running.result(5.0, in_time)
