"""The parser of plain numbers: where it answers, it reads exactly what Arrow's parser reads."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.ingest import Columns, Validation, ratings
from recsys.ingest.blocks import typed_block
from recsys.ingest.digits import count_lines, parse_plain_rows
from recsys.ingest.layout import FileLayout, detect_layout

HEADS = {
    ",": b"userId,movieId,rating,timestamp\n",
    ";": b"movieId;note;userId;timestamp\n",
    "\t": b"userId\tmovieId\trating\tnote\n",
    "::": b"userId::movieId::rating::timestamp\n",
}


def layout_of(delimiter: str) -> FileLayout:
    layout = detect_layout(HEADS[delimiter], Path("r.csv"), Columns())
    names = dict.fromkeys(("user", "item"), "canonical")
    return FileLayout(layout.delimiter, layout.names, True, layout.roles, names, True)


def both(text: bytes, layout: FileLayout):
    """The block of each parser, as lists; None where a parser does not answer."""
    n_lines = count_lines(text) + (not text.endswith(b"\n"))
    chunk = ratings.Chunk(0, 1, n_lines, text)
    for columns in (parse_plain_rows(text, n_lines, layout), ratings._typed_columns(chunk, layout)):
        block = columns and typed_block(columns, layout, Validation())
        yield block and [
            block.users.to_pylist(),
            block.items.to_pylist(),
            block.ratings.tobytes(),
            block.times.tolist(),
        ]


FIELD = st.one_of(
    st.sampled_from(
        ["1", "20", "-3", "4.5", "0", "-0", "007", "+7", "7.0", "1e3", ".5", "5.", "", " 1", '"1"', "x", "--1"]
    ),
    st.integers(-(2**63), 2**63).map(str),
    st.decimals(-100, 100, places=7).map(str),
    st.sampled_from(["100", "4102444799", "4102444800", "123456789012345678"]),
)


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(list(HEADS)),
    st.lists(st.lists(FIELD, min_size=4, max_size=4), min_size=1, max_size=4),
    st.sampled_from(["\n", "\r\n"]),
    st.booleans(),
)
def test_where_it_answers_it_reads_what_arrow_reads(delimiter, rows, newline, has_last_break) -> None:
    text = newline.join(delimiter.join(row) for row in rows) + newline * has_last_break
    plain, arrow = both(text.encode(), layout_of(delimiter))
    assert plain is None or plain == arrow


def test_plain_rows_are_answered_and_others_are_not() -> None:
    layout = layout_of(",")
    for text in (b"1,10,4.5,100\n-2,20,3,\r\n", b"1,10,4.5,100\n-2,20,3,"):
        plain, arrow = both(text, layout)
        assert plain is not None
        assert plain == arrow
    for row in (
        b"1,10,4.5",
        b"1,10,4.5,100,",
        b"01,10,4,1",
        b"-0,10,4,1",
        b"1,10,,1",
        b"1,10,4,1.5",
        b"",
    ):
        assert parse_plain_rows(b"1,10,4,100\n" + row + b"\n", 2, layout) is None


@pytest.mark.parametrize("text", [b"1,10,4,1\r\r\n", b"1,10,4\r,1\n", b'1;"a;b";2;5\n', b"1;a\rb;2;5\n"])
def test_carriage_returns_and_quotes_are_left_to_others(text: bytes) -> None:
    assert parse_plain_rows(text, 1, layout_of(";" if b";" in text else ",")) is None
