"""Exports from Letterboxd and IMDb: valid, damaged and hostile files."""

from __future__ import annotations

import io
import subprocess
import sys
import zipfile

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.dataset.catalog import Catalog
from recsys.errors import InputError
from recsys.ingest import exports
from recsys.ingest.exports import read_export

LETTERBOXD = """Date,Name,Year,Letterboxd URI,Rating
2021-01-03,The Matrix,1999,https://boxd.it/2a1M,4.5
2021-01-04,"Good, the Bad and the Ugly, The",1966,https://boxd.it/2aXc,0.5
2021-01-05,Amélie,2001,https://boxd.it/2aBc,3
2021-01-06,Unseen,,https://boxd.it/2aBd,5
"""

DIARY = """Date,Name,Year,Letterboxd URI,Rating,Rewatch,Tags,Watched Date
2021-01-03,Heat,1995,https://boxd.it/1,2,,,2021-01-02
2021-01-04,Alien,1979,https://boxd.it/2,4,,"scary, old",2021-01-03
2021-02-04,Heat,1995,https://boxd.it/3,4.5,Yes,,2021-02-03
2021-03-04,Heat,1995,https://boxd.it/4,,Yes,,2021-03-03
"""

IMDB = """Const,Your Rating,Date Rated,Title,Original Title,URL,Title Type,IMDb Rating,Runtime (mins),Year,Genres
tt0133093,9,2020-01-01,The Matrix,The Matrix,https://www.imdb.com/title/tt0133093/,Movie,8.7,136,1999,"Action, Sci-Fi"
tt0211915,1,2020-01-01,Amelie,Le fabuleux destin d'Amélie Poulain,https://x/,movie,8.3,122,2001,Comedy
tt0903747,10,2020-01-01,Breaking Bad,Breaking Bad,https://x/,TV Series,9.5,45,2008,Crime
tt0903748,10,2020-01-01,Pilot,Pilot,https://x/,tvEpisode,9.5,45,2008,Crime
tt0903749,7,2020-01-01,Doom,Doom,https://x/,Video Game,9.5,45,1993,Action
tt0000001,6,2020-01-01,Some Short,Some Short,https://x/,Short,9.5,5,,Action
"""


def rows(export: exports.Export) -> list[tuple]:
    table = export.ratings.astype({"year": object})
    table["year"] = table["year"].where(table["year"].notna(), None)
    return list(table[["title", "year", "stars", "line"]].itertuples(index=False, name=None))


def reasons(export: exports.Export) -> list[tuple[int, str]]:
    return list(zip(export.rejected["line"].to_pylist(), export.rejected["reason"].to_pylist(), strict=True))


