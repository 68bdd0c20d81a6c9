r"""The operator of kernel prediction networks: every pixel of every frame is filtered by its own kernel.

.. math:: \mathrm{out}(y, x) = \sum_{a, b} K_{y, x}(a, b)\, P(y + a - r,\ x + b - r), \qquad r = \lfloor K/2 \rfloor

P is the padded frame; the kernel is not flipped (correlation), so what is shown is what is applied. The networks here
pad by reflection and predict kernels as *factors* at half resolution, [B, N, F, ceil(H/2), ceil(W/2)], which are
upsampled bilinearly to the pixels and then multiplied. Factors of other networks may be given at every pixel, [B, N,
F, H, W], and other paddings are possible. For sizes (s1, s2, ...) the F channels are

    separable   for each size: s vertical factors u (dy), then s horizontal ones v (dx); K[a, b] = u[a] * v[b]
    dense       for each size: s * s kernel entries, row-major: K[a, b] is channel a * s + b

One function, four backends that agree to rounding: `reference` (slow, obvious, any float dtype), `torch`
(any device and dtype, lean), `numba` (CPU, float32) and `triton` (CUDA, float32). numba and triton are only
imported when they are used, and only do what the networks here need: factors at half resolution, reflection.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import os
from collections.abc import Callable, Sequence
from numbers import Integral
from types import ModuleType

import numpy as np
import torch
from torch import Tensor

from ._reference import PADDINGS, pad
from ._reference import effective_kernels as _effective_kernels
from ._reference import reflect_pad as _reflect_pad
from ._reference import upsample_factors as _upsample_factors

__all__ = [
    "BACKENDS",
    "PADDINGS",
    "REDUCTIONS",
    "MakeFactors",
    "effective_kernels",
    "local_conv",
    "made_in_blocks",
    "pad",
    "reflect_pad",
    "shared_by_channels",
    "upsample_factors",
]

MakeFactors = Callable[[slice, slice, np.ndarray, int, int], None]
"""make(rows, columns, out, plane, at): the factors of these cells at half resolution, into out, flat [N, F, plane], the
first at `at` of a plane, row after row."""

REDUCTIONS = ("none", "size", "mean", "sum")
BACKENDS = ("reference", "torch", "numba", "triton")


def local_conv(
    frames: Tensor,
    factors: Tensor,
    sizes: Sequence[int],
    *,
    separable: bool = True,
    reduce: str = "mean",
    fused: bool = False,
    padding: str = "reflect",
    backend: str | None = None,
) -> Tensor:
    """Filter each pixel of each frame by its own kernels.

    frames   [B, N, H, W]                        linear intensities
    factors  [B, N, F, ceil(H/2), ceil(W/2)] or [B, N, F, H, W]; see the module's docstring for the order of F
    sizes    S odd kernel sizes, e.g. (1, 3, 5, 7, 9, 11)
    reduce   "none": [B, N, S, H, W];  "size": mean over sizes, [B, N, H, W];
             "mean": mean over sizes and frames, [B, H, W];  "sum": mean over sizes, sum over frames
    padding  of the frames: "reflect", "zero", "replicate", or "valid" for none at all: then H and W above, and of
             the result, are those of the frames less K - 1, K the largest size
    fused    build each pixel's effective kernel (eq. 3 of the MKPN paper: zero-padded to the largest size,
             averaged over sizes) and convolve once (eq. 4). The same result; not for reduce="none". numba applies
             the sizes one by one all the same, which is faster.
    backend  one of BACKENDS, or None for the fastest that can do it

    Gradients flow to `factors` from every backend, and to `frames` through reference and torch: frames
    that require a gradient take the torch path when numba or triton was asked for. Half precision is computed
    and returned in float32 (gradients keep the dtype of their input); float64 in float64.
    """
    sizes = _check_sizes(sizes)
    if padding not in PADDINGS:
        raise ValueError(f"padding is {padding!r}; choose one of {', '.join(map(repr, PADDINGS))}")
    _check_tensors(frames, factors, sizes, separable, padding)
    if reduce not in REDUCTIONS:
        raise ValueError(f"reduce is {reduce!r}; choose one of {', '.join(map(repr, REDUCTIONS))}")
    if fused and reduce == "none":
        raise ValueError("fused=True with reduce='none': fusing averages over sizes; choose 'size' or 'mean'")
    dtype = torch.promote_types(torch.promote_types(frames.dtype, factors.dtype), torch.float32)
    half = factors.shape[-2:] == _half(*_output_size(frames, sizes, padding))
    usual = padding == "reflect" and half
    module = _backend_module(backend, frames, dtype, usual)
    options = {} if usual else {"padding": padding, "half": half}
    summed = reduce == "sum"
    result: Tensor = module.local_conv(
        frames.to(dtype), factors.to(dtype), sizes, separable, "mean" if summed else reduce, fused, **options
    )
    return result * frames.shape[1] if summed else result


def shared_by_channels(
    frames: Tensor, factors: Tensor, sizes: Sequence[int], *, separable: bool = True
) -> Tensor:
    """:func:`local_conv` of frames in color [B, N, C, H, W], whose channels have the same kernels: [B, C, H, W].

    The mean over sizes and frames, with padding by reflection. On the CPU factors are upsampled once for all channels.
    """
    sizes = _check_sizes(sizes)
    H, W = frames.shape[-2:]
    dtype = torch.promote_types(torch.promote_types(frames.dtype, factors.dtype), torch.float32)
    needs_gradient = torch.is_grad_enabled() and (frames.requires_grad or factors.requires_grad)
    module = _backend_module(None, frames[:, :, 0], dtype, factors.shape[-2:] == _half(H, W))
    if needs_gradient or not hasattr(module, "mean_of_channels"):
        planes = [
            local_conv(frames[:, :, c], factors, sizes, separable=separable) for c in range(frames.shape[2])
        ]
        return torch.stack(planes, dim=1)
    _check_tensors(frames[:, :, 0], factors, sizes, separable, "reflect")
    result: Tensor = module.mean_of_channels(frames.to(dtype), factors.to(dtype), sizes, separable)
    return result


def made_in_blocks(
    frames: Tensor, make: MakeFactors, sizes: Sequence[int], *, separable: bool = True
) -> Tensor | None:
    """:func:`local_conv`, or :func:`shared_by_channels`, of float32 frames [N, (C,) H, W] of one burst on the CPU, with
    factors that `make` makes a few cells at a time: they stay in the processor's cache. The picture is [(C,) H, W].

    None for frames that are smaller than what is made at once. Needs numba.
    """
    from ._cpu import CELLS, made_in_blocks

    sizes, (H, W) = _check_sizes(sizes), frames.shape[-2:]
    if any(cells < least for cells, least in zip(_half(H, W), CELLS, strict=True)):
        return None
    planes = frames if frames.ndim == 4 else frames[:, None]
    return made_in_blocks(planes, make, sizes, separable).view(*frames.shape[1:])


def upsample_factors(factors: Tensor, H: int, W: int) -> Tensor:
    """Factors from half resolution to the pixels, bilinearly: [B, N, F, h, w] -> [B, N, F, H, W].

    Pixel centers are aligned (F.interpolate with align_corners=False); odd H or W are cropped from 2h, 2w.
    """
    if factors.ndim != 5:
        raise ValueError(f"factors has shape {tuple(factors.shape)}; expected [B, N, F, h, w]")
    if factors.shape[-2:] != _half(H, W):
        raise ValueError(
            f"factors has a grid of {factors.shape[-2]}x{factors.shape[-1]}, frames of {H}x{W} need "
            f"{(H + 1) // 2}x{(W + 1) // 2} (half resolution)"
        )
    return _upsample_factors(factors, H, W)


def effective_kernels(factors_full: Tensor, sizes: Sequence[int], separable: bool = True) -> Tensor:
    """Eq. 3: the one dense kernel per pixel and frame that does the same as the kernels of all sizes.

    factors_full [B, N, F, H, W] (upsampled, or any crop of that) -> [B, N, K, K, H, W] with K = max(sizes):
    axis 2 is dy, axis 3 is dx. Smaller kernels are zero-padded around their center, then averaged over sizes.
    """
    sizes = _check_sizes(sizes)
    if factors_full.ndim != 5:
        raise ValueError(f"factors_full has shape {tuple(factors_full.shape)}; expected [B, N, F, H, W]")
    _check_channels("factors_full", factors_full, sizes, separable)
    return _effective_kernels(factors_full, sizes, separable)


def reflect_pad(x: Tensor, r: int) -> Tensor:
    """Pad the last two axes by r on each side as numpy.pad(mode="reflect") does, for any r and any size.

    The edge is not repeated (d c b | a b c d | c b a); an axis shorter than r is reflected repeatedly.
    """
    if x.ndim < 2 or 0 in x.shape[-2:]:
        raise ValueError(f"x has shape {tuple(x.shape)}; expected [..., H, W] with at least one pixel")
    if r < 0:
        raise ValueError(f"r is {r}; padding must not be negative")
    return _reflect_pad(x, r)


def _check_sizes(sizes: Sequence[int]) -> tuple[int, ...]:
    try:
        checked = tuple(sizes)
    except TypeError:
        raise ValueError(f"sizes is {sizes!r}; expected a sequence of odd kernel sizes, e.g. (5,)") from None
    if not checked:
        raise ValueError("sizes is empty; give at least one odd kernel size, e.g. (5,)")
    for size in checked:
        if not isinstance(size, Integral) or size < 1:
            raise ValueError(f"sizes: {size!r} is not a positive integer; kernel sizes must be odd")
        if size % 2 == 0:
            raise ValueError(f"sizes: {size} is even; kernel sizes must be odd")
    return tuple(map(int, checked))


def _half(H: int, W: int) -> tuple[int, int]:
    return (H + 1) // 2, (W + 1) // 2


def _output_size(frames: Tensor, sizes: tuple[int, ...], padding: str) -> tuple[int, int]:
    less = max(sizes) - 1 if padding == "valid" else 0
    return frames.shape[-2] - less, frames.shape[-1] - less


def _check_tensors(
    frames: Tensor, factors: Tensor, sizes: tuple[int, ...], separable: bool, padding: str
) -> None:
    if frames.ndim != 4 or 0 in frames.shape:
        raise ValueError(f"frames has shape {tuple(frames.shape)}; expected [B, N, H, W] without empty axes")
    if factors.ndim != 5:
        raise ValueError(f"factors has shape {tuple(factors.shape)}; expected [B, N, F, h, w]")
    for name, tensor in (("frames", frames), ("factors", factors)):
        if not tensor.is_floating_point():
            raise ValueError(f"{name} has dtype {tensor.dtype}; expected a floating point dtype")
    if frames.device != factors.device:
        raise ValueError(f"factors is on {factors.device}, frames is on {frames.device}; expected one device")
    for axis, length, expected in zip("BN", factors.shape, frames.shape, strict=False):
        if length != expected:
            raise ValueError(f"factors has {axis}={length}, frames has {axis}={expected}; they must agree")
    _check_channels("factors", factors, sizes, separable)
    H, W = _output_size(frames, sizes, padding)
    if min(H, W) < 1:
        raise ValueError(
            f"padding is 'valid' and frames is {frames.shape[-2]}x{frames.shape[-1]}; "
            f"kernels of {max(sizes)}x{max(sizes)} do not fit in it"
        )
    if factors.shape[-2:] not in (_half(H, W), (H, W)):
        h, w = _half(H, W)
        raise ValueError(
            f"factors has a grid of {factors.shape[-2]}x{factors.shape[-1]}, a picture of {H}x{W} needs "
            f"{h}x{w} (half resolution) or {H}x{W}"
        )


def _check_channels(name: str, factors: Tensor, sizes: tuple[int, ...], separable: bool) -> None:
    channels = 2 * sum(sizes) if separable else sum(s * s for s in sizes)
    if factors.shape[2] != channels:
        kind = "separable" if separable else "dense"
        raise ValueError(f"{name} has {factors.shape[2]} channels, sizes {sizes} {kind} need {channels}")


@functools.cache
def _installed(package: str) -> bool:
    return importlib.util.find_spec(package) is not None


def _backend_module(backend: str | None, frames: Tensor, dtype: torch.dtype, usual: bool) -> ModuleType:
    """The module that computes `backend` (None: the fastest one able to); ValueError where it cannot.

    usual   the frames are padded by reflection and the factors are at half resolution
    """
    if backend is None:
        fast = {"cpu": "numba", "cuda": "triton"}.get(frames.device.type)
        able = usual and dtype == torch.float32
        backend = fast if fast and able and _installed(fast) else "torch"
    elif backend not in BACKENDS:
        raise ValueError(f"backend is {backend!r}; choose None or one of {', '.join(map(repr, BACKENDS))}")
    elif backend in ("numba", "triton"):
        if not _installed(backend):
            raise ValueError(f"backend is {backend!r}, but {backend} is not installed; use 'torch'")
        if dtype != torch.float32:
            raise ValueError(f"backend is {backend!r}, which computes in float32, not {dtype}; use 'torch'")
        if not usual:
            raise ValueError(
                f"backend is {backend!r}, which pads by reflection and takes factors at half resolution; use 'torch'"
            )
        interpreted = backend == "triton" and os.environ.get("TRITON_INTERPRET") == "1"
        device = "cpu" if backend == "numba" or interpreted else "cuda"
        if frames.device.type != device:
            raise ValueError(f"backend is {backend!r}, which needs tensors on {device}, not {frames.device}")
    if backend in ("numba", "triton") and frames.requires_grad and torch.is_grad_enabled():
        backend = "torch"  # numba and triton have no gradient for frames
    files = {"reference": "_reference", "torch": "_torch", "numba": "_cpu", "triton": "_cuda"}
    return importlib.import_module(f".{files[backend]}", __name__)
