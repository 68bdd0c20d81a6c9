"""What the numbers in files mean: sRGB-encoded or linear light, of which black and white, or the mosaic of a sensor."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from kpnviz.capture.levels import Levels, find_levels
from kpnviz.limits import MAX_COUNT, MAX_INTENSITY
from kpnviz.sampling import box_reduce
from kpnviz.text import visible

ENCODINGS = ("srgb", "linear", "bayer")
PATTERNS = ("RGGB", "BGGR", "GRBG", "GBRG")
"""Colors of a Bayer sensor's 2x2 pixels, row by row; or of the four planes of a picture, in their order."""

_MOSAIC = 2.5  # times as much as its two greens, the colors of a mosaic differ: see _pattern
_LEAST_COLOR = 0.05  # of the mean
_PATCH = 8
_SAMPLE = 512  # px: side of what a mosaic is told by
_LEAST_QUAD = 192  # px a side, far less than any such sensor: in small noisy pictures chance looks like one
_ALIKE = 0.8  # correlation of the two greens
_ONE_COLOR = 0.5  # of how the other planes differ from a green: so much may the other green
_NO_SENSOR = (
    "Of its four planes the first three are taken for R, G and B. If they are those of a Bayer sensor, state it "
    "(--input bayer:RGGB)."
)
_QUAD = (
    "The pixels differ in blocks of 2×2 as those of a Quad Bayer sensor, whose mosaic is read from raws only: here it "
    "is taken for a gray picture."
)


@dataclass(frozen=True)
class Input:
    """What numbers mean.

    encoding   "srgb", or as the files' color profile says; "linear" light; or "bayer": linear light of a sensor behind
               a mosaic of colors, or of its four planes
    pattern    of a mosaic, one of PATTERNS
    black, white   the numbers of black and white; None: 0, and the largest that there can be (floating point: 1)

    >>> Input.of("bayer:GRBG", 64, 4095)
    Input(encoding='bayer', pattern='GRBG', black=64.0, white=4095.0)
    """

    encoding: str = "srgb"
    pattern: str = ""
    black: float | None = None
    white: float | None = None

    def __post_init__(self) -> None:
        if self.encoding not in ENCODINGS:
            raise ValueError(f"input is {visible(self.encoding)!r}; it is srgb, linear, or bayer:RGGB")
        if (self.encoding == "bayer") != (self.pattern in PATTERNS):
            raise ValueError(
                f"input is {visible(str(self))!r}; after bayer comes one of {', '.join(PATTERNS)}: bayer:RGGB"
            )
        for name in ("black", "white"):
            value = getattr(self, name)
            if value is not None:
                if not np.isfinite(value) or abs(value) > MAX_COUNT:
                    raise ValueError(
                        f"{name} is {value}; it is a number as files hold them, from {-MAX_COUNT:g} to {MAX_COUNT:g}"
                    )
                object.__setattr__(self, name, float(value))
        if self.encoding == "srgb" and (self.black, self.white) != (None, None):
            raise ValueError("black and white are of linear light: input is linear or bayer:RGGB, not srgb")
        if self.white is not None and not (self.black or 0.0) < self.white:
            unsaid = "" if self.black is not None else ", as nobody states another one,"
            raise ValueError(
                f"black is {self.black or 0:g}{unsaid} and white is {self.white:g}; black is below white"
            )

    @classmethod
    def of(cls, text: str, black: float | None = None, white: float | None = None) -> Input:
        """From what --input says: srgb, linear, bayer:RGGB. ValueError, one sentence, for anything else."""
        encoding, _, pattern = text.partition(":")
        return cls(encoding.lower(), pattern.upper(), black, white)

    @property
    def name(self) -> str:
        """As --input has it."""
        return self.encoding + (f":{self.pattern}" if self.pattern else "")

    def __str__(self) -> str:
        levels = [
            f"{name} {value:g}"
            for name, value in (("black", self.black), ("white", self.white))
            if value is not None
        ]
        return ", ".join([self.name, *levels])

    def levels(self, dtype: np.dtype) -> tuple[float, float] | None:
        """(black, white) of numbers of this type; None for sRGB."""
        if self.encoding == "srgb":
            return None
        top = float(np.iinfo(dtype).max) if dtype.kind == "u" else 1.0
        black = 0.0 if self.black is None else self.black
        return black, max(top, black + 1) if self.white is None else self.white

    def check(self, codes: np.ndarray) -> None:
        """ValueError where black and white are so close that light of these numbers is beyond MAX_INTENSITY."""
        levels = self.levels(codes.dtype)
        if levels is None or not codes.size:
            return
        (black, white), ends = levels, (float(codes.min()), float(codes.max()))
        if max(abs(end - black) for end in ends) > MAX_INTENSITY * (white - black):
            raise ValueError(
                f"black is {black:.10g} and white is {white:.10g}, too close to each other for files with numbers from "
                f"{ends[0]:g} to {ends[1]:g}: light would be beyond {MAX_INTENSITY:g} times white"
            )


