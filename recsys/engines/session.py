"""Start and stop Spark. What can go wrong on the way becomes one line."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from recsys.errors import InputError, SettingError, Unavailable, quoted
from recsys.limits import memory_limit
from recsys.threads import n_cores

LOG_VARIABLE = "RECSYS_SPARK_LOG"
"""Environment variable: the file that keeps Spark's own messages."""
PYTHON = "spark.pyspark.python"
"""The setting of Spark that names the Python of the workers; default: the path of this one."""
OLDEST_JAVA = 17
CONNECT_SECONDS = 5.0
WAITING = "spark.scheduler.maxRegisteredResourcesWaitingTime"
"""The setting of Spark for how long a master may leave us without a worker."""
WORKER_SECONDS = 60
"""Its default here."""
WATCH_SECONDS = 1.0
SHARE_OF_MEMORY = 0.5
"""The part of the memory limit that the Java process takes which is master and worker at once (`local`)."""
_SAYS_LITTLE = re.compile(r"\s|WARNING:|Using Spark's|Error: (Could not create|A fatal)|Error occurred during init")
_MASTER = re.compile(r"local(\[(\d+|\*)(,\d+)?\])?|(spark|k8s)://\S+|yarn")


@dataclass(frozen=True)
class Spark:
    """Where Spark runs.

    master    "local[N]": N threads on this machine; "spark://HOST:PORT": a standalone cluster; or what else Spark
              accepts. Empty: all cores of this machine
    settings  Spark's own settings, such as {"spark.executor.memory": "8g"}

    Raises SettingError for what is not the address of a master, and for names that are no settings of Spark.
    """

    master: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.master and not _MASTER.fullmatch(self.master):
            raise SettingError(f"--master {quoted(self.master)} is not local[N], spark://HOST:PORT, yarn or k8s://…")
        for name in self.settings:
            if not name.startswith("spark."):
                raise SettingError(f"--spark-conf {quoted(name)} is no setting of Spark; their names begin with spark.")

    @property
    def is_local(self) -> bool:
        """Whether everything runs in one Java process on this machine."""
        return not self.master or self.master.startswith("local")


@contextmanager
def connected(spark: Spark) -> Iterator[Any]:
    """A `pyspark.SparkContext`, which is stopped at the end.

    Raises Unavailable where pyspark or Java is missing, or no master or no worker answers; Spark's errors as one line.
    """
    _check_installed()
    _check_master(spark.master)
    from py4j.protocol import Py4JError
    from pyspark import SparkConf, SparkContext
    from pyspark.errors import PySparkException
    from pyspark.java_gateway import launch_gateway

    settings = {
        "spark.app.name": "recsys",
        "spark.master": spark.master or f"local[{n_cores()}]",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
    }
    if spark.is_local:
        megabytes = max(1024, int(memory_limit() * SHARE_OF_MEMORY / 2**20))
        settings |= {"spark.driver.memory": f"{megabytes}m", "spark.driver.host": "127.0.0.1"}
    settings |= spark.settings
    with ExitStack() as stack:
        log = stack.enter_context(_log())
        conf = SparkConf(loadDefaults=False)
        for name, value in settings.items():
            conf.set(name, value)
        try:
            with _interrupted_later():
                gateway = launch_gateway(conf, {"stdout": log, "stderr": log})
                stack.callback(_end, gateway)
            on_interrupt = signal.getsignal(signal.SIGINT)
            context = SparkContext(conf=conf, gateway=gateway)
            stack.callback(_stop, context)
            if threading.current_thread() is threading.main_thread():
                # pyspark's handler of Ctrl-C stays when Spark has ended, and fails then.
                signal.signal(signal.SIGINT, on_interrupt)
            seconds = context._jsc.sc().conf().getTimeAsSeconds(WAITING, f"{WORKER_SECONDS}s")
            if not spark.is_local:
                _wait_for_worker(context, spark.master, seconds)
        except (Py4JError, PySparkException, OSError) as error:
            why = _cause_in(log) if "JAVA_GATEWAY_EXITED" in str(error) else explanation(error)
            what = f"Spark does not start: {why or explanation(error)}"
            if spark.master.startswith("spark://") and ("stopped" in what or "NullPointer" in what):
                what = f"{spark.master}: no Spark master answers there"
            raise Unavailable(f"{what}; {LOG_VARIABLE}=FILE keeps Spark's messages") from None
        context.pythonExec = settings.get(PYTHON) or os.environ.get("PYSPARK_PYTHON") or sys.executable
        workers_are_lost = threading.Event()
        if not spark.is_local:
            stack.enter_context(_watched(context, seconds, workers_are_lost))
        try:
            yield context
        except (Py4JError, PySparkException) as error:
            what = f"Spark failed: {explanation(error)}"
            if workers_are_lost.is_set():
                what = f"{spark.master}: all workers were lost, and no other came within {seconds} seconds"
            raise Unavailable(f"{what}; {LOG_VARIABLE}=FILE keeps Spark's messages") from None


