"""Oracles: the paper's table of gains, and the moments of many samples."""

from fractions import Fraction

import numpy as np
import pytest
import torch

from kpnviz.noise import GAINS, NoiseModel, noise_std, stabilize, stabilize_frames, unstabilize
from kpnviz.paths import ROOT


@pytest.mark.parametrize(
    "gain, log_read, log_shot", [(1, -2.1, -2.6), (2, -1.8, -2.3), (4, -1.4, -1.9), (8, -1.1, -1.5)]
)
def test_the_four_gains_of_the_paper(gain, log_read, log_shot):
    for noise in (GAINS[gain], NoiseModel.for_gain(gain)):
        assert np.log10([noise.read_std, noise.shot_gain]) == pytest.approx([log_read, log_shot])


def test_gain_is_continuous_and_proportional_beyond_the_table():
    between = NoiseModel.for_gain(2**1.5)
    assert np.log10(between.read_std) == pytest.approx((-1.8 - 1.4) / 2)
    assert NoiseModel.for_gain(16).read_std == pytest.approx(2 * GAINS[8].read_std)
    assert NoiseModel.for_gain(0.5).shot_gain == pytest.approx(GAINS[1].shot_gain / 2)


@pytest.mark.parametrize(
    "noise, beyond",
    [
        (NoiseModel(10**-1.5, 10**-2), False),  # the ends of the ranges of section 3.1
        (NoiseModel(1.001 * 10**-1.5, 0), True),
        (NoiseModel(0, 1.001 * 10**-2), True),
        *((NoiseModel.for_gain(gain), gain > 3) for gain in (1, 2, 4, 8, 16)),
    ],
)
def test_beyond_training_is_either_number_above_its_range(noise, beyond):
    assert noise.beyond_training is beyond


def test_relative_to_white_training_reaches_all_gains():
    """x / white of a burst darkened to this white has read_std / white and shot_gain / white: 0.1 is the darkest."""
    noise, white = NoiseModel.for_gain(16), 0.1
    assert not NoiseModel(noise.read_std * white, noise.shot_gain * white).beyond_training


def test_the_readme_marks_the_gains_beyond_training():
    header = next(
        line for line in (ROOT / "README.md").read_text().splitlines() if line.startswith("| PSNR, dB | ×1")
    )
    for gain in (1, 4, 8):
        assert (f"×{gain} †" in header) == NoiseModel.for_gain(gain).beyond_training


@pytest.mark.parametrize("level", [0.0, 0.02, 0.5, 1.0])
def test_samples_have_the_variance_of_equation_7(level):
    noise = GAINS[4]
    samples = noise.add_to(np.full((1000, 1000), level), np.random.default_rng(0)).astype(np.float64)
    expected = noise.read_std**2 + noise.shot_gain * level
    # The standard error of a variance from 10^6 samples is sqrt(2 / 10^6) = 0.14 % of it.
    assert samples.var() == pytest.approx(expected, rel=0.007)
    assert samples.mean() == pytest.approx(level, abs=5 * np.sqrt(expected) / 1000)
    if level == 0:
        assert (samples < 0).mean() == pytest.approx(0.5, abs=0.005)  # not clipped at black


def test_noise_map_is_equation_8():
    noise = NoiseModel(read_std=0.03, shot_gain=0.01)
    assert noise.std_map(np.array([-1.0, 0.0, 0.07])) == pytest.approx([0.03, 0.03, 0.04])


def test_scaled_multiplies_the_standard_deviation_everywhere():
    x = np.linspace(0, 1, 11)
    np.testing.assert_allclose(GAINS[2].scaled(3).std_map(x), 3 * GAINS[2].std_map(x))
    np.testing.assert_allclose(noise_std(x, 0.1, 0.0), 0.1)


@pytest.mark.parametrize(
    "bad", [dict(read_std=-0.1, shot_gain=0.0), dict(read_std=0.1, shot_gain=float("nan"))]
)
def test_bad_noise_is_named(bad):
    with pytest.raises(ValueError, match=r"read_std is -0\.1|shot_gain is nan"):
        NoiseModel(**bad)


def test_numbers_of_any_kind_are_noise_and_gains():
    for number in (np.float32(0.25), np.float64(0.25), np.array(0.25)[()], Fraction(1, 4)):
        noise = NoiseModel(number, number)
        assert noise == NoiseModel(0.25, 0.25) and type(noise.read_std) is type(noise.shot_gain) is float
    assert NoiseModel.for_gain(np.int64(4)) == NoiseModel.for_gain(Fraction(4)) == NoiseModel.for_gain(4)


@pytest.mark.parametrize("bad", [None, "0.1", 1j, np.array([0.1])])
def test_what_is_no_number_is_no_noise(bad):
    with pytest.raises(ValueError, match="read_std is "):
        NoiseModel(bad, 0)
    with pytest.raises(ValueError, match="gain is "):
        NoiseModel.for_gain(bad)


@pytest.mark.parametrize("gain", [0, -1, float("inf")])
def test_bad_gain_is_named(gain):
    with pytest.raises(ValueError, match=f"gain is {gain}"):
        NoiseModel.for_gain(gain)


@pytest.mark.parametrize("noise", [GAINS[1], GAINS[8], NoiseModel(0.03, 0), NoiseModel(0, 0.002)])
@pytest.mark.parametrize("level", [0.1, 0.5, 0.9])
def test_stabilized_noise_has_deviation_one_and_its_mean_comes_back_unbiased(noise, level):
    samples = noise.add_to(np.full(200_000, level), np.random.default_rng(0))
    stable = stabilize(samples, noise)
    assert stable.std() == pytest.approx(1, abs=0.03)
    np.testing.assert_allclose(unstabilize(stable, noise), samples, atol=1e-6)
    # 0.1 % of white; the plain inverse misses by 0.8 % at gain 8.
    assert unstabilize(stable.mean(), noise, 1.0) == pytest.approx(level, abs=0.001)


@pytest.mark.parametrize(
    "read_std, shot_gain, floor",
    [(0.0, 0.1, 0.05), (0.02, 0.01, 0.02), (0.0, 1e-4, 5e-5), (2e-5, 1e-5, 2e-5), (0.0, 0.0, 1e-3)],
)
def test_below_zero_the_unit_is_read_noise_or_half_a_photon(read_std, shot_gain, floor):
    """The slope there is 1 / r: r is read_std, but at least shot_gain / 2 (half a photon); without noise, 0.001."""
    noise = NoiseModel(read_std, shot_gain)
    values = np.array([[-0.5, -0.01, 0.0]], np.float32)
    expected = [[-0.5 / floor, -0.01 / floor, 0.0]]
    np.testing.assert_allclose(stabilize(values, noise), expected, rtol=1e-6)
    frames = stabilize_frames(
        torch.from_numpy(values)[None, None], torch.tensor([read_std]), torch.tensor([shot_gain])
    )
    np.testing.assert_allclose(frames[0, 0], expected, rtol=1e-6)
    np.testing.assert_allclose(unstabilize(np.array(expected), noise), values, rtol=1e-6)
