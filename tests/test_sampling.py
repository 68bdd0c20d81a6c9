"""Oracles: numpy.pad, and means of blocks worked out by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kpnviz.sampling import box_reduce, reflect_index


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
