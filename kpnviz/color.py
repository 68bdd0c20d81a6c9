"""The sRGB transfer and luminance. Everything else in kpnviz works on linear intensities."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

if TYPE_CHECKING:
    import torch

Array = TypeVar("Array", np.ndarray, "torch.Tensor")

# Rec. 709 / sRGB primaries, D65 (IEC 61966-2-1).
LUMINANCE_WEIGHTS = (0.2126, 0.7152, 0.0722)


def library_of(x: Any) -> Any:
    """torch for its tensors, else NumPy. It imports neither: torch takes seconds, and reading files does without."""
    torch = sys.modules.get("torch")
    return torch if torch is not None and isinstance(x, torch.Tensor) else np


def srgb_encode(linear: Array) -> Array:
    r"""Linear intensity -> sRGB value: the transfer T of the losses and the metrics.

    .. math::
        T(x) = \begin{cases} 12.92\, x & x \le 0.0031308 \\ 1.055\, x^{1/2.4} - 0.055 & \text{else} \end{cases}

    Any shape; white = 1. The linear piece goes on below 0 and the power above 1, so that noise is not
    clipped and the gradient is finite everywhere. Source: IEC 61966-2-1.

    >>> float(srgb_encode(np.array(0.2140411)).round(6))
    0.5
    """
    lib = library_of(linear)
    # The power sees only values on its own side of the knee: its gradient at 0 is infinite, and
    # infinity times the zero of `where` would be NaN.
    above = lib.clip(linear, 0.0031308, None)
    return lib.where(linear <= 0.0031308, 12.92 * linear, 1.055 * above ** (1 / 2.4) - 0.055)


def srgb_decode(encoded: Array) -> Array:
    """sRGB value -> linear intensity, the inverse of :func:`srgb_encode`. Any shape. IEC 61966-2-1."""
    lib = library_of(encoded)
    above = lib.clip(encoded, 0.04045, None)
    return lib.where(encoded <= 0.04045, encoded / 12.92, ((above + 0.055) / 1.055) ** 2.4)


def displayed(image: Array, white_level: float = 1.0) -> Array:
    """What a screen shows of linear intensity: the sRGB transfer, clipped to [0, 1]. Any shape; keeps the dtype.

    >>> displayed(np.array([-0.1, 0.2140411, 2.0])).round(6).tolist()
    [0.0, 0.5, 1.0]
    """
    return library_of(image).clip(srgb_encode(image / white_level), 0, 1)


def luminance(rgb: np.ndarray) -> np.ndarray:
    """Linear RGB [..., 3] -> linear luminance [...], Y = 0.2126 R + 0.7152 G + 0.0722 B."""
    if rgb.shape[-1] != 3:
        raise ValueError(f"rgb: the last axis has {rgb.shape[-1]} channels; luminance needs 3")
    return rgb @ np.asarray(LUMINANCE_WEIGHTS, dtype=rgb.dtype)
