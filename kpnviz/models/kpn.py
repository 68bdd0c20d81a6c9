"""Kernel prediction networks: KPN, KPN L_n, MKPN, and the variants of the KPN paper, as the papers have them.

Frames are stacked as the channels of one picture, and the trunk finds out by itself how they differ. Networks that
are shown what matching says are in :mod:`kpnviz.models.matched`; both have one config and give a KernelField.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kpnviz.checks import check_int
from kpnviz.kernels import KernelField, factor_channels
from kpnviz.local_conv import MakeFactors
from kpnviz.models.unet import BASE, Part, TrunkConfig, UNet, compiled_for
from kpnviz.noise import noise_std
from kpnviz.sampling import reflect_index


@dataclass(frozen=True)
class PredictRows:
    """The last step of a network: called with some rows of a picture, beginning at an even one, it gives their kernels.

    make   where compiled loops can be used, for one burst: the same in blocks, of cells that are counted from the first
           of the part on
    """

    predict: Callable[[slice], KernelField]
    make: MakeFactors | None = None

    def __call__(self, rows: slice) -> KernelField:
        return self.predict(rows)


LARGEST = 101
"""Side of the largest kernel that a network may predict."""

MAX_WEIGHTS = 4096
"""Channels that a network may predict, or see of matching, at a pixel and frame."""


@dataclass(frozen=True)
class ModelConfig:
    """What a network predicts, and from what. With its weights, all that is needed to rebuild it.

    sizes      kernel sizes S: (5,) for KPN and L5, (1, 3, 5, 7, 9, 11) for MKPN
    separable  1-D factors (KPN L_n, MKPN) or dense kernels (KPN)
    frames     N of the bursts it takes; 1 is the *1-frame* variant and sees the reference alone. With `matching`,
               any number, and this is the usual one
    noise_map  takes the assumed noise; False is the *sigma blind* variant
    direct     predicts the pixel itself instead of kernels, the *direct* variant; sizes are unused
    matching   its inputs are matching costs (`matched.py`) instead of the stacked frames
    windows    number of windows that matching averages over: 6, 18, 54, ... px wide

    Cards of checkpoints come from outside, so every value has a range within which a network is built in a moment;
    ValueError beyond it. Sizes are odd, 1 to LARGEST; frames 1 to 64; windows 1 to 4.
    """

    sizes: tuple[int, ...] = (1, 3, 5, 7, 9, 11)
    separable: bool = True
    frames: int = 8
    noise_map: bool = True
    direct: bool = False
    trunk: TrunkConfig = BASE
    matching: bool = False
    windows: int = 3

    def __post_init__(self) -> None:
        for name in ("separable", "noise_map", "direct", "matching"):
            if not isinstance(getattr(self, name), bool):
                raise ValueError(f"{name} is {getattr(self, name)!r}; it is true or false")
        check_int("windows", self.windows, 1, 4)
        check_int("frames", self.frames, 1, 64)
        if not self.sizes:
            raise ValueError("sizes is empty; a network predicts kernels of one size or more")
        for size in self.sizes:
            if check_int("sizes: a kernel size", size, 0, LARGEST) % 2 == 0:
                raise ValueError(f"sizes: {size} is not a kernel size; they are odd and 1 or more")
        if len(set(self.sizes)) != len(self.sizes):
            raise ValueError(f"sizes: {self.sizes} names a size twice")
        weights = factor_channels(self.sizes, self.separable) * (self.windows if self.matching else 1)
        if weights > MAX_WEIGHTS:
            raise ValueError(
                f"sizes: {self.sizes} need {weights} channels a frame; up to {MAX_WEIGHTS} are built"
            )
        levels = len(self.trunk.encoder) - len(self.trunk.decoder)
        if levels != (1 if self.matching else 2):
            raise ValueError(
                f"trunk: encoder {self.trunk.encoder} and decoder {self.trunk.decoder} do not end at half resolution"
            )

    def to_dict(self) -> dict:
        """For a checkpoint's card."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: dict) -> ModelConfig:
        """The config that :meth:`to_dict` gave, also after a trip through JSON."""
        values = {**values, "sizes": tuple(values["sizes"]), "trunk": TrunkConfig.from_dict(values["trunk"])}
        return cls(**values)


