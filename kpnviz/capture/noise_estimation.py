"""The noise of a burst, estimated from the burst itself: variance against mean, and a line through it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import least_squares

from kpnviz.noise import NoiseModel
from kpnviz.sampling import box_reduce

PATCH = 8
"""Side of a patch in pixels: large enough for a variance, small enough to be of one brightness."""

_BINS = 12
_FLATTEST = 0.6
_LEAST_PATCHES = 24
_CLIPPED = 0.02  # share of clipped values that a patch may have
_ROUNDING = 1e-14  # variance that single precision leaves between equal pictures
_ROUNDS = 8
_TRUSTED = 3.0  # standard deviations of a patch from the line
_LOG_BIAS = 0.613
"""A Cauchy loss, cut off at _TRUSTED standard deviations, puts the center of log(chi^2_k / k) at -0.613 / k (solved
numerically for k from 64 to 1984). Its mean would be -1 / k: the distribution is skewed."""


@dataclass(frozen=True, eq=False)
class NoiseFit:
    """The line variance = read_std^2 + shot_gain * mean through the patches of a burst.

    means, variances   [P] of each patch, intensity and its square;  used [P]: flat and unclipped, in the fit
    frames             how many were compared
    """

    noise: NoiseModel
    means: np.ndarray
    variances: np.ndarray
    used: np.ndarray
    frames: int

    def line(self, means: np.ndarray) -> np.ndarray:
        """The fitted variance at these means."""
        return self.noise.read_std**2 + self.noise.shot_gain * np.maximum(means, 0)


def estimate_noise(blocks: Iterable[np.ndarray], clipped: tuple[float, float] | None = None) -> NoiseFit:
    """Fit read_std and shot_gain to aligned frames.

    blocks    parts of the burst, [N, h, w] each, linear intensity: the scene stands still in them, to the pixel
    clipped   (low, high): patches with more than 2 % of values at or beyond them have lost noise and are left out

    In each patch of 8x8 pixels the variance is that over the frames, pixel by pixel, with N - 1 degrees of
    freedom; the scene's own texture is not in it. Of patches of like brightness the 60 % with the least
    texture count, because a residual shift turns texture into variance. (Mean and variance of a Gaussian are
    independent, so choosing by the mean picture biases nothing.) The line is fitted to log variance
    with a Cauchy loss, again and again to the patches close to it: each patch has the same relative error, and
    a moving object is an outlier.
    Raises ValueError where there is nothing to estimate from.
    """
    columns: list[np.ndarray] = []
    N = 0
    for block in blocks:
        N = len(block)
        if N < 2:
            raise ValueError(f"noise: there is {N} frame; its noise is seen between 2 or more")
        if min(block.shape[1:]) >= PATCH:
            columns.append(_patches(block, clipped))
    if not columns:
        raise ValueError(f"noise: the frames are smaller than a patch of {PATCH}x{PATCH} pixels")
    means, variances, texture, intact = np.concatenate(columns, axis=1)
    differs = variances > _ROUNDING * (1 + means**2)
    candidates = (intact > 0) & differs
    if not differs.any():
        raise ValueError(
            "noise: the frames are all the same; copies of one picture have no noise between them"
        )
    if candidates.sum() < _LEAST_PATCHES:
        raise ValueError(
            f"noise: {int(candidates.sum())} patches of {PATCH}x{PATCH} pixels are neither clipped nor empty; "
            f"an estimate needs {_LEAST_PATCHES}, so state the noise instead"
        )
    used = candidates & _flat(means, texture, candidates)
    noise = _fit(means[used], variances[used], degrees=(N - 1) * PATCH**2)
    return NoiseFit(noise, means, variances, used, N)


def noise_of_one_frame(
    blocks: Iterable[np.ndarray], clipped: tuple[float, float] | None = None
) -> NoiseModel:
    """A first guess from parts [h, w] of one frame: its noise, and whatever texture no flat patch is free of.

    In each 2x2 block (p + q - r - s) / 2, with p, q on one diagonal, has the noise's variance and nothing of a slope.
    Of half-size pictures m +- d / sqrt(2), m the mean and d that difference, it is the variance between frames.
    Raises ValueError as :func:`estimate_noise` does.
    """

    def pairs() -> Iterable[np.ndarray]:
        for block in blocks:
            H, W = (n // 2 * 2 for n in block.shape)
            p, r, s, q = (block[y:H:2, x:W:2].astype(np.float64) for y in (0, 1) for x in (0, 1))
            mean, difference = (p + q + r + s) / 4, (p + q - r - s) / 2
            yield np.stack((mean + difference / 2**0.5, mean - difference / 2**0.5))

    return estimate_noise(pairs(), clipped).noise


def _patches(block: np.ndarray, clipped: tuple[float, float] | None) -> np.ndarray:
    """Mean, variance over the frames, texture of the mean picture, and 1 where intact: [4, patches]."""
    block = block.astype(np.float64)
    mean = block.mean(axis=0)
    variance = block.var(axis=0, ddof=1)
    dy, dx = np.diff(mean, axis=0, append=mean[-1:]), np.diff(mean, axis=1, append=mean[:, -1:])
    intact = np.ones_like(mean)
    if clipped is not None:
        intact -= ((block <= clipped[0]) | (block >= clipped[1])).mean(axis=0)
    rows = [box_reduce(image, PATCH).ravel() for image in (mean, variance, dy**2 + dx**2, intact)]
    rows[3] = (rows[3] >= 1 - _CLIPPED).astype(np.float32)
    return np.stack(rows).astype(np.float64)


def _flat(means: np.ndarray, texture: np.ndarray, candidates: np.ndarray) -> np.ndarray:
    """Of the candidates of like brightness, those with the least texture."""
    edges = np.quantile(means[candidates], np.linspace(0, 1, _BINS + 1)[1:-1])
    bins = np.searchsorted(edges, means)
    flat = np.zeros(len(means), dtype=bool)
    for b in range(_BINS):
        inside = candidates & (bins == b)
        if inside.any():
            flat |= inside & (texture <= np.quantile(texture[inside], _FLATTEST))
    return flat


def _fit(means: np.ndarray, variances: np.ndarray, degrees: int) -> NoiseModel:
    """The line through the patches, neither coefficient below 0."""
    m, v = np.maximum(means, 0), variances
    typical = float(np.median(v))
    brightness = max(float(np.median(m)), 1e-6)
    log_v = np.log(v) + _LOG_BIAS / degrees

    def residuals(x: np.ndarray) -> np.ndarray:
        return np.log(typical * (x[0] + x[1] * m / brightness) + 1e-300) - log_v

    # First the whole cloud, then what lies close to the line: motion only ever adds variance, so a few rounds
    # take the line down from it.
    spread = (2 / degrees) ** 0.5  # standard deviation of log(chi^2_k / k)
    start, close = np.array([0.5, 0.5]), np.ones(len(v), dtype=bool)
    for _ in range(_ROUNDS):
        result = least_squares(
            lambda x, close=close: residuals(x)[close],
            x0=np.maximum(start, 1e-8),
            bounds=(1e-9, np.inf),
            loss="cauchy",
            f_scale=spread,
        )
        start, before = result.x, close
        close = np.abs(residuals(start)) < _TRUSTED * spread
        if close.sum() < len(v) / 4 or (close == before).all():
            break
    read_variance, shot = typical * start[0], typical * start[1] / brightness
    return NoiseModel(float(read_variance**0.5), float(shot))
