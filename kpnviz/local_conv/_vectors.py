"""What compiled loops do with vectors that are written out in LLVM's own language.

LLVM makes vectors of plain loops, too, but must ask before each whether what is written overlaps what is read: of short
loops that read many rows, more time goes into asking than into computing.
"""

from __future__ import annotations

from llvmlite import ir
from numba import types
from numba.core.codegen import get_host_cpu_features
from numba.extending import intrinsic

LANES = 16 if "+avx512f" in get_host_cpu_features().split(",") else 8
"""Numbers of a vector, as many as numba compiles for."""

VECTOR = ir.VectorType(ir.FloatType(), LANES)


class Numbers:
    """A flat float32 array of an intrinsic: vectors of it begin anywhere."""

    def __init__(self, context, builder, kind, array) -> None:
        self._builder, self._data = builder, context.make_array(kind)(context, builder, array).data

    def _place(self, start):
        return self._builder.bitcast(self._builder.gep(self._data, [start]), VECTOR.as_pointer())

    def load(self, start):
        value = self._builder.load(self._place(start))
        value.align = 4
        return value

    def store(self, value, start) -> None:
        self._builder.store(value, self._place(start)).align = 4


@intrinsic(prefer_literal=True)
def add_filtered(
    context, totals, at, apart, halves, even, odd, step, wide, near, far, channel, side, size, separable
):
    """Add the sum of kernel times window to LANES totals of left pixels of cells, from `at` on, and to those of the
    right ones, `apart` beyond. Arrays are flat float32, all else np.uintp but the constants `size` and `separable`.

    halves      the window's first row, of the left pixels: its columns 0, 2, 4, ... from `even` on, and 1, 3, 5, ...
                from `odd` on; the next row is a `step` beyond
    wide        factors of left pixels, in the nearer row of cells from `near` on, in the other from `far` on; the next
                channel is `channel` beyond, those of right pixels are `side` beyond
    separable   1: channels are 2 * size factors, 0: size^2 kernel weights
    """
    index = types.uintp
    arguments = (
        totals,
        index,
        index,
        halves,
        index,
        index,
        index,
        wide,
        index,
        index,
        index,
        index,
        size,
        separable,
    )
    length, factored = size.literal_value, separable.literal_value

    def generate(context, builder, signature, arguments):
        def constant(value):
            return ir.Constant(VECTOR, [value] * LANES)

        def total(a, b, sum_=None):
            product = builder.fmul(a, b, flags=("contract",))
            return product if sum_ is None else builder.fadd(product, sum_, flags=("contract",))

        def along(start, step, times):
            return builder.add(start, builder.mul(step, ir.Constant(step.type, times)))

        out, frame, factors = (Numbers(context, builder, signature.args[n], arguments[n]) for n in (0, 3, 7))
        _, at, apart, _, even, odd, step, _, near, far, channel, side, _, _ = arguments

        def factor(k, right):
            first, second = (
                factors.load(along(along(start, channel, k), side, right)) for start in (near, far)
            )
            return total(constant(0.75), first, builder.fmul(constant(0.25), second))

        sums = [out.load(along(at, apart, right)) for right in (0, 1)]
        rows = [[factor(length + b, right) for b in range(length)] for right in (0, 1)] if factored else []
        for a in range(length):
            starts = [along(start, step, a) for start in (even, odd)]
            pixels = [
                frame.load(builder.add(starts[b % 2], ir.Constant(step.type, b // 2)))
                for b in range(length + 1)
            ]
            for right in (0, 1):
                weights = rows[right] if factored else [factor(a * length + b, right) for b in range(length)]
                value = None if factored else sums[right]
                for b, weight in enumerate(weights):
                    value = total(weight, pixels[b + right], value)
                sums[right] = total(factor(a, right), value, sums[right]) if factored else value
        for right in (0, 1):
            out.store(sums[right], along(at, apart, right))
        return context.get_dummy_value()

    return types.void(*arguments), generate
