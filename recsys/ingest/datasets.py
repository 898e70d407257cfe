"""Named datasets: where each comes from, its checksum, how it is unpacked. It must not know what the files say.

    fetch("ml-100k")  →  data/raw/ml-100k/u.data, u.item, …, SOURCE.json

A dataset is there or it is not: every check is made before a folder gets its final name.
"""

from __future__ import annotations

import contextlib
import difflib
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
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from recsys.errors import InputError, Unavailable

try:
    import fcntl
except ImportError:  # Windows: two processes may both download; the checksum still guards the result
    fcntl = None  # type: ignore[assignment]

GROUPLENS = "https://files.grouplens.org/datasets/movielens"

Progress = Callable[[int, int | None], None]  # bytes done, bytes in all (None: the server does not say)
Notice = Callable[[str], None]  # one line for a person

_SOURCE_FILE = "SOURCE.json"
_PIP_TIMEOUT = 180.0  # seconds; the wheel is 2 MB, the rest is pip asking every index the user has set
_BREAKS = 4  # attempts to resume a download that bring no new byte, before the run gives up
_BLOCK = 1 << 18
_MAX_RATIO, _MAX_BYTES = 20, 4 << 30  # the published zips unpack to 3–5 times their size, 1.2 GB at most
_TEXT = {".csv", ".dat", ".txt", ".html"}  # data and read-me files; the scripts some zips carry are left out


@dataclass(frozen=True)
class WheelSource:
    """A wheel on the Python package index that ships a dataset: fetched by pip, so the user's index settings hold."""

    requirement: str  # name==version
    folder: str  # inside the wheel
    files: Mapping[str, str] = field(hash=False)  # file name → checksum


@dataclass(frozen=True)
class Dataset:
    """One published dataset. Counts are for display: users with a rating, movies listed (not all are rated)."""

    name: str
    needed: tuple[str, ...]  # files without which it cannot be read
    checksum: str  # of NAME.zip: "sha256:…" or "md5:…"
    n_ratings: int
    n_users: int
    n_movies: int
    size: int | None = None  # of NAME.zip, bytes
    rating_scale: tuple[float, float] = (0.5, 5.0)
    optional: tuple[str, ...] = ()  # files worth keeping that `_TEXT` does not cover
    folder: str = ""  # top folder inside the zip, when it is not the name
    readme: str = "README.html"  # as published next to the zip, NAME-README.html
    fallbacks: tuple[WheelSource, ...] = field(default=(), repr=False)

    @property
    def url(self) -> str:
        """Where GroupLens publishes the zip."""
        return f"{GROUPLENS}/{self.name}.zip"

    @property
    def notice(self) -> str:
        """The licence in one line, to be shown when the dataset first lands on a machine."""
        return (
            f"{self.name} is GroupLens data (University of Minnesota): for research; no commercial use without "
            f"permission, and the terms restrict redistribution. Read and cite: {GROUPLENS}/{self.name}-{self.readme}"
        )


_CSV = ("ratings.csv", "movies.csv")
_DAT = ("ratings.dat", "movies.dat")
# After its header line, ml-100k.inter is the published u.data byte for byte; a test says so.
_RECBOLE = WheelSource(
    "recbole==1.2.1",
    "recbole/dataset_example/ml-100k",
    {
        "ml-100k.inter": "sha256:4edb74e2a81178c2ba9ff381495f754f996c4aea351b1272ca36b43da0935eff",
        "ml-100k.item": "sha256:51d7cdf777ce5c0f5b32c1d947a4a81fe07d75e78abbe761e0cd4d0756064532",
        "ml-100k.user": "sha256:4f670007d9cfbeb9807e757209af1555b9bcc186bde25e767f67cb67c6dd5972",
    },
)

