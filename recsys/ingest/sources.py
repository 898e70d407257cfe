"""Where ratings come from: a published dataset, a folder or file, or DataFrames; all become a Dataset the same way."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from pathlib import Path

import pandas as pd

from recsys.dataset.catalog import Catalog
from recsys.dataset.dataset import Dataset
from recsys.dataset.origins import Spelling
from recsys.errors import InputError
from recsys.ingest.blocks import Block
from recsys.ingest.datasets import published_dataset
from recsys.ingest.download import fetch
from recsys.ingest.items import items_from_frame, read_items
from recsys.ingest.layout import Columns
from recsys.ingest.prepare import Earlier, SourceFiles, check_minimums, prepare_blocks
from recsys.ingest.ratings import read_blocks
from recsys.ingest.tables import FRAME, frame_blocks
from recsys.ingest.validation import IdType, Role, Validation
from recsys.limits import check_input
from recsys.progress import Notify, Progress

ReadBlocks = Callable[[Path, Columns, Validation, "Mapping[Role, Spelling] | None"], Iterator[Block]]
"""Reads a file of ratings as `recsys.ingest.ratings.read_blocks` does."""

RATING_FILES = ("ratings.csv", "ratings.dat", "u.data", "ratings.parquet", "interactions.parquet", "ratings.tsv")
ITEM_FILES = ("movies.csv", "movies.dat", "u.item", "movies.parquet", "items.parquet", "items.csv")


@dataclass(frozen=True)
class Source:
    """The files of a dataset: ratings, and optionally a table of items and MovieLens tags.

    is_chosen  whether the user named the table of items, not found it in the folder
    """

    ratings: Path
    items: Path | None = None
    tags: Path | None = None
    is_chosen: bool = False


def read_ratings(
    path: str | Path,
    items: str | Path | None = None,
    *,
    columns: Mapping[str, str] | None = None,
    scale: tuple[float, float] | None = None,
    ids: IdType = "auto",
    min_user: int = 1,
    min_item: int = 1,
    name: str = "",
    on_progress: Progress | None = None,
) -> Dataset:
    """Read ratings from a CSV, TSV, `::`-separated or Parquet file, or from a folder in one of MovieLens' layouts.

    path         the file of ratings, one row per user and item, text optionally compressed with gzip; or a folder
    items        a table with an item id column and, where present, title, year, genres and tags; None: the one in the
                 folder, or none
    columns      the columns of the roles "user", "item", "rating" and "time": names from the header, or numbers from
                 "1" in a file without one. Roles that are not given are recognised by usual names. Without a rating
                 column every row is a rating of 1, without a time column ratings have no timestamps.
    scale        lowest and highest valid rating; None accepts every finite number
    ids          "integer", "string", or "auto": integer when most ids at the beginning are whole numbers
    min_user     leave out users with fewer ratings than this, and items with fewer than `min_item`, repeatedly until
                 all have enough (the k-core)
    name         the name of the dataset; empty: the name of the file or folder
    on_progress  called with bytes done and total bytes

    Timestamps are seconds since 1970 or ISO 8601 dates. Rows that are not usable are collected in `Dataset.rejected`
    with line and reason. Exact duplicates are dropped, and of several ratings of an item by a user the latest is kept.

    Raises InputError for a file that is missing, damaged or without a user or item column, and when no row is usable;
    SettingError for an invalid scale or type of ids.

    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "ratings.csv"
    >>> _ = file.write_text("user,movie,stars\\n1,10,4.5\\n1,20,9\\n2,10,3\\n")
    >>> data = read_ratings(file, columns={"rating": "stars"}, scale=(0.5, 5))
    >>> data
    Dataset('ratings', 2 users, 1 items, 2 ratings, 1 rejected rows)
    >>> data.rejected.to_pylist()[0]["line"], data.rejected.to_pylist()[0]["reason"]
    (3, 'rating is outside 0.5:5')
    """
    path = Path(path).expanduser()
    data = prepare_ratings(
        find_source(path, None if items is None else Path(items).expanduser()),
        columns=_columns(columns),
        validation=Validation(scale, ids),
        min_user=min_user,
        min_item=min_item,
        on_progress=on_progress,
    )
    return replace(data, name=name or path.stem)


def load_dataset(
    name: str,
    *,
    root: str | Path | None = None,
    min_user: int = 1,
    min_item: int = 1,
    on_progress: Callable[[int, int | None], None] | None = None,
    on_notice: Notify | None = None,
) -> Dataset:
    """Download a published dataset unless it is already present, and read it with its own rating scale.

    name         one of `recsys.ingest.datasets.DATASETS`, such as "ml-100k" (MovieLens 100K)
    root         the folder for downloads; None: `RECSYS_DATA`, or `data` in the current folder
    min_user     as in `read_ratings`, like `min_item`
    on_progress  called during the download with bytes done and total bytes (None: unknown)
    on_notice    called with the licence after a download, and with other messages for the user

    Raises InputError for an unknown name, Unavailable when the download fails.

    >>> load_dataset("ml-100k")  # doctest: +SKIP
    Dataset('ml-100k', 943 users, 1682 items, 100000 ratings, 0 rejected rows)
    """
    published = published_dataset(name)
    folder = fetch(name, None if root is None else Path(root), on_progress=on_progress, on_notice=on_notice)
    validation = Validation(published.rating_scale)
    data = prepare_ratings(find_source(folder), validation=validation, min_user=min_user, min_item=min_item)
    return replace(data, name=name)


def prepare_frame(
    ratings: pd.DataFrame,
    items: pd.DataFrame | None = None,
    *,
    columns: Mapping[str, str] | None = None,
    scale: tuple[float, float] | None = None,
    ids: IdType = "auto",
    min_user: int = 1,
    min_item: int = 1,
    name: str = "",
) -> Dataset:
    """A Dataset from DataFrames; see `Dataset.from_frame`."""
    validation = Validation(scale, ids)
    check_minimums(min_user, min_item)
    files = SourceFiles()
    return prepare_blocks(
        files.read(FRAME, frame_blocks(ratings, _columns(columns), validation)),
        None if items is None else lambda: items_from_frame(items),
        source="ratings",
        files=files,
        validation=validation,
        min_user=min_user,
        min_item=min_item,
        name=name,
    )


def find_source(path: Path, items: Path | None = None) -> Source:
    """The files of a folder in one of MovieLens' layouts, or a single file of ratings. Raises InputError."""
    if items is not None:
        check_input(items, "file of items")
    try:
        is_folder = path.is_dir()
    except OSError:  # `check_input` says why
        is_folder = False
    if not is_folder:
        check_input(path, "file or folder, and no dataset has that name")
        return Source(path, items, is_chosen=items is not None)
    ratings = _first_file(path, RATING_FILES, "*.inter")
    if ratings is None:
        raise InputError(
            f"{path}: contains none of {', '.join(RATING_FILES)} and no RecBole .inter file; name a file of ratings"
        )
    tags = path / "tags.csv"
    return Source(
        ratings, items or _first_file(path, ITEM_FILES, "*.item"), tags if tags.is_file() else None, items is not None
    )


