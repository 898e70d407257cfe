"""Artifacts: the folders that recsys writes, recognised by what is in them.

The marker of an artifact, a JSON file that is written last, says what the folder is and lists its files with their
sizes and checksums:

    {"artifact": "model", "format_version": 2, …, "files": {"items.parquet": {"bytes": 1234, "sha256": "…"}, …}}

A folder is replaced only if its marker is valid and every file in it is one that recsys writes there. A folder is read
only if its files are those that the marker lists.
"""

from __future__ import annotations

import hashlib
import os
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa

from recsys import atomic
from recsys.errors import InputError
from recsys.store.files import dump_json, open_file, parse_json, read_bytes, read_json, reading
from recsys.store.schema import Columns, read_columns

FORMAT_VERSION = 2
"""Version of the files in model folders and prepared folders."""

READ_SECONDS = 30.0
"""For how long a folder is read again that other processes replace while it is read. On a busy machine a reader may be
overtaken many times in a row."""

T = TypeVar("T")


@dataclass(frozen=True)
class Kind:
    """A kind of artifact.

    name     how the marker and messages call it
    marker   name of the JSON file that identifies it
    files    pattern of the names that the marker may list
    later    pattern of the names of what recsys stores in the folder later
    signs    names that only such a folder contains together, even if it is damaged
    command  the command that creates it
    """

    name: str
    marker: str
    files: re.Pattern[str]
    later: re.Pattern[str]
    signs: tuple[str, ...]
    command: str

    @property
    def article(self) -> str:
        return "a " if self.name == "model" else ""

    @property
    def remedy(self) -> str:
        return f"create it with {self.command}"


MODEL = Kind(
    "model",
    "manifest.json",
    re.compile(r"(items|user_factors|item_factors|item_scores|item_weights|rejected)\.parquet|encoder\.safetensors"),
    re.compile(r"(clusters|map-[a-z]+)\.parquet|(axes|ranking|compression|report)\.json|report\.html"),
    ("manifest.json", "items.parquet"),
    "recsys train",
)
PREPARED = Kind(
    "prepared data",
    "report.json",
    re.compile(r"(interactions|items|users|rejected|origins|unused|described)\.parquet"),
    re.compile(r"(?!)"),
    ("interactions.parquet", "users.parquet"),
    "recsys prepare",
)
LISTS = Kind(
    "recommendations",
    "_recommendations.json",
    re.compile(r"part=\d+/recommendations\.(parquet|csv|jsonl)"),
    re.compile(r"(?!)"),
    ("_recommendations.json",),
    "recsys recommend",
)
"""Recommendations in a folder for each part of the users. Readers of such folders skip names that begin with `_`."""
KINDS = (MODEL, PREPARED, LISTS)


class WrongFile(InputError):
    """A file of an artifact that is missing or is not the one that its marker lists."""


def kind_of(folder: Path) -> Kind | None:
    """The kind of artifact in a folder, by the content of its marker; None for any other folder."""
    for kind in KINDS:
        try:
            marker = read_json(folder / kind.marker)
        except InputError:
            continue
        if marker.get("artifact") == kind.name:
            return kind
    return None


def artifact_around(path: Path) -> Path | None:
    """The innermost folder that a path is or is in and that recsys wrote: an artifact, also a damaged one or one of
    another version, or a downloaded dataset. None if there is none."""
    resolved = path.resolve()
    return next((folder for folder in (resolved, *resolved.parents) if _is_written(folder)), None)


def _is_written(folder: Path) -> bool:
    return kind_of(folder) is not None or any(
        all((folder / name).exists() for name in names) for names in (*(kind.signs for kind in KINDS), ("SOURCE.json",))
    )


