"""The CPU backend: float32, loops compiled by numba on first use (a second a kernel size) and cached on disk.

A strip of rows of one frame is computed in blocks of columns, one kernel size after the other, with scratch arrays that
fit the processor's caches:

    window   the padded frame around the strip                     [rows + size - 1, BLOCK + size - 1]
    factors  upsampled to the pixels of a few rows                 [CHUNK, channels, BLOCK]

Innermost loops run over the pixels of a row, on flat arrays with unsigned offsets: with signed ones numba checks for
negative indices, and LLVM does not vectorize. The loops over taps inside them have constant bounds, so that LLVM
unrolls them and keeps the sums of several kernel rows in registers.

Factors that are made where they are applied come in small blocks, whose rows are too short for such loops: there,
vectors are written out (`_vectors.py`), of every second pixel of a row, so that cells side by side are numbers side by
side.

The loops release the GIL and are run by plain Python threads, as many as torch may use. numba's own `parallel=True` is
avoided: its default threading layer crashes when two threads, say of two users of the app, call it at once.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numba import njit
from torch import Tensor
from torch.autograd.function import once_differentiable

from kpnviz.threads import compiled, in_threads

from . import MakeFactors
from ._reference import reduced_shape, reduction_scale, reflect_pad
from ._vectors import LANES, add_filtered

STRIP = 32  # output rows a task, a multiple of CHUNK; with fewer, more time goes into loading the window around them
CHUNK = 8  # rows whose factors are upsampled at once, even; in memory the rows of a channel follow each other
BLOCK = 256  # pixels of a row that are computed at once, even
GAP = BLOCK + 2  # length of a channel's row of gradients: a zero at either end
CELLS = (CHUNK // 2, 64)  # rows and columns of factors that are made at once
_SPANS = 16  # such rows that are one thread's
TAPS = 66  # most taps of the kernel rows that are applied at once: about as many as LLVM unrolls

_BLOCK, _GAP, _LANES = np.uintp(BLOCK), np.uintp(GAP), np.uintp(LANES)
_NEAR, _FAR = np.float32(0.75), np.float32(0.25)  # of bilinear x2 upsampling


def local_conv(
    frames: Tensor, factors: Tensor, sizes: tuple[int, ...], separable: bool, reduce: str, fused: bool
) -> Tensor:
    """As `kpnviz.local_conv.local_conv`. Sizes are applied one by one also where they may be `fused`: it is faster."""
    result: Tensor = _LocalConv.apply(frames, factors, sizes, separable, reduce)
    return result


def mean_of_channels(frames: Tensor, factors: Tensor, sizes: tuple[int, ...], separable: bool) -> Tensor:
    """Frames [B, N, C, H, W] whose channels share the factors -> the mean over frames and sizes, [B, C, H, W]; without
    gradients. Factors are upsampled once for all channels."""
    B, N, C, H, W = frames.shape
    out = torch.zeros(B, C, H, W, dtype=torch.float32)
    x, f, y = _padded(frames.flatten(1, 2), sizes), _by_size(factors, sizes, separable), out.numpy()
    x = x.reshape(B * N, C, *x.shape[1:])
    scale = np.float32(reduction_scale("mean", N, len(sizes)))
    tasks = [(b, y0) for b in range(B) for y0 in range(0, H, STRIP)]

    def run(task: int) -> None:
        b, y0 = tasks[task]
        for n in range(b * N, (b + 1) * N):
            for k, size in enumerate(sizes):
                corner = (max(sizes) - size) // 2
                _kernels(size, separable)[0](x[n], f[k][n], y0, min(y0 + STRIP, H), corner, scale, y[b])

    in_threads(run, len(tasks))
    return out


def made_in_blocks(frames: Tensor, make: MakeFactors, sizes: tuple[int, ...], separable: bool) -> Tensor:
    """As :func:`mean_of_channels`, [N, C, H, W] -> [C, H, W], of factors that are made where they are applied."""
    N, C, H, W = frames.shape
    F = sum(2 * size if separable else size * size for size in sizes)
    reach, cells = max(sizes) // 2, CELLS[0] * CELLS[1]
    long = W // 2 + reach + 1
    plane = (H + 2 * reach) * long
    halves = np.zeros(N * C * 2 * plane, np.float32)
    for i, frame in enumerate(frames):
        columns = halves[i * C * 2 * plane : (i + 1) * C * 2 * plane].reshape(C, 2, H + 2 * reach, long)
        padded = reflect_pad(frame, reach).numpy()
        for parity in range(2):
            half = padded[..., parity::2]
            columns[:, parity, :, : half.shape[-1]] = half
    out = torch.zeros(C, H, W, dtype=torch.float32)
    picture, scale = out.numpy(), np.float32(reduction_scale("mean", N, len(sizes)))
    down, across = _overlapping(H, CELLS[0]), _overlapping(W, CELLS[1])
    parts = [down[i : i + _SPANS] for i in range(0, len(down), _SPANS)]

    def run(task: int) -> None:
        x, left, right = across[task % len(across)]
        made = np.zeros(N * F * cells + 2, np.float32)  # a number more at either end: `_widen_cells` reads it
        factors, ready = made[1:-1].reshape(N, F, *CELLS), -CELLS[0]
        for y, top, bottom in parts[task // len(across)]:
            kept = max(ready + CELLS[0] - y, 0)
            factors[:, :, :kept] = factors[:, :, CELLS[0] - kept :]
            rows, columns = slice(y + kept, y + CELLS[0]), slice(x, x + CELLS[1])
            make(rows, columns, made[1:-1], cells, kept * CELLS[1])
            first, ready = 0, y
            for size in sizes:
                _, _, apply = _kernels(size, separable)
                corner = reach - size // 2
                apply(
                    halves, (2 * y + corner) * long + x, plane, long, corner, made, 1 + first * cells, F * cells, N,
                    top - 2 * y, bottom - 2 * y, left - 2 * x, right - 2 * x, 2 * y, 2 * x, scale, picture,
                )  # fmt: skip
                first += 2 * size if separable else size * size

    in_threads(run, len(parts) * len(across))
    return out


def _overlapping(length: int, cells: int) -> list[tuple[int, int, int]]:
    """Parts of so many cells that overlap by one, and the pixels that are theirs: (first cell, first pixel, last + 1).
    At either end of a part a pixel lacks a cell from which it is interpolated, but at the picture's edge."""
    spans, done, total = [], 0, (length + 1) // 2
    while done < length:
        first = min((done - 1) // 2 if done else 0, total - cells)
        end = length if first + cells == total else 2 * (first + cells) - 1
        spans.append((first, done, end))
        done = end
    return spans


class _LocalConv(torch.autograd.Function):
    """An *item* is what is summed into one output: a frame, or for reduce="mean" the N frames of a burst."""

    @staticmethod
    def forward(
        ctx: Any, frames: Tensor, factors: Tensor, sizes: tuple[int, ...], separable: bool, reduce: str
    ) -> Tensor:
        ctx.save_for_backward(frames, factors)
        ctx.options = sizes, separable, reduce
        B, N, H, W = frames.shape
        slots = len(sizes) if reduce == "none" else 1
        per_item = N if reduce == "mean" else 1
        out = torch.zeros(B * N // per_item, slots, H, W, dtype=torch.float32)
        x, f, y = _padded(frames, sizes), _by_size(factors, sizes, separable), out.numpy()
        scale = np.float32(reduction_scale(reduce, N, len(sizes)))
        tasks = [(item, y0) for item in range(len(y)) for y0 in range(0, H, STRIP)]

        def run(task: int) -> None:
            item, y0 = tasks[task]
            for n in range(item * per_item, (item + 1) * per_item):
                for k, size in enumerate(sizes):
                    apply = _kernels(size, separable)[0]
                    corner = (max(sizes) - size) // 2
                    slot = y[item, k % slots]
                    apply(x[n][None], f[k][n], y0, min(y0 + STRIP, H), corner, scale, slot[None])

        in_threads(run, len(tasks))
        return out.view(reduced_shape(reduce, B, N, len(sizes), H, W))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_out: Tensor) -> tuple[Tensor | None, ...]:
        frames, factors = ctx.saved_tensors
        sizes, separable, reduce = ctx.options
        B, N, H, W = frames.shape
        slots = len(sizes) if reduce == "none" else 1
        per_item = N if reduce == "mean" else 1
        grad = torch.zeros(factors.shape, dtype=torch.float32)
        x, f, d = _padded(frames, sizes), *(_by_size(t, sizes, separable) for t in (factors, grad))
        g = grad_out.contiguous().view(-1, slots, H, W).numpy()
        scale = np.float32(reduction_scale(reduce, N, len(sizes)))

        def run(n: int) -> None:  # one frame each: no two threads add to the same gradient
            for k, size in enumerate(sizes):
                add_gradient = _kernels(size, separable)[1]
                corner = (max(sizes) - size) // 2
                add_gradient(x[n], f[k][n], g[n // per_item, k % slots], corner, scale, d[k][n])

        in_threads(run, B * N)
        return None, grad, None, None, None


def _padded(frames: Tensor, sizes: tuple[int, ...]) -> np.ndarray:
    """[B, N, H, W] -> [B * N, H + K - 1, W + K - 1], K the largest size."""
    return reflect_pad(frames.detach().flatten(0, 1), max(sizes) // 2).contiguous().numpy()


def _by_size(factors: Tensor, sizes: tuple[int, ...], separable: bool) -> list[np.ndarray]:
    """Views of the channels of each size: S of [B * N, channels, h, w]."""
    channels = [2 * size if separable else size * size for size in sizes]
    return [part.numpy() for part in factors.detach().contiguous().flatten(0, 1).split(channels, 1)]


_jit = njit(nogil=True, fastmath={"contract"}, error_model="numpy")
# For functions that are called with constants: their loops over taps then have constant bounds.
_inlined = njit(inline="always")


@_inlined
def _filter_rows(rows, size, window, at, width, factors, u, v, total, n):
    """total += sum_a u_a sum_b v_b P_ab, of `rows` kernel rows a."""
    for x in range(n):
        value = total[x]
        for a in range(rows):
            row = np.float32(0)
            for b in range(size):
                row += factors[v + b * _BLOCK + x] * window[at + a * width + b + x]
            value += factors[u + a * _BLOCK + x] * row
        total[x] = value


@_inlined
def _filter_row(size, window, at, factors, k, total, n):
    """total += sum_b K_b P_b, of one kernel row."""
    for x in range(n):
        value = total[x]
        for b in range(size):
            value += factors[k + b * _BLOCK + x] * window[at + b + x]
        total[x] = value


@_inlined
def _correlate(rows, size, window, at, step, other, factors, v, g, grads, to, n):
    """grads_a = g sum_b v_b P[a * step + b * other], of `rows` channels a."""
    for x in range(n):
        for a in range(rows):
            value = np.float32(0)
            for b in range(size):
                value += factors[v + b * _BLOCK + x] * window[at + a * step + b * other + x]
            grads[to + a * _GAP + x] = g[x] * value


@_inlined
def _multiply_row(size, window, at, g, grads, to, n):
    """grads_b = g P_b, of one kernel row."""
    for x in range(n):
        for b in range(size):
            grads[to + b * _GAP + x] = g[x] * window[at + b + x]


@_jit
def _load(padded, top, left, rows, columns, window, width):
    for k in range(rows):
        for x in range(columns):
            window[k * width + x] = padded[top + k, left + x]


@_jit
def _mix(a, i, j, out, at, n):
    for x in range(n):
        out[at + x] = _NEAR * a[i + x] + _FAR * a[j + x]


@_jit
def _widen(half, out, at, m):
    """out[at + 2j], out[at + 2j + 1] from half[j], half[j + 1], half[j + 2]"""
    one, two = np.uintp(1), np.uintp(2)
    for j in range(m):
        middle = _NEAR * half[j + one]
        out[at + two * j] = middle + _FAR * half[j]
        out[at + two * j + one] = middle + _FAR * half[j + two]


@_jit
def _neighbor(y, h):
    """The other row of h at half resolution that pixel row y is interpolated from, besides y // 2."""
    return max(y // 2 - 1, 0) if y % 2 == 0 else min(y // 2 + 1, h - 1)


@_jit
def _upsample(factors, y0, y1, j0, m, half, out, stride, count, more):
    """Factors [F, h, w] at pixel rows y0 ... y1 - 1, half-resolution columns j0 ... j0 + m - 1, bilinearly.

    out[(y - y0) * stride + k * BLOCK + x], k being the channel, or from `count` on channel + more; half: scratch
    """
    F, h, w = factors.shape
    flat = factors.reshape(-1)
    ends = ((0, max(j0 - 1, 0)), (m + 1, min(j0 + m, w - 1)))
    for f in range(F):  # outermost: a channel's rows lie side by side in memory
        to = (f if f < count else f + more) * BLOCK
        for y in range(y0, y1):
            i, k = (f * h + y // 2) * w, (f * h + _neighbor(y, h)) * w
            _mix(flat, np.uintp(i + j0), np.uintp(k + j0), half, np.uintp(1), np.uintp(m))
            for end, column in ends:
                half[end] = _NEAR * flat[i + column] + _FAR * flat[k + column]
            _widen(half, out, np.uintp((y - y0) * stride + to), np.uintp(m))


@_jit
def _widen_rows(made, at, out, even, odd, n):
    one = np.uintp(1)
    for x in range(n):
        middle = _NEAR * made[at + x]
        out[even + x] = middle + _FAR * made[at + x - one]
        out[odd + x] = middle + _FAR * made[at + x + one]


@_jit
def _widen_cells(made, begin, out, side):
    """Factors [F, *CELLS] that begin there, upsampled along rows: out [2, side], of the left pixels of the cells, then
    of the right ones."""
    # As if all rows were one; then their ends, beside which there is no cell.
    _widen_rows(made, np.uintp(begin), out, np.uintp(0), side, side)
    for first in range(0, np.intp(side), CELLS[1]):
        last = first + CELLS[1] - 1
        out[first], out[side + np.uintp(last)] = made[begin + first], made[begin + last]


@_jit
def _narrow(grads, at, half, m):
    """The adjoint of `_widen`, except for what falls on the columns beside these."""
    one, two = np.uintp(1), np.uintp(2)
    for j in range(m):
        x = at + two * j
        half[j] = _NEAR * (grads[x] + grads[x + one]) + _FAR * (grads[x - one] + grads[x + two])


@_jit
def _add(total, at, values, n, weight):
    for x in range(n):
        total[at + x] += weight * values[x]


@_jit
def _downsample(grads, y, j0, m, half, total, count, more):
    """The adjoint of `_upsample`: add the gradients of pixel row y to total [F, h, w]."""
    F, h, w = total.shape
    flat = total.reshape(-1)
    for f in range(F):
        at = (f if f < count else f + more) * GAP + 1
        _narrow(grads, np.uintp(at), half, np.uintp(m))
        ends = ((max(j0 - 1, 0), grads[at]), (min(j0 + m, w - 1), grads[at + 2 * m - 1]))
        for row, weight in ((y // 2, _NEAR), (_neighbor(y, h), _FAR)):
            first = (f * h + row) * w
            _add(flat, np.uintp(first + j0), half, np.uintp(m), weight)
            for column, value in ends:
                flat[first + column] += weight * _FAR * value


@functools.cache
def _kernels(size: int, separable: bool) -> tuple[Callable[..., None], ...]:
    """Of one kernel size:

    apply(padded [C, H + K - 1, W + K - 1], factors [F, h, w], y0, y1, corner, scale, out [C, H, W])
        adds to rows y0 ... y1 - 1 of `out`, y0 even, the frame's channels filtered, times scale
    add_gradient(padded, factors, g [H, W], corner, scale, total [F, h, w])
        adds to `total` the gradient of the factors, given that of the output, times scale
    apply_block(halves, at, plane, long, corner, made, begin, per_frame, N, top, bottom, left, right, y, x, scale, out)
        as apply, for the mean over N frames, of factors [channels, *CELLS] that are in `made` from `begin` on, the
        next frame's `per_frame` beyond: rows top ... bottom - 1, columns left ... right - 1 of the pixels that are
        theirs are added to `out`, where they begin at (y, x). halves: flat [N, C, 2, plane], even and odd columns of
        the padded frames, in rows as `long`, of which the windows' first one begins at `at`

    corner   where the smaller windows of this size begin in those of K, down and across
    """
    groups = -(-size // max(1, TAPS // size))
    rows = -(-size // groups)  # kernel rows at once; the last group is completed with rows of zeros
    vertical = groups * rows
    more = vertical - size if separable else 0
    width = BLOCK + rows - 1 + size  # of a row of `window`
    tall = STRIP + vertical - 1
    channels = 2 * vertical if separable else size * size
    weights, kind = 2 * size if separable else size * size, int(separable)
    stride = channels * BLOCK  # of a row of upsampled factors
    s, r, line, across = np.uintp(size), np.uintp(rows), np.uintp(width), np.uintp(1)

    def apply(padded, factors, y0, y1, corner, scale, out):
        C, W, w = out.shape[0], out.shape[2], factors.shape[2]
        windows, upsampled = np.zeros((C, tall * width), np.float32), np.zeros(CHUNK * stride, np.float32)
        half, total = np.empty(BLOCK // 2 + 2, np.float32), np.empty(BLOCK, np.float32)
        for j0 in range(0, w, BLOCK // 2):
            m = min(BLOCK // 2, w - j0)
            n, x0 = min(2 * m, W - 2 * j0), 2 * j0
            for c in range(C):
                rows_needed, columns = y1 - y0 + size - 1, n + size - 1
                _load(padded[c], corner + y0, corner + x0, rows_needed, columns, windows[c], width)
            for first in range(y0, y1, CHUNK):
                last = min(first + CHUNK, y1)
                _upsample(factors, first, last, j0, m, half, upsampled, stride, size, more)
                for c in range(C):
                    window = windows[c]
                    for y in range(first, last):
                        row = (y - first) * stride
                        total[:] = 0
                        if separable:
                            v = np.uintp(row + vertical * BLOCK)
                            for a in range(0, vertical, rows):
                                at, u = np.uintp((y - y0 + a) * width), np.uintp(row + a * BLOCK)
                                _filter_rows(r, s, window, at, line, upsampled, u, v, total, np.uintp(n))
                        else:
                            for a in range(size):
                                at, k = np.uintp((y - y0 + a) * width), np.uintp(row + a * size * BLOCK)
                                _filter_row(s, window, at, upsampled, k, total, np.uintp(n))
                        for x in range(n):
                            out[c, y, x0 + x] += scale * total[x]

    def apply_block(
        halves, at, plane, long, corner, made, begin, per_frame, N, top, bottom, left, right, y, x, scale, out
    ):  # fmt: skip
        C, cells = len(out), np.uintp(CELLS[1])
        area, side = np.uintp(CELLS[0] * CELLS[1]), np.uintp(weights * CELLS[0] * CELLS[1])
        wide, totals = np.empty(2 * side, np.float32), np.zeros((C, CHUNK, 2, CELLS[1]), np.float32)
        flat = totals.reshape(-1)
        for i in range(N):
            _widen_cells(made, begin + i * per_frame, wide, side)
            for c in range(C):
                for row in range(top, bottom):
                    near, far = np.uintp(row // 2 * CELLS[1]), np.uintp(_neighbor(row, CELLS[0]) * CELLS[1])
                    line, total = (
                        at + (i * C + c) * 2 * plane + row * long,
                        np.uintp((c * CHUNK + row) * 2 * CELLS[1]),
                    )
                    even = np.uintp(line + corner % 2 * plane + corner // 2)
                    odd = np.uintp(line + (corner + 1) % 2 * plane + (corner + 1) // 2)
                    for p in range(np.uintp(0), cells, _LANES):
                        add_filtered(  # type: ignore[call-arg]
                            flat, total + p, cells, halves, even + p, odd + p, np.uintp(long), wide, near + p, far + p,
                            area, side, size, kind,
                        )  # fmt: skip
        for c in range(C):
            for row in range(top, bottom):
                for p in range(left, right):
                    out[c, y + row, x + p] += scale * totals[c, row, p % 2, p // 2]

    def add_gradient(padded, factors, g, corner, scale, total):
        (H, W), w = g.shape, factors.shape[2]
        window, upsampled = np.zeros(tall * width, np.float32), np.zeros(CHUNK * stride, np.float32)
        grads = np.zeros(channels * GAP, np.float32)
        half, scaled = np.empty(BLOCK // 2, np.float32), np.empty(BLOCK, np.float32)
        longer = np.empty(BLOCK // 2 + 2, np.float32)
        for j0 in range(0, w, BLOCK // 2):
            m = min(BLOCK // 2, w - j0)
            n, x0 = min(2 * m, W - 2 * j0), 2 * j0
            grads[:] = 0  # also an odd pixel beyond the right border, which has no gradient
            for y in range(H):
                if y % STRIP == 0:
                    count = min(STRIP, H - y) + size - 1
                    _load(padded, corner + y, corner + x0, count, n + size - 1, window, width)
                row = y % CHUNK * stride
                if row == 0 and separable:
                    last = min(y + CHUNK, H)
                    _upsample(factors, y, last, j0, m, longer, upsampled, stride, size, more)
                for x in range(n):
                    scaled[x] = scale * g[y, x0 + x]
                first = y % STRIP * width
                if separable:
                    u, v = np.uintp(row), np.uintp(row + vertical * BLOCK)
                    for a in range(0, vertical, rows):
                        du, dv = np.uintp(a * GAP + 1), np.uintp((vertical + a) * GAP + 1)
                        # du_a = g sum_b v_b P_ab and dv_b = g sum_a u_a P_ab: the same loop, with steps exchanged.
                        at, n_ = np.uintp(first + a * width), np.uintp(n)
                        _correlate(r, s, window, at, line, across, upsampled, v, scaled, grads, du, n_)
                        at = np.uintp(first + a)
                        _correlate(r, s, window, at, across, line, upsampled, u, scaled, grads, dv, n_)
                else:
                    for a in range(size):
                        at, to = np.uintp(first + a * width), np.uintp(a * size * GAP + 1)
                        _multiply_row(s, window, at, scaled, grads, to, np.uintp(n))
                _downsample(grads, y, j0, m, half, total, size, more)

    options = {"fastmath": {"contract"}, "error_model": "numpy"}
    return tuple(compiled(function, **options) for function in (apply, add_gradient, apply_block))
