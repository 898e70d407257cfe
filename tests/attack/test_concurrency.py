"""Two processes on one result: the second is refused in one line or waits, and nobody ever sees two results mixed."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from recsys import store
from tests.attack.conftest import EVERYTHING, Attempts, sample
from tests.attack.process import Ran, Running
from tests.attack.scene import Scene, World, part, state_of
from tests.attack.syscalls import Call, Decision
from tests.attack.test_crash import SAMPLED, calls_of, telling
from tests.attack.world import CASES, train

REPEATABLE = [name for name in CASES if name != "prepare --append"]
"""What may run twice with the result of one run; to append twice adds the rows twice."""
N_LOADS = 2_000 if EVERYTHING else 100
N_RACES = 5 if EVERYTHING else 2


def fault_of_two(scene: Scene, folder: Path, *rans: Ran) -> str:
    """What is wrong after two processes ended, empty if nothing is."""
    for ran in rans:
        if ran.fault:
            return f"{ran.fault} ({' '.join(ran.argv)})"
    if all(ran.status == 2 for ran in rans):
        return f"both refused: {[ran.err.strip() for ran in rans]}"
    return scene.unfinished(folder)


@pytest.mark.usefixtures("watching")
@pytest.mark.parametrize("name", REPEATABLE if EVERYTHING else SAMPLED)
def test_a_second_process_starts_at_each_call(world: World, attempts: Attempts, name: str) -> None:
    """The first process is stopped before a call, the second runs as far as it can, and the first goes on."""
    scene = world.scene(CASES[name])
    structural = [call for call in telling(calls_of(scene)) if call.name not in ("write", "pwrite64", "fdatasync")]
    for target in sample(structural, 2):
        folder = scene.fresh()
        others: list[Running] = []

        def decide(
            call: Call, _: Running, folder: Path = folder, number: int = target.number, others=others
        ) -> Decision:
            if call.number == number:
                others.append(scene.server.start(folder, *scene.case.command, **scene.options))
                others[0].ended(2.0)  # one that waits for the first goes on with it
            return None

        first = scene.server.watched(folder, *scene.case.command, decide=decide, **scene.options)
        assert others, f"{target} did not happen again"
        fault = fault_of_two(scene, folder, first, others[0].result())
        attempts.record(f"{name}, a second one at {target}", fault)
    attempts.check("a second process at a system call")


@pytest.mark.parametrize("name", REPEATABLE if EVERYTHING else SAMPLED[:2])
def test_two_processes_race(world: World, attempts: Attempts, name: str) -> None:
    scene, chance = world.scene(CASES[name]), random.Random(2)
    for _ in range(N_RACES):
        folder = scene.fresh()
        first = scene.server.start(folder, *scene.case.command, **scene.options)
        delay = chance.uniform(0, 0.15)
        time.sleep(delay)
        second = scene.server.start(folder, *scene.case.command, **scene.options)
        attempts.record(
            f"{name}, a second one after {delay:.3f} s", fault_of_two(scene, folder, first.result(), second.result())
        )
    attempts.check("two processes race")


def test_two_batches_of_different_lengths(world: World, attempts: Attempts) -> None:
    """The lists of one batch never contain rows of another."""
    scene, chance = world.scene(CASES["recommend in parts"]), random.Random(3)
    whole = {}
    for k in (10, 7):
        folder = scene.fresh()
        scene.must(folder, *scene.case.command, "-k", k)
        whole[k] = part(state_of(folder), ("lists.parquet",))
    for _ in range(100 if EVERYTHING else 3):
        folder = scene.fresh()
        started = []
        for k in (10, 7):
            started.append(scene.server.start(folder, *scene.case.command, "-k", k, **scene.options))
            time.sleep(chance.uniform(0, 0.2))
        rans = [running.result() for running in started]
        found = part(state_of(folder), ("lists.parquet",))
        last = [k for k, ran in zip((10, 7), rans, strict=True) if ran.status == 0]
        fault = next((ran.fault for ran in rans if ran.fault), "")
        fault = fault or ("" if any(found == whole[k] for k in last) else f"a mixture; finished: {last}")
        attempts.record("two batches of 10 and of 7 movies", fault)
    attempts.check("two batches of different lengths")


READERS = (
    ("similar", "Film 3", "--model", "ials", "--json"),
    ("recommend", "--model", "ials", "--data", "data", "--user", "u1", "--json"),
)


@pytest.mark.usefixtures("watching")
def test_a_model_is_replaced_while_it_is_read(world: World, attempts: Attempts) -> None:
    """The reader is stopped before each file that it opens; another model takes the place of the one it reads."""
    scene = world.scene(CASES["train ials over another"])
    for reader in READERS:
        folder = scene.fresh()
        opened: list[Call] = []
        answers = [scene.must(folder, *reader).out]
        scene.server.watched(folder, *reader, decide=lambda call, _, found=opened: found.append(call), reading=True)
        scene.must(folder, *scene.case.command)
        answers.append(scene.must(folder, *reader).out)
        assert answers[0] != answers[1]
        for target in sample(opened, 2):
            folder = scene.fresh()

            def decide(call: Call, _: Running, folder: Path = folder, number: int = target.number) -> Decision:
                if call.number == number:
                    scene.must(folder, *scene.case.command)
                return None

            ran = scene.server.watched(folder, *reader, decide=decide, reading=True)
            fault = ran.fault or ("" if ran.out in answers else f"neither model: {ran.err or ran.out[:200]}")
            attempts.record(f"{reader[0]}, the model is replaced before {target}", fault)
    attempts.check("a model is replaced at each file a reader opens")


@pytest.mark.usefixtures("watching")
def test_a_model_is_read_while_it_is_replaced(world: World, attempts: Attempts) -> None:
    """The writer is stopped before each call; a reader sees the old model or the new one."""
    scene = world.scene(CASES["train ials over another"])
    answers = []
    for commands in ((), (scene.case.command,)):
        folder = scene.fresh()
        for command in commands:
            scene.must(folder, *command)
        answers.append(scene.must(folder, *READERS[0]).out)
    for target in sample(telling(calls_of(scene)), 3):
        folder = scene.fresh()
        rans: list[Ran] = []

        def decide(call: Call, _: Running, folder: Path = folder, number: int = target.number, rans=rans) -> Decision:
            if call.number == number:
                rans.append(scene.server.run(folder, *READERS[0]))
            return None

        scene.server.watched(folder, *scene.case.command, decide=decide, **scene.options)
        ran = rans[0]
        fault = ran.fault or ("" if ran.out in answers else f"neither model: {ran.err or ran.out[:200]}")
        attempts.record(f"a reader at {target}", fault)
    attempts.check("a reader at each call of a writer")


SAVE_IN_TURN = """
import sys
from pathlib import Path
from recsys import store
one, other, target = map(Path, sys.argv[1:])
models = [store.load_model(one), store.load_model(other)]
n = 0
while True:
    store.save_model(target, models[n % 2])
    n += 1
    print(n, flush=True)
