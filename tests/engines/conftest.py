"""Spark for the tests: `local[2]`, and a standalone master with two workers on the loopback interface."""

from __future__ import annotations

import importlib.util
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from recsys.engines.session import Spark, connected

WAIT = 60.0


@pytest.fixture(scope="session")
def needs_spark() -> None:
    """Skips, with the reason, where pyspark or Java is missing; CI must have both."""
    missing = [
        name
        for name, is_there in (
            ("pyspark", importlib.util.find_spec("pyspark") is not None),
            ("java", shutil.which("java") is not None),
        )
        if not is_there
    ]
    if missing and os.environ.get("CI"):
        pytest.fail(f"{' and '.join(missing)} is missing")
    if missing:
        pytest.skip(f"{' and '.join(missing)} is missing")


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@pytest.fixture(scope="session")
def cluster(needs_spark, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a standalone master with two workers of one core and 1 GB each."""
    import pyspark

    home, folder = Path(pyspark.__file__).parent, tmp_path_factory.mktemp("cluster")
    # The workers know recsys by their own installation only, not by the path of the tests.
    environment = {**os.environ, "SPARK_LOCAL_IP": "127.0.0.1", "SPARK_HOME": str(home), "PYTHONPATH": ""}
    port = free_port()
    master = f"spark://127.0.0.1:{port}"
    started: list[subprocess.Popen[bytes]] = []

    def start(name: str, *arguments: str) -> Path:
        log = folder / f"{name}-{len(started)}.log"
        with log.open("wb") as file:
            command = [str(home / "bin" / "spark-class"), f"org.apache.spark.deploy.{name.lower()}.{name}"]
            started.append(
                subprocess.Popen([*command, *arguments], stdout=file, stderr=file, env=environment, cwd=folder)
            )
        return log

    def wait(log: Path, text: str) -> None:
        deadline = time.monotonic() + WAIT
        while text not in log.read_text(errors="replace"):
            assert time.monotonic() < deadline, log.read_text(errors="replace")
            time.sleep(0.05)

    try:
        ui = str(free_port())
        wait(start("Master", "--host", "127.0.0.1", "--port", str(port), "--webui-port", ui), "I have been elected")
        logs = []
        for number in range(2):
            settings = ["--cores", "1", "--memory", "1g", "--work-dir", str(folder / f"work-{number}")]
            logs.append(start("Worker", "--host", "127.0.0.1", "--webui-port", str(free_port()), *settings, master))
        for log in logs:
            wait(log, "Successfully registered with master")
        yield master
    finally:
        for process in reversed(started):
            process.terminate()
        for process in started:
            process.wait(20)


@pytest.fixture(scope="session", params=["local[2]", "cluster"])
def session(request: pytest.FixtureRequest, needs_spark) -> Iterator[Any]:
    """A session on each kind of master. Starting one takes seconds, so the tests share it."""
    name = request.param
    with connected(Spark(name if name != "cluster" else request.getfixturevalue("cluster"))) as context:
        yield context


@pytest.fixture
def spark(session, monkeypatch: pytest.MonkeyPatch) -> Spark:
    """The place of the shared session. Workflows that ask for a session get it."""

    @contextmanager
    def shared(spark: Spark) -> Iterator[Any]:
        yield session

    for name in ("prepare", "train", "recommend"):
        monkeypatch.setattr(f"recsys.workflows.{name}.connected", shared)
    return Spark(session.master)
