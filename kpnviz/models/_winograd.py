r"""3x3 convolutions with a quarter of the products: Winograd's F(4x4, 3x3). CPU, float32, without gradients.

A tile Y of 4x4 outputs depends on 6x6 inputs d. With a filter g,

.. math:: Y = A^T \left[ (G g G^T) \odot (B^T d B) \right] A

takes 36 products for each pair of channels in place of 9 times 16 (Lavin and Gray, Fast Algorithms for Convolutional
Neural Networks, 2016). Sums over channels are 36 products of matrices, [tiles, channels in] and [channels in, channels
out]. The matrices interpolate at 0, +-1/sqrt 2, +-sqrt 2 and infinity, where less is lost to rounding than at the usual
0, +-1, +-2.

Pictures are channels-last. A task is four rows of the output; it is done in groups of tiles, of channels in and of
channels out, with scratch arrays that fit the processor's caches:

    window   the picture around a group of tiles                   [6, 4 TILES + 2, PART]
    inputs   B^T d B                                               [36, TILES, PART]
    sums     the products' sums                                    [36, groups of channels out, TILES, OUT]

Innermost loops run over channels, on flat arrays with unsigned offsets and constant strides: then LLVM need not ask
whether what is written overlaps what is read, and vectorizes them.
"""

from __future__ import annotations

import numpy as np
import torch
from numba import njit
from torch import Tensor

from kpnviz.models._panels import COLUMNS, ROWS, add_products
from kpnviz.threads import compiled, in_threads

TILES = 32  # a group, a multiple of ROWS
PART = 32  # channels in
OUT = 64  # channels out, a multiple of COLUMNS

_WIDE = 4 * TILES + 2
_S = 0.5**0.5
_G = np.array(
    [
        [1, 0, 0],
        [-2 / 3, -2 / 3 * _S, -1 / 3],
        [-2 / 3, 2 / 3 * _S, -1 / 3],
        [1 / 6, _S / 3, 1 / 3],
        [1 / 6, -_S / 3, 1 / 3],
        [0, 0, 1],
    ]
)


