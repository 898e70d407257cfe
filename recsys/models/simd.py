"""Vector instructions for compiled kernels, where the automatic vectorization of numba is too slow.

For a loop over the dimensions of a factor row, the compiler adds checks for overlapping arrays and a remainder loop
to every row. For rows of 64 numbers these cost more than the arithmetic. Here the same loops are written for LLVM as
operations on 16 floats (one AVX-512 register, two of AVX2, four of NEON). Rows must therefore be padded, see `padded`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

LANES = 16
LINE_BYTES = 64
_FLOAT, _INT, _LONG = ir.FloatType(), ir.IntType(32), ir.IntType(64)
_VECTOR = ir.VectorType(_FLOAT, LANES)


def padded(n_factors: int) -> int:
    """`n_factors` rounded up to a multiple of `LANES`."""
    return -(-n_factors // LANES) * LANES


def aligned_zeros(n_rows: int, n_columns: int) -> np.ndarray:
    """A float32 matrix of zeros that starts on a cache line; rows that cross one line more cost half as much again."""
    raw = np.zeros(n_rows * n_columns + LINE_BYTES // 4, dtype=np.float32)
    start = (-raw.ctypes.data % LINE_BYTES) // 4
    return raw[start : start + n_rows * n_columns].reshape(n_rows, n_columns)


def _row_operation(n_rows: int) -> Callable[..., None]:
    """The fused operation on `n_rows` rows at once, so that `x` and `out` are read only once for all of them."""

    @intrinsic
    def operation(_, factors, indices, weights, position, base, sign, x, out):  # type: ignore[no-untyped-def]
        signature = types.void(factors, indices, weights, types.int64, types.float32, types.float32, x, out)

        def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
            def data(at: int) -> Any:
                return context.make_array(signature.args[at])(context, builder, arguments[at]).data

            shape = context.make_array(signature.args[0])(context, builder, arguments[0]).shape
            width = cgutils.unpack_tuple(builder, shape, 2)[1]
            steps = builder.udiv(width, _LONG(LANES))
            position, base, sign = arguments[3:6]
            rows, row_weights = [], []
            for row in range(n_rows):
                at = builder.add(position, _LONG(row))
                index = builder.load(builder.gep(data(1), [at]))
                if index.type.width < 64:
                    index = builder.sext(index, _LONG)
                rows.append(builder.gep(data(0), [builder.mul(index, width)]))
                row_weights.append(builder.load(builder.gep(data(2), [at])))

            def pointer(start: Any, step: Any) -> Any:
                return builder.bitcast(builder.gep(start, [builder.mul(step, _LONG(LANES))]), _VECTOR.as_pointer())

            def load(start: Any, step: Any) -> Any:
                value = builder.load(pointer(start, step))
                value.align = 4  # numpy guarantees no more; aligned rows are as fast without the hint
                return value

            fma = cgutils.get_or_insert_function(
                builder.module, ir.FunctionType(_VECTOR, [_VECTOR] * 3), f"llvm.fma.v{LANES}f32"
            )
            total = cgutils.get_or_insert_function(
                builder.module, ir.FunctionType(_FLOAT, [_FLOAT, _VECTOR]), f"llvm.vector.reduce.fadd.v{LANES}f32"
            )
            sums = [cgutils.alloca_once(builder, _VECTOR) for _ in rows]
            for row in range(n_rows):
                builder.store(ir.Constant(_VECTOR, [0.0] * LANES), sums[row])
            with cgutils.for_range(builder, steps) as loop:
                part = load(data(6), loop.index)
                for row in range(n_rows):
                    product = builder.call(fma, [load(rows[row], loop.index), part, builder.load(sums[row])])
                    builder.store(product, sums[row])
            coefficients = []
            for row in range(n_rows):
                dot = builder.call(total, [_FLOAT(0.0), builder.load(sums[row])], fastmath=("reassoc",))
                value = builder.fmul(row_weights[row], builder.fadd(base, builder.fmul(sign, dot)))
                lone = builder.insert_element(ir.Constant(_VECTOR, ir.Undefined), value, _INT(0))
                spread = ir.Constant(ir.VectorType(_INT, LANES), [0] * LANES)
                coefficients.append(builder.shuffle_vector(lone, ir.Constant(_VECTOR, ir.Undefined), spread))
            with cgutils.for_range(builder, steps) as loop:
                value = load(data(7), loop.index)
                for row in range(n_rows):
                    value = builder.call(fma, [load(rows[row], loop.index), coefficients[row], value])
                builder.store(value, pointer(data(7), loop.index)).align = 4
            return context.get_dummy_value()

        return signature, generate

    return operation


add_four_rows = _row_operation(4)
add_one_row = _row_operation(1)
"""out += Σ_r w_r · (base + sign · y_r·x) · y_r over one (or four) rows y_r = factors[indices[position + r]].

factors (n, d) float32 with d a multiple of `LANES`, indices int32 or int64, weights float32 with w_r =
weights[position + r], x and out (d,) float32, contiguous. For use in compiled code only; arguments are not checked.
"""


@intrinsic
def prefetch_row(_, factors, index) -> Any:  # type: ignore[no-untyped-def]
    """Prefetch row `index` of `factors` (n, d) float32 into the cache; the row must exist."""

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
            builder.call(prefetch, [line, _INT(0), _INT(3), _INT(1)])  # read, high locality, data cache
        return context.get_dummy_value()

    return types.void(factors, index), generate
