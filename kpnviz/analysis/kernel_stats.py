"""Numbers that describe predicted kernels: [..., K, K] in, one value (or a vector) a kernel out.

Predicted kernels go negative, so "where the weight is" is measured with |w| / sum |w|, and how much a
frame counts with the signed sum.
"""

from __future__ import annotations

import numpy as np


def _check(kernels: np.ndarray) -> None:
    if kernels.ndim < 2 or kernels.shape[-1] != kernels.shape[-2] or kernels.shape[-1] % 2 == 0:
        raise ValueError(f"kernels has shape {kernels.shape}; kernels are [..., K, K] with K odd")


def _weights(kernels: np.ndarray) -> np.ndarray:
    """|w| / sum |w|: [..., K, K], float64; 0 everywhere for a kernel that is 0 everywhere."""
    _check(kernels)
    magnitude = np.abs(kernels, dtype=np.float64)
    total = magnitude.sum(axis=(-2, -1), keepdims=True)
    return np.divide(magnitude, total, out=np.zeros_like(magnitude), where=total > 0)


def _offsets(K: int) -> np.ndarray:
    return np.arange(K) - K // 2


def mass(kernels: np.ndarray) -> np.ndarray:
    r"""Signed sum of the weights, [...]: the kernel's response to a constant picture of 1.

    .. math:: m = \sum_{a, b} w(a, b)
    """
    _check(kernels)
    return kernels.sum(axis=(-2, -1), dtype=np.float64)


def frame_share(kernels: np.ndarray, reduce: str = "mean") -> np.ndarray:
    """mass / N of kernels [N, ..., K, K]: what each frame adds to the denoised value of a constant picture,
    [N, ...]. The shares sum to about 1; one can be negative. Of kernels whose results are summed over the
    frames (`reduce` of their field is "sum") the share is the mass."""
    return mass(kernels) / (len(kernels) if reduce == "mean" else 1)


def centroid(kernels: np.ndarray) -> np.ndarray:
    r"""Center of |w|, (dy, dx) in pixels from the kernel's middle: [..., 2].

    .. math:: c = \frac{\sum_{a, b} |w(a, b)|\, (a - r,\ b - r)}{\sum_{a, b} |w(a, b)|}, \qquad r = \lfloor K/2 \rfloor
    """
    weights, offsets = _weights(kernels), _offsets(kernels.shape[-1])
    return np.stack(
        ((weights.sum(axis=-1) * offsets).sum(axis=-1), (weights.sum(axis=-2) * offsets).sum(axis=-1)),
        axis=-1,
    )


def spread(kernels: np.ndarray) -> np.ndarray:
    r"""Root mean square distance of |w| from its centroid c, in pixels: [...].

    .. math:: \sqrt{\frac{\sum_{a, b} |w(a, b)|\, \|(a - r,\ b - r) - c\|^2}{\sum_{a, b} |w(a, b)|}}

    A box of side K has :math:`\sqrt{(K^2 - 1) / 6}`.
    """
    weights, offsets = _weights(kernels), _offsets(kernels.shape[-1])
    center = centroid(kernels)
    dy2 = (offsets - center[..., :1]) ** 2  # [..., K]
    dx2 = (offsets - center[..., 1:]) ** 2
    variance = (weights.sum(axis=-1) * dy2).sum(axis=-1) + (weights.sum(axis=-2) * dx2).sum(axis=-1)
    return np.sqrt(variance)


def entropy(kernels: np.ndarray) -> np.ndarray:
    r"""Entropy of the weights' magnitudes in bits: [...]. 0 for a single weight, :math:`2 \log_2 K` for a box.

    .. math:: -\sum_{a, b} p(a, b) \log_2 p(a, b), \qquad p = |w| / \sum |w|
    """
    weights = _weights(kernels)
    logs = np.log2(weights, out=np.zeros_like(weights), where=weights > 0)
    return -(weights * logs).sum(axis=(-2, -1))
