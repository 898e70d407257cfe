"""Parts of an interrupted run: what is kept, what is made again, and what is refused."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from recsys.errors import InputError
from recsys.store import Parts

PLAN = {"model": "a" * 64, "k": 3}
N_PARTS = 3


def content(number: int) -> bytes:
    return b"part %d " % number * 100


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """An output of which all parts are written."""
    parts = Parts(tmp_path / "lists.parquet", PLAN, resume=False)
    for number in range(N_PARTS):
        parts.write(number, content(number))
    return tmp_path / "lists.parquet"


def folder_of(out: Path) -> Path:
    return out.with_name(f".{out.name}.parts")


def part(out: Path, number: int) -> Path:
    [path] = folder_of(out).glob(f"{number:06d}-*")
    return path


def resume(out: Path, plan: dict[str, object] = PLAN) -> int:
    """Resume and finish a run; returns the number of parts that were kept. All of them hold what was written."""
    parts = Parts(out, plan, resume=True)
    for number in range(N_PARTS):
        if not parts.has(number):
            parts.write(number, content(number))
    assert [parts.read(number) for number in range(N_PARTS)] == [content(number) for number in range(N_PARTS)]
    parts.remove()
    assert not folder_of(out).exists()
    return parts.n_found


def swap(out: Path) -> None:
    first, second = part(out, 0), part(out, 1)
    digest = first.name[6:]
    first.rename(first.with_name("000001" + digest))
    second.rename(second.with_name("000000" + second.name[6:]))


def of_another_plan(out: Path) -> None:
    other = out.with_name("other.parquet")
    Parts(other, PLAN | {"k": 4}, resume=False).write(1, content(7))
    part(out, 1).unlink()
    shutil.copy(part(other, 1), folder_of(out))


def forged(out: Path) -> None:
    path = part(out, 1)
    path.write_bytes(content(9))
    path.rename(path.with_name(f"000001-{hashlib.sha256(path.read_bytes()).hexdigest()}.part"))


def without_end(out: Path) -> None:
    part(out, 1).write_bytes(content(1)[:-8])


DAMAGES: dict[str, tuple[Callable[[Path], object], int]] = {
    "nothing": (lambda out: None, 3),
    "truncated": (lambda out: os.truncate(part(out, 1), 100), 2),
    "empty": (lambda out: part(out, 1).write_bytes(b""), 2),
    "endless": (lambda out: os.truncate(part(out, 1), 2**40), 2),
    "end missing": (without_end, 2),
    "swapped": (swap, 1),
    "of another plan": (of_another_plan, 2),
    "forged": (forged, 2),
    "beyond the last": (lambda out: part(out, 1).rename(part(out, 1).with_name("9" + part(out, 1).name[1:])), 2),
    "gone": (lambda out: part(out, 1).unlink(), 2),
    "a temporary file": (
        lambda out: part(out, 1).rename(folder_of(out) / f".{part(out, 1).name}.1-00000000.recsys-tmp"),
        2,
    ),
    "plan damaged": (lambda out: (folder_of(out) / "plan.json").write_text('{"k": 3'), 0),
    "plan deep": (lambda out: (folder_of(out) / "plan.json").write_text("[" * 100_000), 0),
    "plan of another type": (lambda out: (folder_of(out) / "plan.json").write_text("[1]"), 0),
    "plan gone": (lambda out: (folder_of(out) / "plan.json").unlink(), 0),
}  # fmt: skip


@pytest.mark.parametrize("name", DAMAGES)
def test_damaged_parts_are_made_again(name: str, out: Path) -> None:
    damage, n_kept = DAMAGES[name]
    damage(out)
    assert resume(out) == n_kept


def test_parts_of_another_plan_are_not_kept(out: Path) -> None:
    assert resume(out, PLAN | {"k": 4}) == 0


def test_a_part_that_is_changed_during_the_run_is_not_used(out: Path) -> None:
    parts = Parts(out, PLAN, resume=True)
    without_end(out)
    with pytest.raises(InputError, match="was changed by another program; run this again with --resume"):
        parts.read(1)
    assert resume(out) == 2


@pytest.mark.parametrize("resumed", [True, False])
@pytest.mark.parametrize("kind", ["file", "folder", "link", "loop", "pipe"])
def test_what_is_no_part_is_refused_and_kept(kind: str, resumed: bool, out: Path) -> None:
    path = part(out, 1)
    if kind == "file":
        path = path.with_name("thesis.docx")
        path.write_text("mine")
    else:
        path.unlink()
        {
            "folder": path.mkdir,
            "link": lambda: path.symlink_to("/dev/zero"),
            "loop": lambda: path.symlink_to(path.name),
            "pipe": lambda: os.mkfifo(path),
        }[kind]()
    with pytest.raises(InputError, match=r"is no part of lists\.parquet; move it out of that folder"):
        Parts(out, PLAN, resume=resumed)
    assert path.is_symlink() or path.exists()
