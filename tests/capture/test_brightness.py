"""Frames of other brightness. Oracles: the gains and the noise that frames were made with."""

from dataclasses import replace

import numpy as np
import pytest

from kpnviz.analysis.metrics import psnr
from kpnviz.burst import BurstRecipe, synthesize
from kpnviz.capture.brightness import ceiling, first_gains, fit_gains, middle_exposure
from kpnviz.capture.frame_stack import GRAY, FrameStack
from kpnviz.capture.noise_estimation import estimate_noise
from kpnviz.capture.prepare import prepare
from kpnviz.color import srgb_encode
from kpnviz.denoise import load
from kpnviz.noise import GAINS, NoiseModel


def clean_frames(photo="city", **recipe):
    shifts = ((0, 0), (3, -4), (-6, 2), (1, 9), (5, 5))
    recipe = {"shifts": shifts, "frames": 5} | recipe
    return synthesize(BurstRecipe(photo, noise=NoiseModel(0, 0), **recipe)).frames


def taken(clean, gains, noise, top=1.0, seed=0):
    """What a sensor gives of these exposures, that is full at `top`."""
    rng = np.random.default_rng(seed)
    gains = np.asarray(gains, np.float32).reshape(len(clean), *[-1] * (np.ndim(gains) > 1), *[1] * 2)
    return np.minimum(noise.add_to(clean * gains, rng), top).astype(np.float32)


def stack_of(frames, **more):
    frames = frames if frames.ndim == 4 else frames[:, None]
    names = tuple(f"{i}.png" for i in range(len(frames)))
    return FrameStack(np.ascontiguousarray(frames), tuple(range(len(frames))), names, **more)


EXPOSURES = np.array([1.26, 0.8, 1.0, 1.1, 0.9])


@pytest.mark.parametrize("gain", [1, 8])
def test_gains_are_found_and_undone(gain):
    frames = taken(clean_frames(), EXPOSURES, GAINS[gain])
    own = prepare(stack_of(frames))
    gains = own.stack.gains[:, 0]
    np.testing.assert_allclose(
        gains, EXPOSURES / EXPOSURES[own.reference], rtol=0.004 if gain == 1 else 0.025
    )
    assert gains[own.reference] == 1
    window = own.channel(GRAY, GAINS[gain]).window(slice(20, 260), slice(30, 250))
    plain = prepare(stack_of(frames), brightness=False)
    assert plain.stack.gains is None
    means = window.mean(axis=(1, 2))
    np.testing.assert_allclose(means, means[0], rtol=0.05)
    assert "brighter or darker" in own.report and "undone" in own.report
    moved = str(own.shifts[1 if own.reference else 0])
    assert "brightness" in moved and "EV, undone" in moved


def test_frames_of_one_brightness_are_read_as_they_are():
    rng = np.random.default_rng(0)
    own = prepare(stack_of(np.stack([GAINS[4].add_to(x, rng) for x in clean_frames()])))
    assert own.stack.gains is None and "brighter" not in own.report
    assert all(shift.brightness == 1 for shift in own.shifts)


def test_a_bracketed_burst_has_the_middle_exposure_as_its_reference():
    clean = clean_frames("dog")
    gains = np.array([0.25, 4, 1, 2, 0.5])
    frames = taken(clean, gains, GAINS[1])
    own = prepare(stack_of(frames))
    assert own.reference == 2 and "of the middle exposure" in own.report
    np.testing.assert_allclose(own.stack.gains[:, 0], gains, rtol=0.01)
    assert own.stack.ceiling == 1
    # What is white in no frame is of one brightness in all.
    H, W = clean.shape[1:]
    view = own.channel(GRAY, GAINS[1])
    window = view.window(slice(0, H), slice(0, W))
    bright = (clean[2] > 0.08) & (clean[2] < 0.2)
    bright[:24], bright[-24:], bright[:, :24], bright[:, -24:] = False, False, False, False
    assert bright.sum() > 500
    for n, i in enumerate(own.order):
        assert np.median(window[n][bright] / clean[2][bright]) == pytest.approx(1, abs=0.03), i
    np.testing.assert_array_equal(view.window(slice(37, 81), slice(50, 93)), window[:, 37:81, 50:93])


def test_colors_that_drift_are_undone_channel_by_channel():
    clean = clean_frames("flowers", color=True)
    gains = np.array([[1, 1, 1], [1.1, 1, 0.9], [1, 1, 1.05], [1.2, 1.2, 1.2], [0.95, 1, 1]])
    frames = taken(clean, gains, GAINS[2])
    own = prepare(stack_of(frames))
    expected = gains / gains[own.reference]
    np.testing.assert_allclose(own.stack.gains, expected, rtol=0.006)
    same = own.stack.gains[np.ptp(expected, axis=1) < 1e-9]
    assert (np.ptp(same, axis=1) == 0).all()  # one gain where colors do not drift
    assert "for each color by itself" in own.report


