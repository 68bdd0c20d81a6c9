"""Oracles: the truth of noise-free bursts, the statistics of averaged noise, shifts by the Fourier theorem."""

import dataclasses

import numpy as np
import pytest
from PIL import Image

from kpnviz.analysis.metrics import psnr
from kpnviz.burst import Burst, BurstRecipe, MovingObject, synthesize
from kpnviz.evaluation import baselines
from kpnviz.evaluation.baselines import BASELINES, DEFAULTS, GRIDS, merge, wiener_merge
from kpnviz.noise import GAINS, NoiseModel
from kpnviz.photos import read_scene

SILENT = NoiseModel(0.0, 0.0)
SHIFTS = ((0, 0), (3, -2), (-16, 16), (0, 9), (16, 5))
STILL = ((0, 0),) * 8


def flat_burst(noise, level=0.4, frames=8, side=96, seed=0):
    clean = np.full((frames, side, side), level, dtype=np.float32)
    return Burst(noise.add_to(clean, np.random.default_rng(seed)), noise, truth=clean[0])


def test_aligned_mean_of_a_noise_free_burst_is_the_truth():
    burst = synthesize(BurstRecipe("dog", (60, 70, 97, 80), SILENT, frames=5, shifts=SHIFTS))
    np.testing.assert_allclose(BASELINES["aligned-mean"](burst), burst.truth, atol=1e-6)
    # Every frame counts where it has the pixel, and nowhere else.
    y, x = np.mgrid[:97, :80]
    seen = [(y + dy >= 0) & (y + dy < 97) & (x + dx >= 0) & (x + dx < 80) for dy, dx in SHIFTS]
    np.testing.assert_array_equal(merge(burst).count, np.sum(seen, axis=0))


def test_parts_of_a_pixel_are_resampled():
    scene = np.fft.fft2(20 * read_scene("flowers")[60:188, 60:188].astype(np.float64))
    ky, kx = np.fft.fftfreq(128)[:, None], np.fft.fftfreq(128)[None]
    low = np.exp(-((6 * ky) ** 2 + (6 * kx) ** 2))
    shift = np.array([1.5, -2.4])
    still, moved = (
        np.fft.ifft2(scene * low * np.exp(-2j * np.pi * (ky * dy + kx * dx))).real
        for dy, dx in ((0, 0), shift)
    )
    image, seen = baselines.resample(moved, shift)
    seen[:10], seen[-10:], seen[:, :10], seen[:, -10:] = False, False, False, False
    assert np.abs(image - still)[seen].max() < 0.02 * np.ptp(still)


def test_a_frame_of_another_scene_is_left_out():
    burst = synthesize(BurstRecipe("dog", (80, 80, 96, 96), GAINS[1], frames=4, shifts=STILL[:4]))
    other = synthesize(BurstRecipe("city", (80, 80, 96, 96), GAINS[1], frames=1)).frames[0]
    frames = burst.frames.copy()
    frames[2] = other
    mixed = dataclasses.replace(burst, frames=frames)
    np.testing.assert_array_equal(merge(mixed).count, 3)
    np.testing.assert_allclose(merge(mixed).image, frames[[0, 1, 3]].mean(axis=0), atol=1e-6)


def test_the_aligned_mean_of_n_frames_has_an_nth_of_the_noise():
    burst = flat_burst(NoiseModel(0.05, 0.01), side=128)
    spread = (BASELINES["aligned-mean"](burst) - 0.4)[20:-20, 20:-20].std()
    assert spread == pytest.approx(((0.05**2 + 0.01 * 0.4) / 8) ** 0.5, rel=0.03)


def test_wiener_merge_of_a_noise_free_burst_is_the_reference():
    still = synthesize(BurstRecipe("dog", (60, 70, 50, 43), SILENT, frames=3, shifts=STILL[:3]))
    np.testing.assert_allclose(wiener_merge(still), still.truth, atol=1e-6)
    frames = still.frames.copy()
    frames[1:] = np.random.default_rng(0).random(frames[1:].shape)
    mixed = dataclasses.replace(still, frames=frames)
    np.testing.assert_allclose(wiener_merge(mixed), still.truth, atol=1e-6)


