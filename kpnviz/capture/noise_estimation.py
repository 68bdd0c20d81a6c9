"""The noise of a burst, estimated from the burst itself: variance against mean, and a line through it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from kpnviz.capture.noise_line import UNSURE, first_line, left_by_texture, refined
from kpnviz.capture.noise_patches import PATCH, Patches, seen_alike
from kpnviz.noise import NoiseModel
from kpnviz.threads import results

_LEAST_PATCHES = 24
_LEAST_VALUES, _MAD = 16, 1.4826  # of a crude estimate; standard deviations in the median of absolute values
_ALIKE = 0.5  # share of a frame's patches that are those of the first one, to the last digit
_ROUNDING = 1e-14  # variance that single precision leaves between equal pictures
_FLAT, _FLAT_DEVIATE = (
    0.125,
    1.15,
)  # quantile of patches by their variance; of a normal distribution, below its mean
_FAR = 1.5  # times: a noise that is stated differs so much from what the frames show
_DISAGREEING = 1.3  # times the standard deviation that one frame shows
_TELLS = 0.25  # of the most degrees of freedom: patches with fewer do not decide


class SameFramesError(ValueError):
    """Frames are all the same, so that nothing can be told of their noise."""


@dataclass(frozen=True, eq=False)
class NoiseFit:
    r"""A line through the patches of a burst, variance against mean.

    .. math:: \mathrm{variance} = \sigma_r^2 + \sigma_s\, \mathrm{mean}

    means, variances   [P] of each patch, intensity and its square, what texture leaves taken off the latter
    degrees            [P] of freedom of that variance
    used               [P] unclipped, and with so little texture that it decides about the line
    frames             how many were compared
    whole              [P] variance with what texture leaves; NaN where patches are clipped or empty
    alone              the same of the reference by itself (:func:`fit_of_one_frame`), where that is
    unlike             {frame: times the reference's variance}, where its brightness says otherwise; 0: it was smoothed
                       (:func:`kpnviz.capture.frame_noise.unlike_frames`)
    about_unlike       a sentence on these frames, where their names are known; else nothing
    told               by what its standard deviation is multiplied for networks: more than 1 where it is coarser than a
                       pixel (noise_grain.py)
    """

    noise: NoiseModel
    means: np.ndarray
    variances: np.ndarray
    degrees: np.ndarray
    used: np.ndarray
    frames: int
    whole: np.ndarray
    alone: NoiseFit | None = None
    unlike: Mapping[int, float] = field(default_factory=dict)
    about_unlike: str = ""
    told: float = 1.0

    @property
    def assumed(self) -> NoiseModel:
        """What networks are told."""
        return self.noise.scaled(self.told)

    @property
    def source(self) -> str:
        """Where that comes from, for people."""
        times = f", times {self.told:.2g} as it is coarse" if self.told > 1 else ""
        return f"estimated from the burst{times}"

    def line(self, means: np.ndarray) -> np.ndarray:
        """The fitted variance at these means."""
        return self.noise.read_std**2 + self.noise.shot_gain * np.maximum(means, 0)

    @property
    def measured(self) -> bool:
        """Whether the line rests on patches in which noise is more than what texture leaves, not on the rest alone."""
        return int(self.used.sum()) >= _LEAST_PATCHES

    @property
    def caution(self) -> str:
        """Where noise differs from frame to frame, a sentence; another where it is coarse, or they differ by more.

        Texture only adds to what varies within a patch, so the most that the reference's noise can be is that of the
        flattest eighth of its patches. Of 24 or more it is known to a tenth; what is said are 1.3 times and more.
        The other way round says little: the texture of a scene looks like noise in one frame.
        """
        return " ".join(filter(None, (self.about_unlike, self._more_than_noise)))

    @property
    def _more_than_noise(self) -> str:
        if self.told > 1:
            return (
                "The noise is coarser than a pixel, as after demosaicing, JPEG or a camera's own denoising, so that it "
                f"is averaged away less. The estimate is therefore {self.told:.2g} times what single pixels show "
                f"(read_std {self.noise.read_std:.5f}, shot_gain {self.noise.shot_gain:.6f})."
            )
        if self.alone is None or not self.measured or np.isfinite(self.alone.whole).sum() < _LEAST_PATCHES:
            return ""
        within = self.alone.whole / np.maximum(self.line(self.alone.means), 1e-30)
        flattest = float(np.nanquantile(within, _FLAT))
        expected = 1 - _FLAT_DEVIATE * float(2 / np.median(self.alone.degrees)) ** 0.5
        ratio = (expected / max(flattest, 1e-6)) ** 0.5
        if ratio < _DISAGREEING:
            return ""
        return (
            f"Between the frames the noise looks {ratio:.1f} times as strong as within the reference: the frames "
            "differ by more than noise (motion, light), or it is coarser than a pixel, as after demosaicing and JPEG. "
            "If the picture is too smooth, state less noise; if grain is left, more."
        )

    def doubt_of(self, stated: NoiseModel, source: str) -> str:
        """A sentence where this noise is far from one that is stated, at the median brightness; else nothing.

        source   who states it, for people
        """
        if not self.used.any():
            return ""
        found, said = (
            float(noise.std_map(np.median(self.means[self.used]))) for noise in (self.noise, stated)
        )
        ratio = found / max(said, 1e-12)
        if 1 / _FAR <= ratio <= _FAR:
            return ""
        return (
            f"Between the frames the noise is {ratio:.2g} times as strong as is stated ({source}): they show read_std "
            f"{self.noise.read_std:.5f}, shot_gain {self.noise.shot_gain:.6f}. If the picture is too "
            f"{'grainy' if ratio > 1 else 'smooth'}, take these."
        )


def estimate_noise(
    blocks: Iterable[np.ndarray | Patches],
    clipped: tuple[float, float] | None = None,
    gains: np.ndarray | None = None,
    of_sensor: bool = True,
    reference: int = 0,
) -> NoiseFit:
    """Fit read_std and shot_gain to aligned frames.

    blocks    parts of the burst, [N, h, w] each, linear intensity: in each the scene moves as one, by no more than
              about a pixel from frame to frame (64x64 pixels are enough, and a camera's turn does little in so few);
              or as :class:`Patches`
    clipped   (low, high): patches with more than 2 % of values at or beyond them have lost noise and are left out
    gains     [N], by which the frames were divided: of a sensor's frame of gain g the variance is then read_std^2 / g^2
              + shot_gain x / g, and values are clipped at low / g and high / g. None: 1. What is found is that of g = 1
    of_sensor whether a sensor's few electrons of read noise are assumed where nothing is seen of it (noise_line.py)
    reference number of the frame whose noise is found, where that of the frames differs

    A frame differs from the mean of the frames by its noise, and by what a rest of a shift, a change of brightness or
    of sharpness makes of the scene. Of the latter two kinds of sums are free, so that they have the variance of noise:

    - in a patch of 8x8 pixels, what is left of a difference after its regression on a constant and the mean picture's
      3x3 pixels around each: small shifts, gain and blur are such sums (a Taylor series to the second derivative). Of
      frames that turn or zoom, on its two slopes times the place in the patch as well: shifts that grow along it;
    - over the frames, those combinations in which shifts cancel. Principal components of the differences that are
      left find them in every block: of the one half of the patches for the other, as on a chessboard, so that chance is
      not taken for quiet. Frames of other gains count times sqrt(g), which makes their shot noise alike; combinations
      are orthogonal to sqrt(g): the scene cancels.

    For Gaussian noise differences and mean are independent, so nothing is biased by regressing one on the other.
    A first line counts each combination by 1 / variance^8 (:func:`kpnviz.capture.noise_line.first_line`). Then, of
    three and more frames, what texture leaves in each combination is fitted together with the line, and what moves by
    itself is left out with its neighbors (:func:`kpnviz.capture.noise_line.refined`).

    Not every frame of gain g has gathered g times the light: one may be amplified after its noise, exposed for half as
    long at twice the sensitivity, or smoothed by the camera. Where three and more frames tell so (frame_noise.py), the
    light that they have gathered stands for g in all this, but for the clipped values.
    Raises ValueError where there is nothing to estimate from.
    """

    def patches_of(block: np.ndarray | Patches) -> Patches | None:
        count = len(block.gains) if isinstance(block, Patches) else len(block)
        if count < 2:
            raise ValueError(f"noise: there is {count} frame; its noise is seen between 2 or more")
        if isinstance(block, Patches):
            return block
        return Patches.of(block, gains) if min(block.shape[1:]) >= PATCH else None

    seen = [block for block in results(patches_of, list(blocks)) if block is not None]
    if not seen:
        raise ValueError(
            f"noise: the frames are smaller than a patch of {PATCH}x{PATCH} pixels, or share none"
        )
    seen, samples, intact, unlike = seen_alike(seen, clipped, reference)
    N = max(len(block.gains) for block in seen)
    means, (variances, degrees, read) = samples.means, samples.weighted
    differs = variances > _ROUNDING * (1 + means**2)
    candidates = intact & differs
    alike = compared = 0
    rows = np.cumsum([len(block.windows) for block in seen])[:-1]
    for block, whole_ones in zip(seen, np.split(intact, rows), strict=True):
        windows = block.windows[whole_ones]
        alike += int((windows[:, 1:] == windows[:, :1]).all(axis=(2, 3)).sum())
        compared += len(windows) * (len(block.gains) - 1)
    if not differs.any() or alike > _ALIKE * compared:
        raise SameFramesError(
            "noise: once aligned, the frames are all the same, so that no noise is seen between them"
        )
    if candidates.sum() < _LEAST_PATCHES:
        count = int(candidates.sum())
        patches = "1 patch is" if count == 1 else f"{count} patches are"
        raise ValueError(
            f"noise: {patches} neither clipped nor empty, of {PATCH}x{PATCH} pixels each; an estimate needs "
            f"{_LEAST_PATCHES}, so state the noise instead"
        )
    noise, factor, close = first_line(samples, candidates, of_sensor)
    # As variances of g = 1: what is shown beside the line.
    whole = np.where(candidates, variances - noise.read_std**2 * (read - 1), np.nan)
    if N > 2:
        noise, unexplained, degrees, out = refined(samples, candidates, noise, close)
        used = candidates & ~out & (degrees >= _TELLS * degrees.max())
    else:
        line = noise.read_std**2 * read + noise.shot_gain * np.maximum(means, 0)
        left = factor * left_by_texture(samples.texture, samples.floor, line)
        used = candidates & (UNSURE * left <= (2 / degrees) ** 0.5 * (line + left))
        unexplained = variances - left - noise.read_std**2 * (read - 1)
    return NoiseFit(
        noise,
        means,
        np.maximum(unexplained, 1e-3 * variances),
        degrees,
        used,
        N,
        whole,
        unlike=unlike,
    )


def noise_of_one_frame(
    blocks: Iterable[np.ndarray], clipped: tuple[float, float] | None = None, of_sensor: bool = True
) -> NoiseModel:
    """A first guess from parts [h, w] of one frame: its noise, and whatever texture no flat patch is free of.

    In each 2x2 block (p + q - r - s) / 2, with p, q on one diagonal, has the noise's variance and nothing of a slope.
    Of half-size pictures m +- d / sqrt(2), m the mean and d that difference, it is the variance between frames.
    Raises ValueError as :func:`estimate_noise` does.
    """
    return fit_of_one_frame(blocks, clipped, of_sensor).noise


def fit_of_one_frame(
    blocks: Iterable[np.ndarray], clipped: tuple[float, float] | None = None, of_sensor: bool = True
) -> NoiseFit:
    """:func:`noise_of_one_frame`, with the patches of half the size that it is fitted to."""

    def pairs() -> Iterable[np.ndarray]:
        for block in blocks:
            H, W = (n // 2 * 2 for n in block.shape)
            p, r, s, q = (block[y:H:2, x:W:2].astype(np.float64) for y in (0, 1) for x in (0, 1))
            mean, difference = (p + q + r + s) / 4, (p + q - r - s) / 2
            yield np.stack((mean + difference / 2**0.5, mean - difference / 2**0.5))

    return estimate_noise(pairs(), clipped, of_sensor=of_sensor)


def crude_noise(frames: np.ndarray, clipped: tuple[float, float] | None = None) -> NoiseModel:
    """The noise of a picture too small for patches, from aligned frames [N, h, w], the reference first: its order.

    The robust variance (by the median of absolute values) of (p + q - r - s) / 2 in 2x2 pixels of the reference, as in
    :func:`noise_of_one_frame`, or if that is less, half of that of a frame's difference from the reference: texture and
    shifts only add to either. At the median brightness read noise and shot noise are taken to have half of it each.
    Raises ValueError where there are no 16 values, or no noise in them.
    """
    reference = frames[0].astype(np.float64)
    H, W = (n // 2 * 2 for n in reference.shape)
    low, high = clipped or (-np.inf, np.inf)
    whole = (reference > low) & (reference < high)
    p, r, s, q = (reference[y:H:2, x:W:2] for y in (0, 1) for x in (0, 1))
    inside = np.logical_and.reduce([whole[y:H:2, x:W:2] for y in (0, 1) for x in (0, 1)])
    values = [((p + q - r - s) / 2)[inside]]
    for frame in frames[1:]:
        difference = (frame - reference)[whole & (frame > low) & (frame < high)]
        if difference.size:
            values.append((difference - np.median(difference)) / 2**0.5)
    variances = [(_MAD * float(np.median(np.abs(v)))) ** 2 for v in values if v.size >= _LEAST_VALUES]
    variances = [v for v in variances if v > _ROUNDING]
    if not variances:
        raise ValueError("noise: too few values, or no noise in them")
    brightness = max(float(np.median(reference[whole])), 1e-6)
    return NoiseModel((min(variances) / 2) ** 0.5, min(variances) / 2 / brightness)
