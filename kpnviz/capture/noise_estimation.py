"""The noise of a burst, estimated from the burst itself: variance against mean, and a line through it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from kpnviz.capture.frame_noise import FrameVariances, light_of, unlike_frames, variances_alone
from kpnviz.capture.noise_line import UNSURE, Samples, first_line, left_by_texture, refined
from kpnviz.noise import NoiseModel
from kpnviz.threads import results

PATCH = 8
"""Side of a patch in pixels: large enough for a variance, small enough to be of one brightness."""

AROUND = 1
"""Pixels around a patch that are read with it: those of its mean picture explain shifts."""

_LEAST_PATCHES = 24
_LEAST_VALUES, _MAD = 16, 1.4826  # of a crude estimate; standard deviations in the median of absolute values
_ALIKE = 0.5  # share of a frame's patches that are those of the first one, to the last digit
_CLIPPED = 0.02  # share of clipped values that a patch may have
_ROUNDING = 1e-14  # variance that single precision leaves between equal pictures
_DEPENDENT = 1e-9  # of the largest eigenvalue: regressors that are sums of others
_TELLING = 64  # differences that are needed for each combination of frames to tell them apart
_FLAT, _FLAT_DEVIATE = (
    0.125,
    1.15,
)  # quantile of patches by their variance; of a normal distribution, below its mean
_FAR = 1.5  # times: a noise that is stated differs so much from what the frames show
_DISAGREEING = 1.3  # times the standard deviation that one frame shows
_CURVED = 12.0  # variance of the sum of two second differences (1, -2, 1) of white noise
_TELLS = 0.25  # of the most degrees of freedom: patches with fewer do not decide
_LOOKS = 3  # at frames of unlike noise: its line tells how much light that takes, which tells the line
_QUIET = 8  # a combination of frames counts by 1 / variance to this power


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
                f"is averaged away less: networks do best if they assume {self.told:.2g} times what single pixels show "
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


@dataclass(frozen=True, eq=False)
class Patches:
    """Patches of a block of the picture, each as N aligned frames show it.

    windows    [P, N, 10, 10]: 8x8 pixels with one pixel around, linear intensity
    places     [P, 2] row and column of each in the block, counted in patches
    gains      [N], by which the frames were divided
    bent       whether the frames turn or zoom so much that shifts differ within a patch
    frames     [N], their numbers in the burst; None: 0 to N - 1
    exposures  [N], how much light each has gathered, as its noise tells; None: as much as `gains` say
    """

    windows: np.ndarray
    places: np.ndarray
    gains: np.ndarray
    bent: bool = False
    frames: tuple[int, ...] | None = None
    exposures: np.ndarray | None = None

    @property
    def numbers(self) -> tuple[int, ...]:
        return tuple(range(len(self.gains))) if self.frames is None else self.frames

    def of_light(self, unlike: Mapping[int, float], read_share: float) -> Patches:
        """The same where some frames have so many times the reference's variance, of which that share is read noise's;
        those that have 0 left out."""
        told = [unlike.get(number, np.nan) for number in self.numbers]
        light = np.array([light_of(v, read_share) if v > 0 else v for v in told])
        light = np.where(np.isnan(light), self.gains, light)
        kept = np.flatnonzero(light)
        frames = tuple(self.numbers[n] for n in kept)
        return Patches(self.windows[:, kept], self.places, self.gains[kept], self.bent, frames, light[kept])

    @classmethod
    def of(cls, block: np.ndarray, gains: np.ndarray | None = None) -> Patches:
        """Those of frames [N, h, w] that need no further alignment; beyond the edge pixels are those at the edge."""
        padded = np.pad(block, [(0, 0), (AROUND, AROUND), (AROUND, AROUND)], mode="edge")
        views = np.lib.stride_tricks.sliding_window_view(padded, [PATCH + 2 * AROUND] * 2, axis=(1, 2))
        views = views[:, ::PATCH, ::PATCH]  # [N, rows, columns, 10, 10]
        rows, columns = np.indices(views.shape[1:3])
        return cls(
            views.reshape(len(block), -1, *views.shape[3:]).swapaxes(0, 1),
            np.stack([rows.ravel(), columns.ravel()], axis=1),
            np.ones(len(block)) if gains is None else gains,
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


def measured(
    patches: Patches, clipped: tuple[float, float] | None
) -> tuple[Samples, np.ndarray, FrameVariances]:
    """What the patches of a block show, which of them are intact, [P] bool, and each frame's noise in these."""
    windows = patches.windows.astype(np.float64)
    light = patches.gains if patches.exposures is None else patches.exposures
    black = patches.places.sum(axis=1) % 2 == 0
    P, N = windows.shape[:2]
    mean = np.tensordot(windows, light / light.sum(), axes=(1, 0))  # [P, 10, 10]
    means = mean[:, AROUND:-AROUND, AROUND:-AROUND].mean(axis=(1, 2))
    side = 2 * AROUND + 1
    around = np.lib.stride_tricks.sliding_window_view(mean - means[:, None, None], (side, side), axis=(1, 2))
    regressors = np.ones((P, PATCH**2, 1 + side**2 + 4 * patches.bent))
    taps = regressors[..., 1 : 1 + side**2]
    taps[:] = around.reshape(P, PATCH**2, -1)
    if patches.bent:
        y, x = ((np.indices((PATCH, PATCH)) - (PATCH - 1) / 2) / PATCH).reshape(2, -1, 1)
        slopes = taps[..., [7, 5]] - taps[..., [1, 3]]
        regressors[..., -4:-2], regressors[..., -2:] = y * slopes, x * slopes
    values, vectors = np.linalg.eigh(regressors.swapaxes(1, 2) @ regressors)
    independent = values > _DEPENDENT * values[:, -1:]
    scale = np.where(independent, np.maximum(values, 1e-300) ** -0.5, 0)
    basis = (regressors @ vectors) * scale[:, None]  # orthonormal, [P, 64, 10 or 14]
    # N - 1 orthonormal combinations of the frames in which the scene cancels.
    scene = light**0.5 / light.sum() ** 0.5
    combinations = np.linalg.qr(np.eye(N) - np.outer(scene, scene))[0][:, : N - 1]
    inner = windows[:, :, AROUND:-AROUND, AROUND:-AROUND].reshape(P, N, -1)
    differences = (inner.swapaxes(1, 2) * light**0.5) @ combinations  # [P, 64, N - 1]
    rest = differences - basis @ (basis.swapaxes(1, 2) @ differences)
    free = PATCH**2 - independent.sum(axis=1)
    # The mean of the pixels' variances that is left is that at the mean of their brightness, each with as much as is
    # left of it: the bright ones of a patch with an edge are explained best.
    left = 1 - (basis**2).sum(axis=-1)
    effective_means = means + (left * taps[..., 4]).sum(axis=1) / left.sum(axis=1)

    variances, weights, read = (np.empty((P, N - 1)) for _ in range(3))
    for half in (black, ~black):
        weights[half], axes = _quiet(rest[~half], free[~half])
        variances[half] = np.square(rest[half] @ axes).sum(axis=1) / free[half, None]
        read[half] = ((combinations @ axes) ** 2 / light[:, None]).sum(axis=0)

    yy, xx = (taps[..., 4 - k] - 2 * taps[..., 4] + taps[..., 4 + k] for k in (side, 1))
    texture, floor = (yy**2 + xx**2).mean(axis=1), np.full(P, _CURVED / light.sum())
    intact = np.ones(P, dtype=bool)
    if clipped is not None:
        low, high = (np.float32(end) / patches.gains[:, None].astype(np.float32) for end in clipped)
        intact = ((inner <= low) | (inner >= high)).mean(axis=(1, 2)) <= _CLIPPED
    samples = Samples(
        effective_means, free, texture, floor, variances, read, weights, black.astype(int), patches.places
    )
    beside = np.square(rest @ combinations.T).sum(axis=1) / free[:, None] / light
    alone = variances_alone(windows[:, :, AROUND:-AROUND, AROUND:-AROUND])
    of_frames = FrameVariances(
        patches.numbers,
        patches.gains,
        *(beside[intact], alone[intact], texture[intact], means[intact]),
        floor=float(floor[0]),
    )
    return samples, intact, of_frames


