"""From a source of ratings to Interactions, Catalog and the rows that were set aside, with every row accounted for.

    read = kept + rejected + duplicates

Knows nothing of models, and of folders only how MovieLens lays out its own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import scipy.sparse as sp

from recsys.catalog import Catalog
from recsys.errors import InputError
from recsys.etl.ratings import REJECTED, Columns, Rules, read_ratings
from recsys.etl.titles import read_titles
from recsys.interactions import NO_TIME, Interactions

REPEATED = "repeats an earlier row exactly"
RATED_AGAIN = "the same user rated the same item again later"

RATING_FILES = ("ratings.csv", "ratings.dat", "u.data", "ratings.parquet", "interactions.parquet", "ratings.tsv")
ITEM_FILES = ("movies.csv", "movies.dat", "u.item", "movies.parquet", "items.parquet", "items.csv")

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Source:
    """Where the ratings, and what is known of the items, lie."""

    ratings: Path
    items: Path | None = None
    tags: Path | None = None


@dataclass(frozen=True, eq=False)
class Prepared:
    """Data ready for learning, and the account of how it came about.

    rejected  table (file, line, reason, text) of every row that was not used
    report    counts: read, kept, rejected, duplicates, reasons, users, items and the settings
    """

    interactions: Interactions
    catalog: Catalog
    rejected: pa.Table
    report: dict[str, Any]


def find_source(path: Path, items: Path | None = None) -> Source:
    """The files of a folder in any of MovieLens' layouts, or a single file of ratings. Raises InputError."""
    if not path.exists():
        raise InputError(f"{path}: no such file or folder, and no dataset has that name")
    if items is not None and not items.is_file():
        raise InputError(f"{items}: no such file of items")
    if path.is_file():
        return Source(path, items)
    ratings = _first(path, RATING_FILES, "*.inter")
    if ratings is None:
        raise InputError(
            f"{path}: holds none of {', '.join(RATING_FILES)} or a RecBole .inter file; name a file of ratings instead"
        )
    tags = path / "tags.csv"
    return Source(ratings, items or _first(path, ITEM_FILES, "*.item"), tags if tags.is_file() else None)


