"""Oracles: what a turn, a shear and two layers are, and frames read where the motion says."""

import dataclasses
import json

import numpy as np
import pytest
from scipy import ndimage

from kpnviz.burst import BurstRecipe, MovingObject, synthesize, with_motion
from kpnviz.camera_motion import CameraMotion
from kpnviz.noise import NoiseModel

SILENT = NoiseModel(0, 0)
STILL = ((0, 0),) * 4


def burst_of(shifts=STILL, photo="city", **motion):
    recipe = BurstRecipe(
        photo, (60, 50, 120, 140), SILENT, 4, shifts=shifts, camera=CameraMotion(**motion), seed=5
    )
    return synthesize(recipe)


@pytest.mark.parametrize(
    "motion",
    [dict(rotation=3), dict(tilt=2), dict(shutter=6), dict(parallax=7), dict(rotation=2, tilt=1, shutter=3)],
)
def test_frames_show_the_scene_where_the_motion_says(motion):
    burst = burst_of(((0, 0), (1.5, -2), (0, 3), (-2.25, 0.5)), **motion)
    assert burst.shifts is None and burst.motion.shape == (4, 120, 140, 2) and not burst.motion[0].any()
    here = np.stack(np.indices((120, 140)), axis=-1)
    for frame, motion_of in zip(burst.frames[1:], burst.motion[1:], strict=True):
        there = here + motion_of
        seen = ndimage.map_coordinates(frame, np.moveaxis(there, -1, 0), order=3, mode="mirror")
        inside = ((there > 3) & (there < (116, 136))).all(axis=-1)
        error = np.abs(seen - burst.truth)[inside]
        # Where the scene is sharp, a frame reduced at another place has other pixels; and layers have edges.
        assert inside.mean() > 0.7 and np.median(error) < 0.01 and np.quantile(error, 0.8) < 0.05
        unmoved = np.abs(frame - burst.truth)[inside]
        assert np.median(error) < 0.4 * np.median(unmoved)


def test_a_turn_is_rigid_and_grows_evenly():
    burst = burst_of(rotation=6)
    for i, degrees in enumerate((0, 2, 4, 6)):
        along = burst.motion[i, :, 1:] - burst.motion[i, :, :-1] + (0, 1)  # a step to the right, turned
        np.testing.assert_allclose(np.hypot(*np.moveaxis(along, -1, 0)), 1, atol=1e-4)
        np.testing.assert_allclose(
            np.abs(np.rad2deg(np.arctan2(along[..., 0], along[..., 1]))), degrees, atol=0.01
        )


def test_a_shutter_shears_and_a_tilt_is_a_perspective():
    burst = burst_of(shutter=6)
    assert not burst.motion[..., 0].any()
    across = burst.motion[3, :, :, 1]
    np.testing.assert_allclose(across, across[:, :1].repeat(140, axis=1), atol=1e-5)
    np.testing.assert_allclose(np.abs(np.diff(across[:, 0])), 6 / 120, atol=1e-5)
    tilted = burst_of(tilt=5).motion[3].astype(np.float64)
    y, x = np.indices((120, 140))
    # Straight lines stay straight: a homography takes any row to points on one line.
    row = np.stack([y[30] + tilted[30, :, 0], x[30] + tilted[30, :, 1]])
    slope = np.diff(row[0]) / np.diff(row[1])
    np.testing.assert_allclose(slope, slope.mean(), atol=1e-4)
    assert np.ptp(np.diff(row[1])) > 0.005  # but distances along it do not stay
    # The camera looks elsewhere: in the middle everything moves by focal length times tangent, elsewhere by more.
    least = np.hypot(*np.moveaxis(tilted, -1, 0)).min()
    assert least == pytest.approx(24 / 36 * 140 * np.tan(np.deg2rad(5)), rel=0.03)


def test_parallax_has_two_layers():
    burst = burst_of(photo="grass", parallax=9)
    length = np.hypot(*np.moveaxis(burst.motion[3], -1, 0))
    assert set(np.unique(length.round(3))) == {0, 9}
    assert 0.2 < (length > 0).mean() < 0.65
    np.testing.assert_allclose(burst.motion[1], burst.motion[3] / 3, atol=1e-5)


def test_the_reference_and_its_grain_are_those_of_a_still_camera():
    recipe = BurstRecipe("city", (60, 50, 40, 50), seed=3)
    turned = dataclasses.replace(recipe, camera=CameraMotion(rotation=1, parallax=2))
    still, moved = synthesize(recipe), synthesize(turned)
    np.testing.assert_array_equal(moved.frames[0], still.frames[0])
    np.testing.assert_array_equal(moved.truth, still.truth)
    np.testing.assert_array_equal(moved.shifts_at(7, 9), moved.shift_map()[:, 7, 9])
    color = synthesize(dataclasses.replace(turned, color=True))
    assert color.frames.shape == (8, 3, 40, 50)
    np.testing.assert_allclose(color.motion, moved.motion)


def test_a_recipe_with_a_camera_survives_json_and_one_without_means_what_it_did():
    recipe = with_motion(BurstRecipe("city", (60, 50, 40, 50), seed=4), "handheld")
    assert BurstRecipe.from_dict(json.loads(json.dumps(dataclasses.asdict(recipe)))) == recipe
    old = dataclasses.asdict(BurstRecipe("city", (60, 50, 40, 50), seed=4))
    del old["camera"]
    assert BurstRecipe.from_dict(old) == BurstRecipe("city", (60, 50, 40, 50), seed=4)


def test_hands_turn_by_a_tenth_to_half_a_degree():
    drawn = [with_motion(BurstRecipe("city", seed=seed), "handheld") for seed in range(200)]
    rotation = np.array([recipe.camera.rotation for recipe in drawn])
    assert 0.1 <= rotation.min() < 0.12 and 0.48 < rotation.max() <= 0.5
    assert all(0.5 <= r.camera.shutter <= 2 and 1 <= r.camera.parallax <= 6 for r in drawn)
    assert all(recipe.misalignment.subpixel and not recipe.camera.tilt for recipe in drawn)
    assert with_motion(drawn[0], "sub-pixel").camera is None


@pytest.mark.parametrize(
    "changes, sentence",
    [
        (dict(camera=5), "camera is 5; it is a CameraMotion or None"),
        (dict(camera=dict(rotation=90)), "camera: rotation is 90"),
        (dict(camera=dict(parallax=-1)), "camera: parallax is -1"),
        (
            dict(camera=CameraMotion(1), moving=MovingObject("dog", (0, 0), 5, (0, 0))),
            "camera and moving are both set",
        ),
    ],
)
def test_what_cannot_be_is_one_sentence(changes, sentence):
    with pytest.raises(ValueError, match=sentence):
        BurstRecipe.from_dict({"photo": "dog", **changes})
