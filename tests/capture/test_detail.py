"""Whether a picture is said to be worse than the frame that it was made of."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from kpnviz import BurstRecipe, load, synthesize
from kpnviz.burst import Misalignment
from kpnviz.capture.detail import NEARER, lost_detail
from kpnviz.capture.frame_stack import FrameStack
from kpnviz.capture.prepare import prepare
from kpnviz.evaluation.testset import TEST_PHOTOS
from kpnviz.noise import NoiseModel

RNG = np.random.default_rng(0)
SCENE = (0.2 + gaussian_filter(RNG.random((96, 128)), 2)).astype(np.float32)
NOISE = NoiseModel(0.01, 0.001)
STD = np.sqrt(0.01**2 + 0.001 * SCENE)
GRAIN = STD * RNG.standard_normal((2, *SCENE.shape)).astype(np.float32)
NOISY = SCENE + GRAIN


def said(picture, frames=NOISY[:1], noise=NOISE, own_weight=None, levels=None):
    codes = frames.astype(np.float32) if levels is None else np.rint(frames * levels[1]).astype(np.uint16)
    names = tuple(f"frame {i}" for i in range(len(frames)))
    burst = prepare(
        FrameStack(codes[:, None], tuple(range(len(frames))), names, levels), align=False, reference=0
    )
    return lost_detail(picture[None], burst, [0], [noise], own_weight)


@pytest.mark.parametrize("own_weight", [0.0, 0.125, 0.5, 0.9])
def test_the_error_of_a_picture_with_a_part_of_the_frames_noise_is_told_without_the_scene(own_weight):
    """An error of w n and b standard deviations besides has the variance w² + b², in that of the noise."""
    for error, sentence in (
        (1.0, ""),
        (0.95, ""),
        (1.2, "about 1.2 times the noise"),
        (2, "about 2 times the noise"),
    ):
        besides = (error**2 - own_weight**2) ** 0.5 * STD * RNG.standard_normal(SCENE.shape)
        found = said(SCENE + own_weight * GRAIN[0] + besides, own_weight=own_weight)
        assert sentence in found and bool(found) == bool(sentence) == (NEARER in found)


def test_a_picture_is_worse_than_its_frame_where_they_differ_by_more_than_the_frames_noise():
    """Of a picture whose weights are not known, so of a method of one's own."""
    assert "about 3 times" in said(SCENE + 3 * STD * RNG.standard_normal(SCENE.shape))
    assert NEARER in said(gaussian_filter(SCENE, 6))
    for picture in (
        SCENE,
        NOISY[0],
        NOISY.mean(axis=0),
        SCENE + 0.8 * STD * RNG.standard_normal(SCENE.shape),
    ):
        assert not said(picture)


def test_hot_pixels_that_are_taken_away_are_no_detail():
    frames = NOISY[:1].copy()
    frames[:, ::31, ::31] = 1
    assert not said(SCENE, frames)


def test_what_is_clipped_does_not_hide_what_was_lost():
    """Nine tenths of the picture are at white, where picture and frame agree."""
    frame = np.ones((100, 100), np.float32)
    frame[:10] = NOISY[0, :10, :100]
    picture = frame.copy()
    picture[:10] += 2 * STD[:10, :100] * RNG.standard_normal((10, 100)).astype(np.float32)
    assert NEARER in said(picture, frame[None], levels=(0.0, 65535.0))


def test_without_noise_the_frame_is_the_scene():
    assert NEARER in said(gaussian_filter(SCENE, 6), noise=NoiseModel(0, 0))
    assert not said(SCENE, SCENE[None], NoiseModel(0, 0))


def test_noise_that_is_stronger_than_stated_is_no_lost_detail():
    """Of a mean of 8 frames with half their noise stated, but of a blurred one."""
    frames = SCENE + STD * RNG.standard_normal((8, *SCENE.shape)).astype(np.float32)
    mean = frames.mean(axis=0)
    assert NEARER in said(mean, frames[:1], NOISE.scaled(0.5), 1 / 8)
    assert not said(mean, frames, NOISE.scaled(0.5), 1 / 8)
    assert NEARER in said(gaussian_filter(SCENE, 6), frames, NOISE.scaled(0.5), 0.0)


@pytest.mark.parametrize(
    "noise, worse",
    [(NoiseModel(0.0002, 0.00001), True), (NoiseModel.for_gain(1), False)],
    ids=["hardly any", "gain 1"],
)
def test_it_is_said_of_a_network_where_it_is_so(noise, worse):
    """Half-pixel shake of fine detail, with hardly any noise: MKPN's picture has 52 dB, the reference 56."""
    recipe = BurstRecipe(
        str(TEST_PHOTOS / "kodim08.png"),
        (0, 0, 128, 128),
        noise,
        misalignment=Misalignment(subpixel=True),
        seed=1,
    )
    burst = synthesize(recipe)
    estimate = load("mkpn")(burst, keep_kernels=False)
    errors = [float(np.square(picture - burst.truth).mean()) for picture in (estimate.image, burst.frames[0])]
    assert (errors[0] > 1.2 * errors[1]) == worse
    assert (NEARER in said(estimate.image, burst.frames, noise, estimate.own_weight)) == worse
    assert not said(burst.truth, burst.frames, noise, 0.0)
