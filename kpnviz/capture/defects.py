"""Hot and dead pixels, and columns and rows with a fixed error: the scene moves over the burst, and they stay.

Looked for in every plane of colors that a sensor has by itself, so that neighbors are of one color.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from kpnviz.capture.displaced_reading import nothing
from kpnviz.capture.frame_stack import FrameStack, Mended
from kpnviz.capture.medians import medians
from kpnviz.threads import in_this_thread, results

_LOOKED_AT = 3  # frames on which candidates are found; all of them are asked about these
_STRIP_PIXELS = 100_000  # that fit the processor's caches
_SAMPLED = 100_000  # pixels that tell how much neighbors differ
_MOST = 0.005  # of the pixels: more are no defects
_CANDIDATE = 0.7  # times what neighbors differ by
_SURE, _SURE_STILL = 8.0, 12.0  # standard errors; _STILL: of a scene that does not move
_ALONE, _ALONE_STILL = 0.35, 0.2  # of a defect, that neighbors may share; a point of light is wider
_BEYOND = 4.0  # times the range of what is around, of a still scene: photos have single bright pixels
_FRAMES = 5  # with fewer, points of a scene that moves little look like a sensor's: as if it were still
_ABOVE = 20  # of 24 neighbors: a standard deviation above the median
_TAIL, _STEADY, _STUCK = (
    0.2,
    0.5,
    0.2,
)  # of the frames; of a defect: so much is in each; a stuck one varies by
_LEAST_SPREAD = 0.7  # times that in most frames: of few neighbors some are alike by chance
_OTHER_COLORS = 0.4  # of a defect, that other colors may show; a point of light has them
_LINE_SURE = 6.0  # median absolute deviations of all columns
_LINE_ROWS = 1000  # of a column that are looked at
_LEAST_LINES = 24
_MOVED = 0.75  # px by which a scene has left its place
_STAYS = 0.5  # of an error, that the scene may have where it lies in another frame
_SEGMENTS, _EVERYWHERE = 4, 0.4  # parts of a line, each of which shows so much: edges of a scene are short
_FOLLOWS = 0.3  # least slope of columns against their neighbors that tells anything
_ADDED = 0.6  # of that slope, which one has to which something is added; one that shows nothing has none
_BLOCK = 8  # pixels of a line whose mean is compared


@dataclass(frozen=True)
class _Plane:
    """Pixels of one color: rows down, down + step ... of a plane of the files' codes."""

    plane: int
    down: int
    across: int
    step: int
    channel: int

    def of(self, codes: np.ndarray) -> np.ndarray:
        """The pixels of a picture [C, H, W] of codes, a view: [h, w]."""
        return codes[self.plane, self.down :: self.step, self.across :: self.step]


class Moves:
    """How the scene moves over a burst: then what stays is of the sensor.

    shifts   gives where it lies in a few frames (:func:`looked_at`), by their numbers, (dy, dx) in pixels; None: not
             known. Asked where something may be a defect, once
    """

    def __init__(self, shifts: Callable[[], Mapping[int, tuple[float, float] | None]]) -> None:
        self._shifts = shifts

    @functools.cached_property
    def known(self) -> dict[int, tuple[float, float]]:
        """The shifts that are known."""
        return {i: shift for i, shift in self._shifts().items() if shift is not None}

    def by_pixels(self, axis: int | None = None) -> bool:
        """Whether, wherever a frame shows the scene, half of the others show it elsewhere: along an axis, or anyhow."""
        if len(self.known) < 2:
            return False
        places = np.array([*self.known.values()])
        far = np.abs(places[:, None] - places) > _MOVED
        moved = far.any(axis=-1) if axis is None else far[..., axis]
        return bool(2 * moved.sum(axis=1).min() >= len(places) - 1)

    def pairs(self, axis: int | None = None) -> list[tuple[int, int, tuple[float, float]]]:
        """Frames i and j between which the scene moves by a pixel or more (along an axis), and by what: of each i, the
        two with the most motion."""
        found = []
        for i, (y, x) in self.known.items():
            moved = [(j, (v - y, u - x)) for j, (v, u) in self.known.items()]
            far = [(max(map(abs, d)) if axis is None else abs(d[axis]), j, d) for j, d in moved]
            found += [(i, j, d) for length, j, d in sorted(far, reverse=True)[:2] if length >= 1]
        return found


