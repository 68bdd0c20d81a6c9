"""Kernels of any network: checked, laid out as a :class:`KernelField` keeps them, and converted from other kinds.

A network's kernels come as NumPy arrays or PyTorch tensors of any floating-point dtype. Axes are stated, never guessed:
what does not fit raises ValueError, one sentence that names the axis, what came and what is expected.
"""

from __future__ import annotations

import numbers
import operator
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from kpnviz.checks import check_unmasked
from kpnviz.layouts import ANY_DENSE, BASIS, COEFFICIENTS, DENSE, FACTORS, ONE_CHANNEL, Axes, shown
from kpnviz.limits import MAX_KERNEL, MAX_KERNEL_FRAMES
from kpnviz.text import visible


class _Given:
    """An array as it was given, with its name and the axes that it should have; `tensor` is what it holds."""

    def __init__(self, name: str, values: Any, axes: Axes) -> None:
        self.name, self.values, self.axes = name, values, axes
        self.tensor = _tensor(name, values)
        self.layout = next((one for one in axes.expected if len(one.split()) == self.tensor.ndim), "")
        if not self.layout:
            raise ValueError(f"{name} has shape {tuple(self.tensor.shape)}; expected {axes}{self.hint()}")

    def hint(self, known: Mapping[str, int] | None = None) -> str:
        """How it is brought, if it is in a well-known other layout; `known` are lengths of axes."""
        return self.axes.hint(self.name, self.values, known)

    def error(self, so: str, expected: str, otherwise: str = "") -> ValueError:
        """The error that a length is wrong: what it is, and what it should be; `otherwise` ends it without a hint."""
        return ValueError(
            f"{self.name} {shown(self.layout)} has shape {tuple(self.tensor.shape)}, so {so}; {expected}"
            f"{self.hint() or otherwise}"
        )

    def length(self, axis: str) -> int:
        return self.tensor.shape[self.layout.split().index(axis)]

    def check_side(self, odd: bool = True) -> None:
        """ValueError for kernels that are not square, whose side is even, or too large."""
        sides = [n for axis, n in zip(self.layout.split(), self.tensor.shape, strict=True) if axis == "K"]
        if len(set(sides)) > 1:
            raise self.error(f"K = {sides[0]} rows and {sides[1]} columns", "kernels are square")
        if odd and (sides[0] % 2 == 0 or sides[0] > MAX_KERNEL):
            even = " (odd_sized makes odd ones of even ones)" if sides[0] % 2 == 0 and len(sides) == 2 else ""
            raise self.error(f"K = {sides[0]}", f"kernels have an odd side up to {MAX_KERNEL}", even)

    def check_counts(self) -> None:
        """ValueError for a number of channels that no picture has, and for too many frames."""
        if "C" in self.layout.split() and (C := self.length("C")) not in (1, 3):
            raise self.error(f"C = {C} channels", "C is 3, or 1 for kernels that all channels share")
        if (N := self.length("N")) > MAX_KERNEL_FRAMES:
            raise self.error(f"N = {N} frames", f"kernels are taken of up to {MAX_KERNEL_FRAMES}")


def dense_factors(kernels: Any) -> tuple[Tensor, tuple[int, ...]]:
    """Dense kernels, of one size or a list of several, as factors [N, F, h, w] or [N, C, F, h, w]; and their sizes."""
    flat, sides = [], []
    for name, values in _listed("kernels", kernels):
        one = _Given(name, values, DENSE)
        one.check_side()
        one.check_counts()
        flat.append(one.tensor.flatten(-4, -3))
        sides.append(one.length("K"))
    return _joined(flat, sides)


def separable_factors(vertical: Any, horizontal: Any) -> tuple[Tensor, tuple[int, ...]]:
    """Separable kernels, one size or lists of several, as factors [N, F, h, w] or [N, C, F, h, w]; and their sizes."""
    listed = _listed("vertical", vertical), _listed("horizontal", horizontal)
    if len(listed[0]) != len(listed[1]):
        raise ValueError(f"vertical has {len(listed[0])} sizes, horizontal {len(listed[1])}; they must agree")
    flat, sides = [], []
    for pair in zip(*listed, strict=True):
        u, v = (_Given(name, values, FACTORS) for name, values in pair)
        for one in (u, v):
            one.check_side()
            one.check_counts()
        if u.tensor.shape != v.tensor.shape:
            raise ValueError(
                f"{u.name} {shown(u.layout)} has shape {tuple(u.tensor.shape)}, {v.name} {shown(v.layout)} "
                f"{tuple(v.tensor.shape)}; they must agree"
            )
        check_device(v.name, v.tensor, u.name, u.tensor)
        flat.append(torch.cat((u.tensor, v.tensor), dim=-3))
        sides.append(u.length("K"))
    return _joined(flat, sides)