def test_only_colors_may_drift():
    gains = np.ones((5, 3))
    gains[3] = 1.08, 1, (1 - 0.2126 * 1.08 - 0.7152) / 0.0722  # of the same luminance
    own = prepare(stack_of(taken(clean_frames("flowers", color=True), gains, GAINS[1])))
    assert own.stack.gains is not None and own.stack.gains[3, 0] / own.stack.gains[3, 1] == pytest.approx(
        1.08, abs=0.01
    )
    if own.reference != 3:
        assert "The colors of 1 frame differ from its own, which is undone." in own.report


def test_encoded_photos_too():
    clean = clean_frames()
    codes = np.rint(255 * srgb_encode(np.clip(taken(clean, EXPOSURES, GAINS[1]), 0, 1))).astype(np.uint8)
    own = prepare(stack_of(codes))
    np.testing.assert_allclose(own.stack.gains[:, 0], EXPOSURES / EXPOSURES[own.reference], rtol=0.01)


def test_noise_in_dark_blocks_does_not_pull_a_gain():
    rng = np.random.default_rng(0)
    scene = rng.uniform(0.01, 0.05, (1, 40, 50)).repeat(16, 1).repeat(16, 2)
    a, b = (k * scene + rng.normal(0, 0.3, scene.shape) for k in (1, 1.5))
    gains = fit_gains(a, b, np.zeros(scene.shape[1:], bool))
    assert gains == pytest.approx(1.5, rel=0.08)
    assert fit_gains(a, b, np.ones(scene.shape[1:], bool)) is None  # all clipped
    assert fit_gains(a, b / 1.4, np.zeros(scene.shape[1:], bool), 1.4) == pytest.approx(1.5, rel=0.08)
    b[:, :160] = 0.9  # what moved there
    assert fit_gains(a, b, np.zeros(scene.shape[1:], bool)) == pytest.approx(1.5, rel=0.15)


def test_first_gains_believe_exposures_that_the_pictures_bear_out():
    scene = np.linspace(0.1, 0.4, 80)[None] * np.ones((60, 1))
    images = [scene, 2.1 * scene, 0.5 * scene]
    np.testing.assert_allclose(first_gains(images), [1, 2.1, 0.5], rtol=1e-6)
    np.testing.assert_allclose(first_gains(images, (1 / 100, 2 / 100, 1 / 200)), [1, 2, 0.5])
    np.testing.assert_allclose(first_gains(images, (1 / 100, 1 / 100, 1 / 200)), [1, 2.1, 0.5])
    np.testing.assert_allclose(first_gains(images, (1 / 100, None, 1 / 200)), [1, 2.1, 0.5])
    np.testing.assert_array_equal(first_gains([scene, 1.03 * scene, 0.97 * scene]), 1)  # may be what moved
    # Two thirds of the brighter picture are white: the darker third tells.
    np.testing.assert_allclose(
        first_gains([scene, np.minimum(4 * scene, 1)], clipped=(0, 1)), [1, 4], rtol=1e-6
    )


@pytest.fixture
def rooms():
    """Views of a dim room, at most 14 of 320 columns apart, with a window that is 30 times as bright at the edge and
    lights up what is beside it. Oracle: one exposure."""
    rng = np.random.default_rng(0)
    light = np.interp(np.arange(340), [0, 270, 300], np.log([0.02, 0.03, 0.8]))
    wide = np.exp(light) * rng.uniform(0.7, 1.1, (30, 43)).repeat(8, 0).repeat(8, 1)[:, :340]
    return [wide[:, left : left + 320] for left in (6, 0, 14, 3, 11)]


@pytest.mark.parametrize("gain", [1, 2 ** (1 / 3), 2, 0.25])
def test_first_gains_tell_light_from_what_moves_into_the_picture(rooms, gain):
    gains = first_gains([rooms[0], *(np.minimum(gain * room, 1) for room in rooms[1:])], clipped=(0, 1))
    np.testing.assert_allclose(gains[1:], gain, rtol=0.1)


def test_what_few_pixels_show_tells_little_of_gains():
    """Views 40 columns apart, the left part even, the larger right one ever brighter. Oracle: one exposure."""
    light = np.exp(np.interp(np.arange(360), [0, 150, 360], np.log([0.02, 0.025, 0.9])))
    images = [light[None, left : left + 320].repeat(60, 0) for left in (0, 40)]
    np.testing.assert_allclose(first_gains(images)[1], 1, rtol=0.15)


