"""Five kinds of kernels that public networks predict, with random weights, on small bursts."""

from __future__ import annotations

import numpy as np
import torch

from kpnviz.burst import Burst
from kpnviz.estimate import Estimate
from kpnviz.kernels import KernelField

H, W = 19, 26


def frames(N, *channels, height=H, width=W):
    return np.random.default_rng(N).uniform(0, 1, (N, *channels, height, width)).astype(np.float32)


def normal(*shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(len(shape)))


def softmax(kernels, axes):
    flat = kernels.exp()
    return flat / flat.sum(axes, keepdim=True)


def pytorch_kpn():
    """z-bingo/kernel-prediction-networks-PyTorch: dense 5x5 of 8 frames, zero padding, the mean."""
    return Burst(frames(8)), KernelField.from_kernels(normal(8, 5, 5, H, W) / 5, padding="zero")


def basis_prediction():
    """Xia et al. 2020: 90 basis kernels of 15x15 for 8 frames, softmax coefficients, the sum."""
    basis = softmax(normal(90, 8, 15, 15), (1, 2, 3))
    return Burst(frames(8)), KernelField.from_basis(basis, softmax(normal(90, H, W), 0), reduce="sum")


def sepconv():
    """Niklaus et al. 2017: 51 vertical and horizontal taps of 2 color frames, replicated borders, the sum."""
    u, v = softmax(normal(2, 51, H, W), 1), softmax(normal(2, 51, H, W) * 2, 1) / 2
    return Burst(frames(2, 3)), KernelField.from_factors(u, v, padding="replicate", reduce="sum")


def monte_carlo():
    """Bako et al. 2017: softmax kernels of 21x21 on one color frame."""
    kernels = softmax(normal(1, 21, 21, H, W), (1, 2))
    return Burst(frames(1, 3)), KernelField.from_kernels(kernels, padding="replicate", reduce="sum")


def monte_carlo_samples():
    """Gharbi et al. 2019: 21x21 of 8 samples, summed."""
    kernels = softmax(normal(8, 21, 21, H, W), (0, 1, 2))
    return Burst(frames(8)), KernelField.from_kernels(kernels, padding="zero", reduce="sum")


def fac():
    """Zhou et al. 2019, filter adaptive convolution: a 5x5 kernel of each channel."""
    kernels = normal(1, 3, 5, 5, H, W) / 5
    return Burst(frames(1, 3)), KernelField.from_kernels(kernels, padding="replicate", reduce="sum")


def valid():
    """A network without padding: its picture is smaller than the frames. At half resolution, two sizes."""
    h, w = H - 6, W - 6
    kernels = [normal(3, K, K, (h + 1) // 2, (w + 1) // 2) / K for K in (3, 7)]
    return Burst(frames(3)), KernelField.from_kernels(kernels, size=(h, w), padding="valid")


def of_counts():
    """Kernels that also take counts of 16 bits to 0 .. 1: float16 holds weights as small only times a power of two."""
    return Burst(frames(2) * 65535), KernelField.from_kernels(normal(2, 5, 5, H, W) / 65535**2)


KINDS = (pytorch_kpn, basis_prediction, sepconv, monte_carlo, monte_carlo_samples, fac, valid, of_counts)


def of_kind(kind):
    """(burst, estimate) of one of KINDS."""
    burst, field = kind()
    return burst, Estimate.of(burst, field, name=kind.__name__)
