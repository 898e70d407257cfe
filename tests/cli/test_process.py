"""What only a real process shows: `python -m recsys`, pipes, and the server that replaces the process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from recsys import __version__


def test_the_package_runs_as_a_module() -> None:
    done = subprocess.run([sys.executable, "-m", "recsys", "--version"], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"recsys {__version__}\n", "")
    done = subprocess.run([sys.executable, "-m", "recsys", "nonsense"], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "recsys: No such command 'nonsense'. (see recsys --help)\n"


def test_a_reader_that_closes_the_pipe_is_no_error(work: Path) -> None:
    command = f'"{sys.executable}" -m recsys similar "Film 3" --model model --json | head -1'
    done = subprocess.run(command, shell=True, cwd=work, capture_output=True, text=True)
    assert done.stdout == "{\n"
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("command", "status", "line"),
    [
        ("--version >/dev/full", 2, "recsys: standard output: No space left on device\n"),
        ("train --help >/dev/full", 2, "recsys: standard output: No space left on device\n"),
        ("similar 'Film 3' --model model --json >/dev/full", 2, "recsys: standard output: No space left on device\n"),
        ("nonsense 2>/dev/full", 2, ""),
        ("nonsense 2>&-", 2, ""),
        ("train --data data --out >&-", 2, "recsys: Option '--out' requires an argument. (see recsys --help)\n"),
        ("similar 'Film 3' --model model --json >&- 2>&- <&-", 0, ""),
        (r"similar $'\xff' --model model", 2, r"recsys: the argument '\udcff' is not valid UTF-8 text" + "\n"),
    ],
)
def test_a_stream_that_is_full_or_closed_costs_one_line_at_most(
    work: Path, command: str, status: int, line: str
) -> None:
    shell = ["bash", "-c", f'"{sys.executable}" -m recsys {command}']
    done = subprocess.run(shell, cwd=work, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (status, line)


def test_app_replaces_the_process_by_the_server(tmp_path: Path) -> None:
    (tmp_path / "streamlit").mkdir()
    (tmp_path / "streamlit" / "__init__.py").touch()
    (tmp_path / "streamlit" / "__main__.py").write_text(
        "import json, os, sys\nprint(json.dumps([os.getpid(), sys.argv[1:], os.environ['RECSYS_MODELS']]))\n"
    )
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", str(Path(__file__).resolve().parents[2]))])
    started = subprocess.Popen(
        [sys.executable, "-m", "recsys", "app", "--port", "8765", "--models", "mine"],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": path},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    out, err = started.communicate(timeout=60)
    assert started.returncode == 0, err
    process, arguments, models = json.loads(out)
    assert process == started.pid, "the server must receive the signals"
    assert arguments[0] == "run" and Path(arguments[1]).name == "serve.py" and Path(arguments[1]).is_file()
    assert arguments[arguments.index("--server.port") + 1] == "8765"
    assert models == str(tmp_path / "mine")
    assert "http://localhost:8765" in err
