"""Prepare, train and recommend with Spark beside the local engine: seconds and peak memory; writes RESULTS.md.

    python benchmarks/spark.py SIZE FOLDER [--only prepare train recommend] [--masters local cluster] [--factors 16] …

SIZE names the section's rows, such as 1M; FOLDER holds ratings.csv (or another file that `recsys prepare` finds). Each
run is a process of its own, beside which a sampler adds up the memory of all processes it started: that of the Java
process and of the Python workers is not in the peak of the command. The cluster is a standalone master with two workers
of one core on this machine. Rows of other sizes that are in RESULTS.md stay there.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from results import RESULTS, write_section

HEADING = "## Spark beside one machine"
PAGE = os.sysconf("SC_PAGE_SIZE")
FOLDER = Path(tempfile.gettempdir()) / "recsys-spark"


def processes() -> dict[int, tuple[int, int]]:
    """Parent and resident bytes of every process."""
    found = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
            found[int(stat.parent.name)] = int(fields[1]), int(fields[21]) * PAGE
        except (OSError, IndexError):
            continue
    return found


def tree_bytes(roots: list[int]) -> int:
    """Resident bytes of these processes and of all that descend from them."""
    table, total, waiting = processes(), 0, list(roots)
    while waiting:
        number = waiting.pop()
        total += table.get(number, (0, 0))[1]
        waiting += [child for child, (parent, _) in table.items() if parent == number]
    return total


def run(arguments: list[object], others: list[int]) -> tuple[float, int]:
    """Seconds and peak bytes of `recsys` with these arguments, with the processes `others` and their children."""
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "recsys", *map(str, arguments)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    peak, is_over = 0, threading.Event()

    def sample() -> None:
        nonlocal peak
        while not is_over.wait(0.1):
            peak = max(peak, tree_bytes([process.pid, *others]))

    thread = threading.Thread(target=sample)
    thread.start()
    errors = process.communicate()[1].decode()
    seconds = time.perf_counter() - started
    is_over.set()
    thread.join()
    if process.returncode:
        sys.exit(f"{arguments}\n{errors}")
    return seconds, peak


@contextmanager
def cluster(memory: str) -> Iterator[tuple[str, list[int]]]:
    """The address and the processes of a master with two workers on the loopback interface."""
    import pyspark

    home = Path(pyspark.__file__).parent
    environment = {**os.environ, "SPARK_LOCAL_IP": "127.0.0.1", "SPARK_HOME": str(home)}
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    master, started = f"spark://127.0.0.1:{port}", []

    def start(name: str, *arguments: str) -> None:
        command = [str(home / "bin" / "spark-class"), f"org.apache.spark.deploy.{name.lower()}.{name}"]
        command += ["--host", "127.0.0.1", "--webui-port", "0", *arguments]
        with (FOLDER / f"{name}-{len(started)}.log").open("wb") as log:
            started.append(subprocess.Popen(command, stdout=log, stderr=log, env=environment, cwd=FOLDER))

    try:
        start("Master", "--port", str(port))
        time.sleep(4)
        for number in range(2):
            start("Worker", "--cores", "1", "--memory", memory, "--work-dir", str(FOLDER / f"work-{number}"), master)
        time.sleep(5)
        yield master, [process.pid for process in started]
    finally:
        for process in reversed(started):
            process.terminate()
        for process in started:
            process.wait()


def main() -> None:
    """Measure one size and replace its rows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("size")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", nargs="+", choices=("prepare", "train", "recommend"))
    parser.add_argument("--masters", nargs="+", choices=("local", "cluster"), default=("local", "cluster"))
    parser.add_argument("--factors", type=int, default=16)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--memory", default="3g", help="of each worker")
    chosen = parser.parse_args()
    only = chosen.only or ("prepare", "train", "recommend")
    FOLDER.mkdir(exist_ok=True)
    data, model = FOLDER / f"data-{chosen.size}", FOLDER / f"model-{chosen.size}"
    size = ["--set", f"n_factors={chosen.factors}", "--set", f"epochs={chosen.epochs}"]
    jobs: dict[str, list[object]] = {
        "prepare": ["prepare", chosen.folder, "--out"],
        "train": ["train", "--data", data, *size, "--out"],
        "recommend": ["recommend", "--data", data, "--model", model, "--out"],
    }
    if not data.is_dir():
        run([*jobs["prepare"], data], [])
    if not model.is_dir():
        run([*jobs["train"], model], [])
    rows = []

    def add(job: str, engine: str, found: tuple[float, int]) -> None:
        name = f"{job}, {chosen.factors} factors, {chosen.epochs} epochs" if job == "train" else job
        rows.append(f"| {chosen.size} | {name} | {engine} | {found[0]:.1f} | {found[1] / 2**20:,.0f} |")
        print(rows[-1], file=sys.stderr, flush=True)

    def out(job: str) -> Path:
        """A new path for the result."""
        path = FOLDER / f"out-{job}"
        shutil.rmtree(path, ignore_errors=True)
        path.unlink(missing_ok=True)
        return path

    for job in only:
        for name in ("ials", "als") if job == "train" else ("",):
            options = ["--model", name] if name else []
            add(job, f"local {name}".strip(), run([*jobs[job], out(job), *options], []))
        if "local" in chosen.masters:
            spark = ["--engine", "spark", "--master", "local[2]"]
            add(job, "Spark `local[2]`", run([*jobs[job], out(job), *spark], []))
        if "cluster" in chosen.masters:
            with cluster(chosen.memory) as (master, others):
                spark = ["--engine", "spark", "--master", master]
                spark += ["--spark-conf", f"spark.executor.memory={chosen.memory}"]
                add(job, "Spark, two workers", run([*jobs[job], out(job), *spark], others))
    old = re.search(rf"^{HEADING}\n(.*?)(?=^## |\Z)", RESULTS.read_text(encoding="utf-8"), re.M | re.S)
    kept = [row for row in (old[1] if old else "").splitlines() if re.match(r"\| \d", row)]
    new = {tuple(row.split("|")[1:4]) for row in rows}
    lines = [
        HEADING,
        "",
        "`python benchmarks/spark.py`: whole commands, one run each; the memory is the peak of all processes together "
        "(Python, Java, the Python workers, and for the cluster its master and two workers, all on this machine; pages "
        "that processes share count several times). Both engines have the same two cores. `prepare` and `recommend` "
        "write the same bytes with either. `als` and MLlib minimise the same loss with differently scaled "
        "regularization; `ials` is the default.",
        "",
        "| ratings | job | engine | s | peak MiB |",
        "|---|---|---|---|---|",
        *(row for row in kept if tuple(row.split("|")[1:4]) not in new),
        *rows,
    ]
    write_section(lines)


if __name__ == "__main__":
    main()
