"""Oracles: shifted windows of the scene, and the paper's distribution of misalignment."""

import dataclasses
import json

import numpy as np
import pytest

from kpnviz.burst import (
    MOTIONS,
    Burst,
    BurstRecipe,
    Misalignment,
    MovingObject,
    Stream,
    draw_objects,
    synthesize,
    with_motion,
)
from kpnviz.color import luminance
from kpnviz.models.checkpoints import available
from kpnviz.noise import GAINS, NoiseModel
from kpnviz.photos import has_color, photo_path, read_scene
from kpnviz.sampling import box_reduce

SILENT = NoiseModel(0.0, 0.0)
CROP = (100, 80, 48, 40)


def test_the_scene_lies_where_the_shift_says():
    shifts = ((0, 0), (3, 0), (0, -5), (7, 2))
    burst = synthesize(BurstRecipe("dog", CROP, SILENT, frames=4, shifts=shifts))
    scene = read_scene("dog")
    np.testing.assert_array_equal(burst.truth, scene[100:148, 80:120])
    y, x = 20, 17
    for frame, (dy, dx) in zip(burst.frames, shifts, strict=True):
        assert frame[y + dy, x + dx] == burst.truth[y, x]
        np.testing.assert_array_equal(frame, scene[100 - dy : 148 - dy, 80 - dx : 120 - dx])


def test_beyond_the_photo_the_scene_is_reflected():
    burst = synthesize(BurstRecipe("dog", None, SILENT, frames=2, shifts=((0, 0), (4, -6))))
    padded = np.pad(read_scene("dog"), 6, mode="reflect")
    np.testing.assert_array_equal(burst.frames[1], padded[6 - 4 : -6 - 4, 6 + 6 :])


def test_same_recipe_same_burst_and_each_seed_its_own():
    recipe = BurstRecipe("city", CROP, seed=3)
    first, second = synthesize(recipe), synthesize(recipe)
    np.testing.assert_array_equal(first.frames, second.frames)
    assert not np.array_equal(first.frames, synthesize(BurstRecipe("city", CROP, seed=4)).frames)


def test_kinds_of_motion():
    recipe = BurstRecipe("city", CROP, frames=4, seed=5)
    whole, sub, moving = (with_motion(recipe, motion) for motion in MOTIONS)
    assert whole == recipe == with_motion(moving, "whole-pixel")
    assert sub == dataclasses.replace(recipe, misalignment=Misalignment(subpixel=True))
    assert dataclasses.replace(moving, moving=None) == sub and 1 <= len(moving.objects) <= 3
    burst = synthesize(moving)
    assert (burst.shifts % 1 != 0).any() and burst.moving_mask.shape == (len(moving.objects), 48, 40)
    # Objects: the same for a seed, other ones for another, and from other photos than the burst's.
    assert moving == with_motion(recipe, "moving")
    others = [with_motion(dataclasses.replace(recipe, seed=seed), "moving") for seed in range(30)]
    assert len({other.moving for other in others}) == 30
    photos = {thing.photo for other in others for thing in other.objects}
    assert "city" not in photos and len(photos) > 10
    named = with_motion(recipe, "moving", ["city", str(photo_path("city")), "dog"])
    assert {thing.photo for thing in named.objects} == {"dog"}
    # Without a crop they are as large as the picture asks for; named shifts stay.
    large = with_motion(dataclasses.replace(recipe, crop=None, shifts=((0, 0),) * 4), "moving")
    assert max(thing.diameter for thing in large.objects) > 0.15 * 288 and large.shifts == ((0, 0),) * 4


def test_a_burst_has_few_moving_objects():
    moving = with_motion(BurstRecipe("city", (60, 60, 40, 48), frames=4), "moving").objects[:1]
    assert len(BurstRecipe("city", moving=8 * moving).objects) == 8
    with pytest.raises(ValueError, match="moving has 9 objects; a burst has up to 8"):
        BurstRecipe("city", moving=9 * moving)


