"""Which kernel size errs least around each pixel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

SIZE_CLASSES = ("small", "middle", "large")
"""Kernels that reach 1 px from their middle at most, the nearest neighbors; 2 to 4 px, the usual shake of ±2 px and as
much around it; and further. See size_class."""

WINDOW_SIGMA = 4.0  # px; one pixel's error is mostly luck
TIE = 0.1  # dB
_NO_ERROR = 1e-12  # squared, of displayed values: 120 dB. Clipped black may be met exactly


def size_class(size: int) -> int:
    """Index into SIZE_CLASSES of kernels of size x size pixels: 1 and 3, 5 to 9, 11 and more."""
    reach = (size - 1) // 2
    return 0 if reach <= 1 else 1 if reach <= 4 else 2


@dataclass(frozen=True, eq=False)
class BestSize:
    """Which class of kernel sizes is best around each pixel.

    local    [M, H, W], PSNR in dB of each method in a Gaussian window around each pixel
    classes  of each method, index into SIZE_CLASSES; None for one that has several sizes: it is not compared
    index    [H, W], the class that is best, -1 where its lead is below TIE; None where all sizes are of one class
    """

    local: np.ndarray
    classes: tuple[int | None, ...]
    index: np.ndarray | None


def best_size(errors: Sequence[np.ndarray], sizes: Sequence[int | None]) -> BestSize:
    r"""Compare methods by their squared errors [H, W] of displayed values (maps.squared_error).

    .. math:: \mathrm{local} = -10 \log_{10}(G * \mathrm{error})

    with G a Gaussian of WINDOW_SIGMA pixels. A class counts with the best of its sizes. `sizes` has the kernel size of
    each method, None for one with several.
    """
    from skimage.filters import (
        gaussian,  # the lens imports this module where there is NumPy and PyTorch alone
    )

    local = np.stack(
        [-10 * np.log10(np.maximum(gaussian(error, WINDOW_SIGMA), _NO_ERROR)) for error in errors]
    )
    classes = tuple(None if size is None else size_class(size) for size in sizes)
    found = sorted({number for number in classes if number is not None})
    if len(found) < 2:
        return BestSize(local, classes, None)
    best = np.stack([local[[c == number for c in classes]].max(axis=0) for number in found])
    second, first = np.sort(best, axis=0)[-2:]
    index = np.asarray(found)[best.argmax(axis=0)]
    return BestSize(local, classes, np.where(first - second < TIE, -1, index))
