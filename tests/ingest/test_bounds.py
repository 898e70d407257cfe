"""Files that would take all memory or never end are refused in one line, within a limit of address space."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

READ = """
import os, resource, sys
from pathlib import Path
import numpy as np, pandas, pyarrow.csv, pyarrow.parquet, recsys.ingest.sources
from recsys.errors import RecsysError
from recsys.ingest import items, read_ratings, users, values, vectors
READERS = dict(
    ratings=read_ratings, items=items.read_items, users=users.read_user_ids, vectors=vectors.read_vectors,
    values=lambda path: values.read_values(path, np.arange(3)), tags=items.read_tags,
)
in_use = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
limit = in_use + int(sys.argv[1])
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
for kind, path in zip(sys.argv[2::2], sys.argv[3::2]):
    try:
        print(repr(READERS[kind](Path(path)))[:200].replace("\\n", " "))
    except RecsysError as error:
        print(error)
"""
KINDS = ("ratings", "items", "users", "vectors", "values", "tags")


def answers(*files: tuple[str, Path], n_bytes: int = 2**29, limit: str = "") -> list[str]:
    """What reading files prints, with `n_bytes` of address space above what the imported libraries take.

    limit  RECSYS_MAX_MEMORY; empty: not set
    """
    # Each further arena of the allocator would reserve 64 MiB of address space, as many as threads happen to run.
    allocation = {"ARROW_DEFAULT_MEMORY_POOL": "system", "MALLOC_ARENA_MAX": "1"}
    environment = os.environ | {"RECSYS_MAX_MEMORY": limit} | allocation
    arguments = [str(value) for file in files for value in file]
    done = subprocess.run(
        [sys.executable, "-c", READ, str(n_bytes), *arguments],
        capture_output=True, text=True, timeout=300, env=environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == len(files)
    return lines


def test_parquet_files_of_many_rows_or_long_lists(tmp_path: Path) -> None:
    part = pa.table({"user_id": np.ones(10**6, np.int64), "item_id": np.ones(10**6, np.int64)})
    rows = tmp_path / "r.parquet"
    with pq.ParquetWriter(rows, part.schema) as writer:
        for _ in range(100):
            writer.write_table(part)
    assert rows.stat().st_size < 10**6
    n = 30_000_000
    lists = pa.ListArray.from_arrays(pa.array([0, n], pa.int32()), pa.array(np.zeros(n, np.float32)))
    words = pa.ListArray.from_arrays(lists.offsets, pa.array(np.zeros(n, np.int8)).cast(pa.string()))
    pq.write_table(pa.table({"item_id": [1], "factors": lists}), tmp_path / "v.parquet")
    pq.write_table(pa.table({"item_id": [1], "genres": lists}), tmp_path / "n.parquet")
    pq.write_table(pa.table({"item_id": [1], "genres": words}), tmp_path / "w.parquet")
    found = answers(
        ("ratings", rows), ("users", rows), ("items", rows), ("vectors", tmp_path / "v.parquet"),
        ("items", tmp_path / "n.parquet"), ("items", tmp_path / "w.parquet"),
    )  # fmt: skip
    assert found[0].startswith(f"{rows}: preparing 100,000,000 rows would need")
    assert "RECSYS_MAX_MEMORY" in found[0]
    for line, words_of_line in zip(
        found[1:],
        ["reading 100,000,000 users", "reading 100,000,000 items", "reading 1 vectors", "column 'genres'", "1 items"],
        strict=True,
    ):
        assert words_of_line in line


def test_gzip_of_bad_rows(tmp_path: Path) -> None:
    path = tmp_path / "r.csv.gz"
    path.write_bytes(gzip.compress(b"user,item,rating\n1,2,3\n" + b"x\n" * 18_000_000))
    assert path.stat().st_size < 50_000
    (line,) = answers(("ratings", path), n_bytes=2**30, limit="200M")
    assert "preparing" in line and "rows or more would need" in line


def test_gzip_of_one_endless_line(tmp_path: Path) -> None:
    path = tmp_path / "r.csv.gz"
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(b"user,item,rating\n1,2,3\n")
        for _ in range(300):
            file.write(b"7" * 2**20)
    found = answers(*((kind, path) for kind in KINDS[:5]))
    assert "r.csv.gz: line 3 is longer than 256 MiB" in found[0]
    assert all("r.csv.gz: reading 2 lines or more would need" in line for line in found[1:])


def test_a_long_text_that_a_parquet_file_repeats(tmp_path: Path) -> None:
    n = 10**5
    repeated = pa.DictionaryArray.from_arrays(pa.array(np.zeros(n, np.int32)), pa.array(["x" * 10**6]))
    number = np.arange(n)
    tables = {
        "good": pa.table({"user_id": repeated, "item_id": number}),
        "bad": pa.table({"user_id": repeated, "item_id": number, "rating": repeated, "timestamp": repeated}),
        "titles": pa.table({"item_id": number, "title": repeated, "genres": repeated}),
        "ids": pa.table({"item_id": repeated}),
    }
    for name, table in tables.items():
        pq.write_table(table, tmp_path / f"{name}.parquet")
    kinds = ["ratings", "ratings", "items", "items"]
    # The ratings alone hold 300 GB of text once they are decoded.
    files = [(kind, tmp_path / f"{name}.parquet") for kind, name in zip(kinds, tables, strict=True)]
    found = answers(*files, n_bytes=2**30)
    assert found[0] == f"Dataset('good', 1 users, {n} items, {n} ratings, 0 rejected rows)"
    assert "none of the 100,000 rows is usable" in found[1]
    assert found[2].startswith("Catalog(")
    assert "reading its ids would need" in found[3]


def test_pipes_and_devices_are_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "r.csv")
    (tmp_path / "zero.csv").symlink_to("/dev/zero")
    for name in ("inter", "item"):
        (tmp_path / name).mkdir()
        os.mkfifo(tmp_path / name / f"x.{name}")
    (tmp_path / "item" / "ratings.csv").write_text("user,item\n1,2\n")
    files = [(kind, tmp_path / name) for kind in KINDS for name in ("r.csv", "zero.csv")]
    found = answers(*files, ("ratings", tmp_path / "inter"), ("ratings", tmp_path / "item"))
    assert all("is not a regular file but a" in line for line in found)