def guess_input(
    codes: np.ndarray,
    largest: float,
    used_bits: int,
    linear: bool | None = None,
    counts: int = 0,
    sensor: bool = False,
    why: str = "",
) -> tuple[Input, str, str]:
    """What the numbers of frames most likely mean; a sentence that says so and why, empty where it is usual, in which
    {black} stands for the number of black; and a sentence on black, or nothing.

    codes     [N, C, H, W] as they were stored;  largest  of all;  used_bits  that are 1 in any code, of integers
    linear    whether the files say that they are linear (True), or sRGB-encoded (False); None: they do not
    counts    bits of the integers that floating-point codes were, 0: they were none
    sensor    four planes are those of a Bayer sensor
    why       what files of their kind are, where it is not the files themselves that say it
    """
    floating, kind = codes.dtype.kind == "f", why or "the files say"
    levels = Levels() if linear is False else find_levels(codes, largest, used_bits, counts)
    black, white, why = levels.black, levels.white, levels.why
    pattern = _pattern_of_planes(codes) or _pattern(codes)
    if sensor and codes.shape[1] == 4 and not pattern:
        pattern = PATTERNS[0]
    if pattern:
        what = "its four planes are" if codes.shape[1] == 4 else "neighboring pixels differ as"
        swapped = pattern[::-1]
        return (
            Input("bayer", pattern, black, white),
            (
                f"Read as the colors of a Bayer sensor, {pattern}: {what} those of one{why and f', and {why}'}. "
                f"{'' if codes.shape[1] == 4 else 'Each 2×2 of them become one pixel of R, G and B. '}"
                f"Red and blue may be exchanged: then it is bayer:{swapped}."
            ),
            levels.more,
        )
    quad = _QUAD if _is_quad(codes) else _NO_SENSOR if codes.shape[1] == 4 else ""
    guess, meaning = "", Input()
    if why:
        meaning = Input("linear", "", black, white)
        guess = f"Read as linear light with black at {{black}} and white at {white:.10g}: {why}."
    elif linear and not floating:
        meaning, guess = Input("linear", "", black), f"Read as linear light, as {kind}."
    elif floating:
        meaning = Input("linear", "", black, white)
    return meaning, " ".join(filter(None, (guess, quad))), levels.more if meaning.encoding != "srgb" else ""


def _is_quad(codes: np.ndarray) -> bool:
    """Whether a gray picture is the mosaic of a Quad Bayer sensor, four pixels of a color beside each other: binned
    2x2 it is a Bayer mosaic."""
    if codes.shape[1] != 1 or min(codes.shape[2:]) < _LEAST_QUAD:
        return False
    top, left = (max(0, n - 2 * _SAMPLE) // 4 * 2 for n in codes.shape[2:])
    part = codes[0, 0, top : top + 2 * _SAMPLE, left : left + 2 * _SAMPLE].astype(np.float32)
    return any(_pattern(box_reduce(part[y:, x:], 2)[None, None]) for y in (0, 1) for x in (0, 1))


def _pattern(codes: np.ndarray) -> str:
    """The pattern that a gray picture has if it is a mosaic; "" if it is none.

    With a b / c d the pixels of 2x2, means over 8x8 of them of (a + d - b - c) / 2 are, of a mosaic, what green differs
    from red and blue; on one of the diagonals lie the greens, which hardly differ. Of a gray picture both are small:
    squared, the former is at most .7 of the latter on the photos of the gallery; of their mosaics, as a camera sees
    colors, 2.5 or more.
    """
    if codes.shape[1] != 1 or min(codes.shape[2:]) < 4 * _PATCH:
        return ""
    H, W = (n // 2 * 2 for n in codes.shape[2:])
    top, left = ((n - min(n, _SAMPLE)) // 4 * 2 for n in (H, W))
    x = codes[0, 0, top : top + min(H, _SAMPLE), left : left + min(W, _SAMPLE)].astype(np.float64)
    a, b, c, d = (x[y::2, z::2] for y in (0, 1) for z in (0, 1))
    down, across, colors = (
        np.square(box_reduce(part, _PATCH), dtype=np.float64).mean()
        for part in (a - d, b - c, (a + d - b - c) / 2)
    )
    if colors <= _MOSAIC * min(down, across) or colors <= (_LEAST_COLOR * x.mean()) ** 2:
        return ""
    a, b, c, d = (np.maximum(box_reduce(part, _PATCH), 1e-9) for part in (a, b, c, d))
    green = [np.square((p - q) / (p + q)).mean() for p, q in ((a, d), (b, c))]
    return "GRBG" if green[0] < green[1] else "RGGB"


def _pattern_of_planes(codes: np.ndarray) -> str:
    """RGGB, if four planes are those of a Bayer sensor: the two in the middle are alike, and unlike the others."""
    if codes.shape[1] != 4:
        return ""
    block = min(_PATCH, *codes.shape[2:])
    planes = np.stack([box_reduce(plane, block).ravel().astype(np.float64) for plane in codes[0]])
    if not planes.std(axis=1).min() > 0 or np.corrcoef(planes[1], planes[2])[0, 1] <= _ALIKE:
        return ""
    red, green, blue = (np.square(planes[i] - planes[j]).mean() ** 0.5 for i, j in ((0, 1), (1, 2), (3, 2)))
    return "RGGB" if green <= _ONE_COLOR * min(red, blue) else ""


def colors_of(pattern: str, color: int) -> list[int]:
    """Which of a pattern's four pixels, or planes, have a color (0, 1, 2: R, G, B)."""
    return [m.start() for m in re.finditer("RGB"[color], pattern)]


def as_dict(meaning: Input) -> dict[str, Any]:
    """For a report: what was assumed."""
    return {"encoding": meaning.name, "black": meaning.black, "white": meaning.white}
