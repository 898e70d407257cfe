"""Runs the command line inside the test process: the same `main`, so the same one-line errors and exit status."""

from __future__ import annotations

import contextlib
import sys
import warnings
from pathlib import Path
from subprocess import CompletedProcess

from typer.testing import CliRunner

from recsys.cli.main import main

HIDDEN = (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning)
"""Warnings that Python does not print by default."""


def recsys(*arguments: object, cwd: Path | None = None, **environment: str) -> CompletedProcess[str]:
    """Run a command to its end, in the folder `cwd`; an unexpected exception is raised."""
    command = [str(argument) for argument in arguments]
    status = 0
    with (
        CliRunner().isolation(env={"COLUMNS": "200", **environment}) as (out, err, _),
        contextlib.chdir(cwd or Path.cwd()),
        warnings.catch_warnings(record=True) as caught,
    ):
        try:
            main(command)
        except SystemExit as end:
            status = int(end.code or 0)
        sys.stdout.flush()
        sys.stderr.flush()
        stdout, stderr = out.getvalue().decode(), err.getvalue().decode()
    stderr += "".join(f"{w.category.__name__}: {w.message}\n" for w in caught if not issubclass(w.category, HIDDEN))
    return CompletedProcess(command, status, stdout, stderr)


def complaint(done: CompletedProcess[str]) -> str:
    """The one line that says what was wrong; checks that it is one line and that nothing else was printed."""
    assert done.returncode == 2, done.stdout + done.stderr
    assert done.stdout == ""
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("recsys: ")
    return lines[0]
