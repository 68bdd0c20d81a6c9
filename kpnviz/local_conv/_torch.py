"""The fallback for any device and dtype: plain torch, one frame and one shifted view of it at a time.

Separable kernels are applied as out = sum_a u_a * (sum_b v_b * P_ab), so that neither kernels nor products of
taps are ever stored: what autograd keeps are views, the upsampled factors and one sum per kernel row.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ._reference import pad, split_sizes, upsample_factors


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
    apply = _apply_fused if fused else _apply_sizes
    r = max(sizes) // 2
    padded = pad(frames, r, padding)
    N, H, W = padded.shape[1], padded.shape[2] - 2 * r, padded.shape[3] - 2 * r
    per_frame = []  # [B, S, H, W] each; S is 1 where sizes are already averaged
    for n in range(N):
        full = factors[:, n]  # [B, F, h, w]
        if half:
            full = upsample_factors(full[:, None], H, W)[:, 0]  # [B, F, H, W]
        out = apply(padded[:, n], full, sizes, separable)
        per_frame.append(out if reduce == "none" else out.mean(dim=1))
    if reduce == "mean":
        return sum(per_frame[1:], per_frame[0]) / N
    return torch.stack(per_frame, dim=1)


def _apply_sizes(padded: Tensor, full: Tensor, sizes: tuple[int, ...], separable: bool) -> Tensor:
    """Each size on its own: [B, H + K - 1, W + K - 1], [B, F, H, W] -> [B, S, H, W]."""
    H, W = full.shape[-2:]
    outs = []
    for s, part in zip(sizes, split_sizes(full[:, None], sizes, separable), strict=True):
        part = part[:, 0]
        corner = (max(sizes) - s) // 2  # where the s x s window begins within the K x K one
        out = torch.zeros_like(part[:, 0])
        for a in range(s):
            v = part[:, s:] if separable else part[:, a * s : (a + 1) * s]
            row = torch.zeros_like(out)
            for b in range(s):
                y, x = corner + a, corner + b
                row = row + v[:, b] * padded[:, y : y + H, x : x + W]
            out = out + (part[:, a] * row if separable else row)
        outs.append(out)
    return torch.stack(outs, dim=1)


def _apply_fused(padded: Tensor, full: Tensor, sizes: tuple[int, ...], separable: bool) -> Tensor:
    """The effective kernel, one tap at a time (eqs. 3 and 4): as `_apply_sizes`, with S = 1."""
    H, W = full.shape[-2:]
    K = max(sizes)
    parts = [part[:, 0] for part in split_sizes(full[:, None], sizes, separable)]
    out = torch.zeros_like(full[:, 0])
    for a in range(K):
        for b in range(K):
            tap = torch.zeros_like(out)
            for s, part in zip(sizes, parts, strict=True):
                i, j = a - (K - s) // 2, b - (K - s) // 2
                if 0 <= i < s and 0 <= j < s:
                    tap = tap + (part[:, i] * part[:, s + j] if separable else part[:, i * s + j])
            out = out + tap / len(sizes) * padded[:, a : a + H, b : b + W]
    return out[:, None]
