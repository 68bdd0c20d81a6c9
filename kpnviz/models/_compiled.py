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

from kpnviz.threads import compiled, in_threads

BLOCK = 64  # pixels
SIDE = 4  # channels in, and out, of one pass over a block: their weights fit the registers


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


def separable_factors(
    maps: Sequence[Map],
    channels: tuple[int, int],
    layers: Layers,
    sizes: np.ndarray,
    scales: np.ndarray,
    weights: tuple[np.float32, np.float32, np.float32],
    factors: np.ndarray,
) -> None:
    """Fill factors [N, C, h, w]; as `MatchingNetwork._factors`.

    maps       features [T, h, w], encoded costs of the reference [E, h, w], the mean of the others' [E, h, w], these
               [N - 1, E, h, w], and costs [N, J, 2K, h, w]
    channels   T and E
    sizes, and scales of their logits, [S]
    weights    of logits, of costs, and of how well a frame was found
    """
    N, C, h, w = factors.shape
    T, E = channels
    J, K = len(layers.sharpness[0]) - 1, (len(layers.head[0]) - C - 1) // 2
    named = (layers.mix_scene, layers.mix_reference, layers.reference_head, layers.head, layers.sharpness)
    matrices = tuple(
        _padded(weight.flatten(1)) for weight in (*(pair[0] for pair in named), layers.mix_frame)
    )
    biases = tuple(pair[1].detach().numpy() for pair in named)
    seen = tuple(numbers for numbers, _ in maps[:4])
    steps = tuple(np.array(along, dtype=np.int64) for _, along in maps[:4])
    costs, (offset, *apart) = maps[4][0], [np.uintp(step) for step in maps[4][1]]
    out, blocks = factors.reshape(-1), -(-w // BLOCK)
    leak = np.float32(layers.leak)

    def run(task: int) -> None:
        y, x = task // blocks, task % blocks * BLOCK
        n = min(BLOCK, w - x)
        outputs = -(-(C + 2 * K + 1) // SIDE) * SIDE
        heads, sharpness = np.empty(N * outputs * BLOCK, np.float32), np.empty((J + SIDE) * BLOCK, np.float32)
        _heads(seen, steps, y, x, n, N, T, E, outputs, matrices, biases, leak, heads, sharpness)  # type: ignore[call-arg]
        scratch = np.empty((4 * N + max(K, N) + 4 + 2 * K * N + N) * n, np.float32)
        shape = [np.uintp(i) for i in (N, J, C, K, outputs, h * w, y * w + x, n)]
        first = np.uintp(offset + y * apart[3] + x * apart[4])
        _block(heads, sharpness, costs, first, *apart[:3], out, scratch, *shape, sizes, scales, *weights)  # type: ignore[call-arg]

    in_threads(run, h * blocks)


def _padded(weight: Tensor) -> np.ndarray:
    """Weights [D, C] as :func:`_multiply` takes them: flat, D and C filled up with zeros to multiples of SIDE."""
    D, C = weight.shape
    filled = np.zeros((-(-D // SIDE) * SIDE, -(-C // SIDE) * SIDE), np.float32)
    filled[:D, :C] = weight.detach().numpy()
    return filled.reshape(-1)


_inlined = njit(inline="always")
_jit = njit(nogil=True, fastmath=True, error_model="numpy")
_BLOCK, _SIDE = np.uintp(BLOCK), np.uintp(SIDE)


@_inlined
def _products(side, sums, s, inputs, i, weights, u, step, n):
    for x in range(n):
        for r in range(side):
            value = sums[s + r * _BLOCK + x]
            for k in range(side):
                value += weights[u + r * step + k] * inputs[i + k * _BLOCK + x]
            sums[s + r * _BLOCK + x] = value


@_jit
def _multiply(sums, at, inputs, weights, D, C, n):
    """sums[at:] [D, BLOCK] += weights [D, C] times inputs [C, BLOCK], of n pixels."""
    for o in range(np.uintp(0), np.uintp(D), _SIDE):
        for c in range(np.uintp(0), np.uintp(C), _SIDE):
            _products(_SIDE, sums, at + o * _BLOCK, inputs, c * _BLOCK, weights, o * C + c, C, n)


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
    return compiled(function, fastmath=True)


@_compiled
def _row(costs, at, per_window, per_row, J, rows, w, weights, bias, leak, most, out, to):
    """A row of w pixels; weights flat [D, C], both padded to multiples of 4 by zeros."""
    D = len(bias)
    C = -(-J * rows // SIDE) * SIDE
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
    D = -(-len(bias) // SIDE) * SIDE
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
    seen = np.zeros((T + 2 * E + SIDE) * BLOCK, np.float32)
    to = 0
    for k in range(3):  # features, costs of the reference, mean of the others'
        channels = T if k == 0 else E
        _turn(maps[k], steps[k], y, x, channels, seen, to, n)
        to += channels * BLOCK
    size = (M + SIDE) * BLOCK
    scene, mixed, active = np.empty(size, np.float32), np.empty(size, np.float32), np.zeros(size, np.float32)
    _layer(seen, mix_scene, scene_bias, scene, 0, n)
    _layer(seen, mix_reference, reference_bias, mixed, 0, n)
    _activate(mixed, leak, active, M, n)
    _layer(active, reference_head, reference_head_bias, heads, 0, n)
    _layer(seen, sharp, sharp_bias, sharpness, 0, n)
    for j in range(len(sharp_bias)):
        for p in range(np.uintp(j * BLOCK), np.uintp(j * BLOCK + count)):
            sharpness[p] = np.exp(np.float32(2) * min(max(sharpness[p], np.float32(-4)), np.float32(4)))
    encoded = np.zeros((E + SIDE) * BLOCK, np.float32)
    tall = -(-M // SIDE) * SIDE
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
def _block(
    heads, sharpness, costs, first_cost, per_frame, per_window, per_row, out, scratch,
    N, J, C, K, outputs, P, first, n, sizes, scales, logit_weight, cost_weight, found_weight,
):  # fmt: skip
    zero, one, two = np.uintp(0), np.uintp(1), np.uintp(2)
    # Rows of scratch: of each frame its largest logits, how well it was found, and its share; running values; sums;
    # the logits, and how much each frame is trusted.
    top, place, share = zero, two * N * n, (two + one) * N * n
    running = share + N * n
    total = running + max(K, N) * n
    mass, down, along = total + n, total + two * n, total + two * n + n
    logits = along + n
    trust = logits + two * K * N * n
    for i in range(N):
        base = (i * outputs + C) * _BLOCK
        cost = first_cost + i * per_frame
        for r in range(two * K):
            to, row = logits + (i * two * K + r) * n, cost + r * per_row
            _logits(
                heads, base + r * _BLOCK, costs, row, per_window, sharpness, J,
                scratch, to, n, logit_weight, cost_weight,
            )  # fmt: skip
        at = base + two * K * _BLOCK
        for p in range(n):
            scratch[trust + i * n + p] = logit_weight * heads[at + p]
    found = J * _BLOCK
    for p in range(n):
        scratch[mass + p] = np.float32(0)
    start = zero
    for k in range(len(sizes)):
        size, scale = sizes[k], scales[k]
        near = (K - size) // two
        for i in range(N):
            for axis in range(two):
                x = logits + (i * two * K + axis * K + near) * n
                _largest(scratch, x, n, size, scratch, running, n, top + (two * i + axis) * n)
            v, h, at = top + two * i * n, top + (two * i + one) * n, trust + i * n
            for p in range(n):
                scratch[place + i * n + p] = (
                    min(scratch[v + p], scratch[h + p]) * (found_weight * sharpness[found + p])
                    + scratch[at + p]
                )
        _largest(scratch, place, n, N, scratch, running, n, along)
        for p in range(n):
            scratch[total + p] = np.float32(0)
        for i in range(N):
            a, b = share + i * n, place + i * n
            for p in range(n):
                scratch[a + p] = _exp(scratch[b + p] - scratch[along + p])
            for p in range(n):
                scratch[total + p] += scratch[a + p]
        for i in range(N):
            to = (i * C + start) * P + first
            for axis in range(two):
                x = logits + (i * two * K + axis * K + near) * n
                maximum, sums = top + (two * i + axis) * n, down if axis == 0 else along
                row = to + axis * size * P
                for p in range(n):
                    scratch[running + p] = np.float32(0)
                    scratch[sums + p] = np.float32(0)
                for r in range(size):
                    _softmax_row(scratch, x + r * n, scratch, maximum, scale, out, row + r * P, running, n)
                for p in range(n):  # what the exponentials are multiplied by
                    scratch[running + p] = np.float32(1) / scratch[running + p]
                if axis == 0:
                    a = share + i * n
                    for p in range(n):
                        scratch[running + p] *= np.float32(N) * scratch[a + p] / scratch[total + p]
                signed = (i * outputs + start + axis * size) * _BLOCK
                for r in range(size):
                    _add_signed(heads, signed + r * _BLOCK, scratch, running, out, row + r * P, sums, n)
            for p in range(n):
                scratch[mass + p] += scratch[down + p] * scratch[along + p]
        start += two * size
    for p in range(n):
        mean = scratch[mass + p] / np.float32(N * np.uintp(len(sizes)))
        scratch[mass + p] = np.float32(1) / max(mean, np.float32(0.2))
    start = zero
    for k in range(len(sizes)):
        for i in range(N):
            for r in range(sizes[k]):
                at = (i * C + start + r) * P + first
                for p in range(n):
                    out[at + p] *= scratch[mass + p]
        start += two * sizes[k]


@_compiled
def _largest(x, at, stride, count, scratch, running, n, to):
    """scratch[to] = the largest of `count` rows of x, `stride` apart; running values take one row each."""
    last = count - np.uintp(1)
    for p in range(n):
        scratch[(running if last else to) + p] = x[at + p]
    for r in range(np.uintp(1), count):
        a, b = running + (r - np.uintp(1)) * n, (running + r * n) if r < last else to
        for p in range(n):
            scratch[b + p] = max(scratch[a + p], x[at + r * stride + p])


@_compiled
def _softmax_row(logits, x, scratch, maximum, scale, out, row, running, n):
    for p in range(n):
        out[row + p] = _exp(scale * (logits[x + p] - scratch[maximum + p]))
    for p in range(n):
        scratch[running + p] += out[row + p]


@_compiled
def _logits(head, at, costs, row, per_window, sharpness, J, scratch, to, n, logit_weight, cost_weight):
    """scratch[to] = logit_weight * head - cost_weight * sum over windows of sharpness * cost."""
    for p in range(n):
        scratch[to + p] = logit_weight * head[at + p]
    for j in range(J):
        c, s = row + j * per_window, j * _BLOCK
        for p in range(n):
            scratch[to + p] -= cost_weight * sharpness[s + p] * costs[c + p]


@_compiled
def _add_signed(signed, at, scratch, factor, out, row, sums, n):
    for p in range(n):
        out[row + p] = signed[at + p] + scratch[factor + p] * out[row + p]
    for p in range(n):
        scratch[sums + p] += out[row + p]
