"""Exact top-k by inner product, without computing most of the products.

The vectors are rotated into their principal axes, sorted by length, longest first, and stored in tiles of 16. A query
is multiplied with a tile 16 dimensions at a time. After each stage the Cauchy–Schwarz inequality bounds the products:

    q·v = Σ_{j<h} q_j v_j + Σ_{j≥h} q_j v_j  ≤  Σ_{j<h} q_j v_j + |q_{h…}| |v_{h…}|

Only tiles with a bound that reaches the k-th best product so far go on to the next stage, and a query is finished when
|q| |v| of the next tile does not reach it. What passes all stages is multiplied once more as given, without rotation:
these products alone decide. Every bound is widened by what rounding can change (see `_margin`), so that the result is
exact, and each product is rounded in the same way whatever else is computed: results do not depend on the number of
queries, threads or tiles. Where nothing can be pruned, the stages add up to a blocked matrix product.

Teflioudi & Gemulla 2016, "Exact and Approximate Maximum Inner Product Search with LEMP"; Li et al. 2017, "FEXIPRO: Fast
and Exact Inner Product Retrieval in Recommender Systems"; Abuzaid et al. 2019, "To Index or Not to Index".
"""

from __future__ import annotations

import numba
import numpy as np
import scipy.sparse as sp

from recsys.heap import offer, sort_heap
from recsys.tiles import LANES, QUERIES, STAGE_FLOATS, dot, first_stage, lowest_bit, next_stage
from recsys.topk import NONE, in_threads, row_blocks

ROWS = 1024
"""Queries of one piece of work for a thread."""
BLOCK = 64
"""Queries that go through the tiles together, so that a tile is read from memory once for all of them."""
RUN = 8
"""Tiles between two looks at which queries are finished."""
TINY = 1e-19
"""TINY² is far above the d smallest float32 numbers that a sum of d products may lose by underflow."""


HUGE = 1e19
"""No sum of products of two vectors up to this length overflows. Longer vectors are never excluded by a bound."""


