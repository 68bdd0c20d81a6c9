"""The pair network, and a trunk that starts from copies of it."""

import numpy as np
import pytest
import torch
from torch import nn

from kpnviz.models.kpn import ModelConfig, build
from kpnviz.models.pairs import PairConfig, PairNetwork, normalize_features, plant, plant_head
from kpnviz.models.unet import BASE, PAPER, TrunkConfig
from kpnviz.models.zoo import ZOO


@pytest.fixture
def pairs():
    torch.manual_seed(0)
    network = PairNetwork()
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.normal_(layer.bias, std=0.1)
    return network


def test_a_planted_trunk_computes_each_pair_exactly(pairs):
    network = build(ModelConfig(sizes=(3,), trunk=BASE))
    plant(pairs.trunk, network.trunk, 8)
    frames, noise_map = torch.rand(2, 8, 32, 48), torch.rand(2, 32, 48)
    half, full = network.features(frames, noise_map)
    for i in range(1, 8):
        expected_half, expected_full = pairs.trunk(frames[:, [0, i]])
        torch.testing.assert_close(half[:, 8 * (i - 1) : 8 * i], expected_half)
        torch.testing.assert_close(full[:, 4 * (i - 1) : 4 * i], expected_full)


@pytest.mark.parametrize("name", [name for name, config in ZOO.items() if config.frames > 1])
def test_it_fits_every_model_of_several_frames(pairs, name):
    network = build(ZOO[name])
    before = network.trunk.encoder[0][0].weight.clone()
    plant(pairs.trunk, network.trunk, 8)
    after = network.trunk.encoder[0][0].weight
    # Channels 28 to 31 belong to no copy; the noise map, input 8, is read by them alone.
    assert torch.equal(before[28:], after[28:])
    assert after[:28, 8:].abs().sum() == 0


def test_fewer_frames_leave_more_channels_free(pairs):
    network = build(ModelConfig(frames=3))
    before = network.trunk.decoder[0][0].weight.clone()
    plant(pairs.trunk, network.trunk, 3)
    assert torch.equal(before[32:], network.trunk.decoder[0][0].weight[32:])


@pytest.mark.parametrize(
    "trunk",
    [
        TrunkConfig((16, 64, 128, 128, 128), (128, 128, 64), 2),
        TrunkConfig((32, 64, 128, 128, 128), (128, 128, 48), 2),
        PAPER,
    ],
)
def test_a_trunk_too_narrow_or_of_another_depth_is_refused(pairs, trunk):
    with pytest.raises(ValueError, match="7 copies of a pair network with widths .* do not fit into widths"):
        plant(pairs.trunk, build(ModelConfig(trunk=trunk)).trunk, 8)


def test_the_shifts_of_all_frames_come_from_one_network(pairs):
    nn.init.normal_(pairs.head.weight)
    frames = torch.rand(1, 4, 32, 32)
    told = pairs(frames)
    assert told.shape == (1, 3, 10, 16, 16)
    swapped = pairs(frames[:, [0, 3, 2, 1]])
    torch.testing.assert_close(swapped, told.flip(1))


def test_config_survives_a_card():
    config = PairConfig(TrunkConfig((2, 4, 8), (4,), 1))
    assert PairConfig.from_dict(config.to_dict()) == config


def planted(pairs, sizes, separable, frames):
    """Kernel factors [N, F] that a planted network predicts at one pixel, and the pair's u, v there [N-1, 5]."""
    nn.init.normal_(pairs.head.weight, std=0.1)
    nn.init.normal_(pairs.head.bias)
    network = build(ModelConfig(sizes=sizes, separable=separable))
    plant(pairs.trunk, network.trunk, 8)
    plant_head(pairs.head, network.head, sizes, separable, 8)
    with torch.no_grad():
        factors = network(frames, torch.rand(1, 32, 32)).factors[0, ..., 5, 9]
        return factors, *pairs(frames)[0, ..., 5, 9].split(5, dim=1)


@pytest.mark.parametrize("sizes", [(5,), (1, 3, 7), (25,)])
def test_separable_kernels_start_as_those_of_the_pair_network(pairs, sizes):
    factors, u, v = planted(pairs, sizes, True, torch.rand(1, 8, 32, 32))
    for size, part in zip(sizes, factors.split([2 * size for size in sizes], dim=1), strict=True):
        pad, cut = max(size - 5, 0) // 2, max(5 - size, 0) // 2
        for expected, found in zip((u, v), part[1:].split(size, dim=1), strict=True):
            expected = np.pad(expected.numpy(), ((0, 0), (pad, pad)))[:, cut : 5 + 2 * pad - cut]
            torch.testing.assert_close(found, torch.from_numpy(expected))
        # Frame 0 has what the others leave of the shares.
        left = 8 - sum(part[1:].view(7, 2, size).sum((0, 2))) / 2
        middle = np.eye(size)[size // 2]
        expected = torch.from_numpy(np.concatenate((middle * left.item(), middle))).float()
        torch.testing.assert_close(part[0], expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize("size", [5, 7])
def test_dense_kernels_start_with_the_marginals_of_the_pair_network(pairs, size):
    factors, u, v = planted(pairs, (size,), False, torch.rand(1, 8, 32, 32))
    kernels = factors.view(8, size, size)
    pad = (size - 5) // 2
    u, v = nn.functional.pad(u, (pad, pad)), nn.functional.pad(v, (pad, pad))
    excess = (v.sum(1) - u.sum(1)) / 2  # the two factors need not agree on the kernel's mass
    torch.testing.assert_close(kernels[1:].sum(2), u + excess[:, None] / size, rtol=0, atol=1e-4)
    torch.testing.assert_close(kernels[1:].sum(1), v - excess[:, None] / size, rtol=0, atol=1e-4)
    # Frame 0 has what they leave of the shares, in its middle.
    assert kernels.sum().item() == pytest.approx(8, abs=1e-3)
    assert kernels[0].count_nonzero() == 1 and kernels[0, size // 2, size // 2] != 0


def test_normalized_features_have_size_one_and_tell_the_same(pairs):
    nn.init.normal_(pairs.head.weight)
    for layer in pairs.trunk.modules():
        if isinstance(layer, nn.Conv2d):
            layer.weight.data.mul_(3)
    frames = torch.rand(2, 4, 32, 32)
    with torch.no_grad():
        before = pairs(frames)
        normalize_features(pairs, frames)
        sizes = []
        for layer in pairs.trunk.modules():
            if isinstance(layer, nn.ReLU):
                layer.register_forward_hook(lambda _layer, _in, out: sizes.append(out.square().mean().sqrt()))
        after = pairs(frames)
    torch.testing.assert_close(after, before, rtol=1e-3, atol=1e-3 * before.abs().max().item())
    torch.testing.assert_close(torch.stack(sizes), torch.ones(16))
