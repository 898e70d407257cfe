"""Reading what items are called: MovieLens' four layouts, and tables of one's own. Knows no ratings."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from recsys.dataset.catalog import Catalog, article_first, split_year
from recsys.errors import InputError

ML_100K_GENRES = (
    "unknown Action Adventure Animation Children's Comedy Crime Documentary Drama Fantasy Film-Noir Horror Musical "
    "Mystery Romance Sci-Fi Thriller War Western"
).split()
"""The 19 flags at the end of each line of `u.item`, in their order (`u.genre`)."""

NO_GENRE = ("", "unknown", "(no genres listed)", "unkonwn")
"""Ways of saying that there is none; the last is RecBole's spelling."""

MAX_TAGS = 30
"""Tags kept for an item, those given most often first."""

KNOWN_NAMES = {
    "item_id": ("item_id", "itemid", "movie_id", "movieid", "item", "movie", "id", "asin", "product_id"),
    "title": ("title", "movie_title", "name", "item_name", "movie_name"),
    "year": ("year", "release_year", "release_date"),
    "genres": ("genres", "genre", "class", "categories", "category"),
    "tags": ("tags", "keywords"),
}


def read_titles(path: Path, tags: Path | None = None) -> Catalog:
    """A catalogue from `u.item`, `movies.dat`, `movies.csv`, RecBole's `.item`, or a CSV, TSV or Parquet table.

    A table needs a header with an item id column; title, year, genres (lists, or words between | or ,) and tags are
    taken where they are there. Of an item that stands twice the first row counts. `tags` is a MovieLens `tags.csv`.
    Raises InputError naming the file and what is wrong.
    """
    try:
        if path.name == "u.item":
            table = _read_u_item(path)
        elif path.suffix == ".dat":
            table = _read_dat(path)
        elif path.suffix.lower() in (".parquet", ".pq"):
            table = _named_columns(pq.read_table(path), path)
        else:
            table = _named_columns(_read_csv(path), path)
    except (OSError, pa.ArrowException, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as a table of items: {str(error).splitlines()[0]}") from None
    table = table[table["item_id"].notna() & (table["item_id"].astype("str").str.strip() != "")]
    table = table.drop_duplicates("item_id").reset_index(drop=True)
    titles, years = [], []
    for raw, given in zip(table["title"], table["year"], strict=True):
        title, year = split_year(str(raw))
        titles.append("unknown" if title in NO_GENRE else article_first(title))
        years.append(year if year is not None else _year(given))
    item_tags = table["tags"].tolist()
    if tags is not None and tags.exists():
        by_item = read_tags(tags)
        item_tags = [by_item.get(str(i), own) for i, own in zip(table["item_id"], item_tags, strict=True)]
    return Catalog.of(_ids(table["item_id"]), titles, years, table["genres"].tolist(), item_tags)


def read_tags(path: Path) -> dict[str, tuple[str, ...]]:
    """The tags of each item of a MovieLens `tags.csv` (userId, movieId, tag, …), most given first, lower case."""
    try:
        table = pacsv.read_csv(
            path,
            parse_options=pacsv.ParseOptions(newlines_in_values=True),
            convert_options=pacsv.ConvertOptions(
                include_columns=["movieId", "tag"], column_types={"movieId": pa.string(), "tag": pa.string()}
            ),
        ).to_pandas()
    except (OSError, pa.ArrowException) as error:
        raise InputError(f"{path}: cannot be read as tags: {str(error).splitlines()[0]}") from None
    table["tag"] = table["tag"].fillna("").str.strip().str.lower()
    counts = table[table["tag"] != ""].value_counts(["movieId", "tag"]).reset_index()
    counts = counts.sort_values(["movieId", "count", "tag"], ascending=[True, False, True], kind="stable")
    top = counts.groupby("movieId", sort=False).head(MAX_TAGS)
    return {str(item): tuple(group) for item, group in top.groupby("movieId", sort=False)["tag"]}


def _read_u_item(path: Path) -> pd.DataFrame:
    """`id|title (year)|release date|video release date|IMDb URL|19 genre flags`, Latin-1."""
    names = ["item_id", "title", "released", "video", "url", *ML_100K_GENRES]
    table = _read_plain(path, "|", "latin-1", names)
    flags = np.column_stack([table[genre].to_numpy() == "1" for genre in ML_100K_GENRES])
    genres = np.array(ML_100K_GENRES, dtype=object)
    return pd.DataFrame(
        {
            "item_id": table["item_id"],
            "title": table["title"],
            "year": table["released"].str.slice(-4),
            "genres": [_words(list(genres[row])) for row in flags],
            "tags": _lists(None, len(table), path),
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
    table = _read_plain(pa.py_buffer(body.replace(b"::", b"\t")), "\t", encoding, ["item_id", "title", "genres"])
    table["genres"] = [_words(g.split("|")) for g in table["genres"]]
    table["year"], table["tags"] = None, pd.Series(_lists(None, len(table), path), dtype=object)
    return table


def _read_plain(source: Path | pa.Buffer, delimiter: str, encoding: str, names: list[str]) -> pd.DataFrame:
    table = pacsv.read_csv(
        source,
        read_options=pacsv.ReadOptions(column_names=names, encoding=encoding),
        parse_options=pacsv.ParseOptions(delimiter=delimiter, quote_char=False),
        convert_options=pacsv.ConvertOptions(
            column_types={name: pa.string() for name in names}, strings_can_be_null=False
        ),
    )
    return table.to_pandas()


def _read_csv(path: Path) -> pa.Table:
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


def _named_columns(table: pa.Table, path: Path) -> pd.DataFrame:
    """A table with any usual column names → item_id, title, year, genres, tags."""
    plain = {name.split(":")[0].strip().strip('"').lower().replace(" ", "_"): name for name in table.column_names}
    found: dict[str, pa.ChunkedArray] = {}
    for column, names in KNOWN_NAMES.items():
        for name in names:
            if name in plain:
                found[column] = table[plain[name]]
                break
    if "item_id" not in found:
        raise InputError(
            f"{path}: cannot tell which column holds the item id; the columns are {', '.join(table.column_names)}: "
            f"call it item_id"
        )
    ids = found["item_id"].cast(pa.string())
    n = len(table)
    return pd.DataFrame(
        {
            "item_id": ids.to_pandas(),
            "title": pc.fill_null(found["title"].cast(pa.string()), ids).to_pandas() if "title" in found else ids,
            "year": found["year"].cast(pa.string()).to_pandas() if "year" in found else [None] * n,
            "genres": _lists(found.get("genres"), n, path),
            "tags": _lists(found.get("tags"), n, path),
        }
    )


def _lists(column: pa.ChunkedArray | None, n: int, path: Path) -> list[tuple[str, ...]]:
    """Lists, or words between | or , (or, in RecBole's files, blanks), as tuples."""
    if column is None:
        return [()] * n
    values = column.to_pylist()
    if pa.types.is_list(column.type) or pa.types.is_large_list(column.type):
        return [_words(value or []) for value in values]
    between = r"[|,]" if path.suffix != ".item" else r"\s+"
    return [_words(re.split(between, value or "")) for value in values]


def _words(values: list[str]) -> tuple[str, ...]:
    return tuple(word.strip() for word in values if word and word.strip() not in NO_GENRE)


def _year(value: object) -> int | None:
    """A year from "1995" or "1995-11-22"."""
    match = re.search(r"\b(1[89]\d\d|20\d\d)\b", "" if value is None else str(value))
    return int(match[1]) if match else None


def _ids(column: pd.Series) -> np.ndarray:
    """Integers when every id is one, as the ratings' reader has it."""
    text = column.astype("str").str.strip()
    if text.str.fullmatch(r"[+-]?\d{1,18}").all() and len(text):
        return text.astype(np.int64).to_numpy()
    return text.to_numpy(dtype=object)
