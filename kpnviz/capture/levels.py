"""Which numbers are black and white, told by the numbers themselves: of linear light and of counts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

NATURAL_WHITES = (1, 255, 1023, 4095, 16383, 32767, 65535)
"""Of intensities, and of counts of 8, 10, 12, 14, 15 (signed 16) and 16 bits."""

MOST_BITS = 32  # of counts: limits.MAX_COUNT

PEDESTALS = (64, 100, 128, 256, 512, 1024, 2048)
"""What sensors add, so that read noise is not cut off at 0."""

FEW_COUNTS = 256
"""Codes of 16 bits that are all below are counts, of which none is cut off: as an sRGB code it would be black."""

_COUNTS = (10, 12, 14)  # bits of sensors whose counts lie in 16
_HIGH = 0.999  # quantile that stands for the brightest numbers: the largest may be a hot pixel, or noise
_BY_NOISE = 3.09  # standard deviations: where that quantile of even light is
_EVEN = 0.1  # share of the patches that are even
_BEYOND = 1.15  # times white that the brightest numbers reach, with their noise
_BEYOND_ALONE = 1.08  # and without
_LARGEST = 1.25  # times white that it takes a code of 16 bits to
_NOISY_BITS = (
    12  # up to so many: sRGB codes below 8 % of white are black, those below 30 % may be a dark picture
)
_HIGHLIGHTS = 0.9  # share of the patches that are below white where the others are highlights
_NEARLY = 1.05  # times white: below, all but
_MOST_LIGHT = 16.0  # of highlights
_LEAST_LIGHT = 1e-3  # less is black on a screen
_LEAST_COUNTS = 64.0  # below, 255 is no white: a picture would be black
_SAMPLED = 2_000_000  # numbers
_PATCH, _BANDS = 8, 64  # px; rows of patches
_CURVED = 6.0  # variance of a second difference (1, -2, 1) of white noise
_DEEP, _FEW, _SLIGHT = 1.0, 0.005, 0.01  # noise std below black; share of patches; share of the range
_STRAY = 0.005  # quantile that stands for the smallest numbers: others are dead pixels, or noise cut off at 0
_LOW = 0.002  # quantile of the patches that stands for the darkest
_LIFTED, _FAR = 0.03, 0.05  # of the range: where the darkest parts do not reach 0; where that is said
_SPREAD = 0.1  # of the darkest parts: where numbers are below, they are too noisy to tell
_LEAST_SHOWN, _NEARLY_ALL = 0.001, 0.98  # light that sRGB shows as 3 of 255; share of the pixels
_NEAR = (0.9, 1.2)  # times a pedestal: where the darkest parts are with it


@dataclass(frozen=True)
class Levels:
    """black, white   None: 0, and the largest that there can be (floating point: 1), as usual
    why      how white is told;  more   a sentence on black, or nothing"""

    black: float | None = None
    white: float | None = None
    why: str = ""
    more: str = ""


def find_levels(codes: np.ndarray, largest: float, used_bits: int, counts: int) -> Levels:
    """Black and white of frames [N, C, H, W] that hold linear light, or codes of 16 bits that may be counts.

    largest    of all numbers;  used_bits  that are 1 in any of them, of integers
    counts     bits without the sign of the integers that floating-point codes were; 0: they were none
    """
    numbers = _some(codes)
    if not numbers.size:
        return Levels()
    typical, bright, high = _brightest(codes, numbers)
    below = _below(codes, numbers, 0.0)
    black = _rounded(_darkest(codes)) if below else None
    why = ""
    white: float | None = None
    if codes.dtype.kind == "f":
        base = black or 0.0
        white, why = _white_of_numbers(typical - base, bright - base, high - base, counts)
        if black is not None:
            more = (
                f"{below}: black is taken to be at {black:g}, and added again to what --float writes. If it is "
                "elsewhere, state it (--black)."
            )
            return Levels(black, black + (white or 1.0), why, more)
    elif codes.dtype == np.uint16 and largest < FEW_COUNTS:
        white, why = _white_of_numbers(typical, bright, high, 16)
    elif codes.dtype == np.uint16:
        white, why = _white_of_codes(high, largest, used_bits)
    black, more = _pedestal(codes, numbers, high, whole=codes.dtype.kind == "u" or counts > 0)
    return Levels(black, white, why, more)


def below_black(codes: np.ndarray, black: float) -> str:
    """A sentence where parts of frames [N, C, H, W] are below black by more than their noise; else nothing."""
    numbers = _some(codes)
    below = _below(codes, numbers, black) if numbers.size else ""
    return below and f"{below}; networks know no light below black: state a lower one (--black)."


def shade_of(picture: np.ndarray, white_level: float = 1.0) -> str:
    """What to say where nearly all of a picture [C, H, W] in linear light is shown black, or white; else nothing."""
    for name, share in (
        ("black", (picture < _LEAST_SHOWN * white_level).mean()),
        ("white", (picture >= white_level).mean()),
    ):
        if share > _NEARLY_ALL:
            return f"{100 * float(share):.3g} % of the picture is {name}"
    return ""


def _some(codes: np.ndarray) -> np.ndarray:
    """Rows from all over the frames, flat."""
    N, C, H, W = codes.shape
    rows = max(1, min(H, _SAMPLED // max(1, N * C * W)))
    return codes[:, :, np.linspace(0, H - 1, rows).astype(int)].ravel()


def _brightest(codes: np.ndarray, numbers: np.ndarray) -> tuple[float, float, float]:
    """The 90 % quantile of the patches, and the 99.9 % one of all numbers less what noise adds to it, and as it is.

    Where a sky is near white, a tenth of the numbers and more are above it by noise alone.
    """
    high = float(np.quantile(numbers, _HIGH))
    means, noise = _patches(codes)
    if not means.size:
        return float(np.quantile(numbers, _HIGHLIGHTS)), high, high
    typical, brightest = (float(q) for q in np.quantile(means, (_HIGHLIGHTS, _HIGH)))
    noise_there = float(np.quantile(noise[means >= typical], _EVEN))  # others hold texture
    return typical, min(max(brightest, high - _BY_NOISE * noise_there), high), high


def _white_of_numbers(typical: float, bright: float, high: float, counts: int) -> tuple[float | None, str]:
    """White of numbers of which :func:`_brightest` found these, black taken off; None: 1, as usual.

    Integers in more bits than they need have the largest of 8, 10, 12 ... bits that the brightest reach: so frames of
    one instrument most often have one white, whatever they show.
    """

    def within(white: float) -> bool:
        return high <= _BEYOND * white or (not counts and bright <= _BEYOND_ALONE * white)

    highlights = typical <= _NEARLY and bright <= _MOST_LIGHT
    if high <= 0 or (high >= _LEAST_LIGHT and (within(1) or highlights) and not counts):
        return None, ""
    why = f"the brightest numbers are about {high:.4g}"
    if high >= _LEAST_COUNTS or (counts and within(1)):
        near = next((white for white in _whites(counts) if within(white)), None)
        if near is not None:
            if counts > 16:
                bits = near.bit_length()
                why += f", as of {bits} bits. If white is another number, state it (--white)"
            return float(near), why
    return _rounded(high), why


def _whites(counts: int) -> tuple[int, ...]:
    """The largest numbers that counts may have, of integers with so many bits; 0: of floating point."""
    if not counts:
        return NATURAL_WHITES
    most = min(counts, MOST_BITS)
    return (1, *(2**bits - 1 for bits in (*range(8, most, 2), most)))


def _white_of_codes(high: float, largest: float, used_bits: int) -> tuple[float | None, str]:
    """White of codes of 16 bits that are counts of fewer; None where they are not."""
    for bits in _COUNTS:
        white = float(2**bits - 1)
        noisy = bits <= _NOISY_BITS and high <= _BEYOND * white and largest <= _LARGEST * white
        if largest <= white or noisy:
            which = (
                "largest code is"
                if largest <= white
                else f"largest code is {largest:g}, by noise: most are below"
            )
            return white, f"the {which} {min(largest, white):g}, as of {bits} bits"
        unused = 16 - bits
        if not used_bits & (2**unused - 1) and used_bits & (1 << unused):
            return float(65536 - 2**unused), f"the lowest {unused} bits are 0, as of {bits} bits"
    return None, ""


def _pedestal(codes: np.ndarray, numbers: np.ndarray, high: float, whole: bool) -> tuple[float | None, str]:
    """Black above 0, where no number is near 0, and a sentence."""
    near_0, least = (float(q) for q in np.quantile(numbers, (_STRAY, 0)))
    darkest = _darkest(codes)
    if not darkest > _LIFTED * high or near_0 < _SPREAD * darkest:
        return None, ""
    scale = 16 if codes.dtype == np.uint16 and high > 16 * NATURAL_WHITES[3] / 2 else 1  # 12 bits in 16
    usual = [p * k for p in PEDESTALS for k in {1, scale}]
    near = [p for p in usual if _NEAR[0] * p <= darkest <= _NEAR[1] * p]
    if near and whole and darkest < high / 2:
        black = float(min(near, key=lambda p: abs(np.log(darkest / p))))
        return (
            black,
            f"Hardly a number is 0, and the darkest parts are near {black:g}: that is taken for black. "
            "If black is 0, state it (--black 0).",
        )
    if near_0 > _FAR * high and darkest < high / 2:
        return None, (
            f"No number is near 0: the smallest is {least:.4g}, the darkest parts are near {darkest:.4g}. If that is "
            f"black, state it (--black {darkest:.4g})."
        )
    return None, ""


def _below(codes: np.ndarray, numbers: np.ndarray, black: float) -> str:
    """How much is below black, where parts of the picture are so by more than noise makes it; else nothing.

    Where there is no light, read noise takes half of the numbers below black; the mean of a patch stays there.
    """
    if codes.dtype.kind == "u" and black <= 0:
        return ""
    means, noise = _patches(codes)
    span = float(np.quantile(numbers, _HIGH) - numbers.min())
    deep = means < black - np.maximum(_DEEP * noise, _SLIGHT * span)
    if not deep.size or deep.mean() <= _FEW:
        return ""
    share = 100 * float((numbers < black).mean())
    shown = f"{share:.0f}" if share >= 1 else f"{share:.2g}"
    return f"{shown} % of the numbers are below {black:g} (the least is {float(numbers.min()):.3g})"


def _darkest(codes: np.ndarray) -> float:
    """The mean of the darkest patches; of what may be a mosaic, of its darkest color."""
    lattices = [codes, *(codes[..., y::2, x::2] for y in (0, 1) for x in (0, 1) if codes.shape[1] == 1)]
    found = [means for means, _ in map(_patches, lattices) if means.size]
    return min((float(np.quantile(means, _LOW)) for means in found), default=0.0)


def _patches(codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of the noise of 8x8 patches from all over the first frame: [P] each.

    The noise is that of second differences of every other pixel, so of one color of a mosaic, along rows or along
    columns, whichever is more: sensors that read a row at a time add a number of its own to each.
    """
    _, C, H, W = codes.shape
    if min(H, W) < _PATCH:
        return np.empty(0), np.empty(0)
    tops = np.linspace(0, H - _PATCH, min(H // _PATCH, _BANDS)).astype(int)
    columns = W // _PATCH
    bands = codes[0][:, tops[:, None] + np.arange(_PATCH), : columns * _PATCH].astype(np.float64)
    parts = bands.reshape(C, len(tops), _PATCH, columns, _PATCH)
    second = (p[..., 4:] - 2 * p[..., 2:-2] + p[..., :-4] for p in (parts, parts.swapaxes(2, 4)))
    varies = [np.square(s).mean(axis=(2, 4)) for s in second]
    noise = np.sqrt(np.maximum(*varies) / _CURVED)
    return parts.mean(axis=(2, 4)).ravel(), noise.ravel()


def _rounded(value: float) -> float:
    return float(f"{value:.3g}")
