"""Hostile values of every option and argument: status 0; or one line, status 2 and nothing written."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import typer

from recsys.cli.main import app
from tests.attack.conftest import Attempts, sample
from tests.attack.process import Server
from tests.attack.scene import State, World, state_of
from tests.attack.world import CLUSTERS, IMPORT, MAP, PREPARE, train

Words = tuple[str, ...]
Attempt = tuple[Words, str, str]
"""A command that works, the option or the number of the argument to replace, and the value."""

BASES: tuple[tuple[object, ...], ...] = (
    ("fetch", "tiny"),
    PREPARE,
    IMPORT,
    (*train("ials"), "--out", "new", "--set", "epochs=1"),
    ("evaluate", "--data", "data", "--model", "popular"),
    ("evaluate", "--data", "data", "--model", "popular", "--trained", "popular"),
    ("tune", "--model", "itemknn", "--data", "data", "--out", "best.json", "--trials", 1),
    ("recommend", "--model", "ials", "--data", "data", "--out", "new.parquet"),
    ("recommend", "--model", "ials", "--data", "data", "--user", "u1", "--why"),
    ("recommend", "--model", "ials", "--rate", "Film 3=5"),
    ("similar", "Film 3", "--model", "ials"),
    ("walk", "Film 1", "Film 2", "--model", "ials"),
    ("analogy", "Film 1", "Film 2", "Film 3", "--model", "ials"),
    ("axes", "--model", "ials", "--data", "data", "--refits", 0),
    CLUSTERS,
    MAP,
    ("map", "--model", "ials", "--x", "adult", "--y", "Horror"),
    ("sample", "--model", "ials", "-n", 1),
    ("compression", "--model", "ials", "--data", "data", "--of", "pca", "--dimensions", "2"),
    ("report", "--model", "ials", "--data", "data", "--seeds", 0, "--dimensions", "2"),
    ("app",),
    ("nightly", "nightly.toml"),
)
"""At least one command that works for every verb but those of `ELSEWHERE`."""
ELSEWHERE = {"demo", "doctor", "serve"}
"""`demo` downloads; `doctor` prints what it found before it exits with 2; `serve` does not end (see tests/service)."""

LONG, ESCAPES, LINES = "x" * 100_000, "\x1b]0;x\x07\x1b[2J\x9b1m\u202e", "one\ntwo\r\nthree"
COMMON = (
    "",
    LONG,
    ESCAPES,
    LINES,
    "名前 ü",
    "-",
    "--",
    "../../x",
    "%s%n{}",
    "<script>",
    "'\"\\",
    "nan",
    "=",
    "[" * 9_999,
)
NUMBERS = (
    "0", "1", "-1", "1.5", "1000000", str(2**31), str(2**32 - 1), str(2**32), str(2**63), str(2**64), str(2**70),
    "9" * 5_000, "1e308", "-1e308", "1e-320", "inf", "-inf", "1_0", "\u0661", " 3 ", "0x10",
)  # fmt: skip
PATHS = (
    "nowhere", "nowhere/else", "file.txt", "file.txt/t.json", "file.html", "file.json", "folder", "folder/file.html",
    ".", "..", "zero", "full", "null", "stdin", "memory", "fifo", "socket", "loop", "dangling", "n" * 300, "d/" * 3_000,
    "~no-such-user/x", "data", "ials", "popular/manifest.json", "ratings.csv", "deep.json", "wide.json", "numbers.json",
    "empty", "x?y#z%20.json",
)  # fmt: skip
"""Names in the folder of the attempt. Nothing outside of it is named, not even a device: a test may run as root."""
DEVICES = {
    "zero": "/dev/zero", "full": "/dev/full", "null": "/dev/null", "stdin": "/proc/self/fd/0",
    "memory": "/proc/self/mem",
}  # fmt: skip
SPECIAL: dict[str, tuple[str, ...]] = {
    "--set": tuple(
        f"{name}={value}"
        for name in ("n_factors", "epochs", "alpha0", "regularization", "nu", "solver", "seed", "init_std", "nothing")
        for value in ("", "0", "-1", "1e308", "-1e308", "nan", "inf", str(2**70), "9" * 5_000, "[1]", "true", "0.0")
        if (name, value) != ("epochs", "1e308")
    ),
    "--rate": tuple(
        f"Film 3={stars}" for stars in ("nan", "inf", "1e39", "-1e30", "1e-30", "0", "1e30", "9" * 400, "")
    ),
    "--steer": tuple(f"adult={amount}" for amount in ("nan", "inf", "1e308", "-3", "3.0001", "", "1e-320")),
    "--ask": ("Film 3 <-> Film 3", "<->", "Horror <->", "Drama <-> Drama", "Film 1, Film 2 <-> Film 3, Film 4"),
    "--dimensions": (",", "1,,2", "0", "-1", "5000", str(2**70), "1 2", "1," * 50_000, "2,2,2"),
    "--scale": (":", "1:", ":5", "5:1", "nan:5", "-inf:inf", "1e308:1e309", "1:2:3", "0:1e-320"),
    "--metric": ("ndcg@", "ndcg@0", "ndcg@-1", "ndcg@1e9", "ndcg@٣", "ndcg@²", "ndcg@010", "auc", "auc@10", "all"),
    "--user": (str(10**25), "-1", "u1 ", "U1", "1e5"),
    "--trained": ("data",),
}


def attempts_on(base: Words) -> Iterator[Attempt]:
    """Every option and argument of the verb with every value of its kind."""
    [command] = [found for name, found in typer.main.get_command(app).commands.items() if name == base[0]]  # type: ignore[attr-defined]
    n_arguments = 0
    for parameter in command.params:
        if getattr(parameter, "is_flag", False) or parameter.name == "help":
            continue
        place = max(parameter.opts, key=len)
        if parameter.param_type_name == "argument":
            place, n_arguments = str(n_arguments), n_arguments + 1
        kind = parameter.type_descriptor.annotation
        values: Sequence[str] = COMMON + SPECIAL.get(place, ())
        if kind in (Path, list[Path]) or place == "0":
            values = (*values, *PATHS)
        if kind in (int, float, list[int]):
            values = (*values, *NUMBERS)
        yield from ((base, place, value) for value in values)


def words_of(attempt: Attempt) -> Words:
    """The command with the value in its place."""
    base, place, value = attempt
    words = list(base)
    if place.isdecimal():
        words[1 + int(place)] = value
    elif place in words and place not in SPECIAL:
        words[words.index(place) + 1] = value
    else:
        words += [place, value]
    return tuple(words)


def write_traps(folder: Path) -> None:
    """Files and folders that are not what an option asks for; and a Streamlit that ends at once."""
    (folder / "file.txt").write_text("hello\n")
    (folder / "file.html").write_text("<p>mine</p>\n")
    (folder / "file.json").write_text('{"mine": true}\n')
    (folder / "empty").touch()
    (folder / "folder").mkdir()
    (folder / "folder" / "file.html").write_text("mine\n")
    os.mkfifo(folder / "fifo")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.path.relpath(folder / "socket"))
    for name, device in DEVICES.items():  # links: replacing one leaves the device alone
        (folder / name).symlink_to(device)
    (folder / "loop").symlink_to("loop")
    (folder / "dangling").symlink_to("nowhere")
    (folder / "deep.json").write_text("[" * 200_000)
    (folder / "wide.json").write_text('{"n_factors": {"a": [1, 2]}, "n_factors": 3}')
    (folder / "numbers.json").write_text('{"n_factors": 1%s, "alpha": NaN}' % ("0" * 6_000))
    (folder / "streamlit").mkdir()
    (folder / "streamlit" / "__init__.py").touch()
    (folder / "streamlit" / "__main__.py").touch()


def without_locks(state: State) -> State:
    """A state without the locks, which stay on purpose."""
    return {name: digest for name, digest in state.items() if not name.endswith(".recsys-lock")}


def test_every_option_with_hostile_values(
    world: World, server: Server, attempts: Attempts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pristine, folder = tmp_path / "pristine", tmp_path / "deep" / "in" / "folder"  # ../../x stays in tmp_path
    shutil.copytree(world.folder, pristine)
    folder.parent.mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    before: State = {}
    assert {base[0] for base in BASES} | ELSEWHERE == set(typer.main.get_command(app).commands)  # type: ignore[attr-defined]
    every = [attempt for base in BASES for attempt in attempts_on(tuple(map(str, base)))]
    for attempt in sample(every, 40):
        if not folder.exists():
            shutil.copytree(pristine, folder)
            write_traps(folder)
            before = without_locks(state_of(folder))
        ran = server.run(folder, *words_of(attempt))
        fault = ran.fault
        if not fault and len(ran.err) > 2_000:
            fault = f"{len(ran.err)} characters: {ran.err[:200]!r}"
        if not fault and any(letter in ran.out + ran.err for letter in "\x1b\x07\x9b\u202e"):
            fault = f"control characters: {ran.out[:200]!r} {ran.err[:200]!r}"
        after = without_locks(state_of(folder))
        if not fault and ran.status == 2 and after != before:
            fault = f"wrote {sorted({name for name, _ in after.items() ^ before.items()})}"
        base, place, value = attempt
        attempts.record(f"{' '.join(base)[:60]} | {place} {value[:40]!r} ({len(value)})", fault)
        if ran.status != 2 or fault:
            shutil.rmtree(folder)
    attempts.check("hostile values of options", 40)
