"""Vector instructions for compiled kernels, where the automatic vectorization of numba is too slow.

For a loop over the dimensions of a factor row, the compiler adds checks for overlapping arrays and a remainder loop
to every row. For rows of 64 numbers these cost more than the arithmetic. Here the same loops are written for LLVM as
operations on 16 floats (one AVX-512 register, two of AVX2, four of NEON), without a loop for the usual row lengths.

Rows that are gathered at random are read from `halves`, a copy in half precision: half the memory traffic and twice as
many rows in each cache. All sums are in float32. `python benchmarks/speed.py ablation` measures what each part brings.

numba does not notice that compiled callers in other modules depend on this file: after a change, delete their caches.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

LANES = 16
STEP = 2 * LANES
"""Numbers that one step of a kernel handles: one vector of `halves`, two of float32. Rows are padded to a multiple."""
UNROLLED = (2, 4)
"""Row lengths, in steps, that get code without a loop, whose values stay in registers: 64 and 128 numbers."""
LINE_BYTES = 64
ROUND, UPPER = np.uint32(0x8000), np.uint32(16)
_FLOAT, _INT, _LONG = ir.FloatType(), ir.IntType(32), ir.IntType(64)
_VECTOR, _WORDS = ir.VectorType(_FLOAT, LANES), ir.VectorType(_INT, LANES)

EachStep = Callable[[Callable[[Any], None]], None]
"""Generates the body of a loop over the steps of a row."""


def padded(n_factors: int) -> int:
    """`n_factors` rounded up to a multiple of `STEP`."""
    return -(-n_factors // STEP) * STEP


def aligned_zeros(n_rows: int, n_columns: int, dtype: type = np.float32) -> np.ndarray:
    """A matrix of 32-bit zeros that starts on a cache line; rows that cross one line more cost half as much again."""
    raw: np.ndarray = np.zeros(n_rows * n_columns + LINE_BYTES // 4, dtype=dtype)
    start = (-raw.ctypes.data % LINE_BYTES) // 4
    return raw[start : start + n_rows * n_columns].reshape(n_rows, n_columns)


@numba.njit(nogil=True, cache=True)
def halve(rows: Any, halves: Any) -> None:
    """Write the bfloat16 halves of `rows` (n, d) float32, d a multiple of `STEP`, into `halves` (n, d / 2) int32.

    A bfloat16 is the upper half of a float32, here rounded to the nearest. In each group of `STEP` numbers, word k
    holds number k in its lower half and number k + `LANES` in its upper half, so that one shift and one mask restore
    two vectors of float32.
    """
    bits = rows.view(np.uint32)
    words = halves.view(np.uint32)
    for row in range(rows.shape[0]):
        for start in range(0, rows.shape[1], STEP):
            for k in range(LANES):
                low = bits[row, start + k] + ROUND >> UPPER
                high = bits[row, start + LANES + k] + ROUND >> UPPER
                words[row, start // 2 + k] = low | high << UPPER


def _row_operation(n_rows: int, squares: bool) -> Callable[..., Any]:
    """The operation on `n_rows` rows at once, so that `x` and `out` are read only once for all of them."""

    def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        arrays = [
            context.make_array(kind)(context, builder, argument) if isinstance(kind, types.Array) else argument
            for kind, argument in zip(signature.args, arguments, strict=True)
        ]
        factors, indices, weights, position, x = arrays[:5]
        packed = isinstance(signature.args[0].dtype, types.Integer)
        width = cgutils.unpack_tuple(builder, factors.shape, 2)[1]
        steps = builder.udiv(width, _LONG(LANES if packed else STEP))
        rows, row_weights = [], []
        for row in range(n_rows):
            at = builder.add(position, _LONG(row))
            index = builder.load(builder.gep(indices.data, [at]))
            if index.type.width < 64:
                index = builder.sext(index, _LONG)
            rows.append(builder.gep(factors.data, [builder.mul(index, width)]))
            row_weights.append(builder.load(builder.gep(weights.data, [at])))
        fma = _intrinsic(builder, "llvm.fma", _VECTOR, [_VECTOR] * 3)
        total = _intrinsic(builder, "llvm.vector.reduce.fadd", _FLOAT, [_FLOAT, _VECTOR])

        def at_vector(start: Any, at: Any, kind: Any = _VECTOR) -> Any:
            return builder.bitcast(builder.gep(start, [builder.mul(at, _LONG(LANES))]), kind.as_pointer())

        def load(start: Any, at: Any, kind: Any = _VECTOR) -> Any:
            value = builder.load(at_vector(start, at, kind))
            value.align = 4  # numpy guarantees no more; aligned rows are as fast without the hint
            return value

        def both(step: Any) -> list[Any]:
            first = builder.mul(step, _LONG(2))
            return [first, builder.add(first, _LONG(1))]

        def of_row(row: int, step: Any) -> list[Any]:
            """What is loaded from memory for one step."""
            return [load(rows[row], step, _WORDS)] if packed else [load(rows[row], at) for at in both(step)]

        def floats(loaded: list[Any]) -> list[Any]:
            if not packed:
                return loaded
            low = builder.shl(loaded[0], ir.Constant(_WORDS, [16] * LANES))
            high = builder.and_(loaded[0], ir.Constant(_WORDS, [-(2**16)] * LANES))
            return [builder.bitcast(low, _VECTOR), builder.bitcast(high, _VECTOR)]

        def generate_steps(each_step: EachStep, load_row: Callable[[int, Any], Any]) -> Any:
            sums = [cgutils.alloca_once_value(builder, ir.Constant(_VECTOR, [0.0] * LANES)) for _ in rows]

            def multiply(step: Any) -> None:
                parts = [load(x.data, at) for at in both(step)]
                for row, found in enumerate(sums):
                    for value, part in zip(floats(load_row(row, step)), parts, strict=True):
                        builder.store(builder.call(fma, [value, part, builder.load(found)]), found)

            each_step(multiply)
            dots = [builder.call(total, [_FLOAT(0.0), builder.load(each)], fastmath=("reassoc",)) for each in sums]
            if squares:
                found = _FLOAT(0.0)
                for weight, dot in zip(row_weights, dots, strict=True):
                    found = builder.fadd(found, builder.fmul(weight, builder.fmul(dot, dot)))
                return found
            base, sign, out = arrays[5:]
            coefficients = []
            for weight, dot in zip(row_weights, dots, strict=True):
                value = builder.fmul(weight, builder.fadd(base, builder.fmul(sign, dot)))
                lone = builder.insert_element(ir.Constant(_VECTOR, ir.Undefined), value, _INT(0))
                coefficients.append(builder.shuffle_vector(lone, lone, ir.Constant(_WORDS, [0] * LANES)))

            def add(step: Any) -> None:
                values = [load(out.data, at) for at in both(step)]
                for row, coefficient in enumerate(coefficients):
                    parts = floats(load_row(row, step))
                    values = [builder.call(fma, [p, coefficient, v]) for p, v in zip(parts, values, strict=True)]
                for at, value in zip(both(step), values, strict=True):
                    builder.store(value, at_vector(out.data, at)).align = 4

            each_step(add)
            return _FLOAT(0.0)

        returned = cgutils.alloca_once(builder, _FLOAT)
        otherwise, end = builder.append_basic_block(), builder.append_basic_block()
        lengths = builder.switch(steps, otherwise)
        for n in UNROLLED:
            block = builder.append_basic_block()
            lengths.add_case(_LONG(n), block)
            with builder.goto_block(block):
                kept = functools.cache(of_row)  # loaded once; llvmlite values hash by identity
                unrolled = functools.partial(_each, [_LONG(step) for step in range(n)])
                builder.store(generate_steps(unrolled, kept), returned)
                builder.branch(end)
        builder.position_at_end(otherwise)

        def looped(body: Callable[[Any], None]) -> None:
            with cgutils.for_range(builder, steps) as loop:
                body(loop.index)

        builder.store(generate_steps(looped, of_row), returned)
        builder.branch(end)
        builder.position_at_end(end)
        return builder.load(returned)

    if squares:

        @intrinsic
        def operation(_, factors, indices, weights, position, x):  # type: ignore[no-untyped-def]
            return types.float32(factors, indices, weights, types.int64, x), generate
    else:

        @intrinsic
        def operation(_, factors, indices, weights, position, x, base, sign, out):  # type: ignore[no-untyped-def]
            taken = (factors, indices, weights, types.int64, x, types.float32, types.float32, out)
            return types.float32(*taken), generate

    return operation


def _each(steps: list[Any], body: Callable[[Any], None]) -> None:
    for step in steps:
        body(step)


def _intrinsic(builder: Any, name: str, returned: Any, taken: list[Any]) -> Any:
    kind = ir.FunctionType(returned, taken)
    return cgutils.get_or_insert_function(builder.module, kind, f"{name}.v{LANES}f32")


add_four_rows = _row_operation(4, squares=False)
add_one_row = _row_operation(1, squares=False)
"""out += Σ_r w_r · (base + sign · y_r·x) · y_r over one (or four) rows y_r = factors[indices[position + r]].

