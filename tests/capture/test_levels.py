"""Black and white of numbers, and what is said where they are none."""

import io

import numpy as np
import pytest

from kpnviz.burst import BurstRecipe, synthesize
from kpnviz.capture.frame_stack import GRAY
from kpnviz.capture.levels import find_levels, shade_of
from kpnviz.capture.prepare import prepare
from kpnviz.capture.reader import read_frames
from kpnviz.capture.writer import encoded
from kpnviz.limits import FileError
from kpnviz.noise import NoiseModel
from kpnviz.pictures import write_png16
from kpnviz.sampling import box_reduce

RNG = np.random.default_rng(0)
LIGHT = synthesize(BurstRecipe("city", (0, 0, 128, 160), NoiseModel(0.01, 0.002), frames=3)).frames
LIGHT = (LIGHT - np.quantile(box_reduce(LIGHT[0], 8), 0.01)).astype(np.float32)
LIGHT /= np.quantile(LIGHT, 0.999)  # dark parts are black, bright ones white


def npy(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def read(array):
    return read_frames([("burst.npy", npy(array))])


def light_of(stack, frame=1):
    return stack.light(frame, GRAY, slice(None), slice(None))


def levels(frames, counts=0):
    frames = np.asarray(frames, np.float32) if np.asarray(frames).dtype != np.uint16 else np.asarray(frames)
    used = int(np.bitwise_or.reduce(frames, axis=None)) if frames.dtype == np.uint16 else 0
    return find_levels(frames[:, None], float(frames.max()), used, counts)


@pytest.mark.parametrize("scale", [255, 1023, 4095, 16383, 32767, 65535])
@pytest.mark.parametrize("counts", [0, 15, 32])
def test_noise_beyond_white_leaves_white_where_it_is(scale, counts):
    if counts and scale == (65535 if counts == 15 else 32767):
        return  # no number of 16 bits with a sign; none of 32 without
    frames = LIGHT * scale
    assert frames.max() > 1.05 * scale
    found = levels(np.rint(frames) if counts else frames, counts)
    assert found.white == scale and found.black is None and "brightest numbers" in found.why
    if scale in (1023, 4095):
        assert levels(np.rint(frames.clip(0, 1.2 * scale)).astype(np.uint16)).white == scale
    spoilt = frames.copy()
    spoilt[1, 5, 5] = 9 * scale  # a hot pixel
    assert levels(spoilt).white == scale


@pytest.mark.parametrize("scale", [10, 40, 1e-6, 3e5])
def test_numbers_on_no_usual_scale_have_the_brightest_as_white(scale):
    bright = np.sqrt(LIGHT.clip(1e-3))  # at most a tenth of it is highlights
    stack = read(bright * np.float32(scale))
    np.testing.assert_allclose(light_of(stack), bright[1], rtol=0.01, atol=1e-6)
    assert "black at 0 and white at" in stack.notes[0] and "brightest numbers" in stack.notes[0]


@pytest.mark.parametrize("gain", [2, 8])
def test_a_bright_sky_is_no_brighter_than_white_by_its_noise(gain):
    sky = LIGHT.copy()
    sky[..., : LIGHT.shape[-1] // 2, :] = 0.98
    noisy = NoiseModel.for_gain(gain).add_to(sky, np.random.default_rng(0))
    assert np.quantile(noisy, 0.9) > 1 and np.quantile(noisy, 0.999) > 1.15
    assert levels(noisy).white is None


def test_intensities_dark_frames_and_highlights_are_read_as_they_are():
    highlights = LIGHT.copy()
    highlights[:, :8, :8] = 6
    dark = RNG.normal(0, 0.02, LIGHT.shape)
    for frames in (LIGHT, LIGHT / 50, highlights, dark, np.zeros_like(LIGHT), dark - 0.005):
        found = levels(frames)
        assert (found.black, found.white, found.more) == (None, None, "")
        assert not read(frames.astype(np.float32)).notes


@pytest.mark.parametrize("offset", [-0.05, -0.2, -0.6])
def test_black_below_0_is_found_and_added_back(offset):
    stack = read(LIGHT + np.float32(offset))
    black, white = stack.levels
    assert black == pytest.approx(offset, abs=0.02) and white - black == pytest.approx(1)
    assert "% of the numbers are below 0 (the least is -" in stack.notes[0] and "--black" in stack.notes[0]
    light = light_of(stack)
    np.testing.assert_allclose(light + black, LIGHT[1] + offset, atol=1e-6)
    import tifffile

    written = tifffile.imread(io.BytesIO(encoded(light[None], stack, 0, ".tif", True, True)))
    np.testing.assert_allclose(written, LIGHT[1] + offset, atol=1e-6)
    stated = stack.meant(None, offset, 1 + offset)
    assert stated.taken_off == 0 and not stated.notes
    moved = [shift.measured for shift in prepare(stack).shifts]
    expected = [shift.measured for shift in prepare(read(LIGHT)).shifts]
    np.testing.assert_allclose(moved, expected, atol=0.05)


@pytest.mark.parametrize("shape", [(3, 128, 1), (3, 1, 160)])
def test_noise_of_whole_rows_or_columns_is_no_light_below_black(shape):
    found = levels(LIGHT + 0.04 * np.random.default_rng(1).standard_normal(shape))
    assert found.black is None and not found.more


def test_signed_counts_have_the_same_light():
    stack = read(np.rint(LIGHT * 20000 - 3000).astype(np.int16))
    assert stack.levels[1] - stack.levels[0] == 32767 and stack.levels[0] == pytest.approx(-3000, abs=200)


@pytest.mark.parametrize(
    "dtype, brightest, white",
    [
        (np.uint32, 2**32 - 1, 2**32 - 1),
        (np.uint32, 2**31, 2**32 - 1),
        (np.int32, 2**31 - 1, 2**31 - 1),
        (np.uint32, 20_000, 65535),
        (np.int64, 20_000, 65535),
        (np.int16, 20_000, 32767),
        (np.uint32, 900_000, 2**20 - 1),
    ],
)
def test_integers_of_32_bits_have_the_largest_number_of_the_bits_they_use_as_white(dtype, brightest, white):
    numbers = np.rint(LIGHT.clip(0, 1).astype(np.float64) * brightest).astype(dtype)
    for part in (numbers, numbers[:1]):  # a part of the burst is as bright as in the whole
        stack = read(part)
        np.testing.assert_allclose(stack.levels, (0, white), rtol=1e-6)
        note = stack.notes[0]
        assert f"white at {white}: the brightest numbers are about" in note
        assert (f"as of {white.bit_length()} bits" in note and "(--white)" in note) == (dtype != np.int16)
    np.testing.assert_allclose(read(numbers).meant(None, 0, 1e4).levels, (0, 1e4))


def test_black_that_is_stated_too_high_is_said():
    stack = read(LIGHT).meant("linear", 0.3, 1.0)
    assert "% of the numbers are below 0.3" in stack.notes[0] and "state a lower one" in stack.notes[0]
    assert not read(LIGHT).meant("linear", 0.0, 1.0).notes


@pytest.mark.parametrize("black", [128, 256, 512])
def test_the_pedestal_of_a_sensor_is_found(black):
    codes = np.rint(black + LIGHT * (3900 - black)).clip(0, 4095).astype(np.uint16)
    stack = read_frames([(f"{i}.png", write_png16(frame)) for i, frame in enumerate(codes)])
    assert stack.levels == (black, 4095) and f"near {black}: that is taken for black" in stack.notes[0]
    assert levels(np.where(codes < black, 0, codes).astype(np.uint16)).black is None  # there are numbers at 0


def test_black_that_may_lie_anywhere_is_asked_for():
    found = levels(LIGHT * 0.6 + 0.17)
    assert found.black is None and "No number is near 0" in found.more and "(--black 0.16" in found.more


def test_stating_black_alone_says_that_it_makes_files_linear():
    codes = np.rint(LIGHT.clip(0, 1) * 255).astype(np.uint8)
    stack = read(codes)
    assert stack.encoded
    stated = stack.meant(None, None, 200)
    assert not stated.encoded and "Read as linear light, not as sRGB, as white is given." in stated.notes[0]
    both = stack.meant(None, 3, 200)
    assert "as black and white are given" in both.notes[0]
    assert not any("not as sRGB" in note for note in stack.meant("linear", None, 200).notes)


def test_frames_come_first():
    gray = read(LIGHT[0][..., None])
    assert (len(gray), gray.height, gray.width) == (1, *LIGHT.shape[1:])
    np.testing.assert_array_equal(light_of(gray, 0), LIGHT[0])
    for shape in ((64, 64, 8), (128, 96, 3, 5), (64, 80, 2)):
        with pytest.raises(FileError, match=r"looks like \[H, W, (C, )?N\]; frames come first: np.moveaxis"):
            read(np.zeros(shape, np.float32))
    for shape, frames in (((64, 80, 3), 1), ((20, 30, 16), 20), ((8, 16, 16, 3), 8)):
        assert len(read(np.full(shape, 0.5, np.float32))) == frames


@pytest.mark.parametrize(
    "spoil, sentence",
    [
        (
            [np.s_[:70]],
            "hold no numbers .NaN. in 70 rows at the top of 160x128 pixels; cut the frames to the part",
        ),
        (
            [np.s_[:1], np.s_[60, 70]],
            "1 row at the top, and 1 elsewhere; cut these off all frames, and write",
        ),
        ([np.s_[3, 7]], "holds a value that is not finite .* at row 3, column 7; write a number there"),
        ([np.s_[10:20, 30:40]], "100 values .* in rows 10 to 19; write numbers there"),
        ([np.s_[:]], "holds values that are not finite"),
    ],
)
def test_where_numbers_are_not_finite(spoil, sentence):
    frame = LIGHT[0].copy()
    for where in spoil:
        frame[where] = np.nan
    with pytest.raises(FileError, match=sentence):
        read(frame)


@pytest.mark.parametrize("kind", ["npy", "tif", "color"])
def test_a_border_without_numbers_is_cut_off_all_frames(kind):
    """Frames that were laid onto others: what they show is the same part of all, which stays as it was. What may be a
    mosaic begins with the color that it began with."""
    import tifffile

    frames = LIGHT.copy()
    frames[1, :5], frames[2, :, -3:] = np.nan, np.nan
    inside, said = (
        np.s_[:, 6:, :-3],
        "in 5 rows at the top and 3 columns at the right: all were cut to the 157x122",
    )
    if kind == "color":
        frames, inside = np.stack([frames] * 3, axis=-1), np.s_[:, 5:, :-3]
        said = "cut to the 157x123 pixels within"
    if kind == "tif":
        files = []
        for i, frame in enumerate(frames):
            file = io.BytesIO()
            tifffile.imwrite(file, frame)
            files.append((f"{i}.tif", file.getvalue()))
        stack = read_frames(files)
    else:
        stack = read(frames)
    assert said in " ".join(stack.notes)
    expected = frames[inside]
    codes = stack.codes.transpose(0, 2, 3, 1).reshape(expected.shape)
    np.testing.assert_array_equal(codes, expected)
    assert np.isfinite(codes).all()


def test_arrays_that_are_no_pictures_are_one_sentence():
    objects = io.BytesIO()
    np.save(objects, np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(FileError, match=r"holds Python objects \(dtype object\), not numbers; .*np.stack"):
        read_frames([("o.npy", objects.getvalue())])
    with pytest.raises(FileError, match="holds a single number, no picture"):
        read(np.array(3.0))
    with pytest.raises(FileError, match="holds 100 numbers in one row, no picture"):
        read(np.zeros(100))


def test_a_picture_of_one_shade_is_said():
    assert shade_of(np.full((1, 9, 9), 1e-5)).startswith("100 % of the picture is black")
    assert shade_of(np.full((3, 9, 9), 1.2)).startswith("100 % of the picture is white")
    assert shade_of(LIGHT[:1]) == "" and shade_of(np.full((1, 9, 9), 1e-2), 0.1) == ""
