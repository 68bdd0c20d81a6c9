"""Oracle: the noise that synthetic bursts were made with, and exact variances written here."""

from dataclasses import replace

import numpy as np
import pytest

from kpnviz.burst import BurstRecipe, Misalignment, MovingObject, synthesize, with_motion
from kpnviz.camera_motion import CameraMotion
from kpnviz.capture.displaced_reading import patches
from kpnviz.capture.frame_stack import GRAY, FrameStack
from kpnviz.capture.noise_estimation import estimate_noise, noise_of_one_frame
from kpnviz.capture.prepare import prepare
from kpnviz.color import srgb_encode
from kpnviz.evaluation.testset import burst_recipes
from kpnviz.noise import GAINS, NoiseModel
from kpnviz.photos import read_scene


def own(burst):
    return own_frames(burst.frames)


def own_frames(frames):
    return prepare(FrameStack(frames[:, None], tuple(range(len(frames))), tuple("abcdefgh"[: len(frames)])))


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
    assert_close(fit.noise, GAINS[gain], 0.06)
    # The patches scatter about the line as chi^2 with so many degrees of freedom does.
    ratio = fit.variances[fit.used] / fit.line(fit.means[fit.used])
    assert np.median(ratio) == pytest.approx(1, abs=0.01)
    assert 0.4 * 7 * 54 < np.median(fit.degrees) <= 7 * 54
    scatter = (ratio - 1) / (2 / fit.degrees[fit.used]) ** 0.5
    assert scatter.std() == pytest.approx(1, rel=0.2)
    assert fit.caution == ""


@pytest.mark.parametrize("gain", [1, 4])
@pytest.mark.parametrize("photo", ["sand", "flowers", "grass", "city"])
def test_shake_by_parts_of_a_pixel_is_no_noise(photo, gain):
    """Of scenes with texture everywhere; their noise used to be found 1.3 to 1.9 times as strong at gain 1."""
    recipe = with_motion(BurstRecipe(photo, noise=GAINS[gain], seed=1), "sub-pixel")
    burst = synthesize(recipe)
    found = own(burst).estimate_noise().noise
    levels = np.quantile(burst.truth, [0.1, 0.5, 0.9])
    np.testing.assert_allclose(found.std_map(levels), GAINS[gain].std_map(levels), rtol=0.06)
    assert_close(found, GAINS[gain], 0.2)  # few patches are bright


def moved_continuously(frames, noise, seed=0):
    """A scene of all frequencies below half of Nyquist's, moved by any parts of a pixel: exact, by its spectrum."""
    rng = np.random.default_rng(seed)
    fy, fx = np.fft.fftfreq(192)[:, None], np.fft.fftfreq(192)
    spectrum = np.fft.fft2(rng.standard_normal((192, 192))) / np.maximum(np.hypot(fy, fx), 0.02)
    spectrum[np.hypot(fy, fx) > 0.25] = 0
    scene = np.fft.ifft2(spectrum).real
    low, high = scene.min(), scene.max()
    moved = []
    for dy, dx in np.vstack((np.zeros(2), rng.uniform(-0.5, 0.5, (frames - 1, 2)))):
        shifted = np.fft.ifft2(spectrum * np.exp(-2j * np.pi * (fy * dy + fx * dx))).real
        moved.append(0.02 + 0.9 * (shifted - low) / (high - low))
    return moved, rng


@pytest.mark.parametrize("frames", [2, 3, 8])
def test_any_shift_below_a_pixel_and_a_change_of_light_are_no_noise(frames):
    noise = GAINS[1]
    scenes, rng = moved_continuously(frames, noise)
    dimmed = [(1 - 0.02 * i) * scene for i, scene in enumerate(scenes)]
    for clean in (scenes, dimmed):
        burst = np.stack([noise.add_to(x, rng) for x in clean])
        blocks = [burst[:, y : y + 64, x : x + 64] for y in (0, 64, 128) for x in (0, 64, 128)]
        levels = np.quantile(scenes[0], [0.2, 0.5, 0.8])
        ratio = estimate_noise(blocks).noise.std_map(levels) / noise.std_map(levels)
        np.testing.assert_allclose(ratio, 1, atol=0.05)


def test_a_hands_motion_is_no_noise():
    """Crops of 128x128 with a camera that turns: shot_gain was found 1.08 to 1.18 times as large as it is."""
    found = [own(synthesize(recipe)).estimate_noise().noise for recipe in burst_recipes(4, 12, "handheld")]
    shot = np.array([noise.shot_gain for noise in found]) / GAINS[4].shot_gain
    read = np.array([noise.read_std for noise in found]) / GAINS[4].read_std
    assert (
        abs(shot.mean() - 1) < 0.05 and (np.abs(shot - 1) < 0.1).sum() >= 11 and np.abs(read - 1).max() < 0.1
    )


