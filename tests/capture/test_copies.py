"""Oracle: frames of which one knows which are copies, as they were made here."""

import io

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter

from kpnviz.capture.copies import originals, without_copies
from kpnviz.capture.prepare import prepare
from kpnviz.capture.reader import read_frames
from kpnviz.noise import NoiseModel
from kpnviz.photos import read_scene

from .picture_makers import npy

NOISE = NoiseModel.for_gain(4)


@pytest.fixture(scope="module")
def frames():
    """Two frames of a still camera, two more of one that moved."""
    scene, rng = read_scene("city"), np.random.default_rng(0)
    places = ((100, 100), (100, 100), (102, 97), (98, 103))
    return np.stack([NOISE.add_to(scene[y : y + 128, x : x + 160], rng) for y, x in places]).astype(
        np.float32
    )


def read(*frames):
    return read_frames([(f"{name}.npy", npy(frame)) for name, frame in zip("abcdefgh", frames, strict=False)])


def once(*frames):
    return without_copies(read(*frames))[0]


def test_copies_count_once_and_are_said(frames):
    f0, f1, f2, f3 = frames
    stack = once(f0, f1, f0, f2, f0, f3, f1)
    assert stack.names == ("a.npy", "b.npy", "d.npy", "f.npy") and len(prepare(stack).shifts) == 4
    for sentence in (
        "c.npy, e.npy are the same as a.npy, and are left out.",
        "g.npy is the same as b.npy, and is left out.",
    ):
        assert sentence in stack.notes
    noise = prepare(stack).estimate_noise().noise
    assert without_copies(read(f0, f1, f0, f2), 2)[1] == 0 and without_copies(read(f0, f0, f2), 2)[1] == 1
    variance, true = (n.read_std**2 + 0.2 * n.shot_gain for n in (noise, NOISE))
    assert variance == pytest.approx(true, rel=0.2)


def test_a_burst_of_one_frame_again_and_again_is_that_frame(frames):
    stack = once(*frames[[0, 0, 0]])
    assert (
        stack.names == ("a.npy",)
        and "All 3 frames are the same as a.npy, which is used alone." in stack.notes
    )


@pytest.mark.parametrize("quality", [95, 90])
def test_a_copy_may_have_been_compressed_again(frames, quality):
    codes = np.rint(255 * frames.clip(0, 1) ** (1 / 2.2)).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(codes[1]).save(file, "JPEG", quality=quality)
    again = np.asarray(Image.open(file))
    assert originals(np.stack([*codes, again])[:, None], range(5)) == [0, 1, 2, 3, 1]


def test_a_still_camera_and_flat_frames_make_no_copies(frames):
    assert originals(frames[:2, None], range(2)) == [0, 1]
    # Much texture and hardly any noise: two frames differ by a hundredth of what the flattest patches have.
    rng = np.random.default_rng(0)
    texture = rng.random((96, 96)) + 0.02 * rng.standard_normal((4, 96, 96))
    assert originals(texture[:, None].astype(np.float32), range(4)) == [0, 1, 2, 3]
    assert originals(np.full((3, 1, 40, 40), 0.5, np.float32), range(3)) == [0, 1, 2]


def test_still_frames_of_a_mosaic_are_no_copies(frames):
    """The colors of its pixels differ by more than the noise, at the same places in every frame; one frame is moved."""
    colors = np.ones(frames.shape[1:])
    colors[::2, ::2], colors[1::2, 1::2] = 0.4, 0.3
    scene = 0.3 + gaussian_filter(frames[0], 2)
    mosaics = scene + np.random.default_rng(0).normal(0, 0.005, (5, *scene.shape))
    mosaics[0] = np.roll(mosaics[0], (6, 4), axis=(0, 1))
    assert originals((mosaics * colors)[:, None].astype(np.float32), range(5)) == [0, 1, 2, 3, 4]