def seen_alike(
    blocks: Sequence[Patches], clipped: tuple[float, float] | None, reference: int
) -> tuple[list[Patches], Samples, np.ndarray, dict[int, float]]:
    """What blocks show, with the light that each frame has gathered, if its noise tells of another than its brightness.

    The blocks, with that light, without frames that were smoothed, and with two frames at least; their samples, and
    which are intact; and the frames that are unlike (:func:`kpnviz.capture.frame_noise.unlike_frames`).
    """

    def look_at(block: Patches) -> tuple[Samples, np.ndarray, FrameVariances]:
        return measured(block, clipped)

    seen, unlike, brightness, read_share = list(blocks), dict[int, float](), 0.0, 0.0
    for number in range(_LOOKS):
        of_blocks = results(look_at, seen)
        samples = together([samples for samples, *_ in of_blocks])
        intact = np.concatenate([intact for _, intact, _ in of_blocks])
        if number == 0:
            unlike, brightness = unlike_frames([frames for *_, frames in of_blocks], reference)
        if not unlike or number == _LOOKS - 1:
            break
        if number:
            some = intact & (samples.weighted[0] > 0)
            noise, _, _ = first_line(samples, some)
            of_read, of_shot = noise.read_std**2, noise.shot_gain * max(brightness, 0)
            read_share = of_read / max(of_read + of_shot, 1e-30)
        told = [block.of_light(unlike, read_share) for block in blocks]
        seen = [block for block in told if len(block.gains) > 1]
    return seen, samples, intact, unlike


def together(blocks: list[Samples]) -> Samples:
    """The samples of all blocks: each has its own combinations, and no neighbors in another."""
    most = max(block.read.shape[1] for block in blocks)

    def wide(values: np.ndarray) -> np.ndarray:
        return np.pad(values, [(0, 0), (0, most - values.shape[1])])

    top, parts = 0, []
    for number, block in enumerate(blocks):
        places = block.places + np.array([top, 0])
        top = int(places.max(axis=0)[0]) + 2
        parts.append(
            (
                *(block.means, block.free, block.texture, block.floor),
                *(wide(values) for values in (block.variances, block.read, block.weights)),
                *(block.group + 2 * number, places),
            )
        )
    return Samples(*(np.concatenate(values) for values in zip(*parts, strict=True)))


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
    weights = (least / variances) ** _QUIET
    return weights / weights.sum(), axes
