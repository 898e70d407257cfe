"""From validated blocks of rows to a Dataset: duplicates, the k-core, the order of the matrix, and the counts.

Every row is accounted for: read = kept + rejected + duplicates.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numba
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import scipy.sparse as sp

from recsys.dataset.catalog import Catalog
from recsys.dataset.dataset import Dataset
from recsys.dataset.interactions import NO_TIME, Interactions
from recsys.errors import InputError
from recsys.ingest.blocks import Block
from recsys.ingest.items import with_ids_like
from recsys.ingest.tables import BYTES_PER_RATING
from recsys.ingest.validation import (
    MAX_TEXT_BYTES,
    REJECTED_IN_MEMORY,
    Validation,
    reason_counts,
    rejected_table,
)
from recsys.limits import check_memory, memory_limit

EXACT_DUPLICATE = "exact duplicate of an earlier row"
RATED_AGAIN = "replaced by a later rating of the same item by the same user"

BYTES_PER_REJECTED = 40
"""Memory for each rejected row, besides its text."""
BYTES_PER_DISTINCT_ID = 200
"""Memory for each distinct id, besides its text: hash tables, and strings in Python."""


def check_minimums(min_user: int, min_item: int) -> None:
    """Raise InputError unless the minimum numbers of ratings are at least 1."""
    if min_user < 1 or min_item < 1:
        raise InputError("the minimum number of ratings per user and per item must be at least 1")


def prepare_blocks(
    blocks: Iterable[Block],
    read_catalog: Callable[[], Catalog] | None,
    *,
    source: str,
    file: str,
    validation: Validation,
    min_user: int,
    min_item: int,
    name: str,
) -> Dataset:
    """Combine blocks of validated rows into a Dataset, users and items ordered by id.

    An exact duplicate of an earlier row is dropped. Of several ratings of an item by a user the latest is kept, by
    time, then by position in the source. Then users with fewer than `min_user` and items with fewer than `min_item`
    ratings are dropped, repeatedly until all that are left have enough. Items without ratings are left out of the
    catalog.

    read_catalog  returns the catalog; called after the ratings are read, when memory is free again. None: no catalog
    source        names the ratings in errors
    file          names the ratings in the report and in the table of rejected rows

    Raises InputError when no row is usable or none is left.
    """
    rows = _collect(blocks, source)
    rejected, n_usable = rows.rejected, len(rows.ratings)
    if n_usable == 0:
        if not len(rejected):
            raise InputError(f"{source}: contains no ratings")
        reason, count = max(reason_counts(rejected).items(), key=lambda pair: pair[1])
        line = rejected["line"][0].as_py()
        raise InputError(
            f"{source}: none of the {len(rejected):,} rows is usable; "
            f"most common reason: {reason} ({count:,} rows; the first rejected row is line {line})"
        )
    # From here on rows are in matrix order; `order` holds the position of each in the source.
    order = _by_user_and_item(rows.users, rows.items, len(rows.user_ids), len(rows.item_ids))
    users, items, ratings, times = (rows.take(column, order) for column in ("users", "items", "ratings", "times"))
    duplicate, again = _duplicates(users, items, ratings, times)
    unique = np.ones(n_usable, dtype=bool)
    unique[duplicate] = unique[again] = False
    core = _core(users, items, unique, min_user, min_item, len(rows.user_ids), len(rows.item_ids))
    too_few = f"fewer than {min_user} ratings by the user or {min_item} of the item"
    if not core.any():
        raise InputError(f"{source}: no rows are left, all have {too_few}; use lower minimums")
    dropped = [(duplicate, EXACT_DUPLICATE), (again, RATED_AGAIN), (np.flatnonzero(unique & ~core), too_few)]
    rejected = pa.concat_tables(
        [
            rejected,
            *(
                _dropped_rows(file, rows.lines_of(at if order is None else np.sort(order[at])), reason)
                for at, reason in dropped
                if len(at)
            ),
        ]
    )
    n_dropped, n_duplicates = n_usable - int(core.sum()), len(duplicate) + len(again)
    if n_dropped:
        users, items, ratings, times = users[core], items[core], ratings[core], times[core]
    interactions = _matrix(users, items, ratings, times, rows.user_ids, rows.item_ids)
    del rows, users, items, order
    n_described, n_unrated, n_untitled = 0, 0, interactions.n_items
    with ThreadPoolExecutor(1) as pool:  # hashing runs beside the reading of the catalog
        fingerprint = pool.submit(lambda: interactions.fingerprint)
        if read_catalog is None:
            catalog = Catalog.of(interactions.item_ids)
        else:
            described = read_catalog()
            n_described = len(described)
            if described.item_ids.dtype != interactions.item_ids.dtype:
                described = with_ids_like(described, interactions.item_ids, any_spelling=validation.ids == "integer")
            catalog = described.take(interactions.item_ids)
            n_unrated = int((interactions.item_index.get_indexer(described.index) < 0).sum())
            n_untitled = int((described.index.get_indexer(interactions.item_index) < 0).sum())
    report = {
        "source": file,
        "read": n_usable + len(rejected) - n_dropped,
        "kept": interactions.n_ratings,
        "rejected": len(rejected) - n_duplicates,
        "duplicates": n_duplicates,
        "reasons": reason_counts(rejected),
        "users": interactions.n_users,
        "items": interactions.n_items,
        "items_without_metadata": n_untitled,
        "items_described": n_described,
        "items_described_but_not_rated": n_unrated,
        "ratings_without_time": int((times == NO_TIME).sum()),
        "settings": {
            "scale": None if validation.scale is None else list(validation.scale),
            "min_user": min_user,
            "min_item": min_item,
        },
        "data_fingerprint": fingerprint.result(),
    }
    return Dataset(interactions, catalog, rejected, report, name)


@dataclass(eq=False)
class _Rows:
    """The usable rows of a source in their order; users and items are positions in the sorted distinct ids."""

    users: np.ndarray
    items: np.ndarray
    ratings: np.ndarray
    times: np.ndarray
    lines: list[range | np.ndarray]
    user_ids: np.ndarray
    item_ids: np.ndarray
    rejected: pa.Table

    def take(self, column: str, order: np.ndarray | None) -> np.ndarray:
        """A column in another order (None: as it is). Removes the column here, to save the memory of a second one."""
        values: np.ndarray = self.__dict__.pop(column)
        return values if order is None else values[order]

    def lines_of(self, rows: np.ndarray) -> np.ndarray:
        """Line numbers of some rows (ascending positions), int64."""
        ends = np.cumsum([len(lines) for lines in self.lines])
        block = np.searchsorted(ends, rows, side="right")
        return np.concatenate(
            [
                np.asarray(self.lines[b], dtype=np.int64)[rows[block == b] - (ends[b - 1] if b else 0)]
                for b in np.unique(block)
            ]
        )


def _collect(blocks: Iterable[Block], source: str) -> _Rows:
    """All blocks in one. Raises InputError when they need more memory than may be used."""
    users, items = _Ids(), _Ids()
    ratings, times = _Column(np.float32), _Column(np.int64)
    lines: list[range | np.ndarray] = []
    rejected = [REJECTED_IN_MEMORY.empty_table()]
    limit, n_bytes, n_rows, text_bytes = memory_limit(), 0, 0, 0
    for block in blocks:
        n_rows += len(block.ratings) + len(block.rejected)
        n_bytes += len(block.ratings) * BYTES_PER_RATING + len(block.rejected) * BYTES_PER_REJECTED
        if len(block.rejected):
            text_bytes += block.rejected["text"].nbytes
            if text_bytes > MAX_TEXT_BYTES:
                texts = pa.nulls(len(block.rejected), pa.string())
                block = block._replace(rejected=block.rejected.set_column(3, "text", texts))
            rejected.append(block.rejected)
        new = sum(
            ids.dictionary.nbytes + len(ids.dictionary) * BYTES_PER_DISTINCT_ID for ids in (block.users, block.items)
        )
        needed = n_bytes + new + users.n_bytes + items.n_bytes + min(text_bytes, MAX_TEXT_BYTES)
        check_memory(needed, source, f"preparing {n_rows:,} rows or more", limit)
        if len(block.ratings):
            users.append(block.users)
            items.append(block.items)
            ratings.append(block.ratings)
            times.append(block.times)
            lines.append(block.lines)
    user_ids, user_rows = users.encode()
    item_ids, item_rows = items.encode()
    return _Rows(
        user_rows, item_rows, ratings.values, times.values, lines, user_ids, item_ids, pa.concat_tables(rejected)
    )


class _Column:
    """A column that grows by one block at a time, in place: the system moves its pages, not their content."""

    def __init__(self, kind: type[np.generic]) -> None:
        self.values = np.empty(0, dtype=kind)

    def append(self, values: np.ndarray) -> None:
        n = len(self.values)
        self.values.resize(n + len(values), refcheck=False)  # nothing else refers to it while it grows
        self.values[n:] = values


class _Ids:
    """The ids of all rows as positions in one dictionary, to which those of the blocks are added from time to time."""

    FEWEST = 2**16
    """Dictionaries of blocks wait until they have this many ids, and as many as the common one."""

    def __init__(self) -> None:
        self._rows, self._known = _Column(np.int32), pa.nulls(0)
        self._waiting: list[pa.Array] = []
        self._ends = [0]
        self._n_waiting = 0

    def append(self, ids: pa.DictionaryArray) -> None:
        self._rows.append(ids.indices.to_numpy())
        self._waiting.append(ids.dictionary)
        self._ends.append(self._ends[-1] + len(ids))
        self._n_waiting += len(ids.dictionary)
        if self._n_waiting >= max(len(self._known), self.FEWEST):
            self._merge()

    @property
    def n_bytes(self) -> int:
        """Memory for the dictionaries."""
        n_ids = len(self._known) + self._n_waiting
        texts = self._known.nbytes + sum(ids.nbytes for ids in self._waiting)
        return n_ids * BYTES_PER_DISTINCT_ID + int(texts)

    def _merge(self) -> None:
        known = [self._known] if len(self._known) else []
        merged = pa.chunked_array(
            pa.DictionaryArray.from_arrays(pa.array(np.arange(len(ids), dtype=np.int32)), ids)
            for ids in known + self._waiting
        ).unify_dictionaries()  # the known ids stay the first ones
        for start, end, chunk in zip(self._ends, self._ends[1:], merged.chunks[len(known) :], strict=False):
            _renumber(self._rows.values[start:end], chunk.indices.to_numpy())
        self._known = merged.chunk(0).dictionary
        self._waiting, self._ends, self._n_waiting = [], self._ends[-1:], 0

    def encode(self) -> tuple[np.ndarray, np.ndarray]:
        """Sorted distinct ids, and the position of each row's id in them (int32)."""
        if self._waiting:
            self._merge()
        rows = self._rows.values
        if not len(self._known):
            return np.empty(0, dtype=np.int64), rows
        order = pc.sort_indices(self._known).to_numpy()
        position = np.empty(len(order), dtype=np.int32)
        position[order] = np.arange(len(order), dtype=np.int32)
        _renumber(rows, position)
        return self._known.take(pa.array(order)).to_numpy(zero_copy_only=False), rows


