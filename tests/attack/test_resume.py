"""`recommend --resume` with damaged parts: it never stops for good, and never takes a damaged part."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.attack.conftest import Attempts, sample
from tests.attack.process import Running
from tests.attack.scene import Scene, World
from tests.attack.syscalls import KILL, Call, Decision
from tests.attack.world import BATCH, CASES

PARTS = ".lists.parquet.parts"


def interrupted(scene: Scene) -> Path:
    """A new folder in which the batch was stopped with four of its parts written."""
    stopped, folder = scene.fresh().with_name("stopped"), scene.fresh()
    if not stopped.exists():

        def decide(_: Call, __: Running) -> Decision:
            return KILL if len(parts_of(folder)) == 4 else None

        ran = scene.server.watched(folder, *scene.case.command, decide=decide, **scene.options)
        assert ran.status == -9, ran
        folder.rename(stopped)
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(stopped, folder)
    return folder


def parts_of(folder: Path) -> list[Path]:
    return sorted(path for path in (folder / PARTS).glob("*.part") if not path.name.startswith("."))


def rewritten(change: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    return lambda folder: parts_of(folder)[1].write_bytes(change(parts_of(folder)[1].read_bytes())) and None


def truncated(share: float) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        part = parts_of(folder)[1]
        os.truncate(part, int(part.stat().st_size * share))

    return damage


def replaced(make: Callable[[Path], object]) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        part = parts_of(folder)[2]
        part.unlink()
        make(part)

    return damage


def plan(change: Callable[[dict[str, object]], object]) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        for path in (folder / PARTS).glob("*.json"):
            value = json.loads(path.read_text())
            path.write_text(json.dumps(change(value)))

    return damage


def plan_text(text: bytes) -> Callable[[Path], None]:
    return lambda folder: [path.write_bytes(text) for path in (folder / PARTS).glob("*.json")] and None


def flip(folder: Path) -> None:
    part = parts_of(folder)[1]
    content = bytearray(part.read_bytes())
    content[len(content) // 3] ^= 4
    part.write_bytes(content)


def swap(folder: Path) -> None:
    first, second = parts_of(folder)[:2]
    content = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(content)


def foreign(name: str, content: bytes = b"mine") -> Callable[[Path], None]:
    return lambda folder: (folder / PARTS / name).write_bytes(content) and None


DAMAGES: dict[str, Callable[[Path], object]] = {
    "nothing": lambda folder: None,
    **{f"a part truncated to {share:.0%}": truncated(share) for share in (0, 0.1, 0.5, 0.9, 0.999)},
    "a bit flipped": flip,
    "two parts swapped": swap,
    "a part without its last rows": rewritten(lambda content: content[:-12]),
    "a part without rows": rewritten(lambda _: b""),
    "a part with rows twice": rewritten(lambda content: content * 2),
    "a part of zeros": rewritten(lambda content: bytes(len(content))),
    "a part that is a table": rewritten(lambda _: b"PAR1 nonsense PAR1"),
    "a part that is a folder": replaced(lambda path: path.mkdir()),
    "a part that is a FIFO": replaced(os.mkfifo),
    "a part that is a link to itself": replaced(lambda path: path.symlink_to(path.name)),
    "a part that is /dev/zero": replaced(lambda path: path.symlink_to("/dev/zero")),
    "a part gone": replaced(lambda path: None),
    "the plan of another k": plan(lambda p: {**p, "k": 3}),
    "the plan a list": plan(lambda p: [p]),
    "the plan empty": plan_text(b""),
    "the plan half": plan_text(b'{"model": "'),
    "the plan not text": plan_text(b"\xff\xfe\x00"),
    "the plan deep": plan_text(b"[" * 100_000),
    "the plan a folder": lambda f: [(p.unlink(), p.mkdir()) for p in (f / PARTS).glob("*.json")],
    "the plan gone": lambda f: [p.unlink() for p in (f / PARTS).glob("*.json")],
    "only a temporary file": lambda f: [
        *(p.unlink() for p in (f / PARTS).iterdir()),
        (f / PARTS / ".plan.json.4194304-00000000.recsys-tmp").write_text("{"),
    ],
    "the lock of a dead process": lambda f: (f / f".{PARTS}.lock").touch(),
    "temporary files of a dead process": foreign(".000001.part.4194304-00000000.recsys-tmp"),
    "a part beyond the last": foreign(f"999999-{hashlib.sha256(b'mine').hexdigest()}.part"),
    "the parts a file": lambda f: [shutil.rmtree(f / PARTS), (f / PARTS).touch()],
    "an empty folder of parts": lambda f: [p.unlink() for p in (f / PARTS).iterdir()],
}  # fmt: skip
NOT_OURS = (
    "a part that is a folder",
    "a part that is a FIFO",
    "a part that is a link to itself",
    "a part that is /dev/zero",
    "the plan a folder",
    "the parts a file",
)
"""What no crash leaves behind: it may be refused, in one line that says what to move."""


@pytest.mark.usefixtures("watching")
def test_resumed_with_damaged_parts(world: World, attempts: Attempts) -> None:
    scene = world.scene(CASES["recommend in parts, resumed"])
    for name, damage in sample(list(DAMAGES.items()), 4):
        for options in (("--resume",), ()):
            folder = interrupted(scene)
            damage(folder)
            ran = scene.server.run(folder, *BATCH, *options, **scene.options)
            fault = ran.fault or ("" if ran.status == 0 else f"stops for good: {ran.err.strip()}")
            is_refused = not ran.fault and ran.status == 2 and name in NOT_OURS
            fault = "" if is_refused else fault or scene.unfinished(folder)
            attempts.record(f"{name}, {' '.join(options) or 'anew'}", fault)
    attempts.check("--resume with damaged parts")


@pytest.mark.usefixtures("watching")
def test_a_file_of_the_user_in_the_folder_of_parts_is_kept(world: World, attempts: Attempts) -> None:
    scene = world.scene(CASES["recommend in parts, resumed"])
    for options in (("--resume",), ()):
        folder = interrupted(scene)
        foreign("thesis.docx")(folder)
        ran = scene.server.run(folder, *BATCH, *options, **scene.options)
        found = list(folder.rglob("thesis.docx"))
        fault = ran.fault or ("" if found and found[0].read_bytes() == b"mine" else "the user's file is gone")
        attempts.record(f"a file of the user, {' '.join(options) or 'anew'}", fault)
    attempts.check("--resume with damaged parts")


@pytest.mark.usefixtures("watching")
def test_parts_that_are_whole_are_used(world: World) -> None:
    """The control: an undamaged interrupted batch is resumed, not made anew."""
    scene = world.scene(CASES["recommend in parts, resumed"])
    folder = interrupted(scene)
    n_parts = len(parts_of(folder))
    ran = scene.server.run(folder, *BATCH, "--resume", "--json", **scene.options)
    assert json.loads(ran.out)["resumed_parts"] == n_parts
    assert not scene.unfinished(folder)
