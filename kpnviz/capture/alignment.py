"""Global alignment: the shift of a frame against the reference, below a pixel, or that there is none."""

from __future__ import annotations

import itertools

import numpy as np
from scipy import fft
from scipy.ndimage import gaussian_filter

from kpnviz.noise import NoiseModel, stabilize
from kpnviz.sampling import box_reduce
from kpnviz.threads import compiled

_SMOOTHING = 1.0  # px, of both pictures
_NOISE = 1 / (4 * np.pi * _SMOOTHING**2)  # variance of white noise of variance 1 after that smoothing
# Smoothed noise is correlated: the mean of its squares over so many pixels varies as one independent square.
_CORRELATED = 8 * np.pi * _SMOOTHING**2
_CHANCE = (
    _NOISE * _CORRELATED
)  # differences of D that noise alone makes, times the pixels that D is the mean of
_SURE = 4.0  # times _CHANCE: a smaller gain is not evidence for a shift below a pixel (a whole pixel needs _CHANCE)
_BLOCK, _STEPS = 16, 4
_UNUSUAL = 2.0  # times the noise: the D of a block is rarely above that by chance
_NEARLY, _SOME = 0.05, 8  # of what shifts usually cost, as every eighth tells
_APART = 16  # px between shifts that cost as little: farther than parallax moves
_BASIN = 3  # px around a minimum
_COARSE = 6.0  # px: larger shapes say little about whether two pictures show one scene
_ALIKE = 0.5
_LARGE_PART = 5 / 8  # of a picture; of less than that
_VERY_ALIKE = 0.3
_TOLD = (
    2.5  # standard errors of the correlation of edges: two scenes' is less, but for one in a thousand pairs
)
_LAID = 5.0  # of these, for a frame that was laid by more than a shift
_EDGE = 3.0  # standard deviations of the noise: stronger edges count as much
_TELLING = 1.0  # times the noise: blocks of weaker edges tell nothing
_MOST, _PART, _BLOCKS = 0.5, 1 / 8, 8  # of these blocks; of all blocks of a picture; blocks
_SEEN = 3.0  # standard errors of a correlation: shifts that noise alone makes the best have up to 1.5
_LARGE = 8  # px: side of blocks in which large shapes are seen
_FEWEST = 8  # of them along a side
_FLAT = 0.5  # of the noise of a pixel, that blocks of a picture without a scene differ by


def find_shift(
    reference: np.ndarray,
    frame: np.ndarray,
    noise: NoiseModel,
    reach: int | None = None,
) -> np.ndarray | None:
    r"""The shift (dy, dx) of a frame against the reference, in pixels, float64; None: no shift explains the frame.

    The scene at (y, x) of the reference lies at (y + dy, x + dx) of the frame. Both are [H, W] in linear intensity
    and have this noise. `reach` is the largest shift that is looked for: half of each side is the limit and the
    default.

    With a, b the pictures after variance stabilization and a slight blur, and the pixels that both have,

    .. math:: D(d) = \frac{1}{2}\, \mathrm{var}_x \left( b(x + d) - a(x) \right)

    (a change of brightness is no difference). First the least D of all whole-pixel shifts; those that are far must be
    better by more than chance makes the best of so many. From there a few steps to where most of the picture agrees:
    blocks of 16x16 that differ by more than noise does count less, so that it follows the camera and not what moves in
    the scene. A parabola through the neighbors gives the part of a pixel, if noise would not have given it too.

    Found means that edges agree: their difference beyond the noise is at most half of what it would be between
    different scenes. A picture of nothing but noise is found, within a few pixels of where it is. Where the pictures
    share less than five eighths, the difference is at most .3 of that, and the edges that they share are correlated.

    What is large, bright and elsewhere in each frame, as a person who walks through, outweighs the scene in such sums.
    Where nothing is found, the least D is looked for once more, of edges alone and none counting for much more than
    others; found then means that edges agree in most blocks of 16x16 that have any, and in an eighth of the picture.
    Raises ValueError if the shapes are not one [H, W].
    """
    if reference.shape != frame.shape or reference.ndim != 2:
        raise ValueError(f"frames have shapes {reference.shape} and {frame.shape}; both are [H, W]")
    return shift_of_smoothed(smoothed(reference, noise), smoothed(frame, noise), reach)


def smoothed(picture: np.ndarray, noise: NoiseModel) -> np.ndarray:
    """A picture [H, W] as shifts are seen on it: in units of its noise, slightly blurred."""
    return np.asarray(
        gaussian_filter(stabilize(picture, noise).astype(np.float32), _SMOOTHING, mode="mirror")
    )


