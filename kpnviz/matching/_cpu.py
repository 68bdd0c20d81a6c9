"""Matching on the CPU: float32, compiled by numba on first use (some seconds) and cached on disk.

A task is some rows of a frame. For one displacement, the costs of their cells are computed row by row, and summed over
windows of 3, 9, 27, ... cells, each from the one before:

    a box of 9 is three boxes of 3, 3 cells apart; of 27, three boxes of 9, 9 cells apart; in columns, then in rows

so that a window costs four additions a cell, whatever its size. Only the newest rows are kept from which such a
sum is made, and a few displacements along x are done side by side: then rows of the frames, rows of sums and the least
costs of a dy stay in the processor's first caches, the least costs of these dx in the second. (Boxes whose middle lies
outside the task's rows are needed for its own: it begins some rows above them and ends below. Rows have a border of
cells, which are 0.) A frame is kept as four planes, of its even and odd rows and columns, so that a displacement by any
number of pixels reads each of them with unit stride. Rows of small pictures are too short for the processor's vectors:
several frames are interleaved, pixel by pixel, into longer rows ("lanes").

The innermost loops are functions of flat arrays and unsigned offsets: with signed ones, or with slices, numba
checks for negative indices or counts references, and LLVM does not vectorize.
"""

from __future__ import annotations

import numpy as np
import torch
from llvmlite import ir
from numba import types
from numba.extending import intrinsic
from torch import Tensor

from kpnviz.local_conv import reflect_pad
from kpnviz.threads import compiled, in_threads

from . import CAP

_ROW = 256  # floats: shorter rows are made longer by lanes
_TASK = 2**16  # floats that a task's rows have, about
_FEW = 4  # displacements along x that are done side by side


