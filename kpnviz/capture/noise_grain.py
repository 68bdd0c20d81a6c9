"""Noise that is coarser than a pixel, as after demosaicing or a camera's own denoising, and what to assume of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from kpnviz.capture.noise_estimation import NoiseFit, estimate_noise
from kpnviz.capture.noise_patches import AROUND, PATCH, Patches

_REACH = 2  # px, to which correlations are looked for
_FLATTEST, _LEAST, _MOST = 0.1, 24, 256  # share and number of patches: of the flattest
_DARK = 1e-3  # of the median variance
_DEPENDENT = 1e-9  # of the largest eigenvalue: regressors that are sums of others
_SURE = 2.0  # standard errors
_WINDOW = 3  # px, side of the windows whose means are asked for
_FROM, _SLOPE, _LEAST_TOLD = 1.4, 1.3, 1.05  # see told_of

_LAGS = [(dy, dx) for dy in range(_REACH + 1) for dx in range(-_REACH, _REACH + 1) if (dy, dx) >= (0, 0)]

_LEAST_CORRELATION = 0.2  # between channels


def told_of(coarseness: float) -> float:
    """By what networks, which are trained on white noise, are best told to multiply the noise that single pixels show.

    They match windows and take means, both of which vary more. Measured with MKPN on bursts whose noise was blurred (a
    Gaussian of .5 to 1.5 px), demosaiced, median-filtered or written as JPEG: up to a coarseness of 1.4 nothing is
    best, and from there on it grows 1.3 times as fast. Exactly 1 where that is less than 1.05.
    """
    told = 1 + _SLOPE * (coarseness - _FROM)
    return told if told >= _LEAST_TOLD else 1.0


def coarseness(blocks: Sequence[Patches], fit: NoiseFit) -> float:
    r"""How many times as much means of 3x3 pixels vary as with white noise; as much as is sure, and at least 1.

    .. math:: \sqrt{\sum_{|dy|, |dx| < 3} (1 - |dy| / 3) (1 - |dx| / 3) \rho_{dy, dx}}

    where :math:`\rho` is the autocorrelation of noise. That of all lags up to two pixels is fitted by least squares to
    the differences of the frames from their mean, in the flattest of the patches that decided about the line of `fit`,
    which was made of these blocks. As there, a regression Q on the mean picture takes away what shifts leave, and on a
    plane what light does; that is accounted for: the covariance of what is left is Q C Q, with C the noise's. Sure is
    what is two standard errors (jackknife over patches) lower.
    """
    if fit.used.sum() < _LEAST:
        return 1.0
    means, slopes = (np.concatenate(parts) for parts in zip(*map(_flatness, blocks), strict=True))
    line = fit.line(means)
    line = np.maximum(line, _DARK * float(np.median(line)))
    count = min(max(int(_FLATTEST * np.isfinite(fit.whole).sum()), _LEAST), _MOST, int(fit.used.sum()))
    flat = np.argsort(np.where(fit.used, slopes / line, np.inf), kind="stable")[:count]
    seen, expected, first = [], [], 0
    for block in blocks:
        own = flat[(flat >= first) & (flat < first + len(block.windows))]
        if len(own):
            products, matrices = _lag_products(block.windows[own - first].astype(np.float64), block.gains)
            seen.append(products / line[own, None])
            expected.append(matrices)
        first += len(block.windows)
    A, G = np.concatenate(seen), np.concatenate(expected)
    found = _of_means(A.sum(axis=0), G.sum(axis=0))
    each = _of_means(A.sum(axis=0) - A, G.sum(axis=0) - G)  # without one patch
    error = ((len(A) - 1) * np.var(each)) ** 0.5
    return max(1.0, float(found - _SURE * error))


def correlation_of_channels(
    channels: Sequence[Sequence[Patches]], clipped: tuple[float, float] | None = None, reference: int = 0
) -> float:
    r"""The correlation of noise between R, G and B, from 0 to 1: that with which the noise of their mean is explained.

    .. math:: \sigma^2 = (1 - \rho) \sum_c (\sigma_c / 3)^2 + \rho \left(\sum_c \sigma_c / 3\right)^2

    A sensor's is independent; JPEG, which keeps color at half the resolution, and demosaicing, which takes detail of
    all colors from one, give them the same noise for the most part, and pictures in gray that are written as RGB have
    one. All four are lines fitted to the same patches; the median over those that decided about that of the mean is
    taken, and 0 below .2, as a line is known to a few percent.

    channels   the patches of each, of the same places; `clipped` and `reference` as in :func:`estimate_noise`

    0 where there is nothing to estimate from.
    """
    means = [
        replace(
            blocks[0],
            windows=np.mean([block.windows for block in blocks], axis=0),
            gains=np.mean([block.gains for block in blocks], axis=0),
        )
        for blocks in zip(*channels, strict=True)
    ]
    try:
        together, *alone = (
            estimate_noise(blocks, clipped, reference=reference) for blocks in (means, *channels)
        )
    except ValueError:
        return 0.0
    if not together.used.any():
        return 0.0
    stds = np.stack([fit.line(fit.means) ** 0.5 for fit in alone])[:, together.used] / len(channels)
    least, most = np.square(stds).sum(axis=0), np.square(stds.sum(axis=0))
    found = float(
        np.median((together.line(together.means)[together.used] - least) / np.maximum(most - least, 1e-30))
    )
    return min(found, 1.0) if found >= _LEAST_CORRELATION else 0.0


def _flatness(block: Patches) -> tuple[np.ndarray, np.ndarray]:
    """Mean of each patch and the mean square of its picture's slope, [P] each."""
    mean = block.windows.mean(axis=1, dtype=np.float64)
    inner = mean[:, AROUND:-AROUND, AROUND:-AROUND]
    dy = (mean[:, 2:, AROUND:-AROUND] - mean[:, :-2, AROUND:-AROUND]) / 2
    dx = (mean[:, AROUND:-AROUND, 2:] - mean[:, AROUND:-AROUND, :-2]) / 2
    return inner.mean(axis=(1, 2)), (dy**2 + dx**2).mean(axis=(1, 2))


