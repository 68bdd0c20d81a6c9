"""What people would use instead of a network: pure functions of a burst, [N, H, W] -> picture [H, W].

All work on linear intensity and return float32 on the burst's scale. They know the noise model, as the networks
do, and nothing of the true shifts. Of a burst in color each channel is restored by itself; what needs the noise raises
ValueError where it is not known. The free parameters of each are DEFAULTS, found by :func:`tune` on photos that are
not in the test set.
"""

from __future__ import annotations

import functools
import itertools
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from scipy import ndimage
from skimage.restoration import cycle_spin, denoise_nl_means, denoise_tv_chambolle, denoise_wavelet
from tqdm import tqdm

from kpnviz.analysis.metrics import psnr
from kpnviz.burst import Burst, BurstRecipe, synthesize
from kpnviz.capture.alignment import find_shift
from kpnviz.models import zoo
from kpnviz.noise import GAINS, NoiseModel, stabilize, unstabilize
from kpnviz.photos import find_photos, read_scene
from kpnviz.sampling import reflect_index

REACH = 16
"""The largest shift that is looked for, in pixels: that of the paper's misalignment."""

_WORTH_INTERPOLATING = 0.25  # px; a smaller remainder blurs less than interpolation does
_MISFIT = 1.5  # see merge()

DEFAULTS: dict[str, dict] = {
    "wiener-merge": {"rejection": 32.0, "shrinkage": 4.0},
    "nlm": {"strength": 0.9, "patch": 5, "distance": 5},
    "tv": {"strength": 0.6},
    "wavelets": {"strength": 1.5, "wavelet": "db1"},
}
"""Method -> its parameters, as :func:`tune` chose them from GRIDS."""

GRIDS: dict[str, dict[str, Sequence]] = {
    "wiener-merge": {"rejection": (4.0, 8.0, 16.0, 32.0), "shrinkage": (2.0, 4.0, 8.0, 16.0)},
    "nlm": {"strength": (0.7, 0.8, 0.9, 1.0, 1.1), "patch": (3, 5, 7), "distance": (3, 5, 9)},
    "tv": {"strength": (0.4, 0.5, 0.6, 0.7, 0.8, 1.0)},
    "wavelets": {"strength": (1.0, 1.25, 1.5, 1.75, 2.0), "wavelet": ("db1", "db2", "db4", "sym4")},
}
"""What :func:`tune` tries. Rejection ends at 32 on purpose: 64 is 0.06 dB better where only the camera moves, which
is all that the bursts of `tune` have, and would let moving objects leave ghosts."""


