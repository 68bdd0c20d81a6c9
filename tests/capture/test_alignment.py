"""Oracle: the shifts that a synthetic burst was made with, and sums written as loops."""

import itertools

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from kpnviz.burst import BurstRecipe, Misalignment, MovingObject, synthesize
from kpnviz.capture.alignment import _differences, find_shift, overlap
from kpnviz.capture.prepare import prepare
from kpnviz.capture.reader import read_frames
from kpnviz.evaluation.testset import burst_recipes
from kpnviz.noise import NoiseModel
from kpnviz.photos import read_scene

from .picture_makers import npy


def shaken(photo, gain=2, seed=0, crop=None, **options):
    shake = Misalignment(16, 16, 8, **options)
    return synthesize(
        BurstRecipe(photo, crop=crop, noise=NoiseModel.for_gain(gain), misalignment=shake, seed=seed)
    )


def found(burst, reach=None):
    return [find_shift(burst.reference, frame, burst.noise, reach) for frame in burst.frames]


@pytest.mark.parametrize("gain, right", [(4, 42), (8, 40), (16, 34)])
def test_shifts_of_the_test_bursts_are_found_in_their_noise(gain, right):
    """Of 42 frames of 128x128, to a quarter of a pixel. At gain 16 the noise is 3 to 10 times the scene's detail."""
    for reach in (16, None):
        good = 0
        for recipe in burst_recipes(gain, 6):
            burst = synthesize(recipe)
            for shift, true in zip(found(burst, reach)[1:], burst.shifts[1:], strict=True):
                assert shift is not None
                good += np.abs(shift - true).max() <= 0.25
        assert good >= right


@pytest.mark.parametrize("photo, gain", [("dog", 2), ("waves", 4), ("city", 8), ("flowers", 8)])
def test_shifts_of_whole_pictures_are_found_to_a_tenth_of_a_pixel(photo, gain):
    burst = shaken(photo, gain, seed=3)
    np.testing.assert_allclose(found(burst), burst.shifts, atol=0.1)


@pytest.mark.parametrize("gain, typical", [(1, 0.03), (8, 0.12)])
def test_parts_of_a_pixel_are_found(gain, typical):
    errors = []
    for seed, photo in enumerate(("dog", "city", "girl", "flowers")):
        burst = shaken(photo, gain, seed, (60, 60, 140, 150), subpixel=True)
        errors += [np.abs(s - t).max() for s, t in zip(found(burst)[1:], burst.shifts[1:], strict=True)]
    assert np.median(errors) < typical and np.quantile(errors, 0.9) < 4 * typical


def test_half_of_a_side_can_be_found():
    scene = read_scene("city")
    noise, rng = NoiseModel.for_gain(2), np.random.default_rng(0)
    for dy, dx in ((64, -60), (-61, 50), (0, 63)):
        a, b = scene[70:200, 70:200], scene[70 - dy : 200 - dy, 70 - dx : 200 - dx]
        shift = find_shift(noise.add_to(a, rng), noise.add_to(b, rng), noise)
        np.testing.assert_allclose(shift, (dy, dx), atol=0.2)


@pytest.mark.parametrize("gain", [1, 4])
def test_the_camera_is_followed_not_what_moves(gain):
    moving = (
        MovingObject("dog", (60, 50), 60, (0.0, 2.5)),
        MovingObject("girl", (120, 120), 50, (-2.0, 1.0)),
    )
    shifts = ((0, 0), (3, -1), (-2, 7), (10, 4), (0, 2))
    recipe = BurstRecipe(
        "city", (50, 50, 160, 160), NoiseModel.for_gain(gain), frames=5, shifts=shifts, moving=moving
    )
    np.testing.assert_allclose(found(synthesize(recipe)), shifts, atol=0.25)


@pytest.mark.parametrize("factor", [0.7, 1.4])
def test_a_change_of_brightness_is_no_shift(factor):
    burst = shaken("dog", 2, seed=1, crop=(40, 40, 150, 181))
    shift = find_shift(burst.reference, factor * burst.frames[3], burst.noise)
    np.testing.assert_allclose(shift, burst.shifts[3], atol=0.25)


@pytest.mark.parametrize("wrong", [0.5, 1.0, 2.0])
def test_another_scene_is_not_found(wrong):
    """Also where the noise is only roughly known."""
    noise, rng = NoiseModel.for_gain(1), np.random.default_rng(0)
    scenes = [read_scene(name)[40:200, 30:220] for name in ("dog", "city", "girl", "flowers", "waves")]
    for a, b in itertools.pairwise(scenes):
        assert find_shift(noise.add_to(a, rng), noise.add_to(b, rng), noise.scaled(wrong)) is None
        assert find_shift(noise.add_to(a, rng), noise.add_to(a, rng), noise.scaled(wrong)) is not None