@pytest.mark.parametrize(
    "photos, motion, sentence",
    [
        (None, "zoom", "motion is 'zoom'; choose whole-pixel, sub-pixel, moving or handheld"),
        (["city"], "moving", "photos names none but the burst's own"),
    ],
)
def test_bad_motions_are_named(photos, motion, sentence):
    with pytest.raises(ValueError, match=sentence):
        with_motion(BurstRecipe("city", CROP), motion, photos)


def test_a_burst_equals_itself_and_can_be_a_key():
    first, second = synthesize(BurstRecipe("city", CROP)), synthesize(BurstRecipe("city", CROP))
    assert first == first and first != second
    assert {first: 1, second: 2}[first] == 1


def test_no_two_random_streams_are_the_same():
    """Also with the channel of a color in between: the noise of R, G and B shares nothing with other draws."""
    assert len(Stream.__members__) == len(Stream) == 6
    recipe = BurstRecipe("city", CROP, NoiseModel(0.1, 0), shifts=((0, 0),) * 8)
    silent = dataclasses.replace(recipe, noise=SILENT)
    pairs = [
        *(
            (colors.frames[:, c], clean.frames[:, c])
            for colors, clean in [[synthesize(dataclasses.replace(r, color=True)) for r in (recipe, silent)]]
            for c in range(3)
        ),
        (synthesize(recipe).frames, synthesize(silent).frames),
    ]
    grain = [(noisy - clean).ravel() for noisy, clean in pairs]
    grain += [
        np.random.default_rng([stream, *more]).standard_normal(grain[0].size)
        for stream in (Stream.SHAKE, Stream.CROPS, Stream.OBJECTS, Stream.CAMERA)
        for more in ([0], [1], [2])
    ]
    # Independent: correlations of 15,360 numbers have a standard deviation of .008.
    assert np.abs(np.corrcoef(grain) - np.eye(len(grain))).max() < 0.04


def test_a_burst_is_the_same_on_every_machine():
    """Values of one run, stored: a change of library or processor must not change the bursts."""
    burst = synthesize(BurstRecipe("city", CROP, GAINS[8], seed=3))
    np.testing.assert_allclose(burst.frames[[0, 3, 7], [0, 20, 47], [0, 20, 39]], STORED_PIXELS, atol=1e-6)
    assert burst.shifts.tolist() == STORED_SHIFTS


STORED_PIXELS = [0.11849605292081833, -0.05756890028715134, 0.36420029401779175]
STORED_SHIFTS = [[0, 0], [0, 1], [0, 1], [-1, -1], [1, 0], [2, 0], [0, 2], [-1, -1]]


def test_the_gain_leaves_shake_and_grain_as_they_were():
    quiet, loud = (
        synthesize(BurstRecipe("city", CROP, noise)) for noise in (NoiseModel(0.01, 0), NoiseModel(0.04, 0))
    )
    np.testing.assert_array_equal(quiet.shifts, loud.shifts)
    clean = synthesize(BurstRecipe("city", CROP, SILENT)).frames
    np.testing.assert_allclose(4 * (quiet.frames - clean), loud.frames - clean, atol=1e-6)


def test_noise_of_frames_is_independent_and_has_the_model():
    burst = synthesize(BurstRecipe("sunset", None, NoiseModel(0.05, 0), shifts=((0, 0),) * 8))
    grain = (burst.frames - burst.truth).reshape(8, -1).astype(np.float64)
    np.testing.assert_allclose(np.cov(grain), 0.0025 * np.eye(8), atol=5e-5)


def test_misalignment_has_the_papers_distribution():
    rng = np.random.default_rng(0)
    shifts = np.concatenate([Misalignment().sample(8, rng)[1:] for _ in range(4000)])
    far = (np.abs(shifts) > 2).any(axis=1).mean()
    # P(a frame is far) = E[min(n, 8)] / 8 = 1.5 / 8; uniform on 33^2 shifts, of which 25 look near.
    assert far == pytest.approx(1.5 / 8 * (1 - 25 / 33**2), abs=0.01)
    assert shifts.min() == -16 and shifts.max() == 16
    near = shifts[(np.abs(shifts) <= 2).all(axis=1)]
    assert np.unique(near, axis=0).shape[0] == 25


