"""From validated blocks of rows to a Dataset: duplicates, the k-core, the order of the matrix, and the counts.

Every row is accounted for: read = kept + rejected + duplicates.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
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
from recsys.dataset.origins import Origins, Spelling, located
from recsys.errors import InputError
from recsys.ingest.blocks import Block, single_array
from recsys.ingest.items import with_ids_like
from recsys.ingest.tables import BYTES_PER_RATING
from recsys.ingest.validation import (
    ID_ROLES,
    MAX_TEXT_BYTES,
    REJECTED_IN_MEMORY,
    Role,
    Validation,
    reason_counts,
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
    files: SourceFiles,
    validation: Validation,
    min_user: int,
    min_item: int,
    name: str,
    earlier: Earlier | None = None,
) -> Dataset:
    """Combine blocks of validated rows into a Dataset, users and items ordered by id.

    An exact duplicate of an earlier row is dropped. Of several ratings of an item by a user the latest is kept, by
    time, then by position in the source. Then users with fewer than `min_user` and items with fewer than `min_item`
    ratings are dropped, repeatedly until all that are left have enough. Items without ratings are left out of the
    catalog.

    read_catalog  returns the catalog; called after the ratings are read, when memory is free again. None: no catalog
    source        names the ratings in errors
    files         the files that the blocks come from; they name the ratings in the report and in the rejected rows
    earlier       what was prepared before, whose rows come first in `blocks`

    Raises InputError when no row is usable or none is left.
    """
    rows = _collect(blocks, source, earlier)
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
    too_few = _too_few(min_user, min_item)
    if not core.any():
        raise InputError(f"{source}: no rows are left, all have {too_few}; use lower minimums")
    few = np.flatnonzero(unique & ~core)
    repeated, replaced, sparse = (rows.in_source_order(at, order) for at in (duplicate, again, few))
    tables = [rejected, *([] if earlier is None else [earlier.duplicates])]
    for (_, positions), reason in ((repeated, EXACT_DUPLICATE), (replaced, RATED_AGAIN), (sparse, too_few)):
        if len(positions):
            tables.append(_dropped_rows(files, positions, reason))
    rejected = pa.concat_tables(tables)
    n_dropped, n_duplicates = n_usable - int(core.sum()), len(duplicate) + len(again)
    n_duplicates += 0 if earlier is None else len(earlier.duplicates)
    unused = _unused(rows, users, items, ratings, times, replaced, sparse)
    positions_of_ratings = rows.lines if order is None and not n_dropped else rows.positions(order, core)
    if n_dropped:
        users, items, ratings, times = users[core], items[core], ratings[core], times[core]
    interactions = _matrix(users, items, ratings, times, rows.user_ids, rows.item_ids)
    text_bytes = rows.text_bytes
    del rows, users, items, order
    described: Catalog | None = None
    n_described, n_unrated, n_untitled = 0, 0, interactions.n_items
    with ThreadPoolExecutor(1) as pool:  # hashing runs beside the reading of the catalog
        fingerprint = pool.submit(lambda: interactions.fingerprint)
        if read_catalog is None:
            catalog = Catalog.of(interactions.item_ids)
        else:
            described = fitting = read_catalog()
            n_described = len(described)
            if described.item_ids.dtype != interactions.item_ids.dtype:
                fitting = with_ids_like(described, interactions.item_ids, any_spelling=validation.ids == "integer")
            catalog = fitting.take(interactions.item_ids)
            n_unrated = int((interactions.item_index.get_indexer(fitting.index) < 0).sum())
            n_untitled = int((fitting.index.get_indexer(interactions.item_index) < 0).sum())
    report = {
        "source": ", ".join(files.names),
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
    origins = Origins(
        tuple(files.names),
        tuple(files.first_rows),
        positions_of_ratings,
        unused,
        (files.spelling["user"], files.spelling["item"]),
        validation.ids,
        text_bytes,
        described,
    )
    return Dataset(interactions, catalog, rejected, report, name, origins)


class SourceFiles:
    """The files that rows come from. The lines of all files are numbered on; such a number is a row's position.

    names       of the files, in order
    first_rows  a row's position is that of its file plus its line
    spelling    how ids are written, as the first file with rows decides; None before
    """

    def __init__(self, origins: Origins | None = None) -> None:
        self.names: list[str] = [] if origins is None else list(origins.files)
        self.first_rows: list[int] = [] if origins is None else list(origins.first_rows)
        self.spelling: Mapping[Role, Spelling] = {}
        self._last = 0
        if origins is not None:
            self.spelling = dict(zip(ID_ROLES, origins.spellings, strict=True))
            longest = (int(part[-1]) if isinstance(part, range) else int(part.max()) for part in origins.positions)
            self._last = max([0, *self.first_rows, *longest, *origins.unused["position"].to_pylist()])

    def read(self, name: str, blocks: Iterable[Block]) -> Iterator[Block]:
        """The blocks of the next file, with positions as lines."""
        first = self._last
        self.names.append(name)
        self.first_rows.append(first)
        for block in blocks:
            self.spelling = self.spelling or block.spelling
            lines = block.lines
            if len(lines):
                self._last = first + int(lines[-1])
            if first:
                moved = range(lines.start + first, lines.stop + first) if isinstance(lines, range) else lines + first
                block = block._replace(lines=moved)
            yield block


class Earlier:
    """Prepared data to which further files are added.

    data        the data; their arrays are released when `blocks` is through
    origins     where the data were read
    rejected    all rows that were rejected

    Rows that were replaced or too few are judged again: they are in `origins`. The others stay as they are: attributes
    `rejected` and `duplicates` (exact duplicates), tables with the schema `REJECTED_IN_MEMORY`.
    """

    def __init__(self, data: Dataset, origins: Origins, rejected: pa.Table) -> None:
        self.report, self.files = data.report, SourceFiles(origins)
        self.ids, self.text_bytes, self.described = origins.ids, origins.text_bytes, origins.described
        self._ratings = [(data.interactions, origins)]
        reasons, settings = rejected["reason"], data.report["settings"]
        too_few = _too_few(settings["min_user"], settings["min_item"])
        again = pa.array([EXACT_DUPLICATE, RATED_AGAIN, too_few])
        self.rejected = rejected.filter(pc.invert(pc.is_in(reasons, value_set=again))).cast(REJECTED_IN_MEMORY)
        self.duplicates = rejected.filter(pc.equal(reasons, EXACT_DUPLICATE)).cast(REJECTED_IN_MEMORY)

    def blocks(self) -> Iterator[Block]:
        """The usable rows, once. Of one pair, rows that were replaced come before the one that replaced them."""
        ratings, origins = self._ratings.pop()
        spelling: dict[Role, Spelling] = dict(zip(ID_ROLES, origins.spellings, strict=True))
        none = REJECTED_IN_MEMORY.empty_table()
        for was_replaced in (True, False):
            rows = origins.unused.filter(pc.equal(origins.unused["replaced"], was_replaced))
            if len(rows):
                yield Block(
                    single_array(rows["user_id"]).dictionary_encode(),
                    single_array(rows["item_id"]).dictionary_encode(),
                    rows["rating"].to_numpy(),
                    rows["timestamp"].to_numpy(),
                    rows["position"].to_numpy(),
                    none,
                    0,
                    spelling,
                )
        matrix, times = ratings.matrix, ratings.timestamps
        of_users = np.repeat(np.arange(ratings.n_users, dtype=np.int32), np.diff(matrix.indptr))
        of_items = matrix.indices.astype(np.int32, copy=False)
        yield Block(
            pa.DictionaryArray.from_arrays(pa.array(of_users), pa.array(ratings.user_ids)),
            pa.DictionaryArray.from_arrays(pa.array(of_items), pa.array(ratings.item_ids)),
            matrix.data,
            np.full(ratings.n_ratings, NO_TIME) if times is None else times,
            origins.positions[0] if len(origins.positions) == 1 else np.concatenate(origins.positions),
            none,
            0,
            spelling,
        )


def _too_few(min_user: int, min_item: int) -> str:
    return f"fewer than {min_user} ratings by the user or {min_item} of the item"


def _unused(
    rows: _Rows,
    users: np.ndarray,
    items: np.ndarray,
    ratings: np.ndarray,
    times: np.ndarray,
    replaced: tuple[np.ndarray, np.ndarray],
    sparse: tuple[np.ndarray, np.ndarray],
) -> pa.Table:
    """The table `Origins.unused` of the rows that were replaced and of those that are too few."""
    at, positions = (np.concatenate(pair) for pair in zip(replaced, sparse, strict=True))
    return pa.table(
        {
            "user_id": _id_column(rows.user_ids[users[at]]),
            "item_id": _id_column(rows.item_ids[items[at]]),
            "rating": pa.array(ratings[at]),
            "timestamp": pa.array(times[at]),
            "position": pa.array(positions),
            "replaced": pa.array(np.arange(len(at)) < len(replaced[0])),
        }
    )


def _id_column(ids: np.ndarray) -> pa.Array:
    """Ids, perhaps none, as a column of their type."""
    return pa.array(ids, pa.int64() if ids.dtype == np.int64 else pa.string())


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
    text_bytes: int

    def take(self, column: str, order: np.ndarray | None) -> np.ndarray:
        """A column in another order (None: as it is). Removes the column here, to save the memory of a second one."""
        values: np.ndarray = self.__dict__.pop(column)
        return values if order is None else values[order]

    def in_source_order(self, at: np.ndarray, order: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
        """Some rows in matrix order, `at`, rearranged by their position in the source, and these positions, int64."""
        rows = at if order is None else order[at]
        by_row = np.argsort(rows, kind="stable")
        positions = self._lines_of(rows[by_row])
        by_position = np.argsort(positions, kind="stable")
        return at[by_row][by_position], positions[by_position]

    def positions(self, order: np.ndarray | None, keep: np.ndarray) -> list[range | np.ndarray]:
        """The positions in the source of the rows where `keep` holds, in matrix order."""
        # The rows of earlier data are in the order of their matrix, not of their lines.
        last = max((int(lines[-1] if isinstance(lines, range) else lines.max()) for lines in self.lines), default=0)
        found = np.empty(sum(map(len, self.lines)), dtype=np.int32 if last < 2**31 else np.int64)
        end = 0
        for lines in self.lines:
            found[end : end + len(lines)] = np.asarray(lines)
            end += len(lines)
        return [found[keep] if order is None else found[order[keep]]]

    def _lines_of(self, rows: np.ndarray) -> np.ndarray:
        """Positions of some rows (ascending), int64."""
        if not len(rows):
            return np.empty(0, dtype=np.int64)
        ends = np.cumsum([len(lines) for lines in self.lines])
        block = np.searchsorted(ends, rows, side="right")
        return np.concatenate(
            [
                np.asarray(self.lines[b], dtype=np.int64)[rows[block == b] - (ends[b - 1] if b else 0)]
                for b in np.unique(block)
            ]
        )


def _collect(blocks: Iterable[Block], source: str, earlier: Earlier | None) -> _Rows:
    """All blocks in one. Raises InputError when they need more memory than may be used."""
    users, items = _Ids(), _Ids()
    ratings, times = _Column(np.float32), _Column(np.int64)
    lines: list[range | np.ndarray] = []
    rejected = [REJECTED_IN_MEMORY.empty_table() if earlier is None else earlier.rejected]
    limit, n_bytes, n_rows = memory_limit(), 0, 0
    text_bytes = 0 if earlier is None else earlier.text_bytes
    for block in blocks:
        n_rows += len(block.ratings) + len(block.rejected)
        n_bytes += len(block.ratings) * BYTES_PER_RATING + len(block.rejected) * BYTES_PER_REJECTED
        if len(block.rejected):
            lengths = pc.sum(pc.binary_length(block.rejected["text"])).as_py() or 0
            text_bytes += lengths + 4 * len(block.rejected)  # and an offset for each
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
        user_rows,
        item_rows,
        ratings.values,
        times.values,
        lines,
        user_ids,
        item_ids,
        pa.concat_tables(rejected),
        text_bytes,
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


def _dropped_rows(files: SourceFiles, positions: np.ndarray, reason: str) -> pa.Table:
    """The table of rejected rows for valid rows that were dropped."""
    of_rows, lines = located(positions, files.first_rows)
    n = len(lines)
    return pa.table(
        [
            pa.DictionaryArray.from_arrays(pa.array(of_rows), pa.array(files.names)),
            pa.array(lines),
            pa.DictionaryArray.from_arrays(pa.array(np.zeros(n, dtype=np.int32)), pa.array([reason])),
            pa.nulls(n, pa.string()),
        ],
        schema=REJECTED_IN_MEMORY,
    )


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
