"""Reading a frame where each cell of the picture has its own displacement."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from kpnviz.capture.frame_stack import FrameStack
from kpnviz.capture.motion_field import CELL
from kpnviz.sampling import reflect_index

_BLOCK, _BLOCKS = 64, 256  # px, and number: parts that noise is estimated on


def nothing() -> None:
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
) -> np.ndarray:
    """:func:`read_shifted` where each cell of the picture has its own displacement: [ceil(H/16), ceil(W/16), 2]."""
    rows, columns = cells_of(slice(top, bottom)), cells_of(slice(left, right))
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
    stack: FrameStack,
    channel: int,
    fields: dict[int, np.ndarray],
    margin: int = 0,
    between: Callable[[], object] = nothing,
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
