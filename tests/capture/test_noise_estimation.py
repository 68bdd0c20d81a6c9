"""Oracle: the noise that synthetic bursts were made with, and exact variances written here."""

import numpy as np
import pytest

from kpnviz.burst import BurstRecipe, MovingObject, synthesize
from kpnviz.capture.frame_stack import FrameStack
from kpnviz.capture.noise_estimation import estimate_noise, noise_of_one_frame
from kpnviz.capture.prepare import prepare
from kpnviz.noise import GAINS, NoiseModel
from kpnviz.photos import read_scene


def own(burst):
    return prepare(FrameStack(burst.frames[:, None], tuple(range(8)), tuple("abcdefgh")))


def assert_close(found, true, tolerance):
    assert found.read_std == pytest.approx(true.read_std, rel=tolerance)
    assert found.shot_gain == pytest.approx(true.shot_gain, rel=tolerance)


@pytest.mark.parametrize("gain", [2, 4, 8])
@pytest.mark.parametrize(
    "photo, seed", [("dog", 0), ("city", 1), ("flowers", 2), ("haze", 3), ("night", 4), ("mc2", 5)]
)
def test_the_noise_of_a_shaken_burst_is_found_from_it_alone(gain, photo, seed):
    burst = synthesize(BurstRecipe(photo, noise=GAINS[gain], seed=seed))
    fit = own(burst).estimate_noise()
    assert_close(fit.noise, GAINS[gain], 0.035)
    # The patches scatter about the line as chi^2 with 7 * 64 degrees of freedom does: by 6.7 %.
    ratio = fit.variances[fit.used] / fit.line(fit.means[fit.used])
    assert np.median(ratio) == pytest.approx(1, abs=0.01)
    assert ratio.std() == pytest.approx((2 / (7 * 64)) ** 0.5, rel=0.2)


def test_a_moving_object_is_an_outlier():
    moving = MovingObject("dog", center=(150, 90), diameter=80, velocity=(0, 4))
    burst = synthesize(BurstRecipe("city", noise=GAINS[4], moving=moving))
    assert_close(own(burst).estimate_noise().noise, GAINS[4], 0.03)


def test_the_line_through_exact_patches():
    # Two frames y + e and y - e: the sample variance at a pixel is 2 e^2, with no randomness in it.
    true = NoiseModel(0.02, 0.004)
    y = np.repeat(np.linspace(0.01, 0.9, 40), 8)[None].repeat(16, axis=0)
    e = np.sqrt((true.read_std**2 + true.shot_gain * y) / 2)
    fit = estimate_noise([np.stack((y + e, y - e))])
    assert_close(fit.noise, true, 0.02)  # exact variances have no skew to correct: 0.6 / 64
    assert fit.frames == 2


def test_clipped_patches_are_left_out():
    true = NoiseModel(0.03, 0.002)
    rng = np.random.default_rng(0)
    scene = np.repeat(np.repeat(rng.uniform(0, 1.1, (24, 24)), 8, 0), 8, 1)
    frames = np.clip(np.stack([true.add_to(scene, rng) for _ in range(8)]), 0, 1)
    fit = estimate_noise([frames], clipped=(0.0, 1.0))
    assert_close(fit.noise, true, 0.01)
    assert not fit.used[fit.means > 0.99].any()


def test_patches_of_which_a_twentieth_is_clipped_are_left_out():
    """Where the noise crosses white now and then, variance is lost that no line through the means can give back."""
    noise, rng = NoiseModel(0.03, 0.0), np.random.default_rng(0)
    # 1.645 standard deviations below white a twentieth of the values is clipped, 3 below it a thousandth.
    levels = np.repeat([1 - 1.645 * 0.03, 1 - 3 * 0.03], 64)
    scene = np.repeat(levels[None], 64, axis=0)
    frames = np.minimum(np.stack([noise.add_to(scene, rng) for _ in range(8)]), 1)
    fit = estimate_noise([frames], clipped=(0.0, 1.0))
    assert set(np.round(fit.means[fit.used], 2)) == {0.91}


def test_few_degrees_of_freedom_do_not_bias_the_variance():
    """Logarithms of variances are skewed: with two frames and patches of 64 pixels, their center is 1 % too low."""
    noise, rng = NoiseModel(0.02, 0.0), np.random.default_rng(0)
    flat = np.full((1024, 1024), 0.5)
    fit = estimate_noise([np.stack([noise.add_to(flat, rng) for _ in range(2)])])
    # The standard error of 9,830 patches with 64 degrees of freedom is 0.18 %.
    assert fit.line(np.array([0.5]))[0] == pytest.approx(0.02**2, rel=0.004)


@pytest.mark.parametrize("gain, most", [(1, 1.1), (8, 1.02)])
@pytest.mark.parametrize("photo", ["dog", "haze", "night", "mc2"])
def test_one_frame_shows_its_noise_and_a_little_texture(photo, gain, most):
    scene = read_scene(photo)
    frame = GAINS[gain].add_to(scene, np.random.default_rng(0))
    found = noise_of_one_frame([frame[:, :144], frame[:, 144:]])
    ratio = np.median(found.std_map(scene) / GAINS[gain].std_map(scene))
    assert 0.98 < ratio < most


def test_one_frame_of_a_slope_shows_only_its_noise():
    y, x = np.mgrid[:128, :96]
    frame = 0.1 + 0.004 * y + 0.003 * x + 0.01 * np.random.default_rng(0).standard_normal(y.shape)
    assert noise_of_one_frame([frame]).std_map(np.array([[0.4]])) == pytest.approx(0.01, rel=0.03)


def test_what_cannot_be_estimated_is_said():
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="there is 1 frame"):
        estimate_noise([rng.random((1, 64, 64))])
    with pytest.raises(ValueError, match="smaller than a patch"):
        estimate_noise([rng.random((2, 4, 64))])
    with pytest.raises(ValueError, match="copies of one picture"):
        estimate_noise([np.repeat(rng.random((1, 64, 64)), 3, axis=0)])
    with pytest.raises(ValueError, match="estimate needs 24"):
        estimate_noise([rng.random((2, 16, 16))])
