"""A burst of one's own: its frames, what is known of their motion, light and noise, and how networks read it."""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from kpnviz.burst import Burst, BurstRecipe
from kpnviz.capture import brightness as light
from kpnviz.capture.choosing import LEFT_OUT, NOT_ALIGNED, listed
from kpnviz.capture.displaced_reading import blocks, cells_of, nothing, patches, read_displaced
from kpnviz.capture.fine_motion import at_places
from kpnviz.capture.frame_stack import GRAY, FrameStack
from kpnviz.capture.motion_field import CELL
from kpnviz.capture.noise_estimation import (
    NoiseFit,
    SameFramesError,
    crude_noise,
    estimate_noise,
    fit_of_one_frame,
    noise_of_one_frame,
)
from kpnviz.capture.noise_grain import coarseness, correlation_of_channels, told_of
from kpnviz.capture.parallax import Layers
from kpnviz.noise import NoiseModel
from kpnviz.threads import in_threads

_CRUDE_SIDE = 256  # px of the middle that are enough

_BLOCKS_OF_COLORS = 48  # that are enough for a correlation of channels
_MUCH_LESS = 0.25  # of a variance
_ROUGH = "from few pixels: rough"

REACH = 2
"""Shifts up to this many pixels are left to the kernels; a 5x5 kernel reaches 2."""

LEAST_ALIGNED = 16
"""Pixels of the shorter side of frames that are aligned: what smaller ones show may agree anywhere by chance."""


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
        bright = f"; brightness {ev:+.2f} EV, undone".replace("-", "−") if abs(ev) >= 0.005 else ""
        if self.measured is None:
            return f"shift not found{bright}"
        dy, dx = (round(d, 1) + 0.0 for d in self.measured)
        bend = f", elsewhere up to {self.bend:.0f} px more" if self.bend else ""
        shift = f"shift dy {dy:+.1f}, dx {dx:+.1f} px".replace("-", "−")
        return f"{shift}{bend}{', undone' if self.aligned else ''}{bright}"


