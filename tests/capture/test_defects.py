"""Hot pixels and fixed columns of a sensor, put into bursts whose light is known."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, maximum_filter

from kpnviz.burst import BurstRecipe, Misalignment, synthesize
from kpnviz.capture.prepare import prepare
from kpnviz.capture.reader import read_frames
from kpnviz.noise import NoiseModel
from kpnviz.photos import read_scene

from .picture_makers import npy

SHAKE = Misalignment(2, 6, 3.0)
GAIN = NoiseModel.for_gain(2)


def burst(color=False, shake=SHAKE, photo="city"):
    recipe = BurstRecipe(photo, (40, 40, 96, 120), GAIN, frames=6, misalignment=shake, seed=3, color=color)
    return synthesize(recipe).frames


def hurt(frames, seed=1):
    """Frames [N, H, W] with hot and dead pixels, a column to which .1 is added, and one that is stuck; and where."""
    rng = np.random.default_rng(seed)
    N, H, W = frames.shape
    out, where = frames.copy(), np.zeros((H, W), bool)
    places = rng.permutation(H * W // 36)[:8]  # none beside another one
    y, x = 6 * (places // (W // 6)) + 2, 6 * (places % (W // 6)) + 2
    out[:, y, x] = np.where(np.arange(8) < 6, np.minimum(out[:, y, x] + 0.5, 1.2), -0.02)
    dead = (np.arange(8) >= 6) & (frames[:, y, x].mean(axis=0) < 0.15)  # hardly differ from what is dark
    out[:, y[dead], x[dead]] += 0.7
    out[:, :, 35] += 0.1
    out[:, :, 80] = 0.9 + rng.normal(0, 0.01, (N, H))
    where[y, x] = True
    where[:, [35, 80]] = True
    return out, where


def stack_of(frames, kind="f4", how="linear", levels=(None, None)):
    return read_frames([(f"{i}.npy", npy(frame.astype(kind))) for i, frame in enumerate(frames)]).meant(
        how, *levels
    )


def light(stack, channel=0):
    whole = slice(0, stack.height), slice(0, stack.width)
    return np.stack([stack.light(i, channel, *whole) for i in range(len(stack))])


def error(found, frames, where):
    return float(np.sqrt(np.square(found - frames)[:, where].mean()))


@pytest.mark.parametrize("kind", ["gray", "counts", "color", "bayer"])
def test_defects_are_mended_wherever_light_is_read(kind):
    shake = (
        Misalignment(4, 8, 3.0) if kind == "bayer" else SHAKE
    )  # of pixels of the mosaic, half as many of its colors
    frames = burst(kind in ("color", "bayer"), shake)
    if kind in ("gray", "counts"):
        bad, where = hurt(frames)
        stack = stack_of(bad)
        if kind == "counts":
            stack = stack_of(np.clip(np.rint(400 + 3000 * bad), 0, 4095), "u2", levels=(400, 3400))
        own = prepare(stack, brightness=False)
        pairs = [(light(own.stack), bad, frames, where)]
    elif kind == "color":
        green, where = hurt(frames[:, 1])
        bad = np.stack([frames[:, 0], green, frames[:, 2]], axis=-1)
        own = prepare(stack_of(bad), brightness=False)
        pairs = [(light(own.stack, 1), green, frames[:, 1], where)]
        np.testing.assert_array_equal(light(own.stack, 0), frames[:, 0].astype(np.float32))
    else:
        mosaic = frames[:, 1].copy()
        mosaic[:, ::2, ::2], mosaic[:, 1::2, 1::2] = frames[:, 0, ::2, ::2], frames[:, 2, 1::2, 1::2]
        bad, where = hurt(mosaic)
        own = prepare(stack_of(bad, how="bayer:RGGB"), brightness=False)
        pairs = [
            (light(own.stack, c), *(x[..., k::2, k::2] for x in (bad, mosaic, where)))
            for c, k in ((0, 0), (2, 1))
        ]
    assert own.stack.mended.lines == 2 and 6 <= own.stack.mended.pixels <= 12
    assert "found over the burst and mended" in " ".join(own.stack.notes)
    for found, before, true, where in pairs:
        assert error(found, true, where) < 0.15 * error(before, true, where)
        # Hardly any other pixel is touched, and none by much.
        changed = (np.abs(found - before) > 2e-3)[:, ~where].mean()
        assert changed < 2e-3
    # Windows beyond the edge, and those of other frames' places, show the same.
    view = own.channel(0, GAIN)
    whole = view.window(slice(0, view.height), slice(0, view.width))
    np.testing.assert_array_equal(view.window(slice(20, 40), slice(10, 50)), whole[:, 20:40, 10:50])
    kept = prepare(own.stack, mend=False)
    assert kept.stack.mended is None and "not looked for, as chosen" in kept.report
    assert "as chosen" not in own.report


@pytest.mark.parametrize("photo", ["city", "dog", "sand"])
@pytest.mark.parametrize("shake", [SHAKE, Misalignment(0, 0, 0.0)])
def test_what_is_of_the_scene_stays(photo, shake):
    assert prepare(stack_of(burst(photo=photo, shake=shake))).stack.mended is None


@pytest.mark.parametrize("what", ["a wire, moved along it", "a slope at the edge"])
def test_straight_lines_of_the_scene_stay(what):
    """In few frames they may look as if they were the sensor's."""
    photo, shifts = (
        ("path", ((0, 0), (2, 3), (-1, -2))) if "slope" in what else ("dog", ((0, 0), (0, 3), (0, -2)))
    )
    recipe = BurstRecipe(photo, (10, 60, 96, 120), GAIN, frames=3, shifts=shifts, seed=3)
    frames = synthesize(recipe).frames + 0.1 * (np.arange(96.0)[:, None] == 40) * ("wire" in what)
    assert prepare(stack_of(frames)).stack.mended is None


