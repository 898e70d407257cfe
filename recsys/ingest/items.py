"""Read item tables (title, year, genres, tags): MovieLens' four layouts, other files, and DataFrames."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from recsys.dataset.catalog import MISSING_GENRES, Catalog
from recsys.dataset.titles import article_first, parse_year, split_year
from recsys.errors import InputError
from recsys.ingest.delimited import BYTES_PER_LINE, first_line, read_text, rows_of
from recsys.ingest.ids import clean, ids_of_texts, in_type_of, is_missing
from recsys.ingest.layout import check_unique, listed, plain_names, shortened
from recsys.ingest.tables import (
    PARQUET_ERRORS,
    arrow_table,
    as_text,
    column_chunks,
    column_names,
    id_texts,
    is_text,
    is_text_or_number,
    leaf_paths,
    open_parquet,
    plain_column,
    plain_type,
)
from recsys.limits import check_input, check_memory

ML_100K_GENRES = (
    "unknown Action Adventure Animation Children's Comedy Crime Documentary Drama Fantasy Film-Noir Horror Musical "
    "Mystery Romance Sci-Fi Thriller War Western"
).split()
"""The 19 genre flags at the end of each line of `u.item`, in the order of `u.genre`."""

MAX_TAGS = 30
"""At most this many tags are kept per item, the most frequent ones."""

MAX_TITLE = 300
MAX_WORDS, MAX_WORD = 100, 100
"""A longer title is cut to this many characters; so are longer lists of genres or tags, and longer words in them."""

KNOWN_NAMES = {
    "item_id": ("item_id", "itemid", "movie_id", "movieid", "item", "movie", "id", "asin", "product_id"),
    "title": ("title", "movie_title", "name", "item_name", "movie_name"),
    "year": ("year", "release_year", "release_date"),
    "genres": ("genres", "genre", "class", "categories", "category"),
    "tags": ("tags", "keywords"),
}
"""Column names that are recognised, compared without case and with blanks as underscores; earlier names win."""


class _Items(NamedTuple):
    """Columns of n items as they were read; an id that is missing is empty."""

    ids: pa.Array
    titles: Sequence[str | None]
    years: Sequence[object]
    genres: Sequence[tuple[str, ...]]
    tags: Sequence[tuple[str, ...]]


def read_items(path: Path, tags: Path | None = None) -> Catalog:
    """A catalog from `u.item`, `movies.dat`, `movies.csv`, RecBole's `.item`, or any CSV, TSV or Parquet table.

    path  a table needs a header with an item id column; title, year, genres and tags (lists, or words separated by | or
          a comma) are read where present. Of several rows of an item the first is used.
    tags  a MovieLens `tags.csv`

    Raises InputError naming the file, the line or column, and what is wrong.
    """
    if path.name == "u.item":
        items = _read_u_item(path)
    elif path.suffix == ".dat":
        items = _read_dat(path)
    elif path.suffix.lower() in (".parquet", ".pq"):
        items = _read_parquet(path)
    else:
        items = _read_csv(path)
    return _catalog(items, read_tags(tags) if tags is not None and tags.exists() else None)


def items_from_frame(frame: pd.DataFrame) -> Catalog:
    """A catalog from a DataFrame, by the rules of `read_items`. Raises InputError."""
    names = column_names(frame, "items")
    found = _find_columns(names, "items")
    return _catalog(_from_arrow(arrow_table(frame, list(found.values()), "items"), found, "items"))


def with_ids_like(catalog: Catalog, ids: np.ndarray, *, any_spelling: bool = False) -> Catalog:
    """The catalog with its ids in the type of `ids`; of text ids, only those that are whole numbers become integers.

    any_spelling  whether "007" is 7; otherwise an item with such an id is left out
    """
    texts = pa.array(catalog.item_ids.astype(str).tolist(), pa.string())
    converted, fits = in_type_of(texts, ids, any_spelling=any_spelling)
    return Catalog(catalog.items[fits].assign(item_id=converted[fits]).drop_duplicates("item_id"))


def _catalog(items: _Items, tags_of: dict[str, tuple[str, ...]] | None = None) -> Catalog:
    """A catalog of the items with an id; `tags_of` replaces tags by item id."""
    texts = clean(items.ids)
    rows = np.flatnonzero(~is_missing(texts))
    ids = ids_of_texts(texts.take(pa.array(rows)))
    first = ~pd.Series(ids).duplicated().to_numpy()
    rows, ids = rows[first], ids[first]
    titles, years, tags = [], [], []
    for row, text in zip(rows.tolist(), texts.take(pa.array(rows)).to_pylist(), strict=True):
        raw = items.titles[row]
        title, year = split_year((text if raw is None else raw)[:MAX_TITLE])
        titles.append("unknown" if title in MISSING_GENRES else article_first(title))
        years.append(year if year is not None else parse_year(items.years[row]))
        tags.append(items.tags[row] if tags_of is None else tags_of.get(text, items.tags[row]))
    return Catalog.of(ids, titles, years, [items.genres[row] for row in rows.tolist()], tags)


def read_tags(path: Path) -> dict[str, tuple[str, ...]]:
    """The tags by item id in a MovieLens `tags.csv` (userId, movieId, tag, …): lower case, most frequent first."""
    check_input(path, "file of tags")
    check_memory(path.stat().st_size * _TAGS_BYTES_PER_BYTE, path, "reading tags")
    try:
        table = pacsv.read_csv(
            pa.memory_map(str(path)),
            parse_options=pacsv.ParseOptions(newlines_in_values=True),
            convert_options=pacsv.ConvertOptions(
                include_columns=["movieId", "tag"], column_types={"movieId": pa.string(), "tag": pa.string()}
            ),
        )
    except (OSError, pa.ArrowException) as error:
        raise InputError(f"{path}: cannot be read as tags: {first_line(error)}") from None
    ids = clean(table["movieId"].combine_chunks())
    tags = pc.utf8_lower(clean(pc.fill_null(table["tag"], "").combine_chunks()))
    frame = pd.DataFrame({"movieId": ids.to_pandas(), "tag": tags.to_pandas()})
    counts = frame[frame["tag"] != ""].value_counts(["movieId", "tag"]).reset_index()
    counts = counts.sort_values(["movieId", "count", "tag"], ascending=[True, False, True], kind="stable")
    top = counts.groupby("movieId", sort=False).head(MAX_TAGS)
    return {str(item): tuple(group) for item, group in top.groupby("movieId", sort=False)["tag"]}


def _read_u_item(path: Path) -> _Items:
    """`id|title (year)|release date|video release date|IMDb URL|19 genre flags`, Latin-1."""
    text = read_text(path, "file of items", ("latin-1",))
    ids, titles, years, genres = [], [], [], []
    for _, row in rows_of(text, path, "|", quoted=False, n_fields=5 + len(ML_100K_GENRES)):
        ids.append(row[0])
        titles.append(row[1])
        years.append(row[2][-4:])
        genres.append(_words([genre for genre, flag in zip(ML_100K_GENRES, row[5:], strict=True) if flag == "1"]))
    return _Items(pa.array(ids, pa.string()), titles, years, genres, [()] * len(ids))


def _read_dat(path: Path) -> _Items:
    """`id::title (year)::genre|genre`: Latin-1 in ML-1M, UTF-8 in ML-10M."""
    text = read_text(path, "file of items", ("utf-8-sig", "latin-1")).replace("::", _ONE_CHARACTER)
    rows = [row for _, row in rows_of(text, path, _ONE_CHARACTER, quoted=False, n_fields=3)]
    genres = [_words(row[2].split("|")) for row in rows]
    ids, titles = pa.array([row[0] for row in rows], pa.string()), [row[1] for row in rows]
    return _Items(ids, titles, [None] * len(rows), genres, [()] * len(rows))


_ONE_CHARACTER = "\x1f"
_TAGS_BYTES_PER_BYTE = 10


def _read_csv(path: Path) -> _Items:
    """Delimited text with a header."""
    text = read_text(path, "file of items")
    header = next((line for line in text[: 2**16].splitlines() if line.strip()), "")
    if not header:
        raise InputError(f"{path}: is empty")
    delimiter = max("\t,;|", key=header.count)
    rows = rows_of(text, path, delimiter, quoted=delimiter != "\t")
    names = [cell.strip().strip('"').strip() for cell in next(rows)[1]]
    at = {column: names.index(name) for column, name in _find_columns(names, str(path)).items()}
    separator = r"\s+" if path.suffix == ".item" else r"[|,]"
    cells: dict[str, list[str]] = {column: [] for column in at}
    for _, row in rows:
        for column, position in at.items():
            cells[column].append(row[position])
    n = len(cells["item_id"])
    words = {
        name: [_words(re.split(separator, cell)) for cell in cells[name]] for name in ("genres", "tags") if name in at
    }
    return _Items(
        clean(pa.array(cells["item_id"], pa.string()), unquote=delimiter == "\t"),
        cells.get("title", [None] * n),
        cells.get("year", [None] * n),
        words.get("genres", [()] * n),
        words.get("tags", [()] * n),
    )


def _read_parquet(path: Path) -> _Items:
    """The columns of a Parquet table that are known by name."""
    check_input(path, "file of items")
    with open_parquet(path) as file:
        found = _find_columns(file.schema_arrow.names, str(path))
        for column, name in found.items():
            _check_type(file.schema_arrow.field(name).type, column, str(path), name)
        chunks = column_chunks(file, found.values(), path)
        leaves = leaf_paths(file, found.values()).values()
        needed = file.metadata.num_rows * BYTES_PER_LINE
        needed += sum(3 * chunk.total_uncompressed_size + 16 * chunk.num_values for chunk in chunks)
        check_memory(needed, path, f"reading {file.metadata.num_rows:,} items")
    try:
        with open_parquet(path, leaves) as file:
            table = file.read(list(found.values()))
    except PARQUET_ERRORS as error:
        raise InputError(f"{path}: cannot be read as a table of items: {first_line(error)}") from None
    return _from_arrow(table, found, str(path))


def _find_columns(names: Sequence[str], source: str) -> dict[str, str]:
    """The name of each known column that is present. Raises InputError without an item id, and for duplicate names."""
    plain = [name.strip('"') for name in plain_names(names)]
    found: dict[str, str] = {}
    for column, usual in KNOWN_NAMES.items():
        fit = next((name for name in usual if name in plain), None)
        if fit is not None:
            check_unique([name for name in plain if name == fit], source)
            found[column] = names[plain.index(fit)]
    if "item_id" not in found:
        raise InputError(
            f"{source}: cannot tell which column holds the item id; the columns are {listed(names)}: "
            f"rename it to item_id"
        )
    return found


def _check_type(kind: pa.DataType, column: str, source: str, name: str) -> None:
    """Raise InputError unless a column's type can hold what the known column holds."""
    if column in ("genres", "tags"):
        value, expected = _list_value(kind) or kind, "text or lists of text"
        is_fit = is_text(plain_type(value)) or pa.types.is_null(plain_type(value))
    else:
        expected = "text or numbers"
        is_fit = is_text_or_number(kind, or_time=column == "year")
    if not is_fit:
        raise InputError(f"{source}: column {shortened(name)!r} holds {shortened(str(kind))}, not {expected}")


