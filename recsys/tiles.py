"""Vector instructions of the top-k kernel: products of 16 items (a tile) with 4 queries, and one product by itself.

The compiler of numba does not keep such a block of sums in registers, so it is written for LLVM as operations on 16
floats (one AVX-512 register, two of AVX2, four of NEON). For use in compiled code only: nothing is checked.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

LANES = 16
"""Items of a tile, and dimensions of a stage."""
QUERIES = 4
"""Queries that are multiplied with a tile at once: each load of a tile serves all of them."""
STAGE_FLOATS = LANES * LANES
"""Floats of one tile in one stage."""

_FLOAT, _INT, _LONG = ir.FloatType(), ir.IntType(32), ir.IntType(64)
_VECTOR = ir.VectorType(_FLOAT, LANES)
_UNDEFINED = ir.Constant(_VECTOR, ir.Undefined)


def _pointer(builder: Any, array: Any, offset: Any) -> Any:
    return builder.bitcast(builder.gep(array, [offset]), _VECTOR.as_pointer())


def _load(builder: Any, array: Any, offset: Any) -> Any:
    value = builder.load(_pointer(builder, array, offset))
    value.align = 4  # numpy guarantees no more
    return value


def _spread(builder: Any, array: Any, offset: Any) -> Any:
    """One float of an array in all lanes."""
    lone = builder.insert_element(_UNDEFINED, builder.load(builder.gep(array, [offset])), _INT(0))
    return builder.shuffle_vector(lone, _UNDEFINED, ir.Constant(ir.VectorType(_INT, LANES), [0] * LANES))


def _fma(builder: Any) -> Any:
    function = ir.FunctionType(_VECTOR, [_VECTOR] * 3)
    return cgutils.get_or_insert_function(builder.module, function, f"llvm.fma.v{LANES}f32")


def _stage(is_first: bool) -> Callable[..., int]:
    @intrinsic
    def operation(_, tiles, tile, queries, at_0, at_1, at_2, at_3, rest, rest_at, limits, sums):  # type: ignore[no-untyped-def]
        long = types.int64
        signature = types.uint64(tiles, long, queries, long, long, long, long, rest, long, limits, sums)

        def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
            def data(at: int) -> Any:
                return context.make_array(signature.args[at])(context, builder, arguments[at]).data

            fma = _fma(builder)
            totals = [
                ir.Constant(_VECTOR, [0.0] * LANES) if is_first else _load(builder, data(10), _LONG(LANES * query))
                for query in range(QUERIES)
            ]
            for dimension in range(LANES):
                items = _load(builder, data(0), builder.add(arguments[1], _LONG(LANES * dimension)))
                for query in range(QUERIES):
                    value = _spread(builder, data(2), builder.add(arguments[3 + query], _LONG(dimension)))
                    totals[query] = builder.call(fma, [items, value, totals[query]])
            rest_of_items, mask = _load(builder, data(7), arguments[8]), _LONG(0)
            for query in range(QUERIES):
                builder.store(totals[query], _pointer(builder, data(10), _LONG(LANES * query))).align = 4
                rest_of_query = _spread(builder, data(9), _LONG(query))
                bound = builder.call(fma, [rest_of_items, rest_of_query, totals[query]])
                reaches = builder.fcmp_unordered(">=", bound, _spread(builder, data(9), _LONG(QUERIES + query)))
                bits = builder.zext(builder.bitcast(reaches, ir.IntType(LANES)), _LONG)
                mask = builder.or_(mask, builder.shl(bits, _LONG(LANES * query)))
            return mask

        return signature, generate

    return operation


first_stage = _stage(is_first=True)
next_stage = _stage(is_first=False)
"""Add 16 dimensions of the products of a tile with four queries to `sums`; return where the bound reaches the limit.

tiles     flat float32; at `tile`, 16 dimensions of 16 items each
queries   flat float32; at `at_0` … `at_3`, the same 16 dimensions of each query
rest      flat float32; at `rest_at`, the length of what is left of each item after these dimensions
limits    (8,) float32: the length of what is left of each query, then the score that each query's items must reach
sums      (64,) float32, query by query; `first_stage` starts from 0

Returns uint64: bit 16 q + i is set unless sums + rest · rest is below the limit of query q for item i. NaN sets it.
"""


@intrinsic
def dot(_, a, at_a, b, at_b, length) -> Any:  # type: ignore[no-untyped-def]
    """The product of two float32 vectors in flat arrays, `length` a multiple of 16. The order of the operations is
    fixed: 16 sums by fused multiply-add, then a tree."""

    def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        first, second = (context.make_array(signature.args[at])(context, builder, arguments[at]).data for at in (0, 2))
        fma, sums = _fma(builder), cgutils.alloca_once(builder, _VECTOR)
        builder.store(ir.Constant(_VECTOR, [0.0] * LANES), sums)
        with cgutils.for_range(builder, builder.udiv(arguments[4], _LONG(LANES))) as loop:
            offset = builder.mul(loop.index, _LONG(LANES))
            x = _load(builder, first, builder.add(arguments[1], offset))
            y = _load(builder, second, builder.add(arguments[3], offset))
            builder.store(builder.call(fma, [x, y, builder.load(sums)]), sums)
        total, size = builder.load(sums), LANES
        while size > 1:
            size //= 2
            nothing = ir.Constant(total.type, ir.Undefined)
            halves = (
                builder.shuffle_vector(
                    total, nothing, ir.Constant(ir.VectorType(_INT, size), list(range(at, at + size)))
                )
                for at in (0, size)
            )
            total = builder.fadd(*halves)
        return builder.extract_element(total, _INT(0))

    return types.float32(a, types.int64, b, types.int64, types.int64), generate


@intrinsic
def lowest_bit(_, mask) -> Any:  # type: ignore[no-untyped-def]
    """The position of the lowest bit that is set in a uint64 other than 0."""

    def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        function = ir.FunctionType(_LONG, [_LONG, ir.IntType(1)])
        count = cgutils.get_or_insert_function(builder.module, function, "llvm.cttz.i64")
        return builder.call(count, [arguments[0], ir.Constant(ir.IntType(1), 1)])

    return types.int64(types.uint64), generate
