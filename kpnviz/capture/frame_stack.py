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
    exposures   of each frame as its file says it (time x ISO / f-number^2, in any unit), or None where it does not
    gains       how many times as bright as the reference each frame is, [frames, channels]: light is divided by it;
                None: all alike
    ceiling     light at which values of float frames are cut off, where one saw that
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
    exposures: tuple[float | None, ...] = ()
    gains: np.ndarray | None = None
    ceiling: float | None = None
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

    @property
    def clipped(self) -> tuple[float, float] | None:
        """Beyond which light the files' values are cut off, (low, high); None: they are not, or nobody knows."""
        if self.development is not None:
            return -np.inf, 0.98
        # Integers are clipped at both ends of their range; linear codes with a black level are not.
        if self.encoded:
            return 0.0, 1.0
        return None if self.ceiling is None else (-np.inf, self.ceiling)

    def light(self, frame: int, channel: int, rows: Any, columns: Any) -> np.ndarray:
        """Linear light of a rectangle: float32; rows and columns are slices, or both index arrays.

        channel GRAY is the luminance of color photos; of raw planes, whose colors are the camera's, green. Of frames
        with other brightness it is the light of the reference (`gains`).
        """
        return self._light(self.places[frame], channel, rows, columns, self._gains(frame))

    def saturated(self, frame: int, channel: int, rows: Any, columns: Any) -> np.ndarray:
        """Where a rectangle of a frame has reached white, in any channel that :meth:`light` is made of: bool."""
        planes = list(range(3)) if self._is_luminance(channel) else [channel]
        high = np.inf if self.clipped is None else self.clipped[1]
        reached = [self._light(self.places[frame], c, rows, columns) >= high for c in planes]
        return np.asarray(np.logical_or.reduce(reached))

    def gain(self, frame: int, channel: int) -> float:
        """How many times as bright as the reference a frame is in a channel; GRAY: in luminance, about."""
        gains = self._gains(frame)
        if gains is None:
            return 1.0
        if self._is_luminance(channel):
            return float(gains @ np.array(LUMINANCE_WEIGHTS))
        return float(gains[self._plane(channel)])

    def _gains(self, frame: int) -> np.ndarray | None:
        return None if self.gains is None else np.asarray(self.gains[frame])

    def _is_luminance(self, channel: int) -> bool:
        return channel == GRAY and self.channels == 3 and self.development is None

    def _plane(self, channel: int) -> int:
        if channel != GRAY:
            return channel
        return 0 if self.channels == 1 else 1

    def truth(self, channel: int, rows: Any, columns: Any) -> np.ndarray | None:
        """The same of the truth; None where it is not known."""
        if self.truth_place is None:
            return None
        return self._light(self.truth_place, channel, rows, columns)

    def _light(
        self, place: int, channel: int, rows: Any, columns: Any, gains: np.ndarray | None = None
    ) -> np.ndarray:
        if self._is_luminance(channel):
            weighted = [
                np.float32(weight) * self._light(place, c, rows, columns, gains)
                for c, weight in enumerate(LUMINANCE_WEIGHTS)
            ]
            return sum(weighted[1:], start=weighted[0])
        channel = self._plane(channel)
        plane = self.codes[place, channel]
        plane = plane[np.ix_(rows, columns)] if isinstance(rows, np.ndarray) else plane[rows, columns]
        light = self.linear(plane)
        if gains is not None and gains[channel] != 1:
            light /= np.float32(gains[channel])
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
