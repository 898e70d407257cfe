"""What is missing or wrong is one line, before anything is written."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from recsys import store
from recsys.dataset.dataset import Dataset
from recsys.engines.session import Spark, connected
from recsys.errors import SettingError, Unavailable, Unsupported
from recsys.workflows.prepare import prepare
from recsys.workflows.recommend import recommend_batch
from recsys.workflows.train import train


def refused(spark: Spark, match: str) -> None:
    with pytest.raises(Unavailable, match=match), connected(spark):
        raise AssertionError


def test_a_master_that_cannot_be_reached(needs_spark) -> None:
    for master in ("spark://127.0.0.1:1", "spark://nobody.invalid:7077"):
        refused(Spark(master), f"{master}: the Spark master cannot be reached")
    for wrong in ("local[2", "spark://", "http://host", "local[2] "):
        with pytest.raises(SettingError, match="--master"):
            Spark(wrong)
    with pytest.raises(SettingError, match="is not spark://HOST:PORT"), connected(Spark("spark://host")):
        raise AssertionError
    with pytest.raises(SettingError, match="no setting of Spark"):
        Spark("", {"executor.memory": "1g"})


def test_java_is_missing_or_too_old(needs_spark, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    refused(Spark(), "needs Java, which is not in .*install Java 17 or later")
    java = tmp_path / "bin" / "java"
    java.parent.mkdir()
    for version in ("11.0.24", "1.8.0_422"):
        java.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\"' >&2\n")
        java.chmod(0o755)
        refused(Spark(), f"{java} is not Java 17 or later")


def test_pyspark_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    (tmp_path / "r.csv").write_text("user,item,rating\n1,2,3\n")
    with pytest.raises(Unavailable, match=r"needs pyspark: python -m pip install 'recsys-atlas\[spark\]'"):
        prepare(str(tmp_path / "r.csv"), tmp_path / "out", spark=Spark("local[2]"))
    assert [path.name for path in tmp_path.iterdir()] == ["r.csv"]


def test_java_refuses_a_setting(needs_spark, tmp_path: Path) -> None:
    (tmp_path / "r.csv").write_text("user,item,rating\n1,2,3\n")
    command = [sys.executable, "-m", "recsys", "prepare", "r.csv", "--out", "out", "--engine", "spark"]
    done = subprocess.run(
        [*command, "--spark-conf", "spark.driver.memory=abc"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=dict(os.environ),
    )
    assert done.returncode == 2 and done.stderr.count("\n") == 1, done
    assert "Spark does not start: Invalid maximum heap size" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["r.csv"]


def test_an_interrupt_while_java_starts_leaves_no_process(needs_spark, tmp_path: Path) -> None:
    (tmp_path / "r.csv").write_text("user,item,rating\n1,2,3\n")
    command = [sys.executable, "-m", "recsys", "prepare", "r.csv", "--out", "out", "--engine", "spark"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=tmp_path, start_new_session=True) as process:
        while not any(b"SparkSubmit" in command for command in commands_of(process.pid)):
            assert process.poll() is None
        os.kill(process.pid, signal.SIGINT)
        errors = process.communicate()[1]
        assert errors.count("\n") == 1 and "interrupted" in errors
        assert not commands_of(process.pid)
    assert [path.name for path in tmp_path.iterdir()] == ["r.csv"]


def commands_of(group: int) -> list[bytes]:
    """The command lines of the processes of a group."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if os.getpgid(int(path.name)) == group:
                found.append(path.joinpath("cmdline").read_bytes())
    return [command for command in found if command]  # one that has ended has none


def test_a_model_without_vectors_is_refused(ml100k: Dataset, tmp_path: Path) -> None:
    store.save_prepared(tmp_path / "data", ml100k)
    train(tmp_path / "data", tmp_path / "model", model="popular")
    with pytest.raises(Unsupported):
        recommend_batch(tmp_path / "model", tmp_path / "data", tmp_path / "l.parquet", spark=Spark("local[2]"))
