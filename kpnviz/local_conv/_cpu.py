"""The CPU backend: float32, kernels compiled by numba on first use (a second or two) and cached on disk.

The kernels release the GIL and are run by plain Python threads, as many as torch may use. numba's own
`parallel=True` is avoided: its default threading layer crashes when two threads, say of two users of the app,
call it at once.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from kpnviz.threads import in_threads

from ._cpu_kernels import Layout, backward_kernel, forward_kernel
from ._reference import reduced_shape, reduction_scale

STRIP = 32  # output rows per task of the forward pass, even; fewer rows, more time spent on their halo


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
        ctx.save_for_backward(frames, factors)
        ctx.options = sizes, separable, reduce
        B, N, H, W = frames.shape
        S, F = len(sizes), factors.shape[2]
        layout = _layout(sizes, separable, fused, reduce)
        items = B if reduce == "mean" else B * N
        x = _array(frames, items, -1, H, W)
        f = _array(factors, items, x.shape[1], F, *factors.shape[3:])
        out = torch.empty(items, layout.slots, H, W, dtype=torch.float32)
        y = out.numpy()
        kernel, scale = forward_kernel(layout), np.float32(reduction_scale(reduce, N, S))
        tasks = [(item, y0) for item in range(items) for y0 in range(0, H, STRIP)]

        def run(task: int) -> None:
            item, y0 = tasks[task]
            kernel(x[item], f[item], y0, min(y0 + STRIP, H), scale, y[item])

        in_threads(run, len(tasks))
        return out.view(reduced_shape(reduce, B, N, S, H, W))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_out: Tensor) -> tuple[Tensor | None, ...]:
        frames, factors = ctx.saved_tensors
        sizes, separable, reduce = ctx.options
        B, N, H, W = frames.shape
        S, F = len(sizes), factors.shape[2]
        layout = _layout(sizes, separable, False, reduce)  # fused or not, the gradient is the same
        x = _array(frames, B * N, H, W)
        f = _array(factors, B * N, F, *factors.shape[3:])
        g = _array(grad_out, B if reduce == "mean" else B * N, layout.slots, H, W)
        grad = torch.zeros(factors.shape, dtype=torch.float32)
        d = _array(grad, *f.shape)
        kernel, scale = backward_kernel(layout), np.float32(reduction_scale(reduce, N, S))

        def run(n: int) -> None:  # one frame each: no two threads add to the same gradient
            kernel(x[n], f[n], g[n * len(g) // (B * N)], scale, d[n])

        in_threads(run, B * N)
        return None, grad, None, None, None, None


def _layout(sizes: tuple[int, ...], separable: bool, fused: bool, reduce: str) -> Layout:
    several = len(sizes) > 1  # else some options make no difference: compile one kernel for all of them
    return Layout(sizes, separable, fused and (several or separable), reduce == "none" and several)


def _array(tensor: Tensor, *shape: int) -> np.ndarray:
    return tensor.detach().contiguous().view(shape).numpy()
