"""Cameras that turn by degrees or zoom by percents, and shutters whose lines wobble: motion that differs within a cell.

Tiles of such a frame are turned, scaled or sheared against those of the reference, and fit badly. So the frame is laid
back by a model of what was found, and what is left is looked for once more. It is then read pixel by pixel, with
displacements interpolated between the middles of cells. Where motion hardly changes over a cell, whole blocks of one
displacement are better (motion_field.whole_blocks): each place where two displacements meet costs the kernels there a
part of what they see.
"""

from __future__ import annotations

import itertools

import numpy as np
from scipy.ndimage import affine_transform, gaussian_filter, median_filter

from kpnviz.capture.alignment import edges_in_common, nearest_shift, overlap
from kpnviz.capture.motion_field import (
    CELL,
    Pyramid,
    Tiles,
    camera_of,
    displaced,
    find_tiles,
    motion_of,
    nearest_alike,
    of_all_cells,
    reduced_levels,
    smoothed,
)
from kpnviz.noise import NoiseModel, stabilize

_TURNS = (0, -4, 4, -8, 8, -12, 12)  # degrees, and zooms, that are tried
_ZOOMS = (1, 1.05, 1 / 1.05, 1.1, 1 / 1.1, 1.16, 1 / 1.16)
_STEEP = 0.7  # px from cell to cell: a turn by 2.5 degrees, a zoom by 4.4 %
_WOBBLE = 0.5  # px from one row of cells to the next, in most rows
_TIMES = 2.5  # as many tiles
_WITHIN = 1.0  # px from a model that explains a tile
_MORE = 0.15  # of what tiles say that rows must explain beyond the camera's motion
_FEWEST = 12  # rows of tiles: in fewer, parallax looks alike
_FITS = 3  # rounds of fitting the camera's motion and that of rows in turn
_ROUNDS = 3  # of laying the frame back
_SETTLED = 0.3  # px: a round that changes less, in nine of ten cells, is the last
_BESIDE = 0.75  # px beside the model that tiles are off by when nothing else moves


def motion_from_shift(
    reference: Pyramid,
    frame: Pyramid,
    start: tuple[float, float],
    shape: tuple[int, int],
    structure: np.ndarray,
) -> tuple[np.ndarray, bool]:
    """The motion of all cells as :func:`kpnviz.capture.motion_field.find_motion` gives it, False; or, of a camera that
    turns or zooms so far, or whose lines wobble so much, that pixels need their own displacements, more exactly, True.
    """
    tiles = find_tiles(reference, frame, start, structure)
    camera = _camera_beside(start, tiles)
    for expected in (np.zeros_like(camera) + start, camera):
        if repeated := nearest_alike(reference, frame, tiles, expected, structure):
            tiles = repeated
            camera = _camera_beside(start, tiles)
    model = _bent(tiles, camera)
    if model is None:
        return motion_of(tiles, camera, shape), False
    return refined_motion(reference, frame, model, shape, structure), True


def _camera_beside(start: tuple[float, float], tiles: Tiles) -> np.ndarray:
    """The camera's motion; where no tile tells it, as in a frame that is white, the shift that it starts from."""
    return camera_of(tiles.displacements - start, tiles.precision) + start


def _bent(tiles: Tiles, camera: np.ndarray) -> np.ndarray | None:
    """The motion [h, w, 2] of a camera that turns, zooms or wobbles; None: it hardly does."""
    if min(camera.shape[:2]) < 2:
        return None
    if _is_steep(tiles, camera):
        return camera
    rows = _rows(tiles, camera)
    return None if rows is None else camera + rows


def refined_motion(
    reference: Pyramid, frame: Pyramid, model: np.ndarray, shape: tuple[int, int], structure: np.ndarray
) -> np.ndarray:
    """Displacements of all cells, measured on the frame as a first guess at the motion of tiles, [h, w, 2], lays it."""
    h, w = reference[0].shape
    y, x = (2.0 * np.arange(n) + 0.5 for n in (h, w))  # middles of the pixels of half the size
    for _ in range(_ROUNDS):
        half = at_places(model, y, x) / 2
        there = half + np.stack(np.meshgrid(np.arange(h), np.arange(w), indexing="ij"), axis=-1)
        shown = np.asarray(((there >= 0) & (there <= (h - 1, w - 1))).all(axis=-1))
        laid = reduced_levels(displaced(frame[0], half))
        rest, precision = find_tiles(reference, laid, (0, 0), structure, shown)
        # The scene at p + rest of the frame laid back is at p + rest + model(p + rest) of the frame.
        down, across = np.gradient(model, axis=(0, 1))
        tiles = Tiles(model + rest + (rest[..., :1] * down + rest[..., 1:] * across) / CELL, precision)
        before, model = model, _model_of(tiles)
        if np.quantile(np.abs(model - before).max(axis=-1), 0.9) < _SETTLED:
            break
    beside = median_filter(smoothed(tiles.displacements - model, tiles.precision), (5, 5, 1), mode="nearest")
    size = np.hypot(beside[..., 0], beside[..., 1])[..., None]
    return of_all_cells(model + beside * np.clip(size / _BESIDE - 1, 0, 1), shape)


