"""Oracle: the variances that frames were made with, frame by frame."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, median_filter

from kpnviz.burst import BurstRecipe, synthesize, with_motion
from kpnviz.capture.frame_noise import light_of, of_differences, variances_alone
from kpnviz.capture.frame_stack import FrameStack
from kpnviz.capture.prepare import prepare
from kpnviz.noise import GAINS, NoiseModel

NOISE = GAINS[2]


def scenes(photo="city", frames=6, motion="sub-pixel"):
    recipe = with_motion(BurstRecipe(photo, noise=NoiseModel(0, 0), frames=frames, seed=3), motion)
    return synthesize(recipe).frames


def estimate(frames, reference=0):
    names = tuple(f"{i}.tif" for i in range(len(frames)))
    stack = FrameStack(np.asarray(frames, np.float32)[:, None], tuple(range(len(frames))), names)
    return prepare(stack, reference=reference).estimate_noise()


def noisy(clean, noises):
    rng = np.random.default_rng(5)
    return np.stack([noise.add_to(frame, rng) for frame, noise in zip(clean, noises, strict=True)])


def assert_found(fit, true, clean, tolerance):
    levels = np.quantile(clean[0], [0.1, 0.5, 0.9])
    np.testing.assert_allclose(fit.noise.std_map(levels), true.std_map(levels), rtol=tolerance)


def test_variances_of_frames_follow_from_those_of_differences():
    """By 10^5 random numbers of each frame, of which the weighted mean is taken."""
    rng = np.random.default_rng(0)
    true, weights = np.array([1, 1, 0.2, 4, 9.0]), np.array([0.1, 0.3, 0.2, 0.2, 0.2])
    frames = rng.standard_normal((5, 100_000)) * true[:, None] ** 0.5
    differences = frames - weights @ frames
    np.testing.assert_allclose(of_differences(differences.var(axis=1), weights), true, rtol=0.03, atol=0.03)


def test_the_variance_within_a_frame_is_that_of_noise_and_nothing_of_a_slope():
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:8, :8]
    windows = 2 * rng.standard_normal((500, 3, 8, 8)) + 5.0 * y - 3 * x
    np.testing.assert_allclose(variances_alone(windows).mean(axis=0), 4, rtol=0.06)


@pytest.mark.parametrize("light", [0.1, 0.5, 3])
@pytest.mark.parametrize("read_share", [0, 0.3, 1])
def test_light_is_what_makes_this_ratio_of_read_and_shot_noise(light, read_share):
    ratio = read_share / light**2 + (1 - read_share) / light
    assert light_of(ratio, read_share) == pytest.approx(light)


def test_frames_amplified_after_their_noise_have_the_noise_of_the_others():
    clean = scenes()
    amplified = noisy(clean, [NOISE] * 6) * 2.0 ** np.array([0, 1, -1, 1, -1, 0])[:, None, None]
    fit = estimate(amplified)
    assert set(fit.unlike) == {1, 2, 3, 4}
    assert list(fit.unlike.values()) == pytest.approx([1] * 4, abs=0.2)
    assert_found(fit, NOISE, clean, 0.06)


def test_frames_exposed_by_their_gain_are_as_their_brightness_says():
    clean = scenes()
    fit = estimate(noisy(clean * 2.0 ** np.array([0, 1, -1, 1, -1, 0])[:, None, None], [NOISE] * 6))
    assert not fit.unlike and fit.caution == ""
    assert_found(fit, NOISE, clean, 0.06)


@pytest.mark.parametrize("gains, unlike", [((2, 2, 2, 4, 8, 8), {3, 4, 5}), ((8, 8, 8, 4, 4, 4), {3, 4, 5})])
def test_what_is_found_is_the_noise_of_the_reference_beside_frames_of_another_sensitivity(gains, unlike):
    clean = scenes()
    fit = estimate(noisy(clean, [GAINS[gain] for gain in gains]))
    assert set(fit.unlike) == unlike
    assert_found(fit, GAINS[gains[0]], clean, 0.2)
    assert "3.tif, 4.tif, 5.tif have" in fit.caution and "times the noise of the reference" in fit.caution


@pytest.mark.parametrize("smooth", [lambda x: median_filter(x, 5), lambda x: gaussian_filter(x, 1.5)])
@pytest.mark.parametrize("frame", [2, 0])
def test_a_smoothed_frame_is_named_and_left_out_even_if_it_is_the_reference(smooth, frame):
    clean = scenes(motion="whole-pixel")
    frames = noisy(clean, [NOISE] * 6)
    frames[frame] = smooth(frames[frame])
    fit = estimate(frames)
    assert fit.unlike == {frame: 0}
    assert fit.caution.startswith(f"{frame}.tif has hardly any noise beside the others, as after a filter")
    assert_found(fit, NOISE, clean, 0.06)


@pytest.mark.parametrize("photo", ["sand", "grass", "flowers"])
@pytest.mark.parametrize("gain", [1, 8])
def test_frames_that_are_less_sharp_have_no_less_noise(photo, gain):
    clean = scenes(photo)
    clean[1::2] = [gaussian_filter(frame, 1.5, mode="mirror") for frame in clean[1::2]]
    assert not estimate(noisy(clean, [GAINS[gain]] * 6)).unlike


def test_two_frames_tell_nothing_of_each():
    clean = scenes(frames=2)
    assert not estimate(noisy(clean, [GAINS[2], GAINS[8]])).unlike


def test_where_but_one_frame_was_not_smoothed_all_are_kept():
    frames = noisy(scenes(frames=3, motion="whole-pixel"), [NOISE] * 3)
    frames[1:] = [gaussian_filter(frame, 2) for frame in frames[1:]]
    assert estimate(frames).frames == 3
