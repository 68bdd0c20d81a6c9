"""Whether a denoised picture is farther from the scene than the noisy frame that it was made of."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kpnviz.capture.frame_stack import FrameStack
from kpnviz.noise import NoiseModel

_WORSE = 2.0  # times the noise's variance; see lost_detail
_STRAY = 0.998  # quantile of the squared differences: the largest are hot pixels, taken away rightly
_SAMPLED = 1_000_000  # pixels


def lost_detail(
    picture: np.ndarray,
    stack: FrameStack,
    reference: int,
    channels: Sequence[int],
    noises: Sequence[NoiseModel],
) -> str:
    r"""A sentence where a picture [C, H, W] in linear light is worse than the reference frame; else nothing.

    The frame is scene plus noise, x = y + n; the picture z differs from it by z - x = (z - y) - n. A network leaves a
    part of the noise, if any, in the picture's error z - y:

    .. math:: E (z - x)^2 = E (z - y)^2 + \sigma^2 - 2 E (z - y) n,\quad E (z - y) n \ge 0

    Where that is more than :math:`2 \sigma^2`, the picture's error is more than the frame's. It is asked of the
    channels together, up to a million pixels of each, with the variance that `noises` have at the picture's brightness.
    """
    step = max(1, picture.shape[1] * picture.shape[2] // _SAMPLED)
    rows = slice(0, stack.height, step)
    squares, variances = [], []
    for plane, channel, noise in zip(picture, channels, noises, strict=True):
        frame = stack.light(reference, channel, rows, slice(0, stack.width))
        squares.append(np.square(plane[rows] - frame, dtype=np.float64))
        variances.append(noise.read_std**2 + noise.shot_gain * np.maximum(plane[rows], 0))
    differs, noisy = np.stack(squares), np.stack(variances)
    near = differs <= np.quantile(differs, _STRAY)
    most, by_noise = float(differs[near].mean()), float(noisy[near].mean())
    if by_noise <= 0 or most <= _WORSE * by_noise:
        return ""
    return (
        f"The picture differs from the reference frame by {(most / by_noise) ** 0.5:.2g} times that frame's noise: it "
        "has lost detail, and the frame itself is nearer to the scene. If the noise is stronger than that, state it"
    )
