"""Products of matrices for compiled loops: a panel of sums stays in the processor's registers until it is complete.

Loops that numba compiles write each sum back after a few factors, and lose half of the processor's speed by it. Here
vectors are written out in LLVM's own language. Four rows of two vectors, the row's two factors and a number fit the 16
registers of AVX2 as well as the 32 of AVX-512 and ARM.
"""

from __future__ import annotations

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from kpnviz.local_conv._vectors import LANES

ROWS = 4
_VECTORS = 2
COLUMNS = _VECTORS * LANES
"""A panel is ROWS x COLUMNS: 32 with AVX-512, else 16."""


@intrinsic
def add_products(context, sums, at, apart, a, i, per_row, b, j, per_factor, count):
    """sums[at + r * apart + x] += sum_k a[i + r * per_row + k] * b[j + k * per_factor + x], of `count` k, for each row
    r < ROWS and column x < COLUMNS; flat float32 arrays, all else np.uintp."""
    index = types.uintp
    signature = types.void(sums, index, index, a, index, index, b, index, index, index)
    vector = ir.VectorType(ir.FloatType(), LANES)
    unknown, everywhere = ir.Constant(vector, ir.Undefined), ir.VectorType(ir.IntType(32), LANES)

    def generate(context, builder, signature, arguments):
        def data(n):
            return context.make_array(signature.args[n])(context, builder, arguments[n]).data

        def offset(start, *steps):
            for step, times in steps:
                times = ir.Constant(start.type, times) if isinstance(times, int) else times
                start = builder.add(start, builder.mul(step, times))
            return start

        def vectors(numbers, start):
            for v in range(_VECTORS):
                place = builder.add(start, ir.Constant(start.type, v * LANES))
                yield builder.bitcast(builder.gep(numbers, [place]), vector.as_pointer())

        def load(pointer):
            value = builder.load(pointer)
            value.align = 4
            return value

        _, at, apart, _, i, per_row, _, j, per_factor, count = arguments
        out, left, right = data(0), data(3), data(6)
        places = [list(vectors(out, offset(at, (apart, r)))) for r in range(ROWS)]
        panel = [[cgutils.alloca_once_value(builder, load(place)) for place in row] for row in places]
        with cgutils.for_range(builder, count) as loop:
            factors = [load(place) for place in vectors(right, offset(j, (per_factor, loop.index)))]
            for r in range(ROWS):
                place = builder.add(offset(i, (per_row, r)), loop.index)
                number = builder.load(builder.gep(left, [place]))
                first = builder.insert_element(unknown, number, ir.Constant(ir.IntType(32), 0))
                number = builder.shuffle_vector(first, unknown, ir.Constant(everywhere, [0] * LANES))
                for total, factor in zip(panel[r], factors, strict=True):
                    product = builder.fmul(number, factor, flags=("contract",))
                    builder.store(builder.fadd(product, builder.load(total), flags=("contract",)), total)
        for row, totals in zip(places, panel, strict=True):
            for place, total in zip(row, totals, strict=True):
                builder.store(builder.load(total), place).align = 4
        return context.get_dummy_value()

    return signature, generate
