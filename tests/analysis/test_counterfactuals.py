"""Changed kernels against filtering by hand, pixel by pixel; shifted frames against bursts made that way."""

import numpy as np
import pytest
import torch

from kpnviz.analysis.counterfactuals import (
    SMALLEST_SHARE,
    ChangedKernels,
    drop_frames,
    restrict_sizes,
    shift_frame,
)
from kpnviz.burst import Burst, BurstRecipe, synthesize
from kpnviz.kernels import KernelField, factor_channels
from kpnviz.noise import NoiseModel

N, H, W = 3, 13, 18


def random_field(sizes=(1, 3, 5), separable=True, seed=0):
    shape = (1, N, factor_channels(sizes, separable), (H + 1) // 2, (W + 1) // 2)
    # Mostly above 0: shares are to be far from 0, where scaling stops.
    factors = torch.randn(shape, generator=torch.Generator().manual_seed(seed)) * 0.3 + 0.4
    return KernelField(factors, sizes, separable, H, W)


@pytest.fixture
def frames():
    return np.random.default_rng(1).random((N, H, W), dtype=np.float32)


def by_hand(kernels, frames, y, x):
    """Mean over the frames of the patch around (y, x) times its kernel [N, K, K]."""
    reach = kernels.shape[-1] // 2
    padded = np.pad(frames, ((0, 0), (reach, reach), (reach, reach)), mode="reflect")
    return (padded[:, y : y + 2 * reach + 1, x : x + 2 * reach + 1] * kernels).sum() / len(frames)


PIXELS = [(0, 0), (0, W - 1), (H - 1, 3), (6, 9), (7, 10)]


@pytest.mark.parametrize("separable", [True, False])
@pytest.mark.parametrize("keep_share", [False, True])
@pytest.mark.parametrize("nonnegative", [False, True])
def test_what_is_shown_is_what_is_applied(frames, nonnegative, keep_share, separable):
    field = random_field(separable=separable)
    changed = ChangedKernels(drop_frames(field, [1]), nonnegative, field if keep_share else None)
    image = changed.apply(frames)
    for y, x in PIXELS:
        kernels = field.at(y, x)
        total = kernels.sum() / N
        kernels[1] = 0
        if nonnegative:
            kernels = np.maximum(kernels, 0)
        if keep_share:
            kernels = kernels * total / max(kernels.sum() / N, SMALLEST_SHARE)
        np.testing.assert_allclose(changed.at(y, x), kernels, rtol=1e-4, atol=1e-6)
        assert image[y, x] == pytest.approx(by_hand(kernels, frames, y, x), rel=1e-4)


def test_nothing_changed_changes_nothing(frames):
    field = random_field()
    original = field.apply(torch.from_numpy(frames)[None])[0].numpy()
    for changed in (ChangedKernels(field), ChangedKernels(field, False, field)):
        np.testing.assert_allclose(changed.apply(frames), original, rtol=1e-5)
    blocks = ChangedKernels(KernelField(field.factors.abs(), field.sizes, True, H, W), nonnegative=True)
    np.testing.assert_allclose(blocks.apply(frames), ChangedKernels(blocks.field).apply(frames), rtol=1e-5)


def test_blocks_join_without_a_seam(frames, monkeypatch):
    changed = ChangedKernels(random_field(), nonnegative=True)
    whole = changed.apply(frames)
    monkeypatch.setattr("kpnviz.analysis.counterfactuals._BLOCK_WEIGHTS", 1)
    np.testing.assert_array_equal(changed.apply(frames), whole)


def test_a_constant_keeps_its_brightness_when_shares_are_kept(frames):
    field = random_field()
    constant = np.full_like(frames, 0.25)
    before = ChangedKernels(field).apply(constant)
    kept = ChangedKernels(drop_frames(field, [0]), True, field).apply(constant)
    np.testing.assert_allclose(kept, before, rtol=1e-4)
    lost = ChangedKernels(drop_frames(field, [0])).apply(constant)
    assert (lost < before).mean() > 0.9


def test_shares_near_zero_are_not_blown_up(frames):
    field = random_field()
    nothing = ChangedKernels(drop_frames(field, range(N)), False, field)
    np.testing.assert_array_equal(nothing.apply(frames), 0)
    np.testing.assert_array_equal(nothing.at(3, 4), 0)


def test_a_share_below_the_smallest_is_scaled_as_if_it_were_that(frames):
    """Frame 0 keeps .01 of the mass, the others go: scaled to 1 it would be noise, 100 times as large."""
    share = np.array([0.01, 0.59, 0.4])
    factors = torch.tensor(N * share, dtype=torch.float32)[None, :, None, None, None].expand(1, N, 1, 7, 9)
    field = KernelField(factors, (1,), False, H, W)
    changed = ChangedKernels(drop_frames(field, [1, 2]), False, field)
    np.testing.assert_allclose(changed.apply(frames), 0.01 / SMALLEST_SHARE * frames[0], rtol=1e-5)
    np.testing.assert_allclose(changed.at(6, 9).sum() / N, 0.01 / SMALLEST_SHARE, rtol=1e-5)


@pytest.mark.parametrize("separable", [True, False])
def test_sizes_kept_are_those_of_the_field(separable):
    field = random_field(separable=separable)
    kept = restrict_sizes(field, {5, 1})
    assert kept.sizes == (1, 5)
    for size in kept.sizes:
        np.testing.assert_array_equal(kept.sizes_at(6, 7)[size], field.sizes_at(6, 7)[size])
    expected = field.sizes_at(6, 7)[5] / 2
    expected[:, 2, 2] += field.sizes_at(6, 7)[1][:, 0, 0] / 2
    np.testing.assert_allclose(kept.at(6, 7), expected, rtol=1e-5)


def test_a_shifted_frame_is_the_burst_made_with_that_shift():
    # Without noise, away from the border, it does not matter who moved the frame.
    shifts = ((0, 0), (2, -1), (-1, 0))
    moved = ((0, 0), (5, -5), (-1, 0))
    still = NoiseModel(0, 0)
    burst, other = (
        synthesize(BurstRecipe("dog", (60, 90, 40, 48), still, frames=3, shifts=s)) for s in (shifts, moved)
    )
    result = shift_frame(burst, 1, 3, -4)
    np.testing.assert_array_equal(result.frames[:, 8:-8, 8:-8], other.frames[:, 8:-8, 8:-8])
    np.testing.assert_array_equal(result.shifts, other.shifts)
    np.testing.assert_array_equal(result.truth, burst.truth)


def test_what_moves_in_is_the_reflection():
    frames = np.arange(12, dtype=np.float32).reshape(1, 3, 4)
    burst = Burst(frames, NoiseModel(0, 0), truth=frames[0])
    moved = shift_frame(burst, 0, 1, -2)
    padded = np.pad(frames[0], 3, mode="reflect")
    np.testing.assert_array_equal(moved.frames[0], padded[2:5, 5:9])
    np.testing.assert_array_equal(moved.truth, moved.frames[0])


def test_when_the_reference_moves_shifts_count_from_its_new_place():
    shifts = np.array([(0, 0), (2, 1)])
    burst = Burst(np.zeros((2, 9, 9), np.float32), NoiseModel(0, 0), shifts=shifts)
    np.testing.assert_array_equal(shift_frame(burst, 0, 1, 3).shifts, [(0, 0), (1, -2)])


def test_errors_name_the_thing():
    field = random_field()
    with pytest.raises(ValueError, match="frame 3 is not in the burst; it has frames 0 to 2"):
        drop_frames(field, [3])
    with pytest.raises(ValueError, match="size 4 is not among the kernel sizes of this field: 1, 3, 5"):
        restrict_sizes(field, [3, 4])
    with pytest.raises(ValueError, match="sizes is empty"):
        restrict_sizes(field, [])
    with pytest.raises(ValueError, match="frame -1 is not in the burst"):
        shift_frame(Burst(np.zeros((2, 4, 4), np.float32), NoiseModel(0, 0)), -1, 0, 1)
