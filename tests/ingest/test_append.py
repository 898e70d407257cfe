"""Adding ratings to a prepared folder: byte for byte what preparing all files at once gives."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys import store
from recsys.errors import InputError
from recsys.workflows.prepare import append, prepare

HEAD = "user,item,rating,timestamp\n"
ROW = st.one_of(
    st.tuples(
        st.sampled_from(["1", "2", "3", "4"]),
        st.sampled_from(["10", "20", "30"]),
        st.sampled_from(["1", "2"]),
        st.sampled_from(["", "5", "6", "7"]),
    ).map(",".join),
    st.sampled_from(["x,10,1,5", "1,10,oops,5", "007,10,2,5", "1,10", ""]),
)


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def write(path: Path, rows: list[str]) -> str:
    path.write_text(HEAD + "".join(f"{row}\n" for row in rows))
    return str(path)


@given(st.lists(st.lists(ROW, max_size=14), min_size=2, max_size=5), st.integers(1, 3), st.integers(1, 3), st.data())
def test_appending_gives_the_bytes_of_preparing_at_once(parts, min_user, min_item, data) -> None:
    root = Path(tempfile.mkdtemp())
    try:
        files = [write(root / f"{at}.csv", rows) for at, rows in enumerate(parts)]
        files += data.draw(st.lists(st.sampled_from(files), max_size=2))
        ids = data.draw(st.sampled_from(["auto", "integer", "string"]))
        (root / "items.csv").write_text("item_id,title\n10,Ten (1990)\n20,Twenty\n030,Thirty\n40,Forty\n")
        options = {"ids": ids, "min_user": min_user, "min_item": min_item, "items": root / "items.csv"}
        try:
            prepare(files[0], root / "steps", **options)
        except InputError:
            return  # nothing usable to append to
        for more in files[1:]:
            append([more], root / "steps")
        prepare(files[0], root / "once", more=files[1:], **options)
        assert content(root / "steps") == content(root / "once")
    finally:
        shutil.rmtree(root)


def test_replaced_rows_are_reported_with_their_own_file(tmp_path: Path) -> None:
    first = write(tmp_path / "monday.csv", ["1,10,3,100", "1,20,4,100", "2,10,1,500"])
    second = write(tmp_path / "tuesday.csv", ["1,10,5,200", "2,10,2,400", "1,10,3,100", "3,30,4,300"])
    prepare(first, tmp_path / "data")
    report = append([second], tmp_path / "data").report
    assert report["source"] == "monday.csv, tuesday.csv"
    assert (report["read"], report["kept"], report["duplicates"]) == (7, 4, 3)
    rows = store.read_rejected(tmp_path / "data", 10).to_pylist()
    assert [(row["file"], row["line"], row["reason"].split()[0]) for row in rows] == [
        ("tuesday.csv", 4, "exact"), ("monday.csv", 2, "replaced"), ("tuesday.csv", 3, "replaced"),
    ]  # fmt: skip
    again = append([second], tmp_path / "data").report
    assert (again["read"], again["kept"], again["duplicates"]) == (11, 4, 7)


def test_rows_of_too_few_ratings_come_back(tmp_path: Path) -> None:
    first = write(tmp_path / "a.csv", ["1,10,3,1", "1,20,4,1", "2,10,1,1"])
    prepare(first, tmp_path / "data", min_user=2)
    assert append([write(tmp_path / "b.csv", ["2,20,2,2"])], tmp_path / "data").report["kept"] == 4


def test_new_items_are_described_by_the_stored_table_or_a_new_one(tmp_path: Path) -> None:
    (tmp_path / "items.csv").write_text("item_id,title\n10,Ten\n20,Twenty\n")
    (tmp_path / "new.csv").write_text("item_id,title\n10,Ten\n20,Twenty again\n")
    first, second = write(tmp_path / "a.csv", ["1,10,3,1"]), write(tmp_path / "b.csv", ["1,20,3,1"])
    prepare(first, tmp_path / "data", items=tmp_path / "items.csv")
    append([second], tmp_path / "data")
    assert store.load_prepared(tmp_path / "data").catalog.labels.tolist() == ["Ten", "Twenty"]
    append([second], tmp_path / "data", items=tmp_path / "new.csv")
    assert store.load_prepared(tmp_path / "data").catalog.labels.tolist() == ["Ten", "Twenty again"]


def test_what_cannot_be_appended_leaves_the_folder_as_it_is(tmp_path: Path) -> None:
    first = write(tmp_path / "a.csv", ["1,10,3,1", "2,10,3,1"])
    folder = tmp_path / "data"
    with pytest.raises(InputError, match=r"data: is not prepared data .*recsys prepare"):
        append([first], folder)
    prepare(first, folder, scale=(1, 5))
    before = content(folder)
    (tmp_path / "columns.csv").write_text("one,two,three\na,b,c\n")
    for source, options, words in (
        ("missing.csv", {}, "missing.csv: no such file"),
        ("columns.csv", {}, "columns.csv: cannot tell which column holds the user"),
        ("a.csv", {"settings": {"min_user": 2}}, "was prepared with --min-user 1; leave --min-user out"),
        ("a.csv", {"settings": {"scale": (0, 5)}}, "was prepared with --scale 1:5; leave --scale out"),
        ("a.csv", {"items": tmp_path / "missing.csv"}, "no such file of items"),
    ):
        with pytest.raises(InputError, match=words):
            append([str(tmp_path / source)], folder, **options)
        assert content(folder) == before
    prepare(first, tmp_path / "unlimited")
    with pytest.raises(InputError, match=r"ml-100k has ratings from 1 to 5, but .* --scale unset"):
        append(["ml-100k"], tmp_path / "unlimited")
    old = store.load_prepared(folder)
    store.save_prepared(tmp_path / "old", old)  # as older versions wrote it
    with pytest.raises(InputError, match=r"older versions.*recreate it with recsys prepare"):
        append([first], tmp_path / "old")
    (folder / "unused.parquet").write_bytes(b"damaged")
    with pytest.raises(InputError, match=r"unused\.parquet"):
        append([first], folder)
