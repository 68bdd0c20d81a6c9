"""Oracle: the whole picture in one piece; tiles must not be seen in the result."""

import dataclasses

import numpy as np
import pytest
import torch
from torch import nn

from kpnviz.burst import Burst, BurstRecipe, synthesize
from kpnviz.denoise import Denoiser, guide, load
from kpnviz.models import checkpoints
from kpnviz.noise import NoiseModel

from .conftest import tiny


def lively(name):
    """A small network whose kernels vary a lot."""
    network = tiny(name)
    if not network.config.direct:
        nn.init.normal_(network.head.weight, std=0.02 if network.config.matching else 0.1)
    return network


def random_burst(H, W, N=8):
    return Burst(np.random.default_rng(0).random((N, H, W), dtype=np.float32), NoiseModel(0.05, 0.01))


@pytest.mark.parametrize(
    "name", ["kpn-l5", "mkpn", "mkpn-stacked", "kpn", "kpn-direct-stacked", "kpn-1frame-stacked"]
)
@pytest.mark.parametrize("H, W", [(75, 102), (64, 64), (1, 90)])
def test_the_tile_size_does_not_matter(name, H, W):
    network, burst = lively(name), random_burst(H, W)
    whole = Denoiser(network, name, tile=128)(burst)
    for tile in (16, 24, 48):
        tiled = Denoiser(network, name, tile=tile)(burst)
        np.testing.assert_allclose(tiled.image, whole.image, atol=1e-5)
        if whole.kernels is not None:
            # To rounding; factors are up to 40 here.
            atol = max(1e-5, 2e-6 * float(whole.kernels.factors.abs().max()))
            torch.testing.assert_close(tiled.kernels.factors, whole.kernels.factors, rtol=0, atol=atol)
        without = Denoiser(network, name, tile=tile)(burst, keep_kernels=False)
        assert without.kernels is None
        np.testing.assert_array_equal(without.image, tiled.image)


def test_of_kernels_that_are_dropped_the_weight_of_the_references_own_pixel_is_kept():
    """The mean over the noise: of few rows all are counted, of many some."""
    for name in ("mkpn", "kpn"):
        for H, tile, off in ((16, 64, 1e-5), (96, 32, 0.1)):
            burst, denoiser = random_burst(H, 48), Denoiser(lively(name), name, tile=tile)
            weights = denoiser(burst).kernels.own_weights()
            expected = np.average(weights, weights=burst.noise.std_map(burst.frames[0, ::2, ::2]) ** 2)
            kept = denoiser(burst, keep_kernels=False).own_weight
            assert kept == pytest.approx(expected, rel=off)
            color = dataclasses.replace(burst, frames=np.repeat(burst.frames[:, None], 3, axis=1))
            each = denoiser(color, keep_kernels=False, channels="each")
            assert each.own_weight == pytest.approx(kept)
    direct = Denoiser(lively("kpn-direct-stacked"), "direct")
    assert direct(burst, keep_kernels=False).own_weight is None


def test_kernels_of_the_estimate_are_those_applied():
    burst = random_burst(33, 40)
    estimate = Denoiser(lively("mkpn"), "mkpn", tile=16)(burst)
    padded = np.pad(burst.frames, ((0, 0), (5, 5), (5, 5)), mode="reflect")
    for y, x in [(0, 0), (32, 39), (15, 16), (20, 31)]:
        value = (padded[:, y : y + 11, x : x + 11] * estimate.kernels.at(y, x)).sum() / 8
        assert estimate.image[y, x] == pytest.approx(value, abs=1e-4)


def test_assumed_noise_is_scaled():
    network, burst = lively("kpn-l5"), random_burst(16, 16)
    denoiser = Denoiser(network, "kpn-l5")
    louder = Burst(burst.frames, burst.noise.scaled(4))
    np.testing.assert_allclose(denoiser(burst, noise_scale=4).image, denoiser(louder).image, atol=1e-6)
    assert np.abs(denoiser(burst, noise_scale=4).image - denoiser(burst).image).max() > 1e-4


def test_progress_and_cancel():
    shares = []
    denoiser = Denoiser(lively("kpn-l5"), "kpn-l5", tile=16)
    denoiser(random_burst(32, 40), progress=shares.append)
    assert shares == pytest.approx([i / 6 for i in range(1, 7)])

    class CancelledError(Exception):
        pass

    def cancel(share):
        raise CancelledError

    with pytest.raises(CancelledError):
        denoiser(random_burst(32, 40), progress=cancel)


def test_one_frame_takes_the_reference_of_a_burst():
    denoiser, burst = Denoiser(lively("kpn-1frame-stacked"), "kpn-1frame-stacked"), random_burst(16, 16)
    alone = Burst(burst.frames[:1], burst.noise)
    np.testing.assert_array_equal(denoiser(burst).image, denoiser(alone).image)


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="the burst has 3 frames; kpn-l5-stacked takes 8"):
        Denoiser(lively("kpn-l5-stacked"), "kpn-l5-stacked")(random_burst(16, 16, N=3))
    with pytest.raises(ValueError, match="tile is 18"):
        Denoiser(lively("kpn-l5"), "kpn-l5", tile=18)


def test_synthetic_burst_of_a_photo_goes_through():
    estimate = Denoiser(lively("mkpn"), "mkpn")(synthesize(BurstRecipe("dog", crop=(10, 20, 31, 47))))
    assert estimate.image.shape == (31, 47) and estimate.image.dtype == np.float32 and estimate.seconds > 0


