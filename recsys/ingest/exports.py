"""Read a person's ratings, by title and year, from the files that Letterboxd and IMDb export."""

from __future__ import annotations

import codecs
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
from recsys.dataset.titles import parse_year
from recsys.errors import InputError
from recsys.ingest.validation import (
    FIELDS,
    RATING_MISSING,
    RATING_NOT_FINITE,
    RATING_OFF_SCALE,
    REJECTED,
    Validation,
    rejection_reasons,
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
"""Column names of each site, in lower case; IMDb used "You rated" until 2017."""

SCALES: dict[Site, tuple[float, float]] = {"Letterboxd": (0.5, 5.0), "IMDb": (1.0, 10.0)}
EXPECTED = "ratings.csv or diary.csv from Letterboxd (Settings, Data) or ratings.csv from IMDb (Your ratings, Export)"

MOVIES = frozenset(
    "movie film filme película featurefilm documentary tvmovie tvfilm short shortfilm tvshort tvspecial video".split()
)
"""IMDb's title types that are movies, in lower case without blanks; they vary with time and language."""

MAX_BYTES = 8 * 2**20
"""Size of a file, and of the ratings.csv in a zip. IMDb writes about 250 bytes per rating, Letterboxd 70."""
MAX_ZIP_FILES = 5_000
"""Files in a zip; Letterboxd writes one per list."""
MAX_ROWS = 50_000
MAX_COLUMNS = 100
MAX_ROW_LENGTH = 100_000
"""Characters of one row, over all of its lines."""
MAX_REJECTED = 1_000
"""Rejected rows that are kept with their text; the others are only counted."""


@dataclass(frozen=True, eq=False)
class Export:
    """One person's ratings from another site.

    site      the site
    ratings   one row per movie: title (str), original_title (str, "" where the site has none), year (Int16, missing
              allowed), stars (float32, 0.5 … 5), line (int64, line in the file, from 1). IMDb's 1 … 10 are halved.
    rejected  table (file, line, reason, text) of the first `MAX_REJECTED` rows that are not usable
    unusable  number of all rows that are not usable
    repeated  number of rows replaced by a later rating of the same movie
    """

    site: Site
    ratings: pd.DataFrame
    rejected: pa.Table
    unusable: int
    repeated: int

    def match(self, catalog: Catalog, popularity: np.ndarray | None = None) -> np.ndarray:
        """The row of each movie in a catalog: (n_ratings,) int64, −1 where there is none; see `Catalog.match`.

        A movie that is not found by its title is looked up by its original title.
        """
        years = self.ratings["year"]
        rows = catalog.match(self.ratings["title"].tolist(), years, popularity)
        missing = np.flatnonzero((rows < 0) & (self.ratings["original_title"] != "").to_numpy())
        originals = self.ratings["original_title"].iloc[missing].tolist()
        rows[missing] = catalog.match(originals, years.iloc[missing], popularity)
        return rows


def read_export(data: bytes, name: str = "ratings.csv") -> Export:
    """Read an export of ratings from Letterboxd or IMDb, or ratings.csv in the zip file of a whole Letterboxd account.

    data  contents of the file, at most `MAX_BYTES`, also after unpacking; UTF-8, UTF-16 or Windows-1252
    name  file name for messages

    Reads row by row and needs less than 100 MB of memory for any file (150 MB with pandas 2). Raises InputError for a
    file that is empty, too large, not text, not CSV, from another site, without a rating column, or with more than
    `MAX_ROWS` rows, `MAX_COLUMNS` columns or `MAX_ROW_LENGTH` characters in a row. (Letterboxd's lists without ratings
    do not tell watched movies from a watchlist.)
    """
    if len(data) > MAX_BYTES:
        raise InputError(f"{name}: is too large ({len(data) / 2**20:.0f} MiB, at most {MAX_BYTES >> 20})")
    if data[:4] in (b"PK\x03\x04", b"PK\x05\x06"):
        data, name = _unpacked(data, name)
    rows = _rows(io.TextIOWrapper(io.BytesIO(data), encoding=_encoding(data, name), newline=""), name)
    _, header = next(rows)
    if len(header) > MAX_COLUMNS:
        raise InputError(f"{name}: has {len(header):,} columns, at most {MAX_COLUMNS}; use {EXPECTED}")
    site, positions = _layout(header, name)
    reasons = rejection_reasons(Validation(scale=SCALES[site]))
    movies: dict[object, tuple[str, str, int | None, float, int]] = {}
    rejected: list[tuple[str, int, str, str]] = []
    n_used = n_unusable = 0
    for line, row in rows:
        reason, stars = _check(row, len(header), positions, site, reasons)
        if reason:
            n_unusable += 1
            if len(rejected) < MAX_REJECTED:
                rejected.append((name, line, reason[:500], ",".join(row)[:500]))
            continue
        cells = {column: row[at].strip() for column, at in positions.items()}
        year = parse_year(cells["year"]) if "year" in cells else None
        movie = cells.get("const") or (cells["title"], year)
        n_used += 1
        movies.pop(movie, None)  # the last rating counts, at its own position
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
    return Export(site, table, pa.table(columns, schema=REJECTED), n_unusable, n_used - len(movies))


def _rows(file: io.TextIOWrapper, name: str) -> Iterator[tuple[int, list[str]]]:
    """Every row that is not empty with its first line, from 1; a review may contain line breaks."""
    length = 0

    def lines() -> Iterator[str]:
        nonlocal length
        while text := file.readline(MAX_ROW_LENGTH + 1):
            length += len(text)
            if length > MAX_ROW_LENGTH:
                raise InputError(f"{name}: line {line}: the row is longer than {MAX_ROW_LENGTH:,} characters")
            yield text

    reader, line = csv.reader(lines(), delimiter=_delimiter(file), strict=True), 1
    try:
        for number, row in enumerate(reader):
            if number > MAX_ROWS:
                raise InputError(f"{name}: has more than {MAX_ROWS:,} rows")
            if row:
                yield line, row
            line, length = reader.line_num + 1, 0
    except csv.Error as error:
        raise InputError(f"{name}: line {line}: is not valid CSV: {error}") from None


def _layout(header: list[str], name: str) -> tuple[Site, dict[str, int]]:
    """The site that writes this header, and the position of each column."""
    plain = [cell.strip().casefold() for cell in header]
    for site, columns in COLUMNS.items():
        positions = {
            column: plain.index(known) for column, names in columns.items() for known in names if known in plain
        }
        if "title" in positions and ("uri" in positions or "const" in positions):
            if "rating" not in positions:
                raise InputError(f"{name}: is a list of {site} movies without ratings; use {EXPECTED}")
            return site, positions
    raise InputError(
        f"{name}: is not an export from Letterboxd or IMDb; its first line is {','.join(header)[:60]!r}; use {EXPECTED}"
    )


def _check(
    row: list[str], n_columns: int, positions: dict[str, int], site: Site, reasons: dict[int, str]
) -> tuple[str | None, float]:
    """The reason to reject a row, or None, and its rating on the site's scale."""
    if len(row) != n_columns:
        return reasons[FIELDS], np.nan
    if not row[positions["title"]].strip():
        return "title is missing", np.nan
    kind = row[positions["kind"]].strip() if "kind" in positions else ""
    if kind and re.sub(r"[\s-]", "", kind.casefold()) not in MOVIES:
        return f"{kind} is not a movie", np.nan
    written = row[positions["rating"]].strip()
    if not written:
        return reasons[RATING_MISSING], np.nan
    try:
        rating = float(written)
    except ValueError:
        return reasons[RATING_NOT_FINITE], np.nan
    if not np.isfinite(rating):
        return reasons[RATING_NOT_FINITE], np.nan
    low, high = SCALES[site]
    return (None if low <= rating <= high else reasons[RATING_OFF_SCALE]), rating


def _encoding(data: bytes, name: str) -> str:
    """The encoding, of those that the sites and Excel write, decoding one block at a time."""
    is_utf16 = data[:2] in (b"\xff\xfe", b"\xfe\xff")
    for encoding in ("utf-16",) if is_utf16 else ("utf-8-sig", "cp1252"):
        try:
            is_empty = True
            for block in codecs.iterdecode(_blocks(data), encoding):
                if "\0" in block:
                    raise InputError(f"{name}: is not a text file; use {EXPECTED}")
                is_empty = is_empty and not block.strip()
        except UnicodeDecodeError:
            continue
        if is_empty:
            raise InputError(f"{name}: is empty; use {EXPECTED}")
        return encoding
    raise InputError(f"{name}: is not a text file; use {EXPECTED}")


def _blocks(data: bytes, size: int = 2**16) -> Iterator[bytes]:
    return (data[start : start + size] for start in range(0, len(data), size))


def _delimiter(file: io.TextIOWrapper) -> str:
    """The delimiter: the sites write commas, but spreadsheets that save the file may change it."""
    start = file.read(MAX_ROW_LENGTH)
    file.seek(0)
    return max(",;\t", key=start.lstrip().partition("\n")[0].count)


def _unpacked(data: bytes, name: str) -> tuple[bytes, str]:
    """The outermost ratings.csv of a zip file (deleted entries are in folders), and its name for messages."""
    if data.count(b"PK\x01\x02") > MAX_ZIP_FILES:  # each entry of the directory; `zipfile` reads all of them
        raise InputError(f"{name}: the zip file has more than {MAX_ZIP_FILES:,} files; unpack it and use {EXPECTED}")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            found = [i for i in archive.infolist() if PurePosixPath(i.filename).name.casefold() == "ratings.csv"]
            if not found:
                raise InputError(
                    f"{name}: the zip file has no ratings.csv; use {EXPECTED}, or the zip file of a Letterboxd account"
                )
            inner = min(found, key=lambda info: info.filename.count("/"))
            if inner.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise InputError(f"{name}: the zip file uses an unsupported compression; unpack it and use {EXPECTED}")
            with archive.open(inner) as file:
                unpacked = file.read(MAX_BYTES + 1)  # the size stated in a zip file may be false
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, ValueError) as error:
        why = str(error).partition("\n")[0][:80] or "it ends too early"
        raise InputError(f"{name}: the zip file cannot be read: {why}") from None
    if len(unpacked) > MAX_BYTES:
        raise InputError(f"{name}: its ratings.csv is larger than {MAX_BYTES >> 20} MiB")
    return unpacked, f"{name}, {inner.filename[-80:]}"
