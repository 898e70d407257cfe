"""Item tables and user lists in every supported layout."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recsys.errors import InputError
from recsys.ingest.items import read_items
from recsys.ingest.users import read_user_ids


def u_item(number: int, title: str, released: str, *set_flags: int) -> str:
    flags = ["1" if at in set_flags else "0" for at in range(19)]
    return f"{number}|{title}|{released}||http://address|{'|'.join(flags)}\n"


LAYOUTS = {
    "u.item": u_item(7, "Misérables, Les (1995)", "01-Jan-1995", 8, 12).encode("latin-1")
    + u_item(9, "unknown", "", 0).encode(),
    "movies.dat": "7::Misérables, Les (1995)::Drama|Musical\n9::unknown::(no genres listed)\n".encode("latin-1"),
    "movies.csv": (
        'movieId,title,genres\n7,"Misérables, Les (1995)",Drama|Musical\n9,unknown,(no genres listed)\n'.encode()
    ),
    "ml-100k.item": (
        "item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq\n"
        "7\tMisérables, Les\t1995\tDrama Musical\n9\tunkonwn\tunkonwn\tunknown\n"
    ).encode(),
    "mine.tsv": "Item ID\tTitle\tYear\tGenres\n7\tLes Misérables\t1995\tDrama, Musical\n9\tunknown\t\t\n".encode(),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_layout_gives_the_same_catalog(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(LAYOUTS[name])
    catalog = read_items(tmp_path / name)
    assert catalog.item_ids.tolist() == [7, 9]
    assert catalog.labels.tolist() == ["Les Misérables (1995)", "unknown"]
    assert catalog.items["genres"].tolist() == [("Drama", "Musical"), ()]


def test_parquet_with_lists(tmp_path: Path) -> None:
    table = pa.table({"item_id": ["a", "b", "a"], "title": ["One (2001)", None, "again"], "genres": [["X"], None, []]})
    pq.write_table(table, tmp_path / "i.parquet")
    catalog = read_items(tmp_path / "i.parquet")
    assert catalog.labels.tolist() == ["One (2001)", "b"]
    assert catalog.items["genres"].tolist() == [("X",), ()]


@pytest.mark.parametrize(
    ("name", "body", "words"),
    [
        ("i.csv", b"", "is empty"),
        ("i.csv", b"title,year\nx,1\n", "cannot tell which column holds the item id; the columns are title, year"),
        ("i.csv", b"item_id,title\n1,a\n\n2,b,c\n", "line 4: has 3 fields, not 2"),
        ("i.parquet", b"nope", "is not a Parquet file"),
        ("movies.dat", b"1::x\n", "line 1: has 2 fields, not 3"),
        ("u.item", b"1|x|\n", "line 1: has 3 fields, not 24"),
        ("i.csv", b'item_id,title\n1,"a\nb"\n2,"c\n', "line 4: unexpected end of data"),
        ("i.csv", b"item_id,title\n1,a\n2,\xff\n", "line 3: is not UTF-8 text"),
        ("i.csv", b"item_id,title,title\n1,a,b\n", "duplicate column 'title'"),
        ("i.csv", b"item_id,title\n1," + b"a" * 200_000, "line 2: field larger than field limit"),
    ],
)
def test_an_unreadable_table_is_one_clear_error(name: str, body: bytes, words: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(body)
    with pytest.raises(InputError) as caught:
        read_items(tmp_path / name)
    assert words in str(caught.value) and name in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("u.txt", b"5\n\n7\n"),
        ("u.csv", b"\xef\xbb\xbfuser_id\r\n5\r\n7\r\n"),
        ("u.csv", b'name,userId\nx,"5"\ny,7\n'),
        ("u.csv", b"5,x\n7,y\n"),
    ],
)
def test_lists_of_users(name: str, body: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(body)
    assert read_user_ids(tmp_path / name)[0].tolist() == ["5", "7"]


def test_lists_of_users_in_parquet_and_unusable_lists(tmp_path: Path) -> None:
    pq.write_table(pa.table({"x": [1, 2, 3], "user_id": [5, None, 7]}), tmp_path / "u.parquet")
    ids, rows = read_user_ids(tmp_path / "u.parquet")
    assert (ids.tolist(), rows.tolist()) == ([5, 7], [1, 3])
    (tmp_path / "none.txt").write_text("user_id\n\n")
    with pytest.raises(InputError, match="holds no user ids"):
        read_user_ids(tmp_path / "none.txt")
    with pytest.raises(InputError, match="no such file"):
        read_user_ids(tmp_path / "missing.txt")
    (tmp_path / "binary.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="line 1: is not UTF-8 text"):
        read_user_ids(tmp_path / "binary.txt")
