"""Numbers of every pixel: what the kernels do over the picture, and which method errs least where."""

from __future__ import annotations

import numbers
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.cluster.vq import kmeans2
from scipy.spatial.distance import cdist
from skimage.feature import peak_local_max, structure_tensor, structure_tensor_eigenvalues

from kpnviz.analysis.kernel_stats import centroid, entropy, mass, spread
from kpnviz.analysis.metrics import check_pictures, inner
from kpnviz.burst import weighted_sum
from kpnviz.checks import check_index
from kpnviz.color import LUMINANCE_WEIGHTS, displayed
from kpnviz.kernels import KernelField

_BLOCK_WEIGHTS = 2_000_000  # of dense kernels at a time: 16 MB in double precision
_FITTED_CELLS = (
    4096  # kinds are found on so many cells of the grid, evenly spread; each cell then gets the nearest
)


@dataclass(frozen=True, eq=False)
class FrameMaps:
    """Statistics of one frame's kernels on the grid on which they are predicted.

    share, spread (px), entropy (bits): [h, w]; centroid (dy, dx) in pixels: [h, w, 2]. At half resolution cell (i, j)
    is the middle of the pixels 2i..2i+1, 2j..2j+1.
    """

    share: np.ndarray
    spread: np.ndarray
    entropy: np.ndarray
    centroid: np.ndarray


def frame_maps(field: KernelField, frame: int) -> FrameMaps:
    """The statistics of a frame's kernels over the whole picture; see kernel_stats for each.

    ValueError for a frame that the field does not have.
    """
    frame = check_index("frame", frame, field.frames, "this field has frames")
    shares, spreads, entropies, centers = [], [], [], []
    for (kernels,) in _blocks(field, [frame]):
        shares.append(mass(kernels) / field.divisor)
        spreads.append(spread(kernels))
        entropies.append(entropy(kernels))
        centers.append(centroid(kernels))
    return FrameMaps(*(np.concatenate(parts) for parts in (shares, spreads, entropies, centers)))


