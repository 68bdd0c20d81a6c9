"""KernelField: kernels as they were predicted, computed at the pixels that one looks at, and applied to frames."""

from __future__ import annotations

import dataclasses
import numbers
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from kpnviz.checks import as_int, check_index
from kpnviz.kernels.arrays import basis_factors, dense_factors, picture_size, separable_factors
from kpnviz.local_conv import PADDINGS, REDUCTIONS, effective_kernels, local_conv, pad, shared_by_channels
from kpnviz.text import visible


def factor_channels(sizes: tuple[int, ...], separable: bool) -> int:
    """Channels a frame of a network's output: 2p, p = sum of the sizes (separable), or the sum of K^2."""
    return 2 * sum(sizes) if separable else sum(size * size for size in sizes)


@dataclass(frozen=True, eq=False)
class KernelField:
    r"""A kernel for every pixel, frame and kernel size, kept as the network predicted it.

    factors    [B, N, F, h, w], separable factors or dense kernels, at half resolution (h = ceil(H/2), w = ceil(W/2)) or
               at every pixel (h = H, w = W). Separable: for each size s, s vertical factors u, then s horizontal
               factors v, and the kernel is their outer product K[a, b] = u[a] v[b]. Dense: for each size the s*s
               weights, row by row. From half resolution the factors are interpolated bilinearly to the pixels, *then*
               multiplied (MKPN paper, section 2.2). One set of kernels for each channel: [B, N, C, F, h, w].
    sizes      S odd kernel sizes; the effective kernel is the mean over them (eq. 3)
    height, width   H and W of the picture
    padding    of the frames: "reflect", "zero", "replicate", or "valid": frames are K - 1 larger than the picture
    reduce     the picture is the "mean" over the frames of what the kernels make of each, or the "sum"
    basis      None, or [F, N, K, K]: then factors [B, 1, F, h, w] are coefficients, and the kernel of frame i at a
               pixel is the sum over f of factors[f] basis[f, i] (basis prediction networks)

    .. math:: \mathrm{image}(y, x) = \frac{1}{N} \sum_i \sum_{a, b} K_i(a, b)\, x_i(y + a - r,\ x + b - r),
        \qquad r = \lfloor K/2 \rfloor

    Kernels correlate; the "sum" does without 1 / N. They are computed only where one looks: all kernels of 8 frames of
    512x512 at 11x11 would be 1 GB, the factors of MKPN are 150 MB. Factors and basis are PyTorch tensors of a
    floating-point dtype; :meth:`from_kernels` and its siblings take NumPy arrays too. ValueError for anything else,
    and for shapes that do not fit.
    """

    factors: Tensor
    sizes: tuple[int, ...]
    separable: bool
    height: int
    width: int
    padding: str = "reflect"
    reduce: str = "mean"
    basis: Tensor | None = None

    def __post_init__(self) -> None:
        for name in ("factors", "basis"):
            values = getattr(self, name)
            if name == "basis" and values is None:
                continue
            if not isinstance(values, Tensor):
                raise ValueError(
                    f"{name} is of type {type(values).__name__}; it must be a PyTorch tensor "
                    "(KernelField.from_kernels, from_factors and from_basis take NumPy arrays)"
                )
            if not values.is_floating_point():
                raise ValueError(f"{name} has dtype {values.dtype}; expected a floating point dtype")
        if not (
            isinstance(self.sizes, Sequence)
            and self.sizes
            and all(isinstance(size, numbers.Integral) and size % 2 and size > 0 for size in self.sizes)
        ):
            raise ValueError(
                f"sizes is {visible(repr(self.sizes))}; it is a tuple of odd kernel sizes, e.g. (5,)"
            )
        for name in ("height", "width"):
            if as_int(name, getattr(self, name)) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; a picture has 1 pixel or more")
        expected = factor_channels(self.sizes, self.separable) if self.basis is None else len(self.basis)
        half, full = ((self.height + 1) // 2, (self.width + 1) // 2), (self.height, self.width)
        shape = tuple(self.factors.shape)
        if len(shape) not in (5, 6) or shape[-3] != expected or shape[-2:] not in (half, full):
            raise ValueError(
                f"factors has shape {shape}; sizes {self.sizes} on {self.height}x{self.width} pixels need "
                f"[B, N, {expected}, {half[0]}, {half[1]}], or {full[0]}x{full[1]} in place of {half[0]}x{half[1]}"
            )
        if self.padding not in PADDINGS:
            raise ValueError(
                f"padding is {visible(repr(self.padding))}; choose one of {', '.join(map(repr, PADDINGS))}"
            )
        if self.reduce not in ("mean", "sum"):
            raise ValueError(
                f"reduce is {visible(repr(self.reduce))}; choose 'mean' or 'sum' over the frames"
            )
        if self.basis is not None:
            K = max(self.sizes)
            if (
                self.basis.ndim != 4
                or self.basis.shape[2:] != (K, K)
                or len(self.sizes) != 1
                or shape[1] != 1
            ):
                raise ValueError(
                    f"basis has shape {tuple(self.basis.shape)} and factors {shape}; expected [F, N, {K}, {K}] and "
                    "[B, 1, F, h, w]"
                )
            if self.basis.device != self.factors.device:
                raise ValueError(f"basis is on {self.basis.device}, coefficients on {self.factors.device}")

    @classmethod
    def from_kernels(
        cls,
        kernels: Any,
        *,
        size: tuple[int, int] | None = None,
        padding: str = "reflect",
        reduce: str = "mean",
    ) -> KernelField:
        """The field of any network's kernels, as they are applied: correlation, see :class:`KernelField`.

        kernels   [N, K, K, H, W], axes frame, dy, dx, row, column; or [N, C, K, K, H, W], a set for each channel of a
                  color picture (C = 3; C = 1 is one set for all channels). N is 1 to MAX_KERNEL_FRAMES. A list of
                  several such arrays, of different K, is averaged (a multi-kernel network).
        size      (H, W) of the picture, where the kernels are at half resolution: H and W above are then its halves,
                  rounded up, and kernels are interpolated bilinearly
        padding, reduce   see :class:`KernelField`

        PyTorch or NumPy, any floating-point dtype, any device; gradients are cut off. K is odd, up to MAX_KERNEL;
        :func:`dilated` and :func:`odd_sized` make odd ones of others. Raises ValueError, naming the axis.
        """
        factors, sizes = dense_factors(kernels)
        height, width = picture_size(factors, size)
        return cls(factors[None], sizes, False, height, width, padding, reduce)

    @classmethod
    def from_factors(
        cls,
        vertical: Any,
        horizontal: Any,
        *,
        size: tuple[int, int] | None = None,
        padding: str = "reflect",
        reduce: str = "mean",
    ) -> KernelField:
        """The field of separable kernels: `K[a, b] = vertical[a] * horizontal[b]`.

        vertical, horizontal   [N, K, H, W] each, or [N, C, K, H, W]; lists of such, of different K, are averaged
        size, padding, reduce  as for :meth:`from_kernels`, as are dtypes, devices and errors
        """
        factors, sizes = separable_factors(vertical, horizontal)
        height, width = picture_size(factors, size)
        return cls(factors[None], sizes, True, height, width, padding, reduce)

    @classmethod
    def from_basis(
        cls,
        basis: Any,
        coefficients: Any,
        *,
        size: tuple[int, int] | None = None,
        padding: str = "reflect",
        reduce: str = "mean",
    ) -> KernelField:
        r"""The field of a basis prediction network.

        .. math:: K_i(y, x) = \sum_f c_f(y, x)\, B_{f, i}

        the kernel of frame i at (y, x), with coefficients c and basis B.

        basis          [F, N, K, K], the kernels that the network predicted for the whole burst
        coefficients   [F, H, W], of each pixel, as they are multiplied (after the softmax, if there is one)
        size, padding, reduce  as for :meth:`from_kernels`, as are dtypes, devices and errors

        Xia, Perazzi, Gharbi, Sunkavalli, Chakrabarti: Basis Prediction Networks for Effective Burst Denoising with
        Large Kernels, CVPR 2020.
        """
        kernels, weights = basis_factors(basis, coefficients)
        height, width = picture_size(weights, size)
        return cls(weights[None, None], (kernels.shape[-1],), False, height, width, padding, reduce, kernels)

    def __repr__(self) -> str:
        sizes = ", ".join(map(str, self.sizes))
        kind = (
            "separable"
            if self.separable
            else "dense"
            if self.basis is None
            else f"basis of {len(self.basis)}"
        )
        own = (
            ""
            if (self.padding, self.reduce) == ("reflect", "mean")
            else f", padding {self.padding}, {self.reduce}"
        )
        return f"KernelField({self.frames} frames of {self.height}x{self.width}, {kind} kernels of sizes {sizes}{own})"

    @property
    def frames(self) -> int:
        """N."""
        return self.factors.shape[1] if self.basis is None else self.basis.shape[1]

    @property
    def channels(self) -> int | None:
        """How many channels have kernels of their own; None: all share one set."""
        return self.factors.shape[2] if self.factors.ndim == 6 else None

    @property
    def reach(self) -> int:
        """Pixels that the largest kernel sees to each side."""
        return max(self.sizes) // 2

    @property
    def divisor(self) -> int:
        """What the frames' contributions are divided by: their number for a mean, 1 for a sum."""
        return self.frames if self.reduce == "mean" else 1

    @property
    def multiply_adds(self) -> int:
        """Of one application to frames of one channel, about: sizes count one by one, factors as dense kernels."""
        taps = self.frames * sum(size**2 for size in self.sizes) * self.height * self.width
        return taps if self.basis is None else taps * len(self.basis)

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns at which the kernels were predicted."""
        return self.factors.shape[-2], self.factors.shape[-1]

    @property
    def half(self) -> bool:
        """Whether the factors are at half resolution; else they are given at every pixel."""
        return self.factors.shape[-2:] != (self.height, self.width) or (self.height, self.width) == (1, 1)

    def channel(self, c: int) -> KernelField:
        """The field that is applied to channel c: of shared kernels this field itself."""
        if self.channels is None:
            return self
        c = check_index("channel", c, self.channels, "there are kernels of channels")
        return dataclasses.replace(self, factors=self.factors[:, :, c])

    def check_shared(self) -> None:
        """ValueError, one sentence, if each channel has kernels of its own: statistics are those of one set."""
        if self.channels is not None:
            raise ValueError(f"there are kernels of {self.channels} channels; choose one: field.channel(0)")

    def part(self, top: int, bottom: int, left: int, right: int) -> KernelField:
        """The field of rows top..bottom-1, columns left..right-1, for frames cut K // 2 pixels wider on each side."""
        top, bottom, left, right = self.check_place(top, bottom, left, right)
        factors = self._upsampled(self.factors, range(top, bottom), range(left, right))
        return dataclasses.replace(
            self, factors=factors, height=bottom - top, width=right - left, padding="valid"
        )

    def apply(self, frames: Tensor, reduce: str | None = None, fused: bool = False) -> Tensor:
        """What the kernels make of frames [B, N, H, W]: the picture [B, H, W]. In color, [B, N, C, H, W]: [B, C, H, W].

        reduce   None: this field's own, "mean" or "sum" over the frames; else as for :func:`local_conv`, whose result
                 that is (in color with C behind N, or behind B)

        ValueError for frames that are not a PyTorch tensor of a floating-point dtype, or do not fit the kernels.
        """
        if not isinstance(frames, Tensor):
            raise ValueError(
                f"frames is of type {type(frames).__name__}; it must be a PyTorch tensor, [B, N, H, W] "
                "(torch.from_numpy(frames)[None])"
            )
        if not frames.is_floating_point():
            raise ValueError(f"frames has dtype {frames.dtype}; expected a floating point dtype")
        if frames.ndim not in (4, 5):
            raise ValueError(
                f"frames has shape {tuple(frames.shape)}; expected [B, N, H, W] or [B, N, C, H, W]"
            )
        reduce = self.reduce if reduce is None else reduce
        if reduce not in REDUCTIONS:
            raise ValueError(
                f"reduce is {visible(repr(reduce))}; choose one of {', '.join(map(repr, REDUCTIONS))}"
            )
        if frames.ndim == 5:
            axis = 1 if reduce in ("mean", "sum") else 2
            if self.channels not in (None, frames.shape[2]):
                raise ValueError(
                    f"frames have C = {frames.shape[2]} channels, the kernels C = {self.channels}; they must agree"
                )
            if self.channels is None and self.basis is None and (reduce, self.padding) == ("mean", "reflect"):
                return shared_by_channels(frames, self.factors, self.sizes, separable=self.separable)
            planes = [self.channel(c).apply(frames[:, :, c], reduce, fused) for c in range(frames.shape[2])]
            return torch.stack(planes, dim=axis)
        if self.channels is not None:
            raise ValueError(
                f"frames has shape {tuple(frames.shape)}; the kernels of {self.channels} channels are applied to "
                "[B, N, C, H, W]"
            )
        if self.basis is not None:
            return self._apply_basis(frames, reduce)
        return local_conv(
            frames,
            self.factors,
            self.sizes,
            separable=self.separable,
            reduce=reduce,
            fused=fused,
            padding=self.padding,
        )

    def _apply_basis(self, frames: Tensor, reduce: str) -> Tensor:
        """Each frame is convolved with its basis kernels; the coefficients of a pixel weigh the results there."""
        assert self.basis is not None
        if frames.device != self.basis.device:
            raise ValueError(
                f"frames is on {frames.device}, the kernels are on {self.basis.device}; expected one device"
            )
        N = frames.shape[1]
        dtype = torch.promote_types(torch.promote_types(frames.dtype, self.factors.dtype), torch.float32)
        padded = pad(frames.to(dtype), self.reach, self.padding)
        if self.frames != N or tuple(n - 2 * self.reach for n in padded.shape[2:]) != (
            self.height,
            self.width,
        ):
            raise ValueError(
                f"frames has shape {tuple(frames.shape)}; the kernels are those of {self.frames} frames and a picture "
                f"of {self.height}x{self.width}, padding {self.padding!r}"
            )
        weights = self._upsampled(self.factors, range(self.height), range(self.width)).to(dtype)[
            :, 0
        ]  # [B, F, H, W]
        parts = []
        for n in range(N):
            filtered = F.conv2d(padded[:, n : n + 1], self.basis[:, n, None].to(dtype))  # [B, F, H, W]
            parts.append((weights * filtered).sum(1))
        per_frame = torch.stack(parts, dim=1)  # [B, N, H, W]
        if reduce == "none":
            return per_frame[:, :, None]
        return per_frame if reduce == "size" else per_frame.sum(1) if reduce == "sum" else per_frame.mean(1)

    def at(self, y: int, x: int, b: int = 0) -> np.ndarray:
        """Effective kernels at a pixel: [N, K, K], K the largest size; of each channel [N, C, K, K].

        Outer products, zero-padded to K and averaged over the sizes (eq. 3). The mean (or sum, see `reduce`) over the
        frames of each frame's patch times its kernel is the denoised value. ValueError for a pixel beyond the
        picture, or a burst b that there is not.
        """
        y, x = as_int("y", y), as_int("x", x)
        return self.region(y, y + 1, x, x + 1, b)[..., 0, 0, :, :]

    def sizes_at(self, y: int, x: int, b: int = 0) -> dict[int, np.ndarray]:
        """The kernel of each size at a pixel, before fusion: {s: [N, s, s]}, of each channel [N, C, s, s]."""
        y, x = as_int("y", y), as_int("x", x)
        if self.basis is not None:
            return {self.sizes[0]: self.at(y, x, b)}
        if self.channels is not None:
            each = [self.channel(c).sizes_at(y, x, b) for c in range(self.channels)]
            return {size: np.stack([one[size] for one in each], axis=1) for size in self.sizes}
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
        self.check_shared()
        y, x = as_int("y", y), as_int("x", x)
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
        step-th row and column, from the first on. Of each channel: [N, C, rows, columns, K, K]. ValueError for a place
        beyond the picture, a burst b that there is not, and a step below 1.
        """
        if self.channels is not None:
            each = [self.channel(c).region(top, bottom, left, right, b, step) for c in range(self.channels)]
            return np.stack(each, axis=1)
        factors = self._interpolate(top, bottom, left, right, b, step)  # [1, N, F, rows, columns]
        if self.basis is not None:
            basis = self.basis.detach().float().cpu()
            return torch.einsum("fyx,fnab->nyxab", factors[0, 0], basis).numpy()
        kernels = effective_kernels(factors, self.sizes, self.separable)[0]  # [N, K, K, rows, columns]
        return kernels.permute(0, 3, 4, 1, 2).numpy()

    def predicted(self, rows: slice, frames: list[int], step: int = 1, b: int = 0) -> np.ndarray:
        """Effective kernels as they were predicted, without interpolation: [len(frames), rows, columns, K, K].

        rows   of the grid on which they are given, :attr:`grid`; of rows and columns every `step`-th, from the first on
        """
        self.check_shared()
        frames = [check_index("frame", frame, self.frames, "this field has frames") for frame in frames]
        b, step = self._check_burst(b), _as_step(step)
        with torch.inference_mode():
            factors = self.factors[b : b + 1, ..., ::step, ::step][..., rows, :].float().cpu()
            if self.basis is not None:
                basis = self.basis[:, frames].float().cpu()
                return torch.einsum("fyx,fnab->nyxab", factors[0, 0], basis).numpy()
            dense = effective_kernels(factors[:, frames], self.sizes, self.separable)[
                0
            ]  # [N, K, K, rows, columns]
        return dense.permute(0, 3, 4, 1, 2).numpy()

    def own_weights(self) -> np.ndarray:
        """The weights of the reference's own pixels in the picture, the middles of its kernels: [h, w] of the grid."""
        middles: np.ndarray = self.predicted(slice(None), [0])[0, ..., self.reach, self.reach] / self.divisor
        return middles

    def _interpolate(self, top: int, bottom: int, left: int, right: int, b: int, step: int = 1) -> Tensor:
        """Factors at the pixels of a rectangle: [1, N, F, rows, columns], float32 on the CPU."""
        top, bottom, left, right = self.check_place(top, bottom, left, right)
        b, step = self._check_burst(b), _as_step(step)
        with torch.inference_mode():
            rows, columns = range(top, bottom, step), range(left, right, step)
            return self._upsampled(self.factors[b : b + 1], rows, columns).float().cpu()

    def check_place(self, top: int, bottom: int, left: int, right: int) -> tuple[int, int, int, int]:
        """These as ints, if rows top..bottom-1, columns left..right-1 lie in the picture; else ValueError."""
        names = ("top", "bottom", "left", "right")
        top, bottom, left, right = map(as_int, names, (top, bottom, left, right))
        if not (0 <= top < bottom <= self.height and 0 <= left < right <= self.width):
            raise ValueError(
                f"rows {top}..{bottom - 1}, columns {left}..{right - 1} do not lie in the picture, "
                f"{self.height}x{self.width} pixels"
            )
        return top, bottom, left, right

    def _check_burst(self, b: int) -> int:
        return check_index("b", b, len(self.factors), "this field has bursts")

    def _upsampled(self, factors: Tensor, rows: range, columns: range) -> Tensor:
        """Factors [..., h, w] at the pixels of these rows and columns."""
        if not self.half:
            return factors[
                ..., rows.start : rows.stop : rows.step, columns.start : columns.stop : columns.step
            ]
        return _interpolate_axis(
            _interpolate_axis(factors, factors.ndim - 2, rows), factors.ndim - 1, columns
        )


def _as_step(step: int) -> int:
    if (checked := as_int("step", step)) < 1:
        raise ValueError(f"step is {step}; every 1st, 2nd, ... row and column is taken: 1 or more")
    return checked


def _interpolate_axis(grid: Tensor, dim: int, pixels: range) -> Tensor:
    """Bilinear x2 upsampling of one axis, at some pixels only (align_corners=False)."""
    # Pixel i has its center at (i + 1/2) / 2 - 1/2 of the grid; outside the grid its edge goes on.
    index = torch.arange(pixels.start, pixels.stop, pixels.step, device=grid.device)
    position = ((index + 0.5) / 2 - 0.5).clamp(0, grid.shape[dim] - 1)
    low = position.floor().long()
    high = (low + 1).clamp(max=grid.shape[dim] - 1)
    weight = (position - low).view([-1 if d == dim else 1 for d in range(grid.ndim)]).to(grid.dtype)
    return grid.index_select(dim, low) * (1 - weight) + grid.index_select(dim, high) * weight