def _lag_products(windows: np.ndarray, gains: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of patches [P, N, 10, 10] the sums of products of pixels that lie so far apart, [P, lags], and what noise of a
    variance of 1 at one lag and of 0 at all others has of each, [P, lags, lags]."""
    P, N = windows.shape[:2]
    mean = np.tensordot(windows, gains / gains.sum(), axes=(1, 0))
    side = 2 * AROUND + 1
    around = np.lib.stride_tricks.sliding_window_view(mean, (side, side), axis=(1, 2)).reshape(
        P, PATCH**2, -1
    )
    around = around - around.mean(axis=1, keepdims=True)
    regressors = np.concatenate([np.broadcast_to(_PLANE, (P, *_PLANE.shape)), around], axis=2)
    values, vectors = np.linalg.eigh(regressors.swapaxes(1, 2) @ regressors)
    scale = np.where(values > _DEPENDENT * values[:, -1:], np.maximum(values, 1e-300) ** -0.5, 0)
    basis = (regressors @ vectors) * scale[:, None]  # [P, 64, 12]; Q = 1 - basis basis^T
    differences = (windows - mean[:, None]) * gains[:, None, None] ** 0.5
    inner = differences[:, :, AROUND:-AROUND, AROUND:-AROUND].reshape(P, N, -1).swapaxes(1, 2)
    rest = inner - basis @ (basis.swapaxes(1, 2) @ inner)
    products = (rest @ rest.swapaxes(1, 2)).reshape(P, -1) @ _APART.reshape(len(_APART), -1).T / (N - 1)
    # tr(S Q T Q) = tr(S T) - 2 tr(basis^T S T basis) + tr(basis^T S basis basis^T T basis), S and T symmetric.
    moved = _APART @ basis[:, None]  # [P, lags, 64, 12]
    inside = basis.swapaxes(1, 2)[:, None] @ moved
    moved, inside = moved.reshape(P, len(_APART), -1), inside.reshape(P, len(_APART), -1)
    of_white = np.einsum("kij,lij->kl", _APART, _APART)
    return products, of_white - 2 * moved @ moved.swapaxes(1, 2) + inside @ inside.swapaxes(1, 2)


def _of_means(products: np.ndarray, matrices: np.ndarray) -> np.ndarray:
    """The formula of :func:`coarseness`, of sums over patches: [..., lags] and [..., lags, lags]."""
    found = np.linalg.solve(matrices, products[..., None])[..., 0]
    return np.sqrt(np.maximum(found @ _SHARES / found[..., 0], 0))


def _pairs() -> np.ndarray:
    """Whether two pixels of a patch lie so far apart, one way or the other: [lags, 64, 64]."""
    y, x = np.indices((PATCH, PATCH)).reshape(2, -1)
    dy, dx = y[None] - y[:, None], x[None] - x[:, None]
    return np.stack([((dy == a) & (dx == b)) | ((dy == -a) & (dx == -b)) for a, b in _LAGS]).astype(
        np.float64
    )


_APART = _pairs()
_PLANE = np.stack([np.ones(PATCH**2), *(np.indices((PATCH, PATCH)).reshape(2, -1) - (PATCH - 1) / 2)], axis=1)
_SHARES = np.array([(1 + (lag != (0, 0))) * np.prod(1 - np.abs(lag) / _WINDOW) for lag in _LAGS])
"""How often each lag is found between two pixels of a window, as a share of its pixels."""
