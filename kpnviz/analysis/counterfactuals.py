"""What if? Kernels and bursts that are changed by hand, and the picture that they then give.

A change is made to the kernels (a frame dropped, some sizes kept, negative weights set to zero) or to the
burst (a frame shifted). Either way the picture is that of the kernels that are shown.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch

from kpnviz.burst import Burst
from kpnviz.kernels import KernelField, factor_channels
from kpnviz.local_conv import pad
from kpnviz.sampling import reflect_index

SMALLEST_SHARE = 0.05
"""Where the shares of changed kernels sum to less than this (of 1), they are scaled up no further."""

_BLOCK_WEIGHTS = 8_000_000  # of dense kernels at a time: 32 MB


def drop_frames(field: KernelField, frames: Collection[int]) -> KernelField:
    """The field with the kernels of `frames` set to zero; the rest as they are, so their shares go missing."""
    for frame in frames:
        if not 0 <= frame < field.frames:
            raise ValueError(f"frame {frame} is not in the burst; it has frames 0 to {field.frames - 1}")
    name = "factors" if field.basis is None else "basis"
    values = getattr(field, name).clone()
    values[:, sorted(frames)] = 0
    return replace(field, **{name: values})


def restrict_sizes(field: KernelField, sizes: Collection[int]) -> KernelField:
    """The field with only some of its kernel sizes, whose mean is now the mean over those (eq. 3).

    ValueError for sizes that it does not have, and for convolutions that are valid without their largest size: the
    frames would have to be cut.
    """
    unknown = sorted(set(sizes) - set(field.sizes))
    if unknown or not sizes:
        wanted = f"size {unknown[0]} is not among" if unknown else "sizes is empty; choose from"
        raise ValueError(f"{wanted} the kernel sizes of this field: {', '.join(map(str, field.sizes))}")
    if field.padding == "valid" and max(sizes) < max(field.sizes):
        raise ValueError(
            f"sizes is {', '.join(map(str, sorted(sizes)))}; without padding the picture belongs to the largest one, "
            f"{max(field.sizes)}, which stays"
        )
    kept, parts, first = [], [], 0
    for size in field.sizes:
        channels = factor_channels((size,), field.separable)
        if size in sizes:
            kept.append(size)
            parts.append(field.factors[..., first : first + channels, :, :])
        first += channels
    if field.basis is not None:
        return field  # kernels of one size, and all of them
    return replace(field, factors=torch.cat(parts, dim=-3), sizes=tuple(kept))


def shift_frame(burst: Burst, frame: int, dy: int, dx: int) -> Burst:
    """The burst with the picture of one frame moved by (dy, dx) whole pixels, its noise and all.

    What moves in from outside is the frame's reflection. The true shifts, where known, follow; when frame 0
    moves, so does the truth, and the others' shifts are counted from its new place.
    """
    if not 0 <= frame < len(burst):
        raise ValueError(f"frame {frame} is not in the burst; it has frames 0 to {len(burst) - 1}")
    frames = burst.frames.copy()
    frames[frame] = _moved(burst.frames[frame], dy, dx)
    step = np.zeros((len(burst), 2), dtype=np.int64)
    step[frame] = dy, dx
    step -= step[0]
    moved: dict[str, Any] = {"frames": frames, "recipe": None}
    for name in ("shifts", "moving_shifts"):
        shifts = getattr(burst, name)
        moved[name] = None if shifts is None else shifts + step
    if frame == 0:
        for name in ("truth", "moving_mask"):
            image = getattr(burst, name)
            moved[name] = None if image is None else _moved(image, dy, dx)
    return replace(burst, **moved)


def _moved(image: np.ndarray, dy: int, dx: int) -> np.ndarray:
    H, W = image.shape[-2:]
    rows, columns = reflect_index(H, -dy, H - dy), reflect_index(W, -dx, W - dx)
    return image[..., rows[:, None], columns]


@dataclass(frozen=True, eq=False)
class ChangedKernels:
    """A KernelField whose effective kernels are changed pixel by pixel before they are applied.

    nonnegative   weights below 0 become 0 (of the fused kernel, eq. 3)
    share_of      None, or the field whose total share every pixel keeps: its kernels are scaled so that the
                  shares of all frames sum to what they sum to there. A constant picture then keeps its
                  brightness; see SMALLEST_SHARE.

    The mean over the frames (or sum, see KernelField.reduce) of each frame's patch times `at(y, x)` is the value of
    `apply(frames)` there. ValueError for fields with kernels of each channel: choose one, field.channel(0).
    """

    field: KernelField
    nonnegative: bool = False
    share_of: KernelField | None = None

    def __post_init__(self) -> None:
        self.field.check_shared()
        if self.share_of is not None:
            self.share_of.check_shared()

    def at(self, y: int, x: int) -> np.ndarray:
        """Effective kernels at a pixel: [N, K, K]."""
        return self.region(y, y + 1, x, x + 1)[:, 0, 0]

    def region(self, top: int, bottom: int, left: int, right: int) -> np.ndarray:
        """Effective kernels of rows top..bottom-1, columns left..right-1: [N, bottom-top, right-left, K, K]."""
        kernels = self.field.region(top, bottom, left, right)
        if self.nonnegative:
            kernels = np.maximum(kernels, 0)
        if self.share_of is not None:
            share = kernels.sum(axis=(0, -2, -1)) / self.field.divisor
            scale = _scale(self._wanted_share[top:bottom, left:right], share)
            kernels = kernels * scale[:, :, None, None].astype(kernels.dtype)
        return kernels

    def apply(self, frames: np.ndarray) -> np.ndarray:
        """The picture that these kernels make of frames [N, H, W], or [N, C, H, W]: [H, W] or [C, H, W], float32."""
        if frames.ndim == 4:
            return np.stack([self.apply(frames[:, c]) for c in range(frames.shape[1])])
        if not self.nonnegative:
            image = _filter(self.field, frames)
            if self.share_of is not None:  # scaling commutes with filtering
                image = image * _scale(self._wanted_share, _total_share(self.field))
            return image
        H, W = self.field.height, self.field.width
        padded = pad(
            torch.from_numpy(np.ascontiguousarray(frames)), self.field.reach, self.field.padding
        ).numpy()
        image = np.empty((H, W), dtype=np.float32)
        for top, bottom in self._blocks():
            kernels = self.region(top, bottom, 0, W)  # [N, bottom - top, W, K, K]
            total = np.zeros((bottom - top, W))
            for a, b in np.ndindex(kernels.shape[3:]):
                total += (kernels[..., a, b] * padded[:, top + a : bottom + a, b : b + W]).sum(axis=0)
            image[top:bottom] = total / self.field.divisor
        return image

    @cached_property
    def _wanted_share(self) -> np.ndarray:
        return _total_share(self.share_of or self.field)

    def _blocks(self) -> Iterator[tuple[int, int]]:
        field = self.field
        weights_a_row = field.frames * max(field.sizes) ** 2 * field.width
        step = max(1, _BLOCK_WEIGHTS // weights_a_row)
        for top in range(0, field.height, step):
            yield top, min(top + step, field.height)


def _filter(field: KernelField, frames: np.ndarray) -> np.ndarray:
    with torch.inference_mode():
        given = torch.from_numpy(np.ascontiguousarray(frames))[None].to(field.factors.device)
        return field.apply(given)[0].float().cpu().numpy()


def _total_share(field: KernelField) -> np.ndarray:
    """Sum of all frames' shares at each pixel, [H, W]: the picture of a constant 1 that goes on beyond the edges."""
    endless = replace(field, padding="replicate")
    return _filter(endless, np.ones((field.frames, field.height, field.width), dtype=np.float32))


def _scale(wanted: np.ndarray, share: np.ndarray) -> np.ndarray:
    """By what kernels are multiplied. Kernels without a share to keep (of a residual, say) are left as they are."""
    return np.where(wanted > SMALLEST_SHARE, wanted / np.maximum(share, SMALLEST_SHARE), 1)
