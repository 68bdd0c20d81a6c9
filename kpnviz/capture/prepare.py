"""From frames on disk to what a network takes: which frames, aligned how, with what noise."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from kpnviz.burst import Burst, BurstRecipe
from kpnviz.capture import brightness as light
from kpnviz.capture.alignment import find_shift
from kpnviz.capture.frame_stack import GRAY, FrameStack
from kpnviz.capture.motion_field import (
    CELL,
    TOLERANCE,
    Pyramid,
    displaced,
    find_motion,
    pyramid,
    whole_blocks,
)
from kpnviz.capture.noise_estimation import NoiseFit, estimate_noise, noise_of_one_frame
from kpnviz.capture.reader import files_of, read_frames
from kpnviz.limits import Limits
from kpnviz.noise import NoiseModel
from kpnviz.sampling import box_reduce, reduction, reflect_index
from kpnviz.text import escaped

REACH = 2
"""Shifts up to this many pixels are left to the kernels; a 5x5 kernel reaches 2."""

_OVERVIEW_PIXELS = 1_000_000
_COARSE_PIXELS = 10_000  # on which a turned camera is looked for
_LEAST_SIDE = 128  # px: smaller frames are shifted as a whole
_PART_PIXELS = 2_000_000  # of a frame that are in memory at a time
_SHEET = 256  # px: side of a window that shifts are found on
_BLOCK, _BLOCKS = 64, 256  # px, and number: parts that noise is estimated on


def _nothing() -> None:
    """What is done between parts of the work where nobody waits."""


@dataclass(frozen=True)
class Shift:
    """Where the scene of the reference lies in a frame, and what is done about it.

    measured   (dy, dx) in pixels, of the frame as a whole; None: not found, so the frame is used as it is
    undone     (dy, dx) in whole pixels, taken back when the frame is read, in its middle; the rest is left to kernels
    bend       pixels by which displacements elsewhere differ from those in the middle; 0: the whole frame is shifted
    brightness how many times as bright as the reference the frame is; it is divided by that when it is read
    """

    measured: tuple[float, float] | None
    undone: tuple[int, int] = (0, 0)
    bend: float = 0.0
    brightness: float = 1.0

    @property
    def whole(self) -> tuple[int, int]:
        """The measured shift to the nearest pixel; (0, 0) if there is none."""
        dy, dx = self.measured or (0, 0)
        return round(dy), round(dx)

    @property
    def aligned(self) -> bool:
        """Whether anything is taken back."""
        return any(self.undone) or self.bend > 0

    def __str__(self) -> str:
        ev = np.log2(self.brightness)
        bright = f"; brightness {ev:+.2f} EV, undone" if self.brightness != 1 else ""
        if self.measured is None:
            return f"shift not found{bright}"
        dy, dx = (round(d, 1) + 0.0 for d in self.measured)
        bend = f", elsewhere up to {self.bend:.0f} px more" if self.bend else ""
        return (
            f"shift dy {dy:+.1f}, dx {dx:+.1f} px".replace("-", "−")
            + f"{bend}{', undone' if self.aligned else ''}{bright}"
        )


def overview(
    stack: FrameStack,
    frame: int,
    channel: int = GRAY,
    pixels: int | None = None,
    between: Callable[[], object] = _nothing,
    factors: tuple[int, int] | None = None,
) -> np.ndarray:
    """A frame in linear light, box-reduced by `factors`, or to at most `pixels`: [h, w] float32. It is read in parts;
    `between` is called before each."""
    factors = factors or reduction(stack.height, stack.width, pixels or _OVERVIEW_PIXELS)
    down, across = factors
    h, w = stack.height // down, stack.width // across
    wide = min(w, max(1, _PART_PIXELS // (down * across)))
    high = max(1, _PART_PIXELS // (down * across * wide))
    small = np.empty((h, w), dtype=np.float32)
    for top, left in itertools.product(range(0, h, high), range(0, w, wide)):
        between()
        bottom, right = min(top + high, h), min(left + wide, w)
        rows, columns = slice(top * down, bottom * down), slice(left * across, right * across)
        small[top:bottom, left:right] = box_reduce(stack.light(frame, channel, rows, columns), factors)
    return small


def sharpness(image: np.ndarray) -> float:
    """Energy of the edges of a picture [H, W] against its brightness; noise is averaged down first."""
    small = box_reduce(image, min(4, *image.shape))
    dy, dx = np.diff(small, axis=0), np.diff(small, axis=1)
    energy = float((dy**2).sum(dtype=np.float64) + (dx**2).sum(dtype=np.float64)) / small.size
    return energy / max(float(small.mean(dtype=np.float64)) ** 2, 1e-12)


@dataclass(frozen=True, eq=False)
class OwnBurst:
    """A burst of one's own, ready for a network.

    order       frames of the stack that are used, the reference first; some may come twice
    shifts      of every frame of the stack against the reference
    sharpness   of every frame of the stack
    motion      displacements (dy, dx) of every frame of the stack, as measured, and
    displacements   as they are taken back when a frame is read: whole pixels, int16. Both are [frames, ceil(H/16),
                ceil(W/16), 2], of cells of 16x16 pixels: the scene at (y, x) of the reference is read at (y + dy, x +
                dx)
    """

    stack: FrameStack
    order: tuple[int, ...]
    shifts: tuple[Shift, ...]
    sharpness: tuple[float, ...]
    motion: np.ndarray
    displacements: np.ndarray

    @property
    def reference(self) -> int:
        return self.order[0]

    def taking(self, frames: int | None) -> OwnBurst:
        """The same for networks that take so many frames: fewer are completed by repeating, of more the sharpest of
        those that were found are used. None: for networks that take any number, so each once."""
        if frames is not None and frames < 1:
            raise ValueError(f"frames is {frames}; a network takes 1 or more")
        others = [i for i in range(len(self.stack)) if i != self.reference]
        if frames is None:
            return replace(self, order=(self.reference, *others))
        if len(self.stack) > frames:
            best = sorted(others, key=lambda i: (self.shifts[i].measured is None, -self.sharpness[i]))
            others = sorted(best[: frames - 1])
        order = [self.reference, *others]
        # Repeat the others in turn: the reference has its own place in the network.
        order += [others[i % len(others)] if others else order[0] for i in range(frames - len(order))]
        return replace(self, order=tuple(order))

    @property
    def report(self) -> str:
        """One or two sentences: which frames are used, and what was done to them."""
        total, used = len(self.stack), len(set(self.order))
        why = "as given" if self.stack.known else "the sharpest"
        brightness = np.array([shift.brightness for shift in self.shifts])
        bracketed = not light.middle_exposure(brightness).all()
        if bracketed and not self.stack.known:
            why = "of the middle exposure, the sharpest"
        text = f"The reference is {self.stack.names[self.reference]} ({why})."
        if used < total:
            left = [self.stack.names[i] for i in range(total) if i not in self.order]
            text += f" Of {total} frames {used} are used, the sharpest that were found; left out: {', '.join(left)}."
        elif len(self.order) > used:
            twice = len(self.order) - used
            text += (
                f" There are {total} frames for a network of {len(self.order)}: {twice} places repeat frames."
            )
        moved = sum(self.shifts[i].aligned for i in set(self.order))
        bent = sum(self.shifts[i].bend > 0 for i in set(self.order))
        if moved:
            text += f" {moved} frame{'s were' if moved > 1 else ' was'} shifted back onto it"
            text += f", {bent} of them by displacements that differ over the picture." if bent else "."
        text += self._brightness_report
        lost = [self.stack.names[i] for i in sorted(set(self.order)) if self.shifts[i].measured is None]
        if lost:
            text += (
                f" No shift was found for {', '.join(lost)}: {'they are' if len(lost) > 1 else 'it is'} used "
                "unshifted, and left out of the estimate of the noise."
            )
        return text

    @property
    def _brightness_report(self) -> str:
        """A sentence on frames that are brighter or darker than the reference; nothing where none is."""
        gains = self.stack.gains
        used = sorted(set(self.order) - {self.reference})
        if gains is None or not (gains[used] != 1).any():
            return ""
        ev = [float(np.log2(self.shifts[i].brightness)) for i in used]
        count = sum(bool((gains[i] != 1).any()) for i in used)
        if max(map(abs, ev)) < 0.005:  # 0.00 EV: only colors differ
            return f" The colors of {count} frame{'s' if count > 1 else ''} differ from its own, which is undone."
        text = (
            f" {count} frame{'s are' if count > 1 else ' is'} brighter or darker than it ({min(ev):+.2f} to "
            f"{max(ev):+.2f} EV), which is undone"
        )
        drift = gains[used] / gains[used].mean(axis=1, keepdims=True)
        if np.ptp(drift, axis=1).max() > 0:
            text += ", for each color by itself"
        text += "."
        return text

    @property
    def remaining_report(self) -> str:
        """:meth:`remaining` as a small map of four lines; nothing where no frame was found."""
        if len({i for i in self.order if self.shifts[i].measured is not None}) < 2:
            return ""
        lines = [
            f"left to the kernels in each ninth of the picture, px (frames that show it, of {self._used}):"
        ]
        for residual, frames in zip(*self.remaining(), strict=True):
            lines.append("".join(f"{px:8.1f} ({n})" for px, n in zip(residual, frames, strict=True)))
        return "\n".join(lines)

    @property
    def _used(self) -> int:
        """How many frames are used."""
        return len(set(self.order))

    @property
    def remaining_sentence(self) -> str:
        """Where alignment leaves most, where that is more than the smallest kernels reach; else nothing."""
        residual, frames = self.remaining()
        if residual.max() <= REACH:
            return ""
        rows, columns = ("top", "middle", "bottom"), ("left", "middle", "right")
        i, j = np.unravel_index(np.argmax(residual), residual.shape)
        place = " ".join(dict.fromkeys((rows[i], columns[j])))
        least = (
            f"at least {frames.min()} of {self._used}" if frames.min() < self._used else f"all {self._used}"
        )
        return (
            f"Alignment leaves up to {residual.max():.1f} px to the kernels ({place}); {least} frames show every part "
            "of the picture."
        )

    def channel(self, channel: int, noise: NoiseModel) -> ChannelView:
        """One channel (or GRAY) as a network reads it, with its assumed noise."""
        return ChannelView(self, channel, noise)

    def color(self, noises: Sequence[NoiseModel]) -> ColorView:
        """R, G and B together as a network reads them, with the noise of each. ValueError for a burst in gray."""
        if self.stack.channels != 3:
            raise ValueError("the files are gray; they have no R, G and B")
        return ColorView(self, tuple(noises))

    def recipe_of(self, height: int, width: int) -> BurstRecipe | None:
        """The recipe of which a part of so many pixels is the burst: of the whole, as it was made; else None."""
        stack = self.stack
        as_made = (
            not self.displacements.any()
            and stack.gains is None
            and self.order == tuple(range(len(stack)))
            and (height, width) == (stack.height, stack.width)
        )
        return stack.recipe if as_made else None

    def estimate_noise(self, channel: int = GRAY, between: Callable[[], object] = _nothing) -> NoiseFit:
        """Fit the noise of a channel over all frames that were found, on up to 256 blocks spread over the picture.

        `between` is called before each block is read. ValueError if there is nothing to estimate from.
        """
        found = [i for i, shift in enumerate(self.shifts) if shift.measured is not None]
        if len(found) < 2:
            raise ValueError(
                "noise: no frame could be aligned with the reference, and it is seen between frames; state it instead"
            )
        margin = round(float(np.abs(self.motion[found]).max()))
        if min(self.stack.height, self.stack.width) < 2 * margin + 64:
            margin = 0
        nearest = {i: np.rint(self.motion[i]) for i in found}
        gains = np.array([self.stack.gain(i, channel) for i in found])
        blocks = _blocks(self.stack, channel, nearest, margin, between)
        fit = estimate_noise(blocks, self.stack.clipped, gains)
        try:
            return replace(fit, alone=self._noise_of_the_reference(channel))
        except ValueError:
            return fit

    def guess_noise(self, channel: int = GRAY) -> tuple[NoiseModel, str]:
        """What to assume where :meth:`estimate_noise` finds nothing, and a phrase that says where it comes from.

        The noise within the reference; of frames that are clipped, as the darkest are, that of the clipped values,
        which is too little but of the right order; of pictures too small for that, the noise of gain 2.
        """
        try:
            return self._noise_of_the_reference(channel), "from the reference alone"
        except ValueError:
            pass
        try:
            noise = noise_of_one_frame(self._reference_blocks(channel))
            return noise, "from the reference alone, whose values are clipped: rather too little"
        except ValueError:
            return NoiseModel.for_gain(2), "a guess: gain ×2"

    def noise_of(self, channel: int = GRAY) -> tuple[NoiseModel, str, str]:
        """The noise of a channel as it is best known, where it comes from, and a sentence of caution, or nothing.

        As the files state it, else estimated from the burst, else :meth:`guess_noise`.
        """
        stated = self.stack.channel_noise(channel)
        if stated is not None:
            return stated, self.stack.noise_source, ""
        return self.estimated_noise_of(channel)

    def estimated_noise_of(self, channel: int = GRAY) -> tuple[NoiseModel, str, str]:
        """:meth:`noise_of` as if the files stated none."""
        try:
            fit = self.estimate_noise(channel)
        except ValueError as error:
            noise, source = self.guess_noise(channel)
            reason = str(error).removeprefix("noise: ")
            return noise, source, f"The noise could not be estimated from the burst: {reason}."
        return fit.noise, "estimated from the burst", fit.caution

    def _noise_of_the_reference(self, channel: int) -> NoiseModel:
        return noise_of_one_frame(self._reference_blocks(channel), self.stack.clipped)

    def _reference_blocks(self, channel: int) -> Iterator[np.ndarray]:
        still = {self.reference: np.zeros_like(self.motion[0])}
        return (block[0] for block in _blocks(self.stack, channel, still))

    def displacement(self, y: int, x: int) -> np.ndarray:
        """What is taken back at a pixel, for every place of `order`: [N, 2]."""
        return np.asarray(self.displacements[list(self.order), y // CELL, x // CELL])

    def remaining(self) -> tuple[np.ndarray, np.ndarray]:
        """What alignment leaves in each ninth of the picture: [3, 3] each.

        The largest displacement, in pixels, that is left to the kernels, of the frames that were found (but for a
        hundredth of each ninth); and how many frames, the reference with them, show half of it or more.
        """
        used = sorted(i for i in set(self.order) if self.shifts[i].measured is not None)
        left = np.abs(self.motion[used] - self.displacements[used]).max(axis=-1)
        height, width = self.stack.height, self.stack.width
        y, x = (
            np.minimum(np.arange(n) * CELL + CELL // 2, most - 1)
            for n, most in zip(left.shape[1:], (height, width), strict=True)
        )
        there = self.motion[used] + np.stack(np.meshgrid(y, x, indexing="ij"), axis=-1)
        inside = ((there >= 0) & (there <= (height - 1, width - 1))).all(axis=-1)
        residual, frames = np.zeros((3, 3)), np.zeros((3, 3), dtype=int)
        for (i, rows), (j, columns) in itertools.product(*(enumerate(_thirds(n)) for n in left.shape[1:])):
            residual[i, j] = np.quantile(left[:, rows, columns], 0.99, axis=(1, 2)).max()
            frames[i, j] = (inside[:, rows, columns].mean(axis=(1, 2)) >= 0.5).sum()
        return residual, frames


@dataclass(frozen=True, eq=False)
class ChannelView:
    """One channel of an OwnBurst: what a Denoiser reads, window by window (see denoise.FrameSource)."""

    burst: OwnBurst
    channel: int
    noise: NoiseModel

    def __len__(self) -> int:
        return len(self.burst.order)

    @property
    def channels(self) -> None:
        """One channel has no axis of channels, as in a gray Burst."""
        return None

    def channel_noises(self, needed_by: str) -> tuple[NoiseModel, ...]:
        return (self.noise,)

    @property
    def height(self) -> int:
        return self.burst.stack.height

    @property
    def width(self) -> int:
        return self.burst.stack.width

    def window(self, rows: slice, columns: slice) -> np.ndarray:
        """Linear light of all frames in a window, applied shifts undone: [N, h, w] float32."""
        stack, displacements = self.burst.stack, self.burst.displacements
        out = np.empty((len(self), rows.stop - rows.start, columns.stop - columns.start), dtype=np.float32)
        place = (rows.start, rows.stop, columns.start, columns.stop)
        for n, i in enumerate(self.burst.order):
            out[n] = read_displaced(stack, i, self.channel, displacements[i], *place)
        return out

    def crop(self, top: int, left: int, height: int, width: int) -> Burst:
        """A part as a Burst in memory, with all that is known of it; the whole, as it was, has its recipe too."""
        top, left = max(0, min(top, self.height - height)), max(0, min(left, self.width - width))
        height, width = min(height, self.height), min(width, self.width)
        rows, columns = slice(top, top + height), slice(left, left + width)
        stack, order = self.burst.stack, list(self.burst.order)
        cells = self.burst.displacements[:, _cells(rows), _cells(columns)]
        undone = cells[:, 0, 0].astype(np.int64)
        alike = bool((cells == cells[:, :1, :1]).all())
        shifts = mask = moving_shifts = None
        if stack.shifts is not None and alike:
            shifts = (stack.shifts - undone)[order]
        if stack.moving_mask is not None and stack.moving_shifts is not None and alike:
            mask = stack.moving_mask[:, rows, columns]
            moving_shifts = (stack.moving_shifts - undone)[:, order]
        truth = stack.truth(self.channel, rows, columns)
        # Of a channel of color `synthesize` would make another burst.
        recipe = self.burst.recipe_of(height, width)
        if recipe is not None and (stack.channels > 1 or recipe.color):
            recipe = None
        frames = self.window(rows, columns)
        return Burst(frames, self.noise, stack.white_level, truth, shifts, mask, moving_shifts, recipe)


@dataclass(frozen=True, eq=False)
class ColorView:
    """R, G and B of an OwnBurst together: what a Denoiser reads, window by window (see denoise.FrameSource)."""

    burst: OwnBurst
    noises: tuple[NoiseModel, ...]

    def __len__(self) -> int:
        return len(self.burst.order)

    @property
    def channels(self) -> int:
        return len(self.noises)

    def channel_noises(self, needed_by: str) -> tuple[NoiseModel, ...]:
        return self.noises

    @property
    def height(self) -> int:
        return self.burst.stack.height

    @property
    def width(self) -> int:
        return self.burst.stack.width

    @property
    def planes(self) -> list[ChannelView]:
        return [self.burst.channel(c, noise) for c, noise in enumerate(self.noises)]

    def window(self, rows: slice, columns: slice) -> np.ndarray:
        """Linear light of all frames in a window, applied shifts undone: [N, C, h, w] float32."""
        return np.stack([plane.window(rows, columns) for plane in self.planes], axis=1)

    def crop(self, top: int, left: int, height: int, width: int) -> Burst:
        """A part as a Burst in memory, [N, C, h, w], with all that is known of it; see ChannelView.crop."""
        parts = [plane.crop(top, left, height, width) for plane in self.planes]
        truths = [part.truth for part in parts if part.truth is not None]
        recipe = self.burst.recipe_of(parts[0].height, parts[0].width)
        return replace(
            parts[0],
            frames=np.stack([part.frames for part in parts], axis=1),
            noise=self.noises,
            truth=np.stack(truths) if truths else None,
            recipe=recipe and replace(recipe, color=True),
        )


def read_shifted(
    stack: FrameStack,
    frame: int,
    channel: int,
    shift: tuple[int, int],
    top: int,
    bottom: int,
    left: int,
    right: int,
    saturated: bool = False,
) -> np.ndarray:
    """Rows top..bottom-1, columns left..right-1 of the scene, where a frame that is shifted shows them.

    Beyond the frame's edge it goes on by reflection. `saturated`: not its light, but whether it is white, bool.
    """
    dy, dx = shift
    rows: Any = slice(top + dy, bottom + dy)
    columns: Any = slice(left + dx, right + dx)
    if rows.start < 0 or columns.start < 0 or rows.stop > stack.height or columns.stop > stack.width:
        rows = reflect_index(stack.height, rows.start, rows.stop)
        columns = reflect_index(stack.width, columns.start, columns.stop)
    return (stack.saturated if saturated else stack.light)(frame, channel, rows, columns)


def read_displaced(
    stack: FrameStack,
    frame: int,
    channel: int,
    displacements: np.ndarray,
    top: int,
    bottom: int,
    left: int,
    right: int,
    saturated: bool = False,
) -> np.ndarray:
    """:func:`read_shifted` where each cell of the picture has its own displacement: [ceil(H/16), ceil(W/16), 2]."""
    rows, columns = _cells(slice(top, bottom)), _cells(slice(left, right))
    field = displacements[rows, columns].astype(np.int64)
    low, high = field.min(axis=(0, 1)), field.max(axis=(0, 1))
    place = top + int(low[0]), bottom + int(high[0]), left + int(low[1]), right + int(high[1])
    around = read_shifted(stack, frame, channel, (0, 0), *place, saturated=saturated)
    if (low == high).all():
        return around
    out = np.empty((bottom - top, right - left), dtype=around.dtype)
    for cell_rows, cell_columns, (dy, dx) in _alike(field):
        y = np.clip((np.array(cell_rows) + rows.start) * CELL, top, bottom) - top
        x = np.clip((np.array(cell_columns) + columns.start) * CELL, left, right) - left
        moved_y, moved_x = y + dy - low[0], x + dx - low[1]
        out[slice(*y), slice(*x)] = around[slice(*moved_y), slice(*moved_x)]
    return out


def _cells(pixels: slice) -> slice:
    """The cells that pixels lie in."""
    return slice(pixels.start // CELL, -(-pixels.stop // CELL))


def _alike(field: np.ndarray) -> Iterator[tuple[tuple[int, int], tuple[int, int], np.ndarray]]:
    """A field [h, w, 2] as rectangles of one displacement: (first row, end), (first column, end), (dy, dx)."""
    same_row = (field[1:] == field[:-1]).all(axis=(1, 2))
    row_starts = [0, *(np.flatnonzero(~same_row) + 1), len(field)]
    for first, end in itertools.pairwise(row_starts):
        same = (field[first, 1:] == field[first, :-1]).all(axis=-1)
        column_starts = [0, *(np.flatnonzero(~same) + 1), field.shape[1]]
        for begin, stop in itertools.pairwise(column_starts):
            yield (first, end), (begin, stop), field[first, begin]


def _thirds(n: int) -> list[slice]:
    """Three parts of an axis of n cells; of fewer than three, some are the same."""
    return [slice(n * i // 3, max(n * (i + 1) // 3, n * i // 3 + 1)) for i in range(3)]


def _blocks(
    stack: FrameStack,
    channel: int,
    fields: dict[int, np.ndarray],
    margin: int = 0,
    between: Callable[[], object] = _nothing,
) -> Iterator[np.ndarray]:
    """Blocks of frames {number: displacements in whole pixels}, [N, h, w] each; up to 256, spread over the picture.

    A block of a frame is read with one displacement, that of the block's middle.
    """
    H, W = stack.height, stack.width
    tops = range(margin, max(H - margin - 7, margin + 1), _BLOCK)
    lefts = range(margin, max(W - margin - 7, margin + 1), _BLOCK)
    places = [(top, left) for top in tops for left in lefts]
    for top, left in places[:: max(1, -(-len(places) // _BLOCKS))]:
        between()
        bottom, right = min(top + _BLOCK, H - margin), min(left + _BLOCK, W - margin)
        cell = (top + bottom) // 2 // CELL, (left + right) // 2 // CELL
        shifts = {i: tuple(int(d) for d in field[cell]) for i, field in fields.items()}
        yield np.stack(
            [
                read_shifted(stack, i, channel, (dy, dx), top, bottom, left, right)
                for i, (dy, dx) in shifts.items()
            ]
        )


def prepare(
    stack: FrameStack,
    frames: int | None = None,
    align: bool | None = None,
    between: Callable[[], object] = _nothing,
    brightness: bool | None = None,
) -> OwnBurst:
    """Find the reference, align, make frames alike in brightness, choose frames.

    Shifts are found on at most 1 megapixel of each frame, displacements that differ over the picture on frames of half
    the size, brightness on nine windows of 256x256 pixels.

    frames   that the network takes, see :meth:`OwnBurst.taking`; None: any number
    align    undo displacements beyond the kernels' reach; None: for bursts of one's own, not for synthetic ones,
             whose misalignment is what one looks at
    between  called between parts of the work, each of which takes a second or so; raise in it to end the work
    brightness   undo differences of brightness and white balance; None: for bursts of one's own

    The reference is the sharpest frame, of a bracketed burst the sharpest of the middle exposure; of a synthetic burst
    it is its frame 0. A frame that cannot be aligned is used as it is (kernels that find their own way may make
    something of it), unless there are others enough.
    """
    total = len(stack)
    overviews = [overview(stack, i, between=between) for i in range(total)]
    scores = tuple(sharpness(image) for image in overviews)
    stack = replace(stack, gains=None, ceiling=None)
    even = not stack.known if brightness is None else brightness
    gains = np.ones(total)
    if even:
        if stack.clipped is None or not stack.encoded:
            sheets = [
                _contact_sheet(stack, i, channel=c) for i in range(total) for c in range(stack.channels)
            ]
            stack = replace(stack, ceiling=light.ceiling(sheets))
        gains = light.first_gains(overviews, stack.exposures, stack.clipped)
    in_middle = light.middle_exposure(gains)
    reference = 0 if stack.known else int(np.argmax(np.where(in_middle, scores, -1)))
    if even:
        gains = gains / gains[reference]
        stack = replace(stack, gains=np.repeat(gains[:, None], stack.channels, axis=1))
        overviews = [image / np.float32(gain) for image, gain in zip(overviews, gains, strict=True)]
    apply = not stack.known if align is None else align
    noise = _noise_at_first(stack, reference)
    cells = [-(-n // CELL) for n in (stack.height, stack.width)]
    motion = np.zeros((total, *cells, 2), np.float32)
    displacements = np.zeros(motion.shape, np.int16)
    local = apply and min(stack.height, stack.width) >= _LEAST_SIDE
    levels = pyramid(overview(stack, reference, between=between, factors=(2, 2)), noise) if local else []
    shifts = []
    for i in range(total):
        if i == reference:
            shifts.append(Shift((0.0, 0.0)))
            continue
        between()
        measured = _measure(stack, reference, i, overviews[reference], overviews[i], noise)
        if local:
            field = _measure_motion(
                stack, i, levels, measured, overviews[reference], overviews[i], noise, between
            )
            if field is not None:
                motion[i] = field
                middle = tuple(float(d) for d in np.median(field, axis=(0, 1)))
                measured = measured or (middle[0], middle[1])
        elif measured is not None:
            motion[i] = measured
        shift = Shift(measured)
        if apply and measured is not None:
            whole = shift.whole if max(map(abs, shift.whole)) > REACH else (0, 0)
            displacements[i] = whole_blocks(motion[i], whole) if local else whole
            center = displacements[i, cells[0] // 2, cells[1] // 2].astype(int)
            bend = float(np.abs(displacements[i] - center).max())
            shift = Shift(measured, (int(center[0]), int(center[1])), bend)
        shifts.append(shift)
    if even:
        stack = _made_even(stack, reference, shifts, motion, between)
        shifts = [replace(shift, brightness=stack.gain(i, GRAY)) for i, shift in enumerate(shifts)]
    return OwnBurst(stack, (reference,), tuple(shifts), scores, motion, displacements).taking(frames)


def _made_even(
    stack: FrameStack,
    reference: int,
    shifts: Sequence[Shift],
    motion: np.ndarray,
    between: Callable[[], object],
) -> FrameStack:
    """The stack with the gains of its frames as they are where the frames show the same, in place of a first guess.

    Of frames that were not found, it is what their files state, else 1.
    """
    assert stack.gains is not None
    stated = light.stated_gains(stack.exposures)
    gains = np.ones_like(stack.gains)

    def sheets(frame: int) -> tuple[np.ndarray, np.ndarray]:
        field = np.rint(motion[frame]).astype(np.int64)
        planes = [_contact_sheet(stack, frame, field, c) for c in range(stack.channels)]
        white = [_contact_sheet(stack, frame, field, c, saturated=True) for c in range(stack.channels)]
        black = -np.inf if stack.clipped is None else stack.clipped[0]
        return np.stack(planes), np.logical_or.reduce([*white, *(plane <= black for plane in planes)])

    here, lost_here = sheets(reference)
    for i, shift in enumerate(shifts):
        if i == reference:
            continue
        between()
        found = None
        if shift.measured is not None:
            there, lost = sheets(i)
            found = light.fit_gains(here, there, lost_here | lost, float(stack.gains[i, 0]))
        if found is not None:
            gains[i] = found
        elif len(stated) == len(gains):
            gains[i] = stated[i] / stated[reference]
    return replace(stack, gains=None if (gains == 1).all() else gains)


def _measure_motion(
    stack: FrameStack,
    frame: int,
    reference: Pyramid,
    shift: tuple[float, float] | None,
    coarse_a: np.ndarray,
    coarse_b: np.ndarray,
    noise: NoiseModel,
    between: Callable[[], object],
) -> np.ndarray | None:
    """Where every cell of a frame lies; None where the frame does not show the scene.

    A camera that turns may have no shift by which whole pictures agree; then it is looked for on coarse pictures, and
    whether the edges agree is asked once the frame is laid onto the reference.
    """
    factors = np.array(reduction(stack.height, stack.width, _OVERVIEW_PIXELS))
    reduced = noise.scaled(1 / float(factors.prod()) ** 0.5)
    start = shift
    if start is None:
        h, w = coarse_a.shape
        more = reduction(h, w, _COARSE_PIXELS)
        a, b = box_reduce(coarse_a, more), box_reduce(coarse_b, more)
        found = find_shift(a, b, reduced.scaled(1 / float(np.prod(more)) ** 0.5))
        if found is None:
            return None
        dy, dx = found * factors * more
        start = float(dy), float(dx)
    levels = pyramid(overview(stack, frame, between=between, factors=(2, 2)), noise)
    motion = find_motion(reference, levels, start, (stack.height, stack.width))
    if shift is None:
        down, across = (int(f) for f in factors)
        y, x = (
            np.minimum(np.arange(n) * f // CELL, m - 1)
            for n, f, m in zip(coarse_b.shape, (down, across), motion.shape, strict=False)
        )
        laid = displaced(coarse_b, motion[np.ix_(y, x)] / factors)
        if find_shift(coarse_a, laid, reduced, reach=TOLERANCE) is None:
            return None
    return motion


def _noise_at_first(stack: FrameStack, reference: int) -> NoiseModel:
    """The noise before anything is aligned: as stated, or as the reference alone shows it."""
    stated = stack.channel_noise(GRAY)
    if stated is not None:
        return stated
    still = np.zeros((-(-stack.height // CELL), -(-stack.width // CELL), 2))
    try:
        return noise_of_one_frame(
            (block[0] for block in _blocks(stack, GRAY, {reference: still})), stack.clipped
        )
    except ValueError:  # too small or too smooth to tell; any will do
        return NoiseModel.for_gain(1)


def _measure(
    stack: FrameStack,
    reference: int,
    frame: int,
    coarse_a: np.ndarray,
    coarse_b: np.ndarray,
    noise: NoiseModel,
) -> tuple[float, float] | None:
    """The shift of a frame in pixels: on the overviews, then on nine windows spread over the picture."""
    factors = np.array(reduction(stack.height, stack.width, _OVERVIEW_PIXELS))
    shift = find_shift(coarse_a, coarse_b, noise.scaled(1 / float(factors.prod()) ** 0.5))
    if shift is not None and factors.max() > 1:
        shift = shift * factors
        dy, dx = map(round, shift)
        still = np.zeros((-(-stack.height // CELL), -(-stack.width // CELL), 2), np.int64)
        here = _contact_sheet(stack, reference)
        there = _contact_sheet(stack, frame, still + np.array([dy, dx]))
        rest = find_shift(here, there, noise, reach=2 * int(factors.max()))
        shift = shift if rest is None else rest + np.array([dy, dx])
    return None if shift is None else (float(shift[0]), float(shift[1]))


def _contact_sheet(
    stack: FrameStack,
    frame: int,
    field: np.ndarray | None = None,
    channel: int = GRAY,
    saturated: bool = False,
) -> np.ndarray:
    """Three by three windows of up to 256x256 from all over a frame, read where a field of displacements says (None:
    where they are), laid side by side. `saturated`: whether it is white there."""
    h, w = (min(_SHEET, max(1, length // 3)) for length in (stack.height, stack.width))
    tops = [(stack.height - h) * i // 2 for i in range(3)]
    lefts = [(stack.width - w) * i // 2 for i in range(3)]
    if field is None:
        field = np.zeros((-(-stack.height // CELL), -(-stack.width // CELL), 2), np.int64)
    return np.block(
        [
            [
                read_displaced(stack, frame, channel, field, top, top + h, left, left + w, saturated)
                for left in lefts
            ]
            for top in tops
        ]
    )


def read_burst(
    files: str | Path | Sequence[str | Path],
    channel: int = GRAY,
    noise: NoiseModel | None = None,
    frames: int | None = None,
    align: bool | None = None,
    color: bool = False,
    input: str | None = None,
    black: float | None = None,
    white: float | None = None,
) -> Burst:
    """Photos on disk as a Burst, aligned and with its noise: what ``kpnviz.load(name)`` takes.

    files    a folder, or files: 2 or more photos or camera raws, a ZIP of them, or one NPZ of kpnviz
    channel  0, 1 or 2 for R, G or B; GRAY (-1) for the luminance (of camera raws: green)
    color    R, G and B together, [N, 3, H, W], in place of one channel; of gray files, [N, H, W]
    noise    of that channel, or of each; None: see :meth:`OwnBurst.noise_of`
    frames   how many, see :meth:`OwnBurst.taking`; None: all of them
    align    see :func:`prepare`
    input    what the files' numbers mean, "srgb", "linear" or "bayer:RGGB", and the numbers of black and white; None:
             what they look like (meaning.guess_input)

    The whole burst is held in memory, 4 bytes a pixel, channel and frame. Raises ValueError, one sentence that names
    the file or folder, if no burst can be made of it.
    """
    paths = [files] if isinstance(files, str | Path) else list(files)
    for path in paths:
        if not Path(path).exists():
            raise ValueError(f"{escaped(path)}: there is no such file or folder")
    stack = read_frames(files_of(paths), Limits.from_environment(generous=True)).meant(input, black, white)
    if channel != GRAY and not 0 <= channel < stack.channels:
        raise ValueError(
            f"channel is {channel}; the files have {stack.channels}, counted from 0, and GRAY (-1)"
        )
    own = prepare(stack, frames, align)
    if color and stack.channels == 3:
        noises = [noise or own.noise_of(c)[0] for c in range(3)]
        return own.color(noises).crop(0, 0, stack.height, stack.width)
    view = own.channel(channel, noise or own.noise_of(channel)[0])
    return view.crop(0, 0, view.height, view.width)
