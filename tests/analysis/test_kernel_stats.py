"""Analytic cases: deltas, boxes, and a kernel with negative weights by hand."""

import numpy as np
import pytest

from kpnviz.analysis.kernel_stats import centroid, entropy, frame_share, mass, spread


def delta(K, dy, dx, value=1.0):
    kernel = np.zeros((K, K))
    kernel[K // 2 + dy, K // 2 + dx] = value
    return kernel


@pytest.mark.parametrize("value", [1.0, -2.0])
def test_a_single_weight(value):
    kernel = delta(7, 2, -3, value)
    assert centroid(kernel) == pytest.approx([2, -3])
    assert spread(kernel) == 0 and entropy(kernel) == 0 and mass(kernel) == value


@pytest.mark.parametrize("K", [1, 3, 5, 11])
def test_a_box(K):
    box = np.full((K, K), 1 / K**2)
    assert mass(box) == pytest.approx(1)
    assert centroid(box) == pytest.approx([0, 0])
    assert spread(box) == pytest.approx(np.sqrt((K**2 - 1) / 6))
    assert entropy(box) == pytest.approx(2 * np.log2(K))


def test_negative_weights_count_with_their_size_but_add_with_their_sign():
    kernel = np.zeros((3, 3))
    kernel[0, 1], kernel[2, 1] = 0.75, -0.25
    assert mass(kernel) == pytest.approx(0.5)
    assert centroid(kernel) == pytest.approx([-0.5, 0])
    assert spread(kernel) == pytest.approx(np.sqrt(0.75))
    assert entropy(kernel) == pytest.approx(0.75 * np.log2(4 / 3) + 0.25 * 2)


def test_shares_sum_to_the_response_to_a_constant():
    kernels = np.random.default_rng(0).normal(0.04, 0.1, (8, 4, 6, 5, 5))
    constant = (kernels * 1.0).sum(axis=(-2, -1)).mean(axis=0)
    np.testing.assert_allclose(frame_share(kernels).sum(axis=0), constant)


def test_batches_of_kernels_and_a_kernel_of_zeros():
    kernels = np.stack([delta(5, 1, 0), np.zeros((5, 5))])
    np.testing.assert_allclose(centroid(kernels), [[1, 0], [0, 0]])
    assert spread(kernels)[1] == 0 and entropy(kernels)[1] == 0


@pytest.mark.parametrize("shape", [(4, 4), (3, 5), (3,)])
def test_bad_kernels_are_named(shape):
    for statistic in (mass, centroid, spread, entropy):
        with pytest.raises(ValueError, match="kernels has shape"):
            statistic(np.zeros(shape))
