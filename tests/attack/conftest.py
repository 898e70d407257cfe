"""What all attacks share: the warm server, the world, the choice of attempts, and the table of what was tried.

`make attack` sets RECSYS_ATTACK=1 and makes every attempt; otherwise a sample is made that takes seconds. The table
is written to test-output/attack.json.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import pytest

from tests.attack.process import Server
from tests.attack.scene import World
from tests.attack.syscalls import why_unavailable
from tests.attack.world import BUILD, QUICK_BUILD

T = TypeVar("T")

EVERYTHING = os.environ.get("RECSYS_ATTACK") == "1"
TABLE = Path(__file__).resolve().parents[2] / "test-output" / "attack.json"
LOG = TABLE.with_suffix(".log")
"""What went wrong, as it happens."""


def sample(attempts: Sequence[T], n: int, seed: int = 0) -> list[T]:
    """All attempts with RECSYS_ATTACK=1, otherwise n of them, always the same."""
    if EVERYTHING or len(attempts) <= n:
        return list(attempts)
    return [attempts[i] for i in sorted(random.Random(seed).sample(range(len(attempts)), n))]


class Attempts:
    """Counts the attempts of one test; `check` fails it if any went wrong."""

    def __init__(self, request: pytest.FixtureRequest) -> None:
        self._request = request
        self.n_right, self.wrong = 0, []

    def record(self, what: object, fault: str) -> None:
        """Count an attempt; `fault` is what went wrong, empty if nothing did."""
        if fault:
            self.wrong.append(f"{what}: {fault}")
            if EVERYTHING:  # a long run can be followed
                LOG.parent.mkdir(exist_ok=True)
                with LOG.open("a", encoding="utf-8") as log:
                    log.write(f"{self.wrong[-1]}\n")
        else:
            self.n_right += 1

    def check(self, kind: str, at_least: int = 1) -> None:
        """Write the counts into the table; fail if an attempt went wrong or fewer than `at_least` were made."""
        tried = self.n_right + len(self.wrong)
        self._request.node.user_properties.append(("attack", [kind, tried, self.n_right, self.wrong]))
        assert not self.wrong, f"{len(self.wrong)} of {tried} attempts went wrong:\n" + "\n".join(self.wrong[:40])
        assert tried >= at_least, f"only {tried} attempts"


@pytest.fixture
def attempts(request: pytest.FixtureRequest) -> Attempts:
    return Attempts(request)


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    started = Server()
    yield started
    started.close()


@pytest.fixture(scope="session")
def world(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    made = World(server, tmp_path_factory.mktemp("attack"), BUILD if EVERYTHING else QUICK_BUILD)
    yield made
    made.close()


@pytest.fixture
def watching() -> None:
    """Skip where system calls cannot be watched."""
    if reason := why_unavailable():
        pytest.skip(reason)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Write and print what was tried, with all tests of this run together."""
    tried: Counter[str] = Counter()
    right: Counter[str] = Counter()
    wrong: dict[str, list[str]] = {}
    for reports in terminalreporter.stats.values():
        for report in reports:
            if getattr(report, "when", None) != "call":
                continue
            for name, value in report.user_properties:
                if name == "attack":
                    kind, n_tried, n_right, faults = value
                    tried[kind] += n_tried
                    right[kind] += n_right
                    wrong.setdefault(kind, []).extend(faults)
    if not tried:
        return
    rows = [
        {"attack": kind, "tried": tried[kind], "right": right[kind], "wrong": len(wrong[kind]), "faults": wrong[kind]}
        for kind in tried
    ]
    TABLE.parent.mkdir(exist_ok=True)
    TABLE.write_text(json.dumps({"everything": EVERYTHING, "attacks": rows}, indent=2) + "\n", encoding="utf-8")
    terminalreporter.section("attacks")
    width = max(map(len, tried))
    for row in rows:
        terminalreporter.line(f"{row['attack']:<{width}}  {row['tried']:>6,} tried  {row['wrong']:>5,} wrong")
    total = sum(tried.values())
    lines = [f"| {row['attack']} | {row['tried']:,} | {row['wrong']:,} |\n" for row in rows]
    TABLE.with_suffix(".md").write_text("".join(lines), encoding="utf-8")
    terminalreporter.line(f"{'total':<{width}}  {total:>6,} tried  {total - sum(right.values()):>5,} wrong")


@pytest.fixture
def mount(tmp_path: Path) -> Iterator[Callable[..., Path]]:
    """Mount a file system in memory; skip where this is not allowed."""
    place = tmp_path / "disk"
    place.mkdir()

    def mounted(options: str) -> Path:
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)], capture_output=True, text=True
        )
        if done.returncode:
            pytest.skip(f"mounting is not allowed here: {done.stderr.strip()}")
        return place

    if os.geteuid() or not shutil.which("mount"):
        pytest.skip("only root can mount a file system")
    yield mounted
    while os.path.ismount(place):
        subprocess.run(["umount", str(place)], check=True)
