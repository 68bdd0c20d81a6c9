"""Oracles: numpy.pad, and means of blocks worked out by hand."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kpnviz.sampling import box_reduce, reduction, reflect_index


@given(st.integers(1, 9), st.integers(0, 30), st.integers(0, 30))
def test_reflect_index_is_numpys_reflection(length, before, after):
    line = np.arange(length)
    oracle = (
        np.pad(line, (before, after), mode="reflect")
        if length > 1
        else np.zeros(length + before + after, int)
    )
    np.testing.assert_array_equal(line[reflect_index(length, -before, length + after)], oracle)


def test_box_reduce_is_the_mean_of_blocks():
    image = np.arange(20, dtype=np.float32).reshape(4, 5)
    np.testing.assert_array_equal(box_reduce(image, 2), [[3, 5], [13, 15]])
    np.testing.assert_array_equal(box_reduce(image, 1), image)
    with pytest.raises(ValueError, match="factor is 5"):
        box_reduce(image, 5)


def test_blocks_may_have_two_sides():
    image = np.random.default_rng(0).random((7, 11))
    expected = [[image[2 * i : 2 * i + 2, 5 * j : 5 * j + 5].mean() for j in range(2)] for i in range(3)]
    np.testing.assert_allclose(box_reduce(image, (2, 5)), expected, rtol=1e-6)
    for factor in ((0, 1), (8, 1), (1, 12)):
        with pytest.raises(ValueError, match="factor is"):
            box_reduce(image, factor)


SIDES = (1, 2, 3, 5, 6, 29, 1000, 4000, 8000, 31_000_000)


@pytest.mark.parametrize("pixels", [40_000, 1_000_000])
@pytest.mark.parametrize(
    "shape", [(h, w) for h, w in itertools.product(SIDES, SIDES) if h * w <= 32_000_000], ids=str
)
def test_a_reduced_picture_is_bounded_whatever_its_shape(shape, pixels):
    down, across = reduction(*shape, pixels)
    h, w = shape[0] // down, shape[1] // across
    assert min(h, w) >= 1 and h * w <= pixels
    # By no more than it takes, and by the same in both directions where both have so many pixels.
    assert h * w > pixels / 5 or (down, across) == (1, 1)
    assert down == across or min(shape) < max(down, across)
