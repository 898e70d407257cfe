"""After a crash every result is the old one or the new one, whole, and the next run finishes and leaves nothing behind.

Each command is stopped before each of the system calls with which it changes something, at random moments, and each of
these calls fails once with each error that a disk reports.
"""

from __future__ import annotations

import errno
import random
import time

import pytest

from tests.attack.conftest import EVERYTHING, Attempts, sample
from tests.attack.process import Running
from tests.attack.scene import Scene, World
from tests.attack.syscalls import Call, Decision
from tests.attack.world import CASES

SAMPLED = ("prepare over other data", "train popular over another", "recommend in parts, resumed", "map over another")
"""Cases of the quick tests; each of them writes in another way."""
STRUCTURAL = ("mkdir", "rename", "renameat2", "unlink", "unlinkat", "rmdir", "link", "symlink")
N_KILLS = 600 if EVERYTHING else 30


def calls_of(scene: Scene) -> list[Call]:
    """The calls of an undisturbed run."""
    calls: list[Call] = []
    ran = scene.server.watched(
        scene.fresh("calls"), *scene.case.command, decide=lambda call, _: calls.append(call), settings=scene.settings
    )
    assert ran.status == 0, ran
    return calls


def telling(calls: list[Call]) -> list[Call]:
    """The calls at which an interruption differs: of consecutive writes to a file the first and the last."""
    if EVERYTHING:
        return calls
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
    for target in sample(telling(calls_of(scene)), 15):
        folder = scene.fresh()

        def decide(call: Call, running: Running, number: int = target.number) -> Decision:
            if call.number == number:
                running.kill()
            return None

        ran = scene.server.watched(folder, *scene.case.command, decide=decide, settings=scene.settings)
        attempts.record(f"{name}, killed before {target}", "" if ran.status == -9 else f"was not killed: {ran}")
        attempts.record(f"{name}, after a kill before {target}", scene.recovers(folder))
    attempts.check("kill -9 before a system call")


ERRORS = (errno.ENOSPC, errno.EIO, errno.EROFS, errno.EACCES)
ALLOCATING = ("open", "openat", "creat", "write", "pwrite64", "writev", "mkdir", "mkdirat", "fallocate", "symlink")
"""The calls that a full disk refuses."""


@pytest.mark.usefixtures("watching")
@pytest.mark.parametrize("error", ERRORS, ids=[errno.errorcode[e] for e in ERRORS])
@pytest.mark.parametrize("name", CASES if EVERYTHING else SAMPLED[:1])
@pytest.mark.parametrize("lasting", [False, True], ids=["once", "from then on"])
def test_each_call_fails(world: World, attempts: Attempts, name: str, error: int, lasting: bool) -> None:
    scene = world.scene(CASES[name])
    for target in sample(telling(calls_of(scene)), 3, seed=error):
        if error == errno.ENOSPC and target.name not in ALLOCATING:
            continue
        folder = scene.fresh()

        def decide(call: Call, _: Running, number: int = target.number) -> Decision:
            fails = call.number >= number if lasting else call.number == number
            return error if fails and (error != errno.ENOSPC or call.name in ALLOCATING) else None

        ran = scene.server.watched(folder, *scene.case.command, decide=decide, settings=scene.settings)
        what = f"{name}, {errno.errorcode[error]} {'from' if lasting else 'at'} {target}"
        fault = ran.fault or scene.torn(folder) or (scene.unfinished(folder) if ran.status == 0 else "")
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
        running = scene.server.start(folder, *scene.case.command, settings=scene.settings)
        moment = chance.uniform(0, durations[name])
        running.ended(moment)
        running.kill()
        ran = running.result()
        n_hit += ran.status == -9
        attempts.record(f"{name}, killed after {moment:.3f} s", scene.recovers(folder))
    attempts.check("kill -9 at a random moment", at_least=N_KILLS)
    assert n_hit >= N_KILLS / 2, f"only {n_hit} of {N_KILLS} runs were killed before their end"
