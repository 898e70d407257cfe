"""What a nightly run remembers on disk: rating files that were added, finished steps, and the previous models.

Everything is in the folder `work` of the settings:

    state.json        what was added, what an interrupted run has finished, and which model was published last
    reports/          a report of each run, as JSON and as text
    previous/NNNNNN/  models that were replaced, the newest with the highest number, each with its recommendations
    copies/SHA-256/   the evaluation copy of a model, under the fingerprint of the model

Each of them is written whole or not at all. Models are never changed in place, so previous ones share their files with
the published model by hard links, where the file system allows it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
import shutil
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from recsys import atomic, store
from recsys.errors import InputError

STATE, GENERATION = "state.json", "generation.json"
MODEL, LISTS = "model", "lists"
_NUMBER = re.compile(r"\d{6,12}")
_FINGERPRINT = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class StoredStep:
    """A finished step.

    key      SHA-256 of its inputs and settings: with another one it is done again
    seconds  wall time it took
    result   plain values
    """

    key: store.Checksum
    seconds: float
    result: dict[str, Any]


@dataclass(frozen=True)
class Adding:
    """Rating files that are being added to the data.

    before  fingerprint of the prepared folder before; None: there was none
    counts  the counts of its report: read, kept, rejected, duplicates
    files   SHA-256 of each file → its name
    """

    before: store.Checksum | None
    counts: dict[str, int]
    files: dict[store.Checksum, str]


@dataclass(frozen=True)
class State:
    """What is remembered from run to run.

    files       rating files that are in the data: SHA-256 → name
    adding      files that an interrupted run was adding; None otherwise
    started     when the present night began, as in the name of its report; None between nights
    steps       its finished steps, by name
    publishing  fingerprint of the model that an interrupted run was publishing; None otherwise
    rolling_back  fingerprint of the model that an interrupted rollback was bringing back; None otherwise
    model       fingerprint of the model that was published last
    since_anew  nights since that model was trained anew
    done        SHA-256 of everything the last complete night depended on
    """

    format_version: int = 1
    files: dict[store.Checksum, str] = field(default_factory=dict)
    adding: Adding | None = None
    started: str | None = None
    steps: dict[str, StoredStep] = field(default_factory=dict)
    publishing: store.Checksum | None = None
    rolling_back: store.Checksum | None = None
    model: store.Checksum | None = None
    since_anew: store.Count = 0
    done: store.Checksum | None = None

    def __post_init__(self) -> None:
        if self.format_version != 1:
            raise InputError(f"has format version {self.format_version}, this version of recsys reads 1")


@dataclass(frozen=True)
class Generation:
    """A previous model: its folder in `previous`, its fingerprint, and when it was replaced."""

    folder: Path
    fingerprint: store.Checksum
    replaced: str
    since_anew: store.Count

    @property
    def lists(self) -> Path | None:
        """Its recommendations, a file or a folder; None if it had none."""
        path = self.folder / LISTS
        return path if path.exists() else None


@dataclass(frozen=True)
class _Generation:
    fingerprint: store.Checksum
    replaced: str
    since_anew: store.Count


def load_state(work: Path) -> State:
    """The state in a folder; an empty one if there is none. Raises InputError when it is damaged."""
    path = work / STATE
    if not path.exists():
        return State()
    with store.reading(path, "recsys nightly after removing it; files that were added before are read once more"):
        return store.checked(State, store.read_json(path))


def save_state(work: Path, state: State) -> None:
    """Write the state, atomically."""
    store.write_json(work / STATE, dataclasses.asdict(state))


def generations(work: Path) -> list[Generation]:
    """The previous models, newest first. Raises InputError for one that is damaged."""
    folder = work / "previous"
    names = (path for path in folder.iterdir() if _NUMBER.fullmatch(path.name)) if folder.is_dir() else ()
    found = []
    for path in sorted(names, key=lambda path: int(path.name), reverse=True):
        with store.reading(path, "recsys nightly after removing it"):
            found.append(Generation(path, **vars(store.checked(_Generation, store.read_json(path / GENERATION)))))
    return found


def keep_generation(work: Path, model: Path, lists: Path | None, replaced: str, since_anew: int) -> None:
    """Keep a model, which is about to be replaced, and its recommendations; nothing is done if it is kept already."""
    fingerprint, known = store.fingerprint_of(model), generations(work)
    if known and known[0].fingerprint == fingerprint:
        return
    number = int(known[0].folder.name) + 1 if known else 1
    with atomic.new_folder(work / "previous" / f"{number:06d}") as temporary:
        link_or_copy(model, temporary / MODEL)
        if lists is not None and lists.exists():
            link_or_copy(lists, temporary / LISTS)
        kept = _Generation(fingerprint, replaced, since_anew)
        store.write_json(temporary / GENERATION, dataclasses.asdict(kept))


def remove_old(work: Path, keep: int, wanted: set[str]) -> None:
    """Remove all but the newest `keep` generations, and the evaluation copies of models that are neither kept nor in
    `wanted` (fingerprints)."""
    found = generations(work)
    for generation in found[keep:]:
        _remove(generation.folder)
    wanted = wanted | {generation.fingerprint for generation in found[:keep]}
    copies = work / "copies"
    for path in sorted(copies.iterdir()) if copies.is_dir() else ():
        if _FINGERPRINT.fullmatch(path.name) and path.name not in wanted:
            _remove(path)


def remove_generation(generation: Generation) -> None:
    """Remove a previous model that was published again."""
    _remove(generation.folder)


def remove_leftovers(*folders: Path, of: Iterable[Path] = ()) -> None:
    """Remove what killed runs left: everything in folders that only nightly runs write to, and what belongs to the
    files and folders `of` elsewhere, unless another process writes them now."""
    found = {atomic.target_of(path) for folder in folders if folder.is_dir() for path in atomic.leftovers(folder)}
    for target in of:
        if target.parent.is_dir():
            found |= {target} & {atomic.target_of(path) for path in atomic.leftovers(target.parent)}
    for path in found - {None}:
        with contextlib.suppress(InputError), atomic.lock(path, wait=0):  # type: ignore[arg-type]
            pass


def copy_of(work: Path, fingerprint: str) -> Path:
    """The folder of the evaluation copy of a model. The fingerprint, 64 hexadecimal digits, is checked."""
    if not _FINGERPRINT.fullmatch(fingerprint):
        raise InputError(f"{fingerprint!r} is no fingerprint of a model")
    return work / "copies" / fingerprint


def link_or_copy(source: Path, target: Path) -> None:
    """Give a file, or all files of a folder, a second name: hard links, or copies on another file system. A folder
    `target` may exist."""
    if source.is_dir():
        shutil.copytree(source, target, copy_function=_link, ignore=_ours, dirs_exist_ok=True)
    else:
        _link(str(source), str(target))


def _ours(folder: str, names: list[str]) -> set[str]:
    """Locks and temporary files of a writer, which are not part of a folder."""
    return {name for name in names if atomic.target_of(Path(folder) / name) is not None}


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system, or one without links
        shutil.copy2(source, target)


def _remove(folder: Path) -> None:
    with atomic.lock(folder), contextlib.suppress(FileNotFoundError):
        atomic.remove_folder(folder, folder)
