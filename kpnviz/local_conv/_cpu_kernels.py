"""What numba compiles for the CPU backend: forward and backward passes for one layout of kernels.

A strip of output rows is worked through in blocks of half-resolution columns, with scratch in the caches:

    window   P around the strip, even and odd columns apart     [rows + 2r, 2, plane]
    rows     factors upsampled vertically, a few pixel rows     [rows, F, STRIDE]
    sums     the output, before it is scaled and stored         [rows, S or 1, 2, BLOCK]

The innermost part, a *tile*, is LANES half-resolution columns j of one output row: pixels x = 2j (even) and
x = 2j + 1 (odd). Left to itself, LLVM re-reads and re-writes a running sum at every tap; in a tile, the sums
of all kernel rows stay in registers, so that a tap costs one multiply-add and half a load. This takes
straight-line code for each kernel size, easier to write down as instructions (class `_Tile`, which runs at
compile time, inside the two `@intrinsic`s) than to coax out of an optimizer.

Why even and odd pixels apart: bilinear x2 upsampling then needs no shuffles,

    f[2j] = 3/4 f_half[j] + 1/4 f_half[j - 1]        f[2j + 1] = 3/4 f_half[j] + 1/4 f_half[j + 1]

a frame stored as a plane of even and a plane of odd columns is read with unit stride, and tap b of an odd
pixel reads what tap b + 1 of its even neighbor reads: they share the load.

All of this is one file because numba's disk cache notices a change only in the file of the cached function.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import llvmlite.binding
import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from kpnviz.threads import compiled

LANES = 8  # floats per vector. 16 (one AVX-512 register) is no faster: its loads straddle cache lines.
BLOCK = 256  # half-resolution columns per block: long runs, since each new memory page costs a TLB miss
LEFT = LANES  # where a row of factors begins; before it, the neighbor that bilinear interpolation needs
STRIDE = LEFT + BLOCK + LANES  # of one channel in a row of factors
CACHE_BYTES = 512 * 1024  # for `rows`: half of a usual L2 cache

# Sums of kernel rows that a tile holds in registers (32 with AVX-512 VL, else 16, less those for operands).
SUMS = 26 if llvmlite.binding.get_host_cpu_features().get("avx512vl") else 10

_VECTOR = ir.VectorType(ir.FloatType(), LANES)
_INT = ir.IntType(64)


@dataclass(frozen=True)
class Layout:
    """All that is fixed at compile time. Travels through numba as a literal string, `str(layout)`."""

    sizes: tuple[int, ...]
    separable: bool
    fused: bool
    per_size: bool  # one output per size (reduce="none"), else the sum over sizes

    def __str__(self) -> str:
        flags = zip("sfn", (self.separable, self.fused, self.per_size), strict=True)
        return "".join(flag for flag, on in flags if on) + ":" + " ".join(map(str, self.sizes))

    @classmethod
    def parse(cls, text: str) -> Layout:
        flags, sizes = text.split(":")
        return cls(tuple(map(int, sizes.split())), "s" in flags, "f" in flags, "n" in flags)

    @property
    def radius(self) -> int:
        return max(self.sizes) // 2

    @property
    def slots(self) -> int:
        """Outputs per pixel."""
        return len(self.sizes) if self.per_size else 1

    @property
    def plane(self) -> int:
        """Columns of each parity in the window: a block, and 2r + 1 more pixels."""
        return BLOCK + self.radius + LANES

    def groups(self) -> Iterator[tuple[int, int, int]]:
        """For each kernel size: its index, itself, and its first channel."""
        first = 0
        for index, size in enumerate(self.sizes):
            yield index, size, first
            first += 2 * size if self.separable else size * size

    @property
    def channels(self) -> int:
        return 2 * sum(self.sizes) if self.separable else sum(size * size for size in self.sizes)


Pair = list[Any]  # two vectors (LLVM values): at the even and at the odd pixels. None stands for zero.


class _Tile:
    """Writes the instructions of a tile. Pointers are to float, already moved to the tile's row and column.

    window   to P at the corner of the largest kernel of the first even pixel
    factors  to channel 0
    """

    def __init__(self, builder: Any, layout: Layout, window: Any, factors: Any) -> None:
        self.builder, self.layout, self.window, self.factors = builder, layout, window, factors

    def move(self, pointer: Any, offset: int | Any) -> Any:
        return self.builder.gep(pointer, [_INT(offset) if isinstance(offset, int) else offset])

    def load(self, pointer: Any, offset: int) -> Any:
        address = self.builder.bitcast(self.move(pointer, offset), _VECTOR.as_pointer())
        return self.builder.load(address, align=4)

    def store(self, value: Any, pointer: Any, offset: int) -> None:
        address = self.builder.bitcast(self.move(pointer, offset), _VECTOR.as_pointer())
        self.builder.store(value, address, align=4)

    def mul(self, a: Any, b: Any) -> Any:
        return self.builder.fmul(a, b, flags=("contract",))

    def add(self, a: Any, b: Any) -> Any:
        return b if a is None else self.builder.fadd(a, b, flags=("contract",))

    def fma(self, a: Any, b: Any, c: Any) -> Any:
        """a * b + c: by the flags above one instruction, where the processor has it."""
        return self.add(c, self.mul(a, b))

    def upsampled(self, channel: int) -> Pair:
        """A factor, interpolated horizontally."""
        at = channel * STRIDE
        three_quarters, quarter = (ir.Constant(_VECTOR, [value] * LANES) for value in (0.75, 0.25))
        middle = self.mul(self.load(self.factors, at), three_quarters)
        return [self.fma(self.load(self.factors, at + side), quarter, middle) for side in (-1, 1)]

    def tap(self, size: int, a: int, column: int) -> Any:
        """P at kernel row a, `column` pixels to the right of where the even pixel's kernel begins."""
        margin = self.layout.radius - size // 2
        row, column = margin + a, margin + column
        return self.load(self.window, (2 * row + column % 2) * self.layout.plane + column // 2)

    def columns(self, size: int) -> Iterator[tuple[int, list[tuple[int, int]]]]:
        """Each column that the kernels of an even and an odd pixel touch; the (parity, b) that meet in it."""
        for column in range(size + 1):
            yield column, [(parity, column - parity) for parity in (0, 1) if 0 <= column - parity < size]

    def row_groups(self, size: int) -> list[range]:
        """Kernel rows that are worked on together: as many as there are registers for."""
        count = -(-2 * size // SUMS)
        edges = [i * size // count for i in range(count + 1)]
        return [range(*edge) for edge in itertools.pairwise(edges)]

    # Forward: each returns the pair of results of one kernel size.

    def separable(self, size: int, first: int) -> Pair:
        """sum_a u_a sum_b v_b P_ab"""
        total: Pair = [None, None]
        for rows in self.row_groups(size):
            sums: dict[int, Pair] = {a: [None, None] for a in rows}
            v: list[Pair] = []
            for column, meeting in self.columns(size):
                if column < size:
                    v.append(self.upsampled(first + size + column))
                for a in rows:
                    p = self.tap(size, a, column)
                    for parity, b in meeting:
                        sums[a][parity] = self.fma(v[b][parity], p, sums[a][parity])
            for a in rows:
                u = self.upsampled(first + a)
                total = [self.fma(u[parity], sums[a][parity], total[parity]) for parity in (0, 1)]
        return total

    def kernel(self, size: int, tap_weight: Callable[[int, int], Pair]) -> Pair:
        """sum_ab K_ab P_ab with K_ab = tap_weight(a, b)"""
        total: Pair = [None, None]
        for a in range(size):
            weights: list[Pair] = []
            for column, meeting in self.columns(size):
                if column < size:
                    weights.append(tap_weight(a, column))
                p = self.tap(size, a, column)
                for parity, b in meeting:
                    total[parity] = self.fma(weights[b][parity], p, total[parity])
        return total

    def dense(self, size: int, first: int) -> Pair:
        return self.kernel(size, lambda a, b: self.upsampled(first + a * size + b))

    def fused(self) -> Pair:
        """The effective kernel (eq. 3; the scale of the output divides by S), applied once (eq. 4)."""
        largest = max(self.layout.sizes)
        channels = range(self.layout.channels if self.layout.separable else 0)
        factors = [self.upsampled(channel) for channel in channels]  # these live on the stack

        def tap_weight(a: int, b: int) -> Pair:
            weight: Pair = [None, None]
            for _, size, first in self.layout.groups():
                i, j = a - (largest - size) // 2, b - (largest - size) // 2
                if not (0 <= i < size and 0 <= j < size):
                    continue
                if self.layout.separable:
                    u, v = factors[first + i], factors[first + size + j]
                    weight = [self.fma(u[parity], v[parity], weight[parity]) for parity in (0, 1)]
                else:
                    dense = self.upsampled(first + i * size + j)
                    weight = [self.add(weight[parity], dense[parity]) for parity in (0, 1)]
            return weight

        return self.kernel(largest, tap_weight)

    # Backward: each stores the gradients of the factors of one size at the pixels, [channel, parity, STRIDE].

    def separable_backward(self, size: int, first: int, g: Pair, grads: Any) -> None:
        """du_a = g sum_b v_b P_ab,  dv_b = g sum_a u_a P_ab"""
        for rows in self.row_groups(size):
            u = {a: self.upsampled(first + a) for a in rows}
            v: list[Pair] = []
            du: dict[int, Pair] = {a: [None, None] for a in rows}
            dv: dict[int, Pair] = {b: [None, None] for b in range(size)}
            for column, meeting in self.columns(size):
                if column < size:
                    v.append(self.upsampled(first + size + column))
                for a in rows:
                    p = self.tap(size, a, column)
                    for parity, b in meeting:
                        du[a][parity] = self.fma(v[b][parity], p, du[a][parity])
                        dv[b][parity] = self.fma(u[a][parity], p, dv[b][parity])
                for parity, b in meeting:
                    at = (2 * (first + size + b) + parity) * STRIDE
                    so_far = self.load(grads, at) if rows.start else None
                    self.store(self.fma(dv[b][parity], g[parity], so_far), grads, at)
            for a in rows:
                for parity in (0, 1):
                    self.store(self.mul(du[a][parity], g[parity]), grads, (2 * (first + a) + parity) * STRIDE)

    def dense_backward(self, size: int, first: int, g: Pair, grads: Any) -> None:
        """dK_ab = g P_ab. A loop over kernel rows: LLVM takes long over thousands of stores in a row."""
        with cgutils.for_range(self.builder, _INT(size)) as loop:
            down = self.builder.mul(loop.index, _INT(2 * self.layout.plane))
            on = self.builder.mul(loop.index, _INT(2 * size * STRIDE))
            row = _Tile(self.builder, self.layout, self.move(self.window, down), self.factors)
            grads = self.move(grads, on)
            for column, meeting in self.columns(size):
                p = row.tap(size, 0, column)
                for parity, b in meeting:
                    self.store(self.mul(p, g[parity]), grads, (2 * (first + b) + parity) * STRIDE)


def _element(context: Any, builder: Any, array_type: Any, array: Any, *steps: tuple[Any, int]) -> Any:
    """Pointer into a C-contiguous array: to sum(index * length), in elements."""
    pointer = context.make_array(array_type)(context, builder, array).data
    for index, length in steps:
        pointer = builder.gep(pointer, [builder.mul(index, _INT(length))])
    return pointer


@intrinsic(prefer_literal=True)
def forward_tile(typing_context, layout, window, y, rows, row, sums, j):
    """Add a tile to sums[y, :, :, j:]; y counts in the window, `row` in `rows`."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        lay = Layout.parse(layout.literal_value)
        _, window_array, y, rows_array, row, sums_array, j = args
        at = functools.partial(_element, context, builder)
        tile = _Tile(
            builder,
            lay,
            window=at(window, window_array, (y, 2 * lay.plane), (j, 1)),
            factors=at(rows, rows_array, (row, lay.channels * STRIDE), (j, 1), (_INT(LEFT), 1)),
        )
        out = at(sums, sums_array, (y, lay.slots * 2 * BLOCK), (j, 1))
        results: list[Pair] = [[None, None] for _ in range(lay.slots)]
        if lay.fused:
            results = [tile.fused()]
        else:
            apply = tile.separable if lay.separable else tile.dense
            for index, size, first in lay.groups():
                slot = index if lay.per_size else 0
                part = apply(size, first)
                results[slot] = [tile.add(results[slot][parity], part[parity]) for parity in (0, 1)]
        for index, value in enumerate(value for pair in results for value in pair):
            tile.store(tile.add(tile.load(out, index * BLOCK), value), out, index * BLOCK)
        return context.get_dummy_value()

    return types.void(layout, window, types.int64, rows, types.int64, sums, types.int64), codegen


@intrinsic(prefer_literal=True)
def backward_tile(typing_context, layout, window, y, rows, g, grads, j):
    """Set a tile of grads[:, :, LEFT + j:], gradients of rows[0], from g[:, :, j:], those of the output."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        lay = Layout.parse(layout.literal_value)
        _, window_array, y, rows_array, g_array, grads_array, j = args
        at = functools.partial(_element, context, builder)
        tile = _Tile(
            builder,
            lay,
            window=at(window, window_array, (y, 2 * lay.plane), (j, 1)),
            factors=at(rows, rows_array, (j, 1), (_INT(LEFT), 1)),
        )
        g_pointer = at(g, g_array, (j, 1))
        grads_pointer = at(grads, grads_array, (j, 1), (_INT(LEFT), 1))
        apply = tile.separable_backward if lay.separable else tile.dense_backward
        for index, size, first in lay.groups():
            slot = index if lay.per_size else 0
            pair = [tile.load(g_pointer, (2 * slot + parity) * BLOCK) for parity in (0, 1)]
            apply(size, first, pair, grads_pointer)
        return context.get_dummy_value()

    return types.void(layout, window, types.int64, rows, g, grads, types.int64), codegen


# The loops around the tiles, in numba. Arrays are sliced before an inner loop: an index like j0 + m could be
# negative for all that numba knows, and the test for that would keep LLVM from vectorizing.


@njit(nogil=True)
def _reflect(i: int, n: int) -> int:
    """As `kpnviz.sampling.reflect_index`, for one index."""
    if n == 1:
        return 0
    period = 2 * (n - 1)
    i = i % period
    return min(i, period - i)


@njit(nogil=True)
def _load_window(
    frame: np.ndarray, y0: int, y1: int, j0: int, columns: int, radius: int, window: np.ndarray
) -> None:
    """window[row, parity, m] = P[y0 - radius + row, 2 * (j0 + m) + parity - radius]"""
    H, W = frame.shape
    length = columns + radius + 1
    origin = np.empty(2 * length, np.int64)
    for q in range(2 * length):
        origin[q] = _reflect(2 * j0 - radius + q, W)
    for row in range(y1 - y0 + 2 * radius):
        source = frame[_reflect(y0 - radius + row, H)]
        for m in range(length):
            window[row, 0, m] = source[origin[2 * m]]
            window[row, 1, m] = source[origin[2 * m + 1]]


@njit(nogil=True, fastmath={"contract"})
def _upsample_rows(half: np.ndarray, i0: int, i1: int, j0: int, columns: int, rows: np.ndarray) -> None:
    """rows[:, channel, LEFT + m] = factors of pixel rows 2 i0 ... 2 i1 - 1 at half-resolution column j0 + m.

    Interpolated vertically only. For -1 <= m <= columns: the tiles need both neighbors of a block.
    """
    F, h, w = half.shape
    t, q = np.float32(0.75), np.float32(0.25)
    ends = ((LEFT - 1, max(j0 - 1, 0)), (LEFT + columns, min(j0 + columns, w - 1)))
    for f in range(F):  # outermost: a channel's rows lie side by side in memory
        for i in range(i0, i1):
            above, below = max(i - 1, 0), min(i + 1, h - 1)
            a = half[f, above, j0 : j0 + columns]
            b = half[f, i, j0 : j0 + columns]
            c = half[f, below, j0 : j0 + columns]
            even = rows[2 * (i - i0), f, LEFT : LEFT + columns]
            odd = rows[2 * (i - i0) + 1, f, LEFT : LEFT + columns]
            for m in range(columns):
                even[m] = t * b[m] + q * a[m]
                odd[m] = t * b[m] + q * c[m]
            for to, column in ends:
                rows[2 * (i - i0), f, to] = t * half[f, i, column] + q * half[f, above, column]
                rows[2 * (i - i0) + 1, f, to] = t * half[f, i, column] + q * half[f, below, column]


@njit(nogil=True, fastmath={"contract"})
def _downsample_row(grads: np.ndarray, y: int, j0: int, columns: int, total: np.ndarray) -> None:
    """The adjoint of upsampling: add the gradients of pixel row y, [F, 2, STRIDE], to total [F, h, w]."""
    F, h, w = total.shape
    t, q = np.float32(0.75), np.float32(0.25)
    i = y // 2
    near = max(i - 1, 0) if y % 2 == 0 else min(i + 1, h - 1)
    ends = ((LEFT, max(j0 - 1, 0), 0), (LEFT + columns - 1, min(j0 + columns, w - 1), 1))
    row = np.empty(columns, np.float32)
    for f in range(F):
        grads[f, 0, LEFT + columns] = 0
        grads[f, 1, LEFT - 1] = 0
        even = grads[f, 0, LEFT : LEFT + columns + 1]
        odd = grads[f, 1, LEFT - 1 : LEFT + columns]
        for m in range(columns):
            row[m] = t * (even[m] + odd[m + 1]) + q * (even[m + 1] + odd[m])
        to = total[f, i, j0 : j0 + columns]
        for m in range(columns):
            to[m] += t * row[m]
        to = total[f, near, j0 : j0 + columns]
        for m in range(columns):
            to[m] += q * row[m]
        for at, column, parity in ends:  # what falls on the neighboring blocks, or beyond the border
            total[f, i, column] += t * q * grads[f, parity, at]
            total[f, near, column] += q * q * grads[f, parity, at]


@njit(nogil=True, fastmath={"contract"})
def _interleave(planes: np.ndarray, scale: np.float32, out: np.ndarray) -> None:
    """out[2m + parity] = scale * planes[parity, m]"""
    even, odd = planes[0], planes[1]
    for m in range(out.size // 2):
        out[2 * m] = scale * even[m]
        out[2 * m + 1] = scale * odd[m]
    if out.size % 2:
        out[-1] = scale * even[out.size // 2]


@njit(nogil=True, fastmath={"contract"})
def _deinterleave(row: np.ndarray, scale: np.float32, planes: np.ndarray) -> None:
    """The adjoint of _interleave; an odd pixel beyond the right border gets 0."""
    even, odd = planes[0], planes[1]
    for m in range(row.size // 2):
        even[m] = scale * row[2 * m]
        odd[m] = scale * row[2 * m + 1]
    if row.size % 2:
        even[row.size // 2] = scale * row[-1]
        odd[row.size // 2] = 0


@functools.cache
def forward_kernel(layout: Layout) -> Callable[..., None]:
    """f(frames [N, H, W], factors [N, F, h, w], y0, y1, scale, out [slots, H, W]), y0 even.

    Sets rows y0 ... y1 - 1 of `out` to the sum over frames (and sizes, but for per_size) times scale.
    """
    config, radius, plane = str(layout), layout.radius, layout.plane
    channels, slots = layout.channels, layout.slots
    chunk = min(max(2, CACHE_BYTES // (channels * STRIDE * 4) // 2 * 2), 32)  # pixel rows, even

    def forward(
        frames: np.ndarray, factors: np.ndarray, y0: int, y1: int, scale: np.float32, out: np.ndarray
    ) -> None:
        W, w = frames.shape[2], factors.shape[3]
        window = np.empty((y1 - y0 + 2 * radius, 2, plane), np.float32)
        rows = np.empty((chunk, channels, STRIDE), np.float32)
        sums = np.empty((y1 - y0, slots, 2, BLOCK), np.float32)
        for j0 in range(0, w, BLOCK):
            columns = min(BLOCK, w - j0)
            sums[:] = 0
            for n in range(frames.shape[0]):
                _load_window(frames[n], y0, y1, j0, columns, radius, window)
                for first in range(y0, y1, chunk):
                    last = min(first + chunk, y1)
                    _upsample_rows(factors[n], first // 2, (last + 1) // 2, j0, columns, rows)
                    for y in range(first, last):
                        for j in range(0, columns, LANES):
                            forward_tile(config, window, y - y0, rows, y - first, sums, j)  # type: ignore[call-arg]
            for y in range(y0, y1):
                for slot in range(slots):
                    _interleave(sums[y - y0, slot], scale, out[slot, y, 2 * j0 : min(2 * (j0 + columns), W)])

    return compiled(forward)


@functools.cache
def backward_kernel(layout: Layout) -> Callable[..., None]:
    """f(frame [H, W], factors [F, h, w], g [slots, H, W], scale, total [F, h, w])

    g is the gradient of the output; adds to `total`, zero at first, that of the factors times scale.
    """
    config, radius, plane = str(layout), layout.radius, layout.plane
    channels, slots = layout.channels, layout.slots

    def backward(
        frame: np.ndarray, factors: np.ndarray, g: np.ndarray, scale: np.float32, total: np.ndarray
    ) -> None:
        H, W = frame.shape
        w = factors.shape[2]
        window = np.empty((H + 2 * radius, 2, plane), np.float32)
        rows = np.empty((2, channels, STRIDE), np.float32)
        grads = np.empty((channels, 2, STRIDE), np.float32)
        planes = np.empty((slots, 2, BLOCK), np.float32)
        for j0 in range(0, w, BLOCK):
            columns = min(BLOCK, w - j0)
            _load_window(frame, 0, H, j0, columns, radius, window)
            for y in range(H):
                if y % 2 == 0:
                    _upsample_rows(factors, y // 2, y // 2 + 1, j0, columns, rows)
                for slot in range(slots):
                    _deinterleave(g[slot, y, 2 * j0 : min(2 * (j0 + columns), W)], scale, planes[slot])
                for j in range(0, columns, LANES):
                    backward_tile(config, window, y, rows[y % 2], planes, grads, j)  # type: ignore[call-arg]
                _downsample_row(grads, y, j0, columns, total)

    return compiled(backward)
