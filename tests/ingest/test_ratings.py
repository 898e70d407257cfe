"""Reading rating files: every row is either used or rejected with its line and reason."""

from __future__ import annotations

import csv
import gzip
import math
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recsys.errors import InputError
from recsys.ingest import Columns, Validation, ratings
from recsys.ingest.ratings import read_blocks

HEAD = b"userId,movieId,rating,timestamp\n"


def read(path: Path, columns: Columns | None = None, **settings):
    """Usable rows as (user, item, rating, time, line), and rejected rows as (line, reason)."""
    used, rejected = [], []
    for block in read_blocks(path, columns or Columns(), Validation(**settings)):
        used += zip(
            block.users.to_pylist(), block.items.to_pylist(), block.ratings.tolist(), block.times.tolist(),
            list(block.lines), strict=True,
        )  # fmt: skip
        rejected += [(row["line"], row["reason"]) for row in block.rejected.to_pylist()]
    return used, sorted(rejected)


def write(path: Path, body: bytes) -> Path:
    path.write_bytes(body)
    return path


def test_a_clean_file(tmp_path: Path) -> None:
    used, rejected = read(write(tmp_path / "r.csv", HEAD + b"1,10,4.5,100\n2,20,3,200\n"))
    assert used == [(1, 10, 4.5, 100, 2), (2, 20, 3.0, 200, 3)]
    assert rejected == []


def test_every_kind_of_invalid_row_has_its_line_and_reason(tmp_path: Path) -> None:
    rows = [
        (b"1,10,4,100", None),
        (b",10,4,100", "user id is missing"),
        (b"abc,10,4,100", "user id is not an integer"),
        (b"1,,4,100", "item id is missing"),
        (b"1,1x,4,100", "item id is not an integer"),
        (b"1,10,,100", "rating is missing"),
        (b"1,10,nan,100", "rating is missing"),
        (b"1,10,good,100", "rating is not a finite number"),
        (b"1,10,inf,100", "rating is not a finite number"),
        (b"1,10,1e99,100", "rating is not a finite number"),
        (b"1,10,9,100", "rating is outside 0.5:5"),
        (b"1,10,0,100", "rating is outside 0.5:5"),
        (b"1,10,4,yesterday", "invalid timestamp (neither a date nor seconds from 1970 to 2100)"),
        (b"1,10,4,-5", "invalid timestamp (neither a date nor seconds from 1970 to 2100)"),
        (b"1,10,4,1500000000000", "invalid timestamp (neither a date nor seconds from 1970 to 2100)"),
        (b"1,10,4", "wrong number of fields"),
        (b"1,10,4,100,extra", "wrong number of fields"),
        (b"\xff\xfe1,10,4,100", "id is not valid UTF-8"),
        (b"", "blank"),
        (b"99999999999999999999,10,4,100", "user id is not an integer"),
        (b"1,10,4,", None),
        (b"7.0,10,4,100.0", None),
        (b" 8 , 10 , 4 , 100 ", None),
        (b'"9","10","4","100"', None),
    ]
    path = write(tmp_path / "r.csv", HEAD + b"\n".join(row for row, _ in rows) + b"\n")
    used, rejected = read(path, scale=(0.5, 5.0))
    assert rejected == [(at + 2, why) for at, (_, why) in enumerate(rows) if why not in (None, "blank")]
    assert used == [
        (1, 10, 4.0, 100, 2), (1, 10, 4.0, -1, 22), (7, 10, 4.0, 100, 23), (8, 10, 4.0, 100, 24), (9, 10, 4.0, 100, 25),
    ]  # fmt: skip


