"""Training bursts are what they say: windows of the scene, shifted, turned, noisy."""

import numpy as np
import pytest
import torch
from PIL import Image

from kpnviz.burst import Misalignment
from kpnviz.color import srgb_encode
from kpnviz.noise import TRAINING_READ_STD, NoiseModel
from kpnviz.photos import find_photos
from kpnviz.training.data import PhotoBank

SILENT = NoiseModel(0.0, 0.0)


def ramp(H=120, W=140):
    """Every pixel knows where it is: value = 1000 y + x."""
    return (1000.0 * np.arange(H)[:, None] + np.arange(W)).astype(np.float32)


@pytest.fixture
def native_scale(monkeypatch):
    monkeypatch.setattr("kpnviz.training.data.SCALES", (1.0,))


def test_windows_are_the_scene_shifted_flipped_and_transposed(native_scale):
    bank = PhotoBank([ramp()], 16, "cpu")
    batch = bank.batch(0, 0, 64, 8, noise=SILENT)
    assert torch.equal(batch.frames[:, 0], batch.truth)
    steps = set()
    for frames in batch.frames.double():
        # The step of the ramp along rows and columns tells how the window was turned.
        steps.add(
            (
                round((frames[0, 1, 0] - frames[0, 0, 0]).item()),
                round((frames[0, 0, 1] - frames[0, 0, 0]).item()),
            )
        )
        for frame in frames[1:]:
            offset = (frame - frames[0]).unique()
            assert len(offset) == 1
            dy = round(offset.item() / 1000)
            assert abs(dy) <= 16 and abs(offset.item() - 1000 * dy) <= 16
    assert steps == {(a * p, b * q) for a, b in [(1000, 1), (1, 1000)] for p in (1, -1) for q in (1, -1)}


def test_shifts_say_where_the_scene_went_also_in_turned_windows(native_scale):
    scene = np.random.default_rng(0).random((120, 140), dtype=np.float32)
    batch = PhotoBank([scene], 48, "cpu").batch(0, 0, 16, 8, noise=SILENT)
    assert batch.shifts[:, 0].abs().max() == 0 and batch.shifts.abs().max() == 16
    for frames, shifts in zip(batch.frames, batch.shifts.int().tolist(), strict=True):
        for frame, (dy, dx) in zip(frames, shifts, strict=True):
            assert torch.equal(frame[16 + dy : 32 + dy, 16 + dx : 32 + dx], frames[0, 16:32, 16:32])


def test_without_shake_all_frames_are_alike(native_scale):
    bank = PhotoBank([ramp()], 16, "cpu", Misalignment(0, 0, 0))
    batch = bank.batch(0, 0, 8, 5, noise=SILENT)
    assert torch.equal(batch.frames, batch.truth[:, None].expand(-1, 5, -1, -1))


def test_batches_depend_on_seed_and_step_alone_and_processes_share_them(native_scale):
    bank = PhotoBank([ramp() / 1e5], 16, "cpu")
    whole = bank.batch(5, 3, 8, 4)
    again = bank.batch(5, 3, 8, 4)
    parts = [bank.batch(5, 3, 8, 4, rank, 2) for rank in range(2)]
    for name in ("frames", "read_std", "shot_gain", "truth", "white_level", "shifts"):
        assert torch.equal(getattr(whole, name), getattr(again, name))
        assert torch.equal(getattr(whole, name), torch.cat([getattr(part, name) for part in parts]))
    assert not torch.equal(whole.frames, bank.batch(5, 4, 8, 4).frames)
    assert not torch.equal(whole.frames, bank.batch(6, 3, 8, 4).frames)


def test_noise_and_white_level_cover_the_training_ranges(native_scale):
    bank = PhotoBank([np.zeros((100, 100), np.float32)], 16, "cpu")
    batches = [bank.batch(0, step, 64, 2) for step in range(10)]
    # On black all noise is read noise.
    read = torch.cat([b.frames.flatten(1).std(1) for b in batches]).log10()
    low, high = np.log10(TRAINING_READ_STD)
    assert low - 0.1 < read.min() < low + 0.1 and high - 0.1 < read.max() < high + 0.1
    assert read.mean().item() == pytest.approx((low + high) / 2, abs=0.1)
    white = torch.cat([b.white_level for b in batches])
    assert (
        white.min() > 0.1 and white.max() < 1 and white.log10().mean().item() == pytest.approx(-0.5, abs=0.05)
    )


def test_detail_is_drawn_more_often_than_flat_sky(native_scale):
    scene = np.full((200, 400), 0.5, np.float32)
    scene[:, 200:] = np.random.default_rng(0).random((200, 200))
    truth = PhotoBank([scene], 16, "cpu").batch(0, 0, 400, 1, noise=SILENT).truth
    flat = (truth.flatten(1).std(1) == 0).float().mean()
    assert 0.005 < flat < 0.2


def test_rescaled_photos_keep_their_mean():
    scene = np.random.default_rng(0).random((201, 203), dtype=np.float32)
    bank = PhotoBank([scene], 24, "cpu")
    assert bank.pixels.mean().item() == pytest.approx(scene.mean(), abs=2e-3)
    assert len(bank.pixels) > 2 * scene.size  # 1 + 2^(-2/3) + 2^(-4/3) + 1/4


