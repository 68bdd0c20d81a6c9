r"""Networks whose kernels start from matching: KPN, KPN L_n and MKPN that are told where the scene went.

The papers stack the frames and let the trunk find the motion, which takes hundreds of thousands of steps. Here it is
measured: the costs of :mod:`kpnviz.matching` give kernels without any parameter. They are non-local means over the
burst, written as kernel prediction:

.. math:: K_i(d) = N \frac{\exp(-\beta C_i(d))}{\sum_{j, e} \exp(-\beta C_j(e))}

a softmax over all frames and displacements, and the network improves on them. It learns what a distance between
patches does not say: how to weigh narrow windows against wide ones, how to smooth where nothing moves, when to trust a
frame.

    frames  ->  costs C                            matching, no parameters
            ->  trunk features t, of the scene     U-Net over reference, matched mean and remaining noise
            ->  features e_i, of each frame        encoder of its costs, the same for all alternate frames
            ->  factors of frame i                 softmax(logits(t, e_i) - sharpness(t) C_i) + signed part(t, e_i)
            ->  scaled, so that all frames' weights together have mean mass 1: a flat scene keeps its brightness

Encoder and head are shared by all alternate frames, so a network takes any number of them. All its inputs are in units
of the noise: a burst that is multiplied by a factor, and its noise with it, has the same kernels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kpnviz.kernels import KernelField, factor_channels
from kpnviz.local_conv import MakeFactors, local_conv, made_in_blocks
from kpnviz.matching import matching_costs, window_sides
from kpnviz.models.kpn import ModelConfig, Part, PredictRows, half_of, reflect_to_multiple, widened
from kpnviz.models.unet import Filters, UNet, compiled_for, he_normal_
from kpnviz.noise import stabilize_frames
from kpnviz.threads import in_threads

ENCODED, MIXED = 24, 64
"""Channels of a frame's encoded costs, and of what its factors are predicted from."""

BLIND_NOISE = (10**-2.25, 10**-3)
"""read_std and shot_gain in the middle of the training ranges: the units of a network that is not told the noise."""

_STRIP = 1024  # pixels at half resolution that are computed at a time: see _in_strips
_TOGETHER = 2**16  # and of frames whose costs are encoded at a time

# The constants below were chosen by hand, none by a search. They set where training starts and the units of the
# layers' inputs. Shipped weights were trained with them: changed, they change the kernels of every checkpoint.

_INPUTS = 5
_BASE = 17  # pixels a side of the box whose mean is subtracted from the trunk's inputs

# Kernels by matching alone, from the sum of the costs of the two narrowest windows: the beta of the module's docstring.
_PLAIN_SHARPNESS = 1.5  # over all displacements and frames; of separable kernels, over frames
_PLAIN_SHARPNESS_1D = 2.0  # of each factor of separable kernels, over the displacements along its axis

# What the trunk sees, scaled to values of about -1 to 1. Differences are in units of a frame's noise.
_DIFFERENCE_SCALE, _WIDE_SCALE = (
    8.0,
    32.0,
)  # at which x / (1 + |x|) of a difference is 1/2: fine, and for strong edges
_INPUT_GAINS = (4.0, 4.0, 8.0)  # of the three differences after that
_NOISE_LEFT_GAIN = 2.0
_BRIGHTNESS_OFFSET = 1.2  # taken off half the log of the brightness

# The trunk's features are held within this. With the true noise none is larger than 37; of noise that is assumed
# far too strong, where the scene is flat, they grow to hundreds, and weights with them.
MOST_FEATURE = 40.0

# Costs become logits. A sharpness is exp(2 x) of the layer's output x, hence 1 before training.
_LOGITS = 4.0  # logits for each unit of the head's output
_COST_WEIGHT = 5.0  # of the mean over the J windows
_MOST = 8.0  # encoders see larger costs as this
_FOUND_WEIGHT = 0.6  # of a frame's best logit in its share of the picture