def _list_value(kind: pa.DataType) -> pa.DataType | None:
    """The type of the values of a list type; None for others."""
    is_list = pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    return kind.value_type if is_list else None


def _from_arrow(table: pa.Table, found: dict[str, str], source: str) -> _Items:
    """The known columns of a table in memory. Raises InputError for other types."""
    n = len(table)
    columns: dict[str, pa.ChunkedArray] = {}
    for column, name in found.items():
        _check_type(table.field(name).type, column, source, name)
        columns[column] = table[name]
    years: Sequence[object] = [None] * n
    if "year" in columns:
        kind = plain_type(columns["year"].type)
        has_dates = pa.types.is_timestamp(kind) or pa.types.is_date(kind)
        years = columns["year"].cast(pa.string()).to_pylist() if has_dates else _texts(columns["year"])
    return _Items(
        id_texts(columns["item_id"], source),
        _texts(columns["title"]) if "title" in columns else [None] * n,
        years,
        _word_lists(columns["genres"]) if "genres" in columns else [()] * n,
        _word_lists(columns["tags"]) if "tags" in columns else [()] * n,
    )


def _chunks(column: pa.ChunkedArray) -> list[pa.Array]:
    """The chunks of a column, at least one."""
    return column.chunks or [pa.array([], column.type)]


