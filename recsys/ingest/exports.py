"""Reading what a person takes home from Letterboxd or IMDb: their own ratings, by title and year. Knows no models."""

from __future__ import annotations

import csv
import io
import re
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal

import numpy as np
import pandas as pd
import pyarrow as pa

from recsys.dataset.catalog import Catalog
from recsys.errors import InputError
from recsys.ingest.validation import (
    FIELDS,
    RATING_MISSING,
    RATING_NOT_FINITE,
    RATING_OFF_SCALE,
    REJECTED,
    Rules,
    reasons,
)

Site = Literal["Letterboxd", "IMDb"]

COLUMNS: dict[Site, dict[str, tuple[str, ...]]] = {
    "Letterboxd": {"title": ("name",), "year": ("year",), "rating": ("rating",), "uri": ("letterboxd uri",)},
    "IMDb": {
        "title": ("title",),
        "original_title": ("original title",),
        "year": ("year",),
        "rating": ("your rating", "you rated"),
        "kind": ("title type",),
        "const": ("const",),
    },
}
"""What each site calls a column, without case; IMDb's "You rated" is from before 2017."""

SCALES: dict[Site, tuple[float, float]] = {"Letterboxd": (0.5, 5.0), "IMDb": (1.0, 10.0)}
EXPECTED = "ratings.csv or diary.csv from Letterboxd (Settings, Data) or ratings.csv from IMDb (Your ratings, Export)"

MOVIES = frozenset(
    "movie film filme película featurefilm documentary tvmovie tvfilm short shortfilm tvshort tvspecial video".split()
)
"""Title types of IMDb that are movies, without case and blanks: it has written them in several ways and languages."""

MAX_BYTES = 20 * 2**20
MAX_UNPACKED_BYTES = 50 * 2**20


@dataclass(frozen=True, eq=False)
class Export:
    """What a person rated elsewhere.

    site      where it is from
    ratings   one row a movie: title (str), original_title (str, "" where the site has none), year (Int16, missing
              allowed), stars (float32, 0.5 … 5), line (int64, from 1, in the file). Letterboxd's half stars are kept;
              IMDb's 1 … 10 are halved, so that its 1 is half a star.
    rejected  table (file, line, reason, text) of every row that can't be used
    repeated  rows that said again what a movie got: the last rating counts, and a diary may have a movie twice
    """

    site: Site
    ratings: pd.DataFrame
    rejected: pa.Table
    repeated: int

    def match(self, catalog: Catalog, popularity: np.ndarray | None = None) -> np.ndarray:
        """Rows of the catalogue, int64 in the order of `ratings`, −1 where it lacks a movie; see `Catalog.match`.

        A title that is not there is looked for under its original one.
        """
        years = self.ratings["year"]
        rows = catalog.match(self.ratings["title"].tolist(), years, popularity)
        lost = np.flatnonzero((rows < 0) & (self.ratings["original_title"] != "").to_numpy())
        originals = self.ratings["original_title"].iloc[lost].tolist()
        rows[lost] = catalog.match(originals, years.iloc[lost], popularity)
        return rows


def read_export(data: bytes, name: str = "ratings.csv") -> Export:
    """A file of ratings as Letterboxd or IMDb hands it out, or Letterboxd's whole zip, of which ratings.csv is read.

    data  the file's bytes, at most 20 MiB, a zipped ratings.csv at most 50 MiB; UTF-8, else as Excel saves it
    name  what to call the file in messages

    Raises InputError for what is empty, too large, no text, from neither site, or without a column of ratings: as
    Letterboxd writes them, the movies one has seen and those one wants to see can't be told apart.
    """
    if len(data) > MAX_BYTES:
        raise InputError(f"{name}: has {len(data) / 2**20:.0f} MiB; an export of ratings has at most {MAX_BYTES >> 20}")
    if data[:4] in (b"PK\x03\x04", b"PK\x05\x06"):
        data, name = _unpacked(data, name)
    rows = _rows(_text(data, name), name)
    _, header = next(rows)
    site, places = _layout(header, name)
    words = reasons(Rules(scale=SCALES[site]))
    movies: dict[object, tuple[str, str, int | None, float, int]] = {}
    rejected: list[tuple[str, int, str, str]] = []
    n_used = 0
    for line, row in rows:
        reason, stars = _fault(row, len(header), places, site, words)
        if reason:
            rejected.append((name, line, reason, ",".join(row)[:500]))
            continue
        cells = {column: row[at].strip() for column, at in places.items()}
        year = _year(cells["year"]) if "year" in cells else None
        movie = cells.get("const") or (cells["title"], year)
        n_used += 1
        movies.pop(movie, None)  # the last rating counts, and stands where it was given
        movies[movie] = (cells["title"], cells.get("original_title", ""), year, stars, line)
    titles, originals, years, ratings, numbers = zip(*movies.values(), strict=True) if movies else ((),) * 5
    table = pd.DataFrame(
        {
            "title": pd.array(titles, dtype="str"),
            "original_title": pd.array(originals, dtype="str"),
            "year": pd.array(years, dtype="Int16"),
            "stars": np.array(ratings, dtype=np.float32) / np.float32(SCALES[site][1] / 5),
            "line": np.array(numbers, dtype=np.int64),
        }
    )
    columns = [list(column) for column in zip(*rejected, strict=True)] or [[]] * 4
    return Export(site, table, pa.table(columns, schema=REJECTED), n_used - len(movies))


