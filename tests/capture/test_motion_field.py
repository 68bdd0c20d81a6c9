"""Oracle: pictures that were turned by a known angle, and displaced pixels picked one by one."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from kpnviz.burst import BurstRecipe, Misalignment, synthesize
from kpnviz.camera_motion import CameraMotion
from kpnviz.capture.fine_motion import motion_from_shift
from kpnviz.capture.frame_stack import GRAY, FrameStack
from kpnviz.capture.motion_field import (
    CELL,
    TOLERANCE,
    _misfit,
    displaced,
    find_motion,
    pyramid,
    smoothed,
    structure_of,
    whole_blocks,
)
from kpnviz.capture.parallax import Search
from kpnviz.capture.prepare import prepare
from kpnviz.noise import GAINS, NoiseModel
from kpnviz.photos import read_scene
from kpnviz.sampling import box_reduce

H, W = 300, 421


def turned(degrees, shift=(0.0, 0.0), photo="city"):
    """A part of a photo as a camera sees it that turned and moved, and where its pixels went: [H, W], [H, W, 2]."""
    photo = read_scene(photo, 1)
    angle = np.deg2rad(degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    middle = np.array([(H - 1) / 2, (W - 1) / 2])
    corner = (np.array(photo.shape) - (H, W)) // 2
    there = np.stack(np.indices((H, W)), axis=-1)
    source = (there - middle - shift) @ turn + middle + corner  # of a frame's pixel, in the photo
    frame = ndimage.map_coordinates(photo, np.moveaxis(source, -1, 0), order=3, mode="mirror")
    return frame.astype(np.float32), (there - middle) @ turn.T + middle + shift - there


def stack_of(frames):
    frames = np.asarray(frames, np.float32)[:, None]
    return FrameStack(frames, tuple(range(len(frames))), tuple(f"{i}.png" for i in range(len(frames))))


def picked(frame, displacements, y, x):
    """Pixel (y, x) of a frame read through cells of displacements; beyond the edge by reflection."""
    dy, dx = displacements[y // CELL, x // CELL]
    padded = np.pad(frame, 60, mode="reflect")
    return padded[y + dy + 60, x + dx + 60]


@pytest.mark.parametrize("gain", [1, 8])
def test_a_turned_camera_is_followed_in_every_part_of_the_picture(gain):
    noise, rng = GAINS[gain], np.random.default_rng(0)
    still, _ = turned(0)
    frame, true = turned(2.0, (3.3, -6.2))
    levels = (pyramid(box_reduce(noise.add_to(x, rng), 2), noise) for x in (still, frame))
    motion = find_motion(*levels, (3, -6), (H, W))
    assert motion.shape == (19, 27, 2)
    error = np.abs(motion[:18, :26] - true[CELL // 2 :: CELL, CELL // 2 :: CELL][:18, :26]).max(axis=-1)
    assert np.median(error) < 0.3 and np.quantile(error, 0.97) < 1.2
    assert np.abs(true).max() > 10  # what one shift would leave
    left = whole_blocks(motion, (3, -6)) - motion
    assert np.abs(left).max() <= TOLERANCE


def test_what_moves_by_itself_is_followed_too():
    noise, rng = GAINS[2], np.random.default_rng(0)
    still, (far, _), (near, _) = turned(0)[0], turned(0, (4, -3)), turned(0, (-8, 9))
    frame = np.where(np.arange(W) < 200, far, near)
    levels = (pyramid(box_reduce(noise.add_to(x, rng), 2), noise) for x in (still, frame))
    motion = find_motion(*levels, (0, 0), (H, W))
    np.testing.assert_allclose(np.median(motion[:, :9], axis=(0, 1)), (4, -3), atol=0.3)
    np.testing.assert_allclose(np.median(motion[:, 16:25], axis=(0, 1)), (-8, 9), atol=0.3)


def moved_beside_reference(frame, photo="city", exposure=1.0):
    """A burst of a photo, still three times, and then as a frame shows it, turned a little; and how far the motion of
    that is found from where it is: [h, w] of the cells inside."""
    noise, rng = GAINS[2], np.random.default_rng(0)
    still, (_, true) = turned(0, photo=photo)[0], turned(0.4, (3.3, -6.2))
    own = prepare(
        stack_of([np.clip(noise.add_to(x, rng), 0, 1) for x in (still, still, still, frame * exposure)]),
        reference=0,
    )
    true = true[CELL // 2 :: CELL, CELL // 2 :: CELL]
    return own, np.abs(own.motion[3][:18, :26] - true[:18, :26]).max(axis=-1)


@pytest.mark.parametrize("photo", ["house", "dog"])
def test_what_is_white_in_a_brighter_frame_tells_no_motion(photo):
    """Half of it: there, the motion is that of the camera, and of the neighbors."""
    exposure = np.float32(4)
    frame, _ = turned(0.4, (3.3, -6.2), photo)
    assert (exposure * frame > 1).mean() > 0.39
    own, error = moved_beside_reference(frame, photo, exposure)
    assert own.shifts[3].brightness == pytest.approx(exposure, rel=0.05)
    assert np.median(error) < 0.6 and error.max() < 2
    assert own.shifts[3].bend == 0 and "more" not in str(own.shifts[3])  # 12 px more


@pytest.mark.parametrize("value", [0.0, 0.4, 5.0])
def test_a_part_of_a_frame_that_is_flat_tells_no_motion(value):
    """Black as behind a finger, gray as in fog, white as in glare: only tiles at its edges may be misled."""
    frame, _ = turned(0.4, (3.3, -6.2))
    frame[64:240, 96:288] = value
    _, error = moved_beside_reference(frame)
    within = error[5:14, 8:17]
    assert np.median(within) < 0.4 and within.max() < 1.1


def test_a_frame_that_tells_nothing_stays_where_it_was_found():
    noise = GAINS[2]
    still, _ = turned(0)
    white = pyramid(np.full((H // 2, W // 2), 0.9, np.float32), noise)
    reference = pyramid(box_reduce(still, 2), noise)
    motion, bent = motion_from_shift(reference, white, (5.0, -7.0), (H, W), structure_of(reference))
    assert not bent
    np.testing.assert_allclose(motion, np.broadcast_to((5.0, -7.0), motion.shape), atol=1e-3)


@pytest.mark.parametrize("gain", [1, 8])
def test_edges_of_one_direction_do_not_tell_the_motion_along_them(gain):
    """A house front is nearly all of such edges: tiles there are right across them, and slide along."""
    noise, rng = GAINS[gain], np.random.default_rng(1)
    frames = (turned(0, shift, "house")[0] for shift in ((0, 0), (4.6, -7.3)))
    levels = (pyramid(box_reduce(noise.add_to(x, rng), 2), noise) for x in frames)
    error = (find_motion(*levels, (5, -7), (H, W)) - (4.6, -7.3))[:-2, :-2]
    assert np.square(error).mean() ** 0.5 < 0.4 and np.abs(error).max() < 1.2


def test_few_displacements_meet():
    rows, columns = np.indices((16, 24))
    assert (whole_blocks(np.full((16, 24, 2), 5.4), (5, 5)) == 5).all()
    gentle = np.stack(
        [0.1 * columns, 0 * rows], axis=-1
    )  # 2.3 px in all: the first displacement does for all of it
    assert (whole_blocks(gentle, (0, 0)) == 0).all()
    middling = np.stack(
        [0.25 * columns, 0 * rows], axis=-1
    )  # 0 to 5.75: the third block keeps what the second has
    assert np.unique(whole_blocks(middling, (0, 0))[..., 0]).tolist() == [0, 3]
    steep = np.stack([0.5 * columns, -0.3 * rows], axis=-1)
    blocks = whole_blocks(steep, (0, 0))
    assert np.abs(blocks - steep).max() <= TOLERANCE
    assert len(np.unique(blocks.reshape(-1, 2), axis=0)) <= 6
    jump = np.where(columns[..., None] < 11, 0.0, (20.0, -9.0))  # an edge within a block of 8 cells
    np.testing.assert_array_equal(whole_blocks(jump, (0, 0)), jump)


def test_frames_are_read_where_the_field_says():
    rng = np.random.default_rng(0)
    own = prepare(stack_of(rng.random((3, 90, 77))), align=True)
    own = replace(own, left_out=frozenset()).taking(None)  # of nothing but noise, frames are not found
    fields = rng.integers(-25, 26, own.displacements.shape)
    fields[:, 2:4] = fields[:, 2:3]  # cells of one displacement are read at once
    own.displacements[:] = fields
    view = own.channel(GRAY, NoiseModel(0.1, 0))
    whole = view.window(slice(0, 90), slice(0, 77))
    part = view.window(slice(13, 64), slice(40, 71))
    np.testing.assert_array_equal(part, whole[:, 13:64, 40:71])
    for n, (y, x) in itertools.product(range(3), [(0, 0), (89, 76), (15, 16), (40, 33), (63, 5)]):
        frame = own.stack.codes[own.order[n], 0]
        assert whole[n, y, x] == picked(frame, own.displacements[own.order[n]], y, x)
        assert (
            own.displacement(y, x)[n].tolist()
            == own.displacements[own.order[n], y // CELL, x // CELL].tolist()
        )
    pixels = np.repeat(np.repeat(own.displacements[1], CELL, 0), CELL, 1)[:90, :77]
    np.testing.assert_array_equal(displaced(own.stack.codes[1, 0], pixels), whole[own.order.index(1)])


def test_a_turned_burst_is_laid_onto_its_reference():
    noise, rng = GAINS[2], np.random.default_rng(0)
    seen = [
        turned(degrees, shift) for degrees, shift in ((0, (0, 0)), (3, (2, 1)), (-4, (-3, 8)), (0, (6, -5)))
    ]
    stack = stack_of([noise.add_to(frame, rng) for frame, _ in seen])
    own = prepare(stack)
    reference, moved = own.reference, [i for i in range(4) if i != own.reference]
    assert all(own.shifts[i].measured is not None for i in moved)
    assert sum(own.shifts[i].bend > 5 for i in moved) >= 2
    assert "displacements that differ over the picture" in own.report
    assert "elsewhere up to" in " ".join(map(str, own.shifts))
    clean = np.stack([frame for frame, _ in seen])
    residual, frames = own.remaining()
    assert residual.max() <= TOLERANCE + 0.01 and frames.max() == 4 and frames.min() >= 3
    laid = own.channel(GRAY, noise).window(slice(0, H), slice(0, W))
    inner = (slice(40, -40), slice(40, -40))
    for n, i in enumerate(own.order[1:], start=1):
        before = np.corrcoef(clean[reference][inner].ravel(), stack.codes[i, 0][inner].ravel())[0, 1]
        after = np.corrcoef(clean[reference][inner].ravel(), laid[n][inner].ravel())[0, 1]
        assert after > before + 0.1
    # Blocks that noise is seen on follow the field, too.
    found = own.estimate_noise().noise
    levels = np.quantile(clean[0], [0.2, 0.5, 0.8])
    np.testing.assert_allclose(found.std_map(levels), noise.std_map(levels), rtol=0.1)


def test_where_one_shift_does_there_is_one():
    noise, rng = GAINS[4], np.random.default_rng(0)
    frames = [noise.add_to(turned(0.2 * i, (i, 7.5 * i))[0], rng) for i in range(3)]
    own = prepare(stack_of(frames))
    assert all(shift.bend == 0 for shift in own.shifts) and "differ over the picture" not in own.report
    for i in range(3):
        assert (own.displacements[i] == own.displacements[i, 0, 0]).all()


def test_another_scene_is_found_neither_shifted_nor_bent():
    noise, rng = GAINS[1], np.random.default_rng(0)
    frames = [turned(0)[0], turned(1, (2, 2))[0], turned(0, photo="dog")[0]]
    own = prepare(stack_of([noise.add_to(frame, rng) for frame in frames]))
    lost = [i for i, shift in enumerate(own.shifts) if shift.measured is None]
    assert lost in ([2], [0, 1]) and not own.displacements[lost].any()


def test_alike_from_afar_is_not_found():
    """Coarse pictures that agree start the search, but edges decide."""
    noise, rng = GAINS[1], np.random.default_rng(0)
    scene, other = turned(0)[0], turned(0, photo="grass")[0]
    coarse = ndimage.gaussian_filter(scene, 10)
    fake = coarse + 2 * (other - ndimage.gaussian_filter(other, 6))
    own = prepare(stack_of([noise.add_to(frame, rng) for frame in (scene, scene, fake)]))
    assert [shift.measured is None for shift in own.shifts].count(True) in (1, 2)


def test_nothing_is_bent_without_alignment():
    frames = np.random.default_rng(0).random((2, 140, 150))
    own = prepare(stack_of(frames), align=False)
    assert not own.displacements.any() and own.displacements.shape == (2, 9, 10, 2)


def layered(gain, parallax, photo="city"):
    """A burst whose front moves by so many pixels more, and its true motion."""
    recipe = BurstRecipe(
        photo,
        (8, 8, 272, 272),
        NoiseModel.for_gain(gain),
        frames=5,
        misalignment=Misalignment(2, 2, 0.0),
        seed=4,
        camera=CameraMotion(parallax=parallax),
    )
    return synthesize(recipe)


@pytest.mark.parametrize("gain", [1, 4])
def test_what_is_near_is_laid_back_by_itself_pixel_by_pixel(gain):
    burst = layered(gain, 10.0)
    own = prepare(stack_of(burst.frames), reference=0)
    layers = own.layers
    assert layers is not None and "What is near moves otherwise" in own.report
    front = np.abs(burst.motion[-1] - burst.motion[-1, :1, :1]).max(axis=-1) > 1
    y, x = np.indices(front.shape)
    left = np.stack([layers.at(i, y, x) for i in range(5)]) - burst.motion
    before = np.repeat(np.repeat(own.displacements, CELL, 1), CELL, 2)[:, :272, :272] - burst.motion
    wrong, was = ((np.abs(part[-1]).max(axis=-1) > 2).mean() for part in (left, before))
    assert 0.2 < front.mean() < 0.8 and was > 0.3 and wrong < 0.2, (wrong, was)
    # What is read is what the layers say, in any window; at an edge of them a part knows no shift of its own.
    view = own.channel(GRAY, NoiseModel.for_gain(gain))
    whole = view.window(slice(0, 272), slice(0, 272))
    np.testing.assert_array_equal(view.window(slice(37, 150), slice(5, 90)), whole[:, 37:150, 5:90])
    padded = np.pad(own.stack.codes[:, 0], [(0, 0), (40, 40), (40, 40)], mode="reflect")
    for n, (y, x) in itertools.product(range(5), [(0, 0), (271, 100), (130, 140), (60, 200), (201, 33)]):
        dy, dx = own.displacement(y, x)[n]
        assert (dy, dx) == tuple(layers.at(own.order[n], y, x))
        assert whole[n, y, x] == padded[own.order[n], y + dy + 40, x + dx + 40]


def test_what_moves_as_one_has_no_layers():
    noise, rng = GAINS[2], np.random.default_rng(0)
    frames = [noise.add_to(turned(0.4 * i, (i, 2.5 * i))[0], rng) for i in range(3)]
    assert prepare(stack_of(frames)).layers is None


@pytest.mark.parametrize(("y", "x"), [(40, 30), (-4, 30), (40, 84)])
def test_misfit_is_the_variance_of_a_tiles_differences(y, x):
    a, b = np.random.default_rng(2).normal(size=(2, 90, 100)).astype(np.float32)
    rows, columns = (
        slice(max(y, 0), y + 16),
        slice(x, min(x + 16, 99)),
    )  # what both have, one row and column apart
    difference = b[rows.start + 1 : rows.stop + 1, columns.start + 1 : columns.stop + 1] - a[rows, columns]
    assert _misfit(a, b, y, x, 1, 1) == pytest.approx(256 * difference.astype(np.float64).var(), rel=1e-5)


def test_smoothing_finds_the_least_of_what_it_minimizes():
    rng = np.random.default_rng(3)
    rest = rng.normal(size=(7, 9, 2))
    precision = np.einsum("...ik,...jk->...ij", *2 * [rng.normal(size=(7, 9, 2, 2))])

    def cost(f):
        d = f - rest
        jumps = sum(np.log1p(np.square(np.diff(f, axis=k)).sum(axis=-1)).sum() for k in (0, 1))
        return np.einsum("hwi,hwij,hwj", d, precision, d) + 0.05 * np.square(f).sum() + 0.5 * jumps

    f = smoothed(rest, precision)
    for step in 0.01 * rng.normal(size=(20, *f.shape)):
        assert cost(f + step) > cost(f)


@pytest.mark.parametrize("shape", [(256, 1), (1, 256)])
def test_noise_of_lines_is_no_layer(shape):
    """It stays where it is, or is another in each frame, while the scene moves."""
    rng = np.random.default_rng(0)
    scene = 20 * ndimage.gaussian_filter(rng.standard_normal((256, 256)), 1.5).astype(np.float32)
    frames = [np.roll(scene, (0, 3 * k), (0, 1)) + rng.standard_normal(scene.shape) for k in range(2)]
    motion = np.full((32, 32, 2), (0, 6), np.float32)  # of the whole size
    for lines in (0, 4):
        reference, frame = (x + lines * rng.standard_normal(shape) for x in frames)
        search = Search(reference.astype(np.float32))
        search.add(1, frame.astype(np.float32), motion)
        assert (1 in search.costs) == (lines == 0)