def test_every_fifteenth_photo_is_held_out_of_training(native_scale, tmp_path):
    """Photo i is gray of value 8 i."""
    for i in range(32):
        Image.new("RGB", (128, 128), (8 * i,) * 3).save(tmp_path / f"{i:02}.png")
    bank, held_out = PhotoBank.from_folder(tmp_path, 16, "cpu")

    def numbers(values):
        return sorted({round(float(value) * 255 / 8) for value in srgb_encode(np.asarray(values))})

    assert numbers([scene.mean() for scene in held_out]) == [0, 15, 30] and len(held_out) == 3
    assert numbers(bank.pixels.unique()) == [i for i in range(32) if i % 15]


def test_bad_photos_are_named(tmp_path):
    with pytest.raises(ValueError, match="no PNG, JPEG, TIFF or WebP file in"):
        find_photos(tmp_path)
    with pytest.raises(ValueError, match="none of 1 is large enough for windows of 64 pixels"):
        PhotoBank([np.zeros((50, 50))], 64, "cpu")


@pytest.fixture
def fine_ramp():
    """What a pixel of the reduced picture sees of a ramp: its value is still 1000 y + x, in pixels of the photo."""
    return ramp(200, 240)


def test_subpixel_shifts_are_whole_pixels_of_the_photo(native_scale, fine_ramp):
    batch = PhotoBank([fine_ramp], 16, "cpu").batch(0, 0, 32, 6, noise=SILENT, motion="sub-pixel")
    halves = batch.shifts * 2
    assert torch.equal(halves, halves.round()) and (halves % 2 != 0).any()
    for frames, shifts in zip(batch.frames.double(), batch.shifts.double(), strict=True):
        # The ramp is linear: a shift by (dy, dx) takes off as much as it rises along them.
        step_y, step_x = frames[0, 1, 0] - frames[0, 0, 0], frames[0, 0, 1] - frames[0, 0, 0]
        for frame, (dy, dx) in zip(frames, shifts, strict=True):
            torch.testing.assert_close(frame, frames[0] - dy * step_y - dx * step_x, atol=0.02, rtol=0)


def test_objects_travel_on_their_own_and_hide_what_is_behind(native_scale, fine_ramp):
    bank = PhotoBank([fine_ramp], 24, "cpu", Misalignment(0, 0, 0))
    batch = bank.batch(3, 0, 32, 4, noise=SILENT, motion="moving")
    still = bank.batch(3, 0, 32, 4, noise=SILENT, motion="sub-pixel")
    assert torch.equal(batch.shifts, still.shifts) and torch.equal(batch.truth, batch.frames[:, 0])
    differs = (batch.frames - still.frames).abs() > 0.5  # the camera rests: all that changes is objects
    covered = differs.float().mean((2, 3))  # [B, N]
    # One to three of some 4 to 13 % of the picture each, partly outside it. Measured: .155.
    assert 0.08 < covered.mean() < 0.25
    moved = (differs[:, 1:] != differs[:, :1]).flatten(1).any(1)
    assert moved.float().mean() > 0.9


def test_one_two_or_three_objects_are_equally_likely(native_scale, monkeypatch):
    """Each object covers another eighth of the picture, so that what differs from the bare scene counts them."""
    eighths, calls = torch.arange(16).div(2, rounding_mode="floor"), iter(range(10**6))

    def an_eighth(bank, path, rng):
        return (eighths == next(calls) % 3).float().expand(*path.shape[:2], 16, 16)

    monkeypatch.setattr(PhotoBank, "_coverage", an_eighth)
    scene = np.random.default_rng(0).random((200, 240), dtype=np.float32)
    bank, bursts = PhotoBank([scene], 16, "cpu"), 4000
    moving, bare = (
        bank.batch(0, 0, bursts, 1, noise=SILENT, motion=m).truth for m in ("moving", "sub-pixel")
    )
    counts = ((moving != bare).flatten(1).float().mean(1) * 8).round().int()
    standard_error = (1 / 3 * 2 / 3 / bursts) ** 0.5
    for objects in (1, 2, 3):
        assert (counts == objects).float().mean().item() == pytest.approx(1 / 3, abs=4 * standard_error)


def test_all_else_of_a_seeds_bursts_is_as_it_was(native_scale):
    """Mean squares of frame 2, measured when a third object did not depend on there being a second one. Of the sixteen
    bursts two have another number of objects since."""
    before = [0.26542, 0.27215, 0.26958, 0.26715, 0.26561, 0.26965, 0.26683, 0.27103]
    before += [0.2674, 0.27416, 0.27241, 0.27379, 0.27197, 0.27815, 0.26597, 0.27137]
    scene = np.random.default_rng(0).random((200, 240), dtype=np.float32)
    frames = PhotoBank([scene], 24, "cpu").batch(7, 5, 16, 4, noise=SILENT, motion="moving").frames
    now = frames[:, 2].double().square().mean((1, 2)).numpy()
    assert np.flatnonzero(np.abs(now - before) > 2e-5).tolist() == [5, 11]