class _BurstNetwork(nn.Module):
    """What both kinds have in common: frames of any height and width and the noise map (eq. 8) go into the trunk."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.trunk = UNet(config.frames + config.noise_map, config.trunk)

    @property
    def margin(self) -> int:
        """An output depends on no pixel of the burst that is farther away than this, in pixels."""
        # Features at half resolution are interpolated to a pixel from cells that lie within 2 pixels of it.
        return max(self.config.trunk.reach + 2, max(self.config.sizes) // 2)

    @property
    def stride(self) -> int:
        """Windows of a large burst must begin at multiples of this, so that pooling sees the same blocks."""
        return self.config.trunk.stride

    def features(
        self, frames: Tensor, read_std: Tensor, shot_gain: Tensor, part: Part | None = None
    ) -> tuple[Tensor, Tensor]:
        """frames [B, N, H, W], read_std and shot_gain [B] -> the trunk's features at half and at full resolution.

        Frames are padded by reflection, at the bottom and the right, to a multiple of the trunk's stride; the features
        are those of the padded frames; of the ones at half resolution `part`, or all.
        """
        if frames.ndim != 4 or frames.shape[1] != self.config.frames:
            raise ValueError(
                f"frames has shape {tuple(frames.shape)}; this network takes [B, {self.config.frames}, H, W]"
            )
        if self.config.noise_map:
            noise_map = noise_std(
                frames[:, :1], read_std[:, None, None, None], shot_gain[:, None, None, None]
            )
            frames = torch.cat((frames, noise_map), dim=1)  # [B, N + 1, H, W]
        frames = reflect_to_multiple(frames, self.stride)
        return self.trunk(frames.contiguous(memory_format=torch.channels_last), part)


class KernelNetwork(_BurstNetwork):
    """Burst -> KernelField: the trunk and one 1x1 convolution to the kernel factors."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        self.channels = factor_channels(config.sizes, config.separable)
        self.head = nn.Conv2d(config.trunk.decoder[-1], config.frames * self.channels, 1)
        self._start_from_boxes()
        self.trunk.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def _start_from_boxes(self) -> None:
        """Before training every kernel is a box, 1/K^2 everywhere within some percent: each size is a plain blur."""
        if self.head.weight.is_meta:  # as in he_normal_
            return
        start = []
        for size in self.config.sizes:
            channels = factor_channels((size,), self.config.separable)
            start += [1 / size if self.config.separable else 1 / size**2] * channels
        box = torch.tensor(start).repeat(self.config.frames)
        with torch.no_grad():
            self.head.bias.copy_(box)  # type: ignore[union-attr]
            self.head.weight.normal_().mul_(0.1 * box[:, None, None, None] / self.head.in_channels**0.5)

    def forward(
        self, frames: Tensor, read_std: Tensor, shot_gain: Tensor, part: Part | None = None
    ) -> KernelField:
        """frames [B, N, H, W], linear intensity; read_std, shot_gain [B] of their noise -> the kernels.

        part   rows and columns whose kernels are wanted, beginning at even ones; None: all
        """
        part = part or (slice(0, frames.shape[2]), slice(0, frames.shape[3]))
        return self.prepared(frames, read_std, shot_gain, part)(part[0])

    def prepared(self, frames: Tensor, read_std: Tensor, shot_gain: Tensor, part: Part) -> PredictRows:
        """What :meth:`forward` does, but for the last step, which is called with some rows of the part."""
        B, N = frames.shape[:2]
        features, _ = self.features(frames, read_std, shot_gain, half_of(part))  # [B, C, h, w] of the part
        first = part[0].start // 2

        def predict(rows: slice) -> KernelField:
            # In full precision also under autocast: kernel weights sum to one, and bf16 would miss it by 0.4 %.
            with torch.autocast(frames.device.type, enabled=False):
                cells = slice(rows.start // 2 - first, (rows.stop + 1) // 2 - first)
                half = features[..., cells, :].float()  # [B, C, h, w]
                # The 1x1 convolution as a product of matrices: the features are channels-last, and this gives the
                # factors in the layout that local_conv wants, without copying them (they are the largest tensor).
                weight, bias = self.head.weight.flatten(1).expand(B, -1, -1), self.head.bias[:, None]  # type: ignore[index]
                factors = torch.baddbmm(bias, weight, half.flatten(2))  # [B, N*F, h*w]
            factors = factors.view(B, N, self.channels, *half.shape[2:])
            height, width = (s.stop - s.start for s in (rows, part[1]))
            return KernelField(factors, self.config.sizes, self.config.separable, height, width)

        if B > 1 or not compiled_for(features):
            return PredictRows(predict)
        from kpnviz.models._compiled import products_in_blocks  # imports numba

        assert self.head.bias is not None
        return PredictRows(
            predict, products_in_blocks(features[0], self.head.weight.flatten(1), self.head.bias)
        )


class DirectNetwork(_BurstNetwork):
    """Burst -> picture without kernels: the trunk and three more convolutions at full resolution."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        width = config.trunk.encoder[0]
        self.head = nn.Sequential(
            nn.Conv2d(config.trunk.decoder[-1] + width, width, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(width, width, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(width, 1, 3, padding=1),
        )
        self.trunk.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @property
    def margin(self) -> int:
        """An output depends on no pixel of the burst that is farther away than this, in pixels."""
        return self.config.trunk.reach + 2 + 3  # each of the head's three convolutions adds one

    def forward(self, frames: Tensor, read_std: Tensor, shot_gain: Tensor) -> Tensor:
        """frames [B, N, H, W], linear intensity; read_std, shot_gain [B] of their noise -> the picture [B, H, W]."""
        half, full = self.features(frames, read_std, shot_gain)
        up = F.interpolate(half, scale_factor=2, mode="bilinear", align_corners=False)
        with torch.autocast(frames.device.type, enabled=False):
            image = self.head(torch.cat((up, full), dim=1).float())  # [B, 1, H', W']
        return image[:, 0, : frames.shape[2], : frames.shape[3]]


def half_of(part: Part) -> Part:
    """The same part at half resolution, where a cell is 2x2 pixels."""
    rows, columns = (slice(s.start // 2, (s.stop + 1) // 2) for s in part)
    return rows, columns


def widened(part: Part, by: int, size: Sequence[int]) -> tuple[Part, Part]:
    """A part grown by `by` pixels on every side, within a picture of `size` (H, W); and where the part lies in it."""
    outer = [slice(max(s.start - by, 0), min(s.stop + by, n)) for s, n in zip(part, size, strict=True)]
    inner = [slice(s.start - o.start, s.stop - o.start) for s, o in zip(part, outer, strict=True)]
    return (outer[0], outer[1]), (inner[0], inner[1])


def reflect_to_multiple(frames: Tensor, stride: int) -> Tensor:
    """Frames [..., H, W], padded by reflection at the bottom and the right to a multiple of the stride."""
    for dim in (-2, -1):
        length = frames.shape[dim]
        if length % stride:
            index = torch.from_numpy(reflect_index(length, 0, length + -length % stride)).to(frames.device)
            frames = frames.index_select(dim, index)
    return frames
