"""The oracle: local convolution as its definition reads, slow and memory-hungry, in any float dtype."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from kpnviz.sampling import reflect_index


def reflect_pad(x: Tensor, r: int) -> Tensor:
    """[..., H, W] -> [..., H + 2r, W + 2r], as numpy.pad(mode="reflect")."""
    H, W = x.shape[-2:]
    if r < min(H, W) and x.dtype in (torch.float32, torch.float64):
        # PyTorch's own is seven times as fast, but does not reflect a reflection.
        return F.pad(x.reshape(-1, H, W), (r, r, r, r), mode="reflect").view(
            *x.shape[:-2], H + 2 * r, W + 2 * r
        )
    for dim in (-2, -1):
        length = x.shape[dim]
        x = x.index_select(dim, torch.from_numpy(reflect_index(length, -r, length + r)).to(x.device))
    return x


PADDINGS = ("reflect", "zero", "replicate", "valid")


def pad(x: Tensor, r: int, padding: str) -> Tensor:
    """[..., H, W] -> [..., H + 2r, W + 2r]; "valid" adds nothing."""
    if padding == "reflect":
        return reflect_pad(x, r)
    if padding == "valid":
        return x
    if padding == "zero":
        return F.pad(x, (r, r, r, r))
    for dim in (-2, -1):
        index = torch.arange(-r, x.shape[dim] + r, device=x.device).clamp(0, x.shape[dim] - 1)
        x = x.index_select(dim, index)
    return x


def upsample_factors(factors: Tensor, H: int, W: int) -> Tensor:
    """[B, N, F, h, w] -> [B, N, F, H, W], bilinearly, pixel centers aligned."""
    B, N, C, h, w = factors.shape
    up = F.interpolate(factors.reshape(B * N, C, h, w), scale_factor=2, mode="bilinear", align_corners=False)
    return up[..., :H, :W].reshape(B, N, C, H, W)


def split_sizes(factors_full: Tensor, sizes: tuple[int, ...], separable: bool) -> list[Tensor]:
    """The channels that belong to each size: S views [B, N, 2s or s*s, H, W]."""
    return list(factors_full.split([2 * s if separable else s * s for s in sizes], dim=2))


def dense_kernels(factors_full: Tensor, sizes: tuple[int, ...], separable: bool) -> list[Tensor]:
    """One kernel per pixel, frame and size: S tensors [B, N, s, s, H, W], axes dy then dx."""
    parts = split_sizes(factors_full, sizes, separable)
    if separable:
        return [part[:, :, :s, None] * part[:, :, None, s:] for s, part in zip(sizes, parts, strict=True)]
    return [part.unflatten(2, (s, s)) for s, part in zip(sizes, parts, strict=True)]


def effective_kernels(factors_full: Tensor, sizes: tuple[int, ...], separable: bool) -> Tensor:
    """[B, N, F, H, W] -> [B, N, K, K, H, W]: zero-padded to the largest size, averaged over sizes (eq. 3)."""
    K = max(sizes)
    B, N, _, H, W = factors_full.shape
    total = factors_full.new_zeros(B, N, K, K, H, W)
    for s, kernel in zip(sizes, dense_kernels(factors_full, sizes, separable), strict=True):
        margin = (K - s) // 2
        total[:, :, margin : margin + s, margin : margin + s] += kernel / len(sizes)
    return total


def convolve(padded: Tensor, kernels: Tensor) -> Tensor:
    """out[y, x] = sum_ab kernels[a, b, y, x] * padded[y + a - r, x + b - r], r = s // 2.

    padded [B, N, H + 2R, W + 2R] with R >= r, its middle being the picture; kernels [B, N, s, s, H, W].
    Returns [B, N, H, W].
    """
    s, _, H, W = kernels.shape[2:]
    corner = (padded.shape[-1] - W) // 2 - s // 2
    out = torch.zeros_like(kernels[:, :, 0, 0])
    for a in range(s):
        for b in range(s):
            y, x = corner + a, corner + b
            out = out + kernels[:, :, a, b] * padded[..., y : y + H, x : x + W]
    return out


def reduced_shape(reduce: str, B: int, N: int, S: int, H: int, W: int) -> tuple[int, ...]:
    return {"none": (B, N, S, H, W), "size": (B, N, H, W), "mean": (B, H, W)}[reduce]


def reduction_scale(reduce: str, N: int, S: int) -> float:
    """The factor that makes the sum over frames and sizes the mean that `reduce` asks for."""
    return {"none": 1.0, "size": 1 / S, "mean": 1 / (S * N)}[reduce]


def local_conv(
    frames: Tensor,
    factors: Tensor,
    sizes: tuple[int, ...],
    separable: bool,
    reduce: str,
    fused: bool,
    padding: str = "reflect",
    half: bool = True,
) -> Tensor:
    padded = pad(frames, max(sizes) // 2, padding)
    less = 2 * (max(sizes) // 2)
    full = upsample_factors(factors, padded.shape[-2] - less, padded.shape[-1] - less) if half else factors
    if fused:
        per_frame = convolve(padded, effective_kernels(full, sizes, separable))
    else:
        kernels = dense_kernels(full, sizes, separable)
        per_size = torch.stack([convolve(padded, kernel) for kernel in kernels], dim=2)  # [B, N, S, H, W]
        if reduce == "none":
            return per_size
        per_frame = per_size.mean(dim=2)
    return per_frame if reduce == "size" else per_frame.mean(dim=1)