def _texts(column: pa.ChunkedArray) -> list[str | None]:
    """A column of text or numbers as text, None where null; equal texts of a dictionary are one object."""
    texts: list[str | None] = []
    for chunk in _chunks(column):
        coded = as_text(plain_column(chunk))
        if pa.types.is_dictionary(coded.type):
            values = [*coded.dictionary.to_pylist(), None]
            texts += [values[at] for at in pc.fill_null(coded.indices, len(values) - 1).to_pylist()]
        else:
            texts += coded.to_pylist()
    return texts


def _word_lists(column: pa.ChunkedArray) -> list[tuple[str, ...]]:
    """The words in each row of a column of lists or of separated text."""
    lists: list[tuple[str, ...]] = []
    for chunk in _chunks(column):
        if _list_value(chunk.type) is None:
            split: dict[str | None, tuple[str, ...]] = {None: ()}
            for text in _texts(pa.chunked_array([chunk])):
                if text not in split:
                    split[text] = _words(re.split(r"[|,]", text or ""))
                lists.append(split[text])
            continue
        words = _texts(pa.chunked_array([chunk.flatten()]))
        end = 0
        for length in pc.fill_null(pc.list_value_length(chunk), 0).to_pylist():
            start, end = end, end + length
            lists.append(_words([word for word in words[start:end] if word is not None]))
    return lists


def _words(values: Sequence[str]) -> tuple[str, ...]:
    words = (word[: MAX_WORD * 2].strip()[:MAX_WORD] for word in values[:MAX_WORDS] if word)
    return tuple(word for word in words if word not in MISSING_GENRES)
