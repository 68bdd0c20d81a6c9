"""Where the frames of a burst lie, and which whole-pixel displacements are undone when they are read."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from kpnviz.capture.displaced_reading import read_shifted
from kpnviz.capture.frame_stack import GRAY, FrameStack
from kpnviz.capture.motion_field import CELL, structure_of, whole_blocks
from kpnviz.capture.own_burst import REACH, Shift
from kpnviz.capture.pairs import Pairs, white_of_both
from kpnviz.capture.parallax import Layers, Search
from kpnviz.noise import NoiseModel, stabilize
from kpnviz.threads import results

_LEAST_SIDE = 128  # px: smaller frames are shifted as a whole


@dataclass(frozen=True, eq=False)
class Places:
    """Where frames lie.

    shifts          of every frame, as a whole
    motion          of every cell, as measured, and
    displacements   as they are undone, as in :class:`kpnviz.capture.own_burst.OwnBurst`
    search          what was seen of the displacements of what is near and far; None where nothing was looked for
    fine            frames whose pixels have displacements of their own, as in OwnBurst
    """

    shifts: list[Shift]
    motion: np.ndarray
    displacements: np.ndarray
    search: Search | None
    fine: frozenset[int]

    def found(self) -> dict[int, np.ndarray]:
        """The motion of the frames that were found."""
        return {i: self.motion[i] for i, shift in enumerate(self.shifts) if shift.measured is not None}

    def layers(
        self, stack: FrameStack, reference: int, noise: NoiseModel, between: Callable[[], object]
    ) -> Layers | None:
        """What is near and far, if they move otherwise."""
        if self.search is None:
            return None

        def read(frame: int, rows: slice, columns: slice) -> np.ndarray:
            between()
            place = rows.start, rows.stop, columns.start, columns.stop
            return stabilize(read_shifted(stack, frame, GRAY, (0, 0), *place), noise).astype(np.float32)

        white = {
            i: float(stabilize(np.array(top), noise))
            for i in self.found()
            if np.isfinite(top := white_of_both(stack, stack.gain(i, GRAY)))
        }
        return self.search.layers(read, self.displacements, reference, (stack.height, stack.width), white)


def place_frames(pairs: Pairs, undo: bool, edges: bool, progress: Callable[[float, str], object]) -> Places:
    """Find every frame.

    undo       whether displacements beyond the kernels' reach are undone; if not, frames are only shifted as a whole
    edges      whether frames show edges: else they are, too
    progress   called with the share that is done, 0..1, and what is done now
    """
    stack, total = pairs.stack, len(pairs)
    cells = [-(-n // CELL) for n in (stack.height, stack.width)]
    motion = np.zeros((total, *cells, 2), np.float32)
    displacements = np.zeros(motion.shape, np.int16)
    local = undo and edges and min(stack.height, stack.width) >= _LEAST_SIDE
    levels = pairs.half_size(pairs.reference) if local else []
    structure = structure_of(levels) if local else np.empty(0)
    fine: set[int] = set()
    search = Search(levels[0]) if local else None
    numbers = itertools.count(1)  # of frames, as they come

    def find(i: int) -> Shift:
        """Where a frame lies, and what of it is undone; its part of `motion` and `displacements` is filled."""
        number = next(numbers)
        progress(number / (total + 1), f"Aligning frame {number} of {total}")
        if i == pairs.reference:
            return Shift((0.0, 0.0))
        shift = pairs.shift(i)
        if local:
            found = pairs.motion(i, levels, structure)
            if found is not None:
                field, both, bent = found
                motion[i] = field
                if bent:
                    fine.add(i)
                elif search is not None:
                    search.add(i, both[1], field, both[0])
                middle = tuple(float(d) for d in np.median(field, axis=(0, 1)))
                shift = shift or (middle[0], middle[1])
        elif shift is not None:
            motion[i] = shift
        if not undo or shift is None:
            return Shift(shift)
        whole = Shift(shift).whole if max(map(abs, Shift(shift).whole)) > REACH else (0, 0)
        displacements[i] = whole_blocks(motion[i], whole) if local else whole
        center = displacements[i, cells[0] // 2, cells[1] // 2].astype(int)
        bend = float(np.abs(displacements[i] - center).max())
        return Shift(shift, (int(center[0]), int(center[1])), bend)

    shifts = results(find, range(total))
    return Places(shifts, motion, displacements, search, frozenset(fine))
