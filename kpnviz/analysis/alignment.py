"""Do kernels go where the scene went? Their centroids against the true shifts."""

from __future__ import annotations

import numpy as np

from kpnviz.analysis.kernel_stats import centroid
from kpnviz.analysis.metrics import inner
from kpnviz.burst import Burst, weighted_sum
from kpnviz.color import LUMINANCE_WEIGHTS, displayed
from kpnviz.kernels import KernelField


def shifts_and_centroids(field: KernelField, burst: Burst, step: int = 4) -> np.ndarray:
    """What a perfect aligner would make equal: true shifts, and below them the centroids of the kernels, [2, P].

    Pixels, down and across alike, of every frame but the reference, at every `step`-th row and column. Only where it
    can be told: at textured pixels (the gradient of the displayed truth is above its median), where the kernel reaches
    the true shift, and where the scene is still in the frame. Empty for a network that sees one frame. In color the
    luminance's texture counts. ValueError for a field with kernels of each channel.
    """
    field.check_shared()
    shifts = burst.shift_map()
    if burst.truth is None or shifts is None:
        raise ValueError("the burst has no truth or no true shifts, which alignment is measured against")
    truth = burst.truth if burst.truth.ndim == 2 else weighted_sum(burst.truth, LUMINANCE_WEIGHTS)
    shape = truth.shape
    if (field.height, field.width) != shape:
        raise ValueError(
            f"the kernels are those of {field.height}x{field.width} pixels, the burst has {shape[0]}x{shape[1]}"
        )
    rows, columns = (slice(part.start, part.stop, step) for part in inner(shape))
    gradient = np.hypot(*np.gradient(displayed(truth.astype(np.float64), burst.white_level)))
    textured = gradient[rows, columns] > np.median(gradient[inner(shape)])
    true = shifts[1 : field.frames, rows, columns]  # [N-1, h, w, 2]
    place = np.moveaxis(np.mgrid[rows, columns], 0, -1) + true
    seen = ((place >= 0) & (place <= np.subtract(shape, 1))).all(axis=-1)
    counted = textured & seen & (np.abs(true).max(axis=-1) <= field.reach)
    kernels = field.region(rows.start, rows.stop, columns.start, columns.stop, step=step)[1:]
    found = centroid(kernels[counted])  # [P / 2, 2]
    return np.stack((true[counted].ravel(), found.ravel()))


def alignment(pairs: np.ndarray) -> float:
    r"""Slope of the centroids on the true shifts, [2, P] of :func:`shifts_and_centroids`, of one burst or of many.

    .. math:: \frac{\sum (s - \bar s)(c - \bar c)}{\sum (s - \bar s)^2}

    1 where kernels follow the scene, 0 where they stay in the middle; NaN where no shift differs from another.
    """
    shift, found = pairs
    deviation = shift - shift.mean() if shift.size else shift
    spread = float((deviation**2).sum())
    return float((deviation * found).sum()) / spread if spread > 0 else float("nan")