@pytest.mark.parametrize("frames", [2, 8])
@pytest.mark.parametrize("photo", ["city", "flowers"])
def test_frames_that_turn_are_no_noise(photo, frames):
    """Shifts grow along each patch: of two frames, shot_gain was found 1.1 to 1.5 times as large, or no noise."""
    camera, shake = CameraMotion(rotation=6), Misalignment(2, 2, 0.0, subpixel=True)
    for gain in (1, 4):
        recipe = BurstRecipe(
            photo,
            (32, 16, 192, 256),
            GAINS[gain],
            frames=frames,
            misalignment=shake,
            seed=frames,
            camera=camera,
        )
        found = own(synthesize(recipe)).estimate_noise().noise
        assert found.read_std == pytest.approx(GAINS[gain].read_std, rel=0.12)
        assert found.shot_gain == pytest.approx(GAINS[gain].shot_gain, rel=0.3)


@pytest.mark.parametrize("gain", [1, 4])
def test_where_nothing_is_dark_the_read_noise_is_that_of_few_electrons(gain):
    """It was anything from nothing to twice as much."""
    rng, noise = np.random.default_rng(0), GAINS[gain]
    scene = np.linspace(0.5, 0.55, 128)[:, None] * np.ones((2, 128, 128))
    found = own_frames(noise.add_to(scene, rng)).estimate_noise().noise
    assert found.read_std == pytest.approx(noise.read_std, rel=0.3)
    assert found.std_map(np.array(0.52)) == pytest.approx(noise.std_map(np.array(0.52)), rel=0.02)


@pytest.mark.parametrize("noise", [NoiseModel(0.03, 0), NoiseModel(0, 0.003), NoiseModel(0.06, 0.003)])
def test_where_patches_tell_of_it_read_noise_is_as_they_say(noise):
    rng = np.random.default_rng(0)
    scene = np.linspace(0.01, 0.8, 128)[:, None] * np.ones((4, 128, 128))
    found = own_frames(noise.add_to(scene, rng)).estimate_noise().noise
    levels = np.array([0.02, 0.2, 0.8])
    np.testing.assert_allclose(found.std_map(levels), noise.std_map(levels), rtol=0.05)


def test_what_moves_by_itself_is_no_noise():
    """Objects add a little to many patches: shot_gain was found 1.1 to 1.2 times as large in three of these eight."""
    found = [own(synthesize(recipe)).estimate_noise().noise for recipe in burst_recipes(8, 8, "moving")]
    ratio = np.array([(noise.read_std, noise.shot_gain) for noise in found]) / (
        GAINS[8].read_std,
        GAINS[8].shot_gain,
    )
    assert np.abs(ratio[:, 0] - 1).max() < 0.06 and np.abs(ratio[:, 1] - 1).max() < 0.1, ratio
    assert abs(ratio[:, 1].mean() - 1) < 0.06


def test_patches_among_others_that_vary_more_are_left_out():
    rng = np.random.default_rng(0)
    scene = np.full((128, 128), 0.3)
    frames = np.stack([GAINS[4].add_to(scene, rng) for _ in range(8)])
    # By what chance makes of the variance of a patch at times: a part of the picture flickers by half the noise.
    frames[:, 32:72, 32:72] += 0.5 * GAINS[4].std_map(np.array(0.3)) * rng.standard_normal((8, 40, 40))
    fit = estimate_noise([frames])
    out = ~fit.used.reshape(16, 16)
    assert out[4:9, 4:9].mean() > 0.8 and (out.sum() - out[3:10, 3:10].sum()) / 207 < 0.06
    assert fit.line(np.array([0.3]))[0] == pytest.approx(GAINS[4].std_map(np.array(0.3)) ** 2, rel=0.02)


def test_bright_pixels_beside_dark_ones_do_not_hide_the_read_noise():
    """A regression explains the bright pixels of a patch best, so that what is left is that of a darker patch."""
    rng = np.random.default_rng(0)
    scene = np.where(rng.random((256, 256)) < np.linspace(0, 0.3, 256), 0.9, 0.03)  # from few to many
    frames = np.stack([GAINS[1].add_to(scene, rng) for _ in range(8)])
    assert_close(estimate_noise([frames]).noise, GAINS[1], 0.03)


