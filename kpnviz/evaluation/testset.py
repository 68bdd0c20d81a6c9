"""The test set of `kpnviz evaluate`: the recipes of its bursts, and how its photos were made."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from kpnviz.burst import ALL_MOTIONS, Burst, BurstRecipe, Misalignment, Stream, synthesize, with_motion
from kpnviz.capture.frame_stack import GRAY, FrameStack
from kpnviz.capture.motion_field import CELL
from kpnviz.capture.prepare import prepare
from kpnviz.color import displayed
from kpnviz.noise import GAINS, NoiseModel
from kpnviz.paths import PACKAGE
from kpnviz.photos import read_scene

TEST_PHOTOS = PACKAGE / "testset"
PHOTOS, CROPS = 24, 3
BURSTS = PHOTOS * CROPS
FRAMES = 8
TEST_GAINS = (*GAINS, 16)
"""Gains of the test set: the paper's, and twice its noisiest (NoiseModel.beyond_training: which exceed training)."""

TEST_SET = (
    f"{BURSTS} bursts for each gain and kind of motion: {FRAMES} frames of 128x128, {CROPS} bursts of each of the "
    f"{PHOTOS} Kodak photos (luminance, box-reduced by 2 in linear light), white level 1, misalignment of the MKPN "
    "paper: by whole pixels; by half pixels; by half pixels, with 1 to 3 objects that move by themselves; handheld: by "
    "half pixels, with a turning camera, rolling shutter and parallax, aligned by a field"
)

_FULL = "full"  # the folder of the photos before their reduction
_SIDE, _MARGIN = 128, 16


def burst_recipes(
    gain: float, limit: int | None = None, motion: str = ALL_MOTIONS[0], frames: int = FRAMES
) -> list[BurstRecipe]:
    """The test set at a gain, with one of ALL_MOTIONS: the recipes of its 72 bursts, or of the first `limit` of them.

    Three crops of 128x128 a photo, at least 16 px from its edge, so that no shift reaches beyond it; they are the same
    for every motion. Along the longer side crop i lies at a random position of the i-th third of those possible, along
    the shorter anywhere; the generator is seeded by the photo's number. The order is crop 0 of all photos by name,
    then crop 1, then crop 2: burst k shows photo k % PHOTOS. Burst k has a seed of its own, the same at every gain,
    hence the same shake, and the same grain but for its strength; and the same frame 0 for any number of `frames`.
    Objects are cut out of other photos of the set.

    In the paper a frame goes far with probability n/N, n ~ Poisson(1.5), which is for 8 frames. Here n is
    Poisson(1.5 N/8), so that more or fewer frames are shaken alike.
    """
    if limit is not None and not 1 <= limit <= BURSTS:
        raise ValueError(f"limit is {limit}; the test set has {BURSTS} bursts a gain")
    if motion not in ALL_MOTIONS:
        raise ValueError(f"motion is {motion!r}; the test set has {', '.join(ALL_MOTIONS)}")
    noise = NoiseModel.for_gain(gain)
    misalignment = Misalignment(rate=Misalignment.rate * frames / FRAMES)
    photos = sorted(TEST_PHOTOS.glob("*.png"))
    crops = [_crops(read_scene(str(path), 1).shape, number) for number, path in enumerate(photos)]
    reduction = 1
    if motion != "whole-pixel":  # half a pixel is a pixel of the photo before its reduction
        photos, reduction = [TEST_PHOTOS / _FULL / path.name for path in photos], 2
    places = [(str(path), crop[i]) for i in range(CROPS) for path, crop in zip(photos, crops, strict=True)]
    first_seed = 100 * ALL_MOTIONS.index(motion)
    recipes = (
        BurstRecipe(
            path,
            (top, left, _SIDE, _SIDE),
            noise,
            frames,
            misalignment,
            reduction=reduction,
            seed=first_seed + k,
        )
        for k, (path, (top, left)) in enumerate(places[:limit])
    )
    return [with_motion(recipe, motion, [str(path) for path in photos]) for recipe in recipes]


def made(recipe: BurstRecipe) -> Burst:
    """The burst of a recipe of the test set, as methods get it.

    Where the camera turns (*handheld*) it is aligned first, by the same field for all methods, as bursts of one's own
    are (:mod:`kpnviz.capture.motion_field`); the noise is the true one, and what motion is left is known.
    """
    burst = synthesize(recipe)
    if recipe.camera is None or burst.motion is None:
        return burst
    noise = burst.gray_noise("alignment")
    names = tuple(f"frame {i}" for i in range(len(burst)))
    stack = FrameStack(
        burst.frames[:, None],
        tuple(range(len(burst))),
        names,
        noise=(noise,),
        known=True,
        white_level=burst.white_level,
    )
    own = prepare(stack, align=True)
    H, W = burst.height, burst.width
    cells = np.repeat(np.repeat(own.displacements, CELL, axis=1), CELL, axis=2)[:, :H, :W]
    frames = own.channel(GRAY, noise).window(slice(0, H), slice(0, W))
    return replace(burst, frames=frames, motion=burst.motion - cells)


def _crops(shape: tuple[int, ...], photo: int) -> list[tuple[int, int]]:
    rng = np.random.default_rng([Stream.CROPS, photo])
    rooms = [n - _SIDE - 2 * _MARGIN + 1 for n in shape]
    crops = []
    for i in range(CROPS):
        spans = [(n * i // CROPS, n * (i + 1) // CROPS) if n == max(rooms) else (0, n) for n in rooms]
        top, left = (_MARGIN + int(rng.integers(*span)) for span in spans)
        crops.append((top, left))
    return crops


def pack_photo(photo: Path, folder: Path) -> Path:
    """Write a photo as the test set keeps it: luminance, sRGB-encoded, as gray PNG; returns the first of its two files.

    FOLDER/NAME.png, 16 bit, is box-reduced by 2; FOLDER/full/NAME.png, 8 bit, is not.
    """
    path = Path(folder) / f"{Path(photo).stem}.png"
    full = path.parent / _FULL / path.name
    full.parent.mkdir(parents=True, exist_ok=True)
    for file, reduction, kind in ((path, 2, np.uint16), (full, 1, np.uint8)):
        encoded = displayed(read_scene(str(photo), reduction).astype(np.float64))
        Image.fromarray(np.rint(np.iinfo(kind).max * encoded).astype(kind)).save(file, optimize=True)
    return path