def looked_at(frames: int) -> list[int]:
    """A few of so many frames: those that tell of lines, and how the scene moves."""
    return np.unique(np.linspace(0, frames - 1, 2 * _LOOKED_AT).round().astype(int)).tolist()


@dataclass
class _Found:
    """Defects of one plane: rows and columns in it, and codes in their place, of each frame."""

    rows: list[np.ndarray] = field(default_factory=list)
    columns: list[np.ndarray] = field(default_factory=list)
    codes: list[np.ndarray] = field(default_factory=list)

    def add(self, rows: np.ndarray, columns: np.ndarray, codes: np.ndarray) -> None:
        self.rows.append(rows)
        self.columns.append(columns)
        self.codes.append(codes)


def mended(stack: FrameStack, moves: Moves, between: Callable[[], object] = nothing) -> FrameStack:
    """The stack with its hot pixels and fixed lines mended; itself where there are none, or too few frames to tell.

    moves   of a scene that moves by pixels over the burst, what stays is of the sensor. Of a still scene only what no
            lens can draw is: one pixel, of one color, far beyond all that is around it; and no line. Nor is a column
            of a scene that moves up and down alone, or a row of one that moves sidewise.

    A pixel is hot (or dead) if it differs from the median of its eight neighbors by more than 8 standard errors over
    the frames, by which they differ among 24 around, and no two neighbors share it. It becomes that median. A column
    (or row) is bad if the median over its pixels of their difference from left and right stands out so from those of
    all columns; what was added to it is taken off, or if it shows nothing of the scene, it becomes the mean of left
    and right.
    """
    if len(stack) < 2:
        return stack
    between = in_this_thread(between)
    planes = _planes(stack)
    found: list[tuple[_Plane, _Found]] = []
    pixels: set[tuple[int, int]] = set()  # that are mended; many, kept: that are not
    many: set[tuple[int, int]] = set()
    kept: set[tuple[int, int]] = set()
    lines: set[tuple[int, int]] = set()
    planes = [plane for plane in planes if min(plane.of(stack.codes[0]).shape) >= 8]
    hot = [_hot_pixels(stack, plane, planes, moves, between) for plane in planes]
    sure = [places for places, _ in hot]
    if any(len(rows) for rows, _ in sure) and moves.by_pixels():
        sure = [_with_those_of_others(stack, planes, sure, i) for i in range(len(planes))]
    for plane, (rows, columns), (_, alike) in zip(planes, sure, hot, strict=True):
        h, w = plane.of(stack.codes[0]).shape
        ours = _Found()
        all_added: list[float | None] = []  # of each line
        for axis in (1, 0):
            for line, added in _bad_lines(stack, plane, axis, moves):
                lines.add((axis, line * plane.step + (plane.across if axis == 1 else plane.down)))
                ours.add(*_mend_line(stack, plane, axis, line, added))
                all_added.append(added)
        # A hot pixel of a line to which something is added stays hot when that is taken off.
        known = {
            place
            for line, added in zip(zip(ours.rows, ours.columns, strict=True), all_added, strict=True)
            if added is None
            for place in zip(*(index.tolist() for index in line), strict=True)
        }
        places = zip(rows.tolist(), columns.tolist(), strict=True)
        new = [i for i, place in enumerate(places) if place not in known]
        rows, columns = rows[new], columns[new]
        too_many = len(rows) > max(1, _MOST * h * w)
        (many if too_many else pixels).update(_on_the_sensor(plane, rows, columns))
        kept.update(_on_the_sensor(plane, *alike))
        if too_many:
            rows, columns = rows[:0], columns[:0]
        if len(rows):
            around = _around(stack, plane, rows, columns, 1, light=False)
            middle = np.median(np.delete(around, 4, axis=-1), axis=-1)
            ours.add(rows, columns, _as_codes(stack, middle))
        if ours.rows:
            found.append((plane, ours))
    notes = []
    if many:
        notes.append(
            f"{len(many)} pixels look hot or dead, too many to be mended (up to {_MOST:.1%} of all are): they are kept."
        )
    if kept:
        stand = "1 single pixel stands" if len(kept) == 1 else f"{len(kept)} single pixels stand"
        notes.append(
            f"{stand} out in every frame, in several colors. As nothing moves, that may be of the scene, and is kept."
        )
    stack = replace(stack, defect_notes=tuple(notes))
    if not found:
        return stack
    return replace(
        stack, mended=Mended.of([_on_the_grid(plane, ours) for plane, ours in found], len(pixels), len(lines))
    )