def _rows(text: str, name: str) -> Iterator[tuple[int, list[str]]]:
    """Every row that is not empty, with the line it begins in, from 1: a review may have line breaks."""
    reader, line = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text), strict=True), 1
    try:
        for row in reader:
            if row:
                yield line, row
            line = reader.line_num + 1
    except csv.Error as error:
        raise InputError(f"{name}: line {line}: is not CSV as the sites write it: {error}") from None


def _layout(header: list[str], name: str) -> tuple[Site, dict[str, int]]:
    """The site whose header this is, and where its columns are."""
    plain = [cell.strip().casefold() for cell in header]
    for site, columns in COLUMNS.items():
        places = {column: plain.index(known) for column, names in columns.items() for known in names if known in plain}
        if "title" in places and ("uri" in places or "const" in places):
            if "rating" not in places:
                raise InputError(f"{name}: is a list of movies from {site} without ratings; give {EXPECTED}")
            return site, places
    raise InputError(
        f"{name}: is from neither Letterboxd nor IMDb, its first line is {','.join(header)[:60]!r}; give {EXPECTED}"
    )


def _fault(
    row: list[str], n_columns: int, places: dict[str, int], site: Site, words: dict[int, str]
) -> tuple[str | None, float]:
    """Why a row can't be used, if so, and its rating on the site's scale."""
    if len(row) != n_columns:
        return words[FIELDS], np.nan
    if not row[places["title"]].strip():
        return "title is missing", np.nan
    kind = row[places["kind"]].strip() if "kind" in places else ""
    if kind and re.sub(r"[\s-]", "", kind.casefold()) not in MOVIES:
        return f"{kind} is not a kind of movie", np.nan
    written = row[places["rating"]].strip()
    if not written:
        return words[RATING_MISSING], np.nan
    try:
        rating = float(written)
    except ValueError:
        return words[RATING_NOT_FINITE], np.nan
    if not np.isfinite(rating):
        return words[RATING_NOT_FINITE], np.nan
    low, high = SCALES[site]
    return (None if low <= rating <= high else words[RATING_OFF_SCALE]), rating


def _year(written: str) -> int | None:
    match = re.match(r"(?:18|19|20)\d\d\b", written)
    return int(match[0]) if match else None


def _text(data: bytes, name: str) -> str:
    """Text in the encodings that the sites and Excel write."""
    is_utf16 = data[:2] in (b"\xff\xfe", b"\xfe\xff")
    for encoding in ("utf-16",) if is_utf16 else ("utf-8-sig", "cp1252"):
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" in text:
            break
        if not text.strip():
            raise InputError(f"{name}: is empty; give {EXPECTED}")
        return text
    raise InputError(f"{name}: is not a text file; give {EXPECTED}")


def _delimiter(text: str) -> str:
    """The sites write commas; a spreadsheet that saved the file anew may have chosen otherwise."""
    return max(",;\t", key=text.lstrip().partition("\n")[0].count)


def _unpacked(data: bytes, name: str) -> tuple[bytes, str]:
    """The outermost ratings.csv of a zip (Letterboxd puts what was deleted into folders), and what to call it."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            found = [i for i in archive.infolist() if PurePosixPath(i.filename).name.casefold() == "ratings.csv"]
            if not found:
                raise InputError(f"{name}: this zip holds no ratings.csv; give {EXPECTED}, or Letterboxd's whole zip")
            inner = min(found, key=lambda info: info.filename.count("/"))
            if inner.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise InputError(f"{name}: this zip is packed in an unusual way; unpack it and give {EXPECTED}")
            with archive.open(inner) as file:
                unpacked = file.read(MAX_UNPACKED_BYTES + 1)  # what the zip says of its size is not to be trusted
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, NotImplementedError) as error:
        raise InputError(
            f"{name}: this zip cannot be read: {str(error).splitlines()[0] if str(error) else 'it ends too early'}"
        ) from None
    if len(unpacked) > MAX_UNPACKED_BYTES:
        raise InputError(f"{name}: its ratings.csv has more than {MAX_UNPACKED_BYTES >> 20} MiB")
    return unpacked, f"{name}, {inner.filename}"
