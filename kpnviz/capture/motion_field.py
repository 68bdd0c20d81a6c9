"""Where every part of a frame lies: a field of displacements, for cameras that turn and scenes with depth.

Tiles of the reference are looked for in the frame, from coarse pictures to fine ones, as in HDR+ (Hasinoff et al. 2016,
section 4). What they say is uncertain where a scene has little texture, so a model of the camera is fitted to it, and
what is left of it, where tiles agree, is smoothed. Frames are then read through whole-pixel displacements that are the
same over blocks as large as possible: each place where two displacements meet costs the kernels around it a part of
what they see.
"""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np
from scipy.ndimage import correlate1d, median_filter, minimum_filter, uniform_filter

from kpnviz.noise import NoiseModel, stabilize
from kpnviz.sampling import box_reduce, reflect_index
from kpnviz.threads import compiled, in_threads

CELL = 16
"""Side in pixels of a cell of the field: displacements are [ceil(H/16), ceil(W/16), 2], (dy, dx) in pixels."""

TOLERANCE = 3
"""Pixels of displacement that are left to the kernels; those of MKPN reach 5."""

_TILE, _STEP = 16, 8  # px of a level: side of a tile, and from one to the next
_COARSEST = 96  # px: the coarsest level has a shorter side below this
_SEARCH = 4  # px of the coarsest level
_PRIOR = 1.0  # of a displacement by 1 px from what the level above says, in units of noise
_MARGIN = 15.0  # by which another displacement must be better than that
_CHANCE = 0.4 * (2 * _TILE**2) ** 0.5  # 1 / px^2: what of a tile's precision may be of its noise
_MOST_SURE = 50.0  # 1 / px^2: of a tile's displacement, in any direction
_REST, _TO_ZERO, _JUMP, _SMOOTHINGS = 0.5, 0.05, 1.0, 60  # see smoothed
_OUTLIER, _FITS = 1.0, 12  # px, rounds: of the camera's model
_MEDIAN = 5  # cells
_AWAY, _SURELY = 4.0, 12.0  # px from the expected motion; 1 / px^2
_AS_WELL = 1.05  # times the misfit
_VARIES = 0.1  # of such a variance: what noise alone makes of it, about
_FEW, _PART = 8, 0.02  # tiles, and of them, that are found elsewhere
_ALIKE = (
    0.25  # of a tile's variance in the reference, without noise: least covariance with what it is found at
)
_BLOCK = 8  # cells
_BAND = 16  # rows of tiles that a thread does at a time

Pyramid = list[np.ndarray]


def pyramid(half: np.ndarray, noise: NoiseModel) -> Pyramid:
    """Levels of a frame that was box-reduced by 2, from fine to coarse, each in units of its noise.

    noise   of the frame at full size; after a mean of four pixels its standard deviation is half
    """
    return reduced_levels(stabilize(half, noise.scaled(0.5)).astype(np.float32))


def reduced_levels(finest: np.ndarray) -> Pyramid:
    """The levels below a finest one, which is in units of its noise."""
    levels = [finest]
    while min(levels[-1].shape) >= _COARSEST:
        levels.append(2 * box_reduce(levels[-1], 2))
    return levels


class Tiles(NamedTuple):
    """What tiles, one a cell, say of a frame: displacements [h, w, 2] in pixels, and their precision [h, w, 2, 2],
    matrices in 1 / px^2."""

    displacements: np.ndarray
    precision: np.ndarray


