"""The noise of a raw frame: signal-dependent Gaussian, the assumed noise that a network
takes, and the scale on which it is the same everywhere.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from kpnviz.color import Array, library_of

if TYPE_CHECKING:
    import torch

MAX_NOISE = 1000.0
"""Largest read_std and shot_gain (white = 1): their squares, and pictures with such noise, fit float32."""


@dataclass(frozen=True)
class NoiseModel:
    r"""Read and shot noise of a frame in linear intensity (white = 1).

    .. math:: x \sim \mathcal{N}(y,\ \sigma_r^2 + \sigma_s y)

    Eq. 7 of the MKPN paper.

    read_std   standard deviation of the read noise, :math:`\sigma_r`; intensity. (A DNG's NoiseProfile gives its
               square, O)
    shot_gain  coefficient of the *variance*, :math:`\sigma_s` of eq. 7; intensity. (S of a NoiseProfile)

    >>> NoiseModel(read_std=0.01, shot_gain=0.001).std_map(np.array([[0.9]])).round(4)
    array([[0.0316]])
    """

    read_std: float
    shot_gain: float

    def __post_init__(self) -> None:
        for name in ("read_std", "shot_gain"):
            value = getattr(self, name)
            if not (isinstance(value, numbers.Real) and 0 <= float(value) <= MAX_NOISE):
                raise ValueError(f"{name} is {value!r}; noise must be a number from 0 to {MAX_NOISE:g}")
            object.__setattr__(self, name, float(value))

    @classmethod
    def for_gain(cls, gain: float) -> NoiseModel:
        """The noise at a sensor gain: the four settings of the paper (section 3.1) at gains 1, 2, 4 and 8.

        Between them log(read_std) and log(shot_gain) run linearly in log(gain). Beyond them both grow in
        proportion to the gain, as a sensor's do.
        """
        if not (isinstance(gain, numbers.Real) and 0 < float(gain) < math.inf):
            raise ValueError(f"gain is {gain!r}; it must be a finite number above 0")
        gain = float(gain)
        gains = sorted(GAINS)
        inside = min(max(gain, gains[0]), gains[-1])
        log2_gains = [math.log2(g) for g in gains]

        def at(name: str) -> float:
            logs = [math.log10(getattr(GAINS[g], name)) for g in gains]
            return 10 ** float(np.interp(math.log2(inside), log2_gains, logs)) * gain / inside

        return cls(at("read_std"), at("shot_gain"))

    @property
    def beyond_training(self) -> bool:
        """Whether read_std or shot_gain is larger than in any training burst (TRAINING_READ_STD, TRAINING_SHOT_GAIN).

        >>> [gain for gain, noise in GAINS.items() if noise.beyond_training]
        [4, 8]

        That is said of the numbers that a network is given, with white at 1. Training bursts are darkened, to white
        levels down to 0.1, of networks that match to 0.03; relative to their white, their noise is up to 10 and 30
        times (read_std, and shot_gain) as large.
        """
        return self.read_std > TRAINING_READ_STD[1] or self.shot_gain > TRAINING_SHOT_GAIN[1]

    @staticmethod
    def of_weighted_sum(
        noises: Sequence[NoiseModel], weights: Sequence[float], correlation: float = 0.0
    ) -> NoiseModel:
        r"""The noise of :math:`\sum_c w_c x_c`, of channels between whose noise this correlation is, :math:`\rho`.

        .. math::
            \sigma_r^2 = (1 - \rho) \sum_c w_c^2 \sigma_{r,c}^2 + \rho \left(\sum_c w_c \sigma_{r,c}\right)^2, \qquad
            \sigma_s = \frac{(1 - \rho) \sum_c w_c^2 \sigma_{s,c} + \rho (\sum_c w_c \sqrt{\sigma_{s,c}})^2}
                {\sum_c w_c}

        Exact where the channels are equally bright, so where the picture is gray; elsewhere the shot noise depends on
        more than the sum.
        """
        pairs = list(zip(noises, weights, strict=True))

        def variance(of_channels: Sequence[float]) -> float:
            terms = [w * std for (_, w), std in zip(pairs, of_channels, strict=True)]
            return (1 - correlation) * sum(term**2 for term in terms) + correlation * sum(terms) ** 2

        read_variance = variance([noise.read_std for noise in noises])
        shot_gain = variance([noise.shot_gain**0.5 for noise in noises]) / sum(weights)
        return NoiseModel(read_variance**0.5, shot_gain)

    def std_map(self, reference: np.ndarray) -> np.ndarray:
        r"""Noise estimate of a frame, eq. 8 of the MKPN paper.

        .. math:: \sqrt{\sigma_r^2 + \sigma_s \max(x, 0)}

        reference  x, frame 0, [..., H, W], intensity

        Returns a standard deviation, [..., H, W], intensity.
        """
        return noise_std(reference, self.read_std, self.shot_gain)

    def add_to(self, scene: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """A noisy measurement of a scene (eq. 7): any shape, intensity, unclipped; float32."""
        std = np.sqrt(self.read_std**2 + self.shot_gain * np.maximum(scene.astype(np.float64), 0))
        noisy: np.ndarray = scene + std * rng.standard_normal(scene.shape)
        return noisy.astype(np.float32)

    def scaled(self, factor: float) -> NoiseModel:
        """The model whose standard deviation is `factor` times this one's at every intensity."""
        if not (math.isfinite(factor) and factor >= 0):
            raise ValueError(f"factor is {factor!r}; it must be a finite number, 0 or more")
        return NoiseModel(self.read_std * factor, self.shot_gain * factor**2)


