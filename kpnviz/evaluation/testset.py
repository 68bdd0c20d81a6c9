"""The test set of `kpnviz evaluate`: the recipes of its bursts, and how its photos were made."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from kpnviz.burst import BurstRecipe, Stream
from kpnviz.color import displayed
from kpnviz.noise import NoiseModel
from kpnviz.paths import PACKAGE
from kpnviz.photos import read_scene

TEST_PHOTOS = PACKAGE / "testset"
BURSTS = 72
BEYOND_TRAINING = 16
"""A gain that no network was trained for, and twice the paper's noisiest."""

TEST_SET = (
    f"{BURSTS} bursts a gain: 8 frames of 128x128, 3 bursts of each of the 24 Kodak photos (luminance, box-reduced "
    "by 2 in linear light), misalignment of the MKPN paper, white level 1"
)

_SIDE, _MARGIN, _CROPS = 128, 16, 3


def burst_recipes(gain: float, limit: int | None = None) -> list[BurstRecipe]:
    """The test set at a gain: the recipes of its 72 bursts, or of the first `limit` of them.

    Three crops of 128x128 a photo, at least 16 px from its edge, so that no shift reaches beyond it. Along the longer
    side crop i lies at a random position of the i-th third of those possible, along the shorter anywhere; the
    generator is seeded by the photo's number. The order is crop 0 of all photos by name, then crop 1, then crop 2.
    Burst k has the seed k at every gain, hence the same shake, and the same grain but for its strength.
    """
    if limit is not None and not 1 <= limit <= BURSTS:
        raise ValueError(f"limit is {limit}; the test set has {BURSTS} bursts a gain")
    noise = NoiseModel.for_gain(gain)
    photos = sorted(TEST_PHOTOS.glob("*.png"))
    crops = [_crops(read_scene(str(path), 1).shape, number) for number, path in enumerate(photos)]
    places = [(path, crop[i]) for i in range(_CROPS) for path, crop in zip(photos, crops, strict=True)]
    return [
        BurstRecipe(str(path), (top, left, _SIDE, _SIDE), noise, reduction=1, seed=k)
        for k, (path, (top, left)) in enumerate(places[:limit])
    ]


def _crops(shape: tuple[int, ...], photo: int) -> list[tuple[int, int]]:
    rng = np.random.default_rng([Stream.CROPS, photo])
    rooms = [n - _SIDE - 2 * _MARGIN + 1 for n in shape]
    crops = []
    for i in range(_CROPS):
        spans = [(n * i // _CROPS, n * (i + 1) // _CROPS) if n == max(rooms) else (0, n) for n in rooms]
        top, left = (_MARGIN + int(rng.integers(*span)) for span in spans)
        crops.append((top, left))
    return crops


def pack_photo(photo: Path, folder: Path) -> Path:
    """Write a photo as the test set keeps it, 16-bit gray PNG: luminance box-reduced by 2, sRGB-encoded."""
    encoded = displayed(read_scene(str(photo), 2).astype(np.float64))
    path = Path(folder) / f"{Path(photo).stem}.png"
    Image.fromarray(np.rint(65535 * encoded).astype(np.uint16)).save(path, optimize=True)
    return path
