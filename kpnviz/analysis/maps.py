"""Numbers of every pixel: what the kernels do over the picture, and which method errs least where."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from skimage.feature import peak_local_max, structure_tensor, structure_tensor_eigenvalues
from skimage.filters import gaussian

from kpnviz.analysis.kernel_stats import centroid, entropy, mass, spread
from kpnviz.analysis.metrics import inner
from kpnviz.color import displayed
from kpnviz.kernels import KernelField
from kpnviz.local_conv import effective_kernels

_BLOCK_WEIGHTS = 2_000_000  # of dense kernels at a time: 16 MB in double precision


@dataclass(frozen=True, eq=False)
class FrameMaps:
    """Statistics of one frame's kernels on the half-resolution grid on which they are predicted.

    share, spread (px), entropy (bits): [h, w]; centroid (dy, dx) in pixels: [h, w, 2]. Cell (i, j) is the
    middle of the pixels 2i..2i+1, 2j..2j+1.
    """

    share: np.ndarray
    spread: np.ndarray
    entropy: np.ndarray
    centroid: np.ndarray


def frame_maps(field: KernelField, frame: int) -> FrameMaps:
    """The statistics of a frame's kernels over the whole picture; see kernel_stats for each."""
    if not 0 <= frame < field.frames:
        raise ValueError(f"frame is {frame}; this field has frames 0 to {field.frames - 1}")
    h, w = field.factors.shape[3:]
    step = max(1, _BLOCK_WEIGHTS // (max(field.sizes) ** 2 * w))
    shares, spreads, entropies, centers = [], [], [], []
    for top in range(0, h, step):
        factors = field.factors[:1, frame : frame + 1, :, top : top + step].float().cpu()
        with torch.inference_mode():
            dense = effective_kernels(factors, field.sizes, field.separable)[0, 0]  # [K, K, rows, w]
        kernels = dense.permute(2, 3, 0, 1).numpy()
        shares.append(mass(kernels) / field.frames)
        spreads.append(spread(kernels))
        entropies.append(entropy(kernels))
        centers.append(centroid(kernels))
    return FrameMaps(*(np.concatenate(parts) for parts in (shares, spreads, entropies, centers)))


def mean_kernels(field: KernelField, top: int, bottom: int, left: int, right: int) -> np.ndarray:
    """Mean of the effective kernels over rows top..bottom-1, columns left..right-1: [N, K, K]."""
    K = max(field.sizes)
    total = np.zeros((field.frames, K, K))
    step = max(1, _BLOCK_WEIGHTS // max(1, field.frames * K * K * (right - left)))
    for row in range(top, max(bottom, top + 1), step):
        block = field.region(row, min(row + step, bottom), left, right)
        total += block.sum(axis=(1, 2), dtype=np.float64)
    return total / ((bottom - top) * (right - left))


def frequency_response(kernel: np.ndarray, points: int = 65) -> tuple[np.ndarray, np.ndarray]:
    """|H| of a kernel [K, K] and its frequencies, in cycles a pixel: ([points], [points, points]).

        H(fy, fx) = sum_ab K[a, b] exp(2 pi i (fy (a - r) + fx (b - r))),    r = K // 2

    for a kernel that correlates; frequencies run from -1/2 to 1/2, both included. |H(0, 0)| is |mass|.
    """
    frequencies = np.linspace(-0.5, 0.5, points)
    offsets = np.arange(len(kernel)) - len(kernel) // 2
    waves = np.exp(2j * np.pi * np.outer(frequencies, offsets))  # [points, K]
    return frequencies, np.abs(waves @ kernel @ waves.T)


def disagreement(
    a: np.ndarray, b: np.ndarray, white_level: float = 1.0, count: int = 8, apart: int = 6
) -> list[tuple[int, int, float]]:
    """The pixels on which two pictures [H, W] differ most: (y, x, |difference| of the displayed values).

    The largest first, at least `apart` pixels from each other and metrics.CROP pixels from the border (less in a
    tiny picture), at most `count`.
    """
    difference = np.abs(_displayed(a, white_level) - _displayed(b, white_level))
    border = tuple(part.start for part in inner(difference.shape))
    peaks = peak_local_max(difference, min_distance=apart, num_peaks=count, exclude_border=border)
    return [(int(y), int(x), float(difference[y, x])) for y, x in peaks]


def squared_error(image: np.ndarray, truth: np.ndarray, white_level: float = 1.0) -> np.ndarray:
    """Squared error of the displayed values, [H, W]: what PSNR averages; see metrics.PROTOCOL."""
    return (_displayed(image, white_level) - _displayed(truth, white_level)) ** 2


PIXEL_CLASSES = ("flat", "edge", "textured")
FLAT_GRADIENT = 0.015
COHERENCE = 0.6

CLASS_RULE = (
    "Classified on the truth, by the structure tensor of the displayed picture (Gaussian window, σ = 2 px): "
    f"*flat* where the root mean square gradient is below {FLAT_GRADIENT} a pixel (white = 1); of the rest *edge* "
    f"where one direction rules (coherence (λ₁−λ₂)/(λ₁+λ₂) at least {COHERENCE}), and *textured* where none does."
)


def pixel_classes(truth: np.ndarray, white_level: float = 1.0) -> np.ndarray:
    """Index into PIXEL_CLASSES of every pixel, [H, W]: see CLASS_RULE."""
    # Its derivative is the Sobel filter whose weights sum to 8 for a slope of 1.
    tensor = structure_tensor(_displayed(truth, white_level) / 8, sigma=2, mode="reflect")
    large, small = structure_tensor_eigenvalues(tensor)
    energy = np.maximum(large + small, 0)
    coherence = np.divide(large - small, energy, out=np.zeros_like(energy), where=energy > 0)
    return np.where(np.sqrt(energy) < FLAT_GRADIENT, 0, np.where(coherence >= COHERENCE, 1, 2))


def class_psnr(error: np.ndarray, classes: np.ndarray) -> list[float]:
    """PSNR in dB of each of PIXEL_CLASSES, from a squared_error map; NaN for a class without pixels.

    As in metrics.PROTOCOL, the outer pixels do not count.
    """
    inside = inner(error.shape)
    values = []
    for index in range(len(PIXEL_CLASSES)):
        chosen = error[inside][classes[inside] == index]
        with np.errstate(divide="ignore"):
            values.append(float(-10 * np.log10(chosen.mean())) if chosen.size else float("nan"))
    return values


def best_of(errors: Sequence[np.ndarray], sigma: float = 4.0) -> np.ndarray:
    """Which of several squared_error maps is least around each pixel: index [H, W].

    Each map is smoothed by a Gaussian of `sigma` pixels first: one pixel's error is mostly luck.
    """
    return np.stack([gaussian(error, sigma) for error in errors]).argmin(axis=0)


def _displayed(image: np.ndarray, white_level: float) -> np.ndarray:
    """Displayed values in double precision: they are subtracted."""
    return displayed(image.astype(np.float64), white_level)
