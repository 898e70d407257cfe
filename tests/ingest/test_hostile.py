"""Whatever a file holds, every reader succeeds or raises one line that names the file."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.errors import InputError, SettingError
from recsys.ingest import read_ratings
from recsys.ingest.items import read_items, read_tags
from recsys.ingest.users import read_user_ids
from recsys.ingest.values import read_values
from recsys.ingest.vectors import read_vectors

READERS: dict[str, tuple[Callable[[Path], Any], tuple[str, ...], bytes]] = {
    "ratings": (
        read_ratings,
        ("r.csv", "r.tsv", "r.dat", "u.data", "r.csv.gz", "r.parquet"),
        b'user,item,rating,timestamp\n1,2,3,4\n"a,b",5,4.5,2001-02-03\n',
    ),
    "items": (
        read_items,
        ("i.csv", "i.tsv", "movies.dat", "u.item", "x.item", "i.csv.gz", "i.parquet"),
        b'item_id,title,year,genres\n1,"Matrix, The (1999)",1999,a|b\n2,Heat,,\n',
    ),
    "tags": (read_tags, ("tags.csv",), b'userId,movieId,tag\n1,2,funny\n1,3,"a\nb"\n'),
    "users": (read_user_ids, ("u.txt", "u.csv", "u.parquet"), b'user_id\n1\n2\n"a,b"\n'),
    "values": (lambda path: read_values(path, np.arange(4)), ("v.csv",), b"item_id,value\n1,2.5\n2,-1e3\n"),
    "vectors": (read_vectors, ("v.csv", "v.tsv", "v.vec", "v.parquet"), b"item_id,x,y\n1,2,3\n2,0.5,nan\n"),
}
CASES = [(kind, name) for kind, (_, names, _) in READERS.items() for name in names]


def attempt(kind: str, path: Path) -> None:
    """Read a file; any exception but one clear line fails the test."""
    try:
        READERS[kind][0](path)
    except (InputError, SettingError) as error:
        assert "\n" not in str(error) and path.name in str(error) and len(str(error)) < 1500


@st.composite
def damaged(draw: st.DrawFn, body: bytes) -> bytes:
    """A usual file with some bytes replaced, inserted, repeated or cut off; or bytes of any kind."""
    if draw(st.integers(0, 4)) == 0:
        return draw(st.binary(max_size=200))
    for _ in range(draw(st.integers(1, 4))):
        at, end = sorted([draw(st.integers(0, len(body))), draw(st.integers(0, len(body)))])
        new = draw(
            st.sampled_from(
                [b"", b"\0", b'"', b"\n", b"\r", b",", b"\t", b"::", b"|", b"\xff", b"\xef\xbb\xbf", b"\x1b[2J", b"-1",
                 b"1e999", b"9" * 30, b"nan", "\u2028é😀".encode(), b"x" * 3000, b"\n" * 50]
            )
        )  # fmt: skip
        body = draw(st.sampled_from([body[:at] + new + body[end:], body[:at] + new + body[at:], body[:end] * 2]))
    return body


@pytest.mark.parametrize(("kind", "name"), [case for case in CASES if not case[1].endswith("parquet")])
@given(data=st.data())
def test_damaged_text(tmp_path: Path, kind: str, name: str, data: st.DataObject) -> None:
    body = READERS[kind][2]
    separator = {"tsv": b"\t", "dat": b"::", "data": b"\t", "item": b"\t"}.get(name.rsplit(".", 1)[-1], b",")
    body = data.draw(damaged(body.replace(b",", separator)))
    if name.endswith(".gz"):
        body = data.draw(st.sampled_from([gzip.compress(body), gzip.compress(body)[:-5], body]))
    (tmp_path / name).write_bytes(body)
    attempt(kind, tmp_path / name)


NAMES = st.sampled_from(
    ["user_id", "user", "item_id", "item", "rating", "timestamp", "title", "year", "genres", "tags", "factors", "x", ""]
)
N_ROWS = 3
COLUMNS = st.sampled_from(
    [
        pa.array([1, 2, None]), pa.array([2**64 - 1, 0, 7], pa.uint64()), pa.array([1.5, np.nan, np.inf]),
        pa.array([1e308, 1e-30, -0.0]), pa.array(["a", "", None]), pa.array(["a", "b", "c"], pa.large_string()),
        pa.array(["a", "b", "a"]).dictionary_encode(), pa.array([1, 2, 1]).dictionary_encode(),
        pa.array([b"a", b"\xff", None]), pa.array([b"ab", b"cd", b"ef"], pa.binary(2)), pa.nulls(N_ROWS),
        pa.array([True, False, None]), pa.array([[1.0, 2.0], [3.0], None]), pa.array([[1, 2], [3, 4], [5, 6]]),
        pa.array([[1.0, 2.0]] * N_ROWS, pa.list_(pa.float32(), 2)), pa.array([["a"], [], None]),
        pa.array([[[1]], [], None]), pa.array([{"a": 1}, {"a": 2}, None]),
        pa.array([10**12] * N_ROWS, pa.timestamp("us")),
        pa.array([2**62, -(2**62), 0], pa.timestamp("ms")), pa.array([1, 2, 3], pa.date32()),
        pa.array([1, 2, 3], pa.duration("s")), pa.array([1, 2, 3], pa.time32("s")),
        pa.array([1, 2, 3]).cast(pa.decimal128(30, 2)),
        pa.array([[("k", 1)], [], None], pa.map_(pa.string(), pa.int64())),
        pa.ExtensionArray.from_storage(
            pa.fixed_shape_tensor(pa.int32(), (1,)), pa.array([[1]] * N_ROWS, pa.list_(pa.int32(), 1))
        ),
        pa.array(np.array([1, 2, 3], np.float16)),
    ]
)  # fmt: skip


@pytest.mark.parametrize(("kind", "name"), [case for case in CASES if case[1].endswith("parquet")])
@given(
    columns=st.lists(st.tuples(NAMES, COLUMNS), max_size=5),
    n_rows=st.sampled_from([0, 1, N_ROWS]),
    cut=st.one_of(st.none(), st.tuples(st.floats(0, 1), st.binary(max_size=4))),
)
def test_parquet_of_any_type(tmp_path: Path, kind: str, name: str, columns, n_rows: int, cut) -> None:
    table = pa.table([column for _, column in columns], names=[column_name for column_name, _ in columns])
    pq.write_table(table.slice(0, n_rows), tmp_path / name)
    if cut is not None:
        body = (tmp_path / name).read_bytes()
        at = int(cut[0] * len(body))
        (tmp_path / name).write_bytes(body[:at] + cut[1] + body[at + len(cut[1]) :])
    attempt(kind, tmp_path / name)


@pytest.mark.parametrize(("kind", "name"), [case for case in CASES if case[1].endswith("parquet")])
def test_every_byte_of_a_small_parquet_file_damaged(tmp_path: Path, kind: str, name: str) -> None:
    columns = {"user_id": [1], "item_id": [1]} | ({"factors": [[1.0]]} if kind == "vectors" else {})
    pq.write_table(pa.table(columns), tmp_path / name, store_schema=False)
    body = (tmp_path / name).read_bytes()
    for at in range(len(body)):
        (tmp_path / name).write_bytes(body[:at] + b"\x80" + body[at + 1 :])  # one of them made pyarrow abort
        attempt(kind, tmp_path / name)


def test_an_unsigned_id_above_64_bits_rejects_its_row_only(tmp_path: Path) -> None:
    pq.write_table(
        pa.table({"user": pa.array([1, 2**63, 2], pa.uint64()), "item": [1, 2, 2], "rating": [3.0, 4.0, 5.0]}),
        tmp_path / "r.parquet",
    )
    data = read_ratings(tmp_path / "r.parquet")
    assert data.interactions.user_ids.tolist() == [1, 2] and data.rejected is not None
    assert data.rejected["reason"].to_pylist() == ["user id is not an integer"]


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_tables_of_30_000_columns_are_read_by_the_wanted_ones(tmp_path: Path, suffix: str) -> None:
    names = ["user", "item", *(f"x{at}" for at in range(30_000))]
    path = tmp_path / f"r.{suffix}"
    if suffix == "csv":
        path.write_text(",".join(names) + "\n" + ",".join(["1"] * len(names)) + "\n")
    else:
        pq.write_table(pa.table([[1]] * len(names), names=names), path)
    assert read_ratings(path).interactions.n_ratings == 1
    with pytest.raises(InputError) as caught:
        read_ratings(path, columns={"user": "nobody"})
    assert "(30,002 columns)" in str(caught.value) and len(str(caught.value)) < 400


def test_one_column_cannot_have_two_roles(tmp_path: Path) -> None:
    (tmp_path / "r.csv").write_text("a,b\n1,2\n")
    with pytest.raises(InputError, match=r"column 'a' cannot be both the user and the item"):
        read_ratings(tmp_path / "r.csv", columns={"user": "a", "item": "a"})
