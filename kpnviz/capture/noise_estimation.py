"""The noise of a burst, estimated from the burst itself: variance against mean, and a line through it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import least_squares

from kpnviz.noise import NoiseModel

PATCH = 8
"""Side of a patch in pixels: large enough for a variance, small enough to be of one brightness."""

_BINS = 12
_FLATTEST = 0.6
_LEAST_PATCHES = 24
_CLIPPED = 0.02  # share of clipped values that a patch may have
_ROUNDING = 1e-14  # variance that single precision leaves between equal pictures
_DEPENDENT = 1e-9  # of the largest eigenvalue: regressors that are sums of others
_TELLING = 64  # differences that are needed for each combination of frames to tell them apart
_DISAGREEING = 1.3  # times the standard deviation that one frame shows
_ROUNDS = 8
_TRUSTED = 3.0  # standard deviations of a patch from the line
_LOG_BIAS = 0.613
"""A Cauchy loss, cut off at _TRUSTED standard deviations, puts the center of log(chi^2_k / k) at -0.613 / k (solved
numerically for k from 64 to 1984). Its mean would be -1 / k: the distribution is skewed."""


@dataclass(frozen=True, eq=False)
class NoiseFit:
    r"""A line through the patches of a burst, variance against mean.

    .. math:: \mathrm{variance} = \sigma_r^2 + \sigma_s\, \mathrm{mean}

    means, variances   [P] of each patch, intensity and its square;  degrees [P] of freedom of its variance
    used               [P] flat and unclipped, in the fit
    frames             how many were compared
    alone              what the reference shows of its noise by itself (:func:`noise_of_one_frame`), if it does
    """

    noise: NoiseModel
    means: np.ndarray
    variances: np.ndarray
    degrees: np.ndarray
    used: np.ndarray
    frames: int
    alone: NoiseModel | None = None

    def line(self, means: np.ndarray) -> np.ndarray:
        """The fitted variance at these means."""
        return self.noise.read_std**2 + self.noise.shot_gain * np.maximum(means, 0)

    @property
    def caution(self) -> str:
        """A sentence where the frames differ by more than the reference's own noise; else nothing.

        The other way round says little: the texture of a scene looks like noise in one frame.
        """
        if self.alone is None:
            return ""
        middle = np.median(self.means[self.used], keepdims=True)[None]
        ratio = float(self.noise.std_map(middle)[0, 0] / max(self.alone.std_map(middle)[0, 0], 1e-12))
        if ratio < _DISAGREEING:
            return ""
        return (
            f"Between the frames the noise looks {ratio:.1f} times as strong as within the reference: the frames "
            "differ by more than noise (motion, light), or it is coarser than a pixel, as after demosaicing and JPEG. "
            "If the picture is too smooth, state less noise."
        )


def estimate_noise(
    blocks: Iterable[np.ndarray],
    clipped: tuple[float, float] | None = None,
    gains: np.ndarray | None = None,
) -> NoiseFit:
    """Fit read_std and shot_gain to aligned frames.

    blocks    parts of the burst, [N, h, w] each, linear intensity: in each the scene moves as one, by no more than
              about a pixel from frame to frame (64x64 pixels are enough, and a camera's turn does little in so few)
    clipped   (low, high): patches with more than 2 % of values at or beyond them have lost noise and are left out
    gains     [N], by which the frames were divided: of a sensor's frame of gain g the variance is then read_std^2 / g^2
              + shot_gain x / g, and values are clipped at low / g and high / g. None: 1. What is found is that of g = 1

    A frame differs from the mean of the frames by its noise, and by what a rest of a shift, a change of brightness or
    of sharpness makes of the scene. Of the latter two kinds of sums are free, so that they have the variance of noise:

    - in a patch of 8x8 pixels, what is left of a difference after its regression on a constant and the mean picture's
      3x3 pixels around each: small shifts, gain and blur are such sums (a Taylor series to the second derivative);
    - over the frames, those combinations in which shifts cancel. Principal components of the differences that are
      left find them in every block: each component counts by 1 / variance^4. It is weighed by the one half of the
      patches for the other, as on a chessboard, so that chance is not taken for quiet. Frames of other gains count
      times sqrt(g), which makes their shot noise alike; combinations are orthogonal to sqrt(g): the scene cancels.

    For Gaussian noise differences and mean are independent, so nothing is biased by regressing one on the other.
    Of patches of like brightness the 60 % with the least texture count. The line is fitted to log variance with a
    Cauchy loss, again and again to the patches close to it: each patch has the same relative error but for its degrees
    of freedom, and a moving object is an outlier.
    Raises ValueError where there is nothing to estimate from.
    """
    columns: list[np.ndarray] = []
    N = 0
    for block in blocks:
        N = len(block)
        if N < 2:
            raise ValueError(f"noise: there is {N} frame; its noise is seen between 2 or more")
        if min(block.shape[1:]) >= PATCH:
            columns.append(_patches(block, clipped, np.ones(N) if gains is None else gains))
    if not columns:
        raise ValueError(f"noise: the frames are smaller than a patch of {PATCH}x{PATCH} pixels")
    means, variances, degrees, texture, intact, read = np.concatenate(columns, axis=1)
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
    noise = _fit(means[used], variances[used], degrees[used], read[used])
    # As variances of g = 1: what is shown beside the line.
    variances = np.maximum(variances - noise.read_std**2 * (read - 1), 1e-3 * variances)
    return NoiseFit(noise, means, variances, degrees, used, N)


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


def _patches(block: np.ndarray, clipped: tuple[float, float] | None, gains: np.ndarray) -> np.ndarray:
    """Mean, variance of the noise, its degrees of freedom, texture of the mean picture, 1 where intact, and how often
    the variance holds that of read noise: [6, P]."""
    block = block.astype(np.float64)
    N = len(block)
    mean = np.tensordot(gains / gains.sum(), block, axes=1)
    around = np.pad(mean, 1, mode="edge")
    H, W = mean.shape
    taps = [_cut(around[y : y + H, x : x + W]) for y in range(3) for x in range(3)]  # nine of [P, 64]
    means = taps[4].mean(axis=1)
    regressors = np.stack(
        [np.ones_like(taps[4]), *(tap - means[:, None] for tap in taps)], axis=-1
    )  # [P, 64, 10]
    values, vectors = np.linalg.eigh(regressors.swapaxes(1, 2) @ regressors)
    independent = values > _DEPENDENT * values[:, -1:]
    scale = np.where(independent, np.maximum(values, 1e-300) ** -0.5, 0)
    basis = (regressors @ vectors) * scale[:, None]  # orthonormal, [P, 64, 10]
    # N - 1 orthonormal combinations of the frames in which the scene cancels.
    scene = gains**0.5 / gains.sum() ** 0.5
    combinations = np.linalg.qr(np.eye(N) - np.outer(scene, scene))[0][:, : N - 1]
    alike = np.stack([_cut(x) for x in block], axis=-1) * gains**0.5
    differences = alike @ combinations  # [P, 64, N - 1]
    rest = differences - basis @ (basis.swapaxes(1, 2) @ differences)
    free = PATCH**2 - independent.sum(axis=1)

    rows, columns = np.indices([n // PATCH for n in mean.shape]).reshape(2, -1)
    black = (rows + columns) % 2 == 0
    variances, degrees, read = np.empty(len(means)), np.empty(len(means)), np.empty(len(means))
    for half in (black, ~black):
        weights, axes = _quiet(rest[~half], free[~half])
        power = np.square(rest[half] @ axes).sum(axis=1)  # [p, N - 1]
        variances[half] = power @ weights / free[half]
        degrees[half] = free[half] / (weights**2).sum()
        read[half] = (((combinations @ axes) ** 2 / gains[:, None]).sum(axis=0) * weights).sum()

    dy, dx = (taps[7] - taps[1]) / 2, (taps[5] - taps[3]) / 2
    intact = np.ones(len(means))
    if clipped is not None:
        low, high = (np.float32(end) / gains[:, None, None].astype(np.float32) for end in clipped)
        lost = ((block <= low) | (block >= high)).mean(axis=0)
        intact = _cut(lost).mean(axis=1) <= _CLIPPED
    return np.stack([means, variances, degrees, (dy**2 + dx**2).mean(axis=1), intact, read])


def _quiet(rest: np.ndarray, free: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Combinations of frames as columns [N - 1, N - 1] and the weight of each, with sum 1, by the differences [p, 64,
    N - 1] that patches have in them; with too few patches to tell, all alike."""
    M = rest.shape[-1]
    if M == 1 or len(rest) * PATCH**2 < _TELLING * M:
        return np.full(M, 1 / M), np.eye(M)
    flat = rest.reshape(-1, M)
    variances, axes = np.linalg.eigh(flat.T @ flat / free.sum())
    least = variances[0]
    if least <= 0:
        return np.full(M, 1 / M), np.eye(M)
    weights = (least / variances) ** 4
    return weights / weights.sum(), axes


def _cut(image: np.ndarray) -> np.ndarray:
    """The patches of [H, W], row by row: [P, 64]; what fills no patch is dropped."""
    h, w = (n // PATCH for n in image.shape)
    patches = image[: h * PATCH, : w * PATCH].reshape(h, PATCH, w, PATCH).swapaxes(1, 2)
    return patches.reshape(h * w, PATCH**2)


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


def _fit(means: np.ndarray, variances: np.ndarray, degrees: np.ndarray, read: np.ndarray) -> NoiseModel:
    """The line through the patches, neither coefficient below 0; variance = read_std^2 read + shot_gain mean."""
    m, v = np.maximum(means, 0), variances
    typical = float(np.median(v))
    brightness = max(float(np.median(m)), 1e-6)
    log_v = np.log(v) + _LOG_BIAS / degrees

    def residuals(x: np.ndarray) -> np.ndarray:
        return (np.log(typical * (x[0] * read + x[1] * m / brightness) + 1e-300) - log_v) / spread

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
        )
        start, before = result.x, close
        close = np.abs(residuals(start)) < _TRUSTED
        if close.sum() < len(v) / 4 or (close == before).all():
            break
    read_variance, shot = typical * start[0], typical * start[1] / brightness
    return NoiseModel(float(read_variance**0.5), float(shot))
