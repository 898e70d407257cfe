"""Disks that are full, read-only or immutable: one line, the old result as it was, nothing left behind.

Real file systems, mounted by root; the same errors from single system calls are in `test_crash.py`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.attack.conftest import EVERYTHING, Attempts, sample
from tests.attack.scene import Scene, World, state_of
from tests.attack.test_crash import SAMPLED
from tests.attack.world import CASES

READING = (
    ("similar", "Film 3", "--model", "ials"),
    ("recommend", "--model", "ials", "--data", "data", "--user", "u1", "--why"),
    ("evaluate", "--data", "data", "--model", "popular"),
)
NAMES = CASES if EVERYTHING else SAMPLED[:2]


def fault_of(scene: Scene, folder: Path, name: str, *, is_refused: bool = False) -> str:
    """Run the command of a case in a hostile folder; what is wrong, empty if nothing is."""
    ran = scene.server.run(folder, *scene.case.command, **scene.options)
    if ran.fault:
        return ran.fault
    if is_refused and ran.status == 0:
        return "exit 0, but it cannot have written"
    return scene.torn(folder) or (scene.unfinished(folder) if ran.status == 0 else "")


@pytest.mark.parametrize("name", NAMES)
def test_full_disk(world: World, attempts: Attempts, mount: Callable[..., Path], name: str) -> None:
    scene = world.scene(CASES[name])
    place = mount("size=64m")
    for free in sample([0, 4, 8, 16, 24, 40, 80, 200], 3):
        folder = place / "attempt"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(scene.fresh(), folder, symlinks=True)
        disk = os.statvfs(place)
        with (place / "ballast").open("wb") as ballast:
            ballast.write(bytes(max(0, disk.f_bavail * disk.f_frsize - free * 1024)))
        fault = fault_of(scene, folder, name)
        (place / "ballast").unlink()
        attempts.record(f"{name}, {free} KB free", fault or scene.recovers(folder))
    attempts.check("full disk")


@pytest.mark.parametrize("name", NAMES)
def test_read_only_file_system(world: World, attempts: Attempts, mount: Callable[..., Path], name: str) -> None:
    scene = world.scene(CASES[name])
    place = mount("size=64m")
    shutil.copytree(scene.fresh(), place / "attempt", symlinks=True)
    subprocess.run(["mount", "-o", "remount,ro", str(place)], check=True)
    attempts.record(f"{name}, read-only", fault_of(scene, place / "attempt", name, is_refused=True))
    attempts.check("read-only file system")


def test_reading_from_a_read_only_file_system(world: World, attempts: Attempts, mount: Callable[..., Path]) -> None:
    place = mount("size=64m")
    world.copy(("data", "ials"), place / "attempt")
    subprocess.run(["mount", "-o", "remount,ro", str(place)], check=True)
    for command in READING:
        ran = world.server.run(place / "attempt", *command)
        attempts.record(f"{command[0]}, read-only", ran.fault or ("" if ran.status == 0 else ran.err))
    attempts.check("reading from a read-only file system")


@contextmanager
def immutable(folder: Path, *paths: Path) -> Iterator[bool]:
    """Make files in a folder immutable; yields whether that is possible here."""
    done = [subprocess.run(["chattr", "+i", str(path)], capture_output=True).returncode == 0 for path in paths]
    try:
        yield all(done)
    finally:
        subprocess.run(["chattr", "-R", "-i", str(folder)], check=True)


@pytest.mark.parametrize("name", [name for name in NAMES if CASES[name].before])
def test_immutable_results(world: World, attempts: Attempts, name: str) -> None:
    if not shutil.which("chattr"):
        pytest.skip("chattr is not installed")
    scene = world.scene(CASES[name])
    for is_folder in (False, True):
        folder = scene.fresh()
        targets = [folder / path for unit in scene.case.units for path in unit if (folder / path).exists()]
        held = [file for target in targets for file in (target.rglob("*") if target.is_dir() else [target])]
        with immutable(folder, *([target.parent for target in targets] if is_folder else held)) as is_possible:
            if not is_possible:
                pytest.skip("files cannot be made immutable here")
            ran = scene.server.run(folder, *scene.case.command, **scene.options)
            what = f"{name}, {'the folder' if is_folder else 'the files'} immutable"
            attempts.record(what, ran.fault or scene.torn(folder))
        shutil.rmtree(folder, ignore_errors=True)
    attempts.check("immutable results")


def test_the_world_is_untouched(world: World) -> None:
    """The control: the disk of these tests is another one than that of the world."""
    assert "data/report.json" in state_of(world.folder)
