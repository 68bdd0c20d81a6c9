"""The reference beside each other frame: the shift between them, their motion, and what both of them show."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from kpnviz.capture.alignment import find_shift, lies_on, shift_of_smoothed, smoothed, what_is_shared
from kpnviz.capture.brightness import BELOW_WHITE, OTHER_BRIGHTNESS
from kpnviz.capture.defects import Moves, looked_at
from kpnviz.capture.displaced_reading import nothing
from kpnviz.capture.fine_motion import (
    at_places,
    find_turn,
    motion_from_shift,
    motion_of_turn,
    refined_motion,
)
from kpnviz.capture.frame_stack import FrameStack
from kpnviz.capture.motion_field import (
    CELL,
    TOLERANCE,
    Pyramid,
    displaced,
    pyramid,
    reduced_levels,
    structure_of,
)
from kpnviz.capture.overviews import contact_sheet, overview, overview_factors
from kpnviz.noise import NoiseModel, stabilize
from kpnviz.sampling import box_reduce, reduction
from kpnviz.threads import results

_TOLD_PIXELS = 250_000  # on which it is told whether frames show anything
_COARSE_PIXELS = 10_000  # on which a turned camera is looked for
_ASKED = 5  # frames: so many tell what is true of most
_BY_NOISE = 4.0  # px

PixelShift = tuple[float, float]


@dataclass(eq=False)
class Pairs:
    """The reference of a stack beside each other frame.

    overviews   of all frames, as bright as the reference;  gains   how many times as bright they were, [N]
    noise       of the reference
    between     called between parts of the work
    shifts      that are known already, (dy, dx) in pixels; None: not found
    """

    stack: FrameStack
    reference: int
    overviews: Sequence[np.ndarray]
    gains: np.ndarray
    noise: NoiseModel
    between: Callable[[], object] = nothing
    shifts: dict[int, PixelShift | None] = field(default_factory=dict)
    _smoothed: dict[tuple[object, ...], np.ndarray] = field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        return len(self.stack)

    def of(self, stack: FrameStack) -> Pairs:
        """The same of a stack that was looked at for defects: those that were mended are no longer seen."""
        if stack.mended is None:
            return replace(self, stack=stack)
        overviews = results(lambda i: overview(stack, i, between=self.between), range(len(stack)))
        return replace(self, stack=stack, overviews=overviews, shifts={}, _smoothed={})

    def pair(self, frame: int) -> tuple[np.ndarray, np.ndarray]:
        """Overviews of the reference and a frame; of other brightness, both cut off where either is white."""
        top = white_of_both(self.stack, float(self.gains[frame]))
        return cut_off(self.overviews[self.reference], top), cut_off(self.overviews[frame], top)

    def shift(self, frame: int) -> PixelShift | None:
        """The shift of a frame in pixels; None: not found."""
        if frame not in self.shifts:
            self.between()
            self.shifts[frame] = (0.0, 0.0) if frame == self.reference else self._measured(frame)
        return self.shifts[frame]

    def _measured(
        self, frame: int, seen: Callable[[np.ndarray], np.ndarray] = np.asarray
    ) -> PixelShift | None:
        """A shift on the overviews, then on nine windows spread over the picture, as they are `seen`."""
        if frame == self.reference:
            return 0.0, 0.0
        factors = np.array(overview_factors(self.stack))
        top = white_of_both(self.stack, float(self.gains[frame]))
        noise = self.noise.scaled(1 / float(factors.prod()) ** 0.5)

        def smooth(picture: np.ndarray, noise: NoiseModel) -> np.ndarray:
            return smoothed(seen(cut_off(picture, top)), noise)

        def of_reference(kind: str, read: Callable[[], np.ndarray], noise: NoiseModel) -> np.ndarray:
            """The same beside every frame of one brightness."""
            key = kind, seen, top
            if key not in self._smoothed:
                self._smoothed[key] = smooth(read(), noise)
            return self._smoothed[key]

        shift = shift_of_smoothed(
            of_reference("overview", lambda: self.overviews[self.reference], noise),
            smooth(self.overviews[frame], noise),
        )
        if shift is not None and factors.max() > 1:
            shift = shift * factors
            dy, dx = map(round, shift)
            still = np.zeros((-(-self.stack.height // CELL), -(-self.stack.width // CELL), 2), np.int64)
            there = contact_sheet(self.stack, frame, still + np.array([dy, dx]))
            rest = shift_of_smoothed(
                of_reference("sheet", lambda: contact_sheet(self.stack, self.reference), self.noise),
                smooth(there, self.noise),
                reach=2 * int(factors.max()),
            )
            shift = shift if rest is None else rest + np.array([dy, dx])
        return None if shift is None else (float(shift[0]), float(shift[1]))

    def moves(self) -> Moves:
        """How the scene moves, asked when it is needed, of pictures without what is a pixel wide: that would hold the
        scene where it is."""

        def shift(frame: int) -> PixelShift | None:
            self.between()
            return self._measured(frame, _without_single_pixels)

        def shifts() -> dict[int, PixelShift | None]:
            some = looked_at(len(self))
            return dict(zip(some, results(shift, some), strict=True))

        return Moves(shifts)

    def what_frames_show(self) -> tuple[bool, bool]:
        """Whether frames show edges by which they can be aligned, and whether they show nothing but noise, as a few
        tell. Without edges noise alone makes the best shift, one of a few pixels: then it is none."""
        total = len(self)
        asked = sorted(self.shifts) or [i for i in range(min(total, _ASKED)) if i != self.reference]
        edges, shapes = self._shared(asked[0])
        if edges:
            return True, False
        told = [(edges, shapes), *map(self._shared, asked[1:])]
        edges, shapes = (sum(kind) > len(asked) / 2 for kind in zip(*told, strict=True))
        empty = not edges and not shapes
        if not edges:
            near = [
                i for i in range(total) if empty or max(map(abs, self.shift(i) or (np.inf,))) <= _BY_NOISE
            ]
            self.shifts |= dict.fromkeys(near, (0.0, 0.0))
        return edges, empty

    def _shared(self, frame: int) -> tuple[bool, bool]:
        """Whether a frame shares edges with the reference, and large shapes, by overviews of few pixels: it is asked of
        every burst."""
        a, b = self.pair(frame)
        factors = np.array(overview_factors(self.stack))
        more = np.array(reduction(a.shape[0], a.shape[1], _TOLD_PIXELS))
        reduced = self.noise.scaled(1 / float((factors * more).prod()) ** 0.5)
        here, there = (box_reduce(image, (int(more[0]), int(more[1]))) for image in (a, b))
        shift = self.shift(frame)
        return what_is_shared(
            here, there, reduced, None if shift is None else np.array(shift) / (factors * more)
        )

    def half_size(self, frame: int) -> Pyramid:
        """A frame at half the size and less, in units of its noise."""
        return pyramid(overview(self.stack, frame, between=self.between, factors=(2, 2)), self.noise)

    def motion(
        self, frame: int, reference: Pyramid, structure: np.ndarray
    ) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray], bool] | None:
        """Where every cell of a frame lies, the reference and the frame at half the size, in units of its noise and cut
        off where either is white, and whether pixels have displacements of their own (fine_motion); None where the
        frame does not show the scene. `structure` is that of the reference.

        A camera that turns may have no shift by which whole pictures agree; then a shift is looked for on coarse
        pictures, and then turns and zooms are, and whether edges agree is asked once the frame is laid onto the
        reference.
        """
        shape = self.stack.height, self.stack.width
        shift, levels = self.shift(frame), self.half_size(frame)
        top = white_of_both(self.stack, float(self.gains[frame]))
        if np.isfinite(top):
            # What is white in either tells no motion: it is flat in both.
            most = float(stabilize(np.array(top), self.noise.scaled(0.5)))
            reference, levels = (reduced_levels(cut_off(each[0], most)) for each in (reference, levels))
            structure = structure_of(reference)
        both = reference[0], levels[0]
        if shift is not None:
            motion, bent = motion_from_shift(reference, levels, shift, shape, structure)
            return motion, both, bent
        pair = self.pair(frame)
        factors = np.array(overview_factors(self.stack))
        more = np.array(reduction(pair[0].shape[0], pair[0].shape[1], _COARSE_PIXELS))
        a, b = (box_reduce(image, (int(more[0]), int(more[1]))) for image in pair)
        noise = self.noise.scaled(1 / float((factors * more).prod()) ** 0.5)
        found = find_shift(a, b, noise)
        if found is not None:
            dy, dx = found * factors * more
            motion, bent = motion_from_shift(reference, levels, (float(dy), float(dx)), shape, structure)
            if self._lies_on(frame, motion):
                return motion, both, bent
        matrix, move = find_turn(a, b, noise)
        guess = motion_of_turn(matrix, move * factors * more, shape)[: len(structure), : structure.shape[1]]
        motion = refined_motion(reference, levels, guess, shape, structure)
        return (motion, both, True) if self._lies_on(frame, motion) else None

    def _lies_on(self, frame: int, motion: np.ndarray) -> bool:
        """Whether a frame shows the reference where the motion of its cells takes it."""
        a, b = self.pair(frame)
        factors = overview_factors(self.stack)
        y, x = (np.arange(n) * f + (f - 1) / 2 for n, f in zip(b.shape, factors, strict=True))
        laid = displaced(b, at_places(motion, y, x) / factors)
        return lies_on(a, laid, self.noise.scaled(1 / float(np.prod(factors)) ** 0.5), TOLERANCE)


def white_of_both(stack: FrameStack, gain: float) -> float:
    """The light at which the reference and a frame that is `gain` times as bright are cut off to be compared: where the
    one or the other is white; of one brightness, infinite."""
    if stack.clipped is None or abs(np.log2(gain)) < OTHER_BRIGHTNESS:
        return np.inf
    return BELOW_WHITE * stack.clipped[1] / max(gain, 1.0)


def cut_off(picture: np.ndarray, top: float) -> np.ndarray:
    """A picture that is at most `top`."""
    return np.minimum(picture, np.float32(top)) if np.isfinite(top) else picture


def _without_single_pixels(picture: np.ndarray) -> np.ndarray:
    """Medians of three pixels down, then across [h, w]: of points and lines a pixel wide nothing is left, but where
    they touch."""
    for axis in (0, 1):
        padded = np.pad(picture, [(int(axis == k),) * 2 for k in (0, 1)], mode="edge")
        a, b, c = np.moveaxis(np.lib.stride_tricks.sliding_window_view(padded, 3, axis), -1, 0)
        picture = np.maximum(np.minimum(a, b), np.minimum(np.maximum(a, b), c))
    return picture
