"""The kernels that would be best over a window around a pixel, if they were the same there and the scene were known."""

from __future__ import annotations

import numbers

import numpy as np

from kpnviz.analysis.metrics import check_array
from kpnviz.noise import NoiseModel
from kpnviz.sampling import reflect_index

WINDOW = 15
"""Pixels a side over which kernels are to be good. At one pixel alone almost any can be scaled to give the truth."""

_LEAST_VARIANCE = 1e-12


def ideal_kernels(
    clean: np.ndarray, truth: np.ndarray, noise: NoiseModel, K: int, y: int, x: int, window: int = WINDOW
) -> np.ndarray:
    r"""The kernels [N, K, K] that, the same at all pixels q of a window around (y, x), have the least expected squared
    error there.

    .. math::
        w = \mathrm{argmin} \sum_q \mathrm{E}
        \left( N t(q) - \sum_i \sum_{a, b} w_i(a, b)\, x_i(q + (a, b) - r) \right)^2
        = \mathrm{argmin}\ \|N t - A w\|^2 + \sum_u V_u w_u^2

    with r = K // 2 and V_u the noise variance that weight u meets, summed over q.

    clean   the frames without noise, [N, H, W]; truth [H, W] is what is wanted, t; both in linear intensity
    noise   of the frames, independent from pixel to pixel (where frames are reflected at the border it is not quite)
    K       pixels a side, odd; kernels need not be separable
    window  pixels a side, odd; what lies beyond the picture is left out

    The mean over the frames of patch times kernel is the estimate, as of predicted kernels. A network's kernels change
    from pixel to pixel, so its picture can be better; held over the window, they are not (:func:`expected_error`).
    Solved as

    .. math:: w = V^{-1} A^\mathsf{T} (A V^{-1} A^\mathsf{T} + 1)^{-1} N t

    so that there are as many equations as pixels of the window, however many weights. ValueError for an even K or
    window, a pixel outside of the picture, a truth of another shape than the frames, and values in the window that are
    not finite.
    """
    A, t, V = _window(clean, truth, noise, K, y, x, window)
    scaled = A / np.maximum(V, _LEAST_VARIANCE)
    weights = scaled.T @ np.linalg.solve(A @ scaled.T + np.eye(len(A)), t)
    return weights.reshape(len(clean), K, K)


def expected_error(
    kernels: np.ndarray,
    clean: np.ndarray,
    truth: np.ndarray,
    noise: NoiseModel,
    y: int,
    x: int,
    window: int = WINDOW,
) -> float:
    r"""Root mean square error to be expected of kernels [N, K, K] that are the same at all n pixels of a window.

    .. math:: \frac{1}{N} \sqrt{\frac{1}{n} \left( \|N t - A w\|^2 + \sum_u V_u w_u^2 \right)}

    what :func:`ideal_kernels` makes least; in linear intensity.

    ValueError as for :func:`ideal_kernels`, and for kernels of another number of frames or not square.
    """
    check_array("kernels", kernels)
    check_array("clean", clean)
    if kernels.ndim != 3 or len(kernels) != len(clean) or kernels.shape[1] != kernels.shape[2]:
        raise ValueError(
            f"kernels has shape {kernels.shape}; for {len(clean)} frames it is [{len(clean)}, K, K]"
        )
    if not np.isfinite(kernels).all():
        raise ValueError("kernels holds values that are not finite (NaN or infinity)")
    A, t, V = _window(clean, truth, noise, kernels.shape[-1], y, x, window)
    weights = kernels.ravel().astype(np.float64)
    squares = np.square(t - A @ weights).sum() + (V * weights**2).sum()
    return float(np.sqrt(squares / len(t)) / len(clean))


def _window(
    clean: np.ndarray, truth: np.ndarray, noise: NoiseModel, K: int, y: int, x: int, window: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A [n, N K K], what each weight sees of each pixel of the window; N t [n]; V [N K K]."""
    check_array("clean", clean)
    check_array("truth", truth)
    if clean.ndim != 3 or 0 in clean.shape:
        raise ValueError(f"clean has shape {clean.shape}; it is [N, H, W] with 1 or more of each")
    N, H, W = clean.shape
    if truth.shape != (H, W):
        raise ValueError(f"truth has shape {truth.shape}, the frames are {H}x{W}; they must agree")
    if not isinstance(noise, NoiseModel):
        raise ValueError(f"noise is {noise!r}; it is a NoiseModel")
    for name, side in (("K", K), ("window", window)):
        if not isinstance(side, numbers.Integral) or side < 1 or side % 2 == 0:
            raise ValueError(f"{name} is {side!r}; it is a whole number, odd and 1 or more")
    for name, place in (("y", y), ("x", x)):
        if not isinstance(place, numbers.Integral):
            raise ValueError(f"{name} is {place!r}; it must be a whole number")
    if not (0 <= y < H and 0 <= x < W):
        raise ValueError(f"pixel ({y}, {x}) does not lie in the picture, {H}x{W} pixels")
    half, reach = window // 2, K // 2
    rows = np.arange(max(y - half, 0), min(y + half + 1, H))
    columns = np.arange(max(x - half, 0), min(x + half + 1, W))
    near = reflect_index(H, -reach, H + reach), reflect_index(W, -reach, W + reach)
    padded = clean[:, near[0][:, None], near[1]].astype(np.float64)
    views = np.lib.stride_tricks.sliding_window_view(padded, (K, K), axis=(1, 2))  # [N, H, W, K, K]
    seen = views[:, rows[:, None], columns].transpose(1, 2, 0, 3, 4)  # [rows, columns, N, K, K]
    A = seen.reshape(len(rows) * len(columns), -1)  # [q, u]
    t = N * truth[rows[:, None], columns].astype(np.float64).ravel()
    for name, values in (("clean", A), ("truth", t)):
        if not np.isfinite(values).all():
            raise ValueError(
                f"{name} holds values near pixel ({y}, {x}) that are not finite (NaN or infinity)"
            )
    return A, t, (noise.read_std**2 + noise.shot_gain * np.maximum(A, 0)).sum(axis=0)
