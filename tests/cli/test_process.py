"""What only a real process shows: `python -m recsys`, pipes, and the server that replaces the process."""

from __future__ import annotations

import json
import os
import socket
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


def serve(folder: Path, *options: str, **environment: str) -> tuple[list[str], dict[str, str], str]:
    """Run `recsys app` with a stand-in for Streamlit: its arguments, its RECSYS_ variables, and stderr."""
    (folder / "streamlit").mkdir()
    (folder / "streamlit" / "__init__.py").touch()
    (folder / "streamlit" / "__main__.py").write_text(
        "import json, os, sys\n"
        "print(json.dumps([os.getpid(), sys.argv[1:], {k: v for k, v in os.environ.items() if 'RECSYS_' in k}]))\n"
    )
    path = os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", str(Path(__file__).resolve().parents[2]))])
    started = subprocess.Popen(
        [sys.executable, "-m", "recsys", "app", *options],
        cwd=folder, env={**os.environ, "PYTHONPATH": path, **environment},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    out, err = started.communicate(timeout=60)
    assert started.returncode == 0, err
    process, arguments, variables = json.loads(out)
    assert process == started.pid, "the server must receive the signals"
    return arguments, variables, err


def test_app_replaces_the_process_by_the_server(tmp_path: Path) -> None:
    port = str(free_port())
    arguments, variables, err = serve(tmp_path, "--port", port, "--models", "mine")
    assert arguments[0] == "run" and Path(arguments[1]).name == "serve.py" and Path(arguments[1]).is_file()
    assert arguments[arguments.index("--server.port") + 1] == port
    assert arguments[arguments.index("--server.address") + 1] == "127.0.0.1"
    assert variables["RECSYS_MODELS"] == str(tmp_path / "mine")
    assert variables["RECSYS_PUBLIC"] == "0"
    assert err == f"recsys: the app is at http://localhost:{port}, for this machine only (Ctrl-C stops it)\n"


def test_a_public_app_says_so_and_keeps_the_token_out_of_the_arguments(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("a token that nobody guesses\n")
    port = str(free_port())
    arguments, variables, err = serve(tmp_path, "--port", port, "--public", "--admin-token", "token")
    assert arguments[arguments.index("--server.address") + 1] == "0.0.0.0"
    assert (variables["RECSYS_PUBLIC"], variables["RECSYS_ADMIN_TOKEN"]) == ("1", "a token that nobody guesses")
    assert not any("nobody guesses" in argument for argument in arguments)
    assert "is public: it listens on all interfaces" in err and "serves anyone who reaches it" in err


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
