"""Spark for the tests: `local[2]`, and a standalone master with two workers on the loopback interface."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
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


@dataclass(frozen=True)
class Cluster:
    """A standalone master on the loopback interface, and its workers of one core and 1 GB each.

    home    of Spark
    folder  for logs and the files of the workers
    """

    home: Path
    folder: Path
    port: int = field(default_factory=free_port)
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def master(self) -> str:
        return f"spark://127.0.0.1:{self.port}"

    def start_master(self) -> None:
        ports = "--port", str(self.port), "--webui-port", str(free_port())
        self._wait(self._start("Master", *ports), "I have been elected")

    def start_workers(self, n: int) -> None:
        logs = []
        for _ in range(n):
            folder = str(self.folder / f"work-{len(self.processes)}")
            settings = "--cores", "1", "--memory", "1g", "--work-dir", folder
            logs.append(self._start("Worker", "--webui-port", str(free_port()), *settings, self.master))
        for log in logs:
            self._wait(log, "Successfully registered with master")

    def kill_worker(self, number: int = -1) -> None:
        """Kill a worker and its executor, as when a machine is lost."""
        worker = self.processes.pop(number)
        os.killpg(worker.pid, signal.SIGKILL)
        worker.wait()

    def stop(self) -> None:
        for process in reversed(self.processes):
            process.terminate()
        for process in self.processes:
            process.wait(20)

    def _start(self, name: str, *arguments: str) -> Path:
        log = self.folder / f"{name}-{len(list(self.folder.glob('*.log')))}.log"
        # The workers know recsys by their own installation only, not by the path of the tests.
        local = {"SPARK_LOCAL_IP": "127.0.0.1", "SPARK_HOME": str(self.home), "PYTHONPATH": ""}
        command = [str(self.home / "bin" / "spark-class"), f"org.apache.spark.deploy.{name.lower()}.{name}"]
        with log.open("wb") as file:
            self.processes.append(
                subprocess.Popen(
                    [*command, "--host", "127.0.0.1", *arguments],
                    stdout=file, stderr=file, env=os.environ | local, cwd=self.folder, start_new_session=True,
                )
            )  # fmt: skip
        return log

    def _wait(self, log: Path, text: str) -> None:
        deadline = time.monotonic() + WAIT
        while text not in log.read_text(errors="replace"):
            assert time.monotonic() < deadline, log.read_text(errors="replace")
            time.sleep(0.05)


@pytest.fixture(scope="module")
def cluster(needs_spark, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A standalone master with two workers."""
    import pyspark

    started = Cluster(Path(pyspark.__file__).parent, tmp_path_factory.mktemp("cluster"))
    try:
        started.start_master()
        started.start_workers(2)
        yield started
    finally:
        started.stop()


ON_CLUSTER = pytest.param(
    "cluster", marks=pytest.mark.skipif(os.environ.get("RECSYS_ATTACK") != "1", reason="takes a minute: make attack")
)


@pytest.fixture(scope="module", params=["local[2]", ON_CLUSTER])
def session(request: pytest.FixtureRequest, needs_spark) -> Iterator[Any]:
    """A session on each kind of master. Starting one takes seconds, so the tests share it."""
    master = request.param if request.param != "cluster" else request.getfixturevalue("cluster").master
    with connected(Spark(master, {"spark.shuffle.io.retryWait": "200ms"})) as context:
        yield context


@pytest.fixture(scope="module")
def spark(session) -> Iterator[Spark]:
    """The place of the shared session. Workflows that ask for a session get it."""

    @contextmanager
    def shared(spark: Spark) -> Iterator[Any]:
        yield session

    with pytest.MonkeyPatch.context() as patch:
        for name in ("prepare", "train", "recommend"):
            patch.setattr(f"recsys.workflows.{name}.connected", shared)
        yield Spark(session.master)
