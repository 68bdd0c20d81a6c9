"""PSNR and SSIM, as printed beside every table."""

from __future__ import annotations

import functools
import math

import numpy as np

from kpnviz.checks import check_float, check_unmasked
from kpnviz.color import displayed
from kpnviz.limits import MAX_INTENSITY, MIN_WHITE

CROP = 8
"""Pixels of each side that the metrics leave out."""

HOW_TAKEN = f"after the sRGB transfer, clipped to [0, 1], {CROP} px cropped from each side"
"""How pictures are prepared for every metric."""

PROTOCOL_OF_ONE = f"PSNR and SSIM {HOW_TAKEN}"
"""How the metrics of one picture are taken; people in this field disagree by 3 dB because they differ in this."""

PROTOCOL = f"{PROTOCOL_OF_ONE}, mean of per-image values"
"""The same, of a test set."""


def inner(shape: tuple[int, ...]) -> tuple[slice, slice]:
    """The part of a picture [..., H, W] that is compared: without its border, as much of CROP as a tiny one has."""
    H, W = shape[-2:]
    rows, columns = min(CROP, (H - 1) // 2), min(CROP, (W - 1) // 2)
    return slice(rows, H - rows), slice(columns, W - columns)


SSIM_SIDE = 11
"""Pixels a side of the window of SSIM."""


def check_array(name: str, values: np.ndarray) -> None:
    """ValueError, one sentence, for anything but a NumPy array of floating-point numbers, none of them masked."""
    if not isinstance(values, np.ndarray):
        raise ValueError(f"{name} is of type {type(values).__name__}; it must be a NumPy array")
    check_unmasked(name, values)
    if not np.issubdtype(values.dtype, np.floating):
        raise ValueError(f"{name} has dtype {values.dtype}; intensities are floating point, white = 1")


def check_pictures(white_level: float, **pictures: np.ndarray) -> None:
    """ValueError, one sentence, unless these are finite floating-point pictures of one shape, [H, W] or [3, H, W]."""
    check_float("white_level", white_level, MIN_WHITE, MAX_INTENSITY)
    for name, picture in pictures.items():
        check_array(name, picture)
    shapes = {name: picture.shape for name, picture in pictures.items()}
    if len(set(shapes.values())) > 1:
        (first, shape), *others = shapes.items()
        rest = ", ".join(f"{name} {other}" for name, other in others)
        raise ValueError(f"{first} has shape {shape}, {rest}; both are [H, W] (or [3, H, W]) and alike")
    for name, picture in pictures.items():
        if picture.shape[:-2] not in ((), (3,)) or picture.ndim < 2 or 0 in picture.shape:
            raise ValueError(
                f"{name} has shape {picture.shape}; a picture is [H, W], or [3, H, W], with 1 or more of each"
            )
        if not np.isfinite(picture).all():
            raise ValueError(f"{name} holds values that are not finite (NaN or infinity)")


def _compared(image: np.ndarray, white_level: float) -> np.ndarray:
    return displayed(image[..., *inner(image.shape)].astype(np.float64), white_level)


def _pair(image: np.ndarray, truth: np.ndarray, white_level: float) -> tuple[np.ndarray, np.ndarray]:
    check_pictures(white_level, image=image, truth=truth)
    return _compared(image, white_level), _compared(truth, white_level)


def psnr(image: np.ndarray, truth: np.ndarray, white_level: float = 1.0) -> float:
    r"""Peak signal-to-noise ratio in dB; [H, W] or [3, H, W] linear intensity; see PROTOCOL.

    .. math:: \mathrm{PSNR} = 10 \log_{10} \frac{1}{\mathrm{MSE}}

    In color the error is the mean over R, G and B together.

    Pictures are NumPy arrays of any floating-point dtype. Infinite for equal pictures. ValueError for other types
    (lists, tensors, integer codes), shapes that differ, an empty picture, values that are masked or not finite, and a
    white_level that is not a number from 10^-6 to 10^6.
    """
    a, b = _pair(image, truth, white_level)
    error = float(np.mean((a - b) ** 2))
    return -10 * math.log10(error) if error > 0 else math.inf


def has_ssim(shape: tuple[int, ...]) -> bool:
    """Whether SSIM can be taken of pictures [..., H, W]: its window fits in, and scikit-image is installed."""
    return min(shape[-2:]) >= SSIM_SIDE + 2 * CROP and _has_scikit_image()


@functools.cache
def _has_scikit_image() -> bool:
    try:
        import skimage.metrics  # noqa: F401
    except ImportError:
        return False
    return True


def ssim(image: np.ndarray, truth: np.ndarray, white_level: float = 1.0) -> float:
    """Structural similarity (Wang et al. 2004: Gaussian window, sigma 1.5); [H, W] or [3, H, W] linear; see PROTOCOL.

    In color the mean of that of R, G and B.

    ValueError as for :func:`psnr`, and for pictures whose compared part is smaller than its 11x11 window
    (:func:`has_ssim`).
    """
    a, b = _pair(image, truth, white_level)
    least = SSIM_SIDE + 2 * CROP
    if min(image.shape[-2:]) < least:
        raise ValueError(
            f"image has {image.shape[-2]}x{image.shape[-1]} pixels; SSIM needs {least}x{least} or more"
        )
    from skimage.metrics import structural_similarity

    return float(
        structural_similarity(
            b,
            a,
            data_range=1,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
            channel_axis=0 if a.ndim == 3 else None,
        )
    )