# Each sha256 below is pinned by at least two unrelated public projects: among them tensorflow/datasets,
# url_checksums/movielens.txt (100k, latest-small, 1m, 20m, 25m, with sizes), OmniRec's loaders (10m, 20m, 25m,
# latest-small) and several research repositories (32m). The md5 that GroupLens publishes beside the zip is quoted with
# it for 100k, 1m, 10m, 20m and 25m; for 32m md5 and sha256 are each given with the same 238,950,008 bytes.
# GroupLens calls latest-small a development set that may change; it has not since 2018-09-26. If it does, a checksum
# error is right: numbers taken on the old one would no longer hold. A table is easier to check unformatted:
# fmt: off
DATASETS: dict[str, Dataset] = {d.name: d for d in (
    Dataset("ml-100k", needed=("u.data", "u.item"), optional=("u.user", "u.genre", "u.occupation", "u.info"),
            checksum="sha256:50d2a982c66986937beb9ffb3aa76efe955bf3d5c6b761f4e3a7cd717c6a3229", size=4_924_029,
            n_ratings=100_000, n_users=943, n_movies=1_682, rating_scale=(1.0, 5.0), readme="README.txt",
            fallbacks=(_RECBOLE,)),
    Dataset("ml-latest-small", needed=_CSV,
            checksum="sha256:696d65a3dfceac7c45750ad32df2c259311949efec81f0f144fdfb91ebc9e436", size=978_202,
            n_ratings=100_836, n_users=610, n_movies=9_742),
    Dataset("ml-1m", needed=_DAT,
            checksum="sha256:a6898adb50b9ca05aa231689da44c217cb524e7ebd39d264c56e2832f2c54e20", size=5_917_549,
            n_ratings=1_000_209, n_users=6_040, n_movies=3_883, rating_scale=(1.0, 5.0), readme="README.txt"),
    Dataset("ml-10m", needed=_DAT, folder="ml-10M100K",
            checksum="sha256:813c411ccb6122564edfe752e7f80c4dcc5aa25fa94c93622f6877a7ba252862", size=65_566_137,
            n_ratings=10_000_054, n_users=69_878, n_movies=10_681),
    Dataset("ml-20m", needed=_CSV,
            checksum="sha256:96f243c338a8665f6bcc89c53edf6ee39162a846940de6b7c8c48aeada765ff3", size=198_702_078,
            n_ratings=20_000_263, n_users=138_493, n_movies=27_278),
    Dataset("ml-25m", needed=_CSV,
            checksum="sha256:8b21cfb7eb1706b4ec0aac894368d90acf26ebdfb6aced3ebd4ad5bd1eb9c6aa", size=261_978_986,
            n_ratings=25_000_095, n_users=162_541, n_movies=62_423),
    Dataset("ml-32m", needed=_CSV,
            checksum="sha256:e4a68655d7386b8f95f2f2424b2ff975dfdd15ffd59e0d864a14dca43e99d6ee", size=238_950_008,
            n_ratings=32_000_204, n_users=200_948, n_movies=87_585),
)}
# fmt: on


def data_root() -> Path:
    """The folder that holds raw/, prepared/ and models/: `RECSYS_DATA`, or `data` under the current directory."""
    return Path(os.environ.get("RECSYS_DATA") or "data").expanduser()


