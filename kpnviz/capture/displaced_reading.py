"""Reading a frame where each cell of the picture has its own displacement."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from kpnviz.capture.fine_motion import at_places
from kpnviz.capture.frame_stack import FrameStack
from kpnviz.capture.motion_field import CELL
from kpnviz.capture.noise_patches import AROUND, PATCH, Patches
from kpnviz.capture.parallax import Layers, laid
from kpnviz.sampling import reflect_index
from kpnviz.threads import in_this_thread, results

_BLOCK, _BLOCKS = 64, 256  # px, and the most: parts that noise is estimated on


def nothing(*_: object) -> None:
    """What is done between parts of the work where nobody waits."""


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
    layers: Layers | None = None,
    motion: np.ndarray | None = None,
) -> np.ndarray:
    """:func:`read_shifted` where each cell of the picture has its own displacement, [ceil(H/16), ceil(W/16), 2], and
    pixels of `layers` have those of theirs; with `motion`, of this shape, in place of all that each pixel has its own,
    to the nearest pixel."""
    if motion is not None:
        moved = np.rint(at_places(motion, np.arange(top, bottom), np.arange(left, right))).astype(np.int64)
        low, high = moved.min(axis=(0, 1)), moved.max(axis=(0, 1))
        place = top + int(low[0]), bottom + int(high[0]), left + int(low[1]), right + int(high[1])
        around = read_shifted(stack, frame, channel, (0, 0), *place, saturated=saturated)
        y, x = np.arange(bottom - top)[:, None], np.arange(right - left)
        return np.asarray(around[y + moved[..., 0] - low[0], x + moved[..., 1] - low[1]])
    rows, columns = cells_of(slice(top, bottom)), cells_of(slice(left, right))
    field = displacements[rows, columns].astype(np.int64)
    owners = None if layers is None else layers.owners[top:bottom, left:right]
    each = layers is not None and owners is not None and owners.any()
    fields = (
        layers.fields[:, frame, rows, columns].astype(np.int64)
        if layers is not None and each
        else field[None]
    )
    low, high = fields.min(axis=(0, 1, 2)), fields.max(axis=(0, 1, 2))
    place = top + int(low[0]), bottom + int(high[0]), left + int(low[1]), right + int(high[1])
    around = read_shifted(stack, frame, channel, (0, 0), *place, saturated=saturated)
    if (low == high).all():
        return around
    if owners is not None and each:
        return laid(around, fields - low, owners, (top - rows.start * CELL, left - columns.start * CELL))
    out = np.empty((bottom - top, right - left), dtype=around.dtype)
    for cell_rows, cell_columns, (dy, dx) in _alike(field):
        y = np.clip((np.array(cell_rows) + rows.start) * CELL, top, bottom) - top
        x = np.clip((np.array(cell_columns) + columns.start) * CELL, left, right) - left
        moved_y, moved_x = y + dy - low[0], x + dx - low[1]
        out[slice(*y), slice(*x)] = around[slice(*moved_y), slice(*moved_x)]
    return out


def cells_of(pixels: slice) -> slice:
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


def blocks(
    stack: FrameStack, frame: int, channel: int, between: Callable[[], object] = nothing
) -> Iterator[np.ndarray]:
    """Blocks of a frame, [h, w] each; up to 256, spread over the picture."""
    for rows, columns in _block_places(stack):
        between()
        yield stack.light(frame, channel, rows, columns)


def patches(
    stack: FrameStack,
    channel: int,
    motion: dict[int, np.ndarray],
    reference: int,
    between: Callable[[], object] = nothing,
    bent: bool = False,
    most: int = _BLOCKS,
) -> list[Patches]:
    """What noise is seen on: patches of up to `most` blocks spread over the picture, of frames {number: motion}.

    A patch of a frame is read where the motion of the block's middle takes it, to the nearest pixel, or, where its own
    cell's is more than a pixel from that, where its own does: it is always whole. Of `bent` frames, which
    turn or zoom, each is read where the motion of its own middle takes it. Frames that do not show many of a
    block's patches are left out there, and patches that not all others show: whatever leaves most to compare.
    """
    H, W = stack.height, stack.width
    numbers = list(motion)
    place = numbers.index(reference)
    between = in_this_thread(between)
    middles = [np.arange(n // PATCH) * PATCH + (PATCH - 1) / 2 for n in (H, W)]
    of_patches = {i: np.rint(at_places(field, *middles)) for i, field in motion.items()} if bent else {}

    def read(block: tuple[slice, slice]) -> Patches | None:
        rows, columns = block
        between()
        y, x = (
            axis.ravel()
            for axis in np.meshgrid(
                *(np.arange(part.start, part.stop - PATCH + 1, PATCH) for part in (rows, columns)),
                indexing="ij",
            )
        )
        if not len(y):
            return None
        middle = (rows.start + rows.stop) // 2 // CELL, (columns.start + columns.stop) // 2 // CELL
        there = np.empty((len(numbers), len(y), 2), dtype=np.int64)  # first pixel of each patch
        for n, i in enumerate(numbers):
            if bent:
                moved = of_patches[i][y // PATCH, x // PATCH]
            else:
                moved = np.broadcast_to(np.rint(motion[i][middle]), (len(y), 2))
                own = motion[i][y // CELL, x // CELL]
                far = np.abs(own - moved).max(axis=1, keepdims=True) > 1
                moved = np.where(far, np.rint(own), moved)
            there[n] = np.stack([y, x], axis=1) + moved.astype(np.int64)
        shown = np.asarray(((there >= 0) & (there <= (H - PATCH, W - PATCH))).all(axis=-1))
        kept = _most_to_compare(shown, place)
        seen = shown[kept].all(axis=0)
        if len(kept) < 2 or not seen.any():
            return None
        windows = [_windows(stack, numbers[n], channel, there[n][seen]) for n in kept]
        gains = np.array([stack.gain(numbers[n], channel) for n in kept])
        places = np.stack([y - rows.start, x - columns.start], axis=1) // PATCH
        frames = tuple(numbers[n] for n in kept)
        return Patches(np.stack(windows, axis=1), places[seen], gains, bent, frames)

    return [block for block in results(read, _block_places(stack, most)) if block is not None]


def _block_places(stack: FrameStack, most: int = _BLOCKS) -> list[tuple[slice, slice]]:
    H, W = stack.height, stack.width
    places = [
        (slice(top, min(top + _BLOCK, H)), slice(left, min(left + _BLOCK, W)))
        for top in range(0, max(H - PATCH + 1, 1), _BLOCK)
        for left in range(0, max(W - PATCH + 1, 1), _BLOCK)
    ]
    return places[:: max(1, -(-len(places) // most))]


def _most_to_compare(shown: np.ndarray, reference: int) -> list[int]:
    """Of frames that show patches, [N, P] bool, those that together have the most differences of patches: frames are
    left out one by one, first that which shows the fewest."""
    order = sorted(range(len(shown)), key=lambda n: (n == reference, int(shown[n].sum())))
    choices = [sorted(order[first:]) for first in range(len(order))]
    return max(choices, key=lambda kept: (len(kept) - 1) * int(shown[kept].all(axis=0).sum()))


def _windows(stack: FrameStack, frame: int, channel: int, corners: np.ndarray) -> np.ndarray:
    """Patches with a pixel around, whose first pixels are at `corners` [P, 2]: [P, 10, 10]."""
    (top, left), (bottom, right) = corners.min(axis=0) - AROUND, corners.max(axis=0) + PATCH + AROUND
    part = read_shifted(stack, frame, channel, (0, 0), int(top), int(bottom), int(left), int(right))
    y, x = (corners - AROUND - (top, left)).T[:, :, None] + np.arange(PATCH + 2 * AROUND)
    return np.asarray(part[y[:, :, None], x[:, None, :]])
