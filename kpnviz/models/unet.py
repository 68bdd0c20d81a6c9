"""The trunk that all kernel prediction networks here share: a U-Net."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kpnviz.checks import check_float, check_int

Part = tuple[slice, slice]
"""A rectangle of a picture: a slice of its rows, a slice of its columns."""


@dataclass(frozen=True)
class TrunkConfig:
    """Widths and depth of the trunk.

    encoder   channels at full resolution, 1/2, 1/4, ...; the last is the bottleneck
    decoder   channels on the way back up. It ends at half resolution if it has two entries fewer than the encoder, at
              full resolution if it has one fewer
    convs     3x3 convolutions a block
    leak      slope of the ReLU below 0; 0 in the papers. With a slope, every unit has a gradient

    An encoder has 3 to 8 blocks of 1 to 2048 channels, a block 1 to 8 convolutions, a leak is 0 to 1.
    """

    encoder: tuple[int, ...]
    decoder: tuple[int, ...]
    convs: int
    leak: float = 0.0

    def __post_init__(self) -> None:
        check_int("trunk: blocks of the encoder", len(self.encoder), 3, 8)
        for width in (*self.encoder, *self.decoder):
            check_int("trunk: width", width, 1, 2048)
        check_int("trunk: convs", self.convs, 1, 8)
        check_float("trunk: leak", self.leak, 0, 1)
        if len(self.decoder) not in (len(self.encoder) - 2, len(self.encoder) - 1):
            raise ValueError(
                f"trunk: encoder {self.encoder} and decoder {self.decoder} do not fit; a decoder has two blocks "
                "fewer than its encoder, to end at half resolution, or one fewer, to end at full resolution"
            )

    @classmethod
    def from_dict(cls, values: dict) -> TrunkConfig:
        """The config that `dataclasses.asdict` gave, also after a trip through JSON."""
        return cls(**{**values, "encoder": tuple(values["encoder"]), "decoder": tuple(values["decoder"])})

    @property
    def stride(self) -> int:
        """The input's height and width must be multiples of this."""
        return 2 ** (len(self.encoder) - 1)

    @property
    def reach(self) -> int:
        """An output depends on no pixel of the input that is farther away than this: tiles overlap by as much.

        It is exact: the largest distance over all places that a pixel may have in a block of `stride` pixels.
        """
        first = len(self.encoder) - 1 - len(self.decoder)  # the decoder ends here: 0 full resolution, 1 half
        distances = []
        for pixel in range(self.stride):
            low, high = self._seen(first, pixel // 2**first)
            distances += [pixel - low, high - pixel]
        return max(distances)

    def _seen(self, level: int, cell: int) -> tuple[int, int]:
        """First and last pixel of the input that an output of the decoder depends on, `cell` at `level`.

        It is followed back through :class:`UNet`. A convolution needs one cell more on either side. For the fine cell
        i, bilinear upsampling needs the coarse cells (i - 1) // 2 and the next one; for the coarse cell i, pooling
        needs the fine cells 2 i and 2 i + 1.
        """
        low = high = cell
        skips = {}
        bottom = len(self.encoder) - 1
        for up in range(level, bottom):
            low, high = low - self.convs, high + self.convs
            skips[up] = low, high
            low, high = (low - 1) // 2, (high + 1) // 2
        for down in range(bottom, -1, -1):
            if down in skips:
                low, high = min(low, skips[down][0]), max(high, skips[down][1])
            low, high = low - self.convs, high + self.convs
            if down:
                low, high = 2 * low, 2 * high + 1
        return low, high


BASE = TrunkConfig(encoder=(32, 64, 128, 128, 128), decoder=(128, 128, 64), convs=2)
"""About 2 M parameters: that of the stacked networks that ship."""

PAPER = TrunkConfig(encoder=(64, 128, 256, 512, 512), decoder=(512, 512, 256), convs=3)
"""The widths of figure 1 of the MKPN paper: 64 to 512 channels, three convolutions a block; MKPN of these has 35 M
parameters."""

MATCHING = TrunkConfig(encoder=(64, 96, 128), decoder=(96, 64), convs=2, leak=0.1)
"""The trunk of networks that match, 0.85 M parameters; it begins at half resolution, with four pixels as channels."""

TRUNKS = {"base": BASE, "paper": PAPER, "matching": MATCHING}


def compiled_for(x: Tensor) -> bool:
    """Whether loops compiled by numba can be used: float32 on the CPU, no gradients, numba installed."""
    no_gradients = not torch.is_grad_enabled() and x.dtype == torch.float32
    return no_gradients and x.device.type == "cpu" and importlib.util.find_spec("numba") is not None


def he_normal_(weight: Tensor, leak: float = 0.0) -> None:
    """Fill weights with He's normal distribution, for a layer that a ReLU or leaky ReLU follows."""
    # On the meta device there is nothing to fill, and torch would import its compiler for it: 1.4 s.
    if not weight.is_meta:
        nn.init.kaiming_normal_(weight, leak, nonlinearity="leaky_relu")


class Filters:
    """Those of a 3x3 convolution as `_winograd.convolved` takes them."""

    def __init__(self) -> None:
        self._kept: tuple[Tensor, np.ndarray] | None = None

    def of(self, weight: Tensor) -> np.ndarray:
        """Transformed weights; anew only where they have changed."""
        from kpnviz.models._winograd import transformed  # imports numba

        if self._kept is None or not torch.equal(self._kept[0], weight):
            self._kept = (weight.detach().clone(), transformed(weight))
        return self._kept[1]


class Block(nn.Sequential):
    """`convs` times: 3x3 convolution, zero padding, stride one, ReLU or leaky ReLU."""

    def __init__(self, channels_in: int, channels: int, convs: int, leak: float) -> None:
        layers: list[nn.Module] = []
        for i in range(convs):
            conv = nn.Conv2d(channels_in if i == 0 else channels, channels, 3, padding=1)
            he_normal_(conv.weight, leak)
            nn.init.zeros_(conv.bias)  # type: ignore[arg-type]
            layers += [conv, nn.LeakyReLU(leak, inplace=True) if leak else nn.ReLU(inplace=True)]
        super().__init__(*layers)
        self.leak = leak
        self._filters = [Filters() for _ in range(convs)]

    def forward(self, x: Tensor) -> Tensor:
        if not compiled_for(x):
            return super().forward(x)  # type: ignore[no-any-return]
        from kpnviz.models._winograd import convolved  # imports numba

        convs = [layer for layer in self if isinstance(layer, nn.Conv2d)]
        for filters, conv in zip(self._filters, convs, strict=True):
            assert conv.bias is not None
            x = convolved(x, filters.of(conv.weight), conv.bias, self.leak)
        return x


class UNet(nn.Module):
    """[B, C, H, W] -> features at the end of the decoder, [B, decoder[-1], H/2, W/2], and [B, encoder[0], H, W].

    Convolutions with ReLU, 2x2 average pooling, bilinear upsampling and skips (MKPN paper, section 2.2).
    Height and width are multiples of ``config.stride``. `direct` wants the full-resolution features too.
    """

    def __init__(self, channels_in: int, config: TrunkConfig) -> None:
        super().__init__()
        self.config = config
        widths = (channels_in, *config.encoder)
        self.encoder = nn.ModuleList(
            Block(a, b, config.convs, config.leak) for a, b in zip(widths, config.encoder, strict=False)
        )
        skips = config.encoder[-2::-1]  # from the coarsest level that has a skip
        below = (config.encoder[-1], *config.decoder)
        self.decoder = nn.ModuleList(
            Block(a + skip, b, config.convs, config.leak)
            for a, skip, b in zip(below, skips, config.decoder, strict=False)
        )

    def forward(self, x: Tensor, part: Part | None = None) -> tuple[Tensor, Tensor]:
        """`part`: rows and columns of the decoder's features that are wanted; None: all."""
        features = []
        for level, block in enumerate(self.encoder):
            x = block(x if level == 0 else F.avg_pool2d(x, 2))  # [B, encoder[level], H/2^level, W/2^level]
            features.append(x)
        skips = features[-2::-1][: len(self.decoder)]
        places = _places(part, [skip.shape[-2:] for skip in skips], self.config.convs)
        if places:
            x = x[..., *places[0][0]]
        for block, skip, (coarse, fine, wanted) in zip(self.decoder, skips, places, strict=True):
            # Each of these tensors is freed before the next but one is there: at full size they are the largest.
            x = torch.cat((_upsampled(x)[..., *_inside(fine, _doubled(coarse))], skip[..., *fine]), dim=1)
            x = block(x)[..., *_inside(wanted, fine)]
        return x, features[0]


def _upsampled(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)


def _places(part: Part | None, sizes: Sequence[Sequence[int]], convs: int) -> list[tuple[Part, Part, Part]]:
    """For each block of the decoder, from coarse to fine: what it is given of the coarser level; what it computes on
    its own, where as many cells as there are convolutions are lost on each side; and what of that is wanted."""
    places: list[tuple[Part, Part, Part]] = []
    for size in reversed(sizes):
        wanted = part or (slice(0, size[0]), slice(0, size[1]))
        down, across = (
            slice(max(s.start - convs, 0), min(s.stop + convs, n)) for s, n in zip(wanted, size, strict=True)
        )
        fine = down, across
        # The fine cell i is interpolated from the coarse ones (i - 1) // 2 and the next.
        down, across = (
            slice(max((s.start - 1) // 2, 0), min(s.stop // 2 + 1, n // 2))
            for s, n in zip(fine, size, strict=True)
        )
        part = coarse = down, across
        places.append((coarse, fine, wanted))
    return places[::-1]


def _doubled(part: Part) -> Part:
    rows, columns = part
    return slice(2 * rows.start, 2 * rows.stop), slice(2 * columns.start, 2 * columns.stop)


def _inside(part: Part, whole: Part) -> Part:
    """Where a part lies in a larger one."""
    rows, columns = (slice(p.start - w.start, p.stop - w.start) for p, w in zip(part, whole, strict=True))
    return rows, columns
