"""Matching on the CPU: float32, compiled by numba on first use (some seconds) and cached on disk.

For one displacement, the costs of all cells are one plane, small enough for the caches. The plane is computed, then
summed over windows of 3, 9, 27, ... cells, each from the one before:

    a box of 9 is three boxes of 3, 3 cells apart; of 27, three boxes of 9, 9 cells apart; in rows, then in columns

so that a window costs four additions a cell, whatever its size. (A box whose middle lies outside can still cover
cells of the picture: for those, planes have a border of cells that are 0.) A frame is kept as four planes, of its
even and odd rows and columns, so that a displacement by any number of pixels reads each of them with unit stride.
Rows of small pictures are too short for the processor's vectors: several frames are interleaved, pixel by pixel, into
longer rows ("lanes").

The innermost loops are functions of flat arrays and unsigned offsets: with signed ones, or with slices, numba
checks for negative indices or counts references, and LLVM does not vectorize.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from kpnviz.local_conv import reflect_pad
from kpnviz.threads import compiled, in_threads

from . import CAP

_ROW = 256  # floats: shorter rows are made longer by lanes


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

    def run(task: int) -> None:
        b, first, last = groups[task]
        n = last - first
        frame = _planes(reflect_pad(scaled[b, first:last], 2 * margin))
        reference = _planes(scaled[b, :1].expand(n, -1, -1))
        place = values[b, first:last]
        out = place.reshape(-1) if n == 1 else np.empty(place.size, dtype=np.float32)
        if marginal:
            out.fill(np.inf)
        _costs(frame, reference, h, w, n, margin, reach, windows, first == 0, marginal, out)
        if n > 1:
            place[:] = np.moveaxis(out.reshape(windows, rows, h, w, n), 4, 0)

    in_threads(run, len(groups))
    return costs if marginal else costs.view(B, N, windows, K, K, h, w)


def _planes(frames: Tensor) -> np.ndarray:
    """[n, H, W] -> flat [2, 2, H/2, W/2, n]: even and odd rows, even and odd columns."""
    n, H, W = frames.shape
    return frames.reshape(n, H // 2, 2, W // 2, 2).permute(2, 4, 1, 3, 0).contiguous().view(-1).numpy()


def _compiled(function):
    return compiled(function, fastmath=True, error_model="numpy")


@_compiled
def _add2(out, at, a, i, b, j, n):
    for x in range(n):
        out[at + x] = a[i + x] + b[j + x]


@_compiled
def _add3(out, at, a, i, b, j, c, k, n):
    for x in range(n):
        out[at + x] = a[i + x] + b[j + x] + c[k + x]


@_compiled
def _copy(out, at, a, i, n):
    for x in range(n):
        out[at + x] = a[i + x]


@_compiled
def _difference(out, at, p, p0, p1, p2, p3, q, q0, q1, q2, q3, valid, cap, n):
    for x in range(n):
        a = p[p0 + x] - q[q0 + x]
        b = p[p1 + x] - q[q1 + x]
        c = p[p2 + x] - q[q2 + x]
        d = p[p3 + x] - q[q3 + x]
        out[at + x] = min(a * a + b * b + c * c + d * d - np.float32(1), cap) * valid[x]


@_compiled
def _mean(out, at, total, i, per_column, per_row, missing, n):
    for x in range(n):
        out[at + x] = total[i + x] * (per_column[x] * per_row) + missing[x]


@_compiled
def _lower(out, at, values, spare, n):
    # Through a spare row: as `out = min(out, value)` this is a store under a condition, which LLVM does not vectorize.
    for x in range(n):
        spare[x] = min(out[at + x], values[x])
    _copy(out, at, spare, np.uintp(0), n)


@_compiled
def _spread(src, dst, row, h, width, step, lanes):
    """dst = sum of src at -step, 0 and +step cells in both directions; beyond the edge there is 0."""
    zero, n, side = np.uintp(0), np.uintp(width), step * lanes
    for y in range(h):
        here = np.uintp(y * width)
        up = np.uintp((y - step) * width) if y >= step else zero
        down = np.uintp((y + step) * width) if y + step < h else zero
        if y >= step and y + step < h:
            _add3(row, zero, src, up, src, here, src, down, n)
        elif y >= step:
            _add2(row, zero, src, up, src, here, n)
        elif y + step < h:
            _add2(row, zero, src, here, src, down, n)
        else:
            _copy(row, zero, src, here, n)
        s, rest = np.uintp(side), np.uintp(width - side)
        if 2 * side <= width:
            _add2(dst, here, row, zero, row, s, s)
            _add3(dst, here + s, row, zero, row, s, row, s + s, np.uintp(width - 2 * side))
            _add2(dst, here + rest, row, np.uintp(width - 2 * side), row, rest, s)
        elif side < width:
            _add2(dst, here, row, zero, row, s, rest)
            _copy(dst, here + rest, row, rest, np.uintp(2 * side - width))
            _add2(dst, here + s, row, zero, row, s, rest)
        else:
            _copy(dst, here, row, zero, n)


@_compiled
def _within(count, offset, out):
    """out[k] = 1 if cell k counts (matching/_reference.py, _within), else 0."""
    last = 2 * count - 1
    for k in range(count):
        inside = 2 * k + offset >= 0 and max(2 * k + 1, 2 * k + 1 + offset) < last
        out[k] = 1 if inside or offset == 0 else 0


@_compiled
def _counts(valid, step, out):
    """out[k] = sum of valid over the window around k that reaches `step + (step - 1) / 2` cells to each side."""
    half = step + (step - 1) // 2
    for k in range(len(valid)):
        total = np.float32(0)
        for q in range(max(0, k - half), min(len(valid), k + half + 1)):
            total += valid[q]
        out[k] = total


@_compiled
def _costs(frame, reference, h, w, lanes, margin, reach, windows, has_reference, marginal, out):
    """frame, reference: planes, the first with `margin` cells around; out [windows, rows, h, w, lanes]; all flat."""
    cap, zero, n = np.float32(CAP), np.uintp(0), np.uintp(w * lanes)
    K, width = 2 * reach + 1, w * lanes
    border = (3 ** (windows - 1) - 1) // 2  # cells from which a box still reaches into the picture
    tall, long = h + 2 * border, width + 2 * border * lanes
    rows = 2 * K if marginal else K * K
    stride = (w + 2 * margin) * lanes  # of a row of `frame`
    plane, small = (h + 2 * margin) * stride, h * width
    cell, first, second = (
        np.zeros(tall * long, np.float32),
        np.empty(tall * long, np.float32),
        np.empty(tall * long, np.float32),
    )
    row, spare = np.empty(long, np.float32), np.empty(width, np.float32)
    valid_y, valid_x, wide = np.empty(h, np.float32), np.empty(w, np.float32), np.empty(width, np.float32)
    count_y, count_x = np.empty(h, np.float32), np.empty(w, np.float32)
    per_column, missing = np.empty(width, np.float32), np.empty(width, np.float32)
    all_missing = np.full(width, cap)
    for d in range(K * K):
        dy, dx = d // K - reach, d % K - reach
        _within(h, dy, valid_y)
        _within(w, dx, valid_x)
        for x in range(w):
            for lane in range(lanes):
                wide[x * lanes + lane] = valid_x[x]
        # Rows 2y + dy and 2y + 1 + dy: the parity of each selects its plane, the rest is the offset in that plane.
        ay, by, ax, bx = dy % 2, (dy + 1) % 2, dx % 2, (dx + 1) % 2
        top, bottom = margin + (dy - ay) // 2, margin + (dy + 1 - by) // 2
        left, right = (margin + (dx - ax) // 2) * lanes, (margin + (dx + 1 - bx) // 2) * lanes
        for y in range(h):
            at, place = y * width, np.uintp((y + border) * long + border * lanes)
            if valid_y[y] == 0:
                for x in range(n):
                    cell[place + x] = 0
                continue
            _difference(
                cell, place, frame,
                np.uintp((2 * ay + ax) * plane + (y + top) * stride + left),
                np.uintp((2 * ay + bx) * plane + (y + top) * stride + right),
                np.uintp((2 * by + ax) * plane + (y + bottom) * stride + left),
                np.uintp((2 * by + bx) * plane + (y + bottom) * stride + right),
                reference,
                np.uintp(at), np.uintp(small + at), np.uintp(2 * small + at), np.uintp(3 * small + at),
                wide, cap, n,
            )  # fmt: skip
        src, dst, step = cell, first, 1
        for j in range(windows):
            _spread(src, dst, row, tall, long, step, lanes)
            _counts(valid_y, step, count_y)
            _counts(valid_x, step, count_x)
            for x in range(w):
                for lane in range(lanes):
                    per_column[x * lanes + lane] = 1 / count_x[x] if count_x[x] > 0 else 0
                    missing[x * lanes + lane] = 0 if count_x[x] > 0 else cap
            for y in range(h):
                per_row = np.float32(1 / count_y[y]) if count_y[y] > 0 else np.float32(0)
                lacking = missing if count_y[y] > 0 else all_missing
                _mean(
                    row,
                    zero,
                    dst,
                    np.uintp((y + border) * long + border * lanes),
                    per_column,
                    per_row,
                    lacking,
                    n,
                )
                if has_reference and dy == 0 and dx == 0:
                    for x in range(w):
                        row[x * lanes] = 0
                if marginal:
                    _lower(out, np.uintp(((j * rows + dy + reach) * h + y) * width), row, spare, n)
                    _lower(out, np.uintp(((j * rows + K + dx + reach) * h + y) * width), row, spare, n)
                else:
                    _copy(out, np.uintp(((j * rows + d) * h + y) * width), row, zero, n)
            src, dst, step = dst, second if j % 2 == 0 else first, 3 * step
