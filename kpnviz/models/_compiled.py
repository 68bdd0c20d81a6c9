"""1x1 convolutions of networks that match, and what separable ones make of them, compiled: CPU, float32, no gradients.

`MatchingNetwork._factors` is the same in torch: some forty passes over tensors that are too large for the processor's
caches. Here all layers and passes are done for a block of pixels, then for the next: flat arrays [channels, BLOCK].
Costs lie in memory like that, a picture for each displacement; features are channels-last, as the 3x3 convolutions
(`_winograd.py`) read and write them. Innermost loops run over the pixels of a row of a flat array, with unsigned
offsets, and write to another row than they read, so that LLVM vectorizes them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numba import njit
from torch import Tensor

from kpnviz.local_conv import MakeFactors
from kpnviz.models._panels import COLUMNS, ROWS, add_products
from kpnviz.threads import compiled, in_threads

BLOCK = 64  # pixels, a multiple of COLUMNS


Map = tuple[np.ndarray, Sequence[int]]
"""Numbers, flat: where the first of a part is, and the steps along its axes."""


@dataclass(frozen=True)
class Layers:
    """1x1 convolutions: weights [D, C, 1, 1] and biases of MatchingNetwork, and the slope of leaky ReLU.

    `mix_scene` is that of features and the reference's costs, `mix_reference` and `sharpness` those of features, the
    reference's costs and the mean of the other frames', for which `sharpness` has no weights for the middle ones.
    """

    mix_scene: tuple[Tensor, Tensor]
    mix_frame: Tensor
    mix_reference: tuple[Tensor, Tensor]
    reference_head: tuple[Tensor, Tensor]
    head: tuple[Tensor, Tensor]
    sharpness: tuple[Tensor, Tensor]
    leak: float


def flat(x: Tensor) -> tuple[np.ndarray, list[int]]:
    """All numbers of the storage that x is a view of, and in it the first place of x and the steps along its axes."""
    whole = torch.as_strided(x, (x.untyped_storage().nbytes() // x.element_size(),), (1,), 0)
    return whole.numpy(), [int(x.storage_offset()), *x.stride()]


def narrowed(
    costs: np.ndarray,
    steps: Sequence[int],
    shape: Sequence[int],
    weight: Tensor,
    bias: Tensor,
    leak: float,
    most: float,
) -> Tensor:
    """The convolution of costs, the larger ones cut off at `most`, then leaky ReLU: [M, D, h, w], channels-last.

    costs    flat, which begin at steps[0], with steps[1:] along [M, J, rows, h, w], their shape
    weight   [D, J * rows]
    """
    M, J, rows, h, w = shape
    D, weights, added = len(weight), _padded(weight), bias.detach().numpy()
    out = torch.empty((M, D, h, w), dtype=torch.float32, memory_format=torch.channels_last)
    result = out.permute(0, 2, 3, 1).numpy().reshape(M, -1)
    first, per_frame, per_window, per_row, down, across = (int(step) for step in steps)
    assert across == 1
    limits = np.float32(leak), np.float32(most)

    def run(task: int) -> None:
        m, y = divmod(task, h)
        at = first + m * per_frame + y * down
        _row(costs, at, per_window, per_row, J, rows, w, weights, added, *limits, result[m], y * w * D)

    in_threads(run, M * h)
    return out


def factors_in_blocks(
    N: int,
    maps: Sequence[Map],
    channels: tuple[int, int],
    layers: Layers,
    sizes: np.ndarray,
    scales: np.ndarray,
    weights: tuple[np.float32, np.float32, np.float32],
) -> MakeFactors:
    """A function that makes the factors [N, C, h, w] of `MatchingNetwork._factors`, where it is called for some.

    maps       features [T, h, w], encoded costs of the reference [E, h, w], the mean of the others' [E, h, w], these
               [N - 1, E, h, w], and costs [N, J, 2K, h, w]
    channels   T and E
    sizes, and scales of their logits, [S]
    weights    of logits, of costs, and of how well a frame was found
    """
    C, (T, E) = 2 * int(sizes.sum()), channels
    J, K = len(layers.sharpness[0]) - 1, (len(layers.head[0]) - C - 1) // 2
    named = (layers.mix_scene, layers.mix_reference, layers.reference_head, layers.head, layers.sharpness)
    matrices = tuple(
        _padded(weight.flatten(1)) for weight in (*(pair[0] for pair in named), layers.mix_frame)
    )
    biases = tuple(pair[1].detach().numpy() for pair in named)
    seen = tuple(numbers for numbers, _ in maps[:4])
    steps = tuple(np.array(along, dtype=np.int64) for _, along in maps[:4])
    costs, apart = maps[4][0], np.array(maps[4][1], dtype=np.int64)
    leak = np.float32(layers.leak)

    def make(rows: slice, columns: slice, out: np.ndarray, plane: int, at: int) -> None:
        _rows_of_factors(
            seen, steps, costs, apart, rows.start, rows.stop, columns.start, columns.stop, N, T, E, J, C, K, matrices,
            biases, leak, sizes, scales, *weights, np.uintp(plane), at, out,
        )  # fmt: skip

    return make


def products_in_blocks(features: Tensor, weight: Tensor, bias: Tensor) -> MakeFactors | None:
    """As :func:`factors_in_blocks`, of factors [D, h, w] that are weight [D, T] times features [T, h, w], plus bias;
    columns are a multiple of COLUMNS. None where D is none of ROWS."""
    if len(bias) % ROWS:
        return None
    source, steps = flat(features)
    apart, weights, added = np.array(steps, dtype=np.int64), _padded(weight), bias.detach().numpy()

    def make(rows: slice, columns: slice, out: np.ndarray, plane: int, at: int) -> None:
        _rows_of_products(
            source, apart, rows.start, rows.stop, columns.start, columns.stop, weights, added, np.uintp(plane), at, out
        )  # fmt: skip

    return make


def plain_factors(
    costs: np.ndarray,
    steps: Sequence[int],
    sharpness: tuple[float, float],
    plain: np.ndarray,
    left: np.ndarray,
) -> None:
    """Fill plain [N, 2K, h, w], kernels by matching alone, and left [h, w], the standard deviation of the noise that
    they leave; as `MatchingNetwork._plain_factors` and `_left`.

    costs      flat, which begin at steps[0], with steps[1:] along [N, J, 2K, h, w]
    sharpness  over frames, and over the displacements along an axis
    """
    N, rows, h, w = plain.shape
    make, out = plain_in_blocks(N, rows // 2, costs, steps, sharpness, left), plain.reshape(-1)
    in_threads(lambda y: make(slice(y, y + 1), slice(0, w), out, h * w, y * w), h)


def plain_in_blocks(
    N: int,
    K: int,
    costs: np.ndarray,
    steps: Sequence[int],
    sharpness: tuple[float, float],
    left: np.ndarray,
) -> MakeFactors:
    """A function that makes the factors of :func:`plain_factors`, and fills `left`, where it is called for some."""
    apart, of_frames, along = np.array(steps, dtype=np.int64), *(np.float32(x) for x in sharpness)
    flat_left, width, windows = left.reshape(-1), left.shape[1], 2 if steps[2] else 1

    def make(rows: slice, columns: slice, out: np.ndarray, plane: int, at: int) -> None:
        for r, y in enumerate(range(rows.start, rows.stop)):
            _row_of_plain_factors(
                costs, apart, windows, y, columns.start, columns.stop, N, K, of_frames, along, out, plane,
                at + r * (columns.stop - columns.start), flat_left, y * width,
            )  # fmt: skip

    return make


def _padded(weight: Tensor) -> np.ndarray:
    """Weights [D, C] as :func:`_multiply` takes them: flat, D filled up with zeros to a multiple of ROWS."""
    D, C = weight.shape
    filled = np.zeros((-(-D // ROWS) * ROWS, C), np.float32)
    filled[:D] = weight.detach().numpy()
    return filled.reshape(-1)


_jit = njit(nogil=True, fastmath=True, error_model="numpy")
_BLOCK, _ROWS, _COLUMNS = np.uintp(BLOCK), np.uintp(ROWS), np.uintp(COLUMNS)


@_jit
def _multiply(sums, at, inputs, weights, D, C, n):
    """sums[at:] [D, BLOCK] += weights [D, C] times inputs [C, BLOCK], of n pixels, and of those that fill a panel."""
    for o in range(np.uintp(0), np.uintp(D), _ROWS):
        for x in range(np.uintp(0), np.uintp(n), _COLUMNS):
            add_products(  # type: ignore[call-arg]
                sums, at + o * _BLOCK + x, _BLOCK, weights, o * C, C, inputs, x, _BLOCK, C
            )


@_jit
def _fill(out, to, value, n):
    for x in range(n):
        out[to + x] = value


@_jit
def _leaky(sums, at, leak, out, to, n):
    for x in range(n):
        out[to + x] = max(sums[at + x], np.float32(0)) + leak * min(sums[at + x], np.float32(0))


@_jit
def _cut(costs, at, most, out, to, n):
    for x in range(n):
        out[to + x] = min(costs[at + x], most)


def _compiled(function):
    return compiled(function, fastmath=True, error_model="numpy")


@_compiled
def _row(costs, at, per_window, per_row, J, rows, w, weights, bias, leak, most, out, to):
    """A row of w pixels; weights as of `_padded`."""
    D = len(bias)
    C = J * rows
    tall = len(weights) // C
    inputs, sums = np.zeros(C * BLOCK, np.float32), np.empty(tall * BLOCK, np.float32)
    active = np.empty(tall * BLOCK, np.float32)
    for x in range(0, w, BLOCK):
        n = min(BLOCK, w - x)
        for j in range(J):
            for r in range(rows):
                place = np.uintp(at + j * per_window + r * per_row + x)
                _cut(costs, place, most, inputs, np.uintp((j * rows + r) * BLOCK), np.uintp(n))
        for o in range(tall):
            _fill(sums, np.uintp(o * BLOCK), bias[o] if o < D else np.float32(0), _BLOCK)
        _multiply(sums, np.uintp(0), inputs, weights, np.uintp(tall), np.uintp(C), np.uintp(n))
        _leaky(sums, np.uintp(0), leak, active, np.uintp(0), np.uintp(D * BLOCK))
        for p in range(np.uintp(n)):
            place = np.uintp(to + (x + p) * D)
            for o in range(np.uintp(D)):
                out[place + o] = active[o * _BLOCK + p]


@njit(inline="always")
def _exp(x):
    """e^x for x <= 0, as p(x / 64)^64 with its Taylor polynomial p: within 1e-5 of it down to x = -16, and tiny beyond.

    (A call of the library's exp would keep a loop from using vectors.)
    """
    y = max(x, np.float32(-80)) * np.float32(1 / 64)
    p = np.float32(1 / 24) + y * (np.float32(1 / 120) + y * np.float32(1 / 720))
    p = np.float32(1) + y * (np.float32(1) + y * (np.float32(1 / 2) + y * (np.float32(1 / 6) + y * p)))
    p = p * p
    p = p * p
    p = p * p
    p = p * p
    p = p * p
    return p * p


@_compiled
def _turn(source, steps, y, x, channels, out, to, n):
    """Of features [channels, h, w] in any layout those of n pixels in row y, from column x on: [channels, BLOCK]."""
    at, step, apart = np.uintp(steps[0] + y * steps[2] + x * steps[3]), np.uintp(steps[1]), np.uintp(steps[3])
    for p in range(n):
        for c in range(np.uintp(channels)):
            out[np.uintp(to) + c * _BLOCK + p] = source[at + p * apart + c * step]


@_compiled
def _layer(inputs, weights, bias, sums, at, n):
    """sums [D, BLOCK] = bias + weights [D, C] inputs [C, BLOCK]."""
    D = -(-len(bias) // ROWS) * ROWS
    for o in range(D):
        _fill(sums, np.uintp(at + o * BLOCK), bias[o] if o < len(bias) else np.float32(0), n)
    _multiply(sums, np.uintp(at), inputs, weights, np.uintp(D), np.uintp(len(weights) // D), n)


@_compiled
def _heads(maps, steps, y, x, count, N, T, E, outputs, matrices, biases, leak, heads, sharpness):
    """heads [N, outputs, BLOCK] and sharpness [J + 1, BLOCK], flat, of a block of pixels in row y from column x on."""
    zero, n = np.uintp(0), np.uintp(count)
    mix_scene, mix_reference, reference_head, head, sharp, mix_frame = matrices
    scene_bias, reference_bias, reference_head_bias, head_bias, sharp_bias = biases
    M = len(scene_bias)
    seen = np.zeros((T + 2 * E) * BLOCK, np.float32)
    to = 0
    for k in range(3):  # features, costs of the reference, mean of the others'
        channels = T if k == 0 else E
        _turn(maps[k], steps[k], y, x, channels, seen, to, n)
        to += channels * BLOCK
    size = (M + ROWS) * BLOCK
    scene, mixed, active = np.empty(size, np.float32), np.empty(size, np.float32), np.zeros(size, np.float32)
    _layer(seen, mix_scene, scene_bias, scene, 0, n)
    _layer(seen, mix_reference, reference_bias, mixed, 0, n)
    _activate(mixed, leak, active, M, n)
    _layer(active, reference_head, reference_head_bias, heads, 0, n)
    _layer(seen, sharp, sharp_bias, sharpness, 0, n)
    for j in range(len(sharp_bias)):
        for p in range(np.uintp(j * BLOCK), np.uintp(j * BLOCK + count)):
            sharpness[p] = np.exp(np.float32(2) * min(max(sharpness[p], np.float32(-4)), np.float32(4)))
    encoded = np.zeros(E * BLOCK, np.float32)
    tall = -(-M // ROWS) * ROWS
    for i in range(1, N):
        along = steps[3]
        frame = np.array([along[0] + (i - 1) * along[1], along[2], along[3], along[4]])
        _turn(maps[3], frame, y, x, E, encoded, 0, n)
        mixed[:] = scene
        _multiply(mixed, zero, encoded, mix_frame, np.uintp(tall), np.uintp(len(mix_frame) // tall), n)
        _activate(mixed, leak, active, M, n)
        _layer(active, head, head_bias, heads, i * outputs * BLOCK, n)


@_compiled
def _activate(mixed, leak, active, channels, n):
    for o in range(channels):
        _leaky(mixed, np.uintp(o * BLOCK), leak, active, np.uintp(o * BLOCK), n)


@_compiled
def _rows_of_factors(
    maps, steps, costs, apart, top, bottom, left, right, N, T, E, J, C, K, matrices, biases, leak, sizes, scales,
    logit_weight, cost_weight, found_weight, P, to, out,
):  # fmt: skip
    """Some rows and columns of the factors, a block of pixels after the other, into out [N, C, P] from `to` on."""
    outputs = -(-(C + 2 * K + 1) // ROWS) * ROWS
    heads, sharpness = np.empty(N * outputs * BLOCK, np.float32), np.empty((J + ROWS) * BLOCK, np.float32)
    logits, factors = np.empty(N * 2 * K * BLOCK, np.float32), np.empty(N * C * BLOCK, np.float32)
    scratch = np.empty((3 * N + 8) * BLOCK, np.float32)
    per_frame, per_window, per_row = np.uintp(apart[1]), np.uintp(apart[2]), np.uintp(apart[3])
    for y in range(top, bottom):
        for x in range(left, right, BLOCK):
            n = min(BLOCK, right - x)
            _heads(maps, steps, y, x, n, N, T, E, outputs, matrices, biases, leak, heads, sharpness)
            first = np.uintp(apart[0] + y * apart[4] + x * apart[5])
            for i in range(np.uintp(N)):
                for r in range(np.uintp(2 * K)):
                    _logits(
                        heads, (i * np.uintp(outputs) + np.uintp(C) + r) * _BLOCK,
                        costs, first + i * per_frame + r * per_row, per_window, sharpness, np.uintp(J),
                        logits, (i * np.uintp(2 * K) + r) * _BLOCK, np.uintp(n), logit_weight, cost_weight,
                    )  # fmt: skip
            _softmaxes(
                heads, sharpness, logits, np.uintp(N), np.uintp(J), np.uintp(C), np.uintp(K), np.uintp(outputs),
                sizes, scales, logit_weight, found_weight, scratch, factors,
            )  # fmt: skip
            at = np.uintp(to + (y - top) * (right - left) + x - left)
            _write(factors, scratch, sizes, np.uintp(N), np.uintp(C), np.uintp(n), P, at, out)


@_compiled
def _rows_of_products(source, steps, top, bottom, left, right, weights, bias, P, to, out):
    """Some rows and columns of D weighted sums of features: into out [D, P] from `to` on."""
    D, step = np.uintp(len(bias)), np.uintp(P)
    T = np.uintp(len(weights) // len(bias))
    seen = np.empty(len(weights) // len(bias) * BLOCK, np.float32)
    for y in range(top, bottom):
        for x in range(left, right, BLOCK):
            n, at = np.uintp(min(BLOCK, right - x)), np.uintp(to + (y - top) * (right - left) + x - left)
            _turn(source, steps, y, x, T, seen, 0, n)
            for o in range(np.uintp(0), D, _ROWS):
                for r in range(o, o + _ROWS):
                    _fill(out, at + r * step, bias[r], n)
                for p in range(np.uintp(0), n, _COLUMNS):
                    add_products(  # type: ignore[call-arg]
                        out, at + o * step + p, step, weights, o * T, T, seen, p, _BLOCK, T
                    )


@_compiled
def _logits(head, at, costs, row, per_window, sharpness, J, logits, to, n, logit_weight, cost_weight):
    """logits[to] = logit_weight * head - cost_weight * sum over windows of sharpness * cost."""
    for p in range(n):
        logits[to + p] = logit_weight * head[at + p]
    for j in range(J):
        c, s = row + j * per_window, j * _BLOCK
        for p in range(n):
            logits[to + p] -= cost_weight * sharpness[s + p] * costs[c + p]


@_compiled
def _softmaxes(
    heads, sharpness, logits, N, J, C, K, outputs, sizes, scales, logit_weight, found_weight, scratch, factors
):
    """factors [N, C, BLOCK], but that those along columns are not yet multiplied by what makes their mean mass 1: it
    is in the first row of scratch. All rows are BLOCK long: a constant for the compiler."""
    zero, one, two = np.uintp(0), np.uintp(1), np.uintp(2)
    mass, total, best = zero, _BLOCK, two * _BLOCK
    sums, factor, down, along = (
        best + _BLOCK,
        best + two * _BLOCK,
        best + (one + two) * _BLOCK,
        best + two * two * _BLOCK,
    )
    top, score = np.uintp(8) * _BLOCK, np.uintp(8) * _BLOCK + two * N * _BLOCK
    found = J * _BLOCK
    _fill(scratch, mass, np.float32(0), _BLOCK)
    start = zero
    for k in range(len(sizes)):
        size, scale = sizes[k], scales[k]
        near = (K - size) // two * _BLOCK
        for i in range(N):
            for axis in range(two):
                _largest(
                    logits,
                    (two * i + axis) * K * _BLOCK + near,
                    size,
                    scratch,
                    top + (two * i + axis) * _BLOCK,
                )
            v, h, to = top + two * i * _BLOCK, top + (two * i + one) * _BLOCK, score + i * _BLOCK
            trust = (i * outputs + C + two * K) * _BLOCK
            for p in range(_BLOCK):
                least = min(scratch[v + p], scratch[h + p])
                scratch[to + p] = (
                    least * (found_weight * sharpness[found + p]) + logit_weight * heads[trust + p]
                )
        _largest(scratch, score, N, scratch, best)
        _fill(scratch, total, np.float32(0), _BLOCK)
        for i in range(N):
            a = score + i * _BLOCK
            for p in range(_BLOCK):
                share = _exp(scratch[a + p] - scratch[best + p])
                scratch[a + p] = share
                scratch[total + p] += share
        for i in range(N):
            for axis in range(two):
                x, maximum = (two * i + axis) * K * _BLOCK + near, top + (two * i + axis) * _BLOCK
                row, mean = (i * C + start + axis * size) * _BLOCK, down if axis == zero else along
                _fill(scratch, sums, np.float32(0), _BLOCK)
                for r in range(size):
                    a, b = x + r * _BLOCK, row + r * _BLOCK
                    for p in range(_BLOCK):
                        power = _exp(scale * (logits[a + p] - scratch[maximum + p]))
                        factors[b + p] = power
                        scratch[sums + p] += power
                a = score + i * _BLOCK
                for p in range(_BLOCK):  # what the exponentials are multiplied by
                    share = np.float32(N) * scratch[a + p] / scratch[total + p]
                    scratch[factor + p] = (share if axis == zero else np.float32(1)) / scratch[sums + p]
                _fill(scratch, mean, np.float32(0), _BLOCK)
                signed = (i * outputs + start + axis * size) * _BLOCK
                for r in range(size):
                    a, b = signed + r * _BLOCK, row + r * _BLOCK
                    for p in range(_BLOCK):
                        weight = heads[a + p] + scratch[factor + p] * factors[b + p]
                        factors[b + p] = weight
                        scratch[mean + p] += weight
            for p in range(_BLOCK):
                scratch[mass + p] += scratch[down + p] * scratch[along + p]
        start += two * size
    for p in range(_BLOCK):
        mean_mass = scratch[mass + p] / np.float32(N * np.uintp(len(sizes)))
        size = max(abs(mean_mass), np.float32(0.2))
        scratch[mass + p] = np.float32(1) / (-size if mean_mass < 0 else size)


@_compiled
def _largest(x, at, count, out, to):
    """out[to] = the largest of `count` rows of x."""
    for p in range(_BLOCK):
        out[to + p] = x[at + p]
    for r in range(np.uintp(1), count):
        for p in range(_BLOCK):
            out[to + p] = max(out[to + p], x[at + r * _BLOCK + p])


@_compiled
def _write(factors, scale, sizes, N, C, n, P, at, out):
    """out [N, C, P] from `at` on, of n pixels: factors, those along columns times `scale`."""
    for i in range(N):
        row = np.uintp(0)
        for k in range(len(sizes)):
            for r in range(np.uintp(2) * sizes[k]):
                a, b = (i * C + row) * _BLOCK, (i * C + row) * P + at
                if r < sizes[k]:
                    for p in range(n):
                        out[b + p] = factors[a + p] * scale[p]
                else:
                    for p in range(n):
                        out[b + p] = factors[a + p]
                row += np.uintp(1)


@_compiled
def _add_costs(costs, at, per_window, windows, n, out, to):
    """out[to] = the sum of a displacement's costs over the narrowest windows."""
    if windows == 1:
        for p in range(n):
            out[to + p] = costs[at + p]
    else:
        for p in range(n):
            out[to + p] = costs[at + p] + costs[at + per_window + p]


@_compiled
def _least(x, at, count, out, to):
    """out[to] = the least of `count` rows of x."""
    for p in range(_BLOCK):
        out[to + p] = x[at + p]
    for r in range(np.uintp(1), count):
        for p in range(_BLOCK):
            out[to + p] = min(out[to + p], x[at + r * _BLOCK + p])


@_compiled
def _row_of_plain_factors(
    costs, apart, windows, y, begin, end, frames, side, of_frames, along, out, plane, at, left, to_left
):
    """Columns begin ... end - 1 of row y of the kernels, into out [N, 2K, plane] from `at` on, and of left."""
    two = np.uintp(2)
    N, K, P = np.uintp(frames), np.uintp(side), np.uintp(plane)
    total = np.zeros(N * two * K * _BLOCK, np.float32)
    least, share = np.empty(N * two * _BLOCK, np.float32), np.empty(N * _BLOCK, np.float32)
    best, sums, power = (
        np.empty(_BLOCK, np.float32),
        np.empty(_BLOCK, np.float32),
        np.empty(_BLOCK, np.float32),
    )
    squares = np.empty(two * _BLOCK, np.float32)
    for x in range(begin, end, BLOCK):
        n = np.uintp(min(BLOCK, end - x))
        first = np.uintp(apart[0] + y * apart[4] + x * apart[5])
        for i in range(N):
            for r in range(two * K):
                here = first + i * np.uintp(apart[1]) + r * np.uintp(apart[3])
                _add_costs(costs, here, np.uintp(apart[2]), windows, n, total, (i * two * K + r) * _BLOCK)
            for axis in range(two):
                _least(total, (two * i + axis) * K * _BLOCK, K, least, (two * i + axis) * _BLOCK)
            a, b = i * _BLOCK, two * i * _BLOCK
            for p in range(_BLOCK):
                share[a + p] = least[b + p]
        _least(share, np.uintp(0), N, best, np.uintp(0))
        _fill(sums, np.uintp(0), np.float32(0), _BLOCK)
        for i in range(N):
            a = i * _BLOCK
            for p in range(_BLOCK):
                part = _exp(of_frames * (best[p] - share[a + p]))
                share[a + p] = part
                sums[p] += part
        for p in range(_BLOCK):
            best[p] = np.float32(N) / sums[p]
        _fill(power, np.uintp(0), np.float32(0), _BLOCK)
        for i in range(N):
            for axis in range(two):
                own, a = (two * i + axis) * K * _BLOCK, (two * i + axis) * _BLOCK
                _fill(sums, np.uintp(0), np.float32(0), _BLOCK)
                for r in range(K):
                    b = own + r * _BLOCK
                    for p in range(_BLOCK):
                        part = _exp(along * (least[a + p] - total[b + p]))
                        total[b + p] = part
                        sums[p] += part
                b = i * _BLOCK
                for p in range(_BLOCK):
                    sums[p] = (best[p] * share[b + p] if axis == 0 else np.float32(1)) / sums[p]
                square = axis * _BLOCK
                _fill(squares, square, np.float32(0), _BLOCK)
                for r in range(K):
                    b, to = own + r * _BLOCK, ((two * i + axis) * K + r) * P + np.uintp(at + x - begin)
                    for p in range(_BLOCK):
                        part = sums[p] * total[b + p]
                        total[b + p] = part
                        squares[square + p] += part * part
                    for p in range(n):
                        out[to + p] = total[b + p]
            for p in range(_BLOCK):
                power[p] += squares[p] * squares[_BLOCK + p]
        to = np.uintp(to_left + x)
        for p in range(n):
            left[to + p] = np.sqrt(power[p]) / np.float32(N)