def test_frame_0_is_never_shifted():
    assert all((Misalignment(3, 9, 8).sample(5, np.random.default_rng(s))[0] == 0).all() for s in range(20))


def test_moving_object_travels_over_the_shaken_background():
    moving = MovingObject("dog", center=(20, 12), diameter=11, velocity=(0, 2))
    shifts = ((0, 0), (1, 1), (-2, 0))
    recipe = BurstRecipe("sand", CROP, SILENT, frames=3, shifts=shifts, moving=moving)
    burst, background = (
        synthesize(recipe),
        synthesize(BurstRecipe("sand", CROP, SILENT, frames=3, shifts=shifts)),
    )
    np.testing.assert_array_equal(burst.truth, burst.frames[0])
    assert burst.shifts_at(20, 12).tolist() == [[0, 0], [1, 3], [-2, 4]]
    assert burst.shifts_at(40, 35).tolist() == [list(s) for s in shifts]
    for frame, plain, (dy, dx) in zip(burst.frames, background.frames, burst.shifts_at(20, 12), strict=True):
        # The object's inside is the same picture everywhere; away from it the frame is the background.
        np.testing.assert_array_equal(frame[17 + dy : 24 + dy, 9 + dx : 16 + dx], burst.truth[17:24, 9:16])
        outside = np.ones_like(frame, dtype=bool)
        outside[13 + dy : 28 + dy, 5 + dx : 20 + dx] = False
        np.testing.assert_array_equal(frame[outside], plain[outside])


def test_a_shift_by_half_a_pixel_is_one_pixel_of_the_photo():
    shifts = ((0, 0), (0.5, 0), (-1.5, 2.5))
    burst = synthesize(BurstRecipe("dog", CROP, SILENT, frames=3, shifts=shifts))
    photo = read_scene("dog", 1)
    for frame, (dy, dx) in zip(burst.frames, shifts, strict=True):
        top, left = int(200 - 2 * dy), int(160 - 2 * dx)
        np.testing.assert_array_equal(frame, box_reduce(photo[top : top + 96, left : left + 80], 2))
    assert burst.shifts.tolist() == [list(s) for s in shifts]


def test_subpixel_shake_is_uniform_on_the_grid_of_half_pixels():
    drawn = np.concatenate(
        [Misalignment(2, 2, 0, subpixel=True).sample(8, np.random.default_rng(s))[1:] for s in range(400)]
    )
    values, counts = np.unique(drawn, return_counts=True)
    assert values.tolist() == [k / 2 for k in range(-4, 5)]
    # 622 of each are expected, with a standard deviation of 23.5.
    assert np.abs(counts - drawn.size / 9).max() < 4 * 23.5


def test_shifts_finer_than_the_photo_are_refused():
    with pytest.raises(ValueError, match="1/2 px"):
        synthesize(BurstRecipe("dog", CROP, SILENT, frames=2, shifts=((0, 0), (0.25, 0))))
    with pytest.raises(ValueError, match="reduction is 1"):
        BurstRecipe("dog", CROP, misalignment=Misalignment(subpixel=True), reduction=1)