def find_tiles(
    reference: Pyramid,
    frame: Pyramid,
    start: tuple[float, float],
    structure: np.ndarray | None = None,
    shown: np.ndarray | None = None,
) -> Tiles:
    """Where the tiles of the reference lie in a frame, from coarse levels to fine ones.

    `start` is the shift to begin with, `structure` what :func:`structure_of` gives of the reference, if it is there
    already. `shown` [h, w] says which pixels of its finest level the frame does show, None: all; tiles with others tell
    nothing.
    """
    best: np.ndarray | None = None
    misfit = np.empty(0)
    for level in range(len(reference) - 1, -1, -1):
        a, b = reference[level], frame[level]
        h, w = (-(-n // _STEP) for n in a.shape)
        if best is None:
            first = np.rint(np.array(start) / 2 ** (level + 1)).astype(np.int64)
            candidates, search = np.broadcast_to(first, (h, w, 1, 2)), _SEARCH
        else:
            candidates, search = _candidates(best, h, w), 1
        best, misfit = _best(a, b, np.ascontiguousarray(candidates), search)
    assert best is not None
    structure = structure_of(reference) if structure is None else structure
    displacements, precision = _below_a_pixel(best, misfit, structure)
    # Where a frame is white, black or covered, the place that fits best is any place.
    precision = precision * _shown(reference[0], frame[0], best)[..., None, None]
    if shown is not None:
        filled = np.pad(shown, [(0, -n % _STEP) for n in shown.shape], mode="edge")
        whole = minimum_filter(filled, _TILE)[_STEP // 2 :: _STEP, _STEP // 2 :: _STEP]
        precision = precision * whole[..., None, None]
    return Tiles(2 * displacements, precision / 4)  # pixels of the full size


def nearest_alike(
    reference: Pyramid, frame: Pyramid, tiles: Tiles, expected: np.ndarray, structure: np.ndarray
) -> Tiles | None:
    """Of a pattern that repeats, as the lines of one text, tiles may be found at another place that looks alike: the
    same tiles, but near an expected motion [h, w, 2] those that fit as well there; None: there are hardly any."""
    displacements, precision = tiles
    sure = np.trace(precision, axis1=-2, axis2=-1)
    far = (np.abs(displacements - expected).max(axis=-1) > _AWAY) & (sure > _SURELY)
    if far.sum() < max(_FEW, _PART * far.size):
        return None
    found, near = (np.rint(at / 2).astype(np.int64)[:, :, None] for at in (displacements, expected))
    _, misfit_there = _best(reference[0], frame[0], np.ascontiguousarray(found), 0)
    best, misfit = _best(reference[0], frame[0], np.ascontiguousarray(near), 1)
    alike = far & (misfit[..., 0] < _AS_WELL * misfit_there[..., 0])
    if alike.sum() < max(_FEW, _PART * far.size):
        return None
    moved, surely = _below_a_pixel(best, misfit, structure)
    return Tiles(
        np.where(alike[..., None], 2 * moved, displacements),
        np.where(alike[..., None, None], surely / 4, precision),
    )


def find_motion(
    reference: Pyramid,
    frame: Pyramid,
    start: tuple[float, float],
    shape: tuple[int, int],
    structure: np.ndarray | None = None,
) -> np.ndarray:
    """Displacements (dy, dx) of a frame of `shape` (H, W) against the reference: [ceil(H/16), ceil(W/16), 2], pixels.

    The scene in cell (j, k) of the reference lies there in the frame: :func:`motion_of` what :func:`find_tiles` gives.
    """
    tiles = find_tiles(reference, frame, start, structure)
    return motion_of(tiles, camera_of(*tiles), shape)


def motion_of(tiles: Tiles, camera: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Displacements of all cells of a frame of `shape`: a model's, as the camera's, and of what is left beside it
    that in which neighbors agree."""
    motion = camera + smoothed(tiles.displacements - camera, tiles.precision)
    motion = median_filter(motion, (_MEDIAN, _MEDIAN, 1), mode="nearest")  # no tile stands alone
    return of_all_cells(motion, shape)


def of_all_cells(motion: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Of a field of tiles, one for each cell of a frame of `shape`: cells at its edge may have no tile."""
    missing = [(0, -(-n // CELL) - m) for n, m in zip(shape, motion.shape[:2], strict=True)]
    return np.pad(motion, (*missing, (0, 0)), mode="edge").astype(np.float32)


def whole_blocks(motion: np.ndarray, start: tuple[int, int]) -> np.ndarray:
    """Whole-pixel displacements that leave at most TOLERANCE pixels of a motion field: the same shape, int16.

    Constant over blocks of 128 pixels, which are split down to a cell where more would remain. A block takes the
    displacement of its left or upper neighbor if that fits (the first one, `start`), else its own median.
    """
    rows, columns = motion.shape[:2]
    out = np.zeros(motion.shape, np.int16)

    def fill(y: int, x: int, n: int) -> None:
        cell = motion[y : y + n, x : x + n]
        neighbors = [out[y, x - 1]] if x else []
        neighbors += [out[y - 1, x]] if y else []
        for displacement in neighbors or [np.array(start)]:
            if np.abs(cell - displacement).max() <= TOLERANCE:
                out[y : y + n, x : x + n] = displacement
                return
        middle = np.rint(np.median(cell, axis=(0, 1)))
        if n == 1 or np.abs(cell - middle).max() <= TOLERANCE:
            out[y : y + n, x : x + n] = middle
            return
        for dy, dx in itertools.product((0, n // 2), repeat=2):
            if y + dy < rows and x + dx < columns:
                fill(y + dy, x + dx, n // 2)

    for y, x in itertools.product(range(0, rows, _BLOCK), range(0, columns, _BLOCK)):
        fill(y, x, _BLOCK)
    return out


def displaced(image: np.ndarray, motion: np.ndarray) -> np.ndarray:
    """A picture [H, W] whose every pixel is read where a field [H, W, 2] says, to the nearest pixel."""
    H, W = image.shape
    moved = np.rint(motion).astype(np.int64)
    most = int(np.abs(moved).max(initial=0))
    rows, columns = (reflect_index(n, -most, n + most) for n in (H, W))
    y, x = np.arange(H)[:, None] + moved[..., 0], np.arange(W)[None] + moved[..., 1]
    return np.asarray(image[rows[y + most], columns[x + most]])


def _best(a: np.ndarray, b: np.ndarray, candidates: np.ndarray, search: int) -> tuple[np.ndarray, np.ndarray]:
    """What :func:`_match` gives for all tiles, in threads."""
    h, w = candidates.shape[:2]
    best, misfit = np.empty((h, w, 2), np.int64), np.empty((h, w, 5), np.float32)

    def run(part: int) -> None:
        rows = slice(part * _BAND, (part + 1) * _BAND)
        _match(a, b, candidates[rows], search, part * _BAND, best[rows], misfit[rows])

    in_threads(run, -(-h // _BAND))
    return best, misfit


def _candidates(best: np.ndarray, h: int, w: int) -> np.ndarray:
    """What the level above suggests for h x w tiles, [h, w, 4, 2]: the median around a tile's parent, the parent, and
    the parents that the tile lies next to."""
    rows, columns = (np.minimum(np.arange(n) // 2, m - 1) for n, m in zip((h, w), best.shape, strict=False))
    beside = [
        np.clip(parent + np.where(np.arange(len(parent)) % 2, 1, -1), 0, m - 1)
        for parent, m in zip((rows, columns), best.shape, strict=False)
    ]
    median = np.stack([median_filter(best[..., k], 3, mode="nearest") for k in (0, 1)], axis=-1)
    parents = (
        median[np.ix_(rows, columns)],
        best[np.ix_(rows, columns)],
        best[np.ix_(beside[0], columns)],
        best[np.ix_(rows, beside[1])],
    )
    return 2 * np.stack(parents, axis=2)


def _loop(function):  # type: ignore[no-untyped-def]
    return compiled(function, fastmath=True)


@_loop
def _misfit(a, b, y, x, dy, dx):  # type: ignore[no-untyped-def]
    """Sum of squared differences of a tile, less their mean's; huge if the tile leaves the frame by more than half."""
    H, W = a.shape
    y0, y1 = max(y, 0, -dy), min(y + _TILE, H, H - dy)
    x0, x1 = max(x, 0, -dx), min(x + _TILE, W, W - dx)
    if y1 - y0 < _TILE // 2 or x1 - x0 < _TILE // 2:
        return np.float32(1e30)
    n = (y1 - y0) * (x1 - x0)
    if n == _TILE * _TILE:  # as most are
        place, there = np.uintp(y * W + x), np.uintp((y + dy) * W + x + dx)
        return _whole(a.ravel(), place, b.ravel(), there, np.uintp(W))
    total, squares = np.float32(0), np.float32(0)
    for i in range(y0, y1):
        for j in range(x0, x1):
            d = b[i + dy, j + dx] - a[i, j]
            total += d
            squares += d * d
    return (squares - total * total / n) * (np.float32(_TILE * _TILE) / n)


_SIDE = np.uintp(_TILE)
_2, _3, _4 = np.uintp(2), np.uintp(3), np.uintp(4)


@_loop
def _whole(a, i, b, j, step):  # type: ignore[no-untyped-def]
    """:func:`_misfit` of a tile that begins at i, and in the frame at j, of flat pictures. Four rows at a time and
    unsigned offsets: so the compiler computes whole rows at once, eight times as fast."""
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
def _match(a, b, candidates, search, top, best, misfit):  # type: ignore[no-untyped-def]
    """For each tile the displacement within `search` of a candidate that costs least: a quarter of its misfit (for
    noise: half a chi-square of 256 values, twice) and the prior's of its distance from the first candidate.

    best [h, w, 2], and misfit [h, w, 5] of it and of those one row up, down, one column to the left, right. `top` is
    the number of the first row of tiles.
    """
    h, w, count = candidates.shape[:3]
    for j in range(h):
        for i in range(w):
            y, x = (top + j) * _STEP - (_TILE - _STEP) // 2, i * _STEP - (_TILE - _STEP) // 2
            first_y, first_x = candidates[j, i, 0, 0], candidates[j, i, 0, 1]
            by, bx = first_y, first_x
            least = _misfit(a, b, y, x, by, bx) / 4 - np.float32(_MARGIN)
            for c in range(count):
                cy, cx = candidates[j, i, c, 0], candidates[j, i, c, 1]
                for dy in range(cy - search, cy + search + 1):
                    for dx in range(cx - search, cx + search + 1):
                        seen = False
                        for e in range(c):
                            ey, ex = candidates[j, i, e, 0], candidates[j, i, e, 1]
                            if abs(ey - dy) <= search and abs(ex - dx) <= search:
                                seen = True
                        if seen:
                            continue
                        away = (dy - first_y) ** 2 + (dx - first_x) ** 2
                        cost = _misfit(a, b, y, x, dy, dx) / 4 + np.float32(_PRIOR / 2) * away
                        if cost < least:
                            least, by, bx = cost, dy, dx
            best[j, i, 0], best[j, i, 1] = by, bx
            misfit[j, i, 0] = _misfit(a, b, y, x, by, bx)
            misfit[j, i, 1] = _misfit(a, b, y, x, by - 1, bx)
            misfit[j, i, 2] = _misfit(a, b, y, x, by + 1, bx)
            misfit[j, i, 3] = _misfit(a, b, y, x, by, bx - 1)
            misfit[j, i, 4] = _misfit(a, b, y, x, by, bx + 1)


def _shown(a: np.ndarray, b: np.ndarray, best: np.ndarray) -> np.ndarray:
    """Whether a frame shows tiles of the reference where they were found: their covariance is a part of the variance
    that the reference has beyond noise. Of what is flat in the frame it is 0. bool [h, w]."""
    out = np.empty(best.shape[:2], np.bool_)

    def run(part: int) -> None:
        rows = slice(part * _BAND, (part + 1) * _BAND)
        _compare(a, b, best[rows], part * _BAND, out[rows])

    in_threads(run, -(-len(best) // _BAND))
    return out


@_loop
def _compare(a, b, best, top, out):  # type: ignore[no-untyped-def]
    H, W = a.shape
    h, w = out.shape
    for j in range(h):
        for i in range(w):
            y, x = (top + j) * _STEP - (_TILE - _STEP) // 2, i * _STEP - (_TILE - _STEP) // 2
            dy, dx = best[j, i, 0], best[j, i, 1]
            y0, y1 = max(y, 0, -dy), min(y + _TILE, H, H - dy)
            x0, x1 = max(x, 0, -dx), min(x + _TILE, W, W - dx)
            n = max(y1 - y0, 0) * max(x1 - x0, 0)
            if n == 0:
                out[j, i] = False
                continue
            sum_a, sum_b, squares, products = np.float32(0), np.float32(0), np.float32(0), np.float32(0)
            # Less a value of the tile, so that what is subtracted below is small, too.
            at_a, at_b = a[y0, x0], b[y0 + dy, x0 + dx]
            for p in range(y0, y1):
                for q in range(x0, x1):
                    c, d = a[p, q] - at_a, b[p + dy, q + dx] - at_b
                    sum_a += c
                    sum_b += d
                    squares += c * c
                    products += c * d
            variance = squares / n - (sum_a / n) ** 2
            out[j, i] = products / n - sum_a / n * (sum_b / n) >= _ALIKE * max(variance - 1, _VARIES)


def structure_of(reference: Pyramid) -> np.ndarray:
    """The structure tensor of every tile of the finest level a: the sum over its pixels of g g^T, g = (da/dy, da/dx),
    less what noise of standard deviation 1 adds, [h, w, 2, 2]."""
    a, across = reference[0], (0.25, 0.5, 0.25)
    gradients = [correlate1d(correlate1d(a, (-0.5, 0, 0.5), axis), across, 1 - axis) for axis in (0, 1)]
    of_noise = 0.5 * float(np.square(across).sum())
    missing = [(0, -n % _STEP) for n in a.shape]
    out = np.empty((*(-(-n // _STEP) for n in a.shape), 2, 2))
    for i, j in ((0, 0), (0, 1), (1, 1)):
        products = np.pad(gradients[i] * gradients[j] - of_noise * (i == j), missing)
        means = uniform_filter(products, _TILE, mode="constant")[_STEP // 2 :: _STEP, _STEP // 2 :: _STEP]
        out[..., i, j] = out[..., j, i] = _TILE**2 * means
    return out


def _below_a_pixel(
    best: np.ndarray, misfit: np.ndarray, structure: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Displacements [h, w, 2] to where a paraboloid through the misfits is least, and their precision [h, w, 2, 2], a
    matrix in 1 / px^2.

    The precision is half the structure tensor, since a difference has the noise of two frames. A tile with a single
    edge tells the motion across it, and nothing of the motion along it. What noise alone has of a tensor is left out,
    and a tile that fits badly tells little.
    """
    middle, lower, upper = misfit[..., 0], misfit[..., 1::2], misfit[..., 2::2]
    seen = misfit.max(axis=-1) < 1e29
    values, vectors = np.linalg.eigh(structure / 2)
    # The misfit's differences are of neighbors, and steeper than the gradients above.
    curvature = np.where(seen, (lower + upper).sum(axis=-1) - 4 * middle, 0)
    steeper = np.maximum(curvature / np.maximum(4 * values.sum(axis=-1), 1e-6), 1)
    values = np.where(seen[..., None] & (values > _CHANCE), values, 0)
    slope = np.einsum("...ji,...j->...i", vectors, np.where(seen[..., None], lower - upper, 0))
    rest = np.where(values > 0, slope / np.maximum(8 * values * steeper[..., None], 1e-6), 0)
    rest = np.einsum("...ij,...j->...i", vectors, np.clip(rest, -0.5, 0.5))
    fits = np.maximum(middle / (2 * _TILE**2), 1)
    values = np.minimum(np.maximum(values - _CHANCE, 0) / fits[..., None], _MOST_SURE)
    return best + rest, np.einsum("...ik,...k,...jk->...ij", vectors, values, vectors)


def camera_of(displacements: np.ndarray, precision: np.ndarray) -> np.ndarray:
    """A camera's part of the displacements: what turning, tilting, zooming and a rolling shutter do to a plane.

        dy = a + b y + c x + g y^2 + h x y        dx = d + e y + f x + g x y + h x^2

    fitted by iteratively reweighted least squares; tiles far from it count less (Cauchy).
    """
    h, w = displacements.shape[:2]
    y, x = (np.indices((h, w)).reshape(2, -1) + 0.5 - np.array([[h], [w]]) / 2) / max(h, w)
    one, zero = np.ones_like(y), np.zeros_like(y)
    terms = np.concatenate(
        [
            np.stack([one, y, x, zero, zero, zero, y * y, x * y], axis=1),
            np.stack([zero, zero, zero, one, y, x, x * y, x * x], axis=1),
        ]
    )
    # Along the two axes of its precision, a tile is two measurements that are independent of each other.
    sure, directions = np.linalg.eigh(precision.reshape(-1, 2, 2))
    along = np.einsum("nji,nj->in", directions, displacements.reshape(-1, 2)).ravel()
    turned = np.concatenate(
        [
            directions[:, 0, k, None] * terms[: h * w] + directions[:, 1, k, None] * terms[h * w :]
            for k in (0, 1)
        ]
    )
    sure = sure.T.ravel()
    told = sure > 1e-6  # more than rounding
    terms_told, values, sure = turned[told], along[told], sure[told]
    solution, found = np.zeros(8), False
    for _ in range(_FITS):
        products, right = _normal_equations(terms_told, values, sure, solution, found)
        solution, found = np.linalg.solve(products + 1e-6 * np.eye(8), right), True
    return np.moveaxis((terms @ solution).reshape(2, h, w), 0, -1)


def smoothed(rest: np.ndarray, precision: np.ndarray) -> np.ndarray:
    """What is left beside the camera's motion, where neighbors agree: f [h, w, 2] that minimizes

        sum (f - rest)^T precision (f - rest) + 0.05 |f|^2 + 0.5 sum over neighbors log(1 + |f - f'|^2)

    by fixed-point steps: a jump of more than a pixel is a jump.
    """
    told = np.einsum("...ij,...j->...i", precision, rest)
    down, mixed, across = (np.ascontiguousarray(precision[..., i, j]) for i, j in ((0, 0), (0, 1), (1, 1)))
    planes = [np.ascontiguousarray(told[..., k]) for k in (0, 1)]
    f, new = np.zeros((2, *rest.shape[:2])), np.empty((2, *rest.shape[:2]))
    for _ in range(_SMOOTHINGS):
        _step(f, *planes, down, mixed, across, new)
        f, new = new, f
    return np.moveaxis(f, 0, -1)


@_loop
def _normal_equations(terms, values, sure, solution, reweighted):  # type: ignore[no-untyped-def]
    """Of least squares, sum of w t t^T and of w t v for terms t [P, 8] and values v [P]; the weights w are `sure`, and
    `reweighted` those of Cauchy at a solution."""
    products, right = np.zeros((8, 8)), np.zeros(8)
    for p in range(len(terms)):
        weight = sure[p]
        if reweighted:
            rest = values[p]
            for k in range(8):
                rest -= terms[p, k] * solution[k]
            weight /= 1 + (rest / _OUTLIER) ** 2
        for k in range(8):
            weighted = weight * terms[p, k]
            right[k] += weighted * values[p]
            for m in range(8):
                products[k, m] += weighted * terms[p, m]
    return products, right


@_loop
def _link(f, y, x, other_y, other_x, n, out):  # type: ignore[no-untyped-def]
    """How much each of n neighbors in a row of f [2, h, w] counts."""
    for i in range(n):
        a, b = f[0, other_y, other_x + i] - f[0, y, x + i], f[1, other_y, other_x + i] - f[1, y, x + i]
        out[i] = _REST / (1 + (a * a + b * b) / _JUMP**2)


@_loop
def _step(f, told_y, told_x, down, mixed, across, new):  # type: ignore[no-untyped-def]
    """new [2, h, w] = (precision + weight)^-1 total, of 2x2 matrices, for the links to neighbors in f."""
    h, w = told_y.shape
    above, below, beside = np.zeros(w), np.zeros(w), np.zeros(w + 1)
    for y in range(h):
        lower, upper = min(y + 1, h - 1), max(y - 1, 0)
        if y + 1 < h:
            _link(f, y, 0, lower, 0, w, below)
        else:
            below[:] = 0
        _link(f, y, 0, y, 1, w - 1, beside[1:w])
        for x in range(w):
            left, right, up, low = beside[x], beside[x + 1], above[x], below[x]
            before, after = max(x - 1, 0), min(x + 1, w - 1)
            weight = _TO_ZERO + left + right + up + low
            b = told_y[y, x] + up * f[0, upper, x] + low * f[0, lower, x]
            b += left * f[0, y, before] + right * f[0, y, after]
            c = told_x[y, x] + up * f[1, upper, x] + low * f[1, lower, x]
            c += left * f[1, y, before] + right * f[1, y, after]
            p, q, m = down[y, x] + weight, across[y, x] + weight, mixed[y, x]
            scale = 1 / (p * q - m * m)
            new[0, y, x], new[1, y, x] = (q * b - m * c) * scale, (p * c - m * b) * scale
        above, below = below, above
