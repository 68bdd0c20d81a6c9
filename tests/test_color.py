"""Oracle: scikit-image's own sRGB transfer (in its XYZ conversion) and the constants of IEC 61966-2-1."""

import numpy as np
import pytest
import torch
from skimage.color import xyz2rgb

from kpnviz.color import displayed, luminance, srgb_decode, srgb_encode


def test_transfer_agrees_with_scikit_image():
    gray = np.linspace(0, 1, 257)
    xyz = gray[:, None] * np.array([0.95047, 1.0, 1.08883])  # D65 white, scaled
    oracle = xyz2rgb(xyz[None])[0].mean(axis=-1)
    # The conversion matrix is rounded in its 4th to 6th digit, so its white is gray to 1e-4.
    np.testing.assert_allclose(srgb_encode(gray), oracle, atol=2e-4)


@pytest.mark.parametrize(
    "linear, encoded", [(0.0, 0.0), (1.0, 1.0), (0.0031308, 0.0404500), (0.21404114, 0.5)]
)
def test_published_values(linear, encoded):
    assert srgb_encode(np.float64(linear)) == pytest.approx(encoded, abs=2e-6)


def test_round_trip_beyond_white_and_below_black():
    x = np.linspace(-0.5, 2, 1001)
    np.testing.assert_allclose(srgb_decode(srgb_encode(x)), x, atol=1e-7)
    np.testing.assert_allclose(srgb_encode(srgb_decode(x)), x, atol=1e-6)


def test_tensors_agree_with_arrays_and_have_a_finite_gradient_at_zero():
    x = torch.linspace(-0.1, 1.2, 101, dtype=torch.float64, requires_grad=True)
    np.testing.assert_allclose(srgb_encode(x).detach(), srgb_encode(x.detach().numpy()), rtol=1e-12)
    srgb_encode(torch.zeros(3, requires_grad=True)).sum().backward()
    assert torch.autograd.gradcheck(srgb_encode, x)


def test_luminance():
    assert luminance(np.ones((2, 3, 3))) == pytest.approx(1.0)
    assert luminance(np.array([0.0, 1.0, 0.0])) == pytest.approx(0.7152)
    with pytest.raises(ValueError, match="4 channels"):
        luminance(np.ones((2, 2, 4)))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_screen_shows_the_transfer_clipped_in_the_dtype_of_the_picture(dtype):
    x = np.array([-0.2, 0.0, 0.1, 0.4, 3.0], dtype=dtype)
    shown = displayed(x, 0.5)
    assert shown.dtype == dtype
    np.testing.assert_allclose(shown, [0, 0, srgb_encode(0.2), srgb_encode(0.8), 1], rtol=1e-6)
