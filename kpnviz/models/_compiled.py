"""The last step of separable networks that match, compiled: CPU, float32, without gradients.

`MatchingNetwork._separable` is the same in torch: some thirty passes over tensors that are too large for the
processor's caches. Here all passes are made over one block of pixels before the next block. Innermost loops run over
the pixels of a row of a flat array, with unsigned offsets, and write to another row than they read, so that LLVM
vectorizes them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numba import njit

from kpnviz.threads import compiled, in_threads

_BLOCK = 256  # pixels


def separable_factors(
    reference: np.ndarray,
    others: np.ndarray,
    sharpness: np.ndarray,
    costs: np.ndarray,
    steps: Sequence[int],
    sizes: np.ndarray,
    scales: np.ndarray,
    weights: tuple[np.float32, np.float32, np.float32],
    factors: np.ndarray,
) -> None:
    """Fill factors [N, C, h, w]; as `MatchingNetwork._separable` and what comes before it.

    reference [C + 2K + 1, h, w], others [N - 1, C + 2K + 1, h, w]   outputs of the heads
    sharpness [J + 1, h, w];  costs   flat, which begin at steps[0], with steps[1:] along [N, J, 2K, h, w]
    sizes, and scales of their logits, [S];  weights   of logits, of costs, and of how well a frame was found
    """
    N, C, h, w = factors.shape
    J, K = len(sharpness) - 1, (len(reference) - C - 1) // 2
    flat = [np.ascontiguousarray(x).reshape(-1) for x in (reference, others, sharpness)]
    out, blocks = factors.reshape(-1), -(-w // _BLOCK)
    offset, *apart = (np.uintp(step) for step in steps)

    def run(task: int) -> None:
        y, x = task // blocks, task % blocks * _BLOCK
        n = min(_BLOCK, w - x)
        scratch = np.empty((4 * N + max(K, N) + 4 + 2 * K * N + N) * n, np.float32)
        shape = [np.uintp(i) for i in (N, J, C, K, h * w, y * w + x, n)]
        first = np.uintp(offset + y * apart[3] + x * apart[4])
        _block(*flat, costs, first, *apart[:3], out, scratch, *shape, sizes, scales, *weights)  # type: ignore[call-arg]

    in_threads(run, h * blocks)


def _compiled(function):
    return compiled(function, fastmath=True)


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
def _block(
    reference, others, sharpness, costs, first_cost, per_frame, per_window, per_row,
    out, scratch, N, J, C, K, P, first, n, sizes, scales, logit_weight, cost_weight, found_weight,
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
    outputs = C + two * K + one
    for i in range(N):
        head, base = (reference, zero) if i == zero else (others, (i - one) * outputs * P)
        base += C * P + first
        cost = first_cost + i * per_frame
        for r in range(two * K):
            to, row = logits + (i * two * K + r) * n, cost + r * per_row
            _logits(
                head,
                base + r * P,
                costs,
                row,
                per_window,
                sharpness,
                first,
                P,
                J,
                scratch,
                to,
                n,
                logit_weight,
                cost_weight,
            )
        at = base + two * K * P
        for p in range(n):
            scratch[trust + i * n + p] = logit_weight * head[at + p]
    found = J * P + first
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
                head, signed = (reference, zero) if i == zero else (others, (i - one) * outputs * P)
                signed += (start + axis * size) * P + first
                for r in range(size):
                    _add_signed(head, signed + r * P, scratch, running, out, row + r * P, sums, n)
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
def _logits(
    head, at, costs, row, per_window, sharpness, first, P, J, scratch, to, n, logit_weight, cost_weight
):
    """scratch[to] = logit_weight * head - cost_weight * sum over windows of sharpness * cost."""
    for p in range(n):
        scratch[to + p] = logit_weight * head[at + p]
    for j in range(J):
        c, s = row + j * per_window, j * P + first
        for p in range(n):
            scratch[to + p] -= cost_weight * sharpness[s + p] * costs[c + p]


@_compiled
def _add_signed(signed, at, scratch, factor, out, row, sums, n):
    for p in range(n):
        out[row + p] = signed[at + p] + scratch[factor + p] * out[row + p]
    for p in range(n):
        scratch[sums + p] += out[row + p]