def check_replaceable(folder: Path, kind: Kind) -> None:
    """Raise InputError unless `folder` is missing, empty, or an artifact of this kind without other files.

    Files count as ours if the marker lists them, or if they have the name of what recsys stores with such an artifact
    later. They need not be undamaged: a damaged artifact is made again in its place.
    """
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise InputError(f"{folder}: exists and is not a folder; choose another --out")
    try:
        found = sorted(folder.iterdir()) if folder.is_dir() else []
    except OSError as error:
        raise InputError(f"{folder}: cannot be read: {error.strerror or error}") from None
    if not found:
        return
    other = kind_of(folder)
    if other != kind:
        what = f"{other.article}{other.name}" if other is not None else "other files"
        if other is None and _is_written(folder):
            what = "damaged files, or files of another version of recsys,"
        raise InputError(f"{folder}: contains {what} and will not be replaced; choose another --out, or remove it")
    listed = open_artifact(folder, kind).marker["files"]
    foreign = [path.name for path in found if not _is_part(path, kind, listed, path.name)]
    if foreign:
        raise InputError(
            f"{folder}: contains {foreign[0]!r}, which recsys did not write, and will not be replaced; "
            "choose another --out, or move that file"
        )


def _is_part(path: Path, kind: Kind, listed: Mapping[str, Any], name: str) -> bool:
    """Whether a file in an artifact is one of ours: listed, stored with it later, or left by a writer of such a file;
    or a folder of such files that is listed.

    name  the path in the artifact, with `/`, as the marker lists it
    """
    if path.is_dir() and not path.is_symlink():
        is_listed = any(other.startswith(f"{name}/") for other in listed)
        return is_listed and all(_is_part(inside, kind, listed, f"{name}/{inside.name}") for inside in path.iterdir())
    target = str(Path(name).with_name((atomic.target_of(path) or path).name))
    return target == kind.marker or target in listed or kind.later.fullmatch(target) is not None


@contextmanager
def new_artifact(folder: Path, kind: Kind, marker: Mapping[str, Any]) -> Iterator[Path]:
    """A temporary folder to fill with files. At the end the marker is added, with the list of files, and the folder
    replaces `folder`. Raises InputError if that is not allowed; see `check_replaceable`."""

    def check() -> None:
        check_replaceable(folder, kind)

    check()
    with atomic.new_folder(folder, check) as temporary:
        yield temporary
        found = sorted(path for path in temporary.rglob("*") if not path.is_dir())
        files = {path.relative_to(temporary).as_posix(): digest_of_path(path) for path in found}
        head = {"artifact": kind.name, "format_version": FORMAT_VERSION}
        dump_json(temporary / kind.marker, head | dict(marker) | {"files": files})


def digest_of(file: BufferedReader) -> dict[str, Any]:
    """Size and SHA-256 of an open file, as a marker lists them."""
    return {"bytes": os.fstat(file.fileno()).st_size, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}


def _has_size(file: BufferedReader, expected: object) -> bool:
    return isinstance(expected, dict) and os.fstat(file.fileno()).st_size == expected.get("bytes")


def digest_of_path(path: Path) -> dict[str, Any]:
    """Size and SHA-256 of a file. Raises InputError as `open_file` does, OSError."""
    with open_file(path) as file:
        return digest_of(file)


@dataclass(frozen=True)
class Artifact:
    """An artifact that is being read: its folder, kind and marker.

    fingerprint  SHA-256 (hex) of the marker, which changes when any file of the artifact does
    stamp        identifies the marker's file: it changes when the folder is replaced, even by an equal one
    """

    folder: Path
    kind: Kind
    marker: dict[str, Any]
    fingerprint: str
    stamp: tuple[int, int]

    @property
    def content(self) -> dict[str, Any]:
        """The marker without what identifies the artifact: its own content."""
        return {key: value for key, value in self.marker.items() if key not in ("artifact", "format_version", "files")}

    def has(self, name: str) -> bool:
        """Whether the marker lists a file of that name."""
        return name in self.marker["files"]

    @contextmanager
    def open(self, name: str) -> Iterator[BufferedReader]:
        """A file of the artifact, at its beginning. Raises WrongFile unless it is the one that the marker lists."""
        if not self.has(name):
            raise WrongFile(f"{name} is missing")
        if not (self.folder / name).exists():
            raise WrongFile(f"{name} is missing")
        with open_file(self.folder / name) as file:
            expected = self.marker["files"][name]
            if not _has_size(file, expected) or digest_of(file) != expected:  # size first: a sparse file may be endless
                raise WrongFile(f"{name} is not the file that was written: its checksum differs")
            file.seek(0)
            yield file

    @contextmanager
    def open_ahead(self, name: str) -> Iterator[Callable[[], BufferedReader]]:
        """A function that returns what `open` does, or raises its errors; a thread compares the checksum meanwhile."""
        with ExitStack() as files, ThreadPoolExecutor(1) as pool:
            yield pool.submit(files.enter_context, self.open(name)).result

    def table(self, name: str, *layouts: Columns) -> pa.Table:
        """A Parquet file of the artifact, with the columns of one of the layouts. Raises WrongFile as `open` does,
        InputError for other content, and pyarrow's exceptions."""
        with self.open(name) as file:
            return read_columns(file, name, *layouts)


