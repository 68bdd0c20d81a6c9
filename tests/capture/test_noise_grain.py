"""Oracle: the autocorrelation of blurred white noise, which is that of the blur's taps."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from kpnviz.burst import BurstRecipe, synthesize, with_motion
from kpnviz.capture import own_burst
from kpnviz.capture.frame_stack import GRAY, FrameStack
from kpnviz.capture.noise_estimation import estimate_noise
from kpnviz.capture.noise_grain import coarseness, told_of
from kpnviz.capture.noise_patches import Patches
from kpnviz.capture.prepare import prepare
from kpnviz.noise import GAINS, NoiseModel
from kpnviz.photos import read_scene


def own_frames(frames, **about):
    return prepare(
        FrameStack(frames[:, None].astype(np.float32), tuple(range(len(frames))), tuple("abcdefgh"), **about)
    )


def of(frames):
    blocks = [Patches.of(frames[:, y : y + 64, x : x + 64]) for y in (0, 64) for x in (0, 64)]
    return coarseness(blocks, estimate_noise(blocks))


def blurred(noise, sigma):
    return np.stack([gaussian_filter(frame, sigma) for frame in noise]) if sigma else noise


def of_blur(sigma):
    """How many times as much means of 3x3 pixels vary: the variance of a sum of taps, over that of single pixels."""
    impulse = np.zeros((31, 31))
    impulse[15, 15] = 1
    taps = gaussian_filter(impulse, sigma) if sigma else impulse
    means = sum(np.roll(taps, (y, x), (0, 1)) for y in range(3) for x in range(3)) / 3
    return float(np.sqrt((means**2).sum() / (taps**2).sum()))


@pytest.mark.parametrize("frames", [2, 8])
@pytest.mark.parametrize("sigma", [0, 0.5, 0.7, 1])
def test_how_coarse_noise_is(sigma, frames):
    """With scene and brightness that change: of the correlations up to two pixels, nearly all there are."""
    noise = blurred(np.random.default_rng(0).standard_normal((frames, 128, 128)), sigma)
    y, x = np.mgrid[:128, :128] / 128
    scene = 0.1 + 0.4 * x * y + 0.1 * np.sin(40 * y)
    light = 1 + 0.05 * np.arange(frames)[:, None, None] * x
    expected = of_blur(sigma)
    assert 0.9 * expected - 0.01 < of(scene * light + 0.02 * noise) < 1.02 * expected + 0.01


@pytest.mark.parametrize("photo, motion", [("sand", "sub-pixel"), ("grass", "moving"), ("grass", "handheld")])
def test_what_moves_is_not_coarse_noise(photo, motion):
    recipe = with_motion(BurstRecipe(photo, noise=GAINS[1], seed=1), motion)
    fit = own_frames(synthesize(recipe).frames).estimate_noise()
    assert fit.told == 1 and fit.assumed == fit.noise and fit.source == "estimated from the burst"


def test_a_few_places_where_something_moves_do_not_count():
    rng = np.random.default_rng(0)
    frames = 0.3 + 0.02 * rng.standard_normal((6, 128, 128))
    still = of(frames)
    cloud = gaussian_filter(rng.standard_normal((6, 32, 32)), (0, 3, 3))
    frames[:, 48:80, 48:80] += 0.06 * cloud / cloud.std()
    assert still < 1.03 and of(frames) < 1.03


def test_little_or_nothing_is_told_of_noise_that_is_hardly_coarse():
    assert told_of(1.0) == told_of(1.4) == told_of(1.43) == 1
    assert told_of(2.0) == pytest.approx(1.78)
    flat = np.random.default_rng(0).normal(0.4, 0.02, (3, 40, 40))  # one patch more than an estimate needs
    assert own_frames(flat).estimate_noise().told == 1


def test_what_is_assumed_of_coarse_noise_is_said_and_the_noise_found_is_that_of_pixels():
    rng = np.random.default_rng(0)
    scene = read_scene("dog")[80:208, 80:208]
    noise = blurred(rng.standard_normal((6, 128, 128)), 0.8)
    own = own_frames(scene + 0.03 * noise / noise.std())
    fit = own.estimate_noise()
    levels = np.quantile(scene, [0.25, 0.75])
    np.testing.assert_allclose(fit.noise.std_map(levels), 0.03, rtol=0.25)
    assert 1.4 < fit.told < 1.8
    assumed, source, caution = own.noise_of()
    assert assumed == fit.assumed == fit.noise.scaled(fit.told)
    assert source == f"estimated from the burst, times {fit.told:.2g} as it is coarse"
    assert f"estimate is therefore {fit.told:.2g} times what single pixels show" in caution
    assert f"read_std {fit.noise.read_std:.5f}" in caution and "Between the frames" not in caution
    # What somebody states is taken as it is.
    stated = NoiseModel(0.03, 0)
    assert own.noise_of(GRAY, stated)[:2] == (stated, "given")


def own_colors(colors):
    return prepare(FrameStack(colors.astype(np.float32), tuple(range(len(colors))), tuple("abcdefgh")))


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_how_far_the_noise_of_colors_is_the_same(share):
    """Of colored light: shot noise of the sum isn't that of its brightness."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:128, :128] / 128
    scene = np.stack([0.1 + 0.1 * x, 0.5 + 0.3 * y, 0.1 + 0 * x])
    stds = GAINS[4].std_map(scene)
    same, own = rng.standard_normal((5, 1, 128, 128)), rng.standard_normal((5, 3, 128, 128))
    found = own_colors(scene + stds * (share**0.5 * same + (1 - share) ** 0.5 * own))
    assert found.noise_correlation == pytest.approx(share, abs=0.06 if share else 0)
    view = found.color([GAINS[4]] * 3)
    assert view.noise_correlation == view.crop(0, 0, 64, 64).noise_correlation == found.noise_correlation


def test_it_is_measured_once_whichever_frames_are_used(monkeypatch):
    found = own_colors(np.random.default_rng(0).normal(0.4, 0.02, (4, 1, 64, 64)).repeat(3, axis=1))
    share = found.noise_correlation
    monkeypatch.setattr(own_burst, "correlation_of_channels", None)
    assert found.taking(2).taking(None).noise_correlation == share > 0.9


@pytest.mark.parametrize("photo, motion", [("grass", "sub-pixel"), ("sand", "handheld"), ("city", "moving")])
def test_what_colors_have_in_common_while_they_move_is_no_noise(photo, motion):
    recipe = with_motion(BurstRecipe(photo, noise=GAINS[1], seed=1, color=True), motion)
    assert own_colors(synthesize(recipe).frames).noise_correlation == 0


def test_of_gray_and_of_one_frame_there_is_no_correlation():
    noise = np.random.default_rng(0).normal(0.4, 0.02, (4, 3, 64, 64))
    assert own_frames(noise[:, 0]).noise_correlation == own_colors(noise[:1]).noise_correlation == 0
    assert own_colors(np.repeat(noise[:1], 4, axis=0)).noise_correlation == 0
