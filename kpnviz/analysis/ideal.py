"""The best kernels that there could be around a pixel, where the scene is known: what a kernel's size allows."""

from __future__ import annotations

import numpy as np

from kpnviz.noise import NoiseModel
from kpnviz.sampling import reflect_index

WINDOW = 15
"""Pixels a side over which kernels are to be good. One pixel alone any kernel can hit."""

_LEAST_VARIANCE = 1e-12


def ideal_kernels(
    clean: np.ndarray, truth: np.ndarray, noise: NoiseModel, K: int, y: int, x: int, window: int = WINDOW
) -> np.ndarray:
    """The kernels [N, K, K] with the least expected squared error over a window of pixels q around (y, x).

        w = argmin sum_q E (N t(q) - sum_i sum_ab w_i[a, b] x_i(q + (a, b) - K // 2))^2
          = argmin |N t - A w|^2 + sum_u V_u w_u^2,      V_u: the noise variance that weight u meets, summed over q

    clean   the frames without noise, [N, H, W]; truth [H, W] is what is wanted, t; both in linear intensity
    noise   of the frames, independent from pixel to pixel (where frames are reflected at the border it is not quite)
    K       pixels a side, odd; kernels need not be separable
    window  pixels a side, odd; what lies beyond the picture is left out

    The mean over the frames of patch times kernel is the estimate, as of predicted kernels. Solved as

        w = V^-1 A' (A V^-1 A' + 1)^-1 N t

    so that there are as many equations as pixels of the window, however many weights.
    """
    N, H, W = clean.shape
    for name, side in (("K", K), ("window", window)):
        if side < 1 or side % 2 == 0:
            raise ValueError(f"{name} is {side}; it is odd and 1 or more")
    if not (0 <= y < H and 0 <= x < W):
        raise ValueError(f"pixel ({y}, {x}) does not lie in the picture, {H}x{W} pixels")
    half, reach = window // 2, K // 2
    rows = np.arange(max(y - half, 0), min(y + half + 1, H))
    columns = np.arange(max(x - half, 0), min(x + half + 1, W))
    near = reflect_index(H, -reach, H + reach), reflect_index(W, -reach, W + reach)
    padded = clean[:, near[0][:, None], near[1]].astype(np.float64)
    views = np.lib.stride_tricks.sliding_window_view(padded, (K, K), axis=(1, 2))  # [N, H, W, K, K]
    seen = views[:, rows[:, None], columns].transpose(1, 2, 0, 3, 4)  # [rows, columns, N, K, K]
    A = seen.reshape(len(rows) * len(columns), -1)  # [q, u]
    t = N * truth[rows[:, None], columns].astype(np.float64).ravel()
    V = (noise.read_std**2 + noise.shot_gain * np.maximum(A, 0)).sum(axis=0)
    scaled = A / np.maximum(V, _LEAST_VARIANCE)
    weights = scaled.T @ np.linalg.solve(A @ scaled.T + np.eye(len(A)), t)
    return weights.reshape(N, K, K)
