"""An id is the same on every path: a bad row changes nothing, and files, frames and Parquet tables agree."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from recsys.dataset.dataset import Dataset
from recsys.errors import InputError
from recsys.ingest import ids, read_ratings
from recsys.ingest.ids import clean, ids_of_texts
from recsys.ingest.items import read_items
from recsys.ingest.users import read_user_ids
from recsys.ingest.values import read_values
from recsys.ingest.vectors import read_vectors

TEXT = st.text(st.sampled_from("ab\"'17,;|: \t\u00a0\u2003é😀\ufffd#-+._\\"), min_size=0, max_size=6)
ID = st.one_of(
    TEXT,
    st.integers(-5, 40).map(str),
    st.sampled_from(
        ["007", "7", "7.0", "+7", "-0", " 7 ", '"7"', "NaN", "null", "\\N", "0x10", "1e3", "9" * 19, "a,b"]
    ),
)
ROW = st.tuples(ID, ID, st.sampled_from(["1", "4.5", " 3 ", "0.1", "5e-1"]), st.sampled_from(["", "100", "1e2", "7.9"]))
BAD_ROW = st.one_of(
    st.tuples(ID, ID, st.sampled_from(["bad", "", "inf", "1e-30", "0x3"]), st.just("5")),
    st.tuples(st.just(""), ID, st.just("4"), st.just("5")),
    st.tuples(ID, st.just("x\ufffd"), st.just("4"), st.just("5")),
    st.tuples(ID, ID, st.just("4"), st.sampled_from(["now", "-3", "0x10", "soon", "9999999999"])),
)
BAD_LINE = st.sampled_from(['"', '1,"2', "\udcff\udcff", "a\rb", "1", "1,2,3,4,5,6,7,8"])
HEADER = ("user", "item", "rating", "time")


def quoted(cells: tuple[str, ...], delimiter: str, always: bool) -> str:
    """A line with quotes as RFC 4180 wants them, or around every field."""
    out = io.StringIO()
    quoting = csv.QUOTE_ALL if always else csv.QUOTE_MINIMAL
    csv.writer(out, delimiter=delimiter, quoting=quoting, lineterminator="").writerow(cells)
    return out.getvalue()


def result(read: Callable[[], Dataset]) -> tuple:
    """Fingerprint, reasons and rejected rows without their lines, or the error."""
    try:
        data = read()
    except InputError as error:
        return (type(error).__name__,)
    assert data.rejected is not None
    rejected = data.rejected.to_pylist()
    assert data.report["read"] == data.report["kept"] + data.report["rejected"] + data.report["duplicates"]
    assert sum(data.report["reasons"].values()) == len(rejected)
    return data.interactions.fingerprint, data.interactions.user_ids.tolist(), [row["line"] for row in rejected]


@given(
    rows=st.lists(ROW, min_size=1, max_size=8),
    bad=st.one_of(BAD_ROW, BAD_LINE),
    at=st.integers(0, 8),
    delimiter=st.sampled_from([",", ";", "\t", "|"]),
    always=st.booleans(),
)
@example(rows=[('"u1"', "i1", "3", "")], bad=("u1", "i1", "bad", ""), at=1, delimiter="\t", always=True)
@example(rows=[("\u00a0u1", '"a"', "3", ""), ("u1", "a", "3", "")], bad='"', at=1, delimiter=",", always=False)
def test_a_bad_row_changes_nothing(tmp_path: Path, rows, bad, at, delimiter, always) -> None:
    # Commas and semicolons may be quoted away; elsewhere a field cannot hold the delimiter.
    if delimiter not in (",", ";"):
        assume(not any(delimiter in cell for row in rows for cell in row[:2]))
    lines = [quoted(row, delimiter, always) for row in rows]
    if isinstance(bad, tuple):
        assume(not any(delimiter in cell for cell in bad))
        bad = quoted(bad, delimiter, always)
    elif delimiter != ",":
        bad = bad.replace(",", delimiter)
    at = min(at, len(lines))
    for name, content in {"good.csv": lines, "bad.csv": [*lines[:at], bad, *lines[at:]]}.items():
        text = "\n".join([delimiter.join(HEADER), *content, ""])
        (tmp_path / name).write_bytes(text.encode("utf-8", "surrogateescape"))
    good = result(lambda: read_ratings(tmp_path / "good.csv"))
    both = result(lambda: read_ratings(tmp_path / "bad.csv"))
    if len(good) == 1:
        assert len(both) == 1
        return
    assert both[:2] == good[:2]
    moved = [line + (line >= at + 2) for line in good[2]]
    assert sorted(both[2]) == sorted([*moved, at + 2])


@given(
    rows=st.lists(ROW, min_size=1, max_size=8),
    always=st.booleans(),
    mode=st.sampled_from(["auto", "integer", "string"]),
)
def test_text_frames_and_parquet_agree(tmp_path: Path, rows, always, mode) -> None:
    body = "\n".join([",".join(HEADER), *(quoted(row, ",", always) for row in rows)]) + "\n"
    (tmp_path / "r.csv").write_bytes(body.encode())
    frame = pd.DataFrame(rows, columns=list(HEADER), dtype=object)
    pq.write_table(pa.table({name: frame[name].tolist() for name in HEADER}), tmp_path / "r.parquet")
    coded = pa.table({name: pa.array(frame[name].tolist()).dictionary_encode() for name in HEADER})
    pq.write_table(coded, tmp_path / "d.parquet")
    expected = result(lambda: Dataset.from_frame(frame, ids=mode))
    assert result(lambda: read_ratings(tmp_path / "r.parquet", ids=mode)) == expected
    assert result(lambda: read_ratings(tmp_path / "d.parquet", ids=mode)) == expected
    found = result(lambda: read_ratings(tmp_path / "r.csv", ids=mode))
    assert found[:2] == expected[:2]


@given(texts=st.lists(ID, min_size=1, max_size=6, unique=True))
def test_every_reader_of_ids_reads_them_alike(tmp_path: Path, texts: list[str]) -> None:
    """Ratings as text, tables of items, lists of users, vectors and values: the same ids from the same cells."""
    lines = [quoted((text, "1"), ",", True) for text in texts]
    (tmp_path / "r.csv").write_text("\n".join(["user,item,rating", *(f"u,{line}" for line in lines)]) + "\n")
    (tmp_path / "i.csv").write_text("\n".join(["item_id,title", *lines]) + "\n")
    (tmp_path / "v.csv").write_text("\n".join(["item_id,x", *lines]) + "\n")
    (tmp_path / "g.csv").write_text("\n".join(["item_id,value", *lines]) + "\n")
    (tmp_path / "u.csv").write_text("\n".join(["user_id,x", *lines]) + "\n")
    try:
        rated = read_ratings(tmp_path / "r.csv", ids="string").interactions.item_ids.astype(str).tolist()
    except InputError:
        return
    for found in (read_vectors(tmp_path / "v.csv").ids, read_user_ids(tmp_path / "u.csv")[0]):
        assert sorted({str(i) for i in found if "\ufffd" not in str(i)}) == rated
    described = {str(i) for i in read_items(tmp_path / "i.csv").item_ids}
    assert sorted(i for i in described if "\ufffd" not in i) == rated
    unique = len({text.strip() for text in texts}) == len(texts)
    if unique:
        assert np.isfinite(read_values(tmp_path / "g.csv", np.array(rated, dtype=object))).all()


@pytest.mark.parametrize(
    ("field", "id_"),
    [
        ('"u1"', "u1"),
        ('"""a"""', '"a"'),
        (' "a ""b"" c" ', 'a "b" c'),
        ('a"b', 'a"b'),
        ('"a', '"a'),
        ('"', '"'),
        ('""', ""),
        ("\u00a0a\u2003", "a"),
    ],
)
def test_quotes_of_text_that_is_not_csv(field: str, id_: str) -> None:
    assert clean(pa.array([field]), unquote=True).to_pylist() == [id_]


def test_white_space_is_what_python_trims() -> None:
    spaces = [chr(code) for code in range(0x11000) if not 0xD800 <= code < 0xE000 and not chr(code).strip()]
    assert set(clean(pa.array([f"{space}a{space}" for space in spaces])).to_pylist()) == {"a"}


def test_integers_are_exact_to_64_bits() -> None:
    texts = pa.array(["9223372036854775807", "9223372036854775808", "-9223372036854775808", "7.0", "0x10", "1e3", "٣"])
    numbers, is_integer, is_canonical = ids.parse_integers(texts)
    assert numbers.to_pylist() == [2**63 - 1, 0, -(2**63), 7, 0, 0, 0]
    assert is_integer.tolist() == is_canonical.tolist() == [True, False, True, True, False, False, False]
    assert ids_of_texts(pa.array(["1", "01"])).tolist() == ["1", "01"]
    assert ids_of_texts(pa.array(["1", "-2"])).tolist() == [1, -2]


@pytest.mark.parametrize(("delimiter", "name"), [("\t", "q.tsv"), ("|", "q.txt"), (",", "q.csv")])
def test_quoted_ids_are_not_split_by_a_bad_row(tmp_path: Path, delimiter: str, name: str) -> None:
    lines = [delimiter.join([f'"u{u}"', f'"i{i}"', "3"]) for u in range(30) for i in range(20)]
    lines += [delimiter.join(['"u1"', '"i1"', "bad"])]
    (tmp_path / name).write_text("\n".join([delimiter.join(HEADER[:3]), *lines]) + "\n")
    data = read_ratings(tmp_path / name)
    assert (data.interactions.n_users, data.interactions.n_items) == (30, 20)
    assert data.interactions.user_ids[0] == "u0"