"""


def test_loads_while_models_are_saved(world: World, attempts: Attempts, tmp_path: Path) -> None:
    """One process saves two models in turn, as fast as it can, and this one loads."""
    for name, options in (("one", ()), ("other", ("--weighting", "binary"))):
        world.copy(("data",), tmp_path / name)
        assert world.server.run(tmp_path / name, *train("ials", *options)).status == 0
    folders = [tmp_path / name / "ials" for name in ("one", "other")]
    target = tmp_path / "target"
    store.save_model(target, store.load_model(folders[0]))

    def content(folder: Path) -> tuple[bytes, bytes, str]:
        model = store.load_model(folder)
        space = model.space
        return space.item_factors.tobytes(), space.user_factors.tobytes(), str(model.weighting.settings)

    wholes = [content(folder) for folder in folders]
    with subprocess.Popen(
        [sys.executable, "-c", SAVE_IN_TURN, *map(str, folders), str(target)], stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdout is not None
        writer.stdout.readline()
        try:
            for number in range(N_LOADS):
                try:
                    fault = "" if content(target) in wholes else "a mixture of two models"
                except Exception as error:  # noqa: BLE001 — any error is a fault
                    fault = f"{type(error).__name__}: {error}"
                attempts.record(f"load {number}", fault)
            assert writer.poll() is None
        finally:
            writer.kill()
        n_saves = int(writer.stdout.read().split()[-1])
    assert n_saves > N_LOADS / 50
    attempts.check("loads while models are saved", at_least=N_LOADS)