def dataset(name: str) -> Dataset:
    """The dataset of that name. Raises InputError with the names there are, and the nearest."""
    if name in DATASETS:
        return DATASETS[name]
    near = difflib.get_close_matches(name.lower(), DATASETS, n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    raise InputError(f"unknown dataset {name!r}{hint} (known: {', '.join(DATASETS)})")


def fetch(
    name: str,
    root: Path | None = None,
    *,
    on_progress: Progress | None = None,
    on_notice: Notice | None = None,
    base_url: str | None = None,
    connect_timeout: float = 5.0,
) -> Path:
    """The folder `root/raw/NAME` with the files of a dataset as published; what is already there is not fetched again.

    Sources, in this order: `root/raw/NAME.zip` if someone put it there; GroupLens, or the mirror that `base_url` or
    the environment variable `RECSYS_MIRROR` names; then the dataset's own fallbacks, if GroupLens does not answer.
    A download that was interrupted is kept as `NAME.zip.part` and resumed, by this call or the next.

    root: None means `data_root()`. on_progress(done, total): bytes. on_notice(line): the licence, once, and whatever
    else a person should know. connect_timeout: seconds of silence after which a server counts as gone.

    Raises InputError (unknown name, a zip or folder that cannot be used, a disk that cannot be written) and
    Unavailable (no source could be had, or one sent something else than what was published).
    """
    wanted = dataset(name)
    raw = (data_root() if root is None else Path(root)) / "raw"
    folder = raw / name
    notify: Notice = on_notice or (lambda line: None)
    try:
        if _complete(wanted, folder):
            return folder
        # A folder of ours that lost a file is replaced; anything else may be someone's work and is left alone.
        if folder.exists() and not (folder / _SOURCE_FILE).exists() and any(folder.iterdir()):
            raise InputError(
                f"{folder} was not put there by a fetch (it has no {_SOURCE_FILE}): "
                f"use it by its path, or move it away to fetch {name}"
            )
        raw.mkdir(parents=True, exist_ok=True)
        with _only_one(raw, name, notify):
            if not _complete(wanted, folder):  # another process may have finished while we waited
                base = base_url or os.environ.get("RECSYS_MIRROR") or GROUPLENS
                _obtain(wanted, folder, base.rstrip("/"), connect_timeout, on_progress, notify)
                notify(wanted.notice)
    except OSError as error:  # the network's errors never get here: what is left is the disk
        where = error.filename or folder
        raise InputError(f"cannot store {name} at {where}: {error.strerror or error}") from error
    return folder


class _Failed(Exception):
    """A source could not be had; the message is the short reason. The next source may be tried."""


class _Broken(Exception):
    """The connection broke in the middle; what came is kept and can be resumed."""


class _StartOver(Exception):
    """What was kept cannot be continued from."""


def _obtain(
    wanted: Dataset,
    folder: Path,
    base: str,
    connect_timeout: float,
    on_progress: Progress | None,
    notify: Notice,
) -> None:
    """Try one source after the other until the folder is there; raise Unavailable with all the reasons."""
    # Two names, two owners: NAME.zip is only ever a person's and stays, NAME.zip.part is only ever ours and goes.
    archive, part = folder.with_name(f"{wanted.name}.zip"), folder.with_name(f"{wanted.name}.zip.part")
    url = f"{base}/{wanted.name}.zip"
    if archive.exists():
        if (got := _checksum(archive, wanted.checksum)) != wanted.checksum:
            raise InputError(
                f"{archive} is not the published file: its checksum is {got}, not {wanted.checksum}; "
                f"delete it, or put there the one from {wanted.url}"
            )
        _unpack(wanted, archive, folder, source="zip placed by hand")
        return
    tried: list[str] = []
    try:
        _download(wanted, url, part, connect_timeout, on_progress)
        _unpack(wanted, part, folder, source=url)
        part.unlink()  # what it held is on disk and its checksum in SOURCE.json; keeping it would double the space
        return
    except _Failed as failure:
        tried.append(f"{url} ({failure})")
    for fallback in wanted.fallbacks:
        notify(f"{tried[-1]}: taking {wanted.name} out of {fallback.requirement} from your Python package index")
        try:
            _from_wheel(wanted, fallback, folder)
            return
        except _Failed as failure:
            tried.append(f"pip download {fallback.requirement} ({failure})")
    raise Unavailable(
        f"{wanted.name} could not be had: tried {'; '.join(tried)}. "
        f"Put {wanted.name}.zip (from {wanted.url}) at {archive.absolute()} and run this again"
    )


# ── download ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _download(wanted: Dataset, url: str, part: Path, connect_timeout: float, on_progress: Progress | None) -> None:
    """Bring the whole zip to `part`, checksum verified, resuming what an earlier attempt left there."""
    if not re.match(r"https?://[^/]", url):
        raise InputError(f"a mirror is an http:// or https:// address, not {url!r}")
    furthest, idle, may_start_over = 0, 0, True
    while True:
        held = part.stat().st_size if part.exists() else 0
        try:
            # A part of full length is from a run that was stopped while it checked or unpacked.
            whole = held > 0 and held == wanted.size
            resumed = whole or _transfer(url, part, held, wanted.size, connect_timeout, on_progress)
        except _Broken as broken:
            now = part.stat().st_size
            idle = 0 if now > furthest else idle + 1
            furthest = max(now, furthest)
            if idle > _BREAKS:
                raise _Failed(f"{broken}; the next run goes on from there") from broken
            continue
        except _StartOver:
            part.unlink(missing_ok=True)
            if not may_start_over:
                raise _Failed("the server does not let a broken download be resumed") from None
            may_start_over = False
            continue
        if (got := _checksum(part, wanted.checksum)) == wanted.checksum:
            return
        part.unlink()
        if resumed and may_start_over:  # the part may be older than the file; a whole one decides
            may_start_over = False
            continue
        raise Unavailable(
            f"{url} sent something else than the published {wanted.name}.zip: "
            f"expected {wanted.checksum}, got {got}; nothing was kept"
        )


def _transfer(url: str, part: Path, held: int, size: int | None, timeout: float, on_progress: Progress | None) -> bool:
    """One request, appended to the `held` bytes of `part`, or written from the start; True if it was appended."""
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
        if response.headers.get_content_type() == "text/html":  # the sign-in page of a hotel or a company's proxy
            raise _Failed("answered with a web page instead of a zip")
        resumed = response.status == 206
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
                    return resumed  # not the published file, perhaps without an end; the checksum will say so
            out.flush()
            os.fsync(out.fileno())
        if total is not None and done < total:
            raise _Broken(f"the connection broke after {done:,} of {total:,} bytes")
    return resumed


def _read(response: http.client.HTTPResponse, done: int) -> bytes:
    """The next block. Only the network can fail here, so that a full disk is never taken for a broken line."""
    try:
        return response.read1(_BLOCK)
    except (OSError, http.client.HTTPException) as error:
        raise _Broken(f"the connection broke after {done:,} bytes: {_reason(error)}") from error


def _reason(error: BaseException) -> str:
    inner = error.reason if isinstance(error, urllib.error.URLError) else error
    return " ".join(str(getattr(inner, "strerror", None) or inner or type(inner).__name__).split())


# ── unpack ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _unpack(wanted: Dataset, archive: Path, folder: Path, source: str) -> None:
    """The files of a verified zip, without its top folder, under `folder`; all of them or nothing."""
    try:
        with zipfile.ZipFile(archive) as bundle, _assembling(folder) as temporary:
            for info in _safe_members(wanted, bundle, archive):
                with bundle.open(info) as member, (temporary / PurePosixPath(info.filename).name).open("xb") as out:
                    shutil.copyfileobj(member, out, _BLOCK)  # zipfile stops at the declared size, which we summed
            if missing := [n for n in wanted.needed if not (temporary / n).is_file()]:
                raise InputError(f"{archive} has no {wanted.folder or wanted.name}/{missing[0]}")
            _finish(wanted, temporary, folder, source, {f"{wanted.name}.zip": wanted.checksum})
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError) as error:
        # RuntimeError: a password, or a compression this Python does not have; ValueError: a name that is not text
        raise InputError(f"{archive} is not a usable zip file: {error}") from error