def test_wiener_merge_of_a_static_burst_comes_near_the_mean():
    burst = synthesize(BurstRecipe("dog", (60, 70, 96, 96), GAINS[4], shifts=STILL))

    def error(image):
        return np.mean((image - burst.truth) ** 2)

    merged = wiener_merge(burst, shrinkage=0.0)
    assert error(burst.mean) <= error(merged) < 1.2 * error(burst.mean) < error(burst.reference) / 6
    # The less it rejects, the nearer; shrinkage takes out more than the mean does.
    assert error(wiener_merge(burst, shrinkage=0.0, rejection=1.0)) > 1.5 * error(merged)
    assert error(wiener_merge(burst)) < 0.7 * error(burst.mean)


def test_wiener_merge_keeps_what_its_formula_says(monkeypatch):
    """One frequency of a tile: the shrinkage by hand, from the DFT written as a sum."""
    noise = NoiseModel(0.1, 0.0)
    rng = np.random.default_rng(3)
    burst = Burst(rng.random((2, 16, 16)).astype(np.float32), noise)
    tiles = baselines._Tiles((16, 16))
    middle = next(k for k in range(9) if np.array_equal(tiles.rows[k, :, 0], np.arange(16))
                  and np.array_equal(tiles.columns[k, 0], np.arange(16)))  # fmt: skip
    t = np.arange(16)
    window = np.sin(np.pi * (t + 0.5) / 16)[:, None] * np.sin(np.pi * (t + 0.5) / 16)
    wave = np.exp(-2j * np.pi * (3 * t[:, None] + 5 * t[None]) / 16)
    own, other = ((frame * window * wave).sum() for frame in burst.frames)
    reject = abs(own - other) ** 2 / (abs(own - other) ** 2 + 4 * 2 * 0.01 * (window**2).sum())
    pasted = []
    tiles_paste = baselines._Tiles.paste
    monkeypatch.setattr(
        baselines._Tiles, "paste", lambda self, values: pasted.append(values) or tiles_paste(self, values)
    )
    # Neither alignment nor search is to move the tile of this unrelated frame.
    monkeypatch.setattr(baselines, "find_shift", lambda *_: None)
    monkeypatch.setattr(baselines._Tiles, "search", 0)
    wiener_merge(burst, rejection=4.0, shrinkage=0.0)
    merged = (pasted[0][middle] / window * wave).sum()
    assert merged == pytest.approx((own + other + reject * (own - other)) / 2, rel=1e-5)


def test_wiener_merge_follows_a_moving_object():
    moving = MovingObject("flowers", center=(60, 40), diameter=40, velocity=(0, 2))
    burst = synthesize(BurstRecipe("sand", (60, 60, 120, 120), GAINS[1], frames=5, moving=moving,
                                   shifts=STILL[:5]))  # fmt: skip
    inside = burst.object_at == 1
    errors = {
        name: np.mean((image - burst.truth)[inside] ** 2)
        for name, image in {
            "mean": burst.mean,
            "reference": burst.reference,
            "merge": wiener_merge(burst, shrinkage=0.0),
        }.items()
    }
    assert errors["merge"] < 0.6 * errors["reference"] < errors["mean"]


@pytest.mark.parametrize("shape", [(1, 1), (5, 7), (16, 16), (33, 50)])
def test_tiles_cover_every_pixel_once(shape):
    tiles = baselines._Tiles(shape)
    image = np.random.default_rng(0).random(shape)
    np.testing.assert_allclose(tiles.paste(tiles.cut(image) * tiles.window**2), image, atol=1e-12)


def test_displaced_tiles_take_from_the_reference_what_the_frame_does_not_have():
    ours, theirs = np.random.default_rng(0).random((2, 40, 30))
    tiles = baselines._Tiles((40, 30))
    own = tiles.cut(ours)
    for dy, dx in ((3, -7), (-3, 7)):
        moved = tiles._displaced(theirs, np.array([dy, dx]), own, np.arange(len(own)))
        expected = ours.copy()
        for y in range(max(0, -dy), min(40, 40 - dy)):
            for x in range(max(0, -dx), min(30, 30 - dx)):
                expected[y, x] = theirs[y + dy, x + dx]
        np.testing.assert_allclose(tiles.paste(moved * tiles.window**2), expected, atol=1e-12)