def test_load_takes_a_device_and_a_tile(tmp_path):
    path = tmp_path / "mine.safetensors"
    checkpoints.save(path, tiny("kpn-l5"), {})
    denoiser = load(path, device=torch.device("cpu"), tile=32)
    assert (denoiser.name, denoiser.tile) == ("mine", 32)
    for device in ("meta", "abacus"):  # from the first nothing comes back, the second does not exist
        with pytest.raises(ValueError, match=f"device is '{device}'; PyTorch says: "):
            load(path, device=device)
    with pytest.raises(ValueError, match="tile is 33; tiles are a multiple"):
        load(path, tile=33)


@pytest.mark.parametrize("name", ["mkpn", "kpn", "kpn-direct", "mkpn-stacked"])
def test_the_default_dtype_of_pytorch_changes_nothing(name):
    burst = synthesize(BurstRecipe("dog", crop=(60, 60, 32, 40)))
    plain = load(name)(burst)
    for dtype in (torch.float64, torch.float16, torch.bfloat16):
        torch.set_default_dtype(dtype)
        try:
            found = load(name)(burst)
        finally:
            torch.set_default_dtype(torch.float32)
        np.testing.assert_array_equal(found.image, plain.image)
        assert found.kernels is None or found.kernels.factors.dtype == torch.float32


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_weights_of_another_dtype_are_named(dtype):
    burst = synthesize(BurstRecipe("dog", crop=(60, 60, 32, 40)))
    network = load("kpn-l3").network.to(dtype)
    with pytest.raises(ValueError, match=f"^own has weights of {dtype}; float32 is taken: network.float"):
        Denoiser(network, "own")(burst)


def test_a_burst_and_an_estimate_are_one_line_each():
    burst = synthesize(BurstRecipe("dog", (0, 0, 24, 40), NoiseModel(0.02, 0.004), frames=3))
    assert repr(burst) == (
        "Burst(3 frames of 24x40, read_std 0.02, shot_gain 0.004, white 1, truth, shifts, recipe)"
    )
    estimate = dataclasses.replace(Denoiser(tiny("mkpn"), "mkpn")(burst), seconds=0.25)
    assert repr(estimate) == (
        "Estimate(24x40 by mkpn in 0.25 s, kernels: "
        "KernelField(3 frames of 24x40, separable kernels of sizes 1, 3, 5, 7, 9, 11))"
    )
    direct = Denoiser(tiny("kpn-direct"), "direct")(burst)
    assert repr(direct).endswith(" s, kernels: None)")


def color_burst(H=20, W=24, N=8):
    frames = np.random.default_rng(1).random((N, 3, H, W), dtype=np.float32)
    return Burst(frames, [NoiseModel(r, r / 9) for r in (0.02, 0.03, 0.05)])


@pytest.mark.parametrize("name", ["mkpn", "kpn", "kpn-direct-stacked"])
def test_color_is_denoised_with_the_kernels_that_are_shown(name):
    """Oracles: the kernels of the guide, applied to each channel; each channel, denoised by itself."""
    denoiser, burst = Denoiser(lively(name), name, tile=16), color_burst()
    each = denoiser(burst, noise_scale=2, channels="each")
    for c in range(3):
        alone = denoiser(burst.channel(c), noise_scale=2)
        np.testing.assert_array_equal(each.image[c], alone.image)
        if alone.kernels is not None:
            np.testing.assert_array_equal(each.kernels.channel(c).at(3, 5), alone.kernels.at(3, 5))
    shares = []
    shared = denoiser(burst, noise_scale=2, progress=shares.append)
    assert shares[-1] == 1 and shares == sorted(shares)
    if each.kernels is None:
        np.testing.assert_array_equal(shared.image, each.image)
        return
    seen = denoiser(guide(burst), noise_scale=2)
    torch.testing.assert_close(shared.kernels.factors, seen.kernels.factors)
    K = 2 * seen.kernels.reach + 1
    padded = np.pad(burst.frames, ((0, 0), (0, 0), (K // 2,) * 2, (K // 2,) * 2), mode="reflect")
    for y, x in [(0, 0), (19, 23), (15, 16)]:
        patches = padded[:, :, y : y + K, x : x + K]
        values = (patches * shared.kernels.at(y, x)[:, None]).sum((2, 3)).mean(0)
        np.testing.assert_allclose(shared.image[:, y, x], values, atol=1e-4)


def test_the_guide_is_a_weighted_sum_with_a_little_more_noise():
    burst = color_burst()
    seen = guide(burst)
    r, g, b = np.moveaxis(burst.frames, 1, 0)
    np.testing.assert_allclose(seen.frames, r / 4 + g / 2 + b / 4, rtol=1e-6)
    assert seen.noise.read_std == pytest.approx(1.2 * np.hypot(np.hypot(0.02 / 4, 0.03 / 2), 0.05 / 4))
    assert seen.noise.shot_gain == pytest.approx(1.44 * (0.02 / 16 + 0.03 / 4 + 0.05 / 16) / 9)
    gray = random_burst(8, 8)
    assert guide(gray) is gray


def test_what_networks_need_is_named():
    denoiser = Denoiser(lively("mkpn"), "mkpn")
    for frames in (np.zeros((8, 16, 16)), np.zeros((8, 3, 16, 16))):
        with pytest.raises(ValueError, match="the burst has no noise model, which mkpn needs"):
            denoiser(Burst(frames))
    with pytest.raises(ValueError, match=r"burst is of type ndarray; it is a kpnviz.Burst\(frames, noise"):
        denoiser(np.zeros((8, 16, 16)))
    with pytest.raises(ValueError, match="channels is 'all'; choose one of 'shared', 'each'"):
        denoiser(color_burst(), channels="all")