@contextmanager
def _interrupted_later() -> Iterator[None]:
    """Raise the KeyboardInterrupt of Ctrl-C at the end: while Java starts, it would leave that process behind."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: came.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if came:
        raise KeyboardInterrupt


def explanation(error: Exception) -> str:
    """The cause of an error of Spark as one line: the last exception of a worker's Python, else the message of Java."""
    text = _text_of(error)
    in_python = re.findall(r"^(?:\w+\.)*(\w+(?:Error|Exception|NotFound)(?::[^\n]*)?)", text, re.M)
    if "Traceback (most recent call last)" in text and in_python:
        line = in_python[-1]
        if line.startswith("ModuleNotFoundError"):
            line += " on a worker; install there what recsys needs (pip install recsys-atlas)"
        elif line.startswith("FileNotFoundError"):
            line += "; the workers must see the same files under the same paths as this machine"
        elif "PYTHON_VERSION_MISMATCH" in text:
            line = "the workers have another version of Python; set PYSPARK_PYTHON to the one to use there"
    else:
        of_task = re.search(r"most recent failure: Lost task .*?\(TID \d+\) \([^)]*\): ([^\n]*)", text)
        line = next((line for line in text.splitlines() if line.strip()), type(error).__name__)
        causes = re.findall(r"^Caused by: ([^\n]*)", text, re.M)
        line = of_task[1] if of_task else causes[-1] if causes else line
    line = " ".join(line.split()).rstrip(".;")
    return line if len(line) <= 300 else line[:300] + "…"


def _cause_in(log: IO[bytes]) -> str:
    """Why the Java process ended before it answered, from what it printed; empty if it does not say."""
    log.seek(max(0, log.seek(0, os.SEEK_END) - 20_000))
    text = log.read().decode(errors="replace")
    lines = [line for line in text.splitlines() if line and not _SAYS_LITTLE.match(line)]
    thrown = [line for line in lines if line.startswith("Exception in thread")]
    line = " ".join((thrown or lines or [""])[-1].split())
    return re.sub(r'^Exception in thread "\S+" ', "", line).rstrip(".;")[:300]


def _text_of(error: Exception) -> str:
    """The message of an error. That of Java is asked for from the Java process, which may have ended."""
    from py4j.protocol import Py4JError

    try:
        return str(getattr(error, "java_exception", None) or error)
    except (Py4JError, OSError):
        return "it has stopped"


def _check_installed() -> None:
    if importlib.util.find_spec("pyspark") is None:
        raise Unavailable("--engine spark needs pyspark: python -m pip install 'recsys-atlas[spark]'")
    home = os.environ.get("JAVA_HOME")
    java = shutil.which("java", path=f"{home}/bin" if home else None)
    remedy = f"install Java {OLDEST_JAVA} or later, such as Debian's openjdk-17-jre-headless, or set JAVA_HOME"
    if java is None:
        raise Unavailable(f"--engine spark needs Java, which is not {f'in {home}' if home else 'found'}; {remedy}")
    try:
        done = subprocess.run([java, "-version"], capture_output=True, text=True, errors="replace", timeout=30)
        version = re.search(r'version "(?:1\.)?(\d+)', done.stderr + done.stdout)
    except (OSError, subprocess.TimeoutExpired):
        version = None
    if version is None or int(version[1]) < OLDEST_JAVA:
        raise Unavailable(f"{java} is not Java {OLDEST_JAVA} or later; {remedy}")