def find_turn(reference: np.ndarray, frame: np.ndarray, noise: NoiseModel) -> tuple[np.ndarray, np.ndarray]:
    """The turn and zoom, of some, by which a small picture [h, w] is most like another: M [2, 2] and t [2] of the
    scene's place in the frame, M (p - c) + c + t, for a place p and the middle c of the reference.

    Whether they show one scene is to be asked once the frame is laid onto the reference.
    """
    a, b = (
        gaussian_filter(stabilize(x, noise).astype(np.float32), 1, mode="mirror") for x in (reference, frame)
    )
    middle = (np.array(a.shape) - 1) / 2
    best, found = -np.inf, (np.eye(2), np.zeros(2))
    for degrees, zoom in itertools.product(_TURNS, _ZOOMS):
        angle = np.deg2rad(degrees)
        matrix = zoom * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        turned = affine_transform(b, matrix, middle - matrix @ middle, order=1, mode="mirror")
        shift = np.array(nearest_shift(a, turned))
        alike = edges_in_common(*overlap(a, turned, *shift))
        if alike > best:
            best, found = alike, (matrix, matrix @ shift)
    return found


def motion_of_turn(matrix: np.ndarray, shift: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Displacements of the cells of pictures of `shape` by what :func:`find_turn` gives (with `shift` in pixels of
    these): [ceil(H/16), ceil(W/16), 2]."""
    cells = np.moveaxis(np.indices([-(-n // CELL) for n in shape]), 0, -1) * CELL + (CELL - 1) / 2
    from_middle = cells - (np.array(shape) - 1) / 2
    return from_middle @ (matrix - np.eye(2)).T + shift


def _is_steep(tiles: Tiles, camera: np.ndarray) -> bool:
    """Whether a camera turns or zooms so much that pixels need displacements of their own: with both axes alike, unlike
    what parallax and shutters do, and so that many more tiles are explained than by a shift."""
    (yy, xy), (yx, xx) = (np.diff(camera, axis=axis).mean(axis=(0, 1)) for axis in (0, 1))
    if np.hypot(yy + xx, xy - yx) / 2 < _STEEP:
        return False
    shift = np.median(tiles.displacements, axis=(0, 1))
    return _explained(tiles, camera) > _TIMES * _explained(tiles, shift)


def _explained(tiles: Tiles, model: np.ndarray) -> float:
    """The share of what tiles say that a model explains."""
    sure = _sure(tiles)
    within = np.abs(tiles.displacements - model) < _WITHIN
    return float((sure * within).sum()) / max(float(sure.sum()), 1e-12)


def _sure(tiles: Tiles) -> np.ndarray:
    """How precise the displacements of tiles are down and across, [h, w, 2]."""
    return np.stack([tiles.precision[..., k, k] for k in (0, 1)], axis=-1)


def _model_of(tiles: Tiles) -> np.ndarray:
    """The camera's motion, and that of rows where they have one."""
    camera = camera_of(*tiles)
    rows = _rows(tiles, camera)
    return camera if rows is None else camera + rows


def _rows(tiles: Tiles, camera: np.ndarray) -> np.ndarray | None:
    """What whole rows of tiles do beside the camera's motion (and what that must be corrected by), [h, w, 2], as where
    a camera shakes while its shutter rolls; None: nothing that both halves of the picture, left and right, do alike.
    """
    if len(camera) < _FEWEST:
        return None
    displacements, precision = tiles
    sure = _sure(tiles)
    wobbles, model, rows = np.ones(2, dtype=bool), camera, np.zeros_like(camera)
    for _ in range(_FITS):
        rows = _middle(displacements - model, sure) * wobbles
        wobbles &= np.median(np.abs(np.diff(rows, axis=0)), axis=0)[0] >= _WOBBLE
        if not wobbles.any():
            return None
        rows = rows * wobbles
        model = camera_of(displacements - rows, precision)

    left = (np.arange(camera.shape[1]) < camera.shape[1] / 2)[:, None]
    of_left, of_right = (_middle(displacements - model, sure * half) * wobbles for half in (left, ~left))
    others = model + np.where(left, of_right, of_left)
    more = _explained(tiles, others) - _explained(tiles, camera)
    return model + rows - camera if more > _MORE else None


def _middle(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Of values [h, w, 2] along their rows, [h, 1, 2]: their weighted median, then means in which those far from the
    last one count less (Cauchy)."""
    order = np.argsort(values, axis=1)
    total = np.take_along_axis(weights, order, axis=1).cumsum(axis=1)
    place = np.argmax(total >= total[:, -1:] / 2, axis=1)[:, None]
    middle = np.take_along_axis(np.take_along_axis(values, order, axis=1), place, axis=1)
    for _ in range(_FITS):
        near = (weights + 1e-9) / (1 + ((values - middle) / _WITHIN) ** 2)
        middle = (near * values).sum(axis=1, keepdims=True) / near.sum(axis=1, keepdims=True)
    return middle


def at_places(motion: np.ndarray, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Displacements [h, w, 2] of cells at pixels y [r] by x [c], linear between and beyond their middles: [r, c, 2]."""
    for axis, places in ((0, y), (1, x)):
        n = motion.shape[axis]
        cell = (places - (CELL - 1) / 2) / CELL
        first = np.clip(np.floor(cell).astype(np.int64), 0, max(n - 2, 0))
        share = (cell - first).astype(np.float32).reshape((-1, 1, 1) if axis == 0 else (1, -1, 1))
        before, after = (np.take(motion, np.minimum(first + k, n - 1), axis=axis) for k in (0, 1))
        motion = before + share * (after - before)
    return motion
