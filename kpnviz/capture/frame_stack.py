"""Frames of one's own as they were stored, on disk, and the linear light of whatever part is looked at."""

from __future__ import annotations

import mmap
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from kpnviz.burst import BurstRecipe
from kpnviz.color import LUMINANCE_WEIGHTS, srgb_decode
from kpnviz.noise import NoiseModel

GRAY = -1
"""The channel that stands for luminance, or for green of raw planes."""

_RESIDENT_BYTES = 64_000_000


@dataclass(frozen=True, eq=False)
class FrameStack:
    """Frames as they were stored, [N, C, H, W], mapped from a temporary file; light is computed where one looks.

    The file has no name: it is gone when the stack is, whatever happens to the process.

    codes       uint8 or uint16 codes, or float32 in linear light; places: which of them are the frames
    names       of the frames' files
    levels      (black, white) codes of linear light; None: sRGB-encoded (integers), or 0 and 1 (float)
    noise       of each channel, as the files say it, and who says so; or None: nobody does
    known       a burst whose frame 0 is the reference and whose misalignment is part of it (synthetic)
    truth_place which of the codes are the truth, and shifts [N, 2], where known; so are the next four, of a Burst
    white_level, moving_mask [M, H, W] (on disk as the codes are), moving_shifts [M, N, 2], recipe
    development (matrix, white balance) of raw planes
    notes       sentences for people
    mapping     of the temporary file that holds the codes
    """

    codes: np.ndarray
    places: tuple[int, ...]
    names: tuple[str, ...]
    levels: tuple[float, float] | None = None
    noise: tuple[NoiseModel, ...] | None = None
    noise_source: str = ""
    known: bool = False
    truth_place: int | None = None
    shifts: np.ndarray | None = None
    white_level: float = 1.0
    moving_mask: np.ndarray | None = None
    moving_shifts: np.ndarray | None = None
    recipe: BurstRecipe | None = None
    development: tuple[np.ndarray, np.ndarray] | None = None
    notes: tuple[str, ...] = ()
    mapping: mmap.mmap | None = None
    _table: np.ndarray | None = field(init=False, repr=False)

    def __post_init__(self) -> None:
        table = None
        if self.codes.dtype != np.float32:
            table = decoding_table(np.iinfo(self.codes.dtype).max, self.levels)
        object.__setattr__(self, "_table", table)

    def __len__(self) -> int:
        return len(self.places)

    @property
    def channels(self) -> int:
        return self.codes.shape[1]

    @property
    def height(self) -> int:
        return self.codes.shape[2]

    @property
    def width(self) -> int:
        return self.codes.shape[3]

    @property
    def encoded(self) -> bool:
        """Whether the files were sRGB-encoded; else they were linear."""
        return self._table is not None and self.levels is None

    def light(self, frame: int, channel: int, rows: Any, columns: Any) -> np.ndarray:
        """Linear light of a rectangle: float32; rows and columns are slices, or both index arrays.

        channel GRAY is the luminance of color photos; of raw planes, whose colors are the camera's, green.
        """
        return self._light(self.places[frame], channel, rows, columns)

    def truth(self, channel: int, rows: Any, columns: Any) -> np.ndarray | None:
        """The same of the truth; None where it is not known."""
        if self.truth_place is None:
            return None
        return self._light(self.truth_place, channel, rows, columns)

    def _light(self, place: int, channel: int, rows: Any, columns: Any) -> np.ndarray:
        if channel == GRAY and self.channels == 3 and self.development is None:
            weighted = [
                np.float32(weight) * self._light(place, c, rows, columns)
                for c, weight in enumerate(LUMINANCE_WEIGHTS)
            ]
            return sum(weighted[1:], start=weighted[0])
        if channel == GRAY:
            channel = 0 if self.channels == 1 else 1
        plane = self.codes[place, channel]
        plane = plane[np.ix_(rows, columns)] if isinstance(rows, np.ndarray) else plane[rows, columns]
        light = self.linear(plane)
        if (
            self.mapping is not None
            and self.codes.nbytes > _RESIDENT_BYTES
            and hasattr(self.mapping, "madvise")
        ):
            # Pages that were read count as memory of this process until released; the system caches them on.
            self.mapping.madvise(mmap.MADV_DONTNEED)
        return light

    def linear(self, codes: np.ndarray) -> np.ndarray:
        """Linear light of codes of any shape: float32."""
        return np.array(codes) if self._table is None else self._table[codes]

    def channel_noise(self, channel: int) -> NoiseModel | None:
        """The noise that the files state for a channel, or None.

        That of a luminance holds where the picture is gray (NoiseModel.of_weighted_sum).
        """
        if self.noise is None:
            return None
        if channel != GRAY:
            return self.noise[channel]
        if self.channels == 1 or self.development is not None:
            return self.noise[0 if self.channels == 1 else 1]
        return NoiseModel.of_weighted_sum(self.noise, LUMINANCE_WEIGHTS)

    def developed(self, linear: np.ndarray) -> np.ndarray:
        """A picture for people in linear sRGB, [C, H, W]: raw planes get white balance and matrix."""
        if self.development is None or len(linear) != 3:
            return linear
        matrix, white_balance = self.development
        balanced = linear * white_balance[:, None, None].astype(np.float32)
        return np.einsum("rc,chw->rhw", matrix.astype(np.float32), balanced)


def decoding_table(top: int, levels: tuple[float, float] | None) -> np.ndarray:
    """Linear light of each code 0..top, float32; levels as for :class:`FrameStack`."""
    codes = np.arange(top + 1, dtype=np.float64)
    if levels is None:
        return srgb_decode(codes / top).astype(np.float32)
    black, white = levels
    return ((codes - black) / (white - black)).astype(np.float32)
