"""Denoise a burst of any size, and keep the kernels that did it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from kpnviz import memory
from kpnviz.burst import Burst, weighted_sum
from kpnviz.estimate import Estimate
from kpnviz.kernels import KernelField
from kpnviz.local_conv import made_in_blocks
from kpnviz.models import checkpoints
from kpnviz.models.kpn import DirectNetwork, PredictRows, widened
from kpnviz.models.zoo import Network
from kpnviz.noise import NoiseModel

__all__ = ["CHANNELS", "Denoiser", "Estimate", "FrameSource", "guide", "load"]

DEFAULT_TILE = 1024
_STRIP_PIXELS = 2**17  # of which kernels are held at a time where nobody keeps them
_WEIGHED = 8  # pairs of rows of a tile, of which Estimate.own_weight is the average

CHANNELS = ("shared", "each")
"""How a burst in color is denoised: R, G and B with one set of kernels, or each channel with its own."""

GUIDE_WEIGHTS = (0.25, 0.5, 0.25)
GUIDE_NOISE_SCALE = 1.2
"""The one channel that kernels of color are predicted from, and its assumed noise as a multiple of its own.

Green counts twice, as on a sensor. A weighted sum has less noise than the channels that its kernels are applied to,
so the network is told a little more than the sum's own noise. On ten photos of the gallery, each at gains 1, 4 and 8,
the mean PSNR of R, G and B together was 33.57 dB; kernels of the luminance gave 33.51, those of the plain mean 33.31
(told 1.2 times its noise: 33.59), and each channel by itself, at three times the cost, 33.88 (networks mkpn).
"""


def guide(burst: Burst) -> Burst:
    """The gray burst that a network is shown of one in color, with the noise that it is told."""
    gray = burst.gray(GUIDE_WEIGHTS)
    return replace(gray, noise=_guide_noise(burst, "a guide")) if burst.channels else gray


def _guide_noise(burst: Burst | FrameSource, needed_by: str) -> NoiseModel:
    """The more the channels' noise is the same, the less it is averaged away in the sum, and has to be made up for."""
    correlation = burst.noise_correlation
    noise = NoiseModel.of_weighted_sum(burst.channel_noises(needed_by), GUIDE_WEIGHTS, correlation)
    return noise.scaled(GUIDE_NOISE_SCALE ** (1 - correlation))


class FrameSource(Protocol):
    """A burst that is not held in memory: `window` reads a part of every frame, [N, h, w] or [N, C, h, w] float32.

    noise, channels, channel_noises, noise_correlation   as of a :class:`kpnviz.Burst`
    """

    @property
    def channels(self) -> int | None: ...
    @property
    def noise_correlation(self) -> float: ...
    def channel_noises(self, needed_by: str) -> tuple[NoiseModel, ...]: ...
    @property
    def height(self) -> int: ...
    @property
    def width(self) -> int: ...
    def __len__(self) -> int: ...
    def window(self, rows: slice, columns: slice) -> np.ndarray: ...