def test_the_text_of_a_rejected_row_is_kept(tmp_path: Path) -> None:
    path = write(tmp_path / "r.csv", HEAD + b"1,10,4,100\n1,10,oops,100\r\n")
    (block,) = read_blocks(path, Columns(), Validation())
    assert block.rejected.to_pylist() == [
        {"file": "r.csv", "line": 3, "reason": "rating is not a finite number", "text": "1,10,oops,100"}
    ]


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("r.csv", b"\xef\xbb\xbf" + HEAD + b"1,10,4,100\n2,20,3,200\n"),
        ("r.csv", HEAD.replace(b"\n", b"\r\n") + b"1,10,4,100\r\n2,20,3,200\r\n"),
        ("r.csv", HEAD + b"1,10,4,100\r\n2,20,3,200"),
        ("r.csv", b'"userId","movieId","rating","timestamp"\n"1","10","4","100"\n2,20,"3",200\n'),
        ("r.csv", b"timestamp;Rating;MOVIE_ID;User ID\n100;4;10;1\n200;3;20;2\n"),
        ("u.data", b"1\t10\t4\t100\n2\t20\t3\t200\n"),
        ("ratings.dat", b"1::10::4::100\n2::20::3::200\n"),
        ("x.inter", b"user_id:token\titem_id:token\trating:float\ttimestamp:float\n1\t10\t4\t100\n2\t20\t3\t200\n"),
        ("r.csv", b"userId,comment,movieId,rating,timestamp\n1,fine,10,4,100\n2,,20,3,200\n"),
        ("r.csv", HEAD + b"1,10,4,1970-01-01T00:01:40Z\n2,20,3,1970-01-01 01:03:20+01:00\n"),
        ("r.txt", b"1|10|4|100\n2|20|3|200\n"),
    ],
    ids=["BOM", "CRLF", "mixed", "quotes", "semicolons", "u.data", "dat", "recbole", "extra column", "ISO", "pipes"],
)
def test_common_layouts_all_give_the_same_rows(name: str, body: bytes, tmp_path: Path) -> None:
    used, rejected = read(write(tmp_path / name, body))
    assert [row[:4] for row in used] == [(1, 10, 4.0, 100), (2, 20, 3.0, 200)]
    assert rejected == []


def test_gzip_is_read_and_damaged_gzip_is_reported(tmp_path: Path) -> None:
    packed = gzip.compress(HEAD + b"1,10,4,100\n")
    assert read(write(tmp_path / "r.csv.gz", packed))[0] == [(1, 10, 4.0, 100, 2)]
    with pytest.raises(InputError, match=r"r\.csv\.gz: cannot be read to its end"):
        read(write(tmp_path / "r.csv.gz", b"\x1f\x8b" + packed[2:12] + b"junk" * 9))


def test_ids_may_be_any_text(tmp_path: Path) -> None:
    body = 'user,item,rating\n小明,tt0114709,5\n ann ,🎬,4\nnull,x,3\n"a,b",y,2\n'.encode()
    used, rejected = read(write(tmp_path / "r.csv", body))
    assert [row[:3] for row in used] == [("小明", "tt0114709", 5.0), ("ann", "🎬", 4.0), ("a,b", "y", 2.0)]
    assert rejected == [(4, "user id is missing")]


def test_ids_can_be_read_as_text(tmp_path: Path) -> None:
    path = write(tmp_path / "r.csv", b"user,item\n007,1\n7,2\n")
    assert [row[0] for row in read(path, ids="integer")[0]] == [7, 7]
    assert [row[0] for row in read(path, ids="string")[0]] == ["007", "7"]


def test_different_spellings_of_an_integer_are_never_merged_unasked(tmp_path: Path) -> None:
    path = write(tmp_path / "r.csv", b"user,item\n007,1\n7,2\n7.0,3\n")
    assert [row[0] for row in read(path)[0]] == ["007", "7", "7.0"]  # the beginning has leading zeros: text
    later = b"user,item\n" + b"7,1\n" * 1000 + b"007,2\n+7,3\n-0,4\n0,5\n7.0,6\n"
    used, rejected = read(write(tmp_path / "r.csv", later))
    assert [row[0] for row in used[1000:]] == [0, 7]
    reason = "user id is an integer with leading zeros or a plus sign (--ids decides)"
    assert rejected == [(line, reason) for line in (1002, 1003, 1004)]
    assert [row[0] for row in read(path, ids="integer")[0][1000:]] == [7, 7, 0, 0, 7]


def test_without_ratings_and_times_every_row_counts_as_one(tmp_path: Path) -> None:
    assert read(write(tmp_path / "r.csv", b"user,item\n1,10\n"))[0] == [(1, 10, 1.0, -1, 2)]
    assert read(write(tmp_path / "r.csv", b"1,10\n2,20\n"))[0] == [(1, 10, 1.0, -1, 1), (2, 20, 1.0, -1, 2)]


def test_columns_are_mapped_by_name_and_by_number(tmp_path: Path) -> None:
    path = write(tmp_path / "r.csv", b"who,film,stars,note\n1,10,4,x\n")
    assert read(path, Columns("who", "FILM", "stars"))[0] == [(1, 10, 4.0, -1, 2)]
    path = write(tmp_path / "h.csv", b"4,100,1,10\n3,200,2,20\n")
    assert [row[:4] for row in read(path, Columns("3", "4", "1", "2"))[0]] == [(1, 10, 4.0, 100), (2, 20, 3.0, 200)]


