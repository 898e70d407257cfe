"""Formats, titles and partitions of a batch: the same rows, whatever they are written to."""

from __future__ import annotations

import json
import zlib
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.dataset
import pyarrow.parquet as pq
import pytest

from recsys import store
from recsys.errors import InputError, SettingError
from recsys.topk import NONE
from recsys.workflows.batch_output import (
    Columns,
    Format,
    Output,
    Segment,
    format_of,
    has_formulas,
    partition_of,
    partitions_in,
    write_in_parts,
)

USERS = ["ann", "bob, jr.", 'c"d', "名前\n2", "-e"]
ITEMS = pa.array([30, 10, 20])
TITLES = pa.array(["Alien (1979)", '"Up", a film\\', "=SUM(A1)"])
LISTS = (
    np.array([[0, 2], [1, NONE], [2, 1], [NONE, NONE], [0, 1]], dtype=np.int32),
    np.array([[0.1, -1e-7], [2.5, -np.inf], [1e20, 3], [-np.inf, -np.inf], [5, 5]], dtype=np.float32),
)
ROWS = [
    ("ann", 1, 30),
    ("ann", 2, 20),
    ("bob, jr.", 1, 10),
    ('c"d', 1, 20),
    ('c"d', 2, 10),
    ("-e", 1, 30),
    ("-e", 2, 10),
]
SCORES = np.array([0.1, -1e-7, 2.5, 1e20, 3, 5, 5], dtype=np.float32)


def columns(titles: pa.Array | None = None) -> Columns:
    return Columns("user_id", pa.array(USERS), "item_id", ITEMS, "score", member_titles=titles)


def read(path: Path, kind: Format) -> pd.DataFrame:
    if kind == "parquet":
        return pq.read_table(path).to_pandas()
    if kind == "csv":
        return pd.read_csv(path)
    return pd.DataFrame([json.loads(line) for line in path.read_text(encoding="utf-8").split("\n")[:-1]])


@pytest.mark.parametrize("kind", ["parquet", "csv", "jsonl"])
@pytest.mark.parametrize("titles", [None, TITLES])
def test_every_format_holds_the_same_rows(kind: Format, titles: pa.Array | None, tmp_path: Path) -> None:
    output = Output([Segment(tmp_path / "out", slice(0, 5))], columns(titles), kind)
    for rows in (slice(0, 2), slice(2, 5)):
        output.write(rows, (LISTS[0][rows], LISTS[1][rows]))
    table = read(tmp_path / "out", kind)
    assert list(table) == ["user_id", "rank", "item_id", *([] if titles is None else ["title"]), "score"]
    assert [tuple(row) for row in table[["user_id", "rank", "item_id"]].itertuples(index=False)] == ROWS
    assert (table["score"].to_numpy(np.float32) == SCORES).all()
    if titles is not None:
        assert (
            table["title"].tolist() == titles.take(pa.array([[30, 10, 20].index(row[2]) for row in ROWS])).to_pylist()
        )
    assert output.n_rows == len(ROWS)
    assert output.has_formulas is (kind == "csv")  # of the user "-e"


def test_titles_of_owners_and_members_have_different_names() -> None:
    both = Columns("item_id", ITEMS, "neighbour_id", ITEMS, "similarity", TITLES, TITLES)
    assert both.schema.names == ["item_id", "title", "rank", "neighbour_id", "neighbour_title", "similarity"]


def test_a_formula_is_recognised_in_text_only() -> None:
    assert has_formulas(pa.table({"a": ["x", "+1"]})) and not has_formulas(pa.table({"a": [-1.0], "b": ["x=1"]}))


def test_partitions_are_by_crc32_and_hold_every_user_once(tmp_path: Path) -> None:
    ids = np.arange(1000)
    numbers = partition_of(ids, 7)
    assert numbers.tolist() == [zlib.crc32(str(i).encode()) % 7 for i in range(1000)]
    assert np.bincount(numbers, minlength=7).min() > 100  # consecutive ids are spread evenly
    assert partition_of(np.array(["名前"], dtype=object), 1000).tolist() == [zlib.crc32("名前".encode()) % 1000]
    order = np.argsort(numbers, kind="stable")
    sizes = np.bincount(numbers, minlength=9)  # the last two have no users, and no folder
    lists = (np.zeros((1000, 1), np.int32), ids[order].astype(np.float32)[:, None])
    output = Output(
        list(partitions_in(tmp_path, sizes, "parquet")),
        Columns("user_id", pa.array(ids[order]), "item_id", ITEMS, "score"),
        "parquet",
    )
    for start in range(0, 1000, 300):
        rows = slice(start, min(start + 300, 1000))
        output.write(rows, (lists[0][rows], lists[1][rows]))
    table = pyarrow.dataset.dataset(tmp_path, partitioning="hive").to_table().to_pandas()
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"part={number}" for number in range(7)]
    assert (table["part"] == partition_of(table["user_id"].to_numpy(), 7)).all()
    assert sorted(table["user_id"]) == list(range(1000)) and (table["score"] == table["user_id"]).all()
    assert table.groupby("part")["user_id"].apply(lambda found: found.is_monotonic_increasing).all()
    for n in (0, 10_001):
        with pytest.raises(SettingError, match="between 1 and 10,000"):
            partition_of(ids, n)


def test_the_suffix_says_the_format() -> None:
    names = {"a.parquet": "parquet", "a.PQ": "parquet", "a": "parquet", "a.csv": "csv", "a.ndjson": "jsonl"}
    assert {name: format_of(Path(name)) for name in names} == names
    with pytest.raises(InputError, match=r"a\.xlsx: '\.xlsx' is no known format; use \.parquet, \.csv or \.jsonl"):
        format_of(Path("a.xlsx"))


def test_an_error_while_writing_ends_the_run_and_closes_the_file(tmp_path: Path) -> None:
    parts = store.Parts(tmp_path / "out", {}, resume=False)
    output = Output([Segment(tmp_path / "out", slice(0, 50))], columns(), "csv")  # more owners than there are
    with pytest.raises(pa.ArrowIndexError):
        write_in_parts(output, parts, [slice(n, n + 5) for n in range(0, 50, 5)], 2, lambda _: LISTS)
    assert output._open is None