def test_patches_are_read_where_their_cells_lie_in_the_frames_that_show_them():
    rng = np.random.default_rng(0)
    frames = rng.random((4, 1, 64, 128)).astype(np.float32)
    stack = FrameStack(frames, (0, 1, 2, 3), tuple("abcd"))
    motion = np.zeros((4, 4, 8, 2), np.float32)
    motion[1] = (-0.6, 2.3)
    motion[2, :, 5:] = (3.0, -1.4)  # a part that moves by itself
    motion[3] = (60, 0)  # shows next to nothing
    first, second = patches(stack, GRAY, dict(enumerate(motion)), 0)
    for block, left in ((first, 0), (second, 64)):
        assert block.windows.shape[1] == 3 and block.windows.shape[2:] == (10, 10)
        places = [
            (y, x) for y in range(8, 64, 8) for x in range(left, left + 64, 8)
        ]  # -1 px: not the first row
        if left:
            places = [(y, x) for y, x in places if (x < 80 or y + 3 + 8 <= 64) and x + 2 + 8 <= 128]
        assert len(block.windows) == len(places)
        for window, (y, x), place in zip(block.windows, places, block.places, strict=True):
            assert tuple(place) == (y // 8, (x - left) // 8)
            for shown, frame, (dy, dx) in zip(
                window, frames[:, 0], [(0, 0), (-1, 2), (3, -1) if x >= 80 else (0, 0)], strict=False
            ):
                inner = frame[y + dy : y + dy + 8, x + dx : x + dx + 8]
                np.testing.assert_array_equal(shown[1:-1, 1:-1], inner)


def test_of_frames_that_turn_each_patch_is_read_where_its_middle_lies():
    frames = np.random.default_rng(0).random((2, 1, 64, 128)).astype(np.float32)
    stack = FrameStack(frames, (0, 1), tuple("ab"))
    middles = np.stack(np.meshgrid(*(np.arange(n) * 16 + 7.5 for n in (4, 8)), indexing="ij"), axis=-1)
    turn = np.array([[0, 0.08], [-0.08, 0]])  # 4.6 degrees
    motion = {0: np.zeros((4, 8, 2), np.float32), 1: (middles - (32, 64)) @ turn.T}
    seen = 0
    for block, left in zip(patches(stack, GRAY, motion, 0, bent=True), (0, 64), strict=True):
        assert block.bent
        for window, (row, column) in zip(block.windows, block.places, strict=True):
            y, x = 8 * row, left + 8 * column
            dy, dx = np.rint(turn @ (y + 3.5 - 32, x + 3.5 - 64)).astype(int)
            np.testing.assert_array_equal(
                window[1, 1:-1, 1:-1], frames[1, 0, y + dy : y + dy + 8, x + dx : x + dx + 8]
            )
            seen += 1
    assert seen > 60


def test_a_moving_object_is_an_outlier():
    moving = MovingObject("dog", center=(150, 90), diameter=80, velocity=(0, 4))
    burst = synthesize(BurstRecipe("city", noise=GAINS[4], moving=moving))
    assert_close(own(burst).estimate_noise().noise, GAINS[4], 0.1)


def test_the_line_through_exact_patches():
    # Two frames y + e and y - e: the sample variance at a pixel is 2 e^2, with no randomness in it. The signs of e are
    # those of a chessboard, which no sum of constants is: 63 degrees of freedom of a patch's 64.
    true = NoiseModel(0.02, 0.004)
    signs = (-1.0) ** np.indices((16, 16)).sum(0)
    blocks = []
    for y in np.linspace(0.01, 0.9, 40):
        e = signs * np.sqrt((true.read_std**2 + true.shot_gain * y) / 2 * 63 / 64)
        blocks.append(np.stack((y + e, y - e)))
    fit = estimate_noise(blocks)
    assert_close(fit.noise, true, 0.02)  # exact variances have no skew to correct: 0.6 / 63
    assert fit.frames == 2 and set(fit.degrees) == {63}


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
    slope = 0.1 + 0.004 * y + 0.003 * x
    rng = np.random.default_rng(0)
    frames = [slope + 0.01 * rng.standard_normal(y.shape) for _ in range(4)]
    assert noise_of_one_frame(frames).std_map(np.array([[0.4]])) == pytest.approx(0.01, rel=0.025)


@pytest.mark.parametrize("side", [10, 24, 36])
@pytest.mark.parametrize("noise", [NoiseModel(0.002, 0.0002), GAINS[4]])
def test_small_pictures_show_the_order_of_their_noise(side, noise):
    scene = read_scene("dog")[100 : 100 + side, 90 : 90 + side]
    own = own_frames(noise.add_to(np.stack([scene] * 4), np.random.default_rng(0)).astype(np.float32))
    found, source, _ = own.noise_of()
    assert source == "from few pixels: rough"
    assert 0.6 < np.median(found.std_map(scene) / noise.std_map(scene)) < 1.5


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("photo", ["grass", "sand"])
def test_texture_that_hides_the_noise_of_one_frame_is_no_disagreement(photo):
    scene = read_scene(photo)[:128, :128]
    rng = np.random.default_rng(0)
    for noise in (NoiseModel(0.002, 0.0002), GAINS[2]):
        fit = own_frames(noise.add_to(np.stack([scene] * 4), rng)).estimate_noise()
        assert fit.caution == ""
        nothing = replace(fit, used=np.zeros_like(fit.used), alone=fit)
        assert nothing.caution == ""  # nor is there one with what no patch tells


def test_frames_that_differ_by_more_than_noise_are_said():
    rng = np.random.default_rng(0)
    same = np.stack([read_scene("sand")[:128, :128]] * 6)
    calm = own_frames(GAINS[1].add_to(same, rng)).estimate_noise()
    assert calm.caution == "" and calm.alone is not None
    # Noise that is two pixels coarse is seen between frames, but hardly within one.
    coarse = np.stack([np.kron(0.03 * rng.standard_normal((64, 64)), np.ones((2, 2))) for _ in range(6)])
    fine = 0.005 * rng.standard_normal(coarse.shape)
    scene = read_scene("dog")[80:208, 80:208]
    grainy = own_frames((scene + coarse + fine).astype(np.float32)).estimate_noise()
    assert "coarser than a pixel" in grainy.caution
    other = replace(grainy, told=1.0)  # of anything else that is seen between frames alone
    assert "Between the frames the noise looks" in other.caution
    assert 2.5 < float(other.caution.split("looks ")[1].split()[0]) < 6  # fine noise and coarse, of .03


def test_small_clipped_and_single_pictures_get_a_guess_that_says_so():
    rng, noise = np.random.default_rng(0), NoiseModel(0.02, 0)

    def burst_of(frames):
        return own_frames(np.rint(np.clip(frames, 0, 1) * 65535).astype(np.uint16))

    flat = np.full((4, 96, 96), 0.4)
    level = np.array([0.4])
    found, source, caution = burst_of(srgb_encode(noise.add_to(flat, rng))).noise_of()
    assert source == "estimated from the burst" and caution == ""
    assert found.std_map(level) == pytest.approx(0.02, rel=0.02)
    one = srgb_encode(noise.add_to(flat[:1], rng))
    found, source, caution = burst_of(np.repeat(one, 3, axis=0)).noise_of()  # three copies
    assert source == "from the reference alone" and "the frames are all the same" in caution
    assert found.std_map(level) == pytest.approx(0.02, rel=0.04)
    dark = srgb_encode(np.maximum(noise.add_to(0 * flat, rng), 0))
    found, source, caution = burst_of(dark).noise_of()
    assert "rather too little" in source and "neither clipped nor empty" in caution
    assert 0.4 * 0.02 < found.std_map(np.array([0.008])) < 0.02
    found, source, caution = burst_of(srgb_encode(noise.add_to(flat[:, :12, :12], rng))).noise_of()
    assert source == "from few pixels: rough" and "an estimate needs 24" in caution
    assert found.std_map(level) == pytest.approx(0.02, rel=0.3)
    found, source, _ = burst_of(srgb_encode(noise.add_to(flat[:, :3, :3], rng))).noise_of()
    assert source == "a guess: gain ×2" and found == GAINS[2]


def test_frames_that_moved_and_are_the_same_have_no_noise():
    """One frame's texture is no noise, where others show the same texture elsewhere."""
    scene = read_scene("dog")
    frames = np.stack([scene[40 + 5 * i : 168 + 5 * i, 60 - 7 * i : 200 - 7 * i] for i in range(3)])
    assert frames.shape == (3, 128, 140)
    noise, source, caution = own_frames(frames.astype(np.float32)).noise_of()
    assert (
        noise == NoiseModel(0, 0) and source.startswith("none: ") and "the frames are all the same" in caution
    )


def test_what_cannot_be_estimated_is_said():
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="there is 1 frame"):
        estimate_noise([rng.random((1, 64, 64))])
    with pytest.raises(ValueError, match="smaller than a patch"):
        estimate_noise([rng.random((2, 4, 64))])
    with pytest.raises(ValueError, match="the frames are all the same"):
        estimate_noise([np.repeat(rng.random((1, 64, 64)), 3, axis=0)])
    with pytest.raises(ValueError, match="estimate needs 24"):
        estimate_noise([rng.random((2, 16, 16))])


def test_what_the_reference_shows_by_itself_is_looked_at_once():
    """As the burst keeps it from the first look, and as it would be looked at again."""
    prepared = own(synthesize(BurstRecipe("city", noise=GAINS[2])))
    assert prepared.alone is not None
    kept, again = (burst.estimate_noise() for burst in (prepared, replace(prepared, alone=None)))
    assert kept.alone is prepared.alone is not again.alone and kept.noise == again.noise
    np.testing.assert_array_equal(kept.alone.whole, again.alone.whole)
    assert kept.alone.noise == again.alone.noise