@pytest.mark.parametrize(
    ("name", "body", "words"),
    [
        ("r.csv", b"", "is empty"),
        ("r.csv", b"\n\n \n", "is empty"),
        ("r.csv", b"\xff\xfeu\0s\0e\0r\0", "UTF-16"),
        ("r.csv", b"\0" * 1000, "not a text file"),
        ("r.csv", b"x" * 10_000_000, "line 1 is longer"),
        ("r.csv", b"a,b,c\nx,y,z\n", "cannot tell which column holds the user; the columns are a, b, c"),
        ("r.csv", b"user,b,c\nx,y,z\n", "cannot tell which column holds the item"),
        ("r.csv", b"user,item,item\n1,2,3\n", "duplicate column 'item'"),
        ("r.parquet", b"not parquet at all", "is not a Parquet file"),
        ("r.parquet", b"", "is not a Parquet file"),
    ],
)
def test_an_unreadable_file_is_one_clear_error(name: str, body: bytes, words: str, tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        read(write(tmp_path / name, body))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert name in str(caught.value)


def test_folders_and_missing_files_are_reported(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a folder, not a file of ratings"):
        read(tmp_path)
    with pytest.raises(InputError, match="no such file"):
        read(tmp_path / "none.csv")


@pytest.mark.parametrize("ending", [b"\n1,10,4,100\n", b"\n", b""])
@pytest.mark.parametrize("size", [2_000_000, 10_000_000, 40_000_000])
def test_a_line_of_megabytes_is_one_rejected_row(size: int, ending: bytes, tmp_path: Path) -> None:
    body = HEAD + b"1,10,4,100\n" + b"7" * size + ending
    used, rejected = read(write(tmp_path / "r.csv", body))
    assert rejected == [(3, "line is longer than 1024 KiB")]
    assert [row[4] for row in used] == ([2, 4] if b"1" in ending else [2])


def test_a_line_break_inside_quotes_affects_its_own_row_only(tmp_path: Path) -> None:
    body = b'user,item,rating,note\n1,10,4,"two\nlines"\n2,20,3,fine\n3,30,x,fine\n'
    used, rejected = read(write(tmp_path / "r.csv", body))
    assert (2, 20, 3.0, -1, 4) in used
    assert (5, "rating is not a finite number") in rejected
    assert len(used) + len(rejected) in (3, 4)  # the broken row may count as one row or as two


FIELDS = {
    "user": ["1", "2", "33", "", "x", "nan", " 4", "5.0"],
    "item": ["10", "20", "", "y-9", "30 "],
    "rating": ["1", "4.5", "", "bad", "inf", "7", "-1"],
    "time": ["100", "", "-3", "4102444800", "soon", "2001-02-03", "1e3"],
}
ROW = st.one_of(
    st.tuples(*[st.one_of(st.just(values[0]), st.sampled_from(values)) for values in FIELDS.values()]).map(",".join),
    st.sampled_from(["", "1,2", "1,10,4,100,5", '"1","10","4","100"', "\x00,1,1,1"]),
)


def by_the_row(lines: list[str]) -> tuple[list[tuple], Counter]:
    """The reference: the same checks, one row at a time, with Python's csv reader."""
    used, reasons = [], Counter()
    for number, line in enumerate(lines, 2):
        if not line:
            continue
        cells = next(csv.reader([line]))
        if len(cells) != 4:
            reasons[number] = "wrong number of fields"
            continue
        user, item, rating, time = (cell.strip() for cell in cells)

        def integer(text: str) -> int | None:
            return int(float(text)) if text.replace(".0", "", 1).lstrip("+-").isdigit() else None

        value = float(rating) if rating and rating != "bad" else math.nan
        if user in ("", "nan"):
            reasons[number] = "user id is missing"
        elif integer(user) is None:
            reasons[number] = "user id is not an integer"
        elif item == "":
            reasons[number] = "item id is missing"
        elif integer(item) is None:
            reasons[number] = "item id is not an integer"
        elif rating == "":
            reasons[number] = "rating is missing"
        elif not math.isfinite(value):
            reasons[number] = "rating is not a finite number"
        elif not 0.5 <= value <= 5:
            reasons[number] = "rating is outside 0.5:5"
        else:
            try:
                stamp = -1 if time == "" else int(float(time)) if "-" not in time[1:] else None
            except ValueError:
                stamp = -2
            stamp = int(pd.Timestamp(time, tz="UTC").timestamp()) if stamp is None else stamp
            if time and not 0 <= stamp < 4_102_444_800:
                reasons[number] = "invalid timestamp (neither a date nor seconds from 1970 to 2100)"
            else:
                used.append((integer(user), integer(item), value, stamp, number))
    return used, reasons


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(ROW, min_size=1, max_size=30),
    block=st.sampled_from([40, 64, 200, 2**24]),
    newline=st.sampled_from([b"\n", b"\r\n"]),
    last=st.booleans(),
)
def test_blocks_of_any_size_agree_with_the_reference(tmp_path, monkeypatch, rows, block, newline, last) -> None:
    monkeypatch.setattr(ratings, "BLOCK_BYTES", block)
    good = ["6,60,3,1000"] * (len(rows) + 1)  # so that most ids of the first block are whole numbers
    lines = good + rows
    body = newline.join([HEAD.strip(), *(line.encode() for line in lines)]) + (newline if last else b"")
    used, rejected = read(write(tmp_path / "r.csv", body), scale=(0.5, 5.0))
    expected_used, expected_reasons = by_the_row(lines)
    assert used == expected_used
    assert rejected == sorted(expected_reasons.items())


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(ROW, min_size=1, max_size=40),
    block=st.sampled_from([40, 64, 200]),
    blocks=st.sampled_from([1, 3]),
    start=st.sampled_from([HEAD, b"\xef\xbb\xbf" + HEAD, b""]),
)
def test_sections_of_a_file_give_its_blocks(tmp_path, monkeypatch, rows, block, blocks, start) -> None:
    monkeypatch.setattr(ratings, "BLOCK_BYTES", block)
    monkeypatch.setattr(ratings, "BLOCKS_PER_SECTION", blocks)
    lines = ["6,60,3,1000"] * (len(rows) + 1) + rows
    path = write(tmp_path / "r.csv", start + "\n".join(lines).encode())
    columns, validation = Columns(), Validation(scale=(0.5, 5.0))
    layout, sections = ratings.sections_of(path, columns, validation)
    assert sections[-1].stop == path.stat().st_size
    found, line = [], 1
    for section in sections:
        of_section, n_lines = ratings.read_section(path, section, layout, validation, line)
        found += of_section
        line += n_lines

    def content(blocks) -> list:
        return [
            (
                *(part.to_pylist() for part in (b.users, b.items, b.rejected)),
                b.ratings.tolist(),
                list(b.lines),
                b.spelling,
            )
            for b in blocks
        ]

    assert content(found) == content(read_blocks(path, columns, validation))


