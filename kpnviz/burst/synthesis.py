"""A recipe becomes a burst."""

from __future__ import annotations

from typing import Any

import numpy as np

from kpnviz.burst.burst import Burst
from kpnviz.burst.recipe import BurstRecipe, MovingObject, Stream
from kpnviz.camera_motion import CameraPath
from kpnviz.photos import read_scene
from kpnviz.sampling import box_reduce, reflect_index


def synthesize(recipe: BurstRecipe) -> Burst:
    r"""Make the burst of a recipe.

    Frame i is the scene seen through a window that the camera's shake has moved, with independent noise (eq. 7 of the
    MKPN paper):

    .. math:: x_i(y, x) \sim \mathcal{N}(s,\ \sigma_r^2 + \sigma_s s), \qquad s = \mathrm{scene}(y - dy_i,\ x - dx_i)

    Beyond the photo's edge the scene goes on by reflection. With a `camera` frames are interpolated (cubic splines)
    from the photo before its reduction.
    """
    scene = read_scene(recipe.photo, recipe.reduction, recipe.color)  # [h, w] or [h, w, 3]
    crop = recipe.crop or (0, 0, *scene.shape[:2])
    top, left, H, W = crop
    if top < 0 or left < 0 or top + H > scene.shape[0] or left + W > scene.shape[1]:
        raise ValueError(
            f"crop {crop} does not fit the photo {recipe.photo!r}, {scene.shape[0]}x{scene.shape[1]}"
        )
    if recipe.shifts is not None:
        shifts = np.asarray(recipe.shifts)
    else:
        rng = np.random.default_rng([Stream.SHAKE, recipe.seed])
        shifts = recipe.misalignment.sample(recipe.frames, rng)
    if recipe.camera is not None:
        path = CameraPath(recipe.camera, shifts, (H, W), np.random.default_rng([Stream.CAMERA, recipe.seed]))
        clean = _taken(recipe, path, scene[top : top + H, left : left + W], (top, left))
        motion = None
        if recipe.frames * H * W <= _MOST_MOTION:
            motion = np.stack([path.where(i) for i in range(recipe.frames)])
        return _noisy(recipe, clean, motion=motion)
    # Whole pixels: the reduced photo is shifted. Parts of a pixel: the photo is, by whole pixels of its own, and each
    # frame is reduced by itself, as a sensor would do it.
    whole = np.array_equal(shifts, np.rint(shifts))
    shifts = shifts.astype(np.int64) if whole else shifts.astype(np.float64)
    scale = 1 if whole else recipe.reduction
    if not np.array_equal(shifts * scale, np.rint(shifts * scale)):
        raise ValueError(
            f"shifts are not multiples of 1/{recipe.reduction} px: whole pixels of the photo, before its reduction"
        )
    steps = np.arange(recipe.frames)[:, None] * np.array([o.velocity for o in recipe.objects]).reshape(
        -1, 1, 2
    )
    grid = 1 if whole else 2
    moving_shifts = (shifts + np.rint(steps * grid) / grid).astype(shifts.dtype)  # [M, N, 2]

    if not whole:
        scene = read_scene(recipe.photo, 1, recipe.color)
    textures = [read_scene(o.photo, recipe.reduction if whole else 1, recipe.color) for o in recipe.objects]
    clean = np.empty((recipe.frames, H, W, *scene.shape[2:]), dtype=np.float32)
    mask = np.empty((len(textures), H, W), dtype=np.float32)
    for i in range(recipe.frames):
        start = np.rint((np.array([top, left]) - shifts[i]) * scale).astype(np.int64)
        frame = _window(scene, start, (H * scale, W * scale))
        for m, (moving, texture) in enumerate(zip(recipe.objects, textures, strict=True)):
            coverage = _paste(frame, moving, texture, moving_shifts[m, i], scale)
            if i == 0:
                mask[:m] *= 1 - box_reduce(coverage, scale)  # it hides those behind it
                mask[m] = box_reduce(coverage, scale)
        clean[i] = box_reduce(frame, scale)

    return _noisy(
        recipe,
        clean,
        shifts=shifts,
        moving_mask=mask if textures else None,
        moving_shifts=moving_shifts if textures else None,
    )


_MOST_MOTION = 20_000_000  # pixels of all frames of which the motion is kept: 160 MB


def _taken(recipe: BurstRecipe, path: CameraPath, first: np.ndarray, corner: tuple[int, int]) -> np.ndarray:
    """Clean frames of a camera that moves, [N, H, W] or [N, H, W, 3]; `first` is frame 0."""
    from scipy import ndimage  # here: the lens does without SciPy

    photo = read_scene(recipe.photo, 1, recipe.color)
    planes = [
        ndimage.spline_filter(plane, 3, mode="mirror") for plane in np.atleast_3d(photo).transpose(2, 0, 1)
    ]
    clean = [first]
    for i in range(1, recipe.frames):
        frame = np.stack([path.frame(i, plane, corner, recipe.reduction) for plane in planes], axis=-1)
        clean.append(frame.reshape(first.shape))
    return np.stack(clean)


def _noisy(recipe: BurstRecipe, clean: np.ndarray, **known: Any) -> Burst:
    """The burst of clean frames [N, H, W] or [N, H, W, 3], with white at 1, and of what else is known of it."""
    clean = clean * np.float32(recipe.white_level)
    if recipe.color:
        clean = np.ascontiguousarray(np.moveaxis(clean, -1, 1))  # [N, 3, H, W]
        planes = [
            recipe.noise.add_to(clean[:, c], np.random.default_rng([Stream.COLOR_GRAIN, c, recipe.seed]))
            for c in range(3)
        ]
        frames = np.stack(planes, axis=1)
    else:
        frames = recipe.noise.add_to(clean, np.random.default_rng([Stream.GRAIN, recipe.seed]))
    return Burst(
        frames=frames,
        noise=recipe.noise,
        white_level=recipe.white_level,
        truth=clean[0].copy(),
        recipe=recipe,
        **known,
    )


def _window(scene: np.ndarray, start: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The part [H, W] of a scene (in color [H, W, 3]) that begins at `start` (y, x); beyond the edge it goes on by
    reflection."""
    rows, columns = (
        reflect_index(length, int(first), int(first) + side)
        for length, first, side in zip(scene.shape[:2], start, size, strict=True)
    )
    return np.asarray(scene[np.ix_(rows, columns)])


def _paste(
    frame: np.ndarray, moving: MovingObject, texture: np.ndarray, shift: np.ndarray, scale: int
) -> np.ndarray:
    """Draw an object, moved by `shift`, into a frame `scale` times as fine, in place; returns its coverage."""
    middle = np.rint((np.rint(moving.center) + shift) * scale).astype(np.int64)
    y, x = np.mgrid[: frame.shape[0], : frame.shape[1]].astype(np.float64)
    # Pixel centers of the finer grid lie half a fine pixel beside those of the coarse one.
    fine = (scale - 1) / 2
    coverage = moving.coverage((y - middle[0] - fine) / scale, (x - middle[1] - fine) / scale)
    # The cut-out is the middle of the second photo, and travels with the object.
    cut = _window(texture, np.array(texture.shape[:2]) // 2 - middle, frame.shape[:2])
    share = coverage.reshape(*coverage.shape, *[1] * (frame.ndim - 2))  # the same in every channel
    frame[:] = share * cut + (1 - share) * frame
    return coverage
