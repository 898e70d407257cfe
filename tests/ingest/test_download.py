"""Downloads against a local HTTP server, real zip files and real pip: what is stored, and what must not be."""

from __future__ import annotations

import contextlib
import dataclasses
import gzip
import hashlib
import http.server
import io
import itertools
import json
import os
import random
import re
import stat
import threading
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from recsys.errors import InputError, Unavailable
from recsys.ingest import datasets
from recsys.ingest.datasets import DATASETS, PublishedDataset, WheelSource
from recsys.ingest.download import fetch

U_DATA_SHA256 = "06416e597f82b7342361e41163890c81036900f418ad91315590814211dca490"  # pinned by many public projects


# ── a server that can be made to fail ────────────────────────────────────────────────────────────────────────────────


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.requests: list[tuple[str, str | None]] = []  # path, Range header
        self.body_bytes: list[int] = []  # sent, one number per request
        self.break_after: list[int] = []  # body bytes after which the next responses break off
        self.stall = False  # a broken response keeps the connection open and silent instead of closing it
        self.ignore_range = False
        self.status = 200
        self.content_type = "application/zip"
        self.hang_before_header = False
        self.answers: list[bytes] = []  # sent as they are, instead of an answer of this server; the last is repeated
        self.endless = b""  # sent after such an answer until the client hangs up
        self.release = threading.Event()  # releases all hanging requests

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/movielens"


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        server, asked = self.server, self.headers.get("Range")
        server.requests.append((self.path, asked))
        if server.hang_before_header:
            server.release.wait(60)
        if server.answers:
            self.wfile.write(server.answers.pop(0) if len(server.answers) > 1 else server.answers[0])
            with contextlib.suppress(ConnectionError):
                while server.endless:
                    self.wfile.write(server.endless)
            return
        body = server.files.get(self.path.rpartition("/")[2])
        if body is None or server.status != 200:
            self.send_error(404 if body is None else server.status)
            return
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked and not server.ignore_range else 0
        if start and start >= len(body):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        self.send_header("Content-Type", server.content_type)
        self.send_header("Content-Length", str(len(body) - start))
        self.end_headers()
        sent = body[start:][: server.break_after.pop(0) if server.break_after else None]
        server.body_bytes.append(len(sent))
        self.wfile.write(sent)
        self.wfile.flush()
        if server.stall and len(sent) < len(body) - start:
            server.release.wait(60)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "*")
    running = Server()
    threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield running
    running.release.set()
    running.shutdown()
    running.server_close()


@pytest.fixture
def dead_url(server: Server) -> str:
    """An address where no server listens: its port was just released."""
    gone = Server()
    gone.server_close()
    return gone.url


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("RECSYS_MIRROR", raising=False)
    monkeypatch.delenv("RECSYS_DATA", raising=False)
    monkeypatch.chdir(tmp_path)


# ── zips laid out like the published ones ────────────────────────────────────────────────────────────────────────────


def noise(lines: int) -> str:
    """Rows that compress as badly as ratings do."""
    rng = random.Random(42)
    return "".join(f"{rng.getrandbits(64)}\t{rng.getrandbits(64)}\n" for _ in range(lines))


FILES = {
    "ml-100k": {
        "README": "read me",
        "u.data": noise(3000),
        "u.item": noise(20),
        "u.user": noise(9),
        "mku.sh": "rm -rf",
    },
    "ml-1m": {"README": "read me", "ratings.dat": noise(3000), "movies.dat": noise(20), "users.dat": noise(9)},
    "ml-10m": {"README.html": "<p>", "ratings.dat": noise(3000), "movies.dat": noise(20), "split_ratings.sh": "rm -rf"},
    "ml-latest-small": {"README.txt": "r", "ratings.csv": noise(3000), "movies.csv": noise(20), "tags.csv": noise(9)},
}


