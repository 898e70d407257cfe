"""After a crash every result is the old one or the new one, whole, and the next run finishes and leaves nothing behind.

Each command is stopped before each of the system calls with which it changes something, at random moments, and each of
these calls fails once with each error that a disk reports.
"""

from __future__ import annotations

import errno
import random
import re
import time
from pathlib import Path

import pytest

from recsys import store
from recsys.errors import RecsysError
from tests.attack.conftest import EVERYTHING, Attempts, sample
from tests.attack.process import Running
from tests.attack.scene import Scene, World, state_of
from tests.attack.syscalls import KILL, Call, Decision
from tests.attack.world import CASES

SAMPLED = ("prepare over other data", "train popular over another", "recommend in parts, resumed", "map over another")
"""Cases of the quick tests; each of them writes in another way."""
STRUCTURAL = ("mkdir", "rename", "renameat2", "unlink", "unlinkat", "rmdir", "link", "symlink")
N_KILLS = 600 if EVERYTHING else 30


def calls_of(scene: Scene, without: tuple[str, ...] = ()) -> list[Call]:
    """The calls of an undisturbed run; those in `without` are refused as not supported."""
    calls: list[Call] = []

    def decide(call: Call, _: Running) -> Decision:
        calls.append(call)
        return errno.EINVAL if call.name in without else None

    ran = scene.server.watched(scene.fresh("calls"), *scene.case.command, decide=decide, **scene.options)
    assert ran.status == 0, ran
    return calls


def telling(calls: list[Call]) -> list[Call]:
    """The calls at which an interruption differs: of consecutive writes to a file the first and the last."""
    kinds = [(call.name, call.paths) for call in calls]
    return [
        call
        for i, call in enumerate(calls)
        if call.name in STRUCTURAL or kinds[i] != kinds[max(i - 1, 0)] or kinds[i] != kinds[min(i + 1, len(calls) - 1)]
    ]


@pytest.mark.usefixtures("watching")
@pytest.mark.parametrize("name", CASES if EVERYTHING else SAMPLED)
def test_killed_before_each_call(world: World, attempts: Attempts, name: str) -> None:
    scene = world.scene(CASES[name])
    for target in calls_of(scene) if EVERYTHING else sample(telling(calls_of(scene)), 6):
        kill_before(scene, target, attempts)
    attempts.check("kill -9 before a system call")


@pytest.mark.usefixtures("watching")
@pytest.mark.parametrize(
    "name", [n for n in CASES if "over another" in n or n == "prepare over other data"] if EVERYTHING else SAMPLED[:1]
)
def test_killed_where_folders_cannot_be_exchanged(world: World, attempts: Attempts, name: str) -> None:
    """Some file systems refuse renameat2(RENAME_EXCHANGE); two renames take its place."""
    scene = world.scene(CASES[name])
    calls = calls_of(scene, without=("renameat2",))
    first = next((call.number for call in calls if call.name == "renameat2"), len(calls))
    for target in sample(calls[first:], 4):
        kill_before(scene, target, attempts, without=("renameat2",))
    attempts.check("kill -9 where folders cannot be exchanged", at_least=0)


def read_all(scene: Scene, folder: Path) -> str:
    """Read what a case replaces, with the library; what is wrong, empty if nothing is."""
    for path, *_ in scene.case.units:
        if f"{path}/report.json" not in scene.old and f"{path}/manifest.json" not in scene.old:
            continue
        try:
            store.load_prepared(folder / path) if path == "data" else store.load_model(folder / path)
        except RecsysError as error:
            return f"cannot be read: {error}"
    return ""


def kill_before(scene: Scene, target: Call, attempts: Attempts, without: tuple[str, ...] = ()) -> None:
    """Kill the command before a call, and check what it leaves; calls in `without` are refused as not supported."""
    folder = scene.fresh()

    def decide(call: Call, _: Running) -> Decision:
        if call.number == target.number:
            return KILL
        return errno.EINVAL if call.name in without else None

    ran = scene.server.watched(folder, *scene.case.command, decide=decide, **scene.options)
    fault = "" if ran.status == -9 else f"was not killed: {ran}"
    if without and not fault:
        fault = read_all(scene, folder)
    attempts.record(f"{scene.case.name}, killed before {target}", fault or scene.recovers(folder))


KEPT = re.compile(r"\.parts/(plan\.json|\d{6}-[0-9a-f]{64}\.part)$")
"""Finished parts of a batch, which stay for `--resume` when the disk is full or failing."""
ERRORS = (errno.ENOSPC, errno.EIO, errno.EROFS, errno.EACCES)
ALLOCATING = ("open", "openat", "creat", "write", "pwrite64", "writev", "mkdir", "mkdirat", "fallocate", "symlink")
"""The calls that a full disk refuses."""


@pytest.mark.usefixtures("watching")
@pytest.mark.parametrize("error", ERRORS, ids=[errno.errorcode[e] for e in ERRORS])
@pytest.mark.parametrize("name", CASES if EVERYTHING else SAMPLED[:1])
@pytest.mark.parametrize("lasting", [False, True], ids=["once", "from then on"])
def test_each_call_fails(world: World, attempts: Attempts, name: str, error: int, lasting: bool) -> None:
    scene = world.scene(CASES[name])
    # Every eighth call, other ones for each error and each way to fail.
    targets = telling(calls_of(scene))[ERRORS.index(error) + 4 * lasting :: 8]
    for target in sample(targets, 1, seed=error):
        if error == errno.ENOSPC and target.name not in ALLOCATING:
            continue
        folder = scene.fresh()

        def decide(call: Call, _: Running, number: int = target.number) -> Decision:
            fails = call.number >= number if lasting else call.number == number
            return error if fails and (error != errno.ENOSPC or call.name in ALLOCATING) else None

        ran = scene.server.watched(folder, *scene.case.command, decide=decide, **scene.options)
        what = f"{name}, {errno.errorcode[error]} {'from' if lasting else 'at'} {target}"
        left = sorted(state_of(folder).keys() - scene.old.keys() - scene.new.keys())
        left = [name for name in left if not KEPT.search(name)]
        could_remove = not lasting and not target.name.startswith(("unlink", "rmdir"))
        fault = ran.fault or (f"left behind: {left}" if left and could_remove else "")
        attempts.record(what, fault or scene.recovers(folder))
    attempts.check(f"{errno.errorcode[error]} {'from a system call on' if lasting else 'at a system call'}", at_least=0)


def test_killed_at_random_moments(world: World, attempts: Attempts) -> None:
    names = [name for name in CASES if EVERYTHING or name in SAMPLED]
    scenes = {name: world.scene(CASES[name]) for name in names}
    chance, durations, n_hit = random.Random(1), {}, 0
    for number in range(N_KILLS):
        name = names[number % len(names)]
        scene = scenes[name]
        if name not in durations:
            start = time.monotonic()
            scene.must(scene.fresh("timed"), *scene.case.command)
            durations[name] = time.monotonic() - start
        folder = scene.fresh()
        running = scene.server.start(folder, *scene.case.command, **scene.options)
        moment = chance.uniform(0, durations[name])
        running.ended(moment)
        running.kill()
        ran = running.result()
        n_hit += ran.status == -9
        attempts.record(f"{name}, killed after {moment:.3f} s", scene.recovers(folder))
    attempts.check("kill -9 at a random moment", at_least=N_KILLS)
    assert n_hit >= N_KILLS / 2, f"only {n_hit} of {N_KILLS} runs were killed before their end"