@pytest.mark.parametrize("gain", GAINS)
def test_each_denoiser_beats_its_input(gain):
    burst = synthesize(BurstRecipe("girl", (80, 80, 96, 96), GAINS[gain], seed=2))
    scores = {name: psnr(method(burst), burst.truth) for name, method in BASELINES.items()}
    assert scores["aligned-mean"] > max(scores["mean"], scores["reference"]) + 1
    for name in ("nlm", "tv", "wavelets"):
        assert scores[name] > scores["aligned-mean"] + 0.3, name
    assert scores["wiener-merge"] > scores["reference"] + 5


@pytest.mark.parametrize("name", BASELINES)
def test_intensities_have_no_preferred_scale(name):
    """Half the light, half the read noise and half the shot gain: the same picture at half the intensity."""
    burst = synthesize(BurstRecipe("girl", (80, 80, 48, 52), GAINS[4], frames=3))
    noise = NoiseModel(burst.noise.read_std / 2, burst.noise.shot_gain / 2)
    half = Burst(burst.frames / 2, noise)
    np.testing.assert_allclose(2 * BASELINES[name](half), BASELINES[name](burst), atol=2e-5)


@pytest.mark.parametrize("name", BASELINES)
@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 40, 33), (3, 5, 7), (9, 17, 18)])
def test_any_number_of_frames_and_any_size(name, shape):
    for noise in (NoiseModel(0.02, 0.01), SILENT):
        frames = np.random.default_rng(0).random(shape).astype(np.float32)
        before = frames.copy()
        image = BASELINES[name](Burst(frames, noise))
        assert image.shape == shape[1:] and image.dtype == np.float32 and np.isfinite(image).all()
        np.testing.assert_array_equal(frames, before)


def test_a_black_burst_is_registered_nowhere_else():
    """Nothing to hold on to: the frames stay where they are."""
    burst = Burst(np.zeros((3, 40, 40), np.float32), GAINS[4])
    np.testing.assert_array_equal(BASELINES["aligned-mean"](burst), 0)
    np.testing.assert_array_equal(merge(burst).count, 3)


def test_the_defaults_are_points_of_the_grids():
    assert set(DEFAULTS) == set(GRIDS) < set(BASELINES)
    for name, parameters in DEFAULTS.items():
        assert set(parameters) == set(GRIDS[name])
        assert all(value in GRIDS[name][key] for key, value in parameters.items())


def test_tune_finds_the_best_of_a_grid(tmp_path, monkeypatch):
    level = np.rint(255 * read_scene("girl", 1) ** (1 / 2.2)).astype(np.uint8)
    Image.fromarray(level[:280, :290]).save(tmp_path / "one.png")
    monkeypatch.setattr(
        baselines,
        "GRIDS",
        {
            "tv": {"strength": (0.0001, 0.6, 20.0)},
            "wiener-merge": {"rejection": (16.0,), "shrinkage": (8.0, 1e6)},
        },
    )
    found = baselines.tune(tmp_path, gains=(4,))
    assert [found[name][0][0] for name in found] == [
        {"strength": 0.6},
        {"rejection": 16.0, "shrinkage": 8.0},
    ]
    scores = [score for _, score in found["tv"]]
    assert len(scores) == 3 and scores == sorted(scores, reverse=True)
    with pytest.raises(ValueError, match="photos: no PNG"):
        baselines.tune(tmp_path / "none")


@pytest.mark.parametrize("method", list(BASELINES))
def test_a_color_burst_is_restored_channel_by_channel(method):
    frames = np.random.default_rng(0).random((3, 3, 24, 26), dtype=np.float32)
    burst = Burst(frames, [NoiseModel(0.02, r) for r in (0.001, 0.002, 0.004)])
    image = BASELINES[method](burst)
    for c in range(3):
        np.testing.assert_array_equal(image[c], BASELINES[method](burst.channel(c)))
    if method not in ("reference", "mean"):
        with pytest.raises(ValueError, match="the burst has no noise model, which .* needs"):
            BASELINES[method](Burst(frames[:, 0]))
