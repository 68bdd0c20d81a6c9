"""Oracle: the same convolution in float64, by definition."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from kpnviz.models.unet import Block

SHAPES = [
    # B, channels in, channels out, height, width: parts and groups that are not filled, edges within a tile
    (1, 20, 64, 8, 12),
    (2, 3, 5, 7, 9),
    (1, 33, 65, 5, 130),
    (1, 70, 24, 1, 1),
    (1, 64, 96, 2, 263),
]


@pytest.mark.parametrize("B, C, D, H, W", SHAPES)
@pytest.mark.parametrize("leak", [0.0, 0.1])
def test_it_is_the_convolution(B, C, D, H, W, leak):
    torch.manual_seed(0)
    block = Block(C, D, 2, leak)
    for conv in list(block)[::2]:
        torch.nn.init.normal_(conv.bias, std=0.3)
    x = torch.randn(B, C, H, W)
    expected = block.double()(x.double()).detach()  # with gradients: as torch has it
    with torch.inference_mode():
        result = block.float()(x)
    assert result.shape == expected.shape and result.dtype == torch.float32
    np.testing.assert_allclose(result, expected, atol=2e-5 * expected.abs().max().item())


def test_changed_weights_are_seen():
    block, x = Block(4, 4, 1, 0.0), torch.ones(1, 4, 8, 8)
    with torch.no_grad():
        before = block(x).clone()
        block[0].weight.data.mul_(2)  # in place, as optimizers do, and past the counter of versions
        torch.testing.assert_close(block(x), 2 * before)
        block.load_state_dict({key: value / 2 for key, value in block.state_dict().items()})
        torch.testing.assert_close(block(x), before)


def test_with_gradients_it_is_torchs():
    block, x = Block(4, 4, 1, 0.0), torch.randn(1, 4, 8, 8)
    expected = F.relu(F.conv2d(x, block[0].weight, block[0].bias, padding=1))
    assert torch.equal(block(x), expected)