def test_objects_hide_each_other_and_move_by_half_pixels():
    back = MovingObject("city", center=(20, 16), diameter=20, velocity=(0.5, 0))
    front = MovingObject("night", center=(20, 24), diameter=16, velocity=(0, 1))
    shifts = ((0, 0), (0, 0.5))
    burst = synthesize(BurstRecipe("sand", CROP, SILENT, frames=2, shifts=shifts, moving=(back, front)))
    assert burst.moving_mask.shape == (2, 48, 40) and burst.moving_mask.sum(0).max() <= 1 + 1e-6
    assert (burst.object_at[20, 10], burst.object_at[20, 22], burst.object_at[40, 5]) == (1, 2, 0)
    assert burst.shifts_at(20, 10).tolist() == [[0, 0], [0.5, 0.5]]
    assert burst.shifts_at(20, 22).tolist() == [[0, 0], [0, 1.5]]
    shift_map = burst.shift_map()
    assert shift_map.shape == (2, 48, 40, 2)
    for y, x in ((20, 10), (20, 22), (40, 5)):
        np.testing.assert_array_equal(shift_map[:, y, x], burst.shifts_at(y, x))
    # Inside, the object is its own photo, shifted: here the front one, by one and a half pixels.
    photo = read_scene("night", 1)
    middle_y, middle_x = (n // 2 for n in photo.shape)
    for frame, dx in zip(burst.frames, (0, 1.5), strict=True):
        top, left = middle_y - 40 + 2 * 17, middle_x - 48 - int(2 * dx) + 2 * 22
        np.testing.assert_allclose(
            frame[17:23, 22:28], box_reduce(photo[top : top + 12, left : left + 12], 2), rtol=1e-6
        )


def test_an_outline_is_what_its_equation_says():
    moving = MovingObject("dog", (0, 0), 20, (0, 0), outline=((0.2, 0.0),), softness=2)
    # r(t) = 10 (1 + .2 cos 2t): 12 along x, 8 along y; half covered on the outline, fading across 2 px.
    covered = moving.coverage(np.array([0, 0, 0, 0, 8, 7]), np.array([12, 11, 13, 11.5, 0, 0]))
    np.testing.assert_allclose(covered, [0.5, 1, 0, 0.75, 0.5, 1], atol=1e-6)


def test_drawn_objects_keep_to_what_is_promised():
    drawn = [draw_objects(["dog", "city"], (128, 96), np.random.default_rng(s)) for s in range(200)]
    assert {len(objects) for objects in drawn} == {1, 2, 3}
    every = [o for objects in drawn for o in objects]
    speeds = np.array([np.hypot(*o.velocity) for o in every])
    assert 0.25 <= speeds.min() < 0.3 and 1.8 < speeds.max() <= 2
    assert all(0.15 * 96 <= o.diameter <= 0.4 * 96 for o in every)


def test_white_level_scales_the_scene_before_the_noise():
    dim = synthesize(BurstRecipe("dog", CROP, SILENT, white_level=0.25))
    np.testing.assert_allclose(
        dim.truth, 0.25 * synthesize(BurstRecipe("dog", CROP, SILENT)).truth, rtol=1e-6
    )


def test_one_frame_and_one_pixel():
    burst = synthesize(BurstRecipe("dog", (5, 5, 1, 1), frames=1))
    assert burst.frames.shape == (1, 1, 1) and burst.mean.shape == (1, 1)


@pytest.mark.parametrize(
    "changes, sentence",
    [
        (dict(frames=0), "frames is 0"),
        (dict(white_level=0), "white_level is 0"),
        (dict(seed=-1), "seed is -1"),
        (dict(shifts=((0, 0), (1, 1))), "shifts names 2 frames; the burst has 8"),
        (dict(shifts=((1, 0),) * 8), "frame 0 is the reference"),
        (dict(crop=(0, 0, 0, 5)), r"crop is \(0, 0, 0, 5\)"),
        (dict(crop=(0, 0, 500, 5)), "does not fit the photo 'dog', 288x288"),
        (dict(photo="no-such"), "photo 'no-such' is neither in the gallery"),
        (dict(reduction=0), "reduction is 0"),
        (dict(photo=None), "photo is None; it is a name of the gallery, or a file"),
        (dict(noise=None), "noise is None; it is a NoiseModel"),
        (dict(misalignment=None), "misalignment is None; it is a Misalignment"),
        (dict(moving="x"), "moving is 'x'; it is a MovingObject or several"),
        (dict(moving=5), "moving is 5; it is a MovingObject or several"),
        (dict(moving=["x"]), "moving holds 'x'; it is a MovingObject or several"),
        (dict(crop="abcd"), "crop is 'abcd'; it is .top, left, height, width"),
        (dict(crop=5), "crop is 5; it is .top, left, height, width"),
        (dict(crop=(0, 0, None, 3)), "crop: a number is None; it is a whole number"),
        (dict(shifts=5), "shifts is 5; it is .dy, dx. of each frame"),
        (dict(shifts=(5,) * 8), "shifts: one is 5; it is .dy, dx. in pixels"),
        (dict(shifts=((0, 0), None), frames=2), "shifts: one is None; it is .dy, dx. in pixels"),
    ],
)
def test_bad_recipes_are_named(changes, sentence):
    with pytest.raises(ValueError, match=sentence):
        synthesize(BurstRecipe(**{"photo": "dog", **changes}))


@pytest.mark.parametrize(
    "frames, sentence",
    [
        (np.zeros((0, 4, 4), np.float32), r"shape \(0, 4, 4\)"),
        (np.zeros((4, 4), np.float32), r"shape \(4, 4\)"),
        (np.array([[[0.0]], [[np.nan]]], np.float32), "frame 1 holds values that are not finite"),
    ],
)
def test_bad_frames_are_named(frames, sentence):
    with pytest.raises(ValueError, match=sentence):
        Burst(frames, NoiseModel(0.1, 0.1))


@pytest.mark.parametrize("bad", [dict(small=3, large=2), dict(small=-1), dict(rate=-1)])
def test_bad_misalignment_is_named(bad):
    with pytest.raises(ValueError, match="misalignment"):
        Misalignment(**bad)


def test_bad_moving_object_is_named():
    usual = dict(photo="dog", center=(0, 0), diameter=5, velocity=(0, 0))
    for changed, sentence in (
        (dict(diameter=0), "diameter is 0"),
        (dict(photo=None), "photo is None; it is a name of the gallery, or a file"),
        (dict(center=None), "center is None; it is .y, x."),
        (dict(velocity="ab"), "velocity is 'ab'; it is .y, x."),
        (dict(outline=None), "outline is None; it is up to 64 pairs"),
        (dict(outline=(5,)), "a pair of outline is 5; it is .amplitude, phase."),
    ):
        with pytest.raises(ValueError, match=f"^moving object: {sentence}"):
            MovingObject(**usual | changed)


@pytest.mark.parametrize("name", ["noise", "misalignment", "moving", "crop", "shifts"])
def test_a_recipe_from_outside_with_a_wrong_part_is_one_sentence(name):
    with pytest.raises(ValueError, match=f"^{name} is 5; it is "):
        BurstRecipe.from_dict({"photo": "dog", name: 5})


def test_a_pixel_beyond_the_frames_has_no_shift():
    burst = synthesize(BurstRecipe("dog", (0, 0, 20, 30)))
    for place in ((20, 0), (-1, 0), (0, 30)):
        with pytest.raises(
            ValueError, match=rf"pixel \({place[0]}, {place[1]}\) does not lie in the frames, 20x30"
        ):
            burst.shifts_at(*place)


@pytest.mark.parametrize("dtype", [np.float16, np.float64, ">f4"])
def test_any_floating_point_is_taken_and_denoised(dtype):
    from kpnviz.denoise import load

    burst = synthesize(BurstRecipe("dog", (60, 60, 33, 40)))
    strided = np.zeros((8, 66, 80), dtype)[:, ::2, ::-2]
    strided[:] = burst.frames
    given = Burst(strided, burst.noise, np.float64(1), truth=strided[0], shifts=burst.shifts.tolist())
    plain = Burst(strided.astype(np.float32), burst.noise)
    assert given.frames.dtype == np.float32 and given.truth.dtype == np.float32
    name = available()[0]
    np.testing.assert_array_equal(load(name)(given).image, load(name)(plain).image)


@pytest.mark.parametrize(
    "frames, sentence",
    [
        (np.zeros((2, 8, 8), np.uint8), "frames has dtype uint8; intensities are floating point, white = 1"),
        (np.zeros((2, 8, 8), bool), "frames has dtype bool"),
        (np.zeros((2, 8, 8), complex), "frames has dtype complex128"),
        (np.full((2, 8, 8), 1e300), "frame 0 holds values that are not finite"),
        (np.full((2, 8, 8), -1e38, np.float32), "a value of 1e\\+38 is beyond 1e\\+06"),
    ],
)
def test_frames_that_are_no_intensities_are_one_sentence(frames, sentence):
    with pytest.raises(ValueError, match=sentence):
        Burst(frames, NoiseModel(0.1, 0))


FRAMES = np.full((4, 8, 9), 0.5)
MASKS = dict(moving_mask=np.zeros((2, 8, 9)), moving_shifts=np.zeros((2, 4, 2)))


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        (dict(shifts=np.zeros((2, 2))), r"shifts has shape \(2, 2\); of the frames it is \(4, 2\)"),
        (dict(shifts=[[0, 0], [0, 1], [0, np.nan], [0, 0]]), "shifts holds what is no shift in pixels"),
        (dict(shifts=[[0, 0], [0, 1], [0, 1e300], [0, 0]]), "shifts holds what is no shift in pixels"),
        (dict(shifts=[["0", "1"]] * 4), "shifts holds what is no shift in pixels"),
        (dict(truth=np.full((8, 9), np.nan)), "truth holds values that are not finite"),
        (dict(truth=np.full((8, 9), 1e7)), r"truth: a value of 1e\+07 is beyond"),
        (dict(truth=np.zeros((8, 8))), r"truth has shape \(8, 8\); of the frames it is \(8, 9\)"),
        (dict(truth=np.zeros((8, 9), int)), "truth has dtype int64"),
        (MASKS | dict(moving_mask=np.zeros((3, 3))), r"moving_mask has shape \(3, 3\); of the frames it is \(3, 8"),
        (MASKS | dict(moving_mask=np.full((2, 8, 9), 2.0)), "moving_mask holds values beyond 0 to 1"),
        (MASKS | dict(moving_mask=np.full((2, 8, 9), np.nan)), "moving_mask: mask 0 holds values that are not finite"),
        (MASKS | dict(moving_mask=np.zeros((0, 8, 9))), "moving_mask is of 0 objects; 1 to 255"),
        (MASKS | dict(moving_mask=np.zeros((256, 8, 9))), "moving_mask is of 256 objects; 1 to 255"),
        (MASKS | dict(moving_shifts=np.zeros((2, 3, 2))), r"moving_shifts has shape \(2, 3, 2\); of the masks and"),
        (MASKS | dict(moving_shifts=None), "moving_mask and moving_shifts come together"),
        (MASKS | dict(moving_mask=None), "moving_mask and moving_shifts come together"),
        (dict(noise=0.1), "noise is 0.1; it is a NoiseModel"),
        (dict(noise=(0.1, 0.1)), r"noise is \(0.1, 0.1\); it is a NoiseModel"),
        (dict(noise=[GAINS[1]] * 3), "noise has 3 models; the frames have 1 channels"),
    ],
)  # fmt: skip
def test_what_does_not_fit_the_frames_is_one_sentence(values, sentence):
    with pytest.raises(ValueError, match=sentence):
        Burst(**{"frames": FRAMES, "noise": SILENT} | values)


