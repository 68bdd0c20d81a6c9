"""Frames of one's own as they were stored, on disk, and the linear light of whatever part is looked at."""

from __future__ import annotations

import functools
import mmap
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from kpnviz.burst import BurstRecipe
from kpnviz.capture.levels import FEW_COUNTS, below_black
from kpnviz.capture.meaning import Input, colors_of
from kpnviz.color import LUMINANCE_WEIGHTS, srgb_decode
from kpnviz.noise import NoiseModel

GRAY = -1
"""The channel that stands for luminance, or for green of raw planes."""

ENCODED_NOTE = (
    "These files are sRGB-encoded and were taken back to linear light; a camera's processing (tone curve, "
    "sharpening, compression, clipping at 0) makes their noise differ a little from the model."
)

_RESIDENT_BYTES = 64_000_000
_GRAY_WORLD_NOTE = (
    "No tag gives a white balance: for people, red and blue are scaled so that the mean of a frame is gray. Linear "
    "output keeps the sensor's colors."
)

_BALANCED, _MOST_BALANCE = 256, 8.0  # pixels a side that a white balance is seen on; and the most it may be
_RAW_WHITE = 0.98  # of raw planes: beyond, one of the greens may be clipped


@dataclass(frozen=True, eq=False)
class FrameStack:
    """Frames as they were stored, [N, C, H, W], mapped from a temporary file; light is computed where one looks.

    The file has no name: it is gone when the stack is, whatever happens to the process.

    codes       uint8 or uint16 codes, or float32 in linear light; places: which of them are the frames
    names       of the frames' files
    levels      (black, white) codes of linear light; None: sRGB-encoded (integers), or 0 and 1 (float)
    meaning     what the numbers were taken for (:meth:`read_as`); None: the files say it (raw, burst.json, NPZ)
    guess       a sentence on why, where it is no matter of course; {black} in it stands for the number of black
    on_black    a sentence on black, where nobody stated it
    black_open  whether nobody stated which number is black, so that it may be found (:meth:`with_black`)
    encoding_open   whether codes of 16 bits are taken for sRGB's as nothing says otherwise
    pattern     of a Bayer sensor, whose mosaic the one plane is, or whose colors the four planes are; else ""
    profile     of the files' colors, where it is not sRGB
    noise       of each channel, as the files say it, and who says so; or None: nobody does
    known       a burst whose frame 0 is the reference and whose misalignment is part of it (synthetic)
    truth_place which of the codes are the truth, and shifts [N, 2], where known; so are the next four, of a Burst
    white_level, moving_mask [M, H, W] (on disk as the codes are), moving_shifts [M, N, 2], recipe
    development (matrix, white balance) of raw planes, as their file says it; see ``rendering``
    file_notes  sentences for people
    exif        of each frame's file, as it may go into a picture of it; empty where there is none
    mapping     of the temporary file that holds the codes
    exposures   of each frame as its file says it (time x ISO / f-number^2, in any unit), or None where it does not
    gains       how many times as bright as the reference each frame is, [frames, channels]: light is divided by it;
                None: all alike
    ceiling     light at which values of float frames are cut off, where one saw that
    mended      codes that are read in the place of those of a sensor's defects; defect_notes: sentences on those that
                are not
    taken_off   light of a black below 0 that was found, not stated: added to what is written as floating point
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
    file_notes: tuple[str, ...] = ()
    meaning: Input | None = None
    guess: str = ""
    on_black: str = ""
    black_open: bool = False
    encoding_open: bool = False
    pattern: str = ""
    profile: ColorProfile | None = None
    exif: tuple[bytes, ...] = ()
    mapping: mmap.mmap | None = None
    exposures: tuple[float | None, ...] = ()
    gains: np.ndarray | None = None
    ceiling: float | None = None
    mended: Mended | None = None
    defect_notes: tuple[str, ...] = ()
    taken_off: float = 0.0
    _tables: tuple[np.ndarray, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        tables: tuple[np.ndarray, ...] = ()
        if self.codes.dtype != np.float32:
            top = int(np.iinfo(self.codes.dtype).max)
            tables = (decoding_table(top, self.levels),)
            if self.encoded and self.profile is not None:
                tables = tuple(
                    self.profile.decoded(c, np.arange(top + 1) / top) for c in range(self.channels)
                )
        object.__setattr__(self, "_tables", tables)

    def read_as(
        self, meaning: Input, guess: str = "", on_black: str = "", guessed: bool = False
    ) -> FrameStack:
        """The same files with numbers that mean something else. ValueError where they say themselves what they mean,
        or have no such pattern. `guessed`: nobody stated that they mean this."""
        if self.meaning is None:
            raise ValueError(f"input: {self.names[0]} says itself what its numbers mean")
        planes = self.codes.shape[1]
        if meaning.pattern and planes == 3:
            raise ValueError(
                f"input is {meaning.name}; {self.names[0]} has three colors at each pixel, no mosaic"
            )
        if meaning.pattern and planes == 1 and min(self.codes.shape[2:]) < 2:
            raise ValueError(f"input is {meaning.name}; {self.names[0]} has no 2x2 pixels")
        levels = meaning.levels(self.codes.dtype)
        if not guessed and (meaning.black, meaning.white) != (None, None):
            meaning.check(self.codes)
        if self.codes.dtype == np.float32 and levels == (0.0, 1.0):
            levels = None
        found = levels[0] / (levels[1] - levels[0]) if guessed and levels is not None else 0.0
        black_open = meaning.encoding != "srgb" and (meaning.black is None or (guessed and meaning.black > 0))
        return replace(
            self, mended=None, defect_notes=(), meaning=meaning, guess=guess, on_black=on_black,
            black_open=black_open, encoding_open=False, pattern=meaning.pattern, levels=levels,
            taken_off=min(found, 0.0),
        )  # fmt: skip

    def with_black(self, black: float, on_black: str) -> FrameStack:
        """The same numbers with another one for black, as it was found, and a sentence on it."""
        assert self.meaning is not None
        meaning = replace(self.meaning, black=black or None)
        levels = meaning.levels(self.codes.dtype)
        if self.codes.dtype == np.float32 and levels == (0.0, 1.0):
            levels = None
        told = replace(self, meaning=meaning, levels=levels, on_black=on_black)
        if self.ceiling is None:
            return told
        return replace(told, ceiling=float(told.relit(np.float32(self.ceiling), self)))

    def relit(self, light: np.ndarray | np.float32, before: FrameStack) -> np.ndarray:
        """Linear light as it is here, of what it was when these numbers had other levels."""
        (black, white), (now_black, now_white) = before.levels or (0.0, 1.0), self.levels or (0.0, 1.0)
        return np.asarray((light * (white - black) + (black - now_black)) / (now_white - now_black))

    def meant(
        self, encoding: str | None = None, black: float | None = None, white: float | None = None
    ) -> FrameStack:
        """:meth:`read_as` what options say, "srgb", "linear" or "bayer:RGGB"; what they leave open stays as it was."""
        if (encoding, black, white) == (None, None, None):
            return self
        if self.meaning is None:
            return self.read_as(Input())  # says why not
        now = self.meaning
        name = encoding or ("linear" if now.encoding == "srgb" else now.name)
        if name.lower() != "srgb":
            words = [word for word, value in (("black", black), ("white", white)) if value is not None]
            stated = " and ".join(words) + (" are" if len(words) > 1 else " is")
            stays_open = black is None and self.black_open
            black, white = now.black if black is None else black, now.white if white is None else white
        else:
            stays_open = False
        stack = self.read_as(Input.of(name, black, white))
        if stays_open:
            stack = replace(stack, black_open=True, on_black=self.on_black)
        notes = []
        if encoding is None and now.encoding == "srgb":
            notes.append(f"Read as linear light, not as sRGB, as {stated} given.")
        if stack.levels is not None:
            notes.append(below_black(self.codes, stack.levels[0]))
        return replace(stack, guess=" ".join(filter(None, notes)))

    def __len__(self) -> int:
        return len(self.places)

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences for people, on what the files are and what their numbers were taken for."""
        black = f"{self.levels[0] if self.levels else 0:g}"
        meaning = " ".join(filter(None, (self.guess.replace("{black}", black), self.on_black)))
        notes = [*self.file_notes, *([meaning] if meaning else [])]
        if self.mended is not None:
            notes.append(str(self.mended))
        notes += self.defect_notes
        if self.pattern and self.development is None:
            notes.append(_GRAY_WORLD_NOTE)
        if self.profile is not None and not self.pattern:
            notes.append(f"Their colors are those of {self.profile.name}; shown and written they are sRGB's.")
        if self.encoded and not self.known:
            notes.append(ENCODED_NOTE if self.profile is None else ENCODED_NOTE.replace("sRGB-", ""))
        return tuple(notes)

    @property
    def channels(self) -> int:
        return 1 if self.codes.shape[1] == 1 and not self.pattern else 3

    @property
    def _mosaic(self) -> int:
        """Pixels of a file to one that is read, along each side."""
        return 2 if self.pattern and self.codes.shape[1] == 1 else 1

    @property
    def height(self) -> int:
        return self.codes.shape[2] // self._mosaic

    @property
    def width(self) -> int:
        return self.codes.shape[3] // self._mosaic

    @property
    def encoded(self) -> bool:
        """Whether the files were sRGB-encoded; else they were linear."""
        if self.codes.dtype == np.float32:
            return self.meaning is not None and self.meaning.encoding == "srgb"
        return self.levels is None

    @property
    def weights(self) -> tuple[float, ...] | None:
        """Of R, G and B in the luminance; None: GRAY is green, as colors are those of a camera."""
        if self.pattern or self.development is not None:
            return None
        return LUMINANCE_WEIGHTS if self.profile is None else self.profile.weights

    @property
    def clipped(self) -> tuple[float, float] | None:
        """Beyond which light the files' values are cut off, (low, high); None: they are not, or nobody knows."""
        if self.weights is None:
            return -np.inf, _RAW_WHITE * min(self.ceiling or 1.0, 1.0)
        # Integers are clipped at both ends of their range; linear codes with a black level are not.
        if self.encoded:
            return 0.0, 1.0
        few = self.codes.dtype == np.uint16 and self.levels is not None and self.levels[1] < FEW_COUNTS
        if self.codes.dtype != np.float32 and self.levels is not None and not self.known and not few:
            return -np.inf if self.levels[0] else 0.0, self.ceiling or 1.0
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
            return float(gains @ np.array(self.weights))
        return float(gains[self._plane(channel)])

    def _gains(self, frame: int) -> np.ndarray | None:
        return None if self.gains is None else np.asarray(self.gains[frame])

    def _is_luminance(self, channel: int) -> bool:
        return channel == GRAY and self.channels == 3 and self.weights is not None

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
                for c, weight in enumerate(self.weights or ())
            ]
            return sum(weighted[1:], start=weighted[0])
        channel = self._plane(channel)
        parts = [self.linear(plane, channel) for plane in self._planes(place, channel, rows, columns)]
        light = parts[0] if len(parts) == 1 else sum(parts[1:], start=parts[0]) / np.float32(len(parts))
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

    def _planes(self, place: int, channel: int, rows: Any, columns: Any) -> list[np.ndarray]:
        """The codes of a rectangle: one, or of the green of a Bayer sensor two."""

        def of(plane: int, down: int = 0, across: int = 0) -> np.ndarray:
            codes, step = self.codes[place, plane], self._mosaic
            if step == 2:  # every second row and column, as views
                codes = codes[down : 2 * self.height : 2, across : 2 * self.width : 2]
            found = codes[np.ix_(rows, columns)] if isinstance(rows, np.ndarray) else codes[rows, columns]
            if self.mended is None or place not in self.places:
                return found
            places = (
                first + step * np.arange(length)[index]
                for first, length, index in ((down, self.height, rows), (across, self.width, columns))
            )
            return self.mended.put_into(found, plane, self.places.index(place), *places)

        if not self.pattern:
            return [of(channel)]
        same = colors_of(self.pattern, channel)
        return [of(0, k // 2, k % 2) if self._mosaic == 2 else of(k) for k in same]

    def linear(self, codes: np.ndarray, channel: int = 0) -> np.ndarray:
        """Linear light of a channel's codes of any shape: float32."""
        if self._tables:
            return self._tables[channel if len(self._tables) > 1 else 0][codes]
        if self.encoded:
            decoded = srgb_decode(codes) if self.profile is None else self.profile.decoded(channel, codes)
            return np.asarray(decoded, dtype=np.float32)
        if self.levels is None:
            return np.array(codes)
        black, white = self.levels
        return np.asarray((codes - np.float32(black)) / np.float32(white - black))

    def channel_noise(self, channel: int) -> NoiseModel | None:
        """The noise that the files state for a channel, or None.

        That of a luminance holds where the picture is gray (NoiseModel.of_weighted_sum).
        """
        if self.noise is None:
            return None
        if channel != GRAY:
            return self.noise[channel]
        if self.channels == 1 or self.weights is None:
            return self.noise[0 if self.channels == 1 else 1]
        return NoiseModel.of_weighted_sum(self.noise, self.weights)

    @functools.cached_property
    def rendering(self) -> tuple[np.ndarray, np.ndarray] | None:
        """(matrix, white balance) of a sensor's colors: `development`, or where no tag says it, what makes the mean of
        frame 0 gray ("gray world"), clipped pixels left out, without a matrix. None: the colors are no sensor's."""
        if self.development is not None or not self.pattern or self.channels != 3:
            return self.development
        step = [slice(None, None, max(1, n // _BALANCED)) for n in (self.height, self.width)]
        rows, columns = (np.arange(n)[s] for n, s in zip((self.height, self.width), step, strict=True))
        planes = np.stack([self._light(self.places[0], c, rows, columns) for c in range(3)])
        whole = (planes < _RAW_WHITE).all(axis=0)
        means = planes[:, whole].mean(axis=1) if whole.any() else np.ones(3)
        balance = means[1] / means if (means > 0).all() else np.ones(3)
        return np.eye(3), np.clip(balance, 1 / _MOST_BALANCE, _MOST_BALANCE)

    def developed(self, linear: np.ndarray) -> np.ndarray:
        """A picture for people in linear sRGB, [C, H, W]: raw planes get white balance and matrix, other colors of a
        profile its matrix."""
        rendering = self.rendering
        if len(linear) != 3 or (rendering is None and self.profile is None):
            return linear
        matrix, white_balance = np.eye(3), np.ones(3)
        if rendering is not None:
            matrix, white_balance = rendering
        elif self.profile is not None:
            matrix = self.profile.matrix
        balanced = linear * white_balance[:, None, None].astype(np.float32)
        return np.einsum("rc,chw->rhw", matrix.astype(np.float32), balanced)


@dataclass(frozen=True, eq=False)
class ColorProfile:
    """Colors other than sRGB's, as an ICC profile says them.

    name     of the profile;  matrix  [3, 3], its linear R, G, B to those of sRGB;  weights  of them in the luminance
    curves   linear light at evenly spaced codes 0 to 1, of each channel
    """

    name: str
    matrix: np.ndarray
    weights: tuple[float, float, float]
    curves: tuple[np.ndarray, ...]

    def decoded(self, channel: int, values: np.ndarray) -> np.ndarray:
        """Linear light of a channel's codes, which run from 0 to 1: float32."""
        curve = self.curves[channel if len(self.curves) > 1 else 0]
        return np.interp(values, np.linspace(0, 1, len(curve)), curve).astype(np.float32)


@dataclass(frozen=True, eq=False)
class Mended:
    """What is read in the place of a sensor's defects, of each plane of the files' codes.

    planes   {plane: (rows [K], columns [K], codes [frames, K])}, by rows; of a place that comes twice, the last holds
    pixels, lines   how many there are
    """

    planes: dict[int, tuple[np.ndarray, np.ndarray, np.ndarray]]
    pixels: int
    lines: int

    @classmethod
    def of(
        cls, found: list[tuple[int, np.ndarray, np.ndarray, np.ndarray]], pixels: int, lines: int
    ) -> Mended:
        """From (plane, rows, columns, codes), of which several may be of one plane: the last holds."""
        planes = {}
        for plane in {one[0] for one in found}:
            rows, columns, codes = (
                np.concatenate([one[k] for one in found if one[0] == plane], axis=-1) for k in (1, 2, 3)
            )
            order = np.argsort(rows, kind="stable")
            planes[plane] = (rows[order], columns[order], codes[:, order])
        return cls(planes, pixels, lines)

    def put_into(
        self, codes: np.ndarray, plane: int, frame: int, rows: np.ndarray, columns: np.ndarray
    ) -> np.ndarray:
        """Codes [h, w] that lie at these rows and columns of a plane; a copy, if there is something to mend."""
        if plane not in self.planes or not codes.size:
            return codes
        at_rows, at_columns, instead = self.planes[plane]
        (top, bottom), (left, right) = ((int(i.min()), int(i.max()) + 1) for i in (rows, columns))
        first, last = np.searchsorted(at_rows, (top, bottom))
        inside = first + np.flatnonzero((at_columns[first:last] >= left) & (at_columns[first:last] < right))
        if not len(inside):
            return codes
        which = np.full((bottom - top, right - left), -1, dtype=np.int32)
        which[at_rows[inside] - top, at_columns[inside] - left] = inside
        which = which[np.ix_(rows - top, columns - left)]
        return np.where(which >= 0, instead[frame][which], codes)

    def __str__(self) -> str:
        names = ("hot or dead pixel", "hot or dead pixels"), ("fixed column or row", "fixed columns or rows")
        counts = self.pixels, self.lines
        parts = [f"{n} {many if n > 1 else one}" for n, (one, many) in zip(counts, names, strict=True) if n]
        were = "was" if sum(counts) == 1 else "were"
        return f"{' and '.join(parts)} of the sensor {were} found over the burst and mended."


def decoding_table(top: int, levels: tuple[float, float] | None) -> np.ndarray:
    """Linear light of each code 0..top, float32; levels as for :class:`FrameStack`."""
    codes = np.arange(top + 1, dtype=np.float64)
    if levels is None:
        return srgb_decode(codes / top).astype(np.float32)
    black, white = levels
    return ((codes - black) / (white - black)).astype(np.float32)
