r"""Matching: where the scene of the reference lies in the other frames, measured without a network.

With g the frames in units of their noise (:func:`kpnviz.noise.stabilize`) and g' the mean of each 2x2 pixels of them,

.. math::
    D_i(d; y, x) = \frac{1}{4} \sum_p \frac{(g'_i(p + d) - g'_0(p))^2}{2\, \mathrm{var}\, g'} - 1, \qquad
    C_{ij}(d; y, x) = \mathrm{mean}\, D_i(d)

where p are the cell's 2x2 pixels, D is at most CAP, and the mean goes over a window of 3^j x 3^j cells, for frame i,
displacement d = (dy, dx) in whole pixels, |dy|, |dx| <= reach, and cell (y, x) at half resolution. C is about 0 where
only the noise differs (chi-square of one degree of freedom has mean 1, which is subtracted), and large where the scene
differs. Cells with a pixel beyond the frame's edge, at its own place or displaced, do not count in the mean; in a
window without any other cell C is CAP, as if nothing matched.

Why g' and not g: scenes have most of their detail at low frequencies, noise at all frequencies, so slightly smoothed
frames tell displacements apart more reliably (with windows of 62 pixels at gain 8 the smallest cost is at the true
shift in .66 of the cells, without smoothing in .59).

There are no gradients: costs are inputs of a network. One function, backends that agree to rounding:
`reference` (plain torch, any device), `numba` (CPU), `triton` (CUDA).
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import os
from types import ModuleType

import torch
from torch import Tensor

from kpnviz.local_conv import reflect_pad

__all__ = ["BACKENDS", "CAP", "matching_costs", "window_sides"]

BACKENDS = ("reference", "numba", "triton")

CAP = 20.0
"""Largest cost of a cell: a larger difference says no more than that the scene is another one there."""


def window_sides(windows: int) -> tuple[int, ...]:
    """Sides of the windows in pixels: 6, 18, 54, ..."""
    return tuple(2 * 3**j for j in range(1, windows + 1))


def matching_costs(
    frames: Tensor, reach: int, windows: int = 3, *, marginal: bool = False, backend: str | None = None
) -> Tensor:
    """Costs of every frame, window and displacement, see the module's docstring.

    frames    [B, N, H, W] float32, in units of their noise; frame 0 is the reference
    reach     displacements are whole pixels in -reach..reach, in both directions: K = 2 reach + 1 each way
    windows   J; window j = 0, 1, ... has a side of 3^(j+1) cells, 2 pixels each
    marginal  the smallest cost of each dy and of each dx, instead of all: what separable kernels need
    backend   one of BACKENDS, or None for the fastest that can do it

    Returns [B, N, J, K, K, h, w], or marginal: [B, N, J, 2K, h, w], first K of dy, then K of dx; h = ceil(H/2),
    w = ceil(W/2). (A frame of odd height or width is padded by reflection.) The reference's cost at d = 0, where it is
    compared with itself, is set to 0, that of a perfect match; two equal values would give -1.
    """
    if frames.ndim != 4 or 0 in frames.shape:
        raise ValueError(f"frames has shape {tuple(frames.shape)}; expected [B, N, H, W] without empty axes")
    if not frames.is_floating_point():
        raise ValueError(f"frames has dtype {frames.dtype}; expected a floating point dtype")
    if reach < 0:
        raise ValueError(f"reach is {reach}; it must be 0 or more")
    if not 1 <= windows <= 6:
        raise ValueError(f"windows is {windows}; choose 1 to 6")
    module = _backend_module(backend, frames)
    H, W = frames.shape[2:]
    with torch.no_grad():
        # One more row and column for the means of 2x2, and another where H or W is odd.
        more_y, more_x = 1 + H % 2, 1 + W % 2
        full = reflect_pad(frames.detach().float(), 2)[..., 2 : H + 2 + more_y, 2 : W + 2 + more_x]
        smooth = (full[..., :-1, :-1] + full[..., 1:, :-1] + full[..., :-1, 1:] + full[..., 1:, 1:]) / 2
        costs: Tensor = module.matching_costs(
            smooth, reach, windows, marginal
        )  # the noise of smooth has variance 1
    return costs


@functools.cache
def _installed(package: str) -> bool:
    return importlib.util.find_spec(package) is not None


def _backend_module(backend: str | None, frames: Tensor) -> ModuleType:
    """The module that computes `backend` (None: the fastest one able to); ValueError where it cannot."""
    kind = frames.device.type
    if backend is None:
        fast = {"cpu": "numba", "cuda": "triton"}.get(kind)
        backend = fast if fast and _installed(fast) else "reference"
    elif backend not in BACKENDS:
        raise ValueError(f"backend is {backend!r}; choose None or one of {', '.join(map(repr, BACKENDS))}")
    elif backend != "reference":
        if not _installed(backend):
            raise ValueError(f"backend is {backend!r}, but {backend} is not installed; use 'reference'")
        interpreted = backend == "triton" and os.environ.get("TRITON_INTERPRET") == "1"
        device = "cpu" if backend == "numba" or interpreted else "cuda"
        if kind != device:
            raise ValueError(f"backend is {backend!r}, which needs tensors on {device}, not {frames.device}")
    files = {"reference": "_reference", "numba": "_cpu", "triton": "_cuda"}
    return importlib.import_module(f".{files[backend]}", __name__)