def not_estimated(error: str) -> str:
    """A sentence of what :meth:`OwnBurst.estimate_noise` raises, less its advice."""
    reason = re.sub(r"^noise: |[;,] (so )?state (it|the noise) instead$", "", error)
    return f"The noise could not be estimated from the burst: {reason}."


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
    left_out    frames of the stack that were not found in the reference
    chosen      whether somebody chose the reference
    white       those of them, or of frames that show no scene, that are white in large part
    unmended    whether the sensor's defects were left as they are, as somebody chose
    layers      of what is near and far, where they move otherwise: pixels that have a displacement of their own
    empty       whether the frames show nothing but noise, so that no motion is looked for
    fine        frames whose motion differs so much from cell to cell that each pixel is read where `motion` takes it,
                interpolated, to the nearest pixel; `displacements` and `layers` are not theirs
    alone       what the gray of the reference shows of its noise by itself, where that is known already
    """

    stack: FrameStack
    order: tuple[int, ...]
    shifts: tuple[Shift, ...]
    sharpness: tuple[float, ...]
    motion: np.ndarray
    displacements: np.ndarray
    left_out: frozenset[int] = frozenset()
    chosen: bool = False
    unmended: bool = False
    white: frozenset[int] = frozenset()
    layers: Layers | None = None
    empty: bool = False
    fine: frozenset[int] = frozenset()
    alone: NoiseFit | None = None

    @property
    def reference(self) -> int:
        return self.order[0]

    def taking(self, frames: int | None) -> OwnBurst:
        """The same for networks that take so many frames: fewer are completed by repeating, of more the sharpest of
        those that were found are used. None: for networks that take any number, so each once."""
        if frames is not None and frames < 1:
            raise ValueError(f"frames is {frames}; a network takes 1 or more")
        others = [i for i in range(len(self.stack)) if i != self.reference and i not in self.left_out]
        if frames is None:
            return self._using(self.reference, *others)
        if len(others) >= frames:
            best = sorted(others, key=lambda i: (self.shifts[i].measured is None, -self.sharpness[i]))
            others = sorted(best[: frames - 1])
        order = [self.reference, *others]
        # Repeat the others in turn: the reference has its own place in the network.
        order += [others[i % len(others)] if others else order[0] for i in range(frames - len(order))]
        return self._using(*order)

    def _using(self, *order: int) -> OwnBurst:
        """The same with these frames used. What was measured over all that were found stays measured."""
        burst = replace(self, order=order)
        measured = self.__dict__.get("noise_correlation")  # where functools.cached_property keeps it
        if measured is not None:
            burst.__dict__["noise_correlation"] = measured
        return burst

    @property
    def report(self) -> str:
        """One or two sentences: which frames are used, and what was done to them."""
        total, used = len(self.stack) - len(self.left_out), len(set(self.order))
        why = "as chosen" if self.chosen else "as given" if self.stack.known else "the sharpest"
        brightness = np.array([shift.brightness for shift in self.shifts])
        bracketed = not light.middle_exposure(np.delete(brightness, list(self.left_out))).all()
        if bracketed and not self.stack.known and not self.chosen:
            why = "of the middle exposure, the sharpest"
        if self.left_out and not self.chosen:
            why += " of the scene that most frames show"
        if len(self.stack) == 1:
            text = f"There is one frame, {self.stack.names[0]}."
        else:
            text = f"The reference is {self.stack.names[self.reference]} ({why})."
        for sentence in self.left_out_notes:
            text += f" {sentence}"
        if min(self.stack.height, self.stack.width) < LEAST_ALIGNED and total > 1:
            text += (
                f" Frames of {self.stack.width}x{self.stack.height} pixels are too small to be aligned, and are used "
                "as they are."
            )
        if len(self.order) > used == total:
            twice = len(self.order) - used
            text += (
                f" There are {total} frames for a network of {len(self.order)}: {twice} places repeat frames."
            )
        if self.empty and self.reference in self.white:
            text += (
                " Much of the frames is at white, and they show no scene beside it: no motion is looked for."
            )
        elif self.empty:
            text += (
                " The frames show nothing but noise, as with the cap on the lens or of an even wall: no motion is "
                "looked for."
            )
        moved = sum(self.shifts[i].aligned for i in set(self.order))
        bent = sum(self.shifts[i].bend > 0 for i in set(self.order))
        if moved:
            text += f" {moved} frame{'s were' if moved > 1 else ' was'} shifted back onto it"
            which = f"{bent} of them " if bent < moved else ""
            text += f", {which}by displacements that differ over the picture." if bent else "."
        if self.layers is not None:
            text += (
                f" What is near moves otherwise than what is far, by up to {self.layers.offset:.0f} px; pixels have "
                "the displacement of one or the other."
            )
        text += self._brightness_report
        if self.unmended:
            text += " Hot pixels and fixed columns were not looked for, as chosen."
        lost = [self.stack.names[i] for i in sorted(set(self.order)) if self.shifts[i].measured is None]
        if lost:
            text += (
                f" No shift was found for {', '.join(lost)}: {'they are' if len(lost) > 1 else 'it is'} used "
                "unshifted, and left out of the estimate of the noise."
            )
        return text

    @property
    def left_out_notes(self) -> list[str]:
        """Sentences on frames of the stack that are not used."""
        notes = []
        lost = f"not found in the reference ({NOT_ALIGNED})"
        for which, one, many in (
            (self.left_out - self.white, f"it was {lost}", f"they were {lost}"),
            (
                self.left_out & self.white,
                "it could not be aligned, with much of it at white",
                "they could not be aligned, with much of them at white",
            ),
            (
                set(range(len(self.stack))) - self.left_out - set(self.order),
                *2 * (f"{len(set(self.order))} frames are used, the sharpest that were found",),
            ),
        ):
            others = listed([self.stack.names[i] for i in sorted(which)])
            if which:
                notes.append(f"{LEFT_OUT}, as {one if len(which) == 1 else many}: {others}.")
        return notes

    @property
    def _brightness_report(self) -> str:
        """A sentence on frames that are brighter or darker than the reference; nothing where none is."""
        gains = self.stack.gains
        used = sorted(set(self.order) - {self.reference})
        if gains is None or not (gains[used] != 1).any():
            return ""
        used = [i for i in used if (gains[i] != 1).any()]
        ev, count = [float(np.log2(self.shifts[i].brightness)) for i in used], len(used)
        if max(map(abs, ev)) < 0.005:  # 0.00 EV: only colors differ
            return f" The colors of {count} frame{'s' if count > 1 else ''} differ from its own, which is undone."
        reach = (
            " to ".join(dict.fromkeys(f"{value:+.2f}" for value in (min(ev), max(ev)))).replace("-", "−")
            + " EV"
        )
        text = f" {count} frame{'s are' if count > 1 else ' is'} brighter or darker than it ({reach}), which is undone"
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
        return ColorView(self, tuple(noises), self.noise_correlation)

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

    def estimate_noise(self, channel: int = GRAY, between: Callable[[], object] = nothing) -> NoiseFit:
        """Fit the noise of a channel over all frames that were found, on up to 256 blocks spread over the picture.

        `between` is called before each block is read. ValueError if there is nothing to estimate from.
        """
        motion = self._found_motion
        if len(self.stack) < 2:
            raise ValueError(
                "noise: there is one frame, and noise is what differs between frames; state it instead"
            )
        if len(motion) < 2:
            raise ValueError(
                "noise: no frame could be aligned with the reference, and noise is what differs between aligned "
                "frames; state it instead"
            )
        seen = patches(self.stack, channel, motion, self.reference, between, bool(self.fine & motion.keys()))
        fit = estimate_noise(seen, self.stack.clipped, reference=self.reference)
        fit = replace(fit, told=told_of(coarseness(seen, fit)))
        if fit.unlike:
            fit = replace(fit, about_unlike=self._about_unlike(fit.unlike))
        if channel == GRAY and self.alone is not None:
            return replace(fit, alone=self.alone)
        try:
            return replace(fit, alone=fit_of_one_frame(self._reference_blocks(channel), self.stack.clipped))
        except ValueError:
            return fit

    def _about_unlike(self, unlike: Mapping[int, float]) -> str:
        """Sentences on frames that have so many times the variance of the reference (0: smoothed)."""
        sentences = []
        smoothed = {i for i, variance in unlike.items() if variance == 0}
        times = sorted(variance**0.5 for variance in unlike.values() if variance)
        if smoothed:
            which = listed([self.stack.names[i] for i in sorted(smoothed)])
            one = len(smoothed) == 1
            sentences.append(
                f"{which} {'has' if one else 'have'} hardly any noise beside the others, as after a filter: "
                f"{'it is' if one else 'they are'} used for the picture, but not to estimate the noise."
            )
        if times and self.reference not in smoothed:
            which = listed([self.stack.names[i] for i in sorted(unlike.keys() - smoothed)])
            reach = " to ".join(dict.fromkeys(f"{value:.2g}" for value in (times[0], times[-1])))
            sentences.append(
                f"{which} {'has' if len(times) == 1 else 'have'} {reach} times the noise of the reference, once they "
                "are as bright, which their brightness does not explain: what is assumed is the noise of the reference."
            )
        return " ".join(sentences)

    @functools.cached_property
    def noise_correlation(self) -> float:
        """How far the noise of R, G and B is the same; 0 where nothing is seen of it."""
        found = self._found_motion
        if self.stack.channels != 3 or len(found) < 2:
            return 0.0
        bent = bool(self.fine & found.keys())
        seen = [
            patches(self.stack, channel, found, self.reference, bent=bent, most=_BLOCKS_OF_COLORS)
            for channel in range(3)
        ]
        return correlation_of_channels(seen, self.stack.clipped, self.reference)

    @property
    def about_correlation(self) -> str:
        """A sentence where the noise of R, G and B is the same for a part; else nothing."""
        if not self.noise_correlation:
            return ""
        return (
            f"Noise of R, G and B is partly or all the same (correlation {self.noise_correlation:.2g}), as after "
            "demosaicing and in JPEG, so their sum, from which kernels of color are predicted, is taken to have more."
        )

    @property
    def _found_motion(self) -> dict[int, np.ndarray]:
        return {i: self.motion[i] for i, shift in enumerate(self.shifts) if shift.measured is not None}

    def guess_noise(self, channel: int = GRAY) -> tuple[NoiseModel, str]:
        """What to assume where :meth:`estimate_noise` finds nothing, and a phrase that says where it comes from.

        None, of frames that have moved and are the same; else the noise within the reference; of frames that are
        clipped, as the darkest are, that of the clipped values, which is too little but of the right order; of pictures
        too small for that, or where lines of text leave no even patch, that of their pixels (crude_noise), or if there
        are too few of them, the noise of gain 2.
        """
        if self._have_moved_and_are_the_same(channel):
            return NoiseModel(0, 0), "none: the frames have moved, and are the same"
        try:
            return self._noise_of_the_reference(channel), "from the reference alone"
        except ValueError:
            pass
        try:
            noise = noise_of_one_frame(self._reference_blocks(channel), of_sensor=False)
            rough = self._noise_of_pixels_if_less(channel, noise)
            if rough is not None:
                return rough, _ROUGH
            return noise, "from the reference alone, whose values are clipped: rather too little"
        except ValueError:
            pass
        try:
            return self._crude_noise(channel), _ROUGH
        except ValueError:
            return NoiseModel.for_gain(2), "a guess: gain ×2"

    def noise_of(self, channel: int = GRAY, given: NoiseModel | None = None) -> tuple[NoiseModel, str, str]:
        """The noise of a channel as it is best known, where it comes from, and a sentence of caution, or nothing.

        As it is `given` or as the files state it, with caution where the burst shows another one; else estimated from
        the burst, else :meth:`guess_noise`.
        """
        source = "given" if given is not None else self.stack.noise_source
        stated = given if given is not None else self.stack.channel_noise(channel)
        if stated is None:
            return self.estimated_noise_of(channel)
        try:
            return stated, source, self.estimate_noise(channel).doubt_of(stated, source)
        except ValueError:  # nothing is seen that could be doubted
            return stated, source, ""

    def estimated_noise_of(self, channel: int = GRAY) -> tuple[NoiseModel, str, str]:
        """:meth:`noise_of` as if the files stated none."""
        try:
            fit = self.estimate_noise(channel)
        except ValueError as error:
            noise, source = self.guess_noise(channel)
            taken = f"What is taken is {source}. If you know it, state it."
            return noise, source, f"{not_estimated(str(error))} {taken}"
        return fit.assumed, fit.source, fit.caution

    def _have_moved_and_are_the_same(self, channel: int) -> bool:
        """Whether a scene has moved over the sensor and is the same to the last digit: noise would have stayed behind.
        (Copies of one file, which have one noise, are the same where they are.)"""
        found = [i for i, shift in enumerate(self.shifts) if shift.measured is not None]
        if not np.rint(self.motion[found]).any():
            return False
        try:
            self.estimate_noise(channel)
        except SameFramesError:
            return True
        except ValueError:
            pass
        return False

    def _noise_of_the_reference(self, channel: int) -> NoiseModel:
        return noise_of_one_frame(self._reference_blocks(channel), self.stack.clipped)

    def _noise_of_pixels_if_less(self, channel: int, noise: NoiseModel) -> NoiseModel | None:
        """The noise of pixels, if theirs is much less at the middle brightness: all patches may hold strong edges."""
        try:
            rough = self._crude_noise(channel)
        except ValueError:
            return None
        variances = [n.read_std**2 + n.shot_gain * 0.5 for n in (rough, noise)]
        return rough if variances[0] < _MUCH_LESS * variances[1] else None

    def _crude_noise(self, channel: int) -> NoiseModel:
        found = [i for i in self.order if self.shifts[i].measured is not None]
        (top, bottom), (left, right) = (
            ((n - side) // 2, (n + side) // 2)
            for n, side in ((n, min(n, _CRUDE_SIDE)) for n in (self.stack.height, self.stack.width))
        )
        place = (top, bottom, left, right)
        frames = [
            read_displaced(
                self.stack, i, channel, self.displacements[i], *place, motion=self.motion_of_pixels(i)
            )
            for i in dict.fromkeys(found)
        ]
        return crude_noise(np.stack(frames), self.stack.clipped)

    def _reference_blocks(self, channel: int) -> Iterator[np.ndarray]:
        return blocks(self.stack, self.reference, channel)

    def displacement(self, y: int, x: int) -> np.ndarray:
        """What is taken back at a pixel, for every place of `order`: [N, 2]."""
        if self.layers is not None:
            taken = self.layers.at(list(self.order), y, x)
        else:
            taken = np.asarray(self.displacements[list(self.order), y // CELL, x // CELL])
        for n, i in enumerate(self.order):
            if i in self.fine:
                taken[n] = np.rint(at_places(self.motion[i], np.array([y]), np.array([x])))[0, 0]
        return taken

    def motion_of_pixels(self, frame: int) -> np.ndarray | None:
        """The motion by which a frame is read pixel by pixel; None: it is read by cells."""
        return self.motion[frame] if frame in self.fine else None

    def remaining(self) -> tuple[np.ndarray, np.ndarray]:
        """What alignment leaves in each ninth of the picture: [3, 3] each.

        The largest displacement, in pixels, that is left to the kernels, of the frames that were found (but for a
        hundredth of each ninth); and how many frames, the reference with them, show half of it or more.
        """
        used = sorted(i for i in set(self.order) if self.shifts[i].measured is not None)
        taken = np.array([np.rint(self.motion[i]) if i in self.fine else self.displacements[i] for i in used])
        left = np.abs(self.motion[used] - taken).max(axis=-1)
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
    noise_correlation: float = 0.0

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
        stack, displacements, layers = self.burst.stack, self.burst.displacements, self.burst.layers
        out = np.empty((len(self), rows.stop - rows.start, columns.stop - columns.start), dtype=np.float32)
        place = (rows.start, rows.stop, columns.start, columns.stop)

        def read(n: int) -> None:
            i = self.burst.order[n]
            motion = self.burst.motion_of_pixels(i)
            out[n] = read_displaced(
                stack, i, self.channel, displacements[i], *place, layers=layers, motion=motion
            )

        in_threads(read, len(self))
        return out

    def crop(self, top: int, left: int, height: int, width: int) -> Burst:
        """A part as a Burst in memory, with all that is known of it; the whole, as it was, has its recipe too."""
        top, left = max(0, min(top, self.height - height)), max(0, min(left, self.width - width))
        height, width = min(height, self.height), min(width, self.width)
        rows, columns = slice(top, top + height), slice(left, left + width)
        stack, order = self.burst.stack, list(self.burst.order)
        cells = self.burst.displacements[:, cells_of(rows), cells_of(columns)]
        undone = cells[:, 0, 0].astype(np.int64)
        layers = self.burst.layers
        alike = bool((cells == cells[:, :1, :1]).all())
        alike &= layers is None or not layers.owners[rows, columns].any()
        alike &= not self.burst.fine
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
    noise_correlation: float = 0.0

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
            noise_correlation=self.noise_correlation,
            truth=np.stack(truths) if truths else None,
            recipe=recipe and replace(recipe, color=True),
        )


def _thirds(n: int) -> list[slice]:
    """Three parts of an axis of n cells; of fewer than three, some are the same."""
    return [slice(n * i // 3, max(n * (i + 1) // 3, n * i // 3 + 1)) for i in range(3)]