def _safe_members(wanted: Dataset, bundle: zipfile.ZipFile, archive: Path) -> list[zipfile.ZipInfo]:
    """The entries to take; raises InputError if any entry, taken or not, is one that no honest dataset has."""
    taken: list[zipfile.ZipInfo] = []
    for info in bundle.infolist():
        name, kind = info.orig_filename, stat.S_IFMT(info.external_attr >> 16)
        if name.startswith("/") or ".." in name.split("/") or any(c in name for c in "\\:\0"):
            raise InputError(f"{archive} is refused: its entry {name!r} points outside the folder")
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise InputError(f"{archive} is refused: its entry {name!r} is a link or a device, not a file")
        top, _, file = name.partition("/")
        if top == (wanted.folder or wanted.name) and file and "/" not in file and _is_kept(wanted, file):
            taken.append(info)
    unpacked = sum(info.file_size for info in taken)
    if unpacked > min(_MAX_BYTES, _MAX_RATIO * archive.stat().st_size):
        raise InputError(f"{archive} is refused: it would unpack to {unpacked:,} bytes, far beyond its size")
    return taken


def _is_kept(wanted: Dataset, file: str) -> bool:
    return file in wanted.needed + wanted.optional or file == "README" or Path(file).suffix in _TEXT


def _from_wheel(wanted: Dataset, source: WheelSource, folder: Path) -> None:
    """Let pip download the wheel and take the dataset's files out of it, each by its own checksum."""
    with _assembling(folder) as temporary:
        downloads = temporary / "wheel"
        # Wheels only: pip would run a source package's own code to read its name.
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
                        raise _Failed(f"its {file} is not the one we know: expected {checksum}, got {got}")
        except (zipfile.BadZipFile, zlib.error, KeyError) as error:
            raise _Failed(f"{wheels[0].name} cannot be read: {error}") from error
        shutil.rmtree(downloads)
        _finish(wanted, temporary, folder, f"{source.requirement} from the Python package index", source.files)


