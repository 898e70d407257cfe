"""What the data folders hold: datasets, prepared data, models and batches, whether each is whole, and leftovers."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

from recsys import atomic, store
from recsys.errors import InputError, RecsysError
from recsys.ingest.datasets import DATASETS
from recsys.ingest.download import PART, SOURCE_FILE, fetched_dataset
from recsys.workflows.batch_files import BATCH_NAME, REQUEST, read_request, read_result
from recsys.workflows.batch_jobs import KEPT_SECONDS
from recsys.workflows.finding import Finding

DEPTH = 3
"""Folders below a root that are searched: root/prepared/NAME is two levels down, a batch as well."""
SCARCE_BYTES = 1 << 30
"""Less free space than this is worth a note: MovieLens 25M takes as much."""

_PARTS = re.compile(r"\.(.+)\.parts", re.DOTALL)

COMPANIONS: Mapping[str, tuple[Callable[[Path], object], str]] = {
    store.AXES: (store.load_axes, "recsys axes"),
    store.CLUSTERS: (store.load_clusters, "recsys clusters"),
    store.RANKING: (store.stored_ranking, "recsys evaluate --trained"),
    store.COMPRESSION: (store.stored_compression, "recsys compression"),
    Path(store.REPORT_PAGE).with_suffix(".json").name: (store.stored_report, "recsys report"),
}
"""Files that are stored with a model later: how they are checked, and the command that writes them."""


def examine_data(root: Path, *, repair: bool = False) -> Iterator[Finding]:
    """Examine a folder and the folders in it; raises nothing for what is damaged: each problem is a finding.

    repair  remove what killed processes left, and restore what they were replacing; nothing else is ever changed
    """
    try:
        next(root.iterdir(), None)
    except (OSError, ValueError) as error:  # ValueError: a null character
        found = f"cannot be read: {getattr(error, 'strerror', None) or error}"
        yield Finding("data", str(root), found, "problem", "name another folder with --data")
        return
    free = shutil.disk_usage(root).free
    found = f"{_bytes(_size(root))}, {_bytes(free)} of the disk are free"
    if free < SCARCE_BYTES:
        yield Finding("data", str(root), found, "note", "free some space: fetch, prepare and train need more")
    else:
        yield Finding("data", str(root), found)
    for folder in _folders(root, DEPTH):
        try:
            yield from _leftovers(folder, repair)
            yield from _content(folder)
        except (OSError, RecsysError) as error:
            yield Finding("data", str(folder), _reason(error, folder), "problem", "make it readable, or remove it")


def _folders(root: Path, depth: int) -> Iterator[Path]:
    """A folder and those below it, each before its own; what cannot be listed counts as empty."""
    yield root
    if depth == 0 or _kind(root) is not None:
        return
    for path in _listed(root):
        # A link may lead anywhere; what it leads to is examined, and repaired, only where it was asked for.
        if path.is_dir() and not path.is_symlink() and not path.name.startswith("."):
            yield from _folders(path, depth - 1)


def _listed(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:  # reported when the folder itself is examined
        return []


# ── what is in a folder ──────────────────────────────────────────────────────────────────────────────────────────────


def _kind(folder: Path) -> str | None:
    """What a folder holds, by the names of its files, so that a damaged one is recognised as well."""
    names = {path.name for path in _listed(folder)}
    if store.MANIFEST in names or names & {store.ITEM_FACTORS, store.ITEM_SCORES, store.ITEM_WEIGHTS}:
        return "model"
    if store.INTERACTIONS in names:
        return "prepared data"
    if store.LISTS.marker in names:
        return "recommendations"
    if SOURCE_FILE in names:
        return "dataset"
    if BATCH_NAME.fullmatch(folder.name) and REQUEST in names:
        return "batch"
    return None


def _content(folder: Path) -> Iterator[Finding]:
    kind = _kind(folder)
    if kind == "model":
        yield from _model(folder)
    elif kind == "prepared data":
        yield from _artifact(folder, store.PREPARED)
    elif kind == "recommendations":
        yield from _artifact(folder, store.LISTS)
    elif kind == "dataset":
        yield _dataset(folder)
    elif kind == "batch":
        yield _batch(folder)


def _artifact(folder: Path, kind: store.Kind) -> Iterator[Finding]:
    """One line for an artifact that is what its marker says, or a line for each file that is not."""
    shown = f"{kind.name}, {_bytes(_size(folder))}"
    try:
        damaged = store.damaged_files(folder, kind)
    except InputError as error:
        damaged = [_reason(error, folder)]
    for reason in damaged:
        yield Finding("data", str(folder), f"{kind.name}: {reason}", "problem", f"{kind.command} --out {folder}")
    if not damaged:
        yield Finding("data", str(folder), f"{shown}, as written")


def _model(folder: Path) -> Iterator[Finding]:
    """The model, then what is stored with it and does not belong to it or cannot be read."""
    checked = list(_artifact(folder, store.MODEL))
    try:
        model = store.load_model(folder)
    except InputError as error:
        if all(finding.status == "ok" for finding in checked):  # its files are as written, but not its marker
            checked = [Finding("data", str(folder), _reason(error, folder), "problem", f"recsys train --out {folder}")]
        yield from checked
        return
    yield from checked
    for name, (load, command) in COMPANIONS.items():
        yield from _companion(folder, name, partial(load, folder), command)
    for method in store.list_maps(folder):
        load_map = partial(store.load_map, folder, method)
        yield from _companion(folder, store.MAP.format(method), load_map, f"recsys map --method {method}")
    data = model.data.get("path")
    if data is not None and not Path(data).is_dir():
        yield Finding(
            "data", str(folder), f"its data are not at {data}", "note", "name them with --data, or prepare them again"
        )


def _companion(folder: Path, name: str, load: Callable[[], object], command: str) -> Iterator[Finding]:
    path = folder / name
    if not path.exists():
        return
    try:
        load()
    except InputError as error:
        yield Finding("data", str(path), _reason(error, path), "problem", f"{command} --model {folder}")


def _dataset(folder: Path) -> Finding:
    name = fetched_dataset(folder)
    if name is None:
        found = f"not as fetched: {SOURCE_FILE} is damaged or a file is not as it says"
        return Finding("data", str(folder), found, "problem", f"remove the folder, then recsys fetch {folder.name}")
    return Finding("data", str(folder), f"dataset {name}, {_bytes(_size(folder))}, as fetched")


def _batch(folder: Path) -> Finding:
    hours = (time.time() - max(path.stat().st_mtime for path in folder.iterdir())) / 3600
    shown = f"batch, {_bytes(_size(folder))}, {hours:,.0f} hours old"
    try:
        read_request(folder)
        finished = read_result(folder) is not None
    except InputError as error:
        return Finding("data", str(folder), f"batch: {_reason(error, folder)}", "problem", "remove the folder")
    if hours > KEPT_SECONDS / 3600:
        return Finding("data", str(folder), shown, "note", "nothing: the app removes it when the next batch starts")
    if not finished:
        return Finding(
            "data", str(folder), f"{shown}, not finished", "note", "open its address in the app to resume it"
        )
    return Finding("data", str(folder), shown)


# ── leftovers ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _leftovers(folder: Path, repair: bool) -> Iterator[Finding]:
    """Temporary files and locks in a folder, and parts of interrupted downloads and batches, which can be resumed."""
    if repair:
        yield from _repaired(folder)
    left = set(atomic.leftovers(folder))
    for path in sorted(folder.iterdir()):
        target = atomic.target_of(path)
        if target is not None and path not in left:
            yield Finding("leftovers", str(path), f"{target.name} is being written by another process", "note")
        elif target is not None:
            remedy = "recsys doctor --repair removes it"
            if path == atomic.old_path(target) and not target.exists():
                remedy = f"recsys doctor --repair restores it as {target.name}"
            yield Finding("leftovers", str(path), f"left by a killed process, {_bytes(_size(path))}", "note", remedy)
        elif (name := path.name.removesuffix(PART)) != path.name and name in DATASETS:
            found = f"an interrupted download, {_bytes(_size(path))}"
            yield Finding("leftovers", str(path), found, "note", f"recsys fetch {name} resumes it; or remove it")
        elif (parts := _PARTS.fullmatch(path.name)) is not None and path.is_dir():
            out = path.with_name(parts[1])
            if not atomic.is_locked(out):
                found = f"parts of an interrupted batch, {_bytes(_size(path))}"
                remedy = f"recsys recommend … --out {out} --resume continues it; or remove the folder"
                yield Finding("leftovers", str(path), found, "note", remedy)
                yield from _leftovers(path, repair)


def _repaired(folder: Path) -> Iterator[Finding]:
    """Remove or restore what killed processes left, by taking the lock of each file or folder that it belongs to."""
    left = atomic.leftovers(folder)
    for target in sorted({target for path in left if (target := atomic.target_of(path)) is not None}):
        was_there = target.exists()
        try:
            with atomic.lock(target, wait=0):
                pass
        except InputError as error:
            yield Finding("leftovers", str(target), _reason(error, target), "problem", "make the folder writable")
            continue
        if target.exists() and not was_there:
            yield Finding("leftovers", str(target), "restored: a process was killed while it replaced it")
    for path in left:
        if not path.exists():
            yield Finding("leftovers", str(path), "removed: it was left by a killed process")


# ── words ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _size(path: Path) -> int:
    """Bytes of a file, or of all files below a folder; what cannot be read counts as nothing."""
    total = 0
    for file in (path, *path.rglob("*")) if path.is_dir() else (path,):
        try:
            total += 0 if file.is_dir() else file.lstat().st_size
        except OSError:
            continue
    return total


def _bytes(size: float) -> str:
    for unit, of_unit in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= of_unit:
            return f"{size / of_unit:,.1f} {unit}"
    return f"{size:,.0f} bytes"


def _reason(error: Exception, path: Path) -> str:
    """The message of an error in one line, without the path, which has a column of its own."""
    return " ".join(str(error).split()).removeprefix(f"{path}: ")