def basis_factors(basis: Any, coefficients: Any) -> tuple[Tensor, Tensor]:
    """Basis kernels [F, N, K, K] and the coefficients of each pixel [F, h, w], as tensors."""
    kernels, c = _Given("basis", basis, BASIS), _Given("coefficients", coefficients, COEFFICIENTS)
    kernels.check_side()
    if (F_basis := kernels.length("F")) != (F_pixels := c.length("F")):
        raise ValueError(
            f"basis {shown(kernels.layout)} has shape {tuple(kernels.tensor.shape)}, coefficients {shown(c.layout)} "
            f"{tuple(c.tensor.shape)}, so F = {F_basis} and {F_pixels}; they must agree"
            f"{kernels.hint({'F': F_pixels}) or c.hint({'F': F_basis})}"
        )
    kernels.check_counts()
    check_device("coefficients", c.tensor, "basis", kernels.tensor)
    return kernels.tensor.clone(), c.tensor.clone()  # what the caller does to them later changes nothing


def _joined(flat: list[Tensor], sides: list[int]) -> tuple[Tensor, tuple[int, ...]]:
    """Factors of several sizes, each [N, F, h, w] or [N, C, F, h, w], one after the other. C = 1: shared by all."""
    if len(set(sides)) != len(sides):
        raise ValueError(f"kernels of K = {', '.join(map(str, sides))} were given; each size once")
    if len({(*one.shape[:-3], *one.shape[-2:]) for one in flat}) > 1:
        raise ValueError(
            f"kernels of several sizes have shapes {', '.join(str(tuple(one.shape)) for one in flat)}; "
            "all axes but K must agree"
        )
    for one in flat:
        check_device("kernels of a size", one, "those of another", flat[0])
    factors = torch.cat(flat, dim=-3)
    return factors.squeeze(1) if factors.ndim == 5 and factors.shape[1] == 1 else factors, tuple(sides)


def dilated(kernels: Any, dilation: int) -> Tensor:
    """Kernels [..., K, K, H, W] whose taps lie `dilation` pixels apart, as kernels without gaps: [..., K', K', H, W].

    K' = dilation (K - 1) + 1, with zeros between the taps. They are what ``F.unfold(dilation=...)`` and dilated
    adaptive convolutions apply. ValueError if dilation is below 1.
    """
    given = _Given("kernels", kernels, ANY_DENSE)
    given.check_side(odd=False)
    values = given.tensor
    if isinstance(dilation, bool) or not isinstance(dilation, numbers.Integral) or dilation < 1:
        raise ValueError(f"dilation is {visible(repr(dilation))}; taps lie 1 pixel or more apart")
    K, _, H, W = values.shape[-4:]
    dilation = int(dilation) if K > 1 else 1  # one tap has no gaps
    side = dilation * (K - 1) + 1
    if side > max(K, MAX_KERNEL):  # before its memory is asked for
        raise ValueError(
            f"dilation is {visible(dilation)}; it makes kernels of K = {visible(side)} of those of K = {K}, and they "
            f"have an odd side up to {MAX_KERNEL}"
        )
    spread = values.new_zeros(*values.shape[:-4], side, side, H, W)
    spread[..., ::dilation, ::dilation, :, :] = values
    return spread


def odd_sized(kernels: Any, center: tuple[int, int]) -> Tensor:
    """Kernels [..., K, K, H, W] whose tap `center` = (row, column) lies on the pixel itself, as kernels of odd size.

    Zeros are added on the sides where the kernel reaches less far. For an even K padded by (K - 1) // 2 in front and
    K // 2 behind (PyTorch's padding="same") the center is ((K - 1) // 2, (K - 1) // 2).
    """
    values = _Given("kernels", kernels, ANY_DENSE).tensor
    rows, columns, H, W = values.shape[-4:]
    y, x = _pair("center", center)
    if not (0 <= y < rows and 0 <= x < columns):
        raise ValueError(f"center is {center}; it is a tap of kernels of {rows}x{columns}")
    reach = max(y, x, rows - 1 - y, columns - 1 - x)
    odd = values.new_zeros(*values.shape[:-4], 2 * reach + 1, 2 * reach + 1, H, W)
    odd[..., reach - y : reach - y + rows, reach - x : reach - x + columns, :, :] = values
    return odd