factors (n, d) float32 with d a multiple of `STEP`, or their halves (n, d / 2) int32; indices int32 or int64; weights
float32 with w_r = weights[position + r]; x and out (d,) float32, contiguous. Returns 0. For use in compiled code only;
arguments are not checked.
"""

square_four_rows = _row_operation(4, squares=True)
square_one_row = _row_operation(1, squares=True)
"""Σ_r w_r (y_r·x)², with the arguments of `add_four_rows`."""


@intrinsic
def prefetch_row(_, factors, index) -> Any:  # type: ignore[no-untyped-def]
    """Prefetch row `index` of `factors`, float32 or halves, into the second-level cache; the row must exist."""

    def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        width = cgutils.unpack_tuple(builder, array.shape, 2)[1]
        row = arguments[1]
        if row.type.width < 64:
            row = builder.sext(row, _LONG)
        byte = builder.bitcast(builder.gep(array.data, [builder.mul(row, width)]), ir.IntType(8).as_pointer())
        prefetch = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(ir.VoidType(), [byte.type, _INT, _INT, _INT]), "llvm.prefetch.p0"
        )
        with cgutils.for_range(builder, builder.udiv(width, _LONG(LINE_BYTES // 4))) as loop:
            line = builder.gep(byte, [builder.mul(loop.index, _LONG(LINE_BYTES))])
            builder.call(prefetch, [line, _INT(0), _INT(2), _INT(1)])  # read, second-level cache, data
        return context.get_dummy_value()

    return types.void(factors, index), generate
