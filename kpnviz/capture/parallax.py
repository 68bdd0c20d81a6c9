"""What is nearer to a camera that moves is displaced more: a second field of displacements, and which pixels have it.

A tile of 32 pixels at an edge of depth holds both, and says little. So first it is asked, of tiles all over the picture
together, by how much what is near moves otherwise in each frame; then of each pixel, by a small window around it in all
frames together, whether it is near: what is in front in one frame is so in all, and noise has little to say.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from kpnviz.capture.medians import medians
from kpnviz.capture.motion_field import CELL, camera_of
from kpnviz.threads import compiled, results

_TILE = 16  # px of the pictures of half the size
_REACH = 7  # px of these: how far a layer may move otherwise
_TILES = 1000  # that vote
_CELLS = 5000  # of the field to which the camera's motion is fitted
_NEAR = 1  # px of these that are left to the kernels, and to errors of the camera's motion
_SURE, _MOST = 15.0, 60.0  # by which a tile must fit better, and what its vote is at most
_FEWEST, _SHARE = 6, 0.05  # tiles that belong to a part, at least; and their share, and that of its pixels
_NEITHER = 0.3  # of the pixels, that the field of cells explains better than both
_OUTLIERS = np.maximum(4 * 0.6 ** np.arange(12), 0.5)  # px of half the size, in each round of a fit
_ROUNDS = 3  # of asking tiles which part they belong to, and how that moves
_WINDOWS = (3, 6, 12, 24)  # px around a pixel that decide with it
_MOST_COST = 4.0  # of a pixel and frame: what moves by itself or is hidden is no worse than that
_SURELY = 20.0  # by which displacements explain a window worse than others if they are none of its own
_STRIP = 128  # rows
_LEAST_TILES = 64  # of a picture of 256x256 pixels
_ACROSS = 512  # pixels of a line that are looked at
_LINES = 3.0  # times what chance makes lines differ; without noise of lines it was found to be up to 1.2
_LEAST_OFFSET = 2.0  # px: less is left to the kernels


@dataclass(frozen=True, eq=False)
class Layers:
    """Displacements of what is far and what is near.

    fields   whole pixels, int16 [K, frames, ceil(H/16), ceil(W/16), 2]: the burst's displacements, and those of layers
    owners   which of them each pixel takes: uint8 [H, W]
    offset   pixels by which the layers differ at most
    """

    fields: np.ndarray
    owners: np.ndarray
    offset: float

    def at(self, frame: int | list[int], y: np.ndarray | int, x: np.ndarray | int) -> np.ndarray:
        """Displacements of pixels in a frame, or of a pixel in frames: [..., 2]."""
        return np.asarray(self.fields[self.owners[y, x], frame, y // CELL, x // CELL])


class Search:
    """Looks for layers: made with the reference, told of every frame that is found, asked at the end.

    reference   and frames: of half the size, in units of their noise
    """

    def __init__(self, reference: np.ndarray) -> None:
        self.reference, self.tiles = reference, _tiles(reference)
        self.costs: dict[int, np.ndarray] = {}
        self.motion: dict[int, np.ndarray] = {}

    def add(
        self, number: int, frame: np.ndarray, motion: np.ndarray, reference: np.ndarray | None = None
    ) -> None:
        """A frame, and the motion of its cells, [h, w, 2] in pixels; `reference` as it is beside this frame, if both
        are cut off where either is white."""
        reference = self.reference if reference is None else reference
        if len(self.tiles) < _LEAST_TILES or _differ_by_lines(reference, frame, motion):
            return
        step = max(1, int((motion.shape[0] * motion.shape[1] / _CELLS) ** 0.5))
        some = motion[::step, ::step].astype(np.float64)
        camera = camera_of(some, np.broadcast_to(np.eye(2), (*some.shape, 2)))
        row, column = ((self.tiles + _TILE // 2) * 2 // (CELL * step)).T
        at = camera[np.minimum(row, camera.shape[0] - 1), np.minimum(column, camera.shape[1] - 1)] / 2
        self.costs[number], self.motion[number] = votes(reference, frame, self.tiles, at), at

    def layers(
        self,
        read: Callable[[int, slice, slice], np.ndarray],
        displacements: np.ndarray,
        reference: int,
        shape: tuple[int, int],
        white: Mapping[int, float] = MappingProxyType({}),
    ) -> Layers | None:
        """What is far and what is near, if they move otherwise. `read` and `white` as for :func:`choose_layers`."""
        found = find_layers(self.costs, self.motion, self.tiles, displacements.shape[1:3])
        if found is None:
            return None
        offset = max(float(np.abs(other).max()) for _, other in found.values())
        if offset < _LEAST_OFFSET:
            return None
        fields = np.stack([displacements] * 3)
        for i, (base, other) in found.items():
            # Where no tile tells, a camera's motion that is fitted elsewhere may lead anywhere.
            least, most = (getattr(displacements[i], f)(axis=(0, 1)).astype(int) for f in ("min", "max"))
            for k, layer in ((1, base), (2, base + other)):
                fields[k, i] = np.clip(np.rint(layer), least - 4 * _REACH, most + 4 * _REACH)
        owners = choose_layers(read, fields, reference, sorted(found), shape, white)
        neither, far, near = (float((owners == k).mean()) for k in range(3))
        # Else a pattern that repeats was taken for a layer, or the layers are not those of the scene.
        return Layers(fields, owners, offset) if min(far, near) > _SHARE and neither < _NEITHER else None


def _differ_by_lines(reference: np.ndarray, frame: np.ndarray, motion: np.ndarray) -> bool:
    """Whether whole rows or columns of two frames differ by more than chance: a sensor's noise of lines, which stays
    where it is while the scene moves, would be a layer.

    Asked of the medians of lines, by their second differences: what a scene leaves changes slowly from line to line,
    and a median of n differences with the standard deviation s has the error 1.25 s / sqrt(n).
    """
    dy, dx = np.rint(np.median(motion, axis=(0, 1)) / 2).astype(int)
    for here, there, along, across in ((reference, frame, dy, dx), (reference.T, frame.T, dx, dy)):
        w = here.shape[1]
        columns = np.arange(0, w, max(1, w // _ACROSS))
        some = np.roll(there[:, (columns + across) % w], -along, axis=0) - here[:, columns]
        middle = medians(some, axis=1)
        jagged = float(np.median(np.abs(np.diff(middle, 2)))) / 6**0.5  # the variance of (1, -2, 1) is 6
        by_chance = 1.25 * float(medians(np.abs(some - middle[:, None]).ravel())) / some.shape[1] ** 0.5
        if jagged > _LINES * by_chance:
            return True
    return False


def _tiles(reference: np.ndarray) -> np.ndarray:
    """First pixels [T, 2] of the tiles with most texture of a picture of half the size, in units of its noise."""
    h, w = (n // _TILE for n in reference.shape)
    part = reference[: h * _TILE, : w * _TILE].reshape(h, _TILE, w, _TILE)
    dy, dx = (np.abs(np.diff(part, axis=a)).mean(axis=(1, 3)) for a in (1, 3))
    best = np.argsort(-np.minimum(dy, dx).ravel(), kind="stable")[:_TILES]
    return np.stack(np.divmod(np.sort(best), w), axis=1) * _TILE


def votes(reference: np.ndarray, frame: np.ndarray, tiles: np.ndarray, motion: np.ndarray) -> np.ndarray:
    """What tiles [T] cost at displacements (dy, dx) of -7..7 pixels of half the size beside `motion`: [T, 15, 15].

    Half of what their squared differences are in units of the noise, so a log-likelihood.
    """
    out = np.empty((len(tiles), 2 * _REACH + 1, 2 * _REACH + 1), np.float32)
    _vote(reference, frame, tiles, np.rint(motion).astype(np.int64), out)
    return out


def find_layers(
    costs: dict[int, np.ndarray], motion: dict[int, np.ndarray], tiles: np.ndarray, cells: tuple[int, ...]
) -> dict[int, tuple[np.ndarray, np.ndarray]] | None:
    """The motion of what is far and of what is near, or of what is near and far: of each frame, by its number, that
    of every cell, [h, w, 2], and the other's offset from it, (dy, dx), in pixels; None: no part moves otherwise.

    costs, motion   of each frame, what :func:`votes` gives and was given (in pixels of half the size)
    """
    offsets = {i: found for i, c in sorted(costs.items()) if (found := _offset(c)) is not None}
    if not offsets:
        return None
    fits = {i: _near(costs[i], (0, 0)) - _near(costs[i], at) for i, at in offsets.items()}
    clearest = max(fits, key=lambda i: float(np.abs(np.clip(fits[i], -_MOST, _MOST)).sum()))
    sign = {
        i: np.sign(float((np.tanh(fit / _SURE) * np.tanh(fits[clearest] / _SURE)).sum()))
        for i, fit in fits.items()
    }
    other = sum(sign[i] * np.clip(fit, -_MOST, _MOST) for i, fit in fits.items())
    middle = tiles + (_TILE - 1) / 2
    terms = _terms(middle, cells)
    rounded = {i: np.rint(at) for i, at in motion.items()}
    solutions: dict[int, np.ndarray] = {}
    for _ in range(_ROUNDS):
        told, near = np.abs(other) > _SURE, other > 0
        if min((told & near).sum(), (told & ~near).sum()) < max(_FEWEST, _SHARE * len(tiles)):
            return None
        other = np.zeros(len(tiles))
        for i, c in costs.items():
            if i in solutions:
                base = terms @ solutions[i][:8] - rounded[i]
                at = np.rint(base + near[:, None] * solutions[i][8:]).astype(int)
            else:  # wherever it fits best
                best = c.reshape(len(c), -1).argmin(axis=1)
                at = np.stack(np.divmod(best, c.shape[2]), axis=1) - _REACH
            values, precision = _minimum(c[told], at[told])
            solutions[i] = _fit(terms[told], near[told], values + rounded[i][told], precision)
            base = terms @ solutions[i][:8] - rounded[i]
            other += np.clip(_least_near(c, base) - _least_near(c, base + solutions[i][8:]), -_MOST, _MOST)
    h, w = cells
    of_cells = _terms((np.indices((h, w)).reshape(2, -1).T + 0.5) * CELL / 2 - 0.5, cells)
    return {
        i: (2 * (of_cells @ solution[:8]).reshape(h, w, 2), 2 * solution[8:])
        for i, solution in solutions.items()
    }


def _offset(costs: np.ndarray) -> tuple[int, int] | None:
    """By how much a part of the tiles is displaced otherwise than most, (dy, dx); None: no part is."""
    here = _near(costs, (0, 0))
    better = here[:, None, None] - costs
    total = np.clip(better - _SURE, 0, _MOST).sum(axis=0)
    around = slice(_REACH - _NEAR, _REACH + _NEAR + 1)
    total[around, around] = 0
    y, x = np.unravel_index(np.argmax(total), total.shape)
    if (better[:, y, x] > _SURE).sum() < max(_FEWEST, _SHARE * len(costs)):
        return None
    return int(y) - _REACH, int(x) - _REACH


def _near(costs: np.ndarray, at: tuple[int, int]) -> np.ndarray:
    """The least of what tiles cost within a pixel of a displacement: [T]."""
    y, x = (slice(max(d + _REACH - _NEAR, 0), d + _REACH + _NEAR + 1) for d in at)
    return np.asarray(costs[:, y, x].min(axis=(1, 2)))


def _least_near(costs: np.ndarray, at: np.ndarray) -> np.ndarray:
    """The least of what each tile costs within a pixel of a displacement of its own, [T, 2]: [T]."""
    rows, columns = (np.clip(np.rint(at[:, k]).astype(int), 1 - _REACH, _REACH - 1) + _REACH for k in (0, 1))
    t = np.arange(len(costs))
    around = [costs[t, rows + dy, columns + dx] for dy in (-1, 0, 1) for dx in (-1, 0, 1)]
    return np.asarray(np.min(around, axis=0))


def _minimum(costs: np.ndarray, at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where each tile costs least within 2 pixels of `at` [T, 2], below a pixel, and its precision: [T, 2] each."""
    k = np.arange(-2, 3)
    t = np.arange(len(costs))
    rows, columns = (np.clip(at[:, c, None] + k + _REACH, 1, 2 * _REACH - 1) for c in (0, 1))
    part = costs[t[:, None, None], rows[:, :, None], columns[:, None, :]].reshape(len(costs), -1)
    best = part.argmin(axis=1)
    y, x = rows[t, best // 5], columns[t, best % 5]
    middle = costs[t, y, x]
    values, precision = np.empty((len(costs), 2)), np.empty((len(costs), 2))
    for c, (dy, dx) in enumerate(((1, 0), (0, 1))):
        lower, upper = costs[t, y - dy, x - dx], costs[t, y + dy, x + dx]
        bend = np.maximum(lower + upper - 2 * middle, 1e-3)
        values[:, c] = (y, x)[c] - _REACH + np.clip((lower - upper) / (2 * bend), -0.5, 0.5)
        precision[:, c] = np.minimum(bend, 100.0)
    return values, precision


def _terms(places: np.ndarray, cells: tuple[int, ...]) -> np.ndarray:
    """Those of the camera's motion (see motion_field) at places [P, 2] of the picture of half the size: [P, 2, 8]."""
    y, x = ((places - np.array(cells) * CELL / 4) / (max(cells) * CELL / 2)).T
    one, zero = np.ones_like(y), np.zeros_like(y)
    down = np.stack([one, y, x, zero, zero, zero, y * y, x * y], axis=1)
    return np.stack([down, np.stack([zero, zero, zero, one, y, x, x * y, x * x], axis=1)], axis=1)


def _fit(terms: np.ndarray, other: np.ndarray, values: np.ndarray, precision: np.ndarray) -> np.ndarray:
    """The camera's motion and the offset of the `other` tiles: [10], by iteratively reweighted least squares."""
    offset = other.astype(float)[:, None, None] * np.eye(2)  # [T, 2, 2]
    A, y, sure = np.concatenate([terms, offset], axis=2).reshape(-1, 10), values.ravel(), precision.ravel()
    weights, solution = sure, np.zeros(10)
    for outlier in _OUTLIERS:
        weighted = A.T * weights
        solution = np.linalg.solve(weighted @ A + 1e-6 * np.eye(10), weighted @ y)
        weights = sure / (1 + ((y - A @ solution) / outlier) ** 2)
    return solution


def choose_layers(
    read: Callable[[int, slice, slice], np.ndarray],
    fields: np.ndarray,
    reference: int,
    frames: list[int],
    shape: tuple[int, int],
    white: Mapping[int, float] = MappingProxyType({}),
) -> np.ndarray:
    """Which of the fields [K, N, h, w, 2] explains each pixel best, [H, W] uint8.

    read    of (frame, rows, columns), which may lie outside of the picture: the frame there in units of its noise
    white   of frames, by their numbers, at which they and the reference are cut off to be compared, in these units

    Asked of all frames together, in a small window around the pixel, and where that does not tell, in larger ones:
    where there is little to see, few displacements meet.
    """
    H, W = shape
    K = len(fields)
    out = np.zeros((H, W), np.uint8)
    lowest, highest = (getattr(fields, f)(axis=(0, 2, 3)).astype(int) for f in ("min", "max"))
    reach = _WINDOWS[-1]

    def decide(top: int) -> None:
        bottom = min(top + _STRIP, H)
        rows, columns = slice(max(top - reach, 0), min(bottom + reach, H)), slice(0, W)
        here = read(reference, rows, columns)
        costs = np.zeros((K, *here.shape), np.float32)
        y, x = (np.arange(part.start, part.stop) // CELL for part in (rows, columns))
        for i in frames:
            low, high = lowest[i], highest[i]
            there = read(
                i,
                slice(rows.start + low[0], rows.stop + high[0]),
                slice(low[1], W + high[1]),
            )
            compared = here
            if i in white:
                compared, there = (np.minimum(x, np.float32(white[i])) for x in (here, there))
            _add_costs(compared, there, (fields[:, i] - low).astype(np.int64), y, x, _MOST_COST, costs)
        sums = np.empty((K, costs.shape[1] + 1, W + 1))
        _sums(costs, sums)
        _least(sums, np.array(_WINDOWS), _SURELY, top - rows.start, 0, out[top:bottom])

    results(decide, range(0, H, _STRIP))
    return out


def laid(around: np.ndarray, fields: np.ndarray, owners: np.ndarray, start: tuple[int, int]) -> np.ndarray:
    """Pixels [h, w] of a frame, each displaced by that of fields [K, rows, columns, 2] that owns it, [h, w].

    around   the frame from where a displacement of 0 takes the first pixel;  start   of that pixel in its cell
    """
    out = np.empty(owners.shape, around.dtype)
    _lay(around, fields, owners, *start, out)
    return out


def _loop(function):  # type: ignore[no-untyped-def]
    return compiled(function, fastmath=True)


@_loop
def _vote(a, b, tiles, motion, out):  # type: ignore[no-untyped-def]
    H, W = a.shape
    k = out.shape[1]
    reach = k // 2
    for t in range(len(tiles)):
        y, x = tiles[t]
        for j in range(k):
            for i in range(k):
                dy, dx = motion[t, 0] + j - reach, motion[t, 1] + i - reach
                y0, y1 = max(y, -dy), min(y + _TILE, H - dy)
                x0, x1 = max(x, -dx), min(x + _TILE, W - dx)
                n = (y1 - y0) * (x1 - x0)
                if y1 - y0 < _TILE // 2 or x1 - x0 < _TILE // 2:
                    out[t, j, i] = np.float32(1e6)
                    continue
                if n == _TILE * _TILE:  # as most are
                    place, there = np.uintp(y * W + x), np.uintp((y + dy) * W + x + dx)
                    out[t, j, i] = _whole(a.ravel(), place, b.ravel(), there, np.uintp(W)) / 4
                    continue
                total, squares = np.float32(0), np.float32(0)
                for p in range(y0, y1):
                    for q in range(x0, x1):
                        d = b[p + dy, q + dx] - a[p, q]
                        total += d
                        squares += d * d
                out[t, j, i] = (squares - total * total / n) * (np.float32(_TILE * _TILE) / n) / 4


_SIDE = np.uintp(_TILE)
_2, _3, _4 = np.uintp(2), np.uintp(3), np.uintp(4)


@_loop
def _whole(a, i, b, j, step):  # type: ignore[no-untyped-def]
    """As that of motion_field (numba finds what it has compiled again by the file that calls it)."""
    total, squares = np.float32(0), np.float32(0)
    for _ in range(np.uintp(0), _SIDE, _4):
        for x in range(_SIDE):
            c = b[j + x] - a[i + x]
            d = b[j + step + x] - a[i + step + x]
            e = b[j + _2 * step + x] - a[i + _2 * step + x]
            f = b[j + _3 * step + x] - a[i + _3 * step + x]
            total += (c + d) + (e + f)
            squares += (c * c + d * d) + (e * e + f * f)
        i, j = i + _4 * step, j + _4 * step
    return squares - total * total / np.float32(_TILE * _TILE)


@_loop
def _add_costs(a, b, fields, rows, columns, most, costs):  # type: ignore[no-untyped-def]
    """Adds (b - a)^2 / 4, what a difference of two frames costs, to costs [K, h, w]; b begins where the least of
    the fields takes the first pixel of a."""
    K, h, w = costs.shape
    quarter, most = np.float32(0.25), np.float32(most)
    for k in range(K):
        for y in range(h):
            for x in range(w):
                d = b[y + fields[k, rows[y], columns[x], 0], x + fields[k, rows[y], columns[x], 1]] - a[y, x]
                costs[k, y, x] += min(quarter * d * d, most)


@_loop
def _lay(around, fields, owners, top, left, out):  # type: ignore[no-untyped-def]
    h, w = out.shape
    for y in range(h):
        for x in range(w):
            field = fields[owners[y, x], (y + top) // CELL, (x + left) // CELL]
            out[y, x] = around[y + field[0], x + field[1]]


@_loop
def _sums(values, out):  # type: ignore[no-untyped-def]
    """Sums of values [K, h, w] over all rows above and columns to the left, [K, h + 1, w + 1] (float64)."""
    K, h, w = values.shape
    for k in range(K):
        out[k, 0, :] = 0
        for y in range(h):
            row = 0.0
            out[k, y + 1, 0] = 0
            for x in range(w):
                row += values[k, y, x]
                out[k, y + 1, x + 1] = out[k, y, x + 1] + row


@_loop
def _least(sums, windows, sure, top, left, out):  # type: ignore[no-untyped-def]
    """Which of K fits best at pixels that begin at (top, left) of what `sums` are of: in window after window those
    are dropped that fit worse than another by `sure`; of those left, the best in the last one."""
    K = sums.shape[0]
    H, W = out.shape
    h, w = sums.shape[1] - 1, sums.shape[2] - 1
    kept = np.empty(K, np.bool_)
    cost = np.empty(K)
    for y in range(H):
        for x in range(W):
            kept[:] = True
            best = 0
            for reach in windows:
                y0, y1 = max(y + top - reach, 0), min(y + top + reach + 1, h)
                x0, x1 = max(x + left - reach, 0), min(x + left + reach + 1, w)
                least = np.inf
                for k in range(K):
                    if kept[k]:
                        cost[k] = sums[k, y1, x1] - sums[k, y0, x1] - sums[k, y1, x0] + sums[k, y0, x0]
                        if cost[k] < least:
                            least = cost[k]
                            best = k
                count = 0
                for k in range(K):
                    kept[k] = kept[k] and cost[k] <= least + sure
                    count += kept[k]
                if count == 1:
                    break
            out[y, x] = best
