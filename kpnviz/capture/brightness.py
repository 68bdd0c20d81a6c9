"""How bright the frames of a burst are: one gain a frame, or one a channel where colors drift.

A frame's light is divided by its gain when it is read, and its noise with it. Networks are told one noise model, that
of the reference: darker frames, which have more noise, then match worse and weigh less, as they should. (With each
frame's own noise in the costs of matching, MKPN lost .1 to .4 dB on bursts of +-1 EV.) What a brighter frame shows as
white is darker than the scene, so that matching gives it little weight, too. Other values in its place were worse:
those of other frames, which networks then count twice, by .1 to .4 dB, and black by .4 to .5 dB.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kpnviz.sampling import box_reduce

BRACKETED = 1 / 2
"""EV between the darkest and the brightest frame from which a burst counts as bracketed."""

OTHER_BRIGHTNESS = 0.1
"""EV: frames that differ by more are cut off alike before they are compared."""

BELOW_WHITE = 0.9
"""Of white: means of pixels that lie beyond hold some that are cut off."""

_ALIKE = 1 / 6  # EV: exposures that count as the middle one
_SMALL = 4  # pixels a side that overviews are reduced by, against noise
_QUANTILES = np.linspace(0.05, 0.95, 19)
_DARK = 0.01  # of the largest quantile: smaller ones are noise, or what was added to all of a picture
_LEAST_SLOPE = 1.0  # of logarithms of quantiles
_UNSURE = 0.05  # EV: so small a difference may come from what moves into the picture; aligned frames tell
_BELIEVED = 1.5  # factor by which stated exposures may differ from what the pictures say
_BLOCK = 16  # pixels
_CLIPPED = 0.02  # share of clipped pixels that a block may have
_FEWEST = 8  # blocks
_ROUNDS = 8
_LEAST, _LEAST_COLOR = 0.005, 0.01  # a smaller difference of brightness, or between colors, is none
_SURE = 4.0  # standard errors: nor is one of fewer


def first_gains(
    overviews: Sequence[np.ndarray],
    exposures: Sequence[float | None] = (),
    clipped: tuple[float, float] | None = None,
) -> np.ndarray:
    """How many times as bright as frame 0 the frames are, before anything is aligned: [N].

    Weighted medians of the ratios of quantiles of their overviews [h, w], those near white left out. Where a share e of
    a picture moves out of it and as much of other brightness into it, its quantile Q of the share p of the pixels
    changes by a factor of exp(e d ln Q / dp) or so; the weight of a ratio is the inverse square of that slope, as of
    standard deviations. It is small where few pixels lie, as between the brightness of a room and of its window. Less
    than .05 EV is 0: by so much it may be off, and gains that are 1 % off make the noise that is found 6 % larger.

    Where files state exposures, these, but where those are off by more than a factor of 1.5, to the same side, by more
    than three quarters of the weight.
    """
    small = [box_reduce(image, min(_SMALL, *image.shape)) for image in overviews]
    quantiles = np.array([np.quantile(image, _QUANTILES) for image in small])
    white = np.inf if clipped is None else BELOW_WHITE * clipped[1]
    told = (quantiles > np.maximum(_DARK * quantiles[:, -1:], 0)) & (quantiles < white)
    logs = np.log(np.where(quantiles > 0, quantiles, np.finfo(float).tiny))
    slopes = np.maximum(np.gradient(logs, _QUANTILES, axis=1), _LEAST_SLOPE)
    quartiles = np.array([[-np.inf, 0, np.inf]] * len(small))  # of the logarithms of the gains
    quartiles[0] = 0
    for i in range(1, len(small)):
        both = told[0] & told[i]
        if both.any():
            ratios, weights = (logs[i] - logs[0])[both], 1 / (slopes[0] + slopes[i])[both] ** 2
            quartiles[i] = np.quantile(ratios, (0.25, 0.5, 0.75), weights=weights, method="inverted_cdf")
    quartiles[np.abs(quartiles[:, 1]) < _UNSURE * np.log(2), 1] = 0
    low, gains, high = np.exp(quartiles).T
    stated = stated_gains(exposures)
    if len(stated) != len(gains):
        return gains
    far = (low > _BELIEVED * stated) | (high < stated / _BELIEVED)
    return np.where(far, gains, stated)


def stated_gains(exposures: Sequence[float | None]) -> np.ndarray:
    """Exposures relative to that of frame 0; empty where a file does not state its own."""
    known = [value for value in exposures if value]
    return np.array(known) / known[0] if known and len(known) == len(exposures) else np.empty(0)


def middle_exposure(gains: np.ndarray) -> np.ndarray:
    """Which frames of a bracketed burst have the middle exposure; all, where brightness hardly differs: bool [N]."""
    ev = np.log2(gains)
    if np.ptp(ev) < BRACKETED:
        return np.ones(len(ev), dtype=bool)
    middle = np.sort(ev)[(len(ev) - 1) // 2]
    return np.asarray(np.abs(ev - middle) <= _ALIKE)


def fit_gains(
    reference: np.ndarray, frame: np.ndarray, lost: np.ndarray, first: float = 1.0
) -> np.ndarray | None:
    """How many times as bright as the reference a frame is, that was laid onto it, in each channel: [C]; or None.

    reference, frame   [C, h, w], linear intensity, the frame already divided by a `first` guess of its gain
    lost               [h, w], whether a pixel is clipped in either

    With a, b the means of blocks of 16x16 pixels, k = sum w b / sum w a, where blocks that differ by more than most do
    from b = k a count less (Cauchy). A ratio of sums, not a regression, which noise in a would pull to 0. All channels
    have one k, unless theirs differ from it by more than 1 % and four standard errors; and a k that differs from 1 by
    less than .5 % or that is 1. None: too few blocks are bright enough and not clipped.
    """
    block = min(_BLOCK, *lost.shape)
    kept = box_reduce(lost.astype(np.float32), block) <= _CLIPPED
    a, b = (
        np.stack([box_reduce(x, block)[kept].astype(np.float64) for x in planes])
        for planes in (reference, frame)
    )
    common = _ratio(a.sum(axis=0), b.sum(axis=0))
    if common is None:
        return None
    k, error = common
    gains = np.full(len(a), first * k if abs(first * k - 1) > max(_LEAST, _SURE * first * error) else 1.0)
    each = [_ratio(*pair) for pair in zip(a, b, strict=True)]
    if len(a) > 1 and any(
        one is not None and abs(one[0] / k - 1) > max(_LEAST_COLOR, _SURE * one[1] / k) for one in each
    ):
        gains = np.array([gains[0] if one is None else first * one[0] for one in each])
    return gains


def _ratio(a: np.ndarray, b: np.ndarray) -> tuple[float, float] | None:
    """The robust ratio of b to a, [P] each, and its standard error."""
    if len(a) < _FEWEST or not np.median(a) > 0 or not np.median(b) > 0:
        return None
    bright = a >= np.median(a)
    k = float(np.median(b[bright] / a[bright]))
    error = 0.0
    for _ in range(_ROUNDS):
        rest = b - k * a
        scale = 2 * float(np.median(np.abs(rest))) + 1e-12
        weight = 1 / (1 + (rest / scale) ** 2)
        k = float((weight * b).sum() / (weight * a).sum())
        error = float(((weight * rest) ** 2).sum() ** 0.5 / (weight * a).sum())
    return (k, error) if k > 0 else None


def ceiling(sheets: Sequence[np.ndarray]) -> float | None:
    """The value at which floating-point frames are cut off: the largest, where many pixels have it; else None."""
    top = max(float(sheet.max()) for sheet in sheets)
    ties = sum(int((sheet == top).sum()) for sheet in sheets)
    return top if top > 0 and ties > max(16, 1e-4 * sum(sheet.size for sheet in sheets)) else None