def resample(frame: np.ndarray, shift: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A frame [H, W] laid onto the reference: x(y + dy, x + dx), and where the frame has such a pixel (bool).

    Shifts by whole pixels are exact, others are interpolated with cubic splines.
    """
    order = 0 if np.array_equal(shift, np.rint(shift)) else 3
    image = ndimage.shift(frame.astype(np.float64), -np.asarray(shift), order=order, mode="mirror")
    rows, columns = (
        (np.arange(n) + d >= 0) & (np.arange(n) + d <= n - 1) for n, d in zip(frame.shape, shift, strict=True)
    )
    return image, np.outer(rows, columns)


Of = TypeVar("Of")


def once_a_burst(function: Callable[[Burst], Of]) -> Callable[[Burst], Of]:
    """Keep what a function makes of a burst as long as the burst itself is kept: several methods need it."""
    kept: weakref.WeakKeyDictionary[Burst, Of] = weakref.WeakKeyDictionary()

    @functools.wraps(function)
    def remembering(burst: Burst) -> Of:
        if burst not in kept:
            kept[burst] = function(burst)
        return kept[burst]

    return remembering


@dataclass(frozen=True)
class Merged:
    """The aligned mean [H, W], float64, and how many frames each of its pixels is the mean of, [H, W]."""

    image: np.ndarray
    count: np.ndarray


@once_a_burst
def found_shifts(burst: Burst) -> list[np.ndarray | None]:
    """What :func:`kpnviz.capture.alignment.find_shift` finds for every frame but the reference, of gray frames."""
    noise = burst.gray_noise("alignment")
    return [find_shift(burst.reference, frame, noise, REACH) for frame in burst.frames[1:]]


def each_channel(method: Callable[..., np.ndarray]) -> Callable[..., np.ndarray]:
    """A method of gray bursts, [N, H, W] -> [H, W], made one of color bursts too, [N, C, H, W] -> [C, H, W]."""

    @functools.wraps(method)
    def of_channels(burst: Burst, **parameters: Any) -> np.ndarray:
        if burst.channels is None:
            return method(burst, **parameters)
        return np.stack([method(burst.channel(c), **parameters) for c in range(burst.channels)])

    return of_channels


@once_a_burst
def merge(burst: Burst) -> Merged:
    """Align every frame to the reference and average those pixels that a frame has; frame 0 is always in.

    Left out are frames for which :func:`kpnviz.capture.alignment.find_shift` finds no shift, and those that do not
    fit: mean (frame - reference)^2 / 2 of the stabilized pictures, aligned, is above 1.5 times the noise's (which is
    1). From there on, an eighth frame makes the mean worse, not better.
    """
    noise = burst.gray_noise("alignment")
    stable = stabilize(burst.reference, noise)
    total, count = burst.reference.astype(np.float64), np.ones(burst.reference.shape)
    for frame, shift in zip(burst.frames[1:], found_shifts(burst), strict=True):
        if shift is None:
            continue
        whole = np.rint(shift)
        shift = whole if np.abs(shift - whole).max() <= _WORTH_INTERPOLATING else shift
        values, seen = resample(stabilize(frame, noise), shift)
        if np.mean((values - stable)[seen] ** 2) / 2 <= _MISFIT:
            image, _ = resample(frame, shift)
            total += np.where(seen, image, 0)
            count += seen
    return Merged(total / count, count)


def reference(burst: Burst) -> np.ndarray:
    """Frame 0 as it is."""
    return burst.reference


def mean(burst: Burst) -> np.ndarray:
    """The mean of the frames, unaligned."""
    return burst.mean


@each_channel
def aligned_mean(burst: Burst) -> np.ndarray:
    """The mean of the frames after global registration; see :func:`merge`."""
    return merge(burst).image.astype(np.float32)


@each_channel
def nlm(burst: Burst, **parameters) -> np.ndarray:
    """Non-local means (Buades, Coll, Morel 2005) of the aligned mean.

    strength  filter strength h as a multiple of the remaining noise; patch, distance: in pixels
    """
    return _restored(_nlm, merge(burst), burst.gray_noise("nlm"), {**DEFAULTS["nlm"], **parameters})


@each_channel
def tv(burst: Burst, **parameters) -> np.ndarray:
    """Total variation (Rudin, Osher, Fatemi 1992; Chambolle 2004) of the aligned mean.

    strength  weight as a multiple of the remaining noise
    """
    return _restored(_tv, merge(burst), burst.gray_noise("tv"), {**DEFAULTS["tv"], **parameters})


@each_channel
def wavelets(burst: Burst, **parameters) -> np.ndarray:
    """Wavelet soft thresholding (BayesShrink: Chang, Yu, Vetterli 2000), cycle-spun, of the aligned mean.

    strength  its assumed noise as a multiple of the remaining noise; wavelet: a name of PyWavelets
    """
    return _restored(
        _wavelets, merge(burst), burst.gray_noise("wavelets"), {**DEFAULTS["wavelets"], **parameters}
    )


Restorer = Callable[..., np.ndarray]


def _restored(restorer: Restorer, merged: Merged, noise: NoiseModel, parameters: dict) -> np.ndarray:
    """Stabilize a mean of n frames, restore it, whose noise now is 1/sqrt(n), and go back."""
    if noise.read_std == noise.shot_gain == 0 or min(merged.image.shape) < 8:
        return merged.image.astype(np.float32)  # no noise, or no surroundings
    std = float(np.median(merged.count)) ** -0.5
    values = restorer(stabilize(merged.image, noise), std, **parameters)
    return unstabilize(values, noise, std).astype(np.float32)


def _nlm(image: np.ndarray, std: float, strength: float, patch: int, distance: int) -> np.ndarray:
    return denoise_nl_means(
        image, patch_size=patch, patch_distance=distance, h=strength * std, sigma=std, preserve_range=True
    )


def _tv(image: np.ndarray, std: float, strength: float) -> np.ndarray:
    return denoise_tv_chambolle(image, weight=strength * std)


def _wavelets(image: np.ndarray, std: float, strength: float, wavelet: str) -> np.ndarray:
    options = dict(sigma=strength * std, wavelet=wavelet, rescale_sigma=False)
    return cycle_spin(image, denoise_wavelet, max_shifts=3, func_kw=options, workers=1)


@each_channel
def wiener_merge(burst: Burst, **parameters) -> np.ndarray:
    r"""Tiled merge in the Fourier domain, after HDR+ (Hasinoff et al. 2016, sections 4 and 5).

    Tiles of 16x16 overlap by half under a raised cosine window (its root before and after the transform). T_0 being
    the spectrum of a tile of the reference, T_z that of its counterpart in frame z and v the noise's power in it,

    .. math::
        \mathrm{merged} = \frac{1}{N} \sum_z T_z + A_z (T_0 - T_z), \qquad
        A_z = \frac{|T_0 - T_z|^2}{|T_0 - T_z|^2 + 2\, \mathrm{rejection}\, v}

    so that a frequency in which a frame differs by more than noise is taken from the reference. Then each frequency
    is shrunk by |T|^2 / (|T|^2 + shrinkage * v'), v' being the noise's power that the merge has left in it (HDR+
    supposes v / N). Tiles follow the frame's global shift; where that leaves more than noise, the best
    whole-pixel shift within 8 px of it. Pixels that a frame does not have are taken from the reference.
    """
    options = {**DEFAULTS["wiener-merge"], **parameters}
    tiles = _Tiles(burst.reference.shape)
    noise = burst.gray_noise("the merge")
    r, s = noise.read_std, noise.shot_gain
    own = tiles.cut(burst.reference)  # [K, T, T]
    variance = r**2 + s * np.maximum(own.mean(axis=(1, 2), keepdims=True), 0)
    power = variance * (tiles.window**2).sum()
    spectrum = np.fft.rfft2(own * tiles.window)
    total = spectrum.copy()
    kept = np.zeros(spectrum.shape)  # sum_z A_z
    squares = np.zeros(spectrum.shape)  # sum_z (1 - A_z)^2
    for frame, shift in zip(burst.frames[1:], found_shifts(burst), strict=True):
        whole = np.rint(np.zeros(2) if shift is None else shift).astype(np.int64)
        other = tiles.follow(frame, whole, own, variance)
        difference = spectrum - np.fft.rfft2(other * tiles.window)
        reject = _share(np.abs(difference) ** 2, options["rejection"] * 2 * power)
        total += spectrum + (reject - 1) * difference
        kept += reject
        squares += (1 - reject) ** 2
    N = len(burst)
    left = power * ((1 + kept) ** 2 + squares) / N**2
    merged = total / N
    merged *= _share(np.abs(merged) ** 2, options["shrinkage"] * left)
    return tiles.paste(np.fft.irfft2(merged, s=own.shape[1:]) * tiles.window).astype(np.float32)


def _share(signal: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """signal / (signal + noise), and 0 where there is neither."""
    total = signal + noise
    return np.divide(signal, total, out=np.zeros_like(total), where=total > 0)


class _Tiles:
    """A picture [H, W] cut into tiles [K, T, T] that overlap by half and reach over its edge, and put together."""

    side = 16
    search = 8

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape, T = shape, self.side
        wave = np.sin(np.pi * (np.arange(T) + 0.5) / T)
        self.window = np.outer(wave, wave)  # squared, it sums to one over the tiles of a pixel
        # Where tiles start, in a picture with T / 2 more on every side.
        self.starts = [np.arange(0, n + T // 2, T // 2) for n in shape]
        around = [reflect_index(n, -T // 2, n + 2 * T) for n in shape]
        rows, columns = (
            index[start[:, None] + np.arange(T)] for index, start in zip(around, self.starts, strict=True)
        )  # [Ty, T], [Tx, T]
        self.rows = np.repeat(rows, len(columns), axis=0)[:, :, None]  # [K, T, 1], K = Ty * Tx
        self.columns = np.tile(columns, (len(rows), 1))[:, None, :]  # [K, 1, T]

    def cut(self, image: np.ndarray) -> np.ndarray:
        """The tiles of an image [H, W]."""
        return image[self.rows, self.columns].astype(np.float64)

    def follow(
        self, frame: np.ndarray, shift: np.ndarray, own: np.ndarray, variance: np.ndarray
    ) -> np.ndarray:
        """The tiles of a frame that match the reference's tiles `own`, whose noise has the variance [K, 1, 1]."""
        best = self._displaced(frame, shift, own, np.arange(len(own)))
        error = ((best - own) ** 2).mean(axis=(1, 2))
        # The mean of T^2 squared differences is 2 var (1 +- sqrt(2) / T): four times that is no accident.
        (lost,) = np.nonzero(error > 2 * variance[:, 0, 0] * (1 + 4 * 2**0.5 / self.side))
        around = range(-self.search, self.search + 1)
        for step in itertools.product(around, around) if lost.size else ():
            tried = self._displaced(frame, shift + np.asarray(step), own, lost)
            e = ((tried - own[lost]) ** 2).mean(axis=(1, 2))
            better = e < error[lost]
            best[lost[better]], error[lost[better]] = tried[better], e[better]
        return best

    def _displaced(
        self, frame: np.ndarray, shift: np.ndarray, own: np.ndarray, which: np.ndarray
    ) -> np.ndarray:
        """Tiles number `which` of a frame, shifted; where the frame has no such pixel, that of the reference."""
        H, W = self.shape
        y, x = self.rows[which] + shift[0], self.columns[which] + shift[1]
        values = frame[np.clip(y, 0, H - 1), np.clip(x, 0, W - 1)]
        return np.where((y >= 0) & (y < H) & (x >= 0) & (x < W), values, own[which])

    def paste(self, tiles: np.ndarray) -> np.ndarray:
        """The sum of overlapping tiles, [H, W]."""
        (H, W), T, (rows, columns) = self.shape, self.side, self.starts
        grid = tiles.reshape(len(rows), len(columns), T, T)
        image = np.zeros((H + 2 * T, W + 2 * T))
        for a, b in itertools.product(range(T), range(T)):
            image[np.ix_(rows + a, columns + b)] += grid[:, :, a, b]
        return image[T // 2 : T // 2 + H, T // 2 : T // 2 + W]


BASELINES: dict[str, Callable[[Burst], np.ndarray]] = {
    "reference": reference,
    "mean": mean,
    "aligned-mean": aligned_mean,
    "wiener-merge": wiener_merge,
    "nlm": nlm,
    "tv": tv,
    "wavelets": wavelets,
}
"""Name -> method, from the plainest up."""

TITLES = {
    "reference": "Frame 0",
    "mean": "Plain mean",
    "aligned-mean": "Aligned mean",
    "wiener-merge": "Wiener merge, after HDR+",
    "nlm": "Non-local means of the aligned mean",
    "tv": "Total variation of the aligned mean",
    "wavelets": "Wavelets of the aligned mean",
}


def title_of(name: str) -> str:
    """How a network or a method without one is written for people; a name that is neither stays."""
    return TITLES.get(name) or zoo.title_of(name)


def short_title_of(name: str) -> str:
    """The same where there is little room: what a method of TITLES begins with is left out."""
    return title_of(name).removesuffix(" of the aligned mean").removesuffix(", after HDR+")


def tune(
    photos: Path, gains: Sequence[float] = tuple(GAINS), show_progress: bool = False
) -> dict[str, list[tuple[dict, float]]]:
    """Try all GRIDS on photos that are not in the test set: {method: [(parameters, dB)]}, best first.

    One burst of the middle 128x128 of each photo of a folder, box-reduced by 2, at each gain; the figure is the mean
    PSNR over all of them. DEFAULTS were found so.
    """
    bursts: list[Burst] = []
    for seed, path in enumerate(find_photos(photos)):
        H, W = read_scene(str(path)).shape
        crop = (H // 2 - 64, W // 2 - 64, 128, 128)
        bursts += [synthesize(BurstRecipe(str(path), crop, NoiseModel.for_gain(g), seed=seed)) for g in gains]
    merged = [merge(burst) for burst in tqdm(bursts, desc="align", disable=not show_progress)]
    trials = [
        (method, dict(zip(grid, values, strict=True)))
        for method, grid in GRIDS.items()
        for values in itertools.product(*grid.values())
    ]
    results: dict[str, list[tuple[dict, float]]] = {method: [] for method in GRIDS}
    restorers: dict[str, Restorer] = {"nlm": _nlm, "tv": _tv, "wavelets": _wavelets}
    for method, parameters in tqdm(trials, desc="tune", disable=not show_progress):
        scores = []
        for burst, aligned in zip(bursts, merged, strict=True):
            assert burst.truth is not None
            if method in restorers:
                image = _restored(restorers[method], aligned, burst.gray_noise(method), parameters)
            else:
                image = wiener_merge(burst, **parameters)
            scores.append(psnr(image, burst.truth))
        results[method].append((parameters, float(np.mean(scores))))
    return {method: sorted(rows, key=lambda row: -row[1]) for method, rows in results.items()}
