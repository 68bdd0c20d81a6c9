"""A small network that sees how far one frame is shifted against the reference, and its place in a trunk.

Kernels can move to where the scene went only if the features they are predicted from know where that is. A trunk that
sees eight frames at once learns it frame by frame and very slowly (the papers trained for a million steps). All frames
but the reference are alike, though: so one small network learns it for a pair of frames, and a trunk starts with a copy
of it for each frame, side by side in its channels. From there the trunk is trained as a whole.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kpnviz.models.unet import TrunkConfig, UNet

PAIR_SIZE = 5
"""Side of the pair network's kernels: shifts beyond 2 pixels, in either direction, are out of its reach."""


_SMALL = TrunkConfig(encoder=(4, 8, 16, 16, 16), decoder=(16, 16, 8), convs=2)


@dataclass(frozen=True)
class PairConfig:
    """Seven copies of this trunk fit into the trunk `base` and leave an eighth of its channels free."""

    trunk: TrunkConfig = _SMALL

    def to_dict(self) -> dict:
        """For a checkpoint's card."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: dict) -> PairConfig:
        """The config that :meth:`to_dict` gave, also after a trip through JSON."""
        return cls(TrunkConfig.from_dict(values["trunk"]))


class PairNetwork(nn.Module):
    """Reference and one other frame -> the other's shift, wherever one looks."""

    def __init__(self, config: PairConfig = PairConfig()) -> None:
        super().__init__()
        self.config = config
        self.trunk = UNet(2, config.trunk)
        self.head = nn.Conv2d(config.trunk.decoder[-1], 2 * PAIR_SIZE, 1)
        nn.init.zeros_(self.head.weight)
        nn.init.constant_(_bias(self.head), 1 / PAIR_SIZE)
        self.trunk.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, frames: Tensor) -> Tensor:
        """frames [B, N, H, W], linear intensity -> [B, N - 1, 2 PAIR_SIZE, H/2, W/2].

        Of each frame 1, 2, ... the channels are the separable factors of the kernel that brings it onto frame 0:
        the probability of each vertical shift -r ... r, then of each horizontal one; about 0 if the shift
        is out of reach. Height and width are multiples of the trunk's stride.
        """
        B, N, H, W = frames.shape
        reference = frames[:, :1].expand(-1, N - 1, -1, -1)
        pairs = torch.stack((reference, frames[:, 1:]), dim=2).flatten(0, 1)  # [B*(N-1), 2, H, W]
        features, _ = self.trunk(pairs.contiguous(memory_format=torch.channels_last))
        with torch.autocast(frames.device.type, enabled=False):
            return self.head(features.float()).view(B, N - 1, 2 * PAIR_SIZE, H // 2, W // 2)


@torch.no_grad()
def plant(pair: UNet, trunk: UNet, frames: int) -> None:
    """Put a copy of the pair's trunk for each frame 1 ... frames - 1 into `trunk`, whose inputs begin with the frames.

    Copy i reads frames 0 and i and its own channels alone, so that its features are just those of the pair
    network. Channels that no copy fills keep their weights, and read all others.
    """
    copies = frames - 1
    needs = [(copies * a, b) for a, b in zip(_widths(pair.config), _widths(trunk.config), strict=True)]
    if pair.config.convs != trunk.config.convs or any(need > has for need, has in needs):
        raise ValueError(
            f"trunk: {copies} copies of a pair network with widths {_widths(pair.config)} do not fit into "
            f"widths {_widths(trunk.config)}"
        )
    for level, (small, large) in enumerate(zip(pair.encoder, trunk.encoder, strict=True)):
        if level == 0:
            # The pair's inputs, frames 0 and i, among the trunk's: frame 0 is shared.
            first = [torch.tensor([0, i]) for i in range(1, frames)]
        else:
            first = _slots(pair.config.encoder[level - 1], copies)
        _plant_block(small, large, first, pair.config.encoder[level], copies)
    below, below_large = pair.config.encoder[-1], trunk.config.encoder[-1]
    skips = pair.config.encoder[-2:0:-1]
    for level, (small, large) in enumerate(zip(pair.decoder, trunk.decoder, strict=True)):
        # A decoder block reads the level below, then the skip behind it.
        first = [
            torch.cat((a, below_large + b))
            for a, b in zip(_slots(below, copies), _slots(skips[level], copies), strict=True)
        ]
        _plant_block(small, large, first, pair.config.decoder[level], copies)
        below, below_large = pair.config.decoder[level], trunk.config.decoder[level]


@torch.no_grad()
def plant_head(pair: nn.Conv2d, head: nn.Conv2d, sizes: Sequence[int], separable: bool, frames: int) -> None:
    """Make the kernels of frames 1 ... frames - 1 those of the pair network, at any kernel size.

    Its factors u, v are completed with zeros, or cut, to each size K. Dense kernels are no linear function of them:
    they start as u[a] / K + v[b] / K - (sum u + sum v) / 2 K^2, whose marginals are u and v if both sum to the
    same. What the other frames leave of the N shares is frame 0's, unfiltered: the picture starts as the mean of
    the frames that were found. `head` is the 1x1 convolution to the factors of all frames; it reads a trunk
    that :func:`plant` has prepared.
    """
    u, v = torch.eye(2 * PAIR_SIZE).split(PAIR_SIZE)  # which of the pair's channels a factor takes
    rows, fills, ones = [], [], []
    for size in sizes:
        tall, wide = _resized(u, size), _resized(v, size)  # [K, 2 PAIR_SIZE]
        mass = (tall.sum(0) + wide.sum(0)) / 2  # [2 PAIR_SIZE], of the kernel
        middle = torch.zeros(size)
        middle[size // 2] = 1
        if separable:
            rows += [tall, wide]
            fills += [middle[:, None] * mass, torch.zeros(size, 2 * PAIR_SIZE)]
            ones += [frames * middle, middle]
        else:
            dense = (tall[:, None] + wide[None, :]) / size - mass / size**2  # [K, K, 2 PAIR_SIZE]
            delta = torch.outer(middle, middle).flatten()
            rows.append(dense.flatten(0, 1))
            fills.append(delta[:, None] * mass)
            ones.append(frames * delta)
    taken, filled = torch.cat(rows), torch.cat(fills)  # [F, 2 PAIR_SIZE]
    weight, bias = head.weight.unflatten(0, (frames, -1)), _bias(head).unflatten(0, (frames, -1))
    weight.zero_()
    bias[0] = torch.cat(ones)
    for i, slot in enumerate(_slots(pair.in_channels, frames - 1), start=1):
        weight[i][:, slot] = (taken @ pair.weight.flatten(1))[..., None, None]
        bias[i] = taken @ _bias(pair)
        weight[0][:, slot] = -(filled @ pair.weight.flatten(1))[..., None, None]
        bias[0] -= filled @ _bias(pair)


def _resized(rows: Tensor, size: int) -> Tensor:
    """Rows [PAIR_SIZE, C] completed with zeros, or cut, to [size, C] around the middle row."""
    margin = (size - PAIR_SIZE) // 2
    return F.pad(rows, (0, 0, margin, margin))


def _widths(config: TrunkConfig) -> tuple[int, ...]:
    return config.encoder + config.decoder


def _bias(layer: nn.Conv2d) -> Tensor:
    assert layer.bias is not None
    return layer.bias


def _slots(width: int, copies: int) -> list[Tensor]:
    """The channels of each copy in the trunk."""
    return [torch.arange(i * width, (i + 1) * width) for i in range(copies)]


def _plant_block(small: nn.Module, large: nn.Module, first: list[Tensor], width: int, copies: int) -> None:
    slots = _slots(width, copies)
    pairs = [
        (a, b)
        for a, b in zip(small.children(), large.children(), strict=True)
        if isinstance(a, nn.Conv2d) and isinstance(b, nn.Conv2d)
    ]
    for number, (source, target) in enumerate(pairs):
        for slot, inputs in zip(slots, first if number == 0 else slots, strict=True):
            target.weight[slot] = 0
            target.weight[slot[:, None], inputs] = source.weight
            _bias(target)[slot] = _bias(source)


@torch.no_grad()
def normalize_features(network: PairNetwork, frames: Tensor) -> None:
    """Scale the channels of every layer to a root mean square of 1 on `frames` [B, N, H, W], for the same output.

    ReLU(a x) = a ReLU(x): what a layer's weights are divided by, the layers that read it are multiplied by. A trained
    pair network's features lie between .1 and 100 in size, and a trunk that starts with copies of them would not
    train: its fresh channels and its head expect about 1.
    """
    for layer, readers in _readers(network):
        size: list[Tensor] = []
        hook = layer.register_forward_hook(
            lambda _layer, _inputs, output, size=size: size.append(output.relu().square().mean().sqrt())
        )
        network(frames)
        hook.remove()
        scale = size[0].clamp(min=1e-6)
        layer.weight /= scale
        _bias(layer).div_(scale)
        for reader, start, width in readers:
            reader.weight[:, start : start + width] *= scale


def _readers(network: PairNetwork) -> Iterator[tuple[nn.Conv2d, list[tuple[nn.Conv2d, int, int]]]]:
    """Every convolution of the trunk, in order, and who reads its output: (layer, from which input, how many)."""
    trunk = network.trunk
    blocks = [[m for m in block if isinstance(m, nn.Conv2d)] for block in (*trunk.encoder, *trunk.decoder)]
    levels = len(trunk.encoder)
    for number, block in enumerate(blocks):
        for layer, reader in itertools.pairwise(block):
            yield layer, [(reader, 0, layer.out_channels)]
        last, width = block[-1], block[-1].out_channels
        following = blocks[number + 1][0] if number + 1 < len(blocks) else network.head
        readers = [(following, 0, width)]
        if 0 < number < levels - 1:  # a skip: read behind what comes from the level below
            reader = blocks[2 * levels - 2 - number][0]
            readers.append((reader, reader.in_channels - width, width))
        yield last, readers
