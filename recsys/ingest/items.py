"""Read item tables (title, year, genres, tags): MovieLens' four layouts, other files, and DataFrames."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from recsys.dataset.catalog import MISSING_GENRES, Catalog
from recsys.dataset.titles import article_first, parse_year, split_year
from recsys.errors import InputError
from recsys.ingest.ids import parse_integers
from recsys.ingest.layout import plain_names
from recsys.ingest.tables import arrow_table, column_names, first_line

ML_100K_GENRES = (
    "unknown Action Adventure Animation Children's Comedy Crime Documentary Drama Fantasy Film-Noir Horror Musical "
    "Mystery Romance Sci-Fi Thriller War Western"
).split()
"""The 19 genre flags at the end of each line of `u.item`, in the order of `u.genre`."""

MAX_TAGS = 30
"""At most this many tags are kept per item, the most frequent ones."""

KNOWN_NAMES = {
    "item_id": ("item_id", "itemid", "movie_id", "movieid", "item", "movie", "id", "asin", "product_id"),
    "title": ("title", "movie_title", "name", "item_name", "movie_name"),
    "year": ("year", "release_year", "release_date"),
    "genres": ("genres", "genre", "class", "categories", "category"),
    "tags": ("tags", "keywords"),
}
"""Column names that are recognised, compared without case and with blanks as underscores; earlier names win."""
_ALL_NAMES = {name for names in KNOWN_NAMES.values() for name in names}


def read_items(path: Path, tags: Path | None = None) -> Catalog:
    """A catalog from `u.item`, `movies.dat`, `movies.csv`, RecBole's `.item`, or any CSV, TSV or Parquet table.

    path  a table needs a header with an item id column; title, year, genres and tags (lists, or words separated by | or
          a comma) are read where present. Of several rows of an item the first is used.
    tags  a MovieLens `tags.csv`

    Raises InputError naming the file and what is wrong.
    """
    try:
        if path.name == "u.item":
            table = _read_u_item(path)
        elif path.suffix == ".dat":
            table = _read_dat(path)
        elif path.suffix.lower() in (".parquet", ".pq"):
            table = _named_columns(pq.read_table(path), str(path))
        else:
            table = _named_columns(_read_csv(path), str(path), r"[|,]" if path.suffix != ".item" else r"\s+")
    except (OSError, pa.ArrowException, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as a table of items: {first_line(error)}") from None
    return _catalog(table, read_tags(tags) if tags is not None and tags.exists() else None)


def items_from_frame(frame: pd.DataFrame) -> Catalog:
    """A catalog from a DataFrame, by the rules of `read_items`. Raises InputError."""
    names = column_names(frame, "items")
    known = [name for name, plain in zip(names, plain_names(names), strict=True) if plain in _ALL_NAMES]
    if not known:  # let the check for an item id name the columns
        raise InputError(_no_item_id("items", names))
    return _catalog(_named_columns(arrow_table(frame, known, "items"), "items"))


CANONICAL_INTEGER = r"-?(?:0|[1-9]\d{0,17})"
"""Text that an integer would be written as again: "0010" and "10" are different ids."""


def with_ids_like(catalog: Catalog, ids: np.ndarray, *, any_spelling: bool = False) -> Catalog:
    """The catalog with its ids in the type of `ids`; of text ids, only those that are whole numbers become integers.

    any_spelling  whether "007" is 7; otherwise an item with such an id is left out
    """
    items = catalog.items
    if ids.dtype == object:
        return Catalog(items.assign(item_id=catalog.item_ids.astype(str).astype(object)))
    numbers, is_integer, is_canonical = parse_integers(pa.array(items["item_id"].astype(str), pa.string()))
    whole = is_integer if any_spelling else is_canonical
    kept = items[whole].assign(item_id=numbers.to_numpy()[whole])
    return Catalog(kept.drop_duplicates("item_id"))


def _catalog(table: pd.DataFrame, tags_of: dict[str, tuple[str, ...]] | None = None) -> Catalog:
    """A catalog from the columns item_id, title, year, genres and tags; `tags_of` replaces tags by item id."""
    table = table[table["item_id"].notna() & (table["item_id"].astype("str").str.strip() != "")]
    table = table.drop_duplicates("item_id").reset_index(drop=True)
    titles, years = [], []
    for raw, given in zip(table["title"], table["year"], strict=True):
        title, year = split_year(str(raw))
        titles.append("unknown" if title in MISSING_GENRES else article_first(title))
        years.append(year if year is not None else parse_year(given))
    item_tags = table["tags"].tolist()
    if tags_of is not None:
        item_tags = [tags_of.get(str(i), own) for i, own in zip(table["item_id"], item_tags, strict=True)]
    return Catalog.of(_ids(table["item_id"]), titles, years, table["genres"].tolist(), item_tags)


def read_tags(path: Path) -> dict[str, tuple[str, ...]]:
    """The tags by item id in a MovieLens `tags.csv` (userId, movieId, tag, …): lower case, most frequent first."""
    try:
        table = pacsv.read_csv(
            path,
            parse_options=pacsv.ParseOptions(newlines_in_values=True),
            convert_options=pacsv.ConvertOptions(
                include_columns=["movieId", "tag"], column_types={"movieId": pa.string(), "tag": pa.string()}
            ),
        ).to_pandas()
    except (OSError, pa.ArrowException) as error:
        raise InputError(f"{path}: cannot be read as tags: {first_line(error)}") from None
    table["tag"] = table["tag"].fillna("").str.strip().str.lower()
    counts = table[table["tag"] != ""].value_counts(["movieId", "tag"]).reset_index()
    counts = counts.sort_values(["movieId", "count", "tag"], ascending=[True, False, True], kind="stable")
    top = counts.groupby("movieId", sort=False).head(MAX_TAGS)
    return {str(item): tuple(group) for item, group in top.groupby("movieId", sort=False)["tag"]}


def _read_u_item(path: Path) -> pd.DataFrame:
    """`id|title (year)|release date|video release date|IMDb URL|19 genre flags`, Latin-1."""
    names = ["item_id", "title", "released", "video", "url", *ML_100K_GENRES]
    table = _read_delimited(path, "|", "latin-1", names)
    flags = np.column_stack([table[genre].to_numpy() == "1" for genre in ML_100K_GENRES])
    genres = np.array(ML_100K_GENRES, dtype=object)
    return pd.DataFrame(
        {
            "item_id": table["item_id"],
            "title": table["title"],
            "year": table["released"].str.slice(-4),
            "genres": [_words(list(genres[row])) for row in flags],
            "tags": _lists(None, len(table)),
        }
    )


def _read_dat(path: Path) -> pd.DataFrame:
    """`id::title (year)::genre|genre`: Latin-1 in ML-1M, UTF-8 in ML-10M."""
    body = path.read_bytes()
    try:
        body.decode("utf-8")
        encoding = "utf-8"
    except UnicodeDecodeError:
        encoding = "latin-1"
    table = _read_delimited(pa.py_buffer(body.replace(b"::", b"\t")), "\t", encoding, ["item_id", "title", "genres"])
    table["genres"] = [_words(g.split("|")) for g in table["genres"]]
    table["year"], table["tags"] = None, pd.Series(_lists(None, len(table)), dtype=object)
    return table


def _read_delimited(source: Path | pa.Buffer, delimiter: str, encoding: str, names: list[str]) -> pd.DataFrame:
    """Delimited text without header or quotes, every column as text."""
    table = pacsv.read_csv(
        source,
        read_options=pacsv.ReadOptions(column_names=names, encoding=encoding),
        parse_options=pacsv.ParseOptions(delimiter=delimiter, quote_char=False),
        convert_options=pacsv.ConvertOptions(
            column_types={name: pa.string() for name in names}, strings_can_be_null=False
        ),
    )
    frame: pd.DataFrame = table.to_pandas()
    return frame


def _read_csv(path: Path) -> pa.Table:
    """Delimited text with a header, every column as text."""
    with path.open("rb") as file:
        header = file.readline(2**16).decode("utf-8-sig", "replace")
    if not header.strip():
        raise InputError(f"{path}: is empty")
    delimiter = max("\t,;|", key=header.count)
    names = [cell.strip().strip('"') for cell in header.strip().split(delimiter)]
    return pacsv.read_csv(
        path,
        parse_options=pacsv.ParseOptions(
            delimiter=delimiter, quote_char=False if delimiter == "\t" else '"', newlines_in_values=delimiter != "\t"
        ),
        convert_options=pacsv.ConvertOptions(
            column_types={name: pa.string() for name in names}, strings_can_be_null=False
        ),
    )


def _named_columns(table: pa.Table, source: str, separator: str = r"[|,]") -> pd.DataFrame:
    """The columns item_id, title, year, genres and tags of a table, found by their usual names.

    source     names the table in errors
    separator  pattern between the words of a text column of genres or tags
    """
    plain = dict(zip((name.strip('"') for name in plain_names(table.column_names)), table.column_names, strict=True))
    found: dict[str, pa.ChunkedArray] = {}
    for column, names in KNOWN_NAMES.items():
        for name in names:
            if name in plain:
                found[column] = table[plain[name]]
                break
    if "item_id" not in found:
        raise InputError(_no_item_id(source, table.column_names))
    try:
        ids = found["item_id"].cast(pa.string())
        title = found["title"].cast(pa.string()) if "title" in found else ids
        year = found["year"].cast(pa.string()).to_pandas() if "year" in found else [None] * len(table)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise InputError(f"{source}: item ids, titles and years must be text or numbers: {first_line(error)}") from None
    return pd.DataFrame(
        {
            "item_id": ids.to_pandas(),
            "title": pc.fill_null(title, ids).to_pandas(),
            "year": year,
            "genres": _lists(found.get("genres"), len(table), separator),
            "tags": _lists(found.get("tags"), len(table), separator),
        }
    )


def _no_item_id(source: str, names: list[str]) -> str:
    return (
        f"{source}: cannot tell which column holds the item id; the columns are {', '.join(names)}: "
        f"rename it to item_id"
    )


def _lists(column: pa.ChunkedArray | None, n: int, separator: str = "") -> list[tuple[str, ...]]:
    """The words in each row of a column of lists or of separated text; empty for no column."""
    if column is None:
        return [()] * n
    values = column.to_pylist()
    if pa.types.is_list(column.type) or pa.types.is_large_list(column.type):
        return [_words([str(word) for word in value or () if word is not None]) for value in values]
    return [_words(re.split(separator, str(value or ""))) for value in values]


def _words(values: list[str]) -> tuple[str, ...]:
    return tuple(word.strip() for word in values if word and word.strip() not in MISSING_GENRES)


def _ids(column: pd.Series[Any]) -> np.ndarray:
    """Integers when every id is one without leading zeros, otherwise text."""
    text = column.astype("str").str.strip()
    if len(text) and text.str.fullmatch(CANONICAL_INTEGER).all():
        return text.astype(np.int64).to_numpy()
    return text.to_numpy(dtype=object)