def transformed(weight: Tensor) -> np.ndarray:
    """The filters [D, C, 3, 3] of a convolution as :func:`convolved` takes them: G g G^T, flat, of
    [parts of C, 36, groups of D, PART, OUT]."""
    D, C = weight.shape[:2]
    parts, groups = -(-C // PART), -(-D // OUT)
    filters = np.zeros((36, parts * PART, groups * OUT))
    g = weight.detach().double().numpy()
    filters[:, :C, :D] = np.einsum("ia,jb,ocab->ijco", _G, _G, g, optimize=True).reshape(36, C, D)
    filters = filters.reshape(36, parts, PART, groups, OUT).transpose(1, 0, 3, 2, 4)
    return np.ascontiguousarray(filters, dtype=np.float32).reshape(-1)


def convolved(x: Tensor, filters: np.ndarray, bias: Tensor, leak: float, out: Tensor | None = None) -> Tensor:
    """The convolution of x [B, C, H, W], padded with zeros, then leaky ReLU: [B, D, H, W], channels-last; in `out`, if
    that is given."""
    B, C, H, W = x.shape
    D = len(bias)
    if out is None:
        out = torch.empty((B, D, H, W), dtype=torch.float32, memory_format=torch.channels_last)
    source = x.contiguous(memory_format=torch.channels_last).permute(0, 2, 3, 1).numpy().reshape(B, -1)
    result, added = out.permute(0, 2, 3, 1).numpy().reshape(B, -1), bias.detach().numpy()
    rows = -(-H // 4)

    def run(task: int) -> None:
        b, row = divmod(task, rows)
        _four_rows(source[b], filters, added, np.float32(leak), 4 * row, H, W, C, D, result[b])

    in_threads(run, B * rows)
    return out


_jit = njit(nogil=True, fastmath={"contract", "nsz"}, error_model="numpy")
_inlined = njit(inline="always")
_rows, _columns, _part, _out = (np.uintp(n) for n in (ROWS, COLUMNS, PART, OUT))
_2, _3, _4, _5, _6 = (np.uintp(n) for n in range(2, 7))  # beside a signed number, they would be signed
_wide = np.uintp(_WIDE)
_INPUTS, _SUMS = np.uintp(TILES * PART), np.uintp(TILES * OUT)
_F = [np.float32(x) for x in (0.5, 2, 2.5, 4, _S, 2 * _S, _S / 2, 4 * _S)]
_HALF, _TWO, _MORE, _FOUR, _ROOT, _ROOT2, _ROOT_2, _ROOT4 = _F


@_inlined
def _in(src, a, step, dst, b, apart, n):
    """B^T of six rows of n values, `step` apart, into six rows `apart`."""
    for x in range(n):
        d0, d1, d2 = src[a + x], src[a + step + x], src[a + _2 * step + x]
        d3, d4, d5 = src[a + _3 * step + x], src[a + _4 * step + x], src[a + _5 * step + x]
        even, odd = d4 - _TWO * d2, _ROOT * (d3 - _TWO * d1)
        even2, odd2 = d4 - _HALF * d2, _ROOT2 * (d3 - _HALF * d1)
        dst[b + x] = d4 - _MORE * d2 + d0
        dst[b + apart + x] = even + odd
        dst[b + _2 * apart + x] = even - odd
        dst[b + _3 * apart + x] = even2 + odd2
        dst[b + _4 * apart + x] = even2 - odd2
        dst[b + _5 * apart + x] = d5 - _MORE * d3 + d1


@_inlined
def _from(src, a, step, dst, b, apart, n):
    """A^T of six rows of n values, `step` apart, into four rows `apart`."""
    for x in range(n):
        m0, m1, m2 = src[a + x], src[a + step + x], src[a + _2 * step + x]
        m3, m4, m5 = src[a + _3 * step + x], src[a + _4 * step + x], src[a + _5 * step + x]
        even, odd, even2, odd2 = m1 + m2, m1 - m2, m3 + m4, m3 - m4
        dst[b + x] = m0 + even + even2
        dst[b + apart + x] = _ROOT * odd + _ROOT2 * odd2
        dst[b + _2 * apart + x] = _HALF * even + _TWO * even2
        dst[b + _3 * apart + x] = _ROOT_2 * odd + _ROOT4 * odd2 + m5


@_jit
def _transform(window, column, spare, inputs, tile):
    """B^T d B of a tile whose window begins at a column."""
    first, row, six = column * _part, _wide * _part, _6 * _part
    for j in range(_6):
        _in(window, first + j * _part, row, spare, j * _part, six, _part)
    for i in range(_6):
        _in(spare, i * six, _part, inputs, _6 * i * _INPUTS + tile * _part, _INPUTS, _part)


@_jit
def _multiply(sums, at, inputs, v, filters, u, count, channels, n):
    """sums [count, OUT] += inputs [count, PART] of so many channels, times filters [PART, OUT]."""
    for t in range(np.uintp(0), np.uintp(count), _rows):
        for x in range(np.uintp(0), n, _columns):
            add_products(  # type: ignore[call-arg]
                sums, at + t * _out + x, _out, inputs, v + t * _part, _part, filters, u + x, _out, np.uintp(channels)
            )  # fmt: skip


@_jit
def _load(source, y, x, H, W, C, first, n, count, window):
    """The window of `count` columns around the output's (y, x), of n channels; beyond the picture, 0."""
    for i in range(6):
        row = y - 1 + i
        for j in range(count):
            to, column = np.uintp((i * _WIDE + j) * PART), x - 1 + j
            if 0 <= row < H and 0 <= column < W:
                at = np.uintp((row * W + column) * C + first)
                for c in range(np.uintp(n)):
                    window[to + c] = source[at + c]
                for c in range(np.uintp(n), _part):
                    window[to + c] = np.float32(0)
            else:
                for c in range(_part):
                    window[to + c] = np.float32(0)


@_jit
def _finish(picture, at, bias, leak, out, to, n):
    for o in range(n):
        value = picture[at + o] + bias[o]
        out[to + o] = max(value, np.float32(0)) + leak * min(value, np.float32(0))


def _compiled(function):
    return compiled(function, fastmath={"contract", "nsz"}, error_model="numpy")


@_compiled
def _four_rows(source, filters, bias, leak, y, H, W, C, D, out):
    """Rows y to y + 3 of the output [H, W, D] of a picture [H, W, C], both flat."""
    parts, groups = -(-C // PART), -(-D // OUT)
    window, spare = np.zeros(6 * _WIDE * PART, np.float32), np.empty(36 * PART, np.float32)
    inputs = np.zeros(36 * TILES * PART, np.float32)
    sums = np.empty(36 * groups * TILES * OUT, np.float32)
    half, tile = np.empty(4 * 6 * OUT, np.float32), np.empty(16 * OUT, np.float32)
    tiles = -(-W // 4)
    for first in range(0, tiles, TILES):
        count = min(TILES, tiles - first)
        whole = -(-count // ROWS) * ROWS
        sums[:] = np.float32(0)
        for part in range(parts):
            channels = min(PART, C - part * PART)
            _load(source, y, 4 * first, H, W, C, part * PART, channels, 4 * count + 2, window)
            for t in range(count):
                _transform(window, np.uintp(4 * t), spare, inputs, np.uintp(t))
            for f in range(36):
                for group in range(groups):
                    n = np.uintp(min(OUT, -(-(D - group * OUT) // COLUMNS) * COLUMNS))
                    at = np.uintp((f * groups + group) * TILES * OUT)
                    u = np.uintp(((part * 36 + f) * groups + group) * PART * OUT)
                    _multiply(sums, at, inputs, np.uintp(f * TILES * PART), filters, u, whole, channels, n)
        for group in range(groups):
            n, step = np.uintp(min(OUT, D - group * OUT)), np.uintp(groups) * _SUMS
            filled = np.uintp(min(OUT, -(-(D - group * OUT) // COLUMNS) * COLUMNS))
            for t in range(count):
                at = np.uintp((group * TILES + t) * OUT)
                for j in range(_6):
                    _from(sums, at + j * step, _6 * step, half, j * _out, _6 * _out, filled)
                for i in range(_4):
                    _from(half, i * _6 * _out, _out, tile, _4 * i * _out, _out, filled)
                for i in range(min(4, H - y)):
                    for j in range(min(4, W - 4 * (first + t))):
                        to = np.uintp(((y + i) * W + 4 * (first + t) + j) * D + group * OUT)
                        _finish(tile, np.uintp((4 * i + j) * OUT), bias[group * OUT :], leak, out, to, n)