def test_a_burst_has_arrays_of_its_own():
    given = MASKS | dict(frames=FRAMES, truth=FRAMES[0], shifts=np.zeros((4, 2), np.int64))
    given = {name: np.array(values, order="C") for name, values in given.items()}
    given |= {name: given[name].astype(np.float32) for name in ("frames", "truth", "moving_mask")}
    burst = Burst(**given, noise=SILENT)
    before = {name: getattr(burst, name).copy() for name in given}
    for values in given.values():
        values[...] = 1
    for name in given:
        np.testing.assert_array_equal(getattr(burst, name), before[name], err_msg=name)


@pytest.mark.parametrize("name", ["frames", "truth", "moving_mask", "shifts", "moving_shifts"])
def test_masked_values_are_refused(name):
    values = MASKS | dict(frames=FRAMES, truth=FRAMES[0], shifts=np.zeros((4, 2)))
    whole = np.ma.masked_array(values[name], np.zeros(values[name].shape, bool))
    np.testing.assert_array_equal(getattr(Burst(**values | {name: whole}, noise=SILENT), name), values[name])
    whole[(0,) * whole.ndim] = np.ma.masked
    with pytest.raises(ValueError, match=f"^{name} has masked values"):
        Burst(**values | {name: whole}, noise=SILENT)