def test_columns_of_the_sensor_do_not_hold_the_scene_where_they_are():
    recipe = BurstRecipe(
        "city", (40, 40, 96, 120), GAIN, frames=5, shifts=((0, 0), (1, 3), (-1, -2), (2, 2), (0, -3))
    )
    burst = synthesize(recipe)
    bad = burst.frames.copy()
    bad[:, :, [35, 80]] = 0.9
    own = prepare(stack_of(bad), reference=0)
    assert own.stack.mended.lines == 2
    np.testing.assert_allclose([shift.measured for shift in own.shifts], burst.shifts, atol=0.3)


def test_points_of_light_of_a_still_scene_stay():
    """Stars as a lens draws them, 1.5 pixels wide at half their height, on a tripod; and a hot pixel among them."""
    rng = np.random.default_rng(0)
    sky = np.zeros((90, 100))
    sky[rng.integers(4, 86, 30), rng.integers(4, 96, 30)] = 1
    sky = np.clip(6 * gaussian_filter(sky, 1.5 / 2.355), 0, 1) + 0.05
    y, x = np.argwhere(maximum_filter(sky, 9) < 0.051)[1500]
    sky[y, x] = 0.8
    frames = np.stack([GAIN.add_to(sky, rng) for _ in range(6)])
    mended = prepare(stack_of(frames)).stack.mended
    assert mended is not None and (mended.pixels, mended.lines) == (1, 0)
    rows, columns, _ = mended.planes[0]
    assert (rows.tolist(), columns.tolist()) == ([y], [x])


def test_a_hot_pixel_of_a_bright_column_is_mended_too():
    frames = burst()
    bad = frames.copy()
    bad[:, :, 35] += 0.1
    bad[:, [20, 50, 70], 35] += 0.5
    stack = prepare(stack_of(bad), brightness=False).stack
    assert (stack.mended.lines, stack.mended.pixels) == (1, 3)
    assert np.abs(light(stack)[:, [20, 50, 70], 35] - frames[:, [20, 50, 70], 35]).max() < 0.25
    rest = np.delete(np.arange(96), [20, 50, 70])
    assert np.abs((light(stack) - frames)[:, rest, 35]).max() < 0.02


def test_synthetic_bursts_and_single_frames_are_left_as_they_are():
    from .picture_makers import npz

    frames = hurt(burst())[0]
    assert (
        prepare(read_frames([("a.npz", npz(frames=frames, read_std=0.01, shot_gain=0.01))])).stack.mended
        is None
    )
    assert prepare(stack_of(frames[:1])).stack.mended is None


def speckled(count, shake=SHAKE):
    """Frames in color whose pixels at so many places are white in R, G and B; and the places."""
    frames = burst(True, shake).transpose(0, 2, 3, 1).copy()
    _, H, W, _ = frames.shape
    rng = np.random.default_rng(5)
    places = rng.permutation(H * W // 16)[:count]
    y, x = 4 * (places // (W // 4)) + 1, 4 * (places % (W // 4)) + 2
    frames[:, y, x] = 1.0
    return frames, y, x


def test_what_is_white_in_all_colors_is_mended_in_all_and_counted_once():
    frames, y, x = speckled(25)
    mended = prepare(stack_of(frames), brightness=False).stack.mended
    assert mended.pixels == 25
    for rows, columns, _ in mended.planes.values():
        assert set(zip(y.tolist(), x.tolist(), strict=True)) == set(
            zip(rows.tolist(), columns.tolist(), strict=True)
        )


def test_what_is_not_mended_is_said():
    many = prepare(stack_of(speckled(200)[0]), brightness=False).stack
    assert many.mended is None and any(
        "pixels look hot or dead, too many to be mended" in note for note in many.notes
    )
    still = prepare(stack_of(speckled(25, Misalignment(0, 0, 0))[0]), brightness=False).stack
    assert still.mended is None
    (note,) = still.defect_notes
    assert 15 <= int(note.split()[0]) <= 25 and "As nothing moves" in note


@pytest.mark.parametrize("photo", ["city", "night", "sand"])
def test_points_of_a_scene_that_moves_little_stay(photo):
    # Of these, 5 to 65 were taken for hot pixels.
    scene = read_scene(photo)
    moves = ((0, 0), (1, -1), (-1, 0))
    for count in (2, 3):
        clean = np.stack([scene[20 + dy : 180 + dy, 20 + dx : 200 + dx] for dy, dx in moves[:count]])
        frames = NoiseModel(0.002, 0.0002).add_to(clean, np.random.default_rng(0)).clip(0)
        assert prepare(stack_of(frames.astype(np.float32))).stack.mended is None
