"""Pixels of another place or size: reflection beyond an edge, and the mean of blocks."""

from __future__ import annotations

import math

import numpy as np


def reflect_index(length: int, start: int, stop: int) -> np.ndarray:
    """Indices start..stop-1 of an axis that goes on by reflection: (-1, 0, 1) -> (1, 0, 1).

    The edge pixel is not repeated, and a reflection is reflected again as often as needed, so any range
    of any length works: what ``numpy.pad(mode="reflect")`` does.
    """
    index = np.arange(start, stop)
    period = max(2 * (length - 1), 1)
    index = np.abs(index) % period if length > 1 else np.zeros_like(index)
    return np.where(index >= length, period - index, index)


def box_reduce(image: np.ndarray, factor: int | tuple[int, int]) -> np.ndarray:
    """Mean over factor x factor blocks of [H, W, ...]; rows and columns that fill no block are dropped.

    A pair of factors is (rows, columns) of a block. In linear light this is what a sensor with larger pixels would
    have seen; it takes noise and compression artifacts out of a photo (MKPN paper, section 3.1).
    """
    down, across = factor if isinstance(factor, tuple) else (factor, factor)
    if min(down, across) < 1:
        raise ValueError(f"factor is {factor!r}; a photo is reduced by 1 or more")
    H, W = image.shape[0] // down, image.shape[1] // across
    if min(H, W) < 1:
        raise ValueError(
            f"factor is {factor}; a photo of {image.shape[0]}x{image.shape[1]} is too small for it"
        )
    # Sums of whole rows, then of columns: NumPy's mean of both axes at once takes three times as long.
    rows = np.zeros((H, W * across, *image.shape[2:]))
    for y in range(down):
        rows += image[y : H * down : down, : W * across]
    total = np.zeros((H, W, *image.shape[2:]))
    for x in range(across):
        total += rows[:, x::across]
    return (total / (down * across)).astype(np.float32)


def reduction(height: int, width: int, pixels: int) -> tuple[int, int]:
    """Factors (rows, columns) by which :func:`box_reduce` leaves at most `pixels` of a picture, whatever its shape.

    They are equal, unless the shorter side has fewer pixels than that: then the longer one is reduced by more.
    """
    factor = max(1, math.ceil((height * width / pixels) ** 0.5))
    down = min(factor, height)
    across = min(max(factor, math.ceil(height // down * width / pixels)), width)
    return min(max(factor, math.ceil(height * (width // across) / pixels)), height), across
