"""Oracle: NumPy's own."""

import numpy as np
import pytest

from kpnviz.capture.medians import medians


@pytest.mark.parametrize("count", [1, 2, 7, 10])
@pytest.mark.parametrize("axis", [0, 1, -1])
def test_medians_are_those_of_numpy(count, axis):
    values = np.random.default_rng(0).normal(size=(count, count + 3)).astype(np.float32)
    found = medians(values, axis)
    np.testing.assert_array_equal(found, np.median(values, axis))
    assert found.dtype == np.float32
