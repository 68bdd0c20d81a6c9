"""Structure of the networks against the papers' numbers, and what must hold for every model kind."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from kpnviz.kernels import KernelField
from kpnviz.models.kpn import ModelConfig
from kpnviz.models.unet import BASE, MATCHING, PAPER, TrunkConfig, UNet
from kpnviz.models.zoo import STACKED, ZOO, build, config_of, title_of

from ..conftest import TINY, TINY_MATCHING, burst_tensors, tiny

KINDS = [
    f"{name}-stacked"
    for name in ("kpn", "kpn-l1", "kpn-l25", "mkpn", "kpn-1frame", "kpn-blind", "kpn-direct")
]


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("B, H, W", [(1, 16, 16), (2, 13, 21), (1, 1, 1), (2, 1, 9), (1, 10, 1)])
def test_any_size_gives_a_finite_picture(name, B, H, W):
    network = tiny(name)
    frames, *noise = burst_tensors(network.config.frames, H, W, B)
    prediction = network(frames, *noise)
    image = prediction.apply(frames) if isinstance(prediction, KernelField) else prediction
    assert image.shape == (B, H, W) and bool(image.isfinite().all())


@pytest.mark.parametrize("name", [k for k in KINDS if k != "kpn-direct-stacked"])
def test_what_is_shown_is_what_is_applied(name):
    """The invariant of the viewer, for every kind of model, on an odd size."""
    network = tiny(name)
    nn.init.normal_(network.head.weight, std=0.2)  # kernels that differ from pixel to pixel
    frames, *noise = burst_tensors(network.config.frames, 9, 14, B=1)
    with torch.no_grad():
        field = network(frames, *noise)
        image = field.apply(frames)[0].numpy()
    kernels = field.region(0, 9, 0, 14)
    r = field.reach
    padded = np.pad(frames[0].numpy(), ((0, 0), (r, r), (r, r)), mode="reflect")
    patches = np.lib.stride_tricks.sliding_window_view(padded, (2 * r + 1, 2 * r + 1), axis=(1, 2))
    oracle = np.einsum("nyxab,nyxab->yx", kernels, patches) / len(kernels)
    np.testing.assert_allclose(image, oracle, rtol=1e-4, atol=1e-5)
    assert kernels.std(axis=(1, 2)).max() > 1e-3


@pytest.mark.parametrize("name", KINDS)
def test_a_batch_does_not_mix_its_bursts(name):
    network = tiny(name)
    frames, *noise = burst_tensors(network.config.frames, 12, 12, B=3)

    def image(f, *noise):
        prediction = network(f, *noise)
        return prediction.apply(f) if isinstance(prediction, KernelField) else prediction

    together = image(frames, *noise)
    for b in range(3):
        alone = image(frames[b : b + 1], *(x[b : b + 1] for x in noise))[0]
        torch.testing.assert_close(together[b], alone, rtol=1e-4, atol=1e-5)


def test_head_has_the_papers_channels():
    """Section 2.2: for S = {5, 11}, p = 16 and the last block has 2 p N channels; dense KPN has K^2 N."""
    assert build(ModelConfig(sizes=(5, 11), trunk=TINY)).head.out_channels == 2 * 16 * 8
    assert build(ModelConfig(sizes=(5,), separable=False, trunk=TINY)).head.out_channels == 25 * 8


def test_blind_ignores_the_noise_and_the_others_do_not():
    frames, *noise = burst_tensors(8, 8, 8)
    for name, differs in [("kpn-blind-stacked", False), ("kpn-stacked", True)]:
        network = tiny(name)
        nn.init.normal_(network.head.weight)
        a, b = (network(frames, *(scale * x for x in noise)).factors for scale in (1, 4))
        assert bool((a != b).any()) == differs


def test_fresh_networks_start_from_boxes():
    network = tiny("mkpn-stacked")
    frames, *noise = burst_tensors(8, 8, 8, B=1)
    for size, kernel in network(frames, *noise).sizes_at(4, 4).items():
        np.testing.assert_allclose(kernel, np.full((8, size, size), 1 / size**2), rtol=0.12)
        assert kernel.sum(axis=(1, 2)) == pytest.approx(np.ones(8), abs=0.06)


@pytest.mark.parametrize("config", [BASE, PAPER, MATCHING, TINY, TINY_MATCHING])
def test_reach_of_the_trunk(config):
    """The farthest pixel with a gradient, in float64, over all places in a block of `stride` pixels."""
    # The widths do not matter to it, and those of PAPER would take long.
    narrow = TrunkConfig((2,) * len(config.encoder), (2,) * len(config.decoder), config.convs)
    assert narrow.reach == config.reach
    torch.manual_seed(0)
    # Random signs would cancel; positive weights let every path count.
    trunk = UNet(1, narrow).double()
    for p in trunk.parameters():
        nn.init.uniform_(p, 0.01, 0.02)
    stride, step = config.stride, 2 if len(config.decoder) == len(config.encoder) - 2 else 1
    middle = -(-config.reach // stride) * stride
    x = torch.rand(1, 1, stride, 2 * middle + 2 * stride, dtype=torch.float64, requires_grad=True)
    features, _ = trunk(x)
    seen = 0
    for pixel in range(middle, middle + stride):
        gradient = torch.autograd.grad(features[..., pixel // step].sum(), x, retain_graph=True)[0]
        touched = gradient[0, 0].abs().sum(0).nonzero().ravel()
        seen = max(seen, pixel - int(touched[0]), int(touched[-1]) - pixel)
    assert seen == config.reach


@pytest.mark.parametrize(
    "name", ["kpn-l5-stacked", "kpn-direct-stacked", "kpn", "kpn-l25", "mkpn", "kpn-direct"]
)
def test_the_margin_is_what_an_output_depends_on(name, monkeypatch):
    """Pixels beyond it change nothing, whatever the place in a block; a fifth within it, they do.

    By torch's convolutions: those of Winograd round what they sum, also what cancels.
    """
    monkeypatch.setattr("kpnviz.models.unet.compiled_for", lambda x: False)
    network, frames = tiny(name), 3 if config_of(name).matching else 8
    torch.manual_seed(1)
    for key, parameter in network.named_parameters():
        if key.split(".")[0] in ("head", "reference_head", "sharpness") and parameter.ndim > 1:
            nn.init.normal_(parameter, std=0.02 if network.config.matching else 0.1)
    margin, stride = network.margin, network.stride
    middle = -(-margin // stride) * stride
    one, other = torch.rand(2, 1, frames, stride, 2 * middle + 2 * stride)
    noise = torch.tensor([0.05]), torch.tensor([0.01])

    def column(burst, x):
        result = network(burst, *noise)
        return (result if isinstance(result, torch.Tensor) else result.apply(burst))[..., x]

    def changed_from(distance, x):
        burst = other.clone()
        burst[..., max(x - distance + 1, 0) : x + distance] = one[
            ..., max(x - distance + 1, 0) : x + distance
        ]
        return not torch.equal(column(burst, x), before[x])

    with torch.inference_mode():
        pixels = range(middle, middle + stride)
        before = {x: column(one, x) for x in pixels}
        assert not any(changed_from(margin + 1, x) for x in pixels)
        assert any(changed_from(math.floor(0.8 * margin), x) for x in pixels)


def test_the_papers_preset_has_its_blocks():
    """Figure 1 of the MKPN paper: 64, 128, 256, 512, 512 channels down, 512, 512, 256 up, to half resolution."""
    network = build(ModelConfig(trunk=PAPER))
    convs = [m.out_channels for m in network.trunk.modules() if isinstance(m, nn.Conv2d)]
    assert convs == [c for c in (64, 128, 256, 512, 512, 512, 512, 256) for _ in range(3)]
    assert network.head.out_channels == 576
    assert network(*burst_tensors(8, 16, 16, B=1)).factors.shape == (1, 8, 72, 8, 8)


def test_networks_fit_4_mb():
    """Two bytes a parameter; stacked frames need the larger trunk."""
    for name in ZOO:
        params = sum(p.numel() for p in build(config_of(name)).parameters())
        assert 1.8e6 < params < 2.0e6 if name in STACKED else 0.7e6 < params < 1.0e6, name


def test_config_survives_json():
    import json

    for config in ZOO.values():
        assert ModelConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


@pytest.mark.parametrize(
    "changes, sentence",
    [
        (dict(sizes=(4,)), "sizes: 4 is not a kernel size"),
        (dict(sizes=()), "sizes is empty"),
        (dict(sizes=(3, 3)), "names a size twice"),
        (dict(frames=0), "frames is 0"),
    ],
)
def test_bad_configs_are_named(changes, sentence):
    with pytest.raises(ValueError, match=sentence):
        ModelConfig(**changes)


def test_bad_inputs_are_named():
    with pytest.raises(
        ValueError, match=r"frames has shape \(1, 3, 8, 8\); this network takes \[B, 8, H, W\]"
    ):
        tiny("mkpn-stacked")(torch.rand(1, 3, 8, 8), torch.rand(1), torch.rand(1))
    with pytest.raises(ValueError, match="model 'kpn-l4' is not in the zoo"):
        config_of("kpn-l4")
    with pytest.raises(ValueError, match="trunk"):
        TrunkConfig((4, 8), (4,), 1)


def test_titles():
    assert [title_of(n) for n in ("kpn", "kpn-l25", "mkpn-25", "mkpn-stacked", "kpn-no-anneal-stacked")] == [
        "KPN 5×5",
        "KPN L25",
        "MKPN 25",
        "MKPN stacked",
        "KPN no-anneal stacked",
    ]