def _check_master(master: str) -> None:
    """Raise Unavailable unless one of the addresses of a standalone master answers. Spark itself tries for a minute."""
    if not master.startswith("spark://"):
        return
    reasons = []
    for address in master.removeprefix("spark://").split(","):
        host, _, port = address.rpartition(":")
        try:
            if not host or not 0 < int(port) < 65536:
                raise ValueError
            with socket.create_connection((host.strip("[]"), int(port)), timeout=CONNECT_SECONDS):
                return
        except ValueError:
            raise SettingError(f"--master {quoted(master)} is not spark://HOST:PORT") from None
        except OSError as error:
            reasons.append(error.strerror or str(error))
    raise Unavailable(f"{master}: the Spark master cannot be reached: {reasons[0]}; start it, or name another --master")


def _has_workers(context: Any) -> bool:
    return int(context._jsc.sc().getExecutorMemoryStatus().size()) > 1  # the first one is this process


def _wait_for_worker(context: Any, master: str, seconds: int) -> None:
    """Raise Unavailable when the master has no worker for us."""
    deadline = time.monotonic() + seconds
    while not _has_workers(context):
        if time.monotonic() > deadline:
            raise Unavailable(
                f"{master}: no worker of the Spark master was free within {seconds} seconds; start workers, ask for "
                f"less memory with --spark-conf spark.executor.memory=…, or wait longer with --spark-conf {WAITING}=…s"
            )
        time.sleep(0.1)


@contextmanager
def _watched(context: Any, seconds: int, workers_are_lost: threading.Event) -> Iterator[None]:
    """Cancel all jobs, and set the event, when jobs have had no worker for some seconds. Spark would wait for ever."""
    from py4j.protocol import Py4JError

    is_over = threading.Event()

    def watch() -> None:
        last = time.monotonic()
        while not is_over.wait(WATCH_SECONDS):
            if _has_workers(context) or not context.statusTracker().getActiveJobsIds():
                last = time.monotonic()
            elif time.monotonic() > last + seconds:
                workers_are_lost.set()
                context.cancelAllJobs()
                return

    def watch_to_the_end() -> None:
        with suppress(Py4JError, OSError):  # the Java process has ended: whoever waits for a job hears of it
            watch()

    thread = threading.Thread(target=watch_to_the_end, daemon=True)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


@contextmanager
def _log() -> Iterator[IO[bytes]]:
    """The file for Spark's messages."""
    wanted = os.environ.get(LOG_VARIABLE)
    if not wanted:
        with tempfile.TemporaryFile("a+b") as file:
            yield file
        return
    try:
        opened = Path(wanted).expanduser().open("a+b")
    except OSError as error:
        raise InputError(f"{wanted}: cannot be written: {error.strerror}; {LOG_VARIABLE} names it") from None
    with opened as file:
        yield file


def _stop(context: Any) -> None:
    """Stop Spark. Errors here, as of a Java process that was killed, would hide the first one."""
    from py4j.protocol import Py4JError

    with suppress(Py4JError, OSError):
        context.stop()


def _end(gateway: Any) -> None:
    """End the Java process, so that the next session starts with its own settings."""
    from py4j.protocol import Py4JError
    from pyspark import SparkContext

    with suppress(Py4JError, OSError):
        gateway.shutdown()
    SparkContext._gateway = SparkContext._jvm = None
    gateway.proc.stdin.close()
    try:
        gateway.proc.wait(10)
    except subprocess.TimeoutExpired:
        gateway.proc.kill()
        gateway.proc.wait()
