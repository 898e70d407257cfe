"""Atomic files and folders: locks, leftovers, and the replacement of a folder with and without an exchange."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from threading import Thread

import pytest

from recsys import atomic
from recsys.errors import InputError


def fill(folder: Path, content: str) -> None:
    with atomic.new_folder(folder) as temporary:
        (temporary / "a").write_text(content)
        (temporary / "b").write_text(content)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture(params=["exchange", "two renames"])
def _exchange(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace folders by the system call, and as on file systems without it."""
    if request.param == "two renames":
        monkeypatch.setattr(atomic, "_exchange", lambda one, other: False)


@pytest.mark.usefixtures("_exchange")
def test_a_folder_is_replaced_whole_and_nothing_is_left(tmp_path: Path) -> None:
    for content in ("old", "new"):
        fill(tmp_path / "m", content)
    assert [(tmp_path / "m" / name).read_text() for name in "ab"] == ["new", "new"]
    assert names(tmp_path) == ["m"]


@pytest.mark.usefixtures("_exchange")
def test_the_old_folder_stays_when_the_replacement_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path / "m", "old")
    rename = Path.rename

    def fail(self: Path, target: Path) -> Path:
        if target == tmp_path / "m" and self.suffix == ".recsys-tmp":
            raise OSError(28, "No space left on device")
        return rename(self, target)

    def exchange(one: Path, other: Path) -> bool:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "rename", fail)
    if "lambda" not in str(atomic._exchange):
        monkeypatch.setattr(atomic, "_exchange", exchange)
    with pytest.raises(InputError, match=r"m: cannot be written: No space left on device"):
        fill(tmp_path / "m", "new")
    assert (tmp_path / "m" / "a").read_text() == "old"
    assert names(tmp_path) == ["m"]


def test_the_check_before_the_replacement_may_refuse_it(tmp_path: Path) -> None:
    fill(tmp_path / "m", "old")

    def check() -> None:
        raise InputError("no")

    with pytest.raises(InputError, match="no"), atomic.new_folder(tmp_path / "m", check) as temporary:
        (temporary / "a").write_text("new")
    assert (tmp_path / "m" / "a").read_text() == "old"
    assert names(tmp_path) == ["m"]


def test_a_writer_killed_between_two_renames_loses_nothing(tmp_path: Path) -> None:
    fill(tmp_path / "m", "old")
    (tmp_path / "m").rename(tmp_path / ".m.recsys-old")  # as it is between the two renames
    assert atomic.leftovers(tmp_path) == [tmp_path / ".m.recsys-old"]
    atomic.restore(tmp_path / "m")
    assert (tmp_path / "m" / "a").read_text() == "old"
    (tmp_path / "m").rename(tmp_path / ".m.recsys-old")
    fill(tmp_path / "m", "new")
    assert (tmp_path / "m" / "a").read_text() == "new"
    assert names(tmp_path) == ["m"]


def hold(path: Path, is_held: object) -> None:
    with atomic.lock(path):
        (path.parent / f".{path.name}.{os.getpid()}-01234567.recsys-tmp").write_text("half")
        is_held.set()  # type: ignore[attr-defined]
        time.sleep(60)


def test_a_second_process_gets_one_line_and_the_next_one_cleans_up(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    is_held = context.Event()
    writer = context.Process(target=hold, args=(tmp_path / "m", is_held))
    writer.start()
    assert is_held.wait(20)
    (tmp_path / f".m.b.{writer.pid}-01234567.recsys-tmp").write_text("of another file, m.b")
    with pytest.raises(InputError, match="m: another recsys process is writing it; wait until"):
        fill(tmp_path / "m", "mine")
    assert atomic.is_locked(tmp_path / "m") and not atomic.is_locked(tmp_path / "m.b")
    assert atomic.leftovers(tmp_path) == [tmp_path / f".m.b.{writer.pid}-01234567.recsys-tmp"]
    os.kill(writer.pid or 0, signal.SIGKILL)
    writer.join()
    assert len(atomic.leftovers(tmp_path)) == 3
    fill(tmp_path / "m", "mine")
    assert names(tmp_path) == [f".m.b.{writer.pid}-01234567.recsys-tmp", "m"]


def test_a_lock_excludes_other_threads_but_not_its_own(tmp_path: Path) -> None:
    refused = []

    def write() -> None:
        try:
            with atomic.lock(tmp_path / "x", wait=0):
                pass
        except InputError as error:
            refused.append(str(error))

    with atomic.lock(tmp_path / "x"):
        with atomic.new_file(tmp_path / "x") as temporary:
            temporary.write_text("1")
        thread = Thread(target=write)
        thread.start()
        thread.join()
    assert len(refused) == 1
    write()
    assert len(refused) == 1
    assert names(tmp_path) == ["x"]


def test_writers_of_one_file_take_turns(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from recsys import atomic\n"
        "for n in range(50):\n"
        "    with atomic.new_file(Path(sys.argv[1])) as temporary: temporary.write_text(sys.argv[2] * 5000)\n"
    )
    writers = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "x"), letter]) for letter in "ab"]
    found = set()
    while any(writer.poll() is None for writer in writers):
        if (tmp_path / "x").exists():
            found.add((tmp_path / "x").read_text())
    assert [writer.returncode for writer in writers] == [0, 0]
    assert found | {(tmp_path / "x").read_text()} <= {"a" * 5000, "b" * 5000}
    assert names(tmp_path) == ["x"]


def test_a_new_parent_folder_disappears_when_nothing_was_written(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), atomic.new_file(tmp_path / "a" / "b" / "x"):
        raise RuntimeError
    assert names(tmp_path) == []


def test_what_cannot_be_written_gives_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for path in (tmp_path / "file" / "x", tmp_path / ("x" * 300), Path("/proc/x")):
        with pytest.raises(InputError, match="cannot be written"), atomic.new_file(path):
            pass
    (tmp_path / ".y.recsys-lock").symlink_to(tmp_path / "file")  # planted, so that a lock would open another file
    with pytest.raises(InputError, match="cannot be written"), atomic.new_file(tmp_path / "y"):
        pass
    assert (tmp_path / "file").read_text() == "x"


def test_only_a_regular_file_is_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "device").symlink_to("/dev/null")
    (tmp_path / "folder").mkdir()
    before = sorted(path.name for path in tmp_path.iterdir())
    for name, says in (("pipe", "not a regular file"), ("device", "not a regular file"), ("folder", "is a folder")):
        with pytest.raises(InputError, match=says), atomic.new_file(tmp_path / name) as temporary:
            temporary.write_text("x")
    assert sorted(path.name for path in tmp_path.iterdir()) == before and (tmp_path / "device").is_symlink()


@pytest.mark.parametrize("name", [".", "..", "a/.."])
def test_a_path_without_a_name_is_refused(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="is no name of a file or folder to write"):
        fill(Path(name), "x")
