"""PSNR and SSIM, as printed beside every table."""

from __future__ import annotations

import numpy as np
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from kpnviz.color import displayed
from kpnviz.outside import check_unmasked

CROP = 8
"""Pixels of each side that the metrics leave out."""

PROTOCOL = (
    f"PSNR and SSIM after the sRGB transfer, clipped to [0, 1], {CROP} px cropped from each side, "
    "mean of per-image values"
)
"""How the metrics are taken; people in this field disagree by 3 dB because they differ in this."""


def inner(shape: tuple[int, ...]) -> tuple[slice, slice]:
    """The part of a picture [H, W] that is compared: without its border, as much of CROP as a tiny one has."""
    H, W = shape
    rows, columns = min(CROP, (H - 1) // 2), min(CROP, (W - 1) // 2)
    return slice(rows, H - rows), slice(columns, W - columns)


SSIM_SIDE = 11
"""Pixels a side of the window of SSIM."""


def _compared(image: np.ndarray, white_level: float) -> np.ndarray:
    return displayed(image[inner(image.shape)].astype(np.float64), white_level)


def _pair(image: np.ndarray, truth: np.ndarray, white_level: float) -> tuple[np.ndarray, np.ndarray]:
    check_unmasked("image", image)
    check_unmasked("truth", truth)
    if image.ndim != 2 or image.shape != truth.shape:
        raise ValueError(f"image has shape {image.shape}, truth {truth.shape}; both are [H, W] and alike")
    return _compared(image, white_level), _compared(truth, white_level)


def psnr(image: np.ndarray, truth: np.ndarray, white_level: float = 1.0) -> float:
    """Peak signal-to-noise ratio in dB, 10 log10(1 / MSE); [H, W] linear intensity; see PROTOCOL.

    Infinite for equal pictures. ValueError for shapes that differ, and for masked values.
    """
    a, b = _pair(image, truth, white_level)
    if np.array_equal(a, b):
        return float("inf")
    return float(peak_signal_noise_ratio(b, a, data_range=1))


def has_ssim(shape: tuple[int, ...]) -> bool:
    """Whether pictures [H, W] are large enough for SSIM: its window fits into what is compared."""
    return min(shape) >= SSIM_SIDE + 2 * CROP


def ssim(image: np.ndarray, truth: np.ndarray, white_level: float = 1.0) -> float:
    """Structural similarity (Wang et al. 2004: Gaussian window, sigma 1.5); [H, W] linear; see PROTOCOL.

    ValueError for shapes that differ, for masked values, and for pictures whose compared part is smaller than its 11x11
    window (:func:`has_ssim`).
    """
    a, b = _pair(image, truth, white_level)
    if not has_ssim(image.shape):
        least = SSIM_SIDE + 2 * CROP
        raise ValueError(
            f"image has {image.shape[0]}x{image.shape[1]} pixels; SSIM needs {least}x{least} or more"
        )
    return float(
        structural_similarity(
            b, a, data_range=1, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
        )
    )
