"""The oracle: matching as its definition reads, by shifting whole pictures; any device."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from kpnviz.local_conv import reflect_pad

from . import CAP


def matching_costs(smooth: Tensor, reach: int, windows: int, marginal: bool) -> Tensor:
    """smooth [B, N, H, W], H and W even, unit noise -> costs, as :func:`kpnviz.matching.matching_costs` has them."""
    B, N, H, W = smooth.shape
    K = 2 * reach + 1
    padded = reflect_pad(smooth, reach)
    shape = (B, N, windows, K, K, H // 2, W // 2)
    costs = smooth.new_empty(shape)
    for dy in range(-reach, reach + 1):
        for dx in range(-reach, reach + 1):
            moved = padded[..., reach + dy : reach + dy + H, reach + dx : reach + dx + W]
            difference = F.avg_pool2d((moved - smooth[:, :1]) ** 2 / 2, 2) - 1  # [B, N, h, w]
            rows, columns = _within(H, dy).to(smooth), _within(W, dx).to(smooth)
            valid = (rows[:, None] * columns).expand(1, 1, -1, -1)
            cell = difference.clamp(max=CAP) * valid
            for j in range(windows):
                side = 3 ** (j + 1)
                count = _box_sum(valid, side)
                mean = torch.where(count > 0, _box_sum(cell, side) / count.clamp(min=1), CAP)
                costs[:, :, j, dy + reach, dx + reach] = mean
    costs[:, 0, :, reach, reach] = 0
    if marginal:
        return torch.cat((costs.amin(4), costs.amin(3)), 3)
    return costs


def _within(length: int, offset: int) -> Tensor:
    """Which cells count along one axis: both pixels lie in the frame, at their own place and displaced by `offset`.

    The last pixel is the mean of itself and its reflection, so it can be compared with itself alone: offset 0.
    """
    p = torch.arange(length)
    inside = (p + offset >= 0) & (p + offset < length - 1) & (p < length - 1)
    return (inside | (offset == 0)).view(-1, 2).all(1)


def _box_sum(x: Tensor, side: int) -> Tensor:
    """Sum over the side x side cells around each cell of [B, N, h, w]; beyond the edge there is 0."""
    for dim in (2, 3):
        n = x.shape[dim]
        total = F.pad(x.double().cumsum(dim).transpose(dim, 3), (1, 0)).transpose(
            dim, 3
        )  # total[k]: of the first k
        k = torch.arange(n, device=x.device)
        high, low = (k + side // 2 + 1).clamp(max=n), (k - side // 2).clamp(min=0)
        x = (total.index_select(dim, high) - total.index_select(dim, low)).to(x.dtype)
    return x
