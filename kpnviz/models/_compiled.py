"""The last step of separable networks that match, compiled: CPU, float32, without gradients.

`MatchingNetwork._separable` is the same in torch: some thirty passes over tensors that are too large for the
processor's caches. Here all passes are made over one block of pixels before the next block. Innermost loops run over
the pixels of a row of a flat array, with unsigned offsets, and write to another row than they read, so that LLVM
vectorizes them.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from kpnviz.threads import compiled, in_threads

_BLOCK = 256  # pixels


def separable_factors(
    signed: np.ndarray,
    logits: np.ndarray,
    found: np.ndarray,
    trust: np.ndarray,
    sizes: np.ndarray,
    scales: np.ndarray,
) -> np.ndarray:
    """signed [N, C, P], logits [N, 2K, P], found [P], trust [N, P]; sizes, and scales of their logits, [S]
    -> factors [N, C, P]; as `MatchingNetwork._separable`.
    """
    N, C, P = signed.shape
    rows = logits.shape[1]
    factors = np.empty((N, C, P), np.float32)
    flat = [np.ascontiguousarray(x).reshape(-1) for x in (signed, logits, found, trust)]
    out, widths = factors.reshape(-1), sizes.astype(np.uintp)

    def run(block: int) -> None:
        first = block * _BLOCK
        n = min(_BLOCK, P - first)
        scratch = np.empty((4 * N + max(rows // 2, N) + 4) * n, np.float32)
        shape = [np.uintp(x) for x in (N, C, rows // 2, P, first, n)]
        _block(*flat, out, scratch, *shape, widths, scales)  # type: ignore[call-arg]

    in_threads(run, -(-P // _BLOCK))
    return factors


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
def _block(signed, logits, found, trust, out, scratch, N, C, K, P, first, n, sizes, scales):
    zero, one, two = np.uintp(0), np.uintp(1), np.uintp(2)
    # Rows of scratch: of each frame its largest logits, how well it was found, and its share; running values; sums.
    top, place, share = zero, two * N * n, (two + one) * N * n
    running = share + N * n
    total = running + max(K, N) * n
    mass, down, along = total + n, total + two * n, total + two * n + n
    for p in range(n):
        scratch[mass + p] = np.float32(0)
    start = zero
    for k in range(len(sizes)):
        size, scale = sizes[k], scales[k]
        near = (K - size) // two
        for i in range(N):
            for axis in range(two):
                x = (i * two * K + axis * K + near) * P + first
                _largest(logits, x, P, size, scratch, running, n, top + (two * i + axis) * n)
            v, h, at = top + two * i * n, top + (two * i + one) * n, i * P + first
            for p in range(n):
                scratch[place + i * n + p] = (
                    min(scratch[v + p], scratch[h + p]) * found[first + p] + trust[at + p]
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
                x = (i * two * K + axis * K + near) * P + first
                maximum, sums = top + (two * i + axis) * n, down if axis == 0 else along
                row = to + axis * size * P
                for p in range(n):
                    scratch[running + p] = np.float32(0)
                    scratch[sums + p] = np.float32(0)
                for r in range(size):
                    _softmax_row(logits, x + r * P, scratch, maximum, scale, out, row + r * P, running, n)
                for p in range(n):  # what the exponentials are multiplied by
                    scratch[running + p] = np.float32(1) / scratch[running + p]
                if axis == 0:
                    a = share + i * n
                    for p in range(n):
                        scratch[running + p] *= np.float32(N) * scratch[a + p] / scratch[total + p]
                for r in range(size):
                    _add_signed(signed, row + r * P, scratch, running, out, sums, n)
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
def _add_signed(signed, row, scratch, factor, out, sums, n):
    for p in range(n):
        out[row + p] = signed[row + p] + scratch[factor + p] * out[row + p]
    for p in range(n):
        scratch[sums + p] += out[row + p]
