"""The JSON service under load: requests per second, latency, memory, hostile requests, models replaced while it serves.

    python benchmarks/service.py --model FOLDER [--data FOLDER] [--minutes 10]

Writes a section of RESULTS.md. Needs `wrk` (Debian: apt-get install wrk), and a model with the size to measure, such as
the one of `benchmarks/scale.py`. The model is copied; nothing is changed in its folder.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

from results import write_section

import recsys
from recsys import store

HEADING = "## The JSON service under load"
PORT = 8765
PACED = 200
"""Requests per second of the paced load."""
FULL = """
math.randomseed(7)
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
users = {%s}
request = function()
  return wrk.format(nil, "/recommend", nil, '{"user": ' .. users[math.random(#users)] .. ', "k": 10}')
end
"""
RATED = """
math.randomseed(7)
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
items = {%s}
request = function()
  local rated, first = {}, math.random(#items)
  for at = 1, 20 do rated[at] = '{"item": ' .. items[(first + 37 * at) % #items + 1] .. ', "rating": 4}' end
  return wrk.format(nil, "/recommend", nil, '{"ratings": [' .. table.concat(rated, ",") .. '], "k": 10}')
end
"""
DELAY = "\ndelay = function() return %d end\n"


@dataclasses.dataclass(frozen=True)
class Load:
    """What wrk measured: requests per second, milliseconds at the median and the 99th percentile, failed requests."""

    rate: float
    p50: float
    p99: float
    n_failed: int


def wrk(script: str, seconds: int, connections: int = 16, path: str = "") -> Load:
    """Load the service with one thread of wrk."""
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as file:
        file.write(script)
        file.flush()
        command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "--timeout", "20s", "-s", file.name]
        text = subprocess.run(
            [*command, f"http://127.0.0.1:{PORT}{path}"], capture_output=True, text=True, check=True
        ).stdout
    failed = re.findall(r"Non-2xx or 3xx responses: (\d+)", text)
    for numbers in re.findall(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", text):
        failed += numbers
    rate = float(re.findall(r"Requests/sec: +([\d.]+)", text)[0])
    return Load(rate, _latency(text, 50), _latency(text, 99), sum(map(int, failed)))


def _latency(text: str, percent: int) -> float:
    number, unit = re.findall(rf"^ +{percent}% +([\d.]+)(us|ms|s)\b", text, re.M)[0]
    return float(number) * {"us": 1e-3, "ms": 1.0, "s": 1e3}[unit]


def paced(script: str, seconds: int) -> Load:
    """About `PACED` requests per second, over 20 connections."""
    return wrk(script + DELAY % (20 * 1000 // PACED), seconds, 20)


@contextlib.contextmanager
def service(model: Path, data: Path) -> Iterator[int]:
    """A service; gives the id of its process."""
    command = [sys.executable, "-m", "recsys", "serve", "--port", str(PORT), "--model", str(model), "--data", str(data)]
    with subprocess.Popen(command) as process:
        try:
            while health() is None:
                if process.poll() is not None:
                    raise SystemExit("the service ended")
                time.sleep(0.2)
            yield process.pid
        finally:
            process.terminate()


def health() -> dict[str, object] | None:
    """What the service says of itself; None while it does not answer."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{PORT}/health", timeout=20) as answer:
            return json.loads(answer.read())
    except OSError:
        return None


def memory(pid: int) -> int:
    """Resident memory of a process, MB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.findall(r"VmRSS:\s+(\d+)", status)[0]) // 1000


def hostile(stop: threading.Event, titles: list[str], counts: dict[str, list[int]]) -> list[threading.Thread]:
    """Threads that each send one kind of hostile request, ten a second, and note the status of each answer."""
    many = json.dumps({"ratings": {str(at): 5 for at in range(10**6)}}).encode()
    rated = {title: 4 for title in titles}
    bodies: dict[str, bytes] = {
        "10⁶ ratings, 14 MB": many,
        "100,000 nested lists": b"[" * 100_000,
        "an unknown user": b'{"user": 123456789012}',
        "an unknown title": b'{"ratings": {"The Moovie That Nobody Mede": 5}}',
        "a rating that is NaN": b'{"ratings": {"1": NaN}}',
        "10,001 denied movies": json.dumps({"user": 1, "deny": list(range(10_001))}).encode(),
        f"{len(rated)} ratings by title, explained": json.dumps({"ratings": rated, "explain": True}).encode(),
        "steered by three genres": b'{"user": 1, "steer": {"Horror": 1, "Comedy": -1, "Drama": 2}, "k": 1000}',
    }

    def send(name: str, body: bytes) -> None:
        while not stop.wait(0.1):
            counts[name].append(_status(body))

    def half() -> None:
        while not stop.wait(0.1):
            with socket.create_connection(("127.0.0.1", PORT)) as slow:
                slow.sendall(b"POST /recommend HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99\r\n\r\n{")
                answer = slow.recv(20)
                counts["bodies that stop, 20 open"].append(int(answer[9:12] or 0))

    threads = [threading.Thread(target=send, args=pair, daemon=True) for pair in bodies.items()]
    threads += [threading.Thread(target=half, daemon=True) for _ in range(20)]
    counts.update({name: [] for name in (*bodies, "bodies that stop, 20 open")})
    for thread in threads:
        thread.start()
    return threads


def _status(body: bytes) -> int:
    """The status of the answer to a body; 0 for none. It may come before all of the body is sent."""
    head = "POST /recommend HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nConnection: close"
    with socket.create_connection(("127.0.0.1", PORT), timeout=30) as connection:
        connection.sendall(f"{head}\r\nContent-Length: {len(body)}\r\n\r\n".encode())
        with contextlib.suppress(ConnectionError):
            connection.sendall(body)
        with contextlib.suppress(ConnectionError):
            return int(connection.recv(20)[9:12] or 0)
    return 0


def during(work: Callable[[], object], script: str, seconds: int) -> Load:
    """The paced load while something else happens."""
    thread = threading.Thread(target=work)
    thread.start()
    found = paced(script, seconds)
    thread.join()
    return found


def measure(model: Path, data: Path, minutes: int) -> list[str]:
    """The section of RESULTS.md."""
    loaded = recsys.load_model(model)
    interactions = store.load_prepared(data).interactions
    step = max(1, interactions.n_users // 5000)
    full = FULL % ",".join(json.dumps(user) for user in interactions.user_ids[::step].tolist())
    popular = loaded.item_ids[(-loaded.n_ratings).argsort()[:5000]].tolist()
    rated = RATED % ",".join(json.dumps(item) for item in popular)
    seen = loaded.catalog.labels[(-loaded.n_ratings).argsort()[:1000]].tolist()
    titles = list(dict.fromkeys(seen))
    rows: list[tuple[str, Load]] = []
    with service(model, data) as pid:
        wrk(full, 3)
        rows += [("known users, as fast as 16 connections go", wrk(full, 20))]
        rows += [("20 ratings, as fast as 16 connections go", wrk(rated, 20))]
        rows += [(f"known users, {PACED} a second", paced(full, 20))]
        rows += [(f"20 ratings, {PACED} a second", paced(rated, 20))]
        stop, counts = threading.Event(), {}
        threads = hostile(stop, titles, counts)
        time.sleep(6)  # the first time that a genre is asked for takes seconds
        rows += [(f"known users, {PACED} a second, beside hostile requests", paced(full, 20))]
        stop.set()
        for thread in threads:
            thread.join(15)

        def replace() -> None:
            for number in range(3):
                time.sleep(3)
                dataclasses.replace(loaded, metrics={"number": float(number)}).save(model)
                wanted = store.fingerprint_of(model)
                while (health() or {}).get("fingerprint") != wanted:
                    time.sleep(0.2)

        rows += [(f"known users, {PACED} a second, while three models are replaced", during(replace, full, 60))]
        sizes = [memory(pid)]
        for _ in range(minutes):
            paced(full, 60)
            sizes.append(memory(pid))
    return [
        HEADING,
        "",
        f"`recsys serve`, one process, a top-10 of {len(loaded.item_ids):,} movies for {interactions.n_users:,} users "
        f"with {interactions.n_ratings:,} ratings; {loaded.learner.n_factors} factors. "
        "The load comes from `wrk`, one thread on the same two cores. Seen movies are left out.",
        "",
        "| load | requests/s | p50 ms | p99 ms | failed |",
        "|---|---|---|---|---|",
        *(f"| {name} | {one.rate:,.0f} | {one.p50:.1f} | {one.p99:.1f} | {one.n_failed} |" for name, one in rows),
        "",
        f"Memory after {minutes} minutes at {PACED} requests a second, MB by the minute: {', '.join(map(str, sizes))}.",
        "",
        "| hostile requests, up to ten a second each | requests | statuses |",
        "|---|---|---|",
        *(f"| {name} | {len(found)} | {', '.join(map(str, sorted(set(found))))} |" for name, found in counts.items()),
    ]


def main() -> None:
    """Parse the arguments, measure, and write the section."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--minutes", type=int, default=10)
    given = parser.parse_args()
    data = given.data or Path(recsys.load_model(given.model).data["path"])
    with tempfile.TemporaryDirectory() as folder:
        copied = Path(folder) / "model"
        shutil.copytree(given.model, copied)
        write_section(measure(copied, data, given.minutes))


if __name__ == "__main__":
    main()
