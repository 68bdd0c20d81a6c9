"""The CUDA backend: float32, kernels in Triton. TRITON_INTERPRET=1 runs them on the CPU, slowly, for tests.

A program computes BLOCK pixels of one output and holds the sums of all kernel rows, [ROWS, BLOCK], in registers. Each
kernel size is a launch of its own, which adds to the output; launches run one after the other on a stream, so that two
runs give the same bits.
"""

from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor
from torch.autograd.function import once_differentiable

from ._reference import effective_kernels, reduced_shape, reduction_scale, reflect_pad, upsample_factors

BLOCK = 128


@triton.jit
def _weights(base, channel, y, x, H, W, h, w, mask, UPSAMPLE: tl.constexpr):
    """Channel `channel` at the pixels (y, x): `base` is [F, h, w] to be upsampled, or else [F, H, W]."""
    if not UPSAMPLE:
        return tl.load(base + (channel * H + y) * W + x, mask=mask, other=0.0)
    i, j = y // 2, x // 2
    near_i = tl.minimum(tl.maximum(i - 1 + 2 * (y % 2), 0), h - 1)
    near_j = tl.minimum(tl.maximum(j - 1 + 2 * (x % 2), 0), w - 1)
    row, near_row = (channel * h + i) * w, (channel * h + near_i) * w
    value = 0.5625 * tl.load(base + row + j, mask=mask, other=0.0)
    value += 0.1875 * tl.load(base + row + near_j, mask=mask, other=0.0)
    value += 0.1875 * tl.load(base + near_row + j, mask=mask, other=0.0)
    value += 0.0625 * tl.load(base + near_row + near_j, mask=mask, other=0.0)
    return value


