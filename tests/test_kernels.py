"""Oracle: F.interpolate of the factors, and numpy loops over patches."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from kpnviz.analysis.kernel_stats import centroid, entropy, frame_share, mass, spread
from kpnviz.kernels import KernelField, factor_channels

SHAPES = [(8, 10), (7, 9), (1, 1), (1, 6), (5, 2)]


def random_field(sizes, separable, H, W, N=3, B=2, seed=0):
    generator = torch.Generator().manual_seed(seed)
    shape = (B, N, factor_channels(sizes, separable), (H + 1) // 2, (W + 1) // 2)
    return KernelField(torch.randn(shape, generator=generator), sizes, separable, H, W)


def oracle_kernel(field, y, x, n, b):
    """Eq. 3 by hand: interpolate, outer product, zero-pad, average."""
    full = F.interpolate(field.factors[b], scale_factor=2, mode="bilinear", align_corners=False)
    values = full[n, :, y, x].numpy()
    K, first = max(field.sizes), 0
    fused = np.zeros((K, K))
    for s in field.sizes:
        if field.separable:
            kernel = np.outer(values[first : first + s], values[first + s : first + 2 * s])
        else:
            kernel = values[first : first + s * s].reshape(s, s)
        first += factor_channels((s,), field.separable)
        margin = (K - s) // 2
        fused[margin : margin + s, margin : margin + s] += kernel / len(field.sizes)
    return fused


@pytest.mark.parametrize("reduce, weight", [("mean", 0.1), ("sum", 0.3)])
def test_the_weight_of_the_references_own_pixel_is_that_of_the_middle_of_its_kernel(reduce, weight):
    kernels = np.full((3, 5, 5, 8, 10), 7.0)
    kernels[0, 2, 2] = np.linspace(0.2, 0.4, 80).reshape(8, 10)
    field = KernelField.from_kernels(kernels, reduce=reduce)
    np.testing.assert_allclose(field.own_weights(), kernels[0, 2, 2] * weight / 0.3, rtol=1e-6)


@pytest.mark.parametrize("H, W", SHAPES)
@pytest.mark.parametrize(
    "sizes, separable", [((5,), True), ((1, 3, 7), True), ((3,), False), ((1, 5), False)]
)
def test_effective_kernels(sizes, separable, H, W):
    field = random_field(sizes, separable, H, W)
    for y, x in {(0, 0), (H - 1, W - 1), (H // 2, W // 2), (0, W - 1)}:
        for b in range(2):
            kernels = field.at(y, x, b)
            oracle = np.stack([oracle_kernel(field, y, x, n, b) for n in range(3)])
            np.testing.assert_allclose(kernels, oracle, atol=1e-5)
            np.testing.assert_allclose(field.region(0, H, 0, W, b)[:, y, x], kernels, atol=1e-6)


def test_kernels_of_every_third_pixel_are_those_of_all():
    field = random_field((1, 3), True, 13, 11)
    every = field.region(2, 12, 1, 11, b=1)
    np.testing.assert_array_equal(field.region(2, 12, 1, 11, b=1, step=3), every[:, ::3, ::3])


@pytest.mark.parametrize("H, W", SHAPES)
@pytest.mark.parametrize("sizes, separable", [((5,), True), ((1, 3, 7), True), ((3,), False)])
def test_what_is_shown_is_what_is_applied(sizes, separable, H, W):
    """The invariant: the mean over frames of patch times shown kernel is the denoised picture."""
    field = random_field(sizes, separable, H, W, B=1)
    frames = torch.rand(1, 3, H, W, generator=torch.Generator().manual_seed(1))
    image = field.apply(frames)[0].numpy()
    assert image.shape == (H, W)
    r, K = field.reach, 2 * field.reach + 1
    modes = ["reflect" if length > 1 else "edge" for length in (H, W)]
    padded = np.pad(frames[0].numpy(), ((0, 0), (r, r), (0, 0)), mode=modes[0])
    padded = np.pad(padded, ((0, 0), (0, 0), (r, r)), mode=modes[1])
    for y in range(H):
        for x in range(W):
            patches = padded[:, y : y + K, x : x + K]
            value = (patches * field.at(y, x)).sum(axis=(1, 2)).mean()
            assert image[y, x] == pytest.approx(value, abs=1e-4)


def test_sizes_and_factors_at_a_pixel_make_the_effective_kernel():
    field = random_field((1, 3, 5), True, 6, 8)
    kernels, factors = field.sizes_at(3, 4, 1), field.factors_at(3, 4, 1)
    assert {s: k.shape for s, k in kernels.items()} == {1: (3, 1, 1), 3: (3, 3, 3), 5: (3, 5, 5)}
    fused = np.zeros((3, 5, 5))
    for s, kernel in kernels.items():
        vertical, horizontal = factors[s]
        np.testing.assert_allclose(kernel, vertical[:, :, None] * horizontal[:, None, :], atol=1e-6)
        m = (5 - s) // 2
        fused[:, m : 5 - m, m : 5 - m] += kernel / 3
    np.testing.assert_allclose(field.at(3, 4, 1), fused, atol=1e-6)


def test_a_region_is_what_the_statistics_take():
    field = random_field((1, 5), True, 6, 8)
    kernels = field.region(1, 5, 2, 7)
    assert kernels.shape == (3, 4, 5, 5, 5)
    for statistic in (mass, centroid, spread, entropy):
        np.testing.assert_allclose(
            statistic(kernels)[:, 3, 1], statistic(field.at(4, 3)), rtol=1e-4, atol=1e-6
        )
    np.testing.assert_allclose(frame_share(kernels)[:, 3, 1], frame_share(field.at(4, 3)), rtol=1e-4)


def test_bad_places_and_shapes_are_named():
    field = random_field((3,), False, 6, 8)
    with pytest.raises(ValueError, match="rows 6..6, columns 0..0 do not lie in the picture, 6x8"):
        field.at(6, 0)
    with pytest.raises(ValueError, match="no 1-D factors"):
        field.factors_at(0, 0)
    with pytest.raises(ValueError, match=r"need \[B, N, 9, 4, 4\]"):
        KernelField(torch.zeros(1, 1, 9, 3, 4), (3,), False, 7, 8)


WEIGHTS = torch.zeros(1, 2, 9, 3, 4)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda field: field.at(1, 3, 5), "b is 5; this field has bursts 0 to 1"),
        (lambda field: field.at(1, 3, -1), "b is -1; this field has bursts 0 to 1"),
        (lambda field: field.sizes_at(1, 3, 0.5), "b is 0.5"),
        (lambda field: field.at(1.5, 3), "y is 1.5; it must be a whole number"),
        (lambda field: field.sizes_at(1, "3"), "x is '3'; it must be a whole number"),
        (lambda field: field.region(0, 4.0, 0, 4), "bottom is 4.0; it must be a whole number"),
        (lambda field: field.region(0, 4, 0, 4, step=-1), "step is -1"),
        (lambda field: field.region(0, 4, 0, 4, step=0), "step is 0"),
        (lambda field: field.region(0, 4, 0, 4, step=0.5), "step is 0.5; it must be a whole number"),
        (lambda field: field.part(0, 4, None, 4), "left is None; it must be a whole number"),
        (lambda field: field.predicted(slice(0, 2), [3]), "frame is 3; this field has frames 0 to 2"),
        (lambda field: field.predicted(slice(0, 2), [0.5]), "frame is 0.5; this field has frames 0 to 2"),
        (lambda field: field.predicted(slice(0, 2), [0], step=0), "step is 0"),
        (lambda field: field.predicted(slice(0, 2), [0], b=2), "b is 2; this field has bursts 0 to 1"),
        (
            lambda field: field.apply(np.zeros((2, 3, 6, 8), np.float32)),
            "frames is of type ndarray; it must be a",
        ),
        (
            lambda field: field.apply(torch.zeros(3, 6, 8)),
            r"frames has shape \(3, 6, 8\); expected \[B, N, H, W\]",
        ),
        (lambda field: field.apply(torch.zeros(2, 3, 6, 8).byte()), "frames has dtype torch.uint8"),
        (lambda _: KernelField(WEIGHTS.int(), (3,), False, 6, 8), "factors has dtype torch.int32"),
        (
            lambda _: KernelField(WEIGHTS.numpy(), (3,), False, 6, 8),
            "factors is of type ndarray; it must be a PyT",
        ),
        (
            lambda _: KernelField(None, (3,), False, 6, 8),
            "factors is of type NoneType; it must be a PyTorch tensor",
        ),
        (lambda _: KernelField(WEIGHTS, 3, False, 6, 8), "sizes is 3; it is a tuple of odd kernel sizes"),
        (
            lambda _: KernelField(WEIGHTS, (2,), False, 6, 8),
            r"sizes is \(2,\); it is a tuple of odd kernel sizes",
        ),
        (lambda _: KernelField(WEIGHTS, (), False, 6, 8), r"sizes is \(\)"),
        (lambda _: KernelField(WEIGHTS, (3,), False, 6.0, 8), "height is 6.0; it must be a whole number"),
        (
            lambda _: KernelField(WEIGHTS[:, :1, :2], (3,), False, 6, 8, basis=torch.ones(2, 3, 3, 3).long()),
            "basis has dtype torch.int64",
        ),
        (
            lambda _: KernelField(WEIGHTS[:, :1, :2], (3,), False, 6, 8, basis=np.ones((2, 3, 3, 3))),
            "basis is of type ndarray; it must be a PyTorch tensor",
        ),
    ],
)
def test_what_makes_no_sense_is_one_sentence(call, sentence):
    with pytest.raises(ValueError, match=f"^{sentence}"):
        call(random_field((3,), False, 6, 8))


def test_any_integer_is_a_place():
    field = random_field((3,), False, 6, 8)
    for integer in (np.uint8, np.int64, torch.tensor):
        np.testing.assert_array_equal(field.at(integer(4), integer(5), integer(1)), field.at(4, 5, 1))