def test_an_objects_outline_is_of_numbers():
    for wave in ((0.1, float("nan")), (float("nan"), 0.1), (0.1, float("inf")), (0.1, "1"), (1e9, 0)):
        with pytest.raises(ValueError, match="moving object: a number of outline is"):
            MovingObject("dog", (0, 0), 5, (0, 0), ((0.1, 0.2), wave))
    with pytest.raises(ValueError, match="outline is not up to 64 pairs"):
        MovingObject("dog", (0, 0), 5, (0, 0), ((0.1, 0.2, 0.3),))
    assert MovingObject("dog", (0, 0), 5, (0, 0), ([np.float32(0.5), 1],)).outline == ((0.5, 1.0),)


def test_numpy_scalars_are_numbers():
    recipe = BurstRecipe(
        "dog",
        tuple(np.array([0, 0, 20, 30])),
        frames=np.int64(3),
        seed=np.uint8(4),
        reduction=np.int32(2),
        white_level=np.float32(0.5),
    )
    assert json.loads(json.dumps(dataclasses.asdict(recipe)))["crop"] == [0, 0, 20, 30]
    assert len(synthesize(recipe)) == 3


@pytest.mark.parametrize(
    "values",
    [
        dict(frames=1e30),
        dict(frames=10**12),
        dict(frames=True),
        dict(seed=2**70),
        dict(reduction=0),
        dict(white_level=1e-300),
        dict(white_level="1"),
        dict(crop=(0, 0, 1e9, 1e9)),
        dict(frames=2, shifts=((0, 0), (1e300, 0))),
        dict(frames=2, shifts=((0, 0), ("1", "0"))),
        dict(misalignment=dict(small=0, large=10**9)),
        dict(misalignment=dict(rate=float("inf"))),
        dict(moving=dict(photo="dog", center=(0, 1e300), diameter=3.0, velocity=(0, 0), outline=())),
        dict(moving=dict(photo="dog", center=(0, 0), diameter=1e300, velocity=(0, 0), outline=())),
        dict(noise=dict(read_std=1e300, shot_gain=0)),
    ],
)
def test_recipes_from_outside_have_ranges(values):
    with pytest.raises(ValueError, match=r" is .*\b(number|whole|pixels)\b"):
        BurstRecipe.from_dict({"photo": "dog", **values})