class InnerProducts:
    """Vectors arranged for exact top-k by inner product.

    vectors  (n, d) float32; the arrangement takes about twice their memory. It is not changed by later changes of them
    """

    def __init__(self, vectors: np.ndarray) -> None:
        vectors = np.asarray(vectors, dtype=np.float32)
        n, d = vectors.shape
        n_tiles, n_stages = -(-n // LANES), -(-d // LANES)
        self.shape = n, d
        self._axes = _principal_axes(vectors)
        rotated = np.zeros((n_tiles * LANES, n_stages * LANES), dtype=np.float32)
        with np.errstate(all="ignore"):
            rotated[:n, :d] = vectors.astype(np.float64) @ self._axes
            lengths = np.linalg.norm(rotated[:n].astype(np.float64), axis=1)
        lengths[~(lengths <= HUGE)] = np.inf  # first
        order = np.argsort(-lengths, kind="stable")
        rotated[:n] = rotated[order]
        given = np.zeros_like(rotated)
        given[:n, :d] = vectors[order]
        self._rest = np.ascontiguousarray(_lengths_left(rotated, given, _margin(d)).T)
        self._longest = np.maximum.accumulate(self._rest[0].reshape(n_tiles, LANES).max(axis=1)[::-1])[::-1].copy()
        self._tiles = rotated.reshape(n_tiles, LANES, n_stages, LANES).transpose(2, 0, 3, 1).ravel()
        self._columns = np.zeros(n_tiles * LANES, dtype=np.int32)
        self._columns[:n] = order
        self._positions = np.empty(n, dtype=np.int32)
        self._positions[order] = np.arange(n, dtype=np.int32)
        self._vectors = given

    def top_k(
        self,
        queries: np.ndarray,
        k: int,
        *,
        exclude: sp.csr_matrix | None = None,
        allowed: np.ndarray | None = None,
        n_threads: int = 1,
    ) -> tuple[np.ndarray, np.ndarray]:
        """The k vectors with the largest inner product with each query, exactly, best first; ties go to the lower row.

        queries    (m, d) float32
        exclude    CSR (m, n): vectors stored in a query's row are excluded for it (seen items), zeros included
        allowed    bool (n,): False excludes a vector for every query
        n_threads  pieces of `ROWS` queries computed in parallel

        Returns row numbers int32 (m, k) and products float32 (m, k), padded with `NONE` and -inf where there are fewer
        candidates. A product that is not a number excludes its vector. Raises ValueError for k < 1 and for shapes that
        do not match.

        >>> InnerProducts(np.array([[1, 0], [0, 1], [3, 0]], np.float32)).top_k(np.array([[1, 2]], np.float32), k=2)
        (array([[2, 1]], dtype=int32), array([[3., 2.]], dtype=float32))
        """
        n, d = self.shape
        queries = np.asarray(queries, dtype=np.float32)
        if k < 1:
            raise ValueError(f"k must be at least 1, not {k}")
        if queries.ndim != 2 or queries.shape[1] != d:
            raise ValueError(f"queries have shape {queries.shape}, not (m, {d})")
        if exclude is not None and exclude.shape != (len(queries), n):
            raise ValueError(f"exclude has shape {exclude.shape}, not ({len(queries)}, {n})")
        if allowed is not None and np.shape(allowed) != (n,):
            raise ValueError(f"allowed has shape {np.shape(allowed)}, not ({n},)")
        columns = np.full((len(queries), k), NONE, dtype=np.int32)
        scores = np.full((len(queries), k), -np.inf, dtype=np.float32)
        open_items = self._open_items(allowed)
        axes = self._axes.astype(np.float32)
        width = self._vectors.shape[1]

        def search(rows: slice) -> None:
            given, rotated = np.zeros((2, rows.stop - rows.start, width), dtype=np.float32)
            given[:, :d] = queries[rows]
            with np.errstate(all="ignore"):
                np.matmul(given[:, :d], axes, out=rotated[:, :d])
            starts, seen = np.zeros(len(given) + 1, dtype=np.int64), np.empty(0, dtype=np.int32)
            if exclude is not None:
                starts = exclude.indptr[rows.start : rows.stop + 1].astype(np.int64)
                seen = self._positions[exclude.indices[starts[0] : starts[-1]]]
                starts -= starts[0]
            _search(
                self._tiles, self._rest.ravel(), self._longest, self._vectors.ravel(), self._columns, self._positions,
                open_items, rotated, given, _lengths_left(rotated, given, _margin(d)), starts, seen, columns[rows],
                scores[rows],
            )  # fmt: skip

        in_threads(search, row_blocks(len(queries), ROWS), n_threads)
        return columns, scores

    def _open_items(self, allowed: np.ndarray | None) -> np.ndarray:
        """A bit for each vector in each tile, uint64 (n_tiles,): set unless it is excluded for every query."""
        is_open = np.zeros(len(self._columns), dtype=bool)
        n = self.shape[0]
        is_open[:n] = True if allowed is None else np.asarray(allowed, dtype=bool)[self._columns[:n]]
        return np.packbits(is_open, bitorder="little").view(np.dtype("<u2")).astype(np.uint64)


def _principal_axes(vectors: np.ndarray) -> np.ndarray:
    """The eigenvectors of VᵀV, largest eigenvalue first, (d, d) float64: in these axes the first dimensions hold as
    much of the vectors as a rotation allows. The identity for vectors that are not finite."""
    with np.errstate(all="ignore"):
        gram = (vectors.T @ vectors).astype(np.float64)
    if not np.isfinite(gram).all():
        return np.eye(vectors.shape[1])
    axes: np.ndarray = np.linalg.eigh(gram)[1][:, ::-1]
    return axes


def _margin(d: int) -> float:
    """How much a computed bound may be too low, as a multiple of |q| |v|, in float32 with its unit roundoff 2⁻²⁴.

    Rotating a query changes each of its d numbers by up to (d + 2) units times |q|, together √d (d + 2). The sums of
    products, rotated and as given, are off by up to d units each, rounding of rotated vectors and bounds by 4.
    """
    return ((np.sqrt(d) + 3) * (d + 2) + 4) * 2.0**-24


@numba.njit(nogil=True, cache=True)
def _lengths_left(rotated, given, margin):  # type: ignore[no-untyped-def]
    """Bounds of |v_{h…}| for h = 0, 16, …, d: (n, n_stages + 1) float32, with the margin of rounding inside.

    (|q_{h…}|² + m |q|²) (|v_{h…}|² + m |v|²)  ≥  (|q_{h…}| |v_{h…}| + m |q| |v|)²

    Below the range of normal numbers rounding is not relative; `TINY` covers that. Zero vectors have the bound 0, those
    longer than `HUGE` or with numbers that are not finite infinity.
    """
    n, width = rotated.shape
    n_stages = width // LANES
    left = np.empty((n, n_stages + 1), np.float32)
    squares = np.empty(n_stages + 1, np.float64)
    for row in range(n):
        total = sum_of_squares = 0.0
        squares[n_stages] = 0.0
        for stage in range(n_stages - 1, -1, -1):
            for column in range(stage * LANES, (stage + 1) * LANES):
                sum_of_squares += np.float64(rotated[row, column]) ** 2
                total += np.float64(given[row, column]) ** 2  # a rotation may round the smallest numbers to 0
            squares[stage] = sum_of_squares
        if not total <= HUGE**2:
            left[row] = np.inf
            continue
        for stage in range(n_stages + 1):
            left[row, stage] = np.sqrt(squares[stage] + margin * total) * (1 + 1e-6) + (TINY if total > 0 else 0.0)
    return left


@numba.njit(nogil=True, cache=True)
def _search(  # type: ignore[no-untyped-def]
    tiles, rest, longest, vectors, columns, positions, open_items,
    rotated, given, left, starts, seen, top_columns, top_scores,
):  # fmt: skip
    """The best vectors of each query, sorted. Queries are searched in blocks, each in groups of four."""
    n_queries, n_tiles = len(top_scores), len(open_items)
    is_seen = np.zeros((BLOCK, n_tiles), np.uint16)
    for start in range(0, n_queries, BLOCK):
        stop = min(start + BLOCK, n_queries)
        for query in range(start, stop):
            for at in range(starts[query], starts[query + 1]):
                is_seen[query - start, seen[at] // LANES] |= np.uint16(1) << np.uint16(seen[at] % LANES)
        _search_block(
            tiles, rest, longest, vectors, columns, positions, open_items, is_seen, rotated[start:stop],
            given[start:stop], left[start:stop], top_columns[start:stop], top_scores[start:stop],
        )  # fmt: skip
        for query in range(start, stop):
            for at in range(starts[query], starts[query + 1]):
                is_seen[query - start, seen[at] // LANES] = 0


@numba.njit(nogil=True, cache=True)
def _search_block(  # type: ignore[no-untyped-def]
    tiles, rest, longest, vectors, columns, positions, open_items, is_seen,
    rotated, given, left, top_columns, top_scores,
):  # fmt: skip
    n_queries, n_tiles = len(given), len(open_items)
    flat_rotated, flat_given = rotated.ravel(), given.ravel()
    sizes = np.zeros(n_queries, np.int64)
    reached = np.full(n_queries, -np.inf, np.float32)  # the k-th best product so far
    limits, sums = np.empty(2 * QUERIES, np.float32), np.empty(QUERIES * LANES, np.float32)
    active = np.arange(n_queries)
    n_active = 0
    for query in range(n_queries):
        if left[query, 0] == 0:
            sizes[query] = _first_candidates(
                vectors, positions, open_items, is_seen[query], given[query], top_columns[query], top_scores[query]
            )
        else:
            active[n_active] = query
            n_active += 1
    for first in range(0, n_tiles, RUN):
        n_left = 0
        for at in range(n_active):
            query = active[at]
            if not left[query, 0] * longest[first] < reached[query]:
                active[n_left] = query
                n_left += 1
        n_active = n_left
        if n_active == 0:
            break
        for at in range(0, n_active, QUERIES):
            _search_run(
                first, min(first + RUN, n_tiles), active[at : min(at + QUERIES, n_active)], tiles, rest, vectors,
                columns, open_items, is_seen, flat_rotated, flat_given, left, sizes, reached, limits, sums,
                top_columns, top_scores,
            )  # fmt: skip
    for query in range(n_queries):
        sort_heap(top_scores[query], top_columns[query], sizes[query])


@numba.njit(nogil=True, cache=True)
def _first_candidates(vectors, positions, open_items, is_seen, query, top_columns, top_scores):  # type: ignore[no-untyped-def]
    """The result for a zero vector, whose products are all 0: the first vectors. Returns their number."""
    size, width = 0, len(query)
    for column in range(len(positions)):
        if size == len(top_scores):
            break
        tile, bit = positions[column] // LANES, np.uint64(positions[column] % LANES)
        if (open_items[tile] & ~np.uint64(is_seen[tile])) >> bit & np.uint64(1):
            product = dot(query, 0, vectors, positions[column] * width, width)  # type: ignore
            size = offer(top_scores, top_columns, size, product, column)
    return size


@numba.njit(nogil=True, cache=True)
def _search_run(  # type: ignore[no-untyped-def]
    first, last, group, tiles, rest, vectors, columns, open_items, is_seen, rotated, given, left, sizes, reached,
    limits, sums, top_columns, top_scores,
):  # fmt: skip
    """Search the tiles first … last for a group of up to four queries."""
    n_tiles, k = len(open_items), top_scores.shape[1]
    width = len(tiles) // (n_tiles * LANES)
    members = ~np.uint64(0) >> np.uint64(LANES * (QUERIES - len(group)))
    q0 = group[0]  # a group that is not full repeats its last query
    q1, q2, q3 = group[min(1, len(group) - 1)], group[min(2, len(group) - 1)], group[len(group) - 1]
    limits[4], limits[5], limits[6], limits[7] = reached[q0], reached[q1], reached[q2], reached[q3]
    for tile in range(first, last):
        if open_items[tile] == 0:
            continue
        limits[0], limits[1], limits[2], limits[3] = left[q0, 1], left[q1, 1], left[q2, 1], left[q3, 1]
        hits = members & first_stage(
            tiles, tile * STAGE_FLOATS, rotated, q0 * width, q1 * width, q2 * width, q3 * width,
            rest, (n_tiles + tile) * LANES, limits, sums,
        )  # fmt: skip
        if hits == 0:
            continue
        closed = (
            np.uint64(is_seen[q0, tile])
            | np.uint64(is_seen[q1, tile]) << np.uint64(16)
            | np.uint64(is_seen[q2, tile]) << np.uint64(32)
            | np.uint64(is_seen[q3, tile]) << np.uint64(48)
        )
        hits &= ~closed & open_items[tile] * np.uint64(0x0001_0001_0001_0001)
        for at in range(LANES, width, LANES):
            if hits == 0:
                break
            after = at // LANES + 1
            limits[0], limits[1], limits[2], limits[3] = (
                left[q0, after],
                left[q1, after],
                left[q2, after],
                left[q3, after],
            )
            hits &= next_stage(
                tiles, (at // LANES * n_tiles + tile) * STAGE_FLOATS, rotated,
                q0 * width + at, q1 * width + at, q2 * width + at, q3 * width + at,
                rest, (after * n_tiles + tile) * LANES, limits, sums,
            )  # fmt: skip
        while hits != 0:
            bit = lowest_bit(hits)  # type: ignore
            hits &= hits - np.uint64(1)
            member, position = bit // LANES, tile * LANES + bit % LANES
            query = group[member]
            product = dot(given, query * width, vectors, position * width, width)
            sizes[query] = offer(top_scores[query], top_columns[query], sizes[query], product, columns[position])
            if sizes[query] == k:
                reached[query] = limits[QUERIES + member] = top_scores[query, 0]