def matching_costs(smooth: Tensor, reach: int, windows: int, marginal: bool) -> Tensor:
    """smooth [B, N, H, W], H and W even, unit noise -> costs, as :func:`kpnviz.matching.matching_costs` has them."""
    B, N, H, W = smooth.shape
    h, w, K = H // 2, W // 2, 2 * reach + 1
    rows = 2 * K if marginal else K * K
    margin = reach // 2 + 1  # cells: what the planes have around them
    lanes = min(N, max(1, _ROW // w))
    # NumPy allocates large pages of memory, torch small ones.
    values = np.empty((B, N, windows, rows, h, w), np.float32)
    costs = torch.from_numpy(values)
    groups = [(b, first, min(first + lanes, N)) for b in range(B) for first in range(0, N, lanes)]
    scaled = smooth * 0.125**0.5  # the mean of 4 squares over 2, as their plain sum
    planes: list[np.ndarray] = [np.empty(0)] * len(groups)

    def split(group: int) -> None:
        b, first, last = groups[group]
        planes[group] = _planes(reflect_pad(scaled[b, first:last], 2 * margin))

    in_threads(split, len(groups))
    references = {
        (b, n): _planes(scaled[b, :1].expand(n, -1, -1)) for b, first, last in groups for n in [last - first]
    }
    down, across = (_Counts(length, reach, windows) for length in (h, w))
    inverse = {n: np.repeat(across.inverse, n, axis=2).ravel() for _, n in references}
    border = (3**windows - 1) // 2
    parts = max(1, round(h / max(2 * border, _TASK // (w * lanes))))
    starts = [h * part // parts for part in range(parts + 1)]

    def run(task: int) -> None:
        group, part = divmod(task, parts)
        (b, first, last), top, bottom = groups[group], starts[part], starts[part + 1]
        n = last - first
        place = values[b, first:last, :, :, top:bottom]
        if n == 1:
            out, apart, begin = values[b, first].reshape(-1), h, top
            place.fill(CAP)
        else:
            out, apart, begin = np.full(place.size, CAP, np.float32), bottom - top, 0
        _costs(
            planes[group], references[b, n], h, w, n, margin, reach, windows, first == 0, marginal, top, bottom,
            down.valid, across.valid, down.inverse, inverse[n], out, apart, begin,
        )  # fmt: skip
        if n > 1:
            place[:] = np.moveaxis(out.reshape(windows, rows, bottom - top, w, n), 4, 0)

    in_threads(run, len(groups) * parts)
    return costs if marginal else costs.view(B, N, windows, K, K, h, w)


class _Counts:
    """Which cells count along one axis, and how many are in a window.

    valid     [K, 2], for each displacement the first cell that counts (_within of _reference.py), and the last + 1
    inverse   [K, J, length], 1 / the cells that count in the window around each; 0 for none
    """

    def __init__(self, length: int, reach: int, windows: int) -> None:
        K, k, last = 2 * reach + 1, np.arange(length), 2 * length - 1
        self.valid = np.zeros((K, 2), np.int64)
        self.inverse = np.zeros((K, windows, length), np.float32)
        for i, offset in enumerate(range(-reach, reach + 1)):
            inside = (2 * k + offset >= 0) & (np.maximum(2 * k + 1, 2 * k + 1 + offset) < last) | (
                offset == 0
            )
            if not inside.any():
                continue
            self.valid[i] = first, end = inside.argmax(), length - inside[::-1].argmax()
            for j in range(windows):
                half = (3 ** (j + 1) - 1) // 2
                count = np.minimum(k + half + 1, end) - np.maximum(k - half, first)
                self.inverse[i, j] = np.where(count > 0, 1 / np.maximum(count, 1), 0)


def _planes(frames: Tensor) -> np.ndarray:
    """[n, H, W] -> flat [2, 2, H/2, W/2, n]: even and odd rows, even and odd columns."""
    n, H, W = frames.shape
    return frames.reshape(n, H // 2, 2, W // 2, 2).permute(2, 4, 1, 3, 0).contiguous().view(-1).numpy()


@intrinsic
def _least(context, a, b):
    """The smaller of two numbers that are none of them NaN. `out = min(out, value)` in place of it is a store under a
    condition, which LLVM does not vectorize."""

    def generate(context, builder, signature, arguments):
        number = ir.FloatType()
        kind = ir.FunctionType(number, [number, number])
        function = builder.module.declare_intrinsic("llvm.minnum", [number], kind)
        return builder.call(function, arguments, fastmath=("fast",))

    return types.float32(types.float32, types.float32), generate


def _compiled(function):
    return compiled(function, fastmath=True, error_model="numpy")


@_compiled
def _add3(out, at, a, i, j, k, n):
    for x in range(n):
        out[at + x] = a[i + x] + a[j + x] + a[k + x]


@_compiled
def _clear(out, at, n):
    for x in range(n):
        out[at + x] = np.float32(0)


@_compiled
def _difference(out, at, p, p0, p1, p2, p3, q, q0, q1, q2, q3, cap, n):
    for x in range(n):
        a = p[p0 + x] - q[q0 + x]
        b = p[p1 + x] - q[q1 + x]
        c = p[p2 + x] - q[q2 + x]
        d = p[p3 + x] - q[q3 + x]
        out[at + x] = min(a * a + b * b + c * c + d * d - np.float32(1), cap)


@_compiled
def _mean(out, at, total, i, per_column, c, per_row, n):
    for x in range(n):
        out[at + x] = total[i + x] * (per_column[c + x] * per_row)


@_compiled
def _lower(out, a, b, total, i, per_column, c, per_row, n):
    for x in range(n):
        mean = total[i + x] * (per_column[c + x] * per_row)
        out[a + x] = _least(out[a + x], mean)  # type: ignore[call-arg]
        out[b + x] = _least(out[b + x], mean)  # type: ignore[call-arg]


@_compiled
def _costs(
    frame, reference, h, w, lanes, margin, reach, windows, has_reference, marginal, top, bottom,
    valid_rows, valid_columns, per_row, per_column, out, apart, begin,
):  # fmt: skip
    """Rows top to bottom - 1 of a frame's costs: of `out`, flat [windows, rows, apart, w, lanes], from row `begin` on,
    which are CAP before. frame, reference: flat planes, the first with `margin` cells around; per_column: flat
    [K, J, w, lanes]."""
    cap, n = np.float32(CAP), w * lanes
    K = 2 * reach + 1
    rows = 2 * K if marginal else K * K
    border = (3**windows - 1) // 2
    long, left = (w + 2 * border) * lanes, border * lanes
    stride = (w + 2 * margin) * lanes  # of a row of `frame`
    plane, small = (h + 2 * margin) * stride, h * n
    # Of a displacement the newest rows are kept: 3 of cells, 7 of sums over windows of 3, 19 over windows of 9, ...
    kept = (windows + 2 * border) * long
    rings, lines = np.zeros(_FEW * kept, np.float32), np.zeros((windows, long), np.float32)
    widest = np.zeros(long, np.float32)
    for few in range(0, K, _FEW):
        for iy in range(K):
            dy = iy - reach
            first_y, end_y = valid_rows[iy, 0], valid_rows[iy, 1]
            # Rows 2y + dy and 2y + 1 + dy: the parity of each selects its plane, the rest is the offset in that plane.
            ay, by = dy % 2, (dy + 1) % 2
            up, down = margin + (dy - ay) // 2, margin + (dy + 1 - by) // 2
            for t in range(bottom - top + 2 * border if first_y < end_y else 0):
                y = top - border + t
                for ix in range(few, min(few + _FEW, K)):
                    dx = ix - reach
                    first_x, end_x = valid_columns[ix, 0], valid_columns[ix, 1]
                    if first_x >= end_x:
                        continue
                    ax, bx = dx % 2, (dx + 1) % 2
                    near, far = (margin + (dx - ax) // 2) * lanes, (margin + (dx + 1 - bx) // 2) * lanes
                    skip, count = first_x * lanes, (end_x - first_x) * lanes
                    ring = (ix - few) * kept
                    place = ring + t % 3 * long + left
                    if y < first_y or y >= end_y:
                        _clear(rings, np.uintp(place), np.uintp(n))
                    else:
                        _clear(rings, np.uintp(place), np.uintp(skip))
                        _clear(rings, np.uintp(place + skip + count), np.uintp(n - skip - count))
                        at = y * n + skip
                        above, below = (y + up) * stride + skip, (y + down) * stride + skip
                        _difference(
                            rings, np.uintp(place + skip), frame,
                            np.uintp((2 * ay + ax) * plane + above + near),
                            np.uintp((2 * ay + bx) * plane + above + far),
                            np.uintp((2 * by + ax) * plane + below + near),
                            np.uintp((2 * by + bx) * plane + below + far),
                            reference,
                            np.uintp(at), np.uintp(small + at), np.uintp(2 * small + at), np.uintp(3 * small + at),
                            cap, np.uintp(count),
                        )  # fmt: skip
                        if has_reference and dy == 0 and dx == 0:
                            for x in range(w):
                                rings[place + x * lanes] = 0
                    # This row completes one of sums over windows of 3, that one over windows of 9, ...
                    step, center, beyond = 1, t, 0
                    for j in range(windows):
                        center -= step
                        if 2 * center < t:  # not all rows are there from which its first one is summed
                            break
                        # Sums within `around` cells of the task's are needed for it, and `wider` cells beyond the
                        # picture they end.
                        around = border - (t - center)
                        wider = min(beyond + step, around)
                        line, size = lines[j], 2 * step + 1
                        at, to = left - beyond * lanes, left - wider * lanes
                        _add3(
                            line, np.uintp(at), rings,
                            np.uintp(ring + (center - step) % size * long + at),
                            np.uintp(ring + center % size * long + at),
                            np.uintp(ring + (center + step) % size * long + at),
                            np.uintp(n + 2 * beyond * lanes),
                        )  # fmt: skip
                        ring += size * long
                        last = j == windows - 1
                        total, row = (widest, 0) if last else (rings, ring + center % (6 * step + 1) * long)
                        _add3(
                            total, np.uintp(row + to), line,
                            np.uintp(to - step * lanes), np.uintp(to), np.uintp(to + step * lanes),
                            np.uintp(n + 2 * wider * lanes),
                        )  # fmt: skip
                        own = top - border + center
                        if top <= own < bottom and per_row[iy, j, own] > 0:
                            half = (3 * step - 1) // 2
                            lowest, highest = max(0, first_x - half), min(w, end_x + half)
                            c = np.uintp(((ix * windows + j) * w + lowest) * lanes)
                            length = np.uintp((highest - lowest) * lanes)
                            i = np.uintp(row + left + lowest * lanes)
                            place = (begin + own - top) * n + lowest * lanes
                            if marginal:
                                a = np.uintp((j * rows + iy) * apart * n + place)
                                b = np.uintp((j * rows + K + ix) * apart * n + place)
                                _lower(out, a, b, total, i, per_column, c, per_row[iy, j, own], length)
                            else:
                                a = np.uintp((j * rows + iy * K + ix) * apart * n + place)
                                _mean(out, a, total, i, per_column, c, per_row[iy, j, own], length)
                        step, beyond = 3 * step, wider
