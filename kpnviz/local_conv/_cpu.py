"""CPU: numba, float32."""

from __future__ import annotations

import itertools
import threading

import numpy as np
import torch
from numba import njit
from torch import Tensor

from ._reference import reflect_index

MODES = {"none": 0, "size": 1, "mean": 2}


def run_parallel(work, count):
    counter = itertools.count()
    failures = []

    def drain():
        try:
            while (i := next(counter)) < count:
                work(i)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=drain) for _ in range(min(torch.get_num_threads(), count) - 1)]
    for t in threads:
        t.start()
    drain()
    for t in threads:
        t.join()
    if failures:
        raise failures[0]


@njit(nogil=True, fastmath=True, cache=True)
def upsample_row(half, y, up):
    F, h, w = half.shape
    W = up.shape[1]
    if y % 2 == 0:
        i0, i1, w1 = max(y // 2 - 1, 0), y // 2, np.float32(0.75)
    else:
        i0, i1, w1 = y // 2, min(y // 2 + 1, h - 1), np.float32(0.25)
    row = np.empty(w + 2, np.float32)
    for f in range(F):
        for j in range(w):
            row[j + 1] = half[f, i0, j] + w1 * (half[f, i1, j] - half[f, i0, j])
        row[0] = row[1]
        row[w + 1] = row[w]
        for j in range(w):
            up[f, 2 * j] = np.float32(0.25) * row[j] + np.float32(0.75) * row[j + 1]
        for j in range(W // 2):
            up[f, 2 * j + 1] = np.float32(0.25) * row[j + 2] + np.float32(0.75) * row[j + 1]


@njit(nogil=True, fastmath=True, cache=True)
def forward_rows(P, half, sizes, separable, y0, y1, out, scale, accumulate):
    """P [Hp, Wp] padded frame; half [F, h, w]; out [S or 1, H, W]."""
    F = half.shape[0]
    W = out.shape[2]
    K = P.shape[1] - W + 1
    up = np.empty((F, W + 1), np.float32)
    row = np.empty(W, np.float32)
    for y in range(y0, y1):
        upsample_row(half, y, up[:, :W])
        base = 0
        for s in range(sizes.size):
            k = sizes[s]
            c = (K - k) // 2
            o = out[s if not accumulate else 0, y]
            for a in range(k):
                row[:] = 0
                for b in range(k):
                    v = up[base + k + b] if separable else up[base + a * k + b]
                    p = P[y + c + a]
                    for x in range(W):
                        row[x] += v[x] * p[x + c + b]
                if separable:
                    u = up[base + a]
                    for x in range(W):
                        o[x] += scale * u[x] * row[x]
                else:
                    for x in range(W):
                        o[x] += scale * row[x]
            base += 2 * k if separable else k * k


@njit(nogil=True, fastmath=True, cache=True)
def backward_image(P, half, sizes, separable, g, scale, grad):
    """g [S or 1, H, W]; grad [F, h, w], zeroed."""
    F, h, w = half.shape
    H, W = g.shape[1:]
    K = P.shape[1] - W + 1
    up = np.empty((F, W), np.float32)
    d = np.empty((F, 2 * w + 2), np.float32)
    pg = np.empty(W, np.float32)
    for y in range(H):
        upsample_row(half, y, up)
        d[:] = 0
        base = 0
        for s in range(sizes.size):
            k = sizes[s]
            c = (K - k) // 2
            gy = g[s if g.shape[0] > 1 else 0, y]
            for a in range(k):
                p = P[y + c + a]
                for b in range(k):
                    if separable:
                        u, v = up[base + a], up[base + k + b]
                        du, dv = d[base + a, 1:], d[base + k + b, 1:]
                        for x in range(W):
                            t = scale * gy[x] * p[x + c + b]
                            du[x] += t * v[x]
                            dv[x] += t * u[x]
                    else:
                        dk = d[base + a * k + b, 1:]
                        for x in range(W):
                            dk[x] += scale * gy[x] * p[x + c + b]
            base += 2 * k if separable else k * k
        if y % 2 == 0:
            i0, i1, w1 = max(y // 2 - 1, 0), y // 2, np.float32(0.75)
        else:
            i0, i1, w1 = y // 2, min(y // 2 + 1, h - 1), np.float32(0.25)
        w0 = np.float32(1) - w1
        for f in range(F):
            r = d[f]
            r[0] = r[1]
            r[2 * w + 1] = r[2 * w]
            for j in range(w):
                t = np.float32(0.75) * (r[2 * j + 1] + r[2 * j + 2]) + np.float32(0.25) * (
                    r[2 * j] + r[2 * j + 3]
                )
                grad[f, i0, j] += w0 * t
                grad[f, i1, j] += w1 * t


def pad(frames: Tensor, r: int) -> np.ndarray:
    H, W = frames.shape[-2:]
    return (
        frames.detach()
        .contiguous()
        .index_select(-2, reflect_index(H, r))
        .index_select(-1, reflect_index(W, r))
        .numpy()
    )


class _LocalConv(torch.autograd.Function):
    @staticmethod
    def forward(ctx, frames, factors, sizes, separable, reduce):
        ctx.save_for_backward(frames, factors)
        ctx.args = sizes, separable, reduce
        B, N, H, W = frames.shape
        S = len(sizes)
        P = pad(frames, max(sizes) // 2)
        half = factors.contiguous().numpy()
        ksizes = np.array(sizes)
        scale = np.float32({"none": 1.0, "size": 1 / S, "mean": 1 / (S * N)}[reduce])
        shape = {"none": (B, N, S, H, W), "size": (B, N, 1, H, W), "mean": (B, 1, 1, H, W)}[reduce]
        out = np.zeros(shape, np.float32)
        accumulate = reduce != "none"
        strip = max(1, min(H, 16384 // W))
        strips = -(-H // strip)

        def work(i):
            b, i = divmod(i, strips)
            y0 = i * strip
            for n in range(N):
                o = out[b, 0 if reduce == "mean" else n]
                forward_rows(
                    P[b, n], half[b, n], ksizes, separable, y0, min(y0 + strip, H), o, scale, accumulate
                )

        run_parallel(work, B * strips)
        result = torch.from_numpy(out)
        return {"none": result, "size": result[:, :, 0], "mean": result[:, 0, 0]}[reduce]

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, grad_out):
        frames, factors = ctx.saved_tensors
        sizes, separable, reduce = ctx.args
        B, N, H, W = frames.shape
        S = len(sizes)
        P = pad(frames, max(sizes) // 2)
        half = factors.contiguous().numpy()
        ksizes = np.array(sizes)
        scale = np.float32({"none": 1.0, "size": 1 / S, "mean": 1 / (S * N)}[reduce])
        g = grad_out.contiguous().numpy()
        if reduce == "size":
            g = g[:, :, None]
        elif reduce == "mean":
            g = g[:, None, None]
        grad = np.zeros(factors.shape, np.float32)

        def work(i):
            b, n = divmod(i, N)
            go = g[b, 0 if reduce == "mean" else n]
            backward_image(P[b, n], half[b, n], ksizes, separable, go, scale, grad[b, n])

        run_parallel(work, B * N)
        return None, torch.from_numpy(grad), None, None, None


def local_conv(frames, factors, sizes, separable, reduce, fused):
    return _LocalConv.apply(frames, factors, sizes, separable, reduce)
