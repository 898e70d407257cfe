"""Vectors of other programs: every layout gives the same vectors, and every unusable row is reported."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recsys.errors import InputError
from recsys.ingest.vectors import read_vectors, vectors_from_frame

IDS = ["b", "a", "c d"]
VECTORS = np.array([[1.5, -2.0], [0.25, 0.0], [3.0, 4.0]], dtype=np.float32)


def write(path: Path) -> Path:
    frame = pd.DataFrame(VECTORS, columns=["x", "y"])
    if path.suffix == ".parquet":
        lists = pa.FixedSizeListArray.from_arrays(pa.array(VECTORS.ravel()), 2)
        pq.write_table(pa.table({"item_id": IDS, "factors": lists}), path)
    elif path.suffix in (".txt", ".vec"):
        lines = ["3 2", *(f"{i} {x} {y}" for i, (x, y) in zip(IDS, VECTORS.tolist(), strict=True))]
        path.write_text("\n".join(lines) + "\n")
    else:
        frame.insert(0, "movieId", IDS)
        frame.to_csv(path, sep="\t" if path.suffix == ".tsv" else ",", index=False)
    return path


@pytest.mark.parametrize("name", ["v.parquet", "v.csv", "v.tsv", "v.txt", "v.vec"])
def test_every_layout_gives_the_same_vectors(tmp_path: Path, name: str) -> None:
    found = read_vectors(write(tmp_path / name))
    assert found.ids.tolist() == IDS
    np.testing.assert_array_equal(found.vectors, VECTORS)
    assert found.vectors.dtype == np.float32 and len(found.rejected) == 0


def test_a_frame_takes_its_ids_from_a_column_or_the_index() -> None:
    by_column = vectors_from_frame(pd.DataFrame({"ITEM_ID": [3, 1], "x": [1.0, 2.0]}))
    by_index = vectors_from_frame(pd.DataFrame({"x": [1.0, 2.0]}, index=[3, 1]))
    lists = vectors_from_frame(pd.DataFrame({"item_id": [3, 1], "factors": [[1.0], [2.0]]}))
    for found in (by_column, by_index, lists):
        assert found.ids.dtype == np.int64 and found.ids.tolist() == [3, 1]
        assert found.vectors.tolist() == [[1.0], [2.0]]


def test_unusable_rows_are_reported_with_line_and_reason(tmp_path: Path) -> None:
    path = tmp_path / "v.csv"
    path.write_text("item_id,x,y\n1,1,2\n,1,2\n2,one,2\n3,1,inf\n1,9,9\n4,1,\n5,1e60,1\n6,3,4\n\n7,1,2,3\n8,1\n")
    found = read_vectors(path)
    assert found.ids.tolist() == [1, 6]
    assert found.vectors.tolist() == [[1, 2], [3, 4]]
    rejected = [(row["line"], row["reason"]) for row in found.rejected.to_pylist()]
    number = "a value is not a finite number"
    assert rejected == [
        (3, "id is missing"), (4, number), (5, number), (6, "id repeats an earlier row"), (7, number), (8, number),
        (11, number), (12, number),
    ]  # fmt: skip


def test_ids_with_leading_zeros_are_text() -> None:
    found = vectors_from_frame(pd.DataFrame({"item_id": ["007", "7"], "x": [1.0, 2.0]}))
    assert found.ids.tolist() == ["007", "7"]


def test_a_named_index_of_consecutive_numbers_holds_ids() -> None:
    frame = pd.DataFrame({"x": [1.0, 2.0]}, index=pd.RangeIndex(5, 7, name="item_id"))
    assert vectors_from_frame(frame).ids.tolist() == [5, 6]


def test_lists_of_another_length_are_rejected() -> None:
    found = vectors_from_frame(pd.DataFrame({"item_id": [1, 2, 3, 4], "factors": [[1, 2], [3], None, [5, 6]]}))
    assert found.ids.tolist() == [1, 4]
    assert found.rejected["line"].to_pylist() == [2, 3]


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("v.csv", "x,y\n1,2\n", "no column of item ids"),
        ("v.csv", "item_id\n1\n", "no vectors"),
        ("v.csv", "item_id,x\n1,a\n", "none of the 1 rows can be used; line 2"),
        ("v.csv", "", "is empty"),
        ("v.csv", "item_id,x,x\n1,2,3\n", "line 1: duplicate column 'x'"),
        ("v.txt", "hello\n", "line 1: expected the number of vectors"),
        ("v.txt", "3 2\na 1 2\n", "announces 3 vectors, but there are 1"),
        ("v.txt", "1 99999\na 1\n", "line 1: 99999 dimensions"),
        ("v.parquet", "not parquet", "is not a Parquet file"),
        ("v.csv", "\xff\xfe\x00", "cannot be read|no column|none of"),
    ],
)
def test_files_that_cannot_be_used_get_one_line(tmp_path: Path, name: str, content: str, says: str) -> None:
    path = tmp_path / name
    path.write_text(content)
    with pytest.raises(InputError, match=says) as raised:
        read_vectors(path)
    assert str(raised.value).startswith(str(path)) and "\n" not in str(raised.value)


def test_a_missing_file_and_duplicate_columns_get_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file of item vectors"):
        read_vectors(tmp_path / "nothing.csv")
    with pytest.raises(InputError, match="duplicate column 'x'"):
        vectors_from_frame(pd.DataFrame([[1, 2, 3]], columns=["item_id", "x", "x"]))
