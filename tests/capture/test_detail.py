"""Whether a picture is said to be worse than the frame that it was made of."""

import numpy as np
from scipy.ndimage import gaussian_filter

from kpnviz.capture.detail import lost_detail
from kpnviz.capture.reader import read_frames
from kpnviz.noise import NoiseModel

from .picture_makers import npy

RNG = np.random.default_rng(0)
SCENE = (0.2 + gaussian_filter(RNG.random((96, 128)), 2)).astype(np.float32)
NOISE = NoiseModel(0.01, 0.001)
NOISY = SCENE + np.sqrt(0.01**2 + 0.001 * SCENE) * RNG.standard_normal((2, *SCENE.shape)).astype(np.float32)


def said(picture, frames=NOISY, noise=NOISE):
    stack = read_frames([("burst.npy", npy(frames.astype(np.float32)))]).meant("linear", 0, 1)
    return lost_detail(picture[None], stack, 0, [0], [noise])


def test_a_picture_is_worse_than_its_frame_where_they_differ_by_more_than_the_frames_noise():
    """An error of 3 standard deviations beside the noise of 1 is a difference of sqrt(10), less its tail."""
    std = np.sqrt(0.01**2 + 0.001 * SCENE)
    assert "by 3.1 times" in said(SCENE + 3 * std * RNG.standard_normal(SCENE.shape))
    assert "nearer to the scene" in said(gaussian_filter(SCENE, 6))
    for picture in (
        SCENE,
        NOISY[0],
        NOISY.mean(axis=0),
        SCENE + 0.8 * std * RNG.standard_normal(SCENE.shape),
    ):
        assert not said(picture)


def test_hot_pixels_that_are_taken_away_are_no_detail():
    frames = NOISY.copy()
    frames[:, ::31, ::31] = 1
    assert not said(SCENE, frames)


def test_without_noise_there_is_nothing_to_compare_with():
    assert not said(gaussian_filter(SCENE, 6), noise=NoiseModel(0, 0))
