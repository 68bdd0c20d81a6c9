"""Which number is black, told by the noise: that of light grows in proportion to it, and from black on."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import ndtri

from kpnviz.capture.displaced_reading import nothing, patches
from kpnviz.capture.frame_stack import FrameStack
from kpnviz.capture.meaning import Input, colors_of
from kpnviz.capture.noise_line import fitted
from kpnviz.capture.noise_patches import PATCH, Patches, seen_alike

PEDESTALS = {
    **dict.fromkeys((16, 32, 64, 100, 128, 256, 512, 1024, 2048), 1.0),
    **dict.fromkeys((50, 200, 500, 600, 1000, 2000), 0.1),
}
"""Numbers that makers of sensors add to counts, so that read noise is not cut off at 0: powers of two most, and 100.
Each with how common it is taken to be, against the most common."""

_COUNTS = 64  # from black to white: numbers of which 1 is a count
_MUCH, _LIFTED = 0.01, 0.03  # of white: what black may be, and the darkest parts are, where that is said
_SURELY = 0.3  # of the typical number: the most that may be unsure of where noise vanishes
_COUNTED = (
    "Read as linear light, not as sRGB: noise grows in proportion to the numbers, as that of counts does."
)
_LEAST_PATCHES = 48
_LOW = 0.002  # quantile of the patches that stands for the darkest parts
_SURE = 5.0  # standard errors
_USUAL_ELECTRONS, _MANY_ELECTRONS, _MOST_ELECTRONS = 2.0, 3.5, 6.0  # of the read noise of a pixel
_ELECTRONS, _LEAST_ELECTRONS, _FACTOR = 2.1, 0.5, 0.3  # median of cameras, the least, spread of the logarithm
_DARK = 0.008  # of the brightest parts: what the darkest are in half of the scenes (39 photos)
_SLACK = 3.0  # standard errors by which the darkest of many patches are too dark
_SHARES = (0.02, 0.1, 0.3, 0.5)  # of the pixels, the darkest; fewer may be dead, or beside what was filled in
_DEVIATIONS = tuple(-float(ndtri(share)) for share in _SHARES)  # of normal noise, below black
_WIDER = 1.2  # times as wide as the noise between frames: pixels differ in their black, too
_UNUSUAL, _NONE = 0.01, 75.0  # how common another number is, as in PEDESTALS, and 0
_SUGGESTED = 10.0  # times as common: a number that the darkest parts are near, as levels.py sees them
_NODES = np.linspace(-2, 2, 21)  # standard errors: where a normal distribution is summed up
_AT_NODES = np.exp(-(_NODES**2) / 2) / np.exp(-(_NODES**2) / 2).sum()


@dataclass(frozen=True)
class BlackFit:
    r"""What the noise says of black, in the unit of the patches.

    .. math:: \mathrm{variance} = \sigma_r^2 + \sigma_s (x - \mathrm{black}) + c\,(x - \mathrm{black})^2

    vanishing   x at which the line of the variance is 0: black - read_std^2 / shot_gain, the least that black can be
    error       its standard error
    darkest     mean of the darkest patches, the most that it can be: no light is negative
    shot_gain   the same as one electron's worth of light, if a sensor counts them
    typical     median of the patches' means
    unsure      standard error of the mean of one of the darkest patches
    brightest   mean of the brightest patches
    low         of the reference's pixels, the numbers below which the shares _SHARES are; empty: not known
    """

    vanishing: float
    error: float
    darkest: float
    shot_gain: float
    typical: float = 1.0
    unsure: float = 0.0
    brightest: float = np.inf
    low: tuple[float, ...] = ()

    @property
    def above_0(self) -> bool:
        """Whether black is above 0, by five standard errors: noise vanishes where there still are numbers."""
        return self.vanishing > _SURE * self.error

    @property
    def proportional(self) -> bool:
        """Whether variance surely grows with the numbers, as that of counts does: from 0 to the typical one it at least
        doubles. (That of sRGB's codes falls, but where light is below a hundredth.)"""
        return (
            self.error < _SURELY * self.typical
            and self._with(_MOST_ELECTRONS) + 2 * self.error > 0
            and self.vanishing - 2 * self.error > -self.typical
        )

    @property
    def range(self) -> tuple[float, float]:
        """Within which black lies, if read noise is that of up to 6 electrons, and no light is negative."""
        low, most = self.vanishing - 2 * self.error, self._with(_MOST_ELECTRONS) + 2 * self.error
        most = min(self.darkest + _SLACK * self.unsure, most, self._most_by_pixels)
        return max(low, 0.0), max(most, low, 0.0)

    @property
    def _most_by_pixels(self) -> float:
        r"""The most that black b may be by the darkest pixels: if all were without light, a share q would be below

        .. math:: x_q = b - z_q \sqrt{\sigma_s (b - \mathrm{vanishing})}

        with z_q of the normal distribution. Light, and that :attr:`low` leaves those out that were cut off at 0, only
        make x_q larger. Solved for b.
        """
        begin = self.vanishing - 2 * self.error
        most = np.inf
        for number, z in zip(self.low, _DEVIATIONS, strict=False):
            half = _WIDER * z * self.shot_gain**0.5 / 2
            most = min(most, begin + (half + (half**2 + max(number - begin, 0)) ** 0.5) ** 2)
        return float(most)

    def _with(self, electrons: float) -> float:
        """Black, if so many electrons are the read noise."""
        return self.vanishing + electrons**2 * self.shot_gain

    def allows(self, black: float) -> bool:
        """Whether black may be this number."""
        low, high = self.range
        return low <= black <= high

    def best(self, whole: bool, scale: int = 1, suggested: float = 0.0) -> float:
        """The most likely black: that of 2 electrons of read noise, or the darkest parts, if those are no brighter than
        with 3.5; of counts (`whole`), times `scale`, rather one of the numbers that makers add, and no other where the
        noise allows 0. Then 0 is taken unless it is far less likely. `suggested` by the darkest parts alone: a number
        that is the more likely for that, but none that the noise excludes."""
        likely = self.darkest if self.darkest < self._with(_MANY_ELECTRONS) else self._with(_USUAL_ELECTRONS)
        likely = float(np.clip(float(f"{likely:.4g}"), *self.range))
        odds: dict[float, float] = {}
        if whole:
            odds = {float(p * scale): self._log_odds(p * scale, often) for p, often in PEDESTALS.items()}
        if suggested in odds:
            odds[suggested] += np.log(_SUGGESTED)
        if self.above_0 or not whole:
            odds[likely] = max(self._log_odds(likely, _UNUSUAL), odds.get(likely, -np.inf))
        if not self.above_0:
            odds[0.0] = self._log_odds(0.0, _NONE)
        return max(filter(self.allows, odds), key=odds.__getitem__, default=likely)

    def _log_odds(self, black: float, often: float) -> float:
        r"""How likely a number is black, as a logarithm, by what else it would mean.

        Light of the darkest parts, a share x of the range, has the density 1 / (1 + x / .008)^2: a scene rarely has no
        dark part, and none is darker than black but by chance. The logarithm of the electrons of read noise that
        :attr:`vanishing` would then mean is normal, and `often` is how common the number is.
        """
        light = self.darkest - black
        dark = -2 * np.log1p(max(light, 0) / (_DARK * max(self.brightest - self.darkest, 1e-9)))
        chance = min(light / max(self.unsure, 1e-9) + _SLACK, 0.0)
        read = np.maximum(
            (black - self.vanishing + self.error * _NODES) / self.shot_gain, _LEAST_ELECTRONS**2
        )
        electrons = _AT_NODES @ np.exp(-np.square(np.log(read**0.5 / _ELECTRONS) / _FACTOR) / 2)
        return float(dark - chance**2 / 2 + np.log(electrons + 1e-6) + np.log(often))

    def scaled(self, factor: float, offset: float) -> BlackFit:
        """Of numbers that are `factor` times light plus `offset`."""
        vanishing, darkest, typical, brightest = (
            factor * value + offset for value in (self.vanishing, self.darkest, self.typical, self.brightest)
        )
        error, shot_gain, unsure = (factor * value for value in (self.error, self.shot_gain, self.unsure))
        low = tuple(factor * number + offset for number in self.low)
        return BlackFit(vanishing, error, darkest, shot_gain, typical, unsure, brightest, low)


def with_black_told(
    stack: FrameStack,
    motion: dict[int, np.ndarray],
    reference: int,
    between: Callable[[], object] = nothing,
) -> FrameStack:
    """The stack with the number of black that the noise of its frames {number: motion} tells, and a sentence on it;
    itself where somebody stated black, or nothing is told.

    Codes of 16 bits of which nothing says that they are sRGB's are read as linear light, if their noise grows in
    proportion to them. (That of sRGB's codes hardly does: the slope of the curve falls as light grows.)
    """
    if len(motion) < 2 or not (stack.black_open or stack.encoding_open):
        return stack
    channel = (
        stack.channels // 2
    )  # green: the sums of several counts that make a luminance have another read noise
    if stack.encoding_open:
        counts = stack.read_as(Input("linear"), _COUNTED, guessed=True)
        try:
            fit = fit_black(patches(counts, channel, motion, reference, between), counts.clipped, reference)
        except ValueError:
            return stack
        return counts if fit.proportional else stack
    now, white = stack.levels or (0.0, 1.0)
    whole = stack.codes.dtype.kind == "u" or white - now >= _COUNTS
    clipped = stack.clipped
    if clipped is not None and stack.codes.dtype.kind == "u":
        clipped = -now / (white - now), clipped[1]
    try:
        light = fit_black(patches(stack, channel, motion, reference, between), clipped, reference)
    except ValueError:
        return stack
    fit = light.scaled(white - now, now)
    if stack.pattern:  # the mean of two photosites has half the noise of one
        fit = replace(fit, shot_gain=fit.shot_gain * len(colors_of(stack.pattern, channel)))
    low, high = (f"{value:.4g}" for value in fit.range)
    # Counts of 12 bits that lie in the upper ones of 16 are 16 times as large.
    unused = int(65536 - white) if stack.codes.dtype == np.uint16 else 0
    black = fit.best(whole, unused if unused in (4, 16, 64) else 1, now)
    if black > 0:
        return stack.with_black(
            black,
            f"Nobody states which number is black. Noise grows in proportion to light; here it does so from black at "
            f"{low} to {high}, of which {black:.4g} is taken. If it is another one, state it (--black).",
        )
    said = ""
    if fit.range[1] > _MUCH * white and fit.darkest > _LIFTED * white:
        said = (
            f"Nobody states which number is black, and no number is near 0. By their noise it may be from 0 to {high}; "
            "0 is taken. If it is another one, state it (--black)."
        )
    return stack.with_black(0.0, said)


def fit_black(
    blocks: Iterable[Patches], clipped: tuple[float, float] | None = None, reference: int = 0
) -> BlackFit:
    r"""Fit the line of noise against brightness without saying where it begins.

    Read noise and black cannot be told apart: a sensor with black at b and the variance :math:`\sigma_r^2` makes the
    numbers of one with black at 0 and :math:`\sigma_r^2 - \sigma_s b`. As no variance is negative, b is at least where
    the line is 0; and at most what the darkest patches are. A third term, in proportion to the square of the light, is
    what pixels that differ in sensitivity leave where the scene moves, and what texture does beyond its own term
    (noise_estimation.estimate_noise); without it, a percent of that looks like a black of 100.
    ValueError where too few patches are neither clipped nor empty.
    """
    blocks = list(blocks)
    if not blocks:
        raise ValueError("black: the frames share no patches")
    low = _darkest_pixels(blocks, reference)
    blocks, samples, intact, _ = seen_alike(blocks, clipped, reference)
    means, texture, floor = samples.means, samples.texture, samples.floor
    variances, degrees, read = samples.weighted
    seen = intact & (variances > 1e-14 * (1 + means**2))
    if seen.sum() < _LEAST_PATCHES:
        raise ValueError(f"black: {int(seen.sum())} patches are neither clipped nor empty")
    means, variances, degrees, texture, floor, read = (
        values[seen] for values in (means, variances, degrees, texture, floor, read)
    )
    darkest, brightest = (float(q) for q in np.quantile(means, (_LOW, 1 - _LOW)))
    typical, span = float(np.median(variances)), max(float(np.median(means)) - darkest, 1e-9)
    light = np.maximum(means - darkest, 0) / span
    line_terms = typical * np.stack([read, light, light**2], axis=1)
    solution, close, terms, spread = fitted(
        line_terms, variances, degrees, texture, floor, (0.5, 0.5, 0.01, 0.05)
    )
    slopes = terms[close] / (terms[close] @ solution * spread[close])[:, None]
    covariance = np.linalg.pinv(slopes.T @ slopes)
    at_darkest, shot_gain = solution[0] * typical, solution[1] * typical / span
    below = at_darkest / shot_gain
    by = np.array([-typical / shot_gain, below / solution[1], 0, 0])
    error = float(np.sqrt(by @ covariance @ by))
    pixels = PATCH**2 * max(len(block.gains) for block in blocks)
    unsure = float((at_darkest / pixels) ** 0.5)
    middle = float(np.median(means))
    return BlackFit(darkest - float(below), error, darkest, float(shot_gain), middle, unsure, brightest, low)


def _darkest_pixels(blocks: Iterable[Patches], reference: int) -> tuple[float, ...]:
    """The numbers below which the shares _SHARES of the reference's pixels are, without those of the least number: they
    were cut off there, or filled in beyond an edge."""
    pixels = np.concatenate(
        [
            block.windows[:, block.numbers.index(reference)].ravel()
            for block in blocks
            if reference in block.numbers
        ]
        or [np.empty(0)]
    )
    pixels = pixels[pixels > pixels.min(initial=np.inf)]
    return tuple(float(number) for number in np.quantile(pixels, _SHARES)) if pixels.size else ()
