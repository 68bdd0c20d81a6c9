"""Arrays of anybody's kernels, checked and laid out as a :class:`KernelField` keeps them; and other kernels made plain.

A network's kernels come as NumPy arrays or PyTorch tensors of any floating-point dtype. Axes are stated, never guessed:
what does not fit raises ValueError, one sentence that names the axis, what came and what is expected.
"""

from __future__ import annotations

import numbers
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from kpnviz.checks import check_unmasked
from kpnviz.limits import MAX_KERNEL, MAX_KERNEL_FRAMES
from kpnviz.text import visible

DENSE_AXES = "[N, K, K, H, W] or [N, C, K, K, H, W]"
FACTOR_AXES = "[N, K, H, W] or [N, C, K, H, W]"


def dense_factors(kernels: Any) -> tuple[Tensor, tuple[int, ...]]:
    """Dense kernels, of one size or a list of several, as factors [N, F, h, w] or [N, C, F, h, w]; and their sizes."""
    flat, sides = [], []
    for one in (_tensor("kernels", one) for one in _listed("kernels", kernels)):
        _check_axes("kernels", one, DENSE_AXES, (5, 6))
        if one.shape[-4] != one.shape[-3]:
            raise ValueError(
                f"kernels has K = {one.shape[-4]} rows and {one.shape[-3]} columns, shape "
                f"{tuple(one.shape)}; kernels are square: [N, K, K, H, W]"
            )
        _check_side("kernels", one.shape[-3])
        flat.append(one.flatten(-4, -3))
        sides.append(one.shape[-3])
    return _joined(flat, sides)


def separable_factors(vertical: Any, horizontal: Any) -> tuple[Tensor, tuple[int, ...]]:
    """Separable kernels, one size or lists of several, as factors [N, F, h, w] or [N, C, F, h, w]; and their sizes."""
    listed = _listed("vertical", vertical), _listed("horizontal", horizontal)
    if len(listed[0]) != len(listed[1]):
        raise ValueError(f"vertical has {len(listed[0])} sizes, horizontal {len(listed[1])}; they must agree")
    flat, sides = [], []
    for first, second in zip(*listed, strict=True):
        u, v = _tensor("vertical", first), _tensor("horizontal", second)
        _check_axes("vertical", u, FACTOR_AXES, (4, 5))
        if u.shape != v.shape:
            raise ValueError(
                f"vertical has shape {tuple(u.shape)}, horizontal {tuple(v.shape)}; they must agree"
            )
        check_device("horizontal", v, "vertical", u)
        _check_side("vertical", u.shape[-3])
        flat.append(torch.cat((u, v), dim=-3))
        sides.append(u.shape[-3])
    return _joined(flat, sides)


def basis_factors(basis: Any, coefficients: Any) -> tuple[Tensor, Tensor]:
    """Basis kernels [F, N, K, K] and the coefficients of each pixel [F, h, w], as tensors."""
    kernels, c = _tensor("basis", basis), _tensor("coefficients", coefficients)
    _check_axes("basis", kernels, "[F, N, K, K]", (4,))
    _check_axes("coefficients", c, "[F, H, W]", (3,))
    if kernels.shape[2] != kernels.shape[3]:
        raise ValueError(f"basis has shape {tuple(kernels.shape)}; kernels are square: [F, N, K, K]")
    _check_side("basis", kernels.shape[-1])
    _check_frames("basis", kernels.shape[1])
    if len(kernels) != len(c):
        raise ValueError(f"basis has F = {len(kernels)} kernels, coefficients F = {len(c)}; they must agree")
    check_device("coefficients", c, "basis", kernels)
    return kernels, c


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
    _check_frames("kernels", len(factors))
    if factors.ndim == 5 and factors.shape[1] not in (1, 3):
        raise ValueError(
            f"kernels has C = {factors.shape[1]} channels; C is 3, or 1 for kernels that all channels share"
        )
    return factors.squeeze(1) if factors.ndim == 5 and factors.shape[1] == 1 else factors, tuple(sides)


def dilated(kernels: Any, dilation: int) -> Tensor:
    """Kernels [..., K, K, H, W] whose taps lie `dilation` pixels apart, as plain ones: [..., K', K', H, W].

    K' = dilation (K - 1) + 1, with zeros between the taps: what ``F.unfold(dilation=...)`` and dilated adaptive
    convolutions apply. ValueError if dilation is below 1.
    """
    values = _tensor("kernels", kernels)
    _check_axes("kernels", values, "[..., K, K, H, W]", (4, 5, 6))
    if isinstance(dilation, bool) or not isinstance(dilation, numbers.Integral) or dilation < 1:
        raise ValueError(f"dilation is {visible(repr(dilation))}; taps lie 1 pixel or more apart")
    K, _, H, W = values.shape[-4:]
    side = int(dilation) * (K - 1) + 1
    if side > max(K, MAX_KERNEL):  # before its memory is asked for
        raise ValueError(
            f"dilation is {visible(dilation)}; it makes kernels of K = {visible(side)} of those of K = {K}, and they "
            f"have an odd side up to {MAX_KERNEL}"
        )
    spread = values.new_zeros(*values.shape[:-4], side, side, H, W)
    spread[..., ::dilation, ::dilation, :, :] = values
    return spread