def shift_of_smoothed(a: np.ndarray, b: np.ndarray, reach: int | None = None) -> np.ndarray | None:
    """:func:`find_shift` of a reference and a frame that are :func:`smoothed` already."""
    dy, dx, around = _followed(a, b, *nearest_shift(a, b, reach))
    if not _one_scene(*overlap(a, b, dy, dx), a.size):
        # A bright thing that crosses the picture may have outweighed the rest: once more without its weight.
        dy, dx, around = _followed(a, b, *nearest_shift(_evened(a), _evened(b), reach))
        if not _most_agrees(*overlap(a, b, dy, dx), a.size // _BLOCK**2):
            return None
    return np.array([dy, dx]) + _below_a_pixel(around, a.size)


def _followed(a: np.ndarray, b: np.ndarray, dy: int, dx: int) -> tuple[int, int, np.ndarray]:
    """A whole-pixel shift after a few steps to where most of two pictures agrees, and D around it, [3, 3]."""
    costs, around = _around(a, b, dy, dx)
    for _ in range(_STEPS):
        i, j = (int(k) - 1 for k in np.unravel_index(np.argmin(costs), (3, 3)))
        surely = (costs[1, 1] - costs.min()) * a.size > _CHANCE
        if not surely or 2 * abs(dy + i) > a.shape[0] or 2 * abs(dx + j) > a.shape[1]:
            break
        dy, dx = dy + i, dx + j
        costs, around = _around(a, b, dy, dx)
    return dy, dx, around


def what_is_shared(
    reference: np.ndarray, frame: np.ndarray, noise: NoiseModel, shift: np.ndarray | None
) -> tuple[bool, bool]:
    """Whether more than noise is in two pictures [H, W]: edges, and large shapes. With the cap on a lens there is
    neither; of a sensor that glows, or an even wall in uneven light, there are shapes alone.

    Where the shift (find_shift) lays one onto the other, the pictures less what is coarse, and means over blocks, are
    correlated by three standard errors or more. If there is no shift, pictures that are flat share nothing; others may
    show two scenes, of which neither is without edges.
    """
    a, b = (smoothed(x, noise) for x in (reference, frame))
    if shift is None and not (_is_flat(reference) and _is_flat(frame)):
        return True, True
    dy, dx = (0, 0) if shift is None else (int(n) for n in np.rint(shift))
    a, b = overlap(a, b, dy, dx)
    side = max(1, min(_LARGE, min(a.shape) // _FEWEST))
    shapes = [box_reduce(x, side) for x in (a, b)]
    edges = [x - gaussian_filter(x, _COARSE, mode="mirror") for x in (a, b)]
    sizes = edges[0].size / _CORRELATED, shapes[0].size
    found = [
        _correlation(*pair) * size**0.5 >= _SEEN for pair, size in zip((edges, shapes), sizes, strict=True)
    ]
    return found[0], found[1]


def lies_on(reference: np.ndarray, laid: np.ndarray, noise: NoiseModel, reach: int) -> bool:
    """Whether a frame that was laid onto the reference, both [H, W], shows it there, but for a shift within reach: as
    find_shift asks, and with edges that both show, since there are many ways to lay a frame."""
    if find_shift(reference, laid, noise, reach) is None:
        return False
    a, b = (smoothed(x, noise) for x in (reference, laid))
    return edges_in_common(a, b) >= _LAID


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    a, b = a - a.mean(dtype=np.float64), b - b.mean(dtype=np.float64)
    energy = float((a * a).sum() * (b * b).sum()) ** 0.5
    return float((a * b).sum()) / energy if energy > 0 else 0.0


def _is_flat(image: np.ndarray) -> bool:
    """Whether means of blocks hardly differ, against neighboring pixels."""
    blocks = box_reduce(image, max(1, min(2 * _LARGE, min(image.shape) // _FEWEST)))
    pixels = np.diff(image, axis=1).std(dtype=np.float64) / 2**0.5
    return bool(blocks.std(dtype=np.float64) <= _FLAT * pixels)


def overlap(a: np.ndarray, b: np.ndarray, dy: int, dx: int) -> tuple[np.ndarray, np.ndarray]:
    """The part of a [H, W] that lies in b when a(y, x) is b(y + dy, x + dx), and that part of b."""
    H, W = a.shape
    top, left = max(-dy, 0), max(-dx, 0)
    bottom, right = H - max(dy, 0), W - max(dx, 0)
    return a[top:bottom, left:right], b[top + dy : bottom + dy, left + dx : right + dx]


def nearest_shift(a: np.ndarray, b: np.ndarray, reach: int | None = None) -> tuple[int, int]:
    """The whole-pixel shift within reach at which two pictures differ least."""
    most = [n // 2 if reach is None else min(reach, n // 2) for n in a.shape]
    dy, dx = (np.arange(-m, m + 1) for m in most)
    difference, pixels = _differences(a, b, dy, dx)
    # The least of M differences that are nothing but noise lies sqrt(2 ln M) standard deviations below their mean.
    spread = _NOISE * np.sqrt(2 * _CORRELATED / pixels)
    chance = spread * np.sqrt(2 * np.log1p(np.pi * (dy[:, None] ** 2 + dx**2)))
    difference += chance
    y, x = _least_of_alike(difference, dy, dx)
    return int(dy[y]), int(dx[x])


def _least_of_alike(costs: np.ndarray, dy: np.ndarray, dx: np.ndarray) -> tuple[int, int]:
    """Where costs of shifts dy x dx are least; of a pattern that repeats, which costs nearly as little far from there,
    where the shift is the smallest, if that is a minimum, too."""
    y, x = (int(i) for i in np.unravel_index(np.argmin(costs), costs.shape))
    least = costs[y, x]
    usual = float(np.median(costs[::_SOME, ::_SOME]))
    rows, columns = np.nonzero(costs <= least + _NEARLY * (usual - least))
    if max(np.abs(rows - y).max(), np.abs(columns - x).max()) < _APART:
        return y, x
    first = np.argmin(dy[rows] ** 2 + dx[columns] ** 2)
    top, left = (max(int(i[first]) - _BASIN, 0) for i in (rows, columns))
    around = costs[top : top + 2 * _BASIN + 1, left : left + 2 * _BASIN + 1]
    i, j = (int(k) for k in np.unravel_index(np.argmin(around), around.shape))
    inside = 0 < i < around.shape[0] - 1 and 0 < j < around.shape[1] - 1
    return (top + i, left + j) if inside else (y, x)


def _differences(
    a: np.ndarray, b: np.ndarray, dy: np.ndarray, dx: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """D at all shifts dy x dx, [len(dy), len(dx)], and how many pixels each is the mean of.

    Exact, after Padfield (2012): sums of products by the Fourier transform, long enough that nothing wraps around;
    sums over rectangles from cumulative sums.
    """
    a, b = (x - x.mean(dtype=np.float64).astype(np.float32) for x in (a, b))
    size = [fft.next_fast_len(n + int(d[-1]), real=True) for n, d in zip(a.shape, (dy, dx), strict=True)]
    spectrum = np.conj(fft.rfft2(a, size)) * fft.rfft2(b, size)
    products = fft.irfft2(spectrum, size)[np.ix_(dy, dx)].astype(np.float64)

    def sums(x: np.ndarray, dy: np.ndarray, dx: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Of x, and of its squares, over the rows and columns that are left of it when it is shifted by -dy, -dx."""
        H, W = x.shape
        corners = np.empty((2, H + 1, W + 1))
        _sums_from_corner(x, corners)
        top, bottom = np.maximum(-dy, 0), H - np.maximum(dy, 0)
        left, right = np.maximum(-dx, 0), W - np.maximum(dx, 0)
        rows = [corner[bottom] - corner[top] for corner in corners]
        first, second = (part[:, right] - part[:, left] for part in rows)
        return first, second

    pixels = np.outer(a.shape[0] - np.abs(dy), a.shape[1] - np.abs(dx))
    (of_b, squares_of_b), (of_a, squares_of_a) = sums(b, -dy, -dx), sums(a, dy, dx)
    mean = (of_b - of_a) / pixels
    squares = (squares_of_b + squares_of_a - 2 * products) / pixels
    return (squares - mean**2) / 2, pixels


@compiled
def _sums_from_corner(x, out):  # type: ignore[no-untyped-def]
    """Sums of x [H, W] and of its squares over all rows above and columns to the left, [2, H + 1, W + 1] (float64)."""
    H, W = x.shape
    out[:, 0, :] = 0
    for i in range(H):
        out[:, i + 1, 0] = 0
        row, squares = 0.0, 0.0
        for j in range(W):
            row += x[i, j]
            squares += x[i, j] * x[i, j]
            out[0, i + 1, j + 1] = out[0, i, j + 1] + row
            out[1, i + 1, j + 1] = out[1, i, j + 1] + squares


def _around(a: np.ndarray, b: np.ndarray, dy: int, dx: int) -> tuple[np.ndarray, np.ndarray]:
    """How two pictures differ at the shift (dy, dx) and at its eight neighbors, twice [3, 3].

    The mean over blocks of their D, which counts in proportion up to what noise may make of it and beyond that by its
    logarithm; and with the weights that this gives the blocks in the middle, the mean of D itself, for a parabola.
    Of pictures too small for neighbors, 0.
    """
    H, W = a.shape
    top, left = max(1 - dy, 0), max(1 - dx, 0)
    bottom, right = H - max(dy + 1, 0), W - max(dx + 1, 0)
    if min(bottom - top, right - left) < 4:
        return np.zeros((3, 3)), np.zeros((3, 3))
    here = a[top:bottom, left:right]
    rows = []
    for y, x in itertools.product((dy - 1, dy, dy + 1), (dx - 1, dx, dx + 1)):
        d = b[top + y : bottom + y, left + x : right + x] - here
        d -= d.mean(dtype=np.float64).astype(np.float32)
        rows.append(box_reduce(d * d / 2, min(_BLOCK, *d.shape)).ravel())
    blocks = np.stack(rows).astype(np.float64)  # [9, blocks]
    excess = np.maximum(blocks / (_UNUSUAL * _NOISE), 1)
    costs = np.minimum(blocks, _UNUSUAL * _NOISE) + _UNUSUAL * _NOISE * np.log(excess)
    trust = 1 / excess[4]
    return costs.mean(axis=1).reshape(3, 3), (blocks @ trust / trust.sum()).reshape(3, 3)


def _below_a_pixel(around: np.ndarray, pixels: int) -> np.ndarray:
    """Where a parabola through D and its neighbors [3, 3] is least, (dy, dx) from the middle; or (0, 0) if unsure."""
    y, x = np.mgrid[-1:2, -1:2].reshape(2, 9)
    terms = np.stack([np.ones(9), y, x, y * y, x * x, x * y], axis=1)
    _, *slope, yy, xx, xy = np.linalg.lstsq(terms, around.ravel(), rcond=None)[0]
    curvature = np.array([[2 * yy, xy], [xy, 2 * xx]])
    if np.linalg.eigvalsh(curvature)[0] <= 0:
        return np.zeros(2)
    rest = -np.linalg.solve(curvature, slope)
    gain = rest @ curvature @ rest / 2  # D falls by that
    return rest if gain * pixels > _SURE * _CHANCE and np.abs(rest).max() < 1 else np.zeros(2)


def edges_in_common(a: np.ndarray, b: np.ndarray) -> float:
    """The correlation of the edges of two pictures [h, w], in standard errors."""
    return _correlation(*_edges_of(a, b)) * float(a.size / _CORRELATED) ** 0.5


def _one_scene(a: np.ndarray, b: np.ndarray, pixels: int) -> bool:
    """Whether the edges of two pictures [h, w] agree, once they are aligned. Where that is a small part of `pixels`,
    there is more to choose from, and what agrees may be without edges: then they must agree better, and have some."""
    scene, difference = _energies(*_edges_of(a, b))
    chance = 3 * _NOISE * np.sqrt(2 * _CORRELATED / a.size)
    if a.size >= _LARGE_PART * pixels:
        return bool(difference <= _ALIKE * scene + chance)
    return bool(difference <= _VERY_ALIKE * scene + chance and edges_in_common(a, b) >= _TOLD)


def _edges_of(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Two pictures less what is coarse."""
    a, b = (x - gaussian_filter(x, _COARSE, mode="mirror") for x in (a, b))
    return a, b


def _energies(a: np.ndarray, b: np.ndarray) -> tuple[float, float]:
    """Of two pictures of edges, the variance of what they show, and half that of their difference; without noise's."""
    return float((a.var() + b.var()) / 2 - _NOISE), float((b - a).var() / 2 - _NOISE)


def _evened(x: np.ndarray) -> np.ndarray:
    """The edges of a picture, strong ones cut off, so that none counts much more than others."""
    most = np.float32(_EDGE * _NOISE**0.5)
    return np.clip(x - gaussian_filter(x, _COARSE, mode="mirror"), -most, most)


def _most_agrees(a: np.ndarray, b: np.ndarray, blocks: int) -> bool:
    """Whether the edges of two pictures [h, w] agree in most blocks that have any: in an eighth of `blocks` or more."""
    a, b = (x - gaussian_filter(x, _COARSE, mode="mirror") for x in (a, b))
    block = min(_BLOCK, *a.shape)
    scene = box_reduce((a * a + b * b) / 2, block) - _NOISE
    difference = box_reduce((b - a) ** 2 / 2, block) - _NOISE
    seen = scene > _TELLING * _NOISE
    alike = int((seen & (difference <= _ALIKE * scene)).sum())
    return alike >= max(_MOST * int(seen.sum()), _PART * blocks, _BLOCKS)