def prepare_ratings(
    source: Source,
    *,
    columns: Columns | None = None,
    rules: Rules | None = None,
    min_user: int = 1,
    min_item: int = 1,
    on_progress: Progress | None = None,
) -> Prepared:
    """Read, check and order the ratings of a source.

    Rules of single rows are those of `Rules`. Then a row that repeats another exactly is dropped, and of several
    ratings of an item by a user the latest stays (by time, then by place in the file). Then users with fewer than
    `min_user` and items with fewer than `min_item` ratings are taken out, again and again until none is left (the
    k-core). Users and items are ordered by id; items nobody rated are left out of the catalogue and counted.

    Raises InputError, also when nothing usable is left. `on_progress(bytes read, bytes in all)`.
    """
    if min_user < 1 or min_item < 1:
        raise InputError("the least number of ratings of a user or item is at least 1")
    users, items, ratings, times, lines, rejected = _read_all(
        source.ratings, columns or Columns(), rules or Rules(), on_progress
    )
    n_kept_by_row = len(ratings)
    name = source.ratings.name
    if n_kept_by_row == 0:
        if not len(rejected):
            raise InputError(f"{source.ratings}: has a header but no ratings")
        reason, count = Counter(rejected["reason"].to_pylist()).most_common(1)[0]
        line = rejected["line"][0].as_py()
        raise InputError(
            f"{source.ratings}: none of the {len(rejected):,} rows can be used; "
            f"most often: {reason} ({count:,} rows, the first is line {line})"
        )
    user_ids, user_codes = _encode(users)
    item_ids, item_codes = _encode(items)
    del users, items

    repeated, again = _repeats(user_codes, item_codes, ratings, times, len(item_ids))
    unique = np.ones(n_kept_by_row, dtype=bool)
    unique[repeated] = unique[again] = False
    core = _core(user_codes, item_codes, unique, min_user, min_item, len(user_ids), len(item_ids))
    too_few = f"fewer than {min_user} ratings by the user or {min_item} of the item"
    if not core.any():
        raise InputError(f"{source.ratings}: nothing is left: every row has {too_few}; ask for less")

    thin = np.flatnonzero(unique & ~core)
    aside = [(repeated, REPEATED), (again, RATED_AGAIN), (thin, too_few)]
    rejected = pa.concat_tables(
        [rejected, *(_set_aside(name, lines[rows], reason) for rows, reason in aside if len(rows))]
    )
    n_aside, n_duplicates = n_kept_by_row - int(core.sum()), len(repeated) + len(again)
    if not core.all():
        user_codes, item_codes, ratings, times = user_codes[core], item_codes[core], ratings[core], times[core]
    interactions = _matrix(user_codes, item_codes, ratings, times, user_ids, item_ids)
    n_described, catalog = 0, Catalog.of(interactions.item_ids)
    if source.items is not None:
        described = read_titles(source.items, source.tags)
        n_described = len(described)
        if described.item_ids.dtype != interactions.item_ids.dtype:
            described = _retyped(described, interactions.item_ids)
        catalog = described.take(interactions.item_ids)
        n_unrated = int((interactions.item_index.get_indexer(described.index) < 0).sum())
        n_untitled = int((described.index.get_indexer(interactions.item_index) < 0).sum())
    else:
        n_unrated, n_untitled = 0, len(catalog)
    report = {
        "source": name,
        "read": n_kept_by_row + len(rejected) - n_aside,
        "kept": interactions.n_ratings,
        "rejected": len(rejected) - n_duplicates,
        "duplicates": n_duplicates,
        "reasons": dict(sorted(Counter(rejected["reason"].to_pylist()).items())),
        "users": interactions.n_users,
        "items": interactions.n_items,
        "items_without_metadata": n_untitled,
        "items_described": n_described,
        "items_described_but_not_rated": n_unrated,
        "ratings_without_time": int((times == NO_TIME).sum()),
        "settings": {
            "scale": None if rules is None or rules.scale is None else list(rules.scale),
            "min_user": min_user,
            "min_item": min_item,
        },
        "data_fingerprint": interactions.fingerprint,
    }
    return Prepared(interactions, catalog, rejected, report)


def _read_all(
    path: Path, columns: Columns, rules: Rules, on_progress: Progress | None
) -> tuple[pa.ChunkedArray, pa.ChunkedArray, np.ndarray, np.ndarray, np.ndarray, pa.Table]:
    blocks, n_bytes = [], path.stat().st_size if path.exists() else 0
    for block in read_ratings(path, columns, rules):
        blocks.append(block)
        if on_progress is not None and block.bytes_read:
            on_progress(min(block.bytes_read, n_bytes), n_bytes)
    if not blocks:
        empty = pa.chunked_array([], pa.int64())
        none = np.empty(0)
        return empty, empty, none, none, none, REJECTED.empty_table()
    return (
        pa.chunked_array([block.users for block in blocks]),
        pa.chunked_array([block.items for block in blocks]),
        np.concatenate([block.ratings for block in blocks]),
        np.concatenate([block.times for block in blocks]),
        np.concatenate([block.lines for block in blocks]),
        pa.concat_tables([block.rejected for block in blocks]),
    )


def _encode(column: pa.ChunkedArray) -> tuple[np.ndarray, np.ndarray]:
    """Sorted distinct ids, and each row's place among them (int32)."""
    coded = column.combine_chunks().dictionary_encode()
    if isinstance(coded, pa.ChunkedArray):
        coded = coded.combine_chunks()
    order = pc.sort_indices(coded.dictionary).to_numpy()
    place = np.empty(len(order), dtype=np.int32)
    place[order] = np.arange(len(order), dtype=np.int32)
    ids = coded.dictionary.take(pa.array(order)).to_numpy(zero_copy_only=False)
    return ids, place[coded.indices.to_numpy()]


