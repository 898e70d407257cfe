"""Nightly runs while the published model is in use: a service under load, and pages of the app in a browser.

    python -m benchmarks.nightly FOLDER

FOLDER contains a `nightly.toml` whose first night is over, as docs/nightly.md describes it, and files of ratings in
`days/`. Each of these is moved to `new/` for one night, after which comes a rollback. Meanwhile two clients send
requests to `recsys serve`, at most 100 a second each, and a browser opens the pages of `recsys app` in turn. Prints how
many answers and pages there were, and what failed. Needs the extra `serve`, Chromium and playwright.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from playwright.sync_api import sync_playwright

from recsys import store
from recsys.workflows.nightly_settings import NightlySettings, read_settings
from tests.browser.driver import browsing, chromium, open_app, serving

N_CLIENTS, PAUSE = 2, 0.01
PAGES = ("", "movie", "dimensions", "quality", "data", "batch")


class Client(threading.Thread):
    """Requests recommendations for the users in turn until `is_over` is set.

    answers   by status, or by the error of the connection
    models    fingerprints in the order of their first answer
    seconds   that each answer took
    """

    def __init__(self, port: int, users: list[object]) -> None:
        super().__init__(daemon=True)
        self.port, self.users = port, users
        self.answers: Counter[str] = Counter()
        self.models: dict[str, None] = {}
        self.seconds: list[float] = []
        self.is_over = False

    def run(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        while not self.is_over:
            user, begun = self.users[len(self.seconds) % len(self.users)], time.perf_counter()
            try:
                connection.request("GET", f"/recommend?user={user}&k=10")
                answer = connection.getresponse()
                content = json.loads(answer.read())
                self.answers[str(answer.status)] += 1
                self.models.setdefault(content.get("model"))
            except OSError as error:
                self.answers[type(error).__name__] += 1
                connection.close()
            self.seconds.append(time.perf_counter() - begun)
            time.sleep(PAUSE)


class Nights(threading.Thread):
    """Runs a night for each file of ratings, each followed by a pause, and a rollback at the end."""

    def __init__(self, settings: NightlySettings) -> None:
        super().__init__(daemon=True)
        self.settings, self.published, self.log = settings, [store.fingerprint_of(settings.model)], ""

    def run(self) -> None:
        folder = self.settings.file.parent
        for file in sorted((folder / "days").glob("*.csv")):
            file.rename(folder / "new" / file.name)
            self._command()
        self._command("--rollback")
        time.sleep(3)  # for readers to notice

    def _command(self, *options: str) -> None:
        command = [sys.executable, "-m", "recsys", "nightly", str(self.settings.file), "--json", *options]
        begun = time.perf_counter()
        ran = subprocess.run(command, capture_output=True, text=True)
        self.published.append(store.fingerprint_of(self.settings.model))
        what = " ".join(("nightly", *options))
        self.log += f"{what}: status {ran.returncode}, {time.perf_counter() - begun:.1f} s {ran.stderr.strip()}\n"
        time.sleep(2)


@contextmanager
def service(model: Path, log: Path) -> Iterator[int]:
    """`recsys serve` until the block ends; yields its port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with log.open("w") as out:
        command = [sys.executable, "-m", "recsys", "serve", "--model", str(model), "--port", str(port)]
        process = subprocess.Popen(command, stderr=out, env=dict(os.environ))
    try:
        for _ in range(600):
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except OSError:
                time.sleep(0.1)
        yield port
    finally:
        process.terminate()
        process.wait(20)


def visit(page: object, address: str, is_over: Callable[[], bool]) -> Counter[str]:
    """Open the pages in turn; how many were whole, and how many showed an exception or did not come."""
    found: Counter[str] = Counter()
    while not is_over():
        for path in PAGES:
            open_app(page, address, path)  # raises when the page does not come
            is_whole = page.get_by_test_id("stException").count() == 0
            found["whole" if is_whole else f"exception on {path or 'for-you'}"] += 1
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder.resolve()
    settings = read_settings(folder / "nightly.toml")
    users = store.load_model(settings.model).space.user_ids[:200].tolist()
    with (
        service(settings.model, folder / "service.log") as port,
        serving(settings.model.parent, folder / "app.log") as address,
        sync_playwright() as playwright,
        chromium(playwright) as browser,
        browsing(browser) as page,
    ):
        clients, nights = [Client(port, users) for _ in range(N_CLIENTS)], Nights(settings)
        for thread in (*clients, nights):
            thread.start()
        pages = visit(page, address, lambda: not nights.is_alive())
        for client in clients:
            client.is_over = True
            client.join()
    times = np.array([seconds for client in clients for seconds in client.seconds]) * 1000
    seen = set().union(*(client.models for client in clients))
    print(nights.log.strip())
    print(f"models published: {len(set(nights.published))}, answered from: {len(seen)}, all of them: "
          f"{seen == set(nights.published)}")  # fmt: skip
    print("answers of the service:", dict(sum((client.answers for client in clients), Counter())))
    print(f"ms: median {np.median(times):.1f}, p99 {np.quantile(times, 0.99):.1f}, longest {times.max():.1f}")
    print("pages of the app:", dict(pages))
    for name in ("service.log", "app.log"):
        print(f"tracebacks in {name}: {(folder / name).read_text().count('Traceback')}")


if __name__ == "__main__":
    main()
