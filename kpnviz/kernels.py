"""The kernels that a network predicts for every pixel, frame and kernel size."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from kpnviz.local_conv import effective_kernels, local_conv


def factor_channels(sizes: tuple[int, ...], separable: bool) -> int:
    """Channels a frame of a network's output: 2p, p = sum of the sizes (separable), or the sum of K^2."""
    return 2 * sum(sizes) if separable else sum(size * size for size in sizes)


@dataclass(frozen=True, eq=False)
class KernelField:
    """A kernel for every pixel, frame and kernel size, kept as the network predicted it.

    factors [B, N, F, h, w]: separable factors or dense kernels at half resolution, h = ceil(H/2),
    w = ceil(W/2). Separable: for each size s, s vertical factors u, then s horizontal factors v, and the
    kernel is their outer product K[a, b] = u[a] v[b]. Dense: for each size the s*s weights, row by row.
    At a pixel the factors are interpolated bilinearly, *then* multiplied (MKPN paper, section 2.2).

    Kernels are evaluated where they are looked at: all of them for 8 frames of 512x512 at 11x11 would be
    1 GB, the factors of MKPN are 150 MB. Kernels correlate: out(y, x) = sum_ab K[a, b] in(y+a-r, x+b-r).
    """

    factors: Tensor
    sizes: tuple[int, ...]
    separable: bool
    height: int
    width: int

    def __post_init__(self) -> None:
        expected = factor_channels(self.sizes, self.separable)
        grid = ((self.height + 1) // 2, (self.width + 1) // 2)
        if self.factors.ndim != 5 or self.factors.shape[2] != expected or self.factors.shape[3:] != grid:
            raise ValueError(
                f"factors has shape {tuple(self.factors.shape)}; sizes {self.sizes} on {self.height}x{self.width} "
                f"pixels need [B, N, {expected}, {grid[0]}, {grid[1]}]"
            )

    def __repr__(self) -> str:
        sizes = ", ".join(map(str, self.sizes))
        kind = "separable" if self.separable else "dense"
        return f"KernelField({self.frames} frames of {self.height}x{self.width}, {kind} kernels of sizes {sizes})"

    @property
    def frames(self) -> int:
        return self.factors.shape[1]

    @property
    def reach(self) -> int:
        """Pixels that the largest kernel sees to each side."""
        return max(self.sizes) // 2

    def apply(self, frames: Tensor, reduce: str = "mean", fused: bool = False) -> Tensor:
        """local_conv of the frames [B, N, H, W] with these kernels; see there for `reduce` and `fused`."""
        return local_conv(
            frames, self.factors, self.sizes, separable=self.separable, reduce=reduce, fused=fused
        )

    def at(self, y: int, x: int, b: int = 0) -> np.ndarray:
        """Effective kernels at a pixel: [N, K, K], K the largest size.

        Outer products, zero-padded to K and averaged over the sizes (eq. 3). The mean over the frames of
        each frame's patch times its kernel is the denoised value.
        """
        return self.region(y, y + 1, x, x + 1, b)[:, 0, 0]

    def sizes_at(self, y: int, x: int, b: int = 0) -> dict[int, np.ndarray]:
        """The kernel of each size at a pixel, before fusion: {s: [N, s, s]}."""
        factors = self._interpolate(y, y + 1, x, x + 1, b)
        kernels = {}
        first = 0
        for size in self.sizes:
            channels = factor_channels((size,), self.separable)
            one = factors[:, :, first : first + channels]
            kernels[size] = effective_kernels(one, (size,), self.separable)[0, ..., 0, 0].numpy()
            first += channels
        return kernels

    def factors_at(self, y: int, x: int, b: int = 0) -> dict[int, tuple[np.ndarray, np.ndarray]]:
        """The 1-D factors at a pixel: {s: (vertical [N, s], horizontal [N, s])}."""
        if not self.separable:
            raise ValueError("separable is False; a dense kernel has no 1-D factors")
        factors = self._interpolate(y, y + 1, x, x + 1, b)[0, :, :, 0, 0].numpy()  # [N, 2p]
        pairs = {}
        first = 0
        for size in self.sizes:
            pairs[size] = (factors[:, first : first + size], factors[:, first + size : first + 2 * size])
            first += 2 * size
        return pairs

    def region(self, top: int, bottom: int, left: int, right: int, b: int = 0, step: int = 1) -> np.ndarray:
        """Effective kernels of rows top..bottom-1, columns left..right-1: [N, rows, columns, K, K].

        The last two axes are the kernel, as the statistics of ``kpnviz.analysis`` take it. With a `step`, only every
        step-th row and column, from the first on.
        """
        factors = self._interpolate(top, bottom, left, right, b, step)
        kernels = effective_kernels(factors, self.sizes, self.separable)[0]  # [N, K, K, rows, columns]
        return kernels.permute(0, 3, 4, 1, 2).numpy()

    def _interpolate(self, top: int, bottom: int, left: int, right: int, b: int, step: int = 1) -> Tensor:
        """Factors at the pixels of a rectangle: [1, N, F, rows, columns], float32 on the CPU."""
        if not (0 <= top < bottom <= self.height and 0 <= left < right <= self.width):
            raise ValueError(
                f"rows {top}..{bottom - 1}, columns {left}..{right - 1} do not lie in the picture, "
                f"{self.height}x{self.width} pixels"
            )
        with torch.inference_mode():
            factors = _interpolate_axis(self.factors[b : b + 1], 3, range(top, bottom, step))
            return _interpolate_axis(factors, 4, range(left, right, step)).float().cpu()


def _interpolate_axis(grid: Tensor, dim: int, pixels: range) -> Tensor:
    """Bilinear x2 upsampling of one axis, at some pixels only (align_corners=False)."""
    # Pixel i has its center at (i + 1/2) / 2 - 1/2 of the grid; outside the grid its edge goes on.
    index = torch.arange(pixels.start, pixels.stop, pixels.step, device=grid.device)
    position = ((index + 0.5) / 2 - 0.5).clamp(0, grid.shape[dim] - 1)
    low = position.floor().long()
    high = (low + 1).clamp(max=grid.shape[dim] - 1)
    weight = (position - low).view([-1 if d == dim else 1 for d in range(grid.ndim)]).to(grid.dtype)
    return grid.index_select(dim, low) * (1 - weight) + grid.index_select(dim, high) * weight
