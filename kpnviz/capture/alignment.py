"""Global alignment of a burst: whole-pixel shifts between frames, by phase correlation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter
from skimage.filters import window
from skimage.registration import phase_cross_correlation

from kpnviz.sampling import box_reduce

REACH = 2
"""Shifts up to this many pixels are left to the kernels; a 5x5 kernel reaches 2."""

_BLOCK, _STEPS = 16, 6
_CHANCE = 30.0
"""correlation * sqrt(pixels) that the best shift of two pictures of nothing but noise rarely reaches (16 to 27)."""


@dataclass(frozen=True)
class Shift:
    """Where the scene of the reference lies in a frame: (dy, dx) whole pixels; applied or left to the kernels.

    correlation   of the frame with the reference, in -1..1, once the shift is undone: how sure it is
    """

    dy: int
    dx: int
    applied: bool
    correlation: float

    @property
    def offset(self) -> tuple[int, int]:
        """What is undone when the frame is read."""
        return (self.dy, self.dx) if self.applied else (0, 0)


def _edges(image: np.ndarray) -> np.ndarray:
    """Edges of middling size: what noise and brightness leave alone."""
    stable = np.sqrt(np.maximum(image, 0), dtype=np.float32)
    band: np.ndarray = gaussian_filter(stable, 1.2) - gaussian_filter(stable, 6)
    return band


def _features(image: np.ndarray) -> np.ndarray:
    """Edges that fade out towards the border."""
    band = _edges(image)
    return band * window("hann", band.shape).astype(np.float32)


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    norm = float(np.sqrt((a * a).sum(dtype=np.float64) * (b * b).sum(dtype=np.float64)))
    return float((a * b).sum(dtype=np.float64)) / norm if norm > 0 else 0.0


def overlap(a: np.ndarray, b: np.ndarray, dy: int, dx: int) -> tuple[np.ndarray, np.ndarray]:
    """The part of a [H, W] that lies in b when a(y, x) is b(y + dy, x + dx), and that part of b."""
    H, W = a.shape
    top, left = max(-dy, 0), max(-dx, 0)
    bottom, right = H - max(dy, 0), W - max(dx, 0)
    return a[top:bottom, left:right], b[top + dy : bottom + dy, left + dx : right + dx]


def find_shift(reference: np.ndarray, frame: np.ndarray, reach: int = REACH) -> Shift:
    """The whole-pixel shift of a frame [H, W] against the reference [H, W], linear intensity.

    Cross-correlation of both pictures' edges (scikit-image); the shift counts only if the pictures fit better
    with it than without, and than chance would have it. It is applied where it goes beyond `reach`.
    """
    if reference.shape != frame.shape or reference.ndim != 2:
        raise ValueError(f"frames have shapes {reference.shape} and {frame.shape}; both are [H, W]")
    if min(reference.shape) < 16:
        return Shift(0, 0, False, 1.0)
    here, there = _features(reference), _features(frame)
    if not (here.any() and there.any()):  # a flat picture is at rest
        return Shift(0, 0, False, 0.0)
    at_rest = _correlation(here, there)
    dy, dx = _peak(here, there)
    # The fading border pulls the peak of a large shift towards 0; on the common part alone it does not.
    if _is_common(reference, dy, dx) and (dy, dx) != (0, 0):
        more = _peak(*map(_features, overlap(reference, frame, dy, dx)))
        dy, dx = dy + more[0], dx + more[1]
    dy, dx = _settle(_edges(reference), _edges(frame), dy, dx)
    if (dy, dx) == (0, 0) or not _is_common(reference, dy, dx):
        return Shift(0, 0, False, at_rest)
    moved = _correlation(*map(_features, overlap(reference, frame, dy, dx)))
    common = (reference.shape[0] - abs(dy)) * (reference.shape[1] - abs(dx))
    if moved <= at_rest or moved * common**0.5 < _CHANCE:
        return Shift(0, 0, False, at_rest)
    return Shift(dy, dx, max(abs(dy), abs(dx)) > reach, moved)


def _peak(here: np.ndarray, there: np.ndarray) -> tuple[int, int]:
    """The shift at which two pictures' features agree best; scikit-image gives the way back."""
    back, _, _ = phase_cross_correlation(here, there, normalization=None)
    return -round(float(back[0])), -round(float(back[1]))


def _settle(here: np.ndarray, there: np.ndarray, dy: int, dx: int) -> tuple[int, int]:
    """Descend to the shift at which most blocks agree best.

    The cost is the mean over blocks of the RMS difference in each: a moving object, which pulls the peak of the
    correlation by a pixel or two, is few blocks.
    """

    def cost(shift: tuple[int, int]) -> float:
        if not _is_common(here, *shift):
            return np.inf
        a, b = overlap(here, there, *shift)
        blocks = box_reduce((a - b) ** 2, min(_BLOCK, *a.shape))
        return float(np.sqrt(blocks).mean(dtype=np.float64))

    best, least = (dy, dx), cost((dy, dx))
    for _ in range(_STEPS):
        around = [(best[0] + i, best[1] + j) for i in (-1, 0, 1) for j in (-1, 0, 1) if i or j]
        costs = [cost(shift) for shift in around]
        if min(costs) >= least:
            break
        best, least = around[int(np.argmin(costs))], min(costs)
    return best


def _is_common(image: np.ndarray, dy: int, dx: int) -> bool:
    """Whether at least half of each side is left: a longer shift is not to be believed."""
    return 2 * abs(dy) <= image.shape[0] and 2 * abs(dx) <= image.shape[1]