_LEAST_STD = 1e-9
"""What stabilizing takes read_std to be at least, as values below 0 are divided by it: far below the noise of anything
seen, so that a dark burst, its noise and all, has the kernels of a bright one."""

_IN_CACHE = 32_768  # values that stabilizing takes at a time
_STD_WITHOUT_NOISE = 1e-3
"""And of frames that have no noise at all: a step of 10 bits, the least of training bursts."""


def noise_std(reference: Array, read_std: float | Array, shot_gain: float | Array) -> Array:
    """Eq. 8 for arrays or tensors; read_std and shot_gain broadcast (a batch has one of each per burst)."""
    lib = library_of(reference)
    std: Array = lib.sqrt(read_std**2 + shot_gain * lib.clip(reference, 0, None))
    return std


def stabilize(image: np.ndarray, noise: NoiseModel) -> np.ndarray:
    r"""Variance-stabilizing transform: the noise of the result has standard deviation 1 at every intensity.

    .. math:: g(x) = \frac{2 x}{\sqrt{s \max(x, 0) + r^2} + r}

    with r read_std and s shot_gain. Above 0 that is :math:`\frac{2}{s} (\sqrt{s x + r^2} - r)`, the generalized
    Anscombe transform for noise that is Gaussian throughout (hence without 3/8), shifted so that g(0) = 0 and s = 0 is
    no special case; below 0 it is x / r, as the noise map of eq. 8 has it. Starck, Murtagh, Bijaoui: Image Processing
    and Data Analysis, 1998.
    """
    r, s = _floored(noise)
    out = np.array(image, dtype=np.float64, order="C")
    values = out.reshape(-1)
    for start in range(0, len(values), _IN_CACHE):
        x = values[start : start + _IN_CACHE]
        root = np.maximum(x, 0)
        root *= s
        root += r**2
        np.sqrt(root, out=root)
        root += r
        x *= 2
        x /= root
    return out


def stabilize_frames(frames: torch.Tensor, read_std: torch.Tensor, shot_gain: torch.Tensor) -> torch.Tensor:
    """:func:`stabilize` for a batch of bursts: frames [B, N, H, W], read_std and shot_gain [B]."""
    s = shot_gain[:, None, None, None]
    r = read_std[:, None, None, None].maximum(s / 2)
    r = r.clamp(min=_LEAST_STD).masked_fill(r == 0, _STD_WITHOUT_NOISE)
    return 2 * frames / ((s * frames.clamp(min=0) + r**2).sqrt() + r)


def unstabilize(values: np.ndarray, noise: NoiseModel, std: float = 0.0) -> np.ndarray:
    r"""The inverse of :func:`stabilize` for the mean g of stabilized values whose noise had this standard deviation.

    .. math:: x = r g + \frac{s}{4} \mathrm{E}[\max(G, 0)^2], \qquad G \sim \mathcal{N}(g, \mathrm{std}^2)

    Without the expectation, so with max(g, 0)^2, the picture would be too dark: x is convex in g.
    """
    r, s = _floored(noise)
    if std > 0:
        from scipy.special import ndtr  # here: `import kpnviz` does without SciPy

        z = values / std
        square = std**2 * ((z**2 + 1) * ndtr(z) + z * np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi))
    else:
        square = np.maximum(values, 0) ** 2
    return np.asarray(r * values + s / 4 * square)


def _floored(noise: NoiseModel) -> tuple[float, float]:
    """read_std and shot_gain, the first at least half a photon: values below 0 are divided by it."""
    r = max(noise.read_std, noise.shot_gain / 2)
    return max(r, _LEAST_STD) if r > 0 else _STD_WITHOUT_NOISE, noise.shot_gain


GAINS: dict[int, NoiseModel] = {
    1: NoiseModel(10**-2.1, 10**-2.6),
    2: NoiseModel(10**-1.8, 10**-2.3),
    4: NoiseModel(10**-1.4, 10**-1.9),
    8: NoiseModel(10**-1.1, 10**-1.5),
}
"""Gain -> noise, section 3.1 of the MKPN paper."""

TRAINING_READ_STD = (1e-3, 10**-1.5)
"""read_std of training bursts, log-uniform (section 3.1)."""

TRAINING_SHOT_GAIN = (1e-4, 1e-2)
"""shot_gain of training bursts, log-uniform.

Section 3.1 prints 10^[-2, -1] for sigma_s; that is the square root of this range. Read as the coefficient
of a variance, gains 1 and 2 would lie below the training range and gain 8, the one that tests
generalization, inside it.
"""