def _by_user_and_item(users: np.ndarray, items: np.ndarray, n_users: int, n_items: int) -> np.ndarray | None:
    """The order by user, then item, then position in the source; None if rows already have it, as in MovieLens' files.

    Two counting sorts, the minor key first.
    """
    if _is_sorted(users, items):
        return None
    position = np.arange(len(users), dtype=np.int32 if len(users) < 2**31 else np.int64)
    order: np.ndarray = _stable_order(users, _stable_order(items, position, n_items), n_users)
    return order


@numba.njit(cache=True, nogil=True)
def _is_sorted(users, items):  # type: ignore[no-untyped-def]
    """Whether (user, item) never decreases from row to row."""
    for row in range(1, len(users)):
        if users[row] < users[row - 1] or (users[row] == users[row - 1] and items[row] < items[row - 1]):
            return False
    return True


@numba.njit(cache=True, nogil=True)
def _stable_order(keys, order, n_keys):  # type: ignore[no-untyped-def]
    """`order` sorted by `keys`; rows of equal keys keep their order."""
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


def _duplicates(
    users: np.ndarray, items: np.ndarray, ratings: np.ndarray, times: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Rows that exactly repeat an earlier one, and rows replaced by a later rating of the same user and item.

    The rows of a pair are adjacent, in the order of the source.
    """
    same_pair = (users[1:] == users[:-1]) & (items[1:] == items[:-1])
    several = np.flatnonzero(np.append(same_pair, False) | np.insert(same_pair, 0, False))
    if not len(several):
        return several, several
    pair = np.cumsum(np.insert(~same_pair, 0, True))[several]
    ratings, times = ratings[several], times[several]
    # Exact duplicates: the earliest row of a group of equal ones stays.
    order = np.lexsort((several, times, ratings, pair))
    this, before = order[1:], order[:-1]
    exact = this[(pair[this] == pair[before]) & (ratings[this] == ratings[before]) & (times[this] == times[before])]
    # Of the rows left, the latest of each pair stays.
    left = np.setdiff1d(np.arange(len(several)), exact, assume_unique=True)
    order = left[np.lexsort((several[left], times[left], pair[left]))]
    again = order[:-1][pair[order[:-1]] == pair[order[1:]]]
    return np.sort(several[exact]), np.sort(several[again])


def _dropped_rows(file: str, lines: np.ndarray, reason: str) -> pa.Table:
    """The table of rejected rows for valid rows that were dropped."""
    n = len(lines)
    return rejected_table(file, lines, pa.array(np.zeros(n, dtype=np.int32)), [reason], pa.nulls(n, pa.string()))


def _core(
    users: np.ndarray, items: np.ndarray, keep: np.ndarray, min_user: int, min_item: int, n_users: int, n_items: int
) -> np.ndarray:
    """Mask of the k-core: rows whose user and item have at least the minimum number of rows in the core."""
    keep = keep.copy()
    while min_user > 1 or min_item > 1:
        per_user = _counts(users[keep], n_users)
        per_item = _counts(items[keep], n_items)
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
    """The matrix of rows that are already in its order, over the users and items that have any."""
    user_ids, users = _used_only(user_ids, users)
    item_ids, items = _used_only(item_ids, items)
    starts = np.concatenate([[0], np.cumsum(_counts(users, len(user_ids)))])
    matrix = sp.csr_matrix((ratings, items, starts), shape=(len(user_ids), len(item_ids)))
    return Interactions(matrix, user_ids, item_ids, None if (times == NO_TIME).all() else times)


def _used_only(ids: np.ndarray, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The ids that occur in `codes`, and the codes renumbered accordingly."""
    used = _counts(codes, len(ids)) > 0
    if used.all():
        return ids, codes
    return ids[used], (np.cumsum(used, dtype=np.int32) - 1)[codes]


@numba.njit(cache=True, nogil=True)
def _renumber(codes, number_of):  # type: ignore[no-untyped-def]
    """Replace each code by its new number, in place."""
    for row in range(len(codes)):
        codes[row] = number_of[codes[row]]


@numba.njit(cache=True, nogil=True)
def _counts(codes, n):  # type: ignore[no-untyped-def]
    """How often each code below n occurs: (n,) int64. NumPy's bincount copies 32-bit codes to 64 bits first."""
    counts = np.zeros(n, dtype=np.int64)
    for code in codes:
        counts[code] += 1
    return counts
