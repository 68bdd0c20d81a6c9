"""The noise of each frame of a burst, where it is not as the frame's brightness says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import median_filter

SMOOTHED = 1 / 16
"""Of the variance of other frames: less is no longer time or lower sensitivity, but the work of a filter."""

_FEWEST = 3  # frames: two differ by their noise together
_FLATTEST, _ENOUGH = 0.25, 200  # share of the patches that tell, and so many at least
_TEXTURED = 2.4  # times the texture that noise alone has: the flattest patches of scenes that tell nothing
_ALIKE = 31  # patches of about one brightness
_UNLIKE = 1.6  # times the variance that a frame's brightness says; scenes without flat patches reach 1.45
_LEAST = 1e-3  # of variances, relative


@dataclass(frozen=True, eq=False)
class FrameVariances:
    """What the patches of a block show of the noise of each frame.

    frames    [N] their numbers in the burst
    gains     [N] by which they were divided
    beside    [P, N] variance of the frame's difference from the frames' mean, weighted by their gains, and as far as
              the mean's pixels do not explain it
    alone     [P, N] variance within the frame: of (p + q - r - s) / 2 in each 2x2 pixels, p and q on a diagonal
    texture   [P] mean square of the second differences of the mean picture
    means     [P] intensity
    floor     what noise has of `texture`, as a multiple of its variance
    """

    frames: tuple[int, ...]
    gains: np.ndarray
    beside: np.ndarray
    alone: np.ndarray
    texture: np.ndarray
    means: np.ndarray
    floor: float


def variances_alone(windows: np.ndarray) -> np.ndarray:
    """`alone` of :class:`FrameVariances`: of patches [P, N, h, w] with an even number of pixels a side."""
    p, r, s, q = (windows[..., y::2, x::2] for y in (0, 1) for x in (0, 1))
    return np.asarray(np.square((p + q - r - s) / 2).mean(axis=(2, 3)))


def of_differences(beside: np.ndarray, weights: np.ndarray) -> np.ndarray:
    r"""Variances v [N] of frames by those of their differences from their mean of weights w, d and w [N].

    .. math:: d_i = (1 - 2 w_i)\, v_i + \sum_j w_j^2 v_j

    for frames whose noise is independent: as many equations as variances. None is below 1/1000 of the mean d.
    """
    found = np.linalg.solve(np.diag(1 - 2 * weights) + weights**2, beside)
    return np.asarray(np.maximum(found, _LEAST * beside.mean()))


def light_of(ratio: float, read_share: float) -> float:
    r"""Light h of a frame that has this ratio of another's variance, of which that share r is read noise's.

    .. math:: r / h^2 + (1 - r) / h = \mathrm{ratio}
    """
    if read_share < _LEAST:
        return 1 / ratio
    shot_share = 1 - read_share
    return 2 * read_share / ((shot_share**2 + 4 * read_share * ratio) ** 0.5 - shot_share)


def unlike_frames(blocks: Sequence[FrameVariances], reference: int) -> tuple[dict[int, float], float]:
    """How many times the reference's variance that of other frames is, where their brightness says otherwise.

    A frame of gain g has gathered g times the light: divided by g, its shot noise has 1 / g of the variance, its read
    noise 1 / g^2. What lies outside of the two by more than a factor of 1.6 is told: an amplified frame has 1, one of
    the same brightness in half the time at twice the sensitivity 2 to 4. 0 stands for a frame that was smoothed, with
    less than a sixteenth; if that is the reference, others are compared with the middle one of them.

    Seen in the flattest quarter of the patches in which most frames are, 200 at least, as the median of each frame over
    what patches of that brightness have; and twice, as neither is free of the scene: between the frames, where
    sub-pixel shifts of texture remain, and within each, where frames that are less sharp have less. Whichever is closer
    to what brightness says counts. Nothing is told where even the flattest patches have much texture.

    Returns these ratios, and the brightness at which they are.
    """
    sets = Counter[tuple[int, ...]]()
    for block in blocks:
        sets[block.frames] += len(block.texture) * (len(block.frames) - 1)
    frames = max(sets, key=sets.__getitem__, default=())
    if len(frames) < _FEWEST or reference not in frames:
        return {}, 0.0
    same = [block for block in blocks if block.frames == frames]
    beside, alone, texture, means = (
        np.concatenate([getattr(block, name) for block in same])
        for name in ("beside", "alone", "texture", "means")
    )
    total = beside.mean(axis=1)
    if not (total > 0).any():
        return {}, 0.0
    flatness = texture / np.maximum(same[0].floor * total, 1e-30)
    share = max(_FLATTEST, min(_ENOUGH / len(flatness), 1))
    flat = (flatness <= np.quantile(flatness, share)) & (total > 0)
    if np.median(flatness[flat]) > _TEXTURED:
        return {}, 0.0
    order = np.flatnonzero(flat)[np.argsort(means[flat])]
    gains, at = same[0].gains, frames.index(reference)

    def typical(values: np.ndarray) -> np.ndarray:
        """Of each frame over what is usual at that brightness: not over the patch's own, on which chance has worked."""
        usual = median_filter(values[order].mean(axis=1), _ALIKE, mode="nearest")
        return np.asarray(np.median(values[order] / np.maximum(usual, 1e-30)[:, None], axis=0))

    seen = np.stack(
        [of_differences(typical(beside), gains / gains.sum()), np.maximum(typical(alone), _LEAST)]
    )
    if SMOOTHED * np.median(np.delete(seen, at, axis=1), axis=1).min() > seen[:, at].max():
        at = int(np.argsort(np.where(np.arange(len(frames)) == at, np.inf, seen[0]))[(len(frames) - 1) // 2])
    g = gains / gains[at]
    low, high = np.log(np.minimum(1 / g, g**-2.0)), np.log(np.maximum(1 / g, g**-2.0))
    ratios = np.log(seen / seen[:, at, None])
    beyond = ratios - np.clip(ratios, low, high)
    less = np.where(beyond[0] * beyond[1] > 0, np.abs(beyond).min(axis=0), 0)
    closer = np.exp(ratios[np.abs(beyond).argmin(axis=0), np.arange(len(frames))])
    if (closer >= SMOOTHED).sum() < 2:  # no two are left to compare
        closer = np.maximum(closer, SMOOTHED)
    unlike = {
        number: 0.0 if closer[n] < SMOOTHED else float(closer[n])
        for n, number in enumerate(frames)
        if less[n] > np.log(_UNLIKE)
    }
    return unlike, float(np.median(means[flat]))
