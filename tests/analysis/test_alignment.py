"""Kernels made to follow the scene, to stay, and to go half the way."""

import dataclasses

import numpy as np
import pytest
import torch

from kpnviz.analysis.alignment import alignment, shifts_and_centroids
from kpnviz.burst import BurstRecipe, MovingObject, synthesize
from kpnviz.color import displayed
from kpnviz.kernels import KernelField
from kpnviz.noise import NoiseModel

SHIFTS = ((0, 0), (1, -2), (-2, 2), (6, 0), (0, 1))
CROP = (80, 90, 64, 72)


def kernels_at(shifts, size=5):
    """A field whose kernel in frame i is a single weight at shifts [N, H, W, 2], as far as it reaches."""
    H, W = shifts.shape[1:3]
    half = np.clip(shifts[:, ::2, ::2].astype(int), -(size // 2), size // 2) + size // 2
    index = torch.from_numpy(half[..., 0] * size + half[..., 1])
    factors = torch.nn.functional.one_hot(index, size * size).permute(0, 3, 1, 2).float()
    return KernelField(factors[None], (size,), False, H, W)


def burst_of(**values):
    return synthesize(BurstRecipe("city", CROP, NoiseModel(0.01, 0), 5, shifts=SHIFTS, **values))


def test_kernels_on_the_true_shift_have_slope_one():
    burst = burst_of()
    pairs = shifts_and_centroids(kernels_at(burst.shift_map()), burst)
    assert alignment(pairs) == pytest.approx(1)
    # Frame 3 is out of reach, and does not count: 8 px are left out at each side, half of every 4th are textured.
    places = 12 * 14
    assert set(pairs[0]) == {-2, 0, 1, 2}
    assert pairs.shape[1] == pytest.approx(2 * 3 * places / 2, rel=0.15)


def test_only_textured_pixels_count():
    burst = burst_of()
    gradient = np.hypot(*np.gradient(displayed(burst.truth.astype(np.float64))))
    textured = gradient > np.median(gradient[8:-8, 8:-8])
    shifts = np.where(textured[None, :, :, None], burst.shift_map(), 0)
    # Half as many kernels as pixels: those of textured and flat neighbors mix.
    assert alignment(shifts_and_centroids(kernels_at(shifts), burst, step=1)) > 0.75
    flat = np.where(textured[None, :, :, None], 0, burst.shift_map())
    assert alignment(shifts_and_centroids(kernels_at(flat), burst, step=1)) < 0.25


def test_kernels_that_stay_have_slope_zero_and_half_the_way_is_a_half():
    burst = burst_of()
    there = kernels_at(burst.shift_map())
    stay = kernels_at(np.zeros_like(burst.shift_map()))
    assert alignment(shifts_and_centroids(stay, burst)) == 0
    half = dataclasses.replace(there, factors=(there.factors + stay.factors) / 2)
    assert alignment(shifts_and_centroids(half, burst)) == pytest.approx(0.5)
    # Always a pixel beside: the same slope.
    beside = kernels_at(burst.shift_map() + 1, size=7)
    assert alignment(shifts_and_centroids(beside, burst)) == pytest.approx(1)


def test_on_an_object_its_own_shift_is_the_true_one():
    """The camera stays, an object moves: kernels that follow the one do not follow the other."""
    moving = MovingObject("dog", center=(32, 36), diameter=40, velocity=(0, 1))
    recipe = BurstRecipe("city", CROP, NoiseModel(0.01, 0), 4, shifts=((0, 0),) * 4, moving=moving)
    burst = synthesize(recipe)
    camera = np.zeros_like(burst.shift_map())
    assert alignment(shifts_and_centroids(kernels_at(burst.shift_map(), 7), burst)) == pytest.approx(
        1, abs=0.03
    )
    assert alignment(shifts_and_centroids(kernels_at(camera, 7), burst)) == 0


def test_where_nothing_moves_or_no_frame_is_beside_there_is_no_slope():
    still = synthesize(BurstRecipe("city", CROP, NoiseModel(0.01, 0), 3, shifts=((0, 0),) * 3))
    assert np.isnan(alignment(shifts_and_centroids(kernels_at(still.shift_map()), still)))
    single = kernels_at(still.shift_map()[:1])
    pairs = shifts_and_centroids(single, still)
    assert pairs.shape == (2, 0) and np.isnan(alignment(pairs))
    # A kernel of one pixel reaches no shift but 0.
    burst = burst_of()
    assert np.isnan(alignment(shifts_and_centroids(kernels_at(burst.shift_map(), 1), burst)))
    with pytest.raises(ValueError, match="no truth or no true shifts"):
        shifts_and_centroids(single, dataclasses.replace(still, truth=None))


def test_the_slope_is_that_of_a_least_squares_line():
    rng = np.random.default_rng(0)
    shift = rng.uniform(-2, 2, 500)
    pairs = np.stack((shift, 0.3 + 0.7 * shift + rng.normal(0, 0.5, 500)))
    assert alignment(pairs) == pytest.approx(np.polyfit(*pairs, 1)[0])
