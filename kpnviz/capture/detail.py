"""Whether a denoised picture is farther from the scene than the noisy frame that it was made of."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kpnviz.capture.own_burst import OwnBurst
from kpnviz.noise import NoiseModel

NEARER = "the frame itself is likely nearer to the scene"
"""What a sentence of :func:`lost_detail` says, and no other."""

_WORSE = 1.1  # times the noise's variance; see lost_detail
_USUAL_WEIGHT = 1 / 8  # of the reference's own pixel, where it is not known: that of a mean of 8 frames
_STRAY = 0.998  # quantile of the squared differences: the largest are hot pixels, taken away rightly
_SAMPLED = 1_000_000  # pixels


def lost_detail(
    picture: np.ndarray,
    burst: OwnBurst,
    channels: Sequence[int],
    noises: Sequence[NoiseModel],
    own_weight: float | None,
) -> str:
    r"""A sentence where a picture [C, H, W] in linear light is worse than the reference frame; else nothing.

    The frame is scene plus noise, x = y + n, and the picture z gives the pixel itself the weight w, so that w n is in
    its error z - y. That follows from what is seen without the scene (Stein: Estimation of the mean of a multivariate
    normal distribution, 1981):

    .. math:: E (z - y)^2 = E (z - x)^2 - \sigma^2 + 2 E (z - y) n,\quad E (z - y) n \approx w \sigma^2

    Where that is more than :math:`1.1 \sigma^2`, the picture's error is more than the frame's. It is asked of the
    channels together, up to a million pixels of each that are not clipped, with the variance that `noises` have at the
    picture's brightness, or where the burst shows more noise, with that; no pixel's difference counts more than that of
    the 2 in 1000 that differ most.

    own_weight   w, on the average over the noise (Estimate.own_weight); None: it is not known

    Kernels follow the noise, too, but that adds little: for MKPN E (z - y) n was w + .02.
    """
    own_weight = _USUAL_WEIGHT if own_weight is None else own_weight
    seen = [
        (plane, channel, [noise]) for plane, channel, noise in zip(picture, channels, noises, strict=True)
    ]
    error, variance = _error(seen, burst, own_weight)
    if error > _WORSE * variance:
        # Rarely, so that the noise may be estimated once more: where it is stronger than assumed, much of it is left.
        seen = [(plane, channel, [*noise, *_shown(burst, channel)]) for plane, channel, noise in seen]
        error, variance = _error(seen, burst, own_weight)
    if error <= _WORSE * variance:
        return ""
    if variance == 0:
        return f"No noise is assumed, and the picture is not the reference frame: {NEARER}. If there is some, state it"
    times = (error / variance) ** 0.5
    return (
        f"The picture's error is about {times:.2g} times the noise of the reference frame: {NEARER}. There is hardly "
        "any noise, or the frames do not show the same. If the noise is stronger than is assumed, state it"
    )


def _error(
    seen: Sequence[tuple[np.ndarray, int, Sequence[NoiseModel]]], burst: OwnBurst, own_weight: float
) -> tuple[float, float]:
    """The mean squared error of (plane, channel, noises) and the variance of the strongest of the noises."""
    stack = burst.stack
    step = max(1, stack.height * stack.width // _SAMPLED)
    rows = slice(0, stack.height, step)
    low, high = stack.clipped or (-np.inf, np.inf)
    squares, variances = [], []
    for plane, channel, noises in seen:
        frame = stack.light(burst.reference, channel, rows, slice(0, stack.width))
        whole = (frame > low) & (frame < high)
        values = plane[rows][whole]
        squares.append(np.square(values - frame[whole], dtype=np.float64))
        variances.append(np.max([noise.std_map(values) for noise in noises], axis=0) ** 2)
    differs = np.concatenate(squares)
    if not differs.size:
        return 0.0, 0.0
    variance = float(np.concatenate(variances).mean(dtype=np.float64))
    most = float(np.minimum(differs, np.quantile(differs, _STRAY)).mean())
    return most - (1 - 2 * own_weight) * variance, variance


def _shown(burst: OwnBurst, channel: int) -> list[NoiseModel]:
    """The noise that the frames show, none if none can be seen: of that between them and that within the reference the
    less, as what else differs only adds to either."""
    try:
        fit = burst.estimate_noise(channel)
    except ValueError:
        return []
    brightness = np.median(fit.means)
    found = [fit.noise] if fit.alone is None else [fit.noise, fit.alone.noise]
    return [min(found, key=lambda noise: float(noise.std_map(brightness)))]