COLOR = dict(frames=np.random.default_rng(3).random((4, 3, 6, 7)).astype(np.float32))


def test_a_burst_is_frames_alone_of_numpy_or_torch():
    import torch

    frames = COLOR["frames"]
    for given in (frames, torch.from_numpy(frames).requires_grad_(), frames.astype(np.float64)):
        burst = Burst(given, truth=given[0])
        np.testing.assert_array_equal(burst.frames, frames)
        assert (burst.channels, burst.noise, burst.height, burst.width, len(burst)) == (3, None, 6, 7, 4)
    gray = Burst(torch.from_numpy(frames[:, :1]).bfloat16(), truth=frames[0, :1])
    assert gray.frames.shape == (4, 6, 7) and gray.truth.shape == (6, 7) and gray.channels is None
    assert repr(burst) == "Burst(4 frames of 6x7 in color, noise not known, white 1, truth)"
    with pytest.raises(ValueError, match="the burst has no noise model, which a noise map needs: Burst"):
        burst.noise_map()


def test_channels_of_color_and_their_weighted_sum():
    noises = [NoiseModel(r, s) for r, s in ((0.01, 0.001), (0.02, 0.002), (0.03, 0.004))]
    burst = Burst(**COLOR, noise=noises, truth=COLOR["frames"][1])
    for c in range(3):
        one = burst.channel(c)
        np.testing.assert_array_equal(one.frames, COLOR["frames"][:, c])
        np.testing.assert_array_equal(one.truth, COLOR["frames"][1, c])
        assert one.noise == noises[c] and one.channel(0) is one is one.gray()
        np.testing.assert_array_equal(burst.noise_map(2)[c], one.noise_map(2))
    gray = burst.gray()
    np.testing.assert_allclose(gray.frames, luminance(np.moveaxis(COLOR["frames"], 1, -1)), rtol=1e-6)
    np.testing.assert_allclose(gray.truth, luminance(np.moveaxis(COLOR["frames"][1], 0, -1)), rtol=1e-6)
    # Monte Carlo: the noise of the sum of three equally bright channels.
    rng, weights = np.random.default_rng(0), (0.5, 0.3, 0.2)
    level = np.full(200_000, 0.4)
    summed = sum(
        w * noise.add_to(level, rng).astype(np.float64) for w, noise in zip(weights, noises, strict=True)
    )
    found = burst.gray(weights).noise.std_map(np.array([0.4]))
    assert summed.std() == pytest.approx(found[0], rel=0.006)  # 1 / sqrt(2 * 200,000) = .0016
    with pytest.raises(ValueError, match="the burst is in color, .N, C, H, W.; nlm takes gray ones"):
        burst.gray_noise("nlm")
    with pytest.raises(ValueError, match="channel is 3; the burst has channels 0 to 2"):
        burst.channel(3)


