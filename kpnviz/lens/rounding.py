"""Kernels as the lens is sent them: in fewer bits than they were given, and how much that changes the picture."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch

from kpnviz.consistency import picture_of
from kpnviz.kernels import KernelField

_LEVELS = 127
"""Of 8 bits with a sign: weights are whole multiples of the pixel's largest one over this."""

_FLOAT16_RANGE = (2.0**-6, 2.0**15)
"""Where the largest number of a field lies here, float16 keeps the others to 2^-11 of themselves, or 2^-25 of 1."""

_NETWORK_LARGEST = 2.0**10
"""A network's factors stay far below. Above, a small factor beside a large one could be lost: it is measured."""

_COARSE = 1e-3
"""Kernels stay float32 where float16 would change the picture by more than this, relative to its largest intensity."""

_FLOAT32 = 1e-6
"""The browser sums in another order than PyTorch: how far both differ, relative to the largest intensity."""


@dataclass(frozen=True, eq=False)
class Rounded:
    """What travels of a field (batch of 1).

    factors  [N, F, h, w] or [N, C, F, h, w]: float16, times `unit`; or float32; or int8, times scales
    scales   [N, h, w] or [N, C, h, w] float32, or None
    error    largest change of the picture, in linear intensity; None: not measured, as it is that of our own networks
    """

    factors: np.ndarray
    scales: np.ndarray | None = None
    unit: float = 1.0
    error: float | None = None

    @property
    def lossy(self) -> bool:
        return self.scales is not None


def rounded(
    field: KernelField,
    frames: np.ndarray,
    lossy: bool = False,
    from_network: bool = False,
    pause: Callable[[], object] = lambda: None,
) -> Rounded:
    """A field's factors as they travel.

    lossy         dense kernels at every pixel in 8 bits, with a scale at each. Kernels of a basis are small as they
                  are: their coefficients travel like factors, in 16 bits, and the basis itself in 32
    from_network  a network of this package predicted them (Estimate.network), which no layout tells
    pause         called while kernels are applied to measure the change (kpnviz.consistency.picture_of)

    float16, whose rounding changes a picture of dense kernels by about 1e-4. The separable kernels of this package's
    networks are known to be within 2e-3, and not measured; of all others the picture that the rounded kernels make is
    compared with that of the given ones.
    """
    factors = field.factors[0].detach().float().cpu().numpy()
    if from_network and field.separable and max(-factors.min(), factors.max()) <= _NETWORK_LARGEST:
        return Rounded(factors.astype(np.float16))  # not so for NaN, which is refused below
    frames = frames[: field.frames]
    before = picture_of(frames, field, pause)
    if not np.isfinite(before).all():
        raise ValueError("the kernels make a picture that is not finite")
    peak = float(np.abs(before).max())

    def change(one: Rounded) -> float:
        again = replace(field, factors=torch.from_numpy(as_given(one))[None].to(field.factors.device))
        return float(np.abs(picture_of(frames, again, pause) - before).max())

    if lossy and in_8_bits(field):
        one = _in_8_bits(factors)
        return replace(one, error=change(one) + _FLOAT32 * peak)
    unit = _unit(float(np.abs(factors).max()))
    one = Rounded((factors / unit).astype(np.float16), unit=unit)
    if (error := change(one)) <= _COARSE * peak:
        return replace(one, error=error + _FLOAT32 * peak)
    return Rounded(factors, error=_FLOAT32 * peak)


def in_8_bits(field: KernelField) -> bool:
    """Whether a lossy payload keeps a field in 8 bits: dense kernels at every pixel, which are what is large."""
    return not field.separable and field.basis is None and not field.half


def as_given(one: Rounded) -> np.ndarray:
    """The factors that the browser sees: float32."""
    factors = one.factors.astype(np.float32)
    return factors * (np.float32(one.unit) if one.scales is None else np.expand_dims(one.scales, -3))


def _unit(largest: float) -> float:
    """A power of two by which numbers are divided so that float16 holds them well."""
    low, high = _FLOAT16_RANGE
    return 1.0 if largest == 0 or low <= largest <= high else 2.0 ** math.floor(math.log2(largest))


def _in_8_bits(factors: np.ndarray) -> Rounded:
    """Weights [..., F, h, w] as whole multiples of a scale at each pixel.

    What rounding takes from one weight is added to the next, so that the sum of a kernel, and with it what the kernel
    makes of a flat area, changes by half a step at most.
    """
    scales = np.maximum(np.abs(factors).max(axis=-3) / _LEVELS, np.finfo(np.float32).tiny)
    levels = np.empty(factors.shape, dtype=np.int8)
    rest = np.zeros_like(scales)
    for f in range(factors.shape[-3]):
        wanted = factors[..., f, :, :] / scales + rest
        levels[..., f, :, :] = np.clip(np.rint(wanted), -_LEVELS, _LEVELS)
        rest = wanted - levels[..., f, :, :]
    return Rounded(levels, scales.astype(np.float32))