class _Encoder(nn.Module):
    """Costs [M, J, rows, h, w] -> features [M, ENCODED, h, w]."""

    def __init__(self, channels: int, leak: float) -> None:
        super().__init__()
        self.leak = leak
        self.narrow = nn.Conv2d(channels, ENCODED, 1)
        self.spread = nn.Conv2d(ENCODED, ENCODED, 3, padding=1)
        self._filters = Filters()

    def forward(self, costs: Tensor) -> Tensor:
        if compiled_for(costs):
            return self._compiled(costs)
        return F.leaky_relu(self.spread(_in_strips(self._narrowed, costs)), self.leak, inplace=True)

    def _compiled(self, costs: Tensor) -> Tensor:
        from kpnviz.models._compiled import flat, narrowed  # imports numba
        from kpnviz.models._winograd import convolved

        M, _, _, h, w = costs.shape
        few = max(1, _TOGETHER // (h * w))
        assert self.narrow.bias is not None and self.spread.bias is not None
        weight, filters = self.narrow.weight.flatten(1) / 2, self._filters.of(self.spread.weight)
        e = torch.empty((M, ENCODED, h, w), dtype=costs.dtype, memory_format=torch.channels_last)
        for m in range(0, M, few):
            part = costs[m : m + few]
            x = narrowed(*flat(part), part.shape, weight, self.narrow.bias, self.leak, _MOST)
            convolved(x, filters, self.spread.bias, self.leak, e[m : m + few])
        return e

    def _narrowed(self, costs: Tensor) -> Tensor:
        x = _pointwise(self.narrow, costs.clamp(max=_MOST).flatten(1, 2).div_(2))
        return F.leaky_relu(x, self.leak, inplace=True)


class MatchingNetwork(nn.Module):
    """Burst -> KernelField, or for a `direct` config -> picture, from frames and their matching costs.

    `trunk` may be given, for networks that are trained together and share it.
    """

    def __init__(self, config: ModelConfig, trunk: UNet | None = None) -> None:
        super().__init__()
        self.config = config
        self.reach = max(config.sizes) // 2
        K = 2 * self.reach + 1
        self.rows = 2 * K if config.separable else K * K  # logits, or costs, of a frame at a pixel
        self.channels = factor_channels(config.sizes, config.separable)
        self.trunk = UNet(4 * _INPUTS, config.trunk) if trunk is None else trunk
        T = config.trunk.decoder[-1]
        self.leak = config.trunk.leak
        costs = config.windows * self.rows
        self.reference_encoder, self.encoder = _Encoder(costs, self.leak), _Encoder(costs, self.leak)
        if config.direct:
            self.mix = nn.Conv2d(T + 2 * ENCODED, MIXED, 3, padding=1)
            self.head = nn.Conv2d(MIXED, 4, 3, padding=1)
        else:
            self.mix_scene = nn.Conv2d(T + ENCODED, MIXED, 1)
            self.mix_frame = nn.Conv2d(ENCODED, MIXED, 1, bias=False)
            self.mix_reference = nn.Conv2d(T + 2 * ENCODED, MIXED, 1)
            outputs = self.channels + self.rows + 1
            self.head, self.reference_head = nn.Conv2d(MIXED, outputs, 1), nn.Conv2d(MIXED, outputs, 1)
            # One for each window's costs; separable kernels have one more for a frame's share, and one for each size.
            self.sharpness = nn.Conv2d(T + ENCODED, config.windows + config.separable, 1)
            if config.separable:
                self.size_sharpness = nn.Parameter(torch.zeros(len(config.sizes)))
        self._start_from_matching()

    def _start_from_matching(self) -> None:
        """Before training the kernels are those of matching alone."""
        for name, layer in self.named_modules():
            if isinstance(layer, nn.Conv2d) and not name.startswith("trunk."):
                he_normal_(layer.weight)
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)
        last = [self.head] if self.config.direct else [self.head, self.reference_head, self.sharpness]
        for layer in last:
            nn.init.zeros_(layer.weight)

    @property
    def margin(self) -> int:
        """An output depends on no pixel of the burst that is farther away than this, in pixels."""
        sides = window_sides(self.config.windows)
        # A cell at half resolution is 2x2 pixels; costs compare pixels up to `reach` away, smoothed by one more.
        narrow, wide = (side // 2 - 1 + self.reach + 1 for side in (sides[:2][-1], sides[-1]))
        # A pixel is interpolated from cells up to this far away; `direct` has two convolutions there instead.
        start = 1 + 2 * 2 if self.config.direct else 2
        scene = start + 2 * self.config.trunk.reach + _BASE // 2 + 2 + narrow
        return max(scene, start + 2 + wide)

    @property
    def stride(self) -> int:
        """Windows of a large burst must begin at multiples of this, so that pooling sees the same blocks."""
        return 2 * self.config.trunk.stride

    def forward(
        self, frames: Tensor, read_std: Tensor, shot_gain: Tensor, part: Part | None = None
    ) -> KernelField | Tensor:
        """frames [B, N, H, W], linear intensity; read_std, shot_gain [B] of their noise -> kernels (or picture).

        part   rows and columns whose kernels are wanted, beginning at even ones; None: all
        """
        part = part or (slice(0, frames.shape[2]), slice(0, frames.shape[3]))
        prediction = self.prepared(frames, read_std, shot_gain, part)
        return prediction if isinstance(prediction, Tensor) else prediction(part[0])

    def prepared(
        self, frames: Tensor, read_std: Tensor, shot_gain: Tensor, part: Part
    ) -> PredictRows | Tensor:
        """What :meth:`forward` does, but for the last step, which is called with some rows of the part; a `direct`
        network has no such step, and gives the picture."""
        B, N, H, W = frames.shape
        full = reflect_to_multiple(frames, self.stride)  # [B, N, H', W']
        if not self.config.noise_map:
            read_std, shot_gain = (torch.full_like(read_std, value) for value in BLIND_NOISE)
        with torch.no_grad():
            g = stabilize_frames(full, read_std, shot_gain)
            costs = matching_costs(g, self.reach, self.config.windows, marginal=self.config.separable)
            costs = costs.view(
                B, N, self.config.windows, self.rows, *costs.shape[-2:]
            )  # [B, N, J, rows, h, w]
            if self.config.direct:
                plain, left = self._plain(costs)
                mean, image = (self._applied(plain, frames) for frames in (g, full))
                del plain
            else:
                mean, left = self._plain_mean(g, costs)
            inputs = F.pixel_unshuffle(self._scene(g, mean, left), 2)  # [B, 4 * 5, h, w]
        del g, full, mean  # they are large, and not needed any more
        whole = (slice(0, costs.shape[-2]), slice(0, costs.shape[-1]))
        # The encoders' 3x3 convolution needs one cell more on every side.
        seen, inner = (whole, whole) if self.config.direct else widened(half_of(part), 1, costs.shape[-2:])
        t, _ = self.trunk(
            inputs.contiguous(memory_format=torch.channels_last), seen
        )  # [B, T, h, w] of what is seen
        if not self.config.direct:
            t = t.clamp(-MOST_FEATURE, MOST_FEATURE)
        costs = costs[..., *seen]
        e0 = self.reference_encoder(costs[:, 0])  # [B, E, h, w]
        e = self.encoder(costs[:, 1:].flatten(0, 1)).unflatten(0, (B, N - 1))  # [B, N-1, E, h, w]
        # In place of e.mean(1), which takes four times as long.
        mean = sum(e.unbind(1)[1:], start=e[:, 0]) / (N - 1) if N > 1 else torch.zeros_like(e0)
        if self.config.direct:
            std = torch.sqrt(read_std[:, None, None] ** 2 + shot_gain[:, None, None] * image.clamp(min=0))
            features = F.leaky_relu(self.mix(torch.cat((t, e0, mean), 1)), self.leak)
            change = F.pixel_shuffle(self.head(features), 2)[:, 0]
            return (image + std * change)[:, :H, :W]
        maps = [x[..., *inner] for x in (costs, t, e0, e, mean)]
        first, columns = part[0].start // 2, part[1]

        def predict(rows: slice) -> KernelField:
            cells = slice(rows.start // 2 - first, (rows.stop + 1) // 2 - first)
            parts = [x[..., cells, :] for x in maps]
            compiled = self.config.separable and compiled_for(t)
            factors = self._compiled(*parts) if compiled else _in_strips(self._factors, *parts)
            height, width = rows.stop - rows.start, columns.stop - columns.start
            return KernelField(factors.contiguous(), self.config.sizes, self.config.separable, height, width)

        if B > 1 or not (self.config.separable and compiled_for(t)):
            return PredictRows(predict)
        return PredictRows(predict, self._in_blocks([x[0] for x in maps]))

    def _plain_mean(self, frames: Tensor, costs: Tensor) -> tuple[Tensor, Tensor]:
        """Frames [B, N, H', W'] under kernels by matching alone: their mean [B, H', W'], and what :meth:`_plain` says
        of its noise."""
        if len(frames) == 1 and self.config.separable and compiled_for(costs):
            from kpnviz.models._compiled import flat, plain_in_blocks  # imports numba

            numbers, steps = flat(costs[0])
            steps[2] = steps[2] if self.config.windows > 1 else 0
            left = costs.new_empty(1, *costs.shape[-2:])
            sharpness = _PLAIN_SHARPNESS, _PLAIN_SHARPNESS_1D
            make = plain_in_blocks(
                costs.shape[1], 2 * self.reach + 1, numbers, steps, sharpness, left[0].numpy()
            )
            mean = made_in_blocks(frames[0], make, (2 * self.reach + 1,))
            if mean is not None:
                return mean[None], left
        plain, left = self._plain(costs)
        return self._applied(plain, frames), left

    def _applied(self, plain: Tensor, frames: Tensor) -> Tensor:
        return local_conv(frames, plain, (2 * self.reach + 1,), separable=self.config.separable)

    def _plain(self, costs: Tensor) -> tuple[Tensor, Tensor]:
        """Costs [B, N, J, rows, h, w] -> kernels by matching alone [B, N, rows, h, w], and the standard deviation of
        the noise that they leave, in units of a frame's [B, h, w]."""
        if not (self.config.separable and compiled_for(costs)):
            plain = _in_strips(self._plain_factors, costs)
            return plain, _in_strips(self._left, plain)
        from kpnviz.models._compiled import flat, plain_factors  # imports numba

        B, N, J, rows, h, w = costs.shape
        plain, left = costs.new_empty(B, N, rows, h, w), costs.new_empty(B, h, w)
        for b in range(B):
            numbers, steps = flat(costs[b])
            steps[2] = steps[2] if J > 1 else 0
            sharpness = _PLAIN_SHARPNESS, _PLAIN_SHARPNESS_1D
            plain_factors(numbers, steps, sharpness, plain[b].numpy(), left[b].numpy())
        return plain, left

    def _plain_factors(self, costs: Tensor) -> Tensor:
        """Kernels of the largest size by matching alone, from the two narrowest windows: [B, N, rows, h, w]."""
        N = costs.shape[1]
        total = costs[:, :, :2].sum(2)  # [B, N, rows, h, w]
        if not self.config.separable:
            return N * torch.softmax((-_PLAIN_SHARPNESS * total).flatten(1, 2), 1).view_as(total)
        vertical, horizontal = total.chunk(2, 2)  # [B, N, K, h, w]
        share = N * torch.softmax(-_PLAIN_SHARPNESS * vertical.amin(2), 1)[:, :, None]
        v, h = (torch.softmax(-_PLAIN_SHARPNESS_1D * costs, 2) for costs in (vertical, horizontal))
        return torch.cat((share * v, h), 2)

    def _scene(self, g: Tensor, mean: Tensor, left: Tensor) -> Tensor:
        """The trunk's inputs, [B, 5, H', W']: reference, matched mean (fine and wide), the noise left in it,
        brightness."""
        mean = mean[:, None]
        left = F.interpolate(left[:, None], scale_factor=2)
        base = F.pad(mean, (_BASE // 2,) * 4, mode="replicate")
        for box in ((_BASE, 1), (1, _BASE)):
            base = F.avg_pool2d(base, box, 1)
        differences = (
            (g[:, :1] - base) / _DIFFERENCE_SCALE,
            (mean - base) / _DIFFERENCE_SCALE,
            (mean - base) / _WIDE_SCALE,
        )
        detail = [gain * _squash(x) for gain, x in zip(_INPUT_GAINS, differences, strict=True)]
        brightness = torch.log1p(mean.clamp(min=0)) / 2 - _BRIGHTNESS_OFFSET
        return torch.cat((*detail, _NOISE_LEFT_GAIN * left, brightness), 1)

    def _left(self, plain: Tensor) -> Tensor:
        """Standard deviation of the noise that these kernels leave, in units of a frame's: [B, h, w]."""
        if self.config.separable:
            vertical, horizontal = plain.square().chunk(2, 2)
            power = (vertical.sum(2) * horizontal.sum(2)).sum(1)
        else:
            power = plain.square().sum((1, 2))
        return power.sqrt() / plain.shape[1]

    def _factors(self, costs: Tensor, t: Tensor, e0: Tensor, e: Tensor, mean: Tensor) -> Tensor:
        """Costs and features -> the factors of all frames, [B, N, F, h, w]."""
        B, N, J = costs.shape[:3]
        t = t.contiguous()  # of the trunk's channels-last features: a few rows fit the caches
        scene = _pointwise(self.mix_scene, t, e0)[:, None]
        others = _pointwise(self.mix_frame, e.flatten(0, 1)).unflatten(0, (B, N - 1)) + scene
        others = F.leaky_relu(others, self.leak, inplace=True)
        reference = F.leaky_relu(_pointwise(self.mix_reference, t, e0, mean), self.leak)
        parts = (
            _pointwise(self.reference_head, reference)[:, None],
            _pointwise(self.head, others.flatten(0, 1)).unflatten(0, (B, N - 1)),
        )
        sharpness = torch.exp(2 * _pointwise(self.sharpness, t, mean).clamp(-4, 4))  # [B, J (+ 1), h, w]
        signed, logits, trust = torch.cat(parts, 1).split((self.channels, self.rows, 1), 2)
        logits, trust = _LOGITS * logits, _LOGITS * trust[:, :, 0]
        for j in range(J):
            logits = torch.addcmul(
                logits, costs[:, :, j], sharpness[:, None, None, j], value=-_COST_WEIGHT / J
            )
        if self.config.separable:
            return self._separable(signed, logits, _FOUND_WEIGHT * sharpness[:, J], trust)
        kernels = signed + N * torch.softmax((logits + trust[:, :, None]).flatten(1, 2), 1).view_as(logits)
        return kernels * _inverse(kernels.sum(2).mean(1))[:, None, None]

    def _compiled(self, costs: Tensor, t: Tensor, e0: Tensor, e: Tensor, mean: Tensor) -> Tensor:
        """:meth:`_factors` of separable networks, compiled."""
        h, w = costs.shape[-2:]
        factors = costs.new_empty((*costs.shape[:2], self.channels, h, w))
        for b, out in enumerate(factors.flatten(1).numpy()):
            make = self._in_blocks([x[b] for x in (costs, t, e0, e, mean)])

            def run(y: int, make: MakeFactors = make, out: np.ndarray = out) -> None:
                make(slice(y, y + 1), slice(0, w), out, h * w, y * w)

            in_threads(run, h)
        return factors

    def _in_blocks(self, maps: Sequence[Tensor]) -> MakeFactors:
        """What makes the factors of a burst, from maps as :meth:`_factors` has them, without the axis B."""
        from kpnviz.models._compiled import Layers, factors_in_blocks, flat  # imports numba

        costs, t, e0, e, mean = maps
        T, E = len(t), len(e0)
        sharpness = costs.new_zeros(len(self.sharpness.weight), T + 2 * E)
        sharpness[:, :T], sharpness[:, T + E :] = self.sharpness.weight[..., 0, 0].split((T, E), 1)
        layers = Layers(
            *(_parameters(self.mix_scene), self.mix_frame.weight, _parameters(self.mix_reference)),
            *(
                _parameters(self.reference_head),
                _parameters(self.head),
                (sharpness, _parameters(self.sharpness)[1]),
            ),
            self.leak,
        )
        sizes = np.array(self.config.sizes, dtype=np.uintp)
        scales = torch.exp(2 * self.size_sharpness).numpy()
        weights = (
            np.float32(_LOGITS),
            np.float32(_COST_WEIGHT / self.config.windows),
            np.float32(_FOUND_WEIGHT),
        )
        seen = [flat(x) for x in (t, e0, mean, e, costs)]
        return factors_in_blocks(len(costs), seen, (T, E), layers, sizes, scales, weights)

    def _separable(self, signed: Tensor, logits: Tensor, found: Tensor, trust: Tensor) -> Tensor:
        """signed [B, N, F, h, w], logits [B, N, 2K, h, w], found [B, h, w], trust [B, N, h, w] -> factors as signed."""
        N, scales = signed.shape[1], torch.exp(2 * self.size_sharpness)
        vertical, horizontal = logits.chunk(2, 2)
        starts = []
        for size, scale in zip(self.config.sizes, scales, strict=True):
            near = slice(self.reach - size // 2, self.reach + size // 2 + 1)
            v, h = vertical[:, :, near], horizontal[:, :, near]
            # A frame's share at this size follows from its best match within the size's own reach.
            score = torch.minimum(v.amax(2), h.amax(2)) * found[:, None] + trust
            share = N * torch.softmax(score, 1)[:, :, None]
            starts += [share * torch.softmax(scale * v, 2), torch.softmax(scale * h, 2)]
        parts = (signed + torch.cat(starts, 2)).split(
            [n for size in self.config.sizes for n in (size, size)], 2
        )
        masses = [
            v.sum(2) * h.sum(2) for v, h in zip(parts[::2], parts[1::2], strict=True)
        ]  # S of [B, N, h, w]
        inverse = _inverse(torch.stack(masses).mean((0, 2)))[:, None, None]
        return torch.cat([part * inverse if n % 2 == 0 else part for n, part in enumerate(parts)], 2)


def _parameters(layer: nn.Conv2d) -> tuple[Tensor, Tensor]:
    assert layer.bias is not None
    return layer.weight, layer.bias


def _in_strips(function: Callable[..., Tensor], *maps: Tensor) -> Tensor:
    """function(*maps) -> [..., h, w], of maps [..., h, w], for a function that treats each pixel by itself.

    Without gradients a few rows are computed at a time, each by one thread, so that intermediate tensors stay in the
    processor's cache; for all rows at once they would have hundreds of megabytes.
    """
    h, w = maps[0].shape[-2:]
    rows = max(1, _STRIP // w)
    if torch.is_grad_enabled() or rows >= h:
        return function(*maps)
    inference = torch.is_inference_mode_enabled()  # of this thread

    def strip(number: int) -> tuple[slice, Tensor]:
        place = slice(number * rows, (number + 1) * rows)
        return place, function(*(x[..., place, :] for x in maps))

    place, part = strip(0)
    result = part.new_empty(*part.shape[:-2], h, w)
    result[..., place, :] = part

    def run(task: int) -> None:
        with torch.inference_mode(inference), torch.no_grad():
            place, part = strip(task + 1)
            result[..., place, :] = part

    strips = -(-h // rows) - 1
    if result.is_cpu:
        in_threads(run, strips)
    else:
        for task in range(strips):
            run(task)
    return result


def _pointwise(layer: nn.Conv2d, *maps: Tensor) -> Tensor:
    """A 1x1 convolution of maps [B, channels, h, w] that follow each other as its channels.

    As products of matrices, which keep the memory layout of the maps: that of the factors.
    """
    product = None if layer.bias is None else layer.bias[:, None]
    weights = layer.weight.flatten(1).split([x.shape[1] for x in maps], 1)
    for x, weight in zip(maps, weights, strict=True):
        weight, flat = weight.expand(len(x), -1, -1), x.flatten(2)
        product = torch.bmm(weight, flat) if product is None else torch.baddbmm(product, weight, flat)
    assert product is not None
    return product.view(*product.shape[:2], *maps[0].shape[2:])


def _inverse(mass: Tensor) -> Tensor:
    """1 / mass, at most 5 and at least -5.

    With the true noise the mass is about 1. Of noise that is assumed far too strong it comes near 0 or below it in some
    places: divided by that, weights still have a sum of 1, so that the brightness stays.
    """
    return torch.copysign(1 / mass.abs().clamp(min=0.2), mass)


def _squash(x: Tensor) -> Tensor:
    """x / (1 + |x|): the identity near 0, and within -1..1, so that strong edges do not swamp the rest."""
    return x / (1 + x.abs())