@triton.jit
def _forward_kernel(
    padded,  # [items * N, H + 2 radius, W + 2 radius]
    factors,  # [items * N, channels, h, w], or [items * N, channels, H, W] if not UPSAMPLE
    out,  # [items, slots, H, W]: slot `slot` += scale * sum over N frames
    scale,
    N,
    H,
    W,
    h,
    w,
    radius,
    channels,
    first,
    slots,
    slot,
    SIZE: tl.constexpr,
    ROWS: tl.constexpr,
    SEPARABLE: tl.constexpr,
    UPSAMPLE: tl.constexpr,
    BLOCK: tl.constexpr,
):
    item = tl.program_id(1).to(tl.int64)
    pixel = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = pixel < H * W
    y, x = (pixel // W)[None, :], (pixel % W)[None, :]
    a = tl.arange(0, ROWS)[:, None]
    mask = (a < SIZE) & inside[None, :]
    corner = radius - SIZE // 2
    plane = h * w if UPSAMPLE else H * W
    total = tl.zeros([BLOCK], dtype=tl.float32)
    for n in range(N):
        frame = item * N + n
        window = padded + frame * (H + 2 * radius) * (W + 2 * radius)
        window += (y + corner + a) * (W + 2 * radius) + x + corner
        base = factors + (frame * channels + first) * plane
        sums = tl.zeros([ROWS, BLOCK], dtype=tl.float32)
        for b in range(SIZE):
            p = tl.load(window + b, mask=mask, other=0.0)
            if SEPARABLE:
                sums += p * _weights(base, SIZE + b, y, x, H, W, h, w, inside[None, :], UPSAMPLE)
            else:
                sums += p * _weights(base, a * SIZE + b, y, x, H, W, h, w, mask, UPSAMPLE)
        if SEPARABLE:
            sums *= _weights(base, a, y, x, H, W, h, w, mask, UPSAMPLE)
        total += tl.sum(sums, axis=0)
    to = out + (item * slots + slot) * H * W + pixel
    tl.store(to, tl.load(to, mask=inside, other=0.0) + scale * total, mask=inside)


@triton.jit
def _backward_kernel(
    padded,  # [items, H + 2 radius, W + 2 radius]
    factors,  # [items, channels, h, w]
    g,  # [items, slots, H, W], gradient of the output
    grads,  # [items, channels, H, W], to be set: gradient of the upsampled factors
    scale,
    H,
    W,
    h,
    w,
    radius,
    channels,
    first,
    slots,
    slot,
    SIZE: tl.constexpr,
    ROWS: tl.constexpr,
    SEPARABLE: tl.constexpr,
    BLOCK: tl.constexpr,
):
    item = tl.program_id(1).to(tl.int64)
    pixel = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = pixel < H * W
    y, x = (pixel // W)[None, :], (pixel % W)[None, :]
    a = tl.arange(0, ROWS)[:, None]
    mask = (a < SIZE) & inside[None, :]
    corner = radius - SIZE // 2
    window = padded + item * (H + 2 * radius) * (W + 2 * radius)
    window += (y + corner + a) * (W + 2 * radius) + x + corner
    base = factors + (item * channels + first) * h * w
    to = grads + (item * channels + first) * H * W + pixel
    g_here = scale * tl.load(g + (item * slots + slot) * H * W + pixel, mask=inside, other=0.0)
    if SEPARABLE:
        u = _weights(base, a, y, x, H, W, h, w, mask, True)
        du = tl.zeros([ROWS, BLOCK], dtype=tl.float32)
        for b in range(SIZE):
            p = tl.load(window + b, mask=mask, other=0.0)
            du += p * _weights(base, SIZE + b, y, x, H, W, h, w, inside[None, :], True)
            tl.store(to + (SIZE + b) * H * W, g_here * tl.sum(u * p, axis=0), mask=inside)
        tl.store(to[None, :] + a * H * W, g_here[None, :] * du, mask=mask)
    else:
        for b in range(SIZE):
            p = tl.load(window + b, mask=mask, other=0.0)
            tl.store(to[None, :] + (a * SIZE + b) * H * W, g_here[None, :] * p, mask=mask)


def local_conv(
    frames: Tensor, factors: Tensor, sizes: tuple[int, ...], separable: bool, reduce: str, fused: bool
) -> Tensor:
    result: Tensor = _LocalConv.apply(frames, factors, sizes, separable, reduce, fused)
    return result


class _LocalConv(torch.autograd.Function):
    """An *item* is what is summed into one output: a frame, or for reduce="mean" the N frames of a burst."""

    @staticmethod
    def forward(
        ctx: Any,
        frames: Tensor,
        factors: Tensor,
        sizes: tuple[int, ...],
        separable: bool,
        reduce: str,
        fused: bool,
    ) -> Tensor:
        factors = factors.contiguous()
        ctx.save_for_backward(frames, factors)
        ctx.options = sizes, separable, reduce
        B, N, H, W = frames.shape
        S = len(sizes)
        items, slots = B if reduce == "mean" else B * N, S if reduce == "none" else 1
        out = frames.new_zeros(items, slots, H, W)
        padded, scale = reflect_pad(frames, max(sizes) // 2), reduction_scale(reduce, N, S)
        with torch.cuda.device_of(frames):  # Triton launches on the current device
            if fused:
                _forward_fused(padded, factors, sizes, separable, out.view(B, -1, H, W), scale)
            else:
                for slot, size, first in _groups(sizes, separable):
                    slot = slot if reduce == "none" else 0
                    _launch_forward(padded, factors, size, first, separable, True, out, slot, scale)
        return out.view(reduced_shape(reduce, B, N, S, H, W))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_out: Tensor) -> tuple[Tensor | None, ...]:
        """A frame at a time: the gradients of the upsampled factors, then the adjoint of the upsampling."""
        frames, factors = ctx.saved_tensors
        sizes, separable, reduce = ctx.options
        B, N, H, W = frames.shape
        F, h, w = factors.shape[2:]
        S = len(sizes)
        radius, scale = max(sizes) // 2, reduction_scale(reduce, N, S)
        g = grad_out.reshape(B, 1 if reduce == "mean" else N, S if reduce == "none" else 1, H, W)
        grad = torch.empty_like(factors)
        full = factors.new_empty(B, F, H, W)
        for n in range(N):
            padded = reflect_pad(frames[:, n], radius).contiguous()
            half = factors[:, n].contiguous()
            g_frame = g[:, 0 if reduce == "mean" else n].contiguous()
            for slot, size, first in _groups(sizes, separable):
                slot = slot if reduce == "none" else 0
                with torch.cuda.device_of(frames):
                    _backward_kernel[(triton.cdiv(H * W, BLOCK), B)](
                        *(padded, half, g_frame, full, scale),
                        *(H, W, h, w, radius, F, first, g.shape[2], slot),
                        SIZE=size,
                        ROWS=triton.next_power_of_2(size),
                        SEPARABLE=separable,
                        BLOCK=BLOCK,
                    )
            grad[:, n] = upsample_adjoint(full)
        return None, grad, None, None, None, None


def _launch_forward(
    padded: Tensor,
    factors: Tensor,
    size: int,
    first: int,
    separable: bool,
    upsample: bool,
    out: Tensor,
    slot: int,
    scale: float,
) -> None:
    """out[:, slot] += scale * one kernel size applied, summed over the frames of each item."""
    (items, slots, H, W), (F, h, w) = out.shape, factors.shape[-3:]
    N = padded.shape[0] * padded.shape[1] // items
    radius = (padded.shape[-1] - W) // 2
    _forward_kernel[(triton.cdiv(H * W, BLOCK), items)](
        *(padded.contiguous(), factors, out, scale),
        *(N, H, W, h, w, radius, F, first, slots, slot),
        SIZE=size,
        ROWS=triton.next_power_of_2(size),
        SEPARABLE=separable,
        UPSAMPLE=upsample,
        BLOCK=BLOCK,
    )


def _forward_fused(
    padded: Tensor, factors: Tensor, sizes: tuple[int, ...], separable: bool, out: Tensor, scale: float
) -> None:
    """Eqs. 3 and 4, frame by frame: effective kernels in memory, [B, 1, K, K, H, W], and one convolution.

    out [B, N or 1, H, W] += scale * S * result, per frame or, where it has one frame, summed over frames.
    """
    H, W = out.shape[-2:]
    for n in range(padded.shape[1]):
        full = upsample_factors(factors[:, n : n + 1], H, W)
        kernels = effective_kernels(full, sizes, separable).flatten(2, 3)
        part = out.new_zeros(len(out), 1, H, W)
        weight = scale * len(sizes)  # effective_kernels has divided by it already
        _launch_forward(padded[:, n : n + 1], kernels, max(sizes), 0, False, False, part, 0, weight)
        out[:, n if out.shape[1] > 1 else 0] += part[:, 0]


def upsample_adjoint(full: Tensor) -> Tensor:
    """The adjoint of upsample_factors: [..., H, W] -> [..., ceil(H/2), ceil(W/2)].

    Not by autograd of F.interpolate, which adds with atomics on CUDA: other rounding in every run.
    """
    for axis in (-2, -1):
        full = full.transpose(axis, -1)
        if full.shape[-1] % 2:
            full = torch.nn.functional.pad(full, (0, 1))
        even, odd = full[..., 0::2], full[..., 1::2]
        half = 0.75 * (even + odd)
        half[..., :-1] += 0.25 * even[..., 1:]
        half[..., 1:] += 0.25 * odd[..., :-1]
        half[..., 0] += 0.25 * even[..., 0]  # beyond the border the last factor is repeated
        half[..., -1] += 0.25 * odd[..., -1]
        full = half.transpose(axis, -1)
    return full


def _groups(sizes: tuple[int, ...], separable: bool) -> list[tuple[int, int, int]]:
    """For each kernel size: its index, itself, and its first channel."""
    lengths = [2 * size if separable else size * size for size in sizes]
    return [(index, size, sum(lengths[:index])) for index, size in enumerate(sizes)]
