"""Networks that match: their kernels start from the frames themselves, follow them, and are what is applied."""

import numpy as np
import pytest
import torch

from kpnviz.burst import BurstRecipe, Misalignment, MovingObject, synthesize
from kpnviz.denoise import Denoiser
from kpnviz.matching import matching_costs
from kpnviz.models.matched import MOST_FEATURE, _Encoder
from kpnviz.models.zoo import MATCHED, build, config_of
from kpnviz.noise import NoiseModel, stabilize_frames

from ..conftest import tiny

MATCHING = list(MATCHED)
READ, SHOT = torch.tensor([0.01, 0.02]), torch.tensor([0.002, 0.004])


def disturbed(name, **changes):
    """A network whose last layers, which start at zero, have weights: what it does after some training."""
    network = tiny(name, **changes)
    torch.manual_seed(1)
    for key, parameter in network.named_parameters():
        if key.split(".")[0] in ("head", "reference_head", "sharpness") and parameter.ndim > 1:
            torch.nn.init.normal_(parameter, std=0.005)
    return network


def bursts(N, H=24, W=28, B=2, seed=0):
    return torch.rand(B, N, H, W, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("name", MATCHING)
@pytest.mark.parametrize("N, H, W", [(1, 9, 14), (2, 8, 8), (5, 17, 6), (11, 5, 21)])
def test_any_number_of_frames_and_any_size(name, N, H, W):
    network = disturbed(name)
    frames = bursts(N, H, W)
    prediction = network(frames, READ, SHOT)
    image = prediction if isinstance(prediction, torch.Tensor) else prediction.apply(frames)
    assert image.shape == (2, H, W) and bool(image.isfinite().all())
    alone = network(frames[1:], READ[1:], SHOT[1:])
    alone = alone if isinstance(alone, torch.Tensor) else alone.apply(frames[1:])
    torch.testing.assert_close(alone[0], image[1], atol=1e-4, rtol=0)


@pytest.mark.parametrize("M, J, rows, h, w", [(3, 3, 22, 9, 70), (1, 2, 9, 1, 1), (2, 1, 3, 6, 130)])
def test_compiled_encoders_are_their_convolutions(M, J, rows, h, w):
    """Oracle: PyTorch's, in float64 and with gradients. The costs are a part of larger ones, as in a tile."""
    torch.manual_seed(0)
    encoder = _Encoder(J * rows, 0.1)
    for layer in (encoder.narrow, encoder.spread):
        torch.nn.init.normal_(layer.bias, std=0.3)
    costs = (12 * torch.rand(M, J, rows, h + 2, w + 3) - 1)[..., 1:-1, 2:-1]
    expected = encoder.double()(costs.double()).detach()
    with torch.inference_mode():
        result = encoder.float()(costs)
    np.testing.assert_allclose(result, expected, atol=2e-5 * expected.abs().max().item())


@pytest.mark.parametrize("name", ["kpn", "kpn-l5", "mkpn"])
def test_what_is_shown_is_what_was_applied(name):
    frames = bursts(4)
    field = disturbed(name)(frames, READ, SHOT)
    image, r = field.apply(frames), field.reach
    padded = np.pad(frames[1].numpy(), ((0, 0), (r, r), (r, r)), mode="reflect")
    for y, x in ((0, 0), (11, 13), (23, 27)):
        patches = padded[:, y : y + 2 * r + 1, x : x + 2 * r + 1]
        assert (patches * field.at(y, x, b=1)).sum() / 4 == pytest.approx(image[1, y, x].item(), abs=1e-5)


@pytest.mark.parametrize("gradients", [False, True])
@pytest.mark.parametrize("mass, sum_of_weights", [(0.04, 0.2), (-0.04, 0.2), (-0.6, 1)])
@pytest.mark.parametrize("name", ["kpn", "kpn-l5", "mkpn"])
def test_a_mass_near_zero_or_below_is_scaled_by_five_at_most(name, mass, sum_of_weights, gradients):
    """The signed part can take away what matching gives; what is left must not be blown up to mass 1.

    Matching alone has mass 1; here biases take 0.96 to 1.6 of it away.
    """
    network = tiny(name)
    sizes = network.config.sizes
    with torch.no_grad():
        for head in (network.head, network.reference_head):
            if network.config.separable:
                # The horizontal factor's sum falls from 1 to the mass.
                values = [v for size in sizes for v in [0.0] * size + [(mass - 1) / size] * size]
            else:
                values = [(mass - 1) / sizes[0] ** 2] * sizes[0] ** 2
            head.bias[: network.channels] = torch.tensor(values)
    with torch.set_grad_enabled(gradients):
        field = network(bursts(4), READ, SHOT)
    shares = np.mean([kernel.sum((-2, -1)) for kernel in field.sizes_at(10, 14).values()], axis=0)
    assert shares.mean() == pytest.approx(sum_of_weights, rel=1e-3)


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("name", ["kpn", "mkpn"])
def test_features_are_bounded(name, sign):
    """Biases make all of the trunk's features large: whether beyond the bound by little or by much is the same."""
    network, frames = disturbed(name), bursts(3)
    last = [layer for layer in network.trunk.modules() if isinstance(layer, torch.nn.Conv2d)][-1]
    fields = []
    for times in (2, 20, 0.5):
        # Features below 0 leave the layer ten times smaller.
        slope = 1 if sign > 0 else network.leak
        torch.nn.init.constant_(last.bias, sign * times * MOST_FEATURE / slope)
        fields.append(network(frames, READ, SHOT).factors)
    torch.testing.assert_close(fields[1], fields[0], atol=1e-5, rtol=1e-5)
    assert not torch.allclose(fields[2], fields[0], atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("name", ["kpn", "kpn-l25", "mkpn"])
def test_shares_sum_to_one(name):
    """Exactly where the network predicts, as in a corner; nearly where factors are interpolated, then multiplied."""
    field = disturbed(name)(bursts(4), READ, SHOT)
    kernels = field.sizes_at(0, 0)
    assert np.mean([k.sum((1, 2)) for k in kernels.values()]) == pytest.approx(1, abs=1e-5)


def test_the_order_of_alternate_frames_does_not_matter():
    frames, network = bursts(5), disturbed("mkpn")
    order = [0, 3, 1, 4, 2]
    first, second = network(frames, READ, SHOT), network(frames[:, order], READ, SHOT)
    torch.testing.assert_close(second.factors, first.factors[:, order], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("scale", [4, 1 / 16, 1 / 4096])
def test_kernels_depend_on_the_signal_in_units_of_the_noise_alone(scale):
    """Twice the light on a sensor of twice the noise is the same burst: x, read_std and shot_gain scale alike."""
    frames, network = bursts(3), disturbed("mkpn")
    one, other = network(frames, READ, SHOT), network(scale * frames, scale * READ, scale * SHOT)
    torch.testing.assert_close(other.factors, one.factors, atol=1e-4, rtol=1e-3)


def test_blind_assumes_no_noise_and_the_others_do():
    frames = bursts(3)
    for name, same in (("kpn-blind", True), ("kpn", False)):
        network = disturbed(name)
        a, b = (network(frames, scale * READ, scale**2 * SHOT).factors for scale in (1, 3))
        assert torch.equal(a, b) == same


def test_before_training_dense_kernels_are_non_local_means():
    """N softmax of -(5/3) times the sum of the costs, over frames and taps: written out for one pixel."""
    frames = bursts(4, 16, 16)
    field = build(config_of("kpn"))(frames, READ, SHOT)
    costs = matching_costs(stabilize_frames(frames, READ, SHOT), 2, 3).sum(2)[1, :, :, :, 3, 4]  # [N, 5, 5]
    weights = torch.exp(-5 / 3 * costs)
    expected = 4 * weights / weights.sum()
    torch.testing.assert_close(field.factors[1, :, :, 3, 4].view(4, 5, 5), expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", ["kpn", "mkpn"])
def test_before_training_kernels_already_go_where_the_scene_went(name):
    shifts = ((0, 0), (2, -1), (-2, 2), (1, 2))
    recipe = BurstRecipe("grass", (40, 40, 64, 64), NoiseModel.for_gain(1), frames=4, shifts=shifts)
    burst = synthesize(recipe)
    kernels = Denoiser(build(config_of(name)).eval(), name)(burst).kernels
    r = kernels.reach
    at = np.stack([kernels.at(y, x) for y in (24, 32, 40) for x in (24, 32, 40)]).mean(0)  # [N, K, K]
    for kernel, (dy, dx) in zip(at, shifts, strict=True):
        assert np.unravel_index(kernel.argmax(), kernel.shape) == (r + dy, r + dx)


def test_before_training_kernels_follow_an_object_and_not_the_camera():
    moving = MovingObject("grass", center=(32, 32), diameter=40, velocity=(0, 2))
    recipe = BurstRecipe(
        "sand",
        (40, 40, 64, 64),
        NoiseModel.for_gain(1),
        frames=3,
        misalignment=Misalignment(0, 0, 0),
        moving=moving,
    )
    kernels = Denoiser(build(config_of("mkpn")).eval(), "mkpn")(synthesize(recipe)).kernels
    on, off = kernels.at(32, 32), kernels.at(6, 6)
    assert np.unravel_index(on[2].argmax(), on[2].shape) == (5, 9)
    assert np.unravel_index(off[2].argmax(), off[2].shape) == (5, 5)


@pytest.mark.parametrize("name", ["kpn", "mkpn", "kpn-direct"])
def test_tiles_change_nothing(name):
    burst = synthesize(BurstRecipe("city", (10, 10, 260, 250), NoiseModel.for_gain(2), frames=3, seed=5))
    network = disturbed(name)
    whole, tiled = Denoiser(network, name, tile=512)(burst), Denoiser(network, name, tile=64)(burst)
    np.testing.assert_allclose(tiled.image, whole.image, atol=2e-5)


def test_nothing_beyond_the_margin_is_seen():
    network = disturbed("mkpn")
    frames = bursts(2, 160, 320, B=1)
    changed = frames.clone()
    y, x = 80, 150
    changed[..., x + network.margin + 8 :] = 0.5
    one, other = (network(f, READ[:1], SHOT[:1]) for f in (frames, changed))
    torch.testing.assert_close(
        one.factors[..., y // 2, x // 2], other.factors[..., y // 2, x // 2], atol=0, rtol=0
    )


@pytest.mark.parametrize("name", MATCHING)
def test_all_parameters_learn(name):
    network = disturbed(name).train()
    frames = bursts(3, 16, 16)
    prediction = network(frames, READ, SHOT)
    image = prediction if isinstance(prediction, torch.Tensor) else prediction.apply(frames)
    image.square().mean().backward()
    without = [key for key, p in network.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    if name == "kpn-l1":  # a kernel of one tap has no shape, and the reference's only cost is 0
        without = [
            key for key in without if key != "size_sharpness" and not key.startswith("reference_encoder")
        ]
    assert without == []


@pytest.mark.parametrize("name", ["kpn-l1", "kpn-l5", "kpn-l25", "mkpn", "kpn"])
@pytest.mark.parametrize("N, H, W", [(1, 9, 14), (5, 70, 134)])
def test_with_and_without_gradients_the_kernels_are_the_same(name, N, H, W, monkeypatch):
    """Without, they come strip by strip, and for separable networks from the compiled last step."""
    monkeypatch.setattr("kpnviz.models.matched._STRIP", 300)  # a few rows, and the last strip shorter
    network = disturbed(name)
    for parameter in network.parameters():
        parameter.data += 0.02 * torch.randn_like(parameter)
    frames = bursts(N, H, W)
    with torch.no_grad():
        fast = network(frames, READ, SHOT).factors
    plain = network(frames, READ, SHOT).factors.detach()
    torch.testing.assert_close(fast, plain, atol=2e-5 * plain.abs().max().item(), rtol=0)