class Denoiser:
    """A network, ready for bursts of any height and width.

    >>> from kpnviz import BurstRecipe, load, synthesize
    >>> burst = synthesize(BurstRecipe("dog", crop=(60, 60, 64, 64)))
    >>> load("mkpn")(burst).kernels.at(32, 32).shape
    (8, 11, 11)

    Large bursts are done in tiles of `tile` pixels a side. A tile is predicted with a margin as wide as
    the network can see, so the estimate does not depend on the tile size (to rounding).
    """

    def __init__(
        self, network: Network, name: str, tile: int = DEFAULT_TILE, *, shipped: bool = False
    ) -> None:
        stride = network.stride
        if tile < stride or tile % stride:
            raise ValueError(f"tile is {tile}; tiles are a multiple of the network's stride, {stride}")
        self.network, self.name, self.tile, self.shipped = network, name, tile, shipped
        self.margin = -(-network.margin // stride) * stride
        # Pixels, even, and at least as many as the largest kernel reaches.
        self._reach = max(network.config.sizes) // 4 * 2 + 2

    def __call__(
        self,
        burst: Burst | FrameSource,
        noise_scale: float = 1.0,
        keep_kernels: bool = True,
        progress: Callable[[float], None] | None = None,
        channels: str = "shared",
    ) -> Estimate:
        """Denoise a burst, in memory or (a FrameSource) read tile by tile.

        In color, kernels are predicted once, from a weighted sum of the channels (GUIDE_WEIGHTS) with its noise, and
        applied to R, G and B: the same kernels, shared by the channels. The networks are trained on one channel.

        noise_scale   the assumed noise as a multiple of the burst's (1: the truth)
        keep_kernels  False for large bursts whose kernels nobody looks at: memory is bounded by a tile
        progress      called with the share that is done, 0..1, after each tile; raise in it to cancel
        channels      of a burst in color: "shared" kernels, or "each" channel denoised by itself, for three times the
                      time. (A network that predicts the picture itself has no kernels to share: it does each.)

        Raises ValueError for a burst of a number of frames that the network does not take, one whose noise is not
        known, and for a network whose weights are not float32.
        """
        if not hasattr(burst, "channels"):
            raise ValueError(
                f"burst is of type {type(burst).__name__}; it is a kpnviz.Burst(frames, noise=NoiseModel(...))"
            )
        if channels not in CHANNELS:
            raise ValueError(f"channels is {channels!r}; choose one of {', '.join(map(repr, CHANNELS))}")
        if burst.channels is not None and (channels == "each" or self.network.config.direct):
            return self._each_channel(burst, noise_scale, keep_kernels, progress)
        begun = time.perf_counter()
        weights = next(self.network.parameters())
        if weights.dtype != torch.float32:
            raise ValueError(f"{self.name} has weights of {weights.dtype}; float32 is taken: network.float()")
        device = weights.device
        needed = self._frames_needed(burst)
        alone = burst.channels is None
        noise = burst.channel_noises(self.name)[0] if alone else _guide_noise(burst, self.name)
        noise = noise.scaled(noise_scale)
        read_std, shot_gain = (
            torch.tensor([value], dtype=torch.float32, device=device)
            for value in (noise.read_std, noise.shot_gain)
        )
        H, W = burst.height, burst.width
        image = np.empty((H, W) if burst.channels is None else (burst.channels, H, W), dtype=np.float32)
        factors: Tensor | None = None
        own_weights: list[np.ndarray] = []
        tiles = list(self._tiles(H, W))
        with torch.inference_mode(), contextlib.ExitStack() as context:
            if len(tiles) > 1:
                context.enter_context(memory.reused())
            for done, (window, core, place) in enumerate(tiles, start=1):
                if isinstance(burst, Burst):
                    frames = burst.frames[
                        (slice(needed), ..., *window)
                    ]  # [N, h, w], or in color [N, C, h, w]
                else:
                    frames = burst.window(*window)[:needed]
                guide = frames if burst.channels is None else weighted_sum(frames, GUIDE_WEIGHTS)
                inputs, applied_to = (
                    torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32))[None].to(device)
                    for values in (guide, frames)
                )
                if self.network.config.direct:
                    result = self.network(inputs, read_std, shot_gain)
                else:
                    # Kernels are predicted for the core and as far around it as they reach, so that applying them to
                    # this part gives the core as in the whole picture.
                    part, core = widened(core, self._reach, inputs.shape[-2:])
                    if keep_kernels:
                        prediction = self.network(inputs, read_std, shot_gain, part)
                        result = prediction.apply(applied_to[..., *part])
                        factors = self._collect(factors, prediction, core, place, (H, W))
                    else:
                        assert not isinstance(self.network, DirectNetwork)
                        predict = self.network.prepared(inputs, read_std, shot_gain, part)
                        assert not isinstance(predict, Tensor)
                        result = self._applied(predict, applied_to[..., *part], part, core)
                        own_weights.append(_own_weights(predict, part, guide[0], noise))
                        del predict  # and with it the costs, before those of the next tile are there
                image[..., *place] = result[0][..., *core].float().cpu().numpy()
                if progress is not None:
                    progress(done / len(tiles))
        config = self.network.config
        kernels = None if factors is None else KernelField(factors, config.sizes, config.separable, H, W)
        own_weight = None
        if own_weights:
            weights, variances = np.concatenate(own_weights, axis=-1)
            own_weight = float(np.average(weights, weights=variances if variances.any() else None))
        return Estimate(image, kernels, self.name, time.perf_counter() - begun, self._origin, own_weight)

    def _applied(
        self, predict: PredictRows, frames: Tensor, part: tuple[slice, slice], core: tuple[slice, slice]
    ) -> Tensor:
        """The picture of a part, rows of its core only, some rows at a time: kernels are larger than all else.

        frames   [1, N, (C,) H, W] of the part;  core   where in the part its core lies
        """
        if predict.make is not None:
            config = self.network.config
            made = made_in_blocks(frames[0], predict.make, config.sizes, separable=config.separable)
            if made is not None:
                return made[None]
        H, W = frames.shape[-2:]
        picture = frames.new_empty((*frames.shape[:1], *frames.shape[2:]))
        rows = max(_STRIP_PIXELS // W // 2 * 2, 2 * self._reach)
        for top in range(core[0].start // 2 * 2, core[0].stop, rows):
            bottom = min(top + rows, core[0].stop)
            around = slice(max(top - self._reach, 0), min(bottom + self._reach, H))
            shown = slice(part[0].start + around.start, part[0].start + around.stop)
            strip = predict(shown).apply(
                frames[..., around, :]
            )  # the kernels are freed before the next are there
            picture[..., top:bottom, :] = strip[..., top - around.start : bottom - around.start, :]
        return picture

    def _each_channel(
        self,
        burst: Burst | FrameSource,
        noise_scale: float,
        keep_kernels: bool,
        progress: Callable[[float], None] | None,
    ) -> Estimate:
        """The estimate of a burst in color whose channels are denoised one after the other."""
        assert burst.channels is not None
        C, estimates = burst.channels, []
        for c in range(C):

            def advance(share: float, c: int = c) -> None:
                if progress is not None:
                    progress((c + share) / C)

            plane = burst.channel(c) if isinstance(burst, Burst) else _Channel(burst, c)
            estimates.append(self(plane, noise_scale, keep_kernels, advance))
        fields = [estimate.kernels for estimate in estimates]
        kernels = None
        if fields[0] is not None:
            factors = torch.stack([field.factors for field in fields if field is not None], dim=2)
            kernels = replace(fields[0], factors=factors)
        image = np.stack([estimate.image for estimate in estimates])
        seconds = sum(estimate.seconds for estimate in estimates)
        weights = [estimate.own_weight for estimate in estimates if estimate.own_weight is not None]
        own_weight = float(np.mean(weights)) if weights else None
        return Estimate(image, kernels, self.name, seconds, self._origin, own_weight)

    def around(
        self, source: FrameSource, y: int, x: int, channels: str = "shared"
    ) -> tuple[Estimate, int, int]:
        """The estimate of the part of a burst that the pixel (y, x) depends on, and the (row, column) where it begins.

        Kernels and value at (y, x) are those of the whole picture, whatever its size.
        """
        stride = self.network.stride
        top, left = (max(p // stride * stride - self.margin, 0) for p in (y, x))
        bottom, right = (
            min(p // stride * stride + stride + self.margin, length)
            for p, length in ((y, source.height), (x, source.width))
        )
        part = _Part(source, top, left, bottom - top, right - left)
        whole = Denoiser(self.network, self.name, tile=(2 * self.margin + stride), shipped=self.shipped)
        return whole(part, channels=channels), top, left

    @property
    def _origin(self) -> str | None:
        """Estimate.network: the network's name if its weights are those that ship, else None."""
        return self.name if self.shipped else None

    @property
    def frames(self) -> int | None:
        """How many frames the network takes; None: any number."""
        return None if self.network.config.matching else self.network.config.frames

    def takes(self, frames: int) -> bool:
        """Whether the network denoises bursts of this many frames."""
        return self.frames in (None, 1, frames)

    def _frames_needed(self, burst: Burst | FrameSource) -> int:
        needed = self.frames
        if needed is None:
            return len(burst)
        if not self.takes(len(burst)):
            raise ValueError(f"the burst has {len(burst)} frames; {self.name} takes {needed}")
        return needed

    def _tiles(
        self, H: int, W: int
    ) -> Iterator[tuple[tuple[slice, slice], tuple[slice, slice], tuple[slice, slice]]]:
        """(window, core, place) of each tile: the part of the burst that is read, the part of the window that is kept,
        and where in the picture it goes."""
        for top, bottom in _spans(H, self.tile, self.network.stride):
            for left, right in _spans(W, self.tile, self.network.stride):
                # Windows start at multiples of the stride, so that pooling sees the same blocks everywhere.
                window_top, window_left = max(top - self.margin, 0), max(left - self.margin, 0)
                window = (
                    slice(window_top, min(bottom + self.margin, H)),
                    slice(window_left, min(right + self.margin, W)),
                )
                core = (
                    slice(top - window_top, bottom - window_top),
                    slice(left - window_left, right - window_left),
                )
                yield window, core, (slice(top, bottom), slice(left, right))

    @staticmethod
    def _collect(
        factors: Tensor | None,
        tile: KernelField,
        core: tuple[slice, slice],
        place: tuple[slice, slice],
        shape: tuple[int, int],
    ) -> Tensor:
        """Put a tile's factors into those of the whole picture, at half resolution."""
        if factors is None:
            if (tile.height, tile.width) == shape:
                return tile.factors
            grid = [(length + 1) // 2 for length in shape]
            factors = tile.factors.new_empty((*tile.factors.shape[:3], *grid))
        half = [slice(s.start // 2, (s.stop + 1) // 2) for s in (*core, *place)]
        factors[..., half[2], half[3]] = tile.factors[..., half[0], half[1]]
        return factors


@dataclass(frozen=True)
class _Part:
    """A rectangle of a FrameSource."""

    source: FrameSource
    top: int
    left: int
    height: int
    width: int

    @property
    def channels(self) -> int | None:
        return self.source.channels

    @property
    def noise_correlation(self) -> float:
        return self.source.noise_correlation

    def channel_noises(self, needed_by: str) -> tuple[NoiseModel, ...]:
        return self.source.channel_noises(needed_by)

    def __len__(self) -> int:
        return len(self.source)

    def window(self, rows: slice, columns: slice) -> np.ndarray:
        return self.source.window(
            slice(self.top + rows.start, self.top + rows.stop),
            slice(self.left + columns.start, self.left + columns.stop),
        )


@dataclass(frozen=True)
class _Channel:
    """One channel of a FrameSource in color."""

    source: FrameSource
    channel: int
    channels: int | None = None
    noise_correlation: float = 0.0

    @property
    def height(self) -> int:
        return self.source.height

    @property
    def width(self) -> int:
        return self.source.width

    def channel_noises(self, needed_by: str) -> tuple[NoiseModel, ...]:
        return (self.source.channel_noises(needed_by)[self.channel],)

    def __len__(self) -> int:
        return len(self.source)

    def window(self, rows: slice, columns: slice) -> np.ndarray:
        return self.source.window(rows, columns)[:, self.channel]


def _own_weights(
    predict: PredictRows, part: tuple[slice, slice], reference: np.ndarray, noise: NoiseModel
) -> np.ndarray:
    """:meth:`KernelField.own_weights` of a few rows of the grid that are spread over a part, and the variances of the
    noise there: [2, cells]."""
    (top, bottom), columns = (part[0].start, part[0].stop), slice(part[1].start, part[1].stop, 2)
    step = max((bottom - top) // _WEIGHED // 2 * 2, 2)
    found = []
    for y in range(top + step // 4 * 2, bottom, step):
        weights = predict(slice(y, min(y + 2, bottom))).own_weights()[0]
        found.append((weights, noise.std_map(reference[y, columns]) ** 2))
    return np.concatenate(found, axis=-1)


def _spans(length: int, tile: int, stride: int) -> list[tuple[int, int]]:
    """As few parts as there can be, and as equal as multiples of the stride are: the largest decides about memory."""
    count = -(-length // tile)
    step = -(-length // (count * stride)) * stride
    return [(start, min(start + step, length)) for start in range(0, length, step)]


def load(name: str | Path = "mkpn", device: str | torch.device = "cpu", tile: int = DEFAULT_TILE) -> Denoiser:
    """The Denoiser of a trained network.

    name    one of :func:`kpnviz.available`, or the path of a .safetensors file
    device  where it computes, e.g. "cuda"; pictures come back as NumPy arrays
    tile    side of a tile in pixels, a multiple of the network's stride: memory against time

    Raises ValueError for a device that PyTorch does not have here, and for a tile of another size.
    """
    network = checkpoints.load_network(name)
    try:
        torch.zeros(1, device=device).cpu()  # "meta" is a device, too, but nothing comes back from there
        network = network.to(device)
    except (RuntimeError, AssertionError) as error:
        raise ValueError(f"device is {str(device)!r}; PyTorch says: {str(error).splitlines()[0]}") from None
    called = Path(name).stem if Path(name).suffix else checkpoints.current_name(str(name))
    return Denoiser(network, called, tile, shipped=not Path(name).suffix)
