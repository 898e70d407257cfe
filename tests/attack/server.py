"""A warm process that forks one child per command line, so that an attempt does not cost the seconds of imports.

Started by `process.Server` with a socket. Each request is one JSON message:

    start    runs `argv` in the folder `cwd` with the variables `env`, and answers its `pid`. The descriptors of stdout
             and stderr come with it. `memory`: limit of the address space in bytes; `settings`: constants of modules to
             change, "module:NAME" to value. With a socket as third descriptor the calls of the child are watched: the
             descriptor on which they are reported goes there; `reading`: every opening of a file is reported too.
             `argv` may also be ["page", NAME]: draws a page of the app, and prints exceptions that reach the visitor
    wait     waits for the end of `pid`
    warm     runs `argv` in `cwd` in this process, so that compiled kernels are loaded
    import   imports `modules`
    publish  adds the dataset "tiny", whose published file is `zip`

The child runs the same `main` as `python -m recsys`, with its own working directory, environment and standard streams.
"""

from __future__ import annotations

import contextlib
import gc
import hashlib
import importlib
import io
import json
import os
import pkgutil
import resource
import socket
import sys
import traceback
from pathlib import Path
from typing import Any, NoReturn

sys.path[:0] = [str(Path(__file__).resolve().parents[2])]


def import_everything() -> None:
    """Import all modules of recsys but the app, which a command line replaces the process for."""
    import recsys

    for module in pkgutil.walk_packages(recsys.__path__, "recsys."):
        if not module.name.startswith("recsys.app") and module.name != "recsys.__main__":
            importlib.import_module(module.name)
    for module in ("optuna", "openTSNE", "sklearn.cluster", "sqlalchemy.dialects.sqlite", "implicit.als"):
        with contextlib.suppress(ImportError):
            importlib.import_module(module)


def become(request: dict[str, Any], descriptors: list[int]) -> NoReturn:
    """Turn this child into a process that runs one command line."""
    from recsys.cli.main import main

    status = 1
    try:
        os.setsid()
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        for target, descriptor in enumerate(descriptors[:2], start=1):
            os.dup2(descriptor, target)
        os.chdir(request["cwd"])
        os.environ.update(request["env"])
        for place, value in request["settings"].items():
            module, name = place.split(":")
            setattr(importlib.import_module(module), name, value)
        if request["memory"] is not None:
            resource.setrlimit(resource.RLIMIT_AS, (request["memory"], request["memory"]))
        if len(descriptors) > 2:
            from tests.attack.syscalls import install_filter

            with socket.socket(fileno=descriptors[2]) as supervisor:
                socket.send_fds(supervisor, [b"!"], [install_filter(request["reading"])])
        for descriptor in descriptors[:2]:
            os.close(descriptor)
        try:
            draw(request["argv"][1]) if request["argv"][0] == "page" else main(request["argv"])
        except SystemExit as end:
            status = int(end.code or 0)
        sys.stdout.flush()
    except BaseException:  # noqa: BLE001 — what Python itself prints when a program ends with an exception
        traceback.print_exc()
        status = 1
    finally:
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.flush()
        os._exit(status)


def draw(name: str) -> None:
    """Draw a page of the app for the model that is chosen by default; print exceptions that reach the visitor."""
    from streamlit.testing.v1 import AppTest

    def script(name: str) -> None:
        import importlib

        from recsys.app.session import choose_model

        choose_model()
        importlib.import_module(f"recsys.app.pages.{name}").page()

    test = AppTest.from_function(script, default_timeout=20, args=(name,))
    test.run()
    for exception in test.exception:
        print("Traceback", exception.message, *exception.stack_trace, sep="\n", file=sys.stderr)
    sys.exit(1 if test.exception else 0)


def warm(argv: list[str], cwd: str) -> dict[str, Any]:
    """Run a command in this process; it leaves no thread behind that a fork would lose."""
    from recsys.cli.main import main

    out, err, status = io.TextIOWrapper(io.BytesIO()), io.TextIOWrapper(io.BytesIO(), write_through=True), 0
    with contextlib.chdir(cwd), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main(argv)
        except SystemExit as end:
            status = int(end.code or 0)
    return {"status": status, "err": err.buffer.getvalue().decode()}


def publish(archive: Path) -> dict[str, Any]:
    """Add a small dataset with the checksum of this zip."""
    from recsys.ingest import datasets

    content = archive.read_bytes()
    datasets.DATASETS["tiny"] = datasets.PublishedDataset(
        "tiny", ("ratings.csv", "movies.csv"), f"sha256:{hashlib.sha256(content).hexdigest()}", 1, 1, 1, len(content)
    )
    return {}


def serve(control: socket.socket) -> None:
    """Answer requests until the other side closes the socket."""
    import_everything()
    gc.collect()
    gc.freeze()
    control.send(b"{}")
    while True:
        message, descriptors, _, _ = socket.recv_fds(control, 1 << 20, 3)
        if not message:
            return
        request = json.loads(message)
        if request["do"] == "start":
            pid = os.fork()
            if pid == 0:
                control.close()
                become(request, list(descriptors))
            for descriptor in descriptors:
                os.close(descriptor)
            answer: dict[str, Any] = {"pid": pid}
        elif request["do"] == "wait":
            _, status, usage = os.wait4(request["pid"], 0)
            answer = {"status": os.waitstatus_to_exitcode(status), "max_rss": usage.ru_maxrss * 1024}
        elif request["do"] == "import":
            for module in request["modules"]:
                importlib.import_module(module)
            answer = {}
        elif request["do"] == "warm":
            answer = warm(request["argv"], request["cwd"])
        else:
            answer = publish(Path(request["zip"]))
        control.send(json.dumps(answer).encode())


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