def _repeats(
    users: np.ndarray, items: np.ndarray, ratings: np.ndarray, times: np.ndarray, n_items: int
) -> tuple[np.ndarray, np.ndarray]:
    """Rows that repeat an earlier one exactly, and rows that give way to a later rating of the same pair."""
    pair = users.astype(np.int64) * n_items + items
    ordered = np.sort(pair)
    twice = np.unique(ordered[1:][ordered[1:] == ordered[:-1]])
    if not len(twice):
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
    place = np.minimum(np.searchsorted(twice, pair), len(twice) - 1)
    rows = np.flatnonzero(twice[place] == pair)
    # Exact repeats first: the earliest row of a group of equals stays.
    order = rows[np.lexsort((rows, times[rows], ratings[rows], pair[rows]))]
    here, before = order[1:], order[:-1]
    same = (pair[here] == pair[before]) & (ratings[here] == ratings[before]) & (times[here] == times[before])
    exact = np.sort(here[same])
    # Then the latest of what is left.
    rows = np.setdiff1d(rows, exact, assume_unique=True)
    order = rows[np.lexsort((rows, times[rows], pair[rows]))]
    return exact, np.sort(order[:-1][pair[order[:-1]] == pair[order[1:]]])


def _set_aside(name: str, lines: np.ndarray, reason: str) -> pa.Table:
    n = len(lines)
    return pa.table([pa.repeat(name, n), lines, pa.repeat(reason, n), pa.nulls(n, pa.string())], schema=REJECTED)


def _core(
    users: np.ndarray, items: np.ndarray, keep: np.ndarray, min_user: int, min_item: int, n_users: int, n_items: int
) -> np.ndarray:
    """The k-core: rows whose user and item both keep enough rows among the rows that stay."""
    keep = keep.copy()
    while min_user > 1 or min_item > 1:
        per_user = np.bincount(users[keep], minlength=n_users)
        per_item = np.bincount(items[keep], minlength=n_items)
        stays = keep & (per_user[users] >= min_user) & (per_item[items] >= min_item)
        if stays.sum() == keep.sum():
            break
        keep = stays
    return keep


def _matrix(
    users: np.ndarray,
    items: np.ndarray,
    ratings: np.ndarray,
    times: np.ndarray,
    user_ids: np.ndarray,
    item_ids: np.ndarray,
) -> Interactions:
    """CSR of the rows that stayed, over the users and items that still have any."""
    user_ids, rows = _squeeze(user_ids, users)
    item_ids, columns = _squeeze(item_ids, items)
    shape = (len(user_ids), len(item_ids))
    # Carrying places as values lets one sort serve both ratings and times; +1 because a zero might be dropped.
    places = np.arange(1, len(rows) + 1, dtype=np.int32 if len(rows) < 2**31 - 1 else np.int64)
    order = sp.csr_matrix((places, (rows, columns)), shape=shape)
    order.sort_indices()
    place = order.data - 1
    matrix = sp.csr_matrix((ratings[place], order.indices, order.indptr), shape=shape)
    stamps = None if (times == NO_TIME).all() else times[place]
    return Interactions(matrix, user_ids, item_ids, stamps)


def _squeeze(ids: np.ndarray, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Ids that some code uses, and the codes counted among these."""
    used = np.bincount(codes, minlength=len(ids)) > 0
    if used.all():
        return ids, codes
    return ids[used], (np.cumsum(used) - 1)[codes]


def _retyped(catalog: Catalog, like: np.ndarray) -> Catalog:
    """A catalogue whose ids are read as the ratings' ids are: text, or the whole numbers among them."""
    items = catalog.items
    if like.dtype == object:
        return Catalog(items.assign(item_id=catalog.item_ids.astype(str).astype(object)))
    whole = items["item_id"].astype("str").str.fullmatch(r"[+-]?\d{1,18}").to_numpy(dtype=bool)
    kept = items[whole].assign(item_id=items["item_id"][whole].astype(np.int64))
    return Catalog(kept.drop_duplicates("item_id"))


def _first(folder: Path, names: tuple[str, ...], pattern: str) -> Path | None:
    for name in names:
        if (folder / name).is_file():
            return folder / name
    matches = sorted(folder.glob(pattern))
    return matches[0] if matches else None
