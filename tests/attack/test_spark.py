"""Spark that is killed at random moments leaves the old result or the new one, whole, and the next run finishes."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from recsys import store
from recsys.dataset.dataset import Dataset
from tests.attack.conftest import EVERYTHING, Attempts

pytestmark = pytest.mark.skipif(not EVERYTHING, reason="takes minutes: make attack")

N_KILLS = 4
"""For each command and signal."""
SPARK = ("--engine", "spark", "--master", "local[2]")
COMMANDS: dict[str, tuple[str, ...]] = {
    "prepare": ("prepare", "ml-100k", "--out", "data"),
    "train": ("train", "--data", "data", "--out", "model", "--set", "n_factors=4", "--set", "epochs=1"),
    "recommend": ("recommend", "--data", "data", "--model", "model", "--out", "lists.parquet"),
}


def start(command: tuple[str, ...], folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "recsys", *command], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        cwd=folder, start_new_session=True,
    )  # fmt: skip


def content(folder: Path) -> dict[str, bytes]:
    """All files, without those that say when they were made."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in ("manifest.json", "report.json")
    }


@pytest.fixture(scope="module")
def scene(ml100k: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results of all commands, which a killed command may replace."""
    folder = tmp_path_factory.mktemp("spark")
    for command in COMMANDS.values():
        process = start((*command, *SPARK), folder)
        errors = process.communicate()[1]
        assert process.returncode == 0, errors
    return folder


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM], ids=lambda each: each.name)
@pytest.mark.parametrize("name", COMMANDS)
def test_killed_at_random_moments(scene: Path, tmp_path: Path, name: str, number: int, attempts: Attempts) -> None:
    command, rng = (*COMMANDS[name], *SPARK), random.Random(f"{name} {number}")
    shutil.copytree(scene, tmp_path / "whole")
    begun = time.monotonic()
    assert start(command, tmp_path / "whole").wait() == 0
    seconds = time.monotonic() - begun
    for attempt in range(N_KILLS):
        folder = tmp_path / str(attempt)
        shutil.copytree(scene, folder)
        process = start(command, folder)
        time.sleep(seconds * rng.uniform(0.2, 1))
        os.killpg(process.pid, number)
        errors = process.communicate()[1]
        faults = []
        if number == signal.SIGINT and process.returncode and errors.count("\n") != 1:
            faults.append(errors)
        store.load_prepared(folder / "data")
        store.load_model(folder / "model")
        if content(folder / "data") != content(scene / "data"):  # the same bytes, whether old or new
            faults.append("other data")
        if (folder / "lists.parquet").read_bytes() != (scene / "lists.parquet").read_bytes():
            faults.append("other lists")
        again = start((*command, "--resume") if name == "recommend" else command, folder)
        errors = again.communicate()[1]
        if again.returncode or content(folder) != content(scene):
            faults.append(f"run again: {again.returncode} {errors} {sorted(content(folder))}")
        attempts.record(f"{name}, attempt {attempt}", "; ".join(faults))
    attempts.check("Spark stopped at random moments")