def test_two_skies_are_not_one_scene_but_half_of_a_scene_is():
    """What two pictures share without edges says nothing where it is a corner of them; edges do, in as small a part."""
    noise, rng = NoiseModel.for_gain(4), np.random.default_rng(0)
    scenes = [read_scene(name)[80:208, 80:208] for name in ("haze", "rain", "mc2", "baby", "path")]
    for a, b in itertools.combinations(scenes, 2):
        assert find_shift(noise.add_to(a, rng), noise.add_to(b, rng), noise) is None
    for name in ("baby", "city", "dog", "path"):
        scene = read_scene(name)
        a, b = scene[80:208, 80:208], scene[23:151, 23:151]
        np.testing.assert_allclose(
            find_shift(noise.add_to(a, rng), noise.add_to(b, rng), noise), (57, 57), atol=0.6
        )


@pytest.mark.parametrize("photo", ["city", "grass"])
def test_the_scene_is_followed_where_a_bright_person_walks_through_it(photo):
    """In a tenth of the picture, elsewhere in each frame; where it is more than half of it, nothing is found."""
    noise, rng = NoiseModel.for_gain(1), np.random.default_rng(0)
    scene, other = read_scene(photo)[20:200, 20:270], read_scene("girl")[20:180, 20:244]

    def frame(dy, dx, left, width):
        picture = scene[8 + dy : 168 + dy, 8 + dx : 232 + dx].copy()
        picture[48:, left : left + width] = other[48:, left : left + width]
        return noise.add_to(picture, rng)

    reference = frame(0, 0, 10, 34)
    for left in (50, 110, 170):
        np.testing.assert_allclose(find_shift(reference, frame(3, -2, left, 34), noise), (-3, 2), atol=0.3)
    assert find_shift(frame(0, 0, 0, 0), frame(3, -2, 20, 190), noise) is None


def test_noise_alone_goes_nowhere():
    rng, noise = np.random.default_rng(0), NoiseModel(0.1, 0)
    for _ in range(20):
        a, b = 0.3 + 0.1 * rng.standard_normal((2, 96, 128))
        assert np.abs(find_shift(a, b, noise)).max() <= 4
    flat = np.full((40, 40), 0.5)
    assert find_shift(flat, flat, noise).tolist() == [0, 0]


def test_differences_at_every_shift_are_those_of_the_overlaps():
    a, b = np.random.default_rng(0).random((2, 19, 14)).astype(np.float32)
    dy, dx = np.arange(-9, 10), np.arange(-7, 8)
    values, pixels = _differences(a, b, dy, dx)
    for i, y in enumerate(dy):
        for j, x in enumerate(dx):
            one, other = overlap(a, b, y, x)
            assert pixels[i, j] == one.size
            assert values[i, j] == pytest.approx((other - one).var() / 2, abs=1e-6)


def test_overlap_pairs_the_same_scene():
    scene = np.arange(20 * 30).reshape(20, 30)
    a, b = (
        scene[4:14, 6:20],
        scene[4 - 3 : 14 - 3, 6 + 2 : 20 + 2],
    )  # the scene lies 3 lower, 2 to the left in b
    common = overlap(a, b, 3, -2)
    np.testing.assert_array_equal(*common)
    assert common[0].shape == (7, 12)


@pytest.mark.parametrize("shape", [(1, 1), (4, 90), (2, 3), (7, 7)])
def test_any_size(shape):
    noise = NoiseModel(0.1, 0)
    assert find_shift(np.zeros(shape), np.zeros(shape), noise).tolist() == [0, 0]
    a, b = np.random.default_rng(0).random((2, *shape))
    assert np.isfinite(find_shift(a, b, noise) if find_shift(a, b, noise) is not None else 0).all()


def test_shapes_are_named():
    with pytest.raises(ValueError, match="frames have shapes"):
        find_shift(np.zeros((20, 20)), np.zeros((20, 21)), NoiseModel(0.1, 0))


@pytest.mark.parametrize("kind", ["dark", "wall", "correlated", "glow"])
def test_of_frames_that_show_nothing_no_motion_is_made(kind):
    """With the cap on the lens, of an even wall, of noise that is coarser than a pixel, of a sensor that glows."""
    rng = np.random.default_rng(3)
    frames = rng.normal(0, 0.01, (4, 144, 160))
    if kind == "wall":
        frames = 0.4 + frames
    elif kind == "correlated":
        frames = gaussian_filter(frames, (0, 0.8, 0.8))
    elif kind == "glow":
        frames += 0.02 * np.exp(-np.hypot(*np.mgrid[:144, :160]) / 40)
    own = prepare(read_frames([("dark.npy", npy(frames.astype(np.float32)))]))
    assert not own.left_out and len(own.order) == 4
    assert ("show nothing but noise" in own.report) == (kind != "glow")
    assert not own.displacements.any() and not own.motion.any()


@pytest.mark.parametrize("gain", [4, 8, 32])
def test_dark_and_noisy_scenes_show_something(gain):
    for photo in ("city", "sand", "dog"):
        recipe = BurstRecipe(photo, (40, 40, 128, 160), NoiseModel.for_gain(gain), frames=3, seed=2)
        own = prepare(read_frames([("a.npy", npy(synthesize(recipe).frames / np.float32(8)))]))
        assert not own.empty