@pytest.mark.parametrize(
    "values, sentence",
    [
        (
            dict(frames=np.zeros((4, 6, 7, 3))),
            r"C = 6 channels; .* \[N, H, W, C\]: frames.transpose\(0, 3, 1, 2\)",
        ),
        (dict(frames=np.zeros((4, 2, 6, 7))), r"so C = 2 channels; \[N, C, H, W\] has C = 1 or 3$"),
        (
            dict(frames=np.zeros((6, 7))),
            r"frames has shape \(6, 7\); a burst is \[N, H, W\] or \[N, C, H, W\]",
        ),
        (COLOR | dict(truth=np.zeros((6, 7))), r"truth has shape \(6, 7\); of the frames it is \(3, 6, 7\)"),
        (COLOR | dict(noise=(GAINS[1],) * 2), "noise has 2 models; the frames have 3 channels"),
        (dict(frames=np.full((4, 3, 2, 2), np.nan)), "frames: frame 0 holds values that are not finite"),
    ],
)
def test_bad_color_is_one_sentence(values, sentence):
    with pytest.raises(ValueError, match=sentence):
        Burst(**values)


@pytest.mark.parametrize("motion", ["whole-pixel", "moving"])
def test_color_is_the_same_scene_as_its_luminance(motion):
    """Whose frames without noise, shake and objects are those of the gray burst: luminance is linear."""
    recipe = with_motion(BurstRecipe("flowers", CROP, SILENT, seed=5), motion)
    gray, color = synthesize(recipe), synthesize(dataclasses.replace(recipe, color=True))
    assert color.frames.shape == (8, 3, 48, 40) and np.ptp(color.frames, axis=1).max() > 0.2
    np.testing.assert_allclose(color.gray().frames, gray.frames, atol=2e-6)
    np.testing.assert_allclose(color.gray().truth, gray.truth, atol=2e-6)
    for name in ("shifts", "moving_mask", "moving_shifts"):
        np.testing.assert_array_equal(getattr(color, name), getattr(gray, name))
    again = BurstRecipe.from_dict(dataclasses.asdict(color.recipe))
    assert again == color.recipe and again.color and not gray.recipe.color


def test_photos_with_color_are_told_from_gray_ones(tmp_path):
    from PIL import Image

    Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8)).save(tmp_path / "gray.png")
    assert has_color("dog") and not has_color(str(tmp_path / "gray.png"))
    with pytest.raises(ValueError, match="color is 1; it is True or False"):
        BurstRecipe("dog", color=1)
