"""What is known of a burst and its estimates in numbers, as rows of equal keys."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from kpnviz.analysis.kernel_stats import centroid, entropy, frame_share, spread
from kpnviz.analysis.metrics import HOW_TAKEN, has_ssim, psnr, ssim
from kpnviz.burst import Burst
from kpnviz.denoise import Estimate


def protocol(burst: Burst, metrics: str = "PSNR and SSIM") -> str:
    """How the scores of a burst are taken, and of what: the beginning of a sentence that names the `metrics` shown."""
    return f"{metrics} {HOW_TAKEN}, of {'R, G and B together' if burst.channels else 'the luminance'}"


def scores(burst: Burst, estimates: Sequence[Estimate]) -> list[dict[str, Any]]:
    """One row per picture: PSNR and SSIM (None without a truth) and the seconds that it took."""
    pictures: list[tuple[str, np.ndarray, float | None]]
    pictures = [("frame 0", burst.reference, None), ("plain mean", burst.mean, None)]
    pictures += [(e.title, e.image, e.seconds) for e in estimates]
    truth, white = burst.truth, burst.white_level
    return [
        {
            "picture": title,
            "psnr_db": None if truth is None else psnr(image, truth, white),
            "ssim": ssim(image, truth, white) if truth is not None and has_ssim(truth.shape) else None,
            "seconds": seconds,
        }
        for title, image, seconds in pictures
    ]


def pixel_statistics(burst: Burst, estimates: Sequence[Estimate], y: int, x: int) -> list[dict[str, Any]]:
    """One row per method and frame: what the kernels at (y, x) look like in numbers."""
    true = burst.shifts_at(y, x)
    rows: list[dict[str, Any]] = []
    for estimate in estimates:
        field = estimate.kernels
        if field is None:
            continue
        kernels = field.at(y, x)  # [N, K, K]
        shares, centers = frame_share(kernels), centroid(kernels)
        spreads, entropies = spread(kernels), entropy(kernels)
        for i in range(len(kernels)):
            shift = (None, None) if true is None else true[i].tolist()
            rows.append(
                {
                    "method": estimate.title,
                    "frame": i,
                    "share": float(shares[i]),
                    "centroid_dy": float(centers[i, 0]),
                    "centroid_dx": float(centers[i, 1]),
                    "true_dy": shift[0],
                    "true_dx": shift[1],
                    "within_reach": None if true is None else bool(abs(true[i]).max() <= field.reach),
                    "spread": float(spreads[i]),
                    "entropy": float(entropies[i]),
                }
            )
    return rows
