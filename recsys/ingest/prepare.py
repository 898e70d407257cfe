"""From a source of ratings to Interactions, Catalog and the rows that were set aside, with every row accounted for.

    read = kept + rejected + duplicates

Knows nothing of models, and of folders only how MovieLens lays out its own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numba
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import scipy.sparse as sp

from recsys.dataset.catalog import Catalog
from recsys.dataset.dataset import Dataset
from recsys.dataset.interactions import NO_TIME, Interactions
from recsys.errors import InputError
from recsys.ingest.items import read_titles
from recsys.ingest.layout import Columns
from recsys.ingest.ratings import read_ratings
from recsys.ingest.validation import REJECTED, Rules

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
) -> Dataset:
    """Read, check and order the ratings of a source.

    Rules of single rows are those of `Rules`. Then a row that repeats another exactly is dropped, and of several
    ratings of an item by a user the latest stays (by time, then by place in the file). Then users with fewer than
    `min_user` and items with fewer than `min_item` ratings are taken out, again and again until none is left (the
    k-core). Users and items are ordered by id; items nobody rated are left out of the catalogue and counted.

    Raises InputError, also when nothing usable is left. `on_progress(bytes read, bytes in all)`.
    """
    if min_user < 1 or min_item < 1:
        raise InputError("the least number of ratings of a user or item is at least 1")
    rows = _read_all(source.ratings, columns or Columns(), rules or Rules(), on_progress)
    name, rejected, n_usable = source.ratings.name, rows.rejected, len(rows.ratings)
    if n_usable == 0:
        if not len(rejected):
            raise InputError(f"{source.ratings}: has a header but no ratings")
        reason, count = Counter(rejected["reason"].to_pylist()).most_common(1)[0]
        line = rejected["line"][0].as_py()
        raise InputError(
            f"{source.ratings}: none of the {len(rejected):,} rows can be used; "
            f"most often: {reason} ({count:,} rows, the first is line {line})"
        )
    # From here on everything is in the order of the matrix; `place` says where in the file each row stood.
    place = _by_user_and_item(rows.users, rows.items, len(rows.user_ids), len(rows.item_ids))
    users, items, ratings, times = (rows.take(column, place) for column in ("users", "items", "ratings", "times"))
    repeated, again = _repeats(users, items, ratings, times)
    unique = np.ones(n_usable, dtype=bool)
    unique[repeated] = unique[again] = False
    core = _core(users, items, unique, min_user, min_item, len(rows.user_ids), len(rows.item_ids))
    too_few = f"fewer than {min_user} ratings by the user or {min_item} of the item"
    if not core.any():
        raise InputError(f"{source.ratings}: nothing is left: every row has {too_few}; ask for less")
    aside = [(repeated, REPEATED), (again, RATED_AGAIN), (np.flatnonzero(unique & ~core), too_few)]
    rejected = pa.concat_tables(
        [
            rejected,
            *(
                _set_aside(name, rows.lines_of(at if place is None else np.sort(place[at])), why)
                for at, why in aside
                if len(at)
            ),
        ]
    )
    n_aside, n_duplicates = n_usable - int(core.sum()), len(repeated) + len(again)
    if n_aside:
        users, items, ratings, times = users[core], items[core], ratings[core], times[core]
    interactions = _matrix(users, items, ratings, times, rows.user_ids, rows.item_ids)
    del rows, users, items, place
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
        "read": n_usable + len(rejected) - n_aside,
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
    return Dataset(interactions, catalog, rejected, report, source.ratings.stem)


@dataclass(eq=False)
class _Rows:
    """The usable rows of a file in their order, ids as places among the sorted distinct ones."""

    users: np.ndarray
    items: np.ndarray
    ratings: np.ndarray
    times: np.ndarray
    lines: list[range | np.ndarray]
    user_ids: np.ndarray
    item_ids: np.ndarray
    rejected: pa.Table

    def take(self, column: str, place: np.ndarray | None) -> np.ndarray:
        """A column in another order (None: this one). It is gone from here then: two of each would be too large."""
        values: np.ndarray = self.__dict__.pop(column)
        return values if place is None else values[place]

    def lines_of(self, rows: np.ndarray) -> np.ndarray:
        """Line numbers of some rows (ascending), int64."""
        ends = np.cumsum([len(lines) for lines in self.lines])
        block = np.searchsorted(ends, rows, side="right")
        return np.concatenate(
            [
                np.asarray(self.lines[b], dtype=np.int64)[rows[block == b] - (ends[b - 1] if b else 0)]
                for b in np.unique(block)
            ]
        )


def _read_all(path: Path, columns: Columns, rules: Rules, on_progress: Progress | None) -> _Rows:
    n_bytes = path.stat().st_size if path.exists() else 0
    users: list[pa.Array] = []
    items: list[pa.Array] = []
    ratings, times = [np.empty(0, dtype=np.float32)], [np.empty(0, dtype=np.int64)]
    lines: list[range | np.ndarray] = []
    rejected = [REJECTED.empty_table()]
    for block in read_ratings(path, columns, rules):
        rejected.append(block.rejected)
        if len(block.ratings):
            users.append(block.users)
            items.append(block.items)
            ratings.append(block.ratings)
            times.append(block.times)
            lines.append(block.lines)
        if on_progress is not None and block.bytes_read:
            on_progress(min(block.bytes_read, n_bytes), n_bytes)
    user_ids, user_places = _encode(users)
    item_ids, item_places = _encode(items)
    return _Rows(
        user_places,
        item_places,
        np.concatenate(ratings),
        np.concatenate(times),
        lines,
        user_ids,
        item_ids,
        pa.concat_tables(rejected),
    )


def _encode(parts: list[pa.DictionaryArray]) -> tuple[np.ndarray, np.ndarray]:
    """Sorted distinct ids, and each row's place among them (int32). Empties `parts`, which are large."""
    if not parts:
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int32)
    coded = pa.chunked_array(parts).unify_dictionaries()
    parts.clear()
    dictionary = coded.chunk(0).dictionary
    order = pc.sort_indices(dictionary).to_numpy()
    place = np.empty(len(order), dtype=np.int32)
    place[order] = np.arange(len(order), dtype=np.int32)
    ids = dictionary.take(pa.array(order)).to_numpy(zero_copy_only=False)
    return ids, np.concatenate([place[chunk.indices.to_numpy()] for chunk in coded.chunks])