def zip_of(files: Mapping[str, str | bytes], top: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as bundle:
        bundle.writestr(f"{top}/", b"")
        for name, content in files.items():
            bundle.writestr(f"{top}/{name}", content)
        bundle.writestr(f"{top}/nested/deep.csv", b"not taken")
        bundle.writestr("stray.csv", b"not taken")
    return out.getvalue()


def sha256(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


Publish = Callable[..., bytes]


@pytest.fixture
def publish(server: Server, monkeypatch: pytest.MonkeyPatch) -> Publish:
    """Publish a zip under a dataset's name on the server, and replace the published checksum by its own."""

    def put(name: str = "ml-1m", content: bytes | None = None) -> bytes:
        known = DATASETS[name]
        content = content or zip_of(FILES[name], known.folder or name)
        changed = dataclasses.replace(known, checksum=sha256(content), size=len(content), fallbacks=())
        monkeypatch.setitem(DATASETS, name, changed)
        server.files[f"{name}.zip"] = content
        return content

    return put


def visible(folder: Path) -> list[str]:
    """The names in a folder, none if there is no such folder: one that stays empty is removed."""
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def one_line(error: pytest.ExceptionInfo[BaseException]) -> str:
    text = str(error.value)
    assert "\n" not in text
    return text


# ── successful downloads ─────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", FILES)
def test_plain_download_gives_the_published_files(name: str, server: Server, publish: Publish, tmp_path: Path) -> None:
    content = publish(name)
    steps: list[tuple[int, int | None]] = []
    folder = fetch(name, tmp_path, base_url=server.url, on_progress=lambda done, total: steps.append((done, total)))
    assert folder == tmp_path / "raw" / name
    assert visible(folder) == sorted(["SOURCE.json", *(f for f in FILES[name] if not f.endswith(".sh"))])
    for needed in DATASETS[name].needed:
        assert (folder / needed).read_text() == FILES[name][needed]
    assert visible(tmp_path / "raw") == [name]  # neither zip nor part nor temporary folder
    assert steps[-1] == (len(content), len(content))
    assert [done for done, _ in steps] == sorted({done for done, _ in steps})
    record = json.loads((folder / "SOURCE.json").read_text())
    assert record["source"] == f"{server.url}/{name}.zip"
    assert record["checksums"] == {f"{name}.zip": sha256(content)}


def test_a_second_fetch_uses_no_network_and_is_silent(server: Server, publish: Publish, tmp_path: Path) -> None:
    publish()
    first: list[str] = []
    second: list[str] = []
    fetch("ml-1m", tmp_path, base_url=server.url, on_notice=first.append)
    fetch("ml-1m", tmp_path, base_url=server.url, on_notice=second.append)
    assert len(server.requests) == 1
    assert len(first) == 1  # the licence, once
    assert "ml-1m-README.txt" in first[0]
    assert "\n" not in first[0]
    assert second == []
    assert [path.name for path in (tmp_path / "raw").iterdir()] == [
        "ml-1m"
    ]  # nothing is written either: the disk may be read-only


def test_recsys_data_and_recsys_mirror_are_used(
    server: Server, publish: Publish, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish()
    assert datasets.data_root() == Path("data")
    monkeypatch.setenv("RECSYS_DATA", "~/movies")
    assert datasets.data_root() == Path.home() / "movies"
    monkeypatch.setenv("RECSYS_DATA", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("RECSYS_MIRROR", server.url + "/")
    assert fetch("ml-1m") == tmp_path / "elsewhere" / "raw" / "ml-1m"
    assert server.requests == [("/movielens/ml-1m.zip", None)]


def test_zip_placed_by_hand_is_used_without_network_and_stays(publish: Publish, dead_url: str, tmp_path: Path) -> None:
    content = publish()
    placed = tmp_path / "raw" / "ml-1m.zip"
    placed.parent.mkdir()
    placed.write_bytes(content)
    folder = fetch("ml-1m", tmp_path, base_url=dead_url)
    assert (folder / "ratings.dat").read_text() == FILES["ml-1m"]["ratings.dat"]
    assert placed.read_bytes() == content


def test_folder_that_lost_a_file_is_fetched_again(server: Server, publish: Publish, tmp_path: Path) -> None:
    publish()
    folder = fetch("ml-1m", tmp_path, base_url=server.url)
    (folder / "movies.dat").write_text("cut")
    fetch("ml-1m", tmp_path, base_url=server.url)
    assert (folder / "movies.dat").read_text() == FILES["ml-1m"]["movies.dat"]
    assert visible(tmp_path / "raw") == ["ml-1m"]


@pytest.mark.parametrize("damage", ["foreign file", "not a record", "of another dataset", "deep", "a link"])
def test_a_folder_with_anything_else_is_not_replaced(
    damage: str, server: Server, publish: Publish, tmp_path: Path
) -> None:
    publish()
    folder = fetch("ml-1m", tmp_path, base_url=server.url)
    (folder / "movies.dat").unlink()
    record = folder / "SOURCE.json"
    if damage == "foreign file":
        (folder / "thesis.docx").write_text("years of work")
    elif damage == "not a record":
        record.write_text("{}")
    elif damage == "of another dataset":
        record.write_text(record.read_text().replace('"ml-1m"', '"ml-20m"'))
    elif damage == "deep":
        record.write_text("[" * 100_000)
    else:
        folder.rename(tmp_path / "elsewhere")
        folder.symlink_to(tmp_path / "elsewhere")
    held = sorted(folder.iterdir())
    with pytest.raises(InputError) as error:
        fetch("ml-1m", tmp_path, base_url=server.url)
    assert str(folder) in one_line(error)
    assert sorted(folder.iterdir()) == held


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        *itertools.product(("fifo", "folder", "link"), ("ml-1m.zip", "ml-1m.zip.part", "ml-1m")),
        ("folder", ".ml-1m.recsys-lock"),
        ("link", ".ml-1m.recsys-lock"),
    ],
)
def test_what_is_no_file_is_one_line(kind: str, name: str, server: Server, publish: Publish, tmp_path: Path) -> None:
    publish()
    in_the_way, other = tmp_path / "raw" / name, tmp_path / "other"
    in_the_way.parent.mkdir()
    other.write_text("mine")
    if kind == "fifo":
        os.mkfifo(in_the_way)
    elif kind == "folder":
        (in_the_way / "mine").mkdir(parents=True)
    else:
        in_the_way.symlink_to(other)
    with pytest.raises(InputError) as error:
        fetch("ml-1m", tmp_path, base_url=server.url)
    assert str(in_the_way.parent) in one_line(error)
    assert other.read_text() == "mine"


def test_everything_is_on_the_disk_before_it_is_renamed_or_deleted(
    server: Server, publish: Publish, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish()
    done: list[tuple[str, str]] = []
    fsync, rename, unlink = os.fsync, Path.rename, Path.unlink

    def spy_fsync(descriptor: int) -> None:
        done.append(("flush", str(Path(f"/proc/self/fd/{descriptor}").readlink())))
        fsync(descriptor)

    def spy_rename(path: Path, to: Path) -> Path:
        done.append(("rename", str(path)))
        return rename(path, to)

    def spy_unlink(path: Path, missing_ok: bool = False) -> None:
        done.append(("delete", str(path)))
        unlink(path, missing_ok)

    monkeypatch.setattr(os, "fsync", spy_fsync)
    monkeypatch.setattr(Path, "rename", spy_rename)
    monkeypatch.setattr(Path, "unlink", spy_unlink)
    folder = fetch("ml-1m", tmp_path, base_url=server.url)
    (at,) = (number for number, (what, _) in enumerate(done) if what == "rename")
    temporary = done[at][1]
    flushed = {path for what, path in done[:at] if what == "flush"}
    assert flushed >= {temporary, *(f"{temporary}/{file.name}" for file in folder.iterdir())}
    after = done[at + 1 :]
    deleted = after.index(("delete", str(folder.with_name("ml-1m.zip.part"))))
    assert ("flush", str(folder.parent)) in after[:deleted]


def test_leftovers_of_killed_runs_are_removed(server: Server, publish: Publish, tmp_path: Path) -> None:
    publish()
    raw = tmp_path / "raw"
    for complete in (False, True):  # True: killed after the rename
        (raw / ".ml-1m.123-0123abcd.recsys-tmp").mkdir(parents=True)
        (raw / ".ml-1m.123-0123abcd.recsys-tmp" / "ratings.dat").write_text("half")
        (raw / "ml-1m.zip.part").write_text("half")
        fetch("ml-1m", tmp_path, base_url=server.url)
        assert visible(raw) == ["ml-1m"], complete


def test_two_processes_download_once(server: Server, publish: Publish, tmp_path: Path) -> None:
    publish()
    server.hang_before_header = True  # keeps the first waiting until the second reports that it waits
    results: list[Path] = []

    def run() -> None:
        results.append(fetch("ml-1m", tmp_path, base_url=server.url, connect_timeout=30, on_notice=listen))

    def listen(line: str) -> None:
        if "waiting" in line:
            server.release.set()

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert results == [tmp_path / "raw" / "ml-1m"] * 2
    assert len(server.requests) == 1


# ── broken downloads ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("stall", [False, True], ids=["closed", "silent"])
def test_broken_download_fetches_only_the_rest(stall: bool, server: Server, publish: Publish, tmp_path: Path) -> None:
    content = publish()
    server.break_after, server.stall = [10_000, 5_000], stall
    folder = fetch("ml-1m", tmp_path, base_url=server.url, connect_timeout=0.5)
    assert [asked for _, asked in server.requests] == [None, "bytes=10000-", "bytes=15000-"]
    assert server.body_bytes == [10_000, 5_000, len(content) - 15_000]
    assert (folder / "ratings.dat").read_text() == FILES["ml-1m"]["ratings.dat"]


def test_interrupted_run_is_resumed_by_the_next(server: Server, publish: Publish, tmp_path: Path) -> None:
    content = publish()
    server.break_after = [10_000]

    def interrupt(done: int, total: int | None) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch("ml-1m", tmp_path, base_url=server.url, on_progress=interrupt)
    assert visible(tmp_path / "raw") == ["ml-1m.zip.part"]
    held = (tmp_path / "raw" / "ml-1m.zip.part").stat().st_size
    assert 0 < held <= 10_000
    fetch("ml-1m", tmp_path, base_url=server.url)
    assert server.requests[1][1] == f"bytes={held}-"
    assert server.body_bytes[1] == len(content) - held


def test_whole_part_of_a_stopped_run_needs_no_network(publish: Publish, dead_url: str, tmp_path: Path) -> None:
    content = publish()
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "ml-1m.zip.part").write_bytes(content)
    assert (fetch("ml-1m", tmp_path, base_url=dead_url) / "ratings.dat").exists()
    assert visible(tmp_path / "raw") == ["ml-1m"]


def test_server_without_ranges_is_read_from_the_start(server: Server, publish: Publish, tmp_path: Path) -> None:
    content = publish()
    server.break_after, server.ignore_range = [10_000], True
    fetch("ml-1m", tmp_path, base_url=server.url)
    assert server.body_bytes == [10_000, len(content)]


@pytest.mark.parametrize("stale", [b"x" * 1000, b"x" * 1_000_000], ids=["other bytes", "longer than the file: 416"])
def test_part_that_does_not_match_is_discarded_once(
    stale: bytes, server: Server, publish: Publish, tmp_path: Path
) -> None:
    content = publish()
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "ml-1m.zip.part").write_bytes(stale)
    folder = fetch("ml-1m", tmp_path, base_url=server.url)
    assert [asked for _, asked in server.requests] == [f"bytes={len(stale)}-", None]
    assert server.body_bytes[-1] == len(content)
    assert (folder / "ratings.dat").read_text() == FILES["ml-1m"]["ratings.dat"]


def test_connection_that_always_breaks_gives_up_and_keeps_the_part(
    server: Server, publish: Publish, tmp_path: Path
) -> None:
    publish()
    server.break_after = [10_000] + [0] * 50
    with pytest.raises(Unavailable) as error:
        fetch("ml-1m", tmp_path, base_url=server.url)
    assert "10,000" in one_line(error)
    assert len(server.requests) < 10
    assert (tmp_path / "raw" / "ml-1m.zip.part").stat().st_size == 10_000


# ── what must not be stored ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("longer", [0, 500_000])
def test_wrong_content_is_not_kept(longer: int, server: Server, publish: Publish, tmp_path: Path) -> None:
    content = publish()
    wrong = b"x" * (len(content) + longer)
    server.files["ml-1m.zip"] = wrong
    with pytest.raises(Unavailable) as error:
        fetch("ml-1m", tmp_path, base_url=server.url)
    assert sha256(content) in one_line(error)
    assert re.search(r"got sha256:[0-9a-f]{64}", str(error.value))
    assert visible(tmp_path / "raw") == []
    assert len(server.requests) == 1


def test_wrong_zip_placed_by_hand_is_named_and_kept(server: Server, publish: Publish, tmp_path: Path) -> None:
    publish()
    placed = tmp_path / "raw" / "ml-1m.zip"
    placed.parent.mkdir()
    placed.write_bytes(b"half a zip")
    with pytest.raises(InputError, match="not the published file") as error:
        fetch("ml-1m", tmp_path, base_url=server.url)
    assert str(placed) in one_line(error)
    assert visible(placed.parent) == ["ml-1m.zip"]
    assert server.requests == []


@pytest.mark.parametrize(
    "entry", ["../evil.txt", "ABSOLUTE", "ml-1m/../../evil.txt", "C:evil.txt", "ml-1m\\..\\..\\evil.txt", "SYMLINK"]
)
def test_entries_that_leave_the_folder_are_refused(
    entry: str, server: Server, publish: Publish, tmp_path: Path
) -> None:
    outside, root = tmp_path / "outside", tmp_path / "data"
    outside.mkdir()
    out = io.BytesIO(zip_of(FILES["ml-1m"], "ml-1m"))
    with zipfile.ZipFile(out, "a") as bundle:
        if entry == "SYMLINK":
            link = zipfile.ZipInfo("ml-1m/evil.txt")
            link.create_system, link.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
            bundle.writestr(link, str(outside))
        else:
            bundle.writestr(str(outside / "evil.txt") if entry == "ABSOLUTE" else entry, b"evil")
    publish(content=out.getvalue())
    with pytest.raises(InputError, match="refused") as error:
        fetch("ml-1m", root, base_url=server.url)
    one_line(error)
    assert not (root / "raw" / "ml-1m").exists()
    assert not [path for path in tmp_path.rglob("*") if "evil" in path.name or path.name.endswith(".tmp")]


def test_zip_bomb_is_refused(server: Server, publish: Publish, tmp_path: Path) -> None:
    bomb = zip_of({"ratings.dat": b"\0" * 5_000_000, "movies.dat": b"m"}, "ml-1m")
    publish(content=bomb)
    assert len(bomb) < 20_000
    with pytest.raises(InputError, match="5,000,001 bytes"):
        fetch("ml-1m", tmp_path, base_url=server.url)
    assert not (tmp_path / "raw" / "ml-1m").exists()


def test_zip_without_the_ratings_is_refused(server: Server, publish: Publish, tmp_path: Path) -> None:
    publish(content=zip_of({"movies.dat": noise(5)}, "ml-1m"))
    with pytest.raises(InputError, match=r"no ml-1m/ratings\.dat"):
        fetch("ml-1m", tmp_path, base_url=server.url)
    assert not (tmp_path / "raw" / "ml-1m").exists()


def test_a_folder_not_made_by_fetch_is_left_unchanged(server: Server, publish: Publish, tmp_path: Path) -> None:
    publish()
    mine = tmp_path / "raw" / "ml-1m" / "ratings.dat"
    mine.parent.mkdir(parents=True)
    mine.write_text("my own")
    with pytest.raises(InputError, match=r"SOURCE\.json"):
        fetch("ml-1m", tmp_path, base_url=server.url)
    assert mine.read_text() == "my own"


# ── no source, no name, no disk ──────────────────────────────────────────────────────────────────────────────────────


def test_unknown_name_lists_the_names_and_the_most_similar() -> None:
    with pytest.raises(InputError) as error:
        fetch("ML-100")
    assert "did you mean ml-100k?" in one_line(error)
    for name in ("ml-100k", "ml-latest-small", "ml-1m", "ml-10m", "ml-20m", "ml-25m", "ml-32m"):
        assert name in str(error.value)


@pytest.mark.parametrize(
    ("trouble", "reason"),
    [
        ({"status": 503}, "HTTP 503"),
        ({"files": {}}, "HTTP 404"),
        ({"content_type": "text/html; charset=utf-8"}, "web page"),
        ({"hang_before_header": True}, "timed out"),
    ],
    ids=["503", "404", "sign-in page", "hangs"],
)
def test_failing_server_is_one_line(
    trouble: dict[str, object], reason: str, server: Server, publish: Publish, tmp_path: Path
) -> None:
    publish()
    for what, value in trouble.items():
        setattr(server, what, value)
    with pytest.raises(Unavailable, match=reason) as error:
        fetch("ml-1m", tmp_path, base_url=server.url, connect_timeout=0.2)
    one_line(error)
    assert visible(tmp_path / "raw") == []


@pytest.mark.parametrize(
    "mirror", ["/mnt/mirror", "file:///mnt/mirror", "ftp://host/x", " ", "http://", "\x1b[31m" * 999]
)
def test_mirror_must_be_a_web_address(mirror: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECSYS_MIRROR", mirror)
    with pytest.raises(InputError, match="mirror") as error:
        fetch("ml-1m", tmp_path)
    assert one_line(error).isprintable()
    assert len(str(error.value)) < 300


@pytest.mark.parametrize("host", ["[::1", "host:port", "a b", "a" * 9999], ids=["bracket", "port", "space", "long"])
def test_address_that_cannot_be_read_is_one_line(
    host: str, publish: Publish, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish()
    monkeypatch.setenv("RECSYS_MIRROR", f"http://{host}")
    with pytest.raises(Unavailable, match="cannot download ml-1m") as error:
        fetch("ml-1m", tmp_path)
    assert len(one_line(error)) < 1000


def test_no_mirror_is_an_empty_variable(monkeypatch: pytest.MonkeyPatch, publish: Publish, tmp_path: Path) -> None:
    publish()
    monkeypatch.setenv("RECSYS_MIRROR", "")
    monkeypatch.setattr("recsys.ingest.download.GROUPLENS", "http://127.0.0.1:1/movielens")
    with pytest.raises(Unavailable, match=r"tried http://127\.0\.0\.1:1/movielens/ml-1m\.zip"):
        fetch("ml-1m", tmp_path)


# ── a server that means harm ─────────────────────────────────────────────────────────────────────────────────────────

_OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/zip\r\n"
_CHUNKED = _OK + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    "length",
    ["\u00b2", "9" * 5000, "9" * 100, "-5", "x"],
    ids=["superscript", "5000 digits", "100 digits", "negative", "text"],
)
def test_nonsense_as_content_length_is_ignored(length: str, server: Server, publish: Publish, tmp_path: Path) -> None:
    content = publish()
    server.answers = [_OK + f"Content-Length: {length}\r\n\r\n".encode("latin-1") + content]
    assert (fetch("ml-1m", tmp_path, base_url=server.url) / "ratings.dat").exists()


@pytest.mark.parametrize(
    "to", ["file:///etc/passwd", "ftp://127.0.0.1:1/ml-1m.zip", "data:text/plain,x", "http://[::1"]
)
def test_redirect_elsewhere_is_not_followed(to: str, server: Server, publish: Publish, tmp_path: Path) -> None:
    publish()
    server.answers = [f"HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n".encode()]
    with pytest.raises(Unavailable, match=r"not allowed|unknown url type|Invalid IPv6") as error:
        fetch("ml-1m", tmp_path, base_url=server.url)
    one_line(error)
    assert visible(tmp_path / "raw") == []


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 302 Found\r\nLocation: /movielens/ml-1m.zip\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 404 \x1b[31m" + b"a" * 60_000 + b"\r\nContent-Length: 0\r\n\r\n",
        b"\x1b]0;title\x07" * 999,
        b"",
        _CHUNKED + b"-5\r\nabcde\r\n0\r\n\r\n",
        _CHUNKED + b"f" * 100_000,
    ],
    ids=["redirects in a circle", "long reason", "no HTTP", "nothing", "negative chunk", "endless chunk header"],
)
def test_broken_protocol_is_one_printable_line(answer: bytes, server: Server, publish: Publish, tmp_path: Path) -> None:
    publish()
    server.answers = [answer]
    with pytest.raises(Unavailable) as error:
        fetch("ml-1m", tmp_path, base_url=server.url)
    assert one_line(error).isprintable()
    assert len(str(error.value)) < 1000
    assert len(server.requests) < 12


@pytest.mark.parametrize("encoding", ["gzip", "identity"])
def test_bomb_in_a_content_encoding_is_not_unpacked(
    encoding: str, server: Server, publish: Publish, tmp_path: Path
) -> None:
    publish()
    bomb = gzip.compress(bytes(10_000_000))
    server.answers = [_OK + f"Content-Encoding: {encoding}\r\nContent-Length: {len(bomb)}\r\n\r\n".encode() + bomb]
    with pytest.raises(Unavailable, match=f"got {sha256(bomb)}"):  # what was sent, not what it unpacks to
        fetch("ml-1m", tmp_path, base_url=server.url)


@pytest.mark.parametrize(
    ("answer", "endless"),
    [
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (_OK + b"\r\n", b""),
        (b"HTTP/1.1 302 Found\r\nLocation: /movielens/other\r\n\r\n", b"x" * 65_536),
    ],
    ids=["provisional answers", "a byte at a time", "body of a redirect"],
)
def test_answer_without_end_is_given_up(
    answer: bytes, endless: bytes, server: Server, publish: Publish, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish()
    monkeypatch.setattr("recsys.ingest.download._PATIENCE", 0.3)
    server.answers, server.endless = [answer], endless or _Drip(b"x")
    with pytest.raises(Unavailable, match=r"less than 65,536 bytes|infinite loop"):
        fetch("ml-1m", tmp_path, base_url=server.url, connect_timeout=5)


class _Drip(bytes):
    """A byte that takes a while to send."""

    def __bool__(self) -> bool:
        time.sleep(0.05)
        return True


def test_one_byte_per_connection_is_given_up(server: Server, publish: Publish, tmp_path: Path) -> None:
    publish()
    server.break_after = [1] * 100_000
    with pytest.raises(Unavailable, match="run this again to resume"):
        fetch("ml-1m", tmp_path, base_url=server.url)
    assert len(server.requests) < 10


def test_body_without_end_stops_at_the_published_size(server: Server, publish: Publish, tmp_path: Path) -> None:
    content = publish()
    server.answers, server.endless = [_CHUNKED], b"10000\r\n" + b"x" * 65_536 + b"\r\n"
    with pytest.raises(Unavailable, match="is not the published"):
        fetch("ml-1m", tmp_path, base_url=server.url)
    assert visible(tmp_path / "raw") == []
    server.answers = [_CHUNKED + b"%x\r\n" % len(content) + content + b"\r\n0\r\n"]
    server.endless = b"Trailer: without end\r\n"  # the file is whole: what follows is not read
    assert (fetch("ml-1m", tmp_path, base_url=server.url) / "ratings.dat").exists()


@pytest.mark.parametrize(
    ("content_range", "body"),
    [("bytes 5-62287/62288", b"x" * 99), ("\x1b\xff", b"x" * 99), ("bytes 1000-9/9", b"x" * 10), ("", b"")],
)
def test_wrong_range_starts_over_once(
    content_range: str, body: bytes, server: Server, publish: Publish, tmp_path: Path
) -> None:
    content = publish()
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "ml-1m.zip.part").write_bytes(b"of an older file".ljust(1000))
    partial = f"HTTP/1.1 206 Partial\r\nContent-Range: {content_range}\r\nContent-Length: {len(body)}\r\n\r\n"
    server.answers = [partial.encode("latin-1") + body, _OK + b"Content-Length: %d\r\n\r\n" % len(content) + content]
    folder = fetch("ml-1m", tmp_path, base_url=server.url)
    assert (folder / "ratings.dat").read_text() == FILES["ml-1m"]["ratings.dat"]


@pytest.fixture
def no_index(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Real pip with an empty folder as its only source."""
    links = tmp_path / "links"
    links.mkdir()
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(links))
    return links


def test_offline_error_names_every_source_and_where_to_place_the_file(
    no_index: Path, dead_url: str, tmp_path: Path
) -> None:
    notices: list[str] = []
    with pytest.raises(Unavailable) as error:
        fetch("ml-100k", Path("relative"), base_url=dead_url, on_notice=notices.append)
    text = one_line(error)
    for part in (
        f"{dead_url}/ml-100k.zip (Connection refused)",
        "recbole==1.2.1",
        "No matching distribution",
        "https://files.grouplens.org/datasets/movielens/ml-100k.zip",
        str(tmp_path / "relative" / "raw" / "ml-100k.zip"),
    ):
        assert part in text
    assert len(notices) == 1  # that the fallback is tried; no licence for a failed download
    assert "recbole==1.2.1" in notices[0]
    assert visible(tmp_path / "relative" / "raw") == []


@pytest.mark.parametrize("blocked", ["data", "data/raw", "data/raw/ml-1m"])
def test_file_where_a_folder_should_be_is_one_line(
    blocked: str, server: Server, publish: Publish, tmp_path: Path
) -> None:
    publish()
    (tmp_path / blocked).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / blocked).write_text("in the way")
    with pytest.raises(InputError) as error:
        fetch("ml-1m", tmp_path / "data", base_url=server.url)
    assert str(tmp_path / "data") in one_line(error)
    assert (tmp_path / blocked).read_text() == "in the way"


# ── the fallback ─────────────────────────────────────────────────────────────────────────────────────────────────────


def toy_wheel(links: Path, content: bytes) -> None:
    with zipfile.ZipFile(links / "toydata-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("toydata/toy/ratings.inter", content)
        wheel.writestr("toydata-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: toydata\nVersion: 1.0\n")
        wheel.writestr("toydata-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr("toydata-1.0.dist-info/RECORD", "")


def toy(content: bytes) -> PublishedDataset:
    source = WheelSource("toydata==1.0", "toydata/toy", {"ratings.inter": sha256(content)})
    return PublishedDataset("toy", ("ratings.csv",), sha256(b"never"), 1, 1, 1, fallbacks=(source,))


def test_wheel_comes_from_the_users_own_index_and_is_kept(
    no_index: Path, dead_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    toy_wheel(no_index, b"1\t2\t3\n")
    monkeypatch.setitem(DATASETS, "toy", toy(b"1\t2\t3\n"))
    notices: list[str] = []
    folder = fetch("toy", tmp_path, base_url=dead_url, on_notice=notices.append)
    assert visible(folder) == ["SOURCE.json", "ratings.inter"]
    assert len(notices) == 2  # the fallback, the licence
    (no_index / "toydata-1.0-py3-none-any.whl").unlink()
    assert fetch("toy", tmp_path, base_url=dead_url, on_notice=notices.append) == folder
    assert len(notices) == 2


def test_wheel_with_other_content_is_refused(
    no_index: Path, dead_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    toy_wheel(no_index, b"1\t2\t4\n")
    monkeypatch.setitem(DATASETS, "toy", toy(b"1\t2\t3\n"))
    with pytest.raises(Unavailable, match=r"its ratings\.inter has an unexpected checksum"):
        fetch("toy", tmp_path, base_url=dead_url)
    assert visible(tmp_path / "raw") == []


def test_recbole_wheel_contains_the_published_ratings(dead_url: str, tmp_path: Path) -> None:
    try:
        folder = fetch("ml-100k", tmp_path, base_url=dead_url)
    except Unavailable as error:
        if os.environ.get("CI") or "unexpected checksum" in str(error):
            raise
        pytest.skip(f"the package index cannot be reached: {error}")
    assert visible(folder) == ["SOURCE.json", "ml-100k.inter", "ml-100k.item", "ml-100k.user"]
    header, _, u_data = (folder / "ml-100k.inter").read_bytes().partition(b"\n")
    assert header.split(b"\t") == [b"user_id:token", b"item_id:token", b"rating:float", b"timestamp:float"]
    assert hashlib.sha256(u_data).hexdigest() == U_DATA_SHA256
    assert u_data.count(b"\n") == 100_000
