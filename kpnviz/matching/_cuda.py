"""Matching on CUDA: float32, kernels in Triton. TRITON_INTERPRET=1 runs them on the CPU, slowly, for tests.

It is done for one dy after the other. The cells of all its dx are K planes for each frame; the sums over a window are
K planes more, made from those of the window before (see `_cpu.py`; planes have the same border of zeros). A program
computes all dx of some cells, [COLUMNS, BLOCK], so that every smallest cost has one writer: there are no atomics, and
two runs give the same bits.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from . import CAP

TILE, WARPS = 1024, 8
"""A program computes TILE = COLUMNS x BLOCK values at once, COLUMNS being K rounded up to a power of 2. With 8 warps a
thread has 4 of them, and their addresses, in registers."""


@triton.jit
def _within(offset, count):
    """First and last of `count` cells that count (matching/_reference.py, _within)."""
    first = (tl.maximum(-offset, 0) + 1) // 2
    last = tl.where(offset == 0, count - 1, count - 2 - tl.maximum(offset, 0) // 2)
    return first, last


@triton.jit(do_not_specialize=["dy"])
def _cells_kernel(
    smooth,  # [B * N, 2h, 2w]
    cells,  # [B * N, K, h + 2 border, w + 2 border], to be set: 0 for what is left out
    N,
    h,
    w,
    border,
    reach,
    dy,
    CAP: tl.constexpr,
    COLUMNS: tl.constexpr,
    BLOCK: tl.constexpr,
):
    frame = tl.program_id(1).to(tl.int64)
    tall, long, K = h + 2 * border, w + 2 * border, 2 * reach + 1
    column = tl.arange(0, COLUMNS)[:, None]
    place = (tl.program_id(0) * BLOCK + tl.arange(0, BLOCK))[None, :]
    y, x = place // long - border, place % long - border
    top, bottom = _within(dy, h)
    left, right = _within(column - reach, w)
    valid = (y >= top) & (y <= bottom) & (x >= left) & (x <= right) & (column < K)
    corner = 2 * y * 2 * w + 2 * x
    p = smooth + frame * 4 * h * w + corner + dy * 2 * w + column - reach
    q = smooth + frame // N * N * 4 * h * w + corner
    total = tl.zeros([COLUMNS, BLOCK], dtype=tl.float32)
    for a in tl.static_range(2):
        for b in tl.static_range(2):
            at = a * 2 * w + b
            difference = tl.load(p + at, mask=valid, other=0.0) - tl.load(q + at, mask=valid, other=0.0)
            total += difference * difference
    cost = tl.where(valid, tl.minimum(total / 8 - 1, CAP), 0.0)
    to = cells + (frame * K + column) * tall * long + place
    tl.store(to, cost, mask=(place < tall * long) & (column < K))


@triton.jit(do_not_specialize=["dy", "window", "step"])
def _window_kernel(
    boxes,  # [B * N, K, h + 2 border, w + 2 border]: sums over the step x step cells around each
    sums,  # the same of 3 step x 3 step, to be set if STORE
    costs,  # [B * N, windows, rows, h, w]: those of this window and dy are set, or if MARGINAL lowered
    N,
    h,
    w,
    border,
    reach,
    dy,
    windows,
    window,
    step,
    CAP: tl.constexpr,
    STORE: tl.constexpr,
    MARGINAL: tl.constexpr,
    COLUMNS: tl.constexpr,
    BLOCK: tl.constexpr,
):
    frame = tl.program_id(1).to(tl.int64)
    tall, long, K = h + 2 * border, w + 2 * border, 2 * reach + 1
    column = tl.arange(0, COLUMNS)[:, None]
    place = (tl.program_id(0) * BLOCK + tl.arange(0, BLOCK))[None, :]
    i, k = place // long, place % long
    plane = (frame * K + column) * tall * long + place
    total = tl.zeros([COLUMNS, BLOCK], dtype=tl.float32)
    for a in tl.static_range(-1, 2):
        row = i + a * step
        rows = (row >= 0) & (row < tall) & (column < K)
        for b in tl.static_range(-1, 2):
            there = rows & (k + b * step >= 0) & (k + b * step < long)
            total += tl.load(boxes + plane + (a * long + b) * step, mask=there, other=0.0)
    if STORE:
        tl.store(sums + plane, total, mask=(i < tall) & (column < K))

    y, x, half = i - border, k - border, step + step // 2
    top, bottom = _within(dy, h)
    left, right = _within(column - reach, w)
    count_y = tl.maximum(tl.minimum(bottom, y + half) - tl.maximum(top, y - half) + 1, 0)
    count_x = tl.maximum(tl.minimum(right, x + half) - tl.maximum(left, x - half) + 1, 0)
    count = (count_y * count_x).to(tl.float32)
    cost = tl.where(count > 0, total / tl.maximum(count, 1.0), CAP)
    cost = tl.where((frame % N == 0) & (dy == 0) & (column == reach), 0.0, cost)
    pixel = (y >= 0) & (y < h) & (x >= 0) & (x < w)
    inside = pixel & (column < K)
    to = costs + (frame * windows + window) * (2 * K if MARGINAL else K * K) * h * w + y * w + x
    if MARGINAL:
        least = tl.min(tl.where(inside, cost, float("inf")), axis=0)[None, :]
        tl.store(to + (dy + reach) * h * w, least, mask=pixel)
        to += (K + column) * h * w
        cost = tl.minimum(cost, tl.load(to, mask=inside, other=0.0))
    else:
        to += ((dy + reach) * K + column) * h * w
    tl.store(to, cost, mask=inside)


def matching_costs(smooth: Tensor, reach: int, windows: int, marginal: bool) -> Tensor:
    """smooth [B, N, H, W], H and W even, unit noise -> costs, as :func:`kpnviz.matching.matching_costs` has them."""
    B, N, H, W = smooth.shape
    smooth, h, w, K = smooth.contiguous(), H // 2, W // 2, 2 * reach + 1
    rows = (2 * K,) if marginal else (K, K)
    costs = smooth.new_full((B, N, windows, *rows, h, w), torch.inf)
    border = (3 ** (windows - 1) - 1) // 2  # cells from which a box still reaches into the picture
    boxes = smooth.new_empty(B * N, K, h + 2 * border, w + 2 * border)
    sums = torch.empty_like(boxes)
    columns = triton.next_power_of_2(K)
    block = max(1, TILE // columns)
    constants = {"CAP": CAP, "COLUMNS": columns, "BLOCK": block, "num_warps": WARPS}
    grid = (triton.cdiv(boxes[0, 0].numel(), block), B * N)
    with torch.cuda.device_of(smooth):  # Triton launches on the current device
        for dy in range(-reach, reach + 1):
            common = N, h, w, border, reach, dy
            _cells_kernel[grid](smooth, boxes, *common, **constants)
            for j in range(windows):
                _window_kernel[grid](
                    *(boxes, sums, costs, *common, windows, j, 3**j),
                    STORE=j < windows - 1,
                    MARGINAL=marginal,
                    **constants,
                )
                boxes, sums = sums, boxes
    return costs
