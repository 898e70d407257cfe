"""A night that is killed at a random moment leaves the published model of yesterday or of today, whole; run again, it
finishes with the result of an undisturbed night and leaves nothing behind. So does the way back."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from recsys import store
from tests.attack.conftest import EVERYTHING, Attempts
from tests.attack.process import Server
from tests.attack.scene import part, state_of
from tests.attack.world import write_sources

pytestmark = pytest.mark.skipif(not EVERYTHING, reason="takes minutes: set RECSYS_ATTACK=1, or run `make attack`")
N_KILLS, N_SIZES = 40, 24
SETTINGS = """
data = "data"
model = "models/mine"

[ratings]
files = ["ratings.csv", "new/*.csv"]
items = "items.csv"
columns = { user = "user", item = "movie", rating = "stars", time = "when" }

[train]
settings = { n_factors = 4, epochs = 3 }

[space]
maps = ["pca"]
refits = 1

[evaluate]
max_fall = 1.0

[recommend]
out = "lists.parquet"
"""
NIGHT = ("nightly", "nightly.toml")
ROLLBACK = (*NIGHT, "--rollback")
PUBLISHED = ("models/mine", "lists.parquet")


@pytest.fixture(scope="module")
def base(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The morning after the first night, with a new file of ratings."""
    folder = tmp_path_factory.mktemp("nightly") / "base"
    write_sources(folder)
    shutil.rmtree(folder / "root")
    (folder / "new").mkdir()
    (folder / "nightly.toml").write_text(SETTINGS)
    for _ in range(2):  # the first one compiles, in the warm process
        assert server.ask({"do": "warm", "argv": list(NIGHT), "cwd": str(folder)})["status"] == 0
    rows = (f"u{user},m{item},{1 + item % 5},1200000000\n" for user in range(50, 70) for item in range(0, 60, 7))
    (folder / "new" / "day.csv").write_text("user,movie,stars,when\n" + "".join(rows))
    return folder


@pytest.fixture(scope="module")
def later(server: Server, base: Path) -> Path:
    """The morning after the second night."""
    folder = base.with_name("later")
    shutil.copytree(base, folder)
    must(server, folder, NIGHT)
    return folder


def must(server: Server, folder: Path, command: tuple[str, ...]) -> None:
    ran = server.run(folder, *command, seconds=60)
    assert ran.status == 0, ran


def leftovers(folder: Path) -> list[str]:
    """Temporary files, locks, and what a night works on."""
    hidden = (path.relative_to(folder).as_posix() for path in folder.rglob(".*"))
    return [name for name in hidden if ".recsys-" in name or name.endswith(".next")]


@pytest.mark.parametrize("command", [NIGHT, ROLLBACK], ids=["night", "rollback"])
def test_killed_at_random_moments(
    server: Server, base: Path, later: Path, attempts: Attempts, command: tuple[str, ...]
) -> None:
    start = base if command == NIGHT else later
    done, chance, n_hit = start.with_name("done"), random.Random(14), 0
    shutil.rmtree(done, ignore_errors=True)
    shutil.copytree(start, done)
    begun = time.monotonic()
    must(server, done, command)
    duration = time.monotonic() - begun
    old, new = ({name: part(state_of(folder), (name,)) for name in PUBLISHED} for folder in (start, done))
    assert all(old[name] != new[name] for name in PUBLISHED)
    for number in range(N_KILLS):
        folder = start.with_name("attempt")
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(start, folder)
        running = server.start(folder, *command)
        moment = duration * (number + chance.random()) / N_KILLS  # spread over the night
        running.ended(moment)
        running.kill()
        n_hit += running.result().status == -9
        attempts.record(
            f"{' '.join(command)}, killed after {moment:.3f} s", fault_of(server, folder, command, old, new)
        )
    attempts.check(f"kill -9 at a random moment of {'a night' if command == NIGHT else 'a rollback'}", N_KILLS)
    assert n_hit >= N_KILLS / 3, f"only {n_hit} of {N_KILLS} runs were killed before their end"


def fault_of(server: Server, folder: Path, command: tuple[str, ...], old: dict, new: dict) -> str:
    """What is wrong after a kill and the run after it, empty if nothing is."""
    found = {name: part(state_of(folder), (name,)) for name in PUBLISHED}
    for name in PUBLISHED:
        if found[name] not in (old[name], new[name]):
            return f"{name} is neither of yesterday nor of today"
    store.load_model(folder / "models" / "mine")
    is_done = command == ROLLBACK and is_back(folder)
    if not is_done:
        ran = server.run(folder, *command)
        if ran.status != 0:
            return f"the next run: {ran.fault or ran.err.strip()}"
    now = {name: part(state_of(folder), (name,)) for name in PUBLISHED}
    different = [name for name in PUBLISHED if now[name] != new[name]]
    if different:
        return f"other content: {different}"
    left = [] if is_done else leftovers(folder)
    return f"left behind: {left}" if left else ""


def is_back(folder: Path) -> bool:
    """Whether a rollback came to its end before it was killed: another one would go back further."""
    return (
        not any((folder / "nightly" / "previous").iterdir())
        and '"rolling_back": null' in (folder / "nightly" / "state.json").read_text()
    )


def test_a_second_run_is_refused_while_one_is_under_way(server: Server, base: Path, attempts: Attempts) -> None:
    folder = base.with_name("two")
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(base, folder)
    first = server.start(folder, *NIGHT)
    wait_for(lambda: (folder / ".nightly.recsys-lock").exists())
    seconds = [server.run(folder, *NIGHT), server.run(folder, *ROLLBACK)]
    ran = first.result(60)
    for second in seconds:
        is_refused = second.status == 2 and "another nightly run with these settings is under way" in second.err
        attempts.record(second.argv, second.fault or ("" if is_refused else f"not refused: {second}"))
    attempts.record("the first run", ran.fault or ("" if ran.status == 0 else str(ran)))
    attempts.check("a second nightly run")


def test_a_disk_that_is_full_at_any_point(
    server: Server, base: Path, later: Path, attempts: Attempts, mount: Callable[..., Path]
) -> None:
    """Started with more and more space. What the night could not finish, the next one does when there is space."""
    disk = mount("size=256m")
    old, new = ({name: part(state_of(folder), (name,)) for name in PUBLISHED} for folder in (base, later))
    n_refused = 0
    for number in range(N_SIZES):
        folder = disk / "attempt"
        shutil.copytree(base, folder)
        sizes = os.statvfs(disk)
        used = (sizes.f_blocks - sizes.f_bfree) * sizes.f_frsize
        resize(disk, used + number * used // (3 * N_SIZES))
        ran = server.run(folder, *NIGHT)
        n_refused += ran.status == 2
        if not ran.fault and ran.status == 2 and "No space left on device" not in ran.err:
            attempts.record(ran.argv, f"does not say why: {ran.err}")
        resize(disk, 256 << 20)
        attempts.record(
            f"space for {number / (3 * N_SIZES):.0%} of the files",
            ran.fault or fault_of(server, folder, NIGHT, old, new),
        )
        shutil.rmtree(folder)
    attempts.check("a night on a full disk", N_SIZES)
    assert N_SIZES / 3 <= n_refused < N_SIZES


def resize(disk: Path, size: int) -> None:
    subprocess.run(["mount", "-o", f"remount,size={size}", str(disk)], check=True)


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)
