"""`recsys serve` as a process: models replaced under load, slow clients, signals, options that cannot be used."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

import recsys
from recsys import store
from tests.cli.run import complaint
from tests.cli.run import recsys as command

KEY = "a-key-of-more-than-twenty-letters"
SLOW = (
    "import recsys.service.settings as s; s.HEAD_SECONDS = s.BODY_SECONDS = 1.0\n"
    "s.REQUEST_SECONDS = 1.5; s.WATCH_SECONDS = 0.1\n"
    "from recsys.cli.main import main; main()"
)
"""The command with shorter times."""


class Running:
    """A service in a process of its own."""

    def __init__(self, folder: Path, port: int) -> None:
        self.port, self.log = port, folder / "log"
        command = [sys.executable, "-c", SLOW, "serve", "--model", str(folder / "model"), "--port", str(port)]
        with self.log.open("w") as log:
            self.process = subprocess.Popen(command, stderr=log, env={**os.environ, "RECSYS_API_KEY": KEY})
        deadline = time.monotonic() + 60
        while self.process.poll() is None and time.monotonic() < deadline:
            try:
                self.ask("GET", "/health")
                return
            except OSError:
                time.sleep(0.05)
        raise AssertionError(self.log.read_text())

    def ask(self, method: str, path: str, body: object = None) -> tuple[int, dict]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json", "Connection": "close"}
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())

    def until(self, fingerprint: str | None, problem: bool = False) -> dict:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            _, health = self.ask("GET", "/health")
            if health["fingerprint"] == fingerprint and (health["problem"] is not None) == problem:
                return health
            time.sleep(0.02)
        raise AssertionError(self.log.read_text())


@pytest.fixture(scope="module")
def data() -> recsys.Dataset:
    rows = [(user, item, 1 + (user * item) % 5) for user in range(40) for item in range(30) if (user + item) % 3]
    return recsys.Dataset.from_frame(pd.DataFrame(rows, columns=["user_id", "item_id", "rating"]))


def train(data: recsys.Dataset, folder: Path, seed: int) -> str:
    recsys.IALS(n_factors=4, epochs=1, seed=seed).fit(data).with_data_path(folder / "data").save(folder / "model")
    return store.fingerprint_of(folder / "model")


@pytest.fixture(scope="module")
def running(data: recsys.Dataset, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("serve")
    store.save_prepared(folder / "data", data)
    train(data, folder, 0)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    service = Running(folder, port)
    yield service
    service.process.kill()
    service.process.wait()


def test_models_are_replaced_without_a_failed_request(data: recsys.Dataset, running: Running) -> None:
    folder, stop = running.log.parent, threading.Event()
    seen: list[tuple[int, str | None]] = []

    def keep_asking() -> None:
        while not stop.is_set():
            status, answer = running.ask("POST", "/recommend", {"user": len(seen) % 40, "k": 3})
            seen.append((status, answer.get("model")))

    clients = [threading.Thread(target=keep_asking) for _ in range(3)]
    for client in clients:
        client.start()
    published = [store.fingerprint_of(folder / "model")]
    for seed in range(1, 6):
        published.append(train(data, folder, seed))
        running.until(published[-1])
    (folder / "model" / "items.parquet").write_bytes(b"damaged")
    manifest = folder / "model" / "manifest.json"
    manifest.write_text(manifest.read_text() + " ")
    running.until(published[-1], problem=True)
    published.append(train(data, folder, 6))
    running.until(published[-1])
    before = len(seen)
    while len(seen) < before + 20:
        time.sleep(0.01)
    stop.set()
    for client in clients:
        client.join()
    assert {status for status, _ in seen} == {200}
    models = [model for _, model in seen]
    assert set(models) == set(published) and models[-1] == published[-1]
    assert "the newer model is not served" in running.log.read_text()


def test_new_ratings_of_a_known_user_are_left_out(data: recsys.Dataset, running: Running) -> None:
    folder = running.log.parent
    status, before = running.ask("POST", "/recommend", {"user": 7, "k": 2})
    best = [row["item_id"] for row in before["recommendations"]]
    frame = data.interactions.matrix.tocoo()
    ratings = pd.DataFrame({"user_id": frame.row, "item_id": frame.col, "rating": frame.data})
    more = pd.DataFrame({"user_id": [7, 99], "item_id": [best[0], 3], "rating": [5.0, 5.0]})
    store.save_prepared(folder / "data", recsys.Dataset.from_frame(pd.concat([ratings, more])))
    deadline = time.monotonic() + 30
    while running.ask("GET", "/health")[1]["n_users"] != 41:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert best[0] not in [row["item_id"] for row in running.ask("GET", "/recommend?user=7&k=30")[1]["recommendations"]]
    status, new = running.ask("GET", "/recommend?user=99&k=3")
    assert (status, new["origin"]) == (200, "folded in")


def exchange(port: int, *parts: bytes, wait: float = 0.0) -> bytes:
    """What the service answers to bytes that are sent one part after the other."""
    with socket.create_connection(("127.0.0.1", port), timeout=15) as connection:
        for part in parts:
            connection.sendall(part)
            time.sleep(wait)
        answer = b""
        try:
            while more := connection.recv(65536):
                answer += more
        except ConnectionResetError:
            pass
        return answer


GET = b"GET %b HTTP/1.1\r\nHost: localhost\r\n\r\n"
HEAD = (
    f"POST /recommend HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {KEY}\r\nContent-Type: application/json\r\n"
)


def test_slow_and_large_clients_are_ended_and_slow_nobody(running: Running) -> None:
    answers: dict[str, bytes] = {}
    attacks: dict[str, tuple[bytes, ...]] = {
        "nothing": (b"",),
        "half a head": (HEAD.encode(),),
        "half a body": (HEAD.encode() + b'Content-Length: 50\r\n\r\n{"us',),
        "half a chunk": (HEAD.encode() + b'Transfer-Encoding: chunked\r\n\r\n5\r\n{"use',),
        "endless head": (HEAD.encode() + b"X: " + b"y" * 200_000,),
        "endless chunks": (HEAD.encode() + b"Transfer-Encoding: chunked\r\n\r\n" + b"61a80\r\n" + b"z" * 400_000,),
        "long line": (b"GET /find?q=" + b"q" * 40_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",),
        "not http": (b"\x16\x03\x01\x02\x00" * 10,),
        "a thousand at once": (GET % b"/health" * 1000,),
        "empty lines after an answer": (GET % b"/health", b"\r\n"),
    }

    def attack(name: str) -> None:
        answers[name] = exchange(running.port, *attacks[name], wait=0.1)

    threads = [threading.Thread(target=attack, args=(name,)) for name in attacks]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        assert running.ask("GET", "/recommend?user=1&k=2")[0] == 200
    assert answers["nothing"] == answers["half a head"] == b""
    for name, status in {
        "half a body": b"408", "half a chunk": b"408", "endless head": b"431", "long line": b"431", "not http": b"400",
        "endless chunks": b"413", "a thousand at once": b"400", "empty lines after an answer": b"200",
    }.items():  # fmt: skip
        assert answers[name].startswith(b"HTTP/1.1 " + status), (name, answers[name][:300])
        assert b'\r\n\r\n{"' in answers[name], "one line of JSON"


def test_a_client_that_reads_no_answer_is_ended(running: Running) -> None:
    def n_open() -> int:
        """Connections that the service holds open; those of other tests have ended."""
        text = Path(f"/proc/{running.process.pid}/net/tcp").read_text()
        return len(re.findall(rf"^ *\d+: 0100007F:{running.port:04X} [0-9A-F]+:[0-9A-F]+ 01 ", text, re.M))

    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(("127.0.0.1", running.port))
        assert n_open() == 1
        with contextlib.suppress(ConnectionError):
            for _ in range(300):
                client.sendall(GET % b"/openapi.json")  # 22 kB
                time.sleep(0.003)
        deadline = time.monotonic() + 15
        while n_open():
            assert time.monotonic() < deadline, "the connection stays open for a client that reads nothing"
            time.sleep(0.05)


def test_a_client_that_sends_far_too_much_reads_why_not(running: Running) -> None:
    for _ in range(3):  # a reset would arrive before, while or after the body is sent
        status, answer = running.ask("POST", "/recommend", {"ratings": {str(item): 5 for item in range(500_000)}})
        assert (status, list(answer)) == (413, ["error"])


def test_a_signal_lets_running_requests_end(running: Running) -> None:
    with socket.create_connection(("127.0.0.1", running.port), timeout=15) as connection:
        body = b'{"user": 1, "k": 2}'
        connection.sendall(HEAD.encode() + b"Content-Length: %d\r\n\r\n" % len(body) + body[:5])
        time.sleep(0.2)
        running.process.send_signal(signal.SIGTERM)
        time.sleep(0.2)
        connection.sendall(body[5:])
        assert connection.recv(65536).startswith(b"HTTP/1.1 200")
    assert running.process.wait(timeout=15) in (0, -signal.SIGTERM)
    log = running.log.read_text()
    assert "Traceback" not in log and KEY not in log and "user" not in log.replace("/user", "")


def test_options_that_cannot_be_used_are_refused(tmp_path: Path) -> None:
    assert "is used with --public" in complaint(command("serve", "--model", "m", "--address", "127.0.0.1"))
    assert "is not an origin" in complaint(command("serve", "--model", "m", "--cors", "movies.example"))
    assert "RECSYS_API_KEY: the key has 5" in complaint(command("serve", "--model", "m", RECSYS_API_KEY="short"))
    assert "recsys train" in complaint(command("serve", "--model", tmp_path, "--port", 18431))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert f"the service cannot listen on 127.0.0.1, port {port}" in complaint(
            command("serve", "--model", "m", "--port", port)
        )