def test_parquet_of_all_common_types(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {"user": [1.0, 2.0, np.nan, 4.0], "item": [10, 20, 30, 40], "rating": [4.0, np.nan, 3.0, 9.0],
         "date": pd.to_datetime(["2001-01-01", None, "2001-01-01", "2001-01-01"])}
    )  # fmt: skip
    frame.to_parquet(tmp_path / "r.parquet")
    used, rejected = read(tmp_path / "r.parquet", scale=(0.5, 5.0))
    assert used == [(1, 10, 4.0, 978307200, 1)]
    assert [line for line, _ in rejected] == [2, 3, 4]
    table = pa.table(
        {
            "user_id": pa.array(["a", "b", "a"]).dictionary_encode(),
            "item_id": pa.array(["x", "y", "z"], pa.large_string()),
            "rating": pa.array([1, 2, 3], pa.int8()),
            "timestamp": pa.array([1, None, 3], pa.int32()),
        }
    )
    pq.write_table(table, tmp_path / "s.parquet")
    assert read(tmp_path / "s.parquet")[0] == [("a", "x", 1.0, 1, 1), ("b", "y", 2.0, -1, 2), ("a", "z", 3.0, 3, 3)]
    empty_times = table.set_column(3, "timestamp", pa.nulls(3, pa.int64()))
    pq.write_table(empty_times, tmp_path / "n.parquet")
    assert [row[3] for row in read(tmp_path / "n.parquet")[0]] == [-1, -1, -1]
    worded = table.set_column(3, "timestamp", pa.array(["1970-01-01T00:00:09", None, "5"]))
    pq.write_table(worded, tmp_path / "w.parquet")
    assert [row[3] for row in read(tmp_path / "w.parquet")[0]] == [9, -1, 5]
    pq.write_table(pa.table({"user": [[1], [2]], "item": [1, 2]}), tmp_path / "l.parquet")
    with pytest.raises(InputError, match=r"column 'user' holds list<.*>, not ids"):
        read(tmp_path / "l.parquet")


def test_a_truncated_parquet_file_is_reported(tmp_path: Path) -> None:
    pq.write_table(pa.table({"user": range(10_000), "item": range(10_000)}), tmp_path / "r.parquet")
    whole = (tmp_path / "r.parquet").read_bytes()
    with pytest.raises(InputError, match=r"r\.parquet"):
        read(write(tmp_path / "r.parquet", whole[: len(whole) // 2]))
    with pytest.raises(InputError, match=r"r\.parquet"):
        read(write(tmp_path / "r.parquet", whole[:100] + b"\0" * 3000 + whole[3100:]))