_Places = tuple[np.ndarray, np.ndarray]
"""Rows and columns in a plane."""


def _on_the_sensor(plane: _Plane, rows: np.ndarray, columns: np.ndarray) -> Iterator[tuple[int, int]]:
    """Where pixels of a plane are among all of them: those of R, G and B at one place are one."""
    return zip(
        (plane.down + plane.step * rows).tolist(), (plane.across + plane.step * columns).tolist(), strict=True
    )


def _with_those_of_others(
    stack: FrameStack, planes: Sequence[_Plane], found: Sequence[_Places], which: int
) -> _Places:
    """The defects of a plane, and of those that other colors have at the same place what is half as sure."""
    plane, ours = planes[which], found[which]
    here = set(zip(*(index.tolist() for index in ours), strict=True))
    same = [i for i, other in enumerate(planes) if (other.down, other.across) == (plane.down, plane.across)]
    others = {place for i in same for place in zip(*(index.tolist() for index in found[i]), strict=True)}
    if stack.pattern or not others - here:
        return ours
    y, x = np.array(sorted(others - here)).T
    sure = _are_sure(stack, plane, y, x, True, _SURE / 2)
    return np.append(ours[0], y[sure]), np.append(ours[1], x[sure])


def _planes(stack: FrameStack) -> list[_Plane]:
    if stack.pattern and stack.codes.shape[1] == 1:
        return [_Plane(0, k // 2, k % 2, 2, "RGB".index(color)) for k, color in enumerate(stack.pattern)]
    if stack.pattern:
        return [_Plane(k, 0, 0, 1, "RGB".index(color)) for k, color in enumerate(stack.pattern)]
    return [_Plane(k, 0, 0, 1, k) for k in range(min(stack.codes.shape[1], 3))]


def _light(stack: FrameStack, plane: _Plane, frame: int) -> Callable[[Any], np.ndarray]:
    """Linear light of a part of a frame's plane."""
    codes = plane.of(stack.codes[stack.places[frame]])
    return lambda part: stack.linear(codes[part], plane.channel)


def _hot_pixels(
    stack: FrameStack, plane: _Plane, planes: Sequence[_Plane], moves: Moves, between: Callable[[], object]
) -> tuple[_Places, _Places]:
    """Hot and dead pixels of a plane; and what would be some, if not for the other colors of a still scene."""
    h, w = plane.of(stack.codes[0]).shape
    looked_at = np.unique(np.linspace(0, len(stack) - 1, _LOOKED_AT).round().astype(int)).tolist()
    readers = [_light(stack, plane, i) for i in looked_at]
    sampled = slice(None, None, max(1, h * w // _SAMPLED))
    differ = np.mean([np.median(np.abs(np.diff(read((sampled, slice(None))), axis=1))) for read in readers])
    rows = max(16, _STRIP_PIXELS // w)

    def among(top: int) -> np.ndarray:
        """Rows and columns of candidates in a strip."""
        between()
        start, stop = max(top - 1, 0), min(top + rows + 1, h)
        bright = dark = None
        for read in readers:
            strip = np.pad(read((slice(start, stop), slice(None))), 1, mode="reflect")
            high, low = _beyond_neighbors(strip)
            bright = high if bright is None else np.minimum(bright, high)
            dark = low if dark is None else np.minimum(dark, low)
        assert bright is not None and dark is not None
        y, x = np.nonzero(np.maximum(bright, dark) > _CANDIDATE * differ)
        inside = (y + start >= top) & (y + start < min(top + rows, h))
        return np.stack([y[inside] + start, x[inside]])

    candidates = results(among, range(0, h, rows))
    y, x = np.concatenate(candidates, axis=1)
    if not len(y) or len(y) > 0.1 * h * w:
        none = np.zeros(0, int), np.zeros(0, int)
        return none, none
    sure = _are_sure(stack, plane, y, x, True)
    y, x = y[sure], x[sure]
    still = bool(len(y)) and not moves.by_pixels()
    if len(y):
        sure = (
            _are_sure(stack, plane, y, x, False)
            if still
            else ~_of_the_scene(stack, plane, y, x, moves.pairs())
        )
        y, x = y[sure], x[sure]
    before = np.stack([y, x])
    if still and len(planes) > 1 and len(y):
        # A point of light has more colors than one; where its colors lie is never farther than a pixel.
        size = np.abs(_differences(stack, plane, y, x).mean(axis=0))
        for other in planes:
            if other.channel != plane.channel:
                shared = _around(stack, other, *_within(stack, other, y, x), 1).mean(axis=0)
                shown = np.abs(shared - np.median(shared, axis=-1, keepdims=True)).max(axis=-1)
                kept = shown < _OTHER_COLORS * size
                y, x, size = y[kept], x[kept], size[kept]
    hot = set(zip(y.tolist(), x.tolist(), strict=True))
    alike = before[:, [place not in hot for place in zip(*before.tolist(), strict=True)]]
    return (y, x), (alike[0], alike[1])


def _within(stack: FrameStack, plane: _Plane, y: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    h, w = plane.of(stack.codes[0]).shape
    return np.minimum(y, h - 1), np.minimum(x, w - 1)


def _beyond_neighbors(padded: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How far pixels lie above the second-highest of their eight neighbors, and below the second-lowest."""
    h, w = (n - 2 for n in padded.shape)
    around = [
        padded[y : y + h, x : x + w] for y, x in itertools.product(range(3), range(3)) if (y, x) != (1, 1)
    ]
    high, low = np.maximum(around[0], around[1]), np.minimum(around[0], around[1])
    second_high, second_low = low.copy(), high.copy()
    for value in around[2:]:
        np.maximum(second_high, np.minimum(high, value), out=second_high)
        np.maximum(high, value, out=high)
        np.minimum(second_low, np.maximum(low, value), out=second_low)
        np.minimum(low, value, out=low)
    middle = padded[1:-1, 1:-1]
    return middle - second_high, second_low - middle


def _around(
    stack: FrameStack,
    plane: _Plane,
    y: np.ndarray,
    x: np.ndarray,
    reach: int,
    light: bool = True,
    frames: Sequence[int] | None = None,
) -> np.ndarray:
    """Light, or codes, of the pixels around places, of every frame: [N, K, (2 reach + 1)^2]; beyond the edge, the
    reflection."""
    h, w = plane.of(stack.codes[0]).shape
    offsets = np.arange(-reach, reach + 1)
    rows, columns = (
        np.abs(np.where(p > n - 1, 2 * (n - 1) - p, p))
        for p, n in ((y[:, None] + offsets, h), (x[:, None] + offsets, w))
    )
    index = rows[:, :, None], columns[:, None, :]
    places = stack.places if frames is None else [stack.places[i] for i in frames]
    found = [plane.of(stack.codes[place])[index].reshape(len(y), (2 * reach + 1) ** 2) for place in places]
    return np.stack([stack.linear(c, plane.channel) if light else c for c in found]).astype(np.float64)


def _differences(
    stack: FrameStack, plane: _Plane, y: np.ndarray, x: np.ndarray, frames: Sequence[int] | None = None
) -> np.ndarray:
    """Of pixels from the median of their eight neighbors, in these frames, or in every one: [N, K]."""
    around = _around(stack, plane, y, x, 1, frames=frames)
    return np.asarray(around[..., 4] - np.median(np.delete(around, 4, axis=-1), axis=-1))


def _are_sure(
    stack: FrameStack, plane: _Plane, y: np.ndarray, x: np.ndarray, moves: bool, errors: float | None = None
) -> np.ndarray:
    """Which candidates are defects: bool [K]. Frames that show an edge around a pixel count less for it."""
    errors = errors or (_SURE if moves and len(stack) >= _FRAMES else _SURE_STILL)
    sure = np.zeros(len(y), dtype=bool)

    def decide(part: slice) -> None:
        around = _around(stack, plane, y[part], x[part], 2)
        N, K, _ = around.shape
        grid = around.reshape(N, K, 5, 5)
        middle = grid[..., 2, 2]
        near = np.delete(grid[..., 1:4, 1:4].reshape(N, K, 9), 4, axis=-1)
        all_near = np.delete(around, 12, axis=-1)
        median = np.median(all_near, axis=-1)
        spread = 1.4826 * np.median(np.abs(all_near - median[..., None]), axis=-1)
        if N < _FRAMES:  # where light is cut off at 0, most are alike; those above the median show the noise
            spread = np.maximum(spread, np.partition(all_near, _ABOVE, axis=-1)[..., _ABOVE] - median)
        differs = middle - np.median(near, axis=-1)
        weight = 1 / np.maximum(spread, _LEAST_SPREAD * np.median(spread, axis=0) + 1e-7) ** 2
        weight /= weight.sum(axis=0)
        size = (weight * differs).sum(axis=0)
        # The median of eight has a sixth of their variance, about.
        error = np.sqrt((weight**2 * spread**2).sum(axis=0) * 7 / 6) + 1e-7
        same = (np.sign(differs) == np.sign(size)).mean(axis=0)
        mean_near = near.mean(axis=0)
        shared = (mean_near - np.median(mean_near, axis=-1, keepdims=True)) * np.sign(size)[:, None]
        second = np.sort(shared, axis=-1)[:, -2]
        strict = not moves or N < _FRAMES
        alone = second < (_ALONE_STILL if strict else _ALONE) * np.abs(size)
        # What a sensor adds, or shows, is the same in every frame; of a scene that moves, other things come there.
        ends = (_TAIL, 1 - _TAIL)
        low, high = np.quantile(differs * np.sign(size), ends, axis=0)
        stuck = np.ptp(np.quantile(middle, ends, axis=0), axis=0) < _STUCK * np.abs(size)
        alone &= stuck | (low > _STEADY * high)
        if strict:
            alone &= np.abs(size) > _BEYOND * np.ptp(np.delete(around.mean(axis=0), 12, axis=-1), axis=-1)
        sure[part] = (np.abs(size) > errors * error) & (same >= 0.9) & alone

    results(decide, list(_parts(len(y))))
    return sure


def _parts(count: int, size: int = 4_000) -> Iterator[slice]:
    return (slice(start, start + size) for start in range(0, count, size))


def _bad_lines(stack: FrameStack, plane: _Plane, axis: int, moves: Moves) -> list[tuple[int, float | None]]:
    """Columns (axis 1) or rows (axis 0) with a fixed error, and what is added to their light; None: they show
    nothing."""
    frames = looked_at(len(stack))
    codes = [plane.of(stack.codes[stack.places[i]]) for i in frames]
    codes = [c if axis == 1 else c.T for c in codes]
    h, w = codes[0].shape
    if w < _LEAST_LINES:
        return []
    sampled = slice(None, None, max(1, h // _LINE_ROWS))
    errors = []
    for c in codes:
        light = stack.linear(c[sampled], plane.channel)
        padded = np.pad(light, ((0, 0), (1, 1)), mode="reflect")
        differs = light - (padded[:, :-2] + padded[:, 2:]) / 2
        for edge, near, next_to_it in ((0, 1, 2), (-1, -2, -3)):  # a slope of the scene is no error
            differs[:, edge] = light[:, edge] - 2 * light[:, near] + light[:, next_to_it]
        errors.append([medians(part, axis=0) for part in np.array_split(differs, _SEGMENTS)])
    segments = np.array(errors, dtype=np.float64)  # [frames, segments of the line, w]
    error = segments.mean(axis=1)
    typical = 1.4826 * np.median(np.abs(error - np.median(error, axis=1, keepdims=True)), axis=1) + 1e-7
    size = error.mean(axis=0)
    sure = np.abs(size) > _LINE_SURE * typical.mean()
    same = (np.abs(error) > 2 * typical[:, None]).all(axis=0) & (np.sign(error) == np.sign(size)).all(axis=0)
    same &= (segments.mean(axis=0) * np.sign(size) > _EVERYWHERE * np.abs(size)).all(axis=0)
    padded = np.pad(np.abs(size), 1)
    peak = np.abs(size) > 1.5 * np.maximum(padded[:-2], padded[2:])
    lines = np.flatnonzero(sure & same & peak)
    if len(lines):
        if not moves.by_pixels(axis):
            return []
        lines = lines[
            _stay(
                error,
                lines,
                [
                    (frames.index(i), frames.index(j), d[axis])
                    for i, j, d in moves.pairs(axis)
                    if i in frames and j in frames
                ],
            )
        ]
    if len(lines) > max(1, w // 50):
        return []
    return [(int(line), _added(stack, plane, codes, int(line), float(size[line]))) for line in lines]


def _stay(error: np.ndarray, lines: np.ndarray, pairs: Sequence[tuple[int, int, float]]) -> np.ndarray:
    """Which lines have an error that stays where it is, bool: where the scene of it lies in another frame, there is at
    most half of it. error [frames, w]; pairs of frames, and how far the scene moves between them."""
    if not pairs:
        return np.ones(len(lines), dtype=bool)
    at = np.arange(error.shape[1])
    there = np.mean([np.interp(lines + moved, at, error[j]) for _, j, moved in pairs], axis=0)
    here = np.mean([error[i, lines] for i, _, _ in pairs], axis=0)
    return np.asarray((here - there) * np.sign(here) > _STAYS * np.abs(here))


def _of_the_scene(
    stack: FrameStack,
    plane: _Plane,
    y: np.ndarray,
    x: np.ndarray,
    pairs: Sequence[tuple[int, int, tuple[float, float]]],
) -> np.ndarray:
    """Which pixels differ from their neighbors in other frames too, where their scene lies there: bool [K]."""
    if not pairs or not len(y):
        return np.zeros(len(y), dtype=bool)
    differs = _differences(stack, plane, y, x)
    h, w = plane.of(stack.codes[0]).shape
    sign = np.sign(differs.mean(axis=0))
    here = there = 0.0
    for i, j, (dy, dx) in pairs:
        corners = []
        for v, u in itertools.product(*({int(np.floor(d)), int(np.ceil(d))} for d in (dy, dx))):
            corners.append(
                _differences(stack, plane, np.clip(y + v, 0, h - 1), np.clip(x + u, 0, w - 1), (j,))[0] * sign
            )
        here, there = here + differs[i] * sign, there + np.max(corners, axis=0)
    return np.asarray(there > _STAYS * here)


def _added(
    stack: FrameStack, plane: _Plane, codes: Sequence[np.ndarray], line: int, size: float
) -> float | None:
    """What is added to a column; None if it shows little of the scene, or light is encoded: it is not added there."""
    if stack.encoded:
        return None

    width = codes[0].shape[1]

    def follows(at: int) -> float:
        """The slope of a column against its neighbors, in means of 8 pixels."""
        near = [n if 0 <= n < width else 2 * at - n for n in (at - 1, at + 1)]
        blocks = []
        for c in codes:
            light = stack.linear(c[:, [at, *near]], plane.channel).astype(np.float64)
            light = light[: len(light) // _BLOCK * _BLOCK].reshape(-1, _BLOCK, 3).mean(axis=1)
            blocks.append(np.stack([light[:, 0], light[:, 1:].mean(axis=1)]))
        (_, shared), (_, scene) = np.cov(np.concatenate(blocks, axis=1))
        return float(shared / scene) if scene > 0 else 0.0

    others = np.median([follows(at) for d in (-4, -3, 3, 4) if 0 <= (at := line + d) < width])
    return size if others > _FOLLOWS and follows(line) > _ADDED * others else None


def _mend_line(
    stack: FrameStack, plane: _Plane, axis: int, line: int, added: float | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows, columns and codes [N, K] of a line."""
    h, w = plane.of(stack.codes[0]).shape
    length, width = (h, w) if axis == 1 else (w, h)
    near = [n if 0 <= n < width else 2 * line - n for n in (line - 1, line + 1)]
    values = []
    span = 1.0 if stack.levels is None else stack.levels[1] - stack.levels[0]
    for i in range(len(stack)):
        codes = plane.of(stack.codes[stack.places[i]])
        codes = codes if axis == 1 else codes.T
        parts = codes[:, [line, *near]].astype(np.float64)
        values.append(parts[:, 1:].mean(axis=1) if added is None else parts[:, 0] - added * span)
    along, at = np.arange(length), np.full(length, line)
    rows, columns = (along, at) if axis == 1 else (at, along)
    return rows, columns, _as_codes(stack, np.stack(values))


def _as_codes(stack: FrameStack, values: np.ndarray) -> np.ndarray:
    """Numbers of codes as they are stored."""
    if stack.codes.dtype.kind == "f":
        return values.astype(np.float32)
    return np.clip(np.rint(values), 0, np.iinfo(stack.codes.dtype).max).astype(stack.codes.dtype)


def _on_the_grid(plane: _Plane, found: _Found) -> tuple[int, np.ndarray, np.ndarray, np.ndarray]:
    rows, columns = np.concatenate(found.rows), np.concatenate(found.columns)
    codes = np.concatenate(found.codes, axis=1)
    return plane.plane, plane.down + plane.step * rows, plane.across + plane.step * columns, codes