def zipped(**files: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(name.replace("__", "/").replace("_csv", ".csv"), text)
    return packed.getvalue()


def test_letterboxd_half_stars_are_kept() -> None:
    export = read_export(LETTERBOXD.encode())
    assert export.site == "Letterboxd"
    assert rows(export) == [
        ("The Matrix", 1999, 4.5, 2), ("Good, the Bad and the Ugly, The", 1966, 0.5, 3),
        ("Amélie", 2001, 3.0, 4), ("Unseen", None, 5.0, 5),
    ]  # fmt: skip
    assert (len(export.rejected), export.repeated) == (0, 0)


def test_the_last_rating_of_a_movie_counts_and_entries_without_one_are_rejected() -> None:
    export = read_export(DIARY.encode(), "diary.csv")
    assert rows(export) == [("Alien", 1979, 4.0, 3), ("Heat", 1995, 4.5, 4)]
    assert export.repeated == 1
    assert reasons(export) == [(5, "rating is missing")]
    assert export.rejected["file"].to_pylist() == ["diary.csv"]


def test_imdb_ratings_are_halved_and_other_title_types_rejected() -> None:
    export = read_export(IMDB.encode())
    assert export.site == "IMDb"
    assert rows(export) == [("The Matrix", 1999, 4.5, 2), ("Amelie", 2001, 0.5, 3), ("Some Short", None, 3.0, 7)]
    assert export.ratings["original_title"][1] == "Le fabuleux destin d'Amélie Poulain"
    assert reasons(export) == [
        (4, "TV Series is not a movie"), (5, "tvEpisode is not a movie"),
        (6, "Video Game is not a movie"),
    ]  # fmt: skip


def test_exports_of_imdb_from_before_2017_are_read() -> None:
    old = (
        '"position","const","created","modified","description","Title","Title type","Directors","You rated",'
        '"IMDb Rating","Runtime (mins)","Year"\n'
        '"1","tt0113277","Sat Jan 1 00:00:00 2011","","","Heat","Feature Film","Michael Mann","8","8.2","170","1995"\n'
    )
    assert rows(read_export(old.encode())) == [("Heat", 1995, 4.0, 2)]


@pytest.mark.parametrize("text", [LETTERBOXD, DIARY, IMDB], ids=["letterboxd", "diary", "imdb"])
def test_files_saved_by_a_spreadsheet_give_the_same_ratings(text: str) -> None:
    plain = rows(read_export(text.encode()))
    windows = text.replace("\n", "\r\n")
    for data in (
        windows.encode("utf-8-sig"),
        windows.encode("utf-16"),
        windows.encode("cp1252"),
        text.rstrip().encode(),
    ):
        assert rows(read_export(data)) == plain
    assert [row[:3] for row in rows(read_export(("\n\n" + text).encode()))] == [row[:3] for row in plain]


def test_semicolons_are_accepted() -> None:
    assert rows(read_export(b"Date;Name;Year;Letterboxd URI;Rating\n;Heat;1995;u;4\n")) == [("Heat", 1995, 4.0, 2)]


def test_rejected_rows_have_their_line_and_reason() -> None:
    body = (
        "Date,Name,Year,Letterboxd URI,Rating,Review\n"
        'd,Good,1990,u,4,"two\nlines"\n'
        "d,Short\n"
        "d,,1990,u,4,\n"
        "d,Stars,1990,u,****,\n"
        "d,Six,1990,u,6,\n"
        "d,Nothing,1990,u,0,\n"
        "\n"
        "d,Nan,1990,u,nan,\n"
        "d,Odd year,MCMXC,u,5,\n"
    )
    export = read_export(body.encode())
    assert rows(export) == [("Good", 1990, 4.0, 2), ("Odd year", None, 5.0, 11)]
    assert reasons(export) == [
        (4, "wrong number of fields"), (5, "title is missing"), (6, "rating is not a finite number"),
        (7, "rating is outside 0.5:5"), (8, "rating is outside 0.5:5"), (10, "rating is not a finite number"),
    ]  # fmt: skip
    assert export.rejected["text"][0].as_py() == "d,Short"


def test_a_file_with_only_a_header_has_no_ratings() -> None:
    export = read_export(LETTERBOXD.splitlines()[0].encode())
    assert len(export.ratings) == 0 and len(export.rejected) == 0
    assert export.match(Catalog.of([1], ["Heat"])).tolist() == []


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "x.csv: is empty; use ratings.csv or diary.csv from Letterboxd"),
        (b"\xef\xbb\xbf \n\n", "is empty"),
        (b"userId,movieId,rating\n1,2,3\n",
         "not an export from Letterboxd or IMDb; its first line is 'userId,movieId,rating'"),
        (b"Date,Name,Year,Letterboxd URI\nd,Heat,1995,u\n", "a list of Letterboxd movies without ratings"),
        (b"Const,Created,Title,URL,Title Type,Year\n", "a list of IMDb movies without ratings"),
        (b"\x89PNG\r\n\x1a\n\0\0\0", "is not a text file"),
        (b"\xff\xfeD", "is not a text file"),
        (b"PAR1\0\0", "is not a text file"),
        (b"PK\x03\x04 broken", "the zip file cannot be read"),
        (zipped(watched_csv="x"), "the zip file has no ratings.csv"),
        (zipped(ratings_csv="x")[:-30], "the zip file cannot be read"),
        (b'Date,Name,Year,Letterboxd URI,Rating\nd,"Heat,1995,u,4\nd,Alien,1979,u,4\n', "line 2: is not valid CSV"),
        (b"Date,Name,Year,Letterboxd URI,Rating\n" + b"a" * 200_000, "line 2: the row is longer"),
        (b"ab," * 200, "has 201 columns, at most 100"),
        (b"ab," * 50_000, "line 1: the row is longer than 100,000 characters"),
        (b'Date,Name,Year,Letterboxd URI,Rating\n\n' + b'"\n",' * 30_000, "line 3: the row is longer than 100,000"),
        (b"Name,Letterboxd URI,Rating\n" + b"\n" * 50_001, "has more than 50,000 rows"),
    ],
    ids=lambda value: value if isinstance(value, str) else "file",  # bytes of a zip contain the time
)  # fmt: skip
def test_other_files_are_refused_with_one_line(data: bytes, message: str) -> None:
    with pytest.raises(InputError) as caught:
        read_export(data, "x.csv")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_outermost_ratings_of_a_letterboxd_zip_are_read() -> None:
    other = "Date,Name,Year,Letterboxd URI,Rating\nd,Deleted,1990,u,1\n"
    export = read_export(zipped(deleted__ratings_csv=other, ratings_csv=LETTERBOXD, diary_csv=DIARY), "me.zip")
    assert rows(export) == rows(read_export(LETTERBOXD.encode()))
    bad = LETTERBOXD + "d,Six,1990,u,6\n"
    assert read_export(zipped(ratings_csv=bad), "me.zip").rejected["file"].to_pylist() == ["me.zip, ratings.csv"]


def test_files_that_are_too_large_are_refused_before_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match=r"is too large \(21 MiB, at most 8\)"):
        read_export(b"a" * (21 * 2**20))
    with pytest.raises(InputError, match=r"its ratings.csv is larger than 8 MiB"):
        read_export(zipped(ratings_csv="ab\n" * (4 * 2**20)))
    monkeypatch.setattr(exports, "MAX_ZIP_FILES", 2)
    with pytest.raises(InputError, match="the zip file has more than 2 files"):
        read_export(zipped(ratings_csv=LETTERBOXD, a_csv="", b_csv=""))