def open_artifact(folder: Path, kind: Kind) -> Artifact:
    """The artifact in a folder, with a checked marker.

    Raises InputError when the folder is missing, is not an artifact of this kind, or has another format version.
    """
    path, n_missing = folder / kind.marker, 0
    while True:
        # Without an exchange, the folder has no name for an instant; restoring it waits for that.
        atomic.restore(folder)
        stamp = _stamp(path)
        if path.is_file():
            try:
                content = read_bytes(path)
                break
            except InputError:
                if _stamp(path) == stamp:  # else it was replaced meanwhile
                    raise
        else:
            n_missing += 1
            if n_missing == 2:
                raise InputError(
                    f"{folder}: is not {kind.article}{kind.name} ({kind.marker} is missing); {kind.remedy}"
                )
    marker = parse_json(content, path)
    version = marker.get("format_version")
    if version != FORMAT_VERSION:
        raise InputError(
            f"{folder}: has format version {str(version)[:20]}, but this version of recsys reads {FORMAT_VERSION}; "
            f"{kind.remedy}"
        )
    if marker.get("artifact") != kind.name:
        raise InputError(f"{folder}: is not {kind.article}{kind.name}; {kind.remedy}")
    files = marker.get("files")
    if not isinstance(files, dict) or not all(kind.files.fullmatch(name) for name in files):
        raise InputError(f"{path}: does not list the files of {kind.article}{kind.name}; {kind.remedy}")
    return Artifact(folder, kind, marker, hashlib.sha256(content).hexdigest(), stamp)


def _stamp(path: Path) -> tuple[int, int]:
    try:
        status = path.stat()
    except OSError:
        return 0, 0
    return status.st_ino, status.st_ctime_ns


def read_artifact(folder: Path, kind: Kind, read: Callable[[Artifact], T]) -> T:
    """What `read` makes of the artifact in a folder, all of it from one writer: when the folder was replaced meanwhile,
    it is read again.

    Raises InputError as `open_artifact` does, and for whatever `read` raises on damaged files.
    """
    deadline = time.monotonic() + READ_SECONDS
    while True:
        artifact = open_artifact(folder, kind)
        try:
            with reading(folder, kind.command):
                return read(artifact)
        except InputError:
            if _stamp(folder / kind.marker) == artifact.stamp or time.monotonic() > deadline:
                raise


def damaged_files(folder: Path, kind: Kind) -> list[str]:
    """What is wrong with the files that the marker of an artifact lists, one message each; empty if nothing is.

    Raises InputError as `open_artifact` does.
    """
    artifact, wrong = open_artifact(folder, kind), []
    for name in artifact.marker["files"]:
        try:
            with artifact.open(name):
                pass
        except (InputError, OSError) as error:
            wrong.append(str(error))
    return wrong


def check_outputs(*outputs: Path, inputs: Iterable[Path | None] = (), own: Iterable[Path | None] = ()) -> None:
    """Raise InputError when an output is, contains or lies in an input, or would overwrite a file of an artifact.

    own  outputs that may lie in an artifact, because recsys stores them there
    """
    allowed = {path.resolve() for path in own if path is not None}
    for out in outputs:
        written = out.resolve()
        for given in inputs:
            if given is None or not given.exists():
                continue
            read = given.resolve()
            if written == read or (out.exists() and out.samefile(given)):
                raise InputError(f"{out}: is an input, which would be overwritten; choose another --out")
            if written in read.parents:
                raise InputError(f"{out}: contains the input {given}, which would be removed; choose another --out")
            if read in written.parents and written not in allowed:
                raise InputError(f"{out}: is in the input {given}; choose an --out outside of it")
        folder = None if written in allowed else artifact_around(written.parent)
        if folder is not None:
            raise InputError(f"{out}: is in {folder}, which recsys wrote; choose an --out outside of it")