def prepare_ratings(
    *sources: Source,
    columns: Columns | None = None,
    validation: Validation | None = None,
    min_user: int = 1,
    min_item: int = 1,
    on_progress: Progress | None = None,
    read: ReadBlocks = read_blocks,
) -> Dataset:
    """Read and prepare the files of sources, their rows in this order; see `read_ratings` for the rules and errors.

    The first source with rows decides the type of ids, the first one with a table of items describes the items. `read`
    reads the files of ratings.
    """
    check_minimums(min_user, min_item)
    files, rules = SourceFiles(), validation or Validation()
    return _prepare(sources, files, None, columns, rules, min_user, min_item, on_progress, read)


def append_ratings(
    earlier: Earlier,
    *sources: Source,
    columns: Columns | None = None,
    on_progress: Progress | None = None,
) -> Dataset:
    """Prepared data with the ratings of further sources: what `prepare_ratings` makes of all sources at once, without
    reading the first ones again. A table of items that the user chose replaces the stored one."""
    settings = earlier.report["settings"]
    scale = settings["scale"]
    return _prepare(
        sources,
        earlier.files,
        earlier,
        columns,
        Validation(None if scale is None else (scale[0], scale[1]), earlier.ids),
        settings["min_user"],
        settings["min_item"],
        on_progress,
    )


def _prepare(
    sources: Sequence[Source],
    files: SourceFiles,
    earlier: Earlier | None,
    columns: Columns | None,
    validation: Validation,
    min_user: int,
    min_item: int,
    on_progress: Progress | None,
    read: ReadBlocks = read_blocks,
) -> Dataset:
    described = next((source for source in sources if source.items is not None), None)
    read_catalog: Callable[[], Catalog] | None = None
    if described is not None and described.items is not None:
        read_catalog = partial(read_items, described.items, described.tags)
    if earlier is not None and earlier.described is not None and not (described and described.is_chosen):
        read_catalog = partial(Catalog, earlier.described.items)

    def blocks() -> Iterator[Block]:
        if earlier is not None:
            yield from earlier.blocks()
        done, total = 0, sum(_size(source.ratings) for source in sources)
        for source in sources:
            found = read(source.ratings, columns or Columns(), validation, files.spelling or None)
            for block in files.read(source.ratings.name, found):
                yield block
                if on_progress is not None and block.bytes_read:
                    on_progress(min(done + block.bytes_read, total), total)
            done += _size(source.ratings)

    return prepare_blocks(
        blocks(),
        read_catalog,
        source=", ".join(str(source.ratings) for source in sources),
        files=files,
        validation=validation,
        min_user=min_user,
        min_item=min_item,
        name=sources[0].ratings.stem,
        earlier=earlier,
    )


def _size(path: Path) -> int:
    """Bytes of a file; 0 if it is missing, which its reader reports."""
    return path.stat().st_size if path.exists() else 0


def _columns(columns: Mapping[str, str] | None) -> Columns:
    """A mapping role → column as Columns. Raises InputError for unknown roles."""
    roles = [field.name for field in fields(Columns)]
    for role in columns or ():
        if role not in roles:
            raise InputError(f"columns: unknown role {role!r}: use {', '.join(roles)}")
    return Columns(**{role: str(column) for role, column in (columns or {}).items()})


def _first_file(folder: Path, names: tuple[str, ...], pattern: str) -> Path | None:
    """The first of the names that is a file in the folder, else the first file that matches the pattern."""
    for name in names:
        if (folder / name).is_file():
            return folder / name
    matches = sorted(folder.glob(pattern))
    return matches[0] if matches else None