# ── what is on disk ──────────────────────────────────────────────────────────────────────────────────────────────────


def _complete(wanted: Dataset, folder: Path) -> bool:
    """Whether SOURCE.json is there and every file that one of the sources must give has the size it names."""
    try:
        sizes = json.loads((folder / _SOURCE_FILE).read_bytes())["bytes"]
        there = {name for name, size in sizes.items() if (folder / name).stat().st_size == size}
    except (FileNotFoundError, NotADirectoryError, ValueError, KeyError, TypeError, AttributeError):
        return False
    return any(there.issuperset(files) for files in (wanted.needed, *(f.files for f in wanted.fallbacks)))


@contextlib.contextmanager
def _assembling(folder: Path) -> Iterator[Path]:
    """A folder of our own beside the final one, gone at the end unless it was renamed. Unlike mkdtemp's, it has the
    permissions the user's umask asks for."""
    temporary = folder.with_name(f".{folder.name}-{secrets.token_hex(4)}.tmp")
    temporary.mkdir()
    try:
        yield temporary
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _finish(wanted: Dataset, temporary: Path, folder: Path, source: str, checksums: Mapping[str, str]) -> None:
    """Write SOURCE.json and give the folder its name: from here on it is complete."""
    sizes = {file.name: file.stat().st_size for file in sorted(temporary.iterdir())}
    record = {"dataset": wanted.name, "source": source, "checksums": dict(checksums), "bytes": sizes}
    (temporary / _SOURCE_FILE).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    if folder.exists() and not _complete(wanted, folder):
        shutil.rmtree(folder)  # ours and damaged, or empty: `fetch` has looked
    try:
        temporary.rename(folder)
    except OSError:
        if not _complete(wanted, folder):  # complete: another process was first, with the same files
            raise


@contextlib.contextmanager
def _only_one(raw: Path, name: str, notify: Notice) -> Iterator[None]:
    """One process at a time fetches a dataset; the others wait here and then find it done."""
    if fcntl is None:
        yield
        return
    with (raw / f".{name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            notify(f"another process is fetching {name}; waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        for stale in raw.glob(f".{name}-*.tmp"):  # we hold the lock, so these are of a run that was killed
            shutil.rmtree(stale, ignore_errors=True)
        yield


def _checksum(file: Path, like: str) -> str:
    """The checksum of a file by the method that `like` names: "sha256:…" or "md5:…"."""
    method = like.partition(":")[0]
    with file.open("rb") as handle:
        return f"{method}:{hashlib.file_digest(handle, method).hexdigest()}"
