"""Oracle: the shifts that a synthetic burst was made with."""

import numpy as np
import pytest

from kpnviz.burst import BurstRecipe, Misalignment, synthesize
from kpnviz.capture.alignment import find_shift, overlap
from kpnviz.noise import NoiseModel


def shaken(photo, gain=2, seed=0, crop=None):
    shake = Misalignment(16, 16, 8)
    return synthesize(
        BurstRecipe(photo, crop=crop, noise=NoiseModel.for_gain(gain), misalignment=shake, seed=seed)
    )


@pytest.mark.parametrize("photo, gain", [("dog", 2), ("waves", 4), ("city", 8), ("flowers", 8)])
def test_shifts_are_found_to_the_pixel(photo, gain):
    burst = shaken(photo, gain, seed=3)
    found = [find_shift(burst.reference, frame) for frame in burst.frames]
    assert [[shift.dy, shift.dx] for shift in found] == burst.shifts.tolist()
    for shift, true in zip(found, burst.shifts, strict=True):
        assert shift.applied == (np.abs(true).max() > 2)
        assert shift.offset == (tuple(true) if shift.applied else (0, 0))
    assert found[0].correlation == pytest.approx(1)


def test_a_change_of_brightness_is_no_shift():
    burst = shaken("dog", 2, seed=1, crop=(40, 40, 150, 181))
    shift = find_shift(burst.reference, 0.7 * burst.frames[3])
    assert (shift.dy, shift.dx) == tuple(burst.shifts[3])


def test_noise_alone_has_no_shift():
    rng = np.random.default_rng(0)
    for _ in range(5):
        a, b = 0.3 + 0.1 * rng.standard_normal((2, 96, 128))
        assert find_shift(a, b).offset == (0, 0)
    flat = np.full((40, 40), 0.5)
    assert find_shift(flat, flat).offset == (0, 0)


def test_overlap_pairs_the_same_scene():
    scene = np.arange(20 * 30).reshape(20, 30)
    a, b = (
        scene[4:14, 6:20],
        scene[4 - 3 : 14 - 3, 6 + 2 : 20 + 2],
    )  # the scene lies 3 lower, 2 to the left in b
    common = overlap(a, b, 3, -2)
    np.testing.assert_array_equal(*common)
    assert common[0].shape == (7, 12)


def test_sizes():
    assert find_shift(np.zeros((4, 90)), np.zeros((4, 90))).offset == (0, 0)
    with pytest.raises(ValueError, match="frames have shapes"):
        find_shift(np.zeros((20, 20)), np.zeros((20, 21)))