def _by_user_and_item(users: np.ndarray, items: np.ndarray, n_users: int, n_items: int) -> np.ndarray | None:
    """The rows in order of user, then item, then place in the file; None if they stand so already, as MovieLens' do.

    Two counting sorts, the lesser key first.
    """
    if not _falls_somewhere(users, items):
        return None
    place = np.arange(len(users), dtype=np.int32 if len(users) < 2**31 else np.int64)
    return _stable_order(users, _stable_order(items, place, n_items), n_users)


@numba.njit(cache=True, nogil=True)
def _falls_somewhere(users, items):  # type: ignore[no-untyped-def]
    """Whether some row's (user, item) is less than the one before it."""
    for row in range(1, len(users)):
        if users[row] < users[row - 1] or (users[row] == users[row - 1] and items[row] < items[row - 1]):
            return True
    return False


@numba.njit(cache=True, nogil=True)
def _stable_order(keys, order, n_keys):  # type: ignore[no-untyped-def]
    """`order` rearranged so that `keys` rise along it; rows of equal keys stay as they were."""
    start = np.zeros(n_keys + 1, dtype=np.int64)
    for key in keys:
        start[key + 1] += 1
    for key in range(n_keys):
        start[key + 1] += start[key]
    arranged = np.empty_like(order)
    for row in order:
        arranged[start[keys[row]]] = row
        start[keys[row]] += 1
    return arranged


def _repeats(
    users: np.ndarray, items: np.ndarray, ratings: np.ndarray, times: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Rows that repeat an earlier one exactly, and rows that give way to a later rating of the same pair.

    The rows of a pair stand together, in the order of the file.
    """
    same_pair = (users[1:] == users[:-1]) & (items[1:] == items[:-1])
    several = np.flatnonzero(np.append(same_pair, False) | np.insert(same_pair, 0, False))
    if not len(several):
        return several, several
    pair = np.cumsum(np.insert(~same_pair, 0, True))[several]
    ratings, times = ratings[several], times[several]
    # Exact repeats first: the earliest row of a group of equals stays.
    order = np.lexsort((several, times, ratings, pair))
    here, before = order[1:], order[:-1]
    exact = here[(pair[here] == pair[before]) & (ratings[here] == ratings[before]) & (times[here] == times[before])]
    # Then the latest of what is left.
    left = np.setdiff1d(np.arange(len(several)), exact, assume_unique=True)
    order = left[np.lexsort((several[left], times[left], pair[left]))]
    again = order[:-1][pair[order[:-1]] == pair[order[1:]]]
    return np.sort(several[exact]), np.sort(several[again])


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
    """CSR of the rows that stayed, already in its order, over the users and items that still have any."""
    user_ids, users = _squeeze(user_ids, users)
    item_ids, items = _squeeze(item_ids, items)
    starts = np.concatenate([[0], np.cumsum(np.bincount(users, minlength=len(user_ids)))])
    matrix = sp.csr_matrix((ratings, items, starts), shape=(len(user_ids), len(item_ids)))
    return Interactions(matrix, user_ids, item_ids, None if (times == NO_TIME).all() else times)


def _squeeze(ids: np.ndarray, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Ids that some code uses, and the codes counted among these."""
    used = np.bincount(codes, minlength=len(ids)) > 0
    if used.all():
        return ids, codes
    return ids[used], (np.cumsum(used, dtype=np.int32) - 1)[codes]


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