def _blocks(field: KernelField, frames: list[int], thin: int = 1) -> Iterator[np.ndarray]:
    """Kernels as predicted, a few rows of the grid at a time, of every thin-th cell: [N, rows, columns, K, K]."""
    h, w = (-(-length // thin) for length in field.grid)
    step = max(1, _BLOCK_WEIGHTS // (len(frames) * max(field.sizes) ** 2 * w))
    for top in range(0, h, step):
        yield field.predicted(slice(top, top + step), frames, thin)


@dataclass(frozen=True, eq=False)
class KernelKinds:
    """Kinds of kernels over a picture: each cell's kernels are more like the mean of their kind than of any other.

    index      [h, w], the kind of each cell of the grid on which kernels are predicted, as in FrameMaps
    kernels    [kinds, N, K, K], the mean of each kind; the narrowest first. N is 1 where one frame was looked at
    spread     [kinds] in pixels, growing: how wide each kind is, the mean of its frames' spreads, each weighted by the
               sum of |w| there (a frame without weight has no width)
    explained  1 - (mean squared distance from the mean of the kind) / (from the mean of all), 0 to 1: how much of the
               kernels' variety the kinds hold; 1 where all are alike
    """

    index: np.ndarray
    kernels: np.ndarray
    spread: np.ndarray
    explained: float


def kernel_kinds(field: KernelField, frame: int | None = None, count: int = 5) -> KernelKinds:
    """k-means of the kernels over a picture: those of one frame, or of all frames together.

    The squared distance of two kernels is the sum of the squares of their weights' differences: what they would make
    of a frame of white noise differs by so much. Starting points are drawn by k-means++ from a fixed seed. Of
    kernels of fewer than `count` kinds, fewer come back. Raises ValueError for a frame that the field does not have, or
    a count below 1.
    """
    if not isinstance(count, numbers.Integral) or count < 1:
        raise ValueError(f"count is {count!r}; at least one kind is needed, and a whole number")
    if frame is None:
        frames = list(range(field.frames))
    else:
        frames = [check_index("frame", frame, field.frames, "this field has frames")]
    h, w = field.grid
    N, K = len(frames), max(field.sizes)

    def vectors(kernels: np.ndarray) -> np.ndarray:
        return np.moveaxis(kernels, 0, 2).reshape(-1, N * K * K).astype(np.float64)

    thin = max(1, round((h * w / _FITTED_CELLS) ** 0.5))
    sample = np.concatenate([vectors(kernels) for kernels in _blocks(field, frames, thin)])
    alike = sample.var(axis=0).sum() <= 1e-12 * (sample**2).sum(axis=1).mean()  # but for rounding
    count = 1 if alike else min(count, len(np.unique(sample, axis=0)))
    seeds = sample[:1] if count == 1 else kmeans2(sample, count, iter=30, minit="++", rng=0)[0]

    # Every cell gets the nearest; then the means of what each got.
    index, squares = [], 0.0
    sums = np.zeros_like(seeds)
    for kernels in _blocks(field, frames):
        points = vectors(kernels)
        nearest = cdist(points, seeds, "sqeuclidean").argmin(axis=1)
        np.add.at(sums, nearest, points)
        squares += float((points**2).sum())
        index.append(nearest)
    kind, cells = np.unique(np.concatenate(index), return_inverse=True)
    counts = np.bincount(cells)[:, None]
    means = sums[kind] / counts
    within = squares - float((counts * means**2).sum())
    total = squares - float((sums.sum(axis=0) ** 2).sum()) / (h * w)
    means = means.reshape(-1, N, K, K)
    # Of each frame by itself: frames whose kernels sit at different places are not one wide kernel.
    weight = np.maximum(np.abs(means).sum(axis=(2, 3)), np.finfo(float).tiny)  # [kinds, N]
    widths = np.average(spread(means), axis=1, weights=weight)
    order = np.argsort(widths, kind="stable")
    return KernelKinds(
        np.argsort(order)[cells].reshape(h, w),
        means[order],
        widths[order],
        1.0 if len(kind) == 1 else 1 - within / total,
    )


def mean_kernels(field: KernelField, top: int, bottom: int, left: int, right: int) -> np.ndarray:
    """Mean of the effective kernels over rows top..bottom-1, columns left..right-1: [N, K, K].

    ValueError for a place beyond the picture, and for a field with kernels of each channel.
    """
    field.check_shared()
    top, bottom, left, right = field.check_place(top, bottom, left, right)
    K = max(field.sizes)
    total = np.zeros((field.frames, K, K))
    step = max(1, _BLOCK_WEIGHTS // (field.frames * K * K * (right - left)))
    for row in range(top, bottom, step):
        block = field.region(row, min(row + step, bottom), left, right)
        total += block.sum(axis=(1, 2), dtype=np.float64)
    return total / ((bottom - top) * (right - left))


def frequency_response(kernel: np.ndarray, points: int = 65) -> tuple[np.ndarray, np.ndarray]:
    r"""|H| of a kernel [K, K] and its frequencies, in cycles a pixel: ([points], [points, points]).

    .. math::
        H(f_y, f_x) = \sum_{a, b} K(a, b)\, e^{2 \pi i (f_y (a - r) + f_x (b - r))}, \qquad r = \lfloor K/2 \rfloor

    for a kernel that correlates; frequencies run from -1/2 to 1/2, both included. |H(0, 0)| is |mass|.
    ValueError for a kernel of another shape.
    """
    if np.ndim(kernel) != 2 or len(set(np.shape(kernel))) != 1 or np.size(kernel) == 0:
        raise ValueError(f"kernel has shape {np.shape(kernel)}; it is square, [K, K]")
    return burst_response(np.asarray(kernel)[None], None, 1, points)


def burst_response(
    kernels: np.ndarray, shifts: np.ndarray | None = None, divisor: int | None = None, points: int = 65
) -> tuple[np.ndarray, np.ndarray]:
    r"""|H| of the kernels of all frames at a pixel [N, K, K] together, and its frequencies, as frequency_response.

    .. math::
        H(f_y, f_x) = \frac{1}{\mathrm{divisor}} \sum_i \sum_{a, b} K_i(a, b)\,
        e^{2 \pi i (f_y (a - r - dy_i) + f_x (b - r - dx_i))}

    shifts    (dy, dx) of each frame's scene, [N, 2], which is taken out: kernels that follow the scene lose nothing.
              None: the scene stands still
    divisor   KernelField.divisor; None: N

    ValueError for kernels or shifts of another shape.
    """
    shape = np.shape(kernels)
    if len(shape) != 3 or shape[1] != shape[2] or 0 in shape:
        raise ValueError(f"kernels has shape {shape}; kernels are square, [N, K, K]")
    moved = np.zeros((shape[0], 2)) if shifts is None else np.asarray(shifts, dtype=np.float64)
    if moved.shape != (shape[0], 2):
        raise ValueError(f"shifts has shape {moved.shape}; it is [N, 2] with N = {shape[0]}")
    frequencies = np.linspace(-0.5, 0.5, points)
    offsets = np.arange(shape[1]) - shape[1] // 2
    total = np.zeros((points, points), dtype=np.complex128)
    for kernel, shift in zip(kernels, moved, strict=True):
        down, across = (np.exp(2j * np.pi * np.outer(frequencies, offsets - d)) for d in shift)  # [points, K]
        total += down @ kernel @ across.T
    return frequencies, np.abs(total) / (shape[0] if divisor is None else divisor)


def disagreement(
    a: np.ndarray, b: np.ndarray, white_level: float = 1.0, count: int = 8, apart: int = 6
) -> list[tuple[int, int, float]]:
    """The pixels on which two pictures differ most: (y, x, |difference| of the displayed values).

    Pictures [H, W]; of [3, H, W] the mean over the channels counts.

    The largest first, at least `apart` pixels from each other and metrics.CROP pixels from the border (less in a
    tiny picture), at most `count`. ValueError for pictures that the metrics do not take.
    """
    check_pictures(white_level, a=a, b=b)
    difference = _over_channels(np.abs(_displayed(a, white_level) - _displayed(b, white_level)))
    border = tuple(part.start for part in inner(difference.shape))
    peaks = peak_local_max(difference, min_distance=apart, num_peaks=count, exclude_border=border)
    return [(int(y), int(x), float(difference[y, x])) for y, x in peaks]


def squared_error(image: np.ndarray, truth: np.ndarray, white_level: float = 1.0) -> np.ndarray:
    """Squared error of the displayed values, [H, W]: what PSNR averages; see metrics.PROTOCOL.

    Of pictures [3, H, W] the mean over the channels. ValueError as for metrics.psnr.
    """
    check_pictures(white_level, image=image, truth=truth)
    return _over_channels((_displayed(image, white_level) - _displayed(truth, white_level)) ** 2)


PIXEL_CLASSES = ("flat", "edge", "textured")
FLAT_GRADIENT = 0.015
COHERENCE = 0.6

CLASS_RULE = (
    "Classified on the truth, by the structure tensor of the displayed picture (Gaussian window, σ = 2 px): "
    f"*flat* where the root mean square gradient is below {FLAT_GRADIENT} a pixel (white = 1); of the rest *edge* "
    f"where one direction rules (coherence (λ₁−λ₂)/(λ₁+λ₂) at least {COHERENCE}), and *textured* where none does."
)


def pixel_classes(truth: np.ndarray, white_level: float = 1.0) -> np.ndarray:
    """Index into PIXEL_CLASSES of every pixel, [H, W]: see CLASS_RULE. ValueError as for metrics.psnr.

    Of a truth [3, H, W] its luminance is classified.
    """
    check_pictures(white_level, truth=truth)
    truth = weighted_sum(truth, LUMINANCE_WEIGHTS) if truth.ndim == 3 else truth
    # Its derivative is the Sobel filter whose weights sum to 8 for a slope of 1.
    tensor = structure_tensor(_displayed(truth, white_level) / 8, sigma=2, mode="reflect")
    large, small = structure_tensor_eigenvalues(tensor)
    energy = np.maximum(large + small, 0)
    coherence = np.divide(large - small, energy, out=np.zeros_like(energy), where=energy > 0)
    return np.where(np.sqrt(energy) < FLAT_GRADIENT, 0, np.where(coherence >= COHERENCE, 1, 2))


def class_psnr(error: np.ndarray, classes: np.ndarray) -> list[float]:
    """PSNR in dB of each of PIXEL_CLASSES, from a squared_error map; NaN for a class without pixels.

    As in metrics.PROTOCOL, the outer pixels do not count. ValueError for shapes that differ.
    """
    if error.ndim != 2 or error.shape != classes.shape:
        raise ValueError(f"error has shape {error.shape}, classes {classes.shape}; both are [H, W] and alike")
    inside = inner(error.shape)
    values = []
    for index in range(len(PIXEL_CLASSES)):
        chosen = error[inside][classes[inside] == index]
        with np.errstate(divide="ignore"):
            values.append(float(-10 * np.log10(chosen.mean())) if chosen.size else float("nan"))
    return values


def _over_channels(values: np.ndarray) -> np.ndarray:
    """[H, W], or the mean over the channels of [3, H, W]."""
    return values.mean(axis=0) if values.ndim == 3 else values


def _displayed(image: np.ndarray, white_level: float) -> np.ndarray:
    """Displayed values in double precision: they are subtracted."""
    return displayed(image.astype(np.float64), white_level)