def test_only_the_first_rejected_rows_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exports, "MAX_REJECTED", 3)
    export = read_export(b"Name,Letterboxd URI,Rating\n" + b"x,u,9\n" * 10 + b"Heat,u,4\n")
    assert (len(export.rejected), export.unusable, len(export.ratings)) == (3, 10, 1)


def test_no_file_needs_more_than_100_mb() -> None:
    """Each in a process of its own: too many rows, columns and lines of a row; titles with four bytes a character."""
    tested = subprocess.run([sys.executable, "-c", MEASURE_MEMORY], capture_output=True, text=True)
    assert tested.returncode == 0, tested.stderr
    used = {line.split()[0]: float(line.split()[1]) for line in tested.stdout.splitlines()}
    # pandas 2 keeps text as Python objects, four bytes for each letter of a title that contains one such character.
    assert len(used) == 6 and max(used.values()) < (100 if int(pd.__version__.split(".")[0]) >= 3 else 150), used


MEASURE_MEMORY = """
import io, os, zipfile
from pathlib import Path
from recsys.errors import InputError
from recsys.ingest.exports import MAX_BYTES, MAX_ROWS, read_export

def zipped(data):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("ratings.csv", data)
    return packed.getvalue()

def peak():
    return int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]) / 1000

header = b"Name,Letterboxd URI,Rating\\n"
wide = "🎬".encode() + b"a" * (MAX_BYTES // MAX_ROWS - 20)
titles = header + b"".join(b"%d%s,u,4\\n" % (row, wide) for row in range(MAX_ROWS))
files = {
    "rows": zipped(header + b"ab\\n" * (MAX_BYTES // 4)),
    "columns": zipped(b"ab," * (MAX_BYTES // 4)),
    "lines": zipped(header + b\'"\\n",\' * (MAX_BYTES // 5)),
    "titles": zipped(titles),
    "unpacked": titles,
    "old": zipped(b"ab\\n" * (50 * 2**20 // 3)),
}
for name, data in files.items():
    if os.fork():
        os.wait()
        continue
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts at the present use
    before = peak()
    try:
        read_export(data)
    except InputError:
        pass
    print(name, peak() - before, flush=True)
    os._exit(0)
"""


HEADERS = st.sampled_from([b"", *(text.encode().split(b"\n")[0] + b"\n" for text in (LETTERBOXD, DIARY, IMDB))])
BODIES = st.one_of(
    st.binary(max_size=300),
    st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")),
    st.text(max_size=100).map(lambda text: text.encode("utf-16", "surrogatepass")),
    st.lists(
        st.lists(
            st.one_of(st.text(max_size=8), st.sampled_from(["4", "1999", "-1", "nan", "1e400", "9" * 30])), max_size=12
        ).map(",".join),
        max_size=5,
    ).map(lambda rows: "\n".join(rows).encode("utf-8", "replace")),
)  # fmt: skip


@given(HEADERS, BODIES, st.sampled_from(["", "zip", "broken zip"]))
@settings(max_examples=300, deadline=None)
def test_any_bytes_give_ratings_or_one_line(header: bytes, body: bytes, packing: str) -> None:
    data = header + body
    if packing:
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("ratings.csv", data)
        data = packed.getvalue()
    if packing == "broken zip":
        at = sum(body) % len(data)
        data = data[:at] + bytes([data[at] ^ 0x5A]) + data[at + 1 :]
    try:
        export = read_export(data, "x.csv")
    except InputError as error:
        assert "\n" not in str(error) and len(str(error)) < 1000
        return
    assert export.ratings["stars"].between(0.5, 5).all()
    assert (export.ratings["title"] != "").all()
    assert export.unusable == len(export.rejected)


def test_hostile_titles_are_plain_text() -> None:
    titles = ["=cmd|'/c calc'!A1", "<script>alert(1)</script>", "{{7*7}}", "'; DROP TABLE movies;--", "電影🎬"]
    body = "Date,Name,Year,Letterboxd URI,Rating\n" + "".join(f'd,"{title}",1990,u,4\n' for title in titles)
    assert read_export(body.encode()).ratings["title"].tolist() == titles


def test_movies_are_matched_by_their_original_title_too(ml100k) -> None:
    catalog = Catalog.of([1, 2, 3], ["Le Fabuleux destin d'Amélie Poulain", "Matrix", "Heat"], [2001, 1999, 1995])
    assert read_export(IMDB.encode()).match(catalog).tolist() == [1, 0, -1]
    some = ml100k.catalog.items.iloc[::20]
    body = "Date,Name,Year,Letterboxd URI,Rating\n" + "".join(
        f'd,"{title}",{"" if missing else year},u,4\n'
        for title, year, missing in zip(some["title"], some["year"], some["year"].isna(), strict=True)
    )
    counts = np.bincount(ml100k.interactions.matrix.indices, minlength=len(ml100k.catalog))
    found = read_export(body.encode()).match(ml100k.catalog, counts)
    assert ml100k.catalog.labels[found].tolist() == ml100k.catalog.labels[::20].tolist()
