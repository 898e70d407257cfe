"""The JSON service under load; writes its sections of RESULTS.md.

    python benchmarks/service.py load      requests per second and latency, the best of three rounds
    python benchmarks/service.py hostile   a paced load beside hostile requests: its latency, and what they are answered
    python benchmarks/service.py replace   a paced load while models are replaced: latency, failures, memory
    python benchmarks/service.py memory    memory under a slow load of all kinds of requests, for --minutes

Needs `wrk` (Debian: apt-get install wrk). The model is that of `benchmarks/scale.py`, unless --model and --data name
another. It is copied; nothing is changed in its folder.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import os
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
from scale import MODEL

import recsys
from recsys import store

PORT = 8765
PACED, SLOW = 200, 20
"""Requests per second of the paced load, and of the slow one."""
ROUNDS = 3
N_MODELS = 24
"""How often the model is replaced."""
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
  for at = 1, 20 do rated[at] = '{"item": ' .. items[(first + 37 * at) %% #items + 1] .. ', "rating": 4}' end
  return wrk.format(nil, "/recommend", nil, '{"ratings": [' .. table.concat(rated, ",") .. '], "k": 10}')
end
"""
MIXED = """
math.randomseed(7)
users, items, titles = {%s}, {%s}, {%s}
local json = {["Content-Type"] = "application/json"}
local function post(body) return wrk.format("POST", "/recommend", json, body) end
local function rated(n)
  local parts, first = {}, math.random(#items)
  for at = 1, n do parts[at] = '{"item": ' .. items[(first + 37 * at) %% #items + 1] .. ', "rating": 4}' end
  return '"ratings": [' .. table.concat(parts, ",") .. ']'
end
request = function()
  local kind, title = math.random(20), titles[math.random(#titles)]
  if kind <= 8 then return post('{"user": ' .. users[math.random(#users)] .. '}') end
  if kind <= 12 then return post('{' .. rated(20) .. '}') end
  if kind == 13 then return post('{' .. rated(20) .. ', "explain": true}') end
  if kind == 14 then return post('{' .. rated(20) .. ', "steer": {"Horror": -1}, "k": 100}') end
  if kind == 15 then return post('{' .. rated(5) .. ', "genres": ["Drama"], "years": [1990, null]}') end
  if kind == 16 then return post('{"ratings": {"' .. title .. '": 5}}') end
  if kind <= 18 then return wrk.format("GET", "/similar?item=" .. items[math.random(#items)]) end
  if kind == 19 then return wrk.format("GET", "/find?q=" .. string.sub(title:gsub("[^%%w]", "+"), 1, 12)) end
  return wrk.format("GET", "/items?offset=" .. math.random(50000))
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


def paced(script: str, seconds: int, rate: int = PACED) -> Load:
    """About `rate` requests per second, over 20 connections."""
    return wrk(script + DELAY % (20 * 1000 // rate), seconds, 20)


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


@dataclasses.dataclass(frozen=True)
class Served:
    """A copy of the model to serve, its data, and scripts for wrk: known users, 20 ratings, all kinds of requests."""

    model: Path
    data: Path
    loaded: recsys.Model
    intro: str
    known: str
    rated: str
    mixed: str
    titles: list[str]

    @classmethod
    def of(cls, model: Path, data: Path) -> Served:
        """Read the folders and write the scripts."""
        loaded = recsys.load_model(model)
        interactions = store.load_prepared(data).interactions
        users = interactions.user_ids[:: max(1, interactions.n_users // 5000)].tolist()
        popular = (-loaded.n_ratings).argsort()
        items, labels = loaded.item_ids[popular[:5000]].tolist(), loaded.catalog.labels[popular[:1000]].tolist()
        titles = list(dict.fromkeys(labels))
        lists = [",".join(map(json.dumps, values)) for values in (users, items, filter(str.isascii, titles))]
        intro = (
            f"`recsys serve`, one process, a top-10 of {len(loaded.item_ids):,} movies for {interactions.n_users:,} "
            f"users with {interactions.n_ratings:,} ratings; {loaded.learner.n_factors} factors. Seen movies are left "
            "out. The load comes from `wrk`, one thread on the same two cores. Load average of other work before the "
            f"run: {os.getloadavg()[0]:.1f}."
        )
        return cls(
            model, data, loaded, intro, FULL % lists[0], RATED % lists[1], MIXED % tuple(lists), titles
        )  # fmt: skip


def load(served: Served, minutes: int) -> list[str]:
    """Requests per second and latency."""
    loads: dict[str, Callable[[], Load]] = {
        "known users, as fast as 16 connections go": lambda: wrk(served.known, 15),
        "20 ratings, as fast as 16 connections go": lambda: wrk(served.rated, 15),
        f"known users, {PACED} a second": lambda: paced(served.known, 15),
        f"20 ratings, {PACED} a second": lambda: paced(served.rated, 15),
    }
    found: dict[str, list[Load]] = {name: [] for name in loads}
    with service(served.model, served.data):
        wrk(served.known, 3)
        for _ in range(ROUNDS):
            for name, measure in loads.items():
                found[name].append(measure())
    return [
        "## The JSON service under load",
        "",
        f"{served.intro} Each row is the round with the lowest p99 of {ROUNDS}. `python benchmarks/service.py load`",
        "",
        *table({name: min(ones, key=lambda one: one.p99) for name, ones in found.items()}),
    ]


def table(rows: dict[str, Load]) -> list[str]:
    """Loads as a table of Markdown."""
    return [
        "| load | requests/s | p50 ms | p99 ms | failed |",
        "|---|---|---|---|---|",
        *(
            f"| {name} | {one.rate:,.0f} | {one.p50:.1f} | {one.p99:.1f} | {one.n_failed} |"
            for name, one in rows.items()
        ),
    ]


def beside_hostile(served: Served, minutes: int) -> list[str]:
    """The latency of a paced load without and with hostile requests beside it."""
    rows: dict[str, Load] = {}
    stop, counts = threading.Event(), {}
    with service(served.model, served.data):
        wrk(served.known, 3)
        rows["alone"] = min((paced(served.known, 15) for _ in range(ROUNDS)), key=lambda one: one.p99)
        threads = hostile(stop, served.titles, counts)
        time.sleep(6)  # the first time that a genre is asked for takes seconds
        beside = [paced(served.known, 15) for _ in range(ROUNDS)]
        rows["beside hostile requests"] = min(beside, key=lambda one: one.p99)
        stop.set()
        for thread in threads:
            thread.join(15)
    return [
        "## The JSON service beside hostile requests",
        "",
        f"{served.intro} Known users, {PACED} a second; the round with the lowest p99 of {ROUNDS}. The hostile "
        "clients, up to ten requests a second of each kind, share the cores. `python benchmarks/service.py hostile`",
        "",
        *table(rows),
        "",
        "| hostile requests | requests | statuses |",
        "|---|---|---|",
        *(f"| {name} | {len(found)} | {', '.join(map(str, sorted(set(found))))} |" for name, found in counts.items()),
    ]


def replace(served: Served, minutes: int) -> list[str]:
    """Latency, failures and memory while models are replaced."""
    sizes: list[int] = []
    stop = threading.Event()
    found: list[Load] = []

    def keep_asking() -> None:
        while not stop.is_set():
            found.append(paced(served.known, 15))

    with service(served.model, served.data) as pid:
        paced(served.known, 3)
        sizes.append(memory(pid))
        asking = threading.Thread(target=keep_asking)
        asking.start()
        for number in range(N_MODELS):
            dataclasses.replace(served.loaded, metrics={"number": float(number)}).save(served.model)
            wanted = store.fingerprint_of(served.model)
            while (health() or {}).get("fingerprint") != wanted:
                time.sleep(0.2)
            sizes.append(memory(pid))
        stop.set()
        asking.join()
    p99 = sorted(one.p99 for one in found)
    return [
        "## The JSON service while its model is replaced",
        "",
        f"{served.intro} Known users, {PACED} a second, while the model is replaced {N_MODELS} times, each time as "
        "soon as the last one is served. `python benchmarks/service.py replace`",
        "",
        f"{sum(one.rate * 15 for one in found):,.0f} requests, {sum(one.n_failed for one in found)} failed; p99 in "
        f"runs of 15 s: {p99[0]:.0f} to {p99[-1]:.0f} ms, the median {p99[len(p99) // 2]:.0f} ms. Memory before, and "
        f"after each model, MB: {', '.join(map(str, sizes))}.",
    ]


def memory_of_hours(served: Served, minutes: int) -> list[str]:
    """Memory under a slow load of all kinds of requests."""
    with service(served.model, served.data) as pid:
        sizes, found = [memory(pid)], []
        for _ in range(minutes):
            found.append(paced(served.mixed, 60, SLOW))
            sizes.append(memory(pid))
    return [
        "## The memory of the JSON service",
        "",
        f"{served.intro} Known users, ratings by id and by title, reasons, steering, filters, similar movies, search "
        f"and the catalogue, {SLOW} requests a second. `python benchmarks/service.py memory --minutes {minutes}`",
        "",
        f"{sum(one.rate * 60 for one in found):,.0f} requests in {minutes} minutes, "
        f"{sum(one.n_failed for one in found)} failed. Resident memory at the start, after one minute and then every "
        f"five minutes, MB: {', '.join(str(sizes[at]) for at in (0, 1, *range(5, minutes + 1, 5)))}.",
    ]


PARTS = {"load": load, "hostile": beside_hostile, "replace": replace, "memory": memory_of_hours}


def main() -> None:
    """Parse the arguments, run one part, and write its section."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("--model", type=Path, default=MODEL)
    parser.add_argument("--data", type=Path, help="default: the data that the model names")
    parser.add_argument("--minutes", type=int, default=10)
    given = parser.parse_args()
    data = given.data or Path(recsys.load_model(given.model).data["path"])
    with tempfile.TemporaryDirectory() as folder:
        copied = Path(folder) / "model"
        shutil.copytree(given.model, copied)
        write_section(PARTS[given.part](Served.of(copied, data), given.minutes))


if __name__ == "__main__":
    main()