def gathered(splat: Any) -> Tensor:
    r"""Kernels that *gather*, from kernels that splat: both [N, K, K, H, W], of N frames or samples.

    A splatting kernel says where the pixel p of the input goes. The gathering kernel that does the same is 0 beyond the
    edge, and to be applied with padding="zero":

    .. math::
        \mathrm{out}(q) = \sum_p S_p(q - p)\, \mathrm{in}(p), \qquad
        K_q(a, b) = S_{q + (a, b) - r}(2 r - a,\ 2 r - b)

    Gharbi, Li, Aittala, Lehtinen, Durand: Sample-based Monte Carlo Denoising using a Kernel-Splatting Network, 2019.
    """
    given = _Given("splat", splat, ONE_CHANNEL)
    given.check_side()
    values, K = given.tensor, given.length("K")
    H, W = values.shape[-2:]
    r = K // 2
    padded = F.pad(values, (r, r, r, r))
    result = torch.empty_like(values)
    for a in range(K):
        for b in range(K):
            result[:, a, b] = padded[:, K - 1 - a, K - 1 - b, a : a + H, b : b + W]
    return result


def _pair(name: str, values: Any) -> tuple[int, int]:
    """Two whole numbers; ValueError for anything else."""
    try:
        first, second = map(operator.index, values)
    except (TypeError, ValueError):
        raise ValueError(f"{name} is {visible(repr(values))}; it must be two whole numbers") from None
    return first, second


def _listed(name: str, values: Any) -> Sequence[tuple[str, Any]]:
    """(name, array) of each kernel size."""
    if not isinstance(values, list | tuple):
        return [(name, values)]
    if not values:
        raise ValueError(f"{name} is {visible(repr(values))}; give an array for each kernel size")
    return [(f"{name}[{number}]", one) for number, one in enumerate(values)]


def _tensor(name: str, values: Any) -> Tensor:
    """As a tensor without gradient; ValueError for another dtype, an empty axis or numbers that are not finite."""
    if isinstance(values, Tensor):
        tensor = values.detach()
        if not tensor.is_floating_point():
            raise ValueError(f"{name} has dtype {tensor.dtype}; expected a floating point dtype")
        if tensor.layout != torch.strided or tensor.is_meta or tensor.is_nested:
            layout = (
                "the device meta, without numbers"
                if tensor.is_meta
                else "tensors of several shapes"
                if tensor.is_nested
                else f"layout {tensor.layout}"
            )
            raise ValueError(f"{name} has {layout}; expected a dense tensor with its numbers")
        if tensor.element_size() < 2:  # PyTorch computes nothing in float8
            raise ValueError(
                f"{name} has dtype {tensor.dtype}; expected float16, bfloat16, float32 or float64"
            )
    else:
        check_unmasked(name, values)
        array = np.asarray(values)
        if array.dtype.kind != "f":
            raise ValueError(f"{name} has dtype {array.dtype}; expected a floating point dtype")
        # PyTorch takes no long doubles, no other byte order, no negative strides and nothing that is read only.
        array = np.asarray(array, dtype=f"f{min(array.itemsize, 8)}")
        taken = array.flags.writeable and min(array.strides, default=0) >= 0
        tensor = torch.from_numpy(array if taken else array.copy())
    if 0 in tensor.shape:
        raise ValueError(f"{name} has shape {tuple(tensor.shape)}; an axis is empty")
    if not all(
        torch.isfinite(bound) for bound in tensor.aminmax()
    ):  # NaN, too; isfinite(tensor) would copy it
        place = [int(i) for i in (~torch.isfinite(tensor)).nonzero()[0]]
        raise ValueError(f"{name}{place} is {tensor[tuple(place)].item()}; kernels are finite numbers")
    return tensor


def picture_size(values: Tensor, size: tuple[int, int] | None) -> tuple[int, int]:
    """H and W of the picture of kernels [..., h, w]."""
    h, w = values.shape[-2:]
    if size is None:
        return h, w
    H, W = _pair("size", size)
    if (h, w) not in ((H, W), ((H + 1) // 2, (W + 1) // 2)):
        exchanged = (w, h) in ((H, W), ((H + 1) // 2, (W + 1) // 2))
        raise ValueError(
            f"kernels are given at {h}x{w} places and size is {H}x{W} (H x W); they are at every pixel, or at half "
            f"resolution, {(H + 1) // 2}x{(W + 1) // 2}{'; if H and W are exchanged: .swapaxes(-2, -1)' * exchanged}"
        )
    return H, W


def check_device(name: str, tensor: Tensor, other_name: str, other: Tensor) -> None:
    if tensor.device != other.device:
        raise ValueError(f"{name} is on {tensor.device}, {other_name} on {other.device}; expected one device")