def test_first_gains_believe_exposures_where_the_pictures_disagree_about_them():
    scene = np.linspace(0.1, 0.4, 80)[None] * np.ones((60, 1))
    other = scene.copy()
    other[:, 41:] *= 2.5  # half is brighter, the darker half is not
    assert first_gains([scene, other])[1] > 1.6
    np.testing.assert_array_equal(first_gains([scene, other], (1 / 100, 1 / 100)), [1, 1])


def test_what_the_middle_exposure_is():
    assert middle_exposure(np.array([1, 1.1, 0.95])).all()
    assert middle_exposure(np.array([1, 2, 0.5, 1.05])).tolist() == [True, False, False, True]
    assert middle_exposure(np.array([1, 2])).tolist() == [
        True,
        False,
    ]  # of two the darker: it is white in fewer places


def test_where_numbers_are_cut_off_is_seen():
    rng = np.random.default_rng(0)
    values = rng.normal(0.5, 0.3, (100, 100)).astype(np.float32)
    assert ceiling([values]) is None
    assert ceiling([np.minimum(values, np.float32(0.8)), values * 0.1]) == np.float32(0.8)


@pytest.mark.parametrize("gain", [1, 8])
@pytest.mark.parametrize("exposures", [EXPOSURES, np.array([1, 2, 0.5, 1, 2, 0.5])])
def test_the_noise_is_that_of_the_reference(gain, exposures):
    noise, rng = GAINS[gain], np.random.default_rng(1)
    exposures = exposures / exposures[0]
    scene = np.linspace(0.02, 0.45, 512)[None] * np.ones((256, 1))
    frames = np.stack([noise.add_to(scene * k, rng) / k for k in exposures]).astype(np.float32)
    blocks = [frames[:, :, i : i + 64] for i in range(0, 512, 64)]
    fit = estimate_noise(blocks, None, exposures)
    assert fit.noise.read_std == pytest.approx(noise.read_std, rel=0.12)
    assert fit.noise.shot_gain == pytest.approx(noise.shot_gain, rel=0.12)
    typical = np.median(fit.variances / fit.line(fit.means))  # what is plotted lies on the line
    assert typical == pytest.approx(1, abs=0.05)


def test_clipped_values_of_brighter_frames_are_no_quiet():
    noise, rng = GAINS[4], np.random.default_rng(1)
    scene = np.linspace(0.02, 0.9, 512)[None] * np.ones((256, 1))
    exposures = np.array([1, 2, 1.5, 0.7])
    frames = np.stack([np.minimum(noise.add_to(scene * k, rng), 1) / k for k in exposures]).astype(np.float32)
    fit = estimate_noise([frames[:, :, i : i + 64] for i in range(0, 512, 64)], (-np.inf, 1.0), exposures)
    assert fit.noise.read_std == pytest.approx(noise.read_std, rel=0.15)
    assert fit.noise.shot_gain == pytest.approx(noise.shot_gain, rel=0.15)


def test_a_frame_that_is_not_found_has_the_brightness_that_its_file_states():
    clean = clean_frames()
    other = synthesize(BurstRecipe("dog", noise=NoiseModel(0, 0), frames=1)).frames
    frames = taken(np.concatenate([clean[:3], other]), [1, 0.5, 1, 2], GAINS[1])
    own = prepare(stack_of(frames, exposures=(0.01, 0.005, 0.01, 0.02)))
    assert own.shifts[3].measured is None and own.shifts[3].brightness == pytest.approx(2)
    assert "not found; brightness +1.00 EV" in str(own.shifts[3])
    known = prepare(replace(own.stack, known=True, gains=None))
    assert known.stack.gains is None  # of a burst that was made so, brightness is what one looks at


def test_a_bracketed_burst_is_denoised_as_if_its_exposures_were_known():
    """MKPN, PSNR within .1 dB of that with the true gains; and far above that of frames as they are."""
    noise = GAINS[2]
    clean = clean_frames("dog", crop=(60, 60, 128, 128))
    gains = np.array([1, 2, 0.5, 1, 1.9])
    own = prepare(stack_of(taken(clean, gains, noise)))
    truth = np.clip(gains[own.reference] * clean[own.reference], 0, 1)

    def score(stack):
        view = replace(own, stack=stack).channel(GRAY, noise)
        return psnr(np.clip(load("mkpn")(view).image, 0, 1).astype(np.float32), truth)

    true = (gains / gains[own.reference])[:, None]
    assert score(own.stack) == pytest.approx(score(replace(own.stack, gains=true)), abs=0.1)
    assert score(own.stack) > score(replace(own.stack, gains=None)) + 1
