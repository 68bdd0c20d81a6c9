"""What is looked at of a frame before it is read as a whole: a small picture of it, or windows from all over it."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np

from kpnviz.capture.displaced_reading import nothing, read_displaced
from kpnviz.capture.frame_stack import GRAY, FrameStack
from kpnviz.capture.motion_field import CELL
from kpnviz.sampling import box_reduce, reduction

_OVERVIEW_PIXELS = 1_000_000
_PART_PIXELS = 2_000_000  # of a frame that are in memory at a time
_SHEET = 256  # px: side of the windows of a contact sheet


def overview_factors(stack: FrameStack) -> tuple[int, int]:
    """By how much frames are reduced, down and across, in their overviews."""
    return reduction(stack.height, stack.width, _OVERVIEW_PIXELS)


def overview(
    stack: FrameStack,
    frame: int,
    channel: int = GRAY,
    pixels: int | None = None,
    between: Callable[[], object] = nothing,
    factors: tuple[int, int] | None = None,
) -> np.ndarray:
    """A frame in linear light, box-reduced by `factors`, or to at most `pixels`: [h, w] float32. It is read in parts;
    `between` is called before each."""
    factors = factors or reduction(stack.height, stack.width, pixels or _OVERVIEW_PIXELS)
    down, across = factors
    h, w = stack.height // down, stack.width // across
    wide = min(w, max(1, _PART_PIXELS // (down * across)))
    high = max(1, _PART_PIXELS // (down * across * wide))
    small = np.empty((h, w), dtype=np.float32)
    for top, left in itertools.product(range(0, h, high), range(0, w, wide)):
        between()
        bottom, right = min(top + high, h), min(left + wide, w)
        rows, columns = slice(top * down, bottom * down), slice(left * across, right * across)
        small[top:bottom, left:right] = box_reduce(stack.light(frame, channel, rows, columns), factors)
    return small


def sharpness(image: np.ndarray) -> float:
    """Energy of the edges of a picture [H, W] against its brightness; noise is averaged down first."""
    small = box_reduce(image, min(4, *image.shape))
    dy, dx = np.diff(small, axis=0), np.diff(small, axis=1)
    energy = float((dy**2).sum(dtype=np.float64) + (dx**2).sum(dtype=np.float64)) / small.size
    return energy / max(float(small.mean(dtype=np.float64)) ** 2, 1e-12)


def contact_sheet(
    stack: FrameStack,
    frame: int,
    field: np.ndarray | None = None,
    channel: int = GRAY,
    saturated: bool = False,
) -> np.ndarray:
    """Three by three windows of up to 256x256 from all over a frame, read where a field of displacements says (None:
    where they are), laid side by side. `saturated`: whether it is white there."""
    h, w = (min(_SHEET, max(1, length // 3)) for length in (stack.height, stack.width))
    tops = [(stack.height - h) * i // 2 for i in range(3)]
    lefts = [(stack.width - w) * i // 2 for i in range(3)]
    if field is None:
        field = np.zeros((-(-stack.height // CELL), -(-stack.width // CELL), 2), np.int64)
    return np.block(
        [
            [
                read_displaced(stack, frame, channel, field, top, top + h, left, left + w, saturated)
                for left in lefts
            ]
            for top in tops
        ]
    )