def odd_sized(kernels: Any, center: tuple[int, int]) -> Tensor:
    """Kernels [..., K, K, H, W] whose tap `center` = (row, column) lies on the pixel itself, as odd ones about it.

    Zeros are added where the kernel reaches less far. For an even K padded by (K - 1) // 2 in front and K // 2 behind
    (PyTorch's padding="same") the center is ((K - 1) // 2, (K - 1) // 2).
    """
    values = _tensor("kernels", kernels)
    _check_axes("kernels", values, "[..., K, K, H, W]", (4, 5, 6))
    rows, columns, H, W = values.shape[-4:]
    y, x = _pair("center", center)
    if not (0 <= y < rows and 0 <= x < columns):
        raise ValueError(f"center is {center}; it is a tap of kernels of {rows}x{columns}")
    reach = max(y, x, rows - 1 - y, columns - 1 - x)
    odd = values.new_zeros(*values.shape[:-4], 2 * reach + 1, 2 * reach + 1, H, W)
    odd[..., reach - y : reach - y + rows, reach - x : reach - x + columns, :, :] = values
    return odd


def gathered(splat: Any) -> Tensor:
    """Kernels that *gather*, of kernels that splat: [N, K, K, H, W] each, N frames or samples.

    A splatting kernel says where the pixel (y, x) of the input goes; out(q) = sum_p S_p[q - p] in(p). As gathering it
    is K_q[a, b] = S_{q + (a, b) - r}[2r - a, 2r - b] (0 beyond the edge), to be applied with padding="zero".
    Gharbi, Li, Aittala, Lehtinen, Durand: Sample-based Monte Carlo Denoising using a Kernel-Splatting Network, 2019.
    """
    values = _tensor("splat", splat)
    _check_axes("splat", values, "[N, K, K, H, W]", (5,))
    K, _, H, W = values.shape[1:]
    _check_side("splat", K)
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


def _listed(name: str, values: Any) -> Sequence[Any]:
    listed = values if isinstance(values, list | tuple) else [values]
    if not listed:
        raise ValueError(f"{name} is {visible(repr(values))}; give an array for each kernel size")
    return listed


def _tensor(name: str, values: Any) -> Tensor:
    """As a tensor without gradient; ValueError for another dtype, an empty axis or numbers that are not finite."""
    if isinstance(values, Tensor):
        tensor = values.detach()
        if not tensor.is_floating_point():
            raise ValueError(f"{name} has dtype {tensor.dtype}; expected a floating point dtype")
        if tensor.layout != torch.strided or tensor.is_meta:
            layout = "the device meta, without numbers" if tensor.is_meta else f"layout {tensor.layout}"
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
        # PyTorch has no long doubles, no numbers in another byte order and no negative strides.
        array = np.asarray(array, dtype=f"f{min(array.itemsize, 8)}")
        tensor = torch.from_numpy(array.copy() if min(array.strides, default=0) < 0 else array)
    if 0 in tensor.shape:
        raise ValueError(f"{name} has shape {tuple(tensor.shape)}; an axis is empty")
    if not all(
        torch.isfinite(bound) for bound in tensor.aminmax()
    ):  # NaN, too; isfinite(tensor) would copy it
        place = [int(i) for i in (~torch.isfinite(tensor)).nonzero()[0]]
        raise ValueError(f"{name}{place} is {tensor[tuple(place)].item()}; kernels are finite numbers")
    return tensor


def _check_axes(name: str, tensor: Tensor, expected: str, dims: Sequence[int]) -> None:
    if tensor.ndim not in dims:
        raise ValueError(f"{name} has shape {tuple(tensor.shape)}; expected {expected}")


def _check_side(name: str, K: int) -> None:
    if K % 2 == 0 or K > MAX_KERNEL:
        raise ValueError(
            f"{name} has K = {K}; kernels have an odd side up to {MAX_KERNEL} (odd_sized makes odd ones of even ones)"
        )


def picture_size(values: Tensor, size: tuple[int, int] | None) -> tuple[int, int]:
    """H and W of the picture of kernels [..., h, w]."""
    h, w = values.shape[-2:]
    if size is None:
        return h, w
    H, W = _pair("size", size)
    if (h, w) not in ((H, W), ((H + 1) // 2, (W + 1) // 2)):
        raise ValueError(
            f"kernels are given at {h}x{w} places and size is {H}x{W}; they are at every pixel, or at half resolution, "
            f"{(H + 1) // 2}x{(W + 1) // 2}"
        )
    return H, W


def _check_frames(name: str, N: int) -> None:
    if N > MAX_KERNEL_FRAMES:
        raise ValueError(f"{name} has N = {N} frames; kernels are taken of up to {MAX_KERNEL_FRAMES}")


def check_device(name: str, tensor: Tensor, other_name: str, other: Tensor) -> None:
    if tensor.device != other.device:
        raise ValueError(f"{name} is on {tensor.device}, {other_name} on {other.device}; expected one device")
