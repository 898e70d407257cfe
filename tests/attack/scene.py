"""The folders of attempts: copies of the world, their state as digests, and what must hold after a crash."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Mapping, Sequence
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

from tests.attack.process import Ran, Server
from tests.attack.world import JAX_MODELS, Case, train, write_sources

State = Mapping[str, str]
"""Path of each file, link and empty folder below a folder → digest of its content."""
MEASURED = ("ranking.json", "report.json", "report.html", "out.json", "out.html")
"""Files whose decimals and checksums of pages are left out of the digest: seconds of training, and measures of exact
ties, which depend on how threads round."""
EMPTY = "empty folder"
DECIMAL = re.compile(r"[0-9a-f]{64}|\d+\.\d+(e[-+]?\d+)?|\d+e[-+]?\d+")


def state_of(folder: Path) -> State:
    """The state of a folder."""
    found: dict[str, str] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink():
            found[name] = f"link to {path.readlink()}"
        elif path.is_file():
            content = path.read_bytes()
            if path.name in MEASURED:
                content = DECIMAL.sub("", content.decode()).encode()
            found[name] = hashlib.sha256(content).hexdigest()
        elif path.is_dir() and not any(path.iterdir()):
            found[name] = EMPTY
    return found


def part(state: State, paths: tuple[str, ...]) -> State:
    """What of a state is at or below these paths."""
    return {name: digest for name, digest in state.items() if any(f"{name}/".startswith(f"{p}/") for p in paths)}


def pages_of_others(folder: Path) -> list[str]:
    """Reports whose numbers name another page than the one that is there."""
    found = []
    for numbers in folder.rglob("*.json"):
        page, value = numbers.with_suffix(".html"), json.loads(numbers.read_bytes())
        if "page_sha256" in value and hashlib.sha256(page.read_bytes()).hexdigest() != value["page_sha256"]:
            found.append(numbers.name)
    return found


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        """Print nothing."""


class World:
    """The world, made once, and the old and new states of each case.

    mapped  address space of the warm process, in bytes
    mirror  address of a server with the zip of the dataset
    """

    def __init__(self, server: Server, root: Path, build: Sequence[tuple[object, ...]]) -> None:
        self.server, self.root, self.folder = server, root, root / "world"
        self._scenes: dict[str, Scene] = {}
        write_sources(self.folder)
        server.ask({"do": "publish", "zip": str(self.folder / "root" / "raw" / "tiny.zip")})
        for command in build:
            if command in map(train, JAX_MODELS):
                ran = server.run(self.folder, *command, seconds=120)
                assert ran.status == 0, ran
                continue
            made = server.ask({"do": "warm", "argv": list(map(str, command)), "cwd": str(self.folder)})
            assert made["status"] == 0, made["err"]
        self.mapped = server.mapped()
        self._mirror = ThreadingHTTPServer(
            ("127.0.0.1", 0), partial(_Quiet, directory=str(self.folder / "root" / "raw"))
        )
        self.mirror = f"http://127.0.0.1:{self._mirror.server_port}"
        Thread(target=self._mirror.serve_forever, daemon=True).start()

    def close(self) -> None:
        """Stop the server of files."""
        self._mirror.shutdown()
        self._mirror.server_close()

    def copy(self, needs: tuple[str, ...], to: Path) -> None:
        """Copy files and folders of the world to a new folder."""
        to.mkdir(parents=True)
        for name in needs:
            source = self.folder / name
            shutil.copytree(source, to / name, symlinks=True) if source.is_dir() else shutil.copy(source, to / name)

    def scene(self, case: Case) -> Scene:
        """The case, made ready for attempts."""
        if case.name not in self._scenes:
            self._scenes[case.name] = Scene(self, case)
        return self._scenes[case.name]


class Scene:
    """A case made ready: a folder to copy for each attempt, and the states before and after an undisturbed run.

    old, new  the states
    """

    def __init__(self, world: World, case: Case) -> None:
        self.case, self.server = case, world.server
        self.options: dict[str, Any] = {"settings": dict(case.settings)}
        if case.mirror:
            self.options["RECSYS_MIRROR"] = world.mirror
        self._root = world.root / "scenes" / case.name.replace(" ", "-").replace("/", "-")
        self._base = self._root / "base"
        shutil.rmtree(self._root, ignore_errors=True)
        world.copy(case.needs, self._base)
        for command in case.before:
            self.must(self._base, *command)
        for name in case.missing:
            (self._base / name).unlink()
        self.old = state_of(self._base)
        done = self.fresh("done")
        self.must(done, *case.command)
        self.new = state_of(done)

    def must(self, folder: Path, *command: object) -> Ran:
        """Run a command that has to succeed."""
        ran = self.server.run(folder, *command, seconds=60, **self.options)
        assert ran.status == 0, ran
        return ran

    def fresh(self, name: str = "attempt") -> Path:
        """A new copy of the folder; an older copy of that name is removed."""
        folder = self._root / name
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self._base, folder, symlinks=True)
        return folder

    def torn(self, folder: Path) -> str:
        """What is neither old nor new after a crash, empty if everything is whole."""
        now = state_of(folder)
        outputs = tuple(path for unit in self.case.units for path in unit)
        for unit in self.case.units:
            if any(path in self.case.loose for path in unit):
                continue
            found = part(now, unit)
            if found not in (part(self.old, unit), part(self.new, unit)):
                missing = sorted(part(self.old, unit).keys() - found.keys())
                return f"{unit} is neither old nor new: {'missing ' + str(missing) if missing else sorted(found)}"
        for name, digest in self.old.items():
            if digest != EMPTY and now.get(name) != digest and not part({name: digest}, outputs):
                return f"{name} changed or is gone"
        return ""

    def unfinished(self, folder: Path) -> str:
        """What differs from an undisturbed run after the command ran to its end, empty if nothing does."""
        now = state_of(folder)
        if left := sorted(now.keys() - self.new.keys()):
            return f"left behind: {left}"
        if gone := sorted(self.new.keys() - now.keys()):
            return f"missing: {gone}"
        if mixed := pages_of_others(folder):
            return f"the page of another run: {mixed}"
        changed = [name for name in now if now[name] != self.new[name] and name not in self.case.loose]
        return f"other content: {changed}" if changed else ""

    def recovers(self, folder: Path) -> str:
        """Check the folder after a crash and run the command again; what is wrong, empty if nothing is."""
        if torn := self.torn(folder):
            return torn
        again = self.server.run(folder, *(self.case.again or self.case.command), **self.options)
        if again.status != 0:
            return f"the next run: {again.fault or again.err.strip()}"
        return self.unfinished(folder)
